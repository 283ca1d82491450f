"""What the primitives of compiled programs cost: the virtual machine's counters, under the reference's names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from harness.dsl.table import ALL
from harness.vm.engine import Engine
from harness.vm.native import COUNTERS, NOT_HANDLED
from harness.vm.opcodes import CONTROL, LOOP_KIND, OPERATION

CONTROL_FAMILY = "control"
"""What compiled programs do that no primitive stands for."""

_PRIMITIVE_OF_LOOP = {
    "map": "apply",
    "map_merge": "mapply",
    "filter": "sfilter",
    "zip": "papply",
    "zip_merge": "mpapply",
    "product": "prapply",
    "arg_rank": "get_arg_rank",
    "val_rank": "get_val_rank",
}


@dataclass(frozen=True)
class Cost:
    """What a primitive cost in evaluations of a program.

    Attributes:
        program: its number in the engine.
        primitive: name, as programs call it; of an instruction without one, the opcode's.
        family: of the primitive, or ``CONTROL_FAMILY``.
        evaluations: of the program, in which this was counted.
        calls: executions.
        seconds: in it, without what its function does.
    """

    program: int
    primitive: str
    family: str
    evaluations: int
    calls: int
    seconds: float


@dataclass(frozen=True)
class Executions:
    """How often evaluations of a program execute an opcode.

    Attributes:
        program: its number in the engine.
        opcode: one of ``COUNTERS``.
        evaluations: of the program, all of which the machine handled.
        executions, elements: in all of these.
    """

    program: int
    opcode: str
    evaluations: int
    executions: int
    elements: int


def names_of_counters() -> list[tuple[str, str] | None]:
    """Return (primitive, family) of each of ``COUNTERS``; None for what another one counts too."""
    loop = CONTROL["loop"].number  # its executions are those of the kinds of loops, all together
    control = [None if opcode.number == loop else _named(opcode.name, CONTROL_FAMILY) for opcode in CONTROL.values()]
    control[CONTROL["repeat"].number] = _named("power")
    operations = [_named(name) for name in OPERATION]
    loops = [_named(_PRIMITIVE_OF_LOOP.get(name, name)) for name in LOOP_KIND]
    names = [*control, *operations, *loops]
    assert len(names) == len(COUNTERS)
    return names


def _named(name: str, family: str | None = None) -> tuple[str, str]:
    return name, family or (ALL[name].family if name in ALL else CONTROL_FAMILY)


def profile_native(engine: Engine, pairs: Iterable[tuple[int, int]]) -> Iterator[Cost]:
    """Evaluate pairs of (program, sample), one program's side by side, with their operations counted.

    The machine counts cycles. They become seconds by the ratio of all that these evaluations took to all cycles
    counted, so that the seconds add up to the machine's.

    Raises:
        KeyboardInterrupt: Ctrl-C ended it.
    """
    names = names_of_counters()
    programs, counters, evaluations, nanoseconds = [], [], [], 0
    for program, own in groupby(pairs, lambda pair: pair[0]):
        met = list(own)
        engine.evaluate(met, fallback=False)  # the second time memory is there
        found = engine.evaluate(met, timed=True, counted=True, fallback=False)
        assert found.counters is not None
        assert found.nanoseconds is not None
        programs.append(program)
        counters.append(found.counters)
        evaluations.append(len(met))
        nanoseconds += int(found.nanoseconds.sum())
    cycles = sum(int(own[:, 2].sum()) for own in counters)
    seconds_per_cycle = nanoseconds * 1e-9 / cycles if cycles else 0.0
    for program, count, own_counters in zip(programs, evaluations, counters, strict=True):
        for number in np.flatnonzero(own_counters[:, 0]).tolist():
            name = names[number]
            if name is not None:
                executions, _, spent = own_counters[number].tolist()
                yield Cost(program, *name, count, executions, spent * seconds_per_cycle)


def count_native(engine: Engine, pairs: Iterable[tuple[int, int]]) -> Iterator[Executions]:
    """Count what pairs of (program, sample), one program's side by side, execute: each of them once.

    The same bytecode on the same samples executes the same on every machine, so a device that did these evaluations
    has counted as much. What this machine does not handle is not counted.

    Raises:
        KeyboardInterrupt: Ctrl-C ended it.
    """
    for program, own in groupby(pairs, lambda pair: pair[0]):
        met = list(own)
        handled = engine.evaluate(met, fallback=False).status != NOT_HANDLED
        met = [pair for pair, done in zip(met, handled.tolist(), strict=True) if done]
        counters = engine.evaluate(met, counted=True, fallback=False).counters
        assert counters is not None
        for number in np.flatnonzero(counters[:, 0]).tolist():
            executions, elements, _ = counters[number].tolist()
            yield Executions(program, COUNTERS[number], len(met), executions, elements)
