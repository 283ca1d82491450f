"""``MultiGPUOptimizer``: a user's own vectorized function over batches of grids, on all devices."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.gpu.arrays import ArrayDevice, HostArrays, open_array_devices
from harness.gpu.device import AllDevicesFailed, CudaUnavailable, DeviceError, DeviceFailure, DeviceOutOfMemory
from harness.gpu.scheduler import Items, Scheduler

_LOG = logging.getLogger(__name__)
PADDING = -1
"""What stands in a padded batch where a grid has no cell."""

_LEAST_CHUNK = 32  # grids per unit of a device's weight: fewer do not keep it busy


@dataclass(frozen=True)
class DeviceGrid:
    """A result that stayed on its device.

    Attributes:
        device: e.g. ``cuda:0``.
        array: [height, width], a view of its batch's result.
    """

    device: str
    array: Any


class MultiGPUOptimizer:
    """A user's own vectorized functions, on every CUDA device; work is shared by measured throughput.

    Attributes:
        device: what computed the last call: ``cuda:0, cuda:1``, ``NumPy on the host`` or ``operation_single``.
        failures: devices that failed, which are not used again.
    """

    def __init__(self, devices: Sequence[ArrayDevice] | None = None, *, allow_numpy: bool = False) -> None:
        """Find the devices.

        Args:
            devices: to use; None for every CUDA device.
            allow_numpy: whether, without a device, operations are called with NumPy arrays, which a warning says.
        """
        self.device = ""
        self._reason: str | None = None
        if devices is None:
            try:
                devices = open_array_devices()
            except CudaUnavailable as error:
                self._reason, devices = str(error), []
        self._devices = tuple(devices)
        self._allow_numpy = allow_numpy
        self._scheduler = Scheduler(
            [own.name for own in devices],
            [own.weight for own in devices],
            [own.weight * _LEAST_CHUNK for own in devices],
            (_OperationFailed,),
        )

    @property
    def failures(self) -> tuple[DeviceFailure, ...]:
        """The devices that failed, in order."""
        return tuple(self._scheduler.failures)

    def batch_grid_op_optimized(
        self,
        grids: Sequence[Any],
        operation: Callable[..., Any],
        vectorized: bool = True,
        operation_single: Callable[[Any], Any] | None = None,
        keep_on_gpu: bool = False,
    ) -> list[Any]:
        """Apply an operation to grids.

        Args:
            grids: each a tuple of tuples, a list of lists or an array [height, width], of any sizes; colours from 0 to
                127.
            operation: computes on CuPy arrays (NumPy's without a device, if that is allowed). If ``vectorized``, it is
                called as ``operation(batch)``, or, if it takes two arguments, as ``operation(batch, sizes)``: ``batch``
                is int8 [n, H, W], every grid in the upper left corner, ``PADDING`` (-1) in all cells beyond it;
                ``sizes`` is int32 [n, 2], the height and width of each. It returns an array [n, H', W'], or
                ``(array, sizes)`` where the sizes of the results are others: without sizes every result has the size of
                its grid, and H' = H, W' = W. How a batch is cut depends on the devices, so a result must depend on its
                own grid alone. If not ``vectorized``, it is called with each grid alone, int8 [height, width], and
                returns an array of two dimensions.
            vectorized: see above.
            operation_single: what plain Python calls with each grid, a tuple of tuples, where there is no device, or no
                more; a warning says so.
            keep_on_gpu: return ``DeviceGrid``s, which stay on their devices, in place of tuples.

        Returns:
            A grid for each, in order.

        Raises:
            CudaUnavailable: there is no device, and nothing that could take its place.
            DeviceError: no device is left, likewise.
            ValueError: a grid is none, or the operation returns what does not fit.
            Exception: whatever the operation raises.
        """
        arrays = [_array(grid, k) for k, grid in enumerate(grids)]
        try:
            if self._reason is not None:
                raise CudaUnavailable(self._reason)
            found = self._on_devices(
                self._scheduler, self._devices, arrays, operation, vectorized=vectorized, keep=keep_on_gpu
            )
        except _OperationFailed as failed:
            raise failed.error from None
        except (CudaUnavailable, AllDevicesFailed) as error:
            return self._without_device(error, arrays, operation, vectorized, operation_single)
        _LOG.info("batch_grid_op_optimized: %d grids, %s, on %s", len(grids), _name(operation), self.device)
        return found

    def _on_devices(
        self,
        scheduler: Scheduler,
        devices: Sequence[ArrayDevice],
        arrays: Sequence[NDArray[np.int8]],
        operation: Callable[..., Any],
        *,
        vectorized: bool,
        keep: bool = False,
    ) -> list[Any]:
        results: list[Any] = [None] * len(arrays)
        took_part: set[int] = set()
        too_large: list[int] = []
        stopped = [False]

        def work(number: int, items: Items) -> None:
            device = devices[number]
            own = [arrays[item] for item in items.tolist()]
            compute = _batched if vectorized else _one_by_one
            for item, array in zip(items.tolist(), compute(device, own, operation, keep), strict=True):
                results[item] = DeviceGrid(device.name, array) if keep else _grid(array)
            took_part.add(number)

        def stop() -> None:
            stopped[0] = True

        scheduler.run(len(arrays), work, lambda items: too_large.extend(items.tolist()), stop, lambda: stopped[0])
        if too_large:
            raise DeviceOutOfMemory(f"grid {min(too_large)} fits into the memory of no device")
        self.device = ", ".join(devices[number].name for number in sorted(took_part))
        return results

    def _without_device(
        self,
        error: CudaUnavailable | AllDevicesFailed,
        arrays: Sequence[NDArray[np.int8]],
        operation: Callable[..., Any],
        vectorized: bool,
        operation_single: Callable[[Any], Any] | None,
    ) -> list[Any]:
        if operation_single is not None:
            _LOG.warning("%s; operation_single computes %d grids in plain Python", error, len(arrays))
            self.device = "operation_single"
            return [operation_single(_grid(array)) for array in arrays]
        if not self._allow_numpy:
            advice = "give operation_single, or MultiGPUOptimizer(allow_numpy=True), to compute without one"
            if isinstance(error, AllDevicesFailed):
                raise DeviceError(f"{error}; {advice}") from error
            raise CudaUnavailable(f"{error}; {advice}") from error
        _LOG.warning("%s; NumPy computes %d grids on the host", error, len(arrays))
        host = HostArrays()
        try:
            scheduler = Scheduler([host.name], [1], [1], (_OperationFailed,))
            return self._on_devices(scheduler, [host], arrays, operation, vectorized=vectorized)
        except _OperationFailed as failed:
            raise failed.error from None


class _OperationFailed(Exception):
    """What a user's operation raised, or returned, is not the device's fault."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


def _array(grid: Any, number: int) -> NDArray[np.int8]:
    try:
        array = np.asarray(grid)
    except ValueError:
        array = np.zeros(0)
    if array.ndim != 2 or not array.size or array.dtype.kind not in "iub":
        raise ValueError(f"grid {number} is none: it takes rows of equal length, of integers")
    if array.min() < 0 or array.max() > np.iinfo(np.int8).max:
        raise ValueError(f"grid {number} has colours from {array.min()} to {array.max()}; they go from 0 to 127")
    return array.astype(np.int8)


def _grid(array: NDArray[Any]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(row) for row in array.tolist())


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _called(device: ArrayDevice, operation: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return device.call(operation, *arguments)
    except DeviceError:
        raise
    except Exception as error:
        raise _OperationFailed(error) from error


def _takes_sizes(operation: Callable[..., Any]) -> bool:
    try:
        inspect.signature(operation).bind(None, None)
    except (TypeError, ValueError):  # ValueError: it has no signature, as functions in C
        return False
    return True


def _batched(
    device: ArrayDevice, arrays: Sequence[NDArray[np.int8]], operation: Callable[..., Any], keep: bool
) -> list[Any]:
    """Return the result for each grid: on the device, if it is to be kept there, else on the host."""
    sizes = np.array([array.shape for array in arrays], np.int32)
    batch = np.full((len(arrays), *sizes.max(axis=0)), PADDING, np.int8)
    for own, array in zip(batch, arrays, strict=True):
        own[: array.shape[0], : array.shape[1]] = array
    on_device = device.put(batch)
    arguments = (on_device, device.put(sizes)) if _takes_sizes(operation) else (on_device,)
    returned = _called(device, operation, *arguments)
    if isinstance(returned, tuple):
        result, new_sizes = returned
        sizes = device.get(new_sizes)
        if sizes.shape != (len(arrays), 2):
            raise _wrong(operation, f"sizes of the shape {list(sizes.shape)}, not {[len(arrays), 2]}")
    else:
        result = returned
        if tuple(getattr(result, "shape", ())) != batch.shape:
            shape = list(getattr(result, "shape", ())) or type(result).__name__
            raise _wrong(
                operation, f"{shape} for a batch {list(batch.shape)}; return (array, sizes) where sizes change"
            )
    if result.ndim != 3 or len(result) != len(arrays) or (sizes < 0).any() or (sizes > result.shape[1:]).any():
        raise _wrong(
            operation, f"an array {list(result.shape)} that the sizes do not fit into, for {len(arrays)} grids"
        )
    return [result[k, :height, :width] for k, (height, width) in enumerate(sizes.tolist())]


def _one_by_one(
    device: ArrayDevice, arrays: Sequence[NDArray[np.int8]], operation: Callable[..., Any], keep: bool
) -> list[Any]:
    """Likewise, with a call for each grid."""
    found = []
    for array in arrays:
        result = _called(device, operation, device.put(array))
        if getattr(result, "ndim", None) != 2:
            raise _wrong(operation, f"{type(result).__name__}, no array of two dimensions")
        found.append(result if keep else device.get(result))
    return found


def _wrong(operation: Callable[..., Any], what: str) -> _OperationFailed:
    return _OperationFailed(ValueError(f"{_name(operation)} returned {what}"))
