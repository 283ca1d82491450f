"""Suggestions for words that are not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """``"; nearest: ..."`` with the known words that are most like ``word``, or nothing if none is like it."""
    matches = difflib.get_close_matches(word, list(known))
    return f"; nearest: {', '.join(matches)}" if matches else ""
