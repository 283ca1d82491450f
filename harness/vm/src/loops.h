// What becomes of the results of a loop body.
#pragma once

#include "opcodes.h"
#include "ops_containers.h"

namespace vm {

// The place of the first of n results that is the greatest (direction 1) or the least (-1); n > 0.
VM_FN u64 extreme_place(Context& cx, const Value* results, u64 n, int direction) {
    u64 best = 0;
    for (u64 k = 1; k < n; k++) {
        if (compare(cx, results[k], results[best]) == direction) best = k;
    }
    return best;
}

VM_FN Value first_truthy(const Value* items, const Value* results, u64 n) {
    for (u64 k = 0; k < n; k++) {
        if (is_truthy(results[k])) return items[k];
    }
    return fail();
}

// The elements, or that of a rank, stably sorted by their results.
VM_FN Value sorted_items(Context& cx, const Value* items, Value* results, u64 n) {
    Value* sorted = allocate_array<Value>(cx, n);
    if (!sorted) return unhandled(R_ARENA);
    if (n) copy_memory(sorted, items, n * sizeof(Value));
    return sort_by(cx, sorted, results, n, false) ? tuple_of(cx, sorted, n) : unhandled(R_ARENA);
}

VM_FN Value item_of_rank(Context& cx, const Value* items, Value* results, u64 n, const Value& rank) {
    u64 place;
    if (!get_place(rank, n, place)) return fail();
    if (place == 0) return items[extreme_place(cx, results, n, 1)];
    Value* sorted = allocate_array<Value>(cx, n);
    if (!sorted) return unhandled(R_ARENA);
    copy_memory(sorted, items, n * sizeof(Value));
    return sort_by(cx, sorted, results, n, true) ? sorted[place] : unhandled(R_ARENA);
}

VM_FN Value result_of_rank(Context& cx, Value* results, u64 n, const Value& rank) {
    u64 place;
    if (!get_place(rank, n, place)) return fail();
    if (place == 0) return results[extreme_place(cx, results, n, -1)];
    if (place == n - 1) return results[extreme_place(cx, results, n, 1)];
    return sort_by(cx, results, results, n, false) ? results[place] : unhandled(R_ARENA);
}

// What a loop over a container is worth. `items` are the elements in the order of iteration, `made` what the body made
// of them, which is used up (of a product, and of a map of a set, in any order; `items` is not looked at then).
VM_FN Value finish_loop(Context& cx, u8 kind, const Value& container, const Value* items, Seq* made,
                        const Value& rank) {
    if (!is_container(container)) return fail();
    Value* results = made->items;
    const u64 n = made->n;
    switch (kind) {
        case LOOP_map: return is_tuple(container) ? tuple_of(cx, results, n) : make_set(cx, made);
        case LOOP_map_merge:
            return is_tuple(container) ? merged_tuple(cx, results, n) : merged_set(cx, results, n);
        case LOOP_filter: return kept_items(cx, container, items, [&](u64 k) { return is_truthy(results[k]); });
        case LOOP_extract: return first_truthy(items, results, n);
        case LOOP_argmax: return n ? items[extreme_place(cx, results, n, 1)] : fail();
        case LOOP_argmin: return n ? items[extreme_place(cx, results, n, -1)] : fail();
        case LOOP_order: return sorted_items(cx, items, results, n);
        case LOOP_valmax: return n ? results[extreme_place(cx, results, n, 1)] : fail();
        case LOOP_valmin: return n ? results[extreme_place(cx, results, n, -1)] : fail();
        case LOOP_arg_rank: return item_of_rank(cx, items, results, n, rank);
        case LOOP_val_rank: return result_of_rank(cx, results, n, rank);
        case LOOP_zip: return tuple_of(cx, results, n);
        case LOOP_zip_merge: return merged_tuple(cx, results, n);
        case LOOP_product: return make_set(cx, made);
        default: return unhandled(R_FORM);
    }
}

// Whether all lanes can finish a loop.
VM_FN bool finishes_together(u8 kind, const Value& container) {
    return kind == LOOP_product || ((kind == LOOP_map || kind == LOOP_map_merge) && is_set(container));
}

// finish_loop, together, of loops of which finishes_together says so.
VM_FN Value finish_together(Context& cx, u8 kind, Seq* made) {
    return kind == LOOP_map_merge ? merged_set(cx, made->items, made->n) : make_set(cx, made);
}

}  // namespace vm
