"""Runs the commands of our programs to their end without a new interpreter for each.

A new interpreter costs one to four seconds of imports before the first line of ours. A command
that only prints and ends is called in the test's own process; what must be a process, because it
serves or is killed, is a fork of one that has the imports. Every program is also started as people
start it, by one test at least.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from simulator.stack.nursery import Nursery

ROOT = Path(__file__).parents[1]


def called(
    main: Callable[[], object], *words: str, typed: str = ""
) -> subprocess.CompletedProcess[str]:
    """Call a program's ``main`` here, as if it had been started with *words*.

    Args:   typed: what comes from its standard input.
    Returns: its exit code, standard output and standard error, as of a process.
    """
    out, errors = io.StringIO(), io.StringIO()
    code: object = None
    with (
        pytest.MonkeyPatch.context() as here,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
    ):
        here.setattr(sys, "argv", ["program", *words])
        here.setattr(sys, "stdin", io.StringIO(typed))
        try:
            code = main()
        except SystemExit as ended:
            code = ended.code
            if isinstance(code, str):
                errors.write(f"{code}\n")
                code = 1
    return subprocess.CompletedProcess(
        args=words,
        returncode=code if isinstance(code, int) else 0,
        stdout=out.getvalue(),
        stderr=errors.getvalue(),
    )


@functools.cache
def nursery() -> Nursery:
    """Return the nursery of this test process, started when first asked for; it ends with it."""
    made = Nursery(hurried=False, cwd=ROOT)
    atexit.register(made.close)
    return made
