"""Disks that are full and folders that cannot be written to: a clear error, and nothing that was finished is lost."""

from __future__ import annotations

import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from survive import differences, do, journal, resume_here, run_here, status, write_run

LIMIT = 9500  # bytes of a file: no table has more, but that of 60 blocks


def in_namespace(script: str) -> subprocess.CompletedProcess[str]:
    """Run shell commands that may mount, unseen by everybody else."""
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this system gives no mount namespaces to its users")
    words = ["unshare", "-rm", "bash", "-c", f"set -e\nharness='{sys.executable} -m harness'\n{script}"]
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=180)


def test_a_file_that_may_not_grow_ends_the_run_and_what_was_finished_is_kept(tmp_path):
    config = write_run(tmp_path, blocks=60, modes="sequential")
    whole = run_here(config, tmp_path / "whole")
    assert (whole / "blocks.parquet").stat().st_size > LIMIT

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))

    folder = tmp_path / "run"
    _, errors = do("run", config, "--out", folder, code=2, preexec_fn=limit)
    assert "Traceback" not in errors
    assert "cannot be written: File too large" in errors
    assert f"--resume {folder}" in errors
    assert status(folder) in ("failed", "running")
    assert not list(folder.rglob(".*.tmp"))
    for path in folder.glob("*.parquet"):
        pd.read_parquet(path)
    resume_here(folder)
    assert differences(whole, folder) == []


def test_a_disk_that_fills_up_in_a_run_ends_it_and_what_was_finished_is_kept(tmp_path):
    config = write_run(tmp_path, blocks=60, modes="sequential")
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    done = in_namespace(
        f"""
        mount -t tmpfs -o size=180k none {shlex.quote(str(disk))}
        code=0; $harness run {config} --out {disk}/run || code=$?
        df --output=avail {disk} >&2
        cp -a {disk}/run {kept}
        exit $code
        """
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "cannot be written: No space left on device" in done.stderr
    before = journal(kept)
    assert len(before) >= 4
    assert all(path.stat().st_size for path in kept.rglob("*.parquet"))
    resume_here(kept)
    assert status(kept) == "complete"
    assert list(pd.read_parquet(kept / "blocks.parquet").block) == list(range(60))
    assert differences(run_here(config, tmp_path / "whole"), kept) == []


def test_a_disk_that_becomes_read_only_in_a_run(tmp_path):
    config = write_run(tmp_path, blocks=2000, modes="sequential")
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    done = in_namespace(
        f"""
        mount -t tmpfs none {disk}
        $harness run {config} --out {disk}/run &
        while [ ! -e {disk}/run/journal/00004-block.json ]; do kill -0 $!; sleep 0.02; done
        until mount -o remount,ro {disk} 2>/dev/null; do :; done
        code=0; wait $! || code=$?
        cp -a {disk}/run {kept}
        exit $code
        """
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "cannot be written: Read-only file system" in done.stderr
    assert len(pd.read_parquet(kept / "blocks.parquet")) >= len(journal(kept)) - 3
    assert status(kept) == "running"  # nobody could say otherwise, and it can be continued


def test_a_folder_that_is_read_only_from_the_start(tmp_path):
    config = write_run(tmp_path, blocks=2, modes="sequential")
    disk = tmp_path / "disk"
    disk.mkdir()
    done = in_namespace(
        f"""
        mount -t tmpfs none {disk}
        mkdir {disk}/empty
        mount -o remount,ro {disk}
        code=0; $harness run {config} --set results_dir={disk}/results || code=$?
        [ $code = 2 ]
        $harness run {config} --out {disk}/empty || code=$?
        exit $code
        """
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    first, second = done.stderr.strip().splitlines()
    assert first.startswith("error: ")
    assert "Read-only file system" in first
    assert "cannot be written: Read-only file system" in second


def test_a_report_that_cannot_be_written_is_told_apart_from_the_run(tmp_path):
    config = write_run(tmp_path, blocks=2, modes="sequential")
    folder = run_here(config, tmp_path / "run")
    (folder / "report.md").mkdir()
    _, errors = do("report", folder, code=2)
    assert "report.md" in errors
    assert "Traceback" not in errors
    assert status(folder) == "complete"


def test_what_a_killed_process_had_begun_to_write_goes(tmp_path):
    config = write_run(tmp_path, blocks=2, modes="sequential")
    folder = tmp_path / "run"
    folder.mkdir()
    Path(folder, ".blocks.parquet.123.tmp").write_bytes(b"half")
    run_here(config, folder)
    assert not list(folder.rglob(".*.tmp"))
