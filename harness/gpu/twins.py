"""Live functions as the compiler can trace them: the same code, with primitives that record in place of the DSL's.

A program's module is loaded anew to be traced. A function that a running program, or a notebook, has in its hands
cannot be: it may be a closure. So a twin of it is made, with twins in its closure, its defaults and among the globals
that it uses.
"""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from typing import Any, NoReturn

from harness.compiler import Untraceable
from harness.compiler.opaque import is_ours
from harness.compiler.primitives import TRACED, TRACING_NAMESPACE
from harness.dsl import functions
from harness.dsl.table import ALL
from harness.vm.encoding import encode

_NAMES = {id(row.function): name for name, row in ALL.items()}
_TWINS = {id(twin): name for name, twin in TRACED.items()}
_MOST_DEEP = 64  # functions inside functions


class Unkeyed(Exception):
    """What a function depends on cannot be compared, so that its trace is of no use for another one."""


def holds_functions(value: Any) -> bool:
    """Whether a value is a function, or a container with one in it."""
    if type(value) is tuple or type(value) is frozenset:
        return any(map(holds_functions, value))
    return callable(value)


def _inner_code(maker: Callable[..., Any]) -> CodeType:
    """Return the code of the function that a primitive makes."""
    return next(constant for constant in maker.__code__.co_consts if isinstance(constant, CodeType))


# Read now: the primitives' code is another one while their calls are intercepted (harness.gpu.interception).
_MATCHER, _POWER = _inner_code(functions.matcher), _inner_code(functions.power)


def _cells(function: FunctionType) -> dict[str, Any]:
    try:
        contents = [cell.cell_contents for cell in function.__closure__ or ()]
    except ValueError:
        raise Untraceable(f"{function.__qualname__} uses a variable that has no value yet") from None
    return dict(zip(function.__code__.co_freevars, contents, strict=True))


def _names_in(code: CodeType) -> Iterator[str]:
    """Yield the names that a function, and those inside it, may look up in its module."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


def _refuse_import(*_: object) -> NoReturn:
    raise Untraceable("imports a module while it is traced")


class _Maker:
    """The making of twins that refer to each other."""

    def __init__(self) -> None:
        self._made: dict[int, tuple[Any, Any]] = {}  # by id: a value, so that it stays, and its twin
        self._depth = 0

    def twin(self, value: Any) -> Any:
        """Return the twin of a value: of what holds no function, the value."""
        name = _NAMES.get(id(value))
        if name is not None:
            return TRACED[name]
        if id(value) in _TWINS:
            return value
        if id(value) in self._made:
            return self._made[id(value)][1]
        self._depth += 1
        if self._depth > _MOST_DEEP:
            raise Untraceable(f"nests functions more than {_MOST_DEEP} deep")
        try:
            return self._make(value)
        finally:
            self._depth -= 1

    def _make(self, value: Any) -> Any:
        cls = type(value)
        if cls is FunctionType:
            return self._closure(value) if is_ours(value.__code__) else self._function(value)
        if cls is tuple or cls is frozenset:
            return cls([self.twin(element) for element in value]) if holds_functions(value) else value
        if cls is list:
            return [self.twin(element) for element in value]
        if cls is dict:
            return {key: self.twin(element) for key, element in value.items()}
        if isinstance(value, functools.partial):
            keywords = {key: self.twin(own) for key, own in value.keywords.items()}
            return functools.partial(self.twin(value.func), *map(self.twin, value.args), **keywords)
        if cls is ModuleType and any(_NAMES.get(id(own)) == name for name, own in vars(value).items()):
            module = ModuleType(value.__name__)
            vars(module).update(TRACING_NAMESPACE)
            return module
        if callable(value) and not isinstance(value, BuiltinFunctionType | type):
            raise Untraceable(f"calls a {cls.__name__}, which is no function")
        return value

    def _closure(self, value: FunctionType) -> Callable[..., Any]:
        """Return the twin of a function that a primitive made."""
        cells = {name: self.twin(content) for name, content in _cells(value).items()}
        if value.__code__ == _MATCHER:
            return TRACED["matcher"](cells["function"], cells["target"])  # type: ignore[no-any-return]
        if value.__code__ == _POWER:
            return TRACED["power"](cells["function"], len(cells["rounds"]))  # type: ignore[no-any-return]
        closure = tuple(map(CellType, cells.values()))
        return FunctionType(value.__code__, value.__globals__, value.__name__, value.__defaults__, closure)

    def _function(self, value: FunctionType) -> FunctionType:
        """Return the twin of a function of the user's."""
        own = value.__globals__
        kept = own.get("__builtins__", builtins)
        names: dict[str, Any] = {
            "__name__": own.get("__name__"),
            # An import function of its own is what makes a frame a program's: harness.compiler.opaque.is_program
            "__builtins__": {**(vars(kept) if isinstance(kept, ModuleType) else kept), "__import__": _refuse_import},
        }
        cells = tuple([CellType() for _ in value.__code__.co_freevars])
        made = FunctionType(value.__code__, names, value.__name__, None, cells)
        self._made[id(value)] = (value, made)
        for name in dict.fromkeys(_names_in(value.__code__)):
            if name in own:
                names[name] = self.twin(own[name])
        for cell, content in zip(cells, _cells(value).values(), strict=True):
            cell.cell_contents = self.twin(content)
        made.__defaults__ = self.twin(value.__defaults__)
        made.__kwdefaults__ = self.twin(value.__kwdefaults__)
        made.__qualname__ = value.__qualname__
        return made


def twin_of(value: Any) -> Any:
    """Return what stands for a function, or for a container of functions, while it is traced.

    Raises:
        Untraceable: it is something that cannot be.
    """
    return _Maker().twin(value)


def key_of(value: Any) -> Any:
    """Return what can be compared with the keys of other values: equal for two functions that do the same.

    It is made of the code of a function and of all that it refers to, as that is now.

    Raises:
        Unkeyed: it refers to what may change, or has no key.
    """
    return _key(value, ())


def _key(value: Any, under: tuple[int, ...]) -> Any:
    name = _NAMES.get(id(value))
    if name is not None:
        return name
    cls = type(value)
    if cls is FunctionType:
        if id(value) in under:
            return ("again", under.index(id(value)))
        if len(under) > _MOST_DEEP:
            raise Unkeyed(f"functions more than {_MOST_DEEP} deep")
        inside = (*under, id(value))
        try:
            parts = list(_cells(value).values())
        except Untraceable as error:
            raise Unkeyed(str(error)) from None
        parts += [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        if not is_ours(value.__code__):
            own = value.__globals__
            used = [name for name in dict.fromkeys(_names_in(value.__code__)) if name in own]
            parts += [own[name] for name in used]
        return (value.__code__, *[_key(part, inside) for part in parts])
    if (cls is tuple or cls is frozenset) and holds_functions(value):
        keys = [_key(element, under) for element in value]
        return (cls, tuple(keys) if cls is tuple else frozenset(keys))
    if isinstance(value, BuiltinFunctionType | type):
        return (cls, value)
    if cls is range:
        return value
    try:
        return encode(value)
    except (TypeError, OverflowError):
        raise Unkeyed(f"{cls.__name__} has no key") from None
