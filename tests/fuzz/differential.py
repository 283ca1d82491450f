"""The reference against the engine: programs by the batch, on several grids, value for value, failures included."""

from __future__ import annotations

import gc
import random
import signal
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from harness import Engine
from harness.batt.loader import Program, load_programs
from harness.dsl.types import Grid
from harness.samples import Sample
from harness.vm.engine import NOT_COMPILED, REASONS
from harness.vm.native import EQUAL, FAILED, NOT_HANDLED, OK, STATUS_NAMES
from tests.fuzz.grids import random_grid
from tests.fuzz.programs import Generator, Statement, body, dependencies, is_function, statement

GRIDS = 400  # of a run
GRIDS_PER_CHUNK = 6
PROGRAMS_PER_CHUNK = 8  # lists of statements, each of which is a program
TIME_LIMIT_S = 0.5  # of the reference, for all statements of a list on one grid


class TooSlow(BaseException):
    """The reference took longer than it may; no program can catch it, as none catches anything."""


class _Failure:
    """What the reference raises is not compared."""

    def __repr__(self) -> str:
        return "a failure"


FAILURE = _Failure()
DROPPED = object()
"""In place of a value of the reference that is not compared."""


@dataclass(frozen=True)
class Difference:
    """An evaluation in which the engine is wrong."""

    statements: Sequence[Statement]
    number: int
    grid: Grid
    merged: bool
    expected: Any
    found: Any

    @property
    def source(self) -> str:
        """The program, as a module."""
        return module([("solve_0", body(self.statements, self.number))])


@dataclass
class Tally:
    """What has been compared so far."""

    evaluations: int = 0
    programs: int = 0
    untraced: int = 0
    succeeded: int = 0
    dropped: int = 0
    fell_back: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)

    def summary(self) -> str:
        """Return it as text."""
        fell_back = sum(self.fell_back.values())
        lines = [
            f"evaluations   {self.evaluations:>10}  ({self.succeeded / max(1, self.evaluations):.1%} with a value)",
            f"programs      {self.programs:>10}  ({1 - self.untraced / max(1, self.programs):.3%} traced)",
            f"differences   {len(self.differences):>10}",
            f"fell back     {fell_back:>10}  ({fell_back / max(1, self.evaluations):.3%})",
        ]
        lines += [f"  {count:>8}  {reason}" for reason, count in self.fell_back.most_common()]
        return "\n".join([*lines, f"dropped       {self.dropped:>10}  (the reference took too long, or too much)"])


def module(programs: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Return the text of a module of solvers, each of a name and its lines."""
    functions = ["\n".join([f"def {name}(I):", *lines]) for name, lines in programs]
    return "\n\n\n".join(["from dsl import *", *functions, ""])


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TooSlow in the block if it takes longer."""

    def ring(_: int, frame: FrameType | None) -> None:
        if frame is not None and any(frame.f_code is getattr(own, "__code__", None) for own in gc.callbacks):
            return  # what is raised there is lost: it rings again
        raise TooSlow

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.02)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def guarded(statements: Sequence[Statement]) -> list[str]:
    """Return the lines of a function that computes every statement it can, and returns the list of their values.

    Functions in sets are ordered by the lines that make them: these stand in the order of the statements here too.
    """
    lines = [f"    out = [FAILURE] * {len(statements)}"]
    for number, own in enumerate(statements):
        attempt = f"        x{number} = {own.text}\n        out[{number}] = x{number}"
        lines.append(f"    try:\n{attempt}\n    except TRANSIENT:\n        out[{number}] = DROPPED")
        lines.append("    except Exception:\n        pass")
    return [*lines, "    return out"]


class Reference:
    """What the reference makes of every statement of a list."""

    def __init__(self, statements: Sequence[Statement], function: Callable[..., Any]) -> None:
        self._function = function
        self._needed = [sorted(dependencies(statements, number))[:-1] for number in range(len(statements))]

    def values(self, grid: Grid) -> list[Any]:
        """Return the value of each statement; FAILURE where it, or one that it depends on, raises, else DROPPED."""
        try:
            with time_limit(TIME_LIMIT_S):
                out: list[Any] = self._function(grid)
        except TooSlow:
            return [DROPPED] * len(self._needed)
        for number, needed in enumerate(self._needed):
            before = [out[k] for k in needed]
            if any(value is DROPPED for value in before):
                out[number] = DROPPED
            elif any(value is FAILURE for value in before):
                out[number] = FAILURE
        return out


class Differential:
    """Compares batches of programs, by means of a file that they are loaded from."""

    def __init__(self, grids: Sequence[Grid], engine: Callable[[], Engine] = Engine) -> None:
        """Prepare it.

        Args:
            grids: that programs are evaluated on.
            engine: makes the engine that is compared.
        """
        self.grids = list(grids)
        self._quiet = warnings.catch_warnings()
        self._quiet.__enter__()
        warnings.simplefilter("ignore", SyntaxWarning)  # of calls of what is no function
        self._folder = tempfile.TemporaryDirectory()
        self._file = Path(self._folder.name) / "fuzz.py"
        self.engine = engine()
        self.engine.add_samples([Sample("fuzz", str(k), "train", grid, grid) for k, grid in enumerate(self.grids)])

    def __enter__(self) -> Differential:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the file, and free the engine."""
        self.engine.close()
        self._folder.cleanup()
        self._quiet.__exit__(None, None, None)

    def _load(self, text: str, namespace: dict[str, Any] | None = None) -> list[Program]:
        self._file.write_text(text)
        programs, rejected = load_programs([str(self._file)])
        if rejected:
            raise AssertionError(f"{rejected[0].detail}\n{text}")
        for program in programs if namespace else []:
            program.function.__globals__.update(namespace)
        return programs

    def references(self, lists: Sequence[Sequence[Statement]]) -> list[Reference]:
        """Return what the reference makes of lists of statements."""
        text = module([(f"solve_{k}", guarded(statements)) for k, statements in enumerate(lists)])
        names = {"FAILURE": FAILURE, "DROPPED": DROPPED, "TRANSIENT": (MemoryError, RecursionError)}
        programs = self._load(text, names)
        return [Reference(statements, program.function) for statements, program in zip(lists, programs, strict=True)]

    def compare(
        self, lists: Sequence[Sequence[Statement]], grids: Sequence[int], merged: bool, tally: Tally, only: int = -1
    ) -> None:
        """Compare programs, of each list all statements that are values, on grids of those given by number.

        Args:
            lists: of statements.
            grids: numbers of grids.
            merged: whether the engine shares what several programs compute.
            tally: to which it is added.
            only: the number of the statement that is compared, of each list; -1 for all.
        """
        outputs = [
            (k, number)
            for k, statements in enumerate(lists)
            for number, statement in enumerate(statements)
            if (number == only if only >= 0 else number and not is_function(statement.kind))
        ]
        references = self.references(lists)
        expected = [[reference.values(self.grids[g]) for g in grids] for reference in references]
        programs = self._load(
            module([(f"solve_{k}", body(lists[at], number)) for k, (at, number) in enumerate(outputs)])
        )
        numbers = self.engine.add_programs(programs, merged=merged)
        found = self.engine.evaluate([(p, g) for p in numbers for g in grids], outputs=True, fallback=False)
        tally.programs += len(outputs)
        tally.untraced += sum(bool(self.engine.programs[p].refusal) for p in numbers)
        for k, (at, number) in enumerate(outputs):
            for place, g in enumerate(grids):
                pair = k * len(grids) + place
                value = expected[at][place][number]
                if value is DROPPED or holds_functions(value):
                    tally.dropped += value is DROPPED
                    continue
                tally.evaluations += 1
                tally.succeeded += value is not FAILURE
                status = int(found.status[pair])
                if status == NOT_HANDLED:
                    reason = int(found.reason[pair])
                    refusal = self.engine.programs[numbers[k]].refusal
                    tally.fell_back[_short(refusal) if reason == NOT_COMPILED else REASONS[reason]] += 1
                    continue
                outcome = self._outcome(found, pair, status)
                is_expected = int(found.equal[pair]) == EQUAL
                if is_expected != same(value, self.grids[g]):
                    outcome = f"{outcome}, compared with the expected output: {is_expected}"
                if not same(value, outcome):
                    tally.differences.append(Difference(lists[at], number, self.grids[g], merged, value, outcome))
        self.engine.clear_programs()

    @staticmethod
    def _outcome(found: Any, pair: int, status: int) -> Any:
        if status == FAILED:
            return FAILURE
        return found.output(pair) if status == OK else STATUS_NAMES[status]


def _short(refusal: str) -> str:
    """Return why a program is not compiled, without where in it, and without what it raises."""
    return "raises while it is traced" if "while it is traced: " in refusal else refusal.rpartition(": ")[2]


def same(a: Any, b: Any) -> bool:
    """Whether two outcomes are the same: both failures, or equal values."""
    return a is b or (a is not FAILURE and b is not FAILURE and a == b)


def holds_functions(value: Any) -> bool:
    """Whether a value is a function, or a container that holds some."""
    if isinstance(value, tuple | frozenset):
        return any(map(holds_functions, value))
    return callable(value)


def assert_agrees(grid: Grid, texts: Sequence[str], *, all_handled: bool = False) -> None:
    """Compare a program, alone and merged with others.

    Args:
        grid: its input, ``x0``.
        texts: expressions for x1, x2, ...; each is compared.
        all_handled: whether it is a failure that something is left to the reference.
    """
    statements = [statement("I", "G"), *[statement(text, "A") for text in texts]]
    tally = Tally()
    with Differential([grid]) as differential:
        for merged in (False, True):
            differential.compare([statements], [0], merged, tally)
    assert tally.evaluations == 2 * len(texts)
    assert not tally.differences, tally.differences[0]
    assert not (all_handled and tally.fell_back), tally.fell_back


def fuzz(
    evaluations: int,
    seed: int,
    ill_typed: float = 0.0,
    progress: Callable[[Tally], None] = lambda tally: None,
    most_differences: int = 20,
    *,
    engine: Callable[[], Engine] = Engine,
) -> Tally:
    """Compare at least so many evaluations of random programs on random grids, or until enough differences are found.

    Args:
        evaluations: of a program on a grid; each statement of a random list of statements is a program.
        seed: of programs and grids.
        ill_typed: share of operands that are of any type.
        progress: is called now and then.
        most_differences: where to stop.
        engine: makes the engine that is compared.
    """
    rng = random.Random(seed)
    tally = Tally()
    with Differential([random_grid(rng) for _ in range(GRIDS)], engine) as differential:
        while tally.evaluations < evaluations and len(tally.differences) < most_differences:
            lists = []
            for _ in range(PROGRAMS_PER_CHUNK):
                generator = Generator(rng.getrandbits(64), ill_typed)
                lists.append(generator.program(rng.randint(4, 30)))
            grids = rng.sample(range(GRIDS), GRIDS_PER_CHUNK)
            differential.compare(lists, grids, rng.random() < 0.7, tally)
            progress(tally)
    return tally
