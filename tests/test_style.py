"""The house style, as far as a machine can judge it. Each test names every file that is wrong."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec

import pytest

from tests import style

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
LINE_LENGTH_MAX = 100
BANNED_NAME_PARTS = {
    "gate": "the device is the barrier, its moving part the boom",
    "gates": "the device is the barrier, its moving part the boom",
    "arm": "the device is the barrier, its moving part the boom",
    "arms": "the device is the barrier, its moving part the boom",
}
CLOCK_READINGS = {"now", "today", "utcnow"}
ALL_PYTHON = style.python_files(*style.PACKAGES, "tests", "scripts")
PRODUCTION = style.python_files(*style.PACKAGES)


def _lines_without_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    assert node.end_lineno is not None
    lines = node.end_lineno - node.lineno + 1
    if ast.get_docstring(node) is not None:
        first = node.body[0]
        assert first.end_lineno is not None
        lines -= first.end_lineno - first.lineno + 1
    return lines


def _fail_with(wrong: list[str]) -> None:
    assert not wrong, "\n" + "\n".join(sorted(wrong))


def test_files_and_functions_are_small() -> None:
    """No file is over 600 lines, no line over 100 characters, no function over 70 lines."""
    wrong = []
    for path in ALL_PYTHON:
        name = style.relative(path)
        lines = style.text(path).splitlines()
        if len(lines) > FILE_LINES_MAX:
            wrong.append(f"{name}: {len(lines)} lines, at most {FILE_LINES_MAX}: split it by idea")
        long = [n for n, line in enumerate(lines, 1) if len(line) > LINE_LENGTH_MAX]
        wrong += [f"{name}:{n}: over {LINE_LENGTH_MAX} characters" for n in long]
        for node in style.functions(path):
            size = _lines_without_docstring(node)
            if size > FUNCTION_LINES_MAX:
                wrong.append(f"{name}:{node.lineno}: {node.name} has {size} lines")
    _fail_with(wrong)


def test_names_use_the_glossary() -> None:
    """No identifier calls the barrier or its boom by another word."""
    wrong = []
    for path in ALL_PYTHON:
        for line, name in style.identifiers(path):
            for part in style.name_parts(name):
                if part in BANNED_NAME_PARTS:
                    why = BANNED_NAME_PARTS[part]
                    wrong.append(f"{style.relative(path)}:{line}: {name}: {why}")
    _fail_with(wrong)


def test_pay_code_has_one_name() -> None:
    """`auth_code` is a platform's word: nothing outside the platforms' folders is named so."""
    wrong = []
    for path in PRODUCTION:
        if "platforms" in path.parts or "models" in path.parts:
            continue
        names = [(line, name) for line, name in style.identifiers(path) if "auth_code" in name]
        wrong += [f"{style.relative(path)}:{n}: {name}: say pay_code" for n, name in names]
    _fail_with(wrong)


def _inexact(node: ast.AST) -> str | None:
    """Return what makes *node* inexact arithmetic, or None."""
    if isinstance(node, ast.Constant) and isinstance(node.value, float):
        return f"float {node.value}"
    if isinstance(node, ast.Name) and node.id in {"float", "Decimal"}:
        return node.id
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        # A path joined with a name is no division.
        joins_path = isinstance(node.right, ast.Constant) and isinstance(node.right.value, str)
        return None if joins_path else "true division"
    return None


def test_money_rooms_count_in_integers() -> None:
    """No float, Decimal or true division in words, core, engines, rules and stores."""
    wrong = []
    for path in PRODUCTION:
        name = style.relative(path)
        if not name.startswith(style.MONEY_ROOMS) or "migrations" in path.parts:
            continue
        for node in style.nodes(path):
            if what := _inexact(node):
                wrong.append(f"{name}:{getattr(node, 'lineno', 0)}: {what}; use int")
        imported = [(n, module) for n, module in style.imports(path) if "decimal" in module]
        wrong += [f"{name}:{n}: imports {module}" for n, module in imported]
    _fail_with(wrong)


@pytest.mark.parametrize("room", style.PURE_ROOMS, ids=lambda room: room.files)
def test_pure_room_imports_only_what_it_may(room: style.Room) -> None:
    """A pure room imports its own side of the table and an innocent standard library."""
    wrong = []
    for path in style.ROOT.glob(room.files):
        if style.relative(path) not in style.EDGE_WORDS:
            wrong += style.forbidden_imports(path, room)
    _fail_with(wrong)


@pytest.mark.parametrize("room", style.PURE_ROOMS, ids=lambda room: room.files)
def test_pure_room_reads_no_clock_and_no_file(room: style.Room) -> None:
    """A pure room calls neither `now`, `today` and `utcnow` nor open, print and input."""
    wrong = []
    for path in style.ROOT.glob(room.files):
        for node in style.nodes(path):
            if not isinstance(node, ast.Call):
                continue
            of_clock = isinstance(node.func, ast.Attribute) and node.func.attr in CLOCK_READINGS
            if not of_clock and not isinstance(node.func, ast.Name):
                continue  # to write each call out again takes longer than all else here
            called = ast.unparse(node.func)
            clock = re.fullmatch(r"(datetime\.|dt\.)*(datetime|date)\.(now|today|utcnow)", called)
            if clock or called in {"open", "print", "input"}:
                wrong.append(f"{style.relative(path)}:{node.lineno}: calls {called}")
        # A coroutine needs no import of asyncio, and a loop all the same.
        waits = [n for n in style.functions(path) if isinstance(n, ast.AsyncFunctionDef)]
        wrong += [f"{style.relative(path)}:{n.lineno}: async def {n.name}" for n in waits]
    _fail_with(wrong)


def test_every_test_file_collects_a_test() -> None:
    """A file named test_* holds a test, and a test lives in a file named test_*."""
    wrong = []
    for path in style.python_files("tests"):
        module = style.tree(path)
        tests = [n.name for n in style.functions(path) if n.name.startswith("test_")]
        # hypothesis.stateful machines become tests by assignment: TestLedger = Ledger.TestCase.
        machines = [
            n for n in module.body if isinstance(n, ast.Assign) and ".TestCase" in ast.unparse(n)
        ]
        if path.name.startswith("test_") and not tests and not machines:
            wrong.append(f"{style.relative(path)}: collects no test")
        if not path.name.startswith("test_") and tests:
            wrong.append(f"{style.relative(path)}: {tests[0]} is never collected here")
    _fail_with(wrong)


def test_every_test_states_its_fact() -> None:
    """Each test function has a docstring: the fact that must hold."""
    wrong = []
    for path in style.python_files("tests"):
        for node in style.functions(path):
            if node.name.startswith("test_") and not ast.get_docstring(node):
                wrong.append(f"{style.relative(path)}:{node.lineno}: {node.name}: no docstring")
    _fail_with(wrong)


def test_mirrored_rooms_have_their_tests() -> None:
    """Each file of words, core, engines, rules and codecs has its test, or is listed as exempt."""
    untested, exempt = style.untested_files(), style.exemptions("untested")
    wrong = [
        f"{name}: write {style.relative(style.mirrored_test(style.ROOT / name))}"
        for name in untested - exempt
    ]
    wrong += [f"{name}: needs no exemption any more: make ratchet" for name in exempt - untested]
    _fail_with(wrong)


def test_no_production_file_is_dead() -> None:
    """Each production file is used by another one or is an entry point, or is listed."""
    unused, exempt = style.unused_files(), style.exemptions("unused")
    wrong = [f"{name}: nothing uses this file" for name in unused - exempt]
    wrong += [f"{name}: needs no exemption any more: make ratchet" for name in exempt - unused]
    _fail_with(wrong)


def test_left_work_has_an_issue() -> None:
    """A note of work left over names the issue that holds it, a hash and its number in brackets."""
    word = re.compile(r"\b(TOD[O]|FIXM[E]|XX[X])\b(?!\(#\d+\))")
    _fail_with(_matches(word, "no issue number"))


def test_tree_names_no_machine_and_no_registry() -> None:
    """No file holds a path of one machine or the host of a package registry."""
    # Each pattern holds a class of one letter, so that it does not find itself.
    folders = r"(?<![\w./$}-])/(wor[k]|roo[t]|home/[a-z]+|User[s])/|/tmp/tea[m]"
    hosts = r"pyp[i]\.org|pythonhoste[d]\.org|registry\.npmj[s]|deb\.debia[n]"
    place = re.compile(f"{folders}|{hosts}")
    _fail_with(_matches(place, "a machine's path or a registry's host"))


def _matches(pattern: re.Pattern[str], why: str) -> list[str]:
    wrong = []
    for path in style.project_files():
        try:
            text = style.text(path)
        except UnicodeDecodeError:
            continue  # a picture or a golden frame
        if not pattern.search(text):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if found := pattern.search(line):
                wrong.append(f"{style.relative(path)}:{number}: {found.group()!r}: {why}")
    return wrong


def test_requirements_are_hashed() -> None:
    """Every locked requirement is pinned to one version and carries hashes."""
    wrong = []
    for name in ("requirements.txt", "requirements-dev.txt"):
        blocks = re.split(r"\n(?=\S)", (style.ROOT / name).read_text(encoding="utf-8").strip())
        bad = [b.splitlines()[0] for b in blocks if "==" not in b or "--hash=sha256:" not in b]
        wrong += [f"{name}: {block}" for block in bad]
    _fail_with(wrong)


def test_nothing_turns_assertions_off() -> None:
    """No script, unit or Makefile runs Python with -O or PYTHONOPTIMIZE."""
    off = re.compile(r"python[\w.]*\s+(-\w+\s+)*-O|PYTHONOPTIMIZ[E]\s*=")
    wrong = [w for w in _matches(off, "assertions guard the lane") if not w.startswith("docs/")]
    _fail_with(wrong)


def _scripts() -> list[tuple[str, str]]:
    with (style.ROOT / "pyproject.toml").open("rb") as file:
        scripts = tomllib.load(file)["project"]["scripts"]
    return [(name, target.partition(":")[0]) for name, target in sorted(scripts.items())]


@pytest.mark.slow
@pytest.mark.parametrize(("script", "module"), _scripts())
def test_start_without_assertions_is_refused(script: str, module: str) -> None:
    """Each program started with -O says so in one line and exits non-zero."""
    if find_spec(module) is None:
        pytest.skip(f"{script} is not written yet")
    code = f"import sys; sys.argv = [{script!r}, '--help']; from {module} import main; main()"
    command = [sys.executable, "-O", "-c", code]
    result = subprocess.run(command, cwd=style.ROOT, capture_output=True, text=True, check=False)
    assert result.returncode != 0, f"{script} starts with assertions turned off"
    assert "-O" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
