// Containers in any form: their length and their items.
#pragma once

#include "lanes.h"

namespace vm {

VM_INLINE Seq* new_seq(Context& cx, u64 n) {
    Seq* seq = static_cast<Seq*>(allocate(cx, sizeof(u64) * 2 + n * sizeof(Value)));
    if (seq && leads(cx)) seq->n = n;
    sync(cx);
    return seq;
}

// The number of elements; v is a container.
VM_INLINE u64 length(const Value& v) {
    switch (v.tag) {
        case PAIR:
        case CELL: return 2;
        case ROW: return static_cast<u64>(v.extra);
        case GRID: return v.grid->h;
        case PATCH: return v.patch->count;
        default: return v.seq ? v.seq->n : 0;
    }
}

// Element k of a tuple, in any form but without making anything.
VM_FN Value tuple_item(const Value& v, u64 k) {
    switch (v.tag) {
        case PAIR: return integer(k ? v.at.j : v.at.i);
        case CELL: return k ? pair_of(v.at.i, v.at.j) : integer(v.extra);
        case ROW: return integer(v.bytes[k]);
        case GRID: return row_of(v.grid->data + k * v.grid->w, v.grid->w);
        default: return v.seq->items[k];
    }
}

// Whether v is a tuple of two 32-bit integers, which are then i and j. (A tuple of two larger ones: R_OVERFLOW.)
VM_INLINE bool get_pair(const Value& v, i32& i, i32& j) {
    if (v.tag == PAIR) {
        i = v.at.i;
        j = v.at.j;
        return true;
    }
    if (v.tag == ROW && v.extra == 2) {
        i = v.bytes[0];
        j = v.bytes[1];
        return true;
    }
    return false;
}

// The pair (a, b), in its smallest form.
VM_FN Value make_pair(Context& cx, const Value& a, const Value& b) {
    if (is_int(a) && is_small(a.num)) {
        if (is_int(b) && is_small(b.num)) return pair_of(static_cast<i32>(a.num), static_cast<i32>(b.num));
        i32 i, j;
        if (get_pair(b, i, j)) return cell_of(static_cast<i32>(a.num), i, j);
    }
    Seq* seq = new_seq(cx, 2);
    if (!seq) return unhandled(R_ARENA);
    seq->items[0] = a;
    seq->items[1] = b;
    return of_seq(TUPLE, seq);
}

// The tuple of n items, which the caller has put into `seq`.
VM_INLINE Value make_tuple(Context& cx, Seq* seq) {
    if (seq->n == 0) return empty_tuple();
    if (seq->n == 2) return make_pair(cx, seq->items[0], seq->items[1]);
    return of_seq(TUPLE, seq);
}

// The tuple of n integers, in its smallest form.
VM_INLINE Value make_row(const i8* bytes, u64 n) {
    if (n == 0) return empty_tuple();
    return n == 2 ? pair_of(bytes[0], bytes[1]) : row_of(bytes, static_cast<u32>(n));
}

// v, as a PAIR or a CELL if it is such a tuple in another form.
VM_FN Value smallest_form(const Value& v) {
    i32 i, j;
    if (v.tag == ROW && get_pair(v, i, j)) return pair_of(i, j);
    if (v.tag != TUPLE || !v.seq || v.seq->n != 2) return v;
    const Value &a = v.seq->items[0], &b = v.seq->items[1];
    if (!is_int(a) || !is_small(a.num)) return v;
    if (is_int(b) && is_small(b.num)) return pair_of(static_cast<i32>(a.num), static_cast<i32>(b.num));
    return get_pair(b, i, j) ? cell_of(static_cast<i32>(a.num), i, j) : v;
}

// Why get_pair said no: FAIL where v is no pair of integers, UNHANDLED where it is one of large ones.
VM_INLINE Value no_pair(const Value& v) {
    if (v.tag == TUPLE && v.seq && v.seq->n == 2 && is_int(v.seq->items[0]) && is_int(v.seq->items[1])) {
        return unhandled(R_OVERFLOW);
    }
    return fail();
}

// Whether Python takes v for true.
VM_FN bool is_truthy(const Value& v) {
    if (v.tag == NONE) return false;
    if (v.tag == INT) return v.num != 0;
    return length(v) != 0;
}

}  // namespace vm
