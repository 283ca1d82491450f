"""Finding devices: what limits them, and what is said where there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from harness import doctor
from harness.gpu import devices
from harness.gpu.device import CudaUnavailable, DeviceError
from harness.run import modes
from harness.vm import cuda_driver


class Engine:
    """A stand-in for the machine of a device, which is not there to be opened."""

    opened: list[Any] = []  # noqa: RUF012
    bad: int | None = None
    error: Exception = CudaUnavailable("its driver is too old")

    def __init__(self, number: int) -> None:
        if number == Engine.bad:
            raise Engine.error
        self.number, self.closed = number, False
        Engine.opened.append(self)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with three devices."""
    monkeypatch.delenv(devices.VARIABLE, raising=False)
    runtime = SimpleNamespace(getDeviceCount=lambda: 3)
    cupy = ModuleType("cupy")
    cupy.cuda, cupy.__version__ = SimpleNamespace(runtime=runtime), "13.0"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(devices, "CudaEngine", Engine)
    monkeypatch.setattr(Engine, "opened", [])
    monkeypatch.setattr(Engine, "bad", None)
    cuda_driver.device_count.cache_clear()
    yield
    cuda_driver.device_count.cache_clear()


@pytest.mark.parametrize(("value", "numbers"), [("", [0, 1, 2]), ("2, 0", [2, 0]), ("1", [1]), ("1,1", [1])])
def test_a_variable_limits_them(three: None, monkeypatch: pytest.MonkeyPatch, value: str, numbers: list[int]) -> None:
    monkeypatch.setenv(devices.VARIABLE, value)
    assert devices.device_numbers() == numbers
    assert [own.number for own in devices.open_devices()] == numbers  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("none", "'none'; unset it"),
        ("0,x", "'x' is no number of a device; write 0,1 or none"),
        ("0,,1", "'' is no number"),
        ("-1", "'-1' is no number"),
        ("3", "there are 3 devices, from 0 on"),
    ],
)
def test_what_the_variable_cannot_mean_is_said(
    three: None, monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    monkeypatch.setenv(devices.VARIABLE, value)
    for call in (devices.device_numbers, devices.open_devices):
        with pytest.raises(CudaUnavailable, match=message):
            call()
    assert message.partition(";")[0] in str(devices.unavailable())
    for mode in ("parallel_gpu", "eager_gpu"):
        assert modes.unavailable(mode) == devices.unavailable()


def test_those_opened_before_one_that_cannot_be_are_closed(three: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Engine, "bad", 2)
    with pytest.raises(CudaUnavailable, match="too old"):
        devices.open_devices()
    assert [own.closed for own in Engine.opened] == [True, True]
    monkeypatch.setattr(Engine, "error", DeviceError("cuda:2: busy"))
    with pytest.raises(CudaUnavailable, match="a CUDA device cannot be used: cuda:2: busy"):
        devices.open_devices()
    assert [own.closed for own in Engine.opened] == [True] * 4


def test_without_cupy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(devices.VARIABLE, raising=False)
    monkeypatch.setitem(sys.modules, "cupy", None)
    cuda_driver.device_count.cache_clear()
    assert "install the extra cuda12 or cuda13" in str(devices.unavailable())
    with pytest.raises(ValueError, match=r"parallel_gpu.*CuPy"):
        modes.make_mode("parallel_gpu", None, 1)  # type: ignore[arg-type]


def test_cupy_that_cannot_ask_for_devices_is_no_device(three: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> int:
        raise RuntimeError("cudaErrorInsufficientDriver")

    sys.modules["cupy"].cuda.runtime.getDeviceCount = fails
    with pytest.raises(CudaUnavailable, match=r"sees no CUDA device.*cudaErrorInsufficientDriver.*doctor"):
        devices.device_numbers()


def test_doctor_says_which_devices_gpu_modes_would_use(three: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(devices.VARIABLE, "0,2")
    found = doctor._gpu_modes()
    assert (found.verdict, found.detail) == ("ok", "on cuda:0, cuda:2 ($HARNESS_GPUS limits them)")
    monkeypatch.setenv(devices.VARIABLE, "none")
    found = doctor._gpu_modes()
    assert found.verdict == "absent"
    assert "unset it" in found.detail
