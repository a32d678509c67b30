"""The plaza's own client, codec and certificate checks against the simulated platforms, over
sockets: neither side has seen the other's code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pytest

from plaza_server.config import AlipayPart, UnionpayPart
from plaza_server.rules.calls import CallKind
from plaza_server.rules.outcomes import (
    Evidence,
    NotThere,
    Paid,
    PlatformOutcome,
    RefundDone,
    Unknown,
    Waiting,
)
from plaza_server.shell.certificate_watch import CertificateWatch
from plaza_server.shell.channels import Channel, alipay_channel, unionpay_channel
from plaza_server.shell.clock import SystemClock
from simulator.models.faults import Fault, PlatformFault
from simulator.platforms.clock import RealClock
from simulator.platforms.hosts import Setup, host_alipay, host_unionpay
from simulator.platforms.server import serving
from tests.plaza_server.platforms.unionpay.test_codec import AnOrder
from tolling.clock import beijing_digits
from tolling.ids import LaneId, OutRefundNo, OutTradeNo
from tolling.paycodes import NotAPayCode, PayCode, Wallet, classify

pytestmark = [pytest.mark.wire, pytest.mark.slow]
HERE = Path("/")
_Outcome = TypeVar("_Outcome", bound=PlatformOutcome)


def now_ms() -> int:
    return SystemClock().wall().utc_ms


def an_order(number: str, wallet: Wallet) -> AnOrder:
    return AnOrder(
        out_trade_no=OutTradeNo(number),
        lane_id=LaneId("001"),
        out_refund_no=OutRefundNo(f"{number}R01"),
        wallet=wallet,
        txn_time=beijing_digits(now_ms()),
        refund_txn_time=beijing_digits(now_ms()),
        provider_txn_id=None,
    )


@dataclass(kw_only=True)
class Bench:
    """A started channel and the platform it speaks to."""

    channel: Channel
    show: Callable[[], str]
    """Returns a fresh code of a buyer who pays."""
    inject: Callable[[Fault], object]

    async def call(
        self, kind: CallKind, order: AnOrder, code: PayCode | None = None
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
            await asyncio.sleep(0.05)

    def code(self) -> PayCode:
        """Return a fresh code as the lane classifies it."""
        code = classify(self.show().encode())
        assert not isinstance(code, NotAPayCode)
        return code


@asynccontextmanager
async def unionpay_bench(tmp_path: Path, *, emvco: bool) -> AsyncIterator[Bench]:
    clock = RealClock()
    model, hosted = host_unionpay(Setup(keys_dir=tmp_path, clock=clock, latency_ms=20))
    async with serving(hosted.application) as port:
        facts = hosted.opened(f"http://127.0.0.1:{port}")
        part = UnionpayPart(
            gateway_url=str(facts["gateway_url"]),
            query_url=str(facts["query_url"]),
            merchant_id=str(facts["merchant_id"]),
            sign_private_key=Path(str(facts["sign_private_key_file"])),
            sign_certificate=Path(str(facts["sign_certificate_file"])),
            middle_certificate=Path(str(facts["middle_certificate_file"])),
            root_certificate=Path(str(facts["root_certificate_file"])),
            platform_owner=str(facts["platform_owner"]),
        )
        channel = unionpay_channel(part, HERE)
        await channel.client.start()
        try:
            yield Bench(
                channel=channel,
                show=lambda: model.issue_code("b1", clock.now_ns(), emvco=emvco).code,
                inject=lambda fault: model.inject(fault, clock.now_ns()),
            )
        finally:
            await channel.client.close()


@asynccontextmanager
async def alipay_bench(tmp_path: Path) -> AsyncIterator[Bench]:
    clock = RealClock()
    setup = Setup(keys_dir=tmp_path, clock=clock, latency_ms=20, alipay_mode="certificates")
    model, hosted = host_alipay(setup)
    async with serving(hosted.application) as port:
        facts = hosted.opened(f"http://127.0.0.1:{port}")
        part = AlipayPart(
            gateway_url=str(facts["url"]),
            app_id=str(facts["app_id"]),
            app_private_key=Path(str(facts["app_private_key_file"])),
            app_cert=Path(str(facts["app_cert_file"])),
            alipay_cert=Path(str(facts["alipay_cert_file"])),
            alipay_root_cert=Path(str(facts["alipay_root_cert_file"])),
        )
        channel = alipay_channel(part, HERE)
        await channel.client.start()
        try:
            yield Bench(
                channel=channel,
                show=lambda: model.issue_code("b1", clock.now_ns()).code,
                inject=lambda fault: model.inject(fault, clock.now_ns()),
            )
        finally:
            await channel.client.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("wallet", [Wallet.UNIONPAY, Wallet.EMVCO])
async def test_a_unionpay_order_lives_its_whole_life(tmp_path: Path, wallet: Wallet) -> None:
    """Accepted, paid by query, refunded and the refund proven; the code is forwarded whole."""
    order = an_order("330101001001000000007A01", wallet)
    async with unionpay_bench(tmp_path, emvco=wallet is Wallet.EMVCO) as bench:
        assert await bench.channel.client.probe(now_ms=now_ms()) == NotThere()
        code = bench.code()
        assert code.wallet is wallet
        assert await bench.call(CallKind.PAY, order, code) == Waiting(accepted=True)
        paid = await bench.until(CallKind.QUERY, order, Paid)
        assert (paid.captured_fen, paid.paid_at_ms is None) == (2550, False)
        order = replace(order, captured_fen=2550, provider_txn_id=paid.provider_txn_id)
        assert isinstance(await bench.call(CallKind.REFUND, order), Unknown)
        done = await bench.until(CallKind.REFUND_QUERY, order, RefundDone)
        assert done == RefundDone(refunded_total_fen=2550)


@pytest.mark.asyncio
async def test_a_unionpay_answer_under_another_key_proves_nothing(tmp_path: Path) -> None:
    """The chain is asked each time; the next good answer is believed again."""
    order = an_order("330101001001000000007A01", Wallet.UNIONPAY)
    async with unionpay_bench(tmp_path, emvco=False) as bench:
        bench.inject(Fault(kind=PlatformFault.BAD_SIGNATURE, calls=("query",)))
        bad = await bench.call(CallKind.QUERY, order)
        assert bad == Unknown(evidence=Evidence.BAD_SIGNATURE)
        assert await bench.call(CallKind.QUERY, order) == NotThere()


@pytest.mark.asyncio
async def test_alipay_s_next_certificate_is_fetched_beside_the_payments(tmp_path: Path) -> None:
    """The first answer under it proves nothing; the watch fetches it, and the order is paid."""
    order = an_order("330101001001000000007A01", Wallet.ALIPAY)
    notes: list[object] = []

    async def commit(note: object) -> tuple[object, ...]:
        notes.append(note)
        return (False,)

    async with alipay_bench(tmp_path) as bench:
        assert await bench.channel.client.probe(now_ms=now_ms()) == NotThere()
        bench.inject(Fault(kind=PlatformFault.KEY_CHANGED, times=None))
        unproven = await bench.call(CallKind.PAY, order, bench.code())
        assert unproven == Unknown(evidence=Evidence.BAD_SIGNATURE)
        watch = CertificateWatch({"alipay": bench.channel}, commit=commit, clock=SystemClock())
        await watch.fetch()
        paid = await bench.call(CallKind.QUERY, order)
        assert isinstance(paid, Paid)
        assert paid.captured_fen == 2550
