"""The mode ``parallel_gpu``: the virtual machine on every CUDA device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.gpu.device import AllDevicesFailed, DeviceMachine
from harness.gpu.devices import open_devices
from harness.gpu.sharing import MultiDevice
from harness.run.mode import Block, ModeFailed
from harness.run.native import NativeMode
from harness.run.worker import NOTHING_DRAWN, Draw, Job, Outcome, Span
from harness.vm.engine import Engine, Evaluation

_NO_DEVICE = "no device: "


class GpuMode(NativeMode):
    """Programs compiled and evaluated by the virtual machine on CUDA devices; what it does not handle is left over.

    The reference does that, in worker processes, as for ``NativeMode``.

    Where a device fails, the others take over. Once none is left, the reference does what is left of ``check``, and the
    mode has failed: no block of it is timed, and its row says why. ``workers`` counts devices.
    """

    name = "parallel_gpu"

    def __init__(self, job: Job, workers: int, devices: Sequence[DeviceMachine] | None = None) -> None:
        """Compile the programs.

        Args:
            job: what to evaluate, and within which limits.
            workers: processes for what is left to the reference.
            devices: which ``close`` closes; None for all that there are.

        Raises:
            CudaUnavailable: there is none.
        """
        self.machine = MultiDevice(open_devices() if devices is None else devices)
        self._failure: str | None = None
        try:
            super().__init__(job, workers)
        except BaseException:
            self.machine.close()
            raise
        self.workers = len(self.machine.facts)

    def _make_engine(self, workers: int) -> Engine:
        """See ``NativeMode``."""
        return Engine(machine=self.machine)

    def _evaluate_passes(self, pairs: NDArray[np.int64], passes: int) -> list[Evaluation]:
        """See ``NativeMode``; each pass is a batch of its own, since larger ones would suit devices better."""
        nanoseconds = np.zeros(len(pairs), np.uint64)
        found: Evaluation | None = None
        for _ in range(passes):  # of which one at a time is kept: there may be very many
            found = self._engine.evaluate(pairs, timed=True, fallback=False)
            assert found.nanoseconds is not None
            nanoseconds += found.nanoseconds
        return [] if found is None else [replace(found, nanoseconds=nanoseconds)]

    @contextmanager
    def host_engine(self) -> Iterator[Engine]:
        """See ``NativeMode``."""
        known = self._engine.programs
        with Engine(threads=self._processes) as engine:
            refused = {number: own.refusal for number, own in enumerate(known) if own.refusal}
            self._fill(engine, [own.program for own in known], refused)
            yield engine

    def check(self) -> Iterable[list[Outcome]]:
        """See ``Mode``."""
        open_ = set(range(len(self._pairs)))
        try:
            for outcomes in super().check():
                open_.difference_update(outcome.evaluation for outcome in outcomes)
                yield outcomes
        except AllDevicesFailed as error:
            self._failure = str(error)
            for evaluation in sorted(open_):
                self._left.setdefault(evaluation, f"{_NO_DEVICE}{error}")
            for outcomes in self._reference_pool().check([Span(e, e + 1) for e in sorted(open_)]):
                yield [outcome.because(self._left[outcome.evaluation]) for outcome in outcomes]

    def restore(self, fell_back: Mapping[int, str]) -> None:
        """See ``Restorable``."""
        super().restore(fell_back)
        lost = [reason for reason in fell_back.values() if reason.startswith(_NO_DEVICE)]
        if lost:
            self._failure = lost[0].removeprefix(_NO_DEVICE)

    def block(self, passes: int, draw: Draw = NOTHING_DRAWN) -> Block:
        """See ``Mode``; what the devices did is in the block."""
        if self._failure is not None:
            raise ModeFailed(self._failure)
        self.machine.work()  # of what was not timed
        try:
            block = super().block(passes, draw)
        except AllDevicesFailed as error:
            self._failure = str(error)
            raise ModeFailed(self._failure) from error
        if self.machine.not_handled:
            raise ModeFailed(
                f"{self.machine.not_handled} evaluations that devices did before were not handled in a timed block, so "
                "its time means nothing; is the memory of the devices taken by others?"
            )
        return replace(block, devices=self.machine.work())
