"""Bytecode: registers, constants, required operations, limits; and what the interpreter makes of failures."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from evaluating import HERE, compiled, interpreted, load, write_programs

from harness.batt.loader import Program
from harness.compiler import FAIL, Unit, compile_unit, disassemble, interpret, trace
from harness.vm.encoding import decode
from harness.vm.opcodes import CONTROL, NONE, OPERATION

GRID = ((1, 2, 0), (0, 3, 3))


def program(folder: Path, *lines: str) -> Program:
    body = "\n    ".join(lines)
    (found,) = write_programs(folder, f"def solve_a(I):\n    {body}\n")
    return found


def constants_of(unit: Unit) -> list[object]:
    offsets = unit.constant_offsets.tolist()
    return [decode(unit.constants[i:j]) for i, j in pairwise(offsets)]


def test_form_of_a_unit(tmp_path: Path) -> None:
    _, unit = compiled(program(tmp_path, "return fill(I, 3, ofcolor(I, 2))"))
    numbers = [CONTROL["constant"].number, OPERATION["ofcolor"].number, OPERATION["fill"].number, CONTROL["end"].number]
    assert unit.code.dtype == np.uint16
    assert sorted(unit.code[:, 0].tolist()) == sorted([numbers[0], *numbers])
    assert unit.code[-1].tolist() == [CONTROL["end"].number, *[NONE] * 7]
    assert sorted(constants_of(unit)) == [2, 3]
    assert unit.constant_offsets.dtype == np.uint32
    assert (unit.inputs, unit.depth) == (1, 0)
    assert unit.results[0].outputs.dtype == np.uint16


def test_registers_of_dead_values_are_used_again(tmp_path: Path) -> None:
    turns = [f"I = {('hmirror', 'vmirror', 'rot90')[k % 3]}(I)" for k in range(60)]
    _, unit = compiled(program(tmp_path, *turns, "return I"))
    assert len(unit.code) == 61
    assert unit.registers == 3  # the input keeps its own


def test_registers_of_bodies_are_used_again(tmp_path: Path) -> None:
    loops = [f"I = apply(lambda row: combine(row, repeat({k}, size(row))), I)" for k in range(20)]
    _, unit = compiled(program(tmp_path, *loops, "return I"))
    assert unit.registers <= 8


def test_what_a_body_uses_is_kept_while_it_runs(tmp_path: Path) -> None:
    traced, unit = compiled(
        program(
            tmp_path, "m = mostcolor(I)", "return apply(lambda row: apply(lambda v: astuple(size(row), m), row), I)"
        )
    )
    assert interpreted(traced, unit, (GRID,)) == (((3, 0),) * 3, ((3, 0),) * 3)


def test_result_may_be_input_or_constant(tmp_path: Path) -> None:
    _, unit = compiled(program(tmp_path, "return I"))
    assert unit.results[0].outputs.tolist() == [0]
    assert interpret(unit, (GRID,)) == [(GRID,)]
    _, unit = compiled(program(tmp_path, "return ((1, 2),)"))
    assert interpret(unit, (GRID,)) == [(((1, 2),),)]


def test_required_operations(tmp_path: Path) -> None:
    lines = ["a = first(I)", "b = size(a)", "astuple(b, increment(b))", "apply(lambda row: extract(row, positive), I)"]
    traced, unit = compiled(program(tmp_path, *lines, "return hmirror(I)"))
    assert len(unit.results[0].required) == 2  # increment, which size and first come before; and the loop
    assert interpreted(traced, unit, (GRID,)) == GRID[::-1]
    assert interpreted(traced, unit, (((0,),),)) is FAIL
    assert interpreted(traced, unit, (((1,), (0,)),)) is FAIL
    assert interpreted(traced, unit, ((),)) is FAIL


def test_captured_failure_is_required_though_the_body_never_runs(tmp_path: Path) -> None:
    lines = ["m = extract(first(I), positive)", "return apply(lambda row: repeat(m, 2), sfilter(I, flip))"]
    traced, unit = compiled(program(tmp_path, *lines))
    assert interpreted(traced, unit, (((1, 2),),)) == ()
    assert interpreted(traced, unit, (((0, 0),),)) is FAIL


def test_failures_end_one_program_of_a_unit(tmp_path: Path) -> None:
    source = """
def solve_a(I):
    return canvas(extract(first(I), positive), (1, 1))

def solve_b(I):
    return hmirror(I)

def solve_c(I):
    return branch(portrait(I), lambda g: trim(g), lambda g: first(()))(I)
"""
    unit = compile_unit([trace(p) for p in write_programs(tmp_path, source)])
    assert interpret(unit, (((0, 0),),)) == [FAIL, (((0, 0),),), FAIL]
    assert interpret(unit, (((1,), (0,)),)) == [(((1,),),), (((0,), (1,)),), ((),)]


def test_kinds_are_not_mixed(tmp_path: Path) -> None:
    traces = [trace(p) for p in load("programs.py") if p.name in ("batt", "solve_returns_input")]
    with pytest.raises(ValueError, match="solvers or of batts"):
        compile_unit(traces)
    with pytest.raises(ValueError, match="not empty: 0 programs"):
        compile_unit([])
    batt = compile_unit([traced for traced in traces if traced.kind == "batt"])
    assert batt.inputs == 3
    with pytest.raises(ValueError, match="takes 3 inputs, not 1"):
        interpret(batt, (GRID,))


@pytest.mark.parametrize(
    "expression",
    [
        "power(power(power(lambda g: rot90(hmirror(g)), 40), 40), 40)",
        "power(power(power(power(power(trim, 3), 3), 3), 3), 3)",
        "power(trim, 10 ** 9)",
        "power(identity, 10 ** 9)",
    ],
)
def test_repetition_compiles_small_and_quickly(tmp_path: Path, expression: str) -> None:
    start = time.perf_counter()
    _, unit = compiled(program(tmp_path, f"return {expression}(I)"))
    assert time.perf_counter() - start < 1
    assert len(unit.code) < 100


def test_few_repetitions_are_written_out(tmp_path: Path) -> None:
    _, unit = compiled(program(tmp_path, "return power(rot90, 3)(I)"))
    assert unit.code[:-1, 0].tolist() == [OPERATION["rot90"].number] * 3


def test_code_does_not_depend_on_hashes() -> None:
    code = (
        "import sys, zlib; sys.path.insert(0, sys.argv[1]); from evaluating import load, compiled\n"
        "units = [compiled(program)[1] for program in load('programs.py')]\n"
        "print(zlib.crc32(b''.join(unit.code.tobytes() + unit.constants for unit in units)))"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", code, str(HERE)],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert printed[0] == printed[1] != ""


def test_disassembly(tmp_path: Path) -> None:
    lines = [
        "firsts = apply(lambda row: branch(positive(first(row)), lambda v: first(v), lambda v: 7)(row), I)",
        "turned = power(rot90, size(firsts))(I)",
        "extract(firsts, positive)",
        "return fill(turned, get_arg_rank(firsts, invert, 1), initset(ulcorner(asindices(I))))",
    ]
    _, unit = compiled(program(tmp_path, *lines))
    text = disassemble(unit)
    expected = """\
; 25 instructions, 8 registers, 2 constants; r0 = I
 0  r1 = 7
 1  r2 = loop map for r3 in r0
 2      r4 = first r3
 3      r5 = positive r4
 4      r6 = if r5
 5          arm r4
        else
 6          arm r1
 7      next r6
"""
    assert text.startswith(expected), text
    assert "= repeat r" in text
    assert "= loop arg_rank for r" in text and ", rank r" in text
    assert text.splitlines()[-1].startswith("; program 0: r") and "; fails with r" in text
    assert text.count("\n") == len(unit.code) + 2  # the heading, else, the results
