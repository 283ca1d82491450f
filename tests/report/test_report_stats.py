import math

import numpy as np
import pytest

from harness.measure.stats import geometric_mean, median_interval, speedup_interval


@pytest.mark.parametrize(
    ("n", "rank"),
    # Ranks of the 95% interval of the median, from published tables (Conover; Geigy).
    [(6, 1), (8, 1), (9, 2), (12, 3), (15, 4), (20, 6), (25, 8), (50, 18), (100, 40)],
)
def test_median_interval_has_the_tabulated_ranks(n, rank):
    values = np.random.default_rng(0).permutation(np.arange(1, n + 1))
    interval = median_interval(values, 0.95)
    assert (interval.low, interval.high) == (rank, n + 1 - rank)
    assert interval.median == (n + 1) / 2
    assert interval.n == n
    assert not interval.full_range


def test_median_interval_of_many_values_agrees_with_the_normal_approximation():
    n = 4001
    interval = median_interval(np.arange(n), 0.95)
    assert interval.low == pytest.approx((n - 1) / 2 - 1.96 * math.sqrt(n) / 2, abs=2)


def test_median_interval_covers_the_median_as_often_as_it_says():
    generator = np.random.default_rng(2)
    samples = generator.lognormal(sigma=2, size=(2000, 12))
    intervals = [median_interval(sample, 0.95) for sample in samples]
    covered = np.mean([interval.low <= 1 <= interval.high for interval in intervals])
    # The exact coverage of ranks 3 and 10 of 12 is 96.1%.
    assert 0.95 < covered < 0.975


def test_too_few_values_give_their_range_and_say_so():
    interval = median_interval([3, 1, 2, 9, 5], 0.95)
    assert (interval.median, interval.low, interval.high, interval.full_range) == (3, 1, 9, True)
    assert not median_interval([3, 1, 2, 9, 5], 0.9).full_range


def test_one_value_or_none_has_no_interval():
    one, none = median_interval([2.5]), median_interval([])
    assert one.median == 2.5
    assert none.n == 0
    assert all(map(math.isnan, (one.low, one.high, none.median, none.low, none.high)))


def test_speedup_is_the_ratio_of_the_medians_and_repeatable():
    generator = np.random.default_rng(3)
    slow, fast = generator.normal(4, 0.04, 20), generator.normal(2, 0.02, 30)
    interval = speedup_interval(slow, fast)
    assert interval.median == np.median(slow) / np.median(fast)
    assert interval.low < interval.median < interval.high
    assert 1.95 < interval.low < interval.high < 2.05
    assert interval == speedup_interval(slow, fast)
    assert interval.n == 20


def test_speedup_interval_covers_the_ratio_about_as_often_as_it_says():
    generator = np.random.default_rng(4)
    hits = 0
    for _ in range(300):
        interval = speedup_interval(generator.normal(4, 0.2, 15), generator.normal(2, 0.1, 15), 0.9, resamples=500)
        hits += interval.low <= 2 <= interval.high
    assert 0.83 < hits / 300 < 0.97


def test_speedup_of_few_blocks_has_the_extremes_as_bounds():
    interval = speedup_interval([4.0, 5.0, 6.0], [1.0, 2.0, 4.0] * 4)
    assert (interval.median, interval.low, interval.high) == (2.5, 1.0, 6.0)
    assert interval.full_range
    assert math.isnan(speedup_interval([4.0], [2.0, 2.0]).low)
    assert math.isnan(speedup_interval([], [2.0]).median)


def test_geometric_mean():
    assert geometric_mean([1, 2, 4]) == pytest.approx(2)
    assert geometric_mean([0.5, 2]) == pytest.approx(1)
    assert math.isnan(geometric_mean([]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: median_interval([1, math.nan]), "value 1 is not finite"),
        (lambda: median_interval([[1.0]]), "shape"),
        (lambda: median_interval([1.0], 1.5), "confidence 1.5"),
        (lambda: speedup_interval([1.0, 0.0], [1.0]), "baseline: value 1 is not positive"),
        (lambda: geometric_mean([1, -1]), "value 1 is not positive"),
    ],
)
def test_values_without_a_meaning_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
