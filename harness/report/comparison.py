"""Two runs compared, mode by mode: is the second one slower?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.measure.compare import Comparison, compare
from harness.report.format import MISSING, interval, is_missing, number, printable
from harness.report.frames import BASELINE, Run, RunFolderError, in_mode_order, requested_modes
from harness.report.tables import block_rates, measured_modes, timed_blocks

COLUMNS = [
    *("mode", "a_evaluations_per_s", "b_evaluations_per_s", "verdict", "ratio", "low", "high", "p_value"),
    *("effect_size", "explanation"),
]


@dataclass(frozen=True)
class RunComparison:
    """Run ``b`` against run ``a``.

    Attributes:
        table: a row per mode that either measured: mode; a_evaluations_per_s, b_evaluations_per_s (medians of the
            blocks, NaN where it was not measured; if relative, times sequential); verdict; ratio b / a with low and
            high; p_value; effect_size; explanation. The verdict of b is ``faster``, ``slower``, ``same`` or
            ``ambiguous``; or ``wrong`` (it gave other outputs than the reference), ``lost`` (it could not measure the
            mode), ``not asked`` (it was not to) or ``new`` (only b measured it).
        notes: what else a reader must know: that configuration or machine differ.
    """

    table: pd.DataFrame
    notes: list[str]

    @property
    def regressions(self) -> list[str]:
        """The modes that are significantly slower, lost, or wrong in ``b``."""
        return [str(mode) for mode in self.table.loc[self.table["verdict"].isin(["slower", "lost", "wrong"]), "mode"]]


def compare_runs(
    a: Run,
    b: Run,
    *,
    modes: list[str] | None = None,
    relative: bool = False,
    confidence: float = 0.95,
    smallest_effect: float = 0.02,
    seed: int = 0,
) -> RunComparison:
    """Compare the timed blocks of two runs.

    Args:
        a: the older run, say.
        b: the newer one, which is judged.
        modes: to compare; None: all that either measured.
        relative: compare each block with the run's own sequential block of the same turn: a slower machine cancels out.
        confidence: of the intervals; significance is 1 - confidence.
        smallest_effect: relative difference below which two runs count as the same.
        seed: of the bootstrap.

    Raises:
        RunFolderError: a run without timed blocks, a mode that neither measured, or ``relative`` without sequential.
    """
    measured = [set(measured_modes(run)) for run in (a, b)]
    for run, found in zip((a, b), measured, strict=True):
        if not found:
            raise RunFolderError(f"{run.folder}: it has no timed blocks to compare; name a run that measured something")
        if relative and BASELINE not in found:
            raise RunFolderError(f"{run.folder}: it did not measure {BASELINE}, which --relative refers to")
    wanted = in_mode_order(measured[0] | measured[1] if modes is None else modes)
    for mode in wanted:
        if mode not in measured[0] | measured[1]:
            known = ", ".join(in_mode_order(measured[0] | measured[1]))
            raise RunFolderError(f"neither run measured {mode}; they measured {known}")
    rows = []
    for mode in wanted:
        if relative and mode == BASELINE:
            continue
        rates = [_rates(run, mode, relative) for run in (a, b)]
        answer = compare(*rates, confidence=confidence, smallest_effect=smallest_effect, seed=seed)
        asked = mode in requested_modes(b)
        rows.append(_row(mode, rates, answer, asked, _mismatches(b, mode)))
    return RunComparison(pd.DataFrame(rows, columns=COLUMNS), _notes(a, b, rows))


def _rates(run: Run, mode: str, relative: bool) -> list[float]:
    """Throughput of each block; relative: over that of the sequential block of the same turn, so its noise counts."""
    if mode not in measured_modes(run):
        return []
    if not relative:
        return block_rates(run, mode)
    pair = [timed_blocks(run, name).drop_duplicates("block").set_index("block") for name in (mode, BASELINE)]
    own, base = (blocks["evaluations"] / blocks["wall_s"] for blocks in pair)
    return [float(ratio) for ratio in (own / base).dropna()]


def _mismatches(run: Run, mode: str) -> int:
    found = run.modes.loc[run.modes["mode"] == mode, "mismatches"].dropna()
    return int(found.iloc[-1]) if len(found) else 0


def _row(mode: str, rates: list[list[float]], found: Comparison, asked: bool, mismatches: int) -> dict[str, object]:
    verdict, explanation = str(found.verdict), found.explanation
    if not rates[1] and asked:
        verdict, explanation = "lost", "only the first run measured it, and the second was asked to."
    elif not rates[1]:
        verdict, explanation = "not asked", "the second run was not asked for it."
    elif mismatches:
        verdict, explanation = "wrong", f"{mismatches:,} of its outputs differ from the reference's."
    elif not rates[0]:
        verdict, explanation = "new", "only the second run measured it."
    middle = [float(np.median(values)) if values else math.nan for values in rates]
    return {
        "mode": mode,
        "a_evaluations_per_s": middle[0],
        "b_evaluations_per_s": middle[1],
        "verdict": verdict,
        "ratio": found.ratio,
        "low": found.low,
        "high": found.high,
        "p_value": found.p_value,
        "effect_size": found.effect_size,
        "explanation": explanation,
    }


# Keys of a configuration that do not change what is measured.
_HARMLESS = frozenset({"run_dir", "results_dir"})


def _notes(a: Run, b: Run, rows: list[dict[str, object]]) -> list[str]:
    notes = []
    keys = sorted({*a.config, *b.config} - _HARMLESS)
    changed = [key for key in keys if a.config.get(key) != b.config.get(key)]
    if changed:
        shown = ", ".join(
            f"{key} ({printable(a.config.get(key))} -> {printable(b.config.get(key))})" for key in changed
        )
        notes.append(f"The configurations differ: {shown}.")
    machines = [(run.environment.get("cpu"), run.environment.get("memory_bytes")) for run in (a, b)]
    models = [(cpu.get("model"), cpu.get("logical")) if isinstance(cpu, dict) else None for cpu, _ in machines]
    if models[0] != models[1]:
        notes.append("The machines differ: what changed may be theirs.")
    drift = next((row for row in rows if row["mode"] == BASELINE and row["verdict"] in ("faster", "slower")), None)
    if drift is not None and len(rows) > 1:
        notes.append(
            f"The baseline, plain Python, is {drift['verdict']}, too: so much of the change may be the machine's; "
            "--relative compares against each run's own baseline."
        )
    for run in (a, b):
        if run.status != "complete":
            notes.append(f"{printable(run.name)} is {printable(run.status)}.")
    return notes


def comparison_lines(a: Run, b: Run, found: RunComparison, relative: bool = False) -> list[str]:
    """The comparison as lines for a terminal."""
    unit = f"times {BASELINE}" if relative else "evaluations/s"
    lines = [f"A: {printable(a.name)}", f"B: {printable(b.name)}", ""]
    for _, row in found.table.iterrows():
        ratio = interval(row["ratio"], row["low"], row["high"], "x")
        rates = [MISSING if is_missing(row[f"{side}_evaluations_per_s"]) else number(row[f"{side}_evaluations_per_s"])
                 for side in "ab"]  # fmt: skip
        lines.append(f"{printable(row['mode'])}: {rates[0]} -> {rates[1]} {unit}, B / A {ratio}: {row['verdict']}")
        lines.append(f"    {row['explanation']}")
    lines += ["", *found.notes] if found.notes else []
    said = f"Regression: {', '.join(map(printable, found.regressions))}." if found.regressions else "No regression."
    return [*lines, "", said]
