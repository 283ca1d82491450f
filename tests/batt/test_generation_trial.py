"""Statements are tried on samples: what fails, or is too much work, goes."""

from __future__ import annotations

import pytest

from harness.batt.generation.statements import Block, Statement, parse_expression
from harness.batt.generation.trial import Trial


def block(*lines):
    pairs = [line.split(" = ") for line in lines]
    return Block("", "a", [Statement(name, parse_expression(value)) for name, value in pairs], pairs[-1][0])


ONE_COLOUR = ((), ((5, 5), (5, 5)), ((5,),))
TWO_COLOURS = ((), ((5, 5), (5, 1)), ((5,),))


def left(tried, *samples):
    return [statement.name for statement in Trial(samples).survivors(tried).statements]


def test_statements_that_fail_on_any_sample_go_with_what_needs_them():
    tried = block(
        "t1 = objects(I, T, F, T)",
        "t2 = first(t1)",
        "t3 = size(t1)",
        "t4 = normalize(t2)",
        "t5 = apply(lambda obj: combine(obj, t2), t1)",
    )
    assert left(tried, TWO_COLOURS) == ["t1", "t2", "t3", "t4", "t5"]
    # t5's lambda is never called where there is no object, and still it goes: what it names is gone.
    assert left(tried, TWO_COLOURS, ONE_COLOUR) == ["t1", "t3"]
    assert left(tried, ONE_COLOUR, TWO_COLOURS) == ["t1", "t3"]


HUNDRED = "multiply(TEN, TEN)"
MILLION = f"multiply({HUNDRED}, multiply({HUNDRED}, {HUNDRED}))"
ENLARGED = "asindices(upscale(I, {}))"


@pytest.mark.parametrize(
    ("line", "small", "large"),
    [
        ("upscale(upscale(I, TEN), {})", "TWO", "TEN"),  # 40,000 cells
        ("power(rbind(upscale, TWO), {})(I)", "THREE", HUNDRED),  # 2 ** 100 rows, if it were let
        ("canvas(ZERO, astuple({}, TEN))", "TEN", MILLION),
        ("interval(ZERO, {}, ONE)", HUNDRED, MILLION),
        ("upscale(I, {})", "TEN", MILLION),  # a million times a million cells for each cell
        ("repeat(I, {})", "TEN", MILLION),
        ("{}", HUNDRED, MILLION),
        (f"prapply(add, {ENLARGED}, {ENLARGED})", "TWO", "TEN"),  # 1,521 indices, made by 160,000 calls
    ],
)
def test_exploding_statements_are_dropped(line, small, large):
    assert left(block("t1 = " + line.replace("{}", small)), TWO_COLOURS) == ["t1"]
    assert left(block("t1 = " + line.replace("{}", large)), TWO_COLOURS) == []
