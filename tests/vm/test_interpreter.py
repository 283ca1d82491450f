"""The interpreter: control flow, loops of every kind, failure, memory, fuel and cancellation, on units made by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from assembly import FAIL, add, evaluate, outcome, run

from harness.dsl.table import ALL
from harness.vm import encoding, native
from harness.vm.native import COUNTERS, NOT_RUN, OK, Limits, NativeEngine

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))

COLOURS = (3, 1, 2, 1)
OBJECTS = frozenset(
    {frozenset({(1, (0, 0)), (1, (0, 1))}), frozenset({(2, (5, 5))}), frozenset({(3, (1, 3)), (4, (2, 3))})}
)
INDICES = frozenset({(0, 3), (2, 1), (1, 1)})
GRID = ((1, 2, 3), (4, 5, 6))
NESTED = ((1, 2), (3,), (), (1, 4))
SETS = frozenset({frozenset({1, 2}), frozenset({2, 3}), frozenset()})


def loop(kind: str, body: str | None, *, a: int = 0, b: int | None = None, rank: int | None = None) -> list[Any]:
    """Register 9 is the loop; its body applies an operation to the element (register 4), or returns it."""
    operands = (4,) if b is None else (4, 5)
    inner = [(body, 6, *operands), ("next", None, 6)] if body else [("next", None, 4)]
    return [("loop", 9, a, b, 4, None if b is None else 5, kind, rank), *inner]


def reference(name: str, *arguments: Any) -> Any:
    try:
        return ALL[name].function(*arguments)
    except Exception:
        return FAIL


def f(name: str) -> Callable[..., Any]:
    return ALL[name].function


ONE_CONTAINER = [
    ("map", "apply"),
    ("map_merge", "mapply"),
    ("filter", "sfilter"),
    ("extract", "extract"),
    ("argmax", "argmax"),
    ("argmin", "argmin"),
    ("order", "order"),
    ("valmax", "valmax"),
    ("valmin", "valmin"),
]
BODIES = [
    ("size", [NESTED, SETS, OBJECTS, GRID]),
    ("toindices", [OBJECTS, tuple(OBJECTS)]),
    ("height", [OBJECTS]),
    ("positive", [COLOURS, frozenset(COLOURS), (0, -1), ()]),
    ("sign", [INDICES, COLOURS, frozenset()]),
    ("totuple", [SETS, NESTED, OBJECTS, INDICES]),
    ("first", [GRID, OBJECTS, INDICES]),
    ("color", [OBJECTS]),
    ("even", [COLOURS, GRID]),
    ("even", [7, None]),
]
CASES = [(kind, name, body, value) for kind, name in ONE_CONTAINER for body, values in BODIES for value in values]


@pytest.mark.parametrize(("kind", "name", "body", "value"), CASES)
def test_loop_kinds_are_the_primitives_that_take_a_function(kind: str, name: str, body: str, value: Any) -> None:
    function_first = name in ("apply", "mapply")
    arguments = (f(body), value) if function_first else (value, f(body))
    of_nothing = kind in ("valmax", "valmin") and value in ((), frozenset())  # the compiler puts an if around it
    assert run(loop(kind, body), value) == (FAIL if of_nothing else reference(name, *arguments))


@pytest.mark.parametrize("rank", [0, 1, -1, 2, 7, -8])
@pytest.mark.parametrize("value", [NESTED, SETS, OBJECTS, ()])
def test_loops_with_a_rank(value: Any, rank: int) -> None:
    assert run(loop("arg_rank", "size", rank=1), value, rank) == reference("get_arg_rank", value, f("size"), rank)
    assert run(loop("val_rank", "size", rank=1), value, rank) == reference("get_val_rank", value, f("size"), rank)


@pytest.mark.parametrize(
    ("a", "b"), [((1, 2, 3), (4, 5)), (INDICES, (1, 1, 1, 1)), (frozenset({5, 3}), GRID), ((), (1,)), (1, (1,))]
)
def test_loops_over_two_containers(a: Any, b: Any) -> None:
    assert run(loop("zip", "astuple", b=1), a, b) == reference("papply", f("astuple"), a, b)
    assert run(loop("zip_merge", "astuple", b=1), a, b) == reference("mpapply", f("astuple"), a, b)
    assert run(loop("product", "astuple", b=1), a, b) == reference("prapply", f("astuple"), a, b)


@pytest.mark.parametrize(
    "a",
    [
        INDICES,
        frozenset({(i, j * j) for i in range(7) for j in range(7)}),
        ((2, 1), (0, 0)),
        frozenset({(0, 1), 2}),
        (),
    ],
)
def test_a_product_of_a_container_with_itself(a: Any) -> None:
    """Connections, which are made one way round only, many or few of them, and what cannot be connected."""
    assert run(loop("product", "connect", b=0), a) == reference("prapply", f("connect"), a, a)


def test_nested_loops_keep_what_each_iteration_made() -> None:
    """Every object shifted by every vector, merged: the inner loop's results must survive the outer's iterations."""
    code = [
        ("loop", 9, 0, None, 4, None, "map_merge", None),
        ("toindices", 5, 4),
        ("loop", 6, 1, None, 7, None, "map", None),
        ("shift", 8, 5, 7),
        ("next", None, 8),
        ("next", None, 6),
    ]
    vectors = frozenset({(1, 0), (0, 7), (-3, 2)})
    shift, toindices = f("shift"), f("toindices")
    expected = frozenset(shift(toindices(o), v) for o in OBJECTS for v in vectors)
    assert run(code, OBJECTS, vectors) == expected


def test_grids_and_patches_of_iterations_survive_the_reset_of_the_arena() -> None:
    grid = tuple(tuple((3 * i + j * j) % 10 for j in range(30)) for i in range(30))
    code = [
        ("constant", 2, 0),
        ("loop", 9, 1, None, 4, None, "map", None),
        ("hmirror", 5, 0),
        ("replace", 6, 5, 4, 2),
        ("rot90", 7, 6),
        ("ofcolor", 8, 7, 2),
        ("asobject", 10, 7),
        ("cover", 11, 7, 8),
        ("astuple", 12, 11, 10),
        ("next", None, 7),
    ]
    colours = tuple(range(10))

    def expected(colour: int) -> Any:
        return f("rot90")(f("replace")(f("hmirror")(grid), colour, 5))

    assert run(code, grid, colours, constants=[5]) == tuple(map(expected, colours))
    of_patches = [*code[:-1], ("next", None, 8)]
    assert run(of_patches, grid, colours, constants=[5]) == tuple(f("ofcolor")(expected(c), 5) for c in colours)
    of_objects = [*code[:-1], ("next", None, 10)]
    assert run(of_objects, grid, colours, constants=[5]) == tuple(f("asobject")(expected(c)) for c in colours)
    of_tuples = [*code[:-1], ("next", None, 12)]
    assert run(of_tuples, grid, colours, constants=[5]) == tuple(
        (f("cover")(g, f("ofcolor")(g, 5)), f("asobject")(g)) for g in map(expected, colours)
    )


def test_extract_on_a_tuple_stops_at_the_first() -> None:
    """The element behind the one sought would fail."""
    assert run(loop("extract", "positive"), (0, 5, (1, 2), None)) == 5
    assert run(loop("extract", "positive"), ((), 5)) == FAIL
    assert run(loop("extract", "positive"), frozenset({0, 5, None})) == FAIL


REPEAT = [("control.repeat", 9, 0, 1, 4), ("double", 5, 4), ("next", None, 5)]


@pytest.mark.parametrize(
    ("n", "expected"), [(1, 6), (5, 96), (0, FAIL), (-1, FAIL), (None, FAIL), ((1, 2), FAIL), (True, 6)]
)
def test_repeat(n: Any, expected: Any) -> None:
    assert run(REPEAT, n, 3) == expected


def test_a_long_repeat_needs_no_more_memory_than_a_short_one() -> None:
    code = [("control.repeat", 9, 0, 1, 4), ("rot90", 5, 4), ("hmirror", 6, 5), ("next", None, 6)]
    grid = tuple(tuple((i * 7 + j) % 10 for j in range(30)) for i in range(30))
    small = Limits(arena_bytes=1 << 14, most_arena_bytes=1 << 14)
    assert run(code, 4001, grid, limits=small) == f("hmirror")(f("rot90")(grid))
    patches = [("control.repeat", 9, 0, 1, 4), ("inbox", 5, 4), ("outbox", 6, 5), ("shift", 7, 6, 2), ("next", None, 7)]
    ring = f("box")(frozenset({(0, 0), (9, 9)}))
    assert run(patches, 2000, ring, (0, 1), limits=small) == f("shift")(ring, (0, 2000))


IF = [
    ("if_", 9, 0, 3, 2),
    ("increment", 4, 1),
    ("double", 4, 4),
    ("arm", None, 4),
    ("first", 4, 1),
    ("arm", None, 4),
]


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [(True, 5, 12), (False, (7, 8), 7), ((), 5, FAIL), (None, GRID, (1, 2, 3)), (INDICES, 0, 2), (1, None, FAIL)],
)
def test_if_runs_the_chosen_arm_alone(condition: Any, value: Any, expected: Any) -> None:
    assert run(IF, condition, value) == expected


def test_failure_inside_fails_what_is_around_and_nothing_else() -> None:
    """Three programs: one with the failing nest, one that uses its result, one apart."""
    code = [
        ("loop", 5, 0, None, 6, None, "map", None),
        ("if_", 7, 6, 2, 1),
        ("first", 8, 6),
        ("arm", None, 8),
        ("arm", None, 6),
        ("next", None, 7),
        ("size", 10, 5),
        ("size", 11, 0),
        ("control.move", 12, 5),
    ]
    done = evaluate(code, [(0, 4, ())], [([5], []), ([10], []), ([11], []), ([11], [10]), ([12], [])])
    assert [outcome(done, k) for k in range(5)] == [FAIL, FAIL, 3, FAIL, FAIL]
    done = evaluate(code, [(0, (4,), ())], [([5], []), ([10], []), ([11], []), ([11, 10], [5])])
    assert [outcome(done, k) for k in range(4)] == [(0, 4, ()), 3, 3, [3, 3]]


def test_failed_wins_over_not_handled() -> None:
    code = [("multiply", 4, 0, 0), ("first", 5, 0), ("astuple", 6, 4, 5), ("add", 7, 4, 4)]
    done = evaluate(code, [1 << 40], [([4], []), ([5], []), ([6], []), ([4, 5], []), ([7], []), ([0], [])])
    assert [outcome(done, k) for k in range(6)] == ["overflow", FAIL, FAIL, FAIL, "overflow", 1 << 40]


def test_constants_of_every_form() -> None:
    for value in [None, 7, True, (), frozenset(), GRID, INDICES, OBJECTS, NESTED, (True, 2), -(1 << 62), ((), ((),))]:
        assert run([("constant", 9, 0)], constants=[value]) == value


def test_expected_outputs_are_compared_in_every_form() -> None:
    engine = NativeEngine()
    unit = add(engine, [("identity", 1, 0)], 1, [([1], [])])
    values = [GRID, INDICES, OBJECTS, NESTED, None, 3]
    pairs = [(a, b) for a in values for b in values]
    samples = [engine.add_sample([encoding.encode(a)], encoding.encode(b)) for a, b in pairs]
    count = len(pairs)
    done = engine.evaluate(np.full(count, unit), np.array(samples), np.arange(count, dtype=np.uint64), count)
    assert done.equal.tolist() == [int(a == b) for a, b in pairs]
    engine.close()


def test_a_pair_that_needs_more_memory_is_tried_again() -> None:
    code = [("product", 4, 0, 0), ("size", 9, 4)]
    many = tuple((k,) for k in range(300))
    small = Limits(arena_bytes=1 << 14, most_arena_bytes=64 << 20)
    done = evaluate(code, [many], [([9], [])], limits=small)
    assert outcome(done) == 90_000
    assert done.retried == 1
    assert 90_000 * 16 < done.arena_used <= 64 << 20
    none = Limits(arena_bytes=1 << 14, most_arena_bytes=1 << 16)
    assert outcome(evaluate(code, [many], [([9], [])], limits=none)) == "arena"


def test_an_output_that_shares_its_parts_is_not_written_out_without_bound() -> None:
    code = [("control.repeat", 9, 0, 1, 4), ("astuple", 5, 4, 4), ("next", None, 5)]
    limits = Limits(most_output_bytes=1 << 20)
    assert run(code, 28, (), limits=limits) == "arena"
    assert run(code, 40, (), limits=limits) == "depth"
    assert run([*code, ("first", 9, 9)], 2, (), limits=limits) == ((), ())


def test_fuel_ends_an_evaluation() -> None:
    assert run(REPEAT, 1_000, 0, limits=Limits(fuel=1_000)) == "fuel"
    assert run(REPEAT, 10**15, 0, limits=Limits(fuel=100_000)) == "fuel"
    assert run(REPEAT, 100, 0, limits=Limits(fuel=1_000)) == 0


def test_values_that_nest_deeper_than_comparison_looks_are_not_handled() -> None:
    code = [("constant", 5, 0), ("initset", 6, 0), ("combine", 9, 6, 5)]
    deep: Any = 1
    for _ in range(9):
        deep = (deep,)
    other: Any = 2
    for _ in range(9):
        other = (other,)
    assert run(code, deep, constants=[frozenset({other})]) == "depth"


def test_cancel_ends_an_evaluation_soon() -> None:
    engine = NativeEngine()
    unit = add(engine, REPEAT, 2, [([9], [])])
    sample = engine.add_sample([encoding.encode(10**15), encoding.encode(0)])
    cancel = np.zeros(1, np.int32)
    timer = threading.Timer(0.2, lambda: cancel.__setitem__(0, 1))
    timer.start()
    start = time.monotonic()
    done = engine.evaluate(
        np.full(4, unit), np.full(4, sample), np.arange(4, dtype=np.uint64), 4,
        threads=2, limits=Limits(fuel=10**15), cancel=cancel,
    )  # fmt: skip
    assert 0.15 < time.monotonic() - start < 5
    assert done.status.tolist() == [NOT_RUN] * 4
    engine.close()


def test_counters_say_what_was_executed() -> None:
    engine = NativeEngine()
    unit = add(engine, loop("map_merge", "toindices"), 1, [([9], [])])
    sample = engine.add_sample([encoding.encode(OBJECTS)])
    pairs = np.full(10, unit), np.full(10, sample), np.arange(10, dtype=np.uint64)
    engine.evaluate(*pairs, 10, threads=2, counted=True)
    counters = dict(zip(COUNTERS, engine.counters().tolist(), strict=True))
    assert counters["toindices"][:2] == [30, 50]
    assert counters["toindices"][2] > 0
    assert counters["loop"][:2] == [10, 30]
    assert counters["loop map_merge"][:2] == [10, 30]
    engine.evaluate(*pairs, 10)
    assert not engine.counters().any()
    engine.close()


def test_threads_give_the_same() -> None:
    engine = NativeEngine()
    units = [
        add(engine, loop("map", "toindices"), 1, [([9], [])]),
        add(engine, [("size", 2, 0), ("first", 3, 0), ("size", 4, 3)], 1, [([2], []), ([4, 3], [])]),
    ]
    samples = [engine.add_sample([encoding.encode(v)]) for v in (OBJECTS, INDICES, NESTED, 5, (OBJECTS,))]
    pairs = [(u, s) for _ in range(200) for u in units for s in samples]
    first = np.cumsum([0, *(1 + (u == units[1]) for u, _ in pairs)])
    arguments = np.array([u for u, _ in pairs]), np.array([s for _, s in pairs]), first[:-1], int(first[-1])
    one = engine.evaluate(*arguments, outputs=True, timed=True)
    for threads in (2, 5):
        several = engine.evaluate(*arguments, threads=threads, outputs=True)
        assert np.array_equal(one.status, several.status)
        assert one.outputs == several.outputs
        assert np.array_equal(one.positions, several.positions)
    assert one.nanoseconds is not None and one.nanoseconds.min() > 0
    assert (one.status == OK).any() and (one.status == native.FAILED).any()
    engine.close()


def test_an_engine_in_use_refuses_another_thread() -> None:
    engine = NativeEngine()
    unit = add(engine, REPEAT, 2, [([9], [])])
    sample = engine.add_sample([encoding.encode(10**15), encoding.encode(0)])
    one = np.zeros(1, np.uint64)
    cancel = np.zeros(1, np.int32)
    pair = np.array([unit]), np.array([sample]), one, 1
    thread = threading.Thread(target=lambda: engine.evaluate(*pair, limits=Limits(fuel=10**15), cancel=cancel))
    thread.start()
    time.sleep(0.1)
    with pytest.raises(native.NativeError, match="busy"):
        engine.add_sample([encoding.encode(1)])
    cancel[0] = 1
    thread.join()
    engine.close()


def test_wrong_arguments_are_errors_with_a_reason() -> None:
    engine = NativeEngine()
    unit = add(engine, [("identity", 1, 0)], 1, [([1], [])])
    sample = engine.add_sample([encoding.encode(GRID)])
    two = engine.add_sample([encoding.encode(GRID), encoding.encode(GRID)])
    zero = np.zeros(1, np.uint64)
    for units, samples, results, why in [
        (unit + 1, sample, 1, "unit"),
        (unit, two + 1, 1, "sample"),
        (unit, two, 1, "inputs"),
        (unit, sample, 0, "results"),
    ]:
        with pytest.raises(native.NativeError, match=why):
            engine.evaluate(np.array([units]), np.array([samples]), zero, results)
    for data in (
        b"",
        b"\x09",
        b"\x02\xff\xff\xff\xff",
        b"\x01\0",
        encoding.encode(1) * 2,
        b"\x04\x00\x05",
        b"\x06\x09\0\0\0",
    ):
        with pytest.raises(native.NativeError, match="value"):
            engine.add_sample([data])
    with pytest.raises(native.NativeError, match="deep"):
        engine.add_sample([b"\x02\x01\0\0\0" * 40 + b"\0"])
    engine.close()
