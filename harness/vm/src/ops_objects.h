// The family "objects": what is found in a grid.
#pragma once

#include "grid_masks.h"
#include "odd_grids.h"
#include "ops_patches.h"

namespace vm {

// Memory at the far end of the arena, given back when the function that took it ends; so results lie side by side.
struct Scratch {
    Context& cx;
    u8* end;

    VM_FN_MEMBER explicit Scratch(Context& context) : cx(context), end(context.arena.end) {}
    VM_FN_MEMBER ~Scratch() { cx.arena.end = end; }

    template <class T>
    VM_FN_MEMBER T* array(u64 n) {
        const u64 size = n * sizeof(T);
        const u64 odd = reinterpret_cast<u64>(cx.arena.end - size) & 15;  // the end need not be aligned
        if (size + odd > static_cast<u64>(cx.arena.end - cx.arena.top)) return nullptr;
        cx.arena.end -= size + odd;
        allow_all(cx.arena.end, size);
        return reinterpret_cast<T*>(cx.arena.end);
    }
};

// Take a value for a grid, as rows_of_grid does; unlike as_grid's, it may have rows of no columns.
VM_FN Form rows_of_grid(Context& cx, const Value& v, const Grid*& g) {
    if (v.tag == GRID) {
        g = v.grid;
        return IS_PATCH;
    }
    if (!is_tuple(v)) return IS_WRONG;
    const u64 n = length(v);
    if (!n) return IS_EMPTY;
    if (v.tag != TUPLE) return IS_WRONG;  // the first item is an integer
    bool bare = true;
    for (u64 r = 0; r < n; r++) {
        if (!is_tuple(v.seq->items[r])) return IS_WRONG;
        bare &= length(v.seq->items[r]) == 0;
    }
    if (!bare) return as_grid(cx, v, g);
    if (n > MOST_SIDE) return IS_UNKNOWN;
    g = new_grid(cx, static_cast<u32>(n), 0);
    return g ? IS_PATCH : NO_MEMORY;
}

VM_INLINE bool fits_mask(const Grid& g) { return g.h <= MOST_ROWS && g.w <= MOST_COLUMNS; }

// Cells side by side in a row that belong to one component; `parent` is a run before it of the same component, or
// itself, and at last the number of the component.
struct Run {
    u32 parent;
    u16 row, from, to;
    i8 colour;
};

struct Component {
    u32 top, left, bottom, right;  // bounds included, but right
    u32 count;
    i32 colour;  // the least
    u16 i, j;    // the first cell of that colour
    bool mixed;
    u32 place;  // among the sorted components
};

struct Runs {
    Run* runs;
    u32 n;
    VM_FN_MEMBER void add(u32 row, u32 from, u32 to, i8 colour) {
        runs[n] = Run{n, static_cast<u16>(row), static_cast<u16>(from), static_cast<u16>(to), colour};
        n++;
    }
};

// Add the runs of one colour of a row, without those of colour `but`.
VM_FN void add_runs_by_colour(Runs& runs, const Grid& g, u32 r, i32 but) {
    const i8* row = g.data + static_cast<u64>(r) * g.w;
    const i8* end = g.data + static_cast<u64>(g.h) * g.w;
    u32 from = 0;
    for (u32 word = 0; word < g.w; word += 64) {
        const u32 n = least_of(g.w - word, 64u);
        u64 changes = 0;
        for (u32 k = 0; k < n; k += EIGHT) {
            const i8* at = row + word + k;
            const u64 x = load_eight(at, static_cast<u32>(least_of<i64>(end - at, EIGHT)));
            const u64 before = (x << 8) | (word + k ? static_cast<u8>(at[-1]) : (x & 0xFF));
            changes |= (gather(zero_bytes(x ^ before)) ^ 0xFF) << k;
        }
        for (changes &= first_bits(n); changes; changes &= changes - 1) {
            const u32 to = word + lowest_bit(changes);
            if (row[from] != but) runs.add(r, from, to, row[from]);
            from = to;
        }
    }
    if (row[from] != but) runs.add(r, from, g.w, row[from]);
}

// Add the runs of a row of a mask.
VM_FN void add_runs_of_bits(Runs& runs, const u64* row, u32 words, u32 r) {
    const u32 first = runs.n;
    for (u32 word = 0; word < words; word++) {
        for (u64 bits = row[word]; bits;) {
            const u32 from = lowest_bit(bits);
            const u64 behind = bits + (static_cast<u64>(1) << from);
            const u32 to = behind ? lowest_bit(behind) : 64;
            bits &= behind;
            if (!from && runs.n > first && runs.runs[runs.n - 1].to == word * 64) {
                runs.runs[runs.n - 1].to = static_cast<u16>(word * 64 + to);
            } else {
                runs.add(r, word * 64 + from, word * 64 + to, 0);
            }
        }
    }
}

VM_FN u32 root_of(Run* runs, u32 k) {
    while (runs[k].parent != k) {
        runs[k].parent = runs[runs[k].parent].parent;
        k = runs[k].parent;
    }
    return k;
}

// Join the runs from `middle` to `end` with those of the row above, from `begin` to `middle`, that they touch, and
// return how many components went into others.
VM_FN u32 join_rows(Run* runs, u32 begin, u32 middle, u32 end, u32 reach, bool by_colour) {
    u32 joined = 0;
    for (u32 k = middle; k < end; k++) {
        while (begin < middle && runs[begin].to + reach <= runs[k].from) begin++;
        for (u32 above = begin; above < middle && runs[above].from < runs[k].to + reach; above++) {
            if (by_colour && runs[above].colour != runs[k].colour) continue;
            const u32 a = root_of(runs, above), b = root_of(runs, k);
            if (a == b) continue;
            runs[greatest_of(a, b)].parent = least_of(a, b);
            joined++;
        }
    }
    return joined;
}

VM_FN void add_colours_of_run(Component& c, const Grid& g, const Run& run) {
    const i8* row = g.data + static_cast<u64>(run.row) * g.w;
    for (u16 k = run.from; k < run.to; k++) {
        c.mixed |= row[k] != c.colour;
        if (row[k] >= c.colour) continue;
        c.colour = row[k];
        c.i = run.row;
        c.j = k;
    }
}

// Number the components in the order of their first runs, and measure them.
VM_FN void measure_components(Component* components, const Runs& runs, const Grid& g, bool univalued) {
    u32 n = 0;
    for (u32 k = 0; k < runs.n; k++) {
        Run& run = runs.runs[k];
        if (run.parent == k) {
            const i32 colour = g.data[static_cast<u64>(run.row) * g.w + run.from];
            components[n] = Component{run.row, run.from, run.row, run.to, 0, colour, run.row, run.from, false, 0};
            run.parent = n++;
        } else {
            run.parent = runs.runs[run.parent].parent;  // already a number: parents stand before their children
        }
        Component& c = components[run.parent];
        c.left = least_of<u32>(c.left, run.from);
        c.right = greatest_of<u32>(c.right, run.to);
        c.bottom = run.row;
        c.count += static_cast<u32>(run.to - run.from);
        if (!univalued) add_colours_of_run(c, g, run);
    }
}

// A key that sorts objects which share no cell: their least cell, and the number of the object.
VM_FN u64 object_key(i32 colour, u32 i, u32 j, u32 number) {
    return static_cast<u64>(colour + 128) << 56 | static_cast<u64>(i) << 44 | static_cast<u64>(j) << 32 | number;
}

// Where the first object of each colour (plus 128) goes, given how many there are of each.
VM_FN void counts_to_places(u32* next) {
    u32 before = 0;
    for (u32 c = 0; c < 256; c++) {
        const u32 count = next[c];
        next[c] = before;
        before += count;
    }
}

// Sort keys that are nearly in order but for the highest byte.
VM_FN void sort_keys(u64* keys, u64* spare, u32 n) {
    if (n > 16) {
        u32 next[256];
        memset(next, 0, sizeof(next));
        for (u32 k = 0; k < n; k++) next[keys[k] >> 56]++;
        counts_to_places(next);
        for (u32 k = 0; k < n; k++) spare[next[keys[k] >> 56]++] = keys[k];
        copy_memory(keys, spare, n * sizeof(u64));
    }
    for (u32 k = 1; k < n; k++) {
        const u64 key = keys[k];
        u32 at = k;
        for (; at > 0 && keys[at - 1] > key; at--) keys[at] = keys[at - 1];
        keys[at] = key;
    }
}

// Give components of single colours, which are in the order of their first cells, their places.
VM_FN void place_by_colour(Component* components, u32 n) {
    u32 next[256];
    memset(next, 0, sizeof(next));
    for (u32 k = 0; k < n; k++) next[components[k].colour + 128]++;
    counts_to_places(next);
    for (u32 k = 0; k < n; k++) components[k].place = next[components[k].colour + 128]++;
}

VM_FN bool place_components(Scratch& scratch, Component* components, u32 n, bool univalued) {
    if (univalued && n > 16) {
        place_by_colour(components, n);
        return true;
    }
    u64* keys = scratch.array<u64>(n);
    u64* spare = scratch.array<u64>(n);
    if (!keys || !spare) return false;
    for (u32 k = 0; k < n; k++) keys[k] = object_key(components[k].colour, components[k].i, components[k].j, k);
    sort_keys(keys, spare, n);
    for (u32 k = 0; k < n; k++) components[static_cast<u32>(keys[k])].place = k;
    return true;
}

VM_FN void set_run(u64* row, u32 from, u32 to) {
    for (u32 word = from >> 6; word <= (to - 1) >> 6; word++) {
        const u32 low = word * 64;
        u64 bits = first_bits(to - low);
        if (from > low) bits &= ~first_bits(from - low);
        row[word] |= bits;
    }
}

// Make the patches of components, each at its place, and the set of them.
VM_FN Value set_of_components(Context& cx, const Grid& g, const Component* components, u32 n, const Runs& runs) {
    u64 words = 0, colours = 0;
    for (u32 k = 0; k < n; k++) {
        const Component& c = components[k];
        const u64 h = c.bottom - c.top + 1, w = c.right - c.left;
        words += h * ((w + 63) / 64);
        if (c.mixed) colours += h * w;
    }
    Seq* seq = new_seq(cx, n);
    Patch* patches = allocate_array<Patch>(cx, n);
    u64* rows = allocate_array<u64>(cx, words);
    i8* plane = allocate_array<i8>(cx, colours);
    if (!seq || !patches || !rows || !plane) return unhandled(R_ARENA);
    fill_memory(rows, 0, words * sizeof(u64));
    for (u32 k = 0; k < n; k++) {
        const Component& c = components[k];
        const u32 h = c.bottom - c.top + 1, w = c.right - c.left, row_words = (w + 63) / 64;
        patches[k] = Patch{static_cast<i32>(c.top), static_cast<i32>(c.left), h, w, row_words, c.count, true,
                           c.mixed ? MANY_COLOURS : c.colour, rows, c.mixed ? plane : nullptr};
        seq->items[c.place] = of_patch(patches + k);
        rows += static_cast<u64>(h) * row_words;
        if (!c.mixed) continue;
        for (u32 r = 0; r < h; r++, plane += w) {
            copy_memory(plane, g.data + static_cast<u64>(c.top + r) * g.w + c.left, w);
        }
    }
    for (u32 k = 0; k < runs.n; k++) {
        const Run& run = runs.runs[k];
        const Patch& p = patches[run.parent];
        const u32 left = static_cast<u32>(p.left), r = run.row - static_cast<u32>(p.top);
        u64* row = const_cast<u64*>(p.rows) + static_cast<u64>(r) * p.words;
        if (p.words == 1) *row |= first_bits(static_cast<u32>(run.to - run.from)) << (run.from - left);
        else set_run(row, run.from - left, run.to - left);
    }
    return of_seq(SET, seq);
}

constexpr i32 NO_COLOUR = GREATEST_BYTE + 1;

// Find the runs of a grid, row by row, and join them. False without memory.
VM_FN bool find_runs(Scratch& scratch, const Grid& g, bool univalued, bool diagonal, i32 background, Runs& runs,
                     u32& joined) {
    runs = Runs{scratch.array<Run>(static_cast<u64>(g.h) * g.w), 0};
    const u32 words = (g.w + 63) / 64;
    u64* rows = scratch.array<u64>(static_cast<u64>(g.h) * words);
    if (!runs.runs || !rows) return false;
    if (!univalued) colour_rows(scratch.cx, g, background, rows);
    joined = 0;
    u32 above = 0;
    for (u32 r = 0; r < g.h; r++) {
        const u32 first = runs.n;
        if (univalued) {
            add_runs_by_colour(runs, g, r, background);
        } else {
            u64* row = rows + static_cast<u64>(r) * words;
            for (u32 word = 0; word < words; word++) row[word] = ~row[word] & first_bits(g.w - word * 64);
            add_runs_of_bits(runs, row, words, r);
        }
        joined += join_rows(runs.runs, above, first, runs.n, diagonal ? 1 : 0, univalued);
        above = first;
    }
    return true;
}

// ---- components, together: each lane does whole rows of the grid, those that begin with its own number

// The runs of row r are runs[r * w] and behind; `count[r]` is how many. `root` is the first run of a run's component.
struct SharedRuns {
    Run* runs;
    u32 *count, *root;
};

constexpr u32 MOST_RANKED = 1024;  // components each of which is compared with each

VM_FN bool new_shared_runs(Scratch& scratch, const Grid& g, SharedRuns& s) {
    const u64 cells = static_cast<u64>(g.h) * g.w;
    s = SharedRuns{scratch.array<Run>(cells), scratch.array<u32>(g.h), scratch.array<u32>(cells)};
    return s.runs && s.count && s.root;
}

// Find the runs of colours but `but`, or, if `masks`, those of cells whose bits in it are not set.
VM_FN void find_shared_runs(Context& cx, const Grid& g, const u64* masks, i32 but, const SharedRuns& s) {
    const u32 words = (g.w + 63) / 64;
    for (u32 r = lane_of(cx); r < g.h; r += lanes_of(cx)) {
        Runs runs{s.runs, r * g.w};
        if (masks) {
            u64 row[MOST_COLUMNS / 64];
            for (u32 word = 0; word < words; word++) {
                row[word] = ~masks[static_cast<u64>(r) * words + word] & first_bits(g.w - word * 64);
            }
            add_runs_of_bits(runs, row, words, r);
        } else {
            add_runs_by_colour(runs, g, r, but);
        }
        s.count[r] = runs.n - r * g.w;
    }
    sync(cx);
}

// root_of while other lanes join runs.
VM_FN u32 shared_root_of(const Run* runs, u32 k) {
    u32 parent = read_at(runs[k].parent);
    while (parent != k) {
        k = parent;
        parent = read_at(runs[k].parent);
    }
    return k;
}

// Make two components one, whose roots a and b were a moment ago. A run's parent is itself or a run before it, so that a
// root is the first of its component.
VM_FN void join_roots(Run* runs, u32 a, u32 b) {
    while (a != b) {
        const u32 low = least_of(a, b), high = greatest_of(a, b);
        const u32 was = lower_at(runs[high].parent, low);
        if (was == high) return;
        a = shared_root_of(runs, low);  // another lane was quicker: `high` hung below `was`, which has to come along
        b = shared_root_of(runs, was);
    }
}

// Join the runs of each row with those of the row above that they touch, and find the roots of all.
VM_FN void join_shared_rows(Context& cx, const Grid& g, u32 reach, bool by_colour, const SharedRuns& s) {
    for (u32 r = lane_of(cx); r < g.h; r += lanes_of(cx)) {
        if (!r) continue;
        const u32 first = r * g.w, end = first + s.count[r], middle = first - g.w + s.count[r - 1];
        u32 begin = first - g.w;
        for (u32 k = first; k < end; k++) {
            const Run& run = s.runs[k];
            while (begin < middle && s.runs[begin].to + reach <= run.from) begin++;
            for (u32 above = begin; above < middle && s.runs[above].from < run.to + reach; above++) {
                if (!by_colour || s.runs[above].colour == run.colour) {
                    join_roots(s.runs, shared_root_of(s.runs, above), shared_root_of(s.runs, k));
                }
            }
        }
    }
    sync(cx);
    for (u32 r = lane_of(cx); r < g.h; r += lanes_of(cx)) {
        for (u32 k = r * g.w; k < r * g.w + s.count[r]; k++) s.root[k] = shared_root_of(s.runs, k);
    }
    sync(cx);
}

// Number the components in the order of their first runs; the number becomes the parent of each run. Return how many.
VM_FN u32 number_components(Context& cx, const Grid& g, const SharedRuns& s) {
    u32 n = 0;
    for (u32 from = 0; from < g.h; from += lanes_of(cx)) {
        const u32 r = from + lane_of(cx), first = r * g.w, end = r < g.h ? first + s.count[r] : first;
        u32 roots = 0, all;
        for (u32 k = first; k < end; k++) roots += s.root[k] == k;
        u32 number = n + sum_before(cx, roots, all);
        n += all;
        for (u32 k = first; k < end; k++) {
            if (s.root[k] == k) s.runs[k].parent = number++;
        }
    }
    sync(cx);
    for (u32 r = lane_of(cx); r < g.h; r += lanes_of(cx)) {
        for (u32 k = r * g.w; k < r * g.w + s.count[r]; k++) {
            if (s.root[k] != k) s.runs[k].parent = s.runs[s.root[k]].parent;
        }
    }
    return n;
}

// Measure n components. `keys` gets the object_key of each; `highest` has room for as many.
VM_FN void measure_together(Context& cx, const Grid& g, bool univalued, const SharedRuns& s, Component* components, u32 n,
                            u64* keys, u32* highest) {
    for (u32 r = lane_of(cx); r < g.h; r += lanes_of(cx)) {
        for (u32 k = r * g.w; k < r * g.w + s.count[r]; k++) {
            if (s.root[k] != k) continue;
            const Run& run = s.runs[k];
            const i32 colour = g.data[static_cast<u64>(r) * g.w + run.from];
            components[run.parent] = Component{r, run.from, r, run.to, 0, colour, run.row, run.from, false, 0};
            keys[run.parent] = object_key(colour, r, run.from, run.parent);
            highest[run.parent] = static_cast<u32>(colour + 128);
        }
    }
    sync(cx);
    for (u32 r = lane_of(cx); r < g.h; r += lanes_of(cx)) {
        const i8* row = g.data + static_cast<u64>(r) * g.w;
        for (u32 k = r * g.w; k < r * g.w + s.count[r]; k++) {
            const Run& run = s.runs[k];
            Component& c = components[run.parent];
            lower_at(c.left, static_cast<u32>(run.from));
            raise_at(c.right, static_cast<u32>(run.to));
            raise_at(c.bottom, r);
            add_at(c.count, static_cast<u32>(run.to - run.from));
            if (univalued) continue;
            u64 key = UINT64_MAX;
            u32 high = 0;
            for (u32 at = run.from; at < run.to; at++) {
                key = least_of(key, object_key(row[at], r, at, run.parent));
                high = greatest_of(high, static_cast<u32>(row[at] + 128));
            }
            lower_at(keys[run.parent], key);
            raise_at(highest[run.parent], high);
        }
    }
    sync(cx);
    for (u32 k = lane_of(cx); k < n; k += lanes_of(cx)) {
        Component& c = components[k];
        c.colour = static_cast<i32>(keys[k] >> 56) - 128;
        c.mixed = highest[k] != keys[k] >> 56;
    }
}

// Give n components, whose keys differ, their places: a component stands behind those of lesser keys.
VM_FN void place_together(Context& cx, Component* components, const u64* keys, u32 n) {
    for (u32 k = lane_of(cx); k < n; k += lanes_of(cx)) {
        const u64 key = keys[k];
        u32 place = 0;
        for (u32 other = 0; other < n; other++) place += keys[other] < key;
        components[k].place = place;
    }
}

// set_of_components, together. `at` has room for two numbers for each.
VM_FN Value set_together(Context& cx, const Grid& g, const SharedRuns& s, const Component* components, u32 n, u32* at) {
    u32 words = 0, colours = 0;
    for (u32 from = 0; from < n; from += lanes_of(cx)) {
        const u32 k = from + lane_of(cx);
        u32 own_words = 0, own_colours = 0, all;
        if (k < n) {
            const Component& c = components[k];
            const u32 h = c.bottom - c.top + 1, w = c.right - c.left;
            own_words = h * ((w + 63) / 64);
            own_colours = c.mixed ? h * w : 0;
        }
        const u32 words_before = words + sum_before(cx, own_words, all);
        words += all;
        const u32 colours_before = colours + sum_before(cx, own_colours, all);
        colours += all;
        if (k >= n) continue;
        at[2 * k] = words_before;
        at[2 * k + 1] = colours_before;
    }
    Seq* seq = new_seq(cx, n);
    Patch* patches = allocate_array<Patch>(cx, n);
    u64* rows = allocate_array<u64>(cx, words);
    i8* plane = allocate_array<i8>(cx, colours);
    if (!seq || !patches || !rows || !plane) return unhandled(R_ARENA);
    clear_together(cx, rows, words);
    for (u32 k = lane_of(cx); k < n; k += lanes_of(cx)) {
        const Component& c = components[k];
        const u32 w = c.right - c.left;
        patches[k] = Patch{static_cast<i32>(c.top), static_cast<i32>(c.left), c.bottom - c.top + 1, w, (w + 63) / 64,
                           c.count, true, c.mixed ? MANY_COLOURS : c.colour, rows + at[2 * k],
                           c.mixed ? plane + at[2 * k + 1] : nullptr};
        seq->items[c.place] = of_patch(patches + k);
    }
    sync(cx);
    for (u32 r = lane_of(cx); r < g.h; r += lanes_of(cx)) {  // a row of a component is that of a lane alone
        for (u32 k = r * g.w; k < r * g.w + s.count[r]; k++) {
            const Run& run = s.runs[k];
            const Patch& p = patches[run.parent];
            const u32 left = static_cast<u32>(p.left);
            u64* row = const_cast<u64*>(p.rows) + static_cast<u64>(r - static_cast<u32>(p.top)) * p.words;
            set_run(row, run.from - left, run.to - left);
        }
    }
    for (u32 k = 0; k < n && colours; k++) {
        const Patch& p = patches[k];
        for (u32 r = lane_of(cx); p.plane && r < p.h; r += lanes_of(cx)) {
            const i8* from = g.data + static_cast<u64>(static_cast<u32>(p.top) + r) * g.w + p.left;
            copy_memory(const_cast<i8*>(p.plane) + static_cast<u64>(r) * p.w, from, p.w);
        }
    }
    sync(cx);
    return of_seq(SET, seq);
}

// The set of the components of runs whose roots are known.
VM_FN Value components_of_roots(Context& cx, Scratch& scratch, const Grid& g, bool univalued, const SharedRuns& s) {
    const u32 n = number_components(cx, g, s);
    if (!n) return empty_set();
    Component* components = scratch.array<Component>(n);
    u64* keys = scratch.array<u64>(n);
    u32* highest = scratch.array<u32>(n);
    u32* at = scratch.array<u32>(2 * static_cast<u64>(n));
    if (!components || !keys || !highest || !at) return unhandled(R_ARENA);
    measure_together(cx, g, univalued, s, components, n, keys, highest);
    sync(cx);
    if (n <= MOST_RANKED) {
        place_together(cx, components, keys, n);
    } else {
        const bool placed = alone(cx, [&](Context&) {
            for (u32 k = 0; k < n; k++) {
                components[k].i = static_cast<u16>(keys[k] >> 44 & 0xFFF);
                components[k].j = static_cast<u16>(keys[k] >> 32 & 0xFFF);
            }
            return place_components(scratch, components, n, univalued);
        });
        if (!placed) return unhandled(R_ARENA);
    }
    sync(cx);
    return set_together(cx, g, s, components, n, at);
}

VM_FN Value components_together(Context& cx, const Grid& g, bool univalued, bool diagonal, i32 background) {
    Scratch scratch(cx);
    SharedRuns s;
    u64* masks = univalued ? nullptr : scratch.array<u64>(static_cast<u64>(g.h) * ((g.w + 63) / 64));
    if (!new_shared_runs(scratch, g, s) || (!univalued && !masks)) return unhandled(R_ARENA);
    if (masks) colour_rows(cx, g, background, masks);
    find_shared_runs(cx, g, masks, background, s);
    join_shared_rows(cx, g, diagonal ? 1 : 0, univalued, s);
    return components_of_roots(cx, scratch, g, univalued, s);
}

// objects_by_colour, together: the root of a run is the first one of its colour.
VM_FN Value colours_together(Context& cx, const Grid& g, i32 but) {
    Scratch scratch(cx);
    SharedRuns s;
    u32* first = scratch.array<u32>(256);
    if (!new_shared_runs(scratch, g, s) || !first) return unhandled(R_ARENA);
    for (u32 k = lane_of(cx); k < 256; k += lanes_of(cx)) first[k] = UINT32_MAX;
    find_shared_runs(cx, g, nullptr, but, s);
    for (u32 r = lane_of(cx); r < g.h; r += lanes_of(cx)) {
        for (u32 k = r * g.w; k < r * g.w + s.count[r]; k++) lower_at(first[s.runs[k].colour + 128], k);
    }
    sync(cx);
    for (u32 r = lane_of(cx); r < g.h; r += lanes_of(cx)) {
        for (u32 k = r * g.w; k < r * g.w + s.count[r]; k++) s.root[k] = first[s.runs[k].colour + 128];
    }
    sync(cx);
    return components_of_roots(cx, scratch, g, true, s);
}

VM_FN Value set_of_one(Context& cx, const Value& v) {
    Seq* seq = new_seq(cx, 1);
    if (!seq) return unhandled(R_ARENA);
    if (leads(cx)) seq->items[0] = v;
    sync(cx);
    return of_seq(SET, seq);
}

VM_FN Value components_of(Context& cx, const Grid& g, bool univalued, bool diagonal, bool without_bg) {
    if (!g.w) return without_bg ? fail() : empty_set();
    if (!fits_mask(g)) return unhandled(R_FORM);
    if (!univalued && !without_bg) {  // everything hangs together
        const Value all = op_asobject(cx, of_grid(&g));
        return is_bad(all) ? all : set_of_one(cx, all);
    }
    const i32 background = without_bg ? most_colour(cx, g) : NO_COLOUR;
    if (lanes_of(cx) > 1) return components_together(cx, g, univalued, diagonal, background);
    Scratch scratch(cx);
    Runs runs;
    u32 joined;
    if (!find_runs(scratch, g, univalued, diagonal, background, runs, joined)) return unhandled(R_ARENA);
    const u32 n = runs.n - joined;
    if (!n) return empty_set();
    Component* components = scratch.array<Component>(n);
    if (!components) return unhandled(R_ARENA);
    measure_components(components, runs, g, univalued);
    if (!place_components(scratch, components, n, univalued)) return unhandled(R_ARENA);
    return set_of_components(cx, g, components, n, runs);
}

VM_FN Value objects_of(Context& cx, const Value& grid, const Value& univalued, const Value& diagonal,
                       const Value& without_bg) {
    const Grid* g = nullptr;
    const Form form = rows_of_grid(cx, grid, g);
    const bool alike = is_truthy(univalued), all_around = is_truthy(diagonal), foreground = is_truthy(without_bg);
    if (form == IS_UNKNOWN) return objects_of_odd(cx, grid, alike, all_around, foreground);
    if (form != IS_PATCH) return refuse(form);
    return components_of(cx, *g, alike, all_around, foreground);
}

VM_NOINLINE Value op_objects(Context& cx, const Value& grid, const Value& univalued, const Value& diagonal,
                             const Value& without_bg) {
    return shared_if(cx, grid.tag == GRID,
                     [&](Context& own) { return objects_of(own, grid, univalued, diagonal, without_bg); });
}

// One object for each colour of a grid but `but`: components that hold all runs of a colour.
VM_FN Value objects_by_colour(Context& cx, const Grid& g, i32 but) {
    if (!g.w) return empty_set();
    if (!fits_mask(g)) return unhandled(R_FORM);
    if (lanes_of(cx) > 1) return colours_together(cx, g, but);
    Scratch scratch(cx);
    Runs runs{scratch.array<Run>(static_cast<u64>(g.h) * g.w), 0};
    if (!runs.runs) return unhandled(R_ARENA);
    for (u32 r = 0; r < g.h; r++) add_runs_by_colour(runs, g, r, but);
    u32 first[256], n = 0;  // the first run of each colour
    memset(first, 0xFF, sizeof(first));
    for (u32 k = 0; k < runs.n; k++) {
        u32& of_colour = first[runs.runs[k].colour + 128];
        if (of_colour > k) {
            of_colour = k;
            n++;
        }
        runs.runs[k].parent = of_colour;
    }
    if (!n) return empty_set();
    Component* components = scratch.array<Component>(n);
    if (!components) return unhandled(R_ARENA);
    measure_components(components, runs, g, true);
    return place_components(scratch, components, n, true) ? set_of_components(cx, g, components, n, runs)
                                                          : unhandled(R_ARENA);
}

VM_FN Value partition_of(Context& cx, const Value& grid) {
    const Grid* g = nullptr;
    const Form form = rows_of_grid(cx, grid, g);
    if (form == IS_EMPTY) return empty_set();
    if (form == IS_UNKNOWN) return partition_odd(cx, grid, false);
    return form == IS_PATCH ? objects_by_colour(cx, *g, NO_COLOUR) : refuse(form);
}

VM_NOINLINE Value op_partition(Context& cx, const Value& grid) {
    return shared_if(cx, grid.tag == GRID, [&](Context& own) { return partition_of(own, grid); });
}

VM_FN Value fgpartition_of(Context& cx, const Value& grid) {
    const Grid* g = nullptr;
    const Form form = rows_of_grid(cx, grid, g);
    if (form == IS_UNKNOWN) return partition_odd(cx, grid, true);
    if (form != IS_PATCH) return refuse(form);
    return g->w ? objects_by_colour(cx, *g, most_colour(cx, *g)) : fail();
}

VM_NOINLINE Value op_fgpartition(Context& cx, const Value& grid) {
    return shared_if(cx, grid.tag == GRID, [&](Context& own) { return fgpartition_of(own, grid); });
}

// Keep those places, rows of bits, at which a grid has the colour of `rows` dj columns further.
VM_FN void keep_places(Context& cx, const Mask& places, const u64* rows, u32 row_words, u32 dj) {
    const u32 skip = dj >> 6, by = dj & 63;
    if (row_words == 1) {
        for (u32 r = lane_of(cx); r < places.h; r += lanes_of(cx)) places.rows[r] &= rows[r] >> by;
        return;
    }
    for (u32 r = lane_of(cx); r < places.h; r += lanes_of(cx)) {
        const u64* row = rows + static_cast<u64>(r) * row_words;
        for (u32 word = 0; word < places.words; word++) {
            const u32 at = word + skip;
            u64 bits = row[at] >> by;
            if (by && at + 1 < row_words) bits |= row[at + 1] << (64 - by);
            places.rows[static_cast<u64>(r) * places.words + word] &= bits;
        }
    }
}

VM_FN bool any_bit(Context& cx, const Mask& m) {
    u64 any = 0;
    sync(cx);
    for (u64 k = lane_of(cx); k < static_cast<u64>(m.h) * m.words; k += lanes_of(cx)) any |= m.rows[k];
    return lanes_with(cx, any != 0) != 0;
}

// Keep the places at which all cells of `colour` of an object match; false if there is none left.
VM_FN bool match_colour(Context& cx, const Mask& places, const Patch& p, i32 colour, const u64* rows, u32 row_words) {
    for (u32 r = 0; r < p.h; r++) {
        for (u32 word = 0; word < p.words; word++) {
            for (u64 bits = p.rows[static_cast<u64>(r) * p.words + word]; bits; bits &= bits - 1) {
                const u32 k = word * 64 + lowest_bit(bits);
                if (colour_at(p, r, k) != colour) continue;
                keep_places(cx, places, rows + static_cast<u64>(r) * row_words, row_words, k);
            }
        }
        if (!any_bit(cx, places)) return false;
    }
    return true;
}

VM_FN Value occurrences_in(Context& cx, const Grid& g, const Patch& p) {
    if (p.h > g.h || p.w > g.w) return empty_set();
    Mask places;
    if (!new_mask(cx, places, 0, 0, g.h - p.h + 1, g.w - p.w + 1, false)) return unhandled(R_ARENA);
    for (u32 r = lane_of(cx); r < places.h; r += lanes_of(cx)) set_run(places.rows + static_cast<u64>(r) * places.words, 0, places.w);
    Scratch scratch(cx);
    const u32 words = (g.w + 63) / 64;
    u64* rows = scratch.array<u64>(static_cast<u64>(g.h) * words);
    if (!rows) return unhandled(R_ARENA);
    bool left = true;
    for_each_colour(colours_of_object(p), [&](i32 colour) {
        if (left) left = colour_rows(cx, g, colour, rows) && match_colour(cx, places, p, colour, rows, words);
    });
    return left ? finish(cx, places, false, 0) : empty_set();
}

// Occurrences of cells that came in another form than a mask.
VM_FN Value occurrences_of_items(Context& cx, const Grid& g, const Places& places) {
    Value* items = allocate_array<Value>(cx, places.n);
    if (!items) return unhandled(R_ARENA);
    for (u64 k = 0; k < places.n; k++) {
        const Place place = place_of(places.items[k]);
        if (!is_int(place.colour) || !is_byte(place.colour.num)) return empty_set();  // no cell of the grid equals it
        items[k] = cell_of(static_cast<i32>(place.colour.num), place.i, place.j);
    }
    const Patch* p = nullptr;
    const Form form = patch_of_items(cx, items, places.n, p);
    if (form == NO_MEMORY) return refuse(form);
    // Else they lie further apart than a grid is wide, or two of different colours are in one place.
    return form == IS_PATCH ? occurrences_in(cx, g, *p) : empty_set();
}

VM_FN Value occurrences_of(Context& cx, const Value& grid, const Value& object) {
    u64 h, w;
    if (!is_container(object) || !get_sides(grid, h, w)) return fail();
    if (!length(object)) return rectangle(cx, Extent{0, 0, static_cast<i64>(h), static_cast<i64>(w)});
    Places places{IS_PATCH, false, false, false, nullptr, 0};
    if (object.tag != PATCH) places = pairs_of(cx, object);
    if (places.form != IS_PATCH) return refuse(places.form);
    if (!(object.tag == PATCH ? object.patch->object : places.object)) return fail();
    const Grid* g = nullptr;
    const Form form = rows_of_grid(cx, grid, g);
    if (form == NO_MEMORY) return refuse(form);
    if (form == IS_UNKNOWN && shortest_row(grid) >= w) {
        Extent e;
        const Form bounded = bounds_of(cx, object, e);
        return bounded == IS_PATCH ? occurrences_in_odd(cx, grid, object, e) : refuse(bounded);
    }
    // Whether the reference looks at a row that is too short, or is none, depends on what it looks at before.
    if (form != IS_PATCH || !fits_mask(*g)) return unhandled(R_FORM);
    return object.tag == PATCH ? occurrences_in(cx, *g, *object.patch) : occurrences_of_items(cx, *g, places);
}

VM_NOINLINE Value op_occurrences(Context& cx, const Value& grid, const Value& object) {
    return shared_if(cx, grid.tag == GRID && object.tag == PATCH,
                     [&](Context& own) { return occurrences_of(own, grid, object); });
}

// Which columns of a grid have cells of different colours: a byte for each, 0 or not.
VM_FN void find_mixed_columns(const Grid& g, u8* mixed) {
    const u32 h = g.h, w = g.w;  // which the compiler could not tell from what is written
    const i8* first = g.data;
    fill_memory(mixed, 0, w);
    for (u32 r = 1; r < h; r++) {
        const i8* row = first + static_cast<u64>(r) * w;
        for (u32 k = 0; k < w; k++) mixed[k] = static_cast<u8>(mixed[k] | (row[k] ^ first[k]));
    }
}

// The rows, and the columns, of a grid of single colours, all of which share two masks.
struct Frontiers {
    const Grid& g;
    const u64 *row, *column;
    Patch* patches;
    u64* keys;
    u32 n;

    VM_FN_MEMBER void add_row(u32 r) {
        const i32 colour = g.data[static_cast<u64>(r) * g.w];
        add(Patch{static_cast<i32>(r), 0, 1, g.w, (g.w + 63) / 64, g.w, true, colour, row, nullptr});
    }
    VM_FN_MEMBER void add_column(u32 k) {
        add(Patch{0, static_cast<i32>(k), g.h, 1, 1, g.h, true, g.data[k], column, nullptr});
    }
    VM_FN_MEMBER void add(const Patch& p) {
        keys[n] = object_key(p.colour, static_cast<u32>(p.top), static_cast<u32>(p.left), n);
        patches[n++] = p;
    }
};

VM_FN void find_frontiers(Frontiers& found, const u8* mixed) {
    const Grid& g = found.g;
    // Row 0 and column 0 have their least cell in common; the next tells, and a single row ends before it.
    const bool first_row = all_same(g.data, g.w), first_column = !mixed[0];
    if (first_row && g.h > 1) found.add_row(0);
    if (first_column && g.h * g.w > 1) found.add_column(0);
    if (first_row && g.h == 1) found.add_row(0);
    for (u32 k = 1; k < g.w; k++) {
        if (!mixed[k]) found.add_column(k);
    }
    for (u32 r = 1; r < g.h; r++) {
        if (all_same(g.data + static_cast<u64>(r) * g.w, g.w)) found.add_row(r);
    }
}

VM_NOINLINE Value op_frontiers(Context& cx, const Value& grid) {
    const Grid* g = nullptr;
    const Form form = rows_of_grid(cx, grid, g);
    if (form == IS_UNKNOWN) return frontiers_of_odd(cx, grid);
    if (form != IS_PATCH) return refuse(form);
    if (!g->w) return empty_set();
    if (!fits_mask(*g)) return unhandled(R_FORM);
    const u32 most = g->h + g->w, words = (g->w + 63) / 64;
    Scratch scratch(cx);
    u64* keys = scratch.array<u64>(most);
    u64* spare = scratch.array<u64>(most);
    u8* mixed = scratch.array<u8>(g->w);
    u64* row = allocate_array<u64>(cx, words);
    u64* column = allocate_array<u64>(cx, g->h);
    Patch* patches = allocate_array<Patch>(cx, most);
    if (!keys || !spare || !mixed || !row || !column || !patches) return unhandled(R_ARENA);
    for (u32 word = 0; word < words; word++) row[word] = first_bits(g->w - word * 64);
    for (u32 r = 0; r < g->h; r++) column[r] = 1;
    find_mixed_columns(*g, mixed);
    Frontiers found{*g, row, column, patches, keys, 0};
    find_frontiers(found, mixed);
    if (!found.n) return empty_set();
    sort_keys(keys, spare, found.n);
    Seq* seq = new_seq(cx, found.n);
    if (!seq) return unhandled(R_ARENA);
    for (u32 k = 0; k < found.n; k++) seq->items[k] = of_patch(patches + static_cast<u32>(keys[k]));
    return of_seq(SET, seq);
}

}  // namespace vm
