"""The verdict on honest runs and on lies; and that no check could pass everything without a test that breaks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import gpu_runs
import pandas as pd
import pytest
from gpu_runs import GPU, ONE, as_gpu_run, configure, do_run, edit, patch_misses, silent_fallback, without_counters

from harness.cli import main
from harness.report import verify
from harness.report.frames import load_run
from harness.report.primitive_work import primitive_work
from harness.report.text import report_markdown
from harness.report.verdict import findings
from harness.report.verify import Check, checks, checks_table, overall, require_pass, verdict_lines
from harness.report.verify_evidence import Judged
from harness.report.write import write_report
from harness.vm.native import unavailable
from tests.fake_nvml import COMPILER, NO_COMPILER

pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason=NO_COMPILER),
    pytest.mark.skipif(unavailable() is not None, reason=str(unavailable())),
]


@pytest.fixture(scope="session")
def real_run(tmp_path_factory) -> Path:
    return do_run(tmp_path_factory.mktemp("real"), 0.3, 20)


@pytest.fixture(scope="session")
def honest_run(real_run, tmp_path_factory) -> Path:
    return as_gpu_run(Path(shutil.copytree(real_run, tmp_path_factory.mktemp("honest") / "run")))


@pytest.fixture(scope="session")
def short_run(tmp_path_factory) -> Path:
    return as_gpu_run(do_run(tmp_path_factory.mktemp("short"), 0.01, 166))


@pytest.fixture
def honest(honest_run, tmp_path) -> Path:
    return Path(shutil.copytree(honest_run, tmp_path / "run"))


def found(folder: Path) -> list[Check]:
    return checks(load_run(folder))


def bad(folder: Path) -> dict[tuple[str, str], str]:
    """(mode, check) -> verdict of every check that does not pass."""
    return not_passed(found(folder))


def not_passed(every: list[Check]) -> dict[tuple[str, str], str]:
    wrong = [check for check in every if check.verdict in ("fail", "unproven", "not reached")]
    return {(check.mode or "run", check.check): check.verdict for check in wrong}


def of_gpu(**verdicts: str) -> dict[tuple[str, str], str]:
    return {(GPU, check): verdict for check, verdict in verdicts.items()}


Change = Callable[[Path], None]
# What each lie, and each shortcoming, must be called: the checks that do not pass, and words of one of them.
LIES: dict[str, tuple[Change, dict[tuple[str, str], str], str, str]] = {
    "never called": (
        gpu_runs.never_called,
        of_gpu(device_executions="fail", device_share="fail", kernel_time="fail", gpu_utilization="fail"),
        "device_executions",
        "initialised and never called",
    ),
    "there and back": (
        gpu_runs.there_and_back,
        of_gpu(device_executions="fail", device_share="fail", kernel_time="fail", gpu_utilization="fail"),
        "device_executions",
        "data went there and back",
    ),
    "wrong module": (gpu_runs.wrong_module, of_gpu(modules="fail"), "modules", "The wrong module was measured"),
    "changed module": (gpu_runs.changed_module, of_gpu(modules="fail"), "modules", "with other contents"),
    "old GPU module": (
        gpu_runs.old_gpu_module,
        of_gpu(modules="fail"),
        "modules",
        "old_gpu.py, which is not configured",
    ),
    "patch that does not reach": (
        gpu_runs.patch_misses,
        of_gpu(device_executions="fail"),
        "device_executions",
        "A patch does not reach them",
    ),
    "silent fallback": (
        gpu_runs.silent_fallback,
        of_gpu(device_evaluations="fail", device_share="fail"),
        "device_evaluations",
        "Silent fallback",
    ),
    "silent fallback that claims all": (
        gpu_runs.silent_fallback_that_claims_all,
        of_gpu(device_share="fail"),
        "device_share",
        "the CPU did the rest",
    ),
    "told fallback": (
        gpu_runs.fell_back,
        of_gpu(fallback="fail", device_evaluations="fail"),
        "fallback",
        "arena",
    ),
    "no device recorded": (
        gpu_runs.no_tables,
        of_gpu(
            expected_devices="fail",
            device_executions="fail",
            device_share="fail",
            device_evaluations="fail",
            kernel_time="fail",
            gpu_utilization="unproven",
        ),
        "device_executions",
        "nothing shows that a GPU took part",
    ),
    "another GPU": (gpu_runs.other_gpu, of_gpu(expected_devices="fail"), "expected_devices", "P100 became Tesla T4"),
    "a GPU too few": (
        lambda folder: configure(folder, expected_devices=["T4"] * 3),
        of_gpu(expected_devices="fail"),
        "expected_devices",
        "missing: 1 x T4",
    ),
    "a GPU too many": (
        lambda folder: configure(folder, expected_devices=["NVIDIA Tesla T4"]),
        of_gpu(expected_devices="fail"),
        "expected_devices",
        "more GPUs",
    ),
    "parts of GPUs": (
        lambda folder: edit(folder, "devices", name="Tesla T4 MIG 1g.5gb"),
        of_gpu(expected_devices="fail"),
        "expected_devices",
        "T4 became Tesla T4 MIG 1g.5gb",
    ),
    "one GPU idle": (
        gpu_runs.one_gpu_idle,
        of_gpu(device_executions="fail", gpu_utilization="fail"),
        "device_executions",
        "cuda:1 executed nothing",
    ),
    "lost GPU": (gpu_runs.lost_gpu, of_gpu(gpu_utilization="fail"), "gpu_utilization", "cuda:1 was lost"),
    "no NVML": (gpu_runs.no_nvml, of_gpu(gpu_utilization="unproven"), "gpu_utilization", "No NVML: Driver Not Loaded"),
    "counters compiled out": (
        gpu_runs.without_counters,
        of_gpu(device_executions="unproven", device_share="unproven"),
        "device_executions",
        "compiled without counters",
    ),
    "not profiled": (
        gpu_runs.unprofiled,
        of_gpu(device_executions="unproven", device_share="unproven"),
        "device_share",
        "where the host's library is built",
    ),
    "little kernel time": (
        lambda folder: edit(folder, "device_blocks", kernel_s=lambda rows: rows["kernel_s"] * 0.3),
        of_gpu(kernel_time="fail"),
        "kernel_time",
        "Most of the time goes into something else",
    ),
    "other outputs": (
        lambda folder: edit(folder, "modes", mismatches=2),
        of_gpu(outputs="fail"),
        "outputs",
        "its speed counts for nothing",
    ),
    "outputs not compared": (
        lambda folder: edit(folder, "modes", compared=0),
        of_gpu(outputs="unproven"),
        "outputs",
        "No outputs were compared",
    ),
    "slow": (
        lambda folder: configure(folder, speedup_all_minimum=1e6, speedup_all_target=1e7, speedup_all_stretch=1e8),
        of_gpu(speedup_minimum="fail", speedup_target="fail", speedup_stretch="not reached"),
        "speedup_target",
        "It is not reached",
    ),
    "poor scaling": (
        gpu_runs.poor_scaling,
        of_gpu(scaling_efficiency="fail"),
        "scaling_efficiency",
        "times as fast as one",
    ),
    "scaling by luck": (
        gpu_runs.scaling_by_luck,
        of_gpu(scaling_efficiency="fail"),
        "scaling_efficiency",
        "the lower end does not reach it",
    ),
    "all devices under the name of one": (
        gpu_runs.all_devices_under_the_name_of_one,
        {(ONE, "one_device"): "fail"} | of_gpu(scaling_efficiency="fail"),
        "one_device",
        "cuda:1 took part in blocks that are said to be of cuda:0 alone",
    ),
    "a launch on another device": (
        gpu_runs.a_launch_on_another_device,
        {(ONE, "one_device"): "fail"} | of_gpu(scaling_efficiency="fail"),
        "one_device",
        "in 2 launches",
    ),
    "other devices not recorded": (
        gpu_runs.others_not_recorded,
        {(ONE, "one_device"): "unproven"} | of_gpu(scaling_efficiency="unproven"),
        "one_device",
        "What cuda:1 did in these blocks was not recorded",
    ),
    "one device too slow": (
        gpu_runs.one_device_is_slow,
        {(ONE, "speedup_minimum"): "fail", (ONE, "speedup_target"): "fail", (ONE, "speedup_stretch"): "not reached"},
        "speedup_minimum",
        "It is not reached",
    ),
    "one device skipped": (
        gpu_runs.one_device_skipped,
        {(ONE, "ran"): "unproven"},
        "ran",
        "One device alone was to be timed, and was not: time budget",
    ),
    "skipped though expected": (gpu_runs.skipped, of_gpu(ran="fail"), "ran", "no CUDA device"),
    "skipped beside a GPU": (gpu_runs.unexpected_and_skipped, of_gpu(ran="unproven"), "ran", "machine has a GPU"),
    "failed": (lambda folder: edit(folder, "modes", status="failed"), of_gpu(ran="fail"), "ran", "not measured"),
    "threshold of no number": (
        lambda folder: configure(folder, min_kernel_share="lots"),
        of_gpu(kernel_time="unproven"),
        "kernel_time",
        "min_kernel_share is 'lots'",
    ),
    "interrupted": (gpu_runs.interrupted, {("run", "complete"): "fail"}, "complete", "The run is interrupted"),
    "CPU mode failed": (
        lambda folder: edit(folder, "modes", "native_cpu", status="failed", reason="it broke"),
        {("native_cpu", "ran"): "fail"},
        "ran",
        "it broke",
    ),
    "CPU mode with other outputs": (
        lambda folder: edit(folder, "modes", "native_cpu", mismatches=1),
        {("native_cpu", "outputs"): "fail"},
        "outputs",
        "computes something else",
    ),
    "CPU mode that left all to the reference": (
        lambda folder: edit(
            folder, "modes", "native_cpu", fell_back=len(pd.read_parquet(folder / "evaluations.parquet"))
        ),
        {("native_cpu", "fallback"): "fail"},
        "fallback",
        "Too much was left",
    ),
    "CPU mode of another module": (
        lambda folder: edit(folder, "modules", "native_cpu", sha256="0" * 64),
        {("native_cpu", "modules"): "fail"},
        "modules",
        "The wrong module",
    ),
}


def test_an_honest_run_passes(honest):
    every = found(honest)
    assert not_passed(every) == {}
    verdicts = {check.check: check for check in every if check.mode == GPU}
    assert verdicts.keys() == verify.GPU_CHECKS.keys()
    assert {name for name, check in verdicts.items() if check.verdict == "skipped"} == {"scaling_efficiency"}
    assert verdicts["device_share"].value == pytest.approx(1.0, abs=1e-3)
    assert verdicts["gpu_utilization"].value == pytest.approx(0.91)
    assert verdicts["kernel_time"].value == pytest.approx(0.8)
    assert overall(every) == "pass"
    assert require_pass(load_run(honest)).startswith("pass (")
    assert main(["verify", str(honest)]) == 0


def test_an_honest_run_on_one_device_too_shows_how_it_scales(honest):
    gpu_runs.with_one_device(honest)
    every = found(honest)
    assert not_passed(every) == {}
    on_all = {check.check: check for check in every if check.mode == GPU}
    alone = {check.check: check for check in every if check.mode == ONE}
    assert {name for name, check in {**on_all, **alone}.items() if check.verdict == "skipped"} == {
        *("speedup_target", "speedup_stretch"),  # the configuration has these for all devices only
    }
    assert (on_all["speedup_minimum"].threshold, alone["speedup_minimum"].threshold) == (1.5, 1.5)
    assert "2 devices are 1.9" in on_all["scaling_efficiency"].meaning
    assert 0.85 <= on_all["scaling_efficiency"].value < 0.95  # the lower end of the interval
    configure(honest, speedup_minimum=2.0)
    later = {(check.mode, check.check): check.threshold for check in found(honest)}
    assert (later[GPU, "speedup_minimum"], later[ONE, "speedup_minimum"]) == (1.5, 2.0)
    assert main(["verify", str(honest)]) == 0


def test_one_device_is_held_to_what_all_are(honest):
    gpu_runs.with_one_device(honest)
    of_all = verify.GPU_CHECKS.keys() - {"expected_devices", "scaling_efficiency"}
    assert verify.ONE_DEVICE_CHECKS.keys() == of_all | {"one_device"}
    assert all(verify.ONE_DEVICE_CHECKS[name] is verify.GPU_CHECKS[name] for name in of_all)
    edit(honest, "opcodes", ONE, executions=0)
    assert {check for mode, check in bad(honest) if mode == ONE} == {"device_executions", "device_share"}


def test_verdicts_on_these_runs_do_not_depend_on_what_else_the_machine_did(real_run, tmp_path):
    """Others made some of the real blocks slow, the first two most: these once told poor scaling."""
    busy = Path(shutil.copytree(real_run, tmp_path / "busy" / "run"))
    edit(busy, "blocks", "native_cpu", wall_s=lambda rows: rows["wall_s"] * [9.0, 5.0, 1.0, 2.0, 1.0, 1.0])
    edit(busy, "blocks", "sequential", wall_s=lambda rows: rows["wall_s"] * [1.0, 1.0, 3.0, 1.0, 2.0, 1.0])
    as_gpu_run(busy)
    assert bad(busy) == {}
    for number, lie in enumerate(("poor scaling", "scaling by luck", "one device too slow")):
        folder = Path(shutil.copytree(busy, tmp_path / f"{number}" / "run"))
        change, expected, _, _ = LIES[lie]
        change(folder)
        assert bad(folder) == expected, lie


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_named(honest, lie, capsys):
    change, expected, check, words = LIES[lie]
    change(honest)
    every = found(honest)
    assert not_passed(every) == expected
    said = [one.meaning for one in every if one.check == check and one.verdict in ("fail", "unproven")]
    assert any(words in meaning for meaning in said), said
    worst = "fail" if "fail" in expected.values() else "unproven"
    assert overall(every) == worst
    assert main(["verify", str(honest)]) == 1
    assert words in capsys.readouterr().out
    written = json.loads((honest / "verdict.json").read_text())
    assert written["verdict"] == worst
    if worst == "fail":
        with pytest.raises(verify.VerdictFailed, match=check):
            require_pass(load_run(honest))


def test_a_run_too_short_to_see_fails_and_says_so(short_run, tmp_path):
    folder = Path(shutil.copytree(short_run, tmp_path / "run"))
    assert bad(folder) == of_gpu(gpu_utilization="fail")
    (check,) = [one for one in found(folder) if one.check == "gpu_utilization"]
    assert "too short to see" in check.meaning
    assert "min_block_s" in check.meaning


def test_a_run_is_sampled_throughout_and_knows_when_its_blocks_were(honest_run):
    run = load_run(honest_run)
    samples, spans = run.gpu_samples, pd.DataFrame(run.gpu_sampling["spans"])
    assert {"sequential", "native_cpu"} <= set(samples["mode"].dropna())
    assert set(samples["uuid"]) == set(gpu_runs.UUIDS)
    timed = spans[spans["block"].notna()]
    for mode in ("sequential", "native_cpu"):
        own = timed[timed["mode"] == mode]
        blocks = run.blocks[run.blocks["mode"] == mode].set_index("block")["wall_s"]
        assert list(own["block"]) == list(blocks.index)
        assert ((own["end_s"] - own["start_s"]).to_numpy() >= blocks.to_numpy()).all()
        assert samples["block"][samples["mode"] == mode].notna().any()


def test_utilization_before_a_block_does_not_count(honest):
    frame = pd.read_parquet(honest / "gpu_samples.parquet")
    spans = json.loads((honest / "gpu_sampling.json").read_text())["spans"]
    own = [(span["start_s"], span["end_s"]) for span in spans if span["mode"] == GPU and span["block"] is not None]
    inside = pd.Series(False, index=frame.index)
    for start, end in own:
        inside |= frame["t_s"].between(start, end)
    known = frame["gpu_utilization"].notna()
    frame["gpu_utilization"] = frame["gpu_utilization"].mask(known & ~inside, 0.0)
    shutil.rmtree(honest / "gpu_samples.parquet")
    frame.to_parquet(honest / "gpu_samples.parquet")
    assert bad(honest) == {}
    frame["gpu_utilization"] = frame["gpu_utilization"].mask(known, 1.0).mask(known & inside, 0.1)
    frame.to_parquet(honest / "gpu_samples.parquet")
    assert bad(honest) == of_gpu(gpu_utilization="fail")


def _always_passes(_: object) -> Judged:
    return Judged("pass", None, None, "Whatever it is, it is fine.")


REGISTRIES = {
    **{"RUN_CHECKS": verify.RUN_CHECKS, "CPU_CHECKS": verify.CPU_CHECKS, "GPU_CHECKS": verify.GPU_CHECKS},
    "ONE_DEVICE_CHECKS": verify.ONE_DEVICE_CHECKS,
}
OF_BOTH = verify.ONE_DEVICE_CHECKS.keys() & verify.GPU_CHECKS.keys() - {"ran", *verify.SPEED_CHECKS}


@pytest.mark.parametrize(
    ("registry", "check"),
    [
        (registry, check)
        for registry, known in REGISTRIES.items()
        for check in known
        if registry != "ONE_DEVICE_CHECKS" or check not in OF_BOTH  # the very functions that GPU_CHECKS has
    ],
)
def test_a_check_that_always_passes_would_break_the_table_of_lies(honest_run, tmp_path, monkeypatch, registry, check):
    mode_of = {"RUN_CHECKS": "run", "CPU_CHECKS": "native_cpu", "GPU_CHECKS": GPU, "ONE_DEVICE_CHECKS": ONE}
    key = (mode_of[registry], check)
    lies = [lie for lie, (_, expected, _, _) in LIES.items() if key in expected]
    assert lies, f"no lie is told by {key} alone or with others"
    monkeypatch.setitem(REGISTRIES[registry], check, _always_passes)
    for number, lie in enumerate(lies):
        folder = Path(shutil.copytree(honest_run, tmp_path / f"{number}" / "run"))
        change, expected, _, _ = LIES[lie]
        change(folder)
        assert bad(folder) != expected, lie


def test_every_check_alone_turns_the_verdict(honest_run):
    decisive = {key for _, expected, _, _ in LIES.values() if len(expected) == 1 for key in expected}
    every = {(GPU, check) for check in verify.GPU_CHECKS} | {("native_cpu", check) for check in verify.CPU_CHECKS}
    # The others fail together with one of their kind: a mode that leaves much to the reference does less on devices.
    together = {"device_evaluations", "fallback", "speedup_minimum", "speedup_target", "speedup_stretch"}
    assert {key for key in every - decisive if key[0] == GPU} == {(GPU, check) for check in together}


def test_a_machine_without_a_gpu_is_not_to_blame(honest):
    gpu_runs.absent_and_skipped(honest)
    assert bad(honest) == {}
    (check,) = [one for one in found(honest) if one.mode == GPU]
    assert (check.check, check.verdict) == ("ran", "skipped")
    assert overall(found(honest)) == "pass"
    assert "not checked: parallel_gpu" in verify.headline(load_run(honest))


def test_without_a_gpu_mode_the_cpu_checks_decide(folder):
    run = load_run(folder)
    modes = {check.mode: check.verdict for check in checks(run) if check.check == "ran"}
    assert modes == {"sequential": "pass", "parallel_cpu": "pass", "native_cpu": "skipped", "GPU modes": "skipped"}
    assert overall(checks(run)) == "pass"


def test_a_target_is_printed_beside_what_was_reached(honest):
    row = checks_table(load_run(honest)).set_index(["mode", "check"]).loc[(GPU, "speedup_target")]
    assert row["threshold"] == "1.60"
    assert row["verdict"] == "pass"
    configure(honest, speedup_all_target=None)
    row = checks_table(load_run(honest)).set_index(["mode", "check"]).loc[(GPU, "speedup_target")]
    assert (row["verdict"], row["threshold"]) == ("skipped", "-")


def test_a_stretch_target_that_is_not_reached_fails_no_run(honest, capsys):
    configure(honest, speedup_all_stretch=1e8)
    assert bad(honest) == of_gpu(speedup_stretch="not reached")
    assert main(["verify", str(honest)]) == 0
    assert "not reached: parallel_gpu: speedup_stretch" in capsys.readouterr().out
    (finding,) = [one for one in findings(load_run(honest)) if f"{GPU} is faster" in one.text]
    assert finding.level == "good"


def test_a_missed_target_is_not_called_a_lie(honest):
    configure(honest, speedup_all_minimum=1e6, speedup_all_target=1e7, speedup_all_stretch=1e8)
    (finding,) = [one for one in findings(load_run(honest)) if f"{GPU} is faster" in one.text]
    assert finding.level == "bad"
    assert finding.text.startswith("Slower than asked for: speedup_minimum")


def test_finding_and_verdict_agree_on_a_gpu_mode(honest):
    (finding,) = [one for one in findings(load_run(honest)) if one.text.startswith(f"{GPU} is faster")]
    assert finding.level == "good"
    gpu_runs.never_called(honest)
    (finding,) = [one for one in findings(load_run(honest)) if f"{GPU} is faster" in one.text]
    assert finding.level == "bad"
    assert finding.text.startswith("This is no result of a GPU: device_executions: ")
    shutil.rmtree(honest / "gpu_samples.parquet")


def test_the_checks_are_in_every_form_of_the_report(honest):
    gpu_runs.never_called(honest)
    dashboard = write_report(honest)
    for text in (report_markdown(load_run(honest)), dashboard.read_text(), "\n".join(verdict_lines(load_run(honest)))):
        assert "initialised and never called" in text
        assert "gpu_utilization" in text.replace("\\", "")
    assert main(["report", str(honest)]) == 1
    shown = verify.ColouredChecks(load_run(honest))._repr_html_()
    assert verify.COLOURS["fail"] in shown
    record = json.loads((honest / "verdict.json").read_text())
    assert {check["check"] for check in record["checks"] if check["mode"] == GPU} == verify.GPU_CHECKS.keys()
    assert set(record["checks"][0]) == {"verdict", "value", "threshold", "meaning", "check", "mode"}


@pytest.mark.parametrize("name", ["opcodes", "device_blocks", "devices", "modules", "executions"])
def test_a_table_that_cannot_be_read_proves_nothing(honest, name):
    (honest / f"{name}.parquet").write_bytes(b"PAR1 but broken")
    assert overall(found(honest)) in ("fail", "unproven")
    assert f"{name}.parquet" in load_run(honest).missing


@pytest.mark.parametrize("text", ["[]", '{"available": true, "spans": 3}', '{"available": true, "spans": [{}]}', "{"])
def test_a_record_of_sampling_that_is_foreign_proves_nothing(honest, text):
    (honest / "gpu_sampling.json").write_text(text)
    assert bad(honest) == of_gpu(gpu_utilization="unproven")


def test_a_folder_that_cannot_be_written_into_is_judged_all_the_same(honest, capsys, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(verify, "write_atomic", refuse)
    assert main(["verify", str(honest)]) == 0
    captured = capsys.readouterr()
    assert "Verdict: pass" in captured.out
    assert "Read-only file system" in captured.err
    assert not (honest / "verdict.json").exists()


def test_what_is_no_run_is_refused(tmp_path, capsys):
    assert main(["verify", str(tmp_path / "gone")]) == 2
    assert main(["verify", str(tmp_path)]) == 2
    assert "not a run folder" in capsys.readouterr().err


def test_each_primitive_tells_what_devices_did_and_what_not(honest):
    table, unknown = primitive_work(load_run(honest))
    assert unknown == {}
    own = table[table["mode"] == "parallel_gpu"].set_index("primitive")
    assert (own["executed"] > 0).all()
    assert own["fell_back"].sum() < 1e-3 * own["executed"].sum()  # counts of the fixture are rounded down
    silent_fallback(honest)
    lying = primitive_work(load_run(honest))[0]
    lying = lying[lying["mode"] == "parallel_gpu"].set_index("primitive")
    both = lying["executed"] + lying["fell_back"]
    assert (both.reindex(own.index) - own["executed"] - own["fell_back"]).abs().max() <= 2
    assert lying["own_share"].where(own["executed"] > 100).dropna().between(0.58, 0.61).all()
    patch_misses(honest)
    missed = primitive_work(load_run(honest))[0].query("mode == 'parallel_gpu'").set_index("primitive")["own_share"]
    assert set(missed[missed == 0].index) == {"apply", "mapply"}
    without_counters(honest)
    assert "parallel_gpu" in primitive_work(load_run(honest))[1]
