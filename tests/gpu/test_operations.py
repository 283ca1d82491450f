"""Batch operations: equal to the reference for every primitive, on the device, and loud where they are not."""

from __future__ import annotations

import linecache
import logging
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import test_ops_containers
import test_ops_grids
import test_ops_patches
from fake_device import Behaviour, FakeDevice
from hypothesis import given
from hypothesis import strategies as st

from harness.dsl import *
from harness.dsl.table import ALIASES, ALL
from harness.gpu.batch import REFERENCE
from harness.gpu.operations import BATCHED, GPUDSLOperations
from harness.gpu.sharing import MultiDevice
from harness.vm import native
from harness.vm.native import FAIL
from harness.vm.opcodes import OPERATION

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))

Make = Callable[[random.Random], tuple[Any, ...]]

OPERANDS: dict[str, Make] = {
    **{name: test_ops_containers.each(*makes) for name, makes in test_ops_grids.TYPED.items()},
    **test_ops_patches.WELL_TYPED,
    **test_ops_containers.WELL_TYPED,
}
SQUARES = tuple(tuple(tuple((i * j + k) % 10 for j in range(4)) for i in range(4)) for k in range(5))
NUMBERS = ((3, 1, 2), frozenset({5, -1, 0}), (), (2, 2, 0, -7))
HIGHER: dict[str, list[list[Any]]] = {
    "apply": [[rot90, compose(first, hmirror), lambda g: mir_rot_t(g, R5)], [SQUARES, SQUARES[:2], ()]],
    "mapply": [[rot90, fork(hconcat, rot90, dmirror), lbind(hconcat, SQUARES[0])], [SQUARES, (), SQUARES[1:]]],
    "rapply": [[(rot90, rot180), frozenset({palette, initset})], [SQUARES[0], SQUARES[1]]],
    "papply": [[hconcat, lambda a, b: vconcat(b, a)], [SQUARES, SQUARES[1:]], [SQUARES[::-1], SQUARES]],
    "mpapply": [[hconcat, vconcat], [SQUARES, SQUARES[1:]], [SQUARES[::-1], SQUARES]],
    "prapply": [[add, multiply], [NUMBERS[0], NUMBERS[1]], [NUMBERS[1], NUMBERS[3]]],
    "sfilter": [[*NUMBERS], [positive, even, matcher(identity, 5), positive]],
    "mfilter": [[SQUARES, SQUARES[:1]], [lambda g: equality(numcolors(g), 4), square]],
    "extract": [[*NUMBERS], [positive, even, positive, matcher(identity, 0)]],
    "order": [[*NUMBERS], [invert, identity, invert, power(increment, 3)]],
    "argmax": [[*NUMBERS], [identity, invert, identity, rbind(subtract, 3)]],
    "argmin": [[*NUMBERS], [identity, invert, identity, lbind(multiply, -1)]],
    "valmax": [[*NUMBERS], [identity, invert, double, halve]],
    "valmin": [[*NUMBERS], [identity, invert, double, chain(increment, double, increment)]],
    "get_arg_rank": [[*NUMBERS], [identity] * 4, [0, 1, 0, -1]],
    "get_val_rank": [[*NUMBERS], [invert] * 4, [0, 1, 0, -1]],
}


def by_reference(name: str, row: tuple[Any, ...]) -> Any:
    try:
        return ALL[name].function(*row)
    except Exception:
        return FAIL


@pytest.fixture(scope="module")
def device() -> FakeDevice:
    return FakeDevice()


@pytest.fixture(scope="module")
def ops(device: FakeDevice) -> Iterator[GPUDSLOperations]:
    with GPUDSLOperations(MultiDevice([device]), failed="return") as made:
        yield made


def test_every_primitive_that_computes_a_value_is_tested_and_listed(ops: GPUDSLOperations) -> None:
    assert OPERANDS.keys() | HIGHER.keys() == set(BATCHED)
    assert set(ALL) - set(BATCHED) == {"compose", "chain", "fork", "lbind", "rbind", "matcher", "power"}
    assert {f"batch_{name}" for name in BATCHED} <= set(dir(ops))
    for alias, name in ALIASES.items():
        assert hasattr(ops, f"batch_{alias}") == (name in BATCHED)


@pytest.mark.parametrize("name", OPERANDS)
def test_it_is_equal_to_the_reference(ops: GPUDSLOperations, device: FakeDevice, name: str) -> None:
    r = random.Random(name)
    rows = [OPERANDS[name](r) for _ in range(40)]
    before = len(device.calls)
    # Lists hold one value for each evaluation, so that operands must not be lists, and are not.
    found = getattr(ops, f"batch_{name}")(*map(list, zip(*rows, strict=True)))
    for row, value in zip(rows, found, strict=True):
        assert value == by_reference(name, row), (name, row)
    assert len(device.calls) > before  # one launch, and what ran out of its arena again
    assert ops.last is not None
    assert ops.last.fell_back.total() <= len(rows) // 4
    assert device._native.counters()[OPERATION[name].number, 0] > 0 or name == "identity"


@pytest.mark.parametrize("name", HIGHER)
def test_functions_are_traced_whatever_they_are(ops: GPUDSLOperations, device: FakeDevice, name: str) -> None:
    rows = list(zip(*HIGHER[name], strict=True)) if len({len(c) for c in HIGHER[name]}) == 1 else []
    assert rows
    found = getattr(ops, f"batch_{name}")(*HIGHER[name])
    assert found == [by_reference(name, row) for row in rows]
    assert ops.last is not None
    assert ops.last.device == "cuda:0"
    assert not ops.last.fell_back


@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), min_size=1, max_size=20), st.integers(-9, 9))
def test_what_is_no_list_is_the_same_for_all(pairs: list[tuple[int, int]], number: int) -> None:
    with GPUDSLOperations(MultiDevice([FakeDevice()])) as ops:
        assert ops.batch_add(pairs, number) == [add(pair, number) for pair in pairs]
        assert ops.batch_astuple(number, pairs) == [(number, pair) for pair in pairs]


def test_the_named_operations_say_what_they_did(ops: GPUDSLOperations, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="harness.gpu"):
        assert ops.batch_mapply(rot90, [SQUARES, list(SQUARES[:3])]) == [
            mapply(rot90, SQUARES),
            mapply(rot90, SQUARES[:3]),
        ]
        assert ops.batch_apply(lambda g: g, [np.array(SQUARES)]) == [SQUARES]
        assert ops.batch_o_g(SQUARES, range(5)) == [o_g(grid, kind) for kind, grid in enumerate(SQUARES)]
        assert ops.batch_o_g([[list(row) for row in grid] for grid in SQUARES], 5) == [o_g(grid, 5) for grid in SQUARES]
    assert [record.message for record in caplog.records] == [
        "batch_mapply: 8 grids, rot90, on cuda:0",
        "batch_apply: 5 samples, <lambda>, on cuda:0",
        "batch_o_g: 5 grids, o_g, on cuda:0",
        "batch_o_g: 5 grids, o_g, on cuda:0",
    ]
    assert ops.calls["batch_o_g", "cuda:0"] >= 10


def test_a_batch_is_one_launch(device: FakeDevice, ops: GPUDSLOperations) -> None:
    device.calls.clear()
    ops.batch_rot90(list(SQUARES) * 20)
    assert device.calls == [100]


def branching(grid: Any) -> Any:
    return grid if grid[0][0] == 0 else rot90(grid)


def test_what_cannot_be_compiled_falls_back_loudly(ops: GPUDSLOperations, caplog: pytest.LogCaptureFixture) -> None:
    before = ops.fell_back.total()
    assert ops.batch_apply(branching, [SQUARES]) == [apply(branching, SQUARES)]
    assert ops.last is not None
    assert ops.last.device == REFERENCE
    (reason,) = ops.last.fell_back
    assert reason.startswith("untraceable: ")
    assert "test_operations.py" in reason
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert warning.message.startswith("batch_apply: the reference computed 1 of 1 evaluations (untraceable: ")
    big = 2**62
    assert ops.batch_double([big, 1, 10**30]) == [2 * big, 2, 2 * 10**30]
    assert ops.last.device == f"cuda:0 and {REFERENCE}"
    assert ops.last.fell_back == {"overflow": 2}
    assert ops.fell_back.total() == before + 3


def test_arguments_that_the_machine_refuses_do_no_harm_to_the_others(ops: GPUDSLOperations) -> None:
    deep: Any = ()
    for _ in range(300):
        deep = (deep,)
    values = [(1, 2), deep, (3,), frozenset({4}), deep, ()]
    assert ops.batch_size(values) == [2, 1, 1, 1, 1, 0]
    assert ops.last is not None
    assert ops.last.fell_back.total() == 2
    assert all("refused" in reason for reason in ops.last.fell_back)


def test_a_function_that_changes_what_it_refers_to_is_compiled_again(ops: GPUDSLOperations) -> None:
    chosen = rot90
    turn = lambda grid: chosen(grid)  # noqa: PLW0108 - a closure
    assert ops.batch_apply(turn, [SQUARES]) == [apply(rot90, SQUARES)]
    chosen = hmirror
    assert ops.batch_apply(turn, [SQUARES]) == [apply(hmirror, SQUARES)]
    number = 1
    plus = lambda x: add(x, number)
    assert ops.batch_apply(plus, [(1, 2)]) == [(2, 3)]
    number = 5
    assert ops.batch_apply(plus, [(1, 2)]) == [(6, 7)]


def test_functions_of_notebook_cells_are_traced(ops: GPUDSLOperations, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "from harness.dsl import *\ndef turned(g):\n    return mir_rot_t(g, R4)\n"
    source += "by_cell = lambda g: turned(turned(g))\n"
    name = "/no/such/folder/ipykernel_1/2.py"  # as IPython names a cell, which is no file
    names: dict[str, Any] = {}
    exec(compile(source, name, "exec"), names)
    monkeypatch.setitem(linecache.cache, name, (len(source), None, source.splitlines(keepends=True), name))
    assert ops.batch_apply(names["by_cell"], [SQUARES]) == [apply(rot180, SQUARES)]
    assert ops.last is not None
    assert not ops.last.fell_back
    exec(compile(source.replace("R4", "R2"), "<nowhere>", "exec"), names)
    assert ops.batch_apply(names["by_cell"], [SQUARES]) == [SQUARES]
    assert "its source cannot be read" in str(ops.last.fell_back)


def test_a_failure_is_the_references(device: FakeDevice) -> None:
    with GPUDSLOperations(MultiDevice([FakeDevice()])) as ops, pytest.raises(IndexError):
        ops.batch_first([(1, 2), ()])


def test_where_the_device_fails_the_reference_does_it_and_the_report_says_so(caplog: pytest.LogCaptureFixture) -> None:
    ops = GPUDSLOperations(MultiDevice([FakeDevice(0, Behaviour(fail_at=1))]))
    assert ops.batch_rot90(list(SQUARES)) == [rot90(grid) for grid in SQUARES]
    assert ops.last is not None
    assert ops.last.device == "cuda:0"
    for _ in range(2):
        assert ops.batch_rot90(list(SQUARES)) == [rot90(grid) for grid in SQUARES]
        assert ops.last.device == REFERENCE
        (reason,) = ops.last.fell_back
        assert reason.startswith("no device: no device is left: cuda:0: DeviceLost")
    assert ops.calls == {("batch_rot90", "cuda:0"): 5, ("batch_rot90", REFERENCE): 10}
    assert any("the reference computed 5 of 5" in record.message for record in caplog.records)


def test_of_two_devices_one_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    slow = 0.002
    machine = MultiDevice([FakeDevice(0, Behaviour(fail_at=0)), FakeDevice(1, Behaviour(slowness_s=slow))])
    with GPUDSLOperations(machine) as ops:
        assert ops.batch_rot90(list(SQUARES) * 9) == [rot90(grid) for grid in SQUARES] * 9
        assert ops.last is not None
        assert (ops.last.device, ops.last.fell_back) == ("cuda:1", {})
    assert any("cuda:0 failed" in record.message for record in caplog.records)


def test_without_a_device_it_says_so_at_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("HARNESS_GPUS", "none")
    with GPUDSLOperations() as ops:
        assert any("the reference computes all batches" in record.message for record in caplog.records)
        assert ops.batch_rot90(list(SQUARES)) == [rot90(grid) for grid in SQUARES]
        assert ops.last is not None
        assert ops.last.device == REFERENCE


def test_wrong_calls_say_what_is_wrong(ops: GPUDSLOperations) -> None:
    with pytest.raises(AttributeError, match="nearest: batch_rot90"):
        ops.batch_rot91  # noqa: B018
    with pytest.raises(AttributeError, match="batch_compose"):
        ops.batch_compose  # noqa: B018
    with pytest.raises(TypeError, match=r"batch_fill takes 3 arguments \(grid, value, patch\), not 1"):
        ops.batch_fill([1])
    with pytest.raises(TypeError, match="no argument is a list"):
        ops.batch_rot90(SQUARES[0])
    with pytest.raises(ValueError, match="differ in length"):
        ops.batch_add([1, 2], [1])
    with pytest.raises(TypeError, match="takes a function first"):
        ops.batch_mapply(3, [SQUARES])
    with pytest.raises(TypeError, match="element 1 is no container"):
        ops.batch_mapply(rot90, [SQUARES, 3])


def test_many_units_do_not_fill_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.gpu.batch._MOST_UNITS", 8)
    with GPUDSLOperations(MultiDevice([FakeDevice()])) as ops:
        for number in range(30):
            assert ops.batch_apply(lbind(add, number), [(1, 2)]) == [(1 + number, 2 + number)]
        assert len(ops._batcher._units) <= 8
