"""The canonical order, which decides every choice among the elements of a frozenset.

    None < integers < tuples (lexicographic, then shorter first) < frozensets (as the sorted tuple of their elements)

Functions, which programs may keep in containers too, come after all values, by name and by what they close over.

Python's own comparison agrees with this order on integers and on tuples of them, and is many times quicker than
a key function, so it is used wherever the values hold nothing else; ``<`` on frozensets means "subset" and must
never decide.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from itertools import chain
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
        return (1, value)
    if isinstance(value, tuple):
        return (2, tuple([canonical_key(element) for element in value]))
    if isinstance(value, frozenset):
        return (3, tuple(sorted([canonical_key(element) for element in value])))
    if callable(value):
        return (4, _function_key(value))
    raise TypeError(f"{type(value).__name__} is not a DSL value and has no place in the canonical order")


def _function_key(function: Callable[..., Any]) -> tuple[Any, ...]:
    """Order functions by name, code and what they close over: stable from one process to the next."""
    closure = getattr(function, "__closure__", None) or ()
    code = getattr(function, "__code__", None)
    line = code.co_firstlineno if code else 0
    name = getattr(function, "__qualname__", type(function).__name__)
    return (name, line, tuple([canonical_key(cell.cell_contents) for cell in closure]))


def is_plain(values: Iterable[Any]) -> bool:
    """Whether values are integers, or tuples of such to any depth: what Python's ``<`` orders as we do."""
    types = set(map(type, values))
    if types <= _INTEGERS:
        return True
    if not types <= _INTEGERS_AND_TUPLES:
        return False
    return is_plain([element for value in values if type(value) is tuple for element in value])


def sort_key(values: Collection[Any]) -> Callable[[Any], Any] | None:
    """Return the cheapest key that puts ``values`` in canonical order; None where the values order themselves."""
    if is_plain(values):
        return None
    if set(map(type, values)) == {frozenset} and is_plain(list(chain.from_iterable(values))):
        return sorted
    return canonical_key


def ordered(container: Collection[Any]) -> tuple[Any, ...]:
    """Return the elements of a container as a tuple: a tuple as it stands, a set in canonical order."""
    if isinstance(container, tuple):
        return container
    try:
        return tuple(sorted(container, key=sort_key(container)))
    except TypeError:  # integers and tuples side by side: Python cannot compare them
        return tuple(sorted(container, key=canonical_key))


def least(values: Collection[Any]) -> Any:
    """Return the least of ``values`` in canonical order; of equal ones the first.

    Raises:
        ValueError: if there is none.
    """
    try:
        return min(values, key=sort_key(values))
    except TypeError:
        return min(values, key=canonical_key)


def greatest(values: Collection[Any]) -> Any:
    """Return the greatest of ``values`` in canonical order; of equal ones the first.

    Raises:
        ValueError: if there is none.
    """
    try:
        return max(values, key=sort_key(values))
    except TypeError:
        return max(values, key=canonical_key)
