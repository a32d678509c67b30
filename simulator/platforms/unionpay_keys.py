"""Key files of the simulated UnionPay: made at the first start, taken up again at the next.

A merchant needs ``merchant_sign_key.pem`` with its certificate, whose serial number is the certId
of requests, and the platform's root and middle certificates, which vouch for the one that comes
with every answer. What KEY_CHANGED signs with has a certificate that nobody issued.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from simulator.models.unionpay_wire import RsaUnionpayKeys
from simulator.platforms.pems import (
    certificate_pem,
    check_pair,
    issue,
    load_certificate,
    load_private,
    make_or_check,
    name_of,
    new_issuer_key,
    new_key,
    private_pem,
)

OWNER = "中国银联股份有限公司"
_PLATFORM_NAME = f"041@8310000000083040@{OWNER}@00016493"
"""As the platform's own certificates are named; the third part is the company."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnionpayKeyFiles:
    """Where the files are."""

    merchant_private: Path
    """The plaza signs with it."""
    merchant_certificate: Path
    root: Path
    middle: Path
    platform_private: Path
    platform_certificate: Path
    stranger_certificate: Path
    """Of the platform's key and name, issued by itself: no merchant may believe it."""

    def paths(self) -> tuple[Path, ...]:
        """Return all seven."""
        return (
            self.merchant_private,
            self.merchant_certificate,
            self.root,
            self.middle,
            self.platform_private,
            self.platform_certificate,
            self.stranger_certificate,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnionpayKeySet:
    """What a ``UnionpayModel`` is made with."""

    files: UnionpayKeyFiles
    keys: RsaUnionpayKeys
    merchant_certificate_id: str


def make_or_load_unionpay_keys(directory: Path) -> UnionpayKeySet:
    """Return the platform's keys, made in *directory* if it holds none.

    Raises: KeyFilesError: the directory cannot be written, holds some of the files only, or files
            that do not fit together.
    """
    files = UnionpayKeyFiles(
        merchant_private=directory / "merchant_sign_key.pem",
        merchant_certificate=directory / "merchant_sign_cert.pem",
        root=directory / "platform_root_cert.pem",
        middle=directory / "platform_middle_cert.pem",
        platform_private=directory / "platform_private_key.pem",
        platform_certificate=directory / "platform_cert.pem",
        stranger_certificate=directory / "stranger_cert.pem",
    )
    make_or_check(directory, files.paths(), lambda: _made(files))
    merchant = load_certificate(files.merchant_certificate)
    platform = load_certificate(files.platform_certificate)
    stranger = load_certificate(files.stranger_certificate)
    merchant_key = load_private(files.merchant_private)
    platform_key = load_private(files.platform_private)
    check_pair(merchant_key, merchant.public_key(), files.merchant_certificate)
    check_pair(platform_key, platform.public_key(), files.platform_certificate)
    check_pair(platform_key, stranger.public_key(), files.stranger_certificate)
    keys = RsaUnionpayKeys(
        platform=(platform_key, certificate_pem(platform).decode("ascii")),
        stranger=(platform_key, certificate_pem(stranger).decode("ascii")),
        merchant_public=merchant_key.public_key(),
    )
    return UnionpayKeySet(
        files=files, keys=keys, merchant_certificate_id=str(merchant.serial_number)
    )


def _made(files: UnionpayKeyFiles) -> Mapping[Path, bytes]:
    root_key, middle_key = new_issuer_key(), new_issuer_key()
    platform_key, merchant_key = new_key(), new_key()
    root, middle = name_of("Simulated UnionPay root"), name_of("Simulated UnionPay middle")
    platform, merchant = name_of(_PLATFORM_NAME), name_of("Simulated merchant")
    issued = {
        files.root: issue(root, root_key.public_key(), issuer=root, issuer_key=root_key, ca=True),
        files.middle: issue(
            middle, middle_key.public_key(), issuer=root, issuer_key=root_key, ca=True
        ),
        files.platform_certificate: issue(
            platform, platform_key.public_key(), issuer=middle, issuer_key=middle_key
        ),
        files.stranger_certificate: issue(
            platform, platform_key.public_key(), issuer=platform, issuer_key=platform_key
        ),
        files.merchant_certificate: issue(
            merchant, merchant_key.public_key(), issuer=middle, issuer_key=middle_key
        ),
    }
    made = {path: certificate_pem(certificate) for path, certificate in issued.items()}
    return {
        **made,
        files.merchant_private: private_pem(merchant_key),
        files.platform_private: private_pem(platform_key),
    }
