"""From the data files of a run to frames, statistics, plots, report.md and a self-contained dashboard.html."""

from harness.measure.stats import Interval, geometric_mean, median_interval, speedup_interval
from harness.report.comparison import RunComparison, compare_runs
from harness.report.dashboard import render_dashboard
from harness.report.frames import Run, RunFolderError, load_run
from harness.report.index import write_index
from harness.report.plots import write_plots
from harness.report.results import Results, load_results
from harness.report.tables import family_table, mode_table, primitive_table, problem_table, program_table
from harness.report.text import report_markdown, summary_lines
from harness.report.verify import VerdictFailed, checks_table, require_pass, verdict_lines
from harness.report.write import write_report

__all__ = [
    "Interval",
    "Results",
    "Run",
    "RunComparison",
    "RunFolderError",
    "VerdictFailed",
    "checks_table",
    "compare_runs",
    "family_table",
    "geometric_mean",
    "load_results",
    "load_run",
    "median_interval",
    "mode_table",
    "primitive_table",
    "problem_table",
    "program_table",
    "render_dashboard",
    "report_markdown",
    "require_pass",
    "speedup_interval",
    "summary_lines",
    "verdict_lines",
    "write_index",
    "write_plots",
    "write_report",
]
