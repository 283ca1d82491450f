"""What a page says on whether the devices did the work: an answer in a sentence, the checks, and the counters."""

from __future__ import annotations

from typing import Any

import pandas as pd

from harness.report.devices import (
    counted_executions,
    device_modes,
    device_share,
    device_table,
    opcode_table,
    utilization,
)
from harness.report.elements import badge, bar, cell, column_heads, data_table, mode_name
from harness.report.format import bytes_text, count, duration, is_missing, number, percent, printable, shorten
from harness.report.frames import Run
from harness.report.markup import Html, join, tag
from harness.report.tables import measured_modes
from harness.report.verdict import Finding, idle_groups, idle_modes
from harness.report.verify import WORST_FIRST, checks, overall, value_text

MOST_CHECKS = 200
MOST_OPCODES = 400
_LENGTH = 300


def gpu_findings(run: Run) -> list[Finding]:
    """Whether a GPU did the work, in a sentence for each mode that was to use one.

    ``good`` only where counters from a device's own memory say so.
    """
    measured = [mode for mode in device_modes(run) if mode in measured_modes(run)]
    if measured:
        return [_gpu_finding(run, mode) for mode in measured]
    idle = [(mode, status) for mode, status, _ in idle_modes(run) if mode in device_modes(run)]
    if not idle:
        return []
    said = ", ".join(f"{mode} {status}" for mode, status in idle)
    level = "skipped" if all(status == "skipped" for _, status in idle) else "unclear"
    return [Finding(level, f"No GPU was used ({said}).")]


def _gpu_finding(run: Run, mode: str) -> Finding:
    name, share, busy = printable(mode), device_share(run, mode), utilization(run, mode)
    executions = counted_executions(run, mode)
    if is_missing(executions):
        return Finding("unclear", f"Nothing proves that a GPU did the work of {name}: it left no counters of a device.")
    if not executions:
        return Finding("bad", f"The GPU did nothing in {name}: its own counters saw no operation.")
    devices = run.devices[run.devices["mode"] == mode].drop_duplicates("device")
    which = f"{count(devices['device'].nunique())} x {_names(devices)}" if len(devices) else "the device"
    own = "an unknown share" if is_missing(share) else percent(share)
    seen = "not sampled by NVML" if is_missing(busy) else f"busy {percent(busy)} of the time by NVML"
    return Finding(
        "unclear" if is_missing(share) or share < 0.5 else "good",
        f"The GPU did {own} of the work of {name}: {which}, {number(executions)} operations counted in device "
        f"memory, {seen}.",
    )


def _names(devices: pd.DataFrame) -> str:
    names = devices["name"].dropna().unique()
    return ", ".join(shorten(printable(name), 40) for name in names) or "device"


def checks_section(run: Run) -> Html:
    """The verdict, and each of its checks, the worst first."""
    found = checks(run)
    rows = [
        tag(
            "tr",
            tag("th", tag("code", check.check, class_="mode"), scope="row"),
            tag("td", badge(check.verdict)),
            tag("td", mode_name(check.mode) if check.mode else "all"),
            tag("td", _short(value_text(check.value)), class_="wrap"),
            tag("td", _short(value_text(check.threshold))),
            tag("td", _short(check.meaning), class_="wrap"),
        )
        for check in sorted(found, key=lambda check: WORST_FIRST.index(check.verdict))[:MOST_CHECKS]
    ]
    heads = column_heads("check", "verdict", "mode", "value", "threshold", "what it means")
    verdict = tag(
        "p", "Verdict: ", badge(overall(found)), " the worst of its checks, each computed from measured data."
    )
    return join(verdict, data_table("Checks, the worst first", [tag("tr", *heads)], rows, name="check-table"))


def _short(text: Any) -> str:
    return "" if text is None else shorten(printable(text), _LENGTH)


def devices_section(run: Run) -> Html:
    """The devices, what each measured of itself, and the opcodes that it executed."""
    table = device_table(run)
    if table.empty and run.opcodes.empty:
        lines = [tag("p", finding.text) for finding in gpu_findings(run)]
        lines += [tag("p", f"{who}: {why}.", class_="soft") for who, why in idle_groups(run, device_modes(run))]
        return join(*lines) if lines else tag("p", "The run was asked for no GPU mode.")
    return join(_sampling(run), _devices(table), _opcodes(run))


def _sampling(run: Run) -> Html:
    """Why there are no NVML samples, or gaps in them."""
    reason = run.gpu_sampling.get("reason")
    gaps = run.gpu_sampling.get("gaps")
    gaps = [gap for gap in gaps if isinstance(gap, dict)] if isinstance(gaps, list) else []
    said = sorted({f"{_short(gap.get('column'))}: {_short(gap.get('reason'))}" for gap in gaps})
    lines = [tag("p", f"No NVML samples: {_short(reason)}.")] if reason else []
    if said:
        more = [f"and {count(len(said) - 12)} more"] if len(said) > 12 else []
        lines.append(
            tag("p", f"Not read by NVML, always or at times: {'; '.join([*said[:12], *more])}.", class_="soft")
        )
    return join(*lines)


def _devices(table: pd.DataFrame) -> Html:
    heads = column_heads(
        "device", "mode", ("n", "evaluations"), ("n", "launches"), ("n", "kernel time"), ("n", "of wall time"),
        ("n", "to device"), ("n", "from device"), ("n", "multiprocessors used"), ("n", "operations counted"),
        ("n", "busy (NVML)"), ("n", "memory, most"), ("n", "power, mean"), ("n", "compiling"),
    )  # fmt: skip
    rows = []
    for _, row in table.iterrows():
        used = row["multiprocessors_used"]
        of = "" if is_missing(row["multiprocessors"]) else f" of {count(row['multiprocessors'])}"
        name = "" if is_missing(row["name"]) else shorten(printable(row["name"]), 60)
        rows.append(
            tag(
                "tr",
                tag("th", printable(row["device"]), tag("span", name, class_="range"), scope="row",
                    title="" if is_missing(row["uuid"]) else printable(row["uuid"])),
                tag("td", mode_name(row["mode"])),
                cell(row["evaluations"], count(row["evaluations"])),
                cell(row["launches"], count(row["launches"])),
                cell(row["kernel_s"], duration(row["kernel_s"])),
                cell(row["kernel_share"], percent(row["kernel_share"])),
                cell(row["bytes_to_device"], bytes_text(row["bytes_to_device"])),
                cell(row["bytes_from_device"], bytes_text(row["bytes_from_device"])),
                cell(used, f"{count(used)}{of}"),
                cell(row["executions"], count(row["executions"])),
                cell(row["utilization"], percent(row["utilization"])),
                cell(row["memory_used_bytes"], bytes_text(row["memory_used_bytes"])),
                cell(row["power_w"], f"{number(row['power_w'])} W"),
                cell(row["compile_s"], duration(row["compile_s"])),
            )
        )  # fmt: skip
    failures = [
        tag("li", tag("b", printable(row["device"])), f" gave up in {printable(row['mode'])}: "
            f"{_short(row['failure'])} (evaluations that others took over: {count(row['moved'])})")
        for _, row in table[table["failure"].notna()].iterrows()
    ]  # fmt: skip
    return join(
        tag("ul", *failures) if failures else "",
        tag("p", "Over the timed blocks. Kernel time is by CUDA events; operations are counted in the device's own "
            "memory, which no code of the CPU writes; busy, memory and power are NVML's.", class_="soft"),
        data_table("Devices", [tag("tr", *heads)], rows, name="device-table"),
    )  # fmt: skip


def _opcodes(run: Run) -> Html:
    table = opcode_table(run)
    if table.empty:
        return tag("p", "There are no counters of opcodes.")
    idle = table[table["idle"]]
    said = "Every opcode that the compiled programs contain was executed on a device."
    if len(idle):
        names = ", ".join(shorten(printable(name), 60) for name in idle["opcode"].head(10))
        more = f" and {count(len(idle) - 10)} more" if len(idle) > 10 else ""
        said = f"Compiled programs contain opcodes that no device executed: {names}{more}."
    rows = [
        tag(
            "tr",
            tag("th", tag("span", shorten(printable(row["opcode"]), 60), class_="name"), scope="row"),
            tag("td", mode_name(row["mode"])),
            cell(row["instructions"], count(row["instructions"])),
            cell(row["executions"], tag("span", count(row["executions"]), class_="bad" if row["idle"] else None)),
            cell(row["elements"], count(row["elements"])),
            cell(row["cycles"], number(row["cycles"])),
            cell(row["cycles_share"], bar(row["cycles_share"], row["mode"])),
        )
        for _, row in table.head(MOST_OPCODES).iterrows()
    ]
    heads = column_heads("opcode", "mode", ("n", "instructions"), ("n", "executions"), ("n", "elements"),
                         ("n", "cycles"), ("n", "share of cycles"))  # fmt: skip
    return join(
        tag("p", said),
        data_table("Opcodes on the devices, most cycles or executions first", [tag("tr", *heads)], rows,
                   name="opcode-table", tall=True, sortable=True),
    )  # fmt: skip
