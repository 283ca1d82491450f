"""DSL values as bytes: how constants, inputs and outputs go to the virtual machine and come back.

Little endian; a value is a tag (u8) and what the tag says:

    0 None
    1 integer: i64
    2 tuple: u32 n, n values
    3 frozenset: u32 n, n values in canonical order
    4 grid: u8 h, u8 w, h * w x i8; any tuple of 1 to 255 tuples of the same 1 to 255 integers in -128 .. 127
    5 Boolean: u8
    6 indices: u32 n, n x (i32 i, i32 j), in canonical order; any frozenset of such pairs that is not empty
    7 object: u32 n, n x (i32 colour, i32 i, i32 j), in canonical order; any frozenset of such cells that is not empty

``encode`` gives equal values the same bytes, but for Booleans: one on its own, or in a tuple or set that is none of
4, 6 and 7, stays a Boolean. ``decode`` reads each form, also a grid that comes as tuples or a patch as a frozenset.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from struct import error as struct_error
from typing import Any

from harness.dsl.canonical import ordered

NONE, INTEGER, TUPLE, FROZENSET, GRID, BOOLEAN, INDICES, OBJECT = range(8)

_LARGEST_GRID = 255
_LONG = Struct("<q")
_TAGGED_LONG = Struct("<Bq")
_TAGGED_COUNT = Struct("<BI")
_COUNT = Struct("<I")
_LOCATION = Struct("<ii")
_CELL = Struct("<iii")
HEAD_OF_ONE = _TAGGED_COUNT.pack(TUPLE, 1)
"""How a tuple of one element begins; the element follows."""

_ROWS = tuple(Struct(f"{width}b") for width in range(_LARGEST_GRID + 1))
"""For each width, how a row of a grid is read."""


def encode(value: Any) -> bytes:
    """Return a DSL value as bytes.

    Raises:
        TypeError: for what is no DSL value, e.g. a function or a string.
        OverflowError: for an integer of more than 64 bits, or a container of 2**32 elements.
    """
    kind = type(value)
    if kind is tuple:
        return _encode_tuple(value)
    if kind is frozenset:
        return _encode_frozenset(value)
    if kind is bool:
        return bytes((BOOLEAN, value))
    if kind is int:
        try:
            return _TAGGED_LONG.pack(INTEGER, value)
        except struct_error:
            raise OverflowError(f"the integer {value} does not fit into 64 bits") from None
    if value is None:
        return bytes((NONE,))
    raise TypeError(f"{kind.__name__} is not a DSL value and cannot be encoded")


def _encode_tuple(value: tuple[Any, ...]) -> bytes:
    if 1 <= len(value) <= _LARGEST_GRID and set(map(type, value)) == {tuple} and len(set(map(len, value))) == 1:
        grid = _encode_grid(value)
        if grid is not None:
            return grid
    return _head(TUPLE, len(value)) + b"".join(map(encode, value))


def _head(tag: int, count: int) -> bytes:
    try:
        return _TAGGED_COUNT.pack(tag, count)
    except struct_error:
        raise OverflowError(f"a container of {count} elements cannot be encoded") from None


def _encode_grid(rows: tuple[tuple[Any, ...], ...]) -> bytes | None:
    """Return equally long tuples as a grid; None if they are none."""
    width = len(rows[0])
    if not 1 <= width <= _LARGEST_GRID:
        return None
    head = bytes((GRID, len(rows), width))
    try:
        cells = b"".join(map(bytes, rows))
        if cells.isascii():  # none of them from 128 to 255
            return head + cells
    except (TypeError, ValueError):  # not integers, or negative: quicker to find out than to ask
        pass
    try:
        return head + b"".join([_ROWS[width].pack(*row) for row in rows])
    except struct_error:  # not integers, or out of range
        return None


def _encode_frozenset(value: frozenset[Any]) -> bytes:
    for element in value:
        if type(element) is tuple and len(element) == 2:
            patch = _encode_patch(value, type(element[1]) is tuple)
            if patch is not None:
                return patch
        break
    return _head(FROZENSET, len(value)) + b"".join(map(encode, ordered(value)))


def _encode_patch(value: frozenset[Any], of_cells: bool) -> bytes | None:
    """Return a frozenset as an object or as indices; None if it is not what its first element let expect."""
    if set(map(type, value)) != {tuple}:
        return None
    try:
        if of_cells:
            if {type(cell[1]) for cell in value} != {tuple}:
                return None
            cells = sorted([(colour, i, j) for colour, (i, j) in value])
            return _head(OBJECT, len(cells)) + b"".join([_CELL.pack(*cell) for cell in cells])
        locations = sorted(value)
        return _head(INDICES, len(locations)) + b"".join([_LOCATION.pack(*location) for location in locations])
    except (IndexError, TypeError, ValueError, struct_error):  # other elements among them, or out of range
        return None


def decode(data: bytes | bytearray | memoryview) -> Any:
    """Return the value that bytes hold.

    Raises:
        ValueError: if they hold none, or more than one; the message says at which byte.
    """
    value, end = decode_at(memoryview(data), 0)
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes too many behind the value, which ends at byte {end}")
    return value


def decode_at(data: memoryview, start: int) -> tuple[Any, int]:
    """Return the value that begins at a byte, and where the next one begins.

    Raises:
        ValueError: if no whole value is there.
    """
    try:
        return _READERS[data[start]](data, start + 1)
    except (IndexError, struct_error) as error:
        raise ValueError(f"no value at byte {start} of {len(data)}: {error}") from None


def _decode_none(data: memoryview, start: int) -> tuple[None, int]:
    return None, start


def _decode_integer(data: memoryview, start: int) -> tuple[int, int]:
    return _LONG.unpack_from(data, start)[0], start + 8


def _decode_boolean(data: memoryview, start: int) -> tuple[bool, int]:
    return data[start] != 0, start + 1


def _decode_elements(data: memoryview, start: int) -> tuple[list[Any], int]:
    (count,) = _COUNT.unpack_from(data, start)
    at = start + 4
    elements = []
    for _ in range(count):
        value, at = _READERS[data[at]](data, at + 1)
        elements.append(value)
    return elements, at


def _decode_tuple(data: memoryview, start: int) -> tuple[tuple[Any, ...], int]:
    elements, end = _decode_elements(data, start)
    return tuple(elements), end


def _decode_frozenset(data: memoryview, start: int) -> tuple[frozenset[Any], int]:
    elements, end = _decode_elements(data, start)
    return frozenset(elements), end


def _decode_grid(data: memoryview, start: int) -> tuple[tuple[tuple[int, ...], ...], int]:
    height, width = data[start], data[start + 1]
    begin = start + 2
    end = begin + height * width
    if end > len(data) or not height or not width:
        raise IndexError(f"a grid of {height} rows and {width} columns")
    return tuple(_ROWS[width].iter_unpack(data[begin:end])), end


def _patch(data: memoryview, start: int, item: Struct) -> tuple[memoryview, int]:
    (count,) = _COUNT.unpack_from(data, start)
    end = start + 4 + count * item.size
    if end > len(data):
        raise IndexError(f"a patch of {count} cells")
    return data[start + 4 : end], end


def _decode_indices(data: memoryview, start: int) -> tuple[frozenset[tuple[int, int]], int]:
    items, end = _patch(data, start, _LOCATION)
    return frozenset(_LOCATION.iter_unpack(items)), end


def _decode_object(data: memoryview, start: int) -> tuple[frozenset[tuple[int, tuple[int, int]]], int]:
    items, end = _patch(data, start, _CELL)
    return frozenset([(colour, (i, j)) for colour, i, j in _CELL.iter_unpack(items)]), end


_READERS: tuple[Callable[[memoryview, int], tuple[Any, int]], ...] = (
    _decode_none,
    _decode_integer,
    _decode_tuple,
    _decode_frozenset,
    _decode_grid,
    _decode_boolean,
    _decode_indices,
    _decode_object,
)
"""By tag, what reads the value behind it."""
