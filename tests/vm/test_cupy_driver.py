"""``CupyDriver`` with the real CuPy, as far as it goes without a device: see tests/fake_cuda.

Each call is made; CUDA's runtime takes its arguments, and answers that it has no device, or whatever a driver that is
out of order has it answer. What comes of that is to be one of our errors, not one of CuPy's.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest

from harness.vm import cubins
from harness.vm.cuda_driver import CupyDriver
from harness.vm.device_facts import CudaUnavailable
from tests.fake_cuda import NO_COMPILER, environment
from tests.fake_nvml import COMPILER

pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason=NO_COMPILER),
    pytest.mark.skipif(importlib.util.find_spec("cupy") is None, reason="CuPy is not installed"),
]

LIKE_KERNELS = """
#if defined(VM_BLOCKS) && VM_BLOCKS != 6
#error "so many blocks"
#endif
enum Counting { NOTHING, EXECUTIONS, EVERYTHING };
void set(int* to) { *to = VM_COUNTING; }  // for the device without saying so, as those of the machine
extern "C" __global__ void vm_load(int* to) { set(to); }
extern "C" __global__ void vm_evaluate(int* to) { set(to + 1); }
"""
"""What is compiled in an instant; the kernels take more than a minute."""

EVERY_CALL = """
import contextlib, json, pathlib, sys
from types import SimpleNamespace
import cupy
import numpy as np
from harness.gpu.arrays import CupyDevice
from harness.vm import cubins
from harness.vm.cuda_driver import CupyDriver

driver = object.__new__(CupyDriver)  # to make one takes a device
driver._cupy, driver._runtime, driver._number = cupy, cupy.cuda.runtime, 0
driver._device = contextlib.nullcontext()  # to enter it would fail before the call does
driver._capability, driver._blocks, driver._kernels, driver._compile_s = (7, 5), None, {}, 0.0
cubins.obtain = lambda *_: (pathlib.Path(sys.argv[1]), 0.0)
arrays = object.__new__(CupyDevice)
arrays._cupy, arrays._device, arrays.name = cupy, contextlib.nullcontext(), "cuda:0"
stream, event = SimpleNamespace(ptr=cupy.cuda.Stream.null.ptr), SimpleNamespace(ptr=0)
data = np.zeros(16, np.uint8)

calls = {
    "free_bytes": driver.free_bytes,
    "allocate": lambda: driver.allocate(100),
    "pinned": lambda: driver.pinned(100),
    "stream": driver.stream,
    "upload": lambda: driver.upload(4096, data, stream),
    "download": lambda: driver.download(data, 4096, stream),
    "fill": lambda: driver.fill(4096, 0xFF, 16, stream),
    "mark": lambda: driver.mark(stream),
    "passed": lambda: driver.passed(event),
    "wait": lambda: driver.wait(cupy.cuda.Stream.null),
    "seconds": lambda: driver.seconds(event, event),
    "prepare": lambda: driver.prepare("EXECUTIONS"),
    "close": driver.close,
    "put": lambda: arrays.put(data),
    "call": lambda: arrays.call(len, data),
}
found = {}
for name, call in calls.items():
    try:
        found[name] = ["nothing", str(call())]
    except Exception as error:
        found[name] = [type(error).__name__, str(error)]
print(json.dumps(found))
"""


def run(code: str, *arguments: str, **scripted) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment(**scripted), capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("init", "kind", "name"),
    [
        (2, "DeviceOutOfMemory", "cudaErrorMemoryAllocation"),
        (46, "DeviceLost", "cudaErrorDevicesUnavailable"),
        (100, "DeviceLost", "cudaErrorNoDevice"),
        (214, "DeviceError", "cudaErrorECCUncorrectable"),
        (999, "DeviceError", "cudaErrorUnknown"),
    ],
)
def test_every_call_gets_through_to_cuda_and_its_error_becomes_ours(tmp_path, init, kind, name):
    done = run(EVERY_CALL, str(tmp_path / "no.cubin"), init=init)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found
    for call, (became, text) in found.items():
        assert became == kind, (call, text)
        assert text.startswith("cuda:0: "), (call, text)
        assert any(word in text for word in (name, "CUDA_ERROR_", "Out of memory allocating")), (call, text)


@pytest.mark.parametrize(
    ("scripted", "why"),
    [
        ({"init": 100}, "cudaErrorNoDevice"),
        ({"init": 0, "version": 11040}, "cudaErrorInsufficientDriver"),
        ({"init": 803}, "cudaErrorSystemDriverMismatch"),
    ],
)
def test_a_driver_that_offers_no_device_is_no_device(scripted, why):
    code = (
        "from harness.gpu.arrays import open_array_devices\nfrom harness.gpu.devices import open_devices, unavailable\n"
        "from harness.vm.cuda import CudaEngine\nfrom harness.vm.device_facts import CudaUnavailable\n"
        "print(unavailable())\n"
        "for use in (CudaEngine, open_devices, open_array_devices):\n"
        "    try:\n        use()\n    except CudaUnavailable as error:\n        print(error)"
    )
    done = run(code, **scripted)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert all(why in line and "doctor" in line for line in lines)


def test_commands_say_so(tmp_path):
    checked = subprocess.run(
        [sys.executable, "-m", "harness.gpu_check", "--quick"],
        env=environment(init=0, version=11040),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=tmp_path,
    )
    assert checked.returncode == 2
    assert "cudaErrorInsufficientDriver" in checked.stderr
    told = run("from harness.doctor import _cuda\nfor found in _cuda(): print(found)", init=0, version=11040)
    assert "no CUDA device: cudaErrorInsufficientDriver" in told.stdout, told.stderr


def test_what_occupancy_is_asked_for():
    code = (
        "import contextlib\nfrom types import SimpleNamespace\nimport cupy\n"
        "from harness.vm.cuda_driver import CupyDriver\n"
        "driver = object.__new__(CupyDriver)\ndriver._cupy, driver._number, driver._multiprocessors = cupy, 0, 40\n"
        "driver._device = contextlib.nullcontext()\n"
        "driver._kernels = {('vm_evaluate', 'NOTHING'): SimpleNamespace(kernel=SimpleNamespace(ptr=77))}\n"
        "print(driver.workers())"
    )
    done = run(code, init=0)
    assert done.stdout == f"{5 * 40 * 4}\n", done.stderr


def test_uuids_are_told_whole():
    code = "from harness.vm.cuda_driver import _uuid\nprint(_uuid(0), _uuid(1))"
    done = run(code, uuid="00ff22334400667788990a0b0c0d0e00")
    assert done.stdout == "GPU-00ff2233-4400-6677-8899-0a0b0c0d0e00 \n", done.stderr


def nvrtc_or_skip() -> None:
    try:
        cubins._nvrtc()
    except cubins.CubinError as error:
        pytest.skip(str(error))


def test_kernels_are_compiled_once(tmp_path, monkeypatch):
    nvrtc_or_skip()
    monkeypatch.setattr(cubins, "source", lambda: LIKE_KERNELS)
    monkeypatch.setattr(cubins, "digest", lambda counting="EXECUTIONS": f"short-{counting}")
    monkeypatch.setattr(cubins, "FOLDER", tmp_path / "ahead")
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path / "cache"))
    for counting, blocks in (("EXECUTIONS", None), ("NOTHING", None), ("EXECUTIONS", 6)):
        path, seconds = cubins.obtain((7, 5), counting, blocks)
        assert path.parent == tmp_path / "cache"
        assert seconds > 0
        assert {b"vm_load", b"vm_evaluate"} <= set(path.read_bytes().replace(b"\0", b" ").split())
        assert cubins.obtain((7, 5), counting, blocks) == (path, 0.0)
    assert len(list((tmp_path / "cache").iterdir())) == 3
    with pytest.raises(cubins.CubinError, match="so many blocks"):
        cubins.obtain((7, 5), "EXECUTIONS", 2)
    (tmp_path / "ahead").mkdir()
    cubins.path_for((7, 5)).write_bytes(b"made ahead")
    assert cubins.obtain((7, 5)) == (cubins.path_for((7, 5)), 0.0)
    assert cubins.obtain((7, 5), "NOTHING")[0].parent == tmp_path / "cache"


def test_without_a_place_for_them_kernels_are_kept_for_the_process(tmp_path, monkeypatch):
    nvrtc_or_skip()
    monkeypatch.setattr(cubins, "source", lambda: LIKE_KERNELS)
    monkeypatch.setattr(cubins, "digest", lambda counting=None: tmp_path.name)
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path / "file" / "cache"))
    path, seconds = cubins.obtain((7, 5), "NOTHING")
    assert seconds > 0
    assert path.is_file()
    assert cubins.obtain((7, 5), "NOTHING") == (path, 0.0)


def test_kernels_that_cannot_be_compiled_make_the_device_unavailable(tmp_path, monkeypatch):
    nvrtc_or_skip()
    monkeypatch.setattr(cubins, "source", lambda: "this is no program")
    monkeypatch.setattr(cubins, "digest", lambda counting=None: "none")
    monkeypatch.setenv("CUPY_CACHE_DIR", str(tmp_path))
    driver = object.__new__(CupyDriver)
    driver._number, driver._capability, driver._blocks, driver._kernels = 0, (7, 5), None, {}
    with pytest.raises(CudaUnavailable, match=r"cuda:0: NVRTC refused the kernels(.|\n)*harness\.vm\.cubins"):
        driver.prepare("NOTHING")
