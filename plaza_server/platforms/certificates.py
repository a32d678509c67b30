"""X.509 certificates of platforms and of ours: read from PEM, tried at start, traced to a root.

Codecs know no certificate library. They get serial numbers as text and checks as functions. A
platform that sends its certificate with each answer is believed only where that certificate was
issued by the one we hold, belongs to the platform and is valid now.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from plaza_server.platforms.calls import SignatureCheck, Signer
from plaza_server.platforms.keys import KEY_PROBE, MIN_RSA_BITS, check_of, read_key_file
from plaza_server.platforms.unionpay.envelope import CertifiedCheck
from tolling.errors import BadInputError

MAX_CERTIFICATE_BYTES = 16 * 1024
"""Far above any certificate of these chains; what is longer is not parsed."""
KNOWN_MAX = 16
"""Certificates of a platform kept with their verdict. It changes them once a year."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RSA_SIGNED = "1.2.840.113549.1.1."
"""Beginning of the object identifiers of RSA signatures."""
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)
"""What the library raises of a damaged certificate, most of it only when a part is asked for."""

WallMs = Callable[[], int]
"""UTC milliseconds now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """Until when one certificate a platform depends on is good."""

    name: str
    """Its key in the plaza file: stays when a newer one takes its place."""
    not_after_ms: int
    """UTC milliseconds."""


def load_certificates(path: Path) -> list[x509.Certificate]:
    """Return the certificates of a PEM file, at least one.

    Raises: BadInputError: no such file, or no certificate in PEM.
    """
    try:
        return _read(read_key_file(path))
    except _UNREADABLE:
        raise BadInputError(where=str(path), what="no certificate in PEM") from None


def read_certificates(pem: bytes) -> list[x509.Certificate]:
    """Return a stranger's certificates, PEM; none where one is damaged or its number is below 1.

    Never raises; longer than MAX_CERTIFICATE_BYTES is none. Names, numbers and times of what it
    returns can be read.
    """
    if len(pem) > MAX_CERTIFICATE_BYTES:
        return []
    # What the library warns of is not ours to mend, and would stand in our log.
    with warnings.catch_warnings(action="ignore"):
        try:
            found = _read(pem)
        except _UNREADABLE:
            return []
        return found if all(each.serial_number > 0 for each in found) else []


def load_own_certificate(path: Path, sign: Signer) -> x509.Certificate:
    """Return our certificate, the first of a PEM file, tried against our private key.

    Raises: BadInputError: no such file, no certificate, no RSA, or it is of another key.
    """
    certificate = load_certificates(path)[0]
    check = certificate_check(certificate)
    if check is None:
        raise BadInputError(where=str(path), what=f"no RSA key of {MIN_RSA_BITS} bits or more")
    if not check(sign(KEY_PROBE), KEY_PROBE):
        raise BadInputError(
            where=str(path),
            what="the certificate is of another key than our private key",
            do="Take the certificate that was issued for this key",
        )
    return certificate


def certificate_check(certificate: x509.Certificate) -> SignatureCheck | None:
    """Return the verifier (SHA256withRSA) of a certificate's key; None where it is no RSA key of
    2048 bits or more."""
    try:
        key = certificate.public_key()
    except _UNREADABLE:
        return None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < MIN_RSA_BITS:
        return None
    return check_of(key)


def expiry_of(certificate: x509.Certificate, *, name: str) -> Expiry:
    """Return until when a certificate is good."""
    return Expiry(name=name, not_after_ms=_ms(certificate.not_valid_after_utc))


def serial_sn(certificate: x509.Certificate) -> str:
    """Return what Alipay calls a certificate's SN: the hex MD5 of its issuer's name and its serial
    number, both as text, nothing between them.

    Source: the platform's page on certificate mode and its kits; the name is written as RFC 4514
    does, last part first. Checked against a published certificate and its published SN.
    """
    text = f"{certificate.issuer.rfc4514_string()}{certificate.serial_number}"
    return hashlib.md5(text.encode("utf-8"), usedforsecurity=False).hexdigest()


def root_sn(certificates: list[x509.Certificate]) -> str:
    """Return the SN of a file of roots: those of the certificates signed with RSA, joined by ``_``
    in the file's order (the others are signed with SM2 and are not counted)."""
    signed_by_rsa = [
        each
        for each in certificates
        if each.signature_algorithm_oid.dotted_string.startswith(_RSA_SIGNED)
    ]
    return "_".join(serial_sn(each) for each in signed_by_rsa)


def is_valid_at(certificate: x509.Certificate, wall_ms: int) -> bool:
    """Return whether a moment lies in a certificate's time."""
    starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return _ms(starts) <= wall_ms <= _ms(ends)


def was_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Return whether *issuer* may issue certificates and signed this one. Never raises."""
    try:
        limits = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        certificate.verify_directly_issued_by(issuer)
    except (*_UNREADABLE, InvalidSignature):
        return False
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return False
    return limits.ca


def traced_to(
    certificate: x509.Certificate,
    chain: list[x509.Certificate],
    roots: list[x509.Certificate],
    *,
    wall_ms: int,
) -> bool:
    """Return whether a certificate leads to one of *roots*, over *chain* in its order, with every
    certificate on the way in its time. Never raises."""
    at = certificate
    for step in chain:
        if not is_valid_at(at, wall_ms) or not was_issued_by(at, step):
            return False
        at = step
    if not is_valid_at(at, wall_ms):
        return False
    return any(is_valid_at(root, wall_ms) and was_issued_by(at, root) for root in roots)


def chain_check(*, root: Path, middle: Path, owner: str, wall_ms: WallMs) -> CertifiedCheck:
    """Return the check of a platform that sends its certificate along (UnionPay).

    The certificate must be issued by *middle*, that one by *root*, all be valid now, and the third
    part of its common name (between ``@``) must be *owner*. A verdict on a certificate is kept, its
    time is looked at each time.

    Raises: BadInputError: a file that is no certificate, or *middle* is not issued by *root*.
    """
    (root_certificate, *_), (middle_certificate, *_) = (
        load_certificates(root),
        load_certificates(middle),
    )
    if not was_issued_by(middle_certificate, root_certificate):
        raise BadInputError(
            where=str(middle),
            what=f"not issued by the certificate in {root}",
            do="Take root and middle certificate from one download of the platform's",
        )
    known: dict[bytes, tuple[x509.Certificate, SignatureCheck] | None] = {}

    def judge(pem: bytes) -> tuple[x509.Certificate, SignatureCheck] | None:
        found = read_certificates(pem)
        if not found or _owner_of(found[0]) != owner:
            return None
        certificate = found[0]
        check = certificate_check(certificate)
        if check is None or not was_issued_by(certificate, middle_certificate):
            return None
        return certificate, check

    def check(pem: bytes, signature: bytes, message: bytes) -> bool:
        if pem not in known:
            if len(known) >= KNOWN_MAX:
                known.clear()
            known[pem] = judge(pem)
        found = known[pem]
        if found is None:
            return False
        certificate, signed = found
        now_ms = wall_ms()
        chain = (certificate, middle_certificate, root_certificate)
        return all(is_valid_at(each, now_ms) for each in chain) and signed(signature, message)

    return check


def _read(pem: bytes) -> list[x509.Certificate]:
    """Return the certificates of a PEM text, their names and times tried; the library's errors."""
    found = x509.load_pem_x509_certificates(pem)
    for each in found:
        _ = (each.subject, each.issuer, each.not_valid_before_utc, each.not_valid_after_utc)
    return found


def _owner_of(certificate: x509.Certificate) -> str:
    """Return the company in a common name such as ``041@8310000000083040@NAME@00016493``."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    parts = str(names[0].value).split("@") if names else []
    return parts[2] if len(parts) > 2 else ""


def _ms(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(milliseconds=1)
