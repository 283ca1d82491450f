"""Is the device right? Everything is compared with the reference."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.batt.loader import Program, load_programs
from harness.gpu_check.setting import Setting
from harness.samples import Sample
from harness.vm.cuda import WARP
from harness.vm.engine import Engine
from harness.vm.native import FAILED, OK

BATTS = ("harness.batt.gpu_operations", "harness.batt.mega")


def differences(setting: Setting) -> Iterator[dict[str, Any]]:
    """Compare shipped solvers and batts with the reference.

    Yields:
        ``differences``, which grows: for each of these the number of evaluations and the different ones; and the
        reference's speed.
    """
    programs, samples = setting.programs, setting.few
    found: dict[str, Any] = {}
    pairs = setting.pairs(samples)
    start = time.perf_counter()
    expected = [by_reference(programs[p], samples[s]) for p, s in pairs.tolist()]
    found["sequential_evaluations_per_s"] = len(pairs) / (time.perf_counter() - start)
    for lanes in (WARP, 1):
        with setting.engine(samples, lanes=lanes) as engine:
            mine = engine.evaluate(pairs, outputs=True, fallback=False)
            wrong = [
                f"{programs[p].name} on {samples[s].name}"
                for k, (p, s) in enumerate(pairs.tolist())
                if not _agrees(mine.status[k], mine.output(k) if mine.status[k] == OK else None, expected[k])
            ]
            found[f"solvers_{lanes}_lanes"] = {
                "evaluations": len(pairs),
                "different": wrong,
                "not_handled": int((~np.isin(mine.status, (OK, FAILED))).sum()),
            }
        _say(setting, f"solvers_{lanes}_lanes", found)
        yield {"differences": dict(found)}
    found["batts"] = _batt_differences(setting)
    _say(setting, "batts", found)
    yield {"differences": found}


def random_differences(setting: Setting) -> Iterator[dict[str, Any]]:
    """Compare random programs with the reference, where the project's tests are there.

    Yields:
        ``random``: how many evaluations, and the different ones.
    """
    if setting.options.fuzz and importlib.util.find_spec("tests.fuzz"):
        found = {"random": _fuzz(setting)}
        _say(setting, "random", found)
        yield found


def _say(setting: Setting, name: str, found: Mapping[str, Any]) -> None:
    setting.say(f"{name}: {found[name]['evaluations']} evaluations, {len(found[name]['different'])} differences")


def by_reference(program: Program, sample: Sample) -> Any:
    """Return what a solver returns, or the exception that it raises."""
    try:
        return program.function(sample.input)
    except Exception as error:  # a program may raise anything
        return error


def _agrees(status: int, output: Any, expected: Any) -> bool:
    if isinstance(expected, Exception):
        return bool(status == FAILED)
    return bool(status == OK) and output == expected


def _batt_differences(setting: Setting) -> dict[str, Any]:
    samples, wrong, count = setting.few[:4], [], 0
    batts = [own for module in BATTS for own in load_programs([module])[0]]
    engine = Engine(machine=setting.make())
    try:
        engine.add_programs(batts)
        engine.add_samples(samples)
        found = engine.evaluate(outputs=True, fallback=False)
        for k in range(len(found.status)):
            p, s = int(found.programs[k]), int(found.samples[k])
            count += 1
            try:
                expected = batts[p].function(*engine.arguments(p, s))
            except Exception as error:  # a program may raise anything
                expected = error
            if not _agrees(found.status[k], found.output(k) if found.status[k] == OK else None, expected):
                wrong.append(f"{batts[p].module} on {samples[s].name}")
    finally:
        engine.close()
    return {"evaluations": count, "different": wrong}


class _TimeIsUp(Exception):
    """Ends random programs."""


def _fuzz(setting: Setting) -> dict[str, Any]:
    fuzz = importlib.import_module("tests.fuzz.differential").fuzz  # it is in the project's checkout only
    half = setting.options.fuzz // 2
    counts: Counter[str] = Counter()
    different: list[str] = []
    for number, ill_typed in enumerate((0.0, 0.05)):
        ends = time.perf_counter() + setting.left() / (2 - number)
        last: list[Any] = []

        def watch(tally: Any, ends: float = ends, last: list[Any] = last) -> None:
            last[:] = [tally]
            if time.perf_counter() > ends:
                raise _TimeIsUp

        with contextlib.suppress(_TimeIsUp):
            fuzz(half, 11, ill_typed, watch, engine=lambda: Engine(machine=setting.make()))
        for tally in last:
            counts["evaluations"] += tally.evaluations
            counts["fell_back"] += sum(tally.fell_back.values())
            different += [str(own) for own in tally.differences]
    return {**counts, "different": different}
