"""A session of a run: what it has found out so far, where that is written, and what sessions before it left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from harness.config import Config
from harness.measure.nvml_sampler import Sampler
from harness.run import schema
from harness.run.budget import Budget
from harness.run.interrupts import Interrupts
from harness.run.journal import Journal, RunFolder
from harness.run.resume import Past
from harness.run.rounds import Measured


@dataclass
class Session:
    """A run under way.

    Attributes:
        config: what to do.
        folder, journal: where it is written.
        sampler: of GPUs.
        interrupts: hold Ctrl-C back while something is written.
        budget: of time.
        past: what earlier sessions have finished.
        clock: when the run began, in seconds of ``perf_counter``, as if there had been no break in it.
        phase_seconds: what phases took, over all sessions.
        warnings: what a reader should know.
        mode_rows: rows of ``modes``, by name.
        sessions: when each began, and what was finished then.
    """

    config: Config
    folder: RunFolder
    journal: Journal
    sampler: Sampler
    interrupts: Interrupts
    budget: Budget
    past: Past
    clock: float = field(default_factory=perf_counter)
    phase_seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    mode_rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    sessions: list[dict[str, Any]] = field(default_factory=list)
    _phase: tuple[str, float] | None = None
    _timing: dict[str, Any] = field(default_factory=dict)

    def write_state(self, status: str, error: str | None) -> None:
        """Write ``run.json``: how far the run has come.

        Raises:
            CannotWrite: if it cannot be written.
        """
        self.folder.write_json(
            "run.json",
            {
                "schema": schema.VERSION,
                "name": self.folder.path.name,
                "status": status,
                "error": error,
                "started": self.sessions[0]["started"],
                "finished": None if status == "running" else now(),
                "sessions": self.sessions,
                "phase_seconds": self.phase_seconds,
                "warnings": self.warnings,
            },
        )

    def write_modes(self) -> None:
        """Write what is known of each mode."""
        rows = [self.mode_rows[name] for name in self.config.measured_names if name in self.mode_rows]
        self.folder.write_table("modes", rows)

    def warn(self, *lines: str) -> None:
        """Add warnings, each once."""
        self.warnings += [line for line in lines if line not in self.warnings]

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Note how long a phase takes."""
        self._phase = (name, perf_counter())
        try:
            yield
        finally:
            self.phase_seconds = self._phases()
            self._phase = None

    def _phases(self) -> dict[str, float]:
        if self._phase is None:
            return dict(self.phase_seconds)
        name, start = self._phase
        spent = self.phase_seconds.get(name, 0.0) + perf_counter() - start
        return {**self.phase_seconds, name: round(spent, 6)}

    def note_timing(self, measured: Sequence[Measured], excluded: set[int]) -> None:
        """Take note of how far the timing has come, for entries of the journal."""
        self._timing = {
            entry.mode.name: {
                "passes": entry.passes,
                "stop_rule": entry.stop_rule,
                "failure": entry.failure,
                "warnings": entry.warnings,
            }
            for entry in measured
        } | {"excluded": sorted(excluded)}

    def finish(self, kind: str, content: Mapping[str, Any] | None = None) -> None:
        """Have something that is finished on disk; what sessions to come go on with is in it.

        Raises:
            CannotWrite: if it cannot be written.
        """
        state = {
            "phase_seconds": self._phases(),
            "warnings": self.warnings,
            "modes": self.mode_rows,
            "timing": self._timing or self.past.state.get("timing", {}),
        }
        with self.interrupts.held():
            self.journal.append(kind, {"t_s": perf_counter() - self.clock, "state": state, **(content or {})})


def now() -> str:
    """Return the time of day, for people; durations are never made of it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
