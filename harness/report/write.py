"""Write the report of a run into its folder."""

from __future__ import annotations

from pathlib import Path

from harness.atomic import write_atomic
from harness.report.dashboard import render_dashboard
from harness.report.frames import load_run
from harness.report.gpu_plots import draw_plots
from harness.report.plots import write_plots
from harness.report.summary import summarize, write_summary
from harness.report.text import report_markdown
from harness.report.verify import write_verdict


def write_report(folder: Path) -> Path:
    """Write verdict.json, report.md, plots/, summary.json and dashboard.html from the data files of a run folder.

    Each file is written whole or not at all, over one that is there. Returns the path of the dashboard.

    Raises:
        RunFolderError: ``folder`` is not a run folder.
        OSError: a file cannot be written.
    """
    folder = Path(folder)
    run = load_run(folder)
    write_verdict(run)
    figures = draw_plots(run)
    write_plots(run, folder / "plots", figures)
    write_atomic(folder / "report.md", report_markdown(run))
    write_summary(folder, summarize(run))
    dashboard = folder / "dashboard.html"
    write_atomic(dashboard, render_dashboard(run, figures))
    return dashboard
