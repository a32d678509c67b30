"""kill -9 of one of two plaza processes on PostgreSQL, at every commit and every send of a payment,
a claim's refund and a day's bill: the other one finishes alone."""

from __future__ import annotations

from collections import Counter

import pytest

from simulator.stack.nursery import Nursery
from tests.kill import money
from tests.kill.office_campaigns import (
    Outcome,
    kill_payments,
    kill_reconciliations,
    kill_refunds,
    side_by_side,
)

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.kill,
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.timeout(1_200),
]


@pytest.fixture(scope="module")
def payments(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> list[Outcome]:
    """Give what came of payments: the driver's lane asks whoever is there."""
    return side_by_side(kill_payments, tmp_path_factory.mktemp("p"), nursery, plazas=2)


@pytest.fixture(scope="module")
def refunds(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> list[Outcome]:
    """Give what came of claims of one receipt."""
    return side_by_side(kill_refunds, tmp_path_factory.mktemp("r"), nursery, plazas=2)


@pytest.fixture(scope="module")
def bills(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> list[Outcome]:
    """Give what came of closing one day again and again from the same books."""
    return side_by_side(kill_reconciliations, tmp_path_factory.mktemp("b"), nursery, plazas=2)


def test_a_payment_is_charged_once_or_not_at_all(payments: list[Outcome]) -> None:
    """By the platform's own books, the records and the ledger, to the fen."""
    money.died_everywhere(payments)
    for outcome in payments:
        assert {order["state"] for order in outcome.orders} <= {"paid", "closed", "refunded"}
        money.books_agree(outcome)


def test_a_claim_is_paid_back_once(refunds: list[Outcome]) -> None:
    """Whoever sent it, and whoever found its proof."""
    money.died_everywhere(refunds)
    for outcome in refunds:
        claims = Counter(claim["amount_fen"] for claim in outcome.claims)
        assert claims == Counter(outcome.amounts_fen)
        assert {claim["state"] for claim in outcome.claims} == {"refunded"}
        (trade,) = outcome.trades
        assert trade["refunded_fen"] == sum(outcome.amounts_fen)
        money.books_agree(outcome)


def test_a_day_is_closed_as_without_a_death(bills: list[Outcome]) -> None:
    """The same findings, transfers and settlement file; and no more when it is closed again."""
    money.died_everywhere(bills)
    money.same_day(bills)
    for outcome in bills:
        money.books_agree(outcome)
