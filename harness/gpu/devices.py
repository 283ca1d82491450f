"""The CUDA devices of this machine, as machines; or why there is none, and what to do."""

from __future__ import annotations

import os

from harness.gpu.device import CudaUnavailable, DeviceError, DeviceMachine
from harness.vm import native
from harness.vm.cuda import CudaEngine
from harness.vm.cuda_driver import device_count

VARIABLE = "HARNESS_GPUS"
"""Environment variable that limits the devices: numbers with commas, e.g. ``0,2``; ``none`` for none of them."""


def device_numbers() -> list[int]:
    """Return the devices that are to be used, as CUDA numbers them in this process.

    Raises:
        CudaUnavailable: there is none, or ``$HARNESS_GPUS`` leaves none.
    """
    wanted = os.environ.get(VARIABLE, "").strip()
    if wanted.lower() == "none":
        raise CudaUnavailable(f"${VARIABLE} is 'none'; unset it to use all devices")
    words = [word.strip() for word in wanted.split(",")] if wanted else []
    for word in words:
        if not word.isdecimal():
            raise CudaUnavailable(f"${VARIABLE} is {wanted!r}: {word!r} is no number of a device; write 0,1 or none")
    count = device_count()
    numbers = list(dict.fromkeys(map(int, words))) if words else list(range(count))
    for number in numbers:
        if number >= count:
            raise CudaUnavailable(f"${VARIABLE} is {wanted!r}, but there are {count} devices, from 0 on")
    return numbers


def open_devices() -> list[DeviceMachine]:
    """Return a machine on each device that is to be used.

    Raises:
        CudaUnavailable: there is none, or one of them cannot be used; the message says why and what to do.
    """
    numbers = device_numbers()
    opened: list[DeviceMachine] = []
    try:
        for number in numbers:
            opened.append(CudaEngine(number))
    except BaseException as error:
        for machine in opened:
            machine.close()
        if isinstance(error, DeviceError):  # busy, say, or without memory
            raise CudaUnavailable(f"a CUDA device cannot be used: {error}") from error
        raise
    return opened


def unavailable() -> str | None:
    """Return why no CUDA device can be used; None if one can, as far as can be told without using it."""
    try:
        device_numbers()
    except CudaUnavailable as error:
        return str(error)
    return native.unavailable()
