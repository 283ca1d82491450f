"""Limits on what runs in this process: time per call, and memory."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from multiprocessing import parent_process
from time import monotonic
from types import FrameType
from typing import Any

_PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>
TICKS = 4  # looks of the watchdog per time limit: an evaluation is ended after 1 to 1.25 times its limit


class EvaluationTimeout(BaseException):
    """An evaluation ran past its limit. Not an ``Exception``, so that a program's own handlers let it through."""


class Watchdog:
    """Ends evaluations that run past a limit, at no cost to those that do not.

    Setting a timer for each evaluation would cost as much as a quick program. Instead a timer ticks while a worker
    works, and each tick looks whether the evaluation is still the one of the ticks before. Ticks that find all well
    leave the time of day in ``beats``: where that grows old, code that no signal reaches is running, and the parent
    kills the process.
    """

    def __init__(self, timeout_s: float, current: Any, position: int, beats: Any, slot: int, *, own: str) -> None:
        """Watch ``current[position]``, the evaluation under way, and report in ``beats[slot]``, in seconds.

        Code of the module named ``own``, which calls programs, is never interrupted: an evaluation that ends as its
        time does would else take its caller with it.
        """
        self._period = timeout_s / TICKS
        self._current, self._position = current, position
        self._beats, self._slot = beats, slot
        self._own = (own, __name__)
        self._seen: int | None = None
        self._ticks = 0

    def start(self) -> None:
        """Begin to watch, or to watch afresh; in the main thread."""
        self._seen = None
        self._beats[self._slot] = monotonic()
        signal.signal(signal.SIGALRM, self._tick)
        signal.setitimer(signal.ITIMER_REAL, self._period, self._period)

    def stop(self) -> None:
        """Watch no more."""
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _tick(self, signum: int, frame: FrameType | None) -> None:
        now = self._current[self._position]
        if now != self._seen:
            self._seen, self._ticks = now, 0
        self._ticks += 1
        if self._ticks > TICKS:
            if frame is not None and frame.f_globals.get("__name__") in self._own:
                return
            raise EvaluationTimeout
        self._beats[self._slot] = monotonic()


def limit_memory(gigabytes: float | None) -> None:
    """Make allocations of this process fail with ``MemoryError`` once its address space reaches a size in GiB."""
    if gigabytes is not None:
        size = int(gigabytes * 2**30)
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def end_with_parent() -> None:
    """Have this process killed when its parent ends, however that ends, so that none is left behind; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        parent = parent_process()
        if parent is not None and os.getppid() != parent.pid:  # it ended before it could be asked for
            os._exit(1)
