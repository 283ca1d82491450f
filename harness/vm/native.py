"""The virtual machine's host library as Python sees it: thin wrappers over its C interface, fed with NumPy buffers.

Calls release the interpreter lock. The library is loaded when the first call needs it.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.vm import build, encoding
from harness.vm.opcodes import FIELDS, LOOP_KIND, OPCODES, OPERATION

REASONS = ("none", "arena", "fuel", "overflow", "form", "depth")
"""Why the machine did not handle an evaluation, by number."""

OK, FAILED, NOT_HANDLED, NOT_RUN = 0, 1, 2, 255
"""Values of a status."""

STATUS_NAMES = {OK: "ok", FAILED: "failed", NOT_HANDLED: "not handled", NOT_RUN: "not run"}

DIFFERENT, EQUAL, UNKNOWN = 0, 1, 255
"""Whether an output is the expected one."""

COUNTERS = (*(opcode.name for opcode in OPCODES), *(f"loop {name}" for name in LOOP_KIND))
"""What is counted, in the order of ``NativeEngine.counters``; control instructions come before operations."""

_ERRORS = {1: "bad argument", 2: "out of memory", 3: "refused", 4: "busy", 5: "internal error"}
_OPERATION_ARENA, _MOST_OPERATION_ARENA = 1 << 20, 64 << 20


class NativeUnavailable(Exception):
    """The library is not there or cannot be used; the message says why and how to get it."""


class NativeError(Exception):
    """A call of the library that returned an error; the message says what was wrong."""


@dataclass(frozen=True)
class Unhandled:
    """What an operation answers that it cannot tell, so that the reference has to; ``reason`` is one of ``REASONS``."""

    reason: str


class Fail:
    """What an operation answers where the reference raises."""

    def __repr__(self) -> str:
        """Return its name."""
        return "FAIL"


FAIL = Fail()


class _Job(ctypes.Structure):
    """``Job`` of engine.h."""

    _fields_ = (
        ("pairs", ctypes.c_uint64),
        ("units", ctypes.c_void_p),
        ("samples", ctypes.c_void_p),
        ("first_result", ctypes.c_void_p),
        ("results", ctypes.c_uint64),
        ("status", ctypes.c_void_p),
        ("reason", ctypes.c_void_p),
        ("equal", ctypes.c_void_p),
        ("nanoseconds", ctypes.c_void_p),
        ("cancel", ctypes.c_void_p),
        ("arena_bytes", ctypes.c_uint64),
        ("most_arena_bytes", ctypes.c_uint64),
        ("most_output_bytes", ctypes.c_uint64),
        ("fuel", ctypes.c_int64),
        ("threads", ctypes.c_uint32),
        ("want_outputs", ctypes.c_uint32),
        ("want_counters", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("output_bytes", ctypes.c_uint64),
        ("retried", ctypes.c_uint64),
        ("arena_used", ctypes.c_uint64),
        ("passes", ctypes.c_uint64),
        ("waiting", ctypes.c_uint64),
    )


_RESUMED, _IN_MAIN_THREAD = 1, 2  # flags of a job
_BY_SIGNAL = 2  # what Ctrl-C sets the cancel flag of a job to
_SIGNALLED = 6  # the error that tells that a signal ended an evaluation early

_U32, _U64, _ADDRESS = ctypes.c_uint32, ctypes.c_uint64, ctypes.c_void_p
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "vm_message": (ctypes.c_char_p, ()),
    "vm_table_digest": (ctypes.c_char_p, ()),
    "vm_create": (ctypes.c_int, (_ADDRESS,)),
    "vm_destroy": (None, (_ADDRESS,)),
    "vm_add_unit": (
        ctypes.c_int,
        (_ADDRESS, _ADDRESS, _U32, _U32, _U32, ctypes.c_char_p, _U64, _U32, _ADDRESS, _ADDRESS, _U32, _ADDRESS),
    ),
    "vm_clear_units": (ctypes.c_int, (_ADDRESS,)),
    "vm_clear_samples": (ctypes.c_int, (_ADDRESS,)),
    "vm_add_samples": (
        ctypes.c_int,
        (_ADDRESS, ctypes.c_char_p, _U64, _ADDRESS, _U64, _U32, _ADDRESS, _ADDRESS),
    ),
    "vm_evaluate": (ctypes.c_int, (_ADDRESS, _ADDRESS)),
    "vm_outputs": (ctypes.c_int, (_ADDRESS, _ADDRESS, _ADDRESS)),
    "vm_counters": (ctypes.c_int, (_ADDRESS, _ADDRESS)),
    "vm_run_operation": (
        ctypes.c_int,
        (_U32, ctypes.c_char_p, _U64, _U32, _U64, _U64, _ADDRESS, _U64, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS),
    ),
}


@cache
def library() -> ctypes.CDLL:
    """Return the library.

    Raises:
        NativeUnavailable: it is not built, or built for another table of opcodes, or cannot be loaded.
    """
    path = _find()
    try:
        loaded = ctypes.CDLL(str(path))
    except OSError as error:
        raise NativeUnavailable(
            f"{path.name} cannot be loaded: {error}; run: python -m harness.vm.build --force"
        ) from error
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    digest = loaded.vm_table_digest().decode()
    if digest != build.table_digest():
        raise NativeUnavailable(f"{path.name} was built for another opcodes.def; run: python -m harness.vm.build")
    return loaded


def _find() -> Path:
    levels = (True, False) if build.has_level() else (False,)
    for level in levels:
        path = build.library_path(level)
        if path.is_file():
            return path
    raise NativeUnavailable(f"{build.library_path(False).name} is not built; run: python -m harness.vm.build")


def unavailable() -> str | None:
    """Return why the library cannot be used; None if it can."""
    try:
        library()
    except NativeUnavailable as error:
        return str(error)
    return None


def check(code: int) -> None:
    """Raise NativeError if a call returned one."""
    if code:
        raise NativeError(f"{_ERRORS.get(code, code)}: {library().vm_message().decode()}")


def run_operation(name: str, *values: Any) -> Any:
    """Apply an operation of opcodes.def to values.

    Returns:
        Its result, or ``FAIL``, or an ``Unhandled``.

    Raises:
        NativeUnavailable: there is no library.
        NativeError: wrong number of values, or values that nest too deep.
        TypeError, OverflowError: for values that cannot be encoded.
    """
    return _run_operation(name, values, 1)[0]


def time_operation(name: str, *values: Any, repeats: int = 10_000) -> float:
    """Return the nanoseconds that an operation takes on values, the mean of ``repeats`` applications."""
    return _run_operation(name, values, repeats)[1] / repeats


def _run_operation(name: str, values: tuple[Any, ...], repeats: int) -> tuple[Any, int]:
    operands = b"".join(map(encoding.encode, values))
    capacity, arena = 1 << 16, _OPERATION_ARENA
    while True:
        out = ctypes.create_string_buffer(capacity)
        needed, nanoseconds = ctypes.c_uint64(), ctypes.c_uint64()
        status, reason = ctypes.c_uint8(), ctypes.c_uint8()
        results = [ctypes.addressof(result) for result in (needed, status, reason, nanoseconds)]
        number = OPERATION[name].number
        check(
            library().vm_run_operation(
                number, operands, len(operands), len(values), arena, repeats, out, capacity, *results
            )
        )
        if status.value == FAILED:
            return FAIL, nanoseconds.value
        if status.value == NOT_HANDLED and REASONS[reason.value] == "arena" and arena < _MOST_OPERATION_ARENA:
            arena = _MOST_OPERATION_ARENA
            continue
        if status.value == NOT_HANDLED:
            return Unhandled(REASONS[reason.value]), nanoseconds.value
        if needed.value <= capacity:
            return encoding.decode(ctypes.string_at(out, needed.value)), nanoseconds.value
        capacity = needed.value


@dataclass(frozen=True)
class Limits:
    """What an evaluation may use.

    Attributes:
        arena_bytes: memory of a thread's arena at first.
        most_arena_bytes: of the largest arena with which a pair is tried again that found too little.
        most_output_bytes: of one encoded output.
        fuel: instructions and iterations of one pair.
    """

    arena_bytes: int = 4 << 20
    most_arena_bytes: int = 256 << 20
    most_output_bytes: int = 64 << 20
    fuel: int = 20_000_000


@dataclass(frozen=True)
class Evaluated:
    """What ``NativeEngine.evaluate`` returns.

    Attributes:
        status: uint8 per result: ``OK``, ``FAILED``, ``NOT_HANDLED`` or, after a cancellation, ``NOT_RUN``.
        reason: uint8 per result, a position in ``REASONS``.
        equal: uint8 per result: ``EQUAL``, ``DIFFERENT`` or ``UNKNOWN``.
        nanoseconds: uint64 per pair, over all passes; None unless asked for.
        outputs: all encoded outputs; empty unless asked for.
        positions: uint64 per result and one more: where its output begins in ``outputs``, and where it ends.
        retried: pairs that needed a larger arena.
        arena_used: bytes of the arena that the pair that needed most used.
        waiting_s: seconds, summed over threads, that threads with nothing left to do waited for the last one at the end
            of a pass; None where that is not known.
    """

    status: NDArray[np.uint8]
    reason: NDArray[np.uint8]
    equal: NDArray[np.uint8]
    nanoseconds: NDArray[np.uint64] | None
    outputs: bytearray
    positions: NDArray[np.uint64]
    retried: int
    arena_used: int
    waiting_s: float | None = None

    def output(self, result: int) -> Any:
        """Return the tuple of a program's outputs; None where it has none."""
        view, places = self._read
        begin, end = places[result], places[result + 1]
        return encoding.decode(view[begin:end]) if end > begin else None

    @cached_property
    def _read(self) -> tuple[memoryview, list[int]]:
        """The outputs and the positions in forms that are quick to take one of."""
        return memoryview(self.outputs), self.positions.tolist()


class NativeEngine:
    """Units and samples in the library's memory, and their evaluation.

    An engine is used by one thread at a time; a call while another is under way raises NativeError.
    """

    def __init__(self, threads: int = 1) -> None:
        """Make an engine without units and samples.

        Args:
            threads: to evaluate with, for calls of ``evaluate`` that do not say.

        Raises:
            NativeUnavailable: there is no library.
        """
        self.threads = threads
        self._address = ctypes.c_void_p()
        self._library = library()
        check(self._library.vm_create(ctypes.addressof(self._address)))

    def close(self) -> None:
        """Free the library's memory; may be called again."""
        address, self._address = self._address, ctypes.c_void_p()
        self._library.vm_destroy(address)

    def __del__(self) -> None:
        """Free the library's memory."""
        if getattr(self, "_address", None):
            self.close()

    def add_unit(
        self,
        code: NDArray[np.uint16],
        registers: int,
        inputs: int,
        constants: bytes,
        constants_count: int,
        *,
        results: Sequence[tuple[Iterable[int], Iterable[int]]],
    ) -> int:
        """Verify a unit and keep it.

        Args:
            code: uint16 [n, 8], the instructions.
            registers: how many there are.
            inputs: how many of these are inputs, from the first on.
            constants: encoded values, one behind the other.
            constants_count: how many.
            results: of each program the output registers and the required registers.

        Returns:
            Its number.

        Raises:
            NativeError: the verifier refuses it; the message says why and at which instruction.
        """
        if code.ndim != 2 or code.shape[1] != FIELDS:
            raise ValueError(f"code has the shape [n, {FIELDS}], not {list(code.shape)}")
        lists = [list(registers) for program in results for registers in program]
        starts = np.cumsum([0, *map(len, lists)], dtype=np.uint32)
        flat = np.array([register for own in lists for register in own], dtype=np.uint16)
        instructions = np.ascontiguousarray(code, dtype=np.uint16)
        number = ctypes.c_uint32()
        check(
            self._library.vm_add_unit(
                self._address,
                instructions.ctypes.data,
                len(instructions),
                registers,
                inputs,
                constants,
                len(constants),
                constants_count,
                flat.ctypes.data,
                starts.ctypes.data,
                len(results),
                ctypes.addressof(number),
            )
        )
        return number.value

    def clear_units(self) -> None:
        """Forget all units; numbers begin at 0 again."""
        check(self._library.vm_clear_units(self._address))

    def add_sample(self, inputs: Sequence[bytes], expected: bytes | None = None) -> int:
        """Decode and keep encoded inputs and the expected output; return the number of the sample."""
        values = b"".join([*inputs, expected or b""])
        starts = np.array([0, len(values)], np.uint64)
        return self.add_samples(values, starts, len(inputs), np.array([expected is not None]))

    def add_samples(self, values: bytes, starts: NDArray[np.uint64], inputs: int, expected: NDArray[np.bool_]) -> int:
        """Decode and keep samples; all of them, or none.

        Args:
            values: encoded: of each sample its inputs and, behind them, the expected output if it has one.
            starts: uint64 [samples + 1], where the values of each sample begin, and where those of the last end.
            inputs: how many inputs each sample has.
            expected: bool [samples], whether there is an expected output.

        Returns:
            The number of the first; the others follow.

        Raises:
            NativeError: a sample is refused; the message says which one, and why.
            ValueError: the arrays do not belong together.
        """
        starts, has = np.ascontiguousarray(starts, np.uint64), np.ascontiguousarray(expected, np.uint8)
        if len(starts) != len(has) + 1:
            raise ValueError(f"{len(has)} samples have {len(has) + 1} starts, not {len(starts)}")
        number = ctypes.c_uint32()
        check(
            self._library.vm_add_samples(
                self._address,
                values,
                len(values),
                starts.ctypes.data,
                len(has),
                inputs,
                has.ctypes.data,
                ctypes.addressof(number),
            )
        )
        return number.value

    def clear_samples(self) -> None:
        """Forget all samples, and free their memory; numbers begin at 0 again."""
        check(self._library.vm_clear_samples(self._address))

    def evaluate(
        self,
        units: NDArray[np.uint32],
        samples: NDArray[np.uint32],
        first_result: NDArray[np.uint64],
        results: int,
        *,
        threads: int | None = None,
        limits: Limits = Limits(),
        outputs: bool = False,
        timed: bool = False,
        counted: bool = False,
        cancel: NDArray[np.int32] | None = None,
        passes: int = 1,
    ) -> Evaluated:
        """Evaluate pairs of a unit and a sample.

        Args:
            units: uint32 [pairs], numbers of units.
            samples: uint32 [pairs], numbers of samples.
            first_result: uint64 [pairs], where the results of the unit's programs begin.
            results: how many there are.
            threads: how many to use; None for as many as the engine has.
            limits: memory and work of a pair.
            outputs: whether to return what the programs return.
            timed: whether to measure each pair: by the processor's cycle counter, from the end of the one before.
            counted: whether to count; see ``counters``.
            cancel: int32 [1]; the evaluation ends soon after another thread has set it to 1.
            passes: how often to evaluate them all, one pass after the other, with nothing in between. Times and
                counters are of all passes, outputs of the last.

        Raises:
            NativeError: an argument is wrong, or memory is short.
            KeyboardInterrupt: Ctrl-C ended it.
        """
        units, samples = np.ascontiguousarray(units, np.uint32), np.ascontiguousarray(samples, np.uint32)
        first_result = np.ascontiguousarray(first_result, np.uint64)
        if not len(units) == len(samples) == len(first_result):
            raise ValueError("units, samples and first_result differ in length")
        status, reason, equal = (np.empty(results, np.uint8) for _ in range(3))
        nanoseconds = np.zeros(len(units), np.uint64) if timed else None
        cancel = np.zeros(1, np.int32) if cancel is None else cancel
        job = _Job(
            pairs=len(units),
            units=units.ctypes.data,
            samples=samples.ctypes.data,
            first_result=first_result.ctypes.data,
            results=results,
            status=status.ctypes.data,
            reason=reason.ctypes.data,
            equal=equal.ctypes.data,
            nanoseconds=None if nanoseconds is None else nanoseconds.ctypes.data,
            cancel=cancel.ctypes.data,
            arena_bytes=limits.arena_bytes,
            most_arena_bytes=limits.most_arena_bytes,
            most_output_bytes=limits.most_output_bytes,
            fuel=limits.fuel,
            threads=self.threads if threads is None else threads,
            want_outputs=outputs,
            want_counters=counted,
            passes=passes,
        )
        self._run(job, cancel)
        waiting_s = job.waiting * 1e-9 if timed else None
        buffer, positions = bytearray(job.output_bytes), np.zeros(results + 1, np.uint64)
        if outputs:
            begin = (ctypes.c_char * len(buffer)).from_buffer(buffer) if buffer else None
            check(self._library.vm_outputs(self._address, positions.ctypes.data, begin))
            del begin
        return Evaluated(status, reason, equal, nanoseconds, buffer, positions, job.retried, job.arena_used, waiting_s)

    def _run(self, job: _Job, cancel: NDArray[np.int32]) -> None:
        """Evaluate in this thread. If it is the main one, signals end the evaluation until Python has handled them."""
        job.flags = _IN_MAIN_THREAD if threading.current_thread() is threading.main_thread() else 0
        while True:
            code = self._library.vm_evaluate(self._address, ctypes.addressof(job))
            if code != _SIGNALLED:
                check(code)
                return
            # Here, between two instructions, Python has called its handler, and that raised nothing.
            if cancel[0] == _BY_SIGNAL:
                cancel[0] = 0
            job.flags |= _RESUMED

    def counters(self) -> NDArray[np.uint64]:
        """Return uint64 [counters, 3]: executions, elements and cycles of each of ``COUNTERS``.

        They are those of the last evaluation, and zero unless it was ``counted``. Cycles are those of the time stamp
        counter on x86, else nanoseconds.
        """
        values = np.zeros((len(COUNTERS), 3), np.uint64)
        check(self._library.vm_counters(self._address, values.ctypes.data))
        return values
