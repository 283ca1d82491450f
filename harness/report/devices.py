"""What the devices did, from their own counters, CUDA events and NVML: never from the configuration."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from harness.report.frames import Run, in_mode_order, requested_modes
from harness.report.verify import checks
from harness.report.verify_utilization import plain_uuid

DEVICE_COLUMNS = [
    *("mode", "device", "name", "uuid", "compute_capability", "multiprocessors", "counters", "compile_s"),
    *("evaluations", "launches", "kernel_s", "kernel_share", "bytes_to_device", "bytes_from_device"),
    *("multiprocessors_used", "executions", "utilization", "memory_used_bytes", "power_w", "temperature_c"),
    *("failure", "moved"),
]


def device_modes(run: Run) -> list[str]:
    """Modes that a device is to do the work of, in display order: those named so, and those with devices."""
    named = [mode for mode in requested_modes(run) if mode.endswith("_gpu")]
    return in_mode_order([*named, *run.devices["mode"].dropna(), *run.opcodes["mode"].dropna()])


def has_device_data(run: Run) -> bool:
    """Whether anything was measured of a device."""
    return any(len(frame) for frame in (run.devices, run.device_blocks, run.opcodes, run.gpu_samples))


def counted_executions(run: Run, mode: str) -> float:
    """Executions of opcodes in ``mode`` by the counters in its devices' memory; NaN where none counted."""
    counted = run.opcodes.loc[run.opcodes["mode"] == mode, "executions"].dropna()
    able = run.devices.loc[run.devices["mode"] == mode, "counters"]
    if counted.empty or (len(able) and able.eq(False).all()):
        return math.nan
    return float(counted.sum())


def device_share(run: Run, mode: str) -> float:
    """The share of the work of ``mode`` that its devices did themselves, from 0 to 1.

    0 where the devices' counters saw no operation at all, and NaN where there are no counters: nothing is proven then.
    Else what the check ``device_share`` found (of the executions of primitives); where it cannot tell, the share of the
    evaluations of the first pass that did not fall back.
    """
    executions = counted_executions(run, mode)
    if math.isnan(executions) or not executions:
        return executions
    checked = _checked(run, "device_share", mode)
    if not math.isnan(checked):
        return checked
    fell_back = run.modes.loc[run.modes["mode"] == mode, "fell_back"].dropna()
    if fell_back.empty or run.evaluations.empty:
        return math.nan
    return max(0.0, 1 - float(fell_back.iloc[-1]) / len(run.evaluations))


def _checked(run: Run, check: str, mode: str) -> float:
    """The share that a check found, at most 1; NaN where it could not tell."""
    for one in checks(run):
        if one.check == check and one.mode == mode and one.verdict != "unproven" and isinstance(one.value, int | float):
            return min(1.0, float(one.value))
    return math.nan


def own_samples(run: Run, uuid: Any) -> pd.DataFrame:
    """The NVML samples of the device with that UUID."""
    samples = run.gpu_samples
    chosen: pd.DataFrame = samples[samples["uuid"].map(plain_uuid, na_action="ignore") == plain_uuid(uuid)]
    return chosen


def series(samples: pd.DataFrame, column: str) -> pd.DataFrame:
    """A quantity of one device: its ``t_s`` and ``column`` where it was read, in order of time.

    The driver's own samples and those that were polled are two series, which are not mixed: the longer one is taken.
    """
    rows = samples[samples[column].notna() & samples["t_s"].notna()]
    sources = rows["source"].fillna("").value_counts()
    if len(sources) > 1:
        rows = rows[rows["source"].fillna("") == sources.index[0]]
    return rows[["t_s", column]].astype(float).sort_values("t_s", ignore_index=True)


def _timed(samples: pd.DataFrame, mode: str) -> pd.DataFrame:
    """Those samples that were taken in timed blocks of ``mode``."""
    chosen: pd.DataFrame = samples[(samples["mode"] == mode) & samples["block"].notna()]
    return chosen


def utilization(run: Run, mode: str) -> float:
    """GPU utilization of ``mode``, from 0 to 1; NaN if it was not sampled.

    It is what the check ``gpu_utilization`` found of the device that was least busy, by samples of steady work only;
    where it cannot tell, the mean over the samples in timed blocks, and over the devices.
    """
    checked = _checked(run, "gpu_utilization", mode)
    if not math.isnan(checked):
        return checked
    timed = _timed(run.gpu_samples, mode)
    means = [series(rows, "gpu_utilization")["gpu_utilization"].mean() for _, rows in timed.groupby("uuid")]
    known = [float(mean) for mean in means if not math.isnan(mean)]
    return sum(known) / len(known) if known else math.nan


def device_table(run: Run) -> pd.DataFrame:
    """One row per mode and CUDA device.

    Columns: mode, device; name, uuid, compute_capability, multiprocessors, counters and compile_s as recorded; over
    the timed blocks: evaluations, launches, kernel_s (CUDA events), kernel_share (kernel_s / wall seconds of the
    blocks), bytes_to_device, bytes_from_device, multiprocessors_used (the most in a block), executions (of opcodes,
    by the device's counters); and from NVML over the same blocks: utilization (mean, of 1), memory_used_bytes (most),
    power_w (mean), temperature_c (most); failure and moved (why the device gave up, and how many evaluations
    others took over). NaN or null is what was not measured.
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
    if opcodes["executions"].notna().any() and (pd.isna(device["counters"]) or device["counters"]):
        row["executions"] = opcodes["executions"].sum()
    samples = _timed(own_samples(run, device["uuid"]), mode)
    if not pd.isna(device["uuid"]) and len(samples):
        row |= {
            "utilization": series(samples, "gpu_utilization")["gpu_utilization"].mean(),
            "memory_used_bytes": series(samples, "memory_used_bytes")["memory_used_bytes"].max(),
            "power_w": series(samples, "power_w")["power_w"].mean(),
            "temperature_c": series(samples, "temperature_c")["temperature_c"].max(),
        }
    return row


def opcode_table(run: Run) -> pd.DataFrame:
    """One row per mode and opcode, over all its devices; the most cycles, or executions, first.

    Columns: mode, opcode, instructions (that the compiled units contain; the same on each device, so the most),
    executions, elements, cycles (sums of the devices' counters over the timed blocks), cycles_share and
    executions_share (of the mode's), idle (there are instructions of it, but none was executed).
    """
    groups = run.opcodes.groupby(["mode", "opcode"], sort=False)
    # What no device counted stays null: it is not nothing.
    table = groups[["executions", "elements", "cycles"]].sum(min_count=1)
    table.insert(0, "instructions", groups["instructions"].max())
    table = table.reset_index()
    for column in ("cycles", "executions"):
        totals = table.groupby("mode")[column].transform("sum").astype(float)
        table[f"{column}_share"] = table[column].astype(float) / totals.where(totals > 0, np.nan)
    table["idle"] = ((table["instructions"] > 0) & (table["executions"] == 0)).fillna(False).astype(bool)
    order = {mode: i for i, mode in enumerate(in_mode_order(table["mode"]))}
    table = table.assign(order=table["mode"].map(order)).sort_values(
        ["order", "cycles", "executions", "opcode"], ascending=[True, False, False, True], ignore_index=True
    )
    return table.drop(columns="order")


def spans(run: Run) -> pd.DataFrame:
    """When which mode and block was under way.

    From gpu_sampling.json; without it, from the tags of the samples of one device.

    Returns:
        One row per stretch of time, in order: mode, block (null outside of timed blocks), start_s, end_s, in seconds
        as ``t_s`` of the samples.
    """
    columns = ["mode", "block", "start_s", "end_s"]
    recorded = run.gpu_sampling.get("spans")
    if isinstance(recorded, list):
        rows = [{key: row.get(key) for key in columns} for row in recorded if isinstance(row, dict)]
        frame = pd.DataFrame(rows, columns=columns)
        times = frame[["start_s", "end_s"]].apply(pd.to_numeric, errors="coerce")
        frame = frame.assign(start_s=times["start_s"], end_s=times["end_s"])
        whole: pd.DataFrame = frame[frame["mode"].notna() & times.notna().all(axis=1)]
        return whole.sort_values("start_s", ignore_index=True)
    return _tagged(run.gpu_samples)


def _tagged(samples: pd.DataFrame) -> pd.DataFrame:
    """The stretches of time in which one device's samples carry the same mode and block."""
    rows = samples[samples["t_s"].notna()].sort_values("t_s", ignore_index=True)
    rows = rows[rows["uuid"].fillna("") == (rows["uuid"].fillna("").iloc[0] if len(rows) else "")]
    mode, block = rows["mode"].fillna("").astype(str), rows["block"].fillna(-1).astype(int)
    number = ((mode != mode.shift()) | (block != block.shift())).cumsum()
    ends = rows["t_s"].shift(-1).fillna(rows["t_s"])
    table = pd.DataFrame({"mode": mode, "block": rows["block"], "start_s": rows["t_s"], "end_s": ends})
    found: pd.DataFrame = table.groupby(number).agg(
        {"mode": "first", "block": "first", "start_s": "first", "end_s": "last"}
    )
    named: pd.DataFrame = found[found["mode"] != ""]
    return named.reset_index(drop=True)
