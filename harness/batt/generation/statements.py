"""Straight-line programs as statements of one call each, and what can be read off their source."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from harness.dsl import PROGRAM_NAMESPACE

VARIABLES = ("S", "I", "C")  # of a batt: the task's train pairs, an input, a candidate output


@dataclass
class Statement:
    """``name = value``, where value is one call of names and literals, or a lambda.

    Attributes:
        name: of the temporary, unique in its block.
        value: the right-hand side.
        kinds: kinds of its value, over the samples tried: see ``kind_of``.
        first_kinds: kinds of the first argument's value, where that is a temporary or a variable of the batt.
        work: cells handled, over the samples tried.
    """

    name: str
    value: ast.expr
    kinds: set[str] = field(default_factory=set)
    first_kinds: set[str] = field(default_factory=set)
    work: int = 0


@dataclass
class Block:
    """Statements that refer to the batt's variables and to each other only.

    Attributes:
        title: a comment that says what they are.
        task: name of the task in whose part they stand.
        statements: in order.
        output: the temporary that holds the solver's output; None for a check.
        solves: whether the output is the solver's own, not a variant's.
    """

    title: str
    task: str
    statements: list[Statement]
    output: str | None = None
    solves: bool = False

    @property
    def source(self) -> str:
        """The right-hand sides: the same for blocks that compute the same in the same way."""
        return "; ".join(ast.unparse(statement.value) for statement in self.statements)

    @property
    def operations(self) -> int:
        """How many DSL calls it has."""
        return sum(count_operations(statement.value) for statement in self.statements)

    @property
    def work(self) -> int:
        """Cells handled, over the samples tried."""
        return sum(statement.work for statement in self.statements)


def parse_expression(source: str) -> ast.expr:
    """Return the syntax tree of an expression."""
    return ast.parse(source, mode="eval").body


def count_operations(tree: ast.AST) -> int:
    """Return how many calls of DSL primitives a piece of source holds, those in lambdas included."""
    return sum(called_name(node) in PROGRAM_NAMESPACE for node in ast.walk(tree))


def called_name(node: ast.AST) -> str:
    """Return the name that a node calls; nothing if it is not the call of a name."""
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def names_in(value: ast.expr) -> set[str]:
    """Return all names that an expression reads."""
    return {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}
