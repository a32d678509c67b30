"""Pay codes: told apart in the lane, before any platform is asked.

A pay code is a secret that spends money once. ``PayCode`` keeps its text out of ``repr``, logs and
pickles; everything but the one HTTP body that spends it works with a ``PayCodeRef``.
Asking a platform about a text that is no pay code costs over 300 ms of a 2-3 s budget and counts
for its risk control, so the patterns are strict and everything else is refused with a reason.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn


class Wallet(StrEnum):
    """Whose code it is, hence which platform is asked."""

    ALIPAY = "alipay"
    """16 to 24 digits beginning 25..30."""
    WECHAT = "wechat"
    """18 digits beginning 10..15."""
    UNIONPAY = "unionpay"
    """19 digits beginning 62."""
    EMVCO = "emvco"
    """Base64 of one whole EMVCo consumer-presented block, beginning ``hQVDUFYwMW``."""


class NotAPayCode(StrEnum):
    """Why a scanned text is no pay code."""

    EMPTY = "empty"
    """Nothing between two terminators."""
    NOT_ASCII = "not_ascii"
    """Control characters or bytes above 7E."""
    WRONG_LENGTH = "wrong_length"
    """A known beginning with a length that wallet never shows: half or glued codes."""
    RIDE_CODE = "ride_code"
    """A transit code (Tencent TX..., UnionPay or ministry): not taken here."""
    UNKNOWN_FORMAT = "unknown_format"
    """None of the wallets' patterns: a parcel label, a web address, another ticket."""


MAX_PAY_CODE_LENGTH = 512
"""EMVCo's limit for one consumer-presented code; everything else is at most 24 digits."""

_DIGIT_RULES: tuple[tuple[Wallet, re.Pattern[str], re.Pattern[str]], ...] = (
    (Wallet.WECHAT, re.compile(r"1[0-5]\d*"), re.compile(r"1[0-5]\d{16}")),
    (Wallet.ALIPAY, re.compile(r"(?:2[5-9]|30)\d*"), re.compile(r"(?:2[5-9]|30)\d{14,22}")),
    (Wallet.UNIONPAY, re.compile(r"62\d*"), re.compile(r"62\d{17}")),
)
_EMVCO = re.compile(r"hQVDUFYwM[Q-Za-f][A-Za-z0-9+/=]*")
"""Base64 of ``85 05 CPV01``: 9 whole characters, and one of 16 that carries the next tag's upper
half. Tag 61 follows in every code and makes it W; Q, as often told, is of the 7 bytes alone."""
_EMVCO_HEAD = b"\x85\x05CPV01"
"""The payload format indicator: tag 85, length 5, ``CPV01``."""
_EMVCO_APPLICATION = 0x61


@dataclass(frozen=True, slots=True, kw_only=True)
class PayCodeRef:
    """What may be journalled, logged and compared of a pay code."""

    wallet: Wallet
    length: int
    """Characters, 16..512."""
    keyed_hash: str
    """HMAC-SHA-256 of the text under a key of this machine, 32 hex digits."""


class PayCode:
    """One driver's pay code, in memory only. Its text leaves by ``reveal`` and no other way."""

    __slots__ = ("_text", "wallet")

    def __init__(self, text: str, wallet: Wallet) -> None:
        self._text = text
        self.wallet = wallet

    def reveal(self) -> str:
        """Return the text. Only the body of the one request that spends it may hold it."""
        return self._text

    def ref(self, key: bytes) -> PayCodeRef:
        """Return what may be kept of the code. *key*: at least 16 secret bytes of this machine."""
        assert len(key) >= 16, "hash key too short"
        digest = hmac.new(key, self._text.encode("ascii"), hashlib.sha256).hexdigest()[:32]
        return PayCodeRef(wallet=self.wallet, length=len(self._text), keyed_hash=digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PayCode) and hmac.compare_digest(
            self._text.encode(), other._text.encode()
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"PayCode({self.wallet}, {len(self._text)} characters)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a pay code is never stored")


def classify(scanned: bytes) -> PayCode | NotAPayCode:
    """Return the pay code a scanner delivered, or why it is none.

    Args:   scanned: the bytes between two terminators, terminators stripped.
    Source: docs of the platforms (prefix and length rules), EMVCo QRCPS consumer-presented v1.1.
    """
    if not scanned:
        return NotAPayCode.EMPTY
    if len(scanned) > MAX_PAY_CODE_LENGTH:
        return NotAPayCode.WRONG_LENGTH
    if any(byte < 0x20 or byte > 0x7E for byte in scanned):
        return NotAPayCode.NOT_ASCII
    text = scanned.decode("ascii")
    for wallet, family, exact in _DIGIT_RULES:
        if exact.fullmatch(text):
            return PayCode(text, wallet)
        if family.fullmatch(text):
            return NotAPayCode.WRONG_LENGTH
    if _EMVCO.fullmatch(text):
        return PayCode(text, Wallet.EMVCO) if _is_emvco(text) else NotAPayCode.WRONG_LENGTH
    if text.startswith("TX"):
        return NotAPayCode.RIDE_CODE
    return NotAPayCode.UNKNOWN_FORMAT


def _is_emvco(text: str) -> bool:
    """Return whether *text* (of pattern ``_EMVCO``) is base64 of exactly one EMVCo block: no half,
    no two glued.

    "85 Payload Format Indicator, 61 Application Template (one or more), 62 Common Data Template",
    each as tag, length, value; nothing inside the templates is looked at.
    """
    try:
        block = base64.b64decode(text, validate=True)
    except ValueError:
        return False
    at = len(_EMVCO_HEAD)
    tags: list[int] = []
    while at < len(block):
        tag, start, length = _tlv_head(block, at)
        if length < 0 or start + length > len(block):
            return False
        tags.append(tag)
        at = start + length
    return _EMVCO_APPLICATION in tags and _EMVCO_HEAD[0] not in tags


def _tlv_head(block: bytes, at: int) -> tuple[int, int, int]:
    """Return (tag, where its value begins, its length) of the BER-TLV item at *at*.

    The length is -1 where the block ends inside the head, or the tag or length is longer than a
    top-level item of EMVCo's needs: one byte of tag, at most two of length (values up to 255).
    """
    tag = block[at]
    length = block[at + 1] if at + 1 < len(block) else -1
    if tag & 0x1F == 0x1F:
        return tag, at, -1
    if length == 0x81:
        return tag, at + 3, block[at + 2] if at + 2 < len(block) else -1
    return tag, at + 2, length if length < 0x80 else -1
