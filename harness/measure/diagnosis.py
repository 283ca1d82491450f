"""Warnings that say what to do next, from timed blocks and from what was sampled while they ran."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

SLOW = 0.1
"""Share of the median throughput that a block has to lack to be called slow."""
DRIFT = 0.1
"""Share of the throughput by which the last third of a mode's blocks differs from the first where it drifts."""
MOST_OVERHEAD = 0.01
"""Share of the workers' time that the harness itself may take."""
_CLOCK = 0.95  # of its median, below which a clock has fallen
_STEAL = 0.02  # share of the CPUs' time that a hypervisor took
_OTHERS = 0.25  # CPUs that processes of somebody else kept busy
_LOAD = 0.25  # of the CPUs, in a run queue that ought to be empty
_TREND = 0.01  # p of Kendall's test below which blocks are no longer taken for independent
_LEAST_TREND = 6  # blocks
_THERMAL, _POWER = 0x20 | 0x40 | 0x8, 0x4 | 0x80  # bits of NVML's clock event reasons; 0x8 is mostly heat
_SETTING = 0x2 | 0x100


@dataclass(frozen=True)
class _Cause:
    """Why a block was slow: what was seen, and what to do about it."""

    kind: str
    seen: str
    advice: str


def diagnose(blocks: pd.DataFrame, gpu_samples: pd.DataFrame | None = None) -> list[str]:
    """Return a warning for each thing that limits what timed blocks prove.

    Args:
        blocks: as ``blocks.parquet`` (docs/results.md); columns on the machine's state may hold nulls.
        gpu_samples: as ``gpu_samples.parquet``; None without. ``mode``, ``block``, ``device``, ``sm_clock_mhz`` and
            ``throttle_reasons`` (NVML's bits) are looked at, where they are there.
    """
    warnings: list[str] = []
    for mode in dict.fromkeys(blocks["mode"]):
        own = blocks[(blocks["mode"] == mode) & (blocks["evaluations"] > 0)].sort_values("block")
        samples = None
        if gpu_samples is not None and {"mode", "block", "device", "sm_clock_mhz"} <= set(gpu_samples.columns):
            samples = gpu_samples[(gpu_samples["mode"] == mode) & gpu_samples["block"].notna()]
        warnings += _slow_blocks(str(mode), own, samples)
        warnings += _drift(str(mode), own)
        warnings += _overhead(str(mode), own)
    return warnings


def overhead_shares(blocks: pd.DataFrame) -> pd.Series[float]:
    """Return of each block the share of its workers' time that was neither evaluation nor waiting for other workers.

    It is what the harness costs inside a block: giving out work, taking back results, reading clocks, drawing outputs.
    Where it is not known how long workers waited for each other, that is in it.
    """
    total = blocks["wall_s"] * blocks["workers"]
    waiting = blocks["waiting_s"].astype("float64").fillna(0.0)
    shares: pd.Series[float] = (total - blocks["busy_s"] - waiting) / total
    return shares


def of_machine(environment: Mapping[str, Any]) -> list[str]:
    """Return a warning for each thing about a machine that makes measurements unsteady.

    Args:
        environment: as ``environment.json``, taken before anything ran.
    """
    cpu = environment["cpu"]
    warnings = []
    load, usable = cpu["load_average"][0] if cpu["load_average"] else None, cpu["affinity"]
    if load is not None and load > _LOAD * usable:
        warnings.append(
            f"The load average was {load:.2f} on {usable} usable CPUs before anything ran: other processes take CPU "
            "time; end them, or wait, and run again."
        )
    if cpu["governor"] in ("powersave", "conservative"):
        warnings.append(
            f"The CPUs' clocks are set by the governor {cpu['governor']}, which is slow to raise them; as root: "
            "cpupower frequency-set -g performance."
        )
    return warnings


def _slow_blocks(mode: str, blocks: pd.DataFrame, samples: pd.DataFrame | None) -> Iterator[str]:
    """Name the worst of the slow blocks of each cause."""
    rates = blocks["evaluations"] / blocks["wall_s"]
    lacks = 1 - rates / rates.median()
    found: dict[str, list[tuple[float, int, _Cause]]] = {}
    for position in (lacks >= SLOW).to_numpy().nonzero()[0].tolist():
        lack, block = float(lacks.iloc[position]), int(blocks["block"].iloc[position])
        cause = _gpu_cause(block, samples) or _cpu_cause(blocks, position)
        found.setdefault(cause.kind, []).append((lack, block, cause))
    for cases in found.values():
        lack, block, cause = max(cases, key=lambda case: case[0])
        more = f" (and of {len(cases) - 1} more, likewise)" if len(cases) > 1 else ""
        yield f"{mode}: throughput of block {block}{more} fell {lack:.0%} {cause.seen}: {cause.advice}"


def _gpu_cause(block: int, samples: pd.DataFrame | None) -> _Cause | None:
    """Find the device whose clock fell the most in a block."""
    if samples is None or samples.empty:
        return None
    usual = samples.groupby("device")["sm_clock_mhz"].median()
    during = samples[samples["block"] == block]
    fallen = (during.groupby("device")["sm_clock_mhz"].median() / usual).dropna().sort_values()
    if fallen.empty or fallen.iloc[0] >= _CLOCK:
        return None
    device, ratio = next(iter(fallen.items()))
    full = float(samples.loc[samples["device"] == device, "sm_clock_mhz"].median())
    own = during[during["device"] == device]
    mask = 0
    if "throttle_reasons" in own.columns:
        for value in pd.to_numeric(own["throttle_reasons"], errors="coerce").dropna():
            mask |= int(value)
    heat = pd.to_numeric(own["temperature_c"], errors="coerce").max() if "temperature_c" in own.columns else math.nan
    degrees = "" if math.isnan(heat) else f", {heat:.0f} °C"
    seen = f"while the SM clock of GPU {device} fell from {full / 1000:.2f} to {full * ratio / 1000:.2f} GHz"
    if mask & _THERMAL:
        return _Cause(
            "gpu heat",
            f"{seen} (thermal throttling{degrees})",
            f"let the device cool, or hold a clock that it can keep: nvidia-smi -i {device} -lgc <MHz>",
        )
    if mask & _POWER:
        return _Cause(
            "gpu power",
            f"{seen} (power limit{degrees})",
            f"raise it where that is allowed (nvidia-smi -i {device} -pl <W>), or hold a lower clock (-lgc <MHz>)",
        )
    if mask & _SETTING:
        return _Cause(
            "gpu setting",
            f"{seen} (a clock is set{degrees})",
            f"take that back with nvidia-smi -i {device} -rac and -rgc, or keep it for all runs that are compared",
        )
    return _Cause(
        "gpu clock",
        f"{seen} (the driver gives no reason{degrees})",
        "the device may have been idle in between: make blocks longer (min_block_s), or hold its clock with "
        f"nvidia-smi -i {device} -lgc <MHz>",
    )


def _cpu_cause(blocks: pd.DataFrame, position: int) -> _Cause:
    """Say what the CPUs did in the slow block at a position."""
    own = blocks.iloc[position]
    usual = blocks["cpu_mhz"].astype("float64").median()
    if not pd.isna(own["cpu_mhz"]) and own["cpu_mhz"] < _CLOCK * usual:
        return _Cause(
            "cpu clock",
            f"while the CPUs' clock fell from {usual / 1000:.2f} to {own['cpu_mhz'] / 1000:.2f} GHz",
            "heat or a power limit; let the machine cool, set the governor to performance, or lower workers",
        )
    if not pd.isna(own["steal"]) and own["steal"] > _STEAL:
        return _Cause(
            "steal",
            f"while the hypervisor gave {own['steal']:.0%} of the CPUs' time to other machines",
            "repeat when they are quiet, or on a machine of its own",
        )
    others = float(_others(blocks).iloc[position])
    if others > _OTHERS:
        return _Cause(
            "others",
            f"while other processes kept {others:.1f} CPUs busy",
            "end them, or lower workers so that a CPU is left for them",
        )
    if not pd.isna(own["load"]) and own["load"] > own["workers"] * (1 + _OTHERS):
        return _Cause(
            "load",
            f"while {own['load']:.1f} processes on average wanted a CPU, {own['workers']} of them this mode's",
            "end the others, or lower workers",
        )
    return _Cause(
        "unknown",
        "and nothing that was sampled says why",
        "if it happens again, look for other work on this machine; the interval of the median allows for it",
    )


def _drift(mode: str, blocks: pd.DataFrame) -> Iterator[str]:
    """Tell of throughput that rises or falls all the time: the interval of a median does not cover that."""
    if len(blocks) < _LEAST_TREND:
        return
    rates = blocks["evaluations"] / blocks["wall_s"]
    if rates.nunique() < 2:
        return
    third = len(rates) // 3
    change = float(rates.iloc[-third:].median() / rates.iloc[:third].median()) - 1
    if abs(change) < DRIFT:
        return
    from scipy.stats import kendalltau  # noqa: PLC0415 - it takes a second to import

    if kendalltau(blocks["block"], rates).pvalue >= _TREND:
        return
    first, last = blocks.iloc[:third], blocks.iloc[-third:]
    if change > 0:
        advice = "it was not warm yet, or other work has ended; raise max_warmup_s, or run again"
    elif _others(last).median() - _others(first).median() > _OTHERS:
        advice = "other processes took more and more of the CPUs; end them, and run again"
    else:
        advice = "the machine slows down as it works; let it cool before a run, or hold its clocks"
    yield (
        f"{mode}: throughput {'rose' if change > 0 else 'fell'} {abs(change):.0%} from the first third of its blocks "
        f"to the last, which the interval of the median does not cover: {advice}."
    )


def _others(blocks: pd.DataFrame) -> pd.Series[float]:
    """Return how many CPUs processes of somebody else kept busy in each block; NaN where that is not known."""
    busy, own = blocks["busy_cpus"].astype("float64"), blocks["cpu_s"].astype("float64")
    others: pd.Series[float] = busy - own / blocks["wall_s"]
    return others


def _overhead(mode: str, blocks: pd.DataFrame) -> Iterator[str]:
    if blocks.empty:
        return
    share = float(overhead_shares(blocks).median())
    if share <= MOST_OVERHEAD:
        return
    known = bool(blocks["waiting_s"].notna().all())
    what = "neither evaluation nor waiting for other workers" if known else "no evaluation, waiting for others included"
    yield (
        f"{mode}: {share:.1%} of its workers' time in blocks was {what}; the harness is meant to take at most "
        f"{MOST_OVERHEAD:.0%}, so the mode is somewhat quicker than reported: longer blocks (min_block_s) or more "
        "samples (samples_per_task) make the share smaller."
    )
