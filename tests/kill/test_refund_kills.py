"""kill -9 of the plaza at every commit and every send of a claim's refund."""

from __future__ import annotations

from collections import Counter

import pytest

from simulator.stack.nursery import Nursery
from tests.kill import money
from tests.kill.office_campaigns import Outcome, kill_refunds, side_by_side

pytestmark = [pytest.mark.kill, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> list[Outcome]:
    """Give what came of it: one claim after the other, of the same receipt, the plaza killed once
    during each."""
    return side_by_side(kill_refunds, tmp_path_factory.mktemp("r"), nursery, plazas=1)


def test_the_process_died_at_every_point(outcomes: list[Outcome]) -> None:
    """Each commit before and after, each send before, in flight and after; by SIGKILL only."""
    money.died_everywhere(outcomes)


def test_every_claim_was_paid_back_once(outcomes: list[Outcome]) -> None:
    """By the platform's own books, to the fen; each claim stands once, whoever asked twice."""
    for outcome in outcomes:
        claims = Counter(claim["amount_fen"] for claim in outcome.claims)
        assert claims == Counter(outcome.amounts_fen)
        assert {claim["state"] for claim in outcome.claims} == {"refunded"}
        (trade,) = outcome.trades
        assert trade["refunded_fen"] == sum(outcome.amounts_fen)


def test_the_platforms_books_are_the_ledgers(outcomes: list[Outcome]) -> None:
    """Captured less refunded is what the clearing account holds, and every row is proven."""
    for outcome in outcomes:
        money.books_agree(outcome)
