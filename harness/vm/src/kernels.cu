// The virtual machine on CUDA: kernels that NVRTC compiles, and what harness/vm/cuda.py hands to them. On the host, with
// emulated lanes, emulated_cuda.h stands in for CUDA.
#ifdef __CUDACC__
#define VM_CYCLES() static_cast<vm::u64>(clock64())
#endif

#include "evaluate.h"

#ifndef VM_BLOCK
#define VM_BLOCK 128  // threads
#endif
#ifndef VM_BLOCKS
#define VM_BLOCKS 4  // of a multiprocessor at least: what they need of its registers is limited accordingly
#endif
#ifndef VM_COUNTING
#define VM_COUNTING EXECUTIONS
#endif

namespace vm {

// What a kernel is given, all in fields of 8 bytes; harness/vm/cuda.py knows them by name and in this order.

// Encoded values to be decoded: items of some values each, an item a thread.
struct Load {
    u64 n;
    const u32* chosen;  // which items; null for the first n
    const u8* bytes;
    const u64* begin;   // of each item: where it begins in bytes; and the end of the last
    const u64* first;   // of each item: its first value's place in values; and the end
    const u64* region;  // of each of those to be decoded now: where in arena there is room for it; and the end
    u8* arena;
    Value* values;
    u32* refused;  // items that could not be decoded
    u64* refused_count;
    u8* reason;  // of each item: why, R_ARENA or R_DEPTH; R_NONE if the bytes are not so many values
};
static_assert(sizeof(Load) == 11 * 8, "harness/vm/cuda.py has as many");

struct LoadedSample {
    u64 first;  // of its inputs, in Batch::inputs; the expected output is behind them
    u32 inputs, has_expected;
};

// Pairs of a unit and a sample to be evaluated.
struct Batch {
    const Unit* units;
    const LoadedSample* samples;
    const Value* inputs;
    u64 pairs;                // how many to evaluate now
    const u32* chosen;        // which ones; null for the first `pairs`
    const u32 *unit_of, *sample_of;  // of each pair
    const u64* first_result;  // of each pair: where the results of its unit's programs begin
    u8 *status, *reason, *equal;  // of each result
    u64* nanoseconds;             // of each pair; may be null
    u64* next;                    // the first pair that nobody has taken yet
    u8* arenas;
    u64 arena_bytes;  // of each worker, a multiple of 16
    Value* registers;
    u64 registers_each;  // of each worker
    i64 fuel;            // of each pair
    const int* cancel;   // evaluations end soon once it is not 0
    u32* again;          // pairs that need more memory, for the arena or for outputs
    u64* again_count;
    u64 last_try;  // whether there is no larger arena
    u8* outputs;   // null if they are not wanted
    u64 output_capacity, most_output_bytes;
    u64* output_end;                // of what has been given out of `outputs`, or would have been
    u64 *output_at, *output_size;  // of each result
    Counter* counters;
    u32* multiprocessors;  // bits of those that took part
    u64* arena_used;       // the most
    u64 lanes;             // 32: a warp evaluates a pair; 1: each of its threads does
};
static_assert(sizeof(Batch) == 32 * 8, "harness/vm/cuda.py has as many");
static_assert(sizeof(Unit) == 64 && sizeof(LoadedSample) == 16 && sizeof(Value) == 16, "so has harness/vm/cuda.py");

#ifdef __CUDACC__
VM_INLINE u64 nanoseconds() {
    u64 now;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
    return now;
}

VM_INLINE u32 multiprocessor() {
    u32 number;
    asm volatile("mov.u32 %0, %%smid;" : "=r"(number));
    return number;
}
#endif

// Write a program's outputs behind those of others. False if there was too little room, UNHANDLED in `outcome` if they
// cannot be written.
VM_FN bool put_out(const Batch& batch, const Unit& unit, const Value* registers, u32 program, u64 result, Value& outcome) {
    Writer measure{nullptr, 0, 0};
    const Reason trouble = encode_outputs(measure, unit, registers, program, batch.most_output_bytes);
    if (trouble != R_NONE) {
        outcome = unhandled(trouble);
        return true;
    }
    const u64 at = atomicAdd(batch.output_end, measure.size);
    if (at + measure.size > batch.output_capacity) return false;
    Writer out{batch.outputs + at, measure.size, 0};
    encode_outputs(out, unit, registers, program, batch.most_output_bytes);
    batch.output_at[result] = at;
    batch.output_size[result] = measure.size;
    return true;
}

VM_INLINE void try_again(const Batch& batch, u32 pair) { batch.again[atomicAdd(batch.again_count, static_cast<u64>(1))] = pair; }

// What the leader does behind the run of a pair.
VM_FN void judge(Context& cx, const Batch& batch, u32 pair, const Unit& unit, const Value* registers, Ending ending,
                     const Value& bad) {
    if (ending == CANCELLED) return;
    if (ending == OUT_OF_MEMORY) return try_again(batch, pair);
    const LoadedSample& sample = batch.samples[batch.sample_of[pair]];
    for (u32 program = 0; program < unit.programs; program++) {
        Value outcome = outcome_of(cx, unit, registers, program, ending, bad);
        const u64 result = batch.first_result[pair] + program;
        Equality equality = UNKNOWN;
        if (sample.has_expected) {
            const Value& expected = batch.inputs[sample.first + sample.inputs];
            equality = compare_output(cx, unit, registers, program, expected, outcome);
        }
        if (batch.outputs && !is_bad(outcome)) {
            if (!put_out(batch, unit, registers, program, result, outcome)) return try_again(batch, pair);
            if (is_bad(outcome)) equality = UNKNOWN;
        }
        batch.status[result] = status_of(outcome);
        batch.reason[result] = reason_of(outcome);
        batch.equal[result] = equality;
    }
    atomicMax(batch.arena_used, static_cast<u64>(cx.arena.top - cx.arena.base));
}

template <Counting COUNTING>
VM_FN void evaluate_pair(const Batch& batch, u32 pair, u64 worker, u32 lane, const Counters& counters) {
    const u64 since = batch.nanoseconds ? nanoseconds() : 0;
    u8* arena = batch.arenas + worker * batch.arena_bytes;
    Context cx{{arena, arena, arena + batch.arena_bytes}, batch.fuel, false, lane, static_cast<u32>(batch.lanes)};
    const Unit& unit = batch.units[batch.unit_of[pair]];
    const LoadedSample& sample = batch.samples[batch.sample_of[pair]];
    Value* registers = batch.registers + worker * batch.registers_each;
    for (u32 k = lane_of(cx); k < sample.inputs; k += lanes_of(cx)) registers[k] = batch.inputs[sample.first + k];
    sync(cx);
    const Limits limits{batch.cancel, !batch.last_try};
    Value bad = none();
    const Ending ending = run<COUNTING>(cx, unit, registers, limits, counters, bad);
    if (leads(cx)) {
        judge(cx, batch, pair, unit, registers, ending, bad);
        if (batch.nanoseconds) batch.nanoseconds[pair] = nanoseconds() - since;
    }
    sync(cx);
}

// Warps take pairs until none is left: one at a time, or with one lane a pair as many as they have lanes.
template <Counting COUNTING>
VM_FN void evaluate(const Batch& batch, u32* executions) {
    const u64 thread = static_cast<u64>(blockIdx.x) * blockDim.x + threadIdx.x;
    const u32 lane = threadIdx.x % VM_LANES;
    const bool whole = batch.lanes > 1;
    const u64 at_once = whole ? 1 : VM_LANES;
    const u64 worker = whole ? thread / VM_LANES : thread;
    const Counters counters{batch.counters, executions};
    while (true) {
        u64 first = batch.pairs;
        // One lane looks: others might see another value, and part from it.
        if (lane == 0 && !*static_cast<const volatile int*>(batch.cancel)) first = atomicAdd(batch.next, at_once);
        first = __shfl_sync(ALL_LANES, first, 0);
        if (first >= batch.pairs) break;
        const u64 mine = whole ? first : first + lane;
        if (mine < batch.pairs) {
            const u32 pair = batch.chosen ? batch.chosen[mine] : static_cast<u32>(mine);
            evaluate_pair<COUNTING>(batch, pair, worker, whole ? lane : 0, counters);
        }
        if (lane == 0) atomicOr(&batch.multiprocessors[multiprocessor() / 32], 1u << (multiprocessor() % 32));
        __syncwarp(ALL_LANES);
    }
}

VM_INLINE void load_all(const Load& load) {
    for (u64 k = static_cast<u64>(blockIdx.x) * blockDim.x + threadIdx.x; k < load.n;
         k += static_cast<u64>(gridDim.x) * blockDim.x) {
        const u32 which = load.chosen ? load.chosen[k] : static_cast<u32>(k);
        u8* arena = load.arena + load.region[k];
        Context cx{{arena, arena, load.arena + load.region[k + 1]}, 0, false};
        Reader in{load.bytes + load.begin[which], load.bytes + load.begin[which + 1]};
        Value v = none();
        u64 at = load.first[which];
        for (; at < load.first[which + 1] && !is_bad(v); at++) v = load.values[at] = decode(cx, in);
        if (!is_bad(v) && !bytes_left(in) && !cx.too_deep) continue;
        load.reason[which] = cx.too_deep ? R_DEPTH : reason_of(v);
        load.refused[atomicAdd(load.refused_count, static_cast<u64>(1))] = which;
    }
}

template <Counting COUNTING>
VM_INLINE void evaluate_all(const Batch& batch) {
    __shared__ u32 executions[COUNTERS];
    if (COUNTING != EXECUTIONS) return evaluate<COUNTING>(batch, nullptr);
    for (u32 k = threadIdx.x; k < COUNTERS; k += blockDim.x) executions[k] = 0;
    __syncthreads();
    evaluate<COUNTING>(batch, executions);
    __syncthreads();
    for (u32 k = threadIdx.x; k < COUNTERS; k += blockDim.x) {
        if (executions[k]) atomicAdd(&batch.counters[k].executions, static_cast<u64>(executions[k]));
    }
}

}  // namespace vm

#ifdef __CUDACC__
extern "C" __global__ void vm_load(const vm::Load* load) { vm::load_all(*load); }

// What it counts is VM_COUNTING. Without counters nothing is proved.
extern "C" __global__ void __launch_bounds__(VM_BLOCK, VM_BLOCKS) vm_evaluate(const vm::Batch* batch) {
    vm::evaluate_all<vm::VM_COUNTING>(*batch);
}
#endif
