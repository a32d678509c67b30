"""WeChat Pay's requests and answers, against frames written by hand and signed by OpenSSL."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaza_server.platforms.calls import HttpAnswer, HttpCall
from plaza_server.platforms.wechat import codec as subject
from plaza_server.platforms.wechat import errors
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
from tests.plaza_server.platforms.wechat import golden
from tests.plaza_server.platforms.wechat.golden import NOW_MS, ORDER, UNDECIDED
from tolling.orders import NextStep, ReasonCode
from tolling.paycodes import PayCode, Wallet

CODEC = golden.codec()
PAID = Paid(captured_fen=2550, provider_txn_id=golden.TXN_ID, paid_at_ms=golden.PAID_MS)
BAD_SIGNATURE = Unknown(evidence=Evidence.BAD_SIGNATURE)
HTTP_STATUS = Unknown(evidence=Evidence.HTTP_STATUS)
FOREIGN = Unknown(evidence=Evidence.FOREIGN)
GARBLED = Unknown(evidence=Evidence.GARBLED)
UNSURE = Unknown(evidence=Evidence.PLATFORM_UNSURE)
REFUNDED = RefundDone(refunded_total_fen=2550)

ANSWERS: dict[str, PlatformOutcome] = {
    "pay_answer_paid": PAID,
    "pay_answer_paid_spaced": PAID,
    "pay_answer_paid_coupon": PAID,
    "pay_answer_paid_by_public_key": PAID,
    "pay_answer_waiting_state": Waiting(),
    "pay_answer_waiting_accepted": Waiting(),
    "pay_answer_waiting_error": Waiting(),
    "pay_answer_payerror": Waiting(),
    "pay_answer_code_invalid": Refused(reason=ReasonCode.CODE_INVALID, next=NextStep.NEW_CODE),
    "pay_answer_balance": Refused(reason=ReasonCode.BALANCE, next=NextStep.OTHER_TENDER),
    "pay_answer_risk": Refused(reason=ReasonCode.RISK, next=NextStep.OTHER_TENDER),
    "pay_answer_system_error": UNSURE,
    "pay_answer_bank_error": UNSURE,
    "pay_answer_trade_error": UNSURE,
    "pay_answer_number_used": UNSURE,
    "pay_answer_param_error": Misconfigured(detail="400 PARAM_ERROR"),
    "pay_answer_no_auth": Misconfigured(detail="403 NO_AUTH"),
    "pay_answer_app_mismatch": Misconfigured(detail="400 APPID_MCHID_NOT_MATCH"),
    "pay_answer_unsigned_sign_error": Misconfigured(detail="unsigned 401 SIGN_ERROR"),
    "pay_answer_unsigned_other_error": BAD_SIGNATURE,
    "pay_answer_unsigned_paid": BAD_SIGNATURE,
    "pay_answer_unsigned_busy": HTTP_STATUS,
    "pay_answer_unsigned_trouble": HTTP_STATUS,
    "pay_answer_proxy_page": HTTP_STATUS,
    "pay_answer_redirect": HTTP_STATUS,
    "pay_answer_bad_signature": BAD_SIGNATURE,
    "pay_answer_tampered": BAD_SIGNATURE,
    "pay_answer_unknown_serial": BAD_SIGNATURE,
    "pay_answer_old": BAD_SIGNATURE,
    "pay_answer_of_tomorrow": BAD_SIGNATURE,
    "pay_answer_sign_test": Unknown(evidence=Evidence.SIGN_TEST),
    "pay_answer_no_base64": BAD_SIGNATURE,
    "pay_answer_half_signed": BAD_SIGNATURE,
    "pay_answer_doubled_signature": BAD_SIGNATURE,
    "pay_answer_doubled_signature_before": BAD_SIGNATURE,
    "pay_answer_other_type": BAD_SIGNATURE,
    "pay_answer_no_type": PAID,
    "pay_answer_foreign": FOREIGN,
    "pay_answer_foreign_account": FOREIGN,
    "pay_answer_no_number": FOREIGN,
    "pay_answer_truncated": GARBLED,
    "pay_answer_cut_in_transit": BAD_SIGNATURE,
    "pay_answer_doubled_field": GARBLED,
    "pay_answer_amount_as_text": GARBLED,
    "pay_answer_amount_with_point": GARBLED,
    "pay_answer_other_currency": GARBLED,
    "pay_answer_empty": GARBLED,
    "query_answer_success": PAID,
    "query_answer_waiting": Waiting(),
    "query_answer_notpay": Waiting(),
    "query_answer_payerror": Waiting(),
    "query_answer_closed": Closed(),
    "query_answer_revoked": Closed(),
    "query_answer_revoked_paid": Closed(refunded_fen=2550),
    "query_answer_refund": PAID,
    "query_answer_not_there": NotThere(),
    "query_answer_param_error": UNSURE,
    "query_answer_system_error": UNSURE,
    "query_answer_too_often": UNSURE,
    "query_answer_strange_state": GARBLED,
    "query_answer_sign_error": Misconfigured(detail="401 SIGN_ERROR"),
    "cancel_answer_done": CancelDone(gave_back=False),
    "cancel_answer_done_empty": CancelDone(gave_back=False),
    "cancel_answer_user_paying": CancelAgain(),
    "cancel_answer_not_there": NotThere(),
    "cancel_answer_reversed": CancelDone(gave_back=False),
    "cancel_answer_too_early": UNSURE,
    "cancel_answer_system_error": UNSURE,
    "cancel_answer_foreign": FOREIGN,
    "cancel_answer_unsigned_empty": BAD_SIGNATURE,
    "refund_answer_processing": UNSURE,
    "refund_answer_done": REFUNDED,
    "refund_answer_less": UNSURE,
    "refund_answer_closed": RefundRefused(detail="CLOSED", final=True),
    "refund_answer_abnormal": RefundRefused(detail="ABNORMAL", final=True),
    "refund_answer_no_balance": RefundRefused(detail="NOT_ENOUGH", final=False),
    "refund_answer_given_back": RefundRefused(detail="INVALID_REQUEST", final=True),
    "refund_answer_not_there": RefundRefused(detail="RESOURCE_NOT_EXISTS", final=False),
    "refund_answer_system_error": UNSURE,
    "refund_answer_foreign": FOREIGN,
    "refund_query_answer_done": REFUNDED,
    "refund_query_answer_processing": UNSURE,
    "refund_query_answer_not_there": RefundRefused(detail="RESOURCE_NOT_EXISTS", final=False),
    "refund_query_answer_closed": RefundRefused(detail="CLOSED", final=True),
    "refund_query_answer_foreign": FOREIGN,
    "refund_query_answer_nothing": GARBLED,
    "refund_query_answer_system_error": UNSURE,
}
PATHS = {
    "pay": ("POST", subject.PAY_PATH),
    "query": ("GET", f"{subject.ORDER_PATH}{ORDER.out_trade_no}?mchid=1900000109"),
    "cancel": ("POST", f"{subject.ORDER_PATH}{ORDER.out_trade_no}/reverse"),
    "refund": ("POST", subject.REFUND_PATH),
    "refund_query": ("GET", f"{subject.REFUND_PATH}/{ORDER.out_refund_no}"),
    "probe": ("GET", f"{subject.ORDER_PATH}{subject.PROBE_NO}?mchid=1900000109"),
}


def read(name: str, order: golden.AnOrder = ORDER) -> PlatformOutcome:
    kind = CallKind(name.split("_answer_", maxsplit=1)[0])
    return CODEC.read(kind, order, golden.answer(name), now_ms=NOW_MS)


def built(kind: str, order: golden.AnOrder = ORDER) -> HttpCall:
    if kind == "probe":
        return CODEC.probe(now_ms=NOW_MS)
    code = PayCode(golden.CODE, Wallet.WECHAT) if kind == "pay" else None
    return CODEC.build(CallKind(kind), order, code=code, now_ms=NOW_MS)


def signed(body: Any, status: int = 200) -> HttpAnswer:
    """Return an answer the platform would sign."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    stamp, nonce = str(NOW_MS // 1000), "a" * 32
    signature = golden.PLATFORM_SIGN(f"{stamp}\n{nonce}\n".encode() + text + b"\n")
    headers = (
        ("wechatpay-timestamp", stamp),
        ("wechatpay-nonce", nonce),
        ("wechatpay-serial", golden.SERIAL),
        ("wechatpay-signature", base64.b64encode(signature).decode()),
    )
    return HttpAnswer(status=status, headers=headers, body=text)


def error(code: object, status: int = 400) -> HttpAnswer:
    return signed({"code": code, "message": "x"}, status)


@pytest.mark.parametrize("kind", sorted(PATHS))
def test_a_request_is_signed_over_its_own_bytes(kind: str) -> None:
    """Method, path, second, nonce and body are those of the hand-written text, and the header
    holds OpenSSL's signature of it."""
    call = built(kind)
    method, path = PATHS[kind]
    assert (call.method, call.url) == (method, f"https://wechat.test{path}")
    headers = dict(call.headers)
    said = dict(re.findall(r'(\w+)="([^"]*)"', headers["Authorization"]))
    assert headers["Authorization"].startswith("WECHATPAY2-SHA256-RSA2048 mchid=")
    assert said["signature"] == (golden.GOLDEN / f"{kind}_request.sign").read_text()
    text = f"{method}\n{path}\n{said['timestamp']}\n{said['nonce_str']}\n".encode()
    text += call.body + b"\n"
    assert text == (golden.GOLDEN / f"{kind}_request.to_sign").read_bytes()
    assert (said["mchid"], said["serial_no"]) == ("1900000109", golden.MERCHANT_SERIAL)
    assert ("Content-Type" in headers) == (method == "POST")
    assert "Wechatpay-Serial" not in headers


def test_with_a_public_key_its_answers_are_asked_for() -> None:
    """The platform signs with the key a request names, else with a certificate's."""
    codec = golden.codec(replace(golden.CONFIG, answer_key=golden.PUBLIC_KEY_ID))
    assert dict(codec.probe(now_ms=NOW_MS).headers)["Wechatpay-Serial"] == golden.PUBLIC_KEY_ID


def test_a_store_goes_along_where_it_is_configured() -> None:
    """What the account does not have is not sent."""
    code = PayCode(golden.CODE, Wallet.WECHAT)
    bare = replace(golden.CONFIG, out_store_id="")
    assert "store_info" not in subject.pay_body(bare, ORDER, code)["scene_info"]
    both = replace(golden.CONFIG, store_id="7")
    store = subject.pay_body(both, ORDER, code)["scene_info"]["store_info"]
    assert store == {"id": "7", "out_id": "330101"}


def test_a_long_subject_is_cut_between_characters() -> None:
    """The platform takes 127 bytes."""
    code = PayCode(golden.CODE, Wallet.WECHAT)
    order = replace(ORDER, subject="站" * 60)
    assert subject.pay_body(golden.CONFIG, order, code)["description"] == "站" * 42


def test_a_refund_of_an_unnumbered_capture_goes_by_our_number() -> None:
    """Where the platform's number never came, ours names the order; the total is what was asked."""
    body = subject.refund_body(replace(ORDER, provider_txn_id=None, captured_fen=0))
    assert (body["out_trade_no"], body["amount"]["total"]) == (ORDER.out_trade_no, 2550)
    assert "transaction_id" not in body
    part = subject.refund_body(replace(ORDER, refund_fen=50))
    assert part["amount"] == {"refund": 50, "total": 2550, "currency": "CNY"}


def test_a_built_pay_never_shows_its_code() -> None:
    """A call that lands in a log or a traceback shows no pay code."""
    assert golden.CODE not in repr(built("pay"))
    assert golden.CODE in built("pay").body.decode()


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_an_answer_proves_what_the_table_says(name: str) -> None:
    """Each golden answer has one meaning."""
    assert read(name) == ANSWERS[name]


def test_every_golden_answer_is_in_the_table() -> None:
    """No frame lies about unused."""
    found = {path.stem for path in golden.GOLDEN.glob("*_answer_*.http")}
    assert {name for name in found if not name.startswith("certificates")} == set(ANSWERS)


def test_a_refund_nobody_of_us_asked_for_was_a_reverse() -> None:
    """An undecided order in state REFUND was given back whole: nobody may pass on it."""
    assert read("query_answer_refund", UNDECIDED) == Closed(refunded_fen=2550)


def test_a_known_capture_stays_one_when_a_part_of_it_went_back() -> None:
    """The state says REFUND from the first refunded fen on; a claim's part ends no payment."""
    claimed = replace(ORDER, out_refund_no=None)
    assert read("query_answer_refund", claimed) == PAID


def test_an_answer_is_judged_by_the_time_it_came() -> None:
    """A genuine answer 300 s away from our clock, before or behind, proves nothing."""
    for now_ms in (NOW_MS + 301_000, NOW_MS - 299_000):
        paid = CODEC.read(CallKind.PAY, ORDER, golden.answer("pay_answer_paid"), now_ms=now_ms)
        assert paid == BAD_SIGNATURE


@pytest.mark.parametrize("code", sorted(errors.PAY_REFUSALS))
def test_a_listed_code_refuses(code: str) -> None:
    """Each documented refusal of pay is final and says what the driver can do."""
    outcome = CODEC.read(CallKind.PAY, ORDER, error(code), now_ms=NOW_MS)
    assert isinstance(outcome, Refused)
    assert outcome.next is not NextStep.WAIT


@pytest.mark.parametrize("kind", sorted(CallKind))
@pytest.mark.parametrize("code", sorted(errors.CONFIG_CODES))
def test_a_configuration_code_suspends(code: str, kind: CallKind) -> None:
    """What we must mend is not blamed on the driver, whatever was asked."""
    outcome = CODEC.read(kind, ORDER, error(code, 403), now_ms=NOW_MS)
    assert outcome == Misconfigured(detail=f"403 {code}")


@pytest.mark.parametrize("code", ["SOMETHING_NEW", "", None, 5, ["USERPAYING"], "二", "X" * 80])
@pytest.mark.parametrize("kind", sorted(CallKind))
def test_what_no_table_lists_is_unknown(kind: CallKind, code: object) -> None:
    """A code we do not know is neither paid nor refused nor done."""
    assert CODEC.read(kind, ORDER, error(code), now_ms=NOW_MS) == UNSURE


PAID_FIELDS: dict[str, Any] = {
    "out_trade_no": ORDER.out_trade_no,
    "trade_state": "SUCCESS",
    "transaction_id": golden.TXN_ID,
    "amount": {"total": 2550},
}


@pytest.mark.parametrize(
    "change",
    [
        {"amount": None},
        {"amount": {}},
        {"amount": {"total": -1}},
        {"amount": {"total": True}},
        {"amount": {"total": 10**13}},
        {"amount": {"payer_total": 2550}},
        {"transaction_id": ""},
        {"transaction_id": None},
        {"transaction_id": "4200 0026"},
    ],
)
@pytest.mark.parametrize("kind", [CallKind.PAY, CallKind.QUERY])
def test_a_paid_answer_without_its_facts_is_garbled(kind: CallKind, change: dict[str, Any]) -> None:
    """Signed or not, paid needs whole fen and a transaction number."""
    assert CODEC.read(kind, ORDER, signed(PAID_FIELDS | change), now_ms=NOW_MS) == GARBLED


def test_another_amount_is_told_as_it_is() -> None:
    """The codec compares no amounts: the rules make a mismatch of it."""
    answer = signed(PAID_FIELDS | {"amount": {"total": 2551}})
    outcome = CODEC.read(CallKind.PAY, ORDER, answer, now_ms=NOW_MS)
    assert isinstance(outcome, Paid)
    assert outcome.captured_fen == 2551


@pytest.mark.parametrize(
    "when",
    [None, "yesterday", 20261122, "2026-11-22T10:30:06", "0001-01-01T00:00:00+23:00", "x" * 41],
)
def test_a_strange_payment_time_costs_only_the_time(when: object) -> None:
    """Paid stays paid when its date cannot be read."""
    answer = signed(PAID_FIELDS | {"success_time": when})
    outcome = CODEC.read(CallKind.PAY, ORDER, answer, now_ms=NOW_MS)
    assert isinstance(outcome, Paid)
    assert outcome.paid_at_ms is None or outcome.paid_at_ms < 0


def test_a_given_back_order_without_an_amount_is_garbled() -> None:
    """Reversed after payment must say how much it was."""
    fields = PAID_FIELDS | {"trade_state": "REVOKED", "success_time": "x", "amount": None}
    assert CODEC.read(CallKind.QUERY, ORDER, signed(fields), now_ms=NOW_MS) == GARBLED


@pytest.mark.parametrize("state", [None, 5, ["SUCCESS"], {}, "success", "SUCCESS "])
def test_a_state_of_no_table_proves_nothing(state: object) -> None:
    """Only the platform's own words are states."""
    answer = signed(PAID_FIELDS | {"trade_state": state})
    assert CODEC.read(CallKind.PAY, ORDER, answer, now_ms=NOW_MS) == UNSURE
    assert CODEC.read(CallKind.QUERY, ORDER, answer, now_ms=NOW_MS) == GARBLED


def test_a_strange_refund_status_is_garbled() -> None:
    """A refund says one of four words."""
    fields = {"out_trade_no": ORDER.out_trade_no, "out_refund_no": ORDER.out_refund_no}
    answer = signed(fields | {"status": "HOPE", "amount": {"refund": 2550}})
    assert CODEC.read(CallKind.REFUND, ORDER, answer, now_ms=NOW_MS) == GARBLED


def test_a_probe_is_good_when_the_platform_knows_no_such_order() -> None:
    """Key, account and clock are in order where a signed answer says "not there"."""
    good = golden.answer("query_answer_not_there")
    assert CODEC.read_probe(good, now_ms=NOW_MS) == NotThere()
    assert CODEC.read_probe(golden.answer("query_answer_system_error"), now_ms=NOW_MS) == UNSURE
    bad = golden.answer("pay_answer_unsigned_sign_error")
    assert CODEC.read_probe(bad, now_ms=NOW_MS) == Misconfigured(detail="unsigned 401 SIGN_ERROR")


HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "Wechatpay-Timestamp",
                "Wechatpay-Nonce",
                "Wechatpay-Signature",
                "Wechatpay-Serial",
                "Wechatpay-Signature-Type",
                "Date",
            ]
        ),
        st.one_of(
            st.text(max_size=30),
            st.sampled_from([str(NOW_MS // 1000), "AAAA", golden.SERIAL, "WECHATPAY/SIGNTEST/x"]),
        ),
    ),
    max_size=7,
).map(tuple)
STATUS = st.sampled_from([100, 200, 202, 204, 302, 400, 401, 403, 404, 429, 500, 599])


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(CallKind))
@given(status=STATUS, headers=HEADERS, body=st.binary(max_size=300))
def test_arbitrary_answers_never_raise_and_prove_nothing(
    kind: CallKind, status: int, headers: tuple[tuple[str, str], ...], body: bytes
) -> None:
    """Whatever arrives unsigned, a reader answers UNKNOWN."""
    answer = HttpAnswer(status=status, headers=headers, body=body)
    outcome = CODEC.read(kind, ORDER, answer, now_ms=NOW_MS)
    assert isinstance(outcome, Unknown)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["SUCCESS", "REFUND", "REVOKED", "USERPAYING", ORDER.out_trade_no]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
FIELDS = st.dictionaries(
    st.sampled_from([*PAID_FIELDS, "out_refund_no", "status", "code", "mchid", "success_time"]),
    JSON,
)


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(CallKind))
@given(status=STATUS, fields=FIELDS)
def test_signed_nonsense_never_raises_and_is_never_paid(
    kind: CallKind, status: int, fields: dict[str, Any]
) -> None:
    """Also a platform gone mad proves no payment without amount and number."""
    outcome = CODEC.read(kind, ORDER, signed(fields, status), now_ms=NOW_MS)
    assert not isinstance(outcome, (Paid, RefundDone))


@pytest.mark.slow
@given(at=st.integers(min_value=0), byte=st.integers(min_value=0, max_value=255))
def test_no_single_changed_byte_makes_another_payment(at: int, byte: int) -> None:
    """A changed byte of the body leaves the answer as it was or unbelievable."""
    answer = golden.answer("pay_answer_paid")
    body = bytearray(answer.body)
    body[at % len(body)] = byte
    outcome = CODEC.read(CallKind.PAY, ORDER, replace(answer, body=bytes(body)), now_ms=NOW_MS)
    assert outcome == (PAID if bytes(body) == answer.body else BAD_SIGNATURE)


@pytest.mark.slow
@given(cut=st.integers(min_value=0, max_value=700))
def test_no_cut_answer_is_paid(cut: int) -> None:
    """Every proper beginning of a paid answer is UNKNOWN."""
    answer = golden.answer("pay_answer_paid")
    cut_answer = replace(answer, body=answer.body[: min(cut, len(answer.body) - 1)])
    outcome = CODEC.read(CallKind.PAY, ORDER, cut_answer, now_ms=NOW_MS)
    assert outcome == BAD_SIGNATURE
