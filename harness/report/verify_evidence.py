"""What a check looks at, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import pandas as pd

from harness.config import ALL_DEVICE_MODES, GPU_MODES, Config
from harness.report.format import is_missing
from harness.report.frames import Run
from harness.report.tables import measured_modes

NOT_REACHED: Final = "not reached"
_OF_CALLS = "eager_gpu"
Verdict = Literal["pass", "fail", "unproven", "not reached", "skipped"]


class CannotTell(Exception):
    """What was recorded does not let a check be made; the message says what is wrong with it."""


@dataclass(frozen=True)
class Judged:
    """What a check found.

    Attributes:
        verdict: ``pass``; ``fail``; ``unproven``, where what was recorded does not show it; ``not reached``, of a
            stretch target, which no run has to reach; ``skipped``, where there is nothing to check.
        value: what was measured.
        threshold: what it was compared with.
        meaning: one or two sentences: what that means, and what to do about it.
    """

    verdict: Verdict
    value: float | str | None
    threshold: float | str | None
    meaning: str


def threshold(run: Run, key: str) -> float:
    """Return a threshold of the run's configuration.

    Raises:
        CannotTell: it is no number.
    """
    value = run.config.get(key)
    if is_missing_value(value):
        value = Config.model_fields[key].default  # of a configuration that does not have it, being older
    return _number(key, value)


def optional_threshold(run: Run, key: str) -> float | None:
    """Return a threshold that a configuration need not have; None where it has not.

    Raises:
        CannotTell: it is no number.
    """
    value = run.config.get(key)
    return None if is_missing_value(value) else _number(key, value)


def is_missing_value(value: Any) -> bool:
    """Whether a configuration's value is null; a list is none."""
    return not isinstance(value, list | dict) and is_missing(value)


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CannotTell(f"config.yaml: {key} is {value!r}, which is no number; restore the file as the run wrote it")
    return float(value)


@dataclass(frozen=True)
class Evidence:
    """What a run recorded of one mode.

    Attributes:
        run: the run.
        row: of ``mode_table``, or of the run's ``modes``.
    """

    run: Run
    row: pd.Series[Any]

    @property
    def mode(self) -> str:
        """The mode's name."""
        return str(self.row["mode"])

    @property
    def is_gpu(self) -> bool:
        """Whether GPUs are to do the work."""
        return self.mode in GPU_MODES

    @property
    def is_of_one_device(self) -> bool:
        """Whether one of several devices is to do all the work of its blocks."""
        return self.mode in ALL_DEVICE_MODES

    @property
    def is_of_calls(self) -> bool:
        """Whether devices do single calls of primitives in it, and not whole evaluations."""
        return ALL_DEVICE_MODES.get(self.mode, self.mode) == _OF_CALLS

    @cached_property
    def on_one_device(self) -> Evidence | None:
        """What was recorded of the same mode on one device alone; None where that was not measured."""
        rows = self.run.modes
        own = rows[rows["mode"].isin(measured_modes(self.run)) & (rows["mode"].map(ALL_DEVICE_MODES) == self.mode)]
        return Evidence(self.run, own.iloc[-1]) if len(own) else None

    def _own(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame[frame["mode"] == self.mode]

    def table(self, name: str) -> pd.DataFrame:
        """Return the mode's rows of an optional table.

        Raises:
            CannotTell: the file is there, but cannot be read.
        """
        why = self.run.missing.get(f"{name}.parquet")
        if why is not None:
            raise CannotTell(f"{name}.parquet {why}")
        return self._own(getattr(self.run, name))

    @cached_property
    def devices(self) -> pd.DataFrame:
        """The devices that the mode ran on, one row each."""
        return self.table("devices").drop_duplicates("device", keep="last")

    @cached_property
    def blocks(self) -> pd.DataFrame:
        """The mode's timed blocks."""
        return self._own(self.run.blocks)

    @cached_property
    def device_blocks(self) -> pd.DataFrame:
        """What devices did in the mode's timed blocks."""
        own = self.table("device_blocks")
        return own[own["block"].isin(self.blocks["block"])]

    @cached_property
    def evaluations(self) -> pd.Series[int]:
        """Evaluations in all timed blocks by (module, program)."""
        counts: pd.Series[int] = self._own(self.run.timings).groupby(["module", "program"])["evaluations"].sum()
        return counts
