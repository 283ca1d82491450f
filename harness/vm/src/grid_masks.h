// Bytes of a grid and bits of a mask, eight at a time: colours to bits, bits to colours, counts of colours.
#pragma once

#include "bytes.h"
#include "grid.h"

namespace vm {

// Put the cells of one colour of a grid into rows of (w + 63) / 64 words, together, and return whether there is any.
VM_FN bool colour_rows(Context& cx, const Grid& g, i32 colour, u64* rows) {
    const u32 words = (g.w + 63) / 64;
    const u64 wanted = eight_of(colour);
    const i8* end = g.data + static_cast<u64>(g.h) * g.w;
    u64 any = 0;
    for (u32 r = lane_of(cx); r < g.h; r += lanes_of(cx)) {
        const i8* row = g.data + static_cast<u64>(r) * g.w;
        for (u32 word = 0; word < words; word++) {
            const u32 from = word * 64, n = least_of(g.w - from, 64u);
            u64 bits = 0;
            for (u32 k = 0; k < n; k += EIGHT) {
                const u32 left = static_cast<u32>(least_of<i64>(end - (row + from + k), EIGHT));
                bits |= gather(zero_bytes(load_eight(row + from + k, left) ^ wanted)) << k;
            }
            bits &= first_bits(n);
            rows[r * words + word] = bits;
            any |= bits;
        }
    }
    return lanes_with(cx, any != 0) != 0;
}

// The mask of a colour of a grid, together, at most MOST_ROWS x MOST_COLUMNS; IS_EMPTY if no cell has it.
VM_FN Form colour_mask(Context& cx, const Grid& g, i32 colour, Mask& m) {
    if (g.h > MOST_ROWS || g.w > MOST_COLUMNS) return IS_UNKNOWN;
    m = Mask{0, 0, g.h, g.w, (g.w + 63) / 64, nullptr, nullptr};
    m.rows = allocate_array<u64>(cx, static_cast<u64>(g.h) * m.words);
    if (!m.rows) return NO_MEMORY;
    return colour_rows(cx, g, colour, m.rows) ? IS_PATCH : IS_EMPTY;
}

// How many of n bytes are of a colour, together.
VM_FN u64 count_colour(Context& cx, const i8* bytes, u64 n, i32 colour) {
    const u64 wanted = eight_of(colour), whole = n & ~static_cast<u64>(EIGHT - 1);
    u64 count = 0;
    for (u64 k = lane_of(cx) * EIGHT; k < whole; k += lanes_of(cx) * EIGHT) {
        count += count_bits(zero_bytes(load_eight(bytes + k, EIGHT) ^ wanted));
    }
    for (u64 k = whole + lane_of(cx); k < n; k += lanes_of(cx)) count += bytes[k] == colour;
    return sum_of(cx, count);
}

// The colour that most of n bytes have, the least of several, together; n > 0.
VM_FN i32 most_colour(Context& cx, const i8* bytes, u64 n) {
    // Nearly always a few counts tell: once no other colour can have as many, the rest need not be counted.
    u64 most = 0, left = n;
    i32 found = 0;
    for (i32 colour = 0; colour < 10 && left >= most; colour++) {
        const u64 count = count_colour(cx, bytes, n, colour);
        left -= count;
        if (count > most) {
            most = count;
            found = colour;
        }
    }
    if (!left || left < most) return found;
    most = 0;
    for (i32 colour = LEAST_BYTE - 1; colour <= GREATEST_BYTE; colour++) {  // colours that are none of ARC's
        const u64 count = count_colour(cx, bytes, n, colour);
        if (count > most) {
            most = count;
            found = colour;
        }
    }
    return found;
}

VM_INLINE i32 most_colour(Context& cx, const Grid& g) { return most_colour(cx, g.data, static_cast<u64>(g.h) * g.w); }

// The bytes 0..255 (a colour c is number c + 128) that a grid has, as 256 bits.
struct Colours {
    u64 bits[4];
    VM_FN_MEMBER void add(i32 colour) {
        const u32 k = static_cast<u32>(colour + 128);
        bits[k >> 6] |= static_cast<u64>(1) << (k & 63);
    }
};

// The colours of n bytes, together.
VM_FN Colours colours_of_bytes(Context& cx, const i8* bytes, u64 n) {
    Colours colours{{0, 0, 0, 0}};
    u64 usual = 0, all = 0, last = 0;  // usual: those of 0..63, nearly always all
    const u64 first = lane_of(cx) * EIGHT;
    for (u64 k = first; k < n; k += lanes_of(cx) * EIGHT) {
        const u32 now = static_cast<u32>(least_of<u64>(n - k, EIGHT));
        const u64 eight = load_eight(bytes + k, now);
        if (k != first && eight == last && now == EIGHT) continue;  // much of a grid is background
        last = eight;
        all |= eight;
        for (u32 at = 0; at < now; at++) usual |= static_cast<u64>(1) << ((eight >> (8 * at)) & 63);
    }
    usual = union_of(cx, usual);
    all = union_of(cx, all);
    if (all & (LOW_BITS * 0xC0)) {
        for (u64 k = 0; k < n; k++) colours.add(bytes[k]);
    } else {
        colours.bits[2] = usual;
    }
    return colours;
}

VM_FN Colours colours_of_object(const Patch& p) {
    Colours colours{{0, 0, 0, 0}};
    if (p.colour != MANY_COLOURS) colours.add(p.colour);
    else for_each_bit(p, [&](u32 r, u32 k) { colours.add(p.plane[r * p.w + k]); });
    return colours;
}

// Call f(colour) for each, ascending.
template <class F>
VM_INLINE void for_each_colour(const Colours& colours, F f) {
    for (u32 word = 0; word < 4; word++) {
        for (u64 bits = colours.bits[word]; bits; bits &= bits - 1) {
            f(static_cast<i32>(word * 64 + lowest_bit(bits)) - 128);
        }
    }
}

}  // namespace vm
