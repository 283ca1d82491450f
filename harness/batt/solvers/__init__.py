"""Solvers of ARC-AGI-1 training tasks, one function ``solve_<task>`` each, in modules by the task's first digits."""
