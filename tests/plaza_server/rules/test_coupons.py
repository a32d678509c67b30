"""When a coupon may be held, for how much, and what a record does to it."""

from __future__ import annotations

import itertools

import pytest

from plaza_server.rules.coupons import (
    MOVES,
    Coupon,
    CouponEvent,
    CouponState,
    HeldBy,
    Hold,
    coupon_bookings,
    held_by,
    held_text,
    hold_end,
    hold_transfer,
    judge,
    may,
    names,
    not_held,
    overdue_note,
    refused,
    told,
)
from plaza_server.rules.ledger import TransferKind, balances
from tests.plaza_server.plaza_bench import LANE, TOLL, passage, record
from tolling.best_price import Entitlement, EntitlementKind
from tolling.coupons import CouponReason, CouponRelease, HoldState
from tolling.records import Leg, Tender
from tolling.tariffs import Quote
from tolling.vehicles import VehicleClass

NOW_MS = 1_000_000
TERMS = Entitlement(
    kind=EntitlementKind.COUPON_FIXED,
    name="券",
    amount_fen=500,
    valid_from_ms=NOW_MS - 10,
    valid_until_ms=NOW_MS + 10,
)
HELD = Hold(
    passage_id=passage(1),
    attempt=1,
    lane_id=LANE,
    coupon_no="K-1",
    amount_fen=500,
    state=HoldState.RESERVED,
    reserved_ms=NOW_MS,
    ended_ms=None,
)
NAMED = (
    Leg(tender=Tender.COUPON, amount_fen=500, provider_txn_id="K-1"),
    Leg(tender=Tender.CASH, amount_fen=TOLL - 500),
)


def coupon(state: CouponState = CouponState.OFFERED, terms: Entitlement = TERMS) -> Coupon:
    """Return a coupon."""
    return Coupon(
        coupon_no="K-1", token_hash="a" * 64, issuer="i", entitlement=terms, state=state, version=1
    )


def quote(toll_fen: int = TOLL) -> Quote:
    """Return a quote of the bench's passage."""
    made = record(1, toll_fen=toll_fen).quote
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("state", "event"), list(itertools.product(CouponState, CouponEvent)), ids=str
)
def test_the_table_says_what_may_happen(state: CouponState, event: CouponEvent) -> None:
    """Used up is the end; only what is held can be given back or used."""
    allowed = {
        (CouponState.OFFERED, CouponEvent.RESERVE),
        (CouponState.RESERVED, CouponEvent.RELEASE),
        (CouponState.RESERVED, CouponEvent.CONSUME),
    }
    assert may(state, event) is ((state, event) in allowed)
    assert CouponState.CONSUMED not in {before for before, _ in MOVES}


@pytest.mark.parametrize(
    ("given", "at_ms", "expected"),
    [
        (None, NOW_MS, (CouponReason.UNKNOWN, 0)),
        (coupon(), NOW_MS, (CouponReason.NONE, 500)),
        (coupon(CouponState.CONSUMED), NOW_MS, (CouponReason.USED, 0)),
        (coupon(CouponState.RESERVED), NOW_MS, (CouponReason.TAKEN, 0)),
        (coupon(), NOW_MS - 11, (CouponReason.TOO_EARLY, 0)),
        (coupon(), NOW_MS + 10, (CouponReason.EXPIRED, 0)),
    ],
)
def test_who_may_hold_a_coupon(
    given: Coupon | None, at_ms: int, expected: tuple[CouponReason, int]
) -> None:
    """Known, free, and good at that moment by the plaza's clock."""
    assert judge(given, quote(), at_ms=at_ms) == expected


def test_a_coupon_is_for_its_classes_and_tolls() -> None:
    """Another class, too small a toll, or nothing to take off: it is not used up for that."""
    of_lorries = Entitlement(
        kind=EntitlementKind.COUPON_FIXED,
        name="券",
        amount_fen=1,
        classes=frozenset({VehicleClass.TRUCK_1}),
    )
    of_long_ways = Entitlement(
        kind=EntitlementKind.COUPON_PERCENT, name="券", off_rate=1_000, minimum_fen=TOLL + 1
    )
    for terms in (of_lorries, of_long_ways):
        found = judge(coupon(terms=terms), quote(), at_ms=NOW_MS)
        assert found == (CouponReason.NOT_FOR_THIS, 0)
    assert judge(coupon(), quote(0), at_ms=NOW_MS)[0] is CouponReason.NOT_FOR_THIS


def test_a_coupon_never_takes_off_more_than_the_toll() -> None:
    """Its issuer owes what it took off, not what is printed on it."""
    assert judge(coupon(), quote(300), at_ms=NOW_MS) == (CouponReason.NONE, 300)


def test_a_held_coupon_that_is_named_ends_as_revenue() -> None:
    """Pending, posted, revenue: its issuer owes it, and nothing is left in suspense."""
    rows = (hold_transfer(HELD), hold_end(HELD, post=True))
    rows += coupon_bookings(record(1, legs=NAMED), "310101")
    assert balances(rows) == {"coupon": 500, "suspense": 0, "revenue:coupon:310101": -500}


def test_a_held_coupon_that_is_let_go_moves_nothing() -> None:
    """The pending row is voided, whole."""
    end = hold_end(HELD, post=False)
    assert (end.kind, end.pending_id) == (TransferKind.VOID, hold_transfer(HELD).transfer_id)
    assert balances((hold_transfer(HELD), end)) == {}


@pytest.mark.parametrize(
    ("legs", "expected"),
    [
        (NAMED, True),
        ((), False),
        ((Leg(tender=Tender.COUPON, amount_fen=499, provider_txn_id="K-1"),), False),
        ((Leg(tender=Tender.COUPON, amount_fen=500, provider_txn_id="K-2"),), False),
    ],
)
def test_a_record_names_a_coupon_by_number_and_amount(
    legs: tuple[Leg, ...], expected: bool
) -> None:
    """Nothing else of a record uses a coupon up."""
    assert names(record(1, legs=legs), HELD) is expected


def test_a_coupon_nobody_held_is_told() -> None:
    """The record's place stands in the alarm; a held one raises none."""
    made = record(1, legs=NAMED)
    assert not_held(made, "001/001/1", (HELD,)) is None
    note = not_held(made, "001/001/1", ())
    assert note is not None
    assert "001/001/1" in note.what


def test_answers_tell_terms_only_while_it_is_held() -> None:
    """What was let go or refused says so and nothing of the coupon's worth."""
    assert told(HELD, TERMS).saved_fen == 500
    asked = CouponRelease(passage_id=passage(1), attempt=1, lane_id=LANE)
    assert refused(asked, CouponReason.USED).entitlement is None
    assert overdue_note(HELD, raised=True).subject == HELD.hold_id


@pytest.mark.parametrize(
    ("epoch", "quarantined", "why"),
    [
        (1, False, HeldBy.JOURNAL),
        (1, True, HeldBy.JOURNAL),
        (None, False, HeldBy.NO_LANE),
        (2, True, HeldBy.QUARANTINE),
        (2, False, HeldBy.NOTHING),
    ],
)
def test_only_a_newer_epoch_proves_that_no_record_will_name_a_coupon(
    epoch: int | None, quarantined: bool, why: HeldBy
) -> None:
    """The chain of an older epoch is refused whatever it says; nothing else ends what was told."""
    assert held_by(HELD, epoch=epoch, quarantined=quarantined) is why


def test_whatever_keeps_a_coupon_held_is_told_with_what_to_do() -> None:
    """In one sentence each, with the lane."""
    for held in HeldBy:
        said = held_text(held, HELD.lane_id)
        assert (HELD.lane_id in said) is (held is not HeldBy.NOTHING)
