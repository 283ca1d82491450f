"""Runs as tidy frames: one row per observation, one column per quantity, in base units (docs/results.md lists all)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pandas as pd

from harness.report.collection import collect
from harness.report.devices import device_table
from harness.report.frames import Run, RunFolderError, load_run
from harness.report.index_plots import when
from harness.report.primitive_work import primitive_work
from harness.report.summary import RunSummary, read_summary
from harness.report.tables import KEYS, measured_modes, mode_table, problem_table, program_table
from harness.report.verify import verdict_record

RUN_COLUMNS = [
    *("run", "folder", "name", "configuration", "started", "status", "error", "verdict", "commit", "machine", "gpus"),
]
_PER_MODE = ("s_per_evaluation", "evaluations_per_s", "share", "speedup")


class Results:
    """The runs of one folder or of several, as frames that are loaded when they are asked for.

    Each frame is an attribute, ``results.blocks``, and its first column ``run`` names the run. ``runs`` has a row for
    every folder, also for one that is damaged, which has no rows in the others.

    Attributes:
        names: of the frames.
        damaged: run -> what is wrong with its folder; a frame that cannot be made adds to it.
    """

    names: tuple[str, ...]

    def __init__(self, folders: dict[str, Path]) -> None:
        """Take run folders by what the column ``run`` calls them."""
        self._folders = folders
        self._summaries = {name: read_summary(folder) for name, folder in folders.items()}
        self._load = cache(load_run)
        self._frames: dict[str, pd.DataFrame] = {}
        self.names = ("runs", *FRAMES)
        self.damaged = {
            name: summary.error or "" for name, summary in self._summaries.items() if summary.status == "damaged"
        }

    def __repr__(self) -> str:
        return f"Results of {len(self._folders)} runs: {', '.join(self.names)}"

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.names]

    def __getattr__(self, name: str) -> pd.DataFrame:
        if name.startswith("_") or name not in ("runs", *FRAMES):
            raise AttributeError(f"there is no frame {name!r}; there are: runs, {', '.join(FRAMES)}")
        return self.frame(name)

    def frame(self, name: str) -> pd.DataFrame:
        """The frame of that name, loaded once.

        Raises:
            KeyError: there is none of that name.
        """
        if name not in self._frames:
            self._frames[name] = self._runs() if name == "runs" else self._collected(FRAMES[name])
        return self._frames[name]

    def _runs(self) -> pd.DataFrame:
        rows = [_run_row(run, self._folders[run], summary) for run, summary in self._summaries.items()]
        frame = pd.DataFrame(rows, columns=RUN_COLUMNS)
        return frame.assign(started=pd.to_datetime(frame["started"], utc=True))

    def _collected(self, make: Callable[[Run], pd.DataFrame]) -> pd.DataFrame:
        parts = []
        for name, folder in self._folders.items():
            if name not in self.damaged:
                try:
                    part = make(self._load(folder))
                except Exception as error:  # one damaged folder, in whatever way, must not hide the others
                    self.damaged[name] = f"{type(error).__name__}: {error}"
                    continue
                part.insert(0, "run", name)
                parts.append(part)
        full = [part for part in parts if len(part)]
        if full:
            return pd.concat(full, ignore_index=True)
        return parts[0] if parts else pd.DataFrame(columns=["run"])


def _run_row(run: str, folder: Path, summary: RunSummary) -> dict[str, object]:
    own = {key: getattr(summary, key) for key in RUN_COLUMNS if key in RunSummary.model_fields}
    return own | {
        "run": run,
        "folder": str(folder),
        "started": when(summary.started),
        "gpus": ", ".join(summary.gpus) or None,
    }


def _modes(run: Run) -> pd.DataFrame:
    table = mode_table(run)
    reasons = [json.dumps(value) if isinstance(value, dict) else None for value in table["fell_back_reasons"]]
    return table.assign(fell_back_reasons=pd.Series(reasons, index=table.index, dtype="string"))


def _programs(run: Run) -> pd.DataFrame:
    table = program_table(run)
    return table[[column for column in table.columns if not column.endswith(_PER_MODE)]].copy()


def _program_modes(run: Run) -> pd.DataFrame:
    """One row per program and measured mode."""
    table = program_table(run)
    parts = [
        pd.DataFrame(
            {**{key: table[key] for key in KEYS}, "mode": mode}
            | {column: table.get(f"{mode}_{column}") for column in _PER_MODE}
        )
        for mode in measured_modes(run)
    ]
    columns = [*KEYS, "mode", *_PER_MODE]
    if not parts:
        return pd.DataFrame(columns=columns)
    frame = pd.concat(parts, ignore_index=True)[columns]
    return frame[frame["s_per_evaluation"].notna()].reset_index(drop=True)


def _primitives(run: Run) -> pd.DataFrame:
    keys = ["mode", "primitive", "family"]
    sums = run.primitives.groupby(keys, sort=False)[["calls", "seconds"]].sum().reset_index()
    totals = sums.groupby("mode")["seconds"].transform("sum")
    return sums.assign(share=sums["seconds"] / totals.where(totals > 0))


def _blocks(run: Run) -> pd.DataFrame:
    return run.blocks.assign(evaluations_per_s=run.blocks["evaluations"] / run.blocks["wall_s"])


def _checks(run: Run) -> pd.DataFrame:
    rows = [
        {key: value if isinstance(value, str) or value is None else json.dumps(value) for key, value in row.items()}
        for row in verdict_record(run)["checks"]
    ]
    keys = ["check", "mode", "value", "threshold", "verdict", "meaning"]
    return pd.DataFrame(rows, columns=keys, dtype="string")


FRAMES: dict[str, Callable[[Run], pd.DataFrame]] = {
    "modes": _modes,
    "checks": _checks,
    "programs": _programs,
    "program_modes": _program_modes,
    "primitives": _primitives,
    "primitive_work": lambda run: primitive_work(run)[0],
    "problems": problem_table,
    "devices": device_table,
    "blocks": _blocks,
    "timings": lambda run: run.timings.copy(),
    "evaluations": lambda run: run.evaluations.copy(),
    "device_blocks": lambda run: run.device_blocks.copy(),
    "opcodes": lambda run: run.opcodes.copy(),
    "gpu_samples": lambda run: run.gpu_samples.copy(),
}
"""Frame -> how it is made of one run."""


def load_results(path: Path | str | Sequence[Path | str]) -> Results:
    """Load runs as tidy frames.

    Args:
        path: a run folder, a folder of run folders such as ``results``, or several of either.

    Returns:
        Frames by name: ``runs``, ``modes``, ``blocks``, ...; docs/results.md says what their columns hold, in which
        units. A damaged folder has a row in ``runs`` that says what is wrong with it.

    Raises:
        RunFolderError: there is no such folder, or nothing in it.
    """
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(each) for each in path]
    folders: dict[str, Path] = {}
    for each in paths:
        if any((each / name).is_file() for name in ("run.json", "config.yaml")):
            found = {each.resolve().name: each}
        else:
            found = {entry.path: each / entry.path for entry in collect(each).entries}
            if not found:
                raise RunFolderError(f"{each}: there is no run folder in it")
        # Two folders of one name are told apart by where they are.
        folders |= {name if name not in folders else str(folder): folder for name, folder in found.items()}
    if not folders:
        raise RunFolderError("no folder was named; name a run folder, or one that run folders are in")
    return Results(folders)
