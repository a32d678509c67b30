"""The watch: a test at start, a warm line, a way back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from plaza_server.rules.outcomes import (
    Evidence,
    Misconfigured,
    NotThere,
    PlatformOutcome,
    Unknown,
    Waiting,
)
from plaza_server.shell import platform_watch as subject
from plaza_server.shell.clock import SystemClock

REFUSED = Misconfigured(detail="401 SIGN_ERROR")
FAST = subject.WatchLimits(tick_s=0.001, idle_s=45.0, again_s=0.002)
NEVER_AGAIN = subject.WatchLimits(tick_s=0.001, idle_s=45.0, again_s=3600.0)


@dataclass
class Client:
    """A platform's client that says what a test wants."""

    name: str = "wechat"
    outcomes: list[PlatformOutcome | Exception] = field(default_factory=list)
    skew_ms: int | None = 7
    ready: bool = True
    idle_s: float | None = 0.0
    probes: int = 0
    looks: int = 0

    async def probe(self, *, now_ms: int) -> PlatformOutcome:
        self.probes += 1
        outcome = self.outcomes.pop(0) if self.outcomes else NotThere()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@dataclass
class Keeper:
    """What a client's readiness hangs on."""

    client: Client
    outcomes: list[PlatformOutcome]
    asked: int = 0

    def due(self) -> bool:
        return bool(self.outcomes)

    async def refresh(self) -> PlatformOutcome:
        self.asked += 1
        outcome = self.outcomes.pop(0)
        self.client.ready = self.client.ready or isinstance(outcome, NotThere)
        return outcome


@dataclass
class Heard:
    """What the engine was told, and what is off."""

    reports: list[tuple[str, PlatformOutcome, int | None]] = field(default_factory=list)
    off: set[str] = field(default_factory=set)

    def report(self, name: str, outcome: PlatformOutcome, skew_ms: int | None) -> None:
        self.reports.append((name, outcome, skew_ms))

    def suspended(self) -> tuple[str, ...]:
        return tuple(sorted(self.off))

    @property
    def outcomes(self) -> list[PlatformOutcome]:
        return [outcome for _, outcome, _ in self.reports]


@asynccontextmanager
async def watching(
    heard: Heard,
    *clients: Client,
    keeper: Keeper | None = None,
    limits: subject.WatchLimits = FAST,
) -> AsyncIterator[None]:
    watch = subject.PlatformWatch(
        {client.name: client for client in clients},
        keepers={} if keeper is None else {keeper.client.name: keeper},
        suspended=heard.suspended,
        report=heard.report,
        clock=SystemClock(),
        limits=limits,
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(watch.run(), name="watch")
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while True:
            if holds():
                return
            await asyncio.sleep(FAST.tick_s)


async def ticks(count: int = 20) -> None:
    """Let the watch look a few more times."""
    for _ in range(count):
        await asyncio.sleep(FAST.tick_s)


@pytest.mark.asyncio
async def test_every_platform_is_tested_once_at_start() -> None:
    """One probe each, told with the clocks' difference; a line in use needs no more."""
    heard = Heard()
    clients = (Client("alipay"), Client("wechat", outcomes=[REFUSED]), Client("unionpay"))
    async with watching(heard, *clients):
        await until(lambda: len(heard.reports) == 3)
        await ticks()
    assert sorted(heard.reports) == sorted(
        [("alipay", NotThere(), 7), ("unionpay", NotThere(), 7), ("wechat", REFUSED, 7)],
        key=lambda each: each[0],
    )
    assert all(client.probes == 1 for client in clients)


@pytest.mark.asyncio
async def test_a_quiet_line_is_kept_warm() -> None:
    """45 s without an answer bring the next probe; an answer begins them anew."""
    heard, client = Heard(), Client()
    async with watching(heard, client):
        await until(lambda: client.probes == 1)
        client.idle_s = 44.9
        await ticks()
        assert client.probes == 1
        client.idle_s = 45.0
        await until(lambda: client.probes >= 2)


@pytest.mark.asyncio
async def test_a_platform_that_is_off_is_asked_again_and_again() -> None:
    """So that it comes back by itself within seconds; then it is left in peace."""
    heard, client = Heard(off={"wechat"}), Client(outcomes=[REFUSED, REFUSED, REFUSED])
    async with watching(heard, client):
        await until(lambda: NotThere() in heard.outcomes)
        heard.off.clear()
        await ticks(5)
        probes = client.probes
        await ticks()
        assert client.probes == probes
    assert heard.outcomes[:4] == [REFUSED, REFUSED, REFUSED, NotThere()]


@pytest.mark.asyncio
async def test_between_two_probes_in_vain_is_a_pause() -> None:
    """A platform that is off is not flooded by looks."""
    heard, client = Heard(off={"wechat"}), Client()
    async with watching(heard, client, limits=NEVER_AGAIN):
        await until(lambda: client.probes == 1)
        await ticks()
        assert client.probes == 1


@pytest.mark.asyncio
async def test_a_line_that_broke_is_made_again_before_the_next_car() -> None:
    """No open connection: probed after the pause, not after 45 s."""
    heard, client = Heard(), Client(idle_s=None)
    async with watching(heard, client):
        await until(lambda: client.probes >= 3)


@pytest.mark.asyncio
async def test_nothing_is_probed_before_answers_can_be_verified() -> None:
    """First what they are verified with, until it is there; then the test."""
    heard, client = Heard(), Client(ready=False)
    keeper = Keeper(client, [REFUSED, Unknown(evidence=Evidence.NOT_SENT), NotThere()])
    async with watching(heard, client, keeper=keeper):
        await until(lambda: client.probes == 1)
    assert keeper.asked == 3
    assert heard.outcomes == [REFUSED, Unknown(evidence=Evidence.NOT_SENT), NotThere()]


@pytest.mark.asyncio
async def test_a_later_fetch_in_vain_takes_nothing_off() -> None:
    """What is known is still good: only the log hears of it."""
    heard, client = Heard(), Client()
    keeper = Keeper(client, [REFUSED])
    async with watching(heard, client, keeper=keeper):
        await until(lambda: client.probes == 1)
    assert heard.outcomes == [NotThere()]


@pytest.mark.asyncio
async def test_a_client_that_breaks_ends_no_watch() -> None:
    """The fault is logged, the others go on, and it is asked again."""
    heard = Heard()
    broken = Client("alipay", outcomes=[RuntimeError("broken")], idle_s=None)
    whole = Client("wechat")
    async with watching(heard, broken, whole):
        await until(lambda: broken.probes >= 2 and whole.probes == 1)
    assert ("alipay", NotThere(), 7) in heard.reports


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (NotThere(), "good"),
        (REFUSED, "401 SIGN_ERROR"),
        (Waiting(), "something no probe"),
        *((Unknown(evidence=each), "") for each in Evidence),
    ],
)
def test_every_outcome_has_a_meaning_for_people(outcome: PlatformOutcome, word: str) -> None:
    """One line that says what is wrong and where to look."""
    said = subject.meaning_of(outcome)
    assert word in said
    assert said
    assert "\n" not in said
