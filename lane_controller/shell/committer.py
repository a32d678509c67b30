"""The one thread that touches the journal.

Commits and reads run in it one after the other. A full disk frees the ballast in the same breath;
the ballast is made again, in the same thread, once commits succeed and there is plenty of space.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog

from lane_controller.core import journalled as row
from lane_controller.engine import effects as fx
from lane_controller.engine import inputs as inp
from lane_controller.shell.clock import monotonic_ns
from lane_controller.store import LaneStore, StoreFullError
from tolling.chain import SealedRecord
from tolling.clock import NS_PER_S
from tolling.errors import JournalError

_T = TypeVar("_T")
BALLAST_RETRY_NS = 30 * NS_PER_S
"""How often a freed ballast is tried again."""


class Committer:
    """Runs the store's synchronous functions off the loop."""

    def __init__(self, store: LaneStore, *, on_seconds: Callable[[float], None]) -> None:
        """Make the thread. *on_seconds*: told how long each commit took, in the loop."""
        self._store = store
        self._on_seconds = on_seconds
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._log = structlog.get_logger("lane.journal")
        self._ballast_tried_ns = 0

    async def commit(self, commit: fx.Commit) -> inp.Committed | inp.CommitFailed:
        """Commit; return what the engine is told."""
        began_ns = monotonic_ns()
        try:
            await self.run(lambda: self._commit(commit.units))
        except StoreFullError as error:
            self._log.error("journal_full", what=error.what)
            return inp.CommitFailed(commit_id=commit.commit_id, why=inp.CommitTrouble.FULL)
        except JournalError as error:
            self._log.error("journal_failed", what=error.what)
            return inp.CommitFailed(commit_id=commit.commit_id, why=inp.CommitTrouble.FAILED)
        self._on_seconds((monotonic_ns() - began_ns) / NS_PER_S)
        return inp.Committed(commit_id=commit.commit_id)

    async def records_after(
        self, epoch: int, after_seq: int, limit: int
    ) -> tuple[SealedRecord, ...]:
        """Return stored records. Raises: JournalError."""
        return await self.run(lambda: self._store.records_after(epoch, after_seq, limit))

    async def keep_ballast(self) -> bool:
        """Make a freed ballast again where there is space, tried every 30 s.

        Returns: whether the ballast lies on the disk, as far as was looked just now.
        """
        ballast = self._store.ballast
        now_ns = monotonic_ns()
        if ballast is None or now_ns - self._ballast_tried_ns < BALLAST_RETRY_NS:
            return False
        self._ballast_tried_ns = now_ns
        if await self.run(lambda: ballast.held):
            return True
        if not await self.run(ballast.make):
            return False
        self._log.info("ballast_made")
        return True

    def close(self) -> None:
        """End the thread once its present work is done. Blocks."""
        self._thread.shutdown(wait=True)

    def _commit(self, units: tuple[row.Unit, ...]) -> None:
        try:
            self._store.commit(units)
        except StoreFullError:
            if self._store.ballast is not None:
                self._store.ballast.free()
            raise

    async def run(self, work: Callable[[], _T]) -> _T:
        """Run a function of the store in the journal's own thread; return or raise as it does."""
        # A cancelled caller leaves the work to its own end: a commit is never cut in two.
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
