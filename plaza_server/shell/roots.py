"""Closes each Beijing day: plans a root from reads, signs it, commits it.

The plan reads in a reader's thread, so a day of records holds up no payment. Several processes on
one PostgreSQL may try at once: the commit of the second finds the first one's root and is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from plaza_server.rules.merkle_log import CLOSE_AFTER_MS, AddRoot, RootPlan
from plaza_server.rules.units import NoteAlarm, Unit
from plaza_server.shell.clock import Clock
from plaza_server.shell.reader import Reader
from plaza_server.shell.signing import SigningKey
from plaza_server.store import receipt_log
from tolling.alarms import AlarmCode
from tolling.clock import ClockQuality
from tolling.ids import PlazaId
from tolling.roots import SignedRoot, root_bytes

LOOK_S_MAX = 300.0
"""Longest sleep before the wall clock is looked at again: it may have been set meanwhile."""
DAYS_MAX = 400
"""Days closed in one go; a plaza that was off for longer takes the rest in the next."""


def sign_root(plan: RootPlan, key: SigningKey, *, now_ms: int) -> AddRoot:
    """Return the unit that keeps a planned root, signed."""
    root = SignedRoot(
        head=plan.head,
        key_id=key.key_id,
        signature=key.sign(root_bytes(plan.head, key.key_id)).hex(),
        consistency=plan.consistency,
    )
    return AddRoot(root=root, runs=plan.runs, nodes=plan.nodes, now_ms=now_ms)


class RootKeeper:
    """Closes roots of one plaza's log."""

    def __init__(
        self,
        *,
        plaza_id: PlazaId,
        reader: Reader,
        commit: Callable[[Unit], Awaitable[tuple[object, ...]]],
        clock: Clock,
        key: SigningKey,
    ) -> None:
        self._plaza_id = plaza_id
        self._reader = reader
        self._commit = commit
        self._clock = clock
        self._key = key
        self._log = structlog.get_logger("plaza.roots")
        self._told: bool | None = None
        """Whether the alarm was raised (True) or cleared by this process."""

    async def close(self, until_ms: int) -> SignedRoot | None:
        """Close a root over what arrived before *until_ms*; None where one covers that already."""
        plan = await self._reader.read(receipt_log.plan, self._plaza_id, until_ms)
        if plan is None:
            return None
        unit = sign_root(plan, self._key, now_ms=self._clock.wall().utc_ms)
        (added,) = await self._commit(unit)
        if not added:
            return None
        head = unit.root.head
        self._log.info("root_closed", root_no=head.root_no, day=head.day, size=head.size)
        return unit.root

    async def run(self) -> None:
        """Close every day as it ends, for ever; one failure costs one try."""
        while True:
            wait_s = LOOK_S_MAX
            try:
                wait_s = await self.close_due()
                await self._tell(None)
            except Exception as error:  # noqa: BLE001 - its supervisor: tries again, stops nothing
                self._log.error("root_not_closed", error=type(error).__name__)
                with contextlib.suppress(Exception):
                    # A store that takes no root may take no alarm either: the next try says both.
                    await self._tell(type(error).__name__)
            await asyncio.sleep(wait_s)

    async def _tell(self, trouble: str | None) -> None:
        """Raise or clear the alarm, where that is news."""
        raised = trouble is not None
        if self._told is raised:
            return
        await self._commit(
            NoteAlarm(
                code=AlarmCode.ROOT_NOT_CLOSED,
                raised=raised,
                subject="",
                what=f"{trouble}. Run plaza-server verify; records are kept meanwhile"
                if raised
                else "closed",
                now_ms=self._clock.wall().utc_ms,
            )
        )
        self._told = raised

    async def close_due(self) -> float:
        """Close all days that are over. Returns: seconds until it is worth looking again."""
        for _ in range(DAYS_MAX):
            wall = self._clock.wall()
            until_ms = await self._reader.read(receipt_log.due)
            if until_ms is None or wall.quality is ClockQuality.BAD:
                # A root names its day for ever: a clock that is not trusted closes none.
                return LOOK_S_MAX
            left_ms = until_ms + CLOSE_AFTER_MS - wall.utc_ms
            if left_ms > 0:
                return min(left_ms / 1000, LOOK_S_MAX)
            await self.close(until_ms)
        return 1.0
