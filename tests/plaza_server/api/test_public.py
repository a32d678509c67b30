"""How often the public may ask."""

from __future__ import annotations

import pytest

from plaza_server.api.public import (
    ALL_BURST,
    ALL_PER_S,
    MAX_ADDRESSES,
    OWN_BURST,
    OWN_PER_S,
    RateBound,
)
from tolling.clock import NS_PER_S


def test_one_address_has_its_burst_and_then_its_rate() -> None:
    """What was used comes back with time, never more than the burst."""
    subject = RateBound()
    allowed = [subject.allows("a", 0) for _ in range(OWN_BURST + 1)]
    assert allowed == [True] * OWN_BURST + [False]
    assert not subject.allows("a", NS_PER_S // OWN_PER_S - 1)
    assert subject.allows("a", NS_PER_S // OWN_PER_S)
    later_ns = 10**6 * NS_PER_S
    assert sum(subject.allows("a", later_ns) for _ in range(2 * OWN_BURST)) == OWN_BURST


def test_others_are_not_held_up_by_one() -> None:
    """Until everybody together asks too often."""
    subject = RateBound()
    for _ in range(OWN_BURST + 5):
        subject.allows("a", 0)
    assert subject.allows("b", 0)
    allowed = sum(subject.allows(f"c{number}", 0) for number in range(2 * ALL_BURST))
    assert allowed == ALL_BURST - OWN_BURST - 1
    assert subject.allows("d", NS_PER_S // ALL_PER_S)


def test_a_clock_that_stands_still_gives_nothing_back() -> None:
    """Nor one that an address saw go back."""
    subject = RateBound()
    for _ in range(OWN_BURST):
        assert subject.allows("a", NS_PER_S)
    assert not subject.allows("a", 0)


@pytest.mark.slow
def test_memory_is_bounded_whoever_asks() -> None:
    """New addresses for ever."""
    subject = RateBound()
    for number in range(MAX_ADDRESSES * 2 + 5):
        subject.allows(str(number), number * NS_PER_S)
    assert len(subject.own) <= MAX_ADDRESSES
