// The threads of an engine, which wait for work between evaluations, and how they share it.
#pragma once

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <functional>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "platform.h"

namespace vm {

constexpr u64 CACHE_LINE = 64;

// Let the other thread of a core have it for a moment.
inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    std::this_thread::yield();
#endif
}

constexpr int WAKING = 40;      // microseconds that the system takes to wake a thread
constexpr int BETWEEN = 1'000;  // microseconds to look for what is known to come: the next pass of a job

// Look for `done` for so many microseconds.
template <class Done>
bool spin(int microseconds, Done done) {
    const auto most = std::chrono::microseconds(microseconds);
    constexpr int looks = 64;  // from one look at the clock to the next
    const auto start = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - start < most) {
        for (int k = 0; k < looks; k++) {
            if (done()) return true;
            relax();
        }
    }
    return false;
}

// Threads that stay. Nobody waits for one to begin: whoever comes when all is done finds nothing to do. So a short
// task does not take the time that waking threads takes.
class Threads {
public:
    Threads() = default;
    Threads(const Threads&) = delete;
    Threads& operator=(const Threads&) = delete;

    ~Threads() {
        {
            const std::lock_guard<std::mutex> lock(mutex_);
            stop_ = true;
            task_number_.fetch_add(1);
        }
        wake_.notify_all();
        for (auto& thread : threads_) thread.join();
    }

    // Whether they are in this process, and not in one that this was forked off from.
    bool are_here() const { return getpid() == process_; }

    // Call work(k) for each k below `count`, for 0 in this thread, for each other in a thread of its own; or not at all
    // where that one does not come before the others are done. `work` throws nothing. Threads look for more to do, or
    // for the others' end, for `patience` microseconds before they have themselves woken.
    void run(u32 count, const std::function<void(u32)>& work, int patience = WAKING) {
        patience_.store(patience);
        if (count > 1) {
            make(count - 1);
            const std::lock_guard<std::mutex> lock(mutex_);
            work_ = &work;
            count_ = count;
            task_number_.fetch_add(1);
        }
        if (count > 1 && parked_.load()) wake_.notify_all();
        work(0);
        if (count <= 1) return;
        std::unique_lock<std::mutex> lock(mutex_);
        work_ = nullptr;
        if (!busy_.load()) return;
        lock.unlock();
        if (spin(patience, [&] { return !busy_.load(); })) return;
        lock.lock();
        done_.wait(lock, [&] { return !busy_.load(); });
    }

private:
    // Have so many threads, or as many as the system gives.
    void make(u32 count) {
        if (threads_.size() >= count) return;
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are for the threads of the program
        try {
            while (threads_.size() < count) {
                const u32 number = static_cast<u32>(threads_.size()) + 1;
                threads_.emplace_back([this, number, seen = task_number_.load()] { live(number, seen); });
            }
        } catch (const std::system_error&) {  // fewer do it as well
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }

    void live(u32 number, u64 seen) {
        while (true) {
            if (!spin(patience_.load(), [&] { return task_number_.load() != seen; })) {
                std::unique_lock<std::mutex> lock(mutex_);
                parked_.fetch_add(1);
                wake_.wait(lock, [&] { return task_number_.load() != seen; });
                parked_.fetch_sub(1);
            }
            const std::function<void(u32)>* work = nullptr;
            {
                const std::lock_guard<std::mutex> lock(mutex_);
                if (stop_) return;
                seen = task_number_.load();
                if (work_ && number < count_) {
                    work = work_;
                    busy_.fetch_add(1);
                }
            }
            if (!work) continue;
            (*work)(number);
            const std::lock_guard<std::mutex> lock(mutex_);
            if (busy_.fetch_sub(1) == 1) done_.notify_one();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_, done_;
    const std::function<void(u32)>* work_ = nullptr;  // null when no thread may begin any more
    u32 count_ = 0;
    bool stop_ = false;
    std::atomic<u64> task_number_{0};
    std::atomic<u32> busy_{0}, parked_{0};  // threads at work; threads that have to be woken
    std::atomic<int> patience_{WAKING};
    const pid_t process_ = getpid();
    std::vector<std::thread> threads_;
};

// Threads of the process that uses them: one that was forked off makes its own, and leaves alone what it cannot end.
class OwnThreads {
public:
    OwnThreads() = default;
    OwnThreads(const OwnThreads&) = delete;
    OwnThreads& operator=(const OwnThreads&) = delete;
    ~OwnThreads() { leave_others(); }

    Threads& get() {
        leave_others();
        if (!own_) own_ = std::make_unique<Threads>();
        return *own_;
    }

private:
    void leave_others() {
        if (own_ && !own_->are_here()) static_cast<void>(own_.release());
    }

    std::unique_ptr<Threads> own_;
};

// Numbers from 0 on, shared by threads. Each has a part of its own, side by side, so that it meets the same programs and
// samples in one evaluation as in the next, and its caches have them. Who is done takes half of what another has left.
class Shares {
public:
    // Give each of `threads` as much; there are fewer than 2**32 numbers.
    Shares(u64 count, u32 threads) : parts_(threads) {
        for (u32 k = 0; k < threads; k++) put(parts_[k], count * k / threads, count * (k + 1) / threads);
    }

    // Take some numbers for a thread, [first, end): few, since costly ones are often neighbours, and one at a time when few
    // are left, for others to take. False when there are none left.
    bool take(u32 thread, u64& first, u64& end) {
        constexpr u64 most = 4, steps = 32;
        Part& own = parts_[thread];
        while (true) {
            u64 range = own.range.load(std::memory_order_relaxed);
            while (begin_of(range) < end_of(range)) {
                first = begin_of(range);
                end = first + least_of(most, (end_of(range) - first) / steps + 1);
                if (own.range.compare_exchange_weak(range, packed(end, end_of(range)))) return true;
            }
            if (!steal(own)) return false;
        }
    }

    // Leave nothing to take.
    void clear() {
        for (auto& part : parts_) part.range.store(0);
    }

private:
    struct alignas(CACHE_LINE) Part {
        std::atomic<u64> range{0};
    };

    static u64 packed(u64 begin, u64 end) { return begin << 32 | end; }
    static u64 begin_of(u64 range) { return range >> 32; }
    static u64 end_of(u64 range) { return range & 0xFFFFFFFFu; }
    static void put(Part& part, u64 begin, u64 end) { part.range.store(packed(begin, end)); }

    // Give `own` the second half of the longest part that another has. False if all are empty.
    bool steal(Part& own) {
        while (true) {
            Part* longest = nullptr;
            u64 seen = 0, length = 0;
            for (auto& part : parts_) {
                const u64 range = part.range.load();
                if (end_of(range) - begin_of(range) <= length || begin_of(range) >= end_of(range)) continue;
                longest = &part;
                seen = range;
                length = end_of(range) - begin_of(range);
            }
            if (!longest) return false;
            const u64 middle = begin_of(seen) + length / 2;
            if (!longest->range.compare_exchange_strong(seen, packed(begin_of(seen), middle))) continue;
            put(own, middle, end_of(seen));
            return true;
        }
    }

    std::vector<Part> parts_;
};

}  // namespace vm
