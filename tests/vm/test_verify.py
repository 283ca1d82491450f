"""The verifier of bytecode: what is corrupt is refused with a reason, and nothing that it lets pass can do harm."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from assembly import assemble

from harness.vm import build, encoding, native
from harness.vm.native import NativeEngine, NativeError
from harness.vm.opcodes import CONTROL, OPERATION

pytestmark = pytest.mark.skipif(native.unavailable() is not None, reason=str(native.unavailable()))

END = ("end",)
LOOP = ("loop", 2, 0, None, 3, None, "map")
NEXT = ("next", None, 3)

REFUSED: list[tuple[str, list[tuple[Any, ...]], dict[str, Any]]] = [
    ("1 to", [], {}),
    ("last instruction is not end", [("size", 1, 0)], {}),
    ("instruction 0: end before", [END, END], {}),
    ("instruction 0: there is no register 8", [("size", 1, 8), END], {}),
    ("instruction 0: there is no register 65535", [("add", 1, 0), END], {}),
    ("instruction 0: there is no register 8", [("size", 8, 0), END], {}),
    ("instruction 1: register 3 is read", [("size", 1, 0), ("size", 2, 3), END], {}),
    ("instruction 0: there is no constant 2", [("constant", 1, 2), END], {}),
    ("instruction 0: it has no end", [LOOP, END], {}),
    ("instruction 0: next outside", [("next", None, 0), END], {}),
    ("instruction 0: arm outside", [("arm", None, 0), END], {}),
    ("arm outside", [LOOP, ("arm", None, 3), END], {}),
    ("next outside", [("if_", 2, 0, 1, 1), ("next", None, 0), ("arm", None, 0), END], {}),
    ("an arm is empty", [("if_", 2, 0, 0, 1), ("arm", None, 0), END], {}),
    ("reaches beyond", [("if_", 2, 0, 1, 9), ("arm", None, 0), ("arm", None, 0), END], {}),
    ("the arm should end at instruction 2", [("if_", 2, 0, 2, 1), *[("arm", None, 0)] * 3, END], {}),
    ("register 4 is read", [LOOP, ("size", 4, 3), ("next", None, 4), ("size", 5, 4), END], {}),
    ("register 4 is read", [("size", 4, 0), LOOP, ("size", 5, 4), ("size", 4, 3), ("next", None, 5), END], {}),
    ("register 3 is read", [LOOP, NEXT, ("size", 5, 3), END], {}),
    ("register 3 is read", [("if_", 2, 0, 2, 1), ("size", 3, 0), ("arm", None, 3), ("arm", None, 3), END], {}),
    ("register 3 is read", [("if_", 2, 0, 2, 1), ("size", 3, 0), *[("arm", None, 0)] * 2, ("size", 5, 3), END], {}),
    ("nest deeper than 16", [LOOP] * 17 + [NEXT] * 17 + [END], {}),
    ("there are more inputs", [END], {"inputs": 9}),
    ("result register 1", [END], {"results": [([1], [])]}),
    ("result register 8", [END], {"results": [([0], [8])]}),
    ("at least one program", [END], {"results": []}),
]  # fmt: skip


def add(engine: NativeEngine, instructions: Any, *, inputs: int = 1, results: Any = (([0], []),)) -> int:
    constants = encoding.encode(1) + encoding.encode(((1, 2),))
    code = instructions if isinstance(instructions, np.ndarray) else assemble(instructions)
    return engine.add_unit(code, 8, inputs, constants, 2, results=results)


@pytest.mark.parametrize(("why", "instructions", "options"), REFUSED)
def test_corrupt_bytecode_is_refused_with_the_reason(why: str, instructions: Any, options: dict[str, Any]) -> None:
    engine = NativeEngine()
    with pytest.raises(NativeError, match=f"refused: .*{why}"):
        add(engine, instructions, **options)
    engine.close()


def test_unknown_opcodes_and_loop_kinds_are_refused() -> None:
    engine = NativeEngine()
    code = assemble([("size", 1, 0), END])
    code[0, 0] = len(CONTROL) + len(OPERATION)
    with pytest.raises(NativeError, match=r"instruction 0: there is no opcode \d+"):
        add(engine, code)
    code = assemble([LOOP, NEXT, END])
    code[0, 6] = 14
    with pytest.raises(NativeError, match="instruction 0: there is no loop kind 14"):
        add(engine, code)
    engine.close()


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x09", b"\x02\xff\xff\xff\xff", b"\x04\x02\x02\x01", b"\x00\x00"])
def test_corrupt_constants_are_refused(data: bytes) -> None:
    engine = NativeEngine()
    with pytest.raises(NativeError, match="refused: "):
        engine.add_unit(assemble([END]), 8, 1, data, 1, results=[([0], [])])
    engine.close()


def test_well_formed_bytecode_passes() -> None:
    engine = NativeEngine()
    for instructions in (
        [("size", 4, 0), LOOP, ("add", 5, 4, 4), ("next", None, 5), ("size", 4, 2), END],
        [("size", 3, 0), ("if_", 2, 0, 2, 2), ("size", 3, 0), ("arm", None, 3), ("size", 4, 3), ("arm", None, 4), END],
        [LOOP] * 16 + [NEXT] + [("next", None, 2)] * 15 + [("size", 4, 2), END],
        [("control.repeat", 2, 0, 0, 3), ("size", 4, 3), ("next", None, 4), END],
    ):
        add(engine, instructions)
    engine.close()


FUZZ = Path(__file__).with_name("fuzz_units.py")


@pytest.mark.parametrize("sanitized", [False, True])
def test_no_unit_that_passes_can_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sanitized: bool) -> None:
    """Random and mutated units on random values; the counts show that many ran. VM_FUZZ_SECONDS says for how long."""
    environment = dict(os.environ)
    if sanitized:
        monkeypatch.setenv("VM_SANITIZE", "1")
        if not build.is_current():
            pytest.skip("there is no up to date sanitizing build; run: VM_SANITIZE=1 python -m harness.vm.build")
        environment |= build.sanitizer_environment()
    done = subprocess.run(
        [sys.executable, str(FUZZ), "--seconds", os.environ.get("VM_FUZZ_SECONDS", "3")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    counts = dict(part.split("=") for part in done.stdout.split())
    assert int(counts["refused"]) > 100
    assert int(counts["evaluated"]) > 100
    assert int(counts["ok"]) > 10
