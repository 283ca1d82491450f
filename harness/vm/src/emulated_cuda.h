// As much of CUDA as kernels.cu uses, on the host, with the fibers of a warp as the threads of a block; for tests.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "fibers.h"

namespace vm {

struct Index {
    u32 x;
};
static thread_local Index blockIdx{0}, gridDim{0};
constexpr Index blockDim{VM_LANES};
#define threadIdx (vm::Index{vm::Warp::lane().load(std::memory_order_relaxed)})
#define __shared__ static thread_local
constexpr u32 ALL_LANES = 0xFFFFFFFF;

template <class T>
T atomicAdd(T* at, T x) { return __atomic_fetch_add(at, x, __ATOMIC_RELAXED); }
template <class T>
T atomicOr(T* at, T x) { return __atomic_fetch_or(at, x, __ATOMIC_RELAXED); }
template <class T>
T atomicMax(T* at, T x) {
    T was = __atomic_load_n(at, __ATOMIC_RELAXED);
    while (was < x && !__atomic_compare_exchange_n(at, &was, x, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
    return was;
}

template <class T>
T __shfl_sync(u32, T x, u32 from, Site site = VM_HERE) {
    return exchange(Warp::lane().load(std::memory_order_relaxed), x, site, [&](const auto& get) { return get(from); });
}
inline void __syncwarp(u32, Site site = VM_HERE) {
    exchange(Warp::lane().load(std::memory_order_relaxed), static_cast<u32>(0), site, [](const auto&) { return 0; });
}
inline void __syncthreads(Site site = VM_HERE) { __syncwarp(ALL_LANES, site); }  // a block is a warp

inline u64 nanoseconds() {
    return static_cast<u64>(std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}
inline u32 multiprocessor() { return blockIdx.x % 32; }

// Run a kernel's blocks on some threads of the host. Throws what a block throws.
template <class F>
void launch(u32 blocks, F kernel) {
    constexpr u32 most_threads = 3;
    std::atomic<u32> next{0};
    std::mutex mutex;
    std::string error;
    const auto work = [&] {
        static thread_local Warp warp;
        try {
            for (u32 block = next++; block < blocks; block = next++) {
                blockIdx.x = block;
                gridDim.x = blocks;
                warp.run([&](u32) { kernel(); });
            }
        } catch (const std::exception& thrown) {
            const std::lock_guard<std::mutex> lock(mutex);
            error = thrown.what();
        }
    };
    std::vector<std::thread> threads;
    for (u32 k = 0; k < std::min(blocks, most_threads); k++) threads.emplace_back(work);
    for (auto& thread : threads) thread.join();
    if (!error.empty()) throw std::runtime_error(error);
}

}  // namespace vm
