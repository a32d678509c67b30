"""A long stretch of traffic that is judged and forgotten in windows: ``run_day``.

Vehicles are made when they come. At the end of each window the road's log of every lane that
stands empty is judged (B1, B3, B4), everything that was published is searched for pay codes (M7),
and log, messages, codes and the stories of vehicles long gone are dropped. What the stores hold is
kept, as a real lane and plaza keep it, in files of a folder for the run's time, and judged at the
end lane by lane (M1 without drivers' memories, M2, M4, M5, M6): what a run holds in memory does not
grow with its vehicles.
"""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from simulator.auditor import audit, barrier, money
from simulator.auditor.evidence import TextSource
from simulator.plant import LogEntry
from simulator.world.arrivals import Profile, arrivals
from simulator.world.build import LIVENESS_S, WorldConfig, build_world, expect_cars, lane_ids
from simulator.world.clock import us
from simulator.world.evidence import frame
from simulator.world.ledgers import Slices
from simulator.world.shelf import Shelf
from simulator.world.streams import Streams
from simulator.world.traffic import FIRST_CAR_MS
from simulator.world.world import World
from tolling.clock import NS_PER_MS, NS_PER_S

WINDOW_S = 600
LINGER_US = 300_000_000
"""A vehicle's story is kept so long after it has left: refunds find their phone."""
NS_PER_US = 1_000
LOG_MAX = 200_000
"""Entries of one lane's log that wait for the lane to be empty; more are dropped unjudged."""
_BY_LOG = (
    ("B1", barrier.b1_no_touch),
    ("B3", barrier.b3_quiet_start),
    ("B4", barrier.b4_raise_wins),
)
_BY_STORE = frozenset({"M1", "M2", "M4", "M5", "M6"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DayResult:
    """What came of a stretch."""

    vehicles: int
    """That came and left."""
    events: int
    world_ns: int
    at_rest: bool
    windows: int
    violations: dict[str, int]
    findings: tuple[str, ...]
    """The first hundred."""
    unjudged: int
    """Entries of the road's log that were dropped because their lane was never empty."""
    most_aboard: int
    """Vehicles whose story was held at once, at most."""
    most_log: int
    most_tapped: int


class _Judge:
    """Takes the run's traces window by window."""

    def __init__(self, world: World, slices: Slices) -> None:
        self._world = world
        self._slices = slices
        self._logs: dict[str, list[LogEntry]] = defaultdict(list)
        self._empty = frame(world, at_rest=False)
        self.codes: list[str] = []
        self._before: list[str] = []
        """Codes of the window before: one may still be on its way."""
        rules = [*(rule for rule, _ in _BY_LOG), "M7", *_BY_STORE]
        self.violations: Counter[str] = Counter(dict.fromkeys(rules, 0))
        self.findings: list[str] = []
        self.vehicles = self.windows = self.unjudged = 0
        self.most_aboard = self.most_log = self.most_tapped = 0

    def window(self, *, last: bool = False) -> None:
        """Judge what can be judged, and forget it."""
        world = self._world
        self.windows += 1
        for entry in world.plant.take_log():
            self._logs[entry.lane].append(entry)
        self.most_log = max(self.most_log, sum(map(len, self._logs.values())))
        for lane in sorted(world.lanes):
            if last or not world.plant.vehicles(lane):
                self._road(self._logs.pop(lane, []))
            elif len(self._logs[lane]) > LOG_MAX:
                self.unjudged += len(self._logs.pop(lane))
        self._messages()
        self.most_aboard = max(self.most_aboard, len(world.site.cars))
        before_us = us(world.heap.now_ns) + 1 if last else us(world.heap.now_ns) - LINGER_US
        self.vehicles += world.site.forget_gone(before_us)
        self._forget_history(before_us)

    def _forget_history(self, before_us: int) -> None:
        """Forget what only a restart would read, or a person: a real lane has it on its disk, and
        a reader in its books.

        Nothing is killed in a stretch without faults. Before its events go, a journal is searched
        for pay codes like everything else.
        """
        world = self._world
        if world.faults:
            return
        self._slices.take_debits(before_us * NS_PER_US)
        for plaza in world.plazas:
            plaza.forget_steps()
        texts = []
        for lane_id in sorted(world.lanes):
            world.lanes[lane_id].forget_steps()
            with world.journals[lane_id].begin() as connection:
                bodies = connection.exec_driver_sql("SELECT body FROM events").scalars()
                texts.append(TextSource(name=f"journal of lane {lane_id}", data=b"\n".join(bodies)))
                connection.exec_driver_sql("DELETE FROM events")
        seen = replace(self._empty, texts=tuple(texts), codes=(*self._before, *self.codes))
        self._found("M7", list(money.m7_codes(seen)))

    def _road(self, log: list[LogEntry]) -> None:
        seen = replace(self._empty, plant_log=tuple(log))
        for rule, check in _BY_LOG:
            self._found(rule, list(check(seen)))

    def _messages(self) -> None:
        world = self._world
        taps = world.tap.take()
        self.most_tapped = max(self.most_tapped, len(taps))
        self._before, self.codes = self.codes, world.phones.take_codes()
        seen = replace(self._empty, tapped=tuple(taps), codes=(*self._before, *self.codes))
        self._found("M7", list(money.m7_codes(seen)))

    def stores(self, at_rest: bool) -> None:
        """Judge what the stores and the platform hold at the end."""
        for seen in self._slices.cut(at_rest=at_rest):
            for finding in audit(seen).findings:
                if finding.rule in _BY_STORE:
                    self._found(finding.rule, [finding.what])

    def _found(self, rule: str, what: list[str]) -> None:
        self.violations[rule] += len(what)
        room = 100 - len(self.findings)
        self.findings += [f"{rule} {text}" for text in what[:room]]


def run_day(
    seed: int,
    profile: Profile,
    *,
    lanes: int,
    hours_ms: int,
    config: WorldConfig | None = None,
    folder: Path | None = None,
    on_window: Callable[[int, int], None] = lambda world_ms, vehicles: None,
) -> DayResult:
    """Let *profile* come to so many lanes for a while, from 08:00 in Beijing, and judge it.

    Args:   hours_ms: how long vehicles come, ms of world time.
            config: everything else of the world; its vehicles are not used.
            folder: the stores lie in a folder of this one for the run's time; None: of the
            system's for temporary files.
            on_window: hears after each window how far it is: (world_ms, vehicles that left).
    """
    config = replace(config or WorldConfig(), lanes=lanes, vehicles=0, cars=())
    with tempfile.TemporaryDirectory(prefix="toll-sim-day-", dir=folder) as name:
        stores = Path(name)
        # Nobody reads a day's trace.
        with (
            closing(Shelf(stores)) as shelf,
            closing(build_world(seed, config, shelf=shelf, traced=False)) as world,
            closing(Slices(world, stores / "debits.db")) as slices,
        ):
            return _run(world, profile, slices, hours_ms, on_window)


def _run(
    world: World,
    profile: Profile,
    slices: Slices,
    hours_ms: int,
    on_window: Callable[[int, int], None],
) -> DayResult:
    world.start()
    judge = _Judge(world, slices)
    until_ms = FIRST_CAR_MS + hours_ms
    cars = arrivals(
        profile,
        lane_ids(len(world.lanes)),
        Streams(world.seed).of,
        from_ms=FIRST_CAR_MS,
        until_ms=until_ms,
    )
    expect_cars(world, cars)
    while world.heap.now_ns < until_ms * NS_PER_MS:
        world.run_until(world.heap.now_ns + WINDOW_S * NS_PER_S)
        judge.window()
        on_window(world.heap.now_ns // NS_PER_MS, judge.vehicles)
    at_rest = world.run_to_rest(
        faults_until_ns=world.heap.now_ns + LIVENESS_S * NS_PER_S,
        rest_within_ns=LIVENESS_S * NS_PER_S,
    )
    judge.window(last=True)
    judge.stores(at_rest)
    return DayResult(
        vehicles=judge.vehicles,
        events=world.heap.events,
        world_ns=world.heap.now_ns,
        at_rest=at_rest,
        windows=judge.windows,
        violations=dict(sorted(judge.violations.items())),
        findings=tuple(judge.findings),
        unjudged=judge.unjudged,
        most_aboard=judge.most_aboard,
        most_log=judge.most_log,
        most_tapped=judge.most_tapped,
    )
