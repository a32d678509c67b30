"""Virtual time: one heap of (ns, number, callback), and the hash of everything that happened.

What is due at one instant happens in the order it was scheduled. Nothing sleeps and nothing runs
beside it, so one seed gives one run; the trace hash is the proof.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable

Callback = Callable[[], None]
WALL_BASE_MS = 1_795_305_600_000
"""UTC milliseconds at world time 0 where nobody says otherwise: 2026-11-22 00:00:00 UTC, 08:00 in
Beijing."""


class Heap:
    """The world's time and its trace."""

    def __init__(self, wall_base_ms: int = WALL_BASE_MS, *, traced: bool = True) -> None:
        """Begin at 0, where the wall shows *wall_base_ms*, UTC milliseconds.

        Args:   traced: whether there is a trace; writing it costs a tenth of a run.
        """
        self.traced = traced
        self.wall_base_ms = wall_base_ms
        self.now_ns = 0
        self.events = 0
        """Callbacks run so far."""
        self._entries: list[tuple[int, int, Callback]] = []
        self._number = 0
        self._trace = hashlib.blake2b(digest_size=16)
        self._watcher: Callable[[int, str, str, str], None] | None = None

    def schedule(self, at_ns: int, callback: Callback) -> None:
        """Call *callback* at that instant; a past one means now, after what is due already."""
        if at_ns < self.now_ns:
            at_ns = self.now_ns
        self._number += 1
        heapq.heappush(self._entries, (at_ns, self._number, callback))

    def after(self, delay_ns: int, callback: Callback) -> None:
        """Call *callback* so many nanoseconds from now, 0 and up."""
        assert delay_ns >= 0, "nothing happens before its cause"
        self._number += 1
        heapq.heappush(self._entries, (self.now_ns + delay_ns, self._number, callback))

    def run_until(self, at_ns: int) -> None:
        """Let everything happen up to and including that instant."""
        entries = self._entries
        pop = heapq.heappop
        while entries and entries[0][0] <= at_ns:
            self.now_ns, _, callback = pop(entries)
            self.events += 1
            callback()
        self.now_ns = max(self.now_ns, at_ns)

    def note(self, actor: str, kind: str, detail: str) -> None:
        """Put one event into the trace: who, what, and what it carried (never a secret)."""
        if not self.traced:
            return
        self._trace.update(f"{self.now_ns}|{actor}|{kind}|{detail}\n".encode())
        if self._watcher is not None:
            self._watcher(self.now_ns, actor, kind, detail)

    def watch(self, watcher: Callable[[int, str, str, str], None] | None) -> None:
        """Let somebody read along what goes into the trace: (now_ns, actor, kind, detail)."""
        self._watcher = watcher

    @property
    def trace_hash(self) -> str:
        """Return the hash over every event so far, 32 hex digits; without a trace that of none."""
        return self._trace.copy().hexdigest()
