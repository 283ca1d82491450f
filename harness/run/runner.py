"""A run: from a configuration to a folder of measurements."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import pandas as pd

from harness.batt.loader import Rejected, load_programs
from harness.config import GPU_MODES, MODE_NAMES, Config, ConfigError, to_yaml
from harness.dsl.table import ALL
from harness.gpu.device import CudaUnavailable, DeviceError
from harness.measure.diagnosis import diagnose, of_machine, overhead_shares
from harness.measure.environment import describe_environment
from harness.measure.nvml_sampler import Sampler
from harness.measure.sources import Sources, sources_of
from harness.measure.usable import usable_cpus
from harness.progress import progress
from harness.run import schema
from harness.run.accuracy import Accuracy
from harness.run.device_tables import DeviceTables
from harness.run.journal import RunFolder
from harness.run.mode import KnowsSources, Mode
from harness.run.modes import make_mode, unavailable
from harness.run.native import NativeMode
from harness.run.native_profile import Cost, Executions, count_native, profile_native
from harness.run.pool import WorkerPool, WorkersDied
from harness.run.reference import ReferenceMode
from harness.run.rounds import STEADY_BLOCKS, Measured, run_rounds, warm_up
from harness.run.worker import Draw, EvaluationLost, Job, Outcome, Span, profile
from harness.run.workload import ProgramKey, Workload, make_workload
from harness.samples import Task, expand, load_tasks
from harness.spelling import nearest
from harness.vm.native import NativeUnavailable

_PROFILED_EVALUATIONS = 4  # of each program: enough to see where its time goes
_FINISHED = ("ok", "failed")


@dataclass
class _Run:
    """What a run has found out so far, and where it is written."""

    config: Config
    folder: RunFolder
    started: str
    sampler: Sampler
    clock: float = field(default_factory=perf_counter)  # when it began
    phase_seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    mode_rows: dict[str, dict[str, Any]] = field(default_factory=dict)

    def write_state(self, status: str, error: str | None) -> None:
        """Write ``run.json``: how far the run has come."""
        self.folder.write_json(
            "run.json",
            {
                "schema": schema.VERSION,
                "name": self.folder.path.name,
                "status": status,
                "error": error,
                "started": self.started,
                "finished": None if status == "running" else _now(),
                "phase_seconds": self.phase_seconds,
                "warnings": self.warnings,
            },
        )

    def write_modes(self) -> None:
        """Write what is known of each mode."""
        rows = [self.mode_rows[name] for name in self.config.modes if name in self.mode_rows]
        self.folder.write_table("modes", rows)

    def phase(self, name: str, start: float) -> None:
        """Note how long a phase took that began at ``start``, in seconds."""
        self.phase_seconds[name] = round(perf_counter() - start, 6)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Prepared:
    """All that a run needs, read and checked before anything runs.

    Attributes:
        workload: programs, samples, and which meet.
        rejected: modules and functions that cannot be run.
        seconds: what loading took.
        sources: the files that the configuration stands for, as they were loaded.
    """

    workload: Workload
    rejected: tuple[Rejected, ...]
    seconds: float
    sources: Sources


def prepare(config: Config) -> Prepared:
    """Load the data and the programs of a configuration.

    Raises:
        ConfigError: if tasks or programs are not there, or no program has a sample.
        BadDataError: if the data is not as it should be.
    """
    start = perf_counter()
    tasks = select_tasks(load_tasks(config.data), config.tasks)
    samples = expand(tasks, config.samples_per_task, config.seed)
    programs, rejected = load_programs(config.programs)
    if not programs:
        reasons = "".join(f"\n  {r.module}: {r.detail}" for r in rejected)
        raise ConfigError(f"programs: there is none to run{reasons}")
    workload = make_workload(programs, tasks, samples, config.batt_samples)
    if not workload.evaluations:
        raise ConfigError(
            f"programs: none of the {len(programs)} has a sample in {config.data!r} with these tasks; "
            "a solver is run on the task that its name ends with"
        )
    return Prepared(workload, tuple(rejected), perf_counter() - start, sources_of(programs))


def execute(config: Config, prepared: Prepared) -> Path:
    """Do a run and write its folder; docs/results.md says what is in it.

    What was measured is on disk when a phase, or a block, is done; an interrupt or an error leaves all that was
    measured until then, and ``run.json`` says that the run is not complete.

    Args:
        config: what to do.
        prepared: what ``prepare`` made of it.

    Returns:
        The run folder.

    Raises:
        OSError: if the folder cannot be made, or holds a run.
        KeyboardInterrupt: on Ctrl-C, once the folder is in order.
    """
    folder = new_folder(config)
    run = _Run(config, folder, _now(), Sampler(folder))
    run.phase_seconds["load"] = prepared.seconds
    folder.write_text("config.yaml", to_yaml(config))
    environment = describe_environment(f"python -m harness run {folder.path}/config.yaml")
    folder.write_json("environment.json", environment)
    run.warnings += of_machine(environment)
    run.write_state("running", None)
    status, error = "failed", None
    try:
        run.sampler.start(run.clock)
        _measure(run, prepared)
        status = "complete"
    except KeyboardInterrupt:
        status, error = "interrupted", INTERRUPTED
        raise
    except BaseException as raised:
        error = f"{type(raised).__name__}: {raised}"
        raise
    finally:
        warning = run.sampler.stop()
        run.warnings += [warning] if warning else []
        run.warnings += _diagnosis(folder)
        run.write_state(status, error)
    return folder.path


def _diagnosis(folder: RunFolder) -> list[str]:
    """Say what the blocks and samples on disk show that a reader should do something about."""
    blocks, samples = folder.path / "blocks.parquet", folder.path / "gpu_samples.parquet"
    if not blocks.exists():
        return []  # nothing was timed
    try:
        return diagnose(pd.read_parquet(blocks), pd.read_parquet(samples) if samples.exists() else None)
    except (OSError, ValueError) as error:
        return [f"The blocks were not looked through for what slowed them: {error}"]


INTERRUPTED = "stopped before it was done (Ctrl-C, or its process was ended)"


def new_folder(config: Config) -> RunFolder:
    """Make the folder that a configuration asks for.

    Raises:
        OSError: if it cannot be made, or holds a run.
    """
    if config.run_dir is not None:
        return RunFolder.take(Path(config.run_dir))
    return RunFolder.create(Path(config.results_dir), config.name)


def close_interrupted(folder: Path) -> bool:
    """Mark a run whose process is gone as interrupted, if it was still running; return whether there is a run."""
    return _mark(folder, {"running"}, "interrupted", INTERRUPTED)


def close_failed(folder: Path, error: str) -> bool:
    """Mark a run as failed whose notebook is broken, whatever it says of itself; return whether there is a run.

    What the run itself says of why it failed, or was interrupted, is kept.
    """
    return _mark(folder, {"running", "complete"}, "failed", error)


def _mark(folder: Path, before: Set[str], status: str, error: str) -> bool:
    try:
        state = json.loads((folder / "run.json").read_text())
    except FileNotFoundError:
        return False
    if state["status"] in before:
        finished = state["finished"] or _now()
        RunFolder(folder).write_json("run.json", {**state, "status": status, "error": error, "finished": finished})
    return True


def select_tasks(tasks: Mapping[str, Task], wanted: int | Sequence[str] | None) -> dict[str, Task]:
    """Return the tasks that a configuration asks for: the first so many, those named, or all.

    Raises:
        ConfigError: if a task that is named is not there.
    """
    if wanted is None:
        return dict(tasks)
    if isinstance(wanted, int):
        return dict(list(tasks.items())[:wanted])
    for name in wanted:
        if name not in tasks:
            raise ConfigError(f"tasks: there is no task {name!r} in the data{nearest(name, tasks)}")
    return {name: tasks[name] for name in tasks if name in set(wanted)}


def _measure(run: _Run, prepared: Prepared) -> None:
    config, workload, rejected = run.config, prepared.workload, prepared.rejected
    job = Job(workload, config.program_timeout_s, config.worker_memory_gb)
    run.folder.write_table("programs", _program_rows(workload, rejected, frozenset()))
    measured: list[Measured] = []
    with ExitStack() as stack:
        for name in sorted(config.modes, key=MODE_NAMES.index):
            reason = unavailable(name)
            workers = config.workers or usable_cpus()
            if reason is None:
                try:
                    mode = make_mode(name, job, workers)
                except (CudaUnavailable, DeviceError) as error:
                    reason = str(error)
                else:
                    stack.callback(mode.close)
                    measured.append(Measured(mode, workload, during=run.sampler.during))
                    workers = mode.workers
            if reason is not None:
                workers = 0
            run.mode_rows[name] = {
                "mode": name,
                "status": "skipped" if reason else "interrupted",  # until it has run
                "reason": reason,
                "workers": workers,
                "stop_rule": None,
                "mismatches": 0,
                "compared": 0,
                "fell_back": None,
                "fell_back_reasons": None,
                "warmup_blocks": None,
                "warmup_s": None,
                "warmup_rule": None,
                "harness_overhead": None,
                "sampled": None,
                "sampled_different": None,
            }
        run.write_modes()
        if not measured:
            return

        start = perf_counter()
        outcomes = _first_calls(run, workload, measured)
        run.write_modes()
        run.phase("first_calls", start)
        excluded = {e for e, outcome in outcomes.items() if outcome.status not in _FINISHED}
        costs = [outcomes[e].seconds for e in range(len(workload.evaluations))]
        run.folder.write_table("programs", _program_rows(workload, rejected, frozenset(excluded)))

        start = perf_counter()
        if len(excluded) < len(costs):
            by_reference = isinstance(measured[0].mode, ReferenceMode)
            accuracy = Accuracy(job, config.accuracy_samples, config.seed, outcomes if by_reference else None)
            _time(run, measured, costs, excluded, accuracy)
        for entry in measured:
            row = run.mode_rows[entry.mode.name]
            failure = entry.failure or (None if entry.blocks else "no evaluation finishes, so there is nothing to time")
            row.update(status="failed" if failure else "ran", reason=failure, stop_rule=entry.stop_rule)
        run.write_modes()
        _write_sources(run, prepared, measured)
        run.phase("timed", start)

        modes = [entry.mode for entry in measured if entry.failure is None]
        # What devices count is compared with what the host's build and the reference count, so that is done for them.
        if config.profile or any(mode.name in GPU_MODES for mode in modes):
            start = perf_counter()
            _count_executions(run, workload, frozenset(excluded), modes)
            _profile(run, job, frozenset(excluded), modes if config.profile else [])
            run.phase("profile", start)


def _write_sources(run: _Run, prepared: Prepared, measured: Sequence[Measured]) -> None:
    """Write which files the configuration stands for, as rows without a mode, and which ones each mode has loaded."""
    sources: dict[str | None, Sources] = {None: prepared.sources}
    for entry in measured:
        if entry.failure is None and isinstance(entry.mode, KnowsSources):
            sources[entry.mode.name] = entry.mode.sources()
    rows = [
        {"mode": mode, "module": module, "path": path, "sha256": digest}
        for mode, modules in sources.items()
        for module, files in modules.items()
        for path, digest in files
    ]
    run.folder.write_table("modules", rows)


def _program_rows(workload: Workload, rejected: Iterable[Rejected], excluded: frozenset[int]) -> list[dict[str, Any]]:
    """Make a row of every program that was found, and of what could not be loaded."""
    counts = [0] * len(workload.programs)
    left = [0] * len(workload.programs)
    for evaluation, (program, _) in enumerate(workload.evaluations):
        counts[program] += 1
        left[program] += evaluation not in excluded

    def row(key: ProgramKey, samples: int, status: str, detail: str | None) -> dict[str, Any]:
        return {
            "program": key.name,
            "module": key.module,
            "kind": key.kind,
            "status": status,
            "detail": detail,
            "samples": samples,
            "task": key.task,
        }

    rows = [
        row(key, counts[p], "ok" if left[p] else "excluded", None if left[p] else "no evaluation of it finishes")
        for p, key in enumerate(workload.programs)
    ]
    rows += [row(key, 0, "no_samples", "the data has no sample for it") for key in workload.without_samples]
    return rows + [
        {
            "program": r.name,
            "module": r.module,
            "kind": None,
            "status": r.status,
            "detail": r.detail,
            "samples": 0,
            "task": None,
        }
        for r in rejected
    ]


def _first_calls(run: _Run, workload: Workload, measured: Sequence[Measured]) -> dict[int, Outcome]:
    """Evaluate everything once in each mode, write what became of it, and compare the modes with the first."""
    first: dict[int, Outcome] = {}
    for entry in measured:
        found: dict[int, Outcome] = {}
        with (
            progress(len(workload.evaluations), f"{entry.mode.name}: first calls", "evaluations") as bar,
            run.sampler.during(entry.mode.name, None),
        ):
            for outcomes in entry.mode.check():
                found.update((outcome.evaluation, outcome) for outcome in outcomes)
                bar.update(len(outcomes))
        if not isinstance(entry.mode, ReferenceMode):
            reasons = Counter(o.fell_back for o in found.values() if o.fell_back is not None)
            counts = json.dumps(dict(reasons.most_common()))
            run.mode_rows[entry.mode.name].update(fell_back=reasons.total(), fell_back_reasons=counts)
        if not first:
            first = found
            run.folder.write_table("evaluations", list(_evaluation_rows(workload, first)))
            continue
        pairs = [(first[e], found[e]) for e in first]
        different = [a.evaluation for a, b in pairs if (a.status, a.digest) != (b.status, b.digest)]
        run.mode_rows[entry.mode.name].update(compared=len(pairs), mismatches=len(different))
        if different:
            run.warnings.append(
                f"{entry.mode.name} differs from {measured[0].mode.name} in {len(different)} of {len(pairs)} outputs, "
                f"first in {workload.label(different[0])}: do not trust its speed before that is explained"
            )
    return first


def _evaluation_rows(workload: Workload, outcomes: Mapping[int, Outcome]) -> Iterable[dict[str, Any]]:
    for evaluation, (program, position) in enumerate(workload.evaluations):
        outcome, key, sample = outcomes[evaluation], workload.programs[program], workload.samples[position]
        yield {
            "program": key.name,
            "module": key.module,
            "task": sample.task,
            "sample": sample.name,
            "augmented": "~" in sample.name,
            "status": outcome.status,
            "error": outcome.error,
            "equal": outcome.equal,
            "digest": outcome.digest,
            "seconds": outcome.seconds,
        }


def _time(
    run: _Run, measured: Sequence[Measured], costs: Sequence[float], excluded: set[int], accuracy: Accuracy
) -> None:
    """Time blocks of all modes in turn; each block is on disk before the next begins."""
    block_rows: list[dict[str, Any]] = []
    timing_rows: list[dict[str, Any]] = []
    accuracy_rows: list[dict[str, Any]] = []
    devices = DeviceTables(run.folder)

    def keep(entry: Measured) -> None:
        block, circumstances = entry.blocks[-1], entry.circumstances[-1]
        block_rows.append(_block_row(run, entry))
        timing_rows.extend(_timing_rows(entry))
        drawn = accuracy.compare(entry.mode.name, len(entry.blocks) - 1, circumstances.draw, block.outputs)
        accuracy_rows.extend(drawn)
        run.folder.write_table("blocks", block_rows)
        run.folder.write_table("timings", timing_rows)
        run.folder.write_table("accuracy", accuracy_rows)
        devices.add_block(entry.mode.name, len(entry.blocks) - 1, block)
        bar.set_postfix_str(f"{entry.mode.name} {block.evaluations / block.wall_s:,.0f} evaluations/s")
        bar.update()

    def draw_for(entry: Measured, left_out: frozenset[int]) -> Draw:
        return accuracy.draw(entry.mode.name, len(entry.blocks), entry.passes, left_out)

    for entry in measured:
        warm_up(entry, costs, excluded, run.config)
        _note_warm_up(run, entry)
    with progress(len(measured) * run.config.min_blocks, "timed blocks", "blocks") as bar:
        run_rounds(measured, costs, excluded, run.config, keep, draw_for=draw_for)
    for entry in measured:
        run.warnings += entry.warnings
        _note_timed(run, entry, [row for row in block_rows if row["mode"] == entry.mode.name])
        _note_accuracy(run, entry, [row for row in accuracy_rows if row["mode"] == entry.mode.name])
    run.warnings += devices.write(entry.mode for entry in measured)


def _block_row(run: _Run, entry: Measured) -> dict[str, Any]:
    """Make the row of a mode's last block."""
    block, circumstances = entry.blocks[-1], entry.circumstances[-1]
    return {
        "mode": entry.mode.name,
        "block": len(entry.blocks) - 1,
        "wall_s": block.wall_s,
        "evaluations": block.evaluations,
        "workers": entry.mode.workers,
        "busy_s": block.busy_s,
        "passes": circumstances.passes,
        "t_s": circumstances.began - run.clock,
        "waiting_s": block.waiting_s,
        "cpu_s": block.cpu_s,
        "collections": block.collections,
        "cpu_mhz": circumstances.cpu.mhz,
        "load": circumstances.cpu.load,
        "busy_cpus": circumstances.cpu.busy_cpus,
        "steal": circumstances.cpu.steal,
    }


def _timing_rows(entry: Measured) -> Iterable[dict[str, Any]]:
    """Make a row of every program of a mode's last block."""
    for timing in entry.blocks[-1].timings:
        key = entry.workload.programs[timing.program]
        yield {
            "mode": entry.mode.name,
            "block": len(entry.blocks) - 1,
            "program": key.name,
            "module": key.module,
            "evaluations": timing.evaluations,
            "seconds": timing.seconds,
        }


def _note_warm_up(run: _Run, entry: Measured) -> None:
    """Record how a mode was warmed up, and warn if that did not make it steady."""
    done, name = entry.warm_up, entry.mode.name
    run.mode_rows[name].update(warmup_blocks=done.blocks, warmup_s=done.seconds, warmup_rule=done.rule)
    if done.rule == "time limit" and done.spread is not None:
        run.warnings.append(
            f"{name}: after {done.seconds:.1f} s of warm-up its last {STEADY_BLOCKS} blocks still differed by "
            f"{done.spread:.0%} (steady is {run.config.steady:.0%}): end other work on this machine, or raise "
            "max_warmup_s"
        )


def _note_timed(run: _Run, entry: Measured, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record what the harness itself took of a mode's blocks."""
    if rows:
        share = float(overhead_shares(pd.DataFrame(rows)).median())
        run.mode_rows[entry.mode.name].update(harness_overhead=share)


def _note_accuracy(run: _Run, entry: Measured, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record how many outputs of timed blocks differ from the reference's; a mode with any fails its comparison."""
    name, different = entry.mode.name, [row for row in rows if not row["equal"]]
    record = run.mode_rows[name]
    record.update(sampled=len(rows), sampled_different=len(different))
    if different:
        record["mismatches"] += len(different)
        first = different[0]
        run.warnings.append(
            f"{name}: {len(different)} of {len(rows)} outputs drawn from timed blocks differ from the reference's, "
            f"first {first['program']} on {first['task']} {first['sample']} in block {first['block']}: do not trust "
            "its speed before that is explained"
        )


def _count_executions(run: _Run, workload: Workload, excluded: frozenset[int], modes: Sequence[Mode]) -> None:
    """Count what compiled programs execute, on the host: no GPU may have counted what it is held to."""
    compiled = [mode for mode in modes if isinstance(mode, NativeMode)]
    if not compiled:
        return
    mode = min(compiled, key=lambda mode: mode.name != "native_cpu")  # the bytecode is the same in all of them
    try:
        with mode.host_engine() as engine:
            counted = list(count_native(engine, mode.handled(excluded)[1]))
    except NativeUnavailable as error:
        run.warnings.append(f"{mode.name}: nobody counted what its programs execute, to compare it with: {error}")
        return
    run.folder.write_table("executions", [_execution_row(workload, mode.name, own) for own in counted])


def _profile(run: _Run, job: Job, excluded: frozenset[int], modes: Sequence[Mode]) -> None:
    """Count and time the primitives of a few evaluations of each program, with the reference and in the machine."""
    workload = job.workload
    seen: Counter[int] = Counter()
    left_out = set(excluded)
    for evaluation, (program, _) in enumerate(workload.evaluations):
        if evaluation not in excluded:
            seen[program] += 1
            if seen[program] > _PROFILED_EVALUATIONS:
                left_out.add(evaluation)
    rows = _profile_reference(run, job, frozenset(left_out))
    for mode in modes:
        if isinstance(mode, NativeMode):
            try:
                costs = list(profile_native(*mode.handled(left_out)))
            except DeviceError as error:
                run.warnings.append(f"{mode.name}: primitives were not counted: {error}")
            else:
                rows += [_primitive_row(workload, mode.name, cost) for cost in costs]
    run.folder.write_table("primitives", rows)


def _profile_reference(run: _Run, job: Job, left_out: frozenset[int]) -> list[dict[str, Any]]:
    workload = job.workload
    span = Span(0, len(workload.evaluations), left_out)
    # Counting slows programs down several times over, so the limit on their time is raised with it.
    with WorkerPool(Job(workload, job.timeout_s * 10, job.memory_gb), 1) as pool:
        try:
            ((_, found),) = pool.map(profile, [span])
        except (EvaluationLost, WorkersDied) as lost:
            gone = lost.suspects if isinstance(lost, WorkersDied) else lost.args
            names = ", ".join(workload.label(evaluation) for evaluation in gone)
            run.warnings.append(f"primitives were not counted: {names} did not finish; leave that program out")
            return []
    evaluated = Counter(p for e, (p, _) in enumerate(workload.evaluations) if e not in left_out)
    return [
        _primitive_row(
            workload, "sequential", Cost(program, primitive, ALL[primitive].family, evaluated[program], calls, seconds)
        )
        for (program, primitive), (calls, seconds) in found.items()
    ]


def _primitive_row(workload: Workload, mode: str, cost: Cost) -> dict[str, Any]:
    return {
        "mode": mode,
        "program": workload.programs[cost.program].name,
        "module": workload.programs[cost.program].module,
        "primitive": cost.primitive,
        "family": cost.family,
        "evaluations": cost.evaluations,
        "calls": cost.calls,
        "seconds": cost.seconds,
    }


def _execution_row(workload: Workload, mode: str, own: Executions) -> dict[str, Any]:
    return {
        "mode": mode,
        "program": workload.programs[own.program].name,
        "module": workload.programs[own.program].module,
        "opcode": own.opcode,
        "evaluations": own.evaluations,
        "executions": own.executions,
        "elements": own.elements,
    }
