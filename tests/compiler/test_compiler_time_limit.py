"""Programs that loop without end while they are traced are refused, and nothing else is disturbed by that."""

from __future__ import annotations

import gc
import signal
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from harness.batt.loader import Program, load_programs
from harness.compiler import Untraceable, time_limit, trace

SOURCE = """
from dsl import *

def solve_loops(I):
    while True:
        pass

def solve_catches(I):
    while True:
        try:
            I = rot90(I)
        except Exception:
            pass

def solve_makes_garbage(I):
    for _ in range(300):
        x = [[], [[]]]
        x.append(x)
    return rot90(I)

def solve_takes_a_while(I):
    for _ in range(3_000_000):
        pass
    return rot90(I)
"""


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Program]:
    (tmp_path / "endless.py").write_text(SOURCE)

    def one(name: str) -> Program:
        ((program,), _) = load_programs([f"{tmp_path / 'endless.py'}:{name}"])
        return program

    return one


@pytest.fixture
def alarms() -> list[int]:
    """What a handler of somebody else's gets of the alarm, which it has set."""
    seen: list[int] = []

    def ring(number: int, frame: FrameType | None) -> None:
        seen.append(number)

    before = signal.signal(signal.SIGALRM, ring)
    yield seen
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


# The alarm may ring inside a callback of the garbage collector, which swallows what is raised; it rings again.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("name", "lines"), [("solve_loops", (5, 6)), ("solve_catches", (9, 10, 11, 12, 13))])
def test_an_endless_loop_is_refused_with_its_line(load, monkeypatch, name, lines):
    monkeypatch.setattr(time_limit, "MOST_SECONDS", 0.2)
    before = signal.getsignal(signal.SIGALRM)
    start = time.monotonic()
    with pytest.raises(Untraceable, match=r"does not end: it ran past 0.2 s") as refused:
        trace(load(name))
    assert time.monotonic() - start < 10
    assert refused.value.file.endswith("endless.py")
    assert refused.value.line in lines
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.getsignal(signal.SIGALRM) == before


def test_what_python_does_about_garbage_is_no_reason_to_refuse(load):
    seen: list[str] = []

    class Lost:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            seen.append("lost")

    def collected(phase: str, _: object) -> None:
        seen.append(phase)

    weak = weakref.WeakSet()
    weak.add(lost := Lost())
    del lost
    gc.callbacks.append(collected)
    threshold = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        assert trace(load("solve_makes_garbage")).results
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(collected)
    assert {"start", "stop", "lost"} <= set(seen)
    assert not weak


def test_somebody_elses_alarm_is_left_alone_and_no_reason_to_refuse(load, monkeypatch, alarms):
    monkeypatch.setattr(time_limit, "MOST_SECONDS", 0.001)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    assert trace(load("solve_takes_a_while")).results
    assert alarms
    assert signal.getitimer(signal.ITIMER_REAL)[1] > 0
