"""Alipay's trade calls: order facts -> signed request bytes, answer bytes -> what they prove.

A request is a form of system parameters and one JSON text ``biz_content``, signed over the sorted,
unencoded ``k=v`` pairs (RSA2 = SHA256withRSA). An answer is opened by ``envelope``; here its codes
become outcomes. Every reader is total: it never raises for any status and bytes, and nothing but a
verified answer about our number is more than UNKNOWN.

Source: the platform's pages on alipay.trade.pay, query, cancel, refund and fastpay.refund.query, on
request signing, and the tables in ``subcodes``.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from plaza_server.platforms.alipay import subcodes
from plaza_server.platforms.alipay.envelope import AnswerCheck, Opened, open_answer
from plaza_server.platforms.calls import (
    HttpAnswer,
    HttpCall,
    PlatformOrder,
    Signer,
)
from plaza_server.platforms.forms import form_body
from plaza_server.rules.calls import CallKind
from plaza_server.rules.outcomes import (
    CancelAgain,
    CancelDone,
    CancelOutcome,
    Closed,
    Evidence,
    Misconfigured,
    NotThere,
    Paid,
    PayOutcome,
    PlatformOutcome,
    QueryOutcome,
    RefundDone,
    RefundOutcome,
    RefundRefused,
    Unknown,
    Waiting,
)
from tolling.clock import BEIJING
from tolling.money import Money
from tolling.paycodes import PayCode, Wallet

PAY = "alipay.trade.pay"
QUERY = "alipay.trade.query"
CANCEL = "alipay.trade.cancel"
REFUND = "alipay.trade.refund"
REFUND_QUERY = "alipay.trade.fastpay.refund.query"

_EPOCH = datetime(1970, 1, 1, 8, tzinfo=BEIJING)
_TXN_ID = re.compile(r"[0-9A-Za-z]{8,64}", re.ASCII)
_HEADERS = (
    ("Content-Type", "application/x-www-form-urlencoded;charset=utf-8"),
    ("Accept", "application/json"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlipayConfig:
    """What of our account with the platform goes into a request."""

    gateway_url: str
    app_id: str
    """At most 32 characters."""
    store_id: str = ""
    """At most 32 characters; empty leaves it out."""
    timeout_minutes: int = 2
    """After which the platform closes an unpaid order by itself, 1..15. A safety net: we cancel
    first."""
    app_cert_sn: str = ""
    """Certificate mode: the SN of our certificate."""
    alipay_root_cert_sn: str = ""
    """Certificate mode: the SNs of the platform's roots."""

    def __post_init__(self) -> None:
        assert 1 <= self.timeout_minutes <= 15
        assert bool(self.app_cert_sn) == bool(self.alipay_root_cert_sn)
        assert 0 < len(self.app_id) <= 32


PROBE_NO = "PROBE00000000000000000000"
"""An order number nobody ever gives: ids begin with digits."""


class AlipayCodec:
    """Alipay's calls as bytes, behind the face every platform's codec shows."""

    def __init__(self, config: AlipayConfig, *, sign: Signer, verify: AnswerCheck) -> None:
        self._config = config
        self._sign = sign
        self._verify = verify

    @property
    def name(self) -> str:
        """The platform's name."""
        return Wallet.ALIPAY.value

    def build(
        self, kind: CallKind, order: PlatformOrder, *, code: PayCode | None, now_ms: int
    ) -> HttpCall:
        """Return the one request of a call; *code* for PAY only."""
        config, sign = self._config, self._sign
        match kind:
            case CallKind.PAY:
                assert code is not None, "pay without a pay code"
                return build_pay(config, order, code=code, now_ms=now_ms, sign=sign)
            case CallKind.QUERY:
                return build_query(config, order, now_ms=now_ms, sign=sign)
            case CallKind.CANCEL:
                return build_cancel(config, order, now_ms=now_ms, sign=sign)
            case CallKind.REFUND:
                return build_refund(config, order, now_ms=now_ms, sign=sign)
            case CallKind.REFUND_QUERY:
                return build_refund_query(config, order, now_ms=now_ms, sign=sign)

    def read(
        self, kind: CallKind, order: PlatformOrder, answer: HttpAnswer, *, now_ms: int
    ) -> PlatformOutcome:
        """Return what an answer proves; its age is not signed here, so *now_ms* is of no use."""
        status, body, verify = answer.status, answer.body, self._verify
        match kind:
            case CallKind.PAY:
                return read_pay(status, body, order, verify=verify)
            case CallKind.QUERY:
                return read_query(status, body, order, verify=verify)
            case CallKind.CANCEL:
                return read_cancel(status, body, order, verify=verify)
            case CallKind.REFUND:
                return read_refund(status, body, order, verify=verify)
            case CallKind.REFUND_QUERY:
                return read_refund_query(status, body, order, verify=verify)

    def probe(self, *, now_ms: int) -> HttpCall:
        """Return a query of a number that is never given."""
        biz = {"out_trade_no": PROBE_NO}
        return signed_call(self._config, QUERY, biz, now_ms=now_ms, sign=self._sign)

    def read_probe(self, answer: HttpAnswer, *, now_ms: int) -> PlatformOutcome:
        """Return NotThere where the platform knows us and its key is the one we hold."""
        fields = _fields(answer.status, answer.body, QUERY, PROBE_NO, self._verify)
        if isinstance(fields, (Unknown, Misconfigured)):
            return fields
        if _codes(fields) == (subcodes.BUSINESS_FAILED, subcodes.TRADE_NOT_EXIST):
            return NotThere()
        return Unknown(evidence=Evidence.PLATFORM_UNSURE)


# ---- requests ----


def build_pay(
    config: AlipayConfig, order: PlatformOrder, *, code: PayCode, now_ms: int, sign: Signer
) -> HttpCall:
    """Return the call that spends *code* on *order*. Sent once, whatever comes of it.

    Args:   now_ms: UTC milliseconds; the platform wants Beijing time in its timestamp.
    """
    assert code.wallet is Wallet.ALIPAY, "another platform's code"
    assert order.toll_fen > 0
    biz = {
        "out_trade_no": order.out_trade_no,
        "scene": "bar_code",
        "auth_code": code.reveal(),
        "product_code": "FACE_TO_FACE_PAYMENT",
        "subject": order.subject,
        "total_amount": Money(order.toll_fen).yuan_text(),
        "timeout_express": f"{config.timeout_minutes}m",
        "terminal_id": order.lane_id,
    }
    if config.store_id:
        biz["store_id"] = config.store_id
    return signed_call(config, PAY, biz, now_ms=now_ms, sign=sign)


def build_query(
    config: AlipayConfig, order: PlatformOrder, *, now_ms: int, sign: Signer
) -> HttpCall:
    """Return the call that asks how *order* stands."""
    return signed_call(
        config, QUERY, {"out_trade_no": order.out_trade_no}, now_ms=now_ms, sign=sign
    )


def build_cancel(
    config: AlipayConfig, order: PlatformOrder, *, now_ms: int, sign: Signer
) -> HttpCall:
    """Return the call that closes *order*, or gives back what it captured."""
    return signed_call(
        config, CANCEL, {"out_trade_no": order.out_trade_no}, now_ms=now_ms, sign=sign
    )


def build_refund(
    config: AlipayConfig, order: PlatformOrder, *, now_ms: int, sign: Signer
) -> HttpCall:
    """Return the call that gives ``refund_fen`` back under the order's refund number (its
    idempotency key)."""
    assert order.out_refund_no is not None
    assert order.refund_fen > 0
    biz = {
        "out_trade_no": order.out_trade_no,
        "refund_amount": Money(order.refund_fen).yuan_text(),
        "refund_reason": "通行费退款",
        "out_request_no": order.out_refund_no,
    }
    return signed_call(config, REFUND, biz, now_ms=now_ms, sign=sign)


def build_refund_query(
    config: AlipayConfig, order: PlatformOrder, *, now_ms: int, sign: Signer
) -> HttpCall:
    """Return the call that asks whether the refund number was carried out."""
    assert order.out_refund_no is not None
    biz = {"out_trade_no": order.out_trade_no, "out_request_no": order.out_refund_no}
    return signed_call(config, REFUND_QUERY, biz, now_ms=now_ms, sign=sign)


def text_to_sign(parameters: dict[str, str]) -> bytes:
    """Return what a request's signature covers: sorted, unencoded, without ``sign`` and empty
    values."""
    pairs = sorted((k, v) for k, v in parameters.items() if k != "sign" and v)
    return "&".join(f"{key}={value}" for key, value in pairs).encode("utf-8")


def signed_call(
    config: AlipayConfig, method: str, biz: dict[str, str], *, now_ms: int, sign: Signer
) -> HttpCall:
    """Return one call of any method of the gateway."""
    stamp = datetime.fromtimestamp(now_ms // 1000, tz=BEIJING).strftime("%Y-%m-%d %H:%M:%S")
    parameters = {
        "app_id": config.app_id,
        "method": method,
        "format": "JSON",
        "charset": "utf-8",
        "sign_type": "RSA2",
        "timestamp": stamp,
        "version": "1.0",
        "biz_content": json.dumps(biz, ensure_ascii=False, separators=(",", ":")),
    }
    if config.app_cert_sn:
        parameters["app_cert_sn"] = config.app_cert_sn
        parameters["alipay_root_cert_sn"] = config.alipay_root_cert_sn
    parameters["sign"] = base64.b64encode(sign(text_to_sign(parameters))).decode("ascii")
    return HttpCall(
        method="POST",
        url=config.gateway_url,
        headers=_HEADERS,
        body=form_body(parameters),
    )


# ---- answers ----


def read_pay(status: int, body: bytes, order: PlatformOrder, *, verify: AnswerCheck) -> PayOutcome:
    """Return what an answer to pay proves. 10000 is paid; the exact amount is the rules' to
    compare."""
    fields = _fields(status, body, PAY, order.out_trade_no, verify)
    if isinstance(fields, (Unknown, Misconfigured)):
        return fields
    code, sub_code = _codes(fields)
    if code == subcodes.SUCCESS:
        return _paid(fields, order, paid_at="gmt_payment")
    if code == subcodes.WAITING:
        return Waiting()
    if code == subcodes.BUSINESS_FAILED and sub_code in subcodes.PAY_REFUSALS:
        return subcodes.PAY_REFUSALS[sub_code]
    return Unknown(evidence=Evidence.PLATFORM_UNSURE)


def read_query(
    status: int, body: bytes, order: PlatformOrder, *, verify: AnswerCheck
) -> QueryOutcome:
    """Return what an answer to query proves."""
    fields = _fields(status, body, QUERY, order.out_trade_no, verify)
    if isinstance(fields, (Unknown, Misconfigured)):
        return fields
    code, sub_code = _codes(fields)
    if code == subcodes.BUSINESS_FAILED and sub_code == subcodes.TRADE_NOT_EXIST:
        return NotThere()
    if code != subcodes.SUCCESS:
        return Unknown(evidence=Evidence.PLATFORM_UNSURE)
    if fields.get("out_trade_no") != order.out_trade_no:
        return Unknown(evidence=Evidence.FOREIGN)
    match fields.get("trade_status"):
        case "TRADE_SUCCESS" | "TRADE_FINISHED":
            return _paid(fields, order, paid_at="send_pay_date")
        case "WAIT_BUYER_PAY":
            return Waiting()
        case "TRADE_CLOSED":
            return _closed(fields)
        case _:
            return Unknown(evidence=Evidence.GARBLED)


def read_cancel(
    status: int, body: bytes, order: PlatformOrder, *, verify: AnswerCheck
) -> CancelOutcome:
    """Return what an answer to cancel says. Nobody believes it before a query agrees."""
    fields = _fields(status, body, CANCEL, order.out_trade_no, verify)
    if isinstance(fields, (Unknown, Misconfigured)):
        return fields
    code, sub_code = _codes(fields)
    if fields.get("retry_flag") == "Y":
        return CancelAgain()
    if code == subcodes.SUCCESS:
        return CancelDone(gave_back=fields.get("action") == "refund")
    if code == subcodes.BUSINESS_FAILED and sub_code == subcodes.TRADE_NOT_EXIST:
        return NotThere()
    return Unknown(evidence=Evidence.PLATFORM_UNSURE)


def read_refund(
    status: int, body: bytes, order: PlatformOrder, *, verify: AnswerCheck
) -> RefundOutcome:
    """Return what an answer to refund proves. ``refund_fee`` is the total over all refunds so far.

    ``fund_change`` N with a total that covers ours is the same refund asked again: done.
    """
    fields = _fields(status, body, REFUND, order.out_trade_no, verify)
    if isinstance(fields, (Unknown, Misconfigured)):
        return fields
    code, sub_code = _codes(fields)
    if code == subcodes.BUSINESS_FAILED and sub_code in subcodes.REFUND_REFUSALS:
        return RefundRefused(detail=sub_code, final=subcodes.REFUND_REFUSALS[sub_code])
    if code != subcodes.SUCCESS:
        return Unknown(evidence=Evidence.PLATFORM_UNSURE)
    if fields.get("out_trade_no") != order.out_trade_no:
        return Unknown(evidence=Evidence.FOREIGN)
    total_fen = _fen(fields.get("refund_fee"))
    if total_fen is None:
        return Unknown(evidence=Evidence.GARBLED)
    if total_fen < order.refund_fen:
        return Unknown(evidence=Evidence.PLATFORM_UNSURE)
    return RefundDone(refunded_total_fen=total_fen)


def read_refund_query(
    status: int, body: bytes, order: PlatformOrder, *, verify: AnswerCheck
) -> RefundOutcome:
    """Return whether the refund number was carried out; a success without its fields says it was
    not."""
    fields = _fields(status, body, REFUND_QUERY, order.out_trade_no, verify)
    if isinstance(fields, (Unknown, Misconfigured)):
        return fields
    code, sub_code = _codes(fields)
    if code == subcodes.BUSINESS_FAILED and sub_code == subcodes.TRADE_NOT_EXIST:
        return RefundRefused(detail=sub_code, final=False)
    if code != subcodes.SUCCESS:
        return Unknown(evidence=Evidence.PLATFORM_UNSURE)
    if "refund_amount" not in fields:
        return RefundRefused(detail="no_such_refund", final=False)
    if (fields.get("out_trade_no"), fields.get("out_request_no")) != (
        order.out_trade_no,
        order.out_refund_no,
    ):
        return Unknown(evidence=Evidence.FOREIGN)
    amount_fen = _fen(fields["refund_amount"])
    if amount_fen is None:
        return Unknown(evidence=Evidence.GARBLED)
    if fields.get("refund_status", "REFUND_SUCCESS") != "REFUND_SUCCESS" or amount_fen == 0:
        return Unknown(evidence=Evidence.PLATFORM_UNSURE)
    return RefundDone(refunded_total_fen=amount_fen)


def _fields(
    status: int, body: bytes, method: str, number: str, verify: AnswerCheck
) -> dict[str, Any] | Unknown | Misconfigured:
    """Return the verified fields of an answer about order *number*, or what it is instead."""
    if status != 200:
        return Unknown(evidence=Evidence.HTTP_STATUS)
    opened = open_answer(body, node=f"{method.replace('.', '_')}_response", verify=verify)
    if isinstance(opened, Evidence):
        return Unknown(evidence=opened)
    code, sub_code = _codes(opened.fields)
    if not opened.signed:
        return _unsigned_error(opened, code, sub_code)
    if opened.fields.get("out_trade_no", number) != number:
        return Unknown(evidence=Evidence.FOREIGN)
    failed = code == subcodes.BUSINESS_FAILED
    if code in subcodes.CONFIG_CODES or (failed and subcodes.is_config_sub_code(sub_code)):
        return Misconfigured(detail=f"{code} {sub_code}".strip())
    return opened.fields


def _unsigned_error(opened: Opened, code: str, sub_code: str) -> Unknown | Misconfigured:
    """The gateway does not sign when it cannot tell who asked. That may stop us; it proves no
    payment."""
    if code in subcodes.CONFIG_CODES:
        return Misconfigured(detail=f"unsigned {code} {sub_code}".strip())
    return Unknown(evidence=Evidence.BAD_SIGNATURE)


def _codes(fields: dict[str, Any]) -> tuple[str, str]:
    code = fields.get("code")
    text = code if isinstance(code, str) else ""
    return text, subcodes.normal_sub_code(fields.get("sub_code"))


def _paid(fields: dict[str, Any], order: PlatformOrder, *, paid_at: str) -> Paid | Unknown:
    if fields.get("out_trade_no") != order.out_trade_no:
        return Unknown(evidence=Evidence.FOREIGN)
    amount_fen = _fen(fields.get("total_amount"))
    trade_no = fields.get("trade_no")
    if amount_fen is None or not isinstance(trade_no, str) or not _TXN_ID.fullmatch(trade_no):
        return Unknown(evidence=Evidence.GARBLED)
    return Paid(
        captured_fen=amount_fen,
        provider_txn_id=trade_no,
        paid_at_ms=_beijing_ms(fields.get(paid_at)),
    )


def _closed(fields: dict[str, Any]) -> Closed | Unknown:
    """A closed trade with a payment date had been captured and was given back whole."""
    if not fields.get("send_pay_date"):
        return Closed()
    amount_fen = _fen(fields.get("total_amount"))
    if amount_fen is None:
        return Unknown(evidence=Evidence.GARBLED)
    return Closed(refunded_fen=amount_fen)


def _fen(value: object) -> int | None:
    """Return a yuan text as fen, or None where it is none."""
    if not isinstance(value, str):
        return None
    try:
        return Money.from_yuan_text(value).fen
    except ValueError:
        return None


def _beijing_ms(value: object) -> int | None:
    """Return ``yyyy-MM-dd HH:mm:ss`` in Beijing time as UTC milliseconds, or None where it is no
    such text."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.strptime(value, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    except ValueError:
        return None
    return (moment - _EPOCH) // timedelta(milliseconds=1)
