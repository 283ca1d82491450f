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

#define VM_API extern "C" __attribute__((visibility("default")))

using namespace vm;

namespace {

enum Error : int { OK, BAD_ARGUMENT, NO_HOST_MEMORY, REFUSED, BUSY, INTERNAL };

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

// Decode `count` values that fill `size` bytes.
int decode_all(Store& store, const u8* bytes, u64 size, u64 count, const char* what, std::vector<Value>& values) {
    Reader in{bytes, bytes + size};
    for (u64 k = 0; k < count; k++) {
        const Value v = store.keep(in);
        if (is_bad(v)) {
            const char* why = v.tag == FAIL ? "is no encoded value" : "nests too deep";
            return error(REFUSED, std::string(what) + " " + std::to_string(k) + " " + why);
        }
        values.push_back(v);
    }
    if (bytes_left(in)) return error(REFUSED, "there are bytes behind the last " + std::string(what));
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
        auto stored = std::make_unique<StoredUnit>();
        if (n > MOST_INSTRUCTIONS) return error(REFUSED, "too many instructions");
        stored->code.assign(code, code + static_cast<u64>(n) * FIELDS);
        stored->results_start.assign(results_start, results_start + 2 * static_cast<u64>(programs) + 1);
        stored->results.assign(results, results + stored->results_start.back());
        const int bad = decode_all(stored->store, constants, constants_size, constants_count, "constant", stored->constants);
        if (bad) return bad;
        Unit& unit = stored->unit;
        unit.code = stored->code.data();
        unit.n = n;
        unit.constants = stored->constants.data();
        unit.registers = registers;
        unit.inputs = inputs;
        unit.programs = programs;
        unit.results = stored->results.data();
        unit.results_start = stored->results_start.data();
        Verifier verifier(unit, constants_count, stored->results.size());
        if (!verifier.verify()) return error(REFUSED, verifier.why());
        unit.depth = verifier.depth();
        stored->behind = verifier.behind();
        unit.behind = stored->behind.data();
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

VM_API int vm_clear_samples(Engine* engine) {
    return with(engine, [](Engine& own) -> int {
        own.samples.clear();
        own.inputs.clear();
        own.store = Store();
        return OK;
    });
}

// Decode a sample and keep it: `inputs` values, and behind them the expected output if has_expected.
VM_API int vm_add_sample(Engine* engine, const u8* bytes, u64 size, u32 inputs, u32 has_expected, u32* id) {
    return with(engine, [&](Engine& own) -> int {
        const std::size_t first = own.inputs.size();
        const int bad = decode_all(own.store, bytes, size, static_cast<u64>(inputs) + (has_expected != 0), "value", own.inputs);
        if (bad) {
            own.inputs.resize(first);
            return bad;
        }
        *id = static_cast<u32>(own.samples.size());
        own.samples.push_back(Sample{first, inputs, has_expected != 0, has_expected ? own.inputs.back() : none()});
        return OK;
    });
}

// Evaluate; see Job.
VM_API int vm_evaluate(Engine* engine, Job* job) {
    return with(engine, [&](Engine& own) -> int {
        const int bad = check(own, *job);
        if (bad) return bad;
        own.evaluate(*job);
        return OK;
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
            result = value_of(operate(cx, registers.data(), instruction));
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
