"""Modules that hang, or end the process, while they are imported: they are rejected, and the others are run."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pandas as pd
import pytest
from run_data import write_examples

from harness.check import CheckOptions, check_programs
from harness.config import Config, make_config
from harness.run import imports
from harness.run.imports import load_screened
from harness.run.runner import execute, prepare

GOOD = "from dsl import *\ndef solve_good(I):\n    return rot90(I)\n"
BAD = {
    "exits": ("import os\nos._exit(0)\n", "its import ends the process, with exit code 0"),
    "killed": ("import os\nos.kill(os.getpid(), 9)\n", "its import ends the process, with signal SIGKILL"),
    "loops": ("while True:\n    pass\n", "its import takes more than 1 s"),
    "loops_in_c": ("x = sum(range(10**12))\n", "its import takes more than 1 s"),
    "brings_a_loop": ("import helper_loops\n", "its import takes more than 1 s"),
    "leaves": ("import sys\nsys.exit(0)\n", ".py:2: SystemExit: 0"),
    "interrupts": ("raise KeyboardInterrupt\n", "KeyboardInterrupt"),
    "allocates": ("x = bytearray(1 << 40)\n", "MemoryError"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(imports, "IMPORT_S", 1.0)
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "helper_loops.py").write_text("while True:\n    pass\n")
    write_examples(tmp_path / "data.json", ["good"], 2)
    return tmp_path


def test_each_is_rejected_by_what_it_does_and_those_behind_it_are_loaded(folder: Path) -> None:
    for name, (source, _) in BAD.items():
        (folder / f"{name}.py").write_text(source + GOOD)
    (folder / "busy.py").write_text("x = [n for n in range(10)]\n" + GOOD)  # not harmless at sight, but good
    files = [*BAD, "busy", "good"]
    programs, rejected = load_screened([str(folder / f"{name}.py") for name in files], 4.0)
    assert [Path(program.module).stem for program in programs] == ["busy", "good"]
    assert [(Path(row.module).stem, row.status) for row in rejected] == [(name, "import_failed") for name in BAD]
    for row, (_, message) in zip(rejected, BAD.values(), strict=True):
        assert message in row.detail
        assert row.module in row.detail
    assert not [child for child in multiprocessing.active_children() if "_import_all" in str(child)]


def test_harmless_modules_cost_no_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(imports, "get_context")
    programs, rejected = load_screened([str(folder / "good.py"), *Config().programs], 4.0)
    assert len(programs) > 300
    assert rejected == []


def test_check_lists_it(folder: Path) -> None:
    (folder / "exits.py").write_text("import os\nos._exit(0)\n")
    modules = [str(folder / "exits.py"), str(folder / "good.py")]
    result = check_programs(modules, CheckOptions(str(folder / "data.json")))
    assert result["engines"]["sequential"]["equal"] == 2
    (row,) = result["not_run"]
    assert (row["module"], row["status"]) == (modules[0], "import_failed")
    assert "ends the process" in row["reason"]


def test_what_a_module_prints_is_dropped(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "prints.py").write_text("print('here I am')\n" + GOOD)
    (program,), rejected = load_screened([str(folder / "prints.py")], 4.0)
    assert (program.name, rejected) == ("solve_good", [])
    print("after it")
    assert capfd.readouterr() == ("after it\n", "")


def test_a_run_goes_on_without_it(folder: Path) -> None:
    (folder / "loops.py").write_text("while True:\n    pass\n")
    config = make_config(
        {
            "data": str(folder / "data.json"),
            "programs": [str(folder / "loops.py"), str(folder / "good.py")],
            "modes": ["sequential"],
            "min_block_s": 0.02,
            "max_warmup_s": 0.1,
            "min_blocks": 2,
            "max_blocks": 2,
            "results_dir": str(folder / "results"),
        },
        "here",
    )
    run = execute(config, prepare(config))
    programs = pd.read_parquet(run / "programs.parquet")
    assert sorted(programs.status) == ["import_failed", "ok"]
