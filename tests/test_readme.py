"""The README's Python runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_search_loop_runs_as_it_stands(tmp_path):
    section = (ROOT / "README.md").read_text().partition("## In a solver's search loop\n")[2]
    (code,) = re.findall(r"```python\n(.*?)```", section.partition("\n## ")[0], re.DOTALL)
    script = tmp_path / "search.py"
    script.write_text(code)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert re.fullmatch(
        r"harness.batt.solvers.tasks_0_to_3: \d+ evaluations, 0 of them by the reference\nsolved by\n"
        r"harness.batt.solvers.tasks_4_to_7: \d+ evaluations, 0 of them by the reference\nsolved by solve_67a3c6ac\n",
        done.stdout,
    ), done.stdout


def test_importing_the_package_imports_nothing_large():
    code = "import harness, sys; print(sorted({'numpy', 'pandas', 'harness.vm.engine'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
