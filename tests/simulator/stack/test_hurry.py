"""A hurried plaza keeps every relation between its bounds."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.wire, pytest.mark.slow]
PROGRAM = "from simulator.stack.hurry import hurry; hurry(); import plaza_server.main as p; {more}"


def test_the_plaza_can_be_loaded_with_its_bounds_shrunk() -> None:
    """The relations are asserted where the bounds are used, after they were shrunk."""
    more = "import plaza_server.shell.serve, plaza_server.shell.parts"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(more=more)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
