// Patches as bitmasks: making them, walking them, and taking any value for one.
#pragma once

#include "sequence.h"

namespace vm {

constexpr u32 MOST_ROWS = 512, MOST_COLUMNS = 512;  // of a mask; what reaches further is left to the reference

VM_INLINE bool has(const Patch& p, u32 r, u32 k) { return (p.rows[r * p.words + (k >> 6)] >> (k & 63)) & 1; }

// The colour of the cell at row r, column k of the box; the patch is an object and has it.
VM_FN i32 colour_at(const Patch& p, u32 r, u32 k) {
    return p.colour == MANY_COLOURS ? p.plane[r * p.w + k] : p.colour;
}

// The 64 bits of row r of a patch that begin at column `from` of its box, which may lie outside it.
VM_FN u64 window(const Patch& p, u32 r, i64 from) {
    const u64* row = p.rows + static_cast<u64>(r) * p.words;
    if (from < 0) return from > -64 ? row[0] << -from : 0;
    const u64 word = static_cast<u64>(from) >> 6, by = static_cast<u64>(from) & 63;
    if (word >= p.words) return 0;
    const u64 bits = row[word] >> by;
    return by && word + 1 < p.words ? bits | row[word + 1] << (64 - by) : bits;
}

// Call f(r, k) for every cell, row by row.
template <class F>
VM_INLINE void for_each_bit(const Patch& p, F f) {
    for (u32 r = 0; r < p.h; r++) {
        for (u32 word = 0; word < p.words; word++) {
            for (u64 bits = p.rows[r * p.words + word]; bits; bits &= bits - 1) f(r, word * 64 + lowest_bit(bits));
        }
    }
}

// A mask under construction: a box of zeros, to be filled with set() and turned into a value by finish().
struct Mask {
    i32 top, left;
    u32 h, w, words;
    u64* rows;
    i8* plane;  // null unless asked for; then stride w

    VM_FN_MEMBER void set(u32 r, u32 k) { rows[r * words + (k >> 6)] |= static_cast<u64>(1) << (k & 63); }
    VM_FN_MEMBER bool get(u32 r, u32 k) const { return (rows[r * words + (k >> 6)] >> (k & 63)) & 1; }
};

// Make a mask of zeros, together; false if the arena is full. The box must be within MOST_ROWS x MOST_COLUMNS.
VM_FN bool new_mask(Context& cx, Mask& m, i32 top, i32 left, u32 h, u32 w, bool with_plane) {
    m.top = top;
    m.left = left;
    m.h = h;
    m.w = w;
    m.words = (w + 63) / 64;
    m.rows = allocate_array<u64>(cx, static_cast<u64>(h) * m.words);
    m.plane = with_plane ? allocate_array<i8>(cx, static_cast<u64>(h) * w) : nullptr;
    if (!m.rows || (with_plane && !m.plane)) return false;
    clear_together(cx, m.rows, static_cast<u64>(h) * m.words);
    sync(cx);
    return true;
}

// The colour that all cells of the plane of a patch have; MANY_COLOURS if there is none. Together: each lane looks at the
// rows that begin with its own number.
VM_FN i32 only_colour(Context& cx, const Patch& p) {
    if (lanes_of(cx) > 1) {
        struct {
            i32 low, high;
        } colours{GREATEST_BYTE, LEAST_BYTE};
        for (u32 r = lane_of(cx); r < p.h; r += lanes_of(cx)) {
            for (u32 word = 0; word < p.words; word++) {
                for (u64 bits = p.rows[r * p.words + word]; bits; bits &= bits - 1) {
                    const i32 colour = p.plane[r * p.w + word * 64 + lowest_bit(bits)];
                    colours.low = least_of(colours.low, colour);
                    colours.high = greatest_of(colours.high, colour);
                }
            }
        }
        colours = of_all(cx, colours, [](auto a, const auto& b) {
            a.low = least_of(a.low, b.low);
            a.high = greatest_of(a.high, b.high);
            return a;
        });
        return colours.low == colours.high ? colours.low : MANY_COLOURS;
    }
    u32 start = 0;
    while (!p.rows[start]) start++;
    const i32 first = p.plane[start * 64 + lowest_bit(p.rows[start])];
    for (u32 r = 0; r < p.h; r++) {
        for (u32 word = 0; word < p.words; word++) {
            for (u64 bits = p.rows[r * p.words + word]; bits; bits &= bits - 1) {
                if (p.plane[r * p.w + word * 64 + lowest_bit(bits)] != first) return MANY_COLOURS;
            }
        }
    }
    return first;
}

VM_FN bool is_empty_row(const Mask& m, u32 r) {
    u64 any = 0;
    for (u32 word = 0; word < m.words; word++) any |= m.rows[r * m.words + word];
    return !any;
}

// How many cells the rows from first to last have, and all of these rows in one. Most masks are one word wide.
template <bool NARROW>
VM_FN u32 gather(const Mask& m, u32 first, u32 last, u64* all) {
    const u32 words = NARROW ? 1 : m.words;
    u32 count = 0;
    for (u32 word = 0; word < words; word++) all[word] = 0;
    for (u32 r = first; r <= last; r++) {
        for (u32 word = 0; word < words; word++) {
            const u64 bits = m.rows[r * words + word];
            all[word] |= bits;
            count += count_bits(bits);
        }
    }
    return count;
}

// The cells of a mask: their number, and the first and last rows and columns that are not empty.
struct Inside {
    u32 count, first, last, from, to;
};

VM_FN Inside inside_of(const Mask& m) {
    u32 first = 0, last = m.h;
    while (first < m.h && is_empty_row(m, first)) first++;
    if (first == m.h) return Inside{0, 0, 0, 0, 0};
    while (is_empty_row(m, --last)) {}
    u64 all[MOST_COLUMNS / 64];
    const u32 count = m.words == 1 ? gather<true>(m, first, last, all) : gather<false>(m, first, last, all);
    u32 low = 0, high = m.words - 1;
    while (!all[low]) low++;
    while (!all[high]) high--;
    return Inside{count, first, last, low * 64 + lowest_bit(all[low]), high * 64 + highest_bit(all[high])};
}

// Likewise, together.
VM_FN Inside inside_together(Context& cx, const Mask& m) {
    Inside inside{0, UINT32_MAX, 0, UINT32_MAX, 0};
    for (u32 r = lane_of(cx); r < m.h; r += lanes_of(cx)) {
        for (u32 word = 0; word < m.words; word++) {
            const u64 bits = m.rows[r * m.words + word];
            if (!bits) continue;
            inside.count += count_bits(bits);
            inside.first = least_of(inside.first, r);
            inside.last = r;
            inside.from = least_of(inside.from, word * 64 + lowest_bit(bits));
            inside.to = greatest_of(inside.to, word * 64 + highest_bit(bits));
        }
    }
    return of_all(cx, inside, [](const Inside& a, const Inside& b) {
        return Inside{a.count + b.count, least_of(a.first, b.first), greatest_of(a.last, b.last),
                      least_of(a.from, b.from), greatest_of(a.to, b.to)};
    });
}

// The patch of a mask, made tight, together. `object`: with colour `colour`, or with those of the plane if MANY_COLOURS.
VM_FN Value finish(Context& cx, const Mask& m, bool object, i32 colour) {
    sync(cx);
    const Inside inside = lanes_of(cx) > 1 ? inside_together(cx, m) : inside_of(m);
    if (!inside.count) return empty_set();
    const u32 first = inside.first, from = inside.from;
    const u32 h = inside.last - first + 1, w = inside.to - from + 1, words = (w + 63) / 64;
    Patch* p = static_cast<Patch*>(allocate(cx, sizeof(Patch)));
    if (!p) return unhandled(R_ARENA);
    const u64* rows = m.rows + static_cast<u64>(first) * m.words;
    if (from != 0 || words != m.words) {
        u64* moved = allocate_array<u64>(cx, static_cast<u64>(h) * words);
        if (!moved) return unhandled(R_ARENA);
        const u32 skip = from >> 6, by = from & 63;
        for (u32 r = lane_of(cx); r < h; r += lanes_of(cx)) {
            const u64* source = m.rows + static_cast<u64>(first + r) * m.words;
            for (u32 word = 0; word < words; word++) {
                const u32 at = word + skip;
                u64 bits = source[at] >> by;
                if (by && at + 1 < m.words) bits |= source[at + 1] << (64 - by);
                moved[r * words + word] = bits;
            }
        }
        rows = moved;
    }
    const i8* plane = nullptr;
    if (!object) {
        colour = 0;
    } else if (colour == MANY_COLOURS) {
        plane = m.plane + static_cast<u64>(first) * m.w;
        if (w != m.w) {
            i8* moved = allocate_array<i8>(cx, static_cast<u64>(h) * w);
            if (!moved) return unhandled(R_ARENA);
            for (u32 r = lane_of(cx); r < h; r += lanes_of(cx)) {
                copy_memory(moved + r * w, m.plane + (first + r) * m.w + from, w);
            }
            plane = moved;
        }
        // Each lane reads the rows that it wrote.
        colour = only_colour(cx, Patch{0, 0, h, w, words, inside.count, true, MANY_COLOURS, rows, plane});
        if (colour != MANY_COLOURS) plane = nullptr;  // the smaller form, and equal objects should look alike
    }
    if (leads(cx)) {
        *p = Patch{m.top + static_cast<i32>(first), m.left + static_cast<i32>(from), h, w, words, inside.count, object,
                   colour, rows, plane};
    }
    sync(cx);
    return of_patch(p);
}

// The same cells elsewhere, or without or with one colour: shares the mask.
VM_FN Value variant(Context& cx, const Patch& p, i32 top, i32 left, bool object, i32 colour, const i8* plane) {
    Patch* q = static_cast<Patch*>(allocate(cx, sizeof(Patch)));
    if (!q) return unhandled(R_ARENA);
    if (leads(cx)) *q = Patch{top, left, p.h, p.w, p.words, p.count, object, colour, p.rows, plane};
    sync(cx);
    return of_patch(q);
}

enum Form : u8 {
    IS_PATCH,    // it is one: p (or g, for a grid) is set
    IS_EMPTY,    // an empty container
    IS_WRONG,    // the reference raises where it takes this for a patch
    IS_UNKNOWN,  // it may or may not raise, or is no mask: leave it to the reference
    NO_MEMORY,
};

// The box of items.
struct ItemRange {
    i32 top, left, bottom, right;
    u32 wrong, beyond;  // whether one is of another kind, has a colour that is no byte
};

// Make a patch of n PAIRs or n CELLs in any order, together. IS_UNKNOWN if they are too far apart, no bytes, or if a
// location has two colours.
VM_FN Form patch_of_items(Context& cx, const Value* items, u64 n, const Patch*& p) {
    if (!n) return IS_EMPTY;
    const u8 tag = items[0].tag;
    if (tag != PAIR && tag != CELL) return IS_UNKNOWN;
    ItemRange e{items[0].at.i, items[0].at.j, items[0].at.i, items[0].at.j, 0, 0};
    for (u64 k = lane_of(cx); k < n; k += lanes_of(cx)) {
        e.wrong = items[k].tag != tag;
        if (e.wrong) break;
        e.top = least_of(e.top, items[k].at.i);
        e.bottom = greatest_of(e.bottom, items[k].at.i);
        e.left = least_of(e.left, items[k].at.j);
        e.right = greatest_of(e.right, items[k].at.j);
        e.beyond |= !is_byte(items[k].extra);
    }
    e = of_all(cx, e, [](const ItemRange& a, const ItemRange& b) {
        return ItemRange{least_of(a.top, b.top),         least_of(a.left, b.left), greatest_of(a.bottom, b.bottom),
                         greatest_of(a.right, b.right), a.wrong | b.wrong,        a.beyond | b.beyond};
    });
    const i64 h = static_cast<i64>(e.bottom) - e.top + 1, w = static_cast<i64>(e.right) - e.left + 1;
    if (e.wrong || h > MOST_ROWS || w > MOST_COLUMNS || (tag == CELL && e.beyond)) return IS_UNKNOWN;
    Mask m;
    if (!new_mask(cx, m, e.top, e.left, static_cast<u32>(h), static_cast<u32>(w), tag == CELL)) return NO_MEMORY;
    if (lanes_of(cx) > 1) {
        for (u64 k = lane_of(cx); k < n; k += lanes_of(cx)) {
            const u32 r = static_cast<u32>(items[k].at.i - e.top), c = static_cast<u32>(items[k].at.j - e.left);
            set_bits(m.rows[r * m.words + (c >> 6)], static_cast<u64>(1) << (c & 63));
            if (tag == CELL) put_byte(m.plane[r * m.w + c], static_cast<i8>(items[k].extra));
        }
        sync(cx);
        bool clash = false;
        for (u64 k = lane_of(cx); k < n && tag == CELL; k += lanes_of(cx)) {
            const u32 r = static_cast<u32>(items[k].at.i - e.top), c = static_cast<u32>(items[k].at.j - e.left);
            clash |= m.plane[r * m.w + c] != items[k].extra;
        }
        if (lanes_with(cx, clash)) return IS_UNKNOWN;
    } else {
        for (u64 k = 0; k < n; k++) {
            const u32 r = static_cast<u32>(items[k].at.i - e.top), c = static_cast<u32>(items[k].at.j - e.left);
            if (tag == CELL) {
                const i8 colour = static_cast<i8>(items[k].extra);
                if (m.get(r, c) && m.plane[r * m.w + c] != colour) return IS_UNKNOWN;
                m.plane[r * m.w + c] = colour;
            }
            m.set(r, c);
        }
    }
    const Value v = finish(cx, m, tag == CELL, MANY_COLOURS);
    if (is_bad(v)) return NO_MEMORY;
    p = v.patch;
    return IS_PATCH;
}

// Take a value for a patch, as toindices, shift and their kin do: a set, or a tuple, of locations or of cells.
VM_FN Form as_patch(Context& cx, const Value& v, const Patch*& p) {
    if (v.tag == PATCH) {
        p = v.patch;
        return IS_PATCH;
    }
    if (!is_container(v)) return IS_WRONG;
    const u64 n = length(v);
    if (!n) return IS_EMPTY;
    if (v.tag == SET || v.tag == TUPLE) {
        const Value& first = v.seq->items[0];
        if (first.tag == INT || first.tag == NONE) return IS_WRONG;
        return patch_of_items(cx, v.seq->items, n, p);
    }
    if (v.tag == GRID && v.grid->w == 2) {
        Value* items = allocate_array<Value>(cx, n);
        if (!items) return NO_MEMORY;
        for (u64 k = 0; k < n; k++) items[k] = pair_of(v.grid->data[2 * k], v.grid->data[2 * k + 1]);
        return patch_of_items(cx, items, n, p);
    }
    if (v.tag == PAIR || v.tag == ROW || v.tag == CELL) return IS_WRONG;
    return IS_UNKNOWN;
}

// What an operation answers that could not take a value for a patch.
VM_FN Value refuse(Form form) {
    if (form == NO_MEMORY) return unhandled(R_ARENA);
    return form == IS_UNKNOWN ? unhandled(R_FORM) : fail();
}

}  // namespace vm
