"""Modules whose import might not end, or harm the process: they are imported in a process of their own first.

Programs run in workers, but which programs a module has is known only once the run's own process has imported it. There
a loop at the top of a module would hang the run, and ``os._exit(0)`` would end it as if all were well.
"""

from __future__ import annotations

import ast
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.batt.loader import OUR_MODULES, LoadError, Program, Rejected, execute, load_programs
from harness.run.limits import end_with_parent, limit_memory
from harness.run.screening import harmless_tree

IMPORT_S = 60.0
"""Seconds that a module may take to be imported: packages that it needs may be large."""


def load_screened(references: Iterable[str], memory_gb: float | None) -> tuple[list[Program], list[Rejected]]:
    """Load programs as ``load_programs`` does, but reject modules that hang or end the process that imports them.

    What modules print meanwhile is dropped, as it is in workers.

    Args:
        references: modules, packages, files or folders.
        memory_gb: GiB of address space that an import may take; None for no limit.
    """
    with _Trials(IMPORT_S, memory_gb) as trials, Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        return load_programs(references, refuse=trials.refuse)


class _Trials:
    """A process that imports modules, made anew when one has harmed it."""

    def __init__(self, limit_s: float, memory_gb: float | None) -> None:
        self._limit_s, self._memory_gb = limit_s, memory_gb
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def refuse(self, path: Path) -> str | None:
        """Return why a module cannot be imported; None if it can."""
        if _is_harmless(path):
            return None
        connection = self._start()
        if connection is None:
            return None
        connection.send(path)
        if not connection.poll(self._limit_s):
            self._stop()
            return f"{path}: its import takes more than {self._limit_s:g} s"
        try:
            why: str | None = connection.recv()
        except (EOFError, OSError):
            return f"{path}: its import ends the process, with {_ending(self._stop())}"
        return why

    def _start(self) -> Connection | None:
        """Return the way to the process; None where none can be started, which workers will tell better."""
        if self._connection is None:
            context = get_context("spawn")  # a fork would inherit the threads of a notebook's kernel
            self._connection, theirs = context.Pipe()
            self._process = context.Process(target=_import_all, args=(theirs, self._memory_gb), daemon=True)
            self._process.start()
            theirs.close()
            try:
                self._connection.recv()
            except (EOFError, OSError):
                self._stop()
        return self._connection

    def _stop(self) -> int | None:
        """End the process, and return its exit code."""
        code = None
        if self._process is not None and self._connection is not None:
            self._connection.close()
            self._process.join(1)
            self._process.kill()
            self._process.join()
            code = self._process.exitcode
        self._process = self._connection = None
        return code


def _import_all(connection: Connection, memory_gb: float | None) -> None:
    """Import the files that are named, one by one, and answer how each ended: all that the process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    end_with_parent()
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - what modules print is dropped, for good
    limit_memory(memory_gb)
    connection.send(None)
    while True:
        try:
            path = connection.recv()
        except EOFError:
            os._exit(0)  # whatever a module has left running
        why = None
        try:
            execute(path, path.stem)
        except LoadError as error:
            why = str(error)
        except KeyboardInterrupt:
            why = f"{path}: KeyboardInterrupt"
        connection.send(why)


def _is_harmless(path: Path) -> bool:
    """Whether a module holds nothing but functions that call primitives, and imports only the DSL."""
    tree = harmless_tree(path)
    if tree is None:
        return False
    imported = [
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
    ]
    return set(imported) <= set(OUR_MODULES)


def _ending(code: int | None) -> str:
    return f"exit code {code}" if code is None or code >= 0 else f"signal {signal.Signals(-code).name}"
