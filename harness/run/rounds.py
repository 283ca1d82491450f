"""Timed blocks of several modes in turn, until each has enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.config import Config
from harness.measure.stats import median_interval
from harness.run.modes import Block, Mode
from harness.run.pool import WorkersDied
from harness.run.worker import EvaluationLost

StopRule = Literal["precision", "time limit", "blocks"]
_MOST_LOSSES = 5  # evaluations that stop finishing, after which a mode is given up


@dataclass
class Measured:
    """What was measured of one mode.

    Attributes:
        mode: the mode.
        passes: how often a block evaluates the workload.
        blocks: those timed.
        stop_rule: why there are no more; None while there are to be more, or the mode failed.
        failure: why it was given up; None if it was not.
        warnings: what a reader should know.
    """

    mode: Mode
    passes: int = 1
    blocks: list[Block] = field(default_factory=list)
    stop_rule: StopRule | None = None
    failure: str | None = None
    warnings: list[str] = field(default_factory=list)


def warm_up(measured: Measured, costs: Sequence[float], excluded: set[int], config: Config) -> None:
    """Prepare a mode, run one block that does not count, and set ``passes`` so that blocks are long enough.

    Args:
        measured: the mode.
        costs: seconds that each evaluation takes, roughly.
        excluded: evaluations that do not finish; those that stop finishing are added.
        config: ``min_block_s`` is read.
    """
    measured.mode.prepare(costs, frozenset(excluded))
    block = _block(measured, costs, excluded)
    if block is not None:
        measured.passes = max(1, math.ceil(config.min_block_s / block.wall_s))


def run_rounds(
    modes: Sequence[Measured],
    costs: Sequence[float],
    excluded: set[int],
    config: Config,
    after_block: Callable[[Measured], None],
) -> None:
    """Time blocks of all modes in turn, so that drift of the machine hits all alike, until each has enough.

    Args:
        modes: warmed up.
        costs: seconds that each evaluation takes, roughly.
        excluded: evaluations that do not finish; those that stop finishing are added.
        config: the stopping rule.
        after_block: called when a block of a mode is done.
    """
    while running := [m for m in modes if m.stop_rule is None and m.failure is None]:
        for measured in running:
            block = _block(measured, costs, excluded)
            if block is not None:
                measured.blocks.append(block)
                measured.stop_rule = _stop(measured.blocks, config)
                after_block(measured)


def _block(measured: Measured, costs: Sequence[float], excluded: set[int]) -> Block | None:
    """Run a block; None if an evaluation was lost in it, which is then left out of those to come."""
    try:
        return measured.mode.block(measured.passes)
    except EvaluationLost as lost:
        gone = {int(lost.args[0])}
    except WorkersDied as died:
        gone = set(died.suspects)
    excluded |= gone
    measured.warnings.append(
        f"{measured.mode.name}: a timed block was lost to evaluations {sorted(gone)}, which had finished before; "
        "they are left out from there on, so blocks before and after differ; see the programs that they are of"
    )
    if len(measured.warnings) >= _MOST_LOSSES or len(excluded) >= len(costs):
        measured.failure = "evaluations keep being lost: " + measured.warnings[-1]
    else:
        measured.mode.prepare(costs, frozenset(excluded))
    return None


def _stop(blocks: Sequence[Block], config: Config) -> StopRule | None:
    """Return the rule by which a mode has blocks enough; None if it has not."""
    seconds = [block.wall_s / block.evaluations for block in blocks]
    if len(blocks) >= config.max_blocks:
        return "blocks"
    if len(blocks) >= config.min_blocks:
        interval = median_interval(seconds, config.confidence)
        if not interval.full_range and (interval.high - interval.low) / 2 <= config.precision * interval.median:
            return "precision"
    return "time limit" if sum(block.wall_s for block in blocks) >= config.max_mode_s else None
