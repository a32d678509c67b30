"""Who comes in a judged run."""

from __future__ import annotations

import itertools

import pytest

from simulator.demo.traffic import drawn_behaviours, endless_behaviours
from simulator.people import BEHAVIOURS


@pytest.mark.parametrize("count", [1, 2, 3, 4, 20, 200])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_judged_run_begins_with_a_phone_and_has_all_tenders(count: int, seed: int) -> None:
    """As many as asked, known kinds only, a phone first; cash from three on, a tag from four."""
    drawn = drawn_behaviours(count, seed=seed)
    assert len(drawn) == count
    assert set(drawn) <= set(BEHAVIOURS)
    assert drawn[0] == "phone_ok"
    assert ("pays_cash" in drawn) == (count >= 3)
    assert ("pays_etc" in drawn) == (count >= 4)


def test_the_same_seed_brings_the_same_drivers() -> None:
    """Another seed brings others."""
    assert drawn_behaviours(50, seed=7) == drawn_behaviours(50, seed=7)
    assert drawn_behaviours(50, seed=7) != drawn_behaviours(50, seed=8)


def test_endless_traffic_begins_with_a_phone() -> None:
    """Whoever opens the page first sees a phone pay."""
    assert next(endless_behaviours(seed=5)) == "phone_ok"
    assert set(itertools.islice(endless_behaviours(seed=5), 300)) <= set(BEHAVIOURS)
