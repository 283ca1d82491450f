"""Frames of results as Markdown, CSV, JSON or LaTeX."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from harness.report.format import MISSING, is_missing, number, printable
from harness.run.schema import VERSION


def _plain(value: Any) -> Any:
    """A value of a frame as JSON has it."""
    if is_missing(value):
        return None
    if isinstance(value, datetime):
        return value.isoformat()
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _read(value: Any) -> str:
    """A value as people read it."""
    value = _plain(value)
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else number(value)
    return printable(value)


def _is_number(frame: pd.DataFrame, column: str) -> bool:
    return pd.api.types.is_numeric_dtype(frame[column]) and not pd.api.types.is_bool_dtype(frame[column])


def as_json(frames: Mapping[str, pd.DataFrame]) -> str:
    """``{"schema": ..., "<frame>": [{column: value}, ...]}``; what was not measured is null."""
    content: dict[str, Any] = {"schema": VERSION}
    for name, frame in frames.items():
        records = frame.to_dict(orient="records")
        content[name] = [{str(key): _plain(value) for key, value in record.items()} for record in records]
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_csv(frames: Mapping[str, pd.DataFrame]) -> str:
    """The rows with a head, in full precision; what was not measured is empty.

    Raises:
        ValueError: there is not exactly one frame.
    """
    if len(frames) != 1:
        raise ValueError(f"CSV holds one table, and {len(frames)} were asked for ({', '.join(frames)})")
    (frame,) = frames.values()
    return str(frame.to_csv(index=False, lineterminator="\n"))


def as_markdown(frames: Mapping[str, pd.DataFrame]) -> str:
    """A heading and a table for each frame; figures to three significant digits."""
    special = "\\`*_[]<>|#&~$"

    def escaped(text: str) -> str:
        return "".join(f"\\{c}" if c in special else c for c in text)

    lines = []
    for name, frame in frames.items():
        rule = ["---:" if _is_number(frame, column) else "---" for column in frame.columns]
        rows = [[escaped(_read(value)) for value in row] for row in frame.itertuples(index=False)]
        head = [escaped(str(column)) for column in frame.columns]
        lines += [f"## {escaped(name)}", "", *(f"| {' | '.join(row)} |" for row in [head, rule, *rows]), ""]
    return "\n".join(lines)


_LATEX = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "|": "\\textbar{}",
}


def as_latex(frames: Mapping[str, pd.DataFrame]) -> str:
    """A ``tabular`` for each frame, with the rules of the package booktabs; figures to three significant digits."""

    def escaped(text: str) -> str:
        return "".join(_LATEX.get(c, c) for c in text)

    lines = []
    for name, frame in frames.items():
        columns = "".join("r" if _is_number(frame, column) else "l" for column in frame.columns)
        rows = [[escaped(_read(value)) for value in row] for row in frame.itertuples(index=False)]
        head = [escaped(str(column)) for column in frame.columns]
        lines += [f"% {printable(name)}; needs \\usepackage{{booktabs}}", f"\\begin{{tabular}}{{{columns}}}"]
        lines += ["\\toprule", " & ".join(head) + " \\\\", "\\midrule", *(" & ".join(row) + " \\\\" for row in rows)]
        lines += ["\\bottomrule", "\\end{tabular}", ""]
    return "\n".join(lines)


FORMATS: dict[str, Callable[[Mapping[str, pd.DataFrame]], str]] = {
    "markdown": as_markdown,
    "csv": as_csv,
    "json": as_json,
    "latex": as_latex,
}
