"""Paths as a run records them: such as say nothing of one machine's folders.

What lies in the checkout is told relative to it, an installed package as ``site-packages/...``, what lies in the home
folder with ``~``, everything else relative to the working directory. Folders that are the same on every machine
(``/usr``, ``/kaggle``) stay as they are.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from typing import Any

import harness

EVERYWHERE = ("/kaggle/", "/usr/", "/lib/", "/lib64/", "/proc/", "/sys/", "/dev/", "/etc/")
"""How paths begin that are the same on every machine of a kind."""

_PREFIX = "$PREFIX"
_BEFORE = r"(^|[^\w.~/\\-]|file://|\x1b\[[0-9;]*m)"  # a path begins behind it; the last colours text in a terminal
_BEHIND = r"(/|(?=[^\w.-]|\.\W|\.?$))"


def checkout() -> Path | None:
    """Return the checkout that this package runs from; None if it is installed."""
    folder = Path(harness.__file__).parent.parent
    return folder if (folder / "pyproject.toml").is_file() else None


def portable(path: str) -> str:
    """Return a name of the same file that holds from this working directory, and is no absolute path.

    A path in the home folder, but not below the working directory, begins with ``~``. One that is not absolute, or is
    the same on every machine, stays as it is.
    """
    here, home = str(Path.cwd()), _home()
    if not path.startswith("/") or (path.startswith(EVERYWHERE) and not _inside(path, here)):
        return path
    if home and not _inside(path, here) and _inside(path, home):
        return f"~/{os.path.relpath(path, home)}"
    return os.path.relpath(path, here)


def portable_reference(reference: str) -> str:
    """Likewise of what may be a path, with ``:name`` behind it; what is not there stays as it is, for messages."""
    names = (reference, reference.rpartition(":")[0])
    is_there = any(os.path.exists(name) for name in names)  # noqa: PTH110 - a name may be too long for a path
    return portable(reference) if is_there else reference


def scrubbed(text: str, *folders: Path) -> str:
    """Return a text with the absolute paths in it told as this module does.

    Args:
        text: any.
        folders: more folders whose paths are to be told relative to the working directory.
    """
    if "/" not in text:
        return text
    pattern, names = _compiled(_roots(), tuple((str(folder.absolute()), portable(str(folder))) for folder in folders))

    def told(found: re.Match[str]) -> str:
        before, root, slash = found.groups()
        name = names[root]
        # What is told relative to a folder loses it, unless the folder itself is meant.
        return before.removesuffix("file://") + (name + slash if name else "" if slash else ".")

    return pattern.sub(told, text)


def scrubbed_value(value: Any, *folders: Path) -> Any:
    """Do so for all texts in what JSON can hold."""
    if isinstance(value, str):
        return scrubbed(value, *folders)
    if isinstance(value, dict):
        return {scrubbed_value(key, *folders): scrubbed_value(item, *folders) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [scrubbed_value(item, *folders) for item in value]
    return value


def absolute_roots() -> list[str]:
    """Return the folders of this machine and user that no record may name."""
    return [root for root, _ in _roots()]


def _roots() -> tuple[tuple[str, str], ...]:
    return _roots_from(str(Path.cwd()), _home())


@lru_cache
def _roots_from(here: str, home: str | None) -> tuple[tuple[str, str], ...]:
    """Return (folder, how it is called); empty for what is told relative to it."""
    ours, found = checkout(), []
    if ours is not None:
        found.append((str(ours), ""))
    if ours is None or not _inside(here, str(ours)):
        found.append((here, ""))
    found += [(sysconfig.get_path(name), "site-packages") for name in ("purelib", "platlib")]
    if not (ours and _inside(sys.prefix, str(ours))) and not f"{sys.prefix}/".startswith(EVERYWHERE):
        found.append((sys.prefix, _PREFIX))
    if home:
        found.append((home, "~"))
    both = [(path, name) for root, name in found for path in (root, os.path.realpath(root))]
    return tuple((root, name) for root, name in dict(reversed(both)).items() if root != "/")


@lru_cache
def _compiled(
    roots: tuple[tuple[str, str], ...], more: tuple[tuple[str, str], ...]
) -> tuple[re.Pattern[str], dict[str, str]]:
    names = dict(more) | dict(roots)
    names.pop("/", None)
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile(f"{_BEFORE}({'|'.join(map(re.escape, longest_first))}){_BEHIND}"), names


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def _home() -> str | None:
    try:
        home = str(Path.home())
    except RuntimeError:
        return None
    return None if home == "/" else home
