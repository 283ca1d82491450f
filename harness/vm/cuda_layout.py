"""The structures of kernels.cu as NumPy fills them: parameters of kernels, units and samples in a device's memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LOAD = ("n", "chosen", "bytes", "begin", "first", "region", "arena", "values", "refused", "refused_count", "reason")
"""Fields of ``Load``, of 8 bytes each, in order."""

BATCH = (
    *("units", "samples", "inputs", "pairs", "chosen", "unit_of", "sample_of", "first_result"),
    *("status", "reason", "equal", "nanoseconds", "next", "arenas", "arena_bytes", "registers", "registers_each"),
    *("fuel", "cancel", "again", "again_count", "last_try", "outputs", "output_capacity", "most_output_bytes"),
    *("output_end", "output_at", "output_size", "counters", "multiprocessors", "arena_used", "lanes"),
)
"""Fields of ``Batch``, likewise."""

VALUE_BYTES = 16
ALIGNMENT = 16

UNIT = np.dtype(
    {
        "names": [
            *("code", "n", "behind", "constants", "registers", "inputs", "programs", "depth"),
            *("results", "results_start"),
        ],
        "formats": ["u8", "u4", "u8", "u8", "u4", "u4", "u4", "u4", "u8", "u8"],
        "offsets": [0, 8, 16, 24, 32, 36, 40, 44, 48, 56],
        "itemsize": 64,
    }
)
"""``Unit``; addresses as u8."""

SAMPLE = np.dtype([("first", "u8"), ("inputs", "u4"), ("has_expected", "u4")])
"""``LoadedSample``."""


def parameters(fields: Sequence[str], **values: int) -> NDArray[np.uint64]:
    """Return uint64 [fields]: what a kernel is given, addresses and numbers; 0 for what is not named.

    Raises:
        KeyError: there is no such field.
    """
    for name in values:
        if name not in fields:
            raise KeyError(name)
    return np.array([values.get(name, 0) for name in fields], np.uint64)


def aligned(size: int) -> int:
    """Return the next multiple of ALIGNMENT."""
    return -(-size // ALIGNMENT) * ALIGNMENT


@dataclass(frozen=True)
class HostUnit:
    """A unit before it is copied to a device: what ``Unit`` points to, and the rest of it.

    Attributes:
        code: uint16 [n, 8].
        behind: uint32 [n], where loops and ifs end.
        depth: how deep they nest.
        registers: how many.
        inputs: how many of these are inputs.
        constants: encoded values.
        constants_count: how many.
        results: uint16, output and required registers of the programs, one list behind the other.
        results_start: uint32 [2 * programs + 1], where each of these lists begins, and the end.
    """

    code: NDArray[np.uint16]
    behind: NDArray[np.uint32]
    depth: int
    registers: int
    inputs: int
    constants: bytes
    constants_count: int
    results: NDArray[np.uint16]
    results_start: NDArray[np.uint32]

    @property
    def programs(self) -> int:
        """How many programs share the unit."""
        return len(self.results_start) // 2


class Packer:
    """Arrays, to be one block of a device's memory."""

    def __init__(self) -> None:
        """Begin with none."""
        self._parts: list[tuple[int, NDArray[np.uint8]]] = []
        self.size = 0

    def add(self, array: NDArray[np.generic]) -> int:
        """Put an array behind the others; return where in the block it begins, a multiple of ALIGNMENT."""
        at = self.size
        data = np.frombuffer(np.ascontiguousarray(array).tobytes(), np.uint8)
        self._parts.append((at, data))
        self.size = aligned(at + len(data))
        return at

    def pack(self) -> NDArray[np.uint8]:
        """Return uint8 [size]: the block."""
        block = np.zeros(self.size, np.uint8)
        for at, data in self._parts:
            block[at : at + len(data)] = data
        return block


def pack_units(units: Iterable[HostUnit]) -> tuple[Packer, NDArray[np.void]]:
    """Put all that units point to, but for their constants, into one block.

    Returns:
        The block, and UNIT [units] with places in it for addresses, and 0 for the constants'.
    """
    packer, records = Packer(), []
    for own in units:
        places = [packer.add(array) for array in (own.code, own.behind, own.results, own.results_start)]
        code, behind, results, results_start = places
        numbers = (own.registers, own.inputs, own.programs, own.depth)
        records.append((code, len(own.code), behind, 0, *numbers, results, results_start))
    return packer, np.array(records, UNIT)


def join_outputs(
    pieces: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint64], NDArray[np.uint64]]], results: int
) -> tuple[bytearray, NDArray[np.uint64]]:
    """Put outputs into the order of results.

    Args:
        pieces: of each round of evaluations its outputs, in any order, and uint64 [results]: where each begins and how
            many bytes it has; 0 bytes for those of other rounds. Later rounds win.
        results: how many there are.

    Returns:
        All outputs, and uint64 [results + 1]: where each begins, and where the last ends.
    """
    size = np.zeros(results, np.uint64)
    of_round = np.full(results, -1, np.int64)
    for number, (_, _, sizes) in enumerate(pieces):
        written = sizes > 0
        size[written], of_round[written] = sizes[written], number
    positions = np.zeros(results + 1, np.uint64)
    np.cumsum(size, out=positions[1:])
    joined = bytearray(int(positions[-1]))
    target = np.frombuffer(joined, np.uint8)
    for number, (data, at, _) in enumerate(pieces):
        own = np.flatnonzero(of_round == number)
        for part in np.array_split(own, len(own) // 50_000 + 1):  # the places of bytes take eight times as much memory
            lengths = size[part].astype(np.int64)
            inside = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
            source = np.repeat(at[part].astype(np.int64), lengths) + inside
            target[np.repeat(positions[part].astype(np.int64), lengths) + inside] = data[source]
    return joined, positions
