"""The signed pairs of a gateway message: what a request's signature covers, and from an answer's
raw bytes to fields that are provably the platform's.

``merId=...&orderId=...&respCode=00&...&signPubKeyCert=-----BEGIN...&signature=...``
Values are not URL-encoded in an answer; a value may hold ``&`` and ``=`` inside ``{}`` or ``[]``.
The signature covers the lower-case hex SHA-256 of the pairs sorted by name, joined with ``&``,
without ``signature`` itself, byte for byte as they came; RSA over SHA-256 of that hex text. The
certificate that made it travels with the answer, and is worth nothing until it is traced to the
platform's root: the check that is passed in does so.

Source: message version 5.1.0, signMethod 01, as the platform's own kits for Java and PHP sign,
parse and validate (read as public copies).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping

from plaza_server.platforms.calls import MAX_ANSWER_BYTES
from plaza_server.rules.outcomes import Evidence

CertifiedCheck = Callable[[bytes, bytes, bytes], bool]
"""(certificate as PEM, signature, message) -> whether the certificate is the platform's and made
the signature. Never raises."""

VERSION = "5.1.0"
SIGN_METHOD = "01"
"""RSA with certificates."""
SIGNATURE = "signature"
CERTIFICATE = "signPubKeyCert"
MAX_FIELDS = 96
"""An answer has about 30."""
_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_]{0,63}")
_CLOSER = {0x7B: 0x7D, 0x5B: 0x5D}


def text_to_sign(pairs: Mapping[str, str]) -> bytes:
    """Return what the private key signs of a request: hex SHA-256 of the sorted plain pairs."""
    plain = {name.encode(): value.encode() for name, value in pairs.items() if value}
    return _digest(plain)


def open_answer(
    body: bytes, *, verify: CertifiedCheck, bytes_max: int = MAX_ANSWER_BYTES
) -> dict[str, bytes] | Evidence:
    """Return the verified fields of an answer, or why nothing in *body* is proven."""
    if len(body) > bytes_max:
        return Evidence.GARBLED
    pairs = _pairs(body)
    if pairs is None:
        return Evidence.GARBLED
    names = [name for name, _ in pairs]
    fields = dict(pairs)
    if len(fields) != len(names):
        return Evidence.BAD_SIGNATURE
    sign_as = (fields.get(b"version"), fields.get(b"signMethod"))
    if sign_as != (VERSION.encode(), SIGN_METHOD.encode()):
        return Evidence.BAD_SIGNATURE
    try:
        signature = base64.b64decode(fields.get(SIGNATURE.encode(), b""), validate=True)
    except binascii.Error:
        return Evidence.BAD_SIGNATURE
    certificate = fields.get(CERTIFICATE.encode(), b"")
    if not signature or not certificate or not verify(certificate, signature, _digest(fields)):
        return Evidence.BAD_SIGNATURE
    return {name.decode("ascii"): value for name, value in pairs}


def _digest(pairs: Mapping[bytes, bytes]) -> bytes:
    left = SIGNATURE.encode()
    text = b"&".join(name + b"=" + pairs[name] for name in sorted(pairs) if name != left)
    return hashlib.sha256(text).hexdigest().encode("ascii")


def _pairs(body: bytes) -> list[tuple[bytes, bytes]] | None:
    """Return the pairs of a message in their order, or None where it is none."""
    found: list[tuple[bytes, bytes]] = []
    for piece in _pieces(body.strip(b"\r\n")):
        name, mark, value = piece.partition(b"=")
        if not mark or not _NAME.fullmatch(name) or len(found) == MAX_FIELDS:
            return None
        found.append((name, value))
    return found


def _pieces(body: bytes) -> list[bytes]:
    """Return *body* cut at each ``&`` that is not inside brackets (which do not nest)."""
    pieces: list[bytes] = []
    start, closer = 0, -1
    for at, byte in enumerate(body):
        if closer >= 0:
            closer = -1 if byte == closer else closer
        elif byte in _CLOSER:
            closer = _CLOSER[byte]
        elif byte == 0x26:
            pieces.append(body[start:at])
            start = at + 1
    pieces.append(body[start:])
    return pieces
