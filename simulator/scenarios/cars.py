"""Vehicles as a file says them: who comes when, in which lane, driven by whom.

``{lane: "001", at: 4s, behaviour: phone_ok}`` is enough: plate, class and entry have usual values,
and a behaviour is a name of ``simulator.people.BEHAVIOURS`` or such a name with changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, replace
from typing import Any

from simulator.people import BEHAVIOURS, EVERYDAY_MIX, UNRULY_MIX, Behaviour
from simulator.plant import Vehicle, VehicleId, usual_vehicle
from simulator.scenarios.derived import by_name, fields_of, key_for, key_of, shape_of
from simulator.scenarios.nodes import Node, Problems, Table, Text
from simulator.scenarios.shapes import (
    BAD,
    Key,
    MapOf,
    Maybe,
    OneOf,
    Record,
    Schema,
    Shape,
    Short,
    Span,
    Whole,
    Words,
)
from simulator.scenarios.writer import Plain
from simulator.world.clock import WALL_BASE_MS
from simulator.world.site import Car
from simulator.world.traffic import ENTERED_BEFORE_MS, STATIONS
from tolling.ids import LaneId
from tolling.messages import EntryFound
from tolling.tariffs import EntrySource
from tolling.vehicles import Plate, PlateColour, VehicleClass, parse_plate

LANE_WORD = Words(
    what="a lane", pattern=r"^[0-9]{3}$", hint='write its three digits in quotes, as "001"'
)
MIXES: dict[str, Mapping[str, int]] = {"everyday": EVERYDAY_MIX, "unruly": UNRULY_MIX}
"""Mixes of drivers with a name."""
_UNSAID = object()
"""Of a key that is not there."""
_CAR_NAMED = frozenset({"lane_id", "vehicle", "behaviour", "arrives_us", "entry"})
_VEHICLE_NAMED = frozenset({"vehicle_id", "plate", "vehicle_class"})


def changed_keys(kind: type, *, without: frozenset[str]) -> dict[str, Key]:
    """Return the keys of a dataclass's fields, less some; none of them must be there."""
    return {
        key_of(name): replace(key_for(name, hint, MISSING), default=_UNSAID)
        for name, (hint, _) in fields_of(kind).items()
        if name not in without
    }


def changes_of(read: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """Return the fields of *kind* that were said, by their names."""
    return {
        name: read[key_of(name)]
        for name in fields_of(kind)
        if read.get(key_of(name), _UNSAID) is not _UNSAID
    }


def differing(value: Any, usual: Any, *, without: frozenset[str]) -> dict[str, Any]:
    """Return the keys in which two values of a class differ, as *value* has them."""
    kind: Any = type(value)
    return {
        key_of(name): getattr(value, name)
        for name in fields_of(kind)
        if name not in without and getattr(value, name) != getattr(usual, name)
    }


class _PlateText(Shape):
    """A plate with the usual ground colour."""

    def read(self, node: Node, problems: Problems) -> Any:
        """Return the plate."""
        text = Words(what="a plate").read(node, problems)
        if text is BAD:
            return BAD
        plate = parse_plate(text, PlateColour.BLUE)
        if plate is None:
            problems.add(node.line, f"`{text[:40]}` is no plate: write one as 苏B00001, or none")
            return BAD
        return plate

    def write(self, value: Any) -> Plain:
        """Return the plate's text."""
        return str(value.text)

    def schema(self) -> Schema:
        """Return the JSON schema."""
        return {"type": "string"}


def _make_plate(read: dict[str, Any]) -> Plate:
    return Plate(text=read["text"].text, colour=read["colour"])


PLATE = Maybe(
    inner=Short(
        word=_PlateText(),
        table=Record(
            keys={"text": Key(shape=_PlateText()), "colour": Key(shape=shape_of(PlateColour))},
            what="plate",
            make=_make_plate,
            take=lambda plate: {"text": plate, "colour": plate.colour},
        ),
        from_word=lambda plate: plate,
        to_word=lambda plate: plate if plate.colour is PlateColour.BLUE else None,
    )
)


# ---- behaviours ----


def _behaviour_of(read: dict[str, Any]) -> Behaviour:
    return replace(BEHAVIOURS[read["like"]], **changes_of(read, Behaviour))


def _like(behaviour: Behaviour) -> str:
    return behaviour.name if behaviour.name in BEHAVIOURS else "phone_ok"


def _changes_of_behaviour(behaviour: Behaviour) -> dict[str, Any]:
    usual = BEHAVIOURS[_like(behaviour)]
    return {"like": usual.name, **differing(behaviour, usual, without=frozenset())}


KIND = OneOf(words=tuple(BEHAVIOURS), what="kind of driver")
BEHAVIOUR = Short(
    word=KIND,
    table=Record(
        keys={"like": Key(shape=KIND), **changed_keys(Behaviour, without=frozenset())},
        what="behaviour",
        make=_behaviour_of,
        take=_changes_of_behaviour,
    ),
    from_word=lambda name: BEHAVIOURS[name],
    to_word=lambda each: each.name if each == BEHAVIOURS.get(each.name) else None,
)
MIX = Short(
    word=OneOf(words=tuple(MIXES), what="mix"),
    table=MapOf(key=KIND, value=Whole(most=1_000_000)),
    from_word=lambda name: dict(MIXES[name]),
    to_word=lambda mix: next((n for n, known in MIXES.items() if dict(mix) == known), None),
)


# ---- entries ----

ENTRY = Maybe(
    inner=Record(
        keys={
            "station": Key(shape=Words(), default=STATIONS[0][0]),
            "entered_before": Key(
                shape=Span(unit_us=1_000, least_us=-(10**15)),
                default=ENTERED_BEFORE_MS,
                about="before the scenario's start",
            ),
            "class": Key(shape=by_name(VehicleClass), default=_UNSAID),
            "source": Key(shape=shape_of(EntrySource), default=EntrySource.MEDIUM),
        },
        what="entry",
    )
)
"""Read as a table: the vehicle's class is known only beside it."""


def _entry_of(read: dict[str, Any] | None, vehicle_class: VehicleClass) -> EntryFound | None:
    if read is None:
        return None
    entered = vehicle_class if read["class"] is _UNSAID else read["class"]
    return EntryFound(
        entry_station=read["station"],
        entered_ms=WALL_BASE_MS - read["entered_before"],
        vehicle_class=entered,
        source=read["source"],
    )


def _entry_table(entry: EntryFound | None, vehicle_class: VehicleClass) -> dict[str, Any] | None:
    if entry is None:
        return None
    same = entry.vehicle_class is vehicle_class
    return {
        "station": entry.entry_station,
        "entered_before": WALL_BASE_MS - entry.entered_ms,
        "class": _UNSAID if same else entry.vehicle_class,
        "source": entry.source,
    }


_USUAL_ENTRY = {
    "station": STATIONS[0][0],
    "entered_before": ENTERED_BEFORE_MS,
    "class": _UNSAID,
    "source": EntrySource.MEDIUM,
}


# ---- vehicles ----


@dataclass(frozen=True, slots=True, kw_only=True)
class CarLine:
    """One vehicle as its line says it; it becomes a Car when its number is known."""

    number: int | None
    make: Callable[[int], Car]


def usual_plate(number: int) -> Plate:
    """Return the plate of a vehicle that is given none."""
    return Plate(text=f"苏B{number % 100_000:05d}", colour=PlateColour.BLUE)


def _car_line(read: dict[str, Any]) -> CarLine:
    vehicle_class = read["class"]
    extra = changes_of(read, Car)
    entry = _entry_of(read["entry"], vehicle_class)
    body = {} if read["body"] is None else read["body"]

    def make(number: int) -> Car:
        plate = usual_plate(number) if read["plate"] is _UNSAID else read["plate"]
        usual = usual_vehicle(VehicleId(number), plate, vehicle_class)
        return Car(
            lane_id=LaneId(read["lane"]),
            vehicle=replace(usual, **body),
            behaviour=read["behaviour"],
            arrives_us=read["at"],
            entry=entry,
            **{name: value for name, value in extra.items() if name not in _CAR_NAMED},
        )

    make(read["id"] or 1)  # What cannot be a vehicle is told with its line.
    return CarLine(number=read["id"], make=make)


def _car_table(car: Car) -> dict[str, Any]:
    vehicle = car.vehicle
    usual = usual_vehicle(vehicle.vehicle_id, vehicle.plate, vehicle.vehicle_class)
    body = differing(vehicle, usual, without=_VEHICLE_NAMED)
    extra = {key_of(name): getattr(car, name) for name in fields_of(Car) if name not in _CAR_NAMED}
    return {
        "id": int(vehicle.vehicle_id),
        "lane": car.lane_id,
        "at": car.arrives_us,
        "behaviour": car.behaviour,
        "class": vehicle.vehicle_class,
        "plate": vehicle.plate,
        "entry": _entry_table(car.entry, vehicle.vehicle_class),
        "body": body or None,
        **extra,
    }


def _body_of(read: dict[str, Any]) -> dict[str, Any]:
    return changes_of(read, Vehicle)


BODY = Record(
    keys=changed_keys(Vehicle, without=_VEHICLE_NAMED),
    what="vehicle's body",
    make=_body_of,
)
VEHICLE = Record(
    keys={
        "id": Key(
            shape=Whole(least=1, most=10**9), default=None, about="its number; else its place"
        ),
        "lane": Key(shape=LANE_WORD, default="001"),
        "at": Key(shape=Span(unit_us=1), about="when it drives into the lane"),
        "behaviour": Key(shape=BEHAVIOUR, default=BEHAVIOURS["phone_ok"]),
        "class": Key(shape=by_name(VehicleClass), default=VehicleClass.CAR_1),
        "plate": Key(shape=PLATE, default=_UNSAID, about="none: it carries no plate"),
        "entry": Key(shape=ENTRY, default=_USUAL_ENTRY, about="none: its tag says no entry"),
        "body": Key(shape=BODY, default=None, about="what differs from the usual of its class"),
        **changed_keys(Car, without=_CAR_NAMED),
    },
    what="vehicle",
    make=_car_line,
    take=_car_table,
    title="one vehicle",
)


def write_car(car: Car) -> Plain:
    """Return the line of a vehicle."""
    return VEHICLE.write(car)


def number_cars(
    lines: tuple[CarLine, ...], rows: tuple[Node, ...], problems: Problems
) -> tuple[Car, ...]:
    """Return the vehicles: one without a number gets that of its place.

    Args: rows: the nodes of *lines*, for the line a number is given twice in.
    """
    cars: list[Car] = []
    first: dict[int, int] = {}
    for place, (line, row) in enumerate(zip(lines, rows, strict=True), 1):
        number = line.number or place
        if number in first:
            said = f"vehicle {number} comes twice; the first is in line {first[number]}"
            problems.add(row.line, f"{said}: give each its own id")
            continue
        first[number] = row.line
        cars.append(line.make(number))
    return tuple(cars)


SPAWN_KEYS = {
    "vehicles": Key(shape=Whole(most=1_000_000), about="how many, dealt over the lanes in turn"),
    "mix": Key(shape=MIX, default=dict(EVERYDAY_MIX), about="kinds of drivers with their shares"),
    "gap": Key(shape=Span(unit_us=1_000), default=14_000, about="between two in one lane, mean"),
}


def _spawn_of(read: dict[str, Any]) -> dict[str, Any]:
    if read["vehicles"] and not sum(read["mix"].values()):
        raise ValueError("the mix has no shares: give one kind of driver 1 or more")
    return read


SPAWN = Record(keys=SPAWN_KEYS, what="spawn", make=_spawn_of)


def lane_of(node: Node) -> Text | None:
    """Return where a vehicle's or a step's line says its lane."""
    if not isinstance(node, Table):
        return None
    found = (each.value for each in node.entries if each.key == "lane")
    value = next(found, None)
    return value if isinstance(value, Text) else None
