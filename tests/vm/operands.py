"""Random DSL values for the tests of the virtual machine's operations."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

Make = Callable[[random.Random], Any]


def integer(r: random.Random) -> int:
    """An integer: mostly small, sometimes a Boolean or near an edge of 8, 12, 32 bits."""
    if r.random() < 0.05:
        return r.choice([True, False])
    if r.random() < 0.1:
        return r.choice([-129, -128, -127, 126, 127, 128, 511, 2047, 2048, -2048, 2**31 - 1, 2**31, -(2**31), 10**10])
    return r.randrange(-4, 12)


def near_zero(r: random.Random) -> int:
    """An integer on both sides of where bytes end."""
    return r.choice([r.randrange(-5, 20), r.randrange(-150, 150)])


def colour(r: random.Random) -> int:
    """A colour."""
    return r.randrange(10)


def location(r: random.Random) -> tuple[int, int]:
    """A location: on a grid, about it, or far off."""
    reach = r.choice([3, 8, 30, 80, 700]) if r.random() < 0.5 else 4
    low = -reach if r.random() < 0.3 else 0
    return (r.randrange(low, reach), r.randrange(low, reach))


def near(r: random.Random) -> tuple[int, int]:
    """A location on a small grid, so that patches meet."""
    return (r.randrange(5), r.randrange(-2, 6))


def number(r: random.Random) -> Any:
    """An integer or a pair of such."""
    return integer(r) if r.random() < 0.6 else (integer(r), integer(r))


def set_of(make: Make, most: int = 12) -> Make:
    """Return a maker of sets."""
    return lambda r: frozenset([make(r) for _ in range(r.randrange(most + 1))])


def tuple_of(make: Make, most: int = 12) -> Make:
    """Return a maker of tuples."""
    return lambda r: tuple([make(r) for _ in range(r.randrange(most + 1))])


def one_of(*makes: Make) -> Make:
    """Return a maker of what one of several makes."""
    return lambda r: r.choice(makes)(r)


def each(*makes: Make) -> Callable[[random.Random], tuple[Any, ...]]:
    """Return a maker of several values."""
    return lambda r: tuple([make(r) for make in makes])


def grid(r: random.Random) -> Any:
    """A grid of 1x1 to 30x30."""
    most = r.choice([2, 4, 30])
    h, w = r.randrange(1, most + 1), r.randrange(1, most + 1)
    return tuple([tuple([r.randrange(3) for _ in range(w)]) for _ in range(h)])


def obj(r: random.Random) -> Any:
    """An object: of one colour, or of several with one for each location."""
    make = near if r.random() < 0.7 else location
    one = colour(r)
    cells = {make(r): one if r.random() < 0.5 else colour(r) for _ in range(r.randrange(1, 20))}
    if r.random() < 0.5:
        return frozenset([(one, where) for where in cells])
    return frozenset([(value, where) for where, value in cells.items()])


def clash(r: random.Random) -> Any:
    """A set of cells in which a location may have several colours."""
    return frozenset([(r.randrange(3), near(r)) for _ in range(r.randrange(1, 12))])


def subset(r: random.Random, container: Any) -> Any:
    """Some of the elements of a container, as another of its type."""
    return type(container)([e for e in container if r.random() < 0.5])


indices = one_of(set_of(near), set_of(location), set_of(near, 60))
patch = one_of(obj, indices, clash)
vector = tuple_of(one_of(integer, colour, near), 20)
leaf = one_of(integer, integer, location, lambda r: None, patch, grid, tuple_of(colour, 40))
flat = one_of(patch, patch, vector, tuple_of(colour, 40), set_of(integer), grid, tuple_of(near), tuple_of(obj, 3))
nested = one_of(
    set_of(obj, 6), set_of(indices, 6), tuple_of(obj, 6), tuple_of(patch, 6), set_of(patch, 4), tuple_of(grid, 3),
    set_of(tuple_of(colour, 3), 6), tuple_of(tuple_of(colour, 3), 6), set_of(set_of(integer, 4), 5), grid,
    tuple_of(tuple_of(near, 4), 4), set_of(set_of(obj, 3), 3), tuple_of(vector, 3), set_of(grid, 3),
)  # fmt: skip
container = one_of(flat, flat, nested, tuple_of(leaf, 4), set_of(leaf, 4))
anything = one_of(leaf, container, set_of(container, 3), tuple_of(container, 3))


rank = one_of(lambda r: r.randrange(-3, 4), integer)
