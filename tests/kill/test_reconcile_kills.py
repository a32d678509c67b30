"""kill -9 of the plaza at every commit and every send of closing a day by the platform's bill."""

from __future__ import annotations

import pytest

from simulator.stack.nursery import Nursery
from tests.kill import money
from tests.kill.office_campaigns import Outcome, kill_reconciliations, side_by_side

pytestmark = [pytest.mark.kill, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> list[Outcome]:
    """Give what came of it: the same day closed from the same books, the plaza killed each time."""
    return side_by_side(kill_reconciliations, tmp_path_factory.mktemp("b"), nursery, plazas=1)


def test_the_process_died_at_every_point(outcomes: list[Outcome]) -> None:
    """Each commit before and after, each send before, in flight and after; by SIGKILL only."""
    money.died_everywhere(outcomes)


def test_every_death_leads_to_the_same_day(outcomes: list[Outcome]) -> None:
    """Findings, transfers, sums and the settlement file are those of the run without a kill, to the
    byte; a run that is repeated moves nothing."""
    money.same_day(outcomes)


def test_the_platforms_books_are_the_ledgers(outcomes: list[Outcome]) -> None:
    """What the bill's mistakes moved stands in one account; without it the sums are the
    platform's own, to the fen."""
    for outcome in outcomes:
        money.books_agree(outcome)
