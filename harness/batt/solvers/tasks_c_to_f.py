"""Solvers of the ARC-AGI-1 training tasks whose id starts with c, d, e or f."""

from harness.dsl import *


def solve_c0f76784(I: Grid) -> Grid:
    """The hole of every gray frame is filled with 5 plus its side: 6, 7 or 8."""
    frames = objects(I, T, F, T)
    hole_colour = chain(lbind(add, FIVE), width, delta)
    coloured_hole = fork(recolor, hole_colour, delta)
    return paint(I, mapply(coloured_hole, frames))


def solve_c1d99e64(I: Grid) -> Grid:
    """Rows and columns that are black from edge to edge become red."""
    empty_lines = colorfilter(frontiers(I), ZERO)
    return fill(I, TWO, merge(empty_lines))


def solve_c3e719e8(I: Grid) -> Grid:
    """The grid is copied to each place of a larger grid where it has its most common colour."""
    column_of_copies = merge(repeat(I, THREE))
    all_copies = dmirror(merge(repeat(dmirror(column_of_copies), THREE)))
    kept = ofcolor(upscale(I, THREE), mostcolor(I))
    dropped = difference(asindices(all_copies), kept)
    return fill(all_copies, ZERO, dropped)


def solve_c444b776(I: Grid) -> Grid:
    """Yellow lines cut the grid into panels; the drawing in one of them is copied to all."""
    free = combine(ofcolor(I, ZERO), ofcolor(I, FOUR))
    emptied = fill(I, ZERO, difference(asindices(I), free))
    panels = colorfilter(objects(emptied, T, F, F), ZERO)
    contents = apply(rbind(toobject, I), panels)
    drawing = normalize(argmax(contents, numcolors))
    return paint(I, mapply(compose(lbind(shift, drawing), ulcorner), panels))


def solve_c59eb873(I: Grid) -> Grid:
    """Every cell becomes a block of two by two."""
    return upscale(I, TWO)


def solve_c8cbb738(I: Grid) -> Grid:
    """The patterns of the single colours are laid over each other, with their centres on one cell."""
    patterns = fgpartition(I)
    centred = fork(shift, identity, compose(invert, center))
    stacked = normalize(mapply(centred, patterns))
    return paint(canvas(mostcolor(I), shape(stacked)), stacked)


def solve_c8f0f002(I: Grid) -> Grid:
    """Orange becomes gray."""
    return replace(I, SEVEN, FIVE)


def solve_c909285e(I: Grid) -> Grid:
    """Cut out the square frame, which is drawn in the rarest colour."""
    return subgrid(ofcolor(I, leastcolor(I)), I)


def solve_c9e6f938(I: Grid) -> Grid:
    """The grid with its mirror image to the right."""
    return hconcat(I, vmirror(I))


def solve_c9f8e694(I: Grid) -> Grid:
    """Gray cells take the colour that the first column has in their row."""
    key_column = crop(I, ORIGIN, astuple(height(I), ONE))
    stripes = hupscale(key_column, width(I))
    return paint(I, toobject(ofcolor(I, FIVE), stripes))


def solve_caa06a1f(I: Grid) -> Grid:
    """The periodic pattern is moved left by one column and continued over the whole grid."""
    filler = index(I, decrement(shape(I)))
    known = difference(asindices(I), ofcolor(I, filler))
    pattern = toobject(known, I)
    rows = interval(ZERO, height(I), vperiod(pattern))
    columns = interval(NEG_ONE, width(I), hperiod(pattern))
    return paint(I, mapply(lbind(shift, pattern), prapply(astuple, rows, columns)))


def solve_cbded52d(I: Grid) -> Grid:
    """Two equal dots in the outer blocks of a row or column of blocks put the same dot in the middle block."""
    plain = combine(ofcolor(I, ZERO), ofcolor(I, ONE))
    dots = toobject(difference(asindices(I), plain), I)
    step_down = toivec(THREE)
    step_right = tojvec(THREE)
    in_rows = intersection(shift(dots, step_right), shift(dots, invert(step_right)))
    in_columns = intersection(shift(dots, step_down), shift(dots, invert(step_down)))
    return paint(I, combine(in_rows, in_columns))


def solve_cce03e0d(I: Grid) -> Grid:
    """The grid is copied to each place of a larger grid where it is red."""
    corners_of_copies = apply(rbind(multiply, THREE), ofcolor(I, TWO))
    copies = mapply(lbind(shift, asobject(I)), corners_of_copies)
    return paint(canvas(ZERO, multiply(shape(I), THREE)), copies)


def solve_cdecee7f(I: Grid) -> Grid:
    """The dots, from left to right, are written as a snake into three rows of three."""
    dots = order(objects(I, T, F, T), leftmost)
    colours = combine(apply(color, dots), repeat(ZERO, NINE))
    strip = repeat(colours, ONE)
    top = crop(strip, ORIGIN, astuple(ONE, THREE))
    middle = vmirror(crop(strip, tojvec(THREE), astuple(ONE, THREE)))
    bottom = crop(strip, tojvec(SIX), astuple(ONE, THREE))
    return vconcat(vconcat(top, middle), bottom)


def solve_ce22a75a(I: Grid) -> Grid:
    """Each gray dot becomes a blue block of three by three around it."""
    dots = apply(initset, ofcolor(I, FIVE))
    return fill(I, ONE, mapply(compose(backdrop, outbox), dots))


def solve_ce4f8723(I: Grid) -> Grid:
    """Green wherever the upper or the lower half, parted by a yellow row, is coloured."""
    upper = tophalf(I)
    lower = bottomhalf(I)
    empty_in_both = intersection(ofcolor(upper, ZERO), ofcolor(lower, ZERO))
    return fill(canvas(THREE, shape(upper)), ZERO, empty_in_both)


def solve_ce9e57f2(I: Grid) -> Grid:
    """The lower half of every red bar becomes cyan, rounded down."""
    bars = objects(I, T, F, T)
    larger_half = compose(toivec, compose(halve, compose(increment, height)))
    lowered = fork(shift, toindices, larger_half)
    lower_half = fork(intersection, toindices, lowered)
    return fill(I, EIGHT, mapply(lower_half, bars))


def solve_cf98881b(I: Grid) -> Grid:
    """Three panels are laid over each other: yellow on top of maroon on top of blue."""
    panels = hsplit(I, THREE)
    yellow = first(panels)
    blue = last(panels)
    maroon = other(remove(yellow, panels), blue)
    with_maroon = fill(blue, NINE, ofcolor(maroon, NINE))
    return fill(with_maroon, FOUR, ofcolor(yellow, FOUR))


def solve_d037b0a7(I: Grid) -> Grid:
    """Colours run down to the bottom of the grid."""
    lowered = compose(rbind(shift, DOWN), asobject)
    run_down = fork(underpaint, identity, lowered)
    return power(run_down, height(I))(I)


def solve_d06dbe63(I: Grid) -> Grid:
    """A gray staircase passes through the cyan dot, from lower left to upper right."""
    dot = first(ofcolor(I, EIGHT))
    one_step = combine(connect(UP, TWO_BY_ZERO), connect(astuple(NEG_TWO, ZERO), astuple(NEG_TWO, TWO)))
    step = difference(one_step, connect(ORIGIN, TWO_BY_ZERO))
    offsets = prapply(multiply, interval(ZERO, TEN, ONE), initset(astuple(NEG_TWO, TWO)))
    upwards = mapply(lbind(shift, step), offsets)
    return underfill(I, FIVE, shift(combine(upwards, apply(invert, upwards)), dot))


def solve_d0f5fe59(I: Grid) -> Grid:
    """As many cells on the diagonal of a square as there are shapes."""
    count = size(objects(I, T, F, T))
    return fill(canvas(ZERO, astuple(count, count)), EIGHT, shoot(ORIGIN, UNITY))


def solve_d10ecb37(I: Grid) -> Grid:
    """Keep the upper left corner of two by two."""
    return crop(I, ORIGIN, TWO_BY_TWO)


def solve_d13f3404(I: Grid) -> Grid:
    """Every colour runs down to the right, on a grid of twice the size."""
    cells = apply(initset, toobject(difference(asindices(I), ofcolor(I, ZERO)), I))
    track = compose(rbind(shoot, UNITY), ulcorner)
    tracks = mapply(fork(recolor, color, track), cells)
    return paint(canvas(ZERO, double(shape(I))), tracks)


def solve_d23f8c26(I: Grid) -> Grid:
    """Only the middle column stays."""
    everything = asindices(I)
    middle = vfrontier(center(everything))
    return fill(I, ZERO, difference(everything, middle))


def solve_d2abd087(I: Grid) -> Grid:
    """Shapes of six cells become red, all others blue."""
    shapes = objects(I, T, F, T)
    six_cells = merge(sizefilter(shapes, SIX))
    return fill(replace(I, FIVE, ONE), TWO, six_cells)


def solve_d364b489(I: Grid) -> Grid:
    """Each blue dot gets red above, cyan below, orange on its left and magenta on its right."""
    dots = ofcolor(I, ONE)
    with_red = fill(I, TWO, shift(dots, UP))
    with_cyan = fill(with_red, EIGHT, shift(dots, DOWN))
    with_orange = fill(with_cyan, SEVEN, shift(dots, LEFT))
    return fill(with_orange, SIX, shift(dots, RIGHT))


def solve_d406998b(I: Grid) -> Grid:
    """Gray becomes green in every second column, counted from the last."""
    columns = interval(decrement(width(I)), NEG_ONE, NEG_TWO)
    chosen = prapply(astuple, interval(ZERO, height(I), ONE), columns)
    return fill(I, THREE, intersection(ofcolor(I, FIVE), chosen))


def solve_d43fd935(I: Grid) -> Grid:
    """Dots in a row or column of the green block are joined to it by a line of their colour."""
    block = ofcolor(I, THREE)
    coloured = difference(asindices(I), combine(block, ofcolor(I, ZERO)))
    dots = apply(initset, toobject(coloured, I))
    in_line = fork(either, rbind(hmatching, block), rbind(vmatching, block))
    line_end = fork(add, ulcorner, rbind(gravitate, block))
    line = fork(recolor, color, fork(connect, ulcorner, line_end))
    return underpaint(I, mapply(line, sfilter(dots, in_line)))


def solve_d4469b4b(I: Grid) -> Grid:
    """The colour says which row and which column of a three by three grid become gray."""
    colour = other(palette(I), ZERO)
    row = branch(equality(colour, TWO), ZERO, branch(equality(colour, ONE), ONE, TWO))
    column = branch(equality(colour, THREE), TWO, ONE)
    lines = combine(hfrontier(toivec(row)), vfrontier(tojvec(column)))
    return fill(canvas(ZERO, THREE_BY_THREE), FIVE, lines)


def solve_d4a91cb9(I: Grid) -> Grid:
    """A yellow path leaves the cyan dot vertically, turns in the row of the red dot and reaches it."""
    start = first(ofcolor(I, EIGHT))
    target = first(ofcolor(I, TWO))
    turn = astuple(first(target), last(start))
    return underfill(I, FOUR, combine(connect(start, turn), connect(turn, target)))


def solve_d4f3cd78(I: Grid) -> Grid:
    """The inside of the gray box becomes cyan and pours out through the gap up to the edge of the grid."""
    wall = ofcolor(I, FIVE)
    inside = delta(wall)
    gap = first(difference(box(wall), wall))
    before_gap = first(intersection(dneighbors(gap), difference(inside, box(wall))))
    stream = shoot(gap, subtract(gap, before_gap))
    return fill(I, EIGHT, combine(inside, stream))


def solve_d511f180(I: Grid) -> Grid:
    """Gray and cyan change places."""
    return switch(I, FIVE, EIGHT)


def solve_d5d6de2d(I: Grid) -> Grid:
    """Red frames vanish, and what they enclosed becomes green."""
    frames = objects(I, T, F, T)
    erased = cover(I, merge(frames))
    return fill(erased, THREE, mapply(delta, frames))


def solve_d631b094(I: Grid) -> Grid:
    """The coloured cells, side by side in one row."""
    colour = other(palette(I), ZERO)
    row = repeat(colour, colorcount(I, colour))
    return repeat(row, ONE)


def solve_d687bc17(I: Grid) -> Grid:
    """Dots move straight to the border line of their colour; dots of other colours vanish."""
    things = objects(I, T, F, T)
    lines = sfilter(things, rbind(bordering, I))
    dots = difference(things, lines)
    same_colour = fork(equality, compose(color, first), compose(color, last))
    matches = sfilter(product(dots, lines), same_colour)
    moved = mapply(fork(shift, first, fork(gravitate, first, last)), matches)
    return paint(cover(I, merge(dots)), moved)


def solve_d6ad076f(I: Grid) -> Grid:
    """The gap between two blocks is bridged in cyan, as broad as what they share less one cell on each side."""
    blocks = objects(I, T, F, T)
    one = first(blocks)
    two = last(blocks)
    one_line = branch(vmatching(one, two), vfrontier, hfrontier)
    sideways = branch(vmatching(one, two), RIGHT, DOWN)
    shared = intersection(mapply(one_line, toindices(one)), mapply(one_line, toindices(two)))
    narrowed = intersection(shift(shared, sideways), shift(shared, invert(sideways)))
    hull = backdrop(combine(one, two))
    return underfill(I, EIGHT, intersection(narrowed, hull))


def solve_d89b689b(I: Grid) -> Grid:
    """Each of four dots flies to the nearest cell of the cyan square, which it recolours."""
    square_cells = apply(initset, ofcolor(I, EIGHT))
    dots = sfilter(objects(I, T, F, T), compose(flip, matcher(color, EIGHT)))
    distance_from = lbind(lbind, manhattan)
    landing = compose(lbind(argmin, square_cells), distance_from)
    landed = mapply(fork(recolor, color, landing), dots)
    return paint(cover(I, merge(dots)), landed)


def solve_d8c310e9(I: Grid) -> Grid:
    """The pattern at the left is continued to the right edge."""
    pattern = toobject(difference(asindices(I), ofcolor(I, ZERO)), I)
    starts = prapply(astuple, initset(ZERO), interval(ZERO, width(I), hperiod(pattern)))
    return paint(I, mapply(lbind(shift, pattern), starts))


def solve_d90796e8(I: Grid) -> Grid:
    """Where green and red touch, the green cell becomes cyan and the red one vanishes."""
    both_colours = insert(TWO, initset(THREE))
    pairs = sfilter(objects(I, F, F, T), matcher(palette, both_colours))
    touching = merge(sizefilter(pairs, TWO))
    green = intersection(toindices(touching), ofcolor(I, THREE))
    return fill(cover(I, touching), EIGHT, green)


def solve_d9f24cd1(I: Grid) -> Grid:
    """Red beams rise from the bottom; below a gray dot they step one column to the right and go on."""
    beams = mapply(vfrontier, ofcolor(I, TWO))
    obstacles = intersection(beams, ofcolor(I, FIVE))
    rise = rbind(shoot, UP)
    cut_off = mapply(rise, obstacles)
    detours = shift(mapply(rise, shift(obstacles, DOWN)), RIGHT)
    return underfill(I, TWO, combine(difference(beams, cut_off), detours))


def solve_d9fac9be(I: Grid) -> Grid:
    """The colour that a ring of eight cells of another colour encloses."""
    ring_of = rbind(recolor, neighbors(ORIGIN))
    places = mapply(compose(lbind(occurrences, I), ring_of), remove(ZERO, palette(I)))
    return canvas(index(I, increment(first(places))), UNITY)


def solve_dae9d2b5(I: Grid) -> Grid:
    """Magenta wherever the left or the right half is coloured."""
    left = lefthalf(I)
    right = righthalf(I)
    coloured = combine(ofcolor(left, FOUR), ofcolor(right, THREE))
    return fill(canvas(ZERO, shape(left)), SIX, coloured)


def solve_db3e9e38(I: Grid) -> Grid:
    """The orange line spreads to both sides, one cell shorter per column, orange and cyan in turn."""
    line = ofcolor(I, SEVEN)
    sides = insert(NEG_UNITY, initset(UP_RIGHT))
    shifted = lbind(shift, line)
    orange = mapply(shifted, prapply(multiply, interval(ZERO, TEN, TWO), sides))
    cyan = mapply(shifted, prapply(multiply, interval(ONE, TEN, TWO), sides))
    return fill(fill(I, SEVEN, orange), EIGHT, cyan)


def solve_dbc1a6ce(I: Grid) -> Grid:
    """Blue dots in one row or one column are joined by cyan lines."""
    dots = ofcolor(I, ONE)
    links = prapply(connect, dots, dots)
    straight = sfilter(links, fork(either, hline, vline))
    return underfill(I, EIGHT, merge(straight))


def solve_dc0a314f(I: Grid) -> Grid:
    """The green block hides a part of a symmetrical mosaic: show that part."""
    hidden = ofcolor(I, THREE)
    from_right = paint(I, toobject(hidden, vmirror(I)))
    still_hidden = ofcolor(from_right, THREE)
    from_below = paint(from_right, toobject(still_hidden, hmirror(from_right)))
    return subgrid(hidden, from_below)


def solve_dc1df850(I: Grid) -> Grid:
    """Red dots get a blue ring."""
    dots = apply(initset, ofcolor(I, TWO))
    return fill(I, ONE, mapply(outbox, dots))


def solve_dc433765(I: Grid) -> Grid:
    """The green dot takes one step towards the yellow dot."""
    walker = ofcolor(I, THREE)
    goal = ofcolor(I, FOUR)
    return move(I, recolor(THREE, walker), position(walker, goal))


def solve_ddf7fa4f(I: Grid) -> Grid:
    """Gray blocks take the colour of the dot in the top row above them."""
    things = objects(I, T, F, T)
    blocks = colorfilter(things, FIVE)
    dots = difference(things, blocks)
    dot_above = compose(lbind(extract, dots), lbind(lbind, vmatching))
    return paint(I, mapply(fork(recolor, compose(color, dot_above), identity), blocks))


def solve_de1cd16c(I: Grid) -> Grid:
    """The colour of the area with the most noise dots in it."""
    noise = leastcolor(I)
    areas = sfilter(partition(I), compose(flip, matcher(color, noise)))
    content = compose(rbind(toobject, I), backdrop)
    dots_within = compose(rbind(colorcount, noise), content)
    return canvas(color(argmax(areas, dots_within)), UNITY)


def solve_ded97339(I: Grid) -> Grid:
    """Cyan dots in one row or one column are joined."""
    dots = ofcolor(I, EIGHT)
    links = prapply(connect, dots, dots)
    straight = mfilter(links, fork(either, vline, hline))
    return fill(I, EIGHT, straight)


def solve_e179c5f4(I: Grid) -> Grid:
    """A blue ball rises from the lower left corner and bounces between the sides, on cyan."""
    across = decrement(width(I))
    turning_point = astuple(invert(across), across)
    back = toivec(invert(double(across)))
    one_period = combine(connect(ORIGIN, turning_point), connect(turning_point, back))
    offsets = prapply(multiply, interval(ZERO, TEN, ONE), initset(back))
    track = shift(mapply(lbind(shift, one_period), offsets), toivec(decrement(height(I))))
    return fill(canvas(EIGHT, shape(I)), ONE, track)


def solve_e21d9049(I: Grid) -> Grid:
    """The two arms of the cross are continued periodically to the edges of the grid."""
    cross = toobject(difference(asindices(I), ofcolor(I, ZERO)), I)
    places = apply(last, totuple(cross))
    row = mostcommon(apply(first, places))
    column = mostcommon(apply(last, places))
    flat_arm = sfilter(cross, matcher(chain(first, last, identity), row))
    upright_arm = sfilter(cross, matcher(chain(last, last, identity), column))
    multiples = interval(-9, TEN, ONE)
    sideways = prapply(multiply, multiples, initset(tojvec(width(flat_arm))))
    up_and_down = prapply(multiply, multiples, initset(toivec(height(upright_arm))))
    with_row = paint(I, mapply(lbind(shift, flat_arm), sideways))
    return paint(with_row, mapply(lbind(shift, upright_arm), up_and_down))


def solve_e26a3af2(I: Grid) -> Grid:
    """Take the noise out of a grid of stripes, upright or flat."""
    column_colours = apply(mostcommon, dmirror(I))
    row_colours = apply(mostcommon, I)
    upright = vupscale(repeat(column_colours, ONE), height(I))
    flat = hupscale(apply(rbind(repeat, ONE), row_colours), width(I))
    is_upright = greater(size(dedupe(column_colours)), size(dedupe(row_colours)))
    return branch(is_upright, upright, flat)


def solve_e3497940(I: Grid) -> Grid:
    """The right half is folded over the left one, on the gray line."""
    left = lefthalf(I)
    folded = vmirror(righthalf(I))
    coloured = difference(asobject(folded), toobject(ofcolor(folded, ZERO), folded))
    return paint(left, coloured)


def solve_e48d4e1a(I: Grid) -> Grid:
    """The cross moves down and to the left by one for every gray cell."""
    lines = frontiers(replace(I, FIVE, ZERO))
    coloured = sfilter(lines, compose(flip, matcher(color, ZERO)))
    crossing = center(intersection(extract(coloured, hline), extract(coloured, vline)))
    steps = multiply(DOWN_LEFT, colorcount(I, FIVE))
    moved = add(crossing, steps)
    colour = color(first(coloured))
    return fill(canvas(ZERO, shape(I)), colour, combine(hfrontier(moved), vfrontier(moved)))


def solve_e50d258f(I: Grid) -> Grid:
    """Cut out the block with the most red."""
    on_black = hconcat(I, canvas(ZERO, shape(I)))
    blocks = objects(on_black, F, F, T)
    return subgrid(argmax(blocks, rbind(colorcount, TWO)), I)


def solve_e76a88a6(I: Grid) -> Grid:
    """The patterned block is copied onto every gray block."""
    blocks = objects(I, F, F, T)
    patterned = argmax(blocks, numcolors)
    places = apply(ulcorner, remove(patterned, blocks))
    return paint(I, mapply(lbind(shift, normalize(patterned)), places))


def solve_e8593010(I: Grid) -> Grid:
    """Black shapes of one, two and three cells become green, red and blue."""
    holes = colorfilter(objects(I, T, F, F), ZERO)
    by_size = fork(recolor, compose(lbind(subtract, FOUR), size), identity)
    return paint(I, mapply(by_size, holes))


def solve_e9614598(I: Grid) -> Grid:
    """A green plus stands half way between the two blue dots."""
    middle = center(ofcolor(I, ONE))
    plus = insert(middle, dneighbors(middle))
    return fill(I, THREE, plus)


def solve_e98196ab(I: Grid) -> Grid:
    """The upper and the lower half, parted by a gray row, are laid over each other."""
    upper = tophalf(I)
    lower = bottomhalf(I)
    coloured = difference(asindices(lower), ofcolor(lower, ZERO))
    return paint(upper, toobject(coloured, lower))


def solve_e9afcf9a(I: Grid) -> Grid:
    """The two rows change places in every second column."""
    odd_columns = interval(ONE, width(I), TWO)
    cells = prapply(astuple, interval(ZERO, height(I), ONE), odd_columns)
    return paint(I, toobject(cells, hmirror(I)))


def solve_ea32f347(I: Grid) -> Grid:
    """The longest gray bar becomes blue, the shortest red and the one between yellow."""
    bars = objects(I, T, F, T)
    with_long = fill(replace(I, FIVE, FOUR), ONE, argmax(bars, size))
    return fill(with_long, TWO, argmin(bars, size))


def solve_ea786f4a(I: Grid) -> Grid:
    """Both diagonals of the square become black."""
    everything = asindices(I)
    falling = connect(ulcorner(everything), lrcorner(everything))
    rising = connect(llcorner(everything), urcorner(everything))
    return fill(I, ZERO, combine(falling, rising))


def solve_eb281b96(I: Grid) -> Grid:
    """The wave goes down, is mirrored up, and does so twice, with the turning rows shared."""
    without_first = crop(I, DOWN, shape(I))
    turned = hmirror(I)
    turned_without_first = crop(turned, DOWN, shape(I))
    once = vconcat(I, turned_without_first)
    return vconcat(vconcat(once, without_first), turned_without_first)


def solve_eb5a1d5d(I: Grid) -> Grid:
    """Nested rectangles are drawn again as nested squares whose rings are one cell broad."""
    layers = order(objects(I, T, F, F), compose(invert, compose(size, backdrop)))
    count = size(layers)
    side = decrement(double(count))
    starts = apply(rbind(multiply, UNITY), interval(ZERO, count, ONE))
    ends = apply(lbind(subtract, astuple(side, side)), apply(increment, starts))
    rings = apply(box, papply(connect, starts, ends))
    drawing = mpapply(recolor, apply(color, layers), rings)
    return paint(canvas(ZERO, astuple(side, side)), drawing)


def solve_ec883f72(I: Grid) -> Grid:
    """Rays in the colour of the inner shape leave the corners of the outer one diagonally."""
    shapes = objects(I, T, F, T)
    outer_shape = argmax(shapes, compose(size, backdrop))
    colour = other(remove(ZERO, palette(I)), color(outer_shape))
    falling = combine(shoot(ulcorner(outer_shape), NEG_UNITY), shoot(lrcorner(outer_shape), UNITY))
    rising = combine(shoot(urcorner(outer_shape), UP_RIGHT), shoot(llcorner(outer_shape), DOWN_LEFT))
    hull = backdrop(outer_shape)
    return fill(I, colour, difference(combine(falling, rising), hull))


def solve_ed36ccf7(I: Grid) -> Grid:
    """A quarter turn against the clock."""
    return rot270(I)


def solve_f25fbde4(I: Grid) -> Grid:
    """The shape, cut out and drawn twice as large."""
    return upscale(subgrid(ofcolor(I, FOUR), I), TWO)


def solve_f25ffba3(I: Grid) -> Grid:
    """The lower half is mirrored into the upper half."""
    lower = bottomhalf(I)
    return vconcat(hmirror(lower), lower)


def solve_f2829549(I: Grid) -> Grid:
    """Green wherever neither half has a colour."""
    left = lefthalf(I)
    right = righthalf(I)
    free_in_both = intersection(ofcolor(left, ZERO), ofcolor(right, ZERO))
    return fill(canvas(ZERO, shape(left)), THREE, free_in_both)


def solve_f5b8619d(I: Grid) -> Grid:
    """Columns with a dot get a cyan background, and the result is repeated two by two."""
    dots = difference(asindices(I), ofcolor(I, ZERO))
    columns = mapply(vfrontier, dots)
    one_row = merge(repeat(dmirror(underfill(I, EIGHT, columns)), TWO))
    return merge(repeat(dmirror(one_row), TWO))


def solve_f76d97a5(I: Grid) -> Grid:
    """Gray takes over the other colour, whose own cells become black."""
    colour = other(palette(I), FIVE)
    return replace(replace(I, colour, ZERO), FIVE, colour)


def solve_f8a8fe49(I: Grid) -> Grid:
    """Gray shapes between two red brackets are mirrored outwards, each over the nearer bracket."""
    things = objects(I, T, T, T)
    brackets = colorfilter(things, TWO)
    shapes = colorfilter(things, FIVE)
    mirror = branch(portrait(first(brackets)), vmirror, hmirror)
    distance_from = lbind(lbind, manhattan)
    nearest = compose(lbind(argmin, brackets), distance_from)
    way = fork(gravitate, identity, nearest)
    own_extent = fork(multiply, compose(sign, way), shape)
    beyond = compose(crement, fork(add, compose(double, way), own_extent))
    return paint(cover(I, merge(shapes)), mapply(fork(shift, mirror, beyond), shapes))


def solve_f8b3ba0a(I: Grid) -> Grid:
    """The colours other than that of the ordinary blocks, from the most to the least frequent."""
    blocks = ofcolor(I, ZERO)
    ordinary = mostcolor(toobject(difference(asindices(I), blocks), I))
    rare = remove(ordinary, remove(ZERO, palette(I)))
    ranked = order(rare, compose(invert, lbind(colorcount, I)))
    return apply(rbind(repeat, ONE), ranked)


def solve_f8ff0b80(I: Grid) -> Grid:
    """The colours of the shapes, from the largest to the smallest."""
    ranked = order(objects(I, T, T, T), compose(invert, size))
    return apply(rbind(repeat, ONE), apply(color, ranked))


def solve_f9012d9b(I: Grid) -> Grid:
    """The part of a periodic pattern that lies under the black square."""
    hidden = ofcolor(I, ZERO)
    known = toobject(difference(asindices(I), hidden), I)
    is_whole = compose(flip, lbind(contained, ZERO))
    across = hperiod(asobject(sfilter(I, is_whole)))
    down = hperiod(asobject(sfilter(dmirror(I), is_whole)))
    steps = interval(-9, TEN, ONE)
    offsets = prapply(multiply, prapply(astuple, steps, steps), initset(astuple(down, across)))
    return subgrid(hidden, paint(I, mapply(lbind(shift, known), offsets)))


def solve_fafffa47(I: Grid) -> Grid:
    """Red wherever neither the upper nor the lower half has a colour."""
    upper = tophalf(I)
    free_in_both = intersection(ofcolor(upper, ZERO), ofcolor(bottomhalf(I), ZERO))
    return fill(canvas(ZERO, shape(upper)), TWO, free_in_both)


def solve_fcb5c309(I: Grid) -> Grid:
    """Cut out the largest frame and draw it in the colour of the dots."""
    frame = argmax(objects(I, T, F, T), compose(size, backdrop))
    cut_out = subgrid(frame, I)
    dot_colour = other(remove(ZERO, palette(I)), color(frame))
    return replace(cut_out, color(frame), dot_colour)


def solve_fcc82909(I: Grid) -> Grid:
    """Below each block of four cells stands a green block with a row for each of its colours."""
    blocks = objects(I, F, F, T)
    extent = compose(rbind(astuple, TWO), numcolors)
    green_block = chain(asobject, lbind(canvas, THREE), extent)
    below = compose(lbind(add, DOWN), llcorner)
    return paint(I, mapply(fork(shift, green_block, below), blocks))


def solve_feca6190(I: Grid) -> Grid:
    """Every dot runs up to the right, on a square five times as large as the number of dots."""
    dots = apply(initset, toobject(difference(asindices(I), ofcolor(I, ZERO)), I))
    side = multiply(FIVE, size(dots))
    to_bottom = toivec(decrement(side))
    lowered = apply(rbind(shift, to_bottom), dots)
    track = compose(rbind(shoot, UP_RIGHT), ulcorner)
    return paint(canvas(ZERO, astuple(side, side)), mapply(fork(recolor, color, track), lowered))


def solve_ff28f65a(I: Grid) -> Grid:
    """The red squares are counted in blue cells, in a fixed order of five places."""
    count = size(objects(I, T, F, T))
    upper_places = astuple(ORIGIN, ZERO_BY_TWO)
    lower_places = astuple(TWO_BY_ZERO, TWO_BY_TWO)
    places = combine(combine(upper_places, initset(UNITY)), lower_places)
    chosen = apply(last, pair(interval(ZERO, count, ONE), places))
    return fill(canvas(ZERO, THREE_BY_THREE), ONE, combine(initset(ORIGIN), chosen))


def solve_ff805c23(I: Grid) -> Grid:
    """The blue block hides a part of a symmetrical mosaic: show that part."""
    hidden = ofcolor(I, ONE)
    from_right = paint(I, toobject(hidden, vmirror(I)))
    still_hidden = ofcolor(from_right, ONE)
    from_below = paint(from_right, toobject(still_hidden, hmirror(from_right)))
    return subgrid(hidden, from_below)
