"""Variants of solvers: the same calls, with another constant, direction, mirror, rank or grid here and there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from harness.batt.generation.choices import Choices
from harness.batt.generation.inline import Solver, solver_block
from harness.batt.generation.statements import Block, called_name, parse_expression
from harness.batt.generation.trial import Trial
from harness.dsl import constants
from harness.dsl.table import ALIASES

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


@dataclass(frozen=True)
class _Change:
    """A name in a solver's expressions, and the source of the name or call that takes its place."""

    node: ast.Name
    new: str


def variants(solver: Solver, survived: Block, trial: Trial, choices: Choices) -> Iterator[Block]:
    """Yield variants of a solver, what survives of them, none like an earlier one.

    Args:
        solver: what they are variants of.
        survived: what of the solver itself survived; a variant that loses more is passed over.
        trial: on the samples that they have to survive.
        choices: of changes.
    """
    changes = _changes(solver)
    at_least = max(1, len(survived.statements))
    seen = {survived.source}
    found = failures = 0
    while changes and found < MOST_VARIANTS and failures < TRIES:
        failures += 1
        block = _variant(solver, changes, choices)
        source = block.source
        if source in seen:
            continue
        seen.add(source)
        survived = trial.survivors(block, at_least)
        left = survived.source
        if len(survived.statements) >= at_least and (left == source or left not in seen):
            seen.add(left)
            found += 1
            failures = 0
            yield survived


def _variant(solver: Solver, changes: list[_Change], choices: Choices) -> Block:
    """Return a solver with one of the changes made, or two."""
    made = [choices.one(changes)]
    if choices.chance(0.3):
        another = choices.one(changes)
        if another.node is not made[0].node:
            made.append(another)
    said = ", ".join(f"{change.new} for {change.node.id}" for change in made)
    replaced: dict[ast.expr, ast.expr] = {change.node: parse_expression(change.new) for change in made}
    return solver_block(solver, f"{solver.task}: {said}", solves=False, replaced=replaced)


def _changes(solver: Solver) -> list[_Change]:
    """Return all changes by which a variant of a solver can be made."""
    own = {name for name, _ in solver.body}  # a local name may hide one of the DSL; lambdas' parameters never do
    changes = []
    for tree in (*(value for _, value in solver.body), solver.output):
        nodes = list(ast.walk(tree))
        colours = {
            node.args[position]
            for node in nodes
            if isinstance(node, ast.Call)
            for position in COLOUR_PARAMETERS.get(ALIASES.get(called_name(node), called_name(node)), ())
            if position < len(node.args)
        }
        for node in nodes:
            if isinstance(node, ast.Name) and (node.id == "I" or node.id not in own):
                changes += [_Change(node, new) for new in _options(node.id, node in colours)]
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
