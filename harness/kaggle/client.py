"""The official ``kaggle`` command line, run as a process, and not believed: its exit code is 0 for many failures.

What it prints is looked through instead. The patterns are of release 2.2.4 (``kaggle/api/kaggle_api_extended.py``).
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from harness.kaggle.errors import KaggleError

T = TypeVar("T")

_TRANSIENT = re.compile(
    r"\b(?:429|500|502|503|504)\b.*Error|Internal Server Error|Internal error|Bad Gateway|Service Unavailable"
    r"|Gateway Time-?out|Too Many Requests|Max retries exceeded|Connection (?:aborted|refused|reset)|ConnectionError"
    r"|ConnectTimeout|ReadTimeout|timed out|RemoteDisconnected|IncompleteRead|ChunkedEncodingError|ProtocolError"
    r"|temporarily unavailable",
    re.IGNORECASE,
)
_NO_TOKEN = re.compile(r"Authentication required|401 Client Error|Unauthorized|Unauthenticated|Invalid credentials")
_TOO_OLD = re.compile(r"error: (?:unrecognized arguments|argument \S+: invalid choice).*")

_FAILURES = (
    re.compile(r"Dataset (?:version )?creation error: .*"),
    re.compile(r"Skipping(?: folder)?: .*"),
    re.compile(r"Kernel push error: .*"),
    re.compile(r"The following are not valid .*", re.DOTALL),
    re.compile(r"^User cancelled operation", re.MULTILINE),
)
"""What it prints with exit code 0 that is a failure all the same."""

_CUT_UPLOAD = re.compile(r"Upload unsuccessful: .*")
"""The same, but the next try may succeed; until then the dataset is there without the file."""


class TransientError(KaggleError):
    """A failure that may be gone at the next try."""


class RefusedError(KaggleError):
    """Kaggle's answer is no, and would be no again."""


@dataclass
class Client:
    """Runs ``kaggle`` commands.

    Attributes:
        tries: how often a command is tried that fails for what may pass.
        pause_s: seconds before the second try; then twice as many each time.
        dry_run: print what would be sent, and send nothing.
        environment: what is changed in the environment of the command.
        say: prints a line.
    """

    tries: int = 4
    pause_s: float = 5.0
    dry_run: bool = False
    environment: Mapping[str, str] | None = None
    say: Callable[[str], None] = print

    def run(self, *words: str, echo: bool = False, environment: Mapping[str, str] | None = None) -> str:
        """Run a command once and return what it printed to its standard output.

        Args:
            words: the command line, after ``kaggle``.
            echo: pass on what it prints, as it comes.
            environment: changes to the environment, for this command.

        Raises:
            TransientError: if the same command may succeed later.
            RefusedError: if Kaggle, or the command line, refuses.
            KaggleError: if there is no token, or no such command line.
        """
        command = [sys.executable, "-W", "ignore", "-m", "kaggle", "-W", *words]
        shown = shlex.join(["kaggle", *words])
        inherited = {name: value for name, value in os.environ.items() if name not in ("VERBOSE", "VERBOSE_OUTPUT")}
        changed = {**inherited, "PYTHONUNBUFFERED": "1", **(self.environment or {}), **(environment or {})}
        with tempfile.TemporaryFile(mode="w+", encoding="utf-8") as errors:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=changed, text=True,
                errors="replace",
            )  # fmt: skip
            try:
                assert process.stdout is not None
                lines = []
                for line in process.stdout:
                    lines.append(line)
                    if echo and line.strip():
                        self.say(f"  {line.rstrip()}")
                code = process.wait()
            except BaseException:  # Ctrl-C: it does not go on alone
                process.terminate()
                process.wait()
                raise
            errors.seek(0)
            said = errors.read()
        output = "".join(lines)
        _judge(shown, code, output, said)
        return output

    def ask(self, *words: str) -> str:
        """Run a command that changes nothing, again while it fails for what may pass; return what it printed.

        Raises:
            KaggleError: as ``run``, of the last try.
        """
        return self.retry(lambda: self.run(*words))

    def retry(self, step: Callable[[], T]) -> T:
        """Take a step, again while it raises TransientError, ``tries`` times at most.

        Raises:
            TransientError: that of the last try.
        """
        for number in range(1, self.tries):
            try:
                return step()
            except TransientError as error:
                pause = self.pause_s * 2 ** (number - 1)
                self.say(f"  {error}")
                self.say(f"  trying again in {pause:g} s ({number} of {self.tries - 1})")
                time.sleep(pause)
        return step()

    def owner(self) -> str:
        """Return the name of the user whose token the command line finds.

        Raises:
            KaggleError: if it finds none.
        """
        found = re.search(r"^- username: (\S+)$", self.ask("config", "view"), re.MULTILINE)
        if found is None or found[1] == "None":
            raise KaggleError(f"no token of a Kaggle user was found; {HOW_TO_GET_A_TOKEN}")
        return found[1]


HOW_TO_GET_A_TOKEN = (
    "make one at Settings, API of your Kaggle account, and put it in ~/.kaggle/access_token, or in the environment "
    "variable KAGGLE_API_TOKEN; or log in with: .venv/bin/kaggle auth login"
)


def _judge(shown: str, code: int, output: str, said: str) -> None:
    """Raise what a command's words, and its exit code, come to."""
    everything = f"{output}\n{said}"
    last = _last_words(said) or _last_words(output)
    if _TOO_OLD.search(said):
        raise KaggleError(f"{shown}: {last}; this kaggle is too old: .venv/bin/pip install -c constraints.txt kaggle")
    if "No module named kaggle" in said:
        raise KaggleError("the kaggle command line is not installed; run: make setup")
    if code and _NO_TOKEN.search(everything):
        raise KaggleError(f"{shown}: Kaggle does not know this token, or there is none; {HOW_TO_GET_A_TOKEN}")
    cut = _CUT_UPLOAD.findall(output)
    if cut:
        raise TransientError(f"{shown}: {'; '.join(cut)}")
    failures = [found[0].strip() for pattern in _FAILURES for found in pattern.finditer(output)]
    if failures:
        text = "; ".join(failures)
        raise (TransientError if _TRANSIENT.search(everything) else RefusedError)(f"{shown}: {text}")
    if code:
        raise (TransientError if _TRANSIENT.search(everything) else RefusedError)(f"{shown}: {last or f'exit {code}'}")


def _last_words(text: str) -> str:
    """Return the last line that says something: of a traceback the one that says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def command_line(*words: str) -> str:
    """Return a command as it would be typed, for ``--dry-run``."""
    return shlex.join([".venv/bin/kaggle", *words])


def state_folder(root: Path) -> Path:
    """Return where this repository keeps what is under way with Kaggle; git does not see it."""
    return root / "build" / "kaggle"
