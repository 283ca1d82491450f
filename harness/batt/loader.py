"""Load programs from a user's modules, which run unchanged.

A module written for the public ARC-DSL or for the batt dialect says ``from dsl import *``, ``from constants import *``,
``from arc_types import *`` or ``from pile import *``. Here each module is executed with an import function of its own
that answers these names with our DSL; ``sys.modules`` is never touched, so nobody else sees it.
"""

from __future__ import annotations

import builtins
import importlib.util
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, Literal

from harness.dsl import PROGRAM_NAMESPACE, constants, types
from harness.spelling import nearest

Kind = Literal["solver", "batt"]
SOLVER_PREFIXES = ("solve_", "verify_")
BATT_PARAMETERS = 5  # task_id, S, I, C, log_path
_WHOLE_DSL = ("dsl", "pile", "harness.dsl")
_PARTS: dict[str, Sequence[str]] = {"constants": constants.__all__, "arc_types": types.__all__}
OUR_MODULES = (*_WHOLE_DSL, *_PARTS)


class LoadError(Exception):
    """A module that cannot be found, read or executed; the message says where and why."""


@dataclass(frozen=True)
class Program:
    """A program of a module.

    Attributes:
        name: of the function, e.g. ``solve_007bbfb7`` or ``batt``.
        module: the reference by which its module was loaded; loading it again gives the same program.
        kind: ``solver`` (grid in, grid out) or ``batt``.
        task: the task that a solver is for; None for a batt.
        function: what to call.
        tasks: the tasks that a batt says it is for (its module's ``TASKS``); empty where it does not say.
    """

    name: str
    module: str
    kind: Kind
    task: str | None
    function: FunctionType
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rejected:
    """A module, or a function in it, that cannot be run.

    Attributes:
        module: reference of the module.
        name: of the function; empty if the whole module is rejected.
        status: ``import_failed`` or ``no_program``.
        detail: what is wrong and where.
    """

    module: str
    name: str
    status: Literal["import_failed", "no_program"]
    detail: str


def load_programs(
    references: Iterable[str], namespace: Mapping[str, Any] = PROGRAM_NAMESPACE
) -> tuple[list[Program], list[Rejected]]:
    """Load all programs of modules, packages, files or folders.

    Args:
        references: each a dotted module or package name, a path of a ``.py`` file or of a folder of them; with
            ``:name`` behind it, only the program of that name.
        namespace: what ``from dsl import *`` gives, by name.

    Returns:
        The programs in order, and what could not be loaded; a bad module never keeps others from being loaded.
    """
    programs: list[Program] = []
    rejected: list[Rejected] = []
    for reference in references:
        target, only = _split(reference)
        try:
            files = find_files(target)
        except LoadError as error:
            rejected.append(Rejected(target, only or "", "import_failed", str(error)))
            continue
        for name, path in files:
            try:
                module = execute(path, name, namespace)
            except LoadError as error:
                rejected.append(Rejected(name, "", "import_failed", str(error)))
                continue
            found, odd = programs_in(module, name)
            if only is not None:
                known = [program.name for program in found]
                found, odd = [p for p in found if p.name == only], [r for r in odd if r.name == only]
                if not found and not odd:
                    odd = [Rejected(name, only, "no_program", f"no program {only!r} in it{nearest(only, known)}")]
            elif not found and not odd:
                odd = [Rejected(name, "", "no_program", "it defines no solve_<task>, verify_<task> or batt function")]
            programs += found
            rejected += odd
    return programs, rejected


def _split(reference: str) -> tuple[str, str | None]:
    """Split ``target:program``; a path may itself hold a colon, so what exists as a whole is taken whole."""
    target, colon, only = reference.rpartition(":")
    if colon and only.isidentifier() and not Path(reference).exists():
        return target, only
    return reference, None


def find_files(target: str) -> list[tuple[str, Path]]:
    """Return (reference, path) of each module that a name or path stands for.

    Raises:
        LoadError: if there is none.
    """
    path = Path(target).expanduser()
    if path.is_dir():
        files = _modules_in(path)
        if not files:
            raise LoadError(f"{target}: the folder holds no Python module")
        return [(str(file), file) for file in files]
    if path.is_file():
        return [(target, path)]
    if path.suffix == ".py" or len(path.parts) > 1:
        siblings = [str(p) for p in path.parent.glob("*")] if path.parent.is_dir() else []
        raise LoadError(f"{target}: no such file or folder{nearest(str(path), siblings)}")
    try:
        spec = importlib.util.find_spec(target)
    except Exception as error:  # a parent package may raise anything while it is imported
        raise LoadError(f"{target}: cannot be found: {type(error).__name__}: {error}") from error
    if spec is None:
        raise LoadError(f"{target}: no module of this name, and no file or folder of this path")
    if spec.submodule_search_locations:
        files = [file for location in spec.submodule_search_locations for file in _modules_in(Path(location))]
        if not files:
            raise LoadError(f"{target}: the package holds no Python module")
        return [(f"{target}.{file.stem}", file) for file in files]
    if spec.origin is None or not spec.origin.endswith(".py"):
        raise LoadError(f"{target}: it is not made from Python source")
    return [(target, Path(spec.origin))]


def _modules_in(folder: Path) -> list[Path]:
    return sorted(f for f in folder.glob("*.py") if not f.name.startswith("_") and f.stem not in OUR_MODULES)


class _Importer:
    """The import function of one module and of the modules beside it that it imports."""

    def __init__(self, folder: Path, namespace: Mapping[str, Any]) -> None:
        self.folder = folder
        self.namespace = namespace
        self.loaded: dict[str, ModuleType] = {}
        self.builtins = {**vars(builtins), "__import__": self}

    def __call__(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if level and not name:  # from . import dsl, other
            package = ModuleType("package")
            for part in fromlist or ():
                setattr(package, part, self(part))
            return package
        if name in OUR_MODULES and (fromlist or "." not in name):
            return self._ours(name)
        if level or "." not in name:
            path = self.folder / f"{name}.py"
            if path.is_file():
                return self.execute(path, name)
        return builtins.__import__(name, globals, locals, fromlist or (), 0)

    def _ours(self, name: str) -> ModuleType:
        if name not in self.loaded:
            module = ModuleType(name, "The ARC-DSL of the harness, under the name that programs know.")
            names = _PARTS.get(name, tuple(self.namespace))
            vars(module).update({key: self.namespace[key] for key in names}, __all__=list(names))
            self.loaded[name] = module
        return self.loaded[name]

    def execute(self, path: Path, name: str) -> ModuleType:
        if name in self.loaded:
            return self.loaded[name]
        module = ModuleType(name)
        vars(module).update(__file__=str(path), __builtins__=self.builtins)
        self.loaded[name] = module  # before it runs, so that modules may import each other
        code: CodeType = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
        exec(code, vars(module))
        return module


def execute(path: Path, name: str, namespace: Mapping[str, Any] = PROGRAM_NAMESPACE) -> ModuleType:
    """Execute a module's source with our DSL behind its imports.

    Args:
        path: the source file; modules in the same folder can be imported by it.
        name: its ``__name__``.
        namespace: what ``from dsl import *`` gives.

    Raises:
        LoadError: if it cannot be read, compiled or executed, with file, line and cause.
    """
    try:
        return _Importer(path.parent, namespace).execute(path, name)
    except SyntaxError as error:
        raise LoadError(f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may raise anything, SystemExit too
        raise LoadError(f"{_where(error, path)}: {type(error).__name__}: {error}") from error


def _where(error: BaseException, path: Path) -> str:
    """Return ``file:line`` of the innermost frame in the folder of a module, else the module's path."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).parent == path.parent]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else str(path)


def programs_in(module: ModuleType, reference: str) -> tuple[list[Program], list[Rejected]]:
    """Return the programs that a module defines, in the order of definition, and functions that only look like one."""
    programs: list[Program] = []
    rejected: list[Rejected] = []
    tasks = tuple(getattr(module, "TASKS", ()))
    for name, value in vars(module).items():
        prefix = next((p for p in SOLVER_PREFIXES if name.startswith(p)), None)
        if not isinstance(value, FunctionType) or (prefix is None and name != "batt"):
            continue
        expected = BATT_PARAMETERS if prefix is None else 1
        count = value.__code__.co_argcount
        if not count - len(value.__defaults__ or ()) <= expected <= count:
            takes = "(task_id, S, I, C, log_path)" if prefix is None else "one grid"
            detail = f"line {value.__code__.co_firstlineno}: {name} takes {count} arguments, expected {takes}"
            rejected.append(Rejected(reference, name, "no_program", detail))
        elif prefix is None:
            programs.append(Program(name, reference, "batt", None, value, tasks))
        else:
            programs.append(Program(name, reference, "solver", name[len(prefix) :], value))
    return programs, rejected
