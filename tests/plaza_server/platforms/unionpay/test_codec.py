"""Requests as OpenSSL would sign them, and every golden answer with its one meaning."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaza_server.platforms.calls import HttpAnswer, HttpCall
from plaza_server.platforms.certificates import chain_check
from plaza_server.platforms.keys import rsa_signer
from plaza_server.platforms.unionpay import codec as subject
from plaza_server.rules.calls import CallKind
from plaza_server.rules.outcomes import (
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
from tolling.paycodes import NotAPayCode, PayCode, Wallet, classify

GOLDEN = Path(__file__).parents[3] / "golden" / "unionpay_codec"
CODE = "6228480402564890018"
EMVCO = (
    "hQVDUFYwMWETTwegAAAAVVVVUAhQcm9kdWN0MWETTwegAAAAZmZmUAhQcm9kdWN0MmJJWggSNFZ4kBI0WF8gDkNBUkRI"
    "T0xERVIvRU1WXy0IcnVlc2RlZW5kIZ8QBwYBCgMAAACfJghYT9OF+iNLzJ82AgABnzcEbVjvEw=="
)
NOW_MS = 1_795_314_605_000  # 2026-11-22 10:30:05 in Beijing
PAID_MS = NOW_MS + 1000
QUERY_ID = "402611221030055000008"
CONFIG = subject.UnionpayConfig(
    gateway_url="https://gateway.test/backTransReq.do",
    query_url="https://gateway.test/queryTrans.do",
    merchant_id="777290058110048",
    certificate_id="69597475696",
)


@dataclass(frozen=True, kw_only=True)
class AnOrder:
    """The facts a call is built from."""

    out_trade_no: OutTradeNo
    lane_id: LaneId
    out_refund_no: OutRefundNo | None
    wallet: Wallet | None = Wallet.UNIONPAY
    txn_time: str = "20261122103005"
    refund_txn_time: str = "20261122103605"
    captured_fen: int = 0
    provider_txn_id: str | None = QUERY_ID
    toll_fen: int = 2550
    subject: str = "云岭站 通行费 浙A12345"
    refund_fen: int = 2550


ORDER = AnOrder(
    out_trade_no=OutTradeNo("330101001001000000007A01"),
    lane_id=LaneId("001"),
    out_refund_no=OutRefundNo("330101001001000000007A01R01"),
)
CAPTURED = replace(ORDER, captured_fen=2550)
CODEC = subject.UnionpayCodec(
    CONFIG,
    sign=rsa_signer(GOLDEN / "merchant_private.pem"),
    verify=chain_check(
        root=GOLDEN / "root_cert.pem",
        middle=GOLDEN / "middle_cert.pem",
        owner="中国银联股份有限公司",
        wall_ms=lambda: NOW_MS,
    ),
)

PAID = Paid(captured_fen=2550, provider_txn_id=QUERY_ID, paid_at_ms=PAID_MS)
BAD_SIGNATURE = Unknown(evidence=Evidence.BAD_SIGNATURE)
FOREIGN = Unknown(evidence=Evidence.FOREIGN)
GARBLED = Unknown(evidence=Evidence.GARBLED)
UNSURE = Unknown(evidence=Evidence.PLATFORM_UNSURE)


def refused(reason: ReasonCode, step: NextStep = NextStep.OTHER_TENDER) -> Refused:
    return Refused(reason=reason, next=step)


ANSWERS: dict[str, PlatformOutcome] = {
    "pay_answer_accepted": Waiting(accepted=True),
    "pay_answer_accepted_later": Waiting(),
    "pay_answer_password": Waiting(),
    "pay_answer_code_unknown": refused(ReasonCode.CODE_INVALID, NextStep.NEW_CODE),
    "pay_answer_failed": refused(ReasonCode.PAYMENT_FAILED, NextStep.NEW_CODE),
    "pay_answer_balance": refused(ReasonCode.BALANCE),
    "pay_answer_limit": refused(ReasonCode.PAYER_LIMIT),
    "pay_answer_risk": refused(ReasonCode.RISK),
    "pay_answer_unsure": UNSURE,
    "pay_answer_busy": UNSURE,
    "pay_answer_repeated": UNSURE,
    "pay_answer_our_signature": Misconfigured(detail="11"),
    "pay_answer_no_permission": Misconfigured(detail="32"),
    "pay_answer_no_number": FOREIGN,
    "pay_answer_foreign_number": FOREIGN,
    "pay_answer_foreign_merchant": FOREIGN,
    "pay_answer_foreign_time": FOREIGN,
    "pay_answer_of_a_refund": FOREIGN,
    "pay_answer_no_code": GARBLED,
    "pay_answer_no_message": GARBLED,
    "pay_answer_tampered": BAD_SIGNATURE,
    "pay_answer_bad_signature": BAD_SIGNATURE,
    "pay_answer_stranger": BAD_SIGNATURE,
    "pay_answer_no_signature": BAD_SIGNATURE,
    "pay_answer_signature_no_base64": BAD_SIGNATURE,
    "pay_answer_no_certificate": BAD_SIGNATURE,
    "pay_answer_doubled_field": BAD_SIGNATURE,
    "pay_answer_older_version": BAD_SIGNATURE,
    "pay_answer_with_a_key": BAD_SIGNATURE,
    "pay_answer_truncated": BAD_SIGNATURE,
    "query_answer_paid": PAID,
    "query_answer_paid_typed_as_asked": PAID,
    "query_answer_paid_flawed": PAID,
    "query_answer_paid_with_brackets": PAID,
    "query_answer_paid_next_line": PAID,
    "query_answer_paid_other_amount": replace(PAID, captured_fen=2551),
    "query_answer_paid_without_time": replace(PAID, paid_at_ms=None),
    "query_answer_paid_without_amount": GARBLED,
    "query_answer_paid_in_dollars": GARBLED,
    "query_answer_paid_without_our_time": FOREIGN,
    "query_answer_in_progress": Waiting(),
    "query_answer_undecided": Waiting(),
    "query_answer_refused": Closed(),
    "query_answer_reversed": Closed(),
    "query_answer_strange": UNSURE,
    "query_answer_nothing_about_it": GARBLED,
    "query_answer_not_there": NotThere(),
    "query_answer_too_often": UNSURE,
    "query_answer_our_fields": Misconfigured(detail="13"),
    "cancel_answer_done": CancelDone(gave_back=False),
    "cancel_answer_done_before": CancelDone(gave_back=False),
    "cancel_answer_not_there": NotThere(),
    "cancel_answer_nothing_to_reverse": NotThere(),
    "cancel_answer_again": Unknown(evidence=Evidence.PLATFORM_UNSURE),
    "cancel_answer_unsure": UNSURE,
    "refund_answer_accepted": UNSURE,
    "refund_answer_repeated": UNSURE,
    "refund_answer_reversed": UNSURE,
    "refund_answer_too_much": RefundRefused(detail="33", final=True),
    "refund_answer_given_back": RefundRefused(detail="45", final=True),
    "refund_answer_not_yet": RefundRefused(detail="35", final=False),
    "refund_answer_of_the_payment": FOREIGN,
    "refund_query_answer_done": RefundDone(refunded_total_fen=2550),
    "refund_query_answer_in_progress": UNSURE,
    "refund_query_answer_too_much": RefundRefused(detail="33", final=True),
    "refund_query_answer_reversed": RefundDone(refunded_total_fen=2550),
    "refund_query_answer_failed": UNSURE,
    "refund_query_answer_not_there": RefundRefused(detail="no_such_refund", final=False),
    "refund_query_answer_without_amount": GARBLED,
    "refund_query_answer_busy": UNSURE,
}


def answered(body: bytes, status: int = 200) -> HttpAnswer:
    return HttpAnswer(status=status, headers=(), body=body)


@cache
def golden(name: str) -> bytes:
    return (GOLDEN / f"{name}.txt").read_bytes()


def kind_of(name: str) -> CallKind:
    return CallKind(name.split("_answer_", maxsplit=1)[0])


def read(name: str, status: int = 200) -> PlatformOutcome:
    kind = kind_of(name)
    order = CAPTURED if kind in {CallKind.REFUND, CallKind.REFUND_QUERY} else ORDER
    return CODEC.read(kind, order, answered(golden(name), status), now_ms=NOW_MS)


def built(kind: CallKind, order: AnOrder = ORDER, code: str = CODE) -> HttpCall:
    wallet = Wallet.EMVCO if code == EMVCO else Wallet.UNIONPAY
    pay_code = PayCode(code, wallet) if kind is CallKind.PAY else None
    return CODEC.build(kind, order, code=pay_code, now_ms=NOW_MS)


def pairs_of(call: HttpCall) -> dict[str, str]:
    return dict(parse_qsl(call.body.decode("ascii"), strict_parsing=True))


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("pay", CallKind.PAY, CODE),
        ("pay_emvco", CallKind.PAY, EMVCO),
        ("query", CallKind.QUERY, CODE),
        ("cancel", CallKind.CANCEL, CODE),
        ("refund", CallKind.REFUND, CODE),
        ("refund_query", CallKind.REFUND_QUERY, CODE),
    ],
)
def test_a_request_holds_the_hand_written_pairs_and_openssl_s_signature(
    name: str, kind: CallKind, code: str
) -> None:
    """The form holds exactly the pairs of the text, and OpenSSL's signature of its hex digest."""
    call = built(kind, code=code)
    pairs = pairs_of(call)
    assert pairs.pop("signature") == (GOLDEN / f"{name}_request.sign").read_text()
    text = "&".join(f"{key}={pairs[key]}" for key in sorted(pairs))
    assert text == (GOLDEN / f"{name}_request.to_sign").read_text()
    asks = kind in {CallKind.QUERY, CallKind.REFUND_QUERY}
    assert (call.method, call.url) == ("POST", CONFIG.query_url if asks else CONFIG.gateway_url)


def test_an_emvco_text_is_forwarded_whole() -> None:
    """The lane cannot check its cryptogram: what was scanned is what the platform gets."""
    scanned = classify(EMVCO.encode())
    assert not isinstance(scanned, NotAPayCode)
    call = CODEC.build(CallKind.PAY, ORDER, code=scanned, now_ms=NOW_MS)
    assert pairs_of(call)["qrNo"] == EMVCO


def test_numbers_fit_the_platform_s_format() -> None:
    """8..40 letters and digits, no underscore; a terminal has 8 characters."""
    pay, refund = pairs_of(built(CallKind.PAY)), pairs_of(built(CallKind.REFUND))
    for number in (pay["orderId"], refund["orderId"]):
        assert 8 <= len(number) <= 40
        assert number.isalnum()
    assert pay["termId"] == "00000001"


def test_a_refund_without_their_number_names_ours_and_its_time() -> None:
    """An order whose pay answer was lost can be given back too."""
    pairs = pairs_of(built(CallKind.REFUND, replace(CAPTURED, provider_txn_id=None)))
    assert (pairs["origOrderId"], pairs["origTxnTime"]) == (ORDER.out_trade_no, ORDER.txn_time)
    assert "origQryId" not in pairs


def test_every_call_of_one_order_has_one_time() -> None:
    """Number and time are the platform's key of an order: the clock of a later call is not used."""
    early = CODEC.build(CallKind.QUERY, ORDER, code=None, now_ms=NOW_MS)
    late = CODEC.build(CallKind.QUERY, ORDER, code=None, now_ms=NOW_MS + 86_400_000)
    assert early == late


def test_a_built_pay_never_shows_its_code() -> None:
    """A call that lands in a log or a traceback shows no pay code."""
    assert CODE not in repr(built(CallKind.PAY))


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_an_answer_proves_what_the_table_says(name: str) -> None:
    """Each golden answer has one meaning."""
    assert read(name) == ANSWERS[name]


def test_every_golden_answer_is_in_the_table() -> None:
    """No frame lies about unused."""
    assert {path.stem for path in GOLDEN.glob("*_answer_*.txt")} == set(ANSWERS)


def test_no_answer_to_pay_is_ever_paid() -> None:
    """The gateway's success is "accepted"; only a query tells that money moved."""
    found = {type(read(name)) for name in ANSWERS if name.startswith("pay_")}
    assert Paid not in found


def test_a_captured_order_that_was_reversed_is_closed_with_its_money_back() -> None:
    """What was taken and reversed went back whole."""
    outcome = CODEC.read(
        CallKind.QUERY, CAPTURED, answered(golden("query_answer_reversed")), now_ms=NOW_MS
    )
    assert outcome == Closed(refunded_fen=2550)


@pytest.mark.parametrize(
    ("txn_time", "expected_ms"),
    [
        ("20261122103005", PAID_MS),
        ("20261123103005", PAID_MS),
        ("20261125103005", None),
        ("20250101000000", None),
        ("no time", None),
    ],
)
def test_the_year_of_a_payment_is_the_order_s(txn_time: str, expected_ms: int | None) -> None:
    """The platform tells month to second: a time days away from the order's is no time."""
    assert subject._trace_ms(b"1122103006", txn_time) == expected_ms


def test_a_payment_at_the_turn_of_the_year_finds_its_year() -> None:
    """Ordered on the last second of December, traced in January, and the other way round."""
    new_year_ms = 1_798_732_800_000  # 2027-01-01 00:00:00 in Beijing
    assert subject._trace_ms(b"0101000001", "20261231235959") == new_year_ms + 1000
    assert subject._trace_ms(b"1231235959", "20270101000000") == new_year_ms - 1000
    assert subject._trace_ms(b"0229000000", "20270301000000") is None


@pytest.mark.parametrize("status", [201, 301, 400, 429, 500, 502, 503])
def test_another_status_proves_nothing(status: int) -> None:
    """A believable body under another status is a proxy's, not the gateway's."""
    assert read("query_answer_paid", status) == Unknown(evidence=Evidence.HTTP_STATUS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("query_answer_not_there", FOREIGN),
        ("query_answer_our_fields", FOREIGN),
        ("pay_answer_our_signature", Misconfigured(detail="11")),
        ("pay_answer_tampered", BAD_SIGNATURE),
    ],
)
def test_a_probe_s_answer_is_about_the_probe(name: str, expected: PlatformOutcome) -> None:
    """Another order's answer does not show that the line is good."""
    assert CODEC.read_probe(answered(golden(name)), now_ms=NOW_MS) == expected


def test_a_probe_asks_about_a_number_nobody_gives() -> None:
    """A signed query; ids begin with digits, this one does not."""
    pairs = pairs_of(CODEC.probe(now_ms=NOW_MS))
    assert (pairs["txnType"], pairs["orderId"]) == ("00", subject.PROBE_NO)
    assert pairs["txnTime"] == "20261122103005"


def probed(code: bytes) -> PlatformOutcome:
    """Read an answer to a probe under a codec that believes every signature."""
    codec = subject.UnionpayCodec(CONFIG, sign=lambda _: b"s", verify=lambda *_: True)
    body = b"&".join(
        [
            b"version=5.1.0&signMethod=01&signPubKeyCert=c&signature=QQ==&txnType=00",
            b"merId=777290058110048&orderId=" + subject.PROBE_NO.encode(),
            b"respCode=" + code,
        ]
    )
    return codec.read_probe(answered(body), now_ms=NOW_MS)


def test_a_probe_is_good_where_the_platform_knows_us_and_not_the_number() -> None:
    """34 says the key, the account and the line work; our own fault says so; the rest says
    nothing."""
    assert probed(b"34") == NotThere()
    assert probed(b"11") == Misconfigured(detail="11")
    assert probed(b"00") == UNSURE


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(CallKind))
@given(body=st.binary(max_size=300), status=st.sampled_from([200, 200, 200, 500]))
def test_arbitrary_bytes_never_raise_and_prove_nothing(
    kind: CallKind, body: bytes, status: int
) -> None:
    """Whatever arrives, a reader answers UNKNOWN."""
    outcome = CODEC.read(kind, ORDER, answered(body, status), now_ms=NOW_MS)
    assert isinstance(outcome, Unknown)


PIECES = st.sampled_from(
    [
        b"&",
        b"=",
        b"{",
        b"}",
        b"[",
        b"]",
        b"version=5.1.0",
        b"signMethod=01",
        b"signPubKeyCert=c",
        b"signature=QQ==",
        b"signature",
        b"merId=777290058110048",
        b"orderId=330101001001000000007A01",
        b"txnTime=20261122103005",
        b"txnType=00",
        b"txnType=99",
        b"respCode=00",
        b"respCode=12",
        b"origRespCode=00",
        b"origRespCode=\xff\xff",
        b"txnAmt=2550",
        b"txnAmt=-1",
        b"queryId=402611221030055000008",
        b"traceTime=0230999999",
    ]
)


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(CallKind))
@given(pieces=st.lists(PIECES, max_size=24))
def test_pieces_of_signed_answers_never_raise(kind: CallKind, pieces: list[bytes]) -> None:
    """Also behind a check that believes everything, no mixture of fields breaks a reader."""
    codec = subject.UnionpayCodec(CONFIG, sign=lambda _: b"s", verify=lambda *_: True)
    outcome = codec.read(kind, CAPTURED, answered(b"&".join(pieces)), now_ms=NOW_MS)
    assert not (kind is CallKind.PAY and isinstance(outcome, Paid))


@pytest.mark.slow
@given(at=st.integers(min_value=0), byte=st.integers(min_value=0, max_value=255))
def test_no_single_changed_byte_makes_another_payment(at: int, byte: int) -> None:
    """A changed byte leaves the answer as it was (outside the signed text) or unbelievable."""
    body = bytearray(golden("query_answer_paid"))
    body[at % len(body)] = byte
    outcome = CODEC.read(CallKind.QUERY, ORDER, answered(bytes(body)), now_ms=NOW_MS)
    assert outcome == PAID or isinstance(outcome, Unknown)


@pytest.mark.slow
@given(cut=st.integers(min_value=0))
def test_no_cut_answer_is_paid(cut: int) -> None:
    """Every proper beginning of a paid answer is UNKNOWN."""
    body = golden("query_answer_paid")
    outcome = CODEC.read(CallKind.QUERY, ORDER, answered(body[: cut % len(body)]), now_ms=NOW_MS)
    assert isinstance(outcome, Unknown)
