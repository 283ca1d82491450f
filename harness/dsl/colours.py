"""Primitives on the colours and on the sizes of grids and patches."""

from __future__ import annotations

from itertools import chain
from operator import itemgetter

from harness.dsl.canonical import in_order, least
from harness.dsl.patches import bounds, columns_of, rows_of
from harness.dsl.types import Container, Element, IntegerTuple, Object, Objects, Patch, Piece

__all__ = [
    "color",
    "colorcount",
    "colorfilter",
    "height",
    "hline",
    "leastcolor",
    "mostcolor",
    "numcolors",
    "palette",
    "portrait",
    "shape",
    "square",
    "vline",
    "width",
]

_colour_of_cell = itemgetter(0)


def colours_of(element: Element) -> list[int]:
    """Return the colour of every cell of a grid or object, in no particular order."""
    if isinstance(element, tuple):
        return list(chain.from_iterable(element))
    return list(map(_colour_of_cell, element))


def mostcolor(element: Element) -> int:
    """The colour of the most cells, the least of several."""
    values = colours_of(element)
    return max(in_order(set(values)), key=values.count)  # type: ignore[no-any-return]


def leastcolor(element: Element) -> int:
    """The colour of the fewest cells, the least of several."""
    values = colours_of(element)
    return min(in_order(set(values)), key=values.count)  # type: ignore[no-any-return]


def palette(element: Element) -> frozenset[int]:
    """The set of colours."""
    return frozenset(colours_of(element))


def numcolors(element: Element) -> int:
    """How many different colours there are."""
    return len(set(colours_of(element)))


def color(obj: Object) -> int:
    """The colour of an object, that of its least cell."""
    if isinstance(obj, tuple):
        return obj[0][0]
    values = set(map(_colour_of_cell, obj))
    return values.pop() if len(values) == 1 else least(values)  # type: ignore[no-any-return]


def colorcount(element: Element, value: int) -> int:
    """How many cells have a colour."""
    if isinstance(element, tuple):
        return sum([row.count(value) for row in element])
    return colours_of(element).count(value)


def colorfilter(objs: Objects | Container, value: int) -> Objects:
    """The set of the objects of a colour."""
    return frozenset([obj for obj in objs if color(obj) == value])


def height(piece: Piece) -> int:
    """The number of rows of a grid, or of a patch's bounding box; 0 when empty."""
    if isinstance(piece, tuple):
        return len(piece)
    if len(piece) == 0:
        return 0
    rows = rows_of(piece)
    return max(rows) - min(rows) + 1


def width(piece: Piece) -> int:
    """The number of columns of a grid, or of a patch's bounding box; 0 when empty."""
    if len(piece) == 0:
        return 0
    if isinstance(piece, tuple):
        return len(piece[0])
    columns = columns_of(piece)
    return max(columns) - min(columns) + 1


def shape(piece: Piece) -> IntegerTuple:
    """(height, width)."""
    if isinstance(piece, tuple) or len(piece) == 0:
        return (height(piece), width(piece))
    top, left, bottom, right = bounds(piece)
    return (bottom - top + 1, right - left + 1)


def portrait(piece: Piece) -> bool:
    """Whether a piece is higher than wide."""
    rows, columns = shape(piece)
    return rows > columns


def square(piece: Piece) -> bool:
    """Whether a grid is square, or a patch fills a square bounding box."""
    if isinstance(piece, tuple):
        return len(piece) == len(piece[0])
    rows, columns = shape(piece)
    return rows == columns and rows * columns == len(piece)


def vline(patch: Patch) -> bool:
    """Whether a patch is one column without gaps."""
    return height(patch) == len(patch) and width(patch) == 1


def hline(patch: Patch) -> bool:
    """Whether a patch is one row without gaps."""
    return width(patch) == len(patch) and height(patch) == 1
