// Primitives on containers that take no function; those that do are loops (loops.h).
#pragma once

#include "masks.h"
#include "ops_numbers.h"

namespace vm {

constexpr u64 FEW = 12;  // elements up to which comparing each with each is quickest

// Whether n values are all rows of one length, which a grid can be made of.
VM_FN bool are_grid_rows(const Value* items, u64 n) {
    if (!n || n > MOST_SIDE || items[0].tag != ROW || items[0].extra > static_cast<i32>(MOST_SIDE)) return false;
    for (u64 k = 1; k < n; k++) {
        if (items[k].tag != ROW || items[k].extra != items[0].extra) return false;
    }
    return true;
}

// The tuple of n values, in a small form. They are copied.
VM_FN Value tuple_of(Context& cx, const Value* items, u64 n) {
    if (!n) return empty_tuple();
    if (are_grid_rows(items, n)) {
        const u64 w = static_cast<u64>(items[0].extra);
        Grid* g = new_grid(cx, static_cast<u32>(n), static_cast<u32>(w));
        if (!g) return unhandled(R_ARENA);
        for (u64 k = 0; k < n; k++) copy_memory(g->data + k * w, items[k].bytes, w);
        return of_grid(g);
    }
    if (n == 2) return make_pair(cx, items[0], items[1]);
    Seq* seq = new_seq(cx, n);
    if (!seq) return unhandled(R_ARENA);
    copy_memory(seq->items, items, n * sizeof(Value));
    return of_seq(TUPLE, seq);
}

// The set of n values. They are copied.
VM_FN Value set_of(Context& cx, const Value* items, u64 n) {
    if (!n) return empty_set();
    u8* mark = cx.arena.top;
    const Patch* p = nullptr;
    const Form form = patch_of_items(cx, items, n, p);
    if (form == IS_PATCH) return of_patch(p);
    cx.arena.top = mark;
    Seq* seq = form == IS_UNKNOWN ? new_seq(cx, n) : nullptr;
    if (!seq) return unhandled(R_ARENA);
    copy_memory(seq->items, items, n * sizeof(Value));
    return make_set(cx, seq);
}

// The elements of a container in order; false without memory, and null where there are none.
VM_FN bool get_items(Context& cx, const Value& container, const Value*& items) {
    items = items_of(cx, container);
    return items || !length(container);
}

// A sequence of the elements of n containers, one after the other; null without memory.
VM_FN Seq* join(Context& cx, const Value* parts, u64 n, u64 total) {
    Seq* seq = has_room(cx, total, sizeof(Value)) ? new_seq(cx, total) : nullptr;
    Value* out = seq ? seq->items : nullptr;
    for (u64 k = 0; seq && k < n; k++) {
        write_items(parts[k], out);
        out += length(parts[k]);
    }
    return seq;
}

// The tuple of the elements of n rows, or of n grids of one width, as bytes.
VM_FN Value join_bytes(Context& cx, const Value* parts, u64 n, u64 total) {
    const bool grids = parts[0].tag == GRID;
    const u64 w = grids ? parts[0].grid->w : 1;
    Grid* g = new_grid(cx, static_cast<u32>(total), static_cast<u32>(w));  // of rows: only its bytes are used
    if (!g) return unhandled(R_ARENA);
    i8* out = g->data;
    for (u64 k = 0; k < n; k++) {
        const u64 bytes = length(parts[k]) * w;
        copy_memory(out, grids ? parts[k].grid->data : parts[k].bytes, bytes);
        out += bytes;
    }
    return grids ? of_grid(g) : make_row(g->data, total);
}

VM_FN bool are_bytes(const Value* parts, u64 n) {
    for (u64 k = 0; k < n; k++) {
        if (parts[k].tag != parts[0].tag) return false;
        if (parts[k].tag == GRID && parts[k].grid->w != parts[0].grid->w) return false;
    }
    return n && (parts[0].tag == ROW || parts[0].tag == GRID);
}

// The elements of n values as a tuple; FAIL unless they are all containers.
VM_FN Value merged_tuple(Context& cx, const Value* parts, u64 n) {
    u64 total = 0;
    for (u64 k = 0; k < n; k++) {
        if (!is_container(parts[k])) return fail();
        total += length(parts[k]);
    }
    if (!total) return empty_tuple();
    if (are_bytes(parts, n) && total <= (parts[0].tag == GRID ? MOST_SIDE : INT32_MAX)) {
        return join_bytes(cx, parts, n, total);
    }
    Seq* seq = join(cx, parts, n, total);
    if (!seq) return unhandled(R_ARENA);
    return are_grid_rows(seq->items, total) ? tuple_of(cx, seq->items, total) : make_tuple(cx, seq);
}

// The elements of n values, which are not all patches that make one, as a set; FAIL unless they are all containers.
VM_FN Value merged_set_of_any(Context& cx, const Value* parts, u64 n) {
    u64 total = 0;
    bool patches = true;
    for (u64 k = 0; k < n; k++) {
        if (!is_container(parts[k])) return fail();
        total += length(parts[k]);
        patches &= parts[k].tag == PATCH || !length(parts[k]);
    }
    if (patches) {
        u8* mark = cx.arena.top;
        Value result;
        if (cells_of_objects(cx, parts, n, result) == IS_PATCH) return result;
        cx.arena.top = mark;
    }
    Seq* seq = join(cx, parts, n, total);
    return seq ? make_set(cx, seq) : unhandled(R_ARENA);
}

// The elements of n values as a set, together; FAIL unless they are all containers.
VM_FN Value merged_set(Context& cx, const Value* parts, u64 n) {
    u8* mark = cx.arena.top;
    Value result;
    const Form form = union_of_patches(cx, parts, n, result);
    if (form == IS_PATCH) return result;
    if (form == IS_EMPTY) return empty_set();
    if (form == NO_MEMORY) return unhandled(R_ARENA);
    cx.arena.top = mark;
    return alone(cx, [&](Context& own) { return merged_set_of_any(own, parts, n); });
}

VM_FN Value merged(Context& cx, const Value& containers) {
    if (!is_container(containers)) return fail();
    if (containers.tag == GRID) {  // its rows stand one behind the other already
        const Grid& g = *containers.grid;
        return make_row(g.data, static_cast<u64>(g.h) * g.w);
    }
    const Value* parts;
    if (!get_items(cx, containers, parts)) return unhandled(R_ARENA);
    const u64 n = length(containers);
    return is_tuple(containers) ? merged_tuple(cx, parts, n) : merged_set(cx, parts, n);
}

VM_FN Value op_merge(Context& cx, const Value& containers) {
    if (containers.tag == SET && containers.seq) return merged_set(cx, containers.seq->items, containers.seq->n);
    return alone(cx, [&](Context& own) { return merged(own, containers); });
}

VM_FN Value op_combine(Context& cx, const Value& a, const Value& b) {
    if (!is_container(a) || !is_container(b)) return fail();
    if (!length(b)) return a;
    if (!length(a) && is_tuple(a) == is_tuple(b)) return b;
    const Value parts[2] = {a, b};
    if (is_set(a)) return merged_set(cx, parts, 2);
    return alone(cx, [&](Context& own) { return merged_tuple(own, parts, 2); });
}

VM_FN Value op_contained(Context& cx, const Value& value, const Value& container) {
    return is_container(container) ? boolean(contains(cx, container, value)) : fail();
}

VM_FN Value op_size(Context&, const Value& container) {
    return is_container(container) ? integer(static_cast<i64>(length(container))) : fail();
}

VM_FN Value op_totuple(Context& cx, const Value& container) {
    if (is_tuple(container)) return container;
    if (!is_set(container)) return fail();
    const u64 n = length(container);
    if (container.tag == SET && n != 2) return of_seq(TUPLE, container.seq);  // it is in order
    Seq* seq = join(cx, &container, 1, n);
    return seq ? make_tuple(cx, seq) : unhandled(R_ARENA);
}

// The container of one kind of the first n items of `seq`, of a set in order.
VM_FN Value shrunk(Context& cx, bool is_a_tuple, Seq* seq, u64 n) {
    seq->n = n;
    if (!n) return is_a_tuple ? empty_tuple() : empty_set();
    const u8 tag = seq->items[0].tag;
    if (is_a_tuple) return tag == ROW ? tuple_of(cx, seq->items, n) : make_tuple(cx, seq);
    return tag == PAIR || tag == CELL ? make_set(cx, seq) : of_seq(SET, seq);
}

// The elements of a container for which keep(k) holds, as one of the same kind; `items` are its elements in order.
template <class F>
VM_INLINE Value kept_items(Context& cx, const Value& container, const Value* items, F keep) {
    if (container.tag == PATCH) return kept_cells(cx, *container.patch, items, keep);
    const u64 n = length(container);
    Seq* seq = new_seq(cx, n);
    if (!seq) return unhandled(R_ARENA);
    u64 count = 0;
    for (u64 k = 0; k < n; k++) {
        if (keep(k)) seq->items[count++] = items[k];
    }
    return count == n ? container : shrunk(cx, is_tuple(container), seq, count);
}

// Give a tuple that elements are looked for in often the form of a set, in which they are found quicker.
VM_FN bool make_searchable(Context& cx, const Value& container, Value& searchable) {
    searchable = container;
    if (!is_tuple(container) || length(container) <= FEW) return true;
    Seq* seq = join(cx, &container, 1, length(container));
    if (seq) searchable = make_set(cx, seq);
    return seq && !is_bad(searchable);
}

// The elements of a that are (keep_common) or are not in b, one after the other.
VM_FN Value part_of_any(Context& cx, const Value& a, const Value& b, bool keep_common) {
    if (!length(b)) return keep_common ? empty_set() : a;
    const Value* items;
    Value others;
    if (!get_items(cx, a, items) || !make_searchable(cx, b, others)) return unhandled(R_ARENA);
    return kept_items(cx, a, items, [&](u64 k) { return contains(cx, others, items[k]) == keep_common; });
}

// Likewise, together.
VM_FN Value part_of(Context& cx, const Value& a, const Value& b, bool keep_common) {
    if (a.tag == PATCH && b.tag == PATCH) return part_of(cx, *a.patch, *b.patch, keep_common);
    return alone(cx, [&](Context& own) { return part_of_any(own, a, b, keep_common); });
}

VM_FN Value op_intersection(Context& cx, const Value& a, const Value& b) {
    return is_set(a) && is_set(b) ? part_of(cx, a, b, true) : fail();
}

VM_FN Value op_difference(Context& cx, const Value& a, const Value& b) {
    if (!is_container(a)) return fail();
    if (is_tuple(a) && !length(a)) return a;  // b is not looked at
    return is_container(b) ? part_of(cx, a, b, false) : fail();
}

VM_FN Value op_difference_tuple(Context& cx, const Value& a, const Value& b) {
    const Value tuple = op_totuple(cx, a);
    return is_bad(tuple) ? tuple : op_difference(cx, tuple, b);
}

// The values that a tuple has, in order, and how often each occurs.
struct Counts {
    Value *values, *counts;
    u64 n;
};

VM_FN void count_bytes(const Value& tuple, u64 n, Counts& c) {
    u32 of_byte[256];
    memset(of_byte, 0, sizeof(of_byte));
    i64 low = GREATEST_BYTE, high = LEAST_BYTE;
    for (u64 k = 0; k < n; k++) {
        const i64 byte = tuple_item(tuple, k).num;
        of_byte[byte - INT8_MIN]++;
        low = least_of(low, byte);
        high = greatest_of(high, byte);
    }
    for (i64 byte = low; byte <= high; byte++) {
        if (!of_byte[byte - INT8_MIN]) continue;
        c.values[c.n] = integer(byte);
        c.counts[c.n++] = integer(of_byte[byte - INT8_MIN]);
    }
}

// Whether a tuple holds nothing but integers that are bytes.
VM_FN bool holds_bytes(const Value& tuple) {
    if (tuple.tag == ROW) return true;
    if (tuple.tag != TUPLE) return false;
    const u64 n = length(tuple);
    for (u64 k = 0; k < n; k++) {
        if (!is_int(tuple.seq->items[k]) || !is_byte(tuple.seq->items[k].num)) return false;
    }
    return true;
}

// False without memory.
VM_FN bool count_values(Context& cx, const Value& tuple, Counts& c) {
    const u64 n = length(tuple);
    c = Counts{allocate_array<Value>(cx, n), allocate_array<Value>(cx, n), 0};
    if (!c.values || !c.counts) return false;
    if (holds_bytes(tuple)) {
        count_bytes(tuple, n, c);
        return true;
    }
    write_items(tuple, c.values);
    if (!sort_by(cx, c.values, c.values, n, false)) return false;
    for (u64 k = 0; k < n; k++) {
        if (c.n && equal(cx, c.values[k], c.values[c.n - 1])) {
            c.counts[c.n - 1].num++;
        } else {
            c.values[c.n] = c.values[k];
            c.counts[c.n++] = integer(1);
        }
    }
    return true;
}

// The first of the values, in order, whose count is the greatest or the least.
VM_FN Value by_count(Context& cx, const Value& container, bool greatest) {
    if (!is_tuple(container) || !length(container)) return fail();
    Counts c;
    if (!count_values(cx, container, c)) return unhandled(R_ARENA);
    u64 best = 0;
    for (u64 k = 1; k < c.n; k++) {
        const i64 more = c.counts[k].num - c.counts[best].num;
        if (greatest ? more > 0 : more < 0) best = k;
    }
    return c.values[best];
}

VM_INLINE Value op_mostcommon(Context& cx, const Value& container) { return by_count(cx, container, true); }

VM_INLINE Value op_leastcommon(Context& cx, const Value& container) { return by_count(cx, container, false); }

VM_FN bool occurs_before(Context& cx, const Value* items, u64 k) {
    for (u64 before = 0; before < k; before++) {
        if (equal(cx, items[before], items[k])) return true;
    }
    return false;
}

VM_FN void mark_repeated_bytes(const Value* items, u64 n, u8* repeated) {
    u64 seen[4] = {0, 0, 0, 0};
    for (u64 k = 0; k < n; k++) {
        const u64 byte = static_cast<u64>(items[k].num - INT8_MIN), bit = static_cast<u64>(1) << (byte & 63);
        repeated[k] = (seen[byte >> 6] & bit) != 0;
        seen[byte >> 6] |= bit;
    }
}

// Mark all but the first of equal elements; false without memory.
VM_FN bool mark_repeated(Context& cx, const Value* items, u64 n, u8* repeated) {
    if (n <= FEW) {
        for (u64 k = 0; k < n; k++) repeated[k] = occurs_before(cx, items, k);
        return true;
    }
    Value* places = allocate_array<Value>(cx, n);
    Value* keys = allocate_array<Value>(cx, n);
    if (!places || !keys) return false;
    for (u64 k = 0; k < n; k++) places[k] = integer(static_cast<i64>(k));
    copy_memory(keys, items, n * sizeof(Value));
    if (!sort_by(cx, places, keys, n, false)) return false;  // stable: of equal ones the first leads
    for (u64 k = 0; k < n; k++) repeated[places[k].num] = k && equal(cx, keys[k], keys[k - 1]);
    return true;
}

VM_FN Value op_dedupe(Context& cx, const Value& tuple) {
    if (!is_tuple(tuple)) return fail();
    const u64 n = length(tuple);
    const Value* items;
    u8* repeated = allocate_array<u8>(cx, n);
    if (!repeated || !get_items(cx, tuple, items)) return unhandled(R_ARENA);
    if (holds_bytes(tuple)) {
        mark_repeated_bytes(items, n, repeated);
    } else if (!mark_repeated(cx, items, n, repeated)) {
        return unhandled(R_ARENA);
    }
    return kept_items(cx, tuple, items, [&](u64 k) { return !repeated[k]; });
}

VM_FN Value op_repeat(Context& cx, const Value& item, const Value& num) {
    if (!is_int(num)) return fail();
    if (num.num <= 0) return empty_tuple();
    const u64 n = static_cast<u64>(num.num);
    const u64 each = item.tag == ROW ? static_cast<u64>(item.extra) : sizeof(Value);
    if (!has_room(cx, n, greatest_of<u64>(each, 1))) return unhandled(R_ARENA);
    if (is_int(item) && is_byte(item.num)) {
        i8* bytes = allocate_array<i8>(cx, n);
        if (!bytes || n > INT32_MAX) return unhandled(R_ARENA);
        fill_memory(bytes, static_cast<int>(item.num), n);
        return make_row(bytes, n);
    }
    if (are_grid_rows(&item, 1) && n <= MOST_SIDE) {
        Grid* g = new_grid(cx, static_cast<u32>(n), static_cast<u32>(item.extra));
        if (!g) return unhandled(R_ARENA);
        for (u64 k = 0; k < n; k++) copy_memory(g->data + k * g->w, item.bytes, g->w);
        return of_grid(g);
    }
    Seq* seq = has_room(cx, n, sizeof(Value)) ? new_seq(cx, n) : nullptr;
    if (!seq) return unhandled(R_ARENA);
    for (u64 k = 0; k < n; k++) seq->items[k] = item;
    return make_tuple(cx, seq);
}

VM_INLINE Value op_initset(Context& cx, const Value& value) { return set_of(cx, &value, 1); }

VM_FN Value op_insert(Context& cx, const Value& value, const Value& container) {
    if (!is_set(container)) return fail();
    if (contains(cx, container, value)) return container;
    const Value one = op_initset(cx, value);
    return is_bad(one) ? one : op_combine(cx, container, one);
}

VM_FN Value remove_cell(Context& cx, const Patch& p, const Value& value) {
    const Value cell = smallest_form(value);
    Mask m;
    if (!copy_mask(cx, m, p)) return unhandled(R_ARENA);
    const u32 r = static_cast<u32>(cell.at.i - p.top), k = static_cast<u32>(cell.at.j - p.left);
    m.rows[static_cast<u64>(r) * m.words + (k >> 6)] ^= static_cast<u64>(1) << (k & 63);
    return finish_part(cx, m, p, true);
}

VM_FN Value op_remove(Context& cx, const Value& value, const Value& container) {
    if (!is_container(container)) return fail();
    if (is_set(container) && !contains(cx, container, value)) return container;
    if (container.tag == PATCH) return remove_cell(cx, *container.patch, value);
    const Value* items;
    if (!get_items(cx, container, items)) return unhandled(R_ARENA);
    return kept_items(cx, container, items, [&](u64 k) { return !equal(cx, items[k], value); });
}

// The place of a rank among n elements, counted from the end if negative; false if Python's [] raises.
VM_FN bool get_place(const Value& rank, u64 n, u64& place) {
    if (!is_int(rank)) return false;
    const i64 count = static_cast<i64>(n), at = rank.num < 0 ? rank.num + count : rank.num;
    place = static_cast<u64>(at);
    return at >= 0 && at < count;
}

// The element of a rank in tuple or canonical order.
VM_FN Value item_at(Context& cx, const Value& container, const Value& rank) {
    u64 place;
    if (!is_container(container) || !get_place(rank, length(container), place)) return fail();
    if (is_tuple(container)) return tuple_item(container, place);
    if (container.tag == PATCH && place == 0) return extreme_cell(*container.patch, -1);
    if (container.tag == PATCH && place + 1 == length(container)) return extreme_cell(*container.patch, 1);
    const Value* items = items_of(cx, container);
    return items ? items[place] : unhandled(R_ARENA);
}

VM_INLINE Value op_first(Context& cx, const Value& container) { return item_at(cx, container, integer(0)); }

VM_INLINE Value op_second(Context& cx, const Value& container) { return item_at(cx, container, integer(1)); }

VM_INLINE Value op_last(Context& cx, const Value& container) { return item_at(cx, container, integer(-1)); }

VM_INLINE Value op_get_nth_t(Context& cx, const Value& tup, const Value& rank) { return item_at(cx, tup, rank); }

VM_INLINE Value op_get_nth_f(Context& cx, const Value& fset, const Value& rank) { return item_at(cx, fset, rank); }

VM_FN Value op_other(Context& cx, const Value& container, const Value& value) {
    const Value rest = op_remove(cx, value, container);
    return is_bad(rest) ? rest : op_first(cx, rest);
}

VM_FN Value op_get_rank(Context& cx, const Value& container, const Value& rank) {
    u64 place;
    if (!is_container(container) || !get_place(rank, length(container), place)) return fail();
    const u64 n = length(container), ascending = n - 1 - place;
    if (is_set(container)) return item_at(cx, container, integer(static_cast<i64>(ascending)));
    if (ascending == n - 1) return extreme_item(cx, container, 1);
    if (ascending == 0) return extreme_item(cx, container, -1);
    Seq* seq = join(cx, &container, 1, n);
    if (!seq || !sort_by(cx, seq->items, seq->items, n, false)) return unhandled(R_ARENA);
    return seq->items[ascending];
}

VM_FN Value op_get_common_rank(Context& cx, const Value& container, const Value& rank) {
    u64 place;
    Counts c;
    if (!is_tuple(container)) return fail();
    if (!count_values(cx, container, c)) return unhandled(R_ARENA);
    if (!get_place(rank, c.n, place)) return fail();
    return sort_by(cx, c.values, c.counts, c.n, false) ? c.values[place] : unhandled(R_ARENA);
}

// The set of the elements of size n.
VM_FN Value op_sizefilter(Context& cx, const Value& container, const Value& n) {
    if (!is_container(container)) return fail();
    const u64 count = length(container);
    const Value* items;
    if (!get_items(cx, container, items)) return unhandled(R_ARENA);
    Seq* kept = new_seq(cx, count);
    if (!kept) return unhandled(R_ARENA);
    u64 chosen = 0;
    for (u64 k = 0; k < count; k++) {
        if (!is_container(items[k])) return fail();
        if (is_int(n) && static_cast<i64>(length(items[k])) == n.num) kept->items[chosen++] = items[k];
    }
    if (is_set(container)) return chosen == count ? container : shrunk(cx, false, kept, chosen);
    kept->n = chosen;
    return make_set(cx, kept);
}

VM_FN Value op_pair(Context& cx, const Value& a, const Value& b) {
    if (!is_container(a) || !is_container(b)) return fail();
    const Value *left, *right;
    if (!get_items(cx, a, left) || !get_items(cx, b, right)) return unhandled(R_ARENA);
    const u64 n = least_of(length(a), length(b));
    Seq* seq = new_seq(cx, n);
    if (!seq) return unhandled(R_ARENA);
    for (u64 k = 0; k < n; k++) {
        seq->items[k] = make_pair(cx, left[k], right[k]);
        if (is_bad(seq->items[k])) return seq->items[k];
    }
    return make_tuple(cx, seq);
}

// Whether n values are all integers; then the least and the greatest of them.
VM_FN bool get_range(const Value* items, u64 n, i64& low, i64& high) {
    low = INT32_MAX;
    high = INT32_MIN;
    for (u64 k = 0; k < n; k++) {
        if (!is_int(items[k]) || !is_small(items[k].num)) return false;
        low = least_of(low, items[k].num);
        high = greatest_of(high, items[k].num);
    }
    return n > 0;
}

// The locations of all rows of `a` in all columns of `b`. IS_UNKNOWN if these are not that.
VM_FN Form product_mask(Context& cx, const Value* a, u64 n, const Value* b, u64 m, Value& result) {
    Extent e;
    if (!get_range(a, n, e.top, e.bottom) || !get_range(b, m, e.left, e.right) || !fits_mask(e)) return IS_UNKNOWN;
    Mask mask;
    if (!new_mask(cx, mask, e, false)) return NO_MEMORY;
    for (u64 k = 0; k < m; k++) mask.set(0, static_cast<u32>(b[k].num - e.left));
    for (u64 k = 0; k < n; k++) {
        if (a[k].num == e.top) continue;
        copy_memory(mask.rows + static_cast<u64>(a[k].num - e.top) * mask.words, mask.rows, mask.words * sizeof(u64));
    }
    result = finish(cx, mask, false, 0);
    return is_bad(result) ? NO_MEMORY : IS_PATCH;
}

VM_FN Value op_product(Context& cx, const Value& a, const Value& b) {
    if (!is_container(a) || !is_container(b)) return fail();
    const u64 n = length(a), m = length(b);
    if (!n || !m) return empty_set();
    const Value *left, *right;
    if (!get_items(cx, a, left) || !get_items(cx, b, right)) return unhandled(R_ARENA);
    Value result;
    const Form form = product_mask(cx, left, n, right, m, result);
    if (form == IS_PATCH) return result;
    Seq* seq = form == IS_UNKNOWN && has_room(cx, m, n * sizeof(Value)) ? new_seq(cx, n * m) : nullptr;
    if (!seq) return unhandled(R_ARENA);
    for (u64 k = 0; k < n * m; k++) {
        seq->items[k] = make_pair(cx, left[k / m], right[k % m]);
        if (is_bad(seq->items[k])) return seq->items[k];
    }
    return make_set(cx, seq);
}

VM_FN Value op_branch(Context&, const Value& condition, const Value& a, const Value& b) {
    return is_truthy(condition) ? a : b;
}

VM_INLINE Value op_pack1(Context& cx, const Value& a) { return tuple_of(cx, &a, 1); }

VM_FN Value op_pack3(Context& cx, const Value& a, const Value& b, const Value& c) {
    const Value items[3] = {a, b, c};
    return tuple_of(cx, items, 3);
}

VM_FN Value op_pack4(Context& cx, const Value& a, const Value& b, const Value& c, const Value& d) {
    const Value items[4] = {a, b, c, d};
    return tuple_of(cx, items, 4);
}

VM_INLINE Value op_require_count(Context&, const Value& n) { return is_int(n) && n.num >= 1 ? n : fail(); }

}  // namespace vm
