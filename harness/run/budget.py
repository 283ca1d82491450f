"""A run's time budget: how much of it is left for measuring, so that the report is in time."""

from __future__ import annotations

import math
from time import perf_counter

_REPORT_S = 30.0  # writing the report takes 3 to 6 s, the notebook writes it twice, and other work may go on
_REPORT_SHARE = 0.01  # of a long budget, whose run has more to report
_MOST_SHARE = 0.3  # of one that is short
_LEAST_S = 2.0  # for saying what is skipped, where nothing is left
MARGIN = 1.2
"""By which a thing may take longer than the last of its kind."""


class Budget:
    """Seconds from a start to the end of the report, of which some are kept for the report."""

    def __init__(self, seconds: float | None, spent_s: float = 0.0) -> None:
        """Begin now.

        Args:
            seconds: in all; None for no limit.
            spent_s: of these, how many are over already.
        """
        self.seconds = seconds
        if seconds is None:
            self._end = self._latest = math.inf
        else:
            kept = min(max(_REPORT_S, _REPORT_SHARE * seconds), _MOST_SHARE * seconds)
            self._end = perf_counter() - spent_s + seconds - kept
            self._latest = self._end + kept / 3

    def left(self) -> float:
        """Return the seconds left for measuring: negative where they are over, infinite without a budget."""
        return self._end - perf_counter()

    def latest(self) -> float:
        """Return the seconds after which what is still under way has to be broken off; infinite without a budget."""
        return max(self._latest - perf_counter(), _LEAST_S)

    def allows(self, seconds: float) -> bool:
        """Whether something that takes so long, roughly, would be done in time."""
        return seconds * MARGIN <= self.left()

    def lack(self, seconds: float) -> str:
        """Say why something that takes so long is skipped."""
        left = max(self.left(), 0.0)
        return f"time budget: {left:.1f} s of time_budget_s ({self.seconds:g} s) are left for measuring, and it " + (
            f"takes some {seconds:.1f} s" if seconds else "was not done by then"
        )
