"""The run folder: files that are written whole or not at all, and the journal of what is finished."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any, Self

import pandas as pd

from harness.atomic import sync_folder, write_atomic
from harness.places import scrubbed, scrubbed_value
from harness.run import schema

JOURNAL = "journal"


class CannotWrite(OSError):
    """A file of a run cannot be written; the message says what is safe, and how to go on."""


class DamagedJournal(ValueError):
    """A journal that was changed by somebody else; the message names the file."""


class RunFolder:
    """A folder of its own for one run, to which files are only ever added or renewed whole.

    Whatever is written there tells paths as ``harness.places`` does: a run folder may be shown to anybody.
    """

    def __init__(self, path: Path) -> None:
        """Write to an existing folder; ``take`` and ``create`` make one."""
        self.path = path

    @classmethod
    def take(cls, path: Path) -> Self:
        """Make a folder for a run at ``path``, or take one that holds no run yet.

        Raises:
            FileExistsError: if a run is in it.
            OSError: if it cannot be made.
        """
        path.mkdir(parents=True, exist_ok=True)
        folder = cls(path)
        folder.refuse_run()
        return folder

    def refuse_run(self) -> None:
        """Look whether the folder is free for a run.

        Raises:
            FileExistsError: if a run is in it.
        """
        if (self.path / "run.json").exists() or (self.path / JOURNAL).exists():
            raise FileExistsError(
                f"{self.path} holds a run already, which is never overwritten; name another folder, or continue that "
                f"run: {resume_command(self.path)}"
            )

    @classmethod
    def create(cls, parent: Path, name: str) -> Self:
        """Make ``<parent>/<UTC time>-<name>``; a run of the same second gets a number behind it.

        Raises:
            OSError: if it cannot be made.
        """
        parent.mkdir(parents=True, exist_ok=True)
        stem = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{name}"
        for number in count(1):
            path = parent / (stem if number == 1 else f"{stem}-{number}")
            try:
                path.mkdir()
            except FileExistsError:
                continue
            sync_folder(parent)
            return cls(path)
        raise AssertionError("unreachable")

    def write_text(self, name: str, text: str) -> None:
        """Write a text file whole.

        Raises:
            CannotWrite: if it cannot be written.
        """
        self._write(Path(name), text)

    def write_json(self, name: str, value: Any) -> None:
        """Write a value as JSON, whole.

        Raises:
            CannotWrite: if it cannot be written.
        """
        told = scrubbed_value(value, self.path.parent)
        self.write_text(name, json.dumps(told, indent=2, ensure_ascii=False) + "\n")

    def write_table(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows as ``<name>.parquet``, whole, also without a row, with the columns that ``schema`` states.

        Raises:
            CannotWrite: if it cannot be written.
        """
        columns = {column: [row[column] for row in rows] for column in schema.TABLES[name]}
        self._write(Path(f"{name}.parquet"), _parquet(name, columns, self.path.parent))

    def write_part(self, name: str, number: int, columns: Mapping[str, Any]) -> None:
        """Write columns as a part of a table that grows: a file of its own in the folder ``<name>.parquet``.

        Readers of Parquet take the folder for one table.

        Raises:
            CannotWrite: if it cannot be written.
        """
        self._write(Path(f"{name}.parquet", f"part-{number:05d}.parquet"), _parquet(name, columns, self.path.parent))

    def remove_unfinished(self) -> None:
        """Remove files that a process which was killed had begun to write; nobody else may be writing."""
        for path in self.path.rglob(".*.tmp"):
            path.unlink(missing_ok=True)

    def _write(self, name: Path, content: bytes | str) -> None:
        path = self.path / name
        with writing(self.path, path):
            if name.parent != Path() and not path.parent.is_dir():
                path.parent.mkdir()
                sync_folder(self.path)
            write_atomic(path, content)


def resume_command(folder: Path) -> str:
    """Return the command that continues a run."""
    return f"python -m harness run --resume {shlex.quote(str(folder))}"


@contextmanager
def writing(folder: Path, path: Path) -> Iterator[None]:
    """Say of what the operating system refuses what it means for the run.

    Raises:
        CannotWrite: in place of any other ``OSError``.
    """
    try:
        yield
    except OSError as error:
        raise CannotWrite(
            f"{path} cannot be written: {error.strerror or error}. What was finished before is safe. Make room, or the "
            f"folder writable, and continue with: {resume_command(folder)}"
        ) from error


class Journal:
    """What is finished of a run, in the order of time: an entry is a file of its own, and the next is begun after it.

    Tables are made from it again where a process was killed between an entry and the tables that show it. It goes when
    the run is complete, for then the tables hold all of it.
    """

    def __init__(self, folder: RunFolder) -> None:
        """Read or write the journal of a folder; one that has none has no entries."""
        self._folder = folder
        self._path = folder.path / JOURNAL
        self._count = len(self._files())

    def _files(self) -> list[Path]:
        return sorted(self._path.glob("[0-9]*.json"))

    def read(self) -> list[dict[str, Any]]:
        """Return all entries, in order; ``kind`` is among the keys of each.

        Raises:
            DamagedJournal: if one is missing among them, or is not what was written.
        """
        entries = []
        for number, path in enumerate(self._files()):
            if not path.name.startswith(f"{number:05d}-"):
                raise DamagedJournal(f"{self._path}: entry {number:05d} is missing, and {path.name} is there")
            try:
                entry = json.loads(path.read_bytes())
                if entry["kind"] != path.stem.partition("-")[2]:
                    raise ValueError(f"holds an entry of the kind {entry['kind']!r}")
            except (ValueError, KeyError, TypeError) as error:
                raise DamagedJournal(f"{path}: is not what was written there: {error}") from error
            entries.append(entry)
        return entries

    def append(self, kind: str, content: Mapping[str, Any]) -> None:
        """Write an entry, so that it is on disk when this returns.

        Args:
            kind: a word, part of the file's name.
            content: what JSON can hold.

        Raises:
            CannotWrite: if it cannot be written.
        """
        text = json.dumps({"kind": kind, **scrubbed_value(content, self._folder.path.parent)}, ensure_ascii=False)
        self._folder.write_text(f"{JOURNAL}/{self._count:05d}-{kind}.json", text + "\n")
        self._count += 1

    def remove(self) -> None:
        """Remove it, the last entries first, so that what is left is a journal, too."""
        files = self._files()
        for path in reversed(files):
            path.unlink(missing_ok=True)
        if files:
            self._path.rmdir()


def _parquet(name: str, columns: Mapping[str, Any], folder: Path) -> bytes:
    frame = {column: pd.Series(columns[column], dtype=dtype) for column, dtype in schema.TABLES[name].items()}
    for column, dtype in schema.TABLES[name].items():
        if dtype == "string" and len(frame[column]):
            told = {text: scrubbed(text, folder) for text in frame[column].dropna().unique()}
            if any(text != own for text, own in told.items()):
                frame[column] = frame[column].map(told).astype("string")
    buffer = BytesIO()
    pd.DataFrame(frame).to_parquet(buffer, index=False)
    return buffer.getvalue()
