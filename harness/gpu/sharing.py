"""Several devices as one machine, over which ``harness.Engine`` works as over any other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.gpu.device import DeviceFacts, DeviceFailure, DeviceMachine, DeviceOutOfMemory, DeviceUsage, DeviceWork
from harness.gpu.scheduler import Items, Scheduler
from harness.vm.native import COUNTERS, NOT_HANDLED, NOT_RUN, REASONS, UNKNOWN, Evaluated, Limits, NativeError
from harness.vm.opcodes import CONTROL, LOOP_KIND, OPCODES

_PAIRS_PER_MULTIPROCESSOR = 32  # below which a device has idle warps
_ARENA = REASONS.index("arena")
_LOOP, _KIND_FIELD = CONTROL["loop"].number, 6

Number = TypeVar("Number")
DEFAULT_LIMITS = Limits()


def counted_instructions(code: NDArray[np.uint16]) -> NDArray[np.int64]:
    """Return int64 [counters]: how many instructions of each of ``COUNTERS`` bytecode holds.

    A loop is there twice, as the control instruction and as its kind, as it is when it is executed.

    Args:
        code: uint16 [n, 8].
    """
    counts = np.zeros(len(COUNTERS), np.int64)
    counts[: len(OPCODES)] = np.bincount(code[:, 0], minlength=len(OPCODES))[: len(OPCODES)]
    kinds = code[code[:, 0] == _LOOP, _KIND_FIELD]
    counts[len(OPCODES) :] = np.bincount(kinds, minlength=len(LOOP_KIND))[: len(LOOP_KIND)]
    return counts


@dataclass(frozen=True)
class _Part:
    """What a device returned, and where it belongs.

    Attributes:
        evaluated: the device's.
        results: int64, of each of its results the place among all.
    """

    evaluated: Evaluated
    results: NDArray[np.int64]


def _with_kernel_time(evaluated: Evaluated, kernel_s: float) -> Evaluated:
    """Return it with nanoseconds that add up to a kernel's."""
    if evaluated.nanoseconds is None or not kernel_s:
        return evaluated
    total = float(evaluated.nanoseconds.sum(dtype=np.float64))
    scaled = evaluated.nanoseconds * (kernel_s * 1e9 / total) if total else evaluated.nanoseconds
    return replace(evaluated, nanoseconds=np.ceil(scaled).astype(np.uint64))


class _Job:
    """The arguments of one call of ``evaluate``, and what came out so far."""

    def __init__(
        self,
        units: NDArray[np.uint32],
        samples: NDArray[np.uint32],
        first: NDArray[np.uint64],
        *,
        results: int,
        sizes: NDArray[np.int64],
        timed: bool,
    ) -> None:
        self.units, self.samples, self.first = units, samples, first
        self.sizes = sizes  # of each pair: how many results
        self.results_of_one = len(sizes) == sizes.sum() and bool(sizes.all())
        self.results = results
        self.status = np.full(results, NOT_RUN, np.uint8)
        self.reason = np.zeros(results, np.uint8)
        self.equal = np.full(results, UNKNOWN, np.uint8)
        self.nanoseconds = np.zeros(len(units), np.uint64) if timed else None
        self.parts: list[_Part] = []
        self.all_at_once: Evaluated | None = None
        self.retried, self.arena_used = 0, 0
        self.lock = threading.Lock()

    def places(self, items: Items) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Return where the results of some pairs begin among their own, and each one's place among all."""
        if self.results_of_one:
            return np.arange(len(items), dtype=np.uint64), self.first[items].astype(np.int64)
        sizes = self.sizes[items]
        own = np.concatenate([[0], np.cumsum(sizes)])
        places = np.repeat(self.first[items].astype(np.int64) - own[:-1], sizes) + np.arange(own[-1])
        return own[:-1].astype(np.uint64), places

    def keep(self, items: Items, evaluated: Evaluated, results: NDArray[np.int64]) -> None:
        """Take over what a device returned for some pairs."""
        self.status[results] = evaluated.status
        self.reason[results] = evaluated.reason
        self.equal[results] = evaluated.equal
        if self.nanoseconds is not None and evaluated.nanoseconds is not None:
            self.nanoseconds[items] += evaluated.nanoseconds
        with self.lock:
            self.retried += evaluated.retried
            self.arena_used = max(self.arena_used, evaluated.arena_used)
            if len(evaluated.outputs):
                self.parts.append(_Part(evaluated, results))

    def is_all(self, items: Items) -> bool:
        """Whether items are all pairs, in order; they are in order, or dealt out in turns."""
        return len(items) == len(self.units) and (len(items) < 2 or items[1] == 1)

    def overflowed(self, items: Items) -> Items:
        """Return those of some pairs that ran out of their arena."""
        sizes, (_, places) = self.sizes[items], self.places(items)
        short = (self.status[places] == NOT_HANDLED) & (self.reason[places] == _ARENA)
        again: Items = items[np.unique(np.repeat(np.arange(len(items)), sizes)[short])]
        return again

    def refuse(self, items: Items) -> None:
        """Note that no device has memory for some pairs."""
        _, places = self.places(items)
        self.status[places] = NOT_HANDLED
        self.reason[places] = _ARENA

    def evaluated(self) -> Evaluated:
        """Return all that came out, in order."""
        if self.all_at_once is not None:
            return self.all_at_once
        outputs, positions = self._outputs()
        return Evaluated(
            self.status,
            self.reason,
            self.equal,
            self.nanoseconds,
            outputs,
            positions,
            self.retried,
            self.arena_used,
        )

    def _outputs(self) -> tuple[bytearray, NDArray[np.uint64]]:
        """Bring the outputs of all parts in the order of the results."""
        lengths = np.zeros(self.results + 1, np.int64)
        for part in self.parts:
            lengths[part.results + 1] = np.diff(part.evaluated.positions.astype(np.int64))
        positions = np.cumsum(lengths)
        outputs = bytearray(int(positions[-1]))
        into = np.frombuffer(outputs, np.uint8)
        for part in self.parts:  # of a pair that was tried again the first part has no outputs
            starts = part.evaluated.positions.astype(np.int64)
            own = np.diff(starts)
            shift = np.repeat(positions[part.results] - starts[:-1], own)
            source = np.frombuffer(part.evaluated.outputs, np.uint8)
            into[np.arange(len(source)) + shift] = source
        return outputs, positions.astype(np.uint64)


class MultiDevice:
    """Devices that hold the same units and samples and share evaluations; see ``harness.vm.machine.Machine``.

    A device that fails gets no more work, what it was at is done by the others, and ``failures`` says so. Evaluations
    for which a device's memory is too small are tried in smaller chunks, then by the other devices; those that ran out
    of their arena are tried again with the largest, unless the device has done that itself.

    Attributes:
        instructions: int64 [counters], of the units that it holds.
        used: the devices that took part in the last evaluation, for messages: ``cuda:0, cuda:1``.
        not_handled: results that no device could tell, since ``work`` was asked.
    """

    def __init__(self, devices: Sequence[DeviceMachine]) -> None:
        """Take over devices, which ``close`` closes.

        Raises:
            ValueError: there is none.
        """
        if not devices:
            raise ValueError("at least one device is needed; harness.gpu.devices.open_devices() finds them")
        self._devices = tuple(devices)
        self._facts = tuple(device.device_facts() for device in devices)
        self._scheduler = Scheduler(
            [own.device for own in self._facts],
            [max(1, own.multiprocessors) for own in self._facts],
            [_PAIRS_PER_MULTIPROCESSOR * max(1, own.multiprocessors) for own in self._facts],
            (NativeError,),
        )
        self._sizes: list[int] = []  # of each unit: how many programs
        self._samples = 0
        self._lock = threading.RLock()
        self._checked: tuple[tuple[Any, ...], NDArray[np.int64]] | None = None  # arguments, and their sizes
        self.instructions = np.zeros(len(COUNTERS), np.int64)
        self.used = ""
        self.not_handled = 0
        self._usage = [DeviceUsage()] * len(devices)  # likewise
        self._last = np.zeros((len(devices), len(COUNTERS), 3), np.uint64)  # counters of the last evaluation
        self._total = self._last.copy()  # since `work` was asked
        self._evaluations = [0] * len(devices)  # likewise

    def close(self) -> None:
        """Close all devices; may be called again."""
        with self._lock:
            for number, device in enumerate(self._devices):
                if number in self._scheduler.hung:
                    continue  # it still uses what it would give back
                try:
                    device.close()
                except Exception as error:  # a lost one cannot give anything back
                    self._scheduler.fail(number, error)

    @property
    def facts(self) -> tuple[DeviceFacts, ...]:
        """What the devices are, those that failed included."""
        return self._facts

    @property
    def failures(self) -> tuple[DeviceFailure, ...]:
        """The devices that failed, in order."""
        return tuple(self._scheduler.failures)

    @property
    def names(self) -> str:
        """The devices that are left, for messages: ``cuda:0, cuda:1``."""
        return ", ".join(self._facts[number].device for number in self._scheduler.alive)

    @property
    def throughput(self) -> dict[str, float]:
        """Pairs per second of each device, as measured; see ``Scheduler.throughput``."""
        rates = self._scheduler.throughput()
        return {own.device: rate for own, rate in zip(self._facts, rates, strict=True)}

    @contextmanager
    def alone(self, device: str) -> Iterator[None]:
        """Have one device do all work within this context, while the others still hold what it holds.

        Args:
            device: its name, as in ``facts``.

        Raises:
            ValueError: there is no such device.
        """
        with self._scheduler.alone([own.device for own in self._facts].index(device)):
            yield

    def _on_all(self, call: Callable[[DeviceMachine], Number]) -> Number:
        """Do the same on every device that is left, and return what it returns, which has to be the same.

        Raises:
            NativeError: what is asked for is wrong; the first device says so, and no other is asked.
            AllDevicesFailed: none is left.
        """
        answers: list[Number] = []
        for number in self._scheduler.alive:
            try:
                answer = call(self._devices[number])
                if answers and answer != answers[0]:
                    raise RuntimeError(f"it answers {answer} where another device answers {answers[0]}")
            except Exception as error:
                if not answers and isinstance(error, NativeError | TypeError | ValueError):
                    raise
                self._scheduler.fail(number, error)
            else:
                answers.append(answer)
        self._scheduler.require_any()
        return answers[0]

    def add_unit(
        self,
        code: NDArray[np.uint16],
        registers: int,
        inputs: int,
        constants: bytes,
        constants_count: int,
        *,
        results: Sequence[tuple[Iterable[int], Iterable[int]]],
    ) -> int:
        """See ``Machine``."""
        kept = [(list(outputs), list(required)) for outputs, required in results]
        with self._lock:
            number = self._on_all(
                lambda device: device.add_unit(code, registers, inputs, constants, constants_count, results=kept)
            )
            self._sizes.append(len(kept))
            self.instructions += counted_instructions(code)
            return number

    def clear_units(self) -> None:
        """See ``Machine``."""
        with self._lock:
            self._on_all(lambda device: device.clear_units())
            self._sizes.clear()
            self._checked = None
            self.instructions[:] = 0

    def add_samples(self, values: bytes, starts: NDArray[np.uint64], inputs: int, expected: NDArray[np.bool_]) -> int:
        """See ``Machine``."""
        with self._lock:
            first = self._on_all(lambda device: device.add_samples(values, starts, inputs, expected))
            self._samples = max(self._samples, first + len(expected))
            return first

    def clear_samples(self) -> None:
        """See ``Machine``."""
        with self._lock:
            self._on_all(lambda device: device.clear_samples())
            self._samples, self._checked = 0, None

    def evaluate(
        self,
        units: NDArray[np.uint32],
        samples: NDArray[np.uint32],
        first_result: NDArray[np.uint64],
        results: int,
        *,
        limits: Limits = DEFAULT_LIMITS,
        outputs: bool = False,
        timed: bool = False,
        counted: bool = False,
        cancel: NDArray[np.int32] | None = None,
    ) -> Evaluated:
        """See ``Machine``; results are in the order asked for, whichever device they are from.

        A device works at many pairs at a time. The nanoseconds of a pair are its share of the kernel time of its chunk,
        in proportion to how long it was under way, so that they add up to what the devices were busy.

        Raises:
            AllDevicesFailed: before all was evaluated.
            NativeError, ValueError: an argument is wrong.
            KeyboardInterrupt: Ctrl-C ended it.
        """
        units, samples = np.ascontiguousarray(units, np.uint32), np.ascontiguousarray(samples, np.uint32)
        first_result = np.ascontiguousarray(first_result, np.uint64)
        if not len(units) == len(samples) == len(first_result):
            raise ValueError("units, samples and first_result differ in length")
        cancelled = np.zeros(1, np.int32) if cancel is None else cancel
        with self._lock:
            job = _Job(
                units,
                samples,
                first_result,
                results=results,
                sizes=self._checked_sizes(units, samples, first_result, results),
                timed=timed,
            )
            self._last[:] = 0
            before = list(self._evaluations)
            how = {
                **{"limits": limits, "outputs": outputs, "timed": timed},
                **{"counted": counted, "cancel": cancelled},
            }

            def stop() -> None:
                cancelled[0] = 1

            self._scheduler.run(
                len(units),
                lambda device, items: self._work(job, device, items, how),
                job.refuse,
                stop,
                lambda: bool(cancelled[0]),
            )
            took_part = [n for n, count in enumerate(self._evaluations) if count > before[n]]
            self.used = ", ".join(self._facts[number].device for number in took_part)
            found = job.evaluated()
            self.not_handled += int((found.status == NOT_HANDLED).sum())
            return found

    def _checked_sizes(
        self, units: NDArray[np.uint32], samples: NDArray[np.uint32], first: NDArray[np.uint64], results: int
    ) -> NDArray[np.int64]:
        """Return how many results each pair has.

        Raises:
            ValueError: there is no such unit, sample or result.
        """
        asked = (units, samples, first, results, len(self._sizes), self._samples)
        if self._checked is not None and all(
            a is b or (type(a) is int and a == b) for a, b in zip(asked, self._checked[0], strict=True)
        ):
            return self._checked[1]  # the same arrays are often evaluated again
        for numbers, known, name in ((units, len(self._sizes), "unit"), (samples, self._samples, "sample")):
            if len(numbers) and numbers.max() >= known:
                raise ValueError(f"there is no {name} {numbers.max()}, but {known} of them, from 0 on")
        sizes = np.array(self._sizes, np.int64)[units] if len(units) else np.zeros(0, np.int64)
        if len(units) and int((first.astype(np.int64) + sizes).max()) > results:
            raise ValueError(f"a unit's results lie beyond the {results} that there are")
        self._checked = (asked, sizes)
        return sizes

    def _work(self, job: _Job, device: int, items: Items, how: dict[str, Any]) -> None:
        """Evaluate some pairs on a device; what ran out of its arena once more, with the largest."""
        if job.is_all(items):  # with the very arrays that were given, which the device may know
            evaluated = self._attempt(device, (job.units, job.samples, job.first), job.results, how)
            self._evaluations[device] += int(job.sizes.sum())
            if not (evaluated.status == NOT_HANDLED).any():
                job.all_at_once = evaluated
                return
            places = np.arange(job.results)
        else:
            evaluated, places = self._attempt_some(job, device, items, how)
            self._evaluations[device] += len(places)
        job.keep(items, evaluated, places)
        limits: Limits = how["limits"]
        if (evaluated.status == NOT_HANDLED).any() and limits.arena_bytes < limits.most_arena_bytes:
            again = job.overflowed(items)
            if evaluated.retried < len(again):
                most = replace(limits, arena_bytes=limits.most_arena_bytes)
                self._retry(job, device, again, {**how, "limits": most})

    def _retry(self, job: _Job, device: int, items: Items, how: dict[str, Any]) -> None:
        """Evaluate pairs again that ran out of their arena, in as many chunks as the device's memory asks for."""
        waiting = [items]
        while waiting:
            own = waiting.pop()
            try:
                evaluated, places = self._attempt_some(job, device, own, how)
            except DeviceOutOfMemory:
                if len(own) > 1:
                    waiting += np.array_split(own, 2)
                continue  # one for which there is no memory stays as it is: not handled, for want of an arena
            job.keep(own, evaluated, places)
            with job.lock:
                job.retried += len(own)

    def _attempt_some(
        self, job: _Job, device: int, items: Items, how: dict[str, Any]
    ) -> tuple[Evaluated, NDArray[np.int64]]:
        """Return what a device makes of some pairs, and where each of its results belongs."""
        first, places = job.places(items)
        return self._attempt(device, (job.units[items], job.samples[items], first), len(places), how), places

    def _attempt(self, device: int, pairs: tuple[Any, Any, Any], results: int, how: dict[str, Any]) -> Evaluated:
        machine = self._devices[device]
        evaluated = machine.evaluate(*pairs, results, **how)
        counters = machine.counters()  # a device counts executions always
        self._last[device] += counters
        self._total[device] += counters
        usage = machine.usage()
        self._usage[device] += usage
        return _with_kernel_time(evaluated, usage.kernel_s)

    def counters(self) -> NDArray[np.uint64]:
        """See ``Machine``; the sum over all devices."""
        with self._lock:
            total: NDArray[np.uint64] = self._last.sum(axis=0, dtype=np.uint64)
            return total

    def work(self) -> tuple[DeviceWork, ...]:
        """Return what each device did since the last call, those that failed included."""
        with self._lock:
            found = []
            for number, own in enumerate(self._facts):
                usage = self._usage[number]
                found.append(DeviceWork(own.device, self._evaluations[number], usage, self._total[number].copy()))
            self._total[:] = 0
            self._usage = [DeviceUsage()] * len(self._devices)
            self._evaluations = [0] * len(self._devices)
            self.not_handled = 0
            return tuple(found)
