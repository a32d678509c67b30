"""What each fact does to a payment order. Pure.

Strategy. A fact (a platform's answer, a wish to cancel, a sealed record) is first classed as an
event by ``event_of``, which holds every comparison: amounts, what the record said, whether a cancel
is out, whether enough time has passed. The table (order_table.py) then says where the order goes,
and order_moves.py works out its new value and the transfers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from plaza_server.rules.facts import (
    BillLacks,
    BillShows,
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
from plaza_server.rules.ledger import Transfer
from plaza_server.rules.limits import SECOND_QUERY_AFTER_MS
from plaza_server.rules.order_moves import move
from plaza_server.rules.order_table import TABLE, Go, Ignore, Illegal, OrderEvent
from plaza_server.rules.order_values import (
    Moment,
    Order,
    RecordMark,
    answer_of,
    needs_work,
    new_order,
    request_digest,
    tombstone,
)
from plaza_server.rules.outcomes import (
    Closed,
    Misconfigured,
    NotThere,
    Paid,
    RefundDone,
    RefundRefused,
    Refused,
    Unknown,
    Waiting,
)
from tolling.alarms import AlarmCode
from tolling.evolve import evolve, quick
from tolling.ids import OutTradeNo
from tolling.orders import CAPTURED_STATES, OPEN_STATES, OrderState

__all__ = [
    "AlarmNote",
    "Applied",
    "Difference",
    "DifferenceKind",
    "Moment",
    "Order",
    "RecordMark",
    "Verdict",
    "answer_of",
    "apply",
    "event_of",
    "needs_work",
    "new_order",
    "request_digest",
    "tombstone",
]

E = OrderEvent
S = OrderState


class Verdict(StrEnum):
    """What the table said."""

    MOVED = "moved"
    IGNORED = "ignored"
    ILLEGAL = "illegal"


class DifferenceKind(StrEnum):
    """What does not agree between lanes, plaza and platforms. Reconciliation heals most of them."""

    NOT_CAPTURED = "not_captured"
    """A record names an order that is not captured."""
    GIVEN_BACK = "given_back"
    """A record names an order that is given back."""
    AMOUNT = "amount"
    """A record's leg and its capture differ."""
    PLATFORM = "platform"
    """Two signed answers of a platform contradict each other."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmNote:
    """An alarm a rule raises or clears."""

    code: AlarmCode
    raised: bool
    subject: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something to be kept until it is healed."""

    kind: DifferenceKind
    out_trade_no: OutTradeNo
    said_fen: int
    """What the record or the platform says now."""
    booked_fen: int
    """What the order holds as captured."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What one fact did."""

    order: Order
    event: OrderEvent
    verdict: Verdict
    why: str
    """Empty where it moved, but by a bill: the order's history says so."""
    transfers: tuple[Transfer, ...] = ()
    alarms: tuple[AlarmNote, ...] = ()
    difference: Difference | None = None


# ---- facts to events ----


def event_of(order: Order, fact: OrderFact) -> OrderEvent:
    """Return what *fact* is to *order*; total."""
    match fact:
        case SendPay():
            return E.SEND
        case TurnDown():
            return E.TURN_DOWN
        case TakeOver():
            return E.TAKE_OVER
        case PayAnswered():
            return _pay_event(order, fact)
        case QueryAnswered():
            return _query_event(order, fact)
        case CancelAsked():
            return E.CANCEL_ASKED
        case RecordSaid():
            if order.record is not RecordMark.NONE:
                return E.RECORD_AGAIN
            return E.RECORD_OMITS if fact.leg_fen is None else E.RECORD_NAMES
        case RefundStarted():
            return E.REFUND_STARTED
        case RefundAnswered():
            return _refund_event(order, fact)
        case BillShows():
            return _bill_event(order, fact)
        case BillLacks():
            return E.BILL_LACKS


def _pay_event(order: Order, fact: PayAnswered) -> OrderEvent:
    match fact.outcome:
        case Paid():
            event = _capture_event(order, fact.outcome, cancel_out=fact.cancel_out)
            if event is E.CAPTURED_OTHER and order.state in OPEN_STATES:
                # Its word on the amount is not taken: a refund of more than was captured would be
                # refused for good, one of less would keep money. A query proves what was captured.
                return E.NO_PROOF
            return event
        case Waiting():
            return E.WAITS
        case Refused():
            return E.REFUSED
        case Unknown() | Misconfigured():
            return E.NO_PROOF


def _query_event(order: Order, fact: QueryAnswered) -> OrderEvent:
    match fact.outcome:
        case Paid():
            return _capture_event(order, fact.outcome, cancel_out=fact.cancel_out)
        case Waiting():
            return E.WAITS
        case Unknown() | Misconfigured():
            return E.NO_PROOF
        case Closed():
            if fact.outcome.refunded_fen > 0 or fact.gave_back:
                return E.GAVE_BACK
        case NotThere():
            pass
    ended = isinstance(fact.outcome, Closed)
    late = fact.since_sent_ms >= SECOND_QUERY_AFTER_MS
    if late and order.state is S.REFUSED:
        return E.ABSENT_PROVEN
    if late and order.state is S.CLOSING and fact.absent_before and (ended or fact.cancelled):
        return E.ABSENT_PROVEN
    return E.ENDED if ended else E.NOT_THERE


def _capture_event(order: Order, paid: Paid, *, cancel_out: bool) -> OrderEvent:
    if paid.captured_fen <= 0:
        return E.NO_PROOF
    if order.state in CAPTURED_STATES:
        return E.CAPTURED if paid.captured_fen == order.captured_fen else E.CAPTURED_OTHER
    if cancel_out:
        return E.CAPTURE_UNSETTLED
    if paid.refunded_fen >= paid.captured_fen:
        return E.GAVE_BACK
    if paid.captured_fen != order.toll_fen:
        return E.CAPTURED_OTHER
    return E.CAPTURED_LATE if order.record is RecordMark.OMITTED else E.CAPTURED


def _refund_event(order: Order, fact: RefundAnswered) -> OrderEvent:
    outcome = fact.outcome
    if isinstance(outcome, RefundDone):
        whole = outcome.refunded_total_fen >= order.captured_fen > 0
        return E.REFUND_PROVEN if fact.by_query and whole else E.REFUND_OPEN
    if isinstance(outcome, RefundRefused) and outcome.final and not fact.by_query:
        return E.REFUND_REFUSED
    return E.REFUND_OPEN


def _bill_event(order: Order, fact: BillShows) -> OrderEvent:
    """Class what a bill lists: a day later no cancel can undo it, and the amount is the last
    word."""
    whole = fact.outcome.refunded_fen >= order.captured_fen > 0
    if whole and order.state in CAPTURED_STATES - {S.PAID, S.REFUNDED}:
        return E.GAVE_BACK
    return _capture_event(order, fact.outcome, cancel_out=False)


# ---- events to changes ----

_BY_BILL: dict[type, str] = {
    BillShows: "the platform's bill lists it",
    BillLacks: "no bill of the platform lists it",
}


def apply(order: Order, fact: OrderFact, *, at: Moment) -> Applied:
    """Return what *fact* makes of *order*. Total: an illegal fact keeps the state and gives an
    alarm."""
    event = event_of(order, fact)
    rule = TABLE[order.state, event]
    marked = _mark_record(order, fact, event)
    match rule:
        case Ignore(why=why):
            return Applied(
                order=_versioned(order, marked),
                event=event,
                verdict=Verdict.IGNORED,
                why=why,
                alarms=_alarms(order, marked, event),
            )
        case Illegal(why=why):
            return _illegal(order, _versioned(order, marked), fact, event, why)
        case Go(to=to):
            moved, transfers = move(evolve(marked, state=to), order, fact, event, at)
            return Applied(
                order=_versioned(order, moved),
                event=event,
                verdict=Verdict.MOVED,
                why=_BY_BILL.get(type(fact), ""),
                transfers=transfers,
                alarms=_alarms(order, moved, event),
                difference=_amount_difference(order, fact, event),
            )


def _versioned(before: Order, after: Order) -> Order:
    return after if after == before else evolve(after, version=before.version + 1)


def _mark_record(order: Order, fact: OrderFact, event: OrderEvent) -> Order:
    """Return the order with what the record said: it holds whatever the table says, a capture may
    come later."""
    if not isinstance(fact, RecordSaid) or event is E.RECORD_AGAIN:
        return order
    mark = RecordMark.OMITTED if fact.leg_fen is None else RecordMark.NAMED
    return evolve(order, record=mark)


def _illegal(before: Order, after: Order, fact: OrderFact, event: OrderEvent, why: str) -> Applied:
    note = AlarmNote(
        code=AlarmCode.ILLEGAL_EVENT,
        raised=True,
        subject=before.out_trade_no,
        what=f"{event} in {before.state}: {why}. Compare lane record, order and platform bill",
    )
    return Applied(
        order=after,
        event=event,
        verdict=Verdict.ILLEGAL,
        why=why,
        alarms=(note,),
        difference=_illegal_difference(before, fact, event),
    )


_CONTRADICTING = frozenset(
    {E.CAPTURED_OTHER, E.GAVE_BACK, E.ABSENT_PROVEN, E.NOT_THERE, E.ENDED, E.BILL_LACKS}
)
"""What a platform cannot say of an order after what it signed before."""


def _illegal_difference(order: Order, fact: OrderFact, event: OrderEvent) -> Difference | None:
    said = 0
    if isinstance(fact, RecordSaid) and fact.leg_fen is not None:
        said = fact.leg_fen
        back = order.state in CAPTURED_STATES
        kind = DifferenceKind.GIVEN_BACK if back else DifferenceKind.NOT_CAPTURED
    elif event in _CONTRADICTING:
        kind = DifferenceKind.PLATFORM
        told = fact.outcome if isinstance(fact, (PayAnswered, QueryAnswered, BillShows)) else None
        if isinstance(told, Paid):
            said = told.captured_fen
    else:
        return None
    return Difference(
        kind=kind, out_trade_no=order.out_trade_no, said_fen=said, booked_fen=order.captured_fen
    )


def _amount_difference(order: Order, fact: OrderFact, event: OrderEvent) -> Difference | None:
    if event is not E.RECORD_NAMES or not isinstance(fact, RecordSaid):
        return None
    if fact.leg_fen == order.captured_fen or fact.leg_fen is None:
        return None
    return Difference(
        kind=DifferenceKind.AMOUNT,
        out_trade_no=order.out_trade_no,
        said_fen=fact.leg_fen,
        booked_fen=order.captured_fen,
    )


def _alarms(before: Order, after: Order, event: OrderEvent) -> tuple[AlarmNote, ...]:
    subject = before.out_trade_no
    if event is E.CAPTURED_OTHER:
        what = f"captured {after.captured_fen} fen, asked {before.toll_fen}; it is given back whole"
        code = AlarmCode.AMOUNT_MISMATCH
        return (AlarmNote(code=code, raised=True, subject=subject, what=what),)
    if event is E.REFUND_REFUSED and after.state is S.REFUND_STUCK:
        what = f"the platform refuses to give back {after.refund_fen} fen; tried again every day"
        code = AlarmCode.REFUND_STUCK
        return (AlarmNote(code=code, raised=True, subject=subject, what=what),)
    notes = []
    if after.state is S.REFUNDED:
        for code in (AlarmCode.REFUND_STUCK, AlarmCode.AMOUNT_MISMATCH):
            notes.append(AlarmNote(code=code, raised=False, subject=subject, what="given back"))
    if before.record is RecordMark.NONE and after.record is not RecordMark.NONE:
        code = AlarmCode.RECORD_MISSING
        notes.append(AlarmNote(code=code, raised=False, subject=subject, what="the record came"))
    return tuple(notes)
