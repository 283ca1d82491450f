"""Units written by hand: instructions by name, and one call that verifies and evaluates them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.vm import encoding
from harness.vm.native import FAILED, NOT_HANDLED, OK, REASONS, Evaluated, Limits, NativeEngine
from harness.vm.opcodes import CONTROL, FIELDS, LOOP_KIND, NONE, OPERATION

Instruction = tuple[Any, ...]
FAIL = "FAIL"
REGISTERS = 32


def assemble(instructions: Sequence[Instruction]) -> np.ndarray:
    """Return code: an instruction is (name, dst, operands ...); ``loop`` takes its kind's name as operand e.

    The control instructions ``move`` and ``repeat`` are written ``control.move`` and ``control.repeat``.
    """
    code = np.full((len(instructions), FIELDS), NONE, np.uint16)
    for row, (name, *fields) in zip(code, instructions, strict=True):
        plain = name.removeprefix("control.")
        known = CONTROL if plain != name or name not in OPERATION else OPERATION
        row[0] = known[plain].number
        for k, field in enumerate(fields, 1):
            if field is not None:
                row[k] = LOOP_KIND[field].number if isinstance(field, str) else field
    return code


def add(
    engine: NativeEngine,
    instructions: Sequence[Instruction],
    inputs: int,
    results: Sequence[tuple[Sequence[int], Sequence[int]]],
    constants: Sequence[Any] = (),
) -> int:
    """Add a unit to an engine; the instruction ``end`` is put behind it."""
    data = b"".join(map(encoding.encode, constants))
    code = assemble([*instructions, ("end",)])
    return engine.add_unit(code, REGISTERS, inputs, data, len(constants), results=results)


def evaluate(
    instructions: Sequence[Instruction],
    inputs: Sequence[Any],
    results: Sequence[tuple[Sequence[int], Sequence[int]]],
    constants: Sequence[Any] = (),
    **options: Any,
) -> Evaluated:
    """Evaluate a unit once on inputs, with outputs."""
    engine = NativeEngine()
    try:
        unit = add(engine, instructions, len(inputs), results, constants)
        sample = engine.add_sample([encoding.encode(value) for value in inputs])
        zero = np.zeros(1, np.uint64)
        return engine.evaluate(np.array([unit]), np.array([sample]), zero, len(results), **{"outputs": True, **options})
    finally:
        engine.close()


def outcome(evaluated: Evaluated, result: int = 0) -> Any:
    """Return the outputs of a program: the value if it is one, a list of several; FAIL; or a reason."""
    status = evaluated.status[result]
    if status == OK:
        outputs = evaluated.output(result)
        return outputs[0] if len(outputs) == 1 else list(outputs)
    if status == FAILED:
        return FAIL
    assert status == NOT_HANDLED
    return REASONS[evaluated.reason[result]]


def run(
    instructions: Sequence[Instruction], *inputs: Any, constants: Sequence[Any] = (), out: int = 9, **kw: Any
) -> Any:
    """Return the outcome of a unit of one program with one output, in register ``out``."""
    return outcome(evaluate(instructions, inputs, [([out], [])], constants, **kw))


__all__ = ["FAIL", "Limits", "add", "assemble", "evaluate", "outcome", "run"]
