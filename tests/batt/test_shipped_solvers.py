"""The shipped solvers: each solves every sample of its task, and together they call all primitives."""

from __future__ import annotations

import ast

import pytest
from batt_checks import SOLVERS

from harness.batt.loader import load_programs
from harness.dsl.table import ALIASES, PRIMITIVES


@pytest.fixture(scope="module")
def solvers():
    programs, rejected = load_programs(["harness.batt.solvers"])
    assert not rejected
    return programs


def test_each_is_for_a_training_task_of_its_own(solvers, tasks):
    assert len(tasks) == 400
    assert [program.name for program in solvers if program.task not in tasks] == []
    assert len({program.task for program in solvers}) == len(solvers) >= 120


def test_each_solves_every_train_and_test_pair_of_its_task(solvers, tasks):
    unsolved = [
        f"{program.name} on {sample.name}"
        for program in solvers
        for sample in tasks[program.task].samples
        if program.function(sample.input) != sample.output
    ]
    assert unsolved == []


def test_together_they_call_every_primitive():
    names = {
        node.id for file in SOLVERS for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Name)
    }
    assert PRIMITIVES.keys() - {ALIASES.get(name, name) for name in names} == set()
