"""Primitives that make grids (and, the mirrors and upscale, patches) from grids and patches."""

# ruff: noqa: B905 - zip takes 0.15 us longer when "strict" is spelled out

from __future__ import annotations

from operator import concat
from typing import Any

from harness.dsl.canonical import ordered
from harness.dsl.colours import mostcolor, shape, width
from harness.dsl.containers import tuple_of
from harness.dsl.patches import (
    bounds,
    columns_of,
    is_object,
    location_of_cell,
    locations_of,
    pair_of,
    rows_of,
    rows_of_grid,
    shift,
    ulcorner,
)
from harness.dsl.types import Element, Grid, IntegerTuple, Object, Patch, Piece

__all__ = [
    "bottomhalf",
    "canvas",
    "cellwise",
    "cmirror",
    "compress",
    "cover",
    "crop",
    "dmirror",
    "downscale",
    "fill",
    "hconcat",
    "hmirror",
    "hsplit",
    "hupscale",
    "index",
    "lefthalf",
    "move",
    "paint",
    "replace",
    "righthalf",
    "rot180",
    "rot270",
    "rot90",
    "subgrid",
    "switch",
    "tophalf",
    "trim",
    "underfill",
    "underpaint",
    "upscale",
    "vconcat",
    "vmirror",
    "vsplit",
    "vupscale",
]


def rot90(grid: Grid) -> Grid:
    """The grid turned clockwise by a quarter."""
    return tuple(zip(*rows_of_grid(grid)[::-1]))


def rot180(grid: Grid) -> Grid:
    """The grid turned by a half."""
    return tuple([row[::-1] for row in grid[::-1]])


def rot270(grid: Grid) -> Grid:
    """The grid turned anticlockwise by a quarter."""
    return tuple(zip(*rows_of_grid(grid)))[::-1]


def hmirror(piece: Piece) -> Piece:
    """The piece flipped top to bottom, a patch inside its bounding box."""
    if isinstance(piece, tuple):
        return piece[::-1]
    rows = rows_of(piece)
    turn = min(rows) + max(rows)
    if is_object(piece):
        return frozenset([(v, (turn - i, j)) for v, (i, j) in piece])  # type: ignore[misc]
    return frozenset([(turn - i, j) for i, j in piece])  # type: ignore[return-value]


def vmirror(piece: Piece) -> Piece:
    """The piece flipped left to right, a patch inside its bounding box."""
    if isinstance(piece, tuple):
        return tuple([row[::-1] for row in piece])
    columns = columns_of(piece)
    turn = min(columns) + max(columns)
    if is_object(piece):
        return frozenset([(v, (i, turn - j)) for v, (i, j) in piece])  # type: ignore[misc]
    return frozenset([(i, turn - j) for i, j in piece])  # type: ignore[operator]


def dmirror(piece: Piece) -> Piece:
    """The piece transposed, a patch about the upper left corner of its bounding box."""
    if isinstance(piece, tuple):
        return tuple(zip(*rows_of_grid(piece)))
    top, left, _, _ = bounds(piece)
    slant = top - left
    if is_object(piece):
        return frozenset([(v, (j + slant, i - slant)) for v, (i, j) in piece])  # type: ignore[misc]
    return frozenset([(j + slant, i - slant) for i, j in piece])  # type: ignore[operator]


def cmirror(piece: Piece) -> Piece:
    """The piece transposed about its other diagonal, a patch's upper left corner kept."""
    if isinstance(piece, tuple):
        return tuple(zip(*[row[::-1] for row in piece[::-1]]))
    top, left, bottom, right = bounds(piece)
    a, b = top + right, left + bottom
    if is_object(piece):
        return frozenset([(v, (a - j, b - i)) for v, (i, j) in piece])  # type: ignore[misc]
    return frozenset([(a - j, b - i) for i, j in piece])  # type: ignore[operator]


def crop(grid: Grid, start: IntegerTuple, dims: IntegerTuple) -> Grid:
    """The part of a grid from start on, of dims rows and columns."""
    (i, j), (h, w) = pair_of(start), pair_of(dims)
    return tuple([row[j : j + w] for row in grid[i : i + h]])


def subgrid(patch: Patch, grid: Grid) -> Grid:
    """The part of a grid in the bounding box of a patch."""
    return crop(grid, ulcorner(patch), shape(patch))


def _rows_to_write(grid: Grid) -> tuple[list[list[int]], int, int]:
    """Return a copy of a grid's rows, and how many rows and columns there are."""
    rows = [list(row) for row in rows_of_grid(grid)]
    return rows, len(rows), len(rows[0])


def _in_painting_order(obj: Object) -> Any:
    """Return the cells of an object so that of several colours of a location the one that is to be left comes last."""
    if isinstance(obj, frozenset) and len(set(map(location_of_cell, obj))) < len(obj):
        return ordered(obj)
    return obj


def fill(grid: Grid, value: int, patch: Patch) -> Grid:
    """The grid with a patch filled with one colour."""
    rows, h, w = _rows_to_write(grid)
    for i, j in locations_of(patch):
        if 0 <= i < h and 0 <= j < w:
            rows[i][j] = value
    return tuple(map(tuple, rows))


def paint(grid: Grid, obj: Object) -> Grid:
    """The grid with an object painted on it."""
    rows, h, w = _rows_to_write(grid)
    for value, (i, j) in _in_painting_order(obj):
        if 0 <= i < h and 0 <= j < w:
            rows[i][j] = value
    return tuple(map(tuple, rows))


def underfill(grid: Grid, value: int, patch: Patch) -> Grid:
    """The grid with a patch filled with one colour where the grid has its most common colour."""
    background = mostcolor(grid)
    rows, h, w = _rows_to_write(grid)
    for i, j in locations_of(patch):
        if 0 <= i < h and 0 <= j < w and grid[i][j] == background:
            rows[i][j] = value
    return tuple(map(tuple, rows))


def underpaint(grid: Grid, obj: Object) -> Grid:
    """The grid with an object painted on it where the grid has its most common colour."""
    background = mostcolor(grid)
    rows, h, w = _rows_to_write(grid)
    for value, (i, j) in _in_painting_order(obj):
        if 0 <= i < h and 0 <= j < w and grid[i][j] == background:
            rows[i][j] = value
    return tuple(map(tuple, rows))


def cover(grid: Grid, patch: Patch) -> Grid:
    """The grid with a patch filled with the grid's most common colour."""
    return fill(grid, mostcolor(grid), patch)


def move(grid: Grid, obj: Object, offset: IntegerTuple) -> Grid:
    """The grid with an object covered and painted again where a vector moves it."""
    return paint(cover(grid, obj), shift(obj, offset))  # type: ignore[arg-type]


def hupscale(grid: Grid, factor: int) -> Grid:
    """The grid with every column repeated."""
    copies = range(factor)
    return tuple([tuple([v for v in row for _ in copies]) for row in rows_of_grid(grid)])


def vupscale(grid: Grid, factor: int) -> Grid:
    """The grid with every row repeated."""
    copies = range(factor)
    return tuple([row for row in tuple_of(grid) for _ in copies])


def upscale(element: Element, factor: int) -> Element:
    """The element with every cell a square of cells, an object about its upper left corner."""
    if isinstance(element, tuple):
        return vupscale(hupscale(element, factor), factor)
    if len(element) == 0:
        return frozenset()
    top, left, _, _ = bounds(element)
    block = [(i + top, j + left) for i in range(factor) for j in range(factor)]
    return frozenset(
        [(v, ((i - top) * factor + di, (j - left) * factor + dj)) for v, (i, j) in element for di, dj in block]
    )


def downscale(grid: Grid, factor: int) -> Grid:
    """Every factor-th row and column of a grid, from the first."""
    step = abs(factor)
    return tuple([row[::step] for row in grid[::step]])


def hconcat(a: Grid, b: Grid) -> Grid:
    """Two grids side by side, as many rows as the lower has."""
    return tuple(map(concat, a[:], b[:]))  # type: ignore[arg-type]  # [:] refuses sets, their rows have no order


def vconcat(a: Grid, b: Grid) -> Grid:
    """Two grids one above the other."""
    return a[:] + b  # [:] refuses integers


def hsplit(grid: Grid, n: int) -> tuple[Grid, ...]:
    """n parts of a grid, side by side; a column is left out between them where n does not divide the width."""
    h, w = len(grid), len(grid[0]) // n
    gap = len(grid[0]) % n != 0
    return tuple([crop(grid, (0, k * (w + gap)), (h, w)) for k in range(n)])


def vsplit(grid: Grid, n: int) -> tuple[Grid, ...]:
    """n parts of a grid, top to bottom; a row is left out between them where n does not divide the height."""
    h, w = len(grid) // n, len(grid[0])
    gap = len(grid) % n != 0
    return tuple([crop(grid, (k * (h + gap), 0), (h, w)) for k in range(n)])


def cellwise(a: Grid, b: Grid, fallback: int) -> Grid:
    """a's colours where both grids agree, else fallback."""
    rows, others = rows_of_grid(a), rows_of_grid(b)
    if len(others) < len(rows) or len(others[0]) < len(rows[0]):
        raise ValueError("cellwise takes a second grid at least as large as the first")
    pairs = zip(rows, others)
    return tuple([tuple([v if v == u else fallback for v, u in zip(r, s)]) for r, s in pairs])


def replace(grid: Grid, replacee: int, replacer: int) -> Grid:
    """The grid with one colour in place of another."""
    return tuple([tuple([replacer if v == replacee else v for v in row]) for row in rows_of_grid(grid)])


def switch(grid: Grid, a: int, b: int) -> Grid:
    """The grid with two colours exchanged."""
    return tuple([tuple([b if v == a else a if v == b else v for v in row]) for row in rows_of_grid(grid)])


def index(grid: Grid, loc: IntegerTuple) -> int | None:
    """The colour at a location; None outside the grid."""
    i, j = loc[:]  # [:] refuses sets
    h, w = len(grid), len(grid[0])
    return grid[i][j] if 0 <= i < h and 0 <= j < w else None


def canvas(value: int, dimensions: IntegerTuple) -> Grid:
    """A grid of one colour."""
    h, w = pair_of(dimensions)
    return ((value,) * w,) * h


def trim(grid: Grid) -> Grid:
    """The grid without its outer ring."""
    return tuple([row[1:-1] for row in grid[1:-1]])


def tophalf(grid: Grid) -> Grid:
    """The upper half of a grid; an odd middle row is in neither."""
    return grid[: len(grid) // 2]


def bottomhalf(grid: Grid) -> Grid:
    """The lower half of a grid; an odd middle row is in neither."""
    return grid[(len(grid) + 1) // 2 :]


def lefthalf(grid: Grid) -> Grid:
    """The left half of a grid; an odd middle column is in neither."""
    half = width(tuple_of(grid)) // 2
    return tuple([row[:half] for row in grid]) if half else ()


def righthalf(grid: Grid) -> Grid:
    """The right half of a grid; an odd middle column is in neither."""
    half = width(tuple_of(grid)) // 2
    return tuple([row[-half:] for row in grid]) if half else ()


def compress(grid: Grid) -> Grid:
    """The grid without its single-coloured rows and columns."""
    kept = [j for j, column in enumerate(zip(*rows_of_grid(grid))) if len(set(column)) != 1]
    return tuple([tuple([row[j] for j in kept]) for row in grid if len(set(row)) != 1])
