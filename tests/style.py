"""Helper of test_style.py: the project's files, its rooms, and what one file's tree says."""

from __future__ import annotations

import ast
import gc
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("tolling", "hw", "lane_controller", "plaza_server", "simulator", "dashboards")
EXEMPTIONS = ROOT / "tests" / "exemptions.toml"
SKIPPED_FOLDERS = frozenset({"__pycache__", "build", "dist", "out", "var", "htmlcov"})

IMPURE_MODULES = frozenset(
    {
        "asyncio",
        "concurrent",
        "http",
        "logging",
        "multiprocessing",
        "os",
        "queue",
        "random",
        "sched",
        "secrets",
        "select",
        "selectors",
        "signal",
        "socket",
        "socketserver",
        "sqlite3",
        "ssl",
        "subprocess",
        "threading",
        "time",
        "uuid",
    }
)
"""Standard library modules that bring in time, dice, the system or the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A pure room: the files it holds and the project modules they may import."""

    files: str
    """Pattern of its files, relative to the project."""
    may_import: tuple[str, ...]
    """Prefixes of project modules. The standard library is allowed, less IMPURE_MODULES."""
    third_party: tuple[str, ...] = ()


WORDS = ("tolling",)
PURE_ROOMS = (
    Room(files="tolling/**/*.py", may_import=WORDS),
    Room(files="hw/**/codec*.py", may_import=(*WORDS, "hw")),
    Room(files="lane_controller/core/**/*.py", may_import=(*WORDS, "lane_controller.core")),
    Room(
        files="lane_controller/engine/**/*.py",
        may_import=(*WORDS, "lane_controller.core", "lane_controller.engine"),
    ),
    Room(files="plaza_server/rules/**/*.py", may_import=(*WORDS, "plaza_server.rules")),
    Room(
        files="plaza_server/engine/**/*.py",
        may_import=(*WORDS, "plaza_server.rules", "plaza_server.engine"),
    ),
    Room(
        files="plaza_server/platforms/**/*codec*.py",
        may_import=(*WORDS, "plaza_server.rules", "plaza_server.platforms"),
    ),
    Room(files="simulator/plant/**/*.py", may_import=(*WORDS, "simulator.plant")),
    Room(files="simulator/people/**/*.py", may_import=(*WORDS, "simulator.people")),
    Room(
        files="simulator/models/**/*.py",
        may_import=(*WORDS, "simulator.plant", "simulator.models"),
        third_party=("cryptography",),
    ),
)
EDGE_WORDS = frozenset({"tolling/ending.py", "tolling/wire.py"})
"""The files of tolling that are no pure words."""

MONEY_ROOMS = (
    "tolling/",
    "lane_controller/core/",
    "lane_controller/engine/",
    "lane_controller/store/",
    "plaza_server/rules/",
    "plaza_server/engine/",
    "plaza_server/store/",
)
MIRRORED = (
    "tolling/*.py",
    "lane_controller/core/**/*.py",
    "lane_controller/engine/**/*.py",
    "plaza_server/rules/**/*.py",
    "plaza_server/engine/**/*.py",
    "hw/**/codec*.py",
    "plaza_server/platforms/**/*codec*.py",
)


def relative(path: Path) -> str:
    """Return *path* as the project's tests name it: from the root, with slashes."""
    return path.relative_to(ROOT).as_posix()


@cache
def project_files() -> tuple[Path, ...]:
    """Return every file of the tree that is the project's own, sorted."""
    return tuple(sorted(_walk(ROOT)))


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        hidden = path.name.startswith(".") and path.name not in {".ci", ".editorconfig"}
        if hidden or path.is_symlink() or path.name in SKIPPED_FOLDERS:
            continue
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path


@cache
def python_files(*folders: str) -> tuple[Path, ...]:
    """Return the Python files below *folders*."""
    starts = tuple(f"{folder}/" for folder in folders)
    return tuple(p for p in project_files() if p.suffix == ".py" and relative(p).startswith(starts))


@cache
def text(path: Path) -> str:
    """Return what stands in a file. Raises: UnicodeDecodeError: it is no text."""
    return path.read_text(encoding="utf-8")


@cache
def tree(path: Path) -> ast.Module:
    """Return the parsed file."""
    collecting = gc.isenabled()
    # To be looked through for garbage as it grows more than doubles what a tree costs; it holds
    # none and stays to the end.
    gc.disable()
    try:
        return ast.parse(text(path), filename=str(path))
    finally:
        gc.freeze()
        if collecting:
            gc.enable()


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return every node of a file but load, store and del, which their name has as ``ctx``.

    One walk serves all tests; ``ast.walk`` would be the dearest thing in each of them.
    """
    found: list[ast.AST] = [tree(path)]
    for node in found:
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                found += [each for each in value if isinstance(each, ast.AST)]
            elif isinstance(value, ast.AST) and name != "ctx":
                found.append(value)
    return tuple(found)


@cache
def functions(path: Path) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]:
    """Return every function and method of a file, inner ones too."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return tuple(node for node in nodes(path) if isinstance(node, kinds))


@cache
def imports(path: Path) -> list[tuple[int, str]]:
    """Return (line, module) for each import in a file, `from a import b` as `a.b`."""
    found: list[tuple[int, str]] = []
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


def below(module: str, prefixes: tuple[str, ...]) -> bool:
    """Tell whether *module* is one of *prefixes* or inside one."""
    return any(module == prefix or module.startswith(f"{prefix}.") for prefix in prefixes)


def forbidden_imports(path: Path, room: Room) -> list[str]:
    """Return one line for each import that *room* does not allow."""
    wrong: list[str] = []
    for line, module in imports(path):
        top = module.partition(".")[0]
        if top in PACKAGES:
            allowed = below(module, room.may_import) and not below(
                module, ("tolling.ending", "tolling.wire")
            )
        elif top in sys.stdlib_module_names:
            allowed = top not in IMPURE_MODULES
        else:
            allowed = top in room.third_party
        if not allowed:
            wrong.append(f"{relative(path)}:{line}: a pure room may not import {module}")
    return wrong


@cache
def identifiers(path: Path) -> list[tuple[int, str]]:
    """Return (line, name) for every name that a file defines: functions, classes, values."""
    found: list[tuple[int, str]] = []
    for node in nodes(path):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                found.append((node.lineno, node.id))
        elif isinstance(node, ast.Attribute):
            if isinstance(node.ctx, ast.Store):
                found.append((node.lineno, node.attr))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append((node.lineno, node.name))
        elif isinstance(node, ast.arg):
            found.append((node.lineno, node.arg))
    return found


@cache
def name_parts(name: str) -> list[str]:
    """Split an identifier into lower-case words: `raiseGateNow` and `raise_gate` hold `gate`."""
    return [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def has_functions(path: Path) -> bool:
    """Tell whether a file holds any function; one of plain values has nothing to cover."""
    return bool(functions(path))


def mirrored_test(path: Path) -> Path:
    """Return where the test of a production file lives."""
    return ROOT / "tests" / path.relative_to(ROOT).parent / f"test_{path.name}"


def exemptions(kind: str) -> set[str]:
    """Return the files that exemptions.toml lists under *kind*."""
    listed = tomllib.loads(EXEMPTIONS.read_text(encoding="utf-8"))[kind]
    assert isinstance(listed, list)
    return set(listed)


def untested_files() -> set[str]:
    """Return the files of mirrored rooms that hold functions and have no test of their own."""
    found = set()
    for pattern in MIRRORED:
        for path in ROOT.glob(pattern):
            if has_functions(path) and not mirrored_test(path).exists():
                found.add(relative(path))
    return found


def unused_files() -> set[str]:
    """Return the production files that no production file, script or entry point names."""
    modules = {module_name(path): path for path in python_files(*PACKAGES)}
    used: set[str] = set()
    for path in (*python_files(*PACKAGES, "scripts"), *ROOT.glob("deploy/**/*.py")):
        own = module_name(path)
        for _, module in imports(path):
            # `from a.b import c` uses the module a.b, or a.b.c when c is a file.
            names = {module, module.rpartition(".")[0]} - {own}
            used |= names & modules.keys()
    texts = [text(path) for path in _entry_texts()]
    return {
        relative(path)
        for name, path in modules.items()
        if path.name not in {"__init__.py", "__main__.py"}
        and "migrations" not in path.parts
        and name not in used
        and not any(re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", each) for each in texts)
    }


def _entry_texts() -> Iterator[Path]:
    """Yield the files that may name a module as text: settings, Makefile, units."""
    for path in project_files():
        if path.name in {"pyproject.toml", "Makefile"} or relative(path).startswith("deploy/"):
            yield path


def module_name(path: Path) -> str:
    """Return the dotted name under which a project file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
