"""``python -m harness profile`` and its notebook: counts that are right, on the host and on devices."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from fake_device import FakeDevice
from run_data import write_examples

from harness.cli import main
from harness.config import ConfigError
from harness.profiling import ProfileOptions, describe, profile_programs
from harness.vm import native

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))

ROOT = Path(__file__).parents[2]
SOURCE = """
from dsl import *

def solve_turns(I):
    return rot90(rot180(I))

def solve_maps(I):
    return apply(lambda row: apply(increment, row), I)

def solve_branches(I):
    return I if size(I) else rot90(I)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("profile")
    (folder / "mine.py").write_text(SOURCE)
    write_examples(folder / "data.json", ["turns", "maps", "branches"], 3)
    return folder


@pytest.mark.parametrize("machine", ["native_cpu", "parallel_gpu"])
def test_calls_are_counted_on_the_host_and_on_devices(
    folder: Path, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.profiling.open_devices", lambda: [FakeDevice(0), FakeDevice(1)])
    options = ProfileOptions(machine, str(folder / "data.json"))
    found = profile_programs([str(folder / "mine.py")], options)
    rows = found.primitives.set_index("primitive")
    assert rows.loc[["rot90", "rot180"], "calls"].tolist() == [3, 3]
    assert rows.calls["increment"] == 4 + 9 + 1  # the cells of the three grids
    assert rows.calls["apply"] == 3 + 2 + 3 + 1  # the grids, and their rows
    assert rows.share.sum() == pytest.approx(1)
    assert rows.family["rot90"] == "grids"
    assert found.primitives.cycles.is_monotonic_decreasing
    assert (found.evaluations, found.programs) == (6, 2)
    (reason,) = found.left
    assert reason.startswith("untraceable: ")
    assert found.left.total() == 3
    assert found.devices in (("native_cpu",) if machine == "native_cpu" else ("cuda:0", "cuda:1", "cuda:0, cuda:1"))
    text = describe(found, 2)
    assert "more" in text
    assert "Not counted, since the machine left them to the reference: 3 evaluations" in text


def test_the_command_writes_json_and_says_what_is_wrong(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["profile", f"{folder / 'mine.py'}:solve_turns", "--data", str(folder / "data.json")]
    out = folder / "out.json"
    assert main([*words, "--json", str(out)]) == 0
    written = json.loads(out.read_text())
    assert written["evaluations"] == 3
    assert {row["primitive"]: row["calls"] for row in written["primitives"]}["rot90"] == 3
    assert "rot90" in capsys.readouterr().out
    assert main(["profile", str(folder / "mine.py"), "--data", str(folder / "data.json")]) == 1
    assert main(["profile", "no_such_module"]) == 2
    assert "nothing to evaluate" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="unknown machine 'parallel_gpus'; nearest: parallel_gpu"):
        profile_programs(["x"], ProfileOptions("parallel_gpus"))


def test_without_a_device_the_command_says_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HARNESS_GPUS", "none")
    words = ["profile", str(folder / "mine.py"), "--data", str(folder / "data.json"), "--machine", "parallel_gpu"]
    assert main(words) == 1
    assert "parallel_gpu cannot be used: $HARNESS_GPUS is 'none'; unset it" in capsys.readouterr().err


def test_the_notebook_runs(folder: Path) -> None:
    notebook = ROOT / "notebooks" / "profile.ipynb"
    book = nbformat.read(notebook, as_version=4)
    nbformat.validate(book)
    assert all(cell.cell_type != "code" or (cell.outputs == [] and cell.execution_count is None) for cell in book.cells)
    executed = folder / "executed.ipynb"
    parameters = {"programs": [str(folder / "mine.py")], "data": str(folder / "data.json")}
    code = "import papermill, sys, json; papermill.execute_notebook(*sys.argv[1:3], json.loads(sys.argv[3]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(notebook), str(executed), json.dumps(parameters)],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    text = executed.read_text()
    assert "6 evaluations of 2 programs on native_cpu" in text
    assert "image/png" in text
