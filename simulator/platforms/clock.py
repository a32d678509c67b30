"""The clock of the simulated outside in real time: the one place in this room that reads the OS."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Time as a server needs it."""

    def now_ns(self) -> int:
        """Return nanoseconds since this clock was made; never backwards."""
        ...

    def wall_base_ns(self) -> int:
        """Return the unix time in ns at which ``now_ns`` was 0."""
        ...

    async def sleep_ns(self, duration_ns: int) -> None:
        """Wait *duration_ns*, 0 and up."""
        ...


class RealClock:
    """The machine's monotonic clock, tied once to its wall clock."""

    def __init__(self) -> None:
        self._zero_ns = time.monotonic_ns()
        self._wall_base_ns = time.time_ns()

    def now_ns(self) -> int:
        """Return nanoseconds since this clock was made."""
        return time.monotonic_ns() - self._zero_ns

    def wall_base_ns(self) -> int:
        """Return the unix time in ns at which this clock was made."""
        return self._wall_base_ns

    async def sleep_ns(self, duration_ns: int) -> None:
        """Wait *duration_ns*; at least that long, a millisecond or so more."""
        if duration_ns > 0:
            await asyncio.sleep(duration_ns / 1_000_000_000)
