"""The people of a site in real time: edges and sights go to the drivers, what they do goes to the
road."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from functools import partial

from simulator.models.etc_reader import Tag
from simulator.people import (
    AskCash,
    Attendant,
    AttendantIntent,
    AttendantWake,
    AtWindow,
    BackOut,
    BackOutBlocked,
    Behaviour,
    CashBegin,
    CashTaken,
    CodeKind,
    DriveOn,
    Driver,
    DriverMemory,
    Gone,
    Intent,
    LaneSays,
    Looks,
    MoneyTaken,
    Percept,
    Queued,
    ShowCode,
    ShowCoupon,
    TakeMoney,
    TakenBy,
    Wake,
    Woken,
    paced,
    read_display,
)
from simulator.plant import LogEntry, PlantEdge, Vehicle, VehicleId, What
from simulator.site.desk import Desk, Word
from simulator.site.lane_site import LaneSite
from simulator.site.phones import Phones
from simulator.site.road import Road
from simulator.site.timing import Timings
from tolling.ids import LaneId
from tolling.messages import EntryFound
from tolling.paycodes import Wallet

STALL_MM = 1_000
"""A stalling driver's front stands this far behind the boom line."""


class _Person:
    """A driver in the lane, with his timers."""

    def __init__(
        self,
        driver: Driver,
        lane: LaneId,
        vehicle: Vehicle,
        tag: Tag | None,
        ticket: EntryFound | None,
    ) -> None:
        self.driver = driver
        self.ticket = ticket
        self.lane = lane
        self.vehicle = vehicle
        self.tag = tag
        self.timers: dict[str, asyncio.TimerHandle] = {}
        self.etc_noticed: set[str] = set()

    @property
    def buyer(self) -> str:
        """The name of his wallet."""
        return f"driver-{self.driver.vehicle_id}"


class Crowd:
    """All drivers and attendants."""

    def __init__(
        self,
        road: Road,
        lanes: Mapping[LaneId, LaneSite],
        phones: Phones,
        desk: Desk,
        timings: Timings,
        *,
        seed: int,
        percent: int = 100,
    ) -> None:
        """Make the people; they take *percent* of the usual time for everything."""
        self._road = road
        self._lanes = lanes
        self._phones = phones
        self._desk = desk
        self._timings = timings
        self._seed = seed
        self.percent = percent
        self._people: dict[int, _Person] = {}
        self._present: dict[LaneId, list[int]] = {lane: [] for lane in lanes}
        self._looks: dict[LaneId, Looks] = {}
        self._attendants = {
            lane: Attendant(dice=random.Random(f"{seed}/attendant/{lane}"), percent=percent)
            for lane in lanes
        }
        self._attendant_timers: dict[LaneId, asyncio.TimerHandle] = {}
        self.gone = 0
        """Vehicles that have left the site."""
        road.listen(self._turn)

    @property
    def spawned(self) -> int:
        """Return how many vehicles came so far."""
        return len(self._people)

    def spawn(
        self,
        lane: LaneId,
        vehicle: Vehicle,
        behaviour: Behaviour,
        *,
        entry: EntryFound | None = None,
        tag_balance_fen: int | None = None,
        wallet: Wallet | None = None,
        coupon: str | None = None,
    ) -> None:
        """Bring a vehicle with its driver to *lane*; *entry*: what its tag and ticket know.
        *wallet*: on his phone; None: the next in turn. *tag_balance_fen*: None: his kind's.
        *coupon*: its text."""
        number = int(vehicle.vehicle_id)
        plate = vehicle.plate
        driver = Driver(
            vehicle_id=number,
            plate=None if plate is None else plate.text,
            behaviour=paced(behaviour, self.percent),
            dice=random.Random(f"{self._seed}/driver/{number}"),
        )
        tag = None
        if driver.has_tag:
            balance_fen = behaviour.tag_balance_fen if tag_balance_fen is None else tag_balance_fen
            tag = Tag(
                tag_id=f"TAG{number:013d}",
                balance_fen=balance_fen,
                plate=behaviour.tag_plate or plate,
                entry=entry,
            )
        person = _Person(driver, lane, vehicle, tag, entry)
        if wallet is not None:
            self._phones.carries(person.buyer, wallet)
        if behaviour.coupon is not None:
            self._phones.keeps_coupon(person.buyer, coupon)
        self._people[number] = person
        self._road.plant.arrive(lane, vehicle, self._road.now_us())
        self._road.touched()

    def ticket(self, vehicle_id: int) -> str | None:
        """Return the entry station on a driver's ticket; None: no such driver, or no ticket."""
        person = self._people.get(vehicle_id)
        return None if person is None or person.ticket is None else person.ticket.entry_station

    def memories(self) -> tuple[DriverMemory, ...]:
        """Return what every driver remembers, brought up to date with phones and tags."""
        for person in self._people.values():
            self._notice_money(person)
        return tuple(person.driver.memory for person in self._people.values())

    def close(self) -> None:
        """Stop all timers."""
        for person in self._people.values():
            for timer in person.timers.values():
                timer.cancel()
        for timer in self._attendant_timers.values():
            timer.cancel()

    # -- what they notice -------------------------------------------------------------------------

    def _turn(self, edges: tuple[PlantEdge, ...], entries: tuple[LogEntry, ...]) -> None:
        del entries
        for edge in edges:
            self._edge(edge)
        for lane in self._lanes:
            self._look(lane)

    def _edge(self, edge: PlantEdge) -> None:
        person = None if edge.vehicle_id is None else self._people.get(int(edge.vehicle_id))
        if person is None:
            return
        if edge.what is What.ON_ROAD:
            self._on_road(person, edge)
        elif edge.what is What.AT_WINDOW:
            self._tell(person, AtWindow(at_us=edge.at_us, on=edge.on))
            if not edge.on:
                # Nobody hands money to a vehicle that drives off.
                attendant = self._attendants[person.lane]
                left = attendant.gone(person.driver.vehicle_id, edge.at_us)
                self._attend(person.lane, left)
        elif edge.what is What.STOPPED and edge.on and self._is_behind(person):
            self._tell(person, Queued(at_us=edge.at_us))
        elif edge.what is What.LOOP_1 and edge.on:
            site = self._lanes[edge.lane]
            site.camera.sees(person.vehicle.plate)
            if person.tag is not None:
                site.etc.tag_enters(person.tag)

    def _on_road(self, person: _Person, edge: PlantEdge) -> None:
        present = self._present[person.lane]
        if edge.on:
            present.append(person.driver.vehicle_id)
            self._do(person, person.driver.begin())
            look = self._looks.get(person.lane)
            if look is not None:
                self._tell(person, look)
            return
        present.remove(person.driver.vehicle_id)
        self.gone += 1
        for timer in person.timers.values():
            timer.cancel()
        person.timers.clear()
        if person.tag is not None:
            self._lanes[person.lane].etc.tag_leaves(person.tag.tag_id)
        self._notice_money(person)
        self._tell(person, Gone(at_us=edge.at_us))
        attendant = self._attendants[person.lane]
        left = attendant.gone(person.driver.vehicle_id, self._road.now_us())
        self._attend(person.lane, left)

    def _is_behind(self, person: _Person) -> bool:
        return self._present[person.lane][:1] != [person.driver.vehicle_id]

    def _look(self, lane: LaneId) -> None:
        view = self._road.plant.view(lane)
        before = self._looks.get(lane)
        seen = read_display(view.display)
        same = before is not None and (before.display, before.boom_up, before.green) == (
            seen,
            view.boom_up,
            view.lane_green,
        )
        if same:
            return
        look = Looks(
            at_us=self._road.now_us(), display=seen, boom_up=view.boom_up, green=view.lane_green
        )
        self._looks[lane] = look
        for number in tuple(self._present[lane]):
            self._tell(self._people[number], look)

    def _notice_money(self, person: _Person) -> None:
        now_ns = self._road.now_ns()
        for moved in self._phones.movements(person.buyer, now_ns):
            self._tell(
                person,
                MoneyTaken(
                    at_us=moved.at_us,
                    by=TakenBy.PHONE,
                    amount_fen=moved.amount_fen,
                    reference=moved.reference,
                ),
            )
        if person.tag is None:
            return
        for charge in self._lanes[person.lane].etc.model.books:
            new = charge.reference not in person.etc_noticed
            if charge.tag_id == person.tag.tag_id and new and charge.txn_id is not None:
                person.etc_noticed.add(charge.reference)
                self._tell(
                    person,
                    MoneyTaken(
                        at_us=charge.at_ns // 1_000,
                        by=TakenBy.ETC,
                        amount_fen=charge.amount_fen,
                        reference=charge.txn_id,
                    ),
                )

    def _tell(self, person: _Person, percept: Percept) -> None:
        self._do(person, person.driver.on(percept))

    # -- what they do -----------------------------------------------------------------------------

    def _do(self, person: _Person, intents: tuple[Intent, ...]) -> None:
        for intent in intents:
            if isinstance(intent, Wake):
                self._wake(person, intent)
            elif isinstance(intent, ShowCode):
                self._show_code(person, intent)
            elif isinstance(intent, ShowCoupon):
                self._lanes[person.lane].scanner.present(self._phones.coupon_of(person.buyer))
            elif isinstance(intent, AskCash):
                attendant = self._attendants[person.lane]
                asked = attendant.asked(
                    person.driver.vehicle_id, intent.toll_fen, self._road.now_us()
                )
                self._attend(person.lane, asked)
            elif isinstance(intent, DriveOn):
                self._drive_on(person, intent)
            else:
                assert isinstance(intent, BackOut)
                self._back_out(person)

    def _wake(self, person: _Person, wake: Wake) -> None:
        before = person.timers.pop(wake.timer, None)
        if before is not None:
            before.cancel()
        delay_s = max(wake.at_us - self._road.now_us(), 0) / 1e6
        person.timers[wake.timer] = asyncio.get_running_loop().call_later(
            delay_s, self._woken, person, wake.timer
        )

    def _woken(self, person: _Person, timer: str) -> None:
        person.timers.pop(timer, None)
        self._tell(person, Woken(at_us=self._road.now_us(), timer=timer))

    def _show_code(self, person: _Person, show: ShowCode) -> None:
        now_ns = self._road.now_ns()
        code = self._phones.hold_up(person.buyer, person.lane, show, now_ns)
        scanner = self._lanes[person.lane].scanner
        self._timings.shown(person.lane, person.driver.vehicle_id, show)
        if show.code is CodeKind.GLUED:
            code += code
        twice, half = show.code is CodeKind.TWICE, show.code is CodeKind.HALF
        for delivered in scanner.present(code, twice=twice, half=half):
            self._phones.delivered(person.buyer, delivered)

    def _drive_on(self, person: _Person, intent: DriveOn) -> None:
        geometry = self._lanes[person.lane].config.geometry()
        self._road.plant.drive_on(
            VehicleId(person.driver.vehicle_id),
            self._road.now_us(),
            closely=intent.closely,
            stop_at_mm=geometry.boom_mm + STALL_MM if intent.stall else None,
        )
        self._road.touched()

    def _back_out(self, person: _Person) -> None:
        number = VehicleId(person.driver.vehicle_id)
        now_us = self._road.now_us()
        if not self._road.plant.back_out(number, now_us):
            self._tell(person, BackOutBlocked(at_us=now_us))
        self._road.touched()

    # -- the attendants ---------------------------------------------------------------------------

    def _attend(self, lane: LaneId, intents: tuple[AttendantIntent, ...]) -> None:
        for intent in intents:
            if isinstance(intent, AttendantWake):
                self._attendant_wake(lane, intent)
            elif isinstance(intent, TakeMoney):
                self._take_money(intent)
            elif isinstance(intent, CashBegin):
                self._say(lane, Word.CASH_BEGIN, intent.vehicle_id, None)
            else:
                assert isinstance(intent, CashTaken)
                self._say(lane, Word.CASH_TAKEN, intent.vehicle_id, intent.amount_fen)

    def _say(self, lane: LaneId, word: Word, vehicle_id: int, amount_fen: int | None) -> None:
        self._desk.say(lane, word, vehicle_id, amount_fen, partial(self._answered, lane))

    def _answered(self, lane: LaneId, says: LaneSays, toll_fen: int | None) -> None:
        attendant = self._attendants[lane]
        self._attend(lane, attendant.answered(says, self._road.now_us(), toll_fen=toll_fen))

    def _take_money(self, intent: TakeMoney) -> None:
        person = self._people[intent.vehicle_id]
        self._tell(
            person,
            MoneyTaken(
                at_us=self._road.now_us(),
                by=TakenBy.CASH,
                amount_fen=intent.amount_fen,
                reference="",
            ),
        )

    def _attendant_wake(self, lane: LaneId, wake: AttendantWake) -> None:
        before = self._attendant_timers.pop(lane, None)
        if before is not None:
            before.cancel()
        delay_s = max(wake.at_us - self._road.now_us(), 0) / 1e6
        self._attendant_timers[lane] = asyncio.get_running_loop().call_later(
            delay_s, self._attendant_woken, lane
        )

    def _attendant_woken(self, lane: LaneId) -> None:
        self._attendant_timers.pop(lane, None)
        self._attend(lane, self._attendants[lane].woken(self._road.now_us()))
