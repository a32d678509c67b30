"""What a seed's world is made of, and which part of it is run: ``plan(seed, picks)``.

Everything is drawn in swarm style: each seed has other lanes, other drivers, another platform and
other kinds of faults, so that seeds differ in kind and not only in time. One seed gives one plan on
any machine. ``Picks`` name what of a plan stays, so that a failing seed made smaller is still told
in one command.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from random import Random
from typing import Any

from simulator.people import BEHAVIOURS, COUPON_KINDS, ETC_KINDS, EVERYDAY_MIX, UNRULY_MIX
from simulator.plant import PowerFail
from simulator.world.build import WorldConfig, lane_ids
from simulator.world.faults import DeviceTroubleAt, WorldFault, kind_of, lane_name
from simulator.world.platforms import ALL_WALLETS, PLATFORM_OF
from simulator.world.site import Car
from simulator.world.streams import Streams
from simulator.world.swarm import draw_faults
from simulator.world.traffic import draw_cars, hand_out_coupons, hand_out_tags
from tolling.paycodes import Wallet

LANES = (2, 3)
"""Lanes a seed draws from."""
VEHICLES_MIN = 20
VEHICLES_SPREAD = 9
"""20..28: many enough to meet each other, few enough for a few seconds a seed."""
FAULT_KINDS_MIN = 3
GAPS_MS = (4_000, 7_000, 10_000, 15_000)
"""Between two vehicles of a lane, in the mean: from a queue that never ends to an idle lane."""
LATENCIES_MS = (50, 300, 600, 600, 1_200, 2_200)
JITTERS_MS = (0, 0, 200, 800)
"""Of the platform. 600 ms is usual (facts, payments), so it stands twice."""
UNATTENDED_OF_10 = 2
PLAZAS = (1, 1, 1, 2)
"""Processes of the plaza on one store."""
WALLETS = (
    ALL_WALLETS,
    ALL_WALLETS,
    (Wallet.ALIPAY, Wallet.WECHAT),
    (Wallet.ALIPAY,),
    (Wallet.WECHAT,),
)
"""On the drivers' phones, in turn; only their platforms exist."""
ODD_PERMILLE = (0, 40, 150)
"""Of the vehicles: motorcycles, lorries with a trailer on a bar."""
COUPON_PERMILLE = (0, 100, 350)
"""Of the drivers hold a coupon up before they pay."""
TAG_PERMILLE = (0, 0, 60, 200)
"""Of the drivers have a tag with too little on it, or one that is debited for nothing."""
TAIL_MS = 20_000
"""Faults begin until so long after the last vehicle is due."""
REDRAW_STRIDE = 1_000_003
"""From a seed to the one its faults are drawn with again where the first had too few kinds."""
DURATIONS = ("for_ms", "down_ms", "ms")
"""Fields of faults that a divisor shortens."""


class BadPicksError(ValueError):
    """Picks that name what a seed has not, or that nobody can read; its text says which."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class FaultPick:
    """One drawn fault that stays, perhaps shorter than drawn."""

    index: int
    """Its place among the seed's faults, from 0."""
    divisor: int = 1
    """Its durations are divided by this, 1 and up."""

    def __str__(self) -> str:
        return str(self.index) if self.divisor == 1 else f"{self.index}/{self.divisor}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picks:
    """What of a seed's plan is run; None keeps all of it."""

    vehicles: int | None = None
    """Draw so many vehicles in place of the seed's own number."""
    lanes: int | None = None
    """Draw for so many lanes in place of the seed's own number."""
    faults: tuple[FaultPick, ...] | None = None
    cars: tuple[int, ...] | None = None
    """Numbers of vehicles, from 1."""
    first_lanes: int | None = None
    """Build only so many lanes; cars and faults of the others are left out."""

    def flags(self) -> str:
        """Return the options of ``toll-sim fuzz`` that say this; empty where all is kept."""
        said = []
        if self.vehicles is not None:
            said.append(f"--vehicles {self.vehicles}")
        if self.lanes is not None:
            said.append(f"--lanes {self.lanes}")
        if self.faults is not None:
            said.append(f"--faults {','.join(map(str, self.faults)) or 'none'}")
        if self.cars is not None:
            said.append(f"--cars {','.join(map(str, self.cars)) or 'none'}")
        if self.first_lanes is not None:
            said.append(f"--first-lanes {self.first_lanes}")
        return " ".join(said)


ALL = Picks()


def plan(seed: int, picks: Picks = ALL) -> WorldConfig:
    """Return the world of a seed, or the part of it that *picks* keep.

    Raises: BadPicksError: a fault, car or lane is named that the seed has not.
    """
    streams = Streams(seed)
    dice = streams.of("plan")
    lanes = LANES[dice.randrange(len(LANES))]
    vehicles = VEHICLES_MIN + dice.randrange(VEHICLES_SPREAD)
    mix = _mix(dice)
    gap_ms = GAPS_MS[dice.randrange(len(GAPS_MS))]
    latency_ms = LATENCIES_MS[dice.randrange(len(LATENCIES_MS))]
    jitter_ms = JITTERS_MS[dice.randrange(len(JITTERS_MS))]
    attended = dice.randrange(10) >= UNATTENDED_OF_10
    plazas = PLAZAS[dice.randrange(len(PLAZAS))]
    odd_permille = ODD_PERMILLE[dice.randrange(len(ODD_PERMILLE))]
    power_fail = tuple(PowerFail)[dice.randrange(len(PowerFail))]
    wallets = WALLETS[dice.randrange(len(WALLETS))]
    lanes = lanes if picks.lanes is None else picks.lanes
    vehicles = vehicles if picks.vehicles is None else picks.vehicles
    cars = draw_cars(
        lanes=lane_ids(lanes),
        vehicles=vehicles,
        mix=mix,
        gap_ms=gap_ms,
        dice=streams.of("traffic"),
        odd_permille=odd_permille,
        odd_dice=streams.of("odd vehicles"),
    )
    coupon_dice = streams.of("coupons")
    permille = COUPON_PERMILLE[coupon_dice.randrange(len(COUPON_PERMILLE))]
    cars = hand_out_coupons(cars, coupon_dice, permille)
    tag_dice = streams.of("tags")
    permille = TAG_PERMILLE[tag_dice.randrange(len(TAG_PERMILLE))]
    cars = hand_out_tags(cars, tag_dice, permille)
    until_ms = max((car.arrives_us // 1_000 for car in cars), default=0) + TAIL_MS
    whole = WorldConfig(
        lanes=lanes,
        vehicles=vehicles,
        mix=mix,
        gap_ms=gap_ms,
        latency_ms=latency_ms,
        latency_jitter_ms=jitter_ms,
        attended=attended,
        plazas=plazas,
        odd_permille=odd_permille,
        power_fail=power_fail,
        faults=_faults(seed, lanes, plazas, until_ms, wallets),
        cars=cars,
        wallets=wallets,
    )
    return pick(whole, picks)


def _mix(dice: Random) -> dict[str, int]:
    kind = dice.randrange(10)
    if kind < 3:
        return dict(EVERYDAY_MIX)
    if kind < 6:
        return dict(UNRULY_MIX)
    # A few kinds of drivers, each often, among such as pay.
    usual = sorted(set(BEHAVIOURS) - set(COUPON_KINDS) - set(ETC_KINDS))
    names = dice.sample(usual, 3 + dice.randrange(5))
    return {"phone_ok": 10, **{name: 2 + dice.randrange(10) for name in names}}


def _faults(
    seed: int, lanes: int, plazas: int, until_ms: int, wallets: tuple[Wallet, ...]
) -> tuple[WorldFault, ...]:
    platforms = sorted({PLATFORM_OF[wallet] for wallet in wallets})
    attempt = 0
    while True:
        drawn = draw_faults(
            seed + attempt * REDRAW_STRIDE,
            lanes=lane_ids(lanes),
            until_ms=until_ms,
            plazas=plazas,
            platforms=platforms,
        )
        if len({kind_of(fault) for fault in drawn}) >= FAULT_KINDS_MIN:
            return drawn
        attempt += 1


# ---- a part of a plan ----


def pick(whole: WorldConfig, picks: Picks) -> WorldConfig:
    """Return the part of *whole* that is picked; the drawn order stays.

    Raises: BadPicksError: see ``plan``.
    """
    assert whole.cars is not None, "a plan names its cars"
    faults, cars, lanes = whole.faults, whole.cars, whole.lanes
    if picks.faults is not None:
        bad = [each for each in picks.faults if not 0 <= each.index < len(faults)]
        if bad:
            raise BadPicksError(f"--faults {bad[0]}: the seed has faults 0..{len(faults) - 1}")
        faults = tuple(_shorter(faults[each.index], each.divisor) for each in picks.faults)
    if picks.cars is not None:
        known = {int(car.vehicle.vehicle_id) for car in cars}
        missing = sorted(set(picks.cars) - known)
        if missing:
            raise BadPicksError(f"--cars {missing[0]}: the seed has cars 1..{len(known)}")
        cars = tuple(car for car in cars if car.vehicle.vehicle_id in picks.cars)
    if picks.first_lanes is not None:
        if not 1 <= picks.first_lanes <= lanes:
            raise BadPicksError(f"--first-lanes {picks.first_lanes}: the seed has {lanes} lanes")
        lanes = picks.first_lanes
        left = set(lane_ids(lanes))
        cars = tuple(car for car in cars if car.lane_id in left)
        faults = tuple(fault for fault in faults if lanes_of(fault, whole.lanes) <= left)
    return replace(whole, lanes=lanes, vehicles=len(cars), cars=cars, faults=faults)


def lanes_of(fault: WorldFault, lanes: int) -> frozenset[str]:
    """Return which of a world's lanes a fault names; empty where it is the plaza's or
    the platform's."""
    if isinstance(fault, DeviceTroubleAt):
        return frozenset({fault.lane_id})
    texts = [getattr(fault, each.name) for each in fields(fault)]
    named = [text for text in texts if isinstance(text, str)]
    return frozenset(
        lane
        for lane in lane_ids(lanes)
        if any(re.search(rf"\b{re.escape(lane_name(lane))}\b", text) for text in named)
    )


def _shorter(fault: WorldFault, divisor: int) -> WorldFault:
    """Return the fault with its durations divided; those within its model's fault as well."""
    return fault if divisor == 1 else _shortened(fault, divisor)


def _shortened(value: Any, divisor: int) -> Any:
    changes: dict[str, object] = {}
    for each in fields(value):
        inner = getattr(value, each.name)
        if is_dataclass(inner):
            changes[each.name] = _shortened(inner, divisor)
        elif each.name in DURATIONS and isinstance(inner, int) and inner > 0:
            changes[each.name] = max(1, inner // divisor)
    return replace(value, **changes)


def can_shorten(fault: WorldFault) -> bool:
    """Return whether a divisor makes a difference to this fault."""
    return bool(_shortened(fault, 2) != fault)


# ---- picks as text ----


def read_fault_picks(text: str) -> tuple[FaultPick, ...]:
    """Return what ``--faults`` says: ``none``, or places from 0 with an optional divisor behind a
    slash, as in ``0,3/4``.

    Raises: BadPicksError: it cannot be read.
    """
    if text.strip() in ("", "none"):
        return ()
    picks = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,4})(?:/(\d{1,4}))?\s*", part)
        if found is None or int(found[2] or 1) < 1:
            raise BadPicksError(f"--faults {text}: write places such as 0,3 or 0,3/4, or none")
        picks.append(FaultPick(index=int(found[1]), divisor=int(found[2] or 1)))
    return tuple(sorted(set(picks)))


def read_car_picks(text: str) -> tuple[int, ...]:
    """Return what ``--cars`` says: ``none``, or numbers from 1.

    Raises: BadPicksError: it cannot be read.
    """
    if text.strip() in ("", "none"):
        return ()
    if re.fullmatch(r"\s*\d{1,6}(\s*,\s*\d{1,6})*\s*", text) is None:
        raise BadPicksError(f"--cars {text}: write numbers such as 2,5, or none")
    return tuple(sorted({int(part) for part in text.split(",")}))


def describe(config: WorldConfig) -> list[str]:
    """Return a world's make-up in lines for a person."""
    assert config.cars is not None
    drivers = ", ".join(_driver(car) for car in config.cars) or "nobody"
    lines = [
        f"{_many(config.lanes, 'lane')}, {_many(len(config.cars), 'car')},"
        f" {_many(config.plazas, 'plaza')}, platform {config.latency_ms} ms, "
        + ("attended" if config.attended else "unattended")
        + f", {' and '.join(config.wallets)}",
        f"drivers: {drivers}",
    ]
    lines += [f"fault {place}: {fault_text(fault)}" for place, fault in enumerate(config.faults)]
    return lines


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _driver(car: Car) -> str:
    coupon = "" if car.behaviour.coupon is None else f" with a {car.behaviour.coupon} coupon"
    return f"{car.vehicle.vehicle_id} {car.behaviour.name}{coupon} (lane {car.lane_id})"


def fault_text(fault: WorldFault) -> str:
    """Return one fault in words: when, what, where, how long."""
    at_ms: int | None = getattr(fault, "at_ms", None)
    when = "at a step" if at_ms is None else f"at {at_ms / 1000:.1f} s"
    return f"{when}: {kind_of(fault)} ({', '.join(_facts(fault))})"


def _facts(value: object) -> list[str]:
    said: list[str] = []
    assert is_dataclass(value)
    for each in fields(value):
        inner = getattr(value, each.name)
        if each.name in ("at_ms", "kind", "fate") or inner in (None, False, 0, (), ""):
            continue
        if is_dataclass(inner):
            said += _facts(inner)
        elif isinstance(inner, Mapping | tuple):
            said.append(f"{each.name} {', '.join(map(str, inner))}")
        else:
            said.append(f"{each.name} {inner}")
    return said
