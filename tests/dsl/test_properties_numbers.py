"""Laws of the primitives on numbers: pairs are worked on elementwise."""

from collections.abc import Callable
from typing import Any

import pytest
from dsl_strategies import VALUES, in_canonical_order
from hypothesis import given
from hypothesis import strategies as st

from harness.dsl import *

INTEGERS = st.integers(-1000, 1000)
PAIRS = st.tuples(INTEGERS, INTEGERS)


@pytest.mark.parametrize("operation", [add, subtract, multiply, divide])
@given(PAIRS, PAIRS, INTEGERS)
def test_operations_on_pairs_are_elementwise(operation: Callable[..., Any], a: Any, b: Any, n: int) -> None:
    if operation is divide and 0 in (*a, *b, n):
        return
    assert operation(a, b) == (operation(a[0], b[0]), operation(a[1], b[1]))
    assert operation(a, n) == operation(a, (n, n))
    assert operation(n, b) == operation((n, n), b)


@pytest.mark.parametrize("operation", [invert, double, halve, increment, decrement, crement, sign])
@given(PAIRS)
def test_functions_of_pairs_are_elementwise(operation: Callable[..., Any], a: Any) -> None:
    assert operation(a) == (operation(a[0]), operation(a[1]))


@given(INTEGERS, INTEGERS)
def test_integers(n: int, m: int) -> None:
    assert subtract(add(n, m), m) == n
    assert add(n, invert(n)) == 0
    assert decrement(increment(n)) == n
    assert halve(double(n)) == n
    assert 0 <= n - double(halve(n)) <= 1
    assert even(n) == (double(halve(n)) == n)
    assert multiply(sign(n), sign(n)) == (n != 0)
    assert crement(n) == n + sign(n)
    assert positive(n) == greater(n, 0) == (sign(n) == 1)
    assert greater(n, m) + greater(m, n) + equality(n, m) == 1
    if m:
        assert 0 <= sign(m) * (n - multiply(divide(n, m), m)) < abs(m)


@given(st.booleans(), st.booleans())
def test_logic(a: bool, b: bool) -> None:
    assert flip(both(a, b)) == either(flip(a), flip(b))
    assert either(a, flip(a))
    assert not both(a, flip(a))


@given(st.lists(VALUES, max_size=5))
def test_maximum_and_minimum_are_the_ends_of_the_canonical_order(values: list[Any]) -> None:
    expected = in_canonical_order(values)
    assert maximum(tuple(values)) == (expected[-1] if values else 0)
    assert minimum(tuple(values)) == (expected[0] if values else 0)
    assert maximum(frozenset(values)) == maximum(tuple(values))
    assert minimum(frozenset(values)) == minimum(tuple(values))


@given(INTEGERS, st.integers(0, 20), st.integers(-5, 5).filter(bool))
def test_interval_steps_from_start_to_before_stop(start: int, count: int, step: int) -> None:
    values = interval(start, start + count * step, step)
    assert values == tuple(start + k * step for k in range(count))
