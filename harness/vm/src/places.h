// Whatever a program may take for a patch, element by element: what is no mask (a location with two colours, cells far
// apart, colours that are no bytes), tuples, and what the reference refuses.
#pragma once

#include "masks.h"

namespace vm {

enum Kind : u8 {
    AN_INDEX,  // (i, j)
    A_CELL,    // (anything, (i, j))
    A_ROW,     // three integers or more: has an element 1, so that it counts as an index, but is no pair
    A_WRONG,   // has no element 1
    A_SET,     // has no element 1 either, but a set of two unpacks, in any order
    AN_ODD,    // anything else
};

// An element of a patch.
struct Place {
    Value colour;  // of a cell
    i32 i, j;
    Kind kind;
};

VM_INLINE Place index_place(i32 i, i32 j) { return Place{none(), i, j, AN_INDEX}; }
VM_INLINE Place no_place(Kind kind) { return Place{none(), 0, 0, kind}; }

VM_FN Place place_of(const Value& item) {
    if (item.tag == PAIR) return index_place(item.at.i, item.at.j);
    if (item.tag == CELL) return Place{integer(item.extra), item.at.i, item.at.j, A_CELL};
    if (is_set(item)) return no_place(A_SET);
    if (!is_tuple(item)) return no_place(A_WRONG);
    const u64 n = length(item);
    if (n < 2) return no_place(A_WRONG);
    const Value second = tuple_item(item, 1);
    i32 i, j;
    if (n == 2) {
        if (get_pair(item, i, j)) return index_place(i, j);
        if (get_pair(second, i, j)) return Place{tuple_item(item, 0), i, j, A_CELL};
        return no_place(AN_ODD);
    }
    return no_place(is_int(second) ? A_ROW : AN_ODD);
}

// The elements of a patch in any form, in order.
struct Places {
    Form form;   // IS_PATCH if all of them are indices, or all of them cells
    bool object;
    bool rows;   // some of them are rows (form is IS_UNKNOWN): what unpacks them raises
    bool mixed;  // indices and cells (form is IS_WRONG)
    const Value* items;
    u64 n;
};

VM_FN Places places_of(Context& cx, const Value& v) {
    Places places{IS_WRONG, false, false, false, nullptr, 0};
    if (!is_container(v)) return places;
    places.n = length(v);
    if (!places.n) {
        places.form = IS_EMPTY;
        return places;
    }
    places.items = items_of(cx, v);
    if (!places.items) {
        places.form = NO_MEMORY;
        return places;
    }
    const u8 tag = places.items[0].tag;
    u64 alike = 0;
    while (alike < places.n && places.items[alike].tag == tag) alike++;
    if (alike == places.n && (tag == PAIR || tag == CELL)) {  // nearly always
        places.form = IS_PATCH;
        places.object = tag == CELL;
        return places;
    }
    u64 of_kind[AN_ODD + 1] = {0, 0, 0, 0, 0, 0};
    for (u64 k = 0; k < places.n; k++) of_kind[place_of(places.items[k]).kind]++;
    places.object = of_kind[A_CELL] != 0;
    const Kind first = place_of(places.items[0]).kind;
    if (of_kind[A_WRONG] || first == A_SET) return places;
    if (of_kind[A_SET] || of_kind[AN_ODD]) {
        places.form = IS_UNKNOWN;
    } else if (places.object && of_kind[A_CELL] != places.n) {
        places.mixed = true;
    } else if (of_kind[A_ROW]) {
        places.rows = true;
        places.form = IS_UNKNOWN;
    } else {
        places.form = IS_PATCH;
    }
    return places;
}

// places_of for an operation that unpacks every location: rows are wrong there.
VM_FN Places pairs_of(Context& cx, const Value& v) {
    Places places = places_of(cx, v);
    if (places.rows) places.form = IS_WRONG;
    return places;
}

// The frozenset of the locations of a patch, as a PATCH if it is a mask.
VM_FN Value set_of_locations(Context& cx, const Places& places) {
    Seq* seq = new_seq(cx, places.n);
    if (!seq) return unhandled(R_ARENA);
    for (u64 k = 0; k < places.n; k++) {
        const Value& item = places.items[k];
        if (item.tag == CELL) {
            seq->items[k] = pair_of(item.at.i, item.at.j);
        } else {
            const Place place = place_of(item);
            seq->items[k] = pair_of(place.i, place.j);
        }
    }
    return make_set(cx, seq);
}

// Where a patch is, its colours aside, as a mask. IS_UNKNOWN also where it spans too much for one.
VM_FN Form as_mask(Context& cx, const Value& v, const Patch*& p) {
    if (v.tag == PATCH) {
        p = v.patch;
        return IS_PATCH;
    }
    const Places places = pairs_of(cx, v);
    if (places.form != IS_PATCH) return places.form;
    const Value locations = set_of_locations(cx, places);
    if (is_bad(locations)) return NO_MEMORY;
    if (locations.tag != PATCH) return IS_UNKNOWN;
    p = locations.patch;
    return IS_PATCH;
}

// The bounding box of a patch in any form.
VM_FN Form bounds_of(Context& cx, const Value& v, Extent& e) {
    if (v.tag == PATCH) {
        e = extent_of(*v.patch);
        return IS_PATCH;
    }
    const Places places = pairs_of(cx, v);
    if (places.form != IS_PATCH) return places.form;
    e = Extent{INT32_MAX, INT32_MAX, INT32_MIN, INT32_MIN};
    for (u64 k = 0; k < places.n; k++) {
        const Place place = place_of(places.items[k]);
        e.top = least_of<i64>(e.top, place.i);
        e.left = least_of<i64>(e.left, place.j);
        e.bottom = greatest_of<i64>(e.bottom, place.i);
        e.right = greatest_of<i64>(e.right, place.j);
    }
    return IS_PATCH;
}

// Whether a mask can span a box.
VM_FN bool is_maskable(const Extent& e) {
    return is_small(e.top) && is_small(e.left) && is_small(e.bottom) && is_small(e.right) && fits_mask(e);
}

// A tight mask of zeros for indices, whose rows the caller fills; null without memory. The box must be maskable.
VM_FN Patch* new_indices(Context& cx, const Extent& e, u64*& rows) {
    const u32 h = static_cast<u32>(e.bottom - e.top + 1), w = static_cast<u32>(e.right - e.left + 1);
    const u32 words = (w + 63) / 64;
    const u64 bytes = sizeof(u64) * h * words;
    static_assert(sizeof(Patch) % sizeof(u64) == 0, "the rows follow behind the patch");
    u8* memory = static_cast<u8*>(allocate(cx, sizeof(Patch) + bytes));
    if (!memory) return nullptr;
    rows = reinterpret_cast<u64*>(memory + sizeof(Patch));
    clear_together(cx, rows, static_cast<u64>(h) * words);
    Patch* p = reinterpret_cast<Patch*>(memory);
    if (leads(cx)) *p = Patch{static_cast<i32>(e.top), static_cast<i32>(e.left), h, w, words, 0, false, 0, rows, nullptr};
    sync(cx);
    return p;
}

// Set the first w bits of a row.
VM_FN void fill_bits(u64* row, u32 w) {
    u32 word = 0;
    for (; w >= 64; w -= 64) row[word++] = ~static_cast<u64>(0);
    if (w) row[word] = (static_cast<u64>(1) << w) - 1;
}

VM_INLINE void set_bit(u64* row, u32 k) { row[k >> 6] |= static_cast<u64>(1) << (k & 63); }

// All indices of a box.
VM_FN Value rectangle(Context& cx, const Extent& e) {
    if (!is_maskable(e)) return unhandled(R_FORM);
    u64* rows;
    Patch* p = new_indices(cx, e, rows);
    if (!p) return unhandled(R_ARENA);
    if (leads(cx)) p->count = p->h * p->w;
    for (u32 r = lane_of(cx); r < p->h; r += lanes_of(cx)) fill_bits(rows + r * p->words, p->w);
    sync(cx);
    return of_patch(p);
}

// The rim of a box.
VM_FN Value outline(Context& cx, const Extent& e) {
    if (!is_maskable(e)) return unhandled(R_FORM);
    u64* rows;
    Patch* p = new_indices(cx, e, rows);
    if (!p) return unhandled(R_ARENA);
    const u32 last = p->h - 1;
    for (u32 r = 1 + lane_of(cx); r < last; r += lanes_of(cx)) {
        set_bit(rows + r * p->words, 0);
        set_bit(rows + r * p->words, p->w - 1);
    }
    if (leads(cx)) {
        fill_bits(rows, p->w);
        fill_bits(rows + last * p->words, p->w);
        p->count = p->h == 1 ? p->w : p->w == 1 ? p->h : 2 * (p->h + p->w) - 4;
    }
    sync(cx);
    return of_patch(p);
}

// How two masks lie to each other, the first moved by (di, dj).
enum Contact : u8 { APART, TOUCHING, OVERLAPPING };

VM_FN Contact contact(const Patch& a, i64 di, i64 dj, const Patch& b) {
    const i64 top = a.top + di - b.top, left = a.left + dj - b.left;  // of a, as rows and columns of b
    if (left > b.w || left + a.w < 0) return APART;
    const i64 from = greatest_of<i64>(top - 1, 0), to = least_of<i64>(top + a.h, static_cast<i64>(b.h) - 1);
    u64 touching = 0;
    for (i64 r = from; r <= to; r++) {
        const i64 k = r - top;  // -1 to a.h: the row of a beside which row r of b lies
        const u32 row = static_cast<u32>(k);
        for (u32 word = 0; word < b.words; word++) {
            const u64 bits = b.rows[static_cast<u64>(r) * b.words + word];
            if (!bits) continue;
            const i64 at = static_cast<i64>(word) * 64 - left;
            u64 near = 0;
            if (k >= 0 && k < a.h) {
                if (bits & window(a, row, at)) return OVERLAPPING;
                near = window(a, row, at - 1) | window(a, row, at + 1);
            }
            if (k > 0) near |= window(a, row - 1, at);
            if (k + 1 < a.h) near |= window(a, row + 1, at);
            touching |= bits & near;
        }
    }
    return touching ? TOUCHING : APART;
}

}  // namespace vm
