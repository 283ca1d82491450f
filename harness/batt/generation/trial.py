"""Try statements on samples: which of them succeed on all, what kinds of values they have, what work they do."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any

from harness.batt.generation.kinds import kind_of
from harness.batt.generation.statements import VARIABLES, Block, Statement, names_in
from harness.batt.generation.work import WorkMeter, count_cells
from harness.samples import Task

Arguments = tuple[Any, Any, Any]
"""What a batt is given of a sample: S, I, C."""


def samples_of(tasks: Iterable[Task]) -> list[Arguments]:
    """Return (S, I, C) for each sample that has an output, which is C; S are the task's train pairs."""
    found = []
    for task in tasks:
        pairs = tuple((sample.input, sample.output) for sample in task.train)
        found += [(pairs, sample.input, sample.output) for sample in task.samples if sample.output is not None]
    return found


class Trial:
    """Runs statements on samples, with a DSL that stops where there is too much work."""

    def __init__(self, samples: Sequence[Arguments]) -> None:
        """Take the samples."""
        self.samples = samples
        self.meter = WorkMeter()

    def survivors(self, block: Block, at_least: int = 0) -> Block:
        """Return the block without the statements that fail on a sample, or that need one which does.

        Args:
            block: its statements' kinds and work are filled in.
            at_least: number of statements; where fewer are left, the other samples are not tried.
        """
        alive = _compiled(block)
        for sample in self.samples:
            alive = self._succeeding(alive, sample)
            if len(alive) < at_least:
                break
        statements = [each.statement for each in alive]
        output = block.output if any(statement.name == block.output for statement in statements) else None
        return Block(block.title, block.task, statements, output, block.solves and output is not None)

    def total_on(self, block: Block) -> list[bool]:
        """Return for each sample whether no statement of a block fails on it."""
        compiled = _compiled(block)
        return [len(self._succeeding(compiled, sample, whole=True)) == len(compiled) for sample in self.samples]

    def _succeeding(self, compiled: list[_Compiled], sample: Arguments, whole: bool = False) -> list[_Compiled]:
        """Return the statements that succeed on a sample; ``whole``: only those before the first that does not."""
        variables = {**self.meter.namespace, **dict(zip(VARIABLES, sample, strict=True))}
        kinds = {"S": "tuple", "I": "grid", "C": "grid"}
        succeeding = []
        for each in compiled:
            if each.needs <= kinds.keys() and self._succeeds(each, variables, kinds):
                succeeding.append(each)
            elif whole:
                break
        return succeeding

    def _succeeds(self, each: _Compiled, variables: dict[str, Any], kinds: dict[str, str]) -> bool:
        self.meter.work = 0
        try:
            value = eval(each.code, variables)
            cells, leaves = count_cells(value)
        except Exception:  # whatever a primitive raises outside its domain
            return False
        statement = each.statement
        variables[statement.name] = value
        statement.work += self.meter.work + cells
        kinds[statement.name] = kind_of(value, leaves)
        statement.kinds.add(kinds[statement.name])
        if each.first_argument:
            statement.first_kinds.add(kinds[each.first_argument])
        return True


@dataclass(frozen=True)
class _Compiled:
    """A statement's code, the temporaries that it needs, and its first argument, where that is a variable."""

    statement: Statement
    code: CodeType
    needs: frozenset[str]
    first_argument: str


def _compiled(block: Block) -> list[_Compiled]:
    temporaries = {statement.name for statement in block.statements}
    compiled = []
    for statement in block.statements:
        value = statement.value
        code = compile(ast.unparse(value), block.title, "eval")
        first = value.args[0] if isinstance(value, ast.Call) and value.args else None
        variable = first.id if isinstance(first, ast.Name) and first.id in {*temporaries, *VARIABLES} else ""
        compiled.append(_Compiled(statement, code, frozenset(names_in(value) & temporaries), variable))
    return compiled
