"""The virtual machine's numbers and containers against the reference: random operands, well-typed and ill-typed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from harness.dsl.table import ALL
from harness.vm import native
from harness.vm.native import FAIL, Unhandled, run_operation

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))

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


def with_element(r: random.Random) -> tuple[Any, Any]:
    """A value, often an element of the container beside it."""
    inside = container(r)
    value = r.choice(list(inside)) if len(inside) and r.random() < 0.6 else leaf(r)
    return value, inside


def two_containers(r: random.Random) -> tuple[Any, Any]:
    """Two containers that often are of one kind and share elements."""
    make = r.choice([flat, nested, obj, clash, indices, set_of(obj, 6), set_of(integer), tuple_of(integer)])
    a, b = make(r), make(r)
    if r.random() < 0.4:
        b = subset(r, a)
    if r.random() < 0.2:
        b = tuple(b) if isinstance(b, frozenset) else frozenset(b)
    return a, b


def swapped(make: Callable[[random.Random], tuple[Any, Any]]) -> Callable[[random.Random], tuple[Any, Any]]:
    """Return a maker of two values in the other order."""
    return lambda r: make(r)[::-1]


def each(*makes: Make) -> Callable[[random.Random], tuple[Any, ...]]:
    """Return a maker of several values."""
    return lambda r: tuple([make(r) for make in makes])


rank = one_of(lambda r: r.randrange(-3, 4), integer)
WELL_TYPED: dict[str, Callable[[random.Random], tuple[Any, ...]]] = {
    **{name: each(number, number) for name in ("add", "subtract", "multiply", "divide")},
    **{name: each(number) for name in ("crement", "decrement", "double", "halve", "increment", "invert", "sign")},
    **{name: each(integer) for name in ("even", "positive", "toivec", "tojvec")},
    **{name: each(anything) for name in ("flip", "identity", "initset")},
    **{name: each(anything, anything) for name in ("astuple", "both", "either")},
    "greater": one_of(each(integer, integer), each(vector, vector), two_containers),
    "equality": one_of(each(anything, anything), two_containers, lambda r: (lambda x: (x, x))(anything(r))),
    "interval": each(near_zero, near_zero, lambda r: r.choice([-3, -1, 1, 1, 2])),
    "maximum": each(container),
    "minimum": each(container),
    "branch": each(anything, anything, anything),
    "combine": two_containers,
    "contained": with_element,
    "dedupe": each(one_of(vector, grid, tuple_of(near), tuple_of(patch), tuple_of(colour, 50))),
    "difference": two_containers,
    "first": each(container),
    "insert": lambda r: (lambda pair: (pair[0], frozenset(pair[1])))(with_element(r)),
    "intersection": lambda r: tuple([frozenset(x) for x in two_containers(r)]),
    "last": each(container),
    "leastcommon": each(one_of(vector, grid, tuple_of(near, 40), tuple_of(colour, 50), tuple_of(obj))),
    "merge": each(nested),
    "mostcommon": each(one_of(vector, grid, tuple_of(near, 40), tuple_of(colour, 50), tuple_of(obj))),
    "other": swapped(with_element),
    "pair": two_containers,
    "product": one_of(each(set_of(integer, 5), tuple_of(integer, 5)), each(flat, set_of(integer, 3)), two_containers),
    "remove": with_element,
    "repeat": each(leaf, lambda r: r.randrange(-1, 8)),
    "size": each(container),
    "sizefilter": each(nested, integer),
    "totuple": each(container),
    "second": each(container),
    "get_nth_t": each(container, rank),
    "get_nth_f": each(container, rank),
    "difference_tuple": two_containers,
    "get_rank": each(container, rank),
    "get_common_rank": each(one_of(vector, grid, tuple_of(colour, 30), tuple_of(near)), rank),
}

# What the compiler puts into programs beside the primitives.
COMPILED: dict[str, Callable[..., Any]] = {
    "pack1": lambda a: (a,),
    "pack3": lambda a, b, c: (a, b, c),
    "pack4": lambda a, b, c, d: (a, b, c, d),
}


def reference(name: str, values: tuple[Any, ...]) -> Any:
    """What the reference answers; FAIL where it raises."""
    function = COMPILED[name] if name in COMPILED else ALL[name].function
    try:
        return function(*values)
    except Exception:
        return FAIL


def is_large(value: Any) -> bool:
    """Whether an integer of more than 64 bits is in a value."""
    if isinstance(value, int):
        return not -(2**63) <= value < 2**63
    return isinstance(value, tuple | frozenset) and any(map(is_large, value))


def check(name: str, values: tuple[Any, ...]) -> bool:
    """Compare one application with the reference; whether the machine handled it."""
    got = run_operation(name, *values)
    if isinstance(got, Unhandled):
        return False
    expected = reference(name, values)
    assert got == expected, f"{name}{values!r}\n machine:   {got!r}\n reference: {expected!r}"
    assert isinstance(got, bool) == isinstance(expected, bool) or name not in ("greater", "equality", "flip", "even")
    return True


@pytest.mark.parametrize("name", WELL_TYPED)
def test_well_typed_operands(name: str) -> None:
    r = random.Random(name)
    unhandled = []
    for _ in range(400):
        values = WELL_TYPED[name](r)
        if not check(name, values) and not is_large(reference(name, values)):
            unhandled.append(values)
    assert not unhandled, f"{len(unhandled)} of 400 unhandled, the first: {name}{unhandled[0]!r}"


@pytest.mark.parametrize("name", [*WELL_TYPED, *COMPILED])
def test_operands_of_any_type(name: str) -> None:
    r = random.Random(name)
    arity = COMPILED[name].__code__.co_argcount if name in COMPILED else ALL[name].arity
    for _ in range(250):
        values = tuple([anything(r) for _ in range(arity)])
        if name in WELL_TYPED and r.random() < 0.6:  # one operand wrong
            right = list(WELL_TYPED[name](r))
            right[r.randrange(arity)] = anything(r)
            values = tuple(right)
        check(name, values)


def test_require_count() -> None:
    for value in (1, 7, True):
        assert run_operation("require_count", value) == value
    for value in (0, -3, False, None, (1, 2), frozenset({1})):
        assert run_operation("require_count", value) is FAIL


LARGE = 2**63 - 1


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("add", (LARGE, 1)),
        ("subtract", (-LARGE, 2)),
        ("multiply", (2**32, 2**31)),
        ("multiply", (-(2**63), -1)),
        ("divide", (-(2**63), -1)),
        ("invert", (-(2**63),)),
        ("double", ((1, LARGE),)),
        ("repeat", (1, 10**9)),
        ("repeat", ((1, (2, 3)), 10**18)),
        ("interval", (0, LARGE, 1)),
        ("interval", (LARGE, -LARGE, -1)),
    ],
)
def test_results_too_large_are_left_to_the_reference(name: str, values: tuple[Any, ...]) -> None:
    assert isinstance(run_operation(name, *values), Unhandled)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("multiply", (-(2**31), 2**32 - 1)),
        ("multiply", (3037000499, -3037000499)),
        ("divide", (-7, 2)),
        ("divide", (LARGE, (-3, 0))),
        ("interval", (LARGE - 3, LARGE, 1)),
        ("interval", (LARGE, -LARGE, -LARGE)),
        ("interval", (1, 2, 0)),
        ("combine", (frozenset({(0, 0)}), frozenset({(2**31 - 1, -(2**31))}))),
        ("merge", (tuple([frozenset({(i, i)}) for i in range(600)]),)),
        ("merge", (frozenset([frozenset({(3, (i, 1))}) for i in range(600)]),)),
        ("insert", ((3, (0, 0)), frozenset({(4, (0, 0))}))),
        ("difference", (frozenset({(3, (0, 0)), (4, (0, 0))}), frozenset({(4, (0, 0))}))),
        ("remove", ((3, (0, 0)), frozenset({(3, (0, 0)), (4, (0, 0)), (300, (0, 0))}))),
        ("insert", ((1, 2), frozenset({((1, 2), (1, 2))}))),
        ("product", (tuple(range(30)), tuple(range(30)))),
        ("first", (frozenset({(-127, (0, 0)), (127, (0, 1))}),)),
        ("last", (frozenset([(i, j) for i in range(3) for j in range(200)]),)),
    ],
)
def test_edges(name: str, values: tuple[Any, ...]) -> None:
    assert check(name, values)
