"""Benchmark ARC-DSL programs: sequential, parallel CPU and parallel GPU, with proof of what ran where."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.report.results import load_results
    from harness.vm.engine import Engine

__version__ = "0.1.0"
__all__ = ["Engine", "load_results"]


def __getattr__(name: str) -> Any:
    """Import what is large only where it is used."""
    if name == "Engine":
        from harness.vm.engine import Engine  # noqa: PLC0415

        return Engine
    if name == "load_results":
        from harness.report.results import load_results  # noqa: PLC0415

        return load_results
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
