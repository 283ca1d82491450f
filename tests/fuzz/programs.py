"""Random straight-line programs: well typed, or with operands of any type thrown in."""

from __future__ import annotations

import random
import re
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
_BINDABLE: dict[tuple[str, str], list[tuple[str, str, str]]] = {}  # (bind, name, kind of what is fixed)
for (_first, _second, _result), _names in _PLAIN_BINARY.items():
    _BINDABLE.setdefault((_first, _result), []).extend(("rbind", name, _second) for name in _names)
    _BINDABLE.setdefault((_second, _result), []).extend(("lbind", name, _first) for name in _names)
_BINARY_BY_RESULT: dict[str, list[tuple[str, str]]] = {}
for _first, _second, _result in _PLAIN_BINARY:
    _BINARY_BY_RESULT.setdefault(_result, []).append((_first, _second))

_VARIABLE = re.compile(r"\bx(\d+)\b")
_FORMS = 0.2  # share of statements that treat functions as values
_REUSED = 0.35  # of operands that are functions, how many are a variable where there is one
_ELEMENTS = {"S": "O", "X": "L", "T": "I", "N": "I", "V": "G", "W": "L", "M": "X"}
_TUPLE_OF = {"I": "T", "G": "V", "L": "W"}
_SET_OF = {"I": "N", "L": "X", "O": "S", "X": "M"}

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


def statement(text: str, kind: str) -> Statement:
    """Return a statement."""
    return Statement(text, kind, frozenset(map(int, _VARIABLE.findall(text))))


class Generator:
    """Makes programs from a seed."""

    def __init__(self, seed: int, ill_typed: float = 0.0) -> None:
        self.random = random.Random(seed)
        self.ill_typed = ill_typed
        self.statements: list[Statement] = []
        self.bound: list[tuple[str, str]] = []  # parameters of the lambdas that are being made, and their kinds

    def program(self, length: int) -> list[Statement]:
        """Return so many statements; variable 0 is the input."""
        self.statements = [statement("I", "G")]
        for _ in range(length):
            if self.random.random() < _FORMS:
                text, result = self.random.choice(_FUNCTIONAL_FORMS)(self)
            else:
                name, operands, result = self.random.choice(_ROWS)
                text = f"{name}({', '.join(self._operand(kind) for kind in operands)})"
            self.statements.append(statement(text, result))
        return self.statements

    # Statements that treat functions as values. Kinds: f(O>I), ft(O>I) a tuple and fs(O>I) a set of such functions.

    def _signature(self) -> tuple[str, str]:
        return self.random.choice("OOXLIGT"), self.random.choice("IIBOXLGC")

    def _known_signature(self, prefix: str) -> tuple[str, str] | None:
        near = [s.kind for s in self.statements if s.kind.startswith(prefix + "(")]
        if not near:
            return None
        taken, _, result = self.random.choice(near)[len(prefix) + 1 : -1].partition(">")
        return taken, result

    def _a_function(self) -> tuple[str, str]:
        taken, result = self._signature()
        return self._unary(taken, result, 0), f"f({taken}>{result})"

    def _container(self) -> tuple[str, str]:
        """Return a container of functions."""
        taken, result = self._known_signature("f") or self._signature()
        signature = f"({taken}>{result})"
        a, b = self._function(signature[1:-1], 1), self._function(signature[1:-1], 1)
        form = self.random.randrange(9)
        if form < 4:
            other = self._named("fs" + signature) or f"initset({b})"
            made = [f"initset({a})", f"insert({a}, initset({b}))", f"combine(initset({a}), {other})", None][form]
            return made or f"insert({a}, {other})", "fs" + signature
        if form < 7:
            other = self._named("ft" + signature) or f"astuple({a}, {b})"
            count = self.random.randint(1, 3)
            made = [f"astuple({a}, {b})", f"repeat({a}, {count})", f"combine(repeat({b}, {count}), {other})"]
            return made[form - 4], "ft" + signature
        container = self.random.choice(list(_ELEMENTS))
        first, second, result = self.random.choice(list(_PLAIN_BINARY))
        names = _PLAIN_BINARY[first, second, result]
        bind, fixed, taken = ("rbind", second, first) if form == 7 else ("lbind", first, second)
        for kind, element in _ELEMENTS.items():
            if element == fixed and self.random.random() < 0.7:
                container = kind
        text = f"apply(lbind({bind}, {self.random.choice(names)}), {self._operand(container)})"
        return text, f"{'ft' if container in 'TVW' else 'fs'}({taken}>{result})"

    def _use(self) -> tuple[str, str]:
        """Return a use of a container of functions."""
        prefix = self.random.choice(("fs", "ft"))
        taken, result = self._known_signature(prefix) or self._signature()
        a, b = self._function(f"{taken}>{result}", 1), self._function(f"{taken}>{result}", 1)
        made = f"insert({a}, initset({b}))" if prefix == "fs" else f"astuple({a}, {b})"
        functions = self._named(f"{prefix}({taken}>{result})") or made
        results = (_SET_OF if prefix == "fs" else _TUPLE_OF).get(result, "A")
        value = self._operand(taken)
        signature = f"{prefix}({taken}>{result})"
        test = self._unary(result, "B", 1)
        key = self._unary(result, "I", 1)
        items = self._operand(self.random.choice([k for k, e in _ELEMENTS.items() if e == taken] or ["S"]))
        one = self.random.choice(("first", "last"))
        forms = [
            (f"rapply({functions}, {value})", results),
            (f"rapply({functions}, {value})", results),
            (f"{one}({functions})({value})", result),
            (f"get_nth_{prefix[1].replace('s', 'f')}({functions}, {self._operand('R')})({value})", result),
            (f"branch({self._operand('B')}, {functions}, {made})", signature),
            (f"rapply(branch({self._operand('B')}, {functions}, {made}), {value})", results),
            (f"apply(lambda f: f({value}), {functions})", results),
            (f"mapply(lambda f: initset(f({value})), {functions})", _SET_OF.get(result, "A")),
            (f"mapply(lambda f: apply(f, {items}), {functions})", "A"),
            (f"sfilter({functions}, lambda f: ({test})(f({value})))", signature),
            (f"rapply(sfilter({functions}, lambda f: ({test})(f({value}))), {value})", results),
            (f"extract({functions}, lambda f: ({test})(f({value})))({value})", result),
            (f"argmax({functions}, lambda f: ({key})(f({value})))({value})", result),
            (f"argmin({functions}, compose({key}, lambda f: f({value})))({value})", result),
            (f"valmax({functions}, lambda f: ({key})(f({value})))", "I"),
            (f"order({functions}, lambda f: ({key})(f({value})))", f"ft({taken}>{result})"),
            (f"totuple({functions})", f"ft({taken}>{result})"),
            (f"size({functions})", "I"),
            (f"papply(lambda f, e: f(e), totuple({functions}), totuple({items}))", _TUPLE_OF.get(result, "A")),
            (f"prapply(lambda f, e: f(e), {functions}, {items})", _SET_OF.get(result, "A")),
            (f"mpapply(lambda f, e: repeat(f(e), 2), totuple({functions}), totuple({items}))", "A"),
            (f"apply(lambda e: rapply({functions}, e), {items})", "A"),
            (f"remove({a}, {functions})", signature),
            (f"merge(astuple({functions}, {functions}))", f"ft({taken}>{result})"),
        ]
        return self.random.choice(forms)

    def _call(self) -> tuple[str, str]:
        """Return a call of a function that is chosen, or repeated, by a value, or put together at once."""
        taken, result = self._known_signature("f") or self._signature()
        f, g = self._function(f"{taken}>{result}", 1), self._function(f"{taken}>{result}", 1)
        value = self._operand(taken)
        step = self._unary(result, result, 1)
        middle = self.random.choice("OXLIG")
        forms = [
            (f"branch({self._operand('B')}, {f}, {g})({value})", result),
            (f"branch({self._operand('B')}, {f}, {g})", f"f({taken}>{result})"),
            (f"power({step}, {self._operand('I')})({f}({value}))", result),
            (f"power({step}, {self.random.randint(1, 9)})({self._operand(result)})", result),
            (f"({f})({value})" if f.startswith("lambda") else f"{f}({value})", result),
            (f"chain({step}, {step}, {f})({value})", result),
            (f"compose({self._unary(middle, result, 1)}, {self._unary(taken, middle, 1)})({value})", result),
            (f"matcher({f}, {self._operand(result)})({value})", "B"),
            (f"fork(astuple, {f}, {g})({value})", {"I": "L"}.get(result, "A")),
            (f"apply({f}, initset({value}))", _SET_OF.get(result, "A")),
            (f"branch({self._operand('B')}, lbind(apply, {f}), rbind(sfilter, {f}))(initset({value}))", "A"),
            (f"power(compose({step}, {step}), {self._operand('I')})({self._operand(result)})", result),
            (f"apply(lambda e: branch(equality(e, {value}), {f}, {g})(e), initset({value}))", _SET_OF.get(result, "A")),
        ]
        return self.random.choice(forms)

    def _nested(self) -> tuple[str, str]:
        """Return containers in containers, of several kinds."""
        a, b, c = self.random.choice("OXLIGN"), self.random.choice("OXLIGN"), self.random.choice("SXTNVWM")
        forms = [
            f"astuple({self._operand(a)}, astuple({self._operand(b)}, {self._operand(c)}))",
            f"insert({self._operand(a)}, initset({self._operand(b)}))",
            f"apply(initset, {self._operand(c)})",
            f"apply(rbind(repeat, 2), {self._operand(c)})",
            f"initset(totuple({self._operand(c)}))",
            f"pair({self._operand(c)}, {self._operand(self.random.choice('SXTNVWM'))})",
            f"product({self._operand('N')}, {self._operand(c)})",
            f"combine({self._operand('A')}, {self._operand('A')})",
            f"merge(astuple({self._operand(c)}, {self._operand('A')}))",
            f"difference({self._operand('A')}, {self._operand('A')})",
            f"order({self._operand('A')}, identity)",
            f"dedupe(totuple({self._operand('A')}))",
            f"{self.random.choice(('mostcommon', 'leastcommon', 'last', 'maximum'))}(totuple({self._operand('A')}))",
            f"greater({self._operand('A')}, {self._operand('A')})",
            f"get_common_rank(totuple({self._operand('A')}), {self._operand('R')})",
        ]
        return self.random.choice(forms), "A"

    def _named(self, kind: str) -> str | None:
        """Return a variable of exactly a kind."""
        near = [n for n, s in enumerate(self.statements) if s.kind == kind]
        if not near or self.random.random() > _REUSED:
            return None
        number = self.random.choice(near)
        return f"x{number}"

    def _variable(self, kinds: str) -> str | None:
        inner = [name for name, kind in self.bound if kind in kinds]
        if inner and self.random.random() < 0.7:
            return self.random.choice(inner)
        near = [n for n, s in enumerate(self.statements) if s.kind in kinds]
        if not near:
            return None
        # Later variables are more interesting: values grow odd as they go.
        number = max(self.random.choice(near), self.random.choice(near))
        return f"x{number}"

    def _operand(self, kind: str, depth: int = 0) -> str:
        if kind.startswith("f("):
            return self._function(kind[2:-1], depth)
        if self.random.random() < self.ill_typed:
            if self.random.random() < 0.2:
                return self.random.choice(_ODD)
            return f"x{self.random.randrange(len(self.statements))}"
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
        named = self._named(f"f({signature})")
        if named is not None:
            return named
        if self.random.random() < self.ill_typed:
            return self.random.choice([name for name, _, _ in _ROWS])
        taken, _, result = signature.partition(">")
        kinds = taken.split(",")
        if len(kinds) == 2:
            names = _PLAIN_BINARY.get((kinds[0], kinds[1], result), [])
            if names and self.random.random() < 0.8:
                return self.random.choice(names)
            self.bound.append(("a", kinds[0]))
            self.bound.append(("b", kinds[1]))
            body = self._make(result, depth + 1) or "a"
            del self.bound[-2:]
            return f"lambda a, b: {body}"
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
            left, right = self.random.choice(_BINARY_BY_RESULT.get(result, [("I", "I")]))
            names = _PLAIN_BINARY.get((left, right, result))
            if names:
                a, b = self._unary(kind, left, depth + 1), self._unary(kind, right, depth + 1)
                return f"fork({self.random.choice(names)}, {a}, {b})"
        if names:
            return self.random.choice(names)
        name = "eghijk"[len(self.bound) % 6]
        self.bound.append((name, kind))
        body = self._make(result, depth + 1) or self._operand(result, depth + 1)
        self.bound.pop()
        return f"lambda {name}: {body}"

    def _bound(self, kind: str, result: str, depth: int) -> str | None:
        choices = _BINDABLE.get((kind, result))
        if not choices:
            return None
        bind, name, fixed = self.random.choice(choices)
        return f"{bind}({name}, {self._operand(fixed, depth + 1)})"


_FUNCTIONAL_FORMS = (
    Generator._a_function,
    Generator._container,
    Generator._use,
    Generator._use,
    Generator._call,
    Generator._nested,
)
_ODD = (
    "0",
    "True",
    "()",
    "frozenset()",
    "((1, 2), (3,), ())",
    "((1, 2, 3), (4, 5))",
    "frozenset({(1, 2, 3), (4, 5)})",
    "frozenset({(3, (0, 0)), (1, 2)})",
    "frozenset({(300, (0, 0)), (-200, (1, 1))})",
    "frozenset({frozenset({1, 2}), frozenset()})",
    "(((0, 0), (1, 1)), (5, 5))",
    "frozenset({(2000, -7), (0, 600)})",
    "(70000, -70000)",
    "((300, 1), (1, 300))",
    "((-1, 0), (0, -1), (2, 2))",
    "index(x0, (-1, -1))",
    "identity",
)


def is_function(kind: str) -> bool:
    """Whether a kind is that of a function, or of a container of functions."""
    return kind.startswith("f")


def body(statements: list[Statement], number: int) -> list[str]:
    """Return the lines that compute a statement from the input, without those that it does not need."""
    lines = [f"    x{k} = {statements[k].text}" for k in sorted(dependencies(statements, number))]
    return [*lines, f"    return x{number}"]


def dependencies(statements: list[Statement], number: int) -> set[int]:
    """Return the numbers of the statements that one depends on, itself included."""
    needed: set[int] = {0}  # the input is in literals too
    waiting = [number]
    while waiting:
        at = waiting.pop()
        if at not in needed:
            needed.add(at)
            waiting += statements[at].uses
    return needed
