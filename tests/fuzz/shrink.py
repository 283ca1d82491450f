"""Shrinks a difference to a small program and a small grid, and writes it as a test."""

from __future__ import annotations

import ast
import copy
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from harness import Engine
from harness.dsl.types import Grid
from tests.fuzz.differential import DROPPED, FAILURE, Difference, Differential, Tally
from tests.fuzz.programs import Statement, dependencies, statement

_SIMPLER = ("x0", "0", "()", "frozenset()", "(0, 0)")
_LONGEST_LITERAL = 2000


class Shrinker:
    """Makes a difference smaller as long as it stays one."""

    def __init__(
        self, difference: Difference, engine: Callable[[], Engine] = Engine, most_attempts: int = 2000
    ) -> None:
        """Prepare it.

        Args:
            difference: that was found.
            engine: makes the engine that is wrong.
            most_attempts: evaluations that it may take.
        """
        self.difference = difference
        self._engine = engine
        self._attempts = most_attempts

    def run(self) -> Difference:
        """Return the smallest difference that is found; the one that was given if it does not show again."""
        first = self._check(self.difference.statements, self.difference.number, self.difference.grid)
        if first is None:
            return self.difference
        self.difference = first
        before = None
        while before != (self.difference.source, self.difference.grid) and self._attempts > 0:
            before = (self.difference.source, self.difference.grid)
            self._take_earlier_output()
            self._keep_needed()
            self._shrink_grid()
            self._shrink_statements()
        return self.difference

    def _check(self, statements: Sequence[Statement], number: int, grid: Grid) -> Difference | None:
        """Return the difference that a program and a grid still show."""
        self._attempts -= 1
        tally = Tally()
        try:
            with Differential([grid], self._engine) as differential:
                differential.compare([statements], [0], self.difference.merged, tally, only=number)
        except (AssertionError, SyntaxError, RecursionError):  # the module cannot be loaded
            return None
        return tally.differences[0] if tally.differences else None

    def _take(self, statements: Sequence[Statement], number: int, grid: Grid) -> bool:
        found = self._check(statements, number, grid) if self._attempts > 0 else None
        if found is not None:
            self.difference = found
        return found is not None

    def _take_earlier_output(self) -> None:
        """Return an earlier value, if that shows a difference too."""
        statements, number = self.difference.statements, self.difference.number
        any(self._take(statements, k, self.difference.grid) for k in range(number))

    def _keep_needed(self) -> None:
        """Drop the statements that the output does not need."""
        statements, number = self.difference.statements, self.difference.number
        kept = sorted(dependencies(statements, number))
        names = {old: new for new, old in enumerate(kept)}
        texts = [_renamed(statements[k].text, names) for k in kept]
        self._take(
            [statement(text, statements[k].kind) for text, k in zip(texts, kept, strict=True)],
            names[number],
            self.difference.grid,
        )

    def _shrink_grid(self) -> None:
        """Drop rows and columns, many and then few, and then colours."""
        for turned in (False, True):
            size = 16
            while size:
                at = 0
                while at < len(_turned(self.difference.grid, turned)):
                    rows = _turned(self.difference.grid, turned)
                    rest = rows[:at] + rows[at + size :]
                    if not rest or not self._take_grid(_turned(rest, turned)):
                        at += size
                size //= 2
        for i, row in enumerate(self.difference.grid):
            for j, colour in enumerate(row):
                if colour:
                    grid = self.difference.grid
                    cleared = (*grid[i][:j], 0, *grid[i][j + 1 :])
                    self._take_grid((*grid[:i], cleared, *grid[i + 1 :]))

    def _take_grid(self, grid: Grid) -> bool:
        return self._take(self.difference.statements, self.difference.number, grid)

    def _shrink_statements(self) -> None:
        """Put literals and parts of expressions in place of expressions, the last statement first."""
        for k in range(self.difference.number, 0, -1):
            again = True
            while again and self._attempts > 0:
                again = any(self._take_text(k, text) for text in self._simpler(k))

    def _take_text(self, k: int, text: str) -> bool:
        old = self.difference.statements
        changed = [*old[:k], statement(text, old[k].kind), *old[k + 1 :]]
        return self._take(changed, self.difference.number, self.difference.grid)

    def _simpler(self, k: int) -> Iterator[str]:
        own = self.difference.statements[k]
        if k != self.difference.number and own.uses:
            literal = self._literal(k)
            if literal is not None and len(literal) <= _LONGEST_LITERAL:
                yield literal
        yield from simpler_expressions(own.text)

    def _literal(self, k: int) -> str | None:
        """Return the value of a statement, as the reference has it."""
        statements, grid = self.difference.statements, self.difference.grid
        with Differential([grid], self._engine) as differential:
            (reference,) = differential.references([statements])
            value = reference.values(grid)[k]
        if value is FAILURE or value is DROPPED:
            return None
        text = repr(value)
        try:
            ast.parse(text, mode="eval")
        except SyntaxError:  # a function, or a container of some
            return None
        return text


def simpler_expressions(text: str) -> list[str]:
    """Return expressions with one part replaced by a part of that part, or by something very simple; shortest first."""
    tree = ast.parse(text, mode="eval")
    parts = _expressions(tree)
    found = set()
    for number, part in enumerate(parts):
        inner = _expressions(part)
        for other in [*inner[1:], *[ast.parse(simple, mode="eval").body for simple in _SIMPLER]]:
            if len(_expressions(other)) < len(inner) or (len(inner) == 1 and isinstance(part, ast.Name)):
                found.add(_with(tree, number, other))
    return sorted(found - {ast.unparse(tree)}, key=len)


def _expressions(tree: ast.AST) -> list[ast.expr]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.expr)]


def _with(tree: ast.Expression, number: int, part: ast.expr) -> str:
    """Return an expression with another part in a place."""
    changed = copy.deepcopy(tree)
    target = _expressions(changed)[number]

    class Put(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return copy.deepcopy(part) if node is target else self.generic_visit(node)

    return ast.unparse(Put().visit(changed))


def _renamed(text: str, names: dict[int, int]) -> str:
    tree = ast.parse(text, mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id[0] == "x" and node.id[1:].isdigit():
            node.id = f"x{names[int(node.id[1:])]}"
    return ast.unparse(tree)


def _turned(grid: Grid, turned: bool) -> Grid:
    return tuple(zip(*grid, strict=True)) if turned else grid


def as_test(difference: Difference) -> str:
    """Return a difference as a test, to be put into ``tests/fuzz/test_odd_values.py``."""
    texts = [difference.statements[k].text for k in range(1, difference.number + 1)]
    return "\n".join(
        [
            f"def test_{zlib.crc32(difference.source.encode()):08x}() -> None:",
            f"    # The reference: {str(difference.expected)[:90]}; the machine: {str(difference.found)[:90]}.",
            f"    assert_agrees({difference.grid!r}, {texts!r})",
        ]
    )


def shrink(difference: Difference, engine: Callable[[], Engine] = Engine) -> Difference:
    """Return a smaller difference; one that only shows when programs are merged stays so."""
    alone = Shrinker(replace(difference, merged=False), engine).run()
    return alone if not alone.merged and _is_smaller(alone, difference) else Shrinker(difference, engine).run()


def _is_smaller(a: Difference, b: Difference) -> bool:
    return len(a.source) + len(str(a.grid)) < len(b.source) + len(str(b.grid))
