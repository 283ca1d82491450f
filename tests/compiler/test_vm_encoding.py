"""Values as bytes: what is written is read again, in the form that the machine knows."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.dsl.canonical import canonical_key
from harness.vm.encoding import decode, encode

integers = st.integers(-(2**63), 2**63 - 1) | st.integers(-200, 300)
colours = st.integers(-128, 127)


@st.composite
def grids(draw: st.DrawFn) -> tuple[tuple[int, ...], ...]:
    width = draw(st.integers(1, 6))
    rows = st.lists(colours, min_size=width, max_size=width).map(tuple)
    return tuple(draw(st.lists(rows, min_size=1, max_size=6)))


near = st.integers(-(2**31), 2**31 - 1) | st.integers(-5, 40)
locations = st.tuples(near, near)
patches = st.frozensets(locations) | st.frozensets(st.tuples(near, locations))
leaves = st.none() | st.booleans() | integers | grids() | patches | locations


def containers(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(inner, max_size=4).map(tuple) | st.frozensets(inner, max_size=4)


values = st.recursive(leaves, containers, max_leaves=12)


@settings(max_examples=150, deadline=None)
@given(values)
def test_values_are_read_as_they_were_written(value: object) -> None:
    assert decode(encode(value)) == value


@settings(max_examples=60, deadline=None)
@given(st.frozensets(values, max_size=5))
def test_sets_are_written_in_canonical_order(value: frozenset[object]) -> None:
    data = encode(value)
    assert data == encode(frozenset(sorted(value, key=canonical_key)))
    if data[0] == 3:
        parts = b"".join(encode(element) for element in sorted(value, key=canonical_key))
        assert data == struct.pack("<BI", 3, len(value)) + parts


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (None, b"\0"),
        (-2, b"\1" + b"\xfe" + b"\xff" * 7),
        (True, b"\5\1"),
        (False, b"\5\0"),
        ((), b"\2\0\0\0\0"),
        (((),), b"\2\1\0\0\0" + b"\2\0\0\0\0"),
        (((1, -1), (127, -128)), b"\4\2\2\1\xff\x7f\x80"),
        (((128,),), b"\2\1\0\0\0" + b"\2\1\0\0\0" + b"\1\x80" + b"\0" * 7),
        (frozenset(), b"\3\0\0\0\0"),
        (frozenset({(2, 1), (-1, 5)}), b"\6\2\0\0\0" + struct.pack("<4i", -1, 5, 2, 1)),
        (frozenset({(2, (1, 0)), (1, (3, 0))}), b"\7\2\0\0\0" + struct.pack("<6i", 1, 3, 0, 2, 1, 0)),
        (frozenset({1, None}), b"\3\2\0\0\0" + b"\0" + b"\1\1" + b"\0" * 7),
    ],
)
def test_forms(value: object, data: bytes) -> None:
    assert encode(value) == data
    assert decode(data) == value


@pytest.mark.parametrize(
    "value",
    [
        frozenset({(1, 2), (1, 2, 3)}),
        frozenset({(1, 2), (1, (2, 3))}),
        frozenset({(1, (2, 3)), (1, 2)}),
        frozenset({(None, (2, 3))}),
        frozenset({(1, (2, 3)), 5}),
        frozenset({(2**40, 1)}),
        frozenset({(1, frozenset({1, 2}))}),
        ((1, 2), (1, None)),
        ((1, 2), (1,)),
        ((1,) * 256,),
        ((1,),) * 256,
        ((1, 200),),
    ],
)
def test_what_only_looks_like_a_grid_or_patch(value: object) -> None:
    data = encode(value)
    assert data[0] in (2, 3)
    assert decode(data) == value


def test_other_forms_of_a_value_are_read() -> None:
    row = b"\2\2\0\0\0" + encode(1) + encode(2)
    assert decode(b"\2\1\0\0\0" + row) == ((1, 2),)
    assert decode(b"\3\1\0\0\0" + row) == frozenset({(1, 2)})
    assert decode(memoryview(b"\6\0\0\0\0")) == frozenset()


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(OverflowError, match="64 bits"):
        encode((2**63, 1))
    for value in ("text", [1], 1.5, len):
        with pytest.raises(TypeError, match="not a DSL value"):
            encode((1, value))


@pytest.mark.parametrize(
    "data", [b"", b"\x09", b"\1\0", b"\2\2\0\0\0\0", b"\4\2\2\0\0", b"\4\0\1", b"\7\1\0\0\0\0", b"\0\0"]
)
def test_bytes_that_hold_no_value_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="byte"):
        decode(data)
