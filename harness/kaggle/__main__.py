"""``python -m harness.kaggle build|upload|push|pull``; the Makefile's kaggle-... targets.

Exit codes are those of ``python -m harness``: 0 done; 1 not all is well; 2 what was asked for is wrong; 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.config import ConfigError, parse_change
from harness.entry import leave
from harness.kaggle.accelerators import SESSION_S
from harness.kaggle.build import build, dataset_folder, describe
from harness.kaggle.client import Client
from harness.kaggle.errors import KaggleError
from harness.kaggle.pull import pull
from harness.kaggle.push import push
from harness.kaggle.upload import upload

ROOT = Path(__file__).resolve().parents[2]


def main(words: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run a command and return its exit code.

    Args:
        words: the command line; ``sys.argv`` if None.
        root: the checkout.
    """
    arguments = _parser().parse_args(words)
    try:
        return int(arguments.command(arguments, root))
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KaggleError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m harness.kaggle", description="To Kaggle's GPUs, and back.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    building = commands.add_parser("build", help="fill the folder that becomes the dataset")
    building.set_defaults(command=_build)
    uploading = commands.add_parser("upload", help="build, and create the dataset or its next version")
    uploading.set_defaults(command=_upload)
    uploading.add_argument("--public", action="store_true", help="make a new dataset visible to all (default: private)")
    pushing = commands.add_parser("push", help="run the benchmark notebook on Kaggle")
    pushing.set_defaults(command=_push)
    pushing.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE", help="change a key")
    pushing.add_argument("--accelerator", metavar="ID", help="Kaggle's id (default: that of the configuration)")
    pushing.add_argument("--timeout", type=int, default=SESSION_S, help="seconds of the session (default: %(default)s)")
    pushing.add_argument("--notebook", default="benchmark", help="which notebook (default: %(default)s)")
    pulling = commands.add_parser("pull", help="wait for it, and bring its run back into results/")
    pulling.set_defaults(command=_pull)
    pulling.add_argument(
        "--wait", type=float, default=13 * 3600.0, help="seconds to wait at most (default: %(default)s)"
    )
    pulling.add_argument("--any-push", action="store_true", help="also the outputs of another push than the last one")
    for command in (pushing, pulling):
        command.add_argument("config", type=Path, help="a configuration, e.g. configs/l4x4.yaml")
    for command in (uploading, pushing, pulling):
        command.add_argument("--dry-run", action="store_true", help="print every step, and send nothing")
        command.add_argument("--tries", type=int, default=4, help="of what fails for a while (default: %(default)s)")
        command.add_argument("--pause", type=float, default=5.0, help="seconds before the second try (%(default)s)")
    for command in (uploading, pulling):
        command.add_argument(
            "--poll", type=float, default=15.0, help="seconds between questions (default: %(default)s)"
        )
    return parser


def _client(arguments: argparse.Namespace) -> Client:
    return Client(max(1, arguments.tries), max(0.0, arguments.pause), arguments.dry_run, say=_say)


def _say(line: str) -> None:
    print(line, flush=True)


def _build(_arguments: argparse.Namespace, root: Path) -> int:
    print(describe(build(root), dataset_folder(root)))
    return 0


def _upload(arguments: argparse.Namespace, root: Path) -> int:
    _build(arguments, root)
    dataset = upload(root, _client(arguments), arguments.public, max(0.1, arguments.poll))
    if not arguments.dry_run:
        print(f"uploaded {dataset}; next: make kaggle-push CONFIG=l4x4")
    return 0


def _push(arguments: argparse.Namespace, root: Path) -> int:
    changes = dict(parse_change(text) for text in arguments.changes)
    pushed = push(
        root,
        _client(arguments),
        arguments.config,
        changes,
        accelerator=arguments.accelerator,
        timeout_s=arguments.timeout,
        notebook=arguments.notebook,
    )
    if not arguments.dry_run:
        print(f"pushed {pushed.kernel}; next: make kaggle-pull CONFIG={arguments.config.stem}")
    return 0


def _pull(arguments: argparse.Namespace, root: Path) -> int:
    from harness.report import load_run, summary_lines  # noqa: PLC0415 - plots are slow to import

    client = _client(arguments)
    pulled = pull(
        root,
        client,
        arguments.config.stem,
        poll_s=max(0.1, arguments.poll),
        wait_s=arguments.wait,
        any_push=arguments.any_push,
    )
    for folder in pulled.folders:
        print("\n".join(summary_lines(load_run(folder))))
    for problem in pulled.problems:
        print(f"error: {problem}", file=sys.stderr)
    return 1 if pulled.problems else 0


if __name__ == "__main__":
    leave(main)
