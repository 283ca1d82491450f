"""Random programs: the engine agrees with the reference; and what looks for differences would find them."""

from __future__ import annotations

import random

import pytest

from harness import Engine
from tests.fuzz.differential import FAILURE, Differential, Tally, fuzz
from tests.fuzz.grids import MOST_SIDE, noise, random_grid
from tests.fuzz.programs import Generator, statement
from tests.fuzz.shrink import as_test, shrink
from tests.fuzz.wrong_engine import NeverFails, WrongEngine


@pytest.mark.parametrize(("seed", "ill_typed"), [(1, 0.0), (2, 0.02), (3, 0.15)])
def test_random_programs_agree(seed: int, ill_typed: float) -> None:
    tally = fuzz(4000, seed, ill_typed)
    assert tally.evaluations >= 4000
    found = [as_test(shrink(difference)) for difference in tally.differences[:1]]
    assert not found, f"{found[0]}\n{tally.summary()}"
    # Most of what is compared has a value, and little of it is left to the reference.
    assert tally.succeeded > tally.evaluations / 3
    if not ill_typed:
        assert sum(tally.fell_back.values()) < 0.02 * tally.evaluations, tally.summary()


def test_random_programs_agree_on_noise_with_hundreds_of_objects() -> None:
    rng = random.Random(4)
    tally = Tally()
    with Differential([noise(rng), noise(rng, 17)]) as differential:
        lists = [Generator(rng.getrandbits(64)).program(12) for _ in range(6)]
        objects = [
            statement("I", "G"),
            statement("objects(x0, True, False, False)", "S"),
            statement("order(x1, size)", "A"),
            statement("apply(lambda e: shift(e, (100, -130)), x1)", "S"),
            statement("mapply(toindices, x3)", "X"),
            statement("get_arg_rank(x3, lambda e: multiply(size(e), leftmost(e)), 2)", "O"),
        ]
        differential.compare([objects, *lists], [0, 1], True, tally)
    assert tally.evaluations > 100
    assert not tally.differences, [as_test(difference) for difference in tally.differences]


@pytest.mark.parametrize("engine", [WrongEngine, NeverFails])
def test_a_wrong_engine_is_found_and_shrunk(engine: type[Engine]) -> None:
    rng = random.Random(5)
    tally = Tally()
    with Differential([random_grid(rng) for _ in range(3)], engine) as differential:
        while not tally.differences:
            differential.compare([Generator(rng.getrandbits(64)).program(20)], [0, 1, 2], True, tally)
    small = shrink(tally.differences[-1], engine)
    assert len(small.statements) <= 3, small.source
    assert len(small.statements[-1].text) < 40
    assert sum(map(len, small.grid)) <= 4
    if engine is NeverFails:
        assert small.expected is FAILURE
    assert small.statements[-1].text in as_test(small)


def test_what_is_computed_is_not_lost_where_another_statement_fails() -> None:
    # x1 fails: x2, which needs it, fails too, though Python would only notice when x2 is called.
    statements = [statement("I", "G"), statement("first(())", "A"), statement("size(apply(lambda e: x1, ()))", "I"),
                  statement("height(x0)", "I")]  # fmt: skip
    with Differential([((1,), (2,))]) as differential:
        (reference,) = differential.references([statements])
        assert reference.values(((1,), (2,))) == [((1,), (2,)), FAILURE, FAILURE, 2]


def test_grids_have_all_sizes() -> None:
    rng = random.Random(6)
    grids = [random_grid(rng) for _ in range(2000)]
    assert {len(grid) for grid in grids} == {len(grid[0]) for grid in grids} == set(range(1, MOST_SIDE + 1))
    assert all(len(row) == len(grid[0]) and set(row) <= set(range(10)) for grid in grids for row in grid)


def test_a_seed_gives_the_same_program_and_covers_every_form() -> None:
    texts = [[s.text for s in Generator(seed).program(10)] for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    everything = " ".join(s.text for seed in range(60) for s in Generator(seed).program(20))
    for form in ("rapply(", "branch(", "power(", "lambda ", "insert(", "lbind(lbind", "fork(", "chain(", "matcher("):
        assert form in everything
