// Collectives on 32 emulated lanes, for tests/vm/test_lanes.py: prints what each gives, or how lanes diverged.
#include <cstdio>
#include <cstring>
#include <memory>

#include "interpreter.h"

using namespace vm;

// Run f(cx) on all lanes; what it returns on each of them.
template <class F>
static std::vector<u64> on_lanes(F f) {
    Warp warp;
    std::vector<u64> found(VM_LANES);
    warp.run([&](u32 lane) {
        Context cx{{nullptr, nullptr, nullptr}, 0, false, lane, VM_LANES};
        found[lane] = f(cx);
    });
    return found;
}

static void print(const char* name, const std::vector<u64>& found) {
    std::printf("%s", name);
    for (const u64 x : found) std::printf(" %llu", static_cast<unsigned long long>(x));
    std::printf("\n");
}

static void collectives() {
    print("of_lane", on_lanes([](Context& cx) { return of_lane(cx, static_cast<u64>(cx.lane) << 40, 7); }));
    print("sum_of", on_lanes([](Context& cx) { return sum_of(cx, static_cast<u64>(cx.lane)); }));
    print("union_of", on_lanes([](Context& cx) { return union_of(cx, static_cast<u64>(1) << 2 * cx.lane); }));
    print("least", on_lanes([](Context& cx) { return least_of_all(cx, static_cast<u64>(100 - cx.lane)); }));
    print("greatest", on_lanes([](Context& cx) { return greatest_of_all(cx, static_cast<u64>(100 - cx.lane)); }));
    print("lanes_with", on_lanes([](Context& cx) { return static_cast<u64>(lanes_with(cx, cx.lane % 3 == 0)); }));
    print("sum_before", on_lanes([](Context& cx) {
        u32 total = 0;
        const u32 before = sum_before(cx, cx.lane + 1, total);
        return static_cast<u64>(total) * 1000 + before;
    }));
    print("alone", on_lanes([](Context& cx) {
        const u64 lanes = alone(cx, [](Context& own) { return static_cast<u64>(own.lanes * 100 + own.lane); });
        return lanes * 100 + cx.lanes;
    }));
    u64 bits = 0, least = 99;
    u32 count = 0;
    on_lanes([&](Context& cx) {
        set_bits(bits, static_cast<u64>(1) << cx.lane);
        lower_at(least, static_cast<u64>(50 - cx.lane));
        add_at(count, 2u);
        return 0;
    });
    print("at_once", {bits, least, count});
}

// Join roots of which another lane has hung the greater below a third run meanwhile: the roots of all three then.
static void join(u32 low, u32 third) {
    std::vector<Run> runs(3);
    for (u32 k = 0; k < 3; k++) runs[k].parent = k;
    runs[2].parent = third;
    join_roots(runs.data(), low, 2);
    for (u32 k = 0; k < 3; k++) std::printf("%u ", shared_root_of(runs.data(), k));
}

// Copying, filling and comparing at all alignments, against the library's; what lies beside stays as it is.
static u64 words() {
    constexpr u64 room = 128, margin = 24;
    alignas(16) i8 source[room], to[room], expected[room];
    for (u64 k = 0; k < room; k++) source[k] = static_cast<i8>(k * 37 + 11);
    u64 wrong = 0;
    const auto begin = [&] {
        for (u64 k = 0; k < room; k++) to[k] = expected[k] = static_cast<i8>(-k);
    };
    const auto look = [&] { wrong += memcmp(to, expected, room) != 0; };
    for (u64 there = margin; there < margin + 8; there++) {
        for (u64 n = 0; n < 70; n++) {
            begin();
            fill_memory(to + there, -7, n);
            memset(expected + there, -7, n);
            look();
            for (u64 here = margin; here < margin + 8; here++) {
                begin();
                copy_memory(to + there, source + here, n);
                memcpy(expected + there, source + here, n);
                look();
                wrong += !same_bytes(to + there, source + here, n);
                for (u64 k = 0; k < n; k++) {
                    to[there + k] ^= 64;
                    wrong += same_bytes(to + there, source + here, n);
                    to[there + k] ^= 64;
                }
                if (n > 8) continue;
                begin();
                const u64 x = load_eight(source + here, static_cast<u32>(n));
                u64 same = 0;
                memcpy(&same, source + here, n);
                wrong += x != same;
                store_eight(to + there, static_cast<u32>(n), ~x);
                for (u64 k = 0; k < n; k++) expected[there + k] = static_cast<i8>(~source[here + k]);
                look();
            }
            for (u64 down = 0; down <= margin; down++) {
                begin();
                move_bytes(to + there - down, to + there, n);
                memmove(expected + there - down, expected + there, n);
                look();
            }
        }
    }
    return wrong;
}

// How bytes come before one another, at all alignments, by the first that differs; what lies behind them is another's.
static u64 order() {
    u64 wrong = 0;
    for (u64 here = 0; here < 8; here++) {
        for (u64 there = 0; there < 8; there++) {
            for (u64 n = 0; n < 27; n++) {
                const std::unique_ptr<i8[]> own(new i8[here + n]), other(new i8[there + n]);  // not a byte more
                i8 *a = own.get() + here, *b = other.get() + there;
                for (u64 k = 0; k < n; k++) a[k] = b[k] = static_cast<i8>(k * 37 + 91);
                wrong += compare_bytes(a, b, n) != 0;
                for (u64 k = 0; k < n; k++) {
                    for (const int x : {-128, -1, 0, 1, 127}) {
                        const i8 before = a[k];
                        if (x == before) continue;
                        a[k] = static_cast<i8>(x);
                        for (u64 behind = k + 1; behind < n; behind++) b[behind] = x < before ? -128 : 127;
                        const int sign = x < before ? -1 : 1;
                        wrong += compare_bytes(a, b, n) != sign || compare_bytes(b, a, n) != -sign;
                        wrong += compare_bytes(a, b, k) != 0;  // what is behind the first k does not count
                        for (u64 behind = k + 1; behind < n; behind++) b[behind] = a[behind];
                        a[k] = before;
                    }
                }
            }
        }
    }
    return wrong;
}

// Each lane reads what only lane 3 has on its stack: on a GPU it would read its own.
static u64 look_into_a_stack(Context& cx) {
    volatile u64 own = 100 + cx.lane;
    const volatile u64* of_another = of_lane(cx, &own, 3);
    const u64 seen = *of_another;
    sync(cx);
    return seen;
}

int main(int, char** arguments) {
    const std::string which = arguments[1];
    try {
        if (which == "collectives") collectives();
        if (which == "join") {
            join(1, 0);
            join(0, 1);
            join(0, 0);
        }
        if (which == "words") std::printf("%llu wrong\n", static_cast<unsigned long long>(words()));
        if (which == "order") std::printf("%llu wrong\n", static_cast<unsigned long long>(order()));
        if (which == "stack") on_lanes([](Context& cx) { return look_into_a_stack(cx); });
        if (which == "another") on_lanes([](Context& cx) {
            if (cx.lane == 5) sync(cx);  // where the others call another collective
            return sum_of(cx, static_cast<u64>(1));
        });
        if (which == "none") on_lanes([](Context& cx) { return cx.lane == 31 ? 0 : sum_of(cx, static_cast<u64>(1)); });
        if (which == "once_more") on_lanes([](Context& cx) {
            for (u32 k = 0; k < 2 + (cx.lane == 9); k++) sync(cx);
            return 0;
        });
    } catch (const std::exception& thrown) {
        std::printf("%s\n", thrown.what());
        return 3;
    }
    return 0;
}
