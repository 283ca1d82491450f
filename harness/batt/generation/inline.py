"""Inline solvers: nested calls become statements of one call each."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from harness.batt.generation.statements import VARIABLES, Block, Statement, called_name, parse_expression
from harness.dsl import PROGRAM_NAMESPACE
from harness.dsl.table import ALIASES, ALL

CHECKS_OF_OUTPUT = ("difference_tuple({}, C)", "equality({}, C)")


class NotInlinableError(Exception):
    """A solver that is more than straight-line DSL calls; the message says where and why."""


@dataclass(frozen=True)
class Solver:
    """A solver's source.

    Attributes:
        task: name of its task.
        where: file and line, for messages.
        body: pairs (local name, expression), expressions nested as they were written.
        output: the expression that it returns.
    """

    task: str
    where: str
    body: tuple[tuple[str, ast.expr], ...]
    output: ast.expr


def inline(solver: Solver, replaced: Mapping[ast.expr, ast.expr] | None = None) -> tuple[list[Statement], str]:
    """Return a solver as flat statements, and the name of the temporary with its output.

    Args:
        solver: is left as it is.
        replaced: nodes of the solver's expressions, and what stands in their place.

    Raises:
        NotInlinableError: if it is more than calls, lambdas, names and literals.
    """
    flat = _Flattener(solver.where, replaced or {})
    for name, value in solver.body:
        flat.assign(name, value)
    output = flat.operand(solver.output)
    if isinstance(output, ast.Name) and any(statement.name == output.id for statement in flat.statements):
        return flat.statements, output.id
    raise NotInlinableError(f"{solver.where}: what it returns is not computed by a call")


def solver_block(
    solver: Solver, title: str, *, solves: bool, replaced: Mapping[ast.expr, ast.expr] | None = None
) -> Block:
    """Return a solver inlined, with the checks of its output against the candidate."""
    statements, output = inline(solver, replaced)
    for check in CHECKS_OF_OUTPUT:
        statements.append(Statement(f"t{len(statements) + 1}", parse_expression(check.format(output))))
    return Block(title, solver.task, statements, output, solves)


def check_block(check: str, task: str) -> Block:
    """Return the expression of a check, inlined."""
    statements, _ = inline(Solver(task, check, (), parse_expression(check)))
    return Block(check, task, statements)


class _Flattener:
    """Turns nested calls into statements of one call each, with temporaries t1, t2, ... for what is nested."""

    def __init__(self, where: str, replaced: Mapping[ast.expr, ast.expr]) -> None:
        self.where = where
        self.replaced = replaced
        self.statements: list[Statement] = []
        self.locals: dict[str, ast.expr] = {}

    def assign(self, name: str, value: ast.expr) -> None:
        operand = self.operand(value)
        self.locals[name] = self._emit(operand) if isinstance(operand, ast.Lambda) else operand

    def operand(self, value: ast.expr, bound: frozenset[str] | None = None) -> ast.expr:
        """Return what stands for an expression, once the statements that it needs are emitted.

        Args:
            value: an expression of the solver.
            bound: parameters of the lambdas around it, in which calls stay nested, for they run once per element;
                None outside of lambdas.
        """
        value = self.replaced.get(value, value)
        match value:
            case ast.Call():
                call = self._call(value, bound)
                return self._emit(call) if bound is None else call
            case ast.Lambda(args=args, body=body):
                own = frozenset(argument.arg for argument in args.args)
                if any(name in PROGRAM_NAMESPACE or (name[0] == "t" and name[1:].isdigit()) for name in own):
                    raise NotInlinableError(f"{self.where}: {ast.unparse(value)} takes the name of something else")
                return ast.Lambda(args, self.operand(body, own | (bound or frozenset())))
            case ast.Name(id=name):
                if bound is not None and name in bound:
                    return value
                if name in self.locals:
                    return self.locals[name]
                if name in PROGRAM_NAMESPACE or name in VARIABLES:
                    return value
                raise NotInlinableError(f"{self.where}: {name} is neither of the solver nor of the DSL")
            case ast.Tuple(elts=elements):
                return ast.Tuple([self.operand(element, bound) for element in elements], ast.Load())
            case ast.Constant(value=int() | None) | ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int())):
                return value
        raise NotInlinableError(f"{self.where}: {ast.unparse(value)} is not a DSL call")

    def _call(self, call: ast.Call, bound: frozenset[str] | None) -> ast.Call:
        function = self.operand(call.func, bound)
        return ast.Call(function, [self.operand(argument, bound) for argument in self._by_position(call)], [])

    def _by_position(self, call: ast.Call) -> list[ast.expr]:
        if not call.keywords:
            return call.args
        name = called_name(call)
        row = ALL.get(ALIASES.get(name, name))
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        rest = row.parameters[len(call.args) :] if row else ()
        if set(given) != set(rest):
            raise NotInlinableError(f"{self.where}: {ast.unparse(call)} has keywords that are not a primitive's")
        return [*call.args, *(given[parameter] for parameter in rest)]

    def _emit(self, value: ast.expr) -> ast.Name:
        name = f"t{len(self.statements) + 1}"
        self.statements.append(Statement(name, value))
        return ast.Name(name)
