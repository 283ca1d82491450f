"""`python -m harness run` and `report`: exit codes, what is printed, and Ctrl-C in the middle of a run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psutil
import pytest

from harness.cli import main
from harness.config import read_config
from harness.dsl import rot90

GRIDS = [((1, 2), (3, 4)), ((0, 0, 5), (0, 5, 0))]


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    examples = [{"input": grid, "output": rot90(grid)} for grid in GRIDS]
    (folder / "data.json").write_text(json.dumps({"turn": examples, "slow": examples}))
    (folder / "mine.py").write_text(
        "from dsl import *\ndef solve_turn(I):\n    return rot90(I)\ndef solve_gone(I):\n    return I\n"
    )
    (folder / "slow.py").write_text("import time\ndef solve_slow(I):\n    time.sleep(600)\n")
    path = folder / "tiny.yaml"
    path.write_text(
        f"data: {folder / 'data.json'}\nprograms: [{folder / 'mine.py'}, {folder / 'broken.py'}]\n"
        "modes: [sequential, parallel_cpu, parallel_gpu]\nworkers: 2\n"
        "max_warmup_s: 0.1\n"
        f"min_block_s: 0.02\nmin_blocks: 2\nmax_blocks: 4\nmax_mode_s: 1.0\nresults_dir: {folder / 'results'}\n"
    )
    (folder / "broken.py").write_text("from dsl import *\nx = rot9\n")
    return path


@pytest.fixture(scope="module")
def run(config) -> tuple[subprocess.CompletedProcess, Path]:
    process = subprocess.run(
        [sys.executable, "-m", "harness", "run", config, "--set", "samples_per_task=4", "--set", "seed=5"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    (folder,) = (config.parent / "results").iterdir()
    return process, folder


def test_a_run_ends_with_the_table_and_the_dashboard(run):
    process, folder = run
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    assert folder.name.endswith("-tiny")
    lines = [line for line in process.stdout.splitlines() if line]
    assert lines[-1].endswith("dashboard.html")
    assert str(folder) in lines[-1]
    table = {line.split()[0]: line for line in lines[-8:]}
    assert {"mode", "sequential", "parallel_cpu", "parallel_gpu"} <= table.keys()
    assert "skipped" in table["parallel_gpu"]
    assert all((folder / name).exists() for name in ("report.md", "dashboard.html", "plots", "primitives.parquet"))


def test_the_run_is_of_the_configuration_with_its_changes(run, config):
    _, folder = run
    settings = read_config(folder / "config.yaml")
    assert (settings.name, settings.samples_per_task, settings.seed) == ("tiny", 4, 5)
    asked = read_config(config, {"samples_per_task": 4, "seed": 5})
    assert settings.model_dump(exclude={"results_dir"}) == asked.model_dump(exclude={"results_dir"})
    assert len(pd.read_parquet(folder / "evaluations.parquet")) == 4


def test_what_cannot_run_is_a_row_and_the_run_goes_on(run):
    _, folder = run
    programs = pd.read_parquet(folder / "programs.parquet")
    assert list(programs.status) == ["ok", "no_samples", "import_failed"]
    assert "broken.py:2: NameError: name 'rot9' is not defined; nearest: rot90" in programs.detail.iloc[2]
    assert "broken.py" in (folder / "report.md").read_text()


def test_a_report_is_made_again_from_its_folder(run, capsys):
    process, folder = run
    (folder / "report.md").unlink()
    (folder / "dashboard.html").unlink()
    assert main(["report", str(folder)]) == 0
    assert (folder / "report.md").exists()
    assert (folder / "dashboard.html").exists()
    assert capsys.readouterr().out.strip() == process.stdout.strip()


def test_a_folder_that_holds_a_run_is_never_overwritten(run, config, capsys):
    _, folder = run
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert main(["run", str(config), "--out", str(folder)]) == 2
    assert "holds a run already" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["run", "{}/tny.yaml"], ["cannot be read", "nearest: ", "tiny.yaml"]),
        (["run", "{}/tiny.yaml", "--set", "sampels_per_task=3"], ["unknown key", "nearest: samples_per_task"]),
        (["run", "{}/tiny.yaml", "--set", "workers"], ["--set workers", "key=value"]),
        (["run", "{}/tiny.yaml", "--set", "workers='2'"], ["workers: '2' is refused"]),
        (["run", "{}/tiny.yaml", "--set", "data=gone.json"], ["gone.json", "no such file"]),
        (["run", "{}/tiny.yaml", "--set", "programs=[gone.py]"], ["none to run", "gone.py"]),
        (["run", "{}/tiny.yaml", "--set", "tasks=[trun]"], ["'trun'", "nearest: turn"]),
        (["run", "{}/tiny.yaml", "--out", "{}/mine.py"], ["mine.py"]),
        (["run", "{}/tiny.yaml", "--set", "results_dir={}/mine.py/x"], ["mine.py"]),
        (["report", "{}/gone"], ["gone"]),
        (["report", "{}"], ["cli"]),
    ],
)
def test_what_is_asked_for_wrongly(config, capsys, words, parts):
    assert main([word.format(config.parent) for word in words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert all(part in captured.err for part in parts), captured.err


@pytest.mark.parametrize("words", [[], ["rum"], ["run"], ["check"], ["run", "a.yaml", "--outt", "x"]])
def test_words_that_are_no_command(capsys, words):
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
    assert "usage: python -m harness" in capsys.readouterr().err


def test_every_command_has_help(capsys):
    for command in ("run", "notebook", "check", "report", "verify", "compare", "dashboard", "doctor", "generate"):
        with pytest.raises(SystemExit) as left:
            main([command, "--help"])
        assert left.value.code == 0
        assert f"python -m harness {command}" in capsys.readouterr().out


def interrupt(words: list[object], ready: Callable[[list[psutil.Process]], bool]) -> tuple[int, str, str]:
    """Run a command in a session of its own, press Ctrl-C as soon as it is ready, and see that nothing is left."""
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + 60
        parent = psutil.Process(process.pid)
        while not ready(parent.children(recursive=True)):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < end
            time.sleep(0.02)
        family = parent.children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
        out, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert family
    _, alive = psutil.wait_procs(family, timeout=30)
    assert [p for p in alive if p.status() != psutil.STATUS_ZOMBIE] == []
    return process.returncode, out, errors


def test_ctrl_c_in_timed_blocks_leaves_a_report_of_what_was_measured(config, tmp_path):
    folder = tmp_path / "run"
    endless = ["--set", "max_mode_s=600", "--set", "max_blocks=1000000", "--set", "precision=0.0001"]
    code, out, errors = interrupt(
        ["run", config, "--out", folder, *endless], lambda _: (folder / "blocks.parquet").exists()
    )
    assert code == 130
    assert errors == ""
    assert "interrupted" in out
    state = json.loads((folder / "run.json").read_text())
    assert state["status"] == "interrupted"
    assert state["finished"]
    assert "interrupted" in (folder / "report.md").read_text()
    assert (folder / "dashboard.html").exists()
    assert len(pd.read_parquet(folder / "blocks.parquet")) >= 1
    assert set(pd.read_parquet(folder / "modes.parquet").status) == {"interrupted", "skipped"}
    assert not list(folder.glob(".*"))  # no temporary file


def test_ctrl_c_in_first_calls_leaves_a_report_that_says_so(config, tmp_path):
    folder = tmp_path / "run"
    words = ["run", config, "--out", folder, "--set", f"programs=[{config.parent / 'slow.py'}]"]

    def at_work(family: list[psutil.Process]) -> bool:
        return any("spawn_main" in " ".join(p.cmdline()) and sum(p.cpu_times()[:2]) > 0 for p in family)

    code, out, _ = interrupt(
        [*words, "--set", "program_timeout_s=500"],
        lambda family: (folder / "modes.parquet").exists() and at_work(family),
    )
    assert code == 130
    assert "interrupted" in out
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
    assert (folder / "dashboard.html").exists()
    assert not (folder / "blocks.parquet").exists()


def test_what_takes_long_to_import_is_imported_where_it_is_used():
    imports = "import sys, harness.cli, harness.run.runner, harness.notebook, harness.report"
    subprocess.run([sys.executable, "-c", f"{imports}; assert 'scipy' not in sys.modules"], check=True, timeout=120)
