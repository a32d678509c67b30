"""The world's speed is measured over real seeds, beside the bare heap."""

from __future__ import annotations

import pytest

from simulator.bench import world as subject


@pytest.mark.slow
def test_a_seed_is_measured() -> None:
    """One seed by the command itself: its vehicles, both speeds, and a floor that is faster."""
    found = subject.world_speed(1)
    assert found.vehicles >= 20
    assert found.floor_per_s > found.ours_per_s > 0
    assert found.times > 1


@pytest.mark.slow
def test_seeds_that_cannot_run_are_no_figure() -> None:
    """What went wrong is told in one line."""
    with pytest.raises(subject.WorldFailedError, match="toll-sim fuzz ended with 2"):
        subject.world_speed(0)
