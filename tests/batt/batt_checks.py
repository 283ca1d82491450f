"""What the tests of the generator share: solver modules to read, and checks of the batts that it makes."""

from __future__ import annotations

import ast
import random
import re
from pathlib import Path

import harness.batt
from harness.batt.generation.trial import samples_of

FOLDER = Path(harness.batt.__file__).parent
SOLVERS = sorted((FOLDER / "solvers").glob("tasks_*.py"))


def solver_module(folder, text, name="mine.py"):
    path = folder / name
    path.write_text("from dsl import *\n\n\n" + text)
    return path


def statements_of(source):
    """Return (name, value) of the assignments to temporaries in a batt."""
    (function,) = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)]
    return [
        (node.targets[0].id, node.value)
        for node in function.body
        if isinstance(node, ast.Assign) and re.fullmatch(r"t\d+", node.targets[0].id)
    ]


def check_on_samples(module, tasks, count):
    """Run a batt on a sample of each of some of its tasks; its entries are numbered, and hold each task's output."""
    rng = random.Random(0)
    for name in rng.sample(module.TASKS, count):
        S, I, C = rng.choice(samples_of([tasks[name]]))  # noqa: E741
        s, o = module.batt(name, S, I, C, None)
        assert s
        assert o
        assert all(int(e[-2].rpartition("_t")[2]) == e[0] and e[-2][:8] in module.TASKS for e in s + o)
        own = [e[-1] for e in o if e[1] and e[2].startswith(name)]
        assert own == [C] or (own == [] and whole_of(module) < len(module.TASKS))


def whole_of(module):
    return int(re.search(r"tasks, (\d+) of which are in it whole", module.__doc__.replace("\n", " "))[1])
