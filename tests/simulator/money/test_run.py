"""Days of phone money under every fault, judged by the platforms' own books to the fen."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from plaza_server.engine.resolver import Resolver
from plaza_server.platforms.alipay import codec
from plaza_server.rules import orders, schedule
from plaza_server.rules.facts import QueryAnswered
from plaza_server.rules.order_table import OrderEvent
from plaza_server.rules.outcomes import CancelDone, Closed, Refused, Unknown
from plaza_server.store import bill_units
from simulator.canaries.planting import replaced
from simulator.models.faults import Fault, PlatformFault
from simulator.models.platform_values import BuyerBehaviour
from simulator.money.run import FAULT_NAMES, run_money
from simulator.money.world import MoneyConfig
from simulator.world.faults import PlatformTrouble
from tolling.orders import NextStep, ReasonCode

pytestmark = [pytest.mark.slow]
SMALL = MoneyConfig(orders=80, days=1)
LIES = MoneyConfig(
    orders=40,
    days=1,
    behaviours={BuyerBehaviour.CONFIRMS: 1},
    faults=tuple(
        PlatformTrouble(
            at_ms=1_000,
            fault=Fault(kind=PlatformFault.CANCEL_LIES, times=None),
            platform=platform,
        )
        for platform in ("alipay", "wechat", "unionpay")
    ),
)
"""Every cancel says yes and does nothing, and every payer takes his time with the password."""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_fen_agrees_after_a_day_of_faults(seed: int) -> None:
    """Nothing open, nothing unsent, every mistake of a bill found, no difference of a fen."""
    subject = run_money(seed, SMALL)
    assert subject.findings == ()
    assert (subject.difference_fen, subject.open_orders, subject.unsent_records) == (0, 0, 0)
    assert subject.orders > 60
    assert subject.captured_fen > subject.refunded_fen > 0
    assert subject.matched > 50
    assert subject.bill_mistakes_found == subject.bill_mistakes
    assert len(subject.fault_kinds) >= 5


def test_a_bill_that_lacks_every_row_is_looked_at_too() -> None:
    """A platform's first bill of the day has none of three payments: each is listed."""
    subject = run_money(7, MoneyConfig(orders=20, days=1))
    assert (subject.bill_mistakes, subject.bill_mistakes_found) == (5, 5)
    assert subject.findings == ()


def test_a_calm_day_leaves_nothing_to_heal() -> None:
    """Without faults every row of every bill matches at the first look."""
    subject = run_money(7, SMALL, kinds=())
    assert (subject.healed, subject.left_for_a_person, subject.difference_fen) == (0, 0, 0)
    assert subject.fault_kinds == ()


def test_cancels_that_lie_all_day_cost_nobody_anything() -> None:
    """A cancel is believed only after a query: what is paid behind it is found and given back."""
    subject = run_money(1, LIES, kinds=())
    assert subject.findings == ()
    assert subject.good


def test_the_same_seed_is_the_same_money() -> None:
    """A failing seed can be run again: every figure is the same."""
    assert run_money(5, SMALL) == run_money(5, SMALL)


# ---- known bugs must be seen ----


def _unknown_read_as_refused() -> AbstractContextManager[None]:
    honest = codec.read_pay

    def read_pay(*given: Any, **named: Any) -> Any:
        outcome = honest(*given, **named)
        if isinstance(outcome, Unknown):
            return Refused(reason=ReasonCode.PAYMENT_FAILED, next=NextStep.NEW_CODE)
        return outcome

    return replaced(codec, "read_pay", read_pay)


def _late_capture_is_revenue() -> AbstractContextManager[None]:
    honest = orders.event_of

    def event_of(*given: Any) -> OrderEvent:
        event = honest(*given)
        return OrderEvent.CAPTURED if event is OrderEvent.CAPTURED_LATE else event

    return replaced(orders, "event_of", event_of)


def _cancel_believed_without_a_query() -> AbstractContextManager[None]:
    """The answer to a cancel closes the order at once."""
    honest = Resolver._cancel_ended

    def cancel_ended(resolver: Resolver, job: Any, outcome: Any) -> None:
        if isinstance(outcome, CancelDone):
            fact = QueryAnswered(
                outcome=Closed(refunded_fen=0),
                since_sent_ms=schedule.SECOND_QUERY_AFTER_MS,
                absent_before=True,
                cancelled=True,
                gave_back=outcome.gave_back,
                cancel_out=False,
            )
            if resolver._commit(job, fact):
                return
        honest(resolver, job, outcome)

    return replaced(Resolver, "_cancel_ended", cancel_ended)


def _bill_row_applied_twice() -> AbstractContextManager[None]:
    """What a row moves in the ledger is moved again by the next look."""
    honest = bill_units._Stored.keep_postings

    def keep_postings(stored: Any, *given: Any) -> None:
        stored._held.clear()
        honest(stored, *given)

    return replaced(bill_units._Stored, "keep_postings", keep_postings)


@pytest.mark.parametrize(
    "plant",
    [
        _unknown_read_as_refused,
        _late_capture_is_revenue,
        _cancel_believed_without_a_query,
        _bill_row_applied_twice,
    ],
    ids=lambda plant: plant.__name__.strip("_"),
)
def test_a_planted_bug_is_seen(plant: Callable[[], AbstractContextManager[None]]) -> None:
    """Within three seeds the verdict is not good, or the run cannot even go on."""
    seen = False
    with plant():
        for seed in (1, 2, 3):
            try:
                seen = not run_money(seed, SMALL, kinds=FAULT_NAMES).good
                seen = seen or not run_money(seed, LIES, kinds=()).good
            except Exception:  # noqa: BLE001 - a store or an assertion that refuses saw it as well
                seen = True
            if seen:
                break
    assert seen
