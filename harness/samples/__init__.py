"""Samples: tasks from data sources, checked before anything runs, and augmentation."""

from harness.samples.augment import SYMMETRIES, expand, transform
from harness.samples.model import Sample, Task
from harness.samples.problems import BadDataError
from harness.samples.sources import load_tasks

__all__ = ["BadDataError", "SYMMETRIES", "Sample", "Task", "expand", "load_tasks", "transform"]
