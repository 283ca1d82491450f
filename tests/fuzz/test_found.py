"""What random programs have found; ``tests.fuzz.shrink`` prints the entries."""

from __future__ import annotations

import pytest

from harness.dsl.types import Grid
from tests.fuzz.differential import Differential, Tally
from tests.fuzz.programs import statement

FOUND: list[tuple[Grid, list[str]]] = [
    (((0,),), ["x1 = first(frozenset())"]),
]


@pytest.mark.parametrize(("grid", "lines"), FOUND)
def test_what_was_found_stays_fixed(grid: Grid, lines: list[str]) -> None:
    statements = [statement("I", "G"), *[statement(line.partition(" = ")[2], "A") for line in lines]]
    tally = Tally()
    with Differential([grid]) as differential:
        differential.compare([statements], [0], False, tally)
        differential.compare([statements], [0], True, tally)
    assert tally.evaluations == 2 * len(lines)
    assert not tally.differences
