"""A competition's files below Kaggle's input folder, wherever a session has mounted them."""

from __future__ import annotations

import os
from pathlib import Path

from harness.samples.files import CHALLENGES
from harness.samples.problems import BadDataError
from harness.spelling import nearest

SPLITS = ("training", "evaluation", "test")

DEPTH = 5
"""How many folders deep the search goes; ``datasets/<owner>/<slug>/<folder>`` is the deepest mount known."""


def find_challenges(slug: str, split: str) -> Path:
    """The one file ``arc-agi_<split>_challenges.json`` of a mounted competition or dataset.

    Mounts differ between sessions (``<slug>``, ``competitions/<slug>``, ``datasets/<owner>/<slug>``), so this
    searches the input folder: ``/kaggle/input``, or what the environment variable KAGGLE_INPUT names.

    Args:
        slug: folders of the mount's path, e.g. ``arc-prize-2025`` or ``owner/name``; "" for any mount.
        split: one of ``SPLITS``.

    Raises:
        BadDataError: none is found, or more than one, or there is no input folder.
    """
    root = Path(os.environ.get("KAGGLE_INPUT") or "/kaggle/input")
    if not root.is_dir():
        raise BadDataError(f"{root}: no such folder, which Kaggle's input is expected in; KAGGLE_INPUT names another")
    name = f"arc-agi_{split}{CHALLENGES}"
    found = _find(root, name)
    fitting = (
        [path for path in found if f"/{slug}/" in f"/{path.parent.relative_to(root).as_posix()}/"] if slug else found
    )
    matches = list({path.resolve(): path for path in fitting}.values())  # mounts may be links to one another
    if len(matches) == 1:
        return matches[0]
    if matches:
        listed = "\n  ".join(map(str, matches))
        raise BadDataError(
            f"{len(matches)} files match below {root}; name one of them as the source, "
            f"or more of its folder (kaggle:<owner>/<slug>):\n  {listed}"
        )
    if found:
        mounts = sorted({path.parent.name for path in found})
        raise BadDataError(
            f"{name} is below {root}, but not in a folder {slug!r}: it is in {', '.join(mounts)}{nearest(slug, mounts)}"
            f" (a source is kaggle:<slug> or kaggle:<slug>/<split>, the splits are {', '.join(SPLITS)})"
        )
    raise BadDataError(f"no {name} in {root} and {DEPTH} folders below it; was the competition's data added as input?")


def _find(root: Path, name: str) -> list[Path]:
    """The files of a name below a folder, in order of path."""
    found = []
    for folder, inside, files in os.walk(root, followlinks=True):
        if len(Path(folder).relative_to(root).parts) >= DEPTH:
            inside.clear()
        if name in files:
            found.append(Path(folder, name))
    return sorted(found)
