"""The state table of a payment order, as data: every (state, event) pair is a move, an ignore or an
error.

Strategy. An order moves on signed answers, and on the platform's daily bill, which is final proof.
What proves nothing (NO_PROOF) turns a sent order into an unknown one and changes nothing else,
ever. A capture is believed wherever it is found, also behind a refusal or a close, because the
platform holds the money then: with no record yet the order is paid; where the passage's record left
it out it is refund_due at once. Only two things are not believed at once: a
capture while a cancel may still undo it, and an absence before the second query, 60 s after pay
was sent. An illegal pair keeps the state and gives an alarm; it never raises.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from tolling.orders import CAPTURED_STATES, OPEN_STATES, OrderState


class OrderEvent(StrEnum):
    """What can happen to an order, as the rules class it (rules/orders.py, ``event_of``)."""

    SEND = "send"
    """Stored and handed over to be sent, in one commit."""
    TURN_DOWN = "turn_down"
    """The plaza itself refuses before any call: platform off, code used."""
    TAKE_OVER = "take_over"
    """Another process works on it now; whoever would have sent pay is gone."""
    CAPTURED = "captured"
    """Signed: captured with the exact amount; no record left it out."""
    CAPTURED_LATE = "captured_late"
    """The same, but the passage's record does not name it."""
    CAPTURED_OTHER = "captured_other"
    """Signed, and proven by a query where the order was open: captured with another amount."""
    CAPTURE_UNSETTLED = "capture_unsettled"
    """Signed: captured, but a cancel is out that may still undo it."""
    WAITS = "waits"
    """Signed: the payer must confirm."""
    NO_PROOF = "no_proof"
    """Nothing believable was said; also an answer to pay that names another amount than ours."""
    REFUSED = "refused"
    """Signed: this pay call moved no money and will not."""
    ENDED = "ended"
    """Signed: closed unpaid at the platform, for the first time or too early."""
    NOT_THERE = "not_there"
    """Signed: the platform has no such order, for the first time or too early."""
    ABSENT_PROVEN = "absent_proven"
    """Signed: closed or not there, by the second query, late enough."""
    BILL_LACKS = "bill_lacks"
    """The platform's bills are here, all that could list it, and none does."""
    GAVE_BACK = "gave_back"
    """Signed: it was captured and has been given back whole."""
    CANCEL_ASKED = "cancel_asked"
    """Lane, person or limit wants it ended."""
    RECORD_NAMES = "record_names"
    """The passage's sealed record applies it."""
    RECORD_OMITS = "record_omits"
    """The passage's sealed record is there and does not apply it."""
    RECORD_AGAIN = "record_again"
    """A second record speaks about it."""
    REFUND_STARTED = "refund_started"
    """The refund's number is stored; the call follows."""
    REFUND_PROVEN = "refund_proven"
    """Signed, by a refund query: all of it was given back."""
    REFUND_OPEN = "refund_open"
    """A refund is accepted, refused for now, in part or without proof."""
    REFUND_REFUSED = "refund_refused"
    """Signed: this refund will never be made."""


@dataclass(frozen=True, slots=True)
class Go:
    """The order moves (or stays, and what it knows changes)."""

    to: OrderState


@dataclass(frozen=True, slots=True)
class Ignore:
    """Nothing changes, for a good reason."""

    why: str


@dataclass(frozen=True, slots=True)
class Illegal:
    """This cannot happen: the state stays, an alarm is given."""

    why: str


Rule = Go | Ignore | Illegal
S = OrderState
E = OrderEvent

_ASKED = frozenset({S.SENT, S.WAITING, S.UNKNOWN, S.CLOSING})
"""Open, and pay was or may have been sent."""
_ENDED = frozenset({S.REFUSED, S.CLOSED})
_BACK = frozenset({S.REFUND_DUE, S.REFUNDING, S.REFUNDED, S.MISMATCH, S.REFUND_STUCK})
_OWED = _BACK - {S.REFUNDED}
assert frozenset({S.CREATED}) | _ASKED | _ENDED | {S.PAID} | _BACK == frozenset(S)
assert _BACK | {S.PAID} == CAPTURED_STATES
assert _ASKED | {S.CREATED} == OPEN_STATES

_NEVER_SENT = "pay was never sent"
_BOOKED = "this capture is booked already"
_DENIED = "the platform signed before that it was captured"

_Cells = tuple[Iterable[OrderState], Rule]


def _row(event: OrderEvent, *cells: _Cells) -> dict[tuple[OrderState, OrderEvent], Rule]:
    """Return one event's row; every state must be named exactly once."""
    row: dict[tuple[OrderState, OrderEvent], Rule] = {}
    for states, rule in cells:
        for state in states:
            assert (state, event) not in row, f"{state} twice for {event}"
            row[state, event] = rule
    missing = {state for state in OrderState if (state, event) not in row}
    assert not missing, f"{event} does not say what it means in {sorted(missing)}"
    return row


_ONCE = Illegal("that happens once, before anything else")
_CREATED = frozenset({S.CREATED})
_PAID = frozenset({S.PAID})

TABLE: dict[tuple[OrderState, OrderEvent], Rule] = {
    **_row(E.SEND, (_CREATED, Go(S.SENT)), (frozenset(S) - _CREATED, _ONCE)),
    **_row(E.TURN_DOWN, (_CREATED, Go(S.REFUSED)), (frozenset(S) - _CREATED, _ONCE)),
    **_row(
        E.TAKE_OVER,
        (_CREATED, Go(S.CLOSED)),
        ({S.SENT}, Go(S.UNKNOWN)),
        (frozenset(S) - {S.CREATED, S.SENT}, Ignore("the new owner goes on from here")),
    ),
    **_row(
        E.CAPTURED,
        (_CREATED, Illegal(_NEVER_SENT)),
        (_ASKED | _ENDED | _PAID, Go(S.PAID)),
        (_BACK, Ignore(_BOOKED)),
    ),
    **_row(
        E.CAPTURED_LATE,
        (_CREATED, Illegal(_NEVER_SENT)),
        (_ASKED | _ENDED, Go(S.REFUND_DUE)),
        (_PAID, Illegal("a paid order cannot have been left out")),
        (_BACK, Ignore(_BOOKED)),
    ),
    **_row(
        E.CAPTURED_OTHER,
        (_CREATED, Illegal(_NEVER_SENT)),
        (_ASKED | _ENDED, Go(S.MISMATCH)),
        (_PAID | _BACK, Illegal("the platform signed another amount before")),
    ),
    **_row(
        E.CAPTURE_UNSETTLED,
        (_CREATED, Illegal(_NEVER_SENT)),
        (_ASKED | _ENDED, Ignore("a cancel may still undo it: ask again")),
        (_PAID | _BACK, Ignore(_BOOKED)),
    ),
    **_row(
        E.WAITS,
        (_CREATED, Illegal(_NEVER_SENT)),
        ({S.SENT, S.UNKNOWN}, Go(S.WAITING)),
        ({S.WAITING}, Ignore("it still waits")),
        ({S.CLOSING, S.REFUSED}, Ignore("it is being cancelled")),
        ({S.CLOSED}, Illegal("a closed order cannot wait")),
        (_PAID | _BACK, Illegal(_DENIED)),
    ),
    **_row(
        E.NO_PROOF,
        (_CREATED, Illegal(_NEVER_SENT)),
        ({S.SENT}, Go(S.UNKNOWN)),
        (frozenset(S) - {S.CREATED, S.SENT}, Ignore("nothing is proven")),
    ),
    **_row(
        E.REFUSED,
        (_CREATED, Illegal(_NEVER_SENT)),
        ({S.SENT, S.UNKNOWN, S.CLOSING}, Go(S.REFUSED)),
        ({S.WAITING}, Ignore("a query knows better than the late answer to pay")),
        (_ENDED, Ignore("it has ended already")),
        (_PAID | _BACK, Illegal(_DENIED)),
    ),
    **_row(
        E.ENDED,
        (_CREATED, Illegal(_NEVER_SENT)),
        ({S.SENT, S.WAITING, S.UNKNOWN}, Go(S.CLOSING)),
        ({S.CLOSING, S.REFUSED}, Ignore("a second query must say so too")),
        ({S.CLOSED}, Ignore("it is closed")),
        (_PAID, Illegal(_DENIED)),
        (_BACK, Ignore("only a refund query proves a refund")),
    ),
    **_row(
        E.NOT_THERE,
        (_CREATED, Illegal(_NEVER_SENT)),
        (_ASKED | {S.REFUSED}, Ignore("pay may still be under way")),
        ({S.CLOSED}, Ignore("it is closed")),
        (_PAID | _BACK, Illegal(_DENIED)),
    ),
    **_row(
        E.ABSENT_PROVEN,
        (_CREATED, Illegal(_NEVER_SENT)),
        ({S.SENT, S.WAITING, S.UNKNOWN}, Illegal("it was not cancelled first")),
        ({S.CLOSING}, Go(S.CLOSED)),
        ({S.REFUSED}, Go(S.REFUSED)),
        ({S.CLOSED}, Ignore("it is closed")),
        (_PAID | _BACK, Illegal(_DENIED)),
    ),
    **_row(
        E.BILL_LACKS,
        (_CREATED, Illegal(_NEVER_SENT)),
        (_ASKED, Go(S.CLOSED)),
        ({S.REFUSED}, Go(S.REFUSED)),
        ({S.CLOSED}, Ignore("it is closed")),
        (_PAID | _BACK, Illegal(_DENIED)),
    ),
    **_row(
        E.GAVE_BACK,
        (_CREATED, Illegal(_NEVER_SENT)),
        (_ASKED | _ENDED | _OWED, Go(S.REFUNDED)),
        (_PAID, Illegal("a paid order was given back, and not by us")),
        ({S.REFUNDED}, Ignore("it is given back")),
    ),
    **_row(
        E.CANCEL_ASKED,
        (_CREATED, Go(S.CLOSED)),
        ({S.SENT, S.WAITING, S.UNKNOWN}, Go(S.CLOSING)),
        ({S.CLOSING}, Ignore("it is being cancelled")),
        (_ENDED | _PAID | _BACK, Ignore("it is decided")),
    ),
    **_row(
        E.RECORD_NAMES,
        (_PAID, Go(S.PAID)),
        (_CREATED | _ASKED | _ENDED, Illegal("a record names an order that is not captured")),
        (_BACK, Illegal("a record names an order that is given back")),
    ),
    **_row(
        E.RECORD_OMITS,
        (_CREATED, Go(S.CLOSED)),
        ({S.SENT, S.WAITING, S.UNKNOWN}, Go(S.CLOSING)),
        ({S.CLOSING}, Ignore("it is being cancelled")),
        (_PAID, Go(S.REFUND_DUE)),
        (_ENDED | _BACK, Ignore("it is decided")),
    ),
    **_row(E.RECORD_AGAIN, (frozenset(S), Illegal("a second record speaks about one order"))),
    **_row(
        E.REFUND_STARTED,
        ({S.REFUND_DUE, S.MISMATCH}, Go(S.REFUNDING)),
        ({S.REFUNDING, S.REFUND_STUCK}, Ignore("its number stays")),
        ({S.REFUNDED}, Ignore("it is given back")),
        (_CREATED | _ASKED | _ENDED | _PAID, Illegal("nothing is to be given back")),
    ),
    **_row(
        E.REFUND_PROVEN,
        (_OWED, Go(S.REFUNDED)),
        ({S.REFUNDED}, Ignore("it is given back")),
        (_CREATED | _ASKED | _ENDED | _PAID, Illegal("nothing was to be given back")),
    ),
    **_row(
        E.REFUND_OPEN,
        (_BACK, Ignore("the refund is not proven yet")),
        (_CREATED | _ASKED | _ENDED | _PAID, Illegal("nothing was to be given back")),
    ),
    **_row(
        E.REFUND_REFUSED,
        ({S.REFUNDING}, Go(S.REFUND_STUCK)),
        ({S.REFUND_STUCK}, Ignore("refused again")),
        ({S.REFUNDED}, Ignore("it is given back")),
        ({S.REFUND_DUE, S.MISMATCH}, Illegal("no refund was started")),
        (_CREATED | _ASKED | _ENDED | _PAID, Illegal("nothing was to be given back")),
    ),
}
