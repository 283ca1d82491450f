"""Timed blocks: exact counts, equal results, full use of the workers, and no trust in what finished once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from run_data import write_examples

from harness.batt.loader import load_programs
from harness.config import Config, make_config
from harness.run import rounds
from harness.run.mode import Block, Mode
from harness.run.modes import make_mode, unavailable
from harness.run.pool import WorkerPool, WorkersDied
from harness.run.reference import ReferenceMode, plan_spans, waiting
from harness.run.rounds import Measured, run_rounds, warm_up
from harness.run.worker import Draw, EvaluationLost, Job, Outcome, Span, SpanTiming, check, time_span
from harness.run.workload import Workload, make_workload
from harness.samples import expand, load_tasks

SOURCE = """
import ctypes, os
from dsl import *

def solve_steady(I):
    for _ in range(300):
        O = rot90(I)
    return O

def solve_quick(I):
    return rot90(I)

def solve_raises(I):
    return first(())

calls = 0

def solve_dies_later(I):
    global calls
    calls += 1
    return ctypes.string_at(0) if calls > 20 else rot90(I)

def solve_loops_later(I):
    global calls
    calls += 1
    while calls > 20:
        pass
    return rot90(I)

def solve_loops_in_c(I):
    open(f"{__file__}.{os.getpid()}", "w").close()
    return sum(range(10**12))
"""
TASKS = ["steady", "quick", "raises", "dies_later", "loops_later", "loops_in_c"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("blocks")
    (folder / "mine.py").write_text(SOURCE)
    write_examples(folder / "data.json", TASKS, 3)
    return folder


def make_job(folder: Path, *names: str, samples: int = 6, timeout_s: float = 5.0) -> Job:
    tasks = load_tasks(str(folder / "data.json"))
    programs, rejected = load_programs(f"{folder / 'mine.py'}:solve_{name}" for name in names)
    assert rejected == []
    return Job(make_workload(programs, tasks, expand(tasks, samples, 0)), timeout_s, 1.0)


def check_all(mode: Mode) -> dict[int, Outcome]:
    return {outcome.evaluation: outcome for outcomes in mode.check() for outcome in outcomes}


@pytest.fixture(scope="module")
def job(folder) -> Job:
    return make_job(folder, "steady", "quick", "raises")


@pytest.fixture(scope="module")
def modes(job) -> Iterator[dict[str, tuple[ReferenceMode, dict[int, Outcome]]]]:
    """Both modes, and what their first pass gave."""
    made = {name: make_mode(name, job, 2) for name in ("sequential", "parallel_cpu")}
    yield {name: (mode, check_all(mode)) for name, mode in made.items()}
    for mode in made.values():
        mode.close()


def test_both_modes_give_the_same(modes, job):
    sequential, parallel = (found for _, found in modes.values())
    assert set(sequential) == set(parallel) == set(range(len(job.workload.evaluations)))
    for evaluation, one in sequential.items():
        other = parallel[evaluation]
        assert (one.status, one.digest, one.equal, one.error) == (other.status, other.digest, other.equal, other.error)
    assert {outcome.status for outcome in sequential.values()} == {"ok", "failed"}


@pytest.mark.parametrize("name", ["sequential", "parallel_cpu"])
@pytest.mark.parametrize("passes", [1, 7])
@pytest.mark.parametrize("excluded", [frozenset(), frozenset({0, 7, 17})])
def test_a_block_does_exactly_passes_times_evaluations(modes, job, name, passes, excluded):
    mode, found = modes[name]
    mode.prepare([found[e].seconds for e in range(len(found))], excluded)
    block = mode.block(passes)
    expected = {
        program: passes * sum(p == program and e not in excluded for e, (p, _) in enumerate(job.workload.evaluations))
        for program in range(3)
    }
    assert {timing.program: timing.evaluations for timing in block.timings} == expected
    assert block.evaluations == sum(expected.values())
    assert block.busy_s == pytest.approx(sum(timing.seconds for timing in block.timings))
    assert 0 < block.busy_s <= block.wall_s * mode.workers
    assert all(timing.seconds > 0 for timing in block.timings)


def test_all_workers_are_there_before_a_block_and_share_it(folder):
    job = make_job(folder, "steady", samples=2)
    mode = ReferenceMode("parallel_cpu", job, 3)
    try:
        check_all(mode)  # one span: one worker would do
        mode.prepare([1e-3] * 2, frozenset())
        workers = [c for c in psutil.Process().children() if "spawn_main" in " ".join(c.cmdline())]
        before = {worker.pid: sum(worker.cpu_times()[:2]) for worker in workers}
        assert len(workers) >= 3
        block = mode.block(2000)
        used = [w for w in workers if sum(w.cpu_times()[:2]) - before[w.pid] > 0.05]
        assert len(used) >= 2  # two evaluations, so two spans, however quick they are
        assert block.evaluations == 4000
    finally:
        mode.close()


@pytest.mark.parametrize("passes", [1, 100])
@pytest.mark.parametrize("excluded", [frozenset(), frozenset({0, 1, 2, 50, 99}), frozenset(range(100))])
def test_a_plan_covers_every_evaluation_once_the_costliest_first(passes, excluded):
    costs = [0.0001 * (1 + e % 7) if e != 60 else 0.2 for e in range(100)]
    spans = plan_spans(costs, excluded, 4, passes)
    planned = sorted(e for span in spans for e in range(span.start, span.stop) if e not in span.excluded)
    assert planned == sorted(set(range(100)) - excluded)
    assert {span.passes for span in spans} == {passes}
    totals = [sum(costs[e] for e in range(s.start, s.stop) if e not in s.excluded) for s in spans]
    assert totals == sorted(totals, reverse=True)


def test_spans_get_shorter_so_that_none_waits_long_for_the_last():
    costs = [0.0001] * 100
    assert len(plan_spans(costs, frozenset(), 2, 1)) < len(plan_spans(costs, frozenset(), 2, 100))
    sizes = [span.stop - span.start for span in plan_spans(costs, frozenset(), 2, 100)]
    assert sizes[0] >= 25  # a half of what there is for each of two workers
    assert sizes[-1] <= 2
    costly_last = [0.0001] * 99 + [0.1]
    assert plan_spans(costly_last, frozenset(), 2, 10)[0].stop == 100


def test_a_plan_keeps_what_is_drawn():
    draw = Draw(frozenset({3, 60, 99}), 1)
    spans = plan_spans([0.001] * 100, frozenset({99}), 3, 10, draw)
    assert sorted(e for span in spans for e in span.draw.evaluations) == [3, 60, 99]
    assert all(span.start <= e < span.stop and span.draw.turn == 1 for span in spans for e in span.draw.evaluations)


def test_one_worker_gets_all_in_one_span():
    assert plan_spans([1.0] * 5, frozenset({2}), 1, 3) == [Span(0, 5, frozenset({2}), 3)]


def config(**values: object) -> Config:
    base = {"min_block_s": 0.02, "min_blocks": 2, "max_blocks": 3, "max_mode_s": 60.0, "max_warmup_s": 0.2}
    return make_config({**base, **values}, "here")


def measure(job: Job, names: tuple[str, ...], settings: Config) -> tuple[list[Measured], set[int]]:
    modes = [make_mode(name, job, 2) for name in names]
    measured = [Measured(mode, job.workload) for mode in modes]
    try:
        outcomes = check_all(modes[0])
        for mode in modes[1:]:
            check_all(mode)
        costs = [outcomes[e].seconds for e in range(len(outcomes))]
        excluded = {e for e, outcome in outcomes.items() if outcome.status not in ("ok", "failed")}
        for entry in measured:
            warm_up(entry, costs, excluded, settings)
        order: list[str] = []
        run_rounds(measured, costs, excluded, settings, lambda entry: order.append(entry.mode.name))
    finally:
        for mode in modes:
            mode.close()
    assert order[: len(names)] == list(names)  # in turn
    return measured, excluded


def test_blocks_are_as_long_and_as_many_as_asked_for(job, monkeypatch):
    walls: dict[str, list[float]] = {}

    def recorded(*arguments: Any) -> tuple[Block, rounds.Circumstances] | None:
        found = run_block(*arguments)
        assert found is not None
        walls.setdefault(arguments[0].mode.name, []).append(found[0].wall_s)
        return found

    run_block = rounds._block
    monkeypatch.setattr(rounds, "_block", recorded)
    measured, excluded = measure(job, ("sequential", "parallel_cpu"), config(min_block_s=0.05, precision=1e-9))
    assert excluded == set()
    for entry in measured:
        assert (entry.stop_rule, entry.failure, entry.warnings) == ("blocks", None, [])
        assert len(entry.blocks) == 3
        for block, circumstances in zip(entry.blocks, entry.circumstances, strict=True):
            assert block.evaluations == circumstances.passes * len(job.workload.evaluations)
        warm = walls[entry.mode.name][:-3]  # those that count may find the machine quicker
        assert len(warm) == entry.warm_up.blocks
        assert sum(warm) == pytest.approx(entry.warm_up.seconds)
        assert warm[-1] >= 0.05
        assert warm[0] < 0.05


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"precision": 1e9, "min_blocks": 6, "max_blocks": 50}, "precision"),
        ({"precision": 1e-9, "max_blocks": 500, "min_block_s": 0.05, "max_mode_s": 0.15}, "time limit"),
    ],
)
def test_stopping_rules(job, settings, rule):
    ((entry,), _) = measure(job, ("sequential",), config(**settings))
    assert entry.stop_rule == rule
    assert len(entry.blocks) <= 50


def test_what_stops_finishing_is_left_out_of_every_mode_with_a_warning(folder):
    job = make_job(folder, "quick", "dies_later", "loops_later", samples=2, timeout_s=0.4)
    measured, excluded = measure(job, ("sequential", "parallel_cpu"), config(min_block_s=0.05))
    bad = {e for e, (program, _) in enumerate(job.workload.evaluations) if program != 0}
    assert excluded <= bad
    assert excluded
    warnings = " ".join(warning for entry in measured for warning in entry.warnings)
    assert "_later on " in warnings
    assert "train[" in warnings
    for entry in measured:
        assert entry.failure is None
        assert entry.stop_rule == "blocks"
        last, passes = entry.blocks[-1], entry.circumstances[-1].passes
        assert last.evaluations == passes * (len(job.workload.evaluations) - len(excluded))


def test_a_lost_evaluation_is_named_and_the_pool_works_on(folder):
    job = make_job(folder, "quick", "loops_later", samples=2, timeout_s=0.3)
    with WorkerPool(job, 2) as pool:
        with pytest.raises(EvaluationLost) as lost:
            list(pool.map(time_span, [Span(0, 4, passes=30)]))
        assert job.workload.evaluations[lost.value.args[0]][0] == 1
        (again,) = pool.time([Span(0, 4, frozenset({2, 3}), 5)])
        assert [(t.program, t.evaluations) for t in again.timings] == [(0, 10)]


def test_workers_share_spans_and_each_is_timed_once(folder):
    job = make_job(folder, "steady", samples=6)
    with WorkerPool(job, 2) as pool:
        pool.start()
        for _ in range(3):
            start = time.perf_counter()
            parts = pool.time([Span(e, e + 1, passes=30) for e in range(6)])
            assert sum(t.evaluations for part in parts for t in part.timings) == 6 * 30
            assert len({part.worker for part in parts}) == 2
            for part in parts:
                assert start < part.began < part.ended < time.perf_counter()
                assert sum(t.seconds for t in part.timings) <= part.ended - part.began
                assert 0 < part.cpu_s <= part.ended - part.began + 0.05


def test_waiting_is_the_time_after_a_workers_last_span():
    def part(worker: int, began: float, ended: float) -> SpanTiming:
        return SpanTiming((), worker, began, ended, 0.0, 0, ())

    parts = [part(1, 0.1, 2.0), part(2, 0.1, 4.0), part(1, 2.1, 3.0)]
    assert waiting(parts, 0.0, 2) == pytest.approx(1.0)
    assert waiting(parts, 0.0, 3) == pytest.approx(1.0 + 4.0)  # one that got nothing
    assert waiting(parts[:1], 0.0, 1) == 0


def test_a_death_names_its_suspects_and_the_pool_works_on(folder):
    job = make_job(folder, "quick", "dies_later", samples=2)
    with WorkerPool(job, 1) as pool:
        with pytest.raises(WorkersDied) as died:
            list(pool.map(time_span, [Span(0, 4, passes=30)]))
        assert died.value.suspects < {2, 3}
        assert died.value.hung == frozenset()
        ((_, outcomes),) = pool.map(check, [Span(0, 2)])
        assert [outcome.status for outcome in outcomes] == ["ok", "ok"]


def test_programs_that_are_gone_when_workers_load_them(tmp_path):
    (tmp_path / "mine.py").write_text("def solve_quick(I):\n    return I")
    write_examples(tmp_path / "data.json", ["quick"])
    job = make_job(tmp_path, "quick")
    (tmp_path / "mine.py").write_text("")
    with WorkerPool(job, 1) as pool, pytest.raises(RuntimeError, match="die before they evaluate"):
        list(pool.map(check, [Span(0, 1)]))


def test_modes_that_are_not_there_say_so(job):
    assert [unavailable(name) for name in ("sequential", "parallel_cpu")] == [None, None]
    for name in ("parallel_gpu", "eager_gpu"):
        with pytest.raises(ValueError, match=f"{name}.*CUDA"):
            make_mode(name, job, 2)
    with pytest.raises(ValueError, match="no such mode"):
        make_mode("gpu", job, 2)


PARENT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_blocks import make_job
from harness.run.pool import WorkerPool
from harness.run.worker import Span, check

if __name__ == "__main__":
    with WorkerPool(make_job(Path(sys.argv[1]), "loops_in_c", samples=2, timeout_s=1000), 2) as pool:
        list(pool.map(check, [Span(0, 1), Span(1, 2)]))
"""


def _wait(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT], ids=["killed", "Ctrl-C"])
def test_workers_do_not_outlive_their_parent_however_it_ends(folder, ending):
    """Not even workers in a loop that no signal handler and no thread of theirs gets to interrupt."""
    script = folder / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, script, folder, Path(__file__).parent],
        start_new_session=True,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        process = psutil.Process(parent.pid)
        _wait(lambda: sum((folder / f"mine.py.{child.pid}").exists() for child in process.children()) == 2)
        children = process.children(recursive=True)
        parent.send_signal(ending)
        parent.wait(60)
        _wait(lambda: not any(c.is_running() and c.status() != psutil.STATUS_ZOMBIE for c in children))
    finally:
        parent.kill()


def test_the_workload_pairs_programs_with_samples(folder, tmp_path):
    (tmp_path / "batts.py").write_text(
        "def batt(task_id, S, I, C, log_path):\n    return [(task_id, I)], [('S', S)]\n"
        "def solve_quick(I):\n    return I\ndef verify_gone(I):\n    return I\n"
    )
    (tmp_path / "named.py").write_text("TASKS = ['steady', 'no_such']\nfrom batts import batt")
    tasks = load_tasks(str(folder / "data.json"))
    programs, rejected = load_programs([str(tmp_path / "batts.py"), str(tmp_path / "named.py")])
    assert rejected == []
    workload = make_workload(programs, tasks, expand(tasks, None, 0), batt_samples=7)
    by_program: dict[str, list[str]] = {}
    for program, sample in workload.evaluations:
        key = workload.programs[program]
        by_program.setdefault(f"{Path(key.module).stem}.{key.name}", []).append(workload.samples[sample].task)
    assert by_program["batts.solve_quick"] == ["quick"] * 3
    assert by_program["batts.batt"] == [*sorted(TASKS), sorted(TASKS)[0]]  # from the tasks in turn
    assert by_program["named.batt"] == ["steady"] * 3
    assert [key.name for key in workload.without_samples] == ["verify_gone"]
    assert isinstance(workload, Workload)
    first = next(e for e, (p, _) in enumerate(workload.evaluations) if workload.programs[p].kind == "batt")
    task, pairs, grid, output, log_path = workload.arguments(first)
    assert pairs == tuple((s.input, s.output) for s in tasks[task].train)
    assert (grid, output) in pairs
    assert log_path == os.devnull
    assert workload.label(first) == f"batt on {task} train[0]"
