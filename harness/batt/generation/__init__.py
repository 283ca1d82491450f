"""Generate a batt: one long straight-line program from the solvers of many tasks, with what real generated batts have.

Each chosen task has a part. It begins with difference checks between input, candidate and samples; then comes the
task's solver, inlined into single calls; then variants of it, in which a constant, a direction, a mirror or a rank is
another. Parts begin alike and variants repeat what they do not change, so many sub-expressions occur several times.

The program is straight-line, so one call that fails would fail all of it. Hence calls are tried on all samples of all
the chosen tasks, and only those are kept that succeed on each, without much work (counted, not timed: the text depends
on nothing but the arguments).
"""

from harness.batt.generation.assemble import generate
from harness.batt.generation.cli import add_arguments, main

__all__ = ["add_arguments", "generate", "main"]
