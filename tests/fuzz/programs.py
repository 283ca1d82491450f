"""Random straight-line programs: well typed, or with operands of any type thrown in."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tests.fuzz.signatures import WIDER, parse

_ROWS = parse()
_BY_RESULT: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
for _name, _operands, _result in _ROWS:
    _BY_RESULT.setdefault(_result, []).append((_name, _operands))
_PLAIN_UNARY: dict[tuple[str, str], list[str]] = {}
_PLAIN_BINARY: dict[tuple[str, str, str], list[str]] = {}
for _name, _operands, _result in _ROWS:
    if len(_operands) == 1 and not _operands[0].startswith("f("):
        for _kind in WIDER.get(_operands[0], _operands[0]):
            _PLAIN_UNARY.setdefault((_kind, _result), []).append(_name)
    if len(_operands) == 2 and not any(o.startswith("f(") for o in _operands):
        for _first in WIDER.get(_operands[0], _operands[0]):
            for _second in WIDER.get(_operands[1], _operands[1]):
                _PLAIN_BINARY.setdefault((_first, _second, _result), []).append(_name)

_DYNAMIC = 0.06  # share of statements that treat functions as values

_LITERALS = {
    "I": ["-2", "-1", "0", "1", "2", "3", "5", "10"],
    "B": ["True", "False"],
    "C": [str(c) for c in range(10)],
    "L": ["(0, 0)", "(1, 0)", "(0, 1)", "(-1, 0)", "(0, -1)", "(1, 1)", "(-1, -1)", "(2, 3)", "(5, 0)", "(-7, 40)"],
    "F": ["1", "2", "3"],
    "D": ["(1, 1)", "(3, 3)", "(2, 5)", "(10, 10)"],
    "H": [str(k) for k in range(8)],
    "R": ["0", "1", "2", "-1", "-2"],
    "T": ["()", "(1, 2, 2)", "(0, 1, 2, 3)"],
    "N": ["frozenset()", "frozenset({1, 2, 3})"],
    "W": ["((0, 0), (1, 2))"],
    "X": ["frozenset()", "frozenset({(0, 0), (2, 1)})", "frozenset({(-3, 70), (40, -1)})"],
    "O": ["frozenset({(3, (0, 0)), (2, (1, 4))})", "frozenset({(3, (1, 1)), (5, (1, 1))})", "frozenset()"],
}


@dataclass(frozen=True)
class Statement:
    """``x<k> = text``; ``uses`` are the numbers of the variables in it."""

    text: str
    kind: str
    uses: frozenset[int]


class Generator:
    """Makes programs from a seed."""

    def __init__(self, seed: int, ill_typed: float = 0.0) -> None:
        self.random = random.Random(seed)
        self.ill_typed = ill_typed
        self.statements: list[Statement] = []
        self.uses: set[int] = set()

    def program(self, length: int) -> list[Statement]:
        """Return so many statements; variable 0 is the input."""
        self.statements = [Statement("I", "G", frozenset())]
        for _ in range(length):
            self.uses = set()
            if self.random.random() < _DYNAMIC:
                text, result = self._dynamic()
            else:
                name, operands, result = self.random.choice(_ROWS)
                text = f"{name}({', '.join(self._operand(kind) for kind in operands)})"
            self.statements.append(Statement(text, result, frozenset(self.uses)))
        return self.statements

    def _dynamic(self) -> tuple[str, str]:
        """Return a call of functions that are elements of containers, chosen by a value, or repeated by one."""
        kind, result, container = self.random.choice(
            [("O", "I", "N"), ("G", "G", "V"), ("O", "O", "S"), ("L", "X", "M")]
        )
        a, b = self._unary(kind, result, 1), self._unary(kind, result, 1)
        value = self._operand(kind)
        form = self.random.randrange(6)
        if form == 0:
            # Of functions in a set the order is by name, so only results that are put in a set are compared.
            return f"rapply(insert({a}, initset({b})), {value})", {"V": "A"}.get(container, container)
        if form == 1:
            return f"rapply(astuple({a}, {b}), {value})", {"N": "T", "V": "V"}.get(container, "A")
        if form == 2:
            return f"branch({self._operand('B')}, {a}, {b})({value})", result
        if form == 3:
            step = self._unary(result, result, 1)
            return f"power({step}, {self._operand('I')})({a}({value}))", result
        if form == 4:
            return f"mapply(lambda f: initset(f({value})), insert({a}, initset({b})))", {"V": "A"}.get(
                container, container
            )
        return f"rapply(apply(lbind(lbind, shift), {self._operand('S')}), {self._operand('L')})", "S"

    def _variable(self, kinds: str) -> str | None:
        near = [n for n, s in enumerate(self.statements) if s.kind in kinds or WIDER.get(s.kind, s.kind) in kinds]
        if not near:
            return None
        # Later variables are more interesting: values grow odd as they go.
        number = max(self.random.choice(near), self.random.choice(near))
        self.uses.add(number)
        return f"x{number}"

    def _operand(self, kind: str, depth: int = 0) -> str:
        if kind.startswith("f("):
            return self._function(kind[2:-1], depth)
        if self.random.random() < self.ill_typed:
            return self._variable("".join(_BY_RESULT)) or "0"
        kinds = WIDER.get(kind, kind)
        if kind in "FDHR" or (kind in _LITERALS and self.random.random() < 0.3):
            return self.random.choice(_LITERALS[kind])
        if kind == "C":
            kinds = "C"
        variable = self._variable(kinds)
        if variable is not None:
            return variable
        for option in self.random.sample(kinds, len(kinds)):
            if option in _LITERALS:
                return self.random.choice(_LITERALS[option])
            made = self._make(option, depth)
            if made is not None:
                return made
        return "x0"

    def _make(self, kind: str, depth: int) -> str | None:
        """Return a nested call with a result of a type."""
        simple = [(n, o) for n, o in _BY_RESULT.get(kind, []) if not any(part.startswith("f(") for part in o)]
        if depth > 2 or not simple:
            return None
        name, operands = self.random.choice(simple)
        return f"{name}({', '.join(self._operand(part, depth + 1) for part in operands)})"

    def _function(self, signature: str, depth: int) -> str:
        taken, _, result = signature.partition(">")
        kinds = taken.split(",")
        if len(kinds) == 2:
            names = _PLAIN_BINARY.get((kinds[0], kinds[1], result), [])
            if names and self.random.random() < 0.8:
                return self.random.choice(names)
            return f"lambda a, b: {self._make(result, depth + 1) or 'a'}"
        return self._unary(kinds[0], result, depth)

    def _unary(self, kind: str, result: str, depth: int) -> str:
        choice = self.random.random()
        names = _PLAIN_UNARY.get((kind, result), [])
        if names and (choice < 0.3 or depth > 3):
            return self.random.choice(names)
        if choice < 0.5:
            bound = self._bound(kind, result, depth)
            if bound is not None:
                return bound
        if choice < 0.7 and depth < 3:
            middle = self.random.choice("OXLIG")
            inner, outer = self._unary(kind, middle, depth + 1), self._unary(middle, result, depth + 1)
            return f"compose({outer}, {inner})"
        if choice < 0.8 and result == "B" and depth < 3:
            middle = self.random.choice("ICLB")
            return f"matcher({self._unary(kind, middle, depth + 1)}, {self._operand(middle, depth + 1)})"
        if choice < 0.9 and depth < 3:
            left, right = self.random.choice([k for k in _PLAIN_BINARY if k[2] == result] or [("I", "I", "I")])[:2]
            names = _PLAIN_BINARY.get((left, right, result))
            if names:
                a, b = self._unary(kind, left, depth + 1), self._unary(kind, right, depth + 1)
                return f"fork({self.random.choice(names)}, {a}, {b})"
        if names:
            return self.random.choice(names)
        body = self._make(result, depth + 1)
        return f"lambda e: {body}" if body else f"lambda e: {self._operand(result, depth + 1)}"

    def _bound(self, kind: str, result: str, depth: int) -> str | None:
        for (first, second, made), names in self.random.sample(list(_PLAIN_BINARY.items()), 30):
            if made == result and first == kind:
                return f"rbind({self.random.choice(names)}, {self._operand(second, depth + 1)})"
            if made == result and second == kind:
                return f"lbind({self.random.choice(names)}, {self._operand(first, depth + 1)})"
        return None


def source(statements: list[Statement], output: int | None = None) -> str:
    """Return a module with a solver that computes the statements that an output needs, or all, and returns it."""
    last = len(statements) - 1 if output is None else output
    needed = set(range(last + 1)) if output is None else dependencies(statements, last)
    lines = [f"    x{number} = {statements[number].text}" for number in sorted(needed)]
    return "\n".join(["from dsl import *", "", "", "def solve_fuzz(I):", *lines, f"    return x{last}", ""])


def dependencies(statements: list[Statement], number: int) -> set[int]:
    """Return the numbers of the statements that one depends on, itself included."""
    needed: set[int] = set()
    waiting = [number]
    while waiting:
        at = waiting.pop()
        if at not in needed:
            needed.add(at)
            waiting += statements[at].uses
    return needed
