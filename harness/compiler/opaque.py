"""What a program is given while it is traced, in place of values: Python can pass it on, and nothing else.

Whatever Python would do that depends on the value raises ``Untraceable``. The first such refusal is remembered, since a
program may catch it.
"""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import NoReturn

import harness
from harness.compiler.errors import Untraceable
from harness.compiler.ir import Node

_OUR_FOLDERS = tuple(str(Path(harness.__file__).parent / part) + os.sep for part in ("compiler", "dsl", "vm"))


def is_program(frame: FrameType) -> bool:
    """Whether the code of a frame was loaded as a program's module is: with an import function of its own."""
    return frame.f_builtins.get("__import__") is not builtins.__import__


refusals: list[Untraceable] = []
"""Of the program that is being traced, in order."""

_hashable: list[bool] = [False]


def is_ours(code: CodeType) -> bool:
    """Whether code belongs to the tracer or to the reference, and not to a program."""
    return code.co_filename.startswith(_OUR_FOLDERS)


def refusal(what: str) -> Untraceable:
    """Return what to raise at the line of the program that is being executed."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not is_program(frame):
        frame = frame.f_back
    error = Untraceable(what) if frame is None else Untraceable(what, frame.f_code.co_filename, frame.f_lineno)
    refusals.append(error)
    return error


def _refusing(what: str) -> Callable[..., NoReturn]:
    def refused(*_: object) -> NoReturn:
        raise refusal(f"Python {what}")

    return refused


class _Opaque:
    """Something that refuses every operation of Python's."""

    __slots__ = ()
    __class__ = property(_refusing("asks for the type of a computed value"))  # isinstance asks for it

    def __hash__(self) -> int:
        if _hashable[-1] or may_be_hashed(sys._getframe(1)):
            return id(self)
        raise refusal("Python hashes a computed value (as a key, or in a set that is no argument of a primitive)")

    def __getattr__(self, name: str) -> NoReturn:
        raise refusal(f"Python takes the attribute {name!r} of a computed value")


may_be_hashed: Callable[[FrameType], bool] = lambda frame: False  # noqa: E731 - set by harness.compiler.sources


class hashable:  # noqa: N801 - used as a function is
    """A context in which computed values may be put in a set."""

    def __enter__(self) -> None:
        """Begin it."""
        _hashable.append(True)

    def __exit__(self, *error: object) -> None:
        """End it."""
        _hashable.pop()


_ARITHMETIC = (
    *("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "divmod", "pow"),
    *("lshift", "rshift", "and", "or", "xor"),
)
_REFUSED = {
    "decides on a computed value (if, while, and, or, not)": ["bool"],
    "takes the length of a computed value": ["len", "length_hint"],
    "iterates over a computed value, or unpacks it": ["iter", "next", "reversed"],
    "looks for something in a computed value": ["contains"],
    "indexes a computed value": ["getitem", "setitem", "delitem"],
    "calls a computed value": ["call"],
    "compares a computed value": ["eq", "ne", "lt", "le", "gt", "ge"],
    "calculates with a computed value": [
        *(prefix + name for prefix in ("", "r", "i") for name in _ARITHMETIC),
        *["neg", "pos", "abs", "invert", "round", "trunc", "floor", "ceil"],
    ],
    "makes a number of a computed value": ["int", "float", "complex", "index"],
    "writes a computed value as text": ["str", "repr", "format", "bytes", "fspath"],
    "sets an attribute of a computed value": ["setattr", "delattr"],
    "copies a computed value": ["copy", "deepcopy", "reduce", "reduce_ex"],
    "enters a computed value as a context": ["enter", "exit"],
}


for _what, _names in _REFUSED.items():
    for _name in _names:
        setattr(_Opaque, f"__{_name}__", _refusing(_what))


class Symbol(_Opaque):
    """A value that the program computes."""

    __slots__ = ("node",)
    node: Node

    def __init__(self, node: Node) -> None:
        object.__setattr__(self, "node", node)


class Text(_Opaque):
    """A string that a batt is given and may put into its output: ``task_id`` or ``log_path``."""

    __slots__ = ("name",)
    name: str

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "name", name)
