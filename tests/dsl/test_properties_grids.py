"""Laws of the primitives that make grids."""

from typing import Any

import pytest
from dsl_strategies import GRID_OBJECTS, OBJECTS, PATCHES, SOME_OBJECTS, SOME_PATCHES, grids, in_canonical_order
from hypothesis import given
from hypothesis import strategies as st

from harness.dsl import *

COLOURS = st.integers(0, 9)
FACTORS = st.integers(1, 4)
OFFSETS = st.tuples(st.integers(-4, 4), st.integers(-4, 4))


@given(grids())
def test_rotations_and_mirrors_are_the_symmetries_of_the_square(grid: Grid) -> None:
    assert rot90(rot270(grid)) == rot270(rot90(grid)) == grid
    assert rot90(rot90(grid)) == rot180(grid)
    assert rot90(rot180(grid)) == rot270(grid)
    assert hmirror(vmirror(grid)) == rot180(grid)
    assert vmirror(dmirror(grid)) == rot90(grid)
    assert hmirror(dmirror(grid)) == rot270(grid)
    assert rot180(dmirror(grid)) == cmirror(grid)
    h, w = shape(grid)
    assert rot90(grid) == tuple(tuple(grid[h - 1 - j][i] for j in range(h)) for i in range(w))
    assert dmirror(grid) == tuple(tuple(grid[j][i] for j in range(h)) for i in range(w))


@pytest.mark.parametrize("mirror", [hmirror, vmirror, dmirror, cmirror])
@given(piece=grids() | SOME_PATCHES)
def test_mirrors_are_involutions(mirror: Any, piece: Any) -> None:
    assert mirror(mirror(piece)) == piece


@pytest.mark.parametrize("mirror", [hmirror, vmirror, dmirror, cmirror])
@given(obj=GRID_OBJECTS)
def test_a_patch_is_mirrored_like_a_grid_inside_its_box(mirror: Any, obj: Any) -> None:
    sheet = paint(canvas(-1, shape(obj)), normalize(obj))
    mirrored = difference(asobject(mirror(sheet)), recolor(-1, ofcolor(mirror(sheet), -1)))
    assert mirror(obj) == shift(mirrored, ulcorner(obj))
    assert ulcorner(mirror(obj)) == ulcorner(obj)
    assert mirror(toindices(obj)) == toindices(mirror(obj))


@given(grids(), st.integers(-2, 9))
def test_kinds_of_symmetry(grid: Grid, kind: int) -> None:
    symmetries = (hmirror, dmirror, vmirror, cmirror, rot90, rot180, rot270, identity)
    goal = mir_rot_t(grid, kind)
    assert goal == (symmetries[kind] if 0 <= kind < 8 else identity)(grid)
    found = a_mr(((grid, goal),))
    assert mir_rot_t(grid, found) == goal
    assert all(mir_rot_t(grid, smaller) != goal for smaller in range(found))


@given(SOME_PATCHES, st.integers(-2, 6))
def test_kinds_of_mirror(patch: Any, kind: int) -> None:
    mirrors = (hmirror, dmirror, vmirror, cmirror)
    assert mir_rot_f(patch, kind) == (mirrors[kind] if 0 <= kind < 4 else identity)(patch)


def painted(grid: Grid, colour_of: dict[Any, Any]) -> Grid:
    """Return the grid with the colours of a dictionary at its locations."""
    return tuple(tuple(colour_of.get((i, j), v) for j, v in enumerate(row)) for i, row in enumerate(grid))


@given(grids(), COLOURS, PATCHES)
def test_fill_and_cover_set_the_patch_and_nothing_else(grid: Grid, value: int, patch: Any) -> None:
    filled = fill(grid, value, patch)
    assert filled == painted(grid, dict.fromkeys(toindices(patch), value))
    assert fill(grid, value, tuple(patch)) == fill(filled, value, patch) == filled
    assert paint(grid, recolor(value, patch)) == filled
    assert cover(grid, patch) == fill(grid, mostcolor(grid), patch)
    background = ofcolor(grid, mostcolor(grid))
    assert underfill(grid, value, patch) == fill(grid, value, intersection(toindices(patch), background))


@given(grids(), OBJECTS)
def test_paint_leaves_the_greatest_colour_of_a_location(grid: Grid, obj: Any) -> None:
    ascending = in_canonical_order(obj)
    assert paint(grid, obj) == painted(grid, {loc: value for value, loc in ascending})
    background = ofcolor(grid, mostcolor(grid))
    under = {loc: value for value, loc in ascending if loc in background}
    assert underpaint(grid, obj) == painted(grid, under)
    assert paint(paint(grid, obj), obj) == paint(grid, obj)


@given(grids(), OBJECTS, st.randoms(use_true_random=False))
def test_paint_of_a_tuple_leaves_the_last_colour_of_a_location(grid: Grid, obj: Any, rng: Any) -> None:
    cells = tuple(rng.sample(in_canonical_order(obj), len(obj)))
    background = ofcolor(grid, mostcolor(grid))
    assert paint(grid, cells) == painted(grid, {loc: value for value, loc in cells})
    assert underpaint(grid, cells) == painted(grid, {loc: value for value, loc in cells if loc in background})


@given(grids(), SOME_OBJECTS, OFFSETS)
def test_move_covers_and_paints(grid: Grid, obj: Any, offset: Any) -> None:
    assert move(grid, obj, offset) == paint(cover(grid, obj), shift(obj, offset))


@given(grids())
def test_a_grid_is_the_sum_of_its_cells(grid: Grid) -> None:
    assert paint(canvas(0, shape(grid)), asobject(grid)) == grid
    assert subgrid(asindices(grid), grid) == crop(grid, ORIGIN, shape(grid)) == grid
    assert paint(grid, merge(partition(grid))) == grid


@given(grids(4), FACTORS)
def test_upscale_makes_squares_and_downscale_undoes_it(grid: Grid, factor: int) -> None:
    scaled = upscale(grid, factor)
    assert shape(scaled) == multiply(shape(grid), factor)
    assert all(v == grid[i // factor][j // factor] for v, (i, j) in asobject(scaled))
    assert downscale(scaled, factor) == downscale(scaled, -factor) == grid
    assert vupscale(hupscale(grid, factor), factor) == hupscale(vupscale(grid, factor), factor) == scaled
    assert dmirror(hupscale(grid, factor)) == vupscale(dmirror(grid), factor)


@given(grids(), FACTORS)
def test_downscale_takes_every_nth_row_and_column(grid: Grid, factor: int) -> None:
    kept = [[v for j, v in enumerate(row) if j % factor == 0] for i, row in enumerate(grid) if i % factor == 0]
    assert downscale(grid, factor) == tuple(map(tuple, kept))


@given(GRID_OBJECTS, FACTORS)
def test_an_object_is_scaled_like_a_grid_about_its_corner(obj: Any, factor: int) -> None:
    sheet = upscale(paint(canvas(-1, shape(obj)), normalize(obj)), factor)
    scaled = difference(asobject(sheet), recolor(-1, ofcolor(sheet, -1)))
    assert upscale(obj, factor) == shift(scaled, ulcorner(obj))


@given(grids(), grids())
def test_concatenation(a: Grid, b: Grid) -> None:
    stacked = vconcat(a, b)
    assert stacked == combine(a, b) == a + b
    beside = hconcat(a, b)
    assert height(beside) == min(height(a), height(b))
    assert beside == tuple(a[i] + b[i] for i in range(height(beside)))
    if height(a) == height(b):
        assert dmirror(beside) == vconcat(dmirror(a), dmirror(b))
        assert crop(beside, ORIGIN, shape(a)) == a
        assert crop(beside, tojvec(width(a)), shape(b)) == b


@given(grids(4), st.integers(1, 4))
def test_splits_undo_concatenation(grid: Grid, n: int) -> None:
    row, column = grid, grid
    for _ in range(n - 1):
        row, column = hconcat(row, grid), vconcat(column, grid)
    assert hsplit(row, n) == vsplit(column, n) == repeat(grid, n)


@given(grids(), st.integers(1, 4))
def test_splits_leave_out_lines_where_the_number_does_not_divide(grid: Grid, n: int) -> None:
    w = width(grid) // n
    step = w if width(grid) % n == 0 else w + 1
    assert hsplit(grid, n) == tuple(tuple(row[k * step : k * step + w] for row in grid) for k in range(n))
    assert vsplit(dmirror(grid), n) == tuple(tuple(zip(*part, strict=True)) for part in hsplit(grid, n))


@given(grids())
def test_halves(grid: Grid) -> None:
    h, w = shape(grid)
    assert tophalf(grid) == grid[: h // 2]
    assert bottomhalf(grid) == grid[h - h // 2 :]
    assert lefthalf(grid) == dmirror(tophalf(dmirror(grid)))
    assert righthalf(grid) == dmirror(bottomhalf(dmirror(grid)))
    if even(w):
        assert hconcat(lefthalf(grid), righthalf(grid)) == grid
    if h > 2:
        assert trim(grid) == crop(grid, UNITY, (h - 2, max(w - 2, 0)))


@given(grids(), OFFSETS, OFFSETS)
def test_crop_slices_like_python(grid: Grid, start: Any, dims: Any) -> None:
    (i, j), (h, w) = start, dims
    assert crop(grid, start, dims) == tuple(row[j : j + w] for row in grid[i : i + h])


@given(grids(), SOME_PATCHES)
def test_subgrid_crops_the_bounding_box(grid: Grid, patch: Any) -> None:
    assert subgrid(patch, grid) == crop(grid, ulcorner(patch), shape(patch))


@given(grids(), grids(), COLOURS)
def test_cellwise_keeps_what_agrees(a: Grid, b: Grid, fallback: int) -> None:
    h, w = shape(a)
    if height(b) < h or width(b) < w:
        with pytest.raises(ValueError, match="at least as large"):
            cellwise(a, b, fallback)
        b = canvas(1, shape(a))
    agreed = [[a[i][j] if a[i][j] == b[i][j] else fallback for j in range(w)] for i in range(h)]
    assert cellwise(a, b, fallback) == tuple(map(tuple, agreed))
    assert cellwise(a, a, fallback) == a


@given(grids(), COLOURS, COLOURS)
def test_colours_are_replaced_and_switched(grid: Grid, a: int, b: int) -> None:
    assert replace(grid, a, b) == fill(grid, b, ofcolor(grid, a))
    assert switch(grid, a, b) == switch(grid, b, a) == fill(replace(grid, a, b), a, ofcolor(grid, b))
    assert switch(switch(grid, a, b), a, b) == grid


@given(grids(), OFFSETS)
def test_index_gives_colours_inside_and_none_outside(grid: Grid, loc: Any) -> None:
    inside = contained(loc, asindices(grid))
    assert index(grid, loc) == (grid[loc[0]][loc[1]] if inside else None)


@given(COLOURS, st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_canvas(value: int, dimensions: Any) -> None:
    sheet = canvas(value, dimensions)
    assert shape(sheet) == dimensions
    assert palette(sheet) == initset(value)
    assert square(sheet) == (dimensions[0] == dimensions[1])
    assert portrait(sheet) == (dimensions[0] > dimensions[1])
