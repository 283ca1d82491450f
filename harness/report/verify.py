"""The verdict on a run: what its own records prove, check by check. docs/verdict.md describes them.

Every check is computed from what was measured, never from what was configured; thresholds are those of the
configuration as it was run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import pandas as pd

from harness.atomic import write_atomic
from harness.config import ONE_DEVICE_MODES
from harness.report.format import MISSING, number, printable
from harness.report.frames import Run
from harness.report.markup import join, tag
from harness.report.tables import mode_table
from harness.report.verify_evidence import NOT_REACHED, CannotTell, Evidence, Judged, Verdict
from harness.report.verify_gpu import (
    device_evaluations,
    device_executions,
    device_share,
    expected_devices,
    kernel_time,
    one_device,
    scaling_efficiency,
)
from harness.report.verify_run import (
    complete,
    fallback,
    modules,
    outputs,
    ran,
    speedup_minimum,
    speedup_stretch,
    speedup_target,
)
from harness.report.verify_utilization import gpu_utilization

SCHEMA = 1
FILE = "verdict.json"

RUN_CHECKS: dict[str, Callable[[Run], Judged]] = {"complete": complete}
"""Checks of the run as a whole."""
RAN = "ran"
CPU_CHECKS: dict[str, Callable[[Evidence], Judged]] = {
    RAN: ran,
    "outputs": outputs,
    "fallback": fallback,
    "modules": modules,
}
"""Checks of each mode without GPUs."""
GPU_CHECKS: dict[str, Callable[[Evidence], Judged]] = {
    RAN: ran,
    "expected_devices": expected_devices,
    "device_executions": device_executions,
    "device_share": device_share,
    "fallback": fallback,
    "device_evaluations": device_evaluations,
    "kernel_time": kernel_time,
    "gpu_utilization": gpu_utilization,
    "outputs": outputs,
    "modules": modules,
    "speedup_minimum": speedup_minimum,
    "speedup_target": speedup_target,
    "speedup_stretch": speedup_stretch,
    "scaling_efficiency": scaling_efficiency,
}
"""Checks of each GPU mode. A mode that did not run has only the first."""
ONE_DEVICE_CHECKS: dict[str, Callable[[Evidence], Judged]] = {
    RAN: ran,
    "one_device": one_device,
    **{
        name: check
        for name, check in GPU_CHECKS.items()
        if name not in (RAN, "expected_devices", "scaling_efficiency")  # the mode on all devices has these
    },
}
"""Checks of a GPU mode's blocks on one device alone."""

SPEED_CHECKS = ("speedup_minimum", "speedup_target", "speedup_stretch", "scaling_efficiency")
"""Those of them that say nothing on whether a GPU did the work, but whether it did it quickly enough."""

WORST_FIRST: tuple[Verdict, ...] = ("fail", "unproven", NOT_REACHED, "skipped", "pass")
COLOURS = {"pass": "#d7f0dd", "fail": "#f9d3d0", "unproven": "#fbeab8", NOT_REACHED: "#e8ebef", "skipped": "#e8ebef"}


class VerdictFailed(Exception):
    """A run whose verdict is ``fail``; the message lists the checks."""


@dataclass(frozen=True)
class Check(Judged):
    """What a check found, of which mode.

    Attributes:
        check: its name.
        mode: the mode; None for the run as a whole.
    """

    check: str
    mode: str | None


_FOUND: WeakKeyDictionary[Run, tuple[Check, ...]] = WeakKeyDictionary()


def checks(run: Run) -> list[Check]:
    """Make every check that applies to a run; once, since many parts of a report ask for them."""
    if run not in _FOUND:
        _FOUND[run] = tuple(_checks(run))
    return list(_FOUND[run])


def _checks(run: Run) -> list[Check]:
    found = [_judge(name, None, partial(function, run)) for name, function in RUN_CHECKS.items()]
    asked = False
    for _, row in mode_table(run).iterrows():
        evidence = Evidence(run, row)
        asked |= evidence.is_gpu
        of_gpu = ONE_DEVICE_CHECKS if evidence.is_of_one_device else GPU_CHECKS
        found += _of_mode(evidence, of_gpu if evidence.is_gpu else CPU_CHECKS)
    if not asked:
        text = f"No GPU mode ({' or '.join(ONE_DEVICE_MODES)}) was asked for, so there is nothing to prove of a GPU."
        found.append(Check("skipped", None, None, text, RAN, "GPU modes"))
    return found


def _of_mode(evidence: Evidence, functions: dict[str, Callable[[Evidence], Judged]]) -> Iterator[Check]:
    for name, function in functions.items():
        check = _judge(name, evidence.mode, partial(function, evidence))
        yield check
        if name == RAN and check.verdict != "pass":
            return


def _judge(name: str, mode: str | None, function: Callable[[], Judged]) -> Check:
    try:
        judged = function()
    except CannotTell as error:
        text = str(error)
        judged = Judged("unproven", None, None, f"{text[:1].upper()}{text[1:]}.")
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # A folder may hold anything; whatever its records are, they prove nothing then.
        judged = Judged("unproven", None, None, f"The records cannot be understood: {type(error).__name__}: {error}.")
    return Check(judged.verdict, judged.value, judged.threshold, judged.meaning, name, mode)


def overall(found: list[Check]) -> Verdict:
    """Return the worst verdict: fail, unproven, pass; what else there is does not count. Of nothing, unproven."""
    verdicts = {check.verdict for check in found} - {NOT_REACHED, "skipped"}
    return next((verdict for verdict in WORST_FIRST if verdict in verdicts), "unproven")


def checks_table(run: Run, found: list[Check] | None = None) -> pd.DataFrame:
    """One row per check: mode, check, value, threshold (as text), verdict, meaning.

    Args:
        run: the run.
        found: what ``checks`` gave before.
    """
    return pd.DataFrame(
        [
            {
                "mode": check.mode or "run",
                "check": check.check,
                "value": value_text(check.value),
                "threshold": value_text(check.threshold),
                "verdict": check.verdict,
                "meaning": printable(check.meaning),
            }
            for check in (checks(run) if found is None else found)
        ],
        columns=["mode", "check", "value", "threshold", "verdict", "meaning"],
    )


def value_text(value: float | str | None) -> str:
    """A value or a threshold as people read it."""
    return MISSING if value is None else number(value) if isinstance(value, int | float) else printable(value)


def verdict_record(run: Run, found: list[Check] | None = None) -> dict[str, Any]:
    """Return what ``verdict.json`` holds: the run's verdict, and every check."""
    found = checks(run) if found is None else found
    return {"schema": SCHEMA, "run": run.name, "verdict": overall(found), "checks": [asdict(check) for check in found]}


def write_verdict(run: Run, found: list[Check] | None = None) -> None:
    """Write ``verdict.json`` into the run's folder.

    Raises:
        OSError: it cannot be written.
    """
    write_atomic(run.folder / FILE, json.dumps(verdict_record(run, found), indent=2, ensure_ascii=False) + "\n")


def verdict_lines(run: Run, found: list[Check] | None = None) -> list[str]:
    """The verdict for a terminal: every check with its value, threshold, verdict and meaning."""
    found = checks(run) if found is None else found
    table = checks_table(run, found)
    heads = ["verdict", "mode", "check", "value", "threshold", "meaning"]
    rows = [heads, *table[heads].itertuples(index=False)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(heads) - 1)]
    lines = ["  ".join([*(row[k].ljust(width) for k, width in enumerate(widths)), row[-1]]) for row in rows]
    return [*lines, "", f"Verdict: {headline(run, found)}"]


def headline(run: Run, found: list[Check] | None = None) -> str:
    """The run's verdict, and what it rests on, in one line; ``found`` is what ``checks`` gave before."""
    found = checks(run) if found is None else found
    verdict = overall(found)
    deciding = [f"{check.mode or 'run'}: {check.check}" for check in found if check.verdict == verdict]
    if verdict == "pass":
        skipped = [str(check.mode) for check in found if check.verdict == "skipped" and check.check == RAN]
        without = f"; not checked: {', '.join(skipped)}" if skipped else ""
        missed = [f"{check.mode}: {check.check}" for check in found if check.verdict == NOT_REACHED]
        beyond = f"; not reached: {', '.join(missed)}" if missed else ""
        return f"pass ({len(deciding)} checks{beyond}{without})"
    return f"{verdict} ({', '.join(deciding)})"


def require_pass(run: Run) -> str:
    """Return the run's verdict in one line, for the last cell of a notebook.

    Raises:
        VerdictFailed: the verdict is ``fail``.
    """
    found = checks(run)
    if overall(found) == "fail":
        failed = [
            f"{check.mode or 'run'}: {check.check}: {check.meaning}" for check in found if check.verdict == "fail"
        ]
        raise VerdictFailed("\n".join(failed))
    return headline(run, found)


class ColouredChecks:
    """The table of the checks with its verdicts in colour, as a notebook shows it."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def _repr_html_(self) -> str:
        found = checks(self._run)
        table = checks_table(self._run, found)
        heads = ["verdict", *(column for column in table.columns if column != "verdict")]
        rows = [tag("tr", *(tag("th", head) for head in heads))]
        for row in table.to_dict("records"):
            style = f"background:{COLOURS[row['verdict']]};color:#1b2430"
            cells = [tag("td", str(row[head]), style="text-align:left") for head in heads[1:]]
            rows.append(tag("tr", tag("td", str(row["verdict"]), style=style), *cells))
        return join(tag("p", tag("b", f"Verdict: {headline(self._run, found)}")), tag("table", *rows))
