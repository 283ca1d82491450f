"""Kaggle's accelerators: the ids that ``kaggle kernels push --accelerator`` takes, and what a session has then.

Kaggle's API publishes no such list. One that comes is a row here, and a configuration with its id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.kaggle.errors import KaggleError
from harness.spelling import nearest

SESSION_S = 12 * 3600
"""Seconds after which Kaggle stops a session, at the most."""


@dataclass(frozen=True)
class Accelerator:
    """What a session with an accelerator has.

    Attributes:
        name: in words.
        devices: how many GPUs.
        pattern: a regular expression that NVML's name of each of them matches.
        note: what a user should know before asking for it; empty if nothing.
    """

    name: str
    devices: int
    pattern: str
    note: str = ""


ACCELERATORS: Mapping[str, Accelerator] = {
    "NvidiaL4": Accelerator("4 x L4", 4, r"\bL4\b"),
    "NvidiaL4X1": Accelerator("1 x L4", 1, r"\bL4\b"),
    "NvidiaTeslaT4": Accelerator("2 x T4", 2, r"\bT4\b"),
    "NvidiaTeslaP100": Accelerator(
        "1 x P100", 1, r"\bP100\b", "Kaggle has retired it, and may serve a T4 in its place; the run says what it got"
    ),
    "NvidiaH100": Accelerator("1 x H100", 1, r"\bH100\b"),
    "NvidiaRtxPro6000": Accelerator("1 x RTX PRO 6000", 1, r"\bRTX PRO 6000\b"),
}


def find_accelerator(identifier: str) -> Accelerator:
    """Return what Kaggle serves for an id.

    Raises:
        KaggleError: for an id that is not in the table.
    """
    try:
        return ACCELERATORS[identifier]
    except KeyError:
        raise KaggleError(
            f"accelerator: unknown id {identifier!r}{nearest(identifier, ACCELERATORS)}; "
            f"harness/kaggle/accelerators.py has {', '.join(ACCELERATORS)}"
        ) from None


def compare_devices(identifier: str | None, found: Sequence[str]) -> str:
    """Say what was asked for, and in which way a session has something else.

    Args:
        identifier: the accelerator that was asked for; None for none.
        found: NVML's names of the GPUs that are there.

    Returns:
        A line of text; it begins with ``WARNING`` if it is not what was asked for.
    """
    got = ", ".join(f"{found.count(name)} x {name}" for name in dict.fromkeys(found)) or "no GPU"
    if identifier is None:
        return f"no accelerator was asked for; there is {got}"
    if identifier not in ACCELERATORS:
        return f"WARNING: accelerator {identifier} is not known here; there is {got}"
    wanted = ACCELERATORS[identifier]
    fits = len(found) == wanted.devices and all(re.search(wanted.pattern, name) for name in found)
    if fits:
        return f"accelerator {identifier} ({wanted.name}): {got}"
    return f"WARNING: accelerator {identifier} is {wanted.name}, but there is {got}: figures are those of what is there"
