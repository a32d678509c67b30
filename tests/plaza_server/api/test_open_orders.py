"""What is undecided or owed, summed for the one who looks after it."""

from __future__ import annotations

from dataclasses import replace

from plaza_server.api.open_orders import summed
from tests.plaza_server.rules.values import order_in
from tolling.orders import OrderState


def test_ages_and_money_are_summed_apart_for_undecided_and_owed() -> None:
    """The most that may turn out captured, and what is to be given back."""
    unknown = order_in(OrderState.UNKNOWN)
    owed = order_in(OrderState.REFUND_DUE)
    older = replace(unknown, created_ms=unknown.created_ms - 5_000)
    subject = summed((older, unknown, owed), now_ms=unknown.created_ms + 60_000)
    assert (subject.undecided, subject.undecided_fen) == (2, 2 * unknown.toll_fen)
    assert (subject.owed, subject.owed_fen) == (1, owed.refund_fen)
    assert owed.refund_fen > 0
    assert subject.oldest_ms == 65_000
    assert [line.age_ms for line in subject.orders[:2]] == [65_000, 60_000]


def test_nothing_open_is_all_zeros() -> None:
    """A calm plaza has nothing to look at."""
    subject = summed((), now_ms=0)
    assert (subject.undecided, subject.owed, subject.oldest_ms, subject.orders) == (0, 0, 0, ())
