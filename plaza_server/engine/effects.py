"""What the plaza's engine asks for. What promises something leaves only after its Commit is
durable."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from plaza_server.rules.calls import CallKind
from plaza_server.rules.claims import RefundOrder
from plaza_server.rules.orders import Order
from plaza_server.rules.units import Unit
from tolling.alarms import AlarmCode
from tolling.coupons import CouponAnswer
from tolling.evolve import quick
from tolling.messages import EnrolmentAnswer, EntryAnswer, PaymentAnswer, RecordsAnswer


class ProblemCode(StrEnum):
    """Why a request has no answer of its own kind; stable, the API maps each to a status."""

    CONFLICT = "conflict"
    """Same order number, other content."""
    NOT_FOUND = "not_found"
    """No such order for this caller. Proves nothing about money."""
    TOO_MANY_OPEN = "too_many_open"
    """Two orders of this passage are undecided already."""
    UNKNOWN_LANE = "unknown_lane"
    WRONG_EPOCH = "wrong_epoch"
    """The passage is not of the lane's present epoch."""
    BAD_REQUEST = "bad_request"
    BUSY = "busy"
    """Too much is open, or it took too long; nothing is known to be stored."""
    STORE_FAILED = "store_failed"
    """The store could not keep it; nothing is promised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An answer that is none."""

    code: ProblemCode
    what: str
    """For people; holds nothing of the input."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """Write these units together, in order after all earlier Commits; then say Committed."""

    commit_id: str
    units: tuple[Unit, ...]


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformCall:
    """Ask a platform, and say PlatformAnswered by the deadline at the latest."""

    call_id: str
    platform: str
    kind: CallKind
    order: Order | RefundOrder
    """A claim's refund shows itself as its order with the refund's own number and amount."""
    deadline_ms: int
    request_id: str | None
    """Of PAY: the request whose pay code is to be spent, and forgotten with this call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetCode:
    """The pay code that came with this request is of no use: drop it."""

    request_id: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Answer a request; exactly one per request that was not dropped."""

    request_id: str
    value: PaymentAnswer | RecordsAnswer | CouponAnswer | EntryAnswer | EnrolmentAnswer | Problem


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """Say Wakeup in so many milliseconds; replaces an earlier Wake of the same id."""

    timer_id: str
    after_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelWake:
    """Forget a Wake."""

    timer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Publish that an alarm was raised or cleared; it is in the store already."""

    code: AlarmCode
    raised: bool
    subject: str
    what: str


Effect = Commit | PlatformCall | ForgetCode | Answer | Wake | CancelWake | Alarm
