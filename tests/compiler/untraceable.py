"""Programs that cannot be compiled. The line to blame is marked with what the message says of it."""

# ruff: noqa: C416, E721, E741, PLW0108, PLW0603, PTH123, RUF005 - written as users may write

import random
from functools import lru_cache, reduce

from constants import *
from dsl import *

SEEN = {}
KEPT = []
HALVES = (tophalf, bottomhalf)
COLOURS = {0: 1, 1: 0}


def solve_if(I):
    if greater(numcolors(I), TWO):  # ! decides on a computed value
        return hmirror(I)
    return I


def solve_conditional_expression(I):
    return hmirror(I) if portrait(I) else I  # ! decides on a computed value


def solve_not(I):
    return canvas(not portrait(I), UNITY)  # ! decides on a computed value


def solve_while(I):
    while size(I) > 1:  # ! compares a computed value
        I = trim(I)
    return I


def solve_for(I):
    for part in fgpartition(I):  # ! iterates over a computed value
        I = fill(I, ONE, part)
    return I


def solve_unpack(I):
    h, w = shape(I)  # ! iterates over a computed value
    return canvas(h, (w, w))


def solve_comprehension(I):
    return tuple([row for row in I])  # ! iterates over a computed value


def solve_index(I):
    return (I[0],)  # ! indexes a computed value


def solve_slice(I):
    return I[1:]  # ! indexes a computed value


def solve_length(I):
    return canvas(len(I), UNITY)  # ! takes the length of a computed value


def solve_arithmetic(I):
    return canvas(size(I) + 1, UNITY)  # ! calculates with a computed value


def solve_reflected_arithmetic(I):
    return canvas(1 - size(I), UNITY)  # ! calculates with a computed value


def solve_joined_tuples(I):
    return (first(I),) + I  # ! calculates with a computed value


def solve_compare(I):
    return canvas(sum([colour == 0 for colour in (first(first(I)),)]), UNITY)  # ! compares a computed value


def solve_in(I):
    return canvas(ONE if ZERO in palette(I) else TWO, UNITY)  # ! looks for something in a computed value


def solve_in_known(I):
    return canvas(ONE if numcolors(I) in (1, 2) else TWO, UNITY)  # ! compares a computed value


def solve_in_known_set(I):
    return canvas(ONE if numcolors(I) in {1, 2} else TWO, UNITY)  # ! hashes a computed value


def solve_key(I):
    return canvas(COLOURS.get(mostcolor(I), 0), UNITY)  # ! hashes a computed value


def solve_count_set(I):
    return canvas(len({first(I), last(I)}), UNITY)  # ! hashes a computed value


def solve_same(I):
    return I if mostcolor(I) is None else hmirror(I)  # ! asks whether a value is another one


def solve_type(I):
    return I if type(I) == tuple else hmirror(I)  # ! uses 'type'


def solve_isinstance(I):
    return I if isinstance(I, tuple) else hmirror(I)  # ! asks for the type of a computed value


def solve_match(I):
    match I:  # ! has a match statement
        case (_,):
            return I
    return hmirror(I)


def solve_text(I):
    return canvas(int(f"{size(I)}"), UNITY)  # ! writes a computed value as text


def solve_method(I):
    return palette(I).union(palette(I))  # ! takes the attribute 'union' of a computed value


def solve_call(I):
    return first(I)(I)  # ! calls a computed value


def solve_sum(I):
    return canvas(sum(palette(I)), UNITY)  # ! iterates over a computed value


def solve_range(I):
    return merge(tuple([I for _ in range(size(I))]))  # ! makes a number of a computed value


def solve_try(I):
    try:  # ! handles exceptions
        return canvas(color(extract(I, F)), UNITY)
    except Exception:
        return I


def solve_try_in_helper(I):
    return attempted(I)


def attempted(grid):
    try:  # ! handles exceptions
        return subgrid(first(objects(grid, T, F, T)), grid)
    finally:
        pass


def solve_caught_refusal(I):
    try:
        return I if portrait(I) else hmirror(I)  # ! decides on a computed value
    except BaseException:
        return I


class Quiet:
    def __enter__(self):
        pass

    def __exit__(self, *error):
        return True


def solve_suppressed(I):
    with Quiet():  # ! has a with statement
        return I


COUNT = iter(range(9))


def solve_iterator_of_module(I):
    return canvas(next(COUNT), UNITY)  # ! uses 'next'


def solve_random(I):
    return random.choice((hmirror, vmirror))(I)  # ! calls choice of


def solve_random_number(I):
    return canvas(random.random() > 0.5, UNITY)  # ! calls random


def solve_opens_file(I):
    return canvas(len(open(__file__).read()) % 10, UNITY)  # ! calls io.open


def solve_global_statement(I):
    global SEEN  # ! has a global statement
    SEEN = {}
    return I


def solve_changes_element_of_global(I):
    COLOURS[2] = size(HALVES)  # ! changes an element
    return I


def solve_changes_global(I):
    KEPT.append(ONE)  # ! changes what the module keeps
    return canvas(len(KEPT), UNITY)


@lru_cache
def cached(grid):
    return hmirror(grid)


def solve_cached(I):
    return cached(I)  # ! hashes a computed value


def solve_element_escapes(I):
    rows = []
    apply(lambda row: rows.append(row) or row, I)
    return hconcat(I, totuple(rows[0]))  # ! uses a value outside of the function


def remembered(grid, kept=[]):  # noqa: B006
    kept.append(grid)  # ! changes what the module keeps
    return kept[0]


def solve_remembers(I):
    return remembered(I)


class Memory:
    grid = None


def solve_remembers_in_class(I):
    Memory.grid = I  # ! changes an element or an attribute
    return I


def solve_returns_function(I):  # ! returns a function
    return compose(hmirror, vmirror)


def solve_raises(I):
    return apply(undefined, I)  # ! raises NameError


def solve_wrong_arguments(I):
    return fill(I, ONE)  # ! raises TypeError


def solve_binds_wrong(I):
    return rbind(size, ONE)(I)  # ! raises TypeError


def solve_function_as_value(I):  # ! returns a function
    return canvas(hmirror, UNITY)


def solve_list(I):
    return merge([I, I])  # ! gives a primitive a list


def solve_computed_functions(I):
    return rapply(palette(I), I)  # ! applies a computed container as if of functions


def solve_branch_of_function_and_value(I):
    return branch(portrait(I), hmirror, I)  # ! has a branch of different things


def solve_set_of_functions_and_values(I):
    return insert(hmirror, initset(size(I)))  # ! gives insert functions together with computed values


def solve_order_of_chosen_functions(I):
    chosen = branch(portrait(I), hmirror, vmirror)
    return first(insert(chosen, initset(rot90)))(I)  # ! gives first a set of functions whose order depends on


def solve_size_of_chosen_functions(I):
    chosen = insert(branch(portrait(I), hmirror, vmirror), initset(hmirror))
    count = size(chosen)  # ! gives size functions that depend on computed values
    return canvas(count, UNITY)


def solve_order_of_computed_functions(I):
    functions = apply(lambda row: rbind(add, size(row)), palette(I))
    return canvas(first(functions)(ONE), UNITY)  # ! gives first a container of functions


def solve_too_many_calls(I):
    function = lambda x: increment(x)
    for _ in range(40):
        function = fork(add, function, function)
    return canvas(function(size(I)), UNITY)  # ! too large


def solve_too_deep(I):
    function = identity
    for _ in range(40):
        function = lbind(apply, function)
    return function(I)  # ! too large


def solve_too_many_instructions(I):
    for colour in range(20_000):
        I = fill(I, colour, ofcolor(I, colour))
    return I  # too large, found when it is assembled


def solve_large_number(I):
    return canvas(size(I), (2**70, 1))  # ! too large


def solve_reduced(I):
    # What the standard library's reduce does with functions can be traced.
    return reduce(lambda grid, turn: turn(grid), (hmirror, rot90), I)


def batt(task_id, S, I, C, log_path):
    if task_id == "00000000":  # ! compares a computed value
        return [], []
    return [(1, I)], [(2, C)]
