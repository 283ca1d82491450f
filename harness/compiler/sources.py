"""What a program's Python may do while it is traced, found in its source and by watching it run.

A traced program runs once, on no values. So nothing in it may depend on values in a way that ``opaque`` cannot notice
(``x is None``, ``type(x)``), on what fails (``try``), or on anything but its arguments (the clock, random numbers).
"""

from __future__ import annotations

import _weakrefset
import ast
import gc
import linecache
import signal
import sys
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType
from typing import Any, Literal

from harness.compiler import opaque
from harness.compiler.errors import Untraceable
from harness.dsl import PROGRAM_NAMESPACE

_STATEMENTS: dict[type[ast.AST], str] = {
    ast.Try: "handles exceptions (try): compiled code cannot tell which operation would fail",
    ast.TryStar: "handles exceptions (try): compiled code cannot tell which operation would fail",
    ast.With: "has a with statement",
    ast.AsyncWith: "has a with statement",
    ast.Match: "has a match statement, which looks at types",
    ast.Global: "has a global statement: the result may depend on earlier calls",
    ast.Nonlocal: "has a nonlocal statement: the result may depend on earlier calls",
}
_BUILTINS = frozenset(
    {
        *("type", "id", "callable", "eval", "exec", "globals", "locals", "vars", "open", "input"),
        *("next", "setattr", "delattr"),
    }
)
_OF_WEAK_REFERENCES = frozenset({weakref.__file__, _weakrefset.__file__})
_PURE_MODULES = frozenset({"builtins", "_functools", "itertools", "_operator", "math", "_collections"})
_MUTATING = frozenset(
    {
        *("append", "extend", "insert", "pop", "remove", "clear", "sort", "reverse", "update", "setdefault", "popitem"),
        *("add", "discard", "difference_update", "intersection_update", "symmetric_difference_update"),
    }
)

Span = tuple[int, int, int, int]  # line, column, end line, end column


@dataclass(frozen=True)
class _Source:
    """What matters about a file.

    Attributes:
        offences: (line, what) of each construct that cannot be traced.
        sets: where a set is made that is at once an argument of a primitive.
    """

    offences: tuple[tuple[int, str], ...]
    sets: frozenset[Span]


def _read(filename: str) -> _Source:
    """Read a source file, or a cell of a notebook, or take it from the cache.

    Raises:
        Untraceable: if there is none.
    """
    try:
        try:
            path = Path(filename)
            return _parse_file(path, path.stat().st_mtime_ns)
        except FileNotFoundError:
            lines = linecache.getlines(filename)  # a cell is no file: IPython puts it there
            if not lines:
                raise
            return _parse("".join(lines).encode())
    except (OSError, SyntaxError, ValueError) as error:
        raise Untraceable(f"its source cannot be read: {error}", filename) from error


@lru_cache(maxsize=64)
def _parse_file(path: Path, _changed_ns: int) -> _Source:
    return _parse(path.read_bytes())


@lru_cache(maxsize=64)
def _parse(source: bytes) -> _Source:
    offences: list[tuple[int, str]] = []
    sets: set[Span] = set()
    for node in ast.walk(ast.parse(source)):
        if type(node) in _STATEMENTS:
            offences.append((node.lineno, _STATEMENTS[type(node)]))  # type: ignore[attr-defined]
        elif isinstance(node, ast.Compare):
            if any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
                offences.append((node.lineno, "asks whether a value is another one ('is')"))
        elif isinstance(node, ast.Name):
            if node.id in _BUILTINS:
                offences.append((node.lineno, f"uses {node.id!r}: what it does may depend on more than values"))
        elif isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            offences.append((node.lineno, "changes an element or an attribute, which may depend on earlier calls"))
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in PROGRAM_NAMESPACE:
                for argument in (*node.args, *[keyword.value for keyword in node.keywords]):
                    sets.update(_sets_in(argument))
        elif isinstance(node, ast.Return) and node.value is not None:
            sets.update(_sets_in(node.value))
    return _Source(tuple(sorted(offences)), frozenset(sets))


def _sets_in(node: ast.expr) -> Iterator[Span]:
    """Yield where sets are made in an expression of tuples and sets."""
    is_set_call = (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("frozenset", "set")
    )
    if isinstance(node, ast.Set) or is_set_call:
        yield (node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)
    if isinstance(node, ast.Set | ast.Tuple | ast.List):
        for element in node.elts:
            yield from _sets_in(element)
    elif isinstance(node, ast.Call) and is_set_call:
        for element in node.args:
            yield from _sets_in(element)


def _may_be_hashed(frame: FrameType) -> bool:
    """Whether the program is making a set that it gives to a primitive: nobody asks how many elements that has."""
    if opaque.is_ours(frame.f_code):
        return False
    positions = list(frame.f_code.co_positions())[frame.f_lasti // 2]
    line, end_line, column, end_column = positions
    return (line, column, end_line, end_column) in _read(frame.f_code.co_filename).sets


opaque.may_be_hashed = _may_be_hashed


class Watch:
    """A context that notes what a program executes, and refuses what does more than compute."""

    def __init__(self) -> None:
        self._executed: dict[int, CodeType] = {}  # by id: to hash code is slow
        self._kept: dict[int, set[int]] = {}  # of each module, by the id of its variables: ids of mutable containers

    def __enter__(self) -> Watch:
        """Begin it."""
        self._before = sys.getprofile()
        sys.setprofile(self._event)
        return self

    def __exit__(self, *error: object) -> Literal[False]:
        """End it."""
        sys.setprofile(self._before)
        return False

    def _event(self, frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if event == "call":
            caller = frame.f_back
            if opaque.is_program(frame):
                self._executed[id(code)] = code
            elif (
                caller is not None
                and opaque.is_program(caller)
                and not opaque.is_ours(code)
                and not _is_asynchronous(code)
            ):
                raise opaque.refusal(f"calls {code.co_name} of {code.co_filename}, which is not part of the DSL")
        elif event == "c_call" and opaque.is_program(frame):
            self._check_builtin(argument, frame.f_globals)

    def _check_builtin(self, function: BuiltinFunctionType, names: dict[str, Any]) -> None:
        """Refuse a built-in function that may answer differently each time, or that changes what the module keeps."""
        owner = function.__self__
        module = function.__module__ or (owner if isinstance(owner, type) else type(owner)).__module__
        if module not in _PURE_MODULES:
            raise opaque.refusal(f"calls {module}.{function.__name__}, which is not part of the DSL")
        if function.__name__ in _MUTATING:
            if id(names) not in self._kept:
                self._kept[id(names)] = {id(container) for container in _lasting(names)}
            if id(owner) in self._kept[id(names)]:
                raise opaque.refusal("changes what the module keeps: the result may depend on earlier calls")

    def check(self) -> None:
        """Check the source of what was executed.

        Raises:
            Untraceable: at the first line that cannot be traced.
        """
        for code in self._executed.values():
            first, last = _lines(code)
            for line, what in _read(code.co_filename).offences:
                if first <= line <= last:
                    raise Untraceable(f"{code.co_name} {what}", code.co_filename, line)


def _is_asynchronous(code: CodeType) -> bool:
    """Whether code is what Python calls between two steps of any program: handlers of signals, and of garbage."""
    if code.co_name == "__del__" or code.co_filename in _OF_WEAK_REFERENCES:
        return True
    handlers = [*map(signal.getsignal, signal.valid_signals()), *gc.callbacks]
    return any(getattr(getattr(own, "__func__", own), "__code__", None) is code for own in handlers)


def _lines(code: CodeType) -> tuple[int, int]:
    """Return the first and the last line of a function, those inside it included."""
    last = max([line for _, _, line in code.co_lines() if line is not None], default=code.co_firstlineno)
    inner = [_lines(constant)[1] for constant in code.co_consts if isinstance(constant, CodeType)]
    return code.co_firstlineno, max([last, *inner])


def _lasting(names: dict[str, Any]) -> Iterator[Any]:
    """Yield the mutable containers that a module keeps: its variables, what is in them, its functions' defaults."""
    left = [value for name, value in names.items() if name != "__builtins__"]
    seen: set[int] = set()
    while left:
        value = left.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, list | dict | set):
            yield value
            left.extend(value.values() if isinstance(value, dict) else value)
        elif isinstance(value, tuple | frozenset):
            left.extend(value)
        elif isinstance(value, FunctionType) and not opaque.is_ours(value.__code__):
            left.extend(value.__defaults__ or ())
            left.extend((value.__kwdefaults__ or {}).values())
            left.extend([cell.cell_contents for cell in value.__closure__ or ()])
