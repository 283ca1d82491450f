"""Publish the build as a dataset, or as the next version of it, and see that all has arrived."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.atomic import write_atomic
from harness.kaggle.build import dataset_folder, read_build
from harness.kaggle.client import Client, RefusedError, TransientError, command_line, state_folder
from harness.kaggle.errors import KaggleError
from harness.kaggle.harness_install import MANIFEST
from harness.kaggle.metadata import DATASET_FILE, OWNER, read_dataset_metadata

READY_S = 900.0
"""Seconds that Kaggle may take to make what was uploaded ready."""

_ABSENT = re.compile(r"\b40[34]\b|not found|forbidden|denied|does not exist", re.IGNORECASE)
_PAGE = "200"


def upload(root: Path, client: Client, public: bool, poll_s: float, ready_s: float = READY_S) -> str:
    """Upload the last build.

    Args:
        root: the checkout.
        client: what runs the command line.
        public: make a dataset that is created visible to all; one that is there stays as it is.
        poll_s: seconds between questions whether it is ready.
        ready_s: seconds until it has to be.

    Returns:
        The dataset, ``owner/slug``.

    Raises:
        KaggleError: says what went wrong, and what to do.
    """
    manifest = read_build(root)
    folder = dataset_folder(root)
    source = root / "kaggle_dataset" / DATASET_FILE
    if client.dry_run:
        _describe(root, client, manifest, public)
        return str(read_dataset_metadata(source, OWNER)["id"])
    metadata = read_dataset_metadata(source, client.owner())
    dataset = str(metadata["id"])
    write_atomic(folder / DATASET_FILE, json.dumps(metadata, indent=2) + "\n")
    environment = {"TMPDIR": str(_resume_folder(root, folder))}
    before = 0

    def send() -> None:
        nonlocal before
        state = dataset_state(client, dataset)  # anew at each try: one that failed may have created it
        before = state["version"] if state else 0
        words = _words(folder, manifest, state is not None, public)
        client.say(f"{dataset}: {'there, version ' + str(before) if state else 'not there'}: {' '.join(words[:2])}")
        client.run(*words, echo=True, environment=environment)

    client.retry(send)
    _wait_until_there(client, dataset, before, folder=folder, manifest=manifest, poll_s=poll_s, ready_s=ready_s)
    return dataset


def _words(folder: Path, manifest: Mapping[str, Any], exists: bool, public: bool) -> list[str]:
    """Return the command that sends the files; all lie in one folder, so no ``--dir-mode`` drops or packs any."""
    common = ["-p", str(folder), "--dir-mode", "skip"]
    if exists:
        dirty = " (with changes that were not committed)" if manifest["dirty"] else ""
        return ["datasets", "version", *common, "-m", f"commit {manifest['commit']}{dirty}"]
    return ["datasets", "create", *common, *(["--public"] if public else [])]


def _resume_folder(root: Path, folder: Path) -> Path:
    """Return where the command line keeps what it needs to resume an upload that was cut.

    It resumes by name, size and time of a file, so each content has a folder of its own here: else a rebuilt file could
    be sent as the end of an older one.
    """
    digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()[:16]
    path = state_folder(root) / "uploads" / digest
    path.mkdir(parents=True, exist_ok=True)
    return path


def _describe(root: Path, client: Client, manifest: Mapping[str, Any], public: bool) -> None:
    """Print the steps of an upload."""
    metadata = read_dataset_metadata(root / "kaggle_dataset" / DATASET_FILE, OWNER)
    folder = dataset_folder(root)
    client.say("would run, and nothing is sent:")
    client.say(f"  {command_line('config', 'view')}    # for {OWNER}")
    client.say(f"  {command_line('datasets', 'status', metadata['id'], '--format', 'json')}")
    client.say(f"  {command_line(*_words(folder, manifest, False, public))}    # if it is not there")
    client.say(f"  {command_line(*_words(folder, manifest, True, public))}    # if it is")
    client.say(
        f"  {command_line('datasets', 'files', metadata['id'], '--csv', '--page-size', _PAGE)}    # has all come?"
    )
    for row in manifest["files"]:
        client.say(f"  {row['bytes']:>9} bytes  {row['name']}")


def dataset_state(client: Client, dataset: str) -> dict[str, Any] | None:
    """Return ``status`` and ``version`` of a dataset; None if there is none that this user may see.

    Raises:
        KaggleError: if Kaggle does not answer that.
    """
    try:
        text = client.ask("datasets", "status", dataset, "--format", "json")
    except RefusedError as error:
        if _ABSENT.search(str(error)):
            return None
        raise
    found = re.search(r"\{.*\}", text)
    if found is None:
        raise KaggleError(f"kaggle datasets status {dataset}: its answer is not understood: {text.strip()!r}")
    content = json.loads(found[0])
    return {"status": str(content["status"]), "version": int(content["current_version_number"] or 0)}


def _wait_until_there(
    client: Client,
    dataset: str,
    before: int,
    *,
    folder: Path,
    manifest: Mapping[str, Any],
    poll_s: float,
    ready_s: float,
) -> None:
    """Wait until the new version is ready, and has every file in its size."""
    expected = {row["name"]: int(row["bytes"]) for row in manifest["files"]}
    expected[MANIFEST] = (folder / MANIFEST).stat().st_size
    end = time.monotonic() + ready_s
    problem = ""
    while True:
        state = dataset_state(client, dataset)
        if state is not None and state["status"] == "failed":
            raise KaggleError(f"{dataset}: Kaggle could not process what was uploaded; see its page, and upload again")
        if state is None:
            problem = "it is not there yet"
        elif state["status"] != "ready" or state["version"] <= before:
            problem = f"its status is {state['status']}, its version {state['version']}"
        else:
            found = dataset_files(client, dataset)
            wrong = sorted(name for name, size in expected.items() if found.get(name) != size)
            if not wrong:
                client.say(f"{dataset}: version {state['version']} is ready, all {len(expected)} files have come")
                return
            problem = f"version {state['version']} lacks, or has in another size: {', '.join(wrong)}"
        if time.monotonic() >= end:
            raise KaggleError(
                f"{dataset}: not as it should be after {ready_s:.0f} s: {problem}; run make kaggle-upload again"
            )
        client.say(f"  waiting: {problem}")
        time.sleep(poll_s)


def dataset_files(client: Client, dataset: str) -> dict[str, int]:
    """Return the size of each file of a dataset's current version, in bytes.

    Raises:
        KaggleError: if Kaggle does not list them.
    """
    files: dict[str, int] = {}
    token = ""
    while True:
        words = ["datasets", "files", dataset, "--csv", "--page-size", _PAGE]
        text = client.ask(*words, *(["--page-token", token] if token else []))
        next_page = re.search(r"^Next Page Token = (\S+)$", text, re.MULTILINE)
        lines = text.splitlines()
        header = next((n for n, line in enumerate(lines) if line.startswith("name,size")), None)
        if header is None:
            raise TransientError(f"kaggle datasets files {dataset}: lists no files: {text.strip()!r}")
        for row in csv.DictReader(lines[header:]):
            files[row["name"]] = int(row["size"])
        if next_page is None:
            return files
        token = next_page[1]
