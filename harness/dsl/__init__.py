"""The reference semantics of the ARC-DSL, in plain Python: primitives, constants and types.

``from harness.dsl import *`` gives what solver modules expect of ``from dsl import *``, the batt dialect included.
"""

from __future__ import annotations

from typing import Any

from harness.dsl import constants, types
from harness.dsl.colours import *
from harness.dsl.components import *
from harness.dsl.constants import *
from harness.dsl.containers import *
from harness.dsl.dialect import *
from harness.dsl.functions import *
from harness.dsl.grids import *
from harness.dsl.numbers import *
from harness.dsl.patches import *
from harness.dsl.table import ALIASES, ALL
from harness.dsl.types import *

PROGRAM_NAMESPACE: dict[str, Any] = {
    **{name: getattr(types, name) for name in types.__all__},
    **{name: getattr(constants, name) for name in constants.__all__},
    **{name: row.function for name, row in ALL.items()},
    **{alias: ALL[name].function for alias, name in ALIASES.items()},
}
"""Every name that a program may use, and its value."""

globals().update({alias: ALL[name].function for alias, name in ALIASES.items()})

__all__ = [*PROGRAM_NAMESPACE]  # noqa: PLE0604 - a list of str, made from the dictionary's keys
