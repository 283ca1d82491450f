"""Two runs are called faster, slower or the same only where their blocks prove it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.measure.compare import compare


def blocks(rate: float, spread: float, count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(rate, spread * rate, count)


def test_a_clear_difference_is_faster_one_way_and_slower_the_other():
    a, b = blocks(1000, 0.02, 12, 1), blocks(1200, 0.02, 15, 2)
    faster, slower = compare(a, b), compare(b, a)
    assert (faster.verdict, slower.verdict) == ("faster", "slower")
    assert faster.ratio == np.median(b) / np.median(a)
    assert 1.1 < faster.low < faster.ratio < faster.high < 1.3
    assert faster.effect_size == 1
    assert slower.effect_size == -1
    assert faster.effect_name == "Cliff's delta"
    assert faster.p_value == pytest.approx(slower.p_value)
    assert faster.p_value < 1e-4
    assert faster.explanation.startswith(f"{faster.ratio:.3g}x the throughput (95% interval {faster.low:.3g}x to ")
    assert "faster: Mann-Whitney p = " in faster.explanation


def test_the_effect_size_is_the_excess_of_pairs_won():
    found = compare([1.0, 2.0, 3.0], [2.0, 4.0])  # of 6 pairs 4 are won, 1 lost, 1 tied
    assert found.effect_size == pytest.approx((4 - 1) / 6)


def test_a_difference_too_small_to_count_is_the_same_however_significant():
    a, b = blocks(1000, 0.002, 50, 3), blocks(1010, 0.002, 50, 4)
    found = compare(a, b, smallest_effect=0.05)
    assert found.p_value < 1e-6
    assert found.verdict == "same"
    assert compare(a, b, smallest_effect=0.005).verdict == "faster"


def test_a_significant_difference_that_may_or_may_not_count_is_ambiguous():
    a, b = blocks(1000, 0.02, 30, 5), blocks(1019, 0.02, 30, 6)
    found = compare(a, b, smallest_effect=0.04)
    assert found.p_value < 0.05
    assert found.ratio < 1.04 < found.high
    assert found.verdict == "ambiguous"
    assert "but it may be below 4%" in found.explanation


def test_wide_intervals_prove_neither_a_difference_nor_that_there_is_none():
    found = compare(blocks(1000, 0.3, 8, 7), blocks(1000, 0.3, 8, 8))
    assert found.verdict == "ambiguous"
    assert "nor that there is none" in found.explanation


def test_equal_values_are_the_same():
    found = compare([5.0] * 8, [5.0] * 8)
    assert (found.verdict, found.ratio, found.low, found.high) == ("same", 1, 1, 1)
    assert found.effect_size == 0
    assert found.p_value == pytest.approx(1)


def test_few_blocks_are_never_the_same_but_may_differ_clearly():
    assert compare([5.0, 5.0], [5.0, 5.0]).verdict == "ambiguous"
    assert "2 blocks are too few (Mann-Whitney p = 1)" in compare([5.0, 5.0], [5.0, 5.0]).explanation
    assert compare([5.0, 5.1, 5.2], [9.0, 9.1, 9.2]).verdict == "ambiguous"  # p = 0.1, however far apart
    found = compare([5.0, 5.1, 5.2, 5.3], [9.0, 9.1, 9.2, 9.3])
    assert found.verdict == "faster"
    assert (found.low, found.high) == (9.0 / 5.3, 9.3 / 5.0)
    assert "extremes of few blocks" in found.explanation


def test_one_block_or_none_answers_nothing():
    one, none = compare([1.0], [2.0, 2.0]), compare([], [1.0])
    assert (one.verdict, none.verdict) == ("ambiguous", "ambiguous")
    assert math.isnan(one.low)
    assert math.isnan(none.p_value)
    assert "no timed block" in none.explanation


def test_the_answer_depends_on_the_values_and_the_seed_alone():
    a, b = blocks(1000, 0.1, 10, 9), blocks(1100, 0.1, 10, 10)
    assert compare(a, b, seed=1) == compare(list(a), list(b), seed=1)
    assert compare(a, b, seed=1).low != compare(a, b, seed=2).low


def test_runs_that_do_not_differ_are_seldom_called_different():
    wrong = 0
    for seed in range(150):
        generator = np.random.default_rng(seed)
        wrong += compare(generator.normal(100, 5, 10), generator.normal(100, 5, 10)).verdict in ("faster", "slower")
    assert wrong <= 150 * 0.09  # 5% of all, and some for chance


@pytest.mark.parametrize(
    ("a", "b", "options", "message"),
    [
        ([1.0, 0.0], [1.0], {}, "a: value 1 is not positive"),
        ([1.0], [1.0, math.nan], {}, "b: value 1 is not finite"),
        ([[1.0]], [1.0], {}, "a: expected one dimension"),
        ([1.0], [1.0], {"confidence": 95}, "confidence 95"),
        ([1.0], [1.0], {"smallest_effect": -0.1}, "smallest_effect -0.1"),
        ([1.0], [1.0], {"smallest_effect": math.nan}, "smallest_effect nan"),
    ],
)
def test_what_has_no_answer_is_refused(a, b, options, message):
    with pytest.raises(ValueError, match=message):
        compare(a, b, **options)
