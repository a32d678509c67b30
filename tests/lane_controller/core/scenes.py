"""Helper of the tests of the lane core: a lane in every state of every machine, and every fact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import Any

from lane_controller.core import events as ev
from lane_controller.core.states import Boom, LaneMode, LaneState, LeavingPhase, Phase
from lane_controller.core.tables import Machine
from tests.lane_controller.core.playbook import (
    EAST,
    LOOP_1,
    LOOP_2,
    OFF,
    ON,
    PLATE,
    UNKNOWN,
    UP,
    Playbook,
    change,
    code,
    coupon,
    fixed,
    tariff,
)
from tolling.coupons import CouponAnswer, CouponReason, HoldState
from tolling.devices import Device, EtcOutcome, EtcTag, Health
from tolling.ids import BootId, OutTradeNo, PassageId
from tolling.inputs import LowerRefusal
from tolling.messages import OperatorAction, OperatorCommand, PaymentAnswer
from tolling.orders import NextStep, OrderState, ReasonCode
from tolling.paycodes import NotAPayCode, Wallet

FIRST = PassageId("440301007001000000001")
"""The first passage of an open lane of the playbook."""
ORDER = OutTradeNo(f"{FIRST}A01")


def priced() -> Playbook:
    """Return a lane whose vehicle is priced and not told yet."""
    book = Playbook().open() >> change(LOOP_1, ON) >> ev.PlateRead(plate=PLATE)
    return book >> ev.EntryKnown(passage_id=book.passage.passage_id, entry=EAST)


def paying() -> Playbook:
    """Return a lane whose vehicle has an order and a tag charge that ended nowhere."""
    return Playbook().open().arrive() >> code()


def restarted() -> Playbook:
    """Return a lane that came back with a vehicle and its order in it."""
    return paying().start("boot-2", 3000)


def under_boom() -> Playbook:
    """Return a lane whose paid vehicle is under the boom."""
    return Playbook().open().arrive().pay().boom_up().read(loop_2=ON, loop_1=OFF)


def broken() -> Playbook:
    """Return a lane after a fault of the program."""
    return Playbook().open() >> ev.FaultCaught(what="an assertion")


SCENES: dict[Machine, dict[StrEnum, Callable[[], Playbook]]] = {
    Machine.CONDITIONS: {
        LaneMode.CLOSED: lambda: Playbook().open().act(OperatorAction.CLOSE_LANE),
        LaneMode.OPEN: lambda: Playbook().open(),
        LaneMode.CLOSING: lambda: Playbook().open().arrive().act(OperatorAction.CLOSE_LANE),
        LaneMode.ATTENDED_ONLY: broken,
    },
    Machine.INTERLOCK: {
        Boom.UNKNOWN: lambda: Playbook().open() >> change(UP, UNKNOWN) >> change(UP, ON),
        Boom.DOWN: lambda: Playbook().open(),
        Boom.RAISING: lambda: Playbook().open().arrive().pay(),
        Boom.UP: lambda: Playbook().open().arrive().pay().boom_up(),
        Boom.LOWERING: lambda: under_boom().read(loop_2=OFF).wait(1000),
        Boom.MOVED: lambda: Playbook().open().read(boom_down=OFF),
    },
    Machine.LEAVING: {
        LeavingPhase.ABSENT: lambda: Playbook().open(),
        LeavingPhase.UNDER_BOOM: under_boom,
        LeavingPhase.CLEARING: lambda: under_boom().read(loop_2=OFF),
    },
    Machine.ARRIVING: {
        Phase.ABSENT: lambda: Playbook().open(),
        Phase.UNSURE: restarted,
        Phase.IDENTIFYING: lambda: Playbook().open() >> change(LOOP_1, ON),
        Phase.PRICED: priced,
        Phase.HELD: lambda: Playbook().open().arrive().act(OperatorAction.SET_CLASS, number=16),
        Phase.TENDER: lambda: Playbook().open().arrive(),
        Phase.PAYING: paying,
        Phase.CASH: lambda: paying().act(OperatorAction.CASH_BEGIN),
        Phase.RELEASED: lambda: Playbook().open().arrive().pay(),
    },
}


def state_in(machine: Machine, where: StrEnum) -> LaneState:
    """Return a lane state with one machine there; the scenes are played, not made up."""
    return SCENES[machine][where]().state


def answer(state: OrderState, fen: int = 0, version: int = 3) -> ev.OrderAnswered:
    """Return the plaza's word for the first order."""
    return ev.OrderAnswered(
        answer=PaymentAnswer(
            out_trade_no=ORDER,
            state=state,
            reason_code=ReasonCode.NONE,
            next=NextStep.NEW_CODE,
            captured_fen=fen,
            provider_txn_id="P" if fen else None,
            version=version,
        )
    )


def ordered(action: OperatorAction, passage_id: PassageId | None = FIRST) -> ev.OperatorActed:
    """Return an order of a person for the first passage."""
    return ev.OperatorActed(
        command=OperatorCommand(
            command_id=f"p-{action}",
            action=action,
            operator="wang",
            reason="because of this",
            passage_id=passage_id,
            boot_id=BootId("boot-1"),
            state_version=1,
            text="E1",
            number=2,
            local=True,
        )
    )


TAG = EtcTag(tag_id="TAG1", entry=None, plate=None, balance_fen=10_000)
CHARGED = EtcOutcome(reference=FIRST, charged_fen=2500, txn_id="E1", reason="")
REFUSED_TAG = replace(CHARGED, charged_fen=0, txn_id=None, reason="balance")

FACTS: dict[type[Any], tuple[Any, ...]] = {
    ev.Started: (
        ev.Started(boot_id=BootId("b"), downtime_ms=None),
        ev.Started(boot_id=BootId("b"), downtime_ms=2000),
    ),
    ev.InputChanged: tuple(change(p, r) for p in (LOOP_1, LOOP_2, UP) for r in (ON, OFF, UNKNOWN)),
    ev.LowerAnswered: (
        ev.LowerAnswered(refusal=None),
        ev.LowerAnswered(refusal=LowerRefusal.OCCUPIED),
    ),
    ev.BarrierFailed: (ev.BarrierFailed(raising=True), ev.BarrierFailed(raising=False)),
    ev.DeviceChanged: tuple(
        ev.DeviceChanged(device=device, health=health, what="seen")
        for device in (Device.DISPLAY, Device.BARRIER, Device.SCANNER, Device.PRINTER)
        for health in (Health.LOST, Health.OK, Health.CONNECTING)
    ),
    ev.PlateRead: (ev.PlateRead(plate=PLATE), ev.PlateRead(plate=None)),
    ev.TagRead: (ev.TagRead(tag=TAG), ev.TagRead(tag=replace(TAG, entry=EAST))),
    ev.EtcAnswered: (
        ev.EtcAnswered(passage_id=FIRST, outcome=CHARGED),
        ev.EtcAnswered(passage_id=FIRST, outcome=REFUSED_TAG),
        ev.EtcAnswered(passage_id=FIRST, outcome=None, failed=True),
    ),
    ev.EntryKnown: (
        ev.EntryKnown(passage_id=FIRST, entry=EAST),
        ev.EntryKnown(passage_id=FIRST, entry=None),
    ),
    ev.TollShown: (ev.TollShown(passage_id=FIRST, device=Device.VOICE),),
    ev.TollNotShown: (ev.TollNotShown(passage_id=FIRST),),
    ev.CodeScanned: (code(), code("c2")),
    ev.CouponScanned: (coupon(), coupon("k2")),
    ev.CouponAnswered: tuple(
        ev.CouponAnswered(
            answer=CouponAnswer(
                passage_id=FIRST,
                attempt=1,
                state=state,
                reason=CouponReason.NONE,
                coupon_no="K-1",
                entitlement=fixed(500),
                saved_fen=500,
            )
        )
        for state in HoldState
    ),
    ev.CouponUnanswered: tuple(
        ev.CouponUnanswered(passage_id=FIRST, attempt=1, why=why) for why in ev.NoAnswer
    ),
    ev.NotCodeScanned: (ev.NotCodeScanned(reason=NotAPayCode.WRONG_LENGTH),),
    ev.OrderAnswered: (
        *(answer(state) for state in OrderState if state is not OrderState.PAID),
        answer(OrderState.PAID, 2500),
        answer(OrderState.PAID, 1),
    ),
    ev.OrderUnanswered: tuple(
        ev.OrderUnanswered(out_trade_no=ORDER, why=why) for why in ev.NoAnswer
    ),
    ev.OperatorActed: (
        *(ordered(action) for action in OperatorAction),
        ordered(OperatorAction.RAISE, None),
    ),
    ev.LinkChanged: tuple(
        ev.LinkChanged(link=link, up=up) for link in ("plaza", "broker") for up in (True, False)
    ),
    ev.TariffsInstalled: (ev.TariffsInstalled(sets=(tariff(), tariff(2))),),
    ev.EpochGranted: (ev.EpochGranted(epoch=1), ev.EpochGranted(epoch=2)),
    ev.WalletsChanged: tuple(
        ev.WalletsChanged(off=off) for off in ((), (Wallet.ALIPAY,), tuple(sorted(Wallet)))
    ),
    ev.StoreChanged: tuple(ev.StoreChanged(store=store) for store in ev.StoreState),
    ev.FaultCaught: (ev.FaultCaught(what="an assertion"),),
    ev.Wakeup: tuple(
        ev.Wakeup(timer_id=name)
        for name in (
            "boom",
            "boom_settle",
            "raise_again",
            "leaving",
            "presence",
            "loop_1_gap",
            "stuck",
            "under_stuck",
            "unsure",
            "plate",
            "entry",
            "tender",
            "cash",
            "etc",
            "coupon",
            "clear",
            f"order:{ORDER}",
            f"poll:{ORDER}",
            "of another age",
        )
    ),
}
"""At least one fact of every class."""
