"""A public WeChat Pay kit works on the simulated platform, unchanged except for the address."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import wechatpayv3.core
from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.core import Core

from simulator.models.wechat import WechatModel
from simulator.platforms.clock import RealClock
from simulator.platforms.hosts import Setup, WechatMode, host_wechat
from simulator.platforms.server import serving

pytestmark = [pytest.mark.wire, pytest.mark.slow]

NUMBER = "110105001001000000001A01"
TOTAL = {"total": 2550, "currency": "CNY"}


@dataclass
class Bench:
    """A running platform, the kit on it and the platform's control address."""

    kit: WeChatPay
    facts: dict[str, Any]
    model: WechatModel
    clock: RealClock
    client: aiohttp.ClientSession

    async def call(self, work: Callable[..., Any], *said: Any, **more: Any) -> tuple[int, Any]:
        """Make a call of the kit, which blocks, and return status and members."""
        status, text = await asyncio.to_thread(work, *said, **more)
        return status, json.loads(text)

    async def code(self, **wanted: Any) -> str:
        """Return a fresh pay code."""
        address = f"{self.facts['control_url']}/codes"
        async with self.client.post(address, json={"buyer_id": "d1", **wanted}) as answer:
            return str((await answer.json())["code"])

    async def pay(self, code: str) -> tuple[int, Any]:
        """Make a code payment."""
        return await self.call(
            self.kit.pay,
            description="广园站 粤A12345",
            out_trade_no=NUMBER,
            amount=TOTAL,
            payer={"auth_code": code},
            scene_info={"device_ip": "10.0.0.1", "store_info": {"out_id": "GY01"}},
            pay_type=WeChatPayType.CODEPAY,
        )


class DayLater(RealClock):
    """The machine's clock in a world whose first day began a day ago."""

    def __init__(self) -> None:
        super().__init__()
        self.moved_ns = 0

    def now_ns(self) -> int:
        """Return nanoseconds since this clock was made, moved by ``moved_ns``."""
        return super().now_ns() + self.moved_ns


@asynccontextmanager
async def bench(keys: Path, mode: WechatMode = "certificates") -> AsyncIterator[Bench]:
    """Run a platform with the kit on it."""
    clock = DayLater()
    model, host = host_wechat(Setup(keys_dir=keys, clock=clock, latency_ms=0, wechat_mode=mode))
    async with serving(host.application) as port, aiohttp.ClientSession() as client:
        facts: dict[str, Any] = host.opened(f"http://127.0.0.1:{port}")
        kit = await asyncio.to_thread(make_kit, facts, mode)
        yield Bench(kit=kit, facts=facts, model=model, clock=clock, client=client)


def make_kit(facts: dict[str, Any], mode: WechatMode) -> WeChatPay:
    """Return the kit as its own manual sets it up for each way of signing."""
    said: dict[str, Any] = {
        "wechatpay_type": WeChatPayType.CODEPAY,
        "mchid": facts["mchid"],
        "private_key": Path(facts["merchant_private_key_file"]).read_text(),
        "cert_serial_no": facts["merchant_serial"],
        "appid": facts["appid"],
        "apiv3_key": Path(facts["apiv3_key_file"]).read_text().strip(),
    }
    if mode == "public_key":
        said["public_key"] = Path(facts["wechatpay_public_key_file"]).read_text()
        said["public_key_id"] = facts["wechatpay_public_key_id"]

    class OnLoopback(Core):  # type: ignore[misc]
        """The kit's own core at another address: the one thing that is changed. It asks for
        certificates while it is made, so the address has to be there before."""

        def _init_certificates(self) -> None:
            vars(self)["_gate_way"] = facts["base_url"]
            super()._init_certificates()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wechatpayv3.core, "Core", OnLoopback)
        kit = WeChatPay(**said)
    vars(kit._core)["_gate_way"] = facts["base_url"]
    return kit


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ["certificates", "public_key"])
async def test_the_kit_pays_queries_and_refunds(tmp_path: Path, mode: WechatMode) -> None:
    """Signatures both ways, certificates fetched and opened, in both ways of signing."""
    async with bench(tmp_path, mode) as subject:
        status, paid = await subject.pay(await subject.code())
        assert (status, paid["trade_state"]) == (200, "SUCCESS")
        status, found = await subject.call(subject.kit.query, out_trade_no=NUMBER)
        assert (status, found["transaction_id"]) == (200, paid["transaction_id"])
        status, back = await subject.call(
            subject.kit.refund,
            out_refund_no="R1",
            amount={"refund": 550, **TOTAL},
            out_trade_no=NUMBER,
            reason="通行费",
        )
        assert (status, back["amount"]["refund"]) == (200, 550)
        status, back = await subject.call(subject.kit.query_refund, "R1")
        assert (status, back["status"]) == (200, "PROCESSING")
        (trade,) = subject.model.books(subject.clock.now_ns())
        assert (trade.captured_fen, trade.refunded_fen) == (2550, 550)


@pytest.mark.asyncio
async def test_the_kit_waits_and_reverses(tmp_path: Path) -> None:
    """USERPAYING, too early, then reversed."""
    async with bench(tmp_path) as subject:
        status, waits = await subject.pay(await subject.code(behaviour="never_confirms"))
        assert (status, waits["trade_state"]) == (200, "USERPAYING")
        status, no = await subject.call(subject.kit.codepay_reverse, NUMBER)
        assert (status, no["code"]) == (400, "INVALID_REQUEST")
        subject.clock.moved_ns = 16_000_000_000
        status, done = await subject.call(subject.kit.codepay_reverse, NUMBER)
        assert (status, done["out_trade_no"]) == (200, NUMBER)
        status, found = await subject.call(subject.kit.query, out_trade_no=NUMBER)
        assert (status, found["trade_state"]) == (200, "REVOKED")


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["bad_signature", "missing_signature", "signature_probe"])
async def test_the_kit_refuses_what_is_not_signed(tmp_path: Path, kind: str) -> None:
    """A forged answer and a probe raise in the kit."""
    async with bench(tmp_path) as subject:
        fault = {"kind": kind, "calls": ["query"]}
        async with subject.client.post(f"{subject.facts['control_url']}/faults", json=fault):
            pass
        await subject.pay(await subject.code())
        with pytest.raises(Exception, match=r"signature|algorithm|base64|padding"):
            await subject.call(subject.kit.query, out_trade_no=NUMBER)


@pytest.mark.asyncio
async def test_the_kit_follows_a_key_change(tmp_path: Path) -> None:
    """An unknown serial makes it fetch the certificates, and the next one is among them."""
    async with bench(tmp_path) as subject:
        subject.kit._core._certificates = subject.kit._core._certificates[:1]
        fault = {"kind": "key_changed", "calls": ["query"]}
        async with subject.client.post(f"{subject.facts['control_url']}/faults", json=fault):
            pass
        await subject.pay(await subject.code())
        status, found = await subject.call(subject.kit.query, out_trade_no=NUMBER)
        assert (status, found["trade_state"]) == (200, "SUCCESS")
