"""The shipped programs give the same under any hash seed, and however the sets inside them were built."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from dsl_strategies import rebuilt

SCRIPT = Path(__file__).with_name("solver_outcomes.py")
SAMPLES = 1
SHUFFLES = (1, 2)


def outcomes(shuffle: int, hash_seed: int) -> dict[str, list[str]]:
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    command = [sys.executable, str(SCRIPT), str(shuffle), str(SAMPLES)]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    found: dict[str, list[str]] = json.loads(finished.stdout)
    return found


@pytest.fixture(scope="module")
def expected() -> dict[str, list[str]]:
    return outcomes(shuffle=0, hash_seed=0)


def test_programs_run(expected: dict[str, list[str]]) -> None:
    assert sum("solve_" in name for name in expected) >= 120
    assert {"gpu_operations.py", "mega.py"} <= set(expected)
    failed = [name for name, results in expected.items() if any(result.startswith("failed") for result in results)]
    assert not failed


@pytest.mark.parametrize("shuffle", SHUFFLES)
def test_outcomes_depend_neither_on_hash_seed_nor_on_set_construction(
    shuffle: int, expected: dict[str, list[str]]
) -> None:
    found = outcomes(shuffle, hash_seed=shuffle)
    assert set(found) == set(expected)
    assert {name for name in expected if found[name] != expected[name]} == set()


def test_rebuilding_a_set_changes_the_order_in_which_it_is_walked() -> None:
    rng = random.Random(0)
    locations = frozenset((i, j) for i in range(5) for j in range(5))
    rebuilds = [rebuilt(locations, rng) for _ in range(20)]
    assert all(again == locations for again in rebuilds)
    assert len({tuple(again) for again in rebuilds}) > 5
    assert len({next(iter(again)) for again in rebuilds}) > 1
