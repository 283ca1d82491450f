"""NVML's utilization while a mode is steady: only samples that look at nothing but one of its blocks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.report.format import count, duration, number, percent, printable
from harness.report.verify_evidence import CannotTell, Evidence, Judged, threshold

WINDOW_S = 1.0
"""Seconds before a polled sample that it may average over: 1/6 s to 1 s, by the product (NVML API reference)."""
LEAST = 3
"""Steady samples that a device needs."""


@dataclass(frozen=True)
class Steady:
    """A device's steady samples: their mean, a fraction of 1, and how many there are; NaN of none.

    ``seen`` counts all of its samples of the run, ``longest_s`` is the longest block of the mode.
    """

    mean: float
    samples: int
    seen: int
    longest_s: float


def plain_uuid(uuid: Any) -> str:
    """Return a UUID without what CUDA's and NVML's spellings differ in."""
    return str(uuid).lower().removeprefix("gpu-")


def block_spans(evidence: Evidence) -> list[tuple[float, float]]:
    """Return start and end of the mode's timed blocks, in seconds since sampling began.

    Raises:
        CannotTell: gpu_sampling.json is not as it should be.
    """
    try:
        return [
            (float(span["start_s"]), float(span["end_s"]))
            for span in evidence.run.gpu_sampling.get("spans", [])
            if span["mode"] == evidence.mode and span["block"] is not None
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise CannotTell(f"gpu_sampling.json: its spans cannot be read: {error!r}") from error


def steady(evidence: Evidence, uuid: str) -> Steady:
    """Return a device's utilization while the mode was steady.

    A polled sample averages over up to ``WINDOW_S`` before it; one that the driver took by itself, over the time since
    the one before. Only samples whose whole time lies within a block count, so what came before a block does not.
    """
    spans = block_spans(evidence)
    longest = max((end - start for start, end in spans), default=0.0)
    if "gpu_samples.parquet" in evidence.run.missing:
        raise CannotTell(f"gpu_samples.parquet {evidence.run.missing['gpu_samples.parquet']}")
    rows = evidence.run.gpu_samples
    rows = rows[(rows["uuid"].map(plain_uuid, na_action="ignore") == uuid) & rows["gpu_utilization"].notna()]
    best = Steady(math.nan, 0, len(rows), longest)
    for source in ("driver", "poll"):
        own = rows[rows["source"] == source].sort_values("t_s")
        times = own["t_s"].to_numpy(dtype=float)
        windows = np.full(len(times), WINDOW_S)
        if source == "driver" and len(times) > 1:
            windows[1:] = np.minimum(np.diff(times), WINDOW_S)
        kept = np.zeros(len(times), bool)
        for start, end in spans:
            kept |= (times - windows >= start) & (times <= end)
        if kept.sum() > best.samples:
            weights = np.maximum(windows[kept], 1e-9)
            mean = float(np.average(own["gpu_utilization"].to_numpy(dtype=float)[kept], weights=weights))
            best = Steady(mean, int(kept.sum()), len(rows), longest)
        if best.samples >= LEAST:
            break  # the driver's are finer
    return best


def gap_reasons(evidence: Evidence, uuid: str) -> dict[str, str]:
    """Return why a device's utilization could not be read: reason -> when, in words."""
    reasons = {}
    for gap in evidence.run.gpu_sampling.get("gaps", []):
        if plain_uuid(gap.get("uuid")) == uuid and str(gap.get("column")).startswith("gpu_utilization"):
            reasons[str(gap.get("reason"))] = f"{number(gap.get('first_s'))} s after the start"
    return reasons


def gpu_utilization(evidence: Evidence) -> Judged:
    """Whether every device was busy, as NVML saw it from outside, while the mode's blocks ran."""
    wanted = threshold(evidence.run, "min_gpu_utilization")
    aim = f"the aim is {percent(threshold(evidence.run, 'target_gpu_utilization'))}"
    if evidence.devices.empty:
        return Judged("unproven", None, wanted, "No device was recorded, so there is none to look at.")
    sampling = evidence.run.gpu_sampling
    if not sampling.get("available"):
        reason = printable(sampling.get("reason") or "no NVML: sampling was not recorded")
        return Judged("unproven", None, wanted, f"{reason[:1].upper()}{reason[1:]}; nobody saw the GPU from outside.")
    worst, said, problems = math.inf, [], []
    for device, uuid in zip(evidence.devices["device"], evidence.devices["uuid"].map(plain_uuid), strict=True):
        name, found, reasons = printable(device), steady(evidence, uuid), gap_reasons(evidence, uuid)
        if "GPU is lost" in reasons:
            return Judged("fail", "lost", wanted, f"{name} was lost during the run, {reasons['GPU is lost']}.")
        if not found.seen:
            why = "; ".join(map(printable, reasons)) or "NVML did not see a device of its UUID"
            problems.append(Judged("unproven", None, wanted, f"There are no samples of {name}: {why}."))
        elif found.samples < LEAST:
            problems.append(
                Judged(
                    "fail",
                    f"{count(found.samples)} steady samples",
                    wanted,
                    f"The run is too short to see: of {name} NVML has {count(found.seen)} samples, and of these "
                    f"{count(found.samples)} lie within a block (the longest is {duration(found.longest_s)}); raise "
                    "min_block_s to some seconds.",
                )
            )
        else:
            worst = min(worst, found.mean)
            said.append(f"{name} {percent(found.mean)} in {count(found.samples)} samples")
    if worst < wanted:
        return Judged(
            "fail",
            worst,
            wanted,
            f"A GPU stood idle while blocks ran: {', '.join(said)}; {aim}. The work is elsewhere.",
        )
    for verdict in ("fail", "unproven"):
        for problem in problems:
            if problem.verdict == verdict:
                return problem
    return Judged("pass", worst, wanted, f"Busy while blocks ran: {', '.join(said)}; {aim}.")
