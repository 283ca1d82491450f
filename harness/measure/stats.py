"""Medians, speedups and geometric means, with intervals that assume no distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Interval:
    """A median, or a ratio of medians, and the interval around it, in the unit of the values.

    Attributes:
        median: the estimate; NaN without values.
        low: lower bound; NaN with fewer than 2 values.
        high: upper bound; likewise.
        n: number of values (of the smaller group, for a ratio).
        full_range: n is too small for the confidence asked for, so low and high are merely the extremes seen.
    """

    median: float
    low: float
    high: float
    n: int
    full_range: bool


def _checked(values: ArrayLike, what: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{what}: expected one dimension, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{what}: value {int(np.argmin(np.isfinite(array)))} is not finite; drop it or measure it")
    return array


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence!r} is not between 0 and 1; 0.95 is usual")


def _rank(n: int, confidence: float) -> int:
    """Greatest k for which (k-th least, k-th greatest) of n values covers the median; 0 where not even k = 1 does."""
    # The number of values below the true median is binomial (n, 1/2), whatever the distribution.
    allowed = Fraction((1 - confidence) / 2) * 2**n
    term, total, k = 1, 1, 0
    while total <= allowed and k < n // 2:
        k += 1
        term = term * (n - k + 1) // k
        total += term
    return k


def median_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """The median of ``values`` (shape (n,)) and its distribution-free interval, from order statistics.

    The interval covers the true median with at least ``confidence`` if the values are independent (Conover,
    Practical Nonparametric Statistics, 3.2). Fewer than 6 values cannot give 0.95: see ``Interval.full_range``.

    Raises:
        ValueError: values of another shape, not finite, or confidence not between 0 and 1.
    """
    _check_confidence(confidence)
    array = np.sort(_checked(values, "values"))
    n = len(array)
    if n < 2:
        return Interval(float(array[0]) if n else math.nan, math.nan, math.nan, n, True)
    k = _rank(n, confidence)
    low, high = (array[k - 1], array[n - k]) if k else (array[0], array[-1])
    return Interval(float(np.median(array)), float(low), float(high), n, k == 0)


def _ratio_of_medians(
    first: NDArray[np.float64], second: NDArray[np.float64], axis: int = -1
) -> NDArray[np.float64] | np.float64:
    ratio: NDArray[np.float64] | np.float64 = np.median(first, axis=axis) / np.median(second, axis=axis)
    return ratio


def speedup_interval(
    baseline: ArrayLike,
    other: ArrayLike,
    confidence: float = 0.95,
    *,
    resamples: int = 10_000,
    seed: int = 0,
    names: tuple[str, str] = ("baseline", "other"),
) -> Interval:
    """How many times as fast ``other`` is: median(baseline) / median(other), both in seconds per evaluation.

    The interval is a percentile bootstrap that resamples both groups (shapes (n,) and (m,)) independently; the
    same ``seed`` gives the same interval. Where either group is too small for the confidence, the bounds are
    the extremes that the values allow (``Interval.full_range``). ``names`` are what errors call the groups.

    Raises:
        ValueError: a group of another shape, a value that is not finite and positive, or confidence not
            between 0 and 1.
    """
    _check_confidence(confidence)
    groups = [_checked(group, what) for group, what in zip((baseline, other), names, strict=True)]
    for group, what in zip(groups, names, strict=True):
        if (group <= 0).any():
            raise ValueError(f"{what}: value {int(np.argmax(group <= 0))} is not positive, so it gives no ratio")
    n = min(len(group) for group in groups)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0, True)
    first, second = groups
    ratio = float(np.median(first) / np.median(second))
    if n < 2:
        return Interval(ratio, math.nan, math.nan, n, True)
    if _rank(n, confidence) == 0:
        return Interval(ratio, float(first.min() / second.max()), float(first.max() / second.min()), n, True)
    # Percentiles: bias correction (BCa) goes by the jackknife, which says nothing about a median.
    from scipy.stats import bootstrap  # noqa: PLC0415 - it takes a second to import

    found = bootstrap(
        (first, second),
        _ratio_of_medians,
        n_resamples=resamples,
        confidence_level=confidence,
        method="percentile",
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(ratio, float(found.low), float(found.high), n, False)


def geometric_mean(values: ArrayLike) -> float:
    """The geometric mean of ``values`` (shape (n,)); NaN without values.

    Raises:
        ValueError: a value that is not finite and positive.
    """
    array = _checked(values, "values")
    if (array <= 0).any():
        raise ValueError(f"values: value {int(np.argmax(array <= 0))} is not positive, so there is no geometric mean")
    return float(np.exp(np.log(array).mean())) if len(array) else math.nan
