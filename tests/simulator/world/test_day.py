"""A long stretch of traffic: judged in windows, and what was judged is forgotten."""

import gc
from collections import Counter
from dataclasses import dataclass

import pytest

from simulator.people import UNRULY_MIX
from simulator.world.arrivals import MS_PER_HOUR, PROFILES, Profile
from simulator.world.day import DayResult, run_day

pytestmark = pytest.mark.simulation
EVEN = (1,) * 24
SHARE_MAX = 10
"""One vehicle in so many may leave an object of some kind behind: one in forty pays by phone, and
the trade stays in its platform's books."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What came of a stretch, and at the end of each window how many had left and what was held."""

    result: DayResult
    held: list[tuple[int, Counter[str]]]
    """Vehicles that left, objects by their type."""


@pytest.fixture(scope="module")
def hour() -> Stretch:
    """One lane's hour."""
    held: list[tuple[int, Counter[str]]] = []

    def on_window(world_ms: int, vehicles: int) -> None:
        del world_ms
        gc.collect()
        types = (type(each) for each in gc.get_objects())
        held.append((vehicles, Counter(f"{each.__module__}.{each.__qualname__}" for each in types)))

    result = run_day(3, PROFILES["rush_hour"], lanes=1, hours_ms=MS_PER_HOUR, on_window=on_window)
    return Stretch(result=result, held=held)


@pytest.mark.slow
def test_three_times_the_time_holds_no_more_in_memory(hour: Stretch) -> None:
    """Vehicles, log and messages held at once depend on the window, not on the day's length."""
    short = run_day(3, PROFILES["rush_hour"], lanes=1, hours_ms=MS_PER_HOUR // 3)
    long = hour.result
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


@pytest.mark.slow
def test_a_vehicle_that_has_left_leaves_next_to_nothing_behind(hour: Stretch) -> None:
    """Of no type is there, at the least, more in the second half of an hour than in the first."""
    middle = len(hour.held) // 2
    early, late = hour.held[1:middle], hour.held[middle:]
    vehicles = late[0][0] - early[0][0]
    assert vehicles > 40
    most = vehicles // SHARE_MAX
    floor = {
        name: (min(held[name] for _, held in early), min(held[name] for _, held in late))
        for name in late[-1][1]
    }
    assert {name: each for name, each in floor.items() if each[1] - each[0] > most} == {}


def test_an_unruly_stretch_is_clean_and_counts_everybody() -> None:
    """Every kind of driver for 20 minutes: all gone, every rule judged, none broken."""
    unruly = Profile(name="unruly", per_lane_day=3_000, hourly=EVEN, mix=dict(UNRULY_MIX))
    result = run_day(4, unruly, lanes=1, hours_ms=MS_PER_HOUR // 3)
    assert result.at_rest
    assert result.vehicles >= 20
    assert set(result.violations) == {"B1", "B3", "B4", "M1", "M2", "M4", "M5", "M6", "M7"}
    assert result.findings == ()
