// Family "colours": operations on the colours and on the sizes of grids and patches.
#pragma once

#include "ops_patches.h"

namespace vm {

// ---- how often there is which colour

// How many cells there are of each byte. Two counters each, taken in turn: equal neighbours, which are many, would
// otherwise wait for each other.
struct ColourCounts {
    u16 of[2][256];
    u32 cells;

    VM_FN_MEMBER void clear() {
        memset(of, 0, sizeof(of));
        cells = 0;
    }
    VM_FN_MEMBER void add(i8 colour) { of[cells++ & 1][static_cast<u8>(colour)]++; }
    VM_FN_MEMBER u32 count(i32 colour) const {
        const u8 k = static_cast<u8>(colour);
        return static_cast<u32>(of[0][k]) + of[1][k];
    }
};

constexpr u64 MOST_COUNTED = 0xFFFF;  // cells that ColourCounts can count

// The colour that most, or that fewest cells have, the least of several.
VM_FN i32 colour_by_count(const ColourCounts& counts, bool fewest) {
    u32 seen = 0, best = 0;
    i32 found = 0;
    for (i32 c = 0; c <= GREATEST_BYTE && seen < counts.cells; c++) {
        const u32 n = counts.count(c);
        if (n && (!seen || (fewest ? n < best : n > best))) {
            best = n;
            found = c;
        }
        seen += n;
    }
    for (i32 c = -1; c >= LEAST_BYTE && seen < counts.cells; c--) {  // these are less, and win where as many
        const u32 n = counts.count(c);
        if (n && (!seen || (fewest ? n <= best : n >= best))) {
            best = n;
            found = c;
        }
        seen += n;
    }
    return found;
}

// Whether v is a grid or an object whose colours are bytes: the grid, or the object.
VM_FN bool as_bytes(Context& cx, const Value& v, const Grid*& g, const Patch*& p) {
    g = nullptr;
    p = nullptr;
    if (v.tag == PATCH) {
        p = v.patch;
        return p->object;
    }
    return (v.tag == GRID || v.tag == TUPLE) && as_grid(cx, v, g) == IS_PATCH;
}

// The colours of all cells of an element in any form, in no particular order, with indices' rows for colours and a
// tuple's elements for rows, as the reference has it. Bad where that raises; else a tuple.
VM_FN Value list_colours(Context& cx, const Value& element) {
    if (!is_container(element)) return fail();
    const u64 n = length(element);
    if (!n) return empty_tuple();
    const Value* items = items_of(cx, element);
    if (!items) return unhandled(R_ARENA);
    const bool chain = is_tuple(element);
    u64 total = 0;
    for (u64 k = 0; k < n; k++) {
        if (chain ? !is_container(items[k]) : !is_tuple(items[k]) || !length(items[k])) return fail();
        total += chain ? length(items[k]) : 1;
    }
    Seq* seq = new_seq(cx, total);
    if (!seq) return unhandled(R_ARENA);
    u64 at = 0;
    for (u64 k = 0; k < n; k++) {
        if (!chain) {
            seq->items[at++] = tuple_item(items[k], 0);
            continue;
        }
        write_items(items[k], seq->items + at);
        at += length(items[k]);
    }
    return of_seq(TUPLE, total ? seq : nullptr);
}

// The value that stands most, or fewest times in a tuple, the least of several.
VM_FN Value value_by_count(Context& cx, const Value& tuple, bool fewest) {
    const u64 n = length(tuple);
    if (!n) return fail();
    Value* items = allocate_array<Value>(cx, n);
    if (!items) return unhandled(R_ARENA);
    write_items(tuple, items);
    if (!sort_by(cx, items, items, n, false)) return unhandled(R_ARENA);
    u64 best = 0, found = 0;
    for (u64 k = 0, end; k < n; k = end) {
        end = k + 1;
        while (end < n && equal(cx, items[k], items[end])) end++;
        if (!k || (fewest ? end - k < best : end - k > best)) {
            best = end - k;
            found = k;
        }
    }
    return items[found];
}

VM_FN Value common_colour_alone(Context& cx, const Value& element, bool fewest) {
    const Grid* g;
    const Patch* p;
    ColourCounts counts;
    if (as_bytes(cx, element, g, p)) {
        if (p && p->colour != MANY_COLOURS) return integer(p->colour);
        const u64 n = g ? static_cast<u64>(g->h) * g->w : p->count;
        if (g && !fewest) return integer(most_colour(cx, *g));
        if (n <= MOST_COUNTED) {
            counts.clear();
            if (g) {
                for (u64 k = 0; k < n; k++) counts.add(g->data[k]);
            } else {
                for_each_bit(*p, [&](u32 r, u32 k) { counts.add(p->plane[r * p->w + k]); });
            }
            return integer(colour_by_count(counts, fewest));
        }
    }
    const Value colours = list_colours(cx, element);
    return is_bad(colours) ? colours : value_by_count(cx, colours, fewest);
}

// The colour that fewest of n bytes have, the least of several, together.
VM_FN i32 fewest_colour(Context& cx, const i8* bytes, u64 n) {
    u64 fewest = UINT64_MAX;
    i32 found = 0;
    for_each_colour(colours_of_bytes(cx, bytes, n), [&](i32 colour) {
        const u64 count = count_colour(cx, bytes, n, colour);
        if (count >= fewest) return;
        fewest = count;
        found = colour;
    });
    return found;
}

VM_FN Value common_colour(Context& cx, const Value& element, bool fewest) {
    if (lanes_of(cx) > 1) {
        if (element.tag != GRID) return alone(cx, [&](Context& own) { return common_colour_alone(own, element, fewest); });
        const Grid& g = *element.grid;
        const u64 n = static_cast<u64>(g.h) * g.w;
        return integer(fewest ? fewest_colour(cx, g.data, n) : most_colour(cx, g.data, n));
    }
    return common_colour_alone(cx, element, fewest);
}

VM_INLINE Value op_mostcolor(Context& cx, const Value& element) { return common_colour(cx, element, false); }
VM_INLINE Value op_leastcolor(Context& cx, const Value& element) { return common_colour(cx, element, true); }

// ---- which colours there are

VM_FN u32 count_of(const Colours& colours) {
    return count_bits(colours.bits[0]) + count_bits(colours.bits[1]) + count_bits(colours.bits[2]) +
           count_bits(colours.bits[3]);
}

// The set of the colours of an element in any form.
VM_FN Value set_of_colours(Context& cx, const Value& element) {
    const Value colours = list_colours(cx, element);
    if (is_bad(colours)) return colours;
    Seq* seq = new_seq(cx, length(colours));
    if (!seq) return unhandled(R_ARENA);
    write_items(colours, seq->items);
    return make_set(cx, seq);
}

VM_FN Colours colours_of(Context& cx, const Grid* g, const Patch* p) {
    return g ? colours_of_bytes(cx, g->data, static_cast<u64>(g->h) * g->w) : colours_of_object(*p);
}

VM_FN Value palette_of(Context& cx, const Value& element) {
    const Grid* g;
    const Patch* p;
    if (!as_bytes(cx, element, g, p)) return set_of_colours(cx, element);
    const Colours colours = colours_of(cx, g, p);
    Seq* seq = new_seq(cx, count_of(colours));
    if (!seq) return unhandled(R_ARENA);
    Value* next = seq->items;
    if (leads(cx)) for_each_colour(colours, [&](i32 colour) { *next++ = integer(colour); });
    sync(cx);
    return of_seq(SET, seq);
}

VM_FN Value op_palette(Context& cx, const Value& element) {
    return shared_if(cx, element.tag == GRID, [&](Context& own) { return palette_of(own, element); });
}

VM_FN Value number_of_colours(Context& cx, const Value& element) {
    const Grid* g;
    const Patch* p;
    if (as_bytes(cx, element, g, p)) return integer(count_of(colours_of(cx, g, p)));
    const Value colours = set_of_colours(cx, element);
    return is_bad(colours) ? colours : integer(static_cast<i64>(length(colours)));
}

VM_FN Value op_numcolors(Context& cx, const Value& element) {
    return shared_if(cx, element.tag == GRID, [&](Context& own) { return number_of_colours(own, element); });
}

VM_FN i32 least_colour(const Patch& p) {
    if (p.colour != MANY_COLOURS) return p.colour;
    i32 least = GREATEST_BYTE;
    for_each_bit(p, [&](u32 r, u32 k) { least = least_of<i32>(least, p.plane[r * p.w + k]); });
    return least;
}

VM_FN Value op_color(Context&, const Value& obj) {
    if (obj.tag == PATCH) return integer(obj.patch->object ? least_colour(*obj.patch) : obj.patch->top);
    if (!is_container(obj) || !length(obj)) return fail();
    // Of a set in canonical order the first element has the least colour; what is no tuple stands first or last.
    const Value first = is_tuple(obj) ? tuple_item(obj, 0) : obj.seq->items[0];
    if (!is_tuple(first) || !length(first)) return fail();
    if (obj.tag == SET && !is_tuple(obj.seq->items[obj.seq->n - 1])) return fail();
    return tuple_item(first, 0);
}

VM_FN Value colorcount(Context& cx, const Value& element, const Value& value) {
    const bool byte = is_int(value) && is_byte(value.num);
    const i32 colour = byte ? static_cast<i32>(value.num) : MANY_COLOURS;
    u64 count = 0;
    if (element.tag == GRID) {
        const Grid& g = *element.grid;
        return integer(byte ? static_cast<i64>(count_colour(cx, g.data, static_cast<u64>(g.h) * g.w, colour)) : 0);
    }
    if (element.tag == PATCH && element.patch->object) {
        const Patch& p = *element.patch;
        if (!byte) return integer(0);
        if (p.colour != MANY_COLOURS) return integer(p.colour == colour ? p.count : 0);
        for_each_bit(p, [&](u32 r, u32 k) { count += p.plane[r * p.w + k] == colour; });
        return integer(static_cast<i64>(count));
    }
    if (is_tuple(element)) {  // whose rows have to be tuples here
        for (u64 k = 0; k < length(element); k++) {
            if (!is_tuple(tuple_item(element, k))) return fail();
        }
    }
    const Value colours = list_colours(cx, element);
    if (is_bad(colours)) return colours;
    for (u64 k = 0; k < length(colours); k++) count += equal(cx, tuple_item(colours, k), value);
    return integer(static_cast<i64>(count));
}

VM_FN Value op_colorcount(Context& cx, const Value& element, const Value& value) {
    return shared_if(cx, element.tag == GRID, [&](Context& own) { return colorcount(own, element, value); });
}

VM_FN Value op_colorfilter(Context& cx, const Value& objs, const Value& value) {
    if (!is_container(objs)) return fail();
    const u64 n = length(objs);
    if (!n) return empty_set();
    if (objs.tag != TUPLE && objs.tag != SET) return fail();  // its elements hold nothing that has colours
    Seq* seq = new_seq(cx, n);
    if (!seq) return unhandled(R_ARENA);
    u64 kept = 0;
    for (u64 k = 0; k < n; k++) {
        const Value& obj = objs.seq->items[k];
        if (obj.tag == PATCH && obj.patch->object && obj.patch->colour != MANY_COLOURS && is_int(value)) {
            if (obj.patch->colour == value.num) seq->items[kept++] = obj;
            continue;
        }
        const Value colour = op_color(cx, obj);
        if (is_bad(colour)) return colour;
        if (equal(cx, colour, value)) seq->items[kept++] = obj;
    }
    seq->n = kept;
    if (objs.tag == TUPLE) return make_set(cx, seq);
    return kept == n ? objs : of_seq(SET, kept ? seq : nullptr);
}

// ---- sizes

// (height, width) as far as they can be told: IS_PATCH; else why not. Of an empty value both are 0.
VM_FN Form height_of(Context& cx, const Value& piece, i64& h) {
    h = 0;
    if (is_tuple(piece)) {
        h = static_cast<i64>(length(piece));
        return IS_PATCH;
    }
    Extent e;
    const Form form = bounds_of(cx, piece, e);
    if (form == IS_EMPTY) return IS_PATCH;
    if (form == IS_PATCH) h = e.bottom - e.top + 1;
    return form;
}

VM_FN Form width_of(Context& cx, const Value& piece, i64& w) {
    w = 0;
    if (is_tuple(piece)) {
        if (!length(piece)) return IS_PATCH;
        const Value row = tuple_item(piece, 0);
        if (!is_container(row)) return IS_WRONG;
        w = static_cast<i64>(length(row));
        return IS_PATCH;
    }
    Extent e;
    const Form form = bounds_of(cx, piece, e);
    if (form == IS_EMPTY) return IS_PATCH;
    if (form == IS_PATCH) w = e.right - e.left + 1;
    return form;
}

VM_FN Form shape_of(Context& cx, const Value& piece, i64& h, i64& w) {
    if (piece.tag == PATCH) {
        h = piece.patch->h;
        w = piece.patch->w;
        return IS_PATCH;
    }
    const Form form = height_of(cx, piece, h);
    return form == IS_PATCH ? width_of(cx, piece, w) : form;
}

VM_FN Value op_height(Context& cx, const Value& piece) {
    i64 h;
    const Form form = height_of(cx, piece, h);
    return form == IS_PATCH ? integer(h) : refuse(form);
}

VM_FN Value op_width(Context& cx, const Value& piece) {
    i64 w;
    const Form form = width_of(cx, piece, w);
    return form == IS_PATCH ? integer(w) : refuse(form);
}

VM_FN Value op_shape(Context& cx, const Value& piece) {
    i64 h, w;
    const Form form = shape_of(cx, piece, h, w);
    return form == IS_PATCH ? location(cx, h, w) : refuse(form);
}

VM_FN Value op_portrait(Context& cx, const Value& piece) {
    i64 h, w;
    const Form form = shape_of(cx, piece, h, w);
    return form == IS_PATCH ? boolean(h > w) : refuse(form);
}

VM_FN Value op_square(Context& cx, const Value& piece) {
    i64 h, w;
    const Form form = shape_of(cx, piece, h, w);
    if (form != IS_PATCH) return refuse(form);
    if (is_tuple(piece)) return h ? boolean(h == w) : fail();
    return boolean(h == w && h * w == static_cast<i64>(length(piece)));
}

VM_FN Value op_vline(Context& cx, const Value& patch) {
    i64 h, w;
    const Form form = shape_of(cx, patch, h, w);
    return form == IS_PATCH ? boolean(w == 1 && h == static_cast<i64>(length(patch))) : refuse(form);
}

VM_FN Value op_hline(Context& cx, const Value& patch) {
    i64 h, w;
    const Form form = shape_of(cx, patch, h, w);
    return form == IS_PATCH ? boolean(h == 1 && w == static_cast<i64>(length(patch))) : refuse(form);
}

}  // namespace vm
