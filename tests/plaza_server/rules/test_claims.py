"""Claims as values: what each fact makes of one, and what it books."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from plaza_server.rules import claims as subject
from plaza_server.rules.claims import Claim, ClaimAnswered, ClaimStarted, ClaimState
from plaza_server.rules.ledger import balances
from plaza_server.rules.outcomes import Evidence, RefundDone, RefundRefused, Unknown
from tests.plaza_server.bench_platform import EPOCH_MS
from tests.plaza_server.plaza_bench import LANE, TOLL, passage
from tests.plaza_server.rules.values import AT, NUMBER, order_in
from tolling.clock import beijing_digits
from tolling.ids import BootId, make_out_refund_no
from tolling.orders import OrderState

S = ClaimState
REFUND = make_out_refund_no(NUMBER, 2)


def claim(state: ClaimState = S.ASKED, **changes: Any) -> Claim:
    """Return a phone claim as it would stand in *state*."""
    made = Claim(
        claim_id=f"{passage(1)}C01",
        request_id="request-1",
        request_digest="d",
        passage_id=passage(1),
        lane_id=LANE,
        leg=1,
        out_trade_no=NUMBER,
        platform="alipay",
        revenue="revenue:alipay:310101",
        amount_fen=1_000,
        reason="charged for the wrong class",
        asked_by="li",
        asked_ms=1,
        decided_by=None,
        decided_ms=None,
        decision="",
        paid_by=None,
        ended_ms=None,
        out_refund_no=None,
        state=state,
        owner=BootId("b"),
        lease_until_ms=0,
        version=1,
    )
    if state not in {S.ASKED, S.REFUSED}:
        made = replace(made, out_refund_no=REFUND, decided_by="wang", decided_ms=EPOCH_MS)
    return replace(made, **changes)


def cash(state: ClaimState = S.ASKED) -> Claim:
    """Return a cash claim."""
    return claim(
        state, out_trade_no=None, platform="", out_refund_no=None, revenue="revenue:cash:310101"
    )


DONE = RefundDone(refunded_total_fen=1_000)
FINAL = RefundRefused(detail="x", final=True)


def test_approval_makes_the_money_due_with_a_number() -> None:
    """Revenue to refund_due, in the commit that stores the refund's number and who said so."""
    done = subject.approved(claim(), "wang", out_refund_no=REFUND, at=AT)
    assert (done.claim.state, done.claim.decided_by) == (S.APPROVED, "wang")
    assert (done.claim.out_refund_no, done.claim.version) == (REFUND, 2)
    assert balances(done.transfers) == {"revenue:alipay:310101": 1_000, "refund_due": -1_000}
    assert done.claim.needs_work


def test_a_refused_claim_never_moved_anything() -> None:
    """It ends with who and why."""
    done = subject.refused(claim(), "wang", "no reason", at=AT)
    assert (done.claim.state, done.claim.decision) == (S.REFUSED, "no reason")
    assert (done.transfers, done.claim.needs_work) == ((), False)


def test_cash_is_paid_out_of_the_lanes_drawer_by_a_persons_word() -> None:
    """The engine has nothing to do with it."""
    due = subject.approved(cash(), "wang", out_refund_no=None, at=AT)
    assert not due.claim.needs_work
    done = subject.paid_out(due.claim, "li", at=AT)
    assert (done.claim.state, done.claim.paid_by) == (S.PAID_OUT, "li")
    rows = (*due.transfers, *done.transfers)
    assert balances(rows) == {
        "revenue:cash:310101": 1_000,
        "refund_due": 0,
        "cash_lane:001": -1_000,
    }


@pytest.mark.parametrize(
    ("state", "outcome", "by_query", "to"),
    [
        (S.SENDING, DONE, True, S.REFUNDED),
        (S.STUCK, DONE, True, S.REFUNDED),
        (S.SENDING, DONE, False, S.SENDING),
        (S.SENDING, RefundDone(refunded_total_fen=999), True, S.SENDING),
        (S.SENDING, FINAL, False, S.STUCK),
        (S.SENDING, FINAL, True, S.SENDING),
        (S.STUCK, FINAL, False, S.STUCK),
        (S.SENDING, RefundRefused(detail="x", final=False), False, S.SENDING),
        (S.SENDING, Unknown(evidence=Evidence.TIMEOUT), True, S.SENDING),
        (S.REFUNDED, FINAL, False, S.REFUNDED),
        (S.ASKED, DONE, True, S.ASKED),
    ],
)
def test_only_a_query_proves_a_refund(
    state: ClaimState, outcome: Any, by_query: bool, to: ClaimState
) -> None:
    """Whatever else an answer says, the claim stays and nothing is booked."""
    before = claim(state)
    fact = ClaimAnswered(outcome=outcome, by_query=by_query)
    done = subject.apply_claim(before, fact, at=AT)
    assert done.claim.state is to
    assert (done.claim == before) is (to is state)
    if to is S.REFUNDED and state is not to:
        assert balances(done.transfers) == {"refund_due": 1_000, "clearing:alipay": -1_000}
        assert [note.raised for note in done.alarms] == [False]
        assert done.claim.ended_ms == AT.wall_ms
    else:
        assert done.transfers == ()
        assert [note.raised for note in done.alarms] == ([True] if to is not state else [])


@pytest.mark.parametrize("state", S)
def test_a_claim_is_started_once(state: ClaimState) -> None:
    """From approved to sending; from elsewhere it changes nothing."""
    before = claim(state)
    done = subject.apply_claim(before, ClaimStarted(), at=AT)
    assert done.claim.state is (S.SENDING if state is S.APPROVED else state)
    assert done.transfers == ()


def test_a_platform_sees_the_order_with_the_claims_number_and_amount() -> None:
    """The whole capture stays as it is: some platforms ask for it."""
    order = order_in(OrderState.PAID)
    seen = subject.refund_order(order, claim(S.SENDING))
    assert (seen.out_refund_no, seen.refund_fen) == (REFUND, 1_000)
    assert (seen.captured_fen, seen.out_trade_no) == (TOLL, NUMBER)
    assert seen.refund_txn_time == beijing_digits(EPOCH_MS)


def test_two_requests_are_the_same_by_all_they_ask() -> None:
    """Receipt, leg, amount and reason."""
    one = subject.ask_digest("1", None, 5, "r")
    assert one == subject.ask_digest("1", None, 5, "r")
    others = {
        subject.ask_digest("2", None, 5, "r"),
        subject.ask_digest("1", 1, 5, "r"),
        subject.ask_digest("1", None, None, "r"),
        subject.ask_digest("1", None, 5, "s"),
    }
    assert len(others | {one}) == 5


def test_two_people_are_wanted_above_the_limit() -> None:
    """At the limit one is enough."""
    assert not subject.wants_two(5_000, 5_000)
    assert subject.wants_two(5_001, 5_000)
