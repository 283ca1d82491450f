"""The two metadata files that Kaggle's command line reads, checked before anything is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.kaggle.errors import KaggleError

OWNER = "OWNER"
"""Stands in a metadata file for whoever is logged in."""

DATASET_FILE = "dataset-metadata.json"
KERNEL_FILE = "kernel-metadata.json"
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_OWNER = re.compile(r"[A-Za-z0-9]+(?:[_-][A-Za-z0-9]+)*")


def read_dataset_metadata(path: Path, owner: str) -> dict[str, Any]:
    """Read and check a ``dataset-metadata.json``.

    Args:
        path: the file.
        owner: the user's name on Kaggle, put in the place of ``OWNER``.

    Returns:
        What it says, with the owner.

    Raises:
        KaggleError: names the file, and all that is wrong.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise KaggleError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise KaggleError(f"{path}: is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise KaggleError(f"{path}: holds no object of keys and values")
    named = str(content.get("id", ""))
    if named.startswith(f"{OWNER}/"):
        content = {**content, "id": f"{owner}{named.removeprefix(OWNER)}"}
    problems = dataset_problems(content)
    if problems:
        raise KaggleError(f"{path}: " + "; ".join(problems))
    return content


def dataset_problems(content: Mapping[str, Any]) -> list[str]:
    """Return what Kaggle, or its command line, would refuse in a dataset's metadata, or take for something else."""
    problems = []
    title = content.get("title")
    if not isinstance(title, str) or not 6 <= len(title) <= 50:
        problems.append(f"title: {title!r} is not a text of 6 to 50 characters")
    owner, _, slug = str(content.get("id", "")).partition("/")
    if not _OWNER.fullmatch(owner) or not _SLUG.fullmatch(slug):
        problems.append(f"id: {content.get('id')!r} is not owner/slug, the slug of a-z, 0-9 and single hyphens")
    elif not 6 <= len(slug) <= 50:
        problems.append(f"id: the slug {slug!r} has {len(slug)} characters, not 6 to 50")
    licences = content.get("licenses")
    if not isinstance(licences, list) or len(licences) != 1:
        problems.append("licenses: exactly one is needed")
    elif not isinstance(licences[0], dict) or not licences[0].get("name"):
        problems.append(f"licenses: {licences[0]!r} has no name")
    subtitle = content.get("subtitle")
    if subtitle and not 20 <= len(str(subtitle)) <= 80:
        problems.append(f"subtitle: it has {len(str(subtitle))} characters, not 20 to 80")
    return problems


def slug_of(title: str) -> str:
    """Return the slug that Kaggle makes of a title: letters and digits, hyphens between."""
    return "-".join(re.findall(r"[a-z0-9]+", title.lower()))


def kernel_metadata(
    owner: str,
    title: str,
    *,
    code_file: str,
    accelerator: str | None,
    datasets: Sequence[str],
    competitions: Sequence[str],
) -> dict[str, Any]:
    """Return the content of a ``kernel-metadata.json``.

    Every key is given that has a default: the command line's own for ``enable_internet`` is true.

    Args:
        owner: the user's name on Kaggle.
        title: 5 to 50 characters; the slug is made of it, as Kaggle would.
        code_file: the notebook, beside the metadata.
        accelerator: Kaggle's id; None for a session without.
        datasets: to mount, as ``owner/slug``.
        competitions: to mount, as slugs.

    Raises:
        KaggleError: for a title that gives no slug of 5 to 50 characters.
    """
    slug = slug_of(title)
    if not (5 <= len(title) <= 50 and 5 <= len(slug) <= 50):
        raise KaggleError(
            f"the notebook's title would be {title!r}, and Kaggle takes 5 to 50 characters: "
            "give the configuration a shorter file name"
        )
    return {
        "id": f"{owner}/{slug}",
        "title": title,
        "code_file": code_file,
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_gpu": accelerator is not None,
        "enable_tpu": False,
        "enable_internet": False,
        "machine_shape": accelerator or "",
        "dataset_sources": list(datasets),
        "competition_sources": list(competitions),
        "kernel_sources": [],
        "model_sources": [],
    }
