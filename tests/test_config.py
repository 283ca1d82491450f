"""A configuration is refused before anything runs, with every key that is wrong and what to write instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from harness.config import Config, ConfigError, make_config, parse_change, read_config, to_yaml

ROOT = Path(__file__).parent.parent
CONFIGS = ROOT / "configs"


def refused(**values) -> str:
    with pytest.raises(ConfigError) as caught:
        make_config(values, "here.yaml")
    message = str(caught.value)
    assert message.startswith("here.yaml: ")
    return message


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_configurations_are_good(path):
    config = read_config(path)
    assert config.name == path.stem


def test_there_are_shipped_configurations():
    assert {path.stem for path in CONFIGS.glob("*.yaml")} >= {"local", "l4x4", "t4x2", "p100", "h200"}


@pytest.mark.parametrize(
    ("name", "accelerator", "devices", "targets"),
    [
        ("l4x4", "NvidiaL4", ["NVIDIA L4"] * 4, (9.35, 35.0)),
        ("t4x2", "NvidiaTeslaT4", ["Tesla T4"] * 2, (9.69, 18.0)),
        ("p100", "NvidiaTeslaP100", ["Tesla P100-PCIE-16GB"], (7.64, None)),
        ("h200", None, ["NVIDIA H200"], (None, None)),
    ],
)
def test_what_runs_on_gpus_are_held_to(name, accelerator, devices, targets):
    config = read_config(CONFIGS / f"{name}.yaml")
    assert (config.accelerator, config.expected_devices) == (accelerator, devices)
    assert (config.speedup_minimum, config.speedup_target) == (5.0, 7.0)
    assert (config.speedup_stretch, config.speedup_all_target) == targets
    assert (config.min_gpu_utilization, config.target_gpu_utilization) == (0.5, 0.8)
    assert config.min_scaling_efficiency == 0.85
    assert {"sequential", "parallel_gpu"} <= set(config.modes)
    assert config.least_mode_s("parallel_gpu") == 5.0
    assert config.min_block_s >= 1.0  # NVML averages over up to 1 s


def test_every_key_is_documented_with_its_default():
    rows = re.findall(
        r"^\| `(\w+)` \| `(.*?)` \| (.*) \|$", (ROOT / "docs" / "configuration.md").read_text(), re.MULTILINE
    )
    documented = {key: (yaml.safe_load(default), meaning) for key, default, meaning in rows}
    defaults = Config().model_dump()
    assert documented == {k: (defaults[k], field.description) for k, field in Config.model_fields.items()}
    assert len(rows) == len(documented)


def test_the_least_time_of_a_mode_goes_by_its_class():
    config = make_config({}, "here")
    assert [config.least_mode_s(m) for m in ("sequential", "native_cpu", "eager_gpu")] == [0.0, 0.0, 5.0]
    assert make_config({"max_mode_s": 3.0}, "here").least_mode_s("parallel_gpu") == 3.0
    assert make_config({"min_mode_s": 2.0}, "here").least_mode_s("sequential") == 2.0
    assert make_config({"min_mode_s": 0.0}, "here").least_mode_s("parallel_gpu") == 0.0


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("sampels_per_task", "samples_per_task"),
        ("mode", "modes"),
        ("worker", "workers"),
        ("timeout_s", "program_timeout_s"),
        ("speedup_minimun", "speedup_minimum"),
        ("expected_device", "expected_devices"),
        ("min_gpu_utilisation", "min_gpu_utilization"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(key, nearest):
    message = refused(**{key: 1})
    assert f"unknown key {key!r}" in message
    assert nearest in message.partition("nearest: ")[2]


def test_an_unknown_key_that_is_like_none():
    assert refused(zzz=1) == "here.yaml: unknown key 'zzz'"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("samples_per_task", "3"),  # what papermill -p makes of it where it is not careful
        ("samples_per_task", True),
        ("samples_per_task", 2.0),
        ("samples_per_task", 0),
        ("workers", "null"),
        ("workers", -1),
        ("seed", 1.5),
        ("seed", None),
        ("program_timeout_s", "10"),
        ("program_timeout_s", 0),
        ("program_timeout_s", -1.0),
        ("program_timeout_s", 1e-9),  # a timer of no time at all never rings
        ("program_timeout_s", float("nan")),
        ("program_timeout_s", float("inf")),
        ("worker_memory_gb", 0.0),
        ("worker_memory_gb", float("inf")),
        ("min_block_s", True),
        ("confidence", 95),
        ("confidence", 0.5),
        ("profile", "yes"),
        ("profile", 1),
        ("modes", "sequential"),
        ("modes", []),
        ("programs", "solvers.py"),
        ("programs", []),
        ("programs", [1]),
        ("tasks", 0),
        ("tasks", "007bbfb7"),
        ("tasks", True),
        ("name", 3),
        ("name", "a/b"),
        ("name", ""),
        ("name", "-x"),
        ("data", None),
        ("min_mode_s", -1.0),
        ("accuracy_samples", -1),
        ("accuracy_samples", 1.5),
        ("min_gpu_utilization", 50),  # a percentage
        ("max_fallback_share", -0.1),
        ("speedup_minimum", 0.0),
        ("speedup_target", "7x"),
        ("expected_devices", "Tesla T4"),
        ("accelerator", 4),
        ("steady", 0.0),
    ],
)
def test_wrong_types_and_values(key, value):
    message = refused(**{key: value})
    assert key in message
    assert repr(value if key != "programs" or value != [1] else 1) in message


def test_types_that_fit():
    config = make_config({"program_timeout_s": 3, "tasks": 5, "samples_per_task": None}, "here")
    assert (config.program_timeout_s, config.tasks, config.samples_per_task) == (3.0, 5, None)
    assert make_config({"tasks": ["007bbfb7"]}, "here").tasks == ["007bbfb7"]


def test_numbers_that_yaml_takes_for_text():
    key, value = parse_change("precision=1e-9")
    assert "it is text: leave out quotes, and write 1.0e-9" in refused(**{key: value})
    assert refused(samples_per_task="3").endswith("it is text: leave out quotes")
    assert refused(seed="many").endswith("valid integer; it is text")
    assert make_config(dict([parse_change("precision=1.0e-9")]), "here").precision == 1e-9


def test_an_unknown_mode():
    message = refused(modes=["sequential", "paralel_cpu"])
    assert "unknown mode 'paralel_cpu'; nearest: parallel_cpu" in message
    assert "eager_gpu" in message


def test_impossible_combinations():
    assert "min_blocks (9) is above max_blocks (8)" in refused(min_blocks=9, max_blocks=8)
    assert "20 s, more than max_mode_s (10 s)" in refused(min_blocks=10, min_block_s=2.0, max_mode_s=10.0)
    assert "'sequential' is there twice" in refused(modes=["sequential", "parallel_cpu", "sequential"])
    assert "null means all" in refused(tasks=[])
    assert "min_mode_s (9 s) is above max_mode_s (8 s)" in refused(min_mode_s=9.0, max_mode_s=8.0)
    assert "min_gpu_utilization (0.9) is above target_gpu_utilization (0.8)" in refused(min_gpu_utilization=0.9)
    assert "speedup_minimum (8) is above speedup_stretch (7)" in refused(speedup_minimum=8.0, speedup_stretch=7.0)
    message = refused(speedup_all_minimum=3.0, speedup_all_target=2.0, speedup_all_stretch=1.0)
    assert "speedup_all_minimum (3) is above speedup_all_target (2)" in message
    assert "speedup_all_target (2) is above speedup_all_stretch (1)" in message
    assert "speedup_all_target" not in refused(speedup_minimum=8.0, speedup_target=7.0, speedup_all_target=6.0)


def test_all_problems_are_told_at_once():
    message = refused(sampels_per_task=3, workers="2", modes=["gpu"], seed=0)
    assert len(message.splitlines()) == 4
    assert all(word in message for word in ("sampels_per_task", "workers", "'gpu'"))
    message = refused(min_blocks=9, max_blocks=8, name="a b")
    assert "min_blocks" in message
    assert "'a b'" in message


def test_a_task_whose_name_yaml_takes_for_a_number(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("tasks: [25ff71a9, 00576224]\n")
    with pytest.raises(ConfigError, match="needs quotes"):
        read_config(path)
    path.write_text("tasks: [25ff71a9, '00576224']\n")
    assert read_config(path).tasks == ["25ff71a9", "00576224"]


def test_a_file_and_changes_to_it(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("seed: 1\nworkers: 3\n")
    config = read_config(path, {"workers": None, "samples_per_task": 4})
    assert (config.name, config.seed, config.workers, config.samples_per_task) == ("mine", 1, None, 4)
    path.write_text("")
    assert read_config(path) == Config(name="mine")


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"a: [1", "is not YAML"),
        (b"\xff\xfe\x00\x01", "is not YAML"),
        (b"- 1\n- 2\n", "holds list, not keys and values"),
        (b"just words", "holds str"),
        (b"1: 2\n", "1"),
        (b"modes:\n  sequential: true\n", "modes"),
    ],
)
def test_files_that_are_no_configuration(tmp_path, content, part):
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert str(path) in str(caught.value)
    assert part in str(caught.value)


def test_files_that_are_not_there(tmp_path):
    (tmp_path / "local.yaml").write_text("")
    with pytest.raises(ConfigError, match=r"cannot be read: No such file.*nearest: .*local\.yaml"):
        read_config(tmp_path / "locl.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_config(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(tmp_path / "gone" / "c.yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("workers=4", ("workers", 4)),
        ("workers=", ("workers", None)),
        ("workers=null", ("workers", None)),
        ("programs=[a.py, b.py:solve_x]", ("programs", ["a.py", "b.py:solve_x"])),
        ("data=kaggle:x/y=z", ("data", "kaggle:x/y=z")),
        (" seed = 1 ", ("seed", 1)),
        ("precision=0.5", ("precision", 0.5)),
        ("profile=false", ("profile", False)),
    ],
)
def test_changes(text, expected):
    assert parse_change(text) == expected


@pytest.mark.parametrize("text", ["workers", "workers=[1", "workers={"])
def test_changes_that_cannot_be_read(text):
    with pytest.raises(ConfigError, match="--set workers"):
        parse_change(text)


def test_a_configuration_as_run_is_read_again(tmp_path):
    config = make_config(
        {"name": "x", "tasks": ["00576224", "007bbfb7"], "workers": 3, "run_dir": str(tmp_path), "data": "é: #"}, "here"
    )
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml(config))
    assert read_config(path) == config.model_copy(update={"run_dir": None})
