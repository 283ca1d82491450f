"""The virtual machine on a CUDA device: ``CudaEngine``, with the methods of ``NativeEngine``.

Units and samples are copied to the device once and stay. An evaluation is one launch or a few: persistent warps take
pairs of a unit and a sample from a queue, compare outputs with the expected ones, and count what they execute, all in
the device's memory; status, equality and, if they are wanted, outputs are copied back. While a chunk of pairs is
evaluated, the next one's numbers are copied there and the last one's results back. Pairs that found too little memory
are tried again with larger arenas and fewer warps.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from harness.vm import native
from harness.vm.cuda_driver import Block, CupyDriver, Driver
from harness.vm.cuda_layout import (
    ALIGNMENT,
    BATCH,
    LOAD,
    SAMPLE,
    VALUE_BYTES,
    HostUnit,
    aligned,
    join_outputs,
    pack_units,
    parameters,
)
from harness.vm.device_facts import DeviceFacts, DeviceOutOfMemory, DeviceUsage
from harness.vm.native import COUNTERS, Evaluated, Limits, NativeEngine, NativeError
from harness.vm.opcodes import FIELDS
from harness.vm.structure import nesting

WARP = 32
"""Threads of a warp, which are lanes of one evaluation or evaluate a pair each."""

_LIMITS = Limits()
_UNCOUNTED, _ALWAYS, _PROFILED = "NOTHING", "EXECUTIONS", "EVERYTHING"  # what kernels count, as kernels.cu names it
_CHUNK = 1 << 18  # pairs of a launch at most, unless there are more threads
_EACH = 4  # pairs of each thread at least, where each thread evaluates a pair
_FEW_OUTPUTS = 1 << 15  # pairs of a launch whose outputs are wanted
_LEAST_ARENA, _MOST_FIRST_ARENA = 16 << 10, 256 << 10
_SHARE = 0.4  # of the free memory that the arenas of a launch may take
# Times the bytes of an encoded value that decoding it may take, and how many more, tried in this order. At last there
# is room for the largest mask, which two cells that are far apart make.
_ROOM = ((1, 64), (16, 4096), (256, 1 << 16), (4096, 1 << 20))
_USUAL_OUTPUT = 1024  # bytes
_BITS_BYTES = 64  # of a bit for each multiprocessor
_STATE_BYTES = 4 * 8 + _BITS_BYTES
_NEXT, _AGAIN, _OUTPUT_END, _ARENA_USED, _BITS = (8 * k for k in range(5))  # places in the state of a launch
_SPIN_S, _NAP_S = 2e-4, 5e-5


@dataclass
class _Slot:
    """A stream, and the memory that a launch in it has for itself."""

    stream: Any
    parameters: Block
    state: Block
    arenas: Block | None = None
    registers: Block | None = None
    again: Block | None = None
    outputs: Block | None = None
    places: Block | None = None  # of outputs: where each result's begins, and its size
    kept: list[Any] = field(default_factory=list)  # what the stream has still to come to, of host and device


@dataclass
class _Launch:
    """What was launched: pairs first to end, or the chosen ones."""

    slot: _Slot
    first: int
    end: int
    chosen: NDArray[np.uint32] | None
    begun: Any
    ended: Any
    state: NDArray[np.uint64]
    capacity: int


@dataclass
class _Pairs:
    """The numbers of pairs, and their results, in the device's memory.

    Attributes:
        arrays: of the host: units, samples and first results.
        blocks: the same in the device's memory.
        results: how many results there are.
        copied: how many pairs were copied there.
    """

    arrays: tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint64]]
    blocks: tuple[Block, Block, Block]
    results: int
    copied: int = 0

    def of(self, units: NDArray[np.uint32], samples: NDArray[np.uint32], first: NDArray[np.uint64]) -> bool:
        """Whether these are the arrays that were copied: the same objects, which callers do not change."""
        return self.arrays[0] is units and self.arrays[1] is samples and self.arrays[2] is first


class CudaEngine:
    """Units and samples in a device's memory, and their evaluation there.

    ``harness.Engine(machine=CudaEngine())`` evaluates programs on it. An engine is used by one thread at a time.
    """

    def __init__(
        self, device: int = 0, *, driver: Driver | None = None, lanes: int | None = None, counted: bool = True
    ) -> None:
        """Take a device, and load or compile the kernels.

        Args:
            device: its number, as CUDA counts them in this process.
            driver: of the device; None for CuPy's.
            lanes: 32 if a warp is to evaluate one pair, 1 if each of its threads is, None to choose by how many pairs
                there are: single threads do more at a time, but each takes longer.
            counted: whether executions are always counted; without counters nothing is proved.

        Raises:
            CudaUnavailable: there is no CuPy, or no such device.
            DeviceError: the device refuses.
        """
        if lanes not in (None, 1, WARP):
            raise ValueError(f"lanes is 1, {WARP} or None, not {lanes!r}")
        self._driver: Driver = CupyDriver(device) if driver is None else driver
        self._lanes = lanes
        self._usual = _ALWAYS if counted else _UNCOUNTED
        self._driver.prepare(self._usual)
        self._warps = self._driver.workers()
        self._facts = self._driver.facts()
        self._usage = DeviceUsage()
        self._bits = np.zeros(_BITS_BYTES // 8, np.uint64)
        self._verifier: NativeEngine | None = None
        self._units: list[HostUnit] = []
        self._unit_blocks: list[Block] = []
        self._unit_records: Block | None = None
        self._samples = np.empty(0, SAMPLE)
        self._sample_blocks: list[Block] = []
        self._sample_records: Block | None = None
        self._inputs: Block | None = None
        self._input_count = 0
        self._pairs: _Pairs | None = None
        self._results: tuple[int, Block] | None = None
        self._control = self._driver.stream()
        self._cancel = self._driver.allocate(8)
        self._counters = self._driver.allocate(len(COUNTERS) * 24)
        self._last_counters = np.zeros((len(COUNTERS), 3), np.uint64)
        self._slots = [
            _Slot(self._driver.stream(), self._driver.allocate(8 * len(BATCH)), self._driver.allocate(_STATE_BYTES))
            for _ in range(2)
        ]

    def close(self) -> None:
        """Give back the device's memory; may be called again."""
        self._unit_blocks, self._sample_blocks, self._slots = [], [], []
        self._unit_records = self._sample_records = self._inputs = self._pairs = self._results = None
        if self._verifier is not None:
            self._verifier.close()
            self._verifier = None

    def device_facts(self) -> DeviceFacts:
        """Return what the device is."""
        return replace(self._driver.facts(), counters=self._usual != _UNCOUNTED)

    def usage(self) -> DeviceUsage:
        """Return what the device did since the last call."""
        used, self._usage = self._usage, DeviceUsage()
        bits = int.from_bytes(self._bits.tobytes(), "little").bit_count()
        self._bits[:] = 0
        return DeviceUsage(used.launches, used.kernel_s, used.bytes_to_device, used.bytes_from_device, bits)

    def counters(self) -> NDArray[np.uint64]:
        """Return uint64 [counters, 3]: executions, elements and cycles of the last evaluation.

        Executions are always counted, by the device; elements and cycles where ``counted`` was asked for, else 0.
        """
        return self._last_counters.copy()

    # Units

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
        """Verify a unit and keep it; see ``NativeEngine.add_unit``.

        The host's library verifies it. Where there is none, only the nesting of loops is looked at: then units should
        come from ``harness.compiler``.

        Raises:
            NativeError: it is refused.
        """
        if code.ndim != 2 or code.shape[1] != FIELDS:
            raise ValueError(f"code has the shape [n, {FIELDS}], not {list(code.shape)}")
        lists = [list(own) for program in results for own in program]
        pairs = [(lists[k], lists[k + 1]) for k in range(0, len(lists), 2)]
        if native.unavailable() is None:
            if self._verifier is None:
                self._verifier = NativeEngine()
            self._verifier.add_unit(code, registers, inputs, constants, constants_count, results=pairs)
            self._verifier.clear_units()
        try:
            behind, depth = nesting(code)
        except ValueError as error:
            raise NativeError(f"refused: {error}") from error
        self._units.append(
            HostUnit(
                code=np.ascontiguousarray(code, np.uint16),
                behind=behind,
                depth=depth,
                registers=registers,
                inputs=inputs,
                constants=constants,
                constants_count=constants_count,
                results=np.array([register for own in lists for register in own], np.uint16),
                results_start=np.cumsum([0, *map(len, lists)], dtype=np.uint32),
            )
        )
        self._unit_records = None
        return len(self._units) - 1

    def clear_units(self) -> None:
        """Forget all units; numbers begin at 0 again."""
        self._units, self._unit_blocks, self._unit_records = [], [], None

    def _copy_units(self) -> Block:
        """Have all units in the device's memory; return where their records are."""
        if self._unit_records is not None:
            return self._unit_records
        packer, records = pack_units(self._units)
        block = self._upload(packer.pack())
        for name in ("code", "behind", "results", "results_start"):
            records[name] += np.uint64(block.address)
        counts = np.array([own.constants_count for own in self._units], np.int64)
        sizes = np.array([len(own.constants) for own in self._units], np.int64)
        values = self._driver.allocate(VALUE_BYTES * int(counts.sum()))
        first = np.concatenate([[0], np.cumsum(counts)]).astype(np.uint64)
        begin = np.concatenate([[0], np.cumsum(sizes)]).astype(np.uint64)
        self._unit_blocks = [block, values]
        data = b"".join(own.constants for own in self._units)
        self._unit_blocks += self._decode(data, begin, first, values.address, "the constants of unit")
        records["constants"] = values.address + VALUE_BYTES * first[:-1]
        self._unit_records = self._upload(records.view(np.uint8))
        return self._unit_records

    # Samples

    def add_samples(self, values: bytes, starts: NDArray[np.uint64], inputs: int, expected: NDArray[np.bool_]) -> int:
        """Decode and keep samples on the device; see ``NativeEngine.add_samples``.

        Raises:
            NativeError: a sample is refused; the message says which one, and why.
        """
        starts, has = np.ascontiguousarray(starts, np.uint64), np.ascontiguousarray(expected, np.bool_)
        if len(starts) != len(has) + 1:
            raise ValueError(f"{len(has)} samples have {len(has) + 1} starts, not {len(starts)}")
        number = len(self._samples)
        first = self._input_count + np.concatenate([[0], np.cumsum(inputs + has.astype(np.int64))])
        self._reserve_inputs(int(first[-1]))
        assert self._inputs is not None
        blocks = self._decode(values, starts, first.astype(np.uint64), self._inputs.address, "sample")
        records = np.zeros(len(has), SAMPLE)
        records["first"], records["inputs"], records["has_expected"] = first[:-1], inputs, has
        self._samples = np.concatenate([self._samples, records])
        self._input_count = int(first[-1])
        self._sample_blocks += blocks
        self._sample_records = None
        return number

    def clear_samples(self) -> None:
        """Forget all samples, and free their memory; numbers begin at 0 again."""
        self._samples, self._sample_blocks, self._sample_records = np.empty(0, SAMPLE), [], None
        self._inputs, self._input_count = None, 0

    def _reserve_inputs(self, count: int) -> None:
        """Have room for so many inputs in all, one array of them."""
        old = self._inputs
        if old is not None and old.size >= VALUE_BYTES * count:
            return
        held = np.empty(VALUE_BYTES * self._input_count, np.uint8)
        if old is not None:
            self._download(held, old.address)
        self._inputs = self._driver.allocate(VALUE_BYTES * max(count, 2 * self._input_count))
        self._driver.upload(self._inputs.address, held, self._control)
        self._driver.wait(self._control)

    def _decode(
        self, data: bytes, begin: NDArray[np.uint64], first: NDArray[np.uint64], values: int, what: str
    ) -> list[Block]:
        """Decode items of some values each.

        Args:
            data: encoded values.
            begin: uint64 [items + 1], where those of each item begin.
            first: uint64 [items + 1], where decoded ones go, in Values behind the address ``values``.
            values: that address.
            what: an item is called in an error.

        Returns:
            What the values point to.

        Raises:
            NativeError: an item is refused.
        """
        items = len(begin) - 1
        if not items:
            return []
        source = self._upload(np.frombuffer(data or b"\0", np.uint8))
        places = self._upload(begin), self._upload(first)
        refused, reason = self._driver.allocate(4 * items + 8), self._driver.allocate(items)
        chosen, kept = np.arange(items, dtype=np.uint32), []
        lengths, counts = np.diff(begin.astype(np.int64)), np.diff(first.astype(np.int64))
        for times, more in _ROOM:
            needed = -(-(lengths[chosen] * times + more * (counts[chosen] + 1)) // ALIGNMENT) * ALIGNMENT
            region = np.concatenate([[0], np.cumsum(needed)]).astype(np.uint64)
            arena = self._driver.allocate(int(region[-1]))
            kept.append(arena)
            asked, regions = self._upload(chosen), self._upload(region)
            self._driver.fill(refused.address, 0, 8, self._control)
            block = self._upload(
                parameters(
                    LOAD,
                    n=len(chosen),
                    chosen=asked.address,
                    bytes=source.address,
                    begin=places[0].address,
                    first=places[1].address,
                    region=regions.address,
                    arena=arena.address,
                    values=values,
                    refused=refused.address + 8,
                    refused_count=refused.address,
                    reason=reason.address,
                )
            )
            warps = min(-(-len(chosen) // WARP), 4 * self._warps)
            self._driver.launch("vm_load", self._usual, warps, block.address, self._control)
            self._driver.wait(self._control)
            count = np.zeros(1, np.uint64)
            self._download(count, refused.address)
            if not count[0]:
                return kept
            chosen, why = np.empty(int(count[0]), np.uint32), np.empty(items, np.uint8)
            self._download(chosen, refused.address + 8)
            self._download(why, reason.address)
            chosen.sort()
            for item in chosen.tolist():
                if native.REASONS[why[item]] != "arena":
                    trouble = "nests too deep" if native.REASONS[why[item]] == "depth" else "is no encoded values"
                    raise NativeError(f"refused: {what} {item} {trouble}")
        raise NativeError(f"out of memory: {what} {int(chosen[0])} takes too much room")

    # Evaluation

    def evaluate(
        self,
        units: NDArray[np.uint32],
        samples: NDArray[np.uint32],
        first_result: NDArray[np.uint64],
        results: int,
        *,
        limits: Limits = _LIMITS,
        outputs: bool = False,
        timed: bool = False,
        counted: bool = False,
        cancel: NDArray[np.int32] | None = None,
    ) -> Evaluated:
        """Evaluate pairs of a unit and a sample; see ``NativeEngine.evaluate``.

        The three arrays are copied to the device once: pass the same objects again, unchanged, and they are not copied
        again. ``counted`` also counts elements and cycles, with kernels of their own that are compiled when they are
        first asked for. A first try has ``limits.arena_bytes`` at most; less where there are many warps.

        Raises:
            NativeError: an argument is wrong.
            DeviceOutOfMemory: the device has not enough memory even for few pairs at a time.
            DeviceError: the device failed.
            KeyboardInterrupt: Ctrl-C ended it.
        """
        self._check(units, samples, first_result, results)
        counting = _PROFILED if counted else self._usual
        self._driver.prepare(counting)
        pairs = self._hold_pairs(units, samples, first_result, results)
        work = _Evaluation(self, pairs, results, limits, counting, outputs=outputs, timed=timed, cancel=cancel)
        return work.run()

    def _check(
        self, units: NDArray[np.uint32], samples: NDArray[np.uint32], first: NDArray[np.uint64], results: int
    ) -> None:
        """Refuse pairs that would read or write outside of what there is.

        Raises:
            NativeError: naming the pair.
        """
        if not len(units) == len(samples) == len(first):
            raise ValueError("units, samples and first_result differ in length")
        known = self._pairs is not None and self._pairs.of(units, samples, first) and self._pairs.results == results
        if known and self._unit_records is not None and self._sample_records is not None:
            return  # and neither units nor samples have changed
        programs = np.array([own.programs for own in self._units], np.int64)
        inputs = np.array([own.inputs for own in self._units], np.int64)

        def refuse(wrong: NDArray[np.bool_], why: str) -> None:
            if wrong.any():
                raise NativeError(f"bad argument: pair {int(np.argmax(wrong))}: {why}")

        refuse(units >= len(self._units), "there is no such unit")
        refuse(samples >= len(self._samples), "there is no such sample")
        differ = inputs[units] != self._samples["inputs"][samples]
        refuse(differ, "the unit does not take as many inputs as the sample has")
        outside = first.astype(np.int64) + programs[units] > results
        refuse(outside, "its results lie outside of the arrays")

    def _hold_pairs(
        self, units: NDArray[np.uint32], samples: NDArray[np.uint32], first: NDArray[np.uint64], results: int
    ) -> _Pairs:
        if self._pairs is None or not self._pairs.of(units, samples, first) or self._pairs.results != results:
            blocks = [self._driver.allocate(array.nbytes) for array in (units, samples, first)]
            self._pairs = _Pairs((units, samples, first), (blocks[0], blocks[1], blocks[2]), results)
        return self._pairs

    def _upload(self, array: NDArray[Any]) -> Block:
        """Copy an array to new memory of the device."""
        data = np.ascontiguousarray(array)
        block = self._driver.allocate(data.nbytes)
        self._driver.upload(block.address, data, self._control)
        self._driver.wait(self._control)
        self._count_bytes(data.nbytes, 0)
        return block

    def _download(self, array: NDArray[Any], address: int) -> None:
        """Fill an array from the device."""
        self._driver.download(array, address, self._control)
        self._driver.wait(self._control)
        self._count_bytes(0, array.nbytes)

    def _count_bytes(self, there: int, back: int) -> None:
        self._usage += DeviceUsage(bytes_to_device=there, bytes_from_device=back)


class _Evaluation:
    """One call of ``CudaEngine.evaluate``."""

    def __init__(
        self,
        engine: CudaEngine,
        pairs: _Pairs,
        results: int,
        limits: Limits,
        counting: str,
        *,
        outputs: bool,
        timed: bool,
        cancel: NDArray[np.int32] | None,
    ) -> None:
        self._engine, self._pairs, self._results, self._limits = engine, pairs, results, limits
        self._driver, self._counting, self._outputs, self._cancel = engine._driver, counting, outputs, cancel
        self._count = len(pairs.arrays[0])
        self._units, self._samples = engine._copy_units(), self._copy_sample_records()
        most_registers = max((own.registers for own in engine._units), default=1)
        self._registers_each = max(most_registers, 1)
        self._most_arena = max(limits.most_arena_bytes // ALIGNMENT * ALIGNMENT, ALIGNMENT)  # they lie side by side
        self._status = self._driver.allocate(3 * results)  # and reason, and equality
        self._nanoseconds = self._driver.allocate(8 * self._count) if timed else None
        self._pieces: list[tuple[NDArray[np.uint8], NDArray[np.uint64], NDArray[np.uint64]]] = []
        self._retried, self._arena_used = 0, 0

    def _copy_sample_records(self) -> Block:
        engine = self._engine
        if engine._sample_records is None:
            engine._sample_records = engine._upload(engine._samples.view(np.uint8))
        return engine._sample_records

    def run(self) -> Evaluated:
        """Launch, try again, and fetch."""
        driver, engine, results = self._driver, self._engine, self._results
        stream = engine._control
        for at, byte in ((0, native.NOT_RUN), (results, 0), (2 * results, native.UNKNOWN)):
            driver.fill(self._status.address + at, byte, results, stream)
        driver.fill(engine._counters.address, 0, engine._counters.size, stream)
        driver.fill(engine._cancel.address, 0, engine._cancel.size, stream)
        if self._nanoseconds is not None:
            driver.fill(self._nanoseconds.address, 0, self._nanoseconds.size, stream)
        driver.wait(stream)
        again = self._first_tries()
        arena = self._first_arena
        while len(again) and not self._cancelled():
            self._retried += len(again) if arena == self._first_arena else 0
            before = len(again), arena, self._slot_outputs()
            arena = min(arena * 8, self._most_arena)
            again = self._try_again(again, arena, arena == self._most_arena)
            if before == (len(again), arena, self._slot_outputs()):  # with all memory that there is, to no avail
                raise DeviceOutOfMemory(f"{len(again)} pairs have outputs for which the device has no room")
        return self._fetch()

    def _slot_outputs(self) -> int:
        """How many bytes there are for the outputs of pairs that are tried again."""
        block = self._engine._slots[0].outputs
        return block.size if block is not None else 0

    def _cancelled(self) -> bool:
        return self._cancel is not None and bool(self._cancel[0])

    # Launches

    def _lanes(self, count: int) -> int:
        """How many lanes evaluate a pair: all of a warp where there are few pairs."""
        if self._engine._lanes is not None:
            return self._engine._lanes
        return 1 if count >= self._many() else WARP

    def _many(self) -> int:
        """How many pairs are enough for single threads."""
        return _EACH * WARP * self._engine._warps

    def _chunk(self, lanes: int) -> int:
        """How many pairs a launch takes: with a lane a pair no fewer than are enough for that."""
        if self._outputs:
            return _FEW_OUTPUTS
        return _CHUNK if lanes == WARP else max(_CHUNK, -(-self._count // max(self._count // self._many(), 1)))

    def _first_tries(self) -> NDArray[np.uint32]:
        """Evaluate all pairs once, in chunks on two streams; return those that have to be tried again."""
        lanes = self._lanes(min(self._count, _FEW_OUTPUTS) if self._outputs else self._count)
        chunk = self._chunk(lanes)
        workers = self._workers(lanes)
        self._first_arena = self._arena_for(workers * (2 if self._count > chunk else 1))
        again: list[NDArray[np.uint32]] = []
        running: list[_Launch] = []
        try:
            for number, first in enumerate(range(0, self._count, chunk)):
                if len(running) == len(self._engine._slots):
                    again.append(self._finish(running.pop(0)))
                if self._cancelled():
                    break
                slot = self._engine._slots[number % len(self._engine._slots)]
                end = min(first + chunk, self._count)
                self._copy_pairs(slot, first, end)
                last = self._first_arena >= self._most_arena
                launch = partial(self._launch, lanes=lanes, workers=workers, arena=self._first_arena, last=last)
                running.append(launch(slot, first, end, None))
            while running:
                again.append(self._finish(running.pop(0)))
        except BaseException:
            self._abandon(running)
            raise
        return np.concatenate([np.empty(0, np.uint32), *again])

    def _try_again(self, chosen: NDArray[np.uint32], arena: int, last: bool) -> NDArray[np.uint32]:
        """Evaluate some pairs once more with larger arenas, and so many at a time as these leave memory for."""
        slot = self._engine._slots[0]
        slot.arenas = None
        while True:
            most = int(self._driver.free_bytes() * _SHARE) // (arena + VALUE_BYTES * self._registers_each)
            workers = min(max(most, 1), self._engine._warps, len(chosen))
            try:
                launch = self._launch(slot, 0, self._count, chosen, lanes=WARP, workers=workers, arena=arena, last=last)
                break
            except DeviceOutOfMemory:
                if workers == 1:
                    raise
                self._driver.close()
        try:
            return self._finish(launch)
        except BaseException:
            self._abandon([launch])
            raise

    def _workers(self, lanes: int) -> int:
        """How many evaluate at a time at most: warps, or threads."""
        return self._engine._warps * (WARP // lanes)

    def _arena_for(self, workers: int) -> int:
        """Return the bytes of each arena that the memory allows for which is free, or holds arenas now."""
        held = sum(own.size for slot in self._engine._slots for own in (slot.arenas, slot.registers) if own is not None)
        each = int((self._driver.free_bytes() + held) * _SHARE) // workers - VALUE_BYTES * self._registers_each
        most = min(_MOST_FIRST_ARENA, self._limits.arena_bytes, self._most_arena) // ALIGNMENT * ALIGNMENT
        return max(min(each // ALIGNMENT * ALIGNMENT, most), min(_LEAST_ARENA, most))

    def _copy_pairs(self, slot: _Slot, first: int, end: int) -> None:
        """Have pairs in the device's memory before what the slot's stream is given next."""
        if end <= self._pairs.copied:
            return
        arrays: tuple[NDArray[Any], ...] = self._pairs.arrays
        for array, block in zip(arrays, self._pairs.blocks, strict=True):
            part = array[first:end]
            staged = self._driver.pinned(part.nbytes)
            staged[:] = part.view(np.uint8)
            slot.kept.append(staged)
            self._driver.upload(block.address + first * array.itemsize, staged, slot.stream)
            self._engine._count_bytes(part.nbytes, 0)
        self._pairs.copied = end

    def _launch(
        self,
        slot: _Slot,
        first: int,
        end: int,
        chosen: NDArray[np.uint32] | None,
        *,
        lanes: int,
        workers: int,
        arena: int,
        last: bool,
    ) -> _Launch:
        driver, engine = self._driver, self._engine
        count = end - first if chosen is None else len(chosen)
        workers = min(workers, max(count, 1)) if lanes == WARP else min(workers, -(-max(count, 1) // WARP) * WARP)
        warps = workers if lanes == WARP else -(-workers // WARP)
        warps = -(-warps // 4) * 4  # whole blocks, so that each worker has an arena
        workers = warps * (WARP // lanes)
        arenas = self._room(slot, "arenas", workers * arena)
        registers = self._room(slot, "registers", workers * VALUE_BYTES * self._registers_each)
        again = self._room(slot, "again", 4 * count)
        asked = None
        if chosen is not None:
            asked = engine._upload(chosen)
        capacity, places = 0, 0
        if self._outputs:
            capacity = self._output_capacity(slot, count, chosen is not None)
            places = self._room(slot, "places", 16 * self._results).address
            driver.fill(places + 8 * self._results, 0, 8 * self._results, slot.stream)
        driver.fill(slot.state.address, 0, slot.state.size, slot.stream)
        units, samples, results = self._pairs.blocks
        status, inputs = self._status.address, engine._inputs
        assert inputs is not None
        values = parameters(
            BATCH,
            units=self._units.address,
            samples=self._samples.address,
            inputs=inputs.address,
            pairs=count,
            chosen=asked.address if asked is not None else 0,
            unit_of=units.address + 4 * first,
            sample_of=samples.address + 4 * first,
            first_result=results.address + 8 * first,
            status=status,
            reason=status + self._results,
            equal=status + 2 * self._results,
            nanoseconds=self._nanoseconds.address + 8 * first if self._nanoseconds is not None else 0,
            next=slot.state.address + _NEXT,
            arenas=arenas.address,
            arena_bytes=arena,
            registers=registers.address,
            registers_each=self._registers_each,
            fuel=self._limits.fuel,
            cancel=engine._cancel.address,
            again=again.address,
            again_count=slot.state.address + _AGAIN,
            last_try=last,
            outputs=slot.outputs.address if slot.outputs is not None and self._outputs else 0,
            output_capacity=capacity,
            most_output_bytes=self._limits.most_output_bytes,
            output_end=slot.state.address + _OUTPUT_END,
            output_at=places,
            output_size=places + 8 * self._results,
            counters=engine._counters.address,
            multiprocessors=slot.state.address + _BITS,
            arena_used=slot.state.address + _ARENA_USED,
            lanes=lanes,
        )
        slot.kept.append(values)
        driver.upload(slot.parameters.address, values, slot.stream)
        engine._count_bytes(values.nbytes, 0)
        begun = driver.mark(slot.stream)
        driver.launch("vm_evaluate", self._counting, warps, slot.parameters.address, slot.stream)
        ended = driver.mark(slot.stream)
        state = cast("NDArray[np.uint64]", driver.pinned(slot.state.size).view(np.uint64))
        driver.download(state, slot.state.address, slot.stream)
        slot.kept += [asked, state]
        return _Launch(slot, first, end, chosen, begun, ended, state, capacity)

    def _room(self, slot: _Slot, name: str, size: int) -> Block:
        """Return memory of that size of a slot, what it has if that is large enough; else that is given back first."""
        block: Block | None = getattr(slot, name)
        if block is None or block.size < size:
            block = None
            setattr(slot, name, None)
            block = self._driver.allocate(aligned(size))
            setattr(slot, name, block)
        return block

    def _output_capacity(self, slot: _Slot, count: int, more: bool) -> int:
        """Have room for outputs; return how many bytes. The second time they were more than usual."""
        wanted = max(count * _USUAL_OUTPUT, 1 << 20)
        if more:
            wanted = max(wanted, 8 * (slot.outputs.size if slot.outputs else 0), self._limits.most_output_bytes)
        size = min(wanted, max(int(self._driver.free_bytes() * _SHARE), 1 << 20))
        return self._room(slot, "outputs", size).size

    # Results

    def _finish(self, launch: _Launch) -> NDArray[np.uint32]:
        """Wait for a launch and note what it did; return the pairs that have to be tried again."""
        driver, engine, slot = self._driver, self._engine, launch.slot
        self._wait(launch)
        slot.kept.clear()
        seconds = driver.seconds(launch.begun, launch.ended)
        engine._usage += DeviceUsage(launches=1, kernel_s=seconds, bytes_from_device=launch.state.nbytes)
        engine._bits |= launch.state[_BITS // 8 :]
        self._arena_used = max(self._arena_used, int(launch.state[_ARENA_USED // 8]))
        if self._outputs:
            self._fetch_outputs(launch)
        count = int(launch.state[_AGAIN // 8])
        again = np.empty(count, np.uint32)
        if count:
            assert slot.again is not None
            engine._download(again, slot.again.address)
            again.sort()
        return again + np.uint32(launch.first if launch.chosen is None else 0)

    def _wait(self, launch: _Launch) -> None:
        """Wait, but let Ctrl-C and ``cancel`` end it."""
        start, told = time.perf_counter(), False
        mark = self._driver.mark(launch.slot.stream)
        while not self._driver.passed(mark):
            if time.perf_counter() - start > _SPIN_S:
                time.sleep(_NAP_S)
            if not told and self._cancelled():
                self._end_soon()
                told = True

    def _end_soon(self) -> None:
        """Have the kernels see that they are to end."""
        self._driver.upload(self._engine._cancel.address, np.ones(1, np.int32), self._engine._control)
        self._driver.wait(self._engine._control)

    def _abandon(self, running: Sequence[_Launch]) -> None:
        """End what runs, so that its memory may be used again; its device may be gone."""
        with contextlib.suppress(Exception):
            self._end_soon()
            for slot in self._engine._slots:
                self._driver.wait(slot.stream)
                slot.kept.clear()
        self._engine._pairs = None

    def _fetch_outputs(self, launch: _Launch) -> None:
        """Copy the outputs of a launch, and where they are."""
        engine, slot, results = self._engine, launch.slot, self._results
        assert slot.places is not None
        assert slot.outputs is not None
        data = np.empty(min(int(launch.state[_OUTPUT_END // 8]), launch.capacity), np.uint8)
        engine._download(data, slot.outputs.address)
        places = np.empty((2, results), np.uint64)
        engine._download(places, slot.places.address)
        self._pieces.append((data, places[0], places[1]))

    def _fetch(self) -> Evaluated:
        """Copy the results of all pairs."""
        engine, results = self._engine, self._results
        found = np.empty((3, results), np.uint8)
        engine._download(found, self._status.address)
        nanoseconds = None
        if self._nanoseconds is not None:
            nanoseconds = np.empty(self._count, np.uint64)
            engine._download(nanoseconds, self._nanoseconds.address)
        engine._download(engine._last_counters, engine._counters.address)
        outputs, positions = join_outputs(self._pieces, results)
        status, reason, equal = found
        return Evaluated(status, reason, equal, nanoseconds, outputs, positions, self._retried, self._arena_used)
