"""Checks that hold for CPU modes too: that it ran, gave the reference's outputs, and ran what was configured."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

import pandas as pd

from harness.report.fallbacks import fell_back_text
from harness.report.format import count, is_missing, printable, speedup
from harness.report.frames import BASELINE, Run
from harness.report.tables import measured_modes
from harness.report.verify_evidence import (
    NOT_REACHED,
    CannotTell,
    Evidence,
    Judged,
    Verdict,
    is_missing_value,
    optional_threshold,
    threshold,
)

_REFERENCE_MODES = ("sequential", "parallel_cpu")
_NAMED = 3  # files that are named at most


def complete(run: Run) -> Judged:
    """Whether the run came to its end, and measured something."""
    error = f": {printable(run.record['error'])}" if run.record.get("error") else ""
    if run.status != "complete":
        return Judged("fail", run.status, "complete", f"The run is {run.status}{error}; what it shows is a part.")
    if not measured_modes(run):
        return Judged("fail", "no mode measured", "complete", "There are no timed blocks, so nothing was measured.")
    return Judged("pass", run.status, "complete", "The run came to its end.")


def expected_names(run: Run) -> list[str]:
    """Return the devices that the configuration expects.

    Raises:
        CannotTell: it names something else.
    """
    value = run.config.get("expected_devices")
    if is_missing_value(value):
        return []
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise CannotTell(f"config.yaml: expected_devices is {value!r}, which is no list of names")
    return value


def ran(evidence: Evidence) -> Judged:
    """Whether the mode ran, and if not, whether something here should have run it."""
    run, status = evidence.run, str(evidence.row["status"])
    if evidence.mode in measured_modes(run) and status == "ran":
        return Judged("pass", status, "ran", "It was measured.")
    reason = "no reason was recorded" if is_missing(evidence.row["reason"]) else printable(evidence.row["reason"])
    if status != "skipped":
        return Judged("fail", status, "ran", f"It was asked for and not measured to its end: {reason}.")
    if evidence.is_of_one_device:
        return Judged("unproven", status, "ran", f"One device alone was to be timed, and was not: {reason}.")
    if evidence.is_gpu:
        expected = expected_names(run)
        if expected:
            names = ", ".join(map(printable, expected))
            return Judged("fail", status, "ran", f"The configuration expects {names}, and nothing ran there: {reason}.")
        gpu = run.environment.get("gpu")
        if isinstance(gpu, dict) and gpu.get("available"):
            return Judged("unproven", status, "ran", f"The machine has a GPU, and nothing ran on it: {reason}.")
    return Judged("skipped", status, "ran", f"Not checked, for it did not run: {reason}.")


def outputs(evidence: Evidence) -> Judged:
    """Whether all outputs that were compared are the reference's."""
    row, run = evidence.row, evidence.run
    if evidence.mode == BASELINE:
        return Judged("skipped", None, None, "It is the reference.")
    compared = 0 if is_missing(row["compared"]) else int(row["compared"])
    mismatches = 0 if is_missing(row["mismatches"]) else int(row["mismatches"])
    if mismatches:
        return Judged(
            "fail",
            f"{count(mismatches)} of {count(compared)} differ",
            "none differs",
            "It computes something else than the reference, so its speed counts for nothing; "
            "`python -m harness check` names the programs.",
        )
    reference = next((mode for mode in _REFERENCE_MODES if mode in measured_modes(run)), None)
    if reference is None or (not compared and reference != evidence.mode):
        return Judged(
            "unproven", "not compared", "none differs", f"No outputs were compared; measure {BASELINE} in the same run."
        )
    if not compared:
        return Judged("skipped", None, None, "It is the reference of this run.")
    return Judged("pass", f"all {count(compared)} equal", "none differs", "Every output compared is the reference's.")


def fallback(evidence: Evidence) -> Judged:
    """How many evaluations of the first pass the mode left to the reference, as it says itself."""
    row = evidence.row
    if evidence.is_gpu:
        most, limit = threshold(evidence.run, "max_fallback_share"), None
    else:
        most, limit = 1.0, "not all"  # the host build may leave things to the reference: they are part of its time
    if is_missing(row["fell_back"]) or is_missing(row["first_calls"]) or not row["first_calls"]:
        if evidence.mode in _REFERENCE_MODES:
            return Judged("skipped", None, None, "It is a mode of the reference.")
        return Judged("unproven", None, limit or most, "What fell back to the reference was not counted.")
    share = float(row["fell_back"]) / float(row["first_calls"])
    text = fell_back_text(row)
    if share > most or (limit and share >= 1):
        return Judged("fail", share, limit or most, f"Too much was left to the reference on the CPU: {text}.")
    return Judged("pass", share, limit or most, f"Left to the reference on the CPU: {text}.")


def _files(rows: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Module -> path -> digest."""
    found: dict[str, dict[str, str]] = {}
    for module, path, digest in rows[["module", "path", "sha256"]].itertuples(index=False):
        found.setdefault(str(module), {})[str(path)] = str(digest)
    return found


def _listed(lines: Iterable[str]) -> str:
    lines = list(lines)
    more = f"; and {count(len(lines) - _NAMED)} more" if len(lines) > _NAMED else ""
    return "; ".join(lines[:_NAMED]) + more


def modules(evidence: Evidence) -> Judged:
    """Whether the files that the mode loaded are those that the configuration stands for: path and content."""
    wanted = "as configured"
    measured = _files(evidence.table("modules"))
    everything = evidence.run.modules
    configured = _files(everything[everything["mode"].isna()])
    if not measured or not configured:
        return Judged(
            "unproven" if evidence.is_gpu else "skipped",
            "not recorded",
            wanted,
            "Which files the mode loaded was not recorded, so it may have measured something else.",
        )
    needed = ["harness", *dict.fromkeys(str(module) for module, _ in evidence.evaluations.index)]
    unknown = [module for module in needed if module not in measured or module not in configured]
    wrong = [
        text
        for module in needed
        if module not in unknown
        for text in _differences(module, configured[module], measured[module])
    ]
    if wrong:
        return Judged(
            "fail",
            f"{count(len(wrong))} files differ",
            wanted,
            f"The wrong module was measured: {_listed(wrong)}. Look at the module path, and at older copies.",
        )
    if unknown:
        names = _listed(map(printable, unknown))
        return Judged("unproven", f"{count(len(unknown))} not recorded", wanted, f"Files are not recorded of: {names}.")
    files = sum(len(measured[module]) for module in needed)
    return Judged("pass", f"{count(files)} equal", wanted, "Path and content of every file are those configured.")


def _differences(module: str, configured: dict[str, str], measured: dict[str, str]) -> Iterable[str]:
    name = printable(module)
    for path, digest in measured.items():
        if path not in configured:
            others = [other for other in configured if PurePath(other).name == PurePath(path).name]
            instead = f", and {printable(others[0])} is configured" if others else ", which is not configured"
            yield f"{name} loaded {printable(path)}{instead}"
        elif configured[path] != digest:
            yield f"{name} loaded {printable(path)} with other contents than configured"
    same = {PurePath(path).name for path in measured}
    for path in configured:
        if path not in measured and PurePath(path).name not in same:
            yield f"{name} did not load {printable(path)}"


def _speedup(evidence: Evidence, level: str, missed: Verdict = "fail") -> Judged:
    run, row = evidence.run, evidence.row
    devices = len(evidence.devices)
    key = f"speedup_{level}" if devices <= 1 else f"speedup_all_{level}"
    wanted = optional_threshold(run, key)
    if wanted is None:
        on = "" if devices <= 1 else f" on all of {devices} devices"
        return Judged("skipped", None, None, f"The configuration sets no {key}, so there is no {level} for it{on}.")
    if is_missing(row["speedup"]):
        return Judged("unproven", None, wanted, f"There is no speedup; measure {BASELINE} in the same run.")
    low = row["speedup_low"]
    if is_missing(low):
        return Judged("unproven", None, wanted, "One block has no interval; measure more blocks.")
    bounds = f"the speedup is {speedup(row['speedup'])} ({speedup(low)} to {speedup(row['speedup_high'])})"
    if low >= wanted:
        return Judged("pass", float(low), wanted, f"Even the lower end reaches it: {bounds}.")
    if row["speedup"] >= wanted:
        return Judged(missed, float(low), wanted, f"The lower end does not reach it: {bounds}; more blocks may.")
    return Judged(missed, float(low), wanted, f"It is not reached: {bounds}.")


def speedup_minimum(evidence: Evidence) -> Judged:
    """Whether the lower end of the speedup's interval reaches the minimum of the configuration."""
    return _speedup(evidence, "minimum")


def speedup_target(evidence: Evidence) -> Judged:
    """Likewise, the target."""
    return _speedup(evidence, "target")


def speedup_stretch(evidence: Evidence) -> Judged:
    """Likewise, what was published at best; a run that does not reach that has not failed."""
    return _speedup(evidence, "stretch", NOT_REACHED)
