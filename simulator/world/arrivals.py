"""Who comes when, over hours and days: profiles of a lane's traffic, and cars one after the other.

Cars are made when they are asked for: a day of 200 lanes holds one car per lane at a time. Gaps are
exponential at the rate of the hour and drawn in integers alone (von Neumann's comparison method),
so a seed gives the same day on any machine.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from simulator.people import BEHAVIOURS, draw_behaviour
from simulator.world.site import Car
from simulator.world.traffic import CLASSES, make_car
from tolling.ids import LaneId
from tolling.vehicles import VehicleClass

MS_PER_HOUR = 3_600_000
HOURS = 24
HEADWAY_MS_MIN = 2_000
"""No two vehicles turn into one lane closer together."""
_UNIT = 1 << 20

DAY_2017_MIX: dict[str, int] = {
    "phone_ok": 19,
    "slow_phone": 2,
    "needs_password": 2,
    "double_scan": 1,
    "expired_code": 1,
    "pays_etc": 300,
    "pays_cash": 675,
}
"""2.5 % by phone, as the 2017 report has it (5,000 scans a day in 200 lanes). That the rest is a
third ETC and two thirds cash is assumed: the report does not say."""
PHONE_MIX: dict[str, int] = {"phone_ok": 90, "slow_phone": 5, "needs_password": 5}
"""A lane for phones alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The traffic of one lane over a day."""

    name: str
    per_lane_day: int
    """Vehicles of one lane in 24 hours, in the mean."""
    hourly: tuple[int, ...]
    """Shares of the 24 hours, the first from midnight Beijing time; any scale."""
    mix: Mapping[str, int] = field(default_factory=lambda: dict(DAY_2017_MIX))
    """Kinds of drivers, ``simulator.people.BEHAVIOURS``, with shares."""
    classes: Mapping[VehicleClass, int] = field(default_factory=lambda: dict(CLASSES))
    """Vehicle classes with shares."""

    def __post_init__(self) -> None:
        assert len(self.hourly) == HOURS, "a day has 24 hours"
        assert min(self.hourly) >= 0 < sum(self.hourly), "shares: 0 and up, not all 0"
        assert self.per_lane_day > 0, "a profile has vehicles"
        unknown = sorted(set(self.mix) - set(BEHAVIOURS))
        assert not unknown, f"no such kinds of drivers: {unknown}"

    def per_hour(self, hour: int) -> int:
        """Return vehicles an hour, in thousandths, in hour *hour* of any day."""
        return self.per_lane_day * 1_000 * self.hourly[hour % HOURS] // sum(self.hourly)


_EVEN = (1,) * HOURS
_WORKDAY = (3, 2, 2, 2, 3, 8, 20, 45, 60, 50, 42, 40, 38, 40, 42, 45, 55, 62, 50, 35, 24, 16, 10, 6)
_RUSH = (1, 1, 1, 1, 2, 8, 40, 90, 90, 40, 20, 18, 18, 18, 20, 30, 70, 95, 80, 35, 15, 8, 4, 2)
_HOLIDAY = (
    10,
    8,
    6,
    6,
    8,
    20,
    45,
    70,
    85,
    90,
    90,
    85,
    80,
    80,
    85,
    90,
    90,
    85,
    75,
    60,
    45,
    30,
    20,
    14,
)
_NIGHT = (60, 55, 50, 50, 55, 40, 15, 8, 6, 6, 6, 6, 6, 6, 6, 6, 6, 8, 10, 15, 30, 45, 55, 60)
_LORRIES: dict[VehicleClass, int] = {
    VehicleClass.CAR_1: 20,
    VehicleClass.TRUCK_1: 10,
    VehicleClass.TRUCK_3: 20,
    VehicleClass.TRUCK_6: 50,
}
_FAMILIES: dict[VehicleClass, int] = {VehicleClass.CAR_1: 92, VehicleClass.CAR_2: 8}

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(name="day_2017", per_lane_day=1_000, hourly=_WORKDAY),
        Profile(name="rush_hour", per_lane_day=1_600, hourly=_RUSH),
        Profile(name="holiday", per_lane_day=2_400, hourly=_HOLIDAY, classes=_FAMILIES),
        Profile(name="night", per_lane_day=500, hourly=_NIGHT, classes=_LORRIES),
        Profile(name="saturated", per_lane_day=8_640, hourly=_EVEN, mix=PHONE_MIX),
    )
}
"""``day_2017`` in 200 lanes is 200,000 vehicles a day, 5,000 of them by phone. The shapes of the
hours are assumed. ``saturated`` sends a car every 10 s: more than a lane can serve."""


def exponential(dice: Random, mean: int) -> int:
    """Return a drawn waiting time of *mean*, 0 and up, by comparisons of integers alone."""
    rounds = 0
    while True:
        first = last = dice.randrange(_UNIT)
        falls = 1
        while (other := dice.randrange(_UNIT)) < last:
            last, falls = other, falls + 1
        if falls % 2 == 1:
            return (rounds * _UNIT + first) * mean // _UNIT
        rounds += 1


def arrival_times(profile: Profile, dice: Random, *, from_ms: int, hour_at_0: int) -> Iterator[int]:
    """Yield when the vehicles of one lane come, ms of world time, without end.

    Args:   hour_at_0: which hour of the day world time 0 is, 0..23.
    """
    most = max(profile.per_hour(hour) for hour in range(HOURS))
    mean_ms = MS_PER_HOUR * 1_000 // most
    at_ms, last_ms = from_ms, from_ms - HEADWAY_MS_MIN
    while True:
        at_ms += exponential(dice, mean_ms)
        hour = hour_at_0 + at_ms // MS_PER_HOUR
        if dice.randrange(most) >= profile.per_hour(hour):
            continue  # Thinned out: this hour is quieter than the busiest.
        last_ms = max(at_ms, last_ms + HEADWAY_MS_MIN)
        yield last_ms


def arrivals(
    profile: Profile,
    lanes: Sequence[LaneId],
    stream: Callable[[str], Random],
    *,
    from_ms: int,
    until_ms: int,
    hour_at_0: int = 8,
) -> Iterator[Car]:
    """Yield the vehicles of all lanes in order of time, each made when it is asked for.

    Args:   stream: gives each lane its own chance (``Streams.of``).
            hour_at_0: world time 0 is 08:00 in Beijing (``clock.WALL_BASE_MS``).
    """
    dice = {lane: stream(f"arrivals of {lane}") for lane in lanes}
    times = {
        lane: arrival_times(profile, dice[lane], from_ms=from_ms, hour_at_0=hour_at_0)
        for lane in lanes
    }
    due = [(next(times[lane]), lane) for lane in lanes]
    heapq.heapify(due)
    number = 0
    while due:
        at_ms, lane = heapq.heappop(due)
        if at_ms >= until_ms:
            continue
        number += 1
        yield make_car(
            lane=lane,
            number=number,
            behaviour=draw_behaviour(profile.mix, dice[lane]),
            arrives_ms=at_ms,
            dice=dice[lane],
            classes=profile.classes,
        )
        heapq.heappush(due, (next(times[lane]), lane))
