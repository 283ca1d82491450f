"""Data for real runs that are over quickly."""

from __future__ import annotations

import json
from pathlib import Path

GRIDS = (
    [[1, 2], [3, 4]],
    [[0, 0, 5], [0, 5, 0], [5, 0, 0]],
    [[7]],
)


def write_examples(path: Path, tasks: list[str], count: int = 2) -> Path:
    """Write an examples file in which every output is its input turned to the right."""
    examples = [
        {"input": grid, "output": [list(row) for row in zip(*grid[::-1], strict=True)]} for grid in GRIDS[:count]
    ]
    path.write_text(json.dumps(dict.fromkeys(tasks, examples)))
    return path
