"""What the compiler refuses."""

from __future__ import annotations


class Untraceable(Exception):
    """A program that cannot be compiled, and is to be run by the reference.

    Attributes:
        what: what it does that cannot be traced.
        file: of the program's source; empty where no line of it is to blame.
        line: in that file, from 1; 0 where there is none.
    """

    def __init__(self, what: str, file: str = "", line: int = 0) -> None:
        super().__init__(f"{file}:{line}: {what}" if file else what)
        self.what, self.file, self.line = what, file, line
