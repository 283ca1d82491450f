"""Timed blocks of several modes in turn, until each has enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Literal

from harness.config import Config
from harness.measure.cpu import CpuUse, cpu_times
from harness.measure.stats import median_interval
from harness.run.mode import Block, Mode, ModeFailed
from harness.run.pool import WorkersDied
from harness.run.worker import NOTHING_DRAWN, Draw, EvaluationLost
from harness.run.workload import Workload

StopRule = Literal["precision", "time limit", "blocks", "time budget"]
WarmRule = Literal["steady", "time limit", "time budget"]
DrawFor = Callable[["Measured", frozenset[int]], Draw]
"""Draws what the next block of a mode keeps the outputs of, given the evaluations that it leaves out."""
STEADY_BLOCKS = 3
"""Warm-up blocks in a row that have to agree."""
_MOST_GROWTH = 20.0  # of the passes from one warm-up block to the next
_MARGIN = 1.1  # by which blocks are planned to be longer than asked for
_MOST_LOSSES = 5  # evaluations that stop finishing, after which a mode is given up


@dataclass
class WarmUp:
    """How a mode was warmed up.

    Attributes:
        blocks: how many did not count.
        seconds: that they took.
        rule: what ended it; None while nothing has.
        spread: of the last ``STEADY_BLOCKS`` that were long enough: (slowest - quickest) / quickest, by seconds per
            evaluation; None where there were fewer.
    """

    blocks: int = 0
    seconds: float = 0.0
    rule: WarmRule | None = None
    spread: float | None = None


@dataclass(frozen=True)
class Circumstances:
    """What a timed block was measured under.

    Attributes:
        passes: how often it evaluated the workload.
        began: seconds of ``perf_counter``.
        draw: whose outputs it kept.
        cpu: what the CPUs did meanwhile.
    """

    passes: int
    began: float
    draw: Draw
    cpu: CpuUse


@dataclass
class Measured:
    """What was measured of one mode.

    Attributes:
        mode: the mode.
        workload: what it evaluates.
        passes: how often a block evaluates the workload.
        left_out: evaluations that its blocks leave out; None while it is not prepared.
        blocks: those timed, also in earlier sessions of a run that is continued.
        circumstances: of each of those timed in this process.
        first_s: seconds that its first calls took, which is an upper bound of a pass; infinite where not known.
        warm_up: how it was warmed up.
        stop_rule: why there are no more; None while there are to be more, or the mode failed.
        failure: why it was given up; None if it was not.
        warnings: what a reader should know.
        warm: whether its blocks count by now.
        during: makes the context in which a block of a mode runs, given its number, or None where it does not count.
    """

    mode: Mode
    workload: Workload
    passes: int = 1
    left_out: frozenset[int] | None = None
    blocks: list[Block] = field(default_factory=list)
    circumstances: list[Circumstances] = field(default_factory=list)
    first_s: float = math.inf
    warm_up: WarmUp = field(default_factory=WarmUp)
    stop_rule: StopRule | None = None
    failure: str | None = None
    warnings: list[str] = field(default_factory=list)
    warm: bool = False
    during: Callable[[str, int | None], AbstractContextManager[None]] = lambda _mode, _block: nullcontext()
    pass_s: float = math.inf  # seconds of a pass in its last block, warm or not

    def next_s(self, costs: Sequence[float]) -> float:
        """Return the seconds that its next block takes, roughly.

        Args:
            costs: seconds that each evaluation takes with the reference, in one process.
        """
        each = self.pass_s if self.pass_s < math.inf else min(self.first_s, sum(costs))
        return each * self.passes


Allows = Callable[[float], bool]
"""Whether there is time for something that takes so many seconds."""


def warm_up(
    measured: Measured,
    costs: Sequence[float],
    excluded: set[int],
    config: Config,
    *,
    most_s: float = math.inf,
    allows: Allows = lambda _seconds: True,
) -> None:
    """Prepare a mode, set ``passes`` so that blocks are long enough, and run blocks that do not count until steady.

    Steady are the last ``STEADY_BLOCKS`` of the full length if their seconds per evaluation lie within
    ``config.steady``, relative to the quickest.

    Args:
        measured: the mode.
        costs: seconds that each evaluation takes, roughly.
        excluded: evaluations that do not finish; those that stop finishing are added.
        config: ``min_block_s``, ``steady`` and ``max_warmup_s`` are read.
        most_s: seconds after which it ends, as after ``max_warmup_s``.
        allows: whether a time budget has room for a block.
    """
    done = measured.warm_up
    each: list[float] = []  # seconds per evaluation
    while measured.failure is None and done.rule is None:
        if not allows(measured.next_s(costs)):
            done.rule = "time budget"
            return
        found = _block(measured, costs, excluded)
        if found is None:
            each = []
            continue
        block, _ = found
        done.blocks += 1
        done.seconds += block.wall_s
        if _lengthen(measured, block, config) and done.seconds < most_s:
            each = []
            continue
        each = [*each[1 - STEADY_BLOCKS :], block.wall_s / block.evaluations]
        if len(each) == STEADY_BLOCKS:
            done.spread = max(each) / min(each) - 1
            if done.spread <= config.steady:
                done.rule = "steady"
        if done.rule is None and done.seconds >= min(config.max_warmup_s, most_s):
            done.rule = "time limit" if most_s >= config.max_warmup_s else "time budget"


def _lengthen(measured: Measured, block: Block, config: Config) -> bool:
    """Have the next blocks do more if this one was too short; return whether it was."""
    # So long that a mode which may have no more than max_blocks reaches its least time.
    least = max(config.min_block_s, config.least_mode_s(measured.mode.name) / config.max_blocks)
    if block.wall_s >= least:
        return False
    # A first block may be slow to start: go by one of the full length, and grow slowly enough to reach it.
    growth = min(_MOST_GROWTH, _MARGIN * least / block.wall_s)
    measured.passes = math.ceil(measured.passes * growth)
    return True


def run_rounds(
    modes: Sequence[Measured],
    costs: Sequence[float],
    excluded: set[int],
    config: Config,
    after_block: Callable[[Measured], None],
    *,
    draw_for: DrawFor = lambda _measured, _left_out: NOTHING_DRAWN,
    allows: Allows = lambda _seconds: True,
) -> None:
    """Time blocks of all modes in turn, so that drift of the machine hits all alike, until each has enough.

    A block that comes out too short counts, since leaving out the quick ones would make the mode look slow; those
    after it do more.

    Args:
        modes: warmed up.
        costs: seconds that each evaluation takes, roughly.
        excluded: evaluations that do not finish; those that stop finishing are added.
        config: the stopping rule.
        after_block: called when a block of a mode is done.
        draw_for: draws what a block keeps the outputs of.
        allows: whether a time budget has room for a block; a mode for whose next one it has not gets no more.
    """
    for measured in modes:
        measured.warm = True
    while running := [m for m in modes if m.stop_rule is None and m.failure is None]:
        fewest = min(len(m.blocks) for m in running)  # a run that is continued may have been ended within a turn
        for measured in (m for m in running if len(m.blocks) == fewest):
            if not allows(measured.next_s(costs)):
                measured.stop_rule = "time budget"
                continue
            found = _block(measured, costs, excluded, draw_for)
            if found is not None:
                block, circumstances = found
                measured.blocks.append(block)
                measured.circumstances.append(circumstances)
                _lengthen(measured, block, config)
                measured.stop_rule = _stop(measured, config)
                after_block(measured)


def _block(
    measured: Measured, costs: Sequence[float], excluded: set[int], draw_for: DrawFor | None = None
) -> tuple[Block, Circumstances] | None:
    """Run a block; None if an evaluation was lost in it, which is then left out of those to come, of every mode."""
    left_out = frozenset(excluded)
    if measured.left_out != left_out:
        measured.mode.prepare(costs, left_out)
        measured.left_out = left_out
    draw = draw_for(measured, left_out) if draw_for else NOTHING_DRAWN
    try:
        before = cpu_times()
        with measured.during(measured.mode.name, len(measured.blocks) if measured.warm else None):
            block = measured.mode.block(measured.passes, draw)
        measured.pass_s = block.wall_s / measured.passes
        return block, Circumstances(measured.passes, before.at, draw, before.until(cpu_times()))
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


def _stop(measured: Measured, config: Config) -> StopRule | None:
    """Return the rule by which a mode has blocks enough; None if it has not."""
    blocks = measured.blocks
    seconds = [block.wall_s / block.evaluations for block in blocks]
    spent = sum(block.wall_s for block in blocks)
    if spent < config.least_mode_s(measured.mode.name):
        return None
    if len(blocks) >= config.max_blocks:
        return "blocks"
    if len(blocks) >= config.min_blocks:
        interval = median_interval(seconds, config.confidence)
        if not interval.full_range and (interval.high - interval.low) / 2 <= config.precision * interval.median:
            return "precision"
    return "time limit" if spent >= config.max_mode_s else None
