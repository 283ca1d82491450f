"""To continue a run: what its journal says is finished, and whether it is the same run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from harness.config import Config, ConfigError, make_config, read_config
from harness.measure.nvml_sampler import FOLDER as GPU_SAMPLES
from harness.measure.nvml_sampler import SUMMARY as GPU_SAMPLING
from harness.run.identity import FREE, differences
from harness.run.journal import JOURNAL, DamagedJournal, Journal, RunFolder
from harness.run.mode import Block
from harness.run.rounds import Measured
from harness.run.worker import Outcome, ProgramTiming
from harness.run.workload import Workload

Columns = dict[str, list[Any]]
"""A table by columns, as entries of the journal hold it."""
TABLES_OF_BLOCKS = ("accuracy", "timings", "blocks")
"""What each block adds rows to; a block shows once it is in the last of them."""


class ResumeRefused(ConfigError):
    """A run that cannot be continued; the message says why, and what to do."""


@dataclass
class Past:
    """What earlier sessions of a run have finished; empty in a new run.

    Attributes:
        entries: of the journal.
        identity: what the run is of; None before it has begun.
        sessions: when each began, and what was finished then.
        state: of the runner, after the last entry.
        t_s: seconds that the run was under way.
        first: by mode, the entry of its first calls.
        blocks: entries of the timed blocks, in the order of time.
        timed: whether there are to be no more blocks.
        profiled: whether primitives were counted.
    """

    entries: int = 0
    identity: dict[str, dict[str, Any]] | None = None
    sessions: list[dict[str, Any]] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    t_s: float = 0.0
    first: dict[str, dict[str, Any]] = field(default_factory=dict)
    blocks: list[dict[str, Any]] = field(default_factory=list)
    timed: bool = False
    profiled: bool = False

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the rows of a table that blocks add to."""
        return [row for entry in self.blocks for row in rows_of(entry["tables"].get(table, {}))]

    def of_mode(self, mode: str) -> dict[str, Any]:
        """Return how far the timing of a mode had come; empty where it had not begun."""
        found: dict[str, Any] = self.state.get("timing", {}).get(mode, {})
        return found

    def has_ended(self, mode: str) -> bool:
        """Whether there are to be no more blocks of a mode."""
        own = self.of_mode(mode)
        rule = own.get("stop_rule")  # the time budget was the earlier session's
        return self.timed or bool((rule and rule != "time budget") or own.get("failure"))

    def next_step(self, modes: Sequence[str]) -> str:
        """Say what comes next.

        Args:
            modes: those that run, in the order of being measured.
        """
        cold = [mode for mode in modes if mode not in self.first]
        if cold:
            return f"the first calls of {cold[0]}"
        counts = Counter(entry["mode"] for entry in self.blocks)
        open_ = [mode for mode in modes if not self.has_ended(mode)]
        if open_:
            mode = min(open_, key=lambda name: counts[name])
            return f"block {counts[mode]} of {mode}"
        return "its end" if self.profiled else "the count of primitives"


def columns_of(rows: Sequence[Mapping[str, Any]]) -> Columns:
    """Turn rows into columns."""
    return {column: [row[column] for row in rows] for column in rows[0]} if rows else {}


def rows_of(columns: Columns) -> list[dict[str, Any]]:
    """Turn columns into rows."""
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def past_of(entries: Sequence[Mapping[str, Any]]) -> Past:
    """Gather what the entries of a journal say.

    Raises:
        DamagedJournal: if they are not what a run has written.
    """
    past = Past(entries=len(entries))
    for number, entry in enumerate(entries):
        try:
            _take(past, entry)
        except (KeyError, TypeError, AttributeError) as error:
            raise DamagedJournal(f"{JOURNAL}: entry {number:05d} is not what a run writes: {error!r}") from error
    return past


def _take(past: Past, entry: Mapping[str, Any]) -> None:
    kind = entry["kind"]
    past.t_s = float(entry["t_s"])
    past.state = dict(entry["state"])
    if kind == "session":
        past.identity = past.identity or entry["identity"]
        past.sessions.append(dict(entry["session"]))
    elif kind == "first":
        past.first[entry["mode"]] = dict(entry)
    elif kind == "block":
        past.blocks.append({"mode": entry["mode"], "tables": entry["tables"], "counters": entry["counters"]})
    elif kind == "timed":
        past.timed = True
    elif kind == "profiled":
        past.profiled = True


def resumed_config(folder: Path, changes: Mapping[str, Any]) -> Config:
    """Return the configuration with which to continue a run: its own.

    Args:
        folder: of the run.
        changes: keys that were asked for. Those that change nothing of what is measured are taken over; the others
            have to be as they were.

    Raises:
        ConfigError: if there is no run, or it has another configuration; says in what it differs.
    """
    if not (folder / "config.yaml").is_file():
        raise ResumeRefused(f"{folder}: holds no run that could be continued (no config.yaml); name a run folder")
    own = read_config(folder / "config.yaml").model_dump()
    known = {key: value for key, value in changes.items() if key in own and key not in FREE}
    asked = make_config({**own, **known}, f"--resume {folder}").model_dump()  # as it would be recorded
    wrong = [f"configuration: {key} was {own[key]!r}, and is {asked[key]!r}" for key in known if asked[key] != own[key]]
    if wrong:
        raise ResumeRefused(refusal(folder, wrong))
    kept = {key: value for key, value in changes.items() if key not in own or key == "time_budget_s"}
    return make_config({**own, **kept, "resume": str(folder), "run_dir": None}, f"--resume {folder}")


def refusal(folder: Path, wrong: Sequence[str]) -> str:
    """Say in what a run differs from what is here."""
    listed = "".join(f"\n  {line}" for line in wrong)
    return f"{folder}: is not continued, since it would be another run:{listed}\nUndo that, or start a new run."


def load_past(folder: RunFolder, identity: Mapping[str, Mapping[str, Any]]) -> Past:
    """Read what is finished of a run that is to be continued now.

    Raises:
        ResumeRefused: if there is nothing to go on from, or it would be another run.
    """
    try:
        past = past_of(Journal(folder).read())
    except DamagedJournal as error:
        raise ResumeRefused(str(error)) from error
    if past.identity is None:
        if (folder.path / "run.json").exists():
            raise ResumeRefused(f"{folder.path}: holds no journal to go on from ({JOURNAL}/); start a new run")
        return past  # it was ended before it began
    wrong = list(differences(past.identity, identity))
    if wrong:
        raise ResumeRefused(refusal(folder.path, wrong))
    return past


def is_complete(folder: Path) -> bool:
    """Whether nothing is missing of a run."""
    try:
        return bool(json.loads((folder / "run.json").read_text())["status"] == "complete")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def restore_tables(folder: RunFolder, past: Past) -> None:
    """Write the tables that blocks add to as the journal has them, since it may be ahead of them.

    Raises:
        CannotWrite: if one cannot be written.
    """
    if past.blocks:
        found = {table for entry in past.blocks for table in entry["tables"]}.union(TABLES_OF_BLOCKS)
        for table in sorted(found, key=lambda name: name == TABLES_OF_BLOCKS[-1]):
            folder.write_table(table, past.rows(table))
    if past.state.get("modes"):
        folder.write_table("modes", list(past.state["modes"].values()))


def restore_outcomes(folder: RunFolder, workload: Workload) -> dict[int, Outcome]:
    """Read the outcomes of the first mode's first calls.

    Raises:
        ResumeRefused: if the table is not what the run wrote.
    """
    path = folder.path / "evaluations.parquet"
    try:
        frame = pd.read_parquet(path, columns=["status", "error", "equal", "digest", "seconds"])
        if len(frame) != len(workload.evaluations):
            raise ValueError(f"it has {len(frame)} rows, and the run has {len(workload.evaluations)} evaluations")
    except (OSError, ValueError) as error:
        raise ResumeRefused(f"{path}: the journal says that it is whole, and it is not: {error}") from error
    rows = frame.astype(object).where(frame.notna(), None).itertuples(index=False)
    return {number: Outcome(number, *row) for number, row in enumerate(rows)}


def restore_timing(measured: Measured, past: Past) -> None:
    """Have a mode go on where its timing was."""
    own, workload = past.of_mode(measured.mode.name), measured.workload
    numbers = {(key.module, key.name): number for number, key in enumerate(workload.programs)}
    for entry in past.blocks:
        if entry["mode"] == measured.mode.name:
            (row,) = rows_of(entry["tables"]["blocks"])
            timings = tuple(
                ProgramTiming(numbers[t["module"], t["program"]], t["evaluations"], t["seconds"])
                for t in rows_of(entry["tables"]["timings"])
            )
            measured.blocks.append(Block(row["wall_s"], timings))
    measured.passes = own.get("passes", measured.passes)
    if past.has_ended(measured.mode.name):
        measured.stop_rule, measured.failure = own.get("stop_rule"), own.get("failure")
    measured.warnings = list(own.get("warnings", ()))


def restore_sampling(folder: RunFolder, past: Past) -> tuple[int, dict[str, Any]]:
    """Untag samples of GPUs in blocks that were never finished; return how many parts there are, and their summary.

    Raises:
        CannotWrite: if a part cannot be written.
    """
    done = {(row["mode"], row["block"]) for row in past.rows("blocks")}
    parts = sorted((folder.path / f"{GPU_SAMPLES}.parquet").glob("part-*.parquet"))
    for number, path in enumerate(parts):
        frame = pd.read_parquet(path)
        tags = zip(frame["mode"], frame["block"], strict=True)
        stale = [not pd.isna(block) and (mode, int(block)) not in done for mode, block in tags]
        past.t_s = max(past.t_s, float(frame["t_s"].max()))
        if any(stale):
            frame.loc[stale, "block"] = pd.NA
            folder.write_part(GPU_SAMPLES, number, {str(column): frame[column] for column in frame})
    try:
        summary: dict[str, Any] = json.loads((folder.path / GPU_SAMPLING).read_text())
    except (OSError, ValueError):
        return len(parts), {}
    for span in summary["spans"]:
        past.t_s = max(past.t_s, span["end_s"])
        if (span["mode"], span["block"]) not in done:
            span["block"] = None
    return len(parts), summary
