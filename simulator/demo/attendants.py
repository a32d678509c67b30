"""Carries the simulated attendants' words to the lanes' operator ports and the answers back.

An attendant takes cash at the window: ``cash_begin``, then ``cash_taken``, in the lane's own words
over its unix socket, as ``lane-controller attend`` does for a real person.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.demo.http import CallFailedError, SiteApi
from simulator.people import LaneSays
from simulator.site.plates import plate_of

OPERATOR = "901"
ANSWER_S = 9.0
"""The site counts a word as unanswered after 10 s."""
WAIT_MS = 10_000
PAUSE_S = 0.5
LINE_MAX = 1 << 20


class NotNowError(Exception):
    """The lane does not take the word now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attendants:
    """One attendant at every lane's window."""

    site: SiteApi
    sockets: Mapping[str, Path]
    """By lane."""
    pin: str

    async def serve(self) -> None:
        """Carry words until cancelled."""
        carried: set[int] = set()
        async with asyncio.TaskGroup() as tasks:
            while True:
                try:
                    answer = await self.site.call(
                        "GET", f"/desk?wait_ms={WAIT_MS}", within_s=WAIT_MS / 1000 + 5
                    )
                except CallFailedError:
                    await asyncio.sleep(PAUSE_S)
                    continue
                fresh = [word for word in answer["words"] if word["word_id"] not in carried]
                for word in fresh:
                    carried.add(word["word_id"])
                    tasks.create_task(self._carry(word), name=f"word {word['word_id']}")
                if not fresh:
                    # The words that wait are under way; the desk would answer at once again.
                    await asyncio.sleep(PAUSE_S / 5)

    async def _carry(self, word: Mapping[str, Any]) -> None:
        says, toll_fen = LaneSays.NOT_NOW, None
        try:
            async with asyncio.timeout(ANSWER_S):
                says, toll_fen = await self._ask(word)
        except (OSError, TimeoutError, ValueError, NotNowError):
            pass
        body = {"says": says.value, "toll_fen": toll_fen}
        try:
            await self.site.call("POST", f"/desk/{word['word_id']}", body)
        except CallFailedError:
            return  # It counts as "not now" after its time.

    async def _ask(self, word: Mapping[str, Any]) -> tuple[LaneSays, int | None]:
        async with _operator_port(self.sockets[word["lane"]]) as port:
            await port.ask({"do": "hello", "operator": OPERATOR, "pin": self.pin})
            arriving = (await port.ask({"do": "status"}))["status"]["arriving"]
            if arriving is None or not _same_vehicle(arriving, word["vehicle_id"]):
                raise NotNowError
            order = {"do": word["word"], "passage_id": arriving["passage_id"]}
            result = (await port.ask(order))["result"]
        if result["outcome"] == "confirmed":
            return LaneSays.ACCEPTED, arriving["toll_fen"]
        if result["reason"] == "phone_paid_give_cash_back":
            return LaneSays.PAID_BY_PHONE, arriving["toll_fen"]
        return LaneSays.NOT_NOW, None


@dataclass(frozen=True, slots=True)
class _Port:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to one line. Raises: NotNowError: it is an error."""
        self.writer.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        await self.writer.drain()
        answer = json.loads(await self.reader.readline() or b"{}")
        if not answer.get("ok"):
            raise NotNowError
        return dict(answer)


@asynccontextmanager
async def _operator_port(socket: Path) -> AsyncIterator[_Port]:
    reader, writer = await asyncio.open_unix_connection(str(socket), limit=LINE_MAX)
    try:
        yield _Port(reader, writer)
    finally:
        writer.close()


async def lane_status(socket: Path) -> dict[str, Any]:
    """Return what a lane says of itself at its operator port.

    Raises: OSError, NotNowError, ValueError: it does not answer, or not well.
    """
    async with _operator_port(socket) as port:
        return dict((await port.ask({"do": "status"}))["status"])


def _same_vehicle(arriving: Mapping[str, Any], vehicle_id: int) -> bool:
    """Return whether the lane means the vehicle at the attendant's window: by plate, where read."""
    plate = arriving.get("plate")
    return plate is None or plate == plate_of(vehicle_id).text
