"""notebooks/dashboard.ipynb, executed by papermill as people do."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

from harness.notebook import check_executed
from harness.report.gpu_plots import GPU_PLOTS
from harness.report.index_plots import INDEX_PLOTS
from harness.report.plots import PLOTS

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "dashboard.ipynb"


def outputs(book) -> tuple[str, int]:
    """The text that the notebook shows, and how many pictures."""
    shown = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    texts = [output.get("text", "") + output.get("data", {}).get("text/plain", "") for output in shown]
    return "\n".join(texts), sum("image/svg+xml" in output.get("data", {}) for output in shown)


def test_it_is_kept_without_outputs():
    book = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(book)
    assert all(cell.outputs == [] for cell in book.cells if cell.cell_type == "code")
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in book.cells) == 1


def test_it_shows_all_runs_one_and_what_changed(pristine, pristine_gpu, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(pristine_gpu, results / "gpu")
    shutil.copytree(pristine, results / "cpu")
    (results / "broken").mkdir()
    executed = tmp_path / "executed.ipynb"
    papermill.execute_notebook(
        str(NOTEBOOK),
        str(executed),
        parameters={"results_dir": str(results), "run": "gpu", "compare_with": "cpu"},
        progress_bar=False,
    )
    check_executed(executed)
    text, pictures = outputs(nbformat.read(executed, as_version=4))
    assert pictures == len(INDEX_PLOTS) + len(PLOTS) + len(GPU_PLOTS)
    assert "damaged" in text
    assert "The GPU did 96.0% of the work of parallel_gpu" in text
    assert "The configurations differ: modes" in text
    assert "No regression." in text


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"run": "gone"}, "'gone' is none of those"), ({"results_dir": "{}/gone"}, "no such folder")],
)
def test_what_is_not_there_is_said(pristine, tmp_path, parameters, message):
    shutil.copytree(pristine, tmp_path / "results" / "cpu")
    values = {key: value.format(tmp_path) for key, value in parameters.items()}
    with pytest.raises(PapermillExecutionError, match=message):
        papermill.execute_notebook(
            str(NOTEBOOK),
            str(tmp_path / "executed.ipynb"),
            parameters={"results_dir": str(tmp_path / "results")} | values,
            progress_bar=False,
        )
