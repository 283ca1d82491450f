"""Publish a run: copy it to where runs are kept with the source, one of each configuration, small, without places."""

from __future__ import annotations

import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from harness.atomic import sync_folder
from harness.places import EVERYWHERE, absolute_roots
from harness.report.frames import Run, load_run
from harness.report.verify import checks, overall
from harness.report.write import write_report
from harness.run.schema import TABLES

MOST_BYTES = 2 * 2**20
"""The most that a published run may take."""

_TABLES = tuple(f"{table}.parquet" for table in TABLES)
KEPT = ("config.yaml", "environment.json", "run.json", "gpu_sampling.json", "kaggle_run.json", *_TABLES)
"""What is copied. Reports are made anew, with plots as SVG only; the executed notebook and ``kaggle.log``, which repeat
what is in these, are left out."""

_PATH = re.compile(r"(?<![\w.~/\\:)\]}>$<-])/(?:[A-Za-z_][\w.+-]*/)+[\w.+-]*")
_LEAST_NAME = 5  # letters of a host name that is looked for: shorter ones are words, such as vm or gpu
_SHOWN = 5
_AGAIN = "Run it again: runs of this version name no such thing."


class Unpublishable(ValueError):
    """A run that is not to be published; the message says why, all of it."""


def publish(folder: Path, target: Path, *, force: bool = False) -> Path:
    """Copy a run to ``<target>/<name of its configuration>``, in place of an older one, and make its report anew.

    Args:
        folder: the run folder; nothing in it is changed.
        target: where runs are published, such as results/published.
        force: publish also what is not complete, does not pass, or is not of a commit as it is. A run that names
            places or the machine, is too large, or cannot be read is never published.

    Returns:
        The published folder.

    Raises:
        RunFolderError: ``folder`` is not a run folder.
        Unpublishable: there are reasons against it.
        OSError: it cannot be copied.
    """
    run = load_run(folder)
    damaged = [f"{name} {why}" for name, why in run.missing.items() if (folder / name).exists()]
    if damaged:
        raise Unpublishable(_listed(folder, damaged, "Publish another run."))
    against = [] if force else list(_doubts(run))
    if against:
        raise Unpublishable(_listed(folder, against, "Publish another run, or this one with --force."))
    name = str(run.config.get("name") or run.name)
    if Path(name).name != name or name == "..":
        raise Unpublishable(_listed(folder, [f"its name {name!r} is not that of a folder"], _AGAIN))
    published = Path(target) / name
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target, prefix=".") as temporary:
        copy, older = Path(temporary, "copy"), Path(temporary, "older")
        copy.mkdir()
        for name in KEPT:
            _copy(folder / name, copy / name)
        against = list(named_places(copy))
        if against:
            raise Unpublishable(_listed(folder, against, _AGAIN))
        try:
            if published.exists():
                published.rename(older)
            copy.rename(published)  # the report names the place where it is
            _report(published)
            against = [*named_places(published), *_too_large(published)]
            if against:
                raise Unpublishable(_listed(folder, against, _AGAIN))
        except BaseException:
            if not copy.exists():
                published.rename(copy)
            if older.exists():
                older.rename(published)
            raise
    sync_folder(target)
    return published


def _report(folder: Path) -> None:
    write_report(folder)
    for picture in folder.glob("plots/*.png"):
        picture.unlink()


def _too_large(folder: Path) -> Iterator[str]:
    size = size_of(folder)
    if size > MOST_BYTES:
        largest = sorted(_files(folder), key=lambda path: path.stat().st_size, reverse=True)[:_SHOWN]
        named = ", ".join(f"{path.relative_to(folder)} {path.stat().st_size / 1024:,.0f} KiB" for path in largest)
        yield f"it takes {size:,} bytes, and at most {MOST_BYTES:,} are kept (largest: {named})"


def _doubts(run: Run) -> Iterator[str]:
    """Say what speaks against showing a run as a result."""
    if run.status != "complete":
        yield f"it is {run.status}"
    verdict = overall(checks(run))
    if verdict != "pass":
        yield f"its verdict is {verdict} (python -m harness verify tells why)"
    git = run.environment.get("git")
    git = git if isinstance(git, dict) else {}
    if not git.get("commit"):
        yield "it does not say which commit was measured"
    elif git.get("dirty") is not False:
        yield f"commit {str(git['commit'])[:12]} had changes that were not committed"


def _copy(source: Path, copy: Path) -> None:
    """Copy a file; a table in parts becomes one file, compressed well."""
    if source.is_dir() or (source.suffix == ".parquet" and source.is_file()):
        pq.write_table(pq.read_table(source), copy, compression="zstd", compression_level=19)
    elif source.is_file():
        shutil.copyfile(source, copy)


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in _files(folder))


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def named_places(folder: Path) -> Iterator[str]:
    """Say which files of a run folder name an absolute path, or the machine that this runs on."""
    roots = [root for root in absolute_roots() if root.count("/") > 1 or len(root) > _LEAST_NAME]
    host = platform.node()
    named = len(host) >= _LEAST_NAME and host != "localhost"
    for path in _files(folder):
        text = _text(path)
        found = {root for root in roots if re.search(rf"(?<![\w.~]){re.escape(root)}(?![\w-])", text)}
        if path.suffix != ".html":  # which has slashes of its own, and is made of the others
            found |= {name for name in _PATH.findall(text) if not name.startswith(EVERYWHERE)}
        if named and re.search(rf"(?<![\w.-]){re.escape(host)}(?![\w-])", text):
            found.add(f"the host name {host}")
        if found:
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            yield f"{path.relative_to(folder)} names {', '.join(sorted(found)[:_SHOWN])}{more}"


def _text(path: Path) -> str:
    """Return all text in a file."""
    if path.suffix != ".parquet":
        return path.read_text(encoding="utf-8", errors="replace")
    frame = pd.read_parquet(path)
    texts = frame.select_dtypes(["string", "object"])
    return "\n".join(str(value) for column in texts for value in texts[column].dropna().unique())


def _listed(folder: Path, against: list[str], advice: str) -> str:
    return f"{folder} is not published:" + "".join(f"\n  {reason}" for reason in against) + f"\n{advice}"
