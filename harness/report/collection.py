"""The runs of a results folder, and the GPU checks beside them; what is damaged is there, too, and says so."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from harness.progress import progress
from harness.report.frames import RunFolderError
from harness.report.summary import RunSummary, kept_summary, new_summary

PUBLISHED = "published"
GPU_CHECKS = "gpu-check"
CURVE_KEYS = ("evaluations", "evaluations_per_s", "kernel_evaluations_per_s")
_WORTH_PROCESSES = 30  # summaries to make: fewer take less time than starting processes does


@dataclass(frozen=True)
class Entry:
    """A run folder of a collection.

    Attributes:
        path: of the folder, relative to the results folder, with / between its parts.
        summary: of the run.
        dashboard: whether it has a dashboard.html.
    """

    path: str
    summary: RunSummary
    dashboard: bool

    @property
    def published(self) -> bool:
        """Whether it is one of those that are kept with the source."""
        return self.path.startswith(f"{PUBLISHED}/")


@dataclass(frozen=True)
class Curve:
    """Throughput of a GPU against the batch size, from ``make gpu-check``.

    Attributes:
        gpu: its name.
        points: (evaluations in the batch, evaluations/s end to end, evaluations/s of the kernel or None) of each size.
    """

    gpu: str
    points: list[tuple[float, float, float | None]]


@dataclass(frozen=True)
class Collection:
    """What a results folder holds.

    Attributes:
        folder: the results folder.
        entries: the runs, newest first, those without a date last.
        curves: of the GPUs that were checked.
        problems: (file, why) of GPU checks that cannot be read.
    """

    folder: Path
    entries: list[Entry]
    curves: list[Curve]
    problems: list[tuple[str, str]]


def collect(folder: Path, processes: int = 1) -> Collection:
    """Read all runs of a results folder, and of its folder ``published``.

    Args:
        folder: the results folder.
        processes: how many make the summaries that are not there; more than one only where a new process may import
            the main module, as everywhere with ``multiprocessing``.

    Raises:
        RunFolderError: if there is no such folder, or it is a run folder itself.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RunFolderError(f"{folder}: no such folder; name the folder that run folders are in, such as results")
    if (folder / "run.json").is_file():
        raise RunFolderError(f"{folder}: this is a run folder; name the folder that it is in, {folder.parent}")
    found = [path for path in (*folder.iterdir(), *_inside(folder / PUBLISHED)) if _is_candidate(path)]
    entries = [
        Entry(path.relative_to(folder).as_posix(), summary, (path / "dashboard.html").is_file())
        for path, summary in _summaries(sorted(found), processes).items()
    ]
    # A run that lies here, and was published, too, is one run.
    here = {(entry.summary.name, entry.summary.started) for entry in entries if not entry.published}
    entries = [e for e in entries if not (e.published and (e.summary.name, e.summary.started) in here)]
    entries.sort(key=lambda entry: (entry.summary.started or "", entry.path), reverse=True)
    curves, problems = [], []
    for path in sorted((folder / GPU_CHECKS).glob("*.json")):
        try:
            curves.append(_curve(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError, KeyError) as error:
            problems.append((f"{GPU_CHECKS}/{path.name}", f"{type(error).__name__}: {error}"))
    return Collection(folder, entries, curves, problems)


def _summaries(folders: Sequence[Path], processes: int) -> dict[Path, RunSummary]:
    """Read the summaries of run folders, and make those that are not there."""
    with progress(len(folders), "runs", "run") as bar:
        summaries: dict[Path, RunSummary] = {}
        for folder in folders:
            kept = kept_summary(folder)
            if kept is not None:
                summaries[folder] = kept
                bar.update()
        left = [folder for folder in folders if folder not in summaries]
        if processes > 1 and len(left) >= _WORTH_PROCESSES:
            with (
                suppress(BrokenProcessPool),  # what one that died has left is done here
                ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool,
            ):
                for folder, summary in zip(left, pool.map(new_summary, left), strict=True):
                    summaries[folder] = summary
                    bar.update()
        for folder in left:
            if folder not in summaries:
                summaries[folder] = new_summary(folder)
                bar.update()
    return summaries


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _is_candidate(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".") and path.name not in (PUBLISHED, GPU_CHECKS)


def _curve(value: Any) -> Curve:
    points = [tuple(_number(point.get(key), key, needed=i < 2) for i, key in enumerate(CURVE_KEYS)) for point in
              value["curve"]]  # fmt: skip
    return Curve(str(value["gpu"]), sorted(points))  # type: ignore[arg-type]


def _number(value: Any, key: str, *, needed: bool) -> float | None:
    if value is None and not needed:
        return None
    number = float(value)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{key} is {value!r}, not a positive number")
    return number
