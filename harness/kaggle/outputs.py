"""What a Kaggle session leaves behind: ``outputs.json`` beside the results, with the size and hash of every file.

The session writes it (``session.py``) and renews it while it runs; whoever fetches the outputs checks them by it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.atomic import write_atomic
from harness.kaggle.errors import KaggleError

NAME = "outputs.json"
SCHEMA = 1
RESULTS = "results"
"""The folder of the session's working folder that is fetched."""


def file_row(path: Path) -> dict[str, Any]:
    """Return ``bytes`` and ``sha256`` of a file.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"bytes": stream.tell(), "sha256": digest}


@dataclass
class OutputManifest:
    """Writes and renews ``outputs.json`` in a session's working folder.

    Attributes:
        folder: the working folder.
        facts: what else it says: the push that it is of, the devices that were found, the error that ended it.
    """

    folder: Path
    facts: dict[str, Any] = field(default_factory=dict)
    _known: dict[Path, tuple[tuple[int, int], dict[str, Any]]] = field(default_factory=dict)
    _written: str = ""

    def renew(self, final: bool) -> None:
        """Write it anew, if anything has changed; a file is only read again if its size or time has changed.

        Args:
            final: nothing will be added to the results any more.
        """
        rows = []
        for path in sorted((self.folder / RESULTS).rglob("*")):
            if path.is_file() and not path.name.startswith("."):  # a temporary neighbour, about to be renamed
                row = self._row(path)
                if row is not None:
                    rows.append({"path": path.relative_to(self.folder).as_posix(), **row})
        text = json.dumps({"schema": SCHEMA, "final": final, **self.facts, "files": rows}, indent=1) + "\n"
        if text != self._written:
            write_atomic(self.folder / NAME, text)
            self._written = text

    def _row(self, path: Path) -> dict[str, Any] | None:
        """Return size and hash; None if the file has just gone."""
        try:
            state = path.stat()
            stamp = (state.st_mtime_ns, state.st_size)
            if path not in self._known or self._known[path][0] != stamp:
                self._known[path] = (stamp, file_row(path))
        except FileNotFoundError:
            return None
        return self._known[path][1]


def read_outputs(path: Path) -> dict[str, Any]:
    """Read an ``outputs.json``.

    Raises:
        KaggleError: if it cannot be read, is of a schema that is not known, or names files outside of the results.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise KaggleError(
                f"{path}: schema {content['schema']!r} is not {SCHEMA}: fetch it with the harness it is of"
            )
        for row in content["files"]:
            parts = Path(row["path"]).parts
            if parts[0] != RESULTS or ".." in parts or Path(row["path"]).is_absolute():
                raise KaggleError(f"{path}: names {row['path']!r}, which is not below {RESULTS}/")
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise KaggleError(f"{path}: is no list of outputs: {type(error).__name__}: {error}") from error
    return dict(content)


def differences(folder: Path, outputs: Mapping[str, Any]) -> dict[str, str]:
    """Compare fetched files with what their session wrote.

    Args:
        folder: where they were fetched to.
        outputs: what ``read_outputs`` returned.

    Returns:
        What is wrong, by path: ``missing``, or how it differs.
    """
    wrong = {}
    for row in outputs["files"]:
        path = folder / row["path"]
        if not path.is_file():
            wrong[row["path"]] = "missing"
            continue
        found = file_row(path)
        if found["bytes"] != row["bytes"]:
            wrong[row["path"]] = f"{found['bytes']} bytes, not {row['bytes']}"
        elif found["sha256"] != row["sha256"]:
            wrong[row["path"]] = "other content"
    return wrong
