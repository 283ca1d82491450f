"""Primitives on containers: tuples and frozensets of anything."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

from harness.dsl.canonical import canonical_key, greatest, is_plain, least, ordered
from harness.dsl.types import Container

__all__ = [
    "argmax",
    "argmin",
    "branch",
    "combine",
    "contained",
    "dedupe",
    "difference",
    "extract",
    "first",
    "initset",
    "insert",
    "intersection",
    "last",
    "leastcommon",
    "merge",
    "mfilter",
    "mostcommon",
    "order",
    "other",
    "pair",
    "product",
    "remove",
    "repeat",
    "sfilter",
    "size",
    "sizefilter",
    "totuple",
    "valmax",
    "valmin",
]


def contained(value: Any, container: Container) -> bool:
    """Whether value is an element of a container."""
    return value in container


def size(container: Container) -> int:
    """How many elements a container has."""
    return len(container)


def combine(a: Container, b: Container) -> Container:
    """The elements of both, as a container of a's type."""
    if isinstance(a, tuple):
        return a + ordered(b)
    return a.union(b)


def intersection(a: frozenset[Any], b: frozenset[Any]) -> frozenset[Any]:
    """The elements of a that are in b."""
    if not isinstance(a, frozenset):
        raise TypeError(f"intersection takes frozensets, not {type(a).__name__}")
    return a & b


def difference(a: Container, b: Container) -> Container:
    """The elements of a that are not in b, as a container of a's type."""
    if isinstance(a, frozenset) and isinstance(b, frozenset):
        return a - b
    return type(a)([e for e in a if e not in b])


def dedupe(tup: tuple[Any, ...]) -> tuple[Any, ...]:
    """The first occurrences of the elements of a tuple, in order."""
    if not isinstance(tup, tuple):
        raise TypeError(f"dedupe takes a tuple, not {type(tup).__name__}")
    return tuple(dict.fromkeys(tup))


def order(container: Container, compfunc: Callable[[Any], Any]) -> tuple[Any, ...]:
    """The elements sorted by key, ties in canonical (or tuple) order."""
    elements: Any = container
    keys = [compfunc(e) for e in elements]
    if isinstance(container, frozenset) and len(set(keys)) < len(keys):
        elements = ordered(container)
        keys = [compfunc(e) for e in elements]
    ranks = _comparable(keys)
    try:
        places = sorted(range(len(keys)), key=ranks.__getitem__)
    except TypeError:
        ranks = [canonical_key(k) for k in keys]
        places = sorted(range(len(keys)), key=ranks.__getitem__)
    elements = tuple(elements)
    return tuple([elements[place] for place in places])


def _comparable(keys: list[Any]) -> list[Any]:
    """Return keys that Python's ``<`` puts in canonical order."""
    return keys if is_plain(keys) else [canonical_key(k) for k in keys]


def repeat(item: Any, num: int) -> tuple[Any, ...]:
    """A tuple of num copies of item."""
    return (item,) * num


def merge(containers: Container) -> Container:
    """The elements of the elements, as a container of the outer type."""
    if isinstance(containers, frozenset):
        return frozenset(chain.from_iterable(containers))
    return tuple(chain.from_iterable([ordered(c) for c in containers]))


def valmax(container: Container, compfunc: Callable[[Any], Any]) -> Any:
    """The greatest key value; compfunc(0) when empty."""
    return greatest([compfunc(e) for e in container]) if container else compfunc(0)


def valmin(container: Container, compfunc: Callable[[Any], Any]) -> Any:
    """The least key value; compfunc(0) when empty."""
    return least([compfunc(e) for e in container]) if container else compfunc(0)


def argmax(container: Container, compfunc: Callable[[Any], Any]) -> Any:
    """The element with the greatest key, the first of several."""
    keys = [compfunc(e) for e in container]
    return _first_with(container, keys, greatest(keys))


def argmin(container: Container, compfunc: Callable[[Any], Any]) -> Any:
    """The element with the least key, the first of several."""
    keys = [compfunc(e) for e in container]
    return _first_with(container, keys, least(keys))


def _first_with(container: Container, keys: list[Any], key: Any) -> Any:
    """Return the first element, in canonical (or tuple) order, that has a key; ``keys`` in iteration order."""
    if isinstance(container, frozenset):
        tied = [e for e, k in zip(container, keys, strict=True) if k == key]
        return tied[0] if len(tied) == 1 else least(tied)
    return container[keys.index(key)]


def mostcommon(container: tuple[Any, ...]) -> Any:
    """The element that occurs most often in a tuple, the least of several."""
    return greatest_by_count(container, container.count)


def leastcommon(container: tuple[Any, ...]) -> Any:
    """The element that occurs least often in a tuple, the least of several."""
    count = container.count
    return min(ordered(frozenset(container)), key=count)


def greatest_by_count(values: Any, count: Callable[[Any], int]) -> Any:
    """Return the value with the greatest count, the least in canonical order of several."""
    distinct = set(values)
    if len(distinct) == 1:
        return distinct.pop()
    return max(ordered(distinct), key=count)


def initset(value: Any) -> frozenset[Any]:
    """The set of one value."""
    return frozenset((value,))


def insert(value: Any, container: frozenset[Any]) -> frozenset[Any]:
    """A set with value added."""
    return container | {value}


def remove(value: Any, container: Container) -> Container:
    """The elements that differ from value, as a container of the same type."""
    return type(container)([e for e in container if e != value])


def other(container: Container, value: Any) -> Any:
    """The first element once value is removed."""
    return first(remove(value, container))


def sfilter(container: Container, condition: Callable[[Any], Any]) -> Container:
    """The elements that satisfy a condition, as a container of the same type."""
    return type(container)([e for e in container if condition(e)])


def mfilter(container: Container, function: Callable[[Any], Any]) -> Container:
    """The elements that satisfy a condition, merged."""
    return merge(sfilter(container, function))


def extract(container: Container, condition: Callable[[Any], Any]) -> Any:
    """The first element that satisfies a condition."""
    if isinstance(container, frozenset):
        kept = [e for e in container if condition(e)]
        return kept[0] if len(kept) == 1 else least(kept)
    for e in container:
        if condition(e):
            return e
    raise ValueError("extract found no element that satisfies the condition")


def totuple(container: Container) -> tuple[Any, ...]:
    """The elements as a tuple, those of a set in canonical order."""
    return ordered(container)


def first(container: Container) -> Any:
    """The first element in tuple or canonical order."""
    if isinstance(container, frozenset):
        if len(container) == 1:
            (only,) = container
            return only
        return least(container)
    return container[0]


def last(container: Container) -> Any:
    """The last element in tuple or canonical order."""
    if isinstance(container, frozenset):
        return greatest(container)
    return container[-1]


def product(a: Container, b: Container) -> frozenset[tuple[Any, Any]]:
    """The set of pairs (x, y) with x in a and y in b."""
    return frozenset([(x, y) for x in a for y in b])


def pair(a: Container, b: Container) -> tuple[tuple[Any, Any], ...]:
    """The tuple of pairs of a's and b's elements, as long as the shorter."""
    return tuple(zip(ordered(a), ordered(b), strict=False))


def branch(condition: Any, a: Any, b: Any) -> Any:
    """a if condition holds, else b."""
    return a if condition else b


def sizefilter(container: Container, n: int) -> frozenset[Any]:
    """The set of the elements of size n."""
    return frozenset([e for e in container if len(e) == n])
