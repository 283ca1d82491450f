"""How long the index of many runs takes: ``python tests/report/many_runs.py``; exit code 1 if it is over the limit.

The runs are synthetic: their folders are written by the project's own writer, with its tables and summaries, and only
the figures in them are made up. That takes minutes, so it is no part of the tests.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from synthetic_run import ENVIRONMENT, write_gpu_run

from harness.report.frames import load_run
from harness.report.index import INDEX, MOST_BYTES
from harness.report.summary import SUMMARY, summarize, write_summary
from harness.run.journal import RunFolder
from harness.run.schema import TABLES


def write_many(results: Path, runs: int) -> None:
    """Write so many run folders of three configurations, seven hours apart, each with its summary."""
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as temporary:
        template = load_run(write_gpu_run(Path(temporary) / "run"))
        frames = {name: template.optional.get(name, getattr(template, name, None)) for name in TABLES}
    for i in range(runs):
        name = ("local", "t4x2", "l4x4")[i % 3]
        started = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=7 * i)
        folder = RunFolder.take(results / f"{started:%Y%m%dT%H%M%SZ}-{name}")
        folder.write_text("config.yaml", yaml.safe_dump(template.config | {"name": name}))
        folder.write_json("environment.json", ENVIRONMENT)
        blocks = frames["blocks"]
        noise = 1 + 0.03 * generator.standard_normal() + 0.005 * generator.standard_normal(len(blocks))
        for table, frame in (frames | {"blocks": blocks.assign(wall_s=blocks["wall_s"] * noise)}).items():
            if frame is not None:
                rows = frame.astype(object).where(pd.notna(frame), None).to_dict("records")
                folder.write_table(table, rows)
        record = template.record | {"name": folder.path.name, "started": started.isoformat()}
        folder.write_json("run.json", record)
        write_summary(folder.path, summarize(load_run(folder.path)))
        print(f"\r{i + 1} of {runs} runs written", end="", flush=True)
    print()


def build(results: Path) -> tuple[float, float]:
    """Build the index as ``make dashboard`` does, in a process of its own.

    Returns:
        Wall seconds, and seconds of CPU, which a machine that does other things prolongs less.
    """
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "harness", "dashboard", results], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Write, build and measure."""
    parser = argparse.ArgumentParser(description="Measure how long the index of many runs takes.")
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--limit", type=float, default=10.0, help="seconds (default: %(default)s)")
    parser.add_argument("--without-summaries", action="store_true", help="also measure what making them anew takes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        results = Path(temporary) / "results"
        write_many(results, arguments.runs)
        seconds, cpu = min(build(results) for _ in range(3))
        size = (results / INDEX).stat().st_size
        print(f"{arguments.runs} runs: {seconds:.2f} s (least of 3; {cpu:.2f} s of CPU), {size:,} bytes")
        if arguments.without_summaries:
            for summary in results.glob(f"*/{SUMMARY}"):
                summary.unlink()
            wall, cpu = build(results)
            print(f"without summaries: {wall:.2f} s ({cpu:.2f} s of CPU)")
        return 0 if seconds < arguments.limit and size < MOST_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
