"""Solvers are read, and inlined into single calls."""

from __future__ import annotations

import ast
import random
import re

import pytest
from batt_checks import SOLVERS, solver_module

from harness.batt.generation.inline import inline
from harness.batt.generation.parse import parse_solvers
from harness.batt.generation.trial import samples_of
from harness.dsl import PROGRAM_NAMESPACE


def flat(folder, text):
    """Return a solver's statements as source, for a module with one solver."""
    ((_, solver),) = parse_solvers([solver_module(folder, text)]).items()
    statements, output = inline(solver)
    return [f"{statement.name} = {ast.unparse(statement.value)}" for statement in statements], output


def test_nested_calls_become_temporaries_and_lambdas_stay(tmp_path):
    lines, output = flat(
        tmp_path,
        "def solve_a(I):\n"
        '    """What it does."""\n'
        "    left, right = lefthalf(I), righthalf(I)\n"
        "    same = left\n"
        "    wider = apply(lambda row: combine(row, first(same)), right)\n"
        "    return fill(wider, value=ONE, patch=ofcolor(same, (TWO)))\n",
    )
    assert lines == [
        "t1 = lefthalf(I)",
        "t2 = righthalf(I)",
        "t3 = apply(lambda row: combine(row, first(t1)), t2)",
        "t4 = ofcolor(t1, TWO)",
        "t5 = fill(t3, ONE, t4)",
    ]
    assert output == "t5"


def test_the_parameter_may_have_any_name(tmp_path):
    lines, _ = flat(tmp_path, "def solve_a(grid):\n    turn = rbind(mir_rot_t, R4)\n    return turn(grid)\n")
    assert lines == ["t1 = rbind(mir_rot_t, R4)", "t2 = t1(I)"]


@pytest.mark.parametrize(
    "body",
    [
        "    if I:\n        return rot90(I)\n    return rot180(I)\n",
        "    return rot90(I) if I else I\n",
        "    return helper(I)\n",
        "    return rot90(I)[0]\n",
        "    return I\n",
        "    x = rot90(I)\n",
        "    return fill(I, colour=ONE, patch=ORIGIN)\n",
        "    return apply(lambda first: rot90(first), I)\n",
    ],
)
def test_what_is_not_straight_line_is_left_out(tmp_path, body):
    good = "def solve_b(I):\n    return rot90(I)\n"
    assert list(parse_solvers([solver_module(tmp_path, f"def solve_a(I):\n{body}\n\n{good}")])) == ["b"]


def test_two_solvers_of_a_task_are_an_error(tmp_path):
    text = "def solve_a(I):\n    return rot90(I)\n"
    modules = [solver_module(tmp_path, text, name) for name in ("one.py", "two.py")]
    with pytest.raises(ValueError, match=r"two.py:4: task a has a solver already, at one.py:4"):
        parse_solvers(modules)


def test_all_shipped_solvers_can_be_inlined_and_still_solve_their_tasks(tasks):
    written = re.findall(r"^def solve_(\w+)", "".join(path.read_text() for path in SOLVERS), re.MULTILINE)
    solvers = parse_solvers(SOLVERS)
    assert len(solvers) >= 0.98 * len(written)
    for name in random.Random(0).sample(sorted(solvers), 40):
        statements, output = inline(solvers[name])
        for S, I, C in samples_of([tasks[name]])[:1]:  # noqa: E741
            scope = {**PROGRAM_NAMESPACE, "S": S, "I": I, "C": C}
            for statement in statements:
                scope[statement.name] = eval(ast.unparse(statement.value), scope)
            assert scope[output] == C, name
