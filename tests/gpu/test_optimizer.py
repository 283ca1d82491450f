"""A user's vectorized function over padded batches: order, sizes, sharing, failures, and loud ways without a device."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.dsl import *
from harness.gpu.arrays import HostArrays
from harness.gpu.device import CudaUnavailable, DeviceError, DeviceLost, DeviceOutOfMemory
from harness.gpu.optimizer import PADDING, MultiGPUOptimizer


class FakeArrays(HostArrays):
    """NumPy as if on a device, that can be told to fail."""

    def __init__(self, number: int, fail_at: int | None = None, most: int | None = None, slow_s: float = 0.0) -> None:
        self.name, self.fail_at, self.most, self.slow_s = f"cuda:{number}", fail_at, most, slow_s
        self.calls: list[int] = []
        self.threads: set[str] = set()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        self.calls.append(len(arguments[0]))
        self.threads.add(threading.current_thread().name)
        if self.fail_at is not None and len(self.calls) > self.fail_at:
            raise DeviceLost("gone")
        if self.most is not None and len(arguments[0]) > self.most:
            raise DeviceOutOfMemory("too many")
        time.sleep(self.slow_s * len(arguments[0]))
        return function(*arguments)


def some_grids(count: int) -> list[Any]:
    r = random.Random(count)
    return [tuple(tuple(r.randrange(10) for _ in range(1 + k % 7)) for _ in range(1 + k % 5)) for k in range(count)]


def recolour(batch: Any) -> Any:
    """Each colour one further, which padding must not become."""
    return (batch + 1) % 10


def turn(batch: Any, sizes: Any) -> Any:
    """Turned by a half: what is cut off is known by its sizes only."""
    out = batch.copy()
    for k, (h, w) in enumerate(sizes.tolist()):
        assert (batch[k, h:] == PADDING).all() and (batch[k, :, w:] == PADDING).all()
        out[k, :h, :w] = batch[k, :h, :w][::-1, ::-1]
    return out


def mirror(batch: Any, sizes: Any) -> Any:
    return batch.transpose(0, 2, 1), sizes[:, ::-1]


def plus_one(grid: Any) -> Any:
    return tuple(tuple((value + 1) % 10 for value in row) for row in grid)


GRIDS = some_grids(300)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(("operation", "single"), [(recolour, plus_one), (turn, rot180), (mirror, dmirror)])
def test_results_are_in_order_and_of_their_true_sizes(count: int, operation: Any, single: Any) -> None:
    devices = [FakeArrays(k, slow_s=1e-5) for k in range(count)]
    optimizer = MultiGPUOptimizer(devices)
    assert optimizer.batch_grid_op_optimized(GRIDS, operation) == [single(grid) for grid in GRIDS]
    assert sum(sum(device.calls) for device in devices) == len(GRIDS)
    assert optimizer.device == ", ".join(f"cuda:{k}" for k in range(count))
    assert all(device.threads == {device.name} for device in devices)


def test_grid_by_grid_and_kept_on_the_device() -> None:
    optimizer = MultiGPUOptimizer([FakeArrays(0)])
    assert optimizer.batch_grid_op_optimized(GRIDS, np.rot90, vectorized=False) == [rot270(grid) for grid in GRIDS]
    kept = optimizer.batch_grid_op_optimized([np.array(GRIDS[9]), [[1]]], recolour, keep_on_gpu=True)
    assert [own.device for own in kept] == ["cuda:0"] * 2
    assert kept[0].array.tolist() == [list(row) for row in plus_one(GRIDS[9])]
    assert optimizer.batch_grid_op_optimized([], recolour) == []


def test_a_device_that_fails_hands_over_and_memory_is_found() -> None:
    devices = [FakeArrays(0, most=40, slow_s=1e-4), FakeArrays(1, fail_at=1, slow_s=1e-4)]
    optimizer = MultiGPUOptimizer(devices)
    for _ in range(3):
        assert optimizer.batch_grid_op_optimized(GRIDS, recolour) == [plus_one(grid) for grid in GRIDS]
    (failure,) = optimizer.failures
    assert failure.device == "cuda:1"
    assert failure.moved > 0
    with pytest.raises(DeviceOutOfMemory, match="grid 0 fits"):
        MultiGPUOptimizer([FakeArrays(0, most=0)]).batch_grid_op_optimized(GRIDS, recolour)


def test_without_a_device_it_is_an_error_or_loud(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HARNESS_GPUS", "none")
    optimizer = MultiGPUOptimizer()
    with pytest.raises(CudaUnavailable, match="give operation_single, or"):
        optimizer.batch_grid_op_optimized(GRIDS, recolour)
    assert not caplog.records
    found = optimizer.batch_grid_op_optimized(GRIDS, recolour, operation_single=plus_one)
    assert found == [plus_one(grid) for grid in GRIDS]
    assert optimizer.device == "operation_single"
    assert "operation_single computes 300 grids in plain Python" in caplog.records[-1].message
    optimizer = MultiGPUOptimizer(allow_numpy=True)
    assert optimizer.batch_grid_op_optimized(GRIDS, turn) == [rot180(grid) for grid in GRIDS]
    assert optimizer.device == "NumPy on the host"
    assert "NumPy computes 300 grids on the host" in caplog.records[-1].message


def test_once_all_devices_failed_it_is_an_error_or_loud(caplog: pytest.LogCaptureFixture) -> None:
    optimizer = MultiGPUOptimizer([FakeArrays(0, fail_at=0)])
    with pytest.raises(DeviceError, match="no device is left: cuda:0: DeviceLost: gone; give operation_single"):
        optimizer.batch_grid_op_optimized(GRIDS, recolour)
    assert optimizer.batch_grid_op_optimized(GRIDS[:3], recolour, operation_single=plus_one) == [
        plus_one(grid) for grid in GRIDS[:3]
    ]
    assert optimizer.device == "operation_single"


def test_what_the_operation_does_wrong_is_said_and_is_not_the_devices_fault() -> None:
    optimizer = MultiGPUOptimizer([FakeArrays(0)])
    wrong: list[tuple[Any, str]] = [
        (
            lambda batch: batch[:, :1],
            r"<lambda> returned \[300, 1, 7\] for a batch \[300, 5, 7\]; return \(array, sizes\)",
        ),
        (lambda batch: 3, "returned int for a batch"),
        (lambda batch, sizes: (batch, sizes[:1]), r"sizes of the shape \[1, 2\], not \[300, 2\]"),
        (lambda batch, sizes: (batch, sizes + 1), "that the sizes do not fit into"),
    ]
    for operation, message in wrong:
        with pytest.raises(ValueError, match=message):
            optimizer.batch_grid_op_optimized(GRIDS, operation)
    with pytest.raises(ZeroDivisionError):
        optimizer.batch_grid_op_optimized(GRIDS, lambda batch: 1 // 0)
    with pytest.raises(ValueError, match="no array of two dimensions"):
        optimizer.batch_grid_op_optimized(GRIDS, lambda grid: grid[0], vectorized=False)
    for grids, message in [([((1, 2), (3,))], "grid 0 is none"), ([((1,),), ((200,),)], "grid 1 has colours from 200")]:
        with pytest.raises(ValueError, match=message):
            optimizer.batch_grid_op_optimized(grids, recolour)
    assert not optimizer.failures
    assert optimizer.batch_grid_op_optimized(GRIDS, recolour) == [plus_one(grid) for grid in GRIDS]
