"""Build the virtual machine's host library: ``python -m harness.vm.build``.

The library is rebuilt when a source, a flag or the compiler has changed since. Development variants lie in files of
their own and are chosen, for building and for loading, by the environment: ``VM_OPT=1`` is built quickly (``-O1``),
``VM_SANITIZE=1`` checks itself with AddressSanitizer and UBSan, ``VM_SANITIZE=thread`` with ThreadSanitizer,
``VM_SANITIZE=strict`` with UBSan and lanes whose stacks are their own (then the process needs
``sanitizer_environment()``), and ``VM_LANES=32`` emulates the lanes of a GPU's warp.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

SOURCES = Path(__file__).parent / "src"
TABLE = Path(__file__).parent / "opcodes.def"
FOLDER = Path(__file__).parent / "_native"
COMPILERS = ("g++", "clang++", "c++")
WARNINGS = ("-Wall", "-Wextra", "-Wconversion")
COMMON_FLAGS = ("-std=c++17", "-fPIC", "-shared", "-pthread", "-fvisibility=hidden", *WARNINGS)
LEVEL = "x86-64-v3"
_LEVEL_FLAGS = {"avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "popcnt"}


class BuildError(Exception):
    """The library cannot be built; the message says why and what to do."""


def find_compiler() -> list[str]:
    """Return the command of a C++ compiler: ``$CXX`` if it is set, else the first of g++, clang++ and c++.

    Raises:
        BuildError: if there is none.
    """
    chosen = shlex.split(os.environ.get("CXX", ""))
    for command in [chosen] if chosen else [[name] for name in COMPILERS]:
        found = shutil.which(command[0])
        if found:
            return [found, *command[1:]]
    if chosen:
        raise BuildError(f"$CXX names {chosen[0]!r}, which is not there; unset it, or name a C++17 compiler")
    raise BuildError(
        "no C++ compiler found (looked for $CXX, g++, clang++ and c++); install one, e.g. the package g++ of your "
        "distribution, and run: python -m harness.vm.build"
    )


def has_level() -> bool:
    """Whether this machine runs code for the instruction set level ``LEVEL``; False where that cannot be told."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return False
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return set(flags) >= _LEVEL_FLAGS


def library_path(level: bool) -> Path:
    """Return where the library is, as the environment asks for it: that for ``LEVEL``, or the portable one."""
    name = "libharness_vm"
    lanes, sanitizer, level_of_optimization = (os.environ.get(key) for key in ("VM_LANES", "VM_SANITIZE", "VM_OPT"))
    variant = f"-lanes{int(lanes)}" if lanes else ""
    if sanitizer:
        variant += f"-{_sanitizer()}"
    elif level_of_optimization:
        variant += f"-O{int(level_of_optimization)}"
    return FOLDER / f"{name}{variant or (f'-{LEVEL}' if level else '')}.so"


def _sanitizer() -> str:
    """Return what ``$VM_SANITIZE`` asks for: checks of memory and undefined behaviour, of threads, or strict lanes."""
    asked = os.environ.get("VM_SANITIZE", "")
    return asked if asked in ("thread", "strict") else "address"


def flags_for(level: bool) -> list[str]:
    """Return the compiler's flags for the same choice."""
    if os.environ.get("VM_SANITIZE"):
        checks = {"address": "address,undefined", "thread": "thread", "strict": "undefined"}[_sanitizer()]
        flags = ["-O1", "-g", "-fno-omit-frame-pointer", f"-fsanitize={checks}", "-fno-sanitize-recover=all"]
        flags += ["-DVM_STRICT"] * (_sanitizer() == "strict")
    else:
        flags = [f"-O{int(os.environ.get('VM_OPT') or 3)}"]
    if os.environ.get("VM_LANES"):
        flags.append(f"-DVM_LANES={int(os.environ['VM_LANES'])}")
    return [*COMMON_FLAGS, *flags, *([f"-march={LEVEL}"] if level else []), f'-DVM_TABLE_DIGEST="{table_digest()}"']


def table_digest() -> str:
    """Return the digest of the opcode table, by which a library says for which one it was built."""
    return hashlib.sha256(TABLE.read_bytes()).hexdigest()[:16]


def build(level: bool | None = None, force: bool = False) -> tuple[Path, bool]:
    """Build the library, unless it is up to date.

    Args:
        level: for ``LEVEL`` (True), portable (False), or whichever this machine runs best (None).
        force: build it anyway.

    Returns:
        Where it is, and whether it was built.

    Raises:
        BuildError: there is no compiler, or it refuses.
    """
    level = has_level() if level is None else level
    compiler, flags, target = find_compiler(), flags_for(level), library_path(level)
    state = _state(compiler, flags)
    if not force and _is_current(target, state):
        return target, False
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:  # another process may build at the same time
        made = Path(folder) / target.name
        _compile([*compiler, *flags, "-o", str(made), str(SOURCES / "host.cpp")])
        made.replace(target)
        made.write_text(state, encoding="utf-8")
        made.replace(target.with_suffix(".stamp"))
    return target, True


def is_current() -> bool:
    """Whether the library that the environment asks for is there and made from the sources as they are."""
    try:
        level = has_level()
        return _is_current(library_path(level), _state(find_compiler(), flags_for(level)))
    except BuildError:
        return False


def _is_current(target: Path, state: str) -> bool:
    stamp = target.with_suffix(".stamp")
    return target.is_file() and stamp.is_file() and stamp.read_text(encoding="utf-8") == state


def _state(compiler: Sequence[str], flags: Sequence[str]) -> str:
    """Return a digest of all that the library is made from."""
    digest = hashlib.sha256()
    version = subprocess.run([*compiler, "--version"], capture_output=True, check=False).stdout
    for part in (*compiler, *flags):
        digest.update(part.encode() + b"\0")
    digest.update(version)
    for path in [TABLE, *sorted(SOURCES.iterdir())]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _compile(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"the compiler failed with status {done.returncode}: {shlex.join(command)}\n{done.stderr}")
    if done.stderr:
        print(done.stderr, file=sys.stderr, end="")


def sanitizer_environment() -> dict[str, str]:
    """Return what the environment of a process needs to load the library that ``$VM_SANITIZE`` asks for; by default 1.

    Raises:
        BuildError: if the compiler brings no sanitizer to load first.
    """
    compiler = find_compiler()
    name = {"address": "libasan.so", "thread": "libtsan.so", "strict": "libubsan.so"}[_sanitizer()]
    run = subprocess.run([*compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=False)
    library = run.stdout.strip()
    if not Path(library).is_absolute():
        raise BuildError(f"{compiler[0]} brings no {name}, which the sanitizing build needs")
    choice = {"VM_SANITIZE": os.environ.get("VM_SANITIZE", "1")}
    if os.environ.get("VM_LANES"):
        choice["VM_LANES"] = os.environ["VM_LANES"]
    options = {"ASAN_OPTIONS": "detect_leaks=0", "TSAN_OPTIONS": "halt_on_error=1:ignore_noninstrumented_modules=1"}
    return {**choice, "LD_PRELOAD": library, **options}


def main(arguments: Sequence[str] | None = None) -> int:
    """Build from the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m harness.vm.build", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--portable", action="store_true", help=f"for any {platform.machine()}, as for a wheel")
    parser.add_argument("--force", action="store_true", help="also if it is up to date")
    parser.add_argument("--quiet", action="store_true", help="say nothing where nothing is to be done")
    parser.add_argument(
        "--sanitizer-environment",
        action="store_true",
        help="build nothing, but print what a library with sanitizers needs, for env",
    )
    options = parser.parse_args(arguments)
    start = time.monotonic()
    try:
        if options.sanitizer_environment:
            print(shlex.join(f"{name}={value}" for name, value in sanitizer_environment().items()))
            return 0
        path, built = build(False if options.portable else None, options.force)
    except BuildError as error:
        print(f"harness.vm.build: {error}", file=sys.stderr)
        return 1
    if built:
        print(f"{path.name}: built in {time.monotonic() - start:.1f} s")
    elif not options.quiet:
        print(f"{path.name}: up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
