"""What the CPUs did is read from the system, and is None where it does not tell."""

from __future__ import annotations

import os
from time import perf_counter

import psutil
import pytest

from harness.measure import cpu
from harness.measure.cpu import affinity, cpu_times, frequency_mhz, governor, load_average


def test_a_busy_process_is_seen():
    before = cpu_times()
    own = os.times()
    while perf_counter() - before.at < 0.4:
        pass
    after = cpu_times()
    spent = sum(os.times()[:2]) - sum(own[:2])
    use = before.until(after)
    assert use.busy_cpus is not None
    assert spent / (after.at - before.at) - 0.15 < use.busy_cpus <= len(affinity()) * 1.1  # the clocks tick at 100 Hz
    assert use.load is not None and use.load >= 0
    assert use.steal is None or 0 <= use.steal <= 1


def test_it_looks_at_the_cpus_that_may_be_used(monkeypatch):
    assert affinity() == sorted(psutil.Process().cpu_affinity() or [])
    each = psutil.cpu_times(percpu=True)
    one = cpu_times()
    monkeypatch.setattr(cpu, "affinity", lambda: [0])
    assert cpu_times().busy < one.busy or len(each) == 1


def test_what_the_system_does_not_tell(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no such file")

    monkeypatch.setattr(psutil, "cpu_times", refuse)
    monkeypatch.setattr(psutil, "cpu_freq", refuse)
    monkeypatch.setattr(os, "getloadavg", refuse)
    use = cpu_times().until(cpu_times())
    assert (use.mhz, use.load, use.busy_cpus, use.steal) == (None, None, None, None)
    monkeypatch.setattr(psutil, "cpu_freq", lambda percpu: [])
    assert frequency_mhz() is None
    assert load_average() is None


def test_the_clock_is_that_of_the_quickest_usable_cpu(monkeypatch):
    clock = type(psutil.cpu_freq()) if psutil.cpu_freq() else None
    if clock is None:
        pytest.skip("this system tells no clock, so there is no type of it")
    monkeypatch.setattr(cpu, "affinity", lambda: [1, 2])
    monkeypatch.setattr(psutil, "cpu_freq", lambda percpu: [clock(mhz, 0, 0) for mhz in (5000, 800, 3100, 4000)])
    assert frequency_mhz() == 3100
    monkeypatch.setattr(psutil, "cpu_freq", lambda percpu: [clock(2500, 0, 0)])  # one for all of them
    assert frequency_mhz() == 2500
    monkeypatch.setattr(psutil, "cpu_freq", lambda percpu: [clock(0, 0, 0)])
    assert frequency_mhz() is None


def test_the_governor_is_that_of_the_usable_cpus(monkeypatch, tmp_path):
    for number, name in enumerate(("powersave", "performance", "performance")):
        folder = tmp_path / f"cpu{number}" / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_governor").write_text(f"{name}\n")
    for usable, expected in (([1, 2], "performance"), ([0, 1], "performance, powersave"), ([1, 3], None)):
        monkeypatch.setattr(cpu, "affinity", lambda usable=usable: usable)
        assert governor(tmp_path) == expected
