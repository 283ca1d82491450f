"""Bad data is refused, and the message says where it is and what is wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.samples import BadDataError, load_tasks

GOOD = [[1, 2, 3], [4, 5, 6]]


def example(grid: Any = GOOD) -> dict[str, Any]:
    return {"input": GOOD, "output": grid}


def task_with(grid: Any) -> dict[str, Any]:
    """A task whose third train output is the grid."""
    return {"train": [example(), example(), example(grid)], "test": [example()]}


def message_of(path: Path) -> str:
    with pytest.raises(BadDataError) as error:
        load_tasks(str(path))
    return str(error.value)


def refuse(tmp_path: Path, content: Any, name: str = "tasks.json") -> str:
    """The message about the content, after the folder's path."""
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return message_of(path).replace(f"{tmp_path}{os.sep}", "")


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ([[0] * 9] * 3 + [[0] * 7], ", row 3: 7 columns, row 0 has 9"),
        ([[0], [0, 0]], ", row 1: 2 columns, row 0 has 1"),
        ([[0, 1], [2, 10]], ", row 1, column 1: 10 is not a colour, which are 0-9"),
        ([[0, -1]], ", row 0, column 1: -1 is not a colour, which are 0-9"),
        ([[0, 1.0]], ", row 0, column 1: 1.0 is not an integer"),
        ([[True, 0]], ", row 0, column 0: true is not an integer"),
        ([[0, None]], ", row 0, column 1: null is not an integer"),
        ([["0"]], ', row 0, column 0: "0" is not an integer'),
        ([[float("nan")]], ", row 0, column 0: NaN is not an integer"),
        ([[[0]]], ", row 0, column 0: a list of length 1 is not an integer"),
        ([[0], "0"], ', row 1: a row is a list of colours, this is "0"'),
        ([0, 1], None),
        ([], ": the grid is empty"),
        ([[]], ": the grid is empty"),
        ([[], []], None),
        ([[0], []], ", row 1: the row is empty"),
        ([[0]] * 31, ": 31 rows, at most 30 are allowed"),
        ([[0] * 31], ", row 0: 31 columns, at most 30 are allowed"),
        (None, ": a grid is a list of rows, this is null"),
        ({"rows": []}, ": a grid is a list of rows, this is an object"),
        ("0 1" * 50, f': a grid is a list of rows, this is "{("0 1" * 50)[:36]}...'),
    ],
)
def test_bad_grids(grid: Any, message: str | None, tmp_path: Path) -> None:
    where = "tasks.json: task 00ab, train[2].output"
    found = refuse(tmp_path, {"0099": task_with(GOOD), "00ab": task_with(grid)})
    if message is not None:
        assert found == where + message
    else:  # two bad rows are two problems
        assert found.splitlines()[0] == "2 problems in the data:"
        for i, line in enumerate(found.splitlines()[1:]):
            assert line.startswith(f"  {where}, row {i}: ")


def test_largest_grid_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "tasks.json").write_text(json.dumps({"00ab": task_with([[9] * 30] * 30)}))
    assert load_tasks("tasks.json", tmp_path)["00ab"].train[2].output == ((9,) * 30,) * 30


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"train": [example()]}, "task tasks: key 'test' is missing"),
        ({"test": [example()]}, "task tasks: key 'train' is missing"),
        ({"a": {"train": [example()]}}, "task a: key 'test' is missing"),
        ({"a": {}, "b": task_with(GOOD)}, None),
        ({"train": [{"input": GOOD}], "test": []}, "task tasks, train[0]: key 'output' is missing"),
        ({"train": [{"output": GOOD}], "test": []}, "task tasks, train[0]: key 'input' is missing"),
        ({"train": [], "test": [example(), {"input": GOOD}]}, "task tasks, test[1]: key 'output' is missing"),
        ({"a": [example(), {"output": GOOD}]}, "task a, train[1]: key 'input' is missing"),
        ([example(), GOOD], "task tasks, train[1]: an example is"),
        ({"train": [example()], "test": 3}, "task tasks, test: expected a list of examples, this is 3"),
        ({"a": 3}, "task a: a task is an object with train and test, or a list of examples; this is 3"),
        ({"train": [], "test": []}, "task tasks: the task has no examples"),
        ({"a": [], "b": [example()]}, "task a: the task has no examples"),
        ([], "task tasks: the task has no examples"),
        ({}, "no task in this file"),
        ("3", "expected tasks, this is 3"),
        ("null", "expected tasks, this is null"),
        ({"a": [GOOD]}, "holds solutions without tasks; name its *_challenges.json as the source"),
    ],
)
def test_bad_structure(content: Any, message: str | None, tmp_path: Path) -> None:
    found = refuse(tmp_path, content)
    if message is not None:
        assert found.startswith(f"tasks.json: {message}")
    else:
        assert found.splitlines() == [
            "2 problems in the data:",
            "  tasks.json: task a: key 'train' is missing",
            "  tasks.json: task a: key 'test' is missing",
        ]


def test_file_truncated_anywhere(tmp_path: Path) -> None:
    text = json.dumps({"00ab": task_with(GOOD)}, indent=1)
    for cut in range(len(text)):
        found = refuse(tmp_path, text[:cut])
        match = re.match(r"tasks\.json: line (\d+), column (\d+): not valid JSON: ", found)
        assert match
        line, column = map(int, match.groups())
        assert text[:cut].count("\n") + 1 - line in (0, 1)  # where the file ends, or where a string began
        assert 1 <= column <= len(text.splitlines()[line - 1]) + 1
        assert found.endswith("the file ends too early, was it truncated?")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1: not valid JSON: Expecting value; the file ends too early, was it truncated?"),
        ('{"a": [{"inp', "line 1, column 9: not valid JSON: Unterminated string starting at; the file ends too early"),
        ('{"a":\n [1,\n 2 3]}', "line 3, column 4: not valid JSON: Expecting ',' delimiter"),
        ('{"a": ' + "[" * 100_000, "not JSON that can be read: "),
        ('{"a": ' + "1" * 5000 + "}", "not JSON that can be read: "),
    ],
)
def test_not_json(text: str, message: str, tmp_path: Path) -> None:
    found = refuse(tmp_path, text)
    assert found.startswith(f"tasks.json: {message}")
    assert len(found) < 300


def test_not_text(tmp_path: Path) -> None:
    (tmp_path / "tasks.json").write_bytes(b'{"a": "\xff"}')
    assert message_of(tmp_path / "tasks.json").endswith("tasks.json: not UTF-8 text: invalid start byte at byte 7")


def test_repeated_names(tmp_path: Path) -> None:
    task = json.dumps(task_with(GOOD))
    assert refuse(tmp_path, f'{{"a": {task}, "b": {task}, "a": {task}}}') == (
        "tasks.json: key 'a' is given more than once"
    )
    one = json.dumps(example())
    assert refuse(tmp_path, f'{{"train": [{one}], "test": [], "train": [{one}]}}') == (
        "tasks.json: task tasks: key 'train' is given more than once"
    )
    assert refuse(tmp_path, '[{"input": [[1]], "output": [[1]], "output": [[2]]}]') == (
        "tasks.json: task tasks, train[0]: key 'output' is given more than once"
    )


CHALLENGES = {
    "a": {"train": [example()], "test": [{"input": GOOD}, {"input": GOOD}]},
    "b": {"train": [example()], "test": [{"input": GOOD}]},
}


@pytest.mark.parametrize(
    ("solutions", "message"),
    [
        ({"a": [GOOD, GOOD]}, "x_challenges.json: task b: no solution in x_solutions.json"),
        (
            {"a": [GOOD], "b": [GOOD]},
            "x_solutions.json: task a: solutions: 1, but test inputs in x_challenges.json: 2",
        ),
        ({"a": [GOOD, [[1], [2, 3]]], "b": [GOOD]}, "x_solutions.json: task a, solution[1], row 1: 2 columns, "),
        ({"a": [GOOD, GOOD], "b": GOOD[0]}, None),
        ({"a": [GOOD, GOOD], "b": 4}, "x_solutions.json: task b: expected a list of grids, this is 4"),
        ([GOOD], "x_solutions.json: expected lists of grids by task, this is a list"),
        ('{"a": [], "a": [[[1]], [[1]]], "b": [[[1]]]}', "x_solutions.json: key 'a' is given more than once"),
        ('{"a": [', "x_solutions.json: line 1, column 8: not valid JSON"),
    ],
)
def test_bad_solutions(solutions: Any, message: str | None, tmp_path: Path) -> None:
    path = tmp_path / "x_solutions.json"
    path.write_text(solutions if isinstance(solutions, str) else json.dumps(solutions))
    found = refuse(tmp_path, CHALLENGES, "x_challenges.json")
    if message is not None:
        assert found.startswith(message)
    else:
        assert "x_solutions.json: task b: solutions: 3, but test inputs in x_challenges.json: 1" in found
        assert "x_solutions.json: task b, solution[2]: a grid is a list of rows, this is 3" in found


def test_no_solutions_file(tmp_path: Path) -> None:
    assert refuse(tmp_path, CHALLENGES, "x_challenges.json").splitlines() == [
        "2 problems in the data:",
        "  x_challenges.json: task a: no solution: there is no x_solutions.json beside this file",
        "  x_challenges.json: task b: no solution: there is no x_solutions.json beside this file",
    ]


def test_outputs_that_differ_from_the_solutions(tmp_path: Path) -> None:
    (tmp_path / "x_solutions.json").write_text(json.dumps({"a": [GOOD]}))
    challenges = {"a": {"train": [example()], "test": [example([[1]])]}}
    assert refuse(tmp_path, challenges, "x_challenges.json") == (
        "x_challenges.json: task a, test[0].output: differs from the solutions file"
    )


def test_bad_test_input_beside_good_solutions_is_the_only_problem(tmp_path: Path) -> None:
    (tmp_path / "x_solutions.json").write_text(json.dumps({"a": [GOOD, GOOD], "b": [GOOD]}))
    challenges = {**CHALLENGES, "b": {"train": [example()], "test": [{"input": [[11]]}]}}
    assert refuse(tmp_path, challenges, "x_challenges.json").startswith("x_challenges.json: task b, test[0].input, ")


def test_problems_are_collected(tmp_path: Path) -> None:
    bad = {f"{n:02}": task_with([[10, 11]]) for n in range(12)}
    lines = refuse(tmp_path, bad).splitlines()
    assert lines[0] == "24 problems in the data:"
    assert lines[1] == "  tasks.json: task 00, train[2].output, row 0, column 0: 10 is not a colour, which are 0-9"
    assert lines[20].startswith("  tasks.json: task 09, train[2].output, row 0, column 1: ")
    assert lines[21:] == ["  and 4 more"]


def test_twenty_problems_are_all_listed(tmp_path: Path) -> None:
    lines = refuse(tmp_path, {"a": task_with([[10] * 20])}).splitlines()
    assert len(lines) == 21
    assert "row 0, column 19" in lines[-1]


def test_problems_of_all_files_of_a_folder_are_collected(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"train": [')
    (tmp_path / "b.json").write_text(json.dumps(task_with(GOOD)))
    (tmp_path / "c.json").write_text(json.dumps(task_with([[12]])))
    lines = message_of(tmp_path).splitlines()
    assert lines[0] == "2 problems in the data:"
    assert lines[1].startswith(f"  {tmp_path / 'a.json'}: line 1, column ")
    assert lines[2] == (
        f"  {tmp_path / 'c.json'}: task c, train[2].output, row 0, column 0: 12 is not a colour, which are 0-9"
    )


def test_empty_folder(tmp_path: Path) -> None:
    assert message_of(tmp_path) == f"{tmp_path}: no *.json file in this folder"


def test_file_not_found_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "00ab.json").write_text(json.dumps(task_with(GOOD)))
    found = message_of(tmp_path / "trainig" / "00ab.json")
    assert found == f"{tmp_path / 'trainig' / '00ab.json'}: no such file or folder; nearest: training"
    assert message_of(tmp_path / "training" / "00ba.json").endswith("; nearest: 00ab.json")
    assert message_of(tmp_path / "training" / "00ab.json" / "x").endswith("x: no such file or folder")


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    assert message_of(tmp_path) == f"{tmp_path / 'a.json'}: cannot be read: Is a directory"


def test_message_is_the_last_line_of_a_program_that_stops(tmp_path: Path) -> None:
    (tmp_path / "tasks.json").write_text(json.dumps({"00ab": task_with([[10]])}))
    code = "from harness.samples import load_tasks; load_tasks('tasks.json')"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "harness.samples.problems.BadDataError: "
        "tasks.json: task 00ab, train[2].output, row 0, column 0: 10 is not a colour, which are 0-9"
    )
