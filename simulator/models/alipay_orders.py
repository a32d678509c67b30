"""What a pay, query, cancel or refund call may say: biz_content checked and turned into a value.

Wrong content of a verified request is a business refusal, 40004 ACQ.INVALID_PARAMETER. Lengths
without a source in the facts are remembered ones and marked so.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field

from simulator.models.alipay_values import (
    MAX_AMOUNT_FEN,
    MIN_AMOUNT_FEN,
    NS_PER_MS,
    AlipayConfig,
    beijing_ns,
    end_of_beijing_day_ns,
    fen_of,
)
from simulator.models.platform_wire import Fields

_NUMBER = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)
_EXPRESS = re.compile(r"([1-9]\d{0,5})([mhd])", re.ASCII)
_EXPRESS_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}
_EXPRESS_RANGE_MS = (60_000, 15 * 86_400_000)
"""1m..15d (remembered, not read)."""
_TEXT_LIMITS = {"subject": 256, "store_id": 32, "operator_id": 28, "terminal_id": 32}
"""Longest texts in characters; those of the three ids are remembered, not read."""
INVALID = "ACQ.INVALID_PARAMETER"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayOrder:
    """A pay call that says everything it must."""

    out_trade_no: str
    auth_code: str = field(repr=False)
    amount_fen: int
    subject: str
    store_id: str
    operator_id: str
    terminal_id: str
    closes_at_ns: int
    """When the trade closes if it is not paid."""
    digest: str = field(repr=False)
    """SHA-256 over everything the call said."""
    digest_without_code: str
    """The same without the pay code: tells a rescan from tampering."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """A refund call that says everything it must."""

    amount_fen: int
    out_request_no: str
    """Empty where the call named none, which is right for whole refunds only."""


def parse_pay(biz: Fields, *, config: AlipayConfig, now_ns: int) -> PayOrder | str:
    """Return the order, or the sub code that refuses it."""
    text = _texts(biz)
    number, code = text.get("out_trade_no", ""), text.get("auth_code", "")
    if _NUMBER.fullmatch(number) is None or not 1 <= len(code) <= 32:
        return INVALID
    # wave_code and security_code are other scenes of the same call; a lane has only barcodes.
    if text.get("scene") != "bar_code" or not text.get("subject"):
        return INVALID
    if text.get("product_code", "FACE_TO_FACE_PAYMENT") != "FACE_TO_FACE_PAYMENT":
        return INVALID
    if any(len(text.get(name, "")) > limit for name, limit in _TEXT_LIMITS.items()):
        return INVALID
    amount = fen_of(text.get("total_amount", ""))
    if amount is None or amount < MIN_AMOUNT_FEN:
        return INVALID
    if amount > MAX_AMOUNT_FEN:
        return "ACQ.TOTAL_FEE_EXCEED"
    closes_at = _closes_at(text, config=config, now_ns=now_ns)
    if closes_at is None:
        return INVALID
    return PayOrder(
        out_trade_no=number,
        auth_code=code,
        amount_fen=amount,
        subject=text["subject"],
        store_id=text.get("store_id", ""),
        operator_id=text.get("operator_id", ""),
        terminal_id=text.get("terminal_id", ""),
        closes_at_ns=closes_at,
        digest=_digest(biz),
        digest_without_code=_digest({k: v for k, v in biz.items() if k != "auth_code"}),
    )


def parse_refund(biz: Fields) -> RefundOrder | str:
    """Return the refund, or the sub code that refuses it."""
    text = _texts(biz)
    amount = fen_of(text.get("refund_amount", ""))
    if amount is None or not MIN_AMOUNT_FEN <= amount <= MAX_AMOUNT_FEN:
        return INVALID
    request_no = text.get("out_request_no", "")
    if request_no and _NUMBER.fullmatch(request_no) is None:
        return INVALID
    return RefundOrder(amount_fen=amount, out_request_no=request_no)


def named_trade(biz: Fields) -> tuple[str, str] | None:
    """Return (out_trade_no, trade_no) as said, either may be empty; None where both are."""
    text = _texts(biz)
    pair = (text.get("out_trade_no", ""), text.get("trade_no", ""))
    return pair if any(pair) else None


def request_no_of(biz: Fields) -> str:
    """Return out_request_no as said, or empty text."""
    return _texts(biz).get("out_request_no", "")


def _texts(biz: Fields) -> dict[str, str]:
    return {name: value for name, value in biz.items() if isinstance(value, str)}


def _digest(biz: Fields) -> str:
    return hashlib.sha256(json.dumps(biz, sort_keys=True).encode("utf-8")).hexdigest()


def _closes_at(text: dict[str, str], *, config: AlipayConfig, now_ns: int) -> int | None:
    wall_ns = config.wall_base_ns + now_ns
    ends: list[int] = []
    if text.get("time_expire"):
        absolute_ns = beijing_ns(text["time_expire"])
        if absolute_ns is None or absolute_ns <= wall_ns:
            return None
        ends.append(absolute_ns - config.wall_base_ns)
    express = text.get("timeout_express", "")
    if express == "1c":
        ends.append(end_of_beijing_day_ns(wall_ns) - config.wall_base_ns)
    elif express:
        found = _EXPRESS.fullmatch(express)
        if found is None:
            return None
        span_ms = int(found.group(1)) * _EXPRESS_MS[found.group(2)]
        low, high = _EXPRESS_RANGE_MS
        if not low <= span_ms <= high:
            return None
        ends.append(now_ns + span_ms * NS_PER_MS)
    return min(ends) if ends else now_ns + config.unpaid_close_ms * NS_PER_MS
