"""Fixtures of the suites that run stacks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.stack.nursery import Nursery

ROOT = Path(__file__).parents[2]
PLANTER = "tests.kill.planted"


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Give the process that starts the stacks' processes; the plaza's slow proofs are hurried."""
    subject = Nursery(hurried=True, planter=PLANTER, cwd=ROOT)
    yield subject
    subject.close()


@pytest.fixture(scope="session")
def true_nursery() -> Iterator[Nursery]:
    """Give a nursery whose plaza keeps all its bounds."""
    subject = Nursery(hurried=False, planter=PLANTER, cwd=ROOT)
    yield subject
    subject.close()
