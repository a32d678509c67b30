"""Alipay's certificates: the ones we hold, by SN, and which others its answers have asked for.

Certificate mode: our requests name our certificate and the platform's roots, its answers name the
certificate that signed them. One we hold and that is in its time is used; another is noted as
wanted, and whoever keeps this book fetches it, off every payment's path. Until it is there such an
answer proves nothing, like one with a bad signature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from plaza_server.platforms.alipay.envelope import CertificateKeys
from plaza_server.platforms.calls import SignatureCheck, Signer
from plaza_server.platforms.certificates import (
    Expiry,
    WallMs,
    certificate_check,
    expiry_of,
    is_valid_at,
    load_certificates,
    load_own_certificate,
    read_certificates,
    root_sn,
    serial_sn,
    traced_to,
)
from tolling.errors import BadInputError

WANTED_MAX = 4
"""SNs noted at once. They come from answers nobody has proven: a flood must not grow a list."""
HELD_MAX = 16
"""Certificates held. The platform changes its own about once a year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    certificate: x509.Certificate
    check: SignatureCheck


class CertificateBook:
    """The platform's certificates of one account. One thread."""

    def __init__(self, *, roots: list[x509.Certificate], wall_ms: WallMs) -> None:
        self._roots = roots
        self._wall_ms = wall_ms
        self._held: dict[str, _Held] = {}
        self._wanted: dict[str, None] = {}
        self._on_wanted: Callable[[], None] = lambda: None

    @property
    def keys(self) -> CertificateKeys:
        """The face a codec verifies with."""
        return CertificateKeys(check_of=self.check_of)

    @property
    def wanted(self) -> tuple[str, ...]:
        """SNs that answers have named and that are not held, the first named first."""
        return tuple(self._wanted)

    def tell(self, on_wanted: Callable[[], None]) -> None:
        """Call *on_wanted* whenever there is one more SN to fetch."""
        self._on_wanted = on_wanted

    def check_of(self, serial: str) -> SignatureCheck | None:
        """Return the check with the key of that SN's certificate, where it is held and valid
        now."""
        held = self._held.get(serial)
        if held is None:
            if serial and serial not in self._wanted and len(self._wanted) < WANTED_MAX:
                self._wanted[serial] = None
                self._on_wanted()
            return None
        return held.check if is_valid_at(held.certificate, self._wall_ms()) else None

    def judge(self, pem: bytes, serial: str) -> SignatureCheck | None:
        """Return the check of a fetched certificate, where it is the platform's and the one asked
        for: SN, roots, time and key. Its issuers may come in the same text, behind it."""
        found = read_certificates(pem)
        if not found:
            return None
        first, *chain = found
        if serial_sn(first) != serial:
            return None
        if not traced_to(first, chain, self._roots, wall_ms=self._wall_ms()):
            return None
        return certificate_check(first)

    def add(self, pem: bytes, serial: str) -> bool:
        """Hold a fetched certificate; False where the judge refuses it."""
        check = self.judge(pem, serial)
        if check is None or len(self._held) >= HELD_MAX:
            return False
        certificate = read_certificates(pem)[0]
        self._held[serial] = _Held(certificate=certificate, check=check)
        self._wanted.pop(serial, None)
        return True

    def hold(self, certificate: x509.Certificate, check: SignatureCheck) -> None:
        """Hold a certificate from our own files: whoever put it there vouches for it."""
        self._held[serial_sn(certificate)] = _Held(certificate=certificate, check=check)

    def forget(self, serial: str) -> None:
        """Give up on one wanted SN; the next answer that names it asks again."""
        self._wanted.pop(serial, None)

    def expiry(self) -> Expiry:
        """Return until when the newest of the platform's certificates is good."""
        ends = [expiry_of(each.certificate, name="alipay_cert") for each in self._held.values()]
        return max(ends, key=lambda end: end.not_after_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateMode:
    """What certificate mode needs of the files, loaded and tried."""

    app_cert_sn: str
    root_cert_sn: str
    book: CertificateBook
    own: Expiry
    """Until when our own certificate is good."""


def load_certificate_mode(
    *, app_cert: Path, alipay_cert: Path, alipay_root_cert: Path, sign: Signer, wall_ms: WallMs
) -> CertificateMode:
    """Return certificate mode from its three files.

    Raises: BadInputError: a file that cannot be read or is no certificate, a certificate of another
            key than ours, our own in place of the platform's, or roots without an RSA one.
    """
    ours = load_own_certificate(app_cert, sign)
    theirs = load_certificates(alipay_cert)[0]
    check = certificate_check(theirs)
    if check is None:
        raise BadInputError(where=str(alipay_cert), what="no RSA key of 2048 bits or more")
    if serial_sn(theirs) == serial_sn(ours):
        raise BadInputError(
            where=str(alipay_cert),
            what="this is our own certificate, not the platform's",
            do="Download alipayCertPublicKey_RSA2.crt from the platform's page",
        )
    roots = load_certificates(alipay_root_cert)
    serial = root_sn(roots)
    if not serial:
        raise BadInputError(where=str(alipay_root_cert), what="no root that is signed with RSA")
    book = CertificateBook(roots=roots, wall_ms=wall_ms)
    book.hold(theirs, check)
    return CertificateMode(
        app_cert_sn=serial_sn(ours),
        root_cert_sn=serial,
        book=book,
        own=expiry_of(ours, name="app_cert"),
    )
