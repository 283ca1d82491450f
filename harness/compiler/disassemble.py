"""Bytecode as text."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from harness.compiler.assemble import Unit
from harness.vm.encoding import decode
from harness.vm.opcodes import CONTROL, LOOP_KIND, NONE, OPCODES

_LONGEST_CONSTANT = 60
_KINDS = tuple(LOOP_KIND)
_INPUTS = {1: ("I",), 3: ("S", "I", "C")}


def disassemble(unit: Unit) -> str:
    """Return a unit as text: an instruction a line, bodies and arms indented, constants written out where loaded."""
    offsets = unit.constant_offsets.tolist()
    constants = [_short(decode(unit.constants[i:j])) for i, j in pairwise(offsets)]
    given = ", ".join(f"r{k} = {name}" for k, name in enumerate(_INPUTS[unit.inputs]))
    lines = [f"; {len(unit.code)} instructions, {unit.registers} registers, {len(constants)} constants; {given}"]
    width = len(str(len(unit.code)))
    depth = 0
    arms: dict[int, int] = {}  # where second arms begin, and the depth of their if
    for at, fields in enumerate(unit.code.tolist()):
        if at in arms:
            lines.append(f"{'':{width}}  {'    ' * arms[at]}else")
            depth = arms[at] + 1
        lines.append(f"{at:{width}}  {'    ' * depth}{_instruction(fields, constants)}")
        name = OPCODES[fields[0]].name
        if name == "if_":
            arms[at + 1 + fields[3]] = depth
        if fields[0] < len(CONTROL):
            depth += {"loop": 1, "repeat": 1, "if_": 1, "next": -1, "arm": -1}.get(name, 0)
    for k, result in enumerate(unit.results):
        required = f"; fails with {_registers(result.required)}" if len(result.required) else ""
        lines.append(f"; program {k}: {_registers(result.outputs)}{required}")
    return "\n".join(lines)


def _registers(registers: Any) -> str:
    return ", ".join(f"r{register}" for register in registers) or "nothing"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_CONSTANT else f"{text[: _LONGEST_CONSTANT - 4]} ..."


def _instruction(fields: list[int], constants: list[str]) -> str:
    op, destination, a, b, c, d, kind, rank = fields
    opcode = OPCODES[op]
    if op >= len(CONTROL):
        return (
            f"r{destination} = {opcode.name} {', '.join(f'r{register}' for register in fields[2 : 2 + opcode.arity])}"
        )
    if opcode.name == "constant":
        return f"r{destination} = {constants[a]}"
    if opcode.name == "loop":
        over = f"r{a}" if b == NONE else f"r{a}, r{b}"
        params = f"r{c}" if d == NONE else f"r{c}, r{d}"
        ranked = "" if rank == NONE else f", rank r{rank}"
        return f"r{destination} = loop {_KINDS[kind]} for {params} in {over}{ranked}"
    if opcode.name == "repeat":
        return f"r{destination} = repeat r{a} times, r{c} from r{b}"
    if opcode.name == "if_":
        return f"r{destination} = if r{a}"
    if opcode.name == "move":
        return f"r{destination} = r{a}"
    return opcode.name if opcode.name == "end" else f"{opcode.name} r{a}"
