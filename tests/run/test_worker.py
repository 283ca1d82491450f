"""Digests, the watchdog's limits, and what a worker counts."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from harness.dsl import PROGRAM_NAMESPACE, rot90
from harness.measure.primitives import Counts, instrument
from harness.run.limits import TICKS, EvaluationTimeout, Watchdog
from harness.run.worker import digest_of

OUTPUTS = """
from dsl import *
cells = frozenset({(c % 7, (c % 5, c // 5)) for c in range(40)})
values = [
    ((1, 2), (3, 4)),
    cells,
    objects(tuple(tuple((i * j) % 4 for j in range(9)) for i in range(9)), True, False, True),
    frozenset({cells, frozenset({(1, 2)}), frozenset()}),
    (None, True, 3, -4, (), frozenset({(1, (2, 3)), 5, None})),
    ([("name", 1, cells), ("other name", None)], [("é", rot90)]),
    compose(rot90, rbind(shift, (1, 2))),
]
"""
PRINT_DIGESTS = """
import sys
from pathlib import Path
from harness.batt.loader import execute
from harness.run.worker import digest_of
for value in execute(Path(sys.argv[1]), "values").values:
    print(digest_of(value))
"""


def test_digests_depend_neither_on_the_hash_seed_nor_on_the_process(tmp_path):
    (tmp_path / "values.py").write_text(OUTPUTS)
    found = [
        subprocess.run(
            [sys.executable, "-c", PRINT_DIGESTS, str(tmp_path / "values.py")],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for seed in ("0", "1", "77")
    ]
    assert found[0] == found[1] == found[2]
    assert len(set(found[0])) == len(found[0]) == 7


def test_digests_tell_values_apart():
    values = [0, 1, -1, (), (0,), (0, 0), ((0,), 0), frozenset(), frozenset({0}), (frozenset(),), None, "a", "b", rot90]
    values += [frozenset({(0, 1)}), frozenset({(1, 0)}), frozenset({frozenset({(1, 0)})}), ((0, 1), (1, 0))]
    assert len({digest_of(value) for value in values}) == len(values)
    assert digest_of([("a", 1)]) == digest_of((("a", 1),))  # a batt's lists
    assert digest_of(frozenset(range(100))) == digest_of(frozenset(reversed(range(100))))


@pytest.mark.parametrize("value", [1.5, {1: 2}, object(), (1, 2.5), b"x"])
def test_what_is_no_value_of_the_dsl_has_no_digest(value):
    with pytest.raises(TypeError, match="not a DSL value"):
        digest_of(value)


class Watched:
    """A watchdog over an evaluation in this process, stopped when the test is done."""

    def __init__(self, timeout_s: float, own: str = "nobody") -> None:
        self.current, self.beats = [0], [0.0]
        self.dog = Watchdog(timeout_s, self.current, 0, self.beats, 0, own=own)

    def __enter__(self):
        self.dog.start()
        return self

    def __exit__(self, *_):
        self.dog.stop()


def spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_the_watchdog_ends_an_evaluation_that_runs_past_its_limit():
    start = time.monotonic()
    with Watched(0.2), pytest.raises(EvaluationTimeout):
        spin(60)
    assert 0.2 <= time.monotonic() - start < 30


def test_the_watchdog_lets_many_short_evaluations_pass():
    with Watched(0.1) as watched:
        begun = watched.beats[0]
        for evaluation in range(1, 31):
            watched.current[0] = evaluation
            spin(0.01)
        assert watched.beats[0] > begun  # it looked, and all was well


def test_the_watchdog_never_interrupts_the_code_that_calls_programs():
    with Watched(0.05, own=__name__) as watched:
        spin(0.5)  # in this module, which is the watchdog's own
        old = watched.beats[0]
        spin(0.1)
        assert watched.beats[0] == old  # no beat either: if it stays like this, the parent kills the worker


def test_a_watchdog_that_is_stopped_does_nothing():
    with Watched(0.02):
        pass
    spin(0.02 * (TICKS + 3))


def test_primitives_are_counted_with_their_own_time_only():
    counts = Counts()
    names = instrument(PROGRAM_NAMESPACE, counts)
    grid = ((1, 2), (3, 4))
    slow = lambda x: spin(0.2) or x  # a function of the program, not a primitive
    assert names["apply"](names["compose"](slow, names["rot90"]), (grid,)) == (rot90(grid),)
    rows = counts.by_primitive()
    assert {name: calls for name, (calls, _) in rows.items()} == {"apply": 1, "compose": 1, "rot90": 1}
    assert rows["apply"][1] >= 0.2 > rows["rot90"][1]
    counts.clear()
    names["mapply"](names["rot90"], (grid, grid))
    rows = counts.by_primitive()
    assert rows["rot90"][0] == 2
    assert all(seconds < 0.2 for _, seconds in rows.values())


def test_an_alias_counts_as_the_primitive_that_it_names():
    counts = Counts()
    names = instrument(PROGRAM_NAMESPACE, counts)
    assert names["size_t"]((1, 2)) == 2
    assert counts.by_primitive().keys() == {"size"}


def test_counting_changes_nothing_else():
    names = instrument(PROGRAM_NAMESPACE, Counts())
    assert names.keys() == PROGRAM_NAMESPACE.keys()
    assert names["rbind"](names["shift"], (1, 1))(frozenset({(0, 0)})) == frozenset({(1, 1)})
    assert names["lbind"](names["add"], 3)(4) == 7
    assert names["rot90"](grid=((1, 2),)) == rot90(((1, 2),))
    with pytest.raises(TypeError):
        names["rot90"]()
