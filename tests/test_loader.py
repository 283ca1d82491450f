"""The loader runs users' modules unchanged, with our DSL behind their imports, and says what is wrong with the others.

Each test writes real modules, and loads them as `check` and `run` do.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path

import pytest

from harness import dsl
from harness.batt.loader import OUR_MODULES, LoadError, Program, execute, load_programs
from harness.dsl import PROGRAM_NAMESPACE
from harness.measure.sources import sources_of

GRID = ((1, 2), (3, 4))
TURNED = ((3, 1), (4, 2))


@pytest.fixture(autouse=True)
def _no_trace_in_sys_modules():
    """Whatever a test loads: nobody else sees our DSL under a name that programs know."""
    yield
    assert not {"dsl", "constants", "arc_types", "pile"} & set(sys.modules)


def write(folder: Path, **sources: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    return folder


def load_one(*references: str | Path) -> Program:
    programs, rejected = load_programs(str(reference) for reference in references)
    assert rejected == []
    assert len(programs) == 1
    return programs[0]


def load_rejected(*references: str | Path):
    programs, rejected = load_programs(str(reference) for reference in references)
    assert programs == []
    assert len(rejected) == 1
    return rejected[0]


@pytest.mark.parametrize(
    "source",
    [
        "from dsl import *\nfrom constants import *\nfrom arc_types import *\ndef solve_a(I: Grid) -> Grid:\n"
        "    return rot90(I) if ONE == 1 else None",
        "from pile import *\ndef solve_a(I):\n    return rot90(I) if TWO == 2 else None",
        "import dsl\ndef solve_a(I):\n    return dsl.rot90(I)",
        "import dsl as d, constants as c\ndef solve_a(I):\n    return d.rot90(I) if c.F is False else None",
        "from dsl import rot90, hmirror\nfrom arc_types import Grid, Callable\ndef solve_a(I):\n    return rot90(I)",
        "from harness.dsl import *\ndef solve_a(I):\n    return rot90(I)",
        "from . import dsl\ndef solve_a(I):\n    return dsl.rot90(I)",
        "from .dsl import *\ndef solve_a(I):\n    return rot90(I)",
        "def solve_a(I):\n    from dsl import rot90\n    return rot90(I)",
        "from dsl import *\nsolve_a = compose(rot90, identity)",
        "from dsl import *\ndef solve_a(I):\n    return rot90(grid=I)",
        "import numpy, json.decoder\nfrom os import path\nfrom dsl import *\ndef solve_a(I):\n    return rot90(I)",
    ],
    ids=lambda source: source.splitlines()[0][:60],
)
def test_every_way_to_import_the_dsl_gives_ours(tmp_path, source):
    program = load_one(write(tmp_path, mine=source) / "mine.py")
    assert (program.name, program.kind, program.task) == ("solve_a", "solver", "a")
    assert program.function(GRID) == TURNED


def test_star_import_gives_exactly_the_program_namespace(tmp_path):
    write(tmp_path, mine="from dsl import *\ndef solve_a(I):\n    return rot90(I)")
    module = execute(tmp_path / "mine.py", "mine")
    assert {name: vars(module)[name] for name in PROGRAM_NAMESPACE} == PROGRAM_NAMESPACE


def test_a_namespace_that_is_given_is_used_wherever_the_dsl_is_imported(tmp_path):
    calls = []

    def counted(grid):
        calls.append(grid)
        return dsl.rot90(grid)

    write(
        tmp_path,
        mine="from dsl import *\nimport dsl, helper\nfrom harness.dsl import rot90 as other\n"
        "def solve_a(I):\n    return other(dsl.rot90(helper.turn(rot90(I))))",
        helper="from pile import *\ndef turn(grid):\n    return rot90(grid)",
    )
    (program,), _ = load_programs([str(tmp_path / "mine.py")], {**PROGRAM_NAMESPACE, "rot90": counted})
    assert program.function(GRID) == GRID
    assert len(calls) == 4


def test_every_primitive_takes_its_parameters_by_keyword(tmp_path):
    calls = [f"{row.name}({', '.join(f'{p}={p}' for p in row.parameters)})" for row in dsl.ALL.values()]
    tests = "\n".join(
        f"inspect.signature({row.name}).bind(**dict.fromkeys({row.parameters!r}))" for row in dsl.ALL.values()
    )
    write(tmp_path, mine=f"import inspect\nfrom dsl import *\n{tests}\ndef solve_a(I):\n    return vconcat(a=I, b=I)")
    assert len(calls) > 160
    assert load_one(tmp_path / "mine.py").function(GRID) == GRID + GRID


def test_modules_beside_it_get_the_dsl_too(tmp_path):
    write(
        tmp_path,
        mine="from helper import turn\nimport second\nfrom . import third\nfrom .second import again\n"
        "from sub.deep import deep\nfrom pack import packed\nfrom pack import inner\n"
        "def solve_a(I):\n    return inner.f(packed(deep(third.f(again(second.again(turn(I)))))))",
        helper="from dsl import *\ndef turn(grid):\n    return rot90(grid)",
        second="import dsl\nfrom helper import turn\ndef again(grid):\n    return dsl.rot90(turn(grid))",
        third="from pile import *\nf = identity",
    )
    write(
        tmp_path / "sub",
        deep="from dsl import *\nfrom .beside import f\nfrom ..helper import turn\ndeep = chain(f, turn, turn)",
    )
    write(tmp_path / "sub", beside="from dsl import *\nf = compose(rot90, rot90)")
    write(tmp_path / "pack", __init__="from .inner import f as packed", inner="from dsl import *\nf = rot180")
    # turns: helper 1, second 2 + 2, deep 4, packed 2, inner 2
    assert load_one(tmp_path / "mine.py").function(GRID) == TURNED
    assert not {"helper", "second", "third", "sub", "pack"} & set(sys.modules)


def test_modules_may_import_each_other(tmp_path):
    write(
        tmp_path,
        one="import two\nfrom dsl import *\nturn = rot90\ndef solve_a(I):\n    return two.f(I)",
        two="import one\ndef f(grid):\n    return one.turn(grid)",
    )
    assert load_one(tmp_path / "one.py").function(GRID) == TURNED


def test_two_modules_do_not_share_the_helper_of_the_same_name(tmp_path):
    for folder, primitive in (("a", "rot90"), ("b", "rot270")):
        write(
            tmp_path / folder,
            mine="from helper import f\ndef solve_a(I):\n    return f(I)",
            helper=f"from dsl import *\nf = {primitive}",
        )
    first, second = load_programs([str(tmp_path / "a" / "mine.py"), str(tmp_path / "b" / "mine.py")])[0]
    assert first.function(GRID) == TURNED
    assert second.function(TURNED) == GRID


def test_a_folder_of_the_public_arc_dsl_runs_on_our_dsl(tmp_path):
    """Lie number 3: the program under test imports another module than the one that is measured."""
    other = "def rot90(grid):\n    raise AssertionError('the other DSL was called')\nONE = 17\n"
    write(
        tmp_path,
        dsl=other,
        constants=other,
        arc_types=other,
        solvers="from dsl import *\nfrom constants import *\nimport dsl\n"
        "def solve_a(I):\n    return rot90(I)\ndef solve_b(I):\n    return dsl.rot90(I), ONE\n",
        verifiers="from dsl import *\ndef verify_a(I: Grid) -> Grid:\n    x0 = rot90(I)\n    return x0\n",
    )
    programs, rejected = load_programs([str(tmp_path)])
    assert rejected == []
    assert [p.name for p in programs] == ["solve_a", "solve_b", "verify_a"]
    assert programs[0].function(GRID) == TURNED
    assert programs[1].function(GRID) == (TURNED, 1)
    assert programs[2].task == "a"


def test_our_dsl_wins_over_one_on_the_path_and_leaves_it_there(tmp_path, monkeypatch):
    write(tmp_path / "elsewhere", dsl="def rot90(grid):\n    return 'other'")
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    program = load_one(write(tmp_path, mine="from dsl import *\ndef solve_a(I):\n    return rot90(I)") / "mine.py")
    assert program.function(GRID) == TURNED
    import dsl as others

    try:
        assert others.rot90(GRID) == "other"
    finally:
        del sys.modules["dsl"]


def test_a_package_by_its_dotted_name(tmp_path, monkeypatch):
    write(
        tmp_path / "loader_pack",
        # Its own __init__ needs our DSL: importing it would fail, or find another one.
        __init__="from .one import *",
        one="from dsl import *\ndef solve_a(I):\n    return rot90(I)",
        two="from .one import rot90\ndef solve_b(I):\n    return rot90(I)\nclass Helper: pass",
        _private="raise AssertionError",
    )
    monkeypatch.syspath_prepend(tmp_path)
    programs, rejected = load_programs(["loader_pack"])
    assert rejected == []
    assert [(p.module, p.name) for p in programs] == [("loader_pack.one", "solve_a"), ("loader_pack.two", "solve_b")]
    assert [p.function(GRID) for p in programs] == [TURNED, TURNED]
    again = load_one("loader_pack.two")
    assert (again.module, again.name) == ("loader_pack.two", "solve_b")
    assert "loader_pack" not in sys.modules


def test_the_reference_of_each_program_loads_it_again(tmp_path, monkeypatch):
    write(tmp_path / "folder", one="def solve_a(I):\n    return I", two="def verify_a(I):\n    return I")
    monkeypatch.chdir(tmp_path)
    for program in load_programs(["folder", "./folder/one.py:solve_a"])[0]:
        assert load_one(f"{program.module}:{program.name}").name == program.name


def test_only_the_program_that_is_named(tmp_path):
    write(
        tmp_path,
        mine="def solve_a(I):\n    return I\ndef solve_b(I):\n    return I\ndef solve_bad(I, x):\n    return I",
    )
    assert load_one(f"{tmp_path / 'mine.py'}:solve_b").name == "solve_b"
    rejected = load_rejected(f"{tmp_path / 'mine.py'}:solve_bb")
    assert rejected.status == "no_program"
    assert "solve_bb" in rejected.detail
    assert "nearest: solve_b" in rejected.detail


def test_what_two_references_give_is_there_once(tmp_path):
    path = write(tmp_path, mine="def solve_a(I):\n    return I\ndef solve_b(I):\n    return I") / "mine.py"
    programs, rejected = load_programs([str(path), f"{path}:solve_b", str(tmp_path)])
    assert rejected == []
    assert [p.name for p in programs] == ["solve_a", "solve_b"]


def test_a_batt_and_the_tasks_it_is_for(tmp_path):
    source = "TASKS = {}\ndef batt(task_id, S, I, C, log_path):\n    return [('a', I)], [('b', C)]"
    write(tmp_path, named=source.format(["x", "y"]), other=source.format("50"))
    named, other = load_programs([str(tmp_path)])[0]
    assert (named.kind, named.task, named.tasks) == ("batt", None, ("x", "y"))
    assert other.tasks == ()  # its author means something else by TASKS


@pytest.mark.parametrize(
    ("source", "program"),
    [
        ("def solve_a(*grids):\n    return grids[0]", "solve_a"),
        ("def solve_a(I, flag=False):\n    return I", "solve_a"),
        ("import functools\n@functools.lru_cache\ndef solve_a(I):\n    return I", "solve_a"),
        ("def batt(task_id, S, I, C, log_path, extra=None):\n    return [], []", "batt"),
    ],
)
def test_signatures_that_fit(tmp_path, source, program):
    assert load_one(write(tmp_path, mine=source) / "mine.py").name == program


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ("\ndef solve_a(I, x):\n    return I", ["line 2", "solve_a", "one grid", "'x'"]),
        ("def solve_a():\n    return 1", ["line 1", "solve_a", "one grid"]),
        ("def solve_a(I, *, flag):\n    return I", ["solve_a", "one grid", "'flag'"]),
        ("def batt(S, I):\n    return [], []", ["batt", "(task_id, S, I, C, log_path)"]),
        ("def helper(I):\n    return I", ["no solve_<task>, verify_<task> or batt"]),
        ("", ["no solve_<task>"]),
    ],
)
def test_no_program(tmp_path, source, parts):
    rejected = load_rejected(write(tmp_path, mine=source) / "mine.py")
    assert rejected.status == "no_program"
    assert all(part in rejected.detail for part in parts), rejected.detail


@pytest.mark.parametrize(
    ("source", "line", "parts"),
    [
        ("x = 1\ndef solve_a(I:\n    return I", 2, ["SyntaxError"]),
        ("import math\nfrom no_such_thing import f", 2, ["ModuleNotFoundError", "no_such_thing"]),
        ("from .gone import f", 1, ["ModuleNotFoundError", "'gone'"]),
        ("from dsl import *\n\nfrom dsl import rot09", 3, ["ImportError", "dsl", "rot09", "nearest: rot90"]),
        ("from constants import ELEVENTY", 1, ["ImportError", "constants", "ELEVENTY"]),
        ("import sys\nsys.exit(3)", 2, ["SystemExit", "3"]),
        ("def f():\n    return 1 / 0\n\nf()", 2, ["ZeroDivisionError"]),
        ("raise SyntaxError('mine')", 1, ["SyntaxError", "mine"]),
        ("class Odd(BaseException): pass\nraise Odd('x')", 2, ["Odd", "x"]),
        ("import broken_helper", 3, ["broken_helper.py", "ZeroDivisionError"]),
        ("x = '\0'", None, ["null bytes"]),
    ],
)
def test_a_module_that_cannot_be_imported_says_where_and_why(tmp_path, source, line, parts):
    write(tmp_path, mine=source, broken_helper="a = 1\nb = 0\nc = a / b\n")
    rejected = load_rejected(tmp_path / "mine.py")
    assert rejected.status == "import_failed"
    assert str(tmp_path) in rejected.detail
    assert line is None or f".py:{line}: " in rejected.detail, rejected.detail
    assert all(part in rejected.detail for part in parts), rejected.detail


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "mine.py").write_bytes(b"x = 1\ny = '\xff'\n")
    rejected = load_rejected(tmp_path / "mine.py")
    assert "mine.py:" in rejected.detail
    assert "SyntaxError" in rejected.detail


def test_a_helper_that_fails_is_not_there_half(tmp_path):
    write(
        tmp_path,
        mine="try:\n    import helper\nexcept ZeroDivisionError:\n    pass\nimport helper",
        helper="x = 1\n1 / 0",
    )
    assert "ZeroDivisionError" in load_rejected(tmp_path / "mine.py").detail


def test_a_bad_module_keeps_no_other_from_being_loaded(tmp_path):
    write(tmp_path, bad="1 / 0", empty="", good="def solve_a(I):\n    return I")
    programs, rejected = load_programs([str(tmp_path), str(tmp_path / "gone.py"), "no_such_module"])
    assert [p.name for p in programs] == ["solve_a"]
    assert [(Path(r.module).name, r.status) for r in rejected] == [
        ("bad.py", "import_failed"),
        ("empty.py", "no_program"),
        ("gone.py", "import_failed"),
        ("no_such_module", "import_failed"),
    ]


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("{}/solvrs.py", ["no such file", "nearest: ", "solvers.py"]),
        ("{}/gone/solvers.py", ["no such file"]),
        ("{}/empty", ["no Python module"]),
        ("no_such_module", ["no module of this name"]),
        ("no_such.module", ["no module of this name"]),
        ("json.no_such", ["no module of this name"]),
        ("json.decoder.deeper", ["no module of this name"]),
        ("math", ["not made from Python source"]),
    ],
)
def test_references_to_nothing(tmp_path, reference, parts):
    write(tmp_path, solvers="def solve_a(I):\n    return I")
    (tmp_path / "empty").mkdir()
    rejected = load_rejected(reference.format(tmp_path))
    assert rejected.status == "import_failed"
    assert all(part in rejected.detail for part in parts), rejected.detail


def test_execute_raises_what_load_programs_reports(tmp_path):
    write(tmp_path, mine="1 / 0")
    with pytest.raises(LoadError, match=r"mine\.py:1: ZeroDivisionError"):
        execute(tmp_path / "mine.py", "mine")


def test_the_names_that_are_ours():
    assert set(OUR_MODULES) == {"dsl", "pile", "constants", "arc_types", "harness.dsl"}


def test_a_program_of_a_package_is_there_or_not_once(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.py").write_text(f"def solve_{name}(I):\n    return I\n")
    programs, rejected = load_programs([f"{tmp_path}:solve_b"])
    assert [program.name for program in programs] == ["solve_b"]
    assert rejected == []
    programs, rejected = load_programs([f"{tmp_path}:solve_c"])
    assert programs == []
    assert [(row.module, row.status) for row in rejected] == [(str(tmp_path), "no_program")]
    assert "nearest: solve_" in rejected[0].detail


def test_a_program_knows_the_files_that_were_executed_for_it(tmp_path):
    write(tmp_path, mine="from other import *\ndef solve_a(I):\n    return turned(I)\n")
    write(tmp_path, other="from dsl import *\ndef turned(grid):\n    return rot90(grid)\n", third="x = 1\n")
    reference = str(tmp_path / "mine.py")
    ((program,), _) = load_programs([reference])
    files = [tmp_path / "mine.py", tmp_path / "other.py"]
    assert program.sources == tuple((str(file), sha256(file.read_bytes()).hexdigest()) for file in files)
    before = sources_of([program])
    write(tmp_path, other="from dsl import *\ndef turned(grid):\n    return rot180(grid)\n")
    ((changed,), _) = load_programs([reference])
    after = sources_of([changed])
    assert before["harness"] == after["harness"]
    assert [a == b for a, b in zip(before[reference], after[reference], strict=True)] == [True, False]
