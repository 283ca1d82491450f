"""Fill the folder that becomes the dataset: wheels, configurations, notebooks, and a manifest of them.

All lies flat in one folder: of folders, Kaggle's command line uploads none, or archives that Kaggle unpacks. Two builds
of one commit, with the same compiler, are identical to the byte. Modification times are left alone, and a file that has
not changed is not written again: the command line resumes an interrupted upload by them.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import harness
from harness.atomic import write_atomic
from harness.kaggle.client import state_folder
from harness.kaggle.contents import MOST_BYTES, flat_files, package_files, problems_of
from harness.kaggle.errors import KaggleError
from harness.kaggle.harness_install import MANIFEST, canonical
from harness.kaggle.metadata import DATASET_FILE, read_dataset_metadata
from harness.kaggle.outputs import file_row
from harness.measure.environment import git_state
from harness.vm import build as library
from harness.vm.manylinux import Version, oldest_glibc

SCHEMA = 1
IMAGE_GLIBC: Version = (2, 35)
"""glibc of Kaggle's image, which is made from Ubuntu 22.04; a wheel that needs a newer one is refused there."""

IMAGE_MACHINE = "x86_64"
OLDEST_TIME = 315532800
"""1 January 1980, in seconds of Unix time: no file of a zip archive can be older."""

_BUILT_FILES = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "NOTICE")


def dataset_folder(root: Path) -> Path:
    """Return the folder that a build fills."""
    return state_folder(root) / "dataset"


def build(root: Path) -> dict[str, Any]:
    """Build the dataset of a checkout.

    Args:
        root: the checkout.

    Returns:
        The manifest, as it lies in the folder.

    Raises:
        KaggleError: if something may not go into it, or cannot be built or fetched; the folder then has no manifest,
            or that of the last build.
    """
    read_dataset_metadata(root / "kaggle_dataset" / DATASET_FILE, "owner")
    flat = flat_files(root)
    sources = package_files(root)
    _refuse_foreign(dataset_folder(root), flat)
    _check_machine()
    libraries = _build_libraries()
    commit = _commit(root)
    with tempfile.TemporaryDirectory(prefix="harness-kaggle-") as name:
        wheel = _build_wheel(root, sources, libraries, commit, Path(name))
        wheels = {wheel.name: wheel} | {path.name: path for path in _fetch_wheels(root)}
        folder = dataset_folder(root)
        folder.mkdir(parents=True, exist_ok=True)
        expected = {**flat, **wheels}
        _clear(folder, expected)
        for file_name, path in expected.items():
            _write_if_changed(folder / file_name, path.read_bytes())
        glibc = max(oldest_glibc(path) for path in libraries)
        cubins = [path.name for path in sources if path.parent.name == "_cubins" and path.suffix == ".cubin"]
        manifest = {
            "schema": SCHEMA,
            "version": harness.__version__,
            **commit,
            "glibc": ".".join(map(str, glibc)),
            "cubins": cubins,
            "files": [{"name": file_name, **file_row(folder / file_name)} for file_name in sorted(expected)],
        }
    total = sum(row["bytes"] for row in manifest["files"])
    if total > MOST_BYTES:
        raise KaggleError(f"{folder}: {total / 2**20:.0f} MiB in all, more than {MOST_BYTES / 2**20:.0f}")
    _write_if_changed(folder / DATASET_FILE, (root / "kaggle_dataset" / DATASET_FILE).read_bytes())
    _write_if_changed(folder / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())
    return manifest


def read_build(root: Path) -> dict[str, Any]:
    """Return the manifest of the last build, once the folder holds what it says and nothing else.

    Raises:
        KaggleError: if nothing was built, or names the files that are missing, changed, or have no business there.
    """
    folder = dataset_folder(root)
    try:
        manifest = dict(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise KaggleError(f"{folder}: there is no build ({error}); run: make kaggle-build") from error
    rows = {row["name"]: row for row in manifest["files"]}
    problems = [
        f"{path.name} is not in the manifest: remove it"
        for path in sorted(folder.iterdir())
        if path.name not in {*rows, MANIFEST, DATASET_FILE}
    ]
    for name, row in rows.items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{name} is missing: run make kaggle-build")
        elif file_row(path) != {"bytes": row["bytes"], "sha256": row["sha256"]}:
            problems.append(f"{name} is not what was built: run make kaggle-build")
        else:
            problems += [f"{name} {reason}" for reason in problems_of(path)]
    if problems:
        raise KaggleError(f"{folder}: " + "; ".join(problems))
    return manifest


def _check_machine() -> None:
    """Refuse to build where the result would not run on Kaggle."""
    if sys.platform != "linux" or platform.machine() != IMAGE_MACHINE:
        raise KaggleError(
            f"Kaggle's machines are Linux on {IMAGE_MACHINE}, this one is {sys.platform} on {platform.machine()}: "
            "build the dataset on such a machine, or in such a container"
        )


def _build_libraries() -> list[Path]:
    """Build the host libraries, portable and for ``LEVEL``, and see that Kaggle's image can load them."""
    if os.environ.get("VM_OPT") or os.environ.get("VM_SANITIZE"):
        raise KaggleError("VM_OPT and VM_SANITIZE are for development: unset them to build the dataset")
    try:
        paths = [library.build(level)[0] for level in (False, True)]
        needs = {path: oldest_glibc(path) for path in paths}
    except library.BuildError as error:
        raise KaggleError(f"the virtual machine's library: {error}") from error
    for path, version in needs.items():
        if version > IMAGE_GLIBC:
            raise KaggleError(
                f"{path.name} needs glibc {'.'.join(map(str, version))}, and Kaggle's image has "
                f"{'.'.join(map(str, IMAGE_GLIBC))}: build the dataset on an older system, e.g. in a container of "
                "Debian 12 or Ubuntu 22.04"
            )
    return paths


def _commit(root: Path) -> dict[str, Any]:
    """Return ``commit`` and ``dirty`` of the checkout, and the time of the commit in seconds of Unix time."""
    state = git_state(root)
    asked = subprocess.run(
        ("git", "log", "-1", "--format=%ct"), cwd=root, capture_output=True, text=True, check=False
    ) if state["commit"] else None  # fmt: skip
    time = int(asked.stdout) if asked is not None and asked.returncode == 0 else OLDEST_TIME
    return {**state, "commit_time": max(time, OLDEST_TIME)}


def _build_wheel(
    root: Path, sources: Sequence[Path], libraries: Sequence[Path], commit: Mapping[str, Any], work: Path
) -> Path:
    """Build the harness's wheel in a copy that holds what may go into it, and nothing else."""
    stage = work / "stage"
    for relative in (*sources, *map(Path, _BUILT_FILES)):
        _copy(root / relative, stage / relative)
    for path in libraries:  # with the stamps by which the build knows that they are up to date
        for part in (path, path.with_suffix(".stamp")):
            _copy(part, stage / "harness" / "vm" / "_native" / part.name)
    info = {"commit": commit["commit"], "dirty": commit["dirty"]}
    write_atomic(stage / "harness" / "_build.json", json.dumps(info) + "\n")
    for path in stage.rglob("*"):  # modes go into the wheel; those of what pip makes are by its umask
        path.chmod(0o755 if path.is_dir() or path.suffix == ".so" else 0o644)
    out = work / "wheel"
    _copy(root / "kaggle_dataset" / "build-constraints.txt", work / "constraints.txt")
    environment = {
        "SOURCE_DATE_EPOCH": str(commit["commit_time"]),
        "PIP_CONSTRAINT": "constraints.txt",  # beside which pip is run: it takes a space in a path for the end of it
    }
    _pip(["wheel", "--no-deps", "--wheel-dir", str(out), str(stage)], environment, work)
    (wheel,) = out.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for relative in sources:
        if relative.as_posix() not in names:
            raise KaggleError(
                f"{relative} is not in the wheel: name it under [tool.setuptools.package-data] in pyproject.toml"
            )
    if "linux_" in wheel.name and "manylinux" not in wheel.name:
        raise KaggleError(f"{wheel.name}: its library does not let it be a manylinux wheel; see above")
    return wheel


def _fetch_wheels(root: Path) -> list[Path]:
    """Return the wheels of ``kaggle_dataset/wheels.txt``, fetched by pip unless an earlier build has done so."""
    pins = wheel_pins(root)
    cache = state_folder(root) / "wheels"
    cache.mkdir(parents=True, exist_ok=True)
    lacking = [f"{name}=={version}" for name, version in pins.items() if not _cached(cache, name, version)]
    if lacking:
        _pip(["download", "--no-deps", "--only-binary", ":all:", "--dest", str(cache), *lacking], {}, root)
    found = []
    for name, version in pins.items():
        paths = _cached(cache, name, version)
        if len(paths) != 1:
            raise KaggleError(f"{cache}: pip has brought {len(paths)} wheels of {name} {version}: remove that folder")
        if not paths[0].name.endswith("-none-any.whl"):
            raise KaggleError(f"{paths[0].name} is for one platform only; kaggle_dataset/wheels.txt is for pure Python")
        found += paths
    return found


def wheel_pins(root: Path) -> dict[str, str]:
    """Return the version of each package of ``kaggle_dataset/wheels.txt``, from ``constraints.txt``.

    Raises:
        KaggleError: for a package that has none.
    """
    constraints = {
        canonical(name): version
        for name, version in re.findall(r"^([\w.-]+)==(\S+)$", (root / "constraints.txt").read_text(), re.MULTILINE)
    }
    lines = (root / "kaggle_dataset" / "wheels.txt").read_text().splitlines()
    names = [canonical(text) for line in lines if (text := line.partition("#")[0].strip())]
    unknown = [name for name in names if name not in constraints]
    if unknown:
        raise KaggleError(f"kaggle_dataset/wheels.txt: constraints.txt has no version of {', '.join(unknown)}")
    return {name: constraints[name] for name in names}


def _cached(cache: Path, name: str, version: str) -> list[Path]:
    """Return the wheels of a package in a folder: one, if it was fetched."""
    wanted = (canonical(name), version)
    return [
        path for path in cache.glob("*.whl") if (canonical(path.name.split("-")[0]), path.name.split("-")[1]) == wanted
    ]


def _pip(words: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
    """Run pip in a folder."""
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        umask=0o022,
        env={**os.environ, **environment},
    )
    if done.returncode:
        raise KaggleError(f"pip {words[0]} failed (it needs the package index):\n{done.stderr.strip()}")
    if done.stderr.strip() and words[0] == "wheel":
        print(done.stderr.strip(), file=sys.stderr)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _write_if_changed(path: Path, content: bytes) -> None:
    if not path.is_file() or path.read_bytes() != content:
        write_atomic(path, content)


def _last_build(folder: Path) -> set[str]:
    """Return the names of the files that the last build has put into a folder."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return {MANIFEST, DATASET_FILE, *(row["name"] for row in manifest["files"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {MANIFEST, DATASET_FILE}


def _refuse_foreign(folder: Path, flat: Mapping[str, Path]) -> None:
    """Refuse to build into a folder that holds what no build has made: it would be uploaded, or be lost."""
    known = {*_last_build(folder), *flat}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.name not in known and path.suffix != ".whl":
            raise KaggleError(f"{path} was not made by a build, and would be uploaded: remove it")


def _clear(folder: Path, expected: Mapping[str, Path]) -> None:
    """Remove the manifest, and what was in the last build and is not in this one."""
    for path in sorted(folder.iterdir()):
        if path.name not in expected and path.name != DATASET_FILE:
            path.unlink()


def describe(manifest: Mapping[str, Any], folder: Path) -> str:
    """Return what was built, as text for a terminal."""
    rows = [f"  {row['bytes'] / 1024:>9.1f} KiB  {row['name']}" for row in manifest["files"]]
    state = f"commit {manifest['commit'][:12]}" if manifest["commit"] else "no commit"
    changed = ", with changes that are not committed" if manifest["dirty"] else ""
    cubins = (
        f"{len(manifest['cubins'])} cubins" if manifest["cubins"] else "no cubins (kernels are compiled at run time)"
    )
    total = sum(row["bytes"] for row in manifest["files"]) / 2**20
    return "\n".join(
        [
            f"{folder}: {len(rows)} files, {total:.1f} MiB, of {state}{changed}",
            *rows,
            f"the harness's wheel runs with glibc {manifest['glibc']} and newer, on any Python 3; {cubins}",
        ]
    )
