"""Timed blocks of several modes in turn, until each has enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.config import Config
from harness.measure.stats import median_interval
from harness.run.mode import Block, Mode, ModeFailed
from harness.run.pool import WorkersDied
from harness.run.worker import EvaluationLost
from harness.run.workload import Workload

StopRule = Literal["precision", "time limit", "blocks"]
_MOST_GROWTH = 20.0  # of the passes from one warm-up block to the next
_MARGIN = 1.1  # by which blocks are planned to be longer than asked for
_MOST_LOSSES = 5  # evaluations that stop finishing, after which a mode is given up


@dataclass
class Measured:
    """What was measured of one mode.

    Attributes:
        mode: the mode.
        workload: what it evaluates.
        passes: how often a block evaluates the workload.
        left_out: evaluations that its blocks leave out; None while it is not prepared.
        blocks: those timed.
        stop_rule: why there are no more; None while there are to be more, or the mode failed.
        failure: why it was given up; None if it was not.
        warnings: what a reader should know.
    """

    mode: Mode
    workload: Workload
    passes: int = 1
    left_out: frozenset[int] | None = None
    blocks: list[Block] = field(default_factory=list)
    stop_rule: StopRule | None = None
    failure: str | None = None
    warnings: list[str] = field(default_factory=list)


def warm_up(measured: Measured, costs: Sequence[float], excluded: set[int], config: Config) -> None:
    """Prepare a mode, run blocks that do not count, and set ``passes`` so that blocks are long enough.

    Args:
        measured: the mode.
        costs: seconds that each evaluation takes, roughly.
        excluded: evaluations that do not finish; those that stop finishing are added.
        config: ``min_block_s`` is read.
    """
    while measured.failure is None:
        block = _block(measured, costs, excluded)
        if block is not None:
            if block.wall_s >= config.min_block_s:
                return
            # A first block may be slow to start: go by one of the full length, and grow slowly enough to reach it.
            growth = min(_MOST_GROWTH, _MARGIN * config.min_block_s / block.wall_s)
            measured.passes = math.ceil(measured.passes * growth)


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
    """Run a block; None if an evaluation was lost in it, which is then left out of those to come, of every mode."""
    left_out = frozenset(excluded)
    if measured.left_out != left_out:
        measured.mode.prepare(costs, left_out)
        measured.left_out = left_out
    try:
        return measured.mode.block(measured.passes)
    except ModeFailed as failed:
        measured.failure = str(failed)
        return None
    except EvaluationLost as lost:
        gone = {int(lost.args[0])}
    except WorkersDied as died:
        gone = set(died.suspects)
    excluded |= gone
    names = ", ".join(measured.workload.label(evaluation) for evaluation in sorted(gone))
    measured.warnings.append(
        f"{measured.mode.name}: a timed block was lost to {names}, which had finished before; it is left out from "
        "there on, so blocks before and after differ; leave that program out, or raise program_timeout_s"
    )
    if len(measured.warnings) >= _MOST_LOSSES or len(excluded) >= len(costs):
        measured.failure = "evaluations keep being lost: " + measured.warnings[-1]
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
