"""Variants of a solver: new, without failure, and with the changes that their titles say."""

from __future__ import annotations

import pytest
from batt_checks import solver_module

from harness.batt.generation.choices import Choices
from harness.batt.generation.inline import solver_block
from harness.batt.generation.parse import parse_solvers
from harness.batt.generation.trial import Trial
from harness.batt.generation.variants import variants

SAMPLE = ((), ((2, 2), (2, 0)), ((5,),))
SOLVERS = {
    "return shift(ofcolor(I, TWO), toivec(i=ONE))": (
        {
            "tojvec for toivec": "ofcolor(I, TWO); tojvec(ONE); shift(t1, t2)",
            "BLUE for TWO": "ofcolor(I, BLUE); toivec(ONE); shift(t1, t2)",
            "ZERO for ONE": "ofcolor(I, TWO); toivec(ZERO); shift(t1, t2)",
            "mir_rot_t(I, R4) for I": "mir_rot_t(I, R4); ofcolor(t1, TWO); toivec(ONE); shift(t2, t3)",
        },
        set(),
    ),
    "return first(ofcolor(I, TWO))": (
        {"BLACK for TWO": "ofcolor(I, BLACK); first(t1)", "last for first": "ofcolor(I, TWO); last(t1)"},
        {"BLUE for TWO", "CYAN for TWO", "get_nth_t(p_g(C), L1) for TWO"},  # no such cells: first fails
    ),
    "TWO = height(I); return canvas(ZERO, astuple(TWO, ONE))": (
        {"width for height": "width(I); astuple(t1, ONE); canvas(ZERO, t2)"},
        {"ONE for TWO", "THREE for TWO"},  # here it is a local name
    ),
}


@pytest.mark.parametrize("body", SOLVERS)
def test_variants_are_new_and_do_not_fail(tmp_path, body):
    (solver,) = parse_solvers([solver_module(tmp_path, f"def solve_a(I):\n    {body}\n")]).values()
    trial = Trial([SAMPLE])
    original = trial.survivors(solver_block(solver, "original", solves=True))
    made = list(variants(solver, original, trial, Choices(0, "test")))
    sources = [block.source for block in made]
    assert len({original.source, *sources}) == len(made) + 1
    assert all(trial.total_on(block) == [True] and not block.solves for block in made)
    by_title = {block.title.removeprefix("a: "): block.source for block in made}
    expected, not_expected = SOLVERS[body]
    for title, source in expected.items():
        assert by_title[title].startswith(source + "; ")
    assert not by_title.keys() & not_expected
