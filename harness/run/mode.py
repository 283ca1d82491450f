"""What a mode is: a way to evaluate a workload."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from harness.gpu.device import DeviceWork
from harness.measure.sources import Sources
from harness.run.worker import NOTHING_DRAWN, Draw, KeptOutput, Outcome, ProgramTiming


class ModeFailed(Exception):
    """A mode that cannot go on; the message is the reason that its row gives."""


@dataclass(frozen=True)
class Block:
    """One timed evaluation of a whole workload, once or several times over.

    Attributes:
        wall_s: seconds from the first evaluation given out to the last result, monotonic clock.
        timings: seconds in each program's evaluations, summed over workers.
        waiting_s: worker seconds after a worker's last evaluation until the last of all: what dividing the work costs;
            None where it is not known.
        cpu_s: seconds of CPU time that the workers got; less than the time inside evaluations where they had to wait
            for a CPU. None where it is not known.
        collections: garbage collections of the workers while they evaluated; None where there are none to count.
        outputs: status and digest of what was drawn.
        devices: what each CUDA device did, where the mode uses any.
    """

    wall_s: float
    timings: tuple[ProgramTiming, ...]
    waiting_s: float | None = None
    cpu_s: float | None = None
    collections: int | None = None
    outputs: tuple[KeptOutput, ...] = ()
    devices: tuple[DeviceWork, ...] = ()

    @property
    def evaluations(self) -> int:
        """How many evaluations were done."""
        return sum(timing.evaluations for timing in self.timings)

    @property
    def busy_s(self) -> float:
        """Seconds inside evaluations, summed over workers."""
        return sum(timing.seconds for timing in self.timings)


class Mode(Protocol):
    """A way to evaluate a workload.

    Attributes:
        name: one of ``MEASURED_NAMES``.
        workers: processes, threads or devices that share the evaluations.
    """

    name: str
    workers: int

    def check(self) -> Iterable[list[Outcome]]:
        """Yield the outcome of every evaluation once; this warms the mode up, too."""

    def prepare(self, costs: Sequence[float], excluded: frozenset[int]) -> None:
        """Plan timed blocks.

        Args:
            costs: seconds that each evaluation takes, roughly.
            excluded: evaluations to leave out, because they do not finish.
        """

    def block(self, passes: int, draw: Draw = NOTHING_DRAWN) -> Block:
        """Evaluate all that is not excluded ``passes`` times, timed.

        Args:
            passes: how often.
            draw: evaluations whose outputs are kept as the block computes them; their digests are taken when the
                clock has stopped.

        Raises:
            WorkersDied, EvaluationLost: if an evaluation that finished before does not now.
            ModeFailed: if the mode cannot go on.
        """

    def close(self) -> None:
        """Give back what the mode holds."""


@runtime_checkable
class Restorable(Protocol):
    """A mode that can time blocks without first calls, given what came of them in an earlier process."""

    def restore(self, fell_back: Mapping[int, str]) -> None:
        """Stand where ``check`` had come to.

        Args:
            fell_back: evaluations that the mode left to the reference, and why.
        """


@runtime_checkable
class KnowsSources(Protocol):
    """A mode that says which files its programs, and the harness that evaluates them, were loaded from."""

    def sources(self) -> Sources:
        """Return what was loaded where the evaluations are done."""


def joined(parts: Iterable[Iterable[ProgramTiming]]) -> tuple[ProgramTiming, ...]:
    """Add up the timings of each program."""
    totals: dict[int, tuple[int, float]] = {}
    for timings in parts:
        for timing in timings:
            count, seconds = totals.get(timing.program, (0, 0.0))
            totals[timing.program] = (count + timing.evaluations, seconds + timing.seconds)
    return tuple(ProgramTiming(program, *totals[program]) for program in sorted(totals))
