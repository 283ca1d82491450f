"""Evaluate random units, well-formed ones that were changed a little, and random bytes as values, for some seconds.

Run by test_verify.py in a process of its own, which must not crash: prints how many units were refused and evaluated.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from typing import Any

import numpy as np

from harness.batt.loader import load_programs
from harness.compiler import compile_unit, trace
from harness.vm import encoding
from harness.vm.native import STATUS_NAMES, Limits, NativeEngine, NativeError
from harness.vm.opcodes import CONTROL, LOOP_KIND, NONE, OPCODES, OPERATION

REGISTERS = 24
LIMITS = Limits(arena_bytes=1 << 18, most_arena_bytes=1 << 20, most_output_bytes=1 << 18, fuel=3_000)


def random_value(chance: random.Random, depth: int = 3) -> Any:
    """Return a value of any kind, small numbers and grids more often than others."""
    kind = chance.randrange(9)
    count = chance.choice((0, 1, 1, 2, 2, 3, 5))
    if depth == 0 or kind < 2:
        return chance.choice(
            (None, True, False, 0, 1, 2, 3, -1, 9, 30, 127, -128, 600, 2**31, -(2**31), 2**62, -(2**63))
        )
    if kind == 2:
        return tuple(random_value(chance, depth - 1) for _ in range(count))
    if kind == 3:
        return frozenset(random_value(chance, depth - 1) for _ in range(count))
    places = [(chance.randrange(-3, 34), chance.randrange(-3, 34)) for _ in range(count + 1)]
    if kind == 4:
        return frozenset(places)
    if kind == 5:
        return frozenset((chance.randrange(10), place) for place in places)
    if kind == 6:
        return frozenset(frozenset((chance.randrange(3), place) for place in places[:k]) for k in range(count))
    height, width = chance.choice((1, 2, 3, 10, 30)), chance.choice((1, 2, 3, 10, 30))
    return tuple(tuple(chance.randrange(3) for _ in range(width)) for _ in range(height))


def random_body(chance: random.Random, defined: list[int], depth: int, length: int) -> list[list[int]]:
    """Return instructions that mostly keep the rules; ``defined`` are the registers that hold something."""
    code: list[list[int]] = []
    own = list(defined)
    for _ in range(length):
        kind = chance.randrange(10)
        to = chance.randrange(REGISTERS)
        some = [chance.choice(own[-6:] if chance.random() < 0.6 else own) for _ in range(4)]
        if kind == 0 and depth:
            element, other = chance.sample(range(REGISTERS), 2)
            loop_kind = chance.randrange(len(LOOP_KIND))
            code += _body(
                chance,
                own,
                depth,
                (element, other),
                [CONTROL["loop"].number, to, some[0], some[1], element, other, loop_kind, some[2]],
            )
        elif kind == 1 and depth:
            element = chance.randrange(REGISTERS)
            code += _body(chance, own, depth, (element,), [CONTROL["repeat"].number, to, some[0], some[1], element])
        elif kind == 2 and depth:
            arms = []
            for _ in range(2):
                arm = random_body(chance, own, depth - 1, chance.randrange(4))
                result = arm[-1][1] if arm else some[1]
                arms.append([*arm, [CONTROL["arm"].number, NONE, result]])
            code += [[CONTROL["if_"].number, to, some[0], len(arms[0]), len(arms[1])], *arms[0], *arms[1]]
        elif kind == 3:
            code.append([CONTROL["constant"].number, to, chance.randrange(4)])
        else:
            operation = chance.choice(list(OPERATION.values()))
            code.append([operation.number, to, *some[: operation.arity]])
        own.append(to)
    return code


def _body(
    chance: random.Random, own: list[int], depth: int, elements: tuple[int, ...], head: list[int]
) -> list[list[int]]:
    inner = random_body(chance, [*(r for r in own if r not in elements), *elements], depth - 1, chance.randrange(5))
    result = inner[-1][1] if inner else elements[0]
    return [head, *inner, [CONTROL["next"].number, NONE, result]]


def as_code(rows: list[list[int]]) -> np.ndarray:
    """Return instructions as an array, with an ``end`` behind them."""
    code = np.full((len(rows) + 1, 8), NONE, np.uint16)
    for own, row in zip(code, rows, strict=False):
        own[: len(row)] = row
    code[-1, 0] = CONTROL["end"].number
    return code


def mutated(chance: random.Random, code: np.ndarray) -> np.ndarray:
    """Return code with some fields, or the order of some instructions, changed."""
    code = code.copy()
    for _ in range(chance.choice((0, 1, 1, 2, 4))):
        row, column = chance.randrange(len(code)), chance.randrange(8)
        what = chance.randrange(5)
        if what == 0:
            code[row, column] = chance.randrange(1 << 16)
        elif what < 3:
            code[row, column] = chance.randrange(REGISTERS if column else len(OPCODES))
        elif what == 3:
            code[row] = code[chance.randrange(len(code))]
        else:
            code = np.delete(code, row, axis=0) if len(code) > 2 else code
    return code


def damaged(chance: random.Random, data: bytes) -> bytes:
    """Return encoded values, some of them changed or cut off."""
    if chance.random() < 0.8:
        return data
    broken = bytearray(data)
    for _ in range(chance.choice((1, 2, 3))):
        broken[chance.randrange(len(broken))] = chance.randrange(256)
    return bytes(broken[: chance.choice((len(broken), chance.randrange(len(broken) + 1)))])


def main() -> None:
    """Fuzz for as long as is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    programs, _ = load_programs(["harness.batt.solvers.tasks_0_to_3"])
    units = [compile_unit([trace(program)]) for program in programs[::2]]
    counts: Counter[str] = Counter()
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        engine = NativeEngine()
        samples = []
        while len(samples) < 6:
            try:
                data = damaged(chance, encoding.encode(random_value(chance)))
                samples.append(engine.add_sample([data], encoding.encode(random_value(chance))))
            except NativeError:
                counts["bad_values"] += 1
        for _ in range(20):
            if chance.random() < 0.3:
                unit = chance.choice(units)
                code, registers = mutated(chance, unit.code), unit.registers
                constants, number = damaged(chance, unit.constants or b"\0"), len(unit.constant_offsets) - 1
                outputs = [int(r) for r in unit.results[0].outputs]
            else:
                rows = random_body(chance, [0], chance.choice((1, 2, 3)), chance.choice((2, 4, 8)))
                code, registers = mutated(chance, as_code(rows)), REGISTERS
                constants, number = b"".join(encoding.encode(random_value(chance, 2)) for _ in range(4)), 4
                outputs = [rows[-1][1]]
            results = [(outputs, [])] * chance.choice((1, 1, 2))
            try:
                added = engine.add_unit(code, registers, 1, constants, number, results=results)
            except NativeError:
                counts["refused"] += 1
                continue
            pairs = (
                np.full(len(samples), added),
                np.array(samples),
                np.arange(len(samples), dtype=np.uint64) * len(results),
            )
            done = engine.evaluate(
                *pairs, len(samples) * len(results), outputs=True, counted=chance.random() < 0.5, limits=LIMITS
            )
            counts["evaluated"] += len(samples)
            counts.update(STATUS_NAMES[int(status)].replace(" ", "_") for status in done.status)
            for result in np.flatnonzero(done.status == 0).tolist():
                done.output(result)
        engine.close()
    print(*(f"{name}={count}" for name, count in counts.items()))


if __name__ == "__main__":
    main()
