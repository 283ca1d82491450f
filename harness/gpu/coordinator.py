"""``MegaBatchCoordinator``: a batt over all samples of many tasks, and its answers merged back per task."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Any

from harness.batt.loader import Program, load_programs
from harness.compiler import Untraceable, trace
from harness.gpu.batch import HOST, REFERENCE, describe_reasons
from harness.gpu.context import batch_dsl_context
from harness.gpu.device import AllDevicesFailed, CudaUnavailable
from harness.gpu.devices import open_devices
from harness.gpu.sharing import MultiDevice
from harness.measure.usable import usable_cpus
from harness.samples import Sample, Task
from harness.samples.problems import Problems
from harness.samples.validate import parse_task
from harness.spelling import nearest
from harness.vm.engine import REASONS, Engine
from harness.vm.native import FAILED, NOT_HANDLED

_LOG = logging.getLogger(__name__)
_IN_MACHINE = "raised in the virtual machine, which does not say what"
_EAGER_THREADS = 32


@dataclass(frozen=True)
class SampleAnswer:
    """What a batt returned for a sample.

    Attributes:
        sample: its name, e.g. ``test[0]``.
        s, o: the two lists; None where the batt raised.
        error: what was raised; None if nothing was.
        device: what computed: ``cuda:0``, ``the host machine``, ``the reference``, or e.g. ``cuda:0, eagerly``.
    """

    sample: str
    s: list[Any] | None
    o: list[Any] | None
    error: str | None
    device: str


@dataclass
class TaskAnswer:
    """What a batt returned for a task.

    Attributes:
        task: its name.
        samples: one for each sample, train before test.
        s, o: the tuples of all of them, each with the name of its sample before it.
    """

    task: str
    samples: list[SampleAnswer] = field(default_factory=list)

    @property
    def s(self) -> list[tuple[Any, ...]]:
        """See the class."""
        return [(own.sample, *item) for own in self.samples for item in own.s or ()]

    @property
    def o(self) -> list[tuple[Any, ...]]:
        """See the class."""
        return [(own.sample, *item) for own in self.samples for item in own.o or ()]


class MegaBatchCoordinator:
    """A batt that is run over many samples: compiled where it can be traced, eagerly where not.

    A compiled batt is evaluated by the virtual machine, on every CUDA device or on the host. One that cannot be traced
    runs in threads as the Python that it is, its DSL calls on the devices (``batch_dsl_context``), or plainly where
    there is none. What the machine does not handle, the reference does. Everything that does not run where it should
    is warned of and counted.

    A batt runs in this process: one that does not end cannot be ended, but by Ctrl-C.

    Attributes:
        fell_back: samples that the reference did, by reason, in the last ``process_all``.
    """

    def __init__(
        self,
        batt_module_name: str,
        batch_size: int = 1024,
        enable_gpu: bool = True,
        parallel: bool = True,
        max_workers: int | None = None,
    ) -> None:
        """Load the batt.

        Args:
            batt_module_name: a module or file with one batt, as ``harness.batt.loader.load_programs`` takes it.
            batch_size: samples that are evaluated, and whose answers are held as the machine has them, at a time.
            enable_gpu: whether to use CUDA devices; without one a warning says that the host does it.
            parallel: whether several threads may be used.
            max_workers: how many; None for one per usable CPU, or 32 where a batt runs eagerly.

        Raises:
            ValueError: there is no such batt, or there are several, or a number is out of range.
        """
        if batch_size < 1 or (max_workers is not None and max_workers < 1):
            raise ValueError(f"batch_size and max_workers are at least 1, not {batch_size} and {max_workers}")
        programs, rejected = load_programs([batt_module_name])
        batts = [program for program in programs if program.kind == "batt"]
        if len(batts) != 1:
            reasons = "".join(f"; {own.detail}" for own in rejected)
            raise ValueError(f"{batt_module_name}: {len(batts)} batts, and one is needed{reasons}")
        self.program: Program = batts[0]
        self.batch_size = batch_size
        self.enable_gpu = enable_gpu
        self.workers = 1 if not parallel else max_workers
        self.fell_back: Counter[str] = Counter()
        self._lock = threading.Lock()

    def process_all(self, data: Mapping[str, Any], task_list: Sequence[str] | None = None) -> dict[str, TaskAnswer]:
        """Run the batt on every sample of tasks.

        Args:
            data: by task name a ``Task``, or ``{"train": [{"input": grid, "output": grid}, ...], "test": [...]}``.
            task_list: the tasks; None for all.

        Returns:
            The answers by task, in the order of ``task_list``.

        Raises:
            KeyError: a task is not there.
            BadDataError: a task is none.
        """
        tasks = _tasks(data, list(data) if task_list is None else task_list)
        samples = [sample for task in tasks.values() for sample in task.samples]
        pairs = {name: tuple((own.input, own.output) for own in task.train) for name, task in tasks.items()}
        self.fell_back = Counter()
        machine = self._machine()
        refusal = None
        try:
            trace(self.program)
        except Untraceable as error:
            refusal = f"untraceable: {error}"
            _LOG.warning("process_all: %s cannot be compiled: %s", self.program.module, refusal)
        if refusal is None:
            answers = self._compiled(machine, samples, pairs)
        else:
            answers = self._eager(machine, samples, pairs, refusal)
        merged = {name: TaskAnswer(name) for name in tasks}
        devices: Counter[str] = Counter()
        with closing(answers):  # on Ctrl-C, too, so that what was intercepted is put back
            for sample, answer in zip(samples, answers, strict=True):
                merged[sample.task].samples.append(answer)
                devices[answer.device] += 1
        if self.fell_back:
            _LOG.warning(
                "process_all: not all of %d samples ran where they should (%s)",
                *(len(samples), describe_reasons(self.fell_back)),
            )
        _LOG.info(
            "process_all: %d samples of %d tasks, %s, on %s",
            *(len(samples), len(tasks), self.program.module, describe_reasons(devices) or "nothing"),
        )
        return merged

    def _machine(self) -> MultiDevice | None:
        """Return the CUDA devices; None if there is none, or if there should be none."""
        if self.enable_gpu:
            try:
                return MultiDevice(open_devices())
            except CudaUnavailable as error:
                _LOG.warning("process_all: no CUDA device: %s; the host computes", error)
        return None

    def _compiled(
        self, machine: MultiDevice | None, samples: Sequence[Sample], pairs: Mapping[str, Any]
    ) -> Generator[SampleAnswer, None, None]:
        with Engine(machine=machine) if machine is not None else Engine(threads=self.workers) as engine:
            engine.add_programs([self.program])
            numbers = engine.add_samples(samples, pairs)
            for start in range(0, len(numbers), self.batch_size):
                own = numbers[start : start + self.batch_size]
                try:
                    found = engine.evaluate([(0, number) for number in own], outputs=True, fallback=False)
                except AllDevicesFailed as error:
                    for number in own:
                        yield self._by_reference(engine.samples[number], pairs, f"no device: {error}")
                    continue
                device = machine.used if machine is not None else HOST
                for k, number in enumerate(own):
                    sample = engine.samples[number]
                    if found.status[k] == NOT_HANDLED:
                        reason = engine.programs[0].refusal or REASONS[int(found.reason[k])]
                        yield self._by_reference(sample, pairs, reason)
                    elif found.status[k] == FAILED:
                        yield SampleAnswer(sample.name, None, None, _IN_MACHINE, device)
                    else:
                        s, o = found.output(k)
                        yield SampleAnswer(sample.name, s, o, None, device)

    def _eager(
        self, machine: MultiDevice | None, samples: Sequence[Sample], pairs: Mapping[str, Any], refusal: str
    ) -> Generator[SampleAnswer, None, None]:
        with ExitStack() as stack:
            threads = self.workers or usable_cpus()
            if machine is None:
                pool = stack.enter_context(ThreadPoolExecutor(threads))
                yield from pool.map(lambda sample: self._by_reference(sample, pairs, refusal), samples)
                return
            stack.callback(machine.close)
            threads = self.workers or _EAGER_THREADS
            context = stack.enter_context(batch_dsl_context(machine, size=threads))
            pool = stack.enter_context(ThreadPoolExecutor(threads))

            def run(sample: Sample) -> SampleAnswer:
                with context.worker(), context.tally() as tally:
                    s, o, error = self._call(sample, pairs)
                device = f"{machine.names}, eagerly"
                if tally.fell_back:
                    self._count(next(iter(tally.fell_back)))
                    device = f"{device}, and {REFERENCE}" if tally.on_device else REFERENCE
                return SampleAnswer(sample.name, s, o, error, device)

            try:
                yield from pool.map(run, samples)
            except BaseException:
                context.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _by_reference(self, sample: Sample, pairs: Mapping[str, Any], reason: str) -> SampleAnswer:
        self._count(reason)
        s, o, error = self._call(sample, pairs)
        return SampleAnswer(sample.name, s, o, error, REFERENCE)

    def _count(self, reason: str) -> None:
        with self._lock:
            self.fell_back[reason] += 1

    def _call(self, sample: Sample, pairs: Mapping[str, Any]) -> tuple[list[Any] | None, list[Any] | None, str | None]:
        try:
            s, o = self.program.function(sample.task, pairs[sample.task], sample.input, sample.output, os.devnull)
        except Exception as error:  # a program may raise anything
            return None, None, f"{type(error).__name__}: {error}"
        return s, o, None


def _tasks(data: Mapping[str, Any], names: Sequence[str]) -> dict[str, Task]:
    tasks: dict[str, Task] = {}
    problems = Problems()
    for name in names:
        if name not in data:
            raise KeyError(f"there is no task {name!r} in the data{nearest(name, data)}")
        value = data[name]
        if not isinstance(value, Task):
            value = parse_task(_as_json(value), name, "data", problems, needs_output=False)
        tasks[name] = value
    problems.refuse()
    return tasks


def _as_json(value: Any) -> Any:
    """Return data with lists in place of tuples."""
    if isinstance(value, dict):
        return {key: _as_json(own) for key, own in value.items()}
    return [_as_json(own) for own in value] if isinstance(value, list | tuple) else value
