"""A planned death strikes at its own point of its own payment, and nowhere else."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kill.planted import Killer

POINT = {"at": "commit", "name": "any", "number": 2, "when": "before"}


def status_of(work: Callable[[], None]) -> int:
    """Run *work* in a process of its own; return how that ended, below 0 by a signal."""
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """Give a plan that lies where the program looks for it."""
    path = tmp_path / "plan"
    path.write_text(json.dumps(POINT))
    return path


def struck(plan: Path) -> list[int]:
    """Return the numbers of the points that were struck, as the program wrote them down."""
    lines = plan.with_name("plan.points").read_text().splitlines()
    return [line["number"] for line in map(json.loads, lines) if line["struck"]]


def test_the_program_dies_at_its_point_and_the_plan_is_spent(plan: Path) -> None:
    """The second commit is never made, and the program that starts again lives."""

    def work() -> None:
        subject = Killer(plan)
        subject.begin()
        for _ in range(3):
            subject.reach("commit", ("any",), "before")

    assert status_of(work) == -signal.SIGKILL
    assert struck(plan) == [2]
    assert status_of(work) == 0


def test_a_plan_that_was_taken_back_strikes_nobody(plan: Path) -> None:
    """A payment that is over leaves its count behind; a later commit only has the same number."""

    def work() -> None:
        subject = Killer(plan)
        subject.begin()
        subject.reach("commit", ("any",), "before")
        plan.unlink()
        subject.reach("commit", ("any",), "before")

    assert status_of(work) == 0
    assert struck(plan) == []
