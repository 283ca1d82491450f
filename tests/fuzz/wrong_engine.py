"""An engine that is wrong on purpose: what finds and shrinks differences has to notice."""

from __future__ import annotations

from typing import Any

from harness import Engine
from harness.vm.engine import Evaluation
from harness.vm.native import FAILED, OK


class _Wrong(Evaluation):
    """Takes every value that is a set of two elements or more for one without its least element."""

    def output(self, pair: int) -> Any:
        value = super().output(pair)
        return frozenset(sorted(value, key=repr)[1:]) if isinstance(value, frozenset) and len(value) > 1 else value


class WrongEngine(Engine):
    """Its sets lack an element."""

    def evaluate(self, *args: Any, **kwargs: Any) -> Evaluation:
        found = super().evaluate(*args, **kwargs)
        found.__class__ = _Wrong
        return found


class NeverFails(Engine):
    """Its programs succeed, with the input, where they should fail."""

    def evaluate(self, *args: Any, **kwargs: Any) -> Evaluation:
        found = super().evaluate(*args, **kwargs)
        for pair in (found.status == FAILED).nonzero()[0].tolist():
            found.status[pair] = OK
            found._by_reference[pair] = self.samples[int(found.samples[pair])].input
        return found
