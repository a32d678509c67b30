"""A whole process from its start: its platforms are tested before the first car."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.plaza_server import fake_gateway as far
from tests.plaza_server.plaza_process import made, spawned

pytestmark = [pytest.mark.wire, pytest.mark.slow]
PROBE_NO = "PROBE00000000000000000000"


async def refuses_us(gateway: far.FakeGateway, method: str, biz: dict[str, Any]) -> far.Reply:
    """Say, signed, that the application is not known."""
    return gateway.answer(method, {"code": "40002", "sub_code": "isv.invalid-app-id"})


async def suspended(session: aiohttp.ClientSession, url: str) -> list[str]:
    """Return the platforms that are off."""
    async with session.get(f"{url}/health") as response:
        found = (await response.json())["suspended"]
    assert isinstance(found, list)
    return found


async def until_suspended(session: aiohttp.ClientSession, url: str, names: list[str]) -> None:
    """Wait until exactly these are off."""
    async with asyncio.timeout(60):
        while True:
            if await suspended(session, url) == names:
                return
            await asyncio.sleep(0.1)


@pytest.mark.long
@pytest.mark.asyncio
async def test_a_platform_that_refuses_us_is_found_at_start_and_comes_back(tmp_path: Path) -> None:
    """No car is needed for either: the self-test takes it off, the watch puts it on again."""
    async with far.gateway_served() as gateway, aiohttp.ClientSession() as session:
        await made(tmp_path, gateway.url)
        gateway.then("query", *[refuses_us] * 100)
        process, url = await spawned(tmp_path)
        try:
            await until_suspended(session, url, ["alipay"])
            gateway.script.clear()
            await until_suspended(session, url, [])
        finally:
            process.terminate()
            await process.wait()
        assert process.returncode == 0
    assert {biz["out_trade_no"] for _, biz in gateway.asked} == {PROBE_NO}
    assert len(gateway.asked) >= 2
    log = (tmp_path / "plaza.log").read_text()
    assert "40002 isv.invalid-app-id" in log
    assert "key, clock and account are good" in log
