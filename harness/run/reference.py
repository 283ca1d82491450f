"""The modes of the reference: ``sequential`` and ``parallel_cpu``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter

from harness.measure.sources import Sources
from harness.run.mode import Block, joined
from harness.run.pool import WorkerPool
from harness.run.worker import (
    NOTHING_DRAWN,
    Draw,
    Job,
    KeptOutput,
    Outcome,
    Span,
    SpanTiming,
    loaded_sources,
    look_at,
)

_SHARE = 0.5  # of what is left of a timed block, divided by the workers: what a span gets
_MIN_SPAN_S = 0.002  # taking a span costs some 0.03 ms
_CHECK_SPANS = 64  # evaluations per span where costs are not known yet


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

    def restore(self, fell_back: Mapping[int, str]) -> None:
        """See ``Restorable``: first calls leave nothing behind."""

    def prepare(self, costs: Sequence[float], excluded: frozenset[int]) -> None:
        """See ``Mode``."""
        self._costs, self._excluded = costs, excluded
        self._pool.start()

    def block(self, passes: int, draw: Draw = NOTHING_DRAWN) -> Block:
        """See ``Mode``."""
        spans = plan_spans(self._costs, self._excluded, self.workers, passes, draw)
        start = perf_counter()
        parts = self._pool.time(spans)
        wall = perf_counter() - start
        return Block(
            wall,
            joined(part.timings for part in parts),
            waiting(parts, start, self.workers),
            sum(part.cpu_s for part in parts),
            sum(part.collections for part in parts),
            drawn_outputs(self._pool, parts),
        )

    def sources(self) -> Sources:
        """See ``KnowsSources``: what one of the workers has loaded."""
        ((_, sources),) = self._pool.map(loaded_sources, [Span(0, 0)])
        return sources

    def close(self) -> None:
        """See ``Mode``."""
        self._pool.close()


def waiting(parts: Sequence[SpanTiming], start: float, workers: int) -> float:
    """Return the seconds, summed over workers, that each had nothing left to do while another was still at work.

    Args:
        parts: all that was evaluated.
        start: when it began, monotonic clock.
        workers: how many there are; one that got no part waits from the start.
    """
    last: dict[int, float] = {}
    for part in parts:
        last[part.worker] = max(last.get(part.worker, start), part.ended)
    end = max(last.values(), default=start)
    return sum(end - ended for ended in last.values()) + (workers - len(last)) * (end - start)


def drawn_outputs(pool: WorkerPool, parts: Iterable[SpanTiming]) -> tuple[KeptOutput, ...]:
    """Have the outputs that spans kept looked at by a worker, since they may be what this process cannot load."""
    kept = [own for part in parts for own in part.kept]
    return tuple(own for _, found in pool.map(look_at, [kept]) for own in found) if kept else ()


def plan_spans(
    costs: Sequence[float], excluded: frozenset[int], workers: int, passes: int, draw: Draw = NOTHING_DRAWN
) -> list[Span]:
    """Cut a workload into spans, the costliest first, each a share of what is left; one worker gets it all in one.

    That takes few spans, and yet the last ones are short, so that no worker waits long for another (guided
    self-scheduling, Polychronopoulos and Kuck 1987).

    Args:
        costs: seconds that each evaluation takes, roughly.
        excluded: evaluations to leave out.
        workers: how many share the work.
        passes: how often each span is evaluated.
        draw: evaluations whose outputs are kept.
    """
    if workers == 1:
        return [Span(0, len(costs), excluded, passes, draw)]
    kept = [0.0 if e in excluded else cost * passes for e, cost in enumerate(costs)]
    left = sum(kept)
    sized: list[tuple[float, Span]] = []
    start, cost = 0, 0.0
    for evaluation, own in enumerate(kept):
        cost += own
        if cost >= max(_MIN_SPAN_S, left * _SHARE / workers) or evaluation == len(kept) - 1:
            stop = evaluation + 1
            left_out = excluded.intersection(range(start, stop))
            sized.append((cost, Span(start, stop, left_out, passes, draw.within(start, stop))))
            start, left, cost = stop, left - cost, 0.0
    return [span for _, span in sorted(sized, key=lambda entry: -entry[0])]
