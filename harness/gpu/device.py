"""A machine on a device: what the rest of this package is written against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.vm.device_facts import (
    CudaUnavailable,
    DeviceError,
    DeviceFacts,
    DeviceLost,
    DeviceOutOfMemory,
    DeviceUsage,
)
from harness.vm.machine import Machine

__all__ = [
    "AllDevicesFailed",
    "CudaUnavailable",
    "DeviceError",
    "DeviceFacts",
    "DeviceFailure",
    "DeviceLost",
    "DeviceMachine",
    "DeviceOutOfMemory",
    "DeviceUsage",
    "DeviceWork",
]


class DeviceMachine(Machine, Protocol):
    """A machine on one device.

    Its counters count executions always, for a proof of what ran; elements and cycles where ``counted`` is asked for.
    Its methods raise ``DeviceOutOfMemory`` where less might do, and another ``DeviceError`` where the device is not to
    be used again. Each method makes its device the current one of the thread that calls it.
    """

    def device_facts(self) -> DeviceFacts:
        """Return what the device is."""

    def usage(self) -> DeviceUsage:
        """Return what the device did since the last call."""


@dataclass(frozen=True)
class DeviceFailure:
    """A device that failed, and what became of its work.

    Attributes:
        device: e.g. ``cuda:0``.
        reason: of the failure.
        moved: evaluations that it had been given and that other devices did; 0 if there was none left.
    """

    device: str
    reason: str
    moved: int

    def __str__(self) -> str:
        """Say it in a sentence."""
        moved = f"; {self.moved} of its evaluations were moved to other devices" if self.moved else ""
        return f"{self.device} failed and is not used any more: {self.reason}{moved}"


@dataclass(frozen=True)
class DeviceWork:
    """What a device did for a machine of several since that was asked last.

    Attributes:
        device: e.g. ``cuda:0``.
        evaluations: how many it finished.
        usage: launches, kernel time, bytes and multiprocessors, by the device itself.
        counters: uint64 [counters, 3] as ``NativeEngine.counters``; elements and cycles of evaluations that were asked
            to be ``counted``.
    """

    device: str
    evaluations: int
    usage: DeviceUsage
    counters: NDArray[np.uint64]


class AllDevicesFailed(DeviceError):
    """No device is left; ``failures`` says what became of each."""

    def __init__(self, failures: tuple[DeviceFailure, ...]) -> None:
        super().__init__("no device is left: " + "; ".join(f"{own.device}: {own.reason}" for own in failures))
        self.failures = failures
