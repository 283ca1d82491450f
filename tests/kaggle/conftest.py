"""What the tests of the way to Kaggle share: a copy of the checkout, its build, and the stand-in for Kaggle's API."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kaggle_stub import KEY, USER, Stub

from harness.kaggle.__main__ import main
from harness.kaggle.build import build
from harness.kaggle.errors import KaggleError

ROOT = Path(__file__).parents[2]
PARTS = (
    "harness", "configs", "notebooks", "kaggle_dataset", "LICENSE", "NOTICE", "README.md", "setup.py", "pyproject.toml",
    "constraints.txt",
)  # fmt: skip


def copy_checkout(target: Path) -> Path:
    """Copy what a build reads, and commit it."""
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__", "_native", "_cubins")
            )
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    (target / ".gitignore").write_text("build/\n_native/\n__pycache__/\nresults/\n")
    git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *words], cwd=target, check=True)
    return target


def try_build(root: Path) -> dict:
    """Build, or skip where pip has no index to fetch wheels from."""
    try:
        return build(root)
    except KaggleError as error:
        if "needs the package index" in str(error) and "No matching distribution" in str(error):
            pytest.skip(f"there is no package index here: {error}")
        raise


@dataclass
class Checkout:
    """A checkout with a build, and the manifest of it."""

    root: Path
    manifest: dict


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Checkout:
    root = copy_checkout(tmp_path_factory.mktemp("checkout") / "checkout")
    return Checkout(root, try_build(root))


@pytest.fixture
def checkout(built, tmp_path) -> Checkout:
    """A checkout of one's own, with the build."""
    root = tmp_path / "checkout"
    shutil.copytree(built.root, root, ignore=shutil.ignore_patterns("__pycache__"))
    return Checkout(root, built.manifest)


@pytest.fixture
def stub(monkeypatch, tmp_path) -> Iterator[Stub]:
    """The stand-in, and an environment in which the command line goes there with Ada's key, and finds nothing else."""
    server = Stub()
    home = tmp_path / "home"
    home.mkdir()
    for name in [name for name in os.environ if name.startswith("KAGGLE_")]:
        monkeypatch.delenv(name)
    for name, value in server.environment(home).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KAGGLE_USERNAME", USER)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    yield server
    server.close()
    assert server.errors == []


@pytest.fixture
def run(capfd) -> Callable[..., tuple[int, str, str]]:
    """Run a command of harness.kaggle, quick where it would wait; answer with its code and what it printed."""

    def call(root: Path, *words: str, quick: bool = True) -> tuple[int, str, str]:
        more = []
        if quick:
            more = ["--pause", "0.01", *(["--poll", "0.1"] if words[0] in ("upload", "pull") else [])]
        capfd.readouterr()
        code = main([*words, *more], root)
        said = capfd.readouterr()
        return code, said.out, said.err

    return call


def process(root: Path, *words: str) -> subprocess.Popen:
    """Start a command in a process of its own, as make does."""
    code = (
        "import sys; from pathlib import Path; from harness.kaggle.__main__ import main; "
        f"sys.exit(main(sys.argv[1:], Path({str(root)!r})))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
