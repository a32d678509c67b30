"""Helper of the tests of the lane core: sequence charts with a virtual clock, checked at each step.

``book >> fact`` is an event, ``book << command`` says that it gave this command (after the one
named before). A command class stands for any command of that class.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lane_controller.core import commands as cmd
from lane_controller.core import events as ev
from lane_controller.core.lane import initial_state, step
from lane_controller.core.states import LaneConfig, LaneState, Passage, Phase
from tolling.alarms import AlarmCode
from tolling.best_price import Entitlement, EntitlementKind
from tolling.canonical import canonical_bytes, from_canonical
from tolling.clock import NS_PER_MS, ClockQuality, WallTime
from tolling.coupons import CouponAnswer, CouponReason, CouponRef, HoldState
from tolling.devices import Device
from tolling.ids import BootId, LaneId, OutTradeNo, PlazaId
from tolling.inputs import Point, Reading
from tolling.messages import (
    CommandOutcome,
    EntryFound,
    OperatorAction,
    OperatorCommand,
    PaymentAnswer,
)
from tolling.orders import NextStep, OrderState, ReasonCode
from tolling.paycodes import PayCodeRef, Wallet
from tolling.records import PassageRecord
from tolling.tariffs import EntrySource, TariffRow, TariffSet
from tolling.vehicles import Plate, VehicleClass

T0_MS = 1_790_000_000_000
ON, OFF, UNKNOWN = Reading.ON, Reading.OFF, Reading.UNKNOWN
UP, DOWN = Point.BOOM_UP, Point.BOOM_DOWN
LOOP_1, LOOP_2, CURTAIN = Point.LOOP_1, Point.LOOP_2, Point.CURTAIN
PLATE = Plate(text="粤B12345")
CONFIG = LaneConfig(
    plaza_id=PlazaId("440301"),
    lane_id=LaneId("007"),
    attended=True,
    under_boom=frozenset({LOOP_2}),
    devices=frozenset({"display", "voice", "scanner", "camera", "barrier"}),
)
EAST = EntryFound(
    entry_station="E1",
    entered_ms=T0_MS - 3_600_000,
    vehicle_class=VehicleClass.CAR_1,
    source=EntrySource.PLATE,
)


def tariff(version: int = 1, toll_fen: int = 2500, from_ms: int = T0_MS - 1000) -> TariffSet:
    """Return a small tariff: E1 costs *toll_fen*, the farthest entry FAR 9000 fen, FREE nothing."""
    rows = (("E1", 1, toll_fen, 10), ("FAR", 1, 9000, 90), ("E1", 2, 4000, 10), ("FREE", 1, 0, 1))
    return TariffSet(
        tariff_id="T",
        version=version,
        made_at_ms=T0_MS - 5000,
        effective_from_ms=from_ms,
        rows=tuple(
            TariffRow(
                row=number,
                entry_station=station,
                vehicle_class=VehicleClass(code),
                toll_fen=toll,
                distance_m=far,
            )
            for number, (station, code, toll, far) in enumerate(rows, start=1)
        ),
    )


def change(point: Point, reading: Reading) -> ev.InputChanged:
    """Return the fact that an input reads so."""
    return ev.InputChanged(point=point, reading=reading)


def code(name: str = "c1", *, wallet: Wallet = Wallet.ALIPAY) -> ev.CodeScanned:
    """Return a scan of the phone called *name*."""
    return ev.CodeScanned(ref=PayCodeRef(wallet=wallet, length=18, keyed_hash=name))


def coupon(name: str = "k1") -> ev.CouponScanned:
    """Return a scan of the coupon called *name*."""
    return ev.CouponScanned(ref=CouponRef(keyed_hash=name))


def fixed(amount_fen: int, **more: Any) -> Entitlement:
    """Return the terms of a coupon that takes so much off."""
    return Entitlement(
        kind=EntitlementKind.COUPON_FIXED, name="国庆券", amount_fen=amount_fen, **more
    )


class Rules:
    """What must hold at every step, kept beside the core from events and commands alone."""

    def __init__(self, state: LaneState) -> None:
        self.free_since: dict[Point, int] = {}
        self.numbers: set[OutTradeNo] = set()
        self.passages: set[str] = {p.passage_id for p in (state.arriving, state.leaving) if p}
        self.sealed: set[str] = set()

    def check(self, event: ev.Event, state: LaneState, commands: tuple[cmd.Command, ...]) -> None:
        """Raise AssertionError where a step broke a rule."""
        fact = event.fact
        if isinstance(fact, ev.Started):
            self.free_since = {}
        if isinstance(fact, ev.InputChanged):
            if fact.reading is OFF:
                self.free_since.setdefault(fact.point, event.at_ns)
            else:
                self.free_since.pop(fact.point, None)
        present = [p for p in (state.arriving, state.leaving) if p is not None]
        self.passages |= {p.passage_id for p in present}
        for command in commands:
            self._check_command(event, state, present, command)
        assert self.passages == self.sealed | {p.passage_id for p in present}
        assert not self.sealed & {p.passage_id for p in present}
        assert all(len(p.open_orders) <= 2 for p in present)
        # Tariffs are long and go round by themselves where they are installed.
        light = state
        if not isinstance(fact, ev.TariffsInstalled):
            light = replace(state, tariffs=(), tariff=None, done_commands=state.done_commands[-1:])
        assert from_canonical(LaneState, canonical_bytes(light)) == light

    def _check_command(
        self, event: ev.Event, state: LaneState, present: list[Passage], command: cmd.Command
    ) -> None:
        match command:
            case cmd.LowerIfClear():
                for point in state.config.under_boom:
                    assert event.at_ns - self.free_since[point] >= 1_000 * NS_PER_MS, "B1"
                assert state.leaving is None, "B1"
                assert state.arriving is None or not state.arriving.released, "B1"
            case cmd.RaiseBoom(reason=cmd.RaiseReason.TENDER | cmd.RaiseReason.EXEMPTION):
                named = [p for p in present if p.passage_id == command.passage_id]
                assert named, "B2"
                assert named[0].released, "B2"
            case cmd.SealPassage(record=record):
                assert record.passage_id not in self.sealed, "M1: sealed twice"
                self.sealed.add(record.passage_id)
            case cmd.SendOrder(out_trade_no=number):
                assert number not in self.numbers, "a number is used once"
                self.numbers.add(number)
                assert state.arriving is not None
                assert not state.arriving.legs, "M1: an order after a leg"
                assert command.request.toll_fen == state.arriving.rest_fen


class Playbook:
    """One lane from its start, event by event."""

    def __init__(
        self, config: LaneConfig = CONFIG, *, state: LaneState | None = None, at_ms: int = 0
    ) -> None:
        self.state = state if state is not None else initial_state(config)
        self.rules = Rules(self.state)
        self.at_ns = at_ms * NS_PER_MS
        self.quality = ClockQuality.SYNCED
        self.given: list[cmd.Command] = []
        """Commands of the last event."""
        self.log: list[cmd.Command] = []
        self.timers: dict[str, tuple[int, int]] = {}
        self._seen = 0
        self._count = 0

    # ---- charts ----

    def __rshift__(self, fact: ev.Fact) -> Playbook:
        self.given, self._seen = [], 0
        self._step(fact)
        return self

    def __lshift__(self, expected: Any) -> Playbook:
        for index in range(self._seen, len(self.given)):
            have = self.given[index]
            if have == expected or (isinstance(expected, type) and isinstance(have, expected)):
                self._seen = index + 1
                return self
        raise AssertionError(f"no {expected} among {self.given[self._seen :]}")

    def gave(self, kind: type[Any]) -> list[Any]:
        """Return the commands of a class that the last event (or wait) gave."""
        return [command for command in self.given if isinstance(command, kind)]

    def ever(self, kind: type[Any]) -> list[Any]:
        """Return the commands of a class since the start."""
        return [command for command in self.log if isinstance(command, kind)]

    def wait(self, ms: int) -> Playbook:
        """Let time pass; deliver the wakeups that come due, in order."""
        self.given, self._seen = [], 0
        end = self.at_ns + ms * NS_PER_MS
        while self.timers:
            timer_id, (due, _) = min(self.timers.items(), key=lambda item: item[1])
            if due > end:
                break
            del self.timers[timer_id]
            self.at_ns = max(self.at_ns, due)
            self._step(ev.Wakeup(timer_id=timer_id))
        self.at_ns = end
        return self

    def _step(self, fact: ev.Fact) -> None:
        event = ev.Event(at_ns=self.at_ns, wall=self.wall, fact=fact)
        before = self.state
        self.state, commands = step(before, event)
        assert step(before, event) == (self.state, commands), "the same event, the same commands"
        self.rules.check(event, self.state, commands)
        for command in commands:
            if isinstance(command, cmd.RequestWakeup):
                self._count += 1
                due = self.at_ns + command.after_ms * NS_PER_MS
                self.timers[command.timer_id] = (due, self._count)
            elif isinstance(command, cmd.CancelWakeup):
                self.timers.pop(command.timer_id, None)
        self.given += commands
        self.log += commands

    # ---- what is seen ----

    @property
    def wall(self) -> WallTime:
        """Return the wall clock now."""
        return WallTime(utc_ms=T0_MS + self.at_ns // NS_PER_MS, quality=self.quality)

    @property
    def phase(self) -> Phase:
        """Return where the arriving vehicle is."""
        return self.state.phase

    @property
    def passage(self) -> Passage:
        """Return the arriving passage."""
        assert self.state.arriving is not None
        return self.state.arriving

    @property
    def records(self) -> list[PassageRecord]:
        """Return the sealed records."""
        return [command.record for command in self.ever(cmd.SealPassage)]

    def stands(self, alarm: AlarmCode) -> bool:
        """Return whether an alarm stands."""
        return any(each.code == alarm.value for each in self.state.alarms)

    # ---- whole pieces of a day ----

    def start(self, boot: str = "boot-1", downtime_ms: int | None = None) -> Playbook:
        """Start the process; everything in flight and every timer of the last run is gone."""
        self.timers.clear()
        return self >> ev.Started(boot_id=BootId(boot), downtime_ms=downtime_ms)

    def read(self, **readings: Reading) -> Playbook:
        """Read inputs by their names."""
        for name, reading in readings.items():
            self >> change(Point(name), reading)
        return self

    def open(self, *, epoch: int = 1, plaza: bool = True) -> Playbook:
        """Start an enrolled lane with its tariff, boom down, nobody there."""
        self.start()
        if epoch:
            self >> ev.EpochGranted(epoch=epoch)
        if plaza:
            self >> ev.LinkChanged(link="plaza", up=True)
        self >> ev.TariffsInstalled(sets=(tariff(),))
        return self.read(boom_up=OFF, boom_down=ON, loop_1=OFF, loop_2=OFF)

    def arrive(self) -> Playbook:
        """Let a car stop at the window and see its toll: 25 yuan from E1."""
        self >> change(LOOP_1, ON)
        self >> ev.PlateRead(plate=PLATE)
        if self.phase is Phase.IDENTIFYING:
            self >> ev.EntryKnown(passage_id=self.passage.passage_id, entry=EAST)
        return self.told()

    def told(self) -> Playbook:
        """Let the display take the toll."""
        return self >> ev.TollShown(passage_id=self.passage.passage_id, device=Device.DISPLAY)

    def answer(
        self,
        state: OrderState,
        *,
        number: OutTradeNo | None = None,
        captured_fen: int | None = None,
        version: int = 1,
        then: NextStep = NextStep.WAIT,
        retry_after_ms: int | None = None,
        reason: ReasonCode = ReasonCode.NONE,
    ) -> Playbook:
        """Let the plaza answer for an order (the last one)."""
        number = number or self.passage.orders[-1].out_trade_no
        amount = captured_fen
        if amount is None:
            amount = self.passage.rest_fen if state is OrderState.PAID else 0
        return self >> ev.OrderAnswered(
            answer=PaymentAnswer(
                out_trade_no=number,
                state=state,
                reason_code=reason,
                next=then,
                captured_fen=amount,
                provider_txn_id="P1" if amount else None,
                version=version,
                retry_after_ms=retry_after_ms,
            )
        )

    def held(self, terms: Entitlement, saved_fen: int, *, number: str = "K-1") -> Playbook:
        """Let the plaza hold the coupon that was scanned last."""
        return self.coupon_answer(
            HoldState.RESERVED, coupon_no=number, entitlement=terms, saved_fen=saved_fen
        )

    def coupon_answer(
        self, state: HoldState, reason: CouponReason = CouponReason.NONE, **more: Any
    ) -> Playbook:
        """Let the plaza answer about the coupon that was scanned last."""
        return self >> ev.CouponAnswered(
            answer=CouponAnswer(
                passage_id=self.passage.passage_id,
                attempt=self.passage.coupons[-1].attempt,
                state=state,
                reason=reason,
                **more,
            )
        )

    def silence(
        self, why: ev.NoAnswer = ev.NoAnswer.TIMEOUT, number: str | None = None
    ) -> Playbook:
        """Let the last call about an order bring no answer."""
        out = OutTradeNo(number) if number else self.passage.orders[-1].out_trade_no
        return self >> ev.OrderUnanswered(out_trade_no=out, why=why)

    def act(
        self,
        action: OperatorAction,
        *,
        reason: str = "told so by the driver",
        command_id: str | None = None,
        passage_id: Any = "present",
        text: str = "",
        number: int = 0,
    ) -> Playbook:
        """Let an attendant order something for the vehicle at the window."""
        self._count += 1
        here = self.state.arriving.passage_id if self.state.arriving else None
        assert self.state.boot_id is not None
        return self >> ev.OperatorActed(
            command=OperatorCommand(
                command_id=command_id or f"k{self._count}",
                action=action,
                operator="li",
                reason=reason,
                passage_id=here if passage_id == "present" else passage_id,
                boot_id=self.state.boot_id,
                state_version=1,
                text=text,
                number=number,
                local=True,
            )
        )

    def result(self) -> tuple[CommandOutcome, str]:
        """Return how the last command of a person was answered by the last event."""
        answer = self.gave(cmd.AnswerOperator)[-1]
        return answer.outcome, answer.reason

    def boom_up(self) -> Playbook:
        """Let the boom rise."""
        return self.read(boom_down=OFF).wait(900).read(boom_up=ON)

    def boom_down(self) -> Playbook:
        """Let the boom come down."""
        return self.read(boom_up=OFF).wait(900).read(boom_down=ON)

    def drive_on(self) -> Playbook:
        """Let the released car drive through and the boom come down."""
        self.read(loop_2=ON).wait(500).read(loop_1=OFF).wait(500).read(loop_2=OFF).wait(1000)
        assert self.gave(cmd.LowerIfClear)
        self >> ev.LowerAnswered(refusal=None)
        return self.boom_down()

    def pay(self, name: str = "c1") -> Playbook:
        """Let the driver pay by phone at once."""
        self >> code(name)
        return self.answer(OrderState.PAID)


def with_curtain() -> Playbook:
    """Return an open lane with a light curtain under its boom."""
    config = replace(CONFIG, under_boom=frozenset({Point.LOOP_2, Point.CURTAIN}))
    return Playbook(config).open().read(curtain=OFF)
