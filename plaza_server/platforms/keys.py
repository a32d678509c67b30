"""RSA keys from PEM files as plain functions, tried once before anything depends on them.

Codecs know no key library: they get a signer and a verifier. A key that is unreadable, too short
or of another kind is refused at start with the file's name, not at the first car.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from plaza_server.platforms.calls import SignatureCheck, Signer
from tolling.errors import BadInputError

MIN_RSA_BITS = 2048
"""RSA2 asks for 2048; the platforms take nothing shorter."""
KEY_PROBE = b"open-toll-lane key self-test"
"""Signed at start with every private key, and never sent."""


def rsa_signer(path: Path) -> Signer:
    """Return the signer (SHA256withRSA, PKCS#1 v1.5) of the private key in a PEM file.

    Raises: BadInputError: no such file, no PEM, no RSA key, under 2048 bits, or it cannot sign.
    """
    try:
        key = serialization.load_pem_private_key(read_key_file(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadInputError(where=str(path), what="no unencrypted PEM private key") from None
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < MIN_RSA_BITS:
        raise BadInputError(where=str(path), what=f"no RSA key of {MIN_RSA_BITS} bits or more")
    private = key

    def sign(message: bytes) -> bytes:
        return private.sign(message, padding.PKCS1v15(), hashes.SHA256())

    if not check_of(private.public_key())(sign(KEY_PROBE), KEY_PROBE):
        raise BadInputError(where=str(path), what="the key does not verify what it signs")
    return sign


def rsa_check(path: Path) -> SignatureCheck:
    """Return the verifier of the public key in a PEM file.

    Raises: BadInputError: no such file, no PEM, no RSA key, or under 2048 bits.
    """
    try:
        key = serialization.load_pem_public_key(read_key_file(path))
    except (ValueError, UnsupportedAlgorithm):
        raise BadInputError(where=str(path), what="no PEM public key") from None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < MIN_RSA_BITS:
        raise BadInputError(where=str(path), what=f"no RSA key of {MIN_RSA_BITS} bits or more")
    return check_of(key)


def refuse_own_key(sign: Signer, check: SignatureCheck, *, where: str) -> None:
    """Raise where *check* is our own public key: a frequent mix-up that makes every answer
    unbelievable.

    Raises: BadInputError: the platform's key file holds our application's key.
    """
    if check(sign(KEY_PROBE), KEY_PROBE):
        raise BadInputError(
            where=where,
            what="this is our own public key, not the platform's",
            do="Download the platform's public key from its merchant page",
        )


def read_key_file(path: Path) -> bytes:
    """Return a key file's bytes. Raises: BadInputError: it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadInputError(where=str(path), what=error.strerror or "cannot be read") from None


def check_of(key: rsa.RSAPublicKey) -> SignatureCheck:
    """Return the verifier (SHA256withRSA, PKCS#1 v1.5) of a public key. It never raises."""

    def check(signature: bytes, message: bytes) -> bool:
        try:
            key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, ValueError):
            return False
        return True

    return check
