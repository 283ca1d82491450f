"""What cannot be compiled is refused, at the line that says so."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from evaluating import HERE, compiled, load, write_programs

from harness.batt.loader import Program
from harness.compiler import Untraceable, compile_unit, time_limit, trace

MARK = "# ! "
COMPILE_LATE = {"solve_too_many_instructions", "solve_reduced"}
PROGRAMS = [program for program in load("untraceable.py") if program.name not in COMPILE_LATE]
LINES = (HERE / "untraceable.py").read_text().splitlines()


@pytest.fixture(autouse=True)
def plenty_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine find what is wrong with a program, before it counts as one without end."""
    monkeypatch.setattr(time_limit, "MOST_SECONDS", 300.0)


@cache
def refusal(name: str) -> Untraceable:
    (program,) = [program for program in PROGRAMS if program.name == name]
    with pytest.raises(Untraceable) as caught:
        trace(program)
    return caught.value


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_refused_with_line(program: Program) -> None:
    error = refusal(program.name)
    assert error.file == str(HERE / "untraceable.py")
    blamed = LINES[error.line - 1]
    assert MARK in blamed, f"{error} blames {blamed!r}"
    assert blamed.partition(MARK)[2] in error.what
    assert str(error) == f"{error.file}:{error.line}: {error.what}"


def test_every_mark_is_found() -> None:
    marked = {number for number, line in enumerate(LINES, 1) if MARK in line}
    assert {refusal(program.name).line for program in PROGRAMS} == marked


def test_too_many_instructions_are_refused_when_assembled() -> None:
    (program,) = [program for program in load("untraceable.py") if program.name == "solve_too_many_instructions"]
    with pytest.raises(Untraceable, match="too large"):
        compile_unit([trace(program)])


def test_standard_functions_on_functions_are_traced() -> None:
    (program,) = [program for program in load("untraceable.py") if program.name == "solve_reduced"]
    compiled(program)


def test_a_program_that_has_changed_is_refused(tmp_path: Path) -> None:
    (program,) = write_programs(tmp_path, "def solve_a(I):\n    return hmirror(I)\n")
    write_programs(tmp_path, "def solve_a(I):\n    return vmirror(I)\n")
    with pytest.raises(Untraceable, match="has changed since it was loaded"):
        trace(program)


def test_a_module_that_is_gone_is_refused(tmp_path: Path) -> None:
    (program,) = write_programs(tmp_path, "def solve_a(I):\n    return hmirror(I)\n")
    (tmp_path / "written.py").unlink()
    with pytest.raises(Untraceable, match="cannot be found again"):
        trace(program)


def test_values_of_one_trace_are_refused_in_the_next(tmp_path: Path) -> None:
    source = """
from functools import partial

HIDDEN = partial(identity, [])


def solve_a(I):
    HIDDEN.args[0].append(I)
    return hmirror(HIDDEN.args[0][0])
"""
    (program,) = write_programs(tmp_path, source)
    trace(program)
    with pytest.raises(Untraceable, match="outside of the function, or of the trace"):
        trace(program)
