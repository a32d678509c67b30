"""Orders as values: built whole before any call, answered without secrets."""

from __future__ import annotations

from dataclasses import replace

from plaza_server.rules.orders import answer_of, new_order, request_digest, tombstone
from tests.plaza_server.bench_platform import EPOCH_MS
from tests.plaza_server.plaza_bench import KEY, LANE, TOLL, code, request
from tests.plaza_server.rules.values import AT, NUMBER, S, fresh, order_in
from tolling.clock import beijing_digits
from tolling.ids import BootId
from tolling.orders import NextStep, OrderState


def test_a_new_order_has_every_number_its_platform_needs() -> None:
    """Number, amount, subject and txnTime are fixed before the call; the code is a hash."""
    subject = fresh()
    assert subject.out_trade_no == NUMBER
    assert subject.txn_time == beijing_digits(EPOCH_MS)
    assert subject.subject == "东站 通行费 沪A12345 1型"
    assert subject.code_hash == code(1).ref(KEY).keyed_hash
    assert code(1).reveal() not in repr(subject)


def test_a_subject_is_cut_and_needs_no_plate() -> None:
    """A long plaza name never makes a payment fail."""
    made = new_order(
        request(1, plate=None),
        code(1).ref(KEY),
        platform="alipay",
        plaza_name="长" * 200,
        owner=BootId("b"),
        lease_until_ms=0,
        at=AT,
    )
    assert len(made.subject) == 128


def test_a_digest_covers_all_but_the_lanes_patience() -> None:
    """Amount, code, tariff, plate: other content; deadline_ms: the same."""
    ref = code(1).ref(KEY)
    base = request_digest(request(1), ref)
    assert request_digest(request(1, deadline_ms=9_999), ref) == base
    others = (
        request_digest(request(1, toll_fen=TOLL + 1), ref),
        request_digest(request(1, plate=None), ref),
        request_digest(request(1, tariff_row=2), ref),
        request_digest(request(1), code(2).ref(KEY)),
    )
    assert len({base, *others}) == 5


def test_a_tombstone_is_closed_and_holds_nothing() -> None:
    """It only keeps its number from ever being used."""
    made = tombstone(NUMBER, LANE, owner=BootId("b"), at=AT)
    assert made.is_tombstone
    assert (made.state, made.toll_fen, made.code_hash) == (S.CLOSED, 0, None)
    assert not fresh().is_tombstone


def test_an_answer_says_when_to_ask_again_only_while_closing() -> None:
    """retry_after_ms belongs to closing."""
    for state in OrderState:
        said = answer_of(order_in(state), retry_after_ms=500)
        assert said.retry_after_ms == (500 if state is S.CLOSING else None)
        assert said.state is state
        assert said.next is NextStep.WAIT


def test_what_is_to_be_given_back_is_what_is_left() -> None:
    """Captured less refunded."""
    assert replace(order_in(S.REFUNDING), refunded_fen=50).refund_fen == TOLL - 50
    assert order_in(S.SENT).is_open
    assert not order_in(S.PAID).is_open
