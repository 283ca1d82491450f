"""The table of opcodes agrees with the reference's table of primitives."""

from __future__ import annotations

from harness.dsl.table import ALL
from harness.vm.opcodes import CONTROL, LOOP_KIND, NONE, OPCODES, OPERATION

TAKE_FUNCTIONS = {
    *("apply", "argmax", "argmin", "chain", "compose", "extract", "fork", "get_arg_rank", "get_val_rank", "lbind"),
    *("mapply", "matcher", "mfilter", "mpapply", "order", "papply", "power", "prapply", "rapply", "rbind", "sfilter"),
    *("valmax", "valmin"),
}
OWN = {"pack1", "pack3", "pack4", "require_count"}


def test_numbers_are_places() -> None:
    assert [opcode.number for opcode in OPCODES] == list(range(len(OPCODES)))
    assert [opcode.name for opcode in OPCODES] == [*CONTROL, *OPERATION]
    assert [kind.number for kind in LOOP_KIND.values()] == list(range(len(LOOP_KIND)))
    assert len(OPCODES) < NONE


def test_every_first_order_primitive_is_an_operation() -> None:
    assert set(OPERATION) - OWN == set(ALL) - TAKE_FUNCTIONS
    for name in set(OPERATION) - OWN:
        assert OPERATION[name].arity == ALL[name].arity, name
        assert OPERATION[name].summary == ALL[name].summary, name
