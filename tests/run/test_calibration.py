"""Warm-up until steady, passes that grow, and the rules by which a mode has blocks enough: with scripted durations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from harness.config import Config, make_config
from harness.run.mode import Block
from harness.run.rounds import Measured, run_rounds, warm_up
from harness.run.worker import NOTHING_DRAWN, Draw, Outcome, ProgramTiming
from harness.run.workload import ProgramKey, Workload


class Scripted:
    """A mode whose k-th block takes as long per pass as a script says, and as the last of it from then on."""

    workers = 1

    def __init__(self, *seconds: float, name: str = "sequential") -> None:
        self.name, self.seconds, self.passes, self.draws = name, list(seconds), [], []

    def check(self) -> Iterable[list[Outcome]]:
        return []

    def prepare(self, costs: Sequence[float], excluded: frozenset[int]) -> None:
        pass

    def block(self, passes: int, draw: Draw = NOTHING_DRAWN) -> Block:
        each = self.seconds[min(len(self.passes), len(self.seconds) - 1)]
        self.passes.append(passes)
        self.draws.append(draw)
        return Block(each * passes, (ProgramTiming(0, 10 * passes, each * passes),))

    def close(self) -> None:
        pass


WORKLOAD = Workload((ProgramKey("m", "solve_a", "solver", "a"),), (), {}, ((0, 0),) * 10)


def config(**values: object) -> Config:
    return make_config({"min_block_s": 1.0, "min_blocks": 2, "max_blocks": 9, "max_warmup_s": 50.0, **values}, "here")


def warm(mode: Scripted, settings: Config) -> Measured:
    entry = Measured(mode, WORKLOAD)
    warm_up(entry, [1.0] * 10, set(), settings)
    return entry


def timed(mode: Scripted, settings: Config, *others: Measured) -> Measured:
    entry = Measured(mode, WORKLOAD)
    run_rounds([entry, *others], [1.0] * 10, set(), settings, lambda _: None)
    return entry


def test_it_is_warm_when_three_blocks_in_a_row_agree():
    entry = warm(Scripted(3.0, 2.0, 1.5, 1.04, 1.0, 1.03, 1.2), config(steady=0.05))
    assert (entry.warm_up.rule, entry.warm_up.blocks) == ("steady", 6)
    assert entry.warm_up.seconds == pytest.approx(3.0 + 2.0 + 1.5 + 1.04 + 1.0 + 1.03)
    assert entry.warm_up.spread == pytest.approx(0.04)
    assert entry.blocks == []


def test_it_slows_down_and_that_is_not_steady_either():
    assert warm(Scripted(1.0, 1.1, 1.21, 1.33, 1.33, 1.33), config()).warm_up.blocks == 6


def test_warm_up_ends_with_its_time_and_says_so():
    entry = warm(Scripted(*[1.0, 2.0] * 100), config(max_warmup_s=7.0))
    assert (entry.warm_up.rule, entry.warm_up.blocks) == ("time limit", 5)
    assert entry.warm_up.spread == pytest.approx(1.0)
    entry = warm(Scripted(30.0), config(max_warmup_s=7.0))
    assert (entry.warm_up.rule, entry.warm_up.blocks, entry.warm_up.spread) == ("time limit", 1, None)


def test_passes_grow_until_blocks_are_long_enough_and_short_ones_do_not_count_as_warm():
    mode = Scripted(0.9, 0.01)
    entry = warm(mode, config(max_warmup_s=0.1))  # which goes after the length
    assert mode.passes == [1, 2, 40, 110]  # at most 20 times as many at once
    assert entry.passes == 110
    assert entry.warm_up.blocks == 4


def test_blocks_that_get_shorter_while_a_mode_runs_are_kept_and_those_after_them_do_more():
    mode = Scripted(1.1, 1.1, 0.5, 0.5)
    entry = timed(mode, config(precision=1e-9, max_blocks=5, min_blocks=5))
    assert mode.passes == [1, 1, 1, 3, 3]
    assert [c.passes for c in entry.circumstances] == mode.passes
    assert [block.wall_s for block in entry.blocks] == pytest.approx([1.1, 1.1, 0.5, 1.5, 1.5])


@pytest.mark.parametrize(
    ("name", "settings", "blocks", "rule"),
    [
        ("sequential", {"min_blocks": 6}, 6, "precision"),
        ("parallel_gpu", {"min_blocks": 6, "max_blocks": 50}, 6, "precision"),  # 6 s
        ("parallel_gpu", {"min_blocks": 2, "max_blocks": 3}, 3, "blocks"),  # made longer, so that 3 are 5 s
        ("parallel_gpu", {"min_blocks": 6, "max_blocks": 50, "min_mode_s": 9.5}, 10, "precision"),
        ("sequential", {"min_blocks": 6, "max_blocks": 50, "min_mode_s": 9.5}, 10, "precision"),
        ("sequential", {"max_blocks": 4}, 4, "blocks"),
        ("sequential", {"max_blocks": 50, "max_mode_s": 4.5, "min_mode_s": 4.5}, 5, "time limit"),
    ],
)
def test_when_a_mode_has_enough(name, settings, blocks, rule):
    mode = Scripted(1.0, name=name)
    entry = Measured(mode, WORKLOAD)
    settled = config(**settings)
    warm_up(entry, [1.0] * 10, set(), settled)
    run_rounds([entry], [1.0] * 10, set(), settled, lambda _: None)
    assert (len(entry.blocks), entry.stop_rule) == (blocks, rule)
    assert sum(block.wall_s for block in entry.blocks) >= settled.least_mode_s(name)


def test_modes_take_turns_and_each_draws_for_its_own_blocks():
    first, second = Scripted(1.0), Scripted(1.0, name="native_cpu")
    entries = [Measured(first, WORKLOAD), Measured(second, WORKLOAD)]
    order = []

    def draw_for(entry: Measured, left_out: frozenset[int]) -> Draw:
        return Draw(frozenset({len(entry.blocks)}) - left_out, 0)

    run_rounds(entries, [1.0] * 10, {1}, config(max_blocks=3), lambda e: order.append(e.mode.name), draw_for=draw_for)
    assert order == ["sequential", "native_cpu"] * 3
    assert [set(draw.evaluations) for draw in first.draws] == [{0}, set(), {2}]
    assert [c.draw for c in entries[1].circumstances] == second.draws
    assert all(c.cpu.load is not None and c.cpu.load >= 0 for c in entries[0].circumstances)
