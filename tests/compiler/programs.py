"""Programs that use the DSL in every way that the tracer has to know; each works on some grid."""

# ruff: noqa: E741, PLW0108 - written as users may write

from constants import *
from dsl import *

HALVES = (tophalf, bottomhalf, lefthalf, righthalf)
IS_LARGE = compose(rbind(greater, FOUR), size)
NEAR = neighbors(ORIGIN)
SPINS = frozenset({rot90, rot180, rot270})


def twice(function):
    return compose(function, function)


def stacked(a, b):
    return vconcat(a, b)


# --- functions in containers


def solve_set_of_one_function(I):
    return first(rapply(initset(rot90), I))


def solve_functions_inserted(I):
    turned = insert(rot270, insert(rot180, initset(rot90)))
    return merge(order(rapply(turned, I), size))


def solve_pair_of_functions(I):
    a, b = rapply(astuple(hmirror, vmirror), I)
    return hconcat(a, b)


def solve_tuple_literal_of_functions(I):
    return merge(rapply((tophalf, bottomhalf, identity), I))


def solve_functions_of_module(I):
    return argmax(apply(fork(hconcat, lefthalf, righthalf), rapply(HALVES, I)), numcolors)


def solve_functions_repeated(I):
    return merge(rapply(repeat(trim, TWO), I))


def solve_functions_combined(I):
    both_kinds = combine(astuple(hmirror, vmirror), repeat(identity, TWO))
    return merge(rapply(both_kinds, I))


def solve_functions_as_tuple(I):
    by_name = totuple(insert(vmirror, initset(hmirror)))
    return merge(rapply(by_name, I))


def solve_first_and_last_of_functions(I):
    return last((hmirror, vmirror))(first(SPINS)(I))


def solve_other_function(I):
    return other(insert(rot90, initset(hmirror)), rot90)(I)


def solve_second_function(I):
    return second(SPINS)(get_nth_t(HALVES, -ONE)(I))


def solve_mapply_over_functions(I):
    recolours = (lbind(recolor, TWO), lbind(recolor, THREE))
    return paint(I, mapply(lambda function: function(corners(asindices(I))), recolours))


def solve_mapply_functions_over_input(I):
    patches = mapply(lambda function: function(asobject(I)), insert(box, initset(corners)))
    return fill(I, FIVE, patches)


def solve_filter_functions(I):
    cut = sfilter(HALVES, compose(portrait, rbind(lambda f, x: f(x), I)))
    return merge(rapply(cut, I))


def solve_filter_set_of_functions(I):
    kept = sfilter(SPINS, lambda turn: equality(shape(turn(I)), shape(I)))
    return fill(I, ONE, mapply(compose(lbind(ofcolor, I), mostcolor), rapply(kept, I)))


def solve_greatest_function(I):
    return argmax(HALVES, lambda half: numcolors(half(I)))(I)


def solve_least_function_of_set(I):
    return argmin(SPINS, lambda turn: index(turn(I), ORIGIN))(I)


def solve_extract_function(I):
    return extract(HALVES, lambda half: greater(numcolors(half(I)), ONE))(I)


def solve_order_functions(I):
    return merge(rapply(order(HALVES, lambda half: colorcount(half(I), ZERO)), I))


def solve_function_by_rank(I):
    return get_arg_rank(HALVES, lambda half: colorcount(half(I), ZERO), ONE)(I)


def solve_value_over_functions(I):
    most = valmax(HALVES, lambda half: numcolors(half(I)))
    least = valmin(SPINS, lambda turn: index(turn(I), UNITY))
    return canvas(least, astuple(most, get_val_rank(HALVES, lambda half: height(half(I)), ONE)))


def solve_nth_function_by_value(I):
    return get_nth_t(HALVES, subtract(numcolors(I), TWO))(I)


def solve_functions_zipped_with_values(I):
    scaled = papply(lambda scale, factor: scale(I, factor), (hupscale, vupscale), (TWO, THREE))
    return hconcat(first(scaled), merge(initset_tuple(last(scaled))))


def initset_tuple(value):
    return totuple(initset(value))


def solve_functions_zipped_with_computed(I):
    parts = order(fgpartition(I), size)
    return paint(I, mpapply(lambda function, part: function(part), (hmirror, vmirror, normalize), parts))


def solve_pairs_of_functions_and_objects(I):
    parts = order(fgpartition(I), color)
    pairs = pair((hmirror, vmirror), parts)
    return paint(I, mapply(lambda p: first(p)(last(p)), pairs))


def solve_product_with_functions(I):
    made = prapply(lambda function, part: function(part), initset(outbox), fgpartition(I))
    return fill(I, EIGHT, merge(made))


def solve_mixed_container(I):
    function, value = astuple(upscale, TWO)
    return function(I, value)


def solve_mixed_set(I):
    step = first(initset(astuple(hmirror, I)))
    return first(step)(last(step))


def solve_nested_containers_of_functions(I):
    nested = merge(((hmirror, vmirror), (rot180,)))
    return merge(rapply(nested, I))


def solve_size_of_functions(I):
    return canvas(size(SPINS), astuple(size(HALVES), contained_as_number(rot90)))


def contained_as_number(function):
    return increment(size(sfilter(SPINS, lambda f: equality(f, function))))


# --- branch


def solve_branch_of_functions(I):
    return branch(greater(numcolors(I), THREE), hmirror, vmirror)(I)


def solve_branch_of_bound_functions(I):
    tall = portrait(I)
    grow = branch(tall, rbind(hupscale, TWO), rbind(vupscale, TWO))
    return grow(I)


def solve_branch_fails_in_one_arm(I):
    risky = branch(equality(numcolors(I), ONE), compose(first, lbind(ofcolor, I)), identity)
    return fill(I, TWO, initset(branch(equality(numcolors(I), ONE), risky, lambda v: astuple(v, v))(ONE)))


def solve_branch_of_data(I):
    return branch(portrait(I), hmirror(I), vmirror(I))


def solve_branch_in_loop(I):
    pieces = fgpartition(I)
    move_one = lambda piece: branch(vline(piece), rbind(shift, RIGHT), rbind(shift, DOWN))(piece)
    return paint(I, mapply(move_one, pieces))


def solve_branch_bound_later(I):
    scale = branch(portrait(I), hupscale, vupscale)
    return rbind(scale, TWO)(lbind(scale, I)(ONE))


def solve_branch_of_arities(I):
    lbind(branch(portrait(I), crop, hconcat), I)
    return hmirror(I)


def solve_branch_nested(I):
    colours = numcolors(I)
    one = branch(greater(colours, TWO), hmirror, vmirror)
    two = branch(greater(colours, THREE), one, rot180)
    return compose(two, one)(I)


def solve_branch_of_functions_of_functions(I):
    bind = branch(portrait(I), lbind, rbind)
    return canvas(bind(subtract, NINE)(NINE), TWO_BY_TWO)


def solve_branch_makes_functions(I):
    maker = branch(portrait(I), lambda value: rbind(colorcount, first(palette(I))), lambda value: rbind(ofcolor, value))
    found = maker(ZERO)(I)
    return branch(portrait(I), lambda x: canvas(x, UNITY), lbind(lbind(fill, I), FOUR))(found)


def solve_branch_of_containers_of_functions(I):
    pair_of = branch(portrait(I), (hmirror, rot180), (vmirror, identity))
    return merge(rapply(pair_of, I))


def solve_branch_on_known(I):
    return branch(equality(size(HALVES), FOUR), branch(F, hmirror, vmirror), rot90)(I)


def solve_branch_as_argument(I):
    step = branch(portrait(I), toindices, outbox)
    return fill(I, TWO, mapply(compose(branch(portrait(I), box, identity), step), fgpartition(I)))


def solve_branch_repeated(I):
    return power(branch(portrait(I), rot90, hmirror), THREE)(I)


def solve_branch_of_functions_per_object(I):
    parts = order(fgpartition(I), size)
    functions = apply(lambda part: branch(vline(part), rbind(shift, RIGHT), hmirror), parts)
    return paint(I, mpapply(lambda function, part: function(part), functions, parts))


def solve_branch_of_functions_in_set(I):
    chosen = insert(branch(portrait(I), hmirror, vmirror), initset(rot180))
    return argmin(rapply(chosen, I), first)


# --- functions that yield functions


def solve_apply_yields_functions(I):
    shifts = apply(lbind(rbind, shift), (UP, DOWN))
    return fill(I, THREE, merge(rapply(shifts, ofcolor(I, ZERO))))


def solve_functions_of_objects(I):
    parts = fgpartition(I)
    movers = apply(lbind(lbind, shift), parts)
    return paint(I, merge(rapply(movers, RIGHT)))


def solve_functions_of_objects_mapped(I):
    movers = apply(lbind(lbind, shift), fgpartition(I))
    return paint(I, mapply(lambda mover: mover(DOWN), movers))


def solve_functions_of_objects_filtered(I):
    tests = apply(lbind(lbind, contained), sfilter(totuple(palette(I)), positive))
    found = sfilter(tests, lambda test: test(insert(ONE, initset(TWO))))
    return canvas(size(rapply(found, palette(I))), THREE_BY_THREE)


def solve_functions_of_objects_in_order(I):
    movers = apply(lbind(lbind, shift), order(fgpartition(I), size))
    moved = papply(lambda mover, step: mover(step), movers, totuple(NEAR))
    return paint(I, merge(moved))


def solve_functions_of_set_in_order(I):
    movers = apply(lbind(lbind, shift), fgpartition(I))
    return paint(I, mpapply(lambda mover, step: mover(step), movers, (UP, LEFT)))


def solve_first_of_computed_functions(I):
    movers = apply(lbind(lbind, shift), order(fgpartition(I), size))
    steps = interval(ZERO, size(movers), ONE)
    return paint(I, first(movers)(astuple(last(steps), ZERO)))


def solve_functions_from_pairs(I):
    parts = totuple(fgpartition(I))
    makers = papply(lambda colour, part: lbind(recolor, colour), interval(ONE, NINE, ONE), parts)
    return paint(I, mapply(lambda f: f(first(parts)), makers))


def solve_functions_from_product(I):
    makers = prapply(lambda i, j: rbind(shift, astuple(i, j)), (ONE, TWO), interval(ZERO, width(I), TWO))
    return fill(I, SEVEN, merge(rapply(makers, initset(ORIGIN))))


def solve_functions_merged(I):
    makers = mapply(lambda part: initset(lbind(shift, part)), fgpartition(I))
    return paint(I, merge(rapply(makers, UNITY)))


def solve_containers_of_functions_merged(I):
    makers = apply(lambda part: (lbind(shift, part), lambda step: hmirror(part)), totuple(fgpartition(I)))
    return paint(I, merge(rapply(merge(makers), RIGHT)))


def solve_functions_that_may_fail(I):
    apply(lambda part: lbind(shift, extract(part, lambda cell: greater(first(cell), ONE))), fgpartition(I))
    return fill(I, size(fgpartition(I)), initset(ORIGIN))


def solve_functions_of_functions(I):
    makers = apply(lambda f: lbind(compose, f), HALVES)
    made = rapply(makers, hmirror)
    return argmin(rapply(made, I), size)


# --- binding


def solve_bind_into_compose(I):
    after_mirror = rbind(compose, hmirror)
    return after_mirror(vmirror)(I)


def solve_bind_into_bind(I):
    from_each = lbind(lbind, manhattan)
    parts = fgpartition(I)
    near = lambda part: valmin(remove(part, parts), from_each(part))
    return paint(canvas(ZERO, shape(I)), argmin(parts, near))


def solve_bind_into_mapply(I):
    columns = lbind(mapply, vfrontier)
    return fill(I, SIX, columns(ofcolor(I, leastcolor(I))))


def solve_bind_three_and_four(I):
    cut = rbind(lbind(crop, I), TWO_BY_TWO)
    parts = rbind(rbind(lbind(objects, I), T), F)
    return paint(cut(ORIGIN), first(parts(T)))


def solve_bind_nested(I):
    subtract_twice = rbind(rbind(rbind(lambda a, b, c, d: subtract(a, add(b, add(c, d))), ONE), TWO), THREE)
    return canvas(subtract_twice(NINE), shape(I))


def solve_bind_apply(I):
    inner = lbind(apply, rbind(subtract, ONE))
    return apply(inner, increment_all(I))


def increment_all(grid):
    return apply(lbind(apply, increment), grid)


def solve_fork_of_forks(I):
    measure = fork(
        add, fork(multiply, height, width), fork(subtract, compose(increment, size), chain(size, palette, identity))
    )
    return upscale(I, divide(measure(I), measure(I)))


def solve_matchers(I):
    is_line = matcher(compose(rbind(greater, ONE), height), F)
    return paint(canvas(ZERO, shape(I)), mfilter(fgpartition(I), is_line))


def solve_keywords(I):
    found = objects(grid=I, univalued=T, diagonal=F, without_bg=T)
    return fill(grid=I, value=FIVE, patch=mapply(function=toindices, container=found))


def solve_lambdas(I):
    pick_corner = lambda patch, which=ulcorner: which(patch)
    return fill(I, ONE, apply(lambda part: pick_corner(part), fgpartition(I)))


def solve_local_functions(I):
    def inner(part):
        def deeper(step):
            return shift(part, multiply(step, THREE))

        return mapply(deeper, NEAR)

    return paint(I, mapply(inner, fgpartition(I)))


def solve_helper_functions(I):
    return stacked(twice(rot90)(I), twice(twice(rot90))(I))


# --- power


def solve_power_known(I):
    return power(rot90, THREE)(I)


def solve_power_large(I):
    return power(compose(rot90, hmirror), 45)(I)


def solve_power_computed(I):
    return power(trim, decrement(numcolors(I)))(I)


def solve_power_of_power(I):
    return power(power(power(rot90, 8), 12), 13)(I)


def solve_power_in_loop(I):
    grow = lambda part: power(outbox, increment(even(size(part))))(part)
    return fill(I, TWO, mapply(grow, fgpartition(I)))


def solve_power_one(I):
    return power(stacked, ONE)(I, I)


def solve_power_of_binding(I):
    return canvas(power(rbind(add, ONE), size(palette(I)))(ZERO), UNITY)


def solve_power_zero(I):
    doubled = power(double, subtract(numcolors(I), TWO))
    return upscale(I, doubled(ONE))


# --- literals


def solve_literals(I):
    places = (ulcorner(asindices(I)), (ONE, width(I)), ORIGIN)
    return fill(I, THREE, apply(identity, places))


def solve_set_literal(I):
    return fill(I, FOUR, merge(frozenset({lrcorner_set(I), initset(ORIGIN)})))


def lrcorner_set(grid):
    return initset(lrcorner(asindices(grid)))


def solve_set_of_computed(I):
    return fill(I, FOUR, frozenset({lrcorner(asindices(I)), ulcorner(asindices(I)), (ONE, ONE)}))


def solve_long_tuple(I):
    row = repeat(ONE, width(I))
    return (row, first(I), row, last(I), row, first(I), (), (first(I), ONE), row)


def decrement_width(grid):
    return decrement(width(grid))


def solve_returns_tuple(I):
    return (first(I), last(I))


def solve_returns_constant(I):
    return canvas(THREE, TWO_BY_TWO)


def solve_returns_input(I):
    return identity(I)


# --- containers, empty or not


def solve_valmax_maybe_empty(I):
    most = valmax(sfilter(fgpartition(I), IS_LARGE), compose(size, initset))
    most_of_large = valmax(sfilter(fgpartition(I), IS_LARGE), lambda part: multiply(TWO, size(astuple(part, most))))
    return canvas(ONE, astuple(most, most_of_large))


def solve_valmin_maybe_empty(I):
    least = valmin(sfilter(palette(I), rbind(greater, SIX)), increment)
    return canvas(least, UNITY)


def solve_valmax_by_identity(I):
    return canvas(valmax(remove(ZERO, palette(I)), identity), THREE_BY_THREE)


def solve_nested_loops(I):
    parts = totuple(fgpartition(I))
    gaps = apply(lambda a: valmax(apply(lambda b: astuple(manhattan(a, b), color(b)), parts), first), parts)
    return canvas(maximum(gaps), UNITY)


def solve_ranks(I):
    parts = fgpartition(I)
    biggest = get_arg_rank(parts, size, ZERO)
    return paint(canvas(get_val_rank(parts, color, -ONE), shape(I)), biggest)


def solve_rows(I):
    varied = sfilter(I, compose(rbind(greater, ONE), compose(size, dedupe)))
    return order(varied, rbind(lambda row, k: get_nth_t(row, k), ZERO))


def solve_extract(I):
    return subgrid(extract(objects(I, T, T, T), lambda part: greater(size(part), TWO)), I)


def solve_unused_failure(I):
    extract(palette(I), matcher(identity, THREE))
    return hmirror(I)


def solve_unused_failure_in_loop(I):
    def body(row):
        extract(row, positive)
        return row

    return apply(body, I)


def solve_loop_without_elements(I):
    return combine(I, mapply(lambda row: repeat(first(()), TWO), sfilter(I, matcher(size, ZERO))))


def solve_always_fails_in_unused_arm(I):
    return branch(greater(size(I), ZERO), identity, lambda grid: first(()))(I)


def solve_known_loops(I):
    around = apply(lbind(add, UNITY), NEAR)
    for step in (UP, DOWN):
        around = combine(around, shift(around, step))
    if len(HALVES) > 3:
        around = insert(ORIGIN, around)
    return fill(I, NINE, around)


def solve_zip_of_sets(I):
    moved = mpapply(shift, order(fgpartition(I), color), repeat(RIGHT, NINE))
    return paint(I, moved)


def solve_product_of_sets(I):
    steps = prapply(astuple, palette(I), interval(ZERO, THREE, TWO))
    return fill(I, ONE, steps)


def solve_deep_values(I):
    tree = apply(
        lambda part: astuple(part, apply(lambda cell: astuple(last(cell), initset(first(cell))), part)), fgpartition(I)
    )
    return fill(I, TWO, mapply(lambda node: apply(first, last(node)), tree))


def solve_suffixed(I):
    parts = o_g(I, R5)
    return fill(I, size_f(parts), merge_f(apply(toindices_o, parts)))


# --- batts


def batt(task_id, S, I, C, log_path):
    s = []
    o = []
    t1 = apply(first, S)
    s.append((1, "inputs", t1))
    s.append((2, task_id, log_path, apply(second, S)))
    t2 = p_g(I)
    o.append((3, True, "colours", difference_tuple(t2, p_g(C))))
    o.append((4, "again", difference_tuple(p_g(I), p_g(C))))
    s.append((5, "known", canvas(ONE, UNITY)))
    s.append((6, "pair", (t2, (I, None, ORIGIN))))
    s.append((7, "functions", rapply((hmirror, vmirror), I)))
    fill(C, ONE, ofcolor(I, TWO))
    o.append((8, I))
    return s, o
