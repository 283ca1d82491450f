"""What a run is of: its configuration, programs, data and machine, to be compared before it is continued."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from math import isclose
from typing import Any

from harness.config import Config
from harness.measure.sources import HARNESS, Sources
from harness.places import scrubbed
from harness.run.modes import unavailable
from harness.run.workload import Workload

FREE = frozenset({"run_dir", "results_dir", "resume", "time_budget_s"})
"""Keys that change nothing of what is measured, only where to and how long."""

_SAME_MEMORY = 0.02  # relative: another kernel keeps a little more or less for itself
_SHOWN = 12  # characters of a digest


def identity_of(
    config: Config, workload: Workload, sources: Sources, environment: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return what has to be the same for a run to go on, by part: flat mappings of plain values.

    Args:
        config: as run.
        workload: what it evaluates.
        sources: the files of programs and harness, as they were loaded.
        environment: as ``describe_environment`` returns it.
    """
    cpu, gpu = environment["cpu"], environment["gpu"]
    python, platform = environment["python"], environment["platform"]
    data = sha256()
    for part in (workload.samples, sorted(workload.pairs.items())):
        data.update(repr(part).encode())
    return {
        "configuration": {key: value for key, value in config.model_dump().items() if key not in FREE},
        "programs": {
            # Of the harness the content counts, and not where it is.
            HARNESS if module == HARNESS else f"{module}: {scrubbed(path)}": digest
            for module, files in sources.items()
            for path, digest in files
        },
        "data": {"tasks and samples": data.hexdigest()},
        "machine": {
            "CPU": cpu["model"],
            "logical CPUs": cpu["logical"],
            "usable CPUs": cpu["affinity"],
            "memory_bytes": environment["memory_bytes"],
            "GPUs": [f"{device['name']} {device['uuid']}" for device in gpu["devices"]],
            "GPU driver": gpu["driver"],
            "system": f"{platform['system']} {platform['machine']}",
            "Python": f"{python['implementation']} {python['version']}",
        },
        "modes": {mode: unavailable(mode) is None for mode in config.modes},
    }


def differences(then: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Say of each thing that is not as it was what it was, and what it is.

    Args:
        then: what ``identity_of`` returned when the run began.
        now: what it returns now.
    """
    for part in dict.fromkeys([*then, *now]):
        before, after = then.get(part, {}), now.get(part, {})
        for key in dict.fromkeys([*before, *after]):
            if key not in after:
                yield f"{part}: {key} was there, and is not now"
            elif key not in before:
                yield f"{part}: {key} was not there, and is now"
            elif not _same(key, before[key], after[key]):
                yield f"{part}: {_described(part, key, before[key], after[key])}"


def _same(key: str, before: Any, after: Any) -> bool:
    return before == after or (key == "memory_bytes" and isclose(before, after, rel_tol=_SAME_MEMORY))


def _described(part: str, key: str, before: Any, after: Any) -> str:
    if part in ("programs", "data"):
        return f"{key} had other contents (SHA-256 {before[:_SHOWN]}..., now {after[:_SHOWN]}...)"
    if part == "modes":
        could, can = ("could" if before else "could not"), ("can" if after else "cannot")
        return f"{key} {could} run, and {can} now" + ("" if after else f": {unavailable(key)}")
    return f"{key} was {before!r}, and is {after!r}"
