"""The operating system's clocks, read in one place."""

from __future__ import annotations

from functools import partial

from plaza_server.shell import clock as subject
from tolling.clock import ClockQuality


def test_the_monotonic_clock_never_goes_back() -> None:
    """Also when asked at once again."""
    clock = subject.SystemClock()
    seen = [clock.at_ns() for _ in range(100)]
    assert seen == sorted(seen)


def int_or_none(value: int | None) -> int | None:
    return value


def test_a_wall_clock_that_the_platform_contradicts_is_bad() -> None:
    """A minute is allowed; more is not."""
    for skew_ms, quality in (
        (None, ClockQuality.SYNCED),
        (59_000, ClockQuality.SYNCED),
        (-61_000, ClockQuality.BAD),
    ):
        wall = subject.SystemClock(skew_ms=partial(int_or_none, skew_ms)).wall()
        assert wall.quality is quality
        assert wall.utc_ms > subject.MIN_UTC_MS


def test_boots_and_bytes_differ() -> None:
    """No two runs have one name; no two tokens one secret."""
    assert subject.new_boot_id() != subject.new_boot_id()
    assert len(subject.random_bytes(32)) == 32
