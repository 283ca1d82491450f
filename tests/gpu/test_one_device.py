"""GPU modes timed on one of several devices, too: what is recorded of that, and what it proves of how they scale."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fake_device import Behaviour, FakeDevice
from run_data import write_examples
from survive import differences, dying_after

from harness.batt.loader import load_programs
from harness.config import make_config
from harness.gpu.sharing import MultiDevice
from harness.report import mode_table, write_report
from harness.report.collection import collect
from harness.report.frames import load_run
from harness.report.index_plots import scaling_groups, scaling_over_devices
from harness.report.summary import read_summary
from harness.report.verify import Check, checks
from harness.run.eager import EagerMode
from harness.run.gpu import GpuMode
from harness.run.mode import ModeFailed
from harness.run.one_device import OneDevice
from harness.run.resume import ResumeRefused, resumed_config
from harness.run.rounds import Measured
from harness.run.runner import execute, prepare
from harness.run.worker import Job
from harness.run.workload import make_workload
from harness.samples import expand, load_tasks
from harness.vm import native

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))

SOURCE = """
from dsl import *

def solve_turns(I):
    return rot90(I)

def solve_mirrors(I):
    return hmirror(vmirror(I))

def solve_overflows(I):
    return power(double, 70)(height(I))
"""
TASKS = ["turns", "mirrors", "overflows"]
MODES = ["sequential", "parallel_gpu", "single_gpu"]
ONE = {"parallel_gpu": "single_gpu", "eager_gpu": "eager_single_gpu"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one_device")
    (folder / "mine.py").write_text(SOURCE)
    write_examples(folder / "data.json", TASKS, 3)
    return folder


@pytest.fixture(scope="module")
def job(folder: Path) -> Job:
    tasks = load_tasks(str(folder / "data.json"))
    programs, _ = load_programs([str(folder / "mine.py")])
    return Job(make_workload(programs, tasks, expand(tasks, 40, 0)), 5.0, 1.0)


@pytest.fixture
def execute_run(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Do a run on so many fake devices; the same call of ``devices`` makes them for a run that is continued."""
    monkeypatch.setattr("harness.gpu.devices.unavailable", lambda: None)

    def do(name: str = "run", devices: int = 2, **values: Any) -> Path:
        for module in ("gpu", "eager"):
            monkeypatch.setattr(f"harness.run.{module}.open_devices", lambda: [FakeDevice(k) for k in range(devices)])
        if "resume" in values:
            config = resumed_config(tmp_path / name, {})
        else:
            config = make_config(
                {
                    **{"data": str(folder / "data.json"), "programs": [str(folder / "mine.py")], "workers": 2},
                    **{
                        "samples_per_task": 40,
                        "modes": ["sequential", "parallel_gpu"],
                        "run_dir": str(tmp_path / name),
                    },
                    **{"min_block_s": 1e-6, "min_blocks": 3, "max_blocks": 3, "min_mode_s": 0.0, "max_warmup_s": 0.1},
                    **values,
                },
                "here",
            )
        return execute(config, prepare(config))

    return do


def of_mode(folder: Path, mode: str) -> dict[str, Check]:
    return {check.check: check for check in checks(load_run(folder)) if check.mode == mode}


@pytest.mark.parametrize("kind", [GpuMode, EagerMode])
def test_one_device_does_it_all_and_the_others_are_seen_to_do_nothing(
    job: Job, kind: type[GpuMode | EagerMode]
) -> None:
    devices = [FakeDevice(0), FakeDevice(1)]
    mode = kind(job, 2, devices)
    one = OneDevice(mode)
    assert one.name == ONE[mode.name]
    expected = {o.evaluation: (o.status, o.digest) for outcomes in mode.check() for o in outcomes}
    devices[1].calls.clear()
    assert {o.evaluation: (o.status, o.digest) for outcomes in one.check() for o in outcomes} == expected
    one.prepare([0.001] * len(expected), frozenset({0}))
    block = one.block(2)
    assert devices[1].calls == []
    assert block.evaluations == 2 * (len(expected) - 1)
    first, second = block.devices
    assert first.device == "cuda:0"
    assert first.counters[:, 0].sum() > 0
    assert (second.device, second.evaluations, second.usage.launches) == ("cuda:1", 0, 0)
    assert not second.counters.any()
    if kind is GpuMode:  # the calls of the other are too few for two
        sum_of_all = sum(own.counters[:, 0] for own in mode.block(2).devices)
        assert (sum_of_all == first.counters[:, 0]).all()
        assert devices[1].calls
    one.close()
    assert not devices[0].closed
    mode.close()
    assert devices[0].closed


def test_where_the_device_fails_there_are_no_more_blocks_of_it_alone(job: Job) -> None:
    devices = [FakeDevice(0), FakeDevice(1)]
    mode = GpuMode(job, 2, devices)
    one = OneDevice(mode)
    count = sum(len(outcomes) for outcomes in mode.check())
    mode.prepare([0.001] * count, frozenset())
    devices[0].behaviour.fail_at = 0
    with pytest.raises(ModeFailed, match="cuda:0, which is to work alone, failed: DeviceLost"):
        one.block(1)  # the other one has done it, which is no block of one device
    with pytest.raises(ModeFailed, match="cuda:0"):
        one.block(1)
    assert mode.block(1).devices[1].evaluations > 0
    assert OneDevice(mode).device.device == "cuda:1"
    mode.close()


@pytest.mark.parametrize("alone", [False, True])
def test_first_calls_that_are_left_early_leave_no_thread_at_work(job: Job, alone: bool) -> None:
    """When the time budget ends in them, other modes are still timed, on the same devices."""
    mode = EagerMode(job, 2, [FakeDevice(number, Behaviour(slowness_s=0.01)) for number in (0, 1)])
    checking = iter((OneDevice(mode) if alone else mode).check())
    assert isinstance(checking, Generator)
    next(checking)
    checking.close()
    assert [own.name for own in threading.enumerate() if own.name.startswith("eager_gpu")] == []
    mode.close()


def test_what_an_earlier_session_left_to_the_reference_stays_left_to_it(job: Job) -> None:
    mode = GpuMode(job, 2, [FakeDevice(0), FakeDevice(1)])
    fell_back = {o.evaluation: o.fell_back for outcomes in mode.check() for o in outcomes if o.fell_back}
    mode.close()
    again = GpuMode(job, 2, [FakeDevice(0), FakeDevice(1)])
    again.restore(fell_back)
    OneDevice(again).restore(dict(list(fell_back.items())[:1]))
    again.prepare([0.001] * len(job.workload.evaluations), frozenset())
    block = OneDevice(again).block(1)
    assert block.evaluations == len(job.workload.evaluations)
    assert block.devices[0].evaluations == block.evaluations - len(fell_back)
    again.close()


def test_a_run_times_both_in_turn_and_tells_how_they_scale(execute_run: Any) -> None:
    written = execute_run()
    modes = pd.read_parquet(written / "modes.parquet").set_index("mode")
    assert modes.index.tolist() == MODES
    assert modes.status.tolist() == ["ran"] * 3
    assert modes.workers.tolist() == [1, 2, 1]
    assert modes.mismatches.tolist() == [0, 0, 0]
    assert (modes.sampled[1:] > 0).all()
    assert (modes.warmup_blocks[1:] > 0).all()
    blocks = pd.read_parquet(written / "blocks.parquet")
    assert blocks.sort_values("t_s")["mode"].tolist() == MODES * 3
    devices = pd.read_parquet(written / "devices.parquet")
    assert devices.groupby("mode")["device"].apply(list).to_dict() == {
        "parallel_gpu": ["cuda:0", "cuda:1"],
        "single_gpu": ["cuda:0"],
    }
    done = pd.read_parquet(written / "device_blocks.parquet").groupby(["mode", "device"])["evaluations"].sum()
    assert done["single_gpu", "cuda:1"] == 0
    assert min(done["single_gpu", "cuda:0"], done["parallel_gpu", "cuda:0"], done["parallel_gpu", "cuda:1"]) > 0
    counted = pd.read_parquet(written / "opcodes.parquet").groupby(["mode", "device"])["executions"].sum()
    assert counted["single_gpu", "cuda:1"] == 0
    passes = blocks.groupby("mode")["passes"].sum()
    assert counted["single_gpu"].sum() * passes["parallel_gpu"] == pytest.approx(
        counted["parallel_gpu"].sum() * passes["single_gpu"],
        rel=0.2,  # what is drawn is done once more
    )

    own = of_mode(written, "single_gpu")
    for name in ("ran", "one_device", "device_executions", "outputs", "modules"):
        assert own[name].verdict == "pass", own[name]
    assert not {"expected_devices", "scaling_efficiency"} & own.keys()
    on_all = of_mode(written, "parallel_gpu")
    assert own["device_share"].value == pytest.approx(on_all["device_share"].value, rel=0.2)
    scaling = on_all["scaling_efficiency"]
    assert scaling.verdict in ("pass", "fail")
    assert isinstance(scaling.value, float)
    assert "2 devices are" in scaling.meaning

    table = mode_table(load_run(written)).set_index("mode")
    assert table.loc[["parallel_gpu", "single_gpu"], "devices"].tolist() == [2, 1]
    assert [read_summary(written).mode(mode).devices for mode in MODES] == [0, 2, 1]
    (group,) = scaling_groups(collect(written.parent)).values()
    assert {count: summary.mode for count, (summary, _) in group.items()} == {1: "single_gpu", 2: "parallel_gpu"}
    assert "scale with an efficiency of" in scaling_over_devices(collect(written.parent)).get_suptitle()
    page = write_report(written).read_text()
    for text in (page, (written / "report.md").read_text()):
        assert "3 blocks on all of 2 devices" in text
        assert "3 blocks on one device alone" in text


def test_calls_on_one_device_are_judged_as_those_on_all_are(execute_run: Any) -> None:
    """Devices do calls in both: what the host build executes is no measure of them, nor are evaluations."""
    written = execute_run(modes=["sequential", "native_cpu", "eager_gpu"])
    own, on_all = of_mode(written, "eager_single_gpu"), of_mode(written, "eager_gpu")
    for name in ("device_executions", "device_share", "device_evaluations"):
        assert own[name].verdict == on_all[name].verdict, (own[name], on_all[name])
    assert own["device_evaluations"].verdict == "skipped"
    assert own["device_share"].value == pytest.approx(on_all["device_share"].value, rel=0.2)
    assert own["one_device"].verdict == "pass"


@pytest.mark.parametrize("values", [{"single_device": False}, {"devices": 1}])
def test_without_several_devices_or_where_it_is_not_wanted_there_is_no_such_mode(
    execute_run: Any, values: dict[str, Any]
) -> None:
    written = execute_run(**values)
    for table in ("modes", "blocks", "devices", "device_blocks", "opcodes"):
        assert "single_gpu" not in set(pd.read_parquet(written / f"{table}.parquet")["mode"])
    scaling = of_mode(written, "parallel_gpu")["scaling_efficiency"]
    assert scaling.verdict == "skipped"
    assert scaling.meaning == (
        "There is one device."
        if "devices" in values
        else "No blocks were timed on one device as well as on all of them."
    )
    assert "one device alone" not in (write_report(written).parent / "report.md").read_text()


def test_blocks_of_one_device_that_all_took_part_in_are_found_out(
    execute_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that says so, while the devices' own counters say something else."""

    @contextmanager
    def not_at_all(_self: MultiDevice, _device: str) -> Iterator[None]:
        yield

    monkeypatch.setattr(MultiDevice, "alone", not_at_all)
    written = execute_run()
    found = of_mode(written, "single_gpu")["one_device"]
    assert found.verdict == "fail"
    assert found.meaning.startswith("cuda:1 took part in blocks that are said to be of cuda:0 alone: it counted ")
    scaling = of_mode(written, "parallel_gpu")["scaling_efficiency"]
    assert (scaling.verdict, scaling.value) == ("fail", None)
    assert "cuda:1 took part" in scaling.meaning


@pytest.mark.parametrize("blocks", [1, 2, 3, 5])
def test_a_run_goes_on_after_any_block(execute_run: Any, blocks: int) -> None:
    whole = execute_run("whole")
    with dying_after(blocks):
        execute_run("own")
    with pytest.raises(ResumeRefused, match="single_gpu was measured before, and cannot run now"):
        execute_run("own", devices=1, resume=True)
    own = execute_run("own", resume=True)
    found = pd.read_parquet(own / "blocks.parquet")
    assert found["mode"].tolist() == MODES * 3
    # How the devices share the work is a matter of time.
    wrong = [line for line in differences(whole, own) if line.partition(":")[0] not in ("device_blocks", "opcodes")]
    assert wrong == []
    assert of_mode(own, "single_gpu")["one_device"].verdict == "pass"
    assert of_mode(own, "parallel_gpu")["scaling_efficiency"].value is not None
    sessions = load_run(own).record["sessions"]
    assert sessions[-1]["next"] == f"block {blocks // 3} of {MODES[blocks % 3]}"


def test_ctrl_c_in_a_block_of_one_device_leaves_a_run_that_goes_on(
    execute_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(OneDevice, "block", interrupted)
        with pytest.raises(KeyboardInterrupt):
            execute_run()
    written = execute_run(resume=True)
    assert set(pd.read_parquet(written / "modes.parquet").status) == {"ran"}
    assert load_run(written).status == "complete"


def test_what_the_time_budget_has_no_room_for_is_skipped_and_unproven(
    execute_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    next_s = Measured.next_s
    monkeypatch.setattr(
        Measured, "next_s", lambda own, costs: 1e6 if own.mode.name == "single_gpu" else next_s(own, costs)
    )
    written = execute_run(time_budget_s=300.0)
    modes = pd.read_parquet(written / "modes.parquet").set_index("mode")
    assert modes.status.to_dict() == {"sequential": "ran", "parallel_gpu": "ran", "single_gpu": "skipped"}
    (ran,) = of_mode(written, "single_gpu").values()
    assert (ran.check, ran.verdict) == ("ran", "unproven")
    assert "time budget" in ran.meaning
    assert of_mode(written, "parallel_gpu")["scaling_efficiency"].verdict == "skipped"
