"""What each platform fault does to the simulated WeChat Pay's books, answers and connections."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from simulator.models.faults import Fault, PlatformFault
from simulator.models.platform_values import BuyerBehaviour
from tests.simulator.models.wechat_merchant import (
    NEXT_SERIAL,
    NUMBER,
    OWNER,
    QUERY,
    REFUNDS,
    REVERSE,
    T0,
    Merchant,
    S,
    header,
    pay_body,
    verified,
)

PAY = "/v3/pay/transactions/codepay"


@pytest.fixture
def subject() -> Merchant:
    """A merchant with a platform of its own."""
    return Merchant()


def inject(subject: Merchant, kind: PlatformFault, **more: Any) -> None:
    """Inject one fault for the next request it hits."""
    subject.platform.inject(Fault(kind=kind, **more), T0)


def pay(subject: Merchant) -> Any:
    """Return a payment with a fresh code of a buyer who pays at once."""
    return pay_body(subject.platform.issue_code("driver-1", T0).code)


def captured(subject: Merchant, at_ns: int = T0) -> list[int]:
    """Return what the books took, order by order."""
    return [one.captured_fen for one in subject.platform.books(at_ns)]


def test_a_lost_answer_has_charged(subject: Merchant) -> None:
    """The classic: the money is taken, the connection breaks, a query finds it paid."""
    inject(subject, PlatformFault.ANSWER_LOST, ms=1_000)
    reply = subject.send("POST", PAY, pay(subject))
    assert (reply.dropped, reply.body, reply.delay_ns) == (True, b"", 1_600_000_000)
    assert captured(subject) == [2550]
    assert subject.query()["trade_state"] == "SUCCESS"


def test_a_request_dropped_before_is_never_processed(subject: Merchant) -> None:
    """Nothing in the books, and the code is still good."""
    inject(subject, PlatformFault.DROPPED_BEFORE)
    body = pay(subject)
    assert subject.send("POST", PAY, body).dropped
    assert captured(subject) == []
    assert subject.ask("POST", PAY, body)[0] == 200


def test_a_request_processed_late_charges_after_everybody_gave_up(subject: Merchant) -> None:
    """ORDER_NOT_EXIST and a reverse that says yes prove nothing: the charge comes later."""
    inject(subject, PlatformFault.PROCESSED_LATE, ms=20_000)
    assert subject.send("POST", PAY, pay(subject)).dropped
    assert subject.ask("GET", QUERY, at_ns=T0 + 17 * S)[1]["code"] == "ORDER_NOT_EXIST"
    assert subject.reverse(at_ns=T0 + 17 * S)[0] == 200
    assert captured(subject, T0 + 20 * S) == [2550]
    assert [call.code for call in subject.platform.calls()][-1] == "SUCCESS"


def test_query_errors_for_135_seconds_and_then_success(subject: Merchant) -> None:
    """PARAM_ERROR over and over though the buyer paid at second 9; then the truth."""
    inject(
        subject,
        PlatformFault.BUSINESS_REFUSED,
        calls=("query",),
        times=None,
        for_ms=135_000,
        sub_code="PARAM_ERROR",
    )
    code = subject.platform.issue_code("driver-1", T0, BuyerBehaviour.CONFIRMS, after_ms=9_000).code
    subject.pay(code)
    for at_s in range(5, 135, 10):
        status, answer = subject.ask("GET", QUERY, at_ns=T0 + at_s * S)
        assert (status, answer["code"]) == (400, "PARAM_ERROR")
    assert subject.query(at_ns=T0 + 135 * S)["trade_state"] == "SUCCESS"


@pytest.mark.parametrize(
    ("kind", "status"), [(PlatformFault.HTTP_5XX, 502), (PlatformFault.HTTP_429, 429)]
)
def test_a_burst_from_a_proxy_leaves_the_books_alone(
    subject: Merchant, kind: PlatformFault, status: int
) -> None:
    """Unsigned, in the proxy's own words, until it is over."""
    inject(subject, kind, times=3)
    body = pay(subject)
    for _ in range(3):
        reply = subject.send("POST", PAY, body)
        assert (reply.status, verified(reply)) == (status, False)
    assert captured(subject) == []
    assert subject.ask("POST", PAY, body)[0] == 200


def test_an_error_burst_goes_through_its_three_kinds(subject: Merchant) -> None:
    """SYSTEM_ERROR, BANK_ERROR, a 502, and none of them touched the books."""
    inject(subject, PlatformFault.ERROR_BURST, times=3)
    body = pay(subject)
    replies = [subject.send("POST", PAY, body) for _ in range(3)]
    assert [one.status for one in replies] == [500, 500, 502]
    assert [json.loads(one.body)["code"] for one in replies[:2]] == ["SYSTEM_ERROR", "BANK_ERROR"]
    assert captured(subject) == []


def test_a_system_error_may_have_charged(subject: Merchant) -> None:
    """500 SYSTEM_ERROR, signed, and the money is gone."""
    inject(subject, PlatformFault.GATEWAY_ERROR, carried_out=True)
    status, answer = subject.ask("POST", PAY, pay(subject))
    assert (status, answer["code"]) == (500, "SYSTEM_ERROR")
    assert captured(subject) == [2550]


def test_a_wrong_configuration_is_told_without_a_signature(subject: Merchant) -> None:
    """401 SIGN_ERROR, nobody signs it."""
    inject(subject, PlatformFault.UNSIGNED_ERROR)
    reply = subject.send("POST", PAY, pay(subject))
    assert (reply.status, verified(reply)) == (401, False)
    assert captured(subject) == []


def test_a_reverse_that_lies_does_nothing(subject: Merchant) -> None:
    """200 with our number; the query says what is."""
    subject.ask("POST", PAY, pay(subject))
    inject(subject, PlatformFault.CANCEL_LIES)
    assert subject.reverse(at_ns=T0 + 20 * S) == (200, {**OWNER, "out_trade_no": NUMBER})
    assert subject.query(at_ns=T0 + 20 * S)["trade_state"] == "SUCCESS"


def test_a_reverse_may_be_refused_once(subject: Merchant) -> None:
    """USERPAYING, then it works."""
    subject.ask("POST", PAY, pay(subject))
    inject(subject, PlatformFault.CANCEL_REFUSED)
    assert subject.reverse(at_ns=T0 + 20 * S)[1]["code"] == "USERPAYING"
    assert subject.reverse(at_ns=T0 + 21 * S)[0] == 200


def test_a_password_may_be_asked_of_anybody(subject: Merchant) -> None:
    """A buyer who would pay at once types for seven seconds."""
    inject(subject, PlatformFault.PASSWORD_WAIT, ms=7_000)
    assert subject.ask("POST", PAY, pay(subject))[1]["trade_state"] == "USERPAYING"
    assert captured(subject, T0 + 7 * S) == [2550]


def test_an_amount_may_be_charged_or_told_wrong(subject: Merchant) -> None:
    """Charged wrong: books and answers agree. Told wrong: only the answer says so, signed."""
    inject(subject, PlatformFault.CHARGED_WRONG, fen=100)
    assert subject.ask("POST", PAY, pay(subject))[1]["amount"]["total"] == 2650
    assert captured(subject) == [2650]
    inject(subject, PlatformFault.WRONG_AMOUNT, fen=7, calls=("query",))
    assert subject.query()["amount"]["total"] == 2657
    assert subject.query()["amount"]["total"] == 2650


@pytest.mark.parametrize(
    "kind",
    [PlatformFault.BAD_SIGNATURE, PlatformFault.MISSING_SIGNATURE, PlatformFault.SIGNATURE_PROBE],
)
def test_an_answer_without_a_good_signature_has_charged(
    subject: Merchant, kind: PlatformFault
) -> None:
    """It says SUCCESS, nobody may believe it, and the books did charge."""
    inject(subject, kind)
    reply = subject.send("POST", PAY, pay(subject))
    assert json.loads(reply.body)["trade_state"] == "SUCCESS"
    assert not verified(reply)
    told = header(reply, "Wechatpay-Signature")
    assert (told == "") is (kind is PlatformFault.MISSING_SIGNATURE)
    assert told.startswith("WECHATPAY/SIGNTEST/") is (kind is PlatformFault.SIGNATURE_PROBE)
    assert captured(subject) == [2550]


def test_a_share_of_answers_may_be_probes(subject: Merchant) -> None:
    """One in three or so, the rest as ever."""
    inject(subject, PlatformFault.SIGNATURE_PROBE, times=None, permille=300)
    replies = [subject.send("GET", QUERY) for _ in range(30)]
    probes = [header(one, "Wechatpay-Signature").startswith("WECHATPAY/SIGN") for one in replies]
    assert 2 < probes.count(True) < 20


def test_a_changed_key_is_named_and_can_be_fetched(subject: Merchant) -> None:
    """Another serial, a good signature by it, and the certificates' list has both."""
    inject(subject, PlatformFault.KEY_CHANGED)
    reply = subject.send("GET", QUERY)
    assert (header(reply, "Wechatpay-Serial"), verified(reply)) == (NEXT_SERIAL, True)
    _, listed = subject.ask("GET", "/v3/certificates")
    assert NEXT_SERIAL in [one["serial_no"] for one in listed["data"]]


def test_a_stale_answer_is_signed_for_long_ago(subject: Merchant) -> None:
    """A replay: the signature is good, its second is not."""
    fresh = int(header(subject.send("GET", QUERY), "Wechatpay-Timestamp"))
    inject(subject, PlatformFault.STALE_ANSWER, ms=301_000)
    reply = subject.send("GET", QUERY)
    assert verified(reply)
    assert fresh - int(header(reply, "Wechatpay-Timestamp")) == 301


def test_members_that_stand_twice_are_not_signed(subject: Merchant) -> None:
    """A reader that takes the last of two believes a payment nobody made."""
    inject(subject, PlatformFault.DUPLICATE_NODE)
    reply = subject.send("GET", QUERY)
    assert json.loads(reply.body)["trade_state"] == "SUCCESS"
    assert not verified(reply)


def test_an_awkward_answer_is_the_same_in_other_bytes(subject: Merchant) -> None:
    """Blanks and escapes; the signature covers them as they are."""
    subject.ask("POST", PAY, pay(subject))
    inject(subject, PlatformFault.AWKWARD_JSON)
    reply = subject.send("GET", QUERY)
    assert verified(reply)
    assert b" , " in reply.body
    assert json.loads(reply.body)["trade_state"] == "SUCCESS"


@pytest.mark.parametrize(
    ("kind", "dropped"), [(PlatformFault.TRUNCATED, False), (PlatformFault.HALF_ANSWER, True)]
)
def test_half_an_answer_is_no_json(subject: Merchant, kind: PlatformFault, dropped: bool) -> None:
    """The body ends in its middle, with or without the connection."""
    inject(subject, kind)
    reply = subject.send("GET", QUERY)
    assert reply.dropped is dropped
    with pytest.raises(ValueError, match=r"."):
        json.loads(reply.body)
    # A truncated frame is whole to HTTP; a half one promises more than it sends.
    assert (int(header(reply, "Content-Length")) > len(reply.body)) is dropped


def test_behind_an_expired_certificate_nothing_is_sent(subject: Merchant) -> None:
    """The handshake fails: the caller knows that the books saw nothing."""
    inject(subject, PlatformFault.CERTIFICATE_EXPIRED)
    reply = subject.send("POST", PAY, pay(subject))
    assert (reply.dropped, reply.unsent) == (True, True)
    assert captured(subject) == []


def test_a_slow_answer_is_only_slow(subject: Merchant) -> None:
    """Charged at once, answered late, whole and signed."""
    inject(subject, PlatformFault.SLOW, ms=30_000)
    reply = subject.send("POST", PAY, pay(subject))
    assert (reply.delay_ns, verified(reply)) == (30_600_000_000, True)
    assert captured(subject) == [2550]


@pytest.mark.parametrize(
    ("call", "method", "path"),
    [
        ("query", "GET", QUERY),
        ("cancel", "POST", REVERSE),
        ("refund", "POST", REFUNDS),
        ("refund_query", "GET", f"{REFUNDS}/R1"),
        ("certificates", "GET", "/v3/certificates"),
        ("bill", "GET", "/v3/bill/tradebill?bill_date=2026-11-21"),
        ("bill_file", "GET", "/v3/billdownload/file?token=0"),
    ],
)
def test_a_fault_hits_the_calls_it_names(
    subject: Merchant, call: str, method: str, path: str
) -> None:
    """Every call has a short name, and only it is hit."""
    inject(subject, PlatformFault.HTTP_429, calls=(call,), times=None)
    body = None if method == "GET" else {}
    assert subject.send(method, path, body).status == 429
    assert subject.ask("POST", PAY, pay(subject))[0] == 200


def test_certificates_are_sealed_under_the_merchants_key(subject: Merchant) -> None:
    """AES-256-GCM, and nothing of the certificate in clear; a public-key merchant has none."""
    _, listed = subject.ask("GET", "/v3/certificates")
    sealed = listed["data"][0]["encrypt_certificate"]
    assert sealed["algorithm"] == "AEAD_AES_256_GCM"
    assert b"CERTIFICATE" not in base64.b64decode(sealed["ciphertext"])
    assert len(sealed["nonce"]) == 12
