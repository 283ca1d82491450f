"""The command that generates batts."""

from __future__ import annotations

import argparse
import ast
import os
import subprocess
import sys

import pytest
from batt_checks import SOLVERS, check_on_samples

from harness.batt.generation import add_arguments, generate, main
from harness.batt.generation.statements import count_operations
from harness.batt.loader import execute


def run_generate(out, hash_seed, *words):
    return subprocess.run(
        [sys.executable, "-m", "harness", "generate", *words, "--out", str(out)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_same_arguments_give_the_same_text_wherever_it_is_written(tmp_path):
    texts = []
    for name, hash_seed in (("one", "1"), ("two", "2")):
        (tmp_path / name).mkdir()
        out = tmp_path / name / f"{name}.py"
        done = run_generate(out, hash_seed, "--tasks", "5", "--seed", "7", "--operations", "200")
        assert done.returncode == 0, done.stderr
        assert list(out.parent.iterdir()) == [out]
        texts.append(out.read_text())
    assert texts[0] == texts[1]
    tree = ast.parse(texts[0])
    assert count_operations(tree) >= 200
    command = "\n    python -m harness generate --tasks 5 --seed 7 --operations 200 --out FILE\n"
    assert command in ast.get_docstring(tree, clean=False)


def test_another_seed_gives_another_batt_that_runs_too(tmp_path, tasks):
    made = []
    for seed in (0, 1):
        out = tmp_path / f"seed_{seed}.py"
        out.write_text(generate(SOLVERS, tasks, 5, seed, 200))
        made.append(execute(out, out.stem))
        check_on_samples(made[-1], tasks, 5)
    assert made[0].TASKS != made[1].TASKS


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tasks", "401"], "401 tasks are asked for, but only"),
        (["--tasks", "1", "--operations", "100000"], "100000 are asked for: ask for fewer operations or for more"),
        (["--solvers", "/nowhere/solvers.py"], "/nowhere/solvers.py"),
        (["--data", "/nowhere/data.json"], "/nowhere/data.json"),
        (["--out", "/nowhere/out.py"], "--out /nowhere/out.py: there is no folder /nowhere"),
    ],
)
def test_errors_say_what_is_wrong_and_write_nothing(tmp_path, capsys, words, message):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    assert main(parser.parse_args(["--out", str(tmp_path / "out.py"), *words])) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
