"""What ``CudaEngine`` needs of CUDA: the Protocol ``Driver``, and CuPy as one.

Memory is plain addresses here, since the engine fills structures of pointers for its kernels. Copies and launches go to
a stream and return at once; what they read or write has to stay until the stream came to it.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.vm import cubins
from harness.vm.device_facts import CudaUnavailable, DeviceError, DeviceFacts, DeviceLost, DeviceOutOfMemory

THREADS = 128
"""Of a block: ``VM_BLOCK`` of kernels.cu."""

_TO_DEVICE, _TO_HOST = 1, 2  # kinds of copies, as CUDA numbers them
_OUT_OF_MEMORY, _NOT_READY = 2, 600  # what CUDA answers, the runtime and the driver alike
_LOST = (46, 100, 201)  # devices unavailable; no device; the context is gone


@dataclass
class Block:
    """Memory of the device.

    Attributes:
        address: where it begins; a multiple of 256.
        size: bytes.
        owner: what keeps it.
    """

    address: int
    size: int
    owner: Any


class Driver(Protocol):
    """A device, for one thread at a time."""

    def facts(self) -> DeviceFacts:
        """Return what the device is."""

    def prepare(self, counting: str) -> None:
        """Have the kernels that count ``counting`` (of kernels.cu) ready."""

    def workers(self) -> int:
        """Return how many warps of ``vm_evaluate`` the device runs at a time."""

    def free_bytes(self) -> int:
        """Return how much memory there is to allocate."""

    def allocate(self, size: int) -> Block:
        """Return memory with anything in it.

        Raises:
            DeviceOutOfMemory: there is too little.
        """

    def pinned(self, size: int) -> NDArray[np.uint8]:
        """Return memory of the host that is quick to copy from and to."""

    def stream(self) -> Any:
        """Return a new stream."""

    def upload(self, address: int, data: NDArray[Any], stream: Any) -> None:
        """Copy an array to the device."""

    def download(self, data: NDArray[Any], address: int, stream: Any) -> None:
        """Fill an array from the device."""

    def fill(self, address: int, byte: int, size: int, stream: Any) -> None:
        """Set memory of the device to a byte."""

    def launch(self, kernel: str, counting: str, warps: int, parameters: int, stream: Any) -> None:
        """Run ``vm_load`` or ``vm_evaluate`` with so many warps, or a block's more, on parameters at an address."""

    def mark(self, stream: Any) -> Any:
        """Return an event behind all that the stream was given."""

    def passed(self, mark: Any) -> bool:
        """Whether the stream came to an event."""

    def wait(self, stream: Any) -> None:
        """Wait for all that the stream was given."""

    def seconds(self, first: Any, last: Any) -> float:
        """Return the time between two events that have passed, by the device's clock."""

    def close(self) -> None:
        """Give memory back that is kept for later."""


def cupy_module() -> Any:
    """Return CuPy.

    Raises:
        CudaUnavailable: it is not installed, or cannot be imported.
    """
    try:
        return importlib.import_module("cupy")
    except ModuleNotFoundError as error:
        if error.name != "cupy":
            raise CudaUnavailable(f"CuPy cannot be imported: {error}") from error
        raise CudaUnavailable(
            "CuPy is not installed; install the extra cuda12 or cuda13 of this package, by the driver's CUDA version"
        ) from None
    except Exception as error:  # CuPy raises errors of several kinds where its libraries do not fit
        raise CudaUnavailable(f"CuPy cannot be imported: {type(error).__name__}: {error}") from error


@cache
def device_count() -> int:
    """Return how many CUDA devices this process sees: one at least.

    Raises:
        CudaUnavailable: there is no CuPy, or no device, or the driver does not fit.
    """
    cupy = cupy_module()
    try:
        count = int(cupy.cuda.runtime.getDeviceCount())
    except Exception as error:
        raise CudaUnavailable(
            f"CuPy {cupy.__version__} sees no CUDA device ({error}); `python -m harness doctor` tells what is missing"
        ) from error
    if not count:
        raise CudaUnavailable(f"CuPy {cupy.__version__} sees no CUDA device")
    return count


@contextmanager
def device_errors(cupy: Any, device: str) -> Iterator[None]:
    """Turn CuPy's errors of a device into ours.

    Args:
        cupy: CuPy.
        device: e.g. ``cuda:0``, to say of which it is.

    Raises:
        DeviceOutOfMemory: the device, or pinned memory, is out of memory.
        DeviceLost: the device is gone.
        DeviceError: it failed otherwise.
    """
    try:
        yield
    except cupy.cuda.memory.OutOfMemoryError as error:
        raise DeviceOutOfMemory(f"{device}: {error}") from error
    except (cupy.cuda.runtime.CUDARuntimeError, cupy.cuda.driver.CUDADriverError) as error:
        kind = DeviceOutOfMemory if error.status == _OUT_OF_MEMORY else DeviceError
        raise (DeviceLost if error.status in _LOST else kind)(f"{device}: {error}") from error


class CupyDriver:
    """A CUDA device by CuPy."""

    def __init__(self, number: int = 0, *, blocks: int | None = None) -> None:
        """Take a device.

        Args:
            number: of the device, as CUDA numbers them in this process.
            blocks: the least number of blocks that a multiprocessor is to hold, to tune; None for that of kernels.cu.

        Raises:
            CudaUnavailable: there is no CuPy, or no such device, or the driver does not fit.
        """
        self._cupy = cupy = cupy_module()
        self._runtime = cupy.cuda.runtime
        count = device_count()
        if number >= count:
            raise CudaUnavailable(f"there is no CUDA device {number}, but {count} of them, from 0 on")
        self._number = number
        self._device = cupy.cuda.Device(number)
        self._blocks = blocks
        self._kernels: dict[tuple[str, str], Any] = {}
        self._compile_s = 0.0
        with self._errors():
            properties = self._runtime.getDeviceProperties(number)
        self._capability = (int(properties["major"]), int(properties["minor"]))
        self._multiprocessors = int(properties["multiProcessorCount"])
        self._memory = int(properties["totalGlobalMem"])
        name = properties["name"]
        self._name = name.decode() if isinstance(name, bytes) else str(name)
        self._uuid = _uuid(number)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Make the device the thread's current one, and turn CuPy's errors into ours."""
        with device_errors(self._cupy, f"cuda:{self._number}"), self._device:
            yield

    def facts(self) -> DeviceFacts:
        """See ``Driver``."""
        return DeviceFacts(
            device=f"cuda:{self._number}",
            name=self._name,
            uuid=self._uuid,
            compute_capability=".".join(map(str, self._capability)),
            multiprocessors=self._multiprocessors,
            memory_bytes=self._memory,
            counters=True,
            compile_s=self._compile_s,
        )

    def prepare(self, counting: str) -> None:
        """See ``Driver``.

        CuPy loads a cubin, but does not compile: it wants CUDA's headers, which these kernels do without, and gives
        NVRTC an option of ours once more, which NVRTC before 12.9 refuses.

        Raises:
            CudaUnavailable: there is no cubin for the device, and none can be compiled.
            DeviceError: the device refuses it.
        """
        if ("vm_evaluate", counting) in self._kernels:
            return
        try:
            path, seconds = cubins.obtain(self._capability, counting, self._blocks)
        except cubins.CubinError as error:
            raise CudaUnavailable(
                f"cuda:{self._number}: {str(error)[:2000]}; or make cubins on another machine "
                "(python -m harness.vm.cubins)"
            ) from error
        self._compile_s += seconds
        with self._errors():
            module = self._cupy.RawModule(path=str(path))
            for name in ("vm_load", "vm_evaluate"):
                self._kernels[name, counting] = module.get_function(name)  # which loads it

    def workers(self) -> int:
        """See ``Driver``."""
        kernel = next(function for (name, _), function in self._kernels.items() if name == "vm_evaluate")
        with self._errors():
            occupancy = self._cupy.cuda.driver.occupancyMaxActiveBlocksPerMultiprocessor
            blocks = int(occupancy(kernel.kernel.ptr, THREADS, 0))
        return max(blocks, 1) * self._multiprocessors * (THREADS // 32)

    def free_bytes(self) -> int:
        """See ``Driver``; what CuPy's pool keeps unused counts as free."""
        with self._errors():
            return int(self._runtime.memGetInfo()[0]) + int(self._cupy.get_default_memory_pool().free_bytes())

    def allocate(self, size: int) -> Block:
        """See ``Driver``."""
        with self._errors():
            pointer = self._cupy.cuda.alloc(max(size, 1))
        return Block(int(pointer.ptr), size, pointer)

    def pinned(self, size: int) -> NDArray[np.uint8]:
        """See ``Driver``."""
        with self._errors():
            memory = self._cupy.cuda.alloc_pinned_memory(max(size, 1))
        return np.frombuffer(memory, np.uint8, size)

    def stream(self) -> Any:
        """See ``Driver``."""
        with self._errors():
            return self._cupy.cuda.Stream(non_blocking=True)

    def upload(self, address: int, data: NDArray[Any], stream: Any) -> None:
        """See ``Driver``."""
        if data.nbytes:
            with self._errors():
                self._runtime.memcpyAsync(address, data.ctypes.data, data.nbytes, _TO_DEVICE, stream.ptr)

    def download(self, data: NDArray[Any], address: int, stream: Any) -> None:
        """See ``Driver``."""
        if data.nbytes:
            with self._errors():
                self._runtime.memcpyAsync(data.ctypes.data, address, data.nbytes, _TO_HOST, stream.ptr)

    def fill(self, address: int, byte: int, size: int, stream: Any) -> None:
        """See ``Driver``."""
        if size:
            with self._errors():
                self._runtime.memsetAsync(address, byte, size, stream.ptr)

    def launch(self, kernel: str, counting: str, warps: int, parameters: int, stream: Any) -> None:
        """See ``Driver``."""
        blocks = -(-warps * 32 // THREADS)
        with self._errors(), _current(stream):
            self._kernels[kernel, counting]((blocks,), (THREADS,), (np.uint64(parameters),))

    def mark(self, stream: Any) -> Any:
        """See ``Driver``."""
        with self._errors():
            event = self._cupy.cuda.Event()
            event.record(stream)
        return event

    def passed(self, mark: Any) -> bool:
        """See ``Driver``."""
        with self._errors():
            status = int(self._runtime.eventQuery(mark.ptr))  # to mark.done, a broken device is one that is not ready
            if status != _NOT_READY:
                self._runtime.check_status(status)
        return status == 0

    def wait(self, stream: Any) -> None:
        """See ``Driver``."""
        with self._errors():
            stream.synchronize()

    def seconds(self, first: Any, last: Any) -> float:
        """See ``Driver``."""
        with self._errors():
            return float(self._cupy.cuda.get_elapsed_time(first, last)) * 1e-3

    def close(self) -> None:
        """See ``Driver``."""
        with self._errors():
            self._cupy.get_default_memory_pool().free_all_blocks()


def _current(stream: Any) -> AbstractContextManager[Any]:
    """Return a context in which launches go to a stream."""
    context: AbstractContextManager[Any] = stream
    return context


def _uuid(number: int) -> str:
    """Return a device's UUID as NVML writes it; empty if the driver does not tell it.

    CuPy has it as a C string, which a byte of zero ends.
    """
    handle, data = ctypes.c_int(), (ctypes.c_ubyte * 16)()
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        if driver.cuDeviceGet(ctypes.byref(handle), number) or driver.cuDeviceGetUuid(data, handle):
            return ""
    except (OSError, AttributeError):
        return ""
    digits = bytes(data).hex()
    return "GPU-" + "-".join(digits[a:b] for a, b in ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32)))
