"""What the machines of the world read from their clocks. World time itself is the heap's."""

from __future__ import annotations

from simulator.world.heap import WALL_BASE_MS, Heap
from tolling.clock import NS_PER_MS, ClockQuality, WallTime

__all__ = ["WALL_BASE_MS", "WALL_BASE_NS", "MachineClock", "us"]

WALL_BASE_NS = WALL_BASE_MS * NS_PER_MS


class MachineClock:
    """One machine's clocks: a monotonic one per boot, and a wall clock that may be wrong."""

    def __init__(self, heap: Heap) -> None:
        self._heap = heap
        self._began_ns = 0
        self._base_ns = 0
        self._slip_ns = 0
        self._slip_from_ns = 0
        self._ppm = 0
        self.offset_ms = 0
        """How far the wall clock has been set off."""
        self.quality = ClockQuality.SYNCED
        self.set_back_ns: list[int] = []
        """When the wall clock was set to an earlier time than it showed, in world time."""

    def boot(self, base_ns: int) -> None:
        """A process starts: its monotonic clock goes on from *base_ns*."""
        self._began_ns = self._heap.now_ns
        self._base_ns = base_ns

    def drift(self, ppm: int) -> None:
        """Run *ppm* millionths too fast from now on, below 0 too slow."""
        self.boot(self.at_ns())
        self._slip_ns += self._gained_ns(self._slip_from_ns)
        self._slip_from_ns = self._heap.now_ns
        self._ppm = ppm

    def jump(self, offset_ms: int, *, noticed: bool) -> None:
        """Set the wall clock so many milliseconds further off; *noticed*: the machine knows."""
        self.offset_ms += offset_ms
        if noticed:
            self.quality = ClockQuality.BAD
        if offset_ms < 0:
            self.set_back_ns.append(self._heap.now_ns)

    def set_right(self) -> None:
        """Show the right wall time and run right from now on."""
        shown_ms = self.wall().utc_ms
        self.drift(0)
        self._slip_ns, self.offset_ms, self.quality = 0, 0, ClockQuality.SYNCED
        if self.wall().utc_ms < shown_ms:
            self.set_back_ns.append(self._heap.now_ns)

    def at_ns(self) -> int:
        """Return the process's monotonic nanoseconds."""
        gained_ns = self._gained_ns(self._began_ns) if self._ppm else 0
        return self._base_ns + self._heap.now_ns - self._began_ns + gained_ns

    def wall(self) -> WallTime:
        """Return the wall clock."""
        off_ns = self._slip_ns + (self._gained_ns(self._slip_from_ns) if self._ppm else 0)
        now_ms = self._heap.wall_base_ms + (self._heap.now_ns + off_ns) // NS_PER_MS
        return WallTime(utc_ms=now_ms + self.offset_ms, quality=self.quality)

    def lasts_ns(self, shown_ns: int) -> int:
        """Return how long it takes until this clock has gone on by *shown_ns*."""
        if self._ppm == 0:
            return shown_ns
        return -(-shown_ns * 1_000_000 // (1_000_000 + self._ppm))

    def _gained_ns(self, since_ns: int) -> int:
        if self._ppm == 0:
            return 0
        return (self._heap.now_ns - since_ns) * self._ppm // 1_000_000


def us(now_ns: int) -> int:
    """Return world nanoseconds as the plant's microseconds."""
    return now_ns // 1_000
