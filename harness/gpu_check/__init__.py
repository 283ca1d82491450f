"""``make gpu-check``: is the CUDA build right on this device, and how quick is it? Needs only NumPy and CuPy.

Everything is compared with the reference or with the expected outputs before it is timed. What was measured goes to
``results/gpu-check/<device>.json`` as it is measured; ``--compare`` holds it against an earlier one.
"""

from __future__ import annotations

import importlib
import importlib.util
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from harness.batt.loader import load_programs
from harness.gpu_check.right import differences, random_differences
from harness.gpu_check.setting import DATA, Options, Setting
from harness.gpu_check.speed import by_lanes, counters, end_to_end, operations, speed, steady, transfers
from harness.gpu_check.summary import describe, figures, regressions, regressions_in
from harness.samples import expand, load_tasks
from harness.vm import cubins
from harness.vm.cuda import CudaEngine
from harness.vm.device_facts import DeviceFacts

__all__ = ["DATA", "PARTS", "Options", "check", "describe", "regressions", "regressions_in"]

SOLVERS = "harness.batt.solvers"

PARTS: Mapping[str, Callable[[Setting], Iterator[dict[str, Any]]]] = {
    "right": differences,
    "speed": speed,
    "steady": steady,
    "end_to_end": end_to_end,
    "operations": operations,
    "transfers": transfers,
    "counters": counters,
    "lanes": by_lanes,
    "random": random_differences,
}
"""The parts of a check, in this order: what matters most comes first, if time should be too short for all."""


def check(
    options: Options,
    make: Callable[..., CudaEngine] = CudaEngine,
    say: Callable[[str], None] = print,
    *,
    save: Callable[[dict[str, Any]], None] = lambda result: None,
    earlier: Callable[[str], Mapping[str, Any] | None] = lambda gpu: None,
) -> dict[str, Any]:
    """Check and measure a device.

    Args:
        options: what to check.
        make: makes a machine on the device.
        say: is told how it goes.
        save: is given the result whenever there is more of it.
        earlier: returns the result there is of a device of that name. If it is of the same source, its parts stay but
            for those that are done again.

    Returns:
        What the file has: the device, differences, figures with targets, and the curve.

    Raises:
        CudaUnavailable, DeviceError: the device cannot be used.
        BadDataError: the data is not as it should be.
    """
    start = time.perf_counter()
    machine = make()
    facts = machine.device_facts()
    machine.close()
    say(f"{facts.name}, compute capability {facts.compute_capability}, {facts.multiprocessors} multiprocessors")
    say(f"kernels: {'a cubin' if not facts.compile_s else f'compiled in {facts.compile_s:.1f} s'}")
    before = earlier(facts.name)
    result: dict[str, Any] = dict(before) if before and before.get("source") == cubins.digest() else {}
    result |= _about(facts) | {"first_use_s": time.perf_counter() - start}
    spent, skipped = float(result.get("seconds", 0.0)), []
    tasks = load_tasks(options.data)
    programs = [own for own in load_programs([SOLVERS])[0] if own.task in tasks]
    solved = {name: tasks[name] for name in sorted({own.task or "" for own in programs})}
    few, many = (list(expand(solved, count, 0)) for count in (None, options.samples_per_task))
    setting = Setting(options, make, say, programs, few, many, start + options.budget_s)
    for name in options.only or PARTS:
        if setting.left() <= 0:
            skipped.append(name)
            continue
        for piece in PARTS[name](setting):
            result |= piece | {"seconds": spent + time.perf_counter() - start}
            result["figures"] = figures(result)
            save(result)
    result["skipped"] = skipped
    if skipped:
        say(f"left out, since {options.budget_s:.0f} s are over: {', '.join(skipped)}; --only {' '.join(skipped)}")
    result["seconds"] = spent + time.perf_counter() - start
    result["figures"] = figures(result)
    save(result)
    return result


def _about(facts: DeviceFacts) -> dict[str, Any]:
    return {
        "gpu": facts.name,
        "compute_capability": facts.compute_capability,
        "multiprocessors": facts.multiprocessors,
        "memory_bytes": facts.memory_bytes,
        "compile_s": facts.compile_s,
        "source": cubins.digest(),
        "python": platform.python_version(),
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    versions = {"numpy": np.__version__}
    if importlib.util.find_spec("cupy"):
        cupy = importlib.import_module("cupy")
        versions["cupy"] = cupy.__version__
        versions["cuda_runtime"] = str(cupy.cuda.runtime.runtimeGetVersion())
        versions["cuda_driver"] = str(cupy.cuda.runtime.driverGetVersion())
    return versions
