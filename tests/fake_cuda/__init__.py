"""A CUDA driver for machines without one: a library built here, under NVIDIA's soname, that has no device to offer."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fake_nvml import COMPILER, ROOT

NO_COMPILER = "no C compiler (gcc, cc or clang) to build the scripted libcuda.so.1 with"

_folders: list[TemporaryDirectory[str]] = []  # gone when this process ends


@cache
def library_folder() -> Path:
    """Build the library into a folder of its own."""
    assert COMPILER is not None
    _folders.append(TemporaryDirectory(prefix="fake-cuda-"))
    folder = Path(_folders[-1].name)
    name = "libcuda.so.1"
    source = Path(__file__).with_name("fake_cuda.c")
    words = [COMPILER, "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared", f"-Wl,-soname,{name}"]
    subprocess.run([*words, "-o", str(folder / name), str(source)], check=True, capture_output=True, text=True)
    return folder


def environment(*, init: int = 100, version: int = 13020, uuid: str = "", **more: str) -> dict[str, str]:
    """Return the environment of a process that finds the library; see fake_cuda.c for what it answers."""
    scripted = {"FAKE_CUDA_INIT": str(init), "FAKE_CUDA_VERSION": str(version), "FAKE_CUDA_UUID": uuid}
    paths = {"LD_LIBRARY_PATH": str(library_folder()), "PYTHONPATH": str(ROOT)}
    own = {key: value for key, value in os.environ.items() if key not in ("CUDA_VISIBLE_DEVICES", "HARNESS_GPUS")}
    return own | scripted | paths | more
