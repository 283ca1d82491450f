"""A run: from a configuration to a folder of measurements."""

from __future__ import annotations

import json
import logging
import shlex
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence, Set
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from harness.batt.loader import Rejected
from harness.config import ALL_DEVICE_MODES, GPU_MODES, ONE_DEVICE_MODES, Config, ConfigError, to_yaml
from harness.dsl.table import ALL
from harness.gpu.device import CudaUnavailable, DeviceError
from harness.measure.diagnosis import diagnose, of_machine, overhead_shares
from harness.measure.environment import describe_environment
from harness.measure.nvml_sampler import Sampler
from harness.measure.sources import Sources, sources_of
from harness.measure.usable import usable_cpus
from harness.places import portable
from harness.progress import progress
from harness.run.accuracy import Accuracy
from harness.run.budget import Budget
from harness.run.device_tables import DeviceTables
from harness.run.eager import EagerMode
from harness.run.gpu import GpuMode
from harness.run.identity import identity_of
from harness.run.imports import load_screened
from harness.run.interrupts import Interrupts, OutOfTime
from harness.run.journal import CannotWrite, DamagedJournal, Journal, RunFolder
from harness.run.lock import FolderInUse, locked
from harness.run.mode import KnowsSources, Mode, Restorable
from harness.run.modes import make_mode, unavailable
from harness.run.native import NativeMode
from harness.run.native_profile import Cost, Executions, count_native, profile_native
from harness.run.one_device import OneDevice
from harness.run.pool import WorkerPool, WorkersDied
from harness.run.reference import ReferenceMode
from harness.run.resume import (
    TABLES_OF_BLOCKS,
    Past,
    ResumeRefused,
    columns_of,
    is_complete,
    load_past,
    past_of,
    restore_outcomes,
    restore_sampling,
    restore_tables,
    restore_timing,
)
from harness.run.rounds import STEADY_BLOCKS, Measured, run_rounds, warm_up
from harness.run.session import Session, now
from harness.run.worker import Draw, EvaluationLost, Job, Outcome, Span, profile
from harness.run.workload import ProgramKey, Workload, make_workload
from harness.samples import Task, expand, load_tasks
from harness.spelling import nearest
from harness.vm.native import NativeUnavailable

_LOG = logging.getLogger(__name__)
_PROFILED_EVALUATIONS = 4  # of each program: enough to see where its time goes
_PROFILED_SLOWER = 5.0  # than usual, where primitives are counted
_FINISHED = ("ok", "failed")
_PATIENCE_S = 10.0  # for a process that was told to end


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
    programs, rejected = load_screened(config.programs, config.worker_memory_gb)
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
    """Do a run, or what is missing of one, and write its folder; docs/results.md says what is in it.

    What is finished is on disk before the next thing begins; an interrupt or an error leaves all that was measured
    until then, and ``run.json`` says that the run is not complete.

    Args:
        config: what to do.
        prepared: what ``prepare`` made of it.

    Returns:
        The run folder.

    Raises:
        ResumeRefused: if the run that is to be continued is another one.
        CannotWrite: if the folder cannot be written to (any more).
        OSError: if the folder cannot be made, holds a run, or another process is at work in it.
        KeyboardInterrupt: on Ctrl-C, once the folder is in order.
    """
    budget = Budget(config.time_budget_s, prepared.seconds)
    folder = RunFolder(Path(config.resume).expanduser()) if config.resume is not None else new_folder(config)
    with locked(folder.path), Interrupts() as interrupts:
        if config.resume is None:
            folder.refuse_run()  # it was looked at before, when another process might have been about to begin
        elif is_complete(folder.path):
            Journal(folder).remove()  # a process that was killed while it did this has left some of it
            return folder.path
        session = _begin(config, prepared, folder, budget, interrupts)
        _finish(session, prepared)
    return folder.path


def _begin(config: Config, prepared: Prepared, folder: RunFolder, budget: Budget, interrupts: Interrupts) -> Session:
    """Write what a run is of, or compare it with what it was; from then on it can be continued."""
    own = shlex.quote(portable(str(folder.path / "config.yaml")))
    environment = describe_environment(f"python -m harness run {own}")
    identity = identity_of(config, prepared.workload, prepared.sources, environment)
    past = load_past(folder, identity) if config.resume is not None else Past()
    folder.remove_unfinished()
    parts, sampling = restore_sampling(folder, past)
    session = Session(
        config, folder, Journal(folder), Sampler(folder, parts=parts, earlier=sampling), interrupts, budget, past
    )
    session.clock -= past.t_s
    session.phase_seconds = dict(past.state.get("phase_seconds", {}))
    session.phase_seconds["load"] = session.phase_seconds.get("load", 0.0) + prepared.seconds
    session.warnings = list(past.state.get("warnings", ()))
    rows = past.state.get("modes", {})
    # What there was no time for is no longer skipped, for this session has a time budget of its own.
    can_run = {name for name in config.measured_names if identity["modes"][ALL_DEVICE_MODES.get(name, name)]}
    short = {name for name, row in rows.items() if row["status"] == "skipped" and name in can_run}
    session.mode_rows = {name: dict(row) for name, row in rows.items() if past.timed or name not in short}
    session.warn(*of_machine(environment))
    running = [name for name in config.measured_names if name in can_run and (name in config.modes or name in rows)]
    this = {
        "started": now(),
        "blocks": len(past.blocks),
        "next": past.next_step(running) if past.entries else "its start",
    }
    session.sessions = [*past.sessions, this]
    if not past.entries:
        folder.write_text("config.yaml", to_yaml(config))
        folder.write_json("environment.json", environment)
    session.finish("session", {"identity": identity, "session": this})
    session.write_state("running", None)
    if past.entries:
        restore_tables(folder, past)
    return session


def _finish(session: Session, prepared: Prepared) -> None:
    """Measure what is missing, and say how that ended."""
    status, error = "failed", None
    try:
        with session.interrupts.limited(session.budget.latest()):
            session.sampler.start(session.clock)
            _measure(session, prepared)
        status = "complete"
    except OutOfTime:  # in the middle of something that took far longer than it looked like
        status = "interrupted"
        error = f"time_budget_s ({session.config.time_budget_s:g} s) was over before it was done"
    except KeyboardInterrupt:
        status, error = "interrupted", INTERRUPTED
        raise
    except BaseException as raised:
        error = f"{type(raised).__name__}: {raised}"
        raise
    finally:
        if session.interrupts.count < 2:  # who asks twice does not want to wait
            warning = session.sampler.stop()
            session.warn(*([warning] if warning else []), *_diagnosis(session.folder))
        try:
            session.write_state(status, error)
        except CannotWrite as again:
            if status == "complete":
                raise
            _LOG.warning("run.json does not say that the run is %s: %s", status, again)
    if status == "complete":
        session.journal.remove()


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
        return RunFolder.take(Path(config.run_dir).expanduser())
    return RunFolder.create(Path(config.results_dir).expanduser(), config.name)


def close_interrupted(folder: Path) -> bool:
    """Mark a run whose process is gone as interrupted, if it was still running; return whether there is a run.

    Its tables are written again from the journal, which may be ahead of them.

    Raises:
        FolderInUse: if its process is not gone.
        CannotWrite: if the folder cannot be written to.
    """
    return _mark(folder, {"running"}, "interrupted", INTERRUPTED)


def close_abandoned(folder: Path) -> None:
    """Likewise, if there is a run, its process is gone, and the folder can be written to."""
    try:
        _mark(folder, {"running"}, "interrupted", INTERRUPTED, patience_s=0.0)
    except FolderInUse:
        pass  # it is under way
    except (FileNotFoundError, NotADirectoryError):
        pass  # the report says so
    except CannotWrite as error:
        _LOG.warning("%s", error)


def close_failed(folder: Path, error: str) -> bool:
    """Mark a run as failed whose notebook is broken, whatever it says of itself; return whether there is a run.

    What the run itself says of why it failed, or was interrupted, is kept.

    Raises:
        FolderInUse: if its process is not gone.
        CannotWrite: if the folder cannot be written to.
    """
    return _mark(folder, {"running", "complete"}, "failed", error)


def _mark(folder: Path, before: Set[str], status: str, error: str, patience_s: float = _PATIENCE_S) -> bool:
    with locked(folder, patience_s):
        try:
            state = json.loads((folder / "run.json").read_text())
        except FileNotFoundError:
            return False
        if state["status"] in before:
            kept, finished = RunFolder(folder), state["finished"] or now()
            try:
                restore_tables(kept, past_of(Journal(kept).read()))
            except DamagedJournal as damage:  # what is in the tables is still worth a report
                _LOG.warning("%s: the tables stay as they are: %s", folder, damage)
            kept.write_json("run.json", {**state, "status": status, "error": error, "finished": finished})
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


def _measure(run: Session, prepared: Prepared) -> None:
    config, workload, rejected = run.config, prepared.workload, prepared.rejected
    job = Job(workload, config.program_timeout_s, config.worker_memory_gb)
    run.folder.write_table("programs", _program_rows(workload, rejected, frozenset()))
    measured: list[Measured] = []
    with ExitStack() as stack:
        for name in config.measured_names:
            if name in ALL_DEVICE_MODES:
                continue  # comes with the mode that holds the devices
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
                    measured += _on_one_device(run, mode, workload)
            if reason is not None:
                workers = 0
                if name in run.past.first:
                    raise ResumeRefused(f"{name} was measured before, and cannot run now: {reason}")
            if name not in run.mode_rows:
                run.mode_rows[name] = _mode_row(name, reason, workers)
        run.write_modes()
        if not measured:
            return

        with run.phase("first_calls"):
            outcomes = _first_calls(run, workload, measured)
            run.write_modes()
        if not outcomes:
            return
        excluded = {e for e, outcome in outcomes.items() if outcome.status not in _FINISHED}
        costs = [outcomes[e].seconds for e in range(len(workload.evaluations))]
        run.folder.write_table("programs", _program_rows(workload, rejected, frozenset(excluded)))
        measured = [entry for entry in measured if run.mode_rows[entry.mode.name]["status"] != "skipped"]

        with run.phase("timed"):
            excluded.update(run.past.state.get("timing", {}).get("excluded", ()))
            for entry in measured:
                restore_timing(entry, run.past)
            if not run.past.timed:
                if len(excluded) < len(costs):
                    by_reference = isinstance(measured[0].mode, ReferenceMode)
                    accuracy = Accuracy(job, config.accuracy_samples, config.seed, outcomes if by_reference else None)
                    _time(run, measured, costs, excluded, accuracy)
                for entry in measured:
                    _note_ending(run, entry, costs)
                _write_sources(run, prepared, measured)
                run.note_timing(measured, excluded)
                run.finish("timed")
            run.write_modes()

        modes = [entry.mode for entry in measured if entry.failure is None]
        # What devices count is compared with what the host's build and the reference count, so that is done for them.
        wanted = config.profile or any(mode.name in GPU_MODES for mode in modes)
        if wanted and not run.past.profiled:
            with run.phase("profile"):
                _count_executions(run, workload, frozenset(excluded), modes)
                _profile(run, job, frozenset(excluded), costs, modes if config.profile else [])
            run.finish("profiled")


def _on_one_device(run: Session, mode: Mode, workload: Workload) -> list[Measured]:
    """Return what times a GPU mode on one of its devices, where that is wanted and there are several.

    Raises:
        ResumeRefused: if an earlier session had several devices, and there is one now.
    """
    if mode.name not in ONE_DEVICE_MODES:
        return []
    assert isinstance(mode, GpuMode | EagerMode)
    name, devices = ONE_DEVICE_MODES[mode.name], len(mode.machine.facts)
    if not run.config.single_device or devices < 2:
        if name in run.past.first:
            raise ResumeRefused(f"{name} was measured before, and cannot run now: {mode.name} has one device only")
        return []
    one = OneDevice(mode)
    if name not in run.mode_rows:
        run.mode_rows[name] = _mode_row(name, None, one.workers)
    return [Measured(one, workload, during=run.sampler.during)]


def _mode_row(name: str, reason: str | None, workers: int) -> dict[str, Any]:
    return {
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


def _note_ending(run: Session, entry: Measured, costs: Sequence[float]) -> None:
    """Record how the timing of a mode ended."""
    name, status, reason = entry.mode.name, "ran", entry.failure
    if reason:
        status = "failed"
    elif not entry.blocks and entry.stop_rule == "time budget":
        status, reason = "skipped", run.budget.lack(entry.next_s(costs))
    elif not entry.blocks:
        status, reason = "failed", "no evaluation finishes, so there is nothing to time"
    run.mode_rows[name].update(status=status, reason=reason, stop_rule=entry.stop_rule)
    if entry.stop_rule == "time budget" and entry.blocks:
        run.warn(
            f"{name}: its timing ended after {len(entry.blocks)} blocks, since time_budget_s "
            f"({run.config.time_budget_s:g} s) had no room for another"
        )
    elif status == "skipped":
        run.warn(f"{name} was not timed: {reason}")


def _write_sources(run: Session, prepared: Prepared, measured: Sequence[Measured]) -> None:
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


def _first_calls(run: Session, workload: Workload, measured: Sequence[Measured]) -> dict[int, Outcome]:
    """Evaluate everything once in each mode, write what became of it, and compare the modes with the first.

    Modes for which the time budget has no room are skipped; where that is the first of them, nothing is returned.
    """
    first: dict[int, Outcome] = {}
    planned_s = 0.0  # for timing the modes before
    for entry in measured:
        name, done = entry.mode.name, run.past.first.get(entry.mode.name)
        if done is not None:
            first = first or restore_outcomes(run.folder, workload)
            _restore_first(run, workload, entry, done)
            planned_s += _least_timing_s(run.config, entry)
            continue
        if run.mode_rows[name]["status"] == "skipped":
            continue  # by an earlier session
        # What took its process along has no time; what ran past its limit is let run as long again.
        roughly_s = float(np.nansum([outcome.seconds for outcome in first.values()])) / entry.mode.workers
        found = _evaluate_once(run, workload, entry) if run.budget.allows(planned_s + roughly_s) else None
        if found is None:
            reason = run.budget.lack(roughly_s)
            run.mode_rows[name].update(status="skipped", reason=reason)
            run.warn(f"{name} was not measured: {reason}")
            if first:
                continue
            for other in measured:
                run.mode_rows[other.mode.name].update(status="skipped", reason=reason)
            return {}
        planned_s += _least_timing_s(run.config, entry)
        fell_back: dict[str, list[int]] = {}
        for outcome in found.values():
            if outcome.fell_back is not None:
                fell_back.setdefault(outcome.fell_back, []).append(outcome.evaluation)
        if not isinstance(entry.mode, ReferenceMode):
            reasons = Counter({reason: len(those) for reason, those in fell_back.items()})
            counts = json.dumps(dict(reasons.most_common()))
            run.mode_rows[name].update(fell_back=reasons.total(), fell_back_reasons=counts)
        if first:
            _compare(run, workload, measured[0], first, entry=entry, found=found)
        else:
            first = found
            run.folder.write_table("evaluations", list(_evaluation_rows(workload, first)))
        run.finish("first", {"mode": name, "seconds": entry.first_s, "fell_back": fell_back})
    return first


def _least_timing_s(config: Config, entry: Measured) -> float:
    """Return the seconds that timing a mode takes at least: a block to warm up, and ``min_blocks``."""
    return (1 + config.min_blocks) * max(config.min_block_s, entry.first_s)


def _evaluate_once(run: Session, workload: Workload, entry: Measured) -> dict[int, Outcome] | None:
    """Evaluate everything once in a mode; None if the time budget ends meanwhile."""
    found: dict[int, Outcome] = {}
    start = perf_counter()
    with (
        progress(len(workload.evaluations), f"{entry.mode.name}: first calls", "evaluations") as bar,
        run.sampler.during(entry.mode.name, None),
        closing(_checking(entry.mode)) as checking,
    ):
        for outcomes in checking:
            found.update((outcome.evaluation, outcome) for outcome in outcomes)
            bar.update(len(outcomes))
            if run.budget.left() <= 0 and len(found) < len(workload.evaluations):
                return None
    entry.first_s = perf_counter() - start
    return found


def _checking(mode: Mode) -> Generator[list[Outcome], None, None]:
    """Check a mode, so that it can be left early."""
    yield from mode.check()


def _restore_first(run: Session, workload: Workload, entry: Measured, done: Mapping[str, Any]) -> None:
    """Have a mode stand where it stood after its first calls, which an earlier session has made."""
    entry.first_s = done["seconds"]
    if isinstance(entry.mode, Restorable):
        entry.mode.restore({e: reason for reason, those in done["fell_back"].items() for e in those})
    elif not run.past.has_ended(entry.mode.name):
        _evaluate_once(run, workload, entry)


def _compare(
    run: Session,
    workload: Workload,
    reference: Measured,
    first: Mapping[int, Outcome],
    *,
    entry: Measured,
    found: Mapping[int, Outcome],
) -> None:
    """Compare the first calls of a mode with those of the first mode."""
    pairs = [(first[e], found[e]) for e in first]
    different = [a.evaluation for a, b in pairs if (a.status, a.digest) != (b.status, b.digest)]
    run.mode_rows[entry.mode.name].update(compared=len(pairs), mismatches=len(different))
    if different:
        run.warn(
            f"{entry.mode.name} differs from {reference.mode.name} in {len(different)} of {len(pairs)} outputs, "
            f"first in {workload.label(different[0])}: do not trust its speed before that is explained"
        )


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
    run: Session, measured: Sequence[Measured], costs: Sequence[float], excluded: set[int], accuracy: Accuracy
) -> None:
    """Time blocks of all modes in turn; each block is on disk before the next begins."""
    tables = {name: run.past.rows(name) for name in TABLES_OF_BLOCKS}
    devices = DeviceTables(run.folder, run.past.rows("device_blocks"))
    for earlier in run.past.blocks:
        devices.add_counters(earlier["counters"])

    def keep(entry: Measured) -> None:
        block, circumstances = entry.blocks[-1], entry.circumstances[-1]
        drawn = accuracy.compare(entry.mode.name, len(entry.blocks) - 1, circumstances.draw, block.outputs)
        new = {"blocks": [_block_row(run, entry)], "timings": list(_timing_rows(entry)), "accuracy": drawn}
        device_rows, counters = devices.of_block(entry.mode.name, len(entry.blocks) - 1, block)
        run.note_timing(measured, excluded)
        with run.interrupts.held():
            columns = {name: columns_of(rows) for name, rows in {**new, "device_blocks": device_rows}.items() if rows}
            run.finish("block", {"mode": entry.mode.name, "tables": columns, "counters": counters})
            devices.add_block(device_rows, counters)
            for name, rows in tables.items():
                rows.extend(new[name])
                run.folder.write_table(name, rows)
        bar.set_postfix_str(f"{entry.mode.name} {block.evaluations / block.wall_s:,.0f} evaluations/s")
        bar.update()

    def draw_for(entry: Measured, left_out: frozenset[int]) -> Draw:
        return accuracy.draw(entry.mode.name, len(entry.blocks), entry.passes, left_out)

    going_on = [entry for entry in measured if not run.past.has_ended(entry.mode.name)]
    for number, entry in enumerate(going_on):
        # Half of what is left is for warming up, at most.
        most_s = run.budget.left() / (2 * (len(going_on) - number))
        warm_up(entry, costs, excluded, run.config, most_s=most_s, allows=run.budget.allows)
        _note_warm_up(run, entry)
    with progress(len(measured) * run.config.min_blocks, "timed blocks", "blocks") as bar:
        run_rounds(measured, costs, excluded, run.config, keep, draw_for=draw_for, allows=run.budget.allows)
    for entry in measured:
        run.warn(*entry.warnings)
        _note_timed(run, entry, [row for row in tables["blocks"] if row["mode"] == entry.mode.name])
        _note_accuracy(run, entry, [row for row in tables["accuracy"] if row["mode"] == entry.mode.name])
    run.warn(*devices.write(entry.mode for entry in measured))


def _block_row(run: Session, entry: Measured) -> dict[str, Any]:
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


def _note_warm_up(run: Session, entry: Measured) -> None:
    """Record how a mode was warmed up, and warn if that did not make it steady."""
    done, name = entry.warm_up, entry.mode.name
    row = run.mode_rows[name]  # of a run that is continued, it counts all that warmed it up
    blocks, seconds = (row["warmup_blocks"] or 0) + done.blocks, (row["warmup_s"] or 0.0) + done.seconds
    row.update(warmup_blocks=blocks, warmup_s=seconds, warmup_rule=done.rule)
    if done.rule == "time limit" and done.spread is not None:
        run.warn(
            f"{name}: after {done.seconds:.1f} s of warm-up its last {STEADY_BLOCKS} blocks still differed by "
            f"{done.spread:.0%} (steady is {run.config.steady:.0%}): end other work on this machine, or raise "
            "max_warmup_s"
        )


def _note_timed(run: Session, entry: Measured, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record what the harness itself took of a mode's blocks."""
    if rows:
        share = float(overhead_shares(pd.DataFrame(rows)).median())
        run.mode_rows[entry.mode.name].update(harness_overhead=share)


def _note_accuracy(run: Session, entry: Measured, rows: Sequence[Mapping[str, Any]]) -> None:
    """Record how many outputs of timed blocks differ from the reference's; a mode with any fails its comparison."""
    name, different = entry.mode.name, [row for row in rows if not row["equal"]]
    record = run.mode_rows[name]
    record.update(sampled=len(rows), sampled_different=len(different))
    if different:
        record["mismatches"] += len(different)
        first = different[0]
        run.warn(
            f"{name}: {len(different)} of {len(rows)} outputs drawn from timed blocks differ from the reference's, "
            f"first {first['program']} on {first['task']} {first['sample']} in block {first['block']}: do not trust "
            "its speed before that is explained"
        )


def _count_executions(run: Session, workload: Workload, excluded: frozenset[int], modes: Sequence[Mode]) -> None:
    """Count what compiled programs execute, on the host: no GPU may have counted what it is held to."""
    compiled = [mode for mode in modes if isinstance(mode, NativeMode)]
    if not compiled:
        return
    mode = min(compiled, key=lambda mode: mode.name != "native_cpu")  # the bytecode is the same in all of them
    try:
        with mode.host_engine() as engine:
            counted = list(count_native(engine, mode.handled(excluded)[1]))
    except NativeUnavailable as error:
        run.warn(f"{mode.name}: nobody counted what its programs execute, to compare it with: {error}")
        return
    run.folder.write_table("executions", [_execution_row(workload, mode.name, own) for own in counted])


def _profile(run: Session, job: Job, excluded: frozenset[int], costs: Sequence[float], modes: Sequence[Mode]) -> None:
    """Count and time the primitives of a few evaluations of each program, with the reference and in the machine."""
    workload = job.workload
    seen: Counter[int] = Counter()
    left_out = set(excluded)
    for evaluation, (program, _) in enumerate(workload.evaluations):
        if evaluation not in excluded:
            seen[program] += 1
            if seen[program] > _PROFILED_EVALUATIONS:
                left_out.add(evaluation)
    roughly_s = _PROFILED_SLOWER * sum(cost for e, cost in enumerate(costs) if e not in left_out)
    if not run.budget.allows(roughly_s):
        run.warn(f"Primitives were not counted: {run.budget.lack(roughly_s)}")
        return
    rows = _profile_reference(run, job, frozenset(left_out))
    for mode in modes:
        if isinstance(mode, NativeMode):
            try:
                found = list(profile_native(*mode.handled(left_out)))
            except DeviceError as error:
                run.warn(f"{mode.name}: primitives were not counted: {error}")
            else:
                rows += [_primitive_row(workload, mode.name, cost) for cost in found]
    run.folder.write_table("primitives", rows)


def _profile_reference(run: Session, job: Job, left_out: frozenset[int]) -> list[dict[str, Any]]:
    workload = job.workload
    span = Span(0, len(workload.evaluations), left_out)
    # Counting slows programs down several times over, so the limit on their time is raised with it.
    with WorkerPool(Job(workload, job.timeout_s * 10, job.memory_gb), 1) as pool:
        try:
            ((_, found),) = pool.map(profile, [span])
        except (EvaluationLost, WorkersDied) as lost:
            gone = lost.suspects if isinstance(lost, WorkersDied) else lost.args
            names = ", ".join(workload.label(evaluation) for evaluation in gone)
            run.warn(f"primitives were not counted: {names} did not finish; leave that program out")
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
