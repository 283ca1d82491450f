"""Results as data: tidy frames, their documentation, the formats, and the comparison of two runs."""

import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from synthetic_run import GPU_SHARE, NOT_PASSED

import harness
from harness.cli import main
from harness.report.comparison import compare_runs
from harness.report.export import FORMATS
from harness.report.frames import RunFolderError, load_run
from harness.report.results import FRAMES, load_results
from harness.report.tables import mode_table
from harness.run.schema import OPTIONAL

ROOT = Path(__file__).parents[2]


@pytest.fixture
def results(pristine, pristine_gpu, tmp_path):
    folder = tmp_path / "results"
    shutil.copytree(pristine, folder / "one")
    shutil.copytree(pristine_gpu, folder / "two")
    (folder / "broken").mkdir()
    return folder


def test_frames_of_a_folder_of_runs(results):
    found = harness.load_results(results)
    assert set(found.runs["run"]) == {"one", "two", "broken"}
    assert set(found.damaged) == {"broken"}
    runs = found.runs.set_index("run")
    assert runs.loc["broken", "status"] == "damaged"
    assert runs.loc["two", "gpus"] == "Tesla T4, Tesla T4"
    assert str(found.runs["started"].dtype).startswith("datetime64")
    for name in FRAMES:
        frame = getattr(found, name)
        assert frame.columns[0] == "run", name
        assert set(frame["run"]) <= {"one", "two"}
        assert frame is found.frame(name)
    assert set(found.blocks["run"]) == {"one", "two"}
    assert set(found.devices["run"]) == {"two"}
    own = found.modes[found.modes["run"] == "one"].reset_index(drop=True)
    table = mode_table(load_run(results / "one"))
    assert own["speedup"].tolist() == pytest.approx(table["speedup"].astype(float).tolist(), nan_ok=True)


def test_frames_are_tidy(results):
    found = load_results(results)
    one = found.program_modes[found.program_modes["run"] == "one"]
    assert len(one) == 2 * 30
    assert one.groupby("mode")["share"].sum().to_dict() == pytest.approx({"sequential": 1, "parallel_cpu": 1})
    assert one.loc[one["mode"] == "parallel_cpu", "speedup"].between(1.9, 2.1).all()
    assert not [column for column in found.programs if column.startswith(("sequential_", "parallel_"))]
    shares = found.primitives.groupby(["run", "mode"])["share"].sum()
    assert shares.tolist() == pytest.approx([1] * len(shares))
    blocks = found.blocks
    assert (blocks["evaluations_per_s"] == blocks["evaluations"] / blocks["wall_s"]).all()
    own = found.checks[(found.checks["run"] == "two") & (found.checks["mode"] == "parallel_gpu")].set_index("check")
    assert json.loads(own.loc["device_share", "value"]) == pytest.approx(GPU_SHARE, abs=1e-3)
    assert own["verdict"][own["verdict"].isin(["fail", "unproven"])].to_dict() == NOT_PASSED


def test_every_column_is_documented(results):
    found = load_results(results)
    section = (ROOT / "docs" / "results.md").read_text().partition("\n## As frames\n")[2].partition("\n## ")[0]
    for name in ("runs", *FRAMES):
        (row,) = re.findall(rf"^\| `{name}` \|.*$", section, re.MULTILINE)
        said = set(re.findall(r"`([a-z_]+)`", row))
        columns = set(found.frame(name).columns) - {"run"}
        assert columns <= said, (name, columns - said)


def test_one_run_and_several(results, tmp_path):
    assert load_results(results / "one").runs["run"].tolist() == ["one"]
    assert load_results(str(results / "one")).names[0] == "runs"
    (tmp_path / "elsewhere").mkdir()
    shutil.copytree(results / "one", tmp_path / "elsewhere" / "one")
    both = load_results([results / "one", tmp_path / "elsewhere" / "one"])
    assert len(set(both.blocks["run"])) == 2


def test_what_is_not_there(results, tmp_path):
    with pytest.raises(RunFolderError, match="no such folder"):
        load_results(tmp_path / "gone")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(RunFolderError, match="no run folder in it"):
        load_results(empty)
    with pytest.raises(RunFolderError, match="no folder was named"):
        load_results([])
    with pytest.raises(AttributeError, match="there is no frame 'block'; there are: runs, modes"):
        load_results(results).block  # noqa: B018


def test_json_and_csv_keep_every_digit(results):
    found = load_results(results)
    content = json.loads(FORMATS["json"]({name: found.frame(name) for name in ("runs", *FRAMES)}))
    assert content["schema"] == 1
    assert len(content["timings"]) == len(found.timings)
    speedups = [row["speedup"] for row in content["modes"] if row["mode"] == "parallel_cpu"]
    assert speedups == found.modes.loc[found.modes["mode"] == "parallel_cpu", "speedup"].tolist()
    assert {row["speedup"] for row in content["modes"] if row["mode"] == "native_cpu"} == {None}
    read = pd.read_csv(io.StringIO(FORMATS["csv"]({"blocks": found.blocks})))
    assert read["wall_s"].tolist() == found.blocks["wall_s"].tolist()
    with pytest.raises(ValueError, match="one table, and 2"):
        FORMATS["csv"]({"blocks": found.blocks, "modes": found.modes})


def test_markdown_and_latex_are_whole_tables_whatever_is_in_them(results):
    frames = {"programs": load_results(results).programs}
    rows = [line for line in FORMATS["markdown"](frames).splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(frames["programs"])
    bars = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert bars == {1 + frames["programs"].shape[1]}
    assert r"\<script\>" in FORMATS["markdown"](frames)
    lines = FORMATS["latex"](frames).splitlines()
    body = [line for line in lines if line.endswith(r"\\")]
    assert len(body) == 1 + len(frames["programs"])
    assert {len(re.findall(r"(?<!\\)&", line)) for line in body} == {frames["programs"].shape[1] - 1}
    assert any(r"\textless{}script\textgreater{}" in line and r"\$x\$\&amp;" in line for line in body)
    assert lines.count(r"\end{tabular}") == 1


def test_the_command_prints_and_writes_tables(results, tmp_path, capsys):
    one, two = str(results / "one"), str(results / "two")
    assert main(["report", one, two, "--format", "json", "--table", "modes,devices"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert [len(content[name]) for name in ("modes", "devices")] == [7, 2]
    assert main(["report", one, "--format", "csv", "--table", "blocks", "--out", str(tmp_path / "blocks.csv")]) == 0
    assert capsys.readouterr().out == ""
    assert len(pd.read_csv(tmp_path / "blocks.csv")) == 16
    assert main(["report", one, "--format", "markdown"]) == 0
    assert capsys.readouterr().out.startswith("## modes\n")
    assert main(["report", str(results), "--format", "latex", "--table", "runs"]) == 1
    assert "warning: broken is damaged" in capsys.readouterr().err
    assert not (results / "one" / "dashboard.html").exists()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["report", "{}/one", "--format", "csv", "--table", "blocs"], "no such table; nearest: blocks"),
        (["report", "{}/one", "--format", "csv", "--table", "all"], "one table"),
        (["report", "{}/one", "--format", "json", "--out", "{}/gone/x"], "there is no folder"),
        (["report", "{}/one", "--format", "json", "--out", "{}"], "this is a folder"),
        (["report", "{}/one", "--table", "blocks"], "--format"),
        (["report", "{}/one", "{}/gone"], "no such folder"),
        (["compare", "{}/one", "{}/gone"], "no such folder"),
        (["compare", "{}/one", "{}/two", "--modes", "eager_gpu"], "neither run measured eager_gpu"),
        (["dashboard", "{}/one"], "this is a run folder"),
        (["dashboard", "{}/gone"], "no such folder"),
    ],
)
def test_what_is_asked_for_wrongly(results, capsys, words, part):
    assert main([word.format(results) for word in words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert part in captured.err
    assert not (results / "one" / "dashboard.html").exists()


@pytest.fixture
def pair(results):
    """Two runs; the second one's blocks can be changed."""

    def changed(factors=None, **config):
        folder = results / "changed"
        shutil.copytree(results / "one", folder)
        rows = pd.read_parquet(folder / "blocks.parquet")
        noise = 1 + 0.002 * np.random.default_rng(3).standard_normal(len(rows))
        rows["wall_s"] *= noise * rows["mode"].map(factors or {}).fillna(1)
        rows.to_parquet(folder / "blocks.parquet")
        file = folder / "config.yaml"
        file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | config))
        return load_run(results / "one"), load_run(folder)

    return changed


def test_a_significant_regression_fails(pair, capsys):
    a, b = pair({"parallel_cpu": 1.1})
    found = compare_runs(a, b)
    verdicts = found.table.set_index("mode")["verdict"].to_dict()
    assert verdicts["parallel_cpu"] == "slower"
    assert verdicts["sequential"] in ("same", "ambiguous")
    assert found.regressions == ["parallel_cpu"]
    row = found.table.set_index("mode").loc["parallel_cpu"]
    assert row["ratio"] == pytest.approx(1 / 1.1, rel=0.01)
    assert row["low"] < row["ratio"] < row["high"] < 1
    assert main(["compare", str(a.folder), str(b.folder)]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "Regression: parallel_cpu."
    assert main(["compare", str(b.folder), str(a.folder)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "No regression."
    assert main(["compare", str(a.folder), str(b.folder), "--modes", "sequential"]) == 0
    assert main(["compare", str(a.folder), str(b.folder), "--smallest-effect", "0.2"]) == 0


def test_a_run_is_no_regression_of_itself(pair, tmp_path, capsys):
    a, _ = pair()
    file = tmp_path / "comparison.json"
    assert main(["compare", str(a.folder), str(a.folder), "--json", str(file)]) == 0
    rows = json.loads(file.read_text())["comparison"]
    assert [row["ratio"] for row in rows] == [1, 1]
    assert "differ" not in capsys.readouterr().out


def test_a_slower_machine_cancels_out(pair):
    a, b = pair({"sequential": 1.2, "parallel_cpu": 1.2})
    found = compare_runs(a, b)
    assert found.regressions == ["sequential", "parallel_cpu"]
    assert any("may be the machine's" in note for note in found.notes)
    relative = compare_runs(a, b, relative=True)
    assert relative.table["mode"].tolist() == ["parallel_cpu"]
    assert relative.regressions == []


def test_a_mode_that_is_lost_or_wrong_is_a_regression(pair):
    a, b = pair()
    modes = pd.read_parquet(b.folder / "modes.parquet")
    failed = modes.assign(status=modes["status"].mask(modes["mode"] == "parallel_cpu", "failed"))
    failed.to_parquet(b.folder / "modes.parquet")
    found = compare_runs(a, load_run(b.folder))
    assert found.table.set_index("mode").loc["parallel_cpu", "verdict"] == "lost"
    assert found.regressions == ["parallel_cpu"]
    back = compare_runs(load_run(b.folder), a)
    assert back.table.set_index("mode").loc["parallel_cpu", "verdict"] == "new"
    wrong = modes.assign(mismatches=modes["mismatches"].mask(modes["mode"] == "parallel_cpu", 2))
    wrong.to_parquet(b.folder / "modes.parquet")
    assert compare_runs(a, load_run(b.folder)).regressions == ["parallel_cpu"]


def test_a_mode_that_was_not_asked_for_is_none(pair):
    a, b = pair(modes=["sequential"])
    for name in ("modes", "blocks", "timings"):
        rows = pd.read_parquet(b.folder / f"{name}.parquet")
        rows[rows["mode"] == "sequential"].to_parquet(b.folder / f"{name}.parquet")
    found = compare_runs(a, load_run(b.folder))
    assert found.table.set_index("mode").loc["parallel_cpu", "verdict"] == "not asked"
    assert found.regressions == []
    assert any(note.startswith("The configurations differ: modes (") for note in found.notes)


def test_runs_that_measured_nothing_are_not_compared(pair):
    a, b = pair()
    (b.folder / "blocks.parquet").unlink()
    with pytest.raises(RunFolderError, match="no timed blocks to compare"):
        compare_runs(a, load_run(b.folder))


def test_blocks_that_took_no_time_measured_nothing(pair):
    a, b = pair()
    rows = pd.read_parquet(b.folder / "blocks.parquet")
    rows.assign(wall_s=rows["wall_s"].mask(rows["mode"] == "parallel_cpu", 0.0)).to_parquet(b.folder / "blocks.parquet")
    found = compare_runs(a, load_run(b.folder)).table.set_index("mode")
    assert found.loc["parallel_cpu", "verdict"] == "lost"


def test_a_folder_of_which_one_frame_cannot_be_made_hides_no_other(results, monkeypatch):
    def fails_on_one(run):
        if run.folder.name == "one":
            raise ZeroDivisionError("odd <data>")
        return run.blocks.copy()

    monkeypatch.setitem(FRAMES, "blocks", fails_on_one)
    found = load_results(results)
    assert set(found.blocks["run"]) == {"two"}
    assert found.damaged["one"] == "ZeroDivisionError: odd <data>"
    assert set(found.modes["run"]) == {"two"}


def test_runs_of_older_versions_are_readable(results):
    """As version 0.1.0 wrote them first: without fallbacks, devices, verdict and summary."""
    folder = results / "two"
    for name in OPTIONAL:
        (folder / f"{name}.parquet").unlink()
    modes = pd.read_parquet(folder / "modes.parquet").drop(columns=["fell_back", "fell_back_reasons"])
    modes.to_parquet(folder / "modes.parquet")
    assert load_run(folder).missing == {}
    found = load_results(results)
    assert set(found.damaged) == {"broken"}
    own = found.modes[(found.modes["run"] == "two") & (found.modes["mode"] == "parallel_gpu")]
    assert own["speedup"].iloc[0] > 30
    assert own["fell_back"].isna().all()
    assert main(["dashboard", str(results)]) == 0
