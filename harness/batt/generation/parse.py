"""Read solvers from source files."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

from harness.batt.generation.inline import NotInlinableError, Solver, inline
from harness.batt.generation.statements import names_in


def parse_solvers(modules: Sequence[Path]) -> dict[str, Solver]:
    """Return the solvers ``solve_<task>`` of source files by task, those only that can be inlined.

    Raises:
        ValueError: if two modules solve the same task, or one is not Python.
    """
    solvers: dict[str, Solver] = {}
    for path in modules:
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            raise ValueError(f"{path}:{error.lineno}: {error.msg}: the module is not valid Python") from error
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("solve_"):
                where = f"{path.name}:{node.lineno}"
                task = node.name.removeprefix("solve_")
                if task in solvers:
                    raise ValueError(f"{where}: task {task} has a solver already, at {solvers[task].where}: remove one")
                try:
                    solver = _parse_solver(node, task, where)
                    inline(solver)
                except NotInlinableError:
                    continue
                solvers[task] = solver
    return solvers


def _parse_solver(function: ast.FunctionDef, task: str, where: str) -> Solver:
    if len(function.args.args) != 1:
        raise NotInlinableError(f"{where}: a solver takes one argument")
    parameter = function.args.args[0].arg
    body: list[tuple[str, ast.expr]] = [(parameter, ast.Name("I"))] if parameter != "I" else []
    for node in function.body:
        match node:
            case ast.Expr(value=ast.Constant()):  # the docstring
                continue
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                body.append((name, value))
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(values):
                earlier = {name.id for name in names if isinstance(name, ast.Name)}
                if len(earlier) < len(names) or any(names_in(value) & earlier for value in values):
                    raise NotInlinableError(f"{where}: line {node.lineno} assigns to what it reads")
                body += [(ast.unparse(name), value) for name, value in zip(names, values, strict=True)]
            case ast.Return(value=ast.expr() as output):
                return Solver(task, where, tuple(body), output)
            case _:
                raise NotInlinableError(f"{where}: line {node.lineno} is not a plain assignment")
    raise NotInlinableError(f"{where}: nothing is returned")
