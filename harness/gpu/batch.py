"""Applications of primitives, compiled one by one and evaluated together: one launch for a batch of any mixture."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from harness.compiler import Trace, Untraceable, compile_unit, trace_function
from harness.compiler.primitives import TRACED
from harness.gpu.device import AllDevicesFailed
from harness.gpu.sharing import MultiDevice
from harness.gpu.twins import Unkeyed, holds_functions, key_of, twin_of
from harness.vm.encoding import encode
from harness.vm.machine import Machine
from harness.vm.native import FAILED, OK, REASONS, Limits, NativeError

_LOG = logging.getLogger(__name__)
_MOST_UNITS = 4096  # that a machine keeps; beyond that all are forgotten
REFERENCE = "the reference"
HOST = "the host machine"


class NotCompiled(Exception):
    """An application that the machine is not asked for; the message is the reason by which it is counted."""


@dataclass(frozen=True)
class Application:
    """A primitive and its arguments, ready for the machine.

    Attributes:
        name: of the primitive.
        key: of what is compiled, the same where that is; None where it is compiled for this one alone.
        functions: the arguments that are functions, or hold them, by position.
        inputs: the others, encoded.
        arity: how many arguments there are.
    """

    name: str
    key: Any
    functions: dict[int, Any]
    inputs: tuple[bytes, ...]
    arity: int


@dataclass(frozen=True)
class Answer:
    """What the machine made of an application.

    Attributes:
        status: ``failed`` where the reference raises; ``left`` where the reference has to be asked.
        value: the result, where it is ok.
        reason: why it is left to the reference.
    """

    status: Literal["ok", "failed", "left"]
    value: Any = None
    reason: str = ""


def prepare(name: str, arguments: Sequence[Any]) -> Application:
    """Make an application of a primitive ready.

    Args:
        name: of the primitive, no alias.
        arguments: DSL values, and functions where the primitive takes them.

    Raises:
        NotCompiled: an argument is no value of the DSL.
    """
    functions: dict[int, Any] = {}
    inputs: list[bytes] = []
    for position, argument in enumerate(arguments):
        try:
            inputs.append(encode(argument))
        except TypeError:
            if not holds_functions(argument):
                raise NotCompiled("an argument is no value of the DSL") from None
            functions[position] = argument
        except OverflowError:
            raise NotCompiled("overflow") from None
        except RecursionError:
            raise NotCompiled("depth") from None
    try:
        key: Any = (name, len(arguments), *[(position, key_of(own)) for position, own in functions.items()])
    except Unkeyed:
        key = None
    return Application(name, key, functions, tuple(inputs), len(arguments))


def _trace(application: Application) -> Trace:
    functions, positions = application.functions, range(application.arity)

    def apply(*symbols: Any) -> Any:
        twins = {position: twin_of(function) for position, function in functions.items()}
        rest = iter(symbols)
        return TRACED[application.name](*[twins[p] if p in twins else next(rest) for p in positions])

    return trace_function(apply, len(application.inputs), application.name)


def _add_samples(machine: Machine, rows: Sequence[tuple[bytes, ...]]) -> list[int | str]:
    """Hand encoded inputs over to a machine; return its number of each sample, or why it refuses that."""
    numbers: list[int | str] = [""] * len(rows)
    for inputs in dict.fromkeys(map(len, rows)):
        waiting = [[k for k, row in enumerate(rows) if len(row) == inputs]]
        while waiting:
            own = waiting.pop()
            values = [b"".join(rows[k]) for k in own]
            starts = np.cumsum([0, *map(len, values)], dtype=np.uint64)
            try:
                first = machine.add_samples(b"".join(values), starts, inputs, np.zeros(len(own), bool))
            except NativeError as error:  # one of them nests too deep, say: the others need not suffer
                half = len(own) // 2
                if half:
                    waiting += [own[half:], own[:half]]
                else:
                    numbers[own[0]] = f"arguments refused: {error}"
            else:
                for k, number in zip(own, range(first, first + len(own)), strict=True):
                    numbers[k] = number
    return numbers


class Batcher:
    """A machine that evaluates applications of primitives.

    Attributes:
        lost: why the machine cannot be used any more; None while it can.
        launches: how often it evaluated.
        used: the devices of the last evaluation, for messages.
    """

    def __init__(self, machine: Machine | None, limits: Limits | None = None, lost: str | None = None) -> None:
        """Use a machine, which no one else must add units or samples to.

        Args:
            machine: None where there is none, and ``lost`` says why.
            limits: memory and work of one application.
            lost: see above.
        """
        self.lost = lost if machine is None else None
        self.launches = 0
        self.used = REFERENCE
        self._machine = machine
        self._limits = limits or Limits()
        self._units: dict[Any, tuple[int, Trace] | str] = {}  # by key: where, or why not
        self._count = 0  # units in the machine
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the machine, once it is not at work; may be called again."""
        with self._lock:
            machine, self._machine = self._machine, None
            self.lost = self.lost or "it was closed"
            if machine is not None:
                machine.close()

    def run(self, applications: Sequence[Application]) -> list[Answer]:
        """Evaluate applications in one launch.

        Raises:
            KeyboardInterrupt: Ctrl-C ended it.
        """
        with self._lock:
            self.used = REFERENCE
            if self._machine is None or self.lost is not None:
                return [Answer("left", reason=f"no device: {self.lost}") for _ in applications]
            try:
                return self._run(self._machine, applications)
            except AllDevicesFailed as error:
                self.lost = str(error)
                _LOG.warning("%s; the reference does it from here on", error)
                return [Answer("left", reason=f"no device: {error}") for _ in applications]

    def _run(self, machine: Machine, applications: Sequence[Application]) -> list[Answer]:
        if self._count + len(applications) > _MOST_UNITS:
            machine.clear_units()
            self._units.clear()
            self._count = 0
        answers: dict[int, Answer] = {}
        compiled: list[tuple[int, int, Trace]] = []  # position of the application, its unit, and how to read its output
        for k, application in enumerate(applications):
            place = self._unit(machine, application)
            if isinstance(place, str):
                answers[k] = Answer("left", reason=place)
            else:
                compiled.append((k, *place))
        try:
            samples = _add_samples(machine, [applications[k].inputs for k, _, _ in compiled])
            answers |= self._evaluate(machine, compiled, samples)
        finally:
            machine.clear_samples()
        return [answers[k] for k in range(len(applications))]

    def _evaluate(
        self, machine: Machine, compiled: Sequence[tuple[int, int, Trace]], samples: Sequence[int | str]
    ) -> dict[int, Answer]:
        """Return the answers by position of the application."""
        answers: dict[int, Answer] = {}
        ready: list[tuple[int, Trace]] = []
        units, numbers = [], []
        for (k, unit, traced), sample in zip(compiled, samples, strict=True):
            if isinstance(sample, str):
                answers[k] = Answer("left", reason=sample)
            else:
                ready.append((k, traced))
                units.append(unit)
                numbers.append(sample)
        if not ready:
            return answers
        count = len(ready)
        found = machine.evaluate(
            np.array(units, np.uint32),
            np.array(numbers, np.uint32),
            np.arange(count, dtype=np.uint64),
            count,
            limits=self._limits,
            outputs=True,
        )
        self.launches += 1
        self.used = machine.used if isinstance(machine, MultiDevice) else HOST
        for place, (k, traced) in enumerate(ready):
            if found.status[place] == OK:
                answers[k] = Answer("ok", traced.rebuild(found.output(place)))
            elif found.status[place] == FAILED:
                answers[k] = Answer("failed")
            else:
                answers[k] = Answer("left", reason=REASONS[int(found.reason[place])])
        return answers

    def _unit(self, machine: Machine, application: Application) -> tuple[int, Trace] | str:
        """Return where the unit of an application is, compiling it if need be; why there is none if it cannot be."""
        known = self._units.get(application.key) if application.key is not None else None
        if known is None:
            try:
                known = self._compile(machine, application)
            except (Untraceable, NativeError) as error:
                known = f"untraceable: {error}"
            if application.key is not None:
                self._units[application.key] = known
        return known

    def _compile(self, machine: Machine, application: Application) -> tuple[int, Trace]:
        traced = _trace(application)
        unit = compile_unit([traced])
        number = machine.add_unit(
            unit.code,
            unit.registers,
            unit.inputs,
            unit.constants,
            len(unit.constant_offsets) - 1,
            results=[(own.outputs, own.required) for own in unit.results],
        )
        self._count += 1
        return number, traced


def describe_reasons(reasons: Counter[str]) -> str:
    """Return counts by reason, for messages: ``overflow: 3, form: 1``."""
    return ", ".join(f"{reason}: {count}" for reason, count in reasons.most_common())
