"""Install the harness in a Kaggle notebook, from the mounted dataset that this file lies in, without internet.

Uploaded beside the wheels, and run by the notebook's first cell, before there is a harness: so it imports the standard
library alone, and works from Python 3.8 on, to say at least what it lacks.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

MANIFEST = "harness-manifest.json"
PACKAGE = "arc-dsl-harness"
OLDEST_PYTHON = (3, 11)


def install(folder: str | None = None) -> None:
    """Check the dataset's files, install its wheels where they are needed, and start what a Kaggle session needs.

    Args:
        folder: where the dataset is mounted; the folder of this file if None.

    Raises:
        RuntimeError: says what is wrong, and what to do.
    """
    mounted = Path(folder).resolve() if folder else Path(__file__).resolve().parent
    manifest = read_manifest(mounted)
    if sys.version_info < OLDEST_PYTHON:
        raise RuntimeError(
            f"Python {sys.version_info[0]}.{sys.version_info[1]} is too old, the harness needs "
            f"{OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]}: choose the latest environment in the notebook's settings"
        )
    if "harness" in sys.modules:
        raise RuntimeError("a harness is imported already, so that none can be installed: restart the session")
    wheels = [row["name"] for row in manifest["files"] if row["name"].endswith(".whl")]
    (own,) = [name for name in wheels if name.startswith(PACKAGE.replace("-", "_") + "-")]
    before = _versions()
    # First with dependencies, of which only those are taken from the dataset that are missing or too old here. Then
    # the harness itself whatever is there: another build of it may have the same version.
    _pip(mounted, own, [])
    _pip(mounted, own, ["--no-deps", "--force-reinstall"])
    after = _versions()
    importlib.invalidate_caches()
    _refuse_another(manifest)
    new = sorted(
        f"{name} {version}" for name, version in after.items() if before.get(name) != version and name != PACKAGE
    )
    state = manifest["commit"] or "no commit"
    print(f"dataset   {mounted}: {len(manifest['files'])} files as the manifest has them")
    changed = ", with changes that were not committed" if manifest["dirty"] else ""
    print(f"installed {PACKAGE} {manifest['version']} of {state[:12]}{changed}")
    print(f"          with {', '.join(new) or 'nothing else'}; all else was there")

    from harness.kaggle import session  # what has just been installed  # noqa: PLC0415

    session.start(manifest)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the dataset's manifest, once every file is as it says.

    Raises:
        RuntimeError: names the files that are missing, or are not what was uploaded.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RuntimeError(f"{folder / MANIFEST}: {error}; upload the dataset again: make kaggle-upload") from None
    problems = []
    for row in manifest["files"]:
        try:
            content = (folder / row["name"]).read_bytes()
        except OSError:
            problems.append(f"{row['name']} is missing")
            continue
        if len(content) != row["bytes"] or hashlib.sha256(content).hexdigest() != row["sha256"]:
            problems.append(f"{row['name']} is not what was uploaded")
    if problems:
        raise RuntimeError(f"{folder}: {'; '.join(problems)}; upload the dataset again: make kaggle-upload")
    return manifest


def _versions() -> dict[str, str]:
    """Return the version of each package that is installed."""
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            found.setdefault(name.lower().replace("_", "-"), distribution.version)
    return found


def _pip(folder: Path, wheel: str, options: list[str]) -> None:
    """Install a wheel of the folder, with no index and whatever pip is configured to use elsewhere."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    environment["PIP_CONFIG_FILE"] = os.devnull
    quiet = ["--quiet", "--disable-pip-version-check", "--no-cache-dir", "--root-user-action=ignore"]
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--find-links", str(folder), *quiet, *options]
    done = subprocess.run(
        [*command, str(folder / wheel)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, check=False
    )
    if done.returncode:
        text = done.stdout.decode(errors="replace").strip()
        raise RuntimeError(
            f"pip cannot install {wheel} from the dataset alone: this session's image lacks something that the dataset "
            "does not bring, or is too old. Choose the latest environment in the settings of the notebook, or add the "
            f"package to kaggle_dataset/wheels.txt. pip says:\n{text}"
        )


def _refuse_another(manifest: dict[str, Any]) -> None:
    """Refuse to go on if ``import harness`` would find another one than what was installed."""
    spec = importlib.util.find_spec("harness")
    distribution = importlib.metadata.distribution(PACKAGE)
    expected = Path(str(distribution.locate_file("harness/__init__.py"))).resolve()
    found = Path(spec.origin).resolve() if spec and spec.origin else None
    if found != expected or distribution.version != manifest["version"]:
        raise RuntimeError(
            f"import harness would find {found}, not {expected}, which has just been installed: remove it, or its "
            "folder from the search path (PYTHONPATH, sys.path)"
        )
