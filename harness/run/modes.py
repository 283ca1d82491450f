"""The modes there are, and which of them can run here."""

from __future__ import annotations

from harness.config import MODE_NAMES
from harness.gpu import devices
from harness.run.eager import EagerMode
from harness.run.gpu import GpuMode
from harness.run.mode import Mode
from harness.run.native import NativeMode
from harness.run.reference import ReferenceMode
from harness.run.worker import Job
from harness.vm.native import unavailable as native_unavailable


def unavailable(name: str) -> str | None:
    """Return why a mode cannot run here; None if it can."""
    if name in ("parallel_gpu", "eager_gpu"):
        return devices.unavailable()
    return native_unavailable() if name == "native_cpu" else None


def make_mode(name: str, job: Job, workers: int) -> Mode:
    """Make a mode that is available.

    Args:
        name: one of ``MODE_NAMES``.
        job: what it evaluates, and within which limits.
        workers: how many share the work, where the mode is a parallel one.

    Raises:
        ValueError: if there is no such mode, or it is not available.
    """
    reason = unavailable(name)
    if name not in MODE_NAMES or reason:
        raise ValueError(f"mode {name!r} cannot run: {reason or 'there is no such mode'}")
    if name == "native_cpu":
        return NativeMode(job, workers)
    if name == "parallel_gpu":
        return GpuMode(job, workers)
    if name == "eager_gpu":
        return EagerMode(job, workers)
    return ReferenceMode(name, job, 1 if name == "sequential" else workers)
