"""What the engine keeps in memory: open work, requests that wait, calls under way, what commits are
for.

Nothing here is promised to anybody; all of it can be rebuilt from the store.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from plaza_server.rules.calls import CallKind
from plaza_server.rules.claims import ClaimFact
from plaza_server.rules.facts import OrderFact
from plaza_server.rules.orders import AlarmNote, Order
from plaza_server.rules.schedule import Phase, Trail
from tolling.ids import LaneId, OutTradeNo


class WaitKind(StrEnum):
    """What a held request waits for."""

    POST = "post"
    """The first result of its pay call."""
    POLL = "poll"
    """Any change it does not know yet."""
    CANCEL = "cancel"
    """The end, or that only the second query is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """One request that is held open."""

    request_id: str
    kind: WaitKind
    out_trade_no: OutTradeNo
    lane_id: LaneId | None
    until_ns: int
    known_version: int | None = None
    """Of a poll: what its caller knows; None: whatever stands when it is looked at first."""


@dataclass(slots=True, kw_only=True)
class Job:
    """One unfinished order this process works on."""

    order: Order
    """As last committed; never newer than the store."""
    trail: Trail
    call_id: str | None = None
    """The platform call under way; one at a time."""
    commits: int = 0
    """Commits about this order under way."""
    unsaved: list[OrderFact] = field(default_factory=list)
    """Facts whose commit failed, oldest first; they are committed again."""
    failures: int = 0
    """Failed commits in a row."""
    waiters: dict[str, Waiter] = field(default_factory=dict)
    """By request_id, in order of arrival."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOut:
    """One platform call under way."""

    out_trade_no: OutTradeNo
    platform: str
    kind: CallKind
    phase: Phase
    """Of the order when it was sent: a query of before a cancel was asked leads to no cancel."""
    sent_ns: int


# ---- what commits are for ----


@dataclass(frozen=True, slots=True, kw_only=True)
class ThenOpen:
    """A payment was stored."""

    request_id: str
    out_trade_no: OutTradeNo


@dataclass(frozen=True, slots=True, kw_only=True)
class ThenFact:
    """A fact was applied."""

    out_trade_no: OutTradeNo
    fact: OrderFact


@dataclass(frozen=True, slots=True, kw_only=True)
class ThenCancel:
    """A cancel was stored."""

    request_id: str
    out_trade_no: OutTradeNo
    until_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ThenRead:
    """An order was read for a poll; ``last``: it is answered whatever was found."""

    waiter: Waiter
    last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ThenAdopt:
    """An order of ours that is not in memory was read."""

    out_trade_no: OutTradeNo


@dataclass(frozen=True, slots=True, kw_only=True)
class ThenRecords:
    """Records were taken."""

    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThenCoupon:
    """A coupon was reserved or let go, or why it was not was found out."""

    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThenEntry:
    """An entry was looked up."""

    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThenEpoch:
    """A lane's epoch was looked up, or a new one given."""

    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThenSweep:
    """Leases were renewed, orphans taken over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThenReadAgain:
    """A record in quarantine was read once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThenClaim:
    """A fact was applied to a claim."""

    claim_id: str
    fact: ClaimFact


@dataclass(frozen=True, slots=True, kw_only=True)
class ThenAlarm:
    """An alarm of the engine's own was stored."""

    note: AlarmNote


Then = (
    ThenOpen
    | ThenFact
    | ThenCancel
    | ThenRead
    | ThenAdopt
    | ThenRecords
    | ThenCoupon
    | ThenEntry
    | ThenEpoch
    | ThenSweep
    | ThenReadAgain
    | ThenAlarm
    | ThenClaim
)
