"""The tables ``devices``, ``device_blocks`` and ``opcodes`` of a run folder: the proof of what ran on which device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.gpu.device import DeviceFacts
from harness.gpu.sharing import MultiDevice
from harness.run.journal import RunFolder
from harness.run.mode import Block, Mode
from harness.run.one_device import OneDevice
from harness.vm.native import COUNTERS

Counted = tuple[str, str, list[list[int]]]
"""Mode, device, and of each opcode that it executed: number, executions, elements, cycles."""


class DeviceTables:
    """What devices did in timed blocks, written as it becomes known; nothing in a run without devices."""

    def __init__(self, folder: RunFolder, blocks: Sequence[Mapping[str, Any]] = ()) -> None:
        """Write to a folder.

        Args:
            folder: of the run.
            blocks: rows of ``device_blocks`` that earlier sessions of the run have written.
        """
        self._folder = folder
        self._blocks = [dict(row) for row in blocks]
        self._counters: dict[tuple[str, str], NDArray[np.uint64]] = {}  # by mode and device

    @staticmethod
    def of_block(mode: str, number: int, block: Block) -> tuple[list[dict[str, Any]], list[Counted]]:
        """Return what devices did in a timed block: rows of ``device_blocks``, and what each of them counted."""
        rows: list[dict[str, Any]] = []
        counted: list[Counted] = []
        for own in block.devices:
            rows.append(
                {
                    "mode": mode,
                    "block": number,
                    "device": own.device,
                    "evaluations": own.evaluations,
                    "launches": own.usage.launches,
                    "kernel_s": own.usage.kernel_s,
                    "bytes_to_device": own.usage.bytes_to_device,
                    "bytes_from_device": own.usage.bytes_from_device,
                    "multiprocessors_used": own.usage.multiprocessors_used,
                }
            )
            numbers = np.flatnonzero(own.counters.any(axis=1))
            each = [[number, *own.counters[number].tolist()] for number in numbers.tolist()]
            counted.append((mode, own.device, each))
        return rows, counted

    def add_block(self, rows: Sequence[Mapping[str, Any]], counted: Iterable[Counted]) -> None:
        """Take over what ``of_block`` returned, and write ``device_blocks``."""
        self.add_counters(counted)
        if rows:
            self._blocks += [dict(row) for row in rows]
            self._folder.write_table("device_blocks", self._blocks)

    def add_counters(self, counted: Iterable[Counted]) -> None:
        """Add what devices counted, in this session or an earlier one."""
        for mode, device, each in counted:
            total = self._counters.setdefault((mode, device), np.zeros((len(COUNTERS), 3), np.uint64))
            for number, *values in each:
                total[number] += np.array(values, np.uint64)

    def write(self, modes: Iterable[Mode]) -> list[str]:
        """Write ``devices`` and ``opcodes``.

        Args:
            modes: those that ran, or should have.

        Returns:
            Warnings: of devices that failed.
        """
        device_rows: list[dict[str, Any]] = []
        opcode_rows: list[dict[str, Any]] = []
        warnings: list[str] = []
        for mode in modes:
            machine = getattr(mode, "machine", None)
            if isinstance(machine, MultiDevice):
                if isinstance(mode, OneDevice):  # what the others did is in the other tables, to show that it is 0
                    device_rows += _device_rows(mode.name, machine, [mode.device])
                else:
                    device_rows += _device_rows(mode.name, machine, machine.facts)
                    warnings += [f"{mode.name}: {failure}" for failure in machine.failures]
                opcode_rows += self._opcode_rows(mode.name, machine)
        if device_rows:
            self._folder.write_table("devices", device_rows)
            self._folder.write_table("opcodes", opcode_rows)
            self._folder.write_table("device_blocks", self._blocks)
        return warnings

    def _opcode_rows(self, mode: str, machine: MultiDevice) -> Iterable[dict[str, Any]]:
        """Make a row of each opcode that the units hold, or that was executed."""
        for own in machine.facts:
            counters = self._counters.get((mode, own.device), np.zeros((len(COUNTERS), 3), np.uint64))
            elements_known, cycles_known = (
                bool(counters[:, k].any()) for k in (1, 2)
            )  # timed blocks need not count elements and cycles
            for number in np.flatnonzero((machine.instructions > 0) | counters.any(axis=1)).tolist():
                executions, elements, cycles = counters[number].tolist()
                yield {
                    "mode": mode,
                    "device": own.device,
                    "opcode": COUNTERS[number],
                    "instructions": int(machine.instructions[number]),
                    "executions": executions,
                    "elements": elements if elements_known else None,
                    "cycles": cycles if cycles_known else None,
                }


def _device_rows(mode: str, machine: MultiDevice, used: Iterable[DeviceFacts]) -> Iterable[dict[str, Any]]:
    failures = {failure.device: failure for failure in machine.failures}
    for own in used:
        failure = failures.get(own.device)
        yield {
            "mode": mode,
            "device": own.device,
            "name": own.name,
            "uuid": own.uuid,
            "compute_capability": own.compute_capability,
            "multiprocessors": own.multiprocessors,
            "counters": own.counters,
            "compile_s": own.compile_s,
            "failure": failure.reason if failure else None,
            "moved": failure.moved if failure else None,
        }
