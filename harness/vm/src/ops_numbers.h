// Primitives on integers, Booleans and pairs of integers; the greatest and the least of a container.
#pragma once

#include "grid.h"

namespace vm {

// Arithmetic on 64 bits: the result, or why there is none.

VM_FN Value add_integers(i64 x, i64 y) {
    const i64 sum = static_cast<i64>(static_cast<u64>(x) + static_cast<u64>(y));
    return ((x ^ sum) & (y ^ sum)) < 0 ? unhandled(R_OVERFLOW) : integer(sum);
}

VM_FN Value subtract_integers(i64 x, i64 y) {
    const i64 rest = static_cast<i64>(static_cast<u64>(x) - static_cast<u64>(y));
    return ((x ^ y) & (x ^ rest)) < 0 ? unhandled(R_OVERFLOW) : integer(rest);
}

VM_INLINE u64 magnitude(i64 x) { return x < 0 ? 0 - static_cast<u64>(x) : static_cast<u64>(x); }

VM_FN Value multiply_integers(i64 x, i64 y) {
    if (is_small(x) && is_small(y)) return integer(x * y);
    const u64 a = magnitude(x), b = magnitude(y);
    if (a == 0 || b == 0) return integer(0);
    if (a > static_cast<u64>(INT64_MAX) / b) return unhandled(R_OVERFLOW);
    const i64 product = static_cast<i64>(a * b);
    return integer((x < 0) != (y < 0) ? -product : product);
}

VM_FN Value divide_integers(i64 x, i64 y) {
    if (y == 0) return fail();
    if (y == -1) return subtract_integers(0, x);  // the machine's division traps on the least integer
    const i64 quotient = x / y;
    return integer(x % y != 0 && (x < 0) != (y < 0) ? quotient - 1 : quotient);
}

VM_INLINE i64 sign_of_integer(i64 x) { return (x > 0) - (x < 0); }

// Whether v is a tuple of two integers, of any size, which are then x and y.
VM_FN bool get_integers(const Value& v, i64& x, i64& y) {
    i32 i, j;
    if (get_pair(v, i, j)) {
        x = i;
        y = j;
        return true;
    }
    if (v.tag != TUPLE || length(v) != 2 || !is_int(v.seq->items[0]) || !is_int(v.seq->items[1])) return false;
    x = v.seq->items[0].num;
    y = v.seq->items[1].num;
    return true;
}

VM_FN Value pair_of_results(Context& cx, const Value& a, const Value& b) {
    if (a.tag == FAIL || b.tag == FAIL) return fail();
    if (is_bad(a)) return a;
    return is_bad(b) ? b : make_pair(cx, a, b);
}

// f of an integer, or of both of a pair.
template <class F>
VM_INLINE Value elementwise(Context& cx, const Value& v, F f) {
    if (is_int(v)) return f(v.num);
    i64 x, y;
    return get_integers(v, x, y) ? pair_of_results(cx, f(x), f(y)) : fail();
}

// f of two integers, of a pair and an integer in any order, or of two pairs.
template <class F>
VM_INLINE Value elementwise(Context& cx, const Value& a, const Value& b, F f) {
    if (is_int(a) && is_int(b)) return f(a.num, b.num);
    i64 x = a.num, y = a.num, i = b.num, j = b.num;
    if (!is_int(a) && !get_integers(a, x, y)) return fail();
    if (!is_int(b) && !get_integers(b, i, j)) return fail();
    return pair_of_results(cx, f(x, i), f(y, j));
}

VM_INLINE Value op_identity(Context&, const Value& x) { return x; }

VM_FN Value op_add(Context& cx, const Value& a, const Value& b) {
    return elementwise(cx, a, b, [](i64 x, i64 y) { return add_integers(x, y); });
}

VM_FN Value op_subtract(Context& cx, const Value& a, const Value& b) {
    return elementwise(cx, a, b, [](i64 x, i64 y) { return subtract_integers(x, y); });
}

VM_FN Value op_multiply(Context& cx, const Value& a, const Value& b) {
    return elementwise(cx, a, b, [](i64 x, i64 y) { return multiply_integers(x, y); });
}

VM_FN Value op_divide(Context& cx, const Value& a, const Value& b) {
    return elementwise(cx, a, b, [](i64 x, i64 y) { return divide_integers(x, y); });
}

VM_FN Value op_invert(Context& cx, const Value& n) {
    return elementwise(cx, n, [](i64 x) { return subtract_integers(0, x); });
}

VM_FN Value op_double(Context& cx, const Value& n) {
    return elementwise(cx, n, [](i64 x) { return add_integers(x, x); });
}

VM_FN Value op_halve(Context& cx, const Value& n) {
    return elementwise(cx, n, [](i64 x) { return divide_integers(x, 2); });
}

VM_FN Value op_increment(Context& cx, const Value& n) {
    return elementwise(cx, n, [](i64 x) { return add_integers(x, 1); });
}

VM_FN Value op_decrement(Context& cx, const Value& n) {
    return elementwise(cx, n, [](i64 x) { return subtract_integers(x, 1); });
}

VM_FN Value op_crement(Context& cx, const Value& n) {
    return elementwise(cx, n, [](i64 x) { return add_integers(x, sign_of_integer(x)); });
}

VM_FN Value op_sign(Context& cx, const Value& n) {
    return elementwise(cx, n, [](i64 x) { return integer(sign_of_integer(x)); });
}

VM_INLINE Value op_even(Context&, const Value& n) { return is_int(n) ? boolean(n.num % 2 == 0) : fail(); }

VM_INLINE Value op_positive(Context&, const Value& x) { return is_int(x) ? boolean(x.num > 0) : fail(); }

VM_FN Value is_proper_superset(Context& cx, const Value& a, const Value& b) {
    const u64 n = length(b);
    if (length(a) <= n || n == 0) return boolean(length(a) > n);
    const Value* items = items_of(cx, b);
    if (!items) return unhandled(R_ARENA);
    for (u64 k = 0; k < n; k++) {
        if (!contains(cx, a, items[k])) return boolean(false);
    }
    return boolean(true);
}

// Python's a > b: of tuples by the first elements that differ, of sets whether a is more than b.
VM_FN Value op_greater(Context& cx, const Value& a, const Value& b) {
    Value x = a, y = b;
    while (is_tuple(x) && is_tuple(y)) {
        const u64 n = length(x), m = length(y), common = least_of(n, m);
        u64 k = 0;
        while (k < common && equal(cx, tuple_item(x, k), tuple_item(y, k))) k++;
        if (k == common) return boolean(n > m);
        const Value left = tuple_item(x, k);
        y = tuple_item(y, k);
        x = left;
    }
    if (is_int(x) && is_int(y)) return boolean(x.num > y.num);
    return is_set(x) && is_set(y) ? is_proper_superset(cx, x, y) : fail();
}

VM_INLINE Value op_equality(Context& cx, const Value& a, const Value& b) { return boolean(equal(cx, a, b)); }

VM_INLINE Value op_flip(Context&, const Value& b) { return boolean(!is_truthy(b)); }

VM_INLINE Value op_both(Context&, const Value& a, const Value& b) { return is_truthy(a) ? b : a; }

VM_INLINE Value op_either(Context&, const Value& a, const Value& b) { return is_truthy(a) ? a : b; }

VM_INLINE Value op_astuple(Context& cx, const Value& a, const Value& b) { return make_pair(cx, a, b); }

VM_INLINE Value op_toivec(Context& cx, const Value& i) { return make_pair(cx, i, integer(0)); }

VM_INLINE Value op_tojvec(Context& cx, const Value& j) { return make_pair(cx, integer(0), j); }

// Whether the arena has room for n items of a size: what is asked for before anything of a computed length is made.
VM_FN bool has_room(const Context& cx, u64 n, u64 size) {
    return n < static_cast<u64>(cx.arena.end - cx.arena.top) / size;
}

VM_FN Value op_interval(Context& cx, const Value& start, const Value& stop, const Value& step) {
    if (!is_int(start) || !is_int(stop) || !is_int(step) || step.num == 0) return fail();
    const bool up = step.num > 0;
    if (up ? start.num >= stop.num : start.num <= stop.num) return empty_tuple();
    const u64 from = static_cast<u64>(start.num), to = static_cast<u64>(stop.num);
    const u64 n = (up ? to - from - 1 : from - to - 1) / magnitude(step.num) + 1;
    if (!has_room(cx, n, sizeof(Value))) return unhandled(R_ARENA);
    const i64 last = static_cast<i64>(from + (n - 1) * static_cast<u64>(step.num));
    if (is_byte(start.num) && is_byte(last)) {
        i8* bytes = allocate_array<i8>(cx, n);
        if (!bytes) return unhandled(R_ARENA);
        for (u64 k = 0; k < n; k++) bytes[k] = static_cast<i8>(start.num + static_cast<i64>(k) * step.num);
        return make_row(bytes, n);
    }
    Seq* seq = new_seq(cx, n);
    if (!seq) return unhandled(R_ARENA);
    for (u64 k = 0; k < n; k++) seq->items[k] = integer(static_cast<i64>(from + k * static_cast<u64>(step.num)));
    return make_tuple(cx, seq);
}

// The first (direction -1) or last (1) cell of a patch in canonical order.
VM_FN Value extreme_cell(const Patch& p, int direction) {
    u32 row = direction < 0 ? 0 : p.h - 1, column = 0;
    i32 colour = p.colour;
    if (p.object && p.colour == MANY_COLOURS) {
        bool any = false;
        for_each_bit(p, [&](u32 r, u32 k) {
            const i32 c = p.plane[r * p.w + k];
            if (any && (direction < 0 ? c >= colour : c < colour)) return;
            any = true;
            colour = c;
            row = r;
            column = k;
        });
    } else {
        u32 word = direction < 0 ? 0 : p.words - 1;
        const u64* bits = p.rows + static_cast<u64>(row) * p.words;
        while (!bits[word]) word = direction < 0 ? word + 1 : word - 1;
        column = word * 64 + (direction < 0 ? lowest_bit(bits[word]) : highest_bit(bits[word]));
    }
    const i32 i = p.top + static_cast<i32>(row), j = p.left + static_cast<i32>(column);
    return p.object ? cell_of(colour, i, j) : pair_of(i, j);
}

// The least (direction -1) or greatest (1) of a container that is not empty.
VM_FN Value extreme_item(Context& cx, const Value& container, int direction) {
    if (container.tag == PATCH) return extreme_cell(*container.patch, direction);
    const u64 n = length(container);
    if (container.tag == SET) return container.seq->items[direction < 0 ? 0 : n - 1];
    Value best = tuple_item(container, 0);
    for (u64 k = 1; k < n; k++) {
        const Value item = tuple_item(container, k);
        if (compare(cx, item, best) == direction) best = item;
    }
    return best;
}

VM_FN Value op_maximum(Context& cx, const Value& container) {
    if (!is_container(container)) return fail();
    return length(container) ? extreme_item(cx, container, 1) : integer(0);
}

VM_FN Value op_minimum(Context& cx, const Value& container) {
    if (!is_container(container)) return fail();
    return length(container) ? extreme_item(cx, container, -1) : integer(0);
}

}  // namespace vm
