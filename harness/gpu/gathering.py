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
        self._lock = threading.Lock()
        self._pending: list[_Call] = []
        self._workers = 0

    def ask(self, application: Application) -> Answer:
        """Return what the machine makes of an application."""
        call = _Call(application)
        with self._lock:
            self._pending.append(call)
            batch = self._full()
        if batch is None:
            try:
                if not call.done.wait(self._wait_s):
                    with self._lock:
                        batch = self._take() if call in self._pending else None
                    if batch is None:
                        call.done.wait()
            except BaseException:  # Ctrl-C: nobody waits for it any more
                with self._lock:
                    self._pending = [own for own in self._pending if own is not call]
                raise
        if batch is not None:
            self._evaluate(batch)
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
                batch = self._full()
            if batch is not None:
                self._evaluate(batch)

    def _full(self) -> list[_Call] | None:
        enough = min(self._size, self._workers) if self._workers else self._size
        return self._take() if self._pending and len(self._pending) >= enough else None

    def _take(self) -> list[_Call]:
        batch, self._pending = self._pending, []
        return batch

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
