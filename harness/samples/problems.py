"""What is wrong with data: collected first, so that one message tells all of it."""

from __future__ import annotations

from dataclasses import dataclass, field

SHOWN = 20
"""How many problems a message lists before it only counts them."""


class BadDataError(ValueError):
    """Data that no program may run on; the message names file, task and position of each problem."""


@dataclass
class Problems:
    """The problems of one data source, in the order in which they were found.

    Attributes:
        shown: the first of them, ``SHOWN`` at most.
        count: how many there are.
    """

    shown: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, where: str, what: str) -> None:
        """Note a problem: ``where`` is file, task and position, ``what`` is wrong there."""
        self.count += 1
        if self.count <= SHOWN:
            self.shown.append(f"{where}: {what}")

    def refuse(self) -> None:
        """Raise if there is a problem.

        Raises:
            BadDataError: lists the first ``SHOWN`` problems, and counts the others.
        """
        if not self.count:
            return
        if self.count == 1:
            raise BadDataError(self.shown[0])
        more = [f"and {self.count - SHOWN} more"] if self.count > SHOWN else []
        raise BadDataError("\n  ".join([f"{self.count} problems in the data:", *self.shown, *more]))
