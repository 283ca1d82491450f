"""The tables of a report. Seconds are seconds, shares and overheads fractions of 1; NaN or null is "not measured"."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary

import pandas as pd

from harness.measure.stats import Interval, geometric_mean, median_interval, speedup_interval
from harness.report.frames import BASELINE, Run, in_mode_order, requested_modes

KEYS = ["module", "program"]
NOT_RECORDED = "not recorded"


def measured_modes(run: Run) -> list[str]:
    """Modes with timed blocks whose numbers count, in display order; those of a failed mode do not."""
    bad = run.modes.loc[run.modes["status"].isin(["failed", "skipped"]), "mode"]
    return in_mode_order(set(run.blocks["mode"]) - set(bad))


def baseline_mode(run: Run) -> str | None:
    """The mode that shares of time refer to: sequential, else the first one measured, else None."""
    return next(iter(measured_modes(run)), None)


def timed_blocks(run: Run, mode: str) -> pd.DataFrame:
    """The rows of ``Run.blocks`` of ``mode`` that measured something, in order."""
    # A block without an evaluation, or of no duration, measured nothing.
    blocks = run.blocks[(run.blocks["mode"] == mode) & (run.blocks["evaluations"] > 0) & (run.blocks["wall_s"] > 0)]
    return blocks.sort_values("block")


def block_rates(run: Run, mode: str) -> list[float]:
    """Evaluations per second of each timed block of ``mode``, in order."""
    blocks = timed_blocks(run, mode)
    return [float(rate) for rate in blocks["evaluations"] / blocks["wall_s"]]


def _workers(run: Run, mode: str) -> float:
    workers = timed_blocks(run, mode)["workers"]
    return float(workers.iloc[0]) if len(workers) else math.nan


def _program_seconds(run: Run, mode: str) -> pd.Series[float]:
    """Median over blocks of a program's seconds per evaluation, summed over workers; indexed by ``KEYS``."""
    timings = run.timings[(run.timings["mode"] == mode) & (run.timings["evaluations"] > 0)]
    each = timings["seconds"] / timings["evaluations"]
    medians: pd.Series[float] = each.groupby([timings[key] for key in KEYS]).median()
    return medians


def _program_speedups(run: Run, mode: str) -> pd.Series[float]:
    """Speedup over sequential per program that both modes measured; indexed by ``KEYS``.

    ``seconds`` are summed over workers, so while a program keeps all of them busy, the wall time per evaluation
    is seconds / workers, and the speedup workers x sequential seconds / seconds.
    """
    if BASELINE not in measured_modes(run):
        return pd.Series(dtype="float64", index=pd.MultiIndex.from_arrays([[], []], names=KEYS))
    pair = pd.concat([_program_seconds(run, BASELINE), _program_seconds(run, mode)], axis=1, join="inner")
    pair = pair[(pair > 0).all(axis=1)]
    speedups: pd.Series[float] = _workers(run, mode) / _workers(run, BASELINE) * pair.iloc[:, 0] / pair.iloc[:, 1]
    return speedups


def _spread(name: str, interval: Interval) -> dict[str, float]:
    return {name: interval.median, f"{name}_low": interval.low, f"{name}_high": interval.high}


def _made_once(table: Callable[[Run], pd.DataFrame]) -> Callable[[Run], pd.DataFrame]:
    """Have a table made once for a run, and give copies: it takes a while, and many parts of a report ask for it."""
    found: WeakKeyDictionary[Run, pd.DataFrame] = WeakKeyDictionary()

    @wraps(table)
    def kept(run: Run) -> pd.DataFrame:
        if run not in found:
            found[run] = table(run)
        return found[run].copy()

    return kept


@_made_once
def mode_table(run: Run) -> pd.DataFrame:
    """One row per requested mode, in display order.

    Columns: mode; status and reason; workers; blocks (timed); evaluations_per_block (median); wall_s (median of
    the blocks), evaluations_per_s and speedup (total, against sequential), each with _low and _high; full_range
    and speedup_full_range (the bounds are only the extremes seen, for there are too few blocks);
    geometric_mean_speedup over programs_compared programs; overhead (median of the share of the workers' time
    that went into no evaluation) and waiting (of the share that they waited for the last of them; null where that is
    not known; harness_overhead is what is left of the overhead); compared and mismatches (outputs against the
    sequential reference); first_calls, fell_back and fell_back_reasons (evaluations of the first pass; those that the
    mode left to the reference, and a mapping from each reason to how many; null for a mode of the reference);
    stop_rule; warmup_blocks, warmup_s and warmup_rule; harness_overhead (median share of the workers' time in blocks
    that was neither evaluation nor waiting for other workers); sampled and sampled_different (outputs of timed blocks
    that were compared with the reference's, and those that differ); devices (CUDA devices that it used; null if none).
    Measured columns are NaN for a mode that was not measured.
    """
    return pd.DataFrame([_mode_row(run, mode) for mode in requested_modes(run)], columns=_MODE_COLUMNS)


_MODE_COLUMNS = [
    *("mode", "status", "reason", "workers", "blocks", "evaluations_per_block"),
    *("wall_s", "wall_s_low", "wall_s_high"),
    *("evaluations_per_s", "evaluations_per_s_low", "evaluations_per_s_high", "full_range"),
    *("speedup", "speedup_low", "speedup_high", "speedup_full_range"),
    *("geometric_mean_speedup", "programs_compared", "overhead", "waiting", "compared", "mismatches"),
    *("first_calls", "fell_back", "fell_back_reasons", "stop_rule"),
    *("warmup_blocks", "warmup_s", "warmup_rule", "harness_overhead", "sampled", "sampled_different", "devices"),
]


def _mode_row(run: Run, mode: str) -> dict[str, Any]:
    recorded = run.modes[run.modes["mode"] == mode]
    row: dict[str, Any] = {"mode": mode, "status": NOT_RECORDED, "reason": "the run ended before it was recorded"}
    if len(recorded):
        row |= {str(key): None if pd.isna(value) else value for key, value in recorded.iloc[-1].items()}
        row["fell_back_reasons"] = _reasons(row["fell_back_reasons"])
        row["first_calls"] = None if row["fell_back"] is None else len(run.evaluations)
    row["devices"] = run.devices.loc[run.devices["mode"] == mode, "device"].nunique() or None
    blocks = timed_blocks(run, mode)
    if mode not in measured_modes(run) or blocks.empty:
        return row
    wall, evaluations = blocks["wall_s"], blocks["evaluations"]
    row |= {
        "workers": _workers(run, mode),
        "blocks": len(blocks),
        "evaluations_per_block": float(evaluations.median()),
        "overhead": float((1 - blocks["busy_s"] / (wall * blocks["workers"])).median()),
        "waiting": float((blocks["waiting_s"] / (wall * blocks["workers"])).astype("float64").median()),
    }
    rate = median_interval(evaluations / wall, run.confidence)
    row |= _spread("wall_s", median_interval(wall, run.confidence)) | _spread("evaluations_per_s", rate)
    row["full_range"] = rate.full_range
    if mode == BASELINE:
        row["speedup"] = 1.0
    elif BASELINE in measured_modes(run):
        base = timed_blocks(run, BASELINE)
        ratio = speedup_interval(base["wall_s"] / base["evaluations"], wall / evaluations, run.confidence)
        row |= _spread("speedup", ratio) | {"speedup_full_range": ratio.full_range}
        each = _program_speedups(run, mode)
        row |= {"geometric_mean_speedup": geometric_mean(each.to_numpy()), "programs_compared": len(each)}
    return row


def _reasons(text: str | None) -> dict[str, int] | None:
    """Reason -> count from JSON; None where it is none, or another program's."""
    try:
        reasons = json.loads(text or "null")
    except ValueError:
        return None
    known = isinstance(reasons, dict) and all(isinstance(n, int) for n in reasons.values())
    return reasons if known else None


@_made_once
def program_table(run: Run) -> pd.DataFrame:
    """One row per program that was found, evaluated or timed: the greatest share of time first, then by name.

    Columns: module, program, label (what to call it: the program, with its module where several share the name),
    kind, status, task, samples; of the untimed first pass: evaluations, ok, failed,
    timeouts, died, compared and equal (samples as given, with an expected output), compared_augmented and
    equal_augmented, first_call_median_s and first_call_max_s; and per measured mode: <mode>_s_per_evaluation
    (median over blocks, summed over workers), <mode>_evaluations_per_s (workers / that), <mode>_share (of the
    seconds of all programs in that mode) and, except for sequential, <mode>_speedup.
    """
    programs = run.programs.fillna({"program": ""}).drop_duplicates(KEYS).set_index(KEYS)
    parts: list[pd.DataFrame | pd.Series[Any]] = [programs[["kind", "status", "task", "samples"]], _first_pass(run)]
    for mode in measured_modes(run):
        seconds = _program_seconds(run, mode)
        total = run.timings[run.timings["mode"] == mode].groupby(KEYS)["seconds"].sum()
        parts += [
            seconds.rename(f"{mode}_s_per_evaluation"),
            (_workers(run, mode) / seconds.where(seconds > 0)).rename(f"{mode}_evaluations_per_s"),
            (total / (total.sum() or math.nan)).rename(f"{mode}_share"),
        ]
        if mode != BASELINE:
            parts.append(_program_speedups(run, mode).rename(f"{mode}_speedup"))
    index = parts[0].index
    for part in parts[1:]:
        index = index.union(part.index)
    table = pd.concat([part.reindex(index) for part in parts], axis=1).reset_index()
    table.insert(2, "label", _labels(table))
    shares = f"{baseline_mode(run)}_share"
    order = {shares: False, "program": True} if shares in table else {"program": True}
    return table.sort_values(list(order), ascending=list(order.values()), ignore_index=True)


def _labels(table: pd.DataFrame) -> pd.Series[str]:
    """The shortest of program, file:program and module:program that only one row has; the module if it has none."""
    module, program = table["module"], table["program"]
    # The last part of a dotted name, or of a path without .py.
    last = module.str.replace(r"\.py$", "", regex=True).str.replace(r"^.*[./\\]", "", regex=True)
    label = program.copy()
    for longer in (last, module):
        label = label.mask(label.duplicated(keep=False), longer + ":" + program)
    return label.mask(program == "", module)


def _first_pass(run: Run) -> pd.DataFrame:
    rows = run.evaluations
    known = rows["equal"].notna()
    equal = rows["equal"].fillna(False).astype(bool)
    counted = {
        "evaluations": rows["status"].notna(),
        "ok": rows["status"] == "ok",
        "failed": rows["status"] == "failed",
        "timeouts": rows["status"] == "timeout",
        "died": rows["status"] == "died",
        "compared": known & ~rows["augmented"],
        "equal": equal & ~rows["augmented"],
        "compared_augmented": known & rows["augmented"],
        "equal_augmented": equal & rows["augmented"],
    }
    keys = [rows[key] for key in KEYS]
    counts = pd.DataFrame({name: flags.astype("Int64") for name, flags in counted.items()}).groupby(keys).sum()
    seconds = rows["seconds"].groupby(keys)
    return counts.assign(first_call_median_s=seconds.median(), first_call_max_s=seconds.max())


def profiled_modes(run: Run) -> list[str]:
    """Modes whose primitives were counted, in display order."""
    return in_mode_order(run.primitives["mode"])


def _costs(run: Run, keys: list[str]) -> pd.DataFrame:
    """One row per ``keys``, with the costs in each profiled mode side by side; the first mode's slowest first."""
    modes = profiled_modes(run)
    parts = []
    for mode in modes:
        groups = run.primitives[run.primitives["mode"] == mode].groupby(keys)
        sums = groups[["calls", "seconds"]].sum()
        sums.insert(0, "primitives", groups["primitive"].nunique())
        # Rounded counts of a profile may all be of no duration; then there are no shares.
        sums["share"] = sums["seconds"] / (sums["seconds"].sum() or math.nan)
        parts.append(sums.astype({"primitives": "Int64", "calls": "Int64"}).add_prefix(f"{mode}_"))
    if not parts:
        return pd.DataFrame(columns=keys)
    order = [f"{mode}_seconds" for mode in modes]
    table = pd.concat(parts, axis=1).rename_axis(keys).sort_index()
    return table.sort_values(order, ascending=False, kind="stable").reset_index()


def family_table(run: Run) -> pd.DataFrame:
    """One row per primitive family, the first profiled mode's slowest first.

    Columns: family; and per profiled mode <mode>_primitives (distinct ones called), <mode>_calls, <mode>_seconds and
    <mode>_share (of the seconds of all families in that mode); null where a mode called none.

    Seconds are self time in a pass of its own, in which counting costs time too: read shares, not seconds. A mode of
    the virtual machine counts the operations of compiled programs; those that are no primitive are the family
    ``control``.
    """
    return _costs(run, ["family"])


def primitive_table(run: Run) -> pd.DataFrame:
    """One row per primitive called in some mode: primitive, family, and <mode>_calls, ... as ``family_table``."""
    table = _costs(run, ["primitive", "family"])
    return table.drop(columns=[f"{mode}_primitives" for mode in profiled_modes(run)])


# The most serious first; what has no samples was merely not asked for.
_PROBLEMS = ["import_failed", "no_program", "excluded", "died", "timeout", "failed", "no_samples"]


def problem_table(run: Run) -> pd.DataFrame:
    """Programs that were not run, by module and error; evaluations that did not end well, by program and error.

    Columns: module; program (a name, or the first three and how many more; empty where a module has none);
    programs (how many); task (null for several); problem (the status); evaluations (how many; null where none was
    run); samples (the names of the first three, and how many more); error. The most serious problems stand first.
    """
    idle = run.programs[run.programs["status"] != "ok"].fillna({"program": ""})
    idle = idle.rename(columns={"status": "problem", "detail": "error"})
    bad = run.evaluations[run.evaluations["status"] != "ok"].rename(columns={"status": "problem"})
    first_three = {"program": ("program", _first_three), "programs": ("program", "size"), "task": ("task", _only)}
    named = idle.groupby(["module", "problem", "error"], dropna=False).agg(**first_three).reset_index()
    counted = bad.groupby([*KEYS, "task", "problem", "error"], dropna=False)["sample"]
    rows = counted.agg(evaluations="size", samples=_first_three).reset_index().assign(programs=1)
    named = named.assign(evaluations=pd.array([pd.NA] * len(named), dtype="Int64"), samples="")
    columns = ["module", "program", "programs", "task", "problem", "evaluations", "samples", "error"]
    dtypes = {"program": "string", "programs": "int64", "task": "string", "evaluations": "Int64", "samples": "string"}
    table = pd.concat([named[columns].astype(dtypes), rows[columns].astype(dtypes)], ignore_index=True)
    rank = table["problem"].map({problem: i for i, problem in enumerate(_PROBLEMS)}).fillna(len(_PROBLEMS))
    table = table.assign(rank=rank).sort_values(["rank", "evaluations", "program"], ascending=[True, False, True])
    return table[columns].reset_index(drop=True)


def _first_three(names: pd.Series[str]) -> str:
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(str(name) for name in names.iloc[:3]) + more


def _only(tasks: pd.Series[str]) -> str | None:
    return tasks.iloc[0] if len(tasks) == 1 else None
