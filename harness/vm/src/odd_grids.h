// Grids that are no bytes: with rows of different lengths, or with values for colours that are no bytes. What programs do
// with them is rare, so it is done cell by cell, as the reference does it.
#pragma once

#include "ops_colours.h"

namespace vm {

// The tuple of what f makes of each row; v is a tuple of tuples.
template <class F>
VM_INLINE Value map_rows(Context& cx, const Value& v, F f) {
    Seq* rows = new_seq(cx, length(v));
    if (!rows) return unhandled(R_ARENA);
    for (u64 r = 0; r < rows->n; r++) {
        rows->items[r] = f(tuple_item(v, r));
        if (is_bad(rows->items[r])) return rows->items[r];
    }
    return make_tuple(cx, rows);
}

// The grid with what f makes of each cell in its place.
template <class F>
VM_INLINE Value map_odd_cells(Context& cx, const Value& grid, F f) {
    return map_rows(cx, grid, [&](const Value& row) {
        Seq* made = new_seq(cx, length(row));
        if (!made) return unhandled(R_ARENA);
        for (u64 k = 0; k < made->n; k++) made->items[k] = f(tuple_item(row, k));
        return make_tuple(cx, made);
    });
}

VM_FN Value switch_odd(Context& cx, const Value& grid, const Value& a, const Value& b) {
    return map_odd_cells(cx, grid, [&](const Value& v) { return equal(cx, v, a) ? b : equal(cx, v, b) ? a : v; });
}

VM_FN Value replace_odd(Context& cx, const Value& grid, const Value& replacee, const Value& replacer) {
    return map_odd_cells(cx, grid, [&](const Value& v) { return equal(cx, v, replacee) ? replacer : v; });
}

// Both have at least as many rows as `a`.
VM_FN Value cellwise_odd(Context& cx, const Value& a, const Value& b, const Value& fallback) {
    u64 r = 0;
    return map_rows(cx, a, [&](const Value& row) {
        const Value other = tuple_item(b, r++);
        Seq* made = new_seq(cx, least_of(length(row), length(other)));
        if (!made) return unhandled(R_ARENA);
        for (u64 k = 0; k < made->n; k++) {
            const Value v = tuple_item(row, k);
            made->items[k] = equal(cx, v, tuple_item(other, k)) ? v : fallback;
        }
        return make_tuple(cx, made);
    });
}

VM_FN Value hupscale_odd(Context& cx, const Value& grid, u64 factor) {
    return map_rows(cx, grid, [&](const Value& row) {
        const u64 n = length(row);
        if (factor && !has_room(cx, n, factor * sizeof(Value))) return unhandled(R_ARENA);
        Seq* made = new_seq(cx, n * factor);
        if (!made) return unhandled(R_ARENA);
        for (u64 k = 0; k < made->n; k++) made->items[k] = tuple_item(row, k / factor);
        return make_tuple(cx, made);
    });
}

VM_FN u64 shortest_row(const Value& grid) {
    u64 shortest = UINT64_MAX;
    for (u64 r = 0; r < length(grid); r++) shortest = least_of(shortest, length(tuple_item(grid, r)));
    return shortest;
}

VM_INLINE Value cell_at(const Value& grid, u64 r, u64 k) { return tuple_item(tuple_item(grid, r), k); }

// Whether a row, or a column within the shortest row, is of one value only.
VM_FN bool is_uniform_row(Context& cx, const Value& row) {
    const u64 n = length(row);
    u64 k = 1;
    while (k < n && equal(cx, tuple_item(row, k), tuple_item(row, 0))) k++;
    return n && k == n;
}

VM_FN bool is_uniform_column(Context& cx, const Value& grid, u64 k) {
    u64 r = 1;
    while (r < length(grid) && equal(cx, cell_at(grid, r, k), cell_at(grid, 0, k))) r++;
    return r == length(grid);
}

VM_FN Value compress_odd(Context& cx, const Value& grid) {
    const u64 w = shortest_row(grid);
    u64* kept = allocate_array<u64>(cx, w);
    Seq* rows = new_seq(cx, length(grid));
    if (!kept || !rows) return unhandled(R_ARENA);
    u64 columns = 0, n = 0;
    for (u64 k = 0; k < w; k++) {
        if (!is_uniform_column(cx, grid, k)) kept[columns++] = k;
    }
    for (u64 r = 0; r < length(grid); r++) {
        const Value row = tuple_item(grid, r);
        if (is_uniform_row(cx, row)) continue;
        Seq* made = new_seq(cx, columns);
        if (!made) return unhandled(R_ARENA);
        for (u64 k = 0; k < columns; k++) made->items[k] = tuple_item(row, kept[k]);
        rows->items[n++] = make_tuple(cx, made);
        if (is_bad(rows->items[n - 1])) return rows->items[n - 1];
    }
    rows->n = n;
    return make_tuple(cx, rows);
}

// ---- objects

// n values, that of row r and column k at r * stride + k.
struct OddCells {
    Value* values;
    u8* left;  // whether a cell is there, and not taken
    u64 n, stride;
};

constexpr u64 MOST_ODD_CELLS = 1 << 20;

VM_FN Value odd_cell(Context& cx, const OddCells& cells, u64 at) {
    const Value place = pair_of(static_cast<i32>(at / cells.stride), static_cast<i32>(at % cells.stride));
    return make_pair(cx, cells.values[at], place);
}

// Number the cells as the reference does; of two with one number the later counts.
VM_FN Value number_cells(Context& cx, const Value& grid, const Value* background, OddCells& cells) {
    const u64 h = length(grid);
    u64 longest = 0;
    for (u64 r = 0; r < h; r++) longest = greatest_of(longest, length(tuple_item(grid, r)));
    cells.stride = length(tuple_item(grid, 0)) + 1;
    cells.n = (h - 1) * cells.stride + longest;
    if (h > MOST_ODD_CELLS || longest > MOST_ODD_CELLS || cells.n > MOST_ODD_CELLS) return unhandled(R_FORM);
    cells.values = allocate_array<Value>(cx, cells.n);
    cells.left = allocate_array<u8>(cx, cells.n);
    if (!cells.values || !cells.left) return unhandled(R_ARENA);
    fill_memory(cells.left, 0, cells.n);
    for (u64 r = 0; r < h; r++) {
        const Value row = tuple_item(grid, r);
        for (u64 k = 0; k < length(row); k++) {
            const Value v = tuple_item(row, k);
            if (background && equal(cx, v, *background)) continue;
            cells.values[r * cells.stride + k] = v;
            cells.left[r * cells.stride + k] = 1;
        }
    }
    return none();
}

// The component of a cell that is left, whose cells are then taken. `found` has room for all.
VM_FN Value take_component(Context& cx, OddCells& cells, u64 start, bool univalued, u32 directions, u64* found) {
    const i64 stride = static_cast<i64>(cells.stride);
    const i64 steps[8] = {-stride, -1, 1, stride, -stride - 1, -stride + 1, stride - 1, stride + 1};
    u64 n = 1;
    found[0] = start;
    cells.left[start] = 0;
    for (u64 k = 0; k < n; k++) {
        for (u32 d = 0; d < directions; d++) {
            const i64 near = static_cast<i64>(found[k]) + steps[d];
            if (near < 0 || near >= static_cast<i64>(cells.n) || !cells.left[near]) continue;
            if (univalued && !equal(cx, cells.values[near], cells.values[start])) continue;
            cells.left[near] = 0;
            found[n++] = static_cast<u64>(near);
        }
    }
    Seq* seq = new_seq(cx, n);
    if (!seq) return unhandled(R_ARENA);
    for (u64 k = 0; k < n; k++) {
        seq->items[k] = odd_cell(cx, cells, found[k]);
        if (is_bad(seq->items[k])) return seq->items[k];
    }
    return make_set(cx, seq);
}

// The components of a tuple of tuples that is not empty.
VM_FN Value objects_of_odd(Context& cx, const Value& grid, bool univalued, bool diagonal, bool without_bg) {
    const Value background = without_bg ? op_mostcolor(cx, grid) : none();
    if (is_bad(background)) return background;
    OddCells cells{};
    const Value numbered = number_cells(cx, grid, without_bg ? &background : nullptr, cells);
    if (is_bad(numbered)) return numbered;
    u64* found = allocate_array<u64>(cx, cells.n);
    Seq* objects = new_seq(cx, cells.n);
    if (!found || !objects) return unhandled(R_ARENA);
    u64 n = 0;
    for (u64 k = 0; k < cells.n; k++) {
        if (!cells.left[k]) continue;
        objects->items[n] = take_component(cx, cells, k, univalued, diagonal ? 8 : 4, found);
        if (is_bad(objects->items[n])) return objects->items[n];
        n++;
    }
    objects->n = n;
    return make_set(cx, objects);
}

// One object for each value of a tuple of tuples, without its most common one if that is asked for.
VM_FN Value partition_odd(Context& cx, const Value& grid, bool foreground) {
    const Value colours = set_of_colours(cx, grid);
    const Value background = foreground ? op_mostcolor(cx, grid) : none();
    if (is_bad(colours)) return colours;
    if (is_bad(background)) return background;
    const u64 total = length(list_colours(cx, grid)), most = length(colours);
    const Value* values = most ? items_of(cx, colours) : nullptr;
    Seq* objects = new_seq(cx, most);
    if (!objects || (most && !values)) return unhandled(R_ARENA);
    u64 n = 0;
    for (u64 c = 0; c < most; c++) {
        if (foreground && equal(cx, values[c], background)) continue;
        Seq* seq = new_seq(cx, total);
        if (!seq) return unhandled(R_ARENA);
        seq->n = 0;
        bool full = false;
        for_each_element(grid, [&](const Value& item, i64 i, i64 j) {
            if (!equal(cx, item, values[c])) return;
            seq->items[seq->n] = make_pair(cx, item, location(cx, i, j));
            full |= is_bad(seq->items[seq->n++]);
        });
        objects->items[n] = full ? unhandled(R_ARENA) : make_set(cx, seq);
        if (is_bad(objects->items[n])) return objects->items[n];
        n++;
    }
    objects->n = n;
    return make_set(cx, objects);
}

// n cells of one value: (i, j) and what follows it in steps of (di, dj).
VM_FN Value odd_line(Context& cx, const Value& colour, u64 i, u64 j, u64 di, u64 dj, u64 n) {
    Seq* seq = new_seq(cx, n);
    if (!seq) return unhandled(R_ARENA);
    for (u64 k = 0; k < n; k++) {
        seq->items[k] = make_pair(cx, colour, location(cx, static_cast<i64>(i + k * di), static_cast<i64>(j + k * dj)));
        if (is_bad(seq->items[k])) return seq->items[k];
    }
    return make_set(cx, seq);
}

VM_FN Value frontiers_of_odd(Context& cx, const Value& grid) {
    const u64 h = length(grid), w = length(tuple_item(grid, 0)), columns = shortest_row(grid);
    Seq* found = new_seq(cx, h + columns);
    if (!found) return unhandled(R_ARENA);
    u64 n = 0;
    for (u64 r = 0; r < h; r++) {
        const Value row = tuple_item(grid, r);
        if (is_uniform_row(cx, row)) found->items[n++] = odd_line(cx, tuple_item(row, 0), r, 0, 0, 1, w);
    }
    for (u64 k = 0; k < columns; k++) {
        if (is_uniform_column(cx, grid, k)) found->items[n++] = odd_line(cx, cell_at(grid, 0, k), 0, k, 1, 0, h);
    }
    for (u64 k = 0; k < n; k++) {
        if (is_bad(found->items[k])) return found->items[k];
    }
    found->n = n;
    return make_set(cx, found);
}

// Whether all cells of an object, moved so that the corner of its box is at (i, j), are those of a grid.
VM_FN bool matches_at(Context& cx, const Value& grid, const Value* items, u64 n, i64 i, i64 j) {
    for (u64 k = 0; k < n; k++) {
        const Place place = place_of(items[k]);
        const Value v = cell_at(grid, static_cast<u64>(i + place.i), static_cast<u64>(j + place.j));
        if (!equal(cx, v, place.colour)) return false;
    }
    return true;
}

// Where cells occur in a tuple of tuples none of which is shorter than the first.
VM_FN Value occurrences_in_odd(Context& cx, const Value& grid, const Value& object, const Extent& e) {
    const i64 h = static_cast<i64>(length(grid)) - (e.bottom - e.top);
    const i64 w = static_cast<i64>(length(tuple_item(grid, 0))) - (e.right - e.left);
    if (h <= 0 || w <= 0) return empty_set();
    const Value* items = items_of(cx, object);
    Seq* seq = new_seq(cx, static_cast<u64>(h * w));
    if (!items || !seq) return unhandled(R_ARENA);
    seq->n = 0;
    for (i64 i = 0; i < h; i++) {
        for (i64 j = 0; j < w; j++) {
            if (!matches_at(cx, grid, items, length(object), i - e.top, j - e.left)) continue;
            seq->items[seq->n++] = location(cx, i, j);
        }
    }
    return make_set(cx, seq);
}

}  // namespace vm
