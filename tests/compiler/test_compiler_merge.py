"""Programs merged into one unit: each still fails where it would alone."""

from __future__ import annotations

from pathlib import Path

from harness.batt.loader import load_programs
from harness.compiler import FAIL, compile_unit, interpret, trace

SOURCE = """
from dsl import *

def solve_fails(I):
    return get_nth_t((), L2)

def solve_fails_inside(I):
    return sfilter(I, compose(lambda e: T, lambda e: get_nth_t((), L2)))

def solve_fails_inside_of_nothing(I):
    return sfilter(frozenset(), compose(lambda e: T, lambda e: get_nth_t((), L2)))
"""


def test_a_failure_inside_a_body_is_not_left_to_another_program(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SOURCE)
    programs, _ = load_programs([str(tmp_path / "mine.py")])
    merged = compile_unit([trace(program) for program in programs])
    assert interpret(merged, [((1, 2), (3, 4))]) == [FAIL, FAIL, (frozenset(),)]
