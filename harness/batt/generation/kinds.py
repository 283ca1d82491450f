"""Kinds of values, which decide how the batt dialect may spell a call."""

from __future__ import annotations

from typing import Any


def kind_of(value: Any, leaves: set[type]) -> str:
    """Return a value's kind: function, number, grid, tuple, object, indices or set.

    Args:
        value: any DSL value.
        leaves: types of its leaves.
    """
    if not leaves <= {int, bool, type(None)}:
        return "function"
    if isinstance(value, tuple):
        rows = bool(value) and all(isinstance(row, tuple) and row and isinstance(row[0], int) for row in value)
        return "grid" if rows and len(set(map(len, value))) == 1 else "tuple"
    if isinstance(value, frozenset):
        kinds = set(map(_kind_of_set_with, value))
        return kinds.pop() if len(kinds) == 1 else "set"
    return "number"


def _kind_of_set_with(element: Any) -> str:
    match element:
        case (int(), int()):
            return "indices"
        case (int(), (int(), int())):
            return "object"
    return "set"
