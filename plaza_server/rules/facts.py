"""What can be learnt about an order. Frozen values: they travel in units and are applied in a
transaction."""

from __future__ import annotations

from dataclasses import dataclass

from plaza_server.rules.outcomes import Paid, PayOutcome, QueryOutcome, RefundOutcome
from tolling.ids import OutRefundNo
from tolling.orders import NextStep, ReasonCode


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPay:
    """The commit that holds this is the last thing before pay is sent, once, by its owner."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnDown:
    """The plaza refuses before any call."""

    reason: ReasonCode
    next: NextStep


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOver:
    """Another process takes the order up; pay is never sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayAnswered:
    """What the one pay call brought."""

    outcome: PayOutcome
    cancel_out: bool
    """A cancel was sent whose end is not settled: it may still undo a capture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryAnswered:
    """What a query brought, and what its asker knew when it sent it."""

    outcome: QueryOutcome
    since_sent_ms: int
    """From pay being sent to this query being sent; a lower bound where the sender of pay is
    gone."""
    absent_before: bool
    """An earlier query found nothing or an unpaid close already."""
    cancelled: bool
    """A cancel has been answered, signed, as done or as nothing to cancel."""
    gave_back: bool
    """That cancel said it returned captured money."""
    cancel_out: bool
    """A cancel was sent whose end is not settled: it may still undo a capture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAsked:
    """Lane, person or limit wants the order ended."""

    reason: ReasonCode
    """CANCELLED or TIMED_OUT."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSaid:
    """The passage's sealed record has arrived."""

    leg_fen: int | None
    """Amount of the leg that names this order; None where no leg does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundStarted:
    """The refund's number, stored before the first call."""

    out_refund_no: OutRefundNo


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundAnswered:
    """What a refund call or a refund query brought."""

    outcome: RefundOutcome
    by_query: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BillShows:
    """The platform's bill lists the order: final proof that it was captured."""

    outcome: Paid
    """As billed; ``refunded_fen``: what the bills prove as given back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLacks:
    """Every bill that could list the order is here and none does: final proof that it was not."""


OrderFact = (
    SendPay
    | TurnDown
    | TakeOver
    | PayAnswered
    | QueryAnswered
    | CancelAsked
    | RecordSaid
    | RefundStarted
    | RefundAnswered
    | BillShows
    | BillLacks
)
