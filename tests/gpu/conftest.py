"""What other tests know of operands and programs is of use here, too."""

from __future__ import annotations

import sys
from pathlib import Path

for _folder in ("vm", "run"):
    sys.path.append(str(Path(__file__).parents[1] / _folder))
