"""The outside in virtual time: road, vehicles and people bound to the heap.

The plant is advanced exactly to its own edges; every edge goes to the devices that see it and to
the people who do. Whoever changes something on the road (a relay, the display, a driver) lets the
site look again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from random import Random

from simulator.models.etc_reader import EtcCharge, Tag
from simulator.people import (
    AskCash,
    AtWindow,
    BackOut,
    BackOutBlocked,
    Behaviour,
    DriveOn,
    Driver,
    Gone,
    Intent,
    Looks,
    MoneyTaken,
    Percept,
    Queued,
    ShowCode,
    ShowCoupon,
    TakenBy,
    Wake,
    Woken,
    read_display,
)
from simulator.plant import LaneGeometry, Plant, PlantEdge, Vehicle, VehicleId, What
from simulator.world.booth import Booth
from simulator.world.clock import us
from simulator.world.coupons import Coupons
from simulator.world.heap import Heap
from simulator.world.lane_process import LaneProcess
from simulator.world.phones import Phones
from simulator.world.ports import LaneModels
from tolling.ids import LaneId
from tolling.inputs import Point
from tolling.messages import EntryFound

STALL_MM = 1_000
"""A stalling driver stops with the front so far behind the boom line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Car:
    """One vehicle of the run and who drives it."""

    lane_id: LaneId
    vehicle: Vehicle
    behaviour: Behaviour
    arrives_us: int
    entry: EntryFound | None
    """Where it entered, as its tag would say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteLane:
    """One lane as the site drives it."""

    process: LaneProcess
    models: LaneModels
    booth: Booth


@dataclass(slots=True, kw_only=True)
class _Aboard:
    car: Car
    driver: Driver
    timers: dict[str, int]
    seen: bool = False
    """Camera and antenna have seen it."""
    gone: bool = False


class Site:
    """Plant and people of one run."""

    def __init__(self, heap: Heap, plant: Plant, phones: Phones, coupons: Coupons) -> None:
        self._heap = heap
        self.plant = plant
        self._phones = phones
        self.coupons = coupons
        self._lanes: dict[LaneId, SiteLane] = {}
        self._aboard: dict[int, _Aboard] = {}
        self._etc_told: set[str] = set()
        self._looked: dict[LaneId, tuple[object, ...]] = {}
        self._due_us: int | None = None
        self._timer_no = 0
        self._geometry: dict[LaneId, LaneGeometry] = {}
        self._expecting = False
        self.on_expected: Callable[[Car], None] = lambda car: None
        """Called with every vehicle of ``expect`` when it is made."""
        self._beside: dict[LaneId, LaneId] = {}
        """Which lane may hear the loops of a lane."""

    def add_lane(self, lane_id: LaneId, lane: SiteLane, geometry: LaneGeometry) -> None:
        """Connect a lane."""
        self._lanes[lane_id] = lane
        self._geometry[lane_id] = geometry
        if lane.models.io.beside is not None:
            self._beside[lane.models.io.beside] = lane_id

    def add_car(self, car: Car, dice: Random) -> None:
        """Let a vehicle come."""
        plate = car.vehicle.plate
        driver = Driver(
            vehicle_id=car.vehicle.vehicle_id,
            plate=None if plate is None else plate.text,
            behaviour=car.behaviour,
            dice=dice,
        )
        self._aboard[car.vehicle.vehicle_id] = _Aboard(car=car, driver=driver, timers={})
        self._heap.schedule(car.arrives_us * 1_000, lambda: self._arrive(car))

    def expect(self, cars: Iterator[Car], dice_of: Callable[[str], Random]) -> None:
        """Let vehicles come one after the other; each is made when the one before it has come.

        Args:   cars: in order of arrival; on_expected is called with each.
        """
        car = next(cars, None)
        self._expecting = car is not None
        if car is None:
            return
        self.on_expected(car)
        self.add_car(car, dice_of(f"driver {car.vehicle.vehicle_id}"))
        self._heap.schedule(car.arrives_us * 1_000, lambda: self.expect(cars, dice_of))

    def forget_gone(self, before_us: int) -> int:
        """Forget every vehicle that left before an instant. Returns how many."""
        gone = []
        for number, aboard in self._aboard.items():
            left_us = aboard.driver.memory.gone_us if aboard.gone else None
            if left_us is not None and left_us < before_us:
                gone.append(number)
        for number in gone:
            car = self._aboard.pop(number).car
            self._lanes[car.lane_id].booth.forget(number)
            self._phones.forget(number)
        return len(gone)

    # ---- what others ask ----

    def geometry(self, lane_id: LaneId) -> LaneGeometry:
        """Return how a lane is built."""
        return self._geometry[lane_id]

    @property
    def cars(self) -> tuple[Car, ...]:
        """Return every vehicle of the run, by number."""
        return tuple(self._aboard[number].car for number in sorted(self._aboard))

    @property
    def booths(self) -> dict[LaneId, Booth]:
        """Return the people beside each lane."""
        return {lane_id: lane.booth for lane_id, lane in self._lanes.items()}

    @property
    def all_gone(self) -> bool:
        """Return whether every vehicle has left."""
        return not self._expecting and all(each.gone for each in self._aboard.values())

    def comes_to(self, lane_id: LaneId) -> bool:
        """Return whether a vehicle is in a lane or is to come to it."""
        here = (not each.gone and each.car.lane_id == lane_id for each in self._aboard.values())
        return self._expecting or any(here)

    def driver(self, vehicle_id: int) -> Driver:
        """Return the driver of a vehicle."""
        return self._aboard[vehicle_id].driver

    def is_gone(self, vehicle_id: int) -> bool:
        """Return whether a vehicle has left."""
        return self._aboard[vehicle_id].gone

    def at_window(self, lane_id: LaneId) -> int | None:
        """Return which vehicle stands at a lane's window."""
        for number in self.plant.vehicles(lane_id):
            view = self.plant.vehicle(number)
            if view is not None and view.at_window:
                return int(number)
        return None

    def ticket(self, vehicle_id: int) -> str | None:
        """Return the entry station a driver's ticket names."""
        entry = self._aboard[vehicle_id].car.entry
        return None if entry is None else entry.entry_station

    def cash(self, vehicle_id: int, fen: int) -> None:
        """Cash changes hands; below 0 it goes back to the driver."""
        taken = MoneyTaken(
            at_us=us(self._heap.now_ns), by=TakenBy.CASH, amount_fen=fen, reference=""
        )
        self._give(self._aboard[vehicle_id], taken)

    def look_at_wallets(self) -> None:
        """Let every phone and tag tell its owner what was taken."""
        for number in sorted(self._aboard):
            aboard = self._aboard[number]
            for news in self._phones.news_of(number):
                self._give(aboard, news)
        for charge in self.tag_charges():
            if charge.txn_id is None or charge.txn_id in self._etc_told:
                continue
            self._etc_told.add(charge.txn_id)
            owner = self._aboard.get(int(charge.tag_id.removeprefix("tag-")))
            if owner is None:
                continue  # He is out of the story.
            news = MoneyTaken(
                at_us=us(charge.at_ns),
                by=TakenBy.ETC,
                amount_fen=charge.amount_fen,
                reference=charge.txn_id,
            )
            self._give(owner, news)

    def tag_charges(self, lane: LaneId | None = None) -> Iterator[EtcCharge]:
        """Yield what readers took from tags, by their own books, lane by lane or of one lane."""
        for lane_id in sorted(self._lanes) if lane is None else (lane,):
            for charge in self._lanes[lane_id].models.etc.books:
                if charge.txn_id is not None:
                    yield charge

    # ---- the road ----

    def road_changed(self) -> None:
        """Something acted on the road: see what comes of it, and when the next edge is."""
        self._schedule()

    def _schedule(self) -> None:
        next_us = self.plant.next_edge_us()
        if next_us is None:
            self._look_all()
            return
        due_us = max(next_us, us(self._heap.now_ns))
        if self._due_us is None or due_us < self._due_us:
            self._due_us = due_us
            self._heap.schedule(due_us * 1_000, lambda: self._tick(due_us))
        self._look_all()

    def _tick(self, due_us: int) -> None:
        if self._due_us != due_us:
            return
        self._due_us = None
        for edge in self.plant.advance(us(self._heap.now_ns)):
            self._edge(edge)
        self._schedule()

    def _edge(self, edge: PlantEdge) -> None:
        self._heap.note("road", edge.what.value, f"{edge.lane} {edge.on} {edge.vehicle_id}")
        lane = self._lanes[edge.lane]
        if edge.point is not None:
            ports = lane.process.ports
            if ports is not None:
                ports.barrier.input_may_have_changed()
            self._heard_beside(edge, edge.point)
        if edge.vehicle_id is None:
            return
        aboard = self._aboard[edge.vehicle_id]
        if edge.what is What.LOOP_1:
            self._loop_1(lane, aboard, edge.on)
        elif edge.what is What.ON_ROAD:
            self._on_road(lane, aboard, edge)
        elif edge.what is What.AT_WINDOW:
            if edge.on:
                self._seen_at_window(lane, aboard)
            self._give(aboard, AtWindow(at_us=edge.at_us, on=edge.on))
        elif edge.what is What.STOPPED and edge.on and not self._first(edge):
            self._give(aboard, Queued(at_us=edge.at_us))

    def _heard_beside(self, edge: PlantEdge, point: Point) -> None:
        """A loop's field reaches the lane beside: its modules may read it too."""
        neighbour = self._beside.get(edge.lane)
        if neighbour is None:
            return
        lane = self._lanes[neighbour]
        ports = lane.process.ports
        if ports is not None and lane.models.io.hears_beside(point, self._heap.now_ns):
            ports.barrier.input_may_have_changed()

    def _first(self, edge: PlantEdge) -> bool:
        return self.plant.vehicles(edge.lane)[0] == edge.vehicle_id

    def _loop_1(self, lane: SiteLane, aboard: _Aboard, on: bool) -> None:
        if on:
            self._seen_at_window(lane, aboard)
        else:
            lane.models.etc.tag_leaves(f"tag-{aboard.car.vehicle.vehicle_id}")

    def _seen_at_window(self, lane: SiteLane, aboard: _Aboard) -> None:
        """Camera and antenna see each vehicle once: in a queue loop 1 may have no edge for it."""
        if aboard.seen:
            return
        aboard.seen = True
        car = aboard.car
        shot = lane.models.camera.sees(car.vehicle.plate, self._heap.now_ns)
        ports = lane.process.ports
        if shot is not None and ports is not None:
            ports.camera_saw(shot)
        if aboard.driver.has_tag:
            behaviour = aboard.driver.behaviour
            tag = Tag(
                tag_id=f"tag-{car.vehicle.vehicle_id}",
                balance_fen=behaviour.tag_balance_fen,
                plate=behaviour.tag_plate or car.vehicle.plate,
                entry=car.entry,
            )
            visit = lane.models.etc.tag_enters(tag)
            if ports is not None:
                ports.tag_seen(visit)

    def _on_road(self, lane: SiteLane, aboard: _Aboard, edge: PlantEdge) -> None:
        number = aboard.car.vehicle.vehicle_id
        if edge.on:
            self._give(aboard, self._sight(edge.lane))
            self._do(aboard, aboard.driver.begin())
            return
        aboard.gone = True
        aboard.timers.clear()
        lane.models.etc.tag_leaves(f"tag-{number}")
        self._give(aboard, Gone(at_us=edge.at_us))
        lane.booth.gone(number)

    def _arrive(self, car: Car) -> None:
        self.plant.arrive(car.lane_id, car.vehicle, us(self._heap.now_ns))
        self._schedule()

    # ---- what drivers see and do ----

    def _look_all(self) -> None:
        for lane_id in self.plant.take_sights():
            seen = self.plant.sight(lane_id)
            if self._looked.get(lane_id) == seen:
                continue
            self._looked[lane_id] = seen
            sight = self._sight(lane_id)
            for number in self.plant.vehicles(lane_id):
                found = self.plant.vehicle(number)
                if found is not None and found.on_road:
                    self._give(self._aboard[number], sight)

    def _sight(self, lane_id: LaneId) -> Looks:
        display, boom_up, green = self.plant.sight(lane_id)
        return Looks(
            at_us=us(self._heap.now_ns),
            display=read_display(display),
            boom_up=boom_up,
            green=green,
        )

    def _give(self, aboard: _Aboard, percept: Percept) -> None:
        self._do(aboard, aboard.driver.on(percept))

    def _do(self, aboard: _Aboard, intents: tuple[Intent, ...]) -> None:
        """Carry intents out a moment later, so that one event never grows into another."""
        for intent in intents:
            self._heap.after(0, partial(self._act, aboard, intent))

    def _act(self, aboard: _Aboard, intent: Intent) -> None:
        if aboard.gone:
            return
        car, number = aboard.car, aboard.car.vehicle.vehicle_id
        lane = self._lanes[car.lane_id]
        now_us = us(self._heap.now_ns)
        self._heap.note(f"driver {number}", type(intent).__name__, "")
        match intent:
            case Wake():
                self._wake(aboard, intent)
            case ShowCode():
                self._show_code(lane, car, intent)
            case ShowCoupon():
                self._present(lane, number, self.coupons.text_of(number).encode("ascii"))
            case AskCash():
                lane.booth.asked(number, intent.toll_fen)
            case DriveOn():
                self._drive_on(car, intent, now_us)
            case BackOut():
                if not self.plant.back_out(VehicleId(number), now_us):
                    self._give(aboard, BackOutBlocked(at_us=now_us))
                self._schedule()

    def _drive_on(self, car: Car, intent: DriveOn, now_us: int) -> None:
        stop_at = self._geometry[car.lane_id].boom_mm + STALL_MM if intent.stall else None
        self.plant.drive_on(
            car.vehicle.vehicle_id, now_us, closely=intent.closely, stop_at_mm=stop_at
        )
        self._schedule()

    def _show_code(self, lane: SiteLane, car: Car, show: ShowCode) -> None:
        data, twice = self._phones.code_bytes(car.lane_id, car.vehicle.vehicle_id, show)
        self._present(lane, car.vehicle.vehicle_id, data, twice=twice)

    def _present(
        self, lane: SiteLane, vehicle_id: int, data: bytes, *, twice: bool = False
    ) -> None:
        deliveries = lane.models.scanner.present(data, self._heap.now_ns, twice=twice)
        ports = lane.process.ports
        lane_id = self._aboard[vehicle_id].car.lane_id
        for delivery in deliveries:
            code = delivery.data.removesuffix(lane.models.scanner.suffix)
            self._phones.delivered(vehicle_id, code)
            self._heap.schedule(delivery.at_ns, partial(self._delivered, lane_id, code))
            if ports is not None:
                ports.scan_comes(delivery)

    def _delivered(self, lane_id: LaneId, code: bytes) -> None:
        """A scanner that is slow tells of a code when its owner may have gone: whoever is before
        it by then has held it up, as far as anybody in the lane can know."""
        here = [each for each in self.plant.vehicles(lane_id) if self._aboard[each].seen]
        if here:
            self._phones.delivered(int(here[-1]), code)

    def _wake(self, aboard: _Aboard, wake: Wake) -> None:
        self._timer_no += 1
        number = self._timer_no
        aboard.timers[wake.timer] = number

        def due() -> None:
            if aboard.timers.get(wake.timer) == number:
                del aboard.timers[wake.timer]
                self._give(aboard, Woken(at_us=us(self._heap.now_ns), timer=wake.timer))

        self._heap.schedule(wake.at_us * 1_000, due)
