"""The bare lane: a frame in, one durable row, one call to the plaza, one Modbus write."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import serialx
from pymodbus.client import AsyncModbusTcpClient

from simulator.bench.floor.common import KEEP_ALIVE_S, Disk, options, say, until_told

TABLES = "CREATE TABLE sent (number TEXT PRIMARY KEY, body BLOB, at INTEGER)"
SENT = "INSERT INTO sent VALUES (?, ?, ?)"
PULSE_S = 0.1
AMOUNT_FEN = 2_500


class BareLane:
    """Raises for every line that comes from the scanner."""

    def __init__(self, given: dict[str, Any], session: aiohttp.ClientSession) -> None:
        self._lane: str = given["lane"]
        self._plaza_url: str = given["plaza_url"]
        self._raise_at: int = given["raise_address"]
        self._device_id: int = given["device_id"]
        self._disk = Disk(Path(given["store"]), TABLES)
        self._session = session
        self._modbus = AsyncModbusTcpClient(
            given["modbus_host"], port=given["modbus_port"], timeout=0.3, retries=0
        )

    async def run(self, scanner: str) -> None:
        """Serve the scanner's line for ever."""
        reader, _ = await serialx.open_serial_connection(scanner, baudrate=115_200)
        await self._modbus.connect()
        say(ready=self._lane)
        number = 0
        while True:
            code = (await reader.readuntil(b"\r")).strip()
            number += 1
            await self._pay(f"{self._lane}{number:09d}", code)
            await self._write(on=True)
            await asyncio.sleep(PULSE_S)
            await self._write(on=False)

    async def _pay(self, number: str, code: bytes) -> None:
        asked = {"number": number, "lane": self._lane, "amount": AMOUNT_FEN, "code": code.decode()}
        body = json.dumps(asked).encode()
        self._disk.write((SENT, (number, body, time.time_ns())))
        async with self._session.post(self._plaza_url, data=body) as response:
            answer = json.loads(await response.read())
        if answer != {"number": number, "state": "paid"}:
            raise ValueError("an answer to another payment")

    async def _write(self, *, on: bool) -> None:
        await self._modbus.write_coil(self._raise_at, on, device_id=self._device_id)


async def _main() -> None:
    given = options()
    connector = aiohttp.TCPConnector(keepalive_timeout=KEEP_ALIVE_S)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as tasks:
        lane = BareLane(given, session)
        serving = tasks.create_task(lane.run(given["scanner"]), name="bare lane")
        with until_told() as told:
            ended = tasks.create_task(told.wait(), name="told to end")
            await asyncio.wait((serving, ended), return_when=asyncio.FIRST_COMPLETED)
            serving.cancel()
            ended.cancel()


if __name__ == "__main__":
    asyncio.run(_main())
