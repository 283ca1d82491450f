import pytest

from harness.report import RunFolderError, load_run, report_markdown, write_report
from harness.report.gpu_plots import GPU_PLOTS
from harness.report.plots import PLOTS


def test_the_report_is_written_beside_the_data(folder):
    data = {path.name: path.read_bytes() for path in folder.iterdir()}
    dashboard = write_report(folder)
    assert dashboard == folder / "dashboard.html"
    assert dashboard.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert (folder / "report.md").read_text(encoding="utf-8") == report_markdown(load_run(folder))
    written = {path.name for path in folder.iterdir()}
    # Nothing else is left, no temporary file either, and the data is as it was.
    assert written == {*data, "dashboard.html", "report.md", "summary.json", "plots", "verdict.json"}
    assert {name: (folder / name).read_bytes() for name in data} == data
    for name in PLOTS:
        assert f"{name}.svg" in {path.name for path in (folder / "plots").iterdir()}
    for line in (folder / "report.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("!["):
            assert (folder / line.partition("](")[2].rstrip(")")).is_file()


def test_writing_again_gives_the_same_bytes(folder):
    first = write_report(folder).read_bytes()
    assert write_report(folder).read_bytes() == first


def test_no_report_of_what_is_no_run(tmp_path):
    with pytest.raises(RunFolderError):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_run_with_devices_has_their_plots_too(gpu_folder):
    write_report(gpu_folder)
    written = {path.name for path in (gpu_folder / "plots").iterdir()}
    assert {f"{name}.{kind}" for name in PLOTS | GPU_PLOTS for kind in ("svg", "png")} == written
