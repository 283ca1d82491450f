// Grids as bytes: making them, and taking any value for one.
#pragma once

#include "order.h"

namespace vm {

constexpr u32 MOST_SIDE = 4096;

// A grid whose cells the caller fills; null without memory. At least 1x1.
VM_FN Grid* new_grid(Context& cx, u32 h, u32 w) {
    Grid* g = static_cast<Grid*>(allocate(cx, sizeof(u32) * 2 + static_cast<u64>(h) * w));
    if (g && leads(cx)) {
        g->h = h;
        g->w = w;
    }
    sync(cx);
    return g;
}

// Take a value for a grid. IS_PATCH stands for yes, here; IS_EMPTY for (); IS_WRONG for what is no tuple at all;
// IS_UNKNOWN for any other tuple: ragged, with colours that are no bytes, of no columns, ...
VM_FN Form as_grid(Context& cx, const Value& v, const Grid*& g) {
    if (v.tag == GRID) {
        g = v.grid;
        return IS_PATCH;
    }
    if (!is_tuple(v)) return IS_WRONG;
    const u64 n = length(v);
    if (!n) return IS_EMPTY;
    if (v.tag != TUPLE) return IS_UNKNOWN;
    const Value* rows = v.seq->items;
    if (!is_tuple(rows[0]) || rows[0].tag == GRID || n > MOST_SIDE) return IS_UNKNOWN;
    const u64 w = length(rows[0]);
    if (!w || w > MOST_SIDE) return IS_UNKNOWN;
    Grid* made = new_grid(cx, static_cast<u32>(n), static_cast<u32>(w));
    if (!made) return NO_MEMORY;
    for (u64 r = 0; r < n; r++) {
        if (!is_tuple(rows[r]) || length(rows[r]) != w) return IS_UNKNOWN;
        if (rows[r].tag == ROW) {
            copy_memory(made->data + r * w, rows[r].bytes, w);
            continue;
        }
        for (u64 k = 0; k < w; k++) {
            const Value item = tuple_item(rows[r], k);
            if (!is_int(item) || !is_byte(item.num)) return IS_UNKNOWN;
            made->data[r * w + k] = static_cast<i8>(item.num);
        }
    }
    g = made;
    return IS_PATCH;
}

}  // namespace vm
