"""Builds a world from a seed and runs it: ``build_world``, ``run_world``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Engine

from lane_controller.core.limits import Limits
from lane_controller.core.states import LaneConfig
from lane_controller.store import LaneStore
from plaza_server.rules.coupons import ImportCoupons
from plaza_server.rules.units import AddEntry, AddLane, Unit
from plaza_server.store import commit_group
from simulator.auditor.evidence import AuditedRecord, Evidence
from simulator.models.alipay import AlipayModel
from simulator.models.camera import PlateCameraModel
from simulator.models.display import FeeDisplayModel
from simulator.models.etc_reader import EtcReaderModel
from simulator.models.io_modules import IoModules
from simulator.models.platform_values import BillMistake
from simulator.models.scanner import ScannerModel
from simulator.people import EVERYDAY_MIX
from simulator.plant import LaneGeometry, Plant, PowerFail
from simulator.world.bills import PLATFORM as ALIPAY
from simulator.world.bills import BillCame, BillDay, close_day
from simulator.world.booth import Booth, BoothOutside
from simulator.world.captures import CaptureWatch
from simulator.world.clock import WALL_BASE_MS, MachineClock
from simulator.world.coupons import Coupons
from simulator.world.disk import Disk
from simulator.world.evidence import gather
from simulator.world.faults import (
    PLAZA,
    PLAZA_BROKER,
    KillAtStep,
    WorldFault,
    lane_name,
    plaza_names,
)
from simulator.world.front import PlazaFront
from simulator.world.heap import Heap
from simulator.world.keys import secret_of
from simulator.world.lane_process import LaneOutside, LaneProcess
from simulator.world.links import Broker, Line, Wiretap
from simulator.world.phones import Phones
from simulator.world.platform_line import PlatformLine
from simulator.world.platforms import PLATFORM_OF, Latency, PlatformPair, build_platforms
from simulator.world.plaza_process import PlazaOutside, PlazaProcess
from simulator.world.ports import LaneModels
from simulator.world.requests import PlazaLink
from simulator.world.shelf import Shelf
from simulator.world.site import Car, Site, SiteLane
from simulator.world.streams import Streams
from simulator.world.traffic import draw_cars, make_tariff
from simulator.world.world import World
from tolling.clock import NS_PER_MS, NS_PER_S
from tolling.devices import Device
from tolling.ids import LaneId, PlazaId
from tolling.inputs import Point
from tolling.paycodes import Wallet
from tolling.tariffs import TariffRow

PLAZA_ID = PlazaId("320200")
START_LEAST_MS, START_MOST_MS = 1_767_225_600_000, 4_102_444_799_000
"""2026 to 2099: a lane believes no clock that is much earlier."""
PLAZAS_MAX = 4
"""More processes on one store show nothing that two do not."""
TURN_US = 80_000
"""How long the arm of a 4 m boom goes on after its motor was told to turn."""
BENT_US = 40_000_000
"""A boom that was driven into is set upright again by the attendant."""
SAFETY_S = 900
"""Faults end at the latest so long after the last vehicle was due."""
LIVENESS_S = 4_500
"""The world comes to rest within this after the faults, or something never ends. An order is proven
60 s after its pay at the earliest; where every look at it fell on a fault, the gap to the next one
has grown to an hour by then (an open order is looked at every hour)."""
_DEVICES = frozenset(
    device.value
    for device in (
        Device.BARRIER,
        Device.INPUTS,
        Device.LAMPS,
        Device.DISPLAY,
        Device.SCANNER,
        Device.CAMERA,
        Device.ETC,
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldConfig:
    """What a run is made of; everything else is drawn from the seed."""

    lanes: int = 2
    vehicles: int = 20
    mix: Mapping[str, int] = field(default_factory=lambda: dict(EVERYDAY_MIX))
    """Names of ``simulator.people.BEHAVIOURS`` with shares."""
    gap_ms: int = 14_000
    """Between two vehicles of one lane, in the mean."""
    latency_ms: int = 600
    latency_jitter_ms: int = 0
    """Of the platform."""
    attended: bool = True
    faults: tuple[WorldFault, ...] = ()
    cars: tuple[Car, ...] | None = None
    """These vehicles in place of drawn ones."""
    plazas: int = 1
    """Plaza processes on the one store, their units of work strictly one after another. Lanes are
    spread over them and go to another when theirs is down."""
    odd_permille: int = 40
    """Of the vehicles: lorries with a trailer on a bar, motorcycles."""
    power_fail: PowerFail = PowerFail.OPEN
    """What every boom does without power."""
    start_ms: int = WALL_BASE_MS
    """UTC milliseconds at world time 0."""
    tariff_rows: tuple[TariffRow, ...] = ()
    """The first tariff's rows; empty: the world's own."""
    wallets: tuple[Wallet, ...] = (Wallet.ALIPAY,)
    """What drivers have on their phones, vehicle by vehicle in turn; their platforms exist."""
    bill_mistakes: tuple[BillMistake, ...] = ()
    """Once all is at rest Alipay's bill of the day comes with these in it, one in a payment each,
    and the day is closed; empty: it is not."""

    def __post_init__(self) -> None:
        assert 1 <= self.lanes <= 999, "lanes: 1..999"
        assert 1 <= self.plazas <= PLAZAS_MAX, f"plazas: 1..{PLAZAS_MAX}"
        assert self.vehicles >= 0, "vehicles: 0 and up"
        assert START_LEAST_MS <= self.start_ms <= START_MOST_MS, "start: of the years 2026 to 2099"
        assert self.wallets, "a driver has some wallet"
        alipay = any(PLATFORM_OF[wallet] == ALIPAY for wallet in self.wallets)
        assert alipay or not self.bill_mistakes, "bill_mistakes: of Alipay's bill alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldResult:
    """What came of a run."""

    seed: int
    trace_hash: str
    vehicles: int
    """Vehicles that left the lanes."""
    by_tender: dict[str, int]
    """Records by the tender of their last leg: alipay, cash, etc, coupon, or none."""
    open_orders: int
    unsent_records: int
    at_rest: bool
    events: int
    """Callbacks of the heap."""
    world_ns: int
    """Virtual time that passed."""
    fault_kinds: tuple[str, ...]
    evidence: Evidence
    bill: BillCame | None = None
    """What closing the day came to, where the plan asks for it."""


def lane_ids(count: int) -> tuple[LaneId, ...]:
    """Return the lanes of a world: 001 and up."""
    return tuple(LaneId(f"{number:03d}") for number in range(1, count + 1))


def build_world(
    seed: int, config: WorldConfig | None = None, *, shelf: Shelf | None = None, traced: bool = True
) -> World:
    """Return a world that has not started.

    Args:   shelf: where its stores lie; None: in memory.
            traced: whether it writes a trace.
    """
    config, shelf = config or WorldConfig(), shelf or Shelf(None)
    streams, heap = Streams(seed), Heap(config.start_ms, traced=traced)
    lanes = lane_ids(config.lanes)
    geometry = {
        lane: LaneGeometry(power_fail=config.power_fail, turn_us=TURN_US, bent_us=BENT_US)
        for lane in lanes
    }
    plant, tap = Plant(geometry), Wiretap(heap)
    latency = Latency(
        latency_ms=config.latency_ms,
        jitter_ms=config.latency_jitter_ms,
        wall_base_ns=config.start_ms * NS_PER_MS,
    )
    pairs = build_platforms(config.wallets, streams, latency)
    platforms = {name: pair.model for name, pair in pairs.items()}
    phones = Phones(heap, platforms, config.wallets, streams.of("phones"))
    site = Site(heap, plant, phones, Coupons(seed, config.start_ms))
    plaza_machines = plaza_names(config.plazas)
    lines = _lines(heap, streams, geometry, plaza_machines)
    names = [*plaza_machines, *(lane_name(lane) for lane in geometry)]
    disks = {name: Disk(heap, streams.of(f"disk of {name}")) for name in names}
    clocks = {name: MachineClock(heap) for name in names}
    kills = tuple(fault for fault in config.faults if isinstance(fault, KillAtStep))
    plaza_store = shelf.plaza()
    world = World(
        seed=seed,
        heap=heap,
        plant=plant,
        site=site,
        phones=phones,
        platforms=platforms,
        plazas=(),
        plaza_store=plaza_store,
        lanes={},
        models={},
        journals={},
        disks=disks,
        clocks=clocks,
        lines=lines,
        tap=tap,
        captures=CaptureWatch(heap),
        tariff_rows=config.tariff_rows,
        faults=config.faults,
    )
    if config.bill_mistakes:
        model = platforms[ALIPAY]
        assert isinstance(model, AlipayModel), "the platform of that name"
        calls = pairs[ALIPAY].new_bill_calls(streams.of("bills"))
        world.bill = BillDay(mistakes=config.bill_mistakes, model=model, calls=calls)
    world.plazas = tuple(_plaza(world, name, streams, pairs, config) for name in plaza_machines)
    for lane, place in geometry.items():
        journal = shelf.journal(lane)
        _add_lane(world, lane, streams, kills, journal, attended=config.attended)
        site.add_lane(lane, _site_lane(world, lane, streams), place)
    for name, clock in clocks.items():
        world.process(name).machine = clock
    _fill_plaza(world, _add_cars(world, config, streams))
    return world


def _plaza(
    world: World,
    name: str,
    streams: Streams,
    pairs: Mapping[str, PlatformPair],
    config: WorldConfig,
) -> PlazaProcess:
    heap, line = world.heap, world.lines[f"{name}-platform"]
    kills = tuple(fault for fault in config.faults if isinstance(fault, KillAtStep))
    dice = streams.of(f"{name} nonces")
    outside = PlazaOutside(
        plaza_id=PLAZA_ID,
        store=replace(world.plaza_store, exclusive=config.plazas == 1),
        disk=world.disks[name],
        clock=world.clocks[name],
        platforms={
            each: PlatformLine(heap, line, pair.model, pair.new_codec(dice))
            for each, pair in pairs.items()
        },
        tap=world.tap,
        dice=streams.of(f"{name} boots"),
        code_key=secret_of(world.seed, PLAZA),
        on_stored=world.captures.look,
    )
    return PlazaProcess(heap, outside, kills, name=name)


def _lines(
    heap: Heap, streams: Streams, lanes: Mapping[LaneId, Any], plazas: Sequence[str]
) -> dict[str, Line]:
    names = [f"{name}-platform" for name in plazas]
    for lane in lanes:
        names += [f"{lane_name(lane)}-plaza", f"{lane_name(lane)}-broker"]
    lines = {name: Line(heap, name, streams.of(f"line {name}")) for name in names}
    # The broker stands in the plaza's own room: its line has trouble, and no length.
    dice = streams.of(f"line {PLAZA_BROKER}")
    lines[PLAZA_BROKER] = Line(heap, PLAZA_BROKER, dice, latency_ns=0, spread_ns=1)
    return lines


def _add_lane(
    world: World,
    lane: LaneId,
    streams: Streams,
    kills: tuple[KillAtStep, ...],
    journal: Engine,
    *,
    attended: bool,
) -> None:
    heap, name = world.heap, lane_name(lane)
    models = LaneModels(
        io=IoModules(world.plant, lane, beside=_beside(world, lane)),
        scanner=ScannerModel(),
        display=FeeDisplayModel(world.plant, lane),
        camera=PlateCameraModel(streams.of(f"camera {lane}")),
        etc=EtcReaderModel(boot=lane),
    )
    broker = Broker(
        heap,
        world.lines[f"{name}-broker"],
        world.tap,
        streams.of(f"broker {lane}"),
        plaza_line=world.lines[PLAZA_BROKER],
    )
    config = LaneConfig(
        plaza_id=PLAZA_ID,
        lane_id=lane,
        attended=attended,
        under_boom=frozenset({Point.LOOP_2, Point.CURTAIN}),
        devices=_DEVICES,
        limits=Limits(),
    )
    outside = LaneOutside(
        store=LaneStore(journal, where=f"journal of lane {lane}", ballast=None, lock=None),
        models=models,
        disk=world.disks[name],
        clock=world.clocks[name],
        plaza=PlazaLink(heap, world.lines[f"{name}-plaza"], _front(world, lane)),
        broker=broker,
        dice=streams.of(f"boots of {name}"),
        code_key=secret_of(world.seed, name),
        on_road_changed=world.site.road_changed,
    )
    world.lanes[lane] = LaneProcess(heap, config, outside, kills)
    world.models[lane] = models
    world.journals[lane] = journal


def _beside(world: World, lane: LaneId) -> LaneId | None:
    """Return the lane whose loops may reach over: the one before, of the first the last."""
    lanes = world.plant.lanes
    other = lanes[lanes.index(lane) - 1]
    return None if other == lane else other


def _front(world: World, lane: LaneId) -> PlazaFront:
    """Return the lane's way into the plaza: lanes are dealt over its processes."""
    first = world.plant.lanes.index(lane) % len(world.plazas)
    return PlazaFront(world.plazas[first:] + world.plazas[:first])


def _site_lane(world: World, lane: LaneId, streams: Streams) -> SiteLane:
    topic = f"toll/{PLAZA_ID}/{lane}/command"
    broker = world.lanes[lane].outside.broker
    outside = BoothOutside(
        at_window=lambda: world.site.at_window(lane),
        ticket=world.site.ticket,
        money=world.site.cash,
        remote=lambda text, deliver: broker.command(topic, text, deliver),
        remote_dice=streams.of(f"helper {lane}"),
    )
    booth = Booth(world.heap, world.lanes[lane], outside, streams.of(f"attendant {lane}"))
    booth.begin()
    return SiteLane(process=world.lanes[lane], models=world.models[lane], booth=booth)


def _add_cars(world: World, config: WorldConfig, streams: Streams) -> tuple[Car, ...]:
    cars = config.cars
    if cars is None:
        cars = draw_cars(
            lanes=lane_ids(config.lanes),
            vehicles=config.vehicles,
            mix=config.mix,
            gap_ms=config.gap_ms,
            dice=streams.of("traffic"),
            odd_permille=config.odd_permille,
            odd_dice=streams.of("odd vehicles"),
        )
    cars = tuple(_entered(car, config.start_ms - WALL_BASE_MS) for car in cars)
    for car in cars:
        world.site.add_car(car, streams.of(f"driver {car.vehicle.vehicle_id}"))
    return cars


def _entered(car: Car, later_ms: int) -> Car:
    """Return the vehicle as it entered where a run starts *later_ms* later than usual."""
    if car.entry is None or later_ms == 0:
        return car
    entry = replace(car.entry, entered_ms=car.entry.entered_ms + later_ms)
    return replace(car, entry=entry)


def _fill_plaza(world: World, cars: tuple[Car, ...]) -> None:
    """Put into the plaza's store what is there before a day begins."""
    base_ms = world.heap.wall_base_ms
    world.put_tariff(make_tariff(world.tariff_rows, wall_base_ms=base_ms), base_ms)
    units: list[Unit] = [
        AddLane(
            lane_id=lane,
            plaza_id=PLAZA_ID,
            token_hash=secret_of(world.seed, f"token of lane {lane}").hex(),
            now_ms=base_ms,
        )
        for lane in sorted(world.lanes)
    ]
    for car in cars:
        units += [*entry_of(car), *_coupon_of(world, car)]
    _commit(world, units)


def entry_of(car: Car) -> list[Unit]:
    """Return what the entry station reports to the plaza of a vehicle it could read."""
    if car.entry is None or car.vehicle.plate is None:
        return []
    return [
        AddEntry(
            entry_id=f"e{car.vehicle.vehicle_id}",
            plate=car.vehicle.plate.text,
            medium_id=None,
            entry_station=car.entry.entry_station,
            entered_ms=car.entry.entered_ms,
            vehicle_class=car.entry.vehicle_class,
        )
    ]


def _coupon_of(world: World, car: Car) -> list[Unit]:
    """Return what an issuer tells the plaza of a driver's coupon."""
    if car.behaviour.coupon is None:
        return []
    made = world.site.coupons.issue(int(car.vehicle.vehicle_id), car.behaviour.coupon)
    if made is None:
        return []
    now_ms = world.heap.wall_base_ms
    return [ImportCoupons(coupons=(made,), lines=(1,), file="world", now_ms=now_ms)]


def expect_cars(world: World, cars: Iterator[Car]) -> None:
    """Let *cars* come to *world* in order of time, each made and announced when it is due."""
    world.site.on_expected = lambda car: _commit(world, [*entry_of(car), *_coupon_of(world, car)])
    world.site.expect(cars, Streams(world.seed).of)


def _commit(world: World, units: list[Unit]) -> None:
    if not units:
        return
    (result,) = commit_group(world.plaza_store.engine, [units])
    if isinstance(result, Exception):
        raise result


def run_world(world: World) -> WorldResult:
    """Start *world*, run it to rest or to its limit, and return what came of it."""
    world.start()
    last_us = max((car.arrives_us for car in world.site.cars), default=0)
    faults_until_ns = last_us * 1_000 + SAFETY_S * NS_PER_S
    at_rest = world.run_to_rest(
        faults_until_ns=faults_until_ns, rest_within_ns=LIVENESS_S * NS_PER_S
    )
    came = None
    if world.bill is not None and at_rest:
        came = close_day(world.bill, world.plaza_store, world.heap, world.heap.wall_base_ms)
    return replace(result_of(world, at_rest=at_rest, judged=True), bill=came)


def result_of(world: World, *, at_rest: bool, judged: bool) -> WorldResult:
    """Return what a run has come to so far.

    Args:   at_rest: nothing is left to do. judged: everybody had time to end their work, so what
            has not ended is held against them.
    """
    evidence = gather(world, at_rest=judged)
    return WorldResult(
        seed=world.seed,
        trace_hash=world.heap.trace_hash,
        vehicles=sum(world.site.is_gone(car.vehicle.vehicle_id) for car in world.site.cars),
        by_tender=_by_tender(evidence.lane_records),
        open_orders=world.open_orders,
        unsent_records=world.unsent_records,
        at_rest=at_rest,
        events=world.heap.events,
        world_ns=world.heap.now_ns,
        fault_kinds=tuple(sorted(world.fault_kinds)),
        evidence=evidence,
    )


def _by_tender(records: Iterable[AuditedRecord]) -> dict[str, int]:
    counts = Counter(_tender_of(record.body) for record in records)
    return dict(sorted(counts.items()))


def _tender_of(body: str) -> str:
    legs = json.loads(body)["legs"]
    return str(legs[-1]["tender"]) if legs else "none"
