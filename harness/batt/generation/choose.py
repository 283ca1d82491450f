"""Choose tasks whose solvers get along with each other's samples."""

from __future__ import annotations

from collections.abc import Mapping

from harness.batt.generation.choices import Choices
from harness.batt.generation.inline import Solver, solver_block
from harness.batt.generation.trial import Trial, samples_of
from harness.samples import Task

POOL = 2.5  # solvers tried for each one chosen


def choose_tasks(solvers: Mapping[str, Solver], tasks: Mapping[str, Task], count: int, choices: Choices) -> list[str]:
    """Return tasks whose solvers, as far as one sample of each tells, fail least on each other's samples.

    Raises:
        ValueError: if there are fewer than ``count`` tasks with a solver.
    """
    usable = [task for task in sorted(solvers) if task in tasks and samples_of([tasks[task]])]
    if len(usable) < count:
        raise ValueError(
            f"{count} tasks are asked for, but only {len(usable)} of the {len(solvers)} solvers that can be inlined "
            f"have their task among the {len(tasks)} of the data: ask for fewer, or give more solvers or other data"
        )
    left = choices.some(usable, round(POOL * count))
    trial = Trial([samples_of([tasks[task]])[0] for task in left])
    blocks = {task: solver_block(solvers[task], task, solves=True) for task in left}
    succeeds = {task: dict(zip(left, trial.total_on(blocks[task]), strict=True)) for task in left}
    while len(left) > count:
        failures = {
            task: sum(not succeeds[task][other] for other in left) + sum(not succeeds[other][task] for other in left)
            for task in left
        }
        left.remove(max(left, key=lambda task: (failures[task], blocks[task].work / blocks[task].operations, task)))
    return sorted(left)
