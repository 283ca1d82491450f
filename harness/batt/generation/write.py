"""Write blocks as the source of a batt module."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Mapping, Sequence
from copy import deepcopy

from harness.batt.generation.choices import Choices
from harness.batt.generation.dialect import respell
from harness.batt.generation.statements import Block, count_operations, names_in
from harness.dsl import constants
from harness.dsl.table import ALIASES

CONSTANTS = frozenset(constants.__all__)


class Writer:
    """Writes blocks one behind the other, with temporaries numbered throughout."""

    def __init__(self, choices: Choices) -> None:
        """Start with nothing written; ``choices`` are of spellings, and of values that others may want."""
        self.choices = choices
        self.lines: list[str] = []
        self.statements = 0
        self.operations = 0
        self.distinct: dict[str, str] = {}
        self._expressions: dict[str, str] = {}

    def write(self, block: Block) -> None:
        """Write a block: each statement, and behind it an entry of s or o where others may want its value."""
        self.lines.append(f"# {block.title}")
        used = {name for statement in block.statements for name in names_in(statement.value)}
        renamed: dict[str, str] = {}
        for statement in block.statements:
            self.statements += 1
            number = self.statements
            name = renamed[statement.name] = f"t{number}"
            value = _renamed(respell(statement, self.choices), renamed)
            self.operations += count_operations(value)
            self._count_distinct(name, value)
            self.lines.append(f"{name} = {ast.unparse(value)}")
            if "function" in statement.kinds:
                continue
            is_output = statement.name == block.output
            solves = is_output and block.solves
            wanted = is_output or statement.name not in used
            if solves or (wanted and statement.kinds == {"grid"}):
                self.lines.append(f"o.append(({number}, {solves}, '{block.task}_t{number}', {name}))")
            elif wanted or self.choices.chance(0.2):
                self.lines.append(f"s.append(({number}, '{block.task}_t{number}', {name}))")

    def module(self, tasks: Sequence[str], whole: int, command: str) -> str:
        """Return the source of the module.

        Args:
            tasks: names of the tasks that it is for.
            whole: how many of their solvers are in it whole.
            command: what makes it.
        """
        about = textwrap.fill(
            f"Made from the solvers of {len(tasks)} tasks, {whole} of which are in it whole: "
            f"{self.operations} operations in {self.statements} statements, "
            f"{len(self.distinct)} of them distinct. Do not edit: it is the output of",
            width=118,
        )
        names = textwrap.fill(", ".join(f'"{name}"' for name in tasks) + ",", width=114)
        return (
            '"""A generated batt.\n\n'
            f"{about}\n\n    {command}\n\n"
            "It fails on no sample of its tasks when C is the sample's own output. Entries of s are (number, name,\n"
            "value); those of o are (number, whether it is what the solver of the named task returns, name, value).\n"
            '"""\n\n'
            "from pile import *\n\n"
            f"TASKS = (\n{textwrap.indent(names, '    ')}\n)\n\n\n"
            "def batt(task_id, S, I, C, log_path):\n"
            "    s = []\n"
            "    o = []\n" + textwrap.indent("\n".join(self.lines), "    ") + "\n    return s, o\n"
        )

    def _count_distinct(self, name: str, value: ast.expr) -> None:
        names = names_in(value)
        resolved = {alias: ALIASES[alias] for alias in names if alias in ALIASES}
        resolved |= {constant: repr(getattr(constants, constant)) for constant in names & CONSTANTS}
        source = ast.unparse(_renamed(value, {**self._expressions, **resolved}))
        self._expressions[name] = self.distinct.setdefault(source, f"e{len(self.distinct)}")


def _renamed(value: ast.expr, names: Mapping[str, str]) -> ast.expr:
    """Return an expression with other names."""
    copy = deepcopy(value)
    for node in ast.walk(copy):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
    return copy
