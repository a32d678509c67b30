"""The platform's certificates, with whose keys it signs its answers: fetched, opened, believed.

``GET /v3/certificates`` lists the valid ones, each sealed (AES-256-GCM) under the APIv3 key, which
only the platform and we hold. A new one is in the list a day or more before it is used, so several
are known at a time. A list is believed when every certificate in it opens, and the answer itself is
signed: by a certificate known before, or, as long as none is known that is valid now, by one out of
the list (the seal has vouched for that). Everything else leaves what is known as it is.

Accounts of the newer kind have no certificates: their answers are signed by one public key, and
nothing is fetched.

Source: the platform's pages on the certificate list, on updating certificates and on the public
key.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from plaza_server.platforms.calls import HttpAnswer, HttpCall, SignatureCheck
from plaza_server.platforms.wechat.codec import Pen, WechatConfig, signed_call
from plaza_server.platforms.wechat.envelope import open_answer, parse_fields
from plaza_server.rules.outcomes import Evidence, Misconfigured, Unknown

PATH = "/v3/certificates"
ALGORITHM = "AEAD_AES_256_GCM"
MAX_CERTIFICATES = 16
"""In one list; two during a change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One key the platform signs with."""

    serial: str
    """As ``normal_serial`` writes it."""
    begins_ms: int
    """UTC milliseconds, as the certificate itself says."""
    ends_ms: int
    check: SignatureCheck

    def valid_at(self, now_ms: int) -> bool:
        """Return whether the certificate holds now."""
        return self.begins_ms <= now_ms <= self.ends_ms


Unseal = Callable[[bytes, bytes, bytes], bytes | None]
"""(nonce, sealed, associated data) -> what was sealed; None where it was not by this secret. Never
raises."""

ReadCertificate = Callable[[bytes], Certificate | None]
"""PEM -> certificate; None where it is none with an RSA key of 2048 bits or more. Never raises."""


class CertificateBook:
    """The certificates known, and whose answers nobody could judge. One thread."""

    def __init__(self, *, wall_ms: Callable[[], int]) -> None:
        self._wall_ms = wall_ms
        self._known: dict[str, Certificate] = {}
        self._on_missing: Callable[[], None] = lambda: None

    @property
    def known(self) -> Mapping[str, Certificate]:
        """By normal serial."""
        return self._known

    @property
    def ready(self) -> bool:
        """Whether an answer could be verified now."""
        now_ms = self._wall_ms()
        return any(each.valid_at(now_ms) for each in self._known.values())

    @property
    def ends_ms(self) -> int | None:
        """When the last certificate known ends, UTC milliseconds; None while none is known."""
        return max((each.ends_ms for each in self._known.values()), default=None)

    def on_missing(self, tell: Callable[[], None]) -> None:
        """Call *tell* whenever an answer names a certificate that is not known, or is over."""
        self._on_missing = tell

    def verify(self, serial: str, signature: bytes, message: bytes) -> bool:
        """Return whether the certificate of that number, known and valid now, made the signature.
        Never raises."""
        signer = self._known.get(normal_serial(serial))
        if signer is None or not signer.valid_at(self._wall_ms()):
            self._on_missing()
            return False
        return signer.check(signature, message)

    def take(self, certificates: tuple[Certificate, ...]) -> None:
        """Know what a believed list held; forget what is over. What is missing in a list but still
        valid stays: answers signed by it may be on their way."""
        now_ms = self._wall_ms()
        merged = self._known | {each.serial: each for each in certificates}
        alive = [each for each in merged.values() if each.ends_ms >= now_ms]
        alive.sort(key=lambda each: each.ends_ms)
        self._known = {each.serial: each for each in alive[-MAX_CERTIFICATES:]}


def normal_serial(text: str) -> str:
    """Return a serial number as it is compared: upper-case hex without leading zeros."""
    return text.upper().lstrip("0")


def build_list_call(config: WechatConfig, pen: Pen, *, now_ms: int) -> HttpCall:
    """Return the call that fetches the list."""
    return signed_call(config, pen, "GET", PATH, b"", now_ms=now_ms)


def read_list(
    answer: HttpAnswer,
    *,
    known: Mapping[str, Certificate],
    unseal: Unseal,
    read: ReadCertificate,
    now_ms: int,
) -> tuple[Certificate, ...] | Unknown | Misconfigured:
    """Return the certificates of a list that is believed, else why it is not.

    Args:   known: by normal serial, from earlier lists.
            now_ms: UTC wall clock when the answer came.
    """
    listed = _listed(answer.body, unseal, read) if answer.status == 200 else ()
    trusted = {serial: each for serial, each in known.items() if each.valid_at(now_ms)}
    if not trusted and isinstance(listed, tuple):
        trusted = {each.serial: each for each in listed if each.valid_at(now_ms)}

    def verify(serial: str, signature: bytes, message: bytes) -> bool:
        signer = trusted.get(normal_serial(serial))
        return signer is not None and signer.check(signature, message)

    if isinstance(listed, Misconfigured) and not trusted:
        # Nobody can vouch for the answer, and the commonest reason is our own secret.
        return listed
    opened = open_answer(answer, verify=verify, now_ms=now_ms)
    if isinstance(opened, Evidence):
        return Unknown(evidence=opened)
    if not opened.good:
        signed = "" if opened.signed else "unsigned "
        return Misconfigured(detail=f"certificates {signed}{opened.status} {opened.code}".strip())
    if isinstance(listed, Misconfigured):
        return listed
    return listed or Unknown(evidence=Evidence.GARBLED)


def _listed(
    body: bytes, unseal: Unseal, read: ReadCertificate
) -> tuple[Certificate, ...] | Misconfigured:
    """Return what is in a list, or that it does not open. Empty where it is no list."""
    items = (parse_fields(body) or {}).get("data")
    if not isinstance(items, list) or len(items) > MAX_CERTIFICATES:
        return ()
    found: list[Certificate] = []
    for item in items:
        sealed = _sealed(item)
        if sealed is None:
            return ()
        pem = unseal(*sealed)
        if pem is None:
            return Misconfigured(detail="apiv3_key opens no certificate")
        certificate = read(pem)
        if certificate is None or certificate.serial != normal_serial(str(item.get("serial_no"))):
            return ()
        found.append(certificate)
    return tuple(found)


def _sealed(item: Any) -> tuple[bytes, bytes, bytes] | None:
    """Return (nonce, sealed, associated data) of one member of the list."""
    sealed = item.get("encrypt_certificate") if isinstance(item, dict) else None
    if not isinstance(sealed, dict) or sealed.get("algorithm") != ALGORITHM:
        return None
    texts = [sealed.get(name) for name in ("nonce", "ciphertext", "associated_data")]
    try:
        nonce, text, about = (str(each).encode("ascii") for each in texts)
        return nonce, base64.b64decode(text, validate=True), about
    except ValueError:
        return None
