"""The only reader of the operating system's clocks and of its randomness in the plaza."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Protocol

from tolling.clock import NS_PER_MS, ClockQuality, WallTime
from tolling.ids import BootId

MIN_UTC_MS = 1_767_225_600_000
"""2026-01-01: a wall clock before this program existed was never set."""
MAX_SKEW_MS = 60_000
"""Half of what the platforms tolerate, and what a tariff switch at midnight can bear."""


class Clock(Protocol):
    """What the shell may know of the time."""

    def at_ns(self) -> int:
        """Return nanoseconds of a monotonic clock; never less than the last answer."""

    def wall(self) -> WallTime:
        """Return the wall clock with its quality."""


class SystemClock:
    """This machine's clocks. The wall clock is doubted when a platform's clock says otherwise."""

    def __init__(self, *, skew_ms: Callable[[], int | None] = lambda: None) -> None:
        self._last_ns = 0
        self._skew_ms = skew_ms

    def at_ns(self) -> int:
        """Return the monotonic clock in nanoseconds."""
        self._last_ns = max(self._last_ns, time.monotonic_ns())
        return self._last_ns

    def wall(self) -> WallTime:
        """Return the wall clock: bad before 2026 or over a minute off the platform's Date
        header."""
        utc_ms = time.time_ns() // NS_PER_MS
        skew_ms = self._skew_ms()
        trusted = utc_ms >= MIN_UTC_MS and (skew_ms is None or abs(skew_ms) <= MAX_SKEW_MS)
        quality = ClockQuality.SYNCED if trusted else ClockQuality.BAD
        return WallTime(utc_ms=utc_ms, quality=quality)


def new_boot_id() -> BootId:
    """Return a name for one run of one engine."""
    return BootId(secrets.token_hex(6))


def random_bytes(count: int) -> bytes:
    """Return *count* bytes for tokens, keys and salts."""
    return secrets.token_bytes(count)
