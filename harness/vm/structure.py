"""The nesting of bytecode: where loops and ifs end. The host's verifier finds the same, and more; see verify.h."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.vm.opcodes import CONTROL

MOST_FRAMES = 16
"""How deep loops and ifs may nest: that of interpreter.h."""


def nesting(code: NDArray[np.uint16]) -> tuple[NDArray[np.uint32], int]:
    """Return where loops and ifs end, and how deep they nest.

    Args:
        code: uint16 [n, 8], instructions.

    Returns:
        uint32 [n], of each loop and each if the instruction behind its body or its arms, else 0; and the depth.

    Raises:
        ValueError: loops and ifs are not closed, or nest too deep; the message says which one.
    """
    loop, repeat, if_, following, arm = (CONTROL[name].number for name in ("loop", "repeat", "if_", "next", "arm"))
    behind = np.zeros(len(code), np.uint32)
    numbers = code[:, 0].tolist()
    opened: list[tuple[int, bool]] = []  # where each began, and whether it is an if in its second arm
    depth = 0
    for pc, number in enumerate(numbers):
        if number in (loop, repeat, if_):
            opened.append((pc, False))
            depth = max(depth, len(opened))
            if depth > MOST_FRAMES:
                raise ValueError(f"instruction {pc}: loops and ifs nest deeper than {MOST_FRAMES}")
            if number == if_:
                behind[pc] = pc + 1 + int(code[pc, 3]) + int(code[pc, 4])
        elif number in (following, arm):
            if not opened or (numbers[opened[-1][0]] == if_) != (number == arm):
                raise ValueError(f"instruction {pc}: it ends what does not enclose it")
            begin, second = opened.pop()
            if number == following:
                behind[begin] = pc + 1
            elif not second:
                opened.append((begin, True))
    if opened:
        raise ValueError(f"instruction {opened[-1][0]}: it has no end")
    return behind, depth
