"""Solvers for ARC-AGI-1 training tasks whose id starts with 0, 1, 2 or 3."""

from harness.dsl import *


def solve_007bbfb7(I: Grid) -> Grid:
    """Draw a copy of the picture in every 3x3 block whose own cell is coloured."""
    coloured = sfilter(asobject(I), compose(positive, first))
    block_corners = apply(lbind(multiply, THREE), toindices(coloured))
    copies = mapply(lbind(shift, coloured), block_corners)
    blank = canvas(ZERO, multiply(THREE, shape(I)))
    return paint(blank, copies)


def solve_00d62c1b(I: Grid) -> Grid:
    """Fill the black areas that a green outline shuts in with yellow."""
    black_areas = colorfilter(objects(I, T, F, F), ZERO)
    shut_in = compose(flip, rbind(bordering, I))
    return fill(I, FOUR, mfilter(black_areas, shut_in))


def solve_017c7c7b(I: Grid) -> Grid:
    """Continue the vertical pattern to nine rows and make it red."""
    period = vperiod(asobject(I))
    tile = crop(I, ORIGIN, astuple(period, width(I)))
    column_of_tiles = merge(repeat(tile, NINE))
    nine_rows = crop(column_of_tiles, ORIGIN, astuple(NINE, width(I)))
    return replace(nine_rows, ONE, TWO)


def solve_025d127b(I: Grid) -> Grid:
    """Push each slanted outline one column to the right; its bottom row and last column stay where they are."""
    outlines = objects(I, T, T, T)
    cross = fork(combine, hfrontier, vfrontier)
    pinned_of = fork(intersection, toindices, compose(cross, lrcorner))
    pinned = mapply(pinned_of, outlines)
    everything = merge(outlines)
    loose = difference(toindices(everything), pinned)
    blank = cover(I, everything)
    pushed = paint(blank, shift(toobject(loose, I), RIGHT))
    return paint(pushed, toobject(pinned, I))


def solve_045e512c(I: Grid) -> Grid:
    """Repeat the whole shape in each direction that holds a fragment of a copy, in the colour of the fragment."""
    motif = toindices(argmax(objects(I, T, T, T), size))
    directions = neighbors(ORIGIN)
    next_copy = compose(lbind(shift, motif), lbind(multiply, FOUR))
    fragment_in = compose(rbind(toobject, I), next_copy)
    colour_of = chain(maximum, lbind(apply, first), fragment_in)
    distances = interval(FOUR, multiply(FOUR, SIX), FOUR)
    steps_along = compose(lbind(lbind(prapply, multiply), distances), initset)
    copies_along = compose(lbind(mapply, lbind(shift, motif)), steps_along)
    return paint(I, mapply(fork(recolor, colour_of, copies_along), directions))


def solve_0520fde7(I: Grid) -> Grid:
    """Mark in red the cells that are blue on both sides of the grey wall."""
    left = lefthalf(I)
    right = righthalf(I)
    shared = intersection(ofcolor(left, ONE), ofcolor(right, ONE))
    return fill(canvas(ZERO, shape(left)), TWO, shared)


def solve_05269061(I: Grid) -> Grid:
    """Continue the three coloured antidiagonals over the whole grid."""
    known = sfilter(asobject(I), compose(positive, first))
    span = interval(invert(NINE), TEN, ONE)
    along = apply(rbind(multiply, UP_RIGHT), span)
    across = apply(compose(tojvec, lbind(multiply, THREE)), span)
    moves = prapply(add, along, across)
    return paint(I, mapply(lbind(shift, known), moves))


def solve_05f2a901(I: Grid) -> Grid:
    """Slide the red shape straight on until it touches the cyan square."""
    red = toobject(ofcolor(I, TWO), I)
    target = ofcolor(I, EIGHT)
    return move(I, red, gravitate(red, target))


def solve_06df4c85(I: Grid) -> Grid:
    """Within the lattice, fill the boxes between two boxes of one colour that share a row or a column."""
    lattice = color(first(frontiers(I)))
    drawn = sfilter(asobject(I), compose(positive, first))
    is_ground = compose(rbind(contained, astuple(ZERO, lattice)), color)
    layers = sfilter(partition(I), compose(flip, is_ground))
    links = fork(lbind(prapply, connect), toindices, toindices)
    straight = compose(rbind(mfilter, fork(either, hline, vline)), links)
    bridges = mapply(fork(recolor, color, straight), layers)
    return paint(paint(I, bridges), drawn)


def solve_08ed6ac7(I: Grid) -> Grid:
    """Colour the grey bars blue, red, green and yellow from the longest to the shortest."""
    bars = order(objects(I, T, F, T), compose(invert, size))
    numbered = pair(interval(ONE, FIVE, ONE), bars)
    return paint(I, mapply(fork(recolor, first, last), numbered))


def solve_09629e4f(I: Grid) -> Grid:
    """The box with the fewest colours is the plan: colour each box as the plan's cell in its place."""
    boxes = mapply(rbind(hsplit, THREE), vsplit(I, THREE))
    plan = argmin(boxes, numcolors)
    enlarged = crop(upscale(plan, FOUR), ORIGIN, shape(I))
    return fill(enlarged, FIVE, ofcolor(I, FIVE))


def solve_0962bcdd(I: Grid) -> Grid:
    """Lengthen the arms of each plus to two cells and let its middle colour grow two cells diagonally."""
    pluses = objects(I, F, F, T)
    middles = apply(centerofmass, pluses)
    inner_colour = index(I, first(middles))
    arm_colour = index(I, add(first(middles), UP))
    distances = astuple(ONE, TWO)
    straight = prapply(multiply, distances, dneighbors(ORIGIN))
    diagonal = prapply(multiply, distances, ineighbors(ORIGIN))
    longer = fill(I, arm_colour, prapply(add, middles, straight))
    return fill(longer, inner_colour, prapply(add, middles, diagonal))


def solve_0a938d79(I: Grid) -> Grid:
    """The two cells start stripes across the short side, which repeat along the long side in turn."""
    lying = branch(portrait(I), dmirror(I), I)
    seeds = sfilter(asobject(lying), compose(positive, first))
    stripes = mapply(fork(recolor, first, compose(vfrontier, last)), seeds)
    cycle = double(decrement(width(seeds)))
    jumps = apply(tojvec, interval(ZERO, width(lying), cycle))
    striped = paint(lying, mapply(lbind(shift, stripes), jumps))
    return branch(portrait(I), dmirror(striped), striped)


def solve_0b148d64(I: Grid) -> Grid:
    """Cut out the quarter that has a colour of its own."""
    return subgrid(ofcolor(I, leastcolor(I)), I)


def solve_0ca9ddb6(I: Grid) -> Grid:
    """Put orange beside each blue cell, and yellow at the corners of each red one."""
    beside_blue = mapply(dneighbors, ofcolor(I, ONE))
    corners_of_red = mapply(ineighbors, ofcolor(I, TWO))
    return fill(fill(I, SEVEN, beside_blue), FOUR, corners_of_red)


def solve_0d3d703e(I: Grid) -> Grid:
    """Exchange the colours 1 and 5, 2 and 6, 3 and 4, 8 and 9."""
    once = switch(I, ONE, FIVE)
    twice = switch(once, TWO, SIX)
    thrice = switch(twice, THREE, FOUR)
    return switch(thrice, EIGHT, NINE)


def solve_0dfd9992(I: Grid) -> Grid:
    """Fill the black holes of a pattern that repeats in both directions."""
    without_hole = compose(flip, lbind(contained, ZERO))
    coloured = compose(positive, first)
    wide = hperiod(asobject(sfilter(I, without_hole)))
    high = vperiod(asobject(dmirror(sfilter(dmirror(I), without_hole))))
    counts = interval(invert(NINE), TEN, ONE)
    down = prapply(multiply, counts, initset(toivec(high)))
    along = prapply(multiply, counts, initset(tojvec(wide)))
    mended = paint(I, mapply(lbind(shift, sfilter(asobject(I), coloured)), down))
    return paint(mended, mapply(lbind(shift, sfilter(asobject(mended), coloured)), along))


def solve_10fcaaa3(I: Grid) -> Grid:
    """Tile the picture twice by twice and put cyan at the free diagonal neighbours of its coloured cells."""
    row_of_tiles = hconcat(I, I)
    tiled = vconcat(row_of_tiles, row_of_tiles)
    coloured = sfilter(asindices(tiled), compose(positive, lbind(index, tiled)))
    return underfill(tiled, EIGHT, mapply(ineighbors, coloured))


def solve_11852cab(I: Grid) -> Grid:
    """Complete the pattern so that it is symmetric about its middle row, middle column and diagonals."""
    pattern = merge(fgpartition(I))
    slanted = combine(pattern, dmirror(pattern))
    upright = combine(slanted, hmirror(slanted))
    return paint(I, combine(upright, vmirror(upright)))


def solve_1190e5a7(I: Grid) -> Grid:
    """Count the fields that the lines cut the grid into: one cell for each."""
    lines = frontiers(I)
    rows = increment(size(sfilter(lines, hline)))
    columns = increment(size(sfilter(lines, vline)))
    return canvas(index(I, ORIGIN), astuple(rows, columns))


def solve_137eaa0f(I: Grid) -> Grid:
    """Lay all the fragments over one another with their grey cells in the middle."""
    around = compose(rbind(toobject, I), neighbors)
    to_middle = compose(increment, invert)
    fragments = mapply(fork(shift, around, to_middle), ofcolor(I, FIVE))
    blank = canvas(ZERO, THREE_BY_THREE)
    return fill(paint(blank, fragments), FIVE, initset(UNITY))


def solve_178fcbfb(I: Grid) -> Grid:
    """Draw a column through each red cell, then a row through each cell of another colour."""
    red = ofcolor(I, TWO)
    columns = fill(I, TWO, mapply(vfrontier, red))
    others = sfilter(merge(fgpartition(I)), compose(flip, matcher(first, TWO)))
    return paint(columns, mapply(fork(recolor, first, compose(hfrontier, last)), others))


def solve_1a07d186(I: Grid) -> Grid:
    """Stray cells move up against the line of their colour; those without such a line vanish."""
    things = objects(I, T, F, T)
    strays = sizefilter(things, ONE)
    lines = difference(things, strays)
    belongs = compose(rbind(contained, apply(color, lines)), color)
    own_line = chain(first, lbind(colorfilter, lines), color)
    pulled = fork(shift, identity, fork(gravitate, identity, own_line))
    return paint(cover(I, merge(strays)), mapply(pulled, sfilter(strays, belongs)))


def solve_1b2d62fb(I: Grid) -> Grid:
    """Mark in cyan the cells that are free on both sides of the blue wall."""
    left = lefthalf(I)
    right = righthalf(I)
    taken = combine(ofcolor(left, NINE), ofcolor(right, NINE))
    blank = canvas(ZERO, shape(left))
    return fill(blank, EIGHT, difference(asindices(blank), taken))


def solve_1b60fb0c(I: Grid) -> Grid:
    """Add in red the missing left arm of a shape that looks alike after each quarter turn."""
    figure = ofcolor(I, ONE)
    side = height(figure)
    corner = subtract(lrcorner(figure), decrement(side))
    area = crop(I, corner, astuple(side, side))
    turned = shift(ofcolor(rot90(area), ONE), corner)
    return underfill(I, TWO, turned)


def solve_1bfc4729(I: Grid) -> Grid:
    """In each half, draw both sides, the outer row and the row of the coloured cell in that cell's colour."""
    sides = mapply(vfrontier, corners(asindices(I)))
    upper = tophalf(I)
    lower = hmirror(bottomhalf(I))
    upper_colour = leastcolor(upper)
    lower_colour = leastcolor(lower)
    upper_rows = mapply(hfrontier, insert(ORIGIN, ofcolor(upper, upper_colour)))
    lower_rows = mapply(hfrontier, insert(ORIGIN, ofcolor(lower, lower_colour)))
    framed = fill(upper, upper_colour, combine(sides, upper_rows))
    lower_framed = fill(lower, lower_colour, combine(sides, lower_rows))
    return vconcat(framed, hmirror(lower_framed))


def solve_1c786137(I: Grid) -> Grid:
    """Cut out what the rectangular frame holds."""
    is_outline = fork(equality, toindices, box)
    frame = argmax(sfilter(objects(I, T, F, F), is_outline), size)
    return trim(subgrid(frame, I))


def solve_1caeab9d(I: Grid) -> Grid:
    """Move every shape up or down to the rows of the blue one."""
    shapes = fgpartition(I)
    goal = uppermost(ofcolor(I, ONE))
    way = chain(toivec, lbind(subtract, goal), uppermost)
    return paint(cover(I, merge(shapes)), mapply(fork(shift, identity, way), shapes))


def solve_1cf80156(I: Grid) -> Grid:
    """Cut out the only shape."""
    return subgrid(merge(fgpartition(I)), I)


def solve_1e0a9b12(I: Grid) -> Grid:
    """Let all coloured cells fall to the bottom of their columns."""
    fallen = apply(rbind(order, positive), dmirror(I))
    return dmirror(fallen)


def solve_1e32b0e9(I: Grid) -> Grid:
    """Complete in every box the figure of the first box, with the colour of the lattice."""
    lattice = index(I, toivec(FIVE))
    first_box = crop(I, ORIGIN, astuple(FIVE, FIVE))
    figure = difference(asindices(first_box), ofcolor(first_box, ZERO))
    starts = interval(ZERO, height(I), SIX)
    copies = mapply(lbind(shift, figure), prapply(astuple, starts, starts))
    return fill(I, lattice, intersection(copies, ofcolor(I, ZERO)))


def solve_1f0c79e5(I: Grid) -> Grid:
    """Sweep the square diagonally away over each of its red corners."""
    block = merge(fgpartition(I))
    colour = other(palette(block), TWO)
    middle = add(ulcorner(block), lrcorner(block))
    outward = chain(sign, rbind(subtract, middle), double)
    rays = prapply(shoot, toindices(block), apply(outward, ofcolor(I, TWO)))
    return fill(I, colour, merge(rays))


def solve_1f642eb9(I: Grid) -> Grid:
    """Each outside cell colours the nearest cell of the cyan block."""
    block_cells = apply(initset, ofcolor(I, EIGHT))
    outside = sizefilter(objects(I, T, F, T), ONE)
    nearest = compose(lbind(argmin, block_cells), lbind(lbind, manhattan))
    return paint(I, mapply(fork(recolor, color, nearest), outside))


def solve_1f85a75f(I: Grid) -> Grid:
    """Cut out the largest shape from among the noise."""
    return subgrid(argmax(objects(I, T, T, T), size), I)


def solve_1f876c06(I: Grid) -> Grid:
    """Join the two cells of each colour with a diagonal line."""
    ends = compose(totuple, toindices)
    line = compose(fork(connect, first, last), ends)
    return paint(I, mapply(fork(recolor, color, line), fgpartition(I)))


def solve_1fad071e(I: Grid) -> Grid:
    """Count the blue squares of two by two: that many of five cells are blue."""
    blue_square = asobject(canvas(ONE, TWO_BY_TWO))
    count = size(occurrences(I, blue_square))
    blue = canvas(ONE, astuple(ONE, count))
    return hconcat(blue, canvas(ZERO, astuple(ONE, subtract(FIVE, count))))


def solve_2013d3e2(I: Grid) -> Grid:
    """Cut out the upper left quarter of the shape."""
    figure = merge(fgpartition(I))
    return crop(I, ulcorner(figure), halve(shape(figure)))


def solve_2204b7a8(I: Grid) -> Grid:
    """Each green cell takes the colour of the border line that is nearer."""
    cells = objects(I, T, F, T)
    green = colorfilter(cells, THREE)
    lines = difference(cells, green)
    nearest = compose(lbind(argmin, lines), lbind(lbind, manhattan))
    return paint(I, mapply(fork(recolor, compose(color, nearest), identity), green))


def solve_22168020(I: Grid) -> Grid:
    """Fill each row of a shape from its leftmost cell to its rightmost one."""
    links = fork(lbind(prapply, connect), toindices, toindices)
    filled_rows = compose(rbind(mfilter, hline), links)
    return paint(I, mapply(fork(recolor, color, filled_rows), fgpartition(I)))


def solve_22233c11(I: Grid) -> Grid:
    """Beside each diagonal pair of green squares, put two cyan squares of their size outside the free corners."""
    steps_of = compose(rbind(apply, ineighbors(ORIGIN)), compose(lbind(lbind, multiply), compose(halve, width)))
    moved_gaps = fork(lbind(prapply, shift), compose(initset, delta), steps_of)
    own_lines = compose(lbind(mapply, fork(combine, hfrontier, vfrontier)), toindices)
    squares = fork(difference, compose(merge, moved_gaps), own_lines)
    return fill(I, EIGHT, mapply(squares, objects(I, T, T, T)))


def solve_2281f1f4(I: Grid) -> Grid:
    """Put red where the columns marked in the first row meet the rows marked in the last column."""
    marks = ofcolor(I, FIVE)
    above = sfilter(marks, matcher(first, ZERO))
    beside = sfilter(marks, matcher(last, decrement(width(I))))
    crossings = product(apply(first, beside), apply(last, above))
    return underfill(I, TWO, crossings)


def solve_228f6490(I: Grid) -> Grid:
    """Move each shape that is alone in its colour into the black hole of its form."""
    pieces = objects(I, T, F, F)
    holes = colorfilter(pieces, ZERO)
    coloured = sfilter(pieces, fork(equality, size, compose(lbind(colorcount, I), color)))
    form = compose(normalize, toindices)
    fitting = sfilter(coloured, compose(rbind(contained, apply(form, holes)), form))
    hole_for = compose(lbind(extract, holes), compose(lbind(matcher, form), form))
    moved = mapply(fork(recolor, color, hole_for), fitting)
    return paint(fill(I, ZERO, merge(fitting)), moved)


def solve_22eb0ac0(I: Grid) -> Grid:
    """Draw the row between two ends that have the same colour."""
    alike = cellwise(I, vmirror(I), ZERO)
    ends = merge(fgpartition(alike))
    return paint(I, mapply(fork(recolor, first, compose(hfrontier, last)), ends))


def solve_23581191(I: Grid) -> Grid:
    """Draw row and column through both cells in their colours, and red where the lines of the two cross."""
    seeds = merge(fgpartition(I))
    rows = mapply(fork(recolor, first, compose(hfrontier, last)), seeds)
    columns = mapply(fork(recolor, first, compose(vfrontier, last)), seeds)
    crossed = intersection(toindices(rows), toindices(columns))
    lined = paint(I, combine(rows, columns))
    return fill(lined, TWO, difference(crossed, toindices(seeds)))


def solve_239be575(I: Grid) -> Grid:
    """Answer in cyan if cyan cells link the red squares, else in black."""
    networks = objects(I, F, T, T)
    most_red = valmax(networks, rbind(colorcount, TWO))
    linked = equality(most_red, colorcount(I, TWO))
    return canvas(branch(linked, EIGHT, ZERO), UNITY)


def solve_23b5c85d(I: Grid) -> Grid:
    """Cut out the smallest rectangle."""
    return subgrid(ofcolor(I, leastcolor(I)), I)


def solve_253bf280(I: Grid) -> Grid:
    """Join in green the cyan cells that share a row or a column."""
    cyan = ofcolor(I, EIGHT)
    links = prapply(connect, cyan, cyan)
    return underfill(I, THREE, mfilter(links, fork(either, hline, vline)))


def solve_25d487eb(I: Grid) -> Grid:
    """From the odd cell in the base of the arrowhead, draw a ray out over its tip."""
    colour = leastcolor(I)
    odd = ofcolor(I, colour)
    arrowhead = merge(fgpartition(I))
    return underfill(I, colour, shoot(first(odd), position(odd, arrowhead)))


def solve_25d8a9c8(I: Grid) -> Grid:
    """Rows of one colour become grey, all the others black."""
    blank = canvas(ZERO, shape(I))
    return fill(blank, FIVE, mfilter(frontiers(I), hline))


def solve_25ff71a9(I: Grid) -> Grid:
    """Move the shape down by one row."""
    return move(I, merge(fgpartition(I)), DOWN)


def solve_272f95fa(I: Grid) -> Grid:
    """Colour the field in the middle of the lines magenta, and those above, left, right and below it each its own."""
    all_fields = colorfilter(objects(I, T, F, F), ZERO)
    middle = extract(all_fields, compose(flip, rbind(bordering, I)))
    fields = remove(middle, all_fields)
    where = lbind(position, middle)
    with_middle = fill(I, SIX, middle)
    with_above = fill(with_middle, TWO, extract(fields, matcher(where, UP)))
    with_left = fill(with_above, FOUR, extract(fields, matcher(where, LEFT)))
    with_right = fill(with_left, THREE, extract(fields, matcher(where, RIGHT)))
    return fill(with_right, ONE, extract(fields, matcher(where, DOWN)))


def solve_28bf18c6(I: Grid) -> Grid:
    """Cut the shape out and put it beside itself."""
    cutout = subgrid(merge(fgpartition(I)), I)
    return hconcat(cutout, cutout)


def solve_29623171(I: Grid) -> Grid:
    """Fill the boxes that hold the most coloured cells; empty the others."""
    colour = other(remove(ZERO, palette(I)), FIVE)
    marks = ofcolor(I, colour)
    starts = interval(ZERO, height(I), FOUR)
    first_box = asindices(canvas(ZERO, THREE_BY_THREE))
    boxes = apply(lbind(shift, first_box), prapply(astuple, starts, starts))
    marks_in = compose(size, lbind(intersection, marks))
    fullest = mfilter(boxes, matcher(marks_in, valmax(boxes, marks_in)))
    return fill(replace(I, colour, ZERO), colour, fullest)


def solve_29c11459(I: Grid) -> Grid:
    """Draw the row from each end to the middle in the colour of the end, and grey in the middle column."""
    bar = fork(recolor, first, compose(hfrontier, last))
    left_bars = mapply(bar, merge(fgpartition(lefthalf(I))))
    right_bars = mapply(bar, merge(fgpartition(righthalf(I))))
    grey_rows = fill(I, FIVE, left_bars)
    middle = crop(grey_rows, tojvec(halve(width(I))), astuple(height(I), ONE))
    left = paint(lefthalf(I), left_bars)
    right = paint(righthalf(I), right_bars)
    return hconcat(hconcat(left, middle), right)


def solve_29ec7d0e(I: Grid) -> Grid:
    """Fill the black holes of a pattern that repeats in both directions."""
    whole = compose(flip, lbind(contained, ZERO))
    period_across = hperiod(asobject(sfilter(I, whole)))
    period_down = hperiod(asobject(sfilter(dmirror(I), whole)))
    steps = interval(invert(NINE), TEN, ONE)
    downward = apply(compose(toivec, lbind(multiply, period_down)), steps)
    sideways = apply(compose(tojvec, lbind(multiply, period_across)), steps)
    seen = difference(asobject(I), toobject(ofcolor(I, ZERO), I))
    taller = paint(I, mapply(lbind(shift, seen), downward))
    still_seen = difference(asobject(taller), toobject(ofcolor(taller, ZERO), taller))
    return paint(taller, mapply(lbind(shift, still_seen), sideways))


def solve_2bcee788(I: Grid) -> Grid:
    """Reflect the shape in the side that red marks, and make the ground green."""
    mark = ofcolor(I, TWO)
    figure = toobject(ofcolor(I, other(palette(merge(fgpartition(I))), TWO)), I)
    jumps = apply(lbind(multiply, shape(figure)), dneighbors(ORIGIN))
    landing = lbind(shift, backdrop(figure))
    jump = extract(jumps, chain(positive, size, compose(lbind(intersection, mark), landing)))
    mirrored = branch(equality(first(jump), ZERO), vmirror(figure), hmirror(figure))
    copy = shift(mirrored, jump)
    return replace(paint(fill(I, ZERO, mark), copy), ZERO, THREE)


def solve_2bee17df(I: Grid) -> Grid:
    """Draw green lines over the rows and columns that are free from one side to the other."""
    free = colorfilter(frontiers(trim(I)), ZERO)
    return fill(I, THREE, shift(merge(free), UNITY))


def solve_2c608aff(I: Grid) -> Grid:
    """Lengthen the single cells that lie in line with the block until they reach it."""
    shapes = objects(I, T, F, T)
    block = argmax(shapes, size)
    singles = merge(remove(block, shapes))
    beams = prapply(connect, toindices(singles), toindices(block))
    return underfill(I, color(singles), mfilter(beams, fork(either, hline, vline)))


def solve_2dc579da(I: Grid) -> Grid:
    """Cut out the quarter that holds an odd cell."""
    quarters = mapply(rbind(hsplit, TWO), vsplit(I, TWO))
    return argmax(quarters, numcolors)


def solve_2dee498d(I: Grid) -> Grid:
    """Keep the first of three equal parts."""
    return crop(I, ORIGIN, astuple(height(I), divide(width(I), THREE)))


def solve_31aa019c(I: Grid) -> Grid:
    """Keep only the cell whose colour occurs once, with a red ring around it."""
    unique = leastcolor(I)
    place = ofcolor(I, unique)
    ringed = fill(canvas(ZERO, shape(I)), TWO, mapply(neighbors, place))
    return fill(ringed, unique, place)


def solve_321b1fc6(I: Grid) -> Grid:
    """Replace each cyan shape by the coloured one, which vanishes from its own place."""
    shapes = objects(I, T, F, T)
    cyan = colorfilter(shapes, EIGHT)
    model = merge(difference(shapes, cyan))
    stamps = mapply(compose(lbind(shift, normalize(model)), ulcorner), cyan)
    return paint(cover(I, merge(shapes)), stamps)


def solve_32597951(I: Grid) -> Grid:
    """Make the blue cells green that lie in the rectangle spanned by the cyan ones."""
    spanned = backdrop(ofcolor(I, EIGHT))
    return fill(I, THREE, intersection(spanned, ofcolor(I, ONE)))


def solve_3428a4f5(I: Grid) -> Grid:
    """Mark in green the cells that are red in just one of the two halves."""
    upper = ofcolor(tophalf(I), TWO)
    lower = ofcolor(bottomhalf(I), TWO)
    just_one = difference(combine(upper, lower), intersection(upper, lower))
    return fill(canvas(ZERO, shape(tophalf(I))), THREE, just_one)


def solve_3618c87e(I: Grid) -> Grid:
    """Let the blue cells sink through their posts into the ground."""
    blue = ofcolor(I, ONE)
    without_blue = replace(I, ONE, ZERO)
    return fill(without_blue, ONE, shift(blue, TWO_BY_ZERO))


def solve_3631a71a(I: Grid) -> Grid:
    """Restore what the burgundy squares hide; the pattern is symmetric but for its first two rows and columns."""
    holed = replace(I, NINE, ZERO)
    transposed = sfilter(asobject(dmirror(holed)), compose(positive, first))
    slanted = paint(holed, transposed)
    inner = crop(slanted, TWO_BY_TWO, subtract(shape(I), TWO))
    cells = asobject(inner)
    upright = combine(cells, hmirror(cells))
    symmetric = paint(inner, combine(upright, vmirror(upright)))
    return paint(slanted, shift(asobject(symmetric), TWO_BY_TWO))


def solve_363442ee(I: Grid) -> Grid:
    """Stamp the picture of the upper left corner around every blue cell."""
    corner = crop(I, ORIGIN, THREE_BY_THREE)
    centres = difference(ofcolor(I, ONE), asindices(corner))
    stamps = mapply(compose(lbind(shift, asobject(corner)), decrement), centres)
    return paint(I, stamps)


def solve_3906de3d(I: Grid) -> Grid:
    """Push the red bars up until they meet the blue."""
    pushed = apply(rbind(order, matcher(identity, ZERO)), dmirror(I))
    return dmirror(pushed)


def solve_39a8645d(I: Grid) -> Grid:
    """Cut out the shape that occurs most often."""
    shapes = objects(I, T, T, T)
    commonest = mostcommon(apply(color, totuple(shapes)))
    return subgrid(first(colorfilter(shapes, commonest)), I)


def solve_3aa6fb7a(I: Grid) -> Grid:
    """Put blue into the inner corner of each cyan angle."""
    angles = objects(I, T, F, T)
    return fill(I, ONE, mapply(delta, angles))


def solve_3ac3eb23(I: Grid) -> Grid:
    """Below each cell of the first row, repeat a zigzag: both diagonal neighbours, then the cell again."""
    seeds = merge(fgpartition(I))
    zigzag = insert(ORIGIN, sfilter(ineighbors(ORIGIN), compose(positive, first)))
    drops = apply(toivec, interval(ZERO, height(I), TWO))
    moves = prapply(add, zigzag, drops)
    return paint(I, mapply(lbind(shift, seeds), moves))


def solve_3af2c5a8(I: Grid) -> Grid:
    """Put the picture, its mirror images and its half turn together into a symmetric one."""
    upper = hconcat(I, vmirror(I))
    return vconcat(upper, hmirror(upper))


def solve_3bd67248(I: Grid) -> Grid:
    """From the foot of the coloured column, draw a red ray up to the right and a yellow one along the ground."""
    foot = llcorner(asindices(I))
    ground = shoot(add(foot, RIGHT), RIGHT)
    slope = shoot(add(foot, UP_RIGHT), UP_RIGHT)
    return fill(fill(I, FOUR, ground), TWO, slope)


def solve_3bdb4ada(I: Grid) -> Grid:
    """Pierce the middle row of each bar at every second cell."""
    stride = product(initset(ZERO), interval(ZERO, width(I), TWO))
    dotted = chain(lbind(shift, stride), increment, ulcorner)
    return fill(I, ZERO, mapply(fork(intersection, toindices, dotted), objects(I, T, F, T)))


def solve_3befdf3e(I: Grid) -> Grid:
    """Exchange core and ring of each square, and wrap it in the ring's colour, as wide as the core, bar the corners."""
    squares = objects(I, F, F, T)
    core_width = chain(decrement, decrement, width)
    steps = compose(rbind(apply, dneighbors(ORIGIN)), compose(lbind(lbind, multiply), core_width))
    flaps = compose(merge, fork(lbind(prapply, shift), compose(initset, backdrop), steps))
    wrapped = paint(I, mapply(fork(recolor, mostcolor, flaps), squares))
    turned_ring = mapply(fork(recolor, leastcolor, box), squares)
    turned_core = mapply(fork(recolor, mostcolor, fork(difference, backdrop, box)), squares)
    return paint(paint(wrapped, turned_ring), turned_core)


def solve_3c9b0459(I: Grid) -> Grid:
    """Turn the grid upside down, by two quarter turns."""
    half_turn = power(rot90, TWO)
    return half_turn(I)


def solve_3de23699(I: Grid) -> Grid:
    """Cut out what lies inside the four corner cells, in their colour."""
    layers = fgpartition(I)
    posts = extract(layers, fork(equality, toindices, corners))
    figure = other(layers, posts)
    inside = trim(subgrid(posts, I))
    return replace(inside, color(figure), color(posts))


def solve_3eda0437(I: Grid) -> Grid:
    """Fill the largest black rectangle with magenta."""
    sizes = product(interval(TWO, increment(height(I)), ONE), interval(TWO, increment(width(I)), ONE))
    places = compose(lbind(occurrences, I), compose(asobject, lbind(canvas, ZERO)))
    fitting = sfilter(sizes, chain(positive, size, places))
    largest = argmax(fitting, fork(multiply, first, last))
    rectangle = asindices(canvas(ZERO, largest))
    return fill(I, SIX, shift(rectangle, first(places(largest))))


def solve_3f7978a0(I: Grid) -> Grid:
    """Cut out the frame of two grey posts with their cyan ends."""
    posts = ofcolor(I, FIVE)
    with_ends = combine(shift(posts, UP), shift(posts, DOWN))
    return subgrid(with_ends, I)
