"""The hand-written batt: it runs on every training task, and does the operations that it is there for."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import harness.batt
from harness.batt.generation.statements import count_operations
from harness.batt.generation.trial import samples_of
from harness.batt.loader import load_programs
from harness.dsl import PROGRAM_NAMESPACE, numcolors
from harness.dsl.table import ALIASES

PATH = Path(harness.batt.__file__).with_name("gpu_operations.py")


@pytest.fixture(scope="module")
def batt():
    programs, rejected = load_programs([str(PATH)])
    assert not rejected
    (program,) = programs
    assert program.kind == "batt"
    return program.function


def entry(entries, name):
    (value,) = [e[-1] for e in entries if e[1] == name]
    return value


def test_has_the_operations_that_dominate_real_programs():
    tree = ast.parse(PATH.read_text())
    assert 80 <= count_operations(tree) <= 200
    source = ast.unparse(tree)
    for turn in ("hmirror", "dmirror", "vmirror", "cmirror", "rot90", "rot180", "rot270"):
        assert f"mapply({turn}, inputs)" in source
    for kind in range(8):
        assert f"o_g(I, R{kind})" in source
        assert f"o_g(C, R{kind})" in source
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    called = {ALIASES.get(name, name) for name in names if name in PROGRAM_NAMESPACE}
    assert {"compose", "fork", "rbind", "lbind", "sizefilter", "colorfilter", "shift", "normalize"} <= called
    assert {"occurrences", "difference_tuple", "a_mr", "get_color_rank", "get_nth_f", "get_nth_t"} <= called
    assert source.count("lambda") >= 5


def test_is_straight_line():
    (function,) = [n for n in ast.parse(PATH.read_text()).body if isinstance(n, ast.FunctionDef)]
    assert all(isinstance(node, (ast.Assign, ast.Expr, ast.Return)) for node in function.body)
    assert not [n for n in ast.walk(function) if isinstance(n, (ast.IfExp, ast.BinOp, ast.Compare, ast.ListComp))]


def richness(sample):
    _, grid, _ = sample
    return numcolors(grid), len(grid) * len(grid[0])


@pytest.mark.parametrize("part", range(2))  # so that two workers can share it
def test_runs_on_the_plainest_and_the_richest_sample_of_every_training_task(batt, tasks, part):
    # All 1,718 samples take twice as long. What fails, fails by task, above all on grids of few colours and cells.
    entries = set()
    for task in list(tasks.values())[part::2]:
        samples = sorted(samples_of([task]), key=richness)
        for S, I, C in (samples[0], samples[-1]):  # noqa: E741
            s, o = batt(task.name, S, I, C, None)
            entries.add((tuple(e[1] for e in s), tuple(e[1] for e in o)))
            assert entry(s, "inputs") == tuple(sample.input for sample in task.train)
            assert entry(o, "rot90 twice") == entry(o, "rot180")
    assert len(entries) == 1
    ((in_s, in_o),) = entries
    assert len(set(in_s)) == len(in_s) >= 60
    assert len(set(in_o)) == len(in_o) >= 20


def test_values_by_example(batt):
    source, goal = ((1, 0), (0, 2)), ((0, 1), (2, 0))
    s, o = batt("none", ((source, goal),), source, goal, None)
    assert entry(s, "rot90") == ((0, 1), (2, 0))
    assert entry(s, "kind") == 2  # vmirror is the least kind that makes the output
    assert entry(s, "sizes 5") == (2, 2)
    assert entry(s, "single cells") == frozenset({frozenset({(1, (0, 0))}), frozenset({(2, (1, 1))})})
    assert entry(s, "new colours") == ()
    assert entry(s, "new cells") == frozenset({(0, (0, 0)), (1, (0, 1)), (2, (1, 0)), (0, (1, 1))})
    assert entry(s, "is a mirror image") is True
    assert entry(o, "without single cells") == ((0, 0), (0, 0))
    assert entry(o, "two by two") == ((1, 0, 0, 1), (0, 2, 2, 0), (0, 2, 2, 0), (1, 0, 0, 1))
