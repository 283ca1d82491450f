import xml.etree.ElementTree as ET

import pytest
from matplotlib import rcParams
from PIL import Image
from synthetic_run import HOSTILE, SLOW, with_native_profile

from harness.config import MEASURED_NAMES
from harness.report.frames import load_run
from harness.report.plots import (
    PLOTS,
    slowest_programs,
    speedup_by_mode,
    throughput_by_mode,
    time_per_family,
    timings_by_block,
    write_plots,
)
from harness.report.style import MODE_COLOURS, mode_colour
from harness.report.svg import svg_fragment


def texts(figure):
    return [
        text.get_text() for axes in figure.axes for text in axes.findobj(match=lambda item: hasattr(item, "get_text"))
    ]


def title(figure):
    return figure.get_suptitle()


def test_throughput_has_a_bar_per_measured_mode_and_words_for_the_others(folder):
    figure = throughput_by_mode(load_run(folder))
    axes = figure.axes[0]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([522.9, 1016.5], abs=0.1)
    assert "skipped" in texts(figure)
    assert title(figure) == "parallel_cpu does the most: 1,020 evaluations/s"
    assert axes.get_xlabel().startswith("evaluations per second")
    assert len(axes.containers) == 4  # two bars, two intervals


def test_modes_orders_of_magnitude_apart_get_a_logarithmic_axis(edit):
    folder = edit(
        "blocks", lambda rows: rows.assign(wall_s=rows["wall_s"].where(rows["workers"] == 1, rows["wall_s"] / 1000))
    )
    for plot in (throughput_by_mode, speedup_by_mode):
        axes = plot(load_run(folder)).axes[0]
        assert axes.get_xscale() == "log"
        assert not axes.patches
        assert "logarithmic" in axes.get_xlabel()


def test_speedup_shows_total_mean_and_the_line_of_one(folder):
    figure = speedup_by_mode(load_run(folder))
    lines = [list(line.get_xdata()) for line in figure.axes[0].lines]
    assert [1, 1] in lines
    assert any(x == pytest.approx([1.944], abs=1e-3) for x in lines)
    assert any(x == pytest.approx([1.998], abs=1e-3) for x in lines)
    assert title(figure) == "parallel_cpu is 1.94x as fast as sequential"


def test_slowest_programs_show_their_share_in_each_mode(folder):
    figure = slowest_programs(load_run(folder))
    axes = figure.axes[0]
    assert axes.get_yticklabels()[0].get_text() == SLOW
    assert len(axes.patches) == 2 * 10
    assert axes.patches[0].get_width() == pytest.approx(80.15, abs=0.01)
    assert title(figure) == f"{SLOW} takes 80.1% of the time"


def test_families_show_share_and_calls(folder):
    figure = time_per_family(load_run(folder))
    assert "33.3%, 1,500 calls" in texts(figure)
    assert [bar.get_width() for bar in figure.axes[0].patches] == pytest.approx([100 * n / 15 for n in (5, 4, 3, 2, 1)])


def test_families_of_two_modes_stand_side_by_side(edit):
    figure = time_per_family(load_run(edit("primitives", with_native_profile)))
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert widths == pytest.approx([*(100 * n / 15 for n in (5, 4, 3, 2, 1)), 0, 0, 25, 0, 0, 0, 75])
    assert {"33.3%, 1,500 calls", "75.0%, 30 calls"} <= set(texts(figure))
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["sequential", "native_cpu"]
    assert title(figure) == "Primitives of the family containers take 33.3% of the sequential time"


def test_blocks_show_drift(edit, folder):
    assert title(timings_by_block(load_run(folder))).startswith("Steady")
    edit(
        "blocks",
        lambda rows: rows.assign(wall_s=rows["wall_s"] * (1 + 0.2 * ((rows["block"] > 3) & (rows["workers"] == 2)))),
    )
    figure = timings_by_block(load_run(folder))
    assert len(figure.axes) == 2
    assert title(figure).startswith("Drift: in its second half parallel_cpu takes 2")


@pytest.mark.parametrize("name", PLOTS)
def test_nothing_measured_is_said(folder, name):
    for path in folder.glob("*.parquet"):
        path.unlink()
    assert any(text.startswith("Not measured:") for text in texts(PLOTS[name](load_run(folder))))


def test_plots_are_written_and_are_the_same_again(folder, tmp_path):
    run = load_run(folder)
    before = dict(rcParams)
    paths = write_plots(run, tmp_path / "new" / "plots")
    assert dict(rcParams) == before
    assert {path.name for path in paths} == {f"{name}.{kind}" for name in PLOTS for kind in ("svg", "png")}
    first = {path: path.read_bytes() for path in paths}
    write_plots(run, tmp_path / "new" / "plots")
    for path in paths:
        assert path.read_bytes() == first[path], path
        if path.suffix == ".svg":
            assert ET.parse(path).getroot().tag.endswith("svg")
        else:
            with Image.open(path) as image:
                assert image.width == pytest.approx(5.6 * 192, abs=2)
    assert {path.name for path in (tmp_path / "new" / "plots").iterdir()} == {path.name for path in paths}


def test_a_fragment_is_for_html(edit):
    folder = edit("timings", lambda rows: rows.assign(seconds=rows["seconds"].where(rows["program"] != HOSTILE, 99.0)))
    figure = slowest_programs(load_run(folder))
    text = svg_fragment(figure, "slowest", 'a "label"')
    root = ET.fromstring(text)
    assert root.tag == "svg"
    assert root.attrib["aria-label"] == 'a "label"'
    assert "http" not in text
    assert "<style" not in text
    assert "var(--ink)" in text
    # The name is plain text: no markup, and its dollars no formula.
    assert "&lt;script&gt;" in text
    assert any(HOSTILE[:20] in "".join(element.itertext()) for element in root.iter("text"))
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("slowest-") for name in ids)
    used = {element.attrib["href"].removeprefix("#") for element in root.iter("use")}
    used |= {e.attrib["clip-path"].removeprefix("url(#").rstrip(")") for e in root.iter() if "clip-path" in e.attrib}
    assert used
    assert used <= set(ids)


def test_every_mode_has_its_own_colour():
    assert set(MODE_COLOURS) == set(MEASURED_NAMES)
    assert len(set(MODE_COLOURS.values())) == len(MEASURED_NAMES)
    assert mode_colour("unknown") == mode_colour("unknown") not in MODE_COLOURS.values()
