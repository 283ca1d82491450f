"""The report as text: the lines that end a run in the terminal, and report.md."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from harness.config import ALL_DEVICE_MODES
from harness.places import portable
from harness.report.fallbacks import fell_back_text
from harness.report.format import (
    MISSING,
    confidence_level,
    count,
    duration,
    interval,
    is_missing,
    memory,
    moment,
    percent,
    printable,
    shorten,
    speedup,
)
from harness.report.frames import BASELINE, Run
from harness.report.primitive_work import EXPLAINED, primitive_work, work_lines
from harness.report.proof import gpu_findings
from harness.report.tables import (
    baseline_mode,
    family_table,
    measured_modes,
    mode_table,
    problem_table,
    profiled_modes,
    program_table,
)
from harness.report.verdict import cautions, findings, programs_line
from harness.report.verify import checks, checks_table, headline

SLOWEST = 10
PROBLEMS = 50
ERROR_LENGTH = 300
PROFILE_OF_MACHINE = (
    "Modes of the virtual machine count the operations of compiled programs, which compute equal sub-expressions once; "
    "control is what programs do there that is no primitive."
)


def throughput_text(row: pd.Series[Any]) -> str:
    """Evaluations per second of a row of ``mode_table``, with the interval."""
    low, high = row["evaluations_per_s_low"], row["evaluations_per_s_high"]
    return interval(row["evaluations_per_s"], low, high, full_range=row["full_range"] is True)


def speedup_text(row: pd.Series[Any]) -> str:
    """Total speedup of a row of ``mode_table``, with the interval."""
    if row["mode"] == BASELINE and not is_missing(row["speedup"]):
        return "1x (baseline)"
    full_range = row["speedup_full_range"] is True
    return interval(row["speedup"], row["speedup_low"], row["speedup_high"], "x", full_range)


def overhead_text(row: pd.Series[Any]) -> str:
    """The share of the workers' time that went into no evaluation, and where it went."""
    parts = overhead_parts(row)
    return f"{percent(row['overhead'])} ({parts})" if parts else percent(row["overhead"])


def overhead_parts(row: pd.Series[Any]) -> str:
    """What of the overhead is the harness's own and what is waiting for other workers; empty where it is not known."""
    if is_missing(row["overhead"]) or is_missing(row["waiting"]) or is_missing(row["harness_overhead"]):
        return ""
    return f"harness {percent(row['harness_overhead'])}, waiting {percent(row['waiting'])}"


def agreement_text(row: pd.Series[Any]) -> str:
    """How many outputs of a mode are equal to the sequential reference's."""
    if is_missing(row["evaluations_per_s"]):
        return MISSING
    if row["mode"] == BASELINE:
        return "is the reference"
    if is_missing(row["compared"]) or row["compared"] == 0:
        return "not compared"
    mismatches = 0 if is_missing(row["mismatches"]) else row["mismatches"]
    return f"{count(row['compared'] - mismatches)} of {count(row['compared'])}"


def note_text(row: pd.Series[Any]) -> str:
    """Why a mode was not measured, or what ended its measurement."""
    reason = "" if is_missing(row["reason"]) else printable(row["reason"])
    if is_missing(row["evaluations_per_s"]):
        status = "not measured" if row["status"] == "ran" else str(row["status"])
        return f"{status}: {reason}" if reason else status
    rule = "" if is_missing(row["stop_rule"]) else f" (stop rule: {printable(row['stop_rule'])})"
    blocks = "1 block" if row["blocks"] == 1 else f"{count(row['blocks'])} blocks"
    ended = "" if row["status"] == "ran" else f"{printable(row['status'])} after "
    return f"{ended}{blocks}{_devices_text(row)}{rule}"


def _devices_text(row: pd.Series[Any]) -> str:
    """On which of several devices a mode was timed; nothing where there are not several."""
    if row["mode"] in ALL_DEVICE_MODES:
        return " on one device alone"
    several = not is_missing(row["devices"]) and row["devices"] > 1
    return f" on all of {count(row['devices'])} devices" if several else ""


def machine_text(environment: dict[str, Any]) -> str:
    """The machine in one line: CPU, memory, GPUs."""
    cpu = _nested(environment, "cpu")
    parts = [printable(cpu.get("model") or "CPU not recorded")]
    if not is_missing(cpu.get("logical")):
        parts.append(f"{count(cpu['logical'])} logical CPUs")
    if not is_missing(environment.get("memory_bytes")):
        parts.append(f"{memory(environment['memory_bytes'])} memory")
    gpu = _nested(environment, "gpu")
    if gpu.get("available"):
        names = [device.get("name", "GPU") if isinstance(device, dict) else device for device in gpu["devices"]]
        parts.append(", ".join(printable(name) for name in names))
    elif gpu:
        reason = f" ({printable(gpu['reason'])})" if gpu.get("reason") else ""
        parts.append(f"no GPU{reason}")
    return ", ".join(parts)


def _nested(mapping: dict[str, Any], key: str) -> dict[str, Any]:
    value = mapping.get(key)
    return value if isinstance(value, dict) else {}


def flattened(mapping: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A nested mapping as (dotted key, value) pairs of one-line text."""
    pairs: list[tuple[str, str]] = []
    for key, value in mapping.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            pairs += flattened(value, f"{name}.")
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            pairs += flattened({str(i): item for i, item in enumerate(value)}, f"{name}.")
        elif isinstance(value, list):
            pairs.append((printable(name), ", ".join(printable(item) for item in value) or "none"))
        else:
            pairs.append((printable(name), "none" if value is None else printable(value)))
    return pairs


def reproduce_command(run: Run) -> str:
    """The command that runs the same configuration again, from the checkout."""
    return f"python -m harness run {shlex.quote(portable(str(_shown(run.folder) / 'config.yaml')))}"


def commit_text(environment: dict[str, Any]) -> str:
    """The commit that ran, and whether the checkout had changes of its own."""
    git = _nested(environment, "git")
    if not git.get("commit"):
        return "not recorded"
    return f"{printable(git['commit'])[:12]}{', with uncommitted changes' if git.get('dirty') else ''}"


def _shown(path: Path) -> Path:
    """``path`` relative to the current folder where it lies inside."""
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path


def summary_lines(run: Run) -> list[str]:
    """The lines that end a run in the terminal: the verdict, the table of the modes, where the dashboard is."""
    lines = [finding.text for finding in findings(run)]
    lines += [programs_line(run), f"Verdict: {headline(run)}", ""]
    head = ["mode", "workers", "evaluations/s", "speedup", "equal to reference", "note"]
    rows = [
        [
            printable(row["mode"]),
            count(row["workers"]) if not is_missing(row["evaluations_per_s"]) else MISSING,
            throughput_text(row),
            speedup_text(row),
            agreement_text(row),
            shorten(note_text(row), 160),
        ]
        for _, row in mode_table(run).iterrows()
    ]
    lines += _aligned([head, *rows])
    level = confidence_level(run.confidence)
    return [*lines, f"(in brackets: {level} intervals)", "", f"Dashboard: {_shown(run.folder) / 'dashboard.html'}"]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def code(text: Any) -> str:
    """``text`` as a Markdown code span that holds in a table's cell, whatever it contains."""
    shown = printable(text)
    longest = max((len(run) for run in "".join(c if c == "`" else " " for c in shown).split()), default=0)
    fence = "`" * (longest + 1)
    pad = " " if shown[:1] == "`" or shown[-1:] == "`" else ""
    return f"{fence}{pad}{shown}{pad}{fence}".replace("|", "\\|") if shown else MISSING


def _plain(text: Any) -> str:
    """``text`` with Markdown's and HTML's own characters escaped."""
    return "".join(f"\\{c}" if c in "\\`*[]<>|#&~$" else c for c in printable(text))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    rule = ["---:" if i in right else "---" for i in range(len(head))]
    return ["| " + " | ".join(row) + " |" for row in [head, rule, *rows]]


def report_markdown(run: Run) -> str:
    """report.md: the verdict, the modes, first calls, slowest programs, families, problems, how it was run."""
    machine = _plain(machine_text(run.environment))
    lines = [f"# Benchmark run {_plain(run.name)}", "", f"{moment(run.record.get('started'))}, {machine}.", ""]
    lines += [f"- **{finding.level}**: {_plain(finding.text)}" for finding in [*gpu_findings(run), *findings(run)]]
    lines += ["", _plain(programs_line(run)), ""]
    notes = cautions(run)
    if notes:
        lines += ["Cautions:", "", *(f"- {_plain(line)}" for line in notes), ""]
    for title, section in (
        ("Checks", _checks_section(run)),
        ("Modes", _modes_section(run)),
        ("First calls", _first_calls_section(run)),
        ("Slowest programs", _slowest_section(run)),
        ("Primitive families", _families_section(run)),
        ("Problems", _problems_section(run)),
        ("Environment", _environment_section(run)),
        ("Reproduce", ["```sh", reproduce_command(run), "```", "", f"Commit: {commit_text(run.environment)}."]),
    ):
        lines += [f"## {title}", "", *section, ""]
    return "\n".join(lines)


def _checks_section(run: Run) -> list[str]:
    found = checks(run)
    head = ["verdict", "mode", "check", "value", "threshold", "meaning"]
    rows = [[_plain(cell) for cell in row] for row in checks_table(run, found)[head].itertuples(index=False)]
    return [f"Verdict: **{_plain(headline(run, found))}**", "", *_table(head, rows)]


def _modes_section(run: Run) -> list[str]:
    head = ["mode", "workers", "evaluations/s", "speedup", "geometric mean", "overhead", "equal to reference"]
    head += ["fell back", "note"]
    rows = [
        [
            code(row["mode"]),
            count(row["workers"]) if not is_missing(row["evaluations_per_s"]) else MISSING,
            throughput_text(row),
            speedup_text(row),
            speedup(row["geometric_mean_speedup"]),
            overhead_text(row),
            agreement_text(row),
            _plain(fell_back_text(row)),
            _plain(note_text(row)),
        ]
        for _, row in mode_table(run).iterrows()
    ]
    level = confidence_level(run.confidence)
    return [
        *_table(head, rows, right=[1, 2, 3, 4, 5, 6]),
        "",
        f"How to read it: figures are medians over the timed blocks, with the {level} interval in brackets (`range`: "
        "too few blocks, so merely the extremes seen). Every block evaluates all programs on all their samples, once "
        "or several times, warm. "
        "The speedup is that of the total time over sequential; the geometric mean weighs every program the same. "
        "Overhead is the share of the workers' time that went into no evaluation: the harness's own, and waiting for "
        "the last worker. What a mode could not do itself fell back to the reference, by reason; it is part of the "
        "mode's time. A dash is what was not measured.",
        "",
        "![Throughput by mode](plots/throughput_by_mode.svg)",
        "",
        "![Speedup by mode](plots/speedup_by_mode.svg)",
    ]


def _first_calls_section(run: Run) -> list[str]:
    lines = []
    seconds = run.evaluations["seconds"].dropna()
    if len(seconds):
        lines.append(
            f"The untimed first pass made {count(len(seconds))} first calls: {duration(seconds.sum())} in all, median "
            f"{duration(seconds.median())}, longest {duration(seconds.max())}. They are in no figure above."
        )
    else:
        lines.append("No first call was recorded.")
    if run.phase_seconds:
        rows = [[_plain(phase), duration(spent)] for phase, spent in run.phase_seconds.items()]
        lines += ["", *_table(["phase of the run", "time"], rows, right=[1])]
    return lines


def _slowest_section(run: Run) -> list[str]:
    table, baseline = program_table(run), baseline_mode(run)
    shares = f"{baseline}_share"
    if shares not in table:
        return ["No program was timed."]
    others = [mode for mode in measured_modes(run) if mode != BASELINE]
    timed = table[table[shares].notna()]
    head = ["program", f"share of {baseline}", "time per evaluation", *(f"speedup {mode}" for mode in others)]
    rows = [
        [
            code(row["label"]),
            percent(row[shares]),
            duration(row[f"{baseline}_s_per_evaluation"]),
            *(speedup(row[f"{mode}_speedup"]) for mode in others),
        ]
        for _, row in timed.head(SLOWEST).iterrows()
    ]
    return [
        *_table(head, rows, right=range(1, len(head))),
        "",
        f"{len(rows)} of {count(len(timed))} timed programs; the dashboard has them all.",
    ]


def _families_section(run: Run) -> list[str]:
    table = family_table(run)
    if table.empty:
        return ["The primitives were not profiled."]
    head, modes = ["family"], profiled_modes(run)
    for mode in modes:
        head += [f"{_plain(mode)}: primitives called", "calls", "share of self time"]
    rows = []
    for _, row in table.iterrows():
        cells = [_plain(row["family"])]
        for mode in modes:
            own = [row[f"{mode}_{column}"] for column in ("primitives", "calls", "share")]
            cells += [count(own[0]), count(own[1]), percent(own[2])]
        rows.append(cells)
    return [
        *_table(head, rows, right=range(1, len(head))),
        "",
        "Self time in primitives, from a pass of its own in which they are counted: shares, not seconds, carry over. "
        f"{PROFILE_OF_MACHINE}",
        *_work_lines(run),
    ]


def _work_lines(run: Run) -> list[str]:
    """Who executed the primitives of modes that may fall back, and a table of those that fell back most."""
    lines = work_lines(run)
    if not lines:
        return []
    table, _ = primitive_work(run)
    left = table[table["fell_back"] > 0].sort_values("fell_back", ascending=False, kind="stable").head(SLOWEST)
    head = ["primitive", "mode", "by itself", "by the reference", "share by itself"]
    rows = [
        [code(row["primitive"]), code(row["mode"]), count(row["executed"]), count(row["fell_back"]),
         percent(row["own_share"])]
        for _, row in left.iterrows()
    ]  # fmt: skip
    shown = ["", *_table(head, rows, right=range(2, len(head)))] if rows else []
    return ["", "### Device against fallback", "", *(f"- {_plain(line)}" for line in lines), *shown, "", EXPLAINED]


def _problems_section(run: Run) -> list[str]:
    table = problem_table(run)
    if table.empty and not {"programs.parquet", "evaluations.parquet"}.isdisjoint(run.missing):
        return ["Not known: programs.parquet or evaluations.parquet could not be read."]
    if table.empty:
        return ["None: every program ran, and every evaluation ended."]
    rows = [
        [
            code(row["program"] or row["module"]),
            _plain(row["problem"]).replace("_", " "),
            "all" if is_missing(row["evaluations"]) else count(row["evaluations"]),
            MISSING if is_missing(row["error"]) else code(shorten(printable(row["error"]), ERROR_LENGTH)),
        ]
        for _, row in table.head(PROBLEMS).iterrows()
    ]
    lines = _table(["program", "problem", "evaluations", "error"], rows, right=[2])
    if len(table) > PROBLEMS:
        lines += ["", f"{PROBLEMS} of {count(len(table))} rows; the dashboard has more."]
    return lines


def _environment_section(run: Run) -> list[str]:
    machine = {key: value for key, value in run.environment.items() if key != "packages"}
    pairs = [*flattened(run.config, "config."), *flattened(machine)]
    if not pairs:
        return ["Not recorded."]
    packages = ", ".join(f"{name} {version}" for name, version in flattened(_nested(run.environment, "packages")))
    rows = [*pairs, ("packages", packages or "not recorded")]
    return _table(["key", "value"], [[_plain(key), code(value)] for key, value in rows])
