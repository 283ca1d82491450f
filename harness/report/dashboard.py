"""The dashboard of a run: one HTML file that needs no other, and no network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from harness.report.devices import device_modes, device_share, has_device_data, utilization
from harness.report.elements import (
    DASH,
    NAME_LENGTH,
    badge,
    bar,
    cell,
    column_heads,
    data_table,
    filter_bar,
    mode_name,
)
from harness.report.fallbacks import fell_back_text
from harness.report.format import (
    bounds,
    confidence_level,
    count,
    duration,
    is_missing,
    moment,
    number,
    percent,
    printable,
    shorten,
    speedup,
)
from harness.report.frames import BASELINE, Run
from harness.report.gpu_plots import GPU_PLOTS, draw_plots
from harness.report.markup import Html, join, markup, tag
from harness.report.page import render_page
from harness.report.plots import PLOTS
from harness.report.primitive_work import EXPLAINED, primitive_work, work_lines
from harness.report.proof import checks_section, devices_section, gpu_findings
from harness.report.style import mode_colour
from harness.report.svg import svg_fragment
from harness.report.tables import (
    baseline_mode,
    family_table,
    measured_modes,
    mode_table,
    primitive_table,
    problem_table,
    profiled_modes,
    program_table,
)
from harness.report.text import (
    PROFILE_OF_MACHINE,
    agreement_text,
    commit_text,
    flattened,
    machine_text,
    note_text,
    overhead_parts,
    reproduce_command,
)
from harness.report.verdict import cautions, findings, idle_groups, programs_line
from harness.report.verify import checks, headline, overall

# The most bytes of a page, and the most rows of its long tables; the data files hold every row.
MOST_BYTES = 2_000_000
MOST_PROGRAMS = 1000
MOST_PROBLEMS = 300
ERROR_LENGTH = 400

SECTIONS = {
    "checks": "Checks",
    "modes": "Modes",
    "gpu": "GPU",
    "plots": "Plots",
    "programs": "Programs",
    "primitives": "Primitives",
    "problems": "Problems",
    "environment": "Environment",
    "reproduce": "Reproduce",
}
CAPTIONS = {
    "throughput_by_mode": "Median evaluations per second over the timed blocks, end to end.",
    "speedup_by_mode": "Against sequential: of the total time, and the geometric mean, which weighs programs the same.",
    "slowest_programs": "Where the time goes: a program with a large share decides the totals.",
    "time_per_family": "Self time of the primitives, from an instrumented pass of its own; shares carry over, seconds "
    "do not.",
    "timings_by_block": "Every timed block. A trend means that the machine was not in a steady state.",
    "block_distribution": "Every raw timing: a dot per block, the first on top. The wider they spread, the less a "
    "small difference means.",
    "gpu_timeline": "NVML samples of each device; the strip on top, and the shades, are the timed blocks in the "
    "colours of their modes. Gaps are what the driver did not report.",
    "device_against_fallback": "What a mode could not do itself, the reference did, and it counts as the mode's time.",
    "opcode_costs": "Counted by the device in its own memory, over the timed blocks.",
}


def render_dashboard(run: Run, figures: Mapping[str, Figure] | None = None) -> str:
    """The whole page as text: style, plots, tables and script are inside, everything from the run is escaped.

    It has less than ``MOST_BYTES`` bytes in UTF-8: where long names would make it longer, it lists fewer rows.

    Args:
        run: what to show.
        figures: what ``draw_plots`` gives for it; None draws them.
    """
    figures = draw_plots(run) if figures is None else figures
    bodies = {
        "checks": checks_section(run),
        "modes": _modes(run),
        "gpu": _gpu(run, figures),
        "plots": tag("div", *_figures(figures, *PLOTS), class_="plots"),
        "primitives": _primitives(run),
        "environment": _environment(run),
        "reproduce": _reproduce(run),
    }
    header, version = _header(run), printable(run.environment.get("harness_version") or "")
    for shrink in (1, 4, 16):
        bodies["programs"] = _programs(run, MOST_PROGRAMS // shrink)
        bodies["problems"] = _problems(run, MOST_PROBLEMS // shrink)
        page = render_page(
            f"{run.name}: ARC-DSL benchmark",
            header,
            [(key, title, bodies[key]) for key, title in SECTIONS.items()],
            f"Written by arc-dsl-harness {version} from the data files beside this page.",
        )
        if len(page.encode()) < MOST_BYTES:
            break
    return page


def _header(run: Run) -> Html:
    level = {"complete": "good", "failed": "bad"}.get(run.status, "unclear")
    times = [moment(run.record.get("started"))]
    if run.phase_seconds:
        times.append(f"{duration(sum(run.phase_seconds.values()))} of work")
    verdict = [
        tag("li", badge(finding.level), tag("span", finding.text)) for finding in [*gpu_findings(run), *findings(run)]
    ]
    found = checks(run)
    said = tag("span", f"Checked from what was measured: {headline(run, found)}.")
    verdict.insert(0, tag("li", badge(overall(found)), said))
    verdict.append(tag("li", tag("span", programs_line(run), class_="soft")))
    return tag(
        "header",
        tag("p", "ARC-DSL benchmark run", class_="over"),
        tag("h1", run.name),
        tag("p", tag("span", run.status, class_=f"badge {level}"), f" {' · '.join(times)}", class_="meta"),
        tag("p", machine_text(run.environment), class_="meta"),
        tag("p", _settings(run), class_="meta"),
        tag("ul", *verdict, class_="verdict"),
        _tiles(run),
        _notes(run),
    )


def _settings(run: Run) -> str:
    wanted = ("name", "data", "samples_per_task", "workers", "seed")
    known = [f"{key} {printable(run.config[key])}" for key in wanted if not is_missing(run.config.get(key))]
    return " · ".join(known) or "configuration not recorded"


def _tiles(run: Run) -> Html:
    table = mode_table(run)
    tiles = []
    for _, row in table[table["evaluations_per_s"].notna()].iterrows():
        rate = number(row["evaluations_per_s"])
        wrong = not is_missing(row["mismatches"]) and row["mismatches"] > 0
        counts = not is_missing(row["speedup"]) and row["mode"] != BASELINE and not wrong
        if counts:  # how much faster is what one looks for; not of a mode that computes something else
            big = tag("div", speedup(row["speedup"]), " ", tag("small", f"as fast as {BASELINE}"), class_="big")
            facts: list[tuple[str, str | Html]] = [("interval", _range_text(row, "speedup", "x"))]
            facts.append(("geometric mean", speedup(row["geometric_mean_speedup"])))
            facts.append(("evaluations/s", rate))
        else:
            big = tag("div", rate, " ", tag("small", "evaluations/s"), class_="big")
            facts = [("interval", _range_text(row, "evaluations_per_s"))]
            facts += [("speedup", "1x, the baseline")] if row["mode"] == BASELINE else []
        facts.append(("equal to reference", agreement_text(row)))
        if not is_missing(row["fell_back"]):
            facts.append(("fell back to reference", fell_back_text(row).partition(":")[0]))
        if row["mode"] in device_modes(run):
            facts.append(("done by devices", percent(device_share(run, row["mode"]))))
            facts.append(("GPU busy (NVML)", percent(utilization(run, row["mode"]))))
        facts.append(("verdict", badge(overall([check for check in checks(run) if check.mode == row["mode"]]))))
        listed = [part for name, text in facts for part in (tag("dt", name), tag("dd", text))]
        style = f"--mode:{mode_colour(row['mode'])}"
        tiles.append(tag("div", tag("h2", row["mode"]), big, tag("dl", *listed), class_="tile", style=style))
    return tag("div", *tiles, class_="tiles") if tiles else Html("")


def _notes(run: Run) -> Html:
    columns = []
    idle = [join(tag("b", who), f": {why}") for who, why in idle_groups(run)]
    for title, lines in (("Modes that were not measured", idle), ("Cautions", cautions(run))):
        if lines:
            columns.append(tag("div", tag("h2", title), tag("ul", *(tag("li", line) for line in lines))))
    return tag("div", *columns, class_="notes") if columns else Html("")


def _range_text(row: pd.Series[Any], name: str, unit: str = "") -> str:
    texts = bounds(row[name], row[f"{name}_low"], row[f"{name}_high"])
    return "none: one block" if texts is None else f"{texts[1]}{unit} to {texts[2]}{unit}"


def _with_range(row: pd.Series[Any], name: str, text: str, unit: str = "") -> Html:
    if is_missing(row[f"{name}_low"]):
        return markup(text)
    return join(text, tag("span", _range_text(row, name, unit), class_="range"))


def _speedup(row: pd.Series[Any]) -> Html:
    text = "baseline" if row["mode"] == BASELINE else speedup(row["speedup"])
    return _with_range(row, "speedup", text, "x")


def _modes(run: Run) -> Html:
    heads = column_heads(
        "mode", ("n", "workers"), ("n", "evaluations per block"), ("n", "wall time per block"), ("n", "evaluations/s"),
        ("n", "speedup, total"), ("n", "speedup, geometric mean"), ("n", "overhead"), "equal to reference",
        ("n", "fell back"), "note",
    )  # fmt: skip
    rows = []
    for _, row in mode_table(run).iterrows():
        wall = [duration(row[key]) for key in ("wall_s", "wall_s_low", "wall_s_high")]
        wall_range = (
            Html("") if is_missing(row["wall_s_low"]) else tag("span", f"{wall[1]} to {wall[2]}", class_="range")
        )
        measured = not is_missing(row["evaluations_per_s"])
        rows.append(
            tag(
                "tr",
                tag("th", mode_name(row["mode"]), scope="row"),
                cell(row["workers"] if measured else None, count(row["workers"])),
                cell(row["evaluations_per_block"], count(row["evaluations_per_block"])),
                cell(row["wall_s"], join(wall[0], wall_range)),
                cell(
                    row["evaluations_per_s"],
                    _with_range(row, "evaluations_per_s", number(row["evaluations_per_s"])),
                ),
                cell(row["speedup"], _speedup(row)),
                cell(row["geometric_mean_speedup"], speedup(row["geometric_mean_speedup"])),
                cell(row["overhead"], join(percent(row["overhead"]), tag("span", overhead_parts(row), class_="range"))),
                tag("td", agreement_text(row) if measured else tag("span", DASH, class_="none")),
                cell(row["fell_back"], fell_back_text(row).partition(":")[0]),  # reasons have a table of their own
                # Why it was not measured is told at the top, once.
                tag("td", note_text(row) if measured else printable(row["status"]), class_="wrap"),
            )
        )
    level = confidence_level(run.confidence)
    return join(
        tag("p", f"Medians over the timed blocks; under them the {level} interval, which is the full range seen where "
            "blocks are few. A block evaluates every program on all its samples, once or several times, warm. "
            "Overhead is the share of the workers' time that went into no evaluation: the harness's own, and waiting "
            "for the last worker. What a mode could not do itself fell back to the reference, and is part of its time.",
            class_="soft"),
        data_table("Modes: throughput, speedup against sequential, and agreement of outputs",
               [tag("tr", *heads)], rows, name="mode-table"),
        _fallbacks(run),
        _first_calls(run),
    )  # fmt: skip


def _fallbacks(run: Run) -> Html:
    """Every reason for which a mode left evaluations to the reference."""
    rows = []
    for _, row in mode_table(run).iterrows():
        reasons = {} if is_missing(row["fell_back"]) else row["fell_back_reasons"] or {}
        for reason, times in sorted(reasons.items(), key=lambda item: -item[1]):
            why = tag("td", tag("code", shorten(printable(reason), ERROR_LENGTH)), class_="wrap")
            rows.append(tag("tr", tag("th", mode_name(row["mode"]), scope="row"), cell(times, count(times)), why))
    if not rows:
        return Html("")
    cut = "" if len(rows) <= MOST_PROBLEMS else f", the first {MOST_PROBLEMS} of {count(len(rows))} reasons"
    return data_table(f"Evaluations that fell back to the reference{cut}",
                  [tag("tr", *column_heads("mode", ("n", "evaluations"), "reason"))], rows[:MOST_PROBLEMS],
                  name="fallback-table", tall=True)  # fmt: skip


def _first_calls(run: Run) -> Html:
    seconds = run.evaluations["seconds"].dropna()
    if not len(seconds):
        return tag("p", "No first call was recorded.")
    phases = ", ".join(f"{printable(phase)} {duration(spent)}" for phase, spent in run.phase_seconds.items())
    return join(
        tag("h3", "First calls"),
        tag(
            "p",
            f"The untimed first pass made {count(len(seconds))} first calls: {duration(seconds.sum())} in all, median "
            f"{duration(seconds.median())}, longest {duration(seconds.max())}. They are in no figure above."
            + (f" Phases of the run: {phases}." if phases else ""),
        ),
    )


def _figures(figures: Mapping[str, Figure], *names: str) -> list[Html]:
    shown = []
    for name in names:
        drawn = svg_fragment(figures[name], name, f"Plot {name.replace('_', ' ')}. {CAPTIONS[name]}")
        shown.append(tag("figure", Html(drawn), tag("figcaption", CAPTIONS[name]), class_="card"))
    return shown


def _gpu(run: Run, figures: Mapping[str, Figure]) -> Html:
    parts = [devices_section(run)]
    if has_device_data(run):
        parts.insert(0, tag("div", *_figures(figures, "gpu_timeline"), class_="plots wide"))
        others = _figures(figures, *(name for name in GPU_PLOTS if name != "gpu_timeline"))
        parts.append(tag("div", *others, class_="plots"))
    return join(*parts)


def _programs(run: Run, most: int) -> Html:
    table, modes, baseline = program_table(run), measured_modes(run), baseline_mode(run)
    if table.empty:
        return tag("p", "No program was recorded.")
    shown = table.head(most)
    groups = [tag("td"), tag("th", "first pass", scope="colgroup", colspan="4", class_="group")]
    heads = column_heads("program", ("n", "equal"), ("n", "not ok"), ("n", "first call, median"), ("n", "longest"))
    for mode in modes:
        first = mode == baseline
        columns = ["per evaluation", "evaluations/s", "share of time"] if first else ["evaluations/s"]
        columns += [] if mode == BASELINE else ["speedup"]
        style = f"--mode:{mode_colour(mode)}"
        groups.append(tag("th", mode, scope="colgroup", colspan=str(len(columns)), class_="group", style=style))
        heads += column_heads(*(("n", column) for column in columns))
    rows = [_program_row(row, modes, baseline) for _, row in shown.iterrows()]
    cut = "" if len(shown) == len(table) else f" The {count(len(shown))} slowest of {count(len(table))} are listed."
    problems = tag("label", tag("input", type="checkbox", data_key="problem"), " only those with problems")
    controls = filter_bar("program-table", "programs", "program, task or module", problems)
    explained = (
        "Equal counts the outputs of unaugmented samples that are as the task expects. Times are medians over the "
        "blocks; those of several workers are added up, and evaluations/s counts all workers." + cut
    )
    return join(
        tag("p", explained, class_="soft"),
        controls,
        data_table("Programs, slowest first", [tag("tr", *groups), tag("tr", *heads)], rows,
               name="program-table", tall=True, sortable=True),
    )  # fmt: skip


def _program_row(row: pd.Series[Any], modes: list[str], baseline: str | None) -> Html:
    task = "no task" if is_missing(row["task"]) else f"task {printable(row['task'])}"
    title = shorten(f"{printable(row['module'])}, {task}", 2 * NAME_LENGTH)
    name = shorten(printable(row["label"]), NAME_LENGTH)
    not_run = not is_missing(row["status"]) and row["status"] != "ok"
    bad = math.nan if is_missing(row["evaluations"]) else row["evaluations"] - row["ok"]
    status = tag("span", f" {printable(row['status']).replace('_', ' ')}", class_="soft") if not_run else Html("")
    equal = math.nan if is_missing(row["compared"]) or not row["compared"] else row["equal"] / row["compared"]
    cells = [
        tag("th", tag("span", name, class_="name"), status, scope="row", title=title),
        cell(
            equal, tag("span", f"{count(row['equal'])} of {count(row['compared'])}", class_="" if equal == 1 else "bad")
        ),
        cell(bad, tag("span", count(bad), class_="bad" if bad else "soft")),
        cell(row["first_call_median_s"], duration(row["first_call_median_s"])),
        cell(row["first_call_max_s"], duration(row["first_call_max_s"])),
    ]
    for mode in modes:
        rate = row[f"{mode}_evaluations_per_s"]
        if mode == baseline:
            spent, share = row[f"{mode}_s_per_evaluation"], row[f"{mode}_share"]
            cells += [cell(spent, duration(spent)), cell(rate, number(rate)), cell(share, bar(share, mode))]
        else:
            cells.append(cell(rate, number(rate)))
        if mode != BASELINE:
            cells.append(cell(row[f"{mode}_speedup"], speedup(row[f"{mode}_speedup"])))
    # That the data has no sample for a program is no fault of it.
    problem = (not_run and row["status"] != "no_samples") or bad > 0 or equal < 1
    return tag("tr", *cells, data_problem=bool(problem))


def _primitives(run: Run) -> Html:
    families, primitives, modes = family_table(run), primitive_table(run), profiled_modes(run)
    if families.empty:
        return tag("p", "The primitives were not profiled: primitives.parquet is missing or empty.")
    per_family = [
        tag("tr", tag("th", row["family"], scope="row"), *_costs(row, modes, distinct=True))
        for _, row in families.iterrows()
    ]
    per_primitive = [
        tag("tr", tag("th", tag("span", row["primitive"], class_="name"), scope="row"), tag("td", row["family"]),
            *_costs(row, modes, distinct=False))
        for _, row in primitives.iterrows()
    ]  # fmt: skip
    return join(
        tag("p", "From a pass of its own in which primitives are counted. Counting takes time too, most where "
            "calls are short: compare shares, and take speeds from the timed blocks. " + PROFILE_OF_MACHINE,
            class_="soft"),
        data_table("Primitive families, most time first", _cost_heads(["family"], modes, ["primitives called"]),
               per_family, name="family-table"),
        tag(
            "details",
            tag("summary", f"All {count(len(primitives))} primitives that were called"),
            data_table("Primitives, most time first", _cost_heads(["primitive", "family"], modes, []), per_primitive,
                   name="primitive-table", tall=True, sortable=True),
        ),
        _primitive_work(run),
    )  # fmt: skip


def _primitive_work(run: Run) -> Html:
    """Who executed each primitive of the modes that may fall back: they themselves, or the reference."""
    table, _ = primitive_work(run)
    lines = work_lines(run)
    if not lines:
        return Html("")
    modes = list(dict.fromkeys(table["mode"]))
    own = {(row["mode"], row["primitive"]): row for _, row in table.iterrows()}
    rows = [
        tag("tr", tag("th", tag("span", name, class_="name"), scope="row"), tag("td", family),
            *(part for mode in modes for part in _work_cells(own.get((mode, name)), mode)))
        for name, family in dict(zip(table["primitive"], table["family"], strict=True)).items()
    ]  # fmt: skip
    heads = _mode_heads(["primitive", "family"], modes, ["by itself", "by the reference", "share by itself"])
    return join(
        tag("h3", "Device against fallback"),
        tag("p", EXPLAINED, class_="soft"),
        tag("ul", *(tag("li", line) for line in lines)),
        tag(
            "details",
            tag("summary", f"All {count(len(rows))} primitives: by the mode itself, or by the reference"),
            data_table("Executions of primitives, the most first", heads, rows, name="work-table", tall=True,
                       sortable=True),
        ) if rows else "",
    )  # fmt: skip


def _work_cells(row: pd.Series[Any] | None, mode: str) -> list[Html]:
    if row is None:
        return [cell(None, Html("")) for _ in range(3)]
    left = tag("span", count(row["fell_back"]), class_="bad" if row["fell_back"] > row["executed"] else None)
    return [
        cell(row["executed"], count(row["executed"])),
        cell(row["fell_back"], left),
        cell(row["own_share"], bar(row["own_share"], mode)),
    ]


def _cost_heads(names: list[str], modes: list[str], more: list[str]) -> list[Html]:
    return _mode_heads(names, modes, [*more, "calls", "self time", "share"])


def _mode_heads(names: list[str], modes: list[str], columns: list[str]) -> list[Html]:
    """Two rows of column heads: the modes, and the columns of each."""
    groups = [tag("td") for _ in names]
    for mode in modes:
        style = f"--mode:{mode_colour(mode)}"
        groups.append(tag("th", mode, scope="colgroup", colspan=str(len(columns)), class_="group", style=style))
    heads = column_heads(*names, *[("n", column) for _ in modes for column in columns])
    return [tag("tr", *groups), tag("tr", *heads)]


def _costs(row: pd.Series[Any], modes: list[str], *, distinct: bool) -> list[Html]:
    cells = []
    for mode in modes:
        primitives, calls, seconds, share = (
            row.get(f"{mode}_{column}") for column in ("primitives", "calls", "seconds", "share")
        )
        cells += [cell(primitives, count(primitives))] if distinct else []
        cells += [
            cell(calls, count(calls)),
            cell(seconds, duration(seconds)),
            cell(share, bar(share, mode)),
        ]
    return cells


def _problems(run: Run, most: int) -> Html:
    table = problem_table(run)
    unread = [name for name in ("programs.parquet", "evaluations.parquet") if name in run.missing]
    parts = []
    if unread:
        parts.append(tag("p", f"Not all is known: {' and '.join(unread)} could not be read."))
    elif table.empty:
        parts.append(tag("p", "None: every program ran, and every evaluation ended."))
    if not table.empty:
        parts.append(_problem_list(table, most))
    return join(*parts)


def _problem_list(table: pd.DataFrame, most: int) -> Html:
    rows = []
    for _, row in table.head(most).iterrows():
        error = "" if is_missing(row["error"]) else shorten(printable(row["error"]), ERROR_LENGTH)
        evaluations = tag("td", "all", class_="n") if is_missing(row["evaluations"]) else cell(
            row["evaluations"], count(row["evaluations"])
        )  # fmt: skip
        rows.append(
            tag(
                "tr",
                tag("th", tag("span", shorten(printable(row["program"] or row["module"]), NAME_LENGTH), class_="name"),
                    scope="row"),
                tag("td", printable(row["problem"]).replace("_", " ")),
                evaluations,
                tag("td", shorten(printable(row["samples"]), ERROR_LENGTH)),
                tag("td", tag("code", error), class_="wrap"),
            )
        )  # fmt: skip
    heads = column_heads("program or module", "problem", ("n", "evaluations"), "samples", "error")
    cut = "" if len(table) <= most else f", the first {most} of {count(len(table))}"
    return data_table(
        f"Programs that were not run, and evaluations that did not end well{cut}",
        [tag("tr", *heads)],
        rows,
        name="problem-table",
        tall=True,
    )


def _pairs(caption: str, mapping: dict[str, Any], name: str) -> Html:
    pairs = flattened(mapping)
    if not pairs:
        return tag("p", f"{caption}: not recorded.")
    rows = [
        tag("tr", tag("th", key, scope="row"), tag("td", tag("code", shorten(value, ERROR_LENGTH)), class_="wrap"))
        for key, value in pairs
    ]
    return data_table(caption, [tag("tr", *column_heads("key", "value"))], rows, name=name)


def _environment(run: Run) -> Html:
    packages = run.environment.get("packages")
    machine = {key: value for key, value in run.environment.items() if key != "packages"}
    return join(
        _pairs("Machine and software", machine, "machine-table"),
        _pairs("Configuration as run", run.config, "config-table"),
        tag(
            "details",
            tag("summary", "Packages"),
            _pairs("Packages", packages if isinstance(packages, dict) else {}, "package-table"),
        ),
    )


def _reproduce(run: Run) -> Html:
    command = printable(run.environment.get("command") or "not recorded")
    return join(
        tag("p", "In a checkout of the commit below, with its environment set up (make setup):"),
        tag("pre", tag("code", reproduce_command(run)), tabindex="0", aria_label="Command"),
        tag("p", f"Commit {commit_text(run.environment)}. This run was started with: ", tag("code", command)),
        tag("p", "Every raw value is in the Parquet files beside this page; docs/results.md describes them."),
    )
