"""What results were measured on is recorded, and what cannot be known has its reason."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pynvml
import pytest

from harness.measure.environment import PACKAGES, describe_environment, gpus, usable_cpus


def test_all_that_a_reader_needs_is_there():
    found = describe_environment("the command")
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["command"] == "the command"
    assert found["cpu"]["cpus"] == sorted(os.sched_getaffinity(0))
    assert found["cpu"]["affinity"] == usable_cpus() == len(found["cpu"]["cpus"])
    assert {"governor", "frequency_mhz", "load_average", "model"} <= found["cpu"].keys()
    assert found["python"]["garbage_collection"]["enabled"] == gc.isenabled()
    assert found["python"]["garbage_collection"]["thresholds"] == list(gc.get_threshold())
    assert set(found["packages"]) == set(PACKAGES)
    assert found["packages"]["scipy"]
    assert {"commit", "dirty"} == found["git"].keys()


def test_the_hash_seed_is_recorded():
    code = "from harness.measure.environment import describe_environment as d; print(d('')['python']['hash_seed'])"
    for seed in ("17", "random"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == seed


def refuse(*_: object) -> None:
    raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)


@pytest.fixture
def two_gpus(monkeypatch):
    """A driver of two devices, as the bindings show it; the second does not tell its power limit."""

    def power(handle: int) -> int:
        return 70_000 if handle == 0 else refuse()

    answers = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda number: number,
        "nvmlSystemGetDriverVersion": lambda: "550.54",
        "nvmlSystemGetCudaDriverVersion_v2": lambda: 12040,
        "nvmlDeviceGetName": lambda handle: "Tesla T4",
        "nvmlDeviceGetUUID": lambda handle: f"GPU-{handle}",
        "nvmlDeviceGetMemoryInfo": lambda handle: SimpleNamespace(total=16 * 2**30),
        "nvmlDeviceGetCudaComputeCapability": lambda handle: (7, 5),
        "nvmlDeviceGetClockInfo": lambda handle, kind: {pynvml.NVML_CLOCK_SM: 585, pynvml.NVML_CLOCK_MEM: 5000}[kind],
        "nvmlDeviceGetMaxClockInfo": lambda handle, kind: {pynvml.NVML_CLOCK_SM: 1590, pynvml.NVML_CLOCK_MEM: 5001}[
            kind
        ],
        "nvmlDeviceGetPowerManagementLimit": power,
        "nvmlDeviceGetPowerManagementDefaultLimit": lambda handle: 70_000,
        "nvmlDeviceGetPowerManagementLimitConstraints": lambda handle: [60_000, 70_000],
        "nvmlDeviceGetPersistenceMode": lambda handle: 1,
        "nvmlDeviceGetEccMode": lambda handle: [1, 1],
    }
    for name, answer in answers.items():
        monkeypatch.setattr(pynvml, name, answer)


def test_what_nvml_tells_of_devices(two_gpus):
    found = gpus()
    assert (found["available"], found["reason"], found["driver"], found["cuda"]) == (True, None, "550.54", "12.4")
    first, second = found["devices"]
    assert first == {
        "name": "Tesla T4",
        "uuid": "GPU-0",
        "memory_bytes": 16 * 2**30,
        "compute_capability": "7.5",
        "sm_clock_mhz": 585,
        "memory_clock_mhz": 5000,
        "max_sm_clock_mhz": 1590,
        "max_memory_clock_mhz": 5001,
        "power_limit_w": 70.0,
        "default_power_limit_w": 70.0,
        "power_limits_w": [60.0, 70.0],
        "persistence_mode": True,
        "ecc": True,
        "unknown": {},
    }
    assert second["power_limit_w"] is None
    assert second["unknown"] == {"power_limit_w": "Not Supported"}
    assert second["uuid"] == "GPU-1"
    json.dumps(found, allow_nan=False)


def test_a_device_that_is_lost_leaves_the_others(two_gpus, monkeypatch):
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda number: refuse() if number else number)
    monkeypatch.setattr(pynvml, "nvmlSystemGetCudaDriverVersion_v2", refuse)
    found = gpus()
    assert found["available"]
    assert (found["cuda"], found["unknown"]) == (None, {"cuda": "Not Supported"})
    first, second = found["devices"]
    assert first["unknown"] == {}
    assert {value for key, value in second.items() if key != "unknown"} == {None}
    assert set(second["unknown"].values()) == {"Not Supported"}


@pytest.mark.parametrize("function", ["nvmlInit", "nvmlDeviceGetCount"])
def test_without_nvml_there_is_a_reason(two_gpus, monkeypatch, function):
    monkeypatch.setattr(pynvml, function, refuse)
    found = gpus()
    assert (found["available"], found["devices"], found["driver"]) == (False, [], None)
    assert found["reason"].endswith(": Not Supported")


def test_no_device_at_all(two_gpus, monkeypatch):
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 0)
    assert (gpus()["available"], gpus()["reason"]) == (False, "NVML sees no device")
