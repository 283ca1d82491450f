"""What a worker process does: evaluate programs with the reference, checked, timed or profiled.

Only what evaluation needs is imported here, since every worker imports it.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import groupby
from pathlib import Path
from time import perf_counter, process_time, sleep
from traceback import walk_tb
from typing import Any, Literal

from harness.batt.loader import Program, load_programs
from harness.dsl import PROGRAM_NAMESPACE
from harness.dsl.canonical import canonical_key
from harness.measure.primitives import Counts, instrument
from harness.measure.sources import Sources, sources_of
from harness.run.limits import EvaluationTimeout, Watchdog, end_with_parent, limit_memory
from harness.run.workload import Workload
from harness.spelling import nearest

Status = Literal["ok", "failed", "timeout", "died"]
IDLE = -1
SLOT_FIELDS = 2  # evaluation, process id
ERROR_LENGTH = 500  # characters of an error that are kept
_MOST_GROUPS = 256  # of spans whose programs are kept in mind


@dataclass(frozen=True)
class Job:
    """What a worker needs to know once.

    Attributes:
        workload: what there is to evaluate.
        timeout_s: seconds that one evaluation may take.
        memory_gb: GiB of address space that the worker may take; None for no limit.
    """

    workload: Workload
    timeout_s: float
    memory_gb: float | None


@dataclass(frozen=True)
class Draw:
    """Evaluations of a timed block whose outputs are kept, to be compared with the reference's after the block.

    Attributes:
        evaluations: which ones.
        turn: in which pass over the workload, from 0.
    """

    evaluations: frozenset[int] = frozenset()
    turn: int = 0

    def within(self, start: int, stop: int) -> Draw:
        """Return what of it is in a part of the workload."""
        return replace(self, evaluations=self.evaluations.intersection(range(start, stop)))


NOTHING_DRAWN = Draw()


@dataclass(frozen=True)
class Span:
    """A part of a workload: evaluations ``start`` to ``stop``, without those in ``excluded``, ``passes`` times."""

    start: int
    stop: int
    excluded: frozenset[int] = frozenset()
    passes: int = 1
    draw: Draw = NOTHING_DRAWN


@dataclass(frozen=True)
class Outcome:
    """What became of one evaluation.

    Attributes:
        evaluation: its position in the workload.
        status: ``ok``, ``failed`` (it raised), ``timeout``, or ``died`` (it took its process with it).
        error: what was raised; None if nothing was.
        equal: whether the output is the expected one; None where none is known, and for batts.
        digest: of the output, the same in every process; None unless ok.
        seconds: how long it took, monotonic clock.
        fell_back: why the mode left it to the reference; None if it did not.
    """

    evaluation: int
    status: Status
    error: str | None
    equal: bool | None
    digest: str | None
    seconds: float
    fell_back: str | None = None

    def because(self, reason: str) -> Outcome:
        """Return the outcome, marked as the reference's."""
        return replace(self, fell_back=reason)


@dataclass(frozen=True)
class ProgramTiming:
    """Time that a span spent in the evaluations of one program, in seconds of the monotonic clock."""

    program: int
    evaluations: int
    seconds: float


@dataclass(frozen=True)
class KeptOutput:
    """What an evaluation of a timed block returned, kept at little cost: it is looked at after the block.

    Attributes:
        evaluation: its position in the workload.
        status: ``ok`` or ``failed``.
        pickled: the output; None where it failed.
        digest: in place of ``pickled`` where that cannot be done.
    """

    evaluation: int
    status: Status
    pickled: bytes | None = None
    digest: str | None = None


@dataclass(frozen=True)
class SpanTiming:
    """What timing a span gave.

    Attributes:
        timings: of each of its programs.
        worker: process id.
        began: when the worker got the span, in seconds of the monotonic clock that all processes share.
        ended: when it was done with it; likewise.
        cpu_s: seconds of CPU time that the worker got meanwhile.
        collections: garbage collections meanwhile.
        kept: outputs that were drawn.
    """

    timings: tuple[ProgramTiming, ...]
    worker: int
    began: float
    ended: float
    cpu_s: float
    collections: int
    kept: tuple[KeptOutput, ...]


class EvaluationLost(Exception):
    """An evaluation ran past its limit while it was timed; the one argument is its position in the workload."""


class _Worker:
    """The state of a worker process."""

    def __init__(self, job: Job, current: Any, beats: Any, slot: int, taken: Any) -> None:
        self.job = job
        self.taken = taken
        self.workload = job.workload
        programs = _programs(job.workload, PROGRAM_NAMESPACE)
        self.functions = [program.function for program in programs]
        self.sources = sources_of(programs)
        self.arguments = [job.workload.arguments(e) for e in range(len(job.workload.evaluations))]
        self.current, self.position = current, slot * SLOT_FIELDS
        self._groups: dict[tuple[int, int, frozenset[int]], list[tuple[int, list[int]]]] = {}
        self.watchdog = Watchdog(job.timeout_s, current, self.position, beats, slot, own=__name__)

    def groups(self, span: Span) -> list[tuple[int, list[int]]]:
        """Return (program, its evaluations) for each program of a span; once, for blocks have the same spans."""
        key = (span.start, span.stop, span.excluded)
        if key not in self._groups:
            if len(self._groups) == _MOST_GROUPS:
                self._groups.clear()
            kept = [e for e in range(span.start, span.stop) if e not in span.excluded]
            by_program = groupby(kept, lambda evaluation: self.workload.evaluations[evaluation][0])
            self._groups[key] = [(program, list(evaluations)) for program, evaluations in by_program]
        return self._groups[key]

    def rest(self) -> None:
        """Stop the watchdog, and announce that nothing is evaluated."""
        self.watchdog.stop()
        self.current[self.position] = IDLE


_worker: _Worker | None = None


def _state() -> _Worker:
    if _worker is None:
        raise RuntimeError("start_worker was not called in this process")
    return _worker


def _programs(workload: Workload, namespace: Mapping[str, Any]) -> list[Program]:
    """Load the programs of a workload, in its order."""
    modules = dict.fromkeys(key.module for key in workload.programs)
    programs, rejected = load_programs(modules, namespace)
    known = {(program.module, program.name): program for program in programs}
    missing = [key for key in workload.programs if (key.module, key.name) not in known]
    if missing:
        causes = "; ".join(r.detail for r in rejected) or "it is no longer defined"
        raise RuntimeError(f"{missing[0].module}:{missing[0].name} loaded before, but not in a worker: {causes}")
    return [known[key.module, key.name] for key in workload.programs]


def start_worker(job_file: str, current: Any, beats: Any, next_slot: Any, taken: Any) -> None:
    """Set up a worker process.

    Args:
        job_file: path of the pickled ``Job``.
        current: shared integers, ``SLOT_FIELDS`` for each worker: the evaluation under way, and the process id.
        beats: shared floats, one for each worker: see ``Watchdog``.
        next_slot: shared counter that gives each worker its slot.
        taken: shared counter of the spans that workers have taken of those that they share.
    """
    global _worker  # noqa: PLW0603 - a pool's functions have no other place for a process's state
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which stops its workers
    with next_slot.get_lock():
        slot = next_slot.value
        next_slot.value += 1
    end_with_parent()
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - what programs print is dropped, for good
    with Path(job_file).open("rb") as stream:
        job: Job = pickle.load(stream)
    limit_memory(job.memory_gb)
    _worker = _Worker(job, current, beats, slot, taken)
    gc.collect()
    gc.freeze()  # the workload stays for good: keep it out of the collections that evaluations trigger
    current[slot * SLOT_FIELDS + 1] = os.getpid()


def meet() -> None:
    """Wait until all workers of the pool are ready; as many of these calls as there are workers meet one in each."""
    worker = _state()
    while not all(worker.current[1::SLOT_FIELDS]):
        sleep(0.002)


def check(span: Span) -> list[Outcome]:
    """Evaluate a span once, and tell what came out of each evaluation."""
    worker = _state()
    outcomes = []
    worker.watchdog.start()
    for program, evaluations in worker.groups(span):
        function = worker.functions[program]
        for evaluation in evaluations:
            worker.current[worker.position] = evaluation
            outcomes.append(_outcome(worker, evaluation, function))
    worker.rest()
    return outcomes


def _outcome(worker: _Worker, evaluation: int, function: Callable[..., Any]) -> Outcome:
    start = perf_counter()
    status: Status = "ok"
    output: Any = None
    error, digest, equal = None, None, None
    try:
        output = function(*worker.arguments[evaluation])
        seconds = perf_counter() - start
        digest = digest_of(output)
    except EvaluationTimeout:
        seconds = perf_counter() - start
        status, error = "timeout", f"ran past {worker.job.timeout_s:g} s"
    except BaseException as raised:  # SystemExit and its like end the program, not the worker
        seconds = perf_counter() - start
        status, error = "failed", _describe(raised, function)
    program, position = worker.workload.evaluations[evaluation]
    expected = worker.workload.samples[position].output
    if expected is not None and worker.workload.programs[program].kind == "solver":
        equal = status == "ok" and output == expected
    return Outcome(evaluation, status, error, equal, digest, seconds)


def loaded_sources(_: Span) -> Sources:
    """Return the files that this worker evaluates programs of."""
    return _state().sources


def try_tracing(span: Span) -> list[Outcome]:
    """Trace the programs of a span, once for each evaluation, and tell how each trace ended.

    It is done in a worker first where tracing might not end, or take its process with it. A program that cannot be
    traced is ``ok`` all the same: it says so again where it matters.
    """
    from harness.compiler import Untraceable, trace  # noqa: PLC0415 - few workers need it

    worker = _state()
    programs = {(p.module, p.name): p for p in load_programs({key.module for key in worker.workload.programs})[0]}
    outcomes = []
    worker.watchdog.start()
    for evaluation in (e for e in range(span.start, span.stop) if e not in span.excluded):
        key = worker.workload.programs[worker.workload.evaluations[evaluation][0]]
        worker.current[worker.position] = evaluation
        start = perf_counter()
        status: Status = "ok"
        error = None
        try:
            trace(programs[key.module, key.name])
        except Untraceable:
            pass
        except EvaluationTimeout:
            status, error = "timeout", f"ran past {worker.job.timeout_s:g} s"
        except BaseException as raised:
            status, error = "failed", f"raised {type(raised).__name__}"
        outcomes.append(Outcome(evaluation, status, error, None, None, perf_counter() - start))
    worker.rest()
    return outcomes


def _describe(raised: BaseException, function: Callable[..., Any]) -> str:
    """Return what was raised, and at which line of the program's module."""
    try:
        text = str(raised)
    except BaseException as again:  # exceptions of a program may be as broken as the rest of it
        text = f"its message raises {type(again).__name__}"
    if isinstance(raised, NameError) and raised.name:
        text += nearest(raised.name, PROGRAM_NAMESPACE)
    file = getattr(getattr(function, "__code__", None), "co_filename", None)
    lines = [line for frame, line in walk_tb(raised.__traceback__) if frame.f_code.co_filename == file]
    where = f" (line {lines[-1]})" if lines else ""
    text = f"{type(raised).__name__}: {text}".encode(errors="backslashreplace").decode()
    return text[: ERROR_LENGTH - len(where)] + where


def digest_of(output: Any) -> str:
    """Return a digest of a program's output: a DSL value, or a batt's two lists of tuples whose last item is one.

    Raises:
        TypeError: if it is neither.
    """
    return blake2b(repr(canonical_key(_frozen(output))).encode(), digest_size=16).hexdigest()


def _frozen(output: Any) -> Any:
    """Make of a batt's lists tuples, and of the names in them tuples of code points, which have an order."""
    if isinstance(output, list | tuple):
        return tuple([_frozen(item) for item in output])
    return tuple(output.encode()) if isinstance(output, str) else output


def time_span(span: Span) -> SpanTiming:
    """Evaluate a span, and return the time spent in each program's evaluations, and the outputs that are drawn.

    Raises:
        EvaluationLost: if an evaluation runs past its limit.
    """
    began, cpu, collections = perf_counter(), process_time(), _collections()
    worker = _state()
    groups = worker.groups(span)
    current, position, arguments = worker.current, worker.position, worker.arguments
    seconds = [0.0] * len(groups)
    drawn: dict[int, tuple[Status, Any]] = {}
    with_drawn = {n for n, (_, own) in enumerate(groups) if not span.draw.evaluations.isdisjoint(own)}
    try:
        for turn in range(span.passes):
            worker.watchdog.start()
            for number, (program, evaluations) in enumerate(groups):
                function = worker.functions[program]
                start = perf_counter()
                if turn == span.draw.turn and number in with_drawn:
                    _evaluate_keeping(worker, function, evaluations, span.draw.evaluations, drawn)
                    seconds[number] += perf_counter() - start
                    continue
                for evaluation in evaluations:
                    current[position] = evaluation
                    try:
                        function(*arguments[evaluation])
                    except EvaluationTimeout:
                        raise
                    except BaseException:
                        pass  # `check` has told that it fails
                seconds[number] += perf_counter() - start
        kept = tuple(_kept(evaluation, *found) for evaluation, found in drawn.items())
    except EvaluationTimeout:
        raise EvaluationLost(current[position]) from None
    finally:
        worker.rest()
    timings = tuple(
        ProgramTiming(program, len(evaluations) * span.passes, spent)
        for (program, evaluations), spent in zip(groups, seconds, strict=True)
    )
    return SpanTiming(
        timings, os.getpid(), began, perf_counter(), process_time() - cpu, _collections() - collections, kept
    )


def time_shared(spans: Sequence[Span]) -> list[SpanTiming]:
    """Time spans that all workers of the pool were given, each of them taking the next until none is left.

    Raises:
        EvaluationLost: if an evaluation runs past its limit.
    """
    taken = _state().taken
    done: list[SpanTiming] = []
    while True:
        with taken.get_lock():
            number = taken.value
            taken.value += 1
        if number >= len(spans):
            return done
        done.append(time_span(spans[number]))


def _collections() -> int:
    """Return how many garbage collections there were in this process."""
    return sum(generation["collections"] for generation in gc.get_stats())


def _evaluate_keeping(
    worker: _Worker,
    function: Callable[..., Any],
    evaluations: Sequence[int],
    wanted: frozenset[int],
    drawn: dict[int, tuple[Status, Any]],
) -> None:
    """Evaluate as ``time_span`` does, and put (status, output) of the evaluations that are wanted into ``drawn``."""
    current, position, arguments = worker.current, worker.position, worker.arguments
    for evaluation in evaluations:
        current[position] = evaluation
        status: Status = "ok"
        output = None
        try:
            output = function(*arguments[evaluation])
        except EvaluationTimeout:
            raise
        except BaseException:
            status = "failed"
        if evaluation in wanted:
            drawn[evaluation] = status, output


def _kept(evaluation: int, status: Status, output: Any) -> KeptOutput:
    """Pickle an output, which is quicker than to take its digest; where that cannot be done, take the digest."""
    if status != "ok":
        return KeptOutput(evaluation, status)
    try:
        return KeptOutput(evaluation, status, pickle.dumps(output, pickle.HIGHEST_PROTOCOL))
    except EvaluationTimeout:
        raise
    except Exception:  # what a program returns need not be a DSL value, and may do anything when it is looked at
        return _with_digest(KeptOutput(evaluation, status), output)


def _with_digest(kept: KeptOutput, output: Any) -> KeptOutput:
    try:
        return replace(kept, pickled=None, digest=digest_of(output))
    except EvaluationTimeout:
        raise
    except BaseException:
        return replace(kept, status="failed", pickled=None)  # as `check` has it


def look_at(kept: Sequence[KeptOutput]) -> list[KeptOutput]:
    """Replace the outputs that were kept in a timed block by their digests.

    Raises:
        EvaluationLost: if that takes longer than an evaluation may.
    """
    worker = _state()
    worker.watchdog.start()
    found = []
    try:
        for own in kept:
            worker.current[worker.position] = own.evaluation
            found.append(own if own.pickled is None else _with_digest(own, pickle.loads(own.pickled)))
    except EvaluationTimeout:
        raise EvaluationLost(worker.current[worker.position]) from None
    finally:
        worker.rest()
    return found


def profile(span: Span) -> dict[tuple[int, str], tuple[int, float]]:
    """Evaluate a span once with every primitive counted and timed.

    Returns:
        (calls, seconds in the primitive itself) by (program, primitive).

    Raises:
        EvaluationLost: if an evaluation runs past its limit.
    """
    worker = _state()
    counts = Counts()
    functions = [program.function for program in _programs(worker.workload, instrument(PROGRAM_NAMESPACE, counts))]
    found: dict[tuple[int, str], tuple[int, float]] = {}
    worker.watchdog.start()
    try:
        for program, evaluations in worker.groups(span):
            counts.clear()
            for evaluation in evaluations:
                worker.current[worker.position] = evaluation
                try:
                    functions[program](*worker.arguments[evaluation])
                except EvaluationTimeout:
                    raise
                except BaseException:
                    pass  # what it called until then is counted
            found |= {(program, name): row for name, row in counts.by_primitive().items()}
    except EvaluationTimeout:
        raise EvaluationLost(worker.current[worker.position]) from None
    finally:
        worker.rest()
    return found
