"""A run in short, as summary.json in its folder: what an index of many runs shows, without reading all their data."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from harness.atomic import write_atomic
from harness.report.devices import device_modes, device_share, utilization
from harness.report.frames import GPU_SAMPLING, MAPPINGS, Run, load_run
from harness.report.tables import block_rates, mode_table
from harness.report.text import flattened, machine_text
from harness.report.verify import checks, overall
from harness.run.schema import TABLES

SUMMARY = "summary.json"
SUMMARY_SCHEMA = 1
"""Raised whenever a summary of the same data would be another one; older ones are then made anew."""

# The end of a Parquet file describes all of it; so many bytes of a file tell whether it changed.
_TAIL = 65_536
# What differs between any two runs, and is no setting or property of the machine.
_PASSING = frozenset({"started", "command", "git.commit", "git.dirty", "cpu.load_average"})


class ModeSummary(BaseModel):
    """A mode of a run. Rates are evaluations/s, shares of 1; None is what was not measured.

    Attributes:
        rates: of every timed block, in order.
        evaluations_per_s: their median, with its interval ``low`` to ``high``; with ``full_range`` merely the extremes.
        speedup: over sequential, in total, with its interval.
        devices: CUDA devices that it used.
        device_share: see ``harness.report.devices.device_share``.
        utilization: mean GPU utilization over its timed blocks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: str
    status: str
    reason: str | None = None
    rates: list[float] = []
    evaluations_per_s: float | None = None
    low: float | None = None
    high: float | None = None
    full_range: bool = False
    speedup: float | None = None
    speedup_low: float | None = None
    speedup_high: float | None = None
    speedup_full_range: bool = False
    geometric_mean_speedup: float | None = None
    mismatches: int | None = None
    fell_back: int | None = None
    devices: int = 0
    device_share: float | None = None
    utilization: float | None = None
    is_device_mode: bool = False


class RunSummary(BaseModel):
    """A run in short.

    Attributes:
        summary: ``SUMMARY_SCHEMA``.
        fingerprint: of the data files that it was made of.
        name: of the run.
        configuration: the ``name`` in its configuration.
        started: ISO-8601 in UTC; None where it was not recorded.
        status: as in run.json, or ``damaged`` for a folder that cannot be read.
        error: what ended it, or what is wrong with the folder.
        verdict: the worst of its checks; None of a folder that is damaged.
        failed_checks: the names of checks that failed or are unproven.
        commit: with ``+`` behind it if the checkout had changes.
        machine: in one line.
        gpus: names of the GPUs that were used, else of those that the machine has.
        facts: of configuration and environment, as (dotted key, value).
        modes: every requested mode.
        missing: data files that are not there or cannot be read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    summary: int = SUMMARY_SCHEMA
    fingerprint: str
    name: str
    configuration: str = "unknown"
    started: str | None = None
    status: str
    error: str | None = None
    verdict: str | None = None
    failed_checks: list[str] = []
    commit: str | None = None
    machine: str = ""
    gpus: list[str] = []
    facts: list[tuple[str, str]] = []
    modes: list[ModeSummary] = []
    missing: list[str] = []

    def mode(self, name: str) -> ModeSummary | None:
        """The mode of that name."""
        return next((mode for mode in self.modes if mode.mode == name), None)

    @property
    def best(self) -> ModeSummary | None:
        """The mode with the greatest speedup; one whose outputs differ from the reference's does not count."""
        timed = [mode for mode in self.modes if mode.speedup is not None and not mode.mismatches]
        return max(timed, key=lambda mode: mode.speedup or 0.0, default=None)


def fingerprint(folder: Path) -> str:
    """A digest of the data files of a run folder, by their names, sizes and ends."""
    digest = hashlib.blake2b(digest_size=16)
    for name in (*MAPPINGS, GPU_SAMPLING, *(f"{table}.parquet" for table in TABLES)):
        path = folder / name
        for part in sorted(path.iterdir()) if path.is_dir() else [path]:
            try:
                with part.open("rb") as stream:
                    size = stream.seek(0, 2)
                    stream.seek(max(0, size - _TAIL))
                    digest.update(f"{part.relative_to(folder)} {size} ".encode() + stream.read())
            except OSError:
                continue
    return digest.hexdigest()


def summarize(run: Run) -> RunSummary:
    """The summary of a run that was loaded."""
    git = run.environment.get("git")
    git = git if isinstance(git, dict) else {}
    environment = {key: value for key, value in run.environment.items() if key not in _PASSING}
    facts = [*flattened(run.config, "config."), *flattened(environment)]
    started = run.record.get("started") or run.environment.get("started")
    found = checks(run)
    return RunSummary(
        fingerprint=fingerprint(run.folder),
        name=run.name,
        configuration=str(run.config.get("name") or "unknown"),
        started=None if started is None else str(started),
        status=run.status,
        error=None if run.record.get("error") is None else str(run.record["error"]),
        verdict=overall(found),
        failed_checks=[check.check for check in found if check.verdict in ("fail", "unproven")],
        commit=f"{str(git['commit'])[:12]}{'+' if git.get('dirty') else ''}" if git.get("commit") else None,
        machine=machine_text(run.environment),
        gpus=_gpus(run),
        facts=[(key, value) for key, value in facts if key not in _PASSING],
        modes=[_mode(run, row) for _, row in mode_table(run).iterrows()],
        missing=list(run.missing),
    )


def _gpus(run: Run) -> list[str]:
    if len(run.devices):
        return [str(name) for name in run.devices.drop_duplicates(["uuid", "device"])["name"].fillna("unnamed GPU")]
    gpu = run.environment.get("gpu")
    devices = gpu.get("devices") if isinstance(gpu, dict) else None
    return [str(device.get("name", "GPU")) for device in devices or [] if isinstance(device, dict)]


def _known(value: Any) -> Any:
    """None for every kind of null."""
    return None if value is None or (isinstance(value, float) and math.isnan(value)) or pd.isna(value) else value


def _mode(run: Run, row: pd.Series[Any]) -> ModeSummary:
    mode = str(row["mode"])
    same = ("status", "reason", "evaluations_per_s", "speedup", "speedup_low", "speedup_high")
    values = {key: _known(row[key]) for key in (*same, "geometric_mean_speedup", "mismatches", "fell_back")}
    on_device = mode in device_modes(run)
    return ModeSummary(
        mode=mode,
        **values,
        low=_known(row["evaluations_per_s_low"]),
        high=_known(row["evaluations_per_s_high"]),
        full_range=row["full_range"] is True,
        speedup_full_range=row["speedup_full_range"] is True,
        rates=[] if values["evaluations_per_s"] is None else [float(f"{rate:.6g}") for rate in block_rates(run, mode)],
        devices=int(run.devices.loc[run.devices["mode"] == mode, "device"].nunique()),
        device_share=_known(device_share(run, mode)) if on_device else None,
        utilization=_known(utilization(run, mode)) if on_device else None,
        is_device_mode=on_device,
    )


def write_summary(folder: Path, summary: RunSummary) -> None:
    """Write summary.json into a run folder, whole or not at all.

    Raises:
        OSError: if it cannot be written.
    """
    write_atomic(folder / SUMMARY, summary.model_dump_json() + "\n")


def read_summary(folder: Path) -> RunSummary:
    """The summary of the run in ``folder``, whatever the state of it: that in summary.json, or a new one."""
    return kept_summary(folder) or new_summary(folder)


def kept_summary(folder: Path) -> RunSummary | None:
    """The summary in summary.json; None where it is not there, or of other data."""
    try:
        kept = RunSummary.model_validate_json((folder / SUMMARY).read_bytes())
        return kept if kept.summary == SUMMARY_SCHEMA and kept.fingerprint == fingerprint(folder) else None
    except (OSError, ValidationError):
        return None


def new_summary(folder: Path) -> RunSummary:
    """The summary of the run in ``folder`` made anew, and written if that is possible.

    A folder that is no run, or is damaged beyond reading, has the status ``damaged``; nothing is written there.
    """
    try:
        run = load_run(folder)
        summary = summarize(run)
        ended = run.status != "running"
    except Exception as error:  # one damaged folder, in whatever way, must not hide the others
        why = f"{type(error).__name__}: {error}" if not str(error).startswith(str(folder)) else str(error)
        why = why.removeprefix(f"{folder}: ").removeprefix(f"{folder}/")
        return RunSummary(fingerprint="", name=folder.name, status="damaged", error=why)
    if ended:
        try:
            write_summary(folder, summary)
        except OSError:
            pass  # a folder that is read-only is summarized each time
    return summary
