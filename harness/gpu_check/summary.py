"""What a check comes to: figures beside their targets, text, and what became worse since an earlier check."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

LOSS = 0.2
"""Share of an earlier throughput that counts as a regression when it is lost."""


def figures(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the figures that have targets, on a card of the class of an H200."""
    wrong = sum(len(own["different"]) for own in result["differences"].values() if isinstance(own, Mapping))
    wrong += sum(own["different"] for own in result["operations"])
    best = max(own["evaluations_per_s"] for own in result["curve"])
    utilization = result["steady"]["utilization"]
    rows = [
        ("differences", wrong, 0, False),
        ("evaluations per s, inputs and expected outputs on the device", best, 1e6, True),
        ("one batch of the training tasks' evaluations, ms", 1e3 * result["tasks"]["s"], 20, False),
        ("end to end against sequential, 10,000 evaluations", result["end_to_end"][-1]["speedup"], 100, True),
        ("cost of the counters, % of kernel time", 100 * result["counters"]["cost"], 3, False),
        ("utilization while steady, %", median(utilization) if utilization else None, 80, True),
    ]
    return [
        {
            "name": name,
            "value": value,
            "target": target,
            "at_least": at_least,
            "met": None if value is None else bool(value >= target if at_least else value <= target),
        }
        for name, value, target, at_least in rows
    ]


def describe(result: Mapping[str, Any]) -> str:
    """Return the figures as text for a terminal."""
    lines = [f"{result['gpu']}, {result['seconds']:.0f} s in all"]
    for own in result["figures"]:
        value = "not known" if own["value"] is None else f"{own['value']:,.6g}"
        sign = "at least" if own["at_least"] else "at most"
        verdict = {True: "met", False: "MISSED", None: "not measured"}[own["met"]]
        lines.append(f"  {own['name']:<62} {value:>12}  {sign} {own['target']:,.6g}: {verdict}")
    return "\n".join(lines)


def regressions(result: Mapping[str, Any], earlier: Mapping[str, Any]) -> list[str]:
    """Return what is slower than in an earlier result by more than LOSS, or different; empty where nothing is.

    Raises:
        ValueError: they are not of the same kind of device.
    """
    if result["gpu"] != earlier["gpu"]:
        raise ValueError(f"this is a {result['gpu']}, the earlier result is of a {earlier['gpu']}: not to be compared")
    before = {own["evaluations"]: own["evaluations_per_s"] for own in earlier["curve"]}
    found = []
    for own in result["curve"]:
        size, now = own["evaluations"], own["evaluations_per_s"]
        if now < (1 - LOSS) * before.get(size, 0.0):
            found.append(f"{size} evaluations: {now:,.0f}/s, before {before[size]:,.0f}/s")
    wrong = next(own for own in result["figures"] if own["name"] == "differences")
    return [*found, *([f"{wrong['value']} differences"] if wrong["value"] else [])]


def file_name(gpu: str) -> str:
    """Return the name of the file for a kind of device."""
    return "-".join("".join(c if c.isalnum() else " " for c in gpu.lower()).split()) + ".json"
