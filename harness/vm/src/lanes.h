// Lanes: a warp of them evaluates one pair of a unit and a sample. The first leads: it runs the interpreter, and calls
// the others where an operation has work for all. There a loop strides by lane,
//
//     for (u64 k = lane_of(cx); k < n; k += lanes_of(cx)) ...
//
// and the functions below are collectives: all lanes call them, at the same place, with the same operands but for what
// they bring along. Behind a collective each lane sees what the others wrote before it. The same functions run alone,
// with one lane: always on the host, elsewhere wherever only the leader is at work (see alone()).
//
// Three builds: CUDA; the host, where there is no second lane and all of this compiles to nothing; and the host with 32
// lanes (VM_LANES=32), which fibers.h emulates, to find on a machine without a GPU what would be a race or a hang there.
#pragma once

#include "bytes.h"
#include "value.h"

#if VM_LANES > 1 && !defined(__CUDACC__)
#include "fibers.h"
#endif

namespace vm {

#if VM_LANES > 1
VM_INLINE u32 lane_of(const Context& cx) { return cx.lane; }
VM_INLINE u32 lanes_of(const Context& cx) { return cx.lanes; }
#else
constexpr u32 lane_of(const Context&) { return 0; }
constexpr u32 lanes_of(const Context&) { return 1; }
#endif

VM_INLINE bool leads(const Context& cx) { return lane_of(cx) == 0; }

#if VM_LANES > 1

// What the lane `from` has in x, for every lane. T is made of 32-bit words.
template <class T>
VM_INLINE T of_lane(Context& cx, const T& x, u32 from, Site site = VM_HERE) {
    static_assert(sizeof(T) % sizeof(u32) == 0, "it is exchanged by words");
    if (lanes_of(cx) == 1) return x;
#ifdef __CUDACC__
    __syncwarp(ALL_LANES);  // a shuffle or a ballot by itself orders no memory
    u32 words[sizeof(T) / sizeof(u32)];
    memcpy(words, &x, sizeof(T));
    for (u32& word : words) word = __shfl_sync(ALL_LANES, word, static_cast<int>(from));
    T y;
    memcpy(&y, words, sizeof(T));
    return y;
#else
    return exchange(cx.lane, x, site, [&](const auto& get) { return get(from); });
#endif
}

// The sum, or whatever `joined(a, b)` is (associative and commutative), of what the lanes have in x.
template <class T, class F>
VM_INLINE T of_all(Context& cx, const T& x, F joined, Site site = VM_HERE) {
    if (lanes_of(cx) == 1) return x;
#ifdef __CUDACC__
    __syncwarp(ALL_LANES);
    T y = x;
    for (u32 distance = VM_LANES / 2; distance; distance /= 2) {
        u32 words[sizeof(T) / sizeof(u32)];
        memcpy(words, &y, sizeof(T));
        for (u32& word : words) word = __shfl_xor_sync(ALL_LANES, word, static_cast<int>(distance));
        T other;
        memcpy(&other, words, sizeof(T));
        y = joined(y, other);
    }
    return y;
#else
    return exchange(cx.lane, x, site, [&](const auto& get) {
        T y = get(0);
        for (u32 k = 1; k < VM_LANES; k++) y = joined(y, get(k));
        return y;
    });
#endif
}

// Bit k: whether lane k has x.
VM_INLINE u32 lanes_with(Context& cx, bool x, Site site = VM_HERE) {
    if (lanes_of(cx) == 1) return x;
#ifdef __CUDACC__
    __syncwarp(ALL_LANES);
    return __ballot_sync(ALL_LANES, x);
#else
    return exchange(cx.lane, static_cast<u32>(x), site, [&](const auto& get) {
        u32 bits = 0;
        for (u32 k = 0; k < VM_LANES; k++) bits |= get(k) << k;
        return bits;
    });
#endif
}

// What the lanes before this one have in x, added up; and what all have, in `total`.
VM_INLINE u32 sum_before(Context& cx, u32 x, u32& total, Site site = VM_HERE) {
    if (lanes_of(cx) == 1) {
        total = x;
        return 0;
    }
#ifdef __CUDACC__
    __syncwarp(ALL_LANES);
    u32 sum = x;
    for (u32 distance = 1; distance < VM_LANES; distance *= 2) {
        const u32 before = __shfl_up_sync(ALL_LANES, sum, distance);
        if (cx.lane >= distance) sum += before;
    }
    total = __shfl_sync(ALL_LANES, sum, VM_LANES - 1);
    return sum - x;
#else
    return exchange(cx.lane, x, site, [&](const auto& get) {
        u32 before = 0;
        total = 0;
        for (u32 k = 0; k < VM_LANES; k++) {
            if (k == cx.lane) before = total;
            total += get(k);
        }
        return before;
    });
#endif
}

// Wait for all lanes: what each wrote before is seen by all behind.
VM_INLINE void sync(Context& cx, Site site = VM_HERE) {
    if (lanes_of(cx) == 1) return;
#ifdef __CUDACC__
    __syncwarp(ALL_LANES);
#else
    exchange(cx.lane, static_cast<u32>(0), site, [](const auto&) { return 0; });
#endif
}

#else

template <class T>
VM_INLINE T of_lane(Context&, const T& x, u32, Site = VM_HERE) { return x; }
template <class T, class F>
VM_INLINE T of_all(Context&, const T& x, F, Site = VM_HERE) { return x; }
VM_INLINE u32 lanes_with(Context&, bool x, Site = VM_HERE) { return x; }
VM_INLINE u32 sum_before(Context&, u32 x, u32& total, Site = VM_HERE) {
    total = x;
    return 0;
}
VM_INLINE void sync(Context&, Site = VM_HERE) {}

#endif

template <class T>
VM_INLINE T sum_of(Context& cx, const T& x, Site site = VM_HERE) {
    return of_all(cx, x, [](T a, T b) { return static_cast<T>(a + b); }, site);
}
template <class T>
VM_INLINE T union_of(Context& cx, const T& x, Site site = VM_HERE) {
    return of_all(cx, x, [](T a, T b) { return static_cast<T>(a | b); }, site);
}
template <class T>
VM_INLINE T least_of_all(Context& cx, const T& x, Site site = VM_HERE) {
    return of_all(cx, x, [](T a, T b) { return b < a ? b : a; }, site);
}
template <class T>
VM_INLINE T greatest_of_all(Context& cx, const T& x, Site site = VM_HERE) {
    return of_all(cx, x, [](T a, T b) { return a < b ? b : a; }, site);
}

// What lanes may do to one place at the same time: these are no collectives.

VM_INLINE void set_bits(u64& word, u64 bits) {
#ifdef __CUDACC__
    atomicOr(&word, bits);
#elif VM_LANES > 1
    __atomic_fetch_or(&word, bits, __ATOMIC_RELAXED);
#else
    word |= bits;
#endif
}

// Write a byte; of those that several lanes write there, one stays.
VM_INLINE void put_byte(i8& at, i8 x) {
#if VM_LANES > 1 && !defined(__CUDACC__)
    __atomic_store_n(&at, x, __ATOMIC_RELAXED);
#else
    at = x;
#endif
}

// Each of them returns what was there before. T is u32 or u64.
template <class T>
VM_INLINE T add_at(T& at, T x) {
#ifdef __CUDACC__
    return atomicAdd(&at, x);
#elif VM_LANES > 1
    return __atomic_fetch_add(&at, x, __ATOMIC_RELAXED);
#else
    const T was = at;
    at += x;
    return was;
#endif
}

#if VM_LANES > 1 && !defined(__CUDACC__)
template <class T, class F>
VM_INLINE T change_at(T& at, T x, F goes_before) {
    T was = __atomic_load_n(&at, __ATOMIC_RELAXED);
    while (goes_before(x, was) &&
           !__atomic_compare_exchange_n(&at, &was, x, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
    return was;
}
#endif

template <class T>
VM_INLINE T lower_at(T& at, T x) {
#ifdef __CUDACC__
    return atomicMin(&at, x);
#elif VM_LANES > 1
    return change_at(at, x, [](T a, T b) { return a < b; });
#else
    const T was = at;
    at = x < was ? x : was;
    return was;
#endif
}

template <class T>
VM_INLINE T raise_at(T& at, T x) {
#ifdef __CUDACC__
    return atomicMax(&at, x);
#elif VM_LANES > 1
    return change_at(at, x, [](T a, T b) { return b < a; });
#else
    const T was = at;
    at = was < x ? x : was;
    return was;
#endif
}

// Read what other lanes change by these.
VM_INLINE u32 read_at(const u32& at) {
#ifdef __CUDACC__
    return *static_cast<const volatile u32*>(&at);
#elif VM_LANES > 1
    return __atomic_load_n(&at, __ATOMIC_RELAXED);
#else
    return at;
#endif
}

// Copy, or clear, together: each lane does a part. Others see it behind the next collective. Words where they begin at
// words, as nearly all do.
VM_INLINE void copy_together(Context& cx, void* to, const void* from, u64 bytes) {
    if (lanes_of(cx) == 1) {
        copy_memory(to, from, bytes);
        return;
    }
    u64 done = 0;
    if (((reinterpret_cast<u64>(to) | reinterpret_cast<u64>(from)) & (sizeof(u64) - 1)) == 0) {
        const u64 words = bytes / sizeof(u64);
        for (u64 k = lane_of(cx); k < words; k += lanes_of(cx)) {
            static_cast<u64*>(to)[k] = static_cast<const u64*>(from)[k];
        }
        done = words * sizeof(u64);
    }
    for (u64 k = done + lane_of(cx); k < bytes; k += lanes_of(cx)) {
        static_cast<u8*>(to)[k] = static_cast<const u8*>(from)[k];
    }
}

VM_INLINE void clear_together(Context& cx, u64* words, u64 n) {
    if (lanes_of(cx) == 1) {
        fill_memory(words, 0, n * sizeof(u64));
        return;
    }
    for (u64 k = lane_of(cx); k < n; k += lanes_of(cx)) words[k] = 0;
}

// What the leader knows after it did something alone, for all lanes: x, and where its arena and its marks are.
template <class T>
VM_INLINE T agree(Context& cx, const T& x, Site site = VM_HERE) {
#if VM_LANES > 1
    if (lanes_of(cx) == 1) return x;
    struct {
        T x;
        u8 *top, *end;
        u64 too_deep;
    } known{x, cx.arena.top, cx.arena.end, cx.too_deep};
    known = of_lane(cx, known, 0, site);
    cx.arena.top = known.top;
    cx.arena.end = known.end;
    cx.too_deep = known.too_deep != 0;
    return known.x;
#else
    (void)cx;
    (void)site;
    return x;
#endif
}

// Let the leader do what is not worth sharing, or cannot be: f(cx) runs without collectives; its result is for all.
template <class F>
VM_INLINE auto alone(Context& cx, F f, Site site = VM_HERE) -> decltype(f(cx)) {
#if VM_LANES > 1
    if (lanes_of(cx) == 1) return f(cx);
    decltype(f(cx)) x{};
    sync(cx, site);  // the leader sees what the others wrote
    if (leads(cx)) {
        cx.lanes = 1;
        x = f(cx);
        cx.lanes = VM_LANES;
    }
    return agree(cx, x, site);
#else
    (void)site;
    return f(cx);
#endif
}

// f(cx), together where all lanes can do it, else by the leader alone.
template <class F>
VM_INLINE auto shared_if(Context& cx, bool can, F f, Site site = VM_HERE) -> decltype(f(cx)) {
#if VM_LANES > 1
    if (lanes_of(cx) > 1 && !can) return alone(cx, f, site);
#else
    (void)can;
    (void)site;
#endif
    return f(cx);
}

}  // namespace vm
