"""The primitives that find objects in a grid, against their definitions written out."""

from typing import Any

import pytest
from dsl_strategies import GRID_OBJECTS, SOME_OBJECTS, grids
from hypothesis import given
from hypothesis import strategies as st

from harness.dsl import *

BOOLEANS = st.booleans()


def flood(grid: Grid, univalued: bool, diagonal: bool, without_bg: bool) -> frozenset[Any]:
    """Return the connected components by joining what touches until nothing changes."""
    background = mostcolor(grid) if without_bg else None
    cells = {(i, j): v for i, row in enumerate(grid) for j, v in enumerate(row) if v != background}
    label = {loc: loc for loc in cells}
    changed = True
    while changed:
        changed = False
        for (i, j), v in cells.items():
            for near in [(i + di, j + dj) for di in (-1, 0, 1) for dj in (-1, 0, 1) if diagonal or 0 in (di, dj)]:
                joined = near in cells and (cells[near] == v or not univalued)
                if joined and label[near] < label[i, j]:
                    label[i, j] = label[near]
                    changed = True
    return frozenset(
        frozenset((cells[loc], loc) for loc in cells if label[loc] == root) for root in set(label.values())
    )


@given(grids(), BOOLEANS, BOOLEANS, BOOLEANS)
def test_objects_are_the_connected_components(grid: Grid, univalued: bool, diagonal: bool, without_bg: bool) -> None:
    found = objects(grid, univalued, diagonal, without_bg)
    assert found == flood(grid, univalued, diagonal, without_bg)
    assert found == o_g(grid, 4 * univalued + 2 * diagonal + without_bg)


@given(grids(), BOOLEANS, BOOLEANS, BOOLEANS)
def test_objects_partition_the_cells_that_they_cover(
    grid: Grid, univalued: bool, diagonal: bool, without_bg: bool
) -> None:
    found = objects(grid, univalued, diagonal, without_bg)
    covered = merge(found)
    assert sum(map(len, found)) == len(covered)
    background = recolor(mostcolor(grid), ofcolor(grid, mostcolor(grid)))
    assert covered == difference(asobject(grid), background if without_bg else frozenset())
    if univalued:
        assert all(numcolors(obj) == 1 for obj in found)


@pytest.mark.parametrize("kind", range(8))
@pytest.mark.parametrize("background", [0, 2])
def test_components_wind_in_every_direction(kind: int, background: int) -> None:
    diagonals = ((0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1))
    bends = ((1, 1, 1, 1), (0, 0, 0, 1), (1, 1, 0, 1), (1, 0, 0, 1), (1, 1, 1, 1))
    for grid, diagonal in ((diagonals, True), (bends, False)):
        turned = replace(mir_rot_t(grid, kind), 0, background)
        ones = recolor(1, ofcolor(turned, 1))
        assert colorfilter(objects(turned, True, diagonal, False), 1) == initset(ones)


@given(grids())
def test_partitions_by_colour(grid: Grid) -> None:
    by_colour = {value: recolor(value, ofcolor(grid, value)) for value in palette(grid)}
    assert partition(grid) == frozenset(by_colour.values())
    assert fgpartition(grid) == frozenset(by_colour.values()) - {by_colour[mostcolor(grid)]}
    assert {color(obj): size(obj) for obj in partition(grid)} == {v: colorcount(grid, v) for v in by_colour}


@st.composite
def grids_and_objects(draw: st.DrawFn) -> tuple[Grid, Any]:
    """Draw a grid and an object, which is often a part of the grid."""
    grid = draw(grids(5, st.integers(0, 1)))
    part = st.sets(st.sampled_from(sorted(asindices(grid))), min_size=1, max_size=4).map(
        lambda places: toobject(frozenset(places), grid)
    )
    obj = draw(part | SOME_OBJECTS | GRID_OBJECTS)
    return grid, shift(obj, draw(st.tuples(st.integers(-3, 3), st.integers(-3, 3))))


@given(grids_and_objects())
def test_occurrences_are_where_the_object_matches(case: Any) -> None:
    grid, obj = case
    normalized = normalize(obj)
    h, w = height(grid) - height(obj), width(grid) - width(obj)
    everywhere = [(i, j) for i in range(h + 1) for j in range(w + 1)]
    assert occurrences(grid, obj) == {loc for loc in everywhere if shift(normalized, loc) <= asobject(grid)}


@given(grids(5, st.integers(0, 1)))
def test_frontiers_are_the_single_coloured_rows_and_columns(grid: Grid) -> None:
    h, w = shape(grid)
    lines = [hline_ for i in range(h) if numcolors(hline_ := toobject(connect((i, 0), (i, w - 1)), grid)) == 1]
    lines += [vline_ for j in range(w) if numcolors(vline_ := toobject(connect((0, j), (h - 1, j)), grid)) == 1]
    assert frontiers(grid) == frozenset(lines)


@given(grids(5, st.integers(0, 1)))
def test_compress_removes_single_coloured_rows_and_columns(grid: Grid) -> None:
    kept = [j for j, column in enumerate(zip(*grid, strict=True)) if len(set(column)) > 1]
    assert compress(grid) == tuple(tuple(row[j] for j in kept) for row in grid if len(set(row)) > 1)
    if frontiers(grid) == frozenset():
        assert compress(grid) == grid


@given(grids(6, st.integers(0, 4)), st.data())
def test_colours_by_count(grid: Grid, data: st.DataObject) -> None:
    element = data.draw(st.sampled_from((grid, asobject(grid))))
    counts = {v: sum(row.count(v) for row in grid) for row in grid for v in row}
    descending = sorted(sorted(counts), key=lambda v: -counts[v])
    assert palette(element) == p_f(asobject(grid)) == frozenset(counts)
    assert p_g(grid) == p_o(asobject(grid)) == tuple(sorted(counts))
    assert numcolors(element) == len(counts)
    assert mostcolor(element) == descending[0]
    assert leastcolor(element) == min(sorted(counts), key=counts.__getitem__)
    assert [get_color_rank(element, rank) for rank in range(len(counts))] == descending
    assert get_color_rank(element, L1) == descending[-1]


@given(st.frozensets(SOME_OBJECTS, max_size=5), st.integers(0, 2))
def test_colour_of_an_object_is_that_of_its_least_cell(objs: Any, value: int) -> None:
    assert {obj: color(obj) for obj in objs} == {obj: first(obj)[0] for obj in objs}
    assert colorfilter(objs, value) == {obj for obj in objs if min(v for v, _ in obj) == value}
