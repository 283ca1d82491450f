"""How quick is the device? Batches of all sizes, single operations, end to end, transfers, and what counters cost."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import dsl
from harness.dsl.types import Grid
from harness.gpu_check.right import by_reference
from harness.gpu_check.setting import Setting
from harness.vm.cuda import WARP
from harness.vm.encoding import encode
from harness.vm.engine import Engine
from harness.vm.native import EQUAL, OK
from harness.vm.opcodes import CONTROL, NONE, OPERATION

_NUMPY: dict[str, Callable[[NDArray[np.int8]], NDArray[np.int8]]] = {
    "rot90": lambda grid: np.rot90(grid, -1),
    "hmirror": np.flipud,
    "dmirror": np.transpose,
    "tophalf": lambda grid: grid[: len(grid) // 2],
}
_COPIED = 64 << 20  # bytes
STEADY_BATCH = 1_000_000


def speed(setting: Setting) -> Iterator[dict[str, Any]]:
    """Measure batches with samples and expected outputs on the device.

    Yields:
        ``tasks``, one batch of all tasks; and ``curve``, which grows.
    """
    pairs = setting.pairs(setting.few)
    with setting.engine(setting.few) as engine:
        seconds, _ = _median(setting, lambda: engine.evaluate(pairs, fallback=False))
    setting.say(f"one batch of {len(pairs)} evaluations: {1e3 * seconds:.2f} ms")
    yield {"tasks": {"evaluations": len(pairs), "s": seconds}}
    curve: list[dict[str, Any]] = []
    with setting.engine(setting.many) as engine:
        for row in _curve(setting, engine, None):
            curve.append(row)
            yield {"curve": curve}


def by_lanes(setting: Setting) -> Iterator[dict[str, Any]]:
    """Measure the same with 32 lanes, with one, and with other numbers of blocks a multiprocessor.

    Yields:
        ``curve_by_lanes`` and ``blocks``, which grow.
    """
    curve: list[dict[str, Any]] = []
    for lanes in (WARP, 1):
        with setting.engine(setting.many, lanes=lanes) as engine:
            for row in _curve(setting, engine, lanes):
                curve.append(row)
                yield {"curve_by_lanes": curve}
    blocks: list[dict[str, Any]] = []
    for number in setting.options.blocks:
        with setting.engine(setting.many, blocks=number) as engine:
            for row in _curve(setting, engine, None, setting.options.sizes[-1:]):
                blocks.append({"blocks": number, **row})
                yield {"blocks": blocks}


def _median(setting: Setting, work: Callable[[], Any]) -> tuple[float, int]:
    """Return the median of the seconds that some work takes, after one time that does not count; and how many it is of.

    It is of fewer than asked for where these take long.
    """
    work()
    seconds: list[float] = []
    while len(seconds) < setting.options.repetitions and sum(seconds) < setting.options.most_s:
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return median(seconds), len(seconds)


def _tiled(engine: Engine, pairs: NDArray[np.int64], size: int) -> tuple[Any, Any, Any, int]:
    """Return a batch of a size, as the machine takes it: pairs again and again, those of a unit side by side."""
    plan = engine._plan(pairs)
    times = -(-size // len(plan.units))
    chosen = np.sort(np.tile(np.arange(len(plan.units)), times)[:size])
    return plan.units[chosen], plan.samples[chosen], np.arange(size, dtype=np.uint64), size


def _curve(
    setting: Setting, engine: Engine, lanes: int | None, sizes: Sequence[int] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield throughput by the size of a batch, as long as there is time: each is done three times at least."""
    machine: Any = engine._machine
    pairs = setting.pairs(setting.many)
    rate = 0.0
    for size in setting.options.sizes if sizes is None else sizes:
        if setting.left() < (3 * size / rate if rate else 0.0):
            setting.say(f"{size:>9} evaluations, {lanes or 'chosen'} lanes: left out, there is no time")
            return
        batch = _tiled(engine, pairs, size)
        equal = int((machine.evaluate(*batch).equal == EQUAL).sum())
        machine.usage()
        kernels: list[float] = []

        def work(batch: Any = batch, kernels: list[float] = kernels) -> None:
            machine.evaluate(*batch)
            kernels.append(machine.usage().kernel_s)

        seconds, times = _median(setting, work)
        rate = size / seconds
        row = {
            "lanes": lanes,
            "evaluations": size,
            "repetitions": times,
            "equal": equal,
            "evaluations_per_s": rate,
            "kernel_evaluations_per_s": size / median(kernels[1:]),
        }
        setting.say(
            f"{size:>9} evaluations, {lanes or 'chosen'} lanes: {row['evaluations_per_s']:,.0f}/s, in the kernel "
            f"{row['kernel_evaluations_per_s']:,.0f}/s"
        )
        yield row


def steady(setting: Setting) -> Iterator[dict[str, Any]]:
    """Evaluate for some seconds, and watch the device by nvidia-smi meanwhile.

    Yields:
        ``steady``: evaluations per second, share of the time in kernels, and utilization as nvidia-smi tells it.
    """
    with setting.engine(setting.many) as engine:
        machine: Any = engine._machine
        batch = _tiled(engine, setting.pairs(setting.many), min(max(setting.options.sizes), STEADY_BATCH))
        machine.evaluate(*batch)
        machine.usage()
        watched = _Watch()
        start, passes = time.perf_counter(), 0
        with watched:
            while not passes or time.perf_counter() - start < setting.options.steady_s:
                machine.evaluate(*batch)
                passes += 1
        seconds = time.perf_counter() - start
        found = {
            "seconds": seconds,
            "batch": batch[3],
            "evaluations_per_s": passes * batch[3] / seconds,
            "kernel_share": machine.usage().kernel_s / seconds,
            "utilization": watched.utilization,
        }
    setting.say(f"for {seconds:.1f} s: {found['evaluations_per_s']:,.0f}/s, {found['kernel_share']:.0%} in kernels")
    yield {"steady": found}


class _Watch:
    """Utilization as nvidia-smi tells it, while a block runs."""

    def __init__(self) -> None:
        self.utilization: list[int] = []
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> _Watch:
        """Begin."""
        command = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "200"]
        try:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        except OSError:
            return self
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip().isdigit():
                self.utilization.append(int(line))

    def __exit__(self, *_: object) -> None:
        """End."""
        if self._process is not None and self._thread is not None:
            self._process.terminate()
            self._thread.join()


def end_to_end(setting: Setting) -> Iterator[dict[str, Any]]:
    """Measure from tuples to tuples.

    Yields:
        ``end_to_end``, which grows.
    """
    rows: list[dict[str, Any]] = []
    for size in (1_000, 10_000):
        rows.append(_end_to_end(setting, size))
        yield {"end_to_end": rows}


def _end_to_end(setting: Setting, size: int) -> dict[str, Any]:
    """Measure from tuples to tuples: samples are packed, evaluated and every output is unpacked."""
    programs, samples = setting.programs, setting.many
    chosen = setting.pairs(samples)
    chosen = chosen[np.linspace(0, len(chosen) - 1, min(size, len(chosen))).astype(np.int64)]
    used = sorted(set(chosen[:, 1].tolist()))
    own = [samples[s] for s in used]
    places = {s: k for k, s in enumerate(used)}
    pairs = np.array([(p, places[s]) for p, s in chosen.tolist()], np.int64)
    some = chosen[:: max(1, len(chosen) // 1000)]
    start = time.perf_counter()
    for p, s in some.tolist():
        by_reference(programs[p], samples[s])
    sequential = (time.perf_counter() - start) / len(some)
    engine = Engine(machine=setting.make())
    try:
        engine.add_programs(programs)

        def work() -> None:
            numbers = np.array(engine.add_samples(own))
            moved = np.stack([pairs[:, 0], numbers[pairs[:, 1]]], axis=1)
            engine.evaluate(moved, outputs=True).outputs()

        seconds, _ = _median(setting, work)
    finally:
        engine.close()
    row = {"evaluations": len(pairs), "s": seconds, "speedup": sequential * len(pairs) / seconds}
    setting.say(f"end to end, {len(pairs)} evaluations: {1e3 * seconds:.1f} ms, {row['speedup']:.0f}x sequential")
    return row


def operations(setting: Setting) -> Iterator[dict[str, Any]]:
    """Compare single operations on many grids with NumPy and with plain Python, a grid at a time.

    Yields:
        ``operations``, which grows.
    """
    grids: list[Grid] = [own.input for own in setting.few]
    arrays = [np.array(grid, np.int8) for grid in grids]
    machine = setting.make()
    data = [encode(grid) for grid in grids]
    starts = np.cumsum([0, *map(len, data)]).astype(np.uint64)
    machine.add_samples(b"".join(data), starts, 1, np.zeros(len(data), bool))
    rows: list[dict[str, Any]] = []
    for number, (name, with_numpy) in enumerate(_NUMPY.items()):
        code = np.full((2, 8), NONE, np.uint16)
        code[0, :3], code[1, 0] = (OPERATION[name].number, 1, 0), CONTROL["end"].number
        machine.add_unit(code, 2, 1, b"", 0, results=[((1,), ())])
        units = np.full(len(grids), number, np.uint32)
        batch = (units, np.arange(len(grids), dtype=np.uint32), np.arange(len(grids), dtype=np.uint64), len(grids))
        primitive = getattr(dsl, name)
        found = machine.evaluate(*batch, outputs=True)
        wrong = sum(found.status[k] != OK or found.output(k) != (primitive(grid),) for k, grid in enumerate(grids))
        machine.usage()
        repetitions = 20
        for _ in range(repetitions):
            machine.evaluate(*batch)
        kernel = machine.usage().kernel_s / repetitions
        row = {
            "operation": name,
            "grids": len(grids),
            "different": int(wrong),
            "kernel_us": 1e6 * kernel / len(grids),
            "numpy_us": 1e6 * _seconds(with_numpy, arrays),
            "python_us": 1e6 * _seconds(primitive, grids),
        }
        rows.append(row)
        setting.say(
            f"{name} of {len(grids)} grids, each: {row['kernel_us']:.3f} us in the kernel, "
            f"{row['numpy_us']:.3f} us by NumPy, {row['python_us']:.3f} us in Python"
        )
        yield {"operations": rows}
    machine.close()


def _seconds(function: Callable[[Any], Any], arguments: Sequence[Any]) -> float:
    """Return the mean seconds of a call; of NumPy's views the copy counts too."""
    start = time.perf_counter()
    for argument in arguments:
        found = function(argument)
        if isinstance(found, np.ndarray):
            np.ascontiguousarray(found)
    return (time.perf_counter() - start) / len(arguments)


def counters(setting: Setting) -> Iterator[dict[str, Any]]:
    """Compare kernels with and without counters, in turn.

    Yields:
        ``counters``: the times in kernels, and what counting costs as a share of that.
    """
    samples, options = setting.many, setting.options
    pairs = setting.pairs(samples)
    size = min(max(options.sizes), 100_000)
    with setting.engine(samples) as one, setting.engine(samples, counted=False) as other:
        machines: list[Any] = [one._machine, other._machine]
        batches = [_tiled(engine, pairs, size) for engine in (one, other)]
        seconds: tuple[list[float], list[float]] = ([], [])
        for repetition in range(options.repetitions + 1):
            for machine, batch, own in zip(machines, batches, seconds, strict=True):
                machine.usage()
                machine.evaluate(*batch)
                if repetition:  # the first time is to warm up
                    own.append(machine.usage().kernel_s)
        counted, uncounted = map(median, seconds)
        machines[0].evaluate(*batches[0], counted=True)
        machines[0].usage()
        machines[0].evaluate(*batches[0], counted=True)
        profiled = machines[0].usage().kernel_s
    cost = {
        "evaluations": size,
        "kernel_s": counted,
        "kernel_s_without": uncounted,
        "cost": counted / uncounted - 1,
        "kernel_s_with_cycles": profiled,
    }
    more = profiled / uncounted - 1
    setting.say(f"counting executions costs {cost['cost']:+.1%} of the kernel time; cycles, too: {more:+.1%}")
    yield {"counters": cost}


def transfers(setting: Setting) -> Iterator[dict[str, Any]]:
    """Measure copies of 64 MiB.

    Yields:
        ``transfers``, in GB/s.
    """
    machine = setting.make()
    driver: Any = machine._driver
    stream, size = driver.stream(), _COPIED
    block, pinned, usual = driver.allocate(size), driver.pinned(size), np.zeros(size, np.uint8)
    found: dict[str, float] = {}
    for name, memory in (("pinned", pinned), ("pageable", usual)):
        ways: dict[str, Callable[[], None]] = {
            "to_device": partial(driver.upload, block.address, memory, stream),
            "from_device": partial(driver.download, memory, block.address, stream),
        }
        for way, copy in ways.items():
            rates = []
            for _ in range(6):
                start = time.perf_counter()
                copy()
                driver.wait(stream)
                rates.append(size / (time.perf_counter() - start) / 1e9)
            found[f"{name}_{way}_gb_per_s"] = median(rates[1:])
    machine.close()
    setting.say("transfers in GB/s: " + ", ".join(f"{name[:-9]} {rate:.1f}" for name, rate in found.items()))
    yield {"transfers": found}
