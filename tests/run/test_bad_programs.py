"""One real run over programs that do all that a program should not: each costs its own evaluations only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
import pytest
from run_data import write_examples

from harness.config import make_config
from harness.run.runner import execute, prepare

SAMPLES = 2
MODES = ("sequential", "parallel_cpu")
SOURCE = """
import ctypes, os, sys
from dsl import *
from constants import *

def solve_good1(I):
    return rot90(I)

def solve_exits(I):
    os._exit(3)

def solve_segfaults(I):
    return ctypes.string_at(0) if I == ((1, 2), (3, 4)) else rot90(I)

def solve_good2(I):
    return vmirror(dmirror(I))

def solve_loops(I):
    while I == ((1, 2), (3, 4)):
        pass
    return rot90(I)

def solve_loops_in_c(I):
    # No signal handler runs while sum does.
    return sum(range(10**12)) if I == ((1, 2), (3, 4)) else rot90(I)

def solve_swallows(I):
    while I == ((1, 2), (3, 4)):
        try:
            while True:
                pass
        except BaseException:
            pass
    return rot90(I)

def solve_allocates(I):
    blocks = []
    while True:
        blocks.append(bytearray(1 << 30))

def solve_good3(I):
    return rot90(grid=I)

def solve_raises(I):
    x1 = first(I)
    return first(frozenset())

def solve_typo(I):
    return rot9(I)

def solve_recurses(I):
    return solve_recurses(I)

def solve_interrupts(I):
    raise KeyboardInterrupt

def solve_leaves(I):
    sys.exit(0)

class Broken(Exception):
    def __str__(self):
        return 1 / 0

def solve_broken(I):
    raise Broken

def solve_surrogates(I):
    raise ValueError("\\ud800" * 1000)

def solve_reads(I):
    return input("?")

def solve_prints(I):
    print("x" * 10**6)
    return rot90(I)

def solve_returns_strange(I):
    return {1: object()}

def solve_wrong(I):
    return I

def solve_good4(I):
    return rot90(I)
"""
NAMES = [line.partition("solve_")[2].partition("(")[0] for line in SOURCE.splitlines() if line.startswith("def solve_")]
GOOD = ["good1", "good2", "good3", "good4", "prints"]
FAILED = {
    "allocates": "MemoryError",
    "raises": "ValueError: ",
    "typo": "NameError: name 'rot9' is not defined; nearest: rot90",
    "recurses": "RecursionError",
    "interrupts": "KeyboardInterrupt",
    "leaves": "SystemExit: 0",
    "broken": "Broken: its message raises ZeroDivisionError",
    "surrogates": "ValueError: \\ud800",
    "reads": "EOFError",
    "returns_strange": "TypeError: dict is not a DSL value",
}


@dataclass
class Done:
    folder: Path
    children_left: list[psutil.Process]

    def frame(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.folder / f"{name}.parquet")

    def outcomes(self, task: str) -> pd.DataFrame:
        rows = self.frame("evaluations")
        return rows[rows.task == task].sort_values("sample")


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Done:
    folder = tmp_path_factory.mktemp("bad")
    (folder / "bad.py").write_text(SOURCE)
    (folder / "unimportable.py").write_text("import no_such_module")
    config = make_config(
        {
            "data": str(write_examples(folder / "data.json", [name for name in NAMES if name != "good4"], SAMPLES)),
            "programs": [str(folder / "bad.py"), str(folder / "unimportable.py")],
            "modes": [*MODES, "parallel_gpu"],
            "workers": 2,
            "worker_memory_gb": 0.5,
            "program_timeout_s": 0.4,
            "min_block_s": 0.02,
            "max_warmup_s": 0.1,
            "min_blocks": 3,
            "max_blocks": 4,
            "max_mode_s": 30.0,
            "results_dir": str(folder / "results"),
        },
        "here",
    )
    before = set(psutil.Process().children(recursive=True))
    run_folder = execute(config, prepare(config))
    left = [
        child
        for child in set(psutil.Process().children(recursive=True)) - before
        if "resource_tracker" not in " ".join(child.cmdline())  # of multiprocessing: one for good
    ]
    return Done(run_folder, left)


def test_the_run_is_complete_and_leaves_no_process(done):
    state = json.loads((done.folder / "run.json").read_text())
    assert (state["status"], state["error"]) == ("complete", None)
    assert {"load", "first_calls", "timed", "profile"} <= set(state["phase_seconds"])
    assert done.children_left == []


def test_every_evaluation_has_one_row(done):
    rows = done.frame("evaluations")
    assert len(rows) == (len(NAMES) - 1) * SAMPLES
    assert not rows.duplicated(["program", "sample"]).any()
    assert list(rows.digest.notna()) == list(rows.status == "ok")


@pytest.mark.parametrize("task", [task for task in GOOD if task != "good4"])
def test_good_programs_are_not_harmed(done, task):
    rows = done.outcomes(task)
    assert list(rows.status) == ["ok"] * SAMPLES
    assert rows.equal.all()
    assert rows.error.isna().all()


def test_a_wrong_program_is_ok_but_not_equal(done):
    rows = done.outcomes("wrong")
    assert list(rows.status) == ["ok"] * SAMPLES
    assert not rows.equal.any()


@pytest.mark.parametrize("task", FAILED)
def test_programs_that_raise_have_failed(done, task):
    rows = done.outcomes(task)
    assert list(rows.status) == ["failed"] * SAMPLES
    assert not rows.equal.any()
    assert rows.error.str.contains(FAILED[task], regex=False).all(), list(rows.error)
    assert (rows.error.str.len() <= 500).all()
    if task != "returns_strange":  # which raised outside of its module
        assert rows.error.str.contains(r"\(line \d+\)$").all()


def test_programs_that_take_their_process_along_have_died(done):
    for rows in (done.outcomes("exits"), done.outcomes("segfaults").head(1)):
        assert set(rows.status) == {"died"}
        assert rows.error.str.contains("its process died").all()
        assert rows.seconds.isna().all()


@pytest.mark.parametrize(
    ("task", "status", "error"),
    [
        ("segfaults", "died", "its process died"),
        ("loops", "timeout", "ran past 0.4 s"),
        ("loops_in_c", "timeout", "ran past 0.4 s where no signal reached it, and was killed"),
        ("swallows", "timeout", "ran past 0.4 s where no signal reached it, and was killed"),
    ],
)
def test_an_evaluation_that_does_not_finish_costs_itself_only(done, task, status, error):
    rows = done.outcomes(task)
    assert list(rows.status) == [status, "ok"]
    assert rows.error.iloc[0] == error
    assert list(rows.equal) == [False, True]


def test_both_modes_gave_the_same(done):
    modes = done.frame("modes").set_index("mode")
    assert list(modes.status) == ["ran", "ran", "skipped"]
    assert modes.loc["parallel_cpu", "compared"] == (len(NAMES) - 1) * SAMPLES
    assert modes.loc["parallel_cpu", "mismatches"] == 0
    assert list(modes.workers) == [1, 2, 0]
    assert "CUDA" in modes.loc["parallel_gpu", "reason"]


def test_timed_blocks_leave_out_just_what_does_not_finish(done):
    evaluations = done.frame("evaluations")
    finished = evaluations[evaluations.status.isin(["ok", "failed"])].groupby("program").size()
    blocks, timings = done.frame("blocks"), done.frame("timings")
    assert set(blocks["mode"]) == set(MODES)
    for mode in MODES:
        own = blocks[blocks["mode"] == mode]
        assert list(own.block) == list(range(len(own)))
        assert 3 <= len(own) <= 4
        for _, block in own.iterrows():
            rows = timings[(timings["mode"] == mode) & (timings.block == block.block)].set_index("program")
            passes = block.evaluations / finished.sum()
            assert passes == int(passes) >= 1
            assert rows.evaluations.to_dict() == (finished * passes).to_dict()
            assert block.busy_s == pytest.approx(rows.seconds.sum())
            assert 0 < block.busy_s <= block.wall_s * block.workers
    assert set(finished.index) == {f"solve_{task}" for task in NAMES} - {"solve_good4", "solve_exits"}


def test_the_rows_of_programs_say_what_became_of_them(done):
    rows = done.frame("programs").set_index("program")
    status = rows.status.to_dict()
    assert {name for name, s in status.items() if s == "excluded"} == {"solve_exits"}
    assert status["solve_good4"] == "no_samples"
    assert status["solve_good1"] == status["solve_raises"] == status["solve_loops_in_c"] == "ok"
    assert status[""] == "import_failed"
    assert "no_such_module" in rows.loc["", "detail"]
    assert rows.loc["solve_good1", "samples"] == SAMPLES


def test_primitives_are_counted(done):
    rows = done.frame("primitives").set_index(["program", "primitive"])
    assert rows.loc[("solve_good2", "vmirror"), "calls"] == SAMPLES
    assert rows.loc[("solve_good3", "rot90"), "calls"] == SAMPLES
    assert rows.loc[("solve_good3", "rot90"), "family"] == "grids"
    assert rows.loc[("solve_loops", "rot90"), "calls"] == SAMPLES - 1
    assert "solve_exits" not in rows.index.get_level_values("program")
    assert (rows.seconds >= 0).all()
