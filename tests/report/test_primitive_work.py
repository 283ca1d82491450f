"""Who executed which primitive: counted by hand for a small run, part of which falls back to the reference."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import harness
from harness.config import make_config
from harness.report import load_run, write_report
from harness.report.primitive_work import primitive_work, work_lines
from harness.run.runner import execute, prepare

SOURCE = """
from dsl import *

def solve_turns(I):
    return rot90(I)

def solve_branches(I):
    if size(I) == 2:
        return rot180(I)
    return rot90(rot90(I))

def solve_overflows(I):
    return canvas(power(double, 70)(height(I)), (1, 1))
"""
GRIDS = [[[1, 2], [3, 4]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]], [[1], [2], [0]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    base = tmp_path_factory.mktemp("work")
    (base / "mine.py").write_text(SOURCE)
    examples = [{"input": grid, "output": [[0]]} for grid in GRIDS]
    (base / "data.json").write_text(json.dumps(dict.fromkeys(("turns", "branches", "overflows"), examples)))
    config = make_config(
        {
            **{"data": str(base / "data.json"), "programs": [str(base / "mine.py")], "workers": 1},
            **{"modes": ["sequential", "native_cpu"], "results_dir": str(base / "results")},
            **{"min_block_s": 0.01, "min_blocks": 2, "max_blocks": 2, "max_warmup_s": 0.1},
        },
        "here",
    )
    return execute(config, prepare(config))


def test_what_the_machine_and_the_reference_executed_is_told_apart(folder):
    table, unknown = primitive_work(load_run(folder))
    assert unknown == {}
    assert set(table["mode"]) == {"native_cpu"}
    found = {row.primitive: (row.executed, row.fell_back) for row in table.itertuples()}
    # Of three samples, solve_turns is the machine's; the others are the reference's: one branches in Python, and one
    # doubles beyond 64 bits. Two of three grids are two wide or high, so one takes the first branch.
    assert found["rot90"] == (3, 2 * sum(len(grid) != 2 for grid in GRIDS))
    assert found["rot180"] == (0, sum(len(grid) == 2 for grid in GRIDS))
    assert found["size"] == (0, 3)
    assert found["height"] == (0, 3)
    assert found["double"] == (0, 3 * 70)
    shares = table.set_index("primitive")["own_share"]
    assert shares["rot90"] == pytest.approx(3 / 7)
    assert shares["size"] == 0


def test_every_report_tells_it(folder):
    write_report(folder)
    run = load_run(folder)
    (line,) = work_lines(run)
    table, _ = primitive_work(run)
    total = table["executed"].sum() + table["fell_back"].sum()
    assert line.startswith("native_cpu executed ")
    assert f"of {total} executions of primitives itself" in line
    assert "most of it double 210" in line
    report, page = (folder / "report.md").read_text(), (folder / "dashboard.html").read_text()
    assert "| `double` | `native_cpu` | 0 | 210 | 0% |" in report
    for text in (report, page):
        assert "Device against fallback" in text
    assert 'id="work-table"' in page
    frame = harness.load_results(folder).frame("primitive_work")
    assert frame.drop(columns="run").equals(table)


def test_without_counts_nothing_is_told_but_why(folder, tmp_path):
    run = load_run(folder)
    blind = type(run)(**{**vars(run), "optional": {**run.optional, "executions": run.executions.iloc[:0]}})
    table, unknown = primitive_work(blind)
    assert table.empty
    assert list(unknown) == ["native_cpu"]
    assert work_lines(blind) == [f"Not known of native_cpu: {unknown['native_cpu']}."]
    partly = type(run)(**{**vars(run), "primitives": run.primitives.query("program != 'solve_branches'")})
    assert "solve_branches" in primitive_work(partly)[1]["native_cpu"]


def test_a_run_without_such_modes_has_none(folder):
    run = load_run(folder)
    table, unknown = primitive_work(type(run)(**{**vars(run), "blocks": pd.DataFrame(columns=run.blocks.columns)}))
    assert (len(table), unknown) == (0, {})
