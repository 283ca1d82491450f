"""Solvers of the training tasks whose id starts with 8, 9, a or b."""

from harness.dsl import *


def solve_80af3007(I: Grid) -> Grid:
    """Shrink the picture of blocks to one cell per block, and draw it once for each of its own cells."""
    enlarged = subgrid(ofcolor(I, FIVE), I)
    pattern = downscale(enlarged, THREE)
    row_of_patterns = hconcat(hconcat(pattern, pattern), pattern)
    tiling = vconcat(vconcat(row_of_patterns, row_of_patterns), row_of_patterns)
    return cellwise(enlarged, tiling, ZERO)


def solve_810b9b61(I: Grid) -> Grid:
    """Colour green every shape that is a closed rectangular frame."""
    shapes = objects(I, T, F, T)
    is_outline = fork(equality, toindices, box)
    is_thick = chain(rbind(greater, ONE), minimum, shape)
    is_frame = fork(both, is_outline, is_thick)
    return fill(I, THREE, mfilter(shapes, is_frame))


def solve_82819916(I: Grid) -> Grid:
    """Continue every unfinished row with its own two colours in the rhythm of the complete row."""
    rows_drawn = objects(I, F, F, T)
    complete = argmax(rows_drawn, size)
    leading = index(I, ulcorner(complete))
    template = subgrid(complete, I)
    leading_places = ofcolor(template, leading)
    other_places = difference(asindices(template), leading_places)
    own_leading = compose(lbind(index, I), ulcorner)
    own_other = fork(other, palette, own_leading)
    put_leading = fork(recolor, own_leading, compose(lbind(shift, leading_places), ulcorner))
    put_other = fork(recolor, own_other, compose(lbind(shift, other_places), ulcorner))
    return paint(I, mapply(fork(combine, put_leading, put_other), rows_drawn))


def solve_83302e8f(I: Grid) -> Grid:
    """Fill the square rooms in green, and the rooms joined by gaps in the walls, gaps included, in yellow."""
    rooms = colorfilter(objects(I, T, F, F), ZERO)
    square_rooms = sfilter(rooms, square)
    joined_rooms = difference(rooms, square_rooms)
    return fill(fill(I, THREE, merge(square_rooms)), FOUR, merge(joined_rooms))


def solve_834ec97d(I: Grid) -> Grid:
    """Drop the cell by one row, and stripe every other column above it in yellow, from its own column on."""
    cell = first(fgpartition(I))
    row = uppermost(cell)
    column = leftmost(cell)
    columns = combine(interval(column, NEG_ONE, NEG_TWO), interval(column, width(I), TWO))
    stripes = mapply(compose(vfrontier, tojvec), columns)
    down_to_cell = compose(lbind(greater, increment(row)), first)
    dropped = move(I, cell, DOWN)
    return fill(dropped, FOUR, sfilter(stripes, down_to_cell))


def solve_8403a5d5(I: Grid) -> Grid:
    """Stripe every other column from the cell on; grey cells close the gaps alternately at the top and bottom."""
    cell = first(fgpartition(I))
    column = leftmost(cell)
    right_end = width(I)
    bottom = decrement(height(I))
    stripes = mapply(compose(vfrontier, tojvec), interval(column, right_end, TWO))
    at_top = apply(tojvec, interval(increment(column), right_end, FOUR))
    at_bottom = apply(lbind(astuple, bottom), interval(add(column, THREE), right_end, FOUR))
    striped = fill(I, color(cell), stripes)
    return fill(striped, FIVE, combine(at_top, at_bottom))


def solve_846bdb03(I: Grid) -> Grid:
    """Put the two-coloured shape into the frame, mirrored where needed so that its colours meet those of the sides."""
    frame_corners = ofcolor(I, FOUR)
    frame = subgrid(frame_corners, I)
    left_color = index(frame, DOWN)
    without_frame = fill(I, ZERO, backdrop(frame_corners))
    cells = merge(fgpartition(without_frame))
    fits = equality(leftmost(ofcolor(without_frame, left_color)), leftmost(cells))
    turned = branch(fits, cells, vmirror(cells))
    return paint(frame, shift(normalize(turned), UNITY))


def solve_855e0971(I: Grid) -> Grid:
    """Widen each black cell into a trench across its own band."""
    bands = remove(ZERO, palette(I))
    across = equality(width(ofcolor(I, first(bands))), width(I))
    turn = branch(across, identity, dmirror)
    turned = turn(I)
    black = ofcolor(turned, ZERO)
    band_area = compose(backdrop, lbind(ofcolor, turned))
    columns = chain(lbind(mapply, vfrontier), lbind(intersection, black), band_area)
    return turn(fill(turned, ZERO, mapply(fork(intersection, columns, band_area), bands)))


def solve_85c4e7cd(I: Grid) -> Grid:
    """Give the concentric rings their colours in reverse order."""
    rings = objects(I, T, F, F)
    inward = order(rings, ulcorner)
    outward = order(rings, compose(invert, uppermost))
    return paint(I, merge(papply(recolor, apply(color, outward), inward)))


def solve_868de0fa(I: Grid) -> Grid:
    """Fill the square holes: red where the side is even, orange where it is odd."""
    regions = colorfilter(objects(I, T, F, F), ZERO)
    holes = sfilter(regions, square)
    even_side = compose(even, height)
    even_holes = mfilter(holes, even_side)
    odd_holes = mfilter(holes, compose(flip, even_side))
    return fill(fill(I, TWO, even_holes), SEVEN, odd_holes)


def solve_88a10436(I: Grid) -> Grid:
    """Copy the colourful shape so that its centre lies on the grey cell."""
    target = ofcolor(I, FIVE)
    without_target = cover(I, target)
    original = merge(fgpartition(without_target))
    offset = subtract(center(target), center(original))
    return paint(without_target, shift(original, offset))


def solve_88a62173(I: Grid) -> Grid:
    """Of the four small tiles, show the one that differs."""
    tiles = mapply(rbind(hsplit, TWO), vsplit(I, TWO))
    return leastcommon(tiles)


def solve_8be77c9e(I: Grid) -> Grid:
    """Add the upside-down picture below."""
    return vconcat(I, hmirror(I))


def solve_8d5021e8(I: Grid) -> Grid:
    """Mirror the picture to the left, then stack it three times, upside down at the top and at the bottom."""
    upright = hconcat(vmirror(I), I)
    inverted = hconcat(rot180(I), hmirror(I))
    return vconcat(vconcat(inverted, upright), inverted)


def solve_8d510a79(I: Grid) -> Grid:
    """Lengthen red cells up to the grey wall, and blue ones away from it up to the border."""
    wall = ofcolor(I, FIVE)
    wall_row = uppermost(wall)
    foot_on_wall = compose(lbind(astuple, wall_row), last)
    to_wall = mapply(fork(connect, identity, foot_on_wall), ofcolor(I, TWO))
    blue = ofcolor(I, ONE)
    blue_above = sfilter(blue, compose(lbind(greater, wall_row), first))
    blue_below = difference(blue, blue_above)
    upwards = mapply(rbind(shoot, UP), blue_above)
    downwards = mapply(rbind(shoot, DOWN), blue_below)
    with_red = fill(I, TWO, to_wall)
    with_blue = fill(with_red, ONE, combine(upwards, downwards))
    return fill(with_blue, FIVE, wall)


def solve_8e1813be(I: Grid) -> Grid:
    """List the colours of the parallel lines in their order, as a square of as many lines."""
    block = toobject(ofcolor(I, FIVE), I)
    lines = remove(block, fgpartition(I))
    lie_flat = equality(height(first(lines)), ONE)
    place = branch(lie_flat, uppermost, leftmost)
    turn = branch(lie_flat, identity, dmirror)
    colors_in_order = apply(color, order(lines, place))
    rows = apply(rbind(repeat, size(lines)), colors_in_order)
    return turn(rows)


def solve_8e5a5113(I: Grid) -> Grid:
    """Next to the tile, fill in the tile turned by a quarter and the tile turned by a half."""
    tile = crop(I, ORIGIN, THREE_BY_THREE)
    separator = canvas(FIVE, astuple(THREE, ONE))
    left_part = hconcat(tile, separator)
    middle_part = hconcat(rot90(tile), separator)
    return hconcat(hconcat(left_part, middle_part), rot180(tile))


def solve_8eb1be9a(I: Grid) -> Grid:
    """Repeat the band of pattern upwards and downwards until the grid is full."""
    band = first(fgpartition(I))
    step = height(band)
    reach = multiply(step, multiply(TEN, THREE))
    offsets = apply(toivec, interval(invert(reach), reach, step))
    return underpaint(I, mapply(lbind(shift, band), offsets))


def solve_8efcae92(I: Grid) -> Grid:
    """Cut out the rectangle with the most red cells."""
    blue_parts = colorfilter(objects(I, T, F, F), ONE)
    cut_out = rbind(subgrid, I)
    rectangles = apply(cut_out, blue_parts)
    return argmax(rectangles, rbind(colorcount, TWO))


def solve_8f2ea7aa(I: Grid) -> Grid:
    """Draw the small pattern once at each place of the grid that the pattern itself marks."""
    pattern = subgrid(first(fgpartition(I)), I)
    row_of_patterns = hconcat(hconcat(pattern, pattern), pattern)
    tiling = vconcat(vconcat(row_of_patterns, row_of_patterns), row_of_patterns)
    return cellwise(upscale(pattern, THREE), tiling, ZERO)


def solve_90c28cc7(I: Grid) -> Grid:
    """Shrink the patchwork to one cell per patch."""
    patchwork = subgrid(merge(fgpartition(I)), I)
    distinct_rows = dedupe(patchwork)
    distinct_columns = dedupe(dmirror(distinct_rows))
    return dmirror(distinct_columns)


def solve_913fb3ed(I: Grid) -> Grid:
    """Surround each cell by a ring: magenta around green, blue around red, yellow around cyan."""
    ring = compose(outbox, initset)
    with_magenta = fill(I, SIX, mapply(ring, ofcolor(I, THREE)))
    with_blue = fill(with_magenta, ONE, mapply(ring, ofcolor(I, TWO)))
    return fill(with_blue, FOUR, mapply(ring, ofcolor(I, EIGHT)))


def solve_91413438(I: Grid) -> Grid:
    """Lay as many copies of the tile as it has coloured cells, in rows of as many tiles as it has empty cells."""
    per_row = colorcount(I, ZERO)
    copies = subtract(NINE, per_row)
    empty_tile = canvas(ZERO, shape(I))
    rest = subtract(multiply(per_row, per_row), copies)
    tiles = combine(repeat(I, copies), repeat(empty_tile, rest))
    strip = dmirror(mapply(dmirror, tiles))
    return merge(hsplit(strip, per_row))


def solve_91714a58(I: Grid) -> Grid:
    """Keep the largest one-coloured rectangle, and wipe out the noise, also that which sticks to it."""
    largest = argmax(objects(I, T, F, T), size)
    places = toindices(largest)
    neighbours_inside = chain(size, lbind(intersection, places), dneighbors)
    cleaned = sfilter(places, compose(rbind(greater, ONE), neighbours_inside))
    return fill(canvas(ZERO, shape(I)), color(largest), cleaned)


def solve_9172f3a0(I: Grid) -> Grid:
    """Enlarge threefold."""
    return upscale(I, THREE)


def solve_928ad970(I: Grid) -> Grid:
    """Draw a frame in the colour of the inner shape just inside the four grey cells."""
    marks = ofcolor(I, FIVE)
    inner_color = other(palette(cover(I, marks)), ZERO)
    return fill(I, inner_color, inbox(marks))


def solve_93b581b8(I: Grid) -> Grid:
    """Throw the colour of each cell of the 2x2 block over the block, into the opposite corner."""
    block = merge(fgpartition(I))
    corner_functions = combine(astuple(ulcorner, urcorner), astuple(lrcorner, llcorner))
    corner_colors = apply(lbind(index, I), rapply(corner_functions, block))
    downward = astuple(TWO_BY_TWO, astuple(TWO, NEG_TWO))
    offsets = combine(downward, apply(invert, downward))
    return paint(I, merge(papply(recolor, corner_colors, apply(lbind(shift, block), offsets))))


def solve_941d9a10(I: Grid) -> Grid:
    """Of the rooms between the grey walls, fill the first one blue, the middle one red and the last one green."""
    rooms = colorfilter(objects(I, T, F, F), ZERO)
    all_places = asindices(I)
    room_at = chain(lbind(extract, rooms), rbind(compose, toindices), lbind(lbind, contained))
    with_first = fill(I, ONE, room_at(ulcorner(all_places)))
    with_middle = fill(with_first, TWO, room_at(center(all_places)))
    return fill(with_middle, THREE, room_at(lrcorner(all_places)))


def solve_94f9d214(I: Grid) -> Grid:
    """Mark in red what is empty in both halves."""
    empty_above = ofcolor(tophalf(I), ZERO)
    empty_below = ofcolor(bottomhalf(I), ZERO)
    blank = canvas(ZERO, shape(tophalf(I)))
    return fill(blank, TWO, intersection(empty_above, empty_below))


def solve_952a094c(I: Grid) -> Grid:
    """Move the four cells in the corners inside the frame to the opposite corners outside."""
    frame = argmax(fgpartition(I), size)
    inside = inbox(frame)
    corner_functions = combine(astuple(ulcorner, urcorner), astuple(llcorner, lrcorner))
    opposite_functions = combine(astuple(lrcorner, llcorner), astuple(urcorner, ulcorner))
    corner_colors = apply(lbind(index, I), rapply(corner_functions, inside))
    targets = rapply(opposite_functions, outbox(frame))
    emptied = fill(I, ZERO, inside)
    return paint(emptied, papply(astuple, corner_colors, targets))


def solve_9565186b(I: Grid) -> Grid:
    """Keep the most common colour, and turn all else grey."""
    main_part = argmax(partition(I), size)
    return paint(canvas(FIVE, shape(I)), main_part)


def solve_95990924(I: Grid) -> Grid:
    """Number the four places diagonally outside each grey square: blue, red, green, yellow."""
    squares = objects(I, T, F, T)
    numbered = chain(lbind(pair, interval(ONE, FIVE, ONE)), corners, outbox)
    return underpaint(I, merge(apply(numbered, totuple(squares))))


def solve_963e52fc(I: Grid) -> Grid:
    """Continue the horizontal pattern to twice the width."""
    pattern = asobject(I)
    period = hperiod(pattern)
    double_width = double(width(I))
    offsets = apply(tojvec, interval(ZERO, double_width, period))
    blank = canvas(ZERO, astuple(height(I), double_width))
    return paint(blank, mapply(lbind(shift, pattern), offsets))


def solve_97999447(I: Grid) -> Grid:
    """From each cell draw a line to the right border, its own colour and grey by turns."""
    dots = objects(I, T, F, T)
    line = fork(recolor, color, chain(rbind(shoot, RIGHT), ulcorner, identity))
    odd_offsets = apply(tojvec, interval(ONE, width(I), TWO))
    grey_places = merge(prapply(shift, apply(toindices, dots), odd_offsets))
    return fill(paint(I, mapply(line, dots)), FIVE, grey_places)


def solve_98cf29f8(I: Grid) -> Grid:
    """Pull the block with the tail along the tail up to the other block; the tail disappears."""
    blocks = fgpartition(I)
    has_tail = chain(positive, size, delta)
    tailed = extract(blocks, has_tail)
    anchor = other(blocks, tailed)
    places = toindices(tailed)
    count_in_row = chain(size, lbind(intersection, places), hfrontier)
    count_in_column = chain(size, lbind(intersection, places), vfrontier)
    in_the_thick = chain(rbind(greater, ONE), minimum, fork(astuple, count_in_row, count_in_column))
    body = recolor(color(tailed), sfilter(places, in_the_thick))
    return paint(cover(I, tailed), shift(body, gravitate(body, anchor)))


def solve_995c5fa3(I: Grid) -> Grid:
    """Name each grey tile by a colour, according to where its hole is, one row of the colour for each tile."""
    tiles = hsplit(I, THREE)
    hole_starts = combine(astuple(UNITY, DOWN), astuple(add(UNITY, DOWN), THREE_BY_THREE))
    names = combine(astuple(EIGHT, THREE), astuple(FOUR, TWO))
    look_up = chain(last, lbind(extract, pair(hole_starts, names)), lbind(matcher, first))
    hole_or_last_cell = compose(lbind(insert, THREE_BY_THREE), rbind(ofcolor, ZERO))
    name_of_tile = chain(look_up, ulcorner, hole_or_last_cell)
    return apply(compose(rbind(repeat, THREE), name_of_tile), tiles)


def solve_99b1bc43(I: Grid) -> Grid:
    """Mark in green what is coloured in exactly one of the two halves."""
    above = ofcolor(tophalf(I), ONE)
    below = ofcolor(bottomhalf(I), TWO)
    in_one_only = difference(combine(above, below), intersection(above, below))
    return fill(canvas(ZERO, shape(tophalf(I))), THREE, in_one_only)


def solve_99fa7670(I: Grid) -> Grid:
    """From each cell draw a line to the right border and from there down, until the next line begins."""
    dots = order(objects(I, T, F, T), uppermost)
    right_border = decrement(width(I))
    border_place = compose(rbind(astuple, right_border), uppermost)
    sideways = compose(rbind(shoot, RIGHT), ulcorner)
    downwards = compose(rbind(shoot, DOWN), border_place)
    path = fork(recolor, color, fork(combine, sideways, downwards))
    return paint(I, mapply(path, dots))


def solve_9aec4887(I: Grid) -> Grid:
    """Put the cyan shape into the frame; each of its cells takes the colour of the nearest side, ties stay cyan."""
    shape_cells = ofcolor(I, EIGHT)
    without_shape = fill(I, ZERO, shape_cells)
    frame = subgrid(merge(fgpartition(without_shape)), without_shape)
    placed = shift(normalize(shape_cells), UNITY)
    last_line = decrement(height(frame))
    cell_sum = fork(add, first, last)
    above_diagonal = sfilter(placed, fork(greater, last, first))
    below_diagonal = sfilter(placed, fork(greater, first, last))
    near_start = sfilter(placed, compose(lbind(greater, last_line), cell_sum))
    near_end = sfilter(placed, compose(rbind(greater, last_line), cell_sum))
    with_cyan = fill(frame, EIGHT, placed)
    with_top = fill(with_cyan, index(frame, RIGHT), intersection(above_diagonal, near_start))
    with_left = fill(with_top, index(frame, DOWN), intersection(below_diagonal, near_start))
    lower_left = astuple(last_line, ONE)
    with_bottom = fill(with_left, index(frame, lower_left), intersection(below_diagonal, near_end))
    upper_right = astuple(ONE, last_line)
    return fill(with_bottom, index(frame, upper_right), intersection(above_diagonal, near_end))


def solve_9af7a82c(I: Grid) -> Grid:
    """Show how often each colour occurs, as columns from the most common to the least common."""
    by_count = order(partition(I), compose(invert, size))
    longest = size(first(by_count))
    bar = fork(repeat, color, size)
    filler = chain(lbind(repeat, ZERO), lbind(subtract, longest), size)
    return dmirror(apply(fork(combine, bar, filler), by_count))


def solve_9dfd6313(I: Grid) -> Grid:
    """Mirror about the main diagonal."""
    return dmirror(I)


def solve_9ecd008a(I: Grid) -> Grid:
    """Show what the symmetry of the picture requires in the black hole."""
    hole = ofcolor(I, ZERO)
    return subgrid(hole, vmirror(I))


def solve_9edfc990(I: Grid) -> Grid:
    """Let the blue cells flow into the black regions that they touch."""
    regions = colorfilter(objects(I, T, F, F), ZERO)
    touches_blue = rbind(adjacent, ofcolor(I, ONE))
    return fill(I, ONE, mfilter(regions, touches_blue))


def solve_9f236235(I: Grid) -> Grid:
    """Take one cell of each room between the walls, and mirror the result left to right."""
    walls = frontiers(I)
    rooms_per_side = increment(halve(size(walls)))
    without_walls = compress(I)
    room_side = divide(height(without_walls), rooms_per_side)
    return vmirror(downscale(without_walls, room_side))


def solve_a1570a43(I: Grid) -> Grid:
    """Move the red shape into the room that the four green cells bound."""
    bounds_marks = ofcolor(I, THREE)
    red_shape = toobject(ofcolor(I, TWO), I)
    target = add(ulcorner(bounds_marks), UNITY)
    return move(I, red_shape, subtract(target, ulcorner(red_shape)))


def solve_a2fd1cf0(I: Grid) -> Grid:
    """Join the red cell to the green one: first along the row, then along the column."""
    start = first(ofcolor(I, TWO))
    goal = first(ofcolor(I, THREE))
    bend = astuple(first(start), last(goal))
    path = combine(connect(start, bend), connect(bend, goal))
    return underfill(I, EIGHT, path)


def solve_a3325580(I: Grid) -> Grid:
    """List the colours of the largest shapes from left to right, in as many rows as such a shape has cells."""
    shapes = objects(I, T, F, T)
    most_cells = valmax(shapes, size)
    largest = order(sizefilter(shapes, most_cells), leftmost)
    return repeat(apply(color, largest), most_cells)


def solve_a3df8b1e(I: Grid) -> Grid:
    """Let the ball in the lower left corner rise diagonally, bouncing between the left and right borders."""
    reach = decrement(width(I))
    start = first(ofcolor(I, ONE))
    right_turn = add(start, multiply(UP_RIGHT, reach))
    left_turn = add(start, multiply(UP, double(reach)))
    bounce = combine(connect(start, right_turn), connect(right_turn, left_turn))
    offsets = apply(toivec, interval(ZERO, invert(height(I)), multiply(NEG_TWO, reach)))
    return fill(I, ONE, mapply(lbind(shift, bounce), offsets))


def solve_a416b8f3(I: Grid) -> Grid:
    """Put the picture next to itself."""
    return hconcat(I, I)


def solve_a48eeaf7(I: Grid) -> Grid:
    """Move each grey cell to the nearest place around the red square."""
    grey = ofcolor(I, FIVE)
    around = outbox(ofcolor(I, TWO))
    distance_from = chain(rbind(compose, initset), lbind(lbind, manhattan), initset)
    nearest = compose(lbind(argmin, around), distance_from)
    return fill(cover(I, grey), FIVE, apply(nearest, grey))


def solve_a5313dff(I: Grid) -> Grid:
    """Fill the enclosed black regions in blue."""
    regions = colorfilter(objects(I, T, F, F), ZERO)
    is_enclosed = compose(flip, rbind(bordering, I))
    return fill(I, ONE, mfilter(regions, is_enclosed))


def solve_a5f85a15(I: Grid) -> Grid:
    """Turn the coloured cells of every second column yellow."""
    coloured = toindices(merge(fgpartition(I)))
    in_odd_column = chain(flip, even, last)
    return fill(I, FOUR, sfilter(coloured, in_odd_column))


def solve_a61ba2ce(I: Grid) -> Grid:
    """Put the four corner pieces together to a frame."""
    pieces = objects(I, T, F, T)
    gap = chain(first, delta, normalize)
    place = chain(double, lbind(subtract, UNITY), gap)
    fitted = mapply(fork(shift, normalize, place), pieces)
    return paint(canvas(ZERO, double(TWO_BY_TWO)), fitted)


def solve_a61f2674(I: Grid) -> Grid:
    """Show the tallest bar in blue and the shortest one in red, and remove the rest."""
    bars = objects(I, T, F, T)
    emptied = cover(I, merge(bars))
    with_tallest = fill(emptied, ONE, argmax(bars, height))
    return fill(with_tallest, TWO, argmin(bars, height))


def solve_a65b410d(I: Grid) -> Grid:
    """Continue the red row as a staircase: longer green rows above it, shorter blue rows below."""
    red = ofcolor(I, TWO)
    red_row = uppermost(red)
    limit = add(red_row, size(red))
    below_slope = compose(lbind(greater, limit), fork(add, first, last))
    staircase = sfilter(asindices(I), below_slope)
    above_red = sfilter(staircase, compose(lbind(greater, red_row), first))
    with_blue = fill(I, ONE, staircase)
    with_green = fill(with_blue, THREE, above_red)
    return fill(with_green, TWO, red)


def solve_a68b268e(I: Grid) -> Grid:
    """Lay the four quarters over each other: orange on top, then yellow, cyan and magenta."""
    upper_left = lefthalf(tophalf(I))
    upper_right = righthalf(tophalf(I))
    lower_left = lefthalf(bottomhalf(I))
    lower_right = righthalf(bottomhalf(I))
    with_cyan = fill(lower_right, EIGHT, ofcolor(lower_left, EIGHT))
    with_yellow = fill(with_cyan, FOUR, ofcolor(upper_right, FOUR))
    return fill(with_yellow, SEVEN, ofcolor(upper_left, SEVEN))


def solve_a699fb00(I: Grid) -> Grid:
    """Put red between two blue cells of a row."""
    blue = ofcolor(I, ONE)
    between = intersection(shift(blue, LEFT), shift(blue, RIGHT))
    return fill(I, TWO, between)


def solve_a740d043(I: Grid) -> Grid:
    """Cut out the shape, on black instead of blue."""
    cut_out = subgrid(merge(fgpartition(I)), I)
    return replace(cut_out, ONE, ZERO)


def solve_a78176bb(I: Grid) -> Grid:
    """Replace each grey triangle beside the diagonal by a diagonal that passes its far corner."""
    line_color = other(remove(ZERO, palette(I)), FIVE)
    grey = ofcolor(I, FIVE)
    triangles = colorfilter(objects(I, T, F, F), FIVE)
    above = shift(intersection(apply(urcorner, triangles), grey), UP_RIGHT)
    below = shift(intersection(apply(llcorner, triangles), grey), DOWN_LEFT)
    starts = combine(above, below)
    lines = combine(mapply(rbind(shoot, UNITY), starts), mapply(rbind(shoot, NEG_UNITY), starts))
    return fill(cover(I, grey), line_color, lines)


def solve_a79310a0(I: Grid) -> Grid:
    """Move the shape down by one, and turn it red."""
    lowered = move(I, first(fgpartition(I)), DOWN)
    return replace(lowered, EIGHT, TWO)


def solve_a85d4709(I: Grid) -> Grid:
    """Colour each row by the place of its grey cell: left red, middle yellow, right green."""
    grey = ofcolor(I, FIVE)
    left_rows = mapply(hfrontier, sfilter(grey, matcher(last, ZERO)))
    middle_rows = mapply(hfrontier, sfilter(grey, matcher(last, ONE)))
    right_rows = mapply(hfrontier, sfilter(grey, matcher(last, TWO)))
    return fill(fill(fill(I, TWO, left_rows), FOUR, middle_rows), THREE, right_rows)


def solve_a87f7484(I: Grid) -> Grid:
    """Of the tiles in a row or column, show the one with a pattern of its own."""
    turn = branch(portrait(I), dmirror, identity)
    tiles = hsplit(turn(I), decrement(numcolors(I)))
    pattern = rbind(ofcolor, ZERO)
    rare_pattern = leastcommon(apply(pattern, tiles))
    return turn(extract(tiles, matcher(pattern, rare_pattern)))


def solve_a9f96cdd(I: Grid) -> Grid:
    """Replace the red cell by four coloured cells diagonally around it."""
    red = ofcolor(I, TWO)
    around = order(ineighbors(first(red)), identity)
    new_colors = combine(astuple(THREE, SIX), astuple(EIGHT, SEVEN))
    return paint(cover(I, red), pair(new_colors, around))


def solve_aabf363d(I: Grid) -> Grid:
    """Give the shape the colour of the cell in the corner, and remove that cell."""
    corner_place = llcorner(asindices(I))
    new_color = index(I, corner_place)
    without_corner = fill(I, ZERO, initset(corner_place))
    return fill(without_corner, new_color, first(fgpartition(without_corner)))


def solve_ac0a08a4(I: Grid) -> Grid:
    """Enlarge by the number of coloured cells."""
    return upscale(I, decrement(numcolors(I)))


def solve_ae3edfdc(I: Grid) -> Grid:
    """Pull the green cells to the red centre, and the orange ones to the blue centre."""
    dots = objects(I, T, F, T)
    green = colorfilter(dots, THREE)
    orange = colorfilter(dots, SEVEN)
    to_red = rbind(gravitate, ofcolor(I, TWO))
    to_blue = rbind(gravitate, ofcolor(I, ONE))
    pulled_green = mapply(fork(shift, identity, to_red), green)
    pulled_orange = mapply(fork(shift, identity, to_blue), orange)
    emptied = cover(I, merge(combine(green, orange)))
    return paint(emptied, combine(pulled_green, pulled_orange))


def solve_ae4f1146(I: Grid) -> Grid:
    """Cut out the square with the most blue cells."""
    squares = objects(I, F, F, T)
    return subgrid(argmax(squares, rbind(colorcount, ONE)), I)


def solve_aedd82e4(I: Grid) -> Grid:
    """Turn isolated red cells blue."""
    red_shapes = colorfilter(objects(I, T, F, F), TWO)
    return fill(I, ONE, merge(sizefilter(red_shapes, ONE)))


def solve_af902bf9(I: Grid) -> Grid:
    """Fill the inside of each rectangle that four yellow cells span in red."""
    marks = ofcolor(I, FOUR)
    is_side = fork(either, hline, vline)
    sides = mfilter(prapply(connect, marks, marks), is_side)
    outlines = objects(fill(I, FOUR, sides), T, F, T)
    rectangles = sfilter(outlines, chain(positive, size, delta))
    return underfill(I, TWO, mapply(compose(backdrop, inbox), rectangles))


def solve_b0c4d837(I: Grid) -> Grid:
    """Count the empty rows of the vessel above the liquid, with cyan cells that run to the right and then back."""
    vessel_rows = decrement(height(ofcolor(I, FIVE)))
    empty_rows = subtract(vessel_rows, height(ofcolor(I, EIGHT)))
    counted = repeat(EIGHT, empty_rows)
    uncounted = repeat(ZERO, subtract(NINE, empty_rows))
    strip = repeat(combine(counted, uncounted), ONE)
    rows = merge(hsplit(strip, THREE))
    middle = crop(rows, DOWN, astuple(ONE, THREE))
    return paint(rows, shift(asobject(vmirror(middle)), DOWN))


def solve_b190f7f5(I: Grid) -> Grid:
    """Draw the cyan pattern once for each coloured cell of the other half, at that place and in that colour."""
    split = branch(portrait(I), vsplit, hsplit)
    halves = split(I, TWO)
    pattern = argmin(halves, numcolors)
    colored = argmax(halves, numcolors)
    side = height(pattern)
    column_of_patterns = merge(repeat(pattern, side))
    tiling = dmirror(merge(repeat(dmirror(column_of_patterns), side)))
    return fill(upscale(colored, side), ZERO, ofcolor(tiling, ZERO))


def solve_b1948b0a(I: Grid) -> Grid:
    """Turn magenta into red."""
    return replace(I, SIX, TWO)


def solve_b230c067(I: Grid) -> Grid:
    """Colour red the shape that differs, and blue the equal ones."""
    shapes = totuple(objects(I, T, T, T))
    outline = compose(normalize, toindices)
    rare = leastcommon(apply(outline, shapes))
    odd_one = extract(shapes, matcher(outline, rare))
    return fill(replace(I, EIGHT, ONE), TWO, odd_one)


def solve_b27ca6d3(I: Grid) -> Grid:
    """Draw a green frame around each pair of adjacent red cells."""
    pairs = sizefilter(objects(I, T, F, T), TWO)
    return fill(I, THREE, mapply(outbox, pairs))


def solve_b2862040(I: Grid) -> Grid:
    """Turn cyan the blue shapes that enclose something."""
    regions = objects(I, T, F, F)
    is_inner = compose(flip, rbind(bordering, I))
    enclosed = sfilter(colorfilter(regions, NINE), is_inner)
    enclosed_next_to = chain(size, lbind(sfilter, enclosed), lbind(lbind, adjacent))
    closed_shapes = mfilter(colorfilter(regions, ONE), compose(positive, enclosed_next_to))
    return fill(I, EIGHT, closed_shapes)


def solve_b548a754(I: Grid) -> Grid:
    """Stretch the framed rectangle until it reaches the cyan cell."""
    mark = ofcolor(I, EIGHT)
    without_mark = cover(I, mark)
    rectangle = merge(fgpartition(without_mark))
    frame_color = index(I, ulcorner(rectangle))
    inner_color = other(palette(rectangle), frame_color)
    stretched = combine(toindices(rectangle), mark)
    filled = fill(without_mark, inner_color, backdrop(stretched))
    return fill(filled, frame_color, box(stretched))


def solve_b60334d2(I: Grid) -> Grid:
    """Replace each grey cell by a ring: grey in the corners, blue on the sides."""
    grey = ofcolor(I, FIVE)
    with_sides = fill(cover(I, grey), ONE, mapply(dneighbors, grey))
    return fill(with_sides, FIVE, mapply(ineighbors, grey))


def solve_b6afb2da(I: Grid) -> Grid:
    """Colour the rectangles: corners blue, sides yellow, inside red."""
    rectangles = colorfilter(objects(I, T, F, F), FIVE)
    with_inside = replace(I, FIVE, TWO)
    with_sides = fill(with_inside, FOUR, mapply(box, rectangles))
    return fill(with_sides, ONE, mapply(corners, rectangles))


def solve_b8825c91(I: Grid) -> Grid:
    """Restore the symmetric picture under the yellow patches."""
    from_diagonal = paint(I, toobject(ofcolor(I, FOUR), dmirror(I)))
    from_side = paint(from_diagonal, toobject(ofcolor(from_diagonal, FOUR), vmirror(from_diagonal)))
    return paint(from_side, toobject(ofcolor(from_side, FOUR), hmirror(from_side)))


def solve_b8cdaf2b(I: Grid) -> Grid:
    """Shoot the colour in the middle of the bottom row diagonally up from both ends of the row above it."""
    bottom_row = crop(I, astuple(decrement(height(I)), ZERO), astuple(ONE, width(I)))
    second_row = decrement(decrement(height(I)))
    missile_color = index(bottom_row, center(asindices(bottom_row)))
    platform = sfilter(toindices(merge(fgpartition(I))), matcher(first, second_row))
    left_path = shoot(astuple(second_row, leftmost(platform)), NEG_UNITY)
    right_path = shoot(astuple(second_row, rightmost(platform)), UP_RIGHT)
    return underfill(I, missile_color, combine(left_path, right_path))


def solve_b91ae062(I: Grid) -> Grid:
    """Enlarge by the number of colours, black aside."""
    side = size(remove(ZERO, palette(I)))
    return upscale(I, side)


def solve_b94a9452(I: Grid) -> Grid:
    """Cut out the square, and exchange its two colours."""
    cells = merge(fgpartition(I))
    return switch(subgrid(cells, I), mostcolor(cells), leastcolor(cells))


def solve_b9b7f026(I: Grid) -> Grid:
    """Name the colour of the one rectangle that has a hole."""
    rectangles = objects(I, T, F, T)
    has_hole = chain(positive, size, delta)
    return canvas(color(extract(rectangles, has_hole)), UNITY)


def solve_ba26e723(I: Grid) -> Grid:
    """Turn the yellow cells of every third column magenta."""
    columns = mapply(compose(vfrontier, tojvec), interval(ZERO, width(I), THREE))
    return fill(I, SIX, sfilter(ofcolor(I, FOUR), rbind(contained, columns)))


def solve_ba97ae07(I: Grid) -> Grid:
    """Where the two bars cross, bring the one that lies below to the top."""
    bars = remove(toobject(ofcolor(I, ZERO), I), partition(I))
    crossing = intersection(backdrop(first(bars)), backdrop(last(bars)))
    on_top = index(I, ulcorner(crossing))
    return fill(I, other(apply(color, bars), on_top), crossing)


def solve_bb43febb(I: Grid) -> Grid:
    """Fill the inside of each rectangle red, its rim aside."""
    rectangles = colorfilter(objects(I, T, F, F), FIVE)
    inside = compose(backdrop, inbox)
    return fill(I, TWO, mapply(inside, rectangles))


def solve_bbc9ae5d(I: Grid) -> Grid:
    """Repeat the row half as often as it is wide, each time with one coloured cell more."""
    start = first(I)
    bar_color = first(start)
    bar_end = astuple(ZERO, decrement(colorcount(I, bar_color)))
    copies = repeat(start, halve(width(I)))
    ends = shoot(bar_end, UNITY)
    return fill(copies, bar_color, mapply(rbind(shoot, LEFT), ends))


def solve_bc1d5164(I: Grid) -> Grid:
    """Lay the four 3x3 corners of the grid over each other."""
    ink = leastcolor(I)
    starts = product(astuple(ZERO, TWO), astuple(ZERO, FOUR))
    corner_tile = rbind(lbind(crop, I), THREE_BY_THREE)
    inked = mapply(compose(rbind(ofcolor, ink), corner_tile), starts)
    return fill(canvas(ZERO, THREE_BY_THREE), ink, inked)


def solve_bd4472b8(I: Grid) -> Grid:
    """Below the grey line, draw full rows in the colours of the first row, over and over."""
    header = crop(I, ORIGIN, astuple(TWO, width(I)))
    rows = apply(rbind(repeat, width(I)), first(I))
    plenty = merge(repeat(rows, height(I)))
    return crop(vconcat(header, plenty), ORIGIN, shape(I))


def solve_bda2d7a6(I: Grid) -> Grid:
    """Give each colour's rings the colour next to it outwards; the outermost takes the innermost colour."""
    parts = order(partition(I), ulcorner)
    inward_colors = apply(color, parts)
    innermost = last(inward_colors)
    shifted_colors = combine(repeat(innermost, ONE), remove(innermost, inward_colors))
    return paint(I, merge(papply(recolor, shifted_colors, parts)))


def solve_bdad9b1f(I: Grid) -> Grid:
    """Lengthen both lines over the whole grid; they cross in yellow."""
    red_row = hfrontier(first(ofcolor(I, TWO)))
    cyan_column = vfrontier(first(ofcolor(I, EIGHT)))
    with_lines = fill(fill(I, TWO, red_row), EIGHT, cyan_column)
    return fill(with_lines, FOUR, intersection(red_row, cyan_column))


def solve_be94b721(I: Grid) -> Grid:
    """Cut out the shape with the most cells."""
    return subgrid(argmax(objects(I, T, F, T), size), I)


def solve_beb8660c(I: Grid) -> Grid:
    """Let the bars sink to the bottom by length, flush right."""
    flush_right = apply(rbind(order, positive), I)
    bar_length = compose(size, lbind(remove, ZERO))
    return order(flush_right, bar_length)
