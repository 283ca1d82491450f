"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)  # of file systems that cannot sync a folder


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write a file whole: to a temporary neighbour, synced, then renamed over ``path``, and the folder synced.

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
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk, so that a file made or renamed there outlives a power cut.

    Raises:
        OSError: if the disk says that it failed.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)
