"""Many DSL values to bytes and back with one call. The library does grids; ``encoding`` does what else there is.

The library reads and makes Python's tuples through functions of Python's stable interface that it is given here, so it
depends on no version of Python. Where there is no library, or no such interface, ``encoding`` does it all.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.vm import encoding
from harness.vm.native import NativeUnavailable, check, library

_USUAL_GRID = 256  # bytes
_LARGEST_GRID = 3 + 255 * 255
_OTHER = object()
"""What the library puts where there is no grid."""

_FUNCTIONS = (
    "PyTuple_Size",
    "PyTuple_GetItem",
    "PyLong_AsLong",
    "PyErr_Occurred",
    "PyErr_Clear",
    "PyTuple_New",
    "PyTuple_SetItem",
    "PyLong_FromLong",
    "Py_IncRef",
    "Py_DecRef",
)
"""The members of ``Python`` of python_grids.h."""


class _Grids:
    """The library's functions for grids, called with the interpreter lock held."""

    def __init__(self) -> None:
        """Load them.

        Raises:
            NativeUnavailable: there is no library.
            AttributeError: there is no such interface of Python.
        """
        functions = [ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value for name in _FUNCTIONS]
        self._python = (ctypes.c_void_p * len(functions))(*functions)
        loaded = ctypes.PyDLL(library()._name)
        address, count = ctypes.c_void_p, ctypes.c_uint64
        self._encode = loaded.vm_encode_grids
        self._encode.argtypes = (address, ctypes.py_object, count, count, address, count, address, address)
        self._encode.restype = ctypes.c_int
        self._decode = loaded.vm_decode_grids
        self._decode.argtypes = (address, address, address, address, count, ctypes.py_object)
        self._decode.restype = ctypes.py_object

    def encode(self, values: tuple[Any, ...], first: int, ends: NDArray[np.uint64], room: int) -> tuple[bytes, int]:
        """Encode grids from the first on, as many as there is room for; return bytes, and how many values those are."""
        buffer, done = ctypes.create_string_buffer(room), ctypes.c_uint64()
        check(
            self._encode(
                self._python,
                values,
                first,
                len(values) - first,
                buffer,
                room,
                ends[first:].ctypes.data,
                ctypes.addressof(done),
            )
        )
        size = int(ends[first + done.value - 1])
        return ctypes.string_at(buffer, size), done.value

    def decode(self, data: bytearray, starts: NDArray[np.uint64], ends: NDArray[np.uint64]) -> tuple[Any, ...]:
        """Return the grid, or ``_OTHER``, that the bytes from each start to its end are."""
        view = (ctypes.c_char * len(data)).from_buffer(data)
        found: tuple[Any, ...] = self._decode(
            self._python, view, starts.ctypes.data, ends.ctypes.data, len(starts), _OTHER
        )
        return found


@cache
def _grids() -> _Grids | None:
    try:
        return _Grids()
    except (NativeUnavailable, AttributeError):
        return None


def encode_all(values: Sequence[Any]) -> tuple[bytes, NDArray[np.uint64]]:
    """Return values as bytes, one behind the other, and uint64 [values + 1]: where each begins, and the end.

    The bytes of each value are those of ``encoding.encode``.

    Raises:
        TypeError, OverflowError: as ``encoding.encode``.
    """
    starts = np.zeros(len(values) + 1, np.uint64)
    grids = _grids()
    if grids is None:
        parts = [encoding.encode(value) for value in values]
        np.cumsum([len(part) for part in parts], out=starts[1:])
        return b"".join(parts), starts
    every, ends = tuple(values), starts[1:]
    parts, first, at = [], 0, 0
    while first < len(every):
        room = _LARGEST_GRID + _USUAL_GRID * (len(every) - first)
        data, done = grids.encode(every, first, ends, room)
        own = ends[first : first + done]
        sizes = np.diff(own, prepend=np.uint64(0))
        begin = 0
        for k in np.flatnonzero(sizes == 0).tolist():  # no grids
            end = int(own[k])
            other = encoding.encode(every[first + k])
            sizes[k] = len(other)
            parts += [data[begin:end], other]
            begin = end
        parts.append(data[begin:])
        np.cumsum(sizes, out=own)
        own += np.uint64(at)
        at = int(own[-1])
        first += done
    return b"".join(parts), starts


def decode_all(data: bytearray, starts: NDArray[np.uint64], ends: NDArray[np.uint64]) -> list[Any]:
    """Return the value that the bytes from each start to its end are.

    Raises:
        ValueError: as ``encoding.decode``; or a value lies outside of the bytes.
    """
    starts, ends = np.ascontiguousarray(starts, np.uint64), np.ascontiguousarray(ends, np.uint64)
    if len(starts) != len(ends) or (starts > ends).any() or (ends > len(data)).any():
        raise ValueError("a value lies outside of the bytes")
    grids = _grids()
    found = [_OTHER] * len(starts) if grids is None or not data else [*grids.decode(data, starts, ends)]
    view = memoryview(data)
    for k, value in enumerate(found):
        if value is _OTHER:
            found[k] = encoding.decode(view[int(starts[k]) : int(ends[k])])
    return found


__all__ = ["decode_all", "encode_all"]
