"""Outputs of timed blocks are what is compared, in every mode; one that differs fails its mode's comparison."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from run_data import write_examples

from harness.batt.loader import load_programs
from harness.config import make_config
from harness.report import load_run, mode_table, write_report
from harness.report.verdict import findings
from harness.run.accuracy import Accuracy
from harness.run.mode import Mode
from harness.run.modes import make_mode
from harness.run.native import NativeMode
from harness.run.runner import execute, prepare
from harness.run.worker import Draw, Job, KeptOutput, Outcome
from harness.run.workload import make_workload
from harness.samples import expand, load_tasks
from harness.vm.native import DIFFERENT, EQUAL

SOURCE = """
from collections import namedtuple
from dsl import *

Local = namedtuple("Local", "a b")

class Odd:
    pass

def solve_turns(I):
    return rot90(I)

def solve_fails(I):
    return first(())

def solve_branches(I):
    return I if size(I) == 2 else rot90(I)

def solve_overflows(I):
    return power(double, 70)(height(I))

def solve_no_pickle(I):
    class Inner(tuple):
        pass
    return Inner(rot90(I))

def solve_no_value(I):
    return Odd()

def batt(task_id, S, I, C, log_path):
    return [(task_id, mapply(first, S))], [(1, log_path, rot90(I))]
"""
TASKS = ["turns", "fails", "branches", "overflows", "no_pickle", "no_value"]
CHANGES = """
from dsl import *

calls = 0

def solve_turns(I):
    return rot90(I)

def solve_changes(I):
    global calls
    calls += 1
    return rot90(I) if calls < 6 else rot180(I)
"""


@pytest.fixture(scope="module")
def job(tmp_path_factory) -> Job:
    folder = tmp_path_factory.mktemp("accuracy")
    (folder / "mine.py").write_text(SOURCE)
    programs, rejected = load_programs([str(folder / "mine.py")])
    assert rejected == []
    tasks = load_tasks(str(write_examples(folder / "data.json", TASKS, 3)))
    return Job(make_workload(programs, tasks, expand(tasks, None, 0)), 5.0, 1.0)


@pytest.fixture(scope="module")
def modes(job) -> Iterator[dict[str, tuple[Mode, dict[int, Outcome]]]]:
    made = {name: make_mode(name, job, 2) for name in ("sequential", "parallel_cpu", "native_cpu")}
    yield {name: (mode, {o.evaluation: o for found in mode.check() for o in found}) for name, mode in made.items()}
    for mode in made.values():
        mode.close()


@pytest.mark.parametrize("name", ["sequential", "parallel_cpu", "native_cpu"])
@pytest.mark.parametrize("turn", [0, 2])
def test_what_a_block_keeps_is_what_the_reference_gives(modes, job, name, turn):
    mode, found = modes[name]
    reference = modes["sequential"][1]
    everything = range(len(job.workload.evaluations))
    excluded = frozenset({0})
    mode.prepare([reference[e].seconds for e in everything], excluded)
    block = mode.block(3, Draw(frozenset(everything) - excluded, turn))
    kept = {own.evaluation: (own.status, own.digest) for own in block.outputs}
    assert kept == {e: (reference[e].status, reference[e].digest) for e in everything if e not in excluded}
    assert {status for status, _ in kept.values()} == {"ok", "failed"}
    assert found.keys() == reference.keys()
    again = sum(own.fell_back is None for e, own in found.items() if e not in excluded) if name == "native_cpu" else 0
    assert block.evaluations == 3 * (len(everything) - 1) + again  # the machine's are done once more, and counted
    assert block.cpu_s is not None and block.cpu_s > 0
    few = mode.block(2, Draw(frozenset({1, 5}), 1)).outputs
    assert {own.evaluation for own in few} == {1, 5}
    assert mode.block(1).outputs == ()


def test_in_the_machine_the_timed_evaluation_itself_has_to_agree(modes, job, monkeypatch):
    """The one with outputs could be right, and those that are timed wrong."""
    mode, found = modes["native_cpu"]
    assert isinstance(mode, NativeMode)
    drawn = next(e for e, own in found.items() if own.status == "ok" and own.equal and own.fell_back is None)
    mode.prepare([found[e].seconds for e in range(len(found))], frozenset())
    evaluate = mode._engine.evaluate

    def wrong(pairs, *, outputs=False, **options):
        done = evaluate(pairs, outputs=outputs, **options)
        return done if outputs else replace(done, equal=np.where(done.equal == EQUAL, DIFFERENT, done.equal))

    assert mode.block(2, Draw(frozenset({drawn}), 1)).outputs == (KeptOutput(drawn, "ok", digest=found[drawn].digest),)
    monkeypatch.setattr(mode._engine, "evaluate", wrong)
    assert mode.block(2, Draw(frozenset({drawn}), 1)).outputs == (KeptOutput(drawn, "failed"),)


def test_draws_are_random_seeded_and_of_what_runs(job):
    total = len(job.workload.evaluations)
    accuracy = Accuracy(job, 4, 7, {})
    draws = [accuracy.draw(mode, block, 5, {0, 1}) for mode in ("sequential", "native_cpu") for block in range(40)]
    assert draws == [
        Accuracy(job, 4, 7, {}).draw(m, b, 5, {0, 1}) for m in ("sequential", "native_cpu") for b in range(40)
    ]
    assert {len(draw.evaluations) for draw in draws} == {4}
    assert {e for draw in draws for e in draw.evaluations} == set(range(2, total))
    assert {draw.turn for draw in draws} == set(range(5))
    assert Accuracy(job, 4, 8, {}).draw("sequential", 0, 5, ()) != Accuracy(job, 4, 7, {}).draw("sequential", 0, 5, ())
    assert Accuracy(job, 4, -1, {}).draw("sequential", 0, 5, ()).evaluations
    assert len(Accuracy(job, 1000, 0, {}).draw("sequential", 0, 1, {3}).evaluations) == total - 1
    assert Accuracy(job, 0, 0, {}).draw("sequential", 0, 1, ()).evaluations == frozenset()


def test_a_wrong_output_and_one_that_is_missing_are_not_equal(modes, job):
    reference = modes["sequential"][1]
    accuracy = Accuracy(job, 3, 0, reference)
    ok = [e for e, own in reference.items() if own.status == "ok"][:3]
    good = [KeptOutput(e, "ok", digest=reference[e].digest) for e in ok]
    rows = accuracy.compare("sequential", 2, Draw(frozenset(ok), 0), good)
    assert [row["equal"] for row in rows] == [True] * 3
    assert [job.workload.label(e) for e in ok] == [f"{r['program']} on {r['task']} {r['sample']}" for r in rows]
    worse = [good[0], replace(good[1], digest="0" * 32)]
    assert [r["equal"] for r in accuracy.compare("x", 2, Draw(frozenset(ok), 0), worse)] == [True, False, False]
    failed = [replace(own, status="failed", digest=None) for own in good]
    assert not any(r["equal"] for r in accuracy.compare("x", 2, Draw(frozenset(ok), 0), failed))


def test_without_a_mode_of_the_reference_it_is_asked_for_what_is_drawn(modes, job):
    reference = modes["sequential"][1]
    accuracy = Accuracy(job, 3, 0, None)
    kept = [KeptOutput(e, own.status, digest=own.digest) for e, own in reference.items()]
    rows = accuracy.compare("native_cpu", 0, Draw(frozenset(reference), 0), kept)
    assert all(row["equal"] for row in rows)
    assert len(rows) == len(reference)


def settings(folder: Path, **values: object):
    return make_config(
        {
            "data": str(write_examples(folder / "data.json", ["turns", "changes"], 2)),
            "programs": [str(folder / "mine.py")],
            "modes": ["sequential", "parallel_cpu"],
            **{"min_block_s": 0.005, "min_blocks": 3, "max_blocks": 3, "max_warmup_s": 0.02, "workers": 2},
            "accuracy_samples": 4,
            "results_dir": str(folder / "results"),
            **values,
        },
        "here",
    )


def test_a_program_that_changes_its_outputs_while_it_is_timed_fails_every_mode(tmp_path):
    (tmp_path / "mine.py").write_text(CHANGES)
    config = settings(tmp_path)
    run = load_run(execute(config, prepare(config)))
    assert run.missing == {}
    rows = run.accuracy
    assert len(rows) == 2 * 3 * 4
    wrong = rows[~rows["equal"].astype(bool)]
    assert set(wrong["program"]) == {"solve_changes"}
    assert set(wrong["mode"]) == {"sequential", "parallel_cpu"}
    modes = run.modes.set_index("mode")
    assert list(modes["sampled"]) == [12, 12]
    assert (modes["sampled_different"] > 0).all()
    assert (modes["mismatches"] >= modes["sampled_different"]).all()
    assert any("parallel_cpu gave other outputs than sequential" in finding.text for finding in findings(run))
    warnings = json.loads((run.folder / "run.json").read_text())["warnings"]
    assert any("sequential: " in w and "drawn from timed blocks differ" in w and "solve_changes" in w for w in warnings)


def test_an_honest_run_records_its_draws_and_what_it_was_measured_under(tmp_path):
    (tmp_path / "mine.py").write_text("from dsl import *\ndef solve_turns(I):\n    return rot90(I)\n")
    config = settings(tmp_path, modes=["parallel_cpu", "native_cpu"], accuracy_samples=2)
    run = load_run(execute(config, prepare(config)))
    assert len(run.accuracy) == 2 * 3 * 2
    assert run.accuracy["equal"].all()
    assert set(run.accuracy["task"]) == {"turns"}
    modes = run.modes.set_index("mode")
    assert (modes["sampled_different"] == 0).all()
    assert (modes["warmup_blocks"] >= 1).all()
    assert modes["warmup_rule"].isin(["steady", "time limit"]).all()
    assert modes["harness_overhead"].between(0, 1).all()
    blocks = run.blocks
    assert blocks["waiting_s"].ge(0).all()
    own = mode_table(run).set_index("mode")
    assert own["waiting"].between(0, 1).all()
    text = (write_report(run.folder).parent / "report.md").read_text()
    assert text.count(" (harness ") == 2
    assert blocks["passes"].ge(1).all()
    for _, own in blocks.groupby("mode"):
        begins = own.sort_values("block")["t_s"].to_numpy(float)
        assert (np.diff(begins) >= own.sort_values("block")["wall_s"].to_numpy()[:-1]).all()
    reference = blocks[blocks["mode"] == "parallel_cpu"]
    spent = reference["busy_s"] + reference["waiting_s"].astype(float)
    assert (spent <= reference["wall_s"] * reference["workers"]).all()
    assert reference["collections"].ge(0).all()
    assert blocks["cpu_s"].gt(0).all()


def test_no_samples_no_comparison(tmp_path):
    (tmp_path / "mine.py").write_text("from dsl import *\ndef solve_turns(I):\n    return rot90(I)\n")
    config = settings(tmp_path, modes=["sequential"], accuracy_samples=0)
    run = load_run(execute(config, prepare(config)))
    assert len(pd.read_parquet(run.folder / "accuracy.parquet")) == 0
    assert list(run.modes["sampled"]) == [0]
