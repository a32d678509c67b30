"""Callers who post payments one after the other, each as its own lane: the load of both sides."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from typing import Any

import aiohttp
import uvloop

from simulator.bench.figures import spread
from simulator.bench.floor.common import options, say

HEADERS = {"Content-Type": "application/json"}
TOLL_FEN = 2_550


class Lane:
    """One caller: a lane with its token and its count of passages."""

    def __init__(self, given: dict[str, Any], codes: itertools.count[int]) -> None:
        self._id: str = given["lane_id"]
        self._token: str = given["token"]
        self._passages = itertools.count(int(given["first"]))
        self._head = f"{given['plaza_id']}{self._id}{int(given['epoch']):03d}"
        self._codes = codes

    async def pay(self, session: aiohttp.ClientSession, url: str) -> bool:
        """Post one payment; return whether it was paid."""
        body = {
            "passage_id": f"{self._head}{next(self._passages):09d}",
            "attempt": 1,
            "lane_id": self._id,
            "toll_fen": TOLL_FEN,
            "tariff_id": "T330101",
            "tariff_version": 1,
            "tariff_row": 1,
            "vehicle_class": 1,
            "plate": "浙A12345",
            "wallet": "alipay",
            "deadline_ms": 10_000,
            "pay_code": f"28{next(self._codes):016d}",
        }
        headers = HEADERS | {"Authorization": f"Bearer {self._token}"}
        async with session.post(url, data=json.dumps(body), headers=headers) as response:
            answer = json.loads(await response.read())
        return bool(response.status == 200 and answer.get("state") == "paid")


async def _main() -> None:
    given = options()
    codes = itertools.count(int(given["first_code"]))
    lanes = [Lane(each, codes) for each in given["lanes"]]
    took_us: list[int] = []
    failed = 0
    began = time.monotonic()
    end = began + float(given["seconds"])
    least = int(given["least"])

    async def drive(lane: Lane) -> None:
        nonlocal failed
        for done in itertools.count(1):
            asked = time.monotonic_ns()
            if await lane.pay(session, given["url"]):
                took_us.append((time.monotonic_ns() - asked) // 1_000)
            else:
                failed += 1
            if done >= least and time.monotonic() >= end:
                return

    connector = aiohttp.TCPConnector(limit=len(lanes))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        asyncio.TaskGroup() as tasks,
    ):
        for lane in lanes:
            tasks.create_task(drive(lane), name="caller")
    seconds = time.monotonic() - began
    found = spread(took_us or [0])
    say(
        payments=len(took_us),
        failed=failed,
        seconds=round(seconds, 3),
        p50_ms=found.p50_ms,
        p99_ms=found.p99_ms,
    )


if __name__ == "__main__":
    uvloop.run(_main())
