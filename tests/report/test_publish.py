"""Publishing a run: what is refused and why, what is kept, and that what is published holds what it says."""

from __future__ import annotations

import json
import platform
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.cli import main
from harness.config import make_config
from harness.places import checkout
from harness.report import load_run, write_report
from harness.report import publish as publishing
from harness.report.collection import collect
from harness.report.publish import KEPT, MOST_BYTES, Unpublishable, named_places, publish, size_of
from harness.report.verify import verdict_record
from harness.run.journal import RunFolder
from harness.run.runner import execute, prepare

SOURCE = "from dsl import *\ndef solve_turn(I):\n    return rot90(I)\n"


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> Path:
    """A real run, made to be of a commit without changes, whatever the state of this checkout."""
    base = tmp_path_factory.mktemp("publish")
    (base / "mine.py").write_text(SOURCE)
    (base / "data.json").write_text(json.dumps({"turn": [{"input": [[1, 2], [3, 4]], "output": [[3, 1], [4, 2]]}]}))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(base)
        config = make_config(
            {
                **{"name": "tiny", "data": str(base / "data.json"), "programs": [str(base / "mine.py")], "workers": 1},
                **{"modes": ["sequential", "parallel_cpu"], "min_block_s": 0.02, "min_blocks": 6, "max_blocks": 6},
                **{"max_warmup_s": 0.1, "results_dir": str(base / "results")},
            },
            "here",
        )
        folder = execute(config, prepare(config))
        edit_json(folder, "environment.json", git={"commit": "0123456789abcdef" * 2 + "01234567", "dirty": False})
        write_report(folder)
    return folder


def edit_json(folder: Path, file: str, /, **values: Any) -> None:
    content = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(content | values))


@pytest.fixture
def folder(measured, tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(measured, tmp_path / "results" / measured.name))


def wrong(folder: Path) -> Iterator[str]:
    """Say in what a published run does not hold what it says."""
    run = load_run(folder)
    yield from (f"{name} {why}" for name, why in run.missing.items())
    if run.status != "complete":
        yield f"it is {run.status}"
    record = json.loads((folder / "verdict.json").read_text())
    if record != json.loads(json.dumps(verdict_record(run))):
        yield "its verdict is not that of its records"
    if record["verdict"] != "pass":
        yield f"its verdict is {record['verdict']}"
    yield from named_places(folder)
    if size_of(folder) > MOST_BYTES:
        yield "it is too large"
    if not (folder / "dashboard.html").is_file():
        yield "it has no dashboard.html"


def test_what_is_published_here_holds_what_it_says():
    ours = checkout()
    assert ours is not None
    folders = [path for path in (ours / "results" / "published").glob("*") if path.is_dir()]
    assert {str(path.name): list(wrong(path)) for path in folders} == {path.name: [] for path in folders}


def test_a_run_is_published_whole_and_small_and_is_in_the_index(folder, tmp_path, capsys):
    assert main(["publish", str(folder)]) == 0
    assert "Published: results/published/tiny" in capsys.readouterr().out
    published = tmp_path / "results" / "published" / "tiny"
    assert list(wrong(published)) == []
    names = {path.relative_to(published).as_posix() for path in published.rglob("*") if path.is_file()}
    assert {name for name in KEPT if (folder / name).exists()} < names
    assert "plots/speedup_by_mode.svg" in names
    assert not [name for name in names if name.endswith((".png", ".ipynb", ".log"))]
    for path in published.glob("*.parquet"):
        pd.testing.assert_frame_equal(pd.read_parquet(path), pd.read_parquet(folder / path.name))
    command = "python -m harness run results/published/tiny/config.yaml"
    assert command in (published / "dashboard.html").read_text()
    assert command in (published / "report.md").read_text()
    assert [path.name for path in published.parent.iterdir()] == ["tiny"]
    entries = collect(tmp_path / "results").entries
    assert [entry.path for entry in entries] == [folder.name]  # it is one run
    shutil.rmtree(folder)
    (entry,) = collect(tmp_path / "results").entries
    assert (entry.path, entry.published, entry.dashboard) == ("published/tiny", True, True)
    assert main(["dashboard"]) == 0
    page = (tmp_path / "results" / "index.html").read_text()
    assert 'href="published/tiny/dashboard.html"' in page


def test_a_newer_run_of_the_configuration_takes_the_place_of_the_older(folder, tmp_path):
    target = tmp_path / "published"
    publish(folder, target)
    (target / "tiny" / "left.txt").write_text("of the older run")
    edit_json(folder, "run.json", name="newer")
    publish(folder, target)
    assert [path.name for path in target.iterdir()] == ["tiny"]
    assert load_run(target / "tiny").name == "newer"
    assert not (target / "tiny" / "left.txt").exists()


def failing(folder: Path) -> None:
    frame = pd.read_parquet(folder / "modes.parquet")
    frame.loc[frame["mode"] == "parallel_cpu", "mismatches"] = 1
    RunFolder(folder).write_table("modes", frame.astype(object).where(frame.notna(), None).to_dict("records"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda folder: edit_json(folder, "run.json", status="interrupted"), "it is interrupted"),
        (lambda folder: edit_json(folder, "run.json", status="failed"), "it is failed"),
        (failing, "its verdict is fail"),
        (lambda folder: edit_json(folder, "environment.json", git={"commit": "0" * 40, "dirty": True}), "had changes"),
        (lambda folder: edit_json(folder, "environment.json", git={"commit": None, "dirty": None}), "which commit"),
    ],
)
def test_a_doubtful_run_is_published_only_by_force(folder, tmp_path, capsys, change: Callable[[Path], None], said: str):
    change(folder)
    assert main(["publish", str(folder)]) == 1
    assert said in capsys.readouterr().err
    assert not list(tmp_path.glob("results/published/*"))
    assert main(["publish", str(folder), "--force"]) == 0
    assert (tmp_path / "results/published/tiny/dashboard.html").is_file()


@pytest.mark.parametrize("place", ["checkout", "home", "host", "elsewhere"])
@pytest.mark.parametrize("file", ["run.json", "modules.parquet"])
def test_a_run_that_names_places_is_not_published_even_by_force(folder, tmp_path, monkeypatch, place, file):
    monkeypatch.setattr(platform, "node", lambda: "test-host-7f3a")
    target = tmp_path / "published"
    shutil.copytree(folder, target / "tiny")
    before = {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}
    text = {
        "checkout": f"{checkout()}/harness/cli.py",
        "home": f"{Path.home()}/.kaggle",
        "host": "http://test-host-7f3a:8888",
        "elsewhere": "/data/of/mine.py",
    }[place]
    if file == "run.json":
        edit_json(folder, file, warnings=[f"something about {text}."])
    else:
        frame = pd.read_parquet(folder / file)
        frame.assign(path=frame["path"].where(frame.index != 1, text)).to_parquet(folder / file)
    with pytest.raises(Unpublishable, match=rf"{file} names (?s:.)*"):
        publish(folder, target, force=True)
    after = {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("rename", [0, 1])
def test_ctrl_c_leaves_the_older_run_where_it_was(folder, tmp_path, monkeypatch, rename, moment):
    target, renamed, calls = tmp_path / "published", Path.rename, []
    shutil.copytree(folder, target / "tiny")
    before = {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}

    def interrupted(self: Path, other: Path) -> Path:
        calls.append(other)
        if len(calls) - 1 != rename:
            return renamed(self, other)
        if moment == "after":
            renamed(self, other)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        publish(folder, target)
    assert {path: path.read_bytes() for path in target.rglob("*") if path.is_file()} == before
    assert [path.name for path in target.iterdir()] == ["tiny"]


@pytest.mark.parametrize("name", ["../elsewhere", "/elsewhere", ".."])
def test_a_run_is_published_nowhere_but_in_its_folder(folder, tmp_path, name):
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("name: tiny", f"name: {name}"))
    with pytest.raises(Unpublishable, match="not that of a folder"):
        publish(folder, tmp_path / "published", force=True)
    assert not (tmp_path / "elsewhere").exists()


def test_what_is_the_same_everywhere_may_be_named(folder, tmp_path):
    edit_json(folder, "run.json", warnings=["/proc/cpuinfo, /kaggle/input/x/y.json, 3 evaluations/s, a/b/c, ~/x/y"])
    assert list(named_places(publish(folder, tmp_path / "published"))) == []


def test_a_run_that_is_too_large_is_not_published(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(publishing, "MOST_BYTES", 10_000)
    with pytest.raises(Unpublishable, match=r"at most 10,000 are kept \(largest: dashboard.html"):
        publish(folder, tmp_path / "published", force=True)
    assert not list((tmp_path / "published").iterdir())


def test_a_published_run_that_was_changed_is_found_out(folder, tmp_path):
    published = publish(folder, tmp_path / "published")
    frame = pd.read_parquet(published / "accuracy.parquet")
    modes = pd.read_parquet(published / "modes.parquet")
    assert len(frame)
    modes.loc[1, "mismatches"] = 3
    modes.to_parquet(published / "modes.parquet")
    assert list(wrong(published)) == ["its verdict is not that of its records"]


def test_what_is_no_run_folder_is_not_published(tmp_path, capsys):
    assert main(["publish", str(tmp_path)]) == 2
    assert "not a run folder" in capsys.readouterr().err


def test_what_cannot_be_read_or_written_is_said(folder, tmp_path, capsys):
    (tmp_path / "file").write_text("no folder")
    assert main(["publish", str(folder), "--to", str(tmp_path / "file")]) == 2
    assert "error: " in capsys.readouterr().err
    (folder / "accuracy.parquet").write_text("no table")
    assert main(["publish", str(folder), "--force"]) == 1
    assert "accuracy.parquet cannot be read: " in capsys.readouterr().err
