"""The intermediate representation: a graph of operations with nested regions, each node there once.

A node is one of

    input, param        a value from outside the program; what a loop or power gives its body
    constant            ``value``
    an OPERATION        of ``harness/vm/opcodes.def``, on ``args``
    loop                of ``kind``, one of LOOP_KIND: a body with one param, or two, over one container, or two; the
                        last of ``args`` is the rank where the kind needs one
    power               ``args`` are a count and the first value: a body with one param, run so many times
    if                  ``args`` is the condition: two regions without params, of which one is executed

A region's nodes are executed in order, each time that the region is, since each may fail. A node is seen in its own
region and in those inside it. Equal nodes are one: an operation is not recorded again where its value is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.vm.encoding import encode
from harness.vm.opcodes import LOOP_KIND, OPERATION

INFALLIBLE = frozenset(
    {
        *("input", "param", "constant", "astuple", "pack1", "pack3", "pack4", "initset"),
        *("both", "either", "flip", "equality", "identity", "branch"),
    }
)
"""Operations that return a value for every operand: they need not be executed where nothing uses it."""

TWO_CONTAINERS = frozenset({"zip", "zip_merge", "product"})
RANKED = frozenset({"arg_rank", "val_rank"})


@dataclass(eq=False, slots=True)
class Region:
    """A body or an arm, or the whole program.

    Attributes:
        parent: the region that it is in; None for a program.
        params: what it is given, nodes of op ``param`` (of a program: ``input``).
        nodes: in the order of execution, without params and constants.
        result: the value of the region; None while it is recorded, and for a program, which has several.
        open: whether it is still recorded.
        captured: the nodes of regions around it that are used in it, constants included.
    """

    parent: Region | None
    params: list[Node] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    result: Node | None = None
    open: bool = True
    captured: list[Node] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Node:
    """An operation; see the module's description.

    Attributes:
        op: name.
        args: operands.
        region: where it is executed.
        number: unique in its graph, ascending in the order of execution.
        kind: of a loop; else empty.
        regions: bodies and arms.
        value: of a constant.
        data: of a constant, the value encoded.
    """

    op: str
    args: tuple[Node, ...]
    region: Region
    number: int
    kind: str = ""
    regions: tuple[Region, ...] = ()
    value: Any = None
    data: bytes = b""

    @property
    def fallible(self) -> bool:
        """Whether it may fail although its operands are there."""
        if self.op == "if":
            return any(node.fallible for region in self.regions for node in region.nodes)
        return self.op not in INFALLIBLE

    def uses(self) -> Iterator[Node]:
        """Yield the nodes that must be executed before, of the same region or around it; some more than once."""
        yield from self.args
        for region in self.regions:
            yield from region.captured


class Graph:
    """A program, or several with the same inputs, while it is recorded and after."""

    def __init__(self, inputs: int) -> None:
        self.root = Region(None)
        self.region = self.root
        self._count = 0
        self._constants: dict[bytes, Node] = {}
        self._known: list[dict[tuple[Any, ...], Node]] = [{}]  # for each open region, its nodes by what they compute
        self.root.params = [self._node("input", (), self.root) for _ in range(inputs)]

    @property
    def depth(self) -> int:
        """How many regions are open inside the program."""
        return len(self._known) - 1

    def _node(self, op: str, args: tuple[Node, ...], region: Region, *more: Any) -> Node:
        self._count += 1
        return Node(op, args, region, self._count, *more)

    def constant(self, value: Any) -> Node:
        """Return the node of a constant.

        Raises:
            TypeError: if it is no DSL value.
            OverflowError: if it is too large to be encoded.
        """
        key = encode(value)
        node = self._constants.get(key)
        if node is None:
            node = self._constants[key] = self._node("constant", (), self.root, "", (), value, key)
        return node

    def operation(self, op: str, args: tuple[Node, ...], alone: bool = False) -> Node:
        """Return the node of an operation, recording it if its value is not yet seen from here.

        Args:
            op: its name.
            args: its operands.
            alone: do not look at the program's own level. So it is where programs are merged for what is executed in a
                region only because it may fail: a node that another program has there would not be noticed.
        """
        return self._recorded((op, *[arg.number for arg in args]), alone, op, args)

    def open(self, params: int) -> Region:
        """Begin a region with so many params."""
        region = Region(self.region)
        region.params = [self._node("param", (), region) for _ in range(params)]
        self.region = region
        self._known.append({})
        return region

    def close(self, result: Node) -> Region:
        """End the innermost region, dropping what neither its result needs nor may fail; return it."""
        region = self.abandon()
        region.result = result
        needed = {result}
        kept = []
        for node in reversed(region.nodes):
            if node in needed or node.fallible:
                kept.append(node)
                needed.update(node.uses())
        kept.reverse()
        region.nodes = kept
        needed.difference_update(kept, region.params)
        region.captured = sorted(needed, key=lambda node: node.number)
        return region

    def abandon(self) -> Region:
        """End the innermost region, which is not to be used, and return it."""
        region = self.region
        if region.parent is None:
            raise ValueError("no region is open inside the program")
        region.open = False
        self.region = region.parent
        self._known.pop()
        return region

    def structured(
        self, op: str, args: tuple[Node, ...], regions: tuple[Region, ...], kind: str = "", alone: bool = False
    ) -> Node:
        """Return the node of a loop, power or if whose regions were closed last, as ``operation`` does."""
        key = (op, kind, *[arg.number for arg in args], *[_shape(region, {}) for region in regions])
        return self._recorded(key, alone, op, args, kind, regions)

    def _recorded(self, key: tuple[Any, ...], alone: bool, op: str, args: tuple[Node, ...], *more: Any) -> Node:
        for known in reversed(self._known[alone:]):
            node: Node | None = known.get(key)
            if node is not None:
                return node
        node = self._node(op, args, self.region, *more)
        self._known[-1][key] = node
        self.region.nodes.append(node)
        return node


def _shape(region: Region, local: dict[Node, int]) -> tuple[Any, ...]:
    """Return what a region computes, the same for equal ones: its own nodes by place, those around it by number.

    ``local`` holds the (negative) places of the nodes of the regions around it that are part of the same shape.
    """
    for param in region.params:
        local[param] = -1 - len(local)

    def place(node: Node) -> int:
        return local.get(node, node.number)

    shape: list[Any] = []
    for node in region.nodes:
        inner = [_shape(inside, local) for inside in node.regions]
        shape.append((node.op, node.kind, *map(place, node.args), *inner))
        local[node] = -1 - len(local)
    assert region.result is not None
    return (*shape, place(region.result))


def check(root: Region, results: Sequence[Node]) -> None:
    """Check the rules of the IR on a whole program.

    Args:
        root: the program.
        results: its outputs.

    Raises:
        ValueError: names the node and the rule that it breaks.
    """
    seen: set[Node] = set(root.params)
    _check_region(root, seen, set())
    for node in results:
        if node.op != "constant" and node not in seen:
            raise ValueError(f"result {_name(node)} is not computed by the program")


def _name(node: Node) -> str:
    return f"node {node.number} ({' '.join(filter(None, (node.op, node.kind)))})"


def _check_region(region: Region, seen: set[Node], twice: set[int]) -> None:
    for node in region.nodes:
        if node.number in twice:
            raise ValueError(f"{_name(node)}: it is there twice")
        twice.add(node.number)
        if node.region is not region:
            raise ValueError(f"{_name(node)}: it is recorded in a region other than its own")
        for arg in node.args:
            if arg.op != "constant" and arg not in seen:
                raise ValueError(f"{_name(node)}: operand {_name(arg)} is not defined before it, or out of scope")
        _check_shape(node)
        for inside in node.regions:
            _check_inside(node, inside, seen, twice)
        seen.add(node)


def _check_inside(node: Node, inside: Region, seen: set[Node], twice: set[int]) -> None:
    if inside.parent is not node.region or inside.open:
        raise ValueError(f"{_name(node)}: a region that is not closed, or not right inside the node's own")
    own = seen | set(inside.params)
    _check_region(inside, own, twice)
    result = inside.result
    if result is None or (result.op != "constant" and result not in own):
        raise ValueError(f"{_name(node)}: the result of a region is not defined in it")
    used = {arg for one in inside.nodes for arg in one.uses()} | {result}
    if used - set(inside.params) - set(inside.nodes) != set(inside.captured):
        raise ValueError(f"{_name(node)}: what a region captures is not what it uses")


def _check_shape(node: Node) -> None:
    params = [len(region.params) for region in node.regions]
    if node.op in OPERATION:
        if len(node.args) != OPERATION[node.op].arity or params:
            raise ValueError(f"{_name(node)}: {len(node.args)} operands and {len(params)} regions")
    elif node.op == "loop":
        if node.kind not in LOOP_KIND:
            raise ValueError(f"{_name(node)}: no such kind of loop")
        containers = 2 if node.kind in TWO_CONTAINERS else 1
        if params != [containers] or len(node.args) != containers + (node.kind in RANKED):
            raise ValueError(f"{_name(node)}: {len(node.args)} operands and regions with params {params}")
    elif node.op == "power":
        if params != [1] or len(node.args) != 2:
            raise ValueError(f"{_name(node)}: {len(node.args)} operands and regions with params {params}")
    elif node.op == "if":
        if params != [0, 0] or len(node.args) != 1:
            raise ValueError(f"{_name(node)}: {len(node.args)} operands and regions with params {params}")
    else:
        raise ValueError(f"{_name(node)}: no such operation")
