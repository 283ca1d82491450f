"""Runs: modes, the pool of worker processes, calibration, and the journal of what was measured."""
