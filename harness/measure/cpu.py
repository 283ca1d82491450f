"""What the CPUs did while something was measured: clock, other work, and time that a hypervisor took."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import psutil


def affinity() -> list[int]:
    """Return the numbers of the CPUs that this process may run on."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


@dataclass(frozen=True)
class CpuUse:
    """What was seen between two readings, of the usable CPUs; None where the system does not tell.

    Attributes:
        mhz: the highest of their clocks at the end, in MHz; a virtual machine may tell a constant.
        load: mean length of the run queue over the last minute.
        busy_cpus: how many of them were busy on average, with work of any process.
        steal: share of their time, from 0 to 1, in which a hypervisor let another machine run.
    """

    mhz: float | None
    load: float | None
    busy_cpus: float | None
    steal: float | None


@dataclass(frozen=True)
class CpuTimes:
    """A reading of the kernel's clocks, in seconds summed over the usable CPUs; None where there are none."""

    at: float
    busy: float | None
    steal: float | None

    def until(self, later: CpuTimes) -> CpuUse:
        """Return what was seen from this reading to a later one."""
        span = later.at - self.at
        cpus = len(affinity())

        def rate(first: float | None, last: float | None) -> float | None:
            return None if first is None or last is None or span <= 0 else max(0.0, last - first) / span

        steal = rate(self.steal, later.steal)
        return CpuUse(
            frequency_mhz(), load_average(), rate(self.busy, later.busy), None if steal is None else steal / cpus
        )


def cpu_times() -> CpuTimes:
    """Read the kernel's clocks, which tick 100 times a second: what lasts 0.1 s is told to some 10%."""
    try:
        each = psutil.cpu_times(percpu=True)
        own = [each[number] for number in affinity()]
    except (OSError, IndexError, NotImplementedError):
        return CpuTimes(perf_counter(), None, None)
    busy = sum(getattr(t, name, 0.0) for t in own for name in ("user", "nice", "system", "irq", "softirq"))
    steal = sum(t.steal for t in own) if own and hasattr(own[0], "steal") else None
    return CpuTimes(perf_counter(), busy, steal)


def frequency_mhz() -> float | None:
    """Return the highest clock of the usable CPUs in MHz; None where the system does not tell."""
    try:
        clocks = psutil.cpu_freq(percpu=True)
    except (OSError, NotImplementedError, AttributeError, ValueError):
        return None
    numbers = affinity()
    own = [clocks[n] for n in numbers] if clocks and len(clocks) > max(numbers) else clocks or []
    return max((float(clock.current) for clock in own), default=0.0) or None


def load_average() -> float | None:
    """Return the mean length of the run queue over the last minute; None where the system does not tell."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def governor(cpus: Path = Path("/sys/devices/system/cpu")) -> str | None:
    """Return how the kernel sets the clocks of the usable CPUs, e.g. ``performance``; None where it does not tell.

    Args:
        cpus: where Linux tells of its CPUs.
    """
    found = set()
    for number in affinity():
        try:
            found.add((cpus / f"cpu{number}" / "cpufreq" / "scaling_governor").read_text(encoding="ascii").strip())
        except (OSError, UnicodeDecodeError):
            return None
    return ", ".join(sorted(found)) or None
