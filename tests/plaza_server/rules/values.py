"""Orders and facts for the tests of the plaza's rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from plaza_server.rules.facts import (
    BillLacks,
    CancelAsked,
    OrderFact,
    PayAnswered,
    QueryAnswered,
    RecordSaid,
    RefundAnswered,
    RefundStarted,
    SendPay,
    TakeOver,
    TurnDown,
)
from plaza_server.rules.order_table import OrderEvent
from plaza_server.rules.orders import Moment, Order, RecordMark, new_order
from plaza_server.rules.outcomes import (
    Closed,
    Evidence,
    NotThere,
    Paid,
    QueryOutcome,
    RefundDone,
    RefundRefused,
    Refused,
    Unknown,
    Waiting,
)
from tests.plaza_server.bench_platform import EPOCH_MS
from tests.plaza_server.plaza_bench import KEY, TOLL, code, order_no, request
from tolling.ids import BootId, make_out_refund_no
from tolling.orders import CAPTURED_STATES, OPEN_STATES, NextStep, OrderState, ReasonCode

AT = Moment(at_ns=1_000, wall_ms=EPOCH_MS)
E, S = OrderEvent, OrderState
NUMBER = order_no(1)
SILENCE = Unknown(evidence=Evidence.TIMEOUT)


def fresh() -> Order:
    """Return an order just made."""
    return new_order(
        request(1),
        code(1).ref(KEY),
        platform="alipay",
        plaza_name="东站",
        owner=BootId("boot1"),
        lease_until_ms=EPOCH_MS + 90_000,
        at=AT,
    )


def order_in(state: OrderState, **changes: Any) -> Order:
    """Return an order as it would stand in *state*."""
    order = replace(fresh(), state=state)
    if state is not S.CREATED:
        order = replace(order, sent_at_ns=1_000, sent_ms=EPOCH_MS)
    if state in OPEN_STATES - {S.CREATED}:
        order = replace(order, pending=True)
    if state in CAPTURED_STATES:
        order = replace(order, captured_fen=TOLL, captured_ms=EPOCH_MS)
    if state is S.REFUNDED:
        order = replace(order, refunded_fen=TOLL)
    return replace(order, **changes)


def paid(amount_fen: int = TOLL, **changes: Any) -> Paid:
    """Return a signed capture."""
    return replace(
        Paid(captured_fen=amount_fen, provider_txn_id="T1", paid_at_ms=EPOCH_MS), **changes
    )


def queried(outcome: QueryOutcome, **changes: Any) -> QueryAnswered:
    """Return a query's answer, early and with nothing known before."""
    fact = QueryAnswered(
        outcome=outcome,
        since_sent_ms=1_000,
        absent_before=False,
        cancelled=False,
        gave_back=False,
        cancel_out=False,
    )
    return replace(fact, **changes)


LATE = {"since_sent_ms": 60_000, "absent_before": True, "cancelled": True}
REFUSAL = Refused(reason=ReasonCode.BALANCE, next=NextStep.OTHER_TENDER)

FACTS: dict[OrderEvent, tuple[OrderFact, RecordMark]] = {
    E.SEND: (SendPay(), RecordMark.NONE),
    E.TURN_DOWN: (
        TurnDown(reason=ReasonCode.PLATFORM_OFF, next=NextStep.OTHER_TENDER),
        RecordMark.NONE,
    ),
    E.TAKE_OVER: (TakeOver(), RecordMark.NONE),
    E.CAPTURED: (queried(paid()), RecordMark.NONE),
    E.CAPTURED_LATE: (queried(paid()), RecordMark.OMITTED),
    E.CAPTURED_OTHER: (queried(paid(TOLL + 1)), RecordMark.NONE),
    E.CAPTURE_UNSETTLED: (queried(paid(), cancel_out=True), RecordMark.NONE),
    E.WAITS: (queried(Waiting()), RecordMark.NONE),
    E.NO_PROOF: (PayAnswered(outcome=SILENCE, cancel_out=False), RecordMark.NONE),
    E.REFUSED: (PayAnswered(outcome=REFUSAL, cancel_out=False), RecordMark.NONE),
    E.ENDED: (queried(Closed()), RecordMark.NONE),
    E.NOT_THERE: (queried(NotThere()), RecordMark.NONE),
    E.ABSENT_PROVEN: (queried(NotThere(), **LATE), RecordMark.NONE),
    E.BILL_LACKS: (BillLacks(), RecordMark.NONE),
    E.GAVE_BACK: (queried(Closed(refunded_fen=TOLL)), RecordMark.NONE),
    E.CANCEL_ASKED: (CancelAsked(reason=ReasonCode.CANCELLED), RecordMark.NONE),
    E.RECORD_NAMES: (RecordSaid(leg_fen=TOLL), RecordMark.NONE),
    E.RECORD_OMITS: (RecordSaid(leg_fen=None), RecordMark.NONE),
    E.RECORD_AGAIN: (RecordSaid(leg_fen=TOLL), RecordMark.OMITTED),
    E.REFUND_STARTED: (
        RefundStarted(out_refund_no=make_out_refund_no(NUMBER, 1)),
        RecordMark.NONE,
    ),
    E.REFUND_PROVEN: (
        RefundAnswered(outcome=RefundDone(refunded_total_fen=TOLL), by_query=True),
        RecordMark.NONE,
    ),
    E.REFUND_OPEN: (RefundAnswered(outcome=SILENCE, by_query=False), RecordMark.NONE),
    E.REFUND_REFUSED: (
        RefundAnswered(outcome=RefundRefused(detail="X", final=True), by_query=False),
        RecordMark.NONE,
    ),
}
"""A fact that is this event where the event can arise, and the record mark it needs."""
