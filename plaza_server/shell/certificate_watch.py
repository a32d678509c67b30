"""Watches the certificates platforms depend on: alarms before one ends, fetches new ones.

At start and once a day every certificate's end is compared with the wall clock; from 30 days before
there is an alarm, until a newer one is in its place. A certificate that an answer has named and we
do not hold is fetched at once, beside the payments and never in front of one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from plaza_server.platforms.certificates import Expiry
from plaza_server.rules.units import NoteAlarm
from plaza_server.shell.channels import Channel
from plaza_server.shell.clock import Clock
from tolling.alarms import AlarmCode

DAY_MS = 86_400_000
WARN_MS = 30 * DAY_MS
"""A platform's page needs days of letters and forms for a new certificate."""
LOOK_S_MAX = 3600.0
"""Longest sleep before the wall clock is looked at again: it may have been set meanwhile."""
FETCH_GAP_S = 1.0
"""Between two downloads: answers of a stranger may name any certificate they like."""

Commit = Callable[[NoteAlarm], Awaitable[tuple[object, ...]]]


def ending(end: Expiry, *, now_ms: int) -> str:
    """Return what is to be said of a certificate that ends within 30 days or has ended; empty of
    any other."""
    left_ms = end.not_after_ms - now_ms
    if left_ms > WARN_MS:
        return ""
    if left_ms <= 0:
        return f"{end.name} ended {-left_ms // DAY_MS} days ago: get a new one"
    return f"{end.name} ends in {left_ms // DAY_MS} days: get a new one"


def note_of(platform: str, end: Expiry, *, now_ms: int) -> NoteAlarm:
    """Return the alarm of one certificate, raised or cleared."""
    what = ending(end, now_ms=now_ms)
    return NoteAlarm(
        code=AlarmCode.CERTIFICATE_ENDS,
        raised=what != "",
        subject=f"{platform} {end.name}",
        what=what or "good for more than 30 days",
        now_ms=now_ms,
    )


class CertificateWatch:
    """The certificates of all platforms of one process."""

    def __init__(self, channels: Mapping[str, Channel], *, commit: Commit, clock: Clock) -> None:
        self._channels = dict(channels)
        self._commit = commit
        self._clock = clock
        self._wanted = asyncio.Event()
        self._log = structlog.get_logger("plaza.certificates")
        for channel in self._channels.values():
            if channel.fetcher is not None:
                channel.fetcher.tell(self._wanted.set)

    async def run(self) -> None:
        """Watch for ever; one failure costs one look."""
        checked_ms: int | None = None
        while True:
            self._wanted.clear()
            try:
                now_ms = self._clock.wall().utc_ms
                if checked_ms is None or abs(now_ms - checked_ms) >= DAY_MS:
                    await self.check()
                    checked_ms = now_ms
                await self.fetch()
            except Exception as error:  # noqa: BLE001 - its supervisor: tries again, stops nothing
                self._log.error("certificates_not_watched", error=type(error).__name__)
            await self._pause()

    async def check(self) -> None:
        """Raise or clear the alarm of every certificate, by the wall clock of now."""
        now_ms = self._clock.wall().utc_ms
        for platform, channel in sorted(self._channels.items()):
            for end in channel.expiries():
                note = note_of(platform, end, now_ms=now_ms)
                (changed,) = await self._commit(note)
                if changed:
                    self._log.warning(
                        "alarm",
                        code=note.code.value,
                        raised=note.raised,
                        subject=note.subject,
                        what=note.what,
                    )

    async def fetch(self) -> None:
        """Fetch every wanted certificate, one after the other."""
        for platform, channel in sorted(self._channels.items()):
            fetcher = channel.fetcher
            while fetcher is not None:
                now_ms = self._clock.wall().utc_ms
                call = fetcher.next_call(now_ms=now_ms)
                if call is None:
                    break
                answer, _ = await channel.client.exchange(call, now_ms=now_ms)
                self._log.info("certificate", platform=platform, outcome=fetcher.take(answer))

    async def _pause(self) -> None:
        await asyncio.sleep(FETCH_GAP_S)
        try:
            async with asyncio.timeout(LOOK_S_MAX):
                await self._wanted.wait()
        except TimeoutError:
            return
