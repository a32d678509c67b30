"""What the resolver does with orders that did not end at once, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from plaza_server.engine import CallKind, ProblemCode
from plaza_server.rules.orders import Order
from plaza_server.rules.outcomes import (
    CancelAgain,
    CancelDone,
    Evidence,
    NotThere,
    RefundRefused,
    Refused,
    Unknown,
)
from plaza_server.store import queries
from tests.plaza_server.bench_platform import (
    TIMEOUT,
    Platform,
    charges,
    charges_silently,
    says,
    waits,
)
from tests.plaza_server.plaza_bench import (
    CASH_LEG,
    TOLL,
    Bench,
    answer,
    order_no,
    phone_leg,
    problem,
)
from tolling.orders import NextStep, OrderState, ReasonCode

HOUR_MS = 3_600_000


@pytest.fixture
def subject() -> Bench:
    """A plaza process on a fresh store."""
    return Bench()


def test_a_waiting_order_is_cancelled_at_its_limit(subject: Bench) -> None:
    """After 40 s it is queried and cancelled at once, and closed by a second query after 60 s."""
    subject.platform.script(CallKind.PAY, waits)
    subject.pay(1)
    subject.run(39_000)
    assert subject.state(1) == "waiting"
    subject.run(3_000)
    assert subject.state(1) == "closing"
    kinds = [kind for kind, _ in subject.platform.calls]
    at = kinds.index(CallKind.CANCEL)
    assert kinds[at - 1 : at + 2] == [CallKind.QUERY, CallKind.CANCEL, CallKind.QUERY]
    subject.run(17_000)
    assert subject.state(1) == "closing"
    subject.run(3_000)
    assert subject.state(1) == "closed"
    assert subject.order(1).reason is ReasonCode.TIMED_OUT
    assert subject.platform.count(CallKind.CANCEL) == 1
    subject.check()


def test_refused_is_told_at_once_and_confirmed_off_the_path(subject: Bench) -> None:
    """A signed refusal lets the driver scan again; one query after 60 s proves it."""
    refusal = Refused(reason=ReasonCode.BALANCE, next=NextStep.OTHER_TENDER)
    subject.platform.script(CallKind.PAY, says(refusal))
    name = subject.pay(1)
    subject.run(500)
    said = answer(subject, name)
    assert (said.state, said.reason_code) == (OrderState.REFUSED, ReasonCode.BALANCE)
    assert not subject.order(1).proven
    subject.run(HOUR_MS)
    assert subject.order(1).proven
    assert [kind for kind, _ in subject.platform.calls] == [CallKind.PAY, CallKind.QUERY]
    subject.check()


def test_a_capture_behind_a_refusal_is_found_and_given_back(subject: Bench) -> None:
    """The confirming query finds money; the record is there without it: refunded."""

    def refuses_but_charges(platform: Platform, order: Order) -> Any:
        charges_silently(platform, order)
        return Refused(reason=ReasonCode.PAYMENT_FAILED, next=NextStep.NEW_CODE), 300

    subject.platform.script(CallKind.PAY, refuses_but_charges)
    subject.pay(1)
    subject.run(500)
    subject.seal_and_upload(1, CASH_LEG)
    subject.run(HOUR_MS)
    assert subject.state(1) == "refunded"
    assert subject.balances() == {"cash_lane:001": TOLL, "revenue:cash:310101": -TOLL}
    subject.check()


def test_no_answer_is_unknown_and_found_paid_by_query(subject: Bench) -> None:
    """The answer is lost after the charge: unknown, then paid by query, with one pay only."""
    subject.platform.script(CallKind.PAY, charges_silently)
    name = subject.pay(1)
    subject.run(2_700)
    said = answer(subject, name)
    assert (said.state, said.reason_code) == (OrderState.UNKNOWN, ReasonCode.NO_ANSWER)
    poll = subject.poll(1, wait_ms=10_000)
    subject.run(2_000)
    assert answer(subject, poll).state is OrderState.PAID
    assert subject.platform.count(CallKind.PAY) == 1
    subject.check()


def test_no_answer_and_no_charge_ends_closed(subject: Bench) -> None:
    """A pay that never arrived is unknown, closing at 8 s, closed after 60 s; never refused."""
    subject.platform.script(CallKind.PAY, says(TIMEOUT, 60_000))
    subject.pay(1)
    subject.run(7_000)
    assert subject.state(1) == "unknown"
    subject.run(2_000)
    assert subject.state(1) == "closing"
    subject.run(60_000)
    assert subject.state(1) == "closed"
    with subject.store.reading() as connection:
        history = queries.order_history(connection, order_no(1))
    assert [row.to_state for row in history] == ["sent", "unknown", "closing", "closed"]
    subject.check()


def test_a_pay_carried_out_late_is_found_by_the_second_query(subject: Bench) -> None:
    """Cancel found nothing, the delayed pay charged afterwards: captured, then given back."""
    subject.platform.script(CallKind.PAY, says(TIMEOUT, 60_000))
    subject.pay(1)
    subject.run(20_000)
    assert subject.state(1) == "closing"
    subject.seal_and_upload(1, CASH_LEG)
    charges_silently(subject.platform, subject.order(1))
    subject.run(HOUR_MS)
    assert subject.state(1) == "refunded"
    subject.check()


def test_queries_that_fail_for_minutes_do_not_lose_the_capture(subject: Bench) -> None:
    """135 s of query errors, then paid: the resolver is still there."""
    subject.platform.script(CallKind.PAY, charges_silently)
    subject.platform.always[CallKind.QUERY] = says(Unknown(evidence=Evidence.PLATFORM_UNSURE))
    subject.pay(1)
    subject.run(135_000)
    assert subject.state(1) == "closing"
    assert subject.platform.count(CallKind.CANCEL) == 0, "an unknown answer is no reason to cancel"
    subject.platform.always.clear()
    subject.run(HOUR_MS)
    assert subject.state(1) == "paid"
    subject.seal_and_upload(1, CASH_LEG)
    subject.run(HOUR_MS)
    assert subject.state(1) == "refunded"
    subject.check()


def test_another_amount_is_a_mismatch_and_given_back_whole(subject: Bench) -> None:
    """What a query proves as captured is refund_due at once and refunded without a record."""
    subject.platform.script(CallKind.PAY, charges(TOLL + 100))
    subject.pay(1)
    subject.run(400)
    assert subject.state(1) == "unknown"
    while subject.state(1) == "unknown":
        subject.run(50)
    assert subject.state(1) in ("mismatch", "refunding")
    assert subject.balances() == {"clearing:alipay": TOLL + 100, "refund_due": -TOLL - 100}
    assert "amount_mismatch" in subject.standing()
    subject.run(10_000)
    assert subject.state(1) == "refunded"
    assert subject.balances() == {}
    assert subject.standing() == set()
    subject.check()


def test_a_late_capture_is_refund_due_in_the_commit_that_learns_of_it(subject: Bench) -> None:
    """The record is there without the order; the capture goes to refund_due and back."""
    subject.platform.script(CallKind.PAY, charges_silently)
    subject.platform.script(CallKind.QUERY, *[says(TIMEOUT)] * 3)
    subject.pay(1)
    subject.run(3_000)
    subject.seal_and_upload(1, CASH_LEG)
    subject.run(HOUR_MS)
    with subject.store.reading() as connection:
        history = queries.order_history(connection, order_no(1))
    states = [row.to_state for row in history]
    assert states == ["sent", "unknown", "closing", "refund_due", "refunding", "refunded"]
    assert "paid" not in states
    subject.check()


def test_a_paid_order_the_record_leaves_out_is_given_back(subject: Bench) -> None:
    """Backed out after paying: refunded, proven by a refund query."""
    subject.pay(1)
    subject.run(1_000)
    subject.seal_and_upload(1)
    subject.run(10_000)
    assert subject.state(1) == "refunded"
    assert subject.platform.count(CallKind.REFUND) == 1
    assert subject.platform.count(CallKind.REFUND_QUERY) == 1
    subject.check()


def test_a_cancel_that_meets_a_payment_finds_it_paid(subject: Bench) -> None:
    """The driver confirmed just before the cancel's query: paid, and no cancel is sent."""
    subject.platform.script(CallKind.PAY, waits)
    subject.pay(1)
    subject.run(3_000)
    subject.platform.trades[order_no(1)].state = "paid"
    name = subject.cancel(1)
    subject.run(1_400)
    assert answer(subject, name).state is OrderState.PAID
    assert subject.platform.count(CallKind.CANCEL) == 0
    subject.check()


def test_a_cancel_that_undoes_a_payment_ends_refunded(subject: Bench) -> None:
    """The driver confirmed between query and cancel: the platform gave it back, both are booked."""

    def confirms_then_cancels(platform: Platform, order: Order) -> Any:
        platform.trades[order.out_trade_no].state = "paid"
        return platform.honest(CallKind.CANCEL, order), 300

    subject.platform.script(CallKind.PAY, waits)
    subject.platform.script(CallKind.CANCEL, confirms_then_cancels)
    subject.pay(1)
    subject.run(3_000)
    subject.cancel(1)
    subject.run(HOUR_MS)
    assert subject.state(1) == "refunded"
    assert subject.balances() == {}
    subject.check()


def test_a_cancel_while_pay_is_under_way_waits_for_its_answer(subject: Bench) -> None:
    """No query and no cancel are sent before the one pay call has ended."""
    subject.platform.script(CallKind.PAY, charges_silently)
    subject.pay(1)
    subject.run(500)
    name = subject.cancel(1)
    subject.run(1_600)
    assert answer(subject, name).state is OrderState.CLOSING
    assert subject.platform.calls == [(CallKind.PAY, order_no(1))]
    subject.run(2_000)
    assert subject.state(1) == "paid"
    subject.check()


def test_a_cancel_without_effect_is_not_believed(subject: Bench) -> None:
    """Cancel answers done, the query says it still waits: cancelled again until it is true."""
    subject.platform.script(CallKind.PAY, waits)
    subject.platform.script(CallKind.CANCEL, *[says(CancelDone(gave_back=False))] * 2)
    subject.pay(1)
    subject.run(3_000)
    subject.cancel(1)
    subject.run(HOUR_MS)
    assert subject.state(1) == "closed"
    assert subject.platform.count(CallKind.CANCEL) == 3
    subject.check()


def test_a_cancel_refused_for_now_is_repeated(subject: Bench) -> None:
    """The platform cannot cancel while the payer confirms; it is asked again with growing gaps."""
    subject.platform.script(CallKind.PAY, waits)
    subject.platform.script(CallKind.CANCEL, *[says(CancelAgain())] * 4)
    subject.pay(1)
    subject.run(3_000)
    subject.cancel(1)
    subject.run(HOUR_MS)
    assert subject.state(1) == "closed"
    assert subject.platform.count(CallKind.CANCEL) == 5
    subject.check()


def test_a_capture_under_an_unsettled_cancel_is_not_told(subject: Bench) -> None:
    """A cancel got no answer and may still undo the capture a query shows: closing for 60 s."""

    def late_cancel(platform: Platform, order: Order) -> Any:
        platform.trades[order.out_trade_no].state = "paid"
        return TIMEOUT, 60_000

    subject.platform.script(CallKind.PAY, waits)
    subject.platform.script(CallKind.CANCEL, late_cancel)
    subject.pay(1)
    subject.run(3_000)
    subject.cancel(1)
    subject.run(30_000)
    assert subject.state(1) == "closing"
    subject.run(60_000)
    assert subject.state(1) == "paid"
    subject.check()


def test_a_refund_without_answer_is_asked_for_and_repeated(subject: Bench) -> None:
    """Refund, refund query, refund again under the same number, until proven."""
    subject.platform.script(CallKind.REFUND, *[says(TIMEOUT, 60_000)] * 2)
    subject.pay(1)
    subject.run(1_000)
    subject.seal_and_upload(1)
    subject.run(HOUR_MS)
    assert subject.state(1) == "refunded"
    assert subject.platform.count(CallKind.REFUND) == 3
    assert subject.order(1).out_refund_no == f"{order_no(1)}R01"
    subject.check()


def test_a_refund_refused_for_good_is_stuck_and_tried_daily(subject: Bench) -> None:
    """refund_stuck: alarm, a try a day, and the end when the platform takes it at last."""
    refuse = says(RefundRefused(detail="ACQ.TRADE_HAS_FINISHED", final=True))
    subject.platform.always[CallKind.REFUND] = refuse
    subject.pay(1)
    subject.run(1_000)
    subject.seal_and_upload(1)
    subject.run(HOUR_MS)
    assert subject.state(1) == "refund_stuck"
    assert subject.standing() == {"refund_stuck"}
    tries = subject.platform.count(CallKind.REFUND)
    subject.run(48 * HOUR_MS)
    assert subject.platform.count(CallKind.REFUND) == tries + 2
    subject.platform.always.clear()
    subject.run(25 * HOUR_MS)
    assert subject.state(1) == "refunded"
    assert subject.standing() == set()
    subject.check()


def test_a_capture_without_record_is_an_alarm_after_a_day(subject: Bench) -> None:
    """No refund before the record is there; after 24 h somebody must look."""
    subject.pay(1)
    subject.run(24 * HOUR_MS - 60_000)
    assert subject.standing() == set()
    subject.run(120_000)
    assert subject.standing() == {"record_missing"}
    assert subject.state(1) == "paid"
    subject.seal_and_upload(1, phone_leg(order_no(1)))
    subject.run(1_000)
    assert subject.standing() == set()
    subject.check()


def test_a_result_that_cannot_be_stored_is_not_told_until_it_is(subject: Bench) -> None:
    """Commit 3 fails twice: the lane hears nothing of paid before it is durable."""
    subject.pay(9)
    subject.run(1_000)
    name = subject.pay(1, deadline_ms=20_000)
    subject.run(10)
    subject.failing = 2
    subject.run(400)
    assert name not in subject.answers
    assert subject.state(1) == "sent"
    subject.run(3_500)
    assert answer(subject, name).state is OrderState.PAID
    subject.check()


def test_a_commit_that_succeeded_unheard_is_taken_up_again(subject: Bench) -> None:
    """Stored as sent, but the commit was reported as failed: no pay, closed in the end."""
    subject.run(10)
    subject.failing_unheard = 1
    name = subject.pay(1)
    subject.run(10)
    assert problem(subject, name) is ProblemCode.STORE_FAILED
    assert subject.state(1) == "sent"
    subject.run(HOUR_MS)
    assert subject.state(1) == "closed"
    assert subject.platform.count(CallKind.PAY) == 0
    subject.check()


def test_a_cancelled_order_that_was_never_there_is_closed_by_not_there(subject: Bench) -> None:
    """Cancel answers not there; the second query proves it."""
    subject.platform.script(CallKind.PAY, says(TIMEOUT, 60_000))
    subject.platform.always[CallKind.QUERY] = says(NotThere())
    subject.pay(1)
    subject.run(3_000)
    subject.cancel(1)
    subject.run(70_000)
    assert subject.state(1) == "closed"
    assert subject.platform.count(CallKind.CANCEL) == 1
