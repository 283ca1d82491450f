"""The mode ``native_cpu``: equal to the reference whatever a program does, and honest about what it left to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from run_data import write_examples

from harness.batt.loader import load_programs
from harness.check import CheckOptions, check_programs, describe
from harness.config import make_config
from harness.dsl.table import ALL
from harness.run import screening
from harness.run.mode import Mode
from harness.run.modes import make_mode
from harness.run.native import NativeMode
from harness.run.native_profile import CONTROL_FAMILY, names_of_counters
from harness.run.runner import execute, prepare
from harness.run.worker import Job, Outcome
from harness.run.workload import make_workload
from harness.samples import expand, load_tasks
from harness.vm.native import COUNTERS

ROOT = Path(__file__).parents[2]
SOURCE = """
from dsl import *
from constants import *

def solve_turns(I):
    return rot90(I)

def solve_fails(I):
    return first(difference(palette(I), initset(SEVEN)))

def solve_branches(I):
    if size(I) == 2:
        return I
    return rot90(I)

def solve_branches_and_raises(I):
    return I if len(I) == 2 else 1 // 0

def solve_overflows(I):
    return power(double, 70)(height(I))

def batt(task_id, S, I, C, log_path):
    return [(task_id, mapply(first, S))], [(1, log_path, rot90(I)), (2, "C", extract(p_g(I), positive))]
"""
TASKS = ["turns", "fails", "branches", "branches_and_raises", "overflows"]
ENDLESS = """
def solve_loops(I):
    while True:
        pass

def solve_loops_on_symbols(I):
    while True:
        I = rot90(I)

def solve_loops_in_c(I):
    return sum(range(10**12))

def solve_ends(I):
    return rot90(I) if sum((1, 2)) else I
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("native")
    (folder / "mine.py").write_text(SOURCE)
    (folder / "endless.py").write_text("from dsl import *\n" + ENDLESS)
    write_examples(folder / "data.json", TASKS, 3)
    endless = ["loops", "loops_on_symbols", "loops_in_c", "ends"]
    write_examples(folder / "endless.json", endless, 1)
    return folder


@pytest.fixture(scope="module")
def job(folder) -> Job:
    tasks = load_tasks(str(folder / "data.json"))
    programs, rejected = load_programs([str(folder / "mine.py")])
    assert rejected == []
    return Job(make_workload(programs, tasks, expand(tasks, None, 0)), 5.0, 1.0)


def check_all(mode: Mode) -> dict[int, Outcome]:
    return {outcome.evaluation: outcome for outcomes in mode.check() for outcome in outcomes}


@pytest.fixture(scope="module")
def checked(job) -> Iterator[tuple[dict[int, Outcome], NativeMode, dict[int, Outcome]]]:
    """What the reference gave; the native mode, and what it gave."""
    reference = make_mode("sequential", job, 1)
    expected = check_all(reference)
    reference.close()
    mode = make_mode("native_cpu", job, 2)
    assert isinstance(mode, NativeMode)
    yield expected, mode, check_all(mode)
    mode.close()


def test_it_is_equal_to_the_reference_in_everything(checked, job):
    expected, _, found = checked
    assert set(found) == set(expected) == set(range(len(job.workload.evaluations)))
    for evaluation, one in expected.items():
        other = found[evaluation]
        label = job.workload.label(evaluation)
        assert (other.status, other.digest, other.equal) == (one.status, one.digest, one.equal), label
    assert Counter(outcome.status for outcome in found.values()) == {"ok": 15 + 15 - 1 - 2, "failed": 3}


def test_what_it_did_not_do_itself_is_marked_with_the_reason(checked, job, folder):
    _, _, found = checked
    reasons: dict[str, set[str | None]] = {}
    for evaluation, outcome in found.items():
        program = job.workload.programs[job.workload.evaluations[evaluation][0]]
        reasons.setdefault(program.name, set()).add(outcome.fell_back)
    lines = SOURCE.splitlines()
    branch, inline = (1 + next(k for k, line in enumerate(lines) if text in line) for text in ("if size", "if len"))
    (first,), (second,) = reasons.pop("solve_branches"), reasons.pop("solve_branches_and_raises")
    assert first.startswith(f"untraceable: {folder / 'mine.py'}:{branch}: ")
    assert second.startswith(f"untraceable: {folder / 'mine.py'}:{inline}: ")
    assert reasons == {
        "solve_turns": {None},
        "solve_fails": {None},
        "solve_overflows": {"overflow"},
        "batt": {None},
    }


@pytest.mark.parametrize("passes", [1, 7])
@pytest.mark.parametrize("excluded", [frozenset(), frozenset({0, 7, 17})])
def test_a_block_does_exactly_passes_times_evaluations(checked, job, passes, excluded):
    _, mode, found = checked
    mode.prepare([found[e].seconds for e in range(len(found))], excluded)
    block = mode.block(passes)
    expected = Counter(p for e, (p, _) in enumerate(job.workload.evaluations) if e not in excluded)
    assert {timing.program: timing.evaluations for timing in block.timings} == {
        program: passes * count for program, count in expected.items()
    }
    assert block.evaluations == passes * expected.total()
    assert all(timing.seconds > 0 for timing in block.timings)
    assert 0 < block.busy_s <= 1.01 * block.wall_s * mode.workers


def test_check_counts_what_fell_back_by_reason(folder):
    options = CheckOptions(str(folder / "data.json"), engines=("sequential", "native_cpu"), workers=2)
    result = check_programs([str(folder / "mine.py")], options)
    assert result["differences"] == []
    assert result["engines"]["sequential"]["fell_back"] == {}
    native = result["engines"]["native_cpu"]
    short = {reason.partition(":")[0] if "overflow" not in reason else reason for reason in native["fell_back"]}
    assert short == {"untraceable", "overflow"}
    assert sorted(native["fell_back"].values()) == [3, 3, 3]
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    row = next(line for line in describe(result).splitlines() if line.startswith("native_cpu"))
    assert row.split()[6] == "9"


def test_a_run_reports_what_fell_back_and_what_primitives_cost(folder, tmp_path):
    config = make_config(
        {
            **{"data": str(folder / "data.json"), "programs": [str(folder / "mine.py")], "workers": 2},
            **{"modes": ["sequential", "native_cpu"], "results_dir": str(tmp_path)},
            **{"min_block_s": 0.01, "min_blocks": 2, "max_blocks": 2, "max_warmup_s": 0.1},
        },
        "here",
    )
    run = execute(config, prepare(config))
    modes = pd.read_parquet(run / "modes.parquet").set_index("mode")
    assert modes.status.to_dict() == {"sequential": "ran", "native_cpu": "ran"}
    assert pd.isna(modes.fell_back["sequential"])
    assert (modes.fell_back["native_cpu"], modes.mismatches["native_cpu"]) == (9, 0)
    assert sorted(json.loads(modes.fell_back_reasons["native_cpu"]).values()) == [3, 3, 3]
    rows = pd.read_parquet(run / "primitives.parquet")
    calls = rows.groupby(["program", "mode", "primitive"])["calls"].sum()
    for mode in ("sequential", "native_cpu"):
        assert calls["solve_turns", mode, "rot90"] == 3
        assert calls["solve_fails", mode, "palette"] == 3
        assert calls["batt", mode, "mapply"] == 4  # of 15 evaluations, 4 are profiled
        assert calls["batt", mode, "extract"] == 4
    assert set(rows.program[rows["mode"] == "native_cpu"]) == {"solve_turns", "solve_fails", "batt"}
    seconds = rows.groupby("mode")["seconds"].sum()
    assert 0 < seconds["native_cpu"] < seconds["sequential"]


def test_every_counter_has_the_name_of_a_primitive_or_is_control():
    names = names_of_counters()
    assert len(names) == len(COUNTERS)
    assert names.count(None) == 1
    for name, family in filter(None, names):
        assert family == (ALL[name].family if family != CONTROL_FAMILY else CONTROL_FAMILY)
    known = {name for name, family in filter(None, names) if family != CONTROL_FAMILY}
    assert {"apply", "mapply", "sfilter", "papply", "mpapply", "prapply", "argmax", "extract", "power"} <= known
    assert {"get_arg_rank", "get_val_rank", "repeat", "move", "product", "objects", "o_g"} <= known


def test_programs_that_do_not_end_do_not_hang_the_run(folder):
    options = CheckOptions(str(folder / "endless.json"), engines=("native_cpu",), workers=2, timeout_s=0.3)
    start = time.monotonic()
    result = check_programs([str(folder / "endless.py")], options)
    assert time.monotonic() - start < 60
    native = result["engines"]["native_cpu"]
    assert (native["evaluations"], native["timeout"], native["equal"]) == (4, 3, 1)
    assert len(native["fell_back"]) == 3
    assert all(reason.startswith(f"untraceable: {folder / 'endless.py'}:") for reason in native["fell_back"])


def test_only_modules_that_might_not_end_are_traced_in_a_worker_first(folder):
    shipped, _ = load_programs(["harness.batt.solvers", "harness.batt.gpu_operations", "harness.batt.mega"])
    for module in {program.module for program in shipped}:
        assert screening.is_harmless(module), module
    assert not screening.is_harmless(str(folder / "endless.py"))
    assert not screening.is_harmless(str(folder / "gone.py"))


WITHOUT_LIBRARY = """
import sys
from pathlib import Path
from harness.vm import build
build.FOLDER = Path(sys.argv[1])
from harness.cli import main
sys.exit(main(sys.argv[2:]))
"""


def test_without_the_library_the_mode_is_skipped_and_all_else_works(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    process = subprocess.run(
        [
            *(sys.executable, "-c", WITHOUT_LIBRARY, tmp_path / "empty", "run", ROOT / "configs" / "local.yaml"),
            *("--out", tmp_path / "run", "--set", f"data={folder / 'data.json'}"),
            *("--set", f"programs=[{folder / 'mine.py'}]", "--set", "modes=[sequential, native_cpu]"),
            *(
                "--set",
                "min_block_s=0.01",
                "--set",
                "max_warmup_s=0.1",
                "--set",
                "min_blocks=2",
                "--set",
                "max_blocks=2",
            ),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.returncode == 0, process.stderr
    modes = pd.read_parquet(tmp_path / "run" / "modes.parquet").set_index("mode")
    assert modes.status.to_dict() == {"sequential": "ran", "native_cpu": "skipped"}
    assert "is not built; run: python -m harness.vm.build" in modes.reason["native_cpu"]
    row = next(line for line in process.stdout.splitlines() if line.startswith("native_cpu"))
    assert "skipped: " in row
    assert "harness.vm.build" in row
