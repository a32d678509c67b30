"""Coupons at the plaza: states, reservations, what a record does to them. Pure.

Strategy. A coupon is offered until a passage reserves it, reserved until that passage's sealed
record is there or its lane lets it go, and consumed once a record names it. Nothing else frees it,
no clock either: what a lane was told is held stays held. Where a lane lost its journal no record
will ever come, and a person lets the coupon go: not before the lane is in a newer epoch, since the
records of an older one are refused whatever they say. A reservation is a row of its own
(``Hold``), numbered by its lane, so that the same request gives the same answer and a late copy
revives nothing.

    offered ── reserve ──> reserved ── consume ──> consumed
       └────── release ───────┘

Money. What a coupon takes off is owed by its issuer. A hold writes a pending transfer
coupon -> suspense; the record's commit posts it and books suspense -> revenue, a release voids it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from plaza_server.rules.ledger import Transfer, TransferKind
from plaza_server.rules.ledger_accounts import COUPON, SUSPENSE, revenue
from plaza_server.rules.orders import AlarmNote, Moment
from tolling.alarms import AlarmCode
from tolling.best_price import Entitlement, best_price
from tolling.coupons import (
    CouponAnswer,
    CouponReason,
    CouponRelease,
    CouponRequest,
    HoldState,
)
from tolling.ids import BootId, LaneId, PassageId, parse_passage_id
from tolling.records import Leg, PassageRecord, Tender
from tolling.tariffs import Quote

RECORD_DUE_MS = 86_400_000
"""A reservation whose passage has no record for so long is told, as a captured order is."""


class CouponState(StrEnum):
    """Where a coupon is in its life."""

    OFFERED = "offered"
    """Whoever shows it may use it, while it is good."""
    RESERVED = "reserved"
    """One passage holds it."""
    CONSUMED = "consumed"
    """Used up."""


class CouponEvent(StrEnum):
    """What may happen to one."""

    RESERVE = "reserve"
    RELEASE = "release"
    CONSUME = "consume"


_S, _E = CouponState, CouponEvent
MOVES = MappingProxyType(
    {
        (_S.OFFERED, _E.RESERVE): _S.RESERVED,
        (_S.RESERVED, _E.RELEASE): _S.OFFERED,
        (_S.RESERVED, _E.CONSUME): _S.CONSUMED,
    }
)
"""(state, event) -> state; every other pair is refused by whoever asks (``may``)."""


def may(state: CouponState, event: CouponEvent) -> bool:
    """Return whether the table lets *event* happen."""
    return (state, event) in MOVES


@dataclass(frozen=True, slots=True, kw_only=True)
class Coupon:
    """One coupon as the plaza keeps it; its text is nowhere."""

    coupon_no: str
    """Its issuer's number: 1..32 of A-Z, a-z, 0-9 and -."""
    token_hash: str
    """Of its text, 64 hex digits."""
    issuer: str
    """Who owes what it takes off."""
    entitlement: Entitlement
    state: CouponState
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One reservation."""

    passage_id: PassageId
    attempt: int
    lane_id: LaneId
    coupon_no: str | None
    """None: let go before it was ever asked for, so that a late request holds nothing."""
    amount_fen: int
    """What it takes off; 0 without a coupon."""
    state: HoldState
    reserved_ms: int
    ended_ms: int | None
    released_by: str | None = None
    """Who let it go by hand; None: its lane or a record ended it."""
    released_why: str = ""

    @property
    def hold_id(self) -> str:
        """Return its name in the ledger."""
        return hold_id(self.passage_id, self.attempt)


def hold_id(passage: PassageId, attempt: int) -> str:
    """Return the name of a passage's reservation: passage_id, C, two digits."""
    return f"{passage}C{attempt:02d}"


# ---- may it be held? ----


def judge(coupon: Coupon | None, quote: Quote, *, at_ms: int) -> tuple[CouponReason, int]:
    """Return why a coupon nobody else holds is not good for a toll (NONE: it is), and what it
    takes off."""
    if coupon is None:
        return CouponReason.UNKNOWN, 0
    if coupon.state is CouponState.CONSUMED:
        return CouponReason.USED, 0
    if not may(coupon.state, CouponEvent.RESERVE):
        return CouponReason.TAKEN, 0
    terms = coupon.entitlement
    if at_ms < terms.valid_from_ms:
        return CouponReason.TOO_EARLY, 0
    if at_ms >= terms.valid_until_ms:
        return CouponReason.EXPIRED, 0
    found = best_price(quote, (terms,), at_ms=at_ms)
    saved = sum(step.saved_fen for step in found.why)
    if found.chosen != (terms,) or saved <= 0:
        return CouponReason.NOT_FOR_THIS, 0
    return CouponReason.NONE, saved


def refused(asked: CouponRequest | CouponRelease, reason: CouponReason) -> CouponAnswer:
    """Return the answer of a coupon that is not held."""
    return CouponAnswer(
        passage_id=asked.passage_id,
        attempt=asked.attempt,
        state=HoldState.REFUSED,
        reason=reason,
    )


def told(hold: Hold, terms: Entitlement | None) -> CouponAnswer:
    """Return the answer of a reservation that is there."""
    held = hold.state is HoldState.RESERVED
    return CouponAnswer(
        passage_id=hold.passage_id,
        attempt=hold.attempt,
        state=hold.state,
        reason=CouponReason.NONE if held else CouponReason.TOO_LATE,
        coupon_no=hold.coupon_no,
        entitlement=terms if held else None,
        saved_fen=hold.amount_fen if held else 0,
    )


# ---- money ----


def hold_transfer(hold: Hold) -> Transfer:
    """Return the pending row of a new reservation."""
    return Transfer(
        transfer_id=f"coupon/{hold.hold_id}/hold",
        kind=TransferKind.PENDING,
        debit=COUPON,
        credit=SUSPENSE,
        amount_fen=hold.amount_fen,
        out_trade_no=None,
    )


def hold_end(hold: Hold, *, post: bool) -> Transfer:
    """Return the row that posts (a record names it) or voids the pending one, whole."""
    return Transfer(
        transfer_id=f"coupon/{hold.hold_id}/end",
        kind=TransferKind.POST if post else TransferKind.VOID,
        debit=COUPON,
        credit=SUSPENSE,
        amount_fen=hold.amount_fen,
        out_trade_no=None,
        pending_id=f"coupon/{hold.hold_id}/hold",
    )


def coupon_revenue(coupon_no: str, amount_fen: int, payee: str) -> Transfer:
    """Return suspense -> revenue; its id lets a coupon be earned once and never again."""
    return Transfer(
        transfer_id=f"coupon/{coupon_no}/revenue",
        kind=TransferKind.POSTED,
        debit=SUSPENSE,
        credit=revenue(Tender.COUPON.value, payee),
        amount_fen=amount_fen,
        out_trade_no=None,
    )


# ---- what a record does ----


def coupon_legs(record: PassageRecord) -> tuple[Leg, ...]:
    """Return the coupon legs a record applies."""
    return tuple(leg for leg in record.legs if leg.tender is Tender.COUPON)


def coupon_bookings(record: PassageRecord, payee: str) -> tuple[Transfer, ...]:
    """Return the revenue rows a record's coupon legs call for."""
    return tuple(
        coupon_revenue(leg.provider_txn_id, leg.amount_fen, payee)
        for leg in coupon_legs(record)
        if leg.provider_txn_id is not None
    )


def names(record: PassageRecord, hold: Hold) -> bool:
    """Return whether *record* applies what *hold* holds."""
    return any(
        (leg.provider_txn_id, leg.amount_fen) == (hold.coupon_no, hold.amount_fen)
        for leg in coupon_legs(record)
    )


def not_held(record: PassageRecord, place: str, consumed: tuple[Hold, ...]) -> AlarmNote | None:
    """Return what is to be told where a record applies a coupon that was not held for it."""
    numbers = {hold.coupon_no for hold in consumed}
    strange = [leg for leg in coupon_legs(record) if leg.provider_txn_id not in numbers]
    if not strange:
        return None
    return AlarmNote(
        code=AlarmCode.ILLEGAL_EVENT,
        raised=True,
        subject=record.passage_id,
        what=f"record {place} names a coupon that was not held for it. Nothing was booked for it",
    )


def overdue_note(hold: Hold, *, raised: bool) -> AlarmNote:
    """Return the alarm of a reservation whose passage has no record, or its end."""
    return AlarmNote(
        code=AlarmCode.RECORD_MISSING,
        raised=raised,
        subject=hold.hold_id,
        what=(
            "a coupon is held, and its passage has no record after 24 h. Find its lane's journal;"
            " where that is lost for good: plaza-server coupons release"
        ),
    )


# ---- by hand ----


class HeldBy(StrEnum):
    """What keeps a reservation from being let go by hand."""

    NOTHING = "nothing"
    """No record will ever name it: a shift leader may let it go."""
    JOURNAL = "journal"
    """Its lane is in the passage's epoch, so it may seal the record yet."""
    QUARANTINE = "quarantine"
    """A record of its lane that nobody could read speaks of the passage."""
    NO_LANE = "no_lane"
    """No such lane is registered, so nobody knows its epoch."""


def held_by(hold: Hold, *, epoch: int | None, quarantined: bool) -> HeldBy:
    """Return why a record may still name what is held.

    Args:   epoch: its lane's present one; None: no such lane. quarantined: a record of its lane
            that nobody could read speaks of its passage.
    """
    if epoch is None:
        return HeldBy.NO_LANE
    if parse_passage_id(hold.passage_id).epoch >= epoch:
        return HeldBy.JOURNAL
    return HeldBy.QUARANTINE if quarantined else HeldBy.NOTHING


_HELD_TEXTS = MappingProxyType(
    {
        HeldBy.NOTHING: "No record will ever name it; a shift leader may say release",
        HeldBy.JOURNAL: (
            "lane {} may still have the journal of this passage. Start it: its record ends this,"
            " or it has no journal any more and is given a new epoch"
        ),
        HeldBy.QUARANTINE: (
            "a record of lane {} in quarantine speaks of this passage. A plaza that can read it"
            " does so at its start: upgrade it"
        ),
        HeldBy.NO_LANE: (
            "lane {} is not registered here, so nobody knows its epoch. Register it: add-lane"
        ),
    }
)


def held_text(held: HeldBy, lane: LaneId) -> str:
    """Return what to do about a reservation that waits for its record."""
    return _HELD_TEXTS[held].format(lane)


# ---- units of work ----


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveCoupon:
    """Hold a coupon for a passage. Result: CouponAnswer."""

    request: CouponRequest
    token_hash: str
    owner: BootId
    """Of the process that writes."""
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseCoupon:
    """Let a reservation go, or see to it that a late request holds nothing. Result:
    CouponAnswer."""

    release: CouponRelease
    owner: BootId
    """Of the process that writes."""
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseByHand:
    """Let a reservation go whose passage no record will ever name, by a person's word. Result:
    HandReleased.

    Raises: RefusedError: no such reservation, it ended otherwise, a record may still name it, or
    who asks may not decide.
    """

    hold_id: str
    by: str
    why: str
    owner: BootId
    """Names the ledger stream it is written to."""
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class HandReleased:
    """Result of ReleaseByHand."""

    hold: Hold
    alarms: tuple[AlarmNote, ...] = ()
    """Only those that changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCoupons:
    """Store an issuer's coupons, all or none. Result: int, how many are new.

    Raises: BadInputError: a number or text is there already with other content; names the line.
    """

    coupons: tuple[Coupon, ...]
    lines: tuple[int, ...]
    """Which line of the file each stands in."""
    file: str
    now_ms: int


CouponUnit = ReserveCoupon | ReleaseCoupon | ReleaseByHand | ImportCoupons
