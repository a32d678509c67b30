"""WeChat Pay's calls over API v3: order facts -> signed request bytes, answer bytes -> what they
prove.

A request carries one JSON body (none for a query) and an Authorization header whose signature
covers method, path with query, second, nonce and those very bytes. An answer is opened by
``envelope``; here its fields become outcomes. Every reader is total: it never raises for any
status, header and bytes, and nothing but a verified answer about our number is more than UNKNOWN.

Three things differ from other platforms. Reverse does not say whether money went back: a query
tells. A refund is only accepted by the call (PROCESSING, minutes to days): its query tells. And
error bodies name no order, so what they say rests on the signature's second and on the connection.

Source: the platform's pages on v3 code payment, query by merchant number, reverse, refunds, request
signing, and the tables in ``errors``.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from plaza_server.platforms.calls import HttpAnswer, HttpCall, PlatformOrder, Signer
from plaza_server.platforms.wechat import errors
from plaza_server.platforms.wechat.envelope import (
    SIGNATURE_TYPE,
    Opened,
    SerialCheck,
    open_answer,
)
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
from tolling.paycodes import PayCode, Wallet

PAY_PATH = "/v3/pay/transactions/codepay"
ORDER_PATH = "/v3/pay/transactions/out-trade-no/"
REFUND_PATH = "/v3/refund/domestic/refunds"
CURRENCY = "CNY"
MAX_DESCRIPTION_BYTES = 127
MAX_FEN = 10**12
"""Ten thousand million yuan: no answer about a toll comes near."""
PROBE_NO = "PROBE00000000000000000000"
"""An order number nobody ever gives: ids begin with digits."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TXN_ID = re.compile(r"[0-9A-Za-z]{8,64}", re.ASCII)
_OPEN_STATES = frozenset({"USERPAYING", "NOTPAY", "ACCEPT", "PAYERROR"})
"""Unpaid and not closed. PAYERROR too: it is final only after a reverse."""
_GARBLED = Unknown(evidence=Evidence.GARBLED)
_UNSURE = Unknown(evidence=Evidence.PLATFORM_UNSURE)
_FOREIGN = Unknown(evidence=Evidence.FOREIGN)

NonceSource = Callable[[], str]
"""Fresh text nobody can foretell, 1..32 of [0-9A-Za-z]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WechatConfig:
    """What of our account with the platform goes into a request."""

    base_url: str
    """Scheme and host, no path: ``https://api.mch.weixin.qq.com``."""
    mchid: str
    """Digits, at most 32."""
    appid: str
    """At most 32 characters."""
    device_ip: str = "127.0.0.1"
    """The address of the till, as the platform's risk control wants it."""
    store_id: str = ""
    """The platform's number of the store; empty leaves it out."""
    out_store_id: str = ""
    """Our own number of it; empty leaves it out."""
    answer_key: str = ""
    """Ask for answers signed by this public key id (``PUB_KEY_ID_...``); empty: by a platform
    certificate."""

    def __post_init__(self) -> None:
        assert 0 < len(self.mchid) <= 32
        assert 0 < len(self.appid) <= 32
        assert not urlsplit(self.base_url).path


@dataclass(frozen=True, slots=True, kw_only=True)
class Pen:
    """What signs our requests."""

    sign: Signer
    serial: str
    """Of the merchant certificate whose key signs, hex."""
    nonce: NonceSource


class WechatCodec:
    """WeChat Pay's calls as bytes, behind the face every platform's codec shows."""

    def __init__(
        self,
        config: WechatConfig,
        *,
        sign: Signer,
        serial: str,
        verify: SerialCheck,
        nonce: NonceSource,
    ) -> None:
        self._config = config
        self._pen = Pen(sign=sign, serial=serial, nonce=nonce)
        self._verify = verify

    @property
    def name(self) -> str:
        """The platform's name."""
        return Wallet.WECHAT.value

    def build(
        self, kind: CallKind, order: PlatformOrder, *, code: PayCode | None, now_ms: int
    ) -> HttpCall:
        """Return the one request of a call; *code* for PAY only."""
        match kind:
            case CallKind.PAY:
                assert code is not None, "pay without a pay code"
                return self._call("POST", PAY_PATH, pay_body(self._config, order, code), now_ms)
            case CallKind.QUERY:
                return self._call("GET", self._query_path(order.out_trade_no), None, now_ms)
            case CallKind.CANCEL:
                body = {"appid": self._config.appid, "mchid": self._config.mchid}
                path = f"{ORDER_PATH}{order.out_trade_no}/reverse"
                return self._call("POST", path, body, now_ms)
            case CallKind.REFUND:
                return self._call("POST", REFUND_PATH, refund_body(order), now_ms)
            case CallKind.REFUND_QUERY:
                assert order.out_refund_no is not None
                return self._call("GET", f"{REFUND_PATH}/{order.out_refund_no}", None, now_ms)

    def read(
        self, kind: CallKind, order: PlatformOrder, answer: HttpAnswer, *, now_ms: int
    ) -> PlatformOutcome:
        """Return what an answer that came at *now_ms* proves."""
        opened = self._open(answer, now_ms)
        if isinstance(opened, (Unknown, Misconfigured)):
            return opened
        if opened.good and not opened.fields and kind is not CallKind.CANCEL:
            return _GARBLED
        match kind:
            case CallKind.PAY:
                return read_pay(self._config, opened, order)
            case CallKind.QUERY:
                return read_query(self._config, opened, order)
            case CallKind.CANCEL:
                return read_cancel(self._config, opened, order)
            case CallKind.REFUND:
                return read_refund(opened, order)
            case CallKind.REFUND_QUERY:
                return read_refund_query(opened, order)

    def probe(self, *, now_ms: int) -> HttpCall:
        """Return a query of a number that is never given."""
        return self._call("GET", self._query_path(PROBE_NO), None, now_ms)

    def read_probe(self, answer: HttpAnswer, *, now_ms: int) -> PlatformOutcome:
        """Return NotThere where the platform knows us and we hold the key it signs with."""
        opened = self._open(answer, now_ms)
        if isinstance(opened, (Unknown, Misconfigured)):
            return opened
        return NotThere() if opened.code in errors.NOT_THERE else _UNSURE

    def _open(self, answer: HttpAnswer, now_ms: int) -> Opened | Unknown | Misconfigured:
        """Return a verified answer's fields, or what the answer is instead."""
        opened = open_answer(answer, verify=self._verify, now_ms=now_ms)
        if isinstance(opened, Evidence):
            return Unknown(evidence=opened)
        if not opened.signed:
            # Our own signature was not recognised, so nobody signs back.
            if opened.status == 401 or opened.code in errors.CONFIG_CODES:
                return Misconfigured(detail=f"unsigned {opened.status} {opened.code}".strip())
            return Unknown(evidence=Evidence.BAD_SIGNATURE)
        if not opened.good and opened.code in errors.CONFIG_CODES:
            return Misconfigured(detail=f"{opened.status} {opened.code}")
        return opened

    def _query_path(self, number: str) -> str:
        return f"{ORDER_PATH}{number}?mchid={self._config.mchid}"

    def _call(self, method: str, path: str, body: dict[str, Any] | None, now_ms: int) -> HttpCall:
        text = b"" if body is None else _json(body)
        return signed_call(self._config, self._pen, method, path, text, now_ms=now_ms)


# ---- requests ----


def pay_body(config: WechatConfig, order: PlatformOrder, code: PayCode) -> dict[str, Any]:
    """Return what spends *code* on *order*. Sent once, whatever comes of it."""
    assert code.wallet is Wallet.WECHAT, "another platform's code"
    assert order.toll_fen > 0
    scene: dict[str, Any] = {"device_id": order.lane_id, "device_ip": config.device_ip}
    store = {"id": config.store_id, "out_id": config.out_store_id}
    if store := {key: value for key, value in store.items() if value}:
        scene["store_info"] = store
    return {
        "appid": config.appid,
        "mchid": config.mchid,
        "description": _cut(order.subject),
        "out_trade_no": order.out_trade_no,
        "payer": {"auth_code": code.reveal()},
        "amount": {"total": order.toll_fen, "currency": CURRENCY},
        "scene_info": scene,
    }


def refund_body(order: PlatformOrder) -> dict[str, Any]:
    """Return what gives ``refund_fen`` back under the order's refund number (its idempotency key).

    The platform's own number goes before ours: by ours alone, refunds of paid orders have been
    answered "no such order" for minutes. ``total`` must be what was captured.
    """
    assert order.out_refund_no is not None
    assert order.refund_fen > 0
    named = {"out_trade_no": str(order.out_trade_no)}
    if order.provider_txn_id is not None:
        named = {"transaction_id": order.provider_txn_id}
    total_fen = order.captured_fen or order.toll_fen
    return {
        **named,
        "out_refund_no": order.out_refund_no,
        "reason": "通行费退款",
        "amount": {"refund": order.refund_fen, "total": total_fen, "currency": CURRENCY},
    }


def text_to_sign(method: str, path: str, stamp: str, nonce: str, body: bytes) -> bytes:
    """Return what a request's signature covers: five lines, each with its end.

    Args:   path: with its query. stamp: UNIX seconds, 10 digits. body: as sent; empty for GET.
    """
    return f"{method}\n{path}\n{stamp}\n{nonce}\n".encode() + body + b"\n"


def signed_call(
    config: WechatConfig, pen: Pen, method: str, path: str, body: bytes, *, now_ms: int
) -> HttpCall:
    """Return a request with its Authorization.

    Args:   now_ms: UTC milliseconds; more than 5 minutes off, the platform answers 401.
    """
    stamp, nonce = str(now_ms // 1000), pen.nonce()
    signature = pen.sign(text_to_sign(method, path, stamp, nonce, body))
    parts = {
        "mchid": config.mchid,
        "nonce_str": nonce,
        "signature": base64.b64encode(signature).decode("ascii"),
        "timestamp": stamp,
        "serial_no": pen.serial,
    }
    said = ",".join(f'{key}="{value}"' for key, value in parts.items())
    headers = [
        ("Authorization", f"{SIGNATURE_TYPE} {said}"),
        ("Accept", "application/json"),
        # The platform refuses a request without one.
        ("User-Agent", "open-toll-lane"),
    ]
    if method == "POST":
        headers.append(("Content-Type", "application/json"))
    if config.answer_key:
        headers.append(("Wechatpay-Serial", config.answer_key))
    return HttpCall(
        method=method, url=f"{config.base_url}{path}", headers=tuple(headers), body=body
    )


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _cut(text: str) -> str:
    """Return *text* within the platform's 127 bytes, no character halved."""
    return text.encode("utf-8")[:MAX_DESCRIPTION_BYTES].decode("utf-8", "ignore")


# ---- answers, verified by now ----


def read_pay(config: WechatConfig, opened: Opened, order: PlatformOrder) -> PayOutcome:
    """Return what an answer to pay proves. SUCCESS is paid; the exact amount is the rules' to
    compare."""
    if opened.code in errors.USER_PAYING:
        return Waiting()
    if not opened.good:
        if opened.code in errors.PAY_CONFIG_CODES:
            return Misconfigured(detail=f"{opened.status} {opened.code}")
        return errors.PAY_REFUSALS.get(opened.code, _UNSURE)
    if not _is_ours(config, opened.fields, order):
        return _FOREIGN
    match opened.fields.get("trade_state"):
        case "SUCCESS":
            return _paid(opened.fields)
        case str(state) if state in _OPEN_STATES:
            return Waiting()
        case _:
            return _UNSURE


def read_query(config: WechatConfig, opened: Opened, order: PlatformOrder) -> QueryOutcome:
    """Return what an answer to query proves."""
    if opened.code in errors.USER_PAYING:
        return Waiting()
    if not opened.good:
        return NotThere() if opened.code in errors.NOT_THERE else _UNSURE
    fields = opened.fields
    if not _is_ours(config, fields, order):
        return _FOREIGN
    match fields.get("trade_state"):
        case "SUCCESS":
            return _paid(fields)
        case "REFUND":
            # Given back in part or whole; the answer does not say. Of a capture we know of, the
            # query of the refund's own number tells. One we did not know of was undone before it
            # was seen, and what undoes an order gives back the whole: nobody may pass on it.
            known = order.captured_fen > 0 or order.out_refund_no is not None
            return _paid(fields) if known else _given_back(fields)
        case "REVOKED" if fields.get("success_time"):
            return _given_back(fields)
        case "REVOKED" | "CLOSED":
            return Closed()
        case str(state) if state in _OPEN_STATES:
            return Waiting()
        case _:
            return _GARBLED


def read_cancel(config: WechatConfig, opened: Opened, order: PlatformOrder) -> CancelOutcome:
    """Return what an answer to reverse says. Nobody believes it before a query agrees: it has said
    yes and done nothing."""
    if opened.good:
        if opened.fields and not _is_ours(config, opened.fields, order):
            return _FOREIGN
        return CancelDone(gave_back=False)
    code = opened.code
    if code in errors.USER_PAYING or code in errors.TOO_OFTEN:
        return CancelAgain()
    if code in errors.NOT_THERE:
        return NotThere()
    return CancelDone(gave_back=False) if code in errors.CANCEL_DONE else _UNSURE


def read_refund(opened: Opened, order: PlatformOrder) -> RefundOutcome:
    """Return what an answer to refund proves: mostly that it was accepted, so UNKNOWN."""
    code = opened.code
    if not opened.good and code in errors.REFUND_REFUSALS:
        return RefundRefused(detail=code, final=errors.REFUND_REFUSALS[code])
    return _refund(opened.fields, order) if opened.good else _UNSURE


def read_refund_query(opened: Opened, order: PlatformOrder) -> RefundOutcome:
    """Return whether the refund number was carried out, and over how much."""
    if not opened.good and opened.code in errors.NOT_THERE:
        return RefundRefused(detail=opened.code, final=False)
    return _refund(opened.fields, order) if opened.good else _UNSURE


def _refund(fields: dict[str, Any], order: PlatformOrder) -> RefundOutcome:
    """Return what one refund's fields say."""
    if fields.get("out_refund_no") != order.out_refund_no or order.out_refund_no is None:
        return _FOREIGN
    if fields.get("out_trade_no") != order.out_trade_no:
        return _FOREIGN
    match fields.get("status"):
        case "SUCCESS":
            refund_fen = _amount(fields, "refund")
            if refund_fen is None or refund_fen == 0:
                return _GARBLED
            if refund_fen < order.refund_fen:
                return _UNSURE
            return RefundDone(refunded_total_fen=refund_fen)
        case "PROCESSING":
            return _UNSURE
        case "CLOSED" | "ABNORMAL" as status:
            # Closed: it waited seven days for our balance, and only a new number begins anew.
            # Abnormal: the payer's card is gone, and the money waits for a person of ours.
            return RefundRefused(detail=status, final=True)
        case _:
            return _GARBLED


def _is_ours(config: WechatConfig, fields: dict[str, Any], order: PlatformOrder) -> bool:
    """Return whether the answer is about our order at our account."""
    if fields.get("out_trade_no") != order.out_trade_no:
        return False
    account = {"mchid": config.mchid, "appid": config.appid}
    return all(fields.get(key, ours) == ours for key, ours in account.items())


def _paid(fields: dict[str, Any]) -> Paid | Unknown:
    amount_fen = _amount(fields, "total")
    txn_id = fields.get("transaction_id")
    if amount_fen is None or not isinstance(txn_id, str) or not _TXN_ID.fullmatch(txn_id):
        return _GARBLED
    paid_at_ms = _rfc3339_ms(fields.get("success_time"))
    return Paid(captured_fen=amount_fen, provider_txn_id=txn_id, paid_at_ms=paid_at_ms)


def _given_back(fields: dict[str, Any]) -> Closed | Unknown:
    amount_fen = _amount(fields, "total")
    return _GARBLED if amount_fen is None else Closed(refunded_fen=amount_fen)


def _amount(fields: dict[str, Any], name: str) -> int | None:
    """Return whole fen out of ``amount``, or None where there are none.

    ``total`` is what we are owed; ``payer_total`` is less where the platform paid a coupon.
    """
    amount = fields.get("amount")
    if not isinstance(amount, dict) or amount.get("currency", CURRENCY) != CURRENCY:
        return None
    value = amount.get(name)
    # A bool is an int to Python, and none here.
    return value if type(value) is int and 0 <= value <= MAX_FEN else None


def _rfc3339_ms(value: object) -> int | None:
    """Return ``yyyy-MM-DDTHH:mm:ss+08:00`` as UTC milliseconds, or None where it is no such
    text."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            return None
        return (moment - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        return None
