// Signals that arrive while an evaluation keeps Python's main thread busy. Python's own handler only notes a signal, and
// the interpreter looks at that note between two instructions of its own: so the evaluation has to end for it.
#pragma once

#include <atomic>
#include <csignal>

#include "platform.h"

namespace vm {

// While it lives, signals that somebody handles are noted here too; SIGINT ends what is being evaluated, others the
// evaluation after that. One at a time, in the main thread.
class Signals {
public:
    // `cancel` is what the interpreter looks at; SIGINT sets it to INTERRUPTED, unless it is set already.
    explicit Signals(int* cancel) : cancel_(cancel) {
        current_.store(this);
        for (u32 k = 0; k < COUNT; k++) {
            struct sigaction& before = before_[k];
            if (sigaction(NUMBERS[k], nullptr, &before) != 0 || !is_function(before)) continue;
            struct sigaction own = before;
            own.sa_sigaction = note;
            own.sa_flags |= SA_SIGINFO;
            is_ours_[k] = sigaction(NUMBERS[k], &own, nullptr) == 0;
        }
    }
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    ~Signals() {
        for (u32 k = 0; k < COUNT; k++) {
            if (is_ours_[k]) sigaction(NUMBERS[k], &before_[k], nullptr);
        }
        current_.store(nullptr);
    }

    // Whether one has arrived.
    bool arrived() const { return arrived_.load(std::memory_order_relaxed); }

    static constexpr int INTERRUPTED = 2;

private:
    static constexpr u32 COUNT = 6;
    static constexpr int NUMBERS[COUNT] = {SIGINT, SIGTERM, SIGALRM, SIGHUP, SIGUSR1, SIGUSR2};

    static bool is_function(const struct sigaction& action) {
        return action.sa_flags & SA_SIGINFO || (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN);
    }

    static void note(int number, siginfo_t* info, void* context) {
        Signals* const own = current_.load();
        if (!own) return;
        for (u32 k = 0; k < COUNT; k++) {
            if (NUMBERS[k] != number) continue;
            const struct sigaction& before = own->before_[k];
            if (before.sa_flags & SA_SIGINFO) {
                before.sa_sigaction(number, info, context);
            } else {
                before.sa_handler(number);
            }
        }
        int running = 0;
        if (number == SIGINT) {
            __atomic_compare_exchange_n(own->cancel_, &running, INTERRUPTED, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
        }
        own->arrived_.store(true);
    }

    static inline std::atomic<Signals*> current_{nullptr};

    int* cancel_;
    std::atomic<bool> arrived_{false};
    struct sigaction before_[COUNT] = {};
    bool is_ours_[COUNT] = {};
};

}  // namespace vm
