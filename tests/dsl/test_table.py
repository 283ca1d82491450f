"""The table of primitives, the names that programs see, and docs/primitives.md."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import harness.dsl
from harness.dsl import document, table

# The names, parameter names and parameter order that solver modules rely on.
SIGNATURES = """
identity(x) add(a, b) subtract(a, b) multiply(a, b) divide(a, b) invert(n) double(n) halve(n) increment(x) decrement(x)
crement(x) sign(x) even(n) positive(x) greater(a, b) equality(a, b) flip(b) both(a, b) either(a, b) toivec(i) tojvec(j)
astuple(a, b) interval(start, stop, step) maximum(container) minimum(container)

contained(value, container) size(container) combine(a, b) intersection(a, b) difference(a, b) dedupe(tup)
order(container, compfunc) repeat(item, num) merge(containers) valmax(container, compfunc) valmin(container, compfunc)
argmax(container, compfunc) argmin(container, compfunc) mostcommon(container) leastcommon(container) initset(value)
insert(value, container) remove(value, container) other(container, value) sfilter(container, condition)
mfilter(container, function) extract(container, condition) totuple(container) first(container) last(container)
product(a, b) pair(a, b) branch(condition, a, b) sizefilter(container, n)

compose(outer, inner) chain(h, g, f) matcher(function, target) rbind(function, fixed) lbind(function, fixed)
power(function, n) fork(outer, a, b) apply(function, container) rapply(functions, value) mapply(function, container)
papply(function, a, b) mpapply(function, a, b) prapply(function, a, b)

mostcolor(element) leastcolor(element) palette(element) numcolors(element) color(obj) colorcount(element, value)
colorfilter(objs, value) height(piece) width(piece) shape(piece) portrait(piece) square(piece) vline(patch) hline(patch)

asindices(grid) ofcolor(grid, value) asobject(grid) toindices(patch) recolor(value, patch) toobject(patch, grid)
ulcorner(patch) urcorner(patch) llcorner(patch) lrcorner(patch) uppermost(patch) lowermost(patch) leftmost(patch)
rightmost(patch) center(patch) centerofmass(patch) shift(patch, directions) normalize(patch) dneighbors(loc)
ineighbors(loc) neighbors(loc) corners(patch) backdrop(patch) delta(patch) box(patch) inbox(patch) outbox(patch)
hmatching(a, b) vmatching(a, b) manhattan(a, b) adjacent(a, b) bordering(patch, grid) position(a, b)
gravitate(source, destination) connect(a, b) shoot(start, direction) vfrontier(location) hfrontier(location)
hperiod(obj) vperiod(obj)

objects(grid, univalued, diagonal, without_bg) partition(grid) fgpartition(grid) occurrences(grid, obj) frontiers(grid)

rot90(grid) rot180(grid) rot270(grid) hmirror(piece) vmirror(piece) dmirror(piece) cmirror(piece)
crop(grid, start, dims) subgrid(patch, grid) fill(grid, value, patch) paint(grid, obj) underfill(grid, value, patch)
underpaint(grid, obj) cover(grid, patch) move(grid, obj, offset) hupscale(grid, factor) vupscale(grid, factor)
upscale(element, factor) downscale(grid, factor) hconcat(a, b) vconcat(a, b) hsplit(grid, n) vsplit(grid, n)
cellwise(a, b, fallback) replace(grid, replacee, replacer) switch(grid, a, b) index(grid, loc)
canvas(value, dimensions) trim(grid) tophalf(grid) bottomhalf(grid) lefthalf(grid) righthalf(grid) compress(grid)
"""
DIALECT_SIGNATURES = """
second(container) get_nth_t(tup, rank) get_nth_f(fset, rank) difference_tuple(a, b) p_g(grid) p_o(obj) p_f(obj)
o_g(grid, kind) mir_rot_t(grid, kind) mir_rot_f(patch, kind) a_mr(samples) corner(patch, kind) col_row(patch, kind)
f_ofcolor(grid, colour) get_rank(container, rank) get_arg_rank(container, compfunc, rank)
get_val_rank(container, compfunc, rank) get_color_rank(element, rank) get_common_rank(container, rank)
"""


def parsed(signatures: str) -> dict[str, tuple[str, ...]]:
    return {name: tuple(parameters.split(", ")) for name, parameters in re.findall(r"(\w+)\((.*?)\)", signatures)}


def test_primitives_have_the_specified_names_and_parameters() -> None:
    assert {name: row.parameters for name, row in table.PRIMITIVES.items()} == parsed(SIGNATURES)
    assert len(table.PRIMITIVES) == 160


def test_dialect_has_the_specified_names_and_parameters() -> None:
    assert {name: row.parameters for name, row in table.DIALECT.items()} == parsed(DIALECT_SIGNATURES)


def test_rows_agree_with_the_functions_that_they_describe() -> None:
    for name, row in table.ALL.items():
        assert row.name == name == row.function.__name__
        assert row.arity == len(row.parameters) > 0
        assert row.summary.endswith(".")
        assert "|" not in row.summary, f"the summary of {name} would break a Markdown table"
        assert name in table.FAMILIES[row.family].__all__


@pytest.mark.parametrize("alias", ["size_f", "height_t", "recolor_i", "merge_f", "rot90_t", "first_o"])
def test_suffixed_names_are_the_generic_primitive(alias: str) -> None:
    assert getattr(harness.dsl, alias) is table.ALL[alias.rpartition("_")[0]].function


def test_no_alias_hides_a_primitive() -> None:
    assert not set(table.ALIASES) & set(table.ALL)
    assert table.ALIASES["size_f"] == "size"
    assert "o_g" not in table.ALIASES


def test_star_import_gives_what_programs_use() -> None:
    names: dict[str, Any] = {}
    exec("from harness.dsl import *", names)
    del names["__builtins__"]
    assert names == harness.dsl.PROGRAM_NAMESPACE
    assert {*table.ALL, *table.ALIASES, "Grid", "Callable", "FrozenSet", "F", "T", "DOWN", "BURGUNDY"} <= set(names)


CONSTANTS = {
    "F": False, "T": True, "ZERO": 0, "ONE": 1, "NINE": 9, "TEN": 10, "NEG_ONE": -1, "NEG_TWO": -2,
    "DOWN": (1, 0), "RIGHT": (0, 1), "UP": (-1, 0), "LEFT": (0, -1), "ORIGIN": (0, 0), "UNITY": (1, 1),
    "NEG_UNITY": (-1, -1), "UP_RIGHT": (-1, 1), "DOWN_LEFT": (1, -1), "ZERO_BY_TWO": (0, 2), "TWO_BY_ZERO": (2, 0),
    "TWO_BY_TWO": (2, 2), "THREE_BY_THREE": (3, 3), "F0": 0, "F9": 9, "L1": -1, "L10": -10, "R0": 0, "R9": 9,
    "A0": 0, "A9": 9, "BLACK": 0, "BLUE": 1, "RED": 2, "GREEN": 3, "YELLOW": 4, "GRAY": 5, "MAGENTA": 6, "ORANGE": 7,
    "CYAN": 8, "BURGUNDY": 9,
}  # fmt: skip


def test_constants() -> None:
    assert {name: getattr(harness.dsl, name) for name in CONSTANTS} == CONSTANTS


def test_document_has_the_table_of_the_code() -> None:
    text = document.DOCUMENT.read_text(encoding="utf-8")
    assert text == document.with_table(text), "docs/primitives.md is stale; run: python -m harness.dsl.document"


def test_document_specifies_every_primitive_in_prose() -> None:
    prose = document.DOCUMENT.read_text(encoding="utf-8").partition(document.BEGIN)[0]
    words = set(re.findall(r"\w+", prose))
    assert not [name for name in table.ALL if name not in words]


def test_document_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="markers"):
        document.with_table("no markers here")
    with pytest.raises(ValueError, match="markers"):
        document.with_table(f"{document.END} then {document.BEGIN}")


def test_command_regenerates_the_document(tmp_path: Path) -> None:
    package = Path(table.__file__).parents[2]
    (tmp_path / "docs").mkdir()
    stale = f"before\n{document.BEGIN}\nstale\n{document.END}\nafter\n"
    (tmp_path / "docs" / "primitives.md").write_text(stale, encoding="utf-8")
    (tmp_path / "harness").symlink_to(package / "harness", target_is_directory=True)
    subprocess.run([sys.executable, "-m", "harness.dsl.document"], cwd=tmp_path, check=True)
    written = (tmp_path / "docs" / "primitives.md").read_text(encoding="utf-8")
    assert written == f"before\n{document.BEGIN}\n{document.rows()}\n{document.END}\nafter\n"
