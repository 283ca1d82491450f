"""Who executed the primitives of a mode that is not the reference's: itself, or the reference that it fell back to."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.config import GPU_MODES
from harness.dsl.table import ALL
from harness.report.devices import counted_executions
from harness.report.executions import HOST, in_all, of_devices, of_machine
from harness.report.format import count, is_missing, percent, printable
from harness.report.frames import Run
from harness.report.tables import measured_modes, mode_table
from harness.report.verify_evidence import CannotTell, Evidence
from harness.run.native_profile import CONTROL_FAMILY

COLUMNS = ["mode", "primitive", "family", "executed", "fell_back", "own_share"]
EXPLAINED = (
    "By the mode itself are executions in compiled programs: of a GPU mode those that its devices counted in timed "
    "blocks, of native_cpu those of the machine, each evaluation once. By the reference are those of evaluations that "
    "fell back; of a GPU mode all that its timed evaluations have beyond what devices counted."
)
_NAMED = 3


def primitive_work(run: Run) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return executions by mode and primitive, the most first, and for each mode that has none why that is not known.

    Columns: mode, primitive, family; executed (by the machine or the devices themselves), fell_back (by the reference),
    own_share (executed / both; null where there are none). docs/results.md says how each is counted. In GPU modes they
    are of all timed blocks, in ``native_cpu`` of each evaluation once.
    """
    parts, unknown = [], {}
    for _, row in mode_table(run).iterrows():
        mode = str(row["mode"])
        if mode not in measured_modes(run) or mode not in (HOST, *GPU_MODES):
            continue
        try:
            executed, fell_back = of_machine(run) if mode == HOST else _of_gpu_mode(run, Evidence(run, row))
        except CannotTell as why:
            unknown[mode] = str(why)
            continue
        parts.append(_table(mode, executed, fell_back))
    full = [part for part in parts if len(part)]
    return (pd.concat(full, ignore_index=True) if full else pd.DataFrame(columns=COLUMNS)), unknown


def _of_gpu_mode(run: Run, evidence: Evidence) -> tuple[pd.Series[Any], pd.Series[Any]]:
    if is_missing(counted_executions(run, evidence.mode)):
        raise CannotTell("it left no counters of a device")
    executed, everything = of_devices(evidence), in_all(evidence)
    return executed, everything.sub(executed, fill_value=0).clip(lower=0)


def _table(mode: str, executed: pd.Series[Any], fell_back: pd.Series[Any]) -> pd.DataFrame:
    table = pd.concat([executed.rename("executed"), fell_back.rename("fell_back")], axis=1).fillna(0.0).round()
    table = table[table.sum(axis=1) > 0].astype("int64")
    both = table.sum(axis=1)
    table = table.assign(own_share=table["executed"] / both, both=both).rename_axis("primitive").reset_index()
    table = table.sort_values(["both", "primitive"], ascending=[False, True], ignore_index=True)
    family = [ALL[name].family if name in ALL else CONTROL_FAMILY for name in table["primitive"]]
    return table.assign(mode=mode, family=family)[COLUMNS]


def work_lines(run: Run) -> list[str]:
    """Say of each such mode how much of its primitives it executed itself, and which the reference did most of."""
    table, unknown = primitive_work(run)
    lines = []
    for mode, rows in table.groupby("mode", sort=False):
        executed, left = int(rows["executed"].sum()), rows[rows["fell_back"] > 0]
        said = f"{printable(mode)} executed {percent(executed / (executed + left['fell_back'].sum()))} of "
        said += f"{count(executed + left['fell_back'].sum())} executions of primitives itself"
        if len(left):
            most = left.sort_values("fell_back", ascending=False).head(_NAMED)
            named = [
                f"{printable(name)} {count(times)}"
                for name, times in zip(most["primitive"], most["fell_back"], strict=True)
            ]
            said += f"; the reference did the rest, most of it {', '.join(named)}"
        lines.append(f"{said}.")
    return lines + [f"Not known of {printable(mode)}: {printable(why)}." for mode, why in unknown.items()]
