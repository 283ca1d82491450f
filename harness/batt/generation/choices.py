"""Random choices that are the same everywhere."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Random choices that are the same in every Python version: only ``random()`` is promised to be."""

    def __init__(self, *seed: object) -> None:
        """Derive the choices from the text of what is given."""
        self._random = random.Random(" ".join(map(str, seed)))

    def chance(self, probability: float) -> bool:
        """Return True with a probability."""
        return self._random.random() < probability

    def one(self, options: Sequence[T]) -> T:
        """Return one of several."""
        return options[int(self._random.random() * len(options))]

    def some(self, options: Iterable[T], count: int) -> list[T]:
        """Return several, in a random order."""
        left = list(options)
        return [left.pop(int(self._random.random() * len(left))) for _ in range(min(count, len(left)))]
