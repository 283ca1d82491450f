"""The parts that the pages share: tables and their cells, bars, names of modes, badges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from harness.report.format import is_missing, percent, printable, shorten
from harness.report.markup import Html, join, tag
from harness.report.style import mode_colour

DASH = "\N{EN DASH}"
NAME_LENGTH = 120
# How pages colour a verdict, a status or a finding; what is not listed is neither good nor bad.
LEVELS = {
    **dict.fromkeys(("good", "pass", "complete", "faster"), "good"),
    **dict.fromkeys(("bad", "fail", "failed", "damaged", "slower"), "bad"),
    **dict.fromkeys(("unclear", "unproven", "interrupted", "running", "ambiguous"), "unclear"),
}


def badge(word: Any) -> Html:
    """A verdict or status in its colour; the word itself says what it is."""
    text = shorten(printable(word), 24) or "unknown"
    return tag("span", text, class_=f"badge {LEVELS.get(text, 'soft')}")


def cell(value: Any, text: str | Html) -> Html:
    """A right-aligned cell that sorts by ``value``; a dash where it is missing."""
    if is_missing(value):
        return tag("td", tag("span", DASH, class_="none", title="not measured"), class_="n")
    return tag("td", text, class_="n", data_v=f"{float(value):.9g}")


def column_heads(*columns: str | tuple[str, str]) -> list[Html]:
    """Column heads; a pair is (class, text)."""
    return [
        tag("th", column, scope="col")
        if isinstance(column, str)
        else tag("th", column[1], scope="col", class_=column[0])
        for column in columns
    ]


def data_table(
    caption: str, head: Sequence[Html], rows: Iterable[Html], *, name: str, tall: bool = False, sortable: bool = False
) -> Html:
    """A table with a caption, in a box that scrolls.

    Args:
        caption: what it shows.
        head: rows of the head.
        rows: rows of the body.
        name: its id.
        tall: the box has a greatest height, and the head stays in sight.
        sortable: the script lets readers sort it by the columns of the last row of the head.
    """
    table = tag(
        "table",
        tag("caption", tag("span", caption)),
        tag("thead", *head),
        tag("tbody", *rows),
        id=name,
        class_="sortable" if sortable else None,
    )
    # A box that scrolls must be reachable by keyboard, and then needs a name.
    return tag(
        "div", table, class_="scroll tall" if tall else "scroll", tabindex="0", role="region", aria_label=caption
    )


def filter_bar(table: str, noun: str, placeholder: str, *controls: Html) -> Html:
    """Controls that filter the rows of a table: a search for text, more controls, and how many rows are shown.

    The script shows the bar, which would do nothing without it. A ``<select data-key="k">`` keeps the rows whose
    ``data-k`` is its value; a checkbox with ``data-key="k"`` keeps the rows that have ``data-k``.
    """
    search = tag("label", "Filter ", tag("input", type="search", placeholder=placeholder))
    shown = tag("output", aria_live="polite", class_="soft")
    return tag(
        "div", search, *controls, shown,
        class_="filter", role="search", data_table=table, data_noun=noun, hidden=True,
    )  # fmt: skip


def mode_name(mode: str) -> Html:
    """A mode with its colour."""
    swatch = tag("span", class_="swatch", style=f"--mode:{mode_colour(mode)}")
    return tag("span", swatch, shorten(printable(mode), NAME_LENGTH), class_="mode")


def bar(share: Any, mode: str) -> Html:
    """A share of 1 as text, with a bar in the mode's colour."""
    if is_missing(share):
        return Html("")
    filled = tag("i", style=f"width:{100 * min(float(share), 1):.1f}%;--mode:{mode_colour(mode)}")
    return join(percent(share), tag("span", filled, class_="bar", aria_hidden="true"))
