"""Benchmark ARC-DSL programs: sequential, parallel CPU and parallel GPU, with proof of what ran where."""

__version__ = "0.1.0"
