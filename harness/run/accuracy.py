"""Accuracy rides along: outputs of timed blocks, drawn at random, are compared with the reference's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from harness.config import MEASURED_NAMES
from harness.run.pool import WorkerPool
from harness.run.worker import Draw, Job, KeptOutput, Outcome, Span


class Accuracy:
    """Draws evaluations of timed blocks, and compares what these blocks gave with the reference."""

    def __init__(self, job: Job, count: int, seed: int, reference: Mapping[int, Outcome] | None) -> None:
        """Compare, but draw nothing yet.

        Args:
            job: what is evaluated, and within which limits.
            count: evaluations to draw of each block.
            seed: the same one draws the same evaluations.
            reference: outcomes of the reference by evaluation; None where it did not run: what is drawn is then
                evaluated by it when it is first needed, in a worker process.
        """
        self._job, self._count, self._seed = job, count, seed
        self._complete = reference is not None
        self._reference = dict(reference or {})

    def draw(self, mode: str, block: int, passes: int, excluded: Iterable[int]) -> Draw:
        """Draw evaluations of a block to come, without those excluded.

        Args:
            mode: its name.
            block: number of the block.
            passes: how often the block evaluates the workload.
            excluded: evaluations that the block leaves out.
        """
        generator = np.random.default_rng([self._seed % 2**64, MEASURED_NAMES.index(mode), block])
        kept = np.setdiff1d(np.arange(len(self._job.workload.evaluations)), list(excluded))
        chosen = generator.choice(kept, min(self._count, len(kept)), replace=False)
        return Draw(frozenset(chosen.tolist()), int(generator.integers(passes)))

    def compare(self, mode: str, block: int, draw: Draw, outputs: Sequence[KeptOutput]) -> list[dict[str, Any]]:
        """Compare the outputs of a block with the reference's; return the rows of ``accuracy``.

        An evaluation that was drawn, and of which the block gave no output, is not equal.
        """
        self._evaluate(draw.evaluations)
        found = {own.evaluation: own for own in outputs}
        rows = []
        for evaluation in sorted(draw.evaluations):
            program, position = self._job.workload.evaluations[evaluation]
            key, sample = self._job.workload.programs[program], self._job.workload.samples[position]
            own, expected = found.get(evaluation), self._reference[evaluation]
            rows.append(
                {
                    "mode": mode,
                    "block": block,
                    "turn": draw.turn,
                    "evaluation": evaluation,
                    "program": key.name,
                    "module": key.module,
                    "task": sample.task,
                    "sample": sample.name,
                    "equal": own is not None and (own.status, own.digest) == (expected.status, expected.digest),
                }
            )
        return rows

    def _evaluate(self, evaluations: Iterable[int]) -> None:
        """Have the reference evaluate what it has not."""
        missing = [] if self._complete else sorted(e for e in evaluations if e not in self._reference)
        if missing:
            with WorkerPool(self._job, 1) as pool:
                for outcomes in pool.check(Span(e, e + 1) for e in missing):
                    self._reference |= {outcome.evaluation: outcome for outcome in outcomes}
