"""The local operator port: a unix socket that works when nothing else does.

One JSON object a line, one answer a line, in order::

    {"do": "hello", "operator": "101", "pin": "1234"}      -> {"ok": true, "operator": "101"}
    {"do": "status"}                                       -> {"ok": true, "status": {...}}
    {"do": "cash_begin", "passage_id": "...", ...}         -> {"ok": true, "result": {...}}
    anything wrong                                         -> {"ok": false, "error": "..."}

The words after ``do`` are those of OperatorAction, the other fields those of OperatorCommand but
``operator`` and ``local``, which the port fills in. ``status`` needs no hello, commands do. The
lane's own port is not subject to staleness, but a passage that is gone is still refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import structlog

from lane_controller.shell.clock import new_boot_id
from lane_controller.shell.staff import StaffBook
from tolling import wire
from tolling.errors import BadInputError, LaneError, RefusedError
from tolling.messages import CommandOutcome, CommandResult, LaneSnapshot, OperatorCommand

LINE_BYTES_MAX = 4_096
CLIENTS_MAX = 16
"""One booth and a few tools."""
ANSWER_S = 10.0
"""A raise is answered when the upper limit is seen or its time is over; nothing takes longer."""
SOCKET_MODE = 0o660
_FILLED_IN = {"do", "operator", "local", "pin"}


class OperatorPort:
    """Serves the socket."""

    def __init__(
        self,
        path: Path,
        staff: StaffBook,
        *,
        order: Callable[[OperatorCommand], Awaitable[CommandResult]],
        view: Callable[[], LaneSnapshot],
    ) -> None:
        """Make the port. *order* hands a command to the lane and returns its result."""
        self._path = path
        self._staff = staff
        self._order = order
        self._view = view
        self._log = structlog.get_logger("lane.operator_port")
        self._tasks: asyncio.TaskGroup | None = None
        self._clients = 0
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled; then the socket is gone."""
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        server = await asyncio.start_unix_server(
            self._accept, path=str(self._path), limit=LINE_BYTES_MAX
        )
        os.chmod(self._path, SOCKET_MODE)
        self.ready.set()
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                await server.serve_forever()
        finally:
            self._tasks = None
            server.close()
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._tasks is None or self._clients >= CLIENTS_MAX:
            writer.close()
            return
        self._tasks.create_task(self._serve(reader, writer), name="operator client")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        operator: str | None = None
        try:
            while line := await self._line(reader):
                operator, answer = await self._answer(operator, line)
                writer.write(json.dumps(answer, ensure_ascii=False).encode("utf-8") + b"\n")
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            self._clients -= 1
            writer.close()

    async def _line(self, reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.readline()
        except ValueError:
            return b""  # Too long for any word of this port: the connection ends.

    async def _answer(self, operator: str | None, line: bytes) -> tuple[str | None, dict[str, Any]]:
        """Return (who is signed in now, the answer)."""
        try:
            asked = _read_line(line)
            word = asked.get("do")
            if word == "hello":
                name = await self._hello(asked)
                return name, {"ok": True, "operator": name}
            if word == "status":
                return operator, {"ok": True, "status": _plain(self._view())}
            if operator is None:
                raise RefusedError(where="operator port", what="say hello with operator and pin")
            result = await self._command(operator, asked)
            return operator, {"ok": True, "result": _plain(result)}
        except (BadInputError, RefusedError, LaneError) as error:
            return operator, {"ok": False, "error": str(error)}

    async def _hello(self, asked: dict[str, Any]) -> str:
        name, pin = asked.get("operator"), asked.get("pin")
        if not isinstance(name, str) or not isinstance(pin, str) or len(name) > wire.NAME_MAX:
            raise BadInputError(where="hello", what="give operator and pin as texts")
        await self._staff.check(name, pin)
        self._log.info("operator_signed_in", operator=name)
        return name

    async def _command(self, operator: str, asked: dict[str, Any]) -> CommandResult:
        fields = {key: value for key, value in asked.items() if key not in _FILLED_IN}
        fields.setdefault("command_id", f"local-{new_boot_id()}")
        fields.setdefault("reason", "")
        fields.setdefault("passage_id", None)
        fields.setdefault("boot_id", self._view().boot_id)
        fields.setdefault("state_version", 0)
        fields |= {"action": asked.get("do"), "operator": operator, "local": True}
        text = json.dumps(fields, ensure_ascii=False)
        command = wire.check(wire.operator_command, text, where="command")
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._order(command)
        except TimeoutError:
            return CommandResult(
                command_id=command.command_id,
                outcome=CommandOutcome.UNKNOWN,
                reason="no answer in time",
            )


def _read_line(line: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise BadInputError(where="operator port", what="a line is not one JSON object")
    return asked


def _plain(value: object) -> Any:
    return json.loads(wire.json_bytes(value))
