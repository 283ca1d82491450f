// What differs between the host and CUDA. Everything else is the same source for both: no allocation but from the
// arena, no recursion beyond templates of bounded depth, no exceptions, no library.
#pragma once

#ifndef __CUDACC_RTC__  // NVRTC has no standard headers, and memcpy and memset without them
#include <cstddef>
#include <cstdint>
#include <cstring>
#endif

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

// VM_FN is any function; VM_INLINE a short one, or one that takes a lambda; VM_NOINLINE one that is better apart. On CUDA
// only the short ones are inlined: else it would be an hour's work for the compiler, and too much code for the caches.
#ifdef __CUDACC__
#define VM_FN __device__ static __noinline__
#define VM_INLINE __device__ static inline
#define VM_NOINLINE VM_FN
#define VM_FN_MEMBER __device__ inline
#define VM_INLINE_MEMBER __device__ __forceinline__
#define VM_NOINLINE_MEMBER __device__ __noinline__
#define VM_FN_STATIC __device__ static
#else
#define VM_FN static inline
#define VM_INLINE static inline
#define VM_NOINLINE static __attribute__((noinline))
#define VM_FN_MEMBER inline
#define VM_INLINE_MEMBER inline __attribute__((always_inline))
#define VM_NOINLINE_MEMBER __attribute__((noinline))
#define VM_FN_STATIC static inline
#endif

#ifdef __CUDACC__
#define VM_LANES 32
#elif !defined(VM_LANES)
#define VM_LANES 1
#endif

// Whether memory is copied and compared as CUDA does it (bytes.h). Sanitizers, which know bytes, get the host's way.
#if VM_LANES > 1 && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define VM_ALIGNED_WORDS 1
#else
#define VM_ALIGNED_WORDS 0
#endif

namespace vm {

#ifdef __CUDACC_RTC__
#define INT8_MIN (-128)
#define UINT8_MAX 255
#define INT32_MAX 2147483647
#define INT32_MIN (-2147483647 - 1)
#define UINT32_MAX 4294967295u
#define INT64_MAX 9223372036854775807LL
#define INT64_MIN (-9223372036854775807LL - 1)
#define UINT64_MAX 18446744073709551615ull
using i8 = signed char;
using i16 = short;
using i32 = int;
using i64 = long long;
using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
#else
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
#endif

#ifdef __CUDACC__
VM_INLINE u32 count_bits(u64 x) { return static_cast<u32>(__popcll(x)); }
VM_INLINE u32 lowest_bit(u64 x) { return static_cast<u32>(__ffsll(static_cast<long long>(x)) - 1); }
VM_INLINE u32 highest_bit(u64 x) { return 63u - static_cast<u32>(__clzll(static_cast<long long>(x))); }
#else
VM_INLINE u32 count_bits(u64 x) { return static_cast<u32>(__builtin_popcountll(x)); }
VM_INLINE u32 lowest_bit(u64 x) { return static_cast<u32>(__builtin_ctzll(x)); }    // x != 0
VM_INLINE u32 highest_bit(u64 x) { return 63u - static_cast<u32>(__builtin_clzll(x)); }  // x != 0
#endif

#ifdef __CUDACC__
constexpr u32 ALL_LANES = 0xFFFFFFFF;
struct Site {};  // a GPU does not say where it hangs
#define VM_HERE \
    Site {}
#elif VM_LANES > 1
struct Site {
    const char* file;
    int line;
    constexpr Site(const char* in = "", int at = 0) : file(in), line(at) {}
};
#define VM_HERE Site(__builtin_FILE(), __builtin_LINE())  // as a default argument, unless in braces: where it is called
#else
struct Site {};
#define VM_HERE \
    Site {}
#endif

template <class T>
VM_INLINE T least_of(T a, T b) { return b < a ? b : a; }
template <class T>
VM_INLINE T greatest_of(T a, T b) { return a < b ? b : a; }

}  // namespace vm
