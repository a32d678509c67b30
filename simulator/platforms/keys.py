"""Key files of the simulated Alipay: made at the first start, taken up again at the next.

Both pairs are RSA 2048, as RSA2 asks. A merchant needs ``app_private_key.pem`` (PKCS#8) and
``alipay_public_key.pem``; the other two files let a restarted platform stay the one its merchant
knows. All files are readable by their owner only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from simulator.models.alipay_wire import Rsa2Keys

RSA2_BITS = 2048


class KeyFilesError(Exception):
    """The key directory cannot serve; the text says where, what and what to do."""


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
    present = [path for path in files.paths() if path.exists()]
    try:
        if not present:
            _make(directory, files)
        elif len(present) < len(files.paths()):
            missing = next(path for path in files.paths() if path not in present)
            raise KeyFilesError(
                f"{directory}: {missing.name} is missing while others are there; "
                "put it back, or empty the directory to have all made anew"
            )
        return files, _load(files)
    except OSError as error:
        raise KeyFilesError(
            f"{error.filename or directory}: {error.strerror}; name a directory you may write"
        ) from error


def _make(directory: Path, files: KeyFiles) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    pairs = ((files.app_private, files.app_public), (files.alipay_private, files.alipay_public))
    for private_path, public_path in pairs:
        key = generate_private_key(public_exponent=65537, key_size=RSA2_BITS)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        _write(private_path, private)
        _write(public_path, public)


def _write(path: Path, data: bytes) -> None:
    # Mode 0600 from the first byte on: a private key is never readable by others, not even briefly.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)


def _load(files: KeyFiles) -> Rsa2Keys:
    app_private = _private(files.app_private)
    app_public = _public(files.app_public)
    alipay_private = _private(files.alipay_private)
    alipay_public = _public(files.alipay_public)
    for private, public, path in (
        (app_private, app_public, files.app_public),
        (alipay_private, alipay_public, files.alipay_public),
    ):
        if private.public_key().public_numbers() != public.public_numbers():
            raise KeyFilesError(f"{path}: does not belong to its private key; empty the directory")
    return Rsa2Keys(platform_private=alipay_private, app_public=app_public)


def _private(path: Path) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise KeyFilesError(f"{path}: no private key in PEM; empty the directory") from error
    if not isinstance(key, RSAPrivateKey):
        raise KeyFilesError(f"{path}: no RSA key; empty the directory")
    return key


def _public(path: Path) -> RSAPublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except ValueError as error:
        raise KeyFilesError(f"{path}: no public key in PEM; empty the directory") from error
    if not isinstance(key, RSAPublicKey):
        raise KeyFilesError(f"{path}: no RSA key; empty the directory")
    return key
