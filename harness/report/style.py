"""The one look of all plots: sizes, inks, and a fixed colour per mode that colour-blind readers can tell apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import matplotlib as mpl

# Okabe and Ito, Color Universal Design (2008), in the order in which modes take them; black is left to the text.
MODE_COLOURS = {
    "sequential": "#0072b2",
    "parallel_cpu": "#e69f00",
    "native_cpu": "#009e73",
    "parallel_gpu": "#d55e00",
    "single_gpu": "#56b4e9",
    "eager_gpu": "#cc79a7",
    "eager_single_gpu": "#999999",
}
OTHER_COLOURS = ("#f0e442", "#b8a04a", "#7a6fac")

# Lines that are no modes, such as devices: also without colours one can tell them apart.
SERIES: tuple[tuple[str, Literal["-", "--", "-.", ":"]], ...] = (
    ("#0072b2", "-"),
    ("#d55e00", "--"),
    ("#009e73", "-."),
    ("#cc79a7", ":"),
    ("#56b4e9", "-"),
    ("#e69f00", "--"),
    ("#999999", "-."),
)

# The dashboard replaces these two by the page's own inks, which differ between light and dark: see svg.py.
INK = "#1b2430"
FAINT = "#8a94a3"
WIDTH = 5.6  # inches
ROW = 0.30  # inches per bar


def mode_colour(mode: str) -> str:
    """The colour of ``mode`` in every plot and table; that of an unknown mode follows from its name."""
    if mode in MODE_COLOURS:
        return MODE_COLOURS[mode]
    return OTHER_COLOURS[hashlib.sha256(mode.encode("utf-8", "replace")).digest()[0] % len(OTHER_COLOURS)]


_RC: dict[Any, Any] = {
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "text.color": INK,
    # A dollar sign in a program's name is no formula.
    "text.parse_math": False,
    "axes.facecolor": "none",
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "svg.fonttype": "none",
    # Ids in the SVG that depend on the content alone: the same run gives the same bytes.
    "svg.hashsalt": "harness.report",
}


@contextmanager
def styled() -> Iterator[None]:
    """Within this context figures are made, and saved, in the style of the reports."""
    with mpl.rc_context(_RC):
        yield
