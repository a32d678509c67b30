"""Key files of the simulated Alipay: made at the first start, taken up again at the next.

Both pairs are RSA 2048, as RSA2 asks. A merchant needs ``app_private_key.pem`` (PKCS#8) and
``alipay_public_key.pem``; the other two files let a restarted platform stay the one its merchant
knows. Certificate mode adds, in a directory of its own, certificates of both pairs, the root that
issued them, and the pair and certificate the platform changes to under KEY_CHANGED.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from simulator.models.alipay_wire import AlipayCertificates, Rsa2Keys
from simulator.platforms.pems import (
    KeyFilesError,
    certificate_pem,
    check_pair,
    issue,
    load_certificate,
    load_private,
    load_public,
    make_or_check,
    name_of,
    new_key,
    private_pem,
    public_pem,
)

__all__ = [
    "AlipayCertificateFiles",
    "KeyFiles",
    "KeyFilesError",
    "key_files_in",
    "make_or_load_certificates",
    "make_or_load_keys",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFiles:
    """Where the four files are."""

    app_private: Path
    """The merchant application's private key, PKCS#8: the plaza signs with it."""
    alipay_public: Path
    """The platform's public key: the plaza verifies with it."""
    app_public: Path
    alipay_private: Path

    def paths(self) -> tuple[Path, ...]:
        """Return all four."""
        return (self.app_private, self.alipay_public, self.app_public, self.alipay_private)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlipayCertificateFiles:
    """Where the files of certificate mode are."""

    app_cert: Path
    """Of the merchant application's key."""
    alipay_cert: Path
    """Of the key that signs answers."""
    alipay_root: Path
    """What both are traced to."""
    next_cert: Path
    next_private: Path

    def paths(self) -> tuple[Path, ...]:
        """Return all five."""
        return (
            self.app_cert,
            self.alipay_cert,
            self.alipay_root,
            self.next_cert,
            self.next_private,
        )


def key_files_in(directory: Path) -> KeyFiles:
    """Return the names of the key files in *directory*, whether they are there or not."""
    return KeyFiles(
        app_private=directory / "app_private_key.pem",
        alipay_public=directory / "alipay_public_key.pem",
        app_public=directory / "app_public_key.pem",
        alipay_private=directory / "alipay_private_key.pem",
    )


def make_or_load_keys(directory: Path) -> tuple[KeyFiles, Rsa2Keys]:
    """Return the platform's keys, made in *directory* if it holds none.

    Raises: KeyFilesError: the directory cannot be written, holds some of the four files only, or
            files that are no RSA keys or no pairs.
    """
    files = key_files_in(directory)
    make_or_check(directory, files.paths(), lambda: _new_pairs(files))
    app_private, alipay_private = (
        load_private(files.app_private),
        load_private(files.alipay_private),
    )
    app_public, alipay_public = load_public(files.app_public), load_public(files.alipay_public)
    check_pair(app_private, app_public, files.app_public)
    check_pair(alipay_private, alipay_public, files.alipay_public)
    return files, Rsa2Keys(platform_private=alipay_private, app_public=app_public)


def make_or_load_certificates(
    directory: Path, keys: KeyFiles
) -> tuple[AlipayCertificateFiles, AlipayCertificates]:
    """Return what certificate mode adds to *keys*, made in *directory* if it holds none.

    Raises: KeyFilesError: as ``make_or_load_keys``; also where the certificates are of other keys.
    """
    files = AlipayCertificateFiles(
        app_cert=directory / "app_cert.pem",
        alipay_cert=directory / "alipay_cert.pem",
        alipay_root=directory / "alipay_root_cert.pem",
        next_cert=directory / "next_alipay_cert.pem",
        next_private=directory / "next_alipay_private_key.pem",
    )
    make_or_check(directory, files.paths(), lambda: _new_certificates(files, keys))
    app, root = load_certificate(files.app_cert), load_certificate(files.alipay_root)
    now, later = load_certificate(files.alipay_cert), load_certificate(files.next_cert)
    next_private, app_public = load_private(files.next_private), load_public(keys.app_public)
    check_pair(load_private(keys.app_private), app.public_key(), files.app_cert)
    check_pair(load_private(keys.alipay_private), now.public_key(), files.alipay_cert)
    check_pair(next_private, later.public_key(), files.next_cert)
    return files, AlipayCertificates(
        app_sn=certificate_sn(app),
        root_sn=certificate_sn(root),
        platform_sn=certificate_sn(now),
        platform_pem=certificate_pem(now),
        next_sn=certificate_sn(later),
        next_pem=certificate_pem(later),
        next_keys=Rsa2Keys(platform_private=next_private, app_public=app_public),
    )


def certificate_sn(certificate: x509.Certificate) -> str:
    """Return what the interface calls a certificate's SN: the hex MD5 of its issuer's name, last
    part first, and its serial number in decimal, nothing between them."""
    text = f"{certificate.issuer.rfc4514_string()}{certificate.serial_number}"
    return hashlib.md5(text.encode("utf-8"), usedforsecurity=False).hexdigest()


def _new_pairs(files: KeyFiles) -> Mapping[Path, bytes]:
    made: dict[Path, bytes] = {}
    pairs = ((files.app_private, files.app_public), (files.alipay_private, files.alipay_public))
    for private_path, public_path in pairs:
        key = new_key()
        made[private_path] = private_pem(key)
        made[public_path] = public_pem(key.public_key())
    return made


def _new_certificates(files: AlipayCertificateFiles, keys: KeyFiles) -> Mapping[Path, bytes]:
    root_key, next_key = new_key(), new_key()
    root = name_of("Simulated Alipay root")
    platform = name_of("Simulated Alipay")
    app = name_of("Simulated merchant application")
    alipay_public, app_public = load_public(keys.alipay_public), load_public(keys.app_public)
    issued = {
        files.alipay_root: issue(
            root, root_key.public_key(), issuer=root, issuer_key=root_key, ca=True
        ),
        files.app_cert: issue(app, app_public, issuer=root, issuer_key=root_key),
        files.alipay_cert: issue(platform, alipay_public, issuer=root, issuer_key=root_key),
        files.next_cert: issue(platform, next_key.public_key(), issuer=root, issuer_key=root_key),
    }
    made = {path: certificate_pem(certificate) for path, certificate in issued.items()}
    return {**made, files.next_private: private_pem(next_key)}
