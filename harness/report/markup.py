"""HTML that escapes itself: text becomes markup in one way only, through ``tag``."""

from __future__ import annotations

from html import escape

from harness.report.format import visible

VOID = frozenset({"meta", "link", "input", "br", "hr", "img", "col"})


class Html(str):
    """Markup that is safe to put into a page as it is."""

    __slots__ = ()


def markup(text: str) -> Html:
    """``text`` escaped, unless it is markup already."""
    return text if isinstance(text, Html) else Html(escape(visible(text)))


def join(*parts: str) -> Html:
    """Parts in a row, each escaped unless it is markup."""
    return Html("".join(markup(part) for part in parts))


def tag(name: str, /, *children: str, **attributes: str | bool | None) -> Html:
    """An element. An attribute of True has no value, one of None or False is left out.

    ``class_`` is class, and other underscores are hyphens: ``aria_label="..."``.
    """
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(visible(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{join(*children)}</{name}>")
