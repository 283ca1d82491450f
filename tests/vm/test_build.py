"""Building the library: which compiler, when again, and that the sources are clean."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.vm import build, native


def without_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_no_compiler_is_an_error_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without_compiler(monkeypatch, tmp_path)
    assert build.main([]) == 1
    assert "install one" in capsys.readouterr().err
    monkeypatch.setenv("CXX", "no-such-compiler -O9")
    with pytest.raises(build.BuildError, match=r"\$CXX names 'no-such-compiler'"):
        build.find_compiler()


def test_no_library_is_unavailable_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    native.library.cache_clear()
    assert "not built; run: python -m harness.vm.build" in (native.unavailable() or "")
    (tmp_path / "libharness_vm.so").write_bytes(b"no library")
    assert "cannot be loaded" in (native.unavailable() or "")
    native.library.cache_clear()


def test_a_compiler_that_refuses_is_an_error_with_its_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'error: no' >&2; exit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    monkeypatch.setattr(build, "FOLDER", tmp_path / "made")
    with pytest.raises(build.BuildError, match=r"(?s)status 3.*error: no") as raised:
        build.build()
    assert "host.cpp" in str(raised.value)
    assert not list((tmp_path / "made").iterdir())


def test_the_library_is_built_when_something_changed_and_only_then(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compiler = tmp_path / "compiler"  # writes down that it was called; the real build takes long
    compiler.write_text(
        '#!/bin/sh\ncase "$1" in --version) echo 1;; *) while [ "$1" != -o ]; do shift; done; date > "$2";; esac\n'
    )
    compiler.chmod(0o755)
    sources = tmp_path / "src"
    sources.mkdir()
    (sources / "host.cpp").write_text("1")
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setattr(build, "FOLDER", tmp_path / "made")
    monkeypatch.setattr(build, "SOURCES", sources)
    assert not build.is_current()
    path, built = build.build()
    assert built and path.is_file() and build.is_current()
    assert build.build() == (path, False)
    assert build.build(force=True) == (path, True)
    (sources / "host.cpp").write_text("2")
    assert not build.is_current()
    assert build.build() == (path, True)
    monkeypatch.setenv("VM_OPT", "1")
    other, built = build.build()
    assert built and other != path


def test_the_sources_are_free_of_warnings() -> None:
    try:
        compiler = build.find_compiler()
    except build.BuildError as error:
        pytest.skip(str(error))
    flags = [*build.flags_for(level=False), "-Werror", "-fsyntax-only"]
    done = subprocess.run(
        [*compiler, *flags, str(build.SOURCES / "host.cpp")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
