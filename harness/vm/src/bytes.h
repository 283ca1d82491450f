// Eight bytes, and eight bits, at a time.
#pragma once

#include "platform.h"

namespace vm {

constexpr u64 LOW_BITS = 0x0101010101010101u, HIGH_BITS = 0x8080808080808080u;
constexpr u32 EIGHT = 8;

VM_INLINE u64 first_bits(u32 n) { return n >= 64 ? ~static_cast<u64>(0) : (static_cast<u64>(1) << n) - 1; }

VM_INLINE u64 eight_of(i32 colour) { return LOW_BITS * static_cast<u8>(colour); }

// Up to eight bytes, the first in the lowest place; bytes beyond n are 0.
VM_INLINE u64 load_eight(const i8* bytes, u32 n) {
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
VM_INLINE void store_eight(i8* bytes, u32 n, u64 x) {
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
VM_INLINE u64 zero_bytes(u64 x) { return ~(((x & ~HIGH_BITS) + ~HIGH_BITS) | x) & HIGH_BITS; }

// One bit for each high bit, the first byte's lowest.
VM_INLINE u64 gather(u64 high_bits) { return ((high_bits >> 7) * 0x0102040810204080u) >> 56; }

VM_INLINE u64 swap_bytes(u64 x) {
    x = ((x >> 8) & 0x00FF00FF00FF00FFu) | ((x & 0x00FF00FF00FF00FFu) << 8);
    x = ((x >> 16) & 0x0000FFFF0000FFFFu) | ((x & 0x0000FFFF0000FFFFu) << 16);
    return (x >> 32) | (x << 32);
}

VM_INLINE u64 swap_bits(u64 x) {
    x = ((x >> 1) & 0x5555555555555555u) | ((x & 0x5555555555555555u) << 1);
    x = ((x >> 2) & 0x3333333333333333u) | ((x & 0x3333333333333333u) << 2);
    x = ((x >> 4) & 0x0F0F0F0F0F0F0F0Fu) | ((x & 0x0F0F0F0F0F0F0F0Fu) << 4);
    return swap_bytes(x);
}

// 0xFF for each of the eight lowest bits that is set, 0 for the others.
VM_INLINE u64 spread(u64 bits) {
    const u64 one_each = ((bits & 0xFF) * LOW_BITS) & 0x8040201008040201u;
    const u64 ones = ((one_each + ~HIGH_BITS) & HIGH_BITS) >> 7;
    return (ones << 8) - ones;
}

// Copy a row of n bytes; quicker than memcpy for as few as these are. They do not overlap.
VM_INLINE void copy_bytes(i8* to, const i8* from, u64 n) {
    if (n < EIGHT) return store_eight(to, static_cast<u32>(n), load_eight(from, static_cast<u32>(n)));
    for (u64 k = 0; k + EIGHT < n; k += EIGHT) store_eight(to + k, EIGHT, load_eight(from + k, EIGHT));
    store_eight(to + (n - EIGHT), EIGHT, load_eight(from + (n - EIGHT), EIGHT));  // some of it once more
}

// Copy n bytes backwards; they do not overlap.
VM_INLINE void reverse_bytes(i8* to, const i8* from, u64 n) {
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

VM_INLINE bool all_same(const i8* bytes, u64 n) { return n > 0 && same_bytes(bytes, bytes + 1, n - 1); }

}  // namespace vm
