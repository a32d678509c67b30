"""The people's side of a lane's operator port: JSON lines over its unix socket, as
``lane-controller attend`` speaks them, written apart from it."""

from __future__ import annotations

import hashlib
import json
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tolling.messages import OperatorAction

ANSWER_S = 6.0
"""The site counts a word of the attendant as unanswered after 10 s."""
ANSWER_BYTES_MAX = 1 << 20
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 16_384, 8, 1
_SALT_BYTES = 16


class PortError(Exception):
    """The port refused, or gave no answer."""


class OperatorPort:
    """A connection to one lane's operator port."""

    def __init__(self, path: Path, *, answer_s: float = ANSWER_S) -> None:
        """Connect. Raises: PortError: nobody serves there."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(answer_s)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise PortError(f"{path}: no lane answers here ({error.strerror or error})") from None
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

    def raw(self, *lines: bytes) -> list[Any]:
        """Send lines as they are; return as many answers. Raises: PortError."""
        try:
            self._socket.sendall(b"".join(lines))
            return [json.loads(self._file.readline(ANSWER_BYTES_MAX)) for _ in lines]
        except (OSError, ValueError):
            raise PortError("the lane gave no answer") from None

    def ask(self, **fields: Any) -> dict[str, Any]:
        """Send one line; return the answer. Raises: PortError."""
        (found,) = self.raw(json.dumps(fields, ensure_ascii=False).encode("utf-8") + b"\n")
        if not isinstance(found, dict) or not found.get("ok"):
            raise PortError(str(found.get("error", "refused")) if found else "refused")
        return found

    def hello(self, operator: str, pin: str) -> None:
        """Sign in. Raises: PortError."""
        self.ask(do="hello", operator=operator, pin=pin)

    def status(self) -> dict[str, Any]:
        """Return the lane's snapshot. Raises: PortError."""
        return dict(self.ask(do="status")["status"])

    def order(
        self,
        action: OperatorAction,
        *,
        status: Mapping[str, Any] | None = None,
        reason: str = "",
        text: str = "",
        number: int = 0,
    ) -> dict[str, Any]:
        """Order something for the vehicle at the window; return the CommandResult's fields.

        Args:   status: the snapshot it was decided on; None: as it is now.
        Raises: PortError.
        """
        seen = self.status() if status is None else status
        arriving = seen.get("arriving")
        answer = self.ask(
            do=action.value,
            reason=reason,
            text=text,
            number=number,
            passage_id=arriving["passage_id"] if arriving else None,
            boot_id=seen["boot_id"],
            state_version=seen["state_version"],
        )
        return dict(answer["result"])


def pin_hash(pin: str) -> str:
    """Return the ``pin_hash`` of a lane file: ``scrypt$n$r$p$salt$hash``."""
    salt = secrets.token_bytes(_SALT_BYTES)
    n, r, p = _SCRYPT_N, _SCRYPT_R, _SCRYPT_P
    made = hashlib.scrypt(pin.encode(), salt=salt, n=n, r=r, p=p, dklen=32, maxmem=256 * n * r)
    return f"scrypt${n}${r}${p}${salt.hex()}${made.hex()}"
