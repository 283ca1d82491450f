"""The namespace with which programs are traced: for each primitive a function of the same parameters that records.

Functions that make functions of functions are the reference's own, or make the same; those that call functions call
them once, with a symbol for the element, in a new region. Where no program is traced, which is while a module is
executed, each is the reference's.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from harness.compiler.callables import (
    Choice,
    Lazy,
    Repeated,
    choose,
    elements_of,
    in_step,
    is_tuple,
    pick,
)
from harness.compiler.errors import Untraceable
from harness.compiler.opaque import Symbol, hashable, refusal, refusals
from harness.compiler.tracer import Functions, Kind, Tracer, kind_of, tracers
from harness.dsl import PROGRAM_NAMESPACE, functions
from harness.dsl.canonical import ordered
from harness.dsl.table import ALIASES, ALL

# First-order primitives that do not look into functions, nor count them.
_CARRIERS = frozenset(
    {"astuple", "initset", "insert", "repeat", "combine", "totuple", "first", "last", "merge", "pair"}
)
_IN_ORDER = frozenset({"totuple", "first", "last", "second", "get_nth_t", "get_nth_f"})
_SELECTORS = frozenset({"first", "last", "second", "get_nth_t", "get_nth_f"})
_MOST_KNOWN = 64
_MOST_REPEATED = 10_000

Handler = Callable[..., Any]


# --- first-order primitives


def _first_order(tracer: Tracer, name: str, *args: Any) -> Any:
    if name == "identity":
        return args[0]
    if name == "branch" and type(args[0]) is not Symbol:
        if type(args[0]) is Lazy:
            raise refusal("decides on a container of functions that is only known when the program runs")
        return args[1] if args[0] else args[2]
    if all(kind_of(arg) is not Kind.FUNCTIONAL for arg in args):
        return tracer.operation(name, ALL[name].function, args)
    if any(type(arg) is Lazy for arg in args) and name not in ("astuple", "initset", "repeat"):
        return _of_lazy(tracer, name, args)
    if name in ("pair", "product") and any(type(arg) is Symbol for arg in args):
        return (_papply if name == "pair" else _prapply)(tracer, lambda x, y: (x, y), *args)
    if name == "branch":
        return choose(tracer, args[0], args[1], args[2], ALL["branch"].function)
    if name in _SELECTORS and len(args) == 2 and type(args[1]) is Symbol:
        return _nth(tracer, ALL[name].function, args[0], args[1])
    if name in _IN_ORDER and _holds_functions(args[0]) and type(args[0]) is frozenset:
        items, exact = elements_of(args[0])
        if not exact:
            raise refusal(f"gives {name} a set of functions whose order depends on computed values")
        args = (tuple(items), *args[1:])
    if name not in _CARRIERS and any(map(_depends, args)):
        raise refusal(f"gives {name} functions that depend on computed values")
    if name == "repeat" and (type(args[1]) is not int or args[1] > _MOST_REPEATED):
        raise refusal("repeats a function very often, or a computed number of times")
    try:
        # On known containers the reference is right: wherever it would look at a symbol, that refuses.
        if name == "initset":
            with hashable():
                return ALL[name].function(*args)
        return ALL[name].function(*args)
    except Untraceable as error:
        if not error.what.startswith("Python"):
            raise
        refusals.pop()
        raise refusal(f"gives {name} functions together with computed values") from None


def _depends(value: Any) -> bool:
    """Whether a value holds functions that were chosen or made by computed values, so that equal ones may differ."""
    if type(value) is tuple or type(value) is frozenset:
        return any(map(_depends, value))
    return isinstance(value, Functions)


def _nth(tracer: Tracer, select: Handler, container: Any, rank: Symbol) -> Any:
    """Return the element of a computed rank of a container with functions."""
    items, exact = elements_of(container)
    if not exact:
        raise refusal("selects from a set of functions whose order depends on computed values")
    places = tuple(range(len(items)))
    return pick(tracer, items, tracer.operation("get_nth_t", select, (places, rank)), ALL["branch"].function)


def _of_lazy(tracer: Tracer, name: str, args: tuple[Any, ...]) -> Any:
    first, *rest = args
    if name in ("pair", "product"):
        return (_papply if name == "pair" else _prapply)(tracer, lambda x, y: (x, y), *args)
    if type(first) is Lazy and not first.merged:
        if name == "merge":
            return Lazy(first.source, first.element, False, merged=True)
        if first.exact:
            if name == "size":
                return _first_order(tracer, name, first.source)
            if name in _SELECTORS:
                return first.element(_first_order(tracer, name, first.source, *rest))
            if name == "totuple":
                return Lazy(_first_order(tracer, name, first.source), first.element, True)
    raise refusal(f"gives {name} a container of functions that is only known when the program runs")


# --- primitives that make functions


def matcher(function: Callable[..., Any], target: Any) -> Callable[[Any], Any]:
    """x -> whether function(x) equals target; by name and closure like the reference's, which put it in order."""
    return lambda x: _equality(function(x), target)


def _rbind(tracer: Tracer, function: Any, fixed: Any) -> Any:
    return function.bound(functions.rbind, fixed) if type(function) is Choice else functions.rbind(function, fixed)


def _lbind(tracer: Tracer, function: Any, fixed: Any) -> Any:
    return function.bound(functions.lbind, fixed) if type(function) is Choice else functions.lbind(function, fixed)


def _power(tracer: Tracer, function: Any, n: Any) -> Any:
    if type(n) is int or type(n) is bool:
        if n == 1:
            return function
        if n > 1:
            return Repeated(tracer, function, int(n))
    if kind_of(n) is Kind.FUNCTIONAL:
        raise refusal("applies power to functions only")
    return Repeated(tracer, function, tracer.operation("require_count", _require_count, (n,)))


def _require_count(n: int) -> int:
    if n < 1:
        raise ValueError(f"power takes n >= 1, not {n}")
    return n


# --- loops: what they are over


def _is_known(container: Any) -> bool:
    return type(container) is tuple or type(container) is frozenset


def _holds_functions(container: Any) -> bool:
    """Whether a container is a known one with functions."""
    return _is_known(container) and kind_of(container) is Kind.FUNCTIONAL


def _same(x: Any) -> Any:
    return x


def _source(tracer: Tracer, container: Any, unused: bool = False) -> Lazy:
    """Return a container as one that a loop can be over: its elements, or places from which they are picked.

    It fails for what is no container, unless it may be ``unused``.
    """
    if type(container) is Lazy:
        return container
    if _holds_functions(container):
        items, exact = elements_of(container)
        places = range(len(items))
        source = Symbol(tracer.node(tuple(places) if type(container) is tuple else frozenset(places)))
        return Lazy(source, lambda place: pick(tracer, items, place, ALL["branch"].function), exact)
    if kind_of(container) is Kind.FUNCTIONAL:
        raise refusal("uses a function as a container")
    if not _is_known(container) and type(container) is not Symbol and not unused:
        container = tracer.operation("size", len, (container,))  # fails, as a loop over it would
    return Lazy(Symbol(tracer.node(container)), _same, True)


def _in_order(lazy: Lazy) -> Lazy:
    """Return it, refusing a set of functions whose order is not that of the elements that they are made from."""
    if lazy.merged or not (lazy.exact or is_tuple(lazy.source)):
        raise refusal("depends on the order of a set of functions that are made from computed values")
    return lazy


# --- loops that keep the results of the function


def _apply(tracer: Tracer, function: Any, container: Any) -> Any:
    return _mapped(tracer, "map", function, container)


def _mapply(tracer: Tracer, function: Any, container: Any) -> Any:
    return _mapped(tracer, "map_merge", function, container)


def _mapped(tracer: Tracer, kind: str, function: Any, container: Any) -> Any:
    if _is_known(container) and not container:
        return container  # the function, which may be none, is not called; nor is an element, which may be one
    if _holds_functions(container):
        return _unrolled(tracer, kind, function, container)
    source = _source(tracer, container)
    if source.merged:
        return _mapped(tracer, "map_merge", lambda e: _mapped(tracer, kind, function, source.element(e)), source.source)
    (param,) = tracer.open(1)
    result = function(source.element(param))
    if kind_of(result) is not Kind.FUNCTIONAL:
        return tracer.structured("loop", (source.source,), (tracer.close(result),), kind)
    if _is_known(container) and len(container) <= _MOST_KNOWN:
        tracer.graph.abandon()
        return _unrolled(tracer, kind, function, container)
    exact = is_tuple(source.source) or (source.exact and in_step(result, param.node))
    _require(tracer, source.source, tracer.close(False))
    lazy = Lazy(source.source, lambda e: function(source.element(e)), exact)
    return lazy if kind == "map" else _of_lazy(tracer, "merge", (lazy,))


def _require(tracer: Tracer, source: Symbol, body: Any) -> None:
    """Record what fails if making a container of functions would: they are made again where they are called."""
    if body.nodes:
        tracer.structured("loop", (source,), (body,), "filter")
    else:
        tracer.operation("size", len, (source,))


def _unrolled(tracer: Tracer, kind: str, function: Any, container: Any) -> Any:
    results = [function(e) for e in elements_of(container)[0]]
    made = tuple(results) if type(container) is tuple else tracer.make_set(results)
    return made if kind == "map" else _first_order(tracer, "merge", made)


def _rapply(tracer: Tracer, container: Any, value: Any) -> Any:
    if type(container) is Symbol:
        raise refusal("applies a computed container as if of functions")
    return _apply(tracer, lambda function: function(value), container)


def _papply(tracer: Tracer, function: Any, a: Any, b: Any) -> Any:
    return _zipped(tracer, "zip", function, a, b)


def _mpapply(tracer: Tracer, function: Any, a: Any, b: Any) -> Any:
    return _zipped(tracer, "zip_merge", function, a, b)


def _zipped(tracer: Tracer, kind: str, function: Any, a: Any, b: Any) -> Any:
    if _is_known(a) and _is_known(b) and (_holds_functions(a) or _holds_functions(b)):
        results = tuple([function(x, y) for x, y in zip(ordered(a), ordered(b), strict=False)])
        return results if kind == "zip" else _first_order(tracer, "merge", results)
    return _paired(tracer, kind, function, _in_order(_source(tracer, a)), _in_order(_source(tracer, b)))


def _prapply(tracer: Tracer, function: Any, a: Any, b: Any) -> Any:
    if _is_known(a) and _is_known(b) and (_holds_functions(a) or _holds_functions(b)):
        return tracer.make_set([function(x, y) for y in elements_of(b)[0] for x in elements_of(a)[0]])
    # The reference does not look at a where b is empty.
    return _paired(tracer, "product", function, _source(tracer, a, unused=True), _source(tracer, b))


def _paired(tracer: Tracer, kind: str, function: Any, a: Lazy, b: Lazy) -> Any:
    if a.merged or b.merged:
        raise refusal("pairs the elements of containers of functions, merged")
    x, y = tracer.open(2)
    result = function(a.element(x), b.element(y))
    if kind_of(result) is not Kind.FUNCTIONAL:
        return tracer.structured("loop", (a.source, b.source), (tracer.close(result),), kind)
    tracer.graph.abandon()
    pairs = _first_order(tracer, "product" if kind == "product" else "pair", a.source, b.source)

    def element(pair: Any) -> Any:
        first, last = (_first_order(tracer, name, pair) for name in ("first", "last"))
        return function(a.element(first), b.element(last))

    return _mapped(tracer, "map_merge" if kind == "zip_merge" else "map", element, pairs)


# --- loops that select elements, or the greatest and least results


def _selected(
    tracer: Tracer, name: str, kind: str, container: Any, function: Any, *rank: Any
) -> tuple[Any, Lazy | None]:
    """Record a loop over a container; return (its value, None), or the places selected and what picks from them."""
    if _holds_functions(container) and name != "extract":
        items, exact = elements_of(container)
        keys = [function(e) for e in items]
        if kind_of(tuple(keys)) is Kind.KNOWN and kind_of(rank) is Kind.KNOWN:
            by_identity = {id(e): key for e, key in zip(items, keys, strict=True)}
            over = tuple(items) if exact and kind != "filter" else container
            return ALL[name].function(over, lambda e: by_identity[id(e)], *rank), None
        source = _source(tracer, container)
        (place,) = tracer.open(1)
        key = tracer.operation("get_nth_t", ALL["get_nth_t"].function, (tuple(keys), place))
    else:
        source = _source(tracer, container)
        if source.merged:
            raise refusal(f"gives {name} a container of functions, merged")
        (place,) = tracer.open(1)
        key = function(source.element(place))
    if kind_of(key) is Kind.FUNCTIONAL:
        raise refusal(f"gives {name} a function that returns functions")
    body = tracer.close(key)
    value = tracer.structured("loop", (source.source, *rank), (body,), kind)
    return value, None if source.element is _same else source


def _keeping(name: str, kind: str) -> Handler:
    """Return the handler of a primitive whose value is a container of selected elements."""

    def handler(tracer: Tracer, container: Any, function: Any) -> Any:
        if _is_known(container) and not container:
            return () if kind == "order" else container
        value, source = _selected(tracer, name, kind, container, function)
        if source is None:
            return value
        if kind == "order":
            _in_order(source)
        return Lazy(value, source.element, source.exact or kind == "order")

    return handler


def _choosing(name: str, kind: str) -> Handler:
    """Return the handler of a primitive whose value is an element."""

    def handler(tracer: Tracer, container: Any, function: Any, *rank: Any) -> Any:
        value, source = _selected(tracer, name, kind, container, function, *rank)
        return value if source is None else _in_order(source).element(value)

    return handler


def _mfilter(tracer: Tracer, container: Any, function: Any) -> Any:
    return _first_order(tracer, "merge", _sfilter(tracer, container, function))


def _get_val_rank(tracer: Tracer, container: Any, function: Any, rank: Any) -> Any:
    value, source = _selected(tracer, "get_val_rank", "val_rank", container, function, rank)
    if source is not None:
        _in_order(source)
    return value


def _extreme(name: str) -> Handler:
    """Return the handler of valmax or valmin, whose value is compfunc(0) for an empty container."""

    def handler(tracer: Tracer, container: Any, function: Any) -> Any:
        if _is_known(container):
            return _selected(tracer, name, name, container, function)[0] if container else function(0)
        source = _source(tracer, container).source
        tracer.open(0)
        try:
            default = function(0)
        except (TypeError, ValueError, AttributeError, IndexError):  # as the reference would raise
            fails = True
        else:
            fails = not tracer.failing.isdisjoint(tracer.graph.region.nodes)
        if fails:  # so does the loop
            tracer.graph.abandon()
            return _selected(tracer, name, name, container, function)[0]
        if kind_of(default) is Kind.FUNCTIONAL:
            raise refusal(f"gives {name} a function that returns functions")
        otherwise = tracer.close(default)
        tracer.open(0)
        extreme = tracer.close(_selected(tracer, name, name, container, function)[0])
        filled = tracer.operation("size", len, (source,))
        return tracer.structured("if", (filled,), (extreme, otherwise))

    return handler


_sfilter = _keeping("sfilter", "filter")

_HIGHER_ORDER: dict[str, Handler] = {
    "apply": _apply,
    "argmax": _choosing("argmax", "argmax"),
    "argmin": _choosing("argmin", "argmin"),
    "extract": _choosing("extract", "extract"),
    "get_arg_rank": _choosing("get_arg_rank", "arg_rank"),
    "get_val_rank": _get_val_rank,
    "lbind": _lbind,
    "mapply": _mapply,
    "mfilter": _mfilter,
    "mpapply": _mpapply,
    "order": _keeping("order", "order"),
    "papply": _papply,
    "power": _power,
    "prapply": _prapply,
    "rapply": _rapply,
    "rbind": _rbind,
    "sfilter": _sfilter,
    "valmax": _extreme("valmax"),
    "valmin": _extreme("valmin"),
}


def _traced(name: str, parameters: tuple[str, ...], reference: Callable[..., Any]) -> FunctionType:
    """Return the function that stands for a primitive: without a closure, as the reference, and of the same name."""
    handler = _HIGHER_ORDER.get(name)

    def call(*args: Any) -> Any:
        if not tracers:
            return reference(*args)
        tracer = tracers[-1]
        tracer.count_call()
        return _first_order(tracer, name, *args) if handler is None else handler(tracer, *args)

    names = ", ".join(parameters)
    function: FunctionType = eval(compile(f"lambda {names}: call({names})", __file__, "eval"), {"call": call})
    function.__name__ = function.__qualname__ = name
    return function


_OWN: dict[str, Any] = {name: ALL[name].function for name in ("chain", "compose", "fork")} | {"matcher": matcher}
TRACED: dict[str, Any] = {
    name: _OWN[name] if name in _OWN else _traced(name, row.parameters, row.function) for name, row in ALL.items()
}
_equality = TRACED["equality"]

TRACING_NAMESPACE: dict[str, Any] = {
    **PROGRAM_NAMESPACE,
    **TRACED,
    **{alias: TRACED[name] for alias, name in ALIASES.items()},
}
"""What ``from dsl import *`` gives to a program that is to be traced."""
