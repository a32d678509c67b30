"""What the plaza's people see of a passage: every leg with one status, and one for all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from plaza_server.rules import passages as subject
from plaza_server.rules.claims import ClaimState
from plaza_server.rules.coupons import Hold
from plaza_server.rules.etc_dues import EtcDue, EtcDueState
from plaza_server.rules.order_values import RecordMark
from plaza_server.rules.orders import tombstone
from plaza_server.rules.passages import LegState as L
from plaza_server.rules.passages import Settled
from tests.plaza_server.bench_platform import EPOCH_MS
from tests.plaza_server.plaza_bench import LANE, TOLL, order_no, passage, record
from tests.plaza_server.rules.test_claims import claim
from tests.plaza_server.rules.values import AT, order_in
from tolling.coupons import HoldState
from tolling.ids import BootId
from tolling.orders import OrderState as S
from tolling.records import Leg, PassageRecord, Tender, UnpaidReason

HELD = Hold(
    passage_id=passage(1),
    attempt=1,
    lane_id=LANE,
    coupon_no="K-1",
    amount_fen=500,
    state=HoldState.RESERVED,
    reserved_ms=EPOCH_MS,
    ended_ms=None,
)
OWED = EtcDue(
    passage_id=passage(1),
    lane_id=LANE,
    tag_id="TAG1",
    amount_fen=1000,
    txn_id="E9",
    state=EtcDueState.DUE,
    noted_ms=EPOCH_MS,
)
COUPON = Leg(tender=Tender.COUPON, amount_fen=500, provider_txn_id="K-1")
ETC = Leg(tender=Tender.ETC, amount_fen=700, provider_txn_id="E9")
CASH = Leg(tender=Tender.CASH, amount_fen=TOLL)
PHONE = Leg(tender=Tender.ALIPAY, amount_fen=TOLL, out_trade_no=order_no(1))


def seen(made: PassageRecord | None = None, **parts: Any) -> subject.Passage:
    """Return the passage of these rows."""
    rows: dict[str, Any] = {"orders": (), "holds": (), "dues": (), "claims": ()}
    return subject.passage_of(passage(1), LANE, record=made, **(rows | parts))


def sealed(*legs: Leg) -> PassageRecord:
    """Return a record with these legs."""
    orders = tuple(leg.out_trade_no for leg in legs if leg.out_trade_no is not None)
    return record(1, legs=legs, orders=orders)


def states(found: subject.Passage) -> list[tuple[str, L, bool]]:
    """Return tender, state and whether the record names it, of every leg."""
    return [(leg.tender, leg.state, leg.named) for leg in found.legs]


def test_a_toll_paid_in_parts_shows_every_part() -> None:
    """Coupon, tag and cash, each once, as the record has them, and settled by them together."""
    rest = Leg(tender=Tender.CASH, amount_fen=TOLL - 1200)
    consumed = replace(HELD, state=HoldState.CONSUMED)
    found = seen(sealed(COUPON, ETC, rest), holds=(consumed,))
    assert states(found) == [
        ("coupon", L.CONSUMED, True),
        ("etc", L.CONSUMED, True),
        ("cash", L.CONSUMED, True),
    ]
    assert [leg.number for leg in found.legs] == ["K-1", "E9", None]
    assert (found.settled, found.applied_fen, found.owed_fen) == (Settled.SETTLED, TOLL, 0)


@pytest.mark.parametrize(
    ("state", "named", "beside"),
    [
        (S.CREATED, L.UNKNOWN, L.OFFERED),
        (S.SENT, L.UNKNOWN, L.OFFERED),
        (S.WAITING, L.UNKNOWN, L.OFFERED),
        (S.UNKNOWN, L.UNKNOWN, L.UNKNOWN),
        (S.CLOSING, L.UNKNOWN, L.UNKNOWN),
        (S.REFUSED, L.NOT_BOOKED, L.RELEASED),
        (S.CLOSED, L.NOT_BOOKED, L.RELEASED),
        (S.PAID, L.CONSUMED, L.CAPTURED),
        (S.REFUND_DUE, L.REFUND_DUE, L.REFUND_DUE),
        (S.REFUNDING, L.REFUND_DUE, L.REFUND_DUE),
        (S.MISMATCH, L.REFUND_DUE, L.REFUND_DUE),
        (S.REFUND_STUCK, L.REFUND_DUE, L.REFUND_DUE),
        (S.REFUNDED, L.GIVEN_BACK, L.GIVEN_BACK),
    ],
)
def test_unknown_is_never_shown_as_paid_or_refused(state: S, named: L, beside: L) -> None:
    """Each order state, where the record names it and where it does not (M4)."""
    order = order_in(state)
    (leg,) = seen(sealed(PHONE), orders=(replace(order, record=RecordMark.NAMED),)).legs
    assert (leg.state, leg.named, leg.order) == (named, True, state)
    (leg,) = seen(orders=(order,)).legs
    assert (leg.state, leg.named, leg.order) == (beside, False, state)


@pytest.mark.parametrize(
    ("parts", "settled"),
    [
        ({}, Settled.NOTHING),
        ({"orders": (order_in(S.WAITING),)}, Settled.GATHERING),
        ({"orders": (order_in(S.CLOSED),)}, Settled.NOTHING),
        ({"holds": (HELD,)}, Settled.GATHERING),
        ({"holds": (replace(HELD, state=HoldState.RELEASED),)}, Settled.NOTHING),
    ],
)
def test_before_its_record_nothing_is_settled(parts: Any, settled: Settled) -> None:
    """What is asked for or held is being gathered, whatever it sums to."""
    assert seen(**parts).settled is settled


def test_what_a_record_does_not_name_is_owed_beside_it() -> None:
    """Cash settled it, and a late capture is to be given back; the tag's debit too."""
    late = order_in(S.REFUND_DUE)
    found = seen(sealed(CASH), orders=(late,), dues=(OWED,))
    assert found.settled is Settled.SETTLED
    assert states(found)[1:] == [("alipay", L.REFUND_DUE, False), ("etc", L.REFUND_DUE, False)]
    assert (found.applied_fen, found.owed_fen) == (TOLL, TOLL + 1000)


@pytest.mark.parametrize(
    ("state", "leg", "settled", "owed_fen"),
    [
        (EtcDueState.DOUBTFUL, L.UNKNOWN, Settled.UNDOING, 1000),
        (EtcDueState.DUE, L.REFUND_DUE, Settled.UNDOING, 1000),
        (EtcDueState.GIVEN_BACK, L.GIVEN_BACK, Settled.UNPAID, 0),
        (EtcDueState.NOT_TAKEN, L.RELEASED, Settled.UNPAID, 0),
    ],
)
def test_a_car_that_backed_out_is_undone_until_its_tag_has_its_money(
    state: EtcDueState, leg: L, settled: Settled, owed_fen: int
) -> None:
    """Then it is unpaid, for the record's reason."""
    made = sealed()
    found = seen(made, dues=(replace(OWED, state=state),))
    assert made.unpaid_reason is UnpaidReason.BACKED_OUT
    assert (found.legs[0].state, found.settled, found.owed_fen) == (leg, settled, owed_fen)


def test_a_leg_without_money_behind_it_is_told() -> None:
    """An order this plaza never had, a coupon that was not held."""
    found = seen(sealed(PHONE))
    assert (states(found), found.legs[0].order) == ([("alipay", L.NOT_BOOKED, True)], None)
    rest = Leg(tender=Tender.CASH, amount_fen=TOLL - 500)
    released = replace(HELD, state=HoldState.RELEASED)
    found = seen(sealed(COUPON, rest), holds=(released,))
    assert states(found) == [
        ("coupon", L.NOT_BOOKED, True),
        ("cash", L.CONSUMED, True),
        ("coupon", L.RELEASED, False),
    ]


def test_numbers_that_were_never_asked_for_are_no_legs() -> None:
    """A cancelled number nobody posted, a reservation let go before it was asked for."""
    never = tombstone(order_no(1), LANE, owner=BootId("b"), at=AT)
    empty = replace(HELD, coupon_no=None, amount_fen=0, state=HoldState.RELEASED)
    assert seen(orders=(never,), holds=(empty,)).legs == ()
    turned_down = order_in(S.REFUSED, platform="")
    assert seen(orders=(turned_down,)).legs[0].tender == subject.PHONE


def test_what_claims_gave_back_stands_at_its_leg() -> None:
    """Only what is proven or handed out."""
    claims = [
        claim(ClaimState.PAID_OUT, amount_fen=300),
        claim(ClaimState.ASKED, amount_fen=50),
    ]
    (leg,) = seen(sealed(CASH), claims=claims).legs
    assert (leg.state, leg.back_fen) == (L.CONSUMED, 300)
