"""Primitives of the batt dialect: ranks (from 0, negative from the end) and operations chosen by a kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.dsl.canonical import in_order, ordered
from harness.dsl.colours import colours_of, palette
from harness.dsl.components import objects
from harness.dsl.containers import order
from harness.dsl.grids import cmirror, dmirror, hmirror, rot90, rot180, rot270, vmirror
from harness.dsl.patches import (
    leftmost,
    llcorner,
    lowermost,
    lrcorner,
    ofcolor,
    rightmost,
    ulcorner,
    uppermost,
    urcorner,
)
from harness.dsl.types import Container, Element, Grid, Indices, IntegerTuple, Object, Objects, Patch

__all__ = [
    "a_mr",
    "col_row",
    "corner",
    "difference_tuple",
    "f_ofcolor",
    "get_arg_rank",
    "get_color_rank",
    "get_common_rank",
    "get_nth_f",
    "get_nth_t",
    "get_rank",
    "get_val_rank",
    "mir_rot_f",
    "mir_rot_t",
    "o_g",
    "p_f",
    "p_g",
    "p_o",
    "second",
]

_MIRRORS: tuple[Callable[[Any], Any], ...] = (hmirror, dmirror, vmirror, cmirror)
_MIRRORS_AND_ROTATIONS = (*_MIRRORS, rot90, rot180, rot270)
UNCHANGED = len(_MIRRORS_AND_ROTATIONS)
_CORNERS = (ulcorner, urcorner, llcorner, lrcorner)
_EDGES = (lowermost, uppermost, leftmost, rightmost)


def _of_kind(functions: tuple[Callable[[Any], Any], ...], kind: int) -> Callable[[Any], Any]:
    """Return the function of a kind, refusing negative kinds, which a tuple would count from the end."""
    if not 0 <= kind < len(functions):
        raise ValueError(f"kind must be from 0 to {len(functions) - 1}, not {kind}")
    return functions[kind]


def second(container: Container) -> Any:
    """The second element in tuple or canonical order."""
    return ordered(container)[1]


def get_nth_t(tup: Container, rank: int) -> Any:
    """The element of a rank in a tuple."""
    return ordered(tup)[rank]


def get_nth_f(fset: Container, rank: int) -> Any:
    """The element of a rank in a frozenset."""
    return ordered(fset)[rank]


def difference_tuple(a: Container, b: Container) -> tuple[Any, ...]:
    """The elements of a that are not in b, as a tuple in order."""
    return tuple([e for e in ordered(a) if e not in b])


def p_g(grid: Grid) -> tuple[int, ...]:
    """The colours of a grid, ascending."""
    return ordered(palette(grid))


def p_o(obj: Object) -> tuple[int, ...]:
    """The colours of an object, ascending."""
    return ordered(palette(obj))


def p_f(obj: Object) -> frozenset[int]:
    """The set of the colours of an object."""
    return palette(obj)


def o_g(grid: Grid, kind: int) -> Objects:
    """The objects of a grid, with univalued, diagonal and without_bg the bits of a kind from 0 to 7."""
    if not 0 <= kind <= 7:
        raise ValueError(f"kind must be from 0 to 7, not {kind}")
    return objects(grid, bool(kind & 4), bool(kind & 2), bool(kind & 1))


def mir_rot_t(grid: Grid, kind: int) -> Grid:
    """The grid mirrored (kinds 0-3) or rotated (4-6); any other kind leaves it unchanged."""
    if 0 <= kind < UNCHANGED:
        return _MIRRORS_AND_ROTATIONS[kind](grid)  # type: ignore[no-any-return]
    return grid


def mir_rot_f(patch: Patch, kind: int) -> Patch:
    """The patch mirrored (kinds 0-3); any other kind leaves it unchanged."""
    if 0 <= kind < len(_MIRRORS):
        return _MIRRORS[kind](patch)  # type: ignore[no-any-return]
    return patch


def a_mr(samples: Container) -> int | None:
    """The least kind with which mir_rot_t makes the output of every sample from its input; None if there is none."""
    pairs = ordered(samples)
    for kind in range(UNCHANGED + 1):
        if all(mir_rot_t(source, kind) == goal for source, goal in pairs):
            return kind
    return None


def corner(patch: Patch, kind: int) -> IntegerTuple:
    """The upper left, upper right, lower left or lower right corner, by kind 0-3."""
    return _of_kind(_CORNERS, kind)(patch)  # type: ignore[no-any-return]


def col_row(patch: Patch, kind: int) -> int:
    """The last row, first row, first column or last column, by kind 0-3."""
    return _of_kind(_EDGES, kind)(patch)  # type: ignore[no-any-return]


def f_ofcolor(grid: Grid, colour: int) -> Indices:
    """The indices of the cells of a colour."""
    return ofcolor(grid, colour)


def get_rank(container: Container, rank: int) -> Any:
    """The element of a rank by descending value."""
    return in_order(container)[::-1][rank]


def get_arg_rank(container: Container, compfunc: Callable[[Any], Any], rank: int) -> Any:
    """The element of a rank by descending key, ties in canonical (or tuple) order."""
    tied: dict[Any, list[Any]] = {}
    for e in ordered(container):
        tied.setdefault(compfunc(e), []).append(e)
    return [e for key in reversed(in_order(tied)) for e in tied[key]][rank]


def get_val_rank(container: Container, compfunc: Callable[[Any], Any], rank: int) -> Any:
    """The key value of a rank by ascending key."""
    return in_order([compfunc(e) for e in container])[rank]


def get_color_rank(element: Element, rank: int) -> int:
    """The colour of a rank by descending number of cells, the least first of several."""
    values = colours_of(element)
    return order(frozenset(values), lambda value: -values.count(value))[rank]  # type: ignore[no-any-return]


def get_common_rank(container: tuple[Any, ...], rank: int) -> Any:
    """The value of a rank by ascending number of occurrences, the least first of several."""
    return order(frozenset(container), container.count)[rank]
