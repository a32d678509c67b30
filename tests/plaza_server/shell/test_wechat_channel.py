"""WeChat Pay from its part of the plaza file: both modes, its keys tried, its certificates kept."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from plaza_server.config import WechatPart
from plaza_server.rules.calls import CallKind
from plaza_server.rules.outcomes import (
    CancelDone,
    Closed,
    Evidence,
    Misconfigured,
    NotThere,
    Paid,
    PlatformOutcome,
    Unknown,
)
from plaza_server.shell import wechat_channel as subject
from plaza_server.shell.channels import Channel
from plaza_server.shell.platform_watch import Keeper
from tests.plaza_server import fake_wechat as far
from tests.plaza_server.platforms.wechat import golden
from tolling.errors import BadInputError
from tolling.paycodes import PayCode, Wallet

BAD_SIGNATURE = Unknown(evidence=Evidence.BAD_SIGNATURE)
NOT_SENT = Unknown(evidence=Evidence.NOT_SENT)


def part(url: str = "https://wechat.test", **changes: Any) -> WechatPart:
    fields: dict[str, Any] = {
        "base_url": url,
        "mchid": far.MCHID,
        "appid": far.APPID,
        "merchant_serial": far.MERCHANT_SERIAL.lower(),
        "merchant_private_key": "merchant_private.pem",
        "mode": "certificates",
        "apiv3_key": "apiv3.key",
    }
    return WechatPart.model_validate(fields | changes)


PUBLIC_KEY = {
    "mode": "public_key",
    "wechatpay_public_key": "public_key_public.pem",
    "wechatpay_public_key_id": far.PUBLIC_KEY_ID,
}


def made(part: WechatPart, home: Path = far.GOLDEN) -> Channel:
    return subject.wechat_channel(part, home, plaza_id="330101")


@asynccontextmanager
async def started(channel: Channel) -> AsyncIterator[Channel]:
    await channel.client.start()
    try:
        yield channel
    finally:
        await channel.client.close()


def keeper_of(channel: Channel) -> Keeper:
    assert channel.keeper is not None
    return channel.keeper


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def ask(channel: Channel, kind: CallKind) -> PlatformOutcome:
    return await channel.client.call(
        kind,
        golden.UNDECIDED,
        code=PayCode(golden.CODE, Wallet.WECHAT) if kind is CallKind.PAY else None,
        now_ms=now_ms(),
        budget_ms=5000,
    )


@pytest.mark.wire
@pytest.mark.asyncio
@pytest.mark.parametrize("changes", [{}, PUBLIC_KEY])
async def test_a_whole_life_of_one_order_in_both_modes(changes: dict[str, Any]) -> None:
    """Probe, pay, query and reverse are understood on both sides, over one connection."""
    async with (
        far.wechat_served() as platform,
        started(made(part(platform.url, **changes))) as channel,
    ):
        if channel.keeper is not None:
            assert await channel.keeper.refresh() == NotThere()
        assert await channel.client.probe(now_ms=now_ms()) == NotThere()
        paid = await ask(channel, CallKind.PAY)
        assert isinstance(paid, Paid)
        assert paid.captured_fen == 2550
        assert isinstance(await ask(channel, CallKind.QUERY), Paid)
        assert await ask(channel, CallKind.CANCEL) == CancelDone(gave_back=False)
        assert await ask(channel, CallKind.QUERY) == Closed(refunded_fen=2550)
        assert len(platform.connections) == 1
        assert channel.client.skew_ms is not None


@pytest.mark.wire
@pytest.mark.asyncio
async def test_without_certificates_nothing_is_sent() -> None:
    """A payment in the dark would be an unknown one; a start without the platform is none."""
    async with far.wechat_served() as platform, started(made(part(platform.url))) as channel:
        assert channel.expiries() == ()
        assert await ask(channel, CallKind.PAY) == NOT_SENT
        assert await channel.client.probe(now_ms=now_ms()) == NOT_SENT
        assert platform.asked == []
        await keeper_of(channel).refresh()
        assert channel.client.ready
        (end,) = channel.expiries()
        assert end.not_after_ms == 1_924_992_000_000  # 2031-01-01, as OpenSSL shows it


@pytest.mark.wire
@pytest.mark.asyncio
async def test_a_change_of_certificates_costs_no_answer() -> None:
    """The new one is listed before it signs, and both are good meanwhile; one that was never
    listed is fetched when an answer names it."""
    async with far.wechat_served() as platform, started(made(part(platform.url))) as channel:
        keeper = keeper_of(channel)
        await keeper.refresh()
        platform.signs_by = far.NEXT_SERIAL
        assert await ask(channel, CallKind.QUERY) == BAD_SIGNATURE
        platform.signs_by, platform.listed = far.SERIAL, (far.SERIAL, far.NEXT_SERIAL)
        assert await keeper.refresh() == NotThere()
        assert await ask(channel, CallKind.QUERY) == NotThere()
        platform.signs_by, platform.listed = far.NEXT_SERIAL, (far.NEXT_SERIAL,)
        assert await ask(channel, CallKind.QUERY) == NotThere()
        assert await keeper.refresh() == NotThere()
        platform.signs_by = far.SERIAL
        assert await ask(channel, CallKind.QUERY) == NotThere()


@pytest.mark.wire
@pytest.mark.asyncio
async def test_a_list_that_cannot_be_believed_changes_nothing() -> None:
    """Refusals, silence and lists of strangers leave what is known as it is."""
    async with far.wechat_served() as platform, started(made(part(platform.url))) as channel:
        keeper = keeper_of(channel)
        platform.script.append((401, {"code": "SIGN_ERROR"}))
        refused = await keeper.refresh()
        assert refused == BAD_SIGNATURE  # signed by nobody we know yet
        await keeper.refresh()
        platform.script.append((500, {"code": "SYSTEM_ERROR"}))
        assert isinstance(await keeper.refresh(), Misconfigured)
        platform.signs_by = far.NEXT_SERIAL
        assert await keeper.refresh() == BAD_SIGNATURE
        platform.signs_by = far.SERIAL
        assert await ask(channel, CallKind.QUERY) == NotThere()
        await channel.client.close()
        assert await keeper.refresh() == NOT_SENT
        assert channel.client.ready


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"merchant_private_key": "nowhere.pem"}, "nowhere.pem"),
        ({"merchant_private_key": "merchant_public.pem"}, "merchant_public.pem"),
        ({"merchant_private_key": "platform_certificate.pem"}, "platform_certificate.pem"),
        ({"apiv3_key": None}, "apiv3_key"),
        ({"apiv3_key": "README.md"}, "README.md"),
        (PUBLIC_KEY | {"wechatpay_public_key": "merchant_public.pem"}, "our own public key"),
        (PUBLIC_KEY | {"wechatpay_public_key": "platform_certificate.pem"}, "platform_certificate"),
        (PUBLIC_KEY | {"wechatpay_public_key": "public_key_private.pem"}, "public_key_private"),
    ],
)
def test_a_wrong_key_is_told_at_start(changes: dict[str, Any], names: str) -> None:
    """Missing, of another kind, or our own in place of the platform's: named with its file."""
    with pytest.raises(BadInputError, match=names.replace(".", r"\.")):
        made(part(**changes))


def test_with_a_public_key_there_is_nothing_to_fetch() -> None:
    """The newer kind of account has no certificates."""
    channel = made(part(**PUBLIC_KEY))
    assert channel.keeper is None
    assert channel.client.ready
