"""Alipay's requests and answers, against frames written by hand and signed by OpenSSL."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaza_server.platforms.alipay import codec as subject
from plaza_server.platforms.alipay import subcodes
from plaza_server.platforms.calls import HttpCall
from plaza_server.platforms.keys import rsa_check, rsa_signer
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
from tolling.ids import LaneId, OutRefundNo, OutTradeNo
from tolling.orders import NextStep, ReasonCode
from tolling.paycodes import PayCode, Wallet

GOLDEN = Path(__file__).parents[3] / "golden" / "alipay_codec"
SIGN = rsa_signer(GOLDEN / "merchant_private.pem")
VERIFY = rsa_check(GOLDEN / "platform_public.pem")
PLATFORM_SIGN = rsa_signer(GOLDEN / "platform_private.pem")
CODE = "281234567890123456"
NOW_MS = 1_795_314_605_000  # 2026-11-22 10:30:05 in Beijing
PAID_MS = NOW_MS + 1000
TRADE_NO = "2026112222001400000000000001"
CONFIG = subject.AlipayConfig(
    gateway_url="https://gateway.test/gateway.do", app_id="2021000000000001"
)


@dataclass(frozen=True, kw_only=True)
class AnOrder:
    """The facts a call is built from."""

    out_trade_no: OutTradeNo
    lane_id: LaneId
    out_refund_no: OutRefundNo | None
    wallet: Wallet | None = Wallet.ALIPAY
    txn_time: str = "20261122093005"
    refund_txn_time: str = "20261122093605"
    captured_fen: int = 2550
    provider_txn_id: str | None = None
    toll_fen: int = 2550
    subject: str = "云岭站 通行费 浙A12345"
    refund_fen: int = 2550


ORDER = AnOrder(
    out_trade_no=OutTradeNo("330101001001000000007A01"),
    lane_id=LaneId("001"),
    out_refund_no=OutRefundNo("330101001001000000007A01R01"),
)

READERS = {
    "pay": subject.read_pay,
    "query": subject.read_query,
    "cancel": subject.read_cancel,
    "refund": subject.read_refund,
    "refund_query": subject.read_refund_query,
}
PAID = Paid(captured_fen=2550, provider_txn_id=TRADE_NO, paid_at_ms=PAID_MS)
BAD_SIGNATURE = Unknown(evidence=Evidence.BAD_SIGNATURE)
FOREIGN = Unknown(evidence=Evidence.FOREIGN)
GARBLED = Unknown(evidence=Evidence.GARBLED)
UNSURE = Unknown(evidence=Evidence.PLATFORM_UNSURE)

ANSWERS: dict[str, PlatformOutcome] = {
    "pay_answer_paid": PAID,
    "pay_answer_paid_with_brace_in_text": PAID,
    "pay_answer_paid_spaced": PAID,
    "pay_answer_waiting": Waiting(),
    "pay_answer_unsure": UNSURE,
    "pay_answer_code_invalid": Refused(reason=ReasonCode.CODE_INVALID, next=NextStep.NEW_CODE),
    "pay_answer_balance": Refused(reason=ReasonCode.BALANCE, next=NextStep.OTHER_TENDER),
    "pay_answer_system_error": UNSURE,
    "pay_answer_has_success": UNSURE,
    "pay_answer_partner_error": Misconfigured(detail="40004 ACQ.PARTNER_ERROR"),
    "pay_answer_bad_signature": BAD_SIGNATURE,
    "pay_answer_tampered": BAD_SIGNATURE,
    "pay_answer_no_signature": BAD_SIGNATURE,
    "pay_answer_empty_signature": BAD_SIGNATURE,
    "pay_answer_doubled_node": BAD_SIGNATURE,
    "pay_answer_doubled_node_before": BAD_SIGNATURE,
    "pay_answer_doubled_node_escaped": BAD_SIGNATURE,
    "pay_answer_foreign": FOREIGN,
    "pay_answer_no_number": FOREIGN,
    "pay_answer_truncated": GARBLED,
    "pay_answer_unsigned_error": Misconfigured(detail="unsigned 40002 isv.invalid-app-id"),
    "pay_answer_unsigned_other_error": BAD_SIGNATURE,
    "pay_answer_signed_error": Misconfigured(detail="40002 isv.invalid-app-id"),
    "pay_answer_null_node": GARBLED,
    "query_answer_success": PAID,
    "query_answer_finished": PAID,
    "query_answer_waiting": Waiting(),
    "query_answer_closed": Closed(),
    "query_answer_closed_refunded": Closed(refunded_fen=2550),
    "query_answer_strange_status": GARBLED,
    "query_answer_not_there": NotThere(),
    "query_answer_system_error": UNSURE,
    "query_answer_pay_node": GARBLED,
    "cancel_answer_close": CancelDone(gave_back=False),
    "cancel_answer_refund": CancelDone(gave_back=True),
    "cancel_answer_never_existed": CancelDone(gave_back=False),
    "cancel_answer_again": CancelAgain(),
    "cancel_answer_unsure": UNSURE,
    "refund_answer_done": RefundDone(refunded_total_fen=2550),
    "refund_answer_done_before": RefundDone(refunded_total_fen=2550),
    "refund_answer_nothing_moved": UNSURE,
    "refund_answer_no_balance": RefundRefused(detail="ACQ.SELLER_BALANCE_NOT_ENOUGH", final=False),
    "refund_answer_finished": RefundRefused(detail="ACQ.TRADE_HAS_FINISHED", final=True),
    "refund_answer_system_error": UNSURE,
    "refund_query_answer_done": RefundDone(refunded_total_fen=2550),
    "refund_query_answer_not_there": RefundRefused(detail="no_such_refund", final=False),
    "refund_query_answer_foreign": FOREIGN,
}


def read(name: str, status: int = 200) -> PlatformOutcome:
    reader = READERS[name.split("_answer_", maxsplit=1)[0]]
    return reader(status, (GOLDEN / f"{name}.json").read_bytes(), ORDER, verify=VERIFY)


def built(kind: str) -> HttpCall:
    match kind:
        case "pay":
            code = PayCode(CODE, Wallet.ALIPAY)
            return subject.build_pay(CONFIG, ORDER, code=code, now_ms=NOW_MS, sign=SIGN)
        case "query":
            return subject.build_query(CONFIG, ORDER, now_ms=NOW_MS, sign=SIGN)
        case "cancel":
            return subject.build_cancel(CONFIG, ORDER, now_ms=NOW_MS, sign=SIGN)
        case "refund":
            return subject.build_refund(CONFIG, ORDER, now_ms=NOW_MS, sign=SIGN)
        case _:
            return subject.build_refund_query(CONFIG, ORDER, now_ms=NOW_MS, sign=SIGN)


def signed_answer(kind: str, fields: dict[str, object]) -> bytes:
    """Return an answer body the platform would sign."""
    method = {"pay": subject.PAY, "query": subject.QUERY, "refund": subject.REFUND}[kind]
    value = json.dumps(fields, ensure_ascii=False)
    sign = base64.b64encode(PLATFORM_SIGN(value.encode())).decode()
    return f'{{"{method.replace(".", "_")}_response":{value},"sign":"{sign}"}}'.encode()


@pytest.mark.parametrize("kind", ["pay", "query", "cancel", "refund", "refund_query"])
def test_a_request_is_signed_over_the_sorted_plain_pairs(kind: str) -> None:
    """The form holds exactly the pairs of the hand-written text, and OpenSSL's signature of it."""
    call = built(kind)
    pairs = dict(parse_qsl(call.body.decode("ascii"), strict_parsing=True))
    assert pairs.pop("sign") == (GOLDEN / f"{kind}_request.sign").read_text()
    text = "&".join(f"{key}={pairs[key]}" for key in sorted(pairs))
    assert text == (GOLDEN / f"{kind}_request.to_sign").read_text()
    assert (call.method, call.url) == ("POST", CONFIG.gateway_url)
    assert dict(call.headers)["Content-Type"].endswith("charset=utf-8")


def test_a_store_id_goes_along_where_it_is_configured() -> None:
    """What the account does not have is not sent."""
    config = subject.AlipayConfig(gateway_url="x", app_id="1", store_id="S1")
    code = PayCode(CODE, Wallet.ALIPAY)
    order = replace(ORDER, toll_fen=1)
    call = subject.build_pay(config, order, code=code, now_ms=NOW_MS, sign=SIGN)
    biz = json.loads(dict(parse_qsl(call.body.decode()))["biz_content"])
    assert (biz["store_id"], biz["total_amount"]) == ("S1", "0.01")


def test_empty_parameters_are_not_signed() -> None:
    """The platform drops empty values before it verifies."""
    assert subject.text_to_sign({"b": "", "c": "2", "a": "1", "sign": "x"}) == b"a=1&c=2"


def test_a_built_pay_never_shows_its_code() -> None:
    """A call that lands in a log or a traceback shows no pay code."""
    assert CODE not in repr(built("pay"))


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_an_answer_proves_what_the_table_says(name: str) -> None:
    """Each golden answer has one meaning."""
    assert read(name) == ANSWERS[name]


def test_every_golden_answer_is_in_the_table() -> None:
    """No frame lies about unused."""
    assert {path.stem for path in GOLDEN.glob("*_answer_*.json")} == set(ANSWERS)


@pytest.mark.parametrize("status", [201, 301, 400, 429, 500, 502, 503])
def test_another_status_proves_nothing(status: int) -> None:
    """A believable body under another status is a proxy's, not the gateway's."""
    assert read("pay_answer_paid", status) == Unknown(evidence=Evidence.HTTP_STATUS)


@pytest.mark.parametrize("sub_code", sorted(subcodes.PAY_REFUSALS))
def test_a_listed_sub_code_refuses(sub_code: str) -> None:
    """Each documented refusal of pay is final and says what the driver can do."""
    body = signed_answer("pay", {"code": "40004", "sub_code": sub_code})
    outcome = subject.read_pay(200, body, ORDER, verify=VERIFY)
    assert isinstance(outcome, Refused)
    assert outcome.next is not NextStep.WAIT


@pytest.mark.parametrize(
    "sub_code", [*sorted(subcodes.CONFIG_SUB_CODES), "ACQ.SUB_MERCHANT_TYPE_INVALID"]
)
def test_a_configuration_sub_code_suspends(sub_code: str) -> None:
    """What we must mend is not blamed on the driver."""
    body = signed_answer("pay", {"code": "40004", "sub_code": sub_code})
    outcome = subject.read_pay(200, body, ORDER, verify=VERIFY)
    assert outcome == Misconfigured(detail=f"40004 {sub_code}")


@pytest.mark.parametrize(
    "fields",
    [
        {"code": "40004", "sub_code": "ACQ.SYSTEM_ERROR"},
        {"code": "40004", "sub_code": "ACQ.CONTEXT_INCONSISTENT"},
        {"code": "40004", "sub_code": "ACQ.SOMETHING_NEW"},
        {"code": "40004"},
        {"code": "40004", "sub_code": ["ACQ.PAYMENT_AUTH_CODE_INVALID"]},
        {"code": "40004", "sub_code": "ACQ." + "X" * 80},
        {"code": "40004", "sub_code": "ACQ.二"},
        {"code": "40005"},
        {"code": 10000},
        {},
    ],
)
def test_what_no_table_lists_is_unknown(fields: dict[str, object]) -> None:
    """A code we do not know is neither paid nor refused."""
    outcome = subject.read_pay(200, signed_answer("pay", fields), ORDER, verify=VERIFY)
    assert outcome == UNSURE


PAID_FIELDS: dict[str, object] = {
    "code": "10000",
    "out_trade_no": ORDER.out_trade_no,
    "total_amount": "25.50",
    "trade_no": TRADE_NO,
}


@pytest.mark.parametrize(
    "change",
    [
        {"total_amount": 25},
        {"total_amount": "-25.50"},
        {"total_amount": "25.505"},
        {"total_amount": None},
        {"trade_no": ""},
        {"trade_no": None},
        {"trade_no": "2026 1122"},
    ],
)
def test_a_paid_answer_without_its_facts_is_garbled(change: dict[str, object]) -> None:
    """Signed or not, paid needs an amount in yuan text and a transaction number."""
    body = signed_answer("pay", PAID_FIELDS | change)
    assert subject.read_pay(200, body, ORDER, verify=VERIFY) == GARBLED


def test_another_amount_is_told_as_it_is() -> None:
    """The codec compares no amounts: the rules make a mismatch of it."""
    body = signed_answer("pay", PAID_FIELDS | {"total_amount": "25.51"})
    outcome = subject.read_pay(200, body, ORDER, verify=VERIFY)
    assert isinstance(outcome, Paid)
    assert outcome.captured_fen == 2551


@pytest.mark.parametrize("when", [None, "yesterday", 20261122, "2026-13-40 10:00:00"])
def test_a_strange_payment_time_costs_only_the_time(when: object) -> None:
    """Paid stays paid when its date cannot be read."""
    body = signed_answer("pay", PAID_FIELDS | {"gmt_payment": when})
    outcome = subject.read_pay(200, body, ORDER, verify=VERIFY)
    assert outcome == Paid(captured_fen=2550, provider_txn_id=TRADE_NO, paid_at_ms=None)


def test_query_needs_our_number_for_everything_it_proves() -> None:
    """A closed or paid trade without a number is somebody else's."""
    body = signed_answer("query", {"code": "10000", "trade_status": "TRADE_CLOSED"})
    assert subject.read_query(200, body, ORDER, verify=VERIFY) == FOREIGN


def test_a_refunded_trade_without_an_amount_is_garbled() -> None:
    """Closed after payment must say how much went back."""
    fields: dict[str, object] = {
        "code": "10000",
        "out_trade_no": ORDER.out_trade_no,
        "trade_status": "TRADE_CLOSED",
        "send_pay_date": "2026-11-22 10:30:06",
    }
    body = signed_answer("query", fields)
    assert subject.read_query(200, body, ORDER, verify=VERIFY) == GARBLED


@pytest.mark.parametrize(
    ("change", "expected"),
    [({"out_trade_no": None}, FOREIGN), ({"refund_fee": "all"}, GARBLED)],
)
def test_a_refund_needs_number_and_total(
    change: dict[str, object], expected: PlatformOutcome
) -> None:
    """A refund that does not say whose and how much proves nothing."""
    fields = {"code": "10000", "out_trade_no": ORDER.out_trade_no, "refund_fee": "25.50"} | change
    body = signed_answer("refund", fields)
    assert subject.read_refund(200, body, ORDER, verify=VERIFY) == expected


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(READERS))
@given(body=st.binary(max_size=300), status=st.sampled_from([200, 200, 200, 500]))
def test_arbitrary_bytes_never_raise_and_prove_nothing(kind: str, body: bytes, status: int) -> None:
    """Whatever arrives, a reader answers UNKNOWN."""
    assert isinstance(READERS[kind](status, body, ORDER, verify=VERIFY), Unknown)


PIECES = st.sampled_from(
    [
        '"alipay_trade_pay_response"',
        '"error_response"',
        '"sign"',
        '""',
        '"AAAA"',
        '"\\\\"',
        '"\\"}"',
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        '{"code":"10000"}',
        '{"code":"40002"}',
        "1",
        "true",
        "null",
        " ",
        "\ufeff",
    ]
)


@pytest.mark.slow
@given(st.lists(PIECES, max_size=30))
def test_pieces_of_answers_never_raise_and_are_never_paid(pieces: list[str]) -> None:
    """Half, doubled and shuffled answers prove at most that we are misconfigured."""
    outcome = subject.read_pay(200, "".join(pieces).encode(), ORDER, verify=VERIFY)
    assert isinstance(outcome, (Unknown, Misconfigured))


@pytest.mark.slow
@given(at=st.integers(min_value=0), byte=st.integers(min_value=0, max_value=255))
def test_no_single_changed_byte_makes_another_payment(at: int, byte: int) -> None:
    """A changed byte leaves the answer as it was (outside the signed text) or unbelievable."""
    body = bytearray((GOLDEN / "pay_answer_paid.json").read_bytes())
    body[at % len(body)] = byte
    outcome = subject.read_pay(200, bytes(body), ORDER, verify=VERIFY)
    assert outcome == PAID or isinstance(outcome, Unknown)


@pytest.mark.slow
@given(cut=st.integers(min_value=0, max_value=700))
def test_no_cut_answer_is_paid(cut: int) -> None:
    """Every proper beginning of a paid answer is UNKNOWN."""
    body = (GOLDEN / "pay_answer_paid.json").read_bytes()
    outcome = subject.read_pay(200, body[: min(cut, len(body) - 1)], ORDER, verify=VERIFY)
    assert isinstance(outcome, Unknown)
