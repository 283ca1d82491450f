"""The blocks of a GPU mode on one of its devices alone, for how it scales: a mode of its own, on the same machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from harness.config import ONE_DEVICE_MODES
from harness.gpu.device import DeviceFacts
from harness.measure.sources import Sources
from harness.run.eager import EagerMode
from harness.run.gpu import GpuMode
from harness.run.mode import Block, ModeFailed
from harness.run.worker import NOTHING_DRAWN, Draw, Outcome


class OneDevice:
    """A GPU mode that is kept to the first of its devices.

    It evaluates with what the other mode holds: the same programs, samples and devices. Its blocks tell what *every*
    device did, so that it shows if another one took part. ``workers`` counts as those of the other mode do.

    Attributes:
        device: the one that works.
    """

    def __init__(self, mode: GpuMode | EagerMode) -> None:
        """Share a mode of which a device is left; it is not closed with this one."""
        self.name = ONE_DEVICE_MODES[mode.name]
        self.workers = 1 if isinstance(mode, GpuMode) else mode.workers
        self.machine, self._mode = mode.machine, mode
        failed = {failure.device for failure in self.machine.failures}
        self.device: DeviceFacts = next(facts for facts in self.machine.facts if facts.device not in failed)

    def check(self) -> Iterable[list[Outcome]]:
        """See ``Mode``; where the device fails, others go on."""
        with self.machine.alone(self.device.device):
            yield from self._mode.check()

    def restore(self, fell_back: Mapping[int, str]) -> None:
        """See ``Restorable``."""
        self._mode.restore(fell_back)

    def prepare(self, costs: Sequence[float], excluded: frozenset[int]) -> None:
        """See ``Mode``."""
        self._mode.prepare(costs, excluded)

    def block(self, passes: int, draw: Draw = NOTHING_DRAWN) -> Block:
        """See ``Mode``.

        Raises:
            ModeFailed: the device has failed, or does so in this block.
        """
        self._require_device()
        with self.machine.alone(self.device.device):
            block = self._mode.block(passes, draw)
        self._require_device()
        return block

    def _require_device(self) -> None:
        for failure in self.machine.failures:
            if failure.device == self.device.device:
                raise ModeFailed(f"{failure.device}, which is to work alone, failed: {failure.reason}")

    def sources(self) -> Sources:
        """See ``KnowsSources``."""
        return self._mode.sources()

    def close(self) -> None:
        """See ``Mode``; whoever made the other mode closes that."""
