"""The disk under a process: how long a commit takes, and what becomes of it.

A full disk is SQLite's own answer: a commit it hits is made with ``max_page_count`` at the pages
the store has now. What fits into them is stored, as on a real disk; what needs one more is refused
by the production path. No ballast is freed: the trouble is as if another program had taken that
room as well, until it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from sqlalchemy import Connection

from lane_controller.store import LaneStore
from lane_controller.store.journal import NO_LIMIT_PAGES
from simulator.world.faults import CommitFate, CommitTrouble
from simulator.world.heap import Heap
from tolling.clock import NS_PER_MS

COMMIT_NS = 2 * NS_PER_MS
"""A durable commit on a solid-state disk of a lane box: 2 to 4 ms (facts, measured)."""
COMMIT_SPREAD_NS = 2 * NS_PER_MS


class Disk:
    """One disk."""

    def __init__(self, heap: Heap, dice: Random) -> None:
        self._heap = heap
        self._dice = dice
        self._troubles: list[tuple[int, CommitTrouble]] = []

    def trouble(self, trouble: CommitTrouble) -> None:
        """Begin to misbehave now."""
        until_ns = self._heap.now_ns + trouble.for_ms * NS_PER_MS
        self._troubles.append((until_ns, trouble))

    def heal(self) -> None:
        """Work well from now on."""
        self._troubles.clear()

    @property
    def full(self) -> bool:
        """Return whether a disk-full trouble stands now."""
        return any(
            until_ns > self._heap.now_ns and trouble.fate is CommitFate.FULL
            for until_ns, trouble in self._troubles
        )

    def plan(self) -> tuple[int, CommitFate | None]:
        """Return how long the next commit takes, and its fate where it is not simply stored."""
        delay_ns = COMMIT_NS + self._dice.randrange(COMMIT_SPREAD_NS)
        if not self._troubles:
            return delay_ns, None
        now_ns = self._heap.now_ns
        self._troubles = [each for each in self._troubles if each[0] > now_ns]
        for _, trouble in self._troubles:
            if trouble.permille < 1000 and self._dice.randrange(1000) >= trouble.permille:
                continue
            if trouble.fate is not CommitFate.SLOW:
                return delay_ns, trouble.fate
            delay_ns += trouble.ms * NS_PER_MS
        return delay_ns, None


@contextmanager
def no_room_for_lane(store: LaneStore) -> Iterator[None]:
    """Let a lane's journal have no page more within the block."""
    store.set_max_pages(store.pages())
    try:
        yield
    finally:
        store.set_max_pages()


@contextmanager
def no_room_for_plaza(connection: Connection) -> Iterator[None]:
    """Let what commits on *connection*, of SQLite, have no page more within the block."""
    # By the driver: SQLAlchemy would begin a transaction for it.
    cursor = connection.connection.cursor()
    (pages,) = cursor.execute("PRAGMA page_count").fetchone()
    cursor.execute(f"PRAGMA max_page_count = {int(pages)}")
    try:
        yield
    finally:
        cursor.execute(f"PRAGMA max_page_count = {NO_LIMIT_PAGES}")
        cursor.close()
