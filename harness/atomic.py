"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write a file whole: to a temporary neighbour, synced, then renamed over ``path``.

    Args:
        path: the file; its folder must exist.
        data: what it will hold; text is encoded as UTF-8.

    Raises:
        OSError: if it cannot be written; ``path`` is then as it was.
    """
    content = data.encode() if isinstance(data, str) else data
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
