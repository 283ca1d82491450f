// The lanes of a warp on the host: fibers of one thread that take turns, with a barrier in each collective. For tests.
//
// Lanes run one at a time, each from collective to collective, in an order that changes. Where they do not all come to
// the same collective, run() throws, saying where each kind of them was: on a GPU that would hang, or worse. Under
// ThreadSanitizer a switch of fibers orders nothing, only a collective does; so it reports what one lane writes and
// another touches without a collective between. With VM_STRICT no lane can touch the stack of another, which on a
// GPU is its own memory under the same addresses: one that does ends the process.
#pragma once

#ifdef VM_STRICT
#include <sys/mman.h>
#endif

#include <ucontext.h>

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "platform.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#define VM_RELEASE(at) __tsan_release(at)
#define VM_ACQUIRE(at) __tsan_acquire(at)
extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#else
#define VM_RELEASE(at) static_cast<void>(at)
#define VM_ACQUIRE(at) static_cast<void>(at)
#endif

namespace vm {

class Warp {
public:
    Warp() {
        for (u32 k = 0; k < VM_LANES; k++) lanes_.push_back(std::make_unique<Fiber>());
    }

    // Call f(lane) on every lane until all have returned.
    void run(const std::function<void(u32)>& f) {
        f_ = &f;
        current() = this;
        for (u32 k = 0; k < VM_LANES; k++) begin(*lanes_[k], k);
        VM_RELEASE(this);
        const Unseen unseen;
#ifdef __SANITIZE_THREAD__
        scheduler_fiber_ = __tsan_get_current_fiber();
#endif
        while (!lanes_[0]->done) {
            const u32 first = order_ = order_ * 1664525u + 1013904223u, step = (order_ >> 8) | 1u;
            for (u32 k = 0; k < VM_LANES; k++) resume(((first >> 16) + k * step) % VM_LANES);
            compare_places();
        }
        VM_ACQUIRE(this);
    }

    // Leave x where the other lanes find it, wait for them, and return read(get), where get(k) is what lane k left.
    template <class T, class F>
    auto exchange(u32 lane, const T& x, Site site, F read) {
        static_assert(sizeof(T) <= sizeof(Slot), "there is no room for it");
        auto& slots = slots_[lanes_[lane]->collectives++ % 2];  // the next collective may begin before this was read
        memcpy(&slots[lane], &x, sizeof(T));
        wait(lane, site);
        return read([&](u32 k) {
            T y;
            memcpy(&y, &slots[k], sizeof(T));
            return y;
        });
    }

    // Which of them runs on this thread now.
    static std::atomic<u32>& lane() {
        static thread_local std::atomic<u32> number{0};
        return number;
    }

    // The warp that the lanes of this thread belong to.
    static Warp*& current() {
        static thread_local Warp* warp = nullptr;
        return warp;
    }

private:
    static constexpr std::size_t STACK = 512 << 10;
    static constexpr std::size_t PAGE = 4096;
    struct alignas(PAGE) Page {
        u8 bytes[PAGE];
    };
    struct Fiber {
        ucontext_t context;
        std::unique_ptr<Page[]> stack{new Page[STACK / PAGE]};
        Site place;
        bool done;
        u64 collectives;
        void* tsan = nullptr;
        void* asan = nullptr;  // what AddressSanitizer has for it while it does not run

        ~Fiber() { allow(true); }
        void allow(bool touched) {
#ifdef VM_STRICT
            if (mprotect(stack.get(), STACK, touched ? PROT_READ | PROT_WRITE : PROT_NONE)) std::terminate();
#else
            static_cast<void>(touched);
#endif
        }
    };
    struct Slot {
        u64 words[16];
    };
    // While it lasts, ThreadSanitizer does not look at what the scheduler itself reads and writes: what fibers tell it,
    // which it must not order, is no race.
    struct Unseen {
#ifdef __SANITIZE_THREAD__
        Unseen() {
            AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
            AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
        }
        ~Unseen() {
            AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
            AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
        }
#else
        Unseen() {}
#endif
    };

    void begin(Fiber& fiber, u32 lane) {
        fiber.done = false;
        fiber.collectives = 0;
        fiber.place = Site{"the beginning", 0};
        fiber.allow(true);
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.get();
        fiber.context.uc_stack.ss_size = STACK;
        fiber.context.uc_link = nullptr;
        const u64 own = reinterpret_cast<u64>(this);
        makecontext(&fiber.context, reinterpret_cast<void (*)()>(&Warp::enter), 3, static_cast<u32>(own >> 32),
                    static_cast<u32>(own), lane);
        fiber.allow(false);
#ifdef __SANITIZE_THREAD__
        if (fiber.tsan) __tsan_destroy_fiber(fiber.tsan);
        fiber.tsan = __tsan_create_fiber(0);
#endif
    }

    static void enter(u32 high, u32 low, u32 lane) {
        Warp& own = *reinterpret_cast<Warp*>(static_cast<u64>(high) << 32 | low);
        Fiber& fiber = *own.lanes_[lane];
#ifdef __SANITIZE_ADDRESS__
        __sanitizer_finish_switch_fiber(nullptr, &own.scheduler_stack_, &own.scheduler_stack_size_);
#endif
        VM_ACQUIRE(&own);
        (*own.f_)(lane);
        fiber.place = Site{"the end", 0};
        fiber.done = true;
        VM_RELEASE(&own);
        own.leave(fiber);
    }

    void wait(u32 lane, Site site) {
        Fiber& fiber = *lanes_[lane];
        fiber.place = site;
        VM_RELEASE(&slots_);
        leave(fiber);
        VM_ACQUIRE(&slots_);
    }

    void resume(u32 number) {
        Fiber& fiber = *lanes_[number];
        if (fiber.done) return;
        lane().store(number, std::memory_order_relaxed);
#ifdef __SANITIZE_THREAD__
        __tsan_switch_to_fiber(fiber.tsan, __tsan_switch_to_fiber_no_sync);
#endif
        fiber.allow(true);
#ifdef __SANITIZE_ADDRESS__
        void* of_scheduler = nullptr;
        __sanitizer_start_switch_fiber(&of_scheduler, fiber.stack.get(), STACK);
#endif
        swapcontext(&scheduler_, &fiber.context);
#ifdef __SANITIZE_ADDRESS__
        __sanitizer_finish_switch_fiber(of_scheduler, nullptr, nullptr);
#endif
        fiber.allow(false);
        VM_ACQUIRE(&fiber);  // the scheduler sees what the fiber did, but not the other way round
    }

    void leave(Fiber& fiber) {
        VM_RELEASE(&fiber);
#ifdef __SANITIZE_THREAD__
        __tsan_switch_to_fiber(scheduler_fiber_, __tsan_switch_to_fiber_no_sync);
#endif
#ifdef __SANITIZE_ADDRESS__
        __sanitizer_start_switch_fiber(fiber.done ? nullptr : &fiber.asan, scheduler_stack_, scheduler_stack_size_);
#endif
        swapcontext(&fiber.context, &scheduler_);
#ifdef __SANITIZE_ADDRESS__
        __sanitizer_finish_switch_fiber(fiber.asan, nullptr, nullptr);
#endif
    }

    void compare_places() const {
        const Site& first = lanes_[0]->place;
        for (u32 k = 1; k < VM_LANES; k++) {
            const Site& other = lanes_[k]->place;
            if (other.line == first.line && std::string(other.file) == first.file &&
                lanes_[k]->collectives == lanes_[0]->collectives) {
                continue;
            }
            const auto name = [](const Site& site) { return std::string(site.file) + ":" + std::to_string(site.line); };
            throw std::runtime_error("lanes diverged: lane 0 waits at " + name(first) + ", lane " + std::to_string(k) +
                                     " at " + name(other));
        }
    }

    std::vector<std::unique_ptr<Fiber>> lanes_;
    Slot slots_[2][VM_LANES];
    ucontext_t scheduler_;
    const std::function<void(u32)>* f_ = nullptr;
    u32 order_ = 1;
    void* scheduler_fiber_ = nullptr;
    const void* scheduler_stack_ = nullptr;
    std::size_t scheduler_stack_size_ = 0;
};

template <class T, class F>
auto exchange(u32 lane, const T& x, Site site, F read) {
    return Warp::current()->exchange(lane, x, site, read);
}

}  // namespace vm
