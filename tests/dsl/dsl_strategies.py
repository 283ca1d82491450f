"""Hypothesis strategies for DSL values, and the canonical order written out as its specification reads."""

from __future__ import annotations

import random
from functools import cmp_to_key
from typing import Any

from hypothesis import strategies as st

COLOURS = st.integers(0, 9)
FEW_COLOURS = st.sampled_from((0, 0, 1, 2))
SMALL = st.integers(-5, 12)


@st.composite
def grids(draw: st.DrawFn, most: int = 6, colours: st.SearchStrategy[int] = FEW_COLOURS) -> tuple[tuple[int, ...], ...]:
    h, w = draw(st.integers(1, most)), draw(st.integers(1, most))
    return tuple(tuple(draw(colours) for _ in range(w)) for _ in range(h))


LOCATIONS = st.tuples(SMALL, SMALL)
CELLS = st.tuples(FEW_COLOURS, LOCATIONS)
INDICES = st.frozensets(LOCATIONS, max_size=8)
OBJECTS = st.frozensets(CELLS, max_size=8)
PATCHES = INDICES | OBJECTS
SOME_INDICES = st.frozensets(LOCATIONS, min_size=1, max_size=8)
SOME_OBJECTS = st.frozensets(CELLS, min_size=1, max_size=8)
SOME_PATCHES = SOME_INDICES | SOME_OBJECTS
# One colour per location, as the objects of a grid have.
GRID_OBJECTS = st.dictionaries(LOCATIONS, FEW_COLOURS, min_size=1, max_size=12).map(
    lambda colours: frozenset((value, location) for location, value in colours.items())
)
INTEGERS = st.integers(-(10**12), 10**12) | st.booleans() | SMALL
# Values of one kind, as containers mostly hold, and of all kinds nested in one another.
PLAIN = st.recursive(INTEGERS, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=6)
VALUES = st.recursive(
    st.none() | INTEGERS | LOCATIONS | CELLS,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=8,
)
ELEMENTS = [INTEGERS, LOCATIONS, CELLS, INDICES, OBJECTS, st.frozensets(INTEGERS, max_size=3), PLAIN, VALUES]
SETS = st.one_of([st.frozensets(elements, max_size=6) for elements in ELEMENTS])


def rank(value: Any) -> int:
    return 0 if value is None else 1 if isinstance(value, int) else 2 if isinstance(value, tuple) else 3


def compare(a: Any, b: Any) -> int:
    """Return -1, 0 or 1 as a stands before, beside or behind b in canonical order."""
    if rank(a) != rank(b):
        return -1 if rank(a) < rank(b) else 1
    if a is None:
        return 0
    if isinstance(a, int):
        return (a > b) - (a < b)
    if isinstance(a, frozenset):
        a, b = in_canonical_order(a), in_canonical_order(b)
    for x, y in zip(a, b, strict=False):
        if result := compare(x, y):
            return result
    return (len(a) > len(b)) - (len(a) < len(b))


def in_canonical_order(values: Any) -> tuple[Any, ...]:
    return tuple(sorted(values, key=cmp_to_key(compare)))


def rebuilt(value: Any, rng: random.Random) -> Any:
    """Return an equal value whose frozensets, at every depth, were built in another order and by another way.

    The order in which a frozenset is walked depends on both: on the order of insertion where hashes collide, and on
    the size that its table grew to, which dummy elements that come and go change too.
    """
    if isinstance(value, tuple):
        return tuple([rebuilt(element, rng) for element in value])
    if not isinstance(value, frozenset):
        return value
    elements = [rebuilt(element, rng) for element in value]
    rng.shuffle(elements)
    way = rng.randrange(4)
    if way == 0:
        return frozenset(elements)
    if way == 1:  # the table of a set that was larger
        dummies = [("dummy", k) for k in range(rng.choice((1, 10, 100)))]
        larger = elements + dummies
        rng.shuffle(larger)
        shrunk = set(larger)
        shrunk.difference_update(dummies)
        return frozenset(shrunk)
    if way == 2:
        half = len(elements) // 2
        return frozenset(elements[:half]).union(elements[half:])
    return frozenset(dict.fromkeys(elements))
