"""Progress bars for long work, quiet where nobody watches."""

from __future__ import annotations

import os
import sys
from typing import Any

from tqdm import tqdm

QUIET = "HARNESS_QUIET"  # environment variable that silences the bars of a notebook run for its file alone


def _watched() -> bool:
    """Whether somebody sees a bar: in a terminal, or in a live notebook."""
    if os.environ.get(QUIET):
        return False
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def progress(total: int, description: str, unit: str) -> tqdm[Any]:
    """Return a bar, to be used in a ``with`` and updated; it leaves nothing behind."""
    return tqdm(total=total, desc=description, unit=unit, unit_scale=True, leave=False, disable=not _watched())
