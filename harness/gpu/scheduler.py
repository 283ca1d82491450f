"""Work shared among devices by what they were measured to do, one host thread for each device.

A chunk is half of a device's share of what is left: the quick device takes more, all finish at about the same time, and
most of the work is given out in few large chunks, each of which a device may cut up once more to overlap its copies
with its work. Consecutive items often cost the same (a program's evaluations lie side by side), so items are dealt out
in turns, and a chunk is a fair sample of all.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from harness.gpu.device import AllDevicesFailed, DeviceFailure, DeviceOutOfMemory

_LOG = logging.getLogger(__name__)
_TURNS = 64  # in which items are dealt out
_FIRST = 16  # of so many parts of the work, the first chunk of a device of which nothing is known is one
_SMOOTHING = 0.5  # weight of the newest chunk in a device's throughput
_GRACE_S = 10.0  # for devices to stop after Ctrl-C
_BAD_INPUT = (TypeError, ValueError)  # whoever asked for it is wrong, not the device

Items = NDArray[np.int64]


@dataclass
class _Chunk:
    """Items that are to be done, and the devices that have not enough memory for a single one of them."""

    items: Items
    refused: frozenset[int] = frozenset()


@dataclass
class _Run:
    """Work under way."""

    pending: list[_Chunk]
    changed: threading.Condition = field(default_factory=threading.Condition)
    in_flight: int = 0
    stopped: bool = False
    error: BaseException | None = None


class Scheduler:
    """Devices that share work.

    Attributes:
        failures: of devices, in order; those devices get no more work.
    """

    def __init__(
        self,
        names: Sequence[str],
        weights: Sequence[int],
        least_chunks: Sequence[int],
        bad_input: tuple[type[Exception], ...] = (),
    ) -> None:
        """Begin with nothing measured.

        Args:
            names: of the devices.
            weights: what their throughput is taken to be in proportion to until it is measured.
            least_chunks: items below which a device would not be busy.
            bad_input: exceptions of work that are not the device's fault, beside TypeError and ValueError.
        """
        self.failures: list[DeviceFailure] = []
        self._names, self._weights, self._least = tuple(names), tuple(weights), tuple(least_chunks)
        self._bad_input: tuple[type[Exception], ...] = (*_BAD_INPUT, *bad_input)
        self._alive = set(range(len(names)))
        self._measured: dict[int, float] = {}  # items per second
        self._most: dict[int, int] = {}  # items that a device's memory was found to do for

    @property
    def alive(self) -> list[int]:
        """The devices that are left, by position."""
        return sorted(self._alive)

    def throughput(self) -> list[float]:
        """Return items per second of each device: 0 for one that failed, estimated for one of which none is known."""
        known = [rate / self._weights[device] for device, rate in self._measured.items()]
        usual = sum(known) / len(known) if known else 1.0
        return [
            self._measured.get(device, usual * weight) if device in self._alive else 0.0
            for device, weight in enumerate(self._weights)
        ]

    def fail(self, device: int, error: BaseException, moved: int = 0) -> None:
        """Note that a device failed: it gets no more work.

        Args:
            device: its position.
            error: what it raised.
            moved: items that it had, which others do if any is left.
        """
        if device not in self._alive:
            return
        self._alive.discard(device)
        reason = f"{type(error).__name__}: {error}"
        self.failures.append(DeviceFailure(self._names[device], reason, moved if self._alive else 0))
        _LOG.warning("%s", self.failures[-1])

    def require_any(self) -> None:
        """Raise AllDevicesFailed if no device is left."""
        if not self._alive:
            raise AllDevicesFailed(tuple(self.failures))

    def run(
        self,
        count: int,
        work: Callable[[int, Items], None],
        too_large: Callable[[Items], None],
        stop: Callable[[], None],
        stopped: Callable[[], bool],
    ) -> None:
        """Have items done, each once, by the devices that are left.

        Args:
            count: how many items; they are the numbers from 0 on.
            work: does some of them on a device, in a thread of that device.
            too_large: takes note of items that fit into no device's memory.
            stop: ends ``work`` soon, wherever it is under way.
            stopped: whether somebody else has asked for that.

        Raises:
            AllDevicesFailed: before all was done.
            KeyboardInterrupt: Ctrl-C, once the devices have stopped.
        """
        self.require_any()
        if not count:
            return
        turns = _TURNS if len(self._alive) > 1 else 1
        order = np.concatenate([np.arange(turn, count, turns) for turn in range(min(turns, count))])
        run = _Run([_Chunk(order)])
        threads = [
            threading.Thread(
                target=self._serve, args=(run, device, work, too_large, stopped), name=self._names[device], daemon=True
            )
            for device in self.alive
        ]
        for thread in threads:
            thread.start()
        self._wait(run, threads, stop)
        if run.error is not None:
            raise run.error
        if run.pending and not stopped():
            self.require_any()

    def _wait(self, run: _Run, threads: Sequence[threading.Thread], stop: Callable[[], None]) -> None:
        """Wait for the devices, so that Ctrl-C gets through."""
        try:
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.5)
        except KeyboardInterrupt:
            with run.changed:
                run.stopped = True
                run.changed.notify_all()
            stop()
            limit = perf_counter() + _GRACE_S
            for thread in threads:
                thread.join(max(0.0, limit - perf_counter()))
            for device in self.alive:
                if any(thread.name == self._names[device] and thread.is_alive() for thread in threads):
                    self.fail(device, TimeoutError(f"it did not stop within {_GRACE_S:g} s of Ctrl-C"))
            raise

    def _serve(
        self,
        run: _Run,
        device: int,
        work: Callable[[int, Items], None],
        too_large: Callable[[Items], None],
        stopped: Callable[[], bool],
    ) -> None:
        """Take chunks and do them until there are none, or the device fails."""
        while (chunk := self._take(run, device, too_large, stopped)) is not None:
            start = perf_counter()
            back: list[_Chunk] = []
            try:
                work(device, chunk.items)
            except DeviceOutOfMemory as error:
                back = self._smaller(device, chunk, error)
            except self._bad_input as error:
                run.error = error
            except Exception as error:  # whatever else a device raises, it cannot be relied upon
                back = [_Chunk(chunk.items, chunk.refused)]
                with run.changed:
                    self.fail(device, error, len(chunk.items))
            except BaseException as error:
                run.error = error
            else:
                self._measure(device, len(chunk.items), perf_counter() - start)
            with run.changed:
                run.in_flight -= 1
                run.pending = back + run.pending
                run.changed.notify_all()

    def _smaller(self, device: int, chunk: _Chunk, error: DeviceOutOfMemory) -> list[_Chunk]:
        """Return what is to be done instead of a chunk that was too much for a device's memory."""
        size = len(chunk.items)
        if size == 1:
            return [_Chunk(chunk.items, chunk.refused | {device})]
        half = size // 2
        self._most[device] = min(self._most.get(device, size), half)
        _LOG.info("%s: %d evaluations are too many for its memory, now %d: %s", self._names[device], size, half, error)
        return [_Chunk(chunk.items[:half], chunk.refused), _Chunk(chunk.items[half:], chunk.refused)]

    def _measure(self, device: int, items: int, seconds: float) -> None:
        rate = items / max(seconds, 1e-9)
        before = self._measured.get(device, rate)
        self._measured[device] = before + _SMOOTHING * (rate - before)

    def _take(
        self, run: _Run, device: int, too_large: Callable[[Items], None], stopped: Callable[[], bool]
    ) -> _Chunk | None:
        """Return what a device does next; None if there is nothing more for it."""
        with run.changed:
            while True:
                if run.stopped or run.error is not None or device not in self._alive or stopped():
                    return None
                for chunk in [own for own in run.pending if self._alive <= own.refused]:
                    too_large(chunk.items)
                    run.pending.remove(chunk)
                for place, chunk in enumerate(run.pending):
                    if device not in chunk.refused:
                        taken = self._size(run, device, len(chunk.items))
                        run.in_flight += 1
                        if taken == len(chunk.items):
                            del run.pending[place]
                        else:
                            run.pending[place] = _Chunk(chunk.items[taken:], chunk.refused)
                        return _Chunk(chunk.items[:taken], chunk.refused)
                if not run.in_flight:
                    run.changed.notify_all()
                    return None
                run.changed.wait()  # what is under way may be handed back

    def _size(self, run: _Run, device: int, most: int) -> int:
        """Return how many of ``most`` items, the first that are left, a device takes."""
        most = min(most, self._most.get(device, most))
        if len(self._alive) == 1:
            return most
        rates = self.throughput()
        left = sum(len(chunk.items) for chunk in run.pending)
        own = left * rates[device] / sum(rates)
        size = max(own / 2, min(self._least[device], own))
        if device not in self._measured:
            size = min(size, max(self._least[device], left / _FIRST))
        return max(1, min(most, int(size)))
