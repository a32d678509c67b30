"""Every platform's codec tells what its platform did: nothing more, nothing less, never an error.

One suite for all of them. What differs (a platform that answers pay at once or only accepts it, a
reverse that must wait 15 s) is what the plaza's rules are for; here it is waited for.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plaza_server.platforms.calls import HttpAnswer
from plaza_server.rules.calls import CallKind
from plaza_server.rules.outcomes import (
    CancelAgain,
    CancelDone,
    Closed,
    Evidence,
    Misconfigured,
    NotThere,
    Paid,
    PlatformOutcome,
    RefundDone,
    RefundRefused,
    Refused,
    Unknown,
    Waiting,
)
from simulator.models.faults import PlatformFault
from simulator.models.platform_values import BuyerBehaviour
from tests.conformance.platforms.rigs import RIGS, TOLL, AnOrder, Rig
from tolling.ids import OutTradeNo
from tolling.orders import NextStep, ReasonCode

F = PlatformFault


@pytest.fixture(params=sorted(RIGS))
def subject(request: pytest.FixtureRequest) -> Rig:
    """One platform's codec before its model."""
    return RIGS[request.param]()


@pytest.fixture(params=["alipay", "wechat", "unionpay"])
def common(request: pytest.FixtureRequest) -> Rig:
    """One of the platforms in its usual set-up, where the set-up makes no difference."""
    return RIGS[request.param]()


def cancelled(rig: Rig, order: AnOrder) -> PlatformOutcome:
    """Cancel until it is taken, as the resolver does: not at once, and again when told so."""
    outcome: PlatformOutcome = CancelAgain()
    for _ in range(20):
        outcome = rig.call(CallKind.CANCEL, order)
        if isinstance(outcome, (CancelDone, NotThere)):
            return outcome
        rig.turn(5_000)
    return outcome


# ---- pay and query ----


def test_a_payment_is_paid_with_its_facts(subject: Rig) -> None:
    """Pay says paid or accepted; the query tells amount, number and time, and the payer agrees."""
    order = subject.order()
    began_ms = subject.now_ms
    first = subject.pay(order)
    assert isinstance(first, (Paid, Waiting))
    paid = subject.settled(order)
    assert isinstance(paid, Paid)
    assert (paid.captured_fen, paid.refunded_fen) == (TOLL, 0)
    assert paid.provider_txn_id
    assert paid.paid_at_ms is not None
    assert began_ms - 1_000 <= paid.paid_at_ms <= subject.now_ms
    assert isinstance(first, Waiting) or first.captured_fen == TOLL
    assert subject.net_fen() == TOLL


def test_a_payment_waits_for_its_password(subject: Rig) -> None:
    """Not paid and not refused while the payer types, paid afterwards."""
    order = subject.order()
    assert isinstance(subject.pay(order, BuyerBehaviour.CONFIRMS, 5_000), Waiting)
    subject.turn(1_000)
    assert subject.call(CallKind.QUERY, order) == Waiting()
    subject.turn(5_000)
    assert isinstance(subject.settled(order), Paid)
    assert subject.net_fen() == TOLL


@pytest.mark.parametrize(
    ("behaviour", "reason", "step"),
    [
        (BuyerBehaviour.BALANCE_SHORT, ReasonCode.BALANCE, NextStep.OTHER_TENDER),
        (BuyerBehaviour.UNKNOWN_CODE, ReasonCode.CODE_INVALID, NextStep.NEW_CODE),
        (BuyerBehaviour.RISK_REFUSED, ReasonCode.RISK, NextStep.OTHER_TENDER),
    ],
)
def test_a_refusal_says_why_and_what_next(
    subject: Rig, behaviour: BuyerBehaviour, reason: ReasonCode, step: NextStep
) -> None:
    """A signed final refusal, or, where pay is only accepted, a query that says closed; the
    platform's books hold no money, now or later."""
    order = subject.order()
    first = subject.pay(order, behaviour)
    if first != Refused(reason=reason, next=step):
        assert isinstance(first, Waiting)
        assert subject.settled(order) == Closed()
    subject.turn(60_000)
    after = subject.call(CallKind.QUERY, order)
    assert isinstance(after, (NotThere, Closed, Waiting))
    assert after != Closed(refunded_fen=TOLL)
    assert subject.net_fen() == 0


def test_a_code_is_spent_once(subject: Rig) -> None:
    """A second order by the same code is refused."""
    first, second = subject.order(), subject.order()
    code = subject.code()
    subject.call(CallKind.PAY, first, code=code)
    assert isinstance(subject.settled(first), Paid)
    again = subject.call(CallKind.PAY, second, code=code)
    assert isinstance(again, (Refused, Unknown))
    assert not isinstance(subject.settled(second), Paid)
    assert subject.net_fen() == TOLL


def test_an_order_nobody_sent_is_not_there(subject: Rig) -> None:
    """The platform says so itself, signed; so does a probe."""
    order = subject.with_refund(subject.order(), TOLL)
    assert subject.call(CallKind.QUERY, order) == NotThere()
    assert subject.probe() == NotThere()
    missing = subject.call(CallKind.REFUND_QUERY, order)
    assert isinstance(missing, RefundRefused)
    assert not missing.final
    assert isinstance(subject.call(CallKind.CANCEL, order), (NotThere, CancelDone))


def test_another_amount_is_told_as_it_was_taken(subject: Rig) -> None:
    """The codec compares no amounts: the rules make a mismatch of it, and refund what was taken."""
    order = subject.order()
    subject.inject(F.CHARGED_WRONG, "pay", fen=7)
    subject.pay(order)
    paid = subject.settled(order)
    assert isinstance(paid, Paid)
    assert paid.captured_fen == TOLL + 7
    whole = subject.with_refund(
        replace(order, captured_fen=TOLL + 7, provider_txn_id=paid.provider_txn_id), TOLL + 7
    )
    subject.call(CallKind.REFUND, whole)
    assert subject.refunded(whole) == RefundDone(refunded_total_fen=TOLL + 7)
    assert subject.net_fen() == 0


# ---- cancel ----


def test_an_unpaid_order_is_closed_by_a_cancel(subject: Rig) -> None:
    """Taken sooner or later; then a query says closed, with nothing given back."""
    order = subject.order()
    subject.pay(order, BuyerBehaviour.NEVER_CONFIRMS)
    subject.turn(16_000)
    assert isinstance(cancelled(subject, order), CancelDone)
    subject.turn(1_000)
    assert subject.settled(order) in (Closed(), NotThere())
    assert subject.net_fen() == 0


def test_a_paid_order_is_given_back_by_a_cancel(subject: Rig) -> None:
    """The money is back, and no query calls the order paid or waiting any more."""
    order = subject.paid_order()
    subject.turn(16_000)
    done = cancelled(subject, order)
    assert isinstance(done, CancelDone)
    subject.turn(5_000)
    after = subject.settled(order)
    assert after == Closed(refunded_fen=TOLL)
    assert subject.net_fen() == 0


def test_a_cancel_that_lies_is_found_out_by_the_query(subject: Rig) -> None:
    """It says done and did nothing: the query still says paid."""
    order = subject.paid_order()
    subject.turn(16_000)
    subject.inject(F.CANCEL_LIES, "cancel")
    assert isinstance(subject.call(CallKind.CANCEL, order), CancelDone)
    assert isinstance(subject.settled(order), Paid)
    assert subject.net_fen() == TOLL


def test_a_refused_cancel_is_to_be_tried_again(subject: Rig) -> None:
    """Refused while the payer pays: neither done nor failed."""
    order = subject.order()
    subject.pay(order, BuyerBehaviour.NEVER_CONFIRMS)
    subject.turn(16_000)
    subject.inject(F.CANCEL_REFUSED, "cancel")
    assert isinstance(subject.call(CallKind.CANCEL, order), (CancelAgain, Unknown))


# ---- refunds ----


def test_a_refund_gives_back_the_whole_once(subject: Rig) -> None:
    """Asked for, proven by its query; asked for again it moves no more money."""
    order = subject.with_refund(subject.paid_order(), TOLL)
    first = subject.call(CallKind.REFUND, order)
    assert isinstance(first, (RefundDone, Unknown))
    assert subject.refunded(order) == RefundDone(refunded_total_fen=TOLL)
    again = subject.call(CallKind.REFUND, order)
    assert isinstance(again, (RefundDone, Unknown))
    assert subject.refunded(order) == RefundDone(refunded_total_fen=TOLL)
    assert subject.net_fen() == 0


def test_refunds_in_parts_give_back_their_parts(subject: Rig) -> None:
    """Two parts under two numbers; the payer has the sum back."""
    order = subject.paid_order()
    for number, part_fen in ((1, 1_000), (2, 550)):
        part = subject.with_refund(order, part_fen, number)
        assert isinstance(subject.call(CallKind.REFUND, part), (RefundDone, Unknown))
        done = subject.refunded(part)
        assert isinstance(done, RefundDone)
        assert done.refunded_total_fen >= part_fen
        subject.turn(61_000)
    after = subject.call(CallKind.QUERY, subject.with_refund(order, 550, 2))
    assert isinstance(after, Paid)
    assert after.captured_fen == TOLL
    assert subject.net_fen() == TOLL - 1_550


def test_a_refund_of_more_than_is_there_is_refused(subject: Rig) -> None:
    """No platform gives back what it never took."""
    order = subject.with_refund(subject.paid_order(), TOLL + 1)
    outcome = subject.call(CallKind.REFUND, order)
    assert not isinstance(outcome, RefundDone)
    assert not isinstance(subject.refunded(order, within_ms=10_000), RefundDone)
    assert subject.net_fen() == TOLL


# ---- what proves nothing ----


@pytest.mark.parametrize(
    "kind",
    [
        F.BAD_SIGNATURE,
        F.MISSING_SIGNATURE,
        F.SIGNATURE_PROBE,
        F.KEY_CHANGED,
        F.TRUNCATED,
        F.DUPLICATE_NODE,
        F.FOREIGN_ORDER,
        F.HTTP_5XX,
        F.HTTP_429,
        F.ANSWER_LOST,
        F.DROPPED_BEFORE,
        F.HALF_ANSWER,
    ],
)
@pytest.mark.parametrize("call", ["pay", "query", "cancel"])
def test_an_unprovable_answer_is_unknown(common: Rig, kind: PlatformFault, call: str) -> None:
    """Whatever was done behind it: not paid, not refused, not closed."""
    order = common.paid_order() if call != "pay" else common.order()
    common.turn(16_000)
    common.inject(kind, call)
    if call == "pay":
        assert isinstance(common.pay(order), Unknown)
    else:
        assert isinstance(common.call(CallKind(call), order), Unknown)


@pytest.mark.parametrize("call", ["pay", "query", "cancel", "refund", "refund_query"])
def test_a_platform_that_does_not_know_decides_nothing(subject: Rig, call: str) -> None:
    """Its own signed trouble: the order stays as it is, and is asked about again."""
    order = subject.paid_order()
    kind = CallKind(call)
    if kind in {CallKind.REFUND, CallKind.REFUND_QUERY}:
        order = subject.with_refund(order, TOLL)
        subject.call(CallKind.REFUND, order)
    subject.turn(16_000)
    subject.inject(F.GATEWAY_ERROR, call)
    outcome = subject.pay(subject.order()) if kind is CallKind.PAY else subject.call(kind, order)
    assert isinstance(outcome, (Unknown, CancelAgain))
    assert kind is CallKind.CANCEL or isinstance(outcome, Unknown)


@pytest.mark.parametrize("kind", [F.BAD_SIGNATURE, F.MISSING_SIGNATURE])
def test_a_forgery_is_told_apart_from_trouble(subject: Rig, kind: PlatformFault) -> None:
    """Nobody else may speak for the platform: that is an alarm."""
    order = subject.paid_order()
    subject.inject(kind, "query")
    outcome = subject.call(CallKind.QUERY, order)
    assert outcome == Unknown(evidence=Evidence.BAD_SIGNATURE)


@pytest.mark.parametrize("call", ["pay", "query", "refund_query"])
def test_a_signed_answer_about_another_order_is_nobodys(subject: Rig, call: str) -> None:
    """F9: another lane's number in a good answer. Unknown and an alarm, whatever it says; the
    next query about ours tells the truth."""
    kind = CallKind(call)
    order = subject.order() if kind is CallKind.PAY else subject.paid_order()
    if kind is CallKind.REFUND_QUERY:
        order = subject.with_refund(order, TOLL)
        subject.call(CallKind.REFUND, order)
        subject.turn(5_000)
    subject.inject(F.FOREIGN_ORDER, call)
    outcome = subject.pay(order) if kind is CallKind.PAY else subject.call(kind, order)
    assert outcome == Unknown(evidence=Evidence.FOREIGN)
    if kind is CallKind.REFUND_QUERY:
        assert isinstance(subject.refunded(order, within_ms=10_000), RefundDone)
    else:
        assert isinstance(subject.settled(order), Paid)
        assert subject.net_fen() == TOLL


def test_a_strangely_written_answer_is_still_the_platforms(subject: Rig) -> None:
    """Blanks, escapes and braces in texts are within the law: the raw bytes are verified."""
    order = subject.paid_order()
    subject.inject(F.AWKWARD_JSON, "query")
    assert isinstance(subject.call(CallKind.QUERY, order), Paid)


def test_what_looks_like_our_own_fault_suspends_and_decides_nothing(subject: Rig) -> None:
    """An unsigned configuration error is never about money."""
    order = subject.paid_order()
    subject.inject(F.UNSIGNED_ERROR, "query")
    assert isinstance(subject.call(CallKind.QUERY, order), (Misconfigured, Unknown))


def test_a_key_the_platform_does_not_know_is_our_own_fault(subject: Rig) -> None:
    """The self-test finds it, and says so."""
    assert isinstance(subject.probe(subject.stranger), Misconfigured)


@pytest.mark.parametrize("kind", [CallKind.PAY, CallKind.QUERY, CallKind.CANCEL, CallKind.REFUND])
def test_an_answer_about_another_order_proves_nothing(subject: Rig, kind: CallKind) -> None:
    """A proxy that mixes up its callers pays nobody's toll."""
    other = subject.paid_order()
    if kind is CallKind.PAY:
        unpaid = subject.order()
        subject.pay(unpaid)
    elif kind is CallKind.REFUND:
        subject.call(kind, subject.with_refund(other, TOLL))
    else:
        subject.turn(16_000)
        subject.call(kind, other)
    mine = replace(
        subject.with_refund(other, TOLL), out_trade_no=OutTradeNo("330101001001999999999A01")
    )
    mine = replace(mine, out_refund_no=subject.with_refund(mine, TOLL).out_refund_no)
    outcome = subject.codec.read(kind, mine, subject.kept[-1], now_ms=subject.now_ms)
    assert outcome == Unknown(evidence=Evidence.FOREIGN)


# ---- garbage ----

STATUS = st.sampled_from([100, 200, 200, 202, 204, 302, 400, 401, 404, 429, 500, 503])
NOT_PROVEN = (Unknown, Misconfigured)
CODECS = {name: rig() for name, rig in RIGS.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(RIGS))
@given(
    kind=st.sampled_from(CallKind),
    status=STATUS,
    headers=st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=4),
    body=st.binary(max_size=400),
)
def test_garbage_never_raises_and_proves_nothing(
    name: str, kind: CallKind, status: int, headers: list[tuple[str, str]], body: bytes
) -> None:
    """Any status, any headers, any bytes."""
    rig = CODECS[name]
    order = rig.with_refund(rig.order(), TOLL)
    answer = HttpAnswer(status=status, headers=tuple(headers), body=body)
    assert isinstance(rig.codec.read(kind, order, answer, now_ms=rig.now_ms), NOT_PROVEN)
    assert isinstance(rig.codec.read_probe(answer, now_ms=rig.now_ms), NOT_PROVEN)


@pytest.fixture(scope="module", params=sorted(RIGS))
def genuine(request: pytest.FixtureRequest) -> tuple[Rig, AnOrder, dict[CallKind, HttpAnswer]]:
    """One genuine answer to every kind of call."""
    rig = RIGS[request.param]()
    order = rig.order()
    rig.pay(order)
    answers = {CallKind.PAY: rig.kept[-1]}
    paid = rig.settled(order)
    assert isinstance(paid, Paid)
    order = replace(order, captured_fen=TOLL, provider_txn_id=paid.provider_txn_id)
    answers[CallKind.QUERY] = rig.kept[-1]
    order = rig.with_refund(order, 100)
    rig.call(CallKind.REFUND, order)
    answers[CallKind.REFUND] = rig.kept[-1]
    rig.refunded(order)
    answers[CallKind.REFUND_QUERY] = rig.kept[-1]
    cancelled(rig, rig.order())
    answers[CallKind.CANCEL] = rig.kept[-1]
    return rig, order, answers


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(CallKind),
    at=st.integers(min_value=0, max_value=10_000),
    byte=st.integers(min_value=0, max_value=255),
    cut=st.booleans(),
)
def test_a_damaged_answer_never_becomes_another_one(
    genuine: tuple[Rig, AnOrder, dict[CallKind, HttpAnswer]],
    kind: CallKind,
    at: int,
    byte: int,
    cut: bool,
) -> None:
    """One byte changed or the end missing: what it was, or nothing."""
    rig, order, answers = genuine
    whole = answers[kind]
    body = bytearray(whole.body)
    at %= len(body)
    body[at] = byte
    damaged = replace(whole, body=bytes(body[:at] if cut else body))
    now_ms = rig.now_ms
    before = rig.codec.read(kind, order, whole, now_ms=now_ms)
    after = rig.codec.read(kind, order, damaged, now_ms=now_ms)
    assert after == before or isinstance(after, NOT_PROVEN)
