"""Calls of primitives sent elsewhere, wherever they are made from.

Whoever calls a primitive calls one function object: ``from dsl import *`` copies a reference to it into a module, a
closure (``compose(f, rot90)``) holds one, a variable may have been given it long ago, and the DSL's own modules call
each other through theirs. Replacing a name in a module reaches none of those. So what is replaced is the code *inside*
the function object (``__code__``), by code of the same parameters that asks the newest handler, and put back when the
last handler is gone. Nobody has to look a name up again.

It is process-wide: calls from every thread are sent to the handler. A thread that is inside ``direct`` is left alone.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any, Protocol

from harness.compiler.tracer import is_tracing, tracers
from harness.dsl.table import ALL

MAKERS = frozenset({"chain", "compose", "fork", "lbind", "matcher", "power", "rbind"})
"""Primitives that make a function and compute nothing: their calls are never sent anywhere."""

INTERCEPTED = tuple(name for name in ALL if name not in MAKERS)

_CODES: dict[str, CodeType] = {name: ALL[name].function.__code__ for name in INTERCEPTED}


def _copy(function: Any) -> FunctionType:
    return FunctionType(function.__code__, function.__globals__, function.__name__, function.__defaults__)


ORIGINALS: dict[str, Callable[..., Any]] = {name: _copy(ALL[name].function) for name in INTERCEPTED}
"""The primitives with their own code, whatever the code of those that programs hold."""


class Handler(Protocol):
    """What calls are sent to."""

    def wants(self, name: str) -> bool:
        """Return whether calls of a primitive are for it."""

    def call(self, name: str, arguments: tuple[Any, ...]) -> Any:
        """Return what a primitive returns, or raise what it raises."""


_lock = threading.Lock()
_handlers: list[Handler] = []
_thread = threading.local()


@contextmanager
def direct() -> Iterator[None]:
    """A context in which this thread's calls are plain Python's."""
    before = getattr(_thread, "direct", False)
    _thread.direct = True
    try:
        yield
    finally:
        _thread.direct = before


@contextmanager
def intercepted() -> Iterator[None]:
    """A context in which this thread's calls are sent to the handler, also inside of ``direct``."""
    before = getattr(_thread, "direct", False)
    _thread.direct = False
    try:
        yield
    finally:
        _thread.direct = before


def _dispatch(name: str, arguments: tuple[Any, ...]) -> Any:
    # Who traces holds a lock, for which those may wait that evaluate a batch.
    if not getattr(_thread, "direct", False) and not (tracers and is_tracing()):
        for handler in reversed(_handlers.copy()):
            if handler.wants(name):
                return handler.call(name, arguments)
    return ORIGINALS[name](*arguments)


def _detour(name: str) -> CodeType:
    """Return code with the parameters of a primitive that calls ``_dispatch``, which it holds as a constant."""
    own, mark = _CODES[name], f"the dispatch of {name}"

    def dispatch(*arguments: Any) -> Any:
        return _dispatch(name, arguments)

    parameters = ", ".join(ALL[name].parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # a string is not callable: it will not be one
        made: CodeType = eval(compile(f"lambda {parameters}: {mark!r}({parameters})", own.co_filename, "eval")).__code__
    return made.replace(
        co_consts=tuple([dispatch if constant == mark else constant for constant in made.co_consts]),
        co_name=own.co_name,
        co_qualname=own.co_qualname,
        co_firstlineno=own.co_firstlineno,
    )


_DETOURS: dict[str, CodeType] = {name: _detour(name) for name in INTERCEPTED}


def add_handler(handler: Handler) -> None:
    """Send calls to a handler from now on; those that it does not want, to the one before it."""
    with _lock:
        _handlers.append(handler)
        try:
            _install(_DETOURS)
        except BaseException:
            _remove(handler)
            raise


def remove_handler(handler: Handler) -> None:
    """Send no more calls to a handler; with the last one all primitives get their own code back."""
    with _lock:
        _remove(handler)


def _remove(handler: Handler) -> None:
    _handlers[:] = [own for own in _handlers if own is not handler]
    if not _handlers:
        _install(_CODES)


def _install(codes: dict[str, CodeType]) -> None:
    for name, code in codes.items():
        ALL[name].function.__code__ = code


def is_installed() -> bool:
    """Whether calls are sent anywhere now."""
    return bool(_handlers)
