"""Programs as graphs: run once on symbols, with what they return kept as a template."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.batt.loader import Kind as ProgramKind
from harness.batt.loader import LoadError, Program, find_files, load_programs
from harness.compiler import opaque
from harness.compiler.errors import Untraceable
from harness.compiler.ir import Graph, Node
from harness.compiler.opaque import Symbol, Text
from harness.compiler.primitives import TRACING_NAMESPACE
from harness.compiler.sources import Watch
from harness.compiler.time_limit import TimeLimit, TooLong
from harness.compiler.tracer import Kind, Tracer, kind_of, tracers

INPUTS: dict[ProgramKind, int] = {"solver": 1, "batt": 3}
"""Values that a program is given: I; S, I and C."""


@dataclass(frozen=True)
class Slot:
    """A place in a template.

    Attributes:
        source: the position among the program's results, or ``task_id`` or ``log_path``.
    """

    source: int | str


@dataclass(frozen=True)
class Trace:
    """A traced program.

    Attributes:
        name: of the program.
        module: reference of its module.
        kind: ``solver`` or ``batt``.
        graph: what it does.
        results: nodes of the values that it returns, each once.
        template: what it returns, with a ``Slot`` for each value and for each of a batt's strings.
    """

    name: str
    module: str
    kind: ProgramKind
    graph: Graph
    results: tuple[Node, ...]
    template: Any

    def rebuild(self, values: Sequence[Any], task_id: str = "", log_path: str = "") -> Any:
        """Return what the program returns: a grid for a solver, ``(s, o)`` for a batt.

        Args:
            values: one for each of ``results``.
            task_id: what a batt was called with.
            log_path: likewise.
        """
        return _rebuilt(self.template, values, {"task_id": task_id, "log_path": log_path})


def _rebuilt(template: Any, values: Sequence[Any], texts: dict[str, str]) -> Any:
    cls = type(template)
    if cls is Slot:
        return texts[template.source] if type(template.source) is str else values[template.source]
    if cls is tuple:
        return tuple([_rebuilt(part, values, texts) for part in template])
    if cls is list:
        return [_rebuilt(part, values, texts) for part in template]
    return template


_lock = threading.RLock()  # there is one namespace, which records for one trace at a time
_twins: dict[str, tuple[int, dict[str, Callable[..., Any]]]] = {}  # by module: when it was changed, its programs


def _twin(program: Program) -> Callable[..., Any]:
    """Return the function of a program from its module executed with the tracing namespace.

    Raises:
        Untraceable: if the module cannot be loaded again, or has changed since the program was loaded.
    """
    try:
        ((_, path),) = find_files(program.module)
        changed_ns = path.stat().st_mtime_ns
    except (LoadError, OSError, ValueError) as error:
        raise Untraceable(f"the module of {program.name} cannot be found again: {error}") from error
    if program.module not in _twins or _twins[program.module][0] != changed_ns:
        found, rejected = load_programs((program.module,), TRACING_NAMESPACE)
        if not found:
            raise Untraceable(f"the module of {program.name} cannot be loaded to be traced: {rejected[0].detail}")
        _twins[program.module] = (changed_ns, {twin.name: twin.function for twin in found})
    twin = _twins[program.module][1].get(program.name)
    if twin is None or getattr(twin, "__code__", None) != getattr(program.function, "__code__", None):
        raise Untraceable(f"{program.name} has changed since it was loaded; load it again", str(path), 1)
    return twin


def trace(program: Program) -> Trace:
    """Trace a program.

    Args:
        program: as ``harness.batt.loader`` loads it, with any namespace; its module is executed once more, with the
            namespace that records.

    Raises:
        Untraceable: if it does what cannot be compiled; the message says what, in which file and line.
    """
    with _lock:
        function = _twin(program)
        graph, results, template = _record(function, program.kind, INPUTS[program.kind])
        return Trace(program.name, program.module, program.kind, graph, results, template)


def trace_function(function: Callable[..., Any], inputs: int, name: str) -> Trace:
    """Trace a function of so many values that returns one.

    Args:
        function: calls primitives of ``TRACING_NAMESPACE``.
        inputs: how many arguments it is called with.
        name: of the trace.

    Raises:
        Untraceable: as ``trace`` does.
    """
    with _lock:
        return Trace(name, "", "solver", *_record(function, "solver", inputs))


def _record(function: Callable[..., Any], kind: ProgramKind, inputs: int) -> tuple[Graph, tuple[Node, ...], Any]:
    """Call a function with symbols; return what it did, the nodes of what it returned, and the template."""
    tracer = Tracer(inputs)
    symbols = [Symbol(node) for node in tracer.graph.root.params]
    texts = (Text("task_id"), Text("log_path"))
    arguments = (texts[0], *symbols, texts[1]) if kind == "batt" else tuple(symbols)
    opaque.refusals.clear()
    tracers.append(tracer)
    try:
        returned = _run(function, arguments)
        results: dict[Node, int] = {}
        if kind == "solver":
            template: Any = _slot(tracer, returned, results)
        else:
            template = _template(tracer, returned, results)
    except Untraceable as error:
        code = getattr(function, "__code__", None)
        if error.file or code is None:
            raise
        raise Untraceable(error.what, code.co_filename, code.co_firstlineno) from None
    finally:
        tracers.pop()
        tracer.graph.root.open = False
    return tracer.graph, tuple(results), template


def _run(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    with Watch() as watch, TimeLimit():
        try:
            returned = function(*arguments)
        except (Untraceable, TooLong):
            raise opaque.refusals[0] from None
        except Exception as error:
            if opaque.refusals:
                raise opaque.refusals[0] from None
            frames = [entry for entry in traceback.walk_tb(error.__traceback__) if opaque.is_program(entry[0])]
            places = [(frame.f_code.co_filename, line) for frame, line in frames]
            what = f"raises {type(error).__name__} while it is traced: {error}"
            file, line = places[-1] if places else ("", 0)
            raise Untraceable(what, file, line) from error
    if opaque.refusals:
        raise opaque.refusals[0]
    watch.check()
    return returned


def _slot(tracer: Tracer, value: Any, results: dict[Node, int]) -> Slot:
    """Return the slot of a value, whose node is added to ``results``."""
    if kind_of(value) is Kind.FUNCTIONAL:
        raise opaque.refusal("returns a function")
    return Slot(results.setdefault(tracer.node(value), len(results)))


def _template(tracer: Tracer, returned: Any, results: dict[Node, int]) -> Any:
    """Return what a batt returns with slots for what was computed."""
    cls = type(returned)
    if cls is Symbol:
        return _slot(tracer, returned, results)
    if cls is Text:
        return Slot(returned.name)
    if cls is tuple:
        return tuple([_template(tracer, part, results) for part in returned])
    if cls is list:
        return [_template(tracer, part, results) for part in returned]
    if cls is str:
        return returned
    if kind_of(returned) is Kind.KNOWN:
        return returned
    return _slot(tracer, returned, results)
