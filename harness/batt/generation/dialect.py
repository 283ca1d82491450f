"""Spell calls as the batt dialect does."""

from __future__ import annotations

import ast

from harness.batt.generation.choices import Choices
from harness.batt.generation.statements import Statement, called_name
from harness.dsl.table import ALIASES, ALL

Spelling = dict[str, tuple[str, str]]
"""Function and last argument, by the kind of the first argument; ``*`` is any other kind."""


def _mirror(kind: str) -> Spelling:
    return {"grid": ("mir_rot_t", kind), "object": ("mir_rot_f", kind), "indices": ("mir_rot_f", kind)}


def _nth(rank: str) -> Spelling:
    return {"grid": ("get_nth_t", rank), "tuple": ("get_nth_t", rank), "*": ("get_nth_f", rank)}


RESPELLED: dict[str, Spelling] = {
    "argmax": {"*": ("get_arg_rank", "F0")},
    "cmirror": _mirror("R3"),
    "dmirror": _mirror("R1"),
    "first": _nth("F0"),
    "hmirror": _mirror("R0"),
    "last": _nth("L1"),
    "leftmost": {"*": ("col_row", "R2")},
    "llcorner": {"*": ("corner", "R2")},
    "lowermost": {"*": ("col_row", "R0")},
    "lrcorner": {"*": ("corner", "R3")},
    "mostcolor": {"*": ("get_color_rank", "F0")},
    "rightmost": {"*": ("col_row", "R3")},
    "rot180": {"grid": ("mir_rot_t", "R5")},
    "rot270": {"grid": ("mir_rot_t", "R6")},
    "rot90": {"grid": ("mir_rot_t", "R4")},
    "ulcorner": {"*": ("corner", "R0")},
    "uppermost": {"*": ("col_row", "R1")},
    "urcorner": {"*": ("corner", "R1")},
    "vmirror": _mirror("R2"),
}
"""Calls of the batt dialect that are worth the same as a call of the primitive."""

SUFFIXES = {"grid": "_t", "tuple": "_t", "set": "_f", "object": "_o", "indices": "_i"}
CONTAINER_SUFFIXES = {**SUFFIXES, "object": "_f", "indices": "_f"}


def respell(statement: Statement, choices: Choices) -> ast.expr:
    """Return a statement's value as the batt dialect may spell it: other names, the same result."""
    call = statement.value
    name = called_name(call)
    if not isinstance(call, ast.Call) or name not in ALL or len(statement.first_kinds) != 1:
        return call
    (kind,) = statement.first_kinds
    if name == "objects" and choices.chance(0.7):
        flags = [argument.id for argument in call.args[1:] if isinstance(argument, ast.Name)]
        if len(flags) == 3 and set(flags) <= {"T", "F"}:
            bits = int("".join("1" if flag == "T" else "0" for flag in flags), 2)
            return ast.Call(ast.Name("o_g"), [call.args[0], ast.Name(f"R{bits}")], [])
    options = RESPELLED.get(name, {})
    spelling = options.get(kind) or options.get("*")
    if spelling and choices.chance(0.4):
        function, constant = spelling
        return ast.Call(ast.Name(function), [*call.args, ast.Name(constant)], [])
    alias = name + (CONTAINER_SUFFIXES if ALL[name].family == "containers" else SUFFIXES).get(kind, "")
    if alias in ALIASES and ALL[name].family != "dialect" and choices.chance(0.6):
        return ast.Call(ast.Name(alias), call.args, [])
    return call
