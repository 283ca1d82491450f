"""Ctrl-C during a run, and the end of its time: what has to be written together is, and then the run ends in order."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self


class OutOfTime(KeyboardInterrupt):
    """The time is over. It ends what Ctrl-C ends."""


class EndAtOnce(KeyboardInterrupt):
    """Ctrl-C came a second time: what is not finished is not waited for, nor is a report."""


class Interrupts:
    """Within this context, SIGINT waits for the end of what is ``held``; a second one waits for nothing.

    Elsewhere it does as it did before, which is mostly to raise ``KeyboardInterrupt``.

    Attributes:
        count: how many came from outside.
    """

    def __init__(self) -> None:
        self.count = 0
        self._depth = 0
        self._waiting: type[OutOfTime] | bool = False
        self._previous: Any = None
        self._installed = False
        self._limited = self._ringing = False

    def __enter__(self) -> Self:
        self._previous = signal.getsignal(signal.SIGINT)
        # Only the main thread may set handlers; where SIGINT is ignored, that is to stay so.
        if threading.current_thread() is threading.main_thread() and callable(self._previous):
            signal.signal(signal.SIGINT, self._handle)
            self._installed = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, self._previous)

    @contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """Raise ``OutOfTime`` in this context once that many seconds are over; in the main thread only."""
        if not self._installed or math.isinf(seconds):
            yield
            return
        timer = threading.Timer(max(seconds, 0.0), self._ring)
        timer.daemon = True
        self._limited = True
        timer.start()
        try:
            yield
        finally:
            self._limited = False
            timer.cancel()
            timer.join()  # so that no signal of it comes after this

    def _ring(self) -> None:
        # A signal and not an exception in a thread, so that calls into the virtual machine end, too.
        self._ringing = True
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self._ringing:
            self._ringing = False
            if self._limited and self._depth:
                self._waiting = OutOfTime
            elif self._limited:
                raise OutOfTime
            return
        self.count += 1
        if self.count > 1:
            raise EndAtOnce
        if self._depth:
            self._waiting = self._waiting or True
        else:
            self._previous(signum, frame)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Do what is in this context to its end before a first SIGINT counts."""
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
        if self._waiting and not self._depth:
            waiting, self._waiting = self._waiting, False
            if waiting is OutOfTime:
                raise OutOfTime
            self._previous(signal.SIGINT, None)
