"""The attendant's side of the operator port: one word from the command line, or a conversation."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tolling.errors import PlazaLinkError, RefusedError
from tolling.messages import OperatorAction

DEADLINE_S = 15.0
"""Longer than the port's own deadline for a command."""
ANSWER_BYTES_MAX = 1 << 20


class OperatorClient:
    """A connection to one lane's operator port."""

    def __init__(self, path: Path) -> None:
        """Connect. Raises: RefusedError: nobody serves there."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(DEADLINE_S)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise RefusedError(
                where=str(path), what=f"no lane answers here ({error.strerror or error})"
            ) from None
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._file.close()
        self._socket.close()

    def ask(self, **fields: Any) -> dict[str, Any]:
        """Send one line; return the answer.

        Raises: RefusedError: the port refused it. PlazaLinkError: no answer came.
        """
        try:
            line = json.dumps(fields, ensure_ascii=False).encode("utf-8") + b"\n"
            self._socket.sendall(line)
            answer = self._file.readline(ANSWER_BYTES_MAX)
            found = json.loads(answer)
        except (OSError, ValueError):
            raise PlazaLinkError(where="operator port", what="the lane gave no answer") from None
        if not found.get("ok"):
            raise RefusedError(where="operator port", what=str(found.get("error", "refused")))
        return dict(found)

    def hello(self, operator: str, pin: str) -> None:
        """Sign in. Raises: RefusedError."""
        self.ask(do="hello", operator=operator, pin=pin)

    def status(self) -> dict[str, Any]:
        """Return the lane's snapshot."""
        return dict(self.ask(do="status")["status"])

    def order(
        self, action: OperatorAction, *, reason: str = "", text: str = "", number: int = 0
    ) -> dict[str, Any]:
        """Order something for the vehicle at the window; return the CommandResult's fields."""
        status = self.status()
        arriving = status.get("arriving")
        answer = self.ask(
            do=action.value,
            reason=reason,
            text=text,
            number=number,
            passage_id=arriving["passage_id"] if arriving else None,
            boot_id=status["boot_id"],
            state_version=status["state_version"],
        )
        return dict(answer["result"])


def status_line(status: dict[str, Any]) -> str:
    """Return a lane's snapshot as one line for people."""
    parts = [f"lane {status['lane_id']}", status["mode"], f"boom {status['barrier']}"]
    arriving = status.get("arriving")
    if arriving is None:
        parts.append("nobody at the window")
    else:
        toll = arriving["toll_fen"]
        amount = "no price yet" if toll is None else f"{toll // 100}.{toll % 100:02d} yuan"
        parts.append(f"{arriving['plate'] or 'no plate'} {arriving['phase']} {amount}")
        if arriving["awaits_entry"]:
            parts.append("say: set_entry text=STATION, or text=* where nobody knows")
        if arriving["order_state"]:
            parts.append(f"order {arriving['order_state']}")
    names = [mode["name"] for mode in status["degraded"]]
    parts += [f"degraded: {', '.join(names)}"] if names else []
    parts += [f"alarms: {', '.join(status['alarms'])}"] if status["alarms"] else []
    return " | ".join(parts)
