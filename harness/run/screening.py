"""Programs whose tracing might not end, or harm the process: they are traced in a worker first.

The compiler runs programs in the process that asks for it, and ends a loop there. What Python computes in C it cannot
end: ``sum(range(10**12))``, or ``10**10**10``. A module of nothing but calls of primitives holds none of that.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Sequence
from pathlib import Path

from harness.batt.loader import LoadError, Program, find_files
from harness.dsl import PROGRAM_NAMESPACE
from harness.run.pool import WorkerPool
from harness.run.worker import Job, Span, try_tracing

_HARMLESS = (
    *(ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Lambda, ast.Return, ast.Expr, ast.Assign, ast.AnnAssign),
    *(ast.Import, ast.ImportFrom, ast.alias, ast.Call, ast.keyword, ast.Starred, ast.Name, ast.Constant),
    *(ast.Tuple, ast.List, ast.Set, ast.UnaryOp, ast.USub, ast.expr_context, ast.Pass),
)
_BUILTINS = frozenset(dir(builtins)).difference(PROGRAM_NAMESPACE)


def untraceable(job: Job, programs: Sequence[Program]) -> dict[int, str]:
    """Return which programs are not to be traced in this process, and why.

    Args:
        job: whose workload has these programs, and whose limits hold for each trace.
        programs: those of the workload, in its order.
    """
    doubtful = {module for module in {program.module for program in programs} if not is_harmless(module)}
    first: dict[int, int] = {}  # of each program in doubt: its first evaluation
    for evaluation, (program, _) in enumerate(job.workload.evaluations):
        if programs[program].module in doubtful:
            first.setdefault(program, evaluation)
    if not first:
        return {}
    refused = {}
    with WorkerPool(job, 1) as pool:
        for outcomes in pool.check([Span(e, e + 1) for e in first.values()], try_tracing):
            for outcome in outcomes:
                if outcome.status != "ok":
                    program = job.workload.evaluations[outcome.evaluation][0]
                    code = programs[program].function.__code__
                    where = f"{code.co_filename}:{code.co_firstlineno}"
                    refused[program] = f"untraceable: {where}: while it was traced, {_ending(outcome.error)}"
    return refused


def _ending(error: str | None) -> str:
    return error if error and error.startswith("its process") else f"it {error}"


def is_harmless(module: str) -> bool:
    """Whether a module holds nothing but functions that call primitives and each other.

    Args:
        module: as ``Program.module``.
    """
    try:
        ((_, path),) = find_files(module)
    except (LoadError, OSError, ValueError):
        return False
    return harmless_tree(path) is not None


def harmless_tree(path: Path) -> ast.Module | None:
    """Return the syntax of a file that holds nothing but functions that call primitives and each other; else None."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    return tree if all(map(_is_harmless, ast.walk(tree))) else None


def _is_harmless(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr == "append"  # to a batt's lists
    return isinstance(node, _HARMLESS) and not (isinstance(node, ast.Name) and node.id in _BUILTINS)
