"""A passage as the plaza's people see it: its legs, one status each, one for all of them. Pure.

Strategy. What a passage was paid with stands in several places: the sealed record's legs, orders,
coupon reservations, debits of a tag that settled nothing, claims. They are put together here and
nothing is decided. The record alone says what settled the passage: a leg it does not name settled
nothing, whatever was captured for it. What nobody knows is told as unknown (M4), and a leg that a
record names without money behind it is told as that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from plaza_server.rules.claims import Claim, ClaimState
from plaza_server.rules.coupons import Hold, names
from plaza_server.rules.etc_dues import EtcDue, EtcDueState
from plaza_server.rules.orders import Order
from tolling.coupons import HoldState
from tolling.ids import LaneId, PassageId
from tolling.orders import OrderState
from tolling.records import Leg, PassageRecord, Tender


class LegState(StrEnum):
    """Where one leg is, by what the plaza has of it."""

    OFFERED = "offered"
    """Asked for; nobody has said yes."""
    UNKNOWN = "unknown"
    """Nobody knows whether the money was taken."""
    RESERVED = "reserved"
    """A coupon is held for this passage; nothing has moved."""
    CAPTURED = "captured"
    """The money is ours, and the record is not here yet."""
    CONSUMED = "consumed"
    """The sealed record names it: it paid this passage."""
    RELEASED = "released"
    """Nothing of it is held or was taken."""
    REFUND_DUE = "refund_due"
    """It was taken and pays nothing: it is owed back."""
    GIVEN_BACK = "given_back"
    """It was taken, paid nothing, and is back."""
    NOT_BOOKED = "not_booked"
    """The record names it and no money stands behind it: an alarm says so."""


class Settled(StrEnum):
    """Where the legs of a passage are together."""

    NOTHING = "nothing"
    """No record is here, and nothing is held or taken."""
    GATHERING = "gathering"
    """No record is here, and some leg is asked for, held or taken."""
    SETTLED = "settled"
    """The record's legs sum to the toll due."""
    UNPAID = "unpaid"
    """They do not, the record says why, and nothing is left to be given back."""
    UNDOING = "undoing"
    """They do not, and what was taken is, or may be, owed back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegLine:
    """One leg."""

    tender: str
    """A word of ``Tender``; ``phone`` where no platform was ever asked."""
    amount_fen: int
    """What it pays, holds or was asked for."""
    state: LegState
    named: bool
    """The sealed record applies it."""
    number: str | None
    """The order's, coupon's or reader's; None: there is none, as of cash."""
    order: OrderState | None = None
    """Of a phone leg."""
    back_fen: int = 0
    """Of it, given back by refunds and claims so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Everything the plaza has of one passage's money."""

    passage_id: PassageId
    lane_id: LaneId
    record: PassageRecord | None
    legs: tuple[LegLine, ...]
    settled: Settled

    @property
    def applied_fen(self) -> int:
        """What the record's legs sum to."""
        return sum(leg.amount_fen for leg in self.legs if leg.named)

    @property
    def owed_fen(self) -> int:
        """What is, or may be, to be given back of legs that pay nothing."""
        return sum(leg.amount_fen - leg.back_fen for leg in self.legs if _owed(leg))


_OF_ORDER = MappingProxyType(
    {
        OrderState.CREATED: LegState.OFFERED,
        OrderState.SENT: LegState.OFFERED,
        OrderState.WAITING: LegState.OFFERED,
        OrderState.UNKNOWN: LegState.UNKNOWN,
        OrderState.CLOSING: LegState.UNKNOWN,
        OrderState.REFUSED: LegState.RELEASED,
        OrderState.CLOSED: LegState.RELEASED,
        OrderState.PAID: LegState.CAPTURED,
        OrderState.REFUND_DUE: LegState.REFUND_DUE,
        OrderState.REFUNDING: LegState.REFUND_DUE,
        OrderState.MISMATCH: LegState.REFUND_DUE,
        OrderState.REFUND_STUCK: LegState.REFUND_DUE,
        OrderState.REFUNDED: LegState.GIVEN_BACK,
    }
)
_OF_NAMED = MappingProxyType(
    {
        LegState.CAPTURED: LegState.CONSUMED,
        LegState.OFFERED: LegState.UNKNOWN,
        LegState.RELEASED: LegState.NOT_BOOKED,
    }
)
"""Of an order the record names: it says paid, so what is undecided is unknown, not offered."""
_OF_HOLD = MappingProxyType(
    {
        HoldState.REFUSED: LegState.RELEASED,
        HoldState.RESERVED: LegState.RESERVED,
        HoldState.CONSUMED: LegState.CONSUMED,
        HoldState.RELEASED: LegState.RELEASED,
    }
)
_OF_DUE = MappingProxyType(
    {
        EtcDueState.DOUBTFUL: LegState.UNKNOWN,
        EtcDueState.DUE: LegState.REFUND_DUE,
        EtcDueState.GIVEN_BACK: LegState.GIVEN_BACK,
        EtcDueState.NOT_TAKEN: LegState.RELEASED,
    }
)
_ALIVE = frozenset(
    {
        LegState.OFFERED,
        LegState.UNKNOWN,
        LegState.RESERVED,
        LegState.CAPTURED,
        LegState.REFUND_DUE,
    }
)
_PAID_BACK = frozenset({ClaimState.REFUNDED, ClaimState.PAID_OUT})
PHONE = "phone"


def passage_of(
    passage_id: PassageId,
    lane_id: LaneId,
    *,
    record: PassageRecord | None,
    orders: Sequence[Order],
    holds: Sequence[Hold],
    dues: Sequence[EtcDue],
    claims: Sequence[Claim],
) -> Passage:
    """Return a passage of everything the store has of it; legs the record names come first."""
    named = () if record is None else _named(record, orders, holds, claims)
    applied = {leg.number for leg in named if leg.number is not None}
    legs = (
        *named,
        *(_hold_line(hold) for hold in holds if _beside(hold, record)),
        *(_order_line(o) for o in orders if not o.is_tombstone and o.out_trade_no not in applied),
        *(_due_line(due) for due in dues),
    )
    return Passage(
        passage_id=passage_id,
        lane_id=lane_id,
        record=record,
        legs=legs,
        settled=_settled(record, legs),
    )


def _named(
    record: PassageRecord, orders: Sequence[Order], holds: Sequence[Hold], claims: Sequence[Claim]
) -> tuple[LegLine, ...]:
    known = {order.out_trade_no: order for order in orders}
    consumed = {hold.coupon_no for hold in holds if hold.state is HoldState.CONSUMED}
    lines = []
    for number, leg in enumerate(record.legs, start=1):
        back = sum(c.amount_fen for c in claims if c.leg == number and c.state in _PAID_BACK)
        if leg.out_trade_no is not None:
            lines.append(_named_order(leg, known.get(leg.out_trade_no), back))
            continue
        lost = leg.tender is Tender.COUPON and leg.provider_txn_id not in consumed
        lines.append(
            LegLine(
                tender=leg.tender.value,
                amount_fen=leg.amount_fen,
                state=LegState.NOT_BOOKED if lost else LegState.CONSUMED,
                named=True,
                number=leg.provider_txn_id,
                back_fen=back,
            )
        )
    return tuple(lines)


def _named_order(leg: Leg, order: Order | None, back_fen: int) -> LegLine:
    state = LegState.NOT_BOOKED
    if order is not None:
        found = _OF_ORDER[order.state]
        state = _OF_NAMED.get(found, found)
    return LegLine(
        tender=leg.tender.value,
        amount_fen=leg.amount_fen,
        state=state,
        named=True,
        number=leg.out_trade_no,
        order=None if order is None else order.state,
        back_fen=back_fen if order is None else max(back_fen, order.refunded_fen),
    )


def _order_line(order: Order) -> LegLine:
    return LegLine(
        tender=order.platform or PHONE,
        amount_fen=order.captured_fen or order.toll_fen,
        state=_OF_ORDER[order.state],
        named=False,
        number=order.out_trade_no,
        order=order.state,
        back_fen=order.refunded_fen,
    )


def _beside(hold: Hold, record: PassageRecord | None) -> bool:
    """Return whether a reservation is a leg of its own: not the record's, and of some coupon."""
    applied = hold.state is HoldState.CONSUMED and record is not None and names(record, hold)
    return hold.coupon_no is not None and not applied


def _hold_line(hold: Hold) -> LegLine:
    return LegLine(
        tender=Tender.COUPON.value,
        amount_fen=hold.amount_fen,
        state=_OF_HOLD[hold.state],
        named=False,
        number=hold.coupon_no,
    )


def _due_line(due: EtcDue) -> LegLine:
    return LegLine(
        tender=Tender.ETC.value,
        amount_fen=due.amount_fen,
        state=_OF_DUE[due.state],
        named=False,
        number=due.txn_id,
        back_fen=due.amount_fen if due.state is EtcDueState.GIVEN_BACK else 0,
    )


def _owed(leg: LegLine) -> bool:
    return not leg.named and leg.state in {LegState.REFUND_DUE, LegState.UNKNOWN}


def _settled(record: PassageRecord | None, legs: Sequence[LegLine]) -> Settled:
    if record is None:
        alive = any(leg.state in _ALIVE for leg in legs)
        return Settled.GATHERING if alive else Settled.NOTHING
    if sum(leg.amount_fen for leg in legs if leg.named) == record.toll_due_fen:
        return Settled.SETTLED
    return Settled.UNDOING if any(_owed(leg) for leg in legs) else Settled.UNPAID
