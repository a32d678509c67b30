"""Coupons: the code a driver holds up, what may be kept of it, and what lane and plaza say of it.

A coupon is a bearer QR: whoever shows it first has it, once. Its text is as secret as a pay code:
``CouponCode`` keeps it out of ``repr``, logs and pickles, and everything but the one HTTP body that
reserves it works with a ``CouponRef``. Its beginning is its own, so the lane tells it from a pay
code and no platform is ever asked about one.

The text is ``TLC1`` and 28 of A-Z2-7: 140 bits nobody guesses, so the plaza keeps a plain hash.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from tolling.best_price import Entitlement, EntitlementKind
from tolling.ids import LaneId, PassageId
from tolling.paycodes import NotAPayCode, PayCode, classify
from tolling.tariffs import Quote

PREFIX = "TLC1"
COUPON_LENGTH = 32
ATTEMPTS_MAX = 99
"""Reservations of one passage: two digits in the names of their transfers."""
COUPON_KINDS = (EntitlementKind.COUPON_FIXED, EntitlementKind.COUPON_PERCENT)
_EXACT = re.compile(r"TLC1[A-Z2-7]{28}")
_MARK = b"open-toll-lane coupon\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponRef:
    """What may be journalled, logged and compared of a coupon's text."""

    keyed_hash: str
    """HMAC-SHA-256 of the text under a key of this machine, 32 hex digits."""


class CouponCode:
    """One coupon's text, in memory only. It leaves by ``reveal`` and no other way."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        assert _EXACT.fullmatch(text) is not None, "not a coupon's text"
        self._text = text

    def reveal(self) -> str:
        """Return the text. Only the body of the one request that reserves it may hold it."""
        return self._text

    def ref(self, key: bytes) -> CouponRef:
        """Return what the lane may keep. *key*: at least 16 secret bytes of this machine."""
        assert len(key) >= 16, "hash key too short"
        digest = hmac.new(key, self._text.encode("ascii"), hashlib.sha256).hexdigest()[:32]
        return CouponRef(keyed_hash=digest)

    def token_hash(self) -> str:
        """Return what the plaza knows it by: SHA-256, 64 hex digits."""
        return hashlib.sha256(_MARK + self._text.encode("ascii")).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CouponCode) and hmac.compare_digest(self._text, other._text)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "CouponCode(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a coupon's text is never stored")


def read_coupon(text: str) -> CouponCode | None:
    """Return the coupon a text is; None where it is none."""
    return CouponCode(text) if _EXACT.fullmatch(text) is not None else None


def classify_scan(scanned: bytes) -> PayCode | CouponCode | NotAPayCode:
    """Return the pay code or coupon a scanner delivered, or why it is neither.

    Args:   scanned: the bytes between two terminators, terminators stripped.
    """
    if not scanned.startswith(PREFIX.encode("ascii")):
        return classify(scanned)
    found = read_coupon(scanned.decode("ascii", "replace"))
    return NotAPayCode.WRONG_LENGTH if found is None else found


# ---- what lane and plaza say of one ----


class HoldState(StrEnum):
    """Where one reservation of a coupon is."""

    REFUSED = "refused"
    """It was never held for this passage."""
    RESERVED = "reserved"
    """Held for this passage, until its record is there or the lane lets it go."""
    CONSUMED = "consumed"
    """The passage's sealed record names it: used up."""
    RELEASED = "released"
    """Given back: whoever shows the coupon next may use it."""


class CouponReason(StrEnum):
    """Why a coupon is not held, in words of ours; stable, shown to drivers and staff."""

    NONE = "none"
    UNKNOWN = "unknown"
    """No such coupon here."""
    USED = "used"
    """It was used for another passage."""
    TAKEN = "taken"
    """Another vehicle holds it now: a screenshot was shown twice."""
    TOO_EARLY = "too_early"
    """It is not good yet."""
    EXPIRED = "expired"
    """It is good no longer."""
    NOT_FOR_THIS = "not_for_this"
    """Not for this class, entry or toll, or it takes nothing off."""
    TOO_LATE = "too_late"
    """The passage is settled, or let this reservation go already."""
    WRONG_LANE = "wrong_lane"
    """No such lane, or the passage is not of its present epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponRequest:
    """POST /v1/coupons/reserve without the coupon's text. Same number again = same answer."""

    passage_id: PassageId
    attempt: int
    """1..ATTEMPTS_MAX, counted per passage."""
    lane_id: LaneId
    quote: Quote
    """What the coupon is to make less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponRelease:
    """POST /v1/coupons/release: the lane lets a reservation go."""

    passage_id: PassageId
    attempt: int
    lane_id: LaneId


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponAnswer:
    """Answer of both."""

    passage_id: PassageId
    attempt: int
    state: HoldState
    reason: CouponReason
    coupon_no: str | None = None
    """Its issuer's number, no secret; None where nothing is held."""
    entitlement: Entitlement | None = None
    """Its terms; None where nothing is held."""
    saved_fen: int = 0
    """What it takes off this toll, 1 and up where it is held."""
