// The interpreter of bytecode. It runs units that verify.h has let pass, and relies on what that checked.
#pragma once

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "lanes.h"
#include "loops.h"
#include "opcodes.h"
#include "ops_colours.h"
#include "ops_containers.h"
#include "ops_dialect.h"
#include "ops_grids.h"
#include "ops_numbers.h"
#include "ops_objects.h"
#include "ops_patches.h"

#ifndef VM_CYCLES
#define VM_CYCLES() static_cast<u64>(0)  // the launcher names a clock
#endif

namespace vm {

constexpr u32 MOST_FRAMES = 16;    // how deep loops and ifs may nest
constexpr u32 POLL_INTERVAL = 64;  // instructions from one look at the cancel flag to the next
constexpr u64 WORTH_MOVING = 512;  // bytes of garbage behind a value
constexpr u64 RESULTS_WORTH_SHARING = 4;  // of a loop that all lanes finish
constexpr u64 CELLS_WORTH_SHARING = 64;   // of the operands of an operation that all lanes do; chosen, not measured

// One or more programs that share their instructions.
struct Unit {
    const u16* code;  // instructions of FIELDS fields
    u32 n;
    const u32* behind;  // of a loop or an if: the instruction behind its body or arms
    const Value* constants;
    u32 registers, inputs, programs, depth;
    const u16* results;        // output registers of the first program, its required ones, those of the second, ...
    const u32* results_start;  // where each of these lists begins in results, and the end: 2 * programs + 1
};

struct Counter {
    u64 executions, elements, cycles;
};

// What is counted: nothing; executions, which is cheap enough to be done always, as a proof that the machine ran; or
// all that a Counter holds.
enum Counting : int { NOTHING, EXECUTIONS, EVERYTHING };

// Where it is counted. On CUDA other warps add to the same counters.
struct Counters {
    Counter* all;
    u32* executions;
};

constexpr u32 COUNTERS = static_cast<u32>(OPCODES) + static_cast<u32>(LOOP_KINDS);  // opcodes, then loop kinds

// How to run, besides what to run.
struct Limits {
    const volatile int* cancel;  // stop soon once it is not 0; may be null
    bool stop_without_memory;    // the caller will try again with a larger arena
};

enum Ending : u32 { ENDED, STOPPED, OUT_OF_FUEL, OUT_OF_MEMORY, CANCELLED, CALLED };

// A loop or an if in progress.
struct Frame {
    u16 op, dst, element, other;  // element, other: the registers that the body finds its elements in
    u8 kind;
    u32 body, behind;   // first instruction of the body, first behind all
    u64 k, n, columns;  // iteration; iterations; of a product, the length of its second container,
    u64 row, column;    // and which elements come next
    Value container, rank;
    const Value *items, *others;
    Seq* results;
    bool symmetric;  // whether it is a product of which one of (x, y) and (y, x) is enough
    bool unordered;  // whether neither the order of the results matters nor how often one is there
    u8 *loop_mark, *mark;  // of the arena, where the loop and where the iteration began
};

// What the leader asks all lanes to do, if CALLED: the operation `at`, or else to finish a loop.
struct Call {
    Ending ending;
    const u16* at;
    const Frame* loop;
};

// What becomes of a loop behind an iteration: all lanes have to finish it, if it ENDS_TOGETHER.
enum Leaving : u8 { GOES_ON, ENDS, ENDS_TOGETHER };

// FAIL if one of the operands is, else UNHANDLED if one is.
VM_FN bool bad_operand(const Value* registers, const u16* operands, u32 count, Value& bad) {
    bool found = false;
    for (u32 k = 0; k < count; k++) {
        const Value& v = registers[operands[k]];
        if (is_bad(v) && (!found || v.tag == FAIL)) {
            bad = v;
            found = true;
        }
    }
    return found;
}

// A Value as two words, for the way from an operation to a register: compilers keep these in registers of the processor,
// where they put a Value on the stack and wait for it.
struct Words {
    u64 low, high;
};

VM_FN Words words_of(const Value& v) {
    Words words;
    memcpy(&words, &v, sizeof(v));
    return words;
}

VM_FN Value value_of(const Words& words) {
    Value v;
    memcpy(&v, &words, sizeof(v));
    return v;
}

VM_FN bool is_bad(const Words& words) { return (words.low & 0xFF) >= FAIL; }  // little endian: the tag is the first byte

// On x86 in one store of 16 bytes: whoever copied the Value soon would wait for two of 8.
VM_FN void store(Value& to, const Words& words) {
#ifdef __SSE2__
    const __m128i both = _mm_set_epi64x(static_cast<long long>(words.high), static_cast<long long>(words.low));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(&to), both);
#else
    memcpy(&to, &words, sizeof(words));
#endif
}

#define VM_OPERANDS_1 registers[at[2]]
#define VM_OPERANDS_2 VM_OPERANDS_1, registers[at[3]]
#define VM_OPERANDS_3 VM_OPERANDS_2, registers[at[4]]
#define VM_OPERANDS_4 VM_OPERANDS_3, registers[at[5]]
#define CONTROL(name, semantics)
#define LOOP_KIND(name, semantics)

// Each operation on its operands, in a function of its own: short ones then need not save what long ones use.
#define OPERATION(name, arity, semantics)                                                    \
    VM_NOINLINE Words apply_##name(Context& cx, const Value* registers, const u16* at) {     \
        Value bad = none();                                                                  \
        if (bad_operand(registers, at + 2, arity, bad)) return words_of(bad);                \
        return words_of(op_##name(cx, VM_OPERANDS_##arity));                                 \
    }
#include "../opcodes.def"
#undef OPERATION

// The result of the operation at `at`.
#define OPERATION(name, arity, semantics) \
    case OP_##name: return apply_##name(cx, registers, at);
VM_NOINLINE Words operate(Context& cx, const Value* registers, const u16* at) {
    switch (at[0]) {
#include "../opcodes.def"
        default: return words_of(unhandled(R_FORM));
    }
}
#undef OPERATION
#undef CONTROL
#undef LOOP_KIND

VM_FN bool is_since(const Context& cx, const u8* mark, const void* pointer) {
    const u8* at = static_cast<const u8*>(pointer);
    return at >= mark && at < cx.arena.top;
}

VM_INLINE u64 round_up(u64 size) { return (size + 15u) & ~static_cast<u64>(15); }

VM_FN void move_down(u8* to, const void* from, u64 size) {
    allow_all(to, size);
    move_bytes(to, from, size);
    allow(to, round_up(size));
}

// Move a patch down to `mark`. Its parts keep their order, so that none is written over before it is moved.
VM_FN void move_patch(Context& cx, u8* mark, Value& v) {
    Patch p = *v.patch;
    const u64 rows_size = sizeof(u64) * p.h * p.words, plane_size = static_cast<u64>(p.h) * p.w;
    const bool move_rows = is_since(cx, mark, p.rows);
    const bool move_plane = p.object && p.colour == MANY_COLOURS && is_since(cx, mark, p.plane);
    const bool plane_first = move_plane && reinterpret_cast<const u8*>(p.plane) < reinterpret_cast<const u8*>(p.rows);
    const u64 needed = sizeof(Patch) + (move_rows ? round_up(rows_size) : 0) +
                       (move_plane ? round_up(plane_size) : 0) + 3 * GAP;
    if (needed + 64 > static_cast<u64>(cx.arena.top - mark)) return;
    u8* to = mark;
    for (u32 part = 0; part < 2; part++) {
        const bool is_plane = (part == 0) == plane_first;
        if (is_plane ? !move_plane : !move_rows) continue;
        const u64 size = is_plane ? plane_size : rows_size;
        move_down(to, is_plane ? static_cast<const void*>(p.plane) : static_cast<const void*>(p.rows), size);
        if (is_plane) {
            p.plane = reinterpret_cast<const i8*>(to);
        } else {
            p.rows = reinterpret_cast<const u64*>(to);
        }
        to += round_up(size) + GAP;
    }
    move_down(to, &p, sizeof(Patch));
    v = of_patch(reinterpret_cast<const Patch*>(to));
    cx.arena.top = to + round_up(sizeof(Patch)) + GAP;
}

// Give up what the arena holds from `mark` on, but for v; if that is quickly done.
VM_FN void release(Context& cx, u8* mark, Value& v) {
    const void* at = nullptr;  // of what v points to
    switch (v.tag) {
        case GRID: at = v.grid; break;
        case PATCH: at = v.patch; break;
        case ROW: at = v.bytes; break;
        case TUPLE:
        case SET: at = v.seq; break;
        default: break;
    }
    if (!at || !is_since(cx, mark, at)) {
        cx.arena.top = mark;
    } else if (static_cast<u64>(cx.arena.top - mark) < WORTH_MOVING) {
        return;
    } else if (v.tag == GRID) {
        const u64 size = sizeof(u32) * 2 + static_cast<u64>(v.grid->h) * v.grid->w;
        move_down(mark, v.grid, size);
        v = of_grid(reinterpret_cast<const Grid*>(mark));
        cx.arena.top = mark + round_up(size) + GAP;
    } else if (v.tag == PATCH) {
        move_patch(cx, mark, v);
    }
}

VM_INLINE bool is_empty_set(const Value& v) { return v.tag == SET && !v.seq; }

// Whether v is the empty set and the last of `results` too: most of what a loop over pairs makes.
VM_FN bool is_repeated(const Seq& results, const Value& v) {
    return is_empty_set(v) && results.n && is_empty_set(results.items[results.n - 1]);
}

VM_INLINE bool takes_two(u8 kind) { return kind == LOOP_zip || kind == LOOP_zip_merge || kind == LOOP_product; }
VM_INLINE bool takes_rank(u8 kind) { return kind == LOOP_arg_rank || kind == LOOP_val_rank; }

// The operations whose work all lanes share: these call collectives (see lanes.h), the others do not.
VM_FN bool is_shared(u16 op) {
    switch (op) {
#define SHARED(name) case OP_##name:
#include "shared_operations.def"
#undef SHARED
        return true;
        default: return false;
    }
}

// How much there is to do with a value, about: cells; a row of a mask, or an element of a container, counts as 8.
VM_FN u64 work_in(const Value& v) {
    switch (v.tag) {
        case GRID: return static_cast<u64>(v.grid->h) * v.grid->w;
        case PATCH: return static_cast<u64>(v.patch->h) * v.patch->words * 8;
        case TUPLE:
        case SET: return length(v) * 8;
        default: return 0;
    }
}

template <Counting COUNTING>
struct Machine {
    Context& cx;
    const Unit& unit;
    Value* registers;
    const Limits& limits;
    const Counters& counters;
    Frame* frames;
    bool helped;  // whether there are lanes that wait to be called for the operations that they share
    u32 depth, pc;

    VM_FN_MEMBER bool calls(u16 op) const { return VM_LANES > 1 && helped && is_shared(op); }

    // Whether calling all lanes for the shared operation `at` costs less than it saves.
    VM_FN_MEMBER bool is_worth_calling(const u16* at) const {
        const u32 arity = arity_of(at[0]);
        u64 work = 0;
        for (u32 k = 0; k < arity; k++) work += work_in(registers[at[2 + k]]);
        return work >= CELLS_WORTH_SHARING;
    }

    VM_FN_MEMBER void count(u32 which, u64 elements, u64 since) {
        if (COUNTING == NOTHING) return;
        if (COUNTING == EXECUTIONS) return static_cast<void>(add_at(counters.executions[which], 1u));
        add_at(counters.all[which].executions, static_cast<u64>(1));
        add_at(counters.all[which].elements, elements);
        add_at(counters.all[which].cycles, VM_CYCLES() - since);
    }

    VM_FN_MEMBER u64 now() const { return COUNTING == EVERYTHING ? VM_CYCLES() : 0; }

    VM_FN_MEMBER void count_operation(const u16* at, const Value& v, u64 since) {
        const Value& a = registers[at[2]];
        count(at[0], COUNTING != EVERYTHING ? 0 : is_container(v) ? length(v) : is_container(a) ? length(a) : 1, since);
    }

    VM_FN_MEMBER Words operation(const u16* at) {
        const u64 since = now();
        const Words words = operate(cx, registers, at);
        if (COUNTING != NOTHING) count_operation(at, value_of(words), since);
        return words;
    }

    // Begin iteration k of the innermost loop; false without fuel.
    VM_INLINE_MEMBER bool iterate(Frame& f) {
        if (--cx.fuel < 0) return false;
        pc = f.body;
        if (f.op == CONTROL_repeat) return true;
        f.mark = cx.arena.top;
        if (f.kind == LOOP_product) {
            registers[f.element] = f.items[f.row];
            registers[f.other] = f.others[f.column];
            if (++f.column == f.columns) {
                f.row++;
                f.column = f.symmetric ? f.row : 0;
            }
            return true;
        }
        registers[f.element] = f.items[f.k];
        if (f.others) registers[f.other] = f.others[f.k];
        return true;
    }

    VM_FN_MEMBER Value finish(Frame& f) {
        const u64 since = now();
        Value v = finish_loop(cx, f.kind, f.container, f.items, f.results, f.rank);
        wind_up(f, v, since);
        return v;
    }

    // What is left to do behind finish_loop.
    VM_FN_MEMBER void wind_up(const Frame& f, Value& v, u64 since) {
        release(cx, f.loop_mark, v);
        count(static_cast<u32>(OPCODES) + f.kind, f.n, since);
    }

    // Whether the body of the product at `at` connects its two elements: prapply(connect, x, x) is common, and makes a
    // set, in which a connection is once, whichever way round it was made.
    VM_FN_MEMBER bool is_symmetric_body(const u16* at) const {
        const u16 *body = at + FIELDS, *next = body + FIELDS;
        if (body[0] != OP_connect || body[2] != at[4] || body[3] != at[5]) return false;
        return next[0] == CONTROL_next && next[2] == body[1];
    }

    // Set a loop up. True if its body has to run; otherwise v is its result.
    VM_FN_MEMBER bool enter_loop(const u16* at, Frame& f, Value& v) {
        const u8 kind = static_cast<u8>(at[6]);
        const bool two = takes_two(kind);
        const u16 operands[3] = {at[2], two ? at[3] : at[2], takes_rank(kind) ? at[7] : at[2]};
        if (bad_operand(registers, operands, 3, v)) return false;
        v = fail();
        const Value &a = registers[operands[0]], &b = registers[operands[1]];
        if (!is_container(a) || !is_container(b)) return false;
        f.loop_mark = cx.arena.top;
        f.op = CONTROL_loop;
        f.dst = at[1];
        f.element = at[4];
        f.other = at[5];
        f.kind = kind;
        f.body = pc + 1;
        f.behind = unit.behind[pc];
        f.k = 0;
        f.columns = length(b);
        f.row = f.column = 0;
        f.n = kind == LOOP_product ? length(a) * f.columns : two ? least_of(length(a), f.columns) : length(a);
        f.container = a;
        f.rank = takes_rank(kind) ? registers[at[7]] : none();
        f.items = f.others = nullptr;
        f.symmetric = kind == LOOP_product && at[2] == at[3] && is_symmetric_body(at);
        if (f.symmetric) f.n = f.columns * (f.columns + 1) / 2;
        f.unordered = kind == LOOP_product || (kind == LOOP_map && is_set(a));
        count(CONTROL_loop, f.n, now());
        if (f.n) {
            f.items = items_of(cx, a);
            if (two) f.others = items_of(cx, b);
        }
        v = unhandled(R_ARENA);
        if (f.n && (!f.items || (two && !f.others))) return false;
        f.results = new_seq(cx, f.n);
        if (!f.results) return false;
        f.results->n = 0;
        if (f.n) return true;
        v = finish(f);
        return false;
    }

    VM_FN_MEMBER bool enter_repeat(const u16* at, Frame& f, Value& v) {
        if (bad_operand(registers, at + 2, 2, v)) return false;
        v = fail();
        const Value& times = registers[at[2]];
        if (!is_int(times) || times.num < 1) return false;
        count(CONTROL_repeat, static_cast<u64>(times.num), now());
        f.op = CONTROL_repeat;
        f.dst = at[1];
        f.element = at[4];
        f.body = pc + 1;
        f.behind = unit.behind[pc];
        f.k = 0;
        f.n = static_cast<u64>(times.num);
        f.mark = cx.arena.top;
        registers[at[4]] = registers[at[3]];
        return true;
    }

    // Take the result of an iteration. If the loop ENDS, v is its result.
    VM_INLINE_MEMBER Leaving leave_iteration(Frame& f, Value& v) {
        if (cx.arena.top != f.mark) release(cx, f.mark, v);
        f.k++;
        if (f.op == CONTROL_repeat) {
            registers[f.element] = v;
            return f.k < f.n ? GOES_ON : ENDS;
        }
        if (!f.unordered || !is_repeated(*f.results, v)) f.results->items[f.results->n++] = v;
        if (f.kind == LOOP_extract && is_tuple(f.container) && is_truthy(v)) {
            v = f.items[f.k - 1];
            count(static_cast<u32>(OPCODES) + f.kind, f.k, now());
            return ENDS;
        }
        if (f.k < f.n) return GOES_ON;
        if (VM_LANES > 1 && helped && f.results->n >= RESULTS_WORTH_SHARING && finishes_together(f.kind, f.container)) {
            return ENDS_TOGETHER;
        }
        v = finish(f);
        return ENDS;
    }

    // The instruction `next` of a loop whose body is nothing but operations; else null.
    VM_FN_MEMBER const u16* end_of_plain_body(const Frame& f) const {
        const u16* at = unit.code + static_cast<u64>(f.body) * FIELDS;
        while (at[0] >= CONTROLS && !calls(at[0])) at += FIELDS;
        return at[0] == CONTROL_next ? at : nullptr;
    }

    // Go on with a loop whose next iteration has begun, and whose body is operations and `next`, until it ends (then v
    // is its result), fails (STOPPED; v is why), has to be finished by all lanes (CALLED), or is given up. Most loops are
    // such ones, and quicker by themselves.
    VM_NOINLINE_MEMBER Ending run_plain_body(Frame& f, const u16* next, Value& v) {
        const u16* body = unit.code + static_cast<u64>(f.body) * FIELDS;
        const i64 instructions = (next - body) / static_cast<i64>(FIELDS) + 1;
        i64 until_poll = POLL_INTERVAL;
        while (true) {
            if ((cx.fuel -= instructions) < 0) return OUT_OF_FUEL;
            if ((until_poll -= instructions) <= 0) {
                if (limits.cancel && *limits.cancel) return CANCELLED;
                until_poll = POLL_INTERVAL;
            }
            for (const u16* at = body; at != next; at += FIELDS) {
                const Words words = operation(at);
                if (is_bad(words)) {
                    v = value_of(words);
                    return STOPPED;
                }
                store(registers[at[1]], words);
            }
            v = registers[next[2]];
            if (is_bad(v)) return STOPPED;
            const Leaving leaving = leave_iteration(f, v);
            if (leaving != GOES_ON) return leaving == ENDS ? ENDED : CALLED;
            if (!iterate(f)) return OUT_OF_FUEL;
        }
    }

    // Take a bad result. False if the run ends with it.
    VM_FN_MEMBER bool take_bad(const Value& v, u16 dst, Value& bad, Ending& ending) {
        if (v.tag == UNHANDLED && v.num == R_ARENA && limits.stop_without_memory) {
            ending = OUT_OF_MEMORY;
            return false;
        }
        if (unit.programs == 1) {
            ending = STOPPED;
            bad = v;
            return false;
        }
        if (depth) {  // what encloses a bad result has it too, out to the top level
            dst = frames[0].dst;
            pc = frames[0].behind;
            depth = 0;
        }
        registers[dst] = v;
        return true;
    }

    // Go on behind what all lanes were called for, with its result. False if the run ends with that.
    VM_FN_MEMBER bool take(const Call& call, Value v, u64 since, Value& bad, Ending& ending) {
        u16 dst;
        if (call.at) {
            if (COUNTING != NOTHING) count_operation(call.at, v, since);
            dst = call.at[1];
            pc++;
        } else {
            const Frame& f = frames[--depth];
            wind_up(f, v, since);
            dst = f.dst;
            pc = f.behind;
        }
        if (is_bad(v)) return take_bad(v, dst, bad, ending);
        registers[dst] = v;
        return true;
    }

    // Have all lanes finish the innermost loop.
    VM_FN_MEMBER Ending call_to_finish(Call& call) const {
        call = Call{CALLED, nullptr, &frames[depth - 1]};
        return CALLED;
    }

    // Run the unit, to its end or, if CALLED, to where all lanes have to do what `call` says. `bad` is what stopped it, if
    // it is STOPPED.
    VM_FN_MEMBER Ending run(Value& bad, Call& call) {
        u32 until_poll = POLL_INTERVAL;
        Ending ending = ENDED;
        while (true) {
            if (--cx.fuel < 0) return OUT_OF_FUEL;
            if (--until_poll == 0) {
                if (limits.cancel && *limits.cancel) return CANCELLED;
                until_poll = POLL_INTERVAL;
            }
            const u16* at = unit.code + static_cast<u64>(pc) * FIELDS;
            if (at[0] >= CONTROLS) {
                if (calls(at[0]) && is_worth_calling(at)) {
                    call = Call{CALLED, at, nullptr};
                    return CALLED;
                }
                const Words words = operation(at);
                pc++;
                if (!is_bad(words)) {
                    store(registers[at[1]], words);
                } else if (!take_bad(value_of(words), at[1], bad, ending)) {
                    return ending;
                }
                continue;
            }
            u16 dst = at[1];
            Value v = none();
            switch (at[0]) {
                case CONTROL_end: return ENDED;
                case CONTROL_constant:
                    v = unit.constants[at[2]];
                    pc++;
                    break;
                case CONTROL_move:
                    v = registers[at[2]];
                    pc++;
                    break;
                case CONTROL_loop:
                case CONTROL_repeat: {
                    Frame& f = frames[depth];
                    if (at[0] == CONTROL_loop ? enter_loop(at, f, v) : enter_repeat(at, f, v)) {
                        depth++;
                        if (!iterate(f)) return OUT_OF_FUEL;
                        const u16* next = end_of_plain_body(f);
                        if (!next) continue;
                        ending = run_plain_body(f, next, v);
                        if (ending == OUT_OF_FUEL || ending == CANCELLED) return ending;
                        if (VM_LANES > 1 && ending == CALLED) return call_to_finish(call);
                        if (ending == ENDED) depth--;
                        pc = f.behind;
                        break;
                    }
                    pc = unit.behind[pc];
                    break;
                }
                case CONTROL_next: {
                    Frame& f = frames[depth - 1];
                    v = registers[at[2]];
                    if (is_bad(v)) break;
                    const Leaving leaving = leave_iteration(f, v);
                    if (leaving == GOES_ON) {
                        if (!iterate(f)) return OUT_OF_FUEL;
                        continue;
                    }
                    if (VM_LANES > 1 && leaving == ENDS_TOGETHER) return call_to_finish(call);
                    depth--;
                    dst = f.dst;
                    pc = f.behind;
                    break;
                }
                case CONTROL_if_: {
                    const Value& condition = registers[at[2]];
                    if (is_bad(condition)) {
                        v = condition;
                        pc = unit.behind[pc];
                        break;
                    }
                    Frame& f = frames[depth++];
                    f.op = CONTROL_if_;
                    f.dst = dst;
                    f.behind = unit.behind[pc];
                    pc += is_truthy(condition) ? 1u : 1u + at[3];
                    continue;
                }
                default: {  // arm
                    const Frame& f = frames[--depth];
                    v = registers[at[2]];
                    dst = f.dst;
                    pc = f.behind;
                    break;
                }
            }
            if (!is_bad(v)) {
                registers[dst] = v;
            } else if (!take_bad(v, dst, bad, ending)) {
                return ending;
            }
        }
    }
};

// Run a unit on inputs that the caller has put into the first registers; all lanes do. The arena must be 16-byte aligned.
// The leader runs the machine, the others wait for what it calls them for.
template <Counting COUNTING>
VM_FN Ending run(Context& cx, const Unit& unit, Value* registers, const Limits& limits, const Counters& counters,
                 Value& bad) {
    Frame* frames = allocate_array<Frame>(cx, unit.depth);
    if (!frames) {
        bad = unhandled(R_ARENA);
        return limits.stop_without_memory ? OUT_OF_MEMORY : STOPPED;
    }
    Machine<COUNTING> machine{cx, unit, registers, limits, counters, frames, lanes_of(cx) > 1, 0, 0};
    Ending ending = ENDED;
    while (true) {
        const Call call = alone(cx, [&](Context&) {
            Call next{ENDED, nullptr, nullptr};
            next.ending = ending = machine.run(bad, next);
            return next;
        });
        if (call.ending != CALLED) break;
        const u64 since = machine.now();
        const Value v = call.at ? value_of(operate(cx, registers, call.at))
                                : finish_together(cx, call.loop->kind, call.loop->results);
        if (!alone(cx, [&](Context&) { return machine.take(call, v, since, bad, ending); })) break;
    }
    bad = of_lane(cx, bad, 0);
    return of_lane(cx, ending, 0);
}

}  // namespace vm
