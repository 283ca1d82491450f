"""The columns of a run folder's tables, as pandas dtypes; docs/results.md says what they hold."""

VERSION = 1

PROGRAMS = {
    "program": "string",
    "module": "string",
    "kind": "string",
    "status": "string",
    "detail": "string",
    "samples": "int64",
    "task": "string",
}
EVALUATIONS = {
    "program": "string",
    "module": "string",
    "task": "string",
    "sample": "string",
    "augmented": "bool",
    "status": "string",
    "error": "string",
    "equal": "boolean",
    "digest": "string",
    "seconds": "float64",
}
BLOCKS = {
    "mode": "string",
    "block": "int64",
    "wall_s": "float64",
    "evaluations": "int64",
    "workers": "int64",
    "busy_s": "float64",
}
TIMINGS = {
    "mode": "string",
    "block": "int64",
    "program": "string",
    "module": "string",
    "evaluations": "int64",
    "seconds": "float64",
}
MODES = {
    "mode": "string",
    "status": "string",
    "reason": "string",
    "workers": "int64",
    "stop_rule": "string",
    "mismatches": "int64",
    "compared": "int64",
}
PRIMITIVES = {
    "mode": "string",
    "program": "string",
    "module": "string",
    "primitive": "string",
    "family": "string",
    "calls": "int64",
    "seconds": "float64",
}
