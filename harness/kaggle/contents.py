"""What may go into the dataset: an allow-list, and refusals that name the file."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator
from pathlib import Path

from harness.config import ConfigError, read_config
from harness.kaggle.errors import KaggleError

MOST_FILE_BYTES = 64 * 2**20
MOST_BYTES = 256 * 2**20

_SOURCES = (
    "harness/*.py",
    "harness/*.def",
    "harness/*.h",
    "harness/*.cpp",
    "harness/*.cu",
    "harness/*.cuh",
    "harness/*.css",
    "harness/*.js",
    "harness/*.html",
    "harness/vm/_cubins/*.cubin",
    "harness/vm/_cubins/*.json",
)
_CACHES = ("__pycache__", "_native", ".ipynb_checkpoints", ".mypy_cache", ".ruff_cache")
_SECRET_NAMES = (
    "kaggle.json", "access_token*", "credentials*", ".env*", "*.env", "*.pem", "*.key", "id_rsa*", ".netrc", ".git*",
)  # fmt: skip
_SECRETS = {
    "a Kaggle token": re.compile(rb"KGAT_[0-9A-Za-z]{16,}"),
    "a Kaggle key": re.compile(rb"\"key\\?\"\s*:\s*\\?\"[0-9a-f]{32}\\?\""),
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "an AWS key": re.compile(rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a GitHub token": re.compile(rb"\b(?:gh[pousr]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{22,})"),
    "a Hugging Face token": re.compile(rb"\bhf_[0-9A-Za-z]{30,}"),
}


def package_files(root: Path) -> list[Path]:
    """Return the files of the package that go into its wheel, sorted, relative to ``root``.

    Left out are caches, and the libraries that were built here, which the wheel's own build adds.

    Raises:
        KaggleError: names files that are not on the allow-list, look like a secret, or are links.
    """
    chosen, refused = [], []
    for path in _walk(root / "harness"):
        relative = path.relative_to(root)
        if not any(fnmatch.fnmatchcase(relative.as_posix(), pattern) for pattern in _SOURCES):
            refused.append(f"{relative}: no file of this kind goes into the dataset")
        else:
            refused += [f"{relative}: {reason}" for reason in problems_of(path)]
        chosen.append(relative)
    _refuse(refused)
    return sorted(chosen)


def flat_files(root: Path) -> dict[str, Path]:
    """Return what lies beside the wheels, by its name in the dataset: configurations, notebooks, licence, installer.

    Raises:
        KaggleError: names files that are not on the allow-list, look like a secret, are links, configurations that
            cannot be run, notebooks with outputs, and names that would come twice.
    """
    candidates = [root / "LICENSE", root / "NOTICE", root / "harness" / "kaggle" / "harness_install.py"]
    refused = []
    for folder, suffix in (("configs", ".yaml"), ("notebooks", ".ipynb")):
        for path in _walk(root / folder):
            relative = path.relative_to(root)
            if path.suffix != suffix or path.parent != root / folder:
                refused.append(f"{relative}: only {folder}/*{suffix} go into the dataset")
            else:
                candidates.append(path)
                refused += [f"{relative}: {reason}" for reason in _content_problems(path)]
    known = {"dataset-metadata.json", "build-constraints.txt", "wheels.txt"}
    refused += [
        f"{path.relative_to(root)}: kaggle_dataset/ holds {', '.join(sorted(known))}, and nothing else"
        for path in _walk(root / "kaggle_dataset")
        if path.name not in known
    ]
    for path in candidates:
        refused += [f"{path.relative_to(root)}: {reason}" for reason in problems_of(path)]
    names = [path.name for path in candidates]
    refused += [f"{name}: two files have this name" for name in sorted({n for n in names if names.count(n) > 1})]
    _refuse(refused)
    return {path.name: path for path in sorted(candidates, key=lambda path: path.name)}


def problems_of(path: Path) -> list[str]:
    """Return why a file may not be uploaded, whatever it is for: a link, too large, or a secret by name or content."""
    if path.is_symlink():
        return ["is a link; only files go into the dataset"]
    problems = []
    if any(fnmatch.fnmatchcase(path.name.lower(), pattern) for pattern in _SECRET_NAMES):
        problems.append("a file of this name may hold a secret")
    size = path.stat().st_size
    if size > MOST_FILE_BYTES:
        return [*problems, f"has {size / 2**20:.0f} MiB, more than {MOST_FILE_BYTES / 2**20:.0f}"]
    content = path.read_bytes()
    problems += [f"holds what looks like {what}" for what, pattern in _SECRETS.items() if pattern.search(content)]
    return problems


def _content_problems(path: Path) -> list[str]:
    """Return why a configuration or a notebook may not be uploaded."""
    if path.suffix == ".yaml":
        try:
            read_config(path)
        except ConfigError as error:
            return [f"is no configuration that can be run: {error}"]
        return []
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        outputs = [cell["id"] for cell in cells if cell.get("outputs")]
    except (ValueError, KeyError, TypeError) as error:
        return [f"is no notebook: {type(error).__name__}: {error}"]
    return [f"has outputs, in cell {outputs[0]}; clear them"] if outputs else []


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, without caches; links, of whatever to, count as files."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            if path.name not in _CACHES:
                yield from _walk(path)
        elif path.suffix != ".pyc":
            yield path


def _refuse(problems: list[str]) -> None:
    if problems:
        listed = problems[0] if len(problems) == 1 else "".join(f"\n  {problem}" for problem in problems)
        raise KaggleError(f"not built: {listed}")
