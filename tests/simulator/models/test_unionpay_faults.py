"""What each platform fault does to the simulated UnionPay's books, answers and connections."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.models.faults import Fault, PlatformFault
from tests.simulator.models.unionpay_merchant import QUERY, T0, Merchant, S, taken_apart


@pytest.fixture
def subject() -> Merchant:
    """A merchant with a gateway of its own."""
    return Merchant()


def inject(subject: Merchant, kind: PlatformFault, **more: Any) -> None:
    """Inject one fault for the next request it hits."""
    subject.platform.inject(Fault(kind=kind, **more), T0)


def pay(subject: Merchant) -> dict[str, str]:
    """Return what a payment with a fresh code says."""
    code = subject.platform.issue_code("driver-1", T0).code
    return {"txnAmt": "2550", "currencyCode": "156", "qrNo": code}


def captured(subject: Merchant, at_ns: int = T0 + S) -> list[int]:
    """Return what the books took, payment by payment."""
    return [one.captured_fen for one in subject.platform.books(at_ns)]


def test_a_lost_answer_has_charged(subject: Merchant) -> None:
    """The connection breaks, the payment goes on behind it."""
    inject(subject, PlatformFault.ANSWER_LOST)
    assert subject.send("01/06", **pay(subject)).dropped
    assert subject.query(at_ns=T0 + S)["origRespCode"] == "00"
    assert captured(subject) == [2550]


def test_a_request_dropped_or_late(subject: Merchant) -> None:
    """Never processed leaves nothing; processed late charges after a 34."""
    inject(subject, PlatformFault.DROPPED_BEFORE)
    said = pay(subject)
    assert subject.send("01/06", **said).dropped
    assert captured(subject, T0) == []
    inject(subject, PlatformFault.PROCESSED_LATE, ms=5_000)
    assert subject.send("01/06", **said).dropped
    assert subject.query(at_ns=T0 + 4 * S)["respCode"] == "34"
    assert captured(subject, T0 + 6 * S) == [2550]


def test_errors_of_the_gateway_and_of_a_proxy(subject: Merchant) -> None:
    """06, 03 and a 502 in turn; a 429; none of them carried out."""
    inject(subject, PlatformFault.ERROR_BURST, times=3)
    said = pay(subject)
    replies = [subject.send("01/06", **said) for _ in range(3)]
    codes = [taken_apart(one.body)[0].get("respCode") for one in replies[:2]]
    assert (codes, replies[2].status) == (["06", "03"], 502)
    inject(subject, PlatformFault.HTTP_429)
    assert subject.send("01/06", **said).status == 429
    assert captured(subject) == []


def test_a_reversal_that_lies_or_is_refused(subject: Merchant) -> None:
    """00 and nothing done; 06 and nothing done; then it works."""
    subject.ask("01/06", **pay(subject))
    inject(subject, PlatformFault.CANCEL_LIES)
    assert subject.ask("99/01", at_ns=T0 + S)["respCode"] == "00"
    assert subject.query(at_ns=T0 + S)["origRespCode"] == "00"
    inject(subject, PlatformFault.CANCEL_REFUSED)
    assert subject.ask("99/01", at_ns=T0 + 2 * S)["respCode"] == "06"
    assert subject.ask("99/01", at_ns=T0 + 3 * S)["respCode"] == "00"
    assert subject.query(at_ns=T0 + 3 * S)["origRespCode"] == "46"


@pytest.mark.parametrize(
    "kind",
    [
        PlatformFault.BAD_SIGNATURE,
        PlatformFault.MISSING_SIGNATURE,
        PlatformFault.SIGNATURE_PROBE,
        PlatformFault.KEY_CHANGED,
        PlatformFault.DUPLICATE_NODE,
        PlatformFault.TRUNCATED,
    ],
)
def test_an_answer_nobody_vouches_for(subject: Merchant, kind: PlatformFault) -> None:
    """Other bytes, no signature, a stranger's certificate, pairs that stand twice, half a body."""
    subject.ask("01/06", **pay(subject))
    inject(subject, kind)
    reply = subject.send("00/00", at_ns=T0 + S, path=QUERY)
    assert not taken_apart(reply.body)[1]
    assert subject.query(at_ns=T0 + S)["origRespCode"] == "00"


def test_an_unsigned_error_says_that_our_signature_is_wrong(subject: Merchant) -> None:
    """11 without a signature."""
    inject(subject, PlatformFault.UNSIGNED_ERROR)
    pairs, verified = taken_apart(subject.send("01/06", **pay(subject)).body)
    assert (pairs["respCode"], verified) == ("11", False)
    assert captured(subject) == []


def test_an_amount_may_be_charged_or_told_wrong(subject: Merchant) -> None:
    """Charged wrong: books and answers agree. Told wrong: only the answer says so, signed."""
    inject(subject, PlatformFault.CHARGED_WRONG, fen=100)
    subject.ask("01/06", **pay(subject))
    assert captured(subject) == [2650]
    inject(subject, PlatformFault.WRONG_AMOUNT, fen=7)
    assert subject.query(at_ns=T0 + S)["txnAmt"] == "2657"
    assert subject.query(at_ns=T0 + S)["txnAmt"] == "2650"


def test_brackets_hold_what_looks_like_pairs(subject: Merchant) -> None:
    """A value in brackets holds signs that end pairs elsewhere; the signature covers it whole."""
    subject.ask("01/06", **pay(subject))
    inject(subject, PlatformFault.AWKWARD_JSON)
    assert subject.query(at_ns=T0 + S)["reqReserved"] == "{a=1&b=2}[c&d]"


def test_a_password_may_be_asked_of_anybody(subject: Merchant) -> None:
    """05, then paid when it is typed."""
    inject(subject, PlatformFault.PASSWORD_WAIT, ms=7_000)
    assert subject.ask("01/06", **pay(subject))["respCode"] == "05"
    assert captured(subject, T0 + 6 * S) == [0]
    assert captured(subject, T0 + 7 * S) == [2550]


def test_a_refunds_query_has_a_name_of_its_own(subject: Merchant) -> None:
    """refund_query hits the refund's pair only."""
    subject.ask("01/06", **pay(subject))
    subject.refund(at_ns=T0 + S)
    inject(subject, PlatformFault.HTTP_429, calls=("refund_query",), times=None)
    own = {"orderId": "110105001001000000001A01R01", "txnTime": "20261122080100"}
    assert subject.query(at_ns=T0 + 4 * S)["origRespCode"] == "00"
    assert subject.send("00/00", at_ns=T0 + 4 * S, path=QUERY, **own).status == 429
