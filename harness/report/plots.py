"""The plots of a report (matplotlib's object-oriented interface: no pyplot, no global figures)."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from harness.atomic import write_atomic
from harness.measure.stats import median_interval
from harness.report.format import (
    confidence_level,
    count,
    duration,
    is_missing,
    number,
    percent,
    printable,
    shorten,
    speedup,
)
from harness.report.frames import BASELINE, Run
from harness.report.style import INK, ROW, WIDTH, mode_colour, styled
from harness.report.svg import svg_document
from harness.report.tables import baseline_mode, family_table, measured_modes, mode_table, profiled_modes, program_table

SLOWEST = 10
# From this ratio of the greatest to the least value on, an axis is logarithmic.
LOGARITHMIC = 30
# A change of the median from the first to the second half of the blocks that deserves the name of drift.
DRIFT = 0.02


def figure_title(figure: Figure, text: str) -> None:
    """Say in one sentence what the figure shows."""
    # Over the whole figure, not the axes: beside long labels there would be no room for it.
    figure.suptitle(text, x=0.01, ha="left", fontsize=10, fontweight="bold")


def empty_figure(title: str, why: str) -> Figure:
    """A figure that says why there is nothing in it."""
    figure = Figure(figsize=(WIDTH, 1.1))
    axes = figure.add_subplot()
    axes.set_axis_off()
    figure_title(figure, title)
    axes.text(0, 0.6, f"Not measured: {why}.", transform=axes.transAxes, color=INK)
    return figure


def row_figure(labels: Sequence[str], height: float = ROW) -> tuple[Figure, Axes]:
    """A figure with one horizontal row per label, the first on top."""
    figure = Figure(figsize=(WIDTH, 1.15 + height * len(labels)))
    axes = figure.add_subplot()
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    return figure, axes


def logarithmic_ticks(axis: Axis, least: float, greatest: float, tick: str) -> None:
    """Ticks of a logarithmic axis over these values: where they span few decades, also at 2 and 5."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if greatest < 300 * least else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: tick.format(value)))
    # The default would write powers of ten as formulas.
    axis.set_minor_formatter(NullFormatter())


def _value_axis(axes: Axes, values: pd.Series[float], tick: str) -> bool:
    """Set up the x axis: from zero, or logarithmic where the values are orders of magnitude apart (then True)."""
    logarithmic = bool(values.max() > LOGARITHMIC * values.min())
    if logarithmic:
        axes.set_xscale("log")
        axes.set_xlim(values.min() / 2, values.max() * 4)
        logarithmic_ticks(axes.xaxis, values.min(), values.max(), tick)
    else:
        # Room at the right for the value that stands behind the bar.
        axes.set_xlim(0, values.max() * 1.22)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick.format(value)))
    return logarithmic


def _errors(row: pd.Series[Any], name: str) -> list[list[float]] | None:
    if is_missing(row[f"{name}_low"]):
        return None
    return [[row[name] - row[f"{name}_low"]], [row[f"{name}_high"] - row[name]]]


def _intervals_said(table: pd.DataFrame, run: Run, column: str) -> str:
    if table[column].eq(True).any():
        return f"bars: {confidence_level(run.confidence)} interval or range"
    return f"bars: {confidence_level(run.confidence)} interval"


def throughput_by_mode(run: Run) -> Figure:
    """Median evaluations per second of each requested mode, with intervals; a mode not measured says so."""
    with styled():
        table = mode_table(run)
        measured = table[table["evaluations_per_s"].notna()]
        if measured.empty:
            return empty_figure("Throughput by mode", "there are no timed blocks")
        figure, axes = row_figure([printable(mode) for mode in table["mode"]], 0.42)
        ends = measured["evaluations_per_s_high"].fillna(measured["evaluations_per_s"])
        logarithmic = _value_axis(axes, pd.concat([measured["evaluations_per_s"], ends]), "{:,.12g}")
        for y, (_, row) in enumerate(table.iterrows()):
            rate = row["evaluations_per_s"]
            if is_missing(rate):
                text = printable(row["status"]) if row["status"] != "ran" else "not measured"
                axes.text(0.01, y, text, transform=axes.get_yaxis_transform(), va="center", style="italic", color=INK)
                continue
            colour, errors = mode_colour(row["mode"]), _errors(row, "evaluations_per_s")
            if logarithmic:
                axes.plot([rate], [y], "o", color=colour)
            else:
                axes.barh(y, rate, height=0.55, color=colour)
            axes.errorbar(rate, y, xerr=errors, fmt="none", ecolor=INK, capsize=3, elinewidth=1.2)
            end = rate if is_missing(row["evaluations_per_s_high"]) else row["evaluations_per_s_high"]
            axes.annotate(number(rate), (end, y), (7, 0), textcoords="offset points", va="center")
        scale = ", logarithmic" if logarithmic else ""
        axes.set_xlabel(f"evaluations per second{scale} ({_intervals_said(measured, run, 'full_range')})")
        best = measured.sort_values("evaluations_per_s").iloc[-1]
        rate = number(best["evaluations_per_s"])
        figure_title(
            figure,
            f"{printable(best['mode'])} does the most: {rate} evaluations/s"
            if len(measured) > 1
            else f"{printable(best['mode'])} does {rate} evaluations/s",
        )
        return figure


def speedup_by_mode(run: Run) -> Figure:
    """Speedup over sequential of each mode: of the total, with intervals, and the programs' geometric mean."""
    with styled():
        table = mode_table(run)
        table = table[table["speedup"].notna() & (table["mode"] != BASELINE)]
        if table.empty:
            return empty_figure("Speedup by mode", f"no mode was timed beside {BASELINE}")
        figure, axes = row_figure([printable(mode) for mode in table["mode"]], 0.55)
        figure.set_figheight(figure.get_figheight() + 0.2)
        means = table["geometric_mean_speedup"]
        ends = [table["speedup"], table["speedup_low"], table["speedup_high"], means, pd.Series([1.0])]
        logarithmic = _value_axis(axes, pd.concat([end.dropna().astype(float) for end in ends]), "{:,.12g}x")
        axes.axvline(1, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        for y, (_, row) in enumerate(table.iterrows()):
            colour = mode_colour(row["mode"])
            axes.errorbar(
                row["speedup"],
                y,
                xerr=_errors(row, "speedup"),
                fmt="o",
                color=colour,
                markersize=7,
                capsize=4,
                elinewidth=1.6,
                label="total, with interval" if y == 0 else None,
            )
            mean = row["geometric_mean_speedup"]
            if not is_missing(mean):
                label = "geometric mean of the programs" if y == 0 else None
                axes.plot([mean], [y], "D", markersize=9, fillstyle="none", color=INK, label=label)
            axes.annotate(
                speedup(row["speedup"]), (row["speedup"], y), (0, 10), textcoords="offset points", ha="center"
            )
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=2)
        scale = ", logarithmic" if logarithmic else ""
        axes.set_xlabel(f"times as fast as {BASELINE}{scale} ({_intervals_said(table, run, 'speedup_full_range')})")
        best = table.sort_values("speedup").iloc[-1]
        figure_title(figure, f"{printable(best['mode'])} is {speedup(best['speedup'])} as fast as {BASELINE}")
        return figure


def slowest_programs(run: Run) -> Figure:
    """The programs that take the most of the baseline's time: their share of the time of each measured mode."""
    with styled():
        table, modes, baseline = program_table(run), measured_modes(run), baseline_mode(run)
        shares = f"{baseline}_share"
        timed = table[table[shares].notna()] if shares in table else table.iloc[:0]
        if timed.empty:
            return empty_figure("Slowest programs", "there are no timings of programs")
        top = timed.head(SLOWEST)
        figure, axes = row_figure([shorten(printable(label), 32) for label in top["label"]], 0.14 + 0.13 * len(modes))
        thickness = 0.78 / len(modes)
        for i, mode in enumerate(modes):
            y = np.arange(len(top)) + (i - (len(modes) - 1) / 2) * thickness
            values = 100 * top[f"{mode}_share"].to_numpy(dtype=float)
            axes.barh(y, values, height=thickness * 0.92, color=mode_colour(mode), label=printable(mode))
        greatest = top[[f"{mode}_share" for mode in modes]].max(axis=1)
        for position, (share, end) in enumerate(zip(top[shares], greatest, strict=True)):
            axes.annotate(percent(share), (100 * end, position), (5, 0), textcoords="offset points", va="center")
        axes.set_xlim(0, 100 * greatest.max() * 1.15)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}%"))
        axes.set_xlabel(f"share of the time inside evaluations (figures: {baseline})")
        if len(modes) > 1:
            axes.legend(loc="lower right")
        first, total = top.iloc[0], top[shares].sum()
        figure_title(
            figure,
            f"{shorten(printable(first['label']), 32)} takes {percent(first[shares])} of the time"
            if first[shares] >= total / 2 or len(top) == 1
            else f"{len(top)} of {count(len(timed))} programs take {percent(total)} of the time",
        )
        return figure


def time_per_family(run: Run) -> Figure:
    """Share of the primitives' self time per family, in each mode that was profiled, with the first one's calls."""
    with styled():
        table, modes = family_table(run), profiled_modes(run)
        modes = [mode for mode in modes if table[f"{mode}_share"].notna().any()]
        if not modes:
            return empty_figure("Time per primitive family", "there is no profile of the primitives")
        first = modes[0]
        figure, axes = row_figure([printable(family) for family in table["family"]], 0.14 + 0.16 * len(modes))
        thickness = 0.62 if len(modes) == 1 else 0.8 / len(modes)
        for i, mode in enumerate(modes):
            y = np.arange(len(table)) + (i - (len(modes) - 1) / 2) * thickness
            shares = 100 * table[f"{mode}_share"].fillna(0).to_numpy(dtype=float)
            axes.barh(y, shares, height=thickness * 0.92, color=mode_colour(mode), label=printable(mode))
            for position, (_, row) in zip(y, table.iterrows(), strict=True):
                if not is_missing(row[f"{mode}_calls"]):
                    text = f"{percent(row[f'{mode}_share'])}, {count(row[f'{mode}_calls'])} calls"
                    end = (100 * row[f"{mode}_share"], position)
                    axes.annotate(text, end, (5, 0), textcoords="offset points", va="center", fontsize=8)
        greatest = max(float(table[f"{mode}_share"].max()) for mode in modes)
        axes.set_xlim(0, 100 * greatest * 1.45)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}%"))
        total = duration(table[f"{first}_seconds"].sum())
        axes.set_xlabel(f"share of the self time in primitives, counted ({printable(first)}: {total})")
        if len(modes) > 1:
            axes.legend(loc="lower right")
        top = table.sort_values(f"{first}_share", ascending=False).iloc[0]
        share = percent(top[f"{first}_share"])
        of_mode = "the time" if len(modes) == 1 else f"the {printable(first)} time"
        figure_title(figure, f"Primitives of the family {printable(top['family'])} take {share} of {of_mode}")
        return figure


def block_distribution(run: Run) -> Figure:
    """Time per evaluation of every timed block of each mode, relative to the mode's median, with its interval."""
    with styled():
        done = run.blocks[(run.blocks["evaluations"] > 0) & (run.blocks["wall_s"] > 0)].sort_values("block")
        modes = [mode for mode in measured_modes(run) if (done["mode"] == mode).any()]
        if not modes:
            return empty_figure("Distribution of the timings", "there are no timed blocks")
        figure, axes = row_figure([printable(mode) for mode in modes], 0.6)
        axes.axvline(0, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        widths = {}
        for y, mode in enumerate(modes):
            blocks = done[done["mode"] == mode]
            each = (blocks["wall_s"] / blocks["evaluations"]).to_numpy(dtype=float)
            middle = median_interval(each, run.confidence)
            change = 100 * (each / middle.median - 1)
            colour = mode_colour(mode)
            if not is_missing(middle.low):
                low, high = (100 * (bound / middle.median - 1) for bound in (middle.low, middle.high))
                axes.barh(y, high - low, left=low, height=0.5, color=colour, alpha=0.22)
            # Blocks in their order from top to bottom, so that none hides another and drift shows as a slope.
            heights = y + (np.arange(len(change)) / max(1, len(change) - 1) - 0.5) * 0.5
            axes.plot(change, heights, "o", color=colour, markersize=3.5)
            widths[mode] = float(np.quantile(change, 0.75) - np.quantile(change, 0.25))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+g}%" if value else "0"))
        axes.set_xlabel("time per evaluation, against the median (band: its interval)")
        widest = max(widths, key=lambda mode: widths[mode])
        figure_title(figure, f"The middle half of the blocks of {printable(widest)} spans {number(widths[widest])}%")
        return figure


def timings_by_block(run: Run) -> Figure:
    """Wall seconds of each timed block in order, per mode, with the median and its interval: shows drift."""
    with styled():
        modes = measured_modes(run)
        if not modes:
            return empty_figure("Wall time of each block", "there are no timed blocks")
        figure = Figure(figsize=(WIDTH, 0.75 + 1.25 * len(modes)))
        grid = figure.subplots(len(modes), 1, sharex=True, squeeze=False)
        changes = []
        for axes, mode in zip(grid[:, 0], modes, strict=True):
            blocks = run.blocks[run.blocks["mode"] == mode].sort_values("block")
            middle = median_interval(blocks["wall_s"].to_numpy(), run.confidence)
            colour = mode_colour(mode)
            axes.axhline(middle.median, color=colour, linewidth=1)
            if not is_missing(middle.low):
                axes.axhspan(middle.low, middle.high, color=colour, alpha=0.18, linewidth=0)
            axes.plot(blocks["block"] + 1, blocks["wall_s"], "o-", color=colour, markersize=3.5, linewidth=0.8)
            # At least 5% around the median, so that small noise does not fill the axis.
            reach = max(0.05 * middle.median, 1.15 * (blocks["wall_s"] - middle.median).abs().max())
            axes.set_ylim(middle.median - reach, middle.median + reach)
            axes.yaxis.set_major_locator(MaxNLocator(3))
            axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
            axes.set_ylabel("wall time (s)")
            axes.grid(axis="y")
            axes.text(0, 1.02, printable(mode), transform=axes.transAxes, va="bottom", color=INK)
            half = len(blocks) // 2
            if half:
                walls = blocks["wall_s"].to_numpy()
                changes.append((float(np.median(walls[-half:]) / np.median(walls[:half])) - 1, mode))
        grid[-1, 0].set_xlabel("timed block, in order (line: median, band: its interval)")
        title = "Wall time of each block"
        if changes:
            change, mode = max(changes, key=lambda item: abs(item[0]))
            if abs(change) < DRIFT:
                title = f"Steady: both halves of the blocks agree within {percent(abs(change))}"
            else:
                word = "more" if change > 0 else "less"
                title = f"Drift: in its second half {printable(mode)} takes {percent(abs(change))} {word} time"
        figure_title(figure, title)
        return figure


PLOTS: dict[str, Callable[[Run], Figure]] = {
    "throughput_by_mode": throughput_by_mode,
    "speedup_by_mode": speedup_by_mode,
    "timings_by_block": timings_by_block,
    "block_distribution": block_distribution,
    "slowest_programs": slowest_programs,
    "time_per_family": time_per_family,
}


def write_plots(run: Run, folder: Path, figures: Mapping[str, Figure] | None = None) -> list[Path]:
    """Write plots as ``<name>.svg`` and ``<name>.png`` (192 dpi, on white) into ``folder``, made if needed.

    Each file is written whole or not at all. Returns the paths.

    Args:
        run: what to plot.
        folder: where to write.
        figures: those that are drawn already, by name; None draws ``PLOTS``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in (figures or {name: plot(run) for name, plot in PLOTS.items()}).items():
        document = svg_document(figure)
        image = io.BytesIO()
        with styled():
            figure.savefig(image, format="png", dpi=192, facecolor="white", metadata={"Software": None})
        for suffix, data in ((".svg", document), (".png", image.getvalue())):
            write_atomic(folder / f"{name}{suffix}", data)
            paths.append(folder / f"{name}{suffix}")
    return paths
