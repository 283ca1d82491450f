"""Work shared among devices by what they were measured to do, one host thread for each device.

A chunk is half of a device's share of what is left: the quick device takes more, all finish at about the same time, and
most of the work is given out in few large chunks, each of which a device may cut up once more to overlap its copies
with its work. Consecutive items often cost the same (a program's evaluations lie side by side), so items are dealt out
in turns, and a chunk is a fair sample of all.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import lru_cache
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from harness.gpu.device import AllDevicesFailed, DeviceFailure, DeviceOutOfMemory

_LOG = logging.getLogger(__name__)
_TURNS = 64  # in which items are dealt out
_FIRST = 16  # of so many parts of the work, the first chunk of a device of which nothing is known is one
_FEW = 32  # of so many parts of its least chunk, one does not profit from a second device
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
    """Work under way; the functions are those that ``Scheduler.run`` was given."""

    work: Callable[[int, Items], None]
    too_large: Callable[[Items], None]
    stop: Callable[[], None]
    stopped_by_others: Callable[[], bool]
    pending: list[_Chunk]
    changed: threading.Condition = field(default_factory=threading.Condition)
    in_flight: int = 0
    stopped: bool = False
    error: BaseException | None = None


@lru_cache(maxsize=8)
def _dealt(count: int, turns: int) -> Items:
    """Return the numbers from 0 on as they are dealt out in turns."""
    order = np.concatenate([np.arange(turn, count, turns) for turn in range(min(turns, count))])
    order.flags.writeable = False
    return order


class Scheduler:
    """Devices that share work.

    Attributes:
        failures: of devices, in order; those devices get no more work.
        hung: devices that were still at work when they should have stopped: they must be left alone.
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
        self.hung: set[int] = set()
        self._names, self._weights, self._least = tuple(names), tuple(weights), tuple(least_chunks)
        self._bad_input: tuple[type[Exception], ...] = (*_BAD_INPUT, *bad_input)
        self._alive = set(range(len(names)))
        self._alone: int | None = None
        self._measured: dict[int, float] = {}  # items per second
        self._most: dict[int, int] = {}  # items that a device's memory was found to do for

    @property
    def alive(self) -> list[int]:
        """The devices that are left, by position."""
        return sorted(self._alive)

    @contextlib.contextmanager
    def alone(self, device: int) -> Iterator[None]:
        """Have a device do all work within this context; the others go on where it fails.

        Args:
            device: its position.
        """
        self._alone = device
        try:
            yield
        finally:
            self._alone = None

    @property
    def _working(self) -> Set[int]:
        return self._alive if self._alone not in self._alive else {self._alone}

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
        turns = _TURNS if len(self._working) > 1 else 1
        run = _Run(work, too_large, stop, stopped, [_Chunk(_dealt(count, turns))])
        while run.pending and run.error is None and not stopped():
            self.require_any()
            devices = self._enough(run)
            if len(devices) == 1 and threading.current_thread() is not threading.main_thread():
                self._serve(run, devices[0])  # Ctrl-C is for the main thread
            else:
                self._serve_in_threads(run, devices)
        if run.error is not None:
            raise run.error

    def _enough(self, run: _Run) -> list[int]:
        """Return the devices that are needed: the quickest alone for what does not keep a part of it busy."""
        rates = self.throughput()
        quickest = max(self._working, key=lambda device: rates[device])
        few = self._are_few(run, quickest) and not any(quickest in chunk.refused for chunk in run.pending)
        return [quickest] if few else sorted(self._working)

    def _are_few(self, run: _Run, device: int) -> bool:
        return sum(len(chunk.items) for chunk in run.pending) <= self._least[device] / _FEW

    def _serve_in_threads(self, run: _Run, devices: Sequence[int]) -> None:
        """Have devices take chunks, each in a thread of its own, so that this one sees Ctrl-C."""
        done: dict[int, threading.Event] = {}  # Thread.join, once interrupted, takes a thread for finished

        def serve(device: int) -> None:
            try:
                self._serve(run, device)
            finally:
                done[device].set()

        try:
            for device in devices:
                done[device] = threading.Event()
                threading.Thread(target=serve, args=(device,), name=self._names[device], daemon=True).start()
            for event in done.values():
                event.wait()
        except KeyboardInterrupt:
            with run.changed:
                run.stopped = True
                run.changed.notify_all()
            run.stop()
            self._wait_for_end(done)
            raise

    def _wait_for_end(self, done: Mapping[int, threading.Event]) -> None:
        """Wait until devices have stopped, which use the memory that they were given until then."""
        limit = perf_counter() + _GRACE_S
        for device, event in done.items():
            while not event.is_set():
                with contextlib.suppress(KeyboardInterrupt):
                    if not event.wait(max(0.0, limit - perf_counter())):
                        self.hung.add(device)
                        self.fail(device, TimeoutError(f"it did not stop within {_GRACE_S:g} s of Ctrl-C"))
                        break

    def _serve(self, run: _Run, device: int) -> None:
        """Take chunks and do them until there are none, or the device fails."""
        while (chunk := self._take(run, device)) is not None:
            start = perf_counter()
            back: list[_Chunk] = []
            try:
                run.work(device, chunk.items)
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
                if self._alone is None:  # alone it has larger chunks, of which shares are not made
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

    def _take(self, run: _Run, device: int) -> _Chunk | None:
        """Return what a device does next; None if there is nothing more for it."""
        with run.changed:
            while True:
                if run.stopped or run.error is not None or device not in self._alive or run.stopped_by_others():
                    return None
                for chunk in [own for own in run.pending if self._working <= own.refused]:
                    run.too_large(chunk.items)
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
        if len(self._working) == 1 or self._are_few(run, device):
            return most
        rates = self.throughput()
        left = sum(len(chunk.items) for chunk in run.pending)
        own = left * rates[device] / sum(rates)
        size = max(own / 2, min(self._least[device], own))
        if device not in self._measured:
            size = min(size, max(self._least[device], left / _FIRST))
        return max(1, min(most, int(size)))
