"""Programs written for the tracer, each compiled and compared with the reference on several grids."""

from __future__ import annotations

from collections import Counter

import pytest
from evaluating import compiled, interpreted, load, reference

from harness.batt.loader import Program
from harness.compiler import FAIL

GRIDS = (
    ((0, 0, 1, 0), (0, 2, 1, 0), (0, 0, 0, 3)),
    ((4, 4), (0, 4), (1, 1), (0, 2), (2, 2)),
    ((0, 1, 0, 0, 0, 2, 2), (1, 1, 0, 7, 0, 2, 0), (0, 0, 0, 7, 0, 0, 0), (8, 8, 0, 7, 0, 5, 5)),
    ((3,),),
    ((5, 0, 5), (0, 5, 0), (5, 0, 5)),
    ((1, 2, 3, 4, 5, 6, 7, 8, 9),),
    tuple([tuple([(i * j) % 4 for j in range(9)]) for i in range(8)]),
    (
        (0, 0, 0, 0, 0, 0, 0, 0),
        (0, 1, 1, 1, 0, 0, 0, 0),
        (0, 1, 0, 1, 0, 2, 2, 2),
        (0, 1, 1, 1, 0, 2, 2, 0),
        (0, 0, 0, 0, 0, 0, 0, 0),
        (0, 0, 0, 0, 0, 0, 0, 3),
    ),
)
PROGRAMS = load("programs.py")


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_program_equals_reference(program: Program) -> None:
    traced, unit = compiled(program)
    outcomes: Counter[bool] = Counter()
    for k, grid in enumerate(GRIDS):
        other = GRIDS[k - 1]
        inputs = (grid,) if program.kind == "solver" else (((grid, other), (other, grid)), grid, other)
        expected = reference(program, inputs)
        found = interpreted(traced, unit, inputs)
        assert found == expected or (found is FAIL and expected is FAIL)
        outcomes[expected is FAIL] += 1
    assert outcomes[False], "a program that fails on every grid tests nothing"


def test_programs_fail_on_some_grids() -> None:
    failing = [p.name for p in PROGRAMS if p.kind == "solver" and any(reference(p, (g,)) is FAIL for g in GRIDS)]
    assert len(failing) > 10
    assert {"solve_unused_failure", "solve_unused_failure_in_loop", "solve_functions_that_may_fail"} <= set(failing)


def test_strings_of_a_batt_are_those_of_the_call() -> None:
    batt = next(program for program in PROGRAMS if program.kind == "batt")
    traced, unit = compiled(batt)
    grid, other = GRIDS[0], GRIDS[1]
    s, _ = interpreted(traced, unit, (((grid, other),), grid, other))
    assert s[1] == (2, "00000000", "some/log", (other,))
