"""Runs that are killed, at random moments and at each of their writes, and go on as if nothing had been."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from survive import Death, differences, journal, resume_here, run_here, torture, write_run

from harness.report import load_run, report_markdown
from harness.run import journal as journal_module
from harness.run.runner import close_abandoned


def test_runs_that_are_killed_and_continued_are_as_an_undisturbed_one(tmp_path):
    tally = torture(tmp_path, kills=4, seed=7)
    assert tally.kills == 4
    assert tally.wrong == []


@pytest.fixture
def config(tmp_path) -> Path:
    return write_run(tmp_path, blocks=2, modes="sequential, native_cpu")


def dying(monkeypatch, at: int, *, after: bool) -> Callable[[], list[str]]:
    """Have the process die at its n-th write, or right after it; return what says which files were to be written."""
    write, asked = journal_module.write_atomic, []

    def write_or_die(path: Path, data: bytes | str) -> None:
        asked.append(path.name)
        if len(asked) == at and after:
            write(path, data)
        if len(asked) >= at:
            raise Death
        write(path, data)

    monkeypatch.setattr(journal_module, "write_atomic", write_or_die)
    return lambda: asked


def test_a_run_that_dies_at_any_of_its_writes_goes_on_from_there(config, tmp_path, monkeypatch):
    whole = run_here(config, tmp_path / "whole")
    with monkeypatch.context() as patch:
        asked = dying(patch, 10**9, after=False)
        run_here(config, tmp_path / "counted")
        writes = list(asked())
    assert {"00000-session.json", "run.json", "evaluations.parquet", "blocks.parquet"} <= set(writes)
    assert not (whole / "journal").exists()
    # Every write of a block, and some of the others, each before and after it.
    chosen = [n for n, name in enumerate(writes, start=1) if n % 4 == 1 or name.endswith("-block.json")]
    for at in chosen:
        folder = tmp_path / f"at-{at}"
        after = at % 2 == 0
        with monkeypatch.context() as patch:
            dying(patch, at, after=after)
            with pytest.raises(Death):
                run_here(config, folder)
        kept = journal(folder)
        if not (folder / "config.yaml").exists():
            run_here(config, folder)  # it was ended before it began
        else:
            resume_here(folder)
        sessions = json.loads((folder / "run.json").read_text())["sessions"]
        assert len(sessions) == (2 if kept and at < len(writes) else 1), writes[at - 1]
        assert differences(whole, folder) == [], writes[at - 1]


def test_a_run_that_was_killed_between_a_block_and_its_tables_has_a_report_with_that_block(
    config, tmp_path, monkeypatch
):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        asked = dying(patch, 10**9, after=False)
        run_here(config, tmp_path / "counted")
        at = [n for n, name in enumerate(asked(), start=1) if name.endswith("-block.json")][2]
        dying(patch, at, after=True)
        with pytest.raises(Death):
            run_here(config, folder)
    assert len(pd.read_parquet(folder / "blocks.parquet")) == 2
    close_abandoned(folder)
    found = load_run(folder)
    assert found.status == "interrupted"
    assert len(found.blocks) == 3
    assert len(found.timings.groupby(["mode", "block"])) == 3
    assert len(found.accuracy.groupby(["mode", "block"])) == 3
    resume_here(folder)
    text = report_markdown(load_run(folder))
    assert "resumed once" in text
    assert "with 3 timed blocks done, from block 1 of native\\_cpu" in text or "block 1 of native_cpu" in text
