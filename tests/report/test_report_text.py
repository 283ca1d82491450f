import json
import re

import pytest
from synthetic_run import HOSTILE, SLOW, with_fallbacks, with_native_profile

from harness.places import portable
from harness.report.fallbacks import fell_back_text
from harness.report.frames import load_run
from harness.report.tables import mode_table
from harness.report.text import code, flattened, report_markdown, summary_lines
from harness.report.verdict import cautions, findings, idle_groups, idle_modes


def mode_lines(run):
    lines = summary_lines(run)
    return {line.split()[0]: line for line in lines if line.startswith(("sequential ", "parallel_cpu ", "native_cpu "))}


def levels(folder):
    return [finding.level for finding in findings(load_run(folder))]


def test_summary_ends_with_the_table_and_the_dashboard(folder):
    run = load_run(folder)
    lines = summary_lines(run)
    assert lines[-1] == f"Dashboard: {folder / 'dashboard.html'}"
    modes = mode_lines(run)
    cells = {mode: re.split(r"  +", line) for mode, line in modes.items()}
    assert cells["sequential"][1:5] == ["1", "523 (517 to 525)", "1x (baseline)", "is the reference"]
    assert cells["parallel_cpu"][1:5] == ["2", "1,017 (1,010 to 1,025)", "1.94x (1.93x to 1.96x)", "117 of 117"]
    assert modes["native_cpu"].split()[1:5] == ["-", "-", "-", "-"]
    assert "skipped: the VM's host build" in modes["native_cpu"]
    head = next(line for line in lines if line.startswith("mode "))
    assert head.index("speedup") == modes["parallel_cpu"].index("1.94x") == modes["sequential"].index("1x (base")
    assert all(line.isascii() for line in lines)


def test_summary_counts_the_first_pass(folder):
    text = "30 programs, 120 evaluations, 116 ok; 86 of 86 outputs are as the task expects; not run: 1 import failed."
    assert text in summary_lines(load_run(folder))


def test_a_faster_mode_with_equal_outputs_is_good(folder):
    (finding,) = findings(load_run(folder))
    assert finding.level == "good"
    assert finding.text.startswith("parallel_cpu is faster than sequential: 1.94x (95% interval 1.93x to 1.96x)")
    assert "All 117 compared outputs agree" in finding.text


@pytest.mark.parametrize(
    ("factor", "level", "words"), [(1.94, "unclear", "No clear difference"), (4, "bad", "parallel_cpu is slower")]
)
def test_no_difference_is_unclear_and_slower_is_bad(edit, factor, level, words):
    folder = edit(
        "blocks", lambda rows: rows.assign(wall_s=rows["wall_s"].where(rows["workers"] == 1, factor * rows["wall_s"]))
    )
    (finding,) = findings(load_run(folder))
    assert (finding.level, finding.text.startswith(words)) == (level, True)


def test_other_outputs_make_speed_worthless(edit):
    folder = edit("modes", lambda rows: rows.assign(mismatches=[0, 3, None]).astype({"mismatches": "Int64"}))
    (finding,) = findings(load_run(folder))
    assert finding.level == "bad"
    assert "in 3 of 117 evaluations" in finding.text
    assert "114 of 117" in mode_lines(load_run(folder))["parallel_cpu"]


def test_what_fell_back_is_said_with_its_reasons(edit):
    run = load_run(edit("modes", with_fallbacks))
    (finding,) = findings(run)
    words = "3 of 120: arena 2, untraceable mine.py:12 1"
    assert (finding.level, finding.text.endswith(f"Fell back to the reference: {words}.")) == ("good", True)
    row = next(line for line in report_markdown(run).splitlines() if line.startswith("| `parallel_cpu`"))
    assert f"| {words} |" in row


def test_of_many_reasons_the_most_common_are_named(edit):
    reasons = {f"untraceable: /a/mine.py:{line}: why": line for line in (3, 5, 2, 1)} | {
        "untraceable: b/mine.py:5: x": 9
    }
    folder = edit(
        "modes", lambda rows: with_fallbacks(rows).assign(fell_back=20, fell_back_reasons=json.dumps(reasons))
    )
    row = mode_table(load_run(folder)).set_index("mode").loc["parallel_cpu"]
    assert fell_back_text(row) == (
        "20 of 120: untraceable mine.py:5 14, untraceable mine.py:3 3, untraceable mine.py:2 2, others 1"
    )


def test_a_mode_that_left_all_to_the_reference_did_nothing(edit):
    folder = edit("modes", lambda rows: with_fallbacks(rows).assign(fell_back=120))
    (finding,) = findings(load_run(folder))
    assert finding.level == "bad"
    assert finding.text.startswith("parallel_cpu did nothing itself; all fell back to the reference: 120 of 120")


def test_profiles_of_modes_stand_side_by_side(edit):
    text = report_markdown(load_run(edit("primitives", with_native_profile)))
    assert "| grids | 1 | 1,200 | 26.7% | 1 | 30 | 25.0% |" in text
    assert "| objects | 1 | 300 | 6.67% | - | - | - |" in text
    assert "| control | - | - | - | 1 | 30 | 75.0% |" in text


def test_outputs_that_were_not_compared_are_never_good(edit):
    folder = edit("modes", lambda rows: rows.assign(compared=0))
    assert levels(folder) == ["unclear"]
    assert "not compared" in mode_lines(load_run(folder))["parallel_cpu"]


def test_a_failed_mode_and_a_failed_run_are_bad(edit, record):
    edit("modes", lambda rows: rows.assign(status=["ran", "failed", "skipped"], reason=["", "out of memory", "absent"]))
    folder = record(status="failed", error="Killed")
    run = load_run(folder)
    assert [finding.level for finding in findings(run)] == ["bad", "bad"]
    assert "The run failed: Killed." in findings(run)[0].text
    assert ("parallel_cpu", "failed", "out of memory") in idle_modes(run)


def test_an_interrupted_run_says_so(record, folder):
    record(status="interrupted", error="KeyboardInterrupt")
    (folder / "blocks.parquet").unlink()
    lines = summary_lines(load_run(folder))
    assert lines[0].startswith("The run was interrupted: KeyboardInterrupt.")
    assert lines[1].startswith("No mode was measured")
    assert ("parallel_cpu", "ran", "no timed block was recorded") in idle_modes(load_run(folder))


def test_a_run_that_was_killed_shows_what_there_is(record, edit):
    edit("modes", lambda rows: rows.assign(status=["interrupted", "interrupted", "skipped"], stop_rule=None))
    run = load_run(record(status="running", finished=None))
    assert findings(run)[0].text.startswith("The run did not come to its end")
    assert "1.94x (1.93x to 1.96x)" in mode_lines(run)["parallel_cpu"]
    assert mode_lines(run)["parallel_cpu"].endswith("interrupted after 8 blocks")


def test_cautions_name_what_limits_the_numbers(edit, folder):
    lines = cautions(load_run(folder))
    assert lines[0].startswith("the machine's load")
    assert any(line.startswith(f"{SLOW} takes 80.1% of the sequential time") for line in lines)
    assert len(lines) == 2
    edit("blocks", lambda rows: rows[rows["block"] < 3].assign(busy_s=rows["busy_s"] / 2))
    (folder / "primitives.parquet").unlink()
    text = "\n".join(cautions(load_run(folder)))
    assert "primitives.parquet is not there" in text
    assert "sequential: 3 timed blocks are too few for a 95% interval" in text
    said = "parallel_cpu: 52.0% of its workers' time went into something else"
    assert said in text
    # Where the runner has warned of the harness's own share, that is said once.
    edit("modes", lambda rows: rows.assign(harness_overhead=0.5))
    assert said not in "\n".join(cautions(load_run(folder)))
    edit("modes", lambda rows: rows.assign(harness_overhead=0.001))
    assert said in "\n".join(cautions(load_run(folder)))


def test_a_reason_of_several_modes_is_told_once(folder, edit):
    edit("modes", lambda rows: rows.assign(status="skipped", reason="no GPU"))
    (folder / "blocks.parquet").unlink()
    assert idle_groups(load_run(folder)) == [("sequential, parallel_cpu and native_cpu skipped", "no GPU")]


def test_a_wide_interval_is_a_caution(edit):
    folder = edit("blocks", lambda rows: rows.assign(wall_s=rows["wall_s"] * (1 + rows["block"] / 10)))
    assert any("wider than 5%" in line for line in cautions(load_run(folder)))


def test_a_wide_interval_or_one_block_is_marked(edit):
    one = load_run(edit("blocks", lambda rows: rows[rows["block"] == 0]))
    assert "one block only, so no interval" in findings(one)[0].text
    assert " (" not in mode_lines(one)["parallel_cpu"].split("117 of 117")[0]


def test_report_has_every_section_and_row(folder):
    text = report_markdown(load_run(folder))
    heads = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert heads == [
        "Checks",
        "Modes",
        "First calls",
        "Slowest programs",
        "Primitive families",
        "Problems",
        "Environment",
        "Reproduce",
    ]
    assert f"| `{SLOW}` | 80.1% | 45.5 ms | 2.01x |" in text
    assert "120 first calls: 339 ms in all, median 500 µs, longest 136 ms" in text
    assert "| containers | 1 | 1,500 | 33.3% |" in text
    assert "| `solve_00000002` | failed | 2 |" in text
    assert f"python -m harness run {portable(str(folder / 'config.yaml'))}" in text
    assert "5e198d1c0ffe, with uncommitted changes" in text


def test_tables_of_the_report_are_well_formed_whatever_the_names(edit):
    folder = edit("timings", lambda rows: rows.assign(seconds=rows["seconds"].where(rows["program"] != HOSTILE, 99.0)))
    text = report_markdown(load_run(folder))
    row = next(line for line in text.splitlines() if line.startswith("|") and "alert" in line)
    assert row.startswith('| ``<script>alert("1")</script>\\|`$x$&amp;`` | ')
    columns = 0
    for line in text.splitlines():
        cells = line.replace("\\|", "").count("|") if line.startswith("|") else 0
        assert not columns or not cells or cells == columns, line
        columns = cells


def test_code_spans_hold_backticks():
    assert code("a") == "`a`"
    assert code("a`b``c") == "```a`b``c```"
    assert code("`a`") == "`` `a` ``"
    assert code("a|b\nc") == "`a\\|b c`"
    assert code("") == "-"


def test_nested_mappings_are_flattened():
    pairs = flattened({"a": {"b": 1, "c": None}, "d": [1, 2], "e": [{"f": 2}], "g": []})
    assert pairs == [("a.b", "1"), ("a.c", "none"), ("d", "1, 2"), ("e.0.f", "2"), ("g", "none")]
