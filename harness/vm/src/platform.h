// What differs between the host and CUDA. Everything else is the same source for both: no allocation but from the
// arena, no recursion beyond templates of bounded depth, no exceptions, no library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#ifdef __CUDACC__
#define VM_FN __device__ static inline
#define VM_FN_MEMBER __device__ inline
#define VM_INLINE_MEMBER __device__ __forceinline__
#define VM_NOINLINE_MEMBER __device__ __noinline__
#define VM_FN_STATIC __device__ static
#define VM_NOINLINE __device__ static __noinline__
#else
#define VM_FN static inline
#define VM_FN_MEMBER inline
#define VM_INLINE_MEMBER inline __attribute__((always_inline))
#define VM_NOINLINE_MEMBER __attribute__((noinline))
#define VM_FN_STATIC static inline
#define VM_NOINLINE static __attribute__((noinline))
#endif

namespace vm {

using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;

#ifdef __CUDACC__
VM_FN u32 count_bits(u64 x) { return static_cast<u32>(__popcll(x)); }
VM_FN u32 lowest_bit(u64 x) { return static_cast<u32>(__ffsll(static_cast<long long>(x)) - 1); }
VM_FN u32 highest_bit(u64 x) { return 63u - static_cast<u32>(__clzll(static_cast<long long>(x))); }
#else
VM_FN u32 count_bits(u64 x) { return static_cast<u32>(__builtin_popcountll(x)); }
VM_FN u32 lowest_bit(u64 x) { return static_cast<u32>(__builtin_ctzll(x)); }    // x != 0
VM_FN u32 highest_bit(u64 x) { return 63u - static_cast<u32>(__builtin_clzll(x)); }  // x != 0
#endif

#ifdef __CUDACC__
VM_FN bool same_bytes(const void* a, const void* b, u64 n) {
    const u8 *x = static_cast<const u8*>(a), *y = static_cast<const u8*>(b);
    for (u64 k = 0; k < n; k++) {
        if (x[k] != y[k]) return false;
    }
    return true;
}
#else
VM_FN bool same_bytes(const void* a, const void* b, u64 n) { return memcmp(a, b, n) == 0; }
#endif

template <class T>
VM_FN T least_of(T a, T b) { return b < a ? b : a; }
template <class T>
VM_FN T greatest_of(T a, T b) { return a < b ? b : a; }

}  // namespace vm
