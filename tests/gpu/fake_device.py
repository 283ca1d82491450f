"""A device for tests where there is none: the host build in one thread, which can be told to fail, lag or lack memory.

It evaluates for real. What it says of itself is invented, as are the names of its kernels' multiprocessors.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.vm.device_facts import DeviceError, DeviceFacts, DeviceLost, DeviceOutOfMemory, DeviceUsage
from harness.vm.native import COUNTERS, Evaluated, Limits, NativeEngine

DEFAULT_LIMITS = Limits()


@dataclass
class Behaviour:
    """How a device misbehaves.

    Attributes:
        fail_at: the call of ``evaluate``, from 0 on, that raises ``error``, and all that follow.
        error: what it raises.
        fail_to_add: raise ``error`` when a unit or sample is added.
        slowness_s: seconds per pair that evaluation takes longer.
        most_pairs: that fit into memory at a time; more raise ``DeviceOutOfMemory``.
        arena_memory: bytes that the pairs of a call share; the arena of each is that part of it, and it is not tried
            again with a larger one.
        counters: what its counters say instead of the truth.
    """

    fail_at: int | None = None
    error: Exception = field(default_factory=lambda: DeviceLost("it fell off the bus"))
    fail_to_add: bool = False
    slowness_s: float = 0.0
    most_pairs: int | None = None
    arena_memory: int | None = None
    counters: NDArray[np.uint64] | None = None


class FakeDevice:
    """See ``harness.gpu.device.DeviceMachine``.

    Attributes:
        calls: the number of pairs of each call of ``evaluate``.
    """

    def __init__(self, number: int = 0, behaviour: Behaviour | None = None, multiprocessors: int = 1) -> None:
        self.behaviour = behaviour or Behaviour()
        self.calls: list[int] = []
        self.closed = False
        self._number, self._multiprocessors = number, multiprocessors
        self._native = NativeEngine()
        self._usage = DeviceUsage()
        self._bytes = 0
        self._counters = no_counters()

    def device_facts(self) -> DeviceFacts:
        return DeviceFacts(
            f"cuda:{self._number}", "Fake", f"GPU-{self._number}", "8.9", self._multiprocessors, 1 << 30, True, 0.25
        )

    def usage(self) -> DeviceUsage:
        used, self._usage = self._usage, DeviceUsage()
        return used

    def close(self) -> None:
        if not self.closed:
            self._native.close()
        self.closed = True

    def _adding(self) -> None:
        if self.behaviour.fail_to_add:
            raise self.behaviour.error

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
        self._adding()
        self._bytes += code.nbytes + len(constants)
        return self._native.add_unit(code, registers, inputs, constants, constants_count, results=results)

    def clear_units(self) -> None:
        self._native.clear_units()

    def add_samples(self, values: bytes, starts: NDArray[np.uint64], inputs: int, expected: NDArray[np.bool_]) -> int:
        self._adding()
        self._bytes += len(values)
        return self._native.add_samples(values, starts, inputs, expected)

    def clear_samples(self) -> None:
        self._native.clear_samples()

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
        how = self.behaviour
        call = len(self.calls)
        self.calls.append(len(units))
        if how.fail_at is not None and call >= how.fail_at:
            raise how.error
        if how.most_pairs is not None and len(units) > how.most_pairs:
            raise DeviceOutOfMemory(f"{len(units)} pairs are too many")
        if how.arena_memory is not None:
            share = how.arena_memory // max(1, len(units))
            if limits.arena_bytes == limits.most_arena_bytes and share < limits.arena_bytes:
                raise DeviceOutOfMemory(f"{len(units)} arenas of {limits.arena_bytes} bytes are too many")
            arena = min(share, limits.arena_bytes)
            limits = Limits(arena, arena, limits.most_output_bytes, limits.fuel)
        start = perf_counter()
        evaluated = self._native.evaluate(
            units, samples, first_result, results, limits=limits, outputs=outputs, timed=timed, counted=True,
            cancel=cancel,
        )  # fmt: skip
        self._counters = self._native.counters()
        if not counted:
            self._counters[:, 1:] = 0
        time.sleep(how.slowness_s * len(units))
        self._usage += DeviceUsage(
            1, perf_counter() - start, self._bytes, 3 * results + len(evaluated.outputs), self._multiprocessors
        )
        self._bytes = 0
        return evaluated

    def counters(self) -> NDArray[np.uint64]:
        return self._counters if self.behaviour.counters is None else self.behaviour.counters


def no_counters() -> NDArray[Any]:
    """Counters of a device that did nothing."""
    return np.zeros((len(COUNTERS), 3), np.uint64)


__all__ = ["Behaviour", "DeviceError", "DeviceLost", "DeviceOutOfMemory", "FakeDevice", "no_counters"]
