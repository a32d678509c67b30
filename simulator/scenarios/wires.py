"""Runs a scenario on real processes in real time: the same cars, the same faults where real
processes can have them, the same auditor and the same expectations.

What cannot be had on wires is never left out in silence: each such fault is a note of the outcome.
Times of evidence are moved so that 0 is when the scenario began, as in virtual time.
"""

from __future__ import annotations

import heapq
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psycopg

from simulator.auditor import Evidence, Verdict, audit
from simulator.models.platform_values import BillMistake
from simulator.people import BEHAVIOURS, Behaviour
from simulator.plant import Passage, usual_vehicle
from simulator.scenarios.amounts import span_text
from simulator.scenarios.expectations import Came, Checked, judge
from simulator.scenarios.running import Outcome
from simulator.scenarios.scenario import Scenario, to_config
from simulator.scenarios.steps import Step
from simulator.scenarios.wires_faults import CannotOnWiresError, Deeds, full_disks
from simulator.stack.disk import SmallDisk
from simulator.stack.nursery import Nursery
from simulator.stack.operator_port import OperatorPort, PortError
from simulator.stack.plan import OPERATOR, PIN, Plan
from simulator.stack.postgres import DatabaseMissingError, binaries
from simulator.stack.site_client import ApiError
from simulator.stack.stack import Stack
from simulator.world.bills import PLATFORM as ALIPAY
from simulator.world.bills import BillCame
from simulator.world.build import WorldConfig, lane_ids
from simulator.world.coupons import Coupons
from simulator.world.site import Car
from simulator.world.streams import Streams
from simulator.world.traffic import draw_cars, make_tariff

SAFETY_S = 180.0
"""Faults end at the latest so long after the last thing that was planned."""
REST_S = 1_200.0
"""Liveness with the plaza's own bounds."""
LOOK_S = 0.25
NAP_S = 0.02
DAY_MS, HOUR_MS = 86_400_000, 3_600_000
WELCOME = "欢迎"
_AWAY = (OSError, HTTPException, ApiError, PortError, sqlite3.Error, psycopg.Error)
"""Whoever does not answer is being started again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WiresResult:
    """What came of a run on real processes."""

    evidence: Evidence
    verdict: Verdict
    at_rest: bool
    ended_us: int
    vehicles: int
    """That left the lanes."""
    checks: tuple[Checked, ...]
    """Commands whose answers matter."""
    notes: tuple[str, ...]
    """What could not be had on wires."""
    bill: BillCame | None = None
    """What closing the day came to, where the plan asks for it."""


def run_on_wires(
    scenario: Scenario,
    *,
    directory: Path,
    hurried: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Run a scenario on real processes and judge it.

    Args:   directory: where everything is written. hurried: the plaza's slow proofs take a tenth.
            tell: takes lines about the progress.
    Raises: StackError, NurseryError, BadPlaceError, BrokerMissingError, OSError: a part cannot be
            started.
    """
    result = play_on_wires(
        to_config(scenario),
        seed=scenario.seed,
        directory=directory,
        steps=scenario.steps,
        hurried=hurried,
        tell=tell,
    )
    return outcome_of(scenario, result)


def outcome_of(scenario: Scenario, result: WiresResult) -> Outcome:
    """Judge a run by what a scenario expects."""
    came = Came(
        evidence=result.evidence,
        verdict=result.verdict,
        at_rest=result.at_rest,
        ended_us=result.ended_us,
        bill=result.bill,
    )
    return Outcome(
        scenario=scenario,
        checks=(*judge(scenario.expected, came), *result.checks),
        violations=result.verdict.violations,
        findings=tuple(f"{each.rule}: {each.what}" for each in result.verdict.findings),
        trace_hash="",
        vehicles=result.vehicles,
        timeline=(),
        notes=result.notes,
    )


def play_on_wires(
    config: WorldConfig,
    *,
    seed: int,
    directory: Path,
    steps: tuple[Step, ...] = (),
    hurried: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> WiresResult:
    """Run the cars and faults of a world's config on real processes. Raises: as run_on_wires."""
    notes: list[str] = []
    plan = _plan(config, seed, notes)
    with _running(config, plan, directory, hurried=hurried) as (stack, deeds):
        player = _Player(stack, config, seed, deeds, notes)
        player.set_cars()
        player.set_faults()
        player.set_steps(steps)
        return player.run(tell)


def cars_of(config: WorldConfig, seed: int) -> tuple[Car, ...]:
    """Return the cars of a world, as the world itself draws them."""
    if config.cars is not None:
        return config.cars
    streams = Streams(seed)
    return draw_cars(
        lanes=lane_ids(config.lanes),
        vehicles=config.vehicles,
        mix=config.mix,
        gap_ms=config.gap_ms,
        dice=streams.of("traffic"),
        odd_permille=config.odd_permille,
        odd_dice=streams.of("odd vehicles"),
    )


def _plan(config: WorldConfig, seed: int, notes: list[str]) -> Plan:
    now_ms = time.time_ns() // 1_000_000
    if config.start_ms != WorldConfig().start_ms:
        notes.append("cannot be done on wires: start: all processes have this machine's clock")
    several = config.plazas > 1
    if several:
        try:
            binaries()
        except DatabaseMissingError as error:
            several = False
            notes.append(f"cannot be done on wires: {config.plazas} plaza processes: {error}")
    return Plan(
        lanes=tuple(str(lane) for lane in lane_ids(config.lanes)),
        site={"power_fail": config.power_fail.value},
        latency_ms=config.latency_ms,
        jitter_ms=config.latency_jitter_ms,
        boom_ms=None,
        people_percent=100,
        attended=config.attended,
        seed=seed,
        plaza_mqtt=True,
        wallets=config.wallets,
        postgres=several,
        plazas=config.plazas if several else 1,
        tariff=replace(
            make_tariff(config.tariff_rows),
            made_at_ms=now_ms - DAY_MS,
            effective_from_ms=now_ms - HOUR_MS,
        ),
    )


@contextmanager
def _running(
    config: WorldConfig, plan: Plan, directory: Path, *, hurried: bool
) -> Iterator[tuple[Stack, Deeds]]:
    with ExitStack() as kept:
        nursery = Nursery(hurried=hurried)
        kept.callback(nursery.close)
        stack = Stack(directory / "run", nursery, plan)
        if stack.database is not None:
            kept.callback(stack.database.remove)
        disks = {}
        for process in full_disks(config.faults):
            lane = process.removeprefix("lane ")
            folder = stack.layout.lane(lane) if lane in plan.lanes else stack.layout.plaza
            folder.mkdir(exist_ok=True)
            disks[process] = SmallDisk(folder, partial(_pid, stack, process))
            kept.callback(disks[process].remove, keep=True)
        kept.enter_context(stack.running())
        for lane in plan.lanes:
            stack.shows(lane, WELCOME)
        yield stack, Deeds(stack, disks, tariff_rows=config.tariff_rows)


def _pid(stack: Stack, process: str) -> int | None:
    part = stack.parts.get(process)
    return None if part is None else part.pid


class _Player:
    """Plays one run in the thread that called."""

    def __init__(
        self, stack: Stack, config: WorldConfig, seed: int, deeds: Deeds, notes: list[str]
    ) -> None:
        self._stack = stack
        self._config = config
        self._seed = seed
        self._cars = cars_of(config, seed)
        self._coupons: dict[int, str] = {}
        """Texts by vehicle."""
        self._deeds = deeds
        self._notes = notes
        self._due: list[tuple[int, int, Callable[[], object]]] = []
        self._steps: list[tuple[Step, str]] = []
        """Commands that were given, and how the lane answered."""

    # ---- what is planned ----

    def _at(self, at_us: int, do: Callable[[], object]) -> None:
        heapq.heappush(self._due, (at_us, len(self._due), do))

    def set_cars(self) -> None:
        """Tell the plaza where they entered, and have them come at their times."""
        entered_ms = time.time_ns() // 1_000_000 - HOUR_MS
        self._issue_coupons(entered_ms + HOUR_MS)
        for car in self._cars:
            number, plate = int(car.vehicle.vehicle_id), car.vehicle.plate
            if car.entry is not None and plate is not None:
                body = {
                    "plate": plate.text,
                    "entry_station": car.entry.entry_station,
                    "entered_ms": entered_ms,
                    "vehicle_class": int(car.entry.vehicle_class),
                }
                self._stack.ask_plaza("PUT", f"/v1/entries/scenario-{number}", body)
            self._at(car.arrives_us, partial(self._arrive, car, self._vehicle(car, entered_ms)))

    def _issue_coupons(self, now_ms: int) -> None:
        """Tell the plaza of every coupon a driver will hold up."""
        coupons = Coupons(self._seed, now_ms)
        for car in self._cars:
            if car.behaviour.coupon is not None:
                number = int(car.vehicle.vehicle_id)
                coupons.issue(number, car.behaviour.coupon)
                self._coupons[number] = coupons.text_of(number)
        if coupons.issued:
            self._stack.ask_plaza("POST", "/v1/coupons", coupons.issuer_file())

    def _vehicle(self, car: Car, entered_ms: int) -> dict[str, Any]:
        """Return the body of POST /vehicles for a car; note what it cannot say."""
        vehicle, behaviour = car.vehicle, car.behaviour
        wallets, number = self._config.wallets, int(vehicle.vehicle_id)
        who = f"vehicle {vehicle.vehicle_id}"
        if vehicle != usual_vehicle(vehicle.vehicle_id, vehicle.plate, vehicle.vehicle_class):
            self._cannot(f"{who} is no usual one of its class: it comes as such")
        name = behaviour.name if behaviour.name in BEHAVIOURS else "phone_ok"
        body: dict[str, Any] = {
            "lane": str(car.lane_id),
            "behaviour": name,
            "changes": _changes(BEHAVIOURS[name], behaviour),
            "vehicle_class": int(vehicle.vehicle_class),
            "no_plate": vehicle.plate is None,
            "wallet": wallets[number % len(wallets)].value,
        }
        if number in self._coupons:
            body["coupon"] = self._coupons[number]
        if vehicle.plate is not None:
            body["plate"] = vehicle.plate.text
        if car.entry is not None:
            body["entry"] = {
                "station": car.entry.entry_station,
                "entered_ms": entered_ms,
                "vehicle_class": int(car.entry.vehicle_class),
            }
        return body

    def _arrive(self, car: Car, body: dict[str, Any]) -> None:
        del car
        self._stack.site.ask("POST", "/vehicles", body)

    def set_faults(self) -> None:
        """Have each fault happen, or note that it cannot."""
        for fault in self._config.faults:
            try:
                deeds = self._deeds.of(fault)
            except CannotOnWiresError as error:
                self._cannot(str(error))
                continue
            for deed in deeds:
                self._at(deed.at_ms * 1_000, deed.do)

    def set_steps(self, steps: tuple[Step, ...]) -> None:
        """Have a person give commands at their times."""
        for step in steps:
            self._at(step.at_us, partial(self._give, step))

    def _give(self, step: Step) -> None:
        try:
            with OperatorPort(self._stack.layout.socket(step.lane)) as port:
                port.hello(OPERATOR, PIN)
                result = port.order(
                    step.action, reason=step.reason, text=step.text, number=step.number
                )
        except PortError:
            self._steps.append((step, "the lane is down"))
            return
        reason = f" ({result['reason']})" if result["reason"] else ""
        self._steps.append((step, f"{result['outcome']}{reason}"))

    def _cannot(self, what: str) -> None:
        self._notes.append(f"cannot be done on wires: {what}")

    # ---- playing ----

    def run(self, tell: Callable[[str], None]) -> WiresResult:
        """Play it to its end and judge it."""
        stack = self._stack
        began_us = stack.at_us()
        for note in self._notes:
            tell(note)
        while self._due:
            wait_us = self._due[0][0] - (stack.at_us() - began_us)
            if wait_us > 0:
                time.sleep(min(wait_us / 1e6, NAP_S))
                continue
            do = heapq.heappop(self._due)[2]
            try:
                do()
            except _AWAY as error:
                self._notes.append(f"was not done: {error!r}")
        left = self._wait(self._vehicles_left, SAFETY_S, tell)
        self._deeds.end()
        left = self._wait(stack.restless, REST_S, tell)
        ended_us = stack.at_us() - began_us
        if left:
            self._notes.append(f"not at rest: {left}")
        bill = None if left or not self._config.bill_mistakes else self._close_day()
        evidence = moved(stack.gather(), began_us)
        return WiresResult(
            evidence=evidence,
            verdict=audit(evidence),
            at_rest=not left,
            ended_us=ended_us,
            vehicles=sum(driver.gone for driver in evidence.drivers),
            checks=tuple(self._checks()),
            notes=tuple(self._notes),
            bill=bill,
        )

    def _close_day(self) -> BillCame:
        """Have the platform write its bill of today, and the plaza close the day by it."""
        mistakes = [mistake.value for mistake in self._config.bill_mistakes]
        day = self._stack.site.platform("POST", "/bills", {"mistakes": mistakes})["day"]
        before = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
        days = (before, day) if BillMistake.DAY in self._config.bill_mistakes else (day,)
        found: Counter[str] = Counter()
        left = unexplained_fen = 0
        for each in days:
            asked = {"day": each, "platform": ALIPAY}
            (closed,) = self._stack.ask_plaza("POST", "/v1/reconciliations", asked)["days"]
            if closed["report"] is None:
                self._notes.append(f"no bill of {each}: {closed['missing']}")
                continue
            left += closed["report"]["left"]
            unexplained_fen += closed["report"]["difference_fen"]
            told = self._stack.ask_plaza("GET", f"/v1/reconciliations/{each}")
            found.update(one["what"] for one in told["differences"])
        return BillCame(found=dict(found), left=left, unexplained_fen=unexplained_fen)

    def _vehicles_left(self) -> str:
        vehicles = self._stack.site.status()["vehicles"]
        return "" if vehicles["gone"] >= vehicles["spawned"] else f"vehicles {vehicles}"

    def _wait(
        self, left_of: Callable[[], str], within_s: float, tell: Callable[[str], None]
    ) -> str:
        """Wait until nothing is left; return what is, empty where nothing."""
        end_s = time.monotonic() + within_s
        while True:
            try:
                left = left_of()
            except _AWAY as error:
                left = repr(error)
            if not left or time.monotonic() >= end_s:
                if left:
                    tell(left)
                return left
            time.sleep(LOOK_S)

    def _checks(self) -> Iterator[Checked]:
        for step, seen in self._steps:
            if step.answer is not None:
                ok = seen.partition(" ")[0] == step.answer.value
                what = f"{step.action} at {span_text(step.at_us)} is {step.answer}"
                yield Checked(what=what, ok=ok, seen=seen)


def _changes(usual: Behaviour, behaviour: Behaviour) -> dict[str, Any]:
    """Return the members in which a driver differs from the usual one of his kind."""
    own, known = asdict(behaviour), asdict(usual)
    return {key: value for key, value in own.items() if value != known[key]}


def moved(evidence: Evidence, began_us: int) -> Evidence:
    """Return evidence with all times counted from *began_us* of the plant's clock."""
    return replace(
        evidence,
        plant_log=tuple(
            replace(entry, nose_us=entry.nose_us - began_us, tail_us=entry.tail_us - began_us)
            if isinstance(entry, Passage)
            else replace(entry, at_us=entry.at_us - began_us)
            for entry in evidence.plant_log
        ),
        trades=tuple(
            trade
            if trade.paid_at_us is None
            else replace(trade, paid_at_us=trade.paid_at_us - began_us)
            for trade in evidence.trades
        ),
        tapped=tuple(replace(one, at_us=one.at_us - began_us) for one in evidence.tapped),
        restarts=tuple(replace(one, at_us=one.at_us - began_us) for one in evidence.restarts),
    )
