"""Put a batt together: the parts of its tasks, each with checks, a solver and variants of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.batt.generation.choices import Choices
from harness.batt.generation.choose import choose_tasks
from harness.batt.generation.inline import check_block, solver_block
from harness.batt.generation.parse import parse_solvers
from harness.batt.generation.statements import Block
from harness.batt.generation.trial import Trial, samples_of
from harness.batt.generation.variants import variants
from harness.batt.generation.write import Writer
from harness.samples import Task

MINIMUM_OPERATIONS = 3000
CHECKS_PER_PART = 5  # beside FIRST_CHECKS

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
    more: dict[str, Iterator[Block]] = {}
    whole = 0
    for name in names:
        choices = Choices(seed, name)
        solver = solver_block(solvers[name], f"{name}: its solver", solves=True)
        survived = trial.survivors(solver)
        whole += len(survived.statements) == len(solver.statements)
        checks = [*FIRST_CHECKS, *choices.some(MORE_CHECKS, CHECKS_PER_PART)]
        tried = [trial.survivors(check_block(check, name)) for check in checks]
        parts[name] = [block for block in [*tried, survived] if block.statements]
        more[name] = variants(solvers[name], survived, trial, choices)
    _add_variants(parts, more, minimum_operations)
    writer = Writer(Choices(seed, "spelling"))
    for blocks in parts.values():
        for block in blocks:
            writer.write(block)
    return writer.module(names, whole, command)


def _add_variants(parts: dict[str, list[Block]], more: dict[str, Iterator[Block]], minimum_operations: int) -> None:
    """Add variants until there are enough operations, the next always to the part that works least."""
    operations = sum(block.operations for blocks in parts.values() for block in blocks)
    work = {name: sum(block.work for block in blocks) for name, blocks in parts.items()}
    while operations < minimum_operations:
        if not more:
            raise ValueError(
                f"{len(parts)} tasks give no more than {operations} operations, {minimum_operations} are asked for: "
                "ask for fewer operations or for more tasks"
            )
        name = min(more, key=lambda name: (work[name], name))
        block = next(more[name], None)
        if block is None:
            del more[name]
        else:
            parts[name].append(block)
            operations += block.operations
            work[name] += block.work
