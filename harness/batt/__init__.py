"""Programs: shipped solvers, batt modules, their generator and the loader of users' modules."""
