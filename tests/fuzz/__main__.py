"""``python -m tests.fuzz``: compare the engine with the reference on random programs."""

from __future__ import annotations

import argparse
import resource
import sys
import time

from tests.fuzz.differential import Tally, fuzz
from tests.fuzz.shrink import as_test, shrink

_INTERVAL_S = 10.0  # from one progress line to the next
_MEMORY = 6 << 30  # bytes of address space: a program that asks for more fails, and is dropped


def main(arguments: list[str] | None = None) -> int:
    """Run it; return 1 if a difference was found, else 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--evaluations", type=int, default=100_000, help="of a program on a grid (default 100000)")
    parser.add_argument("--seed", type=int, default=0, help="of programs and grids; printed with each difference")
    parser.add_argument(
        "--ill-typed", type=float, default=0.0, metavar="P", help="share of operands that are of any type (default 0)"
    )
    options = parser.parse_args(arguments)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    start = shown = time.monotonic()

    def progress(tally: Tally) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= _INTERVAL_S:
            shown = now
            rate = tally.evaluations / (now - start)
            print(
                f"{tally.evaluations}/{options.evaluations} evaluations, {rate:.0f}/s, "
                f"{len(tally.differences)} differences",
                file=sys.stderr,
                flush=True,
            )

    tally = fuzz(options.evaluations, options.seed, options.ill_typed, progress)
    print(f"seed {options.seed}, ill-typed {options.ill_typed}")
    print(tally.summary())
    for difference in tally.differences[:5]:
        print(as_test(shrink(difference)))
    return int(bool(tally.differences))


if __name__ == "__main__":
    sys.exit(main())
