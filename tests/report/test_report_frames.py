import json

import pandas as pd
import pytest
from synthetic_run import CONFIG, ENVIRONMENT, RECORD

from harness.report.frames import RunFolderError, in_mode_order, load_run, requested_modes
from harness.run.schema import ADDED, OPTIONAL, TABLES


def test_a_run_is_loaded_whole(folder, gpu_folder):
    run = load_run(folder)
    assert run.missing == {}
    assert (run.config, run.environment, run.record) == (CONFIG, ENVIRONMENT, RECORD)
    assert (run.name, run.status, run.confidence) == (RECORD["name"], "complete", 0.95)
    assert run.phase_seconds["timed"] == 95.1
    for name in OPTIONAL:
        assert {column: str(dtype) for column, dtype in getattr(run, name).dtypes.items()} == TABLES[name]
        assert len(getattr(run, name)) == 0
    folder = gpu_folder
    run = load_run(folder)
    for name, dtypes in TABLES.items():
        frame = getattr(run, name)
        assert len(frame) == len(pd.read_parquet(folder / f"{name}.parquet")), name
        assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == dtypes


def test_a_run_from_before_some_columns_has_nulls_there(gpu_folder):
    folder = gpu_folder
    for name, columns in ADDED.items():
        frame = pd.read_parquet(folder / f"{name}.parquet")
        frame.drop(columns=frame.columns.intersection(list(columns))).to_parquet(folder / f"{name}.parquet")
    run = load_run(folder)
    assert run.missing == {}
    for name, columns in ADDED.items():
        for column in columns:
            assert getattr(run, name)[column].isna().all(), column


def test_a_damaged_table_that_may_be_missing_is_noted_all_the_same(folder):
    (folder / "accuracy.parquet").write_bytes(b"PAR1")
    run = load_run(folder)
    assert list(run.missing) == ["accuracy.parquet"]
    assert "cannot be read" in run.missing["accuracy.parquet"]
    assert list(run.accuracy.columns) == list(TABLES["accuracy"])


@pytest.mark.parametrize("name", sorted(TABLES))
@pytest.mark.parametrize("fault", ["absent", "truncated", "column", "type"])
def test_a_frame_that_cannot_be_had_is_noted_and_empty(gpu_folder, name, fault):
    folder = gpu_folder
    path = folder / f"{name}.parquet"
    frame = pd.read_parquet(path)
    column = next((column for column, dtype in TABLES[name].items() if dtype != "string"), "sha256")
    if fault == "absent":
        path.unlink()
    elif fault == "truncated":
        path.write_bytes(path.read_bytes()[:100])
    elif fault == "column":
        frame.drop(columns=column).to_parquet(path)
    else:
        frame.assign(**{column: [b"\xff"] * len(frame) if column == "sha256" else "many"}).to_parquet(path)
    run = load_run(folder)
    assert len(getattr(run, name)) == 0
    assert list(getattr(run, name).columns) == list(TABLES[name])
    if fault == "absent" and name in OPTIONAL:
        assert run.missing == {}
        return
    assert list(run.missing) == [path.name]
    assert {"absent": "not there", "truncated": "Parquet", "column": column, "type": f"column {column} is not"}[
        fault
    ] in run.missing[path.name]


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("config.yaml", "a: [", "cannot be read"),
        ("environment.json", "{", "cannot be read"),
        ("run.json", "[]", "a list"),
        ("gpu_sampling.json", "{", "cannot be read"),
    ],
)
def test_a_mapping_that_cannot_be_read_is_noted(folder, name, text, why):
    (folder / name).write_text(text, encoding="utf-8")
    assert why in load_run(folder).missing[name]


def test_a_run_without_an_end_is_interrupted(folder):
    (folder / "run.json").unlink()
    run = load_run(folder)
    assert (run.status, run.name, run.warnings) == ("interrupted", folder.name, [])


def test_what_is_no_run_folder_is_refused(folder, tmp_path):
    with pytest.raises(RunFolderError, match="no such folder"):
        load_run(tmp_path / "nowhere")
    with pytest.raises(RunFolderError, match=r"neither config\.yaml nor run\.json"):
        load_run(tmp_path)
    (folder / "run.json").write_text(json.dumps(RECORD | {"schema": 2}), encoding="utf-8")
    with pytest.raises(RunFolderError, match="schema 2"):
        load_run(folder)


def test_modes_stand_in_display_order(folder):
    assert in_mode_order(["zeta", "eager_gpu", "alpha", "sequential", "zeta"]) == [
        "sequential",
        "eager_gpu",
        "alpha",
        "zeta",
    ]
    (folder / "modes.parquet").unlink()
    assert requested_modes(load_run(folder)) == ["sequential", "parallel_cpu", "native_cpu"]
