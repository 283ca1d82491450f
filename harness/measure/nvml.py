"""What NVML says of the GPUs: a reading of every quantity, and the reason wherever there is none.

Any call may be missing from a driver, or fail for a while: NOT_SUPPORTED, NOT_FOUND while idle, GPU_IS_LOST. A reading
that fails is a gap with its reason, never a zero. Source of units and meanings: NVIDIA's NVML API reference.
"""

from __future__ import annotations

import ctypes
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pynvml
from numpy.typing import NDArray

Value = float | int | str
_CLOCK_SLACK_S = 3600.0  # a driver's time stamp further than this from the machine's time is of another clock


class NoNvml(Exception):
    """There is nothing to sample; the message begins with ``no NVML: `` and says why."""


@dataclass(frozen=True)
class Device:
    """A GPU as NVML knows it.

    Attributes:
        index: NVML's, in the order of the PCI bus, which need not be CUDA's.
        uuid: ``GPU-...``, the same in CUDA.
        name: e.g. ``Tesla T4``.
        memory_bytes: all of its memory; None where the driver does not say.
        handle: what NVML's calls take.
    """

    index: int
    uuid: str
    name: str
    memory_bytes: int | None
    handle: Any


@dataclass(frozen=True)
class Gap:
    """A quantity that could not be read: its column, and why."""

    column: str
    reason: str


def reason_of(error: Exception) -> str:
    """Say in words why a call failed."""
    return str(error) if isinstance(error, pynvml.NVMLError) else f"{type(error).__name__}: {error}"


def open_devices(environment: Mapping[str, str]) -> list[Device]:
    """Initialise NVML and return the GPUs that CUDA may use; ``close`` undoes it.

    Args:
        environment: CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER are read.

    Raises:
        NoNvml: NVML is not there, or there is no device to sample.
    """
    try:
        pynvml.nvmlInit()
    except Exception as error:
        raise NoNvml(f"no NVML: {reason_of(error)}") from error
    try:
        found, lost = _all_devices()
    except Exception as error:
        close()
        raise NoNvml(f"no NVML: {reason_of(error)}") from error
    devices = visible(found, environment)
    if not devices:
        close()
        why = f"CUDA_VISIBLE_DEVICES hides all {len(found)} devices" if found else "it sees no device"
        raise NoNvml("no NVML: " + "; ".join([why, *lost]))
    return devices


def _all_devices() -> tuple[list[Device], list[str]]:
    """Return the devices, and why any of them cannot be asked: one that is lost must not hide the others."""
    devices, lost = [], []
    for index in range(pynvml.nvmlDeviceGetCount()):
        try:
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            uuid, name = str(pynvml.nvmlDeviceGetUUID(handle)), str(pynvml.nvmlDeviceGetName(handle))
        except Exception as error:
            lost.append(f"device {index}: {reason_of(error)}")
            continue
        try:
            memory = int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
        except Exception:
            memory = None
        devices.append(Device(index, uuid, name, memory, handle))
    return devices, lost


def close() -> None:
    """Let go of NVML."""
    try:
        pynvml.nvmlShutdown()
    except Exception:
        pass  # a driver that is gone has nothing to be let go of


def visible(devices: Sequence[Device], environment: Mapping[str, str]) -> list[Device]:
    """Return the devices that CUDA_VISIBLE_DEVICES leaves; all where that cannot be told from NVML's side.

    CUDA takes entries up to the first that names no device. A UUID may be cut short. A number counts CUDA's devices,
    whose order is NVML's only with CUDA_DEVICE_ORDER=PCI_BUS_ID, or where all devices are alike; parts of a GPU (MIG)
    have UUIDs of their own.
    """
    text = environment.get("CUDA_VISIBLE_DEVICES")
    if text is None:
        return list(devices)
    same_order = environment.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID" or len({d.name for d in devices}) == 1
    chosen: list[Device] = []
    for entry in (part.strip() for part in text.split(",")):
        if entry.startswith("MIG-"):
            return list(devices)
        if entry.isdecimal():
            if not same_order:
                return list(devices)
            matching = [device for device in devices if device.index == int(entry)]
        else:
            matching = [device for device in devices if entry and device.uuid.lower().startswith(entry.lower())]
        if len(matching) != 1:
            break
        chosen += [device for device in matching if device not in chosen]
    return chosen


def _utilization(handle: Any) -> tuple[Value, ...]:
    rates = pynvml.nvmlDeviceGetUtilizationRates(handle)
    return rates.gpu / 100, rates.memory / 100


def _memory(handle: Any) -> tuple[Value, ...]:
    return (int(pynvml.nvmlDeviceGetMemoryInfo(handle).used),)


def _power(handle: Any) -> tuple[Value, ...]:
    return (pynvml.nvmlDeviceGetPowerUsage(handle) / 1000,)


def _temperature(handle: Any) -> tuple[Value, ...]:
    return (int(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)),)


def _clock(kind: int) -> Callable[[Any], tuple[Value, ...]]:
    return lambda handle: (int(pynvml.nvmlDeviceGetClockInfo(handle, kind)),)


def _throttle(handle: Any) -> tuple[Value, ...]:
    try:
        return (int(pynvml.nvmlDeviceGetCurrentClocksEventReasons(handle)),)
    except (AttributeError, pynvml.NVMLError_FunctionNotFound):  # the name in drivers before 535
        return (int(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle)),)


def _pcie(counter: int) -> Callable[[Any], tuple[Value, ...]]:
    return lambda handle: (1000 * int(pynvml.nvmlDeviceGetPcieThroughput(handle, counter)),)


def _processes(handle: Any) -> tuple[Value, ...]:
    try:
        samples = pynvml.nvmlDeviceGetProcessUtilization(handle, int((time.time() - 1) * 1e6))
    except pynvml.NVMLError as error:
        if error.value == pynvml.NVML_SUCCESS:  # what the bindings raise where nothing ran
            return ("{}",)
        raise
    latest = {sample.pid: sample.smUtil / 100 for sample in sorted(samples, key=lambda sample: sample.timeStamp)}
    return (json.dumps({str(pid): share for pid, share in sorted(latest.items())}),)


Reader = tuple[tuple[str, ...], Callable[[Any], tuple[Value, ...]]]
POLLED: tuple[Reader, ...] = (
    (("gpu_utilization", "memory_utilization"), _utilization),
    (("memory_used_bytes",), _memory),
    (("power_w",), _power),
    (("temperature_c",), _temperature),
    (("sm_clock_mhz",), _clock(pynvml.NVML_CLOCK_SM)),
    (("memory_clock_mhz",), _clock(pynvml.NVML_CLOCK_MEM)),
    (("throttle_reasons",), _throttle),
)
"""Columns, and the call that reads them."""
POLLED_SLOWLY: tuple[Reader, ...] = (
    (("pcie_tx_bytes_per_s",), _pcie(pynvml.NVML_PCIE_UTIL_TX_BYTES)),
    (("pcie_rx_bytes_per_s",), _pcie(pynvml.NVML_PCIE_UTIL_RX_BYTES)),
    (("process_utilization",), _processes),
)
"""Likewise, of calls that take long: the driver counts PCIe traffic for 20 ms while it is asked."""
BUFFERED: dict[str, tuple[int, float]] = {
    "gpu_utilization": (pynvml.NVML_GPU_UTILIZATION_SAMPLES, 0.01),
    "memory_utilization": (pynvml.NVML_MEMORY_UTILIZATION_SAMPLES, 0.01),
    "power_w": (pynvml.NVML_TOTAL_POWER_SAMPLES, 0.001),
    "sm_clock_mhz": (pynvml.NVML_PROCESSOR_CLK_SAMPLES, 1.0),
    "memory_clock_mhz": (pynvml.NVML_MEMORY_CLK_SAMPLES, 1.0),
}
"""Columns that the driver samples by itself: the kind of its samples, and what their unit is in the column's."""
QUANTITIES: tuple[str, ...] = tuple(column for columns, _ in (*POLLED, *POLLED_SLOWLY) for column in columns)

_LAYOUTS = {
    value_type: np.dtype(
        {
            "names": ["time", "value"],
            "formats": [np.uint64, kind],
            "offsets": [pynvml.c_nvmlSample_t.timeStamp.offset, pynvml.c_nvmlSample_t.sampleValue.offset],
            "itemsize": ctypes.sizeof(pynvml.c_nvmlSample_t),
        }
    )
    for value_type, kind in {
        pynvml.NVML_VALUE_TYPE_DOUBLE: ctypes.c_double,
        pynvml.NVML_VALUE_TYPE_UNSIGNED_INT: ctypes.c_uint,
        pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG: ctypes.c_ulong,
        pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG: ctypes.c_ulonglong,
        pynvml.NVML_VALUE_TYPE_SIGNED_LONG_LONG: ctypes.c_longlong,
        pynvml.NVML_VALUE_TYPE_SIGNED_INT: ctypes.c_int,
        pynvml.NVML_VALUE_TYPE_UNSIGNED_SHORT: ctypes.c_ushort,
    }.items()
}
"""How a driver's sample lies in memory, by the type of its value."""


def poll(device: Device, readers: Iterable[Reader]) -> tuple[dict[str, Value], list[Gap]]:
    """Read quantities of a device once.

    Returns:
        The values by column, and a gap for each column that could not be read.
    """
    values: dict[str, Value] = {}
    gaps: list[Gap] = []
    for columns, read in readers:
        try:
            values.update(zip(columns, read(device.handle), strict=True))
        except Exception as error:  # the bindings of some versions raise more than NVMLError
            gaps += [Gap(column, reason_of(error)) for column in columns]
    return values, gaps


def driver_samples(device: Device, column: str, after_us: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the samples that the driver took by itself: microseconds since 1970, ascending, and values, both [n].

    Args:
        device: the device.
        column: one of ``BUFFERED``, in whose unit the values are.
        after_us: only samples later than this.

    Raises:
        NVMLError: the driver has none, or no newer ones (NOT_FOUND).
        ValueError: they are of a type or a clock that is not known.
    """
    kind, unit = BUFFERED[column]
    value_type, samples = pynvml.nvmlDeviceGetSamples(device.handle, kind, after_us)
    if value_type not in _LAYOUTS:
        raise ValueError(f"the driver's samples are of the unknown type {value_type}")
    if not samples:
        return np.zeros(0, np.int64), np.zeros(0)
    # They lie side by side in one buffer: to read it as arrays costs a tenth of what asking each of them does.
    read = np.frombuffer(samples[0]._b_base_, _LAYOUTS[value_type], len(samples))
    times, values = read["time"].astype(np.int64), read["value"] * float(unit)
    if times[0] <= after_us or (times[1:] < times[:-1]).any():
        # Some drivers answer with the whole buffer, a ring with unused places of time 0.
        order = np.argsort(times, kind="stable")
        order = order[times[order] > after_us]
        times, values = times[order], values[order]
    now_us = time.time() * 1e6
    if len(times) and max(now_us - times[0], times[-1] - now_us) > _CLOCK_SLACK_S * 1e6:
        raise ValueError("the driver's time stamps are not of this machine's clock")
    return times, values


_THROTTLES = {
    0x1: "idle",
    0x2: "applications clocks setting",
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x10: "sync boost",
    0x20: "thermal, by the driver",
    0x40: "thermal, by the hardware",
    0x80: "power brake",
    0x100: "display clock setting",
}


def throttle_names(mask: int) -> list[str]:
    """Return what the bits of ``throttle_reasons`` stand for; 0 is no reason, so the clocks are as high as can be."""
    known = [name for bit, name in _THROTTLES.items() if mask & bit]
    rest = mask & ~sum(_THROTTLES)
    return [*known, f"unknown bits {rest:#x}"] if rest else known
