"""Functions while tracing: those chosen or repeated by a computed value, and containers of them.

A function is a Python callable, and closures dissolve when it is called with symbols. What is left are functions that
depend on a computed value. Such a one is an object here, which records regions when it is called.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cmp_to_key
from types import FunctionType, SimpleNamespace
from typing import Any, NoReturn

from harness.compiler.ir import Node
from harness.compiler.opaque import Symbol, refusal
from harness.compiler.tracer import Functions, Kind, Tracer, forgiving, kind_of
from harness.dsl import numbers
from harness.dsl.canonical import canonical_key, place_of_function
from harness.dsl.functions import arity

MOST_CHOICES = 64
"""Functions in a container from which a computed value selects."""

TUPLES = frozenset(
    {
        *("pack1", "astuple", "pack3", "pack4", "pair", "totuple", "interval", "repeat"),
        *("dedupe", "difference_tuple", "p_g", "p_o", "hsplit", "vsplit"),
    }
)
"""Operations that return tuples, whatever they are given."""
TUPLE_LOOPS = frozenset({"order", "zip", "zip_merge"})


_serials = itertools.count()


class Unordered(Functions):
    """A function that the reference would know by name, and here has none: it has no place in the canonical order."""

    __slots__ = ("__code__", "serial")

    def __init__(self, arguments: int) -> None:
        self.__code__ = SimpleNamespace(co_argcount=arguments)
        self.serial = next(_serials)

    def __getattr__(self, name: str) -> NoReturn:
        if name == "__closure__":  # asked for by what would put it in order
            raise refusal("puts functions in order that depend on computed values")
        raise AttributeError(name)


class Choice(Unordered):
    """One of two functions, chosen by a computed condition."""

    __slots__ = ("condition", "no", "tracer", "yes")

    def __init__(self, tracer: Tracer, condition: Symbol, yes: Callable[..., Any], no: Callable[..., Any]) -> None:
        super().__init__(arity(yes))
        self.tracer, self.condition, self.yes, self.no = tracer, condition, yes, no

    def __call__(self, *args: Any) -> Any:
        """Record an if with a call in each arm."""
        return choose_call(self.tracer, self.condition, lambda: self.yes(*args), lambda: self.no(*args))

    def bound(self, bind: Callable[..., Any], fixed: Any) -> Any:
        """Return what rbind or lbind makes of it."""
        if arity(self.yes) == arity(self.no):
            return bind(self, fixed)
        return Choice(self.tracer, self.condition, bind(self.yes, fixed), bind(self.no, fixed))


class Repeated(Unordered):
    """A function of one argument, composed with itself as often as a count says that is known to be at least 1."""

    __slots__ = ("count", "function", "tracer")

    UNROLLED_CALLS = 32
    UNROLLED_FUNCTIONS = 64

    def __init__(self, tracer: Tracer, function: Callable[..., Any], count: Any) -> None:
        super().__init__(1)
        self.tracer, self.function, self.count = tracer, function, count

    def __call__(self, x: Any) -> Any:
        """Record a region for the function, or all its calls if those are few."""
        count, tracer = self.count, self.tracer
        if kind_of(x) is Kind.FUNCTIONAL:
            return self._unrolled(x)
        before = tracer.calls
        (param,) = tracer.open(1)
        result = self.function(param)
        if kind_of(result) is Kind.FUNCTIONAL:
            tracer.graph.abandon()
            return self._unrolled(x)
        if type(count) is int and count * max(1, tracer.calls - before) <= self.UNROLLED_CALLS:
            tracer.graph.abandon()
            return self._unrolled(x)
        body = tracer.close(result)
        return tracer.structured("power", (count, x), (body,))

    def _unrolled(self, x: Any) -> Any:
        if type(self.count) is Symbol or self.count > self.UNROLLED_FUNCTIONS:
            raise refusal("applies power to a function of functions, very often or a computed number of times")
        for _ in range(self.count):
            x = self.function(x)
        return x


def choose_call(tracer: Tracer, condition: Symbol, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    """Record an if whose arms are what two functions record; return its value."""
    results = []
    regions = []
    for arm in (yes, no):
        tracer.open(0)
        results.append(arm())
        regions.append(tracer.close(0 if kind_of(results[-1]) is Kind.FUNCTIONAL else results[-1]))
    functional = [kind_of(result) is Kind.FUNCTIONAL for result in results]
    if not any(functional):
        if not regions[0].nodes and not regions[1].nodes and regions[0].result is regions[1].result:
            return results[0]
        return tracer.structured("if", (condition,), (regions[0], regions[1]))
    if not all(functional):
        raise refusal("has a branch of a function and a value")
    if any(node.fallible for region in regions for node in region.nodes):
        tracer.structured("if", (condition,), (regions[0], regions[1]))
    if all(callable(result) for result in results):
        # What the arms recorded is not seen from here: it is recorded again where the functions are called.
        return Choice(tracer, condition, _Deferred(yes, results[0]), _Deferred(no, results[1]))
    raise refusal("has a branch of containers of functions, behind a call")


class _Deferred(Unordered):
    """The function that another one returns, made anew by each call."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[], Any], made: Callable[..., Any]) -> None:
        super().__init__(arity(made))
        self.make = make

    def __call__(self, *args: Any) -> Any:
        """Make it, and call it."""
        return self.make()(*args)


def choose(tracer: Tracer, condition: Any, a: Any, b: Any, branch: Callable[..., Any]) -> Any:
    """Return a or b by a computed condition, where they may hold functions."""
    kinds = {kind_of(a), kind_of(b)}
    if Kind.FUNCTIONAL not in kinds:
        return tracer.operation("branch", branch, (condition, a, b))
    if a is b:
        return a
    if len(kinds) == 1 and callable(a) and callable(b):
        return Choice(tracer, condition, a, b)
    if type(a) is tuple and type(b) is tuple and len(a) == len(b):
        return tuple([choose(tracer, condition, x, y, branch) for x, y in zip(a, b, strict=True)])
    if type(a) is frozenset and type(b) is frozenset and len(a) == len(b) == 1:
        return tracer.make_set([choose(tracer, condition, x, y, branch) for x, y in zip(a, b, strict=True)])
    raise refusal("has a branch of different things that hold functions")


def pick(tracer: Tracer, items: list[Any], place: Symbol, branch: Callable[..., Any]) -> Any:
    """Return the item at a computed place, which must be one."""
    if len(items) > MOST_CHOICES:
        raise refusal(f"selects from more than {MOST_CHOICES} functions by a computed value")
    if len(items) == 1:
        return items[0]
    middle = len(items) // 2
    low = tracer.operation("greater", numbers.greater, (middle, place))
    yes = pick(tracer, items[:middle], place, branch)
    # The place within the upper half is counted from its start.
    no = pick(tracer, items[middle:], tracer.operation("subtract", numbers.subtract, (place, middle)), branch)
    return choose(tracer, low, yes, no, branch)


@dataclass(eq=False, slots=True)
class Lazy(Functions):
    """A container of functions, or of what holds functions, that are made from the elements of another container.

    Attributes:
        source: the container.
        element: makes the element of one of its elements.
        exact: whether there are as many of them, and in the same order, as in ``source``: a set of functions has an
            order of its own.
        merged: whether the elements are containers themselves, and their elements are meant.
    """

    source: Symbol
    element: Callable[[Any], Any]
    exact: bool
    merged: bool = False


def is_tuple(container: Symbol) -> bool:
    """Whether a computed container is certain to be a tuple."""
    node = container.node
    return node.op in TUPLES or (node.op == "loop" and node.kind in TUPLE_LOOPS) or isinstance(node.value, tuple)


def in_step(value: Any, param: Node) -> bool:
    """Whether functions made as ``value`` was from ``param`` are all different, and in the order of the params.

    They are if all that differs between them is the param itself, somewhere among what they close over.
    """
    found = False
    left = [value]
    while left:
        value = left.pop()
        if type(value) is Symbol:
            if value.node is param:
                found = True
            elif value.node.region is param.region or not value.node.region.open:
                return False
        elif type(value) is tuple:
            left.extend(value)
        elif isinstance(value, Functions | frozenset):
            if kind_of(value) is not Kind.KNOWN:
                return False
        elif callable(value):
            left.extend([cell.cell_contents for cell in getattr(value, "__closure__", None) or ()])
    return found


def elements_of(container: Any) -> tuple[list[Any], bool]:
    """Return the elements of a known container, and whether that is their order: functions may have none.

    Those without are in an order that is the same in each process, so that the code is.
    """
    if type(container) is tuple:
        return list(container), True
    found, elements = forgiving(lambda: sorted(container, key=cmp_to_key(compare)))
    return elements if found else sorted(container, key=_recorded_key), found


def compare(a: Any, b: Any) -> int:
    """Return whether a is before (< 0) or behind (> 0) b in the canonical order, as far as functions tell.

    It looks no further than to the first thing that differs: computed values behind that may be what they like.

    Raises:
        Untraceable: if computed values, which are not known to be equal, decide.
    """
    if a is b or (type(a) is Symbol and type(b) is Symbol and a.node is b.node):
        return 0
    if type(a) is tuple and type(b) is tuple:
        return next(filter(None, itertools.starmap(compare, zip(a, b, strict=False))), len(a) - len(b))
    if isinstance(a, FunctionType) and isinstance(b, FunctionType):
        return compare(_function_parts(a), _function_parts(b))
    if type(a) is str and type(b) is str:
        return (a > b) - (a < b)
    key_a, key_b = canonical_key(a), canonical_key(b)
    return (key_a > key_b) - (key_a < key_b)


def _function_parts(function: FunctionType) -> tuple[Any, ...]:
    """Return what puts functions in order: name, place and what they close over."""
    return (*place_of_function(function), tuple([cell.cell_contents for cell in function.__closure__ or ()]))


def _recorded_key(value: Any) -> tuple[Any, ...]:
    """Return a key like ``canonical_key``, with computed values and functions in the order in which they were made."""
    if type(value) is Symbol:
        return (5, value.node.number)
    if isinstance(value, Unordered):
        return (6, value.serial)
    if isinstance(value, Lazy):
        return (7, value.source.node.number)
    if type(value) is tuple:
        return (2, tuple([_recorded_key(element) for element in value]))
    if type(value) is frozenset:
        return (3, tuple(sorted([_recorded_key(element) for element in value])))
    if isinstance(value, FunctionType):
        *place, cells = _function_parts(value)
        return (4, (*place, _recorded_key(cells)))
    if value is None or isinstance(value, int):
        return canonical_key(value)
    return (8, repr(type(value)))
