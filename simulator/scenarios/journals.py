"""A lane's journal as a scenario: its day looked at again in virtual time.

The journal holds facts and sealed records. Records say which vehicles there were and how each was
settled; facts say when they came, what was scanned, what people ordered and which devices, links
and disks failed. What no journal can know (why a vehicle came late, what a wallet thought) is drawn
or left out, and the file says so. The world's own tariff is in force: tolls are not the day's.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from lane_controller.core.events import Event, Started
from lane_controller.store import LaneStore, open_journal
from simulator.plant import LaneGeometry, Plant, VehicleId, What, usual_vehicle
from simulator.scenarios.cars import usual_plate
from simulator.scenarios.expectations import NO_TENDER, Expectations
from simulator.scenarios.journal_drivers import (
    Stay,
    behaviour_of,
    is_phone,
    steps_of,
    whole_ms,
)
from simulator.scenarios.journal_faults import faults_of
from simulator.scenarios.scenario import Scenario, write_scenario
from simulator.scenarios.steps import Step
from simulator.world.build import WorldConfig
from simulator.world.clock import WALL_BASE_MS
from simulator.world.lane_process import START_NS
from simulator.world.site import Car
from simulator.world.traffic import ENTERED_BEFORE_MS, FIRST_CAR_MS, STATIONS
from tolling.canonical import from_canonical
from tolling.clock import NS_PER_MS, ClockQuality
from tolling.errors import BadInputError, JournalError
from tolling.ids import LaneId
from tolling.messages import EntryFound
from tolling.tariffs import EntrySource
from tolling.vehicles import Plate, PlateColour, VehicleClass

PHONE_OF_ALL = "alipay"
"""The one wallet of the phones in a scenario made of a journal."""
NS_PER_US = 1_000
US_PER_MS = 1_000
RECORDS_AT_ONCE = 1_000
LANE = LaneId("001")
"""The lane's number in the scenario, whatever it was on the road."""
EPOCH_MAX = 999
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One fact at its moment in the scenario."""

    at_us: int
    event: Event


def scenario_of_journal(path: Path, *, seed: int, name: str) -> str:
    """Return a scenario file of the journal at *path*.

    Args:   seed: draws what the journal does not say.
    Raises: JournalError: it is no journal, or holds nothing to look at.
    """
    store = open_journal(f"sqlite:///{path}", read_only=True)
    try:
        timed = timeline_of(read_events(store))
        bodies = list(_records(store))
    finally:
        store.close()
    if not timed:
        raise JournalError(where=str(path), what="holds no event", do="Give a lane's own journal")
    made, heading = _scenario(timed, bodies, seed=seed, name=name)
    return write_scenario(made, heading=heading)


def read_events(store: LaneStore) -> list[Event]:
    """Return every event of every segment held, in order. Raises: JournalError."""
    events: list[Event] = []
    for number in store.segments():
        segment, rows = store.segment(number)
        try:
            events += [from_canonical(Event, row.body) for row in rows]
        except BadInputError as error:
            raise JournalError(
                where=f"journal segment {number}",
                what=f"an event cannot be read: {error}",
                do=f"Use the program with core {segment.core_version}, which wrote it",
            ) from None
    return events


def timeline_of(events: list[Event]) -> list[Timed]:
    """Return the events on the scenario's clock: the lane's own, and its time down between.

    The lane's clock stands from a life's last event to the next start.
    """
    timed: list[Timed] = []
    before: Event | None = None
    at_ns = START_NS
    for event in events:
        if before is not None:
            passed_ns = max(0, event.at_ns - before.at_ns)
            if isinstance(event.fact, Started):
                passed_ns = max(passed_ns, _gap_ms(event.fact, before, event) * NS_PER_MS)
            at_ns += passed_ns
        timed.append(Timed(at_us=at_ns // NS_PER_US, event=event))
        before = event
    return timed


def _gap_ms(fact: Started, before: Event, event: Event) -> int:
    """Return how long it is from the last event of a life to the start of the next.

    The time from that event to the death of the process is in no journal; good wall clocks know it.
    """
    down_ms = fact.downtime_ms or 0
    good = ClockQuality.SYNCED
    if before.wall.quality is not good or event.wall.quality is not good:
        return down_ms
    return max(down_ms, event.wall.utc_ms - before.wall.utc_ms)


def _records(store: LaneStore) -> Iterator[dict[str, Any]]:
    anchor = store.image().anchor
    if anchor is None:
        return
    for epoch in range(min(anchor.epoch, EPOCH_MAX) + 1):
        after = 0
        while found := store.records_after(epoch, after, RECORDS_AT_ONCE):
            yield from (json.loads(sealed.body) for sealed in found)
            after = found[-1].seq


# ---- the scenario ----


def _scenario(
    timed: list[Timed], bodies: list[dict[str, Any]], *, seed: int, name: str
) -> tuple[Scenario, list[str]]:
    at_us_of = {each.event.wall.utc_ms: each.at_us for each in reversed(timed)}
    here = [body for body in bodies if body["arrived"]["utc_ms"] in at_us_of]
    stays = _stays(here, at_us_of, timed)
    first_us = min((stay.at_us - _approach_us(stay.vehicle_class) for stay in stays), default=0)
    shift_us = max(0, FIRST_CAR_MS * US_PER_MS - first_us)
    cars = tuple(_car(number, stay, shift_us) for number, stay in enumerate(stays, 1))
    steps = tuple(
        replace(step, at_us=step.at_us + shift_us)
        for step in steps_of([(each.at_us, each.event.fact) for each in timed], LANE)
    )
    faults = faults_of([(each.at_us + shift_us, each.event.fact) for each in timed], LANE)
    config = WorldConfig(lanes=1, attended=_attended(here), cars=cars, faults=faults)
    scenario = Scenario(
        name=name,
        seed=seed,
        config=config,
        steps=steps,
        expected=_expected(here),
    )
    return scenario, _heading(timed, bodies, here, steps)


def _attended(bodies: list[dict[str, Any]]) -> bool:
    return not bodies or sum(body["attended"] for body in bodies) * 2 >= len(bodies)


def _expected(bodies: list[dict[str, Any]]) -> Expectations:
    """Return how the day was settled: the run must settle it so again."""
    tenders: Counter[str] = Counter()
    for body in bodies:
        tender = body["legs"][0]["tender"] if body["legs"] else NO_TENDER
        tenders[PHONE_OF_ALL if is_phone(tender) else tender] += 1
    return Expectations(records=len(bodies), tenders=dict(sorted(tenders.items())))


def _heading(
    timed: list[Timed],
    bodies: list[dict[str, Any]],
    here: list[dict[str, Any]],
    steps: tuple[Step, ...],
) -> list[str]:
    first = _EPOCH + timedelta(milliseconds=timed[0].event.wall.utc_ms)
    lane = f"lane {here[0]['lane_id']} of plaza {here[0]['plaza_id']}" if here else "a lane"
    lines = [
        f"Made of the journal of {lane}: {len(timed)} events from {first:%Y-%m-%d %H:%M} UTC on.",
        "Lane 001 stands for it; tolls are those of the world's tariff.",
        f"{len(here)} vehicles, {len(steps)} commands of people.",
    ]
    wallets = Counter(leg["tender"] for body in here for leg in body["legs"])
    others = sorted(name for name in wallets if is_phone(name) and name != PHONE_OF_ALL)
    if others:
        paid = ", ".join(f"{wallets[name]} by {name}" for name in others)
        lines.append(f"All phones pay by {PHONE_OF_ALL} here; on the road {paid}.")
    if len(bodies) > len(here):
        lost = len(bodies) - len(here)
        lines.append(f"{lost} more records are older than the events held and are left out.")
    return lines


def _stays(
    bodies: list[dict[str, Any]], at_us_of: dict[int, int], timed: list[Timed]
) -> list[Stay]:
    """Return each vehicle's stay with the facts that fell into it, in the order of arrival."""
    arrivals = sorted(bodies, key=lambda body: at_us_of[body["arrived"]["utc_ms"]])
    moments = [each.at_us for each in timed]
    stays = []
    for place, body in enumerate(arrivals):
        at_us = at_us_of[body["arrived"]["utc_ms"]]
        until_us = at_us_of.get(body["sealed"]["utc_ms"], at_us + body["dwell_ms"] * US_PER_MS)
        following = arrivals[place + 1 : place + 2]
        if following:
            # Behind the next vehicle's coming, codes are the next one's.
            until_us = min(until_us, at_us_of[following[0]["arrived"]["utc_ms"]])
        during = timed[bisect_left(moments, at_us) : bisect_right(moments, until_us)]
        facts = tuple((each.at_us, each.event.fact) for each in during)
        vehicle_class = VehicleClass(body["vehicle_class"])
        stays.append(Stay(at_us=at_us, body=body, vehicle_class=vehicle_class, facts=facts))
    return stays


def _car(number: int, stay: Stay, shift_us: int) -> Car:
    body, vehicle_class = stay.body, stay.vehicle_class
    read = body["plate"]
    plate = None
    if read is not None:
        colour = PlateColour(read["colour"])
        plate = Plate(text=read["text"], colour=colour)
    quote = body["quote"]
    station = None if quote is None else quote["entry_station"]
    known = station in {name for name, _ in STATIONS}
    entry = EntryFound(
        entry_station=station if known and station else usual_station(number),
        entered_ms=WALL_BASE_MS - ENTERED_BEFORE_MS,
        vehicle_class=vehicle_class,
        source=EntrySource.MEDIUM,
    )
    return Car(
        lane_id=LANE,
        vehicle=usual_vehicle(VehicleId(number), plate, vehicle_class),
        behaviour=behaviour_of(stay),
        arrives_us=max(0, whole_ms(stay.at_us + shift_us - _approach_us(vehicle_class))),
        entry=entry,
    )


def usual_station(number: int) -> str:
    """Return an entry of the world's tariff for a vehicle whose own is not in it."""
    return STATIONS[number % len(STATIONS)][0]


@cache
def _approach_us(vehicle_class: VehicleClass) -> int:
    """Return how long a vehicle of a class drives from the lane's beginning to loop 1."""
    plant = Plant({LANE: LaneGeometry()})
    vehicle = usual_vehicle(VehicleId(1), usual_plate(1), vehicle_class)
    plant.arrive(LANE, vehicle, 0)
    while (due_us := plant.next_edge_us()) is not None:
        for edge in plant.advance(due_us):
            if edge.what is What.LOOP_1 and edge.on:
                return edge.at_us
    raise AssertionError("a vehicle that drives in comes to loop 1")
