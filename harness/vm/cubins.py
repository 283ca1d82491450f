"""Kernels compiled ahead, where there is no GPU: ``python -m harness.vm.cubins`` (``make cubins``).

A cubin is for the source that it was made from, which its name says, and for one compute capability and later ones of
the same major number. NVRTC compiles it without a GPU or a driver.
"""

from __future__ import annotations

import argparse
import atexit
import ctypes
import hashlib
import importlib.util
import os
import re
import shutil
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.atomic import write_atomic
from harness.vm.build import SOURCES

FOLDER = Path(__file__).parent / "_cubins"
CAPABILITIES = ((6, 0), (7, 5), (8, 9), (9, 0))
"""What is compiled ahead: P100, T4, L4, H100 and H200."""

COUNTING = "EXECUTIONS"
"""What kernels count that are always compiled ahead."""

COUNTINGS = (COUNTING, "NOTHING", "EVERYTHING")
"""What kernels may count; the others serve to measure what counting costs, and to profile."""

OPTIONS = ("-std=c++17", "--device-as-default-execution-space", "--diag-suppress=177")
_KERNELS = "kernels.cu"
_ELF = struct.Struct("<32xQQ6xHHHH2x")  # where an ELF file's tables begin; sizes and numbers of their entries
_COMPILING = threading.Lock()
_INCLUDE = re.compile(r'^#include "([^"]+)"$', re.MULTILINE)
_GUARDED = re.compile(r"^#if VM_LANES > 1 && !defined\(__CUDACC__\)\n.*?^#endif\n", re.MULTILINE | re.DOTALL)


class CubinError(Exception):
    """The kernels cannot be compiled; the message says why and what to do."""


@dataclass(frozen=True)
class Resources:
    """What a kernel or a function that it calls needs, as the assembler says.

    Attributes:
        name: of the function, as the compiler mangled it.
        stack: bytes.
        spill_stores: bytes of registers that are put on the stack.
        spill_loads: bytes that are taken back from there.
    """

    name: str
    stack: int
    spill_stores: int
    spill_loads: int


@dataclass(frozen=True)
class Compiled:
    """Kernels for one compute capability.

    Attributes:
        cubin: the code.
        registers: of a thread of ``vm_evaluate``.
        shared_bytes: of a block's shared memory.
        functions: what each function needs; ``vm_evaluate`` is one.
        seconds: that it took.
    """

    cubin: bytes
    registers: int
    shared_bytes: int
    functions: tuple[Resources, ...]
    seconds: float


@cache
def source() -> str:
    """Return the CUDA source of the virtual machine as one string, since NVRTC has no files to include.

    A file that says ``#pragma once`` is put in once; others, such as the table of opcodes, wherever they are included.
    """
    seen: set[str] = set()

    def expand(path: str) -> str:
        text = _GUARDED.sub("", (SOURCES / path).read_text(encoding="utf-8"))
        if "#pragma once" in text:
            if path in seen:
                return ""
            seen.add(path)
            text = text.replace("#pragma once\n", "")
        return _INCLUDE.sub(lambda found: expand(found[1]), text)

    return expand(_KERNELS)


@cache
def digest(counting: str = COUNTING) -> str:
    """Return by which name cubins of the source as it is go."""
    return hashlib.sha256("\0".join([source(), *OPTIONS, counting]).encode()).hexdigest()[:12]


def path_for(capability: tuple[int, int], counting: str = COUNTING) -> Path:
    """Return where the cubin for a compute capability is, or would be."""
    return FOLDER / f"vm-{digest(counting)}-sm_{capability[0]}{capability[1]}.cubin"


def find(capability: tuple[int, int], counting: str = COUNTING) -> Path | None:
    """Return the best cubin for a device; None if there is none for the source as it is."""
    major, minor = capability
    earlier = [own for own in CAPABILITIES if own[0] == major and own[1] <= minor]
    fitting = [own for own in earlier if path_for(own, counting).is_file()]
    return path_for(max(fitting), counting) if fitting else None


def obtain(capability: tuple[int, int], counting: str = COUNTING, blocks: int | None = None) -> tuple[Path, float]:
    """Find a cubin for a device, or compile it and keep it: in ``$CUPY_CACHE_DIR``, CuPy's folder for such.

    Args:
        capability: of the device.
        counting: what its kernels are to count.
        blocks: the least number of them that a multiprocessor is to hold; None for that of kernels.cu.

    Returns:
        Where it is, and the seconds that compiling it took; 0 if it was there.

    Raises:
        CubinError: it cannot be compiled.
    """
    ahead = find(capability, counting) if blocks is None else None
    if ahead is not None:
        return ahead, 0.0
    major, minor = capability
    name = f"vm-{digest()}-sm_{major}{minor}-{counting}{'' if blocks is None else f'-{blocks}'}.cubin"
    with _COMPILING:  # devices of a kind wait for the first one's
        for folder in (_cache(), _temporary()):
            if (folder / name).is_file():
                return folder / name, 0.0
        start = time.perf_counter()
        cubin, _ = _compile(capability, counting, [] if blocks is None else [f"-DVM_BLOCKS={blocks}"])
        seconds = time.perf_counter() - start
        try:
            _cache().mkdir(parents=True, exist_ok=True)
            write_atomic(_cache() / name, cubin)
            return _cache() / name, seconds
        except OSError:  # then it is kept for this process
            write_atomic(_temporary() / name, cubin)
            return _temporary() / name, seconds


def _cache() -> Path:
    return Path(os.environ.get("CUPY_CACHE_DIR") or os.path.expanduser("~/.cupy/kernel_cache"))  # noqa: PTH111  # as CuPy


@cache
def _temporary() -> Path:
    folder = tempfile.mkdtemp(prefix="harness-cubins-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def compile_for(capability: tuple[int, int], counting: str = COUNTING) -> Compiled:
    """Compile the kernels with NVRTC, and say what they need; about a minute.

    Raises:
        CubinError: there is no NVRTC, or it refuses.
    """
    start = time.perf_counter()
    cubin, log = _compile(capability, counting, ["--ptxas-options=-v"])
    used = re.search(
        r"Compiling entry function 'vm_evaluate'.*?Used (\d+) registers(?:.*?(\d+) bytes smem)?", log, re.DOTALL
    )
    if used is None:
        raise CubinError("NVRTC did not say what vm_evaluate needs, of which --ptxas-options=-v should make it tell")
    functions = tuple(_resources(log))
    return Compiled(cubin, int(used[1]), int(used[2] or 0), functions, time.perf_counter() - start)


def whole(cubin: bytes) -> bytes:
    """Return a cubin with the last byte, a 0 of its tables, that CuPy takes for the end of a string and drops.

    Raises:
        CubinError: more than that is missing.
    """
    if len(cubin) < _ELF.size or not cubin.startswith(b"\x7fELF"):
        raise CubinError("NVRTC made no ELF file")
    programs, sections, program_size, program_count, section_size, section_count = _ELF.unpack_from(cubin)
    end = max(programs + program_size * program_count, sections + section_size * section_count)
    if end - len(cubin) > 1:
        raise CubinError(f"the cubin ends after {len(cubin)} bytes, and should have {end}")
    return cubin.ljust(end, b"\0")


def _compile(capability: tuple[int, int], counting: str, more: Sequence[str]) -> tuple[bytes, str]:
    """Return a cubin, and what NVRTC said."""
    nvrtc = _nvrtc()
    program = nvrtc.createProgram(source(), _KERNELS, [], [])
    architecture = f"--gpu-architecture=sm_{capability[0]}{capability[1]}"
    try:
        nvrtc.compileProgram(program, [*OPTIONS, f"-DVM_COUNTING={counting}", architecture, *more])
        return whole(bytes(nvrtc.getCUBIN(program))), str(nvrtc.getProgramLog(program))
    except nvrtc.NVRTCError as error:
        raise CubinError(f"NVRTC refused the kernels: {error}\n{nvrtc.getProgramLog(program)[:4000]}") from error
    finally:
        nvrtc.destroyProgram(program)


def _resources(log: str) -> Iterator[Resources]:
    """Read what the assembler says of each function."""
    pattern = (
        r"Function properties for (\S+)\s+ptxas\s+\.?\s*(\d+) bytes stack frame, (\d+) bytes spill stores, "
        r"(\d+) bytes spill loads"
    )
    for found in re.finditer(pattern, log):
        yield Resources(found[1], int(found[2]), int(found[3]), int(found[4]))


def _nvrtc() -> Any:
    """Return CuPy's interface to NVRTC, of which a wheel of NVIDIA's brings the library, or CUDA's toolkit."""
    wheel = importlib.util.find_spec("nvidia")
    for folder in [] if wheel is None else wheel.submodule_search_locations or []:
        for place in ("cuda_nvrtc", "cu[0-9]*"):  # of CUDA 12's wheel, and of later ones
            for library in sorted(Path(folder).glob(f"{place}/lib/libnvrtc.so*")):
                ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    try:
        from cupy_backends.cuda.libs import nvrtc  # noqa: PLC0415  # not every machine has it

        nvrtc.getVersion()
    except Exception as error:  # what fails depends on what is missing
        raise CubinError(
            f"NVRTC cannot be used ({type(error).__name__}: {error}); install CuPy and the NVRTC of the same CUDA "
            "version, e.g.: pip install cupy-cuda12x nvidia-cuda-nvrtc-cu12, or cupy-cuda13x nvidia-cuda-nvrtc"
        ) from error
    return nvrtc


def make(capability: tuple[int, int], counting: str = COUNTING) -> str:
    """Compile the kernels for a compute capability, unless they are there; return what there is to say of it.

    Raises:
        CubinError: they cannot be compiled.
    """
    path = path_for(capability, counting)
    if path.is_file():
        return f"{path.name}: up to date"
    made = compile_for(capability, counting)
    FOLDER.mkdir(exist_ok=True)
    write_atomic(path, made.cubin)
    spills = sum(own.spill_stores for own in made.functions)
    return (
        f"{path.name} ({counting}): {len(made.cubin)} bytes in {made.seconds:.0f} s; {made.registers} registers, "
        f"{made.shared_bytes} bytes of shared memory, {spills} bytes spilled in all of {len(made.functions)} functions"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Make cubins from the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m harness.vm.cubins", description=(__doc__ or "").partition("\n")[0])
    names = {f"sm_{major}{minor}": (major, minor) for major, minor in CAPABILITIES}
    parser.add_argument("capability", nargs="*", choices=[[], *names], help="which ones; by default all")
    parser.add_argument(
        "--counting", nargs="+", choices=COUNTINGS, default=[COUNTING], help=f"what they count (default: {COUNTING})"
    )
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (default: 2)")
    options = parser.parse_args(arguments)
    wanted = [(names[name], counting) for name in options.capability or names for counting in options.counting]
    failed = False
    with ProcessPoolExecutor(max(1, options.jobs)) as pool:
        for own in [pool.submit(make, *each) for each in wanted]:
            try:
                print(own.result(), flush=True)
            except CubinError as error:  # CUDA 13 knows sm_60 no more; the others are made all the same
                failed = True
                print(f"harness.vm.cubins: {error}", file=sys.stderr)
    if failed:
        return 1
    for old in FOLDER.glob("vm-*.cubin"):
        if not any(digest(counting) in old.name for counting in COUNTINGS):
            old.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
