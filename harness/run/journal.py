"""The run folder: files that are written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any, Self

import pandas as pd

from harness.atomic import write_atomic
from harness.run import schema


class RunFolder:
    """A folder of its own for one run, to which files are only ever added or renewed whole."""

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
        if (path / "run.json").exists():
            raise FileExistsError(f"{path} holds a run already, which is never overwritten; name another folder")
        return cls(path)

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
            return cls(path)
        raise AssertionError("unreachable")

    def write_text(self, name: str, text: str) -> None:
        """Write a text file whole."""
        write_atomic(self.path / name, text)

    def write_json(self, name: str, value: Any) -> None:
        """Write a value as JSON, whole."""
        self.write_text(name, json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def write_table(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows as ``<name>.parquet``, whole, also without a row, with the columns that ``schema`` states."""
        write_atomic(self.path / f"{name}.parquet", _parquet(name, rows))

    def write_part(self, name: str, number: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write rows as a part of a table that grows: a file of its own in the folder ``<name>.parquet``.

        Readers of Parquet take the folder for one table.
        """
        folder = self.path / f"{name}.parquet"
        folder.mkdir(exist_ok=True)
        write_atomic(folder / f"part-{number:05d}.parquet", _parquet(name, rows))


def _parquet(name: str, rows: Sequence[Mapping[str, Any]]) -> bytes:
    columns = schema.TABLES[name]
    frame = {column: pd.Series([row[column] for row in rows], dtype=dtype) for column, dtype in columns.items()}
    buffer = BytesIO()
    pd.DataFrame(frame).to_parquet(buffer, index=False)
    return buffer.getvalue()
