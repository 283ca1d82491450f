// The algebra of patches: unions, common cells and differences by words of their masks.
#pragma once

#include "bytes.h"
#include "order.h"

namespace vm {

// A box that grows over patches.
struct Extent {
    i64 top, left, bottom, right;
};

VM_FN Extent extent_of(const Patch& p) {
    return Extent{p.top, p.left, static_cast<i64>(p.top) + p.h - 1, static_cast<i64>(p.left) + p.w - 1};
}

VM_FN void grow(Extent& e, const Extent& by) {
    e.top = least_of(e.top, by.top);
    e.left = least_of(e.left, by.left);
    e.bottom = greatest_of(e.bottom, by.bottom);
    e.right = greatest_of(e.right, by.right);
}

VM_FN bool fits_mask(const Extent& e) {
    return e.bottom - e.top < MOST_ROWS && e.right - e.left < MOST_COLUMNS;
}

// Make a mask of zeros over an extent that fits; false if the arena is full.
VM_FN bool new_mask(Context& cx, Mask& m, const Extent& e, bool with_plane) {
    return new_mask(cx, m, static_cast<i32>(e.top), static_cast<i32>(e.left), static_cast<u32>(e.bottom - e.top + 1),
                    static_cast<u32>(e.right - e.left + 1), with_plane);
}

// Put the colours of row r of a patch into a row of a plane; false if one of `taken` cells has another colour there.
VM_FN bool add_colours(i8* plane, const Patch& p, u32 r, u32 word, u64 taken) {
    const i8* colours = p.colour == MANY_COLOURS ? p.plane + static_cast<u64>(r) * p.w : nullptr;
    for (u64 bits = p.rows[static_cast<u64>(r) * p.words + word]; bits;) {
        const u32 from = lowest_bit(bits), k = word * 64 + from, n = least_of(p.w - k, EIGHT);
        const u64 cells = spread(bits >> from), old = load_eight(plane + k, n);
        const u64 added = colours ? load_eight(colours + k, n) : eight_of(p.colour);
        if ((old ^ added) & cells & spread(taken >> from)) return false;
        store_eight(plane + k, n, (old & ~cells) | (added & cells));
        bits &= ~(static_cast<u64>(0xFF) << from);
    }
    return true;
}

// Add row r of a patch, which lies within the mask; false if a location would get two colours.
VM_FN bool add_row(Mask& m, const Patch& p, u32 r) {
    const u32 column = static_cast<u32>(p.left - m.left), skip = column >> 6, by = column & 63;
    const u64* source = p.rows + static_cast<u64>(r) * p.words;
    const u64 at = static_cast<u64>(p.top - m.top) + r;
    u64* row = m.rows + at * m.words + skip;
    for (u32 word = 0; word < p.words; word++) {
        const bool both = by && skip + word + 1 < m.words;
        if (m.plane) {
            const u64 taken = row[word] >> by | (both ? row[word + 1] << (64 - by) : 0);
            if (!add_colours(m.plane + at * m.w + column, p, r, word, taken)) return false;
        }
        row[word] |= source[word] << by;
        if (both) row[word + 1] |= source[word] >> (64 - by);
    }
    return true;
}

// Add the cells of a patch, which lies within the mask; false if a location would get two colours.
VM_FN bool add_patch(Mask& m, const Patch& p) {
    if (m.words == 1 && !m.plane) {  // nearly always
        const u32 by = static_cast<u32>(p.left - m.left);
        u64* rows = m.rows + (p.top - m.top);
        for (u32 r = 0; r < p.h; r++) rows[r] |= p.rows[r] << by;
        return true;
    }
    for (u32 r = 0; r < p.h; r++) {
        if (!add_row(m, p, r)) return false;
    }
    return true;
}

// Add the cells of a patch where other lanes add others. The mask has no plane.
VM_FN void add_patch_beside_others(Mask& m, const Patch& p) {
    const u32 column = static_cast<u32>(p.left - m.left), skip = column >> 6, by = column & 63;
    for (u32 r = 0; r < p.h; r++) {
        u64* row = m.rows + (static_cast<u64>(p.top - m.top) + r) * m.words + skip;
        for (u32 word = 0; word < p.words; word++) {
            const u64 bits = p.rows[static_cast<u64>(r) * p.words + word];
            if (bits << by) set_bits(row[word], bits << by);
            if (by && bits >> (64 - by)) set_bits(row[word + 1], bits >> (64 - by));
        }
    }
}

// Add those of n values that are patches to a mask, together; false if a location would get two colours.
VM_FN bool add_together(Context& cx, Mask& m, const Value* values, u64 n) {
    if (!m.plane && n >= lanes_of(cx)) {  // a patch a lane
        for (u64 k = lane_of(cx); k < n; k += lanes_of(cx)) {
            if (values[k].tag == PATCH) add_patch_beside_others(m, *values[k].patch);
        }
        return true;
    }
    bool clash = false;  // a row of the mask a lane, of all patches in turn
    for (u64 k = 0; k < n; k++) {
        if (values[k].tag != PATCH) continue;
        const Patch& p = *values[k].patch;
        const u32 above = static_cast<u32>(p.top - m.top) % lanes_of(cx);
        for (u32 r = (lane_of(cx) + lanes_of(cx) - above) % lanes_of(cx); r < p.h && !clash; r += lanes_of(cx)) {
            clash = !add_row(m, p, r);
        }
    }
    return !lanes_with(cx, clash);
}

// Extend low..high to the colours of an object.
VM_FN void add_colours_of(const Patch& p, i32& low, i32& high) {
    if (p.colour != MANY_COLOURS) {
        low = least_of(low, p.colour);
        high = greatest_of(high, p.colour);
        return;
    }
    for_each_bit(p, [&](u32 r, u32 k) {
        const i32 colour = p.plane[r * p.w + k];
        low = least_of(low, colour);
        high = greatest_of(high, colour);
    });
}

// What some values are that are to become one patch.
struct Survey {
    Extent extent;      // of the patches
    u64 first;          // of them
    u32 count;          // how many are patches: 0, 1, or more
    i32 low, high;      // their colours, as their heads have them
    u8 objects, indices, other;  // whether there are such ones; other: neither a patch nor an empty container
    u8 unused;
};

VM_FN Survey of_both(const Survey& a, const Survey& b) {
    Survey s = a;
    grow(s.extent, b.extent);
    s.first = least_of(a.first, b.first);
    s.count = a.count + b.count;
    s.low = least_of(a.low, b.low);
    s.high = greatest_of(a.high, b.high);
    s.objects |= b.objects;
    s.indices |= b.indices;
    s.other |= b.other;
    return s;
}

// Look at n values, together.
VM_FN Survey survey_of(Context& cx, const Value* values, u64 n) {
    Survey s{{INT64_MAX, INT64_MAX, INT64_MIN, INT64_MIN}, UINT64_MAX, 0, INT32_MAX, INT32_MIN, 0, 0, 0, 0};
    for (u64 k = lane_of(cx); k < n; k += lanes_of(cx)) {
        if (values[k].tag != PATCH) {
            if (is_container(values[k]) && !length(values[k])) continue;
            s.other = 1;
            break;
        }
        const Patch& p = *values[k].patch;
        if (!s.count++) s.first = k;
        grow(s.extent, extent_of(p));
        s.low = least_of(s.low, p.colour);
        s.high = greatest_of(s.high, p.colour);
        s.objects |= p.object;
        s.indices |= !p.object;
    }
    return of_all(cx, s, [](const Survey& a, const Survey& b) { return of_both(a, b); });
}

// The union of those of n values that are not empty, all of them patches, together. IS_UNKNOWN if they are not all
// locations or all cells, lie too far apart, or if a location has two colours; IS_EMPTY if there is none.
VM_FN Form union_of_patches(Context& cx, const Value* values, u64 n, Value& result) {
    const Survey s = survey_of(cx, values, n);
    if (s.other || (s.objects && s.indices)) return IS_UNKNOWN;
    if (!s.count) return IS_EMPTY;
    result = values[s.first];
    if (s.count == 1) return IS_PATCH;
    if (!fits_mask(s.extent)) return IS_UNKNOWN;
    Mask m;
    const bool many = s.objects && (s.low != s.high || s.low == MANY_COLOURS);
    if (!new_mask(cx, m, s.extent, many)) return NO_MEMORY;
    if (lanes_of(cx) > 1) {
        if (!add_together(cx, m, values, n)) return IS_UNKNOWN;
    } else {
        for (u64 k = 0; k < n; k++) {
            if (values[k].tag == PATCH && !add_patch(m, *values[k].patch)) return IS_UNKNOWN;
        }
    }
    result = finish(cx, m, s.objects, many ? MANY_COLOURS : s.low);
    return is_bad(result) ? NO_MEMORY : IS_PATCH;
}

// The cells of n patches, or empty containers, as a set in which locations may have several colours. IS_UNKNOWN if they
// are not all of cells, or lie too far apart; IS_EMPTY if there is none.
VM_FN Form cells_of_objects(Context& cx, const Value* values, u64 n, Value& result) {
    CellRange e{INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN, GREATEST_BYTE, LEAST_BYTE};
    u64 cells = 0;
    for (u64 k = 0; k < n; k++) {
        if (values[k].tag != PATCH && !length(values[k])) continue;
        if (values[k].tag != PATCH || !values[k].patch->object) return IS_UNKNOWN;
        const Patch& p = *values[k].patch;
        const Extent extent = extent_of(p);
        if (extent.bottom > INT32_MAX || extent.right > INT32_MAX) return IS_UNKNOWN;
        e.top = least_of(e.top, p.top);
        e.left = least_of(e.left, p.left);
        e.bottom = greatest_of(e.bottom, static_cast<i32>(extent.bottom));
        e.right = greatest_of(e.right, static_cast<i32>(extent.right));
        add_colours_of(p, e.low, e.high);
        cells += p.count;
    }
    if (!cells) return IS_EMPTY;
    Seq* seq = cells < (MOST_ROWS * MOST_COLUMNS) ? new_seq(cx, cells) : nullptr;
    u8* mark = cx.arena.top;
    ColourMasks m;
    if (!seq || !new_colour_masks(cx, m, e, cells)) return IS_UNKNOWN;
    for (u64 k = 0; k < n; k++) {
        if (values[k].tag != PATCH) continue;
        const Patch& p = *values[k].patch;
        if (p.colour == MANY_COLOURS) {
            for_each_bit(p, [&](u32 r, u32 column) {
                m.set(p.plane[r * p.w + column], p.top + static_cast<i32>(r), p.left + static_cast<i32>(column));
            });
        } else {
            u64* rows = m.row(p.colour, m.top);
            Mask one{m.top, m.left, static_cast<u32>(m.h), 0, static_cast<u32>(m.words), rows, nullptr};
            add_patch(one, p);
        }
    }
    seq->n = write_cells(m, seq->items);
    cx.arena.top = mark;
    result = of_seq(SET, seq);
    return IS_PATCH;
}

// A mask of a patch's own box, with its own plane, whose rows the caller fills; false if the arena is full.
VM_FN bool same_box(Context& cx, Mask& m, const Patch& p) {
    const u64 words = static_cast<u64>(p.h) * p.words;
    m = Mask{p.top, p.left, p.h, p.w, p.words, allocate_array<u64>(cx, words), const_cast<i8*>(p.plane)};
    return m.rows != nullptr;
}

// Likewise, with a copy of its bits.
VM_FN bool copy_mask(Context& cx, Mask& m, const Patch& p) {
    if (!same_box(cx, m, p)) return false;
    copy_memory(m.rows, p.rows, static_cast<u64>(p.h) * p.words * sizeof(u64));
    return true;
}

// The patch of a mask over the box of p that has lost cells; p itself if it has not.
VM_FN Value finish_part(Context& cx, const Mask& m, const Patch& p, bool changed) {
    return changed ? finish(cx, m, p.object, p.colour) : of_patch(&p);
}

// Those of `common` bits, at columns from word * 64 on, whose colours agree in both patches.
VM_FN u64 of_same_colour(const Patch& p, u32 r, u32 word, const Patch& q, u64 common) {
    u64 same = 0;
    for (u64 bits = common; bits; bits &= bits - 1) {
        const u32 k = word * 64 + lowest_bit(bits);
        const u32 row = static_cast<u32>(p.top + static_cast<i64>(r) - q.top);
        const u32 column = static_cast<u32>(p.left + static_cast<i64>(k) - q.left);
        if (colour_at(p, r, k) == colour_at(q, row, column)) same |= bits & (0 - bits);
    }
    return same;
}

// The cells of p that are (keep_common) or are not in q, together.
VM_FN Value part_of(Context& cx, const Patch& p, const Patch& q, bool keep_common) {
    const Value nothing = keep_common ? empty_set() : of_patch(&p);
    if (p.object != q.object) return nothing;
    const bool single = p.colour != MANY_COLOURS && q.colour != MANY_COLOURS;
    if (p.object && single && p.colour != q.colour) return nothing;
    Mask m;
    if (!same_box(cx, m, p)) return unhandled(R_ARENA);
    bool changed = false;
    for (u32 r = lane_of(cx); r < p.h; r += lanes_of(cx)) {
        const i64 row = static_cast<i64>(p.top) + r - q.top;
        const bool beside = row >= 0 && row < q.h;
        for (u32 word = 0; word < p.words; word++) {
            const u64 bits = p.rows[static_cast<u64>(r) * p.words + word];
            const i64 from = static_cast<i64>(p.left) + word * 64 - q.left;
            u64 common = beside ? bits & window(q, static_cast<u32>(row), from) : 0;
            if (common && p.object && !single) common = of_same_colour(p, r, word, q, common);
            const u64 kept = keep_common ? common : bits & ~common;
            changed |= kept != bits;
            m.rows[static_cast<u64>(r) * p.words + word] = kept;
        }
    }
    return finish_part(cx, m, p, lanes_with(cx, changed) != 0);
}

// The patch without those of its cells, `items` in canonical order, whose `keep` is false.
template <class F>
VM_INLINE Value kept_cells(Context& cx, const Patch& p, const Value* items, F keep) {
    Mask m;
    if (!copy_mask(cx, m, p)) return unhandled(R_ARENA);
    bool changed = false;
    for (u64 k = 0; k < p.count; k++) {
        if (keep(k)) continue;
        const u32 r = static_cast<u32>(items[k].at.i - p.top), column = static_cast<u32>(items[k].at.j - p.left);
        m.rows[static_cast<u64>(r) * m.words + (column >> 6)] &= ~(static_cast<u64>(1) << (column & 63));
        changed = true;
    }
    return finish_part(cx, m, p, changed);
}

}  // namespace vm
