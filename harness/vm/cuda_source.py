"""The CUDA source of the virtual machine as one string, since NVRTC has no file system to include from."""

from __future__ import annotations

import re
from functools import cache

from harness.vm.build import SOURCES

KERNELS = "kernels.cu"
_INCLUDE = re.compile(r'^#include "([^"]+)"$', re.MULTILINE)


@cache
def amalgamated(name: str = KERNELS) -> str:
    """Return a source of ``src/`` with what it includes by ``#include "..."`` put in its place.

    A file that says ``#pragma once`` is put in once; others, such as the table of opcodes, wherever they are included.
    Includes between ``<>`` stay.
    """
    seen: set[str] = set()

    def expand(path: str) -> str:
        text = (SOURCES / path).read_text(encoding="utf-8")
        if "#pragma once" in text:
            if path in seen:
                return ""
            seen.add(path)
            text = text.replace("#pragma once\n", "")
        return _INCLUDE.sub(lambda found: expand(found[1]), text)

    return expand(name)
