"""Tasks and samples: what programs are evaluated on."""

from __future__ import annotations

from dataclasses import dataclass

from harness.dsl.types import Grid


@dataclass(frozen=True, slots=True)
class Sample:
    """One input of a task and, where it is known, the output that solves it.

    Attributes:
        task: name of the task.
        name: unique within the task, e.g. ``train[0]``; an augmented sample adds how it was made.
        split: ``train`` or ``test``.
        input: a grid of 1x1 to 30x30 colours 0-9.
        output: likewise; None where there is no solution.
    """

    task: str
    name: str
    split: str
    input: Grid
    output: Grid | None


@dataclass(frozen=True, slots=True)
class Task:
    """A task: the samples that show its rule, and those that ask for it.

    Attributes:
        name: e.g. ``007bbfb7``.
        train: samples with outputs.
        test: samples, with outputs where the data has them.
    """

    name: str
    train: tuple[Sample, ...]
    test: tuple[Sample, ...]

    @property
    def samples(self) -> tuple[Sample, ...]:
        """All samples, train before test."""
        return self.train + self.test
