"""Who comes: vehicles, their plates, entries and drivers, drawn from the seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from simulator.people import (
    BEHAVIOURS,
    ETC_KINDS,
    Behaviour,
    CouponKind,
    Leaving,
    draw_behaviour,
)
from simulator.plant import LaneGeometry, VehicleId, drawbar_train, motorcycle, usual_vehicle
from simulator.world.clock import WALL_BASE_MS
from simulator.world.site import Car
from tolling.ids import LaneId
from tolling.messages import EntryFound
from tolling.tariffs import TOLL_MAX_FEN, EntrySource, TariffRow, TariffSet
from tolling.vehicles import Plate, PlateColour, VehicleClass

STATIONS = (("3202001", 18_000), ("3202002", 46_000), ("3301007", 121_000))
"""Entry stations and how far they are, in metres."""
FEN_PER_KM = 45
"""0.45 yuan per kilometre for a car."""
_TRUCK = {0: 10, 1: 16, 2: 20}
"""Tenths of the car's rate by class family."""
CLASSES: Mapping[VehicleClass, int] = {
    VehicleClass.CAR_1: 76,
    VehicleClass.CAR_2: 4,
    VehicleClass.CAR_3: 3,
    VehicleClass.TRUCK_1: 8,
    VehicleClass.TRUCK_3: 5,
    VehicleClass.TRUCK_6: 4,
}
"""How often each class comes."""
PLATE_SERIES = "BCEFGHJKLM"
"""Letters of the towns, each for 100,000 vehicles of a run."""
NO_PLATE_PERMILLE = 20
NO_ENTRY_PERMILLE = 60
FIRST_CAR_MS = 3_000
"""Lanes and plaza have met by then."""
ENTERED_BEFORE_MS = 3_600_000


def make_tariff(rows: tuple[TariffRow, ...] = (), *, wall_base_ms: int = WALL_BASE_MS) -> TariffSet:
    """Return the first tariff of a run, an hour in force at *wall_base_ms*: *rows*, or the world's
    own of every station and every class."""
    return changed_tariff(
        version=1,
        percent=100,
        from_ms=wall_base_ms - 3_600_000,
        now_ms=wall_base_ms - 86_400_000,
        rows=rows,
    )


def changed_tariff(
    *, version: int, percent: int, from_ms: int, now_ms: int, rows: tuple[TariffRow, ...] = ()
) -> TariffSet:
    """Return a version of a tariff: *percent* of the tolls of *rows* from *from_ms* on; without
    rows, of the world's own usual ones."""
    made = _usual_rows(percent) if not rows else _scaled_rows(rows, percent)
    return TariffSet(
        tariff_id="world",
        version=version,
        made_at_ms=now_ms,
        effective_from_ms=from_ms,
        rows=made,
    )


def _scaled_rows(rows: tuple[TariffRow, ...], percent: int) -> tuple[TariffRow, ...]:
    return tuple(
        replace(row, toll_fen=min(row.toll_fen * percent // 100, TOLL_MAX_FEN)) for row in rows
    )


def _usual_rows(percent: int) -> tuple[TariffRow, ...]:
    rows: list[TariffRow] = []
    for station, distance_m in STATIONS:
        for vehicle_class in VehicleClass:
            tenths = _TRUCK[vehicle_class // 10] + 2 * (vehicle_class % 10 - 1)
            usual_fen = distance_m * FEN_PER_KM * tenths // 10_000
            toll = max(100, usual_fen * percent // 10_000 * 100)
            rows.append(
                TariffRow(
                    row=len(rows) + 1,
                    entry_station=station,
                    vehicle_class=vehicle_class,
                    toll_fen=toll,
                    distance_m=distance_m,
                )
            )
    return tuple(rows)


def draw_cars(
    *,
    lanes: Sequence[LaneId],
    vehicles: int,
    mix: Mapping[str, int],
    gap_ms: int,
    dice: Random,
    odd_permille: int = 0,
    odd_dice: Random | None = None,
) -> tuple[Car, ...]:
    """Return *vehicles* cars dealt over *lanes* in turn, *gap_ms* apart in the mean on each.

    Args:   odd_permille: so many lorries pull a trailer on a bar, and so many cars are motorcycles;
                drawn from *odd_dice*, so that the others stay as they are.
    """
    due_ms = {lane: FIRST_CAR_MS + dice.randrange(2_000) for lane in lanes}
    cars = []
    for number in range(1, vehicles + 1):
        lane = lanes[(number - 1) % len(lanes)]
        car = make_car(
            lane=lane,
            number=number,
            behaviour=draw_behaviour(mix, dice),
            arrives_ms=due_ms[lane],
            dice=dice,
        )
        if odd_dice is not None and odd_dice.randrange(1000) < odd_permille:
            car = odd_one(car, odd_dice)
        cars.append(car)
        due_ms[lane] += gap_ms // 2 + dice.randrange(max(1, gap_ms))
    return tuple(cars)


def hand_out_coupons(cars: Sequence[Car], dice: Random, permille: int) -> tuple[Car, ...]:
    """Return the same cars, so many of whose drivers hold a coupon; all else stays as drawn."""
    kinds = tuple(CouponKind)
    found = []
    for car in cars:
        if dice.randrange(1000) < permille:
            kind = kinds[dice.randrange(len(kinds))]
            car = replace(car, behaviour=replace(car.behaviour, coupon=kind))
        found.append(car)
    return tuple(found)


def hand_out_tags(cars: Sequence[Car], dice: Random, permille: int) -> tuple[Car, ...]:
    """Return the same cars, so many of whose drivers have a tag that gives trouble; a coupon is
    kept, and so is whoever does not stop at all."""
    found = []
    for car in cars:
        if dice.randrange(1000) < permille:
            kind = BEHAVIOURS[ETC_KINDS[dice.randrange(len(ETC_KINDS))]]
            balance_fen = 100 + dice.randrange(2_000) if kind.rest is not None else None
            if car.behaviour.leaving is not Leaving.RUNS:
                kind = replace(kind, coupon=car.behaviour.coupon)
                if balance_fen is not None:
                    kind = replace(kind, tag_balance_fen=balance_fen)
                car = replace(car, behaviour=kind)
        found.append(car)
    return tuple(found)


def odd_one(car: Car, dice: Random) -> Car:
    """Return a lorry with a trailer behind it, or a motorcycle in place of a car.

    A motorcycle the loops do not see rides past the boom: nobody would serve it.
    """
    vehicle = car.vehicle
    if vehicle.vehicle_class >= VehicleClass.TRUCK_3:
        train = drawbar_train(
            vehicle.vehicle_id,
            vehicle.plate,
            vehicle_class=vehicle.vehicle_class,
            bar_mm=1_000 + dice.randrange(3_400),
        )
        return replace(car, vehicle=train)
    if vehicle.vehicle_class is not VehicleClass.CAR_1:
        return car
    metal_percent = 5 + dice.randrange(35)
    small = motorcycle(vehicle.vehicle_id, vehicle.plate, metal_percent=metal_percent)
    seen = metal_percent >= LaneGeometry().loop_1_least_percent
    behaviour = car.behaviour if seen else BEHAVIOURS["runs_through"]
    return replace(car, vehicle=small, behaviour=behaviour)


def make_car(
    *,
    lane: LaneId,
    number: int,
    behaviour: Behaviour,
    arrives_ms: int,
    dice: Random,
    classes: Mapping[VehicleClass, int] = CLASSES,
) -> Car:
    """Return one vehicle of a drawn class, plate and entry."""
    vehicle_class = _draw_class(classes, dice)
    plate = _plate(number, dice)
    station, _ = STATIONS[dice.randrange(len(STATIONS))]
    unknown = dice.randrange(1000) < NO_ENTRY_PERMILLE
    entry = EntryFound(
        entry_station=station,
        entered_ms=WALL_BASE_MS + arrives_ms - ENTERED_BEFORE_MS,
        vehicle_class=vehicle_class,
        source=EntrySource.MEDIUM,
    )
    return Car(
        lane_id=lane,
        vehicle=usual_vehicle(VehicleId(number), plate, vehicle_class),
        behaviour=behaviour,
        arrives_us=arrives_ms * 1_000,
        entry=None if unknown else entry,
    )


def _draw_class(classes: Mapping[VehicleClass, int], dice: Random) -> VehicleClass:
    ticket = dice.randrange(sum(classes.values()))
    for vehicle_class, share in classes.items():
        ticket -= share
        if ticket < 0:
            return vehicle_class
    raise AssertionError("shares do not sum")


def _plate(number: int, dice: Random) -> Plate | None:
    if dice.randrange(1000) < NO_PLATE_PERMILLE:
        return None
    # Neighbours' plates look alike as rarely as on the road: one character may be misread.
    series, digits = PLATE_SERIES[number // 100_000 % len(PLATE_SERIES)], number * 7_919 % 100_000
    if dice.randrange(4) == 0:
        return Plate(text=f"苏{series}D{digits:05d}", colour=PlateColour.GREEN)
    return Plate(text=f"苏{series}{digits:05d}", colour=PlateColour.BLUE)
