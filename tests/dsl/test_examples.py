"""Every primitive by example: what it gives, and where it fails."""

import ast
from typing import Any

import examples_colours
import examples_containers
import examples_dialect
import examples_functions
import examples_grids
import examples_numbers
import examples_objects
import examples_patches
import pytest

from harness.dsl import PROGRAM_NAMESPACE
from harness.dsl.table import ALL, FAMILIES

FAMILY_EXAMPLES = {
    "numbers": examples_numbers,
    "containers": examples_containers,
    "functions": examples_functions,
    "colours": examples_colours,
    "patches": examples_patches,
    "objects": examples_objects,
    "grids": examples_grids,
    "dialect": examples_dialect,
}
EXAMPLES = [example for family in FAMILY_EXAMPLES.values() for example in family.EXAMPLES]
FAILURES = [expression for family in FAMILY_EXAMPLES.values() for expression in family.FAILURES]


def fs(*elements: Any) -> frozenset[Any]:
    return frozenset(elements)


NAMESPACE = {
    **PROGRAM_NAMESPACE,
    "fs": fs,
    "grid": ((1, 0, 0), (0, 2, 2), (0, 0, 2)),
    "wide": ((1, 2, 3, 4), (5, 6, 7, 8)),
    "ell": fs((2, (1, 1)), (2, (1, 2)), (2, (2, 2))),
    "spread": fs((1, 3), (4, 3), (2, 5)),
    # Neither an object nor indices, and neither a grid nor a tuple of rows: which comes first depends on hashes.
    "mixed": fs((1, 3), (4, 3), (2, 5), (2, (0, 0)), (3, (1, 7))),
    "pair_of_sets": (fs(1, 2), fs(3, 4)),
}

# Parameters that take no None, whatever the primitive.
CONTAINERS = {"grid", "patch", "obj", "objs", "piece", "element", "container", "containers", "source", "destination"}
CONTAINERS |= {"tup", "fset", "samples", "functions"}
HAND_ON = {"mir_rot_t", "mir_rot_f"}  # with most kinds these hand on whatever they are given


def evaluate(expression: str) -> Any:
    return eval(expression, dict(NAMESPACE))


def name_in(expression: str) -> str:
    return expression.partition("(")[0]


def exact(value: Any) -> Any:
    """Return a value that tells True from 1 and False from 0, which Python calls equal."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, tuple | frozenset):
        return type(value)(map(exact, value))
    return value


@pytest.mark.parametrize(("expression", "expected"), EXAMPLES, ids=[expression for expression, _ in EXAMPLES])
def test_example(expression: str, expected: Any) -> None:
    result = evaluate(expression)
    assert result == expected
    assert exact(result) == exact(expected)


@pytest.mark.parametrize("expression", FAILURES)
def test_failure(expression: str) -> None:
    with pytest.raises((TypeError, ValueError, IndexError, ZeroDivisionError, AttributeError)):
        evaluate(expression)


@pytest.mark.parametrize("name", ALL)
def test_every_primitive_has_an_example_in_its_family(name: str) -> None:
    examples = FAMILY_EXAMPLES[ALL[name].family].EXAMPLES
    direct = [expression for expression, _ in examples if name_in(expression) == name]
    assert direct, f"no example of {name} in examples_{ALL[name].family}.py"


def test_examples_are_filed_under_the_family_of_their_primitive() -> None:
    assert set(FAMILY_EXAMPLES) == set(FAMILIES)
    for family, module in FAMILY_EXAMPLES.items():
        expressions = [expression for expression, _ in module.EXAMPLES] + module.FAILURES
        strays = [e for e in expressions if ALL[name_in(e)].family != family]
        assert not strays, f"examples_{family}.py has examples of other families: {strays}"


def calls_with_a_container() -> list[tuple[str, int]]:
    """Return the first example of each primitive with each position at which it takes a container."""
    found = {}
    for expression, _ in EXAMPLES:
        name = name_in(expression)
        call = ast.parse(expression, mode="eval").body
        direct = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == name
        if direct and name not in found and name not in HAND_ON:
            found[name] = expression
    return [
        (expression, position)
        for name, expression in found.items()
        for position, parameter in enumerate(ALL[name].parameters)
        if parameter in CONTAINERS
    ]


@pytest.mark.parametrize(("expression", "position"), calls_with_a_container())
@pytest.mark.parametrize("wrong", [None, 0, 3, True])
def test_a_scalar_where_a_container_belongs_fails(expression: str, position: int, wrong: Any) -> None:
    call = ast.parse(expression, mode="eval").body
    assert isinstance(call, ast.Call)
    arguments = [evaluate(ast.unparse(argument)) for argument in call.args]
    arguments[position] = wrong
    with pytest.raises((TypeError, ValueError, AttributeError)):
        ALL[name_in(expression)].function(*arguments)
