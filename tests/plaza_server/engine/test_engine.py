"""Payments, duplicates and records through the plaza's engine and store, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from plaza_server.engine import CallKind, ProblemCode, RecordsUploaded
from tests.plaza_server.bench_platform import waits
from tests.plaza_server.plaza_bench import (
    CASH_LEG,
    TOLL,
    Bench,
    Chain,
    answer,
    order_no,
    passage,
    phone_leg,
    problem,
    record,
)
from tolling.ids import LaneId
from tolling.messages import RecordsUpload
from tolling.orders import NextStep, OrderState, ReasonCode

HOUR_MS = 3_600_000


@pytest.fixture
def subject() -> Bench:
    """A plaza process on a fresh store."""
    return Bench()


def test_a_payment_is_paid_and_becomes_revenue_with_its_record(subject: Bench) -> None:
    """Pay, answer paid, confirm by a query within 60 s, record names it: revenue."""
    name = subject.pay(1)
    assert subject.platform.calls == [], "pay was sent before its order was committed"
    subject.run(1_000)
    said = answer(subject, name)
    assert (said.state, said.captured_fen, said.next) == (OrderState.PAID, TOLL, NextStep.WAIT)
    assert subject.balances() == {"clearing:alipay": TOLL, "suspense": -TOLL}
    subject.run(59_000)
    assert subject.order(1).proven
    subject.seal_and_upload(1, phone_leg(order_no(1)))
    subject.run(1_000)
    assert subject.balances() == {"clearing:alipay": TOLL, "revenue:alipay:310101": -TOLL}
    subject.run(48 * HOUR_MS)
    assert subject.platform.count(CallKind.QUERY) == 1
    subject.check()


def test_the_answer_leaves_only_behind_its_commit(subject: Bench) -> None:
    """The platform's answer is committed before the lane hears of it."""
    subject.commit_ms = 200
    name = subject.pay(1)
    subject.run(200 + 300 + 199)
    assert name not in subject.answers
    subject.run(1)
    assert answer(subject, name).state is OrderState.PAID


def test_a_cancel_of_a_paid_order_answers_paid(subject: Bench) -> None:
    """Paid by phone: give the cash back."""
    subject.pay(1)
    subject.run(1_000)
    name = subject.cancel(1)
    subject.run(100)
    assert answer(subject, name).state is OrderState.PAID
    assert subject.platform.count(CallKind.CANCEL) == 0


def test_a_number_cancelled_before_its_post_never_reaches_a_platform(subject: Bench) -> None:
    """A tombstone: the late POST is answered closed and its code is dropped."""
    name = subject.cancel(1)
    subject.run(10)
    assert answer(subject, name).state is OrderState.CLOSED
    late = subject.pay(1)
    subject.run(HOUR_MS)
    assert answer(subject, late).state is OrderState.CLOSED
    assert subject.platform.calls == []
    assert subject.forgotten == [late]


def test_a_post_behind_its_passages_record_never_reaches_a_platform(subject: Bench) -> None:
    """The lane is done with the vehicle: a late POST is closed."""
    subject.seal_and_upload(1, CASH_LEG)
    subject.run(10)
    late = subject.pay(1)
    subject.run(1_000)
    assert answer(subject, late).state is OrderState.CLOSED
    assert subject.platform.calls == []
    subject.check()


def test_the_same_post_again_gets_the_same_answer(subject: Bench) -> None:
    """A repeated POST joins the first one; pay is sent once, with the first one's code."""
    first = subject.pay(1)
    second = subject.pay(1)
    subject.run(1_000)
    third = subject.pay(1)
    subject.run(1_000)
    assert answer(subject, first) == answer(subject, second) == answer(subject, third)
    assert subject.platform.count(CallKind.PAY) == 1
    assert subject.spent == [first]
    assert subject.forgotten == [second, third]


def test_the_same_number_with_other_content_is_a_conflict(subject: Bench) -> None:
    """Another amount or another code under one number: 409, and the first goes on."""
    first = subject.pay(1)
    other = subject.pay(1, toll_fen=TOLL + 1)
    swapped = subject.pay(1, digits=77)
    subject.run(1_000)
    for name in (other, swapped):
        assert problem(subject, name) is ProblemCode.CONFLICT
    assert answer(subject, first).state is OrderState.PAID
    assert subject.spent == [first]


def test_a_longer_wait_is_no_other_content(subject: Bench) -> None:
    """deadline_ms says how long the lane waits, not what it wants."""
    subject.pay(1)
    again = subject.pay(1, deadline_ms=9_000)
    subject.run(1_000)
    assert answer(subject, again).state is OrderState.PAID


def test_one_code_pays_one_order(subject: Bench) -> None:
    """The previous car's code is refused by the plaza itself, in whichever lane it comes."""
    subject.pay(1, digits=5)
    name = subject.pay(2, digits=5)
    subject.run(1_000)
    said = answer(subject, name)
    assert (said.state, said.reason_code) == (OrderState.REFUSED, ReasonCode.CODE_USED)
    assert said.next is NextStep.NEW_CODE
    assert subject.platform.count(CallKind.PAY) == 1
    subject.check()


def test_at_most_two_orders_of_a_passage_are_open(subject: Bench) -> None:
    """A third tender may not begin while two are undecided."""
    subject.platform.always[CallKind.PAY] = waits
    subject.pay(1, 1)
    subject.pay(1, 2)
    name = subject.pay(1, 3)
    subject.run(1_000)
    assert problem(subject, name) is ProblemCode.TOO_MANY_OPEN


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"passage_id": passage(1, epoch=2)}, ProblemCode.WRONG_EPOCH),
        ({"lane_id": LaneId("002")}, ProblemCode.BAD_REQUEST),
        (
            {"lane_id": LaneId("002"), "passage_id": passage(1, lane=LaneId("002"))},
            ProblemCode.UNKNOWN_LANE,
        ),
    ],
)
def test_a_payment_from_elsewhere_is_refused(
    subject: Bench, changes: dict[str, Any], wanted: ProblemCode
) -> None:
    """Lane, plaza and epoch of a passage must be this plaza's and present."""
    name = subject.pay(1, **changes)
    subject.run(1_000)
    assert problem(subject, name) is wanted
    assert subject.platform.calls == []
    assert subject.forgotten == [name]


def test_a_failed_commit_promises_nothing(subject: Bench) -> None:
    """The store is full: 503, no pay is sent, the code is dropped."""
    subject.run(10)
    subject.failing = 1
    name = subject.pay(1)
    subject.run(1_000)
    assert problem(subject, name) is ProblemCode.STORE_FAILED
    assert subject.platform.calls == []
    assert subject.forgotten == [name]


def test_records_are_refused_from_a_lane_nobody_knows(subject: Bench) -> None:
    """No lane, no chain."""
    lane = LaneId("009")
    sealed = Chain(lane).seal(record(1, legs=(CASH_LEG,), lane=lane))
    subject.give(
        RecordsUploaded(
            request_id="r",
            lane_id=lane,
            upload=RecordsUpload(records=(sealed,)),
            **subject.moment,
        )
    )
    subject.run(10)
    assert problem(subject, "r") is ProblemCode.UNKNOWN_LANE
