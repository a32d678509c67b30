"""The bare plaza: order rows made durable, one signed call, its answer checked and made durable."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from simulator.bench.floor.common import KEEP_ALIVE_S, Disk, Rsa2, options, serve

TABLES = """
CREATE TABLE orders (
    number TEXT PRIMARY KEY, lane TEXT, amount INTEGER, code TEXT UNIQUE, state TEXT, at INTEGER
);
CREATE TABLE transfers (
    id TEXT PRIMARY KEY, kind TEXT, debit TEXT, credit TEXT, amount INTEGER, number TEXT, at INTEGER
);
CREATE TABLE events (number TEXT, state TEXT, at INTEGER);
"""
ORDER = "INSERT INTO orders VALUES (?, ?, ?, ?, 'sent', ?)"
PAID = "UPDATE orders SET state = 'paid' WHERE number = ? AND state = 'sent'"
TRANSFER = "INSERT INTO transfers VALUES (?, ?, 'clearing', 'suspense', ?, ?, ?)"
EVENT = "INSERT INTO events VALUES (?, ?, ?)"


class BarePlaza:
    """Two commits and one call for each payment."""

    def __init__(self, disk: Disk, keys: Rsa2, platform_url: str) -> None:
        self._disk = disk
        self._keys = keys
        self._url = platform_url
        self._session: aiohttp.ClientSession

    async def run(self) -> None:
        """Serve until SIGTERM."""
        connector = aiohttp.TCPConnector(keepalive_timeout=KEEP_ALIVE_S)
        async with aiohttp.ClientSession(connector=connector) as self._session:
            await serve(self._pay)

    async def _pay(self, body: bytes) -> bytes:
        asked = json.loads(body)
        self._store(asked)
        request = self._keys.seal(asked)
        async with self._session.post(self._url, data=request) as response:
            answer = self._keys.open(await response.read())
        if (answer["number"], answer["amount"]) != (asked["number"], asked["amount"]):
            raise ValueError("an answer to another payment")
        self._settle(asked)
        return json.dumps({"number": asked["number"], "state": "paid"}).encode()

    def _store(self, asked: dict[str, Any]) -> None:
        number, amount, now = asked["number"], asked["amount"], time.time_ns()
        self._disk.write(
            (ORDER, (number, asked["lane"], amount, asked["code"], now)),
            (TRANSFER, (f"{number}/capture", "pending", amount, number, now)),
            (EVENT, (number, "sent", now)),
        )

    def _settle(self, asked: dict[str, Any]) -> None:
        number, amount, now = asked["number"], asked["amount"], time.time_ns()
        self._disk.write(
            (PAID, (number,)),
            (TRANSFER, (f"{number}/post", "post", amount, number, now)),
            (EVENT, (number, "paid", now)),
        )


async def _main() -> None:
    given = options()
    disk = Disk(Path(given["store"]), TABLES)
    keys = Rsa2(Path(given["private"]), Path(given["public"]))
    await BarePlaza(disk, keys, given["platform_url"]).run()


if __name__ == "__main__":
    uvloop.run(_main())
