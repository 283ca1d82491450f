"""No primitive's outcome, a value or a failure, depends on how the frozensets that it is given were built."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from dsl_strategies import rebuilt

from harness.dsl import (
    PROGRAM_NAMESPACE,
    astuple,
    even,
    first,
    identity,
    increment,
    invert,
    last,
    leftmost,
    matcher,
    recolor,
    size,
    toindices,
    ulcorner,
)
from harness.dsl.table import ALL

ROUNDS = 60
UNARY = (identity, size, first, last, leftmost, ulcorner, toindices, increment, invert, even, matcher(size, 1))
BINARY = (astuple, recolor)


def integer(rng: random.Random) -> int:
    return rng.choice((0, 0, 1, 1, 2, 3, 4, -1, -2, 30))


def boolean(rng: random.Random) -> bool:
    return rng.random() < 0.5


def location(rng: random.Random) -> tuple[int, int]:
    return (rng.randrange(-3, 9), rng.randrange(-3, 9))


def numerical(rng: random.Random) -> Any:
    return rng.choice((integer, location))(rng)


def grid(rng: random.Random) -> Any:
    h, w = rng.randrange(1, 5), rng.randrange(1, 5)
    return tuple(tuple(rng.choice((0, 0, 1, 2)) for _ in range(w)) for _ in range(h))


def indices(rng: random.Random) -> Any:
    return frozenset(location(rng) for _ in range(rng.randrange(12)))


def an_object(rng: random.Random) -> Any:
    return frozenset((rng.randrange(3), place) for place in indices(rng) for _ in range(rng.choice((1, 1, 2))))


def objects(rng: random.Random) -> Any:
    return frozenset(an_object(rng) for _ in range(rng.randrange(5)))


def patch(rng: random.Random) -> Any:
    found = rng.choice((indices, an_object))(rng)
    return tuple(found) if rng.random() < 0.1 else found


def container(rng: random.Random) -> Any:
    elements = [rng.choice((integer, location)) for _ in range(rng.randrange(6))]
    few = rng.choice((tuple, frozenset))(element(rng) for element in elements)
    return rng.choice((grid, indices, an_object, objects, lambda _: few))(rng)


def container_of_containers(rng: random.Random) -> Any:
    elements = [rng.choice((indices, an_object, grid))(rng) for _ in range(rng.randrange(4))]
    return rng.choice((tuple, frozenset))(elements)


def samples(rng: random.Random) -> Any:
    return tuple((source, rng.choice((identity, PROGRAM_NAMESPACE["rot90"]))(source)) for source in [grid(rng)] * 2)


def mixed(rng: random.Random) -> Any:
    """Return a set whose elements are of several kinds, which hardly any primitive takes."""
    kinds = (
        integer,
        location,
        indices,
        an_object,
        lambda _: None,
        lambda _: (),
        lambda rng: (integer(rng), location(rng)),
    )
    return frozenset(rng.choice(kinds)(rng) for _ in range(rng.randrange(1, 6)))


def anything(rng: random.Random) -> Any:
    kinds = (mixed, mixed, integer, location, grid, patch, objects, container, container_of_containers, lambda _: None)
    return rng.choice(kinds)(rng)


def unary(rng: random.Random) -> Any:
    return rng.choice(UNARY)


def binary(rng: random.Random) -> Any:
    return rng.choice(BINARY)


BY_PARAMETER: dict[str, Callable[[random.Random], Any]] = {
    **dict.fromkeys(("grid",), grid),
    **dict.fromkeys(("obj",), an_object),
    **dict.fromkeys(("patch", "source", "destination"), patch),
    **dict.fromkeys(("piece", "element"), lambda rng: rng.choice((grid, patch))(rng)),
    **dict.fromkeys(("objs",), objects),
    **dict.fromkeys(("container", "tup", "fset"), container),
    **dict.fromkeys(("containers",), container_of_containers),
    **dict.fromkeys(("functions",), lambda rng: frozenset(rng.sample(UNARY, 3))),
    **dict.fromkeys(("samples",), samples),
    **dict.fromkeys(("loc", "location", "start", "direction", "directions", "offset", "dims", "dimensions"), location),
    **dict.fromkeys(("univalued", "diagonal", "without_bg", "condition", "b"), boolean),
    **dict.fromkeys(("compfunc", "function", "inner", "f", "g", "h", "outer"), unary),
    **dict.fromkeys(("i", "j", "num", "factor", "step", "stop", "rank", "kind", "colour", "fallback"), integer),
    **dict.fromkeys(("replacee", "replacer"), integer),
    **dict.fromkeys(("n", "x"), numerical),
    **dict.fromkeys(("value", "item", "target", "fixed"), lambda rng: rng.choice((integer, location, indices))(rng)),
}
BY_NAME: dict[tuple[str, str], Callable[[random.Random], Any]] = {
    **dict.fromkeys(((name, "function") for name in ("papply", "mpapply", "prapply", "rbind", "lbind")), binary),
    **dict.fromkeys(((name, "condition") for name in ("sfilter", "extract")), unary),
    ("fork", "outer"): binary,
    ("interval", "start"): integer,
}
PATCH_PAIRS = {"hmatching", "vmatching", "manhattan", "adjacent", "position"}
GRID_PAIRS = {"hconcat", "vconcat", "cellwise"}
LOCATION_PAIRS = {"connect"}
CONTAINER_PAIRS = {"combine", "intersection", "difference", "difference_tuple", "product", "pair"}
CONTAINER_PAIRS |= {"papply", "mpapply", "prapply"}
SCALAR_PAIRS = {"add", "subtract", "multiply", "divide", "greater", "both", "either", "switch"}


def fitting(name: str, parameter: str) -> Callable[[random.Random], Any]:
    """Return what makes arguments of the type that a primitive takes."""
    if parameter in ("a", "b"):
        for names, kind in (
            (PATCH_PAIRS, patch),
            (GRID_PAIRS, grid),
            (LOCATION_PAIRS, location),
            (CONTAINER_PAIRS, container),
            (SCALAR_PAIRS, numerical),
            ({"fork"}, unary),
            ({"branch", "equality", "astuple"}, anything),
        ):
            if name in names:
                return kind
    return BY_NAME.get((name, parameter)) or BY_PARAMETER[parameter]


def outcome(function: Callable[..., Any], arguments: list[Any]) -> Any:
    """Return what a call gives; a function that it gives is applied to a patch first."""
    try:
        result = function(*arguments)
        if callable(result) and result not in UNARY:
            result = result(frozenset({(1, (2, 3)), (0, (1, 1)), (2, (0, 0))}))
    except (TypeError, ValueError, IndexError, ZeroDivisionError, AttributeError) as error:
        return f"failed: {type(error).__name__}"
    return result


@pytest.mark.parametrize("name", ALL)
def test_outcome_does_not_depend_on_how_sets_were_built(name: str) -> None:
    row = ALL[name]
    rng = random.Random(name)
    succeeded = 0
    for _ in range(ROUNDS):
        arguments = [
            anything(rng) if rng.random() < 0.15 else fitting(name, parameter)(rng) for parameter in row.parameters
        ]
        expected = outcome(row.function, arguments)
        failed = isinstance(expected, str)
        succeeded += not failed
        for _ in range(6):
            again = outcome(row.function, [rebuilt(argument, rng) for argument in arguments])
            same = isinstance(again, str) if failed else again == expected
            assert same, f"{name}{tuple(arguments)}: {expected} or {again}"
    assert succeeded > 2, f"arguments made for {name} do not fit it"
