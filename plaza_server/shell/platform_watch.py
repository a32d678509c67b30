"""Watches the payment platforms: a self-test at start, a warm connection, a way back.

At start every platform is probed once: a signed query about no order, whose good answer proves key,
clock and account at once. The engine hears of it as of any answer, so a platform that refuses us is
off with its alarm before the first car. Afterwards a probe goes out when no answer came for 45 s,
which keeps one connection alive through quiet hours (they close after 60 s), and every 5 s while
a platform is off, so that it comes back by itself within seconds of being well again.

A probe is never money: it may be lost, doubled or late. What fails in here is logged and tried
again; it never stops a payment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from plaza_server.rules.outcomes import (
    Evidence,
    Misconfigured,
    NotThere,
    PlatformOutcome,
    Unknown,
)
from plaza_server.shell.clock import Clock
from tolling.clock import NS_PER_MS, NS_PER_S

Report = Callable[[str, PlatformOutcome, int | None], None]
"""(platform, what a probe proved, its clock minus ours in ms)."""


class Watched(Protocol):
    """What the watch needs of a platform's client."""

    @property
    def name(self) -> str:
        """The platform's name."""

    @property
    def skew_ms(self) -> int | None:
        """The platform's clock minus ours by the last answer."""

    @property
    def ready(self) -> bool:
        """Whether its answers can be verified."""

    @property
    def idle_s(self) -> float | None:
        """Seconds since the last answer; None where no connection may be open."""

    async def probe(self, *, now_ms: int) -> PlatformOutcome:
        """Ask about no order."""


class Keeper(Protocol):
    """Fetches what a platform's answers are verified with."""

    def due(self) -> bool:
        """Return whether it is time to fetch."""

    async def refresh(self) -> PlatformOutcome:
        """Fetch once; NotThere where it went well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchLimits:
    """How often. Seconds."""

    tick_s: float = 1.0
    """Between looks at what is due; no look costs a call."""
    idle_s: float = 45.0
    """Before the 60 s after which client and platforms close a quiet connection."""
    again_s: float = 5.0
    """Between probes while a platform is off, or no connection to it is open."""


class PlatformWatch:
    """Probes the platforms of one process."""

    def __init__(
        self,
        clients: Mapping[str, Watched],
        *,
        keepers: Mapping[str, Keeper],
        suspended: Callable[[], tuple[str, ...]],
        report: Report,
        clock: Clock,
        limits: WatchLimits | None = None,
    ) -> None:
        """Make the watch; nothing is sent before ``run``.

        Args:   keepers: by platform name, of those that have one.
                suspended: names of the platforms that are off now.
        """
        self._clients = dict(clients)
        self._keepers = dict(keepers)
        self._suspended = suspended
        self._report = report
        self._clock = clock
        self._limits = limits or WatchLimits()
        self._said: dict[str, PlatformOutcome] = {}
        self._log = structlog.get_logger("plaza.platforms")

    async def run(self) -> None:
        """Test every platform, then watch them until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for name in self._clients:
                tasks.create_task(self._watch(name), name=f"watch {name}")

    async def _watch(self, name: str) -> None:
        tested_ns: int | None = None
        while True:
            try:
                if await self._look(name, tested_ns):
                    tested_ns = self._clock.at_ns()
            except Exception as error:  # noqa: BLE001 - the watch outlives one platform's fault
                self._log.error("watch_broke", platform=name, error=type(error).__name__)
                tested_ns = self._clock.at_ns()
            await asyncio.sleep(self._limits.tick_s)

    async def _look(self, name: str, tested_ns: int | None) -> bool:
        """Do what is due for one platform; return whether it was probed."""
        keeper = self._keepers.get(name)
        if keeper is not None and keeper.due():
            outcome = await keeper.refresh()
            if not self._clients[name].ready:
                self._hear(name, outcome)
        if not self._clients[name].ready or not self._probe_due(name, tested_ns):
            return False
        began_ns = self._clock.at_ns()
        outcome = await self._clients[name].probe(now_ms=self._clock.wall().utc_ms)
        self._hear(name, outcome, took_ms=(self._clock.at_ns() - began_ns) // NS_PER_MS)
        return True

    def _probe_due(self, name: str, tested_ns: int | None) -> bool:
        if tested_ns is None:
            return True
        idle_s = self._clients[name].idle_s
        if idle_s is not None and name not in self._suspended():
            return idle_s >= self._limits.idle_s
        return self._clock.at_ns() - tested_ns >= self._limits.again_s * NS_PER_S

    def _hear(self, name: str, outcome: PlatformOutcome, took_ms: int | None = None) -> None:
        """Tell the engine, and the log where it is news."""
        skew_ms = self._clients[name].skew_ms
        self._report(name, outcome, skew_ms)
        if self._said.get(name) == outcome:
            return
        self._said[name] = outcome
        what = meaning_of(outcome)
        if isinstance(outcome, NotThere):
            self._log.info(
                "platform_good", platform=name, what=what, skew_ms=skew_ms, took_ms=took_ms
            )
        else:
            self._log.error("platform_not_good", platform=name, what=what, skew_ms=skew_ms)


_EVIDENCE_MEANS = {
    Evidence.TIMEOUT: "no answer in time: see the line and the platform's own notices",
    Evidence.NOT_SENT: "cannot be reached: see the line, the name service and the address",
    Evidence.HTTP_STATUS: "something between answers in its place, or it is in trouble itself",
    Evidence.BAD_SIGNATURE: "its answer is not provably its own: see the platform's key or "
    "certificate in our files, and our clock",
    Evidence.GARBLED: "its answer cannot be read: see the address and what stands between",
    Evidence.FOREIGN: "its answer is about something else: see what stands between",
    Evidence.PLATFORM_UNSURE: "it answers that it does not know: its own trouble",
    Evidence.SIGN_TEST: "it tried whether we verify; the next probe tells",
}
assert set(_EVIDENCE_MEANS) == set(Evidence)


def meaning_of(outcome: PlatformOutcome) -> str:
    """Return what a probe's outcome means, with what to do, in one line for the log."""
    if isinstance(outcome, NotThere):
        return "key, clock and account are good"
    if isinstance(outcome, Misconfigured):
        return f"it refuses us ({outcome.detail}): see key, clock and account number"
    if isinstance(outcome, Unknown):
        return _EVIDENCE_MEANS[outcome.evidence]
    return "it answered something no probe is answered with"
