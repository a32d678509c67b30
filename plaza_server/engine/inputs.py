"""What arrives at the plaza's engine. Every input carries when: ``at_ns`` for durations, ``wall``
for rows."""

from __future__ import annotations

from dataclasses import dataclass

from plaza_server.rules.outcomes import PlatformOutcome
from tolling.clock import WallTime
from tolling.coupons import CouponRelease, CouponRequest
from tolling.evolve import quick
from tolling.ids import LaneId, OutTradeNo
from tolling.messages import EntryQuery, PaymentRequest, RecordsUpload
from tolling.paycodes import PayCodeRef


@dataclass(frozen=True, slots=True, kw_only=True)
class _Input:
    at_ns: int
    """Monotonic nanoseconds of this process, never backwards within one boot."""
    wall: WallTime


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(_Input):
    """First input of a boot: unfinished orders are looked for in the store."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequested(_Input):
    """POST /v1/payments, checked at the edge."""

    request_id: str
    """Names one HTTP request; its pay code is kept outside under this name."""
    request: PaymentRequest
    code: PayCodeRef
    """Hashed under the plaza's key, not the lane's."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentPolled(_Input):
    """GET /v1/payments/{out_trade_no}."""

    request_id: str
    out_trade_no: OutTradeNo
    lane_id: LaneId | None
    """The lane that asks; None: staff."""
    wait_ms: int = 0
    known_version: int | None = None
    """What the caller has already; None: whatever stands when the poll arrives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested(_Input):
    """POST /v1/payments/{out_trade_no}/cancel."""

    request_id: str
    out_trade_no: OutTradeNo
    lane_id: LaneId


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsUploaded(_Input):
    """POST /v1/records."""

    request_id: str
    lane_id: LaneId
    upload: RecordsUpload


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponAsked(_Input):
    """POST /v1/coupons/reserve, checked at the edge."""

    request_id: str
    request: CouponRequest
    token_hash: str
    """Of the coupon's text, which stays outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponLetGo(_Input):
    """POST /v1/coupons/release."""

    request_id: str
    release: CouponRelease


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryAsked(_Input):
    """POST /v1/entries."""

    request_id: str
    query: EntryQuery


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class EpochAsked(_Input):
    """GET /v1/lanes/{lane_id}/epoch."""

    request_id: str
    lane_id: LaneId
    fresh: bool
    """The lane's journal is empty: it gets an epoch no record or order was ever made in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDropped(_Input):
    """The caller of a request went away; nobody wants its answer."""

    request_id: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Committed(_Input):
    """A Commit is durable."""

    commit_id: str
    results: tuple[object, ...]
    """Of its units, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitFailed(_Input):
    """A Commit was rolled back, or its end is not known."""

    commit_id: str
    why: str


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformAnswered(_Input):
    """What a PlatformCall brought; exactly one per call, ``Unknown(TIMEOUT)`` at its deadline."""

    call_id: str
    outcome: PlatformOutcome
    skew_ms: int | None = None
    """The platform's clock minus ours, 1 s coarse; None: no answer, or one without its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformProbed(_Input):
    """What a probe of a platform brought: about no order, so it moves none; it tells whether the
    platform is well."""

    platform: str
    outcome: PlatformOutcome
    """NotThere where key, clock, account and line are good."""
    skew_ms: int | None = None
    """As in PlatformAnswered."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Wakeup(_Input):
    """A Wake is due."""

    timer_id: str


Input = (
    Started
    | PaymentRequested
    | PaymentPolled
    | CancelRequested
    | RecordsUploaded
    | CouponAsked
    | CouponLetGo
    | EntryAsked
    | EpochAsked
    | RequestDropped
    | Committed
    | CommitFailed
    | PlatformAnswered
    | PlatformProbed
    | Wakeup
)
