// Grids of Python, tuples of tuples of integers, to bytes and back, many with one call. The functions of Python's stable
// interface come from the caller, so that the library does not depend on a version of Python.
#pragma once

#include "encoding.h"

namespace vm {

struct Object;  // of Python

// Functions of Python. harness/vm/packing.py has the same structure.
struct Python {
    i64 (*size)(Object*);  // PyTuple_Size
    Object* (*item)(Object*, i64);  // PyTuple_GetItem: not a new reference
    long (*as_long)(Object*);  // PyLong_AsLong
    Object* (*error)();  // PyErr_Occurred
    void (*clear_error)();  // PyErr_Clear
    Object* (*new_tuple)(i64);  // PyTuple_New
    int (*set_item)(Object*, i64, Object*);  // PyTuple_SetItem: takes the reference over
    Object* (*from_long)(long);  // PyLong_FromLong
    void (*keep)(Object*);  // Py_IncRef
    void (*drop)(Object*);  // Py_DecRef
};

constexpr u64 GRID_HEAD = 3;  // bytes before the cells
constexpr i64 MOST_CODED_SIDE = 255;
constexpr u64 MOST_GRID_BYTES = GRID_HEAD + MOST_CODED_SIDE * MOST_CODED_SIDE;

// Write a tuple of equally long tuples of integers in -128 .. 127 as a grid, in MOST_GRID_BYTES at most. 0 bytes where it is
// none; then no Python exception is set.
inline u64 encode_python_grid(const Python& python, Object* rows, u8* to) {
    const i64 h = python.size(rows);
    i64 w = 0;
    u8* cell = to + GRID_HEAD;
    bool is_grid = h >= 1 && h <= MOST_CODED_SIDE;
    for (i64 i = 0; i < h && is_grid; i++) {
        Object* const row = python.item(rows, i);
        const i64 length = python.size(row);
        if (i == 0) w = length;
        is_grid = length == w && w >= 1 && w <= MOST_CODED_SIDE;
        for (i64 j = 0; j < w && is_grid; j++) {
            const long colour = python.as_long(python.item(row, j));
            is_grid = colour >= INT8_MIN && colour <= INT8_MAX && (colour != -1 || !python.error());
            *cell++ = static_cast<u8>(colour);
        }
    }
    if (!is_grid) {
        python.clear_error();
        return 0;
    }
    to[0] = CODE_GRID;
    to[1] = static_cast<u8>(h);
    to[2] = static_cast<u8>(w);
    return static_cast<u64>(cell - to);
}

// A new reference: to the grid that `size` bytes are, or to `other` where they are none. Null, with a Python exception set,
// where memory is short.
inline Object* decode_python_grid(const Python& python, const u8* bytes, u64 size, Object* other) {
    const i64 h = size > GRID_HEAD ? bytes[1] : 0, w = h ? bytes[2] : 0;
    if (!h || bytes[0] != CODE_GRID || size != GRID_HEAD + static_cast<u64>(h * w)) {
        python.keep(other);
        return other;
    }
    Object* const rows = python.new_tuple(h);
    const u8* cell = bytes + GRID_HEAD;
    for (i64 i = 0; rows && i < h; i++) {
        Object* const row = python.new_tuple(w);
        bool bad = !row || python.set_item(rows, i, row) != 0;
        for (i64 j = 0; j < w && !bad; j++) {
            Object* const colour = python.from_long(static_cast<i8>(*cell++));
            bad = !colour || python.set_item(row, j, colour) != 0;
        }
        if (bad) {
            python.drop(rows);
            return nullptr;
        }
    }
    return rows;
}

}  // namespace vm
