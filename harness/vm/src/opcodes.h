// The numbers of opcodes and loop kinds, from the table that Python reads too.
#pragma once

#include "platform.h"

namespace vm {

#define LOOP_KIND(name, semantics)
#define CONTROL(name, semantics) CONTROL_##name,
#define OPERATION(name, arity, semantics) OP_##name,
enum Opcode : u16 {
#include "../opcodes.def"
    OPCODES
};
#undef CONTROL
#undef OPERATION

#define CONTROL(name, semantics) +1
#define OPERATION(name, arity, semantics)
constexpr u16 CONTROLS = 0
#include "../opcodes.def"
    ;
#undef CONTROL
#undef OPERATION
#undef LOOP_KIND

#define CONTROL(name, semantics)
#define OPERATION(name, arity, semantics)
#define LOOP_KIND(name, semantics) LOOP_##name,
enum LoopKind : u8 {
#include "../opcodes.def"
    LOOP_KINDS
};
#undef CONTROL
#undef OPERATION
#undef LOOP_KIND

constexpr u16 NO_FIELD = 0xFFFF;  // of an instruction that does not use it
constexpr u32 FIELDS = 8;         // op, dst, a, b, c, d, e, f

// How many operands an operation takes.
VM_INLINE u32 arity_of(u16 op) {
    switch (op) {
#define CONTROL(name, semantics)
#define LOOP_KIND(name, semantics)
#define OPERATION(name, arity, semantics) \
    case OP_##name: return arity;
#include "../opcodes.def"
#undef CONTROL
#undef LOOP_KIND
#undef OPERATION
        default: return 0;
    }
}

}  // namespace vm
