"""``python -m harness``."""

from harness.cli import main
from harness.entry import leave

if __name__ == "__main__":
    leave(main)
