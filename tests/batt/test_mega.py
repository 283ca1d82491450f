"""The generated batt that is shipped: harness/batt/mega.py."""

from __future__ import annotations

import ast
import re

import pytest
from batt_checks import FOLDER, check_on_samples, statements_of, whole_of

from harness.batt.generation.statements import count_operations
from harness.batt.loader import execute
from harness.dsl import PROGRAM_NAMESPACE, constants
from harness.dsl.table import ALIASES

MEGA = FOLDER / "mega.py"


@pytest.fixture(scope="module")
def mega():
    return execute(MEGA, "mega")


def distinct_of(source):
    """Return how many different expressions a batt's statements are, counted bottom up as hash-consing does."""
    known, number_of = {}, {}
    for name, value in statements_of(source):
        parts = []
        for node in ast.walk(value):
            if isinstance(node, ast.Name):
                word = ALIASES.get(node.id, node.id)
                parts.append(repr(getattr(constants, word)) if word in constants.__all__ else number_of.get(word, word))
            else:
                parts.append(getattr(node, "arg", None) or f"{type(node).__name__}{getattr(node, 'value', '')!s:.9}")
        number_of[name] = known.setdefault(tuple(map(str, parts)), f"#{len(known)}")
    return len(known)


def test_mega_runs_on_its_tasks_and_holds_their_solutions(mega, tasks):
    assert len(mega.TASKS) == 50
    assert whole_of(mega) >= 40
    check_on_samples(mega, tasks, 25)


def test_mega_has_the_operations_that_its_docstring_says():
    source = MEGA.read_text()
    docstring = ast.get_docstring(ast.parse(source)).replace("\n", " ")
    operations, statements, distinct = map(
        int, re.search(r"(\d+) operations in (\d+) statements, (\d+) of them distinct", docstring).groups()
    )
    assert count_operations(ast.parse(source)) == operations >= 3000
    assert len(statements_of(source)) == statements
    assert distinct_of(source) == distinct < 0.7 * statements
    assert "python -m harness generate --tasks 50 --seed 0 --out FILE" in docstring


def test_mega_is_straight_line():
    (function,) = [n for n in ast.parse(MEGA.read_text()).body if isinstance(n, ast.FunctionDef)]
    assert [argument.arg for argument in function.args.args] == ["task_id", "S", "I", "C", "log_path"]
    assert all(isinstance(node, (ast.Assign, ast.Expr, ast.Return)) for node in function.body)
    known = {*PROGRAM_NAMESPACE, "task_id", "S", "I", "C", "log_path", "s", "o"}
    for node in function.body:
        parameters = {inner.arg for inner in ast.walk(node) if isinstance(inner, ast.arg)}
        read = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        assert read <= known | parameters, ast.unparse(node)
        if isinstance(node, ast.Assign):
            known.add(node.targets[0].id)


def test_mega_has_difference_checks_variants_and_dialect_spellings():
    source = MEGA.read_text()
    values = dict(statements_of(source))

    def expanded(value):
        text = ast.unparse(value)
        for name in sorted({n.id for n in ast.walk(value) if isinstance(n, ast.Name) and n.id in values}, reverse=True):
            text = re.sub(rf"\b{name}\b", lambda _, name=name: expanded(values[name]), text)
        return text

    called = [value for value in values.values() if isinstance(value, ast.Call) and isinstance(value.func, ast.Name)]
    checks = {expanded(value) for value in called if value.func.id.startswith(("difference_tuple", "sizefilter"))}
    assert "difference_tuple(p_g(C), p_g(I))" in checks
    assert any(re.fullmatch(r"sizefilter(_f)?\(o_g\(I, R5\), ONE\)", check) for check in checks)
    names = {value.func.id for value in called}
    assert {"a_mr", "get_color_rank", "get_nth_f", "get_nth_t", "o_g", "mir_rot_t", "p_g"} <= names
    assert len(names & ALIASES.keys()) >= 20
    assert len(re.findall(r"# \w{8}: .* for ", source)) >= 50
