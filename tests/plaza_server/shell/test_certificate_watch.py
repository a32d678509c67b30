"""Alarms before a certificate ends, and the fetching of new ones beside the payments."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest

from plaza_server.platforms.calls import HttpAnswer, HttpCall
from plaza_server.platforms.certificates import Expiry
from plaza_server.platforms.client import HttpPlatformClient
from plaza_server.rules.outcomes import Evidence
from plaza_server.rules.units import NoteAlarm
from plaza_server.shell import certificate_watch as subject
from plaza_server.shell.channels import Channel
from tolling.alarms import AlarmCode
from tolling.clock import ClockQuality, WallTime

NOW_MS = 1_795_314_605_000
DAY_MS = subject.DAY_MS
END = Expiry(name="app_cert", not_after_ms=NOW_MS + 60 * DAY_MS)


@dataclass
class FakeClock:
    """A wall clock that stands where it was put."""

    now_ms: int = NOW_MS

    def at_ns(self) -> int:
        return 0

    def wall(self) -> WallTime:
        return WallTime(utc_ms=self.now_ms, quality=ClockQuality.SYNCED)


@dataclass
class FakeFetcher:
    """Wants what it was told to want."""

    wanted: list[str] = field(default_factory=list)
    taken: list[object] = field(default_factory=list)
    on_wanted: Callable[[], None] = field(default=lambda: None)

    def tell(self, on_wanted: Callable[[], None]) -> None:
        self.on_wanted = on_wanted

    def next_call(self, *, now_ms: int) -> HttpCall | None:
        del now_ms
        if not self.wanted:
            return None
        return HttpCall(method="POST", url=self.wanted.pop(0), headers=(), body=b"")

    def take(self, answer: HttpAnswer | Evidence) -> str:
        self.taken.append(answer)
        return "held"


@dataclass
class FakeLine:
    """Answers every call at once; raises once where it is told to."""

    asked: list[str] = field(default_factory=list)
    breaks: bool = False
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    broke: asyncio.Event = field(default_factory=asyncio.Event)

    async def exchange(self, call: HttpCall, *, now_ms: int) -> tuple[Evidence, int]:
        if self.breaks:
            self.breaks = False
            self.broke.set()
            raise RuntimeError("the line broke")
        self.asked.append(call.url)
        self.arrived.set()
        return Evidence.TIMEOUT, now_ms


@dataclass
class Bench:
    """A watch over one platform."""

    clock: FakeClock = field(default_factory=FakeClock)
    fetcher: FakeFetcher = field(default_factory=FakeFetcher)
    line: FakeLine = field(default_factory=FakeLine)
    notes: list[NoteAlarm] = field(default_factory=list)
    ends: tuple[Expiry, ...] = (END,)

    async def commit(self, note: NoteAlarm) -> tuple[object, ...]:
        self.notes.append(note)
        return (note.raised,)

    def watch(self) -> subject.CertificateWatch:
        channel = Channel(
            client=cast(HttpPlatformClient, self.line),
            expiries=lambda: self.ends,
            fetcher=self.fetcher,
        )
        return subject.CertificateWatch({"alipay": channel}, commit=self.commit, clock=self.clock)


@pytest.mark.parametrize(
    ("days", "raised", "says"),
    [
        (31, False, "good for more than 30 days"),
        (30, True, "app_cert ends in 30 days: get a new one"),
        (1, True, "app_cert ends in 1 days: get a new one"),
        (0, True, "app_cert ended 0 days ago: get a new one"),
        (-3, True, "app_cert ended 3 days ago: get a new one"),
    ],
)
def test_the_alarm_stands_from_thirty_days_before_the_end(
    days: int, raised: bool, says: str
) -> None:
    """Raised and cleared under one name, so a newer certificate clears it."""
    end = Expiry(name="app_cert", not_after_ms=NOW_MS + days * DAY_MS)
    note = subject.note_of("alipay", end, now_ms=NOW_MS)
    assert (note.code, note.subject) == (AlarmCode.CERTIFICATE_ENDS, "alipay app_cert")
    assert (note.raised, note.what) == (raised, says)


@pytest.mark.asyncio
async def test_a_check_looks_at_every_certificate_of_today() -> None:
    """A certificate that was fetched meanwhile is looked at, not the one of the start."""
    bench = Bench()
    watch = bench.watch()
    bench.clock.now_ms = NOW_MS + 40 * DAY_MS
    await watch.check()
    bench.ends = (Expiry(name="app_cert", not_after_ms=NOW_MS + 400 * DAY_MS),)
    await watch.check()
    assert [note.raised for note in bench.notes] == [True, False]


@pytest.mark.asyncio
async def test_everything_wanted_is_fetched_one_after_the_other() -> None:
    """Also what was named while another was fetched."""
    bench = Bench(fetcher=FakeFetcher(wanted=["first", "second"]))
    await bench.watch().fetch()
    assert bench.line.asked == ["first", "second"]
    assert len(bench.fetcher.taken) == 2


@pytest.mark.slow
@pytest.mark.asyncio
async def test_a_named_certificate_is_fetched_without_waiting_for_the_day() -> None:
    """The watch sleeps for an hour and is woken; a line that breaks costs one look."""
    bench = Bench(line=FakeLine(breaks=True), fetcher=FakeFetcher(wanted=["lost"]))
    watch = bench.watch()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(watch.run(), name="watch")
        async with asyncio.timeout(20):
            await bench.line.broke.wait()
            bench.fetcher.wanted.append("named")
            bench.fetcher.on_wanted()
            await bench.line.arrived.wait()
        running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert bench.line.asked == ["named"]
    assert len(bench.notes) == 1
