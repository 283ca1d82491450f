"""The plots that only a run with a device has: its timeline, what its opcodes cost, and what fell back."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from harness.report.devices import device_modes, device_share, has_device_data, opcode_table, series, spans, utilization
from harness.report.format import count, is_missing, percent, printable, shorten
from harness.report.frames import Run, in_mode_order
from harness.report.plots import PLOTS, empty_figure, figure_title, row_figure
from harness.report.style import FAINT, INK, SERIES, WIDTH, mode_colour, styled
from harness.report.tables import mode_table
from harness.report.verify_utilization import plain_uuid

MOST_POINTS = 400
MOST_OPCODES = 12
# Bits of nvml.h: software power cap, hardware slowdown, software and hardware thermal, power brake.
_THROTTLED = 0x04 | 0x08 | 0x20 | 0x40 | 0x80

PANELS = (
    ("gpu_utilization", "GPU busy (%)", 100.0),
    ("memory_used_bytes", "memory (GiB)", 2.0**-30),
    ("power_w", "power (W)", 1.0),
    ("sm_clock_mhz", "SM clock (MHz)", 1.0),
    ("temperature_c", "temperature (°C)", 1.0),
)


def throttled(reasons: pd.Series[int]) -> pd.Series[bool]:
    """Whether each sample names a reason that slows the device down; being idle, or a set clock, is none."""
    return (reasons.fillna(0).astype("int64") & _THROTTLED) > 0


def line(samples: pd.DataFrame, column: str) -> pd.DataFrame:
    """A quantity of one device as points of a line, at most ``MOST_POINTS``: each the mean of so many neighbours.

    Where nothing was read for long, there is a point without a value, so that the line has a gap.
    """
    rows = series(samples, column)
    step = -(-len(rows) // MOST_POINTS) or 1
    rows = rows.groupby(np.arange(len(rows)) // step).mean()
    pauses = rows["t_s"].diff()
    after = rows.index[pauses > 5 * pauses.median()]
    gaps = pd.DataFrame({"t_s": rows["t_s"].reindex(after) - pauses.reindex(after) / 2, column: np.nan})
    return pd.concat([rows, gaps]).sort_values("t_s", ignore_index=True) if len(gaps) else rows


def gpu_timeline(run: Run) -> Figure:
    """Utilization, memory, power, SM clock and temperature of each device over the run, with modes and blocks."""
    with styled():
        samples = run.gpu_samples
        samples = samples[samples["t_s"].notna()]
        if samples.empty:
            return empty_figure("GPUs over the run", "there are no NVML samples")
        figure = Figure(figsize=(2 * WIDTH, 7.6))
        strip, *panels = figure.subplots(
            1 + len(PANELS), 1, sharex=True, gridspec_kw={"height_ratios": [0.35] + [1] * len(PANELS)}
        )
        devices = sorted(samples["device"].dropna().unique())
        marked = spans(run)
        modes = in_mode_order(marked["mode"])
        _strip(strip, marked, modes)
        for axes, (column, label, scale) in zip(panels, PANELS, strict=True):
            _shade(axes, marked, modes)
            axes.set_ylabel(label)
            axes.grid(axis="y")
            axes.yaxis.set_major_locator(MaxNLocator(4))
            for i, device in enumerate(devices):
                rows = line(samples[samples["device"] == device], column)
                colour, dashes = SERIES[i % len(SERIES)]
                axes.plot(rows["t_s"], rows[column] * scale, color=colour, linestyle=dashes, linewidth=1.3)
            if not samples[column].notna().any():
                axes.text(0.01, 0.5, "not reported by the driver", transform=axes.transAxes, style="italic", color=INK)
                axes.set_yticks([])
            elif column == "gpu_utilization":
                axes.set_ylim(-3, 103)
            elif column != "temperature_c":
                axes.set_ylim(0, 1.12 * float(samples[column].max()) * scale or 1.0)
        slow = samples[throttled(samples["throttle_reasons"])]
        if len(slow):
            axes = panels[3]
            width = float(samples["t_s"].max() - samples["t_s"].min()) / MOST_POINTS or 1.0
            times = np.unique(np.floor(slow["t_s"].to_numpy(dtype=float) / width)) * width
            axes.plot(times, [0.03] * len(times), "|", color="#d55e00", transform=axes.get_xaxis_transform())
            axes.set_ylabel("SM clock (MHz)\n| throttled")
        figure.align_ylabels(panels)
        panels[-1].set_xlabel("seconds since the run's start")
        lines = [
            Line2D([], [], color=colour, linestyle=dashes, label=_device_name(run, samples, device))
            for device, (colour, dashes) in zip(devices, itertools.cycle(SERIES), strict=False)
        ]
        marks = [Patch(color=mode_colour(mode), label=f"block of {printable(mode)}") for mode in modes]
        figure.legend(handles=[*lines, *marks], loc="outside lower center", ncols=3)
        figure_title(figure, _timeline_title(run))
        return figure


def _strip(axes: Axes, marked: pd.DataFrame, modes: list[str]) -> None:
    """Every timed block in the colour of its mode; what a mode does outside of blocks is paler."""
    for mode in modes:
        its = marked[marked["mode"] == mode]
        for timed, alpha in ((True, 1.0), (False, 0.35)):
            chosen = its[its["block"].notna() == timed]
            bars = list(zip(chosen["start_s"], chosen["end_s"] - chosen["start_s"], strict=True))
            axes.broken_barh(bars, (0, 1), facecolor=mode_colour(mode), edgecolor="none", alpha=alpha)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.set_ylabel("blocks", rotation=0, ha="right", va="center")
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(axis="x", length=0)


def _shade(axes: Axes, marked: pd.DataFrame, modes: list[str]) -> None:
    transform = axes.get_xaxis_transform()
    for mode in modes:
        its = marked[(marked["mode"] == mode) & marked["block"].notna()]
        bars = list(zip(its["start_s"], its["end_s"] - its["start_s"], strict=True))
        axes.broken_barh(bars, (0, 1), facecolor=mode_colour(mode), alpha=0.12, linewidth=0, transform=transform)


def _device_name(run: Run, samples: pd.DataFrame, device: int) -> str:
    uuids = samples.loc[samples["device"] == device, "uuid"].dropna()
    own = run.devices["uuid"].map(plain_uuid, na_action="ignore").isin({plain_uuid(uuid) for uuid in uuids})
    known = run.devices.loc[own, "name"].dropna()
    return f"GPU {device}" + (f": {shorten(printable(known.iloc[0]), 32)}" if len(known) else "")


def _timeline_title(run: Run) -> str:
    found = [(mode, utilization(run, mode)) for mode in device_modes(run)]
    said = [f"{printable(mode)} kept the GPUs {percent(share)} busy" for mode, share in found if not is_missing(share)]
    return "; ".join(said) or "No timed block of a GPU mode was sampled"


def device_against_fallback(run: Run) -> Figure:
    """Of each mode that compiles programs: the share of the evaluations that it did itself, and what fell back."""
    with styled():
        table = mode_table(run)
        table = table[table["fell_back"].notna() & (table["first_calls"].fillna(0).astype(float) > 0)]
        if table.empty:
            return empty_figure("Device against fallback", "no mode of the run compiles programs")
        figure, axes = row_figure([printable(mode) for mode in table["mode"]], 0.45)
        for y, (_, row) in enumerate(table.iterrows()):
            fell_back = 100 * float(row["fell_back"]) / float(row["first_calls"])
            axes.barh(y, 100 - fell_back, height=0.55, color=mode_colour(row["mode"]))
            axes.barh(y, fell_back, left=100 - fell_back, height=0.55, color="none", edgecolor=INK, hatch="////",
                      linewidth=0.6)  # fmt: skip
            text = f"{percent(1 - fell_back / 100)} itself, {count(row['fell_back'])} fell back"
            if row["mode"] in device_modes(run) and is_missing(device_share(run, row["mode"])):
                text += " (no device counters)"
            axes.annotate(text, (100, y), (6, 0), textcoords="offset points", va="center", fontsize=8)
        axes.set_xlim(0, 160)
        axes.set_xticks([0, 25, 50, 75, 100])
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}%"))
        axes.set_xlabel("share of the evaluations of the first pass (hatched: by the reference)")
        shares = table["fell_back"].astype(float) / table["first_calls"].astype(float)
        worst, share = table["mode"].iloc[int(shares.argmax())], float(shares.max())
        figure_title(
            figure,
            f"{percent(share)} of the evaluations of {printable(worst)} fell back"
            if share
            else "Nothing fell back to the reference",
        )
        return figure


def opcode_costs(run: Run) -> Figure:
    """The opcodes that take the most of a mode's device cycles, or, where none were counted, of its executions."""
    with styled():
        table = opcode_table(run)
        measure = "cycles" if table["cycles_share"].notna().any() else "executions"
        table = table[table[f"{measure}_share"].notna()]
        if table.empty:
            return empty_figure("Opcodes on the device", "there are no counters of a device")
        mode = str(table["mode"].iloc[0])
        top = table[table["mode"] == mode].head(MOST_OPCODES)
        figure, axes = row_figure([shorten(printable(opcode), 32) for opcode in top["opcode"]], 0.34)
        y = np.arange(len(top))
        both = measure == "cycles"
        shares = 100 * top[f"{measure}_share"].to_numpy(dtype=float)
        axes.barh(y - 0.18 * both, shares, height=0.34 if both else 0.6, color=mode_colour(mode), label=measure)
        if both:
            executed = 100 * top["executions_share"].to_numpy(dtype=float)
            axes.barh(y + 0.18, executed, height=0.34, color=FAINT, label="executions")
            axes.legend(loc="lower right")
        drawn = top[[f"{measure}_share", "executions_share"]].astype(float).max(axis=1)
        for position, (_, row) in enumerate(top.iterrows()):
            text = f"{percent(row[f'{measure}_share'])}, {count(row['executions'])} executions"
            axes.annotate(text, (100 * drawn.iloc[position], position), (5, 0), textcoords="offset points", va="center",
                          fontsize=8)  # fmt: skip
        axes.set_xlim(0, 100 * float(drawn.max()) * 1.6)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}%"))
        axes.set_xlabel(f"share of all {'' if both else 'executions '}on the devices in {printable(mode)}")
        first, verb = top.iloc[0], "takes" if both else "is"
        of = f"{percent(first[f'{measure}_share'])} of the {measure}"
        figure_title(figure, f"{printable(first['opcode'])} {verb} {of}")
        return figure


GPU_PLOTS: dict[str, Callable[[Run], Figure]] = {
    "gpu_timeline": gpu_timeline,
    "device_against_fallback": device_against_fallback,
    "opcode_costs": opcode_costs,
}


def draw_plots(run: Run) -> dict[str, Figure]:
    """Draw all plots of a run, by name: ``PLOTS``, and ``GPU_PLOTS`` where there are devices."""
    return {name: plot(run) for name, plot in (PLOTS | GPU_PLOTS if has_device_data(run) else PLOTS).items()}
