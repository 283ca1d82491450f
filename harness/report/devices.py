"""What the devices did, from their own counters, CUDA events and NVML: never from the configuration."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from harness.report.frames import Run, in_mode_order, requested_modes

DEVICE_COLUMNS = [
    *("mode", "device", "name", "uuid", "compute_capability", "multiprocessors", "counters", "compile_s"),
    *("evaluations", "launches", "kernel_s", "kernel_share", "bytes_to_device", "bytes_from_device"),
    *("multiprocessors_used", "executions", "utilization", "memory_used_bytes", "power_w", "temperature_c"),
]


def device_modes(run: Run) -> list[str]:
    """Modes that a device is to do the work of, in display order: those named so, and those with devices."""
    named = [mode for mode in requested_modes(run) if mode.endswith("_gpu")]
    return in_mode_order([*named, *run.devices["mode"].dropna(), *run.opcodes["mode"].dropna()])


def has_device_data(run: Run) -> bool:
    """Whether anything was measured of a device."""
    return any(len(frame) for frame in (run.devices, run.device_blocks, run.opcodes, run.gpu_samples))


def device_share(run: Run, mode: str) -> float:
    """The share of the evaluations of ``mode`` that its devices did themselves, from 0 to 1.

    0 where the devices' counters saw no operation at all. NaN where there are no counters or no account of what
    fell back, so that nothing is proven. The share counts the first pass, which meets every evaluation once.
    """
    counted = run.opcodes[run.opcodes["mode"] == mode]
    recorded = run.modes[run.modes["mode"] == mode]
    if counted.empty or recorded.empty:
        return math.nan
    if not counted["executions"].sum():
        return 0.0
    fell_back = recorded["fell_back"].iloc[-1]
    if pd.isna(fell_back) or run.evaluations.empty:
        return math.nan
    return max(0.0, 1 - float(fell_back) / len(run.evaluations))


def timed_samples(run: Run, mode: str) -> pd.DataFrame:
    """The NVML samples that were taken in timed blocks of ``mode``."""
    samples = run.gpu_samples
    return samples[(samples["mode"] == mode) & samples["block"].notna()]


def utilization(run: Run, mode: str) -> float:
    """Mean GPU utilization over the timed blocks of ``mode`` and over its devices, from 0 to 1; NaN if not sampled."""
    means = timed_samples(run, mode).groupby("device")["gpu_utilization"].mean()
    return float(means.mean()) / 100 if means.notna().any() else math.nan


def device_table(run: Run) -> pd.DataFrame:
    """One row per mode and CUDA device.

    Columns: mode, device; name, uuid, compute_capability, multiprocessors, counters and compile_s as recorded; over
    the timed blocks: evaluations, launches, kernel_s (CUDA events), kernel_share (kernel_s / wall seconds of the
    blocks), bytes_to_device, bytes_from_device, multiprocessors_used (the most in a block), executions (of opcodes,
    by the device's counters); and from NVML over the same blocks: utilization (mean, of 1), memory_used_bytes (most),
    power_w (mean), temperature_c (most). NaN or null is what was not measured.
    """
    devices = run.devices.drop_duplicates(["mode", "device"])
    rows = []
    for mode in in_mode_order(devices["mode"].dropna()):
        wall = run.blocks.loc[run.blocks["mode"] == mode, "wall_s"].sum()
        for _, device in devices[devices["mode"] == mode].iterrows():
            rows.append(dict(device) | _measured(run, mode, device, wall))
    return pd.DataFrame(rows, columns=DEVICE_COLUMNS)


def _measured(run: Run, mode: str, device: pd.Series[Any], wall: float) -> dict[str, Any]:
    def own(frame: pd.DataFrame) -> pd.DataFrame:
        chosen: pd.DataFrame = frame[(frame["mode"] == mode) & (frame["device"] == device["device"])]
        return chosen

    row: dict[str, Any] = {}
    blocks, opcodes = own(run.device_blocks), own(run.opcodes)
    if len(blocks):
        sums = blocks[["evaluations", "launches", "kernel_s", "bytes_to_device", "bytes_from_device"]].sum()
        row |= dict(sums) | {"kernel_share": sums["kernel_s"] / wall if wall else math.nan}
        row["multiprocessors_used"] = blocks["multiprocessors_used"].max()
    if len(opcodes):
        row["executions"] = opcodes["executions"].sum()
    samples = timed_samples(run, mode)
    samples = samples[samples["uuid"] == device["uuid"]] if not pd.isna(device["uuid"]) else samples.iloc[:0]
    if len(samples):
        row |= {
            "utilization": samples["gpu_utilization"].mean() / 100,
            "memory_used_bytes": samples["memory_used_bytes"].max(),
            "power_w": samples["power_w"].mean(),
            "temperature_c": samples["temperature_c"].max(),
        }
    return row


def opcode_table(run: Run) -> pd.DataFrame:
    """One row per mode and opcode, over all its devices; the most cycles first.

    Columns: mode, opcode, instructions (that the compiled units contain; the same on each device, so the most),
    executions, elements, cycles (sums of the devices' counters over the timed blocks), cycles_share and
    executions_share (of the mode's), idle (there are instructions of it, but none was executed).
    """
    sums = {"instructions": "max", "executions": "sum", "elements": "sum", "cycles": "sum"}
    table = run.opcodes.groupby(["mode", "opcode"], sort=False).agg(sums).reset_index()
    for column in ("cycles", "executions"):
        totals = table.groupby("mode")[column].transform("sum").astype(float)
        table[f"{column}_share"] = table[column] / totals.where(totals > 0, np.nan)
    table["idle"] = (table["instructions"] > 0) & (table["executions"] == 0)
    order = {mode: i for i, mode in enumerate(in_mode_order(table["mode"]))}
    table = table.assign(order=table["mode"].map(order)).sort_values(
        ["order", "cycles", "executions", "opcode"], ascending=[True, False, False, True], ignore_index=True
    )
    return table.drop(columns="order")


def spans(samples: pd.DataFrame) -> pd.DataFrame:
    """The stretches of time in which one device's samples carry the same mode and block.

    Args:
        samples: of one device, with t_s, mode and block.

    Returns:
        One row per stretch with a mode: mode, block (null outside of timed blocks), start_s, end_s (the first
        sample behind it, or its last).
    """
    rows = samples.sort_values("t_s", ignore_index=True)
    mode, block = rows["mode"].fillna("").astype(str), rows["block"].fillna(-1).astype(int)
    number = ((mode != mode.shift()) | (block != block.shift())).cumsum()
    ends = rows["t_s"].shift(-1).fillna(rows["t_s"])
    table = pd.DataFrame({"mode": mode, "block": rows["block"], "start_s": rows["t_s"], "end_s": ends})
    found = table.groupby(number).agg({"mode": "first", "block": "first", "start_s": "first", "end_s": "last"})
    return found[found["mode"] != ""].reset_index(drop=True)
