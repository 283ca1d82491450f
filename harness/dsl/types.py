"""Names of the DSL's value types, as solver modules use them in annotations.

The names are those of the public ARC-DSL, whose ``dsl`` module also hands on the ``typing`` names below.
"""

from collections.abc import Callable, Iterable
from typing import Any, FrozenSet, List, Tuple, Union

Boolean = bool
Integer = int
IntegerTuple = tuple[int, int]
Numerical = int | IntegerTuple
IntegerSet = frozenset[int]
Grid = tuple[tuple[int, ...], ...]
Cell = tuple[int, IntegerTuple]
Object = frozenset[Cell]
Objects = frozenset[Object]
Indices = frozenset[IntegerTuple]
IndicesSet = frozenset[Indices]
Patch = Object | Indices
Element = Object | Grid
Piece = Grid | Patch
TupleTuple = tuple[tuple[Any, ...], ...]
Container = tuple[Any, ...] | frozenset[Any]
ContainerContainer = tuple[Container, ...] | frozenset[Container]

__all__ = [
    "Any",
    "Boolean",
    "Callable",
    "Cell",
    "Container",
    "ContainerContainer",
    "Element",
    "FrozenSet",
    "Grid",
    "Indices",
    "IndicesSet",
    "Integer",
    "IntegerSet",
    "IntegerTuple",
    "Iterable",
    "List",
    "Numerical",
    "Object",
    "Objects",
    "Patch",
    "Piece",
    "Tuple",
    "TupleTuple",
    "Union",
]
