"""``make gpu-check``: is the CUDA build right on this device, and how quick is it? Needs only NumPy and CuPy.

Everything is compared with the reference or with the expected outputs before it is timed. What was measured goes to
``results/gpu-check/<device>.json``; ``--compare`` holds it against an earlier one.
"""

from __future__ import annotations

import importlib
import importlib.util
import platform
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from harness.batt.loader import load_programs
from harness.gpu_check.right import differences
from harness.gpu_check.setting import DATA, Options, Setting
from harness.gpu_check.speed import counters, operations, speed, transfers
from harness.gpu_check.summary import describe, figures, regressions
from harness.samples import expand, load_tasks
from harness.vm import cubins
from harness.vm.cuda import CudaEngine

__all__ = ["DATA", "Options", "check", "describe", "regressions"]

SOLVERS = "harness.batt.solvers"


def check(
    options: Options, make: Callable[..., CudaEngine] = CudaEngine, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Check and measure a device.

    Args:
        options: what to check.
        make: makes a machine on the device.
        say: is told how it goes.

    Returns:
        What ``--json`` writes: the device, differences, figures with targets, and the curve.

    Raises:
        CudaUnavailable, DeviceError: the device cannot be used.
        BadDataError: the data is not as it should be.
    """
    start = time.perf_counter()
    machine = make()
    facts = machine.device_facts()
    say(f"{facts.name}, compute capability {facts.compute_capability}, {facts.multiprocessors} multiprocessors")
    say(f"kernels: {'a cubin' if not facts.compile_s else f'compiled in {facts.compile_s:.1f} s'}")
    result: dict[str, Any] = {
        "gpu": facts.name,
        "compute_capability": facts.compute_capability,
        "multiprocessors": facts.multiprocessors,
        "memory_bytes": facts.memory_bytes,
        "compile_s": facts.compile_s,
        "source": cubins.digest(),
        "python": platform.python_version(),
        "versions": _versions(),
        "first_use_s": time.perf_counter() - start,
    }
    tasks = load_tasks(options.data)
    programs = [own for own in load_programs([SOLVERS])[0] if own.task in tasks]
    solved = {name: tasks[name] for name in sorted({own.task or "" for own in programs})}
    few, many = (list(expand(solved, count, 0)) for count in (None, options.samples_per_task))
    setting = Setting(options, make, say, programs, few, many)
    result["differences"] = differences(setting)
    result |= speed(setting)
    result["operations"] = operations(setting)
    result["counters"] = counters(setting)
    result["transfers"] = transfers(setting, machine)
    machine.close()
    result["seconds"] = time.perf_counter() - start
    result["figures"] = figures(result)
    return result


def _versions() -> dict[str, str]:
    versions = {"numpy": np.__version__}
    if importlib.util.find_spec("cupy"):
        cupy = importlib.import_module("cupy")
        versions["cupy"] = cupy.__version__
        versions["cuda_runtime"] = str(cupy.cuda.runtime.runtimeGetVersion())
        versions["cuda_driver"] = str(cupy.cuda.runtime.driverGetVersion())
    return versions
