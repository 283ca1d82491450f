"""Many values at once to bytes and back: the same as one at a time, whatever is among them."""

from __future__ import annotations

import gc
import random
from typing import Any

import numpy as np
import pytest

from harness.vm import encoding, native, packing
from harness.vm.native import NativeEngine, NativeError

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))


def grid(height: int, width: int, least: int = 0, greatest: int = 9) -> tuple[tuple[int, ...], ...]:
    chance = random.Random(height * 1000 + width)
    return tuple(tuple(chance.randint(least, greatest) for _ in range(width)) for _ in range(height))


GRIDS = [
    grid(1, 1),
    grid(30, 30),
    grid(3, 255, -128, 127),
    grid(255, 3),
    grid(255, 255, -128, 127),
    ((True, 2), (3, -1)),
]
OTHERS: list[Any] = [
    None, 5, True, -(2**63), (), ((),), ((), ()), ((1, 2), (3,)), ((1, 2), 3), ((128,),), ((2**70 // 2**8,),),
    ((-129,),), ((1, (2,)),), (1, 2, 3), frozenset(), frozenset({(1, 2)}), frozenset({(3, (1, 2))}), grid(256, 2),
    grid(2, 256), ((None,),), (grid(2, 2), grid(3, 3)),
]  # fmt: skip


@pytest.fixture(params=["library", "python"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the library's functions for grids, and without."""
    if request.param == "python":
        monkeypatch.setattr(packing, "_grids", lambda: None)
    else:
        assert packing._grids() is not None
    return str(request.param)


@pytest.mark.parametrize("seed", range(8))
def test_bytes_are_those_of_each_value_and_come_back(way: str, seed: int) -> None:
    chance = random.Random(seed)
    values = [
        chance.choice(GRIDS if chance.random() < 0.7 else OTHERS) for _ in range(chance.choice([0, 1, 2, 40, 300]))
    ]
    data, starts = packing.encode_all(values)
    assert [data[a:b] for a, b in zip(starts.tolist(), starts[1:].tolist(), strict=False)] == list(
        map(encoding.encode, values)
    )
    back = packing.decode_all(bytearray(data), starts[:-1], starts[1:])
    assert back == values
    assert [*map(type, back)] == [*map(type, values)]


@pytest.mark.parametrize("value", OTHERS + GRIDS, ids=lambda value: repr(value)[:20])
def test_each_value_alone(way: str, value: Any) -> None:
    data, starts = packing.encode_all([value])
    assert (data, starts.tolist()) == (encoding.encode(value), [0, len(data)])
    assert packing.decode_all(bytearray(data), starts[:-1], starts[1:]) == [value]


@pytest.mark.parametrize("value", [[1], "text", ((1.0,),), (([1],),), ((1, "a"),), len])
def test_what_is_no_value_is_refused_as_by_encode(way: str, value: Any) -> None:
    with pytest.raises(TypeError, match="not a DSL value"):
        packing.encode_all([grid(2, 2), value, grid(3, 3)])


def test_an_integer_too_large_is_refused(way: str) -> None:
    with pytest.raises(OverflowError, match="64 bits"):
        packing.encode_all([grid(2, 2), ((2**70,),)])


def test_bytes_that_hold_no_value_are_refused(way: str) -> None:
    data = bytearray(b"\x04\x02\x02\x01\x01\x01" + encoding.encode(GRIDS[0]))
    places = np.array([0, 6], np.uint64), np.array([6, len(data)], np.uint64)
    with pytest.raises(ValueError, match="2 rows and 2 columns"):
        packing.decode_all(data, *places)
    with pytest.raises(ValueError, match="outside"):
        packing.decode_all(data, np.array([6], np.uint64), np.array([len(data) + 1], np.uint64))
    with pytest.raises(ValueError, match="outside"):
        packing.decode_all(data, np.array([6], np.uint64), np.array([5], np.uint64))


def test_grids_that_come_back_may_be_used_and_dropped_as_any(way: str) -> None:
    data, starts = packing.encode_all(GRIDS * 50)
    for _ in range(3):
        back = packing.decode_all(bytearray(data), starts[:-1], starts[1:])
        cycle: list[Any] = [back]
        cycle.append((cycle, back[0], *back[1]))  # containers with them in a cycle are collected
        gc.collect()
        assert hash(back[1]) == hash(GRIDS[1])
        assert back[-len(GRIDS) :] == GRIDS
        del back, cycle
        gc.collect()


def test_samples_are_added_all_or_none() -> None:
    engine = NativeEngine()
    try:
        data, starts = packing.encode_all([GRIDS[0], GRIDS[1], GRIDS[0]])
        assert engine.add_samples(data, starts[[0, 2, 3]], 1, np.array([True, False])) == 0
        assert engine.add_samples(data, starts, 1, np.zeros(3, bool)) == 2
        with pytest.raises(NativeError, match="sample 1: value 1 is no encoded value"):
            engine.add_samples(data, starts, 1, np.array([False, True, False]))
        with pytest.raises(NativeError, match="sample 0: there are bytes behind the last value"):
            engine.add_samples(data, starts[[0, 2, 3]], 1, np.array([False, False]))
        with pytest.raises(NativeError, match="sample 2 lies outside"):
            engine.add_samples(data[:-1], starts, 1, np.zeros(3, bool))
        with pytest.raises(ValueError, match="3 samples have 4 starts, not 3"):
            engine.add_samples(data, starts[:-1], 1, np.zeros(3, bool))
        assert engine.add_samples(data, starts[[0, 2, 3]], 1, np.array([True, False])) == 5
        assert engine.add_samples(b"", np.zeros(1, np.uint64), 1, np.zeros(0, bool)) == 7
        engine.clear_samples()
        assert engine.add_samples(data, starts, 1, np.zeros(3, bool)) == 0
    finally:
        engine.close()
