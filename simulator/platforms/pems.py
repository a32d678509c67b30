"""Keys and certificates of simulated platforms as files: made at the first start, then taken up.

All files are readable by their owner only. A directory holds the whole set or nothing: half a set
is never mixed with new files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509.oid import NameOID

RSA_BITS = 2048
"""What RSA2, WeChat's and UnionPay's signatures ask for."""
PROBE = b"key self-test"
"""Signed with each key that is taken up, and never sent."""
BEGINS = datetime(2020, 1, 1)  # noqa: DTZ001  the library reads naive moments as UTC
ENDS = datetime(2049, 1, 1)  # noqa: DTZ001
"""Simulated certificates outlive every run; their end is a fault, not a date."""


class KeyFilesError(Exception):
    """The key directory cannot serve; the text says where, what and what to do."""


def make_or_check(
    directory: Path, paths: tuple[Path, ...], make: Callable[[], Mapping[Path, bytes]]
) -> None:
    """Write what *make* returns into *directory* if none of *paths* is there.

    Raises: KeyFilesError: the directory cannot be written or holds some of the files only.
    """
    present = [path for path in paths if path.exists()]
    try:
        if not present:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path, data in make().items():
                _write(path, data)
        elif len(present) < len(paths):
            missing = next(path for path in paths if path not in present)
            raise KeyFilesError(
                f"{directory}: {missing.name} is missing while others are there; "
                "put it back, or empty the directory to have all made anew"
            )
    except OSError as error:
        raise KeyFilesError(
            f"{error.filename or directory}: {error.strerror}; name a directory you may write"
        ) from error


def _write(path: Path, data: bytes) -> None:
    # Mode 0600 from the first byte on: a private key is never readable by others, not even briefly.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def new_key() -> RSAPrivateKey:
    """Return a fresh RSA pair."""
    return generate_private_key(public_exponent=65537, key_size=RSA_BITS)


def new_issuer_key() -> EllipticCurvePrivateKey:
    """Return a fresh pair that only issues certificates: made in a millisecond, where an RSA pair
    takes a quarter of a second."""
    return generate_ec_key(SECP256R1())


def private_pem(key: RSAPrivateKey) -> bytes:
    """Return a private key as PKCS#8."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(key: RSAPublicKey) -> bytes:
    """Return a public key as PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def name_of(common_name: str) -> x509.Name:
    """Return a certificate's name."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Simulation"),
            # Some kits write "OU=None" into a certificate's SN where it is missing.
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Toll"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def issue(
    subject: x509.Name,
    key: RSAPublicKey | EllipticCurvePublicKey,
    *,
    issuer: x509.Name,
    issuer_key: RSAPrivateKey | EllipticCurvePrivateKey,
    ca: bool = False,
    serial: int | None = None,
) -> x509.Certificate:
    """Return a certificate for *key*, valid for as long as any simulation runs."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(BEGINS)
        .not_valid_after(ENDS)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(issuer_key, SHA256())
    )


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """Return a certificate as PEM."""
    return certificate.public_bytes(Encoding.PEM)


def load_private(path: Path) -> RSAPrivateKey:
    """Return the RSA key in a file, which signs what its public half verifies.

    Raises: KeyFilesError.
    """
    try:
        # The platforms' nine keys were made here: to look for a factor of their primes at each
        # start takes half a second. What signs and is verified serves, flipped bits or not.
        key = load_pem_private_key(_read(path), password=None, unsafe_skip_rsa_key_validation=True)
        if isinstance(key, RSAPrivateKey):
            made = key.sign(PROBE, PKCS1v15(), SHA256())
            key.public_key().verify(made, PROBE, PKCS1v15(), SHA256())
            return key
    except (ValueError, TypeError, InvalidSignature) as error:
        raise KeyFilesError(f"{path}: no private key in PEM; empty the directory") from error
    raise KeyFilesError(f"{path}: no RSA key; empty the directory")


def load_public(path: Path) -> RSAPublicKey:
    """Return the RSA public key in a file. Raises: KeyFilesError."""
    try:
        key = load_pem_public_key(_read(path))
    except ValueError as error:
        raise KeyFilesError(f"{path}: no public key in PEM; empty the directory") from error
    if not isinstance(key, RSAPublicKey):
        raise KeyFilesError(f"{path}: no RSA key; empty the directory")
    return key


def load_certificate(path: Path) -> x509.Certificate:
    """Return the certificate in a file. Raises: KeyFilesError."""
    try:
        return x509.load_pem_x509_certificate(_read(path))
    except ValueError as error:
        raise KeyFilesError(f"{path}: no certificate in PEM; empty the directory") from error


def check_pair(private: RSAPrivateKey, public: object, path: Path) -> None:
    """Refuse a public half that is another pair's. Raises: KeyFilesError, naming *path*."""
    own = private.public_key().public_numbers()
    if isinstance(public, RSAPublicKey) and public.public_numbers() == own:
        return
    raise KeyFilesError(f"{path}: does not belong to its private key; empty the directory")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyFilesError(f"{path}: {error.strerror}; name a directory you may read") from error
