"""Lanes: their collectives, that diverging is noticed, and shared operations with 32 of them against the reference."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from emulated_driver import library_path

from harness.batt.loader import load_programs
from harness.dsl.table import ALL
from harness.samples import Sample
from harness.vm import build, native
from harness.vm.engine import Engine
from harness.vm.native import FAIL, run_operation

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))

LANES = 32
SHARED = re.findall(r"^SHARED\((\w+)\)", (build.SOURCES / "shared_operations.def").read_text(encoding="utf-8"), re.M)


def compiled(folder: Path, *more: str) -> Path:
    """Compile lanes_driver.cpp."""
    program, source = folder / "driver", Path(__file__).parent / "lanes_driver.cpp"
    flags = ["-std=c++17", "-O1", f"-DVM_LANES={LANES}", f"-I{build.SOURCES}", "-pthread", *more]
    subprocess.run([*build.find_compiler(), *flags, str(source), "-o", str(program)], check=True)
    return program


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("lanes"))


def run(driver: Path, which: str) -> tuple[int, str]:
    """Run the driver outside of any sanitizer's environment; return its status and what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    done = subprocess.run([driver, which], capture_output=True, text=True, timeout=60, env=environment, check=False)
    return done.returncode, done.stdout


def test_collectives_give_every_lane_what_they_should(driver: Path) -> None:
    status, printed = run(driver, "collectives")
    assert status == 0
    found = {name: [int(x) for x in rest] for name, *rest in map(str.split, printed.splitlines())}
    lanes = range(LANES)
    assert found["of_lane"] == [7 << 40] * LANES
    assert found["sum_of"] == [sum(lanes)] * LANES
    assert found["union_of"] == [sum(1 << 2 * k for k in lanes)] * LANES
    assert found["least"] == [100 - 31] * LANES
    assert found["greatest"] == [100] * LANES
    assert found["lanes_with"] == [sum(1 << k for k in lanes if k % 3 == 0)] * LANES
    total = sum(k + 1 for k in lanes)
    assert found["sum_before"] == [total * 1000 + sum(range(1, k + 1)) for k in lanes]
    assert found["alone"] == [100 * 100 + LANES] * LANES  # one lane, number 0, was at work; all are again behind it
    assert found["at_once"] == [2**32 - 1, 50 - 31, 2 * LANES]


def test_memory_is_copied_filled_and_compared_by_aligned_words(driver: Path) -> None:
    """As CUDA does it, and the emulation with it: one GPU instruction for eight bytes, not eight."""
    assert run(driver, "words") == (0, "0 wrong\n")


@pytest.mark.parametrize("way", ["aligned words", "bytes"])
def test_bytes_are_in_order_by_the_first_that_differs(driver: Path, tmp_path: Path, way: str) -> None:
    """As signed numbers, as cells and integers are; under AddressSanitizer, so that nothing behind them is read."""
    by_bytes = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    assert run(compiled(tmp_path, *by_bytes) if way == "bytes" else driver, "order") == (0, "0 wrong\n")


def test_a_lane_that_looks_into_the_stack_of_another_is_noticed(driver: Path, tmp_path: Path) -> None:
    assert run(driver, "stack") == (0, "")  # it would be a silent error on a GPU
    status, _ = run(compiled(tmp_path, "-DVM_STRICT", "-fsanitize=undefined"), "stack")
    assert status == -signal.SIGSEGV


@pytest.mark.parametrize("which", ["another", "none", "once_more"])
def test_lanes_that_diverge_are_reported_with_their_places(driver: Path, which: str) -> None:
    """One lane calls another collective than the rest; it returns without it; it calls one more."""
    status, printed = run(driver, which)
    assert status == 3
    lane = {"another": 5, "none": 31, "once_more": 9}[which]
    place = r"(\S*lanes_driver\.cpp:\d+|the end:0)"
    found = re.fullmatch(rf"lanes diverged: lane 0 waits at {place}, lane {lane} at {place}\n", printed)
    assert found and found[1] != found[2], printed


def test_a_join_that_another_lane_came_before_is_made_good(driver: Path) -> None:
    """Emulated lanes take turns between collectives only, so that this never happens to them."""
    assert run(driver, "join") == (0, "0 0 0 " * 2 + "0 1 0 ")


@pytest.fixture
def lanes() -> Iterator[None]:
    """The machine with 32 lanes, instead of the one that the environment chooses."""
    path = library_path()
    with mock.patch.object(native, "_find", lambda: path):
        native.library.cache_clear()
        yield
    native.library.cache_clear()


Grid = tuple[tuple[int, ...], ...]
SIZES = [(1, 1), (1, 30), (30, 1), (2, 3), (9, 9), (13, 21), (30, 30), (40, 33), (4, 64), (6, 65), (3, 130), (70, 5)]


def grid(r: random.Random, h: int, w: int) -> Grid:
    """A grid: noise of few colours or of all, or boxes on a background."""
    colours = r.sample(range(10), r.choice([1, 2, 3, 10]))
    if r.random() < 0.2:
        colours.append(r.choice([-127, 70, 127]))
    rows = [[r.choice(colours) if r.random() < 0.7 else colours[0] for _ in range(w)] for _ in range(h)]
    for _ in range(r.choice([0, 0, 5])):
        top, left, colour = r.randrange(h), r.randrange(w), r.choice(colours)
        for i in range(top, min(h, top + r.randrange(1, 9))):
            for j in range(left, min(w, left + 12)):
                rows[i][j] = colour
    return tuple(map(tuple, rows))


def places(r: random.Random, g: Grid) -> list[tuple[int, int]]:
    """Some locations on and about a grid, never none."""
    h, w, share = len(g), len(g[0]), r.choice([0.02, 0.3, 0.9])
    top, left = r.randrange(-2, h), r.randrange(-2, w)
    found = [(i, j) for i in range(top, h + 2) for j in range(left, w + 2) if r.random() < share]
    return found or [(r.randrange(h), r.randrange(w))]


def indices(r: random.Random, g: Grid) -> frozenset[Any]:
    return frozenset(places(r, g))


def obj(r: random.Random, g: Grid) -> frozenset[Any]:
    colours = r.choice([[3], [3], [1, 2, 70]])
    return frozenset([(r.choice(colours), place) for place in places(r, g)])


def patch(r: random.Random, g: Grid) -> frozenset[Any]:
    return r.choice([indices, obj])(r, g)


def alike(r: random.Random, g: Grid) -> tuple[Any, Any]:
    """Two patches of one kind, most of whose cells are of both."""
    make = r.choice([indices, obj])
    a = make(r, g)
    b = [cell for cell in a if r.random() < 0.7]
    return (a, frozenset([*b, *(make(r, g) if r.random() < 0.5 else ())])) if r.random() < 0.7 else (a, make(r, g))


def patches(r: random.Random, g: Grid) -> frozenset[Any]:
    """A set of many patches of a kind, at times with clashing colours."""
    make = r.choice([indices, indices, obj])
    small = tuple(row[:9] for row in g[:9])
    return frozenset([make(r, r.choice([g, small, small])) for _ in range(r.choice([1, 3, 20, 60]))])


def colour(r: random.Random, g: Grid) -> int:
    return r.choice([*g[0], 3, -5])


def part(r: random.Random, g: Grid) -> frozenset[Any]:
    """An object that occurs in a grid, if it is not changed."""
    h, w = r.randrange(1, min(len(g), 4) + 1), r.randrange(1, min(len(g[0]), 4) + 1)
    top, left = r.randrange(len(g) - h + 1), r.randrange(len(g[0]) - w + 1)
    return frozenset(
        [(g[top + i][left + j], (i, j)) for i in range(h) for j in range(w) if i + j == 0 or r.random() < 0.8]
    )


def same_size(r: random.Random, g: Grid) -> Grid:
    return tuple(tuple(v if r.random() < 0.8 else colour(r, g) for v in row) for row in g)


def piece(r: random.Random, g: Grid) -> Any:
    return r.choice([lambda *_: g, indices, obj])(r, g)


def flag(r: random.Random) -> bool:
    return r.random() < 0.5


Make = Callable[[random.Random, Grid], tuple[Any, ...]]


def only(r: random.Random, g: Grid) -> tuple[Any, ...]:
    return (g,)


OPERANDS: dict[str, Make] = {
    "combine": lambda r, g: alike(r, g) if r.random() < 0.7 else (indices(r, g), obj(r, g)),
    "difference": alike,
    "intersection": alike,
    "merge": lambda r, g: (patches(r, g),),
    "colorcount": lambda r, g: (g, colour(r, g)),
    "asobject": lambda r, g: (r.choice([g, ((4,) * len(g[0]),) * len(g)]),),
    "backdrop": lambda r, g: (patch(r, g),),
    "box": lambda r, g: (patch(r, g),),
    "delta": lambda r, g: (patch(r, g),),
    "inbox": lambda r, g: (patch(r, g),),
    "outbox": lambda r, g: (patch(r, g),),
    "ofcolor": lambda r, g: (g, colour(r, g)),
    "toobject": lambda r, g: (patch(r, g), g),
    "objects": lambda r, g: (g, flag(r), flag(r), flag(r)),
    "occurrences": lambda r, g: (g, part(r, g)),
    "cellwise": lambda r, g: (g, same_size(r, g), colour(r, g)),
    "cmirror": lambda r, g: (piece(r, g),),
    "cover": lambda r, g: (g, patch(r, g)),
    "crop": lambda r, g: (g, r.choice(places(r, g)), (r.randrange(1, 40), r.randrange(1, 80))),
    "dmirror": lambda r, g: (piece(r, g),),
    "downscale": lambda r, g: (g, r.randrange(1, 5)),
    "fill": lambda r, g: (g, colour(r, g), patch(r, g)),
    "hconcat": lambda r, g: (g, same_size(r, g)[: r.randrange(1, len(g) + 1)]),
    "hmirror": lambda r, g: (piece(r, g),),
    "hupscale": lambda r, g: (g, r.randrange(1, 5)),
    "move": lambda r, g: (g, obj(r, g), r.choice(places(r, g))),
    "paint": lambda r, g: (g, obj(r, g)),
    "replace": lambda r, g: (g, colour(r, g), colour(r, g)),
    "subgrid": lambda r, g: (patch(r, g), g),
    "switch": lambda r, g: (g, colour(r, g), colour(r, g)),
    "underfill": lambda r, g: (g, colour(r, g), patch(r, g)),
    "underpaint": lambda r, g: (g, obj(r, g)),
    "upscale": lambda r, g: (r.choice([g, obj(r, g)]), r.randrange(1, 4)),
    "vconcat": lambda r, g: (g, same_size(r, g)),
    "vmirror": lambda r, g: (piece(r, g),),
    "vupscale": lambda r, g: (g, r.randrange(1, 5)),
    "f_ofcolor": lambda r, g: (g, colour(r, g)),
    "mir_rot_f": lambda r, g: (patch(r, g), r.randrange(7)),
    "mir_rot_t": lambda r, g: (g, r.randrange(8)),
    "o_g": lambda r, g: (g, r.randrange(8)),
    "p_f": lambda r, g: (obj(r, g),),
}
"""Operands for a grid, of shared operations that take more, or something else, than it."""


def test_operands_are_those_of_shared_operations() -> None:
    assert set(OPERANDS) < set(SHARED)
    assert [name for name in ALL if name in SHARED] and set(SHARED) <= set(ALL)


@pytest.mark.parametrize("name", SHARED)
def test_shared_operations_are_those_of_the_reference(lanes: None, name: str) -> None:
    r = random.Random(name)
    for h, w in SIZES:
        for _ in range(3):
            operands = OPERANDS.get(name, only)(r, grid(r, h, w))
            try:
                expected = ALL[name].function(*operands)
            except Exception:  # whatever it raises, the reference fails
                expected = FAIL
            assert run_operation(name, *operands) == expected, (name, operands)


def test_many_objects_are_found_and_put_in_order(lanes: None) -> None:
    """More components than lanes, and more than are compared with each other; spirals, whose runs join late."""
    r = random.Random(0)
    checkered = tuple(tuple((i + j) % 2 for j in range(60)) for i in range(50))
    assert len(ALL["objects"].function(checkered, True, False, False)) > 1024
    spiral = [[0] * 31 for _ in range(31)]
    i, j, di, dj = 0, 0, 0, 1
    for _ in range(480):
        spiral[i][j] = 1
        ahead = (i + 2 * di, j + 2 * dj)
        if not (0 <= i + di < 31 and 0 <= j + dj < 31) or (
            0 <= ahead[0] < 31 and 0 <= ahead[1] < 31 and spiral[ahead[0]][ahead[1]]
        ):
            di, dj = dj, -di
        i, j = i + di, j + dj
    rows = tuple(map(tuple, spiral))
    noise = tuple(tuple(r.randrange(10) for _ in range(70)) for _ in range(33))
    for g in (checkered, rows, tuple(zip(*rows, strict=True)), noise):
        for kind in range(8):
            assert run_operation("o_g", g, kind) == ALL["o_g"].function(g, kind), kind


LOOPS = """from dsl import *
from constants import *
def solve_a(I):
    return fill(I, THREE, mapply(rbind(shift, (ONE, TWO)), apply(toindices, objects(I, T, F, F))))
def solve_b(I):
    return paint(I, mapply(lambda x: shift(x, (size(x), ONE)), objects(I, T, T, F)))
def solve_c(I):
    x = ofcolor(I, ZERO)
    return fill(I, FOUR, apply(lambda p: add(p, UNITY), x))
def solve_d(I):
    return fill(I, FIVE, apply(last, apply(lambda p: astuple(ONE, p), ofcolor(I, ONE))))
def solve_e(I):
    x = apply(center, objects(I, T, F, F))
    return fill(I, SIX, merge(prapply(connect, x, x)))
def solve_f(I):
    x = apply(first, asindices(I))
    return fill(I, SEVEN, prapply(lambda a, b: astuple(a, b), x, x))
def solve_g(I):
    return paint(I, apply(lambda c: astuple(TWO, last(c)), asobject(I)))
def solve_h(I):
    return fill(I, EIGHT, mapply(neighbors, ofcolor(I, TWO)))
def solve_i(I):
    return apply(lambda c: astuple(first(c), ORIGIN), asobject(I))
"""


def test_loops_that_all_lanes_finish(lanes: None, tmp_path: Path) -> None:
    """Maps, merging maps and products, of few and of many results, to patches and to sets of patches."""
    module = tmp_path / "loops.py"
    module.write_text(LOOPS)
    programs, rejected = load_programs([str(module)])
    assert len(programs) == 9 and not rejected
    r = random.Random(0)
    grids = [grid(r, h, w) for h, w in SIZES for _ in range(4)]
    with Engine(threads=1) as engine:
        engine.add_programs(programs)
        engine.add_samples([Sample("lanes", f"train[{k}]", "train", g, g) for k, g in enumerate(grids)])
        pairs = np.array([(p, s) for p in range(len(programs)) for s in range(len(grids))], np.int64)
        found = engine.evaluate(pairs, outputs=True, fallback=False)
        handled = 0
        for k, (p, s) in enumerate(pairs):
            try:
                expected = programs[p].function(grids[s])
            except Exception:  # whatever it raises, the reference fails
                expected = FAIL
            if found.status[k] == native.NOT_HANDLED:
                continue
            handled += 1
            assert (FAIL if found.status[k] == native.FAILED else found.output(k)) == expected, (programs[p], grids[s])
        assert handled > 0.9 * len(pairs)
