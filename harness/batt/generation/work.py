"""Count the work of statements, in cells handled, and stop those that would take too long or too much memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from harness.dsl import PROGRAM_NAMESPACE
from harness.dsl.table import ALIASES, ALL, Primitive

MOST_CELLS = 20_000  # in one value
MOST_WORK = 200_000  # of one statement, in cells handled: some 20 ms
CALL_WORK = 10  # what a call costs beside the cells that it handles


class TooMuchWorkError(Exception):
    """A statement handles more cells, or makes a larger value, than is allowed."""


def count_cells(value: Any) -> tuple[int, set[type]]:
    """Return how many leaves a value has, and their types.

    Raises:
        TooMuchWorkError: if there are more than MOST_CELLS, or numbers as large as no grid asks for.
    """
    leaves: set[type] = set()
    count = 0
    level: Sequence[Any] = (value,)
    while level:
        types = set(map(type, level))
        inner = [v for v in level if type(v) in (tuple, frozenset)] if types & {tuple, frozenset} else []
        count += len(level) - len(inner)
        if count + sum(map(len, inner)) > MOST_CELLS:
            raise TooMuchWorkError(f"a value of more than {MOST_CELLS} cells")
        leaves |= types - {tuple, frozenset}
        level = list(chain.from_iterable(inner))
    if type(value) is int and abs(value) > MOST_CELLS:
        raise TooMuchWorkError(f"a number beyond {MOST_CELLS}")
    return count, leaves


def _size(value: Any) -> int:
    """Return about how many cells a value has, from its elements' lengths alone."""
    if not isinstance(value, (tuple, frozenset)):
        return 0
    try:
        return sum(map(len, value))
    except TypeError:
        return len(value)


# Work of the primitives whose work is not about the size of what they are given.
WORK: dict[str, Callable[..., int]] = {
    "canvas": lambda value, dimensions: dimensions[0] * dimensions[1],
    "connect": lambda a, b: abs(a[0] - b[0]) + abs(a[1] - b[1]),
    "gravitate": lambda source, destination: 42 * (_size(source) + _size(destination)),
    "hupscale": lambda grid, factor: _size(grid) * factor,
    "interval": lambda start, stop, step: abs((stop - start) // step),
    "manhattan": lambda a, b: len(a) * len(b),
    "o_g": lambda grid, kind: 20 * _size(grid),
    "objects": lambda grid, univalued, diagonal, without_bg: 20 * _size(grid),
    "occurrences": lambda grid, obj: _size(grid) * (len(obj) // 8 + 1),
    "prapply": lambda function, a, b: len(a) * len(b),
    "product": lambda a, b: len(a) * len(b),
    "repeat": lambda item, num: num,
    "upscale": lambda element, factor: _size(element) * factor * factor,
    "vupscale": lambda grid, factor: _size(grid) * factor,
}


class WorkMeter:
    """A DSL whose primitives count the work that they do, and refuse where it is too much.

    Attributes:
        work: cells handled since it was last set to 0.
        namespace: what programs see: the counting primitives under all their names, constants and types.
    """

    def __init__(self) -> None:
        """Start at 0."""
        self.work = 0
        counting = {name: self._counting(row) for name, row in ALL.items()}
        aliases = {alias: counting[name] for alias, name in ALIASES.items()}
        self.namespace: dict[str, Any] = {**PROGRAM_NAMESPACE, **counting, **aliases}

    def _counting(self, row: Primitive) -> Callable[..., Any]:
        work_of = WORK.get(row.name)

        def run(*arguments: Any) -> Any:
            self.work += CALL_WORK + (work_of(*arguments) if work_of else sum(map(_size, arguments)))
            if self.work > MOST_WORK:
                raise TooMuchWorkError(f"more than {MOST_WORK} cells handled")
            return row.function(*arguments)

        # rbind and lbind ask a function for its number of parameters, so it has to have those of the primitive.
        parameters = ", ".join(row.parameters)
        counting: Callable[..., Any] = eval(f"lambda {parameters}: run({parameters})", {"run": run})
        return counting
