"""Waits between two tries."""

from __future__ import annotations

import pytest

from hw.links.backoff import Backoff


def test_waits_double_to_a_cap_and_begin_again() -> None:
    """0.1 s doubles to 2 s and stays there; a reset begins again."""
    subject = Backoff(lambda: 0.0)
    waits = [subject.next_s() for _ in range(7)]
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0])
    subject.reset()
    assert subject.next_s() == pytest.approx(0.1)


def test_jitter_only_shortens() -> None:
    """Jitter takes off up to a quarter, so the cap holds."""
    subject = Backoff(lambda: 0.999)
    assert 0.074 < subject.next_s() < 0.1
