"""Run the benchmark notebook through papermill, and not be fooled by how it ends.

Papermill calls a notebook good that was left by ``sys.exit(0)``, only warns of parameters that it does not know, and
keeps "completed" on the cells of a kernel that died later. So the cells' own records are looked at, and then the run
folder's, which only a run that came to its end calls complete.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from itertools import chain, count
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillException

from harness.atomic import write_atomic
from harness.config import Config, make_config
from harness.places import portable, scrubbed_value
from harness.progress import QUIET
from harness.run.resume import resumed_config

_QUIET_ASYNCIO = "__import__('logging').getLogger('asyncio').setLevel('CRITICAL')"
"""What a kernel does first, since asyncio may complain, as a kernel ends, of what that kernel still waits for."""
_SHELL_NAMES = {"In", "Out", "exit", "quit", "open", "get_ipython"}


class NotebookError(Exception):
    """A notebook that did not come to its end; the message says which cell, and why."""


def config_from_parameters(names: Mapping[str, Any]) -> Config:
    """Make a configuration of the variables of a notebook, called before it has any but its parameters.

    Papermill puts each parameter in a variable, also one that the notebook does not know; here that is refused.

    With ``resume`` the configuration is that of the run which is continued, and a parameter that is not the default's
    has to be as it was there.

    Args:
        names: the notebook's ``globals()``.

    Raises:
        ConfigError: as ``make_config`` and ``resumed_config``.
    """
    plain = (str, int, float, list, dict, type(None))
    values = {
        name: value
        for name, value in names.items()
        if not name.startswith("_") and name not in _SHELL_NAMES and isinstance(value, plain)
    }
    config = make_config(values, "parameters of the notebook")
    if config.resume is None:
        return config
    own, defaults = config.model_dump(), make_config({}, "defaults").model_dump()
    return resumed_config(Path(config.resume).expanduser(), {key: own[key] for key in own if own[key] != defaults[key]})


def executed_path(folder: Path) -> Path:
    """Return where the executed notebook of a run goes; each session of one that is continued has its own."""
    names = chain(["benchmark.ipynb"], (f"benchmark-{number}.ipynb" for number in count(2)))
    return next(path for name in names if not (path := folder / name).exists())


def run_notebook(notebook: Path, executed: Path, config: Config) -> None:
    """Execute a notebook with a configuration for parameters.

    Args:
        notebook: what to execute.
        executed: where the executed notebook is written, cell by cell, so that it is there also if it fails.
        config: its parameters.

    Raises:
        NotebookError: if it did not come to its end.
        KeyboardInterrupt: on Ctrl-C; its kernel is gone then.
    """
    quiet = os.environ.get(QUIET)
    os.environ[QUIET] = "1"  # bars would only fill the file; papermill shows one of its own
    try:
        papermill.execute_notebook(
            str(notebook),
            str(executed),
            parameters=_portable_folders(config.model_dump()),
            kernel_name="python3",
            progress_bar=sys.stderr.isatty(),
            autosave_cell_every=0,
            # Else it warns of its port, which only this machine reaches, and now and then of being interrupted when it
            # is done; what a cell raises is in the notebook all the same.
            extra_arguments=["--log-level=CRITICAL", f"--IPKernelApp.exec_lines={_QUIET_ASYNCIO}"],
        )
    except DeadKernelError as error:
        raise NotebookError(f"{executed}: its kernel died: {error}; was there memory enough?") from error
    except PapermillException as error:
        raise NotebookError(f"{executed}: {_last_lines(str(error))}") from error
    except KeyboardInterrupt:
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it would tell at length that nobody waits for a cell
        raise
    finally:
        _tell_no_places(executed)
        if quiet is None:
            del os.environ[QUIET]
        else:
            os.environ[QUIET] = quiet
    check_executed(executed)


def _portable_folders(parameters: dict[str, Any]) -> dict[str, Any]:
    """Name folders in parameters as they are recorded; the kernel has the same working directory."""
    folders = {key: parameters[key] for key in ("results_dir", "run_dir", "resume") if parameters[key] is not None}
    return {**parameters, **{key: portable(folder) for key, folder in folders.items()}}


def _tell_no_places(executed: Path) -> None:
    """Have paths in an executed notebook told as in the rest of the run folder: parameters, outputs, errors."""
    try:
        book = json.loads(executed.read_text(encoding="utf-8"))
        write_atomic(executed, json.dumps(scrubbed_value(book, executed.parent.parent), indent=1) + "\n")
    except (OSError, ValueError) as error:  # it was never written, or the disk is full: that is told elsewhere
        logging.getLogger(__name__).warning("%s: may tell absolute paths: %s", executed, error)


def _last_lines(text: str) -> str:
    """Return the end of a traceback, which says what is wrong."""
    return "\n".join(line for line in text.strip().splitlines()[-3:] if line.strip())


def check_executed(executed: Path) -> None:
    """Look at every cell of an executed notebook.

    Raises:
        NotebookError: names the first code cell that did not run to its end, or has an error among its outputs.
    """
    book = nbformat.read(executed, as_version=4)  # type: ignore[no-untyped-call]
    for number, cell in enumerate(book.cells, start=1):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        where = f"{executed}: cell {number} ({cell.source.strip().splitlines()[0]})"
        for output in cell.outputs:
            if output.output_type == "error":
                raise NotebookError(f"{where} raised {output.ename}: {output.evalue}")
        record = cell.metadata.get("papermill", {})
        if cell.execution_count is None or record.get("exception") or record.get("status") != "completed":
            raise NotebookError(f"{where} did not run to its end: papermill says {record.get('status')!r}")
