"""The sampler with the real bindings, in processes that find a scripted libnvidia-ml.so.1: see tests/fake_nvml."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.measure.nvml import Device, throttle_names, visible
from harness.measure.nvml_sampler import Sampler
from harness.run.journal import RunFolder
from tests.fake_nvml import COMPILER, NO_COMPILER, environment, healthy

compiled = pytest.mark.skipif(COMPILER is None, reason=NO_COMPILER)
T4S = "driver 535.104.05\nperiod 50\ndevice GPU-aa11 Tesla_T4\ndevice GPU-bb22 Tesla_T4\n"
SAMPLE = """
import sys, time
from pathlib import Path
from harness.measure.nvml_sampler import Sampler
from harness.run.journal import RunFolder

folder, seconds = RunFolder(Path(sys.argv[1])), float(sys.argv[2])
sampler = Sampler(folder, period_s=0.05, slow_s=0.2, flush_s=0.3)
sampler.start()
with sampler.during("parallel_gpu", None):
    time.sleep(seconds / 3)
with sampler.during("parallel_gpu", 0):
    time.sleep(seconds / 3)
time.sleep(seconds / 3)
print(sampler.stop())
"""


@dataclass
class Sampled:
    said: str
    rows: pd.DataFrame
    summary: dict

    def gaps(self, uuid: str) -> dict[str, set[str]]:
        """Reasons of a device's gaps, by column."""
        found: dict[str, set[str]] = {}
        for gap in self.summary["gaps"]:
            if gap["uuid"] == uuid:
                found.setdefault(gap["column"], set()).add(gap["reason"])
        return found

    def polled(self, uuid: str) -> pd.DataFrame:
        return self.rows[(self.rows.uuid == uuid) & (self.rows.source == "poll")]


def sample(folder: Path, script: str, *flags: str, seconds: float = 1.2, **more: str) -> Sampled:
    process = subprocess.run(
        [sys.executable, "-c", SAMPLE, str(folder), str(seconds)],
        env=environment(folder, script, *flags, **more),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    path = folder / "gpu_samples.parquet"
    rows = pd.read_parquet(path) if path.exists() else pd.DataFrame()
    return Sampled(process.stdout.strip(), rows, json.loads((folder / "gpu_sampling.json").read_text()))


@compiled
def test_two_devices_are_sampled_throughout_with_every_quantity(tmp_path):
    found = sample(tmp_path, T4S + healthy(0, 92) + healthy(1, 88))
    assert found.said == "None"
    assert (found.summary["available"], found.summary["reason"], found.summary["driver"]) == (True, None, "535.104.05")
    assert [device["name"] for device in found.summary["devices"]] == ["Tesla T4", "Tesla T4"]
    assert found.summary["devices"][0]["memory_bytes"] == 16 << 30
    assert {gap["reason"] for gap in found.summary["gaps"]} <= {
        "Not Found"
    }  # no driver's sample is newer than the last
    expected = {
        **{"memory_utilization": 0.40, "memory_used_bytes": 3 << 30, "power_w": 65.5, "temperature_c": 61},
        **{"sm_clock_mhz": 1350, "memory_clock_mhz": 5000, "throttle_reasons": 0},
        **{"pcie_tx_bytes_per_s": 1_200_000, "pcie_rx_bytes_per_s": 3_400_000},
    }
    for uuid, utilization in (("GPU-aa11", 0.92), ("GPU-bb22", 0.88)):
        rows = found.polled(uuid)
        assert rows.gpu_utilization.dropna().unique() == pytest.approx([utilization])
        for column, value in expected.items():
            assert rows[column].dropna().unique() == pytest.approx([value]), column
        (processes,) = {json.dumps(list(json.loads(text).values())) for text in rows.process_utilization.dropna()}
        assert processes == f"[{utilization}]"
    assert found.summary["samples"] == len(found.rows)


@compiled
def test_the_drivers_own_samples_are_finer_than_polling_and_none_is_there_twice(tmp_path):
    script = T4S.replace("period 50", "period 10") + healthy(0) + healthy(1) + "0 gpu 0.6 10\n"
    found = sample(tmp_path, script)
    rows = found.rows[(found.rows.source == "driver") & (found.rows.uuid == "GPU-aa11")]
    own = rows.dropna(subset="gpu_utilization").sort_values("t_s")
    steps = own.t_s.diff().dropna()
    assert steps.min() > 0.005
    assert steps.median() == pytest.approx(0.01, abs=0.002)
    assert len(own) > 2 * len(found.polled("GPU-aa11").dropna(subset="gpu_utilization"))
    assert own.gpu_utilization.iloc[0] == pytest.approx(0.9)
    assert own.gpu_utilization.iloc[-1] == pytest.approx(0.1)
    assert own.power_w.isna().all()  # one quantity in a row
    assert rows.memory_utilization.dropna().unique() == pytest.approx([0.4])  # a double among the driver's types
    assert rows.power_w.dropna().unique() == pytest.approx([65.5])


@compiled
def test_samples_are_tagged_by_their_own_time(tmp_path):
    found = sample(tmp_path, T4S + healthy(0) + healthy(1))
    first, second = found.summary["spans"]
    assert (first["mode"], first["block"], second["mode"], second["block"]) == ("parallel_gpu", None, "parallel_gpu", 0)
    for row in found.rows.itertuples():
        inside = [span for span in (first, second) if span["start_s"] <= row.t_s <= span["end_s"]]
        tags = [(row.mode, None if pd.isna(row.block) else row.block)] if pd.notna(row.mode) else []
        assert tags == [(span["mode"], span["block"]) for span in inside], row
    assert set(found.rows.source[found.rows.block == 0]) == {"poll", "driver"}
    assert found.rows["mode"].isna().any()


@compiled
def test_a_device_that_throttles_shows_why(tmp_path):
    script = T4S + healthy(0) + healthy(1) + "1 throttle 0.5 96\n1 sm_clock 0.5 585\n1 temperature 0.5 93\n"
    found = sample(tmp_path, script)
    rows = found.polled("GPU-bb22").dropna(subset="throttle_reasons").sort_values("t_s")
    hot = rows.throttle_reasons == 96
    assert set(rows.throttle_reasons) == {0, 96}
    assert set(rows.sm_clock_mhz[hot]) <= {585, 1350}
    assert rows.temperature_c.iloc[-1] == 93
    assert throttle_names(96) == ["thermal, by the driver", "thermal, by the hardware"]
    assert set(found.polled("GPU-aa11").throttle_reasons.dropna()) == {0}


@compiled
def test_a_device_that_vanishes_leaves_gaps_and_the_other_is_sampled_on(tmp_path):
    found = sample(tmp_path, T4S + healthy(0) + healthy(1) + "1 all 0.6 error 15\n")
    gone, other = found.polled("GPU-bb22"), found.polled("GPU-aa11")
    assert gone.gpu_utilization.dropna().min() == pytest.approx(0.9)  # never a zero
    gaps = found.gaps("GPU-bb22")
    assert {"gpu_utilization", "power_w", "process_utilization", "gpu_utilization (driver)"} <= gaps.keys()
    assert all("GPU is lost" in reasons for reasons in gaps.values())
    assert not any("GPU is lost" in reasons for reasons in found.gaps("GPU-aa11").values())
    (lost,) = [gap for gap in found.summary["gaps"] if (gap["column"], gap["reason"]) == ("power_w", "GPU is lost")]
    assert lost["times"] > 3
    assert gone.t_s.max() < lost["first_s"] + 0.001 < lost["last_s"]  # recorded to the millisecond
    assert other.t_s.max() > gone.t_s.max()


@compiled
def test_what_a_device_does_not_support_is_a_gap_with_its_reason(tmp_path):
    half = "0 gpu 0 91\n0 memory 0 20\n0 used 0 1000\n0 temperature 0 50\n0 buffer 0 error 6\n0 process 0 error 6\n"
    found = sample(tmp_path, T4S + half + healthy(1))
    rows, gaps = found.polled("GPU-aa11"), found.gaps("GPU-aa11")
    assert rows.gpu_utilization.dropna().unique() == pytest.approx([0.91])
    missing = ["power_w", "sm_clock_mhz", "memory_clock_mhz", "throttle_reasons", "pcie_tx_bytes_per_s"]
    for column in missing:
        assert rows[column].isna().all(), column
        assert gaps[column] == {"Not Supported"}
    assert gaps["gpu_utilization (driver)"] == gaps["process_utilization"] == {"Not Found"}
    assert gaps.keys().isdisjoint({"gpu_utilization", "memory_used_bytes", "temperature_c"})
    keys = [(gap["uuid"], gap["column"], gap["reason"]) for gap in found.summary["gaps"]]
    assert len(keys) == len(set(keys))


@compiled
def test_functions_that_an_older_driver_lacks(tmp_path):
    found = sample(tmp_path, T4S + healthy(0) + healthy(1) + "0 throttle 0 4\n", "-DOLD_DRIVER")
    assert set(found.polled("GPU-aa11").throttle_reasons.dropna()) == {4}  # by the call's older name
    assert found.gaps("GPU-aa11")["pcie_rx_bytes_per_s"] == {"Function Not Found"}


@compiled
@pytest.mark.parametrize(
    ("variables", "uuids"),
    [
        ({"CUDA_VISIBLE_DEVICES": "1"}, ["GPU-bb22"]),
        ({"CUDA_VISIBLE_DEVICES": "GPU-bb"}, ["GPU-bb22"]),
        ({"CUDA_VISIBLE_DEVICES": ""}, []),
    ],
)
def test_only_devices_that_cuda_may_use_are_sampled(tmp_path, variables, uuids):
    found = sample(tmp_path, T4S + healthy(0) + healthy(1), seconds=0.3, **variables)
    assert [device["uuid"] for device in found.summary["devices"]] == uuids
    assert set(found.rows.uuid if len(found.rows) else []) == set(uuids)
    if not uuids:
        assert found.summary["reason"] == "no NVML: CUDA_VISIBLE_DEVICES hides all 2 devices"


@pytest.mark.parametrize(
    ("text", "order", "names", "expected"),
    [
        (None, None, "TT", [0, 1]),
        ("1,0", None, "TT", [1, 0]),
        ("0", None, "TP", [0, 1]),  # whether CUDA's first is NVML's cannot be told
        ("0", "PCI_BUS_ID", "TP", [0]),
        ("1,9,0", None, "TT", [1]),  # CUDA stops at what it does not know
        ("-1", None, "TT", []),
        ("GPU-B", None, "TT", [1]),
        ("GPU-", None, "TT", []),  # more than one
        ("MIG-x", None, "TT", [0, 1]),
    ],
)
def test_visible_devices(text, order, names, expected):
    devices = [Device(k, f"GPU-{'ab'[k]}", name, None, None) for k, name in enumerate(names)]
    variables = {"CUDA_VISIBLE_DEVICES": text, "CUDA_DEVICE_ORDER": order}
    found = visible(devices, {key: value for key, value in variables.items() if value is not None})
    assert [device.index for device in found] == expected


@compiled
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("driver 1\n", "no NVML: it sees no device"),
        (
            "device GPU-a T\ndevice GPU-b T\n0 handle 0 error 15\n1 handle 0 error 4\n",
            "no NVML: it sees no device; device 0: GPU is lost; device 1: Insufficient Permissions",
        ),
    ],
)
def test_nvml_without_a_device_says_so(tmp_path, script, reason):
    found = sample(tmp_path, script, seconds=0.1)
    assert (found.summary["available"], found.summary["reason"]) == (False, reason)
    assert found.rows.empty


@compiled
def test_one_device_that_cannot_be_asked_does_not_hide_the_other(tmp_path):
    found = sample(tmp_path, T4S + healthy(1) + "0 handle 0 error 15\n", seconds=0.3)
    assert [device["uuid"] for device in found.summary["devices"]] == ["GPU-bb22"]


@compiled
def test_a_driver_that_is_not_loaded_is_a_reason(tmp_path):
    found = sample(tmp_path, "", seconds=0.1, FAKE_NVML=str(tmp_path / "gone"))
    assert found.summary["reason"] == "no NVML: Driver Not Loaded"


def test_without_the_library_a_run_is_sampled_not_at_all_and_says_why(tmp_path):
    code = SAMPLE.replace(
        "sampler.start()", "import pynvml\npynvml.CDLL = lambda name: exec('raise OSError')\nsampler.start()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), "0.1"], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("None\n", "")
    summary = json.loads((tmp_path / "gpu_sampling.json").read_text())
    assert (summary["available"], summary["reason"]) == (False, "no NVML: NVML Shared Library Not Found")
    assert [span["block"] for span in summary["spans"]] == [None, 0]
    assert not (tmp_path / "gpu_samples.parquet").exists()


@compiled
def test_a_killed_run_keeps_its_samples(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", SAMPLE, str(tmp_path), "600"],
        env=environment(tmp_path, T4S + healthy(0) + healthy(1) + "1 power 0 error 3\n"),
    )
    try:
        end = time.monotonic() + 60
        while len(list(tmp_path.glob("gpu_samples.parquet/part-*.parquet"))) < 3:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    rows = pd.read_parquet(tmp_path / "gpu_samples.parquet")
    assert rows.t_s.max() - rows.t_s.min() > 0.5
    assert "parallel_gpu" in set(rows["mode"].dropna())
    summary = json.loads((tmp_path / "gpu_sampling.json").read_text())
    assert summary["spans"][0]["mode"] == "parallel_gpu"
    assert ("power_w", "Not Supported") in {(gap["column"], gap["reason"]) for gap in summary["gaps"]}


@compiled
def test_its_own_cost_is_measured_and_small(tmp_path):
    code = SAMPLE.replace("period_s=0.05, slow_s=0.2, flush_s=0.3", "")  # the default rate
    process = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), "3"],
        env=environment(tmp_path, T4S + healthy(0) + healthy(1)),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert process.stdout == "None\n"
    summary = json.loads((tmp_path / "gpu_sampling.json").read_text())
    assert summary["polls"] >= 5
    assert 0 < summary["cpu_s"] < summary["wall_s"]
    assert summary["cpu_share"] == pytest.approx(summary["cpu_s"] / summary["wall_s"], rel=0.01)


class _Full(RunFolder):
    """A folder on a disk that has room again after some tries."""

    tries = 2

    def write_part(self, name, number, columns):
        self.tries -= 1
        if self.tries >= 0:
            raise OSError(28, "No space left on device")
        super().write_part(name, number, columns)


def test_samples_that_cannot_be_written_are_kept_and_a_full_disk_is_told(tmp_path):
    folder = _Full(tmp_path)
    sampler = Sampler(folder)
    device = Device(0, "GPU-a", "T", None, None)
    for number in range(3):
        sampler._keep(device, "poll", np.array([float(number)]), {"power_w": 10.0 + number})
        sampler._flush()
        told = sampler.stop()
        assert (told is not None and "No space left" in told) == (number < 2)
    assert list(pd.read_parquet(tmp_path / "gpu_samples.parquet").power_w) == [10.0, 11.0, 12.0]


def test_a_block_that_raises_is_no_block(tmp_path):
    sampler = Sampler(RunFolder(tmp_path))
    with pytest.raises(ZeroDivisionError), sampler.during("parallel_gpu", 3):
        raise ZeroDivisionError
    with sampler.during("parallel_gpu", 3):
        pass
    assert [span["block"] for span in sampler.summary()["spans"]] == [None, 3]
