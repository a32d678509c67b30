"""Keys of the virtual world: hashes with a secret in place of RSA and Ed25519.

A real signature costs 1.6 ms a call and shows nothing more here: production code takes signers and
verifiers as functions, and what it must refuse (other bytes, no signature) is refused the same way.
"""

from __future__ import annotations

import hashlib
import hmac

CODE_KEY_BYTES = 32


def _mark(who: bytes, text: bytes) -> bytes:
    return hashlib.sha512(who + b"\n" + text).digest()


class WorldGatewayKeys:
    """The platform's side: signs answers, judges the merchant's requests."""

    def sign(self, text: bytes) -> bytes:
        """Return the platform's signature of *text*."""
        return _mark(b"platform", text)

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        """Return whether the merchant signed *text*."""
        return hmac.compare_digest(signature, merchant_sign(text))


class WorldWechatKeys:
    """WeChat's side: its answers name the serial of the key they are signed with."""

    def sign(self, text: bytes, serial: str) -> bytes:
        """Return the platform's signature of *text* by one of its keys."""
        return _mark(f"platform {serial}".encode(), text)

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        """Return whether the merchant signed *text*."""
        return hmac.compare_digest(signature, merchant_sign(text))


def wechat_signed(serial: str, signature: bytes, text: bytes) -> bool:
    """Return whether WeChat signed *text* with the key called *serial*."""
    return hmac.compare_digest(signature, _mark(f"platform {serial}".encode(), text))


class WorldUnionpayKeys:
    """UnionPay's side: every answer brings the certificate it is signed under."""

    def sign(self, text: bytes, *, stranger: bool = False) -> bytes:
        """Return the platform's signature of *text*, or a stranger's."""
        return _mark(self.certificate(stranger=stranger).encode(), text)

    def certificate(self, *, stranger: bool = False) -> str:
        """Return the certificate that goes with it."""
        return "stranger" if stranger else "unionpay"

    def is_signed(self, text: bytes, signature: bytes) -> bool:
        """Return whether the merchant signed *text*."""
        return hmac.compare_digest(signature, merchant_sign(text))


def unionpay_signed(certificate: bytes, signature: bytes, text: bytes) -> bool:
    """Return whether UnionPay signed *text*, under a certificate its root vouches for."""
    return certificate == b"unionpay" and hmac.compare_digest(signature, _mark(certificate, text))


def merchant_sign(text: bytes) -> bytes:
    """Return the plaza's signature of a platform request."""
    return _mark(b"merchant", text)


def platform_signed(signature: bytes, text: bytes) -> bool:
    """Return whether the platform signed *text*."""
    return hmac.compare_digest(signature, _mark(b"platform", text))


PLAZA_KEY_ID = "world-plaza-1"


def plaza_sign(text: bytes) -> bytes:
    """Return the plaza's signature of a set: 64 bytes, as Ed25519's are."""
    return _mark(b"plaza set", text)


def plaza_signed(key_id: str, signature: bytes, text: bytes) -> bool:
    """Return whether the plaza's set key signed *text*."""
    return key_id == PLAZA_KEY_ID and hmac.compare_digest(signature, plaza_sign(text))


def secret_of(seed: int, who: str) -> bytes:
    """Return a machine's own key for hashing pay codes."""
    return hashlib.sha256(f"{seed}/{who}/code key".encode()).digest()[:CODE_KEY_BYTES]
