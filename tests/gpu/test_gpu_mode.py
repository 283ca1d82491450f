"""The mode ``parallel_gpu``, on devices that run the host build: equal to the reference, and honest about what ran."""

from __future__ import annotations

import json
import weakref
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fake_device import Behaviour, FakeDevice, no_counters
from run_data import write_examples

from harness.batt.loader import load_programs
from harness.check import CheckOptions, check_programs
from harness.config import make_config
from harness.gpu.device import DeviceError
from harness.run.gpu import GpuMode
from harness.run.mode import Mode, ModeFailed
from harness.run.modes import make_mode
from harness.run.runner import execute, prepare
from harness.run.schema import TABLES
from harness.run.worker import Draw, Job, Outcome
from harness.run.workload import make_workload
from harness.samples import expand, load_tasks
from harness.vm import native
from harness.vm.engine import Engine, Evaluation

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))

SOURCE = """
from dsl import *

def solve_turns(I):
    return rot90(I)

def solve_fails(I):
    return first(difference(palette(I), initset(SEVEN)))

def solve_branches(I):
    if size(I) == 2:
        return I
    return rot90(I)

def solve_overflows(I):
    return power(double, 70)(height(I))

def batt(task_id, S, I, C, log_path):
    return [(task_id, mapply(first, S))], [(1, log_path, rot90(I)), (2, "C", extract(p_g(I), positive))]
"""
TASKS = ["turns", "fails", "branches", "overflows"]
ALL = 24  # evaluations: 3 samples of each task, for its solver and for the batt


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpu")
    (folder / "mine.py").write_text(SOURCE)
    write_examples(folder / "data.json", TASKS, 3)
    return folder


@pytest.fixture(scope="module")
def job(folder: Path) -> Job:
    tasks = load_tasks(str(folder / "data.json"))
    programs, _ = load_programs([str(folder / "mine.py")])
    return Job(make_workload(programs, tasks, expand(tasks, None, 0)), 5.0, 1.0)


def check_all(mode: Mode) -> dict[int, Outcome]:
    return {outcome.evaluation: outcome for outcomes in mode.check() for outcome in outcomes}


@pytest.fixture(scope="module")
def expected(job: Job) -> Iterator[dict[int, Outcome]]:
    mode = make_mode("sequential", job, 1)
    yield check_all(mode)
    mode.close()


def same(found: dict[int, Outcome], expected: dict[int, Outcome]) -> None:
    assert {e: (o.status, o.digest, o.equal) for e, o in found.items()} == {
        e: (o.status, o.digest, o.equal) for e, o in expected.items()
    }


def test_it_is_equal_to_the_reference_and_says_what_it_left_to_it(job: Job, expected: dict[int, Outcome]) -> None:
    devices = [FakeDevice(0), FakeDevice(1)]
    mode = GpuMode(job, 2, devices)
    found = check_all(mode)
    same(found, expected)
    reasons = Counter((o.fell_back or "").partition(":")[0] for o in found.values())
    assert reasons == {"": len(expected) - 6, "untraceable": 3, "overflow": 3}
    mode.prepare([found[e].seconds for e in range(len(found))], frozenset({0}))
    block = mode.block(2)
    assert block.evaluations == 2 * (len(expected) - 1)
    assert sum(own.evaluations for own in block.devices) == 2 * (len(expected) - 1 - 6)
    assert [own.device for own in block.devices] == ["cuda:0", "cuda:1"]
    assert sum(own.counters[:, 0].sum() for own in block.devices) > 0
    assert mode.workers == 2
    assert 0 < block.busy_s <= 1.01 * block.wall_s * 4
    mode.close()
    assert all(device.closed for device in devices)


def test_a_block_keeps_what_one_pass_gave_and_not_all(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block may have thousands of passes, and memory that is new is slow."""
    mode = GpuMode(job, 1, [FakeDevice(0)])
    count = len(check_all(mode))
    mode.prepare([0.001] * count, frozenset())
    evaluate, made, alive = Engine.evaluate, [], []

    def watched(*arguments: Any, **options: Any) -> Evaluation:
        alive.append(sum(own() is not None for own in made))
        found = evaluate(*arguments, **options)
        made.append(weakref.ref(found))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Engine, "evaluate", watched)
        block = mode.block(9, Draw(frozenset({0, 3}), 4))
    mode.close()
    assert block.evaluations == 9 * count + 2
    assert len(made) == 10  # and what was drawn
    assert max(alive) <= 3


def test_where_a_device_fails_the_other_goes_on(job: Job, expected: dict[int, Outcome]) -> None:
    mode = GpuMode(job, 2, [FakeDevice(0, Behaviour(slowness_s=0.001)), FakeDevice(1, Behaviour(fail_at=1))])
    same(check_all(mode), expected)
    mode.prepare([0.001] * len(expected), frozenset())
    for _ in range(20):
        block = mode.block(1)
        if mode.machine.failures:
            break
    (failure,) = mode.machine.failures
    assert failure.device == "cuda:1"
    assert sum(own.evaluations for own in block.devices) == len(expected) - 6
    mode.close()


def test_where_all_devices_fail_the_mode_fails(job: Job, expected: dict[int, Outcome]) -> None:
    mode = GpuMode(job, 2, [FakeDevice(0, Behaviour(fail_at=0))])
    found = check_all(mode)
    same(found, expected)  # by the reference, and marked as that
    assert all(outcome.fell_back is not None for outcome in found.values())
    assert sum((o.fell_back or "").startswith("no device: no device is left") for o in found.values()) > 0
    mode.prepare([0.001] * len(expected), frozenset())
    with pytest.raises(ModeFailed, match="cuda:0: DeviceLost"):
        mode.block(1)
    mode.close()
    with pytest.raises(DeviceError, match="no device is left"):
        GpuMode(job, 2, [FakeDevice(0, Behaviour(fail_to_add=True))])


def test_a_block_in_which_the_devices_leave_something_undone_is_no_measurement(
    job: Job, expected: dict[int, Outcome]
) -> None:
    device = FakeDevice(0)
    mode = GpuMode(job, 2, [device])
    same(check_all(mode), expected)
    mode.prepare([0.001] * len(expected), frozenset())
    mode.block(1)
    device.behaviour.most_pairs = 0
    with pytest.raises(ModeFailed, match="were not handled in a timed block"):
        mode.block(1)
    mode.close()


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, devices: list[FakeDevice], **values: Any) -> Path:
    monkeypatch.setattr("harness.gpu.devices.unavailable", lambda: None)
    monkeypatch.setattr("harness.run.gpu.open_devices", lambda: devices)
    config = make_config(
        {
            **{"data": str(folder / "data.json"), "programs": [str(folder / "mine.py")], "workers": 2},
            **{"modes": ["sequential", "parallel_gpu"], "results_dir": str(folder / "results")},
            **{"min_block_s": 0.01, "min_blocks": 2, "max_blocks": 2, "min_mode_s": 0.01, "max_warmup_s": 0.1},
            **{"accuracy_samples": 0},
            **values,
        },
        "here",
    )
    return execute(config, prepare(config))


def test_a_run_writes_what_each_device_did(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = run(folder, monkeypatch, [FakeDevice(0), FakeDevice(1, multiprocessors=2)])
    tables = TABLES.keys() - {"gpu_samples"}  # there is no NVML
    frames = {name: pd.read_parquet(written / f"{name}.parquet") for name in tables}
    for name in tables:
        assert {column: str(dtype) for column, dtype in frames[name].dtypes.items()} == TABLES[name]
        if "mode" in frames[name]:  # tests/gpu/test_one_device.py looks at the blocks of one device
            frames[name] = frames[name][frames[name]["mode"] != "single_gpu"]
    modes = frames["modes"].set_index("mode")
    assert modes.loc["parallel_gpu", ["status", "workers", "fell_back", "mismatches"]].tolist() == ["ran", 2, 6, 0]
    devices = frames["devices"]
    assert devices.device.tolist() == ["cuda:0", "cuda:1"]
    assert devices.multiprocessors.tolist() == [1, 2]
    assert devices.failure.isna().all()
    assert devices.counters.all()
    blocks = frames["device_blocks"]
    assert blocks.groupby("block").size().tolist() == [2, 2]
    timed = frames["blocks"][frames["blocks"]["mode"] == "parallel_gpu"].set_index("block")
    passes = timed.evaluations // ALL
    done = blocks.groupby("block").evaluations.sum()
    assert (done == passes * (ALL - 6)).all()  # but for what the reference did
    assert (blocks.groupby("block").launches.sum() >= 2).all()
    assert (blocks.kernel_s >= 0).all()
    opcodes = frames["opcodes"].set_index(["device", "opcode"])
    turns = opcodes.loc[:, "executions"].unstack(0).loc["rot90"]
    assert turns.sum() == 15 * passes.sum()  # solve_turns on 3 samples, the batt on 12
    assert opcodes.loc[("cuda:0", "rot90"), "instructions"] == 2
    assert "parallel_gpu" in set(frames["primitives"]["mode"])


def test_what_only_passes_through_a_device_leaves_its_counters_at_zero(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lie 2 of DESIGN.md: data goes there and back, there are launches, and something else computes."""
    written = run(folder, monkeypatch, [FakeDevice(0, Behaviour(counters=no_counters()))])
    blocks = pd.read_parquet(written / "device_blocks.parquet")
    assert (blocks.launches > 0).all()
    assert (blocks.bytes_from_device > 0).all()
    opcodes = pd.read_parquet(written / "opcodes.parquet")
    assert (opcodes.instructions > 0).all()
    assert (opcodes.executions == 0).all()


def test_outputs_of_timed_blocks_are_those_of_the_reference(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = run(folder, monkeypatch, [FakeDevice(0), FakeDevice(1)], accuracy_samples=5)
    modes = pd.read_parquet(written / "modes.parquet").set_index("mode")
    assert modes.sampled["parallel_gpu"] > 0
    assert modes.sampled_different["parallel_gpu"] == 0


OLD = """
def batch_rot90(grid):
    return tuple(zip(*grid[::-1]))
"""


def test_a_program_that_brings_a_gpu_module_of_its_own_is_not_measured_as_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lie 3: what computes is another module than the one that is measured."""
    (tmp_path / "gpu_optimizations.py").write_text(OLD)
    source = "from dsl import *\nfrom gpu_optimizations import batch_rot90\n"
    (tmp_path / "mine.py").write_text(source + "def solve_turns(I):\n    return batch_rot90(I)\n")
    write_examples(tmp_path / "data.json", ["turns"], 3)
    device = FakeDevice(0)
    written = run(tmp_path, monkeypatch, [device], modes=["parallel_gpu"], programs=[str(tmp_path / "mine.py")])
    (mode,) = pd.read_parquet(written / "modes.parquet").to_dict("records")
    assert mode["fell_back"] == 3
    (reason,) = json.loads(mode["fell_back_reasons"])
    assert "gpu_optimizations.py:3: " in reason
    assert sum(device.calls) == 0
    assert pd.read_parquet(written / "device_blocks.parquet").evaluations.sum() == 0
    assert len(pd.read_parquet(written / "opcodes.parquet")) == 0


@pytest.mark.parametrize("fail_at", [0, 3])
def test_a_run_in_which_the_device_fails_does_not_say_that_it_ran(
    folder: Path, monkeypatch: pytest.MonkeyPatch, fail_at: int
) -> None:
    written = run(folder, monkeypatch, [FakeDevice(0, Behaviour(fail_at=fail_at))])
    modes = pd.read_parquet(written / "modes.parquet").set_index("mode")
    assert modes.status.to_dict() == {"sequential": "ran", "parallel_gpu": "failed"}
    assert "cuda:0: DeviceLost" in modes.reason["parallel_gpu"]
    state = json.loads((written / "run.json").read_text())
    assert state["status"] == "complete"
    assert any("cuda:0 failed" in warning for warning in state["warnings"])
    devices = pd.read_parquet(written / "devices.parquet")
    assert devices.failure.tolist() == ["DeviceLost: it fell off the bus"]
    if fail_at == 0:
        assert modes.fell_back["parallel_gpu"] == ALL
        assert (pd.read_parquet(written / "opcodes.parquet").executions == 0).all()


def test_a_device_that_cannot_be_given_programs_makes_the_mode_skipped(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = run(folder, monkeypatch, [FakeDevice(0, Behaviour(fail_to_add=True))])
    modes = pd.read_parquet(written / "modes.parquet").set_index("mode")
    assert modes.status.to_dict() == {"sequential": "ran", "parallel_gpu": "skipped"}
    assert "no device is left" in modes.reason["parallel_gpu"]
    result = check_programs(
        [str(folder / "mine.py")], CheckOptions(str(folder / "data.json"), engines=("parallel_gpu",), workers=1)
    )
    assert "no device is left" in result["engines"]["parallel_gpu"]["skipped"]
