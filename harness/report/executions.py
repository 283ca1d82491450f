"""Executions of primitives: those that devices have counted, and those that the evaluations of a mode have in all."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.config import ALL_DEVICE_MODES
from harness.report.format import count, printable
from harness.report.frames import BASELINE, Run
from harness.report.verify_evidence import CannotTell, Evidence
from harness.run.native_profile import CONTROL_FAMILY, names_of_counters
from harness.vm.native import COUNTERS
from harness.vm.opcodes import CONTROL

HOST = "native_cpu"
KEYS = ["module", "program"]
_NAMED = dict(zip(COUNTERS, names_of_counters(), strict=True))
NOT_PRIMITIVES = {name for name, named in _NAMED.items() if named is None or named[1] == CONTROL_FAMILY} | (
    CONTROL.keys() - {"repeat"}
)
"""What counters count that no primitive stands for."""
PRIMITIVE_OF = {
    name: named[0]
    for name, named in _NAMED.items()
    if named is not None and name not in NOT_PRIMITIVES | {"repeat", "identity"}
}
"""What counters count executions of; functions that only make functions vanish when they are compiled."""


def by_opcode(evidence: Evidence) -> pd.DataFrame:
    """Return instructions and executions by opcode, over all devices.

    Raises:
        CannotTell: executions are not recorded.
    """
    rows = evidence.table("opcodes")
    if rows["executions"].isna().any():
        raise CannotTell("opcodes.parquet lacks executions, though the devices' counters are said to be compiled in")
    return rows.groupby("opcode")[["instructions", "executions"]].agg({"instructions": "max", "executions": "sum"})


def of_devices(evidence: Evidence) -> pd.Series[Any]:
    """Return executions in the timed blocks by primitive, as the devices have counted them.

    Raises:
        CannotTell: executions are not recorded.
    """
    return _by_primitive(by_opcode(evidence).reset_index())


def host_rows(evidence: Evidence) -> pd.DataFrame:
    """Return what the host build executed for the same evaluations: the bytecode is the same in all modes."""
    everything = evidence.run.executions
    own = evidence.table("executions")
    for mode in (HOST, ALL_DEVICE_MODES.get(evidence.mode)):
        own = own if len(own) else everything[everything["mode"] == mode]
    return own


def in_all(evidence: Evidence) -> pd.Series[Any]:
    """Return by primitive how often a GPU mode's timed evaluations execute it, wherever that is done.

    As the host build counts them, executing the same bytecode on the same samples; of programs that it leaves to the
    reference, and for ``eager_gpu`` and its twin, as the reference counts them.

    Raises:
        CannotTell: some programs were not counted.
    """
    host = host_rows(evidence)
    if evidence.is_of_calls:
        host = host.iloc[:0]
    whole = host[host["program"].isna()]
    if len(whole):  # of a unit that all programs share
        times = float(evidence.evaluations.sum() / whole["evaluations"].iloc[0])
        return _by_primitive(whole.assign(executions=whole["executions"] * times))
    counted = host.groupby(KEYS)["evaluations"].first()
    compiled = _times(evidence.evaluations, counted)
    others = evidence.evaluations[~evidence.evaluations.index.isin(counted.index)]
    return _by_primitive(_scaled(host, compiled)).add(by_reference(evidence.run, others), fill_value=0)


def by_reference(run: Run, evaluations: pd.Series[Any]) -> pd.Series[Any]:
    """Return by primitive how often the reference executes it in evaluations, as it counts a few of each program.

    Args:
        run: whose ``primitives`` to take.
        evaluations: how many of each (module, program).

    Raises:
        CannotTell: some programs were not counted.
    """
    rows = run.primitives[(run.primitives["mode"] == BASELINE) & run.primitives["evaluations"].notna()]
    counted = rows.groupby(KEYS)["evaluations"].first()
    unknown = evaluations.index[~evaluations.index.isin(counted.index)]
    if len(unknown):
        raise CannotTell(
            f"how much {count(len(unknown))} of {count(len(evaluations))} programs execute was not counted, "
            f"{printable(unknown[0][1])} among them; run it again where the host's library is built"
        )
    rows = rows[rows["primitive"].isin(PRIMITIVE_OF.values())].rename(columns={"calls": "executions"})
    found: pd.Series[Any] = _scaled(rows, _times(evaluations, counted)).groupby("primitive")["executions"].sum()
    return found


def _times(wanted: pd.Series[Any], counted: pd.Series[Any]) -> pd.Series[Any]:
    """Return how many times as many evaluations of each program there are as were counted."""
    return (wanted.astype(float) / counted.reindex(wanted.index).astype(float)).dropna()


def _scaled(rows: pd.DataFrame, times: pd.Series[Any]) -> pd.DataFrame:
    of_each = times.reindex(pd.MultiIndex.from_frame(rows[KEYS])).fillna(0.0).to_numpy()
    return rows.assign(executions=rows["executions"].astype(float) * of_each)


def _by_primitive(rows: pd.DataFrame) -> pd.Series[Any]:
    rows = rows[~rows["opcode"].isin(NOT_PRIMITIVES)]
    names = rows["opcode"].map({name: named[0] for name, named in _NAMED.items() if named is not None})
    return rows.groupby(names.rename("primitive").fillna(rows["opcode"]))["executions"].sum().astype(float)


def of_machine(run: Run) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """Return executions by primitive in ``native_cpu`` of each evaluation once: the machine's, and the reference's.

    Raises:
        CannotTell: nobody counted them.
    """
    rows = run.executions.query("mode == @HOST")
    if rows.empty:
        raise CannotTell("what the machine executes was not counted; run it again with profile, as by default")
    finished = run.evaluations[run.evaluations["status"].isin(["ok", "failed"])]
    evaluations = finished.groupby(KEYS).size()
    handled = rows.groupby(KEYS)["evaluations"].first().reindex(evaluations.index).fillna(0).astype(int)
    left = (evaluations - handled).clip(lower=0)
    return _by_primitive(rows), by_reference(run, left[left > 0])
