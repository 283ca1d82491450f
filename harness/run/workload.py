"""A workload: programs, samples, and the evaluations (program, sample) that a run does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from os import devnull
from typing import Any

from harness.batt.loader import Kind, Program
from harness.dsl.types import Grid
from harness.samples import Sample, Task


@dataclass(frozen=True)
class ProgramKey:
    """What another process needs to find a program: see ``harness.batt.loader.Program``."""

    module: str
    name: str
    kind: Kind
    task: str | None


@dataclass(frozen=True)
class Workload:
    """Programs and samples, and which meet.

    Attributes:
        programs: what is evaluated.
        samples: what they are evaluated on.
        pairs: for each task the (input, output) pairs of its train samples, a batt's ``S``.
        evaluations: (program, sample) as positions in ``programs`` and ``samples``, one program's side by side.
        without_samples: programs of which no sample is there, so that they are not run.
    """

    programs: tuple[ProgramKey, ...]
    samples: tuple[Sample, ...]
    pairs: Mapping[str, tuple[tuple[Grid, Grid | None], ...]]
    evaluations: tuple[tuple[int, int], ...]
    without_samples: tuple[ProgramKey, ...] = ()

    def arguments(self, evaluation: int) -> tuple[Any, ...]:
        """Return the arguments with which an evaluation calls its program."""
        program, position = self.evaluations[evaluation]
        sample = self.samples[position]
        if self.programs[program].kind == "solver":
            return (sample.input,)
        return (sample.task, self.pairs[sample.task], sample.input, sample.output, devnull)

    def label(self, evaluation: int) -> str:
        """Return an evaluation's program, task and sample, for messages."""
        program, position = self.evaluations[evaluation]
        sample = self.samples[position]
        return f"{self.programs[program].name} on {sample.task} {sample.name}"


def make_workload(
    programs: Sequence[Program],
    tasks: Mapping[str, Task],
    samples: Sequence[Sample],
    batt_samples: int | None = None,
) -> Workload:
    """Bring programs and samples together.

    A solver meets the samples of its task. A batt meets those of the tasks that its module names in ``TASKS``, or of
    all; ``batt_samples`` limits them to so many, taken from the tasks in turn.

    Args:
        programs: as loaded.
        tasks: by name, for the train pairs that batts are given.
        samples: all that there are, one task's side by side.
        batt_samples: how many samples a batt meets at most; None for all.
    """
    by_task: dict[str, list[int]] = {}
    for position, sample in enumerate(samples):
        by_task.setdefault(sample.task, []).append(position)
    keys: list[ProgramKey] = []
    missing: list[ProgramKey] = []
    evaluations: list[tuple[int, int]] = []
    for program in programs:
        if program.task is not None:
            met = by_task.get(program.task, [])
        else:
            groups = [by_task[task] for task in program.tasks or by_task if task in by_task]
            turns = chain.from_iterable(zip_longest(*groups))
            met = [position for position in turns if position is not None][:batt_samples]
        key = ProgramKey(program.module, program.name, program.kind, program.task)
        if met:
            evaluations += [(len(keys), position) for position in met]
            keys.append(key)
        else:
            missing.append(key)
    pairs = {name: tuple((s.input, s.output) for s in task.train) for name, task in tasks.items()}
    return Workload(tuple(keys), tuple(samples), pairs, tuple(evaluations), tuple(missing))
