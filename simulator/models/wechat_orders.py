"""What a pay or refund call may say: its JSON checked and turned into a value.

Wrong content of a verified request is 400 PARAM_ERROR, naming the field and never its value; an
application or merchant that is not ours is 403 NO_AUTH.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field

from simulator.models.platform_wire import Fields
from simulator.models.wechat_values import (
    MAX_AMOUNT_FEN,
    MIN_AMOUNT_FEN,
    No,
    WechatConfig,
    refused,
)

_NUMBER = re.compile(r"[A-Za-z0-9_\-*|]{1,32}", re.ASCII)
_REFUND_NUMBER = re.compile(r"[A-Za-z0-9_\-*|@]{1,64}", re.ASCII)
_CODE = re.compile(r"1[0-5]\d{16}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeOrder:
    """A pay call that says everything it must."""

    out_trade_no: str
    auth_code: str = field(repr=False)
    amount_fen: int
    description: str
    attach: str
    store_id: str
    device_id: str
    digest: str = field(repr=False)
    """SHA-256 over everything the call said."""
    digest_without_code: str
    """The same without the pay code: tells a rescan from tampering."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """A refund call that says everything it must."""

    out_refund_no: str
    out_trade_no: str
    transaction_id: str
    """One of the two names the order; the other may be empty."""
    refund_fen: int
    total_fen: int
    reason: str


def parse_pay(said: Fields, config: WechatConfig) -> CodeOrder | No:
    """Return the order, or the refusal."""
    wrong = owner(said, config)
    if wrong is not None:
        return wrong
    number, description = said.get("out_trade_no"), said.get("description")
    if not isinstance(number, str) or _NUMBER.fullmatch(number) is None:
        return _wrong("out_trade_no")
    if not isinstance(description, str) or not 1 <= len(description.encode("utf-8")) <= 127:
        return _wrong("description")
    code = _member(said, "payer", "auth_code")
    if not isinstance(code, str):
        return _wrong("payer.auth_code")
    if _CODE.fullmatch(code) is None:
        text = "请扫描微信支付授权码(以10/11/12/13/14/15为前缀的18位数字)"
        return refused("AUTH_CODE_INVALID", text)
    total = _amount(_member(said, "amount", "total"))
    if total is None or _member(said, "amount", "currency") not in (None, "CNY"):
        return _wrong("amount")
    attach = said.get("attach", "")
    if not isinstance(attach, str) or len(attach) > 128:
        return _wrong("attach")
    if not isinstance(said.get("scene_info"), dict):
        return _wrong("scene_info")
    payer = said["payer"]
    assert isinstance(payer, dict), "a code was found in it"
    rest = {name: value for name, value in payer.items() if name != "auth_code"}
    return CodeOrder(
        out_trade_no=number,
        auth_code=code,
        amount_fen=total,
        description=description,
        attach=attach,
        store_id=_text(_member(said, "scene_info", "store_info", "out_id")),
        device_id=_text(_member(said, "scene_info", "device_id")),
        digest=_digest(said),
        digest_without_code=_digest({**said, "payer": rest}),
    )


def parse_refund(said: Fields) -> RefundOrder | No:
    """Return the refund, or the refusal."""
    number = said.get("out_refund_no")
    if not isinstance(number, str) or _REFUND_NUMBER.fullmatch(number) is None:
        return _wrong("out_refund_no")
    named = (said.get("out_trade_no", ""), said.get("transaction_id", ""))
    if not all(isinstance(name, str) for name in named) or not any(named):
        return _wrong("transaction_id")
    refund = _amount(_member(said, "amount", "refund"))
    total = _amount(_member(said, "amount", "total"))
    if refund is None or total is None or _member(said, "amount", "currency") != "CNY":
        return _wrong("amount")
    reason = said.get("reason", "")
    if not isinstance(reason, str) or len(reason.encode("utf-8")) > 80:
        return _wrong("reason")
    return RefundOrder(
        out_refund_no=number,
        out_trade_no=str(named[0]),
        transaction_id=str(named[1]),
        refund_fen=refund,
        total_fen=total,
        reason=reason,
    )


def owner(said: Fields, config: WechatConfig) -> No | None:
    """Return the refusal of a call that names another application or merchant."""
    if said.get("mchid") != config.merchant_id or said.get("appid") != config.app_id:
        return refused("NO_AUTH", "appid与mchid不匹配")
    return None


def _member(said: Fields, *path: str) -> object:
    value: object = said
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _amount(value: object) -> int | None:
    # JSON's true is an int to Python, and no amount.
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if MIN_AMOUNT_FEN <= value <= MAX_AMOUNT_FEN else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _wrong(where: str) -> No:
    return refused("PARAM_ERROR", f"输入源“{where}”无效")


def _digest(said: Fields) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode("utf-8")).hexdigest()
