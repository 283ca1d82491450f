"""The virtual machine's objects, grids and dialect against the reference: random operands, well-typed and ill-typed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from harness.dsl.table import ALL
from harness.vm import native
from harness.vm.native import FAIL, Unhandled, run_operation

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))

Make = Callable[[random.Random], Any]


def colour(r: random.Random) -> int:
    """A colour of ARC's, mostly one of few; sometimes another that fits a byte."""
    return r.randrange(4) if r.random() < 0.8 else r.choice([*range(10), -1, -127, 127, 70, True])


def side(r: random.Random) -> int:
    """The length of a side of a grid."""
    return r.choice([1, 2, 3, r.randrange(1, 10), r.randrange(1, 31)])


def grid(r: random.Random) -> Any:
    """A grid: noise of few colours, blocks, or lines of one colour; now and then wider than a word of a mask."""
    h, w = side(r), side(r)
    if r.random() < 0.1:
        h, w = r.choice([(r.randrange(1, 4), r.randrange(60, 140)), (r.randrange(60, 80), r.randrange(1, 4))])
    colours = [colour(r) for _ in range(r.randrange(1, 6))]
    rows = [[r.choice(colours) for _ in range(w)] for _ in range(h)]
    kind = r.randrange(5)
    if kind == 0:
        rows = [[colours[0]] * w for _ in range(h)]
    for _ in range(r.randrange(6) if kind < 3 else 0):
        top, left, value = r.randrange(h), r.randrange(w), r.choice(colours)
        height, width = r.choice([(h, 1), (1, w), (r.randrange(1, 5), r.randrange(1, 9))])
        if r.random() < 0.5:
            top, left = (0, left) if height == h else (top, 0)
        for i in range(top, min(top + height, h)):
            for j in range(left, min(left + width, w)):
                rows[i][j] = value
    if kind == 3:
        rows = [rows[i // 3] for i in range(h)]
    return tuple(map(tuple, rows))


def small_grid(r: random.Random) -> Any:
    """A grid of at most 3 x 4."""
    colours = [colour(r) for _ in range(3)]
    w = r.randrange(1, 5)
    return tuple(tuple(r.choice(colours) for _ in range(w)) for _ in range(r.randrange(1, 4)))


def location(r: random.Random) -> tuple[int, int]:
    """A location in, or about, a grid."""
    return (r.randrange(-3, 12), r.randrange(-4, 14))


def wide_location(r: random.Random) -> tuple[int, int]:
    """A location in a mask of several words."""
    return (r.randrange(4), r.choice([-70, 0, 0, 60, 64, 120]) + r.randrange(6))


def locations(r: random.Random) -> list[tuple[int, int]]:
    """Some locations, all different: scattered, or boxes."""
    if r.random() < 0.4:
        top, left, h, w = r.randrange(-3, 9), r.randrange(-4, 9), r.choice([1, 2, 5]), r.choice([1, 2, 9, 40, 70])
        return [(i, j) for i in range(top, top + h) for j in range(left, left + w)]
    make = wide_location if r.random() < 0.15 else location
    return list({make(r) for _ in range(r.randrange(1, r.choice([2, 6, 40])))})


def indices(r: random.Random) -> Any:
    """A set of locations, rarely empty."""
    return frozenset(locations(r) if r.random() < 0.95 else ())


def obj(r: random.Random) -> Any:
    """An object: of one colour or of several, one for each location; rarely empty."""
    if r.random() < 0.04:
        return frozenset()
    colours = [colour(r) for _ in range(r.choice([1, 1, 3]))]
    return frozenset([(r.choice(colours), at) for at in locations(r)])


def clash(r: random.Random) -> Any:
    """Cells of different colours at the same locations."""
    at = [location(r) for _ in range(3)]
    return frozenset([(colour(r), r.choice(at)) for _ in range(r.randrange(2, 9))])


def far(r: random.Random) -> Any:
    """Cells or locations further apart than a mask reaches."""
    at = [*locations(r)[:5], r.choice([(0, 5000), (-3000, 2)])]
    return frozenset([(colour(r), place) for place in at] if r.random() < 0.5 else at)


def beyond(r: random.Random) -> Any:
    """Locations or cells at the edge of 32 bits."""
    at = [location(r), r.choice([(2**31 - 1, 0), (-(2**31), 7), (3, 2**31 - 1), (2**31, -(2**31))])]
    return frozenset([(colour(r), place) for place in at] if r.random() < 0.5 else at)


def listed(r: random.Random) -> Any:
    """A tuple of cells or of locations, some of them twice."""
    at = [location(r) for _ in range(r.randrange(4))] * r.choice([1, 2])
    return tuple([(colour(r), place) for place in at] if r.random() < 0.7 else at)


def one_of(*makes: Make) -> Make:
    """Return a maker of what one of several makes."""
    return lambda r: r.choice(makes)(r)


def const(*values: Any) -> Make:
    """Return a maker of one of some values."""
    return lambda r: r.choice(values)


def part_of_a_grid(r: random.Random) -> tuple[Any, Any]:
    """A grid and an object that occurs in it, mostly: with a cell changed it may not."""
    g = grid(r)
    h, w = r.randrange(1, min(len(g), 5) + 1), r.randrange(1, min(len(g[0]), 5) + 1)
    top, left = r.randrange(len(g) - h + 1), r.randrange(len(g[0]) - w + 1)
    cells = [(g[top + i][left + j], (i - 1, j + 5)) for i in range(h) for j in range(w) if r.random() < 0.8]
    if r.random() < 0.1:
        cells.append((colour(r), (-1, 5)))
    return g, frozenset(cells)


def samples(r: random.Random) -> Any:
    """Pairs of grids, the second made from the first by one kind of mir_rot_t, or not."""
    kind, pairs = r.randrange(9), []
    for _ in range(r.randrange(4)):
        source = grid(r) if r.random() < 0.5 else small_grid(r)
        pairs.append((source, ALL["mir_rot_t"].function(source, kind) if kind < 8 else small_grid(r)))
    return tuple(pairs) if r.random() < 0.8 else frozenset(pairs)


patch = one_of(obj, obj, indices, indices, clash, far, listed)
painted = one_of(obj, obj, obj, clash, far, listed)
scalable = one_of(obj, obj, obj, clash, grid)
boolean = const(True, False)
factor = const(1, 2, 3, 3, 5, 0, -1, True)
parts = const(1, 2, 3, 4, 7, 40, -1)
vector = one_of(location, const((0, 0), (1, 0), (0, -1), (50, 50), (-2, 3)))
dims = one_of(lambda r: (side(r), side(r)), const((0, 3), (3, 0), (-1, 2), (2, -1), (2, 2)))
piece = one_of(grid, grid, grid, obj, indices, clash, far, const((), ((),), ((), ())))
kind = const(*range(-1, 9))
fill_colour = one_of(colour, colour, colour, const(None, 300, (1, 2)))

TYPED: dict[str, tuple[Make, ...]] = {
    "objects": (grid, boolean, boolean, boolean),
    "partition": (grid,),
    "fgpartition": (grid,),
    "frontiers": (grid,),
    "occurrences": (grid, one_of(obj, obj, clash, listed)),
    "bottomhalf": (grid,),
    "canvas": (one_of(colour, const(None, 300, (1, 2))), dims),
    "cellwise": (grid, grid, colour),
    "cmirror": (piece,),
    "compress": (grid,),
    "cover": (grid, patch),
    "crop": (grid, vector, dims),
    "dmirror": (piece,),
    "downscale": (grid, const(1, 2, 3, 5, -2, 100, 0)),
    "fill": (grid, colour, patch),
    "hconcat": (grid, grid),
    "hmirror": (piece,),
    "hsplit": (grid, parts),
    "hupscale": (grid, factor),
    "index": (grid, vector),
    "lefthalf": (grid,),
    "move": (grid, painted, vector),
    "paint": (grid, painted),
    "replace": (grid, colour, colour),
    "righthalf": (grid,),
    "rot180": (grid,),
    "rot270": (grid,),
    "rot90": (grid,),
    "subgrid": (patch, grid),
    "switch": (grid, colour, colour),
    "tophalf": (grid,),
    "trim": (grid,),
    "underfill": (grid, colour, patch),
    "underpaint": (grid, painted),
    "upscale": (scalable, factor),
    "vconcat": (grid, grid),
    "vmirror": (piece,),
    "vsplit": (grid, parts),
    "vupscale": (grid, factor),
    "a_mr": (samples,),
    "col_row": (patch, kind),
    "corner": (patch, kind),
    "f_ofcolor": (grid, colour),
    "get_color_rank": (one_of(grid, obj, clash), const(0, 1, 2, -1, -2, 9)),
    "mir_rot_f": (one_of(obj, indices, clash), kind),
    "mir_rot_t": (grid, kind),
    "o_g": (grid, kind),
    "p_f": (one_of(obj, clash),),
    "p_g": (grid,),
    "p_o": (one_of(obj, clash),),
}
"""The operations, and makers of operands that programs have for them."""


def anything(r: random.Random, depth: int = 0) -> Any:
    """Any value: scalars, grids that are none, patches, nested containers."""
    makes: list[Make] = [
        const(None, True, False, 0, 1, 2, -3, 7, -300, -(2**63)),  # nothing large: the reference would try
        const((), ((),), ((), ()), frozenset(), (1, 2), (1,), (0, 0, 0), (1, (2, 3)), ((1, 2), 3), frozenset([1, 2])),
        const((-(2**40), 0), (None, 1), (1, None), ((), 1), ((1, 2), (3, 4)), ((1, 2), (3,)), ((1, 300), (2, 3))),
        small_grid,
        grid,
        patch,
        one_of(far, clash, beyond, listed),
    ]
    if depth < 2:
        makes.append(lambda r: tuple([anything(r, depth + 1) for _ in range(r.randrange(4))]))
        makes.append(lambda r: frozenset([anything(r, depth + 1) for _ in range(r.randrange(4))]))
        makes.append(lambda r: tuple([small_grid(r) for _ in range(r.randrange(4))]))
        makes.append(lambda r: frozenset([obj(r) for _ in range(r.randrange(4))]))
    return r.choice(makes)(r)


def check(name: str, operands: tuple[Any, ...]) -> bool:
    """Compare the machine with the reference; return whether the machine handled it."""
    try:
        expected = ALL[name].function(*operands)
    except Exception:  # whatever it raises, the reference fails
        expected = FAIL
    result = run_operation(name, *operands)
    if isinstance(result, Unhandled):
        return False
    assert type(result) is type(expected) or {type(result), type(expected)} == {int, bool}, (name, operands, expected)
    assert result == expected, (name, operands, expected)
    return True


@pytest.mark.parametrize("name", TYPED)
def test_well_typed_operands_are_handled(name: str) -> None:
    """Equal to the reference, and next to never left to it."""
    r = random.Random(name)
    cases, unhandled = 150, []
    for _ in range(cases):
        operands = tuple([make(r) for make in TYPED[name]])
        if not check(name, operands):
            unhandled.append(operands)
    assert len(unhandled) <= cases // 50, (len(unhandled), unhandled[0])


@pytest.mark.parametrize("name", TYPED)
def test_ill_typed_operands_give_no_wrong_value(name: str) -> None:
    """Each operand is sometimes of its type and sometimes any value; most of these are handled too."""
    r = random.Random(f"ill-typed {name}")
    cases = 150
    handled = 0
    for _ in range(cases):
        operands = tuple([make(r) if r.random() < 0.4 else anything(r) for make in TYPED[name]])
        handled += check(name, operands)
    assert handled > 0.75 * cases


def test_objects_that_occur_are_found() -> None:
    """Occurrences of parts of the grid, of one colour and of many."""
    r = random.Random(0)
    for _ in range(200):
        assert check("occurrences", part_of_a_grid(r))


def test_cellwise_of_equal_shapes() -> None:
    """Grids of one shape that agree in places; the fallback may be no colour if it is not needed."""
    r = random.Random(0)
    for _ in range(100):
        a = grid(r)
        b = tuple([tuple([v if r.random() < 0.8 else colour(r) for v in row]) for row in a])
        assert check("cellwise", (a, b, colour(r)))
        assert check("cellwise", (a, a, None))


def test_values_that_fit_no_byte_are_handled_where_they_are_not_used() -> None:
    """Elsewhere they give no wrong value."""
    g = ((0, 1), (1, 0))
    assert check("replace", (g, 5, 300))
    assert check("replace", (g, 300, 5))
    assert check("switch", (g, 300, 400))
    assert check("fill", (g, None, frozenset([(5, 5)])))
    check("fill", (g, None, frozenset([(1, 1)])))
    check("switch", (g, 300, 1))


def test_what_is_too_large_is_left_to_the_reference() -> None:
    """Before any memory is taken."""
    for name, operands in {
        "canvas": (0, (10**6, 10**6)),
        "upscale": (((1, 2), (3, 4)), 10**9),
        "hupscale": (((1, 2), (3, 4)), 10**9),
        "vupscale": (((1, 2), (3, 4)), 10**9),
        "hsplit": (((1, 2), (3, 4)), 10**9),
    }.items():
        assert isinstance(run_operation(name, *operands), Unhandled), name
