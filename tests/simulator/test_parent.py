"""A child process ends when its parent does, also where the kernel does not tell."""

from __future__ import annotations

import os
import select
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.wire, pytest.mark.slow]

CHILD = """
import os, sys, signal
from simulator import parent
if sys.argv[1] == "poll":
    parent._ask_kernel = lambda: False
parent.end_with_parent(parent_pid=int(sys.argv[2]) or None)
print(os.getpid(), flush=True)
signal.pause()
"""
PARENT = (
    "import subprocess, sys; "
    "child = subprocess.Popen(sys.argv[1:], stdout=sys.stdout); "
    "sys.stdin.read()"
)


@pytest.mark.parametrize("how", ["kernel", "poll"])
def test_a_child_ends_with_a_killed_parent(how: str) -> None:
    """By the kernel's signal or by looking: the child is gone soon after its parent."""
    command = [sys.executable, "-c", PARENT, sys.executable, "-c", CHILD, how, "0"]
    with subprocess.Popen(
        command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        handle = os.pidfd_open(int(parent.stdout.readline()))
        try:
            parent.kill()
            assert select.select([handle], [], [], 10)[0]
        finally:
            os.close(handle)


def test_a_child_whose_parent_is_gone_already_ends_at_once() -> None:
    """The named parent is not the one that is there: SIGTERM before anything is served."""
    child = subprocess.run(
        [sys.executable, "-c", CHILD, "kernel", "999999999"],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert child.returncode == -15
    assert child.stdout == b""
