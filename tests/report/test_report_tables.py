import math

import numpy as np
import pandas as pd
import pytest
from synthetic_run import (
    BLOCKS,
    FAMILIES,
    HOSTILE,
    MODULE,
    PROGRAMS,
    SAMPLES,
    SLOW,
    with_fallbacks,
    with_native_profile,
)

from harness.report.frames import load_run
from harness.report.tables import (
    family_table,
    mode_table,
    primitive_table,
    problem_table,
    profiled_modes,
    program_table,
)
from harness.report.text import overhead_text

EVALUATIONS = SAMPLES * len(PROGRAMS)


def by_hand(folder, walls, busy, seconds):
    """Blocks and timings of two programs with given numbers, in sequential and in parallel_cpu with 2 workers."""
    blocks, timings = [], []
    for mode, workers in (("sequential", 1), ("parallel_cpu", 2)):
        for block, wall in enumerate(walls[mode]):
            blocks.append((mode, block, wall, 10, workers, busy[mode]))
            timings += [(name, "m", mode, block, 5, seconds[mode][name]) for name in ("a", "b")]
    columns = ["mode", "block", "wall_s", "evaluations", "workers", "busy_s"]
    pd.DataFrame(blocks, columns=columns).to_parquet(folder / "blocks.parquet")
    columns = ["program", "module", "mode", "block", "evaluations", "seconds"]
    pd.DataFrame(timings, columns=columns).to_parquet(folder / "timings.parquet")
    return load_run(folder)


@pytest.fixture
def hand_made(folder):
    return by_hand(
        folder,
        walls={"sequential": [4.0, 5.0, 6.0], "parallel_cpu": [2.0, 2.5, 4.0]},
        busy={"sequential": 4.0, "parallel_cpu": 4.5},
        seconds={"sequential": {"a": 3.0, "b": 1.0}, "parallel_cpu": {"a": 3.0, "b": 1.5}},
    )


def test_mode_table_by_hand(hand_made):
    table = mode_table(hand_made).set_index("mode")
    sequential, parallel = table.loc["sequential"], table.loc["parallel_cpu"]
    assert list(table.index) == ["sequential", "parallel_cpu", "native_cpu"]
    assert sequential[["wall_s", "wall_s_low", "wall_s_high"]].tolist() == [5, 4, 6]
    assert sequential[
        ["evaluations_per_s", "evaluations_per_s_low", "evaluations_per_s_high"]
    ].tolist() == pytest.approx([2, 10 / 6, 2.5])
    assert sequential["full_range"]
    assert parallel["speedup"] == pytest.approx(5 / 2.5)
    assert parallel[["speedup_low", "speedup_high"]].tolist() == pytest.approx([4 / 4, 6 / 2])
    # a: 2 workers x 3 / 3 = 2; b: 2 workers x 1 / 1.5 = 4/3.
    assert parallel["geometric_mean_speedup"] == pytest.approx(math.sqrt(2 * 4 / 3))
    assert parallel["programs_compared"] == 2
    # Per block 1 - 4.5 / (2 x 2), 1 - 4.5 / (2 x 2.5), 1 - 4.5 / (2 x 4): the median is the second.
    assert parallel["overhead"] == pytest.approx(0.1)
    assert math.isnan(parallel["waiting"])  # older runs do not tell
    assert overhead_text(parallel) == "10.0%"
    told = parallel.copy()
    told["waiting"], told["harness_overhead"] = 0.08, 0.02
    assert overhead_text(told) == "10.0% (harness 2.00%, waiting 8.00%)"
    assert (parallel["blocks"], parallel["evaluations_per_block"], parallel["workers"]) == (3, 10, 2)


def test_program_table_by_hand(hand_made):
    table = program_table(hand_made).set_index("program")
    a = table.loc["a"]
    assert table.index[0] == "a"
    assert a["sequential_s_per_evaluation"] == pytest.approx(3 / 5)
    assert a["sequential_evaluations_per_s"] == pytest.approx(5 / 3)
    assert a["parallel_cpu_evaluations_per_s"] == pytest.approx(2 * 5 / 3)
    assert a["sequential_share"] == pytest.approx(0.75)
    assert a["parallel_cpu_share"] == pytest.approx(3 / 4.5)
    assert a["parallel_cpu_speedup"] == pytest.approx(2)
    assert pd.isna(a["evaluations"])


def test_a_mode_that_was_not_measured_has_no_figures(folder):
    row = mode_table(load_run(folder)).set_index("mode").loc["native_cpu"]
    assert row["status"] == "skipped"
    assert "does not exist" in row["reason"]
    assert row.drop(["status", "reason"]).isna().all()


def test_figures_of_a_failed_mode_do_not_count(edit):
    folder = edit(
        "modes", lambda modes: modes.assign(status=modes["status"].where(modes["mode"] != "parallel_cpu", "failed"))
    )
    table = mode_table(load_run(folder)).set_index("mode")
    assert table.loc["parallel_cpu"][["evaluations_per_s", "speedup", "blocks"]].isna().all()
    assert "parallel_cpu_speedup" not in program_table(load_run(folder))


def test_without_a_baseline_there_is_throughput_and_no_speedup(edit):
    folder = edit("blocks", lambda blocks: blocks[blocks["mode"] != "sequential"])
    row = mode_table(load_run(folder)).set_index("mode").loc["parallel_cpu"]
    assert row["evaluations_per_s"] > 0
    assert row[["speedup", "geometric_mean_speedup"]].isna().all()


def test_mode_table_of_the_noisy_run(folder):
    table = mode_table(load_run(folder)).set_index("mode")
    parallel = table.loc["parallel_cpu"]
    assert parallel["blocks"] == BLOCKS
    assert parallel["evaluations_per_block"] == EVALUATIONS
    # Half the busy time of sequential per worker, 4% and 1% overhead.
    assert parallel["speedup"] == pytest.approx(2 * 0.96 / 0.99, rel=0.02)
    assert parallel["geometric_mean_speedup"] == pytest.approx(2, rel=0.01)
    assert parallel["overhead"] == pytest.approx(0.04)
    assert parallel["speedup_low"] < parallel["speedup"] < parallel["speedup_high"]
    assert (parallel["compared"], parallel["mismatches"]) == (117, 0)


def test_program_table_of_the_noisy_run(folder):
    table = program_table(load_run(folder))
    assert len(table) == len(PROGRAMS) + 1
    assert table["program"].iloc[0] == SLOW
    assert table["sequential_share"].iloc[0] == pytest.approx(0.8, abs=0.01)
    assert table["sequential_share"].sum() == pytest.approx(1)
    rows = table.set_index("program")
    failing = rows.loc["solve_00000002"]
    assert failing[["evaluations", "ok", "failed", "timeouts", "died"]].tolist() == [4, 2, 2, 0, 0]
    # Two of three samples as given failed; the augmented one is counted apart, and was not equal.
    assert failing[["compared", "equal", "compared_augmented", "equal_augmented"]].tolist() == [1, 1, 1, 0]
    assert rows.loc["solve_00000003", "timeouts"] == 1
    assert rows.loc["solve_00000004", "died"] == 1
    assert rows.loc[HOSTILE, "first_call_max_s"] == pytest.approx(3 * rows.loc[HOSTILE, "first_call_median_s"])
    assert rows.loc["", "status"] == "import_failed"
    assert pd.isna(rows.loc["", "evaluations"])
    assert np.isnan(rows.loc["", "sequential_s_per_evaluation"])


def test_equal_names_of_two_modules_are_two_programs(edit):
    def moved(frame):
        return pd.concat([frame, frame.assign(module="other.py")])

    for name in ("programs", "evaluations", "timings"):
        folder = edit(name, moved)
    table = program_table(load_run(folder))
    assert len(table) == 2 * (len(PROGRAMS) + 1)
    assert table["module"].value_counts().to_dict() == {MODULE: 30, "other.py": 31, "my_<b>solvers</b>.py": 1}
    labels = set(table["label"])
    assert len(labels) == len(table)
    assert {f"tasks:{SLOW}", f"other:{SLOW}", "my_<b>solvers</b>.py", "other.py"} <= labels


def test_labels_are_as_short_as_they_can_be(edit):
    def paths(frame):
        one = frame[frame["program"] == SLOW]
        return pd.concat([frame, one.assign(module="a/tasks.py"), one.assign(module="b/other.py")])

    rows = program_table(load_run(edit("programs", paths)))
    assert sorted(rows.loc[rows["program"] == SLOW, "label"]) == sorted(
        [f"{MODULE}:{SLOW}", f"a/tasks.py:{SLOW}", f"other:{SLOW}"]
    )
    assert "solve_00000002" in set(rows["label"])


def test_families_and_primitives(folder):
    run = load_run(folder)
    families, primitives = family_table(run), primitive_table(run)
    assert families["family"].tolist() == ["containers", "grids", "patches", "dialect", "objects"]
    assert families["sequential_calls"].tolist() == [30 * 10 * n for n in (5, 4, 3, 2, 1)]
    assert families["sequential_seconds"].tolist() == pytest.approx([0.03 * n for n in (5, 4, 3, 2, 1)])
    assert families["sequential_share"].tolist() == pytest.approx([n / 15 for n in (5, 4, 3, 2, 1)])
    assert families["sequential_primitives"].tolist() == [1] * 5
    assert dict(zip(primitives["primitive"], primitives["family"], strict=True)) == FAMILIES


def test_profiles_of_modes_stand_side_by_side_and_are_never_added_up(edit):
    run = load_run(edit("primitives", with_native_profile))
    assert profiled_modes(run) == ["sequential", "native_cpu"]
    families, primitives = family_table(run).set_index("family"), primitive_table(run).set_index("primitive")
    assert families.index.tolist() == ["containers", "grids", "patches", "dialect", "objects", "control"]
    assert families.loc["grids", ["sequential_calls", "native_cpu_calls"]].tolist() == [1200, 30]
    assert families.loc["control", "native_cpu_share"] == pytest.approx(0.75)
    assert families[["sequential_share", "native_cpu_share"]].sum().tolist() == pytest.approx([1, 1])
    assert families.loc["control", ["sequential_calls", "sequential_share"]].isna().all()
    assert families.loc["objects", ["native_cpu_calls", "native_cpu_seconds"]].isna().all()
    assert primitives.loc["rot90", ["sequential_calls", "native_cpu_calls"]].tolist() == [1200, 30]
    assert primitives.loc["if_", "family"] == "control"


def test_what_fell_back_is_counted_by_reason(edit):
    row = mode_table(load_run(edit("modes", with_fallbacks))).set_index("mode").loc["parallel_cpu"]
    assert (row["first_calls"], row["fell_back"]) == (EVALUATIONS, 3)
    assert row["fell_back_reasons"] == {"arena": 2, "untraceable: /a/mine.py:12: it branches: on a value": 1}


@pytest.mark.parametrize("text", ["{", "[1]", '{"a": "b"}', None])
def test_reasons_that_are_none_do_no_harm(edit, text):
    folder = edit("modes", lambda rows: with_fallbacks(rows).assign(fell_back_reasons=text))
    row = mode_table(load_run(folder)).set_index("mode").loc["parallel_cpu"]
    assert (row["fell_back"], row["fell_back_reasons"]) == (3, None)


def test_a_run_from_before_fallbacks_were_counted_can_be_read(edit):
    run = load_run(edit("modes", lambda rows: rows.drop(columns=["fell_back", "fell_back_reasons"])))
    assert run.missing == {}
    table = mode_table(run).set_index("mode")
    assert table["fell_back"].isna().all()
    assert table.loc["parallel_cpu", "compared"] == 117


def test_problems_are_grouped(folder):
    table = problem_table(load_run(folder))
    assert table["problem"].tolist() == ["import_failed", "died", "timeout", "failed"]
    assert table["evaluations"].isna().tolist() == [True, False, False, False]
    assert table["evaluations"].tolist()[1:] == [1, 1, 2]
    assert table["program"].tolist() == ["", "solve_00000004", "solve_00000003", "solve_00000002"]
    assert table["samples"].iloc[3] == "train[0], train[1]"
    assert "never closed" in table["error"].iloc[0]


def test_programs_without_samples_share_a_row_at_the_end(edit):
    def more(rows):
        idle = rows.iloc[[0] * 5].assign(program=[f"solve_x{i}" for i in range(5)], status="no_samples", detail="none")
        return pd.concat([rows, idle])

    table = problem_table(load_run(edit("programs", more)))
    row = table.iloc[-1]
    assert len(table) == 5
    assert (row["problem"], row["programs"]) == ("no_samples", 5)
    assert row["program"] == "solve_x0, solve_x1, solve_x2 and 2 more"
    assert pd.isna(row["task"])


def test_problems_name_three_samples_and_count_the_others(edit):
    folder = edit(
        "evaluations",
        lambda rows: rows.assign(
            status="failed", error=None, sample=[f"s{i}" for i in range(len(rows))], program="p", task="t"
        ),
    )
    row = problem_table(load_run(folder)).iloc[-1]
    assert pd.isna(row["error"])
    assert (row["evaluations"], row["samples"]) == (EVALUATIONS, "s0, s1, s2 and 117 more")


def test_tables_of_nothing_are_empty(folder):
    for path in folder.glob("*.parquet"):
        path.unlink()
    run = load_run(folder)
    assert mode_table(run)["status"].tolist() == ["not recorded"] * 3
    for table in (program_table, family_table, primitive_table, problem_table):
        assert table(run).empty
