"""What a Kaggle session needs beside the run: that what it measures survives the session.

Kaggle keeps the outputs of a notebook that came to its end; those of one that failed, or ran into the time limit, are
lost or kept as Kaggle pleases. So here a notebook always comes to its end: before the time is up, the run is
interrupted; and where a cell fails, what was measured is put in order, the error goes into ``outputs.json``, and the
cells that are left do nothing. ``make kaggle-pull`` reads it, and fails as the notebook should have.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from harness.kaggle.accelerators import compare_devices
from harness.kaggle.outputs import RESULTS, OutputManifest
from harness.measure.environment import gpus

PUSH = "HARNESS_KAGGLE_PUSH"
"""Environment variable with what ``make kaggle-push`` says of the push, as JSON; the pushed notebook sets it."""

RENEW_S = 60.0
"""Seconds after which the list of outputs is renewed while a cell runs."""


def start(manifest: Mapping[str, Any]) -> None:
    """Say what the session is, and guard it if it is one of ``make kaggle-push``.

    Args:
        manifest: of the dataset that the harness was installed from.
    """
    push = json.loads(os.environ.get(PUSH, "null"))
    devices = [str(device["name"]) for device in gpus()["devices"]]
    print(f"devices   {compare_devices(push['accelerator'] if push else None, devices)}")
    if push is None or os.environ.get("KAGGLE_KERNEL_RUN_TYPE") == "Interactive":
        return  # somebody sits before it, who wants to see errors as they are
    if push["commit"] != manifest["commit"]:
        print(
            f"WARNING: the notebook was pushed from {str(push['commit'])[:12]}, but the dataset is of "
            f"{str(manifest['commit'])[:12]}: run make kaggle-upload, then make kaggle-push"
        )
    from IPython import get_ipython  # noqa: PLC0415 - there is a notebook only now

    shell = get_ipython()
    if shell is None:
        raise RuntimeError(f"{PUSH} is set, but this is no notebook: unset it")
    facts = {
        "push": push,
        "dataset": {name: manifest[name] for name in ("version", "commit", "dirty")},
        "devices": devices,
        "error": None,
    }
    guard = Guard(shell, OutputManifest(Path.cwd(), facts), float(push["stop_s"]))
    guard.begin()
    _GUARDS.append(guard)
    print(f"session   is stopped after {guard.stop_s / 3600:.1f} h, before Kaggle would; outputs go to {Path.cwd()}")


_GUARDS: list[Guard] = []  # one, in the process of a notebook that was pushed


def finish() -> None:
    """Say that the notebook has come to its end; the last cell of a pushed notebook."""
    for guard in _GUARDS:
        guard.finish()


class Guard:
    """Keeps the list of outputs up to date, and brings a notebook that fails, or takes too long, to an orderly end."""

    def __init__(self, shell: Any, outputs: OutputManifest, stop_s: float) -> None:
        """Guard a notebook.

        Args:
            shell: its IPython shell.
            outputs: the list to keep.
            stop_s: seconds from now after which it is interrupted.
        """
        self.shell = shell
        self.outputs = outputs
        self.stop_s = stop_s
        self._end = time.monotonic() + stop_s
        self._lock = threading.Lock()
        self._error: str | None = None
        self._done = threading.Event()

    def begin(self) -> None:
        """Take over errors of cells, and start the thread that watches the clock."""
        self.shell.set_custom_exc((Exception, KeyboardInterrupt), self._failed)
        self.shell.events.register("post_run_cell", self._after_cell)
        threading.Thread(target=self._watch, name="harness-kaggle-guard", daemon=True).start()
        self._renew()

    def _watch(self) -> None:
        while (left := self._end - time.monotonic()) > 0:
            if self._done.wait(min(left, RENEW_S)):
                return
            self._renew()
        os.kill(os.getpid(), signal.SIGINT)  # as the notebook's own button does

    def finish(self) -> None:
        """Write the list of outputs for the last time, and watch no longer."""
        self._done.set()
        self._renew()

    def _renew(self) -> None:
        with self._lock:
            self.outputs.facts["error"] = self._error
            try:
                self.outputs.renew(final=self._done.is_set())
            except OSError as error:  # a full disk, say; the run itself reports it where it hurts
                print(f"WARNING: {self.outputs.folder}: the list of outputs is not written: {error}", file=sys.stderr)

    def _failed(
        self,
        _shell: Any,
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType | None,
        tb_offset: int | None = None,
    ) -> list[str]:
        """Put in order what a failed cell leaves; called by IPython in the place of showing the traceback."""
        del tb_offset
        if kind is KeyboardInterrupt and time.monotonic() >= self._end:
            self._error = f"stopped after {self.stop_s:.0f} s, before Kaggle's time limit; what was measured is kept"
        else:
            self._error = f"{kind.__name__}: {error}"
        lines = traceback.format_exception(kind, error, trace)
        print("".join(lines), file=sys.stderr)
        try:
            _close_runs(self.outputs.folder / RESULTS, self._error)
        except Exception as also:  # what was measured counts more than its report
            print(f"WARNING: no report of what was measured: {type(also).__name__}: {also}", file=sys.stderr)
        print(f"The cells that are left do nothing: {self._error}")
        self.shell.input_transformers_cleanup.append(lambda _lines: [])
        self._done.set()
        return lines

    def _after_cell(self, result: Any) -> None:
        """Renew the list after each cell; one that failed counts as done, so that Kaggle keeps the outputs."""
        if self._error is not None and result is not None:
            result.error_in_exec = None
        self._renew()


def _close_runs(results: Path, error: str) -> None:
    """Mark runs that their notebook has left as failed, and write the report of what they have measured."""
    from harness.report import write_report  # noqa: PLC0415 - plots are slow to import
    from harness.run.runner import close_failed  # noqa: PLC0415

    for record in sorted(results.glob("*/run.json")):
        if close_failed(record.parent, error):
            write_report(record.parent)
