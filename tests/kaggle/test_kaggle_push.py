"""Pushes with the real command line: what is sent for a GPU, and what Kaggle, or the configuration, may say no to."""

from __future__ import annotations

import json

import nbformat
import pytest
from kaggle_stub import Dataset, Fault

from harness.notebook import config_from_parameters

DATASET = "ada/arc-dsl-harness"
KERNEL = "ada/arc-dsl-harness-quick"


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "quick.yaml"
    path.write_text("data: kaggle:arc-prize-2025/evaluation\nsamples_per_task: 7\nresults_dir: elsewhere\n")
    return path


@pytest.fixture
def uploaded(stub):
    stub.datasets[DATASET] = Dataset({}, [{}], polls_until_ready=0)
    return stub


def test_a_push_asks_for_the_accelerator_without_internet(uploaded, checkout, run, config):
    code, out, err = run(checkout.root, "push", str(config), "--accelerator", "NvidiaL4", "--timeout", "3600")
    assert (code, err) == (0, ""), err
    assert f"http://localhost/code/{KERNEL}" in out and "next: make kaggle-pull CONFIG=quick" in out
    (request,) = uploaded.kernels[KERNEL].pushes
    assert request["machineShape"] == "NvidiaL4"
    assert request["enableGpu"] is True
    assert request["enableInternet"] is False
    assert request["newTitle"] == "ARC-DSL harness quick"
    assert request["datasetDataSources"] == [DATASET]
    assert request["competitionDataSources"] == ["arc-prize-2025"]
    assert request["sessionTimeoutSeconds"] == 3600
    metadata = json.loads((checkout.root / "build/kaggle/kernels/quick/kernel-metadata.json").read_text())
    assert metadata["machine_shape"] == "NvidiaL4" and metadata["enable_internet"] is False


def test_the_notebook_sent_has_the_configuration_for_parameters(uploaded, checkout, run, config):
    assert run(checkout.root, "push", str(config), "--set", "seed=5")[0] == 0
    book = nbformat.reads(uploaded.kernels[KERNEL].pushes[0]["text"], as_version=4)
    tags = [cell.metadata.get("tags", []) for cell in book.cells]
    order = [tags.index([tag]) for tag in ("kaggle-push", "parameters", "injected-parameters", "kaggle-end")]
    assert order == sorted(order) and order[0] == 0 and order[-1] == len(tags) - 1
    names: dict = {}
    for cell in book.cells[order[1] : order[2] + 1]:
        exec(cell.source, names)
    names.pop("__builtins__")
    sent = config_from_parameters(names)
    assert (sent.name, sent.samples_per_task, sent.seed) == ("quick", 7, 5)
    assert (sent.results_dir, sent.run_dir) == ("results", None)
    assert all(not cell.get("outputs") for cell in book.cells)


def test_an_accelerator_that_is_retired_is_said(uploaded, checkout, run, config):
    code, out, _ = run(checkout.root, "push", str(config), "--accelerator", "NvidiaTeslaP100")
    assert code == 0
    assert "note: NvidiaTeslaP100: Kaggle has retired it" in out


def test_a_dry_run_prints_the_steps_and_sends_nothing(stub, checkout, run, config):
    code, out, err = run(checkout.root, "push", str(config), "--accelerator", "NvidiaL4", "--dry-run")
    assert (code, err) == (0, "")
    assert "kernels push -p" in out and "--accelerator NvidiaL4" in out and '"enable_internet": false' in out
    assert stub.requests == []


@pytest.mark.parametrize(
    "case",
    [
        (["--accelerator", "NvidiaL5"], (1, "unknown id 'NvidiaL5'; nearest: NvidiaL4")),
        (["--set", "programs=[mine.py]"], (1, "'mine.py' is a path of this machine")),
        (["--set", "sampels=3"], (2, "unknown key 'sampels'")),
        (["--timeout", "50000"], (1, "Kaggle sessions last up to 43200 s")),
    ],
)
def test_what_cannot_run_there_is_refused(stub, checkout, run, config, case):
    words, (code, said) = case
    found, _, err = run(checkout.root, "push", str(config), *words)
    assert found == code
    assert said in err
    assert stub.requests == []


def test_without_the_dataset_there_is_no_push(stub, checkout, run, config):
    code, _, err = run(checkout.root, "push", str(config))
    assert code == 1
    assert f"the dataset {DATASET} is not there: run make kaggle-upload first" in err
    assert stub.kernels == {}
    stub.datasets[DATASET] = Dataset({}, [{}], polls_until_ready=10)
    code, _, err = run(checkout.root, "push", str(config))
    assert code == 1 and "is blobs_received, not ready" in err


def test_a_push_error_is_an_error(uploaded, checkout, run, config):
    refusal = {"error": "Maximum batch GPU session count of 2 reached."}
    uploaded.faults.append(Fault("SaveKernel", lambda handler: handler.answer(refusal)))
    code, _, err = run(checkout.root, "push", str(config))
    assert code == 1
    assert "Kernel push error: Maximum batch GPU session count of 2 reached." in err
    assert not (checkout.root / "build/kaggle/kernels/quick/push.json").exists()


def test_a_source_that_kaggle_drops_is_an_error(uploaded, checkout, run, config):
    uploaded.invalid_sources = [DATASET]
    code, _, err = run(checkout.root, "push", str(config))
    assert code == 1
    assert "not valid dataset sources" in err and DATASET in err


def test_500s_that_pass_are_tried_again(uploaded, checkout, run, config):
    uploaded.faults.append(Fault("SaveKernel", lambda handler: handler.refuse(502, "Bad Gateway"), times=2))
    code, out, err = run(checkout.root, "push", str(config))
    assert (code, err) == (0, "")
    assert out.count("trying again") == 2
    assert len(uploaded.kernels[KERNEL].pushes) == 1


def test_a_refused_request_is_not_tried_again(uploaded, checkout, run, config):
    uploaded.faults.append(Fault("SaveKernel", lambda handler: handler.refuse(400, "Invalid machine shape"), times=9))
    code, out, err = run(checkout.root, "push", str(config))
    assert code == 1 and "Invalid machine shape" in err
    assert uploaded.count("SaveKernel") == 1 and "trying again" not in out
