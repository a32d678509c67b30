"""The only reader of the operating system's clocks and of its randomness in the lane.

``at_ns`` = base + CLOCK_BOOTTIME. The base is kept in a small file beside the journal with the
machine's boot id and the last moment seen, written once a second without waiting for the disk: it
survives a killed process, and after a power cut the boot id differs anyway. On the same boot of the
machine the base goes on, so durations hold over a restart; on another one the base is set so that
nothing is earlier than what the journal holds.

The wall clock is compared with the plaza's at each heartbeat. What it says is the last good
comparison plus monotonic time, so a step of the machine's clock moves nothing.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tolling.clock import NS_PER_MS, NS_PER_S, ClockQuality, WallTime
from tolling.ids import BootId

AGREE_MS = 2_000
"""Plaza and lane agree within this, or the clock is bad."""
FRESH_NS = 3_600 * NS_PER_S
"""A comparison keeps the clock synced for an hour: a cheap quartz drifts 0.2 s in it."""
HOLDOVER_NS = 3 * 24 * 3_600 * NS_PER_S
"""After three days without the plaza a quartz may be 13 s off: midnight is no longer sure."""
BOOT_GAP_NS = NS_PER_S
"""How far a base is set ahead of the journal's last moment on another boot of the machine."""
_MACHINE_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemTimes:
    """What the machine says; replaced in tests."""

    boottime_ns: Callable[[], int]
    """Since the machine's boot, suspend included."""
    utc_ns: Callable[[], int]
    machine_boot: str
    """Differs with every boot of the machine; empty where it cannot be told."""


def system_times() -> SystemTimes:
    """Return this machine's clocks."""
    try:
        machine_boot = _MACHINE_BOOT.read_text(encoding="ascii").strip()
    except OSError:
        machine_boot = ""
    return SystemTimes(
        boottime_ns=lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        utc_ns=time.time_ns,
        machine_boot=machine_boot,
    )


def monotonic_ns() -> int:
    """Return the clock that devices' drivers and measurements use."""
    return time.monotonic_ns()


def new_boot_id() -> BootId:
    """Return a name for one run of one process."""
    return BootId(secrets.token_hex(6))


def random_bytes(count: int) -> bytes:
    """Return *count* bytes for a key."""
    return secrets.token_bytes(count)


def jitter() -> float:
    """Return 0 <= x < 1 for the pauses of reconnects."""
    return secrets.randbelow(1 << 30) / (1 << 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    machine: str
    base_ns: int
    seen_ns: int
    synced_at_ns: int | None
    synced_utc_ms: int | None


class LaneClock:
    """The lane's time. ``downtime_ms`` tells how long nothing watched the lane."""

    def __init__(
        self, mark: Path | None, *, last_at_ns: int, times: SystemTimes | None = None
    ) -> None:
        """Continue the lane's time.

        Args:   mark: file that keeps the base; None keeps nothing.
                last_at_ns: moment of the journal's last event, 0 where it is empty.
        """
        self._times = times or system_times()
        self._mark = mark
        self._synced: tuple[int, int] | None = None
        self._found_wrong = False
        now = self._times.boottime_ns()
        old = _read_mark(mark) if mark is not None else None
        machine = self._times.machine_boot
        self.downtime_ms: int | None = None
        if old is not None and machine and old.machine == machine:
            self._base_ns = max(old.base_ns, last_at_ns - now)
            seen = max(old.seen_ns, last_at_ns)
            self.downtime_ms = max(0, self._base_ns + now - seen) // NS_PER_MS
            if old.synced_at_ns is not None and old.synced_utc_ms is not None:
                self._synced = old.synced_at_ns, old.synced_utc_ms
        else:
            seen = max(old.seen_ns if old is not None else 0, last_at_ns)
            self._base_ns = seen + BOOT_GAP_NS - now if seen else 0
        self._last_ns = self._base_ns + now

    def at_ns(self) -> int:
        """Return the moment on the lane's base; never less than the last answer."""
        self._last_ns = max(self._last_ns, self._base_ns + self._times.boottime_ns())
        return self._last_ns

    def wall(self) -> WallTime:
        """Return the wall clock and how good it is."""
        at_ns = self.at_ns()
        if self._synced is None:
            utc_ms = self._times.utc_ns() // NS_PER_MS
            return WallTime(utc_ms=utc_ms, quality=ClockQuality.BAD)
        age_ns = at_ns - self._synced[0]
        utc_ms = self._synced[1] + age_ns // NS_PER_MS
        if self._found_wrong or age_ns > HOLDOVER_NS:
            quality = ClockQuality.BAD
        else:
            quality = ClockQuality.SYNCED if age_ns <= FRESH_NS else ClockQuality.HOLDOVER
        return WallTime(utc_ms=utc_ms, quality=quality)

    def compare(self, server_utc_ms: int, *, asked_at_ns: int) -> bool:
        """Compare with the plaza's clock; return whether they agree.

        Args:   server_utc_ms: what the plaza said.
                asked_at_ns: when it was asked, on the lane's base. Its answer was made between then
                and now.
        """
        at_ns = self.at_ns()
        way_ms = max(0, at_ns - asked_at_ns) // NS_PER_MS
        machine_ms = self._times.utc_ns() // NS_PER_MS
        held_ms = self.wall().utc_ms
        # The machine's clock first: a time service keeps it better than our own count.
        for ours_ms in (machine_ms, held_ms):
            if -AGREE_MS - way_ms <= server_utc_ms - ours_ms <= AGREE_MS:
                self._synced = at_ns, ours_ms
                self._found_wrong = False
                return True
        self._found_wrong = True
        return False

    def write_mark(self) -> None:
        """Note that the lane is watched now. Called once a second; a full disk is no matter."""
        if self._mark is None:
            return
        synced = self._synced or (None, None)
        text = json.dumps(
            {
                "machine": self._times.machine_boot,
                "base_ns": self._base_ns,
                "seen_ns": self.at_ns(),
                "synced_at_ns": synced[0],
                "synced_utc_ms": synced[1],
            }
        ).encode("ascii")
        try:
            file = os.open(self._mark, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            try:
                # One write of a fixed length: a kill leaves the old text or the new one.
                os.pwrite(file, text.ljust(_MARK_BYTES), 0)
            finally:
                os.close(file)
        except OSError:
            return


_MARK_BYTES = 320


def _read_mark(path: Path) -> _Mark | None:
    try:
        found = json.loads(path.read_bytes())
        mark = _Mark(
            machine=str(found["machine"]),
            base_ns=int(found["base_ns"]),
            seen_ns=int(found["seen_ns"]),
            synced_at_ns=found["synced_at_ns"],
            synced_utc_ms=found["synced_utc_ms"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # Lost or damaged: then it is a start after another boot.
    numbers = (mark.synced_at_ns, mark.synced_utc_ms)
    return mark if all(each is None or isinstance(each, int) for each in numbers) else None
