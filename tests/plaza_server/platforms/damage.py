"""Damaged certificates, as a broken line or a stranger sends them."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

BIT_STRING = b"\x03"
"""A DER tag that a part of a name may have by the letter, and hardly ever has."""


def damaged(certificate: x509.Certificate) -> Iterator[bytes]:
    """Yield its PEM with each bit wrong, with a bit string's tag anywhere, and cut off anywhere."""
    der = certificate.public_bytes(Encoding.DER)
    for at, byte in enumerate(der):
        before, after = der[:at], der[at + 1 :]
        for bit in range(8):
            yield pem_of(before + bytes([byte ^ 1 << bit]) + after)
        yield pem_of(before + BIT_STRING + after)
        yield pem_of(before)


def with_a_strange_version(certificate: x509.Certificate) -> bytes:
    """Return its PEM as of X.509 version 7, which there is not."""
    return _replaced(certificate, b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x06")


def with_a_strange_name(certificate: x509.Certificate) -> bytes:
    """Return its PEM with the text of a common name marked as a bit string."""
    return _replaced(certificate, b"\x06\x03\x55\x04\x03\x0c", b"\x06\x03\x55\x04\x03" + BIT_STRING)


def pem_of(der: bytes) -> bytes:
    """Return bytes as what says that it is a certificate."""
    text = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n"


def _replaced(certificate: x509.Certificate, old: bytes, new: bytes) -> bytes:
    der = certificate.public_bytes(Encoding.DER)
    assert old in der
    return pem_of(der.replace(old, new, 1))
