// Values as bytes, little endian: how programs' constants and samples come in and outputs go out. harness/vm/encoding.py
// is the same in Python. A value is a byte that says what it is, and
//   0 None; 1 int: i64; 2 tuple: u32 n, n values; 3 frozenset: u32 n, n values; 4 grid: u8 h, u8 w, h * w bytes;
//   5 bool: u8; 6 frozenset of locations: u32 n, n x (i32 i, i32 j); 7 of cells: u32 n, n x (i32 colour, i32 i, i32 j)
#pragma once

#include "grid.h"

namespace vm {

enum Code : u8 { CODE_NONE, CODE_INT, CODE_TUPLE, CODE_SET, CODE_GRID, CODE_BOOL, CODE_INDICES, CODE_OBJECT };

constexpr u32 NESTING = 32;  // how deep encoded values may nest

struct Reader {
    const u8* at;
    const u8* end;
};

VM_INLINE u64 bytes_left(const Reader& in) { return static_cast<u64>(in.end - in.at); }

template <class T>
VM_INLINE bool read(Reader& in, T& x) {
    if (bytes_left(in) < sizeof(T)) return false;
    memcpy(&x, in.at, sizeof(T));
    in.at += sizeof(T);
    return true;
}

// A grid with a byte that grids cannot hold, as a tuple of tuples.
VM_FN Value decode_wide_grid(Context& cx, const i8* bytes, u32 h, u32 w) {
    Seq* rows = new_seq(cx, h);
    if (!rows) return unhandled(R_ARENA);
    for (u32 r = 0; r < h; r++) {
        Seq* row = new_seq(cx, w);
        if (!row) return unhandled(R_ARENA);
        for (u32 k = 0; k < w; k++) row->items[k] = integer(bytes[r * w + k]);
        rows->items[r] = make_tuple(cx, row);
        if (is_bad(rows->items[r])) return rows->items[r];
    }
    return make_tuple(cx, rows);
}

VM_FN Value decode_grid(Context& cx, Reader& in) {
    u8 h = 0, w = 0;
    if (!read(in, h) || !read(in, w) || !h || !w) return fail();
    const u32 cells = static_cast<u32>(h) * w;
    if (bytes_left(in) < cells) return fail();
    const i8* bytes = reinterpret_cast<const i8*>(in.at);
    in.at += cells;
    for (u32 k = 0; k < cells; k++) {
        if (bytes[k] < LEAST_BYTE) return decode_wide_grid(cx, bytes, h, w);
    }
    Grid* g = new_grid(cx, h, w);
    if (!g) return unhandled(R_ARENA);
    copy_memory(g->data, bytes, cells);
    return of_grid(g);
}

VM_FN Value decode_patch(Context& cx, Reader& in, bool object) {
    u32 n = 0;
    if (!read(in, n) || bytes_left(in) < n * static_cast<u64>(object ? 12 : 8)) return fail();
    if (!n) return empty_set();
    Seq* seq = new_seq(cx, n);
    if (!seq) return unhandled(R_ARENA);
    for (u32 k = 0; k < n; k++) {
        i32 colour = 0, i = 0, j = 0;
        if (object) read(in, colour);
        read(in, i);
        read(in, j);
        seq->items[k] = object ? cell_of(colour, i, j) : pair_of(i, j);
    }
    return make_set(cx, seq);
}

VM_FN Value decode_flat(Context& cx, Reader& in, u8 code) {
    if (code == CODE_NONE) return none();
    if (code == CODE_GRID) return decode_grid(cx, in);
    if (code == CODE_INDICES || code == CODE_OBJECT) return decode_patch(cx, in, code == CODE_OBJECT);
    if (code == CODE_INT) {
        i64 n = 0;
        return read(in, n) ? integer(n) : fail();
    }
    if (code == CODE_BOOL) {
        u8 truth = 0;
        return read(in, truth) && truth <= 1 ? boolean(truth) : fail();
    }
    return fail();
}

// The next value of `in`, in the arena. FAIL where the bytes are no value; UNHANDLED(R_ARENA), UNHANDLED(R_DEPTH).
VM_FN Value decode(Context& cx, Reader& in) {
    struct {
        Seq* seq;
        u32 filled;
        bool set;
    } open[NESTING];
    u32 depth = 0;
    while (true) {
        u8 code = 0;
        if (!read(in, code)) return fail();
        Value v = none();
        if (code == CODE_TUPLE || code == CODE_SET) {
            u32 n = 0;
            if (!read(in, n) || bytes_left(in) < n) return fail();  // an element takes a byte at least
            if (n) {
                if (depth == NESTING) return unhandled(R_DEPTH);
                Seq* seq = new_seq(cx, n);
                if (!seq) return unhandled(R_ARENA);
                open[depth].seq = seq;
                open[depth].filled = 0;
                open[depth].set = code == CODE_SET;
                depth++;
                continue;
            }
            v = code == CODE_SET ? empty_set() : empty_tuple();
        } else {
            v = decode_flat(cx, in, code);
        }
        while (true) {  // v goes into the innermost open container, which may be its last element
            if (is_bad(v) || !depth) return v;
            auto& inner = open[depth - 1];
            inner.seq->items[inner.filled++] = v;
            if (inner.filled < inner.seq->n) break;
            v = inner.set ? make_set(cx, inner.seq) : make_tuple(cx, inner.seq);
            depth--;
        }
    }
}

struct Writer {
    u8* at;
    u64 capacity;
    u64 size;  // of all that was written, also of what did not fit
};

template <class T>
VM_INLINE void write(Writer& out, T x) {
    if (out.size + sizeof(T) <= out.capacity) memcpy(out.at + out.size, &x, sizeof(T));
    out.size += sizeof(T);
}

VM_FN void write_head(Writer& out, Code code, u64 n) {
    write(out, static_cast<u8>(code));
    write(out, static_cast<u32>(n));
}

VM_FN void encode_int(Writer& out, i64 n) {
    write(out, static_cast<u8>(CODE_INT));
    write(out, n);
}

VM_FN void encode_pair(Writer& out, i32 i, i32 j) {
    write_head(out, CODE_TUPLE, 2);
    encode_int(out, i);
    encode_int(out, j);
}

VM_FN void encode_grid(Writer& out, const Grid& g) {
    write(out, static_cast<u8>(CODE_GRID));
    write(out, static_cast<u8>(g.h));
    write(out, static_cast<u8>(g.w));
    const u64 cells = static_cast<u64>(g.h) * g.w;
    if (out.size + cells <= out.capacity) copy_memory(out.at + out.size, g.data, cells);
    out.size += cells;
}

VM_FN void encode_patch(Writer& out, const Patch& p) {
    write_head(out, p.object ? CODE_OBJECT : CODE_INDICES, p.count);
    PatchWalk walk = walk_of(p);
    Value cell = none();
    while (next_cell(walk, cell)) {
        if (p.object) write(out, cell.extra);
        write(out, cell.at.i);
        write(out, cell.at.j);
    }
}

// Write what is no container of values; false if v is one, of which only the head was written.
VM_FN bool encode_flat(Writer& out, const Value& v) {
    switch (v.tag) {
        case INT:
            if (v.flag) {
                write(out, static_cast<u8>(CODE_BOOL));
                write(out, static_cast<u8>(v.num != 0));
            } else {
                encode_int(out, v.num);
            }
            return true;
        case PAIR: encode_pair(out, v.at.i, v.at.j); return true;
        case CELL:
            write_head(out, CODE_TUPLE, 2);
            encode_int(out, v.extra);
            encode_pair(out, v.at.i, v.at.j);
            return true;
        case ROW:
            write_head(out, CODE_TUPLE, length(v));
            for (u64 k = 0; k < length(v); k++) encode_int(out, v.bytes[k]);
            return true;
        case GRID:
            if (v.grid->h > 255 || v.grid->w > 255) break;
            encode_grid(out, *v.grid);
            return true;
        case PATCH: encode_patch(out, *v.patch); return true;
        case TUPLE:
        case SET: break;
        default: write(out, static_cast<u8>(CODE_NONE)); return true;
    }
    write_head(out, v.tag == SET ? CODE_SET : CODE_TUPLE, length(v));
    return length(v) == 0;
}

// Write a value; out.size says how much room it takes. R_ARENA where that is more than `most` bytes (values may share
// parts, so a small one may be enormous when written), R_DEPTH where it nests deeper than NESTING.
VM_FN Reason encode(Writer& out, const Value& value, u64 most) {
    struct {
        Value container;
        u64 next;
    } open[NESTING];
    u32 depth = 0;
    Value v = value;
    while (true) {
        if (!encode_flat(out, v)) {
            if (depth == NESTING) return R_DEPTH;
            open[depth].container = v;
            open[depth].next = 0;
            depth++;
        }
        if (out.size > most) return R_ARENA;
        while (depth && open[depth - 1].next == length(open[depth - 1].container)) depth--;
        if (!depth) return R_NONE;
        auto& inner = open[depth - 1];
        v = inner.container.tag == GRID ? tuple_item(inner.container, inner.next) : inner.container.seq->items[inner.next];
        inner.next++;
    }
}

}  // namespace vm
