"""Recording: operations on symbols become nodes, known values are computed at once."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from threading import get_ident
from typing import Any

from harness.compiler.ir import Graph, Node, Region
from harness.compiler.opaque import Symbol, Text, hashable, refusal, refusals
from harness.dsl.canonical import canonical_key

MOST_CALLS = 100_000
"""Calls of primitives while a program is traced, beyond which it is refused."""

DEEPEST = 16
"""Regions inside each other, beyond which a program is refused: the virtual machine's limit."""

_SMALL_INTEGER = 32
_SMALL = 100
_KEPT = 1000


class Kind(IntEnum):
    """What is known of a value while tracing."""

    KNOWN = 0
    SYMBOLIC = 1
    FUNCTIONAL = 2


class Functions:
    """Something that stands for functions, or for containers of them, and has no value of its own."""

    __slots__ = ()


def kind_of(value: Any) -> Kind:
    """Return what is known of a value; of a container, of the least known of its elements."""
    cls = type(value)
    if cls is Symbol:
        return Kind.SYMBOLIC
    if cls is int or cls is bool or value is None:
        return Kind.KNOWN
    if cls is tuple or cls is frozenset:
        return max(map(kind_of, value), default=Kind.KNOWN)
    if cls is Text:
        raise refusal(f"gives {value.name} to a primitive: it may only be put into the output")
    if isinstance(value, Functions) or callable(value):
        return Kind.FUNCTIONAL
    raise refusal(f"gives a primitive a {cls.__name__}, which is no value of the DSL")


def _is_small(value: Any, most: int) -> bool:
    """Whether a known value has few elements and, among few, only small integers."""
    left = [value]
    count = 0
    while left:
        value = left.pop()
        if type(value) is tuple or type(value) is frozenset:
            left.extend(value)
        elif value is not None and abs(value) > _SMALL_INTEGER:
            return False
        count += 1
        if count + len(left) > most:
            return False
    return True


class Tracer:
    """The recording of one program.

    Attributes:
        graph: what is recorded.
        thread: the thread that traces.
        failing: nodes that are certain to fail.
    """

    def __init__(self, inputs: int) -> None:
        self.graph = Graph(inputs)
        self.thread = get_ident()
        self.failing: set[Node] = set()
        self._calls = 0

    def count_call(self) -> None:
        """Count a call of a primitive, so that tracing ends in bounded time."""
        self._calls += 1
        if self._calls > MOST_CALLS:
            raise refusal(f"too large: it calls primitives more than {MOST_CALLS} times while it is traced")

    @property
    def calls(self) -> int:
        """How many calls there were."""
        return self._calls

    def node(self, value: Any) -> Node:
        """Return the node of a value that holds no function: a constant if it is known."""
        if type(value) is Symbol:
            node = value.node
            if not node.region.open:
                raise refusal("uses a value outside of the function, or of the trace, that computed it")
            return node
        if kind_of(value) is Kind.KNOWN:
            try:
                return self.graph.constant(value)
            except OverflowError as error:
                raise refusal(f"too large: {error}") from None
        if type(value) is tuple:
            return self._packed([self.node(element) for element in value])
        known = frozenset([element for element in value if kind_of(element) is Kind.KNOWN])
        nodes = [self.node(element) for element in sorted(value.difference(known), key=_element_key)]
        made = self.graph.constant(known) if known else self.graph.operation("initset", (nodes.pop(0),))
        for node in nodes:
            made = self.graph.operation("insert", (node, made))
        return made

    def _packed(self, nodes: list[Node]) -> Node:
        """Return the node of the tuple of at least one element."""
        made: Node | None = None
        for start in range(0, len(nodes), 4):
            part = nodes[start : start + 4]
            pack = self.graph.operation(("pack1", "astuple", "pack3", "pack4")[len(part) - 1], tuple(part))
            made = pack if made is None else self.graph.operation("combine", (made, pack))
        assert made is not None
        return made

    def operation(self, name: str, reference: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Apply a primitive to values without functions: at once if they are known and small, else by recording it."""
        known = all(kind_of(arg) is Kind.KNOWN for arg in args)
        if known and all(_is_small(arg, _SMALL) for arg in args):
            try:
                value = reference(*args)
            except Exception:  # when the operation is executed it fails, if it is
                return self._record(name, args, fails=True)
            if _is_data(value, _KEPT):
                return value
        return self._record(name, args)

    def _record(self, name: str, args: tuple[Any, ...], fails: bool = False) -> Symbol:
        node = self.graph.operation(name, tuple([self.node(arg) for arg in args]))
        if fails:
            self.failing.add(node)
        return Symbol(node)

    def open(self, params: int) -> list[Symbol]:
        """Begin a region; return its params."""
        if self.graph.depth >= DEEPEST:
            raise refusal(f"too large: it nests functions more than {DEEPEST} deep")
        return [Symbol(node) for node in self.graph.open(params).params]

    def close(self, result: Any) -> Region:
        """End a region with a value that holds no function."""
        return self.graph.close(self.node(result))

    def structured(self, op: str, args: tuple[Any, ...], regions: tuple[Region, ...], kind: str = "") -> Symbol:
        """Record a loop, power or if."""
        return Symbol(self.graph.structured(op, tuple([self.node(arg) for arg in args]), regions, kind))

    def make_set(self, elements: list[Any]) -> Any:
        """Return the set of values that are all functions, or none of which is."""
        kinds = set(map(kind_of, elements))
        if kinds <= {Kind.KNOWN} or kinds == {Kind.FUNCTIONAL}:
            return frozenset(elements)
        if Kind.FUNCTIONAL in kinds:
            raise refusal("makes a set of functions and values")
        with hashable():
            return Symbol(self.node(frozenset(elements)))


def _is_data(value: Any, most: int) -> bool:
    """Whether a value is one of the DSL's and has few elements."""
    left = [value]
    count = 0
    while left:
        value = left.pop()
        cls = type(value)
        if cls is tuple or cls is frozenset:
            left.extend(value)
        elif cls is int:
            if not -(2**63) <= value < 2**63:
                return False
        elif value is not None and cls is not bool:
            return False
        count += 1
        if count + len(left) > most:
            return False
    return True


def _element_key(value: Any) -> tuple[Any, ...]:
    """Return a key that puts the elements of a set in the same order in each process."""
    if type(value) is Symbol:
        return (1, value.node.number)
    if type(value) is tuple:
        return (2, [_element_key(element) for element in value])
    if type(value) is frozenset:
        return (3, sorted(map(_element_key, value)))
    return (0, canonical_key(value))


tracers: list[Tracer] = []
"""The one that records, last; empty while no program is traced."""


def is_tracing() -> bool:
    """Whether the thread that asks is tracing."""
    own = get_ident()
    return any(tracer.thread == own for tracer in tracers)


def forgiving(attempt: Callable[[], Any]) -> tuple[bool, Any]:
    """Return (True, what a function returns), or (False, None) if it refuses or raises: then nothing happened."""
    count = len(refusals)
    try:
        return True, attempt()
    except Exception:
        del refusals[count:]
        return False, None
