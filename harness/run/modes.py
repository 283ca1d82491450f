"""Modes: the ways in which a workload can be evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

from harness.config import MODE_NAMES
from harness.run.pool import WorkerPool
from harness.run.worker import Job, Outcome, ProgramTiming, Span, time_span

_NOT_BUILT = {
    "native_cpu": "this version has no virtual machine yet, whose host build native_cpu is",
    "parallel_gpu": "this version has no virtual machine yet, which parallel_gpu would run on CUDA devices",
    "eager_gpu": "this version has no GPU layer yet, which eager_gpu would send operations to",
}
_SPANS_PER_WORKER = 12  # of a timed block: enough that none waits long for the last
_MIN_SPAN_S = 0.008  # giving out a span costs some 0.2 ms
_CHECK_SPANS = 64  # evaluations per span where costs are not known yet


@dataclass(frozen=True)
class Block:
    """One timed evaluation of a whole workload, once or several times over.

    Attributes:
        wall_s: seconds from the first evaluation given out to the last result, monotonic clock.
        timings: seconds in each program's evaluations, summed over workers.
    """

    wall_s: float
    timings: tuple[ProgramTiming, ...]

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
        name: one of ``MODE_NAMES``.
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

    def block(self, passes: int) -> Block:
        """Evaluate all that is not excluded ``passes`` times, timed.

        Raises:
            WorkersDied, EvaluationLost: if an evaluation that finished before does not now.
        """

    def close(self) -> None:
        """Give back what the mode holds."""


class ReferenceMode:
    """The reference in worker processes: ``sequential`` with one, ``parallel_cpu`` with several.

    The sequential baseline runs in a process of its own, too, so that no program can harm the run.
    """

    def __init__(self, name: str, job: Job, workers: int) -> None:
        self.name = name
        self.workers = workers
        self._job = job
        self._pool = WorkerPool(job, workers)
        self._costs: Sequence[float] = ()
        self._excluded: frozenset[int] = frozenset()

    def check(self) -> Iterable[list[Outcome]]:
        """See ``Mode``."""
        total = len(self._job.workload.evaluations)
        return self._pool.check(Span(at, min(at + _CHECK_SPANS, total)) for at in range(0, total, _CHECK_SPANS))

    def prepare(self, costs: Sequence[float], excluded: frozenset[int]) -> None:
        """See ``Mode``."""
        self._costs, self._excluded = costs, excluded
        self._pool.start()

    def block(self, passes: int) -> Block:
        """See ``Mode``."""
        spans = plan_spans(self._costs, self._excluded, self.workers, passes)
        start = perf_counter()
        parts = [timings for _, timings in self._pool.map(time_span, spans)]
        wall = perf_counter() - start
        return Block(wall, _joined(parts))

    def close(self) -> None:
        """See ``Mode``."""
        self._pool.close()


def plan_spans(costs: Sequence[float], excluded: frozenset[int], workers: int, passes: int) -> list[Span]:
    """Cut a workload into spans of about equal cost, the costliest first; one worker gets it all in one.

    Args:
        costs: seconds that each evaluation takes, roughly.
        excluded: evaluations to leave out.
        workers: how many share the work.
        passes: how often each span is evaluated.
    """
    if workers == 1:
        return [Span(0, len(costs), excluded, passes)]
    kept = [0.0 if e in excluded else cost * passes for e, cost in enumerate(costs)]
    target = max(_MIN_SPAN_S, sum(kept) / (workers * _SPANS_PER_WORKER))
    sized: list[tuple[float, Span]] = []
    start, cost = 0, 0.0
    for evaluation, own in enumerate(kept):
        cost += own
        if cost >= target or evaluation == len(kept) - 1:
            stop = evaluation + 1
            left_out = excluded.intersection(range(start, stop))
            sized.append((cost, Span(start, stop, left_out, passes)))
            start, cost = stop, 0.0
    return [span for _, span in sorted(sized, key=lambda entry: -entry[0])]


def _joined(parts: Iterable[Iterable[ProgramTiming]]) -> tuple[ProgramTiming, ...]:
    """Add up the timings of each program."""
    totals: dict[int, tuple[int, float]] = {}
    for timings in parts:
        for timing in timings:
            count, seconds = totals.get(timing.program, (0, 0.0))
            totals[timing.program] = (count + timing.evaluations, seconds + timing.seconds)
    return tuple(ProgramTiming(program, *totals[program]) for program in sorted(totals))


def unavailable(name: str) -> str | None:
    """Return why a mode cannot run here; None if it can."""
    return _NOT_BUILT.get(name)


def make_mode(name: str, job: Job, workers: int) -> Mode:
    """Make a mode that is available.

    Args:
        name: one of ``MODE_NAMES``.
        job: what it evaluates, and within which limits.
        workers: how many share the work, where the mode is a parallel one.

    Raises:
        ValueError: if there is no such mode, or it is not available.
    """
    reason = unavailable(name)
    if name not in MODE_NAMES or reason:
        raise ValueError(f"mode {name!r} cannot run: {reason or 'there is no such mode'}")
    return ReferenceMode(name, job, 1 if name == "sequential" else workers)
