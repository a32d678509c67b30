"""What each platform fault does to books, answers and connections."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulator.models.alipay_values import TradeState
from simulator.models.faults import Fault, PlatformFault
from tests.simulator.models.alipay_merchant import NUMBER, T0, Merchant, S, pay_biz

NAMED = {"out_trade_no": NUMBER}


@pytest.fixture
def subject() -> Merchant:
    """A merchant with a platform of its own."""
    return Merchant()


def inject(subject: Merchant, kind: PlatformFault, **more: Any) -> None:
    """Inject one fault for the next request it hits."""
    subject.platform.inject(Fault(kind=kind, **more), T0)


def pay(subject: Merchant) -> dict[str, str]:
    """Return a payment with a fresh code of a buyer who pays at once."""
    return pay_biz(subject.platform.issue_code("driver-1", T0).code)


def captured(subject: Merchant, at_ns: int = T0) -> list[int]:
    """Return what the books took, trade by trade."""
    return [trade.captured_fen for trade in subject.platform.books(at_ns)]


def test_a_lost_answer_has_charged(subject: Merchant) -> None:
    """The classic: the money is taken, the connection breaks, a query finds it paid."""
    inject(subject, PlatformFault.ANSWER_LOST, ms=1_000)
    reply = subject.send("pay", pay(subject))
    assert (reply.dropped, reply.body, reply.delay_ns) == (True, b"", 1_600_000_000)
    assert captured(subject) == [2550]
    assert subject.ask("query", NAMED)["trade_status"] == "TRADE_SUCCESS"


def test_a_request_dropped_before_is_never_processed(subject: Merchant) -> None:
    """Nothing in the books, and the code is still good."""
    inject(subject, PlatformFault.DROPPED_BEFORE, ms=10)
    biz = pay(subject)
    reply = subject.send("pay", biz)
    assert (reply.dropped, reply.delay_ns) == (True, 10_000_000)
    assert captured(subject) == []
    assert subject.ask("pay", biz)["code"] == "10000"


def test_a_request_processed_late_charges_after_a_query_found_nothing(subject: Merchant) -> None:
    """TRADE_NOT_EXIST proves nothing: the charge comes five seconds later."""
    inject(subject, PlatformFault.PROCESSED_LATE, ms=5_000)
    assert subject.send("pay", pay(subject)).dropped
    early = subject.ask("query", NAMED, at_ns=T0 + 4 * S)
    assert early["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    (trade,) = subject.platform.books(T0 + 6 * S)
    assert (trade.captured_fen, trade.paid_at_ns) == (2550, T0 + 5 * S)


def test_a_cancel_in_between_stops_a_request_processed_late(subject: Merchant) -> None:
    """A number that was cancelled is used up also for the request still under way."""
    inject(subject, PlatformFault.PROCESSED_LATE, ms=5_000)
    subject.send("pay", pay(subject))
    subject.ask("cancel", NAMED, at_ns=T0 + S)
    assert captured(subject, T0 + 6 * S) == []


def test_a_slow_answer_is_only_slow(subject: Merchant) -> None:
    """Charged at once, answered late, whole and signed."""
    inject(subject, PlatformFault.SLOW, ms=30_000)
    reply = subject.send("pay", pay(subject))
    assert reply.delay_ns == 30_600_000_000
    assert subject.read(reply.body).verified
    assert captured(subject) == [2550]


@pytest.mark.parametrize(
    "kind",
    [
        PlatformFault.BAD_SIGNATURE,
        PlatformFault.MISSING_SIGNATURE,
        PlatformFault.KEY_CHANGED,
    ],
)
def test_an_answer_without_a_good_signature_has_charged(
    subject: Merchant, kind: PlatformFault
) -> None:
    """The node says paid, nobody may believe it, and the books did charge."""
    inject(subject, kind)
    reply = subject.send("pay", pay(subject))
    answer = subject.read(reply.body)
    assert answer.node["code"] == "10000"
    assert not answer.verified
    assert (b'"sign"' in reply.body) is (kind is not PlatformFault.MISSING_SIGNATURE)
    assert captured(subject) == [2550]


def test_behind_an_expired_certificate_nothing_is_sent(subject: Merchant) -> None:
    """The handshake fails: the caller knows that the books saw nothing."""
    inject(subject, PlatformFault.CERTIFICATE_EXPIRED)
    reply = subject.send("pay", pay(subject))
    assert (reply.dropped, reply.unsent, reply.body) == (True, True, b"")
    assert captured(subject) == []


def test_a_duplicate_node_says_paid_behind_a_signed_refusal(subject: Merchant) -> None:
    """A reader that takes the last of two equal names believes the forged one."""
    inject(subject, PlatformFault.DUPLICATE_NODE)
    body = subject.send("query", NAMED).body
    name = "alipay_trade_query_response"
    assert body.count(name.encode()) == 2
    assert json.loads(body)[name]["trade_status"] == "TRADE_SUCCESS"
    answer = subject.read(body)
    assert answer.node["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    assert not answer.verified


def test_awkward_json_is_rightly_signed(subject: Merchant) -> None:
    """Who verifies the raw text finds it good; who writes it anew or counts braces does not."""
    inject(subject, PlatformFault.AWKWARD_JSON)
    body = subject.send("pay", pay(subject)).body
    assert subject.read(body).verified
    text = body.decode()
    start = text.index("{", 1)
    node, end = json.JSONDecoder().raw_decode(text, start)
    assert json.dumps(node, ensure_ascii=False, separators=(",", ":")) != text[start:end]
    depth, naive_end = 0, start
    for naive_end in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[naive_end], 0)
        if depth == 0:
            break
    assert naive_end + 1 < end


def test_a_truncated_answer_is_whole_http_and_no_json(subject: Merchant) -> None:
    """The frame is right, the body ends in its middle."""
    inject(subject, PlatformFault.TRUNCATED)
    reply = subject.send("pay", pay(subject))
    assert dict(reply.headers)["Content-Length"] == str(len(reply.body))
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.body)
    assert captured(subject) == [2550]


def test_a_half_answer_breaks_in_the_middle(subject: Merchant) -> None:
    """The announced length is longer than what comes."""
    inject(subject, PlatformFault.HALF_ANSWER)
    reply = subject.send("pay", pay(subject))
    assert reply.dropped
    assert 0 < len(reply.body) < int(dict(reply.headers)["Content-Length"])


def test_a_wrong_amount_in_the_answer_is_signed_and_not_in_the_books(subject: Merchant) -> None:
    """The answer says 25.51, the books took 25.50."""
    inject(subject, PlatformFault.WRONG_AMOUNT)
    answer = subject.ask("pay", pay(subject))
    assert (answer["total_amount"], answer["receipt_amount"]) == ("25.51", "25.51")
    assert captured(subject) == [2550]
    assert subject.ask("query", NAMED)["total_amount"] == "25.50"


def test_a_wrong_charge_is_in_answer_and_books(subject: Merchant) -> None:
    """The platform took more than was asked, and the whole of it can be refunded."""
    inject(subject, PlatformFault.CHARGED_WRONG, fen=100)
    assert subject.ask("pay", pay(subject))["total_amount"] == "26.50"
    assert captured(subject) == [2650]
    whole = {**NAMED, "refund_amount": "26.50", "out_request_no": "R1"}
    assert subject.ask("refund", whole)["fund_change"] == "Y"


@pytest.mark.parametrize(("carried_out", "books"), [(False, []), (True, [2550])])
@pytest.mark.parametrize("kind", [PlatformFault.GATEWAY_ERROR, PlatformFault.HTTP_5XX])
def test_an_error_answer_says_nothing_about_the_charge(
    subject: Merchant, kind: PlatformFault, carried_out: bool, books: list[int]
) -> None:
    """20000 and 502 come with and without the money taken."""
    inject(subject, kind, carried_out=carried_out)
    reply = subject.send("pay", pay(subject))
    if kind is PlatformFault.HTTP_5XX:
        assert reply.status == 502
    else:
        answer = subject.read(reply.body)
        assert answer.verified
        assert (answer.node["code"], answer.node["sub_code"]) == ("20000", "isp.unknow-error")
    assert captured(subject) == books


def test_429_names_when_to_come_back(subject: Merchant) -> None:
    """A proxy's refusal never reaches the books."""
    inject(subject, PlatformFault.HTTP_429)
    reply = subject.send("pay", pay(subject))
    assert (reply.status, dict(reply.headers)["Retry-After"]) == (429, "1")
    assert captured(subject) == []


def test_an_error_burst_ends_in_success(subject: Merchant) -> None:
    """Four errors of different looks, then the platform works; none of them was carried out."""
    inject(subject, PlatformFault.ERROR_BURST, times=4)
    biz = pay(subject)
    replies = [subject.send("pay", biz) for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 200, 502, 200]
    nodes = [subject.read(reply.body).node for reply in replies if reply.status == 200]
    assert [node["sub_code"] for node in nodes] == [
        "isp.unknow-error",
        "ACQ.SYSTEM_ERROR",
        "isp.unknow-error",
    ]
    assert captured(subject) == []
    assert subject.ask("pay", biz)["code"] == "10000"


def test_an_unsigned_error_looks_like_a_wrong_configuration(subject: Merchant) -> None:
    """error_response without a sign, and nothing done."""
    inject(subject, PlatformFault.UNSIGNED_ERROR)
    body = json.loads(subject.send("pay", pay(subject)).body)
    assert list(body) == ["error_response"]
    assert body["error_response"]["sub_code"] == "isv.invalid-app-id"
    assert captured(subject) == []


def test_a_forced_password_wait_is_paid_later(subject: Merchant) -> None:
    """A wallet that would pay at once is asked for its password."""
    inject(subject, PlatformFault.PASSWORD_WAIT, ms=5_000)
    assert subject.ask("pay", pay(subject))["code"] == "10003"
    assert captured(subject, T0 + 4 * S) == [0]
    assert captured(subject, T0 + 5 * S) == [2550]


@pytest.mark.parametrize(("carried_out", "books"), [(False, []), (True, [2550])])
def test_a_system_error_may_have_charged(
    subject: Merchant, carried_out: bool, books: list[int]
) -> None:
    """ACQ.SYSTEM_ERROR is unknown, not refused: the books may hold the money."""
    inject(subject, PlatformFault.BUSINESS_REFUSED, carried_out=carried_out)
    answer = subject.ask("pay", pay(subject))
    assert (answer["code"], answer["sub_code"]) == ("40004", "ACQ.SYSTEM_ERROR")
    assert captured(subject) == books


def test_a_refund_can_be_refused_for_good(subject: Merchant) -> None:
    """The merchant's account is empty: the refund is refused every time, nothing moves."""
    subject.ask("pay", pay(subject))
    inject(
        subject,
        PlatformFault.BUSINESS_REFUSED,
        calls=("refund",),
        times=None,
        sub_code="ACQ.SELLER_BALANCE_NOT_ENOUGH",
    )
    whole = {**NAMED, "refund_amount": "25.50", "out_request_no": "R1"}
    for _ in range(3):
        assert subject.ask("refund", whole)["sub_code"] == "ACQ.SELLER_BALANCE_NOT_ENOUGH"
    assert subject.platform.books(T0)[0].refunded_fen == 0


def test_a_refused_cancel_asks_to_be_repeated(subject: Merchant) -> None:
    """retry_flag Y, nothing done; the next cancel works."""
    subject.ask("pay", pay(subject))
    inject(subject, PlatformFault.CANCEL_REFUSED)
    answer = subject.ask("cancel", NAMED)
    assert (answer["code"], answer["retry_flag"]) == ("40004", "Y")
    assert captured(subject) == [2550]
    assert subject.ask("cancel", NAMED)["action"] == "refund"


def test_a_cancel_may_lie(subject: Merchant) -> None:
    """It says closed and did nothing; only a query shows that the money is still taken."""
    subject.ask("pay", pay(subject))
    inject(subject, PlatformFault.CANCEL_LIES)
    answer = subject.ask("cancel", NAMED)
    assert (answer["code"], answer["action"]) == ("10000", "close")
    (trade,) = subject.platform.books(T0)
    assert (trade.state, trade.refunded_fen) == (TradeState.TRADE_SUCCESS, 0)


def test_calls_name_the_faults_that_fired(subject: Merchant) -> None:
    """The auditor can tell which request was hit by what, and whether the books saw it."""
    inject(subject, PlatformFault.ANSWER_LOST, calls=("pay",))
    inject(subject, PlatformFault.DROPPED_BEFORE, calls=("query",))
    subject.send("pay", pay(subject))
    subject.send("query", NAMED)
    calls = subject.platform.calls()
    assert [(call.faults, call.carried_out) for call in calls] == [
        (("answer_lost",), True),
        (("dropped_before",), False),
    ]


def test_135_seconds_of_query_errors_end(subject: Merchant) -> None:
    """A fault with a span of time fires on every query until its time is over."""
    subject.ask("pay", pay(subject))
    inject(subject, PlatformFault.GATEWAY_ERROR, calls=("query",), times=None, for_ms=135_000)
    codes = [subject.ask("query", NAMED, at_ns=T0 + i * 15 * S)["code"] for i in range(11)]
    assert codes == ["20000"] * 9 + ["10000"] * 2
