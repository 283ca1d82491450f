"""Samples that are kept as arrays say the same as if each had been looked at alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from harness.measure.nvml import QUANTITIES, Device
from harness.measure.sample_rows import SampleRows, Span, tags
from harness.run.journal import RunFolder

DEVICES = [Device(0, "GPU-a", "T", None, None), Device(1, "GPU-b", "T", None, None)]
MASK = (1 << 62) + 1  # which no float holds


def tag_of(spans: list[Span], at: float) -> tuple[str | None, int | None]:
    span = next((own for own in reversed(spans) if own.start <= at), None)
    return (span.mode, span.block) if span and at <= span.end else (None, None)


@given(
    st.lists(st.integers(0, 3), max_size=12),
    st.lists(st.integers(0, 40), max_size=20),
    st.booleans(),
)
def test_samples_are_tagged_as_each_alone_would_be(steps: list[int], at: list[int], open_: bool) -> None:
    # Spans begin, last and follow one another after as long as the steps say, none or a while.
    bounds = np.cumsum(steps[: len(steps) // 2 * 2]).astype(float).reshape(-1, 2)
    spans = [Span(f"m{k % 2}", k if k % 3 else None, *pair) for k, pair in enumerate(bounds.tolist())]
    if open_ and spans:
        spans[-1].end = float("inf")
    times = np.sort(np.array(at, np.float64))
    modes, blocks = tags(spans, times)
    found = [(mode, None if np.isnan(block) else int(block)) for mode, block in zip(modes, blocks, strict=True)]
    assert found == [tag_of(spans, time) for time in times.tolist()]


def test_rows_are_written_as_they_were_read(tmp_path) -> None:
    rows, spans = SampleRows(), [Span("m", 3, 1.0, 2.0)]
    rows.add(DEVICES[0], "poll", np.array([0.5]), {"throttle_reasons": MASK, "power_w": 65.5}, spans)
    rows.add(DEVICES[1], "driver", np.array([0.9, 1.5, 2.1]), {"gpu_utilization": np.array([0.1, 0.2, 0.3])}, spans)
    rows.add(DEVICES[1], "poll", np.array([1.5]), {"process_utilization": '{"7": 0.5}', "memory_used_bytes": 5}, spans)
    assert len(rows) == 5
    RunFolder(tmp_path).write_part("gpu_samples", 0, rows.columns())
    found = pd.read_parquet(tmp_path / "gpu_samples.parquet")
    assert found["t_s"].tolist() == [0.5, 0.9, 1.5, 2.1, 1.5]
    assert found["device"].tolist() == [0, 1, 1, 1, 1]
    assert found["uuid"].tolist() == ["GPU-a", *["GPU-b"] * 4]
    assert found["source"].tolist() == ["poll", "driver", "driver", "driver", "poll"]
    tagged = found[found["mode"].notna()]
    assert tagged[["t_s", "mode", "block"]].to_numpy().tolist() == [[1.5, "m", 3]] * 2
    there = {column: found[column].dropna().tolist() for column in QUANTITIES if found[column].notna().any()}
    assert there == {
        "gpu_utilization": [0.1, 0.2, 0.3],
        "memory_used_bytes": [5],
        "power_w": [65.5],
        "throttle_reasons": [MASK],
        "process_utilization": ['{"7": 0.5}'],
    }
    rows.clear()
    assert len(rows) == 0
    assert all(len(values) == 0 for values in rows.columns().values())
