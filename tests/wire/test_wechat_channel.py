"""The plaza's WeChat Pay, from its part of the plaza file, against the simulated one over sockets:
neither side has seen the other's code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import pytest

from plaza_server.config import WechatPart
from plaza_server.rules.calls import CallKind
from plaza_server.rules.outcomes import (
    Evidence,
    NotThere,
    Paid,
    PlatformOutcome,
    RefundDone,
    Unknown,
)
from plaza_server.shell.channels import Channel
from plaza_server.shell.clock import SystemClock
from plaza_server.shell.wechat_channel import wechat_channel
from simulator.models.faults import Fault, PlatformFault
from simulator.models.wechat import WechatModel
from simulator.platforms import hosts as far
from simulator.platforms.clock import RealClock
from simulator.platforms.server import serving
from tests.plaza_server.platforms.wechat.golden import AnOrder
from tolling.ids import OutRefundNo, OutTradeNo
from tolling.paycodes import PayCode, classify

pytestmark = [pytest.mark.wire, pytest.mark.slow]
NUMBER = OutTradeNo("330101001001000000007A01")
ORDER = AnOrder(
    out_trade_no=NUMBER, out_refund_no=None, captured_fen=0, provider_txn_id=None, refund_fen=0
)
Mode = Literal["certificates", "public_key"]
_Outcome = TypeVar("_Outcome", bound=PlatformOutcome)


def now_ms() -> int:
    return SystemClock().wall().utc_ms


@dataclass(kw_only=True)
class Bench:
    """A started channel and the platform it speaks to."""

    channel: Channel
    model: WechatModel
    clock: RealClock

    async def call(
        self, kind: CallKind, order: AnOrder = ORDER, code: PayCode | None = None
    ) -> PlatformOutcome:
        """Make one call."""
        return await self.channel.client.call(
            kind, order, code=code, now_ms=now_ms(), budget_ms=5000
        )

    async def until(self, kind: CallKind, order: AnOrder, wanted: type[_Outcome]) -> _Outcome:
        """Ask until the answer is *wanted*; the test's own timeout bounds it."""
        while True:
            outcome = await self.call(kind, order)
            if isinstance(outcome, wanted):
                return outcome
            await asyncio.sleep(0.1)

    def code(self) -> PayCode:
        """Return a fresh code as the lane classifies it."""
        shown = self.model.issue_code("b1", self.clock.now_ns()).code
        code = classify(shown.encode())
        assert isinstance(code, PayCode)
        return code

    def inject(self, kind: PlatformFault, call: str) -> None:
        """Arm one fault."""
        self.model.inject(Fault(kind=kind, calls=(call,)), self.clock.now_ns())


@asynccontextmanager
async def bench_of(tmp_path: Path, mode: Mode) -> AsyncIterator[Bench]:
    clock = RealClock()
    setup = far.Setup(keys_dir=tmp_path, clock=clock, latency_ms=20, wechat_mode=mode)
    model, hosted = far.host_wechat(setup)
    async with serving(hosted.application) as port:
        facts = hosted.opened(f"http://127.0.0.1:{port}")
        part = WechatPart.model_validate(
            {
                "base_url": facts["base_url"],
                "mchid": facts["mchid"],
                "appid": facts["appid"],
                "merchant_serial": facts["merchant_serial"],
                "merchant_private_key": facts["merchant_private_key_file"],
                "mode": facts["mode"],
                "apiv3_key": facts["apiv3_key_file"],
                "wechatpay_public_key": facts["wechatpay_public_key_file"],
                "wechatpay_public_key_id": facts["wechatpay_public_key_id"],
            }
        )
        channel = wechat_channel(part, Path("/"), plaza_id="330101")
        await channel.client.start()
        try:
            yield Bench(channel=channel, model=model, clock=clock)
        finally:
            await channel.client.close()


@pytest.mark.long
@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ["certificates", "public_key"])
async def test_a_wechat_order_lives_its_whole_life(tmp_path: Path, mode: Mode) -> None:
    """Tested, paid, queried, refunded and the refund proven, in both ways of signing."""
    async with bench_of(tmp_path, mode) as bench:
        keeper = bench.channel.keeper
        assert (keeper is None) == (mode == "public_key")
        if keeper is not None:
            assert await keeper.refresh() == NotThere()
        assert await bench.channel.client.probe(now_ms=now_ms()) == NotThere()
        paid = await bench.call(CallKind.PAY, code=bench.code())
        assert isinstance(paid, Paid)
        assert paid.captured_fen == 2550
        again = await bench.until(CallKind.QUERY, ORDER, Paid)
        assert again.provider_txn_id == paid.provider_txn_id
        order = replace(
            ORDER,
            captured_fen=2550,
            provider_txn_id=paid.provider_txn_id,
            out_refund_no=OutRefundNo(f"{NUMBER}R01"),
            refund_fen=2550,
        )
        assert isinstance(await bench.call(CallKind.REFUND, order), Unknown)
        done = await bench.until(CallKind.REFUND_QUERY, order, RefundDone)
        assert done == RefundDone(refunded_total_fen=2550)


@pytest.mark.asyncio
async def test_a_signature_probe_and_a_forgery_prove_nothing(tmp_path: Path) -> None:
    """The platform's own test is refused without an alarm, a forgery with one."""
    async with bench_of(tmp_path, "public_key") as bench:
        bench.inject(PlatformFault.SIGNATURE_PROBE, "query")
        assert await bench.call(CallKind.QUERY) == Unknown(evidence=Evidence.SIGN_TEST)
        bench.inject(PlatformFault.BAD_SIGNATURE, "query")
        assert await bench.call(CallKind.QUERY) == Unknown(evidence=Evidence.BAD_SIGNATURE)
        assert await bench.call(CallKind.QUERY) == NotThere()


@pytest.mark.asyncio
async def test_a_new_certificate_of_the_platform_costs_no_answer(tmp_path: Path) -> None:
    """It is listed before it signs, so the answer it signs is believed at once."""
    async with bench_of(tmp_path, "certificates") as bench:
        assert bench.channel.keeper is not None
        await bench.channel.keeper.refresh()
        bench.inject(PlatformFault.KEY_CHANGED, "query")
        assert await bench.call(CallKind.QUERY) == NotThere()
