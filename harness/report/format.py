"""Numbers as people read them: three significant digits, units, and a dash for what was not measured."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import pandas as pd

MISSING = "-"


def is_missing(value: Any) -> bool:
    """Whether ``value`` (a scalar) is None, NaN or another null."""
    return value is None or bool(pd.isna(value))


def _decimals(value: float, digits: int) -> int:
    if not math.isfinite(value) or value == 0:
        return 0
    exponent = math.floor(math.log10(abs(value)))
    # Rounding may carry: 9.996 becomes 10.0, one digit less behind the point.
    exponent = math.floor(math.log10(abs(round(value, digits - 1 - exponent))))
    return digits - 1 - exponent


def _fixed(value: float, decimals: int) -> str:
    return f"{round(value, decimals):,.{max(0, decimals)}f}"


def number(value: Any, digits: int = 3) -> str:
    """``value`` to ``digits`` significant digits, thousands separated."""
    return MISSING if is_missing(value) else _fixed(float(value), _decimals(float(value), digits))


def count(value: Any) -> str:
    """A whole number in full, thousands separated."""
    return MISSING if is_missing(value) else f"{int(value):,}"


def percent(fraction: Any) -> str:
    """A fraction as a percentage: 0.801 is 80.1%."""
    return MISSING if is_missing(fraction) else f"{number(100 * float(fraction))}%"


def counted(number: int, noun: str) -> str:
    """How many there are of a thing: 1 run, 2 runs."""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def confidence_level(confidence: float) -> str:
    """A level of confidence: 0.95 is 95%."""
    return f"{100 * confidence:g}%"


def speedup(ratio: Any) -> str:
    """A ratio of speeds: 1.87x."""
    return MISSING if is_missing(ratio) else f"{number(ratio)}x"


def duration(seconds: Any) -> str:
    """Seconds in the unit that suits: 3.21 µs, 45.6 ms, 1.23 s, 2 min 5 s, 3 h 12 min."""
    if is_missing(seconds):
        return MISSING
    seconds = float(seconds)
    if seconds == 0:
        return "0 s"
    if round(seconds) >= 3600:
        hours, minutes = divmod(round(seconds / 60), 60)
        return f"{hours:,} h {minutes} min"
    # From 59.95 s on, three digits would read 60.0 s.
    if seconds >= 59.95:
        return "{} min {} s".format(*divmod(round(seconds), 60))
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= 0.9995 * scale:
            return f"{number(seconds / scale)} {unit}"
    return f"{number(seconds * 1e9)} ns"


def bounds(value: Any, low: Any, high: Any) -> tuple[str, str, str] | None:
    """``value``, ``low`` and ``high`` with as many decimals as three digits of ``value`` need.

    Up to two more are shown where the bounds would else read the same. None where there are no bounds.
    """
    if any(is_missing(item) for item in (value, low, high)):
        return None
    decimals = _decimals(float(value), 3)
    for extra in range(3):
        texts = tuple(_fixed(float(item), decimals + extra) for item in (value, low, high))
        if len(set(texts)) == 3 or low == high:
            break
    return texts[0], texts[1], texts[2]


def interval(value: Any, low: Any, high: Any, unit: str = "", full_range: bool = False) -> str:
    """``2,130 (2,110 to 2,150)``; ``(range 2,110 to 2,150)`` where the bounds are merely the extremes seen."""
    texts = bounds(value, low, high)
    if texts is None:
        return MISSING if is_missing(value) else f"{number(value)}{unit}"
    kind = "range " if full_range else ""
    return f"{texts[0]}{unit} ({kind}{texts[1]}{unit} to {texts[2]}{unit})"


def memory(size: Any) -> str:
    """Bytes as GiB."""
    return MISSING if is_missing(size) else f"{float(size) / 2**30:.3g} GiB"


def bytes_text(size: Any) -> str:
    """Bytes in the unit that suits: 12 B, 3.40 KiB, 1.25 MiB, 15.1 GiB."""
    if is_missing(size):
        return MISSING
    size = float(size)
    for unit, scale in (("GiB", 2.0**30), ("MiB", 2.0**20), ("KiB", 2.0**10)):
        if size >= scale:
            return f"{number(size / scale)} {unit}"
    return f"{count(size)} B"


def moment(iso: Any) -> str:
    """An ISO-8601 time to the minute: 2025-11-20 02:23 UTC."""
    if is_missing(iso):
        return "date not recorded"
    try:
        time = datetime.fromisoformat(str(iso))
    except ValueError:
        return printable(iso)
    return f"{time:%Y-%m-%d %H:%M} {time:%Z}".rstrip()


def shorten(text: str, limit: int) -> str:
    """``text``, cut to ``limit`` characters with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def visible(text: Any) -> str:
    """``text`` with white space as spaces; what cannot be shown, or would reorder the line (bidi), is U+FFFD.

    Names and errors come from users' modules, so they may hold anything.
    """
    return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in str(text))


def printable(text: Any) -> str:
    """``visible`` text on one line, with single spaces, and none at the ends."""
    return " ".join(visible(text).split())
