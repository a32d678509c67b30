"""What a legal move makes of an order: its new value and the transfers that go with it. Pure."""

from __future__ import annotations

from plaza_server.rules import ledger
from plaza_server.rules.facts import (
    BillShows,
    CancelAsked,
    OrderFact,
    PayAnswered,
    QueryAnswered,
    RefundStarted,
    TurnDown,
)
from plaza_server.rules.ledger import Transfer
from plaza_server.rules.order_table import OrderEvent
from plaza_server.rules.order_values import Moment, Order, RecordMark
from plaza_server.rules.outcomes import (
    Closed,
    Evidence,
    Misconfigured,
    Paid,
    Refused,
    Unknown,
    Waiting,
)
from tolling.clock import beijing_digits
from tolling.evolve import evolve
from tolling.orders import NextStep, OrderState, ReasonCode

E = OrderEvent
S = OrderState

_EVIDENCE_REASON = {
    Evidence.TIMEOUT: ReasonCode.NO_ANSWER,
    Evidence.NOT_SENT: ReasonCode.NO_ANSWER,
    Evidence.HTTP_STATUS: ReasonCode.PLATFORM_TROUBLE,
    Evidence.BAD_SIGNATURE: ReasonCode.BAD_ANSWER,
    Evidence.GARBLED: ReasonCode.BAD_ANSWER,
    Evidence.FOREIGN: ReasonCode.BAD_ANSWER,
    Evidence.PLATFORM_UNSURE: ReasonCode.PLATFORM_TROUBLE,
    Evidence.SIGN_TEST: ReasonCode.BAD_ANSWER,
}
assert set(_EVIDENCE_REASON) == set(Evidence)


def move(
    moved: Order, before: Order, fact: OrderFact, event: OrderEvent, at: Moment
) -> tuple[Order, tuple[Transfer, ...]]:
    """Return the order behind a legal move and its transfers. *moved* has the new state already."""
    match event:
        case E.SEND:
            row = ledger.capture_pending(before.out_trade_no, before.platform, before.toll_fen)
            sent = evolve(moved, sent_at_ns=at.at_ns, sent_ms=at.wall_ms, pending=True)
            return sent, (row,)
        case E.TURN_DOWN:
            assert isinstance(fact, TurnDown)
            # No platform saw the code, so it is not used up, and there is nothing to confirm.
            return evolve(
                moved, reason=fact.reason, next=fact.next, code_hash=None, proven=True
            ), ()
        case E.CAPTURED | E.CAPTURED_LATE | E.CAPTURED_OTHER:
            return _captured(moved, before, fact, event, at)
        case E.GAVE_BACK:
            return _gave_back(moved, before, fact, at)
        case E.ABSENT_PROVEN | E.BILL_LACKS | E.REFUSED:
            return _ended_unpaid(moved, before, fact, event)
        case E.RECORD_NAMES:
            return moved, (_to_revenue(before, before.captured_fen),)
        case E.RECORD_OMITS if before.state is S.PAID:
            return moved, (ledger.to_refund_due(before.out_trade_no, before.captured_fen),)
        case E.REFUND_STARTED:
            assert isinstance(fact, RefundStarted)
            # Its own time: a refund of days later under the payment's time would be refused as old.
            number, time = fact.out_refund_no, beijing_digits(at.wall_ms)
            return evolve(moved, out_refund_no=number, refund_time=time), ()
        case E.REFUND_PROVEN:
            row = ledger.refund_made(before.out_trade_no, before.platform, before.refund_fen)
            return evolve(moved, refunded_fen=before.captured_fen), (row,)
        case _:
            return _reworded(moved, before, fact, event), ()


def _reworded(moved: Order, before: Order, fact: OrderFact, event: OrderEvent) -> Order:
    """Return an order that moved without money, with the words a driver is shown."""
    if event is E.WAITS:
        outcome = fact.outcome if isinstance(fact, (PayAnswered, QueryAnswered)) else None
        accepted = isinstance(outcome, Waiting) and outcome.accepted
        reason = ReasonCode.ACCEPTED if accepted else ReasonCode.PASSWORD
        return evolve(moved, reason=reason, next=NextStep.WAIT)
    if event is E.TAKE_OVER:
        closed = moved.state is S.CLOSED
        reason = ReasonCode.CANCELLED if closed else ReasonCode.NO_ANSWER
        step = NextStep.OTHER_TENDER if closed else NextStep.WAIT
        return evolve(moved, reason=reason, next=step, proven=closed)
    if event is E.NO_PROOF and isinstance(fact, (PayAnswered, QueryAnswered)):
        if isinstance(fact.outcome, Misconfigured):
            return evolve(moved, reason=ReasonCode.MERCHANT_TROUBLE, next=NextStep.OTHER_TENDER)
        evidence = fact.outcome.evidence if isinstance(fact.outcome, Unknown) else Evidence.GARBLED
        return evolve(moved, reason=_EVIDENCE_REASON[evidence], next=NextStep.WAIT)
    if event is E.NO_PROOF:
        return moved
    if event is E.ENDED:
        return evolve(moved, reason=ReasonCode.TIMED_OUT, next=NextStep.OTHER_TENDER)
    if event is E.RECORD_OMITS:
        return evolve(moved, reason=ReasonCode.CANCELLED, next=NextStep.OTHER_TENDER)
    if event is E.REFUND_REFUSED:
        return moved
    assert isinstance(fact, CancelAsked), f"{event} has no words"
    # An order nobody answered for keeps that reason: the limit that ends it is not its cause.
    keep = fact.reason is ReasonCode.TIMED_OUT and before.state is S.UNKNOWN
    reason = before.reason if keep else fact.reason
    return evolve(moved, reason=reason, next=NextStep.OTHER_TENDER)


def _capture_rows(before: Order, amount_fen: int) -> tuple[Transfer, ...]:
    """Return the rows of a capture: the pending one posted where it fits, else voided and a direct
    one."""
    number, platform = before.out_trade_no, before.platform
    if before.pending and amount_fen == before.toll_fen:
        return (ledger.capture_end(number, platform, amount_fen, post=True),)
    rows = [ledger.capture_direct(number, platform, amount_fen)]
    if before.pending:
        rows.insert(0, ledger.capture_end(number, platform, before.toll_fen, post=False))
    return tuple(rows)


def _to_revenue(order: Order, amount_fen: int) -> Transfer:
    return ledger.to_revenue(order.out_trade_no, order.platform, order.payee, amount_fen)


def _captured(
    moved: Order, before: Order, fact: OrderFact, event: OrderEvent, at: Moment
) -> tuple[Order, tuple[Transfer, ...]]:
    assert isinstance(fact, (PayAnswered, QueryAnswered, BillShows))
    assert isinstance(fact.outcome, Paid)
    by_query = isinstance(fact, (QueryAnswered, BillShows))
    paid = fact.outcome
    if before.state is S.PAID:
        paid_at_ms = paid.paid_at_ms if before.paid_at_ms is None else before.paid_at_ms
        return evolve(moved, proven=before.proven or by_query, paid_at_ms=paid_at_ms), ()
    number, amount = before.out_trade_no, paid.captured_fen
    taken = evolve(
        moved,
        captured_fen=amount,
        captured_ms=at.wall_ms,
        paid_at_ms=paid.paid_at_ms,
        provider_txn_id=paid.provider_txn_id,
        pending=False,
        proven=by_query,
        reason=ReasonCode.NONE,
        next=NextStep.WAIT,
    )
    rows = _capture_rows(before, amount)
    if event is E.CAPTURED:
        if before.record is RecordMark.NAMED:
            rows = (*rows, _to_revenue(before, amount))
        return taken, rows
    reason = ReasonCode.AMOUNT_MISMATCH if event is E.CAPTURED_OTHER else ReasonCode.CANCELLED
    back = evolve(taken, reason=reason, next=NextStep.OTHER_TENDER)
    return back, (*rows, ledger.to_refund_due(number, amount))


def _gave_back(
    moved: Order, before: Order, fact: OrderFact, at: Moment
) -> tuple[Order, tuple[Transfer, ...]]:
    number, platform = before.out_trade_no, before.platform
    if before.captured_fen > 0:
        row = ledger.refund_made(number, platform, before.refund_fen)
        return evolve(moved, refunded_fen=before.captured_fen), (row,)
    assert isinstance(fact, (PayAnswered, QueryAnswered, BillShows))
    amount, paid_at_ms, txn = before.toll_fen, None, None
    if isinstance(fact.outcome, Closed) and fact.outcome.refunded_fen > 0:
        amount = fact.outcome.refunded_fen
    if isinstance(fact.outcome, Paid):
        paid = fact.outcome
        amount, paid_at_ms, txn = paid.captured_fen, paid.paid_at_ms, paid.provider_txn_id
    rows = (
        *_capture_rows(before, amount),
        ledger.to_refund_due(number, amount),
        ledger.refund_made(number, platform, amount),
    )
    back = evolve(
        moved,
        captured_fen=amount,
        refunded_fen=amount,
        captured_ms=at.wall_ms,
        paid_at_ms=paid_at_ms,
        provider_txn_id=txn,
        pending=False,
        next=NextStep.OTHER_TENDER,
    )
    return back, rows


def _ended_unpaid(
    moved: Order, before: Order, fact: OrderFact, event: OrderEvent
) -> tuple[Order, tuple[Transfer, ...]]:
    rows: tuple[Transfer, ...] = ()
    if before.pending:
        number, platform = before.out_trade_no, before.platform
        rows = (ledger.capture_end(number, platform, before.toll_fen, post=False),)
    ended = evolve(moved, pending=False)
    if event is E.BILL_LACKS:
        return evolve(ended, proven=True, next=NextStep.OTHER_TENDER), rows
    if event is E.ABSENT_PROVEN:
        return evolve(ended, proven=True), rows
    assert isinstance(fact, PayAnswered)
    assert isinstance(fact.outcome, Refused)
    return evolve(ended, reason=fact.outcome.reason, next=fact.outcome.next, proven=False), rows
