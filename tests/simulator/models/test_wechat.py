"""The simulated WeChat Pay's face: signatures both ways, payment, query, reverse, refunds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulator.models.platform_values import BuyerBehaviour
from simulator.models.wechat_values import WaitingAnswer, WechatState
from tests.simulator.models.wechat_merchant import (
    MERCHANT_ID,
    NUMBER,
    OWNER,
    PUBLIC_KEY_ID,
    QUERY,
    REFUNDS,
    REVERSE,
    T0,
    WALL_BASE_S,
    Merchant,
    S,
    header,
    make_platform,
    pay_body,
    verified,
)

PAY = "/v3/pay/transactions/codepay"


@pytest.fixture
def subject() -> Merchant:
    """A merchant with a platform of its own."""
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


def captured(subject: Merchant, at_ns: int = T0) -> list[tuple[int, int]]:
    """Return what the books took and gave back, order by order."""
    return [(one.captured_fen, one.refunded_fen) for one in subject.platform.books(at_ns)]


def test_a_willing_buyer_has_paid_in_one_call(subject: Merchant) -> None:
    """Code, call, money: 18 digits beginning 10..15, a signed SUCCESS, a booked order."""
    code = code_of(subject)
    assert len(code) == 18
    assert 10 <= int(code[:2]) <= 15
    status, answer = subject.pay(code)
    assert (status, answer["trade_state"], answer["trade_type"]) == (200, "SUCCESS", "MICROPAY")
    assert answer["amount"]["total"] == 2550
    assert answer["success_time"] == "2026-11-22T08:00:05+08:00"
    assert len(answer["transaction_id"]) == 28
    assert captured(subject) == [(2550, 0)]
    (charge,) = subject.platform.charges_of("driver-1", T0)
    assert charge.amount_fen == 2550


def test_an_answer_says_when_by_which_key_and_on_what_clock(subject: Merchant) -> None:
    """The five signing headers, a request id and the platform's Date."""
    reply = subject.send("GET", QUERY)
    assert header(reply, "Wechatpay-Signature-Type") == "WECHATPAY2-SHA256-RSA2048"
    assert header(reply, "Wechatpay-Timestamp") == str(WALL_BASE_S + 5)
    assert header(reply, "Date") == "Sun, 22 Nov 2026 00:00:05 GMT"
    assert header(reply, "Request-ID")
    assert verified(reply)


def test_a_merchant_may_ask_for_the_public_key(subject: Merchant) -> None:
    """Wechatpay-Serial in the request picks the key of the answer; the set-up picks the default."""
    subject.serial = PUBLIC_KEY_ID
    reply = subject.send("GET", QUERY)
    assert (header(reply, "Wechatpay-Serial"), verified(reply)) == (PUBLIC_KEY_ID, True)
    by_default = Merchant(platform=make_platform(signs_with_public_key=True))
    assert header(by_default.send("GET", QUERY), "Wechatpay-Serial") == PUBLIC_KEY_ID


@pytest.mark.parametrize("skew_s", [-301, 301, 86_400])
def test_a_clock_more_than_five_minutes_off_is_refused(subject: Merchant, skew_s: int) -> None:
    """401 SIGN_ERROR, unsigned, and nothing is charged."""
    subject.skew_s = skew_s
    reply = subject.send("POST", PAY, pay_body(code_of(subject)))
    assert (reply.status, json.loads(reply.body)["code"]) == (401, "SIGN_ERROR")
    assert header(reply, "Wechatpay-Signature") == ""
    assert captured(subject) == []


@pytest.mark.parametrize("skew_s", [-300, 300])
def test_a_clock_five_minutes_off_is_still_taken(subject: Merchant, skew_s: int) -> None:
    """The limit itself is inside."""
    subject.skew_s = skew_s
    assert subject.pay(code_of(subject))[0] == 200


@pytest.mark.parametrize(
    "said",
    [
        {"timestamp": "1795305605000"},
        {"signature": "bm90IGEgc2lnbmF0dXJl"},
        {"signature": "&"},
        {"serial_no": "00"},
        {"mchid": "1900000110"},
        {"nonce_str": ""},
    ],
)
def test_a_request_nobody_signed_is_refused(subject: Merchant, said: dict[str, str]) -> None:
    """Milliseconds, other bytes, another certificate, another merchant: 401."""
    subject.said = said
    reply = subject.send("POST", PAY, pay_body(code_of(subject)))
    assert (reply.status, json.loads(reply.body)["code"]) == (401, "SIGN_ERROR")
    assert captured(subject) == []


def test_a_signature_covers_path_query_and_body(subject: Merchant) -> None:
    """The same signature under another body or another query is worth nothing."""
    code = code_of(subject)
    good = subject.request("POST", PAY, pay_body(code))
    other = subject.request("POST", PAY, pay_body(code, fen=1))
    mixed = type(good)(method="POST", path=PAY, headers=good.headers, body=other.body)
    assert subject.platform.handle(mixed, T0).status == 401
    query = subject.request("GET", QUERY)
    moved = type(query)(method="GET", path=QUERY + "&x=1", headers=query.headers)
    assert subject.platform.handle(moved, T0).status == 401
    split = type(query)(
        method="GET",
        path=QUERY.partition("?")[0],
        query=f"mchid={MERCHANT_ID}".encode(),
        headers=query.headers,
    )
    assert subject.platform.handle(split, T0).status == 404


def test_a_request_needs_accept_and_user_agent(subject: Merchant) -> None:
    """Without them the platform answers 400 in its own words."""
    request = subject.request("GET", QUERY)
    silent = tuple(pair for pair in request.headers if pair[0] != "User-Agent")
    bare = type(request)(method="GET", path=QUERY, headers=silent)
    assert subject.platform.handle(bare, T0).status == 400


def test_the_same_call_again_takes_no_second_money(subject: Merchant) -> None:
    """Identical content answers as the order stands."""
    code = code_of(subject)
    first = subject.pay(code)
    assert subject.pay(code, at_ns=T0 + S) == first
    assert captured(subject, T0 + S) == [(2550, 0)]


def test_an_order_number_serves_one_order(subject: Merchant) -> None:
    """Another code is OUT_TRADE_NO_USED, another content INVALID_REQUEST."""
    code = code_of(subject)
    subject.pay(code)
    status, answer = subject.pay(code_of(subject))
    assert (status, answer["code"]) == (403, "OUT_TRADE_NO_USED")
    status, answer = subject.pay(code, fen=2600)
    assert (status, answer["code"]) == (400, "INVALID_REQUEST")
    assert captured(subject) == [(2550, 0)]


def test_a_code_serves_one_call(subject: Merchant) -> None:
    """A used or expired code is refused, and its order is not there."""
    code = code_of(subject)
    subject.pay(code)
    status, answer = subject.pay(code, number="SECOND")
    assert (status, answer["code"]) == (400, "AUTH_CODE_INVALID")
    assert subject.pay(code, number="SECOND")[1] == answer
    old = code_of(subject)
    status, answer = subject.pay(old, number="THIRD", at_ns=T0 + 60 * S)
    assert (status, answer["code"]) == (400, "AUTH_CODE_INVALID")
    path = f"/v3/pay/transactions/out-trade-no/THIRD?mchid={MERCHANT_ID}"
    status, answer = subject.ask("GET", path, at_ns=T0 + 61 * S)
    assert (status, answer["code"]) == (404, "ORDER_NOT_EXIST")
    assert code not in json.dumps(answer)


@pytest.mark.parametrize(
    ("behaviour", "status", "code", "state"),
    [
        (BuyerBehaviour.BALANCE_SHORT, 403, "NOT_ENOUGH", "PAYERROR"),
        (BuyerBehaviour.RISK_REFUSED, 403, "RULE_LIMIT", "PAYERROR"),
    ],
)
def test_a_refused_payment_is_an_order_that_failed(
    subject: Merchant, behaviour: BuyerBehaviour, status: int, code: str, state: str
) -> None:
    """Refused at once, PAYERROR for whoever asks, revoked with time, no money."""
    own = code_of(subject, behaviour)
    got, answer = subject.pay(own)
    assert (got, answer["code"]) == (status, code)
    assert subject.pay(own)[1]["code"] == code
    assert subject.query()["trade_state"] == state
    assert subject.query(at_ns=T0 + 45 * S)["trade_state"] == "REVOKED"
    assert captured(subject, T0 + 45 * S) == [(0, 0)]


def test_a_password_is_waited_for_and_then_paid(subject: Merchant) -> None:
    """USERPAYING until the buyer has typed it."""
    status, answer = subject.pay(code_of(subject, BuyerBehaviour.CONFIRMS, after_ms=12_000))
    assert (status, answer["trade_state"]) == (200, "USERPAYING")
    assert "transaction_id" not in answer
    assert subject.query(at_ns=T0 + 11 * S)["trade_state"] == "USERPAYING"
    paid = subject.query(at_ns=T0 + 12 * S)
    assert (paid["trade_state"], paid["success_time"]) == ("SUCCESS", "2026-11-22T08:00:17+08:00")


@pytest.mark.parametrize(
    ("style", "status"), [(WaitingAnswer.ACCEPTED, 202), (WaitingAnswer.REFUSED, 400)]
)
def test_waiting_may_be_said_by_a_code(style: WaitingAnswer, status: int) -> None:
    """The two other ways the interface is told to say USERPAYING."""
    subject = Merchant(platform=make_platform(waiting_answer=style))
    got, answer = subject.pay(code_of(subject, BuyerBehaviour.NEVER_CONFIRMS))
    assert (got, answer["code"]) == (status, "USERPAYING")


def test_a_large_amount_always_needs_a_password(subject: Merchant) -> None:
    """1,000 yuan is paid at once, one fen more is not."""
    assert subject.pay(code_of(subject), fen=100_000)[1]["trade_state"] == "SUCCESS"
    _, answer = subject.pay(code_of(subject), number="LARGE", fen=100_001)
    assert answer["trade_state"] == "USERPAYING"
    assert captured(subject, T0 + 8 * S) == [(100_000, 0), (100_001, 0)]


def test_an_unpaid_order_is_revoked_after_45_seconds(subject: Merchant) -> None:
    """Nobody types: the platform revokes, and the number is used up for good."""
    code = code_of(subject, BuyerBehaviour.NEVER_CONFIRMS)
    subject.pay(code)
    assert subject.query(at_ns=T0 + 45 * S - 1)["trade_state"] == "USERPAYING"
    assert subject.query(at_ns=T0 + 45 * S)["trade_state"] == "REVOKED"
    assert subject.pay(code, at_ns=T0 + 46 * S)[1]["code"] == "ORDER_REVERSED"


def test_a_password_typed_too_late_pays_nothing(subject: Merchant) -> None:
    """Revoked at 45 s, the dialog is gone at 60 s."""
    subject.pay(code_of(subject, BuyerBehaviour.CONFIRMS, after_ms=60_000))
    assert captured(subject, T0 + 61 * S) == [(0, 0)]


def test_a_closed_dialog_is_a_payerror(subject: Merchant) -> None:
    """PAYERROR until it is reversed."""
    subject.pay(code_of(subject, BuyerBehaviour.CLOSES_DIALOG, after_ms=5_000))
    assert subject.query(at_ns=T0 + 5 * S)["trade_state"] == "PAYERROR"
    assert subject.reverse(at_ns=T0 + 15 * S)[0] == 200
    assert subject.query(at_ns=T0 + 15 * S)["trade_state"] == "REVOKED"


def test_a_reverse_is_refused_in_the_first_15_seconds(subject: Merchant) -> None:
    """Too early, then taken; what was paid is given back whole."""
    subject.pay(code_of(subject))
    status, answer = subject.reverse(at_ns=T0 + 15 * S - 1)
    assert (status, answer["code"]) == (400, "INVALID_REQUEST")
    status, answer = subject.reverse(at_ns=T0 + 15 * S)
    assert (status, answer["out_trade_no"]) == (200, NUMBER)
    assert captured(subject, T0 + 15 * S) == [(2550, 2550)]
    assert subject.query(at_ns=T0 + 15 * S)["trade_state"] == "REVOKED"
    assert subject.reverse(at_ns=T0 + 16 * S)[0] == 200
    assert captured(subject, T0 + 16 * S) == [(2550, 2550)]


def test_a_reverse_is_refused_while_somebody_types(subject: Merchant) -> None:
    """USERPAYING; a phone that only lies there does not stop it."""
    subject.pay(code_of(subject, BuyerBehaviour.CONFIRMS, after_ms=30_000))
    status, answer = subject.reverse(at_ns=T0 + 20 * S)
    assert (status, answer["code"]) == (400, "USERPAYING")
    assert captured(subject, T0 + 30 * S) == [(2550, 0)]
    lying = Merchant()
    lying.pay(code_of(lying, BuyerBehaviour.NEVER_CONFIRMS))
    assert lying.reverse(at_ns=T0 + 20 * S)[0] == 200
    assert lying.query(at_ns=T0 + 20 * S)["trade_state"] == "REVOKED"


def test_a_reverse_of_an_unknown_number_proves_nothing() -> None:
    """It says yes; a pay call that comes later is charged, unless the set-up is the kinder one."""
    for kind, taken in ((False, [(2550, 0)]), (True, [])):
        subject = Merchant(platform=make_platform(reverse_closes_unknown=kind))
        assert subject.reverse(at_ns=T0)[0] == 200
        subject.pay(code_of(subject))
        assert captured(subject) == taken


def test_a_reverse_names_its_owner_and_comes_within_a_week(subject: Merchant) -> None:
    """Another appid is refused, and so is an order of last week."""
    subject.pay(code_of(subject))
    wrong = {**OWNER, "appid": "wx0000000000000000"}
    assert subject.ask("POST", REVERSE, wrong, at_ns=T0 + 20 * S)[1]["code"] == "NO_AUTH"
    late = T0 + 7 * 86_400 * S + 1
    assert subject.reverse(at_ns=late)[1]["code"] == "REVERSE_EXPIRE"


def test_a_refund_is_under_way_and_then_there(subject: Merchant) -> None:
    """PROCESSING, then SUCCESS; the books count it at once, the phone when it is there."""
    subject.pay(code_of(subject))
    status, answer = subject.refund()
    assert (status, answer["status"]) == (200, "PROCESSING")
    assert answer["amount"]["refund"] == 2550
    assert captured(subject) == [(2550, 2550)]
    assert subject.platform.charges_of("driver-1", T0)[0].refunded_fen == 0
    status, answer = subject.ask("GET", f"{REFUNDS}/R1", at_ns=T0 + 5 * S)
    assert (answer["status"], answer["success_time"]) == ("SUCCESS", "2026-11-22T08:00:10+08:00")
    assert subject.platform.charges_of("driver-1", T0 + 5 * S)[0].refunded_fen == 2550
    assert subject.query(at_ns=T0 + 5 * S)["trade_state"] == "REFUND"


def test_a_refund_number_moves_money_once(subject: Merchant) -> None:
    """The same call again says what is; the same number for another amount is refused."""
    subject.pay(code_of(subject))
    first = subject.refund(fen=1000)
    assert subject.refund(fen=1000) == first
    assert subject.refund(fen=1001)[1]["code"] == "INVALID_REQUEST"
    assert subject.refund("R2", fen=1550)[0] == 200
    assert captured(subject) == [(2550, 2550)]


@pytest.mark.parametrize(
    ("fen", "total", "code"),
    [(2551, 2550, "INVALID_REQUEST"), (100, 2500, "INVALID_REQUEST"), (0, 2550, "PARAM_ERROR")],
)
def test_a_refund_must_fit_its_order(subject: Merchant, fen: int, total: int, code: str) -> None:
    """More than was paid, another total, nothing at all."""
    subject.pay(code_of(subject))
    assert subject.refund(fen=fen, total=total)[1]["code"] == code
    assert captured(subject) == [(2550, 0)]


def test_what_was_not_paid_is_not_refunded(subject: Merchant) -> None:
    """Unknown, waiting and reversed orders give nothing back twice."""
    assert subject.refund()[1]["code"] == "RESOURCE_NOT_EXISTS"
    subject.pay(code_of(subject, BuyerBehaviour.NEVER_CONFIRMS))
    assert subject.refund()[1]["code"] == "INVALID_REQUEST"
    other = Merchant()
    other.pay(code_of(other))
    other.reverse(at_ns=T0 + 15 * S)
    assert other.refund(at_ns=T0 + 16 * S)[1]["code"] == "INVALID_REQUEST"
    assert captured(other, T0 + 16 * S) == [(2550, 2550)]


def test_an_order_is_found_by_its_transaction_too(subject: Merchant) -> None:
    """The platform's own number finds a paid order only."""
    _, paid = subject.pay(code_of(subject))
    by_id = f"/v3/pay/transactions/id/{paid['transaction_id']}?mchid={MERCHANT_ID}"
    assert subject.ask("GET", by_id)[1]["out_trade_no"] == NUMBER
    path = by_id.replace(paid["transaction_id"], "4200000000000000000000000000")
    assert subject.ask("GET", path)[0] == 404


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"appid": "wx0000000000000000"}, "NO_AUTH"),
        ({"out_trade_no": "a" * 33}, "PARAM_ERROR"),
        ({"out_trade_no": "a b"}, "PARAM_ERROR"),
        ({"description": ""}, "PARAM_ERROR"),
        ({"description": "广" * 43}, "PARAM_ERROR"),
        ({"description": "\ud800"}, "PARAM_ERROR"),
        ({"amount": {"total": 25.5, "currency": "CNY"}}, "PARAM_ERROR"),
        ({"amount": {"total": True, "currency": "CNY"}}, "PARAM_ERROR"),
        ({"amount": {"total": 100, "currency": "USD"}}, "PARAM_ERROR"),
        ({"payer": {}}, "PARAM_ERROR"),
        ({"payer": {"auth_code": "288888888888888888"}}, "AUTH_CODE_INVALID"),
        ({"scene_info": None}, "PARAM_ERROR"),
    ],
)
def test_wrong_content_is_refused_and_leaves_no_order(
    subject: Merchant, change: dict[str, Any], code: str
) -> None:
    """The field is named, its value is not repeated, the books are empty."""
    status, answer = subject.ask("POST", PAY, {**pay_body(code_of(subject)), **change})
    assert (status // 100, answer["code"]) == (4, code)
    assert "288888888888888888" not in json.dumps(answer)
    assert captured(subject) == []


def test_other_paths_and_verbs_are_told_apart(subject: Merchant) -> None:
    """404 for what is not there, 405 for the wrong verb, NO_AUTH for partners."""
    assert subject.send("GET", "/nothing").status == 404
    assert subject.send("GET", PAY).status == 405
    status, answer = subject.ask("POST", "/v3/pay/partner/transactions/codepay", {})
    assert (status, answer["code"]) == (403, "NO_AUTH")
    reply = subject.platform.handle(subject.request("POST", PAY, [1]), T0)
    assert (reply.status, json.loads(reply.body)["code"]) == (400, "PARAM_ERROR")


def test_calls_are_noted_without_codes(subject: Merchant) -> None:
    """The auditor sees who asked what, and no secret."""
    code = code_of(subject)
    subject.pay(code)
    subject.query()
    calls = subject.platform.calls()
    assert [(one.method, one.out_trade_no, one.code) for one in calls] == [
        ("codepay", NUMBER, "SUCCESS"),
        ("query", NUMBER, "SUCCESS"),
    ]
    assert code not in repr(calls)
    assert subject.platform.books(T0)[0].state is WechatState.SUCCESS
