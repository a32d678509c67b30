"""The gateway's bytes: signed pairs in a form, answered as signed pairs that are not URL-encoded.

``merId=…&orderId=…&respCode=00&…&signature=…&signPubKeyCert=-----BEGIN CERTIFICATE-----…``
Signed is the lower-case hex SHA-256 of all pairs but ``signature``, empty ones dropped, sorted by
name and joined with ``&``; RSASSA-PKCS1-v1_5 with SHA-256 over that hex text, base64 (version
5.1.0, signMethod 01). The certificate travels with the answer, so that a merchant that trusts the
root needs no list of keys. UNVERIFIED against a live gateway; sources are public copies of its
kits.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Protocol
from urllib.parse import unquote_to_bytes

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

VERSION = "5.1.0"
SIGN_METHOD = "01"
MAX_PAIRS = 96
Pairs = dict[str, str]


class UnionpayKeys(Protocol):
    """Who signs answers and judges requests. RSA on a wire; a run in virtual time may pass in
    less. A *stranger* is a key the merchant's root does not vouch for."""

    def sign(self, text: bytes, *, stranger: bool = False) -> bytes:
        """Return the platform's signature of *text*, the hex digest."""
        ...

    def certificate(self, *, stranger: bool = False) -> str:
        """Return the certificate that goes with it, PEM."""
        ...

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        """Return whether *signature* over *text*, the hex digest, is the merchant's."""
        ...


class RsaUnionpayKeys:
    """The platform's pair and certificate, a stranger's, and the merchant's public key."""

    def __init__(
        self,
        *,
        platform: tuple[RSAPrivateKey, str],
        stranger: tuple[RSAPrivateKey, str],
        merchant_public: RSAPublicKey,
    ) -> None:
        self._pairs = {False: platform, True: stranger}
        self._merchant = merchant_public

    def sign(self, text: bytes, *, stranger: bool = False) -> bytes:
        """Return the platform's signature of *text*."""
        return self._pairs[stranger][0].sign(text, PKCS1v15(), SHA256())

    def certificate(self, *, stranger: bool = False) -> str:
        """Return the certificate that goes with it."""
        return self._pairs[stranger][1]

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        """Return whether *signature* over *text* is the merchant's."""
        try:
            self._merchant.verify(signature, text, PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True


def parse_form(body: bytes) -> Pairs | None:
    """Return the pairs of a form, percent-decoded; None where it is none or names one twice."""
    found: Pairs = {}
    pieces = [piece for piece in body.split(b"&") if piece]
    if len(pieces) > MAX_PAIRS:
        return None
    for piece in pieces:
        raw_name, mark, raw_value = piece.partition(b"=")
        try:
            name = unquote_to_bytes(raw_name.replace(b"+", b" ")).decode("ascii")
            value = unquote_to_bytes(raw_value.replace(b"+", b" ")).decode("utf-8")
        except UnicodeDecodeError:
            return None
        if not mark or name in found:
            return None
        found[name] = value
    return found


def digest(pairs: Pairs) -> bytes:
    """Return what is signed of *pairs*: hex digits."""
    text = "&".join(
        f"{name}={value}" for name, value in sorted(pairs.items()) if name != "signature" and value
    )
    return hashlib.sha256(text.encode("utf-8")).hexdigest().encode("ascii")


def is_merchants(pairs: Pairs, keys: UnionpayKeys) -> bool:
    """Return whether a request's signature is the merchant's."""
    try:
        signature = base64.b64decode(pairs.get("signature", ""), validate=True)
    except ValueError:
        return False
    return keys.is_signed(digest(pairs), signature)


def signed(
    pairs: Pairs, keys: UnionpayKeys, *, stranger: bool = False, wrong: bool = False
) -> Pairs:
    """Return an answer's pairs with certificate and signature; *wrong* signs other bytes."""
    whole = {
        **pairs,
        "signMethod": SIGN_METHOD,
        "signPubKeyCert": keys.certificate(stranger=stranger),
    }
    text = digest(whole) + (b" " if wrong else b"")
    signature = base64.b64encode(keys.sign(text, stranger=stranger)).decode("ascii")
    return {**whole, "signature": signature}


def answer_bytes(pairs: Pairs) -> bytes:
    """Return an answer's body: pairs as they are, sorted by name."""
    return "&".join(f"{name}={pairs[name]}" for name in sorted(pairs)).encode("utf-8")
