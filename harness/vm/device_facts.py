"""What a CUDA device says of itself and of what it did, and how it fails."""

from __future__ import annotations

from dataclasses import dataclass


class CudaUnavailable(Exception):
    """No CUDA device can be used; the message says why and what to do."""


class DeviceError(Exception):
    """A device failed while it was used; what it was at is lost, and it is not used again."""


class DeviceLost(DeviceError):
    """A device does not answer any more."""


class DeviceOutOfMemory(DeviceError):
    """A device has not enough memory for what was asked; it is as good as before, and may be asked for less."""


@dataclass(frozen=True)
class DeviceFacts:
    """A device, as it describes itself.

    Attributes:
        device: ``cuda:0`` and on, as CUDA numbers them in this process.
        name: of the product.
        uuid: of the device; what NVML knows it by, too.
        compute_capability: e.g. ``8.9``.
        multiprocessors: how many it has.
        memory_bytes: of the device.
        counters: whether counters were compiled into its kernels.
        compile_s: seconds that compiling the kernels took; 0 if they came from a cubin.
    """

    device: str
    name: str
    uuid: str
    compute_capability: str
    multiprocessors: int
    memory_bytes: int
    counters: bool
    compile_s: float


@dataclass(frozen=True)
class DeviceUsage:
    """What a device did since it was asked last.

    Attributes:
        launches: of kernels.
        kernel_s: seconds in kernels, by CUDA events.
        bytes_to_device: copied there.
        bytes_from_device: copied back.
        multiprocessors_used: how many took part, by bits that they set in the device's memory.
    """

    launches: int = 0
    kernel_s: float = 0.0
    bytes_to_device: int = 0
    bytes_from_device: int = 0
    multiprocessors_used: int = 0

    def __add__(self, other: DeviceUsage) -> DeviceUsage:
        """Return what was done in both; of multiprocessors the greater number, since the same may have taken part."""
        return DeviceUsage(
            self.launches + other.launches,
            self.kernel_s + other.kernel_s,
            self.bytes_to_device + other.bytes_to_device,
            self.bytes_from_device + other.bytes_from_device,
            max(self.multiprocessors_used, other.multiprocessors_used),
        )
