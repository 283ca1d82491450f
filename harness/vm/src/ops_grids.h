// The family "grids": grids made from grids and patches.
#pragma once

#include "ops_colours.h"
#include "ops_objects.h"

namespace vm {

// The tuple of h empty rows.
VM_FN Value empty_rows(Context& cx, u32 h) {
    Seq* seq = new_seq(cx, h);
    if (!seq) return unhandled(R_ARENA);
    for (u64 k = 0; k < seq->n; k++) seq->items[k] = empty_tuple();
    return make_tuple(cx, seq);
}

// The value of a grid that may have no rows or no columns.
VM_FN Value grid_value(Context& cx, const Grid* g) {
    if (!g) return unhandled(R_ARENA);
    if (g->h && g->w) return of_grid(g);
    if (!g->h) return empty_tuple();
    return alone(cx, [&](Context& own) { return empty_rows(own, g->h); });
}

// Whether a value can be a cell of a grid.
VM_INLINE bool is_colour(const Value& v) { return is_int(v) && is_byte(v.num); }

VM_INLINE u64 cells_in(const Grid& g) { return static_cast<u64>(g.h) * g.w; }
VM_INLINE const i8* row_at(const Grid& g, u64 r) { return g.data + r * g.w; }
VM_INLINE i8* row_at(Grid& g, u64 r) { return g.data + r * g.w; }

VM_FN Grid* copy_grid(Context& cx, const Grid& g) {
    Grid* copy = new_grid(cx, g.h, g.w);
    if (copy) copy_together(cx, copy->data, g.data, cells_in(g));
    sync(cx);
    return copy;
}

// ---- parts of tuples and of grids

constexpr i64 TO_THE_END = INT64_MAX;

// The bounds of a Python slice, and what they come to on a tuple.
struct Slice {
    i64 from, to;
};
struct Span {
    u64 from, n;
};

VM_FN Span resolve(const Slice& s, u64 length) {
    const i64 n = static_cast<i64>(length);
    const i64 from = s.from < 0 ? greatest_of<i64>(s.from + n, 0) : least_of(s.from, n);
    const i64 to = s.to < 0 ? greatest_of<i64>(s.to + n, 0) : least_of(s.to, n);
    return Span{static_cast<u64>(from), static_cast<u64>(greatest_of<i64>(to - from, 0))};
}

VM_FN Value part_of_grid(Context& cx, const Grid& g, const Span& rows, const Span& columns) {
    Grid* part = new_grid(cx, static_cast<u32>(rows.n), static_cast<u32>(columns.n));
    if (!part) return unhandled(R_ARENA);
    if (columns.n == g.w) {
        copy_together(cx, part->data, row_at(g, rows.from), cells_in(*part));
    } else {
        const u64 h = rows.n, w = columns.n, step = g.w;
        const i8* from = row_at(g, rows.from) + columns.from;
        i8* to = part->data;
        for (u64 r = lane_of(cx); r < h; r += lanes_of(cx)) copy_bytes(to + r * w, from + r * step, w);
    }
    return grid_value(cx, part);
}

VM_FN Value part_of_tuple(Context& cx, const Value& v, const Span& span) {
    if (span.n == length(v)) return v;
    if (!span.n) return empty_tuple();
    if (v.tag == GRID) return part_of_grid(cx, *v.grid, span, Span{0, v.grid->w});
    if (v.tag == ROW) return make_row(v.bytes + span.from, span.n);
    Seq* seq = new_seq(cx, span.n);
    if (!seq) return unhandled(R_ARENA);
    for (u64 k = 0; k < span.n; k++) seq->items[k] = tuple_item(v, span.from + k);
    return make_tuple(cx, seq);
}

// [row[columns] for row in v[rows]]; v is any value.
VM_FN Value cut(Context& cx, const Value& v, const Slice& rows, const Slice& columns) {
    if (!is_tuple(v)) return fail();
    const Span span = resolve(rows, length(v));
    if (v.tag == GRID) return part_of_grid(cx, *v.grid, span, resolve(columns, v.grid->w));
    Seq* seq = new_seq(cx, span.n);
    if (!seq) return unhandled(R_ARENA);
    for (u64 r = 0; r < span.n; r++) {
        const Value row = tuple_item(v, span.from + r);
        if (!is_tuple(row)) return fail();
        seq->items[r] = part_of_tuple(cx, row, resolve(columns, length(row)));
        if (is_bad(seq->items[r])) return seq->items[r];
    }
    return make_tuple(cx, seq);
}

VM_FN Value cropped(Context& cx, const Value& grid, const Value& start, const Value& dims) {
    i32 i, j, h, w;
    if (!is_tuple(grid)) return fail();
    if (get_pair(start, i, j) && get_pair(dims, h, w)) {
        return cut(cx, grid, Slice{i, static_cast<i64>(i) + h}, Slice{j, static_cast<i64>(j) + w});
    }
    if (!is_tuple(start) || !is_tuple(dims) || length(start) != 2 || length(dims) != 2) return fail();
    // Of no rows, no columns are taken, which then may be anything.
    return is_int(tuple_item(start, 0)) && is_int(tuple_item(dims, 0)) ? unhandled(R_FORM) : fail();
}

VM_NOINLINE Value op_crop(Context& cx, const Value& grid, const Value& start, const Value& dims) {
    return shared_if(cx, grid.tag == GRID, [&](Context& own) { return cropped(own, grid, start, dims); });
}

VM_FN Value grid_below(Context& cx, const Value& patch, const Value& grid) {
    if (patch.tag == PATCH) {
        const Extent e = extent_of(*patch.patch);
        return cut(cx, grid, Slice{e.top, e.top + patch.patch->h}, Slice{e.left, e.left + patch.patch->w});
    }
    const Value start = op_ulcorner(cx, patch);
    if (is_bad(start)) return start;
    const Value dims = op_shape(cx, patch);
    return is_bad(dims) ? dims : op_crop(cx, grid, start, dims);
}

VM_NOINLINE Value op_subgrid(Context& cx, const Value& patch, const Value& grid) {
    return shared_if(cx, patch.tag == PATCH && grid.tag == GRID, [&](Context& own) { return grid_below(own, patch, grid); });
}

VM_FN Value trimmed(Context& cx, const Value& grid) { return cut(cx, grid, Slice{1, -1}, Slice{1, -1}); }

VM_NOINLINE Value op_trim(Context& cx, const Value& grid) {
    return shared_if(cx, grid.tag == GRID, [&](Context& own) { return trimmed(own, grid); });
}

VM_FN Value top_half(Context& cx, const Value& grid) {
    if (!is_tuple(grid)) return fail();
    return part_of_tuple(cx, grid, Span{0, length(grid) / 2});
}

VM_NOINLINE Value op_tophalf(Context& cx, const Value& grid) {
    return shared_if(cx, grid.tag == GRID, [&](Context& own) { return top_half(own, grid); });
}

VM_FN Value bottom_half(Context& cx, const Value& grid) {
    if (!is_tuple(grid)) return fail();
    const u64 half = length(grid) / 2;
    return part_of_tuple(cx, grid, Span{length(grid) - half, half});
}

VM_NOINLINE Value op_bottomhalf(Context& cx, const Value& grid) {
    return shared_if(cx, grid.tag == GRID, [&](Context& own) { return bottom_half(own, grid); });
}

// Put half of the width into `half`, and return IS_PATCH if that is at least 1.
VM_FN Form half_width(const Value& grid, i64& half) {
    if (!is_tuple(grid)) return IS_WRONG;
    if (!length(grid)) return IS_EMPTY;
    const Value row = tuple_item(grid, 0);
    if (!is_container(row)) return IS_WRONG;
    half = static_cast<i64>(length(row) / 2);
    return half ? IS_PATCH : IS_EMPTY;
}

VM_FN Value left_half(Context& cx, const Value& grid) {
    i64 half = 0;
    const Form form = half_width(grid, half);
    if (form == IS_EMPTY) return empty_tuple();
    return form == IS_PATCH ? cut(cx, grid, Slice{0, TO_THE_END}, Slice{0, half}) : fail();
}

VM_NOINLINE Value op_lefthalf(Context& cx, const Value& grid) {
    return shared_if(cx, grid.tag == GRID, [&](Context& own) { return left_half(own, grid); });
}

VM_FN Value right_half(Context& cx, const Value& grid) {
    i64 half = 0;
    const Form form = half_width(grid, half);
    if (form == IS_EMPTY) return empty_tuple();
    return form == IS_PATCH ? cut(cx, grid, Slice{0, TO_THE_END}, Slice{-half, TO_THE_END}) : fail();
}

VM_NOINLINE Value op_righthalf(Context& cx, const Value& grid) {
    return shared_if(cx, grid.tag == GRID, [&](Context& own) { return right_half(own, grid); });
}

constexpr i64 MOST_PARTS = 1 << 16;

// n parts of a grid, each `part` long, along one of its sides, which is `side` long.
VM_FN Value split(Context& cx, const Value& grid, const Value& number, bool of_rows) {
    if (!is_tuple(grid) || !length(grid) || !is_int(number) || number.num == 0) return fail();
    const Value row = tuple_item(grid, 0);
    if (!is_container(row)) return fail();
    const i64 n = number.num;
    if (n < 0) return empty_tuple();
    if (n > MOST_PARTS) return unhandled(R_ARENA);
    const i64 side = static_cast<i64>(of_rows ? length(grid) : length(row));
    const i64 part = side / n, step = part + (side % n != 0);
    Seq* seq = new_seq(cx, static_cast<u64>(n));
    if (!seq) return unhandled(R_ARENA);
    for (i64 k = 0; k < n; k++) {
        const Slice along{k * step, k * step + part}, all{0, TO_THE_END};
        const Slice columns = of_rows ? Slice{0, static_cast<i64>(length(row))} : along;
        Value& item = seq->items[k];
        item = cut(cx, grid, of_rows ? along : all, columns);
        if (is_bad(item)) return item;
    }
    return make_tuple(cx, seq);
}

VM_NOINLINE Value op_hsplit(Context& cx, const Value& grid, const Value& n) { return split(cx, grid, n, false); }
VM_NOINLINE Value op_vsplit(Context& cx, const Value& grid, const Value& n) { return split(cx, grid, n, true); }

// Every step-th item of a tuple.
VM_FN Value every(Context& cx, const Value& v, u64 step) {
    const u64 n = length(v) ? (length(v) - 1) / step + 1 : 0;
    Seq* seq = new_seq(cx, n);
    if (!seq) return unhandled(R_ARENA);
    for (u64 k = 0; k < n; k++) seq->items[k] = tuple_item(v, k * step);
    return make_tuple(cx, seq);
}

VM_FN Value downscaled(Context& cx, const Value& grid, const Value& factor) {
    if (!is_tuple(grid) || !is_int(factor) || factor.num == 0) return fail();
    const u64 step = factor.num < 0 ? 0 - static_cast<u64>(factor.num) : static_cast<u64>(factor.num);
    if (grid.tag == GRID) {
        const Grid& g = *grid.grid;
        Grid* out = new_grid(cx, static_cast<u32>((g.h - 1) / step + 1), static_cast<u32>((g.w - 1) / step + 1));
        if (!out) return unhandled(R_ARENA);
        for (u32 r = lane_of(cx); r < out->h; r += lanes_of(cx)) {
            const i8* from = row_at(g, r * step);
            i8* to = row_at(*out, r);
            for (u32 k = 0; k < out->w; k++) to[k] = from[k * step];
        }
        return of_grid(out);
    }
    const Value rows = every(cx, grid, step);
    if (is_bad(rows)) return rows;
    Seq* seq = new_seq(cx, length(rows));
    if (!seq) return unhandled(R_ARENA);
    for (u64 r = 0; r < seq->n; r++) {
        const Value row = tuple_item(rows, r);
        if (!is_tuple(row)) return fail();
        seq->items[r] = every(cx, row, step);
        if (is_bad(seq->items[r])) return seq->items[r];
    }
    return make_tuple(cx, seq);
}

VM_NOINLINE Value op_downscale(Context& cx, const Value& grid, const Value& factor) {
    return shared_if(cx, grid.tag == GRID, [&](Context& own) { return downscaled(own, grid, factor); });
}

// ---- mirrors and turns

// v[::-1]
VM_FN Value reversed(Context& cx, const Value& v) {
    const u64 n = length(v);
    if (n < 2) return v;
    if (v.tag == PAIR) return pair_of(v.at.j, v.at.i);
    if (v.tag == GRID) {
        const Grid& g = *v.grid;
        Grid* out = new_grid(cx, g.h, g.w);
        if (!out) return unhandled(R_ARENA);
        for (u32 r = lane_of(cx); r < g.h; r += lanes_of(cx)) copy_bytes(row_at(*out, r), row_at(g, g.h - 1 - r), g.w);
        return of_grid(out);
    }
    if (v.tag == ROW) {
        i8* bytes = allocate_array<i8>(cx, n);
        if (!bytes) return unhandled(R_ARENA);
        reverse_bytes(bytes, v.bytes, n);
        return make_row(bytes, n);
    }
    Seq* seq = new_seq(cx, n);
    if (!seq) return unhandled(R_ARENA);
    for (u64 k = 0; k < n; k++) seq->items[k] = tuple_item(v, n - 1 - k);
    return make_tuple(cx, seq);
}

// [row[::-1] for row in v], or with upside_down in v[::-1]; v is a tuple.
VM_FN Value reversed_rows(Context& cx, const Value& v, bool upside_down) {
    if (v.tag == GRID) {
        const Grid& g = *v.grid;
        Grid* out = new_grid(cx, g.h, g.w);
        if (!out) return unhandled(R_ARENA);
        if (upside_down && lanes_of(cx) == 1) {
            reverse_bytes(out->data, g.data, cells_in(g));
            return of_grid(out);
        }
        for (u32 r = lane_of(cx); r < g.h; r += lanes_of(cx)) {
            reverse_bytes(row_at(*out, r), row_at(g, upside_down ? g.h - 1 - r : r), g.w);
        }
        return of_grid(out);
    }
    const u64 n = length(v);
    Seq* seq = new_seq(cx, n);
    if (!seq) return unhandled(R_ARENA);
    for (u64 r = 0; r < n; r++) {
        const Value row = tuple_item(v, upside_down ? n - 1 - r : r);
        if (!is_tuple(row)) return fail();
        seq->items[r] = reversed(cx, row);
        if (is_bad(seq->items[r])) return seq->items[r];
    }
    return make_tuple(cx, seq);
}

// How the transpose of a grid is turned further.
struct Turn {
    bool flip_rows, flip_columns;
};

// zip(*v), as a tuple and turned, for any tuple of tuples.
VM_FN Value transpose_tuples(Context& cx, const Value& v, const Turn& turn) {
    const u64 w = length(v);
    u64 h = w ? UINT64_MAX : 0;
    for (u64 k = 0; k < w; k++) {
        const Value column = tuple_item(v, k);
        if (!is_tuple(column)) return fail();
        h = least_of(h, length(column));
    }
    Seq* seq = new_seq(cx, h);
    if (!seq) return unhandled(R_ARENA);
    for (u64 r = 0; r < h; r++) {
        Seq* row = new_seq(cx, w);
        if (!row) return unhandled(R_ARENA);
        for (u64 k = 0; k < w; k++) {
            // A row that is flipped counts from its own end: rows of different lengths do not line up there.
            const Value column = tuple_item(v, turn.flip_columns ? w - 1 - k : k);
            row->items[k] = tuple_item(column, turn.flip_rows ? length(column) - 1 - r : r);
        }
        seq->items[r] = make_tuple(cx, row);
        if (is_bad(seq->items[r])) return seq->items[r];
    }
    return make_tuple(cx, seq);
}

// Transpose 8 x 8 bytes. The strides are those from row to row.
VM_FN void transpose_block(const i8* from, i64 from_stride, i8* to, i64 to_stride) {
    u64 x[8];
    for (i64 k = 0; k < 8; k++) x[k] = load_eight(from + k * from_stride, EIGHT);
    for (u32 k = 0; k < 4; k++) {  // quarters of 4 x 4, then of 2 x 2, then single bytes change places
        const u64 t = (x[k] >> 32) ^ (x[k + 4] & 0xFFFFFFFFu);
        x[k + 4] ^= t;
        x[k] ^= t << 32;
    }
    for (u32 at = 0; at < 4; at++) {
        const u32 k = (at & 1) | (at & 2) << 1;
        const u64 t = ((x[k] >> 16) ^ x[k + 2]) & 0x0000FFFF0000FFFFu;
        x[k + 2] ^= t;
        x[k] ^= t << 16;
    }
    for (u32 k = 0; k < 8; k += 2) {
        const u64 t = ((x[k] >> 8) ^ x[k + 1]) & 0x00FF00FF00FF00FFu;
        x[k + 1] ^= t;
        x[k] ^= t << 8;
    }
    for (i64 k = 0; k < 8; k++) store_eight(to + k * to_stride, EIGHT, x[k]);
}

// Transpose h x w bytes, together. The strides are those from row to row; a negative one begins at the last row.
VM_FN void transpose_bytes(Context& cx, const i8* from, i64 from_stride, i64 h, i64 w, i8* to, i64 to_stride) {
    if (lanes_of(cx) > 1) {
        for (i64 k = lane_of(cx); k < w; k += lanes_of(cx)) {
            for (i64 r = 0; r < h; r++) to[k * to_stride + r] = from[r * from_stride + k];
        }
        return;
    }
    const i64 whole_h = h & ~7, whole_w = w & ~7;
    for (i64 r = 0; r < whole_h; r += 8) {
        for (i64 k = 0; k < whole_w; k += 8) {
            transpose_block(from + r * from_stride + k, from_stride, to + k * to_stride + r, to_stride);
        }
    }
    for (i64 r = 0; r < h; r++) {
        for (i64 k = r < whole_h ? whole_w : 0; k < w; k++) to[k * to_stride + r] = from[r * from_stride + k];
    }
}

VM_FN Value transpose_grid(Context& cx, const Grid& g, const Turn& turn) {
    Grid* out = new_grid(cx, g.w, g.h);
    if (!out) return unhandled(R_ARENA);
    const i64 from_stride = turn.flip_columns ? -static_cast<i64>(g.w) : g.w;
    const i64 to_stride = turn.flip_rows ? -static_cast<i64>(g.h) : g.h;
    const i8* from = turn.flip_columns ? row_at(g, g.h - 1) : g.data;
    transpose_bytes(cx, from, from_stride, g.h, g.w, turn.flip_rows ? row_at(*out, g.w - 1) : out->data, to_stride);
    return of_grid(out);
}

VM_FN Value transpose(Context& cx, const Value& v, const Turn& turn) {
    const Grid* g = nullptr;
    const Form form = rows_of_grid(cx, v, g);
    if (form == IS_PATCH && g->w) return transpose_grid(cx, *g, turn);
    if (form == IS_WRONG || form == NO_MEMORY) return refuse(form);
    return transpose_tuples(cx, v, turn);
}

VM_FN Value turned_right(Context& cx, const Value& grid) { return transpose(cx, grid, Turn{false, true}); }

VM_NOINLINE Value op_rot90(Context& cx, const Value& grid) {
    return shared_if(cx, grid.tag == GRID, [&](Context& own) { return turned_right(own, grid); });
}

VM_FN Value turned_round(Context& cx, const Value& grid) {
    return is_tuple(grid) ? reversed_rows(cx, grid, true) : fail();
}

VM_NOINLINE Value op_rot180(Context& cx, const Value& grid) {
    return shared_if(cx, grid.tag == GRID, [&](Context& own) { return turned_round(own, grid); });
}

VM_FN Value turned_left(Context& cx, const Value& grid) {
    if (grid.tag == GRID) return transpose_grid(cx, *grid.grid, Turn{true, false});
    const Value columns = transpose(cx, grid, Turn{false, false});
    return is_bad(columns) ? columns : reversed(cx, columns);
}

VM_NOINLINE Value op_rot270(Context& cx, const Value& grid) {
    return shared_if(cx, grid.tag == GRID, [&](Context& own) { return turned_left(own, grid); });
}

enum Mirror : u8 { UPSIDE_DOWN, LEFT_TO_RIGHT, TRANSPOSED, ANTITRANSPOSED };

// The patch of a box of rows (and a plane, if p has one) made from p, whose upper left corner it keeps.
VM_FN Value reshaped(Context& cx, const Patch& p, u32 h, u32 w, const u64* rows, const i8* plane) {
    if (!is_small(static_cast<i64>(p.top) + h) || !is_small(static_cast<i64>(p.left) + w)) return unhandled(R_OVERFLOW);
    Patch* q = allocate_array<Patch>(cx, 1);
    if (!q) return unhandled(R_ARENA);
    if (leads(cx)) *q = Patch{p.top, p.left, h, w, (w + 63) / 64, p.count, p.object, p.colour, rows, plane};
    sync(cx);
    return of_patch(q);
}

VM_FN void reverse_row(u64* to, const u64* from, u32 words, u32 w) {
    const u32 by = words * 64 - w;
    for (u32 k = 0; k < words; k++) {
        to[k] = swap_bits(from[words - 1 - k]) >> by;
        if (by && k + 1 < words) to[k] |= swap_bits(from[words - 2 - k]) << (64 - by);
    }
}

VM_FN Value flip_patch(Context& cx, const Patch& p, bool upside_down) {
    const bool many = p.object && p.colour == MANY_COLOURS;
    u64* rows = allocate_array<u64>(cx, static_cast<u64>(p.h) * p.words);
    i8* plane = many ? allocate_array<i8>(cx, static_cast<u64>(p.h) * p.w) : nullptr;
    if (!rows || (many && !plane)) return unhandled(R_ARENA);
    for (u32 r = lane_of(cx); r < p.h; r += lanes_of(cx)) {
        const u64 source = upside_down ? p.h - 1 - r : r;
        const u64* row = p.rows + source * p.words;
        if (upside_down) copy_memory(rows + static_cast<u64>(r) * p.words, row, p.words * sizeof(u64));
        else reverse_row(rows + static_cast<u64>(r) * p.words, row, p.words, p.w);
        if (!many) continue;
        i8* to = plane + static_cast<u64>(r) * p.w;
        if (upside_down) copy_memory(to, p.plane + source * p.w, p.w);
        else reverse_bytes(to, p.plane + source * p.w, p.w);
    }
    return reshaped(cx, p, p.h, p.w, rows, plane);
}

VM_FN Value transpose_patch(Context& cx, const Patch& p, bool anti) {
    const bool many = p.object && p.colour == MANY_COLOURS;
    Mask m;
    if (!new_mask(cx, m, p.top, p.left, p.w, p.h, many)) return unhandled(R_ARENA);
    for (u32 r = lane_of(cx); r < p.h; r += lanes_of(cx)) {
        for (u32 word = 0; word < p.words; word++) {
            for (u64 bits = p.rows[static_cast<u64>(r) * p.words + word]; bits; bits &= bits - 1) {
                const u32 k = word * 64 + lowest_bit(bits);
                const u32 row = anti ? p.w - 1 - k : k, column = anti ? p.h - 1 - r : r;
                set_bits(m.rows[row * m.words + (column >> 6)], static_cast<u64>(1) << (column & 63));
                if (many) m.plane[static_cast<u64>(row) * m.w + column] = p.plane[static_cast<u64>(r) * p.w + k];
            }
        }
    }
    return reshaped(cx, p, p.w, p.h, m.rows, m.plane);
}

// An element of a patch, elsewhere.
VM_FN Value place_at(Context& cx, const Place& place, i64 i, i64 j) {
    if (!is_small(i) || !is_small(j)) return unhandled(R_OVERFLOW);
    const Value at = pair_of(static_cast<i32>(i), static_cast<i32>(j));
    return place.kind == A_CELL ? make_pair(cx, place.colour, at) : at;
}

// Mirror what is no mask, cell by cell.
VM_FN Value mirror_each(Context& cx, const Places& places, const Extent& e, Mirror mirror) {
    Seq* seq = new_seq(cx, places.n);
    if (!seq) return unhandled(R_ARENA);
    for (u64 k = 0; k < places.n; k++) {
        const Place place = place_of(places.items[k]);
        i64 i = place.i, j = place.j;
        if (mirror == UPSIDE_DOWN) {
            i = e.top + e.bottom - i;
        } else if (mirror == LEFT_TO_RIGHT) {
            j = e.left + e.right - j;
        } else {
            const i64 r = place.i - e.top, c = place.j - e.left;
            i = e.top + (mirror == TRANSPOSED ? c : e.right - e.left - c);
            j = e.left + (mirror == TRANSPOSED ? r : e.bottom - e.top - r);
        }
        seq->items[k] = place_at(cx, place, i, j);
        if (is_bad(seq->items[k])) return seq->items[k];
    }
    return make_set(cx, seq);
}

VM_FN Value mirror_patch(Context& cx, const Value& v, Mirror mirror) {
    if (v.tag != PATCH) {
        Extent e;
        const Form form = bounds_of(cx, v, e);
        return form == IS_PATCH ? mirror_each(cx, pairs_of(cx, v), e, mirror) : refuse(form);
    }
    const bool turns = mirror == TRANSPOSED || mirror == ANTITRANSPOSED;
    return turns ? transpose_patch(cx, *v.patch, mirror == ANTITRANSPOSED)
                 : flip_patch(cx, *v.patch, mirror == UPSIDE_DOWN);
}

VM_FN Value hmirrored(Context& cx, const Value& piece) {
    return is_tuple(piece) ? reversed(cx, piece) : mirror_patch(cx, piece, UPSIDE_DOWN);
}

VM_NOINLINE Value op_hmirror(Context& cx, const Value& piece) {
    return shared_if(cx, piece.tag == GRID || piece.tag == PATCH, [&](Context& own) { return hmirrored(own, piece); });
}

VM_FN Value vmirrored(Context& cx, const Value& piece) {
    return is_tuple(piece) ? reversed_rows(cx, piece, false) : mirror_patch(cx, piece, LEFT_TO_RIGHT);
}

VM_NOINLINE Value op_vmirror(Context& cx, const Value& piece) {
    return shared_if(cx, piece.tag == GRID || piece.tag == PATCH, [&](Context& own) { return vmirrored(own, piece); });
}

VM_FN Value dmirrored(Context& cx, const Value& piece) {
    return is_tuple(piece) ? transpose(cx, piece, Turn{false, false}) : mirror_patch(cx, piece, TRANSPOSED);
}

VM_NOINLINE Value op_dmirror(Context& cx, const Value& piece) {
    return shared_if(cx, piece.tag == GRID || piece.tag == PATCH, [&](Context& own) { return dmirrored(own, piece); });
}

VM_FN Value cmirrored(Context& cx, const Value& piece) {
    return is_tuple(piece) ? transpose(cx, piece, Turn{true, true}) : mirror_patch(cx, piece, ANTITRANSPOSED);
}

VM_NOINLINE Value op_cmirror(Context& cx, const Value& piece) {
    return shared_if(cx, piece.tag == GRID || piece.tag == PATCH, [&](Context& own) { return cmirrored(own, piece); });
}

// ---- painting

// How cells are put on a grid: with one colour or with their own, everywhere or only on the background.
struct Brush {
    const Value* colour;  // null: their own
    bool background_only;
};

// Give those of 64 cells of a row whose bits are set a colour; `left` bytes of the grid are left from `cells` on.
VM_FN void put_colour(i8* cells, u64 bits, i32 colour, i64 left) {
    const u64 wanted = eight_of(colour);
    while (bits) {
        const u32 k = lowest_bit(bits) & ~7u, n = static_cast<u32>(least_of<i64>(left - k, EIGHT));
        const u64 where = spread(bits >> k), x = load_eight(cells + k, n);
        store_eight(cells + k, n, (x & ~where) | (wanted & where));
        bits &= ~(static_cast<u64>(0xFF) << k);
    }
}

// Likewise with their own colours, which are at the same places of `colours`.
VM_FN void put_own_colours(i8* cells, u64 bits, const i8* colours, i64 offset) {
    while (bits) {
        const u32 from = lowest_bit(bits);
        const u64 others = ~(bits >> from);
        const u32 n = others ? lowest_bit(others) : 64;
        if (n >= EIGHT) copy_memory(cells + from, colours + (offset + from), n);
        else for (u32 k = from; k < from + n; k++) cells[k] = colours[offset + k];
        bits &= ~(first_bits(n) << from);
    }
}

// Put cells on a copy of what is no grid of bytes: rows of different lengths, or any values for colours.
VM_FN Value put_on_rows(Context& cx, const Value& grid, const Value* items, u64 n, const Brush& brush) {
    u64 h, w;
    if (!is_tuple_of_tuples(grid) || !get_sides(grid, h, w)) return fail();
    const Value background = brush.background_only ? op_mostcolor(cx, grid) : none();
    if (is_bad(background)) return background;
    Seq* rows = new_seq(cx, h);
    Seq** copies = allocate_array<Seq*>(cx, h);
    if (!rows || !copies) return unhandled(R_ARENA);
    for (u64 k = 0; k < h; k++) copies[k] = nullptr;
    for (u64 k = 0; k < n; k++) {
        const Place place = place_of(items[k]);
        if (place.i < 0 || place.j < 0 || place.i >= static_cast<i64>(h) || place.j >= static_cast<i64>(w)) continue;
        const u64 i = static_cast<u64>(place.i), j = static_cast<u64>(place.j);
        const Value row = tuple_item(grid, i);
        if (j >= length(row)) return fail();
        if (brush.background_only && !equal(cx, tuple_item(row, j), background)) continue;
        if (!copies[i]) {
            copies[i] = new_seq(cx, length(row));
            if (!copies[i]) return unhandled(R_ARENA);
            write_items(row, copies[i]->items);
        }
        copies[i]->items[j] = brush.colour ? *brush.colour : place.colour;
    }
    for (u64 k = 0; k < h; k++) {
        rows->items[k] = copies[k] ? make_tuple(cx, copies[k]) : tuple_item(grid, k);
        if (is_bad(rows->items[k])) return rows->items[k];
    }
    return make_tuple(cx, rows);
}

VM_FN Value put_mask_on_rows(Context& cx, const Value& grid, const Patch& p, const Brush& brush) {
    const Value* items = items_of(cx, of_patch(&p));
    return items ? put_on_rows(cx, grid, items, p.count, brush) : unhandled(R_ARENA);
}

// A mask, and how its cells are put on a grid: those of `only` (null: all), with their own colours, or with one, which may
// be none for a grid of bytes.
struct Layer {
    const Patch& p;
    const u64* only;
    bool own;
    Value colour;
};

VM_INLINE u64 bits_on_row(const Grid& g, const Layer& layer, i64 i, u32 word, u32 words) {
    const Patch& p = layer.p;
    u64 bits = window(p, static_cast<u32>(i - p.top), static_cast<i64>(word) * 64 - p.left) & first_bits(g.w - word * 64);
    if (layer.only) bits &= layer.only[static_cast<u64>(i) * words + word];
    return bits;
}

// Put bits of a layer on row i; `end` is that of the bytes that may be read and written back.
VM_INLINE void put_bits(Grid& out, const Layer& layer, i64 i, u32 word, u64 bits, const i8* end) {
    const Patch& p = layer.p;
    i8* cells = row_at(out, static_cast<u64>(i)) + word * 64;
    if (layer.own) {
        put_own_colours(cells, bits, p.plane + static_cast<u64>(i - p.top) * p.w, static_cast<i64>(word) * 64 - p.left);
    } else {
        put_colour(cells, bits, static_cast<i32>(layer.colour.num), end - cells);
    }
}

// Put a mask on a copy of a grid, together: a row a lane, which leaves the bytes of others alone.
VM_FN Value put_together(Context& cx, const Grid& g, const Layer& layer, i64 first, i64 end) {
    const u32 words = (g.w + 63) / 64;
    Grid* out = copy_grid(cx, g);
    if (!out) return unhandled(R_ARENA);
    for (i64 i = first + lane_of(cx); i < end; i += lanes_of(cx)) {
        for (u32 word = 0; word < words; word++) {
            const u64 bits = bits_on_row(g, layer, i, word, words);
            if (bits) put_bits(*out, layer, i, word, bits, row_at(*out, static_cast<u64>(i) + 1));
        }
    }
    sync(cx);
    return of_grid(out);
}

// Put a mask on a copy of a grid. `grid` is g's value, and the result if no cell is hit.
VM_FN Value put_mask(Context& cx, const Value& grid, const Grid& g, const Patch& p, const Brush& brush,
                     const u64* only) {
    const i64 first = greatest_of<i64>(p.top, 0), end = least_of<i64>(static_cast<i64>(p.top) + p.h, g.h);
    const Layer layer{p, only, !brush.colour && p.colour == MANY_COLOURS, brush.colour ? *brush.colour : integer(p.colour)};
    if (lanes_of(cx) > 1 && (layer.own || is_colour(layer.colour))) return put_together(cx, g, layer, first, end);
    return alone(cx, [&](Context& own) {
        const u32 words = (g.w + 63) / 64;
        Grid* out = nullptr;
        for (i64 i = first; i < end; i++) {
            for (u32 word = 0; word < words; word++) {
                const u64 bits = bits_on_row(g, layer, i, word, words);
                if (!bits) continue;
                if (!out) {
                    if (!layer.own && !is_colour(layer.colour)) return put_mask_on_rows(own, grid, p, brush);
                    out = copy_grid(own, g);
                    if (!out) return unhandled(R_ARENA);
                }
                put_bits(*out, layer, i, word, bits, out->data + cells_in(g));
            }
        }
        return out ? of_grid(out) : grid;
    });
}

// Put what is no mask on a copy of a grid, one cell after the other.
VM_FN Value put_each(Context& cx, const Value& grid, const Grid& g, const Places& places, const Brush& brush,
                     i32 background) {
    Grid* out = nullptr;
    for (u64 k = 0; k < places.n; k++) {
        const Value& item = places.items[k];
        const bool is_quick = item.tag == CELL || item.tag == PAIR;  // nearly always; for PAIRs the brush has a colour
        const Place place = is_quick ? Place{integer(item.extra), item.at.i, item.at.j, A_CELL} : place_of(item);
        const i64 i = place.i, j = place.j;
        if (i < 0 || j < 0 || i >= g.h || j >= g.w) continue;
        const u64 at = static_cast<u64>(i) * g.w + static_cast<u64>(j);
        if (brush.background_only && g.data[at] != background) continue;
        const Value colour = brush.colour ? *brush.colour : place.colour;
        if (!is_colour(colour)) return put_on_rows(cx, grid, places.items, places.n, brush);
        if (!out) out = copy_grid(cx, g);
        if (!out) return unhandled(R_ARENA);
        out->data[at] = static_cast<i8>(colour.num);
    }
    return out ? of_grid(out) : grid;
}

// Whether a tuple has sets of two among its elements, which unpack in any order.
VM_FN bool has_sets_of_two(const Value& v) {
    if (v.tag != TUPLE) return false;
    for (u64 k = 0; k < length(v); k++) {
        if (is_set(v.seq->items[k]) && length(v.seq->items[k]) == 2) return true;
    }
    return false;
}

// Take a value that is no PATCH for what a brush paints. With a colour, its locations are taken; without, each element
// is unpacked as value, (i, j).
VM_FN Places painted_places(Context& cx, const Value& v, const Brush& brush) {
    Places places = pairs_of(cx, v);
    if (brush.colour) return places;
    if (places.form == IS_PATCH && !places.object) places.form = IS_WRONG;
    if (places.form == IS_WRONG && has_sets_of_two(v)) places.form = IS_UNKNOWN;
    return places;
}

// Put a patch in any form on a copy of what is no grid of bytes.
VM_FN Value put_on_any(Context& cx, const Value& grid, const Value& patch, const Brush& brush) {
    if (patch.tag == PATCH) {
        return brush.colour || patch.patch->object ? put_mask_on_rows(cx, grid, *patch.patch, brush) : fail();
    }
    const Places places = painted_places(cx, patch, brush);
    if (places.form != IS_PATCH && places.form != IS_EMPTY) return refuse(places.form);
    return put_on_rows(cx, grid, places.items, places.n, brush);
}

// Put a mask on a copy of a grid, together. `grid` is g's value.
VM_FN Value put_patch(Context& cx, const Value& grid, const Grid& g, const Patch& p, const Brush& brush) {
    if (!brush.colour && !p.object) return fail();
    if (!brush.background_only) return put_mask(cx, grid, g, p, brush, nullptr);
    const i32 background = most_colour(cx, g);
    Scratch scratch(cx);
    u64* only = scratch.array<u64>(static_cast<u64>(g.h) * ((g.w + 63) / 64));
    if (!only) return unhandled(R_ARENA);
    colour_rows(cx, g, background, only);
    return put_mask(cx, grid, g, p, brush, only);
}

VM_FN Value put_any(Context& cx, const Value& grid, const Value& patch, const Brush& brush) {
    const Grid* g = nullptr;
    const Form form = rows_of_grid(cx, grid, g);
    if (form == IS_UNKNOWN) return put_on_any(cx, grid, patch, brush);
    if (form != IS_PATCH) return refuse(form);
    if (brush.background_only && !g->w) return fail();
    if (patch.tag == PATCH) return put_patch(cx, grid, *g, *patch.patch, brush);
    const i32 background = brush.background_only ? most_colour(cx, *g) : 0;
    const Places places = painted_places(cx, patch, brush);
    if (places.form == IS_EMPTY) return grid;
    return places.form == IS_PATCH ? put_each(cx, grid, *g, places, brush, background) : refuse(places.form);
}

VM_FN Value put(Context& cx, const Value& grid, const Value& patch, const Brush& brush) {
    return shared_if(cx, grid.tag == GRID && patch.tag == PATCH,
                     [&](Context& own) { return put_any(own, grid, patch, brush); });
}

VM_NOINLINE Value op_fill(Context& cx, const Value& grid, const Value& value, const Value& patch) {
    return put(cx, grid, patch, Brush{&value, false});
}

VM_NOINLINE Value op_paint(Context& cx, const Value& grid, const Value& object) {
    return put(cx, grid, object, Brush{nullptr, false});
}

VM_NOINLINE Value op_underfill(Context& cx, const Value& grid, const Value& value, const Value& patch) {
    return put(cx, grid, patch, Brush{&value, true});
}

VM_NOINLINE Value op_underpaint(Context& cx, const Value& grid, const Value& object) {
    return put(cx, grid, object, Brush{nullptr, true});
}

VM_FN Value covered_by(Context& cx, const Value& grid, const Value& patch) {
    const Grid* g = nullptr;
    const Form form = rows_of_grid(cx, grid, g);
    if (form != IS_PATCH && form != IS_UNKNOWN) return refuse(form);
    if (form == IS_PATCH && !g->w) return fail();
    const Value background = form == IS_PATCH ? integer(most_colour(cx, *g)) : op_mostcolor(cx, grid);
    if (is_bad(background)) return background;
    return put(cx, grid, patch, Brush{&background, false});
}

VM_NOINLINE Value op_cover(Context& cx, const Value& grid, const Value& patch) {
    return shared_if(cx, grid.tag == GRID && patch.tag == PATCH, [&](Context& own) { return covered_by(own, grid, patch); });
}

VM_FN Value with_moved(Context& cx, const Value& grid, const Value& object, const Value& offset) {
    const Value covered = op_cover(cx, grid, object);
    if (is_bad(covered)) return covered;
    const Value moved = op_shift(cx, object, offset);
    return is_bad(moved) ? moved : op_paint(cx, covered, moved);
}

VM_NOINLINE Value op_move(Context& cx, const Value& grid, const Value& object, const Value& offset) {
    return shared_if(cx, grid.tag == GRID && object.tag == PATCH, [&](Context& own) { return with_moved(own, grid, object, offset); });
}

// ---- scaling and joining

VM_FN void repeat_bytes(i8* to, const i8* from, u32 n, u32 factor) {
    for (u32 k = 0; k < n; k++) {
        for (u32 copy = 0; copy < factor; copy++) *to++ = from[k];
    }
}

// A grid with every cell `down` times below each other and `across` times side by side.
VM_FN Value scale_grid(Context& cx, const Grid& g, u32 down, u32 across) {
    Grid* out = new_grid(cx, g.h * down, g.w * across);
    if (!out) return unhandled(R_ARENA);
    for (u32 r = lane_of(cx); r < g.h; r += lanes_of(cx)) {
        i8* to = row_at(*out, static_cast<u64>(r) * down);
        const i8* first = to;
        for (u32 copy = 0; copy < down; copy++, to += out->w) {
            if (copy) copy_bytes(to, first, out->w);
            else repeat_bytes(to, row_at(g, r), g.w, across);
        }
    }
    return grid_value(cx, out);
}

// Whether a side, made `factor` times as long, is one that a grid may have.
VM_INLINE bool fits_scaled(u32 side, i64 factor) { return factor <= MOST_SIDE && side * factor <= MOST_SIDE; }

VM_FN Value made_wide(Context& cx, const Value& grid, const Value& factor) {
    const Grid* g = nullptr;
    const Form form = rows_of_grid(cx, grid, g);
    if (form == IS_EMPTY) return is_int(factor) ? grid : fail();
    if (form != IS_PATCH && form != IS_UNKNOWN) return refuse(form);
    if (!is_int(factor)) return fail();
    const i64 copies = greatest_of<i64>(factor.num, 0);
    if (form == IS_UNKNOWN) return copies > MOST_SIDE ? unhandled(R_FORM) : hupscale_odd(cx, grid, static_cast<u64>(copies));
    if (!g->w) return grid;
    return fits_scaled(g->w, copies) ? scale_grid(cx, *g, 1, static_cast<u32>(copies)) : unhandled(R_FORM);
}

VM_NOINLINE Value op_hupscale(Context& cx, const Value& grid, const Value& factor) {
    return shared_if(cx, grid.tag == GRID, [&](Context& own) { return made_wide(own, grid, factor); });
}

VM_FN Value made_high(Context& cx, const Value& grid, const Value& factor) {
    if (!is_tuple(grid) || !is_int(factor)) return fail();
    const u64 n = length(grid);
    if (!n || factor.num <= 0) return empty_tuple();
    if (factor.num > MOST_SIDE) return unhandled(R_FORM);
    const u64 copies = static_cast<u64>(factor.num);
    if (grid.tag == GRID && fits_scaled(grid.grid->h, factor.num)) {
        return scale_grid(cx, *grid.grid, static_cast<u32>(copies), 1);
    }
    Seq* seq = new_seq(cx, n * copies);
    if (!seq) return unhandled(R_ARENA);
    for (u64 k = 0; k < seq->n; k++) seq->items[k] = tuple_item(grid, k / copies);
    return make_tuple(cx, seq);
}

VM_NOINLINE Value op_vupscale(Context& cx, const Value& grid, const Value& factor) {
    return shared_if(cx, grid.tag == GRID && is_int(factor) && fits_scaled(grid.grid->h, factor.num), [&](Context& own) { return made_high(own, grid, factor); });
}

VM_FN Value upscale_object(Context& cx, const Patch& p, u32 factor) {
    const i64 h = static_cast<i64>(p.h) * factor, w = static_cast<i64>(p.w) * factor;
    if (!is_small(p.top + h) || !is_small(p.left + w)) return unhandled(R_OVERFLOW);
    if (h > MOST_ROWS || w > MOST_COLUMNS) return unhandled(R_FORM);
    const bool many = p.colour == MANY_COLOURS;
    Mask m;
    if (!new_mask(cx, m, p.top, p.left, static_cast<u32>(h), static_cast<u32>(w), many)) return unhandled(R_ARENA);
    for (u32 r = lane_of(cx); r < p.h; r += lanes_of(cx)) {
        u64* row = m.rows + static_cast<u64>(r) * factor * m.words;
        for (u32 word = 0; word < p.words; word++) {
            for (u64 bits = p.rows[static_cast<u64>(r) * p.words + word]; bits; bits &= bits - 1) {
                const u32 from = (word * 64 + lowest_bit(bits)) * factor;
                set_run(row, from, from + factor);
            }
        }
        for (u32 copy = 1; copy < factor; copy++) copy_memory(row + copy * m.words, row, m.words * sizeof(u64));
        if (!many) continue;
        i8* plane = m.plane + static_cast<u64>(r) * factor * m.w;
        repeat_bytes(plane, p.plane + static_cast<u64>(r) * p.w, p.w, factor);
        for (u32 copy = 1; copy < factor; copy++) copy_memory(plane + copy * m.w, plane, m.w);
    }
    Patch scaled = p;
    scaled.count = p.count * factor * factor;
    return reshaped(cx, scaled, m.h, m.w, m.rows, m.plane);
}

// Scale what is no mask, cell by cell.
VM_FN Value upscale_each(Context& cx, const Places& places, const Extent& e, i64 factor) {
    if (factor > MOST_ROWS) return unhandled(R_FORM);
    Seq* seq = new_seq(cx, places.n * static_cast<u64>(factor * factor));
    if (!seq) return unhandled(R_ARENA);
    Value* item = seq->items;
    for (u64 k = 0; k < places.n; k++) {
        const Place place = place_of(places.items[k]);
        const i64 i = (place.i - e.top) * factor + e.top, j = (place.j - e.left) * factor + e.left;
        for (i64 at = 0; at < factor * factor; at++, item++) {
            *item = place_at(cx, place, i + at / factor, j + at % factor);
            if (is_bad(*item)) return *item;
        }
    }
    return make_set(cx, seq);
}

// Scale a set that is no PATCH, by any factor.
VM_FN Value upscale_set(Context& cx, const Value& v, const Value& factor) {
    Extent e;
    const Form form = bounds_of(cx, v, e);
    if (form == IS_EMPTY) return empty_set();
    if (form != IS_PATCH) return refuse(form);
    const Places places = pairs_of(cx, v);
    if (!is_int(factor) || !places.object) return fail();
    return factor.num > 0 ? upscale_each(cx, places, e, factor.num) : empty_set();
}

VM_FN Value upscaled(Context& cx, const Value& element, const Value& factor) {
    if (is_tuple(element)) {
        const Grid* g = nullptr;
        const Form form = rows_of_grid(cx, element, g);
        if (form == IS_PATCH && is_int(factor) && factor.num > 0 && g->w && fits_scaled(g->w, factor.num) &&
            fits_scaled(g->h, factor.num)) {
            return scale_grid(cx, *g, static_cast<u32>(factor.num), static_cast<u32>(factor.num));
        }
        const Value wide = op_hupscale(cx, element, factor);
        return is_bad(wide) ? wide : op_vupscale(cx, wide, factor);
    }
    if (element.tag != PATCH) return upscale_set(cx, element, factor);
    if (!is_int(factor) || !element.patch->object) return fail();
    if (factor.num <= 0) return empty_set();
    if (factor.num > MOST_ROWS) return unhandled(R_FORM);
    return upscale_object(cx, *element.patch, static_cast<u32>(factor.num));
}

VM_NOINLINE Value op_upscale(Context& cx, const Value& element, const Value& factor) {
    const bool grid = element.tag == GRID && is_int(factor) && factor.num > 0 &&
                      fits_scaled(element.grid->w, factor.num) && fits_scaled(element.grid->h, factor.num);
    return shared_if(cx, grid || element.tag == PATCH, [&](Context& own) { return upscaled(own, element, factor); });
}

// a + b, of two tuples.
VM_FN Value joined(Context& cx, const Value& a, const Value& b) {
    const u64 n = length(a), m = length(b);
    if (!n) return b;
    if (!m) return a;
    if (a.tag == GRID && b.tag == GRID && a.grid->w == b.grid->w) {
        Grid* out = new_grid(cx, a.grid->h + b.grid->h, a.grid->w);
        if (!out) return unhandled(R_ARENA);
        copy_together(cx, out->data, a.grid->data, cells_in(*a.grid));
        copy_together(cx, out->data + cells_in(*a.grid), b.grid->data, cells_in(*b.grid));
        return of_grid(out);
    }
    Seq* seq = new_seq(cx, n + m);
    if (!seq) return unhandled(R_ARENA);
    for (u64 k = 0; k < n; k++) seq->items[k] = tuple_item(a, k);
    for (u64 k = 0; k < m; k++) seq->items[n + k] = tuple_item(b, k);
    return make_tuple(cx, seq);
}

VM_NOINLINE Value op_vconcat(Context& cx, const Value& a, const Value& b) {
    if (!is_tuple(a) || !is_tuple(b)) return fail();
    const bool grids = a.tag == GRID && b.tag == GRID && a.grid->w == b.grid->w;
    return shared_if(cx, grids, [&](Context& own) { return joined(own, a, b); });
}

VM_FN Value side_by_side(Context& cx, const Value& a, const Value& b) {
    if (!is_tuple(a) || !is_tuple(b)) return fail();
    const Grid *g = nullptr, *k = nullptr;
    if (rows_of_grid(cx, a, g) == IS_PATCH && rows_of_grid(cx, b, k) == IS_PATCH) {
        Grid* out = new_grid(cx, least_of(g->h, k->h), g->w + k->w);
        if (!out) return unhandled(R_ARENA);
        for (u32 r = lane_of(cx); r < out->h; r += lanes_of(cx)) {
            copy_bytes(row_at(*out, r), row_at(*g, r), g->w);
            copy_bytes(row_at(*out, r) + g->w, row_at(*k, r), k->w);
        }
        return grid_value(cx, out);
    }
    Seq* seq = new_seq(cx, least_of(length(a), length(b)));
    if (!seq) return unhandled(R_ARENA);
    for (u64 r = 0; r < seq->n; r++) {
        seq->items[r] = op_vconcat(cx, tuple_item(a, r), tuple_item(b, r));
        if (is_bad(seq->items[r])) return seq->items[r];
    }
    return make_tuple(cx, seq);
}

VM_NOINLINE Value op_hconcat(Context& cx, const Value& a, const Value& b) {
    return shared_if(cx, a.tag == GRID && b.tag == GRID, [&](Context& own) { return side_by_side(own, a, b); });
}

// ---- colours

VM_FN Value common_cells(Context& cx, const Value& a, const Value& b, const Value& fallback) {
    const Grid *g = nullptr, *k = nullptr;
    const Form form = rows_of_grid(cx, a, g), other_form = rows_of_grid(cx, b, k);
    u64 h, w, other_h, other_w;
    if (form == IS_WRONG || other_form == IS_WRONG) return fail();
    if (!get_sides(a, h, w) || !get_sides(b, other_h, other_w) || other_h < h || other_w < w) return fail();
    if (form == NO_MEMORY || other_form == NO_MEMORY) return unhandled(R_ARENA);
    if (form != IS_PATCH || other_form != IS_PATCH) return cellwise_odd(cx, a, b, fallback);
    Grid* out = new_grid(cx, g->h, g->w);
    if (!out) return unhandled(R_ARENA);
    const bool usable = is_colour(fallback);
    const i8 colour = usable ? static_cast<i8>(fallback.num) : static_cast<i8>(0);
    bool differ = false;
    const bool one_run = g->w == k->w;  // rows that follow each other alike
    const u64 run = one_run ? cells_in(*g) : g->w, runs = one_run ? 1 : g->h;
    for (u64 r = 0; r < runs; r++) {
        const i8 *x = row_at(*g, r), *y = row_at(*k, r);
        i8* to = row_at(*out, r);
        for (u64 at = lane_of(cx); at < run; at += lanes_of(cx)) {
            const i8 v = x[at];
            to[at] = v == y[at] ? v : colour;
        }
        if (!usable) differ |= !same_bytes(x, y, run);
    }
    return differ ? cellwise_odd(cx, a, b, fallback) : grid_value(cx, out);
}

VM_NOINLINE Value op_cellwise(Context& cx, const Value& a, const Value& b, const Value& fallback) {
    return shared_if(cx, a.tag == GRID && b.tag == GRID && is_colour(fallback), [&](Context& own) { return common_cells(own, a, b, fallback); });
}

VM_FN Value replaced(Context& cx, const Value& grid, const Value& replacee, const Value& replacer) {
    const Grid* g = nullptr;
    const Form form = rows_of_grid(cx, grid, g);
    if (form == IS_EMPTY) return grid;
    if (form == IS_UNKNOWN) return replace_odd(cx, grid, replacee, replacer);
    if (form != IS_PATCH) return refuse(form);
    if (!is_colour(replacee)) return grid;
    const u64 n = cells_in(*g);
    const i8 from = static_cast<i8>(replacee.num);
    if (!is_colour(replacer)) return count_colour(cx, g->data, n, from) ? replace_odd(cx, grid, replacee, replacer) : grid;
    const i8 to = static_cast<i8>(replacer.num);
    Grid* out = new_grid(cx, g->h, g->w);
    if (!out) return unhandled(R_ARENA);
    for (u64 k = lane_of(cx); k < n; k += lanes_of(cx)) out->data[k] = g->data[k] == from ? to : g->data[k];
    return grid_value(cx, out);
}

VM_NOINLINE Value op_replace(Context& cx, const Value& grid, const Value& replacee, const Value& replacer) {
    return shared_if(cx, grid.tag == GRID && is_colour(replacer), [&](Context& own) { return replaced(own, grid, replacee, replacer); });
}

VM_FN Value switched(Context& cx, const Value& grid, const Value& a, const Value& b) {
    const Grid* g = nullptr;
    const Form form = rows_of_grid(cx, grid, g);
    if (form == IS_UNKNOWN) return switch_odd(cx, grid, a, b);
    if (!is_colour(a)) return op_replace(cx, grid, b, a);
    if (!is_colour(b)) return op_replace(cx, grid, a, b);
    if (form == IS_EMPTY) return grid;
    if (form != IS_PATCH) return refuse(form);
    const i8 x = static_cast<i8>(a.num), y = static_cast<i8>(b.num);
    Grid* out = new_grid(cx, g->h, g->w);
    if (!out) return unhandled(R_ARENA);
    const u64 n = cells_in(*g);
    for (u64 k = lane_of(cx); k < n; k += lanes_of(cx)) {
        const i8 v = g->data[k];
        const bool either = (v == x) | (v == y);
        out->data[k] = static_cast<i8>(either ? v ^ x ^ y : v);
    }
    return grid_value(cx, out);
}

VM_NOINLINE Value op_switch(Context& cx, const Value& grid, const Value& a, const Value& b) {
    return shared_if(cx, grid.tag == GRID && is_colour(a) && is_colour(b), [&](Context& own) { return switched(own, grid, a, b); });
}

VM_NOINLINE Value op_index(Context&, const Value& grid, const Value& location) {
    if (!is_tuple(grid) || !length(grid)) return fail();
    const Value first = tuple_item(grid, 0);
    if (!is_container(first)) return fail();
    if (!is_tuple(location) || length(location) != 2) return fail();
    const Value i = tuple_item(location, 0), j = tuple_item(location, 1);
    if (!is_int(i)) return fail();
    if (i.num < 0 || i.num >= static_cast<i64>(length(grid))) return none();
    if (!is_int(j)) return fail();
    if (j.num < 0 || j.num >= static_cast<i64>(length(first))) return none();
    const Value row = tuple_item(grid, static_cast<u64>(i.num));
    if (!is_tuple(row) || j.num >= static_cast<i64>(length(row))) return fail();
    return tuple_item(row, static_cast<u64>(j.num));
}

// n times a value, as a tuple.
VM_FN Value copies_of(Context& cx, const Value& v, i32 n) {
    Seq* seq = new_seq(cx, static_cast<u64>(n));
    if (!seq) return unhandled(R_ARENA);
    for (u64 k = 0; k < seq->n; k++) seq->items[k] = v;
    return make_tuple(cx, seq);
}

VM_NOINLINE Value op_canvas(Context& cx, const Value& value, const Value& dimensions) {
    i32 h, w;
    if (!get_pair(dimensions, h, w)) return no_pair(dimensions);
    h = greatest_of(h, 0);
    w = greatest_of(w, 0);
    if (h > static_cast<i32>(MOST_SIDE) || w > static_cast<i32>(MOST_SIDE)) return unhandled(R_FORM);
    if (!h) return empty_tuple();
    if (w && !is_colour(value)) {
        const Value row = copies_of(cx, value, w);
        return is_bad(row) ? row : copies_of(cx, row, h);
    }
    Grid* g = new_grid(cx, static_cast<u32>(h), static_cast<u32>(w));
    if (g && w) fill_memory(g->data, static_cast<int>(value.num), cells_in(*g));
    return grid_value(cx, g);
}

VM_NOINLINE Value op_compress(Context& cx, const Value& grid) {
    const Grid* g = nullptr;
    const Form form = rows_of_grid(cx, grid, g);
    if (form == IS_UNKNOWN) return compress_odd(cx, grid);
    if (form == IS_EMPTY || (form == IS_PATCH && !g->w)) return grid;
    if (form != IS_PATCH) return refuse(form);
    Scratch scratch(cx);
    u8* mixed = scratch.array<u8>(g->w);
    u32* kept = scratch.array<u32>(g->w);
    if (!mixed || !kept) return unhandled(R_ARENA);
    find_mixed_columns(*g, mixed);
    u32 w = 0, h = 0;
    for (u32 k = 0; k < g->w; k++) {
        if (mixed[k]) kept[w++] = k;
    }
    Grid* out = new_grid(cx, g->h, w);
    if (!out) return unhandled(R_ARENA);
    for (u32 r = 0; r < g->h; r++) {
        const i8* row = row_at(*g, r);
        if (all_same(row, g->w)) continue;
        i8* to = row_at(*out, h++);
        for (u32 k = 0; k < w; k++) to[k] = row[kept[k]];
    }
    out->h = h;
    return grid_value(cx, out);
}

}  // namespace vm
