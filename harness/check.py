"""Check programs: evaluate them with one or more engines, and say what came out and where engines differ."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.batt.loader import Rejected
from harness.config import MODE_NAMES, ConfigError
from harness.gpu.device import CudaUnavailable, DeviceError
from harness.measure.usable import usable_cpus
from harness.progress import progress
from harness.run.imports import load_screened
from harness.run.mode import Mode, ModeFailed
from harness.run.modes import make_mode, unavailable
from harness.run.pool import WorkersDied
from harness.run.worker import EvaluationLost, Job, Outcome
from harness.run.workload import Workload, make_workload
from harness.samples import expand, load_tasks
from harness.spelling import nearest

_MIN_TIMED_S = 0.1  # repeat quick workloads until they last so long, for a time that means something


@dataclass(frozen=True)
class CheckOptions:
    """How programs are checked.

    Attributes:
        source: of the data, as for ``load_tasks``.
        engines: names of modes.
        samples_per_task: as in a configuration.
        seed: of the augmentation.
        workers: of parallel engines; None for one per usable CPU.
        timeout_s: seconds that one evaluation may take.
        memory_gb: GiB of address space per process.
    """

    source: str
    engines: tuple[str, ...] = ("sequential",)
    samples_per_task: int | None = None
    seed: int = 0
    workers: int | None = None
    timeout_s: float = 10.0
    memory_gb: float | None = 4.0


def check_programs(references: Sequence[str], options: CheckOptions) -> dict[str, Any]:
    """Evaluate programs with each engine.

    Args:
        references: modules, packages, files or folders, as for ``load_programs``.
        options: data, engines and limits.

    Returns:
        What ``python -m harness check --json`` writes; docs/check.md describes it.

    Raises:
        ConfigError: for an engine that is not known.
        BadDataError: if the data is not as it should be.
    """
    for engine in options.engines:
        if engine not in MODE_NAMES:
            raise ConfigError(
                f"unknown engine {engine!r}{nearest(engine, MODE_NAMES)} (known: {', '.join(MODE_NAMES)})"
            )
    tasks = load_tasks(options.source)
    programs, rejected = load_screened(references, options.memory_gb)
    workload = make_workload(programs, tasks, expand(tasks, options.samples_per_task, options.seed))
    job = Job(workload, options.timeout_s, options.memory_gb)
    engines: dict[str, dict[str, Any]] = {}
    outcomes: dict[str, list[Outcome]] = {}
    for engine in dict.fromkeys(options.engines):
        reason = unavailable(engine)
        mode: Mode | None = None
        if reason is None and workload.evaluations:
            try:
                mode = make_mode(engine, job, options.workers or usable_cpus())
            except (CudaUnavailable, DeviceError) as error:
                reason = str(error)
        if mode is not None:
            try:
                outcomes[engine] = _outcomes(mode, len(workload.evaluations))
                engines[engine] = _summary(outcomes[engine], *_timed(mode, outcomes[engine]))
            finally:
                mode.close()
        else:
            engines[engine] = _summary([], None, 0) | {"skipped": reason or "there is nothing to evaluate"}
    return {
        "engines": engines,
        "differences": _differences(workload, outcomes),
        "programs": _programs(workload, outcomes),
        "not_run": _not_run(workload, rejected),
    }


def _outcomes(mode: Mode, total: int) -> list[Outcome]:
    found: list[Outcome] = []
    with progress(total, mode.name, "evaluations") as bar:
        for outcomes in mode.check():
            found += outcomes
            bar.update(len(outcomes))
    return sorted(found, key=lambda outcome: outcome.evaluation)


def _timed(mode: Mode, outcomes: Sequence[Outcome]) -> tuple[float | None, int]:
    """Return seconds for the evaluations alone, once over, and how many that is; None where nothing could be timed."""
    excluded = frozenset(o.evaluation for o in outcomes if o.status not in ("ok", "failed"))
    if len(excluded) == len(outcomes):
        return None, 0
    costs = [0.0 if math.isnan(o.seconds) else o.seconds for o in outcomes]
    try:
        mode.prepare(costs, excluded)
        block = mode.block(1)
        passes = math.ceil(_MIN_TIMED_S / block.wall_s)
        if passes > 1:
            block = mode.block(passes)
    except (EvaluationLost, ModeFailed, WorkersDied):
        return None, 0
    return block.wall_s / passes, block.evaluations // passes


def _summary(outcomes: Sequence[Outcome], seconds: float | None, timed: int) -> dict[str, Any]:
    count = {status: sum(o.status == status for o in outcomes) for status in ("ok", "failed", "timeout", "died")}
    return {
        "evaluations": len(outcomes),
        "equal": sum(o.equal is True for o in outcomes),
        "failed": count["failed"],
        "timeout": count["timeout"],
        "died": count["died"],
        "fell_back": dict(Counter(o.fell_back for o in outcomes if o.fell_back is not None)),
        "seconds": seconds,
        "evaluations_per_s": timed / seconds if seconds else None,
    }


def _differences(workload: Workload, outcomes: dict[str, list[Outcome]]) -> list[dict[str, Any]]:
    """List every evaluation in which engines differ, in status or in output."""
    differences = []
    for together in zip(*outcomes.values(), strict=True):
        if len({(o.status, o.digest) for o in together}) > 1:
            program, position = workload.evaluations[together[0].evaluation]
            key, sample = workload.programs[program], workload.samples[position]
            differences.append(
                {
                    "program": key.name,
                    "module": key.module,
                    "sample": f"{sample.task} {sample.name}",
                    "engines": {
                        engine: {"status": o.status, "digest": o.digest, "error": o.error}
                        for engine, o in zip(outcomes, together, strict=True)
                    },
                }
            )
    return differences


def _programs(workload: Workload, outcomes: dict[str, list[Outcome]]) -> list[dict[str, Any]]:
    """Say of each program, per engine, what became of its evaluations, and the first error."""
    rows: list[dict[str, Any]] = [
        {"program": key.name, "module": key.module, "engines": {}} for key in workload.programs
    ]
    for engine, found in outcomes.items():
        by_program: dict[int, list[Outcome]] = {}
        for outcome in found:
            by_program.setdefault(workload.evaluations[outcome.evaluation][0], []).append(outcome)
        for program, own in by_program.items():
            bad = next((o for o in own if o.error), None)
            sample = workload.samples[workload.evaluations[bad.evaluation][1]] if bad else None
            rows[program]["engines"][engine] = {
                "evaluations": len(own),
                "equal": sum(o.equal is True for o in own),
                "failed": sum(o.status == "failed" for o in own),
                "timeout": sum(o.status == "timeout" for o in own),
                "died": sum(o.status == "died" for o in own),
                "first_error": f"{sample.task} {sample.name}: {bad.error}" if bad and sample else None,
            }
    return rows


def _not_run(workload: Workload, rejected: Sequence[Rejected]) -> list[dict[str, str]]:
    rows = [
        {"program": key.name, "module": key.module, "status": "no_samples", "reason": "the data has no sample for it"}
        for key in workload.without_samples
    ]
    return rows + [{"program": r.name, "module": r.module, "status": r.status, "reason": r.detail} for r in rejected]


def describe(result: dict[str, Any]) -> str:
    """Return what ``check_programs`` found, as text for a terminal."""
    lines = [
        f"{'engine':<14}{'evaluations':>12}{'equal':>9}{'failed':>8}{'timeout':>9}{'died':>6}{'fell back':>11}"
        f"{'seconds':>10}{'evaluations/s':>15}"
    ]
    for engine, row in result["engines"].items():
        if "skipped" in row:
            lines.append(f"{engine:<14}skipped: {row['skipped']}")
            continue
        seconds = "-" if row["seconds"] is None else f"{row['seconds']:.4g}"
        rate = "-" if row["evaluations_per_s"] is None else f"{row['evaluations_per_s']:,.0f}"
        lines.append(
            f"{engine:<14}{row['evaluations']:>12}{row['equal']:>9}{row['failed']:>8}{row['timeout']:>9}"
            f"{row['died']:>6}{sum(row['fell_back'].values()):>11}{seconds:>10}{rate:>15}"
        )
    fell_back = [
        f"  {engine}: {count} of {row['evaluations']}: {reason}"
        for engine, row in result["engines"].items()
        for reason, count in sorted(row["fell_back"].items(), key=lambda item: (-item[1], item[0]))
    ]
    if fell_back:
        lines += ["", "Evaluations that fell back on the reference, by reason:", *fell_back]
    troubled = [
        f"  {program['program']} ({engine}): {row['equal']} of {row['evaluations']} equal; {row['first_error']}"
        for program in result["programs"]
        for engine, row in program["engines"].items()
        if row["first_error"]
    ]
    if troubled:
        lines += ["", "Programs with evaluations that failed, and the first error:", *troubled]
    if result["not_run"]:
        lines += ["", "Not run:"]
        lines += [f"  {' '.join(filter(None, (r['module'], r['program'])))}: {r['reason']}" for r in result["not_run"]]
    lines += ["", f"Differences between engines: {len(result['differences'])}"]
    lines += [
        f"  {d['program']} on {d['sample']}: "
        + ", ".join(f"{engine} {o['status']} {o['error'] or o['digest']}" for engine, o in d["engines"].items())
        for d in result["differences"]
    ]
    return "\n".join(lines)
