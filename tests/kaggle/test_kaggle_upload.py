"""Uploads with the real command line, against a stand-in for Kaggle's API: what arrives, and what goes wrong."""

from __future__ import annotations

import hashlib
import json
import signal
import time

import pytest
from kaggle_checkout import process
from kaggle_stub import TOKEN, Dataset, Fault

from harness.kaggle.build import dataset_folder
from harness.kaggle.client import Client
from harness.kaggle.errors import KaggleError
from harness.kaggle.upload import upload

NAME = "ada/arc-dsl-harness"


@pytest.fixture(autouse=True)
def no_build(monkeypatch):
    """The build of the fixture is uploaded; that it is made before is tested by hand below, and costs seconds."""
    monkeypatch.setattr("harness.kaggle.__main__._build", lambda *_: 0)


def assert_all_arrived(found: dict[str, bytes], checkout) -> None:
    """The bytes that arrived are those of the manifest, which arrived itself."""
    rows = {row["name"]: row["sha256"] for row in checkout.manifest["files"]}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}
    assert json.loads(found["harness-manifest.json"]) == checkout.manifest
    del hashes["harness-manifest.json"]
    assert hashes == rows


def test_an_upload_creates_then_versions(stub, checkout, run):
    stub.page_size = 4  # so that the list of files has pages
    code, out, err = run(checkout.root, "upload")
    assert (code, err) == (0, ""), err
    found = stub.datasets[NAME]
    assert found.created["isPrivate"] is True
    assert found.created["title"] == "ARC-DSL harness"
    assert found.created["licenseName"] == "MIT"
    assert len(found.versions) == 1
    assert_all_arrived(found.versions[0], checkout)
    assert "version 1 is ready, all" in out
    assert "next: make kaggle-push" in out

    (dataset_folder(checkout.root) / "local.yaml").touch()
    code, out, err = run(checkout.root, "upload")
    assert (code, err) == (0, ""), err
    assert stub.count("CreateDataset") == 1
    assert len(found.versions) == 2
    assert_all_arrived(found.versions[1], checkout)
    assert found.notes == [f"commit {checkout.manifest['commit']}"]
    assert "version 2 is ready" in out


def test_public_only_if_asked_for(stub, checkout, run):
    assert run(checkout.root, "upload", "--public")[0] == 0
    assert stub.datasets[NAME].created.get("isPrivate", False) is False


def test_an_access_token_does_as_well_as_a_key(stub, checkout, run, monkeypatch):
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.delenv("KAGGLE_KEY")
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    code, _, err = run(checkout.root, "upload")
    assert (code, err) == (0, "")
    assert list(stub.datasets) == [NAME]


def test_a_dry_run_prints_the_steps_and_asks_nothing(stub, checkout, run, monkeypatch):
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.delenv("KAGGLE_KEY")
    code, out, err = run(checkout.root, "upload", "--dry-run")
    assert (code, err) == (0, "")
    for words in (
        "datasets status OWNER/arc-dsl-harness",
        "datasets create -p",
        "datasets version -p",
        "datasets files",
    ):
        assert words in out
    assert all(row["name"] in out for row in checkout.manifest["files"])
    assert stub.requests == []


def test_a_slug_that_is_taken_is_an_error(stub, checkout, run):
    stub.taken.add("arc-dsl-harness")
    code, _, err = run(checkout.root, "upload")
    assert code == 1
    assert err.startswith("error: ") and "already in use by a dataset" in err
    assert stub.datasets == {}


@pytest.mark.parametrize("how", ["key", "token", "none"])
def test_a_token_that_is_wrong_is_an_error_that_says_what_to_do(stub, checkout, run, monkeypatch, how):
    monkeypatch.setenv("KAGGLE_KEY", "f" * 32)
    if how != "key":
        monkeypatch.delenv("KAGGLE_USERNAME")
        monkeypatch.delenv("KAGGLE_KEY")
    if how == "token":
        monkeypatch.setenv("KAGGLE_API_TOKEN", "no-such-token")
    code, _, err = run(checkout.root, "upload")
    assert code == 1
    assert "token" in err and "Settings, API" in err
    assert "f" * 32 not in err and "no-such-token" not in err
    assert stub.datasets == {}


@pytest.mark.parametrize("method", ["GetDatasetStatus", "StartBlobUpload", "CreateDataset", "ListDatasetFiles"])
def test_500s_that_pass_are_tried_again(stub, checkout, run, method):
    stub.faults.append(Fault(method, lambda handler: handler.refuse(500, "Internal Server Error"), times=2))
    code, out, err = run(checkout.root, "upload")
    assert (code, err) == (0, ""), err
    assert "trying again" in out or method == "GetDatasetStatus"  # the command line itself may have asked again
    assert_all_arrived(stub.datasets[NAME].versions[-1], checkout)


def test_500s_that_do_not_pass_are_an_error_after_so_many_tries(stub, checkout, run):
    stub.faults.append(Fault("CreateDataset", lambda handler: handler.refuse(503, "Service Unavailable"), times=10**6))
    code, out, err = run(checkout.root, "upload", "--tries", "3")
    assert code == 1
    assert "Service Unavailable" in err
    assert out.count("trying again") == 2
    assert stub.count("CreateDataset") == 3
    assert stub.datasets == {}


def test_a_dataset_that_came_to_be_in_a_failed_try_gets_a_version(stub, checkout, run):
    def fail_late(handler):  # Kaggle has done it, but its answer is lost
        stub.datasets[NAME] = Dataset({}, [{}])
        handler.refuse(502, "Bad Gateway")

    stub.faults.append(Fault("CreateDataset", fail_late))
    code, _, err = run(checkout.root, "upload")
    assert (code, err) == (0, "")
    assert stub.count("CreateDataset") == 1 and stub.count("CreateDatasetVersion") == 1
    assert_all_arrived(stub.datasets[NAME].versions[-1], checkout)


def test_an_upload_that_is_cut_half_way_goes_on_from_there(stub, checkout, run):
    def cut(handler):
        handler.half()
        handler.cut()

    stub.faults.append(Fault("upload", cut))
    code, _, err = run(checkout.root, "upload")
    assert (code, err) == (0, ""), err
    assert_all_arrived(stub.datasets[NAME].versions[0], checkout)


def test_a_file_that_kaggle_does_not_take_is_not_left_out_quietly(stub, checkout, run):
    stub.faults.append(Fault("upload", lambda handler: (handler.body(), handler.answer(b"", 403))))
    code, out, err = run(checkout.root, "upload")
    assert (code, err) == (0, ""), err
    assert "Upload unsuccessful" in out  # the command line went on without it, and said that all was well
    assert len(stub.datasets[NAME].versions) == 2
    assert_all_arrived(stub.datasets[NAME].versions[-1], checkout)

    stub.faults.append(Fault("upload", lambda handler: (handler.body(), handler.answer(b"", 403)), times=10**6))
    code, out, err = run(checkout.root, "upload", "--tries", "2")
    assert code == 1
    assert "Upload unsuccessful: " in err


def test_after_ctrl_c_in_an_upload_the_next_one_resumes_it(stub, checkout, run):
    def stall(handler):
        handler.half()
        stub.released.wait(60)
        handler.cut()

    stub.faults.append(Fault("upload", stall))
    command = process(checkout.root, "upload", "--pause", "0.01", "--poll", "0.1")
    try:
        end = time.monotonic() + 60
        while not any(blob["data"] and len(blob["data"]) < blob["size"] for blob in stub.blobs.values()):
            assert command.poll() is None and time.monotonic() < end
            time.sleep(0.05)
        command.send_signal(signal.SIGINT)
        _, err = command.communicate(timeout=60)
    finally:
        command.kill()
    assert command.returncode == 130
    assert "stopped" in err and "Traceback" not in err
    assert stub.datasets == {}
    (cut,) = [blob for blob in stub.blobs.values() if 0 < len(blob["data"]) < blob["size"]]
    reach = len(cut["data"])
    stub.released.set()
    code, _, err = run(checkout.root, "upload")
    assert (code, err) == (0, ""), err
    assert f"bytes {reach}-{cut['size'] - 1}/{cut['size']}" in stub.ranges
    assert_all_arrived(stub.datasets[NAME].versions[0], checkout)


def test_a_dataset_that_kaggle_cannot_process_is_an_error(stub, checkout, run):
    assert run(checkout.root, "upload")[0] == 0
    stub.faults.append(Fault("GetDatasetStatus", lambda handler: handler.answer({"status": "READY"})))
    stub.faults.append(Fault("GetDatasetStatus", lambda handler: handler.answer({"status": "FAILED"})))
    code, _, err = run(checkout.root, "upload")
    assert code == 1
    assert "could not process" in err


def test_files_that_are_missing_on_kaggle_are_named(stub, checkout):
    one = {"datasetFiles": [{"name": "NOTICE", "totalBytes": 1}]}
    stub.faults.append(Fault("ListDatasetFiles", lambda handler: handler.answer(one), times=10**6))
    with pytest.raises(KaggleError, match=r"lacks, or has in another size: LICENSE, NOTICE, .*papermill"):
        upload(checkout.root, Client(pause_s=0.01), public=False, poll_s=0.1, ready_s=3.0)


def test_an_upload_builds_first(stub, checkout, run, monkeypatch):
    monkeypatch.undo()
    for name, value in stub.environment(checkout.root).items():
        monkeypatch.setenv(name, value)
    (checkout.root / "harness" / ".env").write_text("A=1")
    code, _, err = run(checkout.root, "upload")
    assert code == 1
    assert "harness/.env: no file of this kind goes into the dataset" in err
    assert stub.requests == []
