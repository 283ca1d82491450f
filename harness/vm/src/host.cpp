// The host build of the virtual machine behind a plain C interface: harness/vm/native.py is its other side.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <vector>

#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>
#define VM_CYCLES() static_cast<vm::u64>(__rdtsc())
#else
#define VM_CYCLES() static_cast<vm::u64>(std::chrono::steady_clock::now().time_since_epoch().count())
#endif

#include "encoding.h"
#include "interpreter.h"

namespace {

using namespace vm;
using Clock = std::chrono::steady_clock;

u64 nanoseconds_since(Clock::time_point start) {
    return static_cast<u64>(std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count());
}

enum Error : int { OK, BAD_ARGUMENT, NO_HOST_MEMORY, REFUSED, BUSY, INTERNAL };
enum Status : u8 { SUCCEEDED, FAILED, NOT_HANDLED, NOT_RUN = 255 };
enum Equality : u8 { DIFFERENT, EQUAL, UNKNOWN = 255 };

thread_local std::string message;  // of the last error on this thread

int refuse_call(Error error, std::string why) {
    message = std::move(why);
    return error;
}

// Run f, which returns an error code, and turn what it throws into one.
template <class F>
int guarded(F f) {
    try {
        return f();
    } catch (const std::bad_alloc&) {
        return NO_HOST_MEMORY;
    } catch (const std::exception& error) {
        return refuse_call(INTERNAL, error.what());
    } catch (...) {
        return INTERNAL;
    }
}

// Memory for an arena; of the size asked for, which the system backs page by page as it is touched.
class Memory {
public:
    explicit Memory(u64 bytes) : size_(std::max<u64>(bytes, 4096)), at_(static_cast<u8*>(std::malloc(size_))) {
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

Context context_of(const Memory& memory, i64 fuel) { return Context{memory.arena(), fuel, false}; }

Status status_of(const Value& v) { return v.tag == FAIL ? FAILED : v.tag == UNHANDLED ? NOT_HANDLED : SUCCEEDED; }
u8 reason_of(const Value& v) { return v.tag == UNHANDLED ? static_cast<u8>(v.num) : static_cast<u8>(R_NONE); }

}  // namespace

#define VM_API extern "C" __attribute__((visibility("default")))

// Why the last call on this thread that returned an error did so.
VM_API const char* vm_message() { return message.c_str(); }

// What opcodes.def was when this was built.
VM_API const char* vm_table_digest() { return VM_TABLE_DIGEST; }

// Apply operation `op` to `count` encoded values, for tests and measurements. The result goes to `out`, if there is room
// for its *needed bytes. With repeats > 1 the operation is done so many times, in *nanoseconds all together.
VM_API int vm_run_operation(u32 op, const u8* operands, u64 size, u32 count, u64 arena_bytes, u64 repeats, u8* out,
                            u64 capacity, u64* needed, u8* status, u8* reason, u64* nanoseconds) {
    return guarded([&]() -> int {
        if (op < CONTROLS || op >= OPCODES) return refuse_call(BAD_ARGUMENT, "there is no such operation");
        if (count != arity_of(static_cast<u16>(op))) return refuse_call(BAD_ARGUMENT, "wrong number of operands");
        const Memory memory(arena_bytes);
        Context cx = context_of(memory, INT64_MAX);
        Value registers[5];
        Reader in{operands, operands + size};
        for (u32 k = 0; k < count; k++) {
            registers[k] = decode(cx, in);
            if (is_bad(registers[k])) return refuse_call(BAD_ARGUMENT, "the operands cannot be decoded");
        }
        u16 instruction[FIELDS] = {static_cast<u16>(op), 4, 0, 1, 2, 3, NO_FIELD, NO_FIELD};
        u8* const mark = cx.arena.top;
        const auto start = Clock::now();
        for (u64 k = 0; k < repeats; k++) {
            cx.arena.top = mark;
            registers[4] = operate(cx, registers, instruction);
        }
        *nanoseconds = nanoseconds_since(start);
        Value result = cx.too_deep ? unhandled(R_DEPTH) : registers[4];
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
