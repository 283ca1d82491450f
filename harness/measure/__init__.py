"""Measuring: clocks, statistics, counting of primitives, and what was measured on."""
