// What is known of a pair of a unit and a sample behind its run: status, equality, outputs.
#pragma once

#include "encoding.h"
#include "interpreter.h"

namespace vm {

enum Status : u8 { SUCCEEDED, FAILED, NOT_HANDLED, NOT_RUN = 255 };
enum Equality : u8 { DIFFERENT, EQUAL, UNKNOWN = 255 };

VM_INLINE Status status_of(const Value& v) { return v.tag == FAIL ? FAILED : v.tag == UNHANDLED ? NOT_HANDLED : SUCCEEDED; }
VM_INLINE Reason reason_of(const Value& v) { return v.tag == UNHANDLED ? static_cast<Reason>(v.num) : R_NONE; }

// FAIL if an output or a required register of a program is, else UNHANDLED if one is, else None. `ending`, `bad`: those
// of the run.
VM_FN Value outcome_of(const Context& cx, const Unit& unit, const Value* registers, u32 program, Ending ending,
                       const Value& bad) {
    if (cx.too_deep) return unhandled(R_DEPTH);
    if (ending == OUT_OF_FUEL) return unhandled(R_FUEL);
    if (ending != ENDED) return bad;
    const u32 first = unit.results_start[2 * program], end = unit.results_start[2 * program + 2];
    Value found = none();
    bad_operand(registers, unit.results + first, end - first, found);
    return found;
}

// Whether a program's only output is the expected one. Comparing may be too much: then `outcome` says so.
VM_FN Equality compare_output(Context& cx, const Unit& unit, const Value* registers, u32 program, const Value& expected,
                              Value& outcome) {
    const u32 first = unit.results_start[2 * program], end = unit.results_start[2 * program + 1];
    if (end - first != 1 || outcome.tag == UNHANDLED) return UNKNOWN;
    const bool same = outcome.tag != FAIL && equal(cx, registers[unit.results[first]], expected);
    if (!cx.too_deep) return same ? EQUAL : DIFFERENT;
    outcome = unhandled(R_DEPTH);
    return UNKNOWN;
}

// Write the tuple of a program's outputs; see encode().
VM_FN Reason encode_outputs(Writer& out, const Unit& unit, const Value* registers, u32 program, u64 most) {
    const u32 first = unit.results_start[2 * program], end = unit.results_start[2 * program + 1];
    write_head(out, CODE_TUPLE, end - first);
    Reason trouble = R_NONE;
    for (u32 k = first; k < end && trouble == R_NONE; k++) trouble = encode(out, registers[unit.results[k]], most);
    return trouble;
}

}  // namespace vm
