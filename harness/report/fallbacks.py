"""What a mode left to the reference, in words."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePath
from typing import Any

import pandas as pd

from harness.report.format import MISSING, count, is_missing, printable, shorten

MOST_REASONS = 3
"""Reasons for falling back that are named."""


def fell_back_text(row: pd.Series[Any]) -> str:
    """How many evaluations of a row of ``mode_table`` the reference did for the mode, and the most common reasons."""
    if is_missing(row["fell_back"]):
        return MISSING
    if not row["fell_back"]:
        return f"0 of {count(row['first_calls'])}"
    reasons: Counter[str] = Counter()
    for reason, times in (row["fell_back_reasons"] or {}).items():
        reasons[_short_reason(reason)] += times
    most = reasons.most_common(MOST_REASONS)
    parts = [f"{reason} {count(times)}" for reason, times in most]
    rest = reasons.total() - sum(times for _, times in most)
    parts += [f"others {count(rest)}"] if rest else []
    total = f"{count(row['fell_back'])} of {count(row['first_calls'])}"
    return f"{total}: {', '.join(parts)}" if parts else total


def _short_reason(reason: str) -> str:
    """A reason without what is between a source line and its end, or the folders of the file."""
    found = re.match(r"(untraceable): (.*?):(\d+): ", reason)
    if not found:
        return shorten(printable(reason), 80)
    kind, file, line = found.groups()
    return printable(f"{kind} {PurePath(file).name}:{line}")
