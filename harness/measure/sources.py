"""Which files were executed: their paths and contents, to be compared between what was asked for and what ran."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path

import harness
from harness.batt.loader import Program

Sources = dict[str, tuple[tuple[str, str], ...]]
"""Module -> (path, SHA-256) of each file that was executed for it; the harness itself is ``HARNESS``."""

HARNESS = "harness"
_OURS = ("*.py", "vm/opcodes.def", "vm/src/*")


def sources_of(programs: Iterable[Program]) -> Sources:
    """Return the sources of programs as they were when they were loaded, and of the harness in this process."""
    found: dict[str, dict[str, str]] = {}
    for program in programs:
        found.setdefault(program.module, {}).update(program.sources)
    return {HARNESS: (_harness(),)} | {module: tuple(files.items()) for module, files in found.items()}


@cache
def _harness() -> tuple[str, str]:
    """Return the folder of the harness that this process imported, and a digest of its sources.

    The digest is made once: a file that changes later is not what this process has executed.
    """
    folder = Path(harness.__file__).parent
    digest = sha256()
    for file in sorted({file for pattern in _OURS for file in folder.rglob(pattern) if file.is_file()}):
        digest.update(f"{file.relative_to(folder)}\0".encode())
        digest.update(sha256(file.read_bytes()).digest())
    return str(folder), digest.hexdigest()
