"""What legal moves make of an order: words, amounts, transfers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from plaza_server.rules.facts import CancelAsked, PayAnswered, QueryAnswered, RecordSaid
from plaza_server.rules.ledger import TransferKind, balances
from plaza_server.rules.orders import RecordMark, apply
from plaza_server.rules.outcomes import Closed, Evidence, Misconfigured, Unknown, Waiting
from tests.plaza_server.bench_platform import EPOCH_MS
from tests.plaza_server.plaza_bench import TOLL
from tests.plaza_server.rules.values import AT, FACTS, LATE, REFUSAL, E, S, order_in, paid, queried
from tolling.clock import beijing_digits
from tolling.orders import NextStep, OrderState, ReasonCode


def test_sending_writes_the_pending_transfer() -> None:
    """Commit 2: sent with its instant, and the amount reserved."""
    done = apply(order_in(S.CREATED), FACTS[E.SEND][0], at=AT)
    assert (done.order.sent_ms, done.order.pending) == (EPOCH_MS, True)
    (row,) = done.transfers
    assert (row.kind, row.amount_fen) == (TransferKind.PENDING, TOLL)


def test_a_capture_posts_the_pending_transfer() -> None:
    """The exact amount: posted; confirmed only where a query found it."""
    for fact, proven in (
        (PayAnswered(outcome=paid(), cancel_out=False), False),
        (queried(paid()), True),
    ):
        done = apply(order_in(S.WAITING, reason=ReasonCode.PASSWORD), fact, at=AT)
        assert [row.kind for row in done.transfers] == [TransferKind.POST]
        order = done.order
        assert (order.captured_fen, order.provider_txn_id, order.proven) == (TOLL, "T1", proven)
        assert (order.reason, order.next) == (ReasonCode.NONE, NextStep.WAIT)


def test_another_amount_voids_and_books_what_was_taken() -> None:
    """The pending amount is voided, the captured one goes to refund_due."""
    done = apply(order_in(S.UNKNOWN), queried(paid(7)), at=AT)
    kinds = [row.kind for row in done.transfers]
    assert kinds == [TransferKind.VOID, TransferKind.POSTED, TransferKind.POSTED]
    assert balances(done.transfers) == {"clearing:alipay": 7, "suspense": 0, "refund_due": -7}
    assert done.order.reason is ReasonCode.AMOUNT_MISMATCH


def test_a_capture_behind_a_void_is_booked_directly() -> None:
    """Refused voided the pending row; the money found later gets a row of its own."""
    refused = apply(order_in(S.SENT), PayAnswered(outcome=REFUSAL, cancel_out=False), at=AT)
    assert [row.kind for row in refused.transfers] == [TransferKind.VOID]
    done = apply(refused.order, queried(paid()), at=AT)
    assert [row.kind for row in done.transfers] == [TransferKind.POSTED]
    assert done.order.state is S.PAID


def test_a_close_voids_the_pending_transfer() -> None:
    """Proven absent: nothing is reserved any more."""
    done = apply(order_in(S.CLOSING), queried(Closed(), **LATE), at=AT)
    assert [row.kind for row in done.transfers] == [TransferKind.VOID]
    assert not done.order.pending


def test_a_proof_of_a_refusal_voids_nothing_twice() -> None:
    """The refusal ended the pending row already."""
    fact = queried(Closed(), since_sent_ms=60_000)
    done = apply(order_in(S.REFUSED), fact, at=AT)
    assert done.transfers == ()
    assert done.order.proven


@pytest.mark.parametrize("outcome", [Closed(refunded_fen=TOLL), paid(refunded_fen=TOLL)])
def test_money_taken_and_given_back_is_booked_both_ways(outcome: object) -> None:
    """The cancel met the payer: capture and refund are in the books, net zero."""
    fact = queried(outcome)  # type: ignore[arg-type]
    done = apply(order_in(S.CLOSING), fact, at=AT)
    assert (done.order.captured_fen, done.order.refunded_fen) == (TOLL, TOLL)
    assert set(balances(done.transfers).values()) == {0}


def test_a_cancel_that_gave_back_is_booked_even_where_the_query_is_silent_on_it() -> None:
    """The platform's query says only closed; the cancel had said it returned the money."""
    done = apply(order_in(S.CLOSING), queried(Closed(), gave_back=True), at=AT)
    assert (done.order.state, done.order.captured_fen) == (S.REFUNDED, TOLL)


def test_a_query_that_finds_an_owed_order_given_back_books_the_refund() -> None:
    """Closed with the whole amount returned: the refund is proven by that."""
    done = apply(order_in(S.REFUND_DUE), queried(Closed(refunded_fen=TOLL)), at=AT)
    assert done.order.refunded_fen == TOLL
    assert balances(done.transfers) == {"refund_due": TOLL, "clearing:alipay": -TOLL}


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (Evidence.TIMEOUT, ReasonCode.NO_ANSWER),
        (Evidence.NOT_SENT, ReasonCode.NO_ANSWER),
        (Evidence.HTTP_STATUS, ReasonCode.PLATFORM_TROUBLE),
        (Evidence.BAD_SIGNATURE, ReasonCode.BAD_ANSWER),
        (Evidence.FOREIGN, ReasonCode.BAD_ANSWER),
        (Evidence.GARBLED, ReasonCode.BAD_ANSWER),
        (Evidence.PLATFORM_UNSURE, ReasonCode.PLATFORM_TROUBLE),
    ],
)
def test_silence_has_a_reason(evidence: Evidence, reason: ReasonCode) -> None:
    """Unknown says why, never refused."""
    fact = PayAnswered(outcome=Unknown(evidence=evidence), cancel_out=False)
    order = apply(order_in(S.SENT), fact, at=AT).order
    assert (order.state, order.reason, order.next) == (S.UNKNOWN, reason, NextStep.WAIT)


def test_a_platform_that_refuses_us_sends_the_driver_elsewhere() -> None:
    """Unknown, and other tender at once."""
    fact = PayAnswered(outcome=Misconfigured(detail="x"), cancel_out=False)
    order = apply(order_in(S.SENT), fact, at=AT).order
    assert (order.state, order.next) == (S.UNKNOWN, NextStep.OTHER_TENDER)


def test_an_impossible_amount_proves_nothing() -> None:
    """A signed capture of nothing is no capture."""
    order = apply(order_in(S.SENT), PayAnswered(outcome=paid(0), cancel_out=False), at=AT).order
    assert (order.state, order.reason) == (S.UNKNOWN, ReasonCode.BAD_ANSWER)


@pytest.mark.parametrize(
    ("state", "why", "reason"),
    [
        (S.WAITING, ReasonCode.TIMED_OUT, ReasonCode.TIMED_OUT),
        (S.UNKNOWN, ReasonCode.TIMED_OUT, ReasonCode.NO_ANSWER),
        (S.UNKNOWN, ReasonCode.CANCELLED, ReasonCode.CANCELLED),
    ],
)
def test_a_cancel_keeps_the_cause(state: OrderState, why: ReasonCode, reason: ReasonCode) -> None:
    """An order nobody answered for keeps that reason when its limit ends it."""
    order = order_in(state, reason=ReasonCode.NO_ANSWER)
    done = apply(order, CancelAsked(reason=why), at=AT)
    assert (done.order.state, done.order.reason) == (S.CLOSING, reason)
    assert done.order.next is NextStep.OTHER_TENDER


@pytest.mark.parametrize(
    ("state", "event", "reason"),
    [
        (S.WAITING, E.ENDED, ReasonCode.TIMED_OUT),
        (S.WAITING, E.RECORD_OMITS, ReasonCode.CANCELLED),
        (S.SENT, E.TAKE_OVER, ReasonCode.NO_ANSWER),
        (S.CREATED, E.TAKE_OVER, ReasonCode.CANCELLED),
        (S.UNKNOWN, E.WAITS, ReasonCode.PASSWORD),
        (S.SENT, E.REFUSED, ReasonCode.BALANCE),
        (S.CREATED, E.TURN_DOWN, ReasonCode.PLATFORM_OFF),
    ],
)
def test_moves_without_money_have_their_words(
    state: OrderState, event: object, reason: ReasonCode
) -> None:
    """What a driver and a page are told of each."""
    done = apply(order_in(state), FACTS[event][0], at=AT)  # type: ignore[index]
    assert done.order.reason is reason


def test_a_code_turned_away_is_not_used_up() -> None:
    """The plaza refused by itself: no platform saw the code."""
    done = apply(order_in(S.CREATED), FACTS[E.TURN_DOWN][0], at=AT)
    assert (done.order.code_hash, done.order.proven) == (None, True)


def test_a_refund_keeps_its_number_and_ends_whole() -> None:
    """Stored before the call, booked when proven."""
    started = apply(order_in(S.REFUND_DUE), FACTS[E.REFUND_STARTED][0], at=AT).order
    assert started.out_refund_no is not None
    done = apply(started, FACTS[E.REFUND_PROVEN][0], at=AT)
    assert (done.order.refund_fen, done.order.state) == (0, S.REFUNDED)
    stuck = apply(started, FACTS[E.REFUND_REFUSED][0], at=AT)
    assert (stuck.order.state, stuck.order.refund_fen) == (S.REFUND_STUCK, TOLL)


def test_a_record_moves_a_paid_order_out_of_suspense() -> None:
    """Named: revenue; left out: refund_due."""
    named = apply(order_in(S.PAID), RecordSaid(leg_fen=TOLL), at=AT)
    assert balances(named.transfers) == {"suspense": TOLL, "revenue:alipay:310101": -TOLL}
    left = apply(order_in(S.PAID), RecordSaid(leg_fen=None), at=AT)
    assert balances(left.transfers) == {"suspense": TOLL, "refund_due": -TOLL}
    assert left.order.record is RecordMark.OMITTED


def test_a_confirming_query_changes_only_the_proof() -> None:
    """Paid stays paid; no second transfer."""
    fact: QueryAnswered = queried(paid())
    done = apply(order_in(S.PAID), fact, at=AT)
    assert done.order.proven
    assert done.transfers == ()


def test_what_is_only_accepted_asks_nothing_of_the_driver() -> None:
    """UnionPay's 00 says that it is at work, not that a password is wanted."""
    taken = PayAnswered(outcome=Waiting(accepted=True), cancel_out=False)
    done = apply(order_in(S.SENT), taken, at=AT)
    assert (done.order.state, done.order.reason) == (S.WAITING, ReasonCode.ACCEPTED)
    assert done.order.next is NextStep.WAIT


def test_a_refund_has_a_time_of_its_own() -> None:
    """Numbered days after the payment: its time is of that moment, stored with the number, and the
    same ever after."""
    later = replace(AT, wall_ms=AT.wall_ms + 3 * 86_400_000)
    begun = apply(order_in(S.REFUND_DUE), FACTS[E.REFUND_STARTED][0], at=later).order
    assert begun.refund_txn_time == begun.refund_time == beijing_digits(later.wall_ms)
    assert begun.refund_txn_time != begun.txn_time
    for fact in (FACTS[E.REFUND_OPEN][0], FACTS[E.REFUND_REFUSED][0]):
        after = apply(begun, fact, at=replace(later, wall_ms=later.wall_ms + 60_000)).order
        assert after.refund_txn_time == begun.refund_txn_time
    old = replace(begun, refund_time=None, captured_ms=AT.wall_ms)
    assert old.refund_txn_time == beijing_digits(AT.wall_ms)
