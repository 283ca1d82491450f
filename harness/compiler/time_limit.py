"""An end to traces that would have none: a program may loop without calling a primitive."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Literal

from harness.compiler import opaque

MOST_SECONDS = 10.0
"""That a trace may take; one of 100,000 calls of primitives, the most there may be, takes some 2."""


class TooLong(BaseException):
    """A trace ran past its limit. Not an ``Exception``, so that a program's own handlers let it through."""


class TimeLimit:
    """A context in which a program that runs past ``MOST_SECONDS`` is refused, and ``TooLong`` raised.

    Signals reach the main thread only, and between two bytecodes: a trace in another thread has no limit, nor has a
    call into C that does not return. Where somebody else uses the alarm, it is left alone. ``harness.run`` traces
    programs that may do such things in a process of their own first.
    """

    def __enter__(self) -> None:
        """Begin it."""
        main = threading.current_thread() is threading.main_thread()
        self._set = main and signal.getitimer(signal.ITIMER_REAL)[0] == 0
        if self._set:
            self._before = signal.signal(signal.SIGALRM, self._refuse)
            signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS, MOST_SECONDS)  # again, if the program catches it

    def __exit__(self, *error: object) -> Literal[False]:
        """End it."""
        if self._set:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL if self._before is None else self._before)
        return False

    def _refuse(self, signum: int, frame: FrameType | None) -> None:
        opaque.refusal(f"does not end: it ran past {MOST_SECONDS:g} s while it was traced")
        raise TooLong
