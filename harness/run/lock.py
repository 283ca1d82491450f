"""One process at a time in a run folder."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

_LOG = logging.getLogger(__name__)
_LOOK_S = 0.05


class FolderInUse(OSError):
    """Another process is at work in the folder."""


@contextmanager
def locked(folder: Path, patience_s: float = 0.0) -> Iterator[None]:
    """Keep other processes that ask out of a run folder.

    The lock is the kernel's, on the folder itself (flock), so it leaves no file, and it ends with the process, however
    that ends.

    Args:
        folder: the run folder.
        patience_s: seconds to wait for another process.

    Raises:
        FolderInUse: if another process has it.
        OSError: if there is no such folder.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        end = monotonic() + patience_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if monotonic() >= end:
                    raise FolderInUse(
                        f"{folder}: another process is at work in this run; wait until it is done, or name another "
                        "folder"
                    ) from None
                sleep(_LOOK_S)
            except OSError as error:  # some network file systems have no locks
                _LOG.warning("%s cannot be locked (%s): start no second run in it", folder, error.strerror)
                break
            else:
                break
        yield
    finally:
        os.close(descriptor)
