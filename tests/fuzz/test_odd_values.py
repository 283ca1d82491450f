"""Values that random programs seldom make: the machine handles them, and agrees with the reference."""

from __future__ import annotations

import pytest

from harness.dsl.types import Grid
from tests.fuzz.differential import Differential, Tally, assert_agrees
from tests.fuzz.programs import statement

GRID: Grid = ((1, 1, 0), (2, 0, 0), (1, 2, 2), (3, 3, 3))
_MAKE_ODD = (
    "hconcat(x0, vconcat(tophalf(x0), canvas(4, (2, 1))))",  # its first rows are longer
    "hconcat(x0, vconcat(canvas(4, (1, 1)), canvas(4, (3, 3))))",  # its first row is the shortest
    "vconcat(canvas(3, (1, 2)), x0)",
    "replace(x0, 0, 300)",  # colours that are no bytes
    "vconcat(canvas((1, 2), (2, 3)), x0)",
    "vconcat(((),), x0)",
    "vconcat(((1, 2), (), (3,)), ((1,), (2, 2)))",
)
_USE_GRID = (
    "fill(x1, 9, frozenset({(0, 0), (1, 1), (-1, 0), (70, 70)}))",
    "fill(x1, (9,), frozenset({(0, 0), (1, 0)}))",
    "fill(x1, 9, frozenset({(0, 3)}))",
    "fill(x1, 9, frozenset({(1, 1), (900, 900)}))",
    "fill(x0, 300, asindices(x1))",
    "paint(x1, frozenset({(7, (0, 0)), (8, (0, 0)), (9, (1, 0))}))",
    "paint(x0, frozenset({(300, (0, 0)), (5, (1, 1))}))",
    "underfill(x1, 7, frozenset({(0, 0), (1, 0), (2, 1)}))",
    "underpaint(x1, frozenset({(7, (0, 0)), (8, (2, 0))}))",
    "cover(x1, frozenset({(0, 0), (2, 0)}))",
    "move(x1, frozenset({(1, (0, 0))}), (1, 0))",
    "toobject(frozenset({(0, 0), (1, 0), (9, 9)}), x1)",
    "toobject(frozenset({(1, 2), (2, 2)}), x1)",
    "toobject(toobject(asindices(x1), x1), x1)",
    *[f"objects(x1, {a}, {b}, {c})" for a in (True, False) for b in (True, False) for c in (True, False)],
    "partition(x1)",
    "fgpartition(x1)",
    "frontiers(x1)",
    "occurrences(x1, frozenset({(1, (5, 5))}))",
    "occurrences(x1, frozenset({(300, (5, 5))}))",
    "compress(x1)",
    "cellwise(x1, x1, 5)",
    "cellwise(x0, x1, (5,))",
    "cellwise(x1, x0, 5)",
    "replace(x1, 1, 300)",
    "replace(x1, 300, 1)",
    "replace(x1, (1, 2), 7)",
    "switch(x1, 1, 300)",
    "switch(x1, 3, 4)",
    "hupscale(x1, 2)",
    "hupscale(x1, -1)",
    "upscale(x1, 3)",
    "asobject(x1)",
    "ofcolor(x1, 4)",
    "palette(x1)",
    "mostcolor(x1)",
    "rot90(x1)",
    "cmirror(x1)",
    "vmirror(x1)",
    "crop(x1, (0, 0), (3, 2))",
    "hsplit(x1, 2)",
    "downscale(x1, 2)",
)
_ODD_PATCHES = (
    "frozenset({(0, 0), (2000, -7)})",
    "frozenset({(3, (0, 0)), (3, (1400, 3)), (4, (1, 3))})",
    "((0, 0), (0, 0), (1400, 3))",
    "frozenset({(0, 600), (5, -900)})",
)
_USE_PATCH = (
    "hmatching({a}, {b})",
    "vmatching({a}, {b})",
    "manhattan({a}, {b})",
    "adjacent({a}, {b})",
    "adjacent({a}, shift({a}, (0, 1)))",
    "gravitate({a}, {b})",
    "gravitate({a}, shift({a}, (0, 20)))",
)


@pytest.mark.parametrize("make", _MAKE_ODD)
def test_grids_that_are_no_bytes(make: str) -> None:
    # Whether the reference looks at a short row at all depends on the order in which it looks at an object's cells.
    assert_agrees(GRID, [make, *[use for use in _USE_GRID if not use.startswith("occurrences")]], all_handled=True)
    assert_agrees(GRID, [make, *[use for use in _USE_GRID if use.startswith("occurrences")]])


@pytest.mark.parametrize("a", _ODD_PATCHES)
def test_patches_that_are_no_masks(a: str) -> None:
    assert_agrees(
        GRID,
        [use.format(a=a, b=b) for use in _USE_PATCH for b in (*_ODD_PATCHES, "frozenset({(1, 1)})")],
        all_handled=True,
    )


@pytest.mark.parametrize(
    "cells",
    [
        "(3, (1, 1)), (5, (1, 1))",
        "(3, (1, 1)), (5, (1, 1)), (3, (1, 3)), (5, (1, 3))",
        "(300, (0, 0)), (300, (2, 2)), (300, (4, 4))",
        "(1, (0, 0)), (1, (700, 0))",
    ],
)
def test_periods_of_objects_that_are_no_masks(cells: str) -> None:
    assert_agrees(
        GRID,
        [f"hperiod(frozenset({{{cells}}}))", f"vperiod(frozenset({{{cells}}}))", f"hperiod(({cells}))"],
        all_handled=True,
    )


@pytest.mark.parametrize("factor", [10, 11, 21, 25])
def test_grids_wider_than_a_word_of_a_mask(factor: int) -> None:
    wide = f"hupscale(hconcat(x0, vmirror(x0)), {factor})"
    uses = [
        "occurrences(x1, frozenset({(1, (0, 0)), (0, (0, 1))}))",
        "occurrences(x1, frozenset({(1, (0, 0)), (1, (0, 40))}))",
        "occurrences(x1, toobject(frozenset({(0, 0), (1, 63), (0, 64)}), x1))",
        "occurrences(x1, toobject(frozenset({(3, 0), (3, 59)}), x1))",
        "objects(x1, True, False, True)",
        "o_g(x1, 2)",
        "partition(x1)",
        "frontiers(x1)",
        "compress(x1)",
        "mapply(delta, x6)",
        "hmirror(first(x6))",
        "vmirror(last(x6))",
        "dmirror(last(x6))",
        "hperiod(asobject(x1))",
        "fill(x1, 9, shift(ofcolor(x1, 1), (1, 30)))",
        "underpaint(x1, shift(last(x6), (0, -65)))",
        "toobject(shift(box(asindices(x1)), (1, 1)), x1)",
        "apply(lambda e: manhattan(e, first(x6)), x6)",
        "centerofmass(ofcolor(x1, 2))",
    ]
    assert_agrees(GRID, [wide, *uses], all_handled=True)


def test_rows_as_a_patch() -> None:
    assert_agrees(GRID, ["recolor(0, x0)", "toindices(x0)", "recolor(x0, x0)", "first(x1)"], all_handled=True)


@pytest.mark.parametrize(
    "text",
    [
        "first(insert(compose(size, lambda e: x0), initset(fork(add, size, height))))(x0)",
        "rapply(totuple(insert(lbind(add, 1), initset(rbind(add, height(x0))))), width(x0))",
        "get_nth_f(insert(lambda e: width(e), initset(lambda e: height(e))), size(x0))(x0)",
        "get_nth_f(insert(lambda e: width(e), initset(lambda e: height(e))), width(crop(x0, (0, 0), (1, 1))))(x0)",
        "argmax(insert(height, initset(lambda e: size(x0))), lambda f: 1)(x0)",
        "argmin(insert(lbind(add, width(x0)), initset(rbind(astuple, height(x0)))), lambda f: 0)(1)",
        "rapply(order(insert(lbind(add, width(x0)), initset(rbind(add, height(x0)))), lambda f: f(1)), 2)",
        "rapply(sfilter(astuple(size, height), lambda f: False), x0)",
        "order(sfilter(initset(size), lambda f: False), lambda f: f(x0))",
        "mapply(lambda f: f(x0), sfilter(initset(size), lambda f: False))",
        "last(insert(lambda e: 1, insert(lambda e: 2, initset(lambda e: 3))))(x0)",
    ],
)
def test_sets_of_functions_are_in_order_where_that_does_not_depend_on_computed_values(text: str) -> None:
    tally = Tally()
    with Differential([GRID]) as differential:
        differential.compare([[statement("I", "G"), statement(text, "A")]], [0], False, tally)
    assert not tally.differences
    assert not tally.untraced
