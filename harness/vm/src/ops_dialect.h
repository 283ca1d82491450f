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

VM_NOINLINE Value op_p_g(Context& cx, const Value& grid) { return ascending(cx, op_palette(cx, grid)); }
VM_NOINLINE Value op_p_o(Context& cx, const Value& object) { return ascending(cx, op_palette(cx, object)); }
VM_NOINLINE Value op_p_f(Context& cx, const Value& object) { return op_palette(cx, object); }
VM_NOINLINE Value op_f_ofcolor(Context& cx, const Value& grid, const Value& value) {
    return op_ofcolor(cx, grid, value);
}

VM_NOINLINE Value op_o_g(Context& cx, const Value& grid, const Value& kind) {
    if (!is_int(kind) || kind.num < 0 || kind.num > 7) return fail();
    return op_objects(cx, grid, boolean(kind.num & 4), boolean(kind.num & 2), boolean(kind.num & 1));
}

constexpr i64 MIRRORS = 4, UNCHANGED = 7;  // kinds: mirrors, then turns, then nothing

VM_NOINLINE Value op_mir_rot_t(Context& cx, const Value& grid, const Value& kind) {
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

VM_NOINLINE Value op_mir_rot_f(Context& cx, const Value& patch, const Value& kind) {
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

VM_NOINLINE Value op_a_mr(Context& cx, const Value& samples) {
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

VM_NOINLINE Value op_corner(Context& cx, const Value& patch, const Value& kind) {
    if (!is_int(kind)) return fail();
    switch (kind.num) {
        case 0: return op_ulcorner(cx, patch);
        case 1: return op_urcorner(cx, patch);
        case 2: return op_llcorner(cx, patch);
        case 3: return op_lrcorner(cx, patch);
        default: return fail();
    }
}

VM_NOINLINE Value op_col_row(Context& cx, const Value& patch, const Value& kind) {
    if (!is_int(kind)) return fail();
    switch (kind.num) {
        case 0: return op_lowermost(cx, patch);
        case 1: return op_uppermost(cx, patch);
        case 2: return op_leftmost(cx, patch);
        case 3: return op_rightmost(cx, patch);
        default: return fail();
    }
}

// Values, and how often there are, both in the order of the values.
struct Tally {
    Value *values, *counts;
    u64 n;

    VM_FN_MEMBER void add(const Value& value, u64 count) {
        values[n] = value;
        counts[n++] = integer(static_cast<i64>(count));
    }
};

VM_FN bool new_tally(Context& cx, Tally& tally, u64 most) {
    tally = Tally{allocate_array<Value>(cx, most), allocate_array<Value>(cx, most), 0};
    return tally.values && tally.counts;
}

VM_FN bool tally_grid(Context& cx, const Grid& g, Tally& tally) {
    const u64 cells = cells_in(g);
    const Colours colours = colours_of_bytes(cx, g.data, cells);
    if (!new_tally(cx, tally, count_of(colours))) return false;
    for_each_colour(colours, [&](i32 colour) { tally.add(integer(colour), count_colour(cx, g.data, cells, colour)); });
    return true;
}

// The tally of the items of a tuple.
VM_FN bool tally_items(Context& cx, const Value& tuple, Tally& tally) {
    const u64 n = length(tuple);
    Value* items = allocate_array<Value>(cx, n);
    if (!items || !new_tally(cx, tally, n)) return false;
    write_items(tuple, items);
    if (!sort_by(cx, items, items, n, false)) return false;
    for (u64 k = 0, end; k < n; k = end) {
        end = k + 1;
        while (end < n && equal(cx, items[k], items[end])) end++;
        tally.add(items[k], end - k);
    }
    return true;
}

VM_NOINLINE Value op_get_color_rank(Context& cx, const Value& element, const Value& rank) {
    if (!is_int(rank)) return fail();
    Tally tally;
    if (element.tag == GRID) {
        if (!tally_grid(cx, *element.grid, tally)) return unhandled(R_ARENA);
    } else {
        const Value colours = list_colours(cx, element);
        if (is_bad(colours)) return colours;
        if (!tally_items(cx, colours, tally)) return unhandled(R_ARENA);
    }
    const i64 n = static_cast<i64>(tally.n), at = rank.num < 0 ? rank.num + n : rank.num;
    if (at < 0 || at >= n) return fail();
    return sort_by(cx, tally.values, tally.counts, tally.n, true) ? tally.values[at] : unhandled(R_ARENA);
}

}  // namespace vm
