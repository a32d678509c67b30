"""Arrivals: the right number in the right hours, one car at a time, the same for one seed."""

from collections import Counter
from itertools import islice, pairwise
from random import Random

import pytest

from simulator.world.arrivals import (
    DAY_2017_MIX,
    HEADWAY_MS_MIN,
    MS_PER_HOUR,
    PROFILES,
    Profile,
    arrivals,
    exponential,
)
from simulator.world.build import lane_ids
from simulator.world.streams import Streams

DAY_MS = 24 * MS_PER_HOUR


def times_of(
    profile: Profile, *, seed: int = 1, lanes: int = 2, until_ms: int = DAY_MS
) -> list[int]:
    """Return when the vehicles of a day come, ms."""
    cars = arrivals(profile, lane_ids(lanes), Streams(seed).of, from_ms=0, until_ms=until_ms)
    return [car.arrives_us // 1_000 for car in cars]


def test_waiting_times_have_their_mean_and_are_drawn_in_integers() -> None:
    """Mean 1,000: within 5 % over 5,000 draws, and a third of them above the mean."""
    dice = Random(5)
    drawn = [exponential(dice, 1_000) for _ in range(5_000)]
    assert abs(sum(drawn) / len(drawn) - 1_000) < 50
    assert 0.33 < sum(each > 1_000 for each in drawn) / len(drawn) < 0.41


@pytest.mark.parametrize("name", ["day_2017", "night"])
def test_a_day_has_its_vehicles_in_its_hours(name: str) -> None:
    """As many as the profile says within 10 %, most of them in its busy hours."""
    profile = PROFILES[name]
    times = times_of(profile)
    assert abs(len(times) - 2 * profile.per_lane_day) < profile.per_lane_day // 5
    hours = Counter((8 + at_ms // MS_PER_HOUR) % 24 for at_ms in times)
    busy = max(range(24), key=lambda hour: profile.hourly[hour])
    quiet = min(range(24), key=lambda hour: profile.hourly[hour])
    assert hours[busy] > 3 * hours[quiet]


def test_the_default_day_has_two_and_a_half_percent_by_phone() -> None:
    """5,000 scans of 200,000 vehicles, as the report has it."""
    phone = ("phone_ok", "slow_phone", "needs_password", "double_scan", "expired_code")
    share = sum(DAY_2017_MIX[name] for name in phone)
    assert share * 1_000 == 25 * sum(DAY_2017_MIX.values())
    assert 200 * PROFILES["day_2017"].per_lane_day == 200_000


def test_cars_come_in_order_and_never_closer_than_the_headway() -> None:
    """In order over all lanes; on one lane two seconds apart at the least."""
    cars = list(
        arrivals(
            PROFILES["saturated"], lane_ids(3), Streams(2).of, from_ms=5_000, until_ms=MS_PER_HOUR
        )
    )
    times = [car.arrives_us for car in cars]
    assert times == sorted(times)
    assert [car.vehicle.vehicle_id for car in cars] == list(range(1, len(cars) + 1))
    for lane in lane_ids(3):
        own = [car.arrives_us // 1_000 for car in cars if car.lane_id == lane]
        assert min(b - a for a, b in pairwise(own)) >= HEADWAY_MS_MIN
        assert own[0] >= 5_000


def test_one_seed_is_one_day_and_a_lane_more_changes_no_other() -> None:
    """Each lane draws from its own stream."""
    profile = PROFILES["rush_hour"]
    assert times_of(profile, until_ms=MS_PER_HOUR) == times_of(profile, until_ms=MS_PER_HOUR)
    alone, both = (
        [
            (car.arrives_us, car.behaviour.name)
            for car in arrivals(
                profile, lane_ids(n), Streams(1).of, from_ms=0, until_ms=MS_PER_HOUR
            )
            if car.lane_id == "001"
        ]
        for n in (1, 2)
    )
    assert alone == both


def test_nothing_is_made_before_it_is_asked_for() -> None:
    """A thousand years of arrivals cost as much as the cars that are taken."""
    endless = arrivals(
        PROFILES["holiday"], lane_ids(2), Streams(1).of, from_ms=0, until_ms=365_000 * DAY_MS
    )
    assert len(list(islice(endless, 10))) == 10
