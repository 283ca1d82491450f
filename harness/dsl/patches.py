"""Primitives on patches: objects (sets of cells) and indices (sets of locations)."""

from __future__ import annotations

from itertools import repeat
from operator import itemgetter
from typing import Any

from harness.dsl.types import Grid, Indices, IntegerTuple, Object, Patch

__all__ = [
    "adjacent",
    "asindices",
    "asobject",
    "backdrop",
    "bordering",
    "box",
    "center",
    "centerofmass",
    "connect",
    "corners",
    "delta",
    "dneighbors",
    "gravitate",
    "hfrontier",
    "hmatching",
    "hperiod",
    "inbox",
    "ineighbors",
    "leftmost",
    "llcorner",
    "lowermost",
    "lrcorner",
    "manhattan",
    "neighbors",
    "normalize",
    "ofcolor",
    "outbox",
    "position",
    "recolor",
    "rightmost",
    "shift",
    "shoot",
    "toindices",
    "toobject",
    "ulcorner",
    "uppermost",
    "urcorner",
    "vfrontier",
    "vmatching",
    "vperiod",
]

MOST_MOVES = 42  # of gravitate, and the reach of shoot: further than any 30x30 grid needs
FRONTIER_LENGTH = 30


_TUPLES = {tuple}
location_of_cell = column_of = itemgetter(1)  # refuses sets


def is_object(patch: Patch) -> bool:
    """Whether a patch that is not empty holds cells, not indices.

    Raises:
        ValueError: for an empty patch, which is neither.
        TypeError: for a container of something else.
    """
    for element in patch:
        return isinstance(element[1], tuple)
    raise ValueError("the patch is empty")


def _locations_of_cells(obj: Patch) -> list[IntegerTuple]:
    """Return the locations of cells, refusing indices among them: which came first would depend on hashes."""
    locations = list(map(location_of_cell, obj))
    if set(map(type, locations)) != _TUPLES:
        raise TypeError("a patch holds cells or indices, not both")
    return locations


def _refuse_cells(indices: Patch) -> None:
    """Raise TypeError for cells among indices: which came first would depend on hashes."""
    sum(map(column_of, indices))


def locations_of(patch: Patch) -> Any:
    """Return the locations of a patch as an iterable, in no particular order."""
    if len(patch) == 0:
        return ()
    if is_object(patch):
        return _locations_of_cells(patch)
    _refuse_cells(patch)
    return patch


def rows_of(patch: Patch) -> list[int]:
    """Return the row of every cell."""
    if len(patch) and is_object(patch):
        return [i for i, _ in map(location_of_cell, patch)]
    _refuse_cells(patch)
    return [i for i, _ in patch]


def columns_of(patch: Patch) -> list[int]:
    """Return the column of every cell."""
    if len(patch) and is_object(patch):
        return [j for _, j in map(location_of_cell, patch)]
    _refuse_cells(patch)
    return [j for _, j in patch]  # type: ignore[misc]


def axes_of(patch: Patch) -> tuple[list[int], list[int]]:
    """Return the rows and the columns of a patch that is not empty.

    With cells among the indices it holds, min and max of the columns raise TypeError.
    """
    locations: Any = list(map(location_of_cell, patch)) if is_object(patch) else patch
    return [i for i, _ in locations], [j for _, j in locations]


def pair_of(location: IntegerTuple) -> IntegerTuple:
    """Return a location or a vector, refusing what is not a pair (a set of two would unpack in any order)."""
    if not isinstance(location, tuple):
        raise TypeError(f"expected a pair (i, j), not {type(location).__name__}")
    i, j = location
    return i, j


def bounds(patch: Patch) -> tuple[int, int, int, int]:
    """Return (top, left, bottom, right) of the bounding box; an empty patch raises ValueError."""
    rows, columns = axes_of(patch)
    return min(rows), min(columns), max(rows), max(columns)


def rectangle(top: int, left: int, bottom: int, right: int) -> Indices:
    """Return all indices of a box, bounds included."""
    columns = range(left, right + 1)
    return frozenset([(i, j) for i in range(top, bottom + 1) for j in columns])


def outline(top: int, left: int, bottom: int, right: int) -> Indices:
    """Return the rim of a box, bounds included."""
    cells = [(i, j) for i in range(top, bottom + 1) for j in (left, right)]
    cells += [(i, j) for j in range(left, right + 1) for i in (top, bottom)]
    return frozenset(cells)


def rows_of_grid(grid: Grid) -> Grid:
    """Return the grid, refusing what is no tuple of tuples: the elements of a set have no order."""
    if type(grid) is not tuple:
        raise TypeError(f"expected a grid, not {type(grid).__name__}")
    for row in grid:
        if type(row) is not tuple:
            raise TypeError(f"expected a row of a grid, not {type(row).__name__}")
    return grid


def asindices(grid: Grid) -> Indices:
    """All indices of a grid."""
    columns = range(len(grid[0])) if len(rows_of_grid(grid)) else ()
    return frozenset([(i, j) for i in range(len(grid)) for j in columns])


def ofcolor(grid: Grid, value: int) -> Indices:
    """The indices of the cells of a colour."""
    found = [(i, row) for i, row in enumerate(rows_of_grid(grid)) if value in row]
    return frozenset([(i, j) for i, row in found for j, v in enumerate(row) if v == value])


def asobject(grid: Grid) -> Object:
    """All cells of a grid."""
    return frozenset([(v, (i, j)) for i, row in enumerate(rows_of_grid(grid)) for j, v in enumerate(row)])


def toindices(patch: Patch) -> Indices:
    """The indices of the cells of a patch."""
    if len(patch) == 0:
        return frozenset()
    if is_object(patch):
        return frozenset(_locations_of_cells(patch))
    _refuse_cells(patch)
    return patch  # type: ignore[return-value]


def recolor(value: int, patch: Patch) -> Object:
    """The patch with every cell of one colour."""
    return frozenset(zip(repeat(value), locations_of(patch)))


def toobject(patch: Patch, grid: Grid) -> Object:
    """The cells of a grid at the indices of a patch, without those outside the grid."""
    h, w = len(grid), len(grid[0])
    return frozenset([(grid[i][j], (i, j)) for i, j in locations_of(patch) if 0 <= i < h and 0 <= j < w])


def ulcorner(patch: Patch) -> IntegerTuple:
    """The upper left corner of the bounding box; () when empty."""
    if len(patch) == 0:
        return ()  # type: ignore[return-value]
    rows, columns = axes_of(patch)
    return (min(rows), min(columns))


def urcorner(patch: Patch) -> IntegerTuple:
    """The upper right corner of the bounding box; () when empty."""
    if len(patch) == 0:
        return ()  # type: ignore[return-value]
    rows, columns = axes_of(patch)
    return (min(rows), max(columns))


def llcorner(patch: Patch) -> IntegerTuple:
    """The lower left corner of the bounding box; () when empty."""
    if len(patch) == 0:
        return ()  # type: ignore[return-value]
    rows, columns = axes_of(patch)
    return (max(rows), min(columns))


def lrcorner(patch: Patch) -> IntegerTuple:
    """The lower right corner of the bounding box; () when empty."""
    if len(patch) == 0:
        return ()  # type: ignore[return-value]
    rows, columns = axes_of(patch)
    return (max(rows), max(columns))


def uppermost(patch: Patch) -> int:
    """The first row of the bounding box."""
    return min(rows_of(patch))


def lowermost(patch: Patch) -> int:
    """The last row of the bounding box."""
    return max(rows_of(patch))


def leftmost(patch: Patch) -> int:
    """The first column of the bounding box."""
    return min(columns_of(patch))


def rightmost(patch: Patch) -> int:
    """The last column of the bounding box."""
    return max(columns_of(patch))


def center(patch: Patch) -> IntegerTuple:
    """The middle of the bounding box, its lower right of several."""
    top, left, bottom, right = bounds(patch)
    if isinstance(patch, tuple):  # whose height and width, as of every tuple, are those of a grid
        return (top + len(patch) // 2, left + len(patch[0]) // 2)
    return (top + (bottom - top + 1) // 2, left + (right - left + 1) // 2)


def centerofmass(patch: Patch) -> IntegerTuple:
    """The means of the rows and of the columns, rounded down; () when empty."""
    count = len(patch)
    if count == 0:
        return ()  # type: ignore[return-value]
    return (sum(rows_of(patch)) // count, sum(columns_of(patch)) // count)


def shift(patch: Patch, directions: IntegerTuple) -> Patch:
    """The patch moved by a vector."""
    if len(patch) == 0:
        return patch
    di, dj = pair_of(directions)
    if is_object(patch):
        return frozenset([(v, (i + di, j + dj)) for v, (i, j) in patch])  # type: ignore[misc]
    return frozenset([(i + di, j + dj) for i, j in patch])  # type: ignore[operator]


def normalize(patch: Patch) -> Patch:
    """The patch moved so that its upper left corner is (0, 0)."""
    if len(patch) == 0:
        return patch
    rows, columns = axes_of(patch)
    return shift(patch, (-min(rows), -min(columns)))


def dneighbors(loc: IntegerTuple) -> Indices:
    """The four directly adjacent indices."""
    i, j = pair_of(loc)
    return frozenset(((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)))


def ineighbors(loc: IntegerTuple) -> Indices:
    """The four diagonally adjacent indices."""
    i, j = pair_of(loc)
    return frozenset(((i - 1, j - 1), (i - 1, j + 1), (i + 1, j - 1), (i + 1, j + 1)))


def neighbors(loc: IntegerTuple) -> Indices:
    """All eight adjacent indices."""
    i, j = pair_of(loc)
    h, k, m, n = i - 1, i + 1, j - 1, j + 1
    return frozenset(((h, m), (h, j), (h, n), (i, m), (i, n), (k, m), (k, j), (k, n)))


def corners(patch: Patch) -> Indices:
    """The corners of the bounding box."""
    if len(patch) == 0:
        return frozenset(((),))  # type: ignore[arg-type]  # every corner of nothing is ()
    top, left, bottom, right = bounds(patch)
    return frozenset(((top, left), (top, right), (bottom, left), (bottom, right)))


def backdrop(patch: Patch) -> Indices:
    """All indices of the bounding box."""
    return rectangle(*bounds(patch)) if len(patch) else frozenset()


def delta(patch: Patch) -> Indices:
    """The indices of the bounding box that are not in the patch."""
    return backdrop(patch).difference(locations_of(patch))


def box(patch: Patch) -> Indices:
    """The outline of the bounding box."""
    return outline(*bounds(patch)) if len(patch) else frozenset()


def inbox(patch: Patch) -> Indices:
    """The outline of the bounding box taken in by one cell."""
    top, left, bottom, right = bounds(patch)
    i, j, k, m = top + 1, left + 1, bottom - 1, right - 1
    return outline(min(i, k), min(j, m), max(i, k), max(j, m))


def outbox(patch: Patch) -> Indices:
    """The outline of the bounding box let out by one cell."""
    top, left, bottom, right = bounds(patch)
    return outline(top - 1, left - 1, bottom + 1, right + 1)


def hmatching(a: Patch, b: Patch) -> bool:
    """Whether two patches share a row."""
    return not set(rows_of(a)).isdisjoint(rows_of(b))


def vmatching(a: Patch, b: Patch) -> bool:
    """Whether two patches share a column."""
    return not set(columns_of(a)).isdisjoint(columns_of(b))


def manhattan(a: Patch, b: Patch) -> int:
    """The least distance, in rows plus columns, between a cell of a and one of b."""
    from_: set[IntegerTuple] = set(locations_of(a))
    to: set[IntegerTuple] = set(locations_of(b))
    if not from_.isdisjoint(to):
        return 0
    return min([abs(i - k) + abs(j - m) for i, j in from_ for k, m in to])


def _beside(locations: Any) -> set[IntegerTuple]:
    """Return what is directly adjacent to a location, without the locations themselves."""
    beside = {place for i, j in locations for place in ((i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1))}
    return beside.difference(locations)


def adjacent(a: Patch, b: Patch) -> bool:
    """Whether two patches are at distance 1."""
    from_, to = locations_of(a), locations_of(b)
    if not len(from_) or not len(to):
        raise ValueError("adjacent takes patches that are not empty")
    return not _beside(from_).isdisjoint(to) and set(from_).isdisjoint(to)


def bordering(patch: Patch, grid: Grid) -> bool:
    """Whether a patch's bounds touch the border of a grid."""
    top, left, bottom, right = bounds(patch)
    return top == 0 or left == 0 or bottom == len(grid) - 1 or right == len(grid[0]) - 1


def position(a: Patch, b: Patch) -> IntegerTuple:
    """The direction from a's center to b's."""
    (ai, aj), (bi, bj) = center(toindices(a)), center(toindices(b))
    di, dj = 1 if ai < bi else -1, 1 if aj < bj else -1
    if ai == bi:
        return (0, dj)
    if aj == bj:
        return (di, 0)
    return (di, dj)


def gravitate(source: Patch, destination: Patch) -> IntegerTuple:
    """The vector that moves source cell by cell until it is adjacent to destination."""
    (si, sj), (di, dj) = center(source), center(destination)
    vertical = vmatching(source, destination)
    sense = (1 if si < di else -1) if vertical else (1 if sj < dj else -1)
    step_i, step_j = (sense, 0) if vertical else (0, sense)
    moving, goal = locations_of(source), set(locations_of(destination))
    beside = _beside(goal)
    moves = 0
    while moves < MOST_MOVES and (beside.isdisjoint(moving) or not goal.isdisjoint(moving)):
        moving = [(i + step_i, j + step_j) for i, j in moving]
        moves += 1
    return (step_i * moves, step_j * moves)


def connect(a: IntegerTuple, b: IntegerTuple) -> Indices:
    """The straight or 45 degree line between two indices, both ends included; empty if there is none."""
    (ai, aj), (bi, bj) = pair_of(a), pair_of(b)
    di, dj = bi - ai, bj - aj
    length = max(abs(di), abs(dj))
    if di and dj and abs(di) != abs(dj):
        return frozenset()
    si, sj = (di > 0) - (di < 0), (dj > 0) - (dj < 0)
    return frozenset([(ai + si * k, aj + sj * k) for k in range(length + 1)])


def shoot(start: IntegerTuple, direction: IntegerTuple) -> Indices:
    """The line from a starting point as far as any grid reaches in a direction."""
    (i, j), (di, dj) = pair_of(start), pair_of(direction)
    return connect(start, (i + MOST_MOVES * di, j + MOST_MOVES * dj))


def vfrontier(location: IntegerTuple) -> Indices:
    """The whole column of a location."""
    _, j = pair_of(location)
    return frozenset([(i, j) for i in range(FRONTIER_LENGTH)])


def hfrontier(location: IntegerTuple) -> Indices:
    """The whole row of a location."""
    i, _ = pair_of(location)
    return frozenset([(i, j) for j in range(FRONTIER_LENGTH)])


def hperiod(obj: Object) -> int:
    """The least number of columns after which an object repeats; its width if it does not."""
    return _period([(j, (v, i)) for v, (i, j) in obj])


def vperiod(obj: Object) -> int:
    """The least number of rows after which an object repeats; its height if it does not."""
    return _period([(i, (v, j)) for v, (i, j) in obj])


def _period(places: list[tuple[int, Any]]) -> int:
    """Return the least shift back after which the places that are not before the first are places again."""
    if len(places) == 0:
        return 0
    start, end = min([at for at, _ in places]), max([at for at, _ in places])
    known = set(places)
    for p in range(1, end - start + 1):
        if all((at - p, rest) in known for at, rest in places if at - p >= start):
            return p
    return end - start + 1
