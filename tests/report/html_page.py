"""Read a page back, without a browser."""

from __future__ import annotations

from html.parser import HTMLParser

from harness.report.markup import VOID


class Page(HTMLParser):
    """A page read back: checks that tags balance, and keeps elements, and the rows of tables by the tables' ids."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.tables, self.words = [], [], {}, []
        self.table = self.cell = None
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name in VOID:
            return
        self.open.append(name)
        if name == "table":
            self.table = self.tables.setdefault(dict(attributes)["id"], [])
        elif name == "tr":
            self.table.append([])
        elif name in ("td", "th"):
            self.table[-1].append("")

    def handle_startendtag(self, name, attributes):
        self.elements.append((name, dict(attributes)))

    def handle_endtag(self, name):
        assert self.open and self.open[-1] == name, f"</{name}> closes {self.open[-3:]}, line {self.getpos()[0]}"
        self.open.pop()

    def handle_data(self, data):
        if not {"script", "style"}.intersection(self.open):
            self.words.append(data)
        if self.table and self.table[-1] and {"td", "th"}.intersection(self.open):
            self.table[-1][-1] += data

    @property
    def text(self):
        return " ".join("".join(self.words).split())
