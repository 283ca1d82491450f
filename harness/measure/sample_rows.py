"""Samples of GPUs until they are written: polled rows, and arrays of those that the driver took by itself.

A driver may take thousands in a second. They stay arrays all the way, for a dict of each would cost more than sampling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.measure.nvml import QUANTITIES, Device

_WHOLE = ("memory_used_bytes", "throttle_reasons")  # quantities that are whole numbers; all but the next are floats
_TEXT = ("process_utilization",)


@dataclass
class Span:
    """When something was measured: seconds since the run's start; ``end`` is infinite while it lasts."""

    mode: str
    block: int | None
    start: float
    end: float = float("inf")


@dataclass(frozen=True)
class _Samples:
    """Samples of one device that were read together: [n] each, but for values that there is one of."""

    device: Device
    source: str
    values: Mapping[str, Any]
    times: NDArray[np.float64]
    modes: NDArray[np.object_]
    blocks: NDArray[np.float64]


def tags(spans: Sequence[Span], times: NDArray[np.float64]) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """Return mode (or None) and block (or NaN) that were under way at some times.

    Args:
        spans: one after the other.
        times: float64 [n], ascending.
    """
    modes: NDArray[np.object_] = np.full(len(times), None, object)
    blocks = np.full(len(times), np.nan)
    first = len(times)  # those from here on are tagged
    for span in reversed(spans):
        if not first:
            break
        start, end = first, int(times[:first].searchsorted(span.end, "right"))
        if span.start <= times[first - 1]:
            start = int(times[:first].searchsorted(span.start))
        modes[start:end] = span.mode
        blocks[start:end] = np.nan if span.block is None else span.block
        first = start
    return modes, blocks


class SampleRows:
    """Rows of ``gpu_samples`` that are not yet written."""

    def __init__(self) -> None:
        self._samples: list[_Samples] = []
        self._count = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return self._count

    def clear(self) -> None:
        """Forget them."""
        self._samples, self._count = [], 0

    def add(
        self,
        device: Device,
        source: str,
        times: NDArray[np.float64],
        values: Mapping[str, Any],
        spans: Sequence[Span],
    ) -> None:
        """Keep samples.

        Args:
            device: whose.
            source: ``poll`` or ``driver``.
            times: float64 [n], ascending, seconds since the run's start.
            values: by column, one for all times or an array [n].
            spans: what ran when.
        """
        self._samples.append(_Samples(device, source, values, times, *tags(spans, times)))
        self._count += len(times)

    def columns(self) -> dict[str, Any]:
        """Return all of them, in the order of being added, by column of the table."""
        sizes = [len(own.times) for own in self._samples]
        ends = np.cumsum(sizes)

        def joined(parts: list[Any], kind: Any) -> NDArray[Any]:
            return np.concatenate(parts) if parts else np.zeros(0, kind)

        def repeated(values: list[Any], kind: Any) -> NDArray[Any]:
            return np.repeat(np.array(values, kind), sizes)

        found: dict[str, Any] = {
            "t_s": joined([own.times for own in self._samples], np.float64),
            "device": repeated([own.device.index for own in self._samples], np.int64),
            "uuid": repeated([own.device.uuid for own in self._samples], object),
            "source": repeated([own.source for own in self._samples], object),
            "mode": joined([own.modes for own in self._samples], object),
            "block": joined([own.blocks for own in self._samples], np.float64),
        }
        places = [slice(end - size, end) for end, size in zip(ends.tolist(), sizes, strict=True)]
        for column in QUANTITIES:
            there = [
                (place, own.values[column])
                for place, own in zip(places, self._samples, strict=True)
                if own.values.get(column) is not None
            ]
            found[column] = _column(column, len(self), there)
        return found


def _column(name: str, count: int, there: list[tuple[slice, Any]]) -> Any:
    """Return a quantity's column: null but where it is there."""
    if name in _TEXT:
        texts: NDArray[np.object_] = np.full(count, None, object)
        for place, value in there:
            texts[place] = value
        return texts
    if name in _WHOLE:  # a float does not hold all of them
        numbers, missing = np.zeros(count, np.int64), np.ones(count, bool)
        for place, value in there:
            numbers[place], missing[place] = value, False
        return pd.arrays.IntegerArray(numbers, missing)
    floats = np.full(count, np.nan)
    for place, value in there:
        floats[place] = value
    return floats
