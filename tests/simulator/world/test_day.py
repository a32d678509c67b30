"""A long stretch of traffic: judged in windows, and what was judged is forgotten."""

import pytest

from simulator.people import UNRULY_MIX
from simulator.world.arrivals import MS_PER_HOUR, PROFILES, Profile
from simulator.world.day import run_day

pytestmark = pytest.mark.simulation
EVEN = (1,) * 24


def test_three_times_the_time_holds_no_more_in_memory() -> None:
    """Vehicles, log and messages held at once depend on the window, not on the day's length."""
    short, long = (
        run_day(3, PROFILES["rush_hour"], lanes=1, hours_ms=hours * MS_PER_HOUR // 3)
        for hours in (1, 3)
    )
    assert long.vehicles > 2 * short.vehicles
    assert long.windows > short.windows
    for before, after in (
        (short.most_aboard, long.most_aboard),
        (short.most_log, long.most_log),
        (short.most_tapped, long.most_tapped),
    ):
        assert after < 5 * before // 2
    for result in (short, long):
        assert (result.at_rest, result.unjudged, result.findings) == (True, 0, ())


def test_an_unruly_stretch_is_clean_and_counts_everybody() -> None:
    """Every kind of driver for 20 minutes: all gone, every rule judged, none broken."""
    unruly = Profile(name="unruly", per_lane_day=3_000, hourly=EVEN, mix=dict(UNRULY_MIX))
    result = run_day(4, unruly, lanes=1, hours_ms=MS_PER_HOUR // 3)
    assert result.at_rest
    assert result.vehicles >= 20
    assert set(result.violations) == {"B1", "B3", "B4", "M1", "M2", "M4", "M5", "M6", "M7"}
    assert result.findings == ()
