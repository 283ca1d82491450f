"""Figures as SVG: a document for a file, and a fragment that becomes part of an HTML page."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from weakref import WeakKeyDictionary

from matplotlib.figure import Figure

from harness.report.style import FAINT, INK, styled

_DROPPED = ("metadata", "style")
# Attributes in which an id may stand, as #id.
_REFERENCES = ("href", "clip-path", "style", "fill")
_CONTENT = '<g id="figure_1">'
_WHITE = '<rect width="100%" height="100%" fill="#ffffff"/>'
_SAVED: WeakKeyDictionary[Figure, str] = WeakKeyDictionary()


def svg_document(figure: Figure) -> str:
    """``figure`` as a stand-alone SVG document on white."""
    return _saved(figure).replace(_CONTENT, f"{_WHITE}\n {_CONTENT}", 1)


def svg_fragment(figure: Figure, name: str, label: str) -> str:
    """``figure`` as an ``<svg>`` element for an HTML page, transparent, drawn in the page's own inks.

    Args:
        figure: what to draw.
        name: letters, digits and underscores; prefixed to every id, so that several fragments fit in one page.
        label: what a screen reader says for the whole picture.
    """
    # Matplotlib wrote it a moment ago: no entities, no foreign document types.
    root = ET.fromstring(_saved(figure))
    for element in list(root.iter()):
        element.tag = _local(element.tag)
        for child in [child for child in element if _local(child.tag) in _DROPPED]:
            element.remove(child)
        # HTML knows the namespaces by itself.
        attributes = {_local(key): value for key, value in element.attrib.items()}
        if "id" in attributes:
            attributes["id"] = f"{name}-{attributes['id']}"
        for key in _REFERENCES:
            if "#" in attributes.get(key, ""):
                attributes[key] = _adapted(attributes[key], name)
        element.attrib.clear()
        element.attrib.update(attributes)
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.attrib |= {"role": "img", "aria-label": label, "style": f"width:{figure.get_figwidth():.2f}in"}
    return ET.tostring(root, encoding="unicode")


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _adapted(value: str, name: str) -> str:
    """An attribute with the page's inks for ours, and ids as prefixed above."""
    value = value.replace(INK, "var(--ink)").replace(FAINT, "var(--faint)")
    if value.startswith("#"):
        return f"#{name}-{value[1:]}"
    return value.replace("url(#", f"url(#{name}-")


def _saved(figure: Figure) -> str:
    """Save a figure once, however many ask: a report shows it in its page, and has it as a file."""
    if figure not in _SAVED:
        buffer = io.BytesIO()
        with styled():
            figure.savefig(buffer, format="svg", facecolor="none", metadata={"Date": None, "Creator": None})
        figure.set_layout_engine("none")  # which keeps what was laid out: that is half of the work of saving it again
        _SAVED[figure] = buffer.getvalue().decode("utf-8")
    return _SAVED[figure]
