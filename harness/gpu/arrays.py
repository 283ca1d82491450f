"""Devices as places for arrays: CuPy's, or the host's with NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.gpu.device import CudaUnavailable
from harness.gpu.devices import device_numbers
from harness.vm.cuda_driver import cupy_module, device_errors


class ArrayDevice(Protocol):
    """A place where a user's function computes on arrays.

    Attributes:
        name: e.g. ``cuda:0``.
        weight: what its throughput is taken to be in proportion to until it is measured.
    """

    name: str
    weight: int

    def put(self, array: NDArray[Any]) -> Any:
        """Return a copy of an array on the device."""

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function with the device the current one, and wait until it has computed."""

    def get(self, array: Any) -> NDArray[Any]:
        """Return a copy of an array of the device on the host."""


class CupyDevice:
    """A CUDA device with CuPy; see ``ArrayDevice``."""

    def __init__(self, number: int) -> None:
        self._cupy = cupy_module()
        self._device = self._cupy.cuda.Device(number)
        self.name = f"cuda:{number}"
        self.weight = int(self._device.attributes["MultiProcessorCount"])

    def _guarded(self, action: Callable[[], Any]) -> Any:
        with device_errors(self._cupy, self.name), self._device:
            found = action()
            self._cupy.cuda.get_current_stream().synchronize()
            return found

    def put(self, array: NDArray[Any]) -> Any:
        """See ``ArrayDevice``."""
        return self._guarded(lambda: self._cupy.asarray(array))

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """See ``ArrayDevice``."""
        return self._guarded(lambda: function(*arguments))

    def get(self, array: Any) -> NDArray[Any]:
        """See ``ArrayDevice``."""
        return np.asarray(self._guarded(lambda: self._cupy.asnumpy(array)))


class HostArrays:
    """The host, with NumPy; see ``ArrayDevice``."""

    name = "NumPy on the host"
    weight = 1

    def put(self, array: NDArray[Any]) -> Any:
        """See ``ArrayDevice``."""
        return array.copy()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """See ``ArrayDevice``."""
        return function(*arguments)

    def get(self, array: Any) -> NDArray[Any]:
        """See ``ArrayDevice``."""
        return np.asarray(array)


def open_array_devices() -> list[ArrayDevice]:
    """Return every CUDA device that is to be used.

    Raises:
        CudaUnavailable: there is none; the message says why and what to do.
    """
    numbers = device_numbers()
    try:
        return [CupyDevice(number) for number in numbers]
    except Exception as error:  # whatever CuPy raises where a device cannot be used
        raise CudaUnavailable(f"a CUDA device cannot be used: {error}") from error
