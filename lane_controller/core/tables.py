"""What every machine does with every fact, as data. Nothing is left to a default that nobody wrote
down.

A row is ``Go`` (a handler and the states it may lead to), ``Ignore`` (with the reason) or
``Illegal`` (the state
stays, an alarm says so). ``docs/lane-states.md`` is drawn from these tables, and a test steps
every pair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lane_controller.core import (
    conditions,
    coupons,
    identify,
    interlock,
    outage,
    paying,
    people,
    presence,
    tags,
)
from lane_controller.core import events as ev
from lane_controller.core.draft import Draft
from lane_controller.core.states import Boom, LaneMode, LeavingPhase, Phase

Handler = Callable[[Draft], None]


@dataclass(frozen=True, slots=True)
class Go:
    """Call the handler; afterwards the machine is in one of these states."""

    handler: Handler
    to: frozenset[StrEnum]


@dataclass(frozen=True, slots=True)
class Ignore:
    """The fact says nothing to this state."""

    reason: str


@dataclass(frozen=True, slots=True)
class Illegal:
    """The fact cannot come in this state: keep the state, raise illegal_event."""

    what: str


Row = Go | Ignore | Illegal
Table = Mapping[type[Any], Mapping[StrEnum, Row]]

ALL_FACTS: tuple[type[Any], ...] = (
    ev.Started,
    ev.InputChanged,
    ev.LowerAnswered,
    ev.BarrierFailed,
    ev.DeviceChanged,
    ev.PlateRead,
    ev.TagRead,
    ev.EtcAnswered,
    ev.EntryKnown,
    ev.TollShown,
    ev.TollNotShown,
    ev.CodeScanned,
    ev.CouponScanned,
    ev.NotCodeScanned,
    ev.OrderAnswered,
    ev.OrderUnanswered,
    ev.CouponAnswered,
    ev.CouponUnanswered,
    ev.OperatorActed,
    ev.LinkChanged,
    ev.TariffsInstalled,
    ev.EpochGranted,
    ev.WalletsChanged,
    ev.StoreChanged,
    ev.FaultCaught,
    ev.Wakeup,
)


def _everywhere(states: type[StrEnum], row: Row) -> dict[StrEnum, Row]:
    return dict.fromkeys(states, row)


def _only(states: type[StrEnum], rows: Mapping[StrEnum, Row], other: Row) -> dict[StrEnum, Row]:
    return {state: rows.get(state, other) for state in states}


def _go(handler: Handler, *to: StrEnum) -> Go:
    return Go(handler, frozenset(to))


def _rest(
    states: type[StrEnum], reason: str, *facts: type[Any]
) -> dict[type[Any], dict[StrEnum, Row]]:
    return {fact: _everywhere(states, Ignore(reason)) for fact in facts}


# ---- conditions: the mode of the lane ----

_MODES = tuple(LaneMode)


def _keeping(handler: Handler) -> dict[StrEnum, Row]:
    return {mode: _go(handler, mode) for mode in LaneMode}


CONDITIONS: Table = {
    ev.Started: {
        LaneMode.CLOSED: _go(conditions.started, LaneMode.CLOSED, LaneMode.OPEN),
        LaneMode.OPEN: _go(conditions.started, LaneMode.OPEN),
        LaneMode.CLOSING: _go(conditions.started, LaneMode.CLOSING, LaneMode.CLOSED),
        LaneMode.ATTENDED_ONLY: _go(conditions.started, LaneMode.ATTENDED_ONLY),
    },
    ev.DeviceChanged: _keeping(conditions.device_changed),
    ev.LinkChanged: _keeping(conditions.link_changed),
    ev.TariffsInstalled: _keeping(conditions.tariffs_installed),
    ev.EpochGranted: _keeping(conditions.epoch_granted),
    ev.WalletsChanged: _keeping(conditions.wallets_changed),
    ev.StoreChanged: {
        LaneMode.CLOSED: _go(conditions.store_changed, LaneMode.CLOSED, LaneMode.OPEN),
        LaneMode.OPEN: _go(conditions.store_changed, *_MODES[:3]),
        LaneMode.CLOSING: _go(conditions.store_changed, *_MODES[:3]),
        LaneMode.ATTENDED_ONLY: _go(conditions.store_changed, LaneMode.ATTENDED_ONLY),
    },
    ev.FaultCaught: _everywhere(LaneMode, _go(conditions.fault_caught, LaneMode.ATTENDED_ONLY)),
    ev.OperatorActed: _everywhere(LaneMode, _go(people.operator_acted, *_MODES)),
    **_rest(
        LaneMode,
        "says nothing of the lane's condition",
        ev.InputChanged,
        ev.LowerAnswered,
        ev.BarrierFailed,
        ev.PlateRead,
        ev.TagRead,
        ev.EtcAnswered,
        ev.EntryKnown,
        ev.TollShown,
        ev.TollNotShown,
        ev.CodeScanned,
        ev.CouponScanned,
        ev.NotCodeScanned,
        ev.OrderAnswered,
        ev.OrderUnanswered,
        ev.CouponAnswered,
        ev.CouponUnanswered,
        ev.Wakeup,
    ),
}

# ---- interlock: the boom ----

_BOOMS = tuple(Boom)

INTERLOCK: Table = {
    ev.Started: _everywhere(Boom, _go(interlock.started, Boom.UNKNOWN)),
    ev.InputChanged: _everywhere(Boom, _go(interlock.input_changed, *_BOOMS)),
    ev.LowerAnswered: _only(
        Boom,
        {
            Boom.LOWERING: _go(
                interlock.lower_answered, Boom.LOWERING, Boom.UP, Boom.MOVED, Boom.UNKNOWN
            ),
            **{
                boom: _go(interlock.lower_answered, boom, Boom.LOWERING, Boom.RAISING)
                for boom in (Boom.UP, Boom.MOVED, Boom.UNKNOWN)
            },
        },
        Ignore("the boom is down, or was raised meanwhile"),
    ),
    ev.BarrierFailed: {boom: _go(interlock.barrier_failed, boom) for boom in Boom},
    **_rest(
        Boom,
        "says nothing of the boom",
        *(
            fact
            for fact in ALL_FACTS
            if fact not in (ev.Started, ev.InputChanged, ev.LowerAnswered, ev.BarrierFailed)
        ),
    ),
}

# ---- leaving: the vehicle under the boom ----

LEAVING: Table = {
    ev.InputChanged: _everywhere(LeavingPhase, _go(presence.loop_changed, *LeavingPhase)),
    ev.EtcAnswered: {
        LeavingPhase.ABSENT: Ignore("nobody is under the boom"),
        **{
            phase: _go(tags.answered_of_leaving, phase)
            for phase in (LeavingPhase.UNDER_BOOM, LeavingPhase.CLEARING)
        },
    },
    **_rest(
        LeavingPhase,
        "says nothing of the vehicle under the boom",
        *(fact for fact in ALL_FACTS if fact not in (ev.InputChanged, ev.EtcAnswered)),
    ),
}

# ---- arriving: the vehicle at the window, with its orders ----

_PHASES = tuple(Phase)
_NOBODY = Ignore("nobody is at the window")
_PRICING = (Phase.IDENTIFYING, Phase.PRICED, Phase.HELD, Phase.RELEASED)
_AFTER_COUPON = (Phase.TENDER, Phase.PAYING, Phase.RELEASED)
_PAID_OR_NOT = (Phase.PAYING, Phase.TENDER, Phase.RELEASED)
_WITH_ORDERS = (Phase.UNSURE, Phase.TENDER, Phase.PAYING, Phase.CASH, Phase.RELEASED)


def _orders(handler: Handler) -> dict[StrEnum, Row]:
    early = Ignore("the vehicle has no order yet; the answer is for one that left")
    rows: dict[StrEnum, Row] = {
        Phase.ABSENT: Ignore("the vehicle has left; the plaza ends its orders"),
        Phase.UNSURE: _go(handler, Phase.UNSURE),
        Phase.IDENTIFYING: early,
        Phase.PRICED: early,
        Phase.HELD: early,
        Phase.TENDER: _go(handler, Phase.TENDER, Phase.RELEASED),
        Phase.PAYING: _go(handler, *_PAID_OR_NOT),
        Phase.CASH: _go(handler, Phase.CASH, Phase.RELEASED),
        Phase.RELEASED: _go(handler, Phase.RELEASED),
    }
    return rows


def _coupons(handler: Handler) -> dict[StrEnum, Row]:
    """A late answer is let go in any phase; only in TENDER it may settle or begin something."""
    rows: dict[StrEnum, Row] = {phase: _go(handler, phase) for phase in Phase}
    rows[Phase.ABSENT] = Ignore("the vehicle has left; its record lets its coupon go")
    rows[Phase.TENDER] = _go(handler, *_AFTER_COUPON)
    return rows


ARRIVING: Table = {
    ev.InputChanged: {
        Phase.ABSENT: _go(outage.loop_1_read, Phase.ABSENT),
        **{
            phase: _go(outage.loop_1_read, phase, Phase.UNSURE)
            for phase in Phase
            if phase is not Phase.ABSENT
        },
    },
    ev.Started: _only(
        Phase,
        {Phase.ABSENT: _go(outage.started, Phase.ABSENT)},
        _go(outage.started, Phase.UNSURE),
    ),
    ev.PlateRead: _only(
        Phase,
        {
            Phase.ABSENT: _go(identify.plate_early, Phase.ABSENT),
            Phase.UNSURE: _go(presence.plate_at_window, *_PHASES),
            Phase.IDENTIFYING: _go(presence.plate_at_window, Phase.ABSENT, *_PRICING),
            Phase.PRICED: _go(presence.plate_at_window, Phase.ABSENT, Phase.PRICED),
            Phase.HELD: _go(presence.plate_at_window, Phase.ABSENT, *_PRICING),
            Phase.TENDER: _go(presence.plate_at_window, Phase.ABSENT, Phase.TENDER),
            Phase.PAYING: _go(presence.plate_at_window, Phase.ABSENT, Phase.PAYING),
            Phase.RELEASED: _go(presence.plate_after_release, Phase.ABSENT, Phase.RELEASED),
        },
        Ignore("cash is being taken for it: the plate came too late"),
    ),
    ev.TagRead: _only(
        Phase,
        {
            Phase.ABSENT: _go(identify.tag_early, Phase.ABSENT),
            Phase.IDENTIFYING: _go(presence.tag_at_window, Phase.ABSENT, *_PRICING),
            Phase.PRICED: _go(presence.tag_at_window, Phase.ABSENT, Phase.PRICED),
            Phase.HELD: _go(presence.tag_at_window, Phase.ABSENT, *_PRICING),
            Phase.TENDER: _go(presence.tag_at_window, Phase.ABSENT, Phase.TENDER, Phase.PAYING),
        },
        Ignore("another tender has begun, or the vehicle is not known"),
    ),
    ev.EntryKnown: _only(
        Phase,
        {
            Phase.ABSENT: _NOBODY,
            Phase.IDENTIFYING: _go(identify.entry_known, *_PRICING),
            Phase.HELD: _go(identify.entry_known, *_PRICING),
        },
        Ignore("the entry came after its time"),
    ),
    ev.TollShown: _only(
        Phase,
        {
            Phase.ABSENT: _NOBODY,
            Phase.PRICED: _go(identify.toll_shown, Phase.PRICED, *_AFTER_COUPON),
            Phase.HELD: _go(identify.toll_shown, Phase.HELD, *_AFTER_COUPON),
            Phase.TENDER: _go(identify.toll_shown, Phase.TENDER),
        },
        Ignore("the passage has gone on"),
    ),
    ev.TollNotShown: _only(
        Phase,
        {
            Phase.ABSENT: _NOBODY,
            Phase.PRICED: _go(identify.toll_not_shown, Phase.HELD, *_AFTER_COUPON),
        },
        Ignore("the passage has gone on"),
    ),
    ev.CodeScanned: _only(
        Phase,
        {
            Phase.TENDER: _go(paying.code_scanned, Phase.TENDER, Phase.PAYING),
            Phase.PAYING: _go(paying.code_scanned, Phase.PAYING),
        },
        Ignore("the scan window is shut: no toll shown, cash begun, or released"),
    ),
    ev.CouponScanned: _only(
        Phase,
        {
            Phase.ABSENT: _NOBODY,
            Phase.IDENTIFYING: _go(coupons.coupon_scanned, Phase.IDENTIFYING),
            Phase.PRICED: _go(coupons.coupon_scanned, Phase.PRICED),
            Phase.HELD: _go(coupons.coupon_scanned, Phase.HELD),
            Phase.TENDER: _go(coupons.coupon_scanned, *_AFTER_COUPON),
            Phase.PAYING: _go(coupons.coupon_scanned, Phase.PAYING),
        },
        Ignore("cash has begun, it may go, or nobody knows whether it is the vehicle from before"),
    ),
    ev.CouponAnswered: _coupons(coupons.coupon_answered),
    ev.CouponUnanswered: _coupons(coupons.coupon_unanswered),
    ev.NotCodeScanned: _only(
        Phase,
        {
            Phase.TENDER: _go(paying.not_a_code, Phase.TENDER),
            Phase.PAYING: _go(paying.not_a_code, Phase.PAYING),
        },
        Ignore("the scan window is shut"),
    ),
    ev.OrderAnswered: _orders(paying.order_answered),
    ev.OrderUnanswered: _orders(paying.order_unanswered),
    ev.EtcAnswered: {
        **{phase: _go(tags.answered, phase) for phase in Phase},
        Phase.ABSENT: Ignore("the vehicle has left the window or was not there"),
        Phase.IDENTIFYING: Illegal("a tag charge ended that this vehicle never began"),
        Phase.TENDER: _go(tags.answered, Phase.TENDER, Phase.RELEASED),
        Phase.PAYING: _go(tags.answered, *_PAID_OR_NOT),
        Phase.CASH: _go(tags.answered, Phase.CASH, Phase.RELEASED),
    },
    **_rest(
        Phase,
        "changes nothing for the vehicle by itself",
        ev.LowerAnswered,
        ev.BarrierFailed,
        ev.DeviceChanged,
        ev.OperatorActed,
        ev.LinkChanged,
        ev.TariffsInstalled,
        ev.EpochGranted,
        ev.WalletsChanged,
        ev.StoreChanged,
        ev.FaultCaught,
        ev.Wakeup,
    ),
}


class Machine(StrEnum):
    """The machines, in the order they are stepped."""

    CONDITIONS = "conditions"
    INTERLOCK = "interlock"
    LEAVING = "leaving"
    ARRIVING = "arriving"


TABLES: dict[Machine, Table] = {
    Machine.CONDITIONS: CONDITIONS,
    Machine.INTERLOCK: INTERLOCK,
    Machine.LEAVING: LEAVING,
    Machine.ARRIVING: ARRIVING,
}

STATES: dict[Machine, type[StrEnum]] = {
    Machine.CONDITIONS: LaneMode,
    Machine.INTERLOCK: Boom,
    Machine.LEAVING: LeavingPhase,
    Machine.ARRIVING: Phase,
}

# ---- timers: which machine a wakeup belongs to ----

TIMERS: dict[str, Handler] = {
    "boom": interlock.boom_overdue,
    "boom_settle": interlock.boom_settled,
    "raise_again": interlock.raise_again,
    "leaving": presence.leaving_gone,
    "presence": presence.presence_gone,
    "loop_1_gap": presence.loop_1_gap_over,
    "stuck": presence.window_stuck,
    "under_stuck": presence.under_boom_stuck,
    "unsure": outage.unsure_over,
}
"""Timers that need no vehicle at the window. "clear" has none: the joint rules look at the time
themselves."""

PASSAGE_TIMERS: dict[str, Handler] = {
    "plate": identify.plate_overdue,
    "entry": identify.entry_overdue,
    "tender": paying.second_tender_due,
    "cash": people.cash_lock_over,
    "etc": tags.overdue,
    "coupon": coupons.overdue,
}
"""Timers of the vehicle at the window."""
