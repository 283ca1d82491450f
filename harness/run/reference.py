"""The modes of the reference: ``sequential`` and ``parallel_cpu``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import perf_counter

from harness.measure.sources import Sources
from harness.run.mode import Block, joined
from harness.run.pool import WorkerPool
from harness.run.worker import Job, Outcome, Span, loaded_sources, time_span

_SPANS_PER_WORKER = 12  # of a timed block: enough that none waits long for the last
_MIN_SPAN_S = 0.008  # giving out a span costs some 0.2 ms
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
        return Block(wall, joined(parts))

    def sources(self) -> Sources:
        """See ``KnowsSources``: what one of the workers has loaded."""
        ((_, sources),) = self._pool.map(loaded_sources, [Span(0, 0)])
        return sources

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
