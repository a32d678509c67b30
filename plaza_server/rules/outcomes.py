"""What a platform's answer means, in words common to all platforms. Codecs build these, rules use
them.

A barcode-pay call has four outcomes, not two: paid, waiting, unknown, refused. Only a provable
answer (ours by
number and amount, theirs by signature) is anything but unknown; UNKNOWN is never read as refused
or as paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tolling.orders import NextStep, ReasonCode


class Evidence(StrEnum):
    """Why an answer proves nothing; some are also an alarm."""

    TIMEOUT = "timeout"
    """No answer, or only part of one, before the deadline."""
    NOT_SENT = "not_sent"
    """The connection failed before the request left: still unknown to others, but nothing was
    sent."""
    HTTP_STATUS = "http_status"
    """A status that is no answer of the protocol (5xx, 429, a proxy's page)."""
    BAD_SIGNATURE = "bad_signature"
    """Unsigned, badly signed, or a doubled root node: alarm."""
    GARBLED = "garbled"
    """Not the protocol's text."""
    FOREIGN = "foreign"
    """Signed, but about another order number: alarm."""
    PLATFORM_UNSURE = "platform_unsure"
    """The platform says it does not know (20000, SYSTEM_ERROR)."""
    SIGN_TEST = "sign_test"
    """A platform tried whether we verify (WeChat's ``WECHATPAY/SIGNTEST/``): refused, no alarm."""


NO_ANSWER = frozenset({Evidence.TIMEOUT, Evidence.NOT_SENT})
ALARMING = frozenset({Evidence.BAD_SIGNATURE, Evidence.FOREIGN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """Signed: this order was captured, with this amount (the rules compare it with ours)."""

    captured_fen: int
    provider_txn_id: str
    paid_at_ms: int | None
    """UTC milliseconds by the platform, where it says so."""
    refunded_fen: int = 0
    """What the platform says it has already given back (query)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Signed: the payer must still confirm."""

    accepted: bool = False
    """It does not say what it waits for: the platform has taken the payment and works on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Nothing is proven."""

    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Signed and final for this pay call: no money moved and none will by this call."""

    reason: ReasonCode
    next: NextStep


@dataclass(frozen=True, slots=True, kw_only=True)
class Misconfigured:
    """The platform refuses us, not the payer: key, clock, account. Suspends the platform; the
    order is unknown."""

    detail: str
    """The platform's own code, never its free text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Signed: unpaid and closed for good, or captured before and given back whole."""

    refunded_fen: int = 0
    """More than 0 where it had been captured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotThere:
    """Signed: the platform has no such order (or not yet)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelDone:
    """Signed: the cancel was accepted. Believed only after a query."""

    gave_back: bool
    """The platform says it returned captured money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAgain:
    """Signed: not now, ask again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundDone:
    """Signed: money was or had been given back for this refund number."""

    refunded_total_fen: int
    """Of a refund call: over all refunds of the order; of a refund query: under its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRefused:
    """Signed: this refund will not be made."""

    detail: str
    """The platform's own code."""
    final: bool
    """No later try can succeed."""


PayOutcome = Paid | Waiting | Unknown | Refused | Misconfigured
QueryOutcome = Paid | Waiting | Unknown | Closed | NotThere | Misconfigured
CancelOutcome = CancelDone | CancelAgain | NotThere | Unknown | Misconfigured
RefundOutcome = RefundDone | RefundRefused | Unknown | Misconfigured
PlatformOutcome = PayOutcome | QueryOutcome | CancelOutcome | RefundOutcome
