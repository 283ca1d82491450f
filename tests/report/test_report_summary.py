import json
import shutil

import pytest
from synthetic_run import GPU_FELL_BACK, GPU_SHARE, NOT_PASSED

from harness.report.frames import load_run
from harness.report.summary import SUMMARY, fingerprint, read_summary, summarize
from harness.report.tables import mode_table


def test_a_summary_has_the_figures_of_the_tables(gpu_folder):
    run = load_run(gpu_folder)
    summary = summarize(run)
    table = mode_table(run).set_index("mode")
    assert (summary.name, summary.configuration, summary.status) == (gpu_folder.name, "t4x2", "complete")
    assert (summary.started, summary.commit) == ("2025-11-20T02:23:00+00:00", "5e198d1c0ffe+")
    assert (summary.verdict, summary.gpus) == ("fail", ["Tesla T4", "Tesla T4"])
    assert sorted(summary.failed_checks) == sorted(NOT_PASSED)
    assert [mode.mode for mode in summary.modes] == list(table.index)
    gpu = summary.mode("parallel_gpu")
    assert gpu.speedup == table.loc["parallel_gpu", "speedup"]
    assert (gpu.low, gpu.high) == tuple(table.loc["parallel_gpu", ["evaluations_per_s_low", "evaluations_per_s_high"]])
    assert (gpu.devices, gpu.fell_back) == (2, GPU_FELL_BACK)
    assert gpu.device_share == pytest.approx(GPU_SHARE, abs=1e-3)
    assert gpu.utilization == pytest.approx(0.85)
    assert len(gpu.rates) == 8
    idle = summary.mode("native_cpu")
    assert (idle.status, idle.speedup, idle.rates) == ("skipped", None, [])
    assert summary.best is gpu


def test_a_mode_with_other_outputs_is_never_the_best(gpu_folder):
    import pandas as pd

    path = gpu_folder / "modes.parquet"
    modes = pd.read_parquet(path)
    modes.loc[modes["mode"] == "parallel_gpu", "mismatches"] = 1
    modes.to_parquet(path)
    assert read_summary(gpu_folder).best.mode == "parallel_cpu"


def test_it_is_kept_and_made_again_when_the_data_changes(folder, monkeypatch):
    first = read_summary(folder)
    assert first == read_summary(folder)
    assert json.loads((folder / SUMMARY).read_text())["fingerprint"] == first.fingerprint == fingerprint(folder)
    with monkeypatch.context() as patch:
        patch.setattr("harness.report.summary.load_run", lambda _: pytest.fail("it reads the data again"))
        assert read_summary(folder) == first
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("name: local", "name: other"))
    assert read_summary(folder).configuration == "other"


@pytest.mark.parametrize("wrong", ["{", "[]", '{"summary": 1}', '{"summary": 1, "name": 3}'])
def test_a_summary_that_is_none_is_made_again(folder, wrong):
    expected = read_summary(folder)
    (folder / SUMMARY).write_text(wrong)
    assert read_summary(folder) == expected


def test_a_summary_of_another_version_is_made_again(folder):
    expected = read_summary(folder)
    old = json.loads((folder / SUMMARY).read_text()) | {"summary": 0, "name": "old"}
    (folder / SUMMARY).write_text(json.dumps(old))
    assert read_summary(folder) == expected


def test_nothing_is_written_into_a_run_that_is_going_on(folder, record):
    record(status="running")
    assert read_summary(folder).status == "running"
    assert not (folder / SUMMARY).exists()


def test_a_copied_folder_keeps_its_summary(folder, tmp_path):
    read_summary(folder)
    copy = shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copyfile)
    assert fingerprint(copy) == fingerprint(folder)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "neither config.yaml nor run.json"),
        ({"run.json": '{"schema": 9}'}, "schema 9"),
        ({"run.json": '{"schema": 1, "phase_seconds": 3, "warnings": 1}', "config.yaml": "modes: 7"}, ""),
    ],
)
def test_a_damaged_folder_says_what_is_wrong(tmp_path, files, why):
    folder = tmp_path / "damaged"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    summary = read_summary(folder)
    assert summary.status == "damaged"
    assert why in summary.error
    assert str(tmp_path) not in summary.error
    assert sorted(path.name for path in folder.iterdir()) == sorted(files)
