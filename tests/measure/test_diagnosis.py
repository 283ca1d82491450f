"""Warnings name what slowed a block, and what to do about it; where nothing is wrong there is none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from harness.measure.diagnosis import diagnose, of_machine, overhead_shares
from harness.run.journal import RunFolder
from harness.run.runner import _diagnosis
from harness.run.schema import TABLES

THERMAL, POWER, SETTING, IDLE = 0x20, 0x4, 0x2, 0x1


def blocks(mode: str = "parallel_gpu", count: int = 12, workers: int = 1, **columns: dict[int, float]) -> pd.DataFrame:
    """Even blocks, but for the values given by column and number of the block."""
    rows = []
    for number in range(count):
        row = {
            "mode": mode,
            "block": number,
            "wall_s": 1.0 + 0.01 * (number % 2),
            "evaluations": 1000,
            "workers": workers,
            "busy_s": workers * 0.997,
            "passes": 1,
            "t_s": 2.0 * number,
            "waiting_s": 0.0,
            "cpu_s": workers * 0.99,
            "collections": 3,
            "cpu_mhz": 3400.0,
            "load": float(workers),
            "busy_cpus": workers * 1.0,
            "steal": 0.0,
        }
        rows.append(row | {column: values[number] for column, values in columns.items() if number in values})
    frame = pd.DataFrame(rows)
    frame["busy_s"] += frame["workers"] * (frame["wall_s"] - 1)
    return frame.astype(TABLES["blocks"])


def samples(slow: int, mhz: float, reasons: int, device: int = 1, count: int = 12) -> pd.DataFrame:
    """NVML's samples of two devices, of which one is slow in a block."""
    rows = [
        {
            "t_s": 2.0 * block + k / 4,
            "device": d,
            "mode": "parallel_gpu",
            "block": block,
            "sm_clock_mhz": mhz if (block, d) == (slow, device) else 1590.0,
            "temperature_c": 87.0 if (block, d) == (slow, device) else 70.0,
            "throttle_reasons": reasons if (block, d) == (slow, device) else 0,
        }
        for block in range(count)
        for d in range(2)
        for k in range(4)
    ]
    frame = pd.DataFrame(rows).astype({"block": "Int64", "throttle_reasons": "Int64"})
    frame.loc[len(frame)] = [99.0, 1, None, None, 300.0, 40.0, IDLE]  # between blocks
    frame.loc[len(frame)] = [3.1, 1, "parallel_gpu", 1, None, None, None]  # a gap
    return frame


def test_even_blocks_need_no_warning():
    assert diagnose(blocks(), samples(7, 1590.0, 0)) == []
    assert diagnose(blocks(mode="sequential")) == []
    assert diagnose(blocks().iloc[:0]) == []


@pytest.mark.parametrize(
    ("reasons", "seen", "advice"),
    [
        (
            THERMAL,
            "(thermal throttling, 87 °C)",
            "let the device cool, or hold a clock that it can keep: nvidia-smi -i 1",
        ),
        (THERMAL | POWER, "(thermal throttling, 87 °C)", "let the device cool"),
        (POWER, "(power limit, 87 °C)", "nvidia-smi -i 1 -pl <W>"),
        (SETTING, "(a clock is set, 87 °C)", "nvidia-smi -i 1 -rac"),
        (IDLE, "(the driver gives no reason, 87 °C)", "make blocks longer (min_block_s)"),
    ],
)
def test_a_gpu_whose_clock_fell(reasons, seen, advice):
    (warning,) = diagnose(blocks(wall_s={7: 1 / 0.82}, busy_s={7: 1 / 0.82 - 0.22}), samples(7, 1100.0, reasons))
    assert warning.startswith(
        "parallel_gpu: throughput of block 7 fell 18% while the SM clock of GPU 1 fell from 1.59 to "
    )
    assert f"1.10 GHz {seen}: " in warning
    assert advice in warning


def test_a_gpu_whose_clock_held_is_not_blamed():
    (warning,) = diagnose(blocks(wall_s={7: 1.3}, busy_s={7: 1.0}, busy_cpus={7: 2.5}), samples(3, 1100.0, THERMAL))
    assert "block 7 fell" in warning
    assert "GPU" not in warning
    assert "other processes kept 1.7 CPUs busy" in warning


@pytest.mark.parametrize(
    ("columns", "seen", "advice"),
    [
        ({"cpu_mhz": {4: 2600.0}}, "the CPUs' clock fell from 3.40 to 2.60 GHz", "governor to performance"),
        ({"steal": {4: 0.12}}, "the hypervisor gave 12% of the CPUs' time to other machines", "machine of its own"),
        ({"busy_cpus": {4: 1.5}}, "other processes kept 0.8 CPUs busy", "end them, or lower workers"),
        (
            {"load": {4: 3.0}, "cpu_s": {4: 1.3}},
            "3.0 processes on average wanted a CPU, 1 of them this mode's",
            "end the others",
        ),
        ({"cpu_s": {4: 1.3}}, "nothing that was sampled says why", "look for other work on this machine"),
    ],
)
def test_a_cpu_that_had_other_things_to_do(columns, seen, advice):
    found = diagnose(blocks("sequential", wall_s={4: 1.4}, busy_s={4: 1.0}, **({"cpu_s": {4: 1.0}} | columns)))
    assert len(found) == 1
    assert "sequential: throughput of block 4 fell 28% " in found[0]
    assert seen in found[0]
    assert advice in found[0]


def test_what_the_system_does_not_tell_is_not_blamed():
    frame = blocks("sequential", wall_s={4: 1.4}, busy_s={4: 1.0})
    for column in ("cpu_mhz", "load", "busy_cpus", "steal", "cpu_s", "waiting_s"):
        frame[column] = pd.array([None] * len(frame), dtype="Float64")
    (warning,) = diagnose(frame)
    assert "nothing that was sampled says why" in warning


def test_blocks_of_one_cause_are_told_together_the_worst_first():
    found = diagnose(
        blocks(
            "sequential",
            wall_s={2: 1.3, 4: 1.5, 5: 1.4},
            busy_s={2: 1.0, 4: 1.0, 5: 1.0},
            busy_cpus={2: 1.9, 4: 1.9},
            steal={5: 0.3},
        )
    )
    assert len(found) == 2
    assert any("block 4 (and of 1 more, likewise) fell 33%" in warning for warning in found)
    assert any("block 5 fell 28%" in warning for warning in found)


def test_modes_are_judged_by_their_own_blocks():
    slow = blocks("sequential")
    slow["wall_s"] *= 50
    slow["busy_s"] *= 50
    assert diagnose(pd.concat([slow, blocks("native_cpu")])) == []


@pytest.mark.parametrize(
    ("sign", "word", "advice"), [(1, "fell", "slows down as it works"), (-1, "rose", "max_warmup_s")]
)
def test_drift_that_no_interval_covers(sign, word, advice):
    frame = blocks("sequential", count=16)
    frame["wall_s"] *= 1 + sign * np.linspace(0, 0.17, len(frame)) + (0.17 if sign < 0 else 0)
    frame["busy_s"] = frame["wall_s"] - 0.001
    (warning,) = [w for w in diagnose(frame) if "first third" in w]
    assert f"throughput {word} 1" in warning
    assert advice in warning
    if sign > 0:
        frame["busy_cpus"] += np.linspace(0, 0.8, len(frame))
        (warning,) = [w for w in diagnose(frame) if "first third" in w]
        assert "other processes took more and more of the CPUs" in warning
    shuffled = frame.assign(wall_s=frame["wall_s"].sample(frac=1, random_state=2).to_numpy())
    shuffled["busy_s"] = shuffled["wall_s"] - 0.001
    assert not [w for w in diagnose(shuffled) if "first third" in w]


def test_what_the_harness_takes_of_blocks():
    frame = blocks("parallel_cpu", workers=2)
    frame["busy_s"] = 2 * frame["wall_s"] - 0.1
    frame["waiting_s"] = 0.09
    assert overhead_shares(frame).to_numpy(float) == pytest.approx(0.01 / (2 * frame["wall_s"]))
    assert diagnose(frame) == []
    frame["waiting_s"] = 0.01
    (warning,) = diagnose(frame)
    assert warning.startswith("parallel_cpu: 4.5% of its workers' time in blocks was neither evaluation nor waiting")
    assert "min_block_s" in warning
    frame["waiting_s"] = pd.array([None] * len(frame), dtype="Float64")
    (warning,) = diagnose(frame)
    assert "was no evaluation, waiting for others included" in warning


def test_a_run_looks_through_its_folder(tmp_path):
    folder = RunFolder(tmp_path)
    assert _diagnosis(folder) == []  # nothing was timed
    frame = blocks(wall_s={7: 1.3}, busy_s={7: 1.0})
    folder.write_table("blocks", frame.astype(object).where(frame.notna(), None).to_dict("records"))
    (warning,) = _diagnosis(folder)
    assert "GPU" not in warning
    parts = tmp_path / "gpu_samples.parquet"  # a sampler writes them as they come
    parts.mkdir()
    both = samples(7, 1100.0, THERMAL)
    both.iloc[:40].to_parquet(parts / "part-00000.parquet")
    both.iloc[40:].to_parquet(parts / "part-00001.parquet")
    (warning,) = _diagnosis(folder)
    assert "thermal throttling" in warning
    (parts / "part-00001.parquet").write_bytes(b"PAR1")
    (warning,) = _diagnosis(folder)
    assert warning.startswith("The blocks were not looked through")


def machine(**cpu: object) -> dict:
    return {"cpu": {"affinity": 2, "load_average": [0.3, 1.0, 1.0], "governor": "performance", **cpu}}


def test_a_machine_that_is_not_quiet():
    assert of_machine(machine()) == []
    assert of_machine(machine(load_average=[], governor=None)) == []
    (busy,) = of_machine(machine(load_average=[0.9, 0.1, 0.1]))
    assert "The load average was 0.90 on 2 usable CPUs" in busy
    (slow,) = of_machine(machine(governor="powersave"))
    assert "cpupower frequency-set -g performance" in slow
