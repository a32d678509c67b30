"""The signed envelope of a gateway answer: from raw bytes to fields that are provably the
platform's.

``{"alipay_trade_pay_response":{...},"sign":"..."}``. The signature covers the exact bytes of the
node's value as they came, not a text made from them again. So the value's span is found first, by a
scanner that knows strings and escapes; those bytes are verified; and only then are those bytes,
and no others, parsed. Parsing the whole body and then trusting its fields would let a second node
of the same name, unsigned, take the place of the signed one.

Source: the platform's own extractor (string-aware matching brace with backslash parity, a repeated
root node is refused, a body without "sign" has no text to verify) and the reports on weaker ones.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from plaza_server.platforms.calls import MAX_ANSWER_BYTES, SignatureCheck
from plaza_server.rules.outcomes import Evidence

MAX_DEPTH = 16
"""Trade answers nest three deep; the limit keeps a hostile body from deep recursion."""
MAX_MEMBERS = 32
"""Top-level members: one node, sign, and at most a certificate serial in practice."""

ERROR_NODE = "error_response"
CERTIFICATE_SN = "alipay_cert_sn"
"""Beside the node in certificate mode: which of the platform's certificates signed it."""
_SN = re.compile(r"[0-9a-f]{32}", re.ASCII)
_BLANK = b" \t\r\n"
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
# A backslash takes its next character with it, whatever that is. Possessive: linear on any input.
_MARK = re.compile(rb'["{}\[\]]')
_CLOSER = {b"{": b"}", b"[": b"]"}
_SCALAR = re.compile(rb"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateKeys:
    """The platform's keys in certificate mode, by the SN of the certificate they are in."""

    check_of: Callable[[str], SignatureCheck | None]
    """SN -> the check with that certificate's key; None where we do not hold it, or it has ended.
    The SN stands outside the signed text: it only picks a key that is the platform's anyhow."""


AnswerCheck = SignatureCheck | CertificateKeys
"""The platform's one public key (key mode), or its certificates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The node's fields. Signed unless ``signed`` says otherwise."""

    node: str
    fields: dict[str, Any]
    signed: bool
    """False only for the error node: the gateway does not sign what it could not attribute."""


class _Garbled(Exception):
    """The bytes are not the protocol's text."""


def open_answer(body: bytes, *, node: str, verify: AnswerCheck) -> Opened | Evidence:
    """Return the fields of *node* (or of the error node), or why nothing in *body* is proven.

    Args:   node: the method's name with ``_`` for ``.`` and ``_response`` behind it.
    """
    if len(body) > MAX_ANSWER_BYTES:
        return Evidence.GARBLED
    try:
        members = _members(body)
    except (_Garbled, ValueError):
        return Evidence.GARBLED
    names = [name for name, _, _ in members]
    if len(names) != len(set(names)) or (node in names and ERROR_NODE in names):
        return Evidence.BAD_SIGNATURE
    found = node if node in names else ERROR_NODE
    spans = {name: (start, end) for name, start, end in members}
    if found not in spans:
        return Evidence.GARBLED
    start, end = spans[found]
    if _named_outside(body, found, start, end):
        return Evidence.BAD_SIGNATURE
    text = body[start:end]
    check = verify
    if isinstance(verify, CertificateKeys):
        check = verify.check_of(_serial(body, spans.get(CERTIFICATE_SN))) or _refuses
    assert not isinstance(check, CertificateKeys)
    signed = _signature_holds(body, spans.get("sign"), text, check)
    if signed is None and found == ERROR_NODE:
        signed = False
    elif not signed:
        return Evidence.BAD_SIGNATURE
    try:
        fields = _parse(text)
    except (ValueError, RecursionError):
        return Evidence.GARBLED
    return Opened(node=found, fields=fields, signed=signed)


def _serial(body: bytes, span: tuple[int, int] | None) -> str:
    """Return the SN an answer names; empty where it is none."""
    if span is None:
        return ""
    try:
        value = json.loads(body[span[0] : span[1]].decode("utf-8"))
    except (ValueError, RecursionError):
        return ""
    return value if isinstance(value, str) and _SN.fullmatch(value) else ""


def _refuses(signature: bytes, message: bytes) -> bool:
    """The check of a certificate we do not hold."""
    del signature, message
    return False


def _signature_holds(
    body: bytes, span: tuple[int, int] | None, text: bytes, verify: SignatureCheck
) -> bool | None:
    """Return whether the signature fits *text*; None where there is none at all."""
    if span is None:
        return None
    try:
        value = json.loads(body[span[0] : span[1]].decode("utf-8"))
        if value == "":
            return None
        signature = base64.b64decode(value, validate=True) if isinstance(value, str) else b""
    except (ValueError, RecursionError, binascii.Error):
        return False
    return bool(signature) and verify(signature, text)


def _named_outside(body: bytes, node: str, start: int, end: int) -> bool:
    """Return whether the node's name stands anywhere but in its own key and inside its own
    value."""
    name = node.encode("ascii")
    return body.count(name, 0, start) != 1 or name in body[end:]


def _refuse(text: str) -> NoReturn:
    raise ValueError("not a number of this protocol")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field twice")
    return fields


def _parse(text: bytes) -> dict[str, Any]:
    """Return the object in *text*. Numbers with a point stay text: amounts are never floats
    here."""
    fields = json.loads(
        text.decode("utf-8"), parse_float=str, parse_constant=_refuse, object_pairs_hook=_unique
    )
    if not isinstance(fields, dict):
        raise ValueError("not an object")
    return fields


# ---- the scanner: byte spans of the top-level members ----


def _members(body: bytes) -> list[tuple[str, int, int]]:
    """Return (name, start, end) of each member of the object that *body* is, in order."""
    at = _skip_blank(body, 0)
    at = _expect(body, at, b"{")
    members: list[tuple[str, int, int]] = []
    at = _skip_blank(body, at)
    if body[at : at + 1] == b"}":
        at += 1
    else:
        while True:
            member, at = _member(body, at)
            members.append(member)
            if len(members) > MAX_MEMBERS:
                raise _Garbled
            at = _skip_blank(body, at)
            if body[at : at + 1] == b"}":
                at += 1
                break
            at = _skip_blank(body, _expect(body, at, b","))
    if _skip_blank(body, at) != len(body):
        raise _Garbled
    return members


def _member(body: bytes, at: int) -> tuple[tuple[str, int, int], int]:
    key_end = _string_end(body, at)
    name = json.loads(body[at:key_end].decode("utf-8"))
    assert isinstance(name, str)
    at = _skip_blank(body, _expect(body, _skip_blank(body, key_end), b":"))
    end = _value_end(body, at)
    return (name, at, end), end


def _skip_blank(body: bytes, at: int) -> int:
    while at < len(body) and body[at] in _BLANK:
        at += 1
    return at


def _expect(body: bytes, at: int, mark: bytes) -> int:
    if body[at : at + 1] != mark:
        raise _Garbled
    return at + 1


def _string_end(body: bytes, at: int) -> int:
    """Return the index behind the closing quote of the string that starts at *at*."""
    found = _STRING.match(body, at)
    if found is None:
        raise _Garbled
    return found.end()


def _value_end(body: bytes, at: int) -> int:
    """Return the index behind the value that starts at *at*; brackets inside strings do not
    count."""
    first = body[at : at + 1]
    if first == b'"':
        return _string_end(body, at)
    if first not in (b"{", b"["):
        found = _SCALAR.match(body, at)
        if found is None:
            raise _Garbled
        return found.end()
    closers = bytearray()
    while (mark := _MARK.search(body, at)) is not None:
        at, byte = mark.start(), mark.group()
        if byte == b'"':
            at = _string_end(body, at)
            continue
        at += 1
        if byte in _CLOSER:
            closers += _CLOSER[byte]
            if len(closers) > MAX_DEPTH:
                raise _Garbled
        elif closers.pop() != byte[0]:
            raise _Garbled
        elif not closers:
            return at
    raise _Garbled
