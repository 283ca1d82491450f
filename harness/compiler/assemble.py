"""Graphs as bytecode: equal operations of several programs brought together, registers allocated, code written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from numpy.typing import NDArray

from harness.compiler.errors import Untraceable
from harness.compiler.ir import RANKED, Graph, Node, Region
from harness.compiler.tracing import Trace
from harness.vm.opcodes import CONTROL, FIELDS, LOOP_KIND, NONE, OPERATION

MOST_INSTRUCTIONS = 60_000
"""Of a unit: numbers of instructions and registers must fit into 16 bits."""


@dataclass(frozen=True, eq=False)
class ProgramResult:
    """Where the values of one program of a unit are.

    Attributes:
        outputs: uint16, the registers of its results, as ``Trace.results`` has them.
        required: uint16, registers of operations that may fail and that no output depends on; the program failed if
            one of these or of the outputs did.
    """

    outputs: NDArray[np.uint16]
    required: NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class Unit:
    """Bytecode of one program, or of several that are given the same inputs.

    Attributes:
        code: uint16 [instructions, 8], as ``harness/vm/opcodes.def`` says.
        registers: how many there are.
        constants: encoded values (``harness.vm.encoding``), one behind the other.
        constant_offsets: uint32 [constants + 1], where each begins, and where the last ends.
        inputs: values that are given in registers 0 and on: 1 for solvers (I), 3 for batts (S, I, C).
        results: one for each program.
        depth: how many bodies and arms are at most inside each other.
    """

    code: NDArray[np.uint16]
    registers: int
    constants: bytes
    constant_offsets: NDArray[np.uint32]
    inputs: int
    results: tuple[ProgramResult, ...]
    depth: int


@dataclass(frozen=True, eq=False)
class _Program:
    """A program in a graph: its outputs, and the operations to require, in order."""

    outputs: list[Node]
    required: list[Node]


def compile_unit(traces: Sequence[Trace]) -> Unit:
    """Write traced programs as one unit, in which what several of them compute is computed once.

    Args:
        traces: at least one, all of solvers or all of batts.

    Raises:
        ValueError: if there is none, or solvers and batts are mixed.
        Untraceable: if there are more instructions than a unit may have.
    """
    kinds = {trace.kind for trace in traces}
    if len(kinds) != 1:
        raise ValueError(f"a unit is of solvers or of batts, and not empty: {len(traces)} programs, {sorted(kinds)}")
    if len(traces) == 1:
        graph = traces[0].graph
        programs = [_program(graph.root.nodes, list(traces[0].results))]
    else:
        graph = Graph(len(traces[0].graph.root.params))
        programs = [_merge(trace, graph) for trace in traces]
    live = _live(graph.root, programs)
    assembler = _Assembler(graph, programs)
    # At least so many instructions: constants are counted when they are written.
    if sum(map(_length, live)) <= MOST_INSTRUCTIONS:
        unit = assembler.assemble(live)
        if len(unit.code) <= MOST_INSTRUCTIONS:
            return unit
    names = traces[0].name if len(traces) == 1 else f"a unit of {len(traces)} programs"
    raise Untraceable(f"{names} is too large: it has more than {MOST_INSTRUCTIONS} instructions")


def _merge(trace: Trace, graph: Graph) -> _Program:
    """Add a program to a graph."""
    copies: dict[Node, Node] = dict(zip(trace.graph.root.params, graph.root.params, strict=True))
    nodes = _copy(trace.graph.root, graph, copies)
    outputs = [_copied(node, graph, copies) for node in trace.results]
    return _program(sorted(nodes, key=lambda node: node.number), outputs)


def _copied(node: Node, graph: Graph, copies: dict[Node, Node]) -> Node:
    if node.op == "constant" and node not in copies:
        copies[node] = graph.constant(node.value)
    return copies[node]


def _copy(region: Region, graph: Graph, copies: dict[Node, Node]) -> set[Node]:
    """Record the nodes of a region in the graph's open region; return what they have become."""
    made = set()
    noticed = _noticed(region)
    for node in region.nodes:
        alone = region.parent is not None and node.fallible and node not in noticed
        args = tuple([_copied(arg, graph, copies) for arg in node.args])
        if not node.regions:
            copy = graph.operation(node.op, args, alone)
        else:
            regions = []
            for inside in node.regions:
                opened = graph.open(len(inside.params))
                copies.update(zip(inside.params, opened.params, strict=True))
                _copy(inside, graph, copies)
                assert inside.result is not None
                regions.append(graph.close(_copied(inside.result, graph, copies)))
            copy = graph.structured(node.op, args, tuple(regions), node.kind, alone)
        copies[node] = copy
        made.add(copy)
    return made


def _noticed(region: Region) -> set[Node]:
    """Return the nodes of a body or arm that its result is computed from: if one fails, the result does."""
    noticed = set() if region.result is None else {region.result}
    for node in reversed(region.nodes):
        if node in noticed:
            noticed.update(node.args)  # not what regions capture: perhaps they are not executed
    return noticed


def _program(nodes: Sequence[Node], outputs: list[Node]) -> _Program:
    """Find the operations that may fail without an output failing.

    Args:
        nodes: what the program executes, in order, not what is inside regions.
        outputs: its results.
    """
    noticed = set(outputs)  # a failure of these, or of what they are computed from, is seen
    required = []
    for node in reversed(nodes):
        if node not in noticed:
            if not node.fallible:
                continue
            required.append(node)
        noticed.update(node.args)  # not what regions capture: perhaps they are not executed
    return _Program(outputs, required[::-1])


def _live(root: Region, programs: Sequence[_Program]) -> list[Node]:
    """Return the nodes of a graph that are to be executed, in order."""
    needed = {node for program in programs for node in (*program.outputs, *program.required)}
    live = []
    for node in reversed(root.nodes):
        if node in needed:
            live.append(node)
            needed.update(node.uses())
    return live[::-1]


def _length(node: Node) -> int:
    """Return how many instructions a node becomes, constants not counted."""
    return 1 + sum(1 + sum(map(_length, region.nodes)) for region in node.regions)


class _Assembler:
    """The writing of one unit."""

    def __init__(self, graph: Graph, programs: Sequence[_Program]) -> None:
        self.graph = graph
        self.programs = programs
        self.code: list[tuple[int, ...]] = []
        self.register: dict[Node, int] = {}
        self.free: list[int] = []
        self.registers = 0
        self.constants: list[Node] = []
        self.depth = 0

    def assemble(self, live: Sequence[Node]) -> Unit:
        """Write the unit.

        Args:
            live: the program's nodes that are to be executed, in order.
        """
        kept = {node for program in self.programs for node in (*program.outputs, *program.required)}
        kept.update(self.graph.root.params)
        for param in self.graph.root.params:
            self._allocate(param)
        self._write_nodes(live, kept, 0)
        for node in kept:
            if node.op == "constant" and node not in self.register:
                self._load(node)
        self._write(CONTROL["end"].number)
        results = tuple(
            ProgramResult(self._registers_of(program.outputs), self._registers_of(program.required))
            for program in self.programs
        )
        offsets = np.cumsum([0, *[len(node.data) for node in self.constants]], dtype=np.uint32)
        return Unit(
            code=np.array(self.code).astype(np.uint16),
            registers=self.registers,
            constants=b"".join([node.data for node in self.constants]),
            constant_offsets=offsets,
            inputs=len(self.graph.root.params),
            results=results,
            depth=self.depth,
        )

    def _registers_of(self, nodes: Sequence[Node]) -> NDArray[np.uint16]:
        return np.array([self.register[node] for node in nodes], dtype=np.uint16)

    def _write(self, *fields: int) -> None:
        self.code.append((*fields, *[NONE] * (FIELDS - len(fields))))

    def _allocate(self, node: Node) -> int:
        if self.free:
            register = heappop(self.free)
        else:
            register = self.registers
            self.registers += 1
        self.register[node] = register
        return register

    def _release(self, node: Node) -> None:
        heappush(self.free, self.register.pop(node))

    def _load(self, node: Node) -> None:
        """Write the instruction that loads a constant."""
        self._write(CONTROL["constant"].number, self._allocate(node), len(self.constants))
        self.constants.append(node)

    def _write_nodes(self, nodes: Sequence[Node], kept: set[Node], depth: int) -> None:
        """Write the nodes of a region, and release each that is its own behind its last use.

        Constants belong to the program: they are loaded before the first of its nodes that uses them.
        """
        self.depth = max(self.depth, depth)
        last: dict[Node, int] = {}
        for place, node in enumerate(nodes):
            last[node] = place
            for used in node.uses():
                last[used] = place
        own = set(nodes)
        dying: list[list[Node]] = [[] for _ in nodes]
        for node, place in last.items():
            if node not in kept and (node in own or (node.op == "constant" and depth == 0)):
                dying[place].append(node)
        for node, dead in zip(nodes, dying, strict=True):
            if depth == 0:
                for used in node.uses():
                    if used.op == "constant" and used not in self.register:
                        self._load(used)
            self._write_node(node, depth)
            for one in dead:
                self._release(one)

    def _write_node(self, node: Node, depth: int) -> None:
        """Write an operation; its own register is none of those that it, or what is inside it, uses."""
        destination = self._allocate(node)
        operands = [self.register[arg] for arg in node.args]
        if node.op in OPERATION and not node.regions:
            self._write(OPERATION[node.op].number, destination, *operands)
        elif node.op == "loop":
            (body,) = node.regions
            rank = operands.pop() if node.kind in RANKED else NONE
            params = [self._allocate(param) for param in body.params]
            self._write(
                CONTROL["loop"].number,
                destination,
                *(*operands, NONE)[:2],
                *(*params, NONE)[:2],
                LOOP_KIND[node.kind].number,
                rank,
            )
            self._write_region(body, "next", depth + 1)
        elif node.op == "power":
            (body,) = node.regions
            (param,) = [self._allocate(param) for param in body.params]
            self._write(CONTROL["repeat"].number, destination, *operands, param)
            self._write_region(body, "next", depth + 1)
        else:
            start = len(self.code)
            self._write(CONTROL["if_"].number)
            lengths = []
            for arm in node.regions:
                before = len(self.code)
                self._write_region(arm, "arm", depth + 1)
                lengths.append(len(self.code) - before)
            fields = (CONTROL["if_"].number, destination, *operands, *lengths)
            self.code[start] = (*fields, *[NONE] * (FIELDS - len(fields)))

    def _write_region(self, region: Region, end: str, depth: int) -> None:
        assert region.result is not None
        self._write_nodes(region.nodes, {region.result}, depth)
        self._write(CONTROL[end].number, NONE, self.register[region.result])
        for node in (*region.params, *region.nodes):
            if node in self.register:
                self._release(node)
