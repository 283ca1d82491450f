"""Laws of the primitives on containers, the rank primitives of the dialect included."""

from collections import Counter
from collections.abc import Callable
from functools import cmp_to_key
from typing import Any

import pytest
from dsl_strategies import LOCATIONS, OBJECTS, SETS, VALUES, compare, in_canonical_order
from hypothesis import given
from hypothesis import strategies as st

from harness.dsl import *

FEW = st.integers(0, 3)
TUPLES = st.lists(VALUES, max_size=6).map(tuple)
CONTAINERS = TUPLES | SETS
SETS_OF_OBJECTS = st.frozensets(OBJECTS, max_size=6)


def elements_of(container: Any) -> tuple[Any, ...]:
    """Return the elements in the order in which choices among them are made."""
    return container if isinstance(container, tuple) else in_canonical_order(container)


@st.composite
def keyed(draw: st.DrawFn, keys: st.SearchStrategy[Any] = FEW | VALUES) -> tuple[Any, Callable[[Any], Any]]:
    """Draw a container and a function on its elements that gives many of them the same key."""
    container = draw(CONTAINERS)
    key_of = {element: draw(keys) for element in elements_of(container)}
    return container, key_of.__getitem__


@given(keyed())
def test_order_is_stable_over_the_elements_in_order(case: Any) -> None:
    container, key = case
    in_order_of_keys = sorted(elements_of(container), key=cmp_to_key(lambda a, b: compare(key(a), key(b))))
    assert order(container, key) == tuple(in_order_of_keys)


@given(keyed(FEW))
def test_order_by_integers(case: Any) -> None:
    container, key = case
    assert order(container, key) == tuple(sorted(elements_of(container), key=key))


@given(keyed())
def test_argmax_and_argmin_take_the_first_of_several(case: Any) -> None:
    container, key = case
    if len(container) == 0:
        for choose in (argmax, argmin):
            with pytest.raises(ValueError, match="empty"):
                choose(container, key)
        return
    ascending = order(container, key)
    greatest_key, least_key = key(ascending[-1]), key(ascending[0])
    assert argmin(container, key) == ascending[0]
    assert argmax(container, key) == next(e for e in elements_of(container) if key(e) == greatest_key)
    assert valmax(container, key) == greatest_key
    assert valmin(container, key) == least_key


@given(keyed(), st.data())
def test_ranks_by_key(case: Any, data: st.DataObject) -> None:
    container, key = case
    if len(container) == 0:
        return
    rank = data.draw(st.integers(-len(container), len(container) - 1))
    descending = sorted(elements_of(container), key=cmp_to_key(lambda a, b: compare(key(b), key(a))))
    assert get_arg_rank(container, key, rank) == descending[rank]
    assert get_val_rank(container, key, rank) == key(order(container, key)[rank])
    assert get_rank(container, rank) == in_canonical_order(container)[::-1][rank]
    for get in (get_nth_t, get_nth_f):
        assert get(container, rank) == elements_of(container)[rank]


@given(st.lists(FEW | VALUES, min_size=1, max_size=8).map(tuple), st.data())
def test_commonness_counts_and_prefers_the_least(values: tuple[Any, ...], data: st.DataObject) -> None:
    counts = Counter(values)
    ascending = sorted(in_canonical_order(counts), key=counts.__getitem__)
    assert leastcommon(values) == ascending[0]
    assert mostcommon(values) == max(in_canonical_order(counts), key=counts.__getitem__)
    rank = data.draw(st.integers(-len(ascending), len(ascending) - 1))
    assert get_common_rank(values, rank) == ascending[rank]


@given(CONTAINERS)
def test_first_last_and_totuple_follow_the_order(container: Any) -> None:
    expected = elements_of(container)
    assert totuple(container) == expected
    for choose, position in ((first, 0), (last, -1), (second, 1)):
        if position < len(expected) and expected:
            assert choose(container) == expected[position]
        else:
            with pytest.raises((ValueError, IndexError)):
                choose(container)


@given(SETS_OF_OBJECTS.filter(len))
def test_first_and_last_of_objects(objs: frozenset[Any]) -> None:
    assert first(objs) == in_canonical_order(objs)[0]
    assert last(objs) == in_canonical_order(objs)[-1]
    assert totuple(objs) == in_canonical_order(objs)


@given(keyed(st.booleans()))
def test_filters(case: Any) -> None:
    container, condition = case
    kept = sfilter(container, condition)
    assert type(kept) is type(container)
    assert elements_of(kept) == tuple(e for e in elements_of(container) if condition(e))
    if len(kept):
        assert extract(container, condition) == elements_of(kept)[0]
    else:
        with pytest.raises(ValueError, match="extract found no element"):
            extract(container, condition)


@given(CONTAINERS, CONTAINERS)
def test_combine_and_difference_keep_the_type_of_the_first(a: Any, b: Any) -> None:
    joined, left = combine(a, b), difference(a, b)
    assert type(joined) is type(left) is type(a)
    if isinstance(a, tuple):
        assert joined == a + elements_of(b)
        assert left == difference_tuple(a, b) == tuple(e for e in a if e not in b)
    else:
        assert joined == a | frozenset(b)
        assert left == a - frozenset(b)
        assert intersection(a, frozenset(b)) == a & frozenset(b)
        assert difference_tuple(a, b) == in_canonical_order(left)


@given(CONTAINERS, VALUES)
def test_elements_in_and_out(container: Any, value: Any) -> None:
    without = remove(value, container)
    assert type(without) is type(container)
    assert not contained(value, without)
    assert size(without) == size(container) - elements_of(container).count(value)
    if isinstance(container, frozenset):
        assert insert(value, without) == container | initset(value)
    if len(without):
        assert other(container, value) == elements_of(without)[0]


@given(TUPLES)
def test_dedupe_keeps_first_occurrences(values: tuple[Any, ...]) -> None:
    assert dedupe(values) == tuple(e for k, e in enumerate(values) if e not in values[:k])


@given(st.lists(CONTAINERS, max_size=4))
def test_merge_puts_the_elements_of_the_elements_in_order(containers: list[Any]) -> None:
    everything = [e for container in containers for e in elements_of(container)]
    assert merge(tuple(containers)) == tuple(everything)
    assert merge(frozenset(containers)) == frozenset(everything)
    indexed = interval(0, len(containers), 1)
    assert mapply(containers.__getitem__, indexed) == tuple(everything)
    assert mapply(containers.__getitem__, frozenset(indexed)) == frozenset(everything)
    assert mpapply(lambda k, _: containers[k], indexed, indexed) == tuple(everything)
    assert mfilter(tuple(containers), size) == tuple(everything)


@given(CONTAINERS, CONTAINERS)
def test_pairs_are_zipped_in_order(a: Any, b: Any) -> None:
    zipped = tuple(zip(elements_of(a), elements_of(b), strict=False))
    assert pair(a, b) == papply(astuple, a, b) == zipped
    everything = frozenset((x, y) for x in a for y in b)
    assert product(a, b) == prapply(astuple, a, b) == everything


@given(SETS_OF_OBJECTS, st.integers(0, 4))
def test_sizefilter_keeps_those_of_a_size(objs: frozenset[Any], n: int) -> None:
    assert sizefilter(objs, n) == sfilter(objs, matcher(size, n)) == sizefilter(tuple(objs), n)


@given(st.lists(LOCATIONS, max_size=5).map(tuple), st.integers(1, 4))
def test_functions_of_functions(locations: tuple[Any, ...], n: int) -> None:
    assert apply(compose(invert, increment), locations) == apply(invert, apply(increment, locations))
    assert apply(chain(invert, increment, double), locations) == apply(
        invert, apply(increment, apply(double, locations))
    )
    assert apply(power(increment, n), locations) == apply(rbind(add, n), locations)
    assert apply(lbind(subtract, n), locations) == apply(invert, apply(rbind(subtract, n), locations))
    assert apply(fork(add, increment, decrement), locations) == apply(double, locations)
    assert rapply((increment, decrement), n) == (n + 1, n - 1)
    assert apply(fork(equality, identity, identity), locations) == repeat(True, size(locations))
