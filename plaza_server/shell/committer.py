"""The one thread that writes: group commit.

What waits while a transaction is being made durable goes into the next one together, so the cost
of an fsync is shared by every payment of that moment. Order is kept. Results go back to the loop
only after the commit. The thread makes no decision: what a unit does is in the store, what a
failure means is the engine's affair.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from plaza_server.rules.units import Unit

MAX_GROUPS = 256
"""Commits in one transaction; more would only lengthen the wait of the first."""

GroupResult: TypeAlias = tuple[object, ...] | Exception
CommitGroup: TypeAlias = Callable[[Sequence[Sequence[Unit]]], Sequence[GroupResult]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of one commit."""

    key: object
    """As submitted."""
    result: GroupResult


class Committer:
    """Runs ``commit_group`` in its own thread."""

    def __init__(
        self,
        commit_group: CommitGroup,
        *,
        deliver: Callable[[list[Done], int], None],
        at_ns: Callable[[], int],
    ) -> None:
        """Make the thread; it starts with ``start``.

        Args:   deliver: called in this thread with the results in order and the time the
                transaction took in nanoseconds; hands them to the loop.
        """
        self._commit_group = commit_group
        self._deliver = deliver
        self._at_ns = at_ns
        self._queue: queue.SimpleQueue[tuple[object, tuple[Unit, ...]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, key: object, units: tuple[Unit, ...]) -> None:
        """Queue one atomic group; its result carries *key*."""
        self._queue.put((key, units))

    @property
    def waiting(self) -> int:
        """Groups not yet begun."""
        return self._queue.qsize()

    def stop(self) -> None:
        """Finish what was submitted, deliver it, and end the thread. Blocks."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_for_more = True
        while open_for_more:
            batch: list[tuple[object, tuple[Unit, ...]]] = []
            item = self._queue.get()
            while item is not None:
                batch.append(item)
                if len(batch) >= MAX_GROUPS:
                    break
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
            else:
                open_for_more = False
            if batch:
                self._commit(batch)

    def _commit(self, batch: list[tuple[object, tuple[Unit, ...]]]) -> None:
        began_ns = self._at_ns()
        results: Sequence[GroupResult]
        try:
            results = self._commit_group([units for _, units in batch])
        except Exception as error:  # noqa: BLE001 - a lost database must not end the only writer
            results = [error] * len(batch)
        assert len(results) == len(batch)
        done = [
            Done(key=key, result=result) for (key, _), result in zip(batch, results, strict=True)
        ]
        self._deliver(done, self._at_ns() - began_ns)
