"""The plot of one GPU check: throughput against the size of a batch, by lanes, end to end and in the kernel."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.atomic import write_atomic
from harness.report.format import count, number, printable, shorten
from harness.report.index_plots import MARKERS, batch_axes
from harness.report.plots import empty_figure, figure_title
from harness.report.style import INK, SERIES, WIDTH, mode_colour, styled
from harness.report.svg import svg_document

Rows = Sequence[Mapping[str, Any]]


def _curves(result: Mapping[str, Any]) -> dict[str, Rows]:
    """The curves of a result by what they are called; those of a number of lanes from which nothing was left out."""
    by_lanes = result.get("curve_by_lanes", ())
    curves: dict[str, Rows] = {"lanes as chosen": result.get("curve", ())}
    curves["32 lanes a pair"] = [own for own in by_lanes if own["lanes"] == 32]
    curves["1 lane a pair"] = [own for own in by_lanes if own["lanes"] == 1]
    return {name: rows for name, rows in curves.items() if rows}


def _draw(axes: Axes, result: Mapping[str, Any]) -> list[float]:
    """Draw all lines; return the rates on them."""
    rates: list[float] = []
    for i, (name, rows) in enumerate(_curves(result).items()):
        colour, marker = SERIES[i + 1][0], MARKERS[i]  # the first is that of sequential
        sizes = [own["evaluations"] for own in rows]
        for key, label, style in (("evaluations_per_s", "", "-"), ("kernel_evaluations_per_s", ", kernel only", "--")):
            found = [own[key] for own in rows]
            axes.plot(sizes, found, color=colour, marker=marker, markersize=4, linestyle=style, label=f"{name}{label}",
                      fillstyle="full" if style == "-" else "none")  # fmt: skip
            rates += found
    sequential = result.get("differences", {}).get("sequential_evaluations_per_s")
    whole = result.get("end_to_end", ())
    if whole and sequential:
        found = [own["evaluations"] / own["s"] for own in whole]
        axes.plot([own["evaluations"] for own in whole], found, color=INK, marker="*", linestyle=":", markersize=6,
                  label="tuples in, tuples out")  # fmt: skip
        rates += found
    if sequential:
        axes.axhline(sequential, color=mode_colour("sequential"), linewidth=1, linestyle="-.", label="sequential")
        rates.append(sequential)
    return rates


def gpu_check_figure(result: Mapping[str, Any]) -> Figure:
    """Throughput of a GPU against the size of a batch, from what ``make gpu-check`` wrote."""
    with styled():
        gpu = shorten(printable(result["gpu"]), 40)
        curve = result.get("curve", ())
        if not curve:
            return empty_figure(f"{gpu}: throughput by batch size", "the part speed of gpu-check is missing")
        figure = Figure(figsize=(WIDTH, 4.2))
        axes = figure.add_subplot()
        batch_axes(axes, _draw(axes, result))
        figure.legend(loc="outside lower center", ncols=2)
        best = max(curve, key=lambda own: own["evaluations_per_s"])
        figure_title(figure, f"{gpu} does {number(best['evaluations_per_s'])} evaluations/s in batches of "
                             f"{count(best['evaluations'])}")  # fmt: skip
        return figure


def write_plot(path: Path) -> Path:
    """Draw the result in a file as an SVG beside it; return where.

    Raises:
        OSError, ValueError: the file cannot be read.
    """
    figure = gpu_check_figure(json.loads(path.read_text(encoding="utf-8")))
    target = path.with_suffix(".svg")
    write_atomic(target, svg_document(figure))
    return target
