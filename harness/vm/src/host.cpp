// The host build of the virtual machine behind a plain C interface: harness/vm/native.py is its other side. Functions
// return 0, or an Error that vm_message() explains.
#include <chrono>

#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>
#define VM_CYCLES() static_cast<vm::u64>(__rdtsc())
#else
#define VM_CYCLES() static_cast<vm::u64>(std::chrono::steady_clock::now().time_since_epoch().count())
#endif

#include "engine.h"
#include "python_grids.h"

#if VM_LANES > 1
#include "emulated_cuda.h"
#include "kernels.cu"
#endif

#define VM_API extern "C" __attribute__((visibility("default")))

using namespace vm;

namespace {

enum Error : int { OK, BAD_ARGUMENT, NO_HOST_MEMORY, REFUSED, BUSY, INTERNAL, SIGNALLED };

thread_local std::string message;  // about the last error on this thread

int error(Error code, std::string why) {
    message = std::move(why);
    return code;
}

// Run f, which returns an error code, and turn what it throws into one: nothing is thrown to the caller.
template <class F>
int guarded(F f) noexcept {
    try {
        return f();
    } catch (const std::bad_alloc&) {
        message.clear();
        return NO_HOST_MEMORY;
    } catch (const std::exception& thrown) {
        return error(INTERNAL, thrown.what());
    }
}

// Likewise with an engine, which one thread at a time may use.
template <class F>
int with(Engine* engine, F f) noexcept {
    return guarded([&]() -> int {
        if (!engine) return error(BAD_ARGUMENT, "there is no engine");
        const std::unique_lock<std::mutex> lock(engine->busy, std::try_to_lock);
        if (!lock) return error(BUSY, "another thread uses the engine");
        return f(*engine);
    });
}

// Decode `count` values that fill `size` bytes. `where`: what a message about them begins with.
int decode_all(Store& store, const u8* bytes, u64 size, u64 count, const char* what, std::vector<Value>& values,
               const std::string& where = "") {
    Reader in{bytes, bytes + size};
    for (u64 k = 0; k < count; k++) {
        const Value v = store.keep(in);
        if (is_bad(v)) {
            const char* why = v.tag == FAIL ? "is no encoded value" : "nests too deep";
            return error(REFUSED, where + what + " " + std::to_string(k) + " " + why);
        }
        values.push_back(v);
    }
    if (bytes_left(in)) return error(REFUSED, where + "there are bytes behind the last " + what);
    return OK;
}

// Why a pair cannot be evaluated; null if it can.
const char* find_fault(const Engine& engine, const Job& job, u64 pair) {
    if (job.units[pair] >= engine.units.size()) return "there is no such unit";
    if (job.samples[pair] >= engine.samples.size()) return "there is no such sample";
    const Unit& unit = engine.units[job.units[pair]]->unit;
    if (unit.inputs != engine.samples[job.samples[pair]].inputs) {
        return "the unit does not take as many inputs as the sample has";
    }
    if (job.first_result[pair] > job.results || unit.programs > job.results - job.first_result[pair]) {
        return "its results lie outside of the arrays";
    }
    return nullptr;
}

int check(const Engine& engine, const Job& job) {
    if (!job.passes && !(job.flags & RESUMED)) return error(BAD_ARGUMENT, "nothing is evaluated less than once");
    if (job.pairs > UINT32_MAX) return error(BAD_ARGUMENT, "too many pairs for one evaluation");
    for (u64 pair = 0; pair < job.pairs; pair++) {
        const char* fault = find_fault(engine, job, pair);
        if (fault) return error(BAD_ARGUMENT, "pair " + std::to_string(pair) + ": " + fault);
    }
    return OK;
}

}  // namespace

// What the last error on this thread was.
VM_API const char* vm_message() { return message.c_str(); }

// The digest of the opcodes.def that this was built for.
VM_API const char* vm_table_digest() { return VM_TABLE_DIGEST; }

VM_API int vm_create(Engine** engine) {
    return guarded([&]() -> int {
        *engine = new Engine;
        return OK;
    });
}

// Give an engine up; none of its functions may run.
VM_API void vm_destroy(Engine* engine) { delete engine; }

// Verify a unit and keep it. `code`: n instructions of 8 fields. `results`: the output registers of the first program,
// its required registers, those of the second, ...; `results_start`: where each of these 2 * programs lists begins, and
// the end. *id: what evaluate calls it.
VM_API int vm_add_unit(Engine* engine, const u16* code, u32 n, u32 registers, u32 inputs, const u8* constants,
                       u64 constants_size, u32 constants_count, const u16* results, const u32* results_start,
                       u32 programs, u32* id) {
    return with(engine, [&](Engine& own) -> int {
        if (n > MOST_INSTRUCTIONS) return error(REFUSED, "too many instructions");
        auto stored = std::make_unique<StoredUnit>();
        std::vector<Value> values;
        const int bad = decode_all(stored->store, constants, constants_size, constants_count, "constant", values);
        if (bad) return bad;
        const u64 results_count = results_start[2 * static_cast<u64>(programs)];
        Unit& unit = stored->unit;
        unit.code = code;
        unit.n = n;
        unit.constants = values.data();
        unit.registers = registers;
        unit.inputs = inputs;
        unit.programs = programs;
        unit.results = results;
        unit.results_start = results_start;
        Verifier verifier(unit, constants_count, results_count);
        if (!verifier.verify()) return error(REFUSED, verifier.why());
        unit.depth = verifier.depth();
        const std::vector<u32> behind = verifier.behind();
        unit.behind = behind.data();
        stored->gather(values.size(), results_count);
        *id = static_cast<u32>(own.units.size());
        own.units.push_back(std::move(stored));
        own.most_registers = std::max(own.most_registers, registers);
        return OK;
    });
}

// Forget all units; numbers begin at 0 again.
VM_API int vm_clear_units(Engine* engine) {
    return with(engine, [](Engine& own) -> int {
        own.units.clear();
        return OK;
    });
}

// Decode `count` samples and keep them; none if one is refused. Sample k is the bytes from starts[k] to starts[k + 1] of
// `bytes`: `inputs` values, and behind them the expected output if has_expected[k]. *id: of the first; the others follow.
VM_API int vm_add_samples(Engine* engine, const u8* bytes, u64 size, const u64* starts, u64 count, u32 inputs,
                          const u8* has_expected, u32* id) {
    return with(engine, [&](Engine& own) -> int {
        const std::size_t first = own.inputs.size(), first_sample = own.samples.size();
        if (count > UINT32_MAX - first_sample) return error(REFUSED, "too many samples");
        own.store.reserve(size + count * (inputs + 1u) * sizeof(Grid));
        int bad = OK;
        for (u64 k = 0; k < count && bad == OK; k++) {
            if (starts[k] > starts[k + 1] || starts[k + 1] > size) {
                bad = error(BAD_ARGUMENT, "sample " + std::to_string(k) + " lies outside of the bytes");
                break;
            }
            const std::size_t place = own.inputs.size();
            const u64 values = static_cast<u64>(inputs) + (has_expected[k] != 0);
            const u64 own_size = starts[k + 1] - starts[k];
            const std::string where = count > 1 ? "sample " + std::to_string(k) + ": " : "";
            bad = decode_all(own.store, bytes + starts[k], own_size, values, "value", own.inputs, where);
            if (bad == OK) {
                own.samples.push_back(
                    Sample{place, inputs, has_expected[k] != 0, has_expected[k] ? own.inputs.back() : none()});
            }
        }
        if (bad != OK) {
            own.inputs.resize(first);
            own.samples.resize(first_sample, Sample{});
            return bad;
        }
        *id = static_cast<u32>(first_sample);
        return OK;
    });
}

// Forget all samples, and free their memory; numbers begin at 0 again.
VM_API int vm_clear_samples(Engine* engine) {
    return with(engine, [](Engine& own) -> int {
        own.samples.clear();
        own.inputs.clear();
        own.store = Store();
        return OK;
    });
}

// Evaluate; see Job. SIGNALLED where a signal has arrived before all was done: the caller has Python handle it, resets
// *job->cancel, and may call again with RESUMED, the buffers as they are. A pair that SIGINT ended is evaluated again, and
// what it had counted stays.
VM_API int vm_evaluate(Engine* engine, Job* job) {
    return with(engine, [&](Engine& own) -> int {
        const int bad = check(own, *job);
        if (bad) return bad;
        if (!(job->flags & IN_MAIN_THREAD) || !job->cancel) {
            own.evaluate(*job, nullptr);
            return OK;
        }
        const Signals signals(job->cancel);
        own.evaluate(*job, &signals);
        return signals.arrived() ? SIGNALLED : OK;
    });
}

// Copy the outputs of the last evaluation, job->output_bytes, one behind the other, and where each result's begins and
// ends (results + 1 positions). An output is the tuple of a program's outputs; that of a program without is empty.
VM_API int vm_outputs(Engine* engine, u64* positions, u8* bytes) {
    return with(engine, [&](Engine& own) -> int {
        u64 at = 0;
        positions[0] = 0;
        for (std::size_t k = 0; k < own.outputs.size(); k++) {
            const Output& output = own.outputs[k];
            if (output.size) memcpy(bytes + at, own.workers[output.thread]->outputs.data() + output.at, output.size);
            at += output.size;
            positions[k + 1] = at;
        }
        return OK;
    });
}

// Copy executions, elements and cycles of each counter of the last evaluation.
VM_API int vm_counters(Engine* engine, u64* counters) {
    return with(engine, [&](Engine& own) -> int {
        memcpy(counters, own.counters.data(), own.counters.size() * sizeof(Counter));
        return OK;
    });
}

// Apply operation `op` to `count` encoded values, for tests and measurements. The result goes to `out`, if there is room
// for its *needed bytes. It is done `repeats` times, in *nanoseconds all together.
VM_API int vm_run_operation(u32 op, const u8* operands, u64 size, u32 count, u64 arena_bytes, u64 repeats, u8* out,
                            u64 capacity, u64* needed, u8* status, u8* reason, u64* nanoseconds) {
    return guarded([&]() -> int {
        if (op < CONTROLS || op >= OPCODES) return error(BAD_ARGUMENT, "there is no such operation");
        if (count != arity_of(static_cast<u16>(op))) return error(BAD_ARGUMENT, "wrong number of operands");
        Store store;
        std::vector<Value> registers;
        const int bad = decode_all(store, operands, size, count, "operand", registers);
        if (bad) return bad;
        const Memory memory(arena_bytes);
        Context cx{memory.arena(), INT64_MAX, false};
        const u16 instruction[FIELDS] = {static_cast<u16>(op), NO_FIELD, 0, 1, 2, 3, NO_FIELD, NO_FIELD};
        Value result = none();
        const auto start = Clock::now();
        for (u64 k = 0; k < repeats; k++) {
            cx.arena.top = cx.arena.base;
            const auto apply = [&](Context& own, Value&) { return value_of(operate(own, registers.data(), instruction)); };
            Value bad = none();
            result = is_shared(static_cast<u16>(op)) ? with_lanes(cx, apply, bad) : apply(cx, bad);
        }
        *nanoseconds = nanoseconds_since(start);
        if (cx.too_deep) result = unhandled(R_DEPTH);
        Writer writer{out, capacity, 0};
        if (!is_bad(result)) {
            const Reason trouble = encode(writer, result, UINT32_MAX);
            if (trouble != R_NONE) result = unhandled(trouble);
        }
        *needed = writer.size;
        *status = status_of(result);
        *reason = reason_of(result);
        return OK;
    });
}

#if VM_LANES > 1
// Run a kernel of kernels.cu, emulated: vm_load (which = 0), or vm_evaluate, which counts executions (1), everything (2) or
// nothing (3).
VM_API int vm_launch(u32 which, u32 blocks, const void* parameters) {
    return guarded([&]() -> int {
        if (which == 0) {
            launch(blocks, [&] { load_all(*static_cast<const Load*>(parameters)); });
        } else if (which == 1) {
            launch(blocks, [&] { evaluate_all<EXECUTIONS>(*static_cast<const Batch*>(parameters)); });
        } else if (which == 3) {
            launch(blocks, [&] { evaluate_all<NOTHING>(*static_cast<const Batch*>(parameters)); });
        } else {
            launch(blocks, [&] { evaluate_all<EVERYTHING>(*static_cast<const Batch*>(parameters)); });
        }
        return OK;
    });
}
#endif

// Encode the values of a Python tuple that are grids, one behind the other, and put down where each ends; a value that is
// none takes no bytes. Ends where there is no room for the next. *done: how many values those are. The caller holds the
// interpreter lock.
VM_API int vm_encode_grids(const Python* python, Object* values, u64 first, u64 count, u8* bytes, u64 capacity, u64* ends,
                           u64* done) {
    u64 at = 0, k = 0;
    for (; k < count && capacity - at >= MOST_GRID_BYTES; k++) {
        at += encode_python_grid(*python, python->item(values, static_cast<i64>(first + k)), bytes + at);
        ends[k] = at;
    }
    *done = k;
    return OK;
}

// Return a new Python tuple of the grids whose bytes begin at each of `starts` and end at `ends`; `other` where there is no
// grid. Null, with a Python exception set, where memory is short. The caller holds the interpreter lock.
VM_API Object* vm_decode_grids(const Python* python, const u8* bytes, const u64* starts, const u64* ends, u64 count,
                               Object* other) {
    Object* all = python->new_tuple(static_cast<i64>(count));
    for (u64 k = 0; all && k < count; k++) {
        Object* grid = decode_python_grid(*python, bytes + starts[k], ends[k] - starts[k], other);
        if (!grid || python->set_item(all, static_cast<i64>(k), grid) != 0) {
            python->drop(all);
            all = nullptr;
        }
    }
    return all;
}
