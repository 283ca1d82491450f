"""The benchmark notebook through papermill: the happy path, and the ways in which papermill makes a wreck look good."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pandas as pd
import papermill
import psutil
import pytest
from papermill.exceptions import PapermillExecutionError

from harness.cli import NOTEBOOK, main
from harness.config import Config
from harness.notebook import NotebookError, check_executed, config_from_parameters

TASK = "67a3c6ac"
SETTINGS = {
    "tasks": [TASK],
    "samples_per_task": 2,
    "programs": [f"harness.batt.solvers:solve_{TASK}"],
    "modes": ["sequential", "parallel_cpu", "parallel_gpu"],
    "workers": 2,
    "min_block_s": 0.02,
    "max_warmup_s": 0.1,
    "min_blocks": 2,
    "max_blocks": 3,
    "max_mode_s": 1.0,
}


def words(**changes: object) -> list[str]:
    """Write settings as words of a command line."""
    return [word for key, value in (SETTINGS | changes).items() for word in ("--set", f"{key}={json.dumps(value)}")]


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("notebook") / "tiny.yaml"
    path.write_text("")
    return path


def state(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text())


def test_the_parameters_cell_holds_every_key_with_its_default():
    book = nbformat.read(NOTEBOOK, as_version=4)
    (cell,) = [cell for cell in book.cells if "parameters" in cell.metadata.get("tags", [])]
    names: dict = {}
    exec(cell.source, names)
    names.pop("__builtins__")
    assert names == Config().model_dump()
    assert list(names) == list(Config.model_fields)
    comments = dict(re.findall(r"^(\w+) = (?:\[\n(?: .*\n)+\]|.*?)  # (.*)$", cell.source, re.MULTILINE))
    assert comments == {key: field.description for key, field in Config.model_fields.items()}


def test_the_notebook_is_kept_without_outputs():
    book = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(book)
    for cell in book.cells:
        assert cell.cell_type != "code" or (cell.outputs == [] and cell.execution_count is None)


@pytest.fixture(scope="module")
def executed(config) -> tuple[Path, subprocess.CompletedProcess]:
    folder = config.parent / "run"
    process = subprocess.run(
        [sys.executable, "-m", "harness", "notebook", config, "--out", folder, *words()],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    return folder, process


def test_the_happy_path(executed):
    folder, process = executed
    assert process.returncode == 0, process.stderr
    assert state(folder)["status"] == "complete"
    for name in ("benchmark.ipynb", "report.md", "dashboard.html", "config.yaml", "blocks.parquet", "plots"):
        assert (folder / name).exists(), name
    evaluations = pd.read_parquet(folder / "evaluations.parquet")
    assert len(evaluations) == 2
    assert evaluations.equal.all()
    modes = pd.read_parquet(folder / "modes.parquet").set_index("mode")
    assert modes.status.to_dict() == {"sequential": "ran", "parallel_cpu": "ran", "parallel_gpu": "skipped"}


def test_the_last_lines_are_the_table_that_matters_and_where_the_dashboard_is(executed):
    folder, process = executed
    last = [line for line in process.stdout.splitlines() if line][-6:]
    assert any(line.startswith("sequential") for line in last)
    assert any(line.startswith("parallel_cpu") for line in last)
    assert last[-1].endswith(str(folder / "dashboard.html"))
    assert process.stderr == ""  # no bars where nobody watches, no warnings


def test_the_executed_notebook_shows_the_results(executed):
    folder, _ = executed
    check_executed(folder / "benchmark.ipynb")
    book = nbformat.read(folder / "benchmark.ipynb", as_version=4)
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/svg+xml" in output.get("data", {}) for output in outputs)
    assert any("evaluations/s" in output.get("text", "") for output in outputs)
    assert not any(output.output_type == "stream" and output.name == "stderr" for output in outputs)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sampels_per_task": 3}, "unknown key 'sampels_per_task'; nearest: samples_per_task"),
        ({"workers": "2"}, "workers: '2' is refused"),
    ],
)
def test_papermill_by_itself_stops_at_parameters_that_are_wrong(tmp_path, parameters, message):
    results = tmp_path / "results"
    with pytest.raises(PapermillExecutionError) as caught:
        papermill.execute_notebook(
            str(NOTEBOOK),
            str(tmp_path / "out.ipynb"),
            parameters={**SETTINGS, "results_dir": str(results), **parameters},
            progress_bar=False,
        )
    assert caught.value.ename == "ConfigError"
    assert message in caught.value.evalue
    assert not results.exists()
    with pytest.raises(NotebookError, match="raised ConfigError"):
        check_executed(tmp_path / "out.ipynb")


def test_the_command_refuses_before_there_is_a_folder(config, tmp_path, capsys):
    out = tmp_path / "run"
    for wrong, message in ((["--set", "sampels_per_task=3"], "samples_per_task"), (["--set", "tasks=[x]"], "'x'")):
        assert main(["notebook", str(config), "--out", str(out), *words(), *wrong]) == 2
        assert message in capsys.readouterr().err
        assert not out.exists()


def broken_copy(path: Path, source: str) -> Path:
    """Copy the notebook up to where the run is done, put a cell behind it that breaks it, and one that never runs."""
    book = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    (run,) = [n for n, cell in enumerate(cells) if "execute(config, prepared)" in cell.source]
    cells = [cell for cell in cells[: run + 1] if "examine()" not in cell.source]
    book.cells = [*cells, *(nbformat.v4.new_code_cell(s) for s in (source, "print('the end')"))]
    nbformat.write(book, path)
    return path


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import sys\nsys.exit(0)", "(import sys) raised SystemExit: 0"),
        ("import os\nos._exit(1)", "its kernel died"),
        ("1 / 0", "ZeroDivisionError"),
    ],
    ids=["exit", "death", "error"],
)
def test_a_broken_notebook_makes_no_run_that_looks_complete(config, tmp_path, capfd, source, message):
    copy = broken_copy(tmp_path / "copy.ipynb", source)
    folder = tmp_path / "run"
    only_one = words(modes=["sequential"], profile=False)
    assert main(["notebook", str(config), "--out", str(folder), "--notebook", str(copy), *only_one]) == 1
    assert message in capfd.readouterr().err
    # All had been measured: a report of that is there, and says that the notebook is broken.
    assert len(pd.read_parquet(folder / "blocks.parquet")) >= 2
    assert state(folder)["status"] == "failed"
    assert message in state(folder)["error"]
    assert "failed" in (folder / "report.md").read_text()
    assert (folder / "dashboard.html").exists()
    with pytest.raises(NotebookError):
        check_executed(folder / "benchmark.ipynb")


def test_an_executed_notebook_is_judged_by_each_of_its_cells(tmp_path):
    path = tmp_path / "book.ipynb"

    def judge(**changes: object) -> None:
        cells = [nbformat.v4.new_code_cell(f"x = {n}", execution_count=n) for n in (1, 2, 3)]
        for cell in cells:
            cell.metadata["papermill"] = {"status": "completed", "exception": False}
        cells[1].metadata["papermill"] |= {k: v for k, v in changes.items() if k != "execution_count"}
        cells[1].execution_count = changes.get("execution_count", 2)
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        check_executed(path)

    judge()
    for wrong in ({"status": "pending"}, {"status": "running"}, {"exception": True}, {"execution_count": None}):
        with pytest.raises(NotebookError, match=r"cell 2 \(x = 2\) did not run to its end"):
            judge(**wrong)


def test_parameters_are_told_from_what_else_is_in_a_notebook():
    names = {"In": [""], "Out": {}, "_": 1, "__name__": "x", "get_ipython": print, "seed": 4, "json": json}
    assert config_from_parameters(names).seed == 4


def test_ctrl_c_ends_the_notebook_its_kernel_and_its_workers(config, tmp_path):
    folder = tmp_path / "run"
    endless = words(max_mode_s=600.0, max_blocks=10**6, precision=0.0001)
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "notebook", config, "--out", folder, *endless],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + 120
        while not (folder / "blocks.parquet").exists():
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) >= 3  # the kernel, and its workers
        os.kill(process.pid, signal.SIGINT)  # papermill alone: the kernel is in a session of its own
        out, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "interrupted" in out
    assert state(folder)["status"] == "interrupted"
    assert "interrupted" in (folder / "report.md").read_text()
    assert (folder / "dashboard.html").exists()
    _, alive = psutil.wait_procs(family, timeout=30)
    assert [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []
