"""The pages in a real browser: headless Chromium, by its own driver."""

from __future__ import annotations

import base64
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from synthetic_run import HOSTILE

from harness.measure.compare import compare
from harness.report.comparison import compare_runs
from harness.report.frames import load_run
from harness.report.index import write_index
from harness.report.summary import read_summary
from harness.report.tables import block_rates
from harness.report.write import write_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Chromium and its driver (Debian: apt-get install chromium chromium-driver)"
)
PHONE, DESK = (390, 844), (1280, 1000)


class Browser:
    """A headless Chromium, light or dark, as wide as is asked for."""

    def __init__(self) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))

    def show(self, page: Path, *, dark: bool = False, size: tuple[int, int] = DESK, media: str = "screen") -> None:
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.command("Emulation.setEmulatedMedia", media=media, features=features)
        width, height = size
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        self.driver.get_log("browser")
        self.driver.get(page.as_uri())

    def command(self, name: str, **values: object) -> dict:
        return self.driver.execute_cdp_cmd(name, values)

    def js(self, code: str, *values: object) -> object:
        return self.driver.execute_script(code, *values)

    def all(self, selector: str) -> list:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def column(self, table: str, number: int) -> list[str]:
        """The texts of a column in the rows that are shown."""
        return self.js(
            "return [...document.querySelectorAll(`#${arguments[0]} tbody tr`)].filter(row => !row.hidden)"
            ".map(row => row.cells[arguments[1]].innerText)",
            table,
            number,
        )

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def picture(self, path: Path) -> Image.Image:
        """The whole page, kept in ``path`` for who wants to look at it."""
        size = self.command("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        data = base64.b64decode(shot["data"])
        path.write_bytes(data)
        return Image.open(io.BytesIO(data)).convert("RGB")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = Browser()
    yield found
    found.driver.quit()


@pytest.fixture(scope="module")
def results(pristine: Path, pristine_gpu: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine local runs that differ, a hostile one, a GPU run, and a damaged one; the GPU run has its report."""
    folder = tmp_path_factory.mktemp("browser") / "results"
    generator = np.random.default_rng(5)
    for i in range(9):
        run = shutil.copytree(pristine, folder / f"2025120{i + 1}-local")
        rows = pd.read_parquet(run / "blocks.parquet")
        rows["wall_s"] *= 1 + 0.05 * generator.standard_normal() * (rows["mode"] == "parallel_cpu")
        rows.to_parquet(run / "blocks.parquet")
        record = json.loads((run / "run.json").read_text())
        record |= {"name": run.name, "started": f"2025-12-0{i + 1}T02:23:00+00:00"}
        (run / "run.json").write_text(json.dumps(record))
    hostile = folder / "20251203-local"
    config = yaml.safe_load((hostile / "config.yaml").read_text()) | {"name": HOSTILE, "data": HOSTILE}
    (hostile / "config.yaml").write_text(yaml.safe_dump(config))
    shutil.copytree(pristine_gpu, folder / pristine_gpu.name)
    write_report(folder / pristine_gpu.name)
    (folder / "empty").mkdir()
    checks = folder / "gpu-check"
    checks.mkdir()
    curve = [
        {"evaluations": 2**k, "evaluations_per_s": 1e6 / (1 + 2000 / 2**k), "kernel_evaluations_per_s": 1.4e6}
        for k in range(5, 18)
    ]
    (checks / "t4.json").write_text(json.dumps({"gpu": "Tesla T4", "curve": curve}))
    write_index(folder)
    return folder


@pytest.fixture(scope="module")
def pages(results: Path) -> dict[str, Path]:
    (run,) = results.glob("*t4x2")
    return {"index": results / "index.html", "run": run / "dashboard.html"}


@pytest.mark.parametrize("name", ["index", "run"])
@pytest.mark.parametrize("look", [(False, DESK), (True, DESK), (False, PHONE), (True, PHONE)])
def test_a_page_loads_and_fits(browser, pages, tmp_path_factory, name, look):
    dark, size = look
    browser.show(pages[name], dark=dark, size=size)
    assert browser.complaints() == []
    # Tables and plots scroll in boxes of their own; the page itself never scrolls sideways.
    assert browser.js("return document.documentElement.scrollWidth") <= size[0]
    shots = tmp_path_factory.getbasetemp() / "screenshots"
    shots.mkdir(exist_ok=True)
    picture = browser.picture(shots / f"{name}-{'dark' if dark else 'light'}-{size[0]}.png")
    assert picture.width == size[0]
    assert (sum(picture.getpixel((2, 2))) < 150) == dark
    assert len(picture.getcolors(maxcolors=2**24) or []) > 100


CONTRASTS = """
const rgb = text => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
const luminance = ([r, g, b]) => [r, g, b].map(v => v / 255)
  .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const ground = element => {
  for (let at = element; at; at = at.parentElement) {
    const colour = rgb(getComputedStyle(at).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const bad = new Set();
let seen = 0;
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement, style = getComputedStyle(element);
  if (!walker.currentNode.textContent.trim() || ["SCRIPT", "STYLE"].includes(element.tagName)) continue;
  if (!element.getClientRects().length) continue;
  const inside = element.closest("svg");
  const [high, low] = [luminance(rgb(inside ? style.fill : style.color)), luminance(ground(element))]
    .sort((a, b) => b - a);
  seen += 1;
  const ratio = (high + 0.05) / (low + 0.05);
  if (ratio < 4.5) bad.add(`${element.tagName}.${element.className.baseVal ?? element.className}: `
    + `${ratio.toFixed(2)} ${walker.currentNode.textContent.trim().slice(0, 30)}`);
}
return [seen, [...bad]];
"""


@pytest.mark.parametrize("name", ["index", "run"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_has_contrast(browser, pages, name, dark):
    browser.show(pages[name], dark=dark)
    seen, bad = browser.js(CONTRASTS)
    assert seen > 200
    assert bad == []


@pytest.mark.parametrize("name", ["index", "run"])
def test_a_page_prints(browser, pages, name):
    browser.show(pages[name], dark=True, media="print")
    assert browser.js("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not browser.one("nav").is_displayed()
    printed = browser.command("Page.printToPDF", printBackground=True)
    assert base64.b64decode(printed["data"]).startswith(b"%PDF")


@pytest.mark.parametrize("name", ["index", "run"])
def test_everything_to_see_has_a_name_for_a_screen_reader(browser, pages, name):
    browser.show(pages[name])
    tree = browser.command("Accessibility.getFullAXTree")["nodes"]
    roles = {"img", "image", "button", "link", "searchbox", "combobox", "checkbox", "table", "region", "columnheader"}
    found = [node for node in tree if not node.get("ignored") and node.get("role", {}).get("value") in roles]
    assert {node["role"]["value"] for node in found} >= {"button", "link", "searchbox", "table", "columnheader"}
    nameless = [node["role"]["value"] for node in found if not node.get("name", {}).get("value", "").strip()]
    assert nameless == []


def test_runs_sort_by_figure_and_by_keyboard(browser, results, pages):
    browser.show(pages["index"])
    heads = [head.text.strip().splitlines() for head in browser.all("#run-table thead th")]
    number = next(i for i, head in enumerate(heads) if " ".join(head).startswith("speedup parallel_cpu"))
    expected = sorted(
        (found.speedup for run in results.iterdir() if (found := read_summary(run).mode("parallel_cpu"))), reverse=True
    )
    button = browser.all("#run-table thead th button")[number]
    button.click()

    def shown() -> list[float]:
        cells = browser.column("run-table", number)
        assert cells[-1].strip() == "\N{EN DASH}"  # what was not measured stays last, whichever way
        return [float(text.split("x")[0]) for text in cells[:-1]]

    assert shown() == [pytest.approx(value, abs=0.006) for value in expected]
    head = browser.all("#run-table thead th")[number]
    assert head.get_attribute("aria-sort") == "descending"
    button.send_keys(Keys.ENTER)
    assert shown() == [pytest.approx(value, abs=0.006) for value in reversed(expected)]
    assert head.get_attribute("aria-sort") == "ascending"
    browser.all("#run-table thead th button")[1].click()
    dates = browser.column("run-table", 1)[1:]
    assert dates == sorted(dates)


def test_runs_filter(browser, pages):
    browser.show(pages["index"])
    shown = lambda: browser.column("run-table", 0)
    status = browser.one(".filter[data-table=run-table] output")
    assert (len(shown()), status.text) == (11, "11 of 11 runs")
    search = browser.one(".filter[data-table=run-table] input[type=search]")
    search.send_keys("tesla t4")
    assert [text.strip() for text in shown()] == ["20251121-102300-t4x2"]
    assert status.text == "1 of 11 runs"
    search.clear()
    search.send_keys(Keys.BACKSPACE)
    choices = {key: Select(browser.one(f"select[data-key={key}]")) for key in ("configuration", "verdict")}
    choices["configuration"].select_by_value("local")
    assert len(shown()) == 8
    choices["verdict"].select_by_value("fail")
    assert shown() == []
    choices["configuration"].select_by_index(0)
    assert len(shown()) == 1
    choices["verdict"].select_by_value("damaged")
    assert [text.strip() for text in shown()] == ["empty"]
    choices["verdict"].select_by_index(0)
    browser.one("input[data-key=gpu]").click()
    assert len(shown()) == 1


def test_a_link_leads_to_the_page_of_its_run(browser, pages):
    browser.show(pages["index"])
    browser.one("#run-table a[href$='dashboard.html']").click()
    assert browser.one("h1").text == "20251121-102300-t4x2"
    assert browser.complaints() == []
    browser.one("nav a[href='#gpu']").click()
    assert browser.js("return location.hash") == "#gpu"
    assert abs(browser.js("return document.getElementById('gpu').getBoundingClientRect().top")) < 100


def test_programs_of_a_run_filter_and_sort(browser, pages):
    browser.show(pages["run"])
    assert browser.one(".filter output").text == "31 of 31 programs"
    browser.one("input[data-key=problem]").click()
    assert browser.one(".filter output").text == "4 of 31 programs"
    browser.one("input[data-key=problem]").click()
    browser.one(".filter input[type=search]").send_keys("<script>")
    assert [text.strip() for text in browser.column("program-table", 0)] == [" ".join(HOSTILE.split())]
    assert browser.complaints() == []


def test_a_comparison_shows_what_the_harness_finds(browser, results, pages):
    browser.show(pages["index"])
    a, b = "20251201-local", "20251209-local"
    for key, run in (("a", a), ("b", b)):
        choice = Select(browser.one(f"#run-{key}"))
        choice.select_by_visible_text(f"{run} (local)")
    found = compare_runs(load_run(results / a), load_run(results / b)).table
    assert browser.column("compare-table", 0) == found["mode"].tolist()
    assert browser.column("compare-table", 6) == found["verdict"].tolist()
    for number, column in ((1, "a_evaluations_per_s"), (2, "b_evaluations_per_s"), (3, "ratio"), (5, "p_value")):
        texts = browser.column("compare-table", number)
        figures = [float(text.strip("x<").replace(",", "")) for text in texts]
        assert figures == pytest.approx(found[column].tolist(), rel=0.01, abs=1e-4), column
    assert browser.one("#compare-command").text == f"python -m harness compare results/{a} results/{b}"
    assert browser.column("difference-table", 0)[0] == "started"
    before = browser.column("compare-table", 1)
    browser.one("#compare-form button").click()
    assert browser.column("compare-table", 2) == before
    Select(browser.one("#run-a")).select_by_index(Select(browser.one("#run-b")).options.index(
        Select(browser.one("#run-b")).first_selected_option))  # fmt: skip
    assert browser.one("#compare-note").text == "This is one run, compared with itself."
    assert browser.complaints() == []


def test_a_comparison_says_when_configurations_differ(browser, results, pages):
    browser.show(pages["index"])
    Select(browser.one("#run-a")).select_by_visible_text(f"20251203-local ({' '.join(HOSTILE.split())})")
    Select(browser.one("#run-b")).select_by_visible_text("20251209-local (local)")
    assert browser.one("#compare-note").text.startswith("The configurations differ in 2 keys")
    rows = dict(zip(browser.column("difference-table", 0), browser.column("difference-table", 1), strict=True))
    assert rows["config.data"] == " ".join(HOSTILE.split())
    assert browser.complaints() == []


def groups() -> Iterator[tuple[list[float], list[float]]]:
    """Pairs of block throughputs: of many sizes, with and without ties, alike and different."""
    generator = np.random.default_rng(11)
    for n, m in ((1, 1), (1, 9), (2, 3), (5, 5), (6, 6), (7, 12), (8, 50), (9, 9), (12, 30), (50, 50)):
        for ratio in (1.0, 1.001, 1.03, 0.9, 3.0):
            for spread in (0.003, 0.05):
                a = 1000 * (1 + spread * generator.standard_normal(n))
                b = 1000 * ratio * (1 + spread * generator.standard_normal(m))
                yield a.round(6).tolist(), b.round(6).tolist()
        yield [5.0] * n, [5.0] * m
        yield [float(1 + i % 3) for i in range(n)], [float(1 + i % 4) for i in range(m)]


def test_the_rule_of_the_page_is_that_of_the_harness(browser, pages):
    browser.show(pages["index"])
    counted = dict.fromkeys(("faster", "slower", "same", "ambiguous"), 0)
    for a, b in groups():
        expected = compare(a, b)
        found = browser.js("return compareRuns(arguments[0], arguments[1])", a, b)
        case = (a, b, expected, found)
        assert found["ratio"] == pytest.approx(expected.ratio), case
        assert found["p"] == pytest.approx(expected.p_value, rel=1e-5, abs=1e-7), case
        assert found["delta"] == pytest.approx(expected.effect_size, abs=1e-12), case
        wide = expected.high - expected.low
        for key in ("low", "high"):
            bound = getattr(expected, key)
            # JSON has no NaN.
            assert found[key] is None if np.isnan(bound) else found[key] == pytest.approx(bound, abs=0.06 * wide + 1e-9)
        close = any(
            abs(bound / limit - 1) < 0.06 * wide + 1e-9
            for bound in (expected.low, expected.high)
            for limit in (1, 1.02, 1 / 1.02)
        )
        if not close or wide == 0:
            assert found["verdict"] == expected.verdict, case
            counted[expected.verdict] += 1
    assert all(counted.values()), counted


def test_rates_in_the_page_are_those_of_the_blocks(browser, results, pages):
    browser.show(pages["index"])
    runs = browser.js("return data.runs")
    assert len(runs) == 10
    for found in runs:
        run = load_run(results.parent / found["path"])
        for mode, values in found["modes"].items():
            assert values["rates"] == pytest.approx(block_rates(run, mode), rel=1e-5)
