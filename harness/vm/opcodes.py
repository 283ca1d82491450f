"""The opcodes of the virtual machine, as ``opcodes.def`` states them: names, numbers, arities and semantics."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

FIELDS = 8
"""16-bit fields of an instruction: op, dst, a, b, c, d, e, f."""

NONE = 0xFFFF
"""A field that is not used."""


@dataclass(frozen=True)
class Opcode:
    """A line of ``opcodes.def``.

    Attributes:
        name: unique among the control instructions, among the operations and among the loop kinds.
        number: in an instruction's field op (a loop kind: in field e).
        arity: operands of an operation; 0 for the others.
        summary: what it does.
    """

    name: str
    number: int
    arity: int
    summary: str


_LINE = re.compile(r'^(CONTROL|LOOP_KIND|OPERATION)\((\w+), (?:(\d+), )?"(.*)"\)$')


def _read(path: Path) -> dict[str, list[tuple[str, int, str]]]:
    """Return (name, arity, summary) of each line, by the macro that it calls.

    Raises:
        ValueError: for a line that is neither a call of a macro nor a comment.
    """
    found: dict[str, list[tuple[str, int, str]]] = {"CONTROL": [], "OPERATION": [], "LOOP_KIND": []}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = _LINE.match(line)
        if match:
            macro, name, arity, summary = match.groups()
            found[macro].append((name, int(arity or 0), summary))
        elif line.strip() and not line.startswith("//"):
            raise ValueError(f"{path}:{number}: not a CONTROL, OPERATION or LOOP_KIND line: {line!r}")
    return found


def _number(lines: list[tuple[str, int, str]], start: int) -> dict[str, Opcode]:
    return {name: Opcode(name, start + k, arity, summary) for k, (name, arity, summary) in enumerate(lines)}


_lines = _read(Path(__file__).with_name("opcodes.def"))
CONTROL: dict[str, Opcode] = _number(_lines["CONTROL"], 0)
OPERATION: dict[str, Opcode] = _number(_lines["OPERATION"], len(CONTROL))
LOOP_KIND: dict[str, Opcode] = _number(_lines["LOOP_KIND"], 0)
OPCODES: tuple[Opcode, ...] = (*CONTROL.values(), *OPERATION.values())
"""All opcodes, by number."""
