"""Load programs from a user's modules, which run unchanged.

A module written for the public ARC-DSL or for the batt dialect says ``from dsl import *``, ``from constants import *``,
``from arc_types import *`` or ``from pile import *``. Here each module is executed with an import function of its own
that answers these names with our DSL; ``sys.modules`` is never touched, so nobody else sees it.
"""

from __future__ import annotations

import builtins
import importlib.util
import inspect
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Literal

from harness.dsl import PROGRAM_NAMESPACE, constants, types
from harness.spelling import nearest

Kind = Literal["solver", "batt"]
SOLVER_PREFIXES = ("solve_", "verify_")
BATT_PARAMETERS = 5  # task_id, S, I, C, log_path
_WHOLE_DSL = ("dsl", "pile", "harness.dsl")
_PARTS: dict[str, Sequence[str]] = {"constants": constants.__all__, "arc_types": types.__all__}
OUR_MODULES = (*_WHOLE_DSL, *_PARTS)
_SOURCES = "__sources__"  # of a module: what was executed for it


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
        sources: (path, SHA-256) of what was executed for it: its module, then modules beside it that it imports.
    """

    name: str
    module: str
    kind: Kind
    task: str | None
    function: Callable[..., Any]
    tasks: tuple[str, ...] = ()
    sources: tuple[tuple[str, str], ...] = ()


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
    references: Iterable[str],
    namespace: Mapping[str, Any] = PROGRAM_NAMESPACE,
    refuse: Callable[[Path], str | None] | None = None,
) -> tuple[list[Program], list[Rejected]]:
    """Load all programs of modules, packages, files or folders.

    Args:
        references: each a dotted module or package name, a path of a ``.py`` file or of a folder of them; with
            ``:name`` behind it, only the program of that name.
        namespace: what ``from dsl import *`` gives, by name.
        refuse: says of a file why it must not be executed in this process; None where it may be.

    Returns:
        The programs in order, and what could not be loaded; a bad module never keeps others from being loaded.
    """
    programs: dict[tuple[str, str], Program] = {}  # by module and name: what two references give is there once
    rejected: list[Rejected] = []
    for reference in references:
        target, only = _split(reference)
        try:
            files = find_files(target)
        except LoadError as error:
            rejected.append(Rejected(target, only or "", "import_failed", str(error)))
            continue
        known: list[str] = []
        is_there = only is None
        for name, path in files:
            try:
                if refuse is not None and (why := refuse(path)) is not None:
                    raise LoadError(why)
                module = execute(path, name, namespace)
            except LoadError as error:
                rejected.append(Rejected(name, "", "import_failed", str(error)))
                is_there = True  # or it may be: that is what is to be mended first
                continue
            found, odd = programs_in(module, name)
            if only is not None:
                known += [program.name for program in found]
                found, odd = [p for p in found if p.name == only], [r for r in odd if r.name == only]
                is_there = is_there or bool(found or odd)
            elif not found and not odd:
                odd = [Rejected(name, "", "no_program", "it defines no solve_<task>, verify_<task> or batt function")]
            programs |= {(program.module, program.name): program for program in found}
            rejected += odd
        if not is_there and only is not None:
            rejected.append(Rejected(target, only, "no_program", f"no program {only!r} in it{nearest(only, known)}"))
    return list(programs.values()), rejected


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
    spec = _find_spec(target)
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


def _find_spec(name: str) -> ModuleSpec | None:
    """Find a module by its dotted name without importing its packages, which may need our DSL for that."""
    top, *rest = name.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # an empty name, or a module that was not made from a file
        return None
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(f"{spec.name}.{part}", list(spec.submodule_search_locations))
    return spec


def _modules_in(folder: Path) -> list[Path]:
    return sorted(f for f in folder.glob("*.py") if not f.name.startswith("_") and f.stem not in OUR_MODULES)


class _Importer:
    """The import function of one module and of the modules beside it, or in folders beside it, that it imports."""

    def __init__(self, folder: Path, namespace: Mapping[str, Any]) -> None:
        self.folder = folder
        self.namespace = namespace
        self.ours: dict[str, ModuleType] = {}
        self.loaded: dict[Path, ModuleType] = {}
        self.sources: dict[str, str] = {}  # SHA-256 of each file as it was executed
        self.builtins = {**vars(builtins), "__import__": self}

    def __call__(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        fromlist = fromlist or ()
        base = Path((globals or {})["__file__"]).parents[level - 1] if level else self.folder
        if level and not name:  # from . import dsl, other
            package = ModuleType("package")
            for part in fromlist:
                setattr(package, part, self(part, globals, locals, ("*",), level))
            return package
        if name in OUR_MODULES and (fromlist or "." not in name):
            return self._ours(name, fromlist)
        path = _source(base, name) if level or fromlist or "." not in name else None
        if path is None:
            if level:
                raise ModuleNotFoundError(f"no module {name!r} in {base}", name=name)
            return builtins.__import__(name, globals, locals, fromlist, 0)
        module = self.execute(path, name)
        if path.stem == "__init__":
            for part in fromlist:  # a package's modules are imported through it
                if not hasattr(module, part) and (inner := _source(path.parent, part)) is not None:
                    setattr(module, part, self.execute(inner, f"{name}.{part}"))
        return module

    def _ours(self, name: str, wanted: Sequence[str]) -> ModuleType:
        if name not in self.ours:
            module = ModuleType(name, "The ARC-DSL of the harness, under the name that programs know.")
            names = _PARTS.get(name, tuple(self.namespace))
            vars(module).update({key: self.namespace[key] for key in names}, __all__=list(names))
            self.ours[name] = module
        known = vars(self.ours[name])
        for word in wanted:
            if word not in known and word != "*":
                raise ImportError(f"our {name} has no {word!r}{nearest(word, known)}", name=name)
        return self.ours[name]

    def execute(self, path: Path, name: str) -> ModuleType:
        if path in self.loaded:
            return self.loaded[path]
        module = ModuleType(name)
        vars(module).update(__file__=str(path), __builtins__=self.builtins)
        self.loaded[path] = module  # before it runs, so that modules may import each other
        try:
            source = path.read_bytes()
            self.sources[str(path)] = sha256(source).hexdigest()
            code: CodeType = compile(source, str(path), "exec", dont_inherit=True)
            exec(code, vars(module))
        except BaseException:
            del self.loaded[path]
            raise
        return module


def _source(folder: Path, name: str) -> Path | None:
    """Return the source file of a module or package in a folder, by its dotted name; None if there is none."""
    stem = folder.joinpath(*name.split("."))
    return next((p for p in (stem.with_name(f"{stem.name}.py"), stem / "__init__.py") if p.is_file()), None)


def execute(path: Path, name: str, namespace: Mapping[str, Any] = PROGRAM_NAMESPACE) -> ModuleType:
    """Execute a module's source with our DSL behind its imports.

    Args:
        path: the source file; modules in the same folder can be imported by it.
        name: its ``__name__``.
        namespace: what ``from dsl import *`` gives.

    Raises:
        LoadError: if it cannot be read, compiled or executed, with file, line and cause.
    """
    importer = _Importer(path.parent, namespace)
    try:
        module = importer.execute(path, name)
        setattr(module, _SOURCES, tuple(importer.sources.items()))
        return module
    except SyntaxError as error:
        raise LoadError(f"{error.filename or path}:{error.lineno or 1}: {type(error).__name__}: {error.msg}") from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module may raise anything, SystemExit too
        hint = nearest(error.name, namespace) if isinstance(error, NameError) and error.name else ""
        raise LoadError(f"{_where(error, path)}: {type(error).__name__}: {error}{hint}") from error


def _where(error: BaseException, path: Path) -> str:
    """Return ``file:line`` of the innermost frame in the folder of a module, else the module's path."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).parent == path.parent]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else str(path)


def programs_in(module: ModuleType, reference: str) -> tuple[list[Program], list[Rejected]]:
    """Return the programs that a module defines, in the order of definition, and functions that only look like one."""
    programs: list[Program] = []
    rejected: list[Rejected] = []
    tasks, sources = _tasks(module), getattr(module, _SOURCES, ())
    for name, value in vars(module).items():
        prefix = next((p for p in SOLVER_PREFIXES if name.startswith(p)), None)
        if not callable(value) or (prefix is None and name != "batt"):
            continue
        problem = _signature_problem(value, BATT_PARAMETERS if prefix is None else 1)
        if problem:
            takes = "(task_id, S, I, C, log_path)" if prefix is None else "one grid"
            code = getattr(value, "__code__", None)
            line = f"line {code.co_firstlineno}: " if code else ""
            detail = f"{line}{name} does not take {takes}: {problem}"
            rejected.append(Rejected(reference, name, "no_program", detail))
        elif prefix is None:
            programs.append(Program(name, reference, "batt", None, value, tasks, sources))
        else:
            programs.append(Program(name, reference, "solver", name[len(prefix) :], value, sources=sources))
    return programs, rejected


def _tasks(module: ModuleType) -> tuple[str, ...]:
    """Return the tasks that a module names in ``TASKS``; none where that means something else to its author."""
    named = getattr(module, "TASKS", ())
    if isinstance(named, list | tuple | set | frozenset) and all(isinstance(task, str) for task in named):
        return tuple(named if isinstance(named, list | tuple) else sorted(named))
    return ()


def _signature_problem(function: Callable[..., Any], count: int) -> str | None:
    """Return why a function cannot be called with so many positional arguments; None if it can."""
    try:
        inspect.signature(function).bind(*range(count))
    except (TypeError, ValueError) as error:  # ValueError: it has no signature
        return str(error)
    return None
