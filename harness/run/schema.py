"""The tables of a run folder and their columns; docs/results.md says what they hold.

Columns are pandas dtypes; "string", "Int64", "Float64" and "boolean" may hold nulls, the others may not.
"""

VERSION = 1

ADDED: dict[str, tuple[str, ...]] = {
    "blocks": ("passes", "t_s", "waiting_s", "cpu_s", "collections", "cpu_mhz", "load", "busy_cpus", "steal"),
    "modes": (
        *("fell_back", "fell_back_reasons", "warmup_blocks", "warmup_s", "warmup_rule"),
        *("harness_overhead", "sampled", "sampled_different"),
    ),
}
"""Columns that came later: all null in a run that was written before."""

OPTIONAL = frozenset({"accuracy", "devices", "device_blocks", "opcodes"})
"""Tables that came later, or that not every run has: that one is not there is no fault."""

TABLES: dict[str, dict[str, str]] = {
    "programs": {
        "program": "string",
        "module": "string",
        "kind": "string",
        "status": "string",
        "detail": "string",
        "samples": "Int64",
        "task": "string",
    },
    "evaluations": {
        "program": "string",
        "module": "string",
        "task": "string",
        "sample": "string",
        "augmented": "boolean",
        "status": "string",
        "error": "string",
        "equal": "boolean",
        "digest": "string",
        "seconds": "float64",
    },
    "blocks": {
        "mode": "string",
        "block": "int64",
        "wall_s": "float64",
        "evaluations": "int64",
        "workers": "int64",
        "busy_s": "float64",
        "passes": "Int64",
        "t_s": "Float64",
        "waiting_s": "Float64",
        "cpu_s": "Float64",
        "collections": "Int64",
        "cpu_mhz": "Float64",
        "load": "Float64",
        "busy_cpus": "Float64",
        "steal": "Float64",
    },
    "timings": {
        "mode": "string",
        "block": "int64",
        "program": "string",
        "module": "string",
        "evaluations": "int64",
        "seconds": "float64",
    },
    "modes": {
        "mode": "string",
        "status": "string",
        "reason": "string",
        "workers": "Int64",
        "stop_rule": "string",
        "mismatches": "Int64",
        "compared": "Int64",
        "fell_back": "Int64",
        "fell_back_reasons": "string",
        "warmup_blocks": "Int64",
        "warmup_s": "Float64",
        "warmup_rule": "string",
        "harness_overhead": "Float64",
        "sampled": "Int64",
        "sampled_different": "Int64",
    },
    "accuracy": {
        "mode": "string",
        "block": "int64",
        "turn": "int64",
        "evaluation": "int64",
        "program": "string",
        "module": "string",
        "task": "string",
        "sample": "string",
        "equal": "boolean",
    },
    "primitives": {
        "mode": "string",
        "program": "string",
        "module": "string",
        "primitive": "string",
        "family": "string",
        "calls": "int64",
        "seconds": "float64",
    },
    "devices": {
        "mode": "string",
        "device": "string",
        "name": "string",
        "uuid": "string",
        "compute_capability": "string",
        "multiprocessors": "Int64",
        "counters": "boolean",
        "compile_s": "float64",
        "failure": "string",
        "moved": "Int64",
    },
    "device_blocks": {
        "mode": "string",
        "block": "int64",
        "device": "string",
        "evaluations": "int64",
        "launches": "int64",
        "kernel_s": "float64",
        "bytes_to_device": "int64",
        "bytes_from_device": "int64",
        "multiprocessors_used": "Int64",
    },
    "opcodes": {
        "mode": "string",
        "device": "string",
        "opcode": "string",
        "instructions": "int64",
        "executions": "int64",
        "elements": "int64",
        "cycles": "int64",
    },
}
