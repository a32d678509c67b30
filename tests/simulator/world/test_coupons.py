"""Coupons of a run: who holds which, and what the plaza is told of them."""

from __future__ import annotations

from plaza_server.rules.coupon_file import parse_coupons
from simulator.people import CouponKind
from simulator.world.coupons import Coupons
from tolling.best_price import EntitlementKind

NOW_MS = 1_795_000_000_000


def test_a_seed_gives_the_same_coupons_whoever_else_has_one() -> None:
    """One stream per vehicle: another driver's coupon changes nothing of this one's."""
    alone, beside = Coupons(7, NOW_MS), Coupons(7, NOW_MS)
    alone.issue(2, CouponKind.FIXED)
    beside.issue(1, CouponKind.PERCENT)
    beside.issue(2, CouponKind.FIXED)
    assert alone.text_of(2) == beside.text_of(2)
    assert len(beside.issued) == len(beside.texts) == 2


def test_a_picture_is_one_coupon_on_many_phones() -> None:
    """The issuer made it once; the others have nothing to tell the plaza."""
    subject = Coupons(7, NOW_MS)
    first = subject.issue(1, CouponKind.SHARED)
    assert first is not None
    assert subject.issue(2, CouponKind.SHARED) is None
    assert subject.text_of(1) == subject.text_of(2)
    assert subject.issued == (first,)


def test_a_forged_one_was_issued_by_nobody_and_an_old_one_has_ended() -> None:
    """The one the plaza does not know, the other it will refuse."""
    subject = Coupons(7, NOW_MS)
    assert subject.issue(1, CouponKind.FORGED) is None
    old = subject.issue(2, CouponKind.EXPIRED)
    assert old is not None
    assert old.entitlement.valid_until_ms < NOW_MS
    assert subject.text_of(1) not in repr(subject._of[1])


def test_the_issuers_file_says_the_same() -> None:
    """On wires the plaza gets a CSV: kinds, worth and hashes are those of the issuer."""
    subject = Coupons(7, NOW_MS)
    for number, kind in enumerate(CouponKind, start=1):
        subject.issue(number, kind)
    read = parse_coupons(subject.issuer_file(), file="c.csv").coupons
    assert [each.token_hash for each in read] == [each.token_hash for each in subject.issued]
    for made, told in zip(subject.issued, read, strict=True):
        assert told.entitlement.kind is made.entitlement.kind
        assert told.entitlement.amount_fen == made.entitlement.amount_fen
        good = made.entitlement.valid_until_ms > NOW_MS
        assert (told.entitlement.valid_until_ms > NOW_MS) is good
    assert EntitlementKind.COUPON_PERCENT in {each.entitlement.kind for each in read}
