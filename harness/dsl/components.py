"""Primitives that find objects in a grid: the family "objects", whose name the primitive `objects` has taken."""

# ruff: noqa: B905 - zip takes 0.15 us longer when "strict" is spelled out

from __future__ import annotations

from harness.dsl.colours import mostcolor, palette
from harness.dsl.patches import bounds, rows_of_grid
from harness.dsl.types import Grid, Indices, Object, Objects

__all__ = ["fgpartition", "frontiers", "objects", "occurrences", "partition"]


def objects(grid: Grid, univalued: bool, diagonal: bool, without_bg: bool) -> Objects:
    """The connected components of a grid."""
    # Cells are numbered row by row with one number left out behind each row, so that a step of the
    # numbering never leads around the edge.
    stride = len(rows_of_grid(grid)[0]) + 1
    if without_bg:
        background = mostcolor(grid)
        left = {i * stride + j: v for i, row in enumerate(grid) for j, v in enumerate(row) if v != background}
    else:
        left = {i * stride + j: v for i, row in enumerate(grid) for j, v in enumerate(row)}
    steps = (-stride, -1, 1, stride)
    if diagonal:
        steps += (-stride - 1, -stride + 1, stride - 1, stride + 1)  # type: ignore[assignment]
    found = []
    while left:
        start, colour = left.popitem()
        component = [(colour, start)]
        for _, at in component:  # the list grows while it is walked
            for step in steps:
                near = at + step
                if near in left and (not univalued or left[near] == colour):
                    component.append((left.pop(near), near))
        found.append(frozenset([(v, divmod(at, stride)) for v, at in component]))
    return frozenset(found)


def partition(grid: Grid) -> Objects:
    """One object for each colour of a grid."""
    return _by_colour(rows_of_grid(grid), palette(grid))


def fgpartition(grid: Grid) -> Objects:
    """One object for each colour of a grid but its most common."""
    return _by_colour(rows_of_grid(grid), palette(grid) - {mostcolor(grid)})


def _by_colour(grid: Grid, colours: frozenset[int]) -> Objects:
    cells: dict[int, list[tuple[int, tuple[int, int]]]] = {colour: [] for colour in colours}
    for i, row in enumerate(grid):
        for j, v in enumerate(row):
            if v in cells:
                cells[v].append((v, (i, j)))
    return frozenset([frozenset(of_colour) for of_colour in cells.values()])


def occurrences(grid: Grid, obj: Object) -> Indices:
    """The upper left indices at which an object, normalized, matches wholly inside the grid."""
    rows, columns = len(grid), len(grid[0])
    if len(obj) == 0:
        return frozenset([(i, j) for i in range(rows + 1) for j in range(columns + 1)])
    top, left, bottom, right = bounds(obj)
    places = [(i, j) for i in range(rows - bottom + top) for j in range(columns - right + left)]
    for value, (i, j) in obj:
        di, dj = i - top, j - left
        places = [(a, b) for a, b in places if grid[a + di][b + dj] == value]
        if not places:
            break
    return frozenset(places)


def frontiers(grid: Grid) -> Objects:
    """One object for each row and for each column of a single colour."""
    h, w = len(rows_of_grid(grid)), len(grid[0])
    columns = zip(*grid)
    found = [frozenset([(row[0], (i, j)) for j in range(w)]) for i, row in enumerate(grid) if len(set(row)) == 1]
    found += [frozenset([(v[0], (i, j)) for i in range(h)]) for j, v in enumerate(columns) if len(set(v)) == 1]
    return frozenset(found)
