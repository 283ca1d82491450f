"""The mode ``eager_gpu``, on devices that run the host build."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from fake_device import Behaviour, FakeDevice
from run_data import write_examples

from harness.batt.loader import load_programs
from harness.config import make_config
from harness.gpu.interception import is_installed
from harness.run.eager import EagerMode
from harness.run.mode import Mode, ModeFailed
from harness.run.modes import make_mode
from harness.run.runner import execute, prepare
from harness.run.worker import Job, Outcome
from harness.run.workload import make_workload
from harness.samples import expand, load_tasks
from harness.vm import native

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))

CLEAN = """
from dsl import *

def solve_turns(I):
    return hmirror(rot90(I))

def solve_fails(I):
    return first(difference(palette(I), initset(SEVEN)))

def solve_overflows(I):
    return power(double, 70)(height(I))

def batt(task_id, S, I, C, log_path):
    return [(task_id, mapply(first, S))], [(1, log_path, rot90(I)), (2, "C", extract(p_g(I), positive))]
"""
ODD = """
from dsl import *

def solve_branches(I):
    if size(I) == 2:
        return I
    return rot90(I)

def solve_exits(I):
    raise SystemExit(str(rot90(I)))

def solve_loops(I):
    while True:
        pass
"""
TASKS = ["turns", "fails", "overflows", "branches", "exits", "loops"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("eager")
    (folder / "clean.py").write_text(CLEAN)
    (folder / "odd.py").write_text(ODD)
    write_examples(folder / "data.json", TASKS, 3)
    return folder


@pytest.fixture(scope="module")
def job(folder: Path) -> Job:
    tasks = load_tasks(str(folder / "data.json"))
    programs, _ = load_programs([str(folder / "clean.py"), str(folder / "odd.py")])
    return Job(make_workload(programs, tasks, expand(tasks, None, 0)), 0.5, 1.0)


def check_all(mode: Mode) -> dict[int, Outcome]:
    return {outcome.evaluation: outcome for outcomes in mode.check() for outcome in outcomes}


@pytest.fixture(scope="module")
def expected(job: Job) -> Iterator[dict[int, Outcome]]:
    mode = make_mode("sequential", job, 1)
    yield check_all(mode)
    mode.close()


def test_it_is_equal_to_the_reference_and_its_calls_ran_on_the_devices(job: Job, expected: dict[int, Outcome]) -> None:
    devices = [FakeDevice(0), FakeDevice(1)]
    mode = EagerMode(job, 2, devices)
    found = check_all(mode)
    assert not is_installed()
    assert {e: (o.status, o.digest, o.equal) for e, o in found.items()} == {
        e: (o.status, o.digest, o.equal) for e, o in expected.items()
    }
    reasons: dict[str, Counter[str | None]] = {}
    for e, outcome in found.items():
        name = job.workload.programs[job.workload.evaluations[e][0]].name
        reasons.setdefault(name, Counter())[outcome.fell_back] += 1
    assert reasons == {
        **{f"solve_{name}": {None: 3} for name in ("turns", "fails", "branches", "exits")},
        "solve_overflows": {"overflow": 3},
        "solve_loops": {"it does not finish in a worker process, so it is not run in this one": 3},
        "batt": {None: 18},
    }
    loops = frozenset(e for e, outcome in found.items() if outcome.status == "timeout")
    assert len(loops) == 3
    mode.prepare([0.001] * len(found), loops | {0})
    block = mode.block(2)
    assert block.evaluations == 2 * (len(found) - 4)
    assert 0 < block.busy_s <= 1.01 * block.wall_s * mode.workers
    assert sum(own.evaluations for own in block.devices) > block.evaluations
    counted = sum(own.counters[:, 0].sum() for own in block.devices)
    assert counted >= sum(own.evaluations for own in block.devices)
    mode.close()
    assert all(device.closed for device in devices)


def test_a_check_that_is_left_puts_everything_back(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.run.eager._CHECKED_TOGETHER", 1)
    mode = EagerMode(job, 2, [FakeDevice(0)])
    checking = iter(mode.check())  # which somebody still has, as a traceback may
    for outcomes in checking:
        if outcomes and outcomes[0].status != "timeout":
            break
    assert is_installed()
    mode.close()
    assert not is_installed()


def test_calls_are_gathered(job: Job) -> None:
    device = FakeDevice(0)
    mode = EagerMode(job, 2, [device])
    check_all(mode)
    assert sum(device.calls) > 2 * len(device.calls)
    mode.close()


def test_where_the_device_fails_the_evaluations_say_so_and_the_mode_fails(
    job: Job, expected: dict[int, Outcome]
) -> None:
    mode = EagerMode(job, 2, [FakeDevice(0, Behaviour(fail_at=1))])
    found = check_all(mode)
    assert {e: (o.status, o.digest) for e, o in found.items()} == {e: (o.status, o.digest) for e, o in expected.items()}
    assert sum("cuda:0: DeviceLost" in (o.fell_back or "") for o in found.values()) > len(found) / 2
    mode.prepare([0.001] * len(found), frozenset())
    with pytest.raises(ModeFailed, match="cuda:0: DeviceLost"):
        mode.block(1)
    assert not is_installed()
    mode.close()


def test_a_run_has_a_row_for_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.gpu.devices.unavailable", lambda: None)
    monkeypatch.setattr("harness.run.eager.open_devices", lambda: [FakeDevice(0)])
    config = make_config(
        {
            **{"data": str(folder / "data.json"), "programs": [str(folder / "clean.py")], "workers": 2},
            **{"modes": ["sequential", "eager_gpu"], "results_dir": str(folder / "results")},
            **{"min_block_s": 0.01, "min_blocks": 2, "max_blocks": 2, "min_mode_s": 0.01, "max_warmup_s": 0.1},
        },
        "here",
    )
    written = execute(config, prepare(config))
    modes = pd.read_parquet(written / "modes.parquet").set_index("mode")
    assert modes.loc["eager_gpu", ["status", "fell_back", "mismatches"]].tolist() == ["ran", 3, 0]
    assert modes.sampled["eager_gpu"] > 0
    assert modes.sampled_different["eager_gpu"] == 0
    opcodes = pd.read_parquet(written / "opcodes.parquet").set_index("opcode")
    assert (opcodes["mode"] == "eager_gpu").all()
    blocks = pd.read_parquet(written / "device_blocks.parquet")
    timed = pd.read_parquet(written / "blocks.parquet")
    timed = timed[timed["mode"] == "eager_gpu"]
    passes = timed.evaluations.sum() // 27
    assert opcodes.loc["hmirror", "executions"] == 3 * passes
    assert opcodes.loc["rot90", "executions"] == (3 + 18) * passes
    assert blocks.evaluations.sum() > timed.evaluations.sum()  # calls: most programs make several
