"""Kill real runs at random moments, continue them, and compare what they leave with an undisturbed run.

``python -m tests.run.survive --kills 50 --seed 0`` does it many times; tests/run/test_survive_kills.py a few times.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import pandas as pd

from harness.config import read_config
from harness.run import journal as journal_module
from harness.run.resume import resumed_config
from harness.run.runner import execute, prepare

GRIDS = ([[1, 2], [3, 4]], [[0, 0, 5], [0, 5, 0], [5, 0, 0]])
TASKS = ("turn", "sleep", "fail", "hang")
SOURCE = """
import time
from dsl import *

def solve_turn(I):
    return rot90(I)

def solve_sleep(I):
    time.sleep(0.01)  # so that no mode but the reference can do it
    return rot90(I)

def solve_fail(I):
    return first(())

def solve_hang(I):
    while True:
        pass
"""
FIGURES = {  # of time, and what else differs between two runs that did the same
    "evaluations": {"seconds"},
    "timings": {"seconds"},
    "blocks": {
        *("wall_s", "busy_s", "t_s", "waiting_s", "cpu_s", "collections", "cpu_mhz", "load", "busy_cpus", "steal"),
    },
    "modes": {"warmup_blocks", "warmup_s", "warmup_rule", "harness_overhead"},
    "primitives": {"seconds"},
}
REPORT = {"report.md", "dashboard.html", "verdict.json", "plots", "summary.json"}


def write_run(folder: Path, blocks: int = 8, modes: str = "sequential, parallel_cpu, native_cpu") -> Path:
    """Write programs, data and configuration of a run of a second or two whose blocks do not depend on time."""
    (folder / "mine.py").write_text(SOURCE)
    examples = [{"input": grid, "output": [list(row) for row in zip(*grid[::-1], strict=True)]} for grid in GRIDS]
    (folder / "data.json").write_text(json.dumps(dict.fromkeys(TASKS, examples)))
    path = folder / "tiny.yaml"
    path.write_text(
        f"data: {folder / 'data.json'}\nprograms: [{folder / 'mine.py'}]\nmodes: [{modes}]\nworkers: 2\n"
        f"program_timeout_s: 0.15\nmax_warmup_s: 0.1\nmin_block_s: 1.0e-6\nmin_blocks: {blocks}\n"
        f"max_blocks: {blocks}\nmax_mode_s: 100.0\nresults_dir: {folder / 'results'}\n"
    )
    return path


def start(*words: object, **options: object) -> subprocess.Popen[str]:
    """Start a command of the harness in a process group of its own."""
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-m", "harness", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def do(*words: object, code: int = 0, **options: object) -> tuple[str, str]:
    """Run a command of the harness to its end; return what it printed, once its exit code is as expected."""
    process = start(*words, **options)
    try:
        out, errors = process.communicate(timeout=180)
    finally:
        kill(process)
    assert process.returncode == code, f"{words}: {process.returncode}\n{out}\n{errors}"
    return out, errors


def run_here(config: Path, folder: Path, **changes: object) -> Path:
    """Do a run in this process, without its report."""
    settings = read_config(config, {**changes, "run_dir": str(folder)})
    return execute(settings, prepare(settings))


def resume_here(folder: Path, **changes: object) -> Path:
    """Continue a run in this process, without its report."""
    settings = resumed_config(folder, changes)
    return execute(settings, prepare(settings))


class Death(BaseException):
    """As good as SIGKILL for the run folder: nothing is written from here on."""


@contextmanager
def dying_after(blocks: int) -> Iterator[None]:
    """Have a run within this context die at its first write behind so many blocks."""
    write, done = journal_module.write_atomic, []

    def write_or_die(path: Path, data: bytes | str) -> None:
        if len(done) == blocks:
            raise Death
        write(path, data)
        if path.name.endswith("-block.json"):
            done.append(path.name)

    with mock.patch.object(journal_module, "write_atomic", write_or_die):
        try:
            yield
        except Death:
            return
    raise AssertionError(f"the run came to its end after {len(done)} blocks")


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a process and all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.communicate()


def status(folder: Path) -> str | None:
    """Return how far a run has come; None where it does not say."""
    try:
        return str(json.loads((folder / "run.json").read_text())["status"])
    except FileNotFoundError:
        return None


def journal(folder: Path) -> dict[str, bytes]:
    """Return the entries of a run's journal by name."""
    return {path.name: path.read_bytes() for path in sorted((folder / "journal").glob("[0-9]*.json"))}


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    """Return the tables of a run, without figures of time."""
    found = {}
    for path in sorted(folder.glob("*.parquet")):
        frame = pd.read_parquet(path)
        frame = frame.drop(columns=FIGURES.get(path.stem, set()))
        found[path.stem] = frame
    return found


def differences(whole: Path, other: Path) -> list[str]:
    """Return in what a run differs from an undisturbed one."""
    found = []
    files = [{p.name for p in folder.iterdir()} - REPORT for folder in (whole, other)]
    if files[0] != files[1]:
        found.append(f"files: {sorted(files[0] ^ files[1])}")
    if status(other) != "complete":
        found.append(f"status: {status(other)}")
    expected, own = tables(whole), tables(other)
    for name in expected.keys() & own.keys():
        try:
            pd.testing.assert_frame_equal(expected[name], own[name])
        except AssertionError as error:
            found.append(f"{name}: {error}")
    return found


@dataclass
class Tally:
    """What killing and continuing came to."""

    kills: int = 0
    runs: int = 0
    sessions: int = 0
    moments: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def torture(folder: Path, kills: int, seed: int, say: bool = False) -> Tally:
    """Kill runs until that was done often enough, each run up to six times; compare each with an undisturbed one."""
    generator = random.Random(seed)
    config = write_run(folder)
    whole = folder / "whole"
    do("run", config, "--out", whole)
    state = json.loads((whole / "run.json").read_text())
    length_s = sum(state["phase_seconds"].values())
    tally = Tally()
    while tally.kills < kills:
        own, done = folder / f"run-{tally.runs}", 0
        tally.runs += 1
        before: dict[str, bytes] = {}
        while True:
            begun = (own / "journal").exists() or status(own) is not None
            words = ["--resume", own] if begun else [config, "--out", own]
            may_kill = done < 6 and tally.kills < kills
            process = start("run", *words)
            tally.sessions += 1
            if may_kill:
                wait_until_it_begins(process, own, before)
                time.sleep(generator.uniform(0, length_s * 0.8))
                alive = process.poll() is None and status(own) != "complete"
                kill(process)
                if alive:
                    done += 1
                    tally.kills += 1
                    tally.moments.append(max(journal(own), default="before it began"))
            else:
                out, errors = process.communicate(timeout=180)
                if process.returncode != 0:
                    tally.wrong.append(f"{own}: {process.returncode}: {out}\n{errors}")
            if status(own) == "complete":
                break
            after = journal(own)
            tally.wrong += [f"{own}: {name} was lost" for name in before if after.get(name) != before[name]]
            tables(own)  # every file there is can be read
            before = after
            if not may_kill:
                tally.wrong.append(f"{own}: is {status(own)} in the end")
                break
        do("run", "--resume", own)  # one that is complete stays as it is, and has its report
        tally.wrong += [f"{own}: {line}" for line in differences(whole, own)]
        later = json.loads((own / "run.json").read_text())["sessions"][1:]
        if any(row["next"] == "its start" for row in later):
            tally.wrong.append(f"{own}: began twice: {later}")
        if done and later and "resumed" not in (own / "report.md").read_text():
            tally.wrong.append(f"{own}: the report does not say that it was resumed")
        if say:
            print(f"{own.name}: {done} kills, {len(later)} resumptions; {tally.kills} of {kills} kills", flush=True)
    return tally


def wait_until_it_begins(process: subprocess.Popen[str], own: Path, before: dict[str, bytes]) -> None:
    """Wait until a session has made its folder, or added to the journal; imports take most of the time until then."""
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        if (len(journal(own)) > len(before)) if before else own.exists():
            return
        time.sleep(0.005)


def main() -> int:
    """Do as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = torture(Path(folder), arguments.kills, arguments.seed, say=True)
    print(
        f"{tally.kills} kills of {tally.runs} runs in {tally.sessions} sessions (seed {arguments.seed}); killed after: "
        f"{', '.join(sorted(tally.moments))}"
    )
    print("\n".join(tally.wrong) or "every run is as an undisturbed one")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
