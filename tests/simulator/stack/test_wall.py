"""A process has a wall clock of its own, and no other clock moves with it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.stack.wall import go_by, set_off

HOUR_MS = 3_600_000
HOUR_NS = HOUR_MS * 1_000_000


@pytest.fixture
def subject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the file this test's process goes by; afterwards it has the machine's clock again."""
    for name in ("time", "time_ns"):
        monkeypatch.setattr(time, name, getattr(time, name))
    file = tmp_path / "clock"
    set_off(file, 0)
    go_by(file)
    return file


def test_a_clock_is_set_wrong_and_right_again_while_the_process_runs(subject: Path) -> None:
    """By whoever writes the file; nothing is started again."""
    true_ns = time.time_ns()
    set_off(subject, -24 * HOUR_MS)
    assert -25 * HOUR_NS < time.time_ns() - true_ns < -23 * HOUR_NS
    assert time.time() * 1e9 - true_ns < -23 * HOUR_NS
    set_off(subject, 0)
    assert 0 <= time.time_ns() - true_ns < HOUR_NS


def test_its_monotonic_clock_stays(subject: Path) -> None:
    """As a step of a real wall clock leaves it."""
    before_ns = time.monotonic_ns()
    set_off(subject, HOUR_MS)
    assert 0 <= time.monotonic_ns() - before_ns < HOUR_NS
