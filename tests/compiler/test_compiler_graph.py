"""The IR: equal operations are one node, also in regions and across programs; its rules are checked."""

from __future__ import annotations

from pathlib import Path

import pytest
from evaluating import compiled, interpreted, write_programs

from harness.compiler import FAIL, Trace, compile_unit, interpret, trace
from harness.compiler.ir import Graph, Node, check


def operations(traced: Trace) -> list[str]:
    return [node.op if node.op != "loop" else f"loop {node.kind}" for node in traced.graph.root.nodes]


def traced_source(folder: Path, body: str) -> Trace:
    (program,) = write_programs(folder, f"def solve_a(I):\n    {body}\n")
    traced = trace(program)
    check(traced.graph.root, traced.results)
    return traced


def test_equal_calls_are_one_node(tmp_path: Path) -> None:
    traced = traced_source(tmp_path, "return hconcat(hmirror(I), hmirror(I))")
    assert operations(traced) == ["hmirror", "hconcat"]


def test_equal_loops_are_one_node(tmp_path: Path) -> None:
    body = "return hconcat(apply(lambda r: order(r, lambda v: invert(v)), I), apply(lambda x: order(x, invert), I))"
    assert operations(traced_source(tmp_path, body)) == ["loop map", "hconcat"]


def test_different_loops_are_two_nodes(tmp_path: Path) -> None:
    body = "return hconcat(apply(lambda r: combine(r, first(I)), I), apply(lambda r: combine(first(I), r), I))"
    assert operations(traced_source(tmp_path, body)) == ["loop map", "loop map", "hconcat"]


def test_a_body_sees_what_is_around_it(tmp_path: Path) -> None:
    traced = traced_source(tmp_path, "m = mostcolor(I); return apply(lambda r: repeat(mostcolor(I), size(r)), I)")
    assert operations(traced) == ["mostcolor", "loop map"]
    (body,) = traced.graph.root.nodes[1].regions
    assert [node.op for node in body.nodes] == ["size", "repeat"]
    assert body.captured == [traced.graph.root.nodes[0]]


def test_what_is_in_a_body_is_not_seen_outside(tmp_path: Path) -> None:
    traced = traced_source(
        tmp_path, "a = apply(lambda r: repeat(mostcolor(I), size(r)), I); return canvas(mostcolor(I), (1, 1))"
    )
    assert operations(traced) == ["loop map", "mostcolor", "canvas"]


def test_arms_do_not_see_each_other(tmp_path: Path) -> None:
    traced = traced_source(tmp_path, "return branch(portrait(I), lambda x: trim(x), lambda x: hmirror(trim(x)))(I)")
    assert operations(traced) == ["portrait", "if"]
    assert [[node.op for node in arm.nodes] for arm in traced.graph.root.nodes[1].regions] == [
        ["trim"],
        ["trim", "hmirror"],
    ]


def test_known_values_are_computed_when_traced(tmp_path: Path) -> None:
    traced = traced_source(tmp_path, "return fill(I, add(1, 2), neighbors(astuple(3, double(2))))")
    assert operations(traced) == ["fill"]


def test_true_and_one_are_different_constants(tmp_path: Path) -> None:
    traced = traced_source(tmp_path, "return (size(I), True, 1, ((1, 2), (3, 4)), ((1, 2), (3, 4)))")
    unit = compile_unit([traced])
    assert len(unit.constant_offsets) - 1 == 3


def test_what_fails_for_known_values_fails_when_executed(tmp_path: Path) -> None:
    (program,) = write_programs(
        tmp_path, "def solve_a(I):\n    return apply(lambda row: first(()), sfilter(I, flip))\n"
    )
    traced, unit = compiled(program)
    assert interpreted(traced, unit, (((1, 2),),)) == ()
    assert interpreted(traced, unit, (((), ()),)) is FAIL


def test_operations_that_cannot_fail_and_are_unused_are_left_out(tmp_path: Path) -> None:
    traced = traced_source(
        tmp_path, "astuple(I, I); initset(hmirror(I)); return apply(lambda r: (astuple(r, r), r)[1], I)"
    )
    (body,) = traced.graph.root.nodes[-1].regions
    assert not body.nodes
    unit = compile_unit([traced])
    assert len(unit.code) == len(["hmirror", "loop", "next", "end"])
    assert len(unit.results[0].required) == 1


def test_programs_of_a_unit_share_operations(tmp_path: Path) -> None:
    source = """
def solve_a(I):
    return apply(lambda row: order(row, invert), trim(I))

def solve_b(I):
    return hmirror(apply(lambda row: order(row, invert), trim(I)))

def solve_c(I):
    return apply(lambda row: first(trim(I)), sfilter(I, flip))
"""
    programs = write_programs(tmp_path, source)
    traces = [trace(program) for program in programs]
    unit = compile_unit(traces)
    instructions = ["trim", "loop", "loop", "invert", "next", "next", "hmirror"]
    assert len(unit.code) == len([*instructions, "loop", "flip", "next", "loop", "first", "next", "end"])
    grid = ((1, 2, 3), (4, 6, 5), (7, 8, 9))
    for outcome, program in zip(interpret(unit, (grid,)), programs, strict=True):
        assert outcome == (program.function(grid),)
    # What only the others compute may fail without this one failing.
    a, b, c = interpret(unit, (5,))
    assert (a, b, c) == (FAIL, FAIL, FAIL)
    a, b, c = interpret(unit, (frozenset(),))
    assert (a, b) == (FAIL, FAIL)
    assert c == (frozenset(),)


def loop(graph: Graph) -> Node:
    (param,) = graph.open(1).params
    body = graph.close(graph.operation("size", (param,)))
    return graph.structured("loop", (graph.root.params[0],), (body,), "map")


def test_check_accepts_a_loop() -> None:
    graph = Graph(1)
    check(graph.root, [loop(graph)])


def test_check_finds_an_operand_that_is_out_of_scope() -> None:
    graph = Graph(1)
    node = loop(graph)
    inner = node.regions[0].nodes[0]
    bad = graph.operation("size", (inner,))
    with pytest.raises(
        ValueError, match=rf"node {bad.number} \(size\): operand node {inner.number} \(size\) is not def"
    ):
        check(graph.root, [bad])


def test_check_finds_an_operand_that_comes_later() -> None:
    graph = Graph(1)
    a = graph.operation("hmirror", (graph.root.params[0],))
    graph.operation("vmirror", (a,))
    graph.root.nodes.reverse()
    with pytest.raises(ValueError, match="not defined before it"):
        check(graph.root, [a])


@pytest.mark.parametrize(("op", "operands"), [("fill", 2), ("nothing", 1), ("loop", 1)])
def test_check_finds_wrong_operations(op: str, operands: int) -> None:
    graph = Graph(1)
    node = graph.operation(op, tuple(graph.root.params * operands))
    with pytest.raises(ValueError, match=rf"node {node.number} \({op}\)"):
        check(graph.root, [node])


@pytest.mark.parametrize(
    ("op", "kind", "operands"), [("loop", "zip", 2), ("loop", "arg_rank", 1), ("power", "", 1), ("if", "", 1)]
)
def test_check_finds_regions_that_do_not_fit(op: str, kind: str, operands: int) -> None:
    graph = Graph(1)
    graph.open(1)
    body = graph.close(graph.root.params[0])
    node = graph.structured(op, tuple(graph.root.params * operands), (body,), kind)
    with pytest.raises(ValueError, match=r"regions with params \[1\]"):
        check(graph.root, [node])


def test_check_finds_wrong_captures_and_results() -> None:
    graph = Graph(2)
    node = loop(graph)
    (body,) = node.regions
    body.captured = [graph.root.params[1]]
    with pytest.raises(ValueError, match="what a region captures is not what it uses"):
        check(graph.root, [node])
    body.captured, body.result = [], None
    with pytest.raises(ValueError, match="the result of a region is not defined in it"):
        check(graph.root, [node])
    stray = Graph(1)
    with pytest.raises(ValueError, match="is not computed by the program"):
        check(Graph(1).root, [loop(stray)])
