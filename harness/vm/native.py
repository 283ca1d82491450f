"""The virtual machine's host library as Python sees it: thin wrappers over its plain C interface, fed with NumPy buffers.

Calls release the interpreter lock. The library is loaded when the first call needs it.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.vm import build, encoding
from harness.vm.opcodes import OPERATION

REASONS = ("none", "arena", "fuel", "overflow", "form", "depth")
"""Why the machine did not handle an evaluation, by number."""

OK, FAILED, NOT_HANDLED, NOT_RUN = 0, 1, 2, 255
"""Values of a status."""

_ERRORS = {1: "bad argument", 2: "out of memory", 3: "refused", 4: "busy", 5: "internal error"}
_OPERATION_ARENA = 64 << 20


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
        raise NativeUnavailable(f"{path.name} cannot be loaded: {error}; rebuild it: python -m harness.vm.build --force") from error
    loaded.vm_message.restype = ctypes.c_char_p
    loaded.vm_table_digest.restype = ctypes.c_char_p
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
    capacity = 1 << 16
    while True:
        out = ctypes.create_string_buffer(capacity)
        needed, nanoseconds = ctypes.c_uint64(), ctypes.c_uint64()
        status, reason = ctypes.c_uint8(), ctypes.c_uint8()
        code = library().vm_run_operation(
            ctypes.c_uint32(OPERATION[name].number),
            operands,
            ctypes.c_uint64(len(operands)),
            ctypes.c_uint32(len(values)),
            ctypes.c_uint64(_OPERATION_ARENA),
            ctypes.c_uint64(repeats),
            out,
            ctypes.c_uint64(capacity),
            ctypes.byref(needed),
            ctypes.byref(status),
            ctypes.byref(reason),
            ctypes.byref(nanoseconds),
        )
        check(code)
        if status.value == FAILED:
            return FAIL, nanoseconds.value
        if status.value == NOT_HANDLED:
            return Unhandled(REASONS[reason.value]), nanoseconds.value
        if needed.value <= capacity:
            return encoding.decode(ctypes.string_at(out, needed.value)), nanoseconds.value
        capacity = needed.value
