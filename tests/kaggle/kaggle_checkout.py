"""A copy of the checkout, as the tests of the way to Kaggle use it; its build; commands in processes of their own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

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


def process(root: Path, *words: str) -> subprocess.Popen:
    """Start a command in a process of its own, as make does."""
    code = (
        "import sys; from pathlib import Path; from harness.kaggle.__main__ import main; "
        f"sys.exit(main(sys.argv[1:], Path({str(root)!r})))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
