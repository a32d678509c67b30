"""One plaza's money over days, in virtual time: tills, three platforms, one store, every fault."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import TypeVar

from plaza_server.rules.units import AddLane, Unit
from plaza_server.store import Store, commit_group, open_store
from simulator.models.platform_values import BuyerBehaviour
from simulator.money.till import Customer, Leaves, Till
from simulator.world.clock import WALL_BASE_MS, MachineClock
from simulator.world.disk import Disk
from simulator.world.faults import (
    PLAZA,
    ClockJump,
    CommitTrouble,
    KillAt,
    LineTrouble,
    PlatformTrouble,
    WorldFault,
    plaza_names,
)
from simulator.world.front import PlazaFront
from simulator.world.heap import Heap
from simulator.world.keys import secret_of
from simulator.world.links import Line, Wiretap
from simulator.world.platform_line import PlatformLine
from simulator.world.platforms import (
    ALL_WALLETS,
    PLATFORM_OF,
    Latency,
    PlatformPair,
    build_platforms,
    issue_code,
)
from simulator.world.plaza_process import PlazaOutside, PlazaProcess
from simulator.world.streams import Streams
from tolling.clock import NS_PER_MS
from tolling.ids import BootId, LaneId, PlazaId
from tolling.paycodes import PayCode, Wallet, classify

PLAZA_ID = PlazaId("320200")
DAY_MS = 86_400_000
TILLS = 20
TOLLS_FEN = (500, 1_000, 2_550, 4_000, 8_700, 15_000, 48_000, 120_000)
"""From a short trip of a car to a lorry across the province, which always needs a password."""
CONFIRMS_MS = 100_000
"""A password is entered within so long: many do so after the lane has given up (40 s)."""
WALLETS = {Wallet.ALIPAY: 45, Wallet.WECHAT: 40, Wallet.UNIONPAY: 10, Wallet.EMVCO: 5}
"""Shares; the figure of a Chinese plaza is not in the facts, only that the first two lead."""
BEHAVIOURS = {
    BuyerBehaviour.PAYS: 800,
    BuyerBehaviour.CONFIRMS: 80,
    BuyerBehaviour.NEVER_CONFIRMS: 25,
    BuyerBehaviour.CLOSES_DIALOG: 20,
    BuyerBehaviour.BALANCE_SHORT: 30,
    BuyerBehaviour.UNKNOWN_CODE: 25,
    BuyerBehaviour.RISK_REFUSED: 20,
}
LEAVES = {Leaves.PASSES: 960, Leaves.BACKS_OUT: 20, Leaves.RUNS: 20}
assert set(WALLETS) == set(ALL_WALLETS)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyConfig:
    """What a run is made of; everything else is drawn from the seed."""

    orders: int = 200
    """Drivers who come to pay by phone over all days; some make several orders."""
    days: int = 1
    tills: int = TILLS
    plazas: int = 1
    """Processes on the one store."""
    latency_ms: int = 600
    jitter_ms: int = 200
    faults: tuple[WorldFault, ...] = ()
    behaviours: Mapping[BuyerBehaviour, int] = field(default_factory=lambda: dict(BEHAVIOURS))
    """What payers do, with shares."""

    def __post_init__(self) -> None:
        assert self.orders >= 0, "orders: 0 and up"
        assert 1 <= self.days <= 31, "days: 1..31"
        assert 1 <= self.tills <= 200, "tills: 1..200"
        assert 1 <= self.plazas <= 2, "plazas: 1..2"


@dataclass(slots=True, kw_only=True)
class MoneyWorld:
    """Everything of one run. Made by ``build_money``."""

    seed: int
    config: MoneyConfig
    heap: Heap
    platforms: dict[str, PlatformPair]
    store: Store
    plazas: tuple[PlazaProcess, ...]
    clocks: dict[str, MachineClock]
    disks: dict[str, Disk]
    lines: dict[str, Line]
    tap: Wiretap
    dice: Random
    tills: tuple[Till, ...] = ()
    _queue: deque[Customer] = field(default_factory=deque)
    _numbers: int = 0
    arrived: int = 0

    # ---- running ----

    def start(self) -> None:
        """Start the plaza, set the faults and send the first driver; call once."""
        for plaza in self.plazas:
            plaza.start()
        for fault in self.config.faults:
            at_ns = getattr(fault, "at_ms", 0) * NS_PER_MS
            self.heap.after(at_ns, lambda fault=fault: self._strike(fault))  # type: ignore[misc]
        if self.config.orders:
            self.heap.after(2_000 * NS_PER_MS, self._arrive)

    def run_until(self, at_ms: int) -> None:
        """Let everything happen up to an instant of the world."""
        while self.heap.now_ns < at_ms * NS_PER_MS:
            self.heap.run_until(min(at_ms * NS_PER_MS, self.heap.now_ns + 3_600_000 * NS_PER_MS))
            self.tap.take()

    def heal(self) -> None:
        """Let nothing fail any more."""
        for pair in self.platforms.values():
            pair.model.clear_fault()
        for disk in self.disks.values():
            disk.heal()
        for line in self.lines.values():
            line.heal()
        for clock in self.clocks.values():
            clock.set_right()
        for plaza in self.plazas:
            plaza.start()

    @property
    def busy(self) -> bool:
        """Return whether drivers still wait, or records have not been acknowledged."""
        waits = self.arrived < self.config.orders or bool(self._queue)
        return waits or any(not till.free or till.unsent for till in self.tills)

    def commit(self, *units: Unit) -> list[object]:
        """Commit units as the plaza's own API would.

        Raises: what the store's function raises.
        """
        results = commit_group(self.store.engine, [units])[0]
        if isinstance(results, Exception):
            raise results
        return list(results)

    @property
    def owner(self) -> BootId:
        """Return the boot that works on orders now: facts of a bill are its to follow up."""
        return next((plaza.boot_id for plaza in self.plazas if plaza.up), self.plazas[0].boot_id)

    def wall_ms(self) -> int:
        """Return the right time, UTC milliseconds."""
        return WALL_BASE_MS + self.heap.now_ns // NS_PER_MS

    # ---- drivers ----

    def _arrive(self) -> None:
        self.arrived += 1
        customer = self._draw(self.arrived)
        free = [till for till in self.tills if till.free]
        if free:
            free[self.dice.randrange(len(free))].serve(customer)
        else:
            self._queue.append(customer)
        if self.arrived < self.config.orders:
            mean_ms = self.config.days * DAY_MS // self.config.orders
            after_ms = 1 + self.dice.randrange(max(2, 2 * mean_ms))
            left_ms = self.config.days * DAY_MS - self.heap.now_ns // NS_PER_MS
            self.heap.after(min(after_ms, max(100, left_ms)) * NS_PER_MS, self._arrive)

    def _draw(self, number: int) -> Customer:
        wallet = _pick(self.dice, WALLETS)
        behaviour = _pick(self.dice, self.config.behaviours)
        after_ms = 2_000 + self.dice.randrange(CONFIRMS_MS)
        platform = self.platforms[PLATFORM_OF[wallet]].model

        def new_code() -> PayCode:
            issued = issue_code(
                platform,
                wallet,
                f"buyer-{number}",
                self.heap.now_ns,
                behaviour,
                after_ms=after_ms,
            )
            code = classify(issued.code.encode("ascii"))
            assert isinstance(code, PayCode), "a wallet shows a pay code"
            return code

        return Customer(
            number=number,
            wallet=wallet,
            toll_fen=TOLLS_FEN[self.dice.randrange(len(TOLLS_FEN))],
            leaves=_pick(self.dice, LEAVES),
            new_code=new_code,
        )

    def till_is_free(self) -> None:
        """Send the next driver of the queue to a free till."""
        free = next((till for till in self.tills if till.free), None)
        if free is not None and self._queue:
            free.serve(self._queue.popleft())

    # ---- faults ----

    def _strike(self, fault: WorldFault) -> None:
        match fault:
            case KillAt():
                self._plaza(fault.process).kill(fault.down_ms)
            case CommitTrouble():
                self.disks[fault.process].trouble(fault)
            case LineTrouble():
                self.lines[fault.line].trouble(fault)
            case PlatformTrouble():
                self.platforms[fault.platform].model.inject(fault.fault, self.heap.now_ns)
            case ClockJump():
                clock = self.clocks[fault.process]
                clock.jump(fault.offset_ms, noticed=fault.noticed)
                self.heap.after(fault.for_ms * NS_PER_MS, clock.set_right)
            case _:
                raise AssertionError(f"no such fault without a road: {fault!r}")

    def _plaza(self, name: str) -> PlazaProcess:
        return next(plaza for plaza in self.plazas if plaza.name == name)


def _pick(dice: Random, shares: Mapping[_T, int]) -> _T:
    roll = dice.randrange(sum(shares.values()))
    for value, share in shares.items():
        roll -= share
        if roll < 0:
            return value
    raise AssertionError("shares sum")


def till_lanes(count: int) -> tuple[LaneId, ...]:
    """Return the lanes of so many tills: 001 and up."""
    return tuple(LaneId(f"{number:03d}") for number in range(1, count + 1))


def line_of(lane: LaneId) -> str:
    """Return the name of a till's line to the plaza."""
    return f"till {lane}-plaza"


def build_money(seed: int, config: MoneyConfig) -> MoneyWorld:
    """Return a world that has not started."""
    streams, heap = Streams(seed), Heap()
    latency = Latency(latency_ms=config.latency_ms, jitter_ms=config.jitter_ms)
    pairs = build_platforms(ALL_WALLETS, streams, latency)
    names, lanes = plaza_names(config.plazas), till_lanes(config.tills)
    line_names = [*(f"{name}-platform" for name in names), *(line_of(lane) for lane in lanes)]
    world = MoneyWorld(
        seed=seed,
        config=config,
        heap=heap,
        platforms=pairs,
        store=open_store("sqlite://"),
        plazas=(),
        clocks={name: MachineClock(heap) for name in names},
        disks={name: Disk(heap, streams.of(f"disk of {name}")) for name in names},
        lines={name: Line(heap, name, streams.of(f"line {name}")) for name in line_names},
        tap=Wiretap(heap),
        dice=streams.of("drivers"),
    )
    world.plazas = tuple(_plaza_process(world, name, streams) for name in names)
    for name, clock in world.clocks.items():
        world._plaza(name).machine = clock
    world.commit(*(_add_lane(lane) for lane in lanes))
    world.tills = tuple(
        Till(
            heap,
            lane,
            PLAZA_ID,
            world.lines[line_of(lane)],
            _front(world.plazas, place),
            wall_ms=world.wall_ms,
            on_free=world.till_is_free,
        )
        for place, lane in enumerate(lanes)
    )
    return world


def _front(plazas: Sequence[PlazaProcess], place: int) -> PlazaFront:
    first = place % len(plazas)
    return PlazaFront((*plazas[first:], *plazas[:first]))


def _plaza_process(world: MoneyWorld, name: str, streams: Streams) -> PlazaProcess:
    dice, line = streams.of(f"{name} nonces"), world.lines[f"{name}-platform"]
    outside = PlazaOutside(
        plaza_id=PLAZA_ID,
        store=replace(world.store, exclusive=world.config.plazas == 1),
        disk=world.disks[name],
        clock=world.clocks[name],
        platforms={
            each: PlatformLine(world.heap, line, pair.model, pair.new_codec(dice))
            for each, pair in world.platforms.items()
        },
        tap=world.tap,
        dice=streams.of(f"{name} boots"),
        code_key=secret_of(world.seed, PLAZA),
    )
    return PlazaProcess(world.heap, outside, (), name=name)


def _add_lane(lane: LaneId) -> AddLane:
    digest = f"{int(lane):064x}"
    return AddLane(lane_id=lane, plaza_id=PLAZA_ID, token_hash=digest, now_ms=WALL_BASE_MS)
