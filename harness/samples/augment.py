"""More samples from few: the symmetries of the square and permutations of the colours, the same ones on every machine.

An augmented sample is work like that of its source, not a puzzle with the same rule: a program need not solve it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from itertools import chain, islice
from math import factorial
from typing import Any

from harness.dsl.grids import cmirror, dmirror, hmirror, rot90, rot180, rot270, vmirror
from harness.dsl.numbers import identity
from harness.dsl.types import Grid
from harness.samples.model import Sample, Task

_SYMMETRIES: tuple[Callable[[Grid], Any], ...] = (identity, rot90, rot180, rot270, hmirror, vmirror, dmirror, cmirror)
SYMMETRIES = tuple(function.__name__ for function in _SYMMETRIES)
"""The 8 symmetries of the square in the order of their numbers, by the names of the primitives that they are."""

_COLOURS = list(range(10))


def transform(grid: Grid, symmetry: int, colours: tuple[int, ...]) -> Grid:
    """A grid turned or mirrored, with its colours exchanged.

    Args:
        grid: h x w colours 0-9.
        symmetry: 0-7, the position in ``SYMMETRIES``.
        colours: a permutation of 0-9; colour c becomes ``colours[c]``.

    Returns:
        h x w, or w x h, colours 0-9.

    Raises:
        ValueError: there is no such symmetry, or the colours are no permutation.
    """
    if not 0 <= symmetry < len(_SYMMETRIES) or sorted(colours) != _COLOURS:
        raise ValueError(f"symmetry {symmetry} of 0-{len(_SYMMETRIES) - 1}, colours {colours} of 0-9 each once")
    turned: Grid = _SYMMETRIES[symmetry](grid)
    return tuple([tuple([colours[colour] for colour in row]) for row in turned])


def expand(tasks: Mapping[str, Task], samples_per_task: int | None, seed: int) -> list[Sample]:
    """The samples of tasks, as many of each as are asked for.

    Where a task has fewer, augmented ones follow its own, each made from one of these in turn by a symmetry and a
    permutation of the colours that (seed, name of the task, number) decide, and nothing else: the first n samples of
    a task are the same whatever other tasks there are and however many more samples are asked for. None is made
    twice. The name tells how: ``train[0]~rot90+c0143256789`` is ``train[0]`` turned by ``rot90``, with colour i
    replaced by digit i.

    Args:
        tasks: by name; their order is the order of the result.
        samples_per_task: at least 1; None for the samples as they are.
        seed: any integer.

    Raises:
        ValueError: ``samples_per_task`` is less than 1.
    """
    if samples_per_task is None:
        return [sample for task in tasks.values() for sample in task.samples]
    if samples_per_task < 1:
        raise ValueError(f"samples_per_task is {samples_per_task}; it must be at least 1, or None")
    return [
        sample
        for task in tasks.values()
        for sample in islice(chain(task.samples, _augmented(task, seed)), samples_per_task)
    ]


def _augmented(task: Task, seed: int) -> Iterator[Sample]:
    """Augmented samples of a task, until each of its samples was transformed in every way."""
    sources = task.samples
    used = {(k, 0, tuple(_COLOURS)) for k in range(len(sources))}
    number = 0
    while len(used) < len(sources) * len(_SYMMETRIES) * factorial(len(_COLOURS)):
        k = number % len(sources)
        symmetry, colours = _draw(seed, task.name, number)
        number += 1
        if (k, symmetry, colours) in used:
            continue
        used.add((k, symmetry, colours))
        source = sources[k]
        yield Sample(
            task.name,
            f"{source.name}~{SYMMETRIES[symmetry]}+c{''.join(map(str, colours))}",
            source.split,
            transform(source.input, symmetry, colours),
            None if source.output is None else transform(source.output, symmetry, colours),
        )


def _draw(seed: int, task: str, number: int) -> tuple[int, tuple[int, ...]]:
    """A symmetry and a permutation of the colours, taken as digits of a hash.

    Half of the permutations keep colour 0: it is the background of most tasks, and programs name it as such, so
    that on samples without it they would do other work, mostly less. The other half shows what ties to 0 are hidden.
    """
    text = f"{seed}\0{task}\0{number}".encode("utf-8", "surrogatepass")  # names of files need not be valid text
    digits = int.from_bytes(sha256(text).digest())
    digits, symmetry = divmod(digits, len(_SYMMETRIES))
    digits, first = divmod(digits, 2)
    left = _COLOURS[first:]
    colours = _COLOURS[:first]
    rank = digits % factorial(len(left))
    while left:
        rank, k = divmod(rank, len(left))
        colours.append(left.pop(k))
    return symmetry, tuple(colours)
