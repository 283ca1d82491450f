// The verifier of bytecode, on the host: what it lets pass cannot make the interpreter read or write out of bounds.
//
// Besides every field of every instruction it checks that a register is read only where it was written before on every
// way there. What a body or an arm writes is gone behind it, and behind each iteration: the arena is reset there.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "interpreter.h"

namespace vm {

constexpr u32 MOST_INSTRUCTIONS = 1u << 20;

class Verifier {
public:
    // `unit` as it came, without `behind` and `depth`.
    Verifier(const Unit& unit, u32 constants, u64 result_registers)
        : unit_(unit), constants_(constants), result_registers_(result_registers), defined_(unit.registers, false) {}

    // Whether the unit may run; if not, why() says what is wrong with it.
    bool verify() { return sizes() && structure() && registers() && results(); }

    const std::string& why() const { return why_; }
    std::vector<u32> behind() { return std::move(behind_); }
    u32 depth() const { return depth_; }

private:
    struct Open {  // a loop, or an if and which of its arms
        u32 at;
        bool second_arm;
        std::size_t log;  // where the changes to defined_ in the arm begin
    };

    const Unit& unit_;
    u32 constants_;
    u64 result_registers_;
    std::string why_;
    std::vector<u32> behind_;
    u32 depth_ = 0;
    std::vector<bool> defined_;
    std::vector<std::pair<u16, bool>> log_;  // registers whose entry in defined_ changed, and what it was

    const u16* at(u32 pc) const { return unit_.code + static_cast<u64>(pc) * FIELDS; }

    bool refuse(std::string why) {
        why_ = std::move(why);
        return false;
    }
    bool refuse(u32 pc, const std::string& why) { return refuse("instruction " + std::to_string(pc) + ": " + why); }

    bool sizes() {
        if (!unit_.n || unit_.n > MOST_INSTRUCTIONS) {
            return refuse("a unit has 1 to " + std::to_string(MOST_INSTRUCTIONS) + " instructions, not " +
                          std::to_string(unit_.n));
        }
        if (unit_.registers > NO_FIELD) return refuse("there are at most 65535 registers");
        if (unit_.inputs > unit_.registers) return refuse("there are more inputs than registers");
        if (!unit_.programs) return refuse("a unit has at least one program");
        return true;
    }

    // Where loops and ifs end, and that they end where they should.
    bool structure() {
        behind_.assign(unit_.n, 0);
        std::vector<Open> open;
        for (u32 pc = 0; pc < unit_.n; pc++) {
            const u16* i = at(pc);
            if (i[0] >= OPCODES) return refuse(pc, "there is no opcode " + std::to_string(i[0]));
            if ((i[0] == CONTROL_end) != (pc + 1 == unit_.n)) {
                return refuse(pc, pc + 1 == unit_.n ? "the last instruction is not end" : "end before the last instruction");
            }
            if (i[0] == CONTROL_loop || i[0] == CONTROL_repeat || i[0] == CONTROL_if_) {
                if (open.size() == MOST_FRAMES) return refuse(pc, "loops and ifs nest deeper than " + std::to_string(MOST_FRAMES));
                if (i[0] == CONTROL_loop && i[6] >= LOOP_KINDS) return refuse(pc, "there is no loop kind " + std::to_string(i[6]));
                if (i[0] == CONTROL_if_) {
                    const u64 after = static_cast<u64>(pc) + 1 + i[3] + i[4];
                    if (!i[3] || !i[4] || after >= unit_.n) return refuse(pc, "an arm is empty, or reaches beyond the end");
                    behind_[pc] = static_cast<u32>(after);
                }
                open.push_back({pc, false, 0});
                depth_ = std::max(depth_, static_cast<u32>(open.size()));
            } else if (i[0] == CONTROL_next) {
                if (open.empty() || at(open.back().at)[0] == CONTROL_if_) return refuse(pc, "next outside of a body");
                behind_[open.back().at] = pc + 1;
                open.pop_back();
            } else if (i[0] == CONTROL_arm) {
                if (open.empty() || at(open.back().at)[0] != CONTROL_if_) return refuse(pc, "arm outside of an if");
                Open& own = open.back();
                const u32 expected = own.second_arm ? behind_[own.at] - 1 : own.at + at(own.at)[3];
                if (pc != expected) return refuse(pc, "the arm should end at instruction " + std::to_string(expected));
                if (own.second_arm) open.pop_back(); else own.second_arm = true;
            }
        }
        if (!open.empty()) return refuse(open.back().at, "it has no end");
        return true;
    }

    // The registers that an instruction writes, put into `written`; how many there are.
    u32 writes(const u16* i, u16 (&written)[3]) const {
        if (i[0] == CONTROL_end || i[0] == CONTROL_next || i[0] == CONTROL_arm) return 0;
        written[0] = i[1];
        if (i[0] != CONTROL_loop && i[0] != CONTROL_repeat) return 1;
        written[1] = i[4];
        written[2] = i[5];
        return i[0] == CONTROL_loop && takes_two(static_cast<u8>(i[6])) ? 3 : 2;
    }

    u32 reads(const u16* i, u16 (&read)[4]) const {
        u32 count = 0;
        const auto add = [&](u32 field) { read[count++] = i[field]; };
        if (i[0] >= CONTROLS) {
            for (u32 k = 0; k < arity_of(i[0]); k++) add(2 + k);
        } else if (i[0] == CONTROL_loop) {
            add(2);
            if (takes_two(static_cast<u8>(i[6]))) add(3);
            if (takes_rank(static_cast<u8>(i[6]))) add(7);
        } else if (i[0] == CONTROL_repeat) {
            add(2);
            add(3);
        } else if (i[0] != CONTROL_end && i[0] != CONTROL_constant) {
            add(2);
        }
        return count;
    }

    void set(u16 r, bool defined) {
        if (defined_[r] == defined) return;
        log_.emplace_back(r, !defined);
        defined_[r] = defined;
    }

    void undo(std::size_t to) {
        for (; log_.size() > to; log_.pop_back()) defined_[log_.back().first] = log_.back().second;
    }

    void forget(u32 from, u32 to) {  // what instructions write
        u16 written[3];
        for (u32 pc = from; pc < to; pc++) {
            for (u32 k = writes(at(pc), written); k--;) set(written[k], false);
        }
    }

    bool registers() {
        for (u32 r = 0; r < unit_.inputs; r++) defined_[r] = true;
        if (!all_in_range()) return false;
        std::vector<Open> open;
        for (u32 pc = 0; pc < unit_.n; pc++) {
            const u16* i = at(pc);
            u16 read[4], written[3];
            for (u32 k = 0, n = reads(i, read); k < n; k++) {
                if (!defined_[read[k]]) {
                    return refuse(pc, "register " + std::to_string(read[k]) + " is read but may hold nothing there");
                }
            }
            if (i[0] == CONTROL_loop || i[0] == CONTROL_repeat) {
                forget(pc + 1, behind_[pc]);
                for (u32 k = writes(i, written); k-- > 1;) set(written[k], true);
                open.push_back({pc, false, 0});
            } else if (i[0] == CONTROL_if_) {
                open.push_back({pc, false, log_.size()});
            } else if (i[0] == CONTROL_arm && !open.back().second_arm) {
                undo(open.back().log);
                open.back().second_arm = true;
            } else if (i[0] == CONTROL_next || i[0] == CONTROL_arm) {
                const u32 begin = open.back().at;
                forget(begin, pc);
                set(at(begin)[1], true);
                open.pop_back();
            } else if (i[0] != CONTROL_end) {
                set(i[1], true);
            }
            if (open.empty()) log_.clear();
        }
        return true;
    }

    bool all_in_range() {
        for (u32 pc = 0; pc < unit_.n; pc++) {
            const u16* i = at(pc);
            u16 read[4], written[3];
            for (u32 k = 0, n = reads(i, read); k < n; k++) {
                if (read[k] >= unit_.registers) return refuse(pc, "there is no register " + std::to_string(read[k]));
            }
            for (u32 k = 0, n = writes(i, written); k < n; k++) {
                if (written[k] >= unit_.registers) return refuse(pc, "there is no register " + std::to_string(written[k]));
            }
            if (i[0] == CONTROL_constant && i[2] >= constants_) {
                return refuse(pc, "there is no constant " + std::to_string(i[2]));
            }
        }
        return true;
    }

    bool results() {
        u64 position = 0;
        for (u64 k = 0; k <= 2 * static_cast<u64>(unit_.programs); k++) {
            const u64 start = unit_.results_start[k];
            if (k == 0 ? start != 0 : start < position) return refuse("the lists of result registers are out of order");
            position = start;
        }
        if (position != result_registers_) return refuse("the lists of result registers do not fill their array");
        for (u64 k = 0; k < position; k++) {
            const u16 r = unit_.results[k];
            if (r >= unit_.registers || !defined_[r]) {
                return refuse("result register " + std::to_string(r) + " holds nothing at the end");
            }
        }
        return true;
    }
};

}  // namespace vm
