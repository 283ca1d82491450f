"""What a check comes to: figures beside their targets, text, and what became worse since an earlier check."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

LOSS = 0.2
"""Share of an earlier throughput that counts as a regression when it is lost."""

EARLIER = "earlier"
"""The folder beside the results in which those are kept that newer ones replaced, to be compared with."""


def figures(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the figures that have targets, on a card of the class of an H200; None for what was not measured."""

    def found(part: str, value: Callable[[Any], Any]) -> Any:
        return value(result[part]) if result.get(part) else None

    rows: list[tuple[str, Any, float, bool]] = [
        ("differences", _differences(result), 0, False),
        (
            "evaluations per s, inputs and expected outputs on the device",
            found("curve", lambda rows: max(own["evaluations_per_s"] for own in rows)),
            1e6,
            True,
        ),
        ("one batch of the training tasks' evaluations, ms", found("tasks", lambda own: 1e3 * own["s"]), 20, False),
        (
            "end to end against sequential, 10,000 evaluations",
            found("end_to_end", lambda rows: rows[-1]["speedup"] if len(rows) > 1 else None),
            100,
            True,
        ),
        ("cost of the counters, % of kernel time", found("counters", lambda own: 100 * own["cost"]), 3, False),
        (
            "utilization while steady, %",
            found("steady", lambda own: median(own["utilization"]) if own["utilization"] else None),
            80,
            True,
        ),
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


def _differences(result: Mapping[str, Any]) -> int | None:
    """How many differences there are in all that was compared; None if nothing was."""
    compared = [own for own in result.get("differences", {}).values() if isinstance(own, Mapping)]
    compared += [result["random"]] if "random" in result else []
    wrong = [len(own["different"]) for own in compared] + [own["different"] for own in result.get("operations", ())]
    return sum(wrong) if wrong else None


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
    before = {own["evaluations"]: own["evaluations_per_s"] for own in earlier.get("curve", ())}
    found = []
    for own in result.get("curve", ()):
        size, now = own["evaluations"], own["evaluations_per_s"]
        if now < (1 - LOSS) * before.get(size, 0.0):
            found.append(f"{size} evaluations: {now:,.0f}/s, before {before[size]:,.0f}/s")
    wrong = _differences(result)
    return [*found, *([f"{wrong} differences"] if wrong else [])]


def regressions_in(folder: Path) -> list[str]:
    """Hold each result of a folder against the one of the same name in its folder EARLIER, if there is one.

    Returns:
        What became worse, with the names of the files; empty where nothing did.
    """
    found = []
    for path in sorted((folder / EARLIER).glob("*.json")):
        now = folder / path.name
        if now.is_file():
            worse = regressions(*(json.loads(own.read_text(encoding="utf-8")) for own in (now, path)))
            found += [f"{path.name}: {line}" for line in worse]
    return found


def file_name(gpu: str) -> str:
    """Return the name of the file for a kind of device."""
    return "-".join("".join(c if c.isalnum() else " " for c in gpu.lower()).split()) + ".json"
