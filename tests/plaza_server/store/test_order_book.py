"""Orders read ahead and written together are what units would have read and written one by one."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from plaza_server.rules.facts import CancelAsked
from plaza_server.rules.units import AskCancel, ReadOrder, Unit
from plaza_server.store import Store, commit_group, open_store, verify_books
from plaza_server.store import tables as t
from tests.plaza_server.plaza_bench import LANE, order_no
from tests.plaza_server.rules.values import AT
from tests.plaza_server.store.test_units import ADD_LANE, LEASE, PAID, do, fact, opening
from tolling.orders import OrderState, ReasonCode


@pytest.fixture
def subject(store: Store) -> Store:
    """A store with one lane."""
    do(store, ADD_LANE)
    return store


def rows(store: Store) -> list[Any]:
    with store.reading() as connection:
        return list(connection.execute(sa.select(t.orders).order_by(t.orders.c.out_trade_no)))


MIXED: tuple[Unit, ...] = (
    opening(1),
    opening(2),
    opening(2, 2),
    opening(3, digits=100),
    opening(1),
    opening(4, digits=100),
    opening(2, 3),
)
"""New ones, a second attempt, one request twice, one code twice, a third open order."""
LATER: tuple[Unit, ...] = (
    fact(1, PAID),
    fact(1, CancelAsked(reason=ReasonCode.CANCELLED)),
    opening(5),
    ReadOrder(out_trade_no=order_no(1)),
    AskCancel(
        out_trade_no=order_no(2), lane_id=LANE, reason=ReasonCode.CANCELLED, lease=LEASE, at=AT
    ),
    fact(2, PAID),
    fact(5, PAID),
)
"""Two facts of one order, an order opened and paid in one group, a cancel between."""


def test_a_group_reads_and_writes_as_its_units_one_by_one(subject: Store) -> None:
    """The same units in two groups, and each alone: the same results, the same rows."""
    together: list[Any] = []
    for units in (MIXED, LATER):
        together += commit_group(subject.engine, [[unit] for unit in units])
    at_rest = rows(subject)
    with subject.reading() as connection:
        assert not verify_books(connection)
    other = open_store("sqlite://")
    do(other, ADD_LANE)
    alone = [commit_group(other.engine, [[unit]])[0] for unit in (*MIXED, *LATER)]
    assert together == alone
    assert at_rest == rows(other)
    other.close()
    assert [row.state for row in at_rest].count(OrderState.PAID) >= 2
