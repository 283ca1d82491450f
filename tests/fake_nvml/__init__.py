"""An NVML for machines without a GPU: a library built here, under NVIDIA's soname, that plays scripted devices."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
COMPILER = next((path for name in ("gcc", "cc", "clang") if (path := shutil.which(name))), None)
NO_COMPILER = "no C compiler (gcc, cc or clang) to build the scripted libnvidia-ml.so.1 with"

_folders: list[TemporaryDirectory[str]] = []  # gone when this process ends


@cache
def library_folder(*flags: str) -> Path:
    """Build the library into a folder of its own; ``-DOLD_DRIVER`` leaves out what older drivers lack."""
    assert COMPILER is not None
    _folders.append(TemporaryDirectory(prefix="fake-nvml-"))
    folder = Path(_folders[-1].name)
    name = "libnvidia-ml.so.1"
    source = Path(__file__).with_name("fake_nvml.c")
    words = [COMPILER, "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared", f"-Wl,-soname,{name}", *flags]
    subprocess.run([*words, "-o", str(folder / name), str(source)], check=True, capture_output=True, text=True)
    return folder


def healthy(number: int, utilization: float = 90) -> str:
    """Return the lines of a device that answers everything."""
    values = {
        **{"gpu": utilization, "memory": 40, "used": 3 << 30, "power": 65_500, "temperature": 61, "sm_clock": 1350},
        **{"memory_clock": 5000, "throttle": 0, "pcie_tx": 1200, "pcie_rx": 3400, "process": utilization, "buffer": 1},
    }
    return "".join(f"{number} {quantity} 0 {value}\n" for quantity, value in values.items())


def environment(folder: Path, script: str, *flags: str, **more: str) -> dict[str, str]:
    """Return the environment of a process that finds the library, with a script in ``folder`` for it to play."""
    path = folder / "script.nvml"
    path.write_text(script)
    own = {key: value for key, value in os.environ.items() if key not in ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")}
    own |= {"LD_LIBRARY_PATH": str(library_folder(*flags)), "FAKE_NVML": str(path), "PYTHONPATH": str(ROOT)}
    return own | more
