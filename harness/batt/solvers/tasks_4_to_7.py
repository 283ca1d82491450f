"""Solvers of ARC-AGI-1 training tasks whose ids start with 4, 5, 6 or 7."""

from harness.dsl import *


def solve_40853293(I: Grid) -> Grid:
    """Join the two cells of every colour by a line; vertical lines lie on top of horizontal ones."""
    pairs = fgpartition(I)
    draw = fork(recolor, color, fork(connect, ulcorner, lrcorner))
    lines = apply(draw, pairs)
    across = mfilter(lines, hline)
    down = mfilter(lines, vline)
    return paint(paint(I, across), down)


def solve_4093f84a(I: Grid) -> Grid:
    """The coloured dots fall onto the gray bar from both sides and turn gray."""
    bar = ofcolor(I, FIVE)
    turn = branch(portrait(bar), identity, dmirror)
    upright = turn(I)
    dots = remove(FIVE, remove(ZERO, palette(upright)))
    gray = replace(upright, first(dots), FIVE)
    middle = last(center(ofcolor(upright, FIVE)))
    before = crop(gray, ORIGIN, astuple(height(gray), middle))
    after = crop(gray, tojvec(middle), shape(gray))
    fallen_right = apply(rbind(order, identity), before)
    fallen_left = apply(rbind(order, invert), after)
    return turn(hconcat(fallen_right, fallen_left))


def solve_41e4d17e(I: Grid) -> Grid:
    """Draw a cross over the whole grid through the middle of every ring, behind the rings."""
    rings = objects(I, T, F, T)
    cross = fork(combine, hfrontier, vfrontier)
    return underfill(I, SIX, mapply(compose(cross, center), rings))


def solve_4258a5f9(I: Grid) -> Grid:
    """Put a blue ring around every gray cell."""
    return fill(I, ONE, mapply(neighbors, ofcolor(I, FIVE)))


def solve_42a50994(I: Grid) -> Grid:
    """Erase the cells that touch no other coloured cell, not even at a corner."""
    lonely = sizefilter(objects(I, T, T, T), ONE)
    return cover(I, merge(lonely))


def solve_4347f46a(I: Grid) -> Grid:
    """Hollow out every rectangle, leaving its outline."""
    rectangles = objects(I, T, F, T)
    inside = mapply(fork(difference, toindices, box), rectangles)
    return fill(I, ZERO, inside)


def solve_444801d8(I: Grid) -> Grid:
    """Each open box fills up with the colour of the cell in it, which spills over in a line above it."""
    boxes = colorfilter(objects(I, T, F, T), ONE)
    hint = chain(leastcolor, rbind(toobject, I), backdrop)
    flooded = fork(combine, backdrop, compose(rbind(shift, UP), backdrop))
    return underpaint(I, mapply(fork(recolor, hint, flooded), boxes))


def solve_445eab21(I: Grid) -> Grid:
    """A two by two square in the colour of the larger frame."""
    larger = argmax(objects(I, T, F, T), compose(size, backdrop))
    return canvas(color(larger), TWO_BY_TWO)


def solve_44d8ac46(I: Grid) -> Grid:
    """Fill the enclosed holes that are square with red."""
    empty = colorfilter(objects(I, T, F, F), ZERO)
    enclosed = sfilter(empty, compose(flip, rbind(bordering, I)))
    return fill(I, TWO, mfilter(enclosed, square))


def solve_44f52bb0(I: Grid) -> Grid:
    """Blue if the picture is its own left-right mirror image, else orange."""
    symmetric = equality(vmirror(I), I)
    return canvas(branch(symmetric, ONE, SEVEN), UNITY)


def solve_4522001f(I: Grid) -> Grid:
    """The two by two patch grows into its corner of a larger grid and repeats once along the diagonal."""
    patch = difference(asindices(I), ofcolor(I, ZERO))
    corner_side = ulcorner(patch)
    block = asindices(canvas(THREE, (FOUR, FOUR)))
    at_corner = shift(block, multiply(FIVE, corner_side))
    inward = shift(block, subtract(FOUR, multiply(THREE, corner_side)))
    return fill(canvas(ZERO, (NINE, NINE)), THREE, combine(at_corner, inward))


def solve_4612dd53(I: Grid) -> Grid:
    """Complete the dotted frame and its dotted dividing line, new cells in red."""
    dots = ofcolor(I, ONE)
    inner = difference(dots, box(dots))
    along = branch(portrait(inner), vfrontier, hfrontier)
    divider = intersection(mapply(along, inner), backdrop(dots))
    return underfill(I, TWO, combine(box(dots), divider))


def solve_46442a0e(I: Grid) -> Grid:
    """The square and its three rotations, turning clockwise around the middle."""
    upper = hconcat(I, rot90(I))
    return vconcat(upper, hconcat(rot270(I), rot180(I)))


def solve_469497ad(I: Grid) -> Grid:
    """Enlarge by the number of foreground colours; red diagonals run outward from the corners of the square."""
    factor = decrement(numcolors(I))
    large = upscale(I, factor)
    room = upscale(crop(I, ORIGIN, decrement(shape(I))), factor)
    block = merge(fgpartition(room))
    starts = rapply((ulcorner, urcorner, llcorner, lrcorner), block)
    ways = (NEG_UNITY, UP_RIGHT, DOWN_LEFT, UNITY)
    return underfill(large, TWO, mpapply(shoot, starts, ways))


def solve_46f33fce(I: Grid) -> Grid:
    """Keep every second row and column, from the lower right, and enlarge four times."""
    kept = downscale(rot180(I), TWO)
    return upscale(rot180(kept), FOUR)


def solve_47c1f68c(I: Grid) -> Grid:
    """The upper left shape, in the colour of the dividing cross, mirrored into all four quarters."""
    quarter = lefthalf(tophalf(I))
    cross_color = color(merge(frontiers(I)))
    drawn = replace(quarter, other(palette(quarter), ZERO), cross_color)
    upper = hconcat(drawn, vmirror(drawn))
    return vconcat(upper, hmirror(upper))


def solve_48d8fb45(I: Grid) -> Grid:
    """Cut out the shape that the gray cell sits on."""
    marker = ofcolor(I, FIVE)
    shapes = objects(I, T, T, T)
    return subgrid(extract(shapes, rbind(adjacent, marker)), I)


def solve_4938f0c2(I: Grid) -> Grid:
    """Mirror the red shape about the green block, left-right and top-bottom."""
    flipped = vmirror(I)
    sideways = subtract(ulcorner(ofcolor(I, THREE)), ulcorner(ofcolor(flipped, THREE)))
    wide = paint(I, shift(merge(fgpartition(flipped)), sideways))
    turned = hmirror(wide)
    upright = subtract(ulcorner(ofcolor(wide, THREE)), ulcorner(ofcolor(turned, THREE)))
    return paint(wide, shift(merge(fgpartition(turned)), upright))


def solve_496994bd(I: Grid) -> Grid:
    """Repeat the upper stripes upside down at the bottom."""
    return underpaint(I, asobject(hmirror(I)))


def solve_49d1d64f(I: Grid) -> Grid:
    """Extend the outer rows and columns by one cell, leaving the corners empty."""
    cells = asobject(I)
    room = canvas(ZERO, add(shape(I), TWO))
    smeared = paint(room, mapply(lbind(shift, cells), dneighbors(UNITY)))
    return paint(smeared, shift(cells, UNITY))


def solve_4be741c5(I: Grid) -> Grid:
    """Name the colours of the ragged bands in their order, across or down as the bands lie."""
    bands = order(partition(I), ulcorner)
    names = repeat(apply(color, bands), ONE)
    stacked = equality(size(dedupe(first(I))), ONE)
    return branch(stacked, dmirror(names), names)


def solve_4c4377d9(I: Grid) -> Grid:
    """The grid under its own upside-down image."""
    return vconcat(hmirror(I), I)


def solve_4c5c2cf0(I: Grid) -> Grid:
    """Mirror the loose shape about the symmetric cross, left-right and top-bottom."""
    parts = fgpartition(I)
    cross_color = color(extract(parts, fork(equality, identity, vmirror)))
    flipped = vmirror(I)
    sideways = subtract(ulcorner(ofcolor(I, cross_color)), ulcorner(ofcolor(flipped, cross_color)))
    wide = paint(I, shift(merge(fgpartition(flipped)), sideways))
    turned = hmirror(wide)
    upright = subtract(ulcorner(ofcolor(wide, cross_color)), ulcorner(ofcolor(turned, cross_color)))
    return paint(wide, shift(merge(fgpartition(turned)), upright))


def solve_50cb2852(I: Grid) -> Grid:
    """Fill every rectangle with cyan but for its outline."""
    rectangles = objects(I, T, F, T)
    return fill(I, EIGHT, mapply(compose(backdrop, inbox), rectangles))


def solve_5117e062(I: Grid) -> Grid:
    """Cut out the shape with a cyan cell in it and give that cell the shape's colour."""
    shapes = objects(I, F, T, T)
    marked = extract(shapes, compose(lbind(contained, EIGHT), palette))
    return replace(subgrid(marked, I), EIGHT, mostcolor(marked))


def solve_5168d44c(I: Grid) -> Grid:
    """The red frame moves on to the next dot of the dotted line, to the right or down."""
    frame = recolor(TWO, ofcolor(I, TWO))
    step = branch(portrait(ofcolor(I, THREE)), TWO_BY_ZERO, ZERO_BY_TWO)
    return move(I, frame, step)


def solve_539a4f51(I: Grid) -> Grid:
    """The nested corner shapes go on, repeating their colours, on a grid of twice the size."""
    colours = remove(ZERO, first(I))
    dims = double(shape(I))
    sequence = merge(repeat(colours, TEN))
    tip = fork(astuple, identity, identity)
    floor = fork(connect, toivec, tip)
    wall = fork(connect, tojvec, tip)
    shells = apply(fork(combine, floor, wall), interval(ZERO, first(dims), ONE))
    return paint(canvas(ZERO, dims), mpapply(recolor, sequence, shells))


def solve_543a7ed5(I: Grid) -> Grid:
    """Put a green ring around every frame and fill the frames with yellow."""
    frames = objects(I, T, F, T)
    ringed = fill(I, THREE, mapply(outbox, frames))
    return fill(ringed, FOUR, mapply(delta, frames))


def solve_54d82841(I: Grid) -> Grid:
    """Mark, in the last row, the middle column of every shape."""
    floor = lowermost(asindices(I))
    below = chain(lbind(astuple, floor), last, center)
    return fill(I, FOUR, apply(below, objects(I, T, F, T)))


def solve_54d9e175(I: Grid) -> Grid:
    """Fill each room with the colour five above that of the cell in its middle."""
    dots = sizefilter(objects(I, T, F, T), ONE)
    tint = compose(lbind(add, FIVE), color)
    room = compose(backdrop, outbox)
    return paint(I, mapply(fork(recolor, tint, room), dots))


def solve_5521c0d9(I: Grid) -> Grid:
    """Every rectangle moves up by its own height."""
    rectangles = objects(I, T, F, T)
    rise = chain(toivec, invert, height)
    return paint(cover(I, merge(rectangles)), mapply(fork(shift, identity, rise), rectangles))


def solve_5582e5ca(I: Grid) -> Grid:
    """The whole grid in its most frequent colour."""
    return canvas(mostcommon(merge(I)), shape(I))


def solve_5614dbcf(I: Grid) -> Grid:
    """Each three by three block becomes one cell of the block's main colour."""
    summarise = compose(lbind(apply, mostcolor), rbind(hsplit, THREE))
    return apply(summarise, vsplit(I, THREE))


def solve_56dc2b01(I: Grid) -> Grid:
    """The green shape slides up to the red line, and a cyan line closes it in from behind."""
    wall = ofcolor(I, TWO)
    shape_cells = recolor(THREE, ofcolor(I, THREE))
    travel = gravitate(shape_cells, wall)
    slid = move(I, shape_cells, travel)
    back = multiply(invert(sign(travel)), increment(shape(shape_cells)))
    return fill(slid, EIGHT, shift(wall, back))


def solve_56ff96f3(I: Grid) -> Grid:
    """Fill the rectangle that the two cells of each colour span."""
    return paint(I, mapply(fork(recolor, color, backdrop), fgpartition(I)))


def solve_5ad4f10b(I: Grid) -> Grid:
    """The large block figure, shrunk to three by three, in the colour of the noise."""
    figure = argmax(objects(I, T, T, T), size)
    noise = first(remove(color(figure), remove(ZERO, palette(I))))
    clean = paint(canvas(ZERO, shape(figure)), normalize(recolor(noise, figure)))
    return downscale(clean, divide(width(figure), THREE))


def solve_5bd6f4ac(I: Grid) -> Grid:
    """Cut out the upper right three by three corner."""
    return crop(I, tojvec(subtract(width(I), THREE)), THREE_BY_THREE)


def solve_5c0a986e(I: Grid) -> Grid:
    """Blue square: a diagonal trail to the upper left; red square: one to the lower right."""
    up_trail = shoot(ulcorner(ofcolor(I, ONE)), NEG_UNITY)
    down_trail = shoot(lrcorner(ofcolor(I, TWO)), UNITY)
    return fill(fill(I, ONE, up_trail), TWO, down_trail)


def solve_5c2c9af4(I: Grid) -> Grid:
    """Squares around the middle dot, as far apart as the three dots are, until the grid ends."""
    dots = ofcolor(I, leastcolor(I))
    middle = center(dots)
    gap = subtract(middle, ulcorner(dots))
    before = compose(lbind(subtract, middle), lbind(multiply, gap))
    after = compose(lbind(add, middle), lbind(multiply, gap))
    ring = compose(box, fork(connect, before, after))
    counts = interval(ONE, maximum(shape(I)), ONE)
    return fill(I, leastcolor(I), mapply(ring, counts))


def solve_60b61512(I: Grid) -> Grid:
    """Fill the gaps in the box around every shape with orange."""
    return fill(I, SEVEN, mapply(delta, objects(I, T, T, T)))


def solve_6150a2bd(I: Grid) -> Grid:
    """Turn the grid upside down by half a turn."""
    return rot180(I)


def solve_623ea044(I: Grid) -> Grid:
    """Draw both diagonals through the single cell."""
    ink = leastcolor(I)
    dot = first(ofcolor(I, ink))
    return fill(I, ink, mapply(lbind(shoot, dot), ineighbors(ORIGIN)))


def solve_62c24649(I: Grid) -> Grid:
    """Mirror the grid to the right, then both downward."""
    upper = hconcat(I, vmirror(I))
    return vconcat(upper, hmirror(upper))


def solve_63613498(I: Grid) -> Grid:
    """The shape framed in the corner has a twin elsewhere in the grid: colour the twin gray."""
    window = asindices(crop(I, ORIGIN, THREE_BY_THREE))
    outline = compose(normalize, toindices)
    pieces = objects(I, T, F, T)
    outside = chain(size, rbind(difference, window), toindices)
    model = extract(pieces, matcher(outside, ZERO))
    others = remove(model, pieces)
    twin = extract(others, matcher(outline, outline(model)))
    return fill(I, FIVE, twin)


def solve_6430c8c4(I: Grid) -> Grid:
    """Green where both the upper and the lower picture are empty."""
    upper = tophalf(I)
    free = intersection(ofcolor(upper, ZERO), ofcolor(bottomhalf(I), ZERO))
    return fill(canvas(ZERO, shape(upper)), THREE, free)


def solve_6455b5f5(I: Grid) -> Grid:
    """Of the areas between the lines, colour the largest blue and the smallest ones cyan."""
    areas = colorfilter(objects(I, T, F, F), ZERO)
    largest = argmax(areas, size)
    smallest = sizefilter(areas, valmin(areas, size))
    return fill(fill(I, ONE, largest), EIGHT, merge(smallest))


def solve_662c240a(I: Grid) -> Grid:
    """Pick the one of the three squares that is not symmetric about its main diagonal."""
    symmetric = fork(equality, identity, dmirror)
    return extract(vsplit(I, THREE), compose(flip, symmetric))


def solve_67385a82(I: Grid) -> Grid:
    """Colour the green groups of three cells or more cyan."""
    groups = colorfilter(objects(I, T, F, F), THREE)
    return fill(I, EIGHT, mfilter(groups, compose(rbind(greater, TWO), size)))


def solve_6773b310(I: Grid) -> Grid:
    """One cell for each room: blue where the room holds two dots."""
    dots = rbind(colorcount, SIX)
    pairs = compose(rbind(divide, TWO), dots)
    judge = compose(lbind(apply, pairs), rbind(hsplit, THREE))
    return apply(judge, vsplit(compress(I), THREE))


def solve_67a3c6ac(I: Grid) -> Grid:
    """Mirror the grid left to right."""
    return vmirror(I)


def solve_67a423a3(I: Grid) -> Grid:
    """Put a yellow ring around the cell where the two lines cross."""
    lines = fgpartition(I)
    crossing = intersection(backdrop(first(lines)), backdrop(last(lines)))
    return fill(I, FOUR, outbox(crossing))


def solve_67e8384a(I: Grid) -> Grid:
    """Mirror the grid downward, then both to the right."""
    tall = vconcat(I, hmirror(I))
    return hconcat(tall, vmirror(tall))


def solve_68b16354(I: Grid) -> Grid:
    """Flip the grid top to bottom."""
    return hmirror(I)


def solve_694f12f3(I: Grid) -> Grid:
    """Fill the inside of the larger rectangle with red, that of the smaller with blue."""
    rectangles = colorfilter(objects(I, T, F, F), FOUR)
    inside = compose(backdrop, inbox)
    large = inside(argmax(rectangles, size))
    small = inside(argmin(rectangles, size))
    return fill(fill(I, TWO, large), ONE, small)


def solve_6b9890af(I: Grid) -> Grid:
    """Enlarge the small figure until it fills the red frame."""
    parts = fgpartition(I)
    frame = first(colorfilter(parts, TWO))
    figure = other(parts, frame)
    factor = divide(subtract(width(frame), TWO), width(figure))
    return paint(subgrid(frame, I), shift(upscale(normalize(figure), factor), UNITY))


def solve_6c434453(I: Grid) -> Grid:
    """Replace every blue three by three ring by a red plus."""
    rings = sfilter(sizefilter(objects(I, T, F, T), EIGHT), fork(equality, toindices, box))
    plus = compose(fork(insert, identity, dneighbors), center)
    return fill(cover(I, merge(rings)), TWO, mapply(plus, rings))


def solve_6cdd2623(I: Grid) -> Grid:
    """Join the pairs of the rarest colour on opposite borders and drop everything else."""
    ink = leastcolor(I)
    ends = ofcolor(I, ink)
    joins = sfilter(prapply(connect, ends, ends), fork(either, hline, vline))
    across = mfilter(joins, compose(rbind(contained, shape(I)), size))
    return fill(canvas(ZERO, shape(I)), ink, across)


def solve_6d0160f0(I: Grid) -> Grid:
    """The room with the yellow cell moves to the place that the yellow cell has within it; the rest is emptied."""
    yellow = first(ofcolor(I, FOUR))
    start = multiply(FOUR, divide(yellow, FOUR))
    room = crop(I, start, THREE_BY_THREE)
    target = multiply(FOUR, subtract(yellow, start))
    walls = fill(canvas(ZERO, shape(I)), FIVE, ofcolor(I, FIVE))
    return paint(walls, shift(asobject(room), target))


def solve_6d0aefbc(I: Grid) -> Grid:
    """The grid and, to its right, its mirror image."""
    return hconcat(I, vmirror(I))


def solve_6d58a25d(I: Grid) -> Grid:
    """Dots below the large figure stretch over their column, from the figure to the bottom."""
    pieces = objects(I, T, T, T)
    figure = argmax(pieces, size)
    dot_color = color(argmin(pieces, size))
    shadow = mapply(rbind(shoot, DOWN), toindices(figure))
    shaded_dots = intersection(shadow, ofcolor(I, dot_color))
    columns = mapply(vfrontier, shaded_dots)
    return underfill(I, dot_color, intersection(shadow, columns))


def solve_6d75e8bb(I: Grid) -> Grid:
    """Fill the rest of the figure's bounding box with red."""
    return fill(I, TWO, delta(ofcolor(I, EIGHT)))


def solve_6e02f1e3(I: Grid) -> Grid:
    """A line tells the number of colours: level for one, falling for two, rising for three."""
    count = numcolors(I)
    start = branch(equality(count, THREE), TWO_BY_ZERO, ORIGIN)
    end = branch(even(count), TWO_BY_TWO, ZERO_BY_TWO)
    return fill(canvas(ZERO, shape(I)), FIVE, connect(start, end))


def solve_6e19193c(I: Grid) -> Grid:
    """Each three-cell corner shoots a diagonal out of its missing cell, which stays empty."""
    pieces = objects(I, T, F, T)
    gap = compose(first, delta)
    ends = fork(add, ulcorner, lrcorner)
    heading = fork(subtract, compose(double, gap), ends)
    ray = fork(shoot, fork(add, gap, heading), heading)
    return fill(I, leastcolor(I), mapply(ray, pieces))


def solve_6e82a1ae(I: Grid) -> Grid:
    """Colour the shapes by size: four cells blue, three red, two green."""
    shapes = objects(I, T, F, T)
    rank = compose(lbind(subtract, FIVE), size)
    return paint(I, mapply(fork(recolor, rank, identity), shapes))


def solve_6ecd11f4(I: Grid) -> Grid:
    """The small colourful square keeps its cells only where the large block figure has a block."""
    pieces = objects(I, F, T, T)
    figure = argmax(pieces, size)
    tiles = subgrid(argmin(pieces, size), I)
    plan = downscale(subgrid(figure, I), divide(width(figure), width(tiles)))
    return fill(tiles, ZERO, ofcolor(plan, ZERO))


def solve_6f8cd79b(I: Grid) -> Grid:
    """Draw a cyan frame along the border."""
    return fill(I, EIGHT, box(asindices(I)))


def solve_6fa7a44f(I: Grid) -> Grid:
    """The grid and, below it, its upside-down image."""
    return vconcat(I, hmirror(I))


def solve_72ca375d(I: Grid) -> Grid:
    """Cut out the shape that is symmetric left to right."""
    shapes = objects(I, T, T, T)
    return subgrid(extract(shapes, fork(equality, identity, vmirror)), I)


def solve_7468f01a(I: Grid) -> Grid:
    """Cut out the rectangle and mirror it left to right."""
    return vmirror(subgrid(merge(fgpartition(I)), I))


def solve_746b3537(I: Grid) -> Grid:
    """One cell for each stripe, in the order of the stripes."""
    stripes = order(objects(I, T, F, F), ulcorner)
    names = repeat(apply(color, stripes), ONE)
    stacked = equality(size(dedupe(first(I))), ONE)
    return branch(stacked, dmirror(names), names)


def solve_74dd1130(I: Grid) -> Grid:
    """Transpose the grid."""
    return dmirror(I)


def solve_75b8110e(I: Grid) -> Grid:
    """Lay the four quarters on one another: yellow below maroon, then magenta, gray on top."""
    upper = tophalf(I)
    lower = bottomhalf(I)
    maroon = fill(lefthalf(upper), NINE, ofcolor(righthalf(lower), NINE))
    magenta = fill(maroon, SIX, ofcolor(lefthalf(lower), SIX))
    return fill(magenta, FIVE, ofcolor(righthalf(upper), FIVE))


def solve_760b3cac(I: Grid) -> Grid:
    """The cyan figure gets its mirror image at the side to which the yellow arrow points."""
    middle = crop(I, (ZERO, THREE), THREE_BY_THREE)
    image = ofcolor(vmirror(middle), EIGHT)
    to_left = equality(leftmost(ofcolor(tophalf(bottomhalf(I)), FOUR)), THREE)
    return fill(I, EIGHT, shift(image, tojvec(branch(to_left, ZERO, SIX))))


def solve_776ffc46(I: Grid) -> Grid:
    """The blue shapes that equal a shape in a closed gray frame take its colour."""
    pieces = objects(I, T, F, T)
    frames = sfilter(colorfilter(pieces, FIVE), fork(equality, toindices, box))
    framed = sfilter(pieces, compose(rbind(contained, mapply(delta, frames)), ulcorner))
    outline = compose(normalize, toindices)
    models = apply(outline, framed)
    twins = mfilter(colorfilter(pieces, ONE), compose(rbind(contained, models), outline))
    return fill(I, color(first(framed)), twins)


def solve_77fdfe62(I: Grid) -> Grid:
    """Each quarter of the inner figure takes the colour of the corner next to it."""
    inner = trim(trim(I))
    corner_colors = downscale(I, decrement(height(I)))
    spread = upscale(corner_colors, halve(height(inner)))
    return fill(spread, ZERO, ofcolor(inner, ZERO))


def solve_794b24be(I: Grid) -> Grid:
    """Count the blue cells: as many red ones, three in the first row, the fourth in the middle."""
    count = colorcount(I, ONE)
    in_row = minimum(astuple(count, THREE))
    row = connect(ORIGIN, tojvec(decrement(in_row)))
    extra = branch(greater(count, THREE), UNITY, ORIGIN)
    return fill(canvas(ZERO, shape(I)), TWO, insert(extra, row))


def solve_7b6016b9(I: Grid) -> Grid:
    """Areas closed in by the lines turn red, the background green."""
    areas = colorfilter(objects(I, T, F, F), ZERO)
    at_border = rbind(bordering, I)
    open_areas = mfilter(areas, at_border)
    closed = mfilter(areas, compose(flip, at_border))
    return fill(fill(I, THREE, open_areas), TWO, closed)


def solve_7b7f7511(I: Grid) -> Grid:
    """One of the two equal halves, which lie side by side or one above the other."""
    side_by_side = equality(lefthalf(I), righthalf(I))
    return branch(side_by_side, lefthalf(I), tophalf(I))


def solve_7c008303(I: Grid) -> Grid:
    """Colour each quarter of the green figure after the matching cell of the two by two key."""
    is_key = chain(flip, rbind(contained, (ZERO, THREE, EIGHT)), first)
    key_cells = sfilter(asobject(I), is_key)
    start = multiply(THREE, subtract(ONE, sign(ulcorner(key_cells))))
    figure = crop(I, start, (SIX, SIX))
    tints = upscale(subgrid(key_cells, I), THREE)
    return fill(tints, ZERO, ofcolor(figure, ZERO))


def solve_7ddcd7ec(I: Grid) -> Grid:
    """The tails at the corners of the square grow diagonally to the border."""
    pieces = objects(I, T, F, T)
    block = argmax(pieces, size)
    tails = sizefilter(pieces, ONE)
    ray = fork(shoot, center, lbind(position, block))
    return fill(I, color(block), mapply(ray, tails))


def solve_7e0986d6(I: Grid) -> Grid:
    """Remove the noise: inside a rectangle it takes the rectangle's colour, elsewhere it is erased."""
    ink = mostcolor(merge(fgpartition(I)))
    filled = replace(I, leastcolor(I), ink)
    tile = asindices(canvas(ink, TWO_BY_TWO))
    places = occurrences(filled, recolor(ink, tile))
    return fill(canvas(ZERO, shape(I)), ink, mapply(lbind(shift, tile), places))


def solve_7f4411dc(I: Grid) -> Grid:
    """Keep only the cells that are part of a full two by two square."""
    ink = other(palette(I), ZERO)
    sides = interval(ZERO, TWO, ONE)
    tile = product(sides, sides)
    places = occurrences(I, recolor(ink, tile))
    return fill(canvas(ZERO, shape(I)), ink, mapply(lbind(shift, tile), places))


def solve_7fe24cdd(I: Grid) -> Grid:
    """The square and its turns around the middle, each turn made of two mirrorings."""
    quarter_turn = vmirror(dmirror(I))
    half_turn = vmirror(hmirror(I))
    backward_turn = vmirror(cmirror(I))
    return vconcat(hconcat(I, quarter_turn), hconcat(backward_turn, half_turn))
