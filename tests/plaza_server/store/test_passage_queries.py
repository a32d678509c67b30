"""A passage is put together from everything the store has of it."""

from __future__ import annotations

import pytest

from plaza_server.rules.passages import LegState as L
from plaza_server.rules.passages import Passage, Settled
from plaza_server.store import Store, passage_queries
from tests.plaza_server.plaza_bench import TOLL, Chain, passage, record
from tests.plaza_server.store.coupon_bench import ask, bring, coupon, reserve
from tests.plaza_server.store.test_etc_due_units import owing
from tests.plaza_server.store.test_units import ADD_LANE, do, opening, upload
from tolling.records import Leg, Tender


@pytest.fixture
def subject(store: Store) -> Store:
    """A store with one lane and a coupon of 5 yuan."""
    do(store, ADD_LANE)
    bring(store, coupon(1))
    return store


def seen(store: Store, number: int) -> Passage:
    """Return a passage that is there."""
    with store.reading() as connection:
        found = passage_queries.passage(connection, passage(number))
    assert found is not None
    return found


def states(found: Passage) -> list[tuple[str, L]]:
    """Return tender and state of every leg."""
    return [(leg.tender, leg.state) for leg in found.legs]


def test_before_its_record_a_passage_has_what_is_held_and_asked_for(subject: Store) -> None:
    """A coupon and an order; nothing of another passage."""
    ask(subject, reserve(1))
    do(subject, opening(1))
    found = seen(subject, 1)
    assert (found.record, found.settled) == (None, Settled.GATHERING)
    assert states(found) == [("coupon", L.RESERVED), ("alipay", L.OFFERED)]
    with subject.reading() as connection:
        assert passage_queries.passage(connection, passage(2)) is None


def test_with_its_record_it_has_the_records_legs(subject: Store) -> None:
    """Used up, and summed to the toll."""
    ask(subject, reserve(1))
    legs = (
        Leg(tender=Tender.COUPON, amount_fen=500, provider_txn_id="K-1"),
        Leg(tender=Tender.CASH, amount_fen=TOLL - 500),
    )
    made = record(1, legs=legs)
    upload(subject, Chain().seal(made))
    found = seen(subject, 1)
    assert (found.record, found.settled) == (made, Settled.SETTLED)
    assert states(found) == [("coupon", L.CONSUMED), ("cash", L.CONSUMED)]


def test_a_debit_that_settled_nothing_is_a_leg_beside_the_record(subject: Store) -> None:
    """Owed back, until its issuer spoke."""
    upload(subject, Chain().seal(owing(1)))
    found = seen(subject, 1)
    assert states(found) == [("etc", L.REFUND_DUE)]
    assert (found.settled, found.owed_fen) == (Settled.UNDOING, 1000)
