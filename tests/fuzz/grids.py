"""Random grids: of all sizes, from one colour to noise."""

from __future__ import annotations

import random

from harness.dsl.types import Grid

MOST_SIDE = 30
_KINDS = ("uniform", "sparse", "noise", "boxes", "boxes", "lines", "tiled", "symmetric")


def random_grid(rng: random.Random) -> Grid:
    """Return a grid of 1x1 to 30x30 colours 0-9; small ones more often, as what they show is found sooner."""
    most = rng.choice((3, 6, 6, 10, 10, 14, MOST_SIDE))
    h, w = rng.randint(1, most), rng.randint(1, most)
    if rng.random() < 0.3:
        w = h
    colours = rng.sample(range(10), rng.randint(2, 5))
    rows = [[colours[0]] * w for _ in range(h)]
    _FILLS[rng.choice(_KINDS)](rng, rows, colours)
    return tuple(map(tuple, rows))


def noise(rng: random.Random, side: int = MOST_SIDE) -> Grid:
    """Return a square grid of all colours, with hundreds of objects if it is large."""
    return tuple([tuple([rng.randrange(10) for _ in range(side)]) for _ in range(side)])


def _uniform(rng: random.Random, rows: list[list[int]], colours: list[int]) -> None:
    """Leave the one colour that there is."""


def _scatter(rng: random.Random, rows: list[list[int]], colours: list[int], share: float) -> None:
    for row in rows:
        for k in range(len(row)):
            if rng.random() < share:
                row[k] = rng.choice(colours)


def _sparse(rng: random.Random, rows: list[list[int]], colours: list[int]) -> None:
    _scatter(rng, rows, colours, 0.1)


def _noise(rng: random.Random, rows: list[list[int]], colours: list[int]) -> None:
    _scatter(rng, rows, colours, 1.0)


def _boxes(rng: random.Random, rows: list[list[int]], colours: list[int]) -> None:
    h, w = len(rows), len(rows[0])
    for _ in range(rng.randint(1, 5)):
        top, left = rng.randrange(h), rng.randrange(w)
        bottom, right = min(h, top + rng.randint(1, 5)), min(w, left + rng.randint(1, 5))
        colour, hollow = rng.choice(colours), rng.random() < 0.4
        for i in range(top, bottom):
            for j in range(left, right):
                if not hollow or i in (top, bottom - 1) or j in (left, right - 1):
                    rows[i][j] = colour


def _lines(rng: random.Random, rows: list[list[int]], colours: list[int]) -> None:
    _sparse(rng, rows, colours)
    for _ in range(rng.randint(1, 3)):
        if rng.random() < 0.5:
            rows[rng.randrange(len(rows))][:] = [rng.choice(colours)] * len(rows[0])
        else:
            column, colour = rng.randrange(len(rows[0])), rng.choice(colours)
            for row in rows:
                row[column] = colour


def _tiled(rng: random.Random, rows: list[list[int]], colours: list[int]) -> None:
    down, across = rng.randint(1, 4), rng.randint(1, 4)
    tile = [[rng.choice(colours) for _ in range(across)] for _ in range(down)]
    for i, row in enumerate(rows):
        row[:] = [tile[i % down][j % across] for j in range(len(row))]


def _symmetric(rng: random.Random, rows: list[list[int]], colours: list[int]) -> None:
    _boxes(rng, rows, colours)
    for row in rows:
        row[len(row) - len(row) // 2 :] = reversed(row[: len(row) // 2])


_FILLS = {
    "uniform": _uniform,
    "sparse": _sparse,
    "noise": _noise,
    "boxes": _boxes,
    "lines": _lines,
    "tiled": _tiled,
    "symmetric": _symmetric,
}
