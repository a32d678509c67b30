"""Alipay's own kit works on the simulated platform, unchanged except for the address."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from alipay.aop.api.AlipayClientConfig import AlipayClientConfig
from alipay.aop.api.DefaultAlipayClient import DefaultAlipayClient
from alipay.aop.api.domain.AlipayTradeCancelModel import AlipayTradeCancelModel
from alipay.aop.api.domain.AlipayTradeFastpayRefundQueryModel import (
    AlipayTradeFastpayRefundQueryModel,
)
from alipay.aop.api.domain.AlipayTradePayModel import AlipayTradePayModel
from alipay.aop.api.domain.AlipayTradeQueryModel import AlipayTradeQueryModel
from alipay.aop.api.domain.AlipayTradeRefundModel import AlipayTradeRefundModel
from alipay.aop.api.exception.Exception import ResponseException
from alipay.aop.api.request.AlipayTradeCancelRequest import AlipayTradeCancelRequest
from alipay.aop.api.request.AlipayTradeFastpayRefundQueryRequest import (
    AlipayTradeFastpayRefundQueryRequest,
)
from alipay.aop.api.request.AlipayTradePayRequest import AlipayTradePayRequest
from alipay.aop.api.request.AlipayTradeQueryRequest import AlipayTradeQueryRequest
from alipay.aop.api.request.AlipayTradeRefundRequest import AlipayTradeRefundRequest
from alipay.aop.api.util import WebUtils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from simulator.models.alipay import AlipayModel
from simulator.platforms.clock import RealClock
from simulator.platforms.hosts import Setup, host_alipay
from simulator.platforms.server import serving

pytestmark = [pytest.mark.wire, pytest.mark.slow]

NUMBER = "110105001001000000001A01"


@pytest.fixture(autouse=True)
def beijing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The kit stamps requests with the machine's local time and means Beijing's."""
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True)
def ports_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kit fails on any address that names a port: it adds a figure to a text. So the address
    is put together here; the request, whole URL in its first line and all, is the kit's own."""

    def connection(url: str, query: str, timeout: float) -> tuple[str, HTTPConnection]:
        found = urlsplit(url)
        assert found.hostname is not None
        line = HTTPConnection(found.hostname, found.port, timeout=timeout)
        return f"{url}?{query}", line

    monkeypatch.setattr(WebUtils, "get_http_connection", connection)


@dataclass
class Bench:
    """A running platform, the kit on it and the platform's control address."""

    kit: DefaultAlipayClient
    control_url: str
    model: AlipayModel
    clock: RealClock
    client: aiohttp.ClientSession

    async def ask(self, request: Any, model: Any, **said: Any) -> dict[str, Any]:
        """Make a call of the kit, which blocks, and return the node it verified."""
        for name, value in said.items():
            assert hasattr(model, name), name
            setattr(model, name, value)
        text = await asyncio.to_thread(self.kit.execute, request(biz_model=model))
        found: dict[str, Any] = json.loads(text)
        return found

    async def control(self, path: str, body: Any) -> dict[str, Any]:
        """Make a control call."""
        async with self.client.post(f"{self.control_url}{path}", json=body) as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def pay(self) -> dict[str, Any]:
        """Pay with a fresh code."""
        code = (await self.control("/codes", {"buyer_id": "d1"}))["code"]
        return await self.ask(
            AlipayTradePayRequest,
            AlipayTradePayModel(),
            out_trade_no=NUMBER,
            scene="bar_code",
            auth_code=code,
            subject="广园站 粤A12345",
            total_amount="25.50",
        )

    async def query(self) -> dict[str, Any]:
        """Query the order."""
        return await self.ask(AlipayTradeQueryRequest, AlipayTradeQueryModel(), out_trade_no=NUMBER)


@asynccontextmanager
async def bench(keys: Path) -> AsyncIterator[Bench]:
    """Run a platform with the kit on it."""
    clock = RealClock()
    model, host = host_alipay(Setup(keys_dir=keys, clock=clock, latency_ms=0))
    async with serving(host.application) as port, aiohttp.ClientSession() as client:
        facts: dict[str, Any] = host.opened(f"http://127.0.0.1:{port}")
        config = AlipayClientConfig()
        config.server_url = facts["url"]
        config.app_id = facts["app_id"]
        config.app_private_key = pkcs1(Path(facts["app_private_key_file"]))
        public = Path(facts["alipay_public_key_file"]).read_text().splitlines()
        config.alipay_public_key = "".join(public[1:-1])
        yield Bench(
            kit=DefaultAlipayClient(alipay_client_config=config),
            control_url=facts["control_url"],
            model=model,
            clock=clock,
            client=client,
        )


def pkcs1(path: Path) -> str:
    """Return a private key as the kit wants it: PKCS#1 in base64 without lines around it."""
    key = load_pem_private_key(path.read_bytes(), password=None)
    raw = key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return base64.b64encode(raw).decode("ascii")


@pytest.mark.asyncio
async def test_the_kit_pays_queries_refunds_and_cancels(tmp_path: Path) -> None:
    """Signatures both ways; a part comes back by refund, the rest by cancel."""
    async with bench(tmp_path) as subject:
        paid = await subject.pay()
        assert (paid["code"], paid["total_amount"]) == ("10000", "25.50")
        assert (await subject.query())["trade_status"] == "TRADE_SUCCESS"
        back = await subject.ask(
            AlipayTradeRefundRequest,
            AlipayTradeRefundModel(),
            out_trade_no=NUMBER,
            refund_amount="5.50",
            out_request_no=NUMBER + "R01",
        )
        assert (back["fund_change"], back["refund_fee"]) == ("Y", "5.50")
        found = await subject.ask(
            AlipayTradeFastpayRefundQueryRequest,
            AlipayTradeFastpayRefundQueryModel(),
            out_trade_no=NUMBER,
            out_request_no=NUMBER + "R01",
        )
        assert found["refund_amount"] == "5.50"
        closed = await subject.ask(
            AlipayTradeCancelRequest, AlipayTradeCancelModel(), out_trade_no=NUMBER
        )
        assert (closed["action"], closed["retry_flag"]) == ("refund", "N")
        (trade,) = subject.model.books(subject.clock.now_ns())
        assert (trade.captured_fen, trade.refunded_fen) == (2550, 2550)


@pytest.mark.asyncio
async def test_the_kit_refuses_what_is_not_signed(tmp_path: Path) -> None:
    """A forged answer raises in the kit, whatever it says."""
    async with bench(tmp_path) as subject:
        await subject.pay()
        await subject.control("/faults", {"kind": "bad_signature", "calls": ["query"]})
        with pytest.raises(ResponseException, match="verify failed"):
            await subject.query()


@pytest.mark.asyncio
async def test_the_kit_reads_an_awkward_answer(tmp_path: Path) -> None:
    """Blanks, escapes and a brace inside a text do not confuse what the signature covers."""
    async with bench(tmp_path) as subject:
        await subject.pay()
        await subject.control("/faults", {"kind": "awkward_json", "calls": ["query"]})
        assert (await subject.query())["trade_status"] == "TRADE_SUCCESS"
