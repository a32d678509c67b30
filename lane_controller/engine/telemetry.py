"""The lane's state as pages see it, built from the core's state. Pure."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from lane_controller.core import commands as cmd
from lane_controller.core.legs import LegEvent, LegStatus, after, settlement
from lane_controller.core.paying import TENDER_OF
from lane_controller.core.states import LaneState, OrderPhase, Passage
from tolling.clock import NS_PER_MS, WallTime
from tolling.devices import Health
from tolling.messages import AlarmNotice, LaneNotice, LaneSnapshot, LegView, PassageView
from tolling.orders import OrderState
from tolling.records import Tender

_ORDER_STATE: dict[OrderPhase, OrderState] = {
    OrderPhase.SENT: OrderState.SENT,
    OrderPhase.WAITING: OrderState.WAITING,
    OrderPhase.UNKNOWN: OrderState.UNKNOWN,
    OrderPhase.CANCELLING: OrderState.CLOSING,
    OrderPhase.PAID: OrderState.PAID,
    OrderPhase.REFUSED: OrderState.REFUSED,
    OrderPhase.CLOSED: OrderState.CLOSED,
}


def passage_view(passage: Passage, phase: str, at_ns: int) -> PassageView:
    """Return what a page shows of one passage."""
    last = passage.orders[-1] if passage.orders else None
    found = tuple(_legs(passage))
    statuses = tuple(status for _, _, status in found)
    legs = tuple(
        LegView(tender=tender.value, amount_fen=fen, status=status.value)
        for tender, fen, status in found
    )
    return PassageView(
        passage_id=passage.passage_id,
        phase=phase,
        plate=passage.plate.text if passage.plate else None,
        vehicle_class=passage.vehicle_class if passage.quote else None,
        vehicle_kind=passage.vehicle_kind,
        toll_fen=passage.rest_fen if passage.quote else None,
        order_state=_ORDER_STATE[last.phase] if last else None,
        order_reason=last.reason if last else None,
        since_ms=max(0, at_ns - passage.arrived_at_ns) // NS_PER_MS,
        awaits_entry=passage.awaits_entry,
        legs=legs,
        settlement=settlement(statuses, settled=bool(passage.legs)).value,
    )


_ORDER_LEG: dict[OrderPhase, LegStatus] = {
    OrderPhase.SENT: LegStatus.OFFERED,
    OrderPhase.WAITING: LegStatus.OFFERED,
    OrderPhase.UNKNOWN: LegStatus.OFFERED,
    OrderPhase.CANCELLING: LegStatus.OFFERED,
    OrderPhase.PAID: LegStatus.CAPTURED,
    OrderPhase.REFUSED: LegStatus.RELEASED,
    OrderPhase.CLOSED: LegStatus.RELEASED,
}


def _legs(passage: Passage) -> Iterator[tuple[Tender, int, LegStatus]]:
    """Yield the tenders of a passage in the order they are had: undone in reverse."""
    for coupon in passage.coupons:
        yield Tender.COUPON, coupon.step.saved_fen if coupon.step else 0, coupon.status
    debit = passage.debit
    if debit is not None:
        # One that settled nothing though something else did is owed back by its issuer.
        besides = passage.legs and all(leg.tender is not Tender.ETC for leg in passage.legs)
        status = after(debit.status, LegEvent.LEFT_OUT) if besides else debit.status
        yield Tender.ETC, debit.amount_fen, debit.status if passage.etc_open else status
    named = {leg.out_trade_no for leg in passage.legs}
    for order in passage.orders:
        status = _ORDER_LEG[order.phase]
        if status is LegStatus.CAPTURED and order.out_trade_no not in named:
            status = after(status, LegEvent.LEFT_OUT)
        yield TENDER_OF[order.wallet], order.amount_fen, status
    for leg in passage.legs:
        if leg.tender is Tender.CASH:
            yield Tender.CASH, leg.amount_fen, LegStatus.CAPTURED


def snapshot(
    state: LaneState, *, version: int, at_ns: int, wall: WallTime, unsent: int
) -> LaneSnapshot:
    """Return the lane's state as published. The lane has started: it has a boot_id."""
    assert state.boot_id is not None
    arriving, leaving = state.arriving, state.leaving
    return LaneSnapshot(
        plaza_id=state.config.plaza_id,
        lane_id=state.config.lane_id,
        boot_id=state.boot_id,
        state_version=version,
        utc_ms=wall.utc_ms,
        clock_quality=wall.quality,
        mode=state.mode.value,
        attended=state.config.attended,
        barrier=state.boom.value,
        inputs=dict(sorted(state.inputs.items())),
        lane_green=state.lane_green,
        arriving=passage_view(arriving, arriving.phase.value, at_ns) if arriving else None,
        leaving=passage_view(leaving, state.leaving_phase.value, at_ns) if leaving else None,
        degraded=state.degraded,
        alarms=tuple(sorted({alarm.code for alarm in state.alarms})) if state.alarms else (),
        devices=_words(tuple(state.devices.items())),
        unsent_records=unsent,
        passages_total=state.passages_total,
    )


@functools.lru_cache(maxsize=64)
def _words(devices: tuple[tuple[str, Health], ...]) -> dict[str, str]:
    """Return devices and their health by name, for every snapshot the same object: nobody changes
    it, and a device comes or goes once in a thousand of them."""
    return {name: health.value for name, health in sorted(devices)}


def summary(state: LaneState) -> tuple[object, ...]:
    """Return what makes a state worth publishing before the next beat, when it changes."""
    arriving = state.arriving
    return (
        state.mode,
        state.boom,
        state.phase,
        state.leaving_phase,
        arriving.passage_id if arriving else None,
        arriving.cash_ready if arriving else None,
        tuple(order.phase for order in arriving.orders) if arriving else (),
        tuple(coupon.status for coupon in arriving.coupons) if arriving else (),
        arriving.debit.status if arriving and arriving.debit else None,
        tuple(mode.name for mode in state.degraded),
        state.alarms,
        state.lane_green,
    )


def notice_of(
    command: cmd.RaiseAlarm | cmd.ClearAlarm | cmd.Note, state: LaneState, number: int, utc_ms: int
) -> LaneNotice | AlarmNotice:
    """Return what the broker is told of a note or of an alarm raised or cleared."""
    assert state.boot_id is not None
    lane_id = state.config.lane_id
    if isinstance(command, cmd.Note):
        return LaneNotice(
            lane_id=lane_id,
            boot_id=state.boot_id,
            number=number,
            utc_ms=utc_ms,
            name=command.name,
            passage_id=command.passage_id,
            facts={"detail": command.detail} if command.detail else {},
        )
    return AlarmNotice(
        lane_id=lane_id,
        boot_id=state.boot_id,
        number=number,
        utc_ms=utc_ms,
        code=command.code,
        raised=isinstance(command, cmd.RaiseAlarm),
        subject=command.subject,
        what=command.what if isinstance(command, cmd.RaiseAlarm) else "",
    )
