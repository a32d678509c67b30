"""Fixtures of the suites that run stacks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stack.nursery import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Give the process that starts the stacks' processes; the plaza's slow proofs are hurried."""
    subject = Nursery(hurried=True)
    yield subject
    subject.close()


@pytest.fixture(scope="session")
def true_nursery() -> Iterator[Nursery]:
    """Give a nursery whose plaza keeps all its bounds."""
    subject = Nursery(hurried=False)
    yield subject
    subject.close()
