import pandas as pd
import pytest

from harness.report.devices import spans
from harness.report.frames import load_run
from harness.report.gpu_plots import (
    GPU_PLOTS,
    PANELS,
    device_against_fallback,
    gpu_timeline,
    line,
    opcode_costs,
    throttled,
)
from harness.report.svg import svg_document


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_the_timeline_has_a_panel_per_quantity_and_a_line_per_device(gpu_folder):
    run = load_run(gpu_folder)
    figure = gpu_timeline(run)
    strip, *panels = figure.axes
    assert [axes.get_ylabel().partition("\n")[0] for axes in panels] == [label for _, label, _ in PANELS]
    assert [len(axes.lines) for axes in panels] == [2, 2, 2, 3, 2]  # one more marks where the clock is throttled
    busy = panels[0].lines
    assert max(busy[0].get_ydata()) == pytest.approx(90)
    assert max(busy[1].get_ydata()) == pytest.approx(80)
    assert min(panels[3].lines[2].get_xdata()) >= 79.5
    assert sum(len(bars.get_paths()) for bars in strip.collections) == len(spans(run)) == 20
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "GPU 0: Tesla T4",
        "GPU 1: Tesla T4",
        "block of sequential",
        "block of parallel_gpu",
    ]


def test_a_gap_is_a_gap_and_never_a_zero(gpu_folder):
    path = gpu_folder / "gpu_samples.parquet"
    samples = pd.read_parquet(path)
    quiet = samples["t_s"].between(30, 60)
    samples.loc[quiet, "power_w"] = None
    samples.assign(sm_clock_mhz=None).astype({"sm_clock_mhz": float}).to_parquet(path)
    run = load_run(gpu_folder)
    power = line(run.gpu_samples[run.gpu_samples["device"] == 0], "power_w")
    assert power["power_w"].isna().sum() == 1
    assert power["power_w"].min() == 20
    assert not power["t_s"][power["power_w"].notna()].between(31, 59).any()
    assert "not reported by the driver" in texts(gpu_timeline(run))


def test_a_long_run_stays_small(gpu_folder):
    path = gpu_folder / "gpu_samples.parquet"
    samples = pd.read_parquet(path)
    many = [samples.assign(t_s=samples["t_s"] + 100 * i, throttle_reasons=0x40) for i in range(40)]
    pd.concat(many).to_parquet(path)
    assert len(svg_document(gpu_timeline(load_run(gpu_folder)))) < 1_000_000


def test_throttling_is_what_slows_down():
    reasons = pd.Series([0, 1, 2, 0x20, 0x41, None], dtype="Int64")
    assert throttled(reasons).tolist() == [False, False, False, True, True, False]


def test_what_fell_back_stands_beside_what_the_device_did(gpu_folder):
    figure = device_against_fallback(load_run(gpu_folder))
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert widths == pytest.approx([95, 5])
    assert figure.get_suptitle() == "5.00% of the evaluations of parallel_gpu fell back"


def test_opcodes_by_cycles_and_by_executions(gpu_folder):
    figure = opcode_costs(load_run(gpu_folder))
    assert [bar.get_width() for bar in figure.axes[0].patches] == pytest.approx([81.8, 18.2, 0, 75, 25, 0], abs=0.1)
    assert figure.get_suptitle() == "shift takes 81.8% of the cycles"


def test_opcodes_whose_cycles_nobody_counted_are_shown_by_executions(gpu_folder):
    path = gpu_folder / "opcodes.parquet"
    nothing = pd.array([None] * 6, "Int64")
    pd.read_parquet(path).assign(elements=nothing, cycles=nothing).to_parquet(path)
    figure = opcode_costs(load_run(gpu_folder))
    assert [bar.get_width() for bar in figure.axes[0].patches] == pytest.approx([75, 25, 0])
    assert figure.get_suptitle() == "shift is 75.0% of the executions"


@pytest.mark.parametrize("name", GPU_PLOTS)
def test_every_plot_says_what_is_missing(folder, name):
    assert any(text.startswith("Not measured:") for text in texts(GPU_PLOTS[name](load_run(folder))))
