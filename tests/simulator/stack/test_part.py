"""A part of a stack is kept running, and heard however late it comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.stack.part import Part, until
from tests.programs import nursery
from tests.simulator.stack.late_starter import LATE_S

pytestmark = pytest.mark.wire


@pytest.fixture
def subject(tmp_path: Path) -> Iterator[Part]:
    """Give a part that runs, and that takes a second to come back when it was killed."""
    part = Part(
        nursery=nursery(),
        name="late",
        module="tests.simulator.stack.late_starter",
        arguments=(str(tmp_path / "started"),),
        logs=tmp_path,
        at_us=lambda: time.monotonic_ns() // 1_000,
    )
    part.start()
    yield part
    part.stop(hard=True)


def test_a_killed_part_is_heard_however_late_it_serves_again(subject: Part) -> None:
    """Longer than a first start may take: whoever asks for it is led to the new one."""
    subject.serve_s = LATE_S / 5
    first = subject.facts["pid"]
    subject.kill()
    until(lambda: len(subject.starts_us) == 2, "the second start")
    subject.wait_up()
    assert subject.facts["pid"] == subject.pid != first
    assert subject.failure == ""
