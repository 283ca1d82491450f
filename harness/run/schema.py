"""The tables of a run folder and their columns; docs/results.md says what they hold.

Columns are pandas dtypes; "string", "Int64" and "boolean" may hold nulls, the others may not.
"""

VERSION = 1

ADDED: dict[str, tuple[str, ...]] = {"modes": ("fell_back", "fell_back_reasons")}
"""Columns that came later: all null in a run that was written before."""

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
}
