"""``batch_dsl_context``: programs run as they are, and their DSL calls run on devices, many at a time."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from harness.dsl.table import ALIASES
from harness.gpu.batch import Batcher, NotCompiled, describe_reasons, prepare
from harness.gpu.device import CudaUnavailable
from harness.gpu.devices import open_devices
from harness.gpu.gathering import Gatherer
from harness.gpu.interception import INTERCEPTED, ORIGINALS, add_handler, direct, intercepted, remove_handler
from harness.gpu.sharing import MultiDevice
from harness.spelling import nearest
from harness.vm.machine import Machine
from harness.vm.native import Limits
from harness.vm.opcodes import OPERATION

_LOG = logging.getLogger(__name__)


class Stopped(BaseException):
    """Raised by every DSL call once ``BatchContext.stop`` was called; no program takes it for an error of its own."""


@dataclass
class CallCounts:
    """What became of DSL calls.

    Attributes:
        on_device: calls that the machine computed, those that it found to fail included, by primitive.
        fell_back: calls that plain Python computed, by reason.
        on_functions: calls that only hand functions on (``branch(c, f, g)``) and compute nothing, by primitive.
        disagreed: calls that failed in the machine and not in plain Python, by primitive: there should be none.
    """

    on_device: Counter[str] = field(default_factory=Counter)
    fell_back: Counter[str] = field(default_factory=Counter)
    on_functions: Counter[str] = field(default_factory=Counter)
    disagreed: Counter[str] = field(default_factory=Counter)


class BatchContext:
    """See ``batch_dsl_context``.

    Attributes:
        counts: what became of the calls.
    """

    def __init__(self, batcher: Batcher, gatherer: Gatherer, names: frozenset[str], *, own: bool, loud: bool) -> None:
        self.counts = CallCounts()
        self._batcher, self._gatherer, self._names, self._own, self._loud = batcher, gatherer, names, own, loud
        self._first_launch = batcher.launches
        self._stopped = False
        self._lock = threading.Lock()
        self._thread = threading.local()
        self._warned: set[str] = set()

    def __enter__(self) -> Self:
        """Begin to intercept calls."""
        add_handler(self)
        _contexts.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Put everything back, and say what was done."""
        remove_handler(self)
        _contexts[:] = [context for context in _contexts if context is not self]
        if self._own:
            self._batcher.close()
        counts, computed = self.counts, self.counts.on_device.total()
        if counts.fell_back:
            _LOG.log(
                logging.WARNING if self._loud else logging.INFO,
                "batch_dsl_context: plain Python computed %d of %d calls (%s)",
                *(counts.fell_back.total(), counts.fell_back.total() + computed, describe_reasons(counts.fell_back)),
            )
        _LOG.info("batch_dsl_context: %d calls in %d launches, on %s", computed, self.launches, self._batcher.used)

    @property
    def launches(self) -> int:
        """How often the machine evaluated a batch."""
        return self._batcher.launches - self._first_launch

    @property
    def lost(self) -> str | None:
        """Why the machine cannot be used any more; None while it can."""
        return self._batcher.lost

    def worker(self) -> AbstractContextManager[None]:
        """A context for a thread that runs programs: a batch is full once all such threads wait for it."""
        return self._gatherer.worker()

    @contextmanager
    def tally(self) -> Iterator[CallCounts]:
        """A context that counts this thread's calls apart, too: what became of those of one evaluation."""
        before = getattr(self._thread, "tally", None)
        self._thread.tally = counts = CallCounts()
        try:
            yield counts
        finally:
            self._thread.tally = before

    def stop(self) -> None:
        """Have every call from now on raise ``Stopped``, so that threads end that run programs."""
        self._stopped = True

    def wants(self, name: str) -> bool:
        """See ``Handler``."""
        return name in self._names

    def call(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """See ``Handler``."""
        if self._stopped:
            raise Stopped
        with direct():
            found, value = self._ask(name, arguments)
            if found:
                return value
            self._count("fell_back", value)
            if name in OPERATION or self._batcher.lost is not None:
                return ORIGINALS[name](*arguments)
        with intercepted():  # what cannot be compiled as a whole calls primitives that can be
            return ORIGINALS[name](*arguments)

    def _ask(self, name: str, arguments: tuple[Any, ...]) -> tuple[bool, Any]:
        """Return (True, the value of a call), or (False, why plain Python has to compute it)."""
        if self._batcher.lost is not None:
            return False, f"no device: {self._batcher.lost}"
        try:
            application = prepare(name, arguments)
        except NotCompiled as error:
            return False, str(error)
        if application.functions and name in OPERATION:
            self._count("on_functions", name)
            return True, ORIGINALS[name](*arguments)
        answer = self._gatherer.ask(application)
        if answer.status == "left":
            return False, answer.reason
        self._count("on_device", name)
        return True, answer.value if answer.status == "ok" else self._failed(name, arguments)

    def _failed(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """Raise what a call raises that the machine found to fail: it does not say what."""
        value = ORIGINALS[name](*arguments)
        self._count("disagreed", name)
        _LOG.warning("%s failed in the machine, and not in plain Python; report it: %r", name, arguments)
        return value

    def _count(self, what: str, key: str) -> None:
        with self._lock:
            getattr(self.counts, what)[key] += 1
            first = what == "fell_back" and key not in self._warned
            self._warned.add(key)
        tally = getattr(self._thread, "tally", None)
        if tally is not None:
            getattr(tally, what)[key] += 1
        if first and self._loud:
            _LOG.warning("batch_dsl_context: plain Python computes what the device cannot: %s", key)


_contexts: list[BatchContext] = []


def batch_dsl_context(
    machine: Machine | Batcher | None = None,
    *,
    size: int = 64,
    wait_s: float = 0.002,
    only: Collection[str] | None = None,
    limits: Limits | None = None,
) -> BatchContext:
    """Return a context under which DSL calls of running programs are evaluated on devices, in batches.

    Every call of a primitive in this process is intercepted, from whichever thread and wherever the function was taken
    from: modules that did ``from dsl import *`` before, closures, the DSL's own modules. Calls of several threads are
    gathered and evaluated in one launch; a program in a single thread waits for each call by itself, so run many::

        with batch_dsl_context() as context, ThreadPoolExecutor(32) as pool:
            outputs = list(pool.map(solve, grids))
        context.counts.on_device  # how many calls of each primitive the devices computed

    A call that takes a function (``mapply(f, grids)``) is compiled as a whole where ``f`` can be traced; where not,
    plain Python runs it, and the calls inside are intercepted. What the machine does not handle, plain Python
    computes: with a warning, counted by reason in ``context.counts.fell_back``. A call that fails raises what it raises
    in Python.

    Contexts may be nested; a call goes to the innermost that wants it. On the way out all is as it was before, whatever
    was raised.

    Args:
        machine: a ``MultiDevice``, or the host's ``NativeEngine``, which stays open; None for that of the context
            around this one, or else every CUDA device, opened and closed by the context. Where there is none, plain
            Python computes every call, and a warning says so.
        size: calls at which a batch is evaluated.
        wait_s: seconds after which a call is evaluated with those that are there by then.
        only: primitives to intercept; None for all that compute a value.
        limits: memory and work of one call.

    Raises:
        ValueError: ``size`` or ``wait_s`` is out of range, or ``only`` names what is no primitive that can be
            intercepted.
    """
    if size < 1 or not 0 <= wait_s < 3600:
        raise ValueError(f"size is at least 1 and wait_s from 0 to 3600 seconds, not {size} and {wait_s}")
    names = frozenset(INTERCEPTED) if only is None else frozenset(ALIASES.get(name, name) for name in only)
    for name in sorted(names.difference(INTERCEPTED)):
        raise ValueError(f"only: {name!r} is no primitive that computes a value{nearest(name, INTERCEPTED)}")
    own = False
    if isinstance(machine, Batcher):
        batcher = machine  # of a mode, which reports what fell back itself
    elif machine is not None:
        batcher = Batcher(machine, limits)
    elif _contexts:
        batcher = _contexts[-1]._batcher
    else:
        own = True
        try:
            batcher = Batcher(MultiDevice(open_devices()), limits)
        except CudaUnavailable as error:
            _LOG.warning("batch_dsl_context: no CUDA device: %s; plain Python computes every call", error)
            batcher = Batcher(None, limits, str(error))
    gatherer = Gatherer(batcher, size, wait_s)
    return BatchContext(batcher, gatherer, names, own=own, loud=not isinstance(machine, Batcher))
