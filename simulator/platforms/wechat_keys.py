"""Key files of the simulated WeChat Pay: made at the first start, taken up again at the next.

A merchant needs ``apiclient_key.pem`` with its serial, ``apiv3_key.txt`` to open platform
certificates, and in the newer way of signing ``pub_key.pem`` with its id.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from simulator.models.wechat_values import WechatConfig
from simulator.models.wechat_wire import PlatformCertificate, RsaWechatKeys
from simulator.platforms.pems import (
    KeyFilesError,
    certificate_pem,
    check_pair,
    issue,
    load_certificate,
    load_private,
    make_or_check,
    name_of,
    new_key,
    private_pem,
    public_pem,
)

API_V3_KEY_LENGTH = 32
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class WechatKeyFiles:
    """Where the files are."""

    merchant_private: Path
    """The plaza signs with it."""
    merchant_certificate: Path
    api_v3_key: Path
    """32 letters and digits."""
    public_key: Path
    """The platform's public key of the newer way."""
    public_private: Path
    platform_private: Path
    platform_certificate: Path
    next_private: Path
    next_certificate: Path

    def paths(self) -> tuple[Path, ...]:
        """Return all nine."""
        return (
            self.merchant_private,
            self.merchant_certificate,
            self.api_v3_key,
            self.public_key,
            self.public_private,
            self.platform_private,
            self.platform_certificate,
            self.next_private,
            self.next_certificate,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WechatKeySet:
    """What a ``WechatModel`` is made with."""

    files: WechatKeyFiles
    keys: RsaWechatKeys
    certificates: tuple[PlatformCertificate, ...]
    api_v3_key: bytes
    merchant_serial: str
    platform_serial: str
    next_serial: str


def make_or_load_wechat_keys(directory: Path, *, public_key_id: str | None = None) -> WechatKeySet:
    """Return the platform's keys, made in *directory* if it holds none.

    Args:   public_key_id: what the platform's public key is called; None = the usual.
    Raises: KeyFilesError: the directory cannot be written, holds some of the files only, or files
            that do not fit together.
    """
    files = WechatKeyFiles(
        merchant_private=directory / "apiclient_key.pem",
        merchant_certificate=directory / "apiclient_cert.pem",
        api_v3_key=directory / "apiv3_key.txt",
        public_key=directory / "pub_key.pem",
        public_private=directory / "platform_pub_private_key.pem",
        platform_private=directory / "platform_private_key.pem",
        platform_certificate=directory / "platform_cert.pem",
        next_private=directory / "next_platform_private_key.pem",
        next_certificate=directory / "next_platform_cert.pem",
    )
    make_or_check(directory, files.paths(), lambda: _made(files))
    merchant = load_certificate(files.merchant_certificate)
    now, later = (
        load_certificate(files.platform_certificate),
        load_certificate(files.next_certificate),
    )
    private = {
        "merchant": load_private(files.merchant_private),
        "platform": load_private(files.platform_private),
        "next": load_private(files.next_private),
        "public": load_private(files.public_private),
    }
    check_pair(private["merchant"], merchant.public_key(), files.merchant_certificate)
    check_pair(private["platform"], now.public_key(), files.platform_certificate)
    check_pair(private["next"], later.public_key(), files.next_certificate)
    secret = files.api_v3_key.read_bytes().strip()
    if len(secret) != API_V3_KEY_LENGTH:
        raise KeyFilesError(f"{files.api_v3_key}: not 32 characters; empty the directory")
    key_id = public_key_id or WechatConfig().public_key_id
    signers = {
        serial_of(now): private["platform"],
        serial_of(later): private["next"],
        key_id: private["public"],
    }
    merchant_public = private["merchant"].public_key()
    return WechatKeySet(
        files=files,
        keys=RsaWechatKeys(platform=signers, merchant_public=merchant_public),
        certificates=(_kept(now), _kept(later)),
        api_v3_key=secret,
        merchant_serial=serial_of(merchant),
        platform_serial=serial_of(now),
        next_serial=serial_of(later),
    )


def serial_of(certificate: x509.Certificate) -> str:
    """Return a serial number as the interface writes it: 40 hex digits, upper case."""
    return f"{certificate.serial_number:040X}"


def _kept(certificate: x509.Certificate) -> PlatformCertificate:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    second = timedelta(seconds=1)
    return PlatformCertificate(
        serial=serial_of(certificate),
        begins_ns=(begins - _EPOCH) // second * 1_000_000_000,
        ends_ns=(ends - _EPOCH) // second * 1_000_000_000,
        pem=certificate_pem(certificate),
    )


def _made(files: WechatKeyFiles) -> Mapping[Path, bytes]:
    made: dict[Path, bytes] = {}
    for name, private_path, certificate_path in (
        ("Simulated merchant", files.merchant_private, files.merchant_certificate),
        ("Simulated WeChat Pay", files.platform_private, files.platform_certificate),
        ("Simulated WeChat Pay", files.next_private, files.next_certificate),
    ):
        key = new_key()
        own = name_of(name)
        certificate = issue(own, key.public_key(), issuer=own, issuer_key=key)
        made[private_path] = private_pem(key)
        made[certificate_path] = certificate_pem(certificate)
    pair = new_key()
    made[files.public_private] = private_pem(pair)
    made[files.public_key] = public_pem(pair.public_key())
    signs = string.ascii_letters + string.digits
    secret = "".join(secrets.choice(signs) for _ in range(API_V3_KEY_LENGTH))
    made[files.api_v3_key] = secret.encode("ascii") + b"\n"
    return made
