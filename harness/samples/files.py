"""Tasks from JSON files: one task, many, a competition's challenges with their solutions, or a folder."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.dsl.types import Grid
from harness.samples.model import Sample, Task
from harness.samples.problems import Problems
from harness.samples.validate import object_from_pairs, parse_grid, parse_task, report_repeated, shown

CHALLENGES = "_challenges.json"
SOLUTIONS = "_solutions.json"


def read_folder(folder: Path, problems: Problems) -> dict[str, Task]:
    """The tasks of a folder that holds one JSON file for each; the file's stem names the task."""
    paths = sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))
    if not paths:
        inside = sorted(path.name for path in folder.iterdir() if path.is_dir())
        hint = f"; it has folders, name one of them: {', '.join(inside)}" if inside else ""
        problems.add(str(folder), f"no *.json file in this folder{hint}")
    tasks = {}
    for path in paths:
        content = read_json(path, problems)
        if content is None:
            continue
        if isinstance(content, list) or _is_task(content):
            tasks[path.stem] = parse_task(content, path.stem, str(path), problems)
        else:
            what = "is not one task, as each file of a folder must be; if it holds many, name the file as the source"
            problems.add(str(path), what)
    return tasks


def read_file(path: Path, problems: Problems) -> dict[str, Task]:
    """The tasks of one JSON file, whose form is told by its content.

    It holds a task, a list of examples, or by name several of either. Of a file ``*_challenges.json`` the outputs of
    test examples are taken from the file ``*_solutions.json`` beside it; where that is not there and the name says
    that this is a competition's test split, they are None.
    """
    content = read_json(path, problems)
    if content is None:
        return {}
    if isinstance(content, list) or _is_task(content):
        return {path.stem: parse_task(content, path.stem, str(path), problems)}
    report_repeated(content, str(path), problems)
    if not content:
        problems.add(str(path), "no task in this file")
    if _is_solutions(content):
        problems.add(str(path), f"holds solutions without tasks; name its *{CHALLENGES} as the source")
        return {}
    if path.name.endswith(CHALLENGES):
        return _read_challenges(path, content, problems)
    return {name: parse_task(value, name, str(path), problems) for name, value in content.items()}


def read_json(path: Path, problems: Problems) -> list[Any] | dict[str, Any] | None:
    """The content of a JSON file that holds an object or a list; None, and a problem noted, if it does not."""
    try:
        text = path.read_text("utf-8-sig")
        content = json.loads(text, object_pairs_hook=object_from_pairs)
    except OSError as error:
        problems.add(str(path), f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        problems.add(str(path), f"not UTF-8 text: {error.reason} at byte {error.start}")
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        hint = "; the file ends too early, was it truncated?" if cut else ""
        problems.add(f"{path}: line {error.lineno}, column {error.colno}", f"not valid JSON: {error.msg}{hint}")
    except (ValueError, RecursionError) as error:  # an integer of thousands of digits; thousands of brackets
        problems.add(str(path), f"not JSON that can be read: {error}")
    else:
        if isinstance(content, list | dict):
            return content
        problems.add(str(path), f"expected tasks, this is {shown(content)}")
    return None


def _is_task(content: dict[str, Any]) -> bool:
    """Whether an object is a task, if only in part, and not tasks by name."""
    return isinstance(content.get("train"), list) or isinstance(content.get("test"), list)


def _is_solutions(content: dict[str, Any]) -> bool:
    """Whether an object holds lists of grids, not of examples, by task."""
    return bool(content) and all(
        isinstance(value, list) and value and all(isinstance(item, list) for item in value)
        for value in content.values()
    )


def _read_challenges(path: Path, content: dict[str, Any], problems: Problems) -> dict[str, Task]:
    beside = path.with_name(path.name.removesuffix(CHALLENGES) + SOLUTIONS)
    tasks = {name: parse_task(value, name, str(path), problems, needs_output=False) for name, value in content.items()}
    if beside.exists():
        return _with_solutions(tasks, path, beside, problems)
    if not path.name.endswith(f"test{CHALLENGES}"):
        for name, task in tasks.items():
            if any(sample.output is None for sample in task.test):
                problems.add(f"{path}: task {name}", f"no solution: there is no {beside.name} beside this file")
    return tasks


def _with_solutions(tasks: dict[str, Task], path: Path, beside: Path, problems: Problems) -> dict[str, Task]:
    """The tasks with the outputs that the file ``beside`` has for their tests; it may have those of other tasks too."""
    content = read_json(beside, problems)
    if content is None:
        return {}
    if isinstance(content, list):
        problems.add(str(beside), "expected lists of grids by task, this is a list")
        return {}
    report_repeated(content, str(beside), problems)
    solved = {}
    for name, task in tasks.items():
        if name not in content:
            problems.add(f"{path}: task {name}", f"no solution in {beside}")
            continue
        where = f"{beside}: task {name}"
        solutions = content[name]
        if not isinstance(solutions, list):
            problems.add(where, f"expected a list of grids, this is {shown(solutions)}")
            continue
        if len(solutions) != len(task.test):
            problems.add(where, f"solutions: {len(solutions)}, but test inputs in {path.name}: {len(task.test)}")
        outputs = [parse_grid(value, f"{where}, solution[{k}]", problems) for k, value in enumerate(solutions)]
        pairs = zip(task.test, outputs, strict=False)
        solved[name] = replace(task, test=tuple(_solve(sample, output, path, problems) for sample, output in pairs))
    return solved


def _solve(sample: Sample, solution: Grid | None, path: Path, problems: Problems) -> Sample:
    if sample.output is not None and solution is not None and sample.output != solution:
        problems.add(f"{path}: task {sample.task}, {sample.name}.output", "differs from the solutions file")
    return replace(sample, output=solution)
