"""Wait for a notebook on Kaggle, fetch what it left, check it, and put its run among the results."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from harness.atomic import write_atomic
from harness.kaggle.client import Client, RefusedError, command_line, state_folder
from harness.kaggle.errors import KaggleError
from harness.kaggle.metadata import OWNER
from harness.kaggle.outputs import NAME, RESULTS, differences, file_row, read_outputs
from harness.kaggle.push import RECORD, kernel_folder, kernel_of
from harness.report import write_report
from harness.run.runner import close_failed, close_interrupted

_STATUS = re.compile(r'has status "(?:KernelWorkerStatus\.)?(\w+)"')
_FAILURE = re.compile(r'^Failure message: "(.*)"$', re.MULTILINE | re.DOTALL)
_ENDED = {"COMPLETE", "ERROR", "CANCEL_ACKNOWLEDGED"}
_UNDER_WAY = {"QUEUED", "RUNNING", "NEW_SCRIPT", "CANCEL_REQUESTED"}
_PAGE = "200"
RECORD_OF_RUN = "kaggle_run.json"
FETCHES = 3
"""How often files that did not arrive whole are fetched."""


@dataclass(frozen=True)
class Ended:
    """How a notebook ended: Kaggle's ``status``, and its ``message`` where it failed."""

    status: str
    message: str | None


@dataclass(frozen=True)
class Pulled:
    """What was brought back.

    Attributes:
        folders: the run folders, in ``results/``.
        problems: what is wrong with the notebook or its runs; empty if all is well.
    """

    folders: tuple[Path, ...]
    problems: tuple[str, ...]


def pull(
    root: Path,
    client: Client,
    name: str,
    *,
    poll_s: float,
    wait_s: float,
    any_push: bool,
    results: Path | None = None,
) -> Pulled:
    """Bring back the run of a configuration.

    It can be run again after whatever has interrupted it; what has come already is not fetched twice, and a run that is
    there is never overwritten.

    Args:
        root: the checkout.
        client: what runs the command line.
        name: of the configuration.
        poll_s: seconds between questions how far it is.
        wait_s: seconds after which to wait no longer.
        any_push: also take the outputs of another push than the last one from here.
        results: where run folders are; ``results/`` of the checkout if None.

    Returns:
        What has come.

    Raises:
        KaggleError: if nothing has come, or not whole.
    """
    results = results or root / "results"
    kernel = kernel_of(OWNER if client.dry_run else client.owner(), name)
    staging = state_folder(root) / "outputs" / name
    if client.dry_run:
        client.say("would run, and change nothing:")
        client.say(f"  {command_line('kernels', 'status', kernel)}    # until it has ended")
        client.say(f"  {command_line(*_output_words(kernel, staging, NAME))}    # which files there are")
        client.say(f"  {command_line(*_output_words(kernel, staging, None))}    # all of them, and the log")
        return Pulled((), ())
    ended = wait_for_end(client, kernel, poll_s, wait_s)
    staging.mkdir(parents=True, exist_ok=True)
    problems = []
    if ended.status != "COMPLETE":
        said = f": {ended.message}" if ended.message else ""
        problems.append(f"{kernel} ended with status {ended.status}{said}")
    outputs = _fetch_list(client, kernel, staging)
    if outputs is None:
        log = _fetch_log(client, kernel, staging)
        raise KaggleError("\n".join([*problems, f"{kernel} left no {NAME}, so no run was begun there", *log]))
    _check_push(root, name, outputs, any_push)
    if outputs["error"] is not None:
        problems.append(f"{kernel}: the notebook failed: {outputs['error']}")
    names = sorted({Path(row["path"]).parts[1] for row in outputs["files"] if len(Path(row["path"]).parts) > 2})
    if not names:
        log = _fetch_log(client, kernel, staging)
        raise KaggleError("\n".join([*problems, f"{kernel} left no run", *log]))
    new = [run for run in names if not (results / run).exists()]
    if new:
        changed = _fetch_files(client, kernel, staging, outputs, final=bool(outputs["final"]))
        for run in new:
            _close(staging / RESULTS / run, staging, outputs, ended=ended, kernel=kernel, changed=changed)
            results.mkdir(parents=True, exist_ok=True)
            (staging / RESULTS / run).rename(results / run)
    for run in names:
        folder = results / run
        if run not in new:
            client.say(f"{folder}: there already, left as it is")
            problems += _compare_with_there(results, outputs, run)
        status = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        if status["status"] != "complete" and outputs["error"] is None:
            problems.append(f"{folder}: the run is {status['status']}: {status['error']}")
    shutil.rmtree(staging, ignore_errors=True)
    return Pulled(tuple(results / run for run in names), tuple(problems))


def wait_for_end(client: Client, kernel: str, poll_s: float, wait_s: float) -> Ended:
    """Ask for a notebook's status until it has ended.

    Raises:
        KaggleError: if there is no such notebook, or it has not ended after ``wait_s``.
    """
    start = time.monotonic()
    before = ""
    while True:
        try:
            text = client.ask("kernels", "status", kernel)
        except RefusedError as error:
            raise KaggleError(f"{error}; was it pushed with this account? run: make kaggle-push") from error
        found = _STATUS.search(text)
        if found is None:
            raise KaggleError(f"kaggle kernels status {kernel}: its answer is not understood: {text.strip()!r}")
        status = found[1].upper()
        passed = time.monotonic() - start
        line = f"{kernel}: {status.lower()}, after {passed / 60:.1f} min of waiting"
        if status != before:
            client.say(line)
        elif sys.stderr.isatty():  # one line, written over again
            print(f"{line} ", end="\r", file=sys.stderr, flush=True)
        before = status
        if status in _ENDED:
            message = _FAILURE.search(text)
            return Ended(status, message[1] if message else None)
        if status not in _UNDER_WAY:
            raise KaggleError(f"kaggle kernels status {kernel}: the status {status!r} is not known here")
        if passed >= wait_s:
            raise KaggleError(
                f"{kernel} is still {status.lower()} after {wait_s:.0f} s; run make kaggle-pull again later"
            )
        time.sleep(min(poll_s, max(0.0, wait_s - passed)))


def _output_words(kernel: str, folder: Path, pattern: str | None, force: bool = False) -> list[str]:
    words = ["kernels", "output", kernel, "-p", str(folder), "--page-size", _PAGE]
    words += ["--file-pattern", f"^{re.escape(pattern)}$"] if pattern else []
    return [*words, *(["--force"] if force else [])]


def _fetch_list(client: Client, kernel: str, staging: Path) -> dict[str, Any] | None:
    """Fetch ``outputs.json``; None if there is none."""
    (staging / NAME).unlink(missing_ok=True)
    for number in range(FETCHES):
        client.ask(*_output_words(kernel, staging, NAME, force=True))
        if not (staging / NAME).is_file():
            return None
        try:
            return read_outputs(staging / NAME)
        except KaggleError:
            if number == FETCHES - 1:
                raise
            client.say(f"  {NAME} did not arrive whole; again")
    raise AssertionError("unreachable")


def _fetch_log(client: Client, kernel: str, staging: Path) -> list[str]:
    """Return the last lines of the notebook's log."""
    client.ask(*_output_words(kernel, staging, "no such file"))
    text = read_log(staging / f"{kernel.partition('/')[2]}.log")
    return ["the end of its log:", *(f"  {line}" for line in text.splitlines()[-20:])] if text else ["it has no log"]


def read_log(path: Path) -> str:
    """Return the text of a log, which Kaggle keeps as JSON, one record for each piece of output; empty if none."""
    if not path.is_file():
        return ""
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        return "".join(str(record["data"]) for record in json.loads(text))
    except (ValueError, KeyError, TypeError):
        return text


def _check_push(root: Path, name: str, outputs: Mapping[str, Any], any_push: bool) -> None:
    """Refuse the outputs of another push than the last one from here."""
    record = kernel_folder(root, name) / RECORD
    if any_push or not record.is_file():
        return
    last = json.loads(record.read_text(encoding="utf-8"))
    if outputs["push"]["id"] != last["id"]:
        raise KaggleError(
            f"the outputs on Kaggle are of another push than the last one from here (of commit "
            f"{str(outputs['push']['commit'])[:12]}, not {str(last['commit'])[:12]}): wait until Kaggle has begun the "
            "last one, or take them as they are with --any-push"
        )


def _fetch_files(client: Client, kernel: str, staging: Path, outputs: Mapping[str, Any], final: bool) -> dict[str, str]:
    """Fetch all files, those that did not arrive whole again.

    Returns:
        What changed after the list was made, by path: none if the list is final. Those files can be read at least.
    """
    wrong: dict[str, str] = {}
    for number in range(FETCHES):
        client.ask(*_output_words(kernel, staging, None))
        wrong = differences(staging, outputs)
        if not wrong:
            return {}
        if not final:  # the notebook's process died: the list may be a minute older than the files
            unreadable = {path: reason for path, reason in wrong.items() if not _readable(staging / path)}
            if not unreadable:
                return wrong
        if number < FETCHES - 1:
            client.say(f"  {len(wrong)} of {len(outputs['files'])} files did not arrive whole; fetching them again")
            for path in wrong:
                (staging / path).unlink(missing_ok=True)
    listed = "; ".join(f"{path}: {reason}" for path, reason in wrong.items())
    raise KaggleError(
        f"{kernel}: after {FETCHES} tries not what the notebook wrote: {listed}; run make kaggle-pull again"
    )


def _readable(path: Path) -> bool:
    """Whether a file whose hash is not known is whole, as far as its format tells."""
    try:
        if path.suffix == ".parquet":
            pd.read_parquet(path)
        elif path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        return path.is_file()
    except (OSError, ValueError):
        return False


def _close(
    folder: Path,
    staging: Path,
    outputs: Mapping[str, Any],
    *,
    ended: Ended,
    kernel: str,
    changed: Mapping[str, str],
) -> None:
    """Put a run in order that has come: what Kaggle says of it, its log, and a report if it has none."""
    log = read_log(staging / f"{kernel.partition('/')[2]}.log")
    if log:
        write_atomic(folder / "kaggle.log", log)
    facts = {name: outputs[name] for name in ("push", "dataset", "devices", "error", "final")}
    record = {
        "kernel": kernel,
        "status": ended.status,
        "message": ended.message,
        **facts,
        "not_verified": dict(changed),
    }
    write_atomic(folder / RECORD_OF_RUN, json.dumps(record, indent=2) + "\n")
    if not (folder / "run.json").is_file():
        raise KaggleError(f"{folder} has no run.json, so it is no run; it is left there")
    before = file_row(folder / "run.json")
    close_interrupted(folder)
    if outputs["error"] is not None:
        close_failed(folder, str(outputs["error"]))
    if before != file_row(folder / "run.json") or not (folder / "dashboard.html").is_file():
        write_report(folder)


def _compare_with_there(results: Path, outputs: Mapping[str, Any], run: str) -> list[str]:
    """Say in which way a run that was there before differs from that on Kaggle.

    Its data files count, not reports, which are made again; nor what could not be verified when it was fetched.
    """
    try:
        record = json.loads((results / run / RECORD_OF_RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        record = {"not_verified": {}}
    prefix = f"{RESULTS}/{run}/"
    rows = [
        {**row, "path": row["path"].removeprefix(prefix)}
        for row in outputs["files"]
        if row["path"].startswith(prefix)
        and row["path"].endswith(".parquet")
        and row["path"] not in record["not_verified"]
    ]
    wrong = differences(results / run, {"files": rows})
    return [f"{results / run} is not the run that Kaggle has: {path}: {reason}" for path, reason in wrong.items()]
