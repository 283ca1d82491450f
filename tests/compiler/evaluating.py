"""Evaluating programs with the reference and with the interpreter of the bytecode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.batt.loader import Program, load_programs
from harness.compiler import FAIL, Trace, Unit, compile_unit, interpret, trace
from harness.compiler.ir import check
from harness.vm.opcodes import CONTROL, LOOP_KIND, NONE, OPCODES

HERE = Path(__file__).parent
TASK_ID, LOG_PATH = "00000000", "some/log"


def load(name: str) -> list[Program]:
    """Load the programs of a file of this folder."""
    programs, rejected = load_programs([str(HERE / name)])
    assert not rejected
    return programs


def write_programs(folder: Path, source: str) -> list[Program]:
    """Load programs from their source, which begins behind the import of the DSL."""
    path = folder / "written.py"
    path.write_text(f"from dsl import *\n\n{source}")
    programs, rejected = load_programs([str(path)])
    assert not rejected
    return programs


def compiled(program: Program) -> tuple[Trace, Unit]:
    """Trace a program, checking the IR, and compile it, checking the code."""
    traced = trace(program)
    check(traced.graph.root, traced.results)
    unit = compile_unit([traced])
    check_code(unit)
    return traced, unit


def reference(program: Program, inputs: tuple[Any, ...]) -> Any:
    """Return what the reference returns, or FAIL."""
    arguments = inputs if program.kind == "solver" else (TASK_ID, *inputs, LOG_PATH)
    try:
        return program.function(*arguments)
    except Exception:  # whatever it is, the program failed
        return FAIL


def interpreted(traced: Trace, unit: Unit, inputs: tuple[Any, ...]) -> Any:
    """Return what the interpreter makes of a unit of one program, rebuilt, or FAIL."""
    (outcome,) = interpret(unit, inputs)
    return FAIL if outcome is FAIL else traced.rebuild(outcome, TASK_ID, LOG_PATH)


def check_code(unit: Unit) -> None:
    """Check that no register is read before it is written, and that the parts of the unit fit together."""
    code = unit.code.tolist()
    defined = set(range(unit.inputs))
    end, depth = _check_region(unit, code, 0, defined)
    assert end == len(code)
    assert depth == unit.depth
    assert unit.registers <= NONE
    for result in unit.results:
        assert defined.issuperset([*result.outputs.tolist(), *result.required.tolist()])


def _check_region(unit: Unit, code: list[list[int]], at: int, defined: set[int]) -> tuple[int, int]:
    """Check a region from an instruction on; return where it ends, and how deep regions are in it."""
    depth = 0
    while True:
        op, target, a, b, c, d, kind, rank = code[at]
        name = OPCODES[op].name if op < len(CONTROL) else "operation"
        at += 1
        if name == "end":
            return at, depth
        if name in ("next", "arm"):
            assert a in defined
            return at, depth
        if name == "constant":
            assert a + 1 < len(unit.constant_offsets)
        elif name == "if_":
            assert a in defined
            for length in (b, c):
                end, inside = _check_region(unit, code, at, set(defined))
                assert end == at + length
                at, depth = end, max(depth, inside + 1)
        else:
            read = [a, b, c, d][: OPCODES[op].arity]
            if name == "loop":
                read = [register for register in (a, b, rank) if register != NONE]
                assert kind < len(LOOP_KIND)
            elif name == "repeat":
                read = [a, b]
            assert defined.issuperset(read)
            assert target not in read
            if name != "operation":
                params = {c} if d == NONE else {c, d}
                assert target not in params
                at, inside = _check_region(unit, code, at, defined | params)
                depth = max(depth, inside + 1)
        assert target < unit.registers
        defined.add(target)
