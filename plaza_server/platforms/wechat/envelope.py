"""The signed envelope of an API v3 answer: from headers and raw bytes to fields that are provably
the platform's.

The signature is in the headers and covers ``timestamp\\nnonce\\nbody\\n`` with the body's bytes as
they came, so the body is verified first and parsed afterwards. An empty body (204) is signed as an
empty line. Some answers are signed wrongly on purpose, to see whether we verify: they begin
``WECHATPAY/SIGNTEST/``, are refused like any other, and are no reason for an alarm.

Errors the platform finds before it knows who asks (a wrong signature of ours, too many calls, its
own trouble) carry no signature. They prove nothing about money; some say that we are misconfigured.

Source: the platform's pages on verifying answers ("a 2xx without a signature should be regarded as
forged or tampered"; "probe traffic"), and its own Go client, which refuses an answer whose
timestamp is 300 s or more from the local clock.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from plaza_server.platforms.calls import MAX_ANSWER_BYTES, HttpAnswer
from plaza_server.platforms.wechat import errors
from plaza_server.rules.outcomes import Evidence

SerialCheck = Callable[[str, bytes, bytes], bool]
"""(serial, signature, message) -> whether the key of that serial made it. False where the serial is
unknown. Never raises."""

MAX_AGE_S = 300
SIGNATURE_TYPE = "WECHATPAY2-SHA256-RSA2048"
SIGN_TEST = "WECHATPAY/SIGNTEST/"
_SIGNED = ("wechatpay-timestamp", "wechatpay-nonce", "wechatpay-signature", "wechatpay-serial")
_TYPE = "wechatpay-signature-type"
_STAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
_NONCE = re.compile(r"[!-~]{1,128}", re.ASCII)
_SERIAL = re.compile(r"[0-9A-Za-z_]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An answer's fields. Signed unless ``signed`` says otherwise."""

    status: int
    fields: dict[str, Any]
    """Empty for an empty body."""
    signed: bool
    """False only for errors (4xx): whoever asks wrongly is not told by a signature."""

    @property
    def good(self) -> bool:
        """Whether the call itself succeeded (2xx)."""
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        """The platform's error code; empty where there is none."""
        return errors.normal_code(self.fields.get("code"))


def open_answer(answer: HttpAnswer, *, verify: SerialCheck, now_ms: int) -> Opened | Evidence:
    """Return what an answer provably says, or why nothing in it is proven.

    Args:   now_ms: UTC wall clock when the answer came.
    """
    if len(answer.body) > MAX_ANSWER_BYTES:
        return Evidence.GARBLED
    signed = _signature_holds(answer, verify, now_ms)
    if isinstance(signed, Evidence):
        return signed
    if not signed:
        return _open_unsigned(answer)
    if answer.status < 200 or 300 <= answer.status < 400:
        return Evidence.HTTP_STATUS
    fields = parse_fields(answer.body)
    if fields is None:
        return Evidence.GARBLED
    return Opened(status=answer.status, fields=fields, signed=True)


def signed_text(timestamp: str, nonce: str, body: bytes) -> bytes:
    """Return what an answer's signature covers. *timestamp* and *nonce* are ASCII."""
    return f"{timestamp}\n{nonce}\n".encode("ascii") + body + b"\n"


def _open_unsigned(answer: HttpAnswer) -> Opened | Evidence:
    """Read an answer without any signature: never of money, at most that we are at fault."""
    status = answer.status
    if 200 <= status < 300:
        return Evidence.BAD_SIGNATURE
    if status == 429 or not 400 <= status < 500:
        return Evidence.HTTP_STATUS
    fields = parse_fields(answer.body)
    if fields is None or "code" not in fields:
        # A proxy's page: nobody says it is the platform's.
        return Evidence.HTTP_STATUS
    return Opened(status=status, fields=fields, signed=False)


def _signature_holds(answer: HttpAnswer, verify: SerialCheck, now_ms: int) -> bool | Evidence:
    """Return True for a good signature, False where there is none at all, else what is wrong."""
    found: dict[str, str] = {}
    for key, value in answer.headers:
        name = key.lower()
        if name not in _SIGNED and name != _TYPE:
            continue
        if name in found:
            # Which of two would the signature be about? Nobody honest sends both.
            return Evidence.BAD_SIGNATURE
        found[name] = value
    if not any(found.get(name) for name in _SIGNED):
        return False
    stamp, nonce, text, serial = (found.get(name, "") for name in _SIGNED)
    if text.startswith(SIGN_TEST):
        return Evidence.SIGN_TEST
    if found.get(_TYPE, SIGNATURE_TYPE) != SIGNATURE_TYPE:
        return Evidence.BAD_SIGNATURE
    if not (_STAMP.fullmatch(stamp) and _NONCE.fullmatch(nonce) and _SERIAL.fullmatch(serial)):
        return Evidence.BAD_SIGNATURE
    try:
        signature = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return Evidence.BAD_SIGNATURE
    if not verify(serial, signature, signed_text(stamp, nonce, answer.body)):
        return Evidence.BAD_SIGNATURE
    if abs(now_ms - int(stamp) * 1000) >= MAX_AGE_S * 1000:
        # Genuine, but not an answer of now: somebody plays it again.
        return Evidence.BAD_SIGNATURE
    return True


def _refuse(text: str) -> NoReturn:
    raise ValueError("not a number of this protocol")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field twice")
    return fields


def parse_fields(body: bytes) -> dict[str, Any] | None:
    """Return the object in *body*, empty for no body, None where it is none. Proves nothing by
    itself. Numbers with a point stay text: amounts are whole fen here."""
    if not body:
        return {}
    try:
        fields = json.loads(
            body.decode("utf-8"),
            parse_float=str,
            parse_constant=_refuse,
            object_pairs_hook=_unique,
        )
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None
