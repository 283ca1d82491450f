"""The mode ``eager_gpu``: programs as plain Python in threads of this process, their DSL calls on CUDA devices."""

from __future__ import annotations

import logging
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from queue import SimpleQueue
from time import perf_counter, process_time
from typing import Any

from harness.batt.loader import load_programs
from harness.gpu.batch import Batcher
from harness.gpu.context import BatchContext, Stopped, batch_dsl_context
from harness.gpu.device import DeviceMachine
from harness.gpu.devices import open_devices
from harness.gpu.sharing import MultiDevice
from harness.measure.sources import Sources, sources_of
from harness.run.mode import Block, ModeFailed, joined
from harness.run.pool import WorkerPool
from harness.run.screening import is_harmless
from harness.run.worker import (
    ERROR_LENGTH,
    NOTHING_DRAWN,
    Draw,
    Job,
    KeptOutput,
    Outcome,
    ProgramTiming,
    Span,
    Status,
    digest_of,
)

_LOG = logging.getLogger(__name__)
_LEAST_THREADS = 32  # they wait most of the time, and a batch has one call of each
_CHECKED_TOGETHER = 64
_UNFINISHED = "it does not finish in a worker process, so it is not run in this one"


class EagerMode:
    """Untraced programs; single DSL calls are intercepted, gathered across threads, and evaluated in batches.

    A program that runs in a thread cannot be ended. So evaluations of modules that hold more than calls of primitives
    are done in a worker process first, and only those that finish there are done here. A call that the devices do not
    compute is plain Python's; an evaluation with such a call counts as fallen back, for the reason of the first.
    ``workers`` counts threads.
    """

    name = "eager_gpu"

    def __init__(self, job: Job, workers: int, devices: Sequence[DeviceMachine] | None = None) -> None:
        """Load the programs.

        Args:
            job: what to evaluate, and within which limits.
            workers: threads, if they are more than 32, and processes for what is in doubt.
            devices: which ``close`` closes; None for all that there are.

        Raises:
            CudaUnavailable: there is none.
        """
        self._job = job
        self._processes = workers
        self.workers = max(_LEAST_THREADS, workers)
        workload = job.workload
        modules = dict.fromkeys(key.module for key in workload.programs)
        known = {(program.module, program.name): program for program in load_programs(modules)[0]}
        programs = [known[key.module, key.name] for key in workload.programs]
        self._functions = [program.function for program in programs]
        self._sources = sources_of(programs)
        doubtful = {module for module in modules if not is_harmless(module)}
        self._doubtful = [e for e, (p, _) in enumerate(workload.evaluations) if workload.programs[p].module in doubtful]
        self._excluded: frozenset[int] = frozenset()
        self._unfinished: set[int] = set()
        self._running: Generator[tuple[int, Outcome, Any], None, None] | None = (
            None  # of check, which may be left before it is done
        )
        self.machine = MultiDevice(open_devices() if devices is None else devices)
        self._batcher = Batcher(self.machine)

    def check(self) -> Iterable[list[Outcome]]:
        """See ``Mode``."""
        if self._doubtful:
            with WorkerPool(self._job, self._processes) as pool:
                for outcomes in pool.check(Span(e, e + 1) for e in self._doubtful):
                    lost = [own.because(_UNFINISHED) for own in outcomes if own.status not in ("ok", "failed")]
                    self._unfinished.update(own.evaluation for own in lost)
                    yield lost
        found: list[Outcome] = []
        rest = [e for e in range(len(self._job.workload.evaluations)) if e not in self._unfinished]
        self._running = self._run(rest)
        with closing(self._running) as running:  # whoever leaves early must not leave threads at work: others are timed
            for _, outcome, output in running:
                found.append(self._finished(outcome, output))
                if len(found) == _CHECKED_TOGETHER:
                    yield found
                    found = []
        yield found

    def restore(self, fell_back: Mapping[int, str]) -> None:
        """See ``Restorable``."""
        self._unfinished = {evaluation for evaluation, reason in fell_back.items() if reason == _UNFINISHED}

    def prepare(self, costs: Sequence[float], excluded: frozenset[int]) -> None:
        """See ``Mode``."""
        self._excluded = excluded

    def block(self, passes: int, draw: Draw = NOTHING_DRAWN) -> Block:
        """See ``Mode``; what the devices did is in the block, an evaluation of theirs being a call."""
        self._require_device()
        left_out = self._excluded | self._unfinished
        kept = [e for e in range(len(self._job.workload.evaluations)) if e not in left_out]
        drawn = {draw.turn * len(kept) + place for place, e in enumerate(kept) if e in draw.evaluations}
        self.machine.work()  # of what was not timed
        programs = [program for program, _ in self._job.workload.evaluations]
        timings: list[list[ProgramTiming]] = []
        outputs: list[tuple[Outcome, Any]] = []
        start, cpu = perf_counter(), process_time()
        for place, outcome, output in self._run(kept * passes):
            timings.append([ProgramTiming(programs[outcome.evaluation], 1, outcome.seconds)])
            if place in drawn:
                outputs.append((outcome, output))
        wall, cpu = perf_counter() - start, process_time() - cpu
        self._require_device()
        finished = [self._finished(outcome, output) for outcome, output in outputs]
        return Block(
            wall,
            joined(timings),
            cpu_s=cpu,
            outputs=tuple(KeptOutput(own.evaluation, own.status, digest=own.digest) for own in finished),
            devices=self.machine.work(),
        )

    def _require_device(self) -> None:
        if self._batcher.lost is not None:
            raise ModeFailed(self._batcher.lost)

    def _run(self, evaluations: Sequence[int]) -> Generator[tuple[int, Outcome, Any], None, None]:
        """Evaluate in threads, and yield place, outcome without a digest, and output of each as it is known."""
        waiting = iter(enumerate(evaluations))
        lock = threading.Lock()
        done: SimpleQueue[tuple[int, Outcome, Any] | BaseException] = SimpleQueue()
        context = batch_dsl_context(self._batcher, size=self.workers)

        def serve() -> None:
            try:
                with context.worker():
                    while True:
                        with lock:
                            following = next(waiting, None)
                        if following is None:
                            return
                        place, evaluation = following
                        done.put((place, *self._evaluate(context, evaluation)))
            except Stopped:
                pass
            except BaseException as error:  # of ours
                done.put(error)

        count = min(self.workers, len(evaluations))
        threads = [threading.Thread(target=serve, name=f"eager_gpu {k}", daemon=True) for k in range(count)]
        with context:
            try:
                for thread in threads:
                    thread.start()
                for _ in evaluations:
                    found = done.get()
                    if isinstance(found, BaseException):
                        raise found
                    yield found
            finally:
                context.stop()
                for thread in threads:
                    if thread.ident is not None:
                        thread.join()

    def _evaluate(self, context: BatchContext, evaluation: int) -> tuple[Outcome, Any]:
        workload = self._job.workload
        program, position = workload.evaluations[evaluation]
        arguments = workload.arguments(evaluation)
        status: Status = "ok"
        output: Any = None
        error, equal = None, None
        start = perf_counter()
        with context.tally() as tally:
            try:
                output = self._functions[program](*arguments)
            except Stopped:
                raise
            except BaseException as raised:  # a program may raise anything
                status, error = "failed", f"{type(raised).__name__}: {raised}"[:ERROR_LENGTH]
        seconds = perf_counter() - start
        expected = workload.samples[position].output
        if expected is not None and workload.programs[program].kind == "solver":
            equal = status == "ok" and output == expected
        outcome = Outcome(evaluation, status, error, equal, None, seconds)
        return outcome.because(next(iter(tally.fell_back))) if tally.fell_back else outcome, output

    def _finished(self, outcome: Outcome, output: Any) -> Outcome:
        """Return an outcome with the digest of its output; it failed where that is no value of the DSL."""
        if outcome.status != "ok":
            return outcome
        try:
            return replace(outcome, digest=digest_of(output))
        except TypeError as raised:
            return replace(outcome, status="failed", error=f"TypeError: {raised}"[:ERROR_LENGTH])

    def sources(self) -> Sources:
        """See ``KnowsSources``."""
        return self._sources

    def close(self) -> None:
        """See ``Mode``."""
        if self._running is not None:
            self._running.close()  # ends its threads, and puts back what was intercepted
        self._batcher.close()
