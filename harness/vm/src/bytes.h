// Eight bytes, and eight bits, at a time.
#pragma once

#include "platform.h"

namespace vm {

constexpr u64 LOW_BITS = 0x0101010101010101u, HIGH_BITS = 0x8080808080808080u;
constexpr u32 EIGHT = 8;

VM_INLINE u64 first_bits(u32 n) { return n >= 64 ? ~static_cast<u64>(0) : (static_cast<u64>(1) << n) - 1; }

VM_INLINE u64 eight_of(i32 colour) { return LOW_BITS * static_cast<u8>(colour); }

// A GPU reads and writes words where they begin at a multiple of their size only, and its compiler, which cannot know
// that, goes byte by byte. So there, and in its emulation, whole aligned words are read and shifted; what is written is no
// byte more than it should be, since other lanes may write beside it.
#if VM_ALIGNED_WORDS
VM_INLINE u64 address_of(const void* at) { return reinterpret_cast<u64>(at); }

template <class T>
VM_INLINE void put_aligned(i8* at, u64 x) {
    const T part = static_cast<T>(x);
    memcpy(__builtin_assume_aligned(at, sizeof(T)), &part, sizeof(T));
}

// The aligned word at an address. Of its bytes some may be beyond what the caller may read; no word lies on two pages.
VM_INLINE u64 aligned_word(u64 address) {
    u64 x;
    memcpy(&x, __builtin_assume_aligned(reinterpret_cast<const void*>(address), sizeof(u64)), sizeof(u64));
    return x;
}

// n bytes, 1 to EIGHT, and what happens to be behind them.
VM_INLINE u64 shifted_words(const i8* bytes, u32 n) {
    const u64 first = address_of(bytes), last = first + n - 1;
    const u32 by = static_cast<u32>(first & 7) * 8;
    return aligned_word(first & ~static_cast<u64>(7)) >> by | aligned_word(last & ~static_cast<u64>(7)) << 1 << (63 - by);
}

// Up to eight bytes, the first in the lowest place; bytes beyond n are 0.
VM_INLINE u64 load_eight(const i8* bytes, u32 n) {
    if (!n) return 0;
    return n >= EIGHT ? shifted_words(bytes, EIGHT) : shifted_words(bytes, n) & first_bits(8 * n);
}

// Write up to eight bytes, the lowest first.
VM_INLINE void store_eight(i8* bytes, u32 n, u64 x) {
    n = n < EIGHT ? n : EIGHT;
    const auto put = [&](auto part) {
        put_aligned<decltype(part)>(bytes, x);
        bytes += sizeof(part);
        n -= static_cast<u32>(sizeof(part));
        if (sizeof(part) < sizeof(x)) x >>= 8 * sizeof(part) & 63;
    };
    if (address_of(bytes) & 1 && n) put(u8{});
    if (address_of(bytes) & 2 && n >= 2) put(u16{});
    if (address_of(bytes) & 4 && n >= 4) put(u32{});
    if (n == EIGHT) return put(u64{});
    if (n & 4) put(u32{});
    if (n & 2) put(u16{});
    if (n & 1) put(u8{});
}

// Copy n bytes, the first ones first: they may overlap where they go to a lower address.
VM_FN void copy_memory(void* to, const void* from, u64 n) {
    i8* out = static_cast<i8*>(to);
    const i8* in = static_cast<const i8*>(from);
    u64 k = 0;
    if (((address_of(to) | address_of(from)) & 7) == 0) {
        for (; k + 4 * EIGHT <= n; k += 4 * EIGHT) {  // four loads do not wait for each other
            const u64 at = address_of(in + k);
            const u64 x[] = {aligned_word(at), aligned_word(at + 8), aligned_word(at + 16), aligned_word(at + 24)};
            for (u32 word = 0; word < 4; word++) put_aligned<u64>(out + k + word * EIGHT, x[word]);
        }
        for (; k + EIGHT <= n; k += EIGHT) put_aligned<u64>(out + k, aligned_word(address_of(in + k)));
    } else if (n >= EIGHT) {
        k = (0 - address_of(to)) & 7;
        store_eight(out, static_cast<u32>(k), load_eight(in, static_cast<u32>(k)));
        for (; k + EIGHT <= n; k += EIGHT) put_aligned<u64>(out + k, shifted_words(in + k, EIGHT));
    }
    store_eight(out + k, static_cast<u32>(n - k), load_eight(in + k, static_cast<u32>(n - k)));
}

VM_INLINE void move_bytes(void* to, const void* from, u64 n) { copy_memory(to, from, n); }

VM_FN void fill_memory(void* to, i32 byte, u64 n) {
    i8* out = static_cast<i8*>(to);
    const u64 x = eight_of(byte);
    u64 k = least_of((0 - address_of(to)) & 7, n);
    store_eight(out, static_cast<u32>(k), x);
    for (; k + EIGHT <= n; k += EIGHT) put_aligned<u64>(out + k, x);
    store_eight(out + k, static_cast<u32>(n - k), x);
}

VM_FN bool same_bytes(const void* a, const void* b, u64 n) {
    const i8 *x = static_cast<const i8*>(a), *y = static_cast<const i8*>(b);
    u64 k = 0;
    if (((address_of(a) | address_of(b)) & 7) == 0) {
        for (; k + 4 * EIGHT <= n; k += 4 * EIGHT) {
            u64 differ = 0;
            for (u32 word = 0; word < 4; word++) {
                differ |= aligned_word(address_of(x + k) + word * EIGHT) ^ aligned_word(address_of(y + k) + word * EIGHT);
            }
            if (differ) return false;
        }
    }
    for (; k < n; k += EIGHT) {
        const u32 left = static_cast<u32>(least_of<u64>(n - k, EIGHT));
        if (load_eight(x + k, left) != load_eight(y + k, left)) return false;
    }
    return true;
}
#else
VM_INLINE void copy_memory(void* to, const void* from, u64 n) { memcpy(to, from, n); }
VM_INLINE void move_bytes(void* to, const void* from, u64 n) { memmove(to, from, n); }  // to a lower address
VM_INLINE void fill_memory(void* to, i32 byte, u64 n) { memset(to, byte, n); }
VM_INLINE bool same_bytes(const void* a, const void* b, u64 n) { return memcmp(a, b, n) == 0; }

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
#endif

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
    if (VM_ALIGNED_WORDS) return copy_memory(to, from, n);
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
