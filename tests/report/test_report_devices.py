"""What devices did: an honest run, and the ways in which a GPU run can look as if a GPU had done the work."""

import json
import math

import pandas as pd
import pytest
from html_page import Page
from synthetic_run import GPU_DEVICES, GPU_SHARE, NOT_PASSED

from harness.report.dashboard import MOST_BYTES, render_dashboard
from harness.report.devices import (
    counted_executions,
    device_modes,
    device_share,
    device_table,
    has_device_data,
    opcode_table,
    series,
    spans,
    utilization,
)
from harness.report.frames import load_run
from harness.report.proof import gpu_findings
from harness.report.summary import summarize
from harness.report.verify import checks

MODE = "parallel_gpu"


@pytest.fixture
def change(gpu_folder):
    """Change a table of a GPU run, and load it; None takes the table away."""

    def changed(name=None, function=None):
        if name is not None:
            path = gpu_folder / f"{name}.parquet"
            frame = function(pd.read_parquet(path)) if function else None
            path.unlink() if frame is None else frame.to_parquet(path)
        return load_run(gpu_folder)

    return changed


def test_an_honest_run(change):
    run = change()
    assert has_device_data(run)
    assert device_modes(run) == [MODE]
    assert counted_executions(run, MODE) == 2 * 40_000
    assert device_share(run, MODE) == pytest.approx(GPU_SHARE, abs=1e-3)
    assert utilization(run, MODE) == pytest.approx(0.85)
    (finding,) = gpu_findings(run)
    assert finding.level == "good"
    assert finding.text == (
        "The GPU did 96.0% of the work of parallel_gpu: 2 x Tesla T4, 80,000 operations counted in device memory, busy "
        "85.0% of the time by NVML."
    )


def test_where_the_check_cannot_tell_what_did_not_fall_back_is_the_share(change):
    run = change("executions")
    assert [check.verdict for check in checks(run) if check.check == "device_share"] == ["unproven"]
    assert device_share(run, MODE) == pytest.approx(1 - 6 / 120)


def test_a_verdict_that_somebody_wrote_counts_for_nothing(gpu_folder):
    claims = [{"check": "device_share", "mode": MODE, "value": 1.0, "verdict": "pass"}]
    (gpu_folder / "verdict.json").write_text(json.dumps({"verdict": "pass", "checks": claims}))
    page = Page(render_dashboard(load_run(gpu_folder)))
    assert {row[0]: row[1] for row in page.tables["check-table"][1:]}["device_executions"] == "fail"
    assert "Checked from what was measured: fail (" in page.text
    assert summarize(load_run(gpu_folder)).verdict == "fail"


def test_counters_that_saw_nothing_are_bad_whatever_a_check_says(change):
    run = change("opcodes", lambda rows: rows.assign(executions=0, elements=0, cycles=0))
    assert device_share(run, MODE) == 0
    (finding,) = gpu_findings(run)
    assert finding.level == "bad"
    assert "did nothing" in finding.text


@pytest.mark.parametrize("lie", ["no table", "no rows", "nulls", "not compiled in"])
def test_without_counters_nothing_is_proven(change, lie):
    if lie == "not compiled in":
        change("devices", lambda rows: rows.assign(counters=False))
        run = change("opcodes", lambda rows: rows.assign(executions=0))
    else:
        nulls = {"executions": pd.array([None] * 6, "Int64")}
        run = change(
            "opcodes",
            {"no table": None, "no rows": lambda r: r.head(0), "nulls": lambda r: r.assign(**nulls)}[lie],
        )
    assert math.isnan(counted_executions(run, MODE))
    assert math.isnan(device_share(run, MODE))
    (finding,) = gpu_findings(run)
    assert finding.level == "unclear"
    assert "Nothing proves that a GPU did the work" in finding.text


def test_what_fell_back_is_no_work_of_the_device(change):
    change("executions")  # the check device_share cannot tell then
    run = change("modes", lambda rows: rows.assign(fell_back=rows["fell_back"].fillna(0) * 15))
    assert device_share(run, MODE) == pytest.approx(0.25)
    assert gpu_findings(run)[0].level == "unclear"


def test_a_run_without_a_gpu_mode_says_so(folder, record):
    assert gpu_findings(load_run(folder)) == []
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("- native_cpu", "- native_cpu\n- parallel_gpu"))
    (finding,) = gpu_findings(load_run(folder))
    assert (finding.level, finding.text) == ("unclear", "No GPU was used (parallel_gpu not recorded).")


def test_a_row_per_device(change):
    table = device_table(change())
    assert list(table["device"]) == list(GPU_DEVICES)
    row = table.iloc[1]
    assert (row["evaluations"], row["launches"], row["multiprocessors_used"]) == (96_000, 32, 40)
    assert row["kernel_share"] == pytest.approx(0.9)
    assert (row["bytes_to_device"], row["bytes_from_device"]) == (8 * 2**20, 8 * 2**12)
    assert row["executions"] == 40_000
    # The spelling of the UUID differs, and the few samples of the driver itself are another series.
    assert row["utilization"] == pytest.approx(0.8)
    assert (row["memory_used_bytes"], row["power_w"]) == (3 * 2**30, 65)


def test_opcodes_that_no_device_executed_are_named(change):
    table = opcode_table(change())
    assert list(table["opcode"]) == ["shift", "rot90", "paint <b>"]
    assert list(table["idle"]) == [False, False, True]
    assert table["cycles_share"].sum() == pytest.approx(1)
    assert table["executions"].tolist() == [60_000, 20_000, 0]


def test_spans_are_those_that_were_recorded_else_those_of_the_samples(gpu_folder):
    found = spans(load_run(gpu_folder))
    assert len(found) == 20
    assert found.iloc[1].to_dict() == {"mode": MODE, "block": 0, "start_s": 5.0, "end_s": 10.0}
    assert found["end_s"].iloc[:-1].tolist() == pytest.approx(found["start_s"].iloc[1:].tolist())
    recorded = [
        {"mode": MODE, "block": 3, "start_s": 7, "end_s": 9.5},
        {"mode": "sequential", "block": None, "start_s": 1, "end_s": 2},
        {"mode": MODE, "block": 1, "start_s": "soon", "end_s": 2},
        "nonsense",
    ]
    (gpu_folder / "gpu_sampling.json").write_text(json.dumps({"spans": recorded}))
    found = spans(load_run(gpu_folder))
    assert found["mode"].tolist() == ["sequential", MODE]
    assert found["start_s"].tolist() == [1, 7]
    assert found["block"].isna().tolist() == [True, False]


def test_a_series_has_only_what_was_read(change):
    run = change()
    samples = run.gpu_samples[run.gpu_samples["device"] == 0]
    assert len(series(samples, "temperature_c")) == 500
    assert len(series(samples, "memory_clock_mhz")) == 0
    assert len(series(samples, "gpu_utilization")) == 1000


def test_the_page_shows_checks_devices_and_counters(gpu_folder):
    (gpu_folder / "gpu_sampling.json").write_text(
        json.dumps({"gaps": [{"column": "memory_clock_mhz", "reason": "NVML_ERROR_<NOT>_SUPPORTED"}]})
    )
    html = render_dashboard(load_run(gpu_folder))
    page = Page(html)
    assert len(html.encode()) < MOST_BYTES
    assert "<paint>" not in html
    rows = [row for row in page.tables["check-table"][1:] if row[2] == MODE]
    assert [row[:2] for row in rows[: len(NOT_PASSED)]] == [[check, verdict] for check, verdict in NOT_PASSED.items()]
    assert {row[1] for row in rows[len(NOT_PASSED) :]} == {"skipped", "pass"}
    assert rows[0][5].startswith("Never executed on a device, though the programs need them: paint <b>.")
    assert page.tables["device-table"][1][2:9] == [
        "96,000",
        "32",
        "8.64 s",
        "90.0%",
        "8.00 MiB",
        "32.0 KiB",
        "40 of 40",
    ]
    assert page.tables["opcode-table"][3][:4] == ["paint <b>", MODE, "5", "0"]
    top = page.text.partition("ChecksModesGPU")[0]
    assert "Checked from what was measured: fail (parallel_gpu: device_executions, parallel_gpu: fallback)." in top
    assert "The GPU did 96.0% of the work" in top
    assert "memory_clock_mhz: NVML_ERROR_<NOT>_SUPPORTED" in page.text
    assert "Compiled programs contain opcodes that no device executed: paint <b>." in page.text


def test_a_run_without_a_gpu_has_no_section_of_devices(folder):
    page = Page(render_dashboard(load_run(folder)))
    assert "The run was asked for no GPU mode." in page.text
    assert "device-table" not in page.tables


def test_a_device_that_gave_up_is_named(change):
    run = change("devices", lambda rows: rows.assign(failure=["lost <it>", None], moved=[17, None]))
    assert (
        "cuda:0 gave up in parallel_gpu: lost <it> (evaluations that others took over: 17)"
        in Page(render_dashboard(run)).text
    )
