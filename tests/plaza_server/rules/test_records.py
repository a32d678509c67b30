"""What sealed records do to orders and ledger."""

from __future__ import annotations

import pytest

from plaza_server.rules.ledger import balances
from plaza_server.rules.orders import DifferenceKind
from plaza_server.rules.records import open_record, place_of, settle
from tests.plaza_server.plaza_bench import (
    CASH_LEG,
    TOLL,
    Chain,
    order_no,
    passage,
    phone_leg,
    record,
)
from tests.plaza_server.rules.values import AT, S, order_in
from tolling.canonical import canonical_bytes
from tolling.chain import seal
from tolling.errors import BadInputError
from tolling.ids import LaneId, make_out_trade_no
from tolling.records import Leg, Tender


def test_a_record_comes_out_as_it_went_in() -> None:
    """Canonical bytes, sealed and opened."""
    made = record(1, legs=(phone_leg(order_no(1)),), orders=(order_no(1),))
    sealed = Chain().seal(made)
    assert open_record(sealed) == made
    assert place_of(sealed) == "001/001/1"


@pytest.mark.parametrize(
    "body",
    [
        b"no json",
        b"{}",
        b"[1.5]",
        canonical_bytes(record(1, lane=LaneId("002"), legs=(CASH_LEG,))),
        canonical_bytes(record(1, epoch=2, legs=(CASH_LEG,))),
        canonical_bytes(record(1, orders=(make_out_trade_no(passage(2), 1),))),
        canonical_bytes(record(1, legs=(CASH_LEG,))).replace(b"310101001001000000001", b"31"),
        canonical_bytes(record(1, legs=(CASH_LEG,))).replace(
            b'"passage_id":"310101001', b'"passage_id":"310101002'
        ),
        canonical_bytes(record(1, legs=(CASH_LEG,))).replace(
            b'"amount_fen":2550', b'"amount_fen":9'
        ),
        canonical_bytes(
            record(1, legs=(Leg(tender=Tender.CASH, amount_fen=10**14),), toll_fen=10**14)
        ),
    ],
)
def test_content_that_is_no_record_of_its_lane_is_bad(body: bytes) -> None:
    """Right hash, bad content: named, so that it can be quarantined."""
    with pytest.raises(BadInputError):
        open_record(seal(Chain().anchor, body))


def test_a_record_settles_every_order_of_its_passage() -> None:
    """The named one is revenue, the other captured one is owed, the waiting one is cancelled."""
    first, second, third = (order_no(1, attempt) for attempt in (1, 2, 3))
    orders = [
        order_in(S.WAITING, out_trade_no=third, attempt=3),
        order_in(S.PAID, out_trade_no=first),
        order_in(S.PAID, out_trade_no=second, attempt=2),
    ]
    made = record(1, legs=(phone_leg(second),), orders=(first, second))
    done = settle(made, place="001/001/1", orders=orders, at=AT)
    states = [(each.order.out_trade_no, each.order.state) for each in done.applied]
    assert states == [(first, S.REFUND_DUE), (second, S.PAID), (third, S.CLOSING)]
    rows = [row for each in done.applied for row in each.transfers]
    earned = "revenue:alipay:310101"
    assert balances(rows) == {"suspense": 2 * TOLL, earned: -TOLL, "refund_due": -TOLL}
    assert done.unbooked == ()


def test_cash_and_etc_legs_go_to_their_accounts() -> None:
    """No order is concerned."""
    legs = (Leg(tender=Tender.CASH, amount_fen=50), Leg(tender=Tender.ETC, amount_fen=TOLL - 50))
    done = settle(record(1, legs=legs), place="001/001/1", orders=(), at=AT, payee="north")
    assert balances(done.transfers) == {
        "cash_lane:001": 50,
        "revenue:cash:north": -50,
        "etc": TOLL - 50,
        "revenue:etc:north": 50 - TOLL,
    }
    own = settle(record(1, legs=legs), place="001/001/1", orders=(), at=AT)
    assert balances(own.transfers)["revenue:cash:310101"] == -50, "no payee: the plaza's own"


def test_a_leg_of_an_order_nobody_knows_is_kept_and_alarmed() -> None:
    """The plaza never had it: a difference, and the record is taken all the same."""
    made = record(1, legs=(phone_leg(order_no(1)),), orders=(order_no(1),))
    done = settle(made, place="001/001/1", orders=(), at=AT)
    (difference,) = done.unbooked
    assert difference.kind is DifferenceKind.NOT_CAPTURED
    assert difference.said_fen == TOLL
    assert [note.subject for note in done.alarms] == [order_no(1)]
