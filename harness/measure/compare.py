"""Whether one run is faster than another: a rank test, an effect size, and an answer that may be "ambiguous"."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from harness.measure.stats import Interval, speedup_interval

Judgement = Literal["faster", "slower", "same", "ambiguous"]
EFFECT_NAME = "Cliff's delta"


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the throughputs of ``b`` differ from those of ``a``.

    Attributes:
        verdict: of ``b``: ``faster`` or ``slower`` if the difference is significant and not below the smallest
            effect; ``same`` if the whole interval of the ratio is below it; else ``ambiguous``.
        ratio: median of ``b`` / median of ``a``.
        low: lower bound of the ratio; NaN where a group has fewer than 2 values.
        high: upper bound; likewise.
        p_value: of the two-sided Mann-Whitney test; NaN where a group is empty.
        effect_size: Cliff's delta, from -1 (every value of ``b`` is below every one of ``a``) to 1 (above); likewise.
        effect_name: what ``effect_size`` is.
        explanation: one sentence for a reader: what was found, and what to do where it is ambiguous.
    """

    verdict: Judgement
    ratio: float
    low: float
    high: float
    p_value: float
    effect_size: float
    effect_name: str
    explanation: str


def compare(
    a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95, smallest_effect: float = 0.02, seed: int = 0
) -> Comparison:
    """Compare two runs by the throughputs of their timed blocks.

    The test is Mann and Whitney's (it looks at ranks only, so an outlier counts as one block), the effect size
    Cliff's delta, and the interval of the ratio of medians a percentile bootstrap. The test alone would call any
    difference significant, given enough blocks, and two runs of one program differ by more than their blocks do;
    hence the smallest effect.

    Args:
        a: evaluations/s of each block of the one run, shape (n,).
        b: of the other, shape (m,).
        confidence: of the interval; the test's significance level is 1 - confidence.
        smallest_effect: relative difference below which two runs count as the same, e.g. 0.02.
        seed: of the bootstrap; the same gives the same answer.

    Raises:
        ValueError: a value that is not finite and positive, another shape, confidence not between 0 and 1, or a
            smallest effect that is negative or not finite.
    """
    if not (math.isfinite(smallest_effect) and smallest_effect >= 0):
        raise ValueError(f"smallest_effect {smallest_effect!r} is not a share from 0 on; 0.02 is usual")
    interval = speedup_interval(b, a, confidence, seed=seed, names=("b", "a"))
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    p_value = effect = math.nan
    if interval.n:
        from scipy.stats import mannwhitneyu  # noqa: PLC0415 - it takes a second to import

        test = mannwhitneyu(second, first, alternative="two-sided")
        p_value = float(test.pvalue)
        effect = 2 * float(test.statistic) / (len(first) * len(second)) - 1
    most = 1 + smallest_effect
    significant = p_value < 1 - confidence
    verdict: Judgement = "ambiguous"
    if significant and interval.low > 1 and interval.median >= most:
        verdict = "faster"
    elif significant and interval.high < 1 and interval.median <= 1 / most:
        verdict = "slower"
    elif not interval.full_range and interval.low >= 1 / most and interval.high <= most:
        verdict = "same"
    return Comparison(
        verdict,
        interval.median,
        interval.low,
        interval.high,
        p_value,
        effect,
        EFFECT_NAME,
        _explain(verdict, interval, p_value, confidence, smallest_effect),
    )


def _explain(verdict: Judgement, interval: Interval, p_value: float, confidence: float, smallest_effect: float) -> str:
    """Say what was found, why the verdict is what it is, and what to do where it is none."""
    if interval.n == 0:
        return "No answer: one of the runs has no timed block."
    bounds = ""
    if not math.isnan(interval.low):
        kind = "extremes of few blocks" if interval.full_range else f"{100 * confidence:.4g}% interval"
        bounds = f" ({kind} {interval.low:.3g}x to {interval.high:.3g}x)"
    test, counts = f"Mann-Whitney p = {p_value:.2g}", f"{100 * smallest_effect:.3g}%"
    if verdict in ("faster", "slower"):
        why = f"{verdict}: {test}, and the difference is not below {counts}."
    elif verdict == "same":
        why = f"the same: the whole interval lies within {counts} of 1x ({test})."
    elif interval.full_range:
        why = f"ambiguous: {interval.n} blocks are too few ({test}); give both runs more blocks (min_blocks)."
    elif p_value < 1 - confidence:
        why = (
            f"ambiguous: there is a difference ({test}), but it may be below {counts}; give both runs more time "
            "(a lower precision, a higher max_mode_s)."
        )
    else:
        why = (
            f"ambiguous: neither a difference is proven ({test}) nor that there is none; repeat both runs, one after "
            "the other, on a machine that does nothing else."
        )
    return f"{interval.median:.3g}x the throughput{bounds}, {why}"
