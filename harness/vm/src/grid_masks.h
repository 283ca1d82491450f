// Bytes of a grid and bits of a mask, eight at a time: colours to bits, bits to colours, counts of colours.
#pragma once

#include "grid.h"

namespace vm {

constexpr u64 LOW_BITS = 0x0101010101010101u, HIGH_BITS = 0x8080808080808080u;
constexpr u32 EIGHT = 8;

VM_FN u64 first_bits(u32 n) { return n >= 64 ? ~static_cast<u64>(0) : (static_cast<u64>(1) << n) - 1; }

VM_FN u64 eight_of(i32 colour) { return LOW_BITS * static_cast<u8>(colour); }

// Up to eight bytes, the first in the lowest place; bytes beyond n are 0.
VM_FN u64 load_eight(const i8* bytes, u32 n) {
    u64 x = 0;
    if (n >= EIGHT) {
        memcpy(&x, bytes, EIGHT);
        return x;
    }
    u32 k = 0;
    if (n & 4) {
        u32 four;
        memcpy(&four, bytes, 4);
        x = four;
        k = 4;
    }
    if (n & 2) {
        u16 two;
        memcpy(&two, bytes + k, 2);
        x |= static_cast<u64>(two) << (8 * k);
        k += 2;
    }
    if (n & 1) x |= static_cast<u64>(static_cast<u8>(bytes[k])) << (8 * k);
    return x;
}

// Write up to eight bytes, the lowest first.
VM_FN void store_eight(i8* bytes, u32 n, u64 x) {
    if (n >= EIGHT) {
        memcpy(bytes, &x, EIGHT);
        return;
    }
    if (n & 4) {
        const u32 four = static_cast<u32>(x);
        memcpy(bytes, &four, 4);
        bytes += 4;
        x >>= 32;
    }
    if (n & 2) {
        const u16 two = static_cast<u16>(x);
        memcpy(bytes, &two, 2);
        bytes += 2;
        x >>= 16;
    }
    if (n & 1) *bytes = static_cast<i8>(static_cast<u8>(x));
}

// The high bit of every byte that is 0; the other bits are 0.
VM_FN u64 zero_bytes(u64 x) { return ~(((x & ~HIGH_BITS) + ~HIGH_BITS) | x) & HIGH_BITS; }

// One bit for each high bit, the first byte's lowest.
VM_FN u64 gather(u64 high_bits) { return ((high_bits >> 7) * 0x0102040810204080u) >> 56; }

VM_FN u64 swap_bytes(u64 x) {
    x = ((x >> 8) & 0x00FF00FF00FF00FFu) | ((x & 0x00FF00FF00FF00FFu) << 8);
    x = ((x >> 16) & 0x0000FFFF0000FFFFu) | ((x & 0x0000FFFF0000FFFFu) << 16);
    return (x >> 32) | (x << 32);
}

VM_FN u64 swap_bits(u64 x) {
    x = ((x >> 1) & 0x5555555555555555u) | ((x & 0x5555555555555555u) << 1);
    x = ((x >> 2) & 0x3333333333333333u) | ((x & 0x3333333333333333u) << 2);
    x = ((x >> 4) & 0x0F0F0F0F0F0F0F0Fu) | ((x & 0x0F0F0F0F0F0F0F0Fu) << 4);
    return swap_bytes(x);
}

// 0xFF for each of the eight lowest bits that is set, 0 for the others.
VM_FN u64 spread(u64 bits) {
    const u64 one_each = ((bits & 0xFF) * LOW_BITS) & 0x8040201008040201u;
    const u64 ones = ((one_each + ~HIGH_BITS) & HIGH_BITS) >> 7;
    return (ones << 8) - ones;
}

// Copy a row of n bytes; quicker than memcpy for as few as these are. They do not overlap.
VM_FN void copy_bytes(i8* to, const i8* from, u64 n) {
    if (n < EIGHT) return store_eight(to, static_cast<u32>(n), load_eight(from, static_cast<u32>(n)));
    for (u64 k = 0; k + EIGHT < n; k += EIGHT) store_eight(to + k, EIGHT, load_eight(from + k, EIGHT));
    store_eight(to + (n - EIGHT), EIGHT, load_eight(from + (n - EIGHT), EIGHT));  // some of it once more
}

// Copy n bytes backwards; they do not overlap.
VM_FN void reverse_bytes(i8* to, const i8* from, u64 n) {
    if (!n) return;
    if (n < EIGHT) {
        const u32 few = static_cast<u32>(n);
        return store_eight(to, few, swap_bytes(load_eight(from, few)) >> (64 - 8 * few));
    }
    for (u64 k = 0; k + EIGHT < n; k += EIGHT) {
        store_eight(to + k, EIGHT, swap_bytes(load_eight(from + (n - EIGHT - k), EIGHT)));
    }
    store_eight(to + (n - EIGHT), EIGHT, swap_bytes(load_eight(from, EIGHT)));
}

VM_FN bool all_same(const i8* bytes, u64 n) { return n > 0 && same_bytes(bytes, bytes + 1, n - 1); }

// Put the cells of one colour of a grid into rows of (w + 63) / 64 words, and return whether there is any.
VM_FN bool colour_rows(const Grid& g, i32 colour, u64* rows) {
    const u32 words = (g.w + 63) / 64;
    const u64 wanted = eight_of(colour);
    const i8* end = g.data + static_cast<u64>(g.h) * g.w;
    u64 any = 0;
    for (u32 r = 0; r < g.h; r++) {
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
    return any != 0;
}

// The mask of a colour of a grid, at most MOST_ROWS x MOST_COLUMNS; IS_EMPTY if no cell has it.
VM_FN Form colour_mask(Context& cx, const Grid& g, i32 colour, Mask& m) {
    if (g.h > MOST_ROWS || g.w > MOST_COLUMNS) return IS_UNKNOWN;
    m = Mask{0, 0, g.h, g.w, (g.w + 63) / 64, nullptr, nullptr};
    m.rows = allocate_array<u64>(cx, static_cast<u64>(g.h) * m.words);
    if (!m.rows) return NO_MEMORY;
    return colour_rows(g, colour, m.rows) ? IS_PATCH : IS_EMPTY;
}

// How many of n bytes are of a colour.
VM_FN u64 count_colour(const i8* bytes, u64 n, i32 colour) {
    const u64 wanted = eight_of(colour);
    u64 count = 0, k = 0;
    for (; k + EIGHT <= n; k += EIGHT) count += count_bits(zero_bytes(load_eight(bytes + k, EIGHT) ^ wanted));
    for (; k < n; k++) count += bytes[k] == colour;
    return count;
}

// The colour that most of n bytes have, the least of several; n > 0.
VM_FN i32 most_colour(const i8* bytes, u64 n) {
    // Nearly always a few counts tell: once no other colour can have as many, the rest need not be counted.
    u64 most = 0, left = n;
    i32 found = 0;
    for (i32 colour = 0; colour < 10 && left >= most; colour++) {
        const u64 count = count_colour(bytes, n, colour);
        left -= count;
        if (count > most) {
            most = count;
            found = colour;
        }
    }
    if (!left || left < most) return found;
    most = 0;
    for (i32 colour = LEAST_BYTE - 1; colour <= GREATEST_BYTE; colour++) {  // colours that are none of ARC's
        const u64 count = count_colour(bytes, n, colour);
        if (count > most) {
            most = count;
            found = colour;
        }
    }
    return found;
}

VM_FN i32 most_colour(const Grid& g) { return most_colour(g.data, static_cast<u64>(g.h) * g.w); }

// The bytes 0..255 (a colour c is number c + 128) that a grid has, as 256 bits.
struct Colours {
    u64 bits[4];
    VM_FN_MEMBER void add(i32 colour) {
        const u32 k = static_cast<u32>(colour + 128);
        bits[k >> 6] |= static_cast<u64>(1) << (k & 63);
    }
};

VM_FN Colours colours_of_bytes(const i8* bytes, u64 n) {
    Colours colours{{0, 0, 0, 0}};
    u64 usual = 0, all = 0, last = 0;  // usual: those of 0..63, nearly always all
    for (u64 k = 0; k < n; k += EIGHT) {
        const u32 now = static_cast<u32>(least_of<u64>(n - k, EIGHT));
        const u64 eight = load_eight(bytes + k, now);
        if (k && eight == last && now == EIGHT) continue;  // much of a grid is background
        last = eight;
        all |= eight;
        for (u32 at = 0; at < now; at++) usual |= static_cast<u64>(1) << ((eight >> (8 * at)) & 63);
    }
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
VM_FN void for_each_colour(const Colours& colours, F f) {
    for (u32 word = 0; word < 4; word++) {
        for (u64 bits = colours.bits[word]; bits; bits &= bits - 1) {
            f(static_cast<i32>(word * 64 + lowest_bit(bits)) - 128);
        }
    }
}

}  // namespace vm
