"""Load a run folder: the data files of one benchmark run, as frames and mappings (schema: docs/results.md)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from harness.config import MEASURED_NAMES
from harness.places import scrubbed
from harness.run.schema import ADDED, OPTIONAL, TABLES, VERSION

BASELINE = "sequential"

MAPPINGS = ("config.yaml", "environment.json", "run.json")
GPU_SAMPLING = "gpu_sampling.json"


class RunFolderError(Exception):
    """The folder is not a run folder, or one that this version cannot read."""


@dataclass(frozen=True, eq=False)
class Run:
    """What one run left behind. Seconds are seconds; the columns of the frames are those of ``TABLES``.

    Attributes:
        folder: the run folder.
        config: the configuration as run, flat (config.yaml).
        environment: the machine and the packages, nested (environment.json).
        record: status, error, times, phases and warnings (run.json).
        programs: one row per program found.
        evaluations: one row per (program, sample) of the untimed first pass; ``equal`` is null where unknown.
        blocks: one row per timed block; ``busy_s`` is summed over workers.
        timings: one row per (mode, block, program); ``seconds`` is summed over workers.
        modes: one row per requested mode.
        primitives: one row per (mode, program, primitive); ``seconds`` is instrumented self time.
        missing: file name -> why its data is not here. A frame whose file is missing has no rows.
        optional: the tables of ``OPTIONAL`` by name, each without rows where the run has none.
        gpu_sampling: how GPUs were sampled, and why there are gaps (gpu_sampling.json); empty in older runs.
    """

    folder: Path
    config: dict[str, Any]
    environment: dict[str, Any]
    record: dict[str, Any]
    programs: pd.DataFrame
    evaluations: pd.DataFrame
    blocks: pd.DataFrame
    timings: pd.DataFrame
    modes: pd.DataFrame
    primitives: pd.DataFrame
    missing: dict[str, str]
    optional: dict[str, pd.DataFrame] = field(default_factory=dict)
    gpu_sampling: dict[str, Any] = field(default_factory=dict)

    def _optional(self, name: str) -> pd.DataFrame:
        return self.optional[name] if name in self.optional else empty_frame(name)

    @property
    def accuracy(self) -> pd.DataFrame:
        """One row per evaluation drawn of a timed block; ``equal`` to the reference's output or not."""
        return self._optional("accuracy")

    @property
    def modules(self) -> pd.DataFrame:
        """One row per (mode, file) that was loaded; no mode for what the configuration stood for."""
        return self._optional("modules")

    @property
    def executions(self) -> pd.DataFrame:
        """One row per (mode, program, opcode), as the host's build counts all evaluations, once each."""
        return self._optional("executions")

    @property
    def devices(self) -> pd.DataFrame:
        """One row per (mode, CUDA device)."""
        return self._optional("devices")

    @property
    def device_blocks(self) -> pd.DataFrame:
        """One row per (mode, timed block, device): kernel seconds by CUDA events, bytes each way."""
        return self._optional("device_blocks")

    @property
    def opcodes(self) -> pd.DataFrame:
        """One row per (mode, device, opcode): counters from the device's own memory, summed over the timed blocks."""
        return self._optional("opcodes")

    @property
    def gpu_samples(self) -> pd.DataFrame:
        """NVML samples: ``t_s`` is seconds since the run's start, utilizations are fractions of 1."""
        return self._optional("gpu_samples")

    @property
    def name(self) -> str:
        """The name of the run, which is that of its folder."""
        return str(self.record.get("name") or self.folder.name)

    @property
    def status(self) -> str:
        """``complete``, ``interrupted``, ``failed`` or ``running``; ``interrupted`` without a readable run.json."""
        return str(self.record.get("status") or "interrupted")

    @property
    def confidence(self) -> float:
        """The confidence level of the intervals, between 0 and 1."""
        return float(self.config.get("confidence") or 0.95)

    @property
    def warnings(self) -> list[str]:
        """What the runner warned of."""
        return [str(line) for line in self.record.get("warnings") or []]

    @property
    def phase_seconds(self) -> dict[str, float]:
        """Phase of the run -> seconds."""
        return {str(phase): float(seconds) for phase, seconds in (self.record.get("phase_seconds") or {}).items()}


def load_run(folder: Path) -> Run:
    """Load the run in ``folder``.

    A data file that is missing or cannot be read is noted in ``Run.missing``, and its frame has no rows.

    Raises:
        RunFolderError: ``folder`` is no folder, holds neither config.yaml nor run.json, or has another schema.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RunFolderError(f"{folder}: no such folder; name a run folder, such as one of those in results/")
    if not any((folder / name).is_file() for name in ("config.yaml", "run.json")):
        raise RunFolderError(
            f"{folder}: not a run folder (it has neither config.yaml nor run.json); name a folder that a run wrote"
        )
    missing: dict[str, str] = {}
    mappings = {name: _load_mapping(folder / name, missing) for name in MAPPINGS}
    schema = mappings["run.json"].get("schema", VERSION)
    if schema != VERSION:
        raise RunFolderError(
            f"{folder / 'run.json'}: schema {schema!r}, and this version reads schema {VERSION}; "
            "use the version of the harness that wrote the folder (environment.json names it)"
        )
    frames = {name: load_frame(folder, name, missing) for name in TABLES if name not in OPTIONAL}
    return Run(
        folder=folder,
        config=mappings["config.yaml"],
        environment=mappings["environment.json"],
        record=mappings["run.json"],
        missing=missing,
        optional={name: load_frame(folder, name, missing) for name in sorted(OPTIONAL)},
        gpu_sampling=_load_mapping(folder / GPU_SAMPLING, missing, optional=True),
        **frames,
    )


def _load_mapping(path: Path, missing: dict[str, str], *, optional: bool = False) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        value = yaml.safe_load(text) if path.suffix == ".yaml" else json.loads(text)
    except FileNotFoundError:
        if not optional:
            missing[path.name] = "is not there"
        return {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        missing[path.name] = f"cannot be read: {scrubbed(str(error), path.parent.parent)}"
        return {}
    if not isinstance(value, Mapping):
        missing[path.name] = f"holds a {type(value).__name__}, not a mapping"
        return {}
    return {str(key): item for key, item in value.items()}


def load_frame(folder: Path, name: str, missing: dict[str, str]) -> pd.DataFrame:
    """Load one table of a run; one that cannot be had is noted in ``missing``, and has no rows.

    Args:
        folder: the run folder.
        name: of the table, a key of ``TABLES``.
        missing: file name -> why; a table that is not there is noted unless it is one of ``OPTIONAL``.
    """
    path, dtypes = folder / f"{name}.parquet", TABLES[name]
    try:
        frame = pd.read_parquet(path)
        for column in ADDED.get(name, ()):
            if column not in frame.columns:
                frame[column] = pd.Series(None, index=frame.index, dtype=dtypes[column])
        absent = [column for column in dtypes if column not in frame.columns]
        if absent:
            raise ValueError(f"no column {', '.join(absent)}")
        return _typed(frame, dtypes)
    except FileNotFoundError:
        if name not in OPTIONAL:
            missing[path.name] = "is not there"
    except (OSError, ValueError) as error:
        # pyarrow's errors are ValueErrors or OSErrors too.
        missing[path.name] = f"cannot be read: {scrubbed(str(error), path.parent.parent)}"
    return empty_frame(name)


def empty_frame(name: str) -> pd.DataFrame:
    """A table of ``TABLES`` without rows."""
    return pd.DataFrame({column: pd.Series(dtype=dtype) for column, dtype in TABLES[name].items()})


def _typed(frame: pd.DataFrame, dtypes: dict[str, str]) -> pd.DataFrame:
    """``frame`` with the dtypes that it is to have.

    Raises:
        ValueError: names the first column whose values are of another kind.
    """
    others = {column: dtype for column, dtype in dtypes.items() if str(frame[column].dtype) != dtype}
    try:
        return frame.astype(others)  # all at once is many times as quick as one by one
    except (ValueError, TypeError):
        for column, dtype in others.items():
            try:
                frame.astype({column: dtype})
            except (ValueError, TypeError) as error:
                raise ValueError(f"column {column} is not {dtype}: {error}") from error
        raise


def in_mode_order(modes: Iterable[str]) -> list[str]:
    """The distinct modes: the known ones in display order, then the others by name."""
    distinct = set(modes)
    return [mode for mode in MEASURED_NAMES if mode in distinct] + sorted(distinct.difference(MEASURED_NAMES))


def requested_modes(run: Run) -> list[str]:
    """Every mode that the run was asked for or has data of, in display order."""
    configured = run.config.get("modes") or []
    if isinstance(configured, str):
        configured = configured.replace(",", " ").split()
    return in_mode_order([*map(str, configured), *run.modes["mode"].dropna(), *run.blocks["mode"].dropna()])
