"""Laws of the primitives on patches, and their definitions written out."""

from typing import Any

import pytest
from dsl_strategies import (
    GRID_OBJECTS,
    LOCATIONS,
    PATCHES,
    SOME_INDICES,
    SOME_OBJECTS,
    SOME_PATCHES,
    grids,
)
from hypothesis import given
from hypothesis import strategies as st

from harness.dsl import *


def locations(patch: Any) -> list[tuple[int, int]]:
    return [element[1] if isinstance(element[1], tuple) else element for element in patch]


def bounding_box(patch: Any) -> tuple[int, int, int, int]:
    rows, columns = zip(*locations(patch), strict=True)
    return min(rows), min(columns), max(rows), max(columns)


def box_of(top: int, left: int, bottom: int, right: int) -> frozenset[tuple[int, int]]:
    return frozenset((i, j) for i in range(top, bottom + 1) for j in range(left, right + 1))


def rim_of(top: int, left: int, bottom: int, right: int) -> frozenset[tuple[int, int]]:
    inner = box_of(top + 1, left + 1, bottom - 1, right - 1)
    return box_of(top, left, bottom, right) - inner


@given(PATCHES, LOCATIONS, LOCATIONS)
def test_shifts_compose_and_are_undone(patch: Any, a: Any, b: Any) -> None:
    assert shift(shift(patch, a), b) == shift(patch, add(a, b))
    assert shift(shift(patch, a), invert(a)) == shift(patch, ORIGIN) == patch
    assert toindices(shift(patch, a)) == shift(toindices(patch), a)


@given(PATCHES, LOCATIONS)
def test_normalize_forgets_where_a_patch_was(patch: Any, offset: Any) -> None:
    normalized = normalize(patch)
    assert normalize(normalized) == normalized == normalize(shift(patch, offset))
    assert size(normalized) == size(patch)
    assert shape(normalized) == shape(patch)
    if patch:
        assert ulcorner(normalized) == ORIGIN
        assert shift(normalized, ulcorner(patch)) == patch


@given(PATCHES, st.integers(0, 9))
def test_recolor_keeps_the_locations(patch: Any, value: int) -> None:
    painted = recolor(value, patch)
    assert toindices(painted) == toindices(patch) == frozenset(locations(patch))
    assert palette(painted) == (initset(value) if patch else frozenset())
    assert recolor(value, tuple(patch)) == painted


@given(SOME_PATCHES)
def test_bounds(patch: Any) -> None:
    top, left, bottom, right = bounding_box(patch)
    assert (uppermost(patch), leftmost(patch), lowermost(patch), rightmost(patch)) == (top, left, bottom, right)
    assert [ulcorner(patch), urcorner(patch)] == [(top, left), (top, right)]
    assert [llcorner(patch), lrcorner(patch)] == [(bottom, left), (bottom, right)]
    assert [corner(patch, kind) for kind in range(4)] == [f(patch) for f in (ulcorner, urcorner, llcorner, lrcorner)]
    assert [col_row(patch, kind) for kind in range(4)] == [bottom, top, left, right]
    assert shape(patch) == (height(patch), width(patch)) == (bottom - top + 1, right - left + 1)
    assert center(patch) == (top + height(patch) // 2, left + width(patch) // 2)
    assert portrait(patch) == (height(patch) > width(patch))
    for bound in (uppermost, lowermost, leftmost, rightmost, ulcorner, lrcorner):
        assert bound(tuple(patch)) == bound(patch)


@given(SOME_PATCHES)
def test_boxes(patch: Any) -> None:
    top, left, bottom, right = bounding_box(patch)
    assert backdrop(patch) == box_of(top, left, bottom, right)
    assert delta(patch) == backdrop(patch) - toindices(patch)
    assert box(patch) == rim_of(top, left, bottom, right)
    assert outbox(patch) == rim_of(top - 1, left - 1, bottom + 1, right + 1)
    assert corners(patch) == {(top, left), (top, right), (bottom, left), (bottom, right)}
    (i, k), (j, m) = sorted((top + 1, bottom - 1)), sorted((left + 1, right - 1))
    assert inbox(patch) == rim_of(i, j, k, m)
    assert inbox(outbox(patch)) == box(patch)


@given(SOME_PATCHES)
def test_lines_and_squares(patch: Any) -> None:
    full = size(patch) == size(backdrop(patch)) == size(toindices(patch))
    assert vline(patch) == (width(patch) == 1 and height(patch) == size(patch))
    assert hline(patch) == (height(patch) == 1 and width(patch) == size(patch))
    assert square(toindices(patch)) == (height(patch) == width(patch) and delta(patch) == frozenset())
    if vline(patch) and hline(patch):
        assert full


@given(SOME_PATCHES)
def test_centerofmass_is_the_floored_mean(patch: Any) -> None:
    rows, columns = zip(*locations(patch), strict=True)
    i, j = centerofmass(patch)
    assert 0 <= sum(rows) - i * len(rows) < len(rows)
    assert 0 <= sum(columns) - j * len(columns) < len(columns)


@given(LOCATIONS)
def test_neighbourhoods(loc: Any) -> None:
    assert dneighbors(loc) | ineighbors(loc) == neighbors(loc) == outbox(initset(loc))
    assert intersection(dneighbors(loc), ineighbors(loc)) == frozenset()
    assert all(manhattan(initset(near), initset(loc)) == 1 for near in dneighbors(loc))


@given(SOME_PATCHES, SOME_PATCHES)
def test_distances(a: Any, b: Any) -> None:
    distance = min(abs(i - k) + abs(j - m) for i, j in locations(a) for k, m in locations(b))
    assert manhattan(a, b) == manhattan(b, a) == distance
    assert adjacent(a, b) == adjacent(b, a) == (distance == 1)
    assert hmatching(a, b) == any(i == k for i, _ in locations(a) for k, _ in locations(b))
    assert vmatching(a, b) == any(j == m for _, j in locations(a) for _, m in locations(b))


@given(SOME_PATCHES, SOME_PATCHES)
def test_position_points_from_center_to_center(a: Any, b: Any) -> None:
    (i, j), (k, m) = center(a), center(b)
    expected = (0 if i == k else 1 if k > i else -1, 0 if j == m and i != k else 1 if m > j else -1)
    assert position(a, b) == expected


@given(SOME_PATCHES, SOME_PATCHES)
def test_gravitate_moves_until_adjacent(source: Any, destination: Any) -> None:
    vertical = vmatching(source, destination)
    (si, sj), (di, dj) = center(source), center(destination)
    step = (1 if si < di else -1, 0) if vertical else (0, 1 if sj < dj else -1)
    moved, moves = source, 0
    while manhattan(moved, destination) != 1 and moves < 42:
        moved, moves = shift(moved, step), moves + 1
    assert gravitate(source, destination) == multiply(step, moves)


@given(SOME_PATCHES, grids())
def test_bordering_looks_at_the_bounding_box(patch: Any, grid: Grid) -> None:
    top, left, bottom, right = bounding_box(patch)
    assert bordering(patch, grid) == (0 in (top, left) or bottom == len(grid) - 1 or right == len(grid[0]) - 1)


@given(LOCATIONS, st.sampled_from(sorted(neighbors(ORIGIN))), st.integers(0, 8))
def test_connect_draws_the_line(a: Any, direction: Any, length: int) -> None:
    b = add(a, multiply(direction, length))
    line = frozenset(add(a, multiply(direction, k)) for k in range(length + 1))
    assert connect(a, b) == connect(b, a) == line
    assert shoot(a, direction) == connect(a, add(a, multiply(direction, 42)))
    assert size(shoot(a, direction)) == 43


@given(LOCATIONS, LOCATIONS)
def test_connect_draws_no_other_line(a: Any, b: Any) -> None:
    di, dj = subtract(b, a)
    straight = di == 0 or dj == 0 or abs(di) == abs(dj)
    assert bool(connect(a, b)) == straight
    if straight:
        assert {a, b} <= connect(a, b) <= backdrop(frozenset({a, b}))
        assert size(connect(a, b)) == max(abs(di), abs(dj)) + 1


@given(LOCATIONS)
def test_frontiers_of_a_location(loc: Any) -> None:
    assert vfrontier(loc) == connect((0, loc[1]), (29, loc[1]))
    assert hfrontier(loc) == connect((loc[0], 0), (loc[0], 29))


def period(obj: Any, step: Any, extent: int) -> int:
    normalized = normalize(obj)
    for p in range(1, extent):
        moved = shift(normalized, multiply(step, -p))
        if {cell for cell in moved if cell[1][0] >= 0 and cell[1][1] >= 0} <= normalized:
            return p
    return extent


PATTERNS = st.builds(
    lambda tile, n, m: hconcat(*[asrow(tile, n, m)] * 2), grids(3), st.integers(1, 3), st.integers(1, 3)
)


def asrow(tile: Grid, n: int, m: int) -> Grid:
    return merge(repeat(tuple(row * m for row in tile), n))


@given(SOME_OBJECTS | GRID_OBJECTS | PATTERNS.map(asobject))
def test_periods_are_the_least_shifts_onto_themselves(obj: Any) -> None:
    assert hperiod(obj) == period(obj, RIGHT, width(obj))
    assert vperiod(obj) == period(obj, DOWN, height(obj))
    assert hperiod(tuple(obj)) == hperiod(obj)


@given(grids(), st.integers(0, 9))
def test_grids_and_their_cells(grid: Grid, value: int) -> None:
    cells = {(v, (i, j)) for i, row in enumerate(grid) for j, v in enumerate(row)}
    assert asobject(grid) == cells
    assert asindices(grid) == {loc for _, loc in cells}
    assert ofcolor(grid, value) == f_ofcolor(grid, value) == {loc for v, loc in cells if v == value}
    assert colorcount(grid, value) == size(ofcolor(grid, value)) == colorcount(frozenset(cells), value)


@given(grids(), PATCHES)
def test_toobject_takes_colours_from_the_grid(grid: Grid, patch: Any) -> None:
    inside = intersection(toindices(patch), asindices(grid))
    assert toobject(patch, grid) == {(grid[i][j], (i, j)) for i, j in inside}


@given(SOME_INDICES, SOME_OBJECTS)
def test_a_set_of_indices_and_cells_is_no_patch(indices: Any, obj: Any) -> None:
    for primitive in (toindices, uppermost, lowermost, leftmost, rightmost, ulcorner, normalize, box, hmirror, dmirror):
        with pytest.raises(TypeError):
            primitive(indices | obj)


@given(SOME_INDICES | SOME_OBJECTS)
def test_tuples_of_cells_are_patches_too(patch: Any) -> None:
    as_tuple = tuple(patch)
    for primitive in (normalize, box, inbox, outbox, backdrop, delta, corners, centerofmass):
        assert primitive(as_tuple) == primitive(patch)
    assert shift(as_tuple, UNITY) == shift(patch, UNITY)
    assert manhattan(as_tuple, patch) == 0
