"""Fixtures of the tests of the way to Kaggle: a checkout with its build, and the stand-in for Kaggle's API."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kaggle_checkout import Checkout, copy_checkout, try_build
from kaggle_stub import KEY, USER, Stub

from harness.kaggle.__main__ import main


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
