"""The plaza's own keys: Ed25519 for signed sets, and the secret under which pay codes are hashed.

Made once by ``plaza-server init`` and kept in files only the server's user can read. The public
half is served and written to a file, which is what a lane is given.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from plaza_server.shell.clock import random_bytes
from tolling.errors import BadInputError
from tolling.signed_sets import Verifier

CODE_KEY_BYTES = 32
_PROBE = b"open-toll-lane key self-test"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """The key that signs tariff sets, epoch records, receipts and roots."""

    key_id: str
    """First 16 hex digits of the SHA-256 of the public key."""
    public_hex: str
    """The 32 raw public bytes as hex."""
    _key: Ed25519PrivateKey

    def sign(self, message: bytes) -> bytes:
        """Return the signature of *message*, 64 bytes."""
        return self._key.sign(message)

    def public_file_text(self) -> str:
        """Return what a lane needs, as the JSON of the public key file."""
        fields = {"algorithm": "ed25519", "key_id": self.key_id, "public_key": self.public_hex}
        return json.dumps(fields, indent=2) + "\n"


def load_signing_key(path: Path) -> SigningKey:
    """Return the plaza's signing key.

    Raises: BadInputError: no such file, or no Ed25519 private key in PEM.
    """
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise BadInputError(
            where=str(path),
            what=error.strerror or "cannot be read",
            do="Make it with: plaza-server init",
        ) from None
    except (ValueError, TypeError):
        raise BadInputError(where=str(path), what="no unencrypted PEM private key") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInputError(where=str(path), what="no Ed25519 key")
    public = key.public_key()
    public.verify(key.sign(_PROBE), _PROBE)
    raw = public.public_bytes_raw()
    return SigningKey(key_id=key_id_of(raw), public_hex=raw.hex(), _key=key)


def load_verifier(*paths: Path) -> Verifier:
    """Return what checks signatures of the keys in public key files.

    Raises: BadInputError: no such file, or not one that ``plaza-server`` wrote.
    """
    keys: dict[str, Ed25519PublicKey] = {}
    for path in paths:
        try:
            fields = json.loads(path.read_text(encoding="ascii"))
            raw = bytes.fromhex(fields["public_key"])
            keys[key_id_of(raw)] = Ed25519PublicKey.from_public_bytes(raw)
            right = (fields["algorithm"], fields["key_id"]) == ("ed25519", key_id_of(raw))
        except OSError as error:
            raise BadInputError(where=str(path), what=error.strerror or "cannot be read") from None
        except (ValueError, KeyError, TypeError):
            right = False
        if not right:
            raise BadInputError(
                where=str(path),
                what="not a plaza's public key file",
                do="Take the file [keys] public_file names, or the answer of GET /v1/key",
            )

    def verify(key_id: str, signature: bytes, message: bytes) -> bool:
        key = keys.get(key_id)
        try:
            if key is None:
                return False
            key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    return verify


def key_id_of(raw: bytes) -> str:
    """Return the name of a public key: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(raw).hexdigest()[:16]


def load_secret(path: Path, *, min_bytes: int) -> bytes:
    """Return the secret written as hex in a file.

    Raises: BadInputError: no such file, no hex, or fewer than *min_bytes* bytes.
    """
    try:
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise BadInputError(
            where=str(path),
            what=error.strerror or "cannot be read",
            do="Make it with: plaza-server init",
        ) from None
    except ValueError:
        raise BadInputError(where=str(path), what="not hex digits") from None
    if len(secret) < min_bytes:
        raise BadInputError(where=str(path), what=f"shorter than {min_bytes} bytes")
    return secret


def make_signing_key(path: Path) -> None:
    """Write a new Ed25519 private key, readable by its owner alone. An existing file is kept."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_private(path, pem)


def make_secret(path: Path, count: int) -> None:
    """Write *count* random bytes as hex, readable by its owner alone. An existing file is kept."""
    write_private(path, random_bytes(count).hex().encode("ascii") + b"\n")


def write_private(path: Path, content: bytes) -> bool:
    """Write a new file with mode 600; False where it was there already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return True
