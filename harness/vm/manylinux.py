"""Which platform tag a wheel with the machine's library may honestly carry.

A manylinux tag names the oldest glibc that a wheel runs with. It is read from the versions of the symbols that the
library really needs (``objdump -p``), as PEP 600 asks for; those of libstdc++ bound it too, by the compiler that
distributions with that glibc have.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from pathlib import Path

from harness.vm.build import BuildError

Version = tuple[int, ...]

_ALLOWED = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libstdc++.so.6", "libgcc_s.so.1"}
"""Libraries that every manylinux system has, beside the loader."""

_RUNTIMES: tuple[tuple[Version, Version, Version], ...] = (
    ((2, 17), (3, 4, 19), (1, 3, 7)),
    ((2, 24), (3, 4, 22), (1, 3, 10)),
    ((2, 28), (3, 4, 24), (1, 3, 11)),
    ((2, 31), (3, 4, 28), (1, 3, 12)),
    ((2, 34), (3, 4, 29), (1, 3, 13)),
    ((2, 35), (3, 4, 30), (1, 3, 13)),
    ((2, 38), (3, 4, 32), (1, 3, 14)),
)
"""glibc, and the newest GLIBCXX and CXXABI that may be relied on beside it (the policies of the manylinux project)."""


def needed_versions(library: Path) -> tuple[set[str], dict[str, Version]]:
    """Return the libraries that a library needs, and the newest version of each family of symbols (``GLIBC``, ...).

    Raises:
        BuildError: if objdump is not there, or cannot read the file.
    """
    if shutil.which("objdump") is None:
        raise BuildError("objdump is not there, which says what the library needs; install it (package binutils)")
    done = subprocess.run(["objdump", "-p", str(library)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"objdump cannot read {library}: {done.stderr.strip()}")
    libraries = set(re.findall(r"^\s+NEEDED\s+(\S+)$", done.stdout, re.MULTILINE))
    newest: dict[str, Version] = {}
    for family, text in re.findall(r"\b(GLIBC|GLIBCXX|CXXABI|GCC)_([0-9.]+)$", done.stdout, re.MULTILINE):
        version = tuple(map(int, text.split(".")))
        newest[family] = max(newest.get(family, version), version)
    return libraries, newest


def oldest_glibc(library: Path) -> Version:
    """Return the oldest glibc that a library runs with, ``(2, 34)`` say.

    Raises:
        BuildError: if it needs a library or a libstdc++ that no manylinux policy promises.
    """
    libraries, newest = needed_versions(library)
    foreign = {name for name in libraries - _ALLOWED if not name.startswith("ld-linux")}
    if foreign:
        raise BuildError(f"{library.name} needs {', '.join(sorted(foreign))}, which not every system has")
    for glibc, glibcxx, cxxabi in _RUNTIMES:
        if newest.get("GLIBCXX", (0,)) <= glibcxx and newest.get("CXXABI", (0,)) <= cxxabi:
            return max(glibc, newest.get("GLIBC", (0,))[:2])
    needs = ".".join(map(str, newest.get("GLIBCXX", (0,))))
    raise BuildError(f"{library.name} needs libstdc++ symbols GLIBCXX_{needs}; build it with an older compiler")


def platform_tag(libraries: list[Path]) -> str:
    """Return the tag of a wheel with these libraries, ``manylinux_2_34_x86_64`` say.

    Raises:
        BuildError: as ``oldest_glibc``.
    """
    glibc = max(oldest_glibc(library) for library in libraries)
    return f"manylinux_{glibc[0]}_{glibc[1]}_{platform.machine()}"
