// What an engine holds (units, samples) and how it evaluates them on the threads of the host.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "evaluate.h"
#include "signals.h"
#include "threads.h"
#include "verify.h"

namespace vm {

using Clock = std::chrono::steady_clock;

inline u64 nanoseconds_since(Clock::time_point start) {
    return static_cast<u64>(std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count());
}

// How long a cycle of VM_CYCLES is, by the time since the first look at it.
class CycleClock {
public:
    double nanoseconds_per_cycle() const {
        while (true) {
            const u64 nanoseconds = nanoseconds_since(start_), cycles = VM_CYCLES() - cycles_;
            if (nanoseconds >= ENOUGH && cycles) return static_cast<double>(nanoseconds) / static_cast<double>(cycles);
        }
    }

private:
    static constexpr u64 ENOUGH = 2'000'000;  // nanoseconds to compare two clocks over
    Clock::time_point start_ = Clock::now();
    u64 cycles_ = VM_CYCLES();
};

constexpr u64 USUAL_GRID = 256;  // bytes; to look how many it has would be to wait for it

// Ask for the first lines of what will be needed soon.
inline void fetch(const void* at, u64 bytes) {
    constexpr u64 most = 1024;
    for (u64 k = 0; k < std::min(bytes, most); k += CACHE_LINE) __builtin_prefetch(static_cast<const u8*>(at) + k);
}

inline u64 size_of_memory(u64 bytes) { return std::max<u64>(bytes, 4096); }

// Memory for an arena. The system backs it page by page as it is touched.
class Memory {
public:
    explicit Memory(u64 bytes) : size_(size_of_memory(bytes)), at_(static_cast<u8*>(std::malloc(size_))) {
        if (!at_) throw std::bad_alloc();
    }
    Arena arena() const {
        allow_all(at_.get(), size_);
        return Arena{at_.get(), at_.get(), at_.get() + size_};
    }
    u64 size() const { return size_; }

private:
    struct Free {
        void operator()(u8* at) const { std::free(at); }
    };
    u64 size_;
    std::unique_ptr<u8, Free> at_;
};

// Decoded values that stay.
class Store {
public:
    // Decode the next value of `in`. FAIL or UNHANDLED(R_DEPTH) where that cannot be done.
    Value keep(Reader& in) {
        const Reader start = in;
        while (true) {
            u8* const mark = cx_.arena.top;
            const Value v = decode(cx_, in);
            if (cx_.too_deep) {
                cx_.too_deep = false;
                return unhandled(R_DEPTH);
            }
            if (v.tag != UNHANDLED || v.num != R_ARENA) return v;
            cx_.arena.top = mark;
            in = start;
            add(std::max(size_, bytes_left(in)));
            size_ *= 2;
        }
    }

    // Have room for so many bytes side by side, if they are many.
    void reserve(u64 bytes) {
        if (bytes > size_ && bytes > static_cast<u64>(cx_.arena.end - cx_.arena.top)) add(bytes);
    }

private:
    void add(u64 size) {
        chunks_.push_back(std::make_unique<Memory>(size));
        cx_.arena = chunks_.back()->arena();
    }

    std::vector<std::unique_ptr<Memory>> chunks_;
    u64 size_ = 1 << 12;  // of the next: units have few large constants or none, and should lie side by side
    Context cx_{{nullptr, nullptr, nullptr}, 0, false};
};

// Call f(cx, bad) on all lanes, each with a Context and a bad value of its own; those of the leader stay.
template <class F>
auto with_lanes(Context& cx, F f, Value& bad) {
#if VM_LANES > 1
    static thread_local Warp warp;
    decltype(f(cx, bad)) found{};
    const Context before = cx;
    warp.run([&](u32 lane) {
        Context own = before;
        own.lane = lane;
        own.lanes = VM_LANES;
        Value own_bad = none();
        const auto x = f(own, own_bad);
        if (lane) return;
        found = x;
        bad = own_bad;
        cx = own;
        cx.lanes = 1;
    });
    return found;
#else
    return f(cx, bad);
#endif
}

// A unit, and all that it points to but for what its constants point to in one block, so that it is quickly fetched.
class StoredUnit {
public:
    Unit unit{};
    Store store;  // of what the constants point to

    // Copy what the unit points to into the block.
    void gather(u64 constants, u64 results) {
        const u64 lists = 2 * static_cast<u64>(unit.programs) + 1;
        const u64 sizes[] = {constants * sizeof(Value), static_cast<u64>(unit.n) * FIELDS * sizeof(u16),
                             static_cast<u64>(unit.n) * sizeof(u32), lists * sizeof(u32), results * sizeof(u16)};
        for (const u64 size : sizes) size_ += round_up(size);
        block_ = std::make_unique<Line[]>(size_ / CACHE_LINE + 1);
        u8* to = reinterpret_cast<u8*>(block_.get());
        put(unit.constants, sizes[0], to);
        put(unit.code, sizes[1], to);
        put(unit.behind, sizes[2], to);
        put(unit.results_start, sizes[3], to);
        put(unit.results, sizes[4], to);
    }

    void fetch_block() const { fetch(block_.get(), size_); }

private:
    struct alignas(CACHE_LINE) Line {
        u8 bytes[CACHE_LINE];
    };

    template <class T>
    static void put(const T*& from, u64 size, u8*& to) {
        if (size) memcpy(to, from, size);
        from = reinterpret_cast<const T*>(to);
        to += round_up(size);
    }

    u64 size_ = 0;
    std::unique_ptr<Line[]> block_;
};

struct Sample {
    std::size_t first;  // of its inputs among those of all samples
    u32 inputs;
    bool has_expected;
    Value expected;
};

// What is to be evaluated, and where the results go. harness/vm/native.py has the same structure.
struct Job {
    u64 pairs;
    const u32* units;         // of each pair
    const u32* samples;       // of each pair
    const u64* first_result;  // of each pair: where the results of its unit's programs begin
    u64 results;              // how many there are
    u8 *status, *reason, *equal;  // of each result
    u64* nanoseconds;             // of each pair, over all passes; zeros, or null
    int* cancel;                  // set it to end the evaluation; may be null
    u64 arena_bytes, most_arena_bytes, most_output_bytes;
    i64 fuel;  // of each pair
    u32 threads;
    u32 want_outputs, want_counters;  // whether
    u32 flags;  // of JobFlag
    u64 output_bytes, retried, arena_used;  // put in: size of all outputs; pairs run again with a larger arena; most of it used
    u64 passes;   // how often to evaluate all pairs, one pass after the other; put in: how many are left
    u64 waiting;  // put in, if there is `nanoseconds`: those that threads with nothing left to take waited for others, summed
};

enum JobFlag : u32 {
    RESUMED = 1,       // signals ended this job, as it is, before: evaluate what is left
    IN_MAIN_THREAD = 2,  // of Python: signals may end it
};

struct Output {
    u32 thread;
    u64 at, size;
};

// What a thread works with. It stays from one evaluation to the next, since memory is slow when it is touched first.
struct Worker {
    explicit Worker(u64 arena_bytes) : small(arena_bytes) {}

    // Forget the last pass.
    void begin_pass() { outputs.clear(); }

    // Forget the last evaluation.
    void begin(u32 most_registers) {
        if (registers.size() < most_registers) registers.resize(most_registers);
        std::fill(counters.begin(), counters.end(), Counter{0, 0, 0});
        retried = arena_used = 0;
        error = nullptr;
    }

    Memory small;
    std::unique_ptr<Memory> large;
    std::vector<Value> registers;
    std::vector<u8> outputs;
    std::vector<Counter> counters = std::vector<Counter>(COUNTERS, Counter{0, 0, 0});
    u64 retried = 0, arena_used = 0;
    u64 ended = 0;  // when there was nothing left to take, in cycles
    std::exception_ptr error;
};

class Engine {
public:
    std::vector<std::unique_ptr<StoredUnit>> units;
    u32 most_registers = 1;  // of a unit
    std::vector<Sample> samples;
    std::vector<Value> inputs;
    Store store;
    std::mutex busy;
    CycleClock clock;

    std::vector<Counter> counters = std::vector<Counter>(COUNTERS, Counter{0, 0, 0});
    std::vector<Output> outputs;
    std::vector<std::unique_ptr<Worker>> workers;
    OwnThreads pool;  // of workers from the second on

    // Evaluate a job that has been checked, or what is left of it. `signals` end it early; may be null.
    void evaluate(Job& job, const Signals* signals) {
        const Run run{job, signals, job.nanoseconds ? clock.nanoseconds_per_cycle() : 0};
        bool resumed = job.flags & RESUMED;
        const u32 threads = begin(job, resumed);
        while (job.passes) {  // none is left where a signal came behind the last
            pass(run, job, threads, resumed);
            if (is_ended(run)) return;
            resumed = false;
            job.passes--;
        }
    }

private:
    // What all threads know of a job.
    struct Run {
        const Job& job;
        const Signals* signals;
        double nanoseconds_per_cycle;
    };

    // Have workers for a job, and return how many.
    u32 begin(Job& job, bool resumed) {
        const u32 threads = static_cast<u32>(std::max<u64>(1, std::min<u64>(job.threads, job.pairs)));
        if (workers.size() < threads) workers.resize(threads);
        for (u32 k = 0; k < threads; k++) {
            auto& worker = workers[k];
            if (!worker || worker->small.size() != size_of_memory(job.arena_bytes)) {
                worker.reset();
                worker = std::make_unique<Worker>(job.arena_bytes);
            }
            if (!resumed) worker->begin(most_registers);
        }
        if (!resumed) job.waiting = 0;
        return threads;
    }

    // Evaluate all pairs once, or those that are left of a pass that signals ended.
    void pass(const Run& run, Job& job, u32 threads, bool resumed) {
        if (!resumed) {
            outputs.assign(job.want_outputs ? job.results : 0, Output{0, 0, 0});
            std::fill(job.status, job.status + job.results, static_cast<u8>(NOT_RUN));
            std::fill(job.reason, job.reason + job.results, static_cast<u8>(R_NONE));
            std::fill(job.equal, job.equal + job.results, static_cast<u8>(UNKNOWN));
            for (u32 k = 0; k < threads; k++) workers[k]->begin_pass();
        }
        Shares shares(job.pairs, threads);
        const u64 began = VM_CYCLES();
        for (u32 k = 0; k < threads; k++) workers[k]->ended = began;  // one that does not come waits from the start
        pool.get().run(threads, [&](u32 number) {
            work(run, shares, number, resumed);
            workers[number]->ended = VM_CYCLES();
        }, job.passes > 1 ? BETWEEN : WAKING);
        job.waiting += static_cast<u64>(static_cast<double>(waited(job, threads, began)) * run.nanoseconds_per_cycle);
        gather(job, threads);
    }

    // The cycles, summed over threads, in which one had nothing left to take and another was still at work.
    u64 waited(const Job& job, u32 threads, u64 began) const {
        u64 last = began, sum = 0;
        for (u32 k = 0; k < threads; k++) last = std::max(last, workers[k]->ended);
        for (u32 k = 0; k < threads; k++) sum += last - workers[k]->ended;
        return sum + (std::max(job.threads, threads) - threads) * (last - began);
    }

    // Put together what the threads have.
    void gather(Job& job, u32 threads) {
        counters.assign(COUNTERS, Counter{0, 0, 0});
        job.retried = job.arena_used = job.output_bytes = 0;
        for (u32 thread = 0; thread < threads; thread++) {
            Worker& worker = *workers[thread];
            worker.large.reset();
            if (worker.error) std::rethrow_exception(worker.error);
            job.retried += worker.retried;
            job.arena_used = std::max(job.arena_used, worker.arena_used);
            if (!job.want_counters) continue;
            for (u32 k = 0; k < COUNTERS; k++) {
                counters[k].executions += worker.counters[k].executions;
                counters[k].elements += worker.counters[k].elements;
                counters[k].cycles += worker.counters[k].cycles;
            }
        }
        for (const Output& output : outputs) job.output_bytes += output.size;
    }

    void work(const Run& run, Shares& shares, u32 number, bool resumed) noexcept {
        const Job& job = run.job;
        Worker& worker = *workers[number];
        u64 first = 0, end = 0, since = VM_CYCLES();
        try {
            while (shares.take(number, first, end)) {
                for (u64 pair = first; pair < end; pair++) {
                    if (is_ended(run)) return;
                    if (resumed && is_done(job, pair)) continue;
                    fetch_ahead(job, pair);
                    if (!evaluate_pair(job, worker, number, pair)) return;
                    if (!job.nanoseconds) continue;
                    const u64 now = VM_CYCLES();
                    job.nanoseconds[pair] += static_cast<u64>(static_cast<double>(now - since) * run.nanoseconds_per_cycle);
                    since = now;
                }
            }
        } catch (...) {
            worker.error = std::current_exception();
            shares.clear();
        }
    }

    static bool is_ended(const Run& run) {
        if (run.signals && run.signals->arrived()) return true;
        return run.job.cancel && *static_cast<const volatile int*>(run.job.cancel);
    }

    bool is_done(const Job& job, u64 pair) const {
        return units[job.units[pair]]->unit.programs && job.status[job.first_result[pair]] != NOT_RUN;
    }

    // Have what the pairs behind this one need brought to the caches: most programs are so short that they would wait
    // for that longer than they run.
    void fetch_ahead(const Job& job, u64 pair) const {
        if (pair + 2 < job.pairs) fetch(units[job.units[pair + 2]].get(), sizeof(StoredUnit));
        if (pair + 1 >= job.pairs) return;
        if (job.units[pair + 1] != job.units[pair]) units[job.units[pair + 1]]->fetch_block();
        const Sample& sample = samples[job.samples[pair + 1]];
        for (u32 k = 0; k < sample.inputs; k++) {
            const Value& input = inputs[sample.first + k];
            if (input.tag == GRID) fetch(input.grid, USUAL_GRID);
        }
    }

    // Evaluate a pair, with larger arenas as long as that may help. False if it was cancelled.
    bool evaluate_pair(const Job& job, Worker& worker, u32 number, u64 pair) {
        const Memory* memory = &worker.small;
        while (true) {
            const bool last = memory->size() >= job.most_arena_bytes;
            const Ending ending = attempt(job, worker, number, pair, *memory, !last);
            if (ending == CANCELLED) return false;
            if (ending != OUT_OF_MEMORY) return true;
            worker.retried += memory == &worker.small;
            const u64 larger = std::min(memory->size() * 8, job.most_arena_bytes);
            if (!worker.large || worker.large->size() < larger) {
                worker.large.reset();
                worker.large = std::make_unique<Memory>(larger);
            }
            memory = worker.large.get();
        }
    }

    Ending attempt(const Job& job, Worker& worker, u32 number, u64 pair, const Memory& memory, bool again) {
        const Unit& unit = units[job.units[pair]]->unit;
        const Sample& sample = samples[job.samples[pair]];
        Context cx{memory.arena(), job.fuel, false};
        for (u32 k = 0; k < sample.inputs; k++) worker.registers[k] = inputs[sample.first + k];
        const Limits limits{job.cancel, again};
        const Counters counters{worker.counters.data(), nullptr};
        Value bad = none();
        Value* registers = worker.registers.data();
        const Ending ending = with_lanes(cx, [&](Context& own, Value& own_bad) {
            return job.want_counters ? run<EVERYTHING>(own, unit, registers, limits, counters, own_bad)
                                     : run<NOTHING>(own, unit, registers, limits, counters, own_bad);
        }, bad);
        if (ending == CANCELLED || ending == OUT_OF_MEMORY) return ending;
        for (u32 program = 0; program < unit.programs; program++) {
            Value outcome = outcome_of(cx, unit, registers, program, ending, bad);
            const u64 result = job.first_result[pair] + program;
            Equality equality = UNKNOWN;
            if (sample.has_expected) {
                equality = compare_output(cx, unit, registers, program, sample.expected, outcome);
            }
            if (job.want_outputs && !is_bad(outcome)) {
                outcome = put_out(job, worker, number, unit, program, outputs[result]);
                if (is_bad(outcome)) equality = UNKNOWN;
            }
            job.status[result] = status_of(outcome);
            job.reason[result] = reason_of(outcome);
            job.equal[result] = equality;
        }
        worker.arena_used = std::max(worker.arena_used, static_cast<u64>(cx.arena.top - cx.arena.base));
        return ending;
    }

    // Encode a program's outputs as a tuple. UNHANDLED if that cannot be done, else None.
    static Value put_out(const Job& job, Worker& worker, u32 number, const Unit& unit, u32 program, Output& output) {
        const Value* registers = worker.registers.data();
        const u64 begin = worker.outputs.size();
        u64 room = 4096;
        while (true) {
            worker.outputs.resize(begin + room);
            Writer out{worker.outputs.data() + begin, room, 0};
            const Reason trouble = encode_outputs(out, unit, registers, program, job.most_output_bytes);
            if (trouble != R_NONE || out.size <= room) {
                const u64 size = trouble == R_NONE ? out.size : 0;
                worker.outputs.resize(begin + size);
                output = Output{number, begin, size};
                return trouble == R_NONE ? none() : unhandled(trouble);
            }
            room = out.size;
        }
    }
};

}  // namespace vm
