// The family "dialect": operations chosen by a kind. (Its ranks of containers are in ops_containers.h.)
#pragma once

#include "ops_grids.h"

namespace vm {

// The elements of a set of integers, or what is bad about it, as a tuple.
VM_FN Value ascending(Context& cx, const Value& colours) {
    if (is_bad(colours) || !length(colours)) return is_bad(colours) ? colours : empty_tuple();
    const u64 n = length(colours);
    Seq* seq = new_seq(cx, n);
    if (!seq) return unhandled(R_ARENA);
    write_items(colours, seq->items);
    return make_tuple(cx, seq);
}

VM_FN Value op_p_g(Context& cx, const Value& grid) { return ascending(cx, op_palette(cx, grid)); }
VM_FN Value op_p_o(Context& cx, const Value& object) { return ascending(cx, op_palette(cx, object)); }
VM_FN Value op_p_f(Context& cx, const Value& object) { return op_palette(cx, object); }
VM_FN Value op_f_ofcolor(Context& cx, const Value& grid, const Value& value) { return op_ofcolor(cx, grid, value); }

VM_FN Value op_o_g(Context& cx, const Value& grid, const Value& kind) {
    if (!is_int(kind) || kind.num < 0 || kind.num > 7) return fail();
    return op_objects(cx, grid, boolean(kind.num & 4), boolean(kind.num & 2), boolean(kind.num & 1));
}

constexpr i64 MIRRORS = 4, UNCHANGED = 7;  // kinds: mirrors, then turns, then nothing

VM_FN Value op_mir_rot_t(Context& cx, const Value& grid, const Value& kind) {
    if (!is_int(kind)) return fail();
    switch (kind.num) {
        case 0: return op_hmirror(cx, grid);
        case 1: return op_dmirror(cx, grid);
        case 2: return op_vmirror(cx, grid);
        case 3: return op_cmirror(cx, grid);
        case 4: return op_rot90(cx, grid);
        case 5: return op_rot180(cx, grid);
        case 6: return op_rot270(cx, grid);
        default: return grid;
    }
}

VM_FN Value op_mir_rot_f(Context& cx, const Value& patch, const Value& kind) {
    if (!is_int(kind)) return fail();
    return kind.num < MIRRORS ? op_mir_rot_t(cx, patch, kind) : patch;
}

// Put the two elements of a sample into source and goal; IS_PATCH if there are two.
VM_FN Form get_sample(const Value& sample, Value& source, Value& goal) {
    if (!is_container(sample) || length(sample) != 2) return IS_WRONG;
    if (!is_tuple(sample)) return IS_UNKNOWN;  // unpacked in an order that only hashes know
    source = tuple_item(sample, 0);
    goal = tuple_item(sample, 1);
    return IS_PATCH;
}

// Whether a kind makes every goal from its source: a Boolean, or what is bad.
VM_FN Value explains(Context& cx, const Value* samples, u64 n, const Value& kind) {
    for (u64 k = 0; k < n; k++) {
        Value source = none(), goal = none();
        const Form form = get_sample(samples[k], source, goal);
        if (form != IS_PATCH) return refuse(form);
        const Value made = op_mir_rot_t(cx, source, kind);
        if (is_bad(made)) return made;
        if (!equal(cx, made, goal)) return boolean(false);
    }
    return boolean(true);
}

VM_FN Value op_a_mr(Context& cx, const Value& samples) {
    if (!is_container(samples)) return fail();
    const u64 n = length(samples);
    const Value* items = n ? items_of(cx, samples) : nullptr;
    if (n && !items) return unhandled(R_ARENA);
    u8* mark = cx.arena.top;
    for (i64 kind = 0; kind <= UNCHANGED; kind++) {
        const Value found = explains(cx, items, n, integer(kind));
        if (is_bad(found)) return found;
        if (found.num) return integer(kind);
        cx.arena.top = mark;
    }
    return none();
}

VM_FN Value op_corner(Context& cx, const Value& patch, const Value& kind) {
    if (!is_int(kind)) return fail();
    switch (kind.num) {
        case 0: return op_ulcorner(cx, patch);
        case 1: return op_urcorner(cx, patch);
        case 2: return op_llcorner(cx, patch);
        case 3: return op_lrcorner(cx, patch);
        default: return fail();
    }
}

VM_FN Value op_col_row(Context& cx, const Value& patch, const Value& kind) {
    if (!is_int(kind)) return fail();
    switch (kind.num) {
        case 0: return op_lowermost(cx, patch);
        case 1: return op_uppermost(cx, patch);
        case 2: return op_leftmost(cx, patch);
        case 3: return op_rightmost(cx, patch);
        default: return fail();
    }
}

// How often each integer occurs, in the order of the integers.
struct Tally {
    i64* values;
    u64* counts;
    u64 n;

    VM_FN_MEMBER void add(i64 value, u64 count) {
        u64 at = n;
        while (at > 0 && values[at - 1] > value) at--;
        if (at > 0 && values[at - 1] == value) {
            counts[at - 1] += count;
            return;
        }
        for (u64 k = n++; k > at; k--) {
            values[k] = values[k - 1];
            counts[k] = counts[k - 1];
        }
        values[at] = value;
        counts[at] = count;
    }
};

// Add the first items of the elements of a set, or all items of those of a tuple.
VM_FN Form tally_items(const Value& v, const Value* items, Tally& tally) {
    for (u64 k = 0; k < length(v); k++) {
        if (is_set(v) ? !is_tuple(items[k]) || !length(items[k]) : !is_container(items[k])) return IS_WRONG;
        if (!is_tuple(items[k])) return IS_UNKNOWN;
        const u64 n = is_set(v) ? 1 : length(items[k]);
        for (u64 at = 0; at < n; at++) {
            const Value value = tuple_item(items[k], at);
            if (!is_int(value)) return IS_UNKNOWN;
            tally.add(value.num, 1);
        }
    }
    return IS_PATCH;
}

VM_FN Form tally_colours(Context& cx, const Value& v, Tally& tally) {
    const bool plain = v.tag == GRID || (v.tag == PATCH && v.patch->object);
    u64 most = 256;
    const u64 n = length(v);
    const Value* items = nullptr;
    if (!plain) {
        items = n ? items_of(cx, v) : nullptr;
        if (n && !items) return NO_MEMORY;
        most = 0;
        for (u64 k = 0; k < n; k++) most += is_tuple(v) && is_container(items[k]) ? length(items[k]) : 1;
    }
    tally = Tally{allocate_array<i64>(cx, most), allocate_array<u64>(cx, most), 0};
    if (!tally.values || !tally.counts) return NO_MEMORY;
    if (!plain) return tally_items(v, items, tally);
    if (v.tag == GRID) {
        const u64 cells = cells_in(*v.grid);
        for_each_colour(colours_of_bytes(v.grid->data, cells),
                        [&](i32 colour) { tally.add(colour, count_colour(v.grid->data, cells, colour)); });
    } else if (v.patch->colour != MANY_COLOURS) {
        tally.add(v.patch->colour, n);
    } else {
        for_each_bit(*v.patch, [&](u32 r, u32 k) { tally.add(colour_at(*v.patch, r, k), 1); });
    }
    return IS_PATCH;
}

VM_FN Value op_get_color_rank(Context& cx, const Value& element, const Value& rank) {
    if (!is_container(element) || !is_int(rank)) return fail();
    Tally tally;
    const Form form = tally_colours(cx, element, tally);
    if (form != IS_PATCH) return refuse(form);
    const i64 n = static_cast<i64>(tally.n), at = rank.num < 0 ? rank.num + n : rank.num;
    if (at < 0 || at >= n) return fail();
    for (i64 k = 0; k < n; k++) {
        i64 before = 0;  // those of more cells, and those of as many that are less
        for (i64 m = 0; m < n; m++) {
            before += tally.counts[m] > tally.counts[k] || (tally.counts[m] == tally.counts[k] && m < k);
        }
        if (before == at) return integer(tally.values[k]);
    }
    return fail();
}

}  // namespace vm
