"""What a run shows, in sentences: computed from what was measured, never from the configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.config import GPU_MODES
from harness.measure.diagnosis import MOST_OVERHEAD
from harness.report.fallbacks import fell_back_text
from harness.report.format import (
    confidence_level,
    count,
    interval,
    is_missing,
    moment,
    percent,
    printable,
    shorten,
    speedup,
)
from harness.report.frames import BASELINE, Run
from harness.report.tables import baseline_mode, measured_modes, mode_table, problem_table, program_table
from harness.report.verify import SPEED_CHECKS, Check, checks

# A mode's interval half as wide as this share of its median is too wide to compare by.
WIDE = 0.05
# The share of the workers' time that may go into something else than evaluations.
OVERHEAD = 0.05
# A program with this share of the time is what the total mostly measures.
DOMINANT = 0.5


@dataclass(frozen=True)
class Finding:
    """A sentence, and whether it is ``good``, ``bad``, ``unclear``, or ``skipped`` where nothing was to be found."""

    level: str
    text: str


def findings(run: Run) -> list[Finding]:
    """The verdict: how the run ended, then one finding per mode that was to be compared."""
    found = [*_ending(run)]
    table = mode_table(run)
    if not measured_modes(run):
        found.append(Finding("bad", "No mode was measured: there are no timed blocks."))
    elif BASELINE not in measured_modes(run):
        found.append(Finding("unclear", f"No speedups: {BASELINE}, the baseline, was not measured."))
    compared = [row for _, row in table.iterrows() if _compared(row)]
    checked = checks(run) if any(row["mode"] in GPU_MODES for row in compared) else []
    found += [_proven(_mode_finding(row, run.confidence), row["mode"], checked) for row in compared]
    found += [
        Finding("bad", f"{printable(row['mode'])} failed: {_reason(row)}.")
        for _, row in table[table["status"] == "failed"].iterrows()
    ]
    if run.status == "complete" and measured_modes(run) == [BASELINE]:
        row = table[table["mode"] == BASELINE].iloc[0]
        rate = interval(row["evaluations_per_s"], row["evaluations_per_s_low"], row["evaluations_per_s_high"])
        found.append(Finding("good", f"{BASELINE} does {rate} evaluations/s; no other mode was measured."))
    return found


def _ending(run: Run) -> Iterator[Finding]:
    error = f": {printable(run.record['error']).rstrip('.')}" if run.record.get("error") else ""
    if run.status == "failed":
        yield Finding("bad", f"The run failed{error}. The report covers what was measured before.")
    elif run.status == "running":
        yield Finding("bad", "The run did not come to its end, or is still going on. The report covers what there is.")
    elif run.status != "complete":
        yield Finding("bad", f"The run was {printable(run.status)}{error}. The report covers what was measured before.")


def _proven(finding: Finding, mode: str, checked: Sequence[Check]) -> Finding:
    """A finding on a GPU mode's speed is only as good as the proof that a GPU did the work."""
    if mode not in GPU_MODES:
        return finding
    for verdict, level, words in (("fail", "bad", "This is no result of a GPU"), ("unproven", "unclear", "Unproven")):
        own = [check for check in checked if check.mode == mode and check.verdict == verdict]
        own.sort(key=lambda check: check.check in SPEED_CHECKS)  # whether a GPU did it matters more
        if own:
            first = own[0].check
            what = "Slower than asked for" if verdict == "fail" and first in SPEED_CHECKS else words
            more = f" (and {len(own) - 1} more: see the checks)" if len(own) > 1 else ""
            worse = "bad" if finding.level == "bad" else level
            return Finding(worse, f"{what}: {first}: {printable(own[0].meaning)}{more} {finding.text}")
    return finding


def _reason(row: pd.Series[Any]) -> str:
    if not is_missing(row["reason"]):
        return printable(row["reason"]).rstrip(".")
    return "no timed block was recorded" if row["status"] == "ran" else "no reason was recorded"


def _compared(row: pd.Series[Any]) -> bool:
    return not is_missing(row["speedup"]) and row["mode"] != BASELINE


def _mode_finding(row: pd.Series[Any], confidence: float) -> Finding:
    mode = printable(row["mode"])
    if not is_missing(row["mismatches"]) and row["mismatches"] > 0:
        return Finding(
            "bad",
            f"{mode} gave other outputs than {BASELINE} in {count(row['mismatches'])} of "
            f"{count(row['compared'])} evaluations: its speed counts for nothing until they agree.",
        )
    low, high = row["speedup_low"], row["speedup_high"]
    if is_missing(low):
        bounds = "one block only, so no interval"
    else:
        kind = "the range of few blocks" if row["speedup_full_range"] else f"{confidence_level(confidence)} interval"
        bounds = f"{kind} {speedup(low)} to {speedup(high)}"
    measured = f"{speedup(row['speedup'])} ({bounds})"
    mean = row["geometric_mean_speedup"]
    if not is_missing(mean):
        measured += f"; geometric mean over {count(row['programs_compared'])} programs {speedup(mean)}"
    if not is_missing(row["fell_back"]) and 0 < row["first_calls"] <= row["fell_back"]:
        return Finding("bad", f"{mode} did nothing itself; all fell back to the reference: {fell_back_text(row)}.")
    unproven = is_missing(row["compared"]) or row["compared"] == 0
    proof = " Its outputs were not compared." if unproven else f" All {count(row['compared'])} compared outputs agree."
    if not is_missing(row["fell_back"]) and row["fell_back"]:
        proof += f" Fell back to the reference: {fell_back_text(row)}."
    if is_missing(low) or low <= 1 <= high:
        return Finding("unclear", f"No clear difference between {mode} and {BASELINE}: {measured}.{proof}")
    word, level = ("faster", "good") if low > 1 else ("slower", "bad")
    level = "unclear" if unproven else level
    return Finding(level, f"{mode} is {word} than {BASELINE}: {measured}.{proof}")


def idle_modes(run: Run) -> list[tuple[str, str, str]]:
    """(mode, status, reason) of each requested mode that was not measured."""
    table = mode_table(run)
    idle = table[~table["mode"].isin(measured_modes(run))]
    return [(printable(row["mode"]), str(row["status"]), _reason(row)) for _, row in idle.iterrows()]


def idle_groups(run: Run, among: Sequence[str] | None = None) -> list[tuple[str, str]]:
    """(which modes and what became of them, why) for the modes that were not measured; one reason is told once."""
    groups: dict[tuple[str, str], list[str]] = {}
    for mode, status, reason in idle_modes(run):
        if among is not None and mode not in among:
            continue
        groups.setdefault((status, reason), []).append(mode)
    return [(f"{_listed(modes)} {status}", reason) for (status, reason), modes in groups.items()]


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def resumptions(run: Run) -> list[str]:
    """Say when, how often and from where a run was continued; nothing where it was not."""
    found = run.record.get("sessions")
    later = [row for row in found[1:] if isinstance(row, dict)] if isinstance(found, list) else []
    if not later:
        return []
    times = "once" if len(later) == 1 else f"{count(len(later))} times"
    each = "; ".join(
        f"{moment(row.get('started'))}, with {printable(row.get('blocks'))} timed blocks done, from "
        f"{printable(row.get('next'))}"
        for row in later
    )
    return [f"The run was ended before it was done, and resumed {times}: {each}. Each time modes were warmed up anew."]


def cautions(run: Run) -> list[str]:
    """What limits how far the numbers can be trusted, and what to do about it; the runner's warnings first."""
    lines = [*resumptions(run), *(printable(line) for line in run.warnings)]
    lines += [
        f"{name} {shorten(printable(why), 300).rstrip('.')}; what it would hold is not in this report."
        for name, why in run.missing.items()
    ]
    table = mode_table(run)
    for _, row in table[table["mode"].isin(measured_modes(run))].iterrows():
        lines += _mode_cautions(row, run.confidence)
    baseline = baseline_mode(run)
    programs = program_table(run)
    shares = f"{baseline}_share"
    if len(programs) > 1 and shares in programs and programs[shares].iloc[0] >= DOMINANT:
        first = programs.iloc[0]
        lines.append(
            f"{printable(first['label'])} takes {percent(first[shares])} of the {baseline} time, so the totals "
            "mostly measure it; read the geometric mean beside them."
        )
    return lines


def _mode_cautions(row: pd.Series[Any], confidence: float) -> Iterator[str]:
    mode = printable(row["mode"])
    if row["full_range"]:
        yield (
            f"{mode}: {count(row['blocks'])} timed blocks are too few for a {confidence_level(confidence)} interval; "
            "give the run more time or smaller blocks."
        )
    elif (row["evaluations_per_s_high"] - row["evaluations_per_s_low"]) / 2 > WIDE * row["evaluations_per_s"]:
        yield (
            f"{mode}: the interval of its throughput is wider than {WIDE:.0%} of it to either side; "
            "give the run more time, or a machine that does nothing else."
        )
    told = not is_missing(row["harness_overhead"]) and row["harness_overhead"] > MOST_OVERHEAD  # by the runner
    if row["overhead"] > OVERHEAD and not told:
        yield (
            f"{mode}: {percent(row['overhead'])} of its workers' time went into something else than evaluations; "
            "more evaluations per block make the share smaller."
        )


def programs_line(run: Run) -> str:
    """One sentence on the first pass: programs run, evaluations ok, outputs equal to the expected ones."""
    if run.evaluations.empty:
        return "No evaluation of the first pass was recorded."
    table = program_table(run)
    ran = int(table["evaluations"].notna().sum())
    counts = table[["evaluations", "ok", "compared", "equal"]].sum()
    text = f"{count(ran)} programs, {count(counts['evaluations'])} evaluations, {count(counts['ok'])} ok"
    if counts["compared"]:
        text += f"; {count(counts['equal'])} of {count(counts['compared'])} outputs are as the task expects"
    problems = problem_table(run)
    idle = problems[problems["evaluations"].isna()].groupby("problem", sort=False)["programs"].sum()
    reasons = ", ".join(f"{count(number)} {printable(problem).replace('_', ' ')}" for problem, number in idle.items())
    return f"{text}; not run: {reasons}." if reasons else f"{text}."
