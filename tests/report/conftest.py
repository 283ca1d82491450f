"""Run folders to report on, each a fresh copy that a test may change."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from synthetic_run import RECORD, write_gpu_run, write_run


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("pristine") / RECORD["name"])


@pytest.fixture(scope="session")
def pristine_gpu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_gpu_run(tmp_path_factory.mktemp("pristine_gpu") / "20251121-102300-t4x2")


@pytest.fixture
def gpu_folder(pristine_gpu: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine_gpu, tmp_path / pristine_gpu.name))


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / pristine.name))


@pytest.fixture
def edit(folder: Path) -> Callable[[str, Callable[[pd.DataFrame], pd.DataFrame]], Path]:
    """Change a Parquet file of ``folder``."""

    def change(name: str, function: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
        path = folder / f"{name}.parquet"
        function(pd.read_parquet(path)).to_parquet(path)
        return folder

    return change


@pytest.fixture
def record(folder: Path) -> Callable[..., Path]:
    """Change keys of ``folder``'s run.json."""

    def change(**values: Any) -> Path:
        path = folder / "run.json"
        path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | values), encoding="utf-8")
        return folder

    return change
