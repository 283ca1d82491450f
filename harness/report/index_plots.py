"""The plots across runs: by configuration, over time, against the batch size, over devices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness.config import ALL_DEVICE_MODES, MEASURED_NAMES
from harness.report.collection import Collection, Entry
from harness.report.format import count, number, percent, printable, shorten
from harness.report.frames import BASELINE, in_mode_order
from harness.report.plots import empty_figure, figure_title, logarithmic_ticks, row_figure
from harness.report.style import INK, SERIES, WIDTH, mode_colour, styled
from harness.report.summary import ModeSummary

MOST_CONFIGURATIONS = 12
MOST_PANELS = 5
MOST_RUNS = 150
_LEAST_SPAN = timedelta(hours=1)  # of an axis of time
MARKERS = "osD^vP*X"
# Keys of a configuration that make runs the same work.
WORKLOAD = tuple(f"config.{key}" for key in ("data", "tasks", "samples_per_task", "batt_samples", "programs", "seed"))

Measure = Callable[[ModeSummary], tuple[float | None, float | None, float | None]]


def _throughput(mode: ModeSummary) -> tuple[float | None, float | None, float | None]:
    return mode.evaluations_per_s, mode.low, mode.high


def _speedup(mode: ModeSummary) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if mode.mode == BASELINE else (mode.speedup, mode.speedup_low, mode.speedup_high)


def latest_by_configuration(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Configuration -> its newest run that measured something; the newest configuration first."""
    latest: dict[str, Entry] = {}
    for entry in entries:
        if any(mode.evaluations_per_s is not None for mode in entry.summary.modes):
            latest.setdefault(entry.summary.configuration, entry)
    return latest


def _errors(value: float, low: float | None, high: float | None) -> list[list[float]] | None:
    return None if low is None or high is None else [[max(0.0, value - low)], [max(0.0, high - value)]]


def _mode_legend(figure: Figure, modes: Sequence[str]) -> None:
    keys = [
        Line2D([], [], color=mode_colour(mode), marker=_marker(mode), linestyle="", label=printable(mode))
        for mode in modes
    ]
    figure.legend(handles=keys, loc="outside lower center", ncols=3)


def _marker(mode: str) -> str:
    return MARKERS[MEASURED_NAMES.index(mode)] if mode in MEASURED_NAMES else MARKERS[-1]


def _log_axis(values: list[float]) -> bool:
    return max(values) > 20 * min(values)


def _by_configuration(collection: Collection, measure: Measure, name: str, label: str, unit: str) -> Figure:
    with styled():
        latest = dict(list(latest_by_configuration(collection.entries).items())[:MOST_CONFIGURATIONS])
        rows = {
            configuration: {mode.mode: measure(mode) for mode in entry.summary.modes if measure(mode)[0] is not None}
            for configuration, entry in latest.items()
        }
        rows = {configuration: found for configuration, found in rows.items() if found}
        if not rows:
            return empty_figure(f"{name} by configuration", "no run measured it")
        modes = in_mode_order(mode for found in rows.values() for mode in found)
        figure, axes = row_figure([shorten(printable(key), 24) for key in rows], 0.24 + 0.13 * len(modes))
        figure.set_figheight(figure.get_figheight() + 0.35)
        values = [bound for found in rows.values() for bounds in found.values() for bound in bounds if bound]
        values += [1.0] if unit else []  # the line of the baseline is part of the picture
        if _log_axis(values):
            axes.set_xscale("log")
            room = (max(values) / min(values)) ** 0.2  # for the last figure
            axes.set_xlim(min(values) / 1.5, max(values) * max(2.5, room))
            logarithmic_ticks(axes.xaxis, min(values), max(values), f"{{:,.12g}}{unit}")
        else:
            axes.set_xlim(0, 1.25 * max(values))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}{unit}"))
        for y, found in enumerate(rows.values()):
            for mode, (value, low, high) in found.items():
                if value is None:
                    continue
                height = y + (modes.index(mode) - (len(modes) - 1) / 2) * 0.7 / len(modes)
                axes.errorbar(value, height, xerr=_errors(value, low, high), fmt=_marker(mode), markersize=5,
                              color=mode_colour(mode), capsize=2.5, elinewidth=1.2)  # fmt: skip
                axes.annotate(f"{number(value)}{unit}", (high or value, height), (6, 0), textcoords="offset points",
                              va="center", fontsize=7.5)  # fmt: skip
        if unit:
            axes.axvline(1, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_xlabel(f"{label}{', logarithmic' if axes.get_xscale() == 'log' else ''} (bars: interval)")
        _mode_legend(figure, modes)
        best = max(((v, m, c) for c, found in rows.items() for m, (v, _, _) in found.items() if v), default=None)
        assert best is not None
        figure_title(figure, f"The most: {printable(best[1])} of {shorten(printable(best[2]), 24)}, "
                             f"{number(best[0])}{unit or ' evaluations/s'}")  # fmt: skip
        return figure


def throughput_by_configuration(collection: Collection) -> Figure:
    """Evaluations/s of each mode in the newest run of each configuration, with intervals."""
    return _by_configuration(collection, _throughput, "Throughput", "evaluations per second", "")


def speedup_by_configuration(collection: Collection) -> Figure:
    """Speedup over sequential of each mode in the newest run of each configuration, with intervals."""
    return _by_configuration(collection, _speedup, "Speedup", f"times as fast as {BASELINE}", "x")


def when(started: str | None) -> datetime | None:
    """A time of a summary, in UTC; None where it is none."""
    try:
        time = datetime.fromisoformat(started or "")
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _over_time(collection: Collection, measure: Measure, name: str, label: str, unit: str) -> Figure:
    with styled():
        dated = [(when(entry.summary.started), entry) for entry in collection.entries]
        known = [(time, entry) for time, entry in dated if time is not None][:MOST_RUNS]
        groups: dict[str, list[tuple[datetime, Entry]]] = {}
        for time, entry in known:
            if any(measure(mode)[0] is not None for mode in entry.summary.modes):
                groups.setdefault(entry.summary.configuration, []).append((time, entry))
        if not groups:
            return empty_figure(f"{name} over time", "no run with a date measured it")
        shown = dict(list(groups.items())[:MOST_PANELS])
        figure = Figure(figsize=(WIDTH, 1.1 + 1.45 * len(shown)))
        grid = figure.subplots(len(shown), 1, sharex=True, squeeze=False)
        modes = in_mode_order(
            mode.mode
            for runs in shown.values()
            for _, entry in runs
            for mode in entry.summary.modes
            if measure(mode)[0] is not None
        )
        for axes, (configuration, runs) in zip(grid[:, 0], shown.items(), strict=True):
            _panel(axes, runs, measure, modes, unit)
            axes.set_ylabel(label)
            axes.text(0, 1.02, shorten(printable(configuration), 40), transform=axes.transAxes, va="bottom", color=INK)
        first, last = (edge(time for runs in shown.values() for time, _ in runs) for edge in (min, max))
        least = (_LEAST_SPAN - (last - first)) / 2  # matplotlib would give a single run an axis of years
        if least > timedelta(0):
            grid[-1, 0].set_xlim(date2num(first - least), date2num(last + least))  # type: ignore[no-untyped-call]
        locator = AutoDateLocator(minticks=3)  # type: ignore[no-untyped-call]
        grid[-1, 0].xaxis.set_major_locator(locator)
        grid[-1, 0].xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
        grid[-1, 0].set_xlabel("start of the run (UTC; bars: interval)")
        _mode_legend(figure, modes)
        runs_shown = sum(map(len, shown.values()))
        figure_title(
            figure, f"{name} over time: the newest {runs_shown} runs" if runs_shown > 1 else f"{name}: one run"
        )
        return figure


def _panel(axes: Axes, runs: list[tuple[datetime, Entry]], measure: Measure, modes: Sequence[str], unit: str) -> None:
    values: list[float] = []
    for mode in modes:
        points = []
        for time, entry in runs:
            summary = entry.summary.mode(mode)
            value, low, high = measure(summary) if summary else (None, None, None)
            if value is not None:
                bounds = (np.nan, np.nan) if low is None or high is None else (low, high)
                points.append((date2num(time), value, *bounds))  # type: ignore[no-untyped-call]
        if not points:
            continue
        points.sort()
        x, y = [point[0] for point in points], [point[1] for point in points]
        axes.plot(x, y, color=mode_colour(mode), linewidth=0.8, marker=_marker(mode), markersize=3.5)
        lows, highs = [point[2] for point in points], [point[3] for point in points]
        axes.vlines(x, lows, highs, color=mode_colour(mode), linewidth=1.2)
        values += [value for value in (*y, *lows, *highs) if value > 0]  # what is NaN is not
    axes.grid(axis="y")
    if _log_axis(values):
        axes.set_yscale("log")
        axes.set_ylim(min(values) / 1.6, max(values) * 1.6)
        logarithmic_ticks(axes.yaxis, min(values), 1e9 * max(values), f"{{:,.12g}}{unit}")
    else:
        axes.set_ylim(0, 1.15 * max(values))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}{unit}"))


def throughput_over_time(collection: Collection) -> Figure:
    """Evaluations/s of each mode over the dates of the newest runs, a panel per configuration."""
    return _over_time(collection, _throughput, "Throughput", "evaluations/s", "")


def speedup_over_time(collection: Collection) -> Figure:
    """Speedup over sequential of each mode over the dates of the newest runs, a panel per configuration."""
    return _over_time(collection, _speedup, "Speedup", "speedup", "x")


def batch_axes(axes: Axes, rates: Sequence[float]) -> None:
    """Set axes up for throughput against the number of evaluations in a batch."""
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.grid()
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
    logarithmic_ticks(axes.yaxis, min(rates), max(rates), "{:,.12g}")
    axes.set_xlabel("evaluations in a batch, logarithmic")
    axes.set_ylabel("evaluations per second, logarithmic")


def throughput_by_batch(collection: Collection) -> Figure:
    """Throughput of each checked GPU against the number of evaluations in a batch, end to end and of the kernel."""
    with styled():
        if not any(curve.points for curve in collection.curves):
            return empty_figure("Throughput by batch size", "there is no GPU check (make gpu-check)")
        figure = Figure(figsize=(WIDTH, 3.6))
        axes = figure.add_subplot()
        for i, curve in enumerate(curve for curve in collection.curves if curve.points):
            colour, marker = SERIES[i % len(SERIES)][0], MARKERS[i % len(MARKERS)]
            name = shorten(printable(curve.gpu), 28)
            sizes = [point[0] for point in curve.points]
            axes.plot(sizes, [point[1] for point in curve.points], color=colour, marker=marker, markersize=4,
                      label=f"{name}, end to end")  # fmt: skip
            kernel = [np.nan if point[2] is None else point[2] for point in curve.points]
            if not np.isnan(kernel).all():
                axes.plot(sizes, kernel, color=colour, marker=marker, markersize=4, fillstyle="none", linestyle="--",
                          label=f"{name}, kernel")  # fmt: skip
        batch_axes(axes, [point[1] for curve in collection.curves for point in curve.points])
        figure.legend(loc="outside lower center", ncols=2)
        best = max((point[1], point[0], curve.gpu) for curve in collection.curves for point in curve.points)
        figure_title(figure, f"{shorten(printable(best[2]), 28)} does {number(best[0])} evaluations/s in batches of "
                             f"{count(best[1])}")  # fmt: skip
        return figure


def scaling_groups(collection: Collection) -> dict[tuple[str, str], dict[int, tuple[ModeSummary, str]]]:
    """(GPU, mode) -> number of devices -> (the newest measurement with so many, its workload).

    The blocks of a mode on one device alone are that mode's measurement with one device.
    Only runs of the same work can be compared, so of each GPU and mode those stay that do what its newest run does.
    """
    groups: dict[tuple[str, str], dict[int, tuple[ModeSummary, str]]] = {}
    work: dict[tuple[str, str], str] = {}
    for entry in collection.entries:
        facts = dict(entry.summary.facts)
        workload = "; ".join(f"{key} {facts.get(key)}" for key in WORKLOAD)
        for mode in entry.summary.modes:
            if mode.devices and mode.evaluations_per_s is not None:
                gpus = " and ".join(sorted(set(entry.summary.gpus))) or "unnamed GPU"
                key = (gpus, ALL_DEVICE_MODES.get(mode.mode, mode.mode))
                if work.setdefault(key, workload) == workload:
                    groups.setdefault(key, {}).setdefault(mode.devices, (mode, workload))
    return groups


def scaling_over_devices(collection: Collection) -> Figure:
    """Throughput against the number of devices, per GPU and mode, with what perfect scaling would give (dotted)."""
    with styled():
        groups = scaling_groups(collection)
        if not groups:
            return empty_figure("Scaling over devices", "no run measured a GPU mode")
        figure = Figure(figsize=(WIDTH, 3.6))
        axes = figure.add_subplot()
        efficiencies = []
        for i, ((gpu, mode), found) in enumerate(groups.items()):
            colour, marker = SERIES[i % len(SERIES)][0], MARKERS[i % len(MARKERS)]
            counts = sorted(found)
            rates = [found[n][0].evaluations_per_s or 0.0 for n in counts]
            errors = [[0.0] * len(counts), [0.0] * len(counts)]
            for j, n in enumerate(counts):
                bars = _errors(rates[j], found[n][0].low, found[n][0].high)
                if bars:
                    errors[0][j], errors[1][j] = bars[0][0], bars[1][0]
            axes.errorbar(counts, rates, yerr=errors, color=colour, marker=marker, capsize=3,
                          label=f"{shorten(printable(gpu), 28)}, {printable(mode)}")  # fmt: skip
            if len(counts) > 1:
                axes.plot(counts, [rates[0] * n / counts[0] for n in counts], color=colour, linestyle=":")
                efficiencies.append((rates[-1] * counts[0] / rates[0] / counts[-1], counts[-1], gpu))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlim(0.5, max(n for found in groups.values() for n in found) + 0.5)
        measured = [mode.evaluations_per_s or 0.0 for found in groups.values() for mode, _ in found.values()]
        axes.set_ylim(0, 1.2 * max(measured))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
        axes.grid(axis="y")
        axes.set_xlabel("devices (bars: interval; dotted: perfect scaling)")
        axes.set_ylabel("evaluations per second")
        figure.legend(loc="outside lower center", ncols=2)
        if efficiencies:
            share, devices, gpu = min(efficiencies)
            title = f"{devices} x {shorten(printable(gpu), 24)} scale with an efficiency of {percent(share)}"
        else:
            title = "No work was yet measured on different numbers of devices"
        figure_title(figure, title)
        return figure


INDEX_PLOTS: dict[str, Callable[[Collection], Figure]] = {
    "speedup_by_configuration": speedup_by_configuration,
    "throughput_by_configuration": throughput_by_configuration,
    "speedup_over_time": speedup_over_time,
    "throughput_over_time": throughput_over_time,
    "throughput_by_batch": throughput_by_batch,
    "scaling_over_devices": scaling_over_devices,
}
