"""A pool of worker processes that outlives what programs do to it.

A worker that dies, or hangs where no signal reaches it, costs the evaluation that it was at, and nothing else: the
standard pool breaks as a whole then, so it is made anew, and the evaluations that were under way are repeated one by
one to find the one to blame.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self, TypeVar

from harness.run.worker import (
    IDLE,
    SLOT_FIELDS,
    Job,
    Outcome,
    Span,
    SpanTiming,
    check,
    meet,
    start_worker,
    time_shared,
)

_LOG = logging.getLogger(__name__)
_LOOK_S = 0.5  # between looks for workers that hang
_GRACE_S = 1.0  # beyond its limit that an evaluation may go on before its worker is killed
_IN_FLIGHT = 2  # spans given out per worker: one under way, one waiting, so that none waits for the parent

Item = TypeVar("Item")
Result = TypeVar("Result")


class WorkersDied(Exception):
    """Workers died; ``suspects`` are the evaluations that they were at, ``hung`` those killed because they hung."""

    def __init__(self, suspects: frozenset[int], hung: frozenset[int]) -> None:
        super().__init__(f"workers died at evaluations {sorted(suspects)}")
        self.suspects = suspects
        self.hung = hung


class WorkerPool:
    """Processes that evaluate spans of one workload."""

    def __init__(self, job: Job, workers: int) -> None:
        """Write the job where workers find it; processes start with the first span."""
        self.workers = workers
        self._job = job
        self._folder = tempfile.TemporaryDirectory(prefix="harness-")
        self._job_file = Path(self._folder.name) / "job.pickle"
        with self._job_file.open("wb") as stream:
            pickle.dump(job, stream, protocol=pickle.HIGHEST_PROTOCOL)
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the workers at once, whatever they do."""
        self._stop()
        self._folder.cleanup()

    def _start(self) -> ProcessPoolExecutor:
        if self._executor is None:
            context = get_context("spawn")  # a fork would inherit the threads of a notebook's kernel
            self._current = context.RawArray("q", [IDLE, 0] * self.workers)
            self._beats = context.RawArray("d", [0.0] * self.workers)
            self._taken = context.Value("q", 0)
            slots = (str(self._job_file), self._current, self._beats, context.Value("i", 0), self._taken)
            self._executor = ProcessPoolExecutor(self.workers, context, start_worker, slots)
        return self._executor

    def _stop(self) -> None:
        """Kill all workers, those too that are still starting: one left over could wait for ever for a lock."""
        if self._executor is not None:
            for process in list((self._executor._processes or {}).values()):
                process.kill()
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None

    def _under_way(self) -> frozenset[int]:
        """Return the evaluations that the workers are at, or were at when they died."""
        now = self._current[::SLOT_FIELDS]
        return frozenset(evaluation for evaluation in now if evaluation != IDLE)

    def _kill_hung(self) -> frozenset[int]:
        """Kill workers that no signal has reached for too long, and return the evaluations that they were at."""
        limit = monotonic() - self._job.timeout_s - _GRACE_S
        hung = set()
        for slot in range(self.workers):
            evaluation, process = self._current[slot * SLOT_FIELDS : (slot + 1) * SLOT_FIELDS]
            if evaluation != IDLE and self._beats[slot] < limit:
                hung.add(evaluation)
                _kill(process)
        return frozenset(hung)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterable[tuple[Item, Result]]:
        """Yield each item, a span mostly, with what a worker's function makes of it, in the order of being finished.

        Raises:
            WorkersDied: if a worker dies or hangs; what was not yielded by then has to be asked for again.
            EvaluationLost: if ``function`` raises it.
            RuntimeError: if workers die before they evaluate anything.
        """
        executor = self._start()
        waiting = iter(items)
        running: dict[Future[Result], Item] = {}
        hung: frozenset[int] = frozenset()
        try:
            while True:
                while len(running) < self.workers * _IN_FLIGHT and (item := next(waiting, None)) is not None:
                    running[executor.submit(function, item)] = item
                if not running:
                    return
                done, _ = wait(running, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
                for future in done:
                    yield running.pop(future), future.result()
                hung |= self._kill_hung()
        except BrokenProcessPool as broken:
            raise self._death(broken, hung) from None
        finally:
            if running:  # left early: what is still under way must not run into what comes next
                self._stop()

    def time(self, spans: Sequence[Span]) -> list[SpanTiming]:
        """Time spans, shared by all workers.

        They take spans from each other and not from this process: a worker that waits for the next one, however
        briefly, may lose its CPU to somebody else.

        Raises:
            WorkersDied, EvaluationLost, RuntimeError: as ``map``.
        """
        self._start()
        self._taken.value = 0
        return [part for _, parts in self.map(time_shared, [spans] * self.workers) for part in parts]

    def start(self) -> None:
        """Start all workers, so that no later call waits for one.

        Raises:
            RuntimeError: if workers die meanwhile.
        """
        executor = self._start()
        try:
            for future in [executor.submit(meet) for _ in range(self.workers)]:
                future.result()
        except BrokenProcessPool as broken:
            raise self._death(broken, frozenset()) from None

    def _death(self, broken: BrokenProcessPool, hung: frozenset[int]) -> WorkersDied | RuntimeError:
        """Stop a pool whose workers died, and return what to raise."""
        suspects = self._under_way()
        self._stop()
        if suspects:
            return WorkersDied(suspects, hung)
        return RuntimeError(
            "worker processes die before they evaluate anything; is there memory for "
            f"{self.workers} of them (worker_memory_gb is {self._job.memory_gb})? {broken.__cause__ or ''}".rstrip()
        )

    def check(
        self, spans: Iterable[Span], function: Callable[[Span], list[Outcome]] = check
    ) -> Iterable[list[Outcome]]:
        """Yield the outcomes of all evaluations of spans, whatever they do to their workers.

        Lists come in no particular order; evaluations that hang or kill their worker are in lists of their own.

        Args:
            spans: what to evaluate.
            function: of ``harness.run.worker``, what to do with each of them.
        """
        pending = list(spans)
        while pending:
            try:
                for span, outcomes in self.map(function, pending):
                    pending.remove(span)
                    yield outcomes
            except WorkersDied as died:
                pending = [_without(span, died.suspects) for span in pending]
                yield [self._lost(evaluation, "timeout") for evaluation in died.hung]
                for evaluation in sorted(died.suspects - died.hung):
                    yield [self._check_alone(evaluation, function)]

    def _check_alone(self, evaluation: int, function: Callable[[Span], list[Outcome]]) -> Outcome:
        """Evaluate in a process of its own what was under way when a worker died."""
        with WorkerPool(self._job, 1) as pool:
            try:
                ((_, (outcome,)),) = pool.map(function, [Span(evaluation, evaluation + 1)])
            except WorkersDied as died:
                return self._lost(evaluation, "timeout" if died.hung else "died")
        return outcome

    def _lost(self, evaluation: int, status: str) -> Outcome:
        program, position = self._job.workload.evaluations[evaluation]
        key, sample = self._job.workload.programs[program], self._job.workload.samples[position]
        _LOG.warning("%s: %s", self._job.workload.label(evaluation), status)
        equal = False if key.kind == "solver" and sample.output is not None else None
        if status == "timeout":
            error = f"ran past {self._job.timeout_s:g} s where no signal reached it, and was killed"
            return Outcome(evaluation, "timeout", error, equal, None, self._job.timeout_s)
        return Outcome(evaluation, "died", "its process died", equal, None, float("nan"))


def _without(span: Span, evaluations: frozenset[int]) -> Span:
    return Span(span.start, span.stop, span.excluded | evaluations, span.passes)


def _kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it is gone already
