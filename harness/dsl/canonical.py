"""The canonical order, which decides every choice among the elements of a frozenset.

    None < integers < tuples (lexicographic, then shorter first) < frozensets (as the sorted tuple of their elements)

Functions, which programs may keep in containers too, come after all values, by name and by what they close over.

``canonical_key`` states this order for any value. It is too slow for the sets that programs are full of, so these
have keys of their own, which put them in the same order: integers are their own key, and locations and cells are
numbered. Each such key refuses whatever it was not made for, and then the general way is taken. Python's own ``<`` is
used only where ``is_plain`` holds; on frozensets it means "subset" and must never decide.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from operator import index
from typing import Any

_INTEGERS = {int, bool}
_INTEGERS_AND_TUPLES = {int, bool, tuple}


def canonical_key(value: Any) -> tuple[Any, ...]:
    """Return a key by which Python sorts DSL values into canonical order.

    Raises:
        TypeError: for a value of a type that the DSL does not have.
    """
    if value is None:
        return (0,)
    if isinstance(value, int):
        return (1, int(value))  # as an element True is 1, and keys may be written down
    if isinstance(value, tuple):
        return (2, tuple([canonical_key(element) for element in value]))
    if isinstance(value, frozenset):
        return (3, tuple(sorted([canonical_key(element) for element in value])))
    if callable(value):
        return (4, _function_key(value))
    raise TypeError(f"{type(value).__name__} is not a DSL value and has no place in the canonical order")


def _function_key(function: Callable[..., Any]) -> tuple[Any, ...]:
    """Order functions by name, place and what they close over: stable from one process to the next."""
    closure = getattr(function, "__closure__", None) or ()
    return (*place_of_function(function), tuple([canonical_key(cell.cell_contents) for cell in closure]))


def place_of_function(function: Callable[..., Any]) -> tuple[str, int, tuple[int, int]]:
    """Return the name of a function, its line, and where its body begins: a line may have several lambdas."""
    name = getattr(function, "__qualname__", type(function).__name__)
    code = getattr(function, "__code__", None)
    if code is None:
        return (name, 0, (0, 0))
    # What stands for no text, such as the jump into the body, has no position, or one of no columns.
    places = [(line, column) for line, _, column, end in code.co_positions() if line and end and column is not None]
    return (name, code.co_firstlineno, min(places, default=(0, 0)))


def is_plain(values: Iterable[Any]) -> bool:
    """Whether values are integers, or tuples of such to any depth: what Python's ``<`` orders as we do."""
    types = set(map(type, values))
    if types <= _INTEGERS:
        return True
    if not types <= _INTEGERS_AND_TUPLES:
        return False
    return is_plain([element for value in values if type(value) is tuple for element in value])


class _Keys(dict[Any, int]):
    """The keys of values of one kind, each computed once and then looked up."""

    def __init__(self, compute: Callable[[Any], int]) -> None:
        self.compute = compute

    def __missing__(self, value: Any) -> int:
        key = self.compute(value)
        if len(self) < _MOST_KEYS:
            self[value] = key
        return key


def _number_location(location: Any) -> int:
    if type(location) is tuple:
        i, j = location
        if -_FAR <= i < _FAR and -_FAR <= j < _FAR:
            return (i << _ROW_BITS) + j  # type: ignore[no-any-return]
    raise TypeError("not a location, or one far from any grid")


def _number_cell(cell: Any) -> int:
    _, location = cell
    return (cell[0] << 2 * _ROW_BITS) + _location_key(location)  # type: ignore[no-any-return]  # [0] refuses sets


_ROW_BITS = 12
_FAR = 1 << (_ROW_BITS - 1)
_MOST_KEYS = 1 << 16  # many times the cells that a program meets, and some megabytes
_location_key = _Keys(_number_location).__getitem__
_cell_key = _Keys(_number_cell).__getitem__


def _set_key_by(element_key: Callable[[Any], int]) -> Callable[[Any], list[int]]:
    def set_key(elements: Any) -> list[int]:
        if type(elements) is not frozenset:
            raise TypeError("not a frozenset")
        return sorted(map(element_key, elements))

    return set_key


_SET_KEYS = {key: _set_key_by(key) for key in (index, _location_key, _cell_key)}


def _quick_key(value: Any) -> Callable[[Any], Any] | None:
    """Return the key made for values like this one; None if there is none."""
    kind = type(value)
    if kind is int:
        return index
    if kind is tuple and len(value) == 2:
        kind = type(value[1])
        if kind is int:
            return _location_key
        if kind is tuple:
            return _cell_key
    elif kind is frozenset:
        for element in value:
            return _SET_KEYS.get(_quick_key(element))  # type: ignore[arg-type]
    return None


def _choose(select: Callable[..., Any], values: Collection[Any]) -> Any:
    """Return ``select(values, key=...)`` with the cheapest key that puts them in canonical order."""
    for value in values:
        key = index if type(value) is int else _quick_key(value)
        if key is not None:
            try:
                return select(values, key=key)
            except (TypeError, ValueError):  # of several kinds, or far from any grid
                pass
        break
    if is_plain(values):
        try:
            return select(values)
        except TypeError:  # integers and tuples side by side: Python cannot compare them
            pass
    return select(values, key=canonical_key)


def in_order(values: Collection[Any]) -> list[Any]:
    """Return values in canonical order; equal ones stay as they are."""
    return _choose(sorted, values)  # type: ignore[no-any-return]


def ordered(container: Collection[Any]) -> tuple[Any, ...]:
    """Return the elements of a container as a tuple: a tuple as it stands, a set in canonical order."""
    if isinstance(container, tuple):
        return container
    if len(container) == 1:
        return tuple(container)
    return tuple(in_order(container))


def least(values: Collection[Any]) -> Any:
    """Return the least of ``values`` in canonical order; of equal ones the first.

    Raises:
        ValueError: if there is none.
    """
    return _choose(min, values)


def greatest(values: Collection[Any]) -> Any:
    """Return the greatest of ``values`` in canonical order; of equal ones the first.

    Raises:
        ValueError: if there is none.
    """
    return _choose(max, values)
