"""From parsed JSON to tasks: every rule that task data must keep, and the position of what breaks one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.dsl.types import Grid
from harness.samples.model import Sample, Task
from harness.samples.problems import Problems

LIMIT = 30
"""The most rows, and the most columns, of a grid of task data."""

COLOURS = frozenset(range(10))


class RepeatedKeys(dict[str, Any]):
    """A JSON object in which keys were given more than once: ``repeated``, while a plain dict keeps the last."""

    repeated: tuple[str, ...]


def object_from_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The ``object_pairs_hook`` for ``json.loads`` that does not lose a repeated key."""
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    repeating = RepeatedKeys(result)
    keys = [key for key, _ in pairs]
    repeating.repeated = tuple(key for key in result if keys.count(key) > 1)
    return repeating


def report_repeated(value: Mapping[str, Any], where: str, problems: Problems) -> None:
    """Note each key that a JSON object gives more than once."""
    if isinstance(value, RepeatedKeys):
        for key in value.repeated:
            problems.add(where, f"key {key!r} is given more than once")


def shown(value: object) -> str:
    """What a message calls a value: a scalar by its JSON text, cut where it is long."""
    if isinstance(value, list):
        return f"a list of length {len(value)}"
    if isinstance(value, dict):
        return "an object"
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def parse_grid(value: Any, where: str, problems: Problems) -> Grid | None:
    """A grid from its JSON form, a list of rows.

    Args:
        value: anything that JSON can hold.
        where: file, task and position, for messages.
        problems: gets what is wrong.

    Returns:
        The grid, 1x1 to 30x30, of plain int 0-9; None if something was wrong with it.
    """
    if not isinstance(value, list):
        problems.add(where, f"a grid is a list of rows, this is {shown(value)}")
        return None
    if not value or value == [[]]:
        problems.add(where, "the grid is empty")
        return None
    good = len(value) <= LIMIT
    if not good:
        problems.add(where, f"{len(value)} rows, at most {LIMIT} are allowed")
    width = len(value[0]) if isinstance(value[0], list) else 0
    for i, row in enumerate(value):
        if not (
            isinstance(row, list)
            and 0 < len(row) <= LIMIT
            and len(row) == width
            and set(map(type, row)) == {int}  # true and 1.0 equal 1, so their types are asked first
            and COLOURS.issuperset(row)
        ):
            good = False
            _report_row(row, f"{where}, row {i}", width, problems)
    return tuple(map(tuple, value)) if good else None


def _report_row(row: Any, where: str, width: int, problems: Problems) -> None:
    """Note what is wrong with a row, where row 0 has ``width`` columns, or 0 if it is itself wrong."""
    if not isinstance(row, list):
        problems.add(where, f"a row is a list of colours, this is {shown(row)}")
        return
    if not row:
        problems.add(where, "the row is empty")
    elif len(row) > LIMIT:
        problems.add(where, f"{len(row)} columns, at most {LIMIT} are allowed")
    elif width and len(row) != width:
        problems.add(where, f"{len(row)} columns, row 0 has {width}")
    for j, colour in enumerate(row):
        if type(colour) is not int:
            problems.add(f"{where}, column {j}", f"{shown(colour)} is not an integer")
        elif colour not in COLOURS:
            problems.add(f"{where}, column {j}", f"{colour} is not a colour, which are 0-9")


def parse_examples(
    value: Any, task: str, split: str, file: str, problems: Problems, *, needs_output: bool = True
) -> tuple[Sample, ...]:
    """Samples from a list of ``{"input": grid, "output": grid}``.

    Args:
        value: anything that JSON can hold.
        task: name of the task.
        split: ``train`` or ``test``.
        file: what the value was read from, for messages.
        problems: gets what is wrong; then the samples returned are not to be used.
        needs_output: whether an example without the key ``output`` is a problem; else its output is None.
    """
    where = f"{file}: task {task}, {split}"
    if not isinstance(value, list):
        problems.add(where, f"expected a list of examples, this is {shown(value)}")
        return ()
    samples = []
    for k, example in enumerate(value):
        at = f"{where}[{k}]"
        grids: dict[str, Grid | None] = {"input": None, "output": None}
        if isinstance(example, dict):
            report_repeated(example, at, problems)
            for key in grids:
                if key in example:
                    grids[key] = parse_grid(example[key], f"{at}.{key}", problems)
                elif key == "input" or needs_output:
                    problems.add(at, f"key {key!r} is missing")
        else:
            problems.add(at, f'an example is {{"input": grid, "output": grid}}, this is {shown(example)}')
        samples.append(Sample(task, f"{split}[{k}]", split, grids["input"] or (), grids["output"]))
    return tuple(samples)


def parse_task(value: Any, name: str, file: str, problems: Problems, *, needs_output: bool = True) -> Task:
    """A task from ``{"train": examples, "test": examples}``, or from a bare list of examples, which are all train.

    Args:
        value: anything that JSON can hold.
        name: of the task.
        file: what the value was read from, for messages.
        problems: gets what is wrong; then the task returned is not to be used.
        needs_output: whether a test example without the key ``output`` is a problem; else its output is None.
    """
    where = f"{file}: task {name}"
    if isinstance(value, list):
        value = {"train": value, "test": []}
    if not isinstance(value, dict):
        problems.add(where, f"a task is an object with train and test, or a list of examples; this is {shown(value)}")
        return Task(name, (), ())
    report_repeated(value, where, problems)
    samples: dict[str, tuple[Sample, ...]] = {"train": (), "test": ()}
    for split in samples:
        if split in value:
            optional = split == "test" and not needs_output
            samples[split] = parse_examples(value[split], name, split, file, problems, needs_output=not optional)
        else:
            problems.add(where, f"key {split!r} is missing")
    if value.get("train") == [] and value.get("test") == []:
        problems.add(where, "the task has no examples")
    return Task(name, samples["train"], samples["test"])
