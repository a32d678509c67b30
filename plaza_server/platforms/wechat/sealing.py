"""What opens WeChat Pay's sealed certificates: AES-256-GCM under the APIv3 key, and X.509."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from plaza_server.platforms.certificates import certificate_check, read_certificates
from plaza_server.platforms.keys import read_key_file
from plaza_server.platforms.wechat.certificates import Certificate, Unseal, normal_serial
from tolling.errors import BadInputError

APIV3_KEY_BYTES = 32
APIV3_KEY_VARIABLE = "WECHAT_APIV3_KEY"
NONCE_BYTES = range(8, 129)
"""What the library takes; the platform sends 12."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def load_apiv3_key(path: Path | None) -> bytes:
    """Return the APIv3 key: the environment's WECHAT_APIV3_KEY, else the file's first line.

    Raises: BadInputError: neither is there, or it is not 32 bytes. The key is never shown.
    """
    where, text = f"environment {APIV3_KEY_VARIABLE}", os.environ.get(APIV3_KEY_VARIABLE, "")
    secret = text.encode("utf-8", "surrogateescape")
    if not secret:
        if path is None:
            raise BadInputError(
                where="[platforms.wechat] apiv3_key",
                what=f"neither the key's file nor the environment's {APIV3_KEY_VARIABLE} is given",
                do='Set one of them, or mode = "public_key" for an account of that kind',
            )
        where = str(path)
        secret = read_key_file(path).partition(b"\n")[0].strip()
    if len(secret) != APIV3_KEY_BYTES:
        raise BadInputError(
            where=where,
            what=f"not {APIV3_KEY_BYTES} bytes",
            do="Take the APIv3 key (not the older API key) from the merchant's page",
        )
    return secret


def unsealer(secret: bytes) -> Unseal:
    """Return what opens texts sealed under the APIv3 key, 32 bytes."""
    cipher = AESGCM(secret)

    def unseal(nonce: bytes, sealed: bytes, about: bytes) -> bytes | None:
        if len(nonce) not in NONCE_BYTES:
            return None
        try:
            return cipher.decrypt(nonce, sealed, about)
        except (InvalidTag, ValueError):
            return None

    return unseal


def read_certificate(pem: bytes) -> Certificate | None:
    """Return a platform certificate, or None where it is none with an RSA key of 2048 bits."""
    found = read_certificates(pem)
    if not found:
        return None
    certificate = found[0]
    check = certificate_check(certificate)
    if check is None:
        return None
    return Certificate(
        serial=normal_serial(f"{certificate.serial_number:X}"),
        begins_ms=_ms(certificate.not_valid_before_utc),
        ends_ms=_ms(certificate.not_valid_after_utc),
        check=check,
    )


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
