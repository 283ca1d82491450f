"""A time budget: what would not finish is skipped and said to be, and there is a report."""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
from survive import do, run_here, status, write_run

from harness.report import load_run
from harness.report.verdict import cautions
from harness.run.budget import Budget
from harness.run.interrupts import EndAtOnce, Interrupts, OutOfTime


def modes_of(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(folder / "modes.parquet").set_index("mode")


def test_a_run_without_end_ends_with_its_budget_and_has_its_report(tmp_path):
    config = write_run(tmp_path, blocks=1_000_000)
    folder = tmp_path / "run"
    changes = ["time_budget_s=12", "min_blocks=2", "precision=1.0e-9", "max_mode_s=1.0e+9"]
    out, _ = do("run", config, "--out", folder, *(word for change in changes for word in ("--set", change)))
    assert status(folder) == "complete"
    modes = modes_of(folder)
    assert set(modes.status) == {"ran"}
    assert set(modes.stop_rule) == {"time budget"}
    counts = pd.read_parquet(folder / "blocks.parquet").groupby("mode").size()
    assert counts.max() - counts.min() <= 1  # they took turns to the end
    assert "time budget" in out
    notes = cautions(load_run(folder))
    assert any(line.startswith("sequential: its timing ended after") for line in notes), notes
    assert "its timing ended after" in (folder / "report.md").read_text()
    assert not (folder / "journal").exists()


def test_what_has_no_room_is_skipped_and_says_so(tmp_path):
    config = write_run(tmp_path)
    folder = run_here(config, tmp_path / "run", time_budget_s=0.001)
    assert status(folder) == "complete"
    modes = modes_of(folder)
    assert set(modes.status) == {"skipped"}
    assert all("time budget" in reason for reason in modes.reason)
    assert any("time budget" in line for line in json.loads((folder / "run.json").read_text())["warnings"])


def test_modes_that_have_no_room_beside_the_baseline_are_skipped(tmp_path):
    config = write_run(tmp_path, blocks=4)
    # 4 evaluations of a quarter of a second each: one pass in one process is all that there is room for.
    (tmp_path / "mine.py").write_text(
        "import time\nfrom dsl import *\ndef solve_turn(I):\n    time.sleep(0.5)\n    return rot90(I)\n"
    )
    folder = run_here(config, tmp_path / "run", time_budget_s=4.0, program_timeout_s=5.0, profile=True)
    modes = modes_of(folder)
    assert status(folder) == "complete"
    assert modes.status["native_cpu"] == "skipped"
    assert "time budget" in modes.reason["native_cpu"]
    assert len(pd.read_parquet(folder / "evaluations.parquet")) == 2
    warnings = json.loads((folder / "run.json").read_text())["warnings"]
    assert any("native_cpu was not" in line for line in warnings), warnings
    assert any("Primitives were not counted" in line for line in warnings), warnings


def test_what_takes_far_longer_than_it_looked_like_is_broken_off(tmp_path):
    config = write_run(tmp_path, blocks=4, modes="sequential")
    (tmp_path / "mine.py").write_text(
        "import time\nfrom dsl import *\ndef solve_turn(I):\n    time.sleep(300)\n    return rot90(I)\n"
    )
    folder = tmp_path / "run"
    out, errors = do(
        *("run", config, "--out", folder, "--set", "time_budget_s=4", "--set", "program_timeout_s=400"), code=1
    )
    assert errors == ""
    assert "time_budget_s (4 s) was over before it was done" in out
    assert status(folder) == "interrupted"
    assert "time_budget_s" in (folder / "report.md").read_text().replace("\\", "")
    assert (folder / "journal").exists()  # it can be continued


def test_a_mode_that_was_skipped_for_lack_of_time_has_another_chance_when_the_run_is_continued(tmp_path, monkeypatch):
    from harness.run import runner
    from harness.run.resume import resumed_config

    config = write_run(tmp_path, blocks=4, modes="sequential, native_cpu")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    whole_left = Budget.left
    with monkeypatch.context() as patch:
        # As if the first calls of `sequential` had taken nearly all of the budget.
        patch.setattr(Budget, "left", lambda own: whole_left(own) if own.seconds is None else 0.3)
        patch.setattr(runner, "_time", stop)
        with pytest.raises(KeyboardInterrupt):
            run_here(config, tmp_path / "run", time_budget_s=100.0)
    assert modes_of(tmp_path / "run").status["native_cpu"] == "skipped"
    again = resumed_config(tmp_path / "run", {"time_budget_s": None})
    runner.execute(again, runner.prepare(again))
    assert set(modes_of(tmp_path / "run").status) == {"ran"}
    assert status(tmp_path / "run") == "complete"


def test_a_budget_keeps_time_for_the_report():
    assert Budget(None).left() == math.inf
    assert Budget(None).allows(1e9)
    assert Budget(None).latest() == math.inf
    long, short = Budget(3600.0, 600.0), Budget(8.0)
    assert 2900 < long.left() <= 2964  # 36 s are kept
    assert long.left() < long.latest() < 3000
    assert 0 < short.left() <= 5.6
    assert long.allows(2400)
    assert not long.allows(2600)
    assert "of time_budget_s (3600 s) are left" in long.lack(2600.0)
    assert Budget(10.0, 20.0).left() < 0


def send() -> None:
    signal.raise_signal(signal.SIGINT)


def test_ctrl_c_is_held_back_once_and_the_second_one_is_not():
    reached = []
    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt) as first, interrupts.held():
            with interrupts.held():
                send()
                reached.append("inner")
            reached.append("outer")
        assert not isinstance(first.value, EndAtOnce)
        assert reached == ["inner", "outer"]
        with pytest.raises(EndAtOnce), interrupts.held():
            send()
    assert interrupts.count == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with Interrupts(), pytest.raises(KeyboardInterrupt):
        send()


def test_handlers_of_others_and_other_threads_are_left_alone():
    called = []
    signal.signal(signal.SIGINT, lambda *_: called.append("own"))
    try:
        with Interrupts() as interrupts:
            with interrupts.held():
                send()
                assert called == []
            assert called == ["own"]
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with Interrupts():
            send()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    found = []

    def elsewhere() -> None:
        with Interrupts(), Interrupts().held():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]


def test_the_end_of_the_time_ends_what_waits_but_not_what_is_held():
    done = []
    with pytest.raises(OutOfTime), Interrupts() as interrupts, interrupts.limited(0.05), interrupts.held():
        end = time.monotonic() + 60
        while not interrupts._waiting:
            assert time.monotonic() < end
        done.append(True)
    assert done == [True]
    with pytest.raises(OutOfTime), Interrupts() as interrupts, interrupts.limited(0.05):
        time.sleep(60)
    for _ in range(200):  # it is over at about the time when what it limits is done
        try:
            with Interrupts() as interrupts, interrupts.limited(0.0002):
                pass
        except OutOfTime:
            pass
        assert interrupts.count == 0
    with Interrupts() as interrupts, interrupts.limited(60.0):
        pass  # its timer ends with it
    assert not [t for t in threading.enumerate() if isinstance(t, threading.Timer) and not t.finished.is_set()]


def test_what_takes_no_known_time_is_allowed_where_there_is_no_budget():
    assert Budget(None).allows(float("inf"))
    assert not Budget(10.0).allows(1e9)
