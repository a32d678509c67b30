"""When WeChat Pay's certificates are fetched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from plaza_server.platforms.client import HttpPlatformClient
from plaza_server.platforms.wechat.certificates import CertificateBook
from plaza_server.platforms.wechat.codec import Pen
from plaza_server.platforms.wechat.sealing import load_apiv3_key, unsealer
from plaza_server.rules.outcomes import NotThere
from plaza_server.shell import wechat_certificates as subject
from plaza_server.shell.clock import SystemClock
from tests.plaza_server import fake_wechat as far
from tests.plaza_server.platforms.wechat import golden
from tolling.clock import NS_PER_S, WallTime

pytestmark = [pytest.mark.wire]
SYSTEM_ERROR = (500, {"code": "SYSTEM_ERROR"})


@dataclass
class HandClock:
    """Monotonic time a test moves; the wall is the system's."""

    ns: int = 0

    def at_ns(self) -> int:
        return self.ns

    def wall(self) -> WallTime:
        return SystemClock().wall()

    def turn(self, seconds: float) -> None:
        self.ns += int(seconds * NS_PER_S)


@dataclass
class Bench:
    """A keeper with its book, its platform and its clock."""

    platform: far.FakeWechat
    clock: HandClock
    book: CertificateBook
    subject: subject.CertificateKeeper


@asynccontextmanager
async def kept() -> AsyncIterator[Bench]:
    clock = HandClock()
    async with far.wechat_served() as platform:
        config = replace(golden.CONFIG, base_url=platform.url)
        book = CertificateBook(wall_ms=lambda: clock.wall().utc_ms)
        client = HttpPlatformClient(golden.codec(config), ready=lambda: book.ready)
        keeper = subject.CertificateKeeper(
            client=client,
            book=book,
            config=config,
            pen=Pen(sign=golden.SIGN, serial=golden.MERCHANT_SERIAL, nonce=lambda: golden.NONCE),
            unseal=unsealer(load_apiv3_key(golden.GOLDEN / "apiv3.key")),
            clock=clock,
        )
        await client.start()
        try:
            yield Bench(platform=platform, clock=clock, book=book, subject=keeper)
        finally:
            await client.close()


@pytest.mark.asyncio
async def test_while_none_is_known_the_list_is_asked_for_every_few_seconds() -> None:
    """At once, and again after 5 s: every payment waits for it."""
    async with kept() as bench:
        assert bench.subject.due()
        bench.platform.script.append(SYSTEM_ERROR)
        assert await bench.subject.refresh() != NotThere()
        bench.clock.turn(4.9)
        assert not bench.subject.due()
        bench.clock.turn(0.1)
        assert bench.subject.due()
        assert await bench.subject.refresh() == NotThere()
        assert list(bench.book.known) == [far.SERIAL]


@pytest.mark.asyncio
async def test_the_list_is_fetched_twice_a_day() -> None:
    """A new certificate is listed a day before it signs."""
    async with kept() as bench:
        await bench.subject.refresh()
        bench.clock.turn(12 * 3600 - 1)
        assert not bench.subject.due()
        bench.clock.turn(1)
        assert bench.subject.due()


@pytest.mark.asyncio
async def test_an_unknown_number_in_an_answer_brings_the_list_sooner() -> None:
    """Once a minute at most: whoever sits on the line can name numbers as he likes."""
    async with kept() as bench:
        await bench.subject.refresh()
        bench.clock.turn(59)
        assert not bench.book.verify("DEADBEEF", b"", b"")
        assert not bench.subject.due()
        bench.clock.turn(1)
        assert bench.subject.due()
        await bench.subject.refresh()
        bench.clock.turn(60)
        assert not bench.subject.due()
