"""A stand-in for Kaggle's image: an empty virtual environment, with what the image has by itself and nothing more.

What the image has is linked from the environment of the tests: all that the harness needs, directly or not, but for the
packages that the dataset brings. The harness is not there, nor an index.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import papermill
from packaging.requirements import Requirement

from harness.kaggle.build import wheel_pins

ROOT = Path(__file__).parents[2]


def image_packages() -> set[str]:
    """Names of the packages that the image is taken to have."""
    brought = set(wheel_pins(ROOT))
    names: set[str] = set()
    open_names = ["arc-dsl-harness"]
    while open_names:
        name = open_names.pop()
        for text in metadata.requires(name) or ():
            requirement = Requirement(text)
            needed = re.sub(r"[-_.]+", "-", requirement.name).lower()
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
                continue
            if needed not in names:
                names.add(needed)
                open_names.append(needed)
    return names - brought


def make_image(folder: Path) -> Path:
    """Make the environment in a folder; return its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv" / "bin" / "python"
    packages = folder / "packages"
    packages.mkdir()
    for name in sorted(image_packages()):
        distribution = metadata.distribution(name)
        tops = {Path(file).parts[0] for file in distribution.files or ()} - {"..", "__pycache__", ""}
        for top in tops:
            target = packages / top
            if not target.exists():
                target.symlink_to(Path(str(distribution.locate_file(top))))
    (site,) = (folder / "venv" / "lib").glob("python3*/site-packages")
    (site / "image.pth").write_text(f"{packages}\n")
    return python


def execute(python: Path, notebook: Path, mounted: Path, working: Path, **changes: str) -> Path:
    """Execute a notebook as Kaggle does: papermill, the image's interpreter, its folders, no network.

    Returns:
        The executed notebook, which lies beside the working folder.

    Raises:
        PapermillExecutionError: if a cell fails.
    """
    kernels = python.parents[2] / "jupyter"
    spec = kernels / "kernels" / "image" / "kernel.json"
    spec.parent.mkdir(parents=True, exist_ok=True)
    nowhere = "http://127.0.0.1:9"
    environment = {
        "KAGGLE_INPUT": str(mounted),
        "KAGGLE_KERNEL_RUN_TYPE": "Batch",
        "PYTHONPATH": "",
        "http_proxy": nowhere,
        "https_proxy": nowhere,
        "HARNESS_QUIET": "1",
        **changes,
    }
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "image", "language": "python", "env": environment}))
    before = os.environ.get("JUPYTER_PATH")
    os.environ["JUPYTER_PATH"] = str(kernels)
    executed = working.parent / f"{working.name}-{notebook.name}"
    try:
        papermill.execute_notebook(
            str(notebook), str(executed), kernel_name="image", cwd=str(working), progress_bar=False,
            extra_arguments=["--log-level=CRITICAL"],
        )  # fmt: skip
    finally:
        if before is None:
            del os.environ["JUPYTER_PATH"]
        else:
            os.environ["JUPYTER_PATH"] = before
    return executed
