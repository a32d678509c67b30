"""What each fact does to a payment order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from plaza_server.rules.facts import (
    PayAnswered,
    QueryAnswered,
    RecordSaid,
    RefundAnswered,
)
from plaza_server.rules.ledger import balances
from plaza_server.rules.order_table import TABLE, Go, Illegal, OrderEvent
from plaza_server.rules.orders import (
    DifferenceKind,
    RecordMark,
    Verdict,
    apply,
    event_of,
    needs_work,
)
from plaza_server.rules.outcomes import (
    Closed,
    Misconfigured,
    NotThere,
    RefundDone,
    RefundRefused,
    Waiting,
)
from tests.plaza_server.plaza_bench import TOLL
from tests.plaza_server.rules.values import (
    AT,
    FACTS,
    LATE,
    REFUSAL,
    SILENCE,
    order_in,
    paid,
    queried,
)
from tolling.alarms import AlarmCode
from tolling.orders import CAPTURED_STATES, OPEN_STATES, OrderState

E, S = OrderEvent, OrderState
MARKS = list(RecordMark)


@pytest.mark.parametrize("state", list(OrderState))
@pytest.mark.parametrize("event", list(OrderEvent))
def test_apply_does_what_the_table_says(state: OrderState, event: OrderEvent) -> None:
    """Every fact in every state and with every record mark: total, and as the table has it."""
    fact, mark = FACTS[event]
    for each in dict.fromkeys((mark, *MARKS)):
        order = order_in(state, record=each)
        done = apply(order, fact, at=AT)
        rule = TABLE[state, done.event]
        if isinstance(rule, Go):
            assert done.verdict is Verdict.MOVED
            assert done.order.state is rule.to
        else:
            assert done.order.state is state
            assert done.why == rule.why
            assert done.transfers == ()
        illegal = isinstance(rule, Illegal)
        raised = {note.code for note in done.alarms if note.raised}
        assert (done.verdict is Verdict.ILLEGAL) is illegal
        assert (AlarmCode.ILLEGAL_EVENT in raised) is illegal
        assert (done.order.version == order.version + 1) is (done.order != order)
        assert done.order.owner == order.owner


@pytest.mark.parametrize("event", list(OrderEvent))
def test_every_event_arises(event: OrderEvent) -> None:
    """There is a state in which the fact of this event is classed as it."""
    fact, mark = FACTS[event]
    found = {event_of(order_in(state, record=mark), fact) for state in OrderState}
    assert event in found


@pytest.mark.parametrize(
    ("state", "fact", "event"),
    [
        (S.SENT, PayAnswered(outcome=paid(), cancel_out=False), E.CAPTURED),
        (S.SENT, PayAnswered(outcome=paid(TOLL - 1), cancel_out=False), E.NO_PROOF),
        (S.CLOSING, PayAnswered(outcome=paid(TOLL + 1), cancel_out=False), E.NO_PROOF),
        (S.REFUSED, PayAnswered(outcome=paid(TOLL + 1), cancel_out=False), E.CAPTURED_OTHER),
        (S.UNKNOWN, queried(paid(TOLL - 1)), E.CAPTURED_OTHER),
        (S.SENT, PayAnswered(outcome=paid(0), cancel_out=False), E.NO_PROOF),
        (S.SENT, PayAnswered(outcome=Waiting(), cancel_out=False), E.WAITS),
        (S.SENT, PayAnswered(outcome=SILENCE, cancel_out=False), E.NO_PROOF),
        (S.SENT, PayAnswered(outcome=Misconfigured(detail="x"), cancel_out=False), E.NO_PROOF),
        (S.CLOSING, PayAnswered(outcome=paid(), cancel_out=True), E.CAPTURE_UNSETTLED),
        (S.CLOSING, queried(paid(TOLL + 1), cancel_out=True), E.CAPTURE_UNSETTLED),
        (S.UNKNOWN, queried(paid(refunded_fen=TOLL)), E.GAVE_BACK),
        (S.PAID, queried(paid(), cancel_out=True), E.CAPTURED),
        (S.REFUNDING, queried(paid()), E.CAPTURED),
        (S.PAID, queried(paid(TOLL + 1)), E.CAPTURED_OTHER),
        (S.UNKNOWN, queried(SILENCE), E.NO_PROOF),
        (S.UNKNOWN, queried(Misconfigured(detail="x")), E.NO_PROOF),
        (S.CLOSING, queried(Closed(), gave_back=True), E.GAVE_BACK),
        (S.CLOSING, queried(NotThere(), **LATE), E.ABSENT_PROVEN),
        (S.CLOSING, queried(NotThere(), **{**LATE, "since_sent_ms": 59_999}), E.NOT_THERE),
        (S.CLOSING, queried(NotThere(), **{**LATE, "cancelled": False}), E.NOT_THERE),
        (S.CLOSING, queried(NotThere(), **{**LATE, "absent_before": False}), E.NOT_THERE),
        (S.CLOSING, queried(Closed(), **{**LATE, "cancelled": False}), E.ABSENT_PROVEN),
        (S.CLOSING, queried(Closed()), E.ENDED),
        (S.REFUSED, queried(NotThere(), since_sent_ms=60_000), E.ABSENT_PROVEN),
        (S.REFUSED, queried(NotThere(), since_sent_ms=59_999), E.NOT_THERE),
        (S.UNKNOWN, queried(NotThere(), **LATE), E.NOT_THERE),
        (
            S.REFUNDING,
            RefundAnswered(outcome=RefundDone(refunded_total_fen=TOLL), by_query=False),
            E.REFUND_OPEN,
        ),
        (
            S.REFUNDING,
            RefundAnswered(outcome=RefundDone(refunded_total_fen=TOLL - 1), by_query=True),
            E.REFUND_OPEN,
        ),
        (
            S.REFUNDING,
            RefundAnswered(outcome=RefundRefused(detail="x", final=False), by_query=False),
            E.REFUND_OPEN,
        ),
        (
            S.REFUNDING,
            RefundAnswered(outcome=RefundRefused(detail="x", final=True), by_query=True),
            E.REFUND_OPEN,
        ),
    ],
)
def test_facts_are_classed_by_amount_time_and_proof(
    state: OrderState, fact: Any, event: OrderEvent
) -> None:
    """The comparisons that decide what an answer is."""
    assert event_of(order_in(state), fact) is event


def test_a_record_marks_the_order_whatever_the_table_says() -> None:
    """A capture found later goes where the record said, also from an illegal pair."""
    for state in OrderState:
        for leg, mark in ((TOLL, RecordMark.NAMED), (None, RecordMark.OMITTED)):
            done = apply(order_in(state), RecordSaid(leg_fen=leg), at=AT)
            assert done.order.record is mark


def test_a_named_order_captured_later_goes_to_revenue() -> None:
    """A record named it before the plaza knew: the capture heals that."""
    order = order_in(S.UNKNOWN)
    named = apply(order, RecordSaid(leg_fen=TOLL), at=AT)
    assert named.verdict is Verdict.ILLEGAL
    assert named.difference is not None
    assert named.difference.kind is DifferenceKind.NOT_CAPTURED
    late = apply(named.order, queried(paid()), at=AT)
    assert late.order.state is S.PAID
    assert balances(late.transfers) == {
        "clearing:alipay": TOLL,
        "suspense": 0,
        "revenue:alipay:310101": -TOLL,
    }


@pytest.mark.parametrize(
    ("state", "leg", "kind"),
    [
        (S.CLOSED, TOLL, DifferenceKind.NOT_CAPTURED),
        (S.REFUNDED, TOLL, DifferenceKind.GIVEN_BACK),
        (S.MISMATCH, TOLL, DifferenceKind.GIVEN_BACK),
        (S.PAID, TOLL - 1, DifferenceKind.AMOUNT),
        (S.PAID, TOLL, None),
        (S.CLOSED, None, None),
    ],
)
def test_a_record_that_does_not_fit_is_kept_as_a_difference(
    state: OrderState, leg: int | None, kind: DifferenceKind | None
) -> None:
    """What the record says and what the order holds are kept side by side."""
    done = apply(order_in(state), RecordSaid(leg_fen=leg), at=AT)
    assert (done.difference.kind if done.difference else None) is kind


@pytest.mark.parametrize(
    "fact", [queried(Closed(refunded_fen=TOLL)), queried(paid(TOLL + 1)), queried(NotThere())]
)
def test_signed_answers_that_contradict_each_other_are_a_difference(fact: QueryAnswered) -> None:
    """Paid was signed before: the order stays paid, an alarm is given, the difference is kept."""
    done = apply(order_in(S.PAID), fact, at=AT)
    assert done.order.state is S.PAID
    assert done.difference is not None
    assert done.difference.kind is DifferenceKind.PLATFORM


def test_a_contradiction_that_is_no_answer_of_money_is_no_difference() -> None:
    """A refusal behind a capture is an alarm only."""
    done = apply(order_in(S.PAID), PayAnswered(outcome=REFUSAL, cancel_out=False), at=AT)
    assert done.verdict is Verdict.ILLEGAL
    assert done.difference is None


def test_alarms_of_an_order_are_cleared_when_it_is_given_back() -> None:
    """refund_stuck and amount_mismatch end with the refund."""
    fact = RefundAnswered(outcome=RefundDone(refunded_total_fen=TOLL), by_query=True)
    done = apply(order_in(S.REFUND_STUCK), fact, at=AT)
    cleared = {note.code for note in done.alarms if not note.raised}
    assert cleared == {AlarmCode.REFUND_STUCK, AlarmCode.AMOUNT_MISMATCH}


def test_an_order_given_back_is_not_called_stuck_by_a_late_answer() -> None:
    """A refusal that arrives behind the proof raises nothing."""
    fact = RefundAnswered(outcome=RefundRefused(detail="x", final=True), by_query=False)
    done = apply(order_in(S.REFUNDED), fact, at=AT)
    assert not any(note.raised for note in done.alarms)


@pytest.mark.parametrize("state", list(OrderState))
def test_work_ends_only_when_money_and_proof_are_at_rest(state: OrderState) -> None:
    """Open, unproven, without record or to be given back: somebody has to go on (M2)."""
    order = order_in(state, proven=True, record=RecordMark.NAMED)
    at_rest = {S.PAID, S.REFUSED, S.CLOSED, S.REFUNDED}
    assert needs_work(order) is (state not in at_rest)
    unproven = replace(order, proven=False)
    assert needs_work(unproven) is (state not in {S.CLOSED, S.REFUNDED})
    assert needs_work(replace(order, record=RecordMark.NONE)) is (
        state not in at_rest or state is S.PAID
    )


def test_open_and_captured_states_never_overlap() -> None:
    """An undecided order holds no money."""
    assert OPEN_STATES.isdisjoint(CAPTURED_STATES)
