"""What the pages have in common: frame, style sheet and script, in Python so that they travel with it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence

from harness.report.markup import Html, tag

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #1b2430; --soft: #556070; --faint: #8a94a3; --line: #dfe3e8;
  --tint: #eef1f4; --link: #00588a; --good: #00694c; --unclear: #8a5a00; --bad: #b03a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161b; --card: #1a2027; --ink: #e6eaef; --soft: #a7b1bd; --faint: #7d8895; --line: #313943;
    --tint: #222932; --link: #7cc4f2; --good: #4fcfa6; --unclear: #eab54f; --bad: #ff9864;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", "Liberation Sans", Arial, sans-serif;
}
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: .5rem 1rem; z-index: 9; }
header, main, footer { max-width: 74rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 2.5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; letter-spacing: -.015em; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; letter-spacing: -.01em; margin: 3rem 0 .3rem; scroll-margin-top: 3.5rem; }
h3 { font-size: 1rem; margin: 1.75rem 0 .4rem; }
p { margin: .4rem 0 .8rem; max-width: 46rem; }
a { color: var(--link); }
code, .name { font-family: ui-monospace, "SF Mono", "Cascadia Mono", "Liberation Mono", Menlo, Consolas, monospace;
  font-size: .9em; overflow-wrap: anywhere; }
.over { font-size: .8rem; font-weight: 600; color: var(--soft); margin: 0 0 .5rem; }
.soft { color: var(--soft); }
.meta { color: var(--soft); margin: 0; max-width: none; }
.badge { display: inline-block; border: 1px solid currentColor; border-radius: 1rem; padding: 0 .6rem;
  font-weight: 600;
  font-size: .8rem; white-space: nowrap; }
.good { color: var(--good); } .unclear { color: var(--unclear); } .bad { color: var(--bad); }
.meta .badge { margin-right: .4rem; }
.verdict { list-style: none; margin: 1.5rem 0 0; padding: 0; max-width: 56rem; font-size: 1.08rem; }
.verdict li { display: flex; gap: .7rem; align-items: baseline; margin: .4rem 0; }
.verdict .badge { flex: none; width: 5.2rem; text-align: center; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); gap: 1rem;
  margin: 1.5rem 0; }
.tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
.tile { padding: 1rem 1.2rem 1.1rem; border-top: 4px solid var(--mode); }
.tile h2 { margin: 0 0 .5rem; font-size: .95rem; }
.big { font-size: 2.1rem; line-height: 1.1; font-weight: 650; letter-spacing: -.02em;
  font-variant-numeric: tabular-nums; }
.big small { font-size: .85rem; font-weight: 400; letter-spacing: 0; color: var(--soft); }
.tile dl { display: grid; grid-template-columns: 1fr auto; gap: .1rem 1rem; margin: .8rem 0 0; font-size: .88rem; }
.tile dt { color: var(--soft); } .tile dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; }
.notes { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 0 2.5rem; }
.notes h2 { font-size: 1rem; margin: .5rem 0 .4rem; }
.notes ul { margin: 0; padding-left: 1.1rem; font-size: .94rem; } .notes li { margin: .3rem 0;
  overflow-wrap: anywhere; }
nav { position: sticky; top: 0; z-index: 5; background: var(--page); border-bottom: 1px solid var(--line);
  margin-top: 1.5rem; }
nav ul { display: flex; gap: .2rem 1.4rem; list-style: none; max-width: 74rem; margin: 0 auto; padding: .6rem 1.5rem;
  overflow-x: auto; white-space: nowrap; font-size: .92rem; }
nav a { text-decoration: none; } nav a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 2px; }
.plots { columns: 2; column-gap: 1rem; margin-top: 1rem; }
.plots.wide { columns: 1; }
figure { margin: 0 0 1rem; padding: 1rem 1.1rem .8rem; break-inside: avoid; overflow-x: auto; }
figure svg { display: block; max-width: 100%; height: auto; margin: 0 auto; }
figure svg * { stroke-linejoin: round; }
figure svg text {
  font-family: system-ui, -apple-system, "Segoe UI", "Liberation Sans", Arial, sans-serif !important; }
figcaption { color: var(--soft); font-size: .86rem; margin-top: .6rem; }
.scroll { overflow: auto; background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  margin: .8rem 0; }
.tall { max-height: 42rem; }
table { border-collapse: separate; border-spacing: 0; width: 100%; font-size: .88rem;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding: .6rem .8rem; font-size: .86rem; }
caption span { display: block; max-width: min(40rem, calc(100vw - 4rem)); }
th, td { padding: .38rem .6rem; text-align: left; vertical-align: top; border-top: 1px solid var(--line); }
thead th, thead td { border-top: 0; background: var(--tint); vertical-align: bottom; }
thead th { font-weight: 600; font-size: .82rem; }
.tall thead { position: sticky; top: 0; z-index: 2; }
thead th.group { border-left: 1px solid var(--line); border-bottom: 3px solid var(--mode, transparent); }
tbody th { font-weight: 400; max-width: 22rem; }
tbody tr:hover > * { background: var(--tint); }
.n { text-align: right; } td.n { white-space: nowrap; }
.none { color: var(--soft); }
.range { display: block; color: var(--soft); font-size: .84em; }
.swatch { display: inline-block; width: .7em; height: .7em; border-radius: 2px; background: var(--mode);
  margin-right: .45em; }
.mode { white-space: nowrap; }
.bar { display: inline-block; width: 4rem; height: .55em; margin-left: .6rem; background: var(--tint);
  border-radius: 2px;
  overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--mode); }
th .name { display: inline-block; min-width: 7.6rem; }
.wrap { min-width: 7.5rem; overflow-wrap: anywhere; }
th button { all: unset; cursor: pointer; font: inherit; padding-right: .9em; position: relative; }
th button:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
th button::after { content: "\\2195"; position: absolute; right: 0; opacity: .35; }
th[aria-sort=ascending] button::after { content: "\\2191"; opacity: 1; }
th[aria-sort=descending] button::after { content: "\\2193"; opacity: 1; }
.filter { display: flex; flex-wrap: wrap; gap: .5rem 1.2rem; align-items: center; margin: .8rem 0 0;
  font-size: .92rem; }
.filter[hidden] { display: none; }
.filter input[type=search], select { font: inherit; color: inherit; background: var(--card);
  border: 1px solid var(--faint); border-radius: .35rem; padding: .3rem .6rem; width: 16rem; max-width: 100%; }
.filter button { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--faint);
  border-radius: .35rem; padding: .3rem .8rem; cursor: pointer; }
select { width: auto; max-width: min(24rem, calc(100vw - 4.5rem)); }
details { margin: .8rem 0; } summary { cursor: pointer; color: var(--link); }
pre { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem;
  overflow-x: auto; }
footer { color: var(--soft); font-size: .86rem; padding-top: 2.5rem; padding-bottom: 3rem; }
@media (max-width: 60rem) { .plots { columns: 1; } }
@media (max-width: 40rem) {
  header, main, footer { padding-left: 1rem; padding-right: 1rem; }
  nav ul { padding-left: 1rem; padding-right: 1rem; }
  header { padding-top: 1.5rem; } h1 { font-size: 1.5rem; }
  .verdict li { display: block; } .verdict .badge { margin-right: .5rem; }
  figure { padding: .8rem .6rem; } figure svg { width: 100% !important; max-width: none; min-width: 26rem; }
  .plots.wide figure svg { min-width: 52rem; }
  .wrap { min-width: 17rem; }
}
@media print {
  :root { --page: #fff; --card: #fff; --ink: #000; --soft: #444; --faint: #777; --line: #bbb; --tint: #f2f2f2;
    --link: #000; --good: #00694c; --unclear: #8a5a00; --bad: #b03a00; color-scheme: light; }
  body { font-size: 9.5pt; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  header, main, footer { max-width: none; padding: 0; }
  nav, .filter, .skip { display: none; }
  .scroll, .tall { overflow: visible; max-height: none; border: 0; } .tall thead { position: static; }
  table { font-size: 7.5pt; } th, td { padding: .2rem .35rem; } .bar { display: none; }
  tbody th, .wrap { min-width: 0; }
  tr, figure, .tile, .card { break-inside: avoid; } h2, h3 { break-after: avoid; }
  th button { display: contents; } th button::after { content: ""; }
}
"""

# Sorts and filters tables that are complete without it.
SCRIPT = """
"use strict";
const value = (row, column) => {
  const cell = row.cells[column];
  if (!cell.dataset.v && cell.classList.contains("n")) return null;
  return cell.dataset.v ? Number(cell.dataset.v) : cell.textContent;
};
const compare = (a, b) => typeof a === "number" && typeof b === "number" ? a - b
  : String(a).localeCompare(String(b), undefined, {numeric: true});
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const numeric = head.classList.contains("n");
      const old = head.getAttribute("aria-sort");
      const down = old ? old === "ascending" : numeric;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...table.tBodies[0].rows].map(row => [value(row, column), row]);
      // What was not measured stays last, whichever way.
      rows.sort(([a], [b]) => a === null || b === null ? (a === null) - (b === null)
        : down ? compare(b, a) : compare(a, b));
      table.tBodies[0].append(...rows.map(([, row]) => row));
    });
  });
}
for (const bar of document.querySelectorAll(".filter[data-table]")) {
  const rows = [...document.getElementById(bar.dataset.table).tBodies[0].rows];
  const search = bar.querySelector("input[type=search]");
  const boxes = [...bar.querySelectorAll("input[type=checkbox]")];
  const choices = [...bar.querySelectorAll("select")];
  const status = bar.querySelector("output");
  const update = () => {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const text = `${row.textContent} ${row.cells[0].title}`.toLowerCase();
      row.hidden = !text.includes(wanted)
        || boxes.some(box => box.checked && !(box.dataset.key in row.dataset))
        || choices.some(choice => choice.value && row.dataset[choice.dataset.key] !== choice.value);
      shown += !row.hidden;
    }
    status.textContent = `${shown} of ${rows.length} ${bar.dataset.noun}`;
  };
  for (const control of [search, ...boxes, ...choices]) {
    control.addEventListener(control === search ? "input" : "change", update);
  }
  bar.hidden = false;
  update();
}
"""


def render_page(
    title: str,
    header: Html,
    sections: Sequence[tuple[str, str, Html]],
    footer: str,
    *,
    script: str = "",
    data: object = None,
) -> str:
    """A whole page as text; it needs no other file, and no network.

    Args:
        title: of the window.
        header: what stands above the links to the sections.
        sections: (id, title, body) of each.
        footer: the last line.
        script: what runs after the script that sorts and filters.
        data: for the script, any value that JSON can hold: ``document.getElementById("data").textContent``.
    """
    code = SCRIPT + script
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    # The policy lets no other script run than ours, and nothing be fetched.
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", Html(STYLE)),
    )
    links = [tag("li", tag("a", name, href=f"#{key}")) for key, name, _ in sections]
    bodies = [tag("section", tag("h2", name, id=key), body, aria_labelledby=key) for key, name, body in sections]
    parts = [
        tag("a", "Skip to the results", class_="skip", href=f"#{sections[0][0]}"),
        header,
        tag("nav", tag("ul", *links), aria_label="Sections"),
        tag("main", *bodies),
        tag("footer", footer),
    ]
    if data is not None:
        # In a script element nothing is escaped but what could end it, or begin a comment.
        text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
        parts.append(tag("script", Html(text), type="application/json", id="data"))
    body = tag("body", *parts, tag("script", Html(code)))
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"
