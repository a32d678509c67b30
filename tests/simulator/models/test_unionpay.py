"""The simulated UnionPay gateway: signed pairs, payment, query, reversal, refund."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from simulator.models.platform_values import BuyerBehaviour
from simulator.models.platform_wire import HttpRequest
from simulator.models.unionpay_values import UnionpayState
from tests.simulator.models.unionpay_merchant import (
    BACK,
    DAY,
    NUMBER,
    QUERY,
    STRANGER,
    T0,
    Merchant,
    S,
    taken_apart,
)

REFUND = {"orderId": NUMBER + "R01", "txnTime": "20261122080100"}


@pytest.fixture
def subject() -> Merchant:
    """A merchant with a gateway of its own."""
    return Merchant()


def code_of(
    subject: Merchant,
    behaviour: BuyerBehaviour = BuyerBehaviour.PAYS,
    *,
    at_ns: int = T0,
    **more: Any,
) -> str:
    """Return a fresh code."""
    return subject.platform.issue_code("driver-1", at_ns, behaviour, **more).code


def captured(subject: Merchant, at_ns: int) -> list[tuple[int, int]]:
    """Return what the books took and gave back, payment by payment."""
    return [(one.captured_fen, one.refunded_fen) for one in subject.platform.books(at_ns)]


def test_a_payment_is_accepted_and_decided_behind_the_answer(subject: Merchant) -> None:
    """00 says accepted; the query says 05, then 00 with amount, number and time."""
    code = code_of(subject)
    assert (len(code), code[:2]) == (19, "62")
    accepted = subject.pay(code)
    assert (accepted["respCode"], accepted["orderId"]) == ("00", NUMBER)
    assert captured(subject, T0) == [(0, 0)]
    assert subject.query()["origRespCode"] == "05"
    found = subject.query(at_ns=T0 + S)
    assert (found["respCode"], found["origRespCode"]) == ("00", "00")
    assert (found["txnAmt"], found["traceTime"]) == ("2550", "1122080005")
    assert (found["queryId"], found["settleDate"]) == (accepted["queryId"], "1122")
    assert captured(subject, T0 + S) == [(2550, 0)]
    (charge,) = subject.platform.charges_of("driver-1", T0 + S)
    assert charge.amount_fen == 2550


def test_an_emvco_block_is_taken_whole(subject: Merchant) -> None:
    """Base64 of a block that begins with CPV01 pays like 19 digits; half of it does not."""
    code = code_of(subject, emvco=True)
    assert base64.b64decode(code).startswith(bytes.fromhex("8505") + b"CPV01\x61")
    assert subject.pay(code[:-8])["respCode"] == "88"
    assert subject.pay(code)["respCode"] == "00"
    assert captured(subject, T0 + S) == [(2550, 0)]


@pytest.mark.parametrize(
    ("behaviour", "code", "state"),
    [
        (BuyerBehaviour.BALANCE_SHORT, "64", UnionpayState.FAILED),
        (BuyerBehaviour.RISK_REFUSED, "38", UnionpayState.FAILED),
    ],
)
def test_a_refusal_comes_by_the_query(
    subject: Merchant, behaviour: BuyerBehaviour, code: str, state: UnionpayState
) -> None:
    """Accepted like any other; origRespCode tells."""
    assert subject.pay(code_of(subject, behaviour))["respCode"] == "00"
    assert subject.query(at_ns=T0 + S)["origRespCode"] == code
    assert [one.state for one in subject.platform.books(T0 + S)] == [state]


def test_a_code_serves_one_call_within_its_minute(subject: Merchant) -> None:
    """Unknown, used and run-out codes are told apart, and leave no payment."""
    assert subject.pay("6200000000000000000")["respCode"] == "88"
    unknown = code_of(subject, BuyerBehaviour.UNKNOWN_CODE)
    assert subject.pay(unknown)["respCode"] == "88"
    code = code_of(subject)
    subject.pay(code)
    assert subject.pay(code, orderId="SECOND00")["respCode"] == "86"
    old = code_of(subject)
    assert subject.pay(old, orderId="THIRD000", at_ns=T0 + 60 * S)["respCode"] == "89"
    assert len(subject.platform.books(T0 + 60 * S)) == 1


def test_a_number_and_time_serve_one_transaction(subject: Merchant) -> None:
    """The same pair again is 12, whatever it says."""
    code = code_of(subject)
    subject.pay(code)
    assert subject.pay(code)["respCode"] == "12"
    assert subject.pay(code_of(subject), txnAmt="1")["respCode"] == "12"
    assert captured(subject, T0 + S) == [(2550, 0)]


def test_a_password_is_waited_for(subject: Merchant) -> None:
    """05 to pay and to the query, then paid."""
    assert subject.pay(code_of(subject, BuyerBehaviour.CONFIRMS, after_ms=12_000))["respCode"] == (
        "05"
    )
    assert subject.query(at_ns=T0 + 11 * S)["origRespCode"] == "05"
    assert subject.query(at_ns=T0 + 12 * S)["origRespCode"] == "00"


def test_a_payment_nobody_confirms_fails(subject: Merchant) -> None:
    """After three minutes, or when the dialog is closed."""
    subject.pay(code_of(subject, BuyerBehaviour.NEVER_CONFIRMS))
    closes = code_of(subject, BuyerBehaviour.CLOSES_DIALOG, after_ms=4_000)
    subject.pay(closes, orderId="CLOSED00")
    assert subject.query(at_ns=T0 + 5 * S, orderId="CLOSED00")["origRespCode"] == "01"
    assert subject.query(at_ns=T0 + 180 * S - 1)["origRespCode"] == "05"
    assert subject.query(at_ns=T0 + 180 * S)["origRespCode"] == "01"


def test_an_unknown_transaction_is_34(subject: Merchant) -> None:
    """Query and reversal of a pair that never came; the time is part of the pair."""
    assert subject.query()["respCode"] == "34"
    assert subject.ask("99/01")["respCode"] == "34"
    subject.pay(code_of(subject))
    assert subject.query(txnTime="20261122080006")["respCode"] == "34"


def test_a_reversal_stops_or_gives_back(subject: Merchant) -> None:
    """Pending: never charged. Paid: all back. Repeated: the same answer."""
    subject.pay(code_of(subject, BuyerBehaviour.CONFIRMS, after_ms=9_000))
    assert subject.ask("99/01", at_ns=T0 + 5 * S)["respCode"] == "00"
    assert subject.query(at_ns=T0 + 20 * S)["origRespCode"] == "46"
    subject.pay(code_of(subject, at_ns=T0 + 20 * S), at_ns=T0 + 20 * S, orderId="PAID0000")
    for at_s in (30, 31):
        answer = subject.ask("99/01", at_ns=T0 + at_s * S, orderId="PAID0000")
        assert answer["respCode"] == "00"
    assert captured(subject, T0 + 31 * S) == [(0, 0), (2550, 2550)]


def test_a_reversal_works_on_its_settlement_day(subject: Merchant) -> None:
    """The day ends at 23:00 in Beijing."""
    subject.pay(code_of(subject))
    late = 15 * 3_600 * S
    assert subject.ask("99/01", at_ns=late)["respCode"] == "35"
    assert captured(subject, late) == [(2550, 0)]


def test_a_refund_is_a_transaction_of_its_own(subject: Merchant) -> None:
    """Accepted, 05, then 00; by our number or by theirs; never more than was paid."""
    paid = subject.pay(code_of(subject))
    assert subject.refund(at_ns=T0 + S, fen=1000)["respCode"] == "00"
    assert subject.query(at_ns=T0 + 2 * S, **REFUND)["origRespCode"] == "05"
    found = subject.query(at_ns=T0 + 3 * S, **REFUND)
    assert (found["origRespCode"], found["txnAmt"], found["txnType"]) == ("00", "1000", "04")
    assert subject.refund(at_ns=T0 + 4 * S, fen=1000)["respCode"] == "12"
    by_theirs = {"origOrderId": "", "origTxnTime": "", "origQryId": paid["queryId"]}
    more = {"orderId": NUMBER + "R02", **by_theirs}
    assert subject.refund(at_ns=T0 + 5 * S, fen=1551, **more)["respCode"] == "36"
    assert subject.refund(at_ns=T0 + 5 * S, fen=1550, **more)["respCode"] == "00"
    assert captured(subject, T0 + 9 * S) == [(2550, 2550)]


def test_what_was_not_paid_is_not_refunded(subject: Merchant) -> None:
    """Unknown and pending originals are 35, a reversed one 46."""
    assert subject.refund(at_ns=T0)["respCode"] == "35"
    subject.pay(code_of(subject))
    assert subject.refund(at_ns=T0)["respCode"] == "35"
    subject.ask("99/01", at_ns=T0 + S)
    assert subject.refund(at_ns=T0 + 2 * S)["respCode"] == "46"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"signature": "AAAA"}, "11"),
        ({"signature": "&"}, "11"),
        ({"certId": "1"}, "11"),
        ({"certId": ""}, "13"),
        ({"txnTime": ""}, "13"),
        ({"merId": "777290058110098"}, "31"),
        ({"version": "5.0.0"}, "10"),
        ({"bizType": "000201"}, "10"),
        ({"txnType": "02"}, "10"),
        ({"txnAmt": "25.50"}, "10"),
        ({"currencyCode": "840"}, "10"),
        ({"orderId": "short"}, "10"),
        ({"orderId": "with_underscore"}, "10"),
        ({"txnTime": "2026-11-22"}, "10"),
    ],
)
def test_a_wrong_request_is_refused_in_signed_pairs(
    subject: Merchant, change: dict[str, str], code: str
) -> None:
    """HTTP 200, a code, nothing in the books."""
    assert subject.pay(code_of(subject), **change)["respCode"] == code
    assert captured(subject, T0) == []


def test_a_request_signed_by_another_key_is_refused(subject: Merchant) -> None:
    """The signature is judged with the merchant's key alone."""
    subject.key = STRANGER[0]
    assert subject.query()["respCode"] == "11"


def test_other_paths_and_verbs_are_told_apart(subject: Merchant) -> None:
    """404, 405, and a form that is none."""
    assert subject.send("00/00", path="/nothing").status == 404
    assert subject.platform.handle(HttpRequest(method="GET", path=QUERY), T0).status == 405
    twice = HttpRequest(method="POST", path=BACK, body=b"a=1&a=2")
    pairs, verified = taken_apart(subject.platform.handle(twice, T0).body)
    assert (pairs["respCode"], verified) == ("10", True)


def test_calls_are_noted_without_codes(subject: Merchant) -> None:
    """The auditor sees who asked what, and no secret."""
    code = code_of(subject)
    subject.pay(code)
    subject.query(at_ns=T0 + DAY)
    calls = subject.platform.calls()
    assert [(one.method, one.out_trade_no, one.code) for one in calls] == [
        ("01/06", NUMBER, "00"),
        ("00/00", NUMBER, "00"),
    ]
    assert code not in repr(calls)
