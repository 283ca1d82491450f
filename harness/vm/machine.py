"""What every build of the virtual machine does, on the host or on a CUDA device: the Protocol ``Machine``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.vm.native import Evaluated, Limits


class Machine(Protocol):
    """Units and samples in a machine's memory, and their evaluation; ``NativeEngine`` documents each method.

    A machine is used by one thread at a time, not always by the same one.
    """

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
        """Verify a unit and keep it; return its number.

        Raises:
            NativeError: the verifier refuses it.
        """

    def clear_units(self) -> None:
        """Forget all units; numbers begin at 0 again."""

    def add_samples(self, values: bytes, starts: NDArray[np.uint64], inputs: int, expected: NDArray[np.bool_]) -> int:
        """Keep samples, all of them or none; return the number of the first.

        Raises:
            NativeError: one is refused.
        """

    def clear_samples(self) -> None:
        """Forget all samples; numbers begin at 0 again."""

    def evaluate(
        self,
        units: NDArray[np.uint32],
        samples: NDArray[np.uint32],
        first_result: NDArray[np.uint64],
        results: int,
        *,
        limits: Limits = ...,
        outputs: bool = False,
        timed: bool = False,
        counted: bool = False,
        cancel: NDArray[np.int32] | None = None,
    ) -> Evaluated:
        """Evaluate pairs of a unit and a sample.

        Raises:
            NativeError: an argument is wrong, or memory is short.
            KeyboardInterrupt: Ctrl-C ended it.
        """

    def counters(self) -> NDArray[np.uint64]:
        """Return uint64 [counters, 3]: executions, elements and cycles of the last evaluation."""

    def close(self) -> None:
        """Give back what the machine holds; may be called again."""
