"""One payment order as a value: everything known of it, stored before and after every call.

Everything a platform needs is on the order before any call, so that after a crash it is found by
these numbers alone and nobody has to send pay again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from plaza_server.rules.limits import SUBJECT_LENGTH_MAX
from tolling.canonical import canonical_bytes
from tolling.clock import beijing_digits
from tolling.evolve import evolve, quick
from tolling.ids import (
    BootId,
    LaneId,
    OutRefundNo,
    OutTradeNo,
    PassageId,
    make_out_trade_no,
    parse_out_trade_no,
    parse_passage_id,
)
from tolling.messages import PaymentAnswer, PaymentRequest
from tolling.orders import OPEN_STATES, NextStep, OrderState, ReasonCode
from tolling.paycodes import PayCodeRef, Wallet
from tolling.vehicles import VehicleClass

S = OrderState


class RecordMark(StrEnum):
    """What the passage's sealed record said of the order."""

    NONE = "none"
    """The record is not there yet."""
    NAMED = "named"
    """One of its legs is this order."""
    OMITTED = "omitted"
    """It is there and applies other legs, or none."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When something was learnt."""

    at_ns: int
    """Monotonic, of this process."""
    wall_ms: int
    """UTC milliseconds."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One attempt to pay one passage by phone."""

    out_trade_no: OutTradeNo
    passage_id: PassageId
    attempt: int
    lane_id: LaneId
    platform: str
    """Name of the platform asked; empty for a tombstone."""
    payee: str
    """Whose toll it is: names the revenue account; empty for a tombstone."""
    wallet: Wallet | None
    toll_fen: int
    """What is asked; 0 for a tombstone."""
    tariff_id: str
    tariff_version: int
    tariff_row: int
    vehicle_class: VehicleClass | None
    plate: str | None
    subject: str
    """What the driver sees on the phone, at most 128 characters."""
    txn_time: str
    """yyyyMMddHHmmss in Beijing, fixed before any call."""
    code_hash: str | None
    """The plaza's keyed hash of the code, unique over all orders; None where none was used up."""
    request_digest: str
    """Over the request and its code: same number and digest = same answer. Empty for a
    tombstone."""
    created_at_ns: int
    created_ms: int
    sent_at_ns: int | None
    sent_ms: int | None
    state: OrderState
    reason: ReasonCode
    next: NextStep
    captured_fen: int
    """What the platform took for it at some time."""
    refunded_fen: int
    """What of that it gave back, proven."""
    captured_ms: int | None
    """UTC milliseconds here when the capture was learnt."""
    paid_at_ms: int | None
    """UTC milliseconds by the platform."""
    provider_txn_id: str | None
    proven: bool
    """Of paid and refused: a query has confirmed it, or nothing was ever sent."""
    pending: bool
    """The pending transfer clearing -> suspense stands, neither posted nor voided."""
    record: RecordMark
    out_refund_no: OutRefundNo | None
    refund_time: str | None
    """yyyyMMddHHmmss in Beijing when its refund's number was stored: with the number, UnionPay's
    key of the refund. None: before, and of refunds stored by a version that did not keep it."""
    owner: BootId
    lease_until_ms: int
    version: int
    """Grows with every change but those of owner and lease."""

    @property
    def refund_fen(self) -> int:
        """What a refund has to give back."""
        return self.captured_fen - self.refunded_fen

    @property
    def refund_txn_time(self) -> str:
        """The time that goes with the refund's number: never changes, so two calls of one refund
        are one to a platform that knows refunds by number and time."""
        if self.refund_time is not None:
            return self.refund_time
        return self.txn_time if self.captured_ms is None else beijing_digits(self.captured_ms)

    @property
    def is_open(self) -> bool:
        """Whether it is undecided."""
        return self.state in OPEN_STATES

    @property
    def is_tombstone(self) -> bool:
        """Whether it only keeps its number from ever being used."""
        return self.request_digest == ""


def request_digest(request: PaymentRequest, code: PayCodeRef) -> str:
    """Return what makes two requests with one number the same: all but how long the lane waits."""
    body = canonical_bytes({"request": evolve(request, deadline_ms=0), "code": code})
    return hashlib.sha256(body).hexdigest()


def new_order(
    request: PaymentRequest,
    code: PayCodeRef,
    *,
    platform: str,
    plaza_name: str,
    owner: BootId,
    lease_until_ms: int,
    at: Moment,
    payee: str | None = None,
) -> Order:
    """Return the order of *request*, created and not sent, with every number its platform needs.

    Args:   payee: whose toll it is; None: the plaza's own.
    """
    plate = request.plate or "无牌"
    subject = f"{plaza_name} 通行费 {plate} {int(request.vehicle_class)}型"
    return Order(
        out_trade_no=make_out_trade_no(request.passage_id, request.attempt),
        passage_id=request.passage_id,
        attempt=request.attempt,
        lane_id=request.lane_id,
        platform=platform,
        payee=payee or parse_passage_id(request.passage_id).plaza_id,
        wallet=request.wallet,
        toll_fen=request.toll_fen,
        tariff_id=request.tariff_id,
        tariff_version=request.tariff_version,
        tariff_row=request.tariff_row,
        vehicle_class=request.vehicle_class,
        plate=request.plate,
        subject=subject[:SUBJECT_LENGTH_MAX],
        txn_time=beijing_digits(at.wall_ms),
        code_hash=code.keyed_hash,
        request_digest=request_digest(request, code),
        created_at_ns=at.at_ns,
        created_ms=at.wall_ms,
        sent_at_ns=None,
        sent_ms=None,
        state=S.CREATED,
        reason=ReasonCode.NONE,
        next=NextStep.WAIT,
        captured_fen=0,
        refunded_fen=0,
        captured_ms=None,
        paid_at_ms=None,
        provider_txn_id=None,
        proven=False,
        pending=False,
        record=RecordMark.NONE,
        out_refund_no=None,
        refund_time=None,
        owner=owner,
        lease_until_ms=lease_until_ms,
        version=1,
    )


def tombstone(number: OutTradeNo, lane: LaneId, *, owner: BootId, at: Moment) -> Order:
    """Return the closed order that stands for a number cancelled before it was ever posted."""
    passage, attempt = parse_out_trade_no(number)
    return Order(
        out_trade_no=number,
        passage_id=passage,
        attempt=attempt,
        lane_id=lane,
        platform="",
        payee="",
        wallet=None,
        toll_fen=0,
        tariff_id="",
        tariff_version=0,
        tariff_row=0,
        vehicle_class=None,
        plate=None,
        subject="",
        txn_time=beijing_digits(at.wall_ms),
        code_hash=None,
        request_digest="",
        created_at_ns=at.at_ns,
        created_ms=at.wall_ms,
        sent_at_ns=None,
        sent_ms=None,
        state=S.CLOSED,
        reason=ReasonCode.CANCELLED,
        next=NextStep.OTHER_TENDER,
        captured_fen=0,
        refunded_fen=0,
        captured_ms=None,
        paid_at_ms=None,
        provider_txn_id=None,
        proven=True,
        pending=False,
        record=RecordMark.NONE,
        out_refund_no=None,
        refund_time=None,
        owner=owner,
        lease_until_ms=0,
        version=1,
    )


def answer_of(order: Order, *, retry_after_ms: int | None = None) -> PaymentAnswer:
    """Return what a lane is told of the order; *retry_after_ms* is kept only while it is
    closing."""
    return PaymentAnswer(
        out_trade_no=order.out_trade_no,
        state=order.state,
        reason_code=order.reason,
        next=order.next,
        captured_fen=order.captured_fen,
        provider_txn_id=order.provider_txn_id,
        version=order.version,
        retry_after_ms=retry_after_ms if order.state is S.CLOSING else None,
    )


def needs_work(order: Order) -> bool:
    """Return whether somebody still has to ask, cancel, give back or wait for the record (M2)."""
    if order.is_open:
        return True
    if order.state is S.REFUSED:
        return not order.proven
    if order.state is S.PAID:
        return not order.proven or order.record is RecordMark.NONE
    return order.state in {S.REFUND_DUE, S.REFUNDING, S.MISMATCH, S.REFUND_STUCK}
