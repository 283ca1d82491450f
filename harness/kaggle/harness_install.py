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
import re
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
    wheels = {
        canonical(row["name"].split("-")[0]): row["name"] for row in manifest["files"] if row["name"][-4:] == ".whl"
    }
    # Whatever is there: another build may have the same version. Its dependencies are looked at one by one, since an
    # image whose packages are a little older than what is tested may well do, and pip would refuse it.
    _pip(mounted, wheels[PACKAGE])
    new, older = _complete(mounted, wheels)
    _refuse_another(manifest)
    state = manifest["commit"] or "no commit"
    print(f"dataset   {mounted}: {len(manifest['files'])} files as the manifest has them")
    changed = ", with changes that were not committed" if manifest["dirty"] else ""
    print(f"installed {PACKAGE} {manifest['version']} of {state[:12]}{changed}")
    print(f"          with {', '.join(new) or 'nothing else'}; all else was there")
    if older:
        print(f"WARNING: older than what the harness is tested with: {', '.join(older)}")

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


def canonical(name: str) -> str:
    """Return the name of a package as all its spellings have it in common."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _complete(folder: Path, wheels: dict[str, str]) -> tuple[list[str], list[str]]:
    """Install what the harness needs and the session lacks, or has too old a version of, if the dataset brings it.

    Returns:
        What was installed, and what is older than it should be and not in the dataset.

    Raises:
        RuntimeError: names packages that neither the session nor the dataset has.
    """
    from packaging.requirements import Requirement  # Matplotlib and ipykernel bring it  # noqa: PLC0415

    new, older, missing = [], [], []
    seen, waiting = {PACKAGE}, [PACKAGE]
    while waiting:
        for text in importlib.metadata.requires(waiting.pop()) or ():
            needed = Requirement(text)
            name = canonical(needed.name)
            if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
                continue
            version = _version(name)
            if (version is None or not needed.specifier.contains(version, prereleases=True)) and name in wheels:
                _pip(folder, wheels[name])
                version = _version(name)
                new.append(f"{name} {version}")
            if version is None:
                missing.append(str(needed))
            else:
                if not needed.specifier.contains(version, prereleases=True):
                    older.append(f"{name} {version} ({needed.specifier})")
                if name not in seen:
                    seen.add(name)
                    waiting.append(name)
    if missing:
        raise RuntimeError(
            f"neither this session's image nor the dataset has {', '.join(sorted(set(missing)))}: choose the latest "
            "environment in the settings of the notebook, or add the packages to kaggle_dataset/wheels.txt"
        )
    return sorted(new), sorted(set(older))


def _version(name: str) -> str | None:
    """Return the version of a package that is installed; None if it is not."""
    importlib.invalidate_caches()
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _pip(folder: Path, wheel: str) -> None:
    """Install a wheel of the folder by itself, with no index, and without what pip is configured to do elsewhere."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    environment["PIP_CONFIG_FILE"] = os.devnull
    options = [
        "--quiet",
        "--disable-pip-version-check",
        "--no-cache-dir",
        "--no-index",
        "--no-deps",
        "--force-reinstall",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--root-user-action=ignore", *options, str(folder / wheel)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        check=False,
    )
    if done.returncode:
        text = done.stdout.decode(errors="replace").strip()
        raise RuntimeError(
            f"pip cannot install {wheel} from the dataset; is the session's environment the latest? pip says:\n{text}"
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
