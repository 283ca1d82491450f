// Family "patches": operations on objects (sets of cells) and indices (sets of locations).
//
// A PATCH, which is nearly every patch, is worked on by words of its mask; any other form goes through places.h.
#pragma once

#include "grid_masks.h"
#include "places.h"

namespace vm {

constexpr i64 MOST_MOVES = 42;  // of gravitate, and the reach of shoot
constexpr u32 FRONTIER_LENGTH = 30;

// ---- where a patch is

// The pair of two integers of any size.
VM_INLINE Value location(Context& cx, i64 i, i64 j) { return make_pair(cx, integer(i), integer(j)); }

VM_FN Value corner_of(Context& cx, const Value& patch, bool lower, bool right) {
    Extent e;
    const Form form = bounds_of(cx, patch, e);
    if (form == IS_EMPTY) return empty_tuple();
    if (form != IS_PATCH) return refuse(form);
    return location(cx, lower ? e.bottom : e.top, right ? e.right : e.left);
}

VM_INLINE Value op_ulcorner(Context& cx, const Value& patch) { return corner_of(cx, patch, false, false); }
VM_INLINE Value op_urcorner(Context& cx, const Value& patch) { return corner_of(cx, patch, false, true); }
VM_INLINE Value op_llcorner(Context& cx, const Value& patch) { return corner_of(cx, patch, true, false); }
VM_INLINE Value op_lrcorner(Context& cx, const Value& patch) { return corner_of(cx, patch, true, true); }

VM_FN Value op_uppermost(Context& cx, const Value& patch) {
    Extent e;
    const Form form = bounds_of(cx, patch, e);
    return form == IS_PATCH ? integer(e.top) : refuse(form);
}

VM_FN Value op_lowermost(Context& cx, const Value& patch) {
    Extent e;
    const Form form = bounds_of(cx, patch, e);
    return form == IS_PATCH ? integer(e.bottom) : refuse(form);
}

VM_FN Value op_leftmost(Context& cx, const Value& patch) {
    Extent e;
    const Form form = bounds_of(cx, patch, e);
    return form == IS_PATCH ? integer(e.left) : refuse(form);
}

VM_FN Value op_rightmost(Context& cx, const Value& patch) {
    Extent e;
    const Form form = bounds_of(cx, patch, e);
    return form == IS_PATCH ? integer(e.right) : refuse(form);
}

VM_FN Value op_center(Context& cx, const Value& patch) {
    Extent e;
    const Form form = bounds_of(cx, patch, e);
    if (form != IS_PATCH) return refuse(form);
    if (is_tuple(patch)) {  // whose height and width, as of every tuple, are those of a grid; its elements are pairs
        return location(cx, e.top + static_cast<i64>(length(patch) / 2), e.left + 1);
    }
    return location(cx, e.top + (e.bottom - e.top + 1) / 2, e.left + (e.right - e.left + 1) / 2);
}

// The sum of the places of the bits of a word: of each power of two, once for every place that has it.
VM_FN u64 sum_of_places(u64 bits) {
    return count_bits(bits & 0xAAAAAAAAAAAAAAAAu) + 2 * count_bits(bits & 0xCCCCCCCCCCCCCCCCu) +
           4 * count_bits(bits & 0xF0F0F0F0F0F0F0F0u) + 8 * count_bits(bits & 0xFF00FF00FF00FF00u) +
           16 * count_bits(bits & 0xFFFF0000FFFF0000u) + 32 * count_bits(bits & 0xFFFFFFFF00000000u);
}

VM_INLINE i64 floor_divide(i64 a, i64 positive) { return a >= 0 ? a / positive : -((-a + positive - 1) / positive); }

VM_FN Value op_centerofmass(Context& cx, const Value& patch) {
    i64 rows = 0, columns = 0;
    if (patch.tag == PATCH) {
        const Patch& p = *patch.patch;
        u64 row_sum = 0, column_sum = 0;
        for (u32 r = 0; r < p.h; r++) {
            for (u32 word = 0; word < p.words; word++) {
                const u64 bits = p.rows[r * p.words + word], cells = count_bits(bits);
                row_sum += r * cells;
                column_sum += word * 64 * cells + sum_of_places(bits);
            }
        }
        rows = static_cast<i64>(row_sum) + static_cast<i64>(p.top) * p.count;
        columns = static_cast<i64>(column_sum) + static_cast<i64>(p.left) * p.count;
        return location(cx, floor_divide(rows, p.count), floor_divide(columns, p.count));
    }
    const Places places = pairs_of(cx, patch);
    if (places.form == IS_EMPTY) return empty_tuple();
    if (places.form != IS_PATCH) return refuse(places.form);
    for (u64 k = 0; k < places.n; k++) {
        const Place place = place_of(places.items[k]);
        rows += place.i;
        columns += place.j;
    }
    const i64 n = static_cast<i64>(places.n);
    return location(cx, floor_divide(rows, n), floor_divide(columns, n));
}

// ---- the same cells elsewhere, or in other colours

VM_FN Value op_toindices(Context& cx, const Value& patch) {
    if (patch.tag == PATCH) {
        const Patch& p = *patch.patch;
        return p.object ? variant(cx, p, p.top, p.left, false, 0, nullptr) : patch;
    }
    const Places places = places_of(cx, patch);
    if (places.form == IS_EMPTY) return empty_set();
    if (places.form == IS_UNKNOWN && places.rows) return patch;  // indices, as far as toindices looks
    if (places.form != IS_PATCH) return refuse(places.form);
    return places.object ? set_of_locations(cx, places) : patch;  // a tuple stays one
}

VM_FN Value recolor_each(Context& cx, const Value& value, const Value& locations) {
    const u64 n = length(locations);
    const Value* items = items_of(cx, locations);
    Seq* seq = new_seq(cx, n);
    if (!items || !seq) return unhandled(R_ARENA);
    for (u64 k = 0; k < n; k++) {
        seq->items[k] = make_pair(cx, value, items[k]);
        if (is_bad(seq->items[k])) return seq->items[k];
    }
    return make_set(cx, seq);
}

VM_FN Value op_recolor(Context& cx, const Value& value, const Value& patch) {
    Value locations = patch;
    if (patch.tag != PATCH) {
        const Places places = places_of(cx, patch);
        if (places.form == IS_EMPTY) return empty_set();
        if (places.form == IS_UNKNOWN && places.rows) return recolor_each(cx, value, patch);
        if (places.form != IS_PATCH) return refuse(places.form);
        locations = set_of_locations(cx, places);
        if (is_bad(locations)) return locations;
    }
    if (locations.tag == PATCH) {
        const Patch& p = *locations.patch;
        if (is_int(value) && is_byte(value.num)) {
            return variant(cx, p, p.top, p.left, true, static_cast<i32>(value.num), nullptr);
        }
        if (p.object) {
            locations = variant(cx, p, p.top, p.left, false, 0, nullptr);
            if (is_bad(locations)) return locations;
        }
    }
    return recolor_each(cx, value, locations);
}

VM_FN Value moved(Context& cx, const Patch& p, i64 top, i64 left) {
    if (!is_small(top) || !is_small(left) || !is_small(top + p.h - 1) || !is_small(left + p.w - 1)) {
        return unhandled(R_OVERFLOW);
    }
    return variant(cx, p, static_cast<i32>(top), static_cast<i32>(left), p.object, p.colour, p.plane);
}

// An element of a patch, moved.
VM_FN Value moved_place(Context& cx, const Value& item, i64 di, i64 dj) {
    if (item.tag == CELL) {
        const i64 i = item.at.i + di, j = item.at.j + dj;
        if (is_small(i) && is_small(j)) return cell_of(item.extra, static_cast<i32>(i), static_cast<i32>(j));
    }
    const Place place = place_of(item);
    const Value at = location(cx, place.i + di, place.j + dj);
    return is_bad(at) || place.kind == AN_INDEX ? at : make_pair(cx, place.colour, at);
}

VM_FN Value moved_each(Context& cx, const Places& places, i64 di, i64 dj, bool in_order) {
    Seq* seq = new_seq(cx, places.n);
    if (!seq) return unhandled(R_ARENA);
    for (u64 k = 0; k < places.n; k++) {
        seq->items[k] = moved_place(cx, places.items[k], di, dj);
        if (is_bad(seq->items[k])) return seq->items[k];
    }
    return in_order ? of_seq(SET, seq) : make_set(cx, seq);
}

VM_FN Value op_shift(Context& cx, const Value& patch, const Value& directions) {
    i32 di, dj;
    if (patch.tag == PATCH) {
        if (!get_pair(directions, di, dj)) return no_pair(directions);
        const Patch& p = *patch.patch;
        return moved(cx, p, static_cast<i64>(p.top) + di, static_cast<i64>(p.left) + dj);
    }
    const Places places = pairs_of(cx, patch);
    if (places.form == IS_EMPTY) return patch;
    if (places.form != IS_PATCH) return refuse(places.form);
    if (!get_pair(directions, di, dj)) return no_pair(directions);
    return moved_each(cx, places, di, dj, patch.tag == SET);
}

VM_FN Value op_normalize(Context& cx, const Value& patch) {
    if (patch.tag == PATCH) {
        const Patch& p = *patch.patch;
        return p.top || p.left ? moved(cx, p, 0, 0) : patch;
    }
    Extent e;
    const Form form = bounds_of(cx, patch, e);
    if (form == IS_EMPTY) return patch;
    if (form != IS_PATCH) return refuse(form);
    return moved_each(cx, pairs_of(cx, patch), -e.top, -e.left, patch.tag == SET);
}

// ---- grids to patches

// Whether the reference takes a value for a tuple of rows, be they of what they may.
VM_FN bool is_tuple_of_tuples(const Value& v) {
    if (v.tag == GRID) return true;
    if (!is_tuple(v)) return false;
    const u64 n = length(v);
    for (u64 k = 0; k < n; k++) {
        if (!is_tuple(tuple_item(v, k))) return false;
    }
    return true;
}

VM_FN Value indices_of_grid(Context& cx, const Value& grid) {
    if (!is_tuple_of_tuples(grid)) return fail();
    const u64 h = length(grid), w = h ? length(tuple_item(grid, 0)) : 0;
    if (!w) return empty_set();
    return rectangle(cx, Extent{0, 0, static_cast<i64>(h) - 1, static_cast<i64>(w) - 1});
}

VM_FN Value op_asindices(Context& cx, const Value& grid) {
    return shared_if(cx, grid.tag == GRID, [&](Context& own) { return indices_of_grid(own, grid); });
}

// Call f(item, i, j) for every element of the rows of a tuple of tuples.
template <class F>
VM_INLINE void for_each_element(const Value& grid, F f) {
    const u64 h = length(grid);
    for (u64 i = 0; i < h; i++) {
        const Value row = tuple_item(grid, i);
        const u64 w = length(row);
        for (u64 j = 0; j < w; j++) f(tuple_item(row, j), static_cast<i64>(i), static_cast<i64>(j));
    }
}

VM_FN Value cells_of_colour(Context& cx, const Value& grid, const Value& value) {
    const Grid* g = nullptr;
    if (as_grid(cx, grid, g) == IS_PATCH) {
        if (!is_int(value) || !is_byte(value.num)) return empty_set();
        Mask m;
        const Form form = colour_mask(cx, *g, static_cast<i32>(value.num), m);
        if (form == IS_EMPTY) return empty_set();
        return form == IS_PATCH ? finish(cx, m, false, 0) : refuse(form);
    }
    if (!is_tuple_of_tuples(grid)) return fail();
    u64 n = 0;
    for_each_element(grid, [&](const Value& item, i64, i64) { n += equal(cx, item, value); });
    Seq* seq = new_seq(cx, n);
    if (!seq) return unhandled(R_ARENA);
    n = 0;
    for_each_element(grid, [&](const Value& item, i64 i, i64 j) {
        if (equal(cx, item, value)) seq->items[n++] = location(cx, i, j);
    });
    return make_set(cx, seq);
}

VM_FN Value op_ofcolor(Context& cx, const Value& grid, const Value& value) {
    return shared_if(cx, grid.tag == GRID, [&](Context& own) { return cells_of_colour(own, grid, value); });
}

// The object of all cells of a grid, together.
VM_FN Value object_of_grid(Context& cx, const Grid& g) {
    const u64 n = static_cast<u64>(g.h) * g.w;
    if (g.h > MOST_ROWS || g.w > MOST_COLUMNS) return unhandled(R_FORM);
    const Value indices = rectangle(cx, Extent{0, 0, static_cast<i64>(g.h) - 1, static_cast<i64>(g.w) - 1});
    if (is_bad(indices)) return indices;
    const bool uniform = lanes_of(cx) > 1 ? count_colour(cx, g.data, n, g.data[0]) == n : same_bytes(g.data, g.data + 1, n - 1);
    return variant(cx, *indices.patch, 0, 0, true, uniform ? g.data[0] : MANY_COLOURS, uniform ? nullptr : g.data);
}

VM_FN Value object_of_any_grid(Context& cx, const Value& grid) {
    const Grid* g = nullptr;
    if (as_grid(cx, grid, g) == IS_PATCH) return object_of_grid(cx, *g);
    if (!is_tuple_of_tuples(grid)) return fail();
    u64 n = 0;
    for_each_element(grid, [&](const Value&, i64, i64) { n++; });
    Seq* seq = new_seq(cx, n);
    if (!seq) return unhandled(R_ARENA);
    n = 0;
    bool full = false;
    for_each_element(grid, [&](const Value& item, i64 i, i64 j) {
        seq->items[n] = make_pair(cx, item, location(cx, i, j));
        full |= is_bad(seq->items[n++]);
    });
    return full ? unhandled(R_ARENA) : make_set(cx, seq);
}

VM_FN Value op_asobject(Context& cx, const Value& grid) {
    return shared_if(cx, grid.tag == GRID, [&](Context& own) { return object_of_any_grid(own, grid); });
}

// Add those cells of a patch to the mask of a grid that are inside it, together; the mask begins at (0, 0).
VM_FN void add_inside(Context& cx, Mask& m, const Patch& p) {
    const i64 from = greatest_of<i64>(0, p.top), to = least_of<i64>(m.h, static_cast<i64>(p.top) + p.h);
    for (i64 i = from + lane_of(cx); i < to; i += lanes_of(cx)) {
        u64* row = m.rows + static_cast<u64>(i) * m.words;
        const u32 r = static_cast<u32>(i - p.top);
        for (u32 word = 0; word < m.words; word++) {
            row[word] |= window(p, r, static_cast<i64>(word) * 64 - p.left);
        }
        if (m.w & 63) row[m.words - 1] &= (static_cast<u64>(1) << (m.w & 63)) - 1;
    }
}

// What len(grid) and len(grid[0]) are; false where Python raises.
VM_FN bool get_sides(const Value& grid, u64& h, u64& w) {
    if (!is_tuple(grid) || !length(grid)) return false;
    const Value row = tuple_item(grid, 0);
    if (!is_container(row)) return false;
    h = length(grid);
    w = length(row);
    return true;
}

// The cells of what is no grid of bytes at n places.
VM_FN Value cells_of_odd(Context& cx, const Value& grid, u64 h, u64 w, const Value* items, u64 n) {
    Seq* seq = new_seq(cx, n);
    if (!seq) return unhandled(R_ARENA);
    seq->n = 0;
    for (u64 k = 0; k < n; k++) {
        const Place place = place_of(items[k]);
        if (place.i < 0 || place.j < 0 || place.i >= static_cast<i64>(h) || place.j >= static_cast<i64>(w)) continue;
        const Value row = tuple_item(grid, static_cast<u64>(place.i));
        if (!is_tuple(row) || place.j >= static_cast<i64>(length(row))) return fail();
        const Value colour = tuple_item(row, static_cast<u64>(place.j));
        seq->items[seq->n] = make_pair(cx, colour, pair_of(place.i, place.j));
        if (is_bad(seq->items[seq->n++])) return unhandled(R_ARENA);
    }
    return make_set(cx, seq);
}

VM_FN Value object_on_grid(Context& cx, const Value& patch, const Value& grid) {
    u64 h, w;
    if (!get_sides(grid, h, w)) return fail();
    const Grid* g = nullptr;
    const Form grid_form = as_grid(cx, grid, g);
    if (grid_form == NO_MEMORY) return refuse(grid_form);
    const Places places = patch.tag == PATCH ? Places{IS_PATCH, false, false, false, nullptr, 0} : pairs_of(cx, patch);
    if (places.form == IS_EMPTY) return empty_set();
    if (places.form != IS_PATCH) return refuse(places.form);
    if (grid_form != IS_PATCH || h > MOST_ROWS || w > MOST_COLUMNS) {
        const Value* items = patch.tag == PATCH ? items_of(cx, patch) : places.items;
        return items ? cells_of_odd(cx, grid, h, w, items, length(patch)) : unhandled(R_ARENA);
    }
    Mask m;
    if (!new_mask(cx, m, 0, 0, g->h, g->w, false)) return unhandled(R_ARENA);
    m.plane = const_cast<i8*>(g->data);  // only read by finish
    if (patch.tag == PATCH) add_inside(cx, m, *patch.patch);
    for (u64 k = 0; k < places.n; k++) {
        const Place place = place_of(places.items[k]);
        if (place.i < 0 || place.j < 0) continue;
        const u32 r = static_cast<u32>(place.i), c = static_cast<u32>(place.j);
        if (r < g->h && c < g->w) m.set(r, c);
    }
    return finish(cx, m, true, MANY_COLOURS);
}

VM_FN Value op_toobject(Context& cx, const Value& patch, const Value& grid) {
    const bool quick = patch.tag == PATCH && grid.tag == GRID && grid.grid->h <= MOST_ROWS && grid.grid->w <= MOST_COLUMNS;
    return shared_if(cx, quick, [&](Context& own) { return object_on_grid(own, patch, grid); });
}

// ---- neighbours of a location

// The indices of three rows of three columns around a location, the lowest bit the leftmost.
VM_FN Value around(Context& cx, const Value& loc, u64 above, u64 beside, u64 below) {
    i32 i, j;
    if (!get_pair(loc, i, j)) return no_pair(loc);
    const Extent e{static_cast<i64>(i) - 1, static_cast<i64>(j) - 1, static_cast<i64>(i) + 1, static_cast<i64>(j) + 1};
    if (!is_maskable(e)) return unhandled(R_OVERFLOW);
    u64* rows;
    Patch* p = new_indices(cx, e, rows);
    if (!p) return unhandled(R_ARENA);
    rows[0] = above;
    rows[1] = beside;
    rows[2] = below;
    p->count = count_bits(above) + count_bits(beside) + count_bits(below);
    return of_patch(p);
}

VM_INLINE Value op_dneighbors(Context& cx, const Value& loc) { return around(cx, loc, 2, 5, 2); }
VM_INLINE Value op_ineighbors(Context& cx, const Value& loc) { return around(cx, loc, 5, 0, 5); }
VM_INLINE Value op_neighbors(Context& cx, const Value& loc) { return around(cx, loc, 7, 5, 7); }

// ---- bounding boxes

VM_FN Value op_corners(Context& cx, const Value& patch) {
    Extent e;
    const Form form = bounds_of(cx, patch, e);
    if (form != IS_PATCH && form != IS_EMPTY) return refuse(form);
    if (form == IS_PATCH && is_maskable(e)) {
        u64* rows;
        Patch* p = new_indices(cx, e, rows);
        if (!p) return unhandled(R_ARENA);
        for (u32 k = 0; k < 2; k++) {
            u64* row = rows + (k ? p->h - 1 : 0) * p->words;
            set_bit(row, 0);
            set_bit(row, p->w - 1);
        }
        p->count = (p->h > 1 ? 2u : 1u) * (p->w > 1 ? 2u : 1u);
        return of_patch(p);
    }
    Seq* seq = new_seq(cx, form == IS_EMPTY ? 1 : 4);
    if (!seq) return unhandled(R_ARENA);
    if (form == IS_EMPTY) {
        seq->items[0] = empty_tuple();  // every corner of nothing is ()
        return of_seq(SET, seq);
    }
    for (u32 k = 0; k < 4; k++) seq->items[k] = location(cx, k < 2 ? e.top : e.bottom, k & 1 ? e.right : e.left);
    return make_set(cx, seq);
}

VM_FN Value box_of(Context& cx, const Value& patch) {
    Extent e;
    const Form form = bounds_of(cx, patch, e);
    if (form == IS_EMPTY) return empty_set();
    return form == IS_PATCH ? rectangle(cx, e) : refuse(form);
}

VM_FN Value op_backdrop(Context& cx, const Value& patch) {
    return shared_if(cx, patch.tag == PATCH, [&](Context& own) { return box_of(own, patch); });
}

VM_FN Value rest_of_box(Context& cx, const Value& patch) {
    const Patch* p = nullptr;
    const Form form = as_mask(cx, patch, p);
    if (form == IS_EMPTY) return empty_set();
    if (form != IS_PATCH) return refuse(form);
    if (p->count == p->h * p->w) return empty_set();
    Mask m;
    if (!new_mask(cx, m, p->top, p->left, p->h, p->w, false)) return unhandled(R_ARENA);
    for (u32 r = lane_of(cx); r < p->h; r += lanes_of(cx)) {
        u64* row = m.rows + r * m.words;
        fill_bits(row, p->w);
        for (u32 word = 0; word < m.words; word++) row[word] ^= p->rows[r * p->words + word];
    }
    return finish(cx, m, false, 0);
}

VM_FN Value op_delta(Context& cx, const Value& patch) {
    return shared_if(cx, patch.tag == PATCH, [&](Context& own) { return rest_of_box(own, patch); });
}

VM_FN Value rim_of(Context& cx, const Value& patch) {
    Extent e;
    const Form form = bounds_of(cx, patch, e);
    if (form == IS_EMPTY) return empty_set();
    return form == IS_PATCH ? outline(cx, e) : refuse(form);
}

VM_FN Value op_box(Context& cx, const Value& patch) {
    return shared_if(cx, patch.tag == PATCH, [&](Context& own) { return rim_of(own, patch); });
}

VM_FN Value rim_inside(Context& cx, const Value& patch) {
    Extent e;
    const Form form = bounds_of(cx, patch, e);
    if (form != IS_PATCH) return refuse(form);
    const i64 i = e.top + 1, j = e.left + 1, k = e.bottom - 1, m = e.right - 1;
    return outline(cx, Extent{least_of(i, k), least_of(j, m), greatest_of(i, k), greatest_of(j, m)});
}

VM_FN Value op_inbox(Context& cx, const Value& patch) {
    return shared_if(cx, patch.tag == PATCH, [&](Context& own) { return rim_inside(own, patch); });
}

VM_FN Value rim_outside(Context& cx, const Value& patch) {
    Extent e;
    const Form form = bounds_of(cx, patch, e);
    if (form != IS_PATCH) return refuse(form);
    return outline(cx, Extent{e.top - 1, e.left - 1, e.bottom + 1, e.right + 1});
}

VM_FN Value op_outbox(Context& cx, const Value& patch) {
    return shared_if(cx, patch.tag == PATCH, [&](Context& own) { return rim_outside(own, patch); });
}

// ---- two patches

// The masks of two patches; IS_PATCH if both have one, IS_EMPTY if one is empty and the other no failure.
VM_FN Form as_masks(Context& cx, const Value& a, const Value& b, const Patch*& p, const Patch*& q) {
    const Form first = as_mask(cx, a, p), second = as_mask(cx, b, q);
    if (first == IS_WRONG || second == IS_WRONG) return IS_WRONG;
    if (first != IS_PATCH && first != IS_EMPTY) return first;
    return first == IS_PATCH ? second : second == IS_PATCH ? first : second;
}

VM_FN bool has_row(const Patch& p, i64 i) {
    u64 any = 0;
    for (u32 word = 0; word < p.words; word++) any |= p.rows[static_cast<u64>(i - p.top) * p.words + word];
    return any != 0;
}

// ---- two patches at least one of which is no mask, as its cells are far apart: each cell of one with each of the other

constexpr u64 MOST_FAR_PAIRS = 1 << 22;

VM_INLINE i64 distance(i64 a, i64 b) { return a < b ? b - a : a - b; }

// Two patches in any form, neither empty. False if one is something else, or if there are too many pairs of cells.
VM_FN bool far_places(Context& cx, const Value& a, const Value& b, Places& p, Places& q) {
    p = pairs_of(cx, a);
    q = pairs_of(cx, b);
    return p.form == IS_PATCH && q.form == IS_PATCH && p.n <= MOST_FAR_PAIRS / q.n;
}

// The least distance between two of their cells, the first moved by (di, dj).
VM_FN i64 far_distance(const Places& p, i64 di, i64 dj, const Places& q) {
    i64 least = INT64_MAX;
    for (u64 k = 0; k < p.n && least; k++) {
        const Place x = place_of(p.items[k]);
        for (u64 m = 0; m < q.n; m++) {
            const Place y = place_of(q.items[m]);
            least = least_of(least, distance(x.i + di, y.i) + distance(x.j + dj, y.j));
        }
    }
    return least;
}

// Whether they share a row, or a column.
VM_FN bool far_match(const Places& p, const Places& q, bool columns) {
    for (u64 k = 0; k < p.n; k++) {
        const Place x = place_of(p.items[k]);
        for (u64 m = 0; m < q.n; m++) {
            const Place y = place_of(q.items[m]);
            if (columns ? x.j == y.j : x.i == y.i) return true;
        }
    }
    return false;
}

VM_FN Value op_hmatching(Context& cx, const Value& a, const Value& b) {
    const Patch *p = nullptr, *q = nullptr;
    const Form form = as_masks(cx, a, b, p, q);
    if (form == IS_EMPTY) return boolean(false);
    Places x_places, y_places;
    if (form == IS_UNKNOWN && far_places(cx, a, b, x_places, y_places)) {
        return boolean(far_match(x_places, y_places, false));
    }
    if (form != IS_PATCH) return refuse(form);
    const Extent x = extent_of(*p), y = extent_of(*q);
    for (i64 i = greatest_of(x.top, y.top); i <= least_of(x.bottom, y.bottom); i++) {
        if (has_row(*p, i) && has_row(*q, i)) return boolean(true);
    }
    return boolean(false);
}

// A mask of one row: the columns in which a patch has cells. `bits` has room for the words of p.
VM_FN Patch columns_of(const Patch& p, u64* bits) {
    for (u32 word = 0; word < p.words; word++) {
        u64 any = 0;
        for (u32 r = 0; r < p.h; r++) any |= p.rows[r * p.words + word];
        bits[word] = any;
    }
    return Patch{0, p.left, 1, p.w, p.words, 0, false, 0, bits, nullptr};
}

VM_FN bool share_column(const Patch& p, const Patch& q) {
    u64 of_p[MOST_COLUMNS / 64], of_q[MOST_COLUMNS / 64];
    const Patch a = columns_of(p, of_p), b = columns_of(q, of_q);
    for (u32 word = 0; word < b.words; word++) {
        const i64 from = static_cast<i64>(b.left) + word * 64 - a.left;
        if (window(a, 0, from) & of_q[word]) return true;
    }
    return false;
}

VM_INLINE bool is_mixed(Context& cx, const Value& v) { return v.tag != PATCH && places_of(cx, v).mixed; }

VM_FN Value op_vmatching(Context& cx, const Value& a, const Value& b) {
    if (is_mixed(cx, a) || is_mixed(cx, b)) return unhandled(R_FORM);  // which the reference may take here
    const Patch *p = nullptr, *q = nullptr;
    const Form form = as_masks(cx, a, b, p, q);
    if (form == IS_EMPTY) return boolean(false);
    Places x, y;
    if (form == IS_UNKNOWN && far_places(cx, a, b, x, y)) return boolean(far_match(x, y, true));
    return form == IS_PATCH ? boolean(share_column(*p, *q)) : refuse(form);
}

// The least distance from column k, counted from the first of q, to a bit of row r of q, which has one.
VM_FN i64 distance_to_row(const Patch& q, u32 r, i64 k) {
    const u64* row = q.rows + static_cast<u64>(r) * q.words;
    i64 least = INT64_MAX;
    for (u32 word = 0; word < q.words; word++) {
        const u64 bits = row[word];
        if (!bits) continue;
        const i64 at = k - static_cast<i64>(word) * 64;
        const u64 left = at < 0 ? 0 : at >= 63 ? bits : bits & ((static_cast<u64>(2) << at) - 1);
        const u64 right = bits & ~left;
        if (left) least = least_of<i64>(least, at - highest_bit(left));
        if (right) least = least_of<i64>(least, static_cast<i64>(lowest_bit(right)) - at);
    }
    return least;
}

// The least distance between row r of p and row s of q, or `best` if it is no less.
VM_FN i64 distance_of_rows(const Patch& p, u32 r, const Patch& q, u32 s, i64 best) {
    const i64 between_rows = static_cast<i64>(p.top) + r - q.top - s;
    const i64 vertical = between_rows < 0 ? -between_rows : between_rows;
    if (vertical >= best) return best;
    const i64 offset = static_cast<i64>(p.left) - q.left;
    for (u32 word = 0; word < p.words; word++) {
        const u64 bits = p.rows[static_cast<u64>(r) * p.words + word];
        const i64 from = offset + word * 64;
        if (bits & window(q, s, from)) return vertical;
        // No cell has one of q's in its column, so that of a run of cells one at an end is nearest.
        for (u64 ends = bits & ~((bits << 1) & (bits >> 1)); ends; ends &= ends - 1) {
            best = least_of(best, vertical + distance_to_row(q, s, from + lowest_bit(ends)));
        }
    }
    return best;
}

// Whether a value has rows of three or more among its elements: where the reference does not unpack it, it takes them.
VM_INLINE bool has_long_rows(Context& cx, const Value& v) { return v.tag != PATCH && places_of(cx, v).rows; }

VM_FN Value op_manhattan(Context& cx, const Value& a, const Value& b) {
    if (has_long_rows(cx, a) || has_long_rows(cx, b)) return unhandled(R_FORM);
    const Patch *p = nullptr, *q = nullptr;
    const Form form = as_masks(cx, a, b, p, q);
    Places x, y;
    if (form == IS_UNKNOWN && far_places(cx, a, b, x, y)) return integer(far_distance(x, 0, 0, y));
    if (form != IS_PATCH) return refuse(form);
    const Contact how = contact(*p, 0, 0, *q);
    if (how != APART) return integer(how == TOUCHING ? 1 : 0);
    i64 best = INT64_MAX;
    for (u32 s = 0; s < q->h; s++) {
        if (!has_row(*q, static_cast<i64>(q->top) + s)) continue;
        for (u32 r = 0; r < p->h; r++) best = distance_of_rows(*p, r, *q, s, best);
    }
    return integer(best);
}

VM_FN Value op_adjacent(Context& cx, const Value& a, const Value& b) {
    if (has_long_rows(cx, a) || has_long_rows(cx, b)) return unhandled(R_FORM);
    const Patch *p = nullptr, *q = nullptr;
    const Form form = as_masks(cx, a, b, p, q);
    Places x, y;
    if (form == IS_UNKNOWN && far_places(cx, a, b, x, y)) return boolean(far_distance(x, 0, 0, y) == 1);
    return form == IS_PATCH ? boolean(contact(*p, 0, 0, *q) == TOUCHING) : refuse(form);
}

VM_FN Value op_bordering(Context& cx, const Value& patch, const Value& grid) {
    Extent e;
    const Form form = bounds_of(cx, patch, e);
    if (form != IS_PATCH) return refuse(form);
    if (e.top == 0 || e.left == 0) return boolean(true);  // whatever the grid is
    if (!is_container(grid)) return fail();
    if (e.bottom == static_cast<i64>(length(grid)) - 1) return boolean(true);
    u64 h, w;
    return get_sides(grid, h, w) ? boolean(e.right == static_cast<i64>(w) - 1) : fail();
}

VM_FN Value center_of_indices(Context& cx, const Value& patch) {
    const Value indices = op_toindices(cx, patch);
    return is_bad(indices) ? indices : op_center(cx, indices);
}

VM_FN Value op_position(Context& cx, const Value& a, const Value& b) {
    const Value of_a = center_of_indices(cx, a), of_b = center_of_indices(cx, b);
    if (is_bad(of_a)) return of_a;
    if (is_bad(of_b)) return of_b;
    i32 ai, aj, bi, bj;
    if (!get_pair(of_a, ai, aj) || !get_pair(of_b, bi, bj)) return unhandled(R_OVERFLOW);
    const i32 di = ai < bi ? 1 : -1, dj = aj < bj ? 1 : -1;
    if (ai == bi) return pair_of(0, dj);
    return pair_of(di, aj == bj ? 0 : dj);
}

VM_FN Value op_gravitate(Context& cx, const Value& source, const Value& destination) {
    const Patch *p = nullptr, *q = nullptr;
    const Form form = as_masks(cx, source, destination, p, q);
    Places x, y;
    const bool far = form == IS_UNKNOWN && far_places(cx, source, destination, x, y);
    if (form != IS_PATCH && !far) return refuse(form);
    const Value from = op_center(cx, source), to = op_center(cx, destination);
    if (is_bad(from)) return from;
    if (is_bad(to)) return to;
    i32 si, sj, di, dj;
    if (!get_pair(from, si, sj) || !get_pair(to, di, dj)) return unhandled(R_OVERFLOW);
    const bool vertical = far ? far_match(x, y, true) : share_column(*p, *q);
    const i64 sense = (vertical ? si < di : sj < dj) ? 1 : -1;
    const i64 step_i = vertical ? sense : 0, step_j = vertical ? 0 : sense;
    i64 moves = 0;
    while (moves < MOST_MOVES) {
        const i64 i = step_i * moves, j = step_j * moves;
        if (far ? far_distance(x, i, j, y) == 1 : contact(*p, i, j, *q) == TOUCHING) break;
        moves++;
    }
    return location(cx, step_i * moves, step_j * moves);
}

// ---- lines

// The line of n indices from (i, j) on in steps of (si, sj), each -1, 0 or 1.
VM_FN Value line(Context& cx, i64 i, i64 j, i64 si, i64 sj, i64 n) {
    const i64 last_i = i + si * (n - 1), last_j = j + sj * (n - 1);
    const Extent e{least_of(i, last_i), least_of(j, last_j), greatest_of(i, last_i), greatest_of(j, last_j)};
    if (is_maskable(e)) {
        u64* rows;
        Patch* p = new_indices(cx, e, rows);
        if (!p) return unhandled(R_ARENA);
        p->count = static_cast<u32>(n);
        if (si == 0) {
            fill_bits(rows, p->w);
        } else {
            for (u32 r = 0; r < p->h; r++) set_bit(rows + r * p->words, sj == 0 ? 0 : si == sj ? r : p->h - 1 - r);
        }
        return of_patch(p);
    }
    if (static_cast<u64>(n) > static_cast<u64>(cx.arena.end - cx.arena.top) / sizeof(Value)) return unhandled(R_ARENA);
    Seq* seq = new_seq(cx, static_cast<u64>(n));
    if (!seq) return unhandled(R_ARENA);
    for (i64 k = 0; k < n; k++) {
        seq->items[k] = location(cx, i + si * k, j + sj * k);
        if (is_bad(seq->items[k])) return seq->items[k];
    }
    return make_set(cx, seq);
}

VM_FN Value connect(Context& cx, i64 ai, i64 aj, i64 bi, i64 bj) {
    const i64 di = bi - ai, dj = bj - aj, down = di < 0 ? -di : di, across = dj < 0 ? -dj : dj;
    if (di && dj && down != across) return empty_set();
    return line(cx, ai, aj, (di > 0) - (di < 0), (dj > 0) - (dj < 0), greatest_of(down, across) + 1);
}

VM_FN Value op_connect(Context& cx, const Value& a, const Value& b) {
    i32 ai, aj, bi, bj;
    if (!get_pair(a, ai, aj)) return no_pair(a);
    return get_pair(b, bi, bj) ? connect(cx, ai, aj, bi, bj) : no_pair(b);
}

VM_FN Value op_shoot(Context& cx, const Value& start, const Value& direction) {
    i32 i, j, di, dj;
    if (!get_pair(start, i, j)) return no_pair(start);
    if (!get_pair(direction, di, dj)) return no_pair(direction);
    return connect(cx, i, j, i + MOST_MOVES * di, j + MOST_MOVES * dj);
}

// The set of the pairs (k, column) or (row, k) for k below FRONTIER_LENGTH, where row or column is any value.
VM_FN Value frontier(Context& cx, const Value& row_or_column, bool vertical) {
    if (is_int(row_or_column) && is_small(row_or_column.num)) {
        const i64 at = row_or_column.num;
        return line(cx, vertical ? 0 : at, vertical ? at : 0, vertical, !vertical, FRONTIER_LENGTH);
    }
    Seq* seq = new_seq(cx, FRONTIER_LENGTH);
    if (!seq) return unhandled(R_ARENA);
    for (u32 k = 0; k < FRONTIER_LENGTH; k++) {
        const Value along = integer(k);
        seq->items[k] = vertical ? make_pair(cx, along, row_or_column) : make_pair(cx, row_or_column, along);
        if (is_bad(seq->items[k])) return seq->items[k];
    }
    return make_set(cx, seq);
}

VM_FN Value op_vfrontier(Context& cx, const Value& loc) {
    return is_tuple(loc) && length(loc) == 2 ? frontier(cx, tuple_item(loc, 1), true) : fail();
}

VM_FN Value op_hfrontier(Context& cx, const Value& loc) {
    return is_tuple(loc) && length(loc) == 2 ? frontier(cx, tuple_item(loc, 0), false) : fail();
}

// ---- periods

// Whether every cell of row r from column `by` on has a cell of its colour `by` columns before it.
VM_FN bool repeats_across(const Patch& p, u32 r, u32 by) {
    for (u32 word = by / 64; word < p.words; word++) {
        u64 bits = p.rows[static_cast<u64>(r) * p.words + word];
        if (word == by / 64) bits &= ~static_cast<u64>(0) << (by & 63);
        if (bits & ~window(p, r, static_cast<i64>(word) * 64 - by)) return false;
        if (p.colour != MANY_COLOURS) continue;
        const i8* plane = p.plane + static_cast<u64>(r) * p.w;
        for (; bits; bits &= bits - 1) {
            const u32 k = word * 64 + lowest_bit(bits);
            if (plane[k] != plane[k - by]) return false;
        }
    }
    return true;
}

// Whether every cell of row r has a cell of its colour `by` rows above it.
VM_FN bool repeats_down(const Patch& p, u32 r, u32 by) {
    const u64 *row = p.rows + static_cast<u64>(r) * p.words, *above = row - static_cast<u64>(by) * p.words;
    for (u32 word = 0; word < p.words; word++) {
        u64 bits = row[word];
        if (bits & ~above[word]) return false;
        if (p.colour != MANY_COLOURS) continue;
        for (; bits; bits &= bits - 1) {
            const u32 k = word * 64 + lowest_bit(bits);
            if (p.plane[r * p.w + k] != p.plane[(r - by) * p.w + k]) return false;
        }
    }
    return true;
}

// The object of an operation that unpacks every cell; IS_WRONG where that raises.
VM_FN Form as_object(Context& cx, const Value& v, const Patch*& p) {
    if (v.tag == PATCH) {
        p = v.patch;
        return p->object ? IS_PATCH : IS_WRONG;
    }
    const Places places = pairs_of(cx, v);
    if (places.form == IS_PATCH) {
        const Form form = places.object ? as_patch(cx, v, p) : IS_WRONG;
        return form == IS_WRONG && places.object ? IS_UNKNOWN : form;
    }
    const bool sets = places.form == IS_WRONG && places.n && places.items && place_of(places.items[0]).kind == A_SET;
    return sets ? IS_UNKNOWN : places.form;  // a set of two unpacks
}

// Whether a value holds nothing but cells, though it is no mask.
VM_FN bool is_odd_object(Context& cx, const Value& v) {
    const Places places = pairs_of(cx, v);
    return places.form == IS_PATCH && places.object;
}

constexpr i64 MOST_PERIOD = 1 << 12;

// The period of cells that are no mask, cell by cell.
VM_FN Value period_of_places(Context& cx, const Value& obj, bool across) {
    const Places places = pairs_of(cx, obj);
    Extent e;
    const Form form = bounds_of(cx, obj, e);
    if (form != IS_PATCH) return refuse(form);
    const i64 start = across ? e.left : e.top, span = across ? e.right - e.left : e.bottom - e.top;
    if (span > MOST_PERIOD) return unhandled(R_FORM);
    Seq* seq = new_seq(cx, places.n);
    if (!seq) return unhandled(R_ARENA);
    copy_memory(seq->items, places.items, places.n * sizeof(Value));
    const Value known = make_set(cx, seq);
    if (is_bad(known)) return known;
    u8* const mark = cx.arena.top;
    for (i64 by = 1; by <= span; by++) {
        u64 k = 0;
        for (; k < places.n; k++, cx.arena.top = mark) {
            const Place place = place_of(places.items[k]);
            if ((across ? place.j : place.i) - by < start) continue;
            const Value before = moved_place(cx, places.items[k], across ? 0 : -by, across ? -by : 0);
            if (is_bad(before)) return before;
            if (!contains(cx, known, before)) break;
        }
        cx.arena.top = mark;
        if (k == places.n) return integer(by);
    }
    return integer(span + 1);
}

VM_FN Value op_hperiod(Context& cx, const Value& obj) {
    const Patch* p = nullptr;
    const Form form = as_object(cx, obj, p);
    if (form == IS_EMPTY) return integer(0);
    if (form == IS_UNKNOWN && is_odd_object(cx, obj)) return period_of_places(cx, obj, true);
    if (form != IS_PATCH) return refuse(form);
    for (u32 by = 1; by < p->w; by++) {
        u32 r = 0;
        while (r < p->h && repeats_across(*p, r, by)) r++;
        if (r == p->h) return integer(by);
    }
    return integer(p->w);
}

VM_FN Value op_vperiod(Context& cx, const Value& obj) {
    const Patch* p = nullptr;
    const Form form = as_object(cx, obj, p);
    if (form == IS_EMPTY) return integer(0);
    if (form == IS_UNKNOWN && is_odd_object(cx, obj)) return period_of_places(cx, obj, false);
    if (form != IS_PATCH) return refuse(form);
    for (u32 by = 1; by < p->h; by++) {
        u32 r = by;
        while (r < p->h && repeats_down(*p, r, by)) r++;
        if (r == p->h) return integer(by);
    }
    return integer(p->h);
}

}  // namespace vm
