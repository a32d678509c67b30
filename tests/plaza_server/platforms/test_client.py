"""One call over a real socket, and what came of it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from plaza_server.engine import CallKind
from plaza_server.platforms.alipay.codec import AlipayCodec, AlipayConfig
from plaza_server.platforms.calls import MAX_ANSWER_BYTES
from plaza_server.platforms.client import Addresses, ClientLimits, HttpPlatformClient
from plaza_server.platforms.keys import rsa_check, rsa_signer
from plaza_server.rules.outcomes import (
    CancelDone,
    Evidence,
    NotThere,
    Paid,
    PlatformOutcome,
    RefundDone,
    Unknown,
    Waiting,
)
from tests.plaza_server import fake_gateway as far
from tolling.ids import LaneId, OutRefundNo, OutTradeNo
from tolling.paycodes import PayCode, Wallet

pytestmark = [pytest.mark.wire]
NUMBER = OutTradeNo("330101001001000000007A01")
CODE = "281234567890123456"


@dataclass(frozen=True, kw_only=True)
class AnOrder:
    """The facts a call is built from."""

    out_trade_no: OutTradeNo
    lane_id: LaneId
    out_refund_no: OutRefundNo | None
    toll_fen: int = 2550
    wallet: Wallet | None = Wallet.ALIPAY
    txn_time: str = "20261122093005"
    refund_txn_time: str = "20261122093605"
    captured_fen: int = 2550
    provider_txn_id: str | None = None
    subject: str = "云岭站 通行费"
    refund_fen: int = 2550


ORDER = AnOrder(
    out_trade_no=NUMBER, lane_id=LaneId("001"), out_refund_no=OutRefundNo(f"{NUMBER}R01")
)


@asynccontextmanager
async def client_of(
    url: str, limits: ClientLimits | None = None
) -> AsyncIterator[HttpPlatformClient]:
    codec = AlipayCodec(
        AlipayConfig(gateway_url=url, app_id=far.APP_ID),
        sign=rsa_signer(far.GOLDEN / "merchant_private.pem"),
        verify=rsa_check(far.GOLDEN / "platform_public.pem"),
    )
    client = HttpPlatformClient(codec, limits)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def ask(
    subject: HttpPlatformClient, kind: CallKind = CallKind.PAY, budget_ms: int = 5000
) -> PlatformOutcome:
    return await subject.call(
        kind,
        ORDER,
        code=PayCode(CODE, Wallet.ALIPAY) if kind is CallKind.PAY else None,
        now_ms=1_795_314_605_000,
        budget_ms=budget_ms,
    )


@pytest.mark.asyncio
async def test_a_whole_life_of_one_order_over_one_connection() -> None:
    """Pay, query, refund and its query, cancel: each call is understood on both sides."""
    async with far.gateway_served() as gateway, client_of(gateway.url) as subject:
        assert await ask(subject, CallKind.QUERY) == NotThere()
        paid = await ask(subject)
        assert isinstance(paid, Paid)
        assert paid.captured_fen == 2550
        assert isinstance(await ask(subject, CallKind.QUERY), Paid)
        assert await ask(subject, CallKind.REFUND) == RefundDone(refunded_total_fen=2550)
        gateway.script["fastpay.refund.query"].clear()
        done = await ask(subject, CallKind.REFUND_QUERY)
        assert done == RefundDone(refunded_total_fen=2550)
        assert await ask(subject, CallKind.CANCEL) == CancelDone(gave_back=False)
        assert subject.name == "alipay"


@pytest.mark.asyncio
async def test_the_platforms_clock_is_compared_with_ours() -> None:
    """Every answer's Date header tells how far the two clocks are apart."""
    async with far.gateway_served() as gateway, client_of(gateway.url) as subject:
        assert subject.skew_ms is None
        await ask(subject, CallKind.QUERY)
        assert isinstance(subject.skew_ms, int)


@pytest.mark.asyncio
async def test_waiting_is_told() -> None:
    """10003 is neither paid nor refused."""
    async with far.gateway_served() as gateway, client_of(gateway.url) as subject:
        gateway.then("pay", far.wait_for_password)
        assert await ask(subject) == Waiting()


@pytest.mark.asyncio
@pytest.mark.parametrize("script", [far.charge_then_drop, far.drop])
async def test_an_answer_that_never_came_is_a_timeout_and_asked_once(script: far.Script) -> None:
    """A connection that died under a request may have delivered it; nobody asks again by
    himself."""
    async with far.gateway_served() as gateway, client_of(gateway.url) as subject:
        await ask(subject, CallKind.QUERY)  # so that the next one goes over a used connection
        gateway.then("pay", script)
        assert await ask(subject) == Unknown(evidence=Evidence.TIMEOUT)
        assert gateway.count("pay") == 1


@pytest.mark.asyncio
@pytest.mark.slow
@pytest.mark.parametrize(
    ("limits", "budget_ms"), [(ClientLimits(pay_ms=300), 5000), (ClientLimits(), 300)]
)
async def test_a_slow_answer_ends_at_the_shorter_limit(
    limits: ClientLimits, budget_ms: int
) -> None:
    """The client's own limit and the caller's budget both end the wait."""
    release = asyncio.Event()
    async with far.gateway_served() as gateway, client_of(gateway.url, limits) as subject:
        gateway.then("pay", far.held(release))
        async with asyncio.timeout(2):
            assert await ask(subject, budget_ms=budget_ms) == Unknown(evidence=Evidence.TIMEOUT)
        assert NUMBER in gateway.trades
        release.set()


@pytest.mark.asyncio
async def test_a_closed_port_sent_nothing() -> None:
    """A connection that was never made is told apart from a lost answer."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/gateway.do"
        async with client_of(url) as subject:
            assert await ask(subject) == Unknown(evidence=Evidence.NOT_SENT)


@pytest.mark.asyncio
async def test_without_time_or_session_nothing_is_sent() -> None:
    """A budget of nothing and a closed client make no call."""
    async with far.gateway_served() as gateway, client_of(gateway.url) as subject:
        assert await ask(subject, budget_ms=0) == Unknown(evidence=Evidence.NOT_SENT)
        await subject.close()
        assert await ask(subject) == Unknown(evidence=Evidence.NOT_SENT)
        assert gateway.asked == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("script", "evidence"),
    [
        (far.bad_signature, Evidence.BAD_SIGNATURE),
        (far.no_signature, Evidence.BAD_SIGNATURE),
        (far.doubled_node, Evidence.BAD_SIGNATURE),
        (far.raw(502, b"<html>Bad Gateway</html>"), Evidence.HTTP_STATUS),
        (far.raw(302, b""), Evidence.HTTP_STATUS),
        (far.raw(200, b"\x00\xff"), Evidence.GARBLED),
        (far.raw(200, b"x" * (MAX_ANSWER_BYTES + 1)), Evidence.GARBLED),
    ],
)
async def test_what_cannot_be_believed_is_unknown(script: far.Script, evidence: Evidence) -> None:
    """Forged, unsigned, doubled, redirected, garbled and endless answers prove nothing."""
    async with far.gateway_served() as gateway, client_of(gateway.url) as subject:
        gateway.then("pay", script)
        assert await ask(subject) == Unknown(evidence=evidence)
        assert gateway.count("pay") == 1


@pytest.mark.asyncio
async def test_a_client_that_cannot_verify_sends_nothing() -> None:
    """While the platform's keys are not there yet, neither payment nor probe leaves."""
    ready = False
    codec = AlipayCodec(
        AlipayConfig(gateway_url="http://127.0.0.1:9/", app_id=far.APP_ID),
        sign=rsa_signer(far.GOLDEN / "merchant_private.pem"),
        verify=rsa_check(far.GOLDEN / "platform_public.pem"),
    )
    async with far.gateway_served() as gateway:
        subject = HttpPlatformClient(codec, ready=lambda: ready)
        await subject.start()
        assert not subject.ready
        assert await ask(subject) == Unknown(evidence=Evidence.NOT_SENT)
        assert await subject.probe(now_ms=0) == Unknown(evidence=Evidence.NOT_SENT)
        assert gateway.asked == []
        ready = True
        assert subject.ready
        await subject.close()


@pytest.mark.asyncio
async def test_a_client_tells_how_long_its_line_was_quiet() -> None:
    """None before the first answer and after a broken one; 0 while one is awaited."""
    release = asyncio.Event()
    async with far.gateway_served() as gateway, client_of(gateway.url) as subject:
        assert subject.idle_s is None
        assert await subject.probe(now_ms=1_795_314_605_000) == NotThere()
        quiet_s = subject.idle_s
        assert quiet_s is not None
        assert 0 <= quiet_s < 5
        gateway.then("pay", far.held(release))
        async with asyncio.TaskGroup() as tasks:
            paying = tasks.create_task(ask(subject), name="pay")
            async with asyncio.timeout(5):
                while gateway.count("pay") == 0:
                    gateway.arrived.clear()
                    await gateway.arrived.wait()
            assert subject.idle_s == 0
            release.set()
        assert isinstance(paying.result(), Paid)
        gateway.then("query", far.drop)
        assert await ask(subject, CallKind.QUERY) == Unknown(evidence=Evidence.TIMEOUT)
        assert subject.idle_s is None


@asynccontextmanager
async def silent_host() -> AsyncIterator[tuple[str, list[bytes]]]:
    """Take every request and answer none, as a site that hangs; give its URL and what it got."""
    got: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65_536):
            got.append(piece)
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"http://127.0.0.1:{port}", got


@asynccontextmanager
async def hedging_client(
    url: str, addresses: Addresses | None
) -> AsyncIterator[HttpPlatformClient]:
    codec = AlipayCodec(
        AlipayConfig(gateway_url=url, app_id=far.APP_ID),
        sign=rsa_signer(far.GOLDEN / "merchant_private.pem"),
        verify=rsa_check(far.GOLDEN / "platform_public.pem"),
    )
    limits = ClientLimits(pay_ms=300, hedge_query_ms=100)
    client = HttpPlatformClient(codec, limits, addresses=addresses)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


@pytest.mark.asyncio
async def test_a_silent_query_is_asked_once_more_at_the_second_address() -> None:
    """The first site hangs: the answer of the second one counts, and comes soon."""
    async with silent_host() as (url, got), far.gateway_served() as gateway:
        path = gateway.url.removeprefix("http://").partition("/")[2]
        second = gateway.url.removesuffix(f"/{path}")
        addresses = Addresses(first=url, second=second)
        async with hedging_client(f"{url}/{path}", addresses) as subject:
            for kind in (CallKind.QUERY, CallKind.REFUND_QUERY):
                outcome = await ask(subject, kind)
                assert not isinstance(outcome, Unknown)
            assert gateway.count("query") + gateway.count("fastpay.refund.query") >= 2
            assert got


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", [CallKind.PAY, CallKind.CANCEL, CallKind.REFUND])
async def test_what_moves_money_is_never_asked_twice(kind: CallKind) -> None:
    """Pay, cancel and refund wait for their one answer, silent or not."""
    async with silent_host() as (url, got), far.gateway_served() as gateway:
        path = gateway.url.removeprefix("http://").partition("/")[2]
        addresses = Addresses(first=url, second=gateway.url.removesuffix(f"/{path}"))
        async with hedging_client(f"{url}/{path}", addresses) as subject:
            assert await ask(subject, kind, 400) == Unknown(evidence=Evidence.TIMEOUT)
            assert gateway.asked == []
            assert b"".join(got).count(b"POST /") == 1


@pytest.mark.asyncio
async def test_an_answer_in_time_is_asked_for_once() -> None:
    """No second query goes out, and an answer that proves nothing in time is no silence either."""
    async with far.gateway_served() as gateway, hedging_client(gateway.url, None) as subject:
        assert await ask(subject, CallKind.QUERY) == NotThere()
        gateway.then("query", far.raw(502, b"<html>Bad Gateway</html>"))
        assert await ask(subject, CallKind.QUERY) == Unknown(evidence=Evidence.HTTP_STATUS)
        assert gateway.count("query") == 2
        assert subject.idle_s is not None


@pytest.mark.asyncio
async def test_two_silences_are_one_silence() -> None:
    """Both hang: unknown at the call's own deadline, and two requests went out in all."""
    async with silent_host() as (url, got), hedging_client(f"{url}/gateway.do", None) as subject:
        assert await ask(subject, CallKind.QUERY, 400) == Unknown(evidence=Evidence.TIMEOUT)
        assert b"".join(got).count(b"POST /") == 2
