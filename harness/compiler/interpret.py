"""The definition of the bytecode: an interpreter in plain Python, on the reference's primitives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Final

from harness.compiler.assemble import Unit
from harness.dsl import functions
from harness.dsl.canonical import greatest, least
from harness.dsl.table import ALL
from harness.vm.encoding import decode
from harness.vm.opcodes import CONTROL, LOOP_KIND, NONE, OPCODES, OPERATION


class _Fail:
    """The value of what failed."""

    def __repr__(self) -> str:
        return "FAIL"


FAIL: Final = _Fail()
"""What an operation that failed leaves in its register, and what a program that failed returns."""


class _Failed(Exception):
    """An operand is FAIL."""


def _require_count(n: Any) -> Any:
    if n < 1:
        raise ValueError(f"a count is at least 1, not {n}")
    return n


_OWN: dict[str, Callable[..., Any]] = {
    "pack1": lambda a: (a,),
    "pack3": lambda a, b, c: (a, b, c),
    "pack4": lambda a, b, c, d: (a, b, c, d),
    "require_count": _require_count,
}
_OPERATIONS = {
    opcode.number: (_OWN[name] if name in _OWN else ALL[name].function, opcode.arity)
    for name, opcode in OPERATION.items()
}

_Body = Callable[..., Any]
_LOOPS: dict[str, Callable[[_Body, Any, Any, Any], Any]] = {
    "map": lambda body, a, b, rank: functions.apply(body, a),
    "map_merge": lambda body, a, b, rank: functions.mapply(body, a),
    "filter": lambda body, a, b, rank: ALL["sfilter"].function(a, body),
    "extract": lambda body, a, b, rank: ALL["extract"].function(a, body),
    "argmax": lambda body, a, b, rank: ALL["argmax"].function(a, body),
    "argmin": lambda body, a, b, rank: ALL["argmin"].function(a, body),
    "order": lambda body, a, b, rank: ALL["order"].function(a, body),
    "valmax": lambda body, a, b, rank: greatest([body(e) for e in a]),
    "valmin": lambda body, a, b, rank: least([body(e) for e in a]),
    "arg_rank": lambda body, a, b, rank: ALL["get_arg_rank"].function(a, body, rank),
    "val_rank": lambda body, a, b, rank: ALL["get_val_rank"].function(a, body, rank),
    "zip": lambda body, a, b, rank: functions.papply(body, a, b),
    "zip_merge": lambda body, a, b, rank: functions.mpapply(body, a, b),
    "product": lambda body, a, b, rank: functions.prapply(body, a, b),
}
_KINDS = tuple(_LOOPS[name] for name in LOOP_KIND)

_END, _CONSTANT, _MOVE, _LOOP, _REPEAT, _NEXT, _IF, _ARM = (
    CONTROL[name].number for name in ("end", "constant", "move", "loop", "repeat", "next", "if_", "arm")
)


def interpret(unit: Unit, inputs: Sequence[Any]) -> list[tuple[Any, ...] | _Fail]:
    """Execute a unit.

    Args:
        unit: as compiled.
        inputs: as many values as ``unit.inputs``.

    Returns:
        For each program the values of its outputs, or ``FAIL``.
    """
    if len(inputs) != unit.inputs:
        raise ValueError(f"the unit takes {unit.inputs} inputs, not {len(inputs)}")
    machine = _Machine(unit, inputs)
    machine.run_program()
    outcomes: list[tuple[Any, ...] | _Fail] = []
    for result in unit.results:
        values = tuple([machine.registers[register] for register in result.outputs])
        required = [machine.registers[register] for register in result.required]
        outcomes.append(FAIL if any(value is FAIL for value in (*values, *required)) else values)
    return outcomes


class _Machine:
    """The registers and the code of one evaluation."""

    def __init__(self, unit: Unit, inputs: Sequence[Any]) -> None:
        self.code = unit.code.tolist()
        offsets = unit.constant_offsets.tolist()
        self.constants = [decode(unit.constants[i:j]) for i, j in pairwise(offsets)]
        self.registers: list[Any] = [*inputs, *[None] * (unit.registers - len(inputs))]
        self.ends = _ends(self.code)

    def read(self, register: int) -> Any:
        """Return the value of a register.

        Raises:
            _Failed: if what computed it failed.
        """
        value = self.registers[register]
        if value is FAIL:
            raise _Failed
        return value

    def run_program(self) -> None:
        """Execute all instructions up to ``end``; those that fail leave FAIL behind."""
        at = 0
        while self.code[at][0] != _END:
            try:
                value = self.execute(at)
            except Exception:  # in the reference this ends the program
                value = FAIL
            self.registers[self.code[at][1]] = value
            at = self.ends[at]

    def run_region(self, at: int) -> Any:
        """Execute the instructions of a body or an arm from ``at`` on; return its result."""
        while True:
            op, destination, a = self.code[at][:3]
            if op in (_NEXT, _ARM):
                return self.read(a)
            self.registers[destination] = self.execute(at)
            at = self.ends[at]

    def execute(self, at: int) -> Any:
        """Execute one instruction with what is inside it, and return its value."""
        op, _, *fields = self.code[at]
        if op in _OPERATIONS:
            function, arity = _OPERATIONS[op]
            return function(*[self.read(register) for register in fields[:arity]])
        a, b, c, d, kind, rank = fields
        if op == _CONSTANT:
            return self.constants[a]
        if op == _MOVE:
            return self.read(a)
        if op == _LOOP:
            params = [param for param in (c, d) if param != NONE]

            def body(*elements: Any) -> Any:
                for param, element in zip(params, elements, strict=True):
                    self.registers[param] = element
                return self.run_region(at + 1)

            containers = [None if register == NONE else self.read(register) for register in (a, b, rank)]
            return _KINDS[kind](body, *containers)
        if op == _REPEAT:
            value = self.read(b)
            for _ in range(_require_count(self.read(a))):
                self.registers[c] = value
                value = self.run_region(at + 1)
            return value
        if op == _IF:
            return self.run_region(at + 1 if self.read(a) else at + 1 + b)
        raise ValueError(f"instruction {at}: {OPCODES[op].name} cannot be executed here")


def _ends(code: list[list[int]]) -> list[int]:
    """Return for each instruction where the next one of the same region is."""
    ends = [at + 1 for at in range(len(code))]
    open_loops: list[int] = []
    for at, (op, *_) in enumerate(code):
        if op in (_LOOP, _REPEAT):
            open_loops.append(at)
        elif op == _NEXT:
            ends[open_loops.pop()] = at + 1
        elif op == _IF:
            ends[at] = at + 1 + code[at][3] + code[at][4]
    return ends
