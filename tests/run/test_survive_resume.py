"""What is refused to be continued, and why; runs side by side; Ctrl-C; a clock that jumps."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from survive import differences, do, journal, kill, resume_here, run_here, start, status, write_run

from harness.cli import main
from harness.config import ConfigError, read_config
from harness.notebook import config_from_parameters, executed_path
from harness.places import portable
from harness.run import journal as journal_module
from harness.run.lock import FolderInUse, locked
from harness.run.resume import ResumeRefused, resumed_config
from tests.fake_nvml import COMPILER, NO_COMPILER, environment, healthy


@pytest.fixture(scope="module")
def stopped(tmp_path_factory) -> Path:
    """A folder with a configuration, and a run of it that was killed after some blocks: ``run``."""
    folder = tmp_path_factory.mktemp("stopped")
    kill_after(folder, write_run(folder), "00006-block.json")
    return folder


def kill_after(folder: Path, config: Path, entry: str, name: str = "run", **options: object) -> None:
    process = start("run", config, "--out", folder / name, **options)
    wait_for(folder / name / "journal" / entry, process)
    kill(process)
    assert status(folder / name) == "running"


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.fixture
def again(stopped, tmp_path) -> Path:
    """The same, to be changed. Programs and data stay where they are."""
    return Path(shutil.copytree(stopped / "run", tmp_path / "run"))


def refusal(*words: object, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["run", *map(str, words)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    return captured.err


def unchanged(folder: Path, before: dict[str, bytes]) -> bool:
    return before == {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_another_configuration_is_refused_and_said_how(stopped, again, capsys):
    before = contents(again)
    text = refusal("--resume", again, "--set", "min_blocks=5", "--set", "seed=3", capsys=capsys)
    assert "configuration: min_blocks was 8, and is 5" in text
    assert "configuration: seed was 0, and is 3" in text
    text = refusal(stopped / "tiny.yaml", "--resume", again, "--set", "accuracy_samples=4", capsys=capsys)
    assert "accuracy_samples was 8, and is 4" in text
    assert "min_blocks" not in text
    same = resumed_config(again, {"data": str(stopped / "data.json")})  # however it is spelled
    assert same.data == portable(str(stopped / "data.json"))
    assert "nearest: seed" in refusal("--resume", again, "--set", "sed=3", capsys=capsys)
    assert unchanged(again, before)


def test_other_programs_data_and_machines_are_refused_and_said_how(stopped, again, capsys):
    before = contents(again)
    for name, part in (
        ("mine.py", f"{portable(str(stopped / 'mine.py'))} had other contents"),
        ("data.json", "tasks and samples had"),
    ):
        path = stopped / name
        original = path.read_text()
        try:
            path.write_text(original.replace("rot90(I)", "rot270(I)").replace("5", "6"))
            assert part in refusal("--resume", again, capsys=capsys)
        finally:
            path.write_text(original)
    cpus = os.sched_getaffinity(0)
    if len(cpus) > 1:
        try:
            os.sched_setaffinity(0, {min(cpus)})
            text = refusal("--resume", again, capsys=capsys)
        finally:
            os.sched_setaffinity(0, cpus)
        assert f"machine: usable CPUs was {len(cpus)}, and is 1" in text
        assert "programs: " not in text
    assert unchanged(again, before)


def test_what_is_no_run_to_continue(again, tmp_path, capsys):
    assert "no run that could be continued" in refusal("--resume", tmp_path / "gone", capsys=capsys)
    assert "no run that could be continued" in refusal("--resume", tmp_path, capsys=capsys)
    (again / "journal" / "00003-first.json").unlink()
    assert "entry 00003 is missing" in refusal("--resume", again, capsys=capsys)
    (again / "journal" / "00003-first.json").write_text("{")
    assert "00003-first.json: is not what was written there" in refusal("--resume", again, capsys=capsys)
    shutil.rmtree(again / "journal")
    assert "holds no journal to go on from" in refusal("--resume", again, capsys=capsys)
    for words in (["run"], ["run", "--resume", "x", "--out", "y"]):
        with pytest.raises(SystemExit):
            main(words)
        assert "usage: " in capsys.readouterr().err


def test_a_run_under_way_is_left_alone(again, stopped, capsys):
    before = contents(again)
    with locked(again):
        assert "another process is at work" in refusal("--resume", again, capsys=capsys)
        with pytest.raises(FolderInUse), locked(again, patience_s=0.1):
            pass
    assert "holds a run already" in refusal(stopped / "tiny.yaml", "--out", again, capsys=capsys)
    assert unchanged(again, before)


def test_what_is_complete_stays_as_it_is(again):
    out, _ = do("run", "--resume", again)
    assert "sequential" in out
    before = {path: path.read_bytes() for path in again.glob("*.parquet")} | {0: (again / "run.json").read_bytes()}
    resume_here(again)
    after = {path: path.read_bytes() for path in again.glob("*.parquet")} | {0: (again / "run.json").read_bytes()}
    assert after == before
    state = json.loads((again / "run.json").read_text())
    first, second = state["sessions"]
    assert (first["blocks"], first["next"]) == (0, "its start")
    assert second["blocks"] >= 3
    assert second["next"].startswith("block ")
    report = (again / "report.md").read_text()
    assert "resumed once" in report
    assert "resumed once" in (again / "dashboard.html").read_text()


def test_the_notebook_continues_a_run_too(again):
    do("notebook", "--resume", again)
    assert status(again) == "complete"
    nbformat.read(again / "benchmark.ipynb", as_version=4)
    assert executed_path(again) == again / "benchmark-2.ipynb"


def test_the_notebook_takes_the_configuration_of_the_run(again):
    own = read_config(again / "config.yaml")
    config = config_from_parameters({"resume": str(again), "time_budget_s": 60.0, "min_blocks": 8})
    assert config == own.model_copy(update={"resume": str(again), "time_budget_s": 60.0})
    with pytest.raises(ResumeRefused, match="max_blocks was 8, and is 9"):
        config_from_parameters({"resume": str(again), "max_blocks": 9})
    with pytest.raises(ConfigError, match="no run that could be continued"):
        resumed_config(again / "journal", {})


def test_runs_of_one_name_at_the_same_time_do_not_touch_each_other(tmp_path):
    config = write_run(tmp_path, blocks=2, modes="sequential")
    processes = [start("run", config) for _ in range(3)]
    same = [start("run", config, "--out", tmp_path / "same") for _ in range(2)]
    try:
        results = [(process.communicate(timeout=180), process.returncode) for process in [*processes, *same]]
    finally:
        for process in [*processes, *same]:
            kill(process)
    assert [code for _, code in results[:3]] == [0, 0, 0], results
    folders = list((tmp_path / "results").iterdir())
    assert len(folders) == 3
    assert differences(folders[0], folders[1]) == differences(folders[0], folders[2]) == []
    # Of two that are told the same folder, one has it, and the other says so.
    assert sorted(code for _, code in results[3:]) == [0, 2], results
    (loser,) = [errors for (_, errors), code in results[3:] if code == 2]
    assert "another process is at work" in loser or "holds a run already" in loser
    assert differences(folders[0], tmp_path / "same") == []


def test_ctrl_c_while_a_block_is_written_down_waits_until_it_is(tmp_path, monkeypatch):
    config = write_run(tmp_path, blocks=4, modes="sequential")
    write = journal_module.write_atomic

    def write_and_interrupt(path: Path, data: bytes | str) -> None:
        if path.name == "00004-block.json":
            os.kill(os.getpid(), signal.SIGINT)
        write(path, data)

    monkeypatch.setattr(journal_module, "write_atomic", write_and_interrupt)
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run_here(config, folder)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert status(folder) == "interrupted"
    assert max(journal(folder)) == "00004-block.json"
    for name in ("blocks", "timings", "accuracy"):
        assert set(pd.read_parquet(folder / f"{name}.parquet").block) == {0, 1, 2}
    monkeypatch.undo()
    resume_here(folder)
    assert status(folder) == "complete"
    assert list(pd.read_parquet(folder / "blocks.parquet").block) == [0, 1, 2, 3]


def test_ctrl_c_twice_ends_at_once_and_the_run_can_be_continued(tmp_path):
    config = write_run(tmp_path, blocks=40)
    process = start("run", config, "--out", tmp_path / "run")
    try:
        wait_for(tmp_path / "run" / "journal" / "00007-block.json", process)
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.02)  # two at the same time are one
        os.killpg(process.pid, signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    finally:
        kill(process)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "--resume" in errors
    assert "Dashboard" not in out  # no report: it was not waited for
    kept = journal(tmp_path / "run")
    assert len(kept) >= 8
    resume_here(tmp_path / "run")
    assert status(tmp_path / "run") == "complete"
    assert (pd.read_parquet(tmp_path / "run" / "blocks.parquet").groupby("mode").size() == 40).all()


JUMPS = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

static int calls;

/* The time of day jumps back and forth by hours; all other clocks go on as they do. */
static long jump(void) { return (2 * (calls++ % 8) - 7) * 2500L; }

int clock_gettime(clockid_t clock, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(clock, at);
    if (clock == CLOCK_REALTIME && !code) at->tv_sec += jump();
    return code;
}
"""


def test_a_clock_that_jumps_touches_no_duration(tmp_path):
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler to make a clock that jumps")
    (tmp_path / "jumps.c").write_text(JUMPS)
    library = tmp_path / "jumps.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, tmp_path / "jumps.c", "-ldl"], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    config = write_run(tmp_path, blocks=4)
    run_here(config, tmp_path / "whole")
    kill_after(tmp_path, config, "00008-block.json", env=environment)
    do("run", "--resume", tmp_path / "run", env=environment)
    state = json.loads((tmp_path / "run" / "run.json").read_text())
    stamps = [datetime.fromisoformat(row["started"]) for row in state["sessions"]]
    assert all(abs((stamp - datetime.now(UTC)).total_seconds()) > 1500 for stamp in stamps), "the clock did not jump"
    assert differences(tmp_path / "whole", tmp_path / "run") == []
    blocks = pd.read_parquet(tmp_path / "run" / "blocks.parquet")
    assert blocks.t_s.is_monotonic_increasing  # also over the break
    assert ((blocks.wall_s > 0) & (blocks.wall_s < 1000)).all()
    assert all(0 <= seconds < 1000 for seconds in state["phase_seconds"].values())


@pytest.mark.skipif(COMPILER is None, reason=NO_COMPILER)
def test_samples_of_gpus_are_those_of_all_sessions(tmp_path):
    config = write_run(tmp_path, blocks=4, modes="sequential")
    changes = ["min_block_s=0.6", "profile=false"]
    words = ["--out", tmp_path / "run", *(word for change in changes for word in ("--set", change))]
    env = environment(tmp_path, "driver 535.104.05\nperiod 50\ndevice GPU-aa11 Tesla_T4\n" + healthy(0))
    process = start("run", config, *words, env=env)
    try:
        wait_for(tmp_path / "run" / "journal" / "00003-block.json", process)
        time.sleep(0.4)  # into the next block, which is not finished
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    finally:
        kill(process)
    assert status(tmp_path / "run") == "interrupted"
    first = json.loads((tmp_path / "run" / "gpu_sampling.json").read_text())
    parts = sorted((tmp_path / "run" / "gpu_samples.parquet").iterdir())
    before = pd.read_parquet(parts)
    do("run", "--resume", tmp_path / "run", env=env)
    blocks = set(pd.read_parquet(tmp_path / "run" / "blocks.parquet").block)
    samples = pd.read_parquet(tmp_path / "run" / "gpu_samples.parquet")
    assert len(samples) > len(before)
    assert set(samples.block.dropna()) <= blocks == {0, 1, 2, 3}
    both = json.loads((tmp_path / "run" / "gpu_sampling.json").read_text())
    assert both["polls"] > first["polls"]
    assert both["samples"] == len(samples)
    assert both["wall_s"] > first["wall_s"]
    timed = [span for span in both["spans"] if span["block"] is not None]
    assert [span["block"] for span in timed] == [0, 1, 2, 3]
    assert all(a["end_s"] <= b["start_s"] for a, b in zip(both["spans"], both["spans"][1:], strict=False))
    assert samples[samples.source == "poll"].t_s.iloc[: len(before)].max() <= samples.t_s.iloc[len(before) :].max()
    for row in samples.dropna(subset=["block"]).itertuples():
        (span,) = (span for span in timed if span["block"] == row.block)
        assert span["start_s"] <= row.t_s <= span["end_s"] + 0.3
