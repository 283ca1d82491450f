"""The canonical order, and that nothing depends on how a set was built."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from dsl_strategies import (
    CELLS,
    LOCATIONS,
    OBJECTS,
    PLAIN,
    SETS,
    VALUES,
    compare,
    in_canonical_order,
    rebuilt,
)
from hypothesis import given
from hypothesis import strategies as st

from harness.dsl import canonical
from harness.dsl.canonical import canonical_key, greatest, in_order, is_plain, least, ordered

SEEDS = st.randoms(use_true_random=False)


def before(a: Any, b: Any) -> bool:
    return canonical_key(a) < canonical_key(b)


@given(VALUES, VALUES)
def test_order_is_total_and_antisymmetric(a: Any, b: Any) -> None:
    assert before(a, b) + before(b, a) + (a == b) == 1
    assert (canonical_key(a) == canonical_key(b)) == (a == b)


@given(st.lists(VALUES, min_size=3, max_size=3))
def test_order_is_transitive(values: list[Any]) -> None:
    a, b, c = sorted(values, key=canonical_key)
    assert not before(b, a)
    assert not before(c, b)
    assert not before(c, a)


@given(VALUES, VALUES)
def test_order_is_the_specified_one(a: Any, b: Any) -> None:
    assert before(a, b) == (compare(a, b) < 0)


@given(PLAIN, PLAIN)
def test_order_is_pythons_on_values_of_one_kind(a: Any, b: Any) -> None:
    try:
        expected = a < b
    except TypeError:  # an integer and a tuple at the same place
        return
    assert before(a, b) == expected


def test_kinds_stand_in_the_specified_order() -> None:
    values = (None, -3, 0, 7, (), (0,), (0, 0), (1,), (frozenset(),), frozenset(), frozenset({1}), frozenset({1, 2}))
    assert [*sorted(set(values), key=canonical_key)] == [*values]


@given(SETS)
def test_ordered_is_the_canonical_order(values: frozenset[Any]) -> None:
    assert ordered(values) == in_canonical_order(values)


@given(SETS.filter(len))
def test_least_and_greatest_are_the_ends_of_the_order(values: frozenset[Any]) -> None:
    expected = in_canonical_order(values)
    assert least(values) == expected[0]
    assert greatest(values) == expected[-1]


@given(SETS, SEEDS)
def test_order_does_not_depend_on_how_a_set_was_built(values: frozenset[Any], rng: random.Random) -> None:
    again = rebuilt(values, rng)
    assert again == values
    assert ordered(again) == ordered(values)
    if values:
        assert least(again) == least(values)
        assert greatest(again) == greatest(values)


@given(st.lists(CELLS, max_size=6), st.lists(LOCATIONS, max_size=6), st.lists(OBJECTS, max_size=3))
def test_quick_keys_give_way_on_mixed_values(cells: list[Any], locations: list[Any], objs: list[Any]) -> None:
    for values in (cells + locations, locations + objs, cells + objs, [*cells, *locations, *objs, 5, None]):
        assert in_order(values) == list(in_canonical_order(values))


DECEPTIVE: list[list[Any]] = [
    # Things of two components that are no locations or cells, beside such that are.
    [(0, 1), frozenset({0, 1}), (1, 0)],
    [(1, (0, 1)), frozenset({1, (0, 2)}), (0, (0, 3))],
    [(1, (0, 1)), (1, frozenset({0, 2})), (1, frozenset({5}))],
    [(1, (0, 1)), (1, (0, 1, 0)), (1, (0,))],
    [(0, 1), (0, (1,)), (0, 0), ((0,), 0)],
    [frozenset({(0, 1)}), ((0, 0),), frozenset({(0, 0)})],
    [frozenset({(1, (0, 1))}), frozenset({(0, 1)}), frozenset(), frozenset({3})],
    # Far from any grid, where numbers of locations would run into one another.
    [(0, 5000), (1, -5000), (0, 1), (1, 0), (1, 904)],
    [(0, 4095), (1, -1)],
    [(0, 2048), (1, -2048)],
    [(0, (4095, 0)), (1, (-1, 0))],
    [(0, (2048, 0)), (1, (-2048, 0))],
    [(0, (0, 4095)), (0, (1, -1)), (0, (1, -4096)), (0, (0, 4096))],
    [(1, (-5000, 0)), (0, (5000, 0)), (1, (2047, 2047)), (2, (-2048, -2048))],
    [(1, (2047, 2047)), (2, (-2048, -2048)), (1, (-2048, 2047)), (1, (-2047, -2048))],
    [(10**20, (0, 0)), (-(10**20), (0, 0)), (0, (10**20, 0))],
    [True, 0, 2, False, 1],
    [(True, 0), (0, True), (False, 2)],
]


@pytest.mark.parametrize("values", DECEPTIVE)
def test_values_that_look_like_locations_or_cells(values: list[Any]) -> None:
    rng = random.Random(0)
    for _ in range(20):
        rng.shuffle(values)
        assert in_order(values) == list(in_canonical_order(values))
        assert least(values) == in_canonical_order(values)[0]
        assert greatest(values) == in_canonical_order(values)[-1]


@given(CELLS, LOCATIONS, st.integers(0, 9))
def test_a_set_of_a_colour_and_a_location_is_no_cell(cell: Any, location: Any, value: int) -> None:
    deceptive = frozenset({value, location})
    assert in_order([cell, deceptive]) == [cell, deceptive]
    assert greatest([cell, deceptive]) == deceptive


def test_keys_of_locations_stay_right_when_no_more_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canonical, "_MOST_KEYS", 0)
    locations = [(i, j) for i in range(100, 130) for j in range(-120, -90)]
    shuffled = random.Random(0).sample(locations, len(locations))
    assert in_order(shuffled) == locations


@given(VALUES)
def test_is_plain_tells_what_python_orders_as_we_do(value: Any) -> None:
    def plain(value: Any) -> bool:
        return isinstance(value, int) or (isinstance(value, tuple) and all(map(plain, value)))

    assert is_plain([value]) == plain(value)


def test_ordered_leaves_a_tuple_as_it_is() -> None:
    assert ordered((3, 1, 2)) == (3, 1, 2)


@pytest.mark.parametrize("choose", [least, greatest])
def test_there_is_no_least_of_nothing(choose: Callable[[Any], Any]) -> None:
    with pytest.raises(ValueError, match="empty"):
        choose(frozenset())


@pytest.mark.parametrize("alien", ["text", 1.5, [1], {1: 2}])
def test_what_is_no_dsl_value_has_no_place(alien: Any) -> None:
    with pytest.raises(TypeError, match="no place in the canonical order"):
        canonical_key((1, alien))


def test_functions_are_ordered_by_what_they_are_not_by_where_they_lie_in_memory() -> None:
    from harness.dsl import increment, lbind, rbind, subtract

    functions = [lbind(subtract, 1), rbind(subtract, 2), rbind(subtract, 1), lbind(subtract, 5), increment]
    again = [lbind(subtract, 1), rbind(subtract, 2), rbind(subtract, 1), lbind(subtract, 5), increment]
    expected = [functions.index(function) for function in ordered(frozenset(functions))]
    assert [again.index(function) for function in ordered(frozenset(again))] == expected
    assert ordered(frozenset({increment, frozenset({1})}))[0] == frozenset({1})


def test_functions_of_one_line_are_ordered_by_where_they_stand_in_it() -> None:
    # Three of one name and line, that close over nothing: only memory told them apart before.
    for _ in range(20):
        made = [f for f in (lambda e: 1, lambda e: (2, lambda e: e), lambda e: 3)]  # noqa: C416 - new ones each time
        assert ordered(frozenset(made)) == tuple(made)
        _keep.append(made)


_keep: list[Any] = []  # so that the next are elsewhere in memory
