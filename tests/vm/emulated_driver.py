"""A device for ``CudaEngine`` without a GPU: its kernels run on the host, with 32 emulated lanes.

The kernels are those of kernels.cu, in the library that ``VM_LANES=32`` builds; what is not CUDA's here is memory,
streams (everything is done at once) and time.
"""

from __future__ import annotations

import ctypes
import os
import time
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from harness.vm import build
from harness.vm.cuda_driver import Block
from harness.vm.cuda_layout import BATCH, LOAD
from harness.vm.device_facts import DeviceError, DeviceFacts, DeviceOutOfMemory

KERNELS = {"vm_load": 0, "EXECUTIONS": 1, "EVERYTHING": 2, "NOTHING": 3}  # of vm_evaluate, by what it counts


@cache
def library_path() -> Path:
    """Build the library with lanes, quickly, unless the environment names another variant of it; return where it is."""
    chosen = {"VM_LANES": "32"} if os.environ.get("VM_SANITIZE") else {"VM_LANES": "32", "VM_OPT": "1"}
    with mock.patch.dict(os.environ, chosen):
        return build.build()[0]


@cache
def library() -> ctypes.CDLL:
    """Return the library with lanes."""
    loaded = ctypes.CDLL(str(library_path()))
    loaded.vm_message.restype = ctypes.c_char_p
    loaded.vm_launch.argtypes = (ctypes.c_uint32, ctypes.c_uint32, ctypes.c_void_p)
    return loaded


def check_alignment(kernel: str, parameters: int) -> dict[str, int]:
    """Look whether what a kernel is given lies where a GPU can read it, which is more particular than the host.

    Returns:
        What it is given.
    """
    names = LOAD if kernel == "vm_load" else BATCH
    own = dict(zip(names, np.ctypeslib.as_array((ctypes.c_uint64 * len(names)).from_address(parameters)), strict=True))
    assert parameters % 8 == 0
    if kernel == "vm_load":
        assert not any(own[name] % 16 for name in ("arena", "values")), own
        assert not any(own[name] % 8 for name in ("begin", "first", "region", "refused_count")), own
        return own
    aligned = ("units", "samples", "inputs", "first_result", "nanoseconds", "next", "again_count", "output_end")
    assert not any(own[name] % 8 for name in (*aligned, "output_at", "output_size", "counters", "arena_used")), own
    assert not any(own[name] % 16 for name in ("arenas", "arena_bytes", "registers")), own
    assert not any(
        own[name] % 4 for name in ("chosen", "unit_of", "sample_of", "cancel", "again", "multiprocessors")
    ), own
    return own


class EmulatedDriver:
    """A device with ``memory`` bytes that runs ``warps`` warps at a time.

    Attributes:
        launches: (kernel, warps) of each launch.
        lanes: how many evaluated a pair in each launch of ``vm_evaluate``.
        arenas: the bytes of each arena in each of these launches.
        poison: what is in each byte of memory that was not written yet.
        fail_at: the launch of ``vm_evaluate``, counted from 0, that raises DeviceError; None for none.
    """

    def __init__(self, warps: int = 6, memory: int = 1 << 30) -> None:
        self._warps, self._memory, self._used = warps, memory, 0
        self._blocks: dict[int, np.ndarray] = {}
        self.launches: list[tuple[str, int]] = []
        self.lanes: list[int] = []
        self.arenas: list[int] = []
        self.poison = 0xA5
        self.prepared: list[str] = []
        self.fail_at: int | None = None
        self.before_launch: Any = None

    def facts(self) -> DeviceFacts:
        return DeviceFacts("cuda:0", "Emulated", "GPU-0", "0.0", 32, self._memory, True, 0.0)

    def prepare(self, counting: str) -> None:
        self.prepared.append(counting)

    def workers(self) -> int:
        return self._warps

    def free_bytes(self) -> int:
        return self._memory - self._used

    def allocate(self, size: int) -> Block:
        if size > self.free_bytes():
            raise DeviceOutOfMemory(f"{size} bytes of {self.free_bytes()} that are free")
        memory = np.full(size + 256, self.poison, np.uint8)  # anything may be in it
        address = -(-memory.ctypes.data // 256) * 256
        self._used += size
        return Block(address, size, _Owner(self, memory, size))

    def pinned(self, size: int) -> np.ndarray:
        return np.full(size, self.poison, np.uint8)

    def stream(self) -> object:
        return object()

    def upload(self, address: int, data: np.ndarray, stream: object) -> None:
        assert data.flags.c_contiguous
        ctypes.memmove(address, data.ctypes.data, data.nbytes)

    def download(self, data: np.ndarray, address: int, stream: object) -> None:
        assert data.flags.c_contiguous
        ctypes.memmove(data.ctypes.data, address, data.nbytes)

    def fill(self, address: int, byte: int, size: int, stream: object) -> None:
        ctypes.memset(address, byte, size)

    def launch(self, kernel: str, counting: str, warps: int, parameters: int, stream: object) -> None:
        if kernel == "vm_evaluate":
            number = sum(name == kernel for name, _ in self.launches)
            if self.fail_at == number:
                raise DeviceError("it was told to fail")
            if self.before_launch is not None:
                self.before_launch(number)
        self.launches.append((kernel, warps))
        given = check_alignment(kernel, parameters)
        if kernel == "vm_evaluate":
            self.lanes.append(int(given["lanes"]))
            self.arenas.append(int(given["arena_bytes"]))
        if library().vm_launch(KERNELS.get(kernel, KERNELS[counting]), warps, parameters):
            raise DeviceError(library().vm_message().decode())

    def mark(self, stream: object) -> float:
        return time.perf_counter()

    def passed(self, mark: float) -> bool:
        return True

    def wait(self, stream: object) -> None:
        pass

    def seconds(self, first: float, last: float) -> float:
        return last - first

    def close(self) -> None:
        pass


class _Owner:
    """Gives memory of a device back."""

    def __init__(self, driver: EmulatedDriver, memory: np.ndarray, size: int) -> None:
        self._driver, self._memory, self._size = driver, memory, size

    def __del__(self) -> None:
        self._driver._used -= self._size
