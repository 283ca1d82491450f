"""The table of all primitives, from which tests, documentation and the compiler read.

A primitive's row is made from its one definition: name and parameters from the function, the family from the
module that lists it in ``__all__`` (``FAMILIES`` names the modules), the summary from the docstring's first line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from harness.dsl import colours, components, containers, dialect, functions, grids, numbers, patches

SUFFIXES = ("_t", "_f", "_i", "_o")


@dataclass(frozen=True)
class Primitive:
    """A row of the table.

    Attributes:
        name: as programs call it.
        parameters: names, in order.
        family: a heading of docs/primitives.md, lower case.
        summary: one line that says what the result is.
        function: the reference implementation.
    """

    name: str
    parameters: tuple[str, ...]
    family: str
    summary: str
    function: Callable[..., Any]

    @property
    def arity(self) -> int:
        """How many arguments the primitive takes."""
        return len(self.parameters)


FAMILIES: dict[str, ModuleType] = {
    "numbers": numbers,
    "containers": containers,
    "functions": functions,
    "colours": colours,
    "patches": patches,
    "objects": components,
    "grids": grids,
    "dialect": dialect,
}


def _rows(family: str) -> list[Primitive]:
    rows = []
    module = FAMILIES[family]
    for name in module.__all__:
        function = getattr(module, name)
        code = function.__code__
        rows.append(
            Primitive(
                name=name,
                parameters=code.co_varnames[: code.co_argcount],
                family=family,
                summary=(function.__doc__ or "").partition("\n")[0],
                function=function,
            )
        )
    return rows


ALL: dict[str, Primitive] = {row.name: row for family in FAMILIES for row in _rows(family)}
PRIMITIVES: dict[str, Primitive] = {name: row for name, row in ALL.items() if row.family != "dialect"}
DIALECT: dict[str, Primitive] = {name: row for name, row in ALL.items() if row.family == "dialect"}
# Suffixed names of the dialect, such as size_f or merge_t, each the generic primitive.
ALIASES: dict[str, str] = {name + suffix: name for name in ALL for suffix in SUFFIXES if name + suffix not in ALL}
