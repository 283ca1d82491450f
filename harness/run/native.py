"""The mode ``native_cpu``: the virtual machine's host build, in threads of this process."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter, process_time

import numpy as np
from numpy.typing import NDArray

from harness.batt.loader import Program, load_programs
from harness.measure.sources import Sources, sources_of
from harness.run.mode import Block, joined
from harness.run.pool import WorkerPool
from harness.run.reference import drawn_outputs, plan_spans, waiting
from harness.run.screening import untraceable
from harness.run.worker import (
    NOTHING_DRAWN,
    Draw,
    Job,
    KeptOutput,
    Outcome,
    ProgramTiming,
    Span,
    SpanTiming,
    Status,
    digest_of,
)
from harness.vm.engine import REASONS, Engine, Evaluation
from harness.vm.native import EQUAL, FAILED, NOT_HANDLED, OK, UNKNOWN

_CHECKED_TOGETHER = 1024  # evaluations whose outputs are held in memory at a time
_IN_MACHINE = "raised in the virtual machine, which does not say what"


class NativeMode:
    """Programs compiled and evaluated by the virtual machine; what it does not handle, by the reference.

    The reference runs in worker processes, as in the other modes, so that no program can harm the run. Which
    evaluations these are is found out in ``check``.
    """

    name = "native_cpu"

    def __init__(self, job: Job, workers: int) -> None:
        """Compile the programs.

        Raises:
            NativeUnavailable: the library is not there.
        """
        self.workers = self._processes = workers
        self._job = job
        workload = job.workload
        modules = dict.fromkeys(key.module for key in workload.programs)
        known = {(program.module, program.name): program for program in load_programs(modules)[0]}
        self._engine = self._make_engine(workers)
        programs = [known[key.module, key.name] for key in workload.programs]
        self._sources = sources_of(programs)
        self._fill(self._engine, programs, untraceable(job, programs))
        self._pairs = np.array(workload.evaluations, np.int64).reshape(-1, 2)
        self._left: dict[int, str] = {}  # evaluations that the machine does not handle, and why
        self._pool: WorkerPool | None = None
        self._costs: Sequence[float] = ()
        self._excluded: frozenset[int] = frozenset()
        self._numbers = np.arange(len(self._pairs))

    def _make_engine(self, workers: int) -> Engine:
        """Make the engine that evaluates what it can."""
        return Engine(threads=workers)

    def _fill(self, engine: Engine, programs: Sequence[Program], refused: Mapping[int, str]) -> None:
        """Give an engine all programs and samples."""
        engine.add_programs(programs, refused=refused)
        engine.add_samples(self._job.workload.samples, self._job.workload.pairs)

    @contextmanager
    def host_engine(self) -> Iterator[Engine]:
        """Have an engine of the host that holds the same bytecode and samples.

        Raises:
            NativeUnavailable: the library is not there.
        """
        yield self._engine

    def check(self) -> Iterable[list[Outcome]]:
        """See ``Mode``."""
        for start in range(0, len(self._pairs), _CHECKED_TOGETHER):
            pairs = self._pairs[start : start + _CHECKED_TOGETHER]
            found = self._engine.evaluate(pairs, outputs=True, timed=True, fallback=False)
            yield [self._outcome(found, k, start + k) for k in np.flatnonzero(found.status != NOT_HANDLED).tolist()]
            for k in np.flatnonzero(found.status == NOT_HANDLED).tolist():
                refusal = self._engine.programs[int(pairs[k][0])].refusal
                self._left[start + k] = refusal or REASONS[int(found.reason[k])]
        if self._left:
            for outcomes in self._reference_pool().check(Span(e, e + 1) for e in self._left):
                yield [outcome.because(self._left[outcome.evaluation]) for outcome in outcomes]

    def _outcome(self, found: Evaluation, k: int, evaluation: int) -> Outcome:
        status: Status = "ok" if found.status[k] == OK else "failed"
        assert found.nanoseconds is not None
        seconds = float(found.nanoseconds[k]) * 1e-9
        equal = None if found.equal[k] == UNKNOWN else bool(found.equal[k] == EQUAL)
        if found.status[k] == FAILED:
            return Outcome(evaluation, status, _IN_MACHINE, equal, None, seconds)
        return Outcome(evaluation, status, None, equal, digest_of(found.output(k)), seconds)

    def restore(self, fell_back: Mapping[int, str]) -> None:
        """See ``Restorable``."""
        self._left.update(fell_back)
        if self._left:
            self._reference_pool()

    def _reference_pool(self) -> WorkerPool:
        """Return the processes for what is left to the reference, which are made once."""
        if self._pool is None:
            self._pool = WorkerPool(self._job, self._processes)
        return self._pool

    def prepare(self, costs: Sequence[float], excluded: frozenset[int]) -> None:
        """See ``Mode``."""
        self._costs, self._excluded = costs, excluded
        kept = [e for e in range(len(self._pairs)) if e not in excluded and e not in self._left]
        self._numbers = np.array(kept, np.int64)
        if self._pool is not None:
            self._pool.start()

    def block(self, passes: int, draw: Draw = NOTHING_DRAWN) -> Block:
        """See ``Mode``; outputs are compared with the expected ones, and not fetched.

        What is drawn is evaluated once more within the block, with its outputs; status and equality have to be those
        of the evaluation without.
        """
        parts: list[Sequence[ProgramTiming]] = []
        spans: list[Span] = []
        spans_done: list[SpanTiming] = []
        positions = np.flatnonzero(np.isin(self._numbers, list(draw.evaluations)))
        drawn = self._numbers[positions].tolist()
        fetched: Evaluation | None = None
        pairs = self._pairs[self._numbers]
        found: list[Evaluation] = []
        if self._pool is not None and not self._excluded.issuperset(self._left):
            handled = frozenset(self._numbers.tolist()) | self._excluded
            spans = plan_spans(self._costs, handled, self._processes, passes, draw)
        start, cpu = perf_counter(), process_time()
        found += self._evaluate_passes(pairs, draw.turn + 1 if drawn else passes)
        if drawn:
            fetched = self._engine.evaluate(self._pairs[drawn], outputs=True, timed=True, fallback=False)
            timed = found[-1]
            found += self._evaluate_passes(pairs, passes - draw.turn - 1)
        by_reference = perf_counter()
        if self._pool is not None and spans:
            spans_done = self._pool.time(spans)
        wall = perf_counter() - start
        cpu = process_time() - cpu + sum(part.cpu_s for part in spans_done)
        waited = [own.waiting_s for own in (*found, fetched) if own is not None]
        if spans_done:
            waited.append(waiting(spans_done, by_reference, self._processes))
        nanoseconds = np.zeros(len(pairs), np.uint64)
        for own in found:
            assert own.nanoseconds is not None
            nanoseconds += own.nanoseconds
        counts = np.bincount(pairs[:, 0]) * passes
        seconds = np.bincount(pairs[:, 0], weights=nanoseconds * 1e-9)
        parts.append([ProgramTiming(int(p), int(counts[p]), float(seconds[p])) for p in np.flatnonzero(counts)])
        parts += [part.timings for part in spans_done]
        outputs: list[KeptOutput] = []
        if fetched is not None:
            assert fetched.nanoseconds is not None
            each = zip(fetched.programs.tolist(), fetched.nanoseconds.tolist(), strict=True)
            parts += [[ProgramTiming(program, 1, own * 1e-9)] for program, own in each]
            for k, (evaluation, position) in enumerate(zip(drawn, positions.tolist(), strict=True)):
                same = timed.status[position] == fetched.status[k] and timed.equal[position] == fetched.equal[k]
                outputs.append(self._kept(fetched, k, evaluation) if same else KeptOutput(evaluation, "failed"))
        if self._pool is not None:
            outputs += drawn_outputs(self._pool, spans_done)
        known = [own_s for own_s in waited if own_s is not None]
        return Block(
            wall,
            joined(parts),
            waiting_s=sum(known) if len(known) == len(waited) else None,
            cpu_s=cpu,
            outputs=tuple(outputs),
        )

    def _evaluate_passes(self, pairs: NDArray[np.int64], passes: int) -> list[Evaluation]:
        """Evaluate pairs so many times, timed; the last that is returned is of the last pass."""
        return [self._engine.evaluate(pairs, timed=True, fallback=False, passes=passes)] if passes else []

    def _kept(self, found: Evaluation, k: int, evaluation: int) -> KeptOutput:
        """Return what became of the k-th pair; one that is no longer handled counts as failed."""
        if found.status[k] != OK:
            return KeptOutput(evaluation, "failed")
        return KeptOutput(evaluation, "ok", digest=digest_of(found.output(k)))

    def sources(self) -> Sources:
        """See ``KnowsSources``."""
        return self._sources

    def handled(self, left_out: Collection[int]) -> tuple[Engine, list[tuple[int, int]]]:
        """Return the engine and the pairs that it evaluates itself, without those of the evaluations ``left_out``."""
        gone = self._left.keys() | left_out
        return self._engine, [pair for e, pair in enumerate(self._job.workload.evaluations) if e not in gone]

    def close(self) -> None:
        """See ``Mode``."""
        self._engine.close()
        if self._pool is not None:
            self._pool.close()
