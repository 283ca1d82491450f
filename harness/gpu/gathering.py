"""Applications of primitives gathered from several threads, and evaluated together by one of them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.gpu.batch import Answer, Application, Batcher

_LOG = logging.getLogger(__name__)


INTERRUPTED = Answer("left", reason="interrupted")


@dataclass(eq=False)
class _Call:
    """An application that a thread waits for."""

    application: Application
    done: threading.Event = field(default_factory=threading.Event)
    answer: Answer = INTERRUPTED


class Gatherer:
    """Gathers applications until there are enough, or one has waited long enough.

    There is no thread of its own: the one whose call fills a batch, or whose wait is over, has it evaluated, and the
    others wait for that.
    """

    def __init__(self, batcher: Batcher, size: int, wait_s: float) -> None:
        """Begin with nothing gathered.

        Args:
            batcher: evaluates a batch.
            size: applications at which a batch is full; fewer where ``worker`` says that there are fewer threads.
            wait_s: seconds after which an application is evaluated with those that are there by then.
        """
        self._batcher = batcher
        self._size, self._wait_s = size, wait_s
        self._lock = threading.Lock()  # of what waits
        self._machine = threading.Lock()  # of whoever has a batch evaluated
        self._pending: list[_Call] = []
        self._workers = 0

    def ask(self, application: Application) -> Answer:
        """Return what the machine makes of an application."""
        call = _Call(application)
        with self._lock:
            self._pending.append(call)
            full = self._is_full()
        try:
            if full or not call.done.wait(self._wait_s):
                self._evaluate_until(call)
        except BaseException:  # Ctrl-C: nobody waits for it any more
            with self._lock:
                self._pending = [own for own in self._pending if own is not call]
            raise
        return call.answer

    @contextmanager
    def worker(self) -> Iterator[None]:
        """A context of a thread that asks: once all such threads wait, the batch is full."""
        with self._lock:
            self._workers += 1
        try:
            yield
        finally:
            with self._lock:
                self._workers -= 1
                last = self._pending[-1] if self._is_full() else None
            if last is not None:
                self._evaluate_until(last)

    def _is_full(self) -> bool:
        enough = min(self._size, self._workers) if self._workers else self._size
        return len(self._pending) >= max(1, enough)

    def _evaluate_until(self, call: _Call) -> None:
        """Have what waits evaluated until a call is done; more may gather while the machine is at work."""
        while not call.done.is_set():
            with self._machine:
                with self._lock:
                    batch = self._pending[: self._size] if call in self._pending else []
                    self._pending = self._pending[len(batch) :]
                if batch:
                    self._evaluate(batch)
                    continue
            call.done.wait()  # another thread has it, and had the machine before

    def _evaluate(self, batch: list[_Call]) -> None:
        try:
            answers = self._batcher.run([call.application for call in batch])
            for call, answer in zip(batch, answers, strict=True):
                call.answer = answer
        except Exception as error:  # not what the programs did: they must not take it for theirs
            _LOG.exception("a batch of %d applications could not be evaluated", len(batch))
            for call in batch:
                call.answer = Answer("left", reason=f"{type(error).__name__}: {error}")
        finally:
            for call in batch:
                call.done.set()
