"""The dashboard across runs: results/index.html, one file that needs no other but the runs' own pages it links to."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from harness.atomic import write_atomic
from harness.measure.usable import usable_cpus
from harness.report.collection import Collection, Entry, collect
from harness.report.compare_script import COMPARE_SCRIPT
from harness.report.elements import DASH, badge, cell, column_heads, data_table, filter_bar
from harness.report.format import MISSING, bounds, count, counted, moment, number, percent, printable, shorten, speedup
from harness.report.frames import BASELINE, in_mode_order
from harness.report.index_plots import INDEX_PLOTS, latest_by_configuration, when
from harness.report.markup import Html, join, tag
from harness.report.page import render_page
from harness.report.style import mode_colour
from harness.report.summary import ModeSummary, RunSummary
from harness.report.svg import svg_fragment

INDEX = "index.html"
MOST_BYTES = 2_000_000
MOST_TILES = 6
MOST_ROWS = 2000
CONFIDENCE = 0.95
SMALLEST_EFFECT = 0.02
RESAMPLES = 10_000
_NAME = 80
_REASON = 110

CAPTIONS = {
    "speedup_by_configuration": "The newest run of each configuration, in total against its own sequential blocks.",
    "throughput_by_configuration": "The newest run of each configuration; medians of the timed blocks, end to end.",
    "speedup_over_time": "Speedups are against the same run's sequential blocks, so a slower machine cancels out.",
    "throughput_over_time": "A step that sequential does not make is the program's; one that all modes make is the "
    "machine's.",
    "throughput_by_batch": "From make gpu-check: how large a batch has to be before the GPU is full.",
    "scaling_over_devices": "Runs of the same work on different numbers of devices.",
}


def write_index(folder: Path) -> Path:
    """Write index.html into a results folder, whole or not at all, and return its path.

    Raises:
        RunFolderError: if there is no such folder, or it is a run folder itself.
        OSError: if the page cannot be written.
    """
    page = render_index(collect(folder, usable_cpus()))
    path = Path(folder) / INDEX
    write_atomic(path, page)
    return path


def render_index(collection: Collection) -> str:
    """The page as text, of less than ``MOST_BYTES`` bytes: of very many runs the oldest lose their blocks and rows."""
    plots = tag("div", *_figures(collection), class_="plots")
    total = len(collection.entries)
    page = ""
    for comparable, rows in ((500, MOST_ROWS), (300, 1000), (100, 700), (30, 400), (0, 100)):
        entries = collection.entries[:comparable]
        page = render_page(
            "ARC-DSL benchmark: all runs",
            _header(collection),
            [
                ("runs", "Runs", _runs(collection, rows)),
                ("trends", "Trends", plots),
                ("compare", "Compare two runs", _compare(entries, total)),
            ],
            f"Written by make dashboard from {counted(total, 'folder')} beside this page; docs/results.md says how the "
            "figures are made.",
            script=COMPARE_SCRIPT,
            data=_data(collection.folder, entries),
        )
        if len(page.encode()) < MOST_BYTES:
            break
    return page


def _header(collection: Collection) -> Html:
    summaries = [entry.summary for entry in collection.entries]
    damaged = sum(summary.status == "damaged" for summary in summaries)
    said = [counted(len(summaries) - damaged, "run")]
    said += [counted(damaged, "damaged folder")] if damaged else []
    dates = [summary.started for summary in summaries if when(summary.started)]
    said += [f"newest {moment(dates[0])}"] if dates else []
    latest = list(latest_by_configuration(collection.entries).values())
    tiles = tag("div", *(_tile(entry) for entry in latest[:MOST_TILES]), class_="tiles") if latest else tag(
        "p", "No run here has measured anything yet: ", tag("code", "make bench"), " makes one.")  # fmt: skip
    problems = [tag("li", f"{name}: {shorten(printable(why), 200)}") for name, why in collection.problems]
    listed = tag("div", tag("h2", "GPU checks that cannot be read"), tag("ul", *problems))
    notes = tag("div", listed, class_="notes")
    return tag(
        "header",
        tag("p", "ARC-DSL benchmark", class_="over"),
        tag("h1", "All runs"),
        tag("p", " · ".join(said), class_="meta"),
        tag("p", "The newest run of each configuration, with its fastest mode:", class_="meta") if latest else "",
        tiles,
        notes if problems else "",
    )


def _link(entry: Entry, text: str) -> Html:
    target = f"{entry.path}/dashboard.html" if entry.dashboard else f"{entry.path}/"
    return tag("a", shorten(printable(text), _NAME), href=quote(target))


def gpu_answer(summary: RunSummary) -> tuple[str, str]:
    """(good, bad, unclear or soft; text): whether a GPU did the work of a run, from its device modes' measurements."""
    measured = [mode for mode in summary.modes if mode.is_device_mode and mode.evaluations_per_s is not None]
    if not measured:
        return "soft", "no GPU used"
    best = max(measured, key=lambda mode: mode.evaluations_per_s or 0.0)
    if best.device_share is None:
        return "unclear", f"GPU work of {best.mode} unproven"
    busy = "" if best.utilization is None else f", {percent(best.utilization)} busy"
    level = "good" if best.device_share >= 0.5 else "bad"
    return level, f"GPU did {percent(best.device_share)}{busy}"


def _tile(entry: Entry) -> Html:
    summary = entry.summary
    best = summary.best
    level, gpu = gpu_answer(summary)
    facts: list[tuple[str, str | Html]] = [("run", _link(entry, moment(summary.started)))]
    if best is not None and best.mode != BASELINE:
        big = join(speedup(best.speedup), " ", tag("small", best.mode))
        facts.append(("interval", _bounds(best.speedup, best.speedup_low, best.speedup_high, "x")))
        facts.append(("evaluations/s", number(best.evaluations_per_s)))
    else:
        fastest = max(summary.modes, key=lambda mode: mode.evaluations_per_s or 0.0)
        big = join(number(fastest.evaluations_per_s), " ", tag("small", f"evaluations/s, {fastest.mode}"))
        best = fastest
    facts.append(("on", ", ".join(_devices(summary)) or "CPU"))
    facts.append(("GPU", tag("span", gpu, class_=level)))
    facts.append(("verdict", badge(_verdict(summary))))
    listed = [part for name, text in facts for part in (tag("dt", name), tag("dd", text))]
    return tag(
        "div",
        tag("h2", shorten(printable(summary.configuration), 40)),
        tag("div", big, class_="big"),
        tag("dl", *listed),
        class_="tile",
        style=f"--mode:{mode_colour(best.mode)}",
    )


def _verdict(summary: RunSummary) -> str:
    if summary.status in ("damaged", "failed", "interrupted", "running"):
        return summary.status
    return summary.verdict or "unknown"


def _devices(summary: RunSummary) -> list[str]:
    names = [printable(name) for name in summary.gpus]
    return [f"{names.count(name)} x {shorten(name, 40)}" for name in dict.fromkeys(names)]


def _bounds(value: float | None, low: float | None, high: float | None, unit: str) -> str:
    texts = bounds(value, low, high)
    return DASH if texts is None else f"{texts[1]}{unit} to {texts[2]}{unit}"


def _runs(collection: Collection, most: int) -> Html:
    shown = collection.entries[:most]
    if not shown:
        return tag("p", "There is no run folder here.")
    modes = in_mode_order(
        mode.mode for entry in shown for mode in entry.summary.modes if mode.speedup and mode.mode != BASELINE
    )
    head = column_heads(
        "run", "date", "configuration", "verdict", *(("n", f"speedup {shorten(mode, 24)}") for mode in modes),
        ("n", "done by GPU"), ("n", "GPU busy"), "devices", "commit",
    )  # fmt: skip
    configurations = sorted({entry.summary.configuration for entry in shown})
    verdicts = sorted({_verdict(entry.summary) for entry in shown})
    controls = filter_bar(
        "run-table",
        "runs",
        "name, device, commit",
        _choice("configuration", "configuration", configurations),
        _choice("verdict", "verdict", verdicts),
        tag("label", tag("input", type="checkbox", data_key="gpu"), " only those that used a GPU"),
    )
    cut = "" if len(shown) == len(collection.entries) else (
        f" The newest {count(len(shown))} of {count(len(collection.entries))} are listed.")  # fmt: skip
    return join(
        tag("p", "Speedups are of the total time, against the same run's sequential blocks; under them the interval. "
            "Done by GPU is the share of the work that devices did themselves, and 0% where their own counters "
            "saw nothing; busy is NVML's utilization in timed blocks. A dash is what was not measured." + cut,
            class_="soft"),
        controls,
        data_table("Runs, newest first", [tag("tr", *head)], [_row(entry, modes) for entry in shown],
                   name="run-table", tall=True, sortable=True),
    )  # fmt: skip


def _choice(key: str, label: str, values: list[str]) -> Html:
    options = [tag("option", shorten(printable(value), 40), value=value) for value in values]
    return tag("label", f"{label} ", tag("select", tag("option", "all", value=""), *options, data_key=key))


def _row(entry: Entry, modes: list[str]) -> Html:
    summary = entry.summary
    measured = [mode for mode in summary.modes if mode.is_device_mode and mode.evaluations_per_s is not None]
    device = max(measured, key=lambda mode: mode.evaluations_per_s or 0.0, default=None)
    time = when(summary.started)
    share, busy = (device.device_share, device.utilization) if device else (None, None)
    bad, note = share is not None and share < 0.5, _note(summary)
    published = tag("span", "published", class_="range") if entry.published else ""
    return tag(
        "tr",
        tag("th", _link(entry, summary.name), published, scope="row", title=printable(entry.path)),
        tag("td", moment(summary.started) if time else DASH, data_v=f"{time.timestamp():.0f}" if time else "0",
            class_="mode"),
        tag("td", shorten(printable(summary.configuration), _NAME)),
        tag("td", badge(_verdict(summary)), tag("span", shorten(note, _REASON), class_="range") if note else "",
            class_="wrap" if note else None, title=note or None),
        *(_speedup_cell(summary.mode(mode)) for mode in modes),
        cell(share, tag("span", percent(share), class_="bad" if bad else None)),
        cell(busy, percent(busy)),
        tag("td", ", ".join(_devices(summary)) or DASH),
        tag("td", tag("code", _short_commit(summary.commit)), class_="mode", title=summary.commit),
        data_configuration=summary.configuration,
        data_verdict=_verdict(summary),
        data_gpu=bool(share),
    )  # fmt: skip


def _short_commit(commit: str | None) -> str:
    """The first characters of a commit, and the + that says that the checkout had changes."""
    text = printable(commit or DASH)
    return text[:7] + ("+" if text.endswith("+") else "")


def _speedup_cell(mode: ModeSummary | None) -> Html:
    if mode is None or mode.speedup is None:
        return cell(None, "")
    text = tag("span", speedup(mode.speedup), class_="bad" if mode.mismatches else None)
    parts = [_bounds(mode.speedup, mode.speedup_low, mode.speedup_high, "x")]
    parts += [f"{count(mode.mismatches)} other outputs"] if mode.mismatches else []
    return cell(mode.speedup, join(text, *(tag("span", part, class_="range") for part in parts if part != DASH)))


def _note(summary: RunSummary) -> str:
    parts = [printable(summary.error)] if summary.error else []
    parts += [f"not passed: {', '.join(map(printable, summary.failed_checks[:5]))}"] if summary.failed_checks else []
    parts += [f"without {', '.join(summary.missing)}"] if summary.missing else []
    parts += [f"{mode.mode} failed" for mode in summary.modes if mode.status == "failed"]
    return "; ".join(parts)


def _figures(collection: Collection) -> list[Html]:
    figures = []
    for name, plot in INDEX_PLOTS.items():
        figure = plot(collection)
        label = f"Plot {name.replace('_', ' ')}. {figure.get_suptitle()}. {CAPTIONS[name]}"
        drawn = svg_fragment(figure, name, label)
        figures.append(tag("figure", Html(drawn), tag("figcaption", CAPTIONS[name]), class_="card"))
    return figures


def _comparable(entry: Entry) -> bool:
    return any(mode.rates for mode in entry.summary.modes)


def _compare(entries: list[Entry], total: int) -> Html:
    command = tag("p", "In a terminal, with an exit code for CI: ",
                  tag("code", "python -m harness compare A B", id="compare-command"))  # fmt: skip
    runs = [entry for entry in entries if _comparable(entry)]
    if len(runs) < 2:
        return join(tag("p", "There are not two runs with timed blocks yet."), command)
    first, second = _pair(runs)
    choices = []
    for letter, chosen in (("A", first), ("B", second)):
        options = [_option(i, entry, i == chosen) for i, entry in enumerate(runs)]
        choices.append(tag("label", f"{letter} ", tag("select", *options, id=f"run-{letter.lower()}")))
    form = tag("div", *choices, tag("button", "Swap", type="button"), class_="filter", id="compare-form", hidden=True)
    heads = column_heads("mode", ("n", "A, evaluations/s"), ("n", "B, evaluations/s"), ("n", "B / A"),
                         ("n", f"{CONFIDENCE:.0%} interval"), ("n", "p"), "B is")  # fmt: skip
    older = "" if len(entries) == total else f" The newest {count(len(entries))} runs can be chosen."
    results = tag(
        "div",
        tag("p", id="compare-note", aria_live="polite"),
        data_table("Throughput of run B against run A", [tag("tr", *heads)], [], name="compare-table"),
        data_table("What else differs", [tag("tr", *column_heads("what", "A", "B"))], [], name="difference-table"),
        id="compare-results",
        hidden=True,
    )
    return join(
        tag("p", "Blocks are compared by Mann and Whitney's test, which looks at ranks only, and the ratio of the "
            f"medians by a bootstrap. Faster or slower is a difference that is significant and at least "
            f"{SMALLEST_EFFECT:.0%}; the same means that the whole interval is within that; else it is ambiguous. Two "
            "runs of one program on one machine may differ by more than their blocks do." + older, class_="soft"),
        form,
        results,
        command,
    )  # fmt: skip


def _pair(runs: list[Entry]) -> tuple[int, int]:
    """The two newest runs of the newest configuration that has two, the older one first; else the two newest."""
    for newer, entry in enumerate(runs):
        for older in range(newer + 1, len(runs)):
            if runs[older].summary.configuration == entry.summary.configuration:
                return older, newer
    return 1, 0


def _option(number_of: int, entry: Entry, chosen: bool) -> Html:
    text = f"{printable(entry.summary.name)} ({printable(entry.summary.configuration)})"
    return tag("option", shorten(text, _NAME), value=str(number_of), selected=chosen)


def _data(folder: Path, entries: list[Entry]) -> dict[str, Any]:
    """What the script compares: blocks, and facts, each of which is kept once however many runs share it."""
    pool: dict[tuple[str, str], int] = {}
    runs = []
    for entry in filter(_comparable, entries):
        summary = entry.summary
        runs.append(
            {
                "path": printable(f"{folder.resolve().name}/{entry.path}"),
                "started": moment(summary.started),
                "status": printable(summary.status),
                "verdict": printable(summary.verdict or MISSING),
                "commit": printable(summary.commit or MISSING),
                "facts": [pool.setdefault((key, shorten(value, 200)), len(pool)) for key, value in summary.facts],
                "modes": {
                    printable(mode.mode): {
                        "rates": mode.rates,
                        "speedup": mode.speedup if mode.mode != BASELINE else None,
                        "device": mode.is_device_mode,
                        "share": mode.device_share,
                        "busy": mode.utilization,
                    }
                    for mode in summary.modes
                    if mode.rates
                },
            }
        )
    settings = {"confidence": CONFIDENCE, "smallest_effect": SMALLEST_EFFECT, "resamples": RESAMPLES}
    return {**settings, "facts": list(pool), "runs": runs}
