"""Count and time the primitives that a program calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from types import FunctionType
from typing import Any

from harness.dsl.table import ALIASES, ALL


class Counts:
    """Calls and self time of each primitive, since the last ``clear``."""

    def __init__(self) -> None:
        self._rows: dict[str, list[float]] = {name: [0, 0.0] for name in ALL}
        self.inner: list[float] = [0.0]  # for each call under way, the time spent in calls that it made

    def clear(self) -> None:
        """Forget what was counted."""
        for row in self._rows.values():
            row[0], row[1] = 0, 0.0
        self.inner[:] = [0.0]

    def row(self, name: str) -> list[float]:
        """Return the [calls, seconds] that a primitive's calls are added to."""
        return self._rows[name]

    def by_primitive(self) -> dict[str, tuple[int, float]]:
        """Return (calls, seconds in the primitive itself) of each primitive that was called."""
        return {name: (int(calls), seconds) for name, (calls, seconds) in self._rows.items() if calls}


def instrument(namespace: Mapping[str, Any], counts: Counts) -> dict[str, Any]:
    """Return a namespace whose primitives add to ``counts``; aliases count as the primitive that they name.

    Time in functions that a primitive is given and calls (``apply``, ``sfilter``, ...) is not its own.
    """
    counted = {name: _counted(row.function, row.parameters, counts, name) for name, row in ALL.items()}
    counted |= {alias: counted[name] for alias, name in ALIASES.items()}
    return {**namespace, **counted}


def _counted(function: Callable[..., Any], parameters: tuple[str, ...], counts: Counts, name: str) -> FunctionType:
    """Wrap a primitive in a function of the same parameters, since ``rbind`` and ``lbind`` go by their number."""
    row, inner = counts.row(name), counts.inner

    def call(*arguments: Any) -> Any:
        inner.append(0.0)
        start = perf_counter()
        try:
            return function(*arguments)
        finally:
            spent = perf_counter() - start
            row[0] += 1
            row[1] += spent - inner.pop()
            inner[-1] += spent

    names = ", ".join(parameters)
    wrapped: FunctionType = eval(f"lambda {names}: call({names})", {"call": call})
    wrapped.__name__ = wrapped.__qualname__ = name
    return wrapped
