"""The virtual machine's numbers and containers against the reference: random operands, well-typed and ill-typed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from assembly import run
from operands import (
    anything,
    clash,
    colour,
    container,
    each,
    flat,
    grid,
    indices,
    integer,
    leaf,
    near,
    near_zero,
    nested,
    number,
    obj,
    one_of,
    patch,
    rank,
    set_of,
    subset,
    tuple_of,
    vector,
)

from harness.dsl.table import ALL
from harness.vm import native
from harness.vm.native import FAIL, Unhandled, run_operation

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))


def with_element(r: random.Random) -> tuple[Any, Any]:
    """A value, often an element of the container beside it."""
    inside = container(r)
    value = r.choice(list(inside)) if len(inside) and r.random() < 0.6 else leaf(r)
    return value, inside


def with_element_of_set(r: random.Random) -> tuple[Any, frozenset[Any]]:
    """A value, often an element of the set beside it."""
    value, inside = with_element(r)
    return value, frozenset(inside)


def twice(r: random.Random) -> tuple[Any, Any]:
    """The same value twice."""
    value = anything(r)
    return value, value


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


WELL_TYPED: dict[str, Callable[[random.Random], tuple[Any, ...]]] = {
    **{name: each(number, number) for name in ("add", "subtract", "multiply", "divide")},
    **{name: each(number) for name in ("crement", "decrement", "double", "halve", "increment", "invert", "sign")},
    **{name: each(integer) for name in ("even", "positive", "toivec", "tojvec")},
    **{name: each(anything) for name in ("flip", "identity", "initset")},
    **{name: each(anything, anything) for name in ("astuple", "both", "either")},
    "greater": one_of(each(integer, integer), each(vector, vector), two_containers),
    "equality": one_of(each(anything, anything), two_containers, twice),
    "interval": each(near_zero, near_zero, lambda r: r.choice([-3, -1, 1, 1, 2])),
    "maximum": each(container),
    "minimum": each(container),
    "branch": each(anything, anything, anything),
    "combine": two_containers,
    "contained": with_element,
    "dedupe": each(one_of(vector, grid, tuple_of(near), tuple_of(patch), tuple_of(colour, 50))),
    "difference": two_containers,
    "first": each(container),
    "insert": with_element_of_set,
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
    for count in (1, 7, True):
        assert run_operation("require_count", count) == count
    for wrong in (0, -3, False, None, (1, 2), frozenset({1})):
        assert run_operation("require_count", wrong) is FAIL


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


# Operations whose results have forms that no operand comes in: rows, grids of two columns, tuples of grid rows.
MAKERS = ("interval", "repeat", "first", "last", "merge", "combine", "totuple", "dedupe", "remove", "product", "pair")
TAKERS = [name for name in WELL_TYPED if name not in ("repeat", "interval")]


def made_operand(r: random.Random) -> tuple[str, tuple[Any, ...]]:
    """An operation of MAKERS and operands for it."""
    name = r.choice(MAKERS)
    if name == "repeat" and r.random() < 0.7:
        return name, (r.choice(grid(r)), r.randrange(5))
    return name, WELL_TYPED[name](r)


def test_results_as_operands() -> None:
    r = random.Random(8)
    handled = 0
    for _ in range(1500):
        name = r.choice(TAKERS)
        inputs: list[Any] = []
        code: list[tuple[Any, ...]] = []
        values: list[Any] = []
        registers: list[int] = []
        for k in range(ALL[name].arity):
            if k == 2:  # a branch's
                make, own = "identity", (integer(r),)
            else:
                make, own = made_operand(r)
            registers.append(20 + k)
            code.append((make, 20 + k, *range(len(inputs), len(inputs) + len(own))))
            inputs.extend(own)
            values.append(reference(make, own))
        expected = FAIL if FAIL in values else reference(name, tuple(values))
        got = run([*code, (name, 9, *registers)], *inputs)
        if got not in ("overflow", "arena"):
            handled += 1
            assert got == ("FAIL" if expected is FAIL else expected), (code, inputs, name, values)
    assert handled > 1450


ONE_CONTAINER: dict[str, str] = {
    "map": "apply",
    "map_merge": "mapply",
    "filter": "sfilter",
    "extract": "extract",
    "argmax": "argmax",
    "argmin": "argmin",
    "order": "order",
    "valmax": "valmax",
    "valmin": "valmin",
    "arg_rank": "get_arg_rank",
    "val_rank": "get_val_rank",
}
TWO_CONTAINERS: dict[str, str] = {"zip": "papply", "zip_merge": "mpapply", "product": "prapply"}
FUNCTION_FIRST = ("apply", "mapply", "papply", "mpapply", "prapply")
BODIES = ("identity", "size", "first", "last", "toivec", "even", "initset", "double", "merge", "totuple", "positive")
BODIES_OF_TWO = ("astuple", "add", "combine", "equality", "both", "either", "multiply", "contained", "pair")


def expected_of_loop(name: str, body: str, containers: tuple[Any, ...], *rank: Any) -> Any:
    """What the reference makes of a primitive that takes a function; FAIL where it raises, or without elements."""
    function = ALL[body].function
    if name in ("valmax", "valmin") and not len(containers[0]):
        return FAIL
    return reference(name, (function, *containers) if name in FUNCTION_FIRST else (*containers, function, *rank))


@pytest.mark.parametrize("kind", ONE_CONTAINER)
def test_loops_over_one_container(kind: str) -> None:
    r = random.Random(kind)
    for _ in range(150):
        body, over, place = r.choice(BODIES), container(r), rank(r)
        expected = expected_of_loop(ONE_CONTAINER[kind], body, (over,), *([place] if kind.endswith("rank") else []))
        code = [("loop", 9, 0, None, 4, None, kind, 1 if kind.endswith("rank") else None), (body, 5, 4)]
        got = run([*code, ("next", None, 5)], over, place)
        assert got == ("FAIL" if expected is FAIL else expected), (kind, body, over, place)


@pytest.mark.parametrize("kind", TWO_CONTAINERS)
def test_loops_over_two_containers(kind: str) -> None:
    r = random.Random(kind)
    for _ in range(150):
        body = r.choice(BODIES_OF_TWO)
        if kind == "product":
            containers = (r.choice([vector, set_of(integer), indices])(r), tuple_of(integer, 5)(r))
        else:
            containers = two_containers(r)
        expected = expected_of_loop(TWO_CONTAINERS[kind], body, containers)
        code = [("loop", 9, 0, 1, 4, 5, kind), (body, 6, 4, 5), ("next", None, 6)]
        got = run(code, *containers)
        assert got == ("FAIL" if expected is FAIL else expected), (kind, body, containers)
