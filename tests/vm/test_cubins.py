"""NVRTC compiles the kernels, without a GPU, for what people rent; and cubins are found for the devices they fit."""

from __future__ import annotations

import re
import struct

import pytest

from harness.vm import cubins

HOT = re.compile(r"^vm_evaluate$|Machine\w*(run|run_plain_body)|7operate|3run")
SAVED = 256  # bytes: what a function that calls others saves of its caller's registers counts as spilled, too


@pytest.mark.parametrize("capability", cubins.CAPABILITIES, ids=lambda own: f"sm_{own[0]}{own[1]}")
def test_nvrtc_compiles_the_kernels(capability):
    made = cubins.compile_for(capability)
    by_name = {own.name: own for own in made.functions}
    hot = {name: own for name, own in by_name.items() if HOT.search(name)}
    print(
        f"sm_{capability[0]}{capability[1]}: {len(made.cubin)} bytes in {made.seconds:.0f} s, {made.registers} "
        f"registers, {made.shared_bytes} bytes of shared memory; spilled {by_name['vm_evaluate'].spill_stores} bytes "
        f"in vm_evaluate, {max(own.spill_stores for own in hot.values())} at most in the interpreter"
    )
    assert made.cubin[:4] == b"\x7fELF"
    assert cubins.whole(made.cubin) == made.cubin  # its last byte, too
    assert b"vm_evaluate" in made.cubin
    assert b"vm_load" in made.cubin
    assert made.registers <= 128  # so that a multiprocessor holds 16 warps
    assert len(hot) >= 4
    assert by_name["vm_evaluate"].spill_stores <= 32
    assert {name: own.spill_stores for name, own in hot.items() if own.spill_stores > SAVED} == {}


def test_a_cubin_is_for_its_source_and_for_later_minor_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(cubins, "FOLDER", tmp_path)
    assert cubins.find((8, 9)) is None
    for own in cubins.CAPABILITIES:
        cubins.path_for(own).write_bytes(b"")
    assert cubins.find((6, 0)) == cubins.find((6, 1)) == cubins.path_for((6, 0))
    assert cubins.find((7, 5)) == cubins.path_for((7, 5))
    assert cubins.find((7, 0)) is None  # a cubin does not run on earlier devices
    assert cubins.find((8, 6)) is None
    assert cubins.find((9, 0)) == cubins.path_for((9, 0))
    assert cubins.find((10, 0)) is None
    monkeypatch.setattr(cubins, "digest", lambda counting: "another")
    assert cubins.find((9, 0)) is None


def test_the_byte_that_cupy_drops_is_put_back():
    header = struct.pack("<4s28xQQ6xHHHH2x", b"\x7fELF", 64 + 3 * 64, 64, 56, 2, 64, 3)
    entire = header + bytes(3 * 64 + 2 * 56)
    assert len(header) == 64
    assert cubins.whole(entire) == cubins.whole(entire[:-1]) == entire
    with pytest.raises(cubins.CubinError, match=f"{len(entire) - 2} bytes, and should have {len(entire)}"):
        cubins.whole(entire[:-2])
    with pytest.raises(cubins.CubinError, match="no ELF"):
        cubins.whole(b"")


def test_the_source_is_whole():
    source = cubins.source()
    assert '#include "' not in source
    assert "#pragma once" not in source
    assert source.count("OPERATION(rot90, 1,") == source.count("OPERATION(objects, 4,") > 1  # the table, in each place
    assert source.count("struct Value {") == 1


def test_what_nvrtc_refuses_is_told(monkeypatch):
    monkeypatch.setattr(cubins, "source", lambda: "this is no program")
    with pytest.raises(cubins.CubinError, match="NVRTC refused"):
        cubins.compile_for((7, 5))


def test_what_cannot_be_compiled_keeps_no_other_from_being_made(tmp_path, monkeypatch, capsys):
    """As sm_60 by CUDA 13."""
    monkeypatch.setattr(cubins, "FOLDER", tmp_path)
    cubins.path_for((7, 5)).write_bytes(b"")
    monkeypatch.setattr(cubins, "source", lambda: "this is no program")
    assert cubins.main(["sm_60", "sm_75"]) == 1
    printed = capsys.readouterr()
    assert "NVRTC refused" in printed.err
    assert f"{cubins.path_for((7, 5)).name}: up to date" in printed.out
