"""What a machine knows of the time.

Durations come from monotonic clocks; instants only decide what they name (a tariff's start, a
holiday).
Every record says how good the wall clock was when it was made.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum

from tolling.evolve import quick

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China has one time zone and no daylight saving since 1991, so a fixed offset is exact."""


class ClockQuality(StrEnum):
    """How far the wall clock may be trusted."""

    SYNCED = "synced"
    """Compared with the plaza or a time server within the last hours, offset small."""
    HOLDOVER = "holdover"
    """Was good, has been running on monotonic time since."""
    BAD = "bad"
    """Never compared, or found wrong: the tariff in force stays, records are marked."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class WallTime:
    """An instant with its quality."""

    utc_ms: int
    """Milliseconds since 1970-01-01 UTC."""
    quality: ClockQuality


def iso_beijing(utc_ms: int) -> str:
    """Return an instant as ISO 8601 in Beijing time with milliseconds, for people and records."""
    whole, part = divmod(utc_ms, 1000)
    text = datetime.fromtimestamp(whole, tz=BEIJING).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{part:03d}+08:00"


def beijing_digits(utc_ms: int) -> str:
    """Return an instant as yyyyMMddHHmmss in Beijing time, the platforms' txnTime."""
    return datetime.fromtimestamp(utc_ms // 1000, tz=BEIJING).strftime("%Y%m%d%H%M%S")
