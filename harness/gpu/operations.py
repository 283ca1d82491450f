"""``GPUDSLOperations``: a primitive applied to many arguments in one launch."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Literal, Self

import numpy as np

from harness.dsl.table import ALIASES, ALL
from harness.gpu.batch import REFERENCE, Answer, Batcher, NotCompiled, describe_reasons, prepare
from harness.gpu.device import CudaUnavailable
from harness.gpu.devices import open_devices
from harness.gpu.interception import INTERCEPTED
from harness.gpu.sharing import MultiDevice
from harness.spelling import nearest
from harness.vm.machine import Machine
from harness.vm.native import FAIL, Limits

_LOG = logging.getLogger(__name__)
_PREFIX = "batch_"
BATCHED = INTERCEPTED
"""The primitives that compute a value, and do not make a function."""


@dataclass(frozen=True)
class BatchReport:
    """What a call did.

    Attributes:
        operation: e.g. ``batch_mapply``.
        evaluations: applications of the primitive.
        device: what computed: ``cuda:0, cuda:1``, ``the reference``, or both with "and" between.
        fell_back: how many applications the reference computed, by reason.
        seconds: of the call, Python to Python.
    """

    operation: str
    evaluations: int
    device: str
    fell_back: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


class GPUDSLOperations:
    """Primitives of the DSL over batches, on the virtual machine of every CUDA device.

    Beside ``batch_mapply``, ``batch_apply`` and ``batch_o_g`` there is ``batch_<primitive>`` for each primitive that
    computes a value (``dir`` lists them): ``ops.batch_fill(grids, 3, patches)``. A **list** among its arguments holds
    one argument for each application, anything else is the same for all. Functions may be primitives, closures
    (``compose(rot90, first)``) or one's own, as far as the compiler can trace them. What is in a list may be lists of
    lists or arrays, too, which count as tuples.

    The reference computes what cannot be compiled, what the machine does not handle, and everything once no device is
    left: each time with a warning, counted by reason, and named in ``last.device``.

    Attributes:
        last: what the last call did; None before.
        calls: applications by (operation, device), of all calls.
        fell_back: applications that the reference computed, by reason, of all calls.
    """

    def __init__(
        self,
        machine: Machine | None = None,
        *,
        failed: Literal["raise", "return"] = "raise",
        limits: Limits | None = None,
    ) -> None:
        """Use devices.

        Args:
            machine: a ``MultiDevice``, or the host's ``NativeEngine``, which ``close`` closes; None for every CUDA
                device. Where there is none of those, the reference computes, and a warning says so.
            failed: what an application that raises does: raise, as it does in Python, or return ``FAIL``.
            limits: memory and work of an application.
        """
        reason = None
        if machine is None:
            try:
                machine = MultiDevice(open_devices())
            except CudaUnavailable as error:
                reason = str(error)
                _LOG.warning("no CUDA device: %s; the reference computes all batches", error)
        self._batcher = Batcher(machine, limits, reason)
        self._failed = failed
        self.last: BatchReport | None = None
        self.calls: Counter[tuple[str, str]] = Counter()
        self.fell_back: Counter[str] = Counter()

    def __enter__(self) -> Self:
        """Return it, to be closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Give the devices back."""
        self._batcher.close()

    def batch_mapply(self, func: Callable[..., Any], grid_lists: Sequence[Any]) -> list[Any]:
        """Return ``mapply(func, grids)`` of each of some lists of grids (or of any values).

        Args:
            func: what is mapped; its results are merged. A list has one function for each list of grids.
            grid_lists: containers; a list or an array counts as a tuple.
        """
        return self._each("mapply", func, grid_lists, "grids")

    def batch_apply(self, func: Callable[..., Any], sample_lists: Sequence[Any]) -> list[Any]:
        """Return ``apply(func, samples)`` of each of some lists of samples (or of any values).

        Args:
            func: what is mapped. A list has one function for each list of samples.
            sample_lists: containers; a list or an array counts as a tuple.
        """
        return self._each("apply", func, sample_lists, "samples")

    def batch_o_g(self, grids: Sequence[Any], kinds: Sequence[int] | int) -> list[Any]:
        """Return ``o_g(grid, kind)``, the objects of each of some grids.

        Args:
            grids: the grids.
            kinds: 0 to 7, of each grid, or of all.
        """
        rows = _rows("o_g", (list(grids), kinds if isinstance(kinds, int) else list(kinds)))
        return self._run("o_g", rows, f"{len(rows)} grids, o_g")

    def __getattr__(self, name: str) -> Callable[..., list[Any]]:
        """Return ``batch_<primitive>``."""
        primitive = name.removeprefix(_PREFIX)
        primitive = ALIASES.get(primitive, primitive)
        if name.startswith(_PREFIX) and primitive in BATCHED:
            return lambda *operands: self._of_columns(primitive, operands)
        known = [_PREFIX + own for own in BATCHED]
        raise AttributeError(f"{type(self).__name__} has no {name!r}{nearest(name, known)}", name=name, obj=self)

    def __dir__(self) -> list[str]:
        """List ``batch_<primitive>`` of each primitive, too."""
        return sorted({*super().__dir__(), *(_PREFIX + name for name in BATCHED)})

    def _each(self, name: str, function: Any, containers: Sequence[Any], noun: str) -> list[Any]:
        functions = function if isinstance(function, list) else [function] * len(containers)
        for own in functions if functions else [function]:
            if not callable(own):
                raise TypeError(f"{_PREFIX}{name} takes a function first, not {own!r}")
        values = [_value(container) for container in containers]
        for k, value in enumerate(values):
            if not isinstance(value, tuple | frozenset):
                raise TypeError(f"{_PREFIX}{name}: element {k} is no container, but {type(value).__name__}")
        of_what = ", ".join(dict.fromkeys(getattr(own, "__name__", type(own).__name__) for own in functions))
        return self._run(name, _rows(name, (functions, values)), f"{sum(map(len, values))} {noun}, {of_what}")

    def _of_columns(self, name: str, operands: tuple[Any, ...]) -> list[Any]:
        rows = _rows(name, operands)
        return self._run(name, rows, f"{len(rows)} evaluations, {name}")

    def _run(self, name: str, rows: Sequence[tuple[Any, ...]], what: str) -> list[Any]:
        """Apply a primitive to rows of arguments, and say so."""
        start = perf_counter()
        left: dict[int, str] = {}
        applications = []
        for k, row in enumerate(rows):
            try:
                applications.append(prepare(name, row))
            except NotCompiled as error:
                left[k] = str(error)
        answers = iter(self._batcher.run(applications))
        found = [Answer("left", reason=left[k]) if k in left else next(answers) for k in range(len(rows))]
        fell_back = Counter(answer.reason for answer in found if answer.status == "left")
        device = self._batcher.used
        if fell_back:
            device = REFERENCE if fell_back.total() == len(rows) else f"{device} and {REFERENCE}"
        results = [self._result(name, row, answer) for row, answer in zip(rows, found, strict=True)]
        self.last = BatchReport(_PREFIX + name, len(rows), device, fell_back, perf_counter() - start)
        self.calls[_PREFIX + name, self._batcher.used] += len(rows) - fell_back.total()
        self.fell_back += fell_back
        if fell_back:
            self.calls[_PREFIX + name, REFERENCE] += fell_back.total()
            _LOG.warning(
                "%s: the reference computed %d of %d evaluations (%s)",
                *(_PREFIX + name, fell_back.total(), len(rows), describe_reasons(fell_back)),
            )
        _LOG.info("%s: %s, on %s", _PREFIX + name, what, device)
        return results

    def _result(self, name: str, row: tuple[Any, ...], answer: Answer) -> Any:
        if answer.status == "ok":
            return answer.value
        if answer.status == "failed" and self._failed == "return":
            return FAIL
        try:
            value = ALL[name].function(*row)  # of what fails for the error that it raises
        except Exception:
            if self._failed == "return":
                return FAIL
            raise
        if answer.status == "failed":
            raise RuntimeError(f"{_PREFIX}{name}: the machine failed where the reference answers; report it: {row!r}")
        return value


def _value(operand: Any) -> Any:
    """Return an operand with tuples in place of lists and arrays."""
    if isinstance(operand, np.ndarray):
        operand = operand.tolist()
    return tuple([_value(element) for element in operand]) if isinstance(operand, list) else operand


def _rows(name: str, operands: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Return the arguments of each application, with what is the same for all repeated.

    Raises:
        TypeError: there are too many or too few, or no list among them.
        ValueError: lists differ in length.
    """
    parameters = ALL[name].parameters
    if len(operands) != len(parameters):
        raise TypeError(
            f"{_PREFIX}{name} takes {len(parameters)} arguments ({', '.join(parameters)}), not {len(operands)}"
        )
    lengths = {
        parameter: len(own) for parameter, own in zip(parameters, operands, strict=True) if isinstance(own, list)
    }
    if not lengths:
        raise TypeError(f"{_PREFIX}{name}: no argument is a list, with one value for each evaluation")
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{_PREFIX}{name}: lists differ in length: {lengths}")
    count = next(iter(lengths.values()))
    columns = [
        [_value(element) for element in own] if isinstance(own, list) else [_value(own)] * count for own in operands
    ]
    return list(zip(*columns, strict=True))
