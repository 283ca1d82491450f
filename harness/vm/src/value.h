// Values of the DSL, 16 bytes each, and the arena that holds what does not fit into these.
//
// One DSL value may have several forms (a tuple of two integers is a PAIR or a TUPLE, a set of locations a PATCH or a
// SET). Functions therefore never ask for a form, but go through the accessors of sequence.h, order.h, grid.h, patch.h.
#pragma once

#include "platform.h"

namespace vm {

enum Tag : u8 {
    NONE,
    INT,        // num; flag is 1 for a Boolean
    PAIR,       // tuple of two integers at.i, at.j
    CELL,       // tuple (colour, (at.i, at.j))
    ROW,        // tuple of `extra` integers, bytes
    TUPLE,      // tuple, items; seq is null when empty
    GRID,       // tuple of equally long rows of bytes, at least 1x1
    SET,        // frozenset, items sorted and unique; seq is null when empty
    PATCH,      // frozenset of locations or of cells, not empty: a bitmask
    FAIL,       // what the reference would raise
    UNHANDLED,  // what this machine cannot do: the reference has to; num is a Reason
};

enum Reason : u8 { R_NONE, R_ARENA, R_FUEL, R_OVERFLOW, R_FORM, R_DEPTH, R_COUNT };

struct Seq;
struct Grid;
struct Patch;

struct Value {
    u8 tag;
    u8 flag;
    u16 unused;
    i32 extra;  // CELL: colour; ROW: length
    union {
        i64 num;
        struct {
            i32 i, j;
        } at;
        const Seq* seq;
        const Grid* grid;
        const Patch* patch;
        const i8* bytes;
    };
};
static_assert(sizeof(Value) == 16, "a Value is copied as two words");

struct Seq {
    u64 n;  // 8 bytes, so that items are aligned
    Value items[1];
};

struct Grid {
    u32 h, w;
    i8 data[1];  // h * w of them, row by row (a length of 1 is how compilers know that there are more)
};

constexpr i32 MANY_COLOURS = -128;  // colour of a Patch whose cells differ: see its plane
constexpr i32 LEAST_BYTE = -127, GREATEST_BYTE = 127;  // colours that grids and patches hold as bytes

// A set of locations (an Indices) or of cells with at most one colour per location (an Object). `top` and `left` are
// where its bounding box begins; the mask is tight: its first and last rows and columns are not empty. Bit (k & 63) of
// rows[r * words + (k >> 6)] stands for location (top + r, left + k); bits beyond the width are 0.
struct Patch {
    i32 top, left;
    u32 h, w;
    u32 words;  // (w + 63) / 64
    u32 count;  // cells
    bool object;
    i32 colour;       // of an object: that of all cells, or MANY_COLOURS
    const u64* rows;  // h * words
    const i8* plane;  // h * w colours if MANY_COLOURS, anything where the mask is 0
};

struct Arena {
    u8* base;
    u8* top;
    u8* end;
};

// What the functions of the machine work in.
struct Context {
    Arena arena;
    i64 fuel;     // work left before an evaluation is given up
    bool too_deep;  // set by compare where values nest deeper than it looks
#if VM_LANES > 1
    u32 lane = 0, lanes = 1;  // see lanes.h
#endif
};

#ifdef __SANITIZE_ADDRESS__  // then a poisoned gap follows each allocation, so that running over its end is noticed
constexpr u64 GAP = 32;
VM_INLINE void allow(void* at, u64 bytes) {
    ASAN_UNPOISON_MEMORY_REGION(at, bytes);
    ASAN_POISON_MEMORY_REGION(static_cast<u8*>(at) + bytes, GAP);
}
VM_INLINE void allow_all(void* at, u64 bytes) { ASAN_UNPOISON_MEMORY_REGION(at, bytes); }
#else
constexpr u64 GAP = 0;
VM_INLINE void allow(void*, u64) {}
VM_INLINE void allow_all(void*, u64) {}
#endif

VM_INLINE void* allocate(Context& cx, u64 bytes) {
    const u64 left = static_cast<u64>(cx.arena.end - cx.arena.top);
    if (bytes > left || bytes + 15u + GAP > left) return nullptr;
    const u64 size = (bytes + 15u) & ~static_cast<u64>(15);
    void* at = cx.arena.top;
    allow(at, size);
    cx.arena.top += size + GAP;
    return at;
}
template <class T>
VM_INLINE T* allocate_array(Context& cx, u64 n) {
    return static_cast<T*>(allocate(cx, n * sizeof(T)));
}

VM_INLINE Value none() { return Value{NONE, 0, 0, 0, {0}}; }
VM_INLINE Value integer(i64 n) { return Value{INT, 0, 0, 0, {n}}; }
VM_INLINE Value boolean(bool b) { return Value{INT, 1, 0, 0, {b ? 1 : 0}}; }
VM_INLINE Value fail() { return Value{FAIL, 0, 0, 0, {0}}; }
VM_INLINE Value unhandled(Reason reason) { return Value{UNHANDLED, 0, 0, 0, {static_cast<i64>(reason)}}; }
VM_INLINE Value pair_of(i32 i, i32 j) {
    Value v{PAIR, 0, 0, 0, {0}};
    v.at.i = i;
    v.at.j = j;
    return v;
}
VM_INLINE Value cell_of(i32 colour, i32 i, i32 j) {
    Value v{CELL, 0, 0, colour, {0}};
    v.at.i = i;
    v.at.j = j;
    return v;
}
VM_INLINE Value row_of(const i8* bytes, u32 n) {
    Value v{ROW, 0, 0, static_cast<i32>(n), {0}};
    v.bytes = bytes;
    return v;
}
VM_INLINE Value of_seq(Tag tag, const Seq* seq) {
    Value v{tag, 0, 0, 0, {0}};
    v.seq = seq;
    return v;
}
VM_INLINE Value of_grid(const Grid* grid) {
    Value v{GRID, 0, 0, 0, {0}};
    v.grid = grid;
    return v;
}
VM_INLINE Value of_patch(const Patch* patch) {
    Value v{PATCH, 0, 0, 0, {0}};
    v.patch = patch;
    return v;
}
VM_INLINE Value empty_tuple() { return of_seq(TUPLE, nullptr); }
VM_INLINE Value empty_set() { return of_seq(SET, nullptr); }

VM_INLINE bool is_bad(const Value& v) { return v.tag >= FAIL; }
VM_INLINE bool is_int(const Value& v) { return v.tag == INT; }
VM_INLINE bool is_tuple(const Value& v) { return v.tag >= PAIR && v.tag <= GRID; }
VM_INLINE bool is_set(const Value& v) { return v.tag == SET || v.tag == PATCH; }
VM_INLINE bool is_container(const Value& v) { return is_tuple(v) || is_set(v); }
VM_INLINE bool is_small(i64 n) { return n >= INT32_MIN && n <= INT32_MAX; }
VM_INLINE bool is_byte(i64 n) { return n >= LEAST_BYTE && n <= GREATEST_BYTE; }

}  // namespace vm
