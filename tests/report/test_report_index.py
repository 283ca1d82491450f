import base64
import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml
from html_page import Page
from synthetic_run import HOSTILE

from harness.report.collection import Entry, collect
from harness.report.frames import RunFolderError
from harness.report.index import MOST_BYTES, render_index, write_index
from harness.report.index_plots import INDEX_PLOTS, scaling_groups, scaling_over_devices, throughput_by_batch
from harness.report.summary import RunSummary, new_summary, read_summary


@pytest.fixture
def results(pristine, pristine_gpu, tmp_path):
    """Two runs of one configuration, a GPU run that is published, and what is no good run."""
    folder = tmp_path / "results"
    for i in (1, 2):
        run = shutil.copytree(pristine, folder / f"2025112{i}-local")
        record = json.loads((run / "run.json").read_text())
        started = f"2025-11-2{i}T02:23:00+00:00"
        (run / "run.json").write_text(json.dumps(record | {"name": run.name, "started": started}))
    (folder / "20251121-local" / "dashboard.html").write_text("<!DOCTYPE html>")
    shutil.copytree(pristine_gpu, folder / "published" / "t4x2")
    (folder / "empty").mkdir()
    (folder / "other").mkdir()
    (folder / "other" / "run.json").write_text('{"schema": 9}')
    (folder / ".hidden").mkdir()
    (folder / "README.md").write_text("none")
    checks = folder / "gpu-check"
    checks.mkdir()
    curve = [
        {"evaluations": 2**k, "evaluations_per_s": 100.0 * 2**k, "kernel_evaluations_per_s": None} for k in range(4)
    ]
    (checks / "t4.json").write_text(json.dumps({"gpu": "Tesla <T4>", "curve": curve}))
    (checks / "wrong.json").write_text(json.dumps({"gpu": "L4", "curve": [{"evaluations": 0}]}))
    return folder


def test_every_folder_is_there_and_the_newest_first(results):
    collection = collect(results)
    assert [entry.path for entry in collection.entries] == [
        "20251122-local",
        "20251121-local",
        "published/t4x2",
        "other",
        "empty",
    ]
    assert [entry.published for entry in collection.entries] == [False, False, True, False, False]
    assert [entry.summary.status for entry in collection.entries[3:]] == ["damaged", "damaged"]
    assert collection.curves[0].points == [(1, 100, None), (2, 200, None), (4, 400, None), (8, 800, None)]
    assert [name for name, _ in collection.problems] == ["gpu-check/wrong.json"]


def test_the_page_shows_each_run_with_its_figures(results):
    path = write_index(results)
    page = Page(path.read_text(encoding="utf-8"))
    heads, *rows = page.tables["run-table"]
    assert heads[4:8] == ["speedup parallel_cpu", "speedup parallel_gpu", "done by GPU", "GPU busy"]
    by_run = {row[0]: row for row in rows}
    gpu = by_run["20251121-102300-t4x2published"]
    assert gpu[2:4] == ["t4x2", "failnot passed: device_executions, fallback, gpu_utilization"]
    assert gpu[4:9] == ["1.94x1.93x to 1.96x", "38.2x38.0x to 38.7x", "96.0%", "85.0%", "2 x Tesla T4"]
    assert by_run["20251122-local"][3] == "pass"
    assert by_run["20251122-local"][5:8] == ["\N{EN DASH}"] * 3
    assert by_run["empty"][3].startswith("damagednot a run folder (it has neither config.yaml nor run.json)")
    assert by_run["other"][3].startswith("damagedrun.json: schema 9")
    assert "3 runs · 2 damaged folders · newest 2025-11-22 02:23 UTC" in page.text
    assert "gpu-check/wrong.json" in page.text
    links = {a["href"] for name, a in page.elements if name == "a" and not a["href"].startswith("#")}
    assert links == {"20251121-local/dashboard.html", "20251122-local/", "published/t4x2/", "other/", "empty/"}


def test_the_page_is_self_contained_safe_and_small(results):
    html = render_index(collect(results))
    page = Page(html)
    assert len(html.encode()) < MOST_BYTES <= 2_000_000
    assert "http:" not in html
    assert "https:" not in html
    assert "<T4>" not in html
    *_, script = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(a["content"] for n, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert f"script-src 'sha256-{digest}'" in policy
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert all(a.get("scope") for n, a in page.elements if n == "th")
    assert all(a.get("aria-label") for n, a in page.elements if n == "svg")
    assert sum(n == "svg" for n, _ in page.elements) == len(INDEX_PLOTS)


def test_one_run_is_one_run_and_its_axis_is_of_an_hour(pristine, tmp_path):
    shutil.copytree(pristine, tmp_path / "results" / pristine.name)
    collection = collect(tmp_path / "results")
    text = Page(render_index(collection)).text
    assert "1 run · newest" in text
    assert "from 1 folder beside" in text
    for name in ("speedup_over_time", "throughput_over_time"):
        figure = INDEX_PLOTS[name](collection)
        for axes in figure.axes:
            first, last = axes.get_xlim()
            assert last - first == pytest.approx(1 / 24)  # in days
            (point,) = {x for line in axes.lines for x in line.get_xdata()}
            assert point == pytest.approx((first + last) / 2)


def test_intervals_lie_within_the_plots(pristine, tmp_path):
    run = Path(shutil.copytree(pristine, tmp_path / "results" / pristine.name))
    frame = pd.read_parquet(run / "blocks.parquet")
    uneven = frame["wall_s"].where(frame["block"] % 2 == 0, frame["wall_s"] * 200)
    frame.assign(wall_s=uneven.where(frame["mode"] == "parallel_cpu", frame["wall_s"])).to_parquet(
        run / "blocks.parquet"
    )
    collection = collect(run.parent)
    mode = collection.entries[0].summary.mode("parallel_cpu")
    assert mode.high > 100 * mode.low
    for name, (low, high) in {
        "speedup_by_configuration": (mode.speedup_low, mode.speedup_high),
        "throughput_by_configuration": (mode.low, mode.high),
    }.items():
        (axes,) = INDEX_PLOTS[name](collection).axes
        assert axes.get_xlim()[0] < low < high < axes.get_xlim()[1]
    for name, (low, high) in {
        "speedup_over_time": (mode.speedup_low, mode.speedup_high),
        "throughput_over_time": (mode.low, mode.high),
    }.items():
        (axes,) = INDEX_PLOTS[name](collection).axes
        assert axes.get_ylim()[0] < low < high < axes.get_ylim()[1]


@pytest.mark.parametrize("dies", [False, True])
def test_summaries_that_processes_make_are_the_same(pristine, tmp_path, monkeypatch, dies):
    monkeypatch.setattr("harness.report.collection._WORTH_PROCESSES", 2)
    for place in ("here", "there"):
        for number in range(3):
            shutil.copytree(pristine, tmp_path / place / f"run-{number}")
        (tmp_path / place / "damaged").mkdir()
    if dies:
        monkeypatch.setattr("harness.report.collection.new_summary", DiesElsewhere(os.getpid()))
    alone, together = collect(tmp_path / "here"), collect(tmp_path / "there", processes=2)
    assert alone.entries == together.entries
    assert len(together.entries) == 4
    assert (tmp_path / "there" / "run-2" / "summary.json").is_file()


@dataclass(frozen=True)
class DiesElsewhere:
    """Makes summaries in one process, and takes any other along."""

    home: int

    def __call__(self, folder: Path) -> RunSummary:
        if os.getpid() != self.home:
            os._exit(9)
        return new_summary(folder)


def test_names_of_users_are_text(results):
    run = results / "20251122-local"
    hostile = f"</script>{HOSTILE}"
    config = yaml.safe_load((run / "config.yaml").read_text()) | {"name": hostile, "data": hostile}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    (run / "run.json").write_text(json.dumps(json.loads((run / "run.json").read_text()) | {"name": hostile}))
    html = render_index(collect(results))
    assert "<script>alert" not in html
    assert html.count("</script>") == 2
    page = Page(html)
    assert any(hostile in row[2] for row in page.tables["run-table"])
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert ["config.data", hostile] in json.loads(text)["facts"]


@pytest.mark.parametrize("kind", ["no folder", "a run", "nothing"])
def test_what_is_no_results_folder(tmp_path, pristine, kind):
    if kind == "nothing":
        page = Page(write_index(tmp_path).read_text(encoding="utf-8"))
        assert "make bench" in page.text
        assert "There is no run folder here." in page.text
        return
    with pytest.raises(RunFolderError, match="no such folder" if kind == "no folder" else "this is a run folder"):
        write_index(tmp_path / "gone" if kind == "no folder" else pristine)


def test_many_runs_with_long_names_stay_small(results):
    collection = collect(results)
    entry = collection.entries[0]
    many = []
    for i in range(1500):
        mode = entry.summary.modes[0].model_copy(update={"rates": [1234.5 + i] * 50})
        summary = entry.summary.model_copy(update={"name": f"{i}{'x' * 60}", "modes": [mode, *entry.summary.modes[1:]]})
        many.append(Entry(f"{i}{'x' * 60}", summary, True))
    object.__setattr__(collection, "entries", many)
    html = render_index(collection)
    assert len(html.encode()) < MOST_BYTES
    page = Page(html)
    listed = len(page.tables["run-table"]) - 1
    assert 100 <= listed <= 1500
    assert listed == 1500 or f"The newest {listed:,} of 1,500 are listed." in page.text


def test_runs_without_a_date_or_with_an_odd_one_stand_last(results, pristine):
    for name, started in (("odd", "yesterday"), ("none", None)):
        run = shutil.copytree(pristine, results / name)
        record = json.loads((run / "run.json").read_text()) | {"name": name, "started": started}
        (run / "run.json").write_text(json.dumps(record))
        (run / "environment.json").unlink()
    html = render_index(collect(results))
    rows = {row[0]: row[1] for row in Page(html).tables["run-table"]}
    assert rows["odd"] == rows["none"] == "\N{EN DASH}"


def test_scaling_compares_the_same_work_only(pristine_gpu, tmp_path):
    results = tmp_path / "results"
    for i, (devices, seed) in enumerate(((2, 7), (1, 7), (1, 8))):
        run = shutil.copytree(pristine_gpu, results / f"run{i}")
        for name in ("devices", "opcodes", "device_blocks"):
            rows = pd.read_parquet(run / f"{name}.parquet")
            rows[rows["device"].isin([f"cuda:{n}" for n in range(devices)])].to_parquet(run / f"{name}.parquet")
        blocks = pd.read_parquet(run / "blocks.parquet")
        blocks["wall_s"] *= 1.8 if devices == 1 else 1
        blocks.to_parquet(run / "blocks.parquet")
        config = yaml.safe_load((run / "config.yaml").read_text()) | {"seed": seed}
        (run / "config.yaml").write_text(yaml.safe_dump(config))
        record = json.loads((run / "run.json").read_text()) | {"started": f"2025-11-2{3 - i}T02:23:00+00:00"}
        (run / "run.json").write_text(json.dumps(record))
    collection = collect(results)
    (found,) = scaling_groups(collection).values()
    assert sorted(found) == [1, 2]
    # The run with the other seed is older, and is other work.
    assert found[1][0] == read_summary(results / "run1").mode("parallel_gpu")
    assert scaling_over_devices(collection).get_suptitle() == "2 x Tesla T4 scale with an efficiency of 90.0%"


def test_the_curve_of_a_gpu_check(results):
    figure = throughput_by_batch(collect(results))
    (line,) = figure.axes[0].lines
    assert list(line.get_xdata()) == [1, 2, 4, 8]
    assert list(line.get_ydata()) == [100, 200, 400, 800]
    assert figure.get_suptitle() == "Tesla <T4> does 800 evaluations/s in batches of 8"
