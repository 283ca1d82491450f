"""The CPUs that this process may use. Needs nothing but Python, as all that ``make gpu-check`` runs."""

from __future__ import annotations

import os


def affinity() -> list[int]:
    """Return the numbers of the CPUs that this process may run on."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def usable_cpus() -> int:
    """Return how many CPUs this process may run on."""
    return len(affinity())
