"""The coupons of a run: who holds which, and what its issuer told the plaza.

Texts are drawn per vehicle, so that a driver with a coupon changes nobody else's luck. What an
issuer made is kept here for the auditor: it judges by this copy and not by the plaza's.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from random import Random

from plaza_server.rules.bills import day_of
from plaza_server.rules.coupon_file import COLUMNS, made_coupon
from plaza_server.rules.coupons import Coupon
from simulator.people import CouponKind
from simulator.world.streams import Streams
from tolling.best_price import Entitlement, EntitlementKind
from tolling.coupons import PREFIX, read_coupon

ISSUER = "world"
FIXED_FEN = 500
OFF_RATE = 1_000
"""A tenth."""
WHOLE_FEN = 1_000_000
"""More than any toll of a world."""
GOOD_BEFORE_MS = 10 * 86_400_000
GOOD_FOR_MS = 30 * 86_400_000
ENDED_BEFORE_MS = 2 * 86_400_000
"""No clock of a run goes back so far."""
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_TAIL = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCoupon:
    """One coupon as its issuer made it."""

    text: str
    """What is held before the scanner; a secret, also a simulated one."""
    coupon: Coupon | None
    """What the plaza was told; None: the picture of a coupon nobody issued."""

    def __repr__(self) -> str:
        return f"IssuedCoupon({None if self.coupon is None else self.coupon.coupon_no})"


class Coupons:
    """All coupons of one run."""

    def __init__(self, seed: int, wall_base_ms: int) -> None:
        self._streams = Streams(seed)
        self._base_ms = wall_base_ms
        self._of: dict[int, IssuedCoupon] = {}
        self._shared: IssuedCoupon | None = None

    def issue(self, vehicle_id: int, kind: CouponKind) -> Coupon | None:
        """Give a driver a coupon. Returns: what the plaza has to be told, where it is new."""
        if kind is CouponKind.SHARED and self._shared is not None:
            self._of[vehicle_id] = self._shared
            return None
        dice = self._streams.of(f"coupon of {vehicle_id}")
        made = self._made(f"W-{vehicle_id:06d}", kind, dice)
        self._of[vehicle_id] = made
        if kind is CouponKind.SHARED:
            self._shared = made
        return made.coupon

    def _made(self, number: str, kind: CouponKind, dice: Random) -> IssuedCoupon:
        text = PREFIX + "".join(_LETTERS[dice.randrange(len(_LETTERS))] for _ in range(_TAIL))
        code = read_coupon(text)
        assert code is not None, "the world makes coupons of the right form"
        if kind is CouponKind.FORGED:
            return IssuedCoupon(text=text, coupon=None)
        terms = self._terms(kind)
        coupon = made_coupon(coupon_no=number, code=code, issuer=ISSUER, entitlement=terms)
        return IssuedCoupon(text=text, coupon=coupon)

    def _terms(self, kind: CouponKind) -> Entitlement:
        ends_ms = self._base_ms + GOOD_FOR_MS
        if kind is CouponKind.EXPIRED:
            ends_ms = self._base_ms - ENDED_BEFORE_MS
        percent = kind is CouponKind.PERCENT
        amount = WHOLE_FEN if kind is CouponKind.WHOLE else FIXED_FEN
        return Entitlement(
            kind=EntitlementKind.COUPON_PERCENT if percent else EntitlementKind.COUPON_FIXED,
            name="九折券" if percent else "优惠券",
            valid_from_ms=self._base_ms - GOOD_BEFORE_MS,
            valid_until_ms=ends_ms,
            amount_fen=0 if percent else amount,
            off_rate=OFF_RATE if percent else 0,
        )

    def text_of(self, vehicle_id: int) -> str:
        """Return what the driver of a vehicle holds before the scanner."""
        return self._of[vehicle_id].text

    def issuer_file(self) -> bytes:
        """Return the CSV an issuer sends a plaza; its days are Beijing's."""
        out = io.StringIO(newline="")
        rows = csv.writer(out)
        rows.writerow(COLUMNS)
        texts = {each.coupon: each.text for each in self._of.values() if each.coupon is not None}
        for coupon, text in texts.items():
            terms = coupon.entitlement
            rows.writerow(
                (
                    coupon.coupon_no,
                    text,
                    coupon.issuer,
                    terms.kind.value,
                    terms.name,
                    terms.amount_fen or terms.off_rate,
                    terms.minimum_fen,
                    day_of("", terms.valid_from_ms),
                    day_of("", terms.valid_until_ms),
                    "",
                )
            )
        return out.getvalue().encode("utf-8")

    @property
    def texts(self) -> tuple[str, ...]:
        """Return every text, for the auditor's search."""
        return tuple(dict.fromkeys(each.text for each in self._of.values()))

    @property
    def issued(self) -> tuple[Coupon, ...]:
        """Return every coupon the plaza was told of, once."""
        made = [each.coupon for each in self._of.values() if each.coupon is not None]
        return tuple({coupon.coupon_no: coupon for coupon in made}.values())
