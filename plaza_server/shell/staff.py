"""The people who may act on lanes: names, roles and PIN hashes, in one file of the plaza.

Lanes fetch the list and keep it until it expires, so that an attendant can work while the plaza
cannot be reached. A PIN is short, so only a slow salted hash (scrypt) of it is ever kept or sent.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from plaza_server.shell.clock import random_bytes
from tolling.canonical import from_canonical
from tolling.errors import BadInputError

LIST_LIFE_MS = 12 * 3600 * 1000
"""A lane that has not reached the plaza for half a day asks for a person with a fresh list."""
_SCRYPT_N = 16384
_SCRYPT_R = 8
_SCRYPT_P = 1
_SALT_BYTES = 16
_PIN = re.compile(r"\d{4,12}", re.ASCII)


class Role(StrEnum):
    """What a person may do."""

    ATTENDANT = "attendant"
    """Works at a lane."""
    ASSISTANT = "assistant"
    """Helps many lanes from afar."""
    SHIFT_LEADER = "shift_leader"
    """Closes shifts, may do all an assistant may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffMember:
    """One person."""

    operator_id: str
    """1 to 16 letters and digits."""
    name: str
    role: Role
    pin_hash: str
    """``scrypt$n$r$p$salt$hash``, salt and hash as hex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffList:
    """The file's content."""

    members: tuple[StaffMember, ...]


def hash_pin(pin: str) -> str:
    """Return the slow salted hash of a PIN. Raises: BadInputError: not 4 to 12 digits."""
    if _PIN.fullmatch(pin) is None:
        raise BadInputError(where="pin", what="not 4 to 12 digits")
    salt = random_bytes(_SALT_BYTES)
    digest = _scrypt(pin, salt, _SCRYPT_N, _SCRYPT_R, _SCRYPT_P)
    return f"scrypt${_SCRYPT_N}${_SCRYPT_R}${_SCRYPT_P}${salt.hex()}${digest.hex()}"


def pin_fits(pin: str, pin_hash: str) -> bool:
    """Return whether *pin* is the one that was hashed."""
    kind, n, r, p, salt, digest = pin_hash.split("$")
    assert kind == "scrypt", "the file is written by this code alone"
    made = _scrypt(pin, bytes.fromhex(salt), int(n), int(r), int(p))
    return hmac.compare_digest(made, bytes.fromhex(digest))


def _scrypt(pin: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(pin.encode("ascii"), salt=salt, n=n, r=r, p=p, dklen=32)


class StaffBook:
    """The file, read again whenever it changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._members: tuple[StaffMember, ...] = ()

    def members(self) -> tuple[StaffMember, ...]:
        """Return everybody; empty without a file.

        Raises: BadInputError: the file is not such a list.
        """
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return ()
        seen = (status.st_mtime_ns, status.st_size)
        if seen != self._seen:
            try:
                found = from_canonical(StaffList, self._path.read_bytes())
            except BadInputError as error:
                raise BadInputError(where=str(self._path), what=error.what) from None
            assert isinstance(found, StaffList)
            self._members, self._seen = found.members, seen
        return self._members

    def put(self, member: StaffMember) -> None:
        """Add one person, or replace the one with that id. The file is replaced whole."""
        others = [each for each in self.members() if each.operator_id != member.operator_id]
        staff = StaffList(members=(*others, member))
        text = json.dumps(asdict(staff), ensure_ascii=False, indent=1)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
