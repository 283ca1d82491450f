// The canonical order: None < integers < tuples (lexicographic, then shorter first) < frozensets (as the sorted tuple
// of their elements); and sets, which are kept in it.
#pragma once

#include "patch.h"

namespace vm {

constexpr int DEPTH = 6;  // how deep values may nest that are compared

// Walks the cells of a patch in canonical order: locations row by row; cells by colour first.
struct PatchWalk {
    const Patch* p;
    u32 r, word;
    u64 bits;
    i32 colour, next_colour;  // of an object with many colours: the one being walked, and the least beyond it
};

VM_FN void start_colour(PatchWalk& walk) {
    walk.r = walk.word = 0;
    walk.bits = walk.p->rows[0];
}

VM_FN PatchWalk walk_of(const Patch& p) {
    PatchWalk walk{&p, 0, 0, p.rows[0], p.colour, GREATEST_BYTE + 1};
    if (p.object && p.colour == MANY_COLOURS) {
        walk.colour = GREATEST_BYTE + 1;
        for_each_bit(p, [&](u32 r, u32 k) { walk.colour = least_of(walk.colour, static_cast<i32>(p.plane[r * p.w + k])); });
    }
    return walk;
}

// Put the next cell into `item`; false at the end.
VM_FN bool next_cell(PatchWalk& walk, Value& item) {
    const Patch& p = *walk.p;
    const bool many = p.object && p.colour == MANY_COLOURS;
    while (true) {
        while (walk.bits) {
            const u32 k = walk.word * 64 + lowest_bit(walk.bits);
            const u32 r = walk.r;
            walk.bits &= walk.bits - 1;
            if (many) {
                const i32 c = p.plane[r * p.w + k];
                if (c != walk.colour) {
                    if (c > walk.colour) walk.next_colour = least_of(walk.next_colour, c);
                    continue;
                }
            }
            const i32 i = p.top + static_cast<i32>(r), j = p.left + static_cast<i32>(k);
            item = p.object ? cell_of(walk.colour, i, j) : pair_of(i, j);
            return true;
        }
        if (++walk.word == p.words) {
            walk.word = 0;
            if (++walk.r == p.h) {
                if (!many || walk.next_colour > GREATEST_BYTE) return false;
                walk.colour = walk.next_colour;
                walk.next_colour = GREATEST_BYTE + 1;
                start_colour(walk);
                continue;
            }
        }
        walk.bits = p.rows[walk.r * p.words + walk.word];
    }
}

VM_INLINE int sign_of(i64 a, i64 b) { return (a > b) - (a < b); }

VM_FN int compare_bytes(const i8* a, const i8* b, u64 n) {
    for (u64 k = 0; k < n; k += EIGHT) {
        const u32 left = static_cast<u32>(least_of<u64>(n - k, EIGHT));
        const u64 x = load_eight(a + k, left), y = load_eight(b + k, left);
        if (x == y) continue;
        const u32 by = lowest_bit(x ^ y) & ~7u;
        return static_cast<i8>(x >> by) < static_cast<i8>(y >> by) ? -1 : 1;
    }
    return 0;
}

VM_FN int compare_rows(const Value& a, const Value& b) {
    const int c = compare_bytes(a.bytes, b.bytes, static_cast<u64>(least_of(a.extra, b.extra)));
    return c ? c : sign_of(a.extra, b.extra);
}

VM_FN int compare_grids(const Grid& a, const Grid& b) {  // of the same width
    const int c = compare_bytes(a.data, b.data, static_cast<u64>(least_of(a.h, b.h)) * a.w);
    return c ? c : sign_of(a.h, b.h);
}

VM_FN int compare_cells(const Value& a, const Value& b) {  // two PAIRs or two CELLs; a PAIR's `extra` is 0
    if (a.extra != b.extra) return sign_of(a.extra, b.extra);
    return a.at.i != b.at.i ? sign_of(a.at.i, b.at.i) : sign_of(a.at.j, b.at.j);
}

// Whether a patch has a cell behind row r, column k of its box, in reading order.
VM_FN bool has_behind(const Patch& p, i64 r, i64 k) {
    if (r + 1 < p.h) return true;  // its last row is not empty
    for (i64 from = k + 1; r < p.h && from < p.w; from += 64) {
        if (window(p, static_cast<u32>(r), from)) return true;
    }
    return false;
}

// compare_masks where all columns, from `left` on, fit in one word.
VM_FN int compare_narrow_masks(const Patch& a, const Patch& b, i64 left) {
    const u32 rows = least_of(a.h, b.h);
    const i64 of_a = a.left - left, of_b = b.left - left;
    u32 r = 0;
    while (r < rows && a.rows[r] << of_a == b.rows[r] << of_b) r++;
    if (r == rows) return sign_of(a.h, b.h);
    const u64 bits = a.rows[r] << of_a;
    const u32 bit = lowest_bit(bits ^ b.rows[r] << of_b);
    const bool in_a = (bits >> bit) & 1;
    return has_behind(in_a ? b : a, r, bit - (in_a ? of_b : of_a)) == in_a ? -1 : 1;
}

// Of two sets of locations, or two objects of one colour, whose boxes begin in the same row: what decides is the first
// location that only one of them has. This one is less if the other goes on behind it, else the longer, so greater.
VM_FN int compare_masks(const Patch& a, const Patch& b) {
    const u32 rows = greatest_of(a.h, b.h);
    const i64 left = least_of(a.left, b.left);
    const i64 right = greatest_of(static_cast<i64>(a.left) + a.w, static_cast<i64>(b.left) + b.w);
    if (a.words == 1 && b.words == 1 && right - left <= 64) return compare_narrow_masks(a, b, left);
    for (u32 r = 0; r < rows; r++) {
        if (r == a.h || r == b.h) return r == a.h ? -1 : 1;
        for (i64 from = left; from < right; from += 64) {
            const u64 of_a = window(a, r, from - a.left), differ = of_a ^ window(b, r, from - b.left);
            if (!differ) continue;
            const u32 bit = lowest_bit(differ);
            const bool in_a = (of_a >> bit) & 1;
            const Patch& other = in_a ? b : a;
            return has_behind(other, r, from + bit - other.left) == in_a ? -1 : 1;
        }
    }
    return 0;
}

VM_FN int compare_patches(const Patch& a, const Patch& b) {  // of one kind, neither of many colours
    if (a.colour != b.colour) return sign_of(a.colour, b.colour);
    return a.top != b.top ? sign_of(a.top, b.top) : compare_masks(a, b);
}

VM_INLINE bool is_simple(const Patch& p) { return p.colour != MANY_COLOURS; }

template <int D>
struct Compare {
    VM_FN_STATIC int items(Context& cx, const Value& a, const Value& b) {  // of two tuples
        const u64 n = length(a), m = length(b);
        for (u64 k = 0; k < n && k < m; k++) {
            const int c = Compare<D - 1>::values(cx, tuple_item(a, k), tuple_item(b, k));
            if (c) return c;
        }
        return sign_of(static_cast<i64>(n), static_cast<i64>(m));
    }

    VM_FN_STATIC int sets(Context& cx, const Value& a, const Value& b) {
        PatchWalk left{}, right{};
        if (a.tag == PATCH) left = walk_of(*a.patch);
        if (b.tag == PATCH) right = walk_of(*b.patch);
        const u64 n = length(a), m = length(b);
        for (u64 k = 0; k < n && k < m; k++) {
            Value x = none(), y = none();
            if (a.tag == PATCH) next_cell(left, x); else x = a.seq->items[k];
            if (b.tag == PATCH) next_cell(right, y); else y = b.seq->items[k];
            const int c = Compare<D - 1>::values(cx, x, y);
            if (c) return c;
        }
        return sign_of(static_cast<i64>(n), static_cast<i64>(m));
    }

    VM_FN_STATIC int values(Context& cx, const Value& a, const Value& b) {
        if (a.tag == b.tag) {
            switch (a.tag) {
                case NONE: return 0;
                case INT: return sign_of(a.num, b.num);
                case CELL:
                case PAIR: return compare_cells(a, b);
                case ROW: return compare_rows(a, b);
                case GRID:
                    if (a.grid->w == b.grid->w) return compare_grids(*a.grid, *b.grid);
                    break;
                case PATCH:
                    if (a.patch == b.patch) return 0;
                    if (a.patch->object == b.patch->object && is_simple(*a.patch) && is_simple(*b.patch)) {
                        return compare_patches(*a.patch, *b.patch);
                    }
                    break;
                case TUPLE:
                case SET:
                    if (a.seq == b.seq) return 0;
                    break;
                default: break;
            }
        }
        const int kind_a = a.tag == NONE ? 0 : a.tag == INT ? 1 : is_tuple(a) ? 2 : 3;
        const int kind_b = b.tag == NONE ? 0 : b.tag == INT ? 1 : is_tuple(b) ? 2 : 3;
        if (kind_a != kind_b) return sign_of(kind_a, kind_b);
        return kind_a == 2 ? items(cx, a, b) : sets(cx, a, b);
    }
};

template <>
struct Compare<0> {
    VM_FN_STATIC int values(Context& cx, const Value&, const Value&) {
        cx.too_deep = true;  // the evaluation ends as UNHANDLED
        return 0;
    }
};

// -1, 0 or 1 as a stands before, at or behind b.
VM_FN int compare(Context& cx, const Value& a, const Value& b) {
    if (is_int(a) && is_int(b)) return sign_of(a.num, b.num);
    if (a.tag == b.tag && (a.tag == PAIR || a.tag == CELL)) return compare_cells(a, b);
    return Compare<DEPTH>::values(cx, a, b);
}

VM_FN bool same_mask(const Patch& a, const Patch& b) {
    return a.rows == b.rows || same_bytes(a.rows, b.rows, sizeof(u64) * a.h * a.words);
}

// Whether two values are equal; quicker than compare where their forms are the same.
VM_FN bool equal(Context& cx, const Value& a, const Value& b) {
    if (a.tag == b.tag) {
        if (a.tag == INT) return a.num == b.num;
        if (a.tag == PAIR || a.tag == CELL) return a.at.i == b.at.i && a.at.j == b.at.j && a.extra == b.extra;
    }
    if (a.tag == GRID && b.tag == GRID) {
        const Grid &g = *a.grid, &k = *b.grid;
        return g.h == k.h && g.w == k.w && (&g == &k || same_bytes(g.data, k.data, static_cast<u64>(g.h) * g.w));
    }
    if (a.tag == PATCH && b.tag == PATCH) {
        const Patch &p = *a.patch, &q = *b.patch;
        if (p.count != q.count || p.top != q.top || p.left != q.left || p.h != q.h || p.w != q.w) return false;
        if (p.object != q.object || p.colour != q.colour || !same_mask(p, q)) return false;
        if (p.object && p.colour == MANY_COLOURS) {
            bool same = true;
            for_each_bit(p, [&](u32 r, u32 k) { same &= p.plane[r * p.w + k] == q.plane[r * q.w + k]; });
            return same;
        }
        return true;
    }
    if (is_container(a) && is_container(b) && (is_tuple(a) != is_tuple(b) || length(a) != length(b))) return false;
    return compare(cx, a, b) == 0;
}

// Whether what has key a has to go behind what has key b.
VM_FN bool is_behind(Context& cx, const Value& a, const Value& b, bool descending) {
    const int c = compare(cx, a, b);
    return descending ? c < 0 : c > 0;
}

// sort_by for few items.
VM_FN void insert_by(Context& cx, Value* items, Value* keys, u64 n, bool descending) {
    const bool apart = keys != items;
    for (u64 k = 1; k < n; k++) {
        const Value item = items[k], key = keys[k];
        u64 at = k;
        while (at > 0) {
            if (!is_behind(cx, keys[at - 1], key, descending)) break;
            items[at] = items[at - 1];
            if (apart) keys[at] = keys[at - 1];
            at--;
        }
        items[at] = item;
        if (apart) keys[at] = key;
    }
}

// Sort items in place by canonical order of keys (keys may be the items themselves), stably; false without memory.
// With `keys` apart, both arrays are put in the order of the keys.
VM_FN bool sort_by(Context& cx, Value* items, Value* keys, u64 n, bool descending) {
    constexpr u64 few = 12, run = 8;
    const bool apart = keys != items;
    if (n <= few) {
        insert_by(cx, items, keys, n, descending);
        return true;
    }
    u8* mark = cx.arena.top;
    Value* spare = allocate_array<Value>(cx, n);
    Value* spare_keys = apart ? allocate_array<Value>(cx, n) : spare;
    if (!spare || !spare_keys) return false;
    for (u64 k = 0; k < n; k += run) insert_by(cx, items + k, keys + k, least_of(run, n - k), descending);
    Value *from = items, *from_keys = keys, *to = spare, *to_keys = spare_keys;
    for (u64 width = run; width < n; width *= 2) {  // merge runs of `width` two by two
        for (u64 low = 0; low < n; low += 2 * width) {
            const u64 middle = least_of(low + width, n), high = least_of(low + 2 * width, n);
            // Nothing to merge: what is sorted often nearly is in order.
            if (middle == high || !is_behind(cx, from_keys[middle - 1], from_keys[middle], descending)) {
                copy_memory(to + low, from + low, (high - low) * sizeof(Value));
                if (apart) copy_memory(to_keys + low, from_keys + low, (high - low) * sizeof(Value));
                continue;
            }
            u64 a = low, b = middle;
            for (u64 k = low; k < high; k++) {
                const bool left = a < middle && (b == high || !is_behind(cx, from_keys[a], from_keys[b], descending));
                const u64 source = left ? a++ : b++;
                to[k] = from[source];
                if (apart) to_keys[k] = from_keys[source];
            }
        }
        Value* swap = from;
        from = to;
        to = swap;
        swap = from_keys;
        from_keys = to_keys;
        to_keys = swap;
    }
    if (from != items) {
        copy_memory(items, from, n * sizeof(Value));
        if (apart) copy_memory(keys, from_keys, n * sizeof(Value));
    }
    cx.arena.top = mark;
    return true;
}

// The box and the colours of cells.
struct CellRange {
    i32 top, bottom, left, right, low, high;
};

// The box and the least and greatest colour of n values; false if one is no cell.
VM_FN bool get_cell_range(const Value* items, u64 n, CellRange& e) {
    e = CellRange{INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN};
    for (u64 k = 0; k < n; k++) {
        const Value& v = items[k];
        if (v.tag != CELL) return false;
        e.top = least_of(e.top, v.at.i);
        e.bottom = greatest_of(e.bottom, v.at.i);
        e.left = least_of(e.left, v.at.j);
        e.right = greatest_of(e.right, v.at.j);
        e.low = least_of(e.low, v.extra);
        e.high = greatest_of(e.high, v.extra);
    }
    return true;
}

// A mask for each colour, all over one box: cells of any colours, also of several at one location.
struct ColourMasks {
    i32 top, left, low;  // where the box begins; the least colour
    u64 h, words, planes;
    u64* rows;  // planes * h * words

    VM_FN_MEMBER u64* row(i32 colour, i32 i) {
        return rows + (static_cast<u64>(colour - low) * h + static_cast<u64>(i - top)) * words;
    }
    VM_FN_MEMBER void set(i32 colour, i32 i, i32 j) {
        const u32 column = static_cast<u32>(j - left);
        row(colour, i)[column >> 6] |= static_cast<u64>(1) << (column & 63);
    }
};

// Make such masks; false without memory, or if they are too large for as few cells as there are.
VM_FN bool new_colour_masks(Context& cx, ColourMasks& m, const CellRange& e, u64 cells) {
    const i64 h = static_cast<i64>(e.bottom) - e.top + 1, w = static_cast<i64>(e.right) - e.left + 1;
    const i64 planes = static_cast<i64>(e.high) - e.low + 1;
    if (h > MOST_ROWS || w > MOST_COLUMNS || planes > UINT8_MAX) return false;
    m = ColourMasks{e.top, e.left, e.low, static_cast<u64>(h), static_cast<u64>(w + 63) / 64,
                    static_cast<u64>(planes), nullptr};
    const u64 words = m.planes * m.h * m.words;
    if (words > 1024 + 4 * cells) return false;
    m.rows = allocate_array<u64>(cx, words);
    if (!m.rows) return false;
    fill_memory(m.rows, 0, words * sizeof(u64));
    return true;
}

// Write the cells of masks in canonical order; return how many there are.
VM_FN u64 write_cells(const ColourMasks& m, Value* out) {
    const u64* bits_at = m.rows;
    u64 n = 0;
    for (u64 plane = 0; plane < m.planes; plane++) {
        for (u64 r = 0; r < m.h; r++) {
            for (u64 word = 0; word < m.words; word++) {
                for (u64 bits = *bits_at++; bits; bits &= bits - 1) {
                    out[n++] = cell_of(m.low + static_cast<i32>(plane), m.top + static_cast<i32>(r),
                                       m.left + static_cast<i32>(word * 64 + lowest_bit(bits)));
                }
            }
        }
    }
    return n;
}

// Put cells in order and drop repeated ones, by a mask for each colour: quicker than sorting. False if they are not
// what that is made for.
VM_FN bool order_cells(Context& cx, Seq* seq) {
    CellRange e;
    u8* mark = cx.arena.top;
    ColourMasks m;
    if (!get_cell_range(seq->items, seq->n, e) || !new_colour_masks(cx, m, e, seq->n)) return false;
    for (u64 k = 0; k < seq->n; k++) m.set(seq->items[k].extra, seq->items[k].at.i, seq->items[k].at.j);
    seq->n = write_cells(m, seq->items);
    cx.arena.top = mark;
    return true;
}

// A number that is the same for equal patches.
VM_FN u64 hash_patch(const Patch& p) {
    constexpr u64 odd = 0x9E3779B97F4A7C15u;
    const u64 place = (static_cast<u64>(static_cast<u32>(p.top)) << 32) | static_cast<u32>(p.left);
    u64 hash = (place ^ (static_cast<u64>(p.h) << 40) ^ (static_cast<u64>(p.w) << 20) ^ p.count) * odd;
    hash = (hash ^ (hash >> 29) ^ static_cast<u64>(p.colour) ^ (p.object ? odd : 0)) * odd;
    const u64 words = static_cast<u64>(p.h) * p.words;
    hash = (hash ^ (hash >> 31) ^ p.rows[0]) * odd;  // a few rows tell most patches apart
    hash = (hash ^ (hash >> 31) ^ p.rows[words / 2]) * odd;
    hash = (hash ^ (hash >> 31) ^ p.rows[words - 1]) * odd;
    return hash ^ (hash >> 32);
}

// Drop patches and empty sets that are there already, so that only different ones have to be sorted: a loop over pairs
// makes the same few patches over and over. What is something else stays. False without memory: then all stay.
VM_FN bool drop_repeated_patches(Context& cx, Seq* seq) {
    u64 slots = 64, patches = 0;
    for (u64 k = 0; k < seq->n; k++) patches += seq->items[k].tag == PATCH;
    while (slots < 2 * patches) slots *= 2;
    u8* mark = cx.arena.top;
    u32* table = allocate_array<u32>(cx, slots);  // 1 + the number of an item that was kept
    if (!table) return false;
    fill_memory(table, 0, slots * sizeof(u32));
    u64 kept = 0;
    bool empty = false;
    for (u64 k = 0; k < seq->n; k++) {
        const Value item = seq->items[k];
        if (item.tag == PATCH) {
            u64 slot = hash_patch(*item.patch) & (slots - 1);
            while (table[slot] && !equal(cx, seq->items[table[slot] - 1], item)) slot = (slot + 1) & (slots - 1);
            if (table[slot]) continue;
            table[slot] = static_cast<u32>(kept + 1);
        } else if (item.tag == SET && !item.seq) {
            if (empty) continue;
            empty = true;
        }
        seq->items[kept++] = item;
    }
    seq->n = kept;
    cx.arena.top = mark;
    return true;
}

// The canonical order of patches as far as their colours and their first two cells tell, as a number. False where these
// are too far off for it, or of many colours.
VM_FN bool get_order_key(const Patch& p, i64& key) {
    constexpr i32 limit = 1 << 15;
    const u64 first_row = window(p, 0, 0);
    if (p.colour == MANY_COLOURS || !first_row) return false;  // first_row: the first cell lies in the first 64 columns
    const u32 column = lowest_bit(first_row);
    const i64 j = static_cast<i64>(p.left) + column;
    if (p.top < -limit || p.top >= limit || j < -limit || j >= limit) return false;
    u32 r = 0, next_column = 0;
    u64 rest = first_row & (first_row - 1);
    while (!rest && p.words == 1 && ++r < p.h) rest = p.rows[r];
    u64 second = 0;  // a single cell is less than any that go on behind it
    if (rest) {
        next_column = lowest_bit(rest);
        second = 1 + static_cast<u64>(r) * MOST_COLUMNS * 2 + (MOST_COLUMNS + next_column - column);
    } else if (p.words > 1) {
        return false;
    }
    const u64 place = static_cast<u64>(p.top + limit) << 40 | static_cast<u64>(j + limit) << 24 | second;
    key = static_cast<i64>(static_cast<u64>(static_cast<i64>(p.colour)) << 56 | place);
    return true;
}

// Put different patches of one kind in order by their keys, which compare quickly; false if they are not all such ones.
VM_FN bool order_patches(Context& cx, Seq* seq) {
    const u64 n = seq->n;
    Value* items = seq->items;
    u8* mark = cx.arena.top;
    Value* keys = allocate_array<Value>(cx, n);
    const Patch* first = nullptr;
    bool done = keys != nullptr;
    for (u64 k = 0; k < n && done; k++) {
        i64 key = INT64_MIN;  // of the empty set, which is the least
        if (items[k].tag == PATCH) {
            if (!first) first = items[k].patch;
            done = items[k].patch->object == first->object && get_order_key(*items[k].patch, key);
        } else {
            done = items[k].tag == SET && !items[k].seq;
        }
        keys[k] = integer(key);
    }
    done = done && sort_by(cx, items, keys, n, false);
    for (u64 k = 0; k < n && done;) {
        u64 end = k + 1;
        while (end < n && keys[end].num == keys[k].num) end++;
        if (end - k > 1) done = sort_by(cx, items + k, items + k, end - k, false);
        k = end;
    }
    cx.arena.top = mark;
    return done;
}

constexpr u64 MANY_ELEMENTS = 32;  // of a set of patches: beyond, it is worth to look for repeated ones, and for keys

// The set of n items, which are no mask, in place.
VM_FN Value ordered_set(Context& cx, Seq* seq) {
    const u64 n = seq->n;
    u64 ascending = 1;  // most sets are made of elements in order
    while (ascending < n && compare(cx, seq->items[ascending - 1], seq->items[ascending]) < 0) ascending++;
    if (ascending == n) return of_seq(SET, seq);
    if (order_cells(cx, seq)) return of_seq(SET, seq);
    if (n > MANY_ELEMENTS && is_set(seq->items[0]) && drop_repeated_patches(cx, seq) && order_patches(cx, seq)) {
        return of_seq(SET, seq);
    }
    if (!sort_by(cx, seq->items, seq->items, seq->n, false)) return unhandled(R_ARENA);
    u64 kept = 1;
    for (u64 k = 1; k < seq->n; k++) {
        if (compare(cx, seq->items[k], seq->items[kept - 1]) != 0) seq->items[kept++] = seq->items[k];
    }
    seq->n = kept;
    return of_seq(SET, seq);
}

// The set of n items, which are put in order in place; `seq` is theirs. Together.
VM_FN Value make_set(Context& cx, Seq* seq) {
    const u64 n = seq->n;
    if (!n) return empty_set();
    for (u64 k = lane_of(cx); k < n; k += lanes_of(cx)) {
        const u8 form = seq->items[k].tag;
        if (form == ROW || form == TUPLE) seq->items[k] = smallest_form(seq->items[k]);
    }
    sync(cx);
    const u8 tag = seq->items[0].tag;
    if (tag == PAIR || tag == CELL) {
        u8* mark = cx.arena.top;
        const Patch* p = nullptr;
        const Form form = patch_of_items(cx, seq->items, n, p);
        if (form == IS_PATCH) return of_patch(p);
        if (form == NO_MEMORY) return unhandled(R_ARENA);
        cx.arena.top = mark;
    }
    return alone(cx, [&](Context& own) { return ordered_set(own, seq); });
}

// Put the cells of a patch into `out`, in canonical order; the quick way to walk all of them.
VM_FN void write_cells(const Patch& p, Value* out) {
    const bool many = p.object && p.colour == MANY_COLOURS;
    if (!many) {
        for_each_bit(p, [&](u32 r, u32 k) {
            const i32 i = p.top + static_cast<i32>(r), j = p.left + static_cast<i32>(k);
            *out++ = p.object ? cell_of(p.colour, i, j) : pair_of(i, j);
        });
        return;
    }
    u32 next[256];  // where the next cell of a colour goes
    memset(next, 0, sizeof(next));
    i32 low = GREATEST_BYTE, high = LEAST_BYTE;
    for_each_bit(p, [&](u32 r, u32 k) {
        const i32 c = p.plane[r * p.w + k];
        next[c - INT8_MIN]++;
        low = least_of(low, c);
        high = greatest_of(high, c);
    });
    u32 before = 0;
    for (i32 c = low; c <= high; c++) {
        const u32 cells = next[c - INT8_MIN];
        next[c - INT8_MIN] = before;
        before += cells;
    }
    for_each_bit(p, [&](u32 r, u32 k) {
        const i32 c = p.plane[r * p.w + k];
        out[next[c - INT8_MIN]++] = cell_of(c, p.top + static_cast<i32>(r), p.left + static_cast<i32>(k));
    });
}

// Put the elements of a container, in order, into `out`.
VM_FN void write_items(const Value& v, Value* out) {
    const u64 n = length(v);
    if (v.tag == PATCH) {
        write_cells(*v.patch, out);
    } else if (v.tag == TUPLE || v.tag == SET) {
        if (n) copy_memory(out, v.seq->items, n * sizeof(Value));
    } else {
        for (u64 k = 0; k < n; k++) out[k] = tuple_item(v, k);
    }
}

// The elements of a container in order (of a set the canonical one) as an array; null without memory or elements:
// ask length() first.
VM_FN const Value* items_of(Context& cx, const Value& v) {
    if (v.tag == TUPLE || v.tag == SET) return v.seq ? v.seq->items : nullptr;
    Value* items = allocate_array<Value>(cx, length(v));
    if (items) write_items(v, items);
    return items;
}

// Whether x is an element of a container.
VM_FN bool contains(Context& cx, const Value& container, const Value& x) {
    if (container.tag == PATCH) {
        const Patch& p = *container.patch;
        const Value cell = smallest_form(x);
        if (cell.tag != (p.object ? CELL : PAIR)) return false;
        const i64 r = static_cast<i64>(cell.at.i) - p.top, k = static_cast<i64>(cell.at.j) - p.left;
        if (r < 0 || k < 0 || r >= p.h || k >= p.w || !has(p, static_cast<u32>(r), static_cast<u32>(k))) return false;
        return !p.object || colour_at(p, static_cast<u32>(r), static_cast<u32>(k)) == cell.extra;
    }
    const u64 n = length(container);
    if (container.tag == SET) {
        u64 low = 0, high = n;
        while (low < high) {
            const u64 middle = (low + high) / 2;
            const int c = compare(cx, container.seq->items[middle], x);
            if (c == 0) return true;
            if (c < 0) low = middle + 1; else high = middle;
        }
        return false;
    }
    for (u64 k = 0; k < n; k++) {
        if (equal(cx, tuple_item(container, k), x)) return true;
    }
    return false;
}

}  // namespace vm
