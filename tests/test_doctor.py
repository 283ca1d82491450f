"""The doctor says what is there, and what to do about what is not."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

from harness.doctor import Finding, cupy_advice, describe, examine
from harness.gpu import devices
from harness.measure.environment import describe_environment, gpus, usable_cpus
from harness.vm import cubins
from harness.vm.native import unavailable


@pytest.fixture(scope="module")
def findings() -> dict[str, Finding]:
    return {finding.subject: finding for finding in examine()}


def test_here_all_that_the_main_job_needs_is_there(findings):
    assert {finding.subject for finding in findings.values() if finding.verdict == "broken"} == set()
    for subject in ("Python", "packages", "notebook kernel", "CPUs", "memory", "ARC data"):
        assert findings[subject].verdict == "ok"
    assert sys.executable in findings["Python"].detail
    assert findings["CPUs"].detail.startswith(f"{usable_cpus()} usable")
    assert "400" in findings["ARC data"].detail


def test_what_is_absent_comes_with_what_to_do(findings):
    for finding in findings.values():
        assert finding.detail
        if finding.verdict != "ok":
            assert finding.advice, finding
    assert (findings["GPUs"].verdict == "ok") == gpus()["available"]
    assert (findings["native library"].verdict == "ok") == (unavailable() is None)
    assert (findings["GPU modes"].verdict == "ok") == (devices.unavailable() is None)
    if importlib.util.find_spec("cupy") is None:
        assert findings["CuPy"].verdict == "absent"
        assert "cuda12" in findings["CuPy"].advice
        assert "cuda13" in findings["CuPy"].advice


def test_it_says_for_which_cards_kernels_were_compiled_ahead(tmp_path, monkeypatch):
    monkeypatch.setattr(cubins, "FOLDER", tmp_path)

    def finding() -> Finding:
        (found,) = [finding for finding in examine() if finding.subject == "CUDA kernels"]
        return found

    assert (finding().verdict, finding().detail) == ("absent", "not compiled ahead")
    assert "make cubins" in finding().advice
    cubins.path_for((7, 5)).write_bytes(b"")
    assert finding().detail == "compiled ahead for sm_75 only"
    for capability in cubins.CAPABILITIES:
        cubins.path_for(capability).write_bytes(b"")
    assert finding().verdict == "ok"


def test_on_kaggle_it_says_so():
    found = subprocess.run(
        [sys.executable, "-m", "harness", "doctor"],
        env={**os.environ, "KAGGLE_KERNEL_RUN_TYPE": "Batch"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert found.returncode == 0
    assert found.stderr == ""
    assert "this is a Kaggle notebook (Batch)" in found.stdout
    assert "ARC data" in found.stdout


def test_a_broken_installation_is_an_exit_code_of_1(tmp_path):
    """An installation that needs more than there is: its metadata come before those of the real one."""
    info = tmp_path / "arc_dsl_harness-99.dist-info"
    info.mkdir()
    needs = ["numpy>=999", "no-such-package-at-all", 'cupy-not-needed; extra == "x"']
    head = ["Metadata-Version: 2.1", "Name: arc-dsl-harness", "Version: 99", "Provides-Extra: x"]
    (info / "METADATA").write_text("\n".join([*head, *(f"Requires-Dist: {need}" for need in needs)]))
    found = subprocess.run(
        [sys.executable, "-m", "harness", "doctor"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert found.returncode == 1, found.stderr
    line = next(line for line in found.stdout.splitlines() if line.startswith("broken"))
    assert "numpy" in line
    assert "no-such-package-at-all is not installed" in line
    assert "cupy" not in line
    assert "make setup" in found.stdout


def test_the_text_has_the_advice_below_each_finding():
    text = describe([Finding("one", "ok", "fine"), Finding("longer", "absent", "gone", "get it")])
    assert text.splitlines() == ["ok      one     fine", "absent  longer  gone", "                -> get it"]


def test_the_environment_of_a_run():
    environment = describe_environment("command")
    assert environment["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert environment["cpu"]["affinity"] == usable_cpus() <= environment["cpu"]["logical"]
    assert environment["packages"]["pydantic"]
    assert environment["memory_bytes"] > 2**28
    assert environment["gpu"]["available"] == bool(environment["gpu"]["devices"])
    assert environment["gpu"]["available"] or environment["gpu"]["reason"]


def test_a_cupy_that_does_not_fit_the_driver_comes_with_what_to_do():
    here = cupy_advice(12090, "11.8", on_kaggle=False)
    assert "built for CUDA 12.9, and the driver supports 11.8 at most" in here
    assert "extra cuda11" in here
    there = cupy_advice(13000, "12.8", on_kaggle=True)
    assert "built for CUDA 13.0, and the driver supports 12.8 at most" in there
    assert "latest environment" in there
    assert "extra" not in there  # nothing can be installed there
    assert "built for" not in cupy_advice(12090, "12.2", on_kaggle=True)  # minor versions are compatible
    assert "cuda12 or cuda13" in cupy_advice(12090, None, on_kaggle=False)


def test_a_token_is_found_wherever_the_command_line_looks(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("KAGGLE_")]:
        monkeypatch.delenv(name)
    for place in (
        ".kaggle/kaggle.json",
        ".kaggle/access_token",
        ".kaggle/credentials.json",
        ".config/kaggle/kaggle.json",
    ):
        home = tmp_path / place.replace("/", "_")
        (home / place).parent.mkdir(parents=True)
        monkeypatch.setenv("HOME", str(home))
        (found,) = [finding for finding in examine() if finding.subject == "Kaggle CLI"]
        assert found.verdict == "absent" and "no token" in found.detail
        (home / place).write_text("x")
        (found,) = [finding for finding in examine() if finding.subject == "Kaggle CLI"]
        assert found.verdict == "ok"
